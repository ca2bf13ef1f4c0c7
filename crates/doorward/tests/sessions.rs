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
