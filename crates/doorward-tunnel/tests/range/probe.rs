//! The far ends of a test: this program started again inside a namespace, as a small server or client.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, ToSocketAddrs as _, UdpSocket};
use std::os::fd::{FromRawFd as _, OwnedFd};
use std::time::{Duration, Instant};

/// The environment variable that names the verb.
pub use parts::netns::VERB;

/// Does what [`VERB`] says, if it says anything.
pub fn run() -> bool {
    let Ok(verb) = std::env::var(VERB) else { return false };
    let words: Vec<&str> = verb.split(' ').collect();
    match *words.as_slice() {
        ["echo", address] => echo(address),
        ["answer", address] => answer(address),
        ["relay", address] => crate::owner::relay(address),
        ["resolver", address, says] => crate::resolver::serve(address, says),
        ["own", ..] => crate::owner::own(&words[1..]),
        ["try", address] => say(&outcome(connect(address).map(drop))),
        ["ask", address] => timed(|| outcome(ask(address))),
        ["ping", address] => timed(|| outcome(ping(address))),
        ["met", address] => timed(|| outcome(met(address))),
        ["carry", address, bytes] => say(&carry(address, bytes.parse().expect("a number"))),
        ["many", addresses, count] => many(addresses, count.parse().expect("a number")),
        ["talk", address] => talk(address),
        ["resolve", name] => timed(|| resolve(name)),
        ["query", by, server, name, size] => timed(|| crate::resolver::query(by, server, name, size)),
        _ => say(&format!("no verb {verb:?}")),
    }
    true
}

/// Says a line.
pub fn say(text: &str) {
    let mut stdout = io::stdout().lock();
    let _ = writeln!(stdout, "{text}");
    let _ = stdout.flush();
}

/// Says what happened, and `quickly` or `slowly`.
fn timed(what: impl FnOnce() -> String) {
    let began = Instant::now();
    let said = what();
    let pace = if began.elapsed() < Duration::from_millis(500) { "quickly" } else { "slowly" };
    say(&format!("{said} {pace}"));
}

/// An error in a word.
pub fn outcome(result: io::Result<()>) -> String {
    match result {
        Ok(()) => "open".into(),
        Err(error) => match error.kind() {
            ErrorKind::ConnectionRefused => "refused".into(),
            ErrorKind::TimedOut | ErrorKind::WouldBlock => "timeout".into(),
            ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => "reset".into(),
            ErrorKind::UnexpectedEof => "closed".into(),
            _ => error.to_string(),
        },
    }
}

fn connect(address: &str) -> io::Result<TcpStream> {
    let address = address.parse().map_err(io::Error::other)?;
    let stream = TcpStream::connect_timeout(&address, Duration::from_secs(5))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    Ok(stream)
}

/// Sends everything back that comes, until the client says that no more does.
fn echo(address: &str) {
    let listener = TcpListener::bind(address).expect("it listens");
    say("listens");
    for stream in listener.incoming().map_while(Result::ok) {
        std::thread::spawn(move || {
            let mut stream = stream;
            let mut back = stream.try_clone()?;
            io::copy(&mut stream, &mut back)?;
            stream.shutdown(Shutdown::Write)
        });
    }
}

/// Answers each datagram with itself.
fn answer(address: &str) {
    let socket = UdpSocket::bind(address).expect("it listens");
    say("listens");
    let mut bytes = [0; 64];
    while let Ok((length, peer)) = socket.recv_from(&mut bytes) {
        let _ = socket.send_to(&bytes[..length], peer);
    }
}

fn ask(address: &str) -> io::Result<()> {
    let address: SocketAddr = address.parse().map_err(io::Error::other)?;
    let any = if address.is_ipv6() { "[::]:0" } else { "0.0.0.0:0" };
    let socket = UdpSocket::bind(any)?;
    socket.connect(address)?;
    socket.set_read_timeout(Some(Duration::from_secs(2)))?;
    socket.send(b"?")?;
    socket.recv(&mut [0; 64])?;
    Ok(())
}

