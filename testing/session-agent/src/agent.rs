//! The agent of one session: handshake, acknowledgements, resending, and the work that the document asks for.

mod challenge;
mod command;
mod ports;
mod pty;
mod smux;
mod work;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, sleep_until};

use crate::channel::{Arrival, Channel, Due, acknowledgement};
use crate::conduct::Size;
use crate::documents::Purpose;
use crate::message::{Kind, Message, flag, payload};
use crate::record::{Mode, What};
use crate::session::{AgentEnd, Order, Session};
use crate::stand::World;
use crate::uuid::Uuid;
use challenge::Keys;
use work::{Input, Output, Work};

/// Bytes that wait for the client's acknowledgement before the agent stops reading. The stock agent keeps 100,000
/// messages and then loses the oldest; a test is better served by one that waits.
const OUTSTANDING: usize = 64 << 20;
/// Frames that must find room before the agent sends something new.
const ROOM: usize = 8;
/// How long the last messages may take to be acknowledged.
const DRAIN: Duration = Duration::from_secs(10);

/// Four numbers, `3.3.0.0`.
pub(crate) fn version(text: &str) -> Option<[u32; 4]> {
    let numbers: Vec<u32> = text.split('.').map(|part| part.parse().ok()).collect::<Option<_>>()?;
    match numbers.as_slice() {
        [a, b, c] => Some([*a, *b, *c, 0]),
        [a, b, c, d] => Some([*a, *b, *c, *d]),
        _ => None,
    }
}

/// What two versions agree on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Agreed {
    multiplexes: bool,
    /// Whether the agent keeps smux alive.
    agent_keeps_alive: bool,
    /// Whether the client does.
    client_keeps_alive: bool,
    terminates_by_flag: bool,
}

