//! Grants as a command uses them: from a server, or from the policy file of this machine.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;

use doorward_core::grant::GrantId;
use doorward_core::policy::{TargetName, Transport};
use jiff::SignedDuration;

use super::Failure;
use super::backend::{self, Backend, BackendOptions};
use crate::client::{self, Client};
use crate::connect::Vend;
use crate::requests::{Ask, Caller, Carried, ClosedView, GrantView, Offer, OpenedView, Through};
use crate::running::Running;

/// A server that somebody is signed in to, or this machine's own Doorward.
pub enum Desk {
    /// A server. Its client blocks, so it is called on threads of its own.
    Server(Arc<Client>),
    /// The policy file of this machine.
    Local {
        /// What works on it.
        running: Running,
        caller: Caller,
    },
}

#[derive(Debug, Clone)]
pub struct Wish {
    pub target: TargetName,
    pub via: Option<Transport>,
    pub lasts: Option<SignedDuration>,
    pub reason: Option<String>,
}

impl Desk {
    /// Finds it, works at it, and leaves it.
    ///
    /// What still reads the standard input then, which may never end, is not waited for.
    pub fn work<T>(
        backend: &BackendOptions,
        policy: &Path,
        work: impl AsyncFnOnce(&Self) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        super::open_files();
        let runtime = doorward_tunnel::carry::runtime().map_err(Failure::with(super::Code::Internal))?;
        let done = runtime.block_on(async {
            let desk = Self::find(backend, policy).await?;
            let done = work(&desk).await;
            desk.leave().await;
            done
        });
        runtime.shutdown_background();
        done
    }

    async fn find(backend: &BackendOptions, policy: &Path) -> Result<Self, Failure> {
        match backend.find(policy)? {
            Backend::Server(client) => Ok(Self::Server(Arc::new(client))),
            Backend::Local(file, caller) => Ok(Self::Local { running: backend::start(*file).await?, caller }),
        }
    }

    /// Whether this machine's own policy and credentials are worked with.
    pub fn is_local(&self) -> bool {
        matches!(self, Self::Local { .. })
    }

    async fn ask<T: Send + 'static>(
        client: &Arc<Client>,
        ask: impl FnOnce(&Client) -> Result<T, client::Error> + Send + 'static,
    ) -> Result<T, Failure> {
        let client = Arc::clone(client);
        let answered = tokio::task::spawn_blocking(move || ask(&client)).await;
        answered.map_err(Failure::with(super::Code::Internal))?.map_err(super::server_failure)
    }

    /// What may be opened.
    pub async fn offers(&self) -> Result<Vec<Offer>, Failure> {
        match self {
            Self::Server(client) => Self::ask(client, Client::targets).await,
            Self::Local { running, caller } => Ok(running.requests().views().offers(&caller.person)),
        }
    }

    /// Opens, or extends what is open.
    pub async fn open(&self, wish: &Wish, directly: bool) -> Result<OpenedView, Failure> {
        match self {
            Self::Server(client) => {
                let wish = wish.clone();
                Self::ask(client, move |client| {
                    client.open(&wish.target, wish.lasts, wish.via, wish.reason.as_deref())
                })
                .await
            }
            Self::Local { running, caller } => {
                let ask = Ask {
                    target: wish.target.clone(),
                    address: if directly { outside().await? } else { IpAddr::V4(Ipv4Addr::LOCALHOST) },
                    transport: wish.via,
                    lasts: wish.lasts,
                    reason: wish.reason.clone(),
                };
                let requests = running.requests();
                let opened = requests.open(caller, ask).await.map_err(super::request_failure)?;
                Ok(requests.views().opened(opened).await)
            }
        }
    }

    /// What the person has open, and what waits.
    pub async fn mine(&self) -> Result<Vec<GrantView>, Failure> {
        match self {
            Self::Server(client) => Self::ask(client, |client| client.grants(false)).await,
            Self::Local { running, caller } => {
                running.requests().views().current(&caller.person).await.map_err(super::request_failure)
            }
        }
    }

    /// The address that a grant would admit; none if the server cannot determine it.
    pub async fn address(&self) -> Result<Option<IpAddr>, Failure> {
        match self {
            Self::Server(client) => Ok(Self::ask(client, Client::me).await?.address),
            Self::Local { .. } => outside().await.map(Some),
        }
    }

    /// The profile that the policy names, on the policy's own machine.
    pub fn profile(&self) -> Option<String> {
        match self {
            Self::Server(_) => None,
            Self::Local { running, .. } => running.requests().app().loaded().policy.aws.profile.clone(),
        }
    }

    /// The name of the machine that was asked.
    pub fn host(&self) -> Option<String> {
        match self {
            Self::Server(client) => client.host(),
            Self::Local { .. } => Some(Ipv4Addr::LOCALHOST.to_string()),
        }
    }

    /// A grant as it is now.
    pub async fn grant(&self, id: &GrantId) -> Result<GrantView, Failure> {
        match self {
            Self::Server(client) => {
                let id = id.clone();
                Self::ask(client, move |client| client.grant(&id)).await
            }
            Self::Local { running, caller } => {
                running.requests().views().one(caller, id).await.map_err(super::request_failure)
            }
        }
    }

    /// The transport settings of an open grant.
    pub async fn through(&self, id: &GrantId) -> Result<Through, Failure> {
        match self {
            Self::Server(client) => {
                let id = id.clone();
                Self::ask(client, move |client| client.through(&id)).await
            }
            Self::Local { running, caller } => {
                running.requests().carries(caller, id).await.map_err(super::request_failure)
            }
        }
    }

    /// Records an event of a tunnel in the audit log.
    pub async fn carried(&self, id: &GrantId, carried: Carried) -> Result<(), Failure> {
        match self {
            Self::Server(client) => {
                let id = id.clone();
                Self::ask(client, move |client| client.carried(&id, &carried)).await
            }
            Self::Local { running, caller } => {
                let done = running.requests().carried(caller, id, carried).await;
                done.map_err(super::request_failure)
            }
        }
    }

    /// Where credentials for a grant come from; none where the person's own are at hand.
    pub fn vending(&self, id: &GrantId) -> Option<Vend> {
        let Self::Server(client) = self else { return None };
        let (client, id) = (Arc::clone(client), id.clone());
        Some(Arc::new(move || {
            let (client, id) = (Arc::clone(&client), id.clone());
            Box::pin(async move {
                let vended = tokio::task::spawn_blocking(move || client.credentials(&id)).await;
                let vended = vended.map_err(|error| error.to_string())?;
                vended.map_err(|error| error.to_string())
            })
        }))
    }

    /// Takes a grant back.
    pub async fn close(&self, id: &GrantId) -> Result<ClosedView, Failure> {
        match self {
            Self::Server(client) => {
                let id = id.clone();
                Self::ask(client, move |client| client.close(&id)).await
            }
            Self::Local { running, caller } => {
                let requests = running.requests();
                let closed = requests.close(caller, id).await.map_err(super::request_failure)?;
                Ok(requests.views().closed(closed))
            }
        }
    }

    /// Leaves; this machine's own Doorward stops.
    async fn leave(self) {
        if let Self::Local { running, .. } = self {
            running.stop().await;
        }
    }
}

async fn outside() -> Result<IpAddr, Failure> {
    let asked = tokio::task::spawn_blocking(|| {
        backend::outside_address("`doorward open TARGET --address ADDRESS` admits an address that you name")
    })
    .await;
    asked.map_err(Failure::with(super::Code::Internal))?
}
