//! What ways without an open port take: of people, of the role whose credentials are vended, and of the server.
//!
//! The shapes are from the Systems Manager user guide ("Additional sample IAM policies for Session Manager"), the EC2
//! user guide ("Grant IAM permissions to use EC2 Instance Connect Endpoint") and the Service Authorization Reference.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::document::{Document, Pages, Statement};
use super::resource::{DocumentName, checked, documents_of, open_tunnel};
use super::{Iam, Unknown, arn, suffix, within};
use crate::inventory::{AccountId, AccountRegion};
use crate::policy::{
    Address, Documents, Group, Over, Policy, RoleArn, Ssh, SshKey, Target, TargetName, Transport,
};
use crate::session::account_region;

/// Whose credentials are to be allowed something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose<'a> {
    /// Those of a group's members, who use their own. Nothing where the policy has them vended.
    Group(&'a Group),
    /// Those of everybody who may open anything, likewise.
    Everybody,
    /// Those of the role that the server vends.
    Role,
}

/// What the policy does not say and an account tells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// The account of each profile.
    pub accounts: BTreeMap<Option<String>, AccountId>,
    /// The private address of the machine that SSH goes to.
    pub jump_host: Option<IpAddr>,
    /// Who may sign in to which target's database by IAM. Of those that are not named, nobody.
    pub sign_ins: BTreeMap<TargetName, SignIn>,
}

/// Whom a database lets in by IAM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignIn {
    /// What IAM calls the database: `db-…`, `cluster-…`, `prx-…`.
    pub resource: String,
    /// The users of the database. Empty: nobody.
    pub users: BTreeSet<String>,
}

/// What the ways of a policy take of AWS.
///
/// A shell (`SSM-SessionManagerRunShell`) is in none of it: whoever has one on the jump host needs no grant.
pub fn carried(policy: &Policy, whose: Whose<'_>, facts: &Facts) -> Iam {
    let mut needs = Needs::of(facts);
    let vended = policy.ssm.as_ref().is_some_and(|ssm| ssm.role.is_some());
    if vended != (whose == Whose::Role) {
        return needs.iam();
    }
    let theirs = |target: &&Target| match whose {
        Whose::Group(group) => target.groups.contains(group),
        Whose::Everybody | Whose::Role => !target.groups.is_empty(),
    };
    let targets: Vec<&Target> = policy.targets.values().filter(theirs).collect();
    let by =
        |transport| targets.iter().copied().filter(|target| target.transports.contains(&transport)).collect();
    let (by_ssm, by_ssh): (Vec<&Target>, Vec<&Target>) = (by(Transport::Ssm), by(Transport::Ssh));
    if let Some(ssm) = policy.ssm.as_ref().filter(|_| !by_ssm.is_empty()) {
        needs.sessions("", &ssm.jump_host, &ssm.at, &documents_of(ssm, &by_ssm));
    }
    if let Some(ssh) = policy.ssh.as_ref().filter(|_| !by_ssh.is_empty()) {
        needs.ssh(ssh);
    }
    needs.own_sessions();
    let carried: Vec<&Target> = targets.into_iter().filter(|target| is_tunnelled(target)).collect();
    needs.sign_in(&policy.aws, &carried);
    // Whoever has credentials vended is told where to go by the server.
    if !carried.is_empty() && whose != Whose::Role {
        needs.look(policy, &carried);
    }
    needs.iam()
}

/// What the server takes to end sessions that outlive their grant, to vend credentials and to deny those of a grant
/// that was revoked, and to keep the documents of a policy that has them pinned.
pub fn server(policy: &Policy, facts: &Facts) -> Iam {
    let mut needs = Needs::of(facts);
    needs.end_sessions(policy);
    let Some(ssm) = &policy.ssm else { return needs.iam() };
    if let Some(role) = &ssm.role {
        needs.pages.add(assume(vec![role.as_str().to_owned()]));
        needs.pages.add(tag(vec![role.as_str().to_owned()]));
        needs.pages.add(Statement::allow(
            "DenyWhatWasRevoked",
            vec!["iam:PutRolePolicy"],
            vec![role.as_str().to_owned()],
        ));
    }
    if ssm.documents == Documents::Pinned {
        let account = needs.account(&ssm.at);
        let documents = arn("ssm", ssm.at.region.as_deref(), account.as_ref(), "document/doorward-*");
        let actions = vec![
            "ssm:CreateDocument",
            "ssm:DeleteDocument",
            "ssm:DescribeDocument",
            "ssm:GetDocument",
            "ssm:UpdateDocument",
            "ssm:UpdateDocumentDefaultVersion",
        ];
        needs.pages.add(Statement::allow("KeepTheDocuments", actions, vec![documents]));
    }
    if ssm.role.is_some() || ssm.documents == Documents::Pinned {
        let carried: Vec<&Target> = policy.targets.values().filter(|target| is_tunnelled(target)).collect();
        needs.look(policy, &carried);
    }
    needs.iam()
}

