//! The far ends of a test: this program started again inside a namespace, as a small server or client.

use std::io::{self, BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The environment variable that names the verb.
pub use parts::netns::VERB;

/// Does what [`VERB`] says, if it says anything.
pub fn run() -> bool {
    let Ok(verb) = std::env::var(VERB) else { return false };
    let words: Vec<&str> = verb.split(' ').collect();
    match *words.as_slice() {
        ["serve", address] => serve(address),
        ["answer", address] => answer(address),
        ["try", address] => say(&outcome(connect(address).map(drop))),
        ["ask", address] => say(&outcome(ask(address))),
        ["talk", address] => talk(address),
        ["wait", address, milliseconds] => wait(address, milliseconds),
        ["relay", port] => crate::relay::alone(port.parse().expect("a port")),
        ["hammer", address] => hammer(address),
        [crate::flood::VERB, person, ref attackers @ ..] => crate::flood::inside(person, attackers),
        ["attack", kind, address, count, at_once] => crate::flood::attack(kind, address, count, at_once),
        ["fill", relay, upstream] => crate::flood::fill(relay, upstream),
        ["visit", address] => crate::flood::visit(address),
        _ => say(&format!("no verb {verb:?}")),
    }
    true
}

fn say(text: &str) {
    let mut stdout = io::stdout().lock();
    let _ = writeln!(stdout, "{text}");
    let _ = stdout.flush();
}

fn outcome(result: io::Result<()>) -> String {
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
    let stream = TcpStream::connect_timeout(&address, Duration::from_secs(2))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(8)))?;
    Ok(stream)
}

/// Answers each line with itself. `late N` is answered after N milliseconds. Says how each connection ended.
fn serve(address: &str) {
    let listener = TcpListener::bind(address).expect("it listens");
    say("listens");
    for stream in listener.incoming().map_while(Result::ok) {
        std::thread::spawn(move || {
            let ended = (|| -> io::Result<()> {
                let mut writer = stream.try_clone()?;
                for line in BufReader::new(stream).lines() {
                    let line = line?;
                    if let Some(milliseconds) = line.strip_prefix("late ").and_then(|word| word.parse().ok())
                    {
                        std::thread::sleep(Duration::from_millis(milliseconds));
                    }
                    writeln!(writer, "{line}")?;
                    // Whoever cut the connection answers what was just sent.
                    std::thread::sleep(Duration::from_millis(5));
                }
                Err(ErrorKind::UnexpectedEof.into())
            })();
            say(&outcome(ended));
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
    let any = if address.starts_with('[') { "[::]:0" } else { "0.0.0.0:0" };
    let socket = UdpSocket::bind(any)?;
    socket.connect(address)?;
    socket.set_read_timeout(Some(Duration::from_secs(1)))?;
    socket.send(b"?")?;
    socket.recv(&mut [0; 64])?;
    Ok(())
}

/// Says `open`, and goes on talking every ten milliseconds until that fails; then how it failed.
fn talk(address: &str) {
    let ended = (|| -> io::Result<()> {
        let mut stream = connect(address)?;
        say("open");
        let mut echo = [0; 2];
        loop {
            stream.write_all(b"x\n")?;
            stream.read_exact(&mut echo)?;
            std::thread::sleep(Duration::from_millis(10));
        }
    })();
    say(&outcome(ended));
}

/// Says `open`, asks for a late answer and says what came: `answered`, or how it failed.
fn wait(address: &str, milliseconds: &str) {
    let ended = (|| -> io::Result<()> {
        let mut stream = connect(address)?;
        writeln!(stream, "late {milliseconds}")?;
        say("open");
        let mut answer = String::new();
        match BufReader::new(stream).read_line(&mut answer)? {
            0 => Err(ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    })();
    say(&if ended.is_ok() { "answered".into() } else { outcome(ended) });
}

/// Connects again and again until its input ends; says `began`, and at the end how often each outcome came.
fn hammer(address: &str) {
    let over = Arc::new(AtomicBool::new(false));
    let tell = Arc::clone(&over);
    std::thread::spawn(move || {
        let _ = io::stdin().read_to_end(&mut Vec::new());
        tell.store(true, Ordering::Relaxed);
    });
    say("began");
    let mut counts = std::collections::BTreeMap::<String, u32>::new();
    // Each connection leaves a port behind for a minute, so their number is bounded.
    let began = Instant::now();
    while !over.load(Ordering::Relaxed) && began.elapsed() < Duration::from_secs(60) {
        *counts.entry(outcome(connect(address).map(drop))).or_default() += 1;
        std::thread::sleep(Duration::from_micros(500));
    }
    let counts: Vec<String> = counts.iter().map(|(outcome, count)| format!("{outcome} {count}")).collect();
    say(&counts.join(", "));
}
