//! How a database's client is told to sign in by IAM: only where it checks to whom it gives the password.
//!
//! Such a password is whoever's gets it, for 15 minutes. libpq checks the certificate against the real name while it
//! connects to a local port, where `PGHOST` and `PGHOSTADDR` differ (PostgreSQL manual, "Parameter Key Words"). MySQL's and
//! MariaDB's clients compare the certificate with what they connect to, which is this machine, and no variable of the
//! environment demands that they check it at all; so they get no password.

use std::path::{Path, PathBuf};

use super::Line;

/// Where MySQL listens.
const MYSQL: u16 = 3306;

/// Where PostgreSQL listens.
const POSTGRES: u16 = 5432;

/// Under which names databases of AWS answer, whose certificates are of RDS' own authorities.
const RDS: [&str; 2] = [".rds.amazonaws.com", ".rds.amazonaws.com.cn"];

/// In its name, a proxy's certificate is of Amazon's public authorities (RDS user guide, "Using TLS/SSL with RDS Proxy").
const PROXY: &str = ".proxy-";

/// Where the authorities of RDS are looked for below a folder: libpq's own file, and the bundle by its name at AWS.
const OWN_FILES: [&str; 3] =
    [".postgresql/root.crt", ".config/doorward/global-bundle.pem", ".aws/global-bundle.pem"];
const FILES: [&str; 5] = [
    "/etc/doorward/global-bundle.pem",
    "/etc/ssl/certs/global-bundle.pem",
    "/etc/ssl/rds/global-bundle.pem",
    "/etc/pki/rds/global-bundle.pem",
    "/usr/local/share/ca-certificates/global-bundle.pem",
];

/// Why a client gets no password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unverified {
    /// Its clients check the wrong name, or nothing.
    #[error("a MySQL client on a local port cannot verify that `{host}` receives the password")]
    MySql {
        /// The real host.
        host: String,
    },
    /// No authority to check with.
    #[error(
        "the certificate authorities of `{host}` are not on this machine, so the server cannot be verified"
    )]
    NoRoots {
        /// The real host.
        host: String,
    },
    /// Nothing that is signed in to.
    #[error("none of its ports is the port of a database")]
    NoDatabase,
}

impl Unverified {
    /// What to do instead.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::MySql { .. } => {
                "route the network with `--range`, connect to its own name with `--ssl-mode=VERIFY_IDENTITY`, and use \
                 the password of `doorward token`"
            }
            Self::NoRoots { .. } => {
                "save https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem as ~/.postgresql/root.crt, or \
                 name another file in PGSSLROOTCERT"
            }
            Self::NoDatabase => "`--iam` is for PostgreSQL",
        }
    }
}

/// The one of these lines that a client is signed in at: the one that its environment names.
pub fn line(lines: &[Line]) -> Result<&Line, Unverified> {
    let postgres = lines.iter().find(|line| line.port == POSTGRES);
    if let Some(line) = postgres.or_else(|| lines.iter().find(|line| line.port != MYSQL)) {
        return Ok(line);
    }
    let first = lines.first().ok_or(Unverified::NoDatabase)?;
    Err(Unverified::MySql { host: first.host.clone() })
}

/// Where the authorities of a host are: a file, or `system`; none where they are not on this machine.
///
/// `named` is what the environment names already.
pub fn roots(
    host: &str,
    named: Option<&str>,
    home: Option<&Path>,
    is_file: impl Fn(&Path) -> bool,
) -> Option<String> {
    let named = named.filter(|named| !named.is_empty());
    if let Some(named) = named {
        return (named == "system" || is_file(Path::new(named))).then(|| named.to_owned());
    }
    let own = OWN_FILES.iter().filter_map(|file| Some(home?.join(file)));
    let found = own.chain(FILES.iter().map(PathBuf::from)).find(|file| is_file(file));
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let of_rds = RDS.iter().any(|suffix| host.ends_with(suffix)) && !host.contains(PROXY);
    match found {
        Some(file) if of_rds => Some(file.to_string_lossy().into_owned()),
        None if of_rds => None,
        _ => Some("system".to_owned()),
    }
}

/// What the environment of a client says: the real name, the local port, and that both must be the same server.
pub fn environment(line: &Line, user: &str, token: String, roots: &str) -> Vec<(String, String)> {
    let pairs = [
        ("PGHOST", line.host.clone()),
        ("PGHOSTADDR", line.listen.ip().to_string()),
        ("PGPORT", line.listen.port().to_string()),
        ("PGUSER", user.to_owned()),
        ("PGPASSWORD", token),
        ("PGSSLMODE", "verify-full".to_owned()),
        ("PGSSLROOTCERT", roots.to_owned()),
        // Nor is Kerberos' encryption taken in the place of TLS.
        ("PGGSSENCMODE", "disable".to_owned()),
    ];
    pairs.map(|(name, value)| (name.to_owned(), value)).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connect::lines;

    const HOST: &str = "orders.abc.eu-west-1.rds.amazonaws.com";

    fn at(port: u16) -> Line {
        lines("orders-db", "127.0.0.1:20543".parse().expect("a place"), HOST, port, port)
    }

    #[test]
    fn a_password_is_for_the_real_name_over_verified_tls() {
        let found = environment(&at(5432), "jon", "token".into(), "/r.pem");
        let get = |name: &str| found.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        assert_eq!(get("PGHOST"), Some(HOST));
        assert_eq!((get("PGHOSTADDR"), get("PGPORT")), (Some("127.0.0.1"), Some("20543")));
        assert_eq!((get("PGSSLMODE"), get("PGSSLROOTCERT")), (Some("verify-full"), Some("/r.pem")));
        assert_eq!(get("PGPASSWORD"), Some("token"));
    }

    #[test]
    fn roots_are_those_of_rds_and_nothing_stands_for_them() {
        let check = |host: &str, named: Option<&str>, files: &[&str], expected: Option<&str>| {
            let is_file = |path: &Path| files.iter().any(|file| Path::new(file) == path);
            let found = roots(host, named, Some(Path::new("/home/jon")), is_file);
            assert_eq!(found.as_deref(), expected, "{host} {named:?} {files:?}");
        };
        check(HOST, None, &[], None);
        check(HOST, None, &["/home/jon/.postgresql/root.crt"], Some("/home/jon/.postgresql/root.crt"));
        check(HOST, None, &["/etc/ssl/certs/global-bundle.pem"], Some("/etc/ssl/certs/global-bundle.pem"));
        check(HOST, Some("/r.pem"), &["/r.pem"], Some("/r.pem"));
        check(HOST, Some("/gone.pem"), &["/home/jon/.postgresql/root.crt"], None);
        check(HOST, Some("system"), &[], Some("system"));
        check("ORDERS.abc.eu-west-1.rds.amazonaws.com.", None, &[], None);
        check("pool.proxy-abc.eu-west-1.rds.amazonaws.com", None, &[], Some("system"));
        check("orders.example.org", None, &[], Some("system"));
    }

    #[test]
    fn a_client_that_cannot_check_gets_no_password() {
        assert_eq!(line(&[at(3306)]), Err(Unverified::MySql { host: HOST.into() }));
        assert_eq!(line(&[]), Err(Unverified::NoDatabase));
        assert_eq!(line(&[at(3306), at(5432)]).map(|line| line.port), Ok(5432));
        assert_eq!(line(&[at(5433)]).map(|line| line.port), Ok(5433));
    }
}
