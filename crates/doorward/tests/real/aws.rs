//! Security groups through the EC2 API, against moto: seen, changed, and what happens on a bad day.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::time::{Duration, Instant};

use doorward::cloud::Cloud;
use doorward_aws::{Account, Error, Performed, Simulated};
use doorward_core::export::iam::{Sees, iam};
use doorward_core::firewall::{Because, InstallationId, Mark, Rule, Ruleset};
use doorward_core::inventory::{
    AccountRegion, ExistingRule, Inventory, Ownership, RuleIdentity, SecurityGroupId, Seen,
};
use doorward_core::net::Cidr;
use doorward_core::plan::{Step, difference, sweep, wanted};
use doorward_core::policy::{Address, Enforcement, Firewall, Lasts, Target};
use jiff::{SignedDuration, Timestamp};
use libtest_mimic::{Failed, Trial};

use crate::faulty::{Fault, Faulty};
use crate::moto::{self, Moto};
use crate::need::{Need, find, trial};
use crate::profiles;

/// Every test of this file.
pub fn trials() -> Vec<Trial> {
    let moto = |name, test: fn() -> Result<(), Failed>| trial(name, &[Need::Moto], test);
    vec![
        moto(
            "aws: what is wanted stands, with its marks, and nothing else is touched",
            what_is_wanted_stands,
        ),
        moto("aws: a lost race is a success", a_lost_race_is_a_success),
        moto("aws: rules are closed without having been seen", closed_without_having_been_seen),
        moto("aws: a group that is gone or full says so", gone_or_full),
        moto("aws: a denied call is a gap in words", denied),
        moto("aws: throttling and broken answers are tried again", tried_again),
        moto("aws: a write that did its work and lost its answer is a success", a_lost_answer),
        moto("aws: a bad Region is given up in time and hinders no other", a_bad_region),
        moto("aws: 500 groups are six calls", few_calls),
        moto("aws: every page is read", every_page),
        moto("aws: quotas and prefix lists are known", quotas),
        moto("aws: a policy's places are seen as one", account_regions),
        moto("aws: who has no Region, profile or network is told which", misconfigured),
        moto("aws: credentials are asked for once, and again when they were not there", credentials),
        moto("aws: an account in memory does what moto does", in_memory),
        trial("aws: parliament has nothing to say against the IAM policy", &[Need::Parliament], parliament),
    ]
}

/// A test's own Region-wide corner of moto: a VPC, a proxy, and an account seen through the proxy.
struct Corner {
    moto: std::sync::Arc<Moto>,
    faulty: Faulty,
    vpc: String,
    account: Account,
}

const REGION: &str = "eu-west-1";

impl Corner {
    async fn new(profile: &str) -> Self {
        let moto = Moto::shared();
        let faulty = Faulty::before(moto.port());
        let vpc = moto.vpc(REGION);
        let account_region = moto::profile(profile, REGION, &faulty.url());
        let account = Account::connect(&account_region).await.expect("an account");
        Self { moto, faulty, vpc, account }
    }

    fn group(&self, name: &str) -> SecurityGroupId {
        self.moto.group(REGION, &self.vpc, name).parse().expect("a group")
    }

    async fn observe(&self, group: &SecurityGroupId) -> Inventory {
        self.account.observe(std::slice::from_ref(group)).await
    }

    /// Makes a group what is wanted, and says how many steps that took.
    async fn make(&self, group: &SecurityGroupId, ruleset: Ruleset) -> usize {
        let actual = self.observe(group).await;
        assert_eq!(actual.gaps, []);
        let wanted = wanted(&actual, &BTreeMap::from([(group.clone(), ruleset)]), &us());
        let plan = difference(&actual, &wanted, &us());
        for step in plan.steps() {
            self.account.perform(step).await.expect("a performed step");
        }
        plan.steps().len()
    }
}

fn run(test: impl Future<Output = ()>) -> Result<(), Failed> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(test);
    Ok(())
}

fn us() -> InstallationId {
    InstallationId::from_random([0x3f, 0x9c, 0x2a, 0x1b])
}

fn statics(prefixes: &[&str]) -> Ruleset {
    let firewall = Firewall {
        name: "orders-clients".parse().expect("a firewall"),
        about: String::new(),
        kind: Enforcement::Nftables { table: "doorward".into() },
        statics: prefixes.iter().map(|prefix| prefix.parse().expect("a prefix")).collect(),
    };
    let target = Target {
        name: "orders-db".parse().expect("a target"),
        about: String::new(),
        address: Address::Host("db".into()),
        names: None,
        ports: BTreeSet::from(["tcp/5432".parse().expect("a flow")]),
        groups: BTreeSet::new(),
        transports: BTreeSet::new(),
        firewall: Some(firewall.name.clone()),
        lasts: Lasts { usually: SignedDuration::from_hours(2), at_most: SignedDuration::from_hours(8) },
        approval: None,
        reason_required: false,
        limit: None,
    };
    Rule::statics(&firewall, [&target]).collect()
}

