//! No open port: the built program reaches PostgreSQL and machines by Session Manager and by SSH, and lets go of them.

use std::net::TcpStream;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use libtest_mimic::{Failed, Trial};
use serde_json::Value;
use session_agent::{Settings, Stand};

use crate::desk::{Desk, Said, Started, said, start};
use crate::moto::{Moto, between, free_port};
use crate::need::{Need, find, trial};
use crate::postgres::Postgres;
use crate::server::House;
use crate::sshd::Sshd;

const GROUPS: [(&str, &[&str]); 2] = [("dbs", &["jon"]), ("ops", &["maria"])];
pub const REGION: &str = "eu-west-1";

pub fn trials() -> Vec<Trial> {
    let database = [Need::Moto, Need::Postgres];
    let machine = [Need::Moto, Need::Sshd];
    vec![
        trial("connect: psql and pgbench by Session Manager", &database, by_sessions),
        trial(
            "connect: psql through SSH over Session Manager",
            &[Need::Moto, Need::Postgres, Need::Sshd],
            by_ssh,
        ),
        trial("connect: what was closed elsewhere is cut, and told", &database, closed_elsewhere),
        trial("connect: an agent that dies is an end with a reason", &[Need::Moto], agent_dies),
        trial("connect: many at once, lines for programs, a port that is taken", &[Need::Moto], several),
        trial("connect: what is wrong is said, and leaves no grant behind", &[Need::Moto], wrong),
        trial(
            "connect: SOCKS lets reach what was granted, and nothing else",
            &[Need::Moto, Need::Sshd, Need::Curl],
            socks,
        ),
        trial(
            "connect: a range is gone two seconds after kill -9",
            &[Need::Moto, Need::Sshd, Need::Root, Need::Nft, Need::Ip],
            range,
        ),
        trial(
            "connect: through a server, with credentials for exactly the grant",
            &[Need::Moto, Need::Postgres],
            vended,
        ),
        trial("ssh: a command, its exit code, and one's own OpenSSH", &machine, machines),
        trial("shell: what is typed, and the exit code", &[Need::Moto], shell),
        trial("doctor: names the first link that is broken", &database, doctor),
        trial("cloudtrail: a session without a grant stands out", &database, cloudtrail),
    ]
}

/// AWS with an instance that is tagged as the jump host: moto, and the stand in front of it.
pub struct World {
    pub stand: Stand,
    pub runtime: tokio::runtime::Runtime,
    pub instance: String,
    address: String,
    pub moto: Arc<Moto>,
}

impl World {
    pub fn new(name: &str, settings: impl FnOnce(&mut Settings)) -> Self {
        let moto = Moto::shared();
        let images = moto.ec2(REGION, "DescribeImages", &[]);
        let image = between(&images, "<imageId>", "</imageId>");
        let ran = moto.ec2(
            REGION,
            "RunInstances",
            &[
                ("ImageId", image.as_str()),
                ("MinCount", "1"),
                ("MaxCount", "1"),
                ("TagSpecification.1.ResourceType", "instance"),
                ("TagSpecification.1.Tag.1.Key", "Name"),
                ("TagSpecification.1.Tag.1.Value", name),
            ],
        );
        let instance = between(&ran, "<instanceId>", "</instanceId>");
        let address = between(&ran, "<privateIpAddress>", "</privateIpAddress>");
        let mut all = Settings {
            region: REGION.into(),
            moto: Some(moto.url()),
            instances: vec![instance.clone()],
            ..Settings::default()
        };
        settings(&mut all);
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let stand = runtime.block_on(Stand::start(all)).expect("a stand");
        Self { stand, runtime, instance, address, moto }
    }

    pub fn house(&self, policy: &str) -> House {
        House::new(&GROUPS, policy).with_aws_of(&self.stand.api_url, REGION, &self.keys())
    }

    pub fn keys(&self) -> (String, String) {
        let settings = Settings::default();
        let key = settings.credentials.first().expect("a key");
        (key.access_key.clone(), key.secret.clone())
    }

    /// Nothing that the client did was against the protocol, and no session is left.
    fn clean(&self) {
        let violations = self.stand.violations();
        assert!(violations.is_empty(), "{violations:#?}");
        eventually("no session is left", || self.stand.open_sessions().is_empty());
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // The stand's tasks end with their runtime.
        let _guard = self.runtime.enter();
    }
}