/// Sends an echo request and waits for what comes of it.
fn ping(address: &str) -> io::Result<()> {
    let address: SocketAddr = address.parse().map_err(io::Error::other)?;
    let socket = icmp()?;
    socket.set_read_timeout(Some(Duration::from_secs(2)))?;
    // Type, code, checksum, id, sequence.
    socket.send_to(&[8, 0, 0xf7, 0xfd, 0, 1, 0, 1], address)?;
    socket.recv(&mut [0; 64])?;
    Ok(())
}

#[expect(unsafe_code, reason = "the standard library makes no such socket")]
fn icmp() -> io::Result<UdpSocket> {
    // SAFETY: the call takes three numbers; what it returns is ours alone.
    let socket = unsafe {
        let made = libc::socket(libc::AF_INET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, libc::IPPROTO_ICMP);
        if made < 0 {
            return Err(io::Error::last_os_error());
        }
        OwnedFd::from_raw_fd(made)
    };
    Ok(socket.into())
}

/// Connects and waits for what the far side says of that.
fn met(address: &str) -> io::Result<()> {
    let mut stream = connect(address)?;
    match stream.read(&mut [0; 1])? {
        0 => Err(ErrorKind::UnexpectedEof.into()),
        _ => Ok(()),
    }
}

/// Sends so many bytes and says that no more come, and only then reads them back.
fn carry(address: &str, bytes: usize) -> String {
    let carried = (|| -> io::Result<()> {
        let stream = connect(address)?;
        whole(&stream, bytes, 1)
    })();
    carried.map_or_else(|error| outcome(Err(error)), |()| "whole".into())
}

fn whole(stream: &TcpStream, bytes: usize, seed: u64) -> io::Result<()> {
    let mut state = seed;
    let sent: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    })
    .take(bytes)
    .collect();
    let (mut writer, mut reader) = (stream, stream);
    let mut came = Vec::new();
    std::thread::scope(|scope| {
        let writing = scope.spawn(|| {
            writer.write_all(&sent)?;
            writer.shutdown(Shutdown::Write)
        });
        reader.read_to_end(&mut came)?;
        writing.join().expect("it writes")
    })?;
    if came == sent {
        Ok(())
    } else {
        Err(io::Error::other(format!("{} bytes of {}", came.len(), sent.len())))
    }
}

/// So many connections at once, over several addresses by turns, all open before the first is used.
fn many(addresses: &str, count: usize) {
    let addresses: Vec<&str> = addresses.split(',').collect();
    let streams: Vec<io::Result<TcpStream>> =
        (0..count).map(|number| connect(addresses[number % addresses.len()])).collect();
    let outcomes: Vec<String> = std::thread::scope(|scope| {
        let each = streams.into_iter().enumerate().map(|(number, stream)| {
            scope.spawn(move || {
                match stream.and_then(|stream| whole(&stream, 10_000 + number, number as u64)) {
                    Ok(()) => "whole".into(),
                    Err(error) => outcome(Err(error)),
                }
            })
        });
        let each: Vec<_> = each.collect();
        each.into_iter().map(|one| one.join().expect("an outcome")).collect()
    });
    let mut counts = BTreeMap::<String, usize>::new();
    for outcome in outcomes {
        *counts.entry(outcome).or_default() += 1;
    }
    let counts: Vec<String> = counts.iter().map(|(outcome, count)| format!("{count} {outcome}")).collect();
    say(&counts.join(", "));
}

/// Says `open` once an echo came back, and goes on until that fails; then how it failed.
fn talk(address: &str) {
    let ended = (|| -> io::Result<()> {
        let mut stream = connect(address)?;
        let mut said = false;
        loop {
            stream.write_all(b"x")?;
            stream.read_exact(&mut [0; 1])?;
            if !std::mem::replace(&mut said, true) {
                say("open");
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    })();
    say(&outcome(ended));
}

/// What the machine's own resolver says of a name.
fn resolve(name: &str) -> String {
    match (name, 0).to_socket_addrs() {
        Ok(addresses) => {
            let mut addresses: Vec<String> = addresses.map(|address| address.ip().to_string()).collect();
            addresses.sort();
            addresses.dedup();
            addresses.join(",")
        }
        Err(_) => "unknown".into(),
    }
}
