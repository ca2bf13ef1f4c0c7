//! Guards the house: the map, the arrows, core's dependencies, and who may do what.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the repository")
}

fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every Rust file below a folder, with its path from the root and its text without its tests.
fn sources(below: &str) -> Vec<(String, String)> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(&root().join(below), &mut found);
    found.sort();
    found
        .into_iter()
        .map(|path| {
            let text = fs::read_to_string(&path).expect("a file");
            let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default().to_owned();
            let path = path.strip_prefix(root()).expect("below the root").display().to_string();
            (path, code)
        })
        .collect()
}

/// The files among `below` in which one of `words` stands in code, not in a comment.
fn files_with(below: &[&str], words: &[&str]) -> BTreeSet<String> {
    let code = |text: &str| {
        let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        lines.collect::<Vec<_>>().join("\n")
    };
    below
        .iter()
        .flat_map(|below| sources(below))
        .filter(|(_, text)| words.iter().any(|word| code(text).contains(word)))
        .map(|(path, _)| path)
        .collect()
}

/// Files of tests that stand beside the code.
fn is_test(path: &str) -> bool {
    ["/tests.rs", "/laws.rs", "/testing.rs"].iter().any(|name| path.ends_with(name))
        || path.contains("/tests/")
}

#[test]
fn every_path_on_the_map_exists() {
    let map = text("ARCHITECTURE.md");
    let mut seen = 0;
    let mut folders: Vec<(usize, String)> = Vec::new();
    for line in map.split("```").nth(1).expect("the map").lines().filter(|line| !line.trim().is_empty()) {
        let depth = line.len() - line.trim_start().len();
        let name = line.split_whitespace().next().expect("a name");
        folders.retain(|(above, _)| *above < depth);
        let above: String = folders.iter().map(|(_, name)| name.as_str()).collect();
        let path = format!("{above}{name}");
        if name.ends_with('/') {
            folders.push((depth, name.to_owned()));
        }
        assert!(root().join(&path).exists(), "ARCHITECTURE.md names `{path}`, which is not there");
        seen += 1;
    }
    assert!(seen > 20, "the map names only {seen} places");
}

#[test]
fn every_linked_file_exists() {
    for document in ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"] {
        for link in text(document).split("](").skip(1) {
            let link = link.split(')').next().unwrap_or_default();
            let file = link.split('#').next().unwrap_or_default();
            if !file.is_empty() && !file.contains("://") {
                assert!(root().join(file).exists(), "{document} links to `{file}`, which is not there");
            }
        }
    }
}

#[test]
fn the_arrows_point_down() {
    let dependencies = |name: &str| {
        let manifest: toml::Table = text(&format!("crates/{name}/Cargo.toml")).parse().expect("a manifest");
        let table = manifest.get("dependencies").and_then(toml::Value::as_table).expect("dependencies");
        table.keys().cloned().collect::<BTreeSet<String>>()
    };
    let ours = |name: &str| {
        dependencies(name).into_iter().filter(|name| name.starts_with("doorward")).collect::<Vec<_>>()
    };
    assert_eq!(ours("doorward-core"), Vec::<String>::new());
    assert_eq!(ours("doorward-aws"), ["doorward-core"]);
    assert_eq!(ours("doorward-tunnel"), ["doorward-core"]);
    assert_eq!(ours("doorward-picture"), ["doorward-core"]);
    for name in ["doorward-core", "doorward-tunnel", "doorward-picture", "doorward"] {
        let aws: Vec<String> =
            dependencies(name).into_iter().filter(|name| name.starts_with("aws-")).collect();
        assert!(aws.is_empty(), "only doorward-aws speaks to AWS, but {name} depends on {aws:?}");
    }
}

/// The modules of a crate's root that a source names by `crate::`, outside of its tests and comments.
fn modules_named(text: &str) -> BTreeSet<String> {
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let code: String = text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect();
    let mut named = BTreeSet::new();
    for rest in code.split("crate::").skip(1) {
        let Some(group) = rest.strip_prefix('{') else {
            named.extend(rest.split(|letter: char| !is_of_a_name(letter)).next().map(str::to_owned));
            continue;
        };
        // Of `{a, b::{c, d}}` the modules are `a` and `b`.
        let (mut depth, mut name) = (0, String::new());
        for letter in group.chars() {
            match letter {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => {
                    named.insert(
                        std::mem::take(&mut name).split("::").next().unwrap_or_default().trim().into(),
                    );
                }
                letter if depth == 0 => name.push(letter),
                _ => {}
            }
        }
        named.insert(name.split("::").next().unwrap_or_default().trim().into());
    }
    named
}

fn is_of_a_name(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_'
}

