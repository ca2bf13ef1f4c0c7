//! Waiting for states, each within a bound.

use std::time::{Duration, Instant};

use doorward_core::plan::network::Awaited;

use super::again::Attempts;
use super::run::{Reporter, Run, Tried};
use super::{Event, NotDone};
use crate::operation::{DescribeNatGateways, DescribeVpcEndpoints};

/// A state as it was polled.
pub(super) enum Polled {
    /// As it was waited for.
    Reached,
    NotYet(String),
    /// Never: the state and AWS's reason.
    Never(String, String),
}

/// How often a state is polled. With the default pace, AWS's own bound of ten minutes for NAT gateways, a quarter of an hour for
/// endpoints, load balancers and new targets, for databases and their snapshots an hour, twice that of AWS's, and for the interfaces of Lambda the 45 minutes after which Terraform gives up.
fn polls(awaited: &Awaited) -> u32 {
    match awaited {
        Awaited::NatGateway(_) => 43,
        Awaited::Endpoint(_) => 63,
        Awaited::NatGatewayGone(_) | Awaited::EndpointGone(_) => 83,
        Awaited::InstanceRuns(_) | Awaited::InstanceStopped(_) | Awaited::InstanceGone(_) => 43,
        Awaited::Database(..) | Awaited::DatabaseStopped(..) | Awaited::DatabaseGone(..) => 243,
        Awaited::Snapshot(..) => 243,
        Awaited::Balancer(..) | Awaited::GroupServes(..) => 63,
        Awaited::BalancerGone(..) | Awaited::GroupGone(..) => 83,
        Awaited::GroupUnused(_) => 183,
    }
}

impl Run {
    /// Waits for a state, and reports each poll.
    pub(super) async fn wait(&self, awaited: &Awaited, reporter: &Reporter) -> Result<(), NotDone> {
        let begun = Instant::now();
        let resource = awaited.touches();
        let what = || format!("{} {resource}", resource.kind());
        let (mut attempts, mut number) = (Attempts::default(), 0);
        loop {
            let state = match self.poll(awaited).await {
                Ok(Polled::Reached) => return Ok(()),
                Ok(Polled::NotYet(state)) => state,
                Ok(Polled::Never(state, why)) => {
                    let is_replaced = matches!(awaited, Awaited::NatGateway(_) | Awaited::Endpoint(_));
                    return Err(NotDone::Dead { what: what(), state, why, is_replaced });
                }
                Err(tried) => {
                    self.again(&mut attempts, tried, reporter).await?;
                    continue;
                }
            };
            let since = begun.elapsed();
            if number >= polls(awaited) {
                return Err(self.late(awaited, what(), state, since));
            }
            reporter.report(Event::Waits { step: reporter.step, since, state });
            self.pause(self.pace.pause(number)).await?;
            number += 1;
        }
    }

    fn late(&self, awaited: &Awaited, what: String, state: String, waited: Duration) -> NotDone {
        match awaited {
            Awaited::GroupUnused(_) => NotDone::InUse { what, users: state },
            _ => NotDone::Late { what, state, waited },
        }
    }

    async fn poll(&self, awaited: &Awaited) -> Result<Polled, Tried> {
        match awaited {
            Awaited::NatGateway(id) => {
                let all = self.pages(DescribeNatGateways::default()).await?;
                let Some(gateway) = all.into_iter().find(|it| it.id.as_deref() == Some(id.as_str())) else {
                    // A new one is not visible at once.
                    return Ok(Polled::NotYet("not visible".to_owned()));
                };
                let state = gateway.state.unwrap_or_default();
                let why = || match (gateway.failure, gateway.why) {
                    (Some(code), Some(why)) => format!("{code}: {why}"),
                    (one, other) => one.or(other).unwrap_or_else(|| "AWS gives no reason".to_owned()),
                };
                Ok(match state.as_str() {
                    "available" => Polled::Reached,
                    "failed" | "deleting" | "deleted" => Polled::Never(state, why()),
                    _ => Polled::NotYet(state),
                })
            }
            Awaited::NatGatewayGone(id) => {
                let all = self.pages(DescribeNatGateways::default()).await?;
                let gateway = all.into_iter().find(|it| it.id.as_deref() == Some(id.as_str()));
                let state = gateway.and_then(|it| it.state).unwrap_or_else(|| "deleted".to_owned());
                // One that failed has neither an address nor an interface, and AWS removes it within an hour (VPC user guide,
                // "Troubleshoot NAT gateways").
                let is_gone = matches!(state.as_str(), "deleted" | "failed");
                Ok(if is_gone { Polled::Reached } else { Polled::NotYet(state) })
            }
            Awaited::Endpoint(id) => {
                let all = self.pages(DescribeVpcEndpoints::default()).await?;
                let endpoint = all.into_iter().find(|it| it.id.as_deref() == Some(id.as_str()));
                let Some(endpoint) = endpoint else {
                    return Ok(Polled::NotYet("not visible".to_owned()));
                };
                // AWS writes the states of gateway endpoints and of interface endpoints in different cases.
                let state = endpoint.state.unwrap_or_default().to_ascii_lowercase();
                Ok(match state.as_str() {
                    "available" => Polled::Reached,
                    "failed" | "rejected" | "expired" | "deleting" | "deleted" => {
                        Polled::Never(state, "AWS gives no reason".to_owned())
                    }
                    _ => Polled::NotYet(state),
                })
            }
            Awaited::EndpointGone(id) => {
                let all = self.pages(DescribeVpcEndpoints::default()).await?;
                let endpoint = all.into_iter().find(|it| it.id.as_deref() == Some(id.as_str()));
                let state = endpoint.and_then(|it| it.state).unwrap_or_else(|| "deleted".to_owned());
                let state = state.to_ascii_lowercase();
                Ok(if state == "deleted" { Polled::Reached } else { Polled::NotYet(state) })
            }
            Awaited::InstanceRuns(id) => self.instance_runs(id).await,
            Awaited::InstanceStopped(id) => self.instance_stopped(id).await,
            Awaited::InstanceGone(id) => self.instance_gone(id).await,
            Awaited::Database(_, name) => self.database_available(name).await,
            Awaited::DatabaseStopped(_, name) => self.database_stopped(name).await,
            Awaited::DatabaseGone(_, name) => self.database_gone(name).await,
            Awaited::Snapshot(_, name) => self.snapshot_available(name).await,
            Awaited::Balancer(_, name) => self.balancer_active(name).await,
            Awaited::BalancerGone(_, name) => self.balancer_gone(name).await,
            Awaited::GroupServes(_, name) => self.group_serves(name).await,
            Awaited::GroupGone(_, name) => self.group_gone(name).await,
            Awaited::GroupUnused(id) => {
                let users = self.users(id).await?;
                Ok(if users.is_empty() { Polled::Reached } else { Polled::NotYet(users.join(", ")) })
            }
        }
    }
}
