//! A parameter that a call does not have, or has to have, is refused.
//!
//! The names are those of AWS's own models of its services, as botocore has them. EC2 refuses unknown ones:
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html>, `UnknownParameter` and
//! `MissingParameter`. RDS, ElastiCache, Elastic Load Balancing and Auto Scaling ignore it, so it is noted as a violation; they refuse
//! a call that lacks one: <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/CommonErrors.html>.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use crate::account::Account;
use crate::answer::{Refusal, refusal};
use crate::call::{Call, Service};

/// The parameters of a call: each name with `N` for numbers, and the names that are required below a prefix.
#[derive(Debug, Default)]
struct Shape {
    names: BTreeSet<String>,
    required: BTreeMap<String, Vec<String>>,
}

static SHAPES: LazyLock<BTreeMap<(Service, String), Shape>> = LazyLock::new(|| {
    let files = [
        (Service::Ec2, include_str!("../../parameters/ec2.txt")),
        (Service::Rds, include_str!("../../parameters/rds.txt")),
        (Service::Caches, include_str!("../../parameters/elasticache.txt")),
        (Service::Balancing, include_str!("../../parameters/elbv2.txt")),
        (Service::Scaling, include_str!("../../parameters/autoscaling.txt")),
    ];
    let mut shapes: BTreeMap<(Service, String), Shape> = BTreeMap::new();
    for (service, text) in files {
        let mut call = String::new();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let Some(parameter) = line.strip_prefix(' ') else {
                line.clone_into(&mut call);
                shapes.entry((service, call.clone())).or_default();
                continue;
            };
            let shape = shapes.entry((service, call.clone())).or_default();
            let name = plain(service, parameter.trim_start_matches('!'));
            if parameter.starts_with('!') {
                let (above, last) = name.rsplit_once('.').unwrap_or(("", &name));
                shape.required.entry(above.to_owned()).or_default().push(last.to_owned());
            }
            shape.names.insert(name);
        }
    }
    shapes
});

/// A name without the word that some services write before a number: `Tags.member.1.Key` and `Tags.Tag.1.Key` are one.
fn plain(service: Service, name: &str) -> String {
    if service == Service::Ec2 {
        return name.to_owned();
    }
    let parts: Vec<&str> = name.split('.').collect();
    let is_number = |part: &str| part == "N" || part.parse::<usize>().is_ok();
    let kept = parts.iter().enumerate().filter(|(at, part)| {
        let before_a_number = parts.get(at + 1).is_some_and(|next| is_number(next));
        is_number(part) || !before_a_number || *at == 0
    });
    kept.map(|(_, part)| *part).collect::<Vec<_>>().join(".")
}

fn with_n(name: &str) -> String {
    let parts = name.split('.').map(|part| if part.parse::<usize>().is_ok() { "N" } else { part });
    parts.collect::<Vec<_>>().join(".")
}

/// Refuses a call that AWS would refuse.
pub(crate) fn check(account: &mut Account, call: &Call) -> Result<(), Refusal> {
    let Some(shape) = SHAPES.get(&(call.service, call.action.clone())) else { return Ok(()) };
    let mut given: BTreeSet<String> = BTreeSet::from([String::new()]);
    for (name, _) in call.form.fields() {
        let name = plain(call.service, name);
        if !is_known(shape, &with_n(&name)) {
            if call.service == Service::Ec2 {
                return Err(refusal("UnknownParameter", format!("The parameter {name} is not recognized")));
            }
            account.violations.push(format!("{} has no parameter {name}", call.action));
        }
        let mut above = name.as_str();
        given.insert(above.to_owned());
        while let Some((shorter, _)) = above.rsplit_once('.') {
            above = shorter;
            given.insert(above.to_owned());
        }
    }
    for prefix in &given {
        for required in shape.required.get(&with_n(prefix)).into_iter().flatten() {
            let name = if prefix.is_empty() { required.clone() } else { format!("{prefix}.{required}") };
            if !given.contains(&name) {
                return Err(missing(call.service, &name));
            }
        }
    }
    Ok(())
}

fn is_known(shape: &Shape, name: &str) -> bool {
    let is_of_a_map = |known: &String| {
        known
            .strip_suffix(".*")
            .is_some_and(|map| name.strip_prefix(map).is_some_and(|rest| rest.starts_with('.')))
    };
    // A list that is given empty is written as its name alone.
    let is_empty_list = |known: &String| known.strip_prefix(name).is_some_and(|rest| rest.starts_with(".N"));
    shape.names.contains(name) || shape.names.iter().any(|known| is_of_a_map(known) || is_empty_list(known))
}

fn missing(service: Service, name: &str) -> Refusal {
    let message = format!("The request must contain the parameter {name}");
    match service {
        Service::Balancing | Service::Scaling => refusal("ValidationError", message),
        _ => refusal("MissingParameter", message),
    }
}