fn rule(flow: &str, peer: &str) -> RuleIdentity {
    RuleIdentity::admitting(flow.parse().expect("a flow"), peer.parse::<Cidr>().expect("a prefix"))
}

fn granted(until: &str) -> Mark {
    let because = Because::Grant {
        id: "g-k3v9t2m4x7q8".parse().expect("a grant"),
        person: "rené & co".replace(' ', "-").parse().expect("a person"),
        target: "orders-db".parse().expect("a target"),
    };
    Mark::new(us(), because, Some(until.parse::<Timestamp>().expect("an instant")))
}

fn authorize(group: &SecurityGroupId, rules: &[RuleIdentity]) -> Step {
    let marked = rules.iter().map(|rule| (rule.clone(), granted("2026-11-22T10:00:00Z")));
    Step::Authorize { group: group.clone(), rules: marked.collect() }
}

fn rules(inventory: &Inventory, group: &SecurityGroupId) -> BTreeMap<RuleIdentity, ExistingRule> {
    let rules = inventory.groups[group].rules.clone().into_iter();
    rules.filter(|(rule, _)| rule.direction == doorward_core::inventory::Direction::In).collect()
}

fn names(rules: &BTreeMap<RuleIdentity, ExistingRule>) -> Vec<String> {
    rules.keys().map(ToString::to_string).collect()
}

fn what_is_wanted_stands() -> Result<(), Failed> {
    run(async {
        let corner = Corner::new("stands").await;
        let group = corner.group("stands");
        corner.moto.rule_by_hand(REGION, group.as_str(), 22, "192.0.2.1/32", "by hand");

        // Both families, in one write.
        assert_eq!(corner.make(&group, statics(&["198.51.100.0/24", "2001:db8::/64"])).await, 1);
        let authorized = corner.faulty.requests().iter().filter(|body| body.contains("Authorize")).count();
        assert_eq!(authorized, 1);

        // The marks stand in AWS itself, readable to whoever looks there.
        let fields = [("Filter.1.Name", "group-id"), ("Filter.1.Value.1", group.as_str())];
        let answer = corner.moto.ec2(REGION, "DescribeSecurityGroupRules", &fields);
        assert_eq!(
            answer.matches("<description>doorward 3f9c2a1b static orders-clients</description>").count(),
            2
        );
        assert_eq!(answer.matches("<key>doorward</key>").count(), 2, "{answer}");
        assert_eq!(answer.matches("<value>3f9c2a1b</value>").count(), 2);

        // A second pass finds nothing to do.
        assert_eq!(corner.make(&group, statics(&["198.51.100.0/24", "2001:db8::/64"])).await, 0);

        // A marked rule edited by hand is put right, without ever being away.
        let seen = corner.observe(&group).await;
        let id = rules(&seen, &group)[&rule("tcp/5432", "198.51.100.0/24")].id.clone().expect("an id");
        corner.moto.ec2(
            REGION,
            "ModifySecurityGroupRules",
            &[
                ("GroupId", group.as_str()),
                ("SecurityGroupRule.1.SecurityGroupRuleId", id.as_str()),
                ("SecurityGroupRule.1.SecurityGroupRule.IpProtocol", "tcp"),
                ("SecurityGroupRule.1.SecurityGroupRule.FromPort", "5432"),
                ("SecurityGroupRule.1.SecurityGroupRule.ToPort", "5432"),
                ("SecurityGroupRule.1.SecurityGroupRule.CidrIpv4", "198.51.100.0/24"),
                ("SecurityGroupRule.1.SecurityGroupRule.Description", "mine now"),
            ],
        );
        corner.moto.ec2(
            REGION,
            "DeleteTags",
            &[
                (
                    "ResourceId.1",
                    rules(&seen, &group)[&rule("tcp/5432", "2001:db8::/64")]
                        .id
                        .as_ref()
                        .expect("an id")
                        .as_str(),
                ),
                ("Tag.1.Key", "doorward"),
            ],
        );
        let edited = rules(&corner.observe(&group).await, &group);
        assert_eq!(edited[&rule("tcp/5432", "198.51.100.0/24")].ownership(), Ownership::TagOnly(us()));
        assert_eq!(edited[&rule("tcp/5432", "2001:db8::/64")].tag, None);
        // By what stands on them they are nobody's; by their ids, which a store has noted, they are ours.
        assert_eq!(corner.make(&group, statics(&["198.51.100.0/24", "2001:db8::/64"])).await, 0);
        let mut noted = corner.observe(&group).await;
        let ours = rules(&seen, &group).into_values().filter(|rule| rule.made_by(&us()));
        noted.noted = ours.filter_map(|rule| rule.id).collect();
        let set = BTreeMap::from([(group.clone(), statics(&["198.51.100.0/24", "2001:db8::/64"]))]);
        let plan = difference(&noted, &wanted(&noted, &set, &us()), &us());
        assert_eq!(plan.steps().len(), 1);
        for step in plan.steps() {
            corner.account.perform(step).await.expect("a performed step");
        }
        assert_eq!(rules(&corner.observe(&group).await, &group), rules(&seen, &group));
        let modified: Vec<_> =
            corner.faulty.requests().into_iter().filter(|body| body.contains("Modify")).collect();
        assert_eq!(modified.len(), 1, "{modified:?}");

        // One goes, one comes, one stays; then all go, and what was made by hand is still there.
        assert_eq!(corner.make(&group, statics(&["198.51.100.0/24", "203.0.113.0/24"])).await, 2);
        let now = names(&rules(&corner.observe(&group).await, &group));
        assert_eq!(
            now,
            ["tcp/22 from 192.0.2.1/32", "tcp/5432 from 198.51.100.0/24", "tcp/5432 from 203.0.113.0/24"]
        );
        corner.make(&group, Ruleset::default()).await;
        let left = rules(&corner.observe(&group).await, &group);
        assert_eq!(names(&left), ["tcp/22 from 192.0.2.1/32"]);
        assert!(left.values().all(|rule| rule.description == "by hand"));

        // Every kind of flow goes there and back.
        let kinds: Vec<RuleIdentity> = ["all", "tcp/1000-2000", "udp/53", "icmp", "icmp/8", "proto/107"]
            .iter()
            .map(|flow| rule(flow, "203.0.113.7/32"))
            .collect();
        corner.account.perform(&authorize(&group, &kinds)).await.expect("rules");
        let seen = corner.observe(&group).await;
        for kind in &kinds {
            let existing = rules(&seen, &group).remove(kind).unwrap_or_else(|| panic!("no {kind}"));
            assert_eq!(existing.ownership(), Ownership::Marked(granted("2026-11-22T10:00:00Z")), "{kind}");
        }
        // A sweep needs nothing but the marks.
        let early = "2026-11-22T09:59:59Z".parse().expect("an instant");
        assert!(sweep(&seen, early).is_empty());
        let late = "2026-11-22T10:00:00Z".parse().expect("an instant");
        for step in sweep(&seen, late).steps() {
            corner.account.perform(step).await.expect("a performed step");
        }
        assert_eq!(rules(&corner.observe(&group).await, &group), left);
    })
}

