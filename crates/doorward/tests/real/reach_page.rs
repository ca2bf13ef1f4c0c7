//! Who can reach what, in Chromium: accounts of ten and of five hundred roles, on a desk and on a phone.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use libtest_mimic::{Failed, Trial};
use serde_json::{Value, json};

use crate::browser::{Browser, DESK, Setup};
use crate::inside::{Inside, PASSWORD};
use crate::need::{Need, trial};

/// A phone of the usual width.
const PHONE: Setup = Setup { width: 390, ..DESK };

/// The tests.
pub fn trials() -> Vec<Trial> {
    let test = |name: &str, test: fn()| {
        trial(&format!("reach_page::{name}"), &[Need::Chromium], move || {
            test();
            Ok::<(), Failed>(())
        })
    };
    vec![
        test("ten_roles_and_a_way_that_is_followed", ten),
        test("five_hundred_roles_at_a_glance", five_hundred),
        test("without_scripts_it_is_all_there", without_scripts),
        test("a_file_opens_by_itself", file),
        test("it_fits_a_phone_and_the_dark", everywhere),
    ]
}

fn served(roles: usize) -> (Inside, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    account(folder.path(), roles);
    let inside =
        Inside::with(&["127.0.0.1"], |_| format!("[inventory]\nfolder = \"{}\"\n", folder.path().display()));
    (inside, folder)
}

fn operator(setup: Setup, server: &Inside) -> Browser {
    let browser = Browser::start(setup);
    browser.go(&format!("{}/sign-in?next=/reach", server.url));
    browser.find("#name").type_in("maria");
    browser.find("#password").type_in(PASSWORD);
    browser.find("main button").click();
    browser.find("#picture svg");
    browser
}

/// Long tables are folded until somebody wants them.
fn open_table(browser: &Browser) {
    if browser.count("#ways details:not([open])") > 0 {
        browser.find("#ways summary").click();
    }
}

