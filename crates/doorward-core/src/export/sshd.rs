//! What confines people on a jump host who come to it by SSH: a block for its `sshd_config`.
//!
//! An SSH key lets a person log in. That only the target is dialled from there is, without such a block, nothing but the
//! will of the program that carries the grant. The words are those of sshd_config(5).

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::net::{Cidr, Flow};
use crate::policy::{Address, Policy, Ssh, SshKey, SshUser, Target, TargetName, Transport};

/// How many places of one target are written one by one; `PermitOpen` knows neither networks nor ranges of ports.
const EACH: usize = 512;

/// The users that an image of AWS's makes for its operators.
const OPERATORS: [&str; 10] =
    ["admin", "bitnami", "centos", "debian", "ec2-user", "fedora", "rocky", "root", "ssm-user", "ubuntu"];

/// Which machine a block is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SshdOf {
    JumpHost,
    /// The second machine, which is reached from the jump host.
    Then,
}

/// A block, and what it cannot do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshdBlock {
    /// To be appended to `/etc/ssh/sshd_config`.
    pub text: String,
    /// What an operator should know of it.
    pub notes: Vec<String>,
    /// Whom it confines.
    pub user: SshUser,
}

impl SshdBlock {
    /// Whether it would lock the machine's operators out, who log in as this user.
    pub fn confines_operators(&self) -> bool {
        OPERATORS.contains(&self.user.as_str())
    }
}

/// The targets that are reached by SSH.
pub fn by_ssh(policy: &Policy) -> impl Iterator<Item = &Target> {
    let carried = |target: &&Target| target.transports.contains(&Transport::Ssh) && !target.groups.is_empty();
    policy.targets.values().filter(carried)
}

/// The block for the user that everybody is on the machine. `hosts` says where each target is that is one place, as the
/// machine knows it. None where the policy names no second machine.
pub fn sshd_block(
    policy: &Policy,
    ssh: &Ssh,
    of: SshdOf,
    user: Option<&SshUser>,
    hosts: &BTreeMap<TargetName, String>,
) -> Option<SshdBlock> {
    let mut notes = Vec::new();
    let mut places = BTreeSet::new();
    let mut firewall = Vec::new();
    let named = match (of, &ssh.then) {
        (SshdOf::JumpHost, Some(then)) => {
            places.insert(place(&then.host, &then.port.to_string()));
            &ssh.user
        }
        (SshdOf::JumpHost, None) => &ssh.user,
        (SshdOf::Then, then) => &then.as_ref()?.user,
    };
    let user = user.unwrap_or(named);
    if of == SshdOf::Then || ssh.then.is_none() {
        for target in by_ssh(policy) {
            places.extend(places_of(target, hosts, &mut notes, &mut firewall));
        }
    }
    let opens = match places.is_empty() {
        true => "none".to_owned(),
        false => places.into_iter().collect::<Vec<_>>().join(" "),
    };
    let mut text = format!(
        "# Confines the user {user} to the targets of the policy. Put it at the end of /etc/ssh/sshd_config:\n\
         # everything after a Match line applies to that user only. Then: sshd -t && systemctl reload sshd\n\
         #\n\
         # The user owns nothing and has no shell:\n\
         #   useradd --system --no-create-home --shell /usr/sbin/nologin {user}\n"
    );
    text.push_str(match ssh.key {
        SshKey::InstanceConnect if of == SshdOf::JumpHost => {
            "# EC2 Instance Connect accepts the key: keep its AuthorizedKeysCommand above, which applies to this user, too.\n"
        }
        _ => "# The keys of the user are in AuthorizedKeysFile: keep that setting above.\n",
    });
    for line in &firewall {
        text.push_str(&format!("# {line}\n"));
    }
    text.push_str(&format!("Match User {user}\n"));
    let mut line = |word: &str, value: &str| text.push_str(&format!("    {word} {value}\n"));
    line("AllowTcpForwarding", "local");
    line("PermitOpen", &opens);
    line("PermitListen", "none");
    line("GatewayPorts", "no");
    line("AllowStreamLocalForwarding", "no");
    line("AllowAgentForwarding", "no");
    line("X11Forwarding", "no");
    line("PermitTunnel", "no");
    line("PermitTTY", "no");
    line("PermitUserRC", "no");
    line("ForceCommand", "/bin/false");
    line("AuthenticationMethods", "publickey");
    text.push_str("Match all\n");
    Some(SshdBlock { text, notes, user: user.clone() })
}

