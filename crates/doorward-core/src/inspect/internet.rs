//! What the internet really reaches: a way through gateway, routes, ACLs, groups and addresses, and no flag.

use std::collections::BTreeSet;

use super::facts::{Facts, first, some};
use super::reached::Reached;
use super::serving::{Owner, owner};
use super::{Finding, Remedy, Rule, Severity, Subject};
use crate::inventory::{
    Direction, Interface, NamedResource, Peer, ResourceKind, ResourceRef, RuleIdentity, SecurityGroup,
    SecurityGroupId,
};
use crate::net::{Cidr, Flow, Icmp, Ports};
use crate::reach::{Flows, Role};

/// Ports that nobody should find on the internet, and what usually listens there.
///
/// Source: IANA's registry of ports, and what the products that keep others document.
const GUARDED: &[(u16, u16, &str)] = &[
    (22, 22, "SSH"),
    (23, 23, "telnet"),
    (445, 445, "SMB"),
    (1433, 1434, "SQL Server"),
    (1521, 1521, "Oracle"),
    (2375, 2376, "Docker"),
    (3306, 3306, "MySQL"),
    (3389, 3389, "RDP"),
    (5432, 5432, "PostgreSQL"),
    (5439, 5439, "Redshift"),
    (5900, 5900, "VNC"),
    (5984, 5984, "CouchDB"),
    (6379, 6379, "Redis"),
    (7000, 7001, "Cassandra"),
    (8182, 8182, "Neptune"),
    (9042, 9042, "Cassandra"),
    (9200, 9200, "Elasticsearch"),
    (9300, 9300, "Elasticsearch"),
    (11211, 11211, "memcached"),
    (27017, 27019, "MongoDB"),
    (50000, 50000, "DB2"),
];

pub(super) fn find(facts: &Facts<'_>) -> Vec<Finding> {
    let reached = facts.from_internet.iter().filter_map(|(id, reached)| Some((facts.role(*id)?, reached)));
    reached
        .filter_map(|(role, reached)| match (reached.flows.is_empty(), reached.at_most.is_empty()) {
            (false, _) => Some(known(facts, role, reached)),
            (true, false) => Some(unknown(facts, role, reached)),
            (true, true) => None,
        })
        .collect()
}

fn interfaces<'a>(facts: &Facts<'a>, role: &Role) -> Vec<&'a Interface> {
    role.members.iter().filter_map(|member| facts.inventory.interfaces.get(member.id())).collect()
}

/// How bad it is that some flows pass from everyone.
fn severity(facts: &Facts<'_>, interfaces: &[&Interface], wide: &Flows) -> Severity {
    let ports = interfaces.iter().filter_map(|interface| match owner(facts.inventory, interface) {
        Owner::Database(_, ports) | Owner::Cache(_, ports) => Some(ports),
        _ => None,
    });
    let data: Flows = ports.flatten().map(|port| Flow::Tcp(Ports::one(port))).collect();
    // Only named addresses get in, or what is meant for everyone.
    if wide.is_empty() || is_meant(facts, interfaces, wide) {
        Severity::Note
    } else if wide.is_all() || wide.meets(&data) || !guarded(wide).is_empty() {
        Severity::High
    } else if icmp().covers(wide) {
        Severity::Low
    } else {
        Severity::Medium
    }
}

/// The names of what usually listens on some of these ports, each once.
pub(super) fn guarded(flows: &Flows) -> Vec<&'static str> {
    let mut names = Vec::new();
    for (from, to, name) in GUARDED {
        let ports = Ports::range(*from, *to).map(Flow::Tcp).map(Flows::from);
        if ports.is_some_and(|ports| flows.meets(&ports)) && !names.contains(name) {
            names.push(name);
        }
    }
    names
}

/// Whether it is what load balancers are there for: HTTP, HTTPS and QUIC from everyone.
pub(super) fn is_meant(facts: &Facts<'_>, interfaces: &[&Interface], wide: &Flows) -> bool {
    let balanced = |it: &&Interface| matches!(owner(facts.inventory, it), Owner::LoadBalancer(_));
    !interfaces.is_empty() && interfaces.iter().all(balanced) && web().covers(wide)
}

