//! The body of a call in AWS's query protocol: `Action=…&Version=…&Filter.1.Name=…`.

use std::fmt::{Display, Write as _};

/// A form that grows by one field at a time.
#[derive(Debug, Clone, Default)]
pub(crate) struct Form(String);

impl Form {
    /// Adds a field. A name holds only letters, digits and full stops; a value may hold anything.
    pub(crate) fn put(&mut self, name: &str, value: &str) {
        if !self.0.is_empty() {
            self.0.push('&');
        }
        self.0.push_str(name);
        self.0.push('=');
        for byte in value.bytes() {
            // The unreserved characters of RFC 3986, section 2.3.
            if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
                self.0.push(char::from(byte));
            } else {
                // Writing to a string cannot fail.
                let _ = write!(self.0, "%{byte:02X}");
            }
        }
    }

    /// Adds `Filter.1`, which asks for what has one of the values; EC2 takes 200 of them at most.
    pub(crate) fn filter<'a>(&mut self, name: &str, values: impl IntoIterator<Item = &'a str>) {
        self.put("Filter.1.Name", name);
        for (index, value) in values.into_iter().enumerate() {
            self.put(&format!("Filter.1.Value.{}", index + 1), value);
        }
    }

    /// Adds a list, each member by its number.
    pub(crate) fn each(&mut self, name: &str, members: impl IntoIterator<Item: Display>) {
        for (number, member) in (1..).zip(members) {
            self.put(&format!("{name}.{number}"), &member.to_string());
        }
    }

    /// Adds the size of a page, and where to go on.
    pub(crate) fn page(&mut self, size: u32, token: Option<&str>) {
        self.put("MaxResults", &size.to_string());
        if let Some(token) = token {
            self.put("NextToken", token);
        }
    }

    /// Adds the fields of another form.
    pub(crate) fn append(&mut self, other: Self) {
        if !self.0.is_empty() && !other.0.is_empty() {
            self.0.push('&');
        }
        self.0.push_str(&other.0);
    }

    pub(crate) fn into_body(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_escaped_and_names_are_not() {
        let mut form = Form::default();
        form.put("IpPermissions.1.IpRanges.1.Description", "doorward 3f9c2a1b ren=C3=A9 & co/é");
        assert_eq!(
            form.into_body(),
            "IpPermissions.1.IpRanges.1.Description=doorward%203f9c2a1b%20ren%3DC3%3DA9%20%26%20co%2F%C3%A9"
        );
    }
}
