//! The same stories on PostgreSQL, and two servers on one PostgreSQL at once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use libtest_mimic::{Failed, Trial};
use serde_json::{Value, json};

use crate::bad_days::{recorded, whole};
use crate::desk::{Desk, Wiki};
use crate::grants::{HOURS, descriptions, eventually, new_groups, policy};
use crate::moto::Moto;
use crate::need::{Need, trial};
use crate::postgres::{Postgres, psql, said};
use crate::server::{House, Server};

const REGION: &str = "us-east-1";

pub fn trials() -> Vec<Trial> {
    vec![
        trial("stores: open, extend, close, record and crash on PostgreSQL", &[Need::Postgres], one),
        trial(
            "stores: ends hold while PostgreSQL is locked, slow, refuses or takes nothing",
            &[Need::Postgres],
            ends,
        ),
        trial(
            "stores: a PostgreSQL that cannot be read keeps nobody from closing",
            &[Need::Postgres],
            unreadable,
        ),
        trial(
            "stores: triggers, rules and views that somebody made in PostgreSQL are reported, and not read",
            &[Need::Postgres],
            added,
        ),
        trial("stores: two servers on one PostgreSQL", &[Need::Postgres, Need::Moto], two),
        trial("stores: one person through two servers in the same moment", &[Need::Postgres], same_moment),
        trial(
            "stores: a PostgreSQL that goes away and comes again",
            &[Need::Postgres, Need::Moto],
            goes_away,
        ),
    ]
}

static SHARED: Mutex<Weak<Postgres>> = Mutex::new(Weak::new());

/// The cluster of all tests here; each makes a database of its own in it.
fn shared() -> Arc<Postgres> {
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(postgres) = shared.upgrade() {
        return postgres;
    }
    let postgres = Arc::new(Postgres::start());
    *shared = Arc::downgrade(&postgres);
    postgres
}

fn sql(port: u16, statement: &str) -> String {
    said(psql(port, statement).wait_with_output().expect("psql")).expect("an answer")
}

/// A new database's address, and the cluster that it is in for as long as it is held.
pub fn new_database(name: &str) -> (Arc<Postgres>, String) {
    let postgres = shared();
    let address = database(&postgres, name);
    (postgres, address)
}

/// A new database's address.
fn database(postgres: &Postgres, name: &str) -> String {
    sql(postgres.port(), &format!("CREATE DATABASE {name}"));
    format!("postgres://postgres@127.0.0.1:{}/{name}", postgres.port())
}

const GROUPS: [(&str, &[&str]); 2] = [("staff", &["jon", "maria"]), ("ops", &["maria"])];
const LASTS: &str = "lasts = { usually = \"10m\", at-most = \"1h\" }";

fn one() -> Result<(), Failed> {
    let postgres = shared();
    let wiki = Wiki::new(LASTS);
    let house = House::new(&GROUPS, &wiki.policy);
    house.keep_store_at(&database(&postgres, "one"));
    let server = house.serve();
    let jon = Desk::new(&house, "jon");
    jon.signs_in(&server);
    jon.run(&["open", "wiki", "--reason", "ticket 4711"]).is(0, &["wiki is open"], &[]);
    let id = jon.run(&["list", "--json"]).json()["grants"][0]["id"].as_str().ok_or("no id")?.to_owned();
    jon.run(&["open", "wiki", "--for", "40m"]).is(0, &["wiki stays open", &id], &[]);
    assert!(wiki.lets_in());
    server.kill();
    assert!(!wiki.lets_in(), "the relay died with the server");
    // What was open is open again, and what was closed stays closed.
    let server = house.serve();
    eventually("it lets in again", || wiki.lets_in());
    jon.run(&["list"]).is(0, &[&id, "ticket 4711"], &[]);
    jon.run(&["close", &id]).is(0, &["to wiki is revoked"], &[]);
    jon.run(&["open", "wiki", "--for", "2s"]).is(0, &["wiki is open"], &[]);
    server.kill();
    std::thread::sleep(Duration::from_millis(2100));
    let server = house.serve();
    jon.run(&["list"]).is(0, &["\nNo grants are open.\n"], &[]);
    assert!(!wiki.lets_in());
    assert_eq!(server.terminate(), Some(0));
    assert_eq!(recorded(&house, &format!("ended {id}: revoked by jon")), 1);
    eventually("its end is recorded", || recorded(&house, ": expired") == 1);
    let (code, out, _) = house.run(&["list", "--as", "jon", "--history"]);
    assert!(code == 0 && out.contains("expired") && out.contains("revoked by jon"), "{out}");
    whole(&house);
    // Nothing of it is in a file here.
    assert!(!house.folder().join("doorward.db").exists());

    let exported = house.run(&["audit", "export"]).1;
    // Of whomever it tells: a byte more is another line.
    let statement = r#"UPDATE record SET line = replace(line, '"prev":', '"prev": ') WHERE seq = 3"#;
    sql_in(&postgres, "one", statement);
    let (code, _, err) = house.run(&["audit", "verify"]);
    assert!(code == 1 && err.contains("error: line 3 (entry 3) was changed: "), "{code}: {err}");
    assert!(exported.lines().count() > 8);
    Ok(())
}