fn a_lost_race_is_a_success() -> Result<(), Failed> {
    run(async {
        let corner = Corner::new("race").await;
        let group = corner.group("race");
        let (one, two, three) = (
            rule("tcp/5432", "203.0.113.1/32"),
            rule("tcp/5432", "203.0.113.2/32"),
            rule("tcp/5432", "203.0.113.3/32"),
        );
        let perform = async |step: &Step| corner.account.perform(step).await.expect("a performed step");
        let first = perform(&authorize(&group, std::slice::from_ref(&one))).await;
        assert_eq!(first, Performed { done: vec![one.clone()], already: vec![] });
        let again = perform(&authorize(&group, std::slice::from_ref(&one))).await;
        assert_eq!(again, Performed { done: vec![], already: vec![one.clone()] });
        // AWS refuses a whole batch for one duplicate; the others get in all the same.
        let batch = perform(&authorize(&group, &[one.clone(), two.clone(), three.clone()])).await;
        assert_eq!(batch.already.first(), Some(&one));
        let stands = corner.observe(&group).await;
        assert_eq!(rules(&stands, &group).into_keys().collect::<Vec<_>>(), [one.clone(), two, three]);

        // Somebody takes one of three away before we do.
        let all = sweep(&stands, Timestamp::MAX).steps().to_vec();
        let ids = rules(&stands, &group);
        let id = ids[&one].id.as_ref().expect("an id").as_str();
        let fields = [("GroupId", group.as_str()), ("SecurityGroupRuleId.1", id)];
        corner.moto.ec2(REGION, "RevokeSecurityGroupIngress", &fields);
        let describe = {
            let remark = |(identity, rule): (&RuleIdentity, &ExistingRule)| doorward_core::plan::Remark {
                id: rule.owned(&us()).expect("ours"),
                rule: identity.clone(),
                mark: granted("2026-11-22T12:00:00Z"),
                retag: true,
            };
            Step::Describe { group: group.clone(), rules: ids.iter().map(remark).collect() }
        };
        let described = perform(&describe).await;
        assert_eq!(described.already, std::slice::from_ref(&one));
        assert_eq!(described.done.len(), 2);
        let revoked = perform(&all[0]).await;
        assert_eq!(revoked.already, [one]);
        assert_eq!(revoked.done.len(), 2);
        assert!(rules(&corner.observe(&group).await, &group).is_empty());
        assert_eq!(perform(&all[0]).await.already.len(), 3);
    })
}