pub fn eventually(what: &str, test: impl Fn() -> bool) {
    let begun = Instant::now();
    while !test() {
        assert!(begun.elapsed() < Duration::from_secs(30), "it never was so: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A policy whose targets go through the machine that is tagged `name`.
pub fn policy(name: &str, targets: &str) -> String {
    format!(
        "[aws]\nregion = \"{REGION}\"\n\n[ssm]\njump-host = \"tag:Name={name}\"\n\n\
         [ssh]\njump-host = \"tag:Name={name}\"\nuser = \"{}\"\n\n{targets}",
        user()
    )
}

pub fn target(name: &str, address: &str, ports: &str, transports: &str) -> String {
    format!(
        "[target.{name}]\nabout = \"for a test\"\naddress = \"{address}\"\nports = [\"{ports}\"]\n\
         groups = [\"dbs\"]\ntransports = [{transports}]\n\n"
    )
}

/// Who the tests are on this machine, where the sshd of a test lets them in.
fn user() -> String {
    String::from_utf8(Command::new("id").arg("-un").output().expect("id").stdout)
        .expect("a name")
        .trim()
        .to_owned()
}

fn run(house: &House, arguments: &[&str]) -> Said {
    said(house.doorward(arguments).output().expect("doorward runs"))
}

/// Starts `connect … --json` and returns what it says once it stands.
fn connect(house: &House, arguments: &[&str]) -> (Started, Value) {
    stands(start(&mut house.doorward(&[&["connect", "--as", "jon", "--json"], arguments].concat())))
}

/// Waits until a `connect … --json` stands; what it said then.
pub fn stands(mut held: Started) -> (Started, Value) {
    use std::io::{BufRead as _, BufReader};
    let mut out = BufReader::new(held.0.stdout.take().expect("a pipe"));
    let mut text = String::new();
    while !text.ends_with("]\n") || serde_json::from_str::<Value>(&text).is_err() {
        if out.read_line(&mut text).expect("a line") == 0 {
            panic!("{text}{:?}", held.ends());
        }
    }
    (held, serde_json::from_str(&text).expect("JSON"))
}

fn port_of(told: &Value, target: &str) -> u16 {
    let one =
        told.as_array().expect("a list").iter().find(|one| one["target"] == target).expect("the target");
    let listen = one["ports"][0]["listen"].as_str().expect("an address");
    listen.rsplit(':').next().expect("a port").parse().expect("a port")
}

fn psql(port: u16, statement: &str) -> Said {
    let program = find("psql").expect("psql");
    let port = port.to_string();
    let arguments = ["-X", "-A", "-t", "-U", "postgres", "-h", "127.0.0.1", "-p", &port, "-c", statement];
    said(Command::new(program).args(arguments).env("PGCONNECT_TIMEOUT", "10").output().expect("psql"))
}

fn by_sessions() -> Result<(), Failed> {
    let postgres = Postgres::start();
    let world = World::new("jump-sessions", |_| {});
    world.stand.place("orders.internal", 5432, ([127, 0, 0, 1], postgres.port()).into());
    let house =
        world.house(&policy("jump-sessions", &target("orders-db", "orders.internal", "tcp/5432", "\"ssm\"")));
    let done = run(
        &house,
        &[
            "connect",
            "orders-db",
            "--as",
            "jon",
            "--exec",
            "psql",
            "-U",
            "postgres",
            "-At",
            "-c",
            "select 6*7",
        ],
    );
    done.is(0, &["42\n"], &["orders-db is disconnected: its command ended"]);
    // Its exit code is that of the command.
    let failed = run(&house, &["connect", "orders-db", "--as", "jon", "--exec", "sh", "-c", "exit 7"]);
    failed.is(7, &[], &["its command ended; nothing was cut"]);
    let (held, told) = connect(&house, &["orders-db"]);
    let port = port_of(&told, "orders-db");
    let bench = |arguments: &[&str]| {
        let port = port.to_string();
        let before = ["-U", "postgres", "-h", "127.0.0.1", "-p", &port];
        let program = find("pgbench").expect("pgbench");
        said(Command::new(program).args(before).args(arguments).arg("postgres").output().expect("pgbench"))
    };
    assert_eq!(bench(&["-i", "-q", "-s", "1"]).code, 0);
    let ran = bench(&["-c", "8", "-t", "25", "-n"]);
    ran.is(0, &["number of transactions actually processed: 200/200"], &[]);
    held.signal("INT");
    held.ends().is(0, &[], &["orders-db is disconnected: you stopped it"]);
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
    // The record has the session by AWS's own name, and CloudTrail has the grant in its reason.
    let session = told[0]["session"].as_str().expect("a session");
    let record = run(&house, &["audit", "list"]);
    assert!(record.out.contains(session) && record.out.contains("disconnected g-"), "{}", record.out);
    let reasons: Vec<String> = world.stand.events().iter().map(|event| format!("{event:?}")).collect();
    let grant = told[0]["grant"].as_str().expect("a grant");
    assert!(reasons.iter().any(|event| event.contains(grant)), "{grant} is in no reason: {reasons:#?}");
    world.clean();
    Ok(())
}

fn by_ssh() -> Result<(), Failed> {
    let postgres = Postgres::start();
    let sshd = Sshd::start();
    let world = World::new("jump-ssh", |settings| {
        settings.agent.sshd = Some(sshd.address());
        settings.authorized_keys = Some(sshd.path("authorized_keys"));
    });
    let port = format!("tcp/{}", postgres.port());
    let house = world.house(&policy("jump-ssh", &target("orders-db", "127.0.0.1", &port, "\"ssh\"")));
    let (held, told) = connect(&house, &["orders-db"]);
    let port = port_of(&told, "orders-db");
    psql(port, "select 6*7").is(0, &["42\n"], &[]);
    // 8 MB each way, compared by the database and by us.
    let sum = psql(port, "select md5(string_agg(repeat(n::text, 100), '')) from generate_series(1, 20000) n");
    let rows = psql(port, "select repeat(n::text, 100) from generate_series(1, 20000) n");
    assert_eq!((sum.code, rows.code), (0, 0), "{}", rows.err);
    let joined: String = rows.out.lines().collect();
    let check =
        said(Command::new("sh").args(["-c", "md5sum | cut -d' ' -f1"]).stdin(piped(&joined)).output()?);
    assert_eq!(check.out.trim(), sum.out.trim());
    held.signal("TERM");
    let ended = held.ends();
    ended.is(0, &[], &["the host key of i-", "remembered", "you stopped it"]);
    // The key is gone from the machine, and nothing of it was kept here.
    assert!(
        !house
            .folder()
            .join("config/doorward")
            .read_dir()?
            .flatten()
            .any(|file| file.file_name() == "id_ed25519")
    );
    // A machine with another key is not let pass for it.
    let other = Sshd::start();
    let house_path = house.folder().join("config/doorward/known_hosts");
    let pinned = std::fs::read_to_string(&house_path)?;
    let own = pinned.split_whitespace().nth(2).expect("a key").to_owned();
    let theirs = other.key("ed25519").split_whitespace().nth(1).expect("a key").to_owned();
    std::fs::write(&house_path, pinned.replace(&own, &theirs))?;
    let refused = run(&house, &["connect", "orders-db", "--as", "jon", "--exec", "true"]);
    assert_ne!(refused.code, 0);
    assert!(refused.err.contains("is not the one that"), "{refused:?}");
    Ok(())
}

/// A file with this text, to be read from.
fn piped(text: &str) -> std::fs::File {
    use std::io::{Seek as _, Write as _};
    let mut file = tempfile::tempfile().expect("a file");
    file.write_all(text.as_bytes()).expect("it is written");
    file.rewind().expect("its beginning");
    file
}

fn closed_elsewhere() -> Result<(), Failed> {
    let postgres = Postgres::start();
    let world = World::new("jump-closed", |_| {});
    world.stand.place("orders.internal", 5432, ([127, 0, 0, 1], postgres.port()).into());
    let house =
        world.house(&policy("jump-closed", &target("orders-db", "orders.internal", "tcp/5432", "\"ssm\"")));
    let (held, told) = connect(&house, &["orders-db"]);
    let port = port_of(&told, "orders-db");
    let sleeping = std::thread::spawn(move || psql(port, "select pg_sleep(60)"));
    std::thread::sleep(Duration::from_secs(1));
    let begun = Instant::now();
    run(&house, &["close", "--all", "--as", "jon"]).is(0, &["is closed"], &[]);
    let cut = sleeping.join().expect("psql");
    assert_ne!(cut.code, 0);
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    held.ends().is(0, &[], &["closed by jon", "orders-db is disconnected"]);
    // Its time being up is an end as well.
    let (held, _) = connect(&house, &["orders-db", "--for", "3s"]);
    held.ends().is(0, &[], &["its time was up"]);
    world.clean();
    Ok(())
}

fn agent_dies() -> Result<(), Failed> {
    let (echo, served) = echo();
    let world = World::new("jump-dies", |_| {});
    world.stand.place("echo.internal", 7, echo);
    let house = world.house(&policy("jump-dies", &target("echo", "echo.internal", "tcp/7", "\"ssm\"")));
    let (held, told) = connect(&house, &["echo"]);
    let mut stream = TcpStream::connect(("127.0.0.1", port_of(&told, "echo")))?;
    use std::io::{Read as _, Write as _};
    stream.write_all(b"hello\n")?;
    let mut back = [0; 6];
    stream.read_exact(&mut back)?;
    assert_eq!(&back, b"hello\n");
    world.stand.kill_agent();
    stream.set_read_timeout(Some(Duration::from_secs(12)))?;
    let begun = Instant::now();
    stream.write_all(b"anybody there?\n")?;
    // Cut, and not left waiting.
    let ended = stream.read(&mut [0; 64]);
    assert!(!matches!(&ended, Err(error) if error.kind() == std::io::ErrorKind::WouldBlock), "{ended:?}");
    assert!(begun.elapsed() < Duration::from_secs(12), "{:?}", begun.elapsed());
    held.signal("INT");
    let said = held.ends();
    assert!(said.err.contains("the agent stopped answering"), "{said:?}");
    drop(served);
    Ok(())
}

/// A service of this machine that says back what it is told, until the test ends.
fn echo() -> (std::net::SocketAddr, std::thread::JoinHandle<()>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let served = std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let (mut from, mut to) = (stream.try_clone().expect("a socket"), stream);
                // It ends with its client.
                let _ = std::io::copy(&mut from, &mut to);
            });
        }
    });
    (address, served)
}

