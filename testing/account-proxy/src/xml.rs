//! An answer of AWS as a tree that can be read, changed and written again.

use quick_xml::Reader;
use quick_xml::escape::escape;
use quick_xml::events::{BytesStart, Event};

/// An element: either text or children.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Element {
    /// Its name, with a prefix as it came.
    pub name: String,
    /// Its attributes, as they came.
    pub attributes: String,
    /// Its text, without markup.
    pub text: String,
    /// Its children, in order.
    pub children: Vec<Self>,
}

impl Element {
    /// An empty element.
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }

    /// An element with a text.
    pub fn with_text(name: &str, text: impl Into<String>) -> Self {
        Self { name: name.to_owned(), text: text.into(), ..Self::default() }
    }

    /// An element with children.
    pub fn with(name: &str, children: Vec<Self>) -> Self {
        Self { name: name.to_owned(), children, ..Self::default() }
    }

    /// Reads a document; `None` when it is not one.
    pub fn read(text: &str) -> Option<Self> {
        let mut reader = Reader::from_str(text);
        let mut open: Vec<Self> = Vec::new();
        loop {
            let closed = match reader.read_event().ok()? {
                Event::Start(start) => {
                    open.push(begun(&start));
                    None
                }
                Event::Empty(start) => Some(begun(&start)),
                Event::End(_) => Some(open.pop()?),
                Event::Text(text) => {
                    if let Some(element) = open.last_mut() {
                        element.text.push_str(&text.xml10_content());
                    }
                    None
                }
                Event::GeneralRef(reference) => {
                    let letter = match reference.resolve_char_ref().ok()? {
                        Some(letter) => letter,
                        None => match &*reference.xml10_content() {
                            "lt" => '<',
                            "gt" => '>',
                            "amp" => '&',
                            "quot" => '"',
                            "apos" => '\'',
                            _ => return None,
                        },
                    };
                    open.last_mut()?.text.push(letter);
                    None
                }
                Event::Eof => return None,
                _ => None,
            };
            if let Some(mut element) = closed {
                if !element.children.is_empty() {
                    element.text.clear();
                }
                match open.last_mut() {
                    Some(parent) => parent.children.push(element),
                    None => return Some(element),
                }
            }
        }
    }

    /// Writes it as a document.
    pub fn written(&self) -> String {
        let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        self.write(&mut text);
        text
    }

    fn write(&self, into: &mut String) {
        let Self { name, attributes, .. } = self;
        into.push_str(&format!("<{name}{attributes}"));
        if self.children.is_empty() && self.text.is_empty() {
            into.push_str("/>");
            return;
        }
        into.push('>');
        into.push_str(&escape(self.text.as_str()));
        self.children.iter().for_each(|child| child.write(into));
        into.push_str(&format!("</{name}>"));
    }

    /// The first child of a name.
    pub fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The same, to be changed.
    pub fn child_mut(&mut self, name: &str) -> Option<&mut Self> {
        self.children.iter_mut().find(|child| child.name == name)
    }

    /// The element at the end of a path of names, separated by `/`.
    pub fn at(&self, path: &str) -> Option<&Self> {
        path.split('/').try_fold(self, |element, name| element.child(name))
    }

    /// The same, to be changed.
    pub fn at_mut(&mut self, path: &str) -> Option<&mut Self> {
        path.split('/').try_fold(self, |element, name| element.child_mut(name))
    }

    /// The text at the end of a path; empty when there is none.
    pub fn text_at(&self, path: &str) -> &str {
        self.at(path).map_or("", |element| &element.text)
    }

    /// The elements of a list; none when there is no list.
    pub fn list(&self, path: &str) -> &[Self] {
        self.at(path).map_or(&[], |list| &list.children)
    }

    /// The texts at a path in each element of a list.
    pub fn texts(&self, list: &str, path: &str) -> Vec<String> {
        self.list(list).iter().map(|item| item.text_at(path).to_owned()).collect()
    }

    /// Sets a child's text, and adds the child when it is missing.
    pub fn set(&mut self, name: &str, text: impl Into<String>) {
        self.put(Self::with_text(name, text));
    }

    /// Replaces the child of that name, or adds it.
    pub fn put(&mut self, element: Self) {
        match self.child_mut(&element.name) {
            Some(child) => *child = element,
            None => self.children.push(element),
        }
    }

    /// Removes the children of a name.
    pub fn remove(&mut self, name: &str) {
        self.children.retain(|child| child.name != name);
    }

    /// Every element below it of a name, at any depth, to be changed.
    pub fn each(&mut self, name: &str, change: &mut dyn FnMut(&mut Self)) {
        for child in &mut self.children {
            if child.name == name {
                change(child);
            }
            child.each(name, change);
        }
    }

    /// Whether it or an element below it has this text.
    pub fn mentions(&self, text: &str) -> bool {
        self.text == text || self.children.iter().any(|child| child.mentions(text))
    }
}

fn begun(start: &BytesStart<'_>) -> Element {
    Element {
        name: start.name().as_ref().to_owned(),
        attributes: start.attributes_raw().trim_end().to_owned(),
        ..Element::default()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_written_again() {
        let text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
                    <R xmlns=\"u\"><set><item><id>a&lt;b &amp; &#99;</id></item></set><none/></R>";
        let mut read = Element::read(text).unwrap();
        assert_eq!(read.text_at("set/item/id"), "a<b & c");
        read.set("more", "1");
        assert!(read.written().contains("<id>a&lt;b &amp; c</id>"), "{}", read.written());
        assert!(read.written().ends_with("<none/><more>1</more></R>"), "{}", read.written());
        assert_eq!(Element::read(&read.written()), Some(read));
    }

    #[test]
    fn what_is_no_document_is_not_read() {
        for text in ["", "<!doctype html>\n<title>500", "<a><b></a>"] {
            assert_eq!(Element::read(text), None, "{text}");
        }
    }
}
