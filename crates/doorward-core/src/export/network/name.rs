//! The names of resources within a template or a configuration: made of their purpose, so that they never depend on ids.

use std::collections::{BTreeMap, BTreeSet};

/// How words become a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// `MainPublicSubnetEuw1Az1`: letters and digits, as CloudFormation wants it.
    Camel,
    /// `main_public_subnet_euw1_az1`.
    Snake,
}

/// The names that were given, each once.
#[derive(Debug)]
pub(super) struct Names {
    style: Style,
    given: BTreeMap<String, String>,
    taken: BTreeSet<(&'static str, String)>,
}

impl Names {
    pub(super) fn new(style: Style) -> Self {
        Self { style, given: BTreeMap::new(), taken: BTreeSet::new() }
    }

    /// Gives a name that no other of the kind has.
    pub(super) fn give(&mut self, kind: &'static str, words: &str) -> String {
        let mut words: Vec<String> = words
            .split(|letter: char| !letter.is_ascii_alphanumeric())
            .filter(|word| !word.is_empty())
            .map(str::to_ascii_lowercase)
            .collect();
        // A name begins with a letter.
        if !words.first().is_some_and(|word| word.starts_with(|first: char| first.is_ascii_lowercase())) {
            words.insert(0, "network".to_owned());
        }
        let base = match self.style {
            Style::Camel => words.iter().map(|word| capital(word)).collect(),
            Style::Snake => words.join("_"),
        };
        // CloudFormation has one space of names for all kinds.
        let kind = if self.style == Style::Camel { "" } else { kind };
        let numbered = |number: u32| match (number, self.style) {
            (1, _) => base.clone(),
            (_, Style::Camel) => format!("{base}{number}"),
            (_, Style::Snake) => format!("{base}_{number}"),
        };
        let name = (1..).map(numbered).find(|name| !self.taken.contains(&(kind, name.clone())));
        let name = name.unwrap_or(base);
        self.taken.insert((kind, name.clone()));
        name
    }

    /// Gives the name of what has an id.
    pub(super) fn give_to(&mut self, kind: &'static str, id: &str, words: &str) -> String {
        let name = self.give(kind, words);
        self.given.insert(id.to_owned(), name.clone());
        name
    }

    /// The name of what has an id, if it is exported.
    pub(super) fn of(&self, id: &str) -> Option<&str> {
        self.given.get(id).map(String::as_str)
    }
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_of_words_and_given_once() {
        let mut camel = Names::new(Style::Camel);
        assert_eq!(camel.give("a", "main/public-subnet/euw1-az1"), "MainPublicSubnetEuw1Az1");
        assert_eq!(camel.give("b", "main/public_subnet/euw1-az1"), "MainPublicSubnetEuw1Az12");
        let mut snake = Names::new(Style::Snake);
        assert_eq!(snake.give_to("a", "vpc-0a", "10/vpc"), "network_10_vpc");
        assert_eq!(snake.give("a", "10/vpc"), "network_10_vpc_2");
        assert_eq!(snake.give("b", "10/vpc"), "network_10_vpc");
        assert_eq!((snake.of("vpc-0a"), snake.of("vpc-0b")), (Some("network_10_vpc"), None));
    }
}