fn several() -> Result<(), Failed> {
    let (echo, _served) = echo();
    let world = World::new("jump-several", |_| {});
    for host in ["one.internal", "two.internal"] {
        world.stand.place(host, 7, echo);
    }
    let targets = target("one", "one.internal", "tcp/7", "\"ssm\"")
        + &target("two", "two.internal", "tcp/7", "\"ssm\"");
    let house = world.house(&policy("jump-several", &targets));
    let chosen = free_port();
    let (held, told) = connect(&house, &["one", &format!("two={chosen}")]);
    assert_eq!(port_of(&told, "two"), chosen);
    let usual = port_of(&told, "one");
    assert!((20_000..32_000).contains(&usual));
    for port in [usual, chosen] {
        assert!(TcpStream::connect(("127.0.0.1", port)).is_ok());
    }
    // The usual port is taken now, which is said with what to do about it; the grant of the second is not left open.
    let taken = run(&house, &["connect", "one", "--as", "jon", "--exec", "true"]);
    assert_eq!(taken.code, 69);
    assert!(taken.err.contains("cannot listen on") && taken.err.contains("one=PORT"), "{taken:?}");
    held.signal("INT");
    held.ends().is(0, &[], &["one is disconnected", "two is disconnected"]);
    let left = run(&house, &["list", "--as", "jon"]);
    assert!(!left.out.contains("g-"), "{}", left.out);
    Ok(())
}