/// A statement under way in a database.
fn begun(postgres: &Postgres, database: &str, statement: &str) -> std::process::Child {
    let url = format!("postgres://postgres@127.0.0.1:{}/{database}", postgres.port());
    let psql = crate::need::find("psql").expect("psql");
    let mut psql = std::process::Command::new(psql);
    psql.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", &url, "-c", statement]).spawn().expect("psql")
}

/// Whatever PostgreSQL answers to an end, access goes at once, and the end is recorded once that can be done.
fn ends() -> Result<(), Failed> {
    const NOT_YET: &str = "is closed, but the audit log does not have that yet: it is recorded as soon as the store can be written";
    let postgres = shared();
    let wiki = Wiki::new(LASTS);
    let house = House::new(&GROUPS, &wiki.policy);
    house.keep_store_at(&database(&postgres, "ends"));
    let mut server = house.serve();
    let jon = Desk::new(&house, "jon");
    jon.signs_in(&server);
    let open = || -> Result<String, Failed> {
        jon.run(&["open", "wiki", "--for", "10m"]).is(0, &["wiki is open"], &[]);
        assert!(wiki.lets_in());
        Ok(jon.run(&["list", "--json"]).json()["grants"][0]["id"].as_str().ok_or("no id")?.to_owned())
    };
    let is_recorded = |id: &str| {
        eventually("it is recorded", || recorded(&house, &format!("ended {id}: revoked by jon")) == 1);
    };
    let ready = |server: &Server| server.call(None, "GET", "/readyz", None).expect("an answer").0;

    // A migration, or a fail-over that hangs.
    let id = open()?;
    let lock = "BEGIN; LOCK TABLE grants IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(1000)";
    let mut locked = begun(&postgres, "ends", lock);
    std::thread::sleep(Duration::from_secs(1));
    jon.run(&["close", &id]).is(69, &[], &[NOT_YET]);
    assert!(!wiki.lets_in(), "it is closed while the table is locked");
    assert_eq!(ready(&server), 503);
    sql_in(
        &postgres,
        "ends",
        "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query LIKE 'BEGIN; LOCK%'",
    );
    locked.wait()?;
    is_recorded(&id);
    eventually("it is ready", || ready(&server) == 200);
    assert!(!wiki.lets_in());

    // Slower than any client waits.
    let slow = "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(12); RETURN new; END'; \
                CREATE TRIGGER slow BEFORE UPDATE ON grants FOR EACH ROW EXECUTE FUNCTION slow()";
    let id = open()?;
    sql_in(&postgres, "ends", slow);
    jon.run(&["close", &id]).is(69, &[], &[NOT_YET]);
    assert!(!wiki.lets_in(), "it is closed while the store is slow");
    is_recorded(&id);
    sql_in(&postgres, "ends", "DROP TRIGGER slow ON grants");

    // It refuses, and the server dies before it takes it.
    let no = "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''no''; END'; \
              CREATE TRIGGER no BEFORE UPDATE ON grants FOR EACH ROW EXECUTE FUNCTION no()";
    let id = open()?;
    sql_in(&postgres, "ends", no);
    jon.run(&["close", &id]).is(69, &[], &[NOT_YET]);
    server.kill();
    server = house.serve();
    eventually("a pass has ended", || {
        server
            .call(None, "GET", "/readyz", None)
            .is_ok_and(|(_, ready)| !ready["reasons"].to_string().contains("no pass"))
    });
    assert!(!wiki.lets_in(), "it stays closed");
    eventually("it is not ready", || ready(&server) == 503);
    jon.run(&["list"]).is(0, &[&id, "revoked by jon", "not recorded yet"], &[]);
    sql_in(&postgres, "ends", "DROP TRIGGER no ON grants");
    is_recorded(&id);
    eventually("it is ready again", || ready(&server) == 200);

    // It says that it was done, and did nothing.
    let id = open()?;
    sql_in(&postgres, "ends", "CREATE RULE nothing AS ON UPDATE TO grants DO INSTEAD NOTHING");
    jon.run(&["close", &id]).is(0, &["is revoked"], &[]);
    assert!(!wiki.lets_in());
    is_recorded(&id);
    server.kill();
    let server = house.serve();
    eventually("it is told", || ready(&server) == 503);
    assert!(!wiki.lets_in(), "the row says that it is open, and the record does not");
    assert_eq!(server.terminate(), Some(0));
    Ok(())
}

