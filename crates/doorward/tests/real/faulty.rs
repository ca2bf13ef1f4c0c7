//! A proxy before moto that answers some calls as AWS does on a bad day.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// What becomes of a call.
#[derive(Debug, Clone)]
pub enum Fault {
    /// A status and a body, instead of moto's.
    Answer(u16, String),
    /// The first half of moto's answer, and the connection is cut.
    Half,
    /// The first half of moto's answer, as if it were all.
    Short,
    /// Nothing, for a minute.
    Silence,
}

impl Fault {
    /// What EC2 says: a code and a sentence.
    pub fn refused(status: u16, code: &str, message: &str) -> Self {
        let error = format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>");
        Self::Answer(status, format!("<Response><Errors>{error}</Errors><RequestID>1</RequestID></Response>"))
    }

    /// The credentials lack a permission.
    pub fn denied() -> Self {
        Self::refused(403, "UnauthorizedOperation", "You are not authorized to perform this operation.")
    }

    /// Too many calls.
    pub fn throttled() -> Self {
        Self::refused(503, "RequestLimitExceeded", "Request limit exceeded.")
    }
}

struct Rule {
    call: String,
    left: usize,
    fault: Fault,
}

#[derive(Default)]
struct State {
    rules: Vec<Rule>,
    bodies: Vec<String>,
}

/// The proxy; it ends with the test.
pub struct Faulty {
    port: u16,
    state: Arc<Mutex<State>>,
    over: Arc<AtomicBool>,
}

impl Faulty {
    /// Listens on a free port, before moto's.
    pub fn before(moto: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (state, over) = (Arc::<Mutex<State>>::default(), Arc::<AtomicBool>::default());
        let (shared, ends) = (Arc::clone(&state), Arc::clone(&over));
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if ends.load(Ordering::Relaxed) {
                    break;
                }
                let (state, over) = (Arc::clone(&shared), Arc::clone(&ends));
                // What breaks off is what is tested.
                std::thread::spawn(move || serve(client, moto, &state, &over).ok());
            }
        });
        Self { port, state, over }
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// From now on, so many calls of that name (or those whose body holds the text) go wrong.
    pub fn breaks(&self, call: &str, times: usize, fault: Fault) {
        let rule = Rule { call: call.to_owned(), left: times, fault };
        self.state.lock().unwrap_or_else(PoisonError::into_inner).rules.push(rule);
    }

    /// From now on, nothing goes wrong.
    pub fn mends(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).rules.clear();
    }

    /// The bodies of every request so far.
    pub fn requests(&self) -> Vec<String> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).bodies.clone()
    }
}

impl Drop for Faulty {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        // Wakes the listener, which then sees that it is over.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

fn serve(mut client: TcpStream, moto: u16, state: &Mutex<State>, over: &AtomicBool) -> std::io::Result<()> {
    let mut reader = BufReader::new(client.try_clone()?);
    let mut head = String::new();
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let lower = line.to_ascii_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
        if line == "\r\n" {
            break;
        }
        if !lower.starts_with("connection:") {
            head.push_str(&line);
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let text = String::from_utf8_lossy(&body).into_owned();
    let fault = {
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        let called = |call: &str| {
            text.contains(call)
                || head.starts_with(call)
                || head.contains(&format!(".{call}\r\n"))
                || head.contains(&format!(".{call}"))
        };
        let rule = state.rules.iter_mut().find(|rule| rule.left > 0 && called(&rule.call));
        let fault = rule.map(|rule| {
            rule.left -= 1;
            rule.fault.clone()
        });
        state.bodies.push(text);
        fault
    };
    if let Some(Fault::Answer(status, body)) = &fault {
        return client.write_all(&whole(*status, body.as_bytes()));
    }
    if let Some(Fault::Silence) = fault {
        for _ in 0..600 {
            if over.load(Ordering::Relaxed) {
                break;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        return Ok(());
    }
    let mut server = TcpStream::connect(("127.0.0.1", moto))?;
    server.write_all(head.as_bytes())?;
    server.write_all(b"Connection: close\r\n\r\n")?;
    server.write_all(&body)?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer)?;
    match fault {
        Some(Fault::Half) => client.write_all(&answer[..answer.len() / 2]),
        Some(Fault::Short) => {
            let start = answer.windows(4).position(|window| window == b"\r\n\r\n").map_or(0, |at| at + 4);
            let body = &answer[start..];
            client.write_all(&whole(200, &body[..body.len() / 2]))
        }
        _ => client.write_all(&answer),
    }
}

fn whole(status: u16, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 {status} Said\r\nContent-Type: text/xml\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}
