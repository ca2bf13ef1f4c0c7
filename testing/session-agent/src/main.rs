//! The stand by hand: started on loopback, its addresses as one line of JSON, until Ctrl-C.

use std::fmt::Display;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::str::FromStr;
use std::time::Duration;

use serde_json::json;
use session_agent::{Faults, Road, Settings, Stand};

const HELP: &str = "\
Plays Session Manager, Instance Connect and CloudTrail's look-up on loopback, and passes the rest of AWS on to moto.

Usage: session-agent [OPTIONS]

  --listen ADDRESS         where the API listens [127.0.0.1:0]
  --moto URL               where everything goes that is not played here
  --instance ID            one more instance that has an agent
  --place HOST:PORT=ADDR   where a host and port that the agent is asked for really are; again and again
  --sshd ADDRESS           where port 22 of the instances is
  --authorized-keys FILE   where pushed keys are written for 60 seconds
  --agent-version VERSION  what the agents say they are
  --kms-key KEY            encrypt shells with it
  --slow                   read as slowly as the stock agent
  --loss SHARE             lose, double and delay this share of the frames, 0 to 1
  --bye SECONDS            close each connection after so long
  --seed NUMBER            fixes what is drawn

Ctrl-C ends it; the exit code is 1 when a client violated the protocol, and each violation is a line on stderr.
";

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(code) => code,
        Err(why) => {
            eprintln!("error: {why}\nhint: session-agent --help");
            ExitCode::from(2)
        }
    }
}

async fn run() -> Result<ExitCode, String> {
    let mut arguments = std::env::args().skip(1);
    let mut settings = Settings::default();
    while let Some(option) = arguments.next() {
        if option == "--help" {
            print!("{HELP}");
            return Ok(ExitCode::SUCCESS);
        }
        if option == "--slow" {
            settings.agent.slow = true;
            continue;
        }
        let value = arguments.next().ok_or_else(|| format!("`{option}` needs a value"))?;
        set(&mut settings, &option, &value)?;
    }
    let key = settings.credentials.first().cloned();
    let instance = settings.instances.clone();
    let region = settings.region.clone();
    let stand = Stand::start(settings).await.map_err(|error| format!("cannot listen: {error}"))?;
    println!(
        "{}",
        json!({"api": stand.api_url, "gateway": stand.gateway_url, "region": region, "instances": instance,
               "accessKey": key.as_ref().map(|it| &it.access_key), "secretKey": key.as_ref().map(|it| &it.secret)})
    );
    tokio::signal::ctrl_c().await.map_err(|error| format!("cannot wait for Ctrl-C: {error}"))?;
    let violations = stand.violations();
    for violation in &violations {
        eprintln!("{} {}: {}", violation.at, violation.session, violation.what);
    }
    stand.shutdown().await;
    Ok(if violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn set(settings: &mut Settings, option: &str, value: &str) -> Result<(), String> {
    match option {
        "--listen" => settings.listen = parsed(option, value)?,
        "--moto" => settings.moto = Some(value.to_owned()),
        "--instance" => settings.instances.push(value.to_owned()),
        "--place" => {
            let wrong = || format!("`{value}` is not HOST:PORT=ADDRESS");
            let (asked, is) = value.split_once('=').ok_or_else(wrong)?;
            let (host, port) = asked.rsplit_once(':').ok_or_else(wrong)?;
            let is: SocketAddr = parsed(option, is)?;
            settings.agent.places.insert((host.to_owned(), parsed(option, port)?), is);
        }
        "--sshd" => settings.agent.sshd = Some(parsed(option, value)?),
        "--authorized-keys" => settings.authorized_keys = Some(value.into()),
        "--agent-version" => settings.agent.version = value.to_owned(),
        "--kms-key" => settings.agent.kms_key = Some(value.to_owned()),
        "--loss" => {
            let road = Road::bad(parsed(option, value)?);
            settings.faults = Faults { to_agent: road.clone(), to_client: road, ..settings.faults.clone() };
        }
        "--bye" => {
            let after = Duration::from_secs_f64(parsed::<f64>(option, value)?.max(0.0));
            settings.faults.bye = Some(after..after);
        }
        "--seed" => settings.faults.seed = parsed(option, value)?,
        other => return Err(format!("there is no option `{other}`")),
    }
    Ok(())
}

fn parsed<T: FromStr<Err: Display>>(option: &str, value: &str) -> Result<T, String> {
    value.parse().map_err(|error| format!("`{option} {value}`: {error}"))
}
