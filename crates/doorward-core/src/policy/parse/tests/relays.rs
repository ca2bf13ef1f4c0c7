//! Relays and where they lead, and networks that other targets lie in.

use super::*;

/// A relay that listens there, and a target behind it; the target's lines begin on line 6.
fn check_relay(listen: &str, address: &str, port: u16, more: &str, expected: &[&str]) {
    let text = format!(
        "[firewall.f]\nrelay = \"{listen}\"\n[target.t]\naddress = \"{address}\"\nports = [\"tcp/{port}\"]\n\
         groups = [\"g\"]\ntransports = [\"direct\"]\nfirewall = \"f\"\n{more}"
    );
    check_below(&text, expected);
}

const OF_TARGET: &str = "\n  hint: write the address and the port of the target itself";

#[test]
fn a_relay_does_not_lead_back_to_itself() {
    let itself = |listen: &str| {
        format!("p:7:11: the relay `f` forwards to itself: it listens on {listen}, at p:5:9{OF_TARGET}")
    };
    for (listen, address) in [
        ("127.0.0.1:15432", "127.0.0.1"),
        ("127.0.0.1:15432", "localhost"),
        ("127.0.0.1:15432", "db.localhost"),
        ("0.0.0.0:15432", "127.0.0.1"),
        ("0.0.0.0:15432", "127.8.0.1"),
        ("[::]:15432", "::1"),
        ("[::]:15432", "127.0.0.1"),
        ("10.0.0.7:15432", "10.0.0.7"),
        ("[::ffff:10.0.0.7]:15432", "10.0.0.7"),
    ] {
        check_relay(listen, address, 15432, "", &[&itself(listen)]);
    }
    check_relay("127.0.0.1:15432", "127.0.0.1", 5432, "", &[]);
    check_relay("0.0.0.0:15432", "10.0.0.7", 15432, "", &[]);
    check_relay("10.0.0.7:15432", "10.0.0.8", 15432, "", &[]);
    check_relay("127.0.0.1:15432", "db.example.org", 15432, "", &[]);
}

#[test]
fn a_relay_does_not_lead_to_another_listener_of_the_policy() {
    let other = "[firewall.other]\nrelay = \"127.0.0.1:15433\"\n[target.u]\naddress = \"10.0.0.8\"\n\
                 ports = [\"tcp/1\"]\ngroups = [\"h\"]\ntransports = [\"direct\"]\nfirewall = \"other\"\n";
    let expected = "p:7:11: the relay `f` forwards to the relay `other`, which listens on 127.0.0.1:15433, at p:13:9, and would see the server's own address instead of the client's";
    check_relay("127.0.0.1:15432", "127.0.0.1", 15433, other, &[&format!("{expected}{OF_TARGET}")]);
    let server = "p:7:11: the relay `f` forwards to the server itself, which listens on 127.0.0.1:8080, and would see the server's own address instead of the client's";
    check_relay("127.0.0.1:15432", "localhost", 8080, "", &[&format!("{server}{OF_TARGET}")]);
    let listens = "[server]\nlisten = \"10.0.0.7:443\"\ninsecure = true\n";
    let server = "p:7:11: the relay `f` forwards to the server itself, which listens on 10.0.0.7:443, at p:13:10, and would see the server's own address instead of the client's";
    check_relay("127.0.0.1:15432", "10.0.0.7", 443, listens, &[&format!("{server}{OF_TARGET}")]);
    check_relay("127.0.0.1:15432", "127.0.0.1", 8081, "", &[]);
}

#[test]
fn a_relay_leads_to_no_credentials_and_to_no_link() {
    for address in
        ["169.254.169.254", "::ffff:169.254.169.254", "fd00:ec2::254", "169.254.170.2", "fd00:ec2::23"]
    {
        let shown = address.trim_start_matches("::ffff:");
        let expected = format!(
            "p:7:11: the relay `f`, at p:5:9, forwards to `{shown}`: every grant would admit to the credentials of the server's own role\n  hint: write the address of the target"
        );
        check_relay("127.0.0.1:15432", address, 80, "shared = true\n", &[&expected]);
    }
    for (address, kind) in [
        ("169.254.1.1", "a link-local address"),
        ("fe80::1", "a link-local address"),
        ("224.0.0.1", "a multicast address"),
        ("255.255.255.255", "the broadcast address"),
        ("0.1.2.3", "an address of \"this network\""),
    ] {
        let expected = format!(
            "p:7:11: the relay `f`, at p:5:9, forwards to `{address}`, which is {kind} and not the address of a target\n  hint: write the address of the target"
        );
        check_relay("0.0.0.0:15432", address, 80, "", &[&expected]);
    }
}