/// Whoever was signed in closes although the database does not answer, and so does a command on the machine itself.
fn unreadable() -> Result<(), Failed> {
    let postgres = Postgres::start();
    let wiki = Wiki::new(LASTS);
    let house = House::new(&GROUPS, &wiki.policy);
    house.keep_store_at(&database(&postgres, "unreadable"));
    let server = house.serve();
    let (jon, maria) = (Desk::new(&house, "jon"), Desk::new(&house, "maria"));
    jon.signs_in(&server);
    maria.signs_in(&server);
    let open = || -> Result<String, Failed> {
        eventually("it is open", || jon.run(&["open", "wiki", "--for", "10m"]).code == 0 && wiki.lets_in());
        Ok(jon.run(&["list", "--json"]).json()["grants"][0]["id"].as_str().ok_or("no id")?.to_owned())
    };
    let ready = || server.call(None, "GET", "/readyz", None).map_or(0, |(status, _)| status);
    assert_eq!(ready(), 200);

    // Sessions are locked.
    let id = open()?;
    let lock = "BEGIN; LOCK TABLE sessions IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(20)";
    let mut locks = begun(&postgres, "unreadable", lock);
    eventually("they are locked", || ready() == 503);
    let begins = Instant::now();
    jon.run(&["close", &id]).is(0, &["to wiki is revoked"], &[]);
    assert!(!wiki.lets_in() && begins.elapsed() < Duration::from_secs(8), "{:?}", begins.elapsed());
    locks.wait()?;
    eventually("it is ready again", || ready() == 200);

    // The database is stopped: an operator, and then a command.
    for by in ["the operator", "a command"] {
        let id = open()?;
        assert_eq!(maria.run(&["list", "--all"]).code, 0);
        postgres.stop();
        match by {
            "a command" => {
                let (code, _, err) = house.run(&["close", "--as", "jon", &id]);
                assert!(code == 69 || code == 74, "{code}: {err}");
                assert!(err.contains(&format!("{id} is closed, but that is not recorded yet")), "{err}");
            }
            _ => {
                let closed = maria.run(&["close", &id]);
                assert_eq!(closed.code, 69, "{closed:?}");
                assert!(closed.err.contains("the audit log does not have that yet"), "{closed:?}");
            }
        }
        eventually("its connections are refused", || !wiki.lets_in());
        assert_eq!(ready(), 503, "{by}");
        postgres.again();
        let who = if by == "a command" { "jon" } else { "maria" };
        eventually("it is recorded", || recorded(&house, &format!("ended {id}: revoked by {who}")) == 1);
        eventually("it is ready again", || ready() == 200);
    }
    assert_eq!(server.terminate(), Some(0));
    whole(&house);
    Ok(())
}

