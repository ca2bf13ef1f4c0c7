//! A failure as it is reported: what failed, why, and what to type next.

use std::error::Error;
use std::io;
use std::process::ExitCode;

use serde::Serialize;

use super::note;
use super::printer::line;
use crate::people::edit::FileError;
use crate::people::password::PasswordError;
use crate::policy_file::LoadError;
use crate::{running, store};

/// How the program ends: 1 and 2 are answers, from 64 on as in `sysexits.h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// The policy denies it, or a check failed.
    No = 1,
    /// An approval is required first.
    Waiting = 2,
    /// The command line is wrong.
    Usage = 64,
    /// What was read is wrong.
    Data = 65,
    /// A file is not there.
    NoInput = 66,
    /// AWS, a server or a firewall did not respond, or returned an error.
    Unavailable = 69,
    /// An internal error of Doorward.
    Internal = 70,
    /// A file cannot be made.
    CannotCreate = 73,
    /// A file cannot be read or written.
    Io = 74,
    /// Permission is denied.
    NoPermission = 77,
    /// Ctrl-C, as shells say it.
    Interrupted = 130,
}

impl From<Code> for ExitCode {
    fn from(code: Code) -> Self {
        Self::from(code as u8)
    }
}

impl Code {
    /// That of a failure to read or write.
    pub fn of_io(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::IsADirectory => Self::NoInput,
            io::ErrorKind::PermissionDenied => Self::NoPermission,
            _ => Self::Io,
        }
    }
}

/// Why a command did not do what it was asked.
#[derive(Debug)]
pub struct Failure {
    /// Lines that come first, like the errors of a file.
    details: Vec<String>,
    /// What failed, and below it why, and why that.
    chain: Vec<String>,
    hint: Option<String>,
    code: Code,
}

/// A failure as JSON.
#[derive(Debug, Serialize)]
pub struct FailureView<'a> {
    what: &'a str,
    causes: &'a [String],
    details: &'a [String],
    hint: Option<&'a str>,
    exit_code: u8,
}

impl Failure {
    /// A failure and the code to end with.
    pub fn new(code: Code, what: impl Into<String>) -> Self {
        Self { details: Vec::new(), chain: vec![what.into()], hint: None, code }
    }

    /// An error and all that caused it.
    pub fn of(code: Code, error: &dyn Error) -> Self {
        let failure = Self::new(code, error.to_string());
        match error.source() {
            Some(source) => failure.because(source),
            None => failure,
        }
    }

    /// That of a store: one that answers in another form than ours is not as it should be, one that does not answer is not known.
    pub fn of_store(error: &store::Error) -> Self {
        let code = if matches!(error, store::Error::Altered(_)) { Code::No } else { Code::Io };
        Self::of(code, error).hint_of(error.hint())
    }

    /// For `map_err`.
    pub fn with<E: Error>(code: Code) -> impl Fn(E) -> Self {
        move |error| Self::of(code, &error)
    }

    /// What was being done when it failed.
    #[must_use]
    pub fn context(mut self, what: impl Into<String>) -> Self {
        self.chain.insert(0, what.into());
        self
    }

    /// Adds an error, and all that caused it, as the cause.
    #[must_use]
    pub fn because(mut self, error: &dyn Error) -> Self {
        let mut next = Some(error);
        while let Some(error) = next {
            self.chain.push(error.to_string());
            next = error.source();
        }
        self
    }

    /// What to type next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// What to type next, where that is known.
    #[must_use]
    pub fn hint_of(self, hint: Option<impl Into<String>>) -> Self {
        match hint {
            Some(hint) => self.hint(hint),
            None => self,
        }
    }

    /// What failed and why, in one line.
    pub fn words(&self) -> String {
        self.chain.join(": ")
    }

    /// What to type next, where that is known.
    pub fn what_next(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// The same for programs.
    pub fn view(&self) -> FailureView<'_> {
        let (what, causes) =
            self.chain.split_first().map_or(("", [].as_slice()), |(what, causes)| (what, causes));
        FailureView {
            what,
            causes,
            details: &self.details,
            hint: self.hint.as_deref(),
            exit_code: self.code as u8,
        }
    }

    /// How the command ends.
    pub fn code(&self) -> Code {
        self.code
    }

    /// Lines to print before.
    #[must_use]
    pub fn details(mut self, lines: impl IntoIterator<Item = impl ToString>) -> Self {
        self.details.extend(lines.into_iter().map(|line| line.to_string()));
        self
    }

    /// Prints it to the standard error, and says how to end.
    pub fn report(self) -> ExitCode {
        for line in &self.details {
            note(line);
        }
        // One line each: what others wrote, which an error quotes, begins none of its own.
        let mut chain = self.chain.iter();
        if let Some(what) = chain.next() {
            note(&line(&format!("error: {what}")));
        }
        for cause in chain {
            note(&line(&format!("caused by: {cause}")));
        }
        if let Some(hint) = &self.hint {
            note(&line(&format!("hint: {hint}")));
        }
        self.code.into()
    }
}

impl From<LoadError> for Failure {
    fn from(error: LoadError) -> Self {
        match &error {
            LoadError::Unreadable { source, .. } => {
                let failure = Self::of(Code::of_io(source), &error);
                if source.kind() == io::ErrorKind::NotFound {
                    failure.hint("name the policy file with `--policy FILE` or the variable DOORWARD_POLICY")
                } else {
                    failure
                }
            }
            LoadError::Mistakes { mistakes, .. } => {
                Self::of(Code::Data, &error).details(mistakes).hint("fix them, then run `doorward check`")
            }
        }
    }
}

impl From<running::Error> for Failure {
    fn from(error: running::Error) -> Self {
        match &error {
            running::Error::Store(error) => Self::of_store(error),
            _ => Self::of(Code::Io, &error).hint_of(error.hint()),
        }
    }
}

impl From<FileError> for Failure {
    fn from(error: FileError) -> Self {
        match &error {
            FileError::Unreadable { source, .. } => Self::of(Code::of_io(source), &error),
            FileError::Unwritable { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                Self::of(Code::NoPermission, &error)
            }
            FileError::Unwritable { .. } => Self::of(Code::CannotCreate, &error),
            FileError::NotTheOwner { .. } => {
                Self::of(Code::NoPermission, &error).hint("run this as the file's owner, or as root")
            }
            FileError::Mistakes { mistakes, .. } => Self::of(Code::Data, &error).details(mistakes),
            FileError::There { person, .. } => Self::of(Code::Data, &error)
                .hint(format!("`doorward user passwd {person}` sets a new password")),
            FileError::NoPerson { meant: Some(meant), .. }
            | FileError::NoGroup { meant: Some(meant), .. } => {
                Self::of(Code::Data, &error).hint(format!("did you mean `{meant}`?"))
            }
            FileError::NoPerson { .. } => {
                Self::of(Code::Data, &error).hint("`doorward user list` lists the people")
            }
            FileError::NoGroup { group, .. } => Self::of(Code::Data, &error)
                .hint(format!("`doorward group add --new {group} PERSON` creates it")),
            FileError::GroupThere { .. } => Self::of(Code::Data, &error).hint("leave out `--new`"),
            FileError::Name(_) | FileError::Changed { .. } => Self::of(Code::Data, &error),
        }
    }
}

impl From<PasswordError> for Failure {
    fn from(error: PasswordError) -> Self {
        let code = match error {
            PasswordError::NoRandom(_) => Code::Internal,
            PasswordError::Weak(_) => Code::Data,
        };
        Self::of(code, &error)
    }
}
