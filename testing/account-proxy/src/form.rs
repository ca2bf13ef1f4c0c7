//! The parameters of a call: the fields of a form, with numbers for lists.

use std::collections::BTreeMap;

/// The fields, in order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Form(Vec<(String, String)>);

impl Form {
    /// Reads a body.
    pub fn read(body: &[u8]) -> Self {
        Self(form_urlencoded::parse(body).into_owned().collect())
    }

    /// A form with these fields.
    pub fn of(fields: &[(&str, &str)]) -> Self {
        Self(fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    /// Writes a body.
    pub fn written(&self) -> String {
        form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.0).finish()
    }

    /// All names and values.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The value of a field.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(it, _)| it == name).map(|(_, value)| value.as_str())
    }

    /// Whether a flag is given and set. AWS takes `true` in any case.
    pub fn is_set(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    /// Sets a field.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.remove(name);
        self.0.push((name.to_owned(), value.into()));
    }

    /// Removes a field, and every field below it.
    pub fn remove(&mut self, name: &str) {
        self.0.retain(|(it, _)| it != name && !is_below(it, name));
    }

    /// Whether a field or one below it is given.
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(it, _)| it == name || is_below(it, name))
    }

    /// The fields of a structure, under their own names.
    pub fn part(&self, name: &str) -> Self {
        let below = self.0.iter().filter_map(|(it, value)| {
            Some((it.strip_prefix(name)?.strip_prefix('.')?.to_owned(), value.clone()))
        });
        Self(below.collect())
    }

    /// The members of a list: `Name.1` as EC2 writes it, `Name.member.1` or `Name.Kind.1` as the others do.
    pub fn parts(&self, name: &str) -> Vec<Self> {
        let mut parts: BTreeMap<usize, Self> = BTreeMap::new();
        for (field, value) in &self.part(name).0 {
            let (first, rest) = field.split_once('.').unwrap_or((field, ""));
            let (number, rest) = match first.parse::<usize>() {
                Ok(number) => (Ok(number), rest),
                Err(_) => {
                    let (number, rest) = rest.split_once('.').unwrap_or((rest, ""));
                    (number.parse(), rest)
                }
            };
            if let Ok(number) = number {
                parts.entry(number).or_default().0.push((rest.to_owned(), value.clone()));
            }
        }
        parts.into_values().collect()
    }

    /// The same of a list of texts.
    pub fn list(&self, name: &str) -> Vec<String> {
        self.parts(name).iter().filter_map(|part| part.get("")).map(str::to_owned).collect()
    }

    /// Takes the values of an EC2 filter out of the form: it is applied to an answer that moto could not filter.
    pub fn take_filter(&mut self, name: &str) -> Option<Vec<String>> {
        let filters = self.parts("Filter");
        let taken = filters.iter().find(|filter| filter.get("Name") == Some(name))?.list("Value");
        self.remove("Filter");
        for (at, filter) in filters.iter().filter(|filter| filter.get("Name") != Some(name)).enumerate() {
            for (field, value) in filter.fields() {
                self.0.push((format!("Filter.{}.{field}", at + 1), value.to_owned()));
            }
        }
        Some(taken)
    }
}

fn is_below(field: &str, name: &str) -> bool {
    field.strip_prefix(name).is_some_and(|rest| rest.starts_with('.'))
}

/// Whether a value of a filter matches: `*` is any text, `?` any letter.
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Filtering.html>
pub fn matches(pattern: &str, text: &str) -> bool {
    let (Some(first), rest) = (pattern.chars().next(), pattern.get(1..).unwrap_or_default()) else {
        return text.is_empty();
    };
    let mut letters = text.chars();
    match first {
        '*' => matches(rest, text) || (letters.next().is_some() && matches(pattern, letters.as_str())),
        '?' => letters.next().is_some() && matches(rest, letters.as_str()),
        _ => {
            letters.next() == Some(first)
                && matches(pattern.get(first.len_utf8()..).unwrap_or_default(), letters.as_str())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_in_both_dialects() {
        let form = Form::of(&[
            ("SubnetId.2", "b"),
            ("SubnetId.1", "a"),
            ("Subnets.member.1", "c"),
            ("Tags.Tag.1.Key", "k"),
            ("Tags.Tag.1.Value", "v"),
        ]);
        assert_eq!(form.list("SubnetId"), ["a", "b"]);
        assert_eq!(form.list("Subnets"), ["c"]);
        let tags = form.parts("Tags");
        assert_eq!(tags.first().and_then(|tag| tag.get("Value")), Some("v"));
    }

    #[test]
    fn a_filter_is_taken_and_the_others_move_up() {
        let mut form = Form::of(&[
            ("Filter.1.Name", "state"),
            ("Filter.1.Value.1", "available"),
            ("Filter.2.Name", "vpc-id"),
            ("Filter.2.Value.1", "vpc-1"),
        ]);
        assert_eq!(form.take_filter("state"), Some(vec!["available".to_owned()]));
        assert_eq!(form, Form::of(&[("Filter.1.Name", "vpc-id"), ("Filter.1.Value.1", "vpc-1")]));
    }

    #[test]
    fn a_filter_has_wildcards() {
        for (pattern, text, expected) in [
            ("a*c", "abbc", true),
            ("a?c", "abc", true),
            ("a?c", "abbc", false),
            ("*", "", true),
            ("a", "ab", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }
}