/// What the role whose credentials are vended says of who may assume it: the server alone, and never without a person.
pub fn trust(server: &RoleArn) -> Document {
    let mut whom = [assume(Vec::new()), tag(Vec::new())];
    for statement in &mut whom {
        statement.principal = BTreeMap::from([("AWS", server.as_str().to_owned())]);
    }
    let [assume, tag] = whom;
    let mut document = Document::of(assume);
    document.add(tag);
    document
}

/// What `doorward audit cloudtrail` takes.
pub fn auditor() -> Document {
    Document::of(Statement::allow("ReadTheTrail", vec!["cloudtrail:LookupEvents"], vec!["*".to_owned()]))
}

/// Whether a transport of it opens no port.
fn is_tunnelled(target: &Target) -> bool {
    [Transport::Ssm, Transport::Ssh].iter().any(|way| target.transports.contains(way))
}

fn assume(role: Vec<String>) -> Statement {
    let actions = vec!["sts:AssumeRole", "sts:SetSourceIdentity"];
    Statement::allow("ForAPerson", actions, role).when("StringLike", "sts:SourceIdentity", ["?*"])
}

fn tag(role: Vec<String>) -> Statement {
    Statement::allow("ForAGrant", vec!["sts:TagSession"], role).when(
        "ForAllValues:StringEquals",
        "aws:TagKeys",
        super::vended::TAGS,
    )
}

/// Statements as they come together.
struct Needs<'a> {
    facts: &'a Facts,
    pages: Pages,
    unknown: BTreeSet<Unknown>,
    /// Where sessions are opened: the beginning of their ARNs.
    sessions: BTreeSet<String>,
}

impl<'a> Needs<'a> {
    fn of(facts: &'a Facts) -> Self {
        Self { facts, pages: Pages::default(), unknown: BTreeSet::new(), sessions: BTreeSet::new() }
    }

    fn iam(self) -> Iam {
        Iam { documents: self.pages.documents, unknown: self.unknown.into_iter().collect() }
    }
}

