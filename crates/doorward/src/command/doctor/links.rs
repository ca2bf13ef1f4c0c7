//! The steps, in the order in which a packet needs them. Nothing is checked after a step that failed, except for what
//! revoking the grant removed.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use doorward_aws::{Account, Located, Ping};
use doorward_core::policy::{Address, Over, Transport};
use doorward_core::reach::{Flows, Reachability, Selector, Verdict};
use doorward_tunnel::dial::{Destination, Dial as _, Host};
use doorward_tunnel::news::{in_words, nobody};
use jiff::{SignedDuration, Timestamp};

use super::super::Failure;
use super::super::access::{self, Access};
use super::super::desk::Desk;
use super::confined;
use super::database::{self, Answer};
use super::revocation::{self, Used};
use super::{Chain, Doctor, Link, State, unanswered};
use crate::requests::{By, ClosedView, Through};

/// AWS refuses signatures that are further off than this, in seconds.
const CLOCK_BREAKS: u64 = 300;
/// A clock that is further off than this, in seconds, is reported.
const CLOCK_WEARS: u64 = 30;

/// The first version of the agent that has several connections in one session.
const MANY: [u64; 3] = [3, 0, 196];

/// How long a target may take to answer.
const ANSWERS: Duration = Duration::from_secs(15);

/// How long a grant of its own is asked for: as long as the walk may take. It is closed when that ends.
const WALKS: SignedDuration = SignedDuration::from_mins(5);

/// Ends the walk: the chain has why.
struct Broken;

/// Nothing could be connected to: the chain has why.
struct Unopened {
    /// What came of revoking the grant of the walk, if there was one and it could be revoked.
    closed: Option<Box<ClosedView>>,
}

impl From<Broken> for Unopened {
    fn from(Broken: Broken) -> Self {
        Self { closed: None }
    }
}

type Walked<T> = Result<T, Broken>;

/// Walks as far as the links hold.
pub async fn walk(doctor: &Doctor, desk: &Desk, policy: &Path, chain: &mut Chain) -> Result<(), Failure> {
    let mut walker = Walker { doctor, desk, chain, printed: Ok(()), used: Used::None, vended: None };
    // The chain has the step that failed.
    let _ = walker.all(policy).await;
    walker.printed
}

struct Walker<'w> {
    doctor: &'w Doctor,
    desk: &'w Desk,
    chain: &'w mut Chain,
    /// Whether every step could be printed.
    printed: Result<(), Failure>,
    used: Used,
    /// Whether credentials were vended for the grant; none where the server vends none.
    vended: Option<bool>,
}

