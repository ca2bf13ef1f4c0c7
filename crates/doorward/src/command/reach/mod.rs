//! `doorward reach`: whether something passes and why, who can reach what, and what a change would open.

mod after;
mod answer;
pub(super) mod difference;
mod fix;
mod json;
mod listing;
mod picture;
mod question;
pub(super) mod text;

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use doorward_core::policy::Person;
use doorward_core::reach::{Reachability, Verdict};

use self::question::Question;
use super::Failure;
use super::account::{Account, Source};

/// Show who can reach what, and why
///
/// FROM and TO are `internet`, an address, a CIDR, or a resource by ID, name, ARN or DNS name. A security group means
/// all interfaces that have it attached; a subnet or a VPC means everything in it. `tag:Name=web` selects all
/// resources with a tag, `asg:web` the instances of an Auto Scaling group, and `instance:`, `rds:`, `proxy:`,
/// `cache:`, `function:`, `service:`, `lb:`, `group:`, `subnet:` and `vpc:` before a name select among resources of
/// the same name.
///
/// FLOW is the traffic, like `tcp/5432`, `tcp/1000-2000`, `udp/53`, `icmp/8/0`, `proto/107` or `all`; you can give
/// several. Without FLOW all allowed traffic is shown.
#[derive(Debug, Args)]
#[command(
    override_usage = "doorward reach [OPTIONS] FROM TO [FLOW]...
       doorward reach [OPTIONS] --fix FROM TO FLOW...
       doorward reach [OPTIONS] --to X | --from X | --all [FLOW]...
       doorward reach [OPTIONS] --after CHANGE [FLOW]...",
    after_help = "Examples:
  doorward reach internet orders-prod tcp/5432
  doorward reach web-1 orders-prod --inventory examples/account
  doorward reach --to orders-prod tcp/5432
  doorward reach web-1 orders-prod tcp/5432 --fix
  doorward reach --all --svg account.svg                 draw the account
  doorward reach --all --json | jq 'select(.to.name == \"db\")'
  doorward reach internet group:db tcp/5432 --assert no     in a pipeline
  doorward reach --after plan.json                       compare a change
  doorward reach --after orders-db --as jon --address 93.184.215.14

Exit code of a question: 0 yes, 1 no, 2 partly, 3 unknown, because parts of the inventory are missing. With --assert: \
0 if that is the answer, else 1. With --fix: 0 if nothing has to be changed or the changes allow the traffic, 1 if no \
known change does, 3 unknown. Exit code of a list or a difference: 0, also when it is empty. 64 and above: no answer.