impl Agreed {
    fn new(agent: [u32; 4], client: [u32; 4]) -> Self {
        Self {
            multiplexes: agent > [3, 0, 196, 0] && client >= [1, 1, 70, 0],
            agent_keeps_alive: client <= [1, 2, 331, 0],
            client_keeps_alive: agent <= [3, 1, 1511, 0],
            terminates_by_flag: agent > [2, 3, 722, 0],
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Response {
    client_version: String,
    processed_client_actions: Vec<Processed>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Processed {
    action_type: String,
    action_status: u32,
    #[serde(default)]
    action_result: Value,
    #[serde(default)]
    error: Option<String>,
}

#[derive(Debug)]
enum Stage {
    /// Nobody was there yet.
    Waiting,
    Asked,
    Challenged {
        response: Response,
        challenge: [u8; 64],
    },
    Complete,
    /// The work is over; the last messages are still to be acknowledged.
    Ending {
        why: String,
        until: Instant,
    },
}

/// Why the loop ends, and whether anybody is told.
enum End {
    Said(String),
    Vanished,
}

struct Agent {
    world: Arc<World>,
    session: Arc<Session>,
    channel: Channel,
    outbox: mpsc::Sender<Bytes>,
    stage: Stage,
    began: Instant,
    agreed: Agreed,
    keys: Option<Keys>,
    work: Option<Work>,
    /// What waits until the work takes it, and the message to acknowledge then.
    held: Option<(Input, Option<Message>)>,
}

/// Plays the agent until the session is over.
pub(crate) async fn run(world: Arc<World>, session: Arc<Session>, ends: AgentEnd) {
    let AgentEnd { inbox, outbox } = ends;
    let unknown = [0; 4];
    let agent = Agent {
        world: Arc::clone(&world),
        session: Arc::clone(&session),
        channel: Channel::default(),
        outbox,
        stage: Stage::Waiting,
        began: Instant::now(),
        agreed: Agreed::new(unknown, unknown),
        keys: None,
        work: None,
        held: None,
    };
    if let End::Said(why) = agent.work(inbox).await
        && session.end(&why)
    {
        world.record.event(&session.id, What::Ended { why });
    }
}

impl Agent {
    async fn work(mut self, mut inbox: mpsc::Receiver<Bytes>) -> End {
        let mut attached = self.session.attached.subscribe();
        let mut orders = self.session.orders.subscribe();
        let mut ticks = interval(Duration::from_millis(100));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let deadline = self.began + self.world.settings.agent.handshake_waits;
        loop {
            match *orders.borrow_and_update() {
                Order::Work => {}
                Order::Terminate => return End::Said("terminated by TerminateSession".into()),
                Order::Vanish => return End::Vanished,
            }
            if let Stage::Ending { why, until } = &self.stage
                && (self.channel.outstanding() == 0 || Instant::now() >= *until)
            {
                return End::Said(why.clone());
            }
            let here = *attached.borrow_and_update();
            if here && matches!(self.stage, Stage::Waiting) {
                self.ask();
            }
            let room = self.outbox.capacity() > ROOM;
            let may_send = here && room && self.channel.outstanding() < OUTSTANDING;
            let shaking = matches!(self.stage, Stage::Waiting | Stage::Asked | Stage::Challenged { .. });
            let outbox = self.outbox.clone();
            let input = self.work.as_ref().map(Work::input);
            tokio::select! {
                _ = orders.changed() => {}
                _ = attached.changed() => {}
                frame = inbox.recv(), if self.held.is_none() => match frame {
                    Some(frame) => self.arrived(&frame),
                    None => return End::Vanished,
                },
                permit = work::room(input), if self.held.is_some() => self.handed_over(permit),
                output = work::output(&mut self.work), if may_send => self.sends(output),
                _ = outbox.reserve(), if !room => {}
                _ = ticks.tick() => if here {
                    match self.channel.due(Instant::now()) {
                        Due::Nothing => {}
                        // A full outbox loses it, as a network does; it comes again.
                        Due::Resend(frame) => drop(self.outbox.try_send(frame)),
                        Due::GiveUp => return End::Said("the client acknowledges nothing".into()),
                    }
                },
                () = sleep_until(deadline.into()), if shaking => {
                    return End::Said("Handshake timed out. Please ensure that you have the latest version of the \
                                      session manager plugin.".into());
                }
            }
        }
    }

    fn send(&mut self, payload_type: u32, payload: Bytes) {
        let now = Instant::now();
        let frame = self.channel.send(payload_type, payload, Uuid::random(), milliseconds(), now);
        drop(self.outbox.try_send(frame));
    }

    fn send_json(&mut self, payload_type: u32, payload: &Value) {
        self.send(payload_type, Bytes::from(payload.to_string()));
    }

    fn ask(&mut self) {
        let resolved = &self.session.resolved;
        let mut actions = Vec::new();
        if let Some(key) = self.world.settings.agent.kms_key.as_ref().filter(|_| resolved.purpose.is_shell())
        {
            actions.push(json!({"ActionType": "KMSEncryption", "ActionParameters": {"KMSKeyId": key}}));
        }
        actions.push(json!({"ActionType": "SessionType", "ActionParameters": {
            "SessionType": resolved.session_type, "Properties": resolved.properties}}));
        let request =
            json!({"AgentVersion": self.world.settings.agent.version, "RequestedClientActions": actions});
        self.send_json(payload::HANDSHAKE_REQUEST, &request);
        self.stage = Stage::Asked;
    }

    fn arrived(&mut self, frame: &Bytes) {
        // What is malformed was recorded where it entered.
        let Ok(message) = Message::decode(frame) else { return };
        match message.kind {
            Kind::Acknowledge => {
                let sequence = serde_json::from_slice::<Value>(&message.payload)
                    .ok()
                    .and_then(|it| it.get("AcknowledgedMessageSequenceNumber")?.as_i64());
                if let Some(sequence) = sequence {
                    self.channel.acknowledged(sequence, Instant::now());
                }
            }
            Kind::Input => match self.channel.arrived(&message) {
                Arrival::Next => self.process(message, true),
                Arrival::Early | Arrival::Again => self.acknowledge(&message),
                Arrival::NoRoom => {}
            },
            _ => {}
        }
    }

    fn acknowledge(&mut self, message: &Message) {
        let frame = acknowledgement(message, Uuid::random(), milliseconds());
        drop(self.outbox.try_send(frame));
    }

    /// The expected message, and those behind it that came early; these were acknowledged then.
    fn process(&mut self, message: Message, acknowledge: bool) {
        let mut next = Some((message, acknowledge));
        while let Some((message, acknowledge)) = next.take() {
            let waits =
                matches!(self.stage, Stage::Complete) && self.work.as_ref().is_some_and(|it| !it.is_ready());
            if waits && acknowledge {
                // Until the port is open nothing is processed nor acknowledged: it must be sent again.
                return;
            }
            let input = self.meant(&message);
            let to_acknowledge = Some(message).filter(|_| acknowledge);
            if let Some(input) = input {
                self.held = Some((input, to_acknowledge));
                return;
            }
            next = self.processed(to_acknowledge).map(|early| (early, false));
        }
    }

    fn processed(&mut self, to_acknowledge: Option<Message>) -> Option<Message> {
        if let Some(message) = to_acknowledge {
            self.acknowledge(&message);
        }
        self.channel.processed()
    }

    fn handed_over(&mut self, permit: Option<mpsc::OwnedPermit<Input>>) {
        let Some((input, message)) = self.held.take() else { return };
        // A work that is over takes nothing more; the client learns of it by the end of the session.
        if let Some(permit) = permit {
            permit.send(input);
        }
        if let Some(early) = self.processed(message) {
            self.process(early, false);
        }
    }

    /// What a message means to the work, if it is for the work.
    fn meant(&mut self, message: &Message) -> Option<Input> {
        let number = <[u8; 4]>::try_from(message.payload.as_ref()).map(u32::from_be_bytes).ok();
        match (message.payload_type, &self.stage) {
            (payload::FLAG, _) if number == Some(flag::TERMINATE_SESSION) => {
                self.world.record.event(&self.session.id, What::TerminateFlag);
                if self.agreed.terminates_by_flag {
                    self.work = None;
                    self.ending("terminated by the client's flag", Duration::from_secs(1));
                }
                None
            }
            (payload::HANDSHAKE_RESPONSE, Stage::Asked) => {
                self.answered(&message.payload);
                None
            }
            (payload::CHALLENGE_RESPONSE, Stage::Challenged { .. }) => {
                self.proved(&message.payload);
                None
            }
            (payload::OUTPUT, Stage::Complete) => self.readable(&message.payload).map(Input::Bytes),
            (payload::SIZE, Stage::Complete) => {
                let size = serde_json::from_slice::<Size>(&message.payload).ok();
                if let Some(Size { cols: columns, rows }) = size {
                    self.world.record.event(&self.session.id, What::Resized { columns, rows });
                }
                size.map(Input::Size)
            }
            (payload::FLAG, Stage::Complete) if number == Some(flag::DISCONNECT_TO_PORT) => {
                Some(Input::Disconnect)
            }
            // Before the handshake is complete data are acknowledged and thrown away.
            _ => None,
        }
    }

    fn readable(&mut self, payload: &Bytes) -> Option<Bytes> {
        let Some(keys) = &self.keys else { return Some(payload.clone()) };
        let plain = keys.open(payload);
        if plain.is_none() {
            self.world.record.violation(&self.session.id, "a payload does not decrypt");
            self.ending("Unable to decrypt a message", DRAIN);
        }
        plain
    }

    fn answered(&mut self, payload: &[u8]) {
        let response: Response = match serde_json::from_slice(payload) {
            Ok(response) => response,
            Err(_) => return self.ending("the handshake response cannot be read", DRAIN),
        };
        if let Some(failed) = response.processed_client_actions.iter().find(|it| it.action_status != 1) {
            let why = format!(
                "the client did not process {}: {}",
                failed.action_type,
                failed.error.as_deref().unwrap_or_default()
            );
            return self.ending(&why, DRAIN);
        }
        if self.world.settings.agent.kms_key.is_none() || !self.session.resolved.purpose.is_shell() {
            return self.complete(&response);
        }
        let result = response
            .processed_client_actions
            .iter()
            .find(|it| it.action_type == "KMSEncryption")
            .map(|it| &it.action_result);
        let Some(keys) = Keys::agreed(&self.world.kms, &self.session, result) else {
            return self.ending("Fetching data key failed", DRAIN);
        };
        let challenge = challenge::draw();
        self.send_json(payload::CHALLENGE_REQUEST, &keys.ask(&challenge));
        self.keys = Some(keys);
        self.stage = Stage::Challenged { response, challenge };
    }

    fn proved(&mut self, payload: &[u8]) {
        let Stage::Challenged { response, challenge } = std::mem::replace(&mut self.stage, Stage::Asked)
        else {
            return;
        };
        if self.keys.as_ref().is_some_and(|keys| keys.is_proof(payload, &challenge)) {
            self.complete(&response);
        } else {
            self.world.record.violation(&self.session.id, "the encryption challenge is not answered rightly");
            self.ending("Encryption challenge failed", DRAIN);
        }
    }

    fn complete(&mut self, response: &Response) {
        let settings = &self.world.settings.agent;
        let versions = version(&settings.version).zip(version(&response.client_version));
        let Some((agent, client)) = versions else {
            return self.ending("a version cannot be read", DRAIN);
        };
        self.agreed = Agreed::new(agent, client);
        let complete = json!({"HandshakeTimeToComplete": self.began.elapsed().as_nanos() as u64,
                              "CustomerMessage": settings.customer_message});
        self.send_json(payload::HANDSHAKE_COMPLETE, &complete);
        self.stage = Stage::Complete;
        let mode = match &self.session.resolved.purpose {
            Purpose::Port { local_forwarding: false, .. } => Mode::Raw,
            Purpose::Port { .. } if self.agreed.multiplexes => Mode::Smux,
            Purpose::Port { .. } => Mode::Basic,
            Purpose::Command { pipes: true, .. } => Mode::Command,
            Purpose::Command { .. } | Purpose::Shell => Mode::Shell,
        };
        self.world
            .record
            .event(&self.session.id, What::Ready { client: response.client_version.clone(), mode });
        self.work = Some(Work::start(&self.world, &self.session, mode, self.agreed));
    }

    fn sends(&mut self, output: Option<Output>) {
        match output {
            Some(Output::Payload(payload_type, plain)) => {
                let secret = matches!(payload_type, payload::OUTPUT | payload::STDERR | payload::EXIT_CODE);
                let payload = match self.keys.as_ref().filter(|_| secret) {
                    Some(keys) => keys.seal(&plain),
                    None => plain,
                };
                self.send(payload_type, payload);
            }
            Some(Output::End(why)) => {
                self.work = None;
                self.ending(&why, DRAIN);
            }
            None => {
                self.work = None;
                self.ending("the work stopped", DRAIN);
            }
        }
    }

    fn ending(&mut self, why: &str, drain: Duration) {
        self.stage = Stage::Ending { why: why.to_owned(), until: Instant::now() + drain };
    }
}

fn milliseconds() -> u64 {
    u64::try_from(Timestamp::now().as_millisecond()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_decide_how_bytes_are_carried() {
        fn check(
            agent: &str,
            client: &str,
            multiplexes: bool,
            agent_keeps: bool,
            client_keeps: bool,
            flag: bool,
        ) {
            let expected = Agreed {
                multiplexes,
                agent_keeps_alive: agent_keeps,
                client_keeps_alive: client_keeps,
                terminates_by_flag: flag,
            };
            assert_eq!(
                Agreed::new(version(agent).unwrap(), version(client).unwrap()),
                expected,
                "{agent} {client}"
            );
        }
        check("3.3.2299.0", "1.2.764.0", true, false, false, true);
        check("3.1.1511.0", "1.2.331.0", true, true, true, true);
        check("3.1.1512.0", "1.2.332.0", true, false, false, true);
        check("3.0.197.0", "1.1.70.0", true, true, true, true);
        check("3.0.196.0", "1.2.764.0", false, false, true, true);
        check("3.3.0.0", "1.1.69.0", false, true, false, true);
        check("2.3.722.0", "1.2.764.0", false, false, true, false);
        assert_eq!(version("1.2"), None);
        assert_eq!(version("1.2.x.4"), None);
        assert_eq!(version("1.2.3"), Some([1, 2, 3, 0]));
    }
}