/// A trigger and a rule are an operator's to look at; a view in the place of a table is not read, which might never end.
fn added() -> Result<(), Failed> {
    let postgres = shared();
    let wiki = Wiki::new(LASTS);
    let house = House::new(&GROUPS, &wiki.policy);
    house.keep_store_at(&database(&postgres, "added"));
    let server = house.serve();
    let jon = Desk::new(&house, "jon");
    jon.signs_in(&server);
    jon.run(&["open", "wiki", "--for", "10m"]).is(0, &["wiki is open"], &[]);
    assert!(wiki.lets_in());
    whole(&house);
    sql_in(
        &postgres,
        "added",
        "CREATE VIEW report AS SELECT person FROM grants; CREATE INDEX more ON record (at)",
    );
    whole(&house);
    let add = "CREATE FUNCTION loops() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN LOOP END LOOP; END'; \
               CREATE TRIGGER loops BEFORE INSERT ON record FOR EACH ROW EXECUTE FUNCTION loops(); \
               CREATE RULE nothing AS ON UPDATE TO rules DO INSTEAD NOTHING; \
               ALTER TABLE head ADD CONSTRAINT never CHECK (pg_sleep(3600) IS NOT NULL) NOT VALID; \
               ALTER TABLE doors ADD COLUMN more TEXT; ALTER TABLE doors ALTER more SET DEFAULT pg_sleep(3600)::text; \
               CREATE TABLE child () INHERITS (grants)";
    sql_in(&postgres, "added", add);
    let (code, _, err) = house.run(&["audit", "verify"]);
    let found = [
        "the trigger \"loops\" on the table `record` of the store is not Doorward's",
        "the rule \"nothing\" on the table `rules` of the store is not Doorward's",
        "the check constraint \"never\" on the table `head` of the store is not Doorward's",
        "the default of the column \"more\" on the table `doors` of the store is not Doorward's",
        "the child table \"child\" on the table `grants` of the store is not Doorward's",
    ];
    assert!(code == 1 && found.iter().all(|found| err.contains(found)), "{code}: {err}");
    sql_in(
        &postgres,
        "added",
        "DROP TRIGGER loops ON record; DROP RULE nothing ON rules; ALTER TABLE head DROP CONSTRAINT never; ALTER TABLE doors DROP more; DROP TABLE child",
    );
    whole(&house);

    // A start over a trigger that never ends: everybody is answered, and what is closed is closed.
    server.kill();
    let sleeps = "CREATE FUNCTION sleeps() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(3600); RETURN new; END'; \
                  CREATE TRIGGER sleeps BEFORE INSERT ON record FOR EACH ROW EXECUTE FUNCTION sleeps()";
    sql_in(&postgres, "added", sleeps);
    let server = house.serve();
    let ready = || server.call(None, "GET", "/readyz", None);
    eventually("it is not ready", || {
        ready().is_ok_and(|(status, why)| status == 503 && why.to_string().contains("triggers"))
    });
    eventually("what was open is open again", || wiki.lets_in());
    jon.run(&["close", "wiki"]).is(69, &[], &["is closed, but the audit log does not have that yet"]);
    assert!(!wiki.lets_in());
    let begun = Instant::now();
    assert_eq!(server.terminate(), Some(0));
    assert!(begun.elapsed() < Duration::from_secs(6), "{:?}", begun.elapsed());
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'added' AND pid <> pg_backend_pid()";
    sql_in(&postgres, "added", end);
    sql_in(&postgres, "added", "DROP TRIGGER sleeps ON record");

    let replace = "ALTER TABLE grants RENAME TO hidden; \
                   CREATE VIEW grants AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) \
                   SELECT h.* FROM hidden h, n WHERE n.i < 0";
    sql_in(&postgres, "added", replace);
    let (code, _, err) = house.run(&["audit", "verify"]);
    assert!(code == 1 && err.contains("`grants` is not a table but a view"), "{code}: {err}");
    // Nor are the operators and tables of a schema that somebody put before PostgreSQL's own.
    let evil = "DROP VIEW grants; ALTER TABLE hidden RENAME TO grants; CREATE SCHEMA evil; \
                CREATE VIEW evil.pg_class AS SELECT * FROM pg_catalog.pg_class WHERE pg_sleep(3600) IS NULL; \
                ALTER DATABASE added SET search_path = evil, pg_catalog, public";
    sql_in(&postgres, "added", evil);
    let (code, out, err) = house.run(&["audit", "verify"]);
    assert!(code == 0 && out.contains("intact"), "{code}: {out} {err}");
    let hide = "ALTER TABLE record ENABLE ROW LEVEL SECURITY; ALTER TABLE record FORCE ROW LEVEL SECURITY; \
                CREATE POLICY never ON record USING (pg_sleep(3600) IS NOT NULL)";
    sql_in(&postgres, "added", hide);
    let (code, _, err) = house.run(&["audit", "verify"]);
    assert!(code == 1 && err.contains("row security is on for `record`"), "{code}: {err}");
    // What was open is revoked by a server that knows nothing of it.
    let server = house.serve();
    eventually("it is not ready", || {
        server.call(None, "GET", "/readyz", None).is_ok_and(|(status, _)| status == 503)
    });
    assert!(!wiki.lets_in());
    assert_eq!(server.terminate(), Some(0));
    Ok(())
}

