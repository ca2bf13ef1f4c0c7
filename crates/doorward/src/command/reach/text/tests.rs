//! Answers of every verdict, as they are printed.

use doorward_core::inventory::{AccountRegion, Call, Gap, NamedResource, ResourceKind, ResourceRef};
use doorward_core::net::Ports;
use doorward_core::reach::{Answer, Back, Blocker, Code, Fix, Flows, Hop, Part, Selector, Verdict};

use super::*;

fn flows(text: &str) -> Flows {
    text.split_whitespace().map(|flow| flow.parse::<doorward_core::net::Flow>().expect("a flow")).collect()
}

fn hop(kind: ResourceKind, resource: &str, name: Option<&str>, because: &str) -> Hop {
    let resource = ResourceRef::of(kind, resource);
    Hop { resource, name: name.map(Into::into), because: because.into() }
}

fn web() -> Selector {
    let resource = ResourceRef::of(ResourceKind::Instance, "i-0a");
    Selector::Resource(NamedResource { resource, name: Some("web".into()) })
}

fn database() -> Selector {
    let resource = ResourceRef::of(ResourceKind::Database, "orders");
    Selector::Resource(NamedResource { resource, name: Some("orders".into()) })
}

fn yes() -> Answer {
    Answer {
        verdict: Verdict::Yes,
        flows: flows("tcp/5432"),
        at_most: flows("tcp/5432"),
        hops: vec![
            hop(ResourceKind::Instance, "i-0a", Some("web"), "sends from 10.0.1.5"),
            hop(ResourceKind::SecurityGroup, "sg-0client", Some("db_connect"), "all to 0.0.0.0/0"),
            hop(ResourceKind::SecurityGroup, "sg-0db", Some("db"), "tcp/5432 from sg-0client"),
            hop(ResourceKind::Database, "orders", None, ""),
        ],
        blockers: Vec::new(),
        back: Back {
            verdict: Verdict::Yes,
            ports: vec![Ports::range(1024, 65535).expect("ports")],
            hops: vec![hop(ResourceKind::RouteTable, "rtb-0a", None, "local")],
        },
        gaps: Vec::new(),
        parts: Vec::new(),
        notes: Vec::new(),
    }
}

