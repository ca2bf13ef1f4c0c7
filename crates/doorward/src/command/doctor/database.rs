//! Asks what listens on a port whether it is the database that the port is for, and whether it offers TLS.

use std::io;

use doorward_tunnel::dial::BoxedStream;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The database, and it offers TLS.
    Tls { what: &'static str },
    /// The database, without TLS.
    Plain { what: &'static str },
    /// Something that accepts connections, and is not asked further.
    Other,
    /// It accepts connections and says nothing that it should.
    Silent,
}

/// PostgreSQL's SSLRequest (PostgreSQL manual, message formats): its length, and 80877103.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

/// In the capabilities of MySQL's greeting (MySQL internals, `CLIENT_SSL`).
const CLIENT_SSL: u8 = 0x08;

/// Asks by the port.
pub async fn ask(mut stream: BoxedStream, port: u16) -> io::Result<Answer> {
    match port {
        5432 => {
            stream.write_all(&SSL_REQUEST).await?;
            stream.flush().await?;
            let mut answer = [0; 1];
            let read = stream.read(&mut answer).await?;
            Ok(match answer.first().filter(|_| read == 1) {
                Some(b'S') => Answer::Tls { what: "PostgreSQL" },
                Some(b'N') => Answer::Plain { what: "PostgreSQL" },
                _ => Answer::Silent,
            })
        }
        3306 => {
            let mut greeting = vec![0; 512];
            let read = stream.read(&mut greeting).await?;
            Ok(my_sql(greeting.get(..read).unwrap_or_default()))
        }
        6379 => {
            stream.write_all(b"PING\r\n").await?;
            stream.flush().await?;
            let mut answer = [0; 64];
            let read = stream.read(&mut answer).await?;
            // `+PONG`, or an error such as that it wants a password; TLS alone answers nothing that is text.
            Ok(match answer.get(..read).and_then(|said| said.first()) {
                Some(b'+' | b'-') => Answer::Plain { what: "Redis" },
                _ => Answer::Tls { what: "Redis, which speaks TLS alone" },
            })
        }
        _ => Ok(Answer::Other),
    }
}

/// Reads MySQL's greeting: a header of four bytes, version 10, its name up to a zero, the thread, eight bytes of salt,
/// a zero, and the lower capabilities.
fn my_sql(greeting: &[u8]) -> Answer {
    let Some((10, rest)) = greeting.get(4..).and_then(<[u8]>::split_first) else { return Answer::Silent };
    let Some(end) = rest.iter().position(|byte| *byte == 0) else { return Answer::Silent };
    match rest.get(end + 1 + 4 + 8 + 1 + 1) {
        Some(high) if high & CLIENT_SSL != 0 => Answer::Tls { what: "MySQL" },
        Some(_) => Answer::Plain { what: "MySQL" },
        None => Answer::Silent,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_greeting_of_mysql_says_whether_there_is_tls() {
        let greeting = |high: u8| {
            let mut bytes = vec![74, 0, 0, 0, 10];
            bytes.extend(b"8.0.39\0");
            bytes.extend([1, 0, 0, 0]);
            bytes.extend([7; 8]);
            bytes.push(0);
            bytes.extend([0xff, high]);
            bytes
        };
        assert_eq!(my_sql(&greeting(0xff)), Answer::Tls { what: "MySQL" });
        assert_eq!(my_sql(&greeting(0xf7)), Answer::Plain { what: "MySQL" });
        assert_eq!(my_sql(b"HTTP/1.1 400"), Answer::Silent);
        assert_eq!(my_sql(b""), Answer::Silent);
    }
}