fn closed_without_having_been_seen() -> Result<(), Failed> {
    run(async {
        let corner = Corner::new("blind").await;
        let group = corner.group("blind");
        let (one, two) = (rule("tcp/5432", "203.0.113.1/32"), rule("tcp/5432", "2001:db8::/64"));
        let never = rule("udp/53", "203.0.113.1/32");
        corner.account.perform(&authorize(&group, &[one.clone(), two.clone()])).await.expect("rules");
        corner.faulty.breaks("Action=Describe", 1000, Fault::denied());
        let closed = corner.account.close_blind(&group, &[one.clone(), never.clone(), two.clone()]).await;
        let closed = closed.expect("closed");
        assert_eq!(closed.done.len() + closed.already.len(), 3);
        assert!(closed.already.contains(&never));
        let fields = [("Filter.1.Name", "group-id"), ("Filter.1.Value.1", group.as_str())];
        let answer = corner.moto.ec2(REGION, "DescribeSecurityGroupRules", &fields);
        assert!(!answer.contains("203.0.113.1") && !answer.contains("2001:db8"), "{answer}");
    })
}

fn gone_or_full() -> Result<(), Failed> {
    run(async {
        let corner = Corner::new("full").await;
        let gone: SecurityGroupId = "sg-00000000000000bad".parse().expect("a group");
        let malformed: SecurityGroupId = "sg-xyz".parse().expect("a group");
        let group = corner.group("full");
        // One that is gone, or that AWS cannot even read, hides no other.
        let seen = corner.account.observe(&[gone.clone(), group.clone(), malformed.clone()]).await;
        assert_eq!(seen.gaps, []);
        assert!(matches!(seen.group(&gone), Seen::Gone));
        assert!(matches!(seen.group(&malformed), Seen::Gone));
        assert!(matches!(seen.group(&group), Seen::There(_)));
        let error = corner.account.perform(&authorize(&gone, &[rule("tcp/1", "203.0.113.1")])).await;
        let error = error.expect_err("no such group");
        assert_eq!(
            error.to_string(),
            format!("security group {gone} does not exist in {}", corner.account.account_region())
        );

        let many: Vec<_> = (1..=61).map(|last| rule("tcp/5432", &format!("203.0.113.{last}"))).collect();
        corner.account.perform(&authorize(&group, &many[..60])).await.expect("60 rules");
        let error = corner.account.perform(&authorize(&group, &many[60..])).await.expect_err("no room");
        assert_eq!(error, Error::Full { group: group.clone() });
        assert!(error.to_string().contains("L-0EA8095F"), "{error}");
    })
}

fn denied() -> Result<(), Failed> {
    run(async {
        let corner = Corner::new("denied").await;
        let group = corner.group("denied");
        let account_region = corner.account.account_region().to_string();
        corner.account.perform(&authorize(&group, &[rule("tcp/1", "203.0.113.1")])).await.expect("a rule");

        corner.faulty.breaks("DescribeSecurityGroupRules", 1, Fault::denied());
        let seen = corner.observe(&group).await;
        let gaps: Vec<String> = seen.gaps.iter().map(ToString::to_string).collect();
        let expected = format!(
            "ec2:DescribeSecurityGroupRules in {account_region} was denied: UnauthorizedOperation: You are not authorized to perform this operation."
        );
        assert_eq!(gaps, [expected]);
        assert!(matches!(seen.group(&group), Seen::Unseen(_)));
        // Nothing is planned for what nobody saw.
        assert!(!seen.groups.contains_key(&group));

        // Who may see the rules and not the groups can still close.
        corner.faulty.breaks("Action=DescribeSecurityGroups&", 1, Fault::denied());
        let seen = corner.observe(&group).await;
        assert!(matches!(seen.group(&group), Seen::Unseen(_)));
        assert_eq!(rules(&seen, &group).len(), 1);
        assert!(!sweep(&seen, Timestamp::MAX).is_empty());

        corner.faulty.breaks("AuthorizeSecurityGroupIngress", 1, Fault::denied());
        let error = corner.account.perform(&authorize(&group, &[rule("tcp/2", "203.0.113.1")])).await;
        let error = error.expect_err("denied");
        assert_eq!(
            error.to_string(),
            format!(
                "ec2:AuthorizeSecurityGroupIngress in {account_region} was denied: UnauthorizedOperation: You are not authorized to perform this operation."
            )
        );
        assert!(error.hint().is_some_and(|hint| hint.contains("doorward iam")));
        // A denial is not asked again.
        assert_eq!(corner.account.calls()["AuthorizeSecurityGroupIngress"], 2);
    })
}

