//! Files of known hosts as OpenSSH writes them.

use super::*;

const ED25519: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";
const OTHER: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA6rWI3G1sz07DnfFlrouTcysQlj2P+jpNSOEWD9OJ3X";

/// What is said of the first key by a file, for a host with this name and port.
fn check(file: &str, name: &str, port: u16, expected: Result<Verdict, &str>) {
    let host = Host { names: vec![name.to_owned()], port, instance: None };
    let said =
        KnownHosts::parse(file).verdict(&host.label(), &names(&host), &key(ED25519).unwrap(), "the file");
    match (said, expected) {
        (Ok(verdict), Ok(expected)) => assert_eq!(verdict, expected, "{file}"),
        (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{file}: {error}"),
        (said, expected) => panic!("{file}: {said:?} and not {expected:?}"),
    }
}

#[test]
fn a_host_is_known_by_its_name_and_port() {
    check(&format!("jump {ED25519}"), "jump", 22, Ok(Verdict::Known));
    check(&format!("jump {ED25519} a comment \u{1F511}"), "JUMP", 22, Ok(Verdict::Known));
    check(&format!("  jump,10.0.0.1\t{ED25519}"), "10.0.0.1", 22, Ok(Verdict::Known));
    check(&format!("jump {ED25519}"), "jump", 2222, Ok(Verdict::Unknown));
    check(&format!("[jump]:2222 {ED25519}"), "jump", 2222, Ok(Verdict::Known));
    check(&format!("[2001:db8::1]:2222 {ED25519}"), "2001:db8::1", 2222, Ok(Verdict::Known));
    check(&format!("jumper {ED25519}"), "jump", 22, Ok(Verdict::Unknown));
    check("", "jump", 22, Ok(Verdict::Unknown));
    check("# jump", "jump", 22, Ok(Verdict::Unknown));
}

#[test]
fn another_key_is_refused_with_both_fingerprints() {
    let offered = fingerprint(&key(ED25519).unwrap());
    check(&format!("jump {OTHER}"), "jump", 22, Err(&offered));
    check(&format!("jump {OTHER}"), "jump", 22, Err(&fingerprint(&key(OTHER).unwrap())));
    check(&format!("jump {OTHER}\njump {ED25519}"), "jump", 22, Ok(Verdict::Known));
}

#[test]
fn a_revoked_key_is_refused_although_another_line_knows_it() {
    check(&format!("jump {ED25519}\n@revoked * {ED25519}"), "jump", 22, Err("revoked in the file"));
    check(&format!("@revoked jump {ED25519}"), "jump", 22, Err("revoked"));
    check(&format!("@revoked other {ED25519}\njump {ED25519}"), "jump", 22, Ok(Verdict::Known));
}

#[test]
fn an_authority_is_no_key() {
    check(&format!("@cert-authority * {ED25519}"), "jump", 22, Ok(Verdict::Unknown));
}

#[test]
fn patterns_match_as_those_of_openssh() {
    let known =
        |pattern: &str, name: &str| check(&format!("{pattern} {ED25519}"), name, 22, Ok(Verdict::Known));
    let unknown =
        |pattern: &str, name: &str| check(&format!("{pattern} {ED25519}"), name, 22, Ok(Verdict::Unknown));
    known("*.example.com", "jump.example.com");
    known("*", "jump");
    known("j?mp", "jump");
    known("*a*b*c", "xxaxxbxxbxxc");
    unknown("j?mp", "jmp");
    unknown("*.example.com", "example.com");
    unknown("*.example.com,!jump.example.com", "jump.example.com");
    unknown("!jump.example.com", "other.example.com");
    known("*.example.com,!jump.example.com", "other.example.com");
}

#[test]
fn a_hashed_name_is_found() {
    // As `ssh-keygen -H` wrote `[jump.example.com]:2222` and `10.0.0.1`.
    let key_of = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPP6wd81CkLKrNcOZRrDUyFNqWl91BovyqkjrkaegvvG";
    let file = KnownHosts::parse(&format!(
        "|1|6aJFYvhHETvLQrsLSG7p70D5otc=|dZkYVwYapNb8UFuqOYPx3qvLBs8= {key_of}\n\
         |1|IKSawd3CbYt8mOF8yFxI7ot33qk=|VJjofjZkKSqm8FOFCKDpaotbzXA= {key_of}\n"
    ));
    let known = |name: &str| file.of(&[name.to_owned()]).count();
    assert_eq!(known("[jump.example.com]:2222"), 1);
    assert_eq!(known("10.0.0.1"), 1);
    assert_eq!(known("jump.example.com"), 0);
    assert_eq!(
        fingerprint(&key(key_of).unwrap()),
        "SHA256:IfheMrlM8Sg5nmGYJdtpYP/mzztKIS+Jss3GjJ1vYs8 (ssh-ed25519)"
    );
    check(&format!("|1|no|base64 {ED25519}"), "jump", 22, Ok(Verdict::Unknown));
}