impl Needs<'_> {
    /// The account, where it is known; where it is not, that is noted.
    fn account(&mut self, at: &AccountRegion) -> Option<AccountId> {
        let account = self.facts.accounts.get(&at.profile).cloned();
        if account.is_none() {
            self.unknown.insert(Unknown::Account(at.profile.clone()));
        }
        if at.region.is_none() {
            self.unknown.insert(Unknown::Region(at.profile.clone()));
        }
        account
    }

    /// A jump host as a resource: one instance, or all with a condition on their tag.
    fn on_instance(
        &mut self,
        statement: Statement,
        at: &AccountRegion,
        host: &Address,
        key: &str,
    ) -> Option<Statement> {
        let account = self.account(at);
        let named = |id: &str| arn("ec2", at.region.as_deref(), account.as_ref(), &format!("instance/{id}"));
        let mut statement = statement;
        match host {
            Address::Instance(id) => statement.resource.push(named(id)),
            Address::Tag(tag, value) => {
                statement.resource.push(named("*"));
                statement = statement.when("StringEquals", &format!("{key}{tag}"), [value.as_str()]);
            }
            _ => return None,
        }
        Some(statement)
    }

    fn sessions(
        &mut self,
        suffix: &str,
        host: &Address,
        at: &AccountRegion,
        documents: &BTreeSet<DocumentName>,
    ) {
        let start = || vec!["ssm:StartSession"];
        let instance = checked(Statement::allow(format!("ThroughTheJumpHost{suffix}"), start(), Vec::new()));
        let Some(instance) = self.on_instance(instance, at, host, "ssm:resourceTag/") else { return };
        self.pages.add(instance);
        let account = self.account(at);
        self.sessions.insert(arn("ssm", at.region.as_deref(), account.as_ref(), "session/"));
        let empty = checked(Statement::allow(format!("WithTheseDocuments{suffix}"), start(), Vec::new()));
        self.pages.add_each(&empty, documents.iter().map(|name| name.arn(at, account.as_ref())));
    }

    fn ssh(&mut self, ssh: &Ssh) {
        match ssh.over {
            Over::Ssm => {
                self.sessions("OfSsh", &ssh.jump_host, &ssh.at, &BTreeSet::from([DocumentName::for_sshd()]));
            }
            Over::Endpoint => self.tunnel(ssh),
            Over::Direct => {}
        }
        if ssh.key == SshKey::InstanceConnect {
            let push =
                Statement::allow("ForOneUser", vec!["ec2-instance-connect:SendSSHPublicKey"], Vec::new())
                    .when("StringEquals", "ec2:osuser", [ssh.user.as_str()]);
            let push = self.on_instance(push, &ssh.at, &ssh.jump_host, "aws:ResourceTag/");
            push.into_iter().for_each(|statement| self.pages.add(statement));
            let read = Statement::allow("SeeItsHostKeys", vec!["ec2:GetConsoleOutput"], Vec::new());
            let read = self.on_instance(read, &ssh.at, &ssh.jump_host, "aws:ResourceTag/");
            read.into_iter().for_each(|statement| self.pages.add(statement));
        }
    }

    fn tunnel(&mut self, ssh: &Ssh) {
        let account = self.account(&ssh.at);
        if ssh.endpoint.is_none() {
            self.unknown.insert(Unknown::Endpoint);
        }
        let address = ssh.jump_host.ip().or(self.facts.jump_host);
        if address.is_none() {
            self.unknown.insert(Unknown::JumpHostAddress);
        }
        self.pages.add(open_tunnel(ssh, account.as_ref(), address));
    }

    /// By the tag that AWS puts on each session, which is exactly the caller: the id of a user, or of a role with the
    /// name of its session (Systems Manager user guide, "Allow a user to end only sessions they started", method 2). A
    /// pattern with the caller's name, as in method 1, matches also whoever's name goes on: `jon-*` is `jon-smith-…`
    /// too.
    ///
    /// A data channel knows no tags, and takes a token that only starting and resuming give. A variable that a caller
    /// has not makes its statement void, so each stands in one of its own.
    fn own_sessions(&mut self) {
        if self.sessions.is_empty() {
            return;
        }
        let sessions = |name: &str| self.sessions.iter().map(|begin| format!("{begin}{name}")).collect();
        let own =
            Statement::allow("OwnSessions", vec!["ssm:ResumeSession", "ssm:TerminateSession"], sessions("*"));
        let key = "ssm:resourceTag/aws:ssmmessages:session-id";
        let own = own.when("StringEquals", key, ["${aws:userid}"]);
        let join = || vec!["ssmmessages:OpenDataChannel"];
        let user = Statement::allow("ChannelsOfAUser", join(), sessions("${aws:username}-*"));
        let role = Statement::allow("ChannelsOfARole", join(), sessions("${aws:userid}-*"));
        [own, user, role].into_iter().for_each(|statement| self.pages.add(statement));
    }

    /// Listing sessions knows no resources. Each bears its instance as a tag of AWS's own, which holds ending them to
    /// the machines that the policy names by their ids; one that is named by a tag of its own may be any.
    fn end_sessions(&mut self, policy: &Policy) {
        let mut account_regions: BTreeMap<&AccountRegion, BTreeSet<&Address>> = BTreeMap::new();
        for target in policy.targets.values().filter(|target| !target.groups.is_empty()) {
            for transport in target.transports.iter().copied() {
                let Some(at) = account_region(policy, transport) else { continue };
                let machines = account_regions.entry(at).or_default();
                machines.extend(match transport {
                    Transport::Ssh => policy.ssh.as_ref().map(|ssh| &ssh.jump_host),
                    _ => policy.ssm.as_ref().map(|ssm| &ssm.jump_host),
                });
                // A shell goes straight to its target.
                machines.extend(Some(&target.address).filter(|address| address.is_instance()));
            }
        }
        if account_regions.is_empty() {
            return;
        }
        let regions = account_regions.keys().map(|at| at.region.as_deref()).collect();
        let see = Statement::allow("SeeOpenSessions", vec!["ssm:DescribeSessions"], vec!["*".to_owned()]);
        self.pages.add(Statement { condition: within(&regions), ..see });
        let several = account_regions.len() > 1;
        for (number, (at, machines)) in (1..).zip(account_regions) {
            let suffix = if several { suffix(number, at.profile.as_deref()) } else { String::new() };
            let account = self.account(at);
            let sessions = arn("ssm", at.region.as_deref(), account.as_ref(), "session/*");
            let sid = format!("EndWhatOutlivesItsGrant{suffix}");
            let end = Statement::allow(sid, vec!["ssm:TerminateSession"], vec![sessions]);
            let id = |machine: &Address| match machine {
                Address::Instance(id) => Some(id.to_string()),
                _ => None,
            };
            let ids: Option<Vec<String>> = machines.into_iter().map(id).collect();
            self.pages.add(match ids {
                Some(ids) => end.when("StringEquals", "ssm:resourceTag/aws:ssmmessages:target-id", ids),
                None => end,
            });
        }
    }

    fn sign_in(&mut self, at: &AccountRegion, targets: &[&Target]) {
        let mut users = Vec::new();
        for target in targets {
            let database = matches!(target.address, Address::Rds(_) | Address::Proxy(_));
            match self.facts.sign_ins.get(&target.name) {
                Some(sign_in) => {
                    let account = self.account(at);
                    let user = |user: &String| {
                        let resource = format!("dbuser:{}/{user}", sign_in.resource);
                        arn("rds-db", at.region.as_deref(), account.as_ref(), &resource)
                    };
                    users.extend(sign_in.users.iter().map(user));
                }
                None if database => {
                    self.unknown.insert(Unknown::Database(target.name.clone()));
                }
                None => {}
            }
        }
        let empty = Statement::allow("SignIn", vec!["rds-db:connect"], Vec::new());
        self.pages.add_each(&empty, users.into_iter());
    }

    /// The calls that find out where jump hosts and targets are.
    fn look(&mut self, policy: &Policy, targets: &[&Target]) {
        let mut actions = BTreeSet::new();
        let by = |transport| targets.iter().any(|target| target.transports.contains(&transport));
        let ssm = policy.ssm.as_ref().filter(|_| by(Transport::Ssm));
        let ssh = policy.ssh.as_ref().filter(|_| by(Transport::Ssh));
        let jump_hosts = [ssm.map(|ssm| (&ssm.jump_host, &ssm.at)), ssh.map(|ssh| (&ssh.jump_host, &ssh.at))];
        let mut regions = BTreeSet::new();
        for (_, at) in jump_hosts.into_iter().flatten().filter(|(host, _)| host.is_instance()) {
            regions.insert(at.region.as_deref());
            actions.extend([
                "ec2:DescribeInstances",
                "ssm:DescribeInstanceInformation",
                "ssm:GetConnectionStatus",
            ]);
        }
        if let Some(ssh) = ssh.filter(|ssh| ssh.over == Over::Endpoint) {
            regions.insert(ssh.at.region.as_deref());
            actions.insert("ec2:DescribeInstanceConnectEndpoints");
        }
        let elsewhere = |target: &&Target| !matches!(target.address, Address::Host(_) | Address::Network(_));
        let account = if targets.iter().any(elsewhere) { self.account(&policy.aws) } else { None };
        let (calls, resources) = find(policy, targets, account.as_ref());
        for target in targets {
            match &target.address {
                Address::Instance(_) | Address::Tag(..) => {
                    regions.insert(policy.aws.region.as_deref());
                    actions.insert("ec2:DescribeInstances");
                }
                // `--range auto` carries what is in the jump host's VPC.
                Address::Network(_) if !regions.is_empty() => {
                    actions.insert("ec2:DescribeVpcs");
                }
                Address::Rds(_)
                | Address::Proxy(_)
                | Address::Cache(_)
                | Address::Host(_)
                | Address::Network(_) => {}
            }
        }
        let empty = Statement::allow("FindTheTargets", calls.into_iter().collect(), Vec::new());
        self.pages.add_each(&empty, resources.into_iter());
        if !actions.is_empty() {
            let look = Statement::allow("FindTheWay", actions.into_iter().collect(), vec!["*".to_owned()]);
            self.pages.add(Statement { condition: within(&regions), ..look });
        }
    }
}

