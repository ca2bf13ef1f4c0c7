//! PostgreSQL by Session Manager and by SSH, and what ends it.

use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use libtest_mimic::{Failed, Trial};

use super::{ASKS, World, connect, pgbench, policy, port_of, psql, run, target};
use crate::desk::{Desk, said};
use crate::need::{Need, trial};
use crate::postgres::Postgres;
use crate::sshd::Sshd;

pub fn trials() -> Vec<Trial> {
    let database = [Need::Moto, Need::Postgres];
    let both = [Need::Moto, Need::Postgres, Need::Sshd];
    vec![
        trial("connect: psql and pgbench by Session Manager", &database, by_sessions),
        trial("connect: psql through SSH over Session Manager", &both, by_ssh),
        trial("connect: what was closed elsewhere is cut, and told", &database, closed_elsewhere),
        trial("connect: through a server, with credentials for exactly the grant", &database, vended),
    ]
}

fn by_sessions() -> Result<(), Failed> {
    let postgres = Postgres::start();
    let world = World::new("jump-sessions", |_| {});
    world.stand.place("orders.internal", 5432, ([127, 0, 0, 1], postgres.port()).into());
    let house =
        world.house(&policy("jump-sessions", &target("orders-db", "orders.internal", "tcp/5432", "\"ssm\"")));
    let asks = ["connect", "orders-db", "--as", "jon", "--exec"];
    let done = run(&house, &[&asks[..], &ASKS].concat());
    done.is(0, &["42\n"], &["orders-db is disconnected: its command ended"]);
    // Its exit code is that of the command.
    let failed = run(&house, &["connect", "orders-db", "--as", "jon", "--exec", "sh", "-c", "exit 7"]);
    failed.is(7, &[], &["its command ended; no connection was cut"]);
    let (held, told) = connect(&house, &["orders-db"]);
    let port = port_of(&told, "orders-db");
    assert_eq!(pgbench("127.0.0.1", port, &["-i", "-q", "-s", "1"]).code, 0);
    let ran = pgbench("127.0.0.1", port, &["-c", "8", "-t", "25", "-n"]);
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
    let world = World::with_sshd("jump-ssh", &sshd);
    let port = format!("tcp/{}", postgres.port());
    let house = world.house(&policy("jump-ssh", &target("ssh-db", "127.0.0.1", &port, "\"ssh\"")));
    let (held, told) = connect(&house, &["ssh-db"]);
    let port = port_of(&told, "ssh-db");
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
    ended.is(0, &[], &["the host key of i-", "and saved", "you stopped it"]);
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
    let refused = run(&house, &["connect", "ssh-db", "--as", "jon", "--exec", "true"]);
    assert_ne!(refused.code, 0);
    assert!(refused.err.contains("is not the one in "), "{refused:?}");
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
        world.house(&policy("jump-closed", &target("closed-db", "orders.internal", "tcp/5432", "\"ssm\"")));
    let (held, told) = connect(&house, &["closed-db"]);
    let port = port_of(&told, "closed-db");
    let sleeping = std::thread::spawn(move || psql(port, "select pg_sleep(60)"));
    std::thread::sleep(Duration::from_secs(1));
    let begun = Instant::now();
    run(&house, &["close", "--all", "--as", "jon"]).is(0, &["is revoked"], &[]);
    let cut = sleeping.join().expect("psql");
    assert_ne!(cut.code, 0);
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    held.ends().is(0, &[], &["revoked by jon", "closed-db is disconnected"]);
    // Its time being up is an end as well.
    let (held, _) = connect(&house, &["closed-db", "--for", "3s"]);
    held.ends().is(0, &[], &["closed-db is disconnected: expired"]);
    world.clean();
    Ok(())
}

fn vended() -> Result<(), Failed> {
    let postgres = Postgres::start();
    let world = World::new("jump-vended", |_| {});
    world.stand.place("orders.internal", 5432, ([127, 0, 0, 1], postgres.port()).into());
    let text = policy("jump-vended", &target("vended-db", "orders.internal", "tcp/5432", "\"ssm\""));
    let role = "role = \"arn:aws:iam::123456789012:role/doorward-sessions\"\n\n[ssh]";
    let house = world.house(&text.replacen("\n[ssh]", role, 1));
    let server = house.serve();
    let desk = Desk::new(&house, "jon");
    desk.signs_in(&server);
    // The person has no credentials of AWS at all.
    let mut command = desk.command(&[&["connect", "vended-db", "--exec"][..], &ASKS].concat());
    command.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY");
    said(command.output()?).is(0, &["42\n"], &["its command ended"]);
    let events: Vec<String> = world.stand.events().iter().map(|event| format!("{event:?}")).collect();
    let named = events.iter().any(|event| event.contains(".jon-") && event.contains("Started"));
    assert!(named && events.iter().any(|event| event.contains("AssumeRole")), "{events:#?}");
    let record = run(&house, &["audit", "list"]);
    assert!(record.out.contains("connected g-") && record.out.contains("disconnected g-"), "{}", record.out);
    world.clean();
    Ok(())
}