pub(super) fn web() -> Flows {
    [Flow::Tcp(Ports::one(80)), Flow::Tcp(Ports::one(443)), Flow::Udp(Ports::one(443))].into_iter().collect()
}

/// Flows as people read them, with the names of what usually listens there.
pub(super) fn in_words(flows: &Flows) -> String {
    match (guarded(flows).as_slice(), flows.list().len()) {
        _ if flows.is_all() => "everything".to_owned(),
        ([], _) => flows.to_string(),
        (names, 1) => format!("{flows} ({})", some(names)),
        (names, _) => format!("{flows} ({} among them)", some(names)),
    }
}

fn icmp() -> Flows {
    [Flow::Icmp(Icmp::All), Flow::Icmpv6(Icmp::All)].into_iter().collect()
}

fn known(facts: &Facts<'_>, role: &Role, reached: &Reached) -> Finding {
    let interfaces = interfaces(facts, role);
    let narrow = reached.wide.is_empty();
    let flows = if narrow { &reached.flows } else { &reached.wide };
    let members: Vec<&ResourceRef> = role.members.iter().collect();
    let (hops, gaps) = facts.hops_from_internet(&with_public_address(&interfaces, &members), flows);
    let mut evidence: Vec<String> =
        reached.whom.iter().map(|(flows, whom)| format!("{flows} from {whom}")).collect();
    if !role.owners.is_empty() {
        evidence.push(format!("reached: {}", some(role.owners.iter().map(NamedResource::described))));
    }
    evidence.extend(hops);
    let whom = if narrow { "named addresses of the internet reach" } else { "the internet reaches" };
    let meant = !narrow && is_meant(facts, &interfaces, flows);
    let rules = outward_rules(facts, role, flows);
    let groups: BTreeSet<&SecurityGroupId> = rules.iter().map(|(group, _)| &group.id).collect();
    let groups = some(groups.into_iter().map(|group| facts.group_text(group)));
    Finding {
        rule: Rule::InternetReachable,
        severity: severity(facts, &interfaces, &reached.wide),
        resource: subject(facts, role),
        of: Some(which(role)),
        about: format!("{whom} {} on {}", role.name, in_words(flows)),
        evidence,
        fix: if meant {
            "nothing, if everyone is meant to reach it".to_owned()
        } else if narrow {
            format!("if these addresses are no longer needed, remove them from {groups}")
        } else if rules.is_empty() {
            "remove its public address, or attach a security group that admits only the clients that need it"
                .to_owned()
        } else {
            format!("admit only the clients that need it in {groups}, or remove its public address")
        },
        // Which of several is the one too many, nobody but their owner knows.
        remedy: match rules.as_slice() {
            [(group, rule)] if !meant => Remedy::removing(facts, group, [*rule]),
            _ => Remedy::default(),
        },
        gaps,
    }
}

/// The rules of a role's groups that may let some flows in from outside.
fn outward_rules<'a>(
    facts: &Facts<'a>,
    role: &Role,
    flows: &Flows,
) -> Vec<(&'a SecurityGroup, &'a RuleIdentity)> {
    let groups = role.groups.iter().filter_map(|id| facts.inventory.groups.get(id));
    let rules = groups.flat_map(|group| group.rules.keys().map(move |rule| (group, rule)));
    let outside = |rule: &RuleIdentity| match &rule.peer {
        Peer::Cidr(cidr) => !private(*cidr),
        Peer::PrefixList(_) => true,
        Peer::Group(_) => false,
    };
    rules
        .filter(|(_, rule)| {
            rule.direction == Direction::In && outside(rule) && flows.meets(&rule.flow.into())
        })
        .collect()
}

/// Whether no address of a prefix is one of the internet's.
///
/// Source: RFC 1918, RFC 6598, RFC 4193.
fn private(cidr: Cidr) -> bool {
    let ranges = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"];
    ranges.iter().any(|range| range.parse().is_ok_and(|range: Cidr| range.covers(cidr)))
}

