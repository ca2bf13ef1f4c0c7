//! How a test steers the proxy: JSON below `/account-proxy/`.
//!
//! | request | body | effect |
//! |---|---|---|
//! | `GET state` | | the time, the calls so far with their codes, and the violations |
//! | `POST clock` | `{"advance": 60, "tick": 5}` | moves the time; from now on each call moves it by `tick` seconds |
//! | `POST delays` | `{"nat-gateway-pending": 90}` | how long things take, in seconds |
//! | `POST quotas` | `{"vpcs": 10}` | what an account may have |
//! | `POST visibility` | `{"calls": 2, "seconds": 0}` | how long new things are not shown |
//! | `POST endings` | `[{"of": "image"}]` | how the next thing of a kind ends |
//! | `POST violations` | `{}` | forgets the violations so far |
//! | `POST faults` | `[{"kind": "lose", "nth": 3, "writes": true}]` | which call fails; an empty list clears all |

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::faults::Fault;
use crate::proxy::World;
use crate::settings::{Delay, Ending, Quota, Visibility};

/// Below this path the proxy is steered.
pub(crate) const PREFIX: &str = "/account-proxy/";

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
#[derive(Default)]
struct Move {
    advance: i64,
    tick: Option<i64>,
}

/// The status and the body of the answer.
pub(crate) fn answer(world: &mut World, method: &str, what: &str, body: &Bytes) -> (u16, Value) {
    match steer(world, method, what, body) {
        Ok(value) => (200, value),
        Err(why) => (400, json!({"error": why})),
    }
}

fn steer(world: &mut World, method: &str, what: &str, body: &Bytes) -> Result<Value, String> {
    match (method, what) {
        ("GET", "state") => {
            let violations: Vec<&String> =
                world.accounts.values().flat_map(|account| &account.violations).collect();
            return Ok(
                json!({"now": world.clock.now().to_string(), "calls": world.calls, "violations": violations}),
            );
        }
        ("POST", "clock") => {
            let Move { advance, tick } = read(body)?;
            world.clock.advance(advance);
            world.clock.tick = tick.unwrap_or(world.clock.tick);
        }
        ("POST", "delays") => world.settings.delays.extend(read::<BTreeMap<Delay, i64>>(body)?),
        ("POST", "quotas") => {
            let mut settings = world.settings.clone();
            settings.quotas.extend(read::<BTreeMap<Quota, i64>>(body)?);
            // AWS grants no more than 1,000 rules on one interface.
            // https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html
            if settings.quota(Quota::RulesPerGroup) * settings.quota(Quota::GroupsPerInterface) > 1_000 {
                let why =
                    "rules per security group × security groups per network interface cannot exceed 1,000";
                return Err(why.to_owned());
            }
            world.settings = settings;
        }
        ("POST", "violations") => world.accounts.values_mut().for_each(|account| account.violations.clear()),
        ("POST", "visibility") => world.settings.visibility = read::<Visibility>(body)?,
        ("POST", "endings") => world.settings.endings.extend(read::<Vec<Ending>>(body)?),
        ("POST", "faults") => {
            let faults: Vec<Fault> = read(body)?;
            if faults.is_empty() {
                world.faults.clear();
            }
            faults.into_iter().for_each(|fault| world.faults.add(fault));
        }
        _ => return Err(format!("there is no {method} {what}")),
    }
    Ok(json!({"now": world.clock.now().to_string()}))
}

fn read<T: DeserializeOwned>(body: &Bytes) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|error| error.to_string())
}
