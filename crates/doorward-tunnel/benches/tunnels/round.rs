//! Rounds in which everybody carries the same, one after the other.

use std::process::Stdio;

use serde_json::Value;

use crate::carrier::{Carrier, Kind};
use crate::sessions::SESSIONS;
use crate::table::{median, print};
use crate::world::{World, inside};

/// How long each way is loaded, in seconds.
const LASTS: &str = "2";

/// Bytes that are pushed where a way has no end of one direction (smux has none).
const PUSHED: &str = "100000000";

/// How long a slow agent is read from, in milliseconds.
const SLOWLY: &str = "2500";

/// Connections whose time is taken.
const CONNECTIONS: &str = "200";

/// What one carrier did in one round.
#[derive(Debug, Clone, Copy)]
pub struct Figures {
    /// Bytes a second.
    pub up: f64,
    pub down: f64,
    /// CPU seconds a GB, on the client's side, each way.
    pub cpu_up: f64,
    pub cpu_down: f64,
    /// CPU seconds a GB of the sshd in the middle, each way.
    pub sshd_up: f64,
    pub sshd_down: f64,
    /// Seconds to connect and hear an echo.
    pub connect: f64,
}

/// What all did in all rounds.
pub struct Rounds {
    rounds: Vec<Vec<Figures>>,
}

impl Rounds {
    pub fn measure(world: &World, carriers: &[Carrier], count: usize) -> Self {
        let rounds = (0..count)
            .map(|round| {
                eprintln!("round {} of {count}", round + 1);
                let mut order: Vec<&Carrier> = carriers.iter().collect();
                // Each second one the other way round, so that nobody always comes after the one who heats the machine.
                let is_reversed = round % 2 == 1;
                if is_reversed {
                    order.reverse();
                }
                let mut figures: Vec<_> =
                    order.into_iter().map(|carrier| Figures::measure(world, carrier)).collect();
                if is_reversed {
                    figures.reverse();
                }
                figures
            })
            .collect();
        Self { rounds }
    }

    /// The middle of what a figure was in each round, beside that of raw TCP in the same one.
    fn middle(&self, place: usize, figure: impl Fn(&Figures, &Figures) -> f64) -> f64 {
        median(self.rounds.iter().map(|round| figure(&round[place], &round[0])).collect())
    }

    /// A carrier's speed as a part of another's.
    pub fn up(&self, place: usize, of: usize) -> f64 {
        median(self.rounds.iter().map(|round| round[place].up / round[of].up).collect())
    }

    /// Bytes a second, each way.
    pub fn speed(&self, place: usize) -> [f64; 2] {
        [self.middle(place, |figures, _| figures.up), self.middle(place, |figures, _| figures.down)]
    }

    /// Likewise the other way.
    pub fn down(&self, place: usize, of: usize) -> f64 {
        median(self.rounds.iter().map(|round| round[place].down / round[of].down).collect())
    }

    /// CPU seconds a GB, the dearer way.
    pub fn cpu(&self, place: usize) -> f64 {
        self.middle(place, |figures, _| figures.cpu_up.max(figures.cpu_down))
    }

    /// How much of raw TCP an sshd can carry that has one processor for itself, by what it spends on this carrier.
    pub fn limit(&self, place: usize) -> [f64; 2] {
        [
            self.middle(place, |figures, raw| 1e9 / figures.sshd_up / raw.up),
            self.middle(place, |figures, raw| 1e9 / figures.sshd_down / raw.down),
        ]
    }

    /// Seconds to connect, over those of raw TCP.
    pub fn connect(&self, place: usize) -> f64 {
        self.middle(place, |figures, raw| figures.connect - raw.connect)
    }

