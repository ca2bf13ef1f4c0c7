//! `doorward completions` and `doorward manual`: what shells and `man` read.

use clap::{Args, CommandFactory};

use super::{Cli, Code, Failure};

/// Print shell completions
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  doorward completions bash > /etc/bash_completion.d/doorward
  doorward completions zsh > \"${fpath[1]}/_doorward\"
  doorward completions fish > ~/.config/fish/completions/doorward.fish")]
pub struct Completions {
    /// The shell
    shell: clap_complete::Shell,
}

impl Completions {
    pub fn run(self) -> Result<(), Failure> {
        let mut text = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "doorward", &mut text);
        super::print(&String::from_utf8_lossy(&text))
    }
}

/// Write the manual pages into a folder
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  doorward manual /usr/local/share/man/man1 && man doorward-open")]
pub struct Manual {
    /// The folder
    folder: std::path::PathBuf,
}

impl Manual {
    /// Writes a page for each verb.
    pub fn run(self) -> Result<(), Failure> {
        let failed = |error| {
            Failure::of(Code::CannotCreate, &error)
                .context(format!("cannot write the manual pages to `{}`", self.folder.display()))
        };
        std::fs::create_dir_all(&self.folder).map_err(failed)?;
        clap_mangen::generate_to(Cli::command(), &self.folder).map_err(failed)
    }
}