fn sql_in(postgres: &Postgres, database: &str, statement: &str) {
    let url = format!("postgres://postgres@127.0.0.1:{}/{database}", postgres.port());
    let psql = crate::need::find("psql").expect("psql");
    let done = std::process::Command::new(psql).args(["-X", "-q", &url, "-c", statement]).status();
    assert!(done.is_ok_and(|status| status.success()), "{statement}");
}

/// The houses of two servers of one store: the same policy, people and account, and a port each.
pub fn twins(groups: &[(&str, &[&str])], policies: [&str; 2], store: &str) -> [House; 2] {
    let houses = policies.map(|policy| {
        let house = House::new(groups, policy);
        house.keep_store_at(store);
        house
    });
    // Whoever shares a store shares its key; each notes the head for itself.
    let key = houses[0].folder().join("audit.key");
    for house in &houses {
        let text = std::fs::read_to_string(house.policy()).expect("a policy");
        let audit = format!("\n[audit]\nkey = {key:?}\nhead = \"audit.head\"\n");
        std::fs::write(house.policy(), text + &audit).expect("a policy");
    }
    houses
}

/// Starts one and then the other, which begins with a copy of the head that the first noted.
pub fn serve(houses: &[House; 2]) -> Result<[Server; 2], Failed> {
    let first = houses[0].serve();
    std::fs::copy(houses[0].folder().join("audit.head"), houses[1].folder().join("audit.head"))?;
    Ok([first, houses[1].serve()])
}

const PEOPLE: usize = 25;
const FIREWALLS: usize = 5;

