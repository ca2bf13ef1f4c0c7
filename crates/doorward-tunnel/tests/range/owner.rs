//! The process that holds a range, as the program would; and the simplest transport that there could be.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::ExitCode;
use std::sync::Arc;

use doorward_tunnel::dial::{Answer, BoxedStream, Destination, Dial, DialError};
use doorward_tunnel::forward;
use doorward_tunnel::transparent::{MARK, Marked, Names, Range, Settings, Watchdog, watch};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::probe::say;

/// The verb by which a range starts this program as its watchdog.
const WATCHES: &str = "range-watchdog";

/// Whether that is what this program was started for.
pub fn watches() -> Option<ExitCode> {
    let mut arguments = std::env::args().skip(1);
    if arguments.next()? != WATCHES {
        return None;
    }
    let watched = watch(&arguments.next().unwrap_or_default());
    if let Err(error) = &watched {
        eprintln!("{error}");
    }
    Some(if watched.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A transport: a line says where to, a line says what came of it, then come the bytes.
struct Relayed(SocketAddr);

impl Dial for Relayed {
    fn dial<'a>(&'a self, to: &'a Destination) -> Answer<'a, Result<BoxedStream, DialError>> {
        Box::pin(async move {
            let mut stream = Marked(MARK).dial(&self.0.into()).await?;
            let local = |source| DialError::Local { to: to.clone(), source };
            stream.write_all(format!("{to}\n").as_bytes()).await.map_err(local)?;
            match stream.read_u8().await.map_err(local)? {
                b'+' => Ok(stream),
                _ => Err(DialError::Refused { to: to.clone() }),
            }
        })
    }
}

/// Its far side.
pub fn relay(address: &str) {
    let listener = TcpListener::bind(address).expect("it listens");
    say("listens");
    for stream in listener.incoming().map_while(Result::ok) {
        std::thread::spawn(move || -> std::io::Result<()> {
            stream.set_nodelay(true)?;
            let mut to = String::new();
            let mut near = BufReader::with_capacity(1, stream.try_clone()?);
            near.read_line(&mut to)?;
            let Ok(far) = TcpStream::connect(to.trim()) else { return (&stream).write_all(b"-") };
            far.set_nodelay(true)?;
            (&stream).write_all(b"+")?;
            let (mut far_reader, mut back) = (far.try_clone()?, stream.try_clone()?);
            let down = std::thread::spawn(move || {
                let copied = std::io::copy(&mut far_reader, &mut back);
                back.shutdown(if copied.is_ok() { Shutdown::Write } else { Shutdown::Both })
            });
            let copied = std::io::copy(&mut stream.take(u64::MAX), &mut &far);
            far.shutdown(if copied.is_ok() { Shutdown::Write } else { Shutdown::Both })?;
            down.join().expect("the way back")
        });
    }
}

/// Opens a range as the words say, and holds it until its input ends: `open TABLE LINK`, then `closed COUNTS`.
pub fn own(words: &[&str]) {
    let all = |key: &str| -> Vec<String> {
        let values = words.iter().filter_map(|word| word.split_once('='));
        values.filter(|(found, _)| *found == key).map(|(_, value)| value.to_owned()).collect()
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let via = all("via").pop().expect("a transport");
        let (kind, place) = via.split_once('@').expect("kind@place");
        let place: SocketAddr = place.parse().expect("an address");
        let dial: Arc<dyn Dial> = match kind {
            "relay" => Arc::new(Relayed(place)),
            _ => Arc::new(crate::secure::ssh(place).await),
        };
        let domains = all("domain").iter().map(|domain| domain.parse().expect("a domain")).collect();
        let settings = Settings {
            ranges: all("range").iter().map(|range| range.parse().expect("a range")).collect(),
            carriers: vec![place.ip()],
            names: all("resolver")
                .pop()
                .map(|resolver| Names { resolver: resolver.parse().expect("an address"), domains }),
            mark: MARK,
            watchdog: Watchdog {
                program: std::env::current_exe().expect("this program"),
                arguments: vec![WATCHES.into()],
            },
        };
        let range = match Range::open(settings, dial, forward::Options::default()).await {
            Ok(range) => range,
            Err(error) => return say(&format!("error: {error}")),
        };
        say(&format!("open {} {}", range.name(), range.link()));
        for exception in range.ranges().exceptions() {
            say(&exception.to_string());
        }
        let input = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
        let _ = input.await;
        let (counts, removed) = range.close().await;
        removed.expect("the table is removed");
        let flows = counts.flows;
        say(&format!(
            "closed {} carried {} failed {} cut {} udp {} other",
            flows.total, flows.failed, flows.cut, counts.udp, counts.other
        ));
    });
}