/// The calls that find out where databases and caches answer, and what they are allowed for.
pub(super) fn find(
    policy: &Policy,
    targets: &[&Target],
    account: Option<&AccountId>,
) -> (BTreeSet<&'static str>, BTreeSet<String>) {
    let named = |service, resource: String| arn(service, policy.aws.region.as_deref(), account, &resource);
    let (mut calls, mut resources) = (BTreeSet::new(), BTreeSet::new());
    for target in targets {
        match &target.address {
            Address::Rds(name) => {
                calls.extend(["rds:DescribeDBClusters", "rds:DescribeDBInstances"]);
                resources.extend(["cluster", "db"].map(|kind| named("rds", format!("{kind}:{name}"))));
            }
            // IAM knows a proxy by an id that the policy does not have.
            Address::Proxy(_) => {
                calls.insert("rds:DescribeDBProxies");
                resources.insert(named("rds", "db-proxy:*".to_owned()));
            }
            Address::Cache(name) => {
                calls.extend(["elasticache:DescribeCacheClusters", "elasticache:DescribeReplicationGroups"]);
                let kinds = ["cluster", "replicationgroup"];
                resources.extend(kinds.map(|kind| named("elasticache", format!("{kind}:{name}"))));
            }
            Address::Instance(_) | Address::Tag(..) | Address::Host(_) | Address::Network(_) => {}
        }
    }
    (calls, resources)
}
