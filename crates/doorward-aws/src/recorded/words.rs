//! What is wrong with JSON, in words that a person has who never saw this program's types.

use crate::reading::Position;

/// The most letters of an explanation.
const MOST: usize = 300;

/// What is wrong, and where: an error of a piece that begins at `from`.
pub(super) fn of(error: &serde_json::Error, from: Position) -> (String, Position) {
    (plain(error), from.within(error.line(), error.column()))
}

/// What is wrong, without the place.
pub(super) fn plain(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    let text = text.strip_suffix(&place).unwrap_or(&text);
    let mut words = Vec::new();
    let mut rest = text.split(' ').peekable();
    while let Some(word) = rest.next() {
        let (bare, comma) = word.strip_suffix(',').map_or((word, ""), |bare| (bare, ","));
        let said = match bare {
            "struct" => {
                // The name of a type follows, which tells a reader nothing.
                rest.next();
                "an object"
            }
            "map" => "an object",
            "sequence" => "a list",
            "i8" | "i16" | "i32" | "i64" | "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number",
            "f32" | "f64" => "a number",
            "floating" if rest.peek() == Some(&"point") => {
                rest.next();
                "number"
            }
            other => other,
        };
        let has_article = said.starts_with("a ") || said.starts_with("an ");
        if has_article && words.last().is_some_and(|last| last == "a" || last == "an") {
            words.pop();
        }
        words.push(format!("{said}{comma}"));
    }
    // What stood in the file may be long.
    words.join(" ").chars().take(MOST).collect()
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    struct InnerShape {
        #[expect(dead_code, reason = "it is only read")]
        a: String,
    }

    fn check<T: Deserialize<'static> + std::fmt::Debug>(json: &'static str, expected: &str) {
        let error = serde_json::from_str::<T>(json).expect_err("no such thing");
        assert_eq!(plain(&error), expected);
    }

    #[test]
    fn no_type_of_the_program_is_named() {
        check::<InnerShape>("\"Added\"", "invalid type: string \"Added\", expected an object");
        check::<InnerShape>("5", "invalid type: integer `5`, expected an object");
        check::<String>("{\"a\": 1}", "invalid type: an object, expected a string");
        check::<String>("[1]", "invalid type: a list, expected a string");
        check::<u16>("-3", "invalid value: integer `-3`, expected a whole number");
        check::<u16>("1.5", "invalid type: number `1.5`, expected a whole number");
        check::<f64>("true", "invalid type: boolean `true`, expected a number");
        check::<InnerShape>("{}", "missing field `a`");
        check::<Vec<u8>>("{}", "invalid type: an object, expected a list");
    }
}
