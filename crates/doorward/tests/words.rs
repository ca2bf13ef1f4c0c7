//! Holds all text that users see against the words of the field: no private dialect, one word for one thing.
//!
//! An operator searches a page, a log or a manual for the words that they know. The table below has the words that this
//! project once used instead, and what to write for each.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use clap::CommandFactory as _;
use doorward::command::Cli;
use proc_macro2::{Delimiter, Literal, TokenStream, TokenTree};

/// Phrases, and what to write instead. `.` is the beginning of a sentence that is no question, `*` is any one word.
const INSTEAD: &[(&[&str], &str)] = &[
    (&["way", "ways"], "`path`, `transport` or `how`"),
    (&["passes", "do not pass", "does not pass", "may pass", "can pass", "what passes"], "`is allowed`"),
    (&["let through", "lets through", "let * through", "lets * through", "gets through"], "`allows`"),
    (&["lift", "lifts", "lifted", "mend", "mends", "mended"], "`fix`"),
    (&["carry", "carries", "carried", "carrying"], "`has … attached`, `transports`, `tunnels` or `forwards`"),
    (&["bear", "bears", "bearing"], "`has` or `is tagged with`"),
    (&["door", "doors"], "`security group`, `firewall`, `listener` or `port`, whichever it is"),
    (&["bring", "brings", "brought", "bringing"], "`reconcile`, `migrate`"),
    (&["as wanted", "is wanted"], "`in sync`, `desired`"),
    (&["look", "looks", "looked", "looking"], "`poll`, `read`, `check` or `see`"),
    (&["tell", "tells", "told", "telling"], "`report`, `say` or `distinguish`"),
    (&["place", "places"], "`account and Region`, or the thing itself"),
    (&["is over", "are over", "was over", "were over"], "`has expired` or `has ended`"),
    (&["closing"], "`revoking`, `revocation`"),
    (&["beside"], "`collateral`, `next to`, `in addition to`"),
    (&["by hand"], "`manually`"),
    (&["the record"], "`the audit log`"),
    (&["agree", "agrees", "agreed", "agreeing"], "`approve`; of two things: `differ`"),
    (&["whoever", "whom", "who wants to"], "`the client`, `the caller`, `the person` or `the operator`"),
    (&["far side", "other end"], "`the remote end`, `the server`"),
    (&["mistake", "mistakes"], "`error`"),
    (&["not as it should be", "as it should be"], "`a finding`, `a misconfiguration`"),
    (&["anew"], "`again`"),
    (&["stand", "stands", "stood", "standing"], "`exists`, `is`, `is in effect`"),
    (&["said no", "says no", "say no"], "`denied`, `refused`"),
    (&["people's files", "people files"], "`password and group files`"),
    (&[". what", ". who", ". whose"], "a sentence with a noun as its subject"),
];

