//! Sessions of Session Manager: started, resumed, ended, and who could be reached by one.

use std::collections::BTreeMap;
use std::fmt;

use doorward_core::session::OpenSession;
use jiff::Timestamp;

use crate::account::Account;
use crate::error::Error;
use crate::operation::session::{
    DescribeInstanceInformation, DescribeSessions, GetConnectionStatus, INSTANCES_A_CALL, ListedShape,
    ManagedShape, ResumeSession, SessionShape, StartSession, TerminateSession,
};

/// What a session is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// The instance: `i-0a1b2c3d4e5f60718`.
    pub target: String,
    /// The session document; none is a shell.
    pub document: Option<String>,
    /// What the document asks for: `host`, `portNumber`, `localPortNumber`.
    pub parameters: BTreeMap<String, Vec<String>>,
    /// What CloudTrail is told: 256 characters of it.
    pub reason: Option<String>,
}

/// A session that is open, and how to join it. `Debug` does not show the token.
#[derive(Clone, PartialEq, Eq)]
pub struct OpenedSession {
    /// Its id: the name of whoever started it, and a number.
    pub session: String,
    /// What is said first in the websocket.
    pub token: String,
    /// `wss://ssmmessages.…`
    pub url: String,
}

impl fmt::Debug for OpenedSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenedSession").field("session", &self.session).finish_non_exhaustive()
    }
}

impl OpenedSession {
    fn of(shape: SessionShape) -> Option<Self> {
        Some(Self { session: filled(shape.session)?, token: filled(shape.token)?, url: filled(shape.url)? })
    }
}

/// An instance that has, or had, an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Managed {
    /// Like `i-0a1b2c3d4e5f60718`.
    pub instance: String,
    /// Whether the agent answers.
    pub ping: Ping,
    /// When it last did.
    pub last_ping: Option<Timestamp>,
    /// The agent's version, like `3.3.551.0`.
    pub agent: Option<String>,
    /// Whether there is none newer.
    pub latest: Option<bool>,
    /// Like `Amazon Linux`.
    pub platform: Option<String>,
}

/// Whether an agent answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ping {
    /// It does.
    Online,
    /// It did, and does no longer.
    ConnectionLost,
    /// It is not to: the registration is over.
    Inactive,
}

impl fmt::Display for Ping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Online => "online",
            Self::ConnectionLost => "not answering",
            Self::Inactive => "no longer registered",
        })
    }
}

/// The most characters of a reason that Session Manager takes.
const LONGEST_REASON: usize = 256;

impl Account {
    /// Opens a session.
    pub async fn start_session(&self, start: &Start) -> Result<OpenedSession, Error> {
        let one_line = |reason: &String| {
            let line = reason.chars().map(|letter| if letter.is_control() { ' ' } else { letter });
            line.take(LONGEST_REASON).collect::<String>()
        };
        let operation = StartSession {
            target: start.target.clone(),
            document: start.document.clone(),
            parameters: start.parameters.clone(),
            reason: start.reason.as_ref().map(one_line).filter(|reason| !reason.trim().is_empty()),
        };
        let answer = self.ask(&operation).await?;
        OpenedSession::of(answer)
            .ok_or_else(|| self.unreadable::<StartSession>("the response has no session, token or URL"))
    }

    /// Joins a session again; none where it is over, for which AWS answers with an empty token.
    pub async fn resume_session(&self, session: &str) -> Result<Option<OpenedSession>, Error> {
        let operation = ResumeSession { session: session.to_owned() };
        match self.0.connection.call(&operation).await {
            Ok(answer) => Ok(OpenedSession::of(answer)),
            Err(failure) if failure.is(&["DoesNotExistException"]) => Ok(None),
            Err(failure) => Err(self.error_of::<ResumeSession>(failure)),
        }
    }

    /// Ends a session; one that is over already is no error.
    pub async fn terminate_session(&self, session: &str) -> Result<(), Error> {
        let operation = TerminateSession { session: session.to_owned() };
        match self.0.connection.call(&operation).await {
            Ok(_) => Ok(()),
            Err(failure) if failure.is(&["DoesNotExistException"]) => Ok(()),
            Err(failure) => Err(self.error_of::<TerminateSession>(failure)),
        }
    }

    /// Whether the agent of an instance is connected to Session Manager now; none: AWS says neither.
    pub async fn is_connected(&self, instance: &str) -> Result<Option<bool>, Error> {
        let answer = self.ask(&GetConnectionStatus { instance: instance.to_owned() }).await?;
        Ok(match answer.status.as_deref() {
            Some("connected") => Some(true),
            Some("notconnected") => Some(false),
            _ => None,
        })
    }

    /// The sessions that are open in the Region, whoever started them and to whichever instance; those that are
    /// ending already are not among them.
    pub async fn open_sessions(&self) -> Result<Vec<OpenSession>, Error> {
        let listed = self.ask_all(DescribeSessions::default()).await?;
        Ok(listed.into_iter().filter_map(open).collect())
    }

    /// Which of these instances have an agent; of those that never had one, nothing is told. None named: no call.
    pub async fn managed(&self, instances: &[String]) -> Result<Vec<Managed>, Error> {
        let mut managed = Vec::new();
        for chunk in instances.chunks(INSTANCES_A_CALL) {
            let operation = DescribeInstanceInformation { instances: chunk.to_vec(), token: None };
            managed.extend(self.ask_all(operation).await?.into_iter().filter_map(Managed::of));
        }
        Ok(managed)
    }
}

/// What AWS leaves empty it does not know.
fn filled(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

fn open(shape: ListedShape) -> Option<OpenSession> {
    if matches!(shape.status.as_deref(), Some("Terminating" | "Terminated" | "Failed")) {
        return None;
    }
    Some(OpenSession {
        id: filled(shape.id)?,
        target: filled(shape.target)?,
        reason: filled(shape.reason),
        owner: filled(shape.owner),
        since: shape.since.map(|instant| instant.0),
    })
}

impl Managed {
    fn of(shape: ManagedShape) -> Option<Self> {
        let ping = match shape.ping.as_deref() {
            Some("Online") => Ping::Online,
            Some("Inactive") => Ping::Inactive,
            _ => Ping::ConnectionLost,
        };
        Some(Self {
            instance: shape.id?,
            ping,
            last_ping: shape.last_ping.map(|instant| instant.0),
            agent: shape.agent,
            latest: shape.latest,
            platform: shape.platform,
        })
    }
}