fn ten() {
    let (server, _folder) = served(10);
    let browser = operator(DESK, &server);
    browser.says("10 roles");
    browser.screenshot("reach-10");
    // Boxes stand in their bands, and nothing sticks out of the picture.
    let astray = browser.script(
        "const svg = document.querySelector('.picture').getBoundingClientRect();\
         return [...document.querySelectorAll('.picture .node rect, .picture text')].filter(e => {\
           const r = e.getBoundingClientRect();\
           return r.left < svg.left - 1 || r.right > svg.right + 1 || r.top < svg.top - 1 || r.bottom > svg.bottom + 1;\
         }).map(e => e.textContent || e.outerHTML)",
    );
    assert_eq!(astray, json!([]));
    let long = browser.script(
        "return [...document.querySelectorAll('.picture .role')].filter(box => {\
           const outer = box.querySelector(':scope > rect').getBoundingClientRect();\
           return [...box.querySelectorAll('text')].some(t => t.getBoundingClientRect().right > outer.right);\
         }).map(box => box.textContent)",
    );
    assert_eq!(long, json!([]), "names that are longer than their boxes");
    // A line of the picture, clicked beside its middle as a hand would.
    let clicked = browser.script(
        "const line = [...document.querySelectorAll('.picture a.wire.db')][0];\
         line.dispatchEvent(new MouseEvent('click', { bubbles: true, cancelable: true }));\
         return line.querySelector('title').textContent",
    );
    let clicked = clicked.as_str().expect("a title").to_owned();
    assert!(clicked.contains("tcp/5432"), "{clicked}");
    browser.find("#answer .hops li");
    browser.says("Replies come back");
    assert!(browser.url().contains("flow=tcp/5432"), "{}", browser.url());
    assert!(browser.text().contains("security group"));
    browser.screenshot("reach-10-trace");
    // A question that is typed.
    browser.go(&format!("{}/reach", server.url));
    browser.find("#from").type_in("internet");
    browser.find("#to").type_in("orders-db-0");
    browser.find("#flow").type_in("tcp/5432");
    browser.find(".ask button").click();
    browser.says("Blocked by");
    assert_eq!(browser.count(".answer .badge.bad"), 1);
    browser.screenshot("reach-10-no");
    // A box, whose lines alone are shown.
    browser.go(&format!("{}/reach", server.url));
    let all = browser.count(".picture .lines a.wire");
    browser.script(
        "document.querySelector('.picture a.role').dispatchEvent(new MouseEvent('click', { bubbles: true }))",
    );
    browser.says("Show everything");
    assert!(browser.count(".picture .lines a.wire") < all);
    browser.screenshot("reach-10-role");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

fn five_hundred() {
    let (server, _folder) = served(500);
    let begun = Instant::now();
    let browser = operator(DESK, &server);
    browser.says("500 roles");
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(30), "{took:?}");
    browser.screenshot("reach-500");
    let bytes = browser.script("return document.querySelector('.picture').outerHTML.length");
    assert!(bytes.as_u64().is_some_and(|bytes| bytes < 2_000_000), "{bytes}");
    // It does not hang: a box that is pointed at shows its lines within a moment.
    let lit = browser.script(
        "const box = document.querySelector('.picture a.role:not(.idle)');\
         const begun = performance.now();\
         box.dispatchEvent(new PointerEvent('pointerover', { bubbles: true }));\
         document.body.offsetHeight;\
         return { shown: document.querySelectorAll('.picture .waiting .wire.on').length, took: performance.now() - begun }",
    );
    assert!(lit["shown"].as_u64().is_some_and(|shown| shown > 0), "{lit}");
    assert!(lit["took"].as_f64().is_some_and(|took| took < 1000.0), "{lit}");
    browser.screenshot("reach-500-pointed");
    browser.find("#full-size").click();
    browser.screenshot("reach-500-full");
    // A bundle leads to its lines, and one of these to its trace.
    browser.go(&format!("{}/reach", server.url));
    browser.script(
        "document.querySelector('.picture a.wire.many.db').dispatchEvent(new MouseEvent('click', { bubbles: true }))",
    );
    browser.says("Paths from");
    browser.screenshot("reach-500-bundle");
    open_table(&browser);
    browser.find("table.ways tbody tr td a").click();
    browser.find("#answer .hops li");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

fn without_scripts() {
    let (server, _folder) = served(10);
    let browser = operator(Setup { scripts: false, ..DESK }, &server);
    browser.find("#from").type_in("internet");
    browser.find("#to").type_in("group:alb-0");
    browser.find(".ask button").click();
    browser.find("#answer .badge.good");
    browser.find("table.ways tbody tr td a").click();
    browser.find("#answer .hops li");
    browser.find("#full-size").click();
    browser.screenshot("reach-plain");
}

/// What `--svg` writes, as somebody opens it who has nothing else.
fn file() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let recorded = folder.path().join("account");
    fs::create_dir(&recorded).expect("a folder");
    account(&recorded, 500);
    let picture = folder.path().join("account.svg");
    let mut reach = Command::new(env!("CARGO_BIN_EXE_doorward"));
    reach.arg("reach").arg("--all").arg("--svg").arg(&picture).arg("--inventory").arg(&recorded);
    let wrote = reach.output().expect("doorward");
    assert!(wrote.status.success() && wrote.stdout.is_empty(), "{wrote:?}");
    let bytes = fs::metadata(&picture).expect("the picture").len();
    assert!((10_000..2_000_000).contains(&bytes), "{bytes}");
    let browser = Browser::start(DESK);
    browser.go(&format!("file://{}", picture.display()));
    assert_eq!(browser.script("return document.documentElement.tagName"), "svg");
    assert_eq!(browser.script("return document.querySelectorAll('script, [href]').length"), 0);
    assert!(browser.count(".node.role") > 400);
    assert_eq!(browser.complaints(), Vec::<String>::new());
    // Nowhere to write, and a single question.
    for (place, question, code) in [("/nowhere/account.svg", "--all", 73), ("account.svg", "--json", 64)] {
        let mut reach = Command::new(env!("CARGO_BIN_EXE_doorward"));
        reach.args(["reach", "--all", "--svg", place, "--inventory"]).arg(&recorded);
        if question != "--all" {
            reach.arg(question);
        }
        let refused = reach.output().expect("doorward");
        assert_eq!(refused.status.code(), Some(code), "{refused:?}");
    }
}

fn everywhere() {
    for roles in [10, 500] {
        let (server, _folder) = served(roles);
        for (kind, setup) in [("phone", PHONE), ("dark", Setup { dark: true, ..DESK })] {
            let browser = operator(setup, &server);
            browser.screenshot(&format!("reach-{roles}-{kind}"));
            assert!(browser.fits(), "the page of {roles} roles is wider than a {kind}");
            open_table(&browser);
            browser.find("table.ways tbody tr td a").click();
            browser.find("#answer .hops li");
            browser.screenshot(&format!("reach-{roles}-{kind}-trace"));
            assert!(browser.fits(), "the trace is wider than a {kind}");
        }
    }
}

const KEYS: [&str; 7] = [
    "Vpcs",
    "Subnets",
    "RouteTables",
    "SecurityGroups",
    "NetworkInterfaces",
    "Instances",
    "InternetGateways",
];

