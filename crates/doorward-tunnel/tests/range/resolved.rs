//! A machine whose names are systemd-resolved's: a real one, with a bus of its own, in the client's namespace.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use libtest_mimic::Trial;

use crate::need::{Need, find, trial};
use crate::netns::Probe;
use crate::probe::VERB;
use crate::world::{FAR_SAYS, GATEWAY, NEAR_SAYS, Owner, RANGE, RESOLVER, World};

/// The tests of this file.
pub fn trials() -> Vec<Trial> {
    let needs = [Need::Root, Need::Ip, Need::Nft, Need::Resolved];
    let run = || {
        per_link_servers();
        Ok(())
    };
    vec![trial("range, names: systemd-resolved is told of the domains, and forgets them", &needs, run)]
}

/// Everything that it writes to is a file system of its own, seen by nobody else.
const SCRIPT: &str = r#"
set -e
mount --make-rprivate /
mount -t tmpfs none /run
mkdir -p /run/systemd/resolve /run/systemd/resolved.conf.d
for name in passwd group; do
  grep -v ^systemd-resolve: /etc/$name >/run/$name
done
echo 'systemd-resolve:x:901:901::/:/usr/sbin/nologin' >>/run/passwd
echo 'systemd-resolve:x:901:' >>/run/group
mount --bind /run/passwd /etc/passwd
mount --bind /run/group /etc/group
chown 901:901 /run/systemd/resolve
echo 'nameserver 127.0.0.53' >/run/resolv.conf
mount --bind /run/resolv.conf "$(readlink -m /etc/resolv.conf)"
cat >/run/bus.conf <<'END'
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path=/run/dbus/system_bus_socket</listen>
  <policy context="default">
    <allow user="*"/><allow own="*"/><allow send_destination="*"/><allow eavesdrop="true"/>
  </policy>
</busconfig>
END
mkdir -p /run/dbus
printf '[Resolve]\nDNS=%s\nDNSSEC=no\nLLMNR=no\nMulticastDNS=no\nCache=no\n' "$1" >/run/systemd/resolved.conf.d/test.conf
dbus-daemon --config-file=/run/bus.conf --nofork --nopidfile >/dev/null 2>&1 &
bus=$!
while [ ! -S /run/dbus/system_bus_socket ]; do sleep 0.02; done
"$2" >/dev/null 2>&1 &
resolved=$!
trap 'kill $resolved $bus' EXIT
until "$3" status >/dev/null 2>&1; do sleep 0.05; kill -0 $resolved; done
echo ready
read -r _ || true
"#;

/// A resolver that runs, and the namespace of its files; ended when dropped.
struct Resolved {
    child: Child,
    /// The shell that started it, whose files everybody sees who asks it.
    pid: u32,
}

impl Resolved {
    fn start(world: &World) -> Self {
        let path = |program: &str| found(program).display().to_string();
        let mut child = Command::new(found("ip"))
            .args(["netns", "exec", world.client.name(), "unshare", "--mount", "/bin/sh", "-c", SCRIPT, "sh"])
            .args([GATEWAY, &path("systemd-resolved"), &path("resolvectl")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut said = String::new();
        BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut said).expect("it speaks");
        assert_eq!(said, "ready\n");
        let pid = child.id();
        Self { child, pid }
    }

    fn inside(&self, program: PathBuf) -> Command {
        let mut command = Command::new(found("nsenter"));
        command.args(["--target", &self.pid.to_string(), "--mount", "--net", "--"]).arg(program);
        command
    }

    fn probe(&self, verb: &[&str]) -> Probe {
        let mut command = self.inside(std::env::current_exe().expect("this program"));
        // Where `resolvectl` is, when it is not in the usual places.
        let path = std::env::var("PATH").unwrap_or_default();
        let more = found("resolvectl").parent().expect("a folder").display().to_string();
        command.env(VERB, verb.join(" ")).env("PATH", format!("{path}:{more}"));
        Probe::start(command)
    }

    fn ctl(&self, arguments: &[&str]) -> String {
        let output = self.inside(found("resolvectl")).args(arguments).output().expect("it runs");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        said + &String::from_utf8_lossy(&output.stderr)
    }
}

impl Drop for Resolved {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

fn found(program: &str) -> PathBuf {
    find(program).unwrap_or_else(|| panic!("no {program}"))
}

fn per_link_servers() {
    let world = World::new();
    let (_near, far) = world.resolvers();
    let resolved = Resolved::start(&world);
    let says = |name: &str| resolved.ctl(&["query", "--legend=no", name]);
    assert!(says("orders.internal").contains(NEAR_SAYS), "{}", says("orders.internal"));
    let words = [
        "own",
        "via=relay@10.77.1.1:7000",
        &format!("range={RANGE}"),
        &format!("resolver={RESOLVER}"),
        "domain=internal",
    ];
    let owner = Owner::from(resolved.probe(&words));
    owner.table();
    let link = owner.opened.split(' ').nth(2).expect("a link").to_owned();
    let status = resolved.ctl(&["status", &link]);
    for word in [&format!("DNS Servers: {RESOLVER}"), "DNS Domain: ~internal", "-DefaultRoute"] {
        assert!(status.contains(word), "{status}");
    }
    // By the resolver's own way, with whatever link it asks over.
    let answer = says("orders.internal");
    assert!(answer.contains(FAR_SAYS) && answer.contains(&link), "{answer}");
    assert!(says("example.org").contains(NEAR_SAYS));
    assert_eq!(far.line(), "tcp orders.internal");
    // By a question to its own address, as the C library asks.
    assert_eq!(resolved.probe(&["resolve", "orders.internal"]).line(), format!("{FAR_SAYS} quickly"));
    assert_eq!(resolved.probe(&["resolve", "example.org"]).line(), format!("{NEAR_SAYS} quickly"));
    owner.closes();
    assert!(says("orders.internal").contains(NEAR_SAYS), "{}", says("orders.internal"));
    assert!(!resolved.ctl(&["domain"]).contains("internal"));
}