fn wrong() -> Result<(), Failed> {
    let world = World::new("jump-wrong", |_| {});
    let targets = target("db", "db.internal", "tcp/5432", "\"ssm\"")
        + &target("web", "tag:Name=nobody", "tcp/22", "\"ssh\"");
    let house = world.house(&policy("jump-wrong", &targets));
    let check = |arguments: &[&str], code: i32, words: &[&str]| {
        let said = run(&house, arguments);
        assert_eq!(said.code, code, "{said:?}");
        for word in words {
            assert!(said.err.contains(word), "no {word:?} in {}", said.err);
        }
        let left = run(&house, &["list", "--as", "jon"]);
        assert!(!left.out.contains("g-"), "a grant is left: {}", left.out);
    };
    check(&["connect", "nothing", "--as", "jon"], 1, &["nothing"]);
    check(&["connect", "db", "--as", "maria"], 1, &["maria"]);
    check(&["connect", "db", "--as", "jon", "--via", "direct"], 1, &["direct"]);
    check(&["connect", "db", "--as", "jon", "--socks", "127.0.0.1:0"], 64, &["is one place, and no network"]);
    check(&["connect", "db=0", "--as", "jon"], 64, &["is not a port"]);
    world.stand.deny(&["StartSession"]);
    check(&["connect", "db", "--as", "jon"], 69, &["StartSession"]);
    world.stand.deny(&[]);
    check(&["ssh", "web", "--as", "jon"], 69, &["there is no instance `tag:Name=nobody`", "hint:"]);
    Ok(())
}