fn tried_again() -> Result<(), Failed> {
    run(async {
        let corner = Corner::new("again").await;
        let group = corner.group("again");
        corner.account.perform(&authorize(&group, &[rule("tcp/1", "203.0.113.1")])).await.expect("a rule");
        let broken = Fault::Answer(500, "<html>oh no</html>".into());
        for fault in [Fault::throttled(), broken, Fault::Half, Fault::Short] {
            let before = corner.account.calls().get("DescribeSecurityGroupRules").copied().unwrap_or(0);
            corner.faulty.breaks("DescribeSecurityGroupRules", 2, fault.clone());
            let seen = corner.observe(&group).await;
            assert_eq!(seen.gaps, [], "{fault:?}");
            assert_eq!(rules(&seen, &group).len(), 1);
            assert_eq!(corner.account.calls()["DescribeSecurityGroupRules"], before + 3, "{fault:?}");
        }
        // Not for ever.
        for (fault, why) in [
            (Fault::throttled(), "RequestLimitExceeded: Request limit exceeded."),
            (Fault::Short, "the response cannot be read"),
        ] {
            corner.faulty.breaks("DescribeSecurityGroupRules", 4, fault);
            let begun = Instant::now();
            let seen = corner.observe(&group).await;
            assert!(begun.elapsed() < Duration::from_secs(16), "{:?}", begun.elapsed());
            assert_eq!(seen.gaps.len(), 1);
            assert!(seen.gaps[0].why.starts_with(why), "{}", seen.gaps[0].why);
            assert!(!seen.gaps[0].why.contains("Error("), "{}", seen.gaps[0].why);
        }
    })
}

fn a_lost_answer() -> Result<(), Failed> {
    run(async {
        let corner = Corner::new("lost").await;
        let group = corner.group("lost");
        let one = rule("tcp/5432", "203.0.113.1");
        corner.faulty.breaks("AuthorizeSecurityGroupIngress", 1, Fault::Half);
        let step = authorize(&group, std::slice::from_ref(&one));
        let performed = corner.account.perform(&step).await.expect("a performed step");
        assert_eq!(performed.already, std::slice::from_ref(&one));
        let seen = corner.observe(&group).await;
        assert_eq!(rules(&seen, &group).len(), 1);
        corner.faulty.breaks("RevokeSecurityGroupIngress", 1, Fault::Half);
        let gone = corner.account.perform(&sweep(&seen, Timestamp::MAX).steps()[0]).await.expect("gone");
        assert_eq!(gone.already, [one]);
        assert!(rules(&corner.observe(&group).await, &group).is_empty());
    })
}

fn a_bad_region() -> Result<(), Failed> {
    run(async {
        let corner = Corner::new("silent").await;
        let group = corner.group("silent");
        let good = moto::profile("good", REGION, &corner.moto.url());
        let good = Account::connect(&good).await.expect("an account");
        corner.faulty.breaks("Describe", 1000, Fault::Silence);
        let begun = Instant::now();
        let bad = async {
            let seen = corner.observe(&group).await;
            (seen, begun.elapsed())
        };
        let well = async {
            let seen = good.observe(std::slice::from_ref(&group)).await;
            (seen, begun.elapsed())
        };
        let ((unseen, late), (seen, soon)) = tokio::join!(bad, well);
        assert!(matches!(seen.group(&group), Seen::There(_)));
        assert!(soon < Duration::from_secs(4), "{soon:?}");
        assert!(matches!(unseen.group(&group), Seen::Unseen(_)));
        assert!(late < Duration::from_secs(17), "{late:?}");
        assert!(unseen.gaps[0].why.contains("seconds"), "{}", unseen.gaps[0].why);
    })
}

fn few_calls() -> Result<(), Failed> {
    run(async {
        let corner = Corner::new("many").await;
        let groups: Vec<SecurityGroupId> =
            (0..500).map(|number| corner.group(&format!("many-{number}"))).collect();
        let last = groups.last().expect("a group").clone();
        corner.account.perform(&authorize(&last, &[rule("tcp/1", "203.0.113.1")])).await.expect("a rule");
        let before = corner.account.calls();
        let seen = corner.account.observe(&groups).await;
        assert_eq!(seen.gaps, []);
        assert_eq!(seen.groups.len(), 500);
        assert_eq!(rules(&seen, &last).len(), 1);
        corner.account.observe(&groups).await;
        let made: BTreeMap<&str, u64> = corner
            .account
            .calls()
            .into_iter()
            .map(|(call, count)| (call, count - before.get(call).copied().unwrap_or(0)))
            .filter(|(_, count)| *count > 0)
            .collect();
        // 200 groups a call, twice; the quota is asked once an hour.
        let expected =
            [("DescribeSecurityGroupRules", 6), ("DescribeSecurityGroups", 6), ("GetServiceQuota", 1)];
        assert_eq!(made, BTreeMap::from(expected));
        let before = corner.account.calls();
        assert_eq!(corner.account.observe(&[]).await, Inventory::default());
        assert_eq!(corner.account.calls(), before);
    })
}

