//! The two ends of the loads that iperf3 has not: this program started again inside a namespace.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use crate::netns::VERB;
use crate::world::PORT;

/// Bytes at once.
const BLOCK: usize = 256 * 1024;

/// Does what the environment says, if it says anything.
pub fn run() -> bool {
    let Ok(verb) = std::env::var(VERB) else { return false };
    let words: Vec<&str> = verb.split(' ').collect();
    let said = match *words.as_slice() {
        ["serve"] => serve(),
        ["try", address] => connect(address).map(|_| "open".into()),
        ["push", address, bytes] => push(address, bytes.parse().expect("a number")),
        ["sip", address, milliseconds, streams] => {
            sip(address, milliseconds, streams.parse().expect("a number"))
        }
        ["connect", address, count] => latency(address, count.parse().expect("a number")),
        ["hold", address, count] => hold(address, count.parse().expect("a number")),
        ["own", ..] => {
            crate::ours::own(&words[1..]);
            return true;
        }
        ["agent"] => {
            crate::sessions::agent();
            return true;
        }
        _ => Ok(format!("no verb {verb:?}")),
    };
    say(&said.unwrap_or_else(|error| format!("error: {error}")));
    true
}

/// Says a line.
pub fn say(text: &str) {
    let mut stdout = io::stdout().lock();
    let _ = writeln!(stdout, "{text}");
    let _ = stdout.flush();
}

fn lasting(milliseconds: &str) -> Duration {
    Duration::from_millis(milliseconds.parse().expect("a number"))
}

fn connect(address: &str) -> io::Result<TcpStream> {
    let stream =
        TcpStream::connect_timeout(&address.parse().map_err(io::Error::other)?, Duration::from_secs(5))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    Ok(stream)
}

/// `n` and a number of bytes: reads so many and says so. `d` and a time in milliseconds: writes for so long. `e`: says
/// everything back.
fn serve() -> io::Result<String> {
    let listener = TcpListener::bind(("0.0.0.0", PORT))?;
    say("listens");
    for stream in listener.incoming() {
        let mut stream = stream?;
        // Two thousand of them are held at once.
        std::thread::Builder::new().stack_size(64 * 1024).spawn(move || -> io::Result<()> {
            stream.set_nodelay(true)?;
            let mut kind = [0];
            stream.read_exact(&mut kind)?;
            match kind {
                [b'n'] => {
                    let mut bytes = [0; 8];
                    stream.read_exact(&mut bytes)?;
                    io::copy(&mut (&stream).take(u64::from_be_bytes(bytes)), &mut io::sink())?;
                    stream.write_all(&bytes)
                }
                [b'd'] => {
                    let mut milliseconds = [0; 4];
                    stream.read_exact(&mut milliseconds)?;
                    let lasts = Duration::from_millis(u32::from_be_bytes(milliseconds).into());
                    let (block, began) = (noise(), Instant::now());
                    while began.elapsed() < lasts {
                        stream.write_all(&block)?;
                    }
                    stream.shutdown(Shutdown::Write)
                }
                _ => {
                    let mut byte = [0; 1];
                    while stream.read(&mut byte)? == 1 {
                        stream.write_all(&byte)?;
                    }
                    Ok(())
                }
            }
        })?;
    }
    Ok(String::new())
}

/// What no cipher and no link compresses.
fn noise() -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    })
    .take(BLOCK)
    .collect()
}

/// Bytes and nanoseconds of so many bytes, until the far side has said that it has them all.
fn push(address: &str, bytes: u64) -> io::Result<String> {
    let (mut stream, block) = (connect(address)?, noise());
    let began = Instant::now();
    stream.write_all(&[&b"n"[..], &bytes.to_be_bytes()].concat())?;
    io::copy(&mut io::repeat(0x5a).take(bytes % block.len() as u64), &mut stream)?;
    for _ in 0..bytes / block.len() as u64 {
        stream.write_all(&block)?;
    }
    stream.read_exact(&mut [0; 8])?;
    Ok(format!("{bytes} {}", began.elapsed().as_nanos()))
}

/// Bytes and nanoseconds of several streams at once, for so long and not to their end: what waits on a slow way would
/// take long to come.
fn sip(address: &str, milliseconds: &str, streams: usize) -> io::Result<String> {
    let lasts = lasting(milliseconds);
    let long: u32 = milliseconds.parse().map_err(io::Error::other)?;
    let one = || -> io::Result<u64> {
        let mut stream = connect(address)?;
        stream.write_all(&[&b"d"[..], &(long * 2).to_be_bytes()].concat())?;
        let (mut block, mut total) = (vec![0; BLOCK], 0_u64);
        let began = Instant::now();
        while began.elapsed() < lasts {
            total += stream.read(&mut block)? as u64;
        }
        Ok(total)
    };
    let total: io::Result<u64> = std::thread::scope(|scope| {
        let all: Vec<_> = (0..streams).map(|_| scope.spawn(one)).collect();
        all.into_iter().map(|one| one.join().expect("a stream")).sum()
    });
    Ok(format!("{} {}", total?, lasts.as_nanos()))
}

/// The middle of how many nanoseconds it takes to connect and hear an echo, one after the other.
fn latency(address: &str, count: usize) -> io::Result<String> {
    let mut times = Vec::new();
    for _ in 0..count {
        let began = Instant::now();
        echo(address)?;
        times.push(began.elapsed().as_nanos());
    }
    times.sort_unstable();
    Ok(times[times.len() / 2].to_string())
}

fn echo(address: &str) -> io::Result<TcpStream> {
    let mut stream = connect(address)?;
    stream.write_all(b"ex")?;
    stream.read_exact(&mut [0])?;
    Ok(stream)
}

/// Holds so many connections that have said something, until its input ends.
fn hold(address: &str, count: usize) -> io::Result<String> {
    let held: io::Result<Vec<TcpStream>> = (0..count).map(|_| echo(address)).collect();
    let held = held?;
    say("holds");
    io::stdin().read_to_end(&mut Vec::new())?;
    Ok(held.len().to_string())
}