/// Members with a public address or one of IPv6 first in question: they show the way.
fn with_public_address<'m>(interfaces: &[&Interface], members: &[&'m ResourceRef]) -> Vec<&'m ResourceRef> {
    let public = |member: &&ResourceRef| {
        interfaces.iter().any(|interface| {
            interface.id.as_str() == member.id()
                && interface.addresses.iter().any(|own| own.public.is_some() || own.address.is_ipv6())
        })
    };
    let (mut first, others): (Vec<&ResourceRef>, Vec<&ResourceRef>) =
        members.iter().copied().partition(public);
    first.extend(others);
    first
}

/// What only passes if that which could not be seen lets it.
fn unknown(facts: &Facts<'_>, role: &Role, reached: &Reached) -> Finding {
    let flows = &reached.at_most;
    let members: Vec<&ResourceRef> = role.members.iter().collect();
    let (hops, gaps) = facts.hops_from_internet(&members, flows);
    Finding {
        rule: Rule::InternetReachable,
        severity: Severity::Note,
        resource: subject(facts, role),
        of: Some(which(role)),
        about: format!(
            "whether the internet reaches {} is not known, since it depends on resources that could not be read",
            role.name
        ),
        evidence: std::iter::once(format!("at most {flows}")).chain(first(hops, 12)).collect(),
        fix: "allow the calls that gave no answer, and inspect again".to_owned(),
        remedy: Remedy::default(),
        gaps,
    }
}

/// A role is known by its VPC and groups: interfaces come and go.
fn subject(facts: &Facts<'_>, role: &Role) -> Subject {
    let groups: Vec<&str> = role.groups.iter().map(|group| group.as_str()).collect();
    let groups = if groups.is_empty() { "no group".to_owned() } else { groups.join("+") };
    let id = format!("{}/{groups}", role.vpc);
    Subject {
        id,
        kind: "role",
        name: Some(role.name.clone()),
        account_region: facts.account_region(&role.vpc),
    }
}