fn every_page() -> Result<(), Failed> {
    run(async {
        // moto ignores MaxResults, so the pages are ours, in the notation of EC2.
        let corner = Corner::new("pages").await;
        let group = corner.group("pages");
        let page = |number: u32, next: &str| {
            format!(
                "<DescribeSecurityGroupRulesResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><requestId>1</requestId><securityGroupRuleSet><item><securityGroupRuleId>sgr-{number}</securityGroupRuleId><groupId>{group}</groupId><groupOwnerId>123456789012</groupOwnerId><isEgress>false</isEgress><ipProtocol>tcp</ipProtocol><fromPort>{number}</fromPort><toPort>{number}</toPort><cidrIpv4>203.0.113.7/32</cidrIpv4><description>a &amp; b</description><tagSet/></item></securityGroupRuleSet>{next}</DescribeSecurityGroupRulesResponse>"
            )
        };
        let next = |token: &str| format!("<nextToken>{token}</nextToken>");
        corner.faulty.breaks("NextToken=a%3D", 1, Fault::Answer(200, page(2, &next("b"))));
        corner.faulty.breaks("NextToken=b", 1, Fault::Answer(200, page(3, "")));
        corner.faulty.breaks("DescribeSecurityGroupRules", 1, Fault::Answer(200, page(1, &next("a="))));
        let seen = corner.observe(&group).await;
        assert_eq!(seen.gaps, []);
        let rules = rules(&seen, &group);
        let expected: Vec<_> = (1..=3).map(|port| format!("tcp/{port} from 203.0.113.7/32")).collect();
        assert_eq!(names(&rules), expected);
        assert!(rules.values().all(|rule| rule.description == "a & b"));
        let asked: Vec<_> =
            corner.faulty.requests().into_iter().filter(|body| body.contains("GroupRules")).collect();
        assert!(asked.iter().all(|body| body.contains("MaxResults=1000")), "{asked:?}");

        // A page that fails hides the whole group: half of its rules is not what it is.
        corner.faulty.breaks("NextToken=c", 9, Fault::denied());
        corner.faulty.breaks("DescribeSecurityGroupRules", 1, Fault::Answer(200, page(1, &next("c"))));
        let seen = corner.observe(&group).await;
        assert!(matches!(seen.group(&group), Seen::Unseen(_)));
        assert!(seen.groups.is_empty());
    })
}

fn quotas() -> Result<(), Failed> {
    run(async {
        let corner = Corner::new("quota").await;
        let group = corner.group("quota");
        let raised = r#"{"Quota":{"QuotaCode":"L-0EA8095F","Value":100.0}}"#;
        corner.faulty.breaks("GetServiceQuota", 1, Fault::Answer(200, raised.into()));
        let seen = corner.observe(&group).await;
        assert_eq!(seen.quota(corner.account.account_region()), 100);
        assert_eq!(corner.account.notes(), Vec::<String>::new());

        let other = Account::connect(corner.account.account_region()).await.expect("an account");
        let no = r#"{"__type":"AccessDeniedException","Message":"User is not authorized"}"#;
        corner.faulty.breaks("GetServiceQuota", 1, Fault::Answer(400, no.into()));
        for _ in 0..2 {
            let seen = other.observe(std::slice::from_ref(&group)).await;
            assert_eq!((seen.quota(other.account_region()), seen.gaps), (60, vec![]));
        }
        assert_eq!(other.calls()["GetServiceQuota"], 1);
        assert!(
            other.notes()[0].contains("AccessDeniedException: User is not authorized"),
            "{:?}",
            other.notes()
        );

        let list = corner.moto.ec2(
            REGION,
            "CreateManagedPrefixList",
            &[("PrefixListName", "offices"), ("MaxEntries", "7"), ("AddressFamily", "IPv4")],
        );
        let list = moto::between(&list, "<prefixListId>", "</prefixListId>");
        assert!(!other.calls().contains_key("DescribeManagedPrefixLists"));
        corner.moto.ec2(
            REGION,
            "AuthorizeSecurityGroupIngress",
            &[
                ("GroupId", group.as_str()),
                ("IpPermissions.1.IpProtocol", "tcp"),
                ("IpPermissions.1.FromPort", "22"),
                ("IpPermissions.1.ToPort", "22"),
                ("IpPermissions.1.PrefixListIds.1.PrefixListId", &list),
                ("IpPermissions.1.Groups.1.GroupId", group.as_str()),
            ],
        );
        let seen = other.observe(std::slice::from_ref(&group)).await;
        let weight = seen.groups[&group].weight(
            doorward_core::inventory::Direction::In,
            doorward_core::net::Family::V4,
            &seen.prefix_list_weights,
        );
        assert_eq!(weight, 7 + 1, "{seen:?}");
    })
}