/// Sentences and phrases in which one of these words has its proper meaning.
const PROPER: &[&str] = &[
    // The name of a migration that stores have applied.
    "rows told",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the repository")
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The files below a folder whose names end so, by their paths from the root.
fn files(below: &str, ending: &str, found: &mut Vec<String>) {
    for entry in fs::read_dir(root().join(below)).expect("a folder") {
        let entry = entry.expect("an entry");
        let path = format!("{below}/{}", entry.file_name().display());
        if entry.file_type().expect("a type").is_dir() {
            files(&path, ending, found);
        } else if path.ends_with(ending) {
            found.push(path);
        }
    }
}

/// A piece of text, of one file or one help, with the line that each character is in.
struct Text {
    at: String,
    chars: Vec<(char, usize)>,
}

impl Text {
    fn plain(at: &str, text: &str) -> Self {
        let mut line = 1;
        let chars = text.chars().map(|char| {
            let here = line;
            line += usize::from(char == '\n');
            (char, here)
        });
        Self { at: at.to_owned(), chars: chars.collect() }
    }

    /// What a string literal holds; nothing where it is of bytes, or no string.
    fn of_literal(at: &str, literal: &Literal) -> Option<Self> {
        let source = literal.to_string();
        let (raw, quoted) = match source.strip_prefix('r') {
            Some(rest) => (true, rest.trim_matches('#')),
            None => (false, source.as_str()),
        };
        let inner = quoted.strip_prefix('"')?.strip_suffix('"')?;
        let mut line = literal.span().start().line;
        let mut chars = Vec::new();
        let mut rest = inner.chars().peekable();
        while let Some(char) = rest.next() {
            let here = line;
            line += usize::from(char == '\n');
            if raw || char != '\\' {
                chars.push((char, here));
                continue;
            }
            match rest.next() {
                Some('n') => chars.push(('\n', here)),
                // The line goes on in the next one.
                Some('\n') => {
                    line += 1;
                    while let Some(blank) = rest.next_if(|char| char.is_whitespace()) {
                        line += usize::from(blank == '\n');
                    }
                }
                Some(other) => chars.push((other, here)),
                None => {}
            }
        }
        Some(Self { at: at.to_owned(), chars })
    }

    /// Whether this is a sentence, or a part of one, rather than an identifier, a path or a statement for a database.
    fn is_prose(&self) -> bool {
        let text: String = self.chars.iter().map(|(char, _)| char).collect();
        let text = text.trim();
        let statements =
            ["SELECT ", "INSERT ", "UPDATE ", "DELETE ", "CREATE ", "ALTER ", "WITH ", "PRAGMA "];
        let sql = statements.iter().any(|word| text.starts_with(word)) || text.contains("= $");
        text.contains(char::is_whitespace) && !sql
    }

    /// Its words in small letters, and a `.` or `?` where a sentence ends. What is quoted by back-ticks, a value that
    /// is filled in (`{…}`) and a name of code (`@set`, `some_name`, `a/path.rs`) is `_`.
    fn words(&self) -> Vec<(String, usize)> {
        let mut words = vec![(".".to_owned(), 0)];
        let mut rest = self.chars.iter().copied().peekable();
        let mut before = ' ';
        while let Some((char, line)) = rest.next() {
            let closes = match char {
                '`' => Some('`'),
                '{' if rest.next_if(|(next, _)| *next == '{').is_none() => Some('}'),
                _ => None,
            };
            if let Some(closes) = closes {
                while rest.next_if(|(next, _)| *next != closes).is_some() {}
                rest.next();
                words.push(("_".to_owned(), line));
            } else if char.is_alphanumeric() {
                let mut word = String::from(char);
                let joins = |char: char| char.is_alphanumeric() || "-_'’/:.=".contains(char);
                while let Some((next, _)) = rest.next_if(|(next, _)| joins(*next)) {
                    word.push(next);
                }
                let kept = word.trim_end_matches(|char: char| !char.is_alphanumeric());
                let code = kept.contains(['_', '/', ':', '.', '=']) || "@$-.".contains(before);
                let ends = word[kept.len()..].contains(['.', ':']);
                words.push((if code { "_".to_owned() } else { kept.to_lowercase() }, line));
                if ends {
                    words.push((".".to_owned(), line));
                }
            } else if ".!?:;".contains(char) {
                words.push((if char == '?' { "?" } else { "." }.to_owned(), line));
            } else if char == '\n' && rest.peek().is_some_and(|(next, _)| *next == '\n') {
                words.push((".".to_owned(), line));
            }
            before = char;
        }
        words
    }
}

/// The strings of a Rust source that may be seen, and the modules of it that are compiled for tests alone.
#[derive(Default)]
struct Source {
    texts: Vec<Text>,
    test_modules: BTreeSet<String>,
}

impl Source {
    fn read(&mut self, at: &str, tokens: TokenStream) {
        let mut tokens = tokens.into_iter().peekable();
        let mut skips = false;
        while let Some(token) = tokens.next() {
            match token {
                TokenTree::Punct(punct) if punct.as_char() == '#' => {
                    tokens.next_if(|next| matches!(next, TokenTree::Punct(punct) if punct.as_char() == '!'));
                    let attribute = tokens.next_if(
                        |next| matches!(next, TokenTree::Group(group) if group.delimiter() == Delimiter::Bracket),
                    );
                    let Some(TokenTree::Group(attribute)) = attribute else { continue };
                    let text = attribute.stream().to_string().replace(' ', "");
                    skips |= text == "cfg(test)";
                    // Comments and reasons are for who reads the code; the help of a verb is taken from its command.
                    let of_code =
                        ["doc=", "doc(", "expect(", "allow("].iter().any(|name| text.starts_with(name));
                    if !skips && !of_code {
                        self.read(at, attribute.stream());
                    }
                }
                TokenTree::Ident(word) if skips && word == "mod" => {
                    if let Some(TokenTree::Ident(name)) = tokens.peek() {
                        self.test_modules.insert(name.to_string());
                    }
                }
                TokenTree::Punct(punct) if punct.as_char() == ';' => skips = false,
                TokenTree::Group(group) if skips => skips = group.delimiter() != Delimiter::Brace,
                TokenTree::Group(group) => self.read(at, group.stream()),
                TokenTree::Literal(literal) if !skips => {
                    self.texts.extend(Text::of_literal(at, &literal).filter(Text::is_prose));
                }
                _ => {}
            }
        }
    }
}

/// The strings of every source, without those of modules for tests.
fn sources() -> Vec<Text> {
    let mut paths = Vec::new();
    files("crates", ".rs", &mut paths);
    paths.retain(|path| path.split('/').nth(2) == Some("src"));
    let mut tests = Vec::new();
    let mut texts = Vec::new();
    for path in &paths {
        let mut source = Source::default();
        source.read(path, read(path).parse().unwrap_or_else(|error| panic!("{path}: {error}")));
        let (folder, name) = path.rsplit_once('/').expect("a folder");
        let own = name.trim_end_matches(".rs");
        let below =
            if ["mod", "lib", "main"].contains(&own) { folder.to_owned() } else { format!("{folder}/{own}") };
        tests.extend(source.test_modules.iter().map(|name| format!("{below}/{name}")));
        texts.extend(source.texts);
    }
    let is_test =
        |at: &str| tests.iter().any(|test| at == format!("{test}.rs") || at.starts_with(&format!("{test}/")));
    texts.retain(|text| !is_test(&text.at));
    texts
}

/// The prose of a document: code and the targets of links are blanked, and each line stays where it was.
fn document(path: &str) -> Text {
    let mut fenced = false;
    let mut prose = String::new();
    for line in read(path).lines() {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        if !fenced && !fence {
            let mut parts = line.split("](");
            prose.push_str(parts.next().unwrap_or_default());
            for part in parts {
                prose.push_str(part.split_once(')').map_or("", |(_, after)| after));
            }
        }
        prose.push('\n');
    }
    Text::plain(path, &prose)
}

/// The short and the long help of every verb.
fn helps(command: &mut clap::Command, path: &str, found: &mut Vec<Text>) {
    let path = format!("{path} {}", command.get_name()).trim().to_owned();
    let text = format!("{}\n\n{}", command.render_help(), command.render_long_help());
    found.push(Text::plain(&format!("{path} --help"), &text));
    let below: Vec<String> = command.get_subcommands().map(|below| below.get_name().to_owned()).collect();
    for name in below.iter().filter(|name| *name != "help") {
        helps(command.find_subcommand_mut(name).expect("a verb"), &path, found);
    }
}

fn every_text() -> Vec<Text> {
    let mut texts = sources();
    let mut documents = vec!["README.md".to_owned(), "ARCHITECTURE.md".to_owned()];
    files("docs", ".md", &mut documents);
    texts.extend(documents.iter().map(|path| document(path)));
    let mut command = Cli::command();
    command.build();
    helps(&mut command, "", &mut texts);
    texts
}

/// Where a phrase is found among words: at which, and how many they are.
fn find(words: &[(String, usize)], phrase: &str) -> Vec<(usize, usize)> {
    let phrase: Vec<&str> = phrase.split(' ').collect();
    let same = |word: &str, wanted: &str| word == wanted || (wanted == "*" && ![".", "?"].contains(&word));
    let matches =
        |window: &[(String, usize)]| phrase.iter().zip(window).all(|(wanted, (word, _))| same(word, wanted));
    let places = words.windows(phrase.len()).enumerate().filter(|(_, window)| matches(window));
    let asks = |at: usize| {
        let end = words[at + 1..].iter().find(|(word, _)| word == "." || word == "?");
        phrase[0] == "." && end.is_some_and(|(word, _)| word == "?")
    };
    places.map(|(at, _)| at).filter(|at| !asks(*at)).map(|at| (at, phrase.len())).collect()
}

#[test]
fn texts_are_in_the_words_of_the_field() {
    let mut used = BTreeSet::new();
    let mut wrong = Vec::new();
    for text in every_text() {
        let mut words = text.words();
        for proper in PROPER {
            for (at, length) in find(&words, proper) {
                used.insert(*proper);
                words[at..at + length].iter_mut().for_each(|(word, _)| *word = "_".to_owned());
            }
        }
        for (phrases, instead) in INSTEAD {
            for phrase in *phrases {
                for (at, length) in find(&words, phrase) {
                    let line = words[at + length - 1].1;
                    let near = words[at.saturating_sub(6)..(at + length + 6).min(words.len())].iter();
                    let near: Vec<&str> = near.map(|(word, _)| word.as_str()).collect();
                    wrong.push(format!(
                        "{}:{line}: `{phrase}`: write {instead}  ({})",
                        text.at,
                        near.join(" ")
                    ));
                }
            }
        }
    }
    wrong.extend(
        PROPER
            .iter()
            .filter(|proper| !used.contains(**proper))
            .map(|proper| format!("PROPER has `{proper}`, which is written nowhere any more")),
    );
    assert!(wrong.is_empty(), "{} texts:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn the_words_of_every_kind_of_text_are_seen() {
    let said = |text: &Text, phrase: &str| !find(&text.words(), phrase).is_empty();
    let mut source = Source::default();
    let tokens = r##"
        /// The way of a comment.
        #[error("the way to `{way}` is blocked")]
        struct Way;
        #[expect(dead_code, reason = "the way of a reason")]
        fn f() { g("what \
            passes", r#"the far
            side"#, "SELECT way FROM ways", "in_the/way of.doors"); }
        #[cfg(test)]
        mod tests { const A: &str = "the door of a test"; }
        #[cfg(test)]
        mod laws;
    "##;
    source.read("here", tokens.parse().expect("tokens"));
    let at: Vec<(usize, bool, bool, bool)> = source
        .texts
        .iter()
        .map(|text| (text.chars[0].1, said(text, "way"), said(text, ". what"), said(text, "far side")))
        .collect();
    assert_eq!(at[..3], [(3, true, false, false), (6, false, true, false), (7, false, false, true)]);
    assert!(source.texts.iter().skip(3).all(|text| !said(text, "way") && !said(text, "doors")));
    assert_eq!(source.test_modules, BTreeSet::from(["tests".to_owned(), "laws".to_owned()]));
    assert!(said(&Text::plain("here", "it lets them\nthrough"), "lets * through"));
    assert!(!said(&Text::plain("here", "Done. What is it?"), ". what"));
    assert!(said(&Text::plain("here", "Done. What it is."), ". what"));
    let rooms: Vec<String> = every_text().into_iter().map(|text| text.at).collect();
    for room in [
        "README.md",
        "docs/",
        "crates/doorward/src/web/",
        "crates/doorward-tunnel/src/",
        "doorward open --help",
    ] {
        assert!(rooms.iter().any(|at| at.starts_with(room)), "{room}");
    }
}
