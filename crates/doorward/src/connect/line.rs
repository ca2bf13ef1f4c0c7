//! The line that a person types, or a program reads, to use what was connected.

use std::net::SocketAddr;

use serde::Serialize;

use crate::requests::command;

/// One port that answers on this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    pub target: String,
    /// Where it answers on this machine.
    pub listen: SocketAddr,
    /// The real host, as the far side knows it.
    pub host: String,
    /// The real port.
    pub port: u16,
    /// The port that tells what listens there, where a relay has one of its own.
    #[serde(skip)]
    pub service: u16,
    /// What uses it, for services that everybody knows by their port.
    pub command: Option<String>,
    /// The same with the server's certificate checked against its real name, for a client that can.
    pub verified: Option<String>,
    /// As JDBC has it.
    pub jdbc: Option<String>,
}

/// What uses a service on this machine; of more services than a page tells of.
fn client(service: u16, at: SocketAddr) -> Option<String> {
    let more = || match service {
        80 => Some(format!("curl http://{at}/")),
        1433 => Some(format!("sqlcmd -S {},{}", at.ip(), at.port())),
        27017 => Some(format!("mongosh mongodb://{at}/")),
        _ => None,
    };
    command(service, &at.ip().to_string(), at.port()).or_else(more)
}

/// A place as JDBC has it.
fn jdbc(service: u16, at: SocketAddr) -> Option<String> {
    match service {
        1433 => Some(format!("jdbc:sqlserver://{at}")),
        3306 => Some(format!("jdbc:mysql://{at}/")),
        5432 => Some(format!("jdbc:postgresql://{at}/")),
        _ => None,
    }
}

/// What can be said of a port that answers. `service` is the port that tells what listens there.
pub fn lines(target: &str, listen: SocketAddr, host: &str, port: u16, service: u16) -> Line {
    let named = host.parse::<std::net::IpAddr>().is_err();
    let verified = (named && service == 5432 && service == port).then(|| {
        // libpq compares the certificate with `host` and connects to `hostaddr`.
        format!("psql \"host={host} hostaddr={} port={} sslmode=verify-full\"", listen.ip(), listen.port())
    });
    Line {
        target: target.to_owned(),
        listen,
        host: host.to_owned(),
        port,
        service,
        command: client(service, listen),
        verified,
        jdbc: jdbc(service, listen),
    }
}

/// What a command finds in its environment: of the first line, the names that its client knows; of each, our own.
pub fn environment(lines: &[Line]) -> Vec<(String, String)> {
    let mut variables = Vec::new();
    for line in lines {
        let name: String = line
            .target
            .chars()
            .map(|letter| if letter.is_ascii_alphanumeric() { letter.to_ascii_uppercase() } else { '_' })
            .collect();
        let several = lines.iter().filter(|other| other.target == line.target).count() > 1;
        let name = if several { format!("{name}_{}", line.port) } else { name };
        variables.push((format!("DOORWARD_{name}_HOST"), line.listen.ip().to_string()));
        variables.push((format!("DOORWARD_{name}_PORT"), line.listen.port().to_string()));
    }
    let mut known = |port: u16, host: &str, named: &str| {
        if let Some(line) = lines.iter().find(|line| line.service == port) {
            variables.push((host.to_owned(), line.listen.ip().to_string()));
            variables.push((named.to_owned(), line.listen.port().to_string()));
        }
    };
    known(5432, "PGHOST", "PGPORT");
    known(3306, "MYSQL_HOST", "MYSQL_TCP_PORT");
    known(6379, "REDIS_HOST", "REDIS_PORT");
    variables
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(target: &str, port: u16) -> Line {
        lines(
            target,
            format!("127.0.0.1:{}", 20_000 + port / 10).parse().expect("a place"),
            "10.0.0.7",
            port,
            port,
        )
    }

    #[test]
    fn a_client_is_told_where_to_connect() {
        fn check(port: u16, command: Option<&str>, jdbc: Option<&str>) {
            let line = line("orders-db", port);
            assert_eq!((line.command.as_deref(), line.jdbc.as_deref()), (command, jdbc));
        }
        check(5432, Some("psql --host=127.0.0.1 --port=20543"), Some("jdbc:postgresql://127.0.0.1:20543/"));
        check(3306, Some("mysql --host=127.0.0.1 --port=20330"), Some("jdbc:mysql://127.0.0.1:20330/"));
        check(6379, Some("redis-cli -h 127.0.0.1 -p 20637"), None);
        check(1433, Some("sqlcmd -S 127.0.0.1,20143"), Some("jdbc:sqlserver://127.0.0.1:20143"));
        check(7777, None, None);
    }

    #[test]
    fn a_certificate_is_checked_against_the_real_name() {
        let at = "127.0.0.1:20001".parse().expect("a place");
        let named = lines("orders-db", at, "orders.abc.eu-west-1.rds.amazonaws.com", 5432, 5432);
        let expected = "psql \"host=orders.abc.eu-west-1.rds.amazonaws.com hostaddr=127.0.0.1 port=20001 sslmode=verify-full\"";
        assert_eq!(named.verified.as_deref(), Some(expected));
        assert_eq!(lines("orders-db", at, "10.0.0.7", 5432, 5432).verified, None);
        // The name of a relay is not the name in the database's certificate.
        let relay = lines("orders-db", at, "door.example.org", 15_432, 5432);
        assert_eq!(
            (relay.verified, relay.command.as_deref()),
            (None, Some("psql --host=127.0.0.1 --port=20001"))
        );
    }

    #[test]
    fn a_command_finds_its_place_in_its_environment() {
        let environment = environment(&[line("orders-db", 5432), line("cache", 6379), line("orders-db", 22)]);
        let get =
            |name: &str| environment.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        assert_eq!(get("PGHOST"), Some("127.0.0.1"));
        assert_eq!(get("PGPORT"), Some("20543"));
        assert_eq!(get("REDIS_PORT"), Some("20637"));
        assert_eq!(get("DOORWARD_CACHE_PORT"), Some("20637"));
        assert_eq!(get("DOORWARD_ORDERS_DB_5432_PORT"), Some("20543"));
        assert_eq!(get("DOORWARD_ORDERS_DB_22_PORT"), Some("20002"));
        assert_eq!(get("MYSQL_HOST"), None);
    }
}