fn misconfigured() -> Result<(), Failed> {
    run(async {
        let group: SecurityGroupId = "sg-0a1b2c3d4e5f60718".parse().expect("a group");
        let nobody = AccountRegion { profile: Some("nobody".into()), region: None, account: None };
        let error = Account::connect(&nobody).await.expect_err("no Region");
        assert_eq!(error.to_string(), "no Region is configured for profile `nobody`");
        assert!(error.hint().is_some());

        let why = async |account_region: &AccountRegion| {
            let account = Account::connect(account_region).await.expect("an account");
            let seen = account.observe(std::slice::from_ref(&group)).await;
            assert!(matches!(seen.group(&group), Seen::Unseen(_)));
            seen.gaps[0].why.clone()
        };
        let account_region =
            AccountRegion { profile: Some("nobody".into()), region: Some(REGION.into()), account: None };
        let text = why(&account_region).await;
        assert!(
            text.starts_with("NoCredentials: profile `nobody` is not in the AWS configuration"),
            "{text}"
        );
        let account_region = AccountRegion { profile: None, region: Some(REGION.into()), account: None };
        let text = why(&account_region).await;
        assert!(
            text.starts_with("NoCredentials: no credentials found in the environment, the profile"),
            "{text}"
        );
        let account_region =
            moto::profile("closed", REGION, &format!("http://127.0.0.1:{}", moto::free_port()));
        let text = why(&account_region).await;
        assert_eq!(text, "tcp connect error: Connection refused (os error 111)");

        let corner = Corner::new("identity").await;
        let identity = corner.account.identity().await.expect("an identity");
        assert_eq!(identity.account, "123456789012");
        assert_eq!(corner.account.region(), REGION);
    })
}

fn account_regions() -> Result<(), Failed> {
    run(async {
        let corner = Corner::new("ireland").await;
        let (here, account_region) = (corner.group("ireland"), corner.account.account_region().clone());
        let there = corner.moto.group("us-east-1", &corner.moto.vpc("us-east-1"), "virginia");
        let there: SecurityGroupId = there.parse().expect("a group");
        let far = moto::profile("virginia", "us-east-1", &corner.faulty.url());
        let nowhere = AccountRegion { profile: Some("nowhere".into()), region: None, account: None };
        let lost: SecurityGroupId = "sg-0a1b2c3d4e5f60718".parse().expect("a group");

        let cloud = Cloud::live();
        let groups = BTreeMap::from([
            (account_region.clone(), BTreeSet::from([here.clone()])),
            (far.clone(), BTreeSet::from([there.clone()])),
            (nowhere, BTreeSet::from([lost.clone()])),
        ]);
        let seen = cloud.observe(&groups).await;
        assert!(matches!(seen.group(&here), Seen::There(group) if group.account_region == account_region));
        assert!(matches!(seen.group(&there), Seen::There(group) if group.account_region == far));
        let Seen::Unseen(gap) = seen.group(&lost) else { panic!("{seen:?}") };
        assert_eq!(gap.why, "no Region is configured for profile `nowhere`");

        // A step goes to its own place.
        let step = authorize(&there, &[rule("tcp/1", "203.0.113.1")]);
        assert!(matches!(cloud.perform(&account_region, &step).await, Err(Error::NoGroup { .. })));
        cloud.perform(&far, &step).await.expect("a performed step");
        let seen = cloud.observe(&groups).await;
        assert_eq!(rules(&seen, &there).len(), 1);
        assert_eq!(cloud.calls()["DescribeSecurityGroups"], 4);
        assert_eq!(cloud.calls()["GetServiceQuota"], 2);
    })
}

fn parliament() -> Result<(), Failed> {
    let firewall = |number: usize, at: &str| {
        format!("[firewall.door-{number}]\nsecurity-group = \"sg-{number:017x}\"\n{at}\n")
    };
    let policy = |firewalls: String| {
        let text = format!("[people]\npasswords = \"p\"\ngroups = \"g\"\n{firewalls}");
        doorward_core::policy::parse(&text, "doorward.toml").expect("a policy")
    };
    let account = BTreeMap::from([(None, "123456789012".parse().expect("an account"))]);
    let account_regions = ["", "region = \"eu-west-1\"", "region = \"us-gov-west-1\"\nprofile = \"gov\""];
    let few = account_regions.iter().enumerate().map(|(number, at)| firewall(number, at)).collect();
    let many = (0..500).map(|number| firewall(number, "region = \"eu-west-1\"")).collect();
    let (few, many) = (policy(few), policy(many));
    for (policy, sees) in [(&few, Sees::Groups), (&few, Sees::Everything), (&many, Sees::Groups)] {
        for document in iam(policy, None, &account, sees).documents {
            let json = serde_json::to_string(&document)?;
            assert_eq!(findings(&json), "", "{json}");
            // It would have said so.
            let wrong =
                json.replace(":security-group-rule/", ":instance/").replace("ec2:Describe", "ec2:Depict");
            assert_ne!(findings(&wrong), "", "{wrong}");
        }
    }
    Ok(())
}

