//! What every value shares that is kept, sent and shown as text; and how text of strangers is shown.
//!
//! A tag of AWS, a name that was typed at sign-in or an answer of a server may hold characters that a reader does not
//! see, or that move what stands around them: control characters (escape sequences of terminals among them),
//! bidirectional controls (CVE-2021-42574, "Trojan Source") and characters of no width. Every output shows them escaped.

use std::borrow::Cow;

/// Whether a character does not show by itself, or changes how others are shown, so that an output escapes it.
///
/// Control characters (C0, DEL, C1), line and paragraph separators, and Unicode's default-ignorable characters
/// (DerivedCoreProperties.txt): bidirectional controls, joiners, fillers, tags. Also what has a glyph without ink: the blank
/// of Braille, the filler of Khitan, the null notehead, and the controls of hieroglyphs. The two selectors of an emoji's look
/// (U+FE0E, U+FE0F) are left out: they belong to the character before.
pub fn is_hidden(letter: char) -> bool {
    is_disruptive(letter)
        || matches!(letter,
            '\u{ad}' | '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200d}' | '\u{2060}'..='\u{2065}'
            | '\u{206a}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0d}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}' | '\u{13430}'..='\u{1343f}' | '\u{16fe4}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d159}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}')
}

/// Whether a character breaks a line, moves a cursor or turns the direction of what follows.
pub fn is_disruptive(letter: char) -> bool {
    letter.is_control()
        || matches!(letter,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Whether a reader sees nothing of a text: it is empty, or holds only spaces and characters that do not show.
pub fn is_blank(text: &str) -> bool {
    let unseen = |letter: char| {
        letter.is_whitespace() || is_hidden(letter) || matches!(letter, '\u{fe0e}' | '\u{fe0f}')
    };
    text.chars().all(unseen)
}

/// A text as one line that shows all that is in it: what is hidden is written like `\u{202e}` or `\n`.
pub fn shown(text: &str) -> Cow<'_, str> {
    escaped(text, |_| false, |letter, into| into.extend(letter.escape_default()))
}

/// A text without what begins a line (Unicode Standard Annex 14, mandatory breaks): each is written like `\n`. What else is
/// hidden stays for whoever writes it, as text or as JSON.
pub fn one_line(text: &str) -> Cow<'_, str> {
    let breaks =
        |letter: char| matches!(letter, '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}');
    escaped(text, |letter| !breaks(letter), |letter, into| into.extend(letter.escape_default()))
}

/// The same for a text of several lines: its line breaks and tabs stay.
pub fn shown_lines(text: &str) -> Cow<'_, str> {
    escaped(text, |letter| matches!(letter, '\n' | '\t'), |letter, into| into.extend(letter.escape_default()))
}

/// JSON that says the same with every hidden character written as `\uXXXX` (RFC 8259, section 7).
///
/// Outside of strings JSON has no hidden characters but line breaks and tabs, and inside them those are escaped already.
pub fn shown_json(json: &str) -> Cow<'_, str> {
    escaped(
        json,
        |letter| matches!(letter, '\n' | '\r' | '\t'),
        |letter, into| {
            for unit in letter.encode_utf16(&mut [0; 2]) {
                into.push_str(&format!("\\u{unit:04x}"));
            }
        },
    )
}

fn escaped(text: &str, stays: impl Fn(char) -> bool, escape: impl Fn(char, &mut String)) -> Cow<'_, str> {
    let escapes = |letter: char| is_hidden(letter) && !stays(letter);
    if text.bytes().all(|byte| (b' '..0x7f).contains(&byte)) || !text.contains(escapes) {
        return Cow::Borrowed(text);
    }
    let mut into = String::with_capacity(text.len() + 16);
    for letter in text.chars() {
        if escapes(letter) { escape(letter, &mut into) } else { into.push(letter) }
    }
    Cow::Owned(into)
}

/// Converts to and from an owned text through `Display` and `FromStr`, as serde's `into` and `try_from` ask.
macro_rules! as_text {
    ($($type:ty),*) => {$(
        impl From<$type> for String {
            fn from(value: $type) -> Self {
                value.to_string()
            }
        }

        impl TryFrom<String> for $type {
            type Error = <$type as std::str::FromStr>::Err;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }
    )*};
}

/// The same for a newtype around a text, which is shown as it is.
macro_rules! is_text {
    ($type:ident) => {
        impl $type {
            /// As text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        crate::text::as_text!($type);
    };
}

pub(crate) use {as_text, is_text};

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        assert_eq!(shown(text), expected, "{text:?}");
    }

    #[test]
    fn what_does_not_show_is_shown() {
        check("orders-db", "orders-db");
        check("rené 李 ⚠\u{fe0f}", "rené 李 ⚠\u{fe0f}");
        check("a\u{1b}]0;x\u{7}", "a\\u{1b}]0;x\\u{7}");
        check("a\nb\tc\u{7f}\u{9b}31m", "a\\nb\\tc\\u{7f}\\u{9b}31m");
        for letter in "\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\u{2066}\u{2067}\u{2068}\u{2069}\u{200e}\u{200f}\u{61c}\
                       \u{200b}\u{200c}\u{200d}\u{2060}\u{feff}\u{ad}\u{e0001}\u{e0061}\u{e0100}\u{2028}\u{2029}\u{3164}\
                       \u{115f}\u{1160}\u{ffa0}\u{2800}\u{16fe4}\u{1d159}\u{13430}\u{180e}"
            .chars()
        {
            check(&format!("a{letter}b"), &format!("a{}b", letter.escape_unicode()));
        }
        assert_eq!(shown_lines("a\tb\nc\r\u{1b}"), "a\tb\nc\\r\\u{1b}");
    }

    #[test]
    fn escaped_json_says_the_same() {
        for text in ["plain", "\u{202e}\u{9b}\u{7f}\u{e0061}é\n\u{1b}"] {
            let json = serde_json::to_string_pretty(&[text]).expect("JSON");
            let shown = shown_json(&json);
            assert!(!shown.replace('\n', "").contains(is_hidden), "{shown:?}");
            assert_eq!(serde_json::from_str::<[String; 1]>(&shown).expect("JSON"), [text]);
        }
    }

    #[test]
    fn what_nobody_sees_is_blank() {
        for text in ["", " ", "\u{200b}", "\u{3000}\u{a0}\u{2800}", "\u{fe0f}\u{2060}\u{e0020}\u{3164}"] {
            assert!(is_blank(text), "{text:?}");
        }
        for text in ["x", "\u{200b}4711", "é"] {
            assert!(!is_blank(text), "{text:?}");
        }
    }
}