fn places_of(
    target: &Target,
    hosts: &BTreeMap<TargetName, String>,
    notes: &mut Vec<String>,
    firewall: &mut Vec<String>,
) -> BTreeSet<String> {
    let name = &target.name;
    let ranges: Vec<(u16, u16)> = target
        .ports
        .iter()
        .filter_map(|flow| match flow {
            Flow::Tcp(ports) => Some((ports.from(), ports.to())),
            Flow::All => Some((0, u16::MAX)),
            _ => None,
        })
        .collect();
    let count: usize = ranges.iter().map(|(from, to)| usize::from(to - from) + 1).sum();
    let each = |hosts: usize| hosts.saturating_mul(count) <= EACH;
    let ports = |each: bool| -> Vec<String> {
        if each {
            ranges.iter().flat_map(|(from, to)| *from..=*to).map(|port| port.to_string()).collect()
        } else {
            vec!["*".to_owned()]
        }
    };
    let Address::Network(networks) = &target.address else {
        let Some(host) = hosts.get(name) else {
            notes.push(format!("the address of `{name}` is unknown: it is left out"));
            return BTreeSet::new();
        };
        if !each(1) {
            notes.push(format!("`{name}` has {count} ports, and `PermitOpen` has no port ranges: every port of {host} is permitted"));
        }
        return ports(each(1)).iter().map(|port| place(host, port)).collect();
    };
    let mut places = BTreeSet::new();
    let addresses: Option<Vec<IpAddr>> = addresses(networks);
    match addresses.filter(|addresses| each(addresses.len())) {
        Some(addresses) => {
            let all =
                addresses.iter().flat_map(|address| ports(true).into_iter().map(move |port| (address, port)));
            places.extend(all.map(|(address, port)| place(&address.to_string(), &port)));
        }
        None => {
            let networks: Vec<String> = networks.iter().map(ToString::to_string).collect();
            let networks = networks.join(", ");
            notes.push(format!(
                "`{name}` is a network, and `PermitOpen` has no networks: its ports are permitted for every host. A \
                 firewall on the machine has to confine them to {networks}"
            ));
            firewall.push(format!(
                "confine `{name}` with a firewall on the machine to {networks}, for connections of this user \
                 (nftables: meta skuid)"
            ));
            places.extend(ports(each(1)).iter().map(|port| format!("*:{port}")));
        }
    }
    if let Some(names) = &target.names {
        places.insert(place(&names.resolver.to_string(), "53"));
    }
    places
}

/// Each address of some networks, unless they are very many.
fn addresses<'c>(networks: impl IntoIterator<Item = &'c Cidr>) -> Option<Vec<IpAddr>> {
    let mut all = Vec::new();
    for network in networks {
        let bits = if network.address().is_ipv4() { 32 } else { 128 } - network.bits();
        if bits > 9 {
            return None;
        }
        all.extend((0..1_u32 << bits).filter_map(|number| nth(network.address(), number)));
    }
    (all.len() <= EACH).then_some(all)
}

fn nth(first: IpAddr, number: u32) -> Option<IpAddr> {
    Some(match first {
        IpAddr::V4(address) => IpAddr::V4(address.to_bits().checked_add(number)?.into()),
        IpAddr::V6(address) => IpAddr::V6(address.to_bits().checked_add(u128::from(number))?.into()),
    })
}