fn findings(json: &str) -> String {
    use std::io::Write as _;
    use std::process::{Command, Stdio};
    let mut parliament = Command::new(find("parliament").expect("parliament"))
        .args(["--include-community-auditors", "--minimum_severity", "INFO", "--json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("parliament");
    parliament.stdin.take().expect("its input").write_all(json.as_bytes()).expect("its input");
    let output = parliament.wait_with_output().expect("its output");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    // It ends with 0 when it has no finding, and with 1 when it has; all else is no verdict.
    assert_eq!(output.status.code(), Some(i32::from(!said.is_empty())), "{output:?}");
    said
}

fn credentials() -> Result<(), Failed> {
    run(async {
        let corner = Corner::new("keys").await;
        let group = corner.group("keys");
        let groups = std::slice::from_ref(&group);
        let folder = tempfile::tempdir().expect("a folder");
        let asked = folder.path().join("asked");
        let process = folder.path().join("process");
        let keys = r#"{"Version": 1, "AccessKeyId": "test", "SecretAccessKey": "test"}"#;
        std::fs::write(&process, format!("echo asked >> {}\necho '{keys}'\n", asked.display()))
            .expect("a file");
        let lines = format!(
            "region = {REGION}\nendpoint_url = {}\ncredential_process = sh {}",
            corner.moto.url(),
            process.display()
        );
        let account = Account::connect(&profiles::profile_with("process", &lines)).await.expect("an account");
        assert!(!asked.exists(), "connecting asks nobody");
        for _ in 0..3 {
            assert_eq!(account.observe(groups).await.gaps, []);
        }
        assert_eq!(std::fs::read_to_string(&asked).expect("a file"), "asked\n");

        // Who mends the configuration need not start the server again.
        let lines = format!("region = {REGION}\nendpoint_url = {}", corner.moto.url());
        let account = Account::connect(&profiles::profile_with("late", &lines)).await.expect("an account");
        for _ in 0..2 {
            let seen = account.observe(groups).await;
            assert_eq!(seen.gaps[0].why, "NoCredentials: profile `late` has no credentials");
        }
        profiles::profile_with("late", "aws_access_key_id = test\naws_secret_access_key = test");
        assert_eq!(account.observe(groups).await.gaps, []);
    })
}

/// A model is worth something only where it does what it stands for.
fn in_memory() -> Result<(), Failed> {
    run(async {
        let corner = Corner::new("memory").await;
        let group = corner.group("memory");
        corner.moto.rule_by_hand(REGION, group.as_str(), 22, "192.0.2.1/32", "by hand");
        let account_region = corner.account.account_region().clone();
        let memory = Simulated::new(corner.observe(&group).await);
        let without_ids = |inventory: &Inventory| {
            let mut rules = rules(inventory, &group);
            rules.values_mut().for_each(|rule| rule.id = None);
            rules
        };
        // Rules come and go by the bits of a number that goes through every pattern.
        let mut bits: u32 = 1;
        for pass in 0..24_u8 {
            bits = bits.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let prefixes: Vec<String> =
                (0..12)
                    .filter(|bit| bits >> (bit + 16) & 1 == 1)
                    .map(|bit| {
                        if bit % 3 == 0 { format!("2001:db8:{bit}::/64") } else { format!("203.0.113.{bit}") }
                    })
                    .collect();
            let ruleset = statics(&prefixes.iter().map(String::as_str).collect::<Vec<_>>());
            let actual = corner.observe(&group).await;
            let wanted = wanted(&actual, &BTreeMap::from([(group.clone(), ruleset.clone())]), &us());
            for step in difference(&actual, &wanted, &us()).steps() {
                corner.account.perform(step).await.expect("a performed step");
            }
            let actual = memory.observe(&account_region, std::slice::from_ref(&group));
            let wanted =
                doorward_core::plan::wanted(&actual, &BTreeMap::from([(group.clone(), ruleset)]), &us());
            for step in difference(&actual, &wanted, &us()).steps() {
                memory.perform(&account_region, step).expect("a performed step");
            }
            // The same step again, late: what the account says of it.
            let again = authorize(&group, &[rule("udp/53", &format!("198.51.100.{}", pass / 2))]);
            let (one, other) =
                (corner.account.perform(&again).await, memory.perform(&account_region, &again));
            assert_eq!(one, other, "pass {pass}");
            let real = corner.observe(&group).await;
            assert_eq!(without_ids(&real), without_ids(&memory.inventory()), "pass {pass}");
        }
    })
}