/// Opens two targets through one server, extends one, and closes the other through the other server.
fn works(servers: [&Server; 2], person: &str, number: usize) -> Result<[String; 2], Failed> {
    let address = format!("203.0.113.{number}");
    let token = servers[0].sign_in_from(person, &address);
    let call = |server: usize, method: &str, path: &str, body: Option<Value>| -> Result<Value, Failed> {
        let (status, answer) = servers[server].call_from(&address, Some(&token), method, path, body)?;
        if (200..300).contains(&status) { Ok(answer) } else { Err(format!("{status}: {answer}").into()) }
    };
    let open = |server: usize, target: usize| -> Result<Value, Failed> {
        let body = json!({ "target": format!("db-{}", target % FIREWALLS) });
        call(server, "POST", "/api/v1/grants", Some(body))
    };
    let id = |answer: &Value| answer["grant"]["id"].as_str().unwrap_or_default().to_owned();
    let (stays, goes) = (open(0, number)?, open(1, number + 1)?);
    // A session of the one is a session of the other, and so is a grant.
    let again = open(1, number)?;
    assert_eq!((id(&again), &again["extended"]), (id(&stays), &json!(true)));
    call(0, "DELETE", &format!("/api/v1/grants/{}", id(&goes)), None)?;
    Ok([id(&stays), id(&goes)])
}

fn two() -> Result<(), Failed> {
    let (postgres, moto) = (shared(), Moto::shared());
    let groups = new_groups(&moto, FIREWALLS, "twins");
    let people: Vec<String> = (0..PEOPLE).map(|number| format!("person{number}")).collect();
    let names: Vec<&str> = people.iter().map(String::as_str).collect();
    let rules = policy(&groups, HOURS);
    let members = [("dbs", names.as_slice()), ("ops", &names[..1])];
    let houses = twins(&members, [&rules, &rules], &database(&postgres, "two"));
    let houses = houses.map(|house| {
        house.trust_proxies();
        house.with_aws(&moto.url())
    });
    let servers = serve(&houses)?;
    let told: Vec<[String; 2]> = std::thread::scope(|scope| {
        let work: Vec<_> = people
            .iter()
            .enumerate()
            .map(|(number, person)| {
                let (here, there) = (&servers[number % 2], &servers[(number + 1) % 2]);
                scope.spawn(move || works([here, there], person, number))
            })
            .collect();
        work.into_iter().map(|one| one.join().expect("a person").expect("no refusal")).collect()
    });

    let wanted: BTreeSet<String> = told.iter().map(|[stays, _]| stays.clone()).collect();
    assert_eq!(wanted.len(), PEOPLE, "nothing is doubled");
    let listed = |server: &Server| -> BTreeSet<String> {
        let token = server.sign_in_from("person0", "203.0.113.0");
        let (_, all) = server
            .call_from("203.0.113.0", Some(&token), "GET", "/api/v1/grants?all=true", None)
            .expect("an answer");
        let ids = all.as_array().expect("a list").iter();
        ids.filter_map(|grant| grant["id"].as_str().map(str::to_owned)).collect()
    };
    for server in &servers {
        assert_eq!(listed(server), wanted, "nothing is lost, and what is closed is closed");
    }
    // Exactly one rule for each grant in AWS, and the office.
    let rules = || -> BTreeMap<String, usize> {
        let mut found = BTreeMap::new();
        for text in groups.iter().flat_map(|group| descriptions(&moto, REGION, group)) {
            let name = text.split(' ').nth(2).unwrap_or_default().to_owned();
            *found.entry(name).or_default() += 1;
        }
        found
    };
    let right = || {
        let found = rules();
        let ours = found.iter().filter(|(name, _)| name.starts_with("g-"));
        ours.clone().count() == PEOPLE
            && ours.into_iter().all(|(name, count)| wanted.contains(name) && *count == 1)
    };
    eventually("the rules are those of the grants", right);

    // One is killed: the other goes on with what both had.
    let [first, second] = servers;
    first.kill();
    let token = second.sign_in_from("person1", "203.0.113.1");
    let gone = &told[0][0];
    let operator = second.sign_in_from("person0", "203.0.113.0");
    let path = format!("/api/v1/grants/{gone}");
    let (status, _) = second.call_from("203.0.113.1", Some(&token), "DELETE", &path, None)?;
    assert_eq!(status, 404, "another's");
    let (status, closed) = second.call_from("203.0.113.0", Some(&operator), "DELETE", &path, None)?;
    assert_eq!((status, &closed["grant"]["state"]), (200, &json!("ended")));
    eventually("its rule is gone", || !rules().contains_key(gone));
    assert_eq!(second.terminate(), Some(0));
    whole(&houses[1]);
    let (_, out, _) = houses[1].run(&["audit", "export"]);
    for [stays, goes] in &told {
        let count = |kind: &str, id: &str| {
            out.lines().filter(|line| line.contains(kind) && line.contains(id)).count()
        };
        assert_eq!(
            (count("\"opened\"", stays), count("\"opened\"", goes), count("\"ended\"", goes)),
            (1, 1, 1),
            "{stays} {goes}"
        );
    }
    Ok(())
}

