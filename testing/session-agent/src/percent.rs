//! Percent-encoding of queries and forms.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What SigV4 encodes: everything but the unreserved characters of RFC 3986.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The decoded pairs of a query or of a form. A plus is a space.
pub fn pairs(query: &str) -> Vec<(String, String)> {
    form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}

/// Everything but unreserved characters as `%XX`.
pub fn encode(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_encoded_and_decoded() {
        assert_eq!(encode("a b/~é"), "a%20b%2F~%C3%A9");
        assert_eq!(
            pairs("a=b+c&d=%2F%C3%A9&e"),
            [("a", "b c"), ("d", "/é"), ("e", "")].map(|(k, v)| (k.into(), v.into()))
        );
    }
}