fn socks() -> Result<(), Failed> {
    let sshd = Sshd::start();
    let world = World::new("jump-socks", |settings| {
        settings.agent.sshd = Some(sshd.address());
        settings.authorized_keys = Some(sshd.path("authorized_keys"));
    });
    let (listener, port) = http();
    let targets = target("inside", "127.0.0.0/30", &format!("tcp/{port}"), "\"ssh\"");
    let house = world.house(&policy("jump-socks", &targets));
    let (held, told) = connect(&house, &["inside", "--socks", "127.0.0.1:0", "--http-proxy", "127.0.0.1:0"]);
    let (socks, proxy) =
        (told[0]["socks"].as_str().expect("SOCKS"), told[0]["http_proxy"].as_str().expect("a proxy"));
    let curl = |proxy: &str, url: &str| {
        said(
            Command::new("curl")
                .args(["-s", "-S", "-m", "10", "-p", "-x", proxy, url])
                .output()
                .expect("curl"),
        )
    };
    for proxy in [format!("socks5h://{socks}"), format!("http://{proxy}")] {
        curl(&proxy, &format!("http://127.0.0.1:{port}/")).is(0, &["through"], &[]);
        // Another port, and another network, though the far side would get there.
        for url in
            [format!("http://127.0.0.1:{}/", sshd.address().port()), format!("http://127.0.0.9:{port}/")]
        {
            assert_ne!(curl(&proxy, &url).code, 0, "{url}");
        }
    }
    held.signal("INT");
    let ended = held.ends();
    assert!(
        ended.err.contains("the grant does not lead there") && ended.err.contains("does not let tcp/"),
        "{ended:?}"
    );
    drop(listener);
    Ok(())
}

/// A page on a port of this machine.
fn http() -> (std::thread::JoinHandle<()>, u16) {
    use std::io::{Read as _, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let served = std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 8\r\nconnection: close\r\n\r\nthrough\n");
        }
    });
    (served, port)
}

