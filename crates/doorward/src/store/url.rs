//! The URL of a store: as SQLite takes it, and as it is shown.

use std::path::Path;

/// SQLite's URL form of a file that exists, since a file that is missing may only have been moved away; in it `?`, `#` and `%` of a path are escaped.
pub(super) fn sqlite_url(path: &Path) -> String {
    let path = path.to_string_lossy().replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    format!("sqlite://{path}?mode=rw")
}

/// The URL of a database without what is secret in it: the password before the `@`, and every parameter whose name, once
/// `%` is undone, speaks of a password or a key. Nothing behind a `?` that is no parameter is shown.
pub(super) fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.into() };
    let (host, user) = match rest.rsplit_once('@') {
        // Whether the `@` ends a password that should have been escaped, or is in a parameter, nobody can tell.
        Some((user, _)) if user.contains(['?', '/']) => return format!("{scheme}://…"),
        Some((user, host)) => (host, Some(user.split(':').next().unwrap_or_default())),
        None => (rest, None),
    };
    let (place, parameters) = match host.split_once('?') {
        Some((place, parameters)) => (place, Some(parameters)),
        None => (host, None),
    };
    let shown = |parameter: &&str| {
        let name = parameter.split_once('=').map(|(name, _)| unescaped(name).to_lowercase());
        // A user without an `@` behind it is a parameter, too.
        name.is_some_and(|name| !["pass", "secret", "key", "token"].iter().any(|word| name.contains(word)))
    };
    let parameters: Vec<&str> = parameters.into_iter().flat_map(|all| all.split('&')).filter(shown).collect();
    let user = user.map(|user| format!("{user}@")).unwrap_or_default();
    let behind = if parameters.is_empty() { String::new() } else { format!("?{}", parameters.join("&")) };
    format!("{scheme}://{user}{place}{behind}")
}

/// A text in which `%XX` is the byte that it stands for.
fn unescaped(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let escaped = (*first == b'%')
            .then(|| behind.get(..2).and_then(|digits| std::str::from_utf8(digits).ok()))
            .flatten()
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(escaped.unwrap_or(*first));
        rest = if escaped.is_some() { behind.get(2..).unwrap_or_default() } else { behind };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_not_shown() {
        assert_eq!(without_password("postgres://jon:s@cret@db/doorward"), "postgres://jon@db/doorward");
        assert_eq!(without_password("postgres://db/doorward"), "postgres://db/doorward");
        let check = |url: &str, expected: &str| {
            let shown = without_password(url);
            assert_eq!(shown, expected, "{url}");
            assert!(!shown.contains("cret"), "{url}: {shown}");
        };
        check("postgres://db/doorward?password=s3cret", "postgres://db/doorward");
        check(
            "postgres://db/doorward?sslmode=require&password=s3cret",
            "postgres://db/doorward?sslmode=require",
        );
        check(
            "postgres://jon@db/doorward?user=jon&PassWord=s3cret&a=b",
            "postgres://jon@db/doorward?user=jon&a=b",
        );
        check("postgres://db/doorward?pass%77ord=s3cret", "postgres://db/doorward");
        check("postgres://db/doorward?sslpassword=s3cret&sslkey=/s3cret", "postgres://db/doorward");
        check("postgres://jon:s3c@ret?x/cret@db/doorward", "postgres://…");
        check("postgres:///doorward?host=/run&s3cret", "postgres:///doorward?host=/run");
        check("postgres://db/x?password=s3@cret", "postgres://…");
        check("postgres://db/x?Password=s3cret@", "postgres://…");
    }
}