    pub fn print(&self, carriers: &[Carrier]) {
        let titles = [
            "",
            "up MB/s",
            "up/raw",
            "down MB/s",
            "down/raw",
            "CPU s/GB up",
            "down",
            "connect ms",
            "over raw",
        ];
        let rows: Vec<Vec<String>> = carriers
            .iter()
            .enumerate()
            .map(|(place, carrier)| {
                let raw = carrier.kind == Kind::Raw;
                let unless_raw = |text: String| if raw { String::new() } else { text };
                vec![
                    carrier.kind.name().into(),
                    rounded(self.middle(place, |figures, _| figures.up) / 1e6),
                    format!("{:.3}", self.up(place, 0)),
                    rounded(self.middle(place, |figures, _| figures.down) / 1e6),
                    format!("{:.3}", self.down(place, 0)),
                    unless_raw(format!("{:.1}", self.middle(place, |figures, _| figures.cpu_up))),
                    unless_raw(format!("{:.1}", self.middle(place, |figures, _| figures.cpu_down))),
                    format!("{:.2}", self.middle(place, |figures, _| figures.connect) * 1e3),
                    unless_raw(format!("{:.2}", self.connect(place) * 1e3)),
                ]
            })
            .collect();
        print(&titles, &rows);
    }
}

impl Figures {
    fn measure(world: &World, carrier: &Carrier) -> Self {
        let [up, cpu_up, sshd_up] = direction(world, carrier, Direction::Up);
        let [down, cpu_down, sshd_down] = direction(world, carrier, Direction::Down);
        let connect = number(&world.load(&["connect", &carrier.address, CONNECTIONS])) / 1e9;
        Self { up, down, cpu_up, cpu_down, sshd_up, sshd_down, connect }
    }
}

/// Seen from the client.
#[derive(Debug, Clone, Copy)]
enum Direction {
    Up,
    Down,
}

/// Bytes a second, and CPU seconds a GB: of the carrier on the client's side, and of sshd.
fn direction(world: &World, carrier: &Carrier, direction: Direction) -> [f64; 3] {
    let before = [carrier.busy(), world.sshd_busy()];
    let (bytes, seconds) = match (carrier.kind, direction) {
        (Kind::Sessions, Direction::Up) => counted(&world.load(&["push", &carrier.address, PUSHED])),
        (Kind::Sessions, Direction::Down) => {
            counted(&world.load(&["sip", &carrier.address, SLOWLY, &SESSIONS.to_string()]))
        }
        _ => iperf(world, carrier, direction),
    };
    let after = [carrier.busy(), world.sshd_busy()];
    let spent = |at: usize| after[at].saturating_sub(before[at]).as_secs_f64() / (bytes / 1e9);
    [bytes / seconds, spent(0), spent(1)]
}

/// Bytes and seconds, as a load of ours says them.
fn counted(said: &str) -> (f64, f64) {
    let (bytes, nanoseconds) = said.split_once(' ').unwrap_or_else(|| panic!("{said}"));
    (number(bytes), number(nanoseconds) / 1e9)
}

/// Bytes and seconds, as iperf3 says that they were received.
fn iperf(world: &World, carrier: &Carrier, direction: Direction) -> (f64, f64) {
    let (host, port) = &carrier.iperf;
    let mut command = inside(&world.client, "timeout");
    command.args(["30", "iperf3", "--client", host, "--port", &port.to_string()]);
    command.args(["--time", LASTS, "--json"]);
    if matches!(direction, Direction::Down) {
        command.arg("--reverse");
    }
    let output = command.stdin(Stdio::null()).output().expect("iperf3 runs");
    let said: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}: {output:?}", carrier.kind.name()));
    let received = &said["end"]["sum_received"];
    let figure =
        |name: &str| received[name].as_f64().unwrap_or_else(|| panic!("{}: {said}", carrier.kind.name()));
    (figure("bytes"), figure("seconds"))
}

fn rounded(number: f64) -> String {
    if number < 10.0 { format!("{number:.2}") } else { format!("{number:.0}") }
}

fn number(text: &str) -> f64 {
    text.parse().unwrap_or_else(|_| panic!("{text}"))
}