impl Walker<'_> {
    fn add(&mut self, link: &'static str, state: State, found: impl Into<String>, fix: Option<String>) {
        self.push(Link { link, state, found: found.into(), fix });
    }

    fn push(&mut self, link: Link) {
        let added = self.chain.add(link);
        if self.printed.is_ok() {
            self.printed = added;
        }
    }

    fn whole(&mut self, link: &'static str, found: impl Into<String>) {
        self.add(link, State::Whole, found, None);
    }

    fn broken<T>(&mut self, link: &'static str, found: impl Into<String>, fix: Option<String>) -> Walked<T> {
        self.add(link, State::Broken, found, fix);
        Err(Broken)
    }

    fn failed<T>(&mut self, link: &'static str, failure: &Failure) -> Walked<T> {
        self.broken(link, failure.words(), failure.what_next().map(str::to_owned))
    }

    async fn all(&mut self, policy: &Path) -> Walked<()> {
        let (walked, closed) = match self.opened().await {
            Ok(access) => {
                let walked = self.through(&access, policy).await;
                (walked, access.close(self.desk, (0, 0), "the diagnosis ended", false).await)
            }
            Err(Unopened { closed }) => (Err(Broken), closed.map(|closed| *closed)),
        };
        for link in revocation::links(self.used, self.vended, closed.as_ref()) {
            self.push(link);
        }
        walked
    }

    /// The grant, and what AWS says before anything is connected.
    async fn opened(&mut self) -> Result<Access, Unopened> {
        let doctor = self.doctor;
        let offers = match self.desk.offers().await {
            Ok(offers) => offers,
            Err(failure) => return self.failed("policy", &failure).map_err(Unopened::from),
        };
        let usual = offers.iter().find(|offer| offer.target == doctor.target);
        let usual = usual.map(|offer| SignedDuration::from_secs(offer.usually));
        let lasts = usual.map(|usual| usual.min(WALKS));
        let granted = access::granted(&doctor.asking, self.desk, &doctor.target, &offers, lasts).await;
        let granted = match granted {
            Ok(granted) => granted,
            Err(failure) => return self.failed("grant", &failure).map_err(Unopened::from),
        };
        let transport = granted.grant.transport;
        let used = if granted.extended { ", which was open already" } else { "" };
        self.whole("grant", format!("{} by {transport}{used}", granted.grant.id));
        let id = granted.grant.id.clone();
        self.used = match (granted.extended, doctor.asking.keep) {
            (true, _) => Used::Held,
            (false, true) => Used::Kept,
            (false, false) => Used::Own,
        };
        let own = self.used == Used::Own;
        let checked = match &granted.through {
            Some(through) if transport != Transport::Direct => {
                let accounts = access::accounts(&doctor.asking, self.desk, through, &id);
                let vends = through.vended && self.desk.vending(&id).is_some();
                self.vended = vends.then_some(false);
                match accounts.get().await {
                    Ok(account) => {
                        self.vended = vends.then_some(true);
                        self.account(&account, &through.by).await
                    }
                    Err(error) => self.failed("credentials", &access::failure(error.into())),
                }
            }
            _ => Ok(()),
        };
        if checked.is_ok() {
            match Access::built(&doctor.asking, self.desk, granted, own, nobody(), false).await {
                Ok(access) => return Ok(access),
                Err(failure) => {
                    let _: Walked<()> = self.failed("transport", &failure);
                }
            }
        }
        if !own {
            return Err(Broken.into());
        }
        let closed = self.desk.close(&id).await.map_err(Failure::report);
        Err(Unopened { closed: closed.ok().map(Box::new) })
    }

    async fn account(&mut self, account: &Account, by: &By) -> Walked<()> {
        match account.identity().await {
            Ok(identity) => self.whole("credentials", identity.arn),
            Err(error) => {
                let fix = error.hint().map(str::to_owned);
                return self.broken("credentials", in_words(&error), fix);
            }
        }
        self.clock(account.clock_ahead())?;
        let jump_host = match by {
            By::Direct => return Ok(()),
            By::Ssm(sessions) => &sessions.jump_host,
            By::Ssh(machine) => &machine.jump_host,
        };
        let Ok(address) = jump_host.parse::<Address>() else {
            return self.broken(
                "jump host",
                format!("`{jump_host}` is neither an instance nor an address"),
                None,
            );
        };
        if !address.is_instance() {
            self.whole("jump host", format!("{address}, by its name"));
            return Ok(());
        }
        let jump = match account.jump(&address).await {
            Ok(jump) => jump,
            Err(error) => return self.broken("jump host", error.to_string(), error.hint()),
        };
        self.whole("jump host", format!("{} is {}", jump.instance, jump.state));
        let by_session = match by {
            By::Ssm(_) => true,
            By::Ssh(machine) => machine.over == Over::Ssm,
            By::Direct => false,
        };
        if by_session {
            self.agent(account, &jump.instance).await?;
        }
        if let By::Ssm(sessions) = by
            && let Some(name) = &sessions.document
        {
            self.document(account, name).await?;
        }
        Ok(())
    }

    fn clock(&mut self, ahead: Option<i64>) -> Walked<()> {
        let fix = || Some("set the clock of this machine by NTP: `timedatectl set-ntp true`".to_owned());
        let words = |ahead: i64| {
            let side = if ahead > 0 { "ahead of" } else { "behind" };
            format!("{} s {side} AWS's", ahead.unsigned_abs())
        };
        match ahead {
            Some(ahead) if ahead.unsigned_abs() >= CLOCK_BREAKS => self.broken("clock", words(ahead), fix()),
            Some(ahead) if ahead.unsigned_abs() >= CLOCK_WEARS => {
                self.add("clock", State::Worn, words(ahead), fix());
                Ok(())
            }
            Some(_) => {
                self.whole("clock", "as AWS's");
                Ok(())
            }
            None => {
                self.add("clock", State::Unseen, "AWS did not report its time", None);
                Ok(())
            }
        }
    }

    async fn agent(&mut self, account: &Account, instance: &str) -> Walked<()> {
        let managed = match account.managed(&[instance.to_owned()]).await {
            Ok(managed) => managed,
            Err(error) => {
                // People need no permission to list agents; the session itself shows whether there is one.
                self.add("agent", State::Unseen, in_words(&error), error.hint().map(str::to_owned));
                return Ok(());
            }
        };
        let Some(agent) = managed.into_iter().find(|agent| agent.instance == instance) else {
            let fix = "start amazon-ssm-agent on it, and give it a role with AmazonSSMManagedInstanceCore and a path \
                       to ssm, ssmmessages and ec2messages";
            return self.broken(
                "agent",
                format!("{instance} has never registered an agent"),
                Some(fix.into()),
            );
        };
        if agent.ping != Ping::Online {
            let since = agent.last_ping.map(|at| format!(" since {}", super::super::instant(at)));
            let found = format!("it is {}{}", agent.ping, since.unwrap_or_default());
            let fix = "check that the instance is running and can reach the ssm endpoints".to_owned();
            return self.broken("agent", found, Some(fix));
        }
        let version = agent.agent.unwrap_or_default();
        if version_of(&version) <= MANY {
            let found = format!("online, version {version}: one connection per session");
            let fix = "`AWS-UpdateSSMAgent` updates it".to_owned();
            self.add("agent", State::Worn, found, Some(fix));
        } else {
            self.whole("agent", format!("online, version {version}"));
        }
        Ok(())
    }

    async fn document(&mut self, account: &Account, name: &str) -> Walked<()> {
        match account.document(name).await {
            Ok(Some(_)) => self.whole("document", name.to_owned()),
            Ok(None) => {
                let fix = "an operator creates it with `doorward documents --apply`".to_owned();
                return self.broken(
                    "document",
                    format!("the session document `{name}` does not exist"),
                    Some(fix),
                );
            }
            Err(error) => {
                self.add("document", State::Unseen, in_words(&error), error.hint().map(str::to_owned));
            }
        }
        Ok(())
    }

    /// What is behind the jump host, up to what listens.
    async fn through(&mut self, access: &Access, policy: &Path) -> Walked<()> {
        let located = match access.located().await {
            Ok(located) => located,
            Err(failure) => return self.failed("target", &failure),
        };
        let state = located.state.as_ref().map(|state| format!(", {state}")).unwrap_or_default();
        let running = ["available", "running", "backing-up", "modifying", "storage-optimization"];
        match &located.state {
            Some(state) if !running.contains(&state.as_str()) => {
                let found = format!("{} is {state}", located.what);
                return self.broken("target", found, Some("start it, or wait until it is available".into()));
            }
            _ => self.whole("target", format!("{} at {}{state}", located.what, located.host)),
        }
        let Ok(host) = located.host.parse::<Host>();
        let port = access.granted(&host).each(usize::from(u16::MAX)).and_then(|ports| ports.first().copied());
        let Some(port) = port else {
            return self.broken("target", "the grant has no TCP port", None);
        };
        self.rules(access, &located, port, policy);
        let to = Destination { host: host.clone(), port };
        if let Err(failure) = access.connect(self.desk, Some(&to)).await {
            return self.failed("connection", &failure);
        }
        self.whole("connection", format!("by {}", access.transport));
        for link in confined::tried(access).await {
            self.push(link);
        }
        let within = access.within(access.granted(&host));
        let dialled = tokio::time::timeout(ANSWERS, within.dial(&to)).await;
        let stream = match dialled {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => {
                let fix = unanswered::fix(&access.through, unanswered::Fault::of(&error));
                return self.broken("listener", in_words(&error), Some(fix));
            }
            Err(_) => {
                let found = format!("`{to}` did not answer within {} s", ANSWERS.as_secs());
                let fix = unanswered::fix(&access.through, unanswered::Fault::Silent);
                return self.broken("listener", found, Some(fix));
            }
        };
        let asked = tokio::time::timeout(ANSWERS, database::ask(stream, access.service(port))).await;
        self.database(&access.through, asked.unwrap_or(Ok(Answer::Silent)), &to)?;
        self.sign_in(access, &located, port).await
    }

    /// Security groups, network ACLs and routes, in the recorded account that the policy names.
    fn rules(&mut self, access: &Access, located: &Located, port: u16, policy: &Path) {
        let link = "rules";
        let Some(seen) = recorded(self.desk, policy) else {
            let found = "no recorded account to check".to_owned();
            let fix =
                "save one with `doorward inventory save FOLDER`, and name it in `[inventory]` of the policy"
                    .to_owned();
            self.add(link, State::Unseen, found, Some(fix));
            return;
        };
        let jump_host = match &access.through.by {
            By::Direct => return,
            By::Ssm(sessions) => sessions.jump_host.as_str(),
            By::Ssh(machine) => machine.jump_host.as_str(),
        };
        let inventory = seen.inventory();
        let name = |text: &str| match text.parse::<Address>() {
            Ok(Address::Tag(_, value)) => value,
            Ok(address) => {
                address.to_string().split_once(':').map_or(address.to_string(), |(_, id)| id.into())
            }
            Err(_) => text.to_owned(),
        };
        let address = access.through.address.as_deref().unwrap_or(&located.host);
        let (from, to) = (name(jump_host), name(address));
        let ends =
            Selector::find(&from, inventory).and_then(|from| Ok((from, Selector::find(&to, inventory)?)));
        let (from, to) = match ends {
            Ok(ends) => ends,
            Err(error) => {
                self.add(link, State::Unseen, format!("in the recorded account: {error}"), None);
                return;
            }
        };
        let asked = Flows::from(doorward_core::net::Flow::Tcp(doorward_core::net::Ports::one(port)));
        let answer = seen.ask(&from, &to, Some(&asked));
        match answer.verdict {
            Verdict::Yes | Verdict::Partly => {
                self.whole(link, format!("{from} can reach {to} on tcp/{port}"))
            }
            Verdict::Unknown => {
                self.add(link, State::Unseen, "the recorded account does not have enough data", None);
            }
            Verdict::No => {
                // The account may have changed since it was recorded: the connection itself decides.
                let first = answer.blockers.first();
                let found =
                    first.map_or_else(|| "no path allows it".to_owned(), |blocker| blocker.why.clone());
                self.add(link, State::Worn, found, first.map(|blocker| blocker.fix.to_string()));
            }
        }
    }

    fn database(
        &mut self,
        through: &Through,
        answer: std::io::Result<Answer>,
        to: &Destination,
    ) -> Walked<()> {
        match answer {
            Ok(Answer::Tls { what }) => {
                self.whole("listener", what.to_owned());
                self.whole("TLS", "offered");
            }
            Ok(Answer::Plain { what }) => {
                self.whole("listener", what.to_owned());
                self.add("TLS", State::Worn, "not offered", Some("enable it at the database".into()));
            }
            Ok(Answer::Other) => self.whole("listener", "a server accepts the connection"),
            Ok(Answer::Silent) => {
                let found = format!("`{to}` accepts the connection and sends nothing");
                return self.broken(
                    "listener",
                    found,
                    Some("check that the target in the policy is right".into()),
                );
            }
            Err(error) => {
                let fix = unanswered::fix(through, unanswered::Fault::Cut);
                return self.broken("listener", in_words(&error), Some(fix));
            }
        }
        Ok(())
    }

    async fn sign_in(&mut self, access: &Access, located: &Located, port: u16) -> Walked<()> {
        let Some(user) = &self.doctor.iam else {
            if let Some(on) = located.iam {
                self.add(
                    "IAM sign-in",
                    State::Unseen,
                    if on { "enabled, and not tested" } else { "off" },
                    None,
                );
            }
            return Ok(());
        };
        if located.iam == Some(false) {
            let fix = "aws rds modify-db-instance --enable-iam-database-authentication --apply-immediately";
            return self.broken("IAM sign-in", "it is disabled at the database", Some(fix.into()));
        }
        let account = match access.accounts.get().await {
            Ok(account) => account,
            Err(error) => return self.failed("IAM sign-in", &access::failure(error.into())),
        };
        match account.database_token(&located.host, port, user, Timestamp::now()).await {
            Ok(_) => {
                let found = format!(
                    "a password for {user} can be created; the database accepts it after `GRANT rds_iam TO {user}`"
                );
                self.whole("IAM sign-in", found);
                Ok(())
            }
            Err(error) => self.broken("IAM sign-in", in_words(&error), None),
        }
    }
}

fn recorded(desk: &Desk, policy: &Path) -> Option<Arc<Reachability>> {
    if !desk.is_local() {
        return None;
    }
    let folder = crate::policy_file::load(policy).ok()?.policy.inventory.clone()?;
    let inventory = doorward_aws::recorded(Path::new(&folder)).ok()?;
    Some(Arc::new(Reachability::of(inventory)))
}

/// The first three numbers of a version; what is not there is 0.
fn version_of(text: &str) -> [u64; 3] {
    let mut numbers = text.split('.').map(|part| part.parse().unwrap_or(0));
    [0; 3].map(|_: u64| numbers.next().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        fn check(text: &str, old: bool) {
            assert_eq!(version_of(text) <= MANY, old, "{text}");
        }
        check("3.0.196.0", true);
        check("2.3.722.0", true);
        check("3.0.1390.0", false);
        check("3.3.551.0", false);
        check("", true);
    }
}
