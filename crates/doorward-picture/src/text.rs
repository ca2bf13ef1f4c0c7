//! Text in a picture: how wide it is about to be, cut to fit, and made safe.

use std::borrow::Cow;

use doorward_core::text::is_hidden;

/// What stands for what was cut off.
const CUT: char = '…';

/// About how many tenths of the letters' size a letter is wide, in the sans-serifs that systems have.
fn letter(letter: char) -> i32 {
    match letter {
        'i' | 'j' | 'l' | '\'' | '|' => 3,
        'I' | 'f' | 't' | 'r' | '.' | ',' | ':' | ';' | '!' | '(' | ')' | '[' | ']' | '/' | ' ' | '-'
        | '·' => 4,
        'm' | 'M' | 'w' | 'W' | '%' | '@' | '→' | '…' => 9,
        'A'..='Z' | '&' => 7,
        '\u{300}'..='\u{36f}' => 0,
        '\u{1100}'.. => 10,
        _ => 6,
    }
}

/// A size of letters in pixels, and whether they are heavy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Letters {
    /// As most are.
    Plain(i32),
    /// Of names.
    Heavy(i32),
}

impl Letters {
    /// The size in pixels.
    pub fn size(self) -> i32 {
        let (Self::Plain(size) | Self::Heavy(size)) = self;
        size
    }

    /// How wide a letter is, in hundredths of pixels.
    fn wide(self, next: char) -> i32 {
        match self {
            Self::Plain(size) => letter(next) * size * 10,
            Self::Heavy(size) => letter(next) * size * 12,
        }
    }
}

/// About how wide a text is, in pixels; rather too wide than too narrow.
pub fn width(text: &str, letters: Letters) -> i32 {
    (text.chars().map(|next| letters.wide(next)).sum::<i32>() + 99) / 100
}

/// As much of a text as is so wide at most.
pub fn cut(text: &str, letters: Letters, most: i32) -> Cow<'_, str> {
    if width(text, letters) <= most {
        return Cow::Borrowed(text);
    }
    let mut left = most * 100 - letters.wide(CUT);
    let kept: String = text
        .chars()
        .take_while(|next| {
            left -= letters.wide(*next);
            left >= 0
        })
        .collect();
    Cow::Owned(format!("{}{CUT}", kept.trim_end()))
}

/// A text as it stands between tags and in attributes.
///
/// What XML has no place for, and what does not show or turns the direction of the letters after it, is shown as the mark for
/// what cannot be shown.
pub fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            '\u{fffe}' | '\u{ffff}' => safe.push('\u{fffd}'),
            letter if is_hidden(letter) => safe.push('\u{fffd}'),
            letter => safe.push(letter),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_fits() {
        for text in
            ["", "web", "orders-prod-database-with-a-long-name", "MMMMMMMMMMMMMM", "データベースの名前が長い"]
        {
            for letters in [Letters::Plain(11), Letters::Heavy(13)] {
                for most in [20, 60, 140] {
                    let cut = cut(text, letters, most);
                    assert!(width(&cut, letters) <= most, "{cut}");
                    assert_eq!(cut == text, width(text, letters) <= most);
                }
            }
        }
    }

    #[test]
    fn nothing_gets_out_of_a_text() {
        assert_eq!(
            escape("<b a='1'>&\"\u{0}\u{202e}x"),
            "&lt;b a=&#39;1&#39;&gt;&amp;&quot;\u{fffd}\u{fffd}x"
        );
    }
}