fn range() -> Result<(), Failed> {
    let sshd = Sshd::start();
    let world = World::new("jump-range", |settings| {
        settings.agent.sshd = Some(sshd.address());
        settings.authorized_keys = Some(sshd.path("authorized_keys"));
    });
    // Nobody is there: what counts is what stands in the kernel, and that it goes. It is a network for documentation.
    let house = world.house(&policy("jump-range", &target("inside", "203.0.113.0/24", "tcp/80", "\"ssh\"")));
    let tables = || {
        let listed = Command::new(find("nft").expect("nft")).args(["list", "tables"]).output().expect("nft");
        String::from_utf8_lossy(&listed.stdout).matches("doorward-range-").count()
    };
    let before = tables();
    let (mut held, told) = connect(&house, &["inside", "--range", "auto"]);
    assert_eq!(told[0]["range"], "203.0.113.0/24");
    assert_eq!(tables(), before + 1);
    held.0.kill()?;
    held.0.wait()?;
    let begun = Instant::now();
    while tables() > before {
        assert!(begun.elapsed() < Duration::from_secs(2), "the table stands two seconds after kill -9");
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

fn vended() -> Result<(), Failed> {
    let postgres = Postgres::start();
    let world = World::new("jump-vended", |_| {});
    world.stand.place("orders.internal", 5432, ([127, 0, 0, 1], postgres.port()).into());
    let text = policy("jump-vended", &target("orders-db", "orders.internal", "tcp/5432", "\"ssm\""));
    let role = "role = \"arn:aws:iam::123456789012:role/doorward-sessions\"\n\n[ssh]";
    let house = world.house(&text.replacen("\n[ssh]", role, 1));
    let server = house.serve();
    let desk = Desk::new(&house, "jon");
    desk.signs_in(&server);
    // The person has no credentials of AWS at all.
    let mut command = desk.command(&[
        "connect",
        "orders-db",
        "--exec",
        "psql",
        "-U",
        "postgres",
        "-At",
        "-c",
        "select 6*7",
    ]);
    command.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY");
    said(command.output()?).is(0, &["42\n"], &["its command ended"]);
    let events: Vec<String> = world.stand.events().iter().map(|event| format!("{event:?}")).collect();
    let named = events.iter().any(|event| event.contains("session: \"jon-") && event.contains("Started"));
    assert!(named && events.iter().any(|event| event.contains("AssumeRole")), "{events:#?}");
    let record = run(&house, &["audit", "list"]);
    assert!(record.out.contains("connected g-") && record.out.contains("disconnected g-"), "{}", record.out);
    world.clean();
    Ok(())
}

fn machines() -> Result<(), Failed> {
    let sshd = Sshd::start();
    let world = World::new("jump-machines", |settings| {
        settings.agent.sshd = Some(sshd.address());
        settings.authorized_keys = Some(sshd.path("authorized_keys"));
    });
    world.stand.place(&world.address, 22, sshd.address());
    let targets = target("web", "tag:Name=jump-machines", "tcp/22", "\"ssm\", \"ssh\"");
    let house = world.house(&policy("jump-machines", &targets));
    for via in ["ssh", "ssm"] {
        let arguments =
            ["ssh", "web", "--as", "jon", "--via", via, "--user", &user(), "echo out; echo err >&2; exit 5"];
        run(&house, &arguments).is(5, &["out\n"], &["err\n"]);
    }
    let config = run(&house, &["ssh-config", "--as", "jon"]);
    config.is(0, &["Host web.doorward", "ProxyCommand doorward proxy-command web --port %p"], &[]);
    // One's own OpenSSH, with a key of one's own, which is pushed.
    let key = house.folder().join("id");
    crate::netns::run(
        "ssh-keygen",
        &["-q", "-t", "ed25519", "-N", "", "-f", key.to_str().expect("UTF-8")],
        "",
    );
    let proxy = format!(
        "ProxyCommand={} proxy-command web --as jon --port %p --user %r --push-key {}.pub",
        env!("CARGO_BIN_EXE_doorward"),
        key.display()
    );
    let mut ssh = Command::new(find("ssh").expect("ssh"));
    ssh.args(["-F", "/dev/null", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"])
        .args(["-o", "IdentitiesOnly=yes", "-o", &proxy, "-i"])
        .arg(&key)
        .arg(format!("{}@web", user()))
        .arg("echo by openssh; exit 6")
        .current_dir(house.folder());
    house.doorward(&[]).get_envs().for_each(|(name, value)| {
        if let Some(value) = value {
            ssh.env(name, value);
        }
    });
    let by_openssh = said(ssh.output()?);
    assert_eq!((by_openssh.code, by_openssh.out.as_str()), (6, "by openssh\n"), "{by_openssh:?}");
    assert!(world.instance.starts_with("i-"));
    Ok(())
}

fn shell() -> Result<(), Failed> {
    let world = World::new("jump-shell", |settings| {
        settings.agent.kms_key = Some("arn:aws:kms:eu-west-1:123456789012:key/0a1b2c3d".into());
    });
    let house =
        world.house(&policy("jump-shell", &target("web", "tag:Name=jump-shell", "tcp/22", "\"ssm\"")));
    let desk = Desk::new(&house, "jon");
    let mut command = house.doorward(&["shell", "web", "--as", "jon"]);
    let mut started = start(command.stdin(std::process::Stdio::piped()));
    use std::io::Write as _;
    started.0.stdin.take().expect("a pipe").write_all(b"echo $((6*7)); exit\n")?;
    let ended = started.ends();
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(ended.out.contains("42"), "{ended:?}");
    drop(desk);
    world.clean();
    Ok(())
}

fn doctor() -> Result<(), Failed> {
    let postgres = Postgres::start();
    let world = World::new("jump-doctor", |_| {});
    world.stand.place("orders.internal", 5432, ([127, 0, 0, 1], postgres.port()).into());
    let targets = target("orders-db", "orders.internal", "tcp/5432", "\"ssm\"")
        + &target("gone", "gone.internal", "tcp/5432", "\"ssm\"");
    let house = world.house(&policy("jump-doctor", &targets));
    let broken = |target: &str, link: &str| {
        let said = run(&house, &["doctor", target, "--as", "jon", "--json"]);
        assert_eq!(said.code, 1, "{said:?}");
        let links: Value = serde_json::from_str(&said.out).expect("JSON");
        let last = links.as_array().and_then(|links| links.last()).expect("a link").clone();
        assert_eq!(
            (last["link"].as_str(), last["state"].as_str()),
            (Some(link), Some("broken")),
            "{links:#}"
        );
        last
    };
    let whole = run(&house, &["doctor", "orders-db", "--as", "jon"]);
    assert_eq!(whole.code, 0, "{whole:?}");
    for words in ["ok   agent", "ok   listener     PostgreSQL", "the way to orders-db is whole"] {
        assert!(whole.out.contains(words), "no {words:?} in {whole:?}");
    }
    world.stand.place("gone.internal", 5432, ([127, 0, 0, 1], free_port()).into());
    assert!(broken("gone", "listener")["fix"].as_str().is_some_and(|fix| fix.contains("listen")));
    world.stand.kill_agent();
    assert!(
        broken("orders-db", "agent")["found"].as_str().is_some_and(|found| found.contains("not answering"))
    );
    world.stand.revive_agent();
    broken("nothing", "grant");
    let nobody = said(
        house
            .doorward(&["doctor", "orders-db", "--as", "jon"])
            .env_remove("AWS_SECRET_ACCESS_KEY")
            .output()?,
    );
    assert!(nobody.code == 1 && nobody.out.contains("NO   credentials"), "{nobody:?}");
    let left = run(&house, &["list", "--as", "jon"]);
    assert!(!left.out.contains("g-"), "the doctor left a grant: {}", left.out);
    Ok(())
}

fn cloudtrail() -> Result<(), Failed> {
    let postgres = Postgres::start();
    let stray = r#"{"eventVersion":"1.11","eventID":"00000000-0000-4000-8000-00000000000a","eventTime":"TIME",
        "eventSource":"ssm.amazonaws.com","eventName":"StartSession","awsRegion":"eu-west-1","sourceIPAddress":"198.51.100.9",
        "userIdentity":{"type":"IAMUser","arn":"arn:aws:iam::123456789012:user/richard","userName":"richard"},
        "requestParameters":{"target":"i-0aaaaaaaaaaaaaaaa"},"responseElements":{"sessionId":"richard-0123456789abcdef0"}}"#;
    let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let world = World::new("jump-trail", |settings| {
        settings.recorded_events = vec![stray.replace("TIME", &now)];
        settings.throttle_lookups = true;
    });
    world.stand.place("orders.internal", 5432, ([127, 0, 0, 1], postgres.port()).into());
    let house =
        world.house(&policy("jump-trail", &target("orders-db", "orders.internal", "tcp/5432", "\"ssm\"")));
    run(&house, &["connect", "orders-db", "--as", "jon", "--exec", "true"]).is(
        0,
        &[],
        &["its command ended"],
    );
    let compared = run(&house, &["audit", "cloudtrail"]);
    assert_eq!(compared.code, 1, "{compared:?}");
    assert!(compared.out.contains("without a grant: richard-0123456789abcdef0"), "{}", compared.out);
    assert!(
        compared.out.contains("1 session with a grant, 1 without; 0 grants that nobody used"),
        "{}",
        compared.out
    );
    let json = run(&house, &["audit", "cloudtrail", "--json"]);
    let report: Value = serde_json::from_str(&json.out)?;
    assert_eq!(report["rows"].as_array().map(Vec::len), Some(2), "{report:#}");
    Ok(())
}
