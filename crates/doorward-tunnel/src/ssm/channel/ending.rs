//! Why a session is over, in words.

/// Why a session is over.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Ending {
    /// Session Manager or the agent closed it.
    #[error("Session Manager closed the session{}", said(reason))]
    Closed {
        /// What it said; empty: nothing. It says nothing when somebody terminated the session.
        reason: String,
    },
    /// We closed it.
    #[error("the session was closed here")]
    Finished,
    /// It was idle for longer than Session Manager's idle timeout, or lived longer than it may.
    #[error("the session timed out: it was idle for too long, or reached its maximum duration")]
    TimedOut,
    /// No agent answered, or it did not complete its handshake.
    #[error(
        "the agent did not begin the session within {seconds} s: check that it is running, and online in Session Manager"
    )]
    NoHandshake {
        /// How long was waited, in seconds.
        seconds: u64,
    },
    /// What was agreed on in the handshake cannot be used.
    #[error("the agent began the session with an unsupported handshake: {why}")]
    Handshake { why: String },
    /// The agent takes nothing any more, though the gateway is there.
    #[error(
        "the agent stopped responding: it sent nothing for {seconds} s, and {bytes} sent bytes were not acknowledged"
    )]
    Unanswered {
        /// For how long, in seconds.
        seconds: u64,
        /// What had been sent.
        bytes: usize,
    },
    /// The gateway said that the agent is away, and it did not come back.
    #[error("the agent lost its connection to Session Manager and did not reconnect within {seconds} s")]
    Away {
        /// For how long, in seconds.
        seconds: u64,
    },
    /// One message was sent again and again.
    #[error("a message was sent {times} times and never acknowledged")]
    GaveUp {
        /// How often.
        times: u32,
    },
    /// A message was so large that the gateway closes the connection, each time.
    #[error("Session Manager rejects a message of {bytes} bytes; the next session sends smaller ones")]
    TooLarge {
        /// Its payload's size.
        bytes: usize,
    },
    /// What came is no session.
    #[error("a message from Session Manager is not valid: {why}")]
    Malformed { why: String },
    /// The connection to the gateway could not be had, or not again.
    #[error("no connection to Session Manager: {why}")]
    Lost {
        /// Why the last attempt failed.
        why: String,
    },
    /// The agent could not connect, and the session had nothing else to carry.
    #[error("the instance could not connect to the port")]
    Port,
}

fn said(reason: &str) -> String {
    if reason.is_empty() {
        " without a reason: it was terminated, or idle for too long".to_owned()
    } else {
        format!(": {reason}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peer_text::peer_text;

    #[test]
    fn an_end_is_told_in_words() {
        fn check(reason: &str, expected: &str) {
            assert_eq!(Ending::Closed { reason: peer_text(reason) }.to_string(), expected);
        }
        check(
            "Your session timed out due to inactivity.",
            "Session Manager closed the session: Your session timed out due to inactivity.",
        );
        check("two\r\nlines\x1b[31m", "Session Manager closed the session: two lines [31m");
        check(
            "",
            "Session Manager closed the session without a reason: it was terminated, or idle for too long",
        );
    }
}