fn same_moment() -> Result<(), Failed> {
    let postgres = shared();
    let [wiki, other] = [Wiki::new(LASTS), Wiki::new(LASTS)];
    let store = database(&postgres, "same_moment");
    let houses = twins(&GROUPS, [&wiki.policy, &other.policy], &store);
    let servers = serve(&houses)?;
    let tokens = [servers[0].sign_in("jon"), servers[1].sign_in("jon")];
    for round in 0..10 {
        let answers: Vec<Value> = std::thread::scope(|scope| {
            let asking: Vec<_> = (0..8)
                .map(|number| {
                    let (server, token) = (&servers[number % 2], &tokens[(number / 2) % 2]);
                    scope.spawn(move || {
                        let body = json!({ "target": "wiki" });
                        server.call(Some(token), "POST", "/api/v1/grants", Some(body)).expect("an answer").1
                    })
                })
                .collect();
            asking.into_iter().map(|one| one.join().expect("an answer")).collect()
        });
        let ids: BTreeSet<&str> =
            answers.iter().filter_map(|answer| answer["grant"]["id"].as_str()).collect();
        assert_eq!(
            ids.len(),
            1,
            "round {round}: one grant, however often it is asked for at once: {answers:?}"
        );
        let fresh = answers.iter().filter(|answer| answer["extended"] == json!(false)).count();
        assert_eq!(fresh, 1, "round {round}: {answers:?}");
        let id = ids.first().copied().unwrap_or_default();
        let path = format!("/api/v1/grants/{id}");
        let closed = servers[round % 2].call(Some(&tokens[0]), "DELETE", &path, None)?;
        assert_eq!(closed.0, 200, "{closed:?}");
    }
    drop(servers);
    whole(&houses[0]);
    Ok(())
}

fn goes_away() -> Result<(), Failed> {
    let (postgres, moto) = (Postgres::start(), Moto::shared());
    let groups = new_groups(&moto, 1, "away");
    let house = House::new(&[("dbs", &["jon"])], &policy(&groups, HOURS)).with_aws(&moto.url());
    house.keep_store_at(&database(&postgres, "away"));
    let server = house.serve();
    let jon = Desk::new(&house, "jon");
    jon.signs_in(&server);
    let stands = || descriptions(&moto, REGION, &groups[0]).iter().any(|text| text.contains(" to db-0 "));
    jon.run(&["open", "db-0", "--for", "5s"]).is(0, &["db-0 is open"], &[]);
    let opened = Instant::now();
    postgres.stop();
    // Its end is met by what was known.
    eventually("its end is met", || !stands());
    let lived = opened.elapsed();
    // Who looks for changes and who makes the pass each wait a second for the store before they do without it.
    assert!(lived < Duration::from_secs(8), "{lived:?}");
    let words = "error: the store did not answer\nhint: an operator can find the cause in the server's log\n";
    jon.run(&["list"]).is(69, &[], &[words]);
    jon.run(&["open", "db-0"]).is(69, &[], &[words]);
    assert!(!stands());
    postgres.again();
    eventually("it is well again", || jon.run(&["list"]).code == 0);
    jon.run(&["list"]).is(0, &["\nNo grants are open.\n"], &[]);
    jon.run(&["open", "db-0"]).is(0, &["db-0 is open"], &[]);
    assert!(stands());
    drop(server);
    assert_eq!(recorded(&house, ": expired"), 1);
    whole(&house);
    Ok(())
}
