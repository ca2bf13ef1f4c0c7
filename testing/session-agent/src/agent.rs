//! The agent of one session: handshake, acknowledgements, resending, and the work that the document asks for.

mod challenge;
mod command;
mod handshake;
mod ports;
mod pty;
mod smux;
mod work;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, sleep_until};

use crate::channel::{Arrival, Channel, Due, acknowledgement};
use crate::conduct::Size;
use crate::message::{Kind, Message, flag, payload};
use crate::record::What;
use crate::session::{AgentEnd, Order, Session};
use crate::stand::World;
use crate::uuid::Uuid;
use challenge::Keys;
pub(crate) use handshake::version;
use handshake::{Agreed, Response};
use work::{Input, Output, Work};

/// Bytes that wait for the client's acknowledgement before the agent stops reading. The stock agent keeps 100,000
/// messages and then loses the oldest; a test is better served by one that waits.
const OUTSTANDING: usize = 64 << 20;
/// Frames that must find room before the agent sends something new.
const ROOM: usize = 8;
/// How long the last messages may take to be acknowledged.
const DRAIN: Duration = Duration::from_secs(10);

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
            match &*orders.borrow_and_update() {
                Order::Work => {}
                Order::End(why) => return End::Said(why.clone()),
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
