//! A small name server, and a client that asks as nobody's library would.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

use doorward_tunnel::transparent::Query;

use crate::probe::{outcome, say};

/// Answers every name with one address (or as many as `many.…` needs to be long), but those below `gone` with NXDOMAIN
/// and those below `broken` never. Says every question.
pub fn serve(address: &str, says: &str) {
    let says: [u8; 4] = says.parse::<std::net::Ipv4Addr>().expect("an address").octets();
    let (listener, socket) =
        (TcpListener::bind(address).expect("tcp"), UdpSocket::bind(address).expect("udp"));
    say("listens");
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || serve_connection(stream, says));
        }
    });
    let mut question = [0; 4096];
    while let Ok((length, from)) = socket.recv_from(&mut question) {
        if let Some(answer) = answer(&question[..length], says) {
            say(&format!("udp {}", name(&question[..length])));
            let _ = socket.send_to(&answer, from);
        }
    }
}

/// Hands the answers out in pairs, the second question's first, where two come at once.
fn serve_connection(mut stream: TcpStream, says: [u8; 4]) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut length = [0; 2];
    loop {
        stream.read_exact(&mut length)?;
        let mut question = vec![0; usize::from(u16::from_be_bytes(length))];
        stream.read_exact(&mut question)?;
        say(&format!("tcp {}", name(&question)));
        if let Some(answer) = answer(&question, says) {
            stream.write_all(
                &[&u16::try_from(answer.len()).expect("short").to_be_bytes()[..], &answer].concat(),
            )?;
        }
    }
}

fn name(question: &[u8]) -> String {
    let mut at = 12;
    let mut labels = Vec::new();
    while question[at] != 0 {
        let length = usize::from(question[at]);
        labels.push(String::from_utf8_lossy(&question[at + 1..at + 1 + length]).into_owned());
        at += 1 + length;
    }
    labels.join(".")
}

fn answer(question: &[u8], says: [u8; 4]) -> Option<Vec<u8>> {
    Query::read(question).ok()?;
    let name = name(question);
    let labels: Vec<&str> = name.split('.').collect();
    let end = 12 + name.len() + 2 + 4;
    let is_a = question[end - 4..end - 2] == [0, 1];
    let count: u16 = match labels[0] {
        "broken" => return None,
        _ if !is_a || labels.contains(&"gone") => 0,
        "many" => 60,
        _ => 1,
    };
    let code = if labels.contains(&"gone") { 3 } else { 0 };
    let mut answer = question[..2].to_vec();
    answer.extend([0x85, 0x80 | code, 0, 1]);
    answer.extend(count.to_be_bytes());
    answer.extend([0, 0, 0, 0]);
    answer.extend(&question[12..end]);
    for number in 0..count {
        answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
        answer.extend([says[0], says[1], says[2], says[3].wrapping_add(u8::try_from(number).expect("few"))]);
    }
    Some(answer)
}

/// Asks a server by `udp` or `tcp`; the answer's code, how many records it has, and whether it was cut short.
pub fn query(by: &str, server: &str, name: &str, size: &str) -> String {
    let server: SocketAddr = server.parse().expect("an address");
    match asked(by, server, &question(name, size.parse().expect("a number"))) {
        Ok(answer) if answer.len() >= 12 && answer[..2] == [0xab, 0xcd] => {
            let code = match answer[3] & 15 {
                0 => "NOERROR",
                2 => "SERVFAIL",
                3 => "NXDOMAIN",
                _ => "another code",
            };
            let short = if answer[2] & 2 != 0 { " truncated" } else { "" };
            format!("{code} {}{short}", u16::from_be_bytes([answer[6], answer[7]]))
        }
        Ok(answer) => format!("no answer but {answer:?}"),
        Err(error) => outcome(Err(error)),
    }
}

fn question(name: &str, size: u16) -> Vec<u8> {
    let mut question = vec![0xab, 0xcd, 1, 0, 0, 1, 0, 0, 0, 0, 0, u8::from(size > 0)];
    for label in name.split('.') {
        question.push(u8::try_from(label.len()).expect("a label"));
        question.extend(label.as_bytes());
    }
    question.extend([0, 0, 1, 0, 1]);
    if size > 0 {
        question.extend([0, 0, 41]);
        question.extend(size.to_be_bytes());
        question.extend([0; 6]);
    }
    question
}

fn asked(by: &str, server: SocketAddr, question: &[u8]) -> io::Result<Vec<u8>> {
    let limit = Some(Duration::from_secs(8));
    if by == "udp" {
        let any = if server.is_ipv6() { "[::]:0" } else { "0.0.0.0:0" };
        let socket = UdpSocket::bind(any)?;
        socket.connect(server)?;
        socket.set_read_timeout(limit)?;
        socket.send(question)?;
        let mut answer = vec![0; 65_535];
        let length = socket.recv(&mut answer)?;
        answer.truncate(length);
        return Ok(answer);
    }
    let mut stream = TcpStream::connect_timeout(&server, Duration::from_secs(5))?;
    stream.set_read_timeout(limit)?;
    stream
        .write_all(&[&u16::try_from(question.len()).expect("short").to_be_bytes()[..], question].concat())?;
    let mut length = [0; 2];
    stream.read_exact(&mut length)?;
    let mut answer = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut answer)?;
    Ok(answer)
}