#[test]
fn a_relay_to_this_machine_is_a_choice() {
    let warning = |address: &str| {
        format!(
            "p:7:11: warning: the relay `f`, at p:5:9, forwards to `{address}`, which is the server's own machine: a service there sees every client as local, and may trust it for that\n  hint: set `shared = true` in the target if this is intended"
        )
    };
    for address in ["127.0.0.1", "::1", "localhost", "0.0.0.0"] {
        check_relay("0.0.0.0:15432", address, 5432, "", &[&warning(address)]);
        check_relay("0.0.0.0:15432", address, 5432, "shared = true\n", &[]);
        check_relay("127.0.0.1:15432", address, 5432, "", &[]);
    }
}

#[test]
fn two_listeners_of_one_address_are_told_apart_by_nobody() {
    let behind = |name: &str, firewall: &str| {
        format!(
            "[target.{name}]\naddress = \"{name}\"\nports = [\"tcp/1\"]\ngroups = [\"{name}\"]\ntransports = [\"direct\"]\nfirewall = \"{firewall}\"\n"
        )
    };
    for (one, other) in [
        ("10.0.0.7:1", "10.0.0.7:1"),
        ("10.0.0.7:1", "0.0.0.0:1"),
        ("[::]:1", "10.0.0.7:1"),
        ("[::ffff:10.0.0.7]:1", "10.0.0.7:1"),
    ] {
        let text = format!(
            "[firewall.one]\nrelay = \"{one}\"\n[firewall.two]\nrelay = \"{other}\"\n{}{}",
            behind("a", "one"),
            behind("b", "two")
        );
        let expected = format!(
            "p:7:9: {other} already belongs to another relay: `[firewall.one]`, at p:5:9\n  hint: make them one firewall"
        );
        check_below(&text, &[&expected]);
    }
}

#[test]
fn a_network_that_a_target_lies_in_admits_the_same_people() {
    let net = "transports = [\"ssh\"]\naddress = \"10.0.0.0/16\"\nports = [\"tcp/1-65535\"]";
    let group =
        "[firewall.f]\nsecurity-group = \"sg-0a1b2c3d4e5f60718\"\n[ssh]\njump-host = \"tag:Name=jump\"";
    let leads = |address: &str| format!("groups = [\"leads\"]\naddress = \"{address}\"");
    let dbs = |network: &str| {
        format!(
            "the network of `[target.one]` (`{network}`, `tcp/1-65535`): `dbs` members may open `one` and not `two`, and reach it through that"
        )
    };
    check_two(group, net, &leads("10.0.3.7"), &[&dbs("10.0.0.0/16")]);
    check_two(group, net, &leads("10.1.3.7"), &[]);
    check_two(group, net, &format!("{}\nports = [\"udp/53\"]", leads("10.0.3.7")), &[]);
    check_two(
        group,
        net,
        &format!("{}\nshared = true", leads("10.0.3.7")),
        &[&format!("warning: {}", dbs("10.0.0.0/16"))],
    );
    check_two(group, net, "address = \"10.0.3.7\"", &[]);
    let approval = "address = \"10.0.3.7\"\napproval = { from = [\"leads\"] }";
    let asks = "the network of `[target.one]` (`10.0.0.0/16`, `tcp/1-65535`): a person who opens `one` without the approval of `two` can also reach `two`";
    check_two(group, net, approval, &[asks]);
    // A name that is looked up in the network leads into it.
    let named = format!("{net}\nnames = [\"internal\"]\nresolver = \"10.0.0.2\"");
    check_two(group, &named, &leads("db.internal"), &[&dbs("internal")]);
    check_two(group, &named, &leads("db.notinternal"), &[]);
    check_two(group, net, &leads("db.internal"), &[]);
}