#[test]
fn the_modules_of_each_crate_name_each_other_in_one_direction() {
    for name in ["doorward-core", "doorward-aws", "doorward-tunnel", "doorward-picture", "doorward"] {
        let root = format!("crates/{name}/src/");
        let mut names: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (path, text) in sources(&format!("crates/{name}/src")) {
            let Some(inside) = path.strip_prefix(&root).filter(|_| !is_test(&path)) else { continue };
            let module = inside.split('/').next().unwrap_or_default().trim_end_matches(".rs");
            if module != "lib" && module != "main" {
                // What a file at the root calls `super` is the root.
                let text = if inside.contains('/') { text } else { text.replace("super::", "crate::") };
                names.entry(module.to_owned()).or_default().extend(modules_named(&text));
            }
        }
        let modules: BTreeSet<String> = names.keys().cloned().collect();
        for (module, named) in &mut names {
            named.retain(|other| other != module && modules.contains(other));
        }
        assert!(names.values().map(BTreeSet::len).sum::<usize>() > 3, "{name}: {names:?}");
        // What names nothing that is left goes first; a knot is what never goes.
        while let Some(free) =
            names.iter().find(|(_, named)| named.is_empty()).map(|(module, _)| module.clone())
        {
            names.remove(&free);
            names.values_mut().for_each(|named| {
                named.remove(&free);
            });
        }
        assert!(names.is_empty(), "{name}: each of these modules names another one of them: {names:#?}");
    }
}

#[test]
fn core_depends_on_what_is_listed_and_on_nothing_else() {
    let tree = Command::new(env!("CARGO"))
        .args([
            "tree",
            "--package",
            "doorward-core",
            "--edges",
            "normal",
            "--prefix",
            "none",
            "--format",
            "{p}",
            "--locked",
            "--offline",
        ])
        .current_dir(root())
        .output()
        .expect("cargo tree");
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let is: BTreeSet<String> = String::from_utf8_lossy(&tree.stdout)
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "doorward-core")
        .map(str::to_owned)
        .collect();
    let listed = text("crates/doorward-core/dependencies.txt");
    let listed: BTreeSet<String> =
        listed.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect();
    assert_eq!(is, listed, "crates/doorward-core/dependencies.txt lists core's whole tree");
}

#[test]
fn core_has_no_clock_no_disk_no_network_and_no_chance() {
    let words = [
        "Timestamp::now",
        "SystemTime",
        "Instant::now",
        "std::fs",
        "std::process",
        "std::env",
        "TcpStream",
        "TcpListener",
        "UdpSocket",
        "tokio",
        "getrandom",
        "std::thread",
        "async fn",
    ];
    let found = files_with(&["crates/doorward-core/src"], &words);
    let others: Vec<&String> = found.iter().filter(|path| !is_test(path)).collect();
    assert!(others.is_empty(), "{others:?}");
}

#[test]
fn only_a_decision_mints_a_grant() {
    let found = files_with(&["crates/doorward-core/src"], &["Grant::mint("]);
    let others: Vec<&String> = found.iter().filter(|path| !is_test(path)).collect();
    assert_eq!(others, ["crates/doorward-core/src/decision/mod.rs"]);
}

#[test]
fn only_requests_write_grants() {
    let found = files_with(&["crates/doorward/src"], &["Change {", ".commit(&"]);
    let others: Vec<&String> = found
        .iter()
        .filter(|path| !path.starts_with("crates/doorward/src/requests/") && !is_test(path))
        .filter(|path| *path != "crates/doorward/src/store/grants.rs")
        .collect();
    assert!(others.is_empty() && found.len() > 1, "{found:?}");
}

#[test]
fn only_the_printer_prints() {
    let found = files_with(
        &[
            "crates/doorward/src",
            "crates/doorward-aws/src",
            "crates/doorward-tunnel/src",
            "crates/doorward-core/src",
            "crates/doorward-picture/src",
        ],
        &["println!", "print!(", "eprintln!", "eprint!(", "stdout()", "stderr()"],
    );
    let others: Vec<&String> = found
        .iter()
        .filter(|path| {
            // The printer escapes what does not show; these carry bytes of somebody else's as they are.
            let carries = ["printer", "raw_terminal", "shell", "ssh", "proxy_command"];
            !carries.iter().any(|name| **path == format!("crates/doorward/src/command/{name}.rs"))
        })
        // The log, whose lines the same function escapes, and `main`, which asks clap where its own text goes.
        .filter(|path| {
            !["logging", "main"].iter().any(|name| **path == format!("crates/doorward/src/{name}.rs"))
        })
        // A process of its own, whose owner waits for its first line.
        .filter(|path| *path != "crates/doorward-tunnel/src/transparent/watchdog.rs" && !is_test(path))
        .collect();
    assert!(others.is_empty(), "{others:?}");
}

