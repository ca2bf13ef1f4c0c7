//! The help of every verb on a terminal of 80 columns: no line is wider, and no example is broken.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::process::Command;

use clap::CommandFactory as _;
use doorward::command::Cli;

/// The widest line of a text, in columns.
const COLUMNS: usize = 80;

/// Every verb, with the words that it is typed by.
fn verbs(command: &clap::Command, words: &[String], found: &mut Vec<(Vec<String>, clap::Command)>) {
    found.push((words.to_vec(), command.clone()));
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        verbs(below, &[words, &[below.get_name().to_owned()]].concat(), found);
    }
}

#[test]
fn every_help_fits_a_terminal_of_80_columns() {
    let mut found = Vec::new();
    verbs(&Cli::command(), &[], &mut found);
    assert!(found.len() > 40, "{}", found.len());
    let mut wrong = Vec::new();
    for (words, command) in found {
        for flag in ["-h", "--help"] {
            let output = Command::new(env!("CARGO_BIN_EXE_doorward"))
                .args(&words)
                .arg(flag)
                .env("COLUMNS", COLUMNS.to_string())
                .output()
                .expect("doorward runs");
            assert!(output.status.success(), "{words:?}");
            let help = String::from_utf8_lossy(&output.stdout);
            let typed = format!("doorward {} {flag}", words.join(" "));
            let wide = help.lines().filter(|line| line.chars().count() > COLUMNS);
            wrong.extend(wide.map(|line| format!("{typed}: too wide: {line}")));
            let after = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let whole = |example: &&str| help.lines().any(|line| line == *example);
            let broken = after.lines().filter(|line| line.starts_with("  ")).filter(|line| !whole(line));
            wrong.extend(broken.map(|line| format!("{typed}: broken: {line}")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