/// What tells roles of the same groups apart: their subnets, and what has no interface that was seen.
fn which(role: &Role) -> String {
    let unseen = role.members.iter().filter(|member| member.kind() != ResourceKind::Interface);
    let parts: Vec<&str> =
        role.subnets.iter().map(|id| id.as_str()).chain(unseen.map(ResourceRef::id)).collect();
    parts.join("+")
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Account, check, found};
    use super::*;
    use crate::inventory::{Call, Listener, LoadBalancer, LoadBalancerKind};

    const RULE: Rule = Rule::InternetReachable;

    fn with(rules: &[&str]) -> Account {
        let account = Account::new().internet().group("sg-x", "vpc-a", rules);
        account.public("eni-a", "subnet-a", &["sg-x"]).public("eni-b", "subnet-b", &["sg-x"])
    }

    #[test]
    fn a_real_way_is_shown_hop_by_hop_once_for_a_role() {
        let [finding] = found(&with(&["in tcp/22 0.0.0.0/0"]), RULE).try_into().expect("one finding");
        assert_eq!(finding.severity, Severity::High);
        assert_eq!(finding.about, "the internet reaches x on tcp/22 (SSH)");
        assert_eq!(finding.resource.id, "vpc-a/sg-x");
        assert_eq!(finding.evidence[0], "tcp/22 from everyone on IPv4");
        assert_eq!(
            finding.fix,
            "admit only the clients that need it in sg-x (x), or remove its public address"
        );
        assert_eq!(
            finding.remedy.commands,
            [
                "aws ec2 revoke-security-group-ingress --region eu-west-1 --group-id sg-x --ip-permissions 'IpProtocol=tcp,FromPort=22,ToPort=22,IpRanges=[{CidrIp=0.0.0.0/0}]'"
            ]
        );
        assert!(finding.evidence.iter().any(|line| line.contains("igw-a")), "{:#?}", finding.evidence);
        assert!(finding.evidence.iter().any(|line| line.contains("sg-x")), "{:#?}", finding.evidence);
    }

    #[test]
    fn how_bad_it_is_goes_by_what_is_open() {
        let severity = |rules: &[&str], expected: Severity| {
            check(&with(rules), RULE, &[(expected, "vpc-a/sg-x")]);
        };
        severity(&["in all 0.0.0.0/0"], Severity::High);
        severity(&["in tcp/0-65535 0.0.0.0/0"], Severity::High);
        severity(&["in tcp/443 0.0.0.0/0"], Severity::Medium);
        severity(&["in icmp/8 0.0.0.0/0"], Severity::Low);
        severity(&["in tcp/22 198.51.100.0/24"], Severity::Note);
        severity(&["in tcp/22 0.0.0.0/1", "in tcp/22 128.0.0.0/1"], Severity::High);
    }

    #[test]
    fn a_database_on_a_port_of_its_own_is_one_all_the_same() {
        let account = with(&["in tcp/6543 0.0.0.0/0"]);
        check(&account, RULE, &[(Severity::Medium, "vpc-a/sg-x")]);
        let account = account
            .database("orders", &["sg-x"])
            .change(|it| it.databases.values_mut().for_each(|it| it.port = Some(6543)))
            .with("eni-a", |it| it.requester = Some("amazon-rds".into()));
        check(&account, RULE, &[(Severity::High, "vpc-a/sg-x")]);
    }

    #[test]
    fn a_load_balancer_is_there_to_be_reached() {
        let listener = |port| Listener {
            protocol: "HTTPS".into(),
            port,
            target_groups: Default::default(),
            arn: None,
            instance_port: None,
            certificate: None,
        };
        let balancer = LoadBalancer {
            arn: "arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/shop/0a1b".into(),
            name: "shop".into(),
            account_region: super::super::testing::account_region(),
            kind: LoadBalancerKind::Application,
            public: true,
            vpc: "vpc-a".parse().ok(),
            subnets: ["subnet-a", "subnet-b"].iter().filter_map(|id| id.parse().ok()).collect(),
            groups: ["sg-x".parse().expect("an id")].into(),
            host: None,
            state: None,
            cross_zone: None,
            listeners: Some([443, 8443].map(listener).to_vec()),
            tags: Default::default(),
        };
        let balanced = |rules: &[&str]| {
            let owned = |account: Account, id: &str| {
                account.with(id, |it| {
                    it.requester = Some("amazon-elb".into());
                    it.description = "ELB app/shop/0a1b".into();
                })
            };
            owned(owned(with(rules), "eni-a"), "eni-b")
                .change(|it| it.load_balancers.extend([(balancer.arn.clone(), balancer.clone())]))
        };
        check(&balanced(&["in tcp/443 0.0.0.0/0"]), RULE, &[(Severity::Note, "vpc-a/sg-x")]);
        check(&balanced(&["in tcp/8443 0.0.0.0/0"]), RULE, &[(Severity::Medium, "vpc-a/sg-x")]);
    }

    #[test]
    fn without_a_way_there_is_nothing_whatever_the_group_says() {
        let wide = &["in all 0.0.0.0/0"];
        let no_gateway = with(wide).change(|it| it.internet_gateways.clear());
        check(&no_gateway, RULE, &[]);
        let private =
            Account::new().internet().group("sg-x", "vpc-a", wide).interface("eni-a", "subnet-a", &["sg-x"]);
        check(&private, RULE, &[]);
        let no_way_back = with(wide).table("rtb-x", "vpc-a", &["subnet-a", "subnet-b"], &[]);
        check(&no_way_back, RULE, &[]);
    }

    #[test]
    fn what_could_not_be_seen_makes_it_unknown() {
        let account = with(&["in tcp/22 0.0.0.0/0"])
            .change(|it| it.internet_gateways.clear())
            .gap(Call::InternetGateways);
        let [finding] = found(&account, RULE).try_into().expect("one finding");
        assert_eq!(finding.severity, Severity::Note);
        assert!(finding.about.contains("is not known"), "{}", finding.about);
        assert_eq!(finding.gaps.len(), 1, "{:?}", finding.gaps);
    }

    #[test]
    fn what_should_not_be_found_is_called_by_its_name() {
        let check = |flows: &[&str], expected: &[&str]| {
            let flows: Flows = flows.iter().map(|flow| flow.parse::<Flow>().expect("a flow")).collect();
            assert_eq!(guarded(&flows), expected);
        };
        check(&["tcp/22"], &["SSH"]);
        check(&["tcp/3000-3400"], &["MySQL", "RDP"]);
        check(&["tcp/80", "udp/5432"], &[]);
        check(&["tcp/7000-9042"], &["Cassandra", "Neptune"]);
    }
}