/// An account of so many roles as `aws … describe-*` answers: environments of a public, a private and a data tier.
fn account(folder: &Path, roles: usize) {
    let mut answers: std::collections::BTreeMap<&str, Vec<Value>> =
        KEYS.into_iter().chain(["NatGateways", "NetworkAcls"]).map(|key| (key, Vec::new())).collect();
    let mut add = |key: &'static str, value: Value| answers.entry(key).or_default().push(value);
    let environments = (roles / 60).clamp(1, 8);
    let words = ["orders", "billing", "search", "users", "stock", "mail", "reports", "media"];
    for e in 0..environments {
        let vpc = format!("vpc-0a1b2c3d4e5f6{e:04x}");
        let tag = |name: &str| json!([{ "Key": "Name", "Value": name }]);
        let name = ["prod", "stage", "dev", "tools", "data", "shared", "legacy", "lab"][e];
        let cidr = format!("10.{e}.0.0/16");
        add(
            "Vpcs",
            json!({ "VpcId": vpc, "OwnerId": "111122223333", "CidrBlock": cidr, "IsDefault": false,
            "CidrBlockAssociationSet": [{ "CidrBlock": cidr, "CidrBlockState": { "State": "associated" } }], "Tags": tag(name) }),
        );
        let igw = format!("igw-0a1b2c3d4e5f6{e:04x}");
        add(
            "InternetGateways",
            json!({ "InternetGatewayId": igw, "Attachments": [{ "VpcId": vpc, "State": "available" }], "Tags": [] }),
        );
        let acl = |number: u32, egress: bool, action: &str| json!({ "CidrBlock": "0.0.0.0/0", "Egress": egress, "Protocol": "-1", "RuleAction": action, "RuleNumber": number });
        add(
            "NetworkAcls",
            json!({ "NetworkAclId": format!("acl-0a1b2c3d4e5f6{e:04x}"), "VpcId": vpc, "IsDefault": true, "Tags": [],
            "Associations": (0..6).map(|s| json!({ "SubnetId": format!("subnet-0a1b2c3d4e{e:02x}{s:04x}") })).collect::<Vec<_>>(),
            "Entries": [acl(100, false, "allow"), acl(100, true, "allow"), acl(32767, false, "deny"), acl(32767, true, "deny")] }),
        );
        for (t, tier) in ["public", "private", "data"].into_iter().enumerate() {
            let subnets: Vec<String> =
                (0..2).map(|z| format!("subnet-0a1b2c3d4e{e:02x}{:04x}", 2 * t + z)).collect();
            for (z, subnet) in subnets.iter().enumerate() {
                add(
                    "Subnets",
                    json!({ "SubnetId": subnet, "VpcId": vpc, "CidrBlock": format!("10.{e}.{}.0/20", 16 * (2 * t + z)),
                    "AvailabilityZone": format!("eu-west-1{}", ["a", "b"][z]), "AvailabilityZoneId": format!("euw1-az{}", z + 1),
                    "Tags": tag(&format!("{name}-{tier}-{}", ["a", "b"][z])) }),
                );
            }
            let mut routes = vec![
                json!({ "DestinationCidrBlock": cidr, "GatewayId": "local", "Origin": "CreateRouteTable", "State": "active" }),
            ];
            match tier {
                "public" => routes.push(json!({ "DestinationCidrBlock": "0.0.0.0/0", "GatewayId": igw, "Origin": "CreateRoute", "State": "active" })),
                "private" => routes.push(json!({ "DestinationCidrBlock": "0.0.0.0/0", "NatGatewayId": format!("nat-0a1b2c3d4e5f6{e:04x}"), "Origin": "CreateRoute", "State": "active" })),
                _ => {}
            }
            add(
                "RouteTables",
                json!({ "RouteTableId": format!("rtb-0a1b2c3d4e{e:02x}{t:04x}"), "VpcId": vpc, "Routes": routes, "Tags": [],
                "Associations": subnets.iter().map(|subnet| json!({ "Main": false, "SubnetId": subnet, "AssociationState": { "State": "associated" } })).collect::<Vec<_>>() }),
            );
        }
        add(
            "NatGateways",
            json!({ "NatGatewayId": format!("nat-0a1b2c3d4e5f6{e:04x}"), "VpcId": vpc, "SubnetId": format!("subnet-0a1b2c3d4e{e:02x}0000"),
            "State": "available", "ConnectivityType": "public", "Tags": [],
            "NatGatewayAddresses": [{ "PrivateIp": format!("10.{e}.0.4"), "PublicIp": format!("198.18.{e}.4"), "IsPrimary": true }] }),
        );
        let share = roles / environments + usize::from(e < roles % environments);
        let sort = |n: usize| match n % 10 {
            0 => "alb",
            1 => "bastion",
            2..=4 => "web",
            5 | 6 => "worker",
            7 => "orphan",
            _ => "db",
        };
        let group = |n: usize| format!("sg-0a1b2c3d4e{e:02x}{n:04x}");
        // The n-th of a sort, wherever it is.
        let some = |wanted: &str, n: usize| {
            let of: Vec<usize> = (0..share).filter(|n| sort(*n) == wanted).collect();
            (!of.is_empty()).then(|| group(of[n % of.len()]))
        };
        for n in 0..share {
            let sort = sort(n);
            let word = words[(n / 10 + e) % words.len()];
            let title = match sort {
                "db" => format!("{word}-db-{n}"),
                other => format!("{word}-{other}-{n}"),
            };
            // The first of all have plain names, which the trials ask for.
            let title = match (e, n) {
                (0, 8) => "orders-db-0".into(),
                _ => title,
            };
            let group_name = if (e, n) == (0, 0) { "alb-0".to_owned() } else { format!("{title}-sg") };
            let from = |port: u16, groups: Vec<Option<String>>, cidrs: &[&str]| {
                json!({ "IpProtocol": "tcp", "FromPort": port, "ToPort": port, "Ipv6Ranges": [], "PrefixListIds": [],
                    "IpRanges": cidrs.iter().map(|cidr| json!({ "CidrIp": cidr })).collect::<Vec<_>>(),
                    "UserIdGroupPairs": groups.into_iter().flatten().map(|group| json!({ "GroupId": group, "UserId": "111122223333" })).collect::<Vec<_>>() })
            };
            let rules = match sort {
                "alb" => vec![from(443, vec![], &["0.0.0.0/0"])],
                "bastion" => vec![from(22, vec![], &["198.51.100.0/24"])],
                "web" => vec![
                    from(8080, vec![some("alb", n / 3)], &[]),
                    from(22, vec![some("bastion", n / 10)], &[]),
                ],
                "worker" => vec![from(9000, vec![some("web", n), some("web", n + 1)], &[])],
                "db" => vec![from(5432, vec![some("web", n), some("web", n + 1), some("worker", n)], &[])],
                _ => vec![],
            };
            let all = json!({ "IpProtocol": "-1", "IpRanges": [{ "CidrIp": "0.0.0.0/0" }], "Ipv6Ranges": [], "PrefixListIds": [], "UserIdGroupPairs": [] });
            let outward = if sort == "db" { vec![] } else { vec![all] };
            add(
                "SecurityGroups",
                json!({ "GroupId": group(n), "GroupName": group_name, "VpcId": vpc, "OwnerId": "111122223333", "Description": title, "IpPermissions": rules, "IpPermissionsEgress": outward, "Tags": [] }),
            );
            let tier = match sort {
                "alb" | "bastion" => 0,
                "db" => 2,
                _ => 1,
            };
            for member in 0..1 + n % 2 {
                let address = format!("10.{e}.{}.{}", 16 * (2 * tier + member) + n / 200, 10 + n % 200);
                let public = (tier == 0).then(|| format!("192.0.2.{}", (e * 40 + n + member) % 250 + 1));
                let association =
                    public.map(|public| json!({ "PublicIp": public, "IpOwnerId": "111122223333" }));
                let (interface, instance) = (
                    format!("eni-0a1b2c{e:02x}{n:04x}{member:02x}"),
                    format!("i-0a1b2c{e:02x}{n:04x}{member:02x}"),
                );
                let subnet = format!("subnet-0a1b2c3d4e{e:02x}{:04x}", 2 * tier + member);
                let mut private = json!({ "PrivateIpAddress": address, "Primary": true });
                let mut described = json!({ "NetworkInterfaceId": interface, "VpcId": vpc, "SubnetId": subnet, "OwnerId": "111122223333",
                    "PrivateIpAddress": address, "SourceDestCheck": true, "InterfaceType": "interface", "Status": "in-use", "Description": "", "Ipv6Addresses": [],
                    "Attachment": { "AttachmentId": format!("eni-attach-0a1b2c{e:02x}{n:04x}{member:02x}"), "Status": "attached", "InstanceId": instance, "DeviceIndex": 0 },
                    "Groups": [{ "GroupId": group(n), "GroupName": group_name }], "TagSet": [] });
                if let Some(association) = association {
                    private["Association"] = association.clone();
                    described["Association"] = association;
                }
                described["PrivateIpAddresses"] = json!([private]);
                add("NetworkInterfaces", described);
                add(
                    "Instances",
                    json!({ "InstanceId": instance, "VpcId": vpc, "SubnetId": subnet, "PrivateIpAddress": address, "State": { "Code": 16, "Name": "running" },
                    "NetworkInterfaces": [], "SecurityGroups": [{ "GroupId": group(n), "GroupName": group_name }], "Tags": tag(&title) }),
                );
            }
        }
    }
    for (key, values) in answers {
        let value = if key == "Instances" {
            json!({ "Reservations": [{ "OwnerId": "111122223333", "Instances": values }] })
        } else {
            json!({ key: values })
        };
        fs::write(folder.join(format!("{key}.json")), value.to_string()).expect("an answer");
    }
}
