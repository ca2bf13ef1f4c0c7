//! Amounts of US dollars, exact to the ten-millionth: AWS's prices have no more digits.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, Neg};
use std::str::FromStr;

/// An amount of US dollars in ten-millionths.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Money(i64);

/// A text that is no amount.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an amount of US dollars (like `0.045`)")]
pub struct NotMoney(String);

const UNIT: i64 = 10_000_000;
const DIGITS: usize = 7;

impl Money {
    /// So many times as much; the greatest or the least amount where there is no such.
    pub fn times(self, number: u32) -> Self {
        Self(self.0.saturating_mul(i64::from(number)))
    }
}

impl Add for Money {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Neg for Money {
    type Output = Self;

    fn neg(self) -> Self {
        Self(self.0.saturating_neg())
    }
}

impl Sum for Money {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::default(), Self::add)
    }
}

/// With at least two digits behind the point, and no zeros at the end of more: `$32.85`, `-$0.045`.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let amount = self.0.unsigned_abs();
        let unit = UNIT.unsigned_abs();
        let digits = format!("{:07}", amount % unit);
        let shown = digits.trim_end_matches('0').len().max(2);
        let digits = digits.get(..shown).unwrap_or(&digits);
        let text = format!("{sign}${}.{digits}", amount / unit);
        f.pad(&text)
    }
}

impl FromStr for Money {
    type Err = NotMoney;

    fn from_str(text: &str) -> Result<Self, NotMoney> {
        let not = || NotMoney(text.into());
        let (whole, part) = text.split_once('.').unwrap_or((text, ""));
        let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || part.len() > DIGITS || !plain(whole) || !plain(part) || text.ends_with('.') {
            return Err(not());
        }
        let whole: i64 = whole.parse().map_err(|_| not())?;
        let part: i64 = format!("{part:0<7}").parse().map_err(|_| not())?;
        whole.checked_mul(UNIT).and_then(|whole| whole.checked_add(part)).map(Self).ok_or_else(not)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_reads_and_shows() {
        let check = |text: &str, expected: &str| {
            let money: Money = text.parse().expect("an amount");
            assert_eq!(money.to_string(), expected);
        };
        check("0.045", "$0.045");
        check("32.85", "$32.85");
        check("3", "$3.00");
        check("0.0000001", "$0.0000001");
        check("1.10", "$1.10");
        for text in ["", ".", "1.", ".5", "-1", "1,5", "0.00000001", "1e3", "99999999999999999999"] {
            assert!(text.parse::<Money>().is_err(), "{text}");
        }
    }

    #[test]
    fn amounts_are_exact() {
        let hour: Money = "0.045".parse().expect("an amount");
        assert_eq!(hour.times(730).to_string(), "$32.85");
        assert_eq!((-hour.times(730)).to_string(), "-$32.85");
        let parts = [hour, hour, -hour];
        assert_eq!(parts.into_iter().sum::<Money>(), hour);
    }
}
