//! One-time messages: the outcome of a form, kept until the following page is shown.

use std::collections::VecDeque;

use maud::{Markup, PreEscaped};

/// Notes that wait to be shown; kept in memory, where nobody can write them from outside.
#[derive(Debug, Default)]
pub struct Notes(VecDeque<Note>);

#[derive(Debug)]
struct Note {
    id: String,
    session: String,
    text: String,
}

/// Notes that are never fetched go when so many newer ones are there.
const KEPT: usize = 512;

impl Notes {
    /// Keeps a note for a session.
    pub fn keep(&mut self, id: String, session: String, text: Markup) {
        if self.0.len() >= KEPT {
            self.0.pop_front();
        }
        self.0.push_back(Note { id, session, text: text.into_string() });
    }

    /// Takes a session's note, once.
    pub fn take(&mut self, id: &str, session: &str) -> Option<Markup> {
        let place = self.0.iter().position(|note| note.id == id && note.session == session)?;
        self.0.remove(place).map(|note| PreEscaped(note.text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_shown_once_and_to_its_own_session() {
        let mut notes = Notes::default();
        notes.keep("1".into(), "jon".into(), PreEscaped("opened".into()));
        assert!(notes.take("1", "maria").is_none());
        assert_eq!(notes.take("1", "jon").map(|note| note.0).as_deref(), Some("opened"));
        assert!(notes.take("1", "jon").is_none());
    }

    #[test]
    fn there_is_an_end_to_what_is_kept() {
        let mut notes = Notes::default();
        for number in 0..10_000 {
            notes.keep(number.to_string(), "jon".into(), PreEscaped(String::new()));
        }
        assert_eq!(notes.0.len(), KEPT);
        assert!(notes.take("9999", "jon").is_some());
    }
}
