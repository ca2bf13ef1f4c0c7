//! Ids of EC2 that are whole: 8 or 17 hexadecimal digits behind their prefix.

use toml::de::DeValue;

use super::walk::{Section, Walk};

/// Whether an id has a length that EC2 gives (user guide, "Amazon EC2 resource IDs"), told of where it has not: one that
/// lost a digit in copying names nothing, and AWS would say so only once somebody wants in.
///
/// A text that does not begin with the prefix is no id, which its own parser tells.
pub(super) fn is_whole<'t>(walk: &mut Walk<'t>, section: &Section<'t, '_>, key: &str, prefix: &str) -> bool {
    let Some(value) = section.get(key) else { return true };
    let DeValue::String(text) = value.get_ref() else { return true };
    let Some(digits) = text.strip_prefix(prefix) else { return true };
    // What the parser refuses is told once.
    if digits.is_empty() || digits.len() > 64 || !digits.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return true;
    }
    let hint = format!("it is like `{key} = \"{prefix}0a1b2c3d4e5f60718\"`");
    let what = if digits.bytes().any(|byte| !matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
        format!("`{text}` is not an EC2 ID, which has lower-case hexadecimal digits")
    } else if !matches!(digits.len(), 8 | 17) {
        format!("`{text}` has {} digits, and an EC2 ID has 8 or 17", digits.len())
    } else {
        return true;
    };
    walk.error(&value.span(), what, Some(hint));
    false
}