/// As `PermitOpen` has it, which compares a host as it is written.
fn place(host: &str, port: &str) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: &str = r#"
[people]
passwords = "p"
groups = "g"
[aws]
region = "eu-west-1"
[ssh]
jump-host = "instance:i-0a1b2c3d"
user = "doorward"
[target.orders-db]
address    = "rds:orders"
ports      = ["tcp/5432"]
groups     = ["dbs"]
transports = ["ssh"]
[target.six]
address    = "2001:db8::7"
ports      = ["tcp/8000-8002", "udp/53"]
groups     = ["dbs"]
transports = ["ssh"]
[target.nobodys]
address    = "nobodys.internal"
ports      = ["tcp/1"]
groups     = []
transports = ["ssh"]
[target.by-session]
address    = "other.internal"
ports      = ["tcp/2"]
groups     = ["dbs"]
transports = ["direct"]
firewall   = "clients"
[firewall.clients]
security-group = "sg-0a1b2c3d"
"#;

    fn block(text: &str, of: SshdOf) -> SshdBlock {
        let policy = crate::policy::parse(text, "doorward.toml").expect("a policy");
        let host = |name: &str, host: &str| (name.parse().expect("a name"), host.to_owned());
        let hosts = [
            host("orders-db", "orders.abc.eu-west-1.rds.amazonaws.com"),
            host("six", "2001:db8::7"),
            host("inside", ""),
        ];
        let ssh = policy.ssh.as_ref().expect("ssh");
        sshd_block(&policy, ssh, of, None, &hosts.into()).expect("a block")
    }

    fn opens(block: &SshdBlock) -> &str {
        let line = block.text.lines().find_map(|line| line.trim().strip_prefix("PermitOpen "));
        line.expect("a PermitOpen")
    }

    #[test]
    fn exactly_the_targets_by_ssh_are_permitted() {
        let block = block(POLICY, SshdOf::JumpHost);
        assert_eq!(
            opens(&block),
            "[2001:db8::7]:8000 [2001:db8::7]:8001 [2001:db8::7]:8002 \
             orders.abc.eu-west-1.rds.amazonaws.com:5432"
        );
        for line in
            ["Match User doorward", "AllowTcpForwarding local", "ForceCommand /bin/false", "PermitTTY no"]
        {
            assert!(block.text.contains(line), "{}", block.text);
        }
        assert_eq!(block.notes, [""; 0]);
    }

    #[test]
    fn no_target_is_no_place() {
        let text = POLICY.replace("transports = [\"ssh\"]", "transports = []");
        assert_eq!(opens(&block(&text, SshdOf::JumpHost)), "none");
    }

    #[test]
    fn the_first_machine_leads_to_the_second_alone() {
        let text =
            POLICY.replace("user = \"doorward\"", "user = \"ec2-user\"\nthen = \"admin@10.0.3.7:2222\"");
        let first = block(&text, SshdOf::JumpHost);
        assert_eq!(opens(&first), "10.0.3.7:2222");
        assert!(first.confines_operators(), "{:?}", first.user);
        assert!(!block(POLICY, SshdOf::JumpHost).confines_operators());
        let second = block(&text, SshdOf::Then);
        assert!(
            second.text.contains("Match User admin") && opens(&second).contains(":5432"),
            "{}",
            second.text
        );
    }

    #[test]
    fn a_network_is_written_one_by_one_or_said_to_be_open() {
        let inside = |address: &str, ports: &str| {
            let target = format!(
                "[target.inside]\naddress = \"{address}\"\nports = [\"{ports}\"]\ngroups = [\"dbs\"]\ntransports = [\"ssh\"]\n"
            );
            let text = POLICY.replace("transports = [\"ssh\"]", "transports = []");
            block(&format!("{text}{target}"), SshdOf::JumpHost)
        };
        assert_eq!(opens(&inside("10.0.0.0/31", "tcp/22")), "10.0.0.0:22 10.0.0.1:22");
        let wide = inside("10.0.0.0/16", "tcp/22");
        assert_eq!(opens(&wide), "*:22");
        assert!(wide.notes[0].contains("`PermitOpen` has no networks"), "{:?}", wide.notes);
        assert!(wide.text.contains("10.0.0.0/16"), "{}", wide.text);
        assert_eq!(opens(&inside("10.0.0.0/16", "all")), "*:*");
    }
}