fn change(rule: &str) -> doorward_core::reach::Change {
    let json = format!(r#"{{"group": "sg-0db", "add": "{rule}"}}"#);
    serde_json::from_str(&json).expect("a change")
}

fn blocker() -> Blocker {
    Blocker {
        code: Code::SecurityGroup,
        resource: ResourceRef::of(ResourceKind::SecurityGroup, "sg-0db"),
        name: Some("db".into()),
        why: "no rule admits tcp/5432 from 203.0.113.7".into(),
        fix: Fix::Changes(vec![change("tcp/5432 from 203.0.113.7/32"), change("tcp/5432 from ::/0")]),
        flows: flows("tcp/5432"),
        replies: false,
    }
}

fn gap() -> Gap {
    let account_region = AccountRegion { profile: None, region: Some("eu-west-1".into()), account: None };
    Gap::of(Call::NetworkAcls, &account_region, "AccessDenied")
}

fn nothing(verdict: Verdict) -> Answer {
    let back = Back { verdict: Verdict::No, ports: Vec::new(), hops: Vec::new() };
    Answer { verdict, flows: Flows::NONE, at_most: Flows::NONE, hops: Vec::new(), back, ..yes() }
}

fn check(answer: &Answer, asked: &str, expected: &str) {
    let asked = Some(flows(asked)).filter(|asked| !asked.is_empty());
    assert_eq!(question(answer, &web(), &database(), asked.as_ref()), expected);
}

#[test]
fn a_yes_shows_the_path() {
    let expected = "\
yes: tcp/5432 is allowed from instance i-0a (web) to database orders

path
  instance        i-0a (web)               sends from 10.0.1.5
  security group  sg-0client (db_connect)  all to 0.0.0.0/0
  security group  sg-0db (db)              tcp/5432 from sg-0client
  database        orders

replies are allowed through rtb-0a
";
    check(&yes(), "tcp/5432", expected);
    check(&yes(), "", expected);
}

#[test]
fn a_no_shows_every_blocker() {
    let acl = Blocker {
        code: Code::Acl,
        resource: ResourceRef::of(ResourceKind::NetworkAcl, "acl-0a"),
        name: None,
        why: "entry 90 denies tcp/0-1023".into(),
        fix: Fix::Advice(String::new()),
        flows: flows("tcp/22"),
        replies: true,
    };
    let answer = Answer { blockers: vec![blocker(), acl], ..nothing(Verdict::No) };
    check(
        &answer,
        "tcp/5432 tcp/22",
        "\
no: tcp/22, tcp/5432 are not allowed from instance i-0a (web) to database orders

blocked by
  ENI_SG_RULES_MISMATCH  security group sg-0db (db)
    blocks       tcp/5432
    because      no rule admits tcp/5432 from 203.0.113.7
    fix          add an inbound rule to sg-0db: tcp/5432 from 203.0.113.7/32
                 add an inbound rule to sg-0db: tcp/5432 from ::/0
  SUBNET_ACL_RESTRICTION  network ACL acl-0a
    blocks       replies of tcp/22
    because      entry 90 denies tcp/0-1023
",
    );
    let answer = Answer { blockers: vec![blocker()], ..nothing(Verdict::No) };
    let text = question(&answer, &Selector::Internet, &database(), None);
    assert!(text.starts_with("no: no traffic is allowed from the internet to database orders\n"), "{text}");
}

#[test]
fn partly_says_what_is_allowed_and_what_is_not() {
    let answer = Answer { verdict: Verdict::Partly, hops: Vec::new(), ..yes() };
    check(
        &answer,
        "tcp/5432 tcp/22",
        "partly: tcp/5432 is allowed from instance i-0a (web) to database orders, tcp/22 is not\n",
    );
    let back = Back {
        verdict: Verdict::Partly,
        ports: vec![Ports::range(32768, 61000).expect("ports")],
        hops: vec![hop(ResourceKind::NetworkAcl, "acl-0a", None, "entry 100 allows tcp/32768-61000")],
    };
    let hops = vec![
        hop(ResourceKind::Instance, "i-0a", None, "sends"),
        hop(ResourceKind::Database, "orders", None, ""),
    ];
    check(
        &Answer { verdict: Verdict::Partly, hops, back, ..yes() },
        "tcp/5432",
        "\
partly: tcp/5432 is allowed from instance i-0a (web) to database orders, but some replies are blocked

path of the allowed traffic
  instance  i-0a    sends
  database  orders

replies are allowed only to the source ports 32768-61000

path of the replies
  network ACL  acl-0a  entry 100 allows tcp/32768-61000
",
    );
}

#[test]
fn pairs_with_another_verdict_are_folded() {
    let part = |number: usize| Part {
        from: format!("eni-{number}"),
        to: "orders".into(),
        flows: if number == 3 { flows("tcp/5432") } else { Flows::NONE },
        verdict: if number == 3 { Verdict::Yes } else { Verdict::No },
    };
    let parts: Vec<Part> = (0..22).map(part).collect();
    let answer = Answer { verdict: Verdict::Partly, hops: Vec::new(), parts, ..yes() };
    let text = question(&answer, &web(), &database(), Some(&flows("tcp/5432")));
    let start = "\
partly: tcp/5432 is allowed for some source/destination pairs from instance i-0a (web) to database orders, but not for all

by source and destination
  tcp/5432  from eni-3 to orders
  nothing   from eni-0 to orders
";
    assert!(text.starts_with(start), "{text}");
    assert!(
        text.ends_with("  nothing   from eni-19 to orders\n  and 2 pairs more; --json has all\n"),
        "{text}"
    );
}

#[test]
fn unknown_says_what_is_missing() {
    let answer = Answer {
        at_most: flows("tcp/5432"),
        gaps: vec![gap()],
        notes: vec!["an idle function has no interface".into()],
        ..nothing(Verdict::Unknown)
    };
    check(
        &answer,
        "tcp/5432",
        "\
unknown: whether tcp/5432 is allowed from instance i-0a (web) to database orders is undetermined, because parts of the inventory are missing

undetermined: not readable
  ec2:DescribeNetworkAcls in eu-west-1 was denied: AccessDenied

notes
  an idle function has no interface
",
    );
    let answer = Answer { flows: flows("tcp/22"), at_most: flows("tcp/22 udp/53 icmp"), ..answer };
    let text = question(&answer, &web(), &database(), None);
    assert!(
        text.starts_with(
            "unknown: tcp/22 is allowed from instance i-0a (web) to database orders; whether udp/53, icmp are allowed is undetermined"
        ),
        "{text}"
    );
}

#[test]
fn many_flows_are_folded_and_listed_below() {
    let many: Vec<String> = (0..30).map(|number| format!("tcp/{}", 2 * number)).collect();
    let answer = Answer { flows: flows(&many.join(" ")), hops: Vec::new(), ..yes() };
    let text = question(&answer, &web(), &database(), None);
    let start = "yes: tcp/0, tcp/2, tcp/4, tcp/6, tcp/8, tcp/10, tcp/12, tcp/14 and 22 more are allowed from";
    assert!(text.starts_with(start), "{text}");
    assert!(text.contains("\nallowed\n  tcp/0, tcp/2,") && text.contains("tcp/58\n"), "{text}");
    assert!(text.lines().skip(1).all(|line| line.len() <= 92), "{text}");
    let answer = Answer { flows: Flows::all(), hops: Vec::new(), ..yes() };
    check(&answer, "", "yes: all traffic is allowed from instance i-0a (web) to database orders\n");
}

#[test]
fn json_has_the_keys_that_are_promised() {
    let answer = Answer { blockers: vec![blocker()], gaps: vec![gap()], ..yes() };
    let asked = flows("tcp/5432 tcp/1000-2000 icmp/8/0");
    let web = web();
    let question = super::super::answer::Asked { from: &web, to: &Selector::Internet, flows: Some(&asked) };
    let view = super::super::json::question(&answer, &question, &[]);
    let json = serde_json::to_string_pretty(&view).expect("JSON");
    let expected = r#"{
  "verdict": "yes",
  "flows": [
    "tcp/5432"
  ],
  "hops": [
    {
      "resource": "i-0a",
      "kind": "instance",
      "because": "sends from 10.0.1.5",
      "name": "web"
    },"#;
    assert!(json.starts_with(expected), "{json}");
    let value: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let at = |path: &str| value.pointer(path).cloned().unwrap_or_default().to_string();
    assert_eq!(at("/asked"), r#"["tcp/1000-2000","tcp/5432","icmp/8/0"]"#);
    assert_eq!(at("/from"), r#"{"id":"i-0a","kind":"instance","name":"web"}"#);
    assert_eq!(at("/to"), r#"{"kind":"internet"}"#);
    assert_eq!(at("/blockers/0/code"), r#""ENI_SG_RULES_MISMATCH""#);
    assert_eq!(at("/blockers/0/replies"), "false");
    assert_eq!(at("/blockers/0/changes/0/add"), r#""tcp/5432 from 203.0.113.7/32""#);
    assert_eq!(at("/return/ports"), r#"["1024-65535"]"#);
    assert_eq!(at("/return/verdict"), r#""yes""#);
    assert_eq!(at("/gaps/0/call"), r#""ec2:DescribeNetworkAcls""#);
    assert_eq!(at("/at_most"), r#"["tcp/5432"]"#);
    assert_eq!(at("/parts"), "[]");
}
