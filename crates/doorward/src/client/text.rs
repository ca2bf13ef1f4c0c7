//! The text of a server's answer: it stays within the lines that this program prints.

use std::borrow::Cow;

use doorward_core::text::one_line;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// What a server answers. Each text in it is one line: it begins no lines of ours, and neither does an error
/// that quotes it.
pub(super) fn read<T: DeserializeOwned>(
    answer: &mut ureq::http::Response<ureq::Body>,
) -> Result<T, ureq::Error> {
    let mut value: Value = answer.body_mut().read_json()?;
    join_lines(&mut value);
    T::deserialize(value).map_err(ureq::Error::Json)
}

fn join_lines(value: &mut Value) {
    match value {
        Value::String(text) => {
            if let Cow::Owned(line) = one_line(text) {
                *text = line;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(join_lines),
        Value::Object(fields) => {
            let in_one_line = |(name, mut field): (String, Value)| {
                join_lines(&mut field);
                (one_line(&name).into_owned(), field)
            };
            *fields = std::mem::take(fields).into_iter().map(in_one_line).collect();
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use doorward_core::grant::GrantId;
    use serde::Deserialize as _;

    use super::*;

    #[test]
    fn a_server_writes_no_lines_of_ours() {
        let mut value = serde_json::json!({
            "why\nhint: x": ["a\r\nfix: x", { "still": "\u{2028}\u{1b}[2J" }], "plain": "rené \u{26a0}", "n": 1
        });
        join_lines(&mut value);
        let expected = serde_json::json!({
            "why\\nhint: x": ["a\\r\\nfix: x", { "still": "\\u{2028}\u{1b}[2J" }], "plain": "rené \u{26a0}", "n": 1
        });
        assert_eq!(value, expected);
        // Neither does an error that quotes it.
        let quoted = GrantId::deserialize(Value::from("g\nerror: x")).expect_err("no grant");
        assert!(quoted.to_string().contains('\n'), "{quoted}");
        let mut value = Value::from("g\nerror: x");
        join_lines(&mut value);
        assert!(!GrantId::deserialize(value).expect_err("no grant").to_string().contains('\n'));
    }
}