#[test]
fn no_file_is_read_without_a_limit() {
    let sources = ["doorward", "doorward-aws", "doorward-tunnel"].map(|name| format!("crates/{name}/src"));
    let words = ["fs::read(", "fs::read_to_string(", ".read_to_end(", ".read_to_string("];
    let found = files_with(&sources.each_ref().map(String::as_str), &words);
    let bounded = [
        "crates/doorward/src/bounded_file.rs",
        "crates/doorward/src/store/closes.rs",
        "crates/doorward/src/store/unusable.rs",
        // An answer over HTTP, with a limit.
        "crates/doorward/src/command/backend.rs",
        "crates/doorward-aws/src/recorded/files.rs",
        "crates/doorward-tunnel/src/ssh/key_file.rs",
        "crates/doorward-tunnel/src/transparent/watchdog.rs",
        // `/etc/resolv.conf`, which only root writes.
        "crates/doorward-tunnel/src/transparent/names.rs",
    ];
    let others: Vec<&String> =
        found.iter().filter(|path| !is_test(path) && !bounded.contains(&path.as_str())).collect();
    assert!(others.is_empty(), "{others:?}");
}

#[test]
fn every_advisory_that_stands_has_its_reason_and_the_tests_check_the_rest() {
    let deny: toml::Table = text("deny.toml").parse().expect("deny.toml");
    let ignored = deny["advisories"]["ignore"].as_array().expect("a list");
    for advisory in ignored {
        let reason = advisory.get("reason").and_then(toml::Value::as_str).unwrap_or_default();
        assert!(reason.len() > 20, "{advisory} has no reason");
    }
    assert!(ignored.iter().any(|advisory| advisory["id"].as_str() == Some("RUSTSEC-2023-0071")));
    assert!(text("test").contains("\ncheck_dependencies\n"), "`./test` checks the dependencies");
    let command = "cargo deny --offline --locked check licenses bans sources";
    assert!(text(".ci/parts.sh").contains(command), "{command}");
}

#[test]
fn every_file_opens_with_a_sentence() {
    for (path, text) in sources("crates") {
        assert!(text.starts_with("//! "), "{path} does not say what it is");
    }
}

#[test]
fn every_direct_dependency_is_shared_through_the_workspace() {
    for name in ["doorward-core", "doorward-aws", "doorward-tunnel", "doorward-picture", "doorward"] {
        let manifest: toml::Table = text(&format!("crates/{name}/Cargo.toml")).parse().expect("a manifest");
        for kind in ["dependencies", "dev-dependencies"] {
            for (dependency, how) in manifest.get(kind).and_then(toml::Value::as_table).into_iter().flatten()
            {
                let shared = how.get("workspace").and_then(toml::Value::as_bool);
                assert_eq!(shared, Some(true), "{name}: `{dependency}` is not a workspace dependency");
            }
        }
    }
}

/// The names of the types that are public in their module, with the files that declare one.
fn public_types() -> BTreeMap<String, BTreeSet<String>> {
    let mut named: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (path, text) in sources("crates") {
        let is_support = is_test(&path) || path.contains("/laws/") || path.ends_with("_tests.rs");
        if is_support || !path.contains("/src/") {
            continue;
        }
        for line in text.lines() {
            let declares = ["struct", "enum", "trait", "type"]
                .iter()
                .find_map(|word| line.strip_prefix(&format!("pub {word} ")));
            let name = declares.map(|rest| rest.chars().take_while(|letter| is_of_a_name(*letter)).collect());
            if let Some(name) = name {
                named.entry(name).or_default().insert(path.clone());
            }
        }
    }
    named
}

#[test]
fn a_type_name_means_one_thing_or_says_why_not() {
    let listed = text("crates/doorward/tests/shared_names.txt");
    let reasons: BTreeMap<&str, &str> = listed
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
        .map(|line| line.split_once(": ").expect("a name and a reason"))
        .collect();
    let types = public_types();
    assert!(types.len() > 500, "only {} types were found", types.len());
    for (name, files) in &types {
        let is_listed = reasons.contains_key(name.as_str());
        assert!(
            files.len() < 2 || is_listed,
            "`{name}` is a type of each of {files:?}: rename one, or write the reason into shared_names.txt"
        );
        assert!(
            files.len() > 1 || !is_listed,
            "`{name}` is no longer shared: take it out of shared_names.txt"
        );
    }
    let gone: Vec<&str> = reasons.into_keys().filter(|name| !types.contains_key(*name)).collect();
    assert!(gone.is_empty(), "there is no type of these names: {gone:?}");
}

#[test]
fn every_public_item_of_a_library_has_a_sentence() {
    let mut seen = 0;
    for (path, text) in sources("crates") {
        let is_library = path.contains("/src/") && !path.starts_with("crates/doorward/");
        let is_support = is_test(&path) || path.contains("/laws/") || path.ends_with("_tests.rs");
        if !is_library || is_support || path.ends_with("/examples.rs") {
            continue;
        }
        let mut documented = false;
        for (number, line) in (1..).zip(text.lines()) {
            let item = ["struct", "enum", "trait", "type", "fn", "async fn", "const fn", "const"];
            if item.iter().any(|word| line.starts_with(&format!("pub {word} "))) {
                assert!(documented, "{path}:{number} has no comment: {line}");
                seen += 1;
            }
            // Attributes, also those of several lines, may stand between.
            let stays = line.starts_with('#') || line.starts_with([' ', ')', ']']);
            documented = line.starts_with("///") || (documented && stays);
        }
    }
    assert!(seen > 500, "only {seen} items were found");
}
