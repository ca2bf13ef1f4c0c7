//! One account and Region, as far as moto does not know it: states in time, and what is still to be done.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::answer::Refusal;
use crate::behaviour::{
    database::Database, instance_refresh, interfaces, interfaces::Interface, reference, regional_nat_gateway,
    scaling_activity, tokens::Tokens, visibility::Unseen,
};
use crate::call::Service;
use crate::clock::later;
use crate::form::Form;
use crate::life::Life;
use crate::moto::Moto;
use crate::settings::{Delay, Settings};
use crate::xml::Element;

/// One account and Region.
#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) region: String,
    moto: Moto,
    /// The time of the call that is being answered, or of what is due before it.
    pub(crate) now: Timestamp,
    /// The test's settings; lent by the proxy for the length of a call.
    pub(crate) settings: Settings,
    /// States by id; a database is `db:NAME`, its snapshot `snapshot:NAME`, a balancer its ARN.
    pub(crate) lives: BTreeMap<String, Life>,
    pub(crate) tokens: Tokens,
    pub(crate) unseen: BTreeMap<String, Unseen>,
    pub(crate) interfaces: BTreeMap<String, Interface>,
    /// Interfaces of instances that stay when the instance is terminated.
    pub(crate) kept: BTreeSet<String>,
    pub(crate) databases: BTreeMap<String, Database>,
    pub(crate) refreshes: BTreeMap<String, Vec<instance_refresh::Refresh>>,
    /// The launch template of each instance of an Auto Scaling group.
    pub(crate) launched: BTreeMap<String, Element>,
    /// The interfaces that each Lambda function uses, by the keys of their owners.
    pub(crate) functions: BTreeMap<String, Vec<String>>,
    /// The security groups of caches and database proxies, which moto does not keep, by their keys.
    pub(crate) groups: BTreeMap<String, Vec<String>>,
    /// The replication group of each cache in one, which moto does not tell.
    pub(crate) replicated: BTreeMap<String, String>,
    /// The subnets of serverless caches, by name.
    pub(crate) serverless_caches: BTreeMap<String, Vec<String>>,
    /// The deployment controllers of services of ECS that are not replaced by ECS itself, by name.
    pub(crate) controllers: BTreeMap<String, String>,
    /// The zones of regional NAT gateways.
    pub(crate) regional: BTreeMap<String, Vec<regional_nat_gateway::Zone>>,
    /// The activities of Auto Scaling groups, the oldest first.
    pub(crate) activities: Vec<scaling_activity::Activity>,
    /// The descriptions of rules that refer to groups.
    pub(crate) descriptions: BTreeMap<reference::Rule, String>,
    /// Whether the default VPC is as AWS makes it.
    pub(crate) has_default_vpc: bool,
    /// Parameters that AWS ignores in silence and a client should not send.
    pub(crate) violations: Vec<String>,
    agenda: Vec<Due>,
}

/// An action that is due at a time.
#[derive(Debug, Clone)]
struct Due {
    at: Timestamp,
    of: String,
    errand: Errand,
}

/// An action of the account that no call asks for.
#[derive(Debug, Clone)]
pub(crate) enum Errand {
    /// moto is asked to do what AWS has done by now.
    Ask(Service, &'static str, Form),
    /// A resource is no longer shown.
    Forget,
    /// The network interfaces of a resource are deleted.
    DeleteInterfaces,
    /// An instance refresh takes its next step.
    Refresh,
}

impl Account {
    pub(crate) fn new(region: &str, moto: Moto, now: Timestamp) -> Self {
        Self {
            region: region.to_owned(),
            moto,
            now,
            settings: Settings::default(),
            lives: BTreeMap::new(),
            tokens: Tokens::default(),
            unseen: BTreeMap::new(),
            interfaces: BTreeMap::new(),
            kept: BTreeSet::new(),
            databases: BTreeMap::new(),
            refreshes: BTreeMap::new(),
            launched: BTreeMap::new(),
            functions: BTreeMap::new(),
            groups: BTreeMap::new(),
            replicated: BTreeMap::new(),
            serverless_caches: BTreeMap::new(),
            controllers: BTreeMap::new(),
            regional: BTreeMap::new(),
            activities: Vec::new(),
            descriptions: BTreeMap::new(),
            has_default_vpc: false,
            violations: Vec::new(),
            agenda: Vec::new(),
        }
    }

    /// Asks moto.
    pub(crate) async fn ask(
        &self,
        service: Service,
        action: &str,
        fields: &[(&str, &str)],
    ) -> Result<Element, Refusal> {
        self.moto.ask(&self.region, service, action, &Form::of(fields)).await
    }

    /// Asks EC2 of moto for all of a kind that meet one filter.
    pub(crate) async fn find(&self, action: &str, filter: &str, value: &str) -> Result<Element, Refusal> {
        self.ask(Service::Ec2, action, &[("Filter.1.Name", filter), ("Filter.1.Value.1", value)]).await
    }

    /// The state of a resource that has one here.
    pub(crate) fn state(&self, id: &str) -> Option<&str> {
        self.lives.get(id).map(|life| life.state(self.now))
    }

    /// Begins a new life of a resource; nothing of an earlier one happens any more.
    pub(crate) fn live(&mut self, id: &str, life: Life) {
        self.cancel(id);
        self.lives.insert(id.to_owned(), life);
    }

    /// How long something takes, in seconds.
    pub(crate) fn delay(&self, delay: Delay) -> i64 {
        self.settings.delay(delay)
    }

    /// Lets something happen at a time.
    pub(crate) fn schedule(&mut self, at: Timestamp, of: &str, errand: Errand) {
        self.agenda.push(Due { at, of: of.to_owned(), errand });
    }

    /// The same so many seconds from now.
    pub(crate) fn schedule_in(&mut self, seconds: i64, of: &str, errand: Errand) {
        self.schedule(later(self.now, seconds), of, errand);
    }

    /// Nothing of this resource is still to happen.
    pub(crate) fn cancel(&mut self, of: &str) {
        self.agenda.retain(|due| due.of != of);
    }

    /// Does all that is due until a time, in order.
    pub(crate) async fn settle(&mut self, until: Timestamp) {
        loop {
            let due = self.agenda.iter().enumerate().filter(|(_, due)| due.at <= until);
            let Some(next) = due.min_by_key(|(at, due)| (due.at, *at)).map(|(at, _)| at) else { break };
            let Due { at, of, errand } = self.agenda.remove(next);
            self.now = self.now.max(at);
            let done = match errand {
                Errand::Ask(service, action, form) => {
                    self.moto.ask(&self.region, service, action, &form).await.map(|_| ())
                }
                Errand::Forget => {
                    self.lives.remove(&of);
                    self.databases.remove(&of);
                    Ok(())
                }
                Errand::DeleteInterfaces => interfaces::delete(self, &of).await,
                Errand::Refresh => instance_refresh::step(self, &of).await,
            };
            if let Err(Refusal { code, message, .. }) = done {
                self.violations.push(format!("moto refused what is due of {of}: {code}: {message}"));
            }
        }
        self.now = self.now.max(until);
    }
}
