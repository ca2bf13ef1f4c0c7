//! SOCKS 5 as a server hears it: bytes in, bytes and a destination out. RFC 1928.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::dial::{Destination, Host};

const VERSION: u8 = 5;
const NO_PASSWORD: u8 = 0;
const NO_METHOD: u8 = 0xff;
const CONNECT: u8 = 1;

/// What a client is told of its request. RFC 1928, 6.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Reply {
    /// Bytes are carried from now on.
    Succeeded = 0,
    /// The transport is gone, or something else.
    Failed = 1,
    /// The client may not go there.
    NotAllowed = 2,
    /// The network cannot be reached.
    NetworkUnreachable = 3,
    /// The host cannot be reached, or is not known.
    HostUnreachable = 4,
    /// Nothing listens there.
    Refused = 5,
    /// Nobody answered. (RFC 1928 calls it a time to live that expired; it is what others answer.)
    TimedOut = 6,
    /// Something else than CONNECT was wanted.
    NotSupported = 7,
    /// An address of an unknown kind.
    AddressNotSupported = 8,
}

impl Reply {
    /// As bytes, with the address that it names.
    pub fn encode(self, bound: SocketAddr) -> Vec<u8> {
        let mut bytes = vec![VERSION, self as u8, 0];
        match bound {
            SocketAddr::V4(address) => {
                bytes.push(1);
                bytes.extend(address.ip().octets());
            }
            SocketAddr::V6(address) => {
                bytes.push(4);
                bytes.extend(address.ip().octets());
            }
        }
        bytes.extend(bound.port().to_be_bytes());
        bytes
    }
}

/// What a client and we have said until the request is whole.
#[derive(Debug, Default)]
pub struct Conversation {
    heard: Vec<u8>,
    greeted: bool,
}

/// What comes of what was heard.
#[derive(Debug, PartialEq, Eq)]
pub enum Event {
    /// This is to be said, and more to be heard.
    More {
        /// Bytes for the client; there may be none.
        say: Vec<u8>,
    },
    /// The client wants to go there; it waits for a [`Reply`].
    Asked {
        /// Bytes for the client before that.
        say: Vec<u8>,
        to: Destination,
    },
}

/// The client is told so and let go.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct Refused {
    /// Bytes for the client.
    pub say: Vec<u8>,
    pub why: String,
}

impl Conversation {
    /// Takes what the client said.
    pub fn heard(&mut self, bytes: &[u8]) {
        self.heard.extend_from_slice(bytes);
    }

    /// What comes of it. To be called after each [`Self::heard`], until the client has asked or was refused.
    #[expect(
        clippy::should_implement_trait,
        reason = "it is no iterator: it goes on only when more was heard"
    )]
    pub fn next(&mut self) -> Result<Event, Refused> {
        let mut say = Vec::new();
        if !self.greeted {
            let Some(size) = self.greeting()? else { return Ok(Event::More { say }) };
            self.heard.drain(..size);
            self.greeted = true;
            say.extend([VERSION, NO_PASSWORD]);
        }
        match self.request() {
            Ok(None) => Ok(Event::More { say }),
            Ok(Some((to, size))) => {
                self.heard.drain(..size);
                Ok(Event::Asked { say, to })
            }
            Err(mut refused) => {
                say.append(&mut refused.say);
                Err(Refused { say, why: refused.why })
            }
        }
    }

    /// What the client said after its request: it is for the far side.
    pub fn rest(self) -> Vec<u8> {
        self.heard
    }

    /// The size of a greeting that offers to go without a password: version, count, methods.
    fn greeting(&self) -> Result<Option<usize>, Refused> {
        match self.heard.first() {
            None => return Ok(None),
            Some(&VERSION) => {}
            Some(4) => {
                // As SOCKS 4 refuses: version 0, code 91, and six bytes that mean nothing.
                let say = vec![0, 91, 0, 0, 0, 0, 0, 0];
                return Err(Refused {
                    say,
                    why: "the client uses SOCKS 4, and this is a SOCKS 5 proxy".to_owned(),
                });
            }
            Some(byte) => {
                let why = format!("the client does not use SOCKS 5: it begins with 0x{byte:02x}");
                return Err(Refused { say: Vec::new(), why });
            }
        }
        let Some(count) = self.heard.get(1).map(|count| usize::from(*count)) else { return Ok(None) };
        let Some(methods) = self.heard.get(2..2 + count) else { return Ok(None) };
        if methods.contains(&NO_PASSWORD) {
            return Ok(Some(2 + count));
        }
        let why = "the client requires password authentication, which this proxy does not have".to_owned();
        Err(Refused { say: vec![VERSION, NO_METHOD], why })
    }

    /// Where to, and the size of the request: version, command, 0, kind of address, address, port.
    fn request(&self) -> Result<Option<(Destination, usize)>, Refused> {
        let refused = |reply: Reply, why: String| {
            Err(Refused { say: reply.encode(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0))), why })
        };
        let Some((&[version, command, _, kind], rest)) = self.heard.split_first_chunk() else {
            return Ok(None);
        };
        if version != VERSION {
            return refused(Reply::Failed, format!("the request has version {version}, not 5"));
        }
        if command != CONNECT {
            let what = match command {
                2 => "BIND".to_owned(),
                3 => "UDP ASSOCIATE".to_owned(),
                other => format!("command {other}"),
            };
            return refused(
                Reply::NotSupported,
                format!("the client requested {what}, and only CONNECT is supported"),
            );
        }
        let (host, rest) = match kind {
            1 => {
                let Some((octets, rest)) = rest.split_first_chunk::<4>() else { return Ok(None) };
                (Host::Address(Ipv4Addr::from(*octets).into()), rest)
            }
            4 => {
                let Some((octets, rest)) = rest.split_first_chunk::<16>() else { return Ok(None) };
                (Host::Address(Ipv6Addr::from(*octets).to_canonical()), rest)
            }
            3 => {
                let Some((size, rest)) = rest.split_first() else { return Ok(None) };
                let Some((name, rest)) = rest.split_at_checked(usize::from(*size)) else { return Ok(None) };
                let Some(host) = host(name) else {
                    return refused(Reply::Failed, "the client names a host that cannot be one".to_owned());
                };
                (host, rest)
            }
            other => {
                return refused(
                    Reply::AddressNotSupported,
                    format!("an address of the unknown kind {other}"),
                );
            }
        };
        let Some((port, rest)) = rest.split_first_chunk::<2>() else { return Ok(None) };
        let to = Destination { host, port: u16::from_be_bytes(*port) };
        Ok(Some((to, self.heard.len() - rest.len())))
    }
}

/// A name that can go on: letters that are seen, and not empty. Some clients send an address as a name.
fn host(name: &[u8]) -> Option<Host> {
    if name.is_empty() || !name.iter().all(u8::is_ascii_graphic) {
        return None;
    }
    let Ok(host) = std::str::from_utf8(name).ok()?.parse();
    Some(host)
}

#[cfg(test)]
mod tests;