JSON of a question: {\"verdict\": \"yes|no|partly|unknown\", \"flows\": [FLOW…], \"hops\": [{\"resource\", \"kind\", \
\"because\", \"name\"}], \"blockers\": [{\"code\", \"resource\", \"why\", \"fix\", \"changes\": [CHANGE…], …}], \"return\": {\"verdict\", \"ports\", \
\"hops\"}, \"gaps\": […], \"at_most\": [FLOW…], \"parts\": […], \"notes\": […], \"from\", \"to\", \"asked\"}. `flows` are \
allowed for at least one source and destination; `at_most` may be allowed, depending on what could not be read. With \
--assume, \"assumed\": [TEXT…] lists what was not recorded and was assumed.

JSON of a list: a line for each path, {\"from\": END, \"to\": END, \"flows\": [FLOW…], \"whole\": true, …}; END is \
{\"kind\": \"role\", \"id\", \"name\"}, {\"kind\": \"internet\"} or {\"kind\": \"remote\", \"id\"}. A line {\"role\": {…}} \
describes a role before the first path that names it. At the end, lines {\"gap\": {…}} say what could not be read, and \
{\"note\": TEXT} and {\"assumed\": TEXT} how the recording was read. With --pairs, {\"from\": ID, \"to\": ID, \"flows\": \
[FLOW…]}.

JSON of a difference: {\"opened\": [PATH…], \"closed\": [PATH…], \"roles_of_opened\": […], \
\"roles_of_closed\": […], \"gaps\": […], \"notes\": […], \"assumed\": […]}.

JSON of --fix, which --after takes as a file: {\"verdict\", \"fixed\": true, \"changes\": [CHANGE…], \"steps\": [{\"what\", \"commands\", \
\"opens\": [PATH…]}], \"blockers\": […], \"gaps\", \"from\", \"to\", \"asked\", \"roles\": […]}.

CHANGE is a folder with another recorded account; a file with changes, [{\"group\": \"sg-…\", \"add\": \
\"tcp/5432 from 203.0.113.7/32\"}, {\"group\": \"sg-…\", \"remove\": \"all to 0.0.0.0/0\"}, {\"network_acl\": \"acl-…\", \"add\": \
\"90 allow tcp/443 from 10.0.0.0/8\"}, {\"route_table\": \"rtb-…\", \"add\": \"0.0.0.0/0 by igw-…\"}, …], or the JSON of \
--fix; the ID of a grant or a \
request; or a target of the policy, as the person of --as would request it from --address."
)]
pub struct Reach {
    /// The source, the destination and the traffic; with --to, --from, --all and --after only the traffic
    #[arg(value_name = "FROM TO [FLOW]")]
    words: Vec<String>,
    /// List all sources that can reach X
    #[arg(long, value_name = "X")]
    to: Option<String>,
    /// List all destinations that X can reach
    #[arg(long, value_name = "X")]
    from: Option<String>,
    /// List all paths of the account
    #[arg(long, conflicts_with_all = ["to", "from"])]
    all: bool,
    /// List pairs of interfaces instead of roles
    #[arg(long)]
    pairs: bool,
    /// Draw the list as an SVG picture into a file, or to standard output for `-`
    #[arg(long, value_name = "FILE", conflicts_with_all = ["pairs", "json", "after", "assert"])]
    svg: Option<PathBuf>,
    /// Show only what a change would allow and block
    #[arg(long, value_name = "CHANGE", conflicts_with_all = ["to", "from", "all", "pairs"])]
    after: Option<String>,
    /// The person who would request the target of --after; by default your login name
    #[arg(long = "as", value_name = "PERSON", requires = "after")]
    person: Option<Person>,
    /// The address that they would connect from
    #[arg(long, requires = "after")]
    address: Option<IpAddr>,
    /// Exit with 0 if this is the answer, and with 1 if it is not
    #[arg(long, value_name = "ANSWER", conflicts_with_all = ["to", "from", "all", "pairs", "after"])]
    assert: Option<Expected>,
    /// Say by which changes FLOW would be allowed, and what else each of them would open
    #[arg(long, conflicts_with_all = ["to", "from", "all", "pairs", "after", "svg", "assert"])]
    fix: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    source: Source,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Expected {
    Yes,
    No,
}

impl Expected {
    fn verdict(self) -> Verdict {
        match self {
            Self::Yes => Verdict::Yes,
            Self::No => Verdict::No,
        }
    }
}

impl Reach {
    pub fn run(self, policy: &Path) -> Result<ExitCode, Failure> {
        // What is typed wrong is said before an account is read, which may take long.
        let question = self.question()?;
        let Account { inventory, remarks } = self.source.account(policy)?;
        match question {
            Question::One { from, to, flows } => {
                let from = question::endpoint(&from, &inventory)?;
                let to = question::endpoint(&to, &inventory)?;
                let reachability = Reachability::of(inventory);
                let asked = answer::Asked { from: &from, to: &to, flows: flows.as_ref() };
                if self.fix {
                    return fix::run(&reachability, &asked, &remarks.assumed, self.json).map(ExitCode::from);
                }
                let mut answer = reachability.ask(&from, &to, flows.as_ref());
                answer.notes.extend(remarks.passed_over);
                answer::print(&answer, &asked, &remarks.assumed, self.json, self.assert)
            }
            Question::List { from, to, flows, pairs } => {
                let find = |text: Option<&str>| text.map(|text| question::endpoint(text, &inventory));
                let (from, to) = (find(from.as_deref()).transpose()?, find(to.as_deref()).transpose()?);
                let scope = doorward_core::reach::PathQuery { from, to, flows };
                let reachability = Reachability::of(inventory);
                match &self.svg {
                    Some(file) => {
                        remarks.note();
                        picture::run(&reachability, &scope, file)
                    }
                    None => listing::run(&reachability, &scope, pairs, self.json, &remarks),
                }
            }
            Question::After { change, flows } => {
                let asker = after::Asker { person: self.person, address: self.address };
                let account = Account { inventory, remarks };
                after::run(policy, &self.source, account, &change, asker, flows.as_ref(), self.json)
            }
        }
        .map(ExitCode::from)
    }
}
