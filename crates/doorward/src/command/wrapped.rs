//! Text of which a terminal shows no line in the middle of a word.

use std::borrow::Cow;

use textwrap::{Options, WordSplitter};

/// Text without a line that is longer than `width` columns, unless that is one word. A line that continues another begins
/// below the text of that, after its number or its sign.
pub(super) fn wrapped(text: &str, width: usize) -> String {
    let lines = text.split_inclusive('\n').map(|line| {
        let (content, end) = line.strip_suffix('\n').map_or((line, ""), |content| (content, "\n"));
        if content.chars().count() <= width {
            return Cow::Borrowed(line);
        }
        let (first, rest) = content.split_at(begin(content, width));
        let below = " ".repeat(first.chars().count());
        let options = Options::new(width)
            .initial_indent(first)
            .subsequent_indent(&below)
            .break_words(false)
            .word_splitter(WordSplitter::NoHyphenation);
        Cow::Owned(textwrap::wrap(rest, options).join("\n") + end)
    });
    lines.collect()
}

/// Where the text of a line begins, in bytes: after its last column in the left half, and after a number (`3. `) or a sign
/// (`+ `) there.
fn begin(line: &str, width: usize) -> usize {
    let half = line.char_indices().nth(width / 2).map_or(line.len(), |(at, _)| at);
    let indent = line.len() - line.trim_start().len();
    let columns = line.match_indices("  ").map(|(at, gap)| at + gap.len()).filter(|at| *at <= half);
    let column = columns.last().unwrap_or(indent).max(indent);
    let rest = line.get(column..).unwrap_or_default();
    let column = line.len() - rest.trim_start().len();
    let rest = rest.trim_start();
    let sign = rest.split_once(' ').map(|(sign, _)| sign).filter(|sign| {
        let number = sign.strip_suffix('.').is_some_and(|digits| digits.parse::<u32>().is_ok());
        number || matches!(*sign, "+" | "-" | "*")
    });
    let begin = column + sign.map_or(0, |sign| sign.len() + 1);
    if begin <= half { begin } else { indent.min(half) }
}

#[cfg(test)]
mod tests {
    use super::wrapped;

    fn check(text: &str, width: usize, expected: &str) {
        assert_eq!(wrapped(text, width), expected);
        // A wrapped text has nothing left to wrap.
        assert_eq!(wrapped(expected, width), expected);
    }

    #[test]
    fn lines_break_between_words_below_their_text() {
        check(
            "steps\n  1. create the VPC main with 10.0.0.0/16\n     because [network.main] declares it\n",
            24,
            "steps\n  1. create the VPC main\n     with 10.0.0.0/16\n     because\n     [network.main]\n     declares it\n",
        );
        check("a plan", 6, "a plan");
        check(
            "\n  a-word-that-is-longer-than-the-line and more\n",
            12,
            "\n  a-word-that-is-longer-than-the-line\n  and more\n",
        );
        check(
            "* gateway   $35.04 a month, and $0.048 per GB\n            + private subnets reach the internet\n",
            36,
            "* gateway   $35.04 a month, and\n            $0.048 per GB\n            + private subnets reach\n              the internet\n",
        );
    }

    #[test]
    fn a_text_that_fits_is_unchanged() {
        let text = "plan for eu-west-1\n\n  1. create  the VPC\n  trailing \n\n";
        check(text, 80, text);
        check("", 10, "");
    }
}
