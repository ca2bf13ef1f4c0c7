//! What helps to type: `--help` of every verb, completions that shells accept, pages that `man` reads.

use std::fs;
use std::process::{Command, Stdio};

use libtest_mimic::{Failed, Trial};

use crate::desk::{Said, said};
use crate::need::{find, trial};

pub fn trials() -> Vec<Trial> {
    vec![
        trial("manual: every verb has examples", &[], examples),
        trial("manual: shells accept the completions", &[], completions),
        trial("manual: a page for every verb, without a warning of `man`", &[], pages),
    ]
}

fn doorward(words: &[&str]) -> Said {
    let output = Command::new(env!("CARGO_BIN_EXE_doorward")).args(words).stdin(Stdio::null()).output();
    said(output.expect("doorward runs"))
}

/// Every verb with its verbs below, as `--help` lists them; the program itself is the first, without words.
fn verbs() -> Vec<Vec<String>> {
    let mut found = vec![Vec::new()];
    let mut next = 0;
    while let Some(words) = found.get(next).cloned() {
        next += 1;
        let mut asked: Vec<&str> = words.iter().map(String::as_str).collect();
        asked.push("--help");
        let help = doorward(&asked);
        help.is(0, &["Usage: doorward"], &[]);
        // The program lists its verbs under several headings, each other verb those below it under one.
        let headings: &[&str] = match words.is_empty() {
            true => &["People:", "Connect:", "Account:", "Server:"],
            false => &["Commands:"],
        };
        let under = headings.iter().flat_map(|heading| {
            let lines = help.out.lines().skip_while(move |line| line != heading);
            lines.skip(1).take_while(|line| line.starts_with("  "))
        });
        for line in under {
            // A summary that goes on in the next line begins farther to the right.
            let verb = line.strip_prefix("  ").filter(|line| !line.starts_with(' '));
            if let Some(verb) =
                verb.and_then(|line| line.split([' ', ',']).next()).filter(|verb| *verb != "help")
            {
                found.push([words.clone(), vec![verb.to_owned()]].concat());
            }
        }
    }
    found
}

fn examples() -> Result<(), Failed> {
    let verbs = verbs();
    assert!(verbs.len() > 20, "{verbs:?}");
    for words in verbs {
        let asked: Vec<&str> = words.iter().map(String::as_str).chain(["--help"]).collect();
        let help = doorward(&asked).out;
        let shown =
            help.split("Examples:\n").nth(1).ok_or_else(|| format!("no examples in {asked:?}: {help}"))?;
        let line = shown.lines().next().unwrap_or_default();
        let typed = format!("doorward {}", words.join(" "));
        assert!(shown.contains(typed.trim_end()), "the examples of {asked:?} do not show it: {shown}");
        assert!(line.starts_with("  "), "{line}");
    }
    doorward(&[]).is(64, &[], &["Usage: doorward"]);
    doorward(&["opne"]).is(64, &[], &["some similar subcommands exist: 'connect', 'open'"]);
    doorward(&["open"]).is(64, &[], &["<TARGET>"]);
    doorward(&["--version"]).is(0, &["doorward 0."], &[]);
    Ok(())
}

fn completions() -> Result<(), Failed> {
    for shell in ["bash", "zsh", "fish"] {
        let made = doorward(&["completions", shell]);
        assert_eq!((made.code, made.err.as_str()), (0, ""), "{shell}");
        for verb in ["open", "approve", "sweep", "detach"] {
            assert!(made.out.contains(verb), "{shell} does not know {verb}");
        }
        // A shell that is not here is not asked.
        let Some(program) = find(shell) else { continue };
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("completions");
        fs::write(&file, &made.out)?;
        said(Command::new(program).arg("-n").arg(&file).output()?).is(0, &[], &[]);
    }
    // What is offered behind `doorward o` in bash.
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("completions");
    fs::write(&file, doorward(&["completions", "bash"]).out)?;
    let script = "source \"$0\"; COMP_WORDS=(doorward o) COMP_CWORD=1; _doorward doorward o doorward; echo \"${COMPREPLY[*]}\"";
    let offered = said(Command::new("bash").args(["-c", script]).arg(&file).output()?);
    assert_eq!(offered.out, "open\n", "{offered:?}");
    doorward(&["completions", "cobol"]).is(64, &[], &["invalid value 'cobol'"]);
    Ok(())
}

fn pages() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let into = folder.path().join("man").join("man1");
    let path = into.to_str().ok_or("a path")?;
    doorward(&["manual", path]).is(0, &[], &[]);
    let again = doorward(&["manual", path]);
    again.is(0, &[], &[]);
    for words in verbs() {
        let name = [&["doorward".to_owned()], words.as_slice()].concat().join("-");
        let page = into.join(format!("{name}.1"));
        let text = fs::read_to_string(&page).map_err(|error| format!("{name}: {error}"))?;
        assert!(text.contains(".SH NAME") && text.contains("Examples:"), "{name}: {text}");
        if let Some(man) = find("man") {
            let mut command = Command::new(man);
            command
                .args(["--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z"])
                .arg(&page)
                .env("LC_ALL", "C.UTF-8");
            let shown = said(command.output()?);
            assert_eq!((shown.code, shown.err.as_str()), (0, ""), "{name}");
        }
    }
    let file = folder.path().join("file");
    fs::write(&file, "")?;
    let refused = doorward(&["manual", file.to_str().ok_or("a path")?]);
    refused.is(
        73,
        &[],
        &[&format!("error: cannot write the manual pages to `{}`\ncaused by: ", file.display())],
    );
    Ok(())
}
