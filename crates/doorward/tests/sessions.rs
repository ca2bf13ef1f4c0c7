//! Whole command-line sessions, which double as the manual: each runs the built program in a folder of its own and
//! is compared with what it should print and leave behind.
//!
//! `TRYCMD=overwrite cargo test --test sessions` writes what it prints now; read the difference before it is kept.

#[test]
fn sessions() {
    let cases = trycmd::TestCases::new();
    cases.register_bin("doorward", trycmd::cargo::cargo_bin!("doorward"));
    // Whoever runs the tests may have a policy of their own.
    cases.env("DOORWARD_POLICY", "doorward.toml").env("COLUMNS", "100");
    cases.case("tests/sessions/*.trycmd").case("tests/sessions/*.toml");
}

/// Every line of the README that asks the examples of this repository is typed as it stands there.
#[test]
fn the_readme_runs_word_for_word() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    let readme = std::fs::read_to_string(format!("{root}/README.md")).expect("the README");
    let folder = tempfile::tempdir().expect("a folder");
    std::os::unix::fs::symlink(format!("{root}/examples"), folder.path().join("examples")).expect("a link");
    let program = std::path::Path::new(trycmd::cargo::cargo_bin!("doorward")).to_owned();
    let path = format!(
        "{}:{}",
        program.parent().expect("a folder").display(),
        std::env::var("PATH").unwrap_or_default()
    );
    let mut typed = 0;
    for line in readme
        .lines()
        .map(str::trim)
        .filter(|line| line.starts_with("doorward ") && line.contains("examples/"))
    {
        let ran = std::process::Command::new("sh")
            .args(["-c", line])
            .current_dir(folder.path())
            .env("PATH", &path)
            .env("DOORWARD_POLICY", "examples/doorward.toml")
            .env("HOME", folder.path())
            .output()
            .expect("a shell");
        let (code, err) = (ran.status.code().unwrap_or(-1), String::from_utf8_lossy(&ran.stderr));
        assert!((0..64).contains(&code) && !err.contains("error:"), "{line}: {code}: {err}");
        typed += 1;
    }
    assert!(typed >= 7, "{typed} lines were typed");
    // What looking takes is told without a policy, too.
    let ran = std::process::Command::new(&program)
        .args(["iam", "--inventory"])
        .current_dir(folder.path())
        .env("DOORWARD_POLICY", "doorward.toml")
        .output()
        .expect("doorward");
    assert!(
        ran.status.success() && String::from_utf8_lossy(&ran.stdout).contains("ec2:DescribeVpcs"),
        "{ran:?}"
    );
}
