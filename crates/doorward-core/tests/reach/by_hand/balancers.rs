//! Load balancers: rule 21 of `SEMANTICS.md`.

use super::{NO, OPEN, PARTLY, TWO_SUBNETS, YES, check};

/// A client and a server in subnet a, another server in subnet b.
const HOSTS: &str = "
    eni eni-c subnet-a 10.0.1.10 sg-open
    eni eni-a subnet-a 10.0.1.20 sg-srv
    eni eni-b subnet-b 10.0.2.20 sg-srv
    instance i-a eni-a
    instance i-b eni-b
    group sg-lb
    sg-lb in tcp/443 10.0.1.10/32
    sg-lb out all 0.0.0.0/0
    group sg-srv
    sg-srv in tcp/8080 sg-lb
    sg-srv out all 0.0.0.0/0
    tg tg-1 vpc-1 instance TCP 8080 masked
";

/// With a node in each subnet.
const NETWORK: &str = "
    lb lb-1 network subnet-a subnet-b
    eni eni-n subnet-a 10.0.1.30 sg-lb
    eni eni-m subnet-b 10.0.2.30 sg-lb
    node eni-n lb-1
    node eni-m lb-1
    listen lb-1 TCP 443 tg-1
";

/// [21] Two connections, each with its own ports and groups.
#[test]
fn a_target_is_reached_through_its_balancer_alone() {
    check(
        &[TWO_SUBNETS, OPEN, HOSTS, NETWORK, "target tg-1 i-a"],
        &[
            ("eni-c", "eni-n", "tcp/443", YES),
            ("eni-c", "eni-n", "tcp/8080", NO),
            ("eni-n", "eni-a", "tcp/8080", YES),
            ("eni-n", "eni-a", "tcp/443", NO),
            ("eni-c", "eni-a", "tcp/8080", YES),
            ("eni-c", "eni-a", "tcp/443", NO),
            ("eni-c", "eni-b", "tcp/8080", NO),
        ],
    );
}

/// [21] A node sends across zones only where cross-zone load balancing is on, at the target group before the balancer.
#[test]
fn zones_of_nodes_and_targets() {
    let base = [TWO_SUBNETS, OPEN, HOSTS, NETWORK, "target tg-1 i-b"].join("\n");
    let asked = |across| [("eni-n", "eni-b", "tcp/8080", across), ("eni-m", "eni-b", "tcp/8080", YES)];
    check(&[&base], &asked(NO));
    check(&[&base.replace("subnet-a subnet-b", "subnet-a subnet-b across")], &asked(YES));
    check(&[&base.replace("TCP 8080 masked", "TCP 8080 masked across")], &asked(YES));
    let apart = base.replace("TCP 8080 masked", "TCP 8080 masked apart");
    check(&[&apart.replace("subnet-a subnet-b", "subnet-a subnet-b across")], &asked(NO));
    // An application load balancer sends across zones unless the target group says otherwise.
    let application = base.replace("network", "application").replace("listen lb-1 TCP", "listen lb-1 HTTP");
    check(&[&application], &asked(YES));
    check(&[&apart.replace("network", "application")], &asked(NO));
    // A target that is registered for all zones.
    let elsewhere = base.replace("masked", "masked\ntg tg-2 vpc-1 ip TCP 8080");
    let elsewhere = elsewhere.replace("target tg-1 i-b", "target tg-2 10.0.2.20 all");
    check(&[&elsewhere.replace("443 tg-1", "443 tg-2")], &asked(YES));
}

/// [21] A target in a zone that is not enabled gets nothing, also across zones.
#[test]
fn a_zone_that_is_not_enabled() {
    let lines = NETWORK.replace("subnet-a subnet-b", "subnet-a across");
    let lines = lines.replace("node eni-m lb-1", "");
    check(
        &[TWO_SUBNETS, OPEN, HOSTS, &lines, "target tg-1 i-a\ntarget tg-1 i-b"],
        &[
            ("eni-n", "eni-a", "tcp/8080", YES),
            ("eni-n", "eni-b", "tcp/8080", NO),
            ("eni-c", "eni-b", "tcp/8080", NO),
        ],
    );
}

/// [21] Where the client's address is preserved the balancer's outbound rules count all the same, and the ACL of the
/// target's subnet is asked for the client.
#[test]
fn a_client_whose_address_is_preserved() {
    let base = [TWO_SUBNETS, OPEN, HOSTS, NETWORK, "target tg-1 i-b"].join("\n");
    let base = base.replace("subnet-a subnet-b", "subnet-a subnet-b across").replace("masked", "kept");
    let asked = |expected| [("eni-c", "eni-b", "tcp/8080", expected)];
    check(&[&base], &asked(YES));
    let closed = base.replace("sg-lb out all 0.0.0.0/0", "sg-lb out tcp/1 10.0.0.0/16");
    check(&[&closed], &asked(NO));
    check(&[&closed.replace("kept", "masked")], &asked(NO));
    let acl = |inward: &str, outward: &str| {
        format!(
            "acl acl-b vpc-1 subnet-b\nacl-b in 100 allow tcp/8080 {inward}\nacl-b out 100 allow all {outward}"
        )
    };
    let (nodes, client) = ("10.0.1.30/32", "10.0.1.10/32");
    // Both nodes are asked; that in the target's own subnet meets no ACL there but for the client.
    let one = base.replace("subnet-a subnet-b across", "subnet-a across").replace("node eni-m lb-1", "");
    let one = one.replace("subnet subnet-b vpc-1 b", "subnet subnet-b vpc-1 a");
    check(&[&one, &acl(nodes, "0.0.0.0/0")], &asked(NO));
    check(&[&one, &acl(client, "0.0.0.0/0")], &asked(YES));
    check(&[&one, &acl(client, nodes)], &asked(NO));
    check(&[&one, &acl(client, client)], &asked(YES));
    check(&[&one.replace("kept", "masked"), &acl(nodes, nodes)], &asked(YES));
    check(&[&one.replace("kept", "masked"), &acl(client, "0.0.0.0/0")], &asked(NO));
}

/// Network load balancer guide, Client IP preservation: QUIC preserves the client's address as UDP does, whatever the setting
/// says; other transports do as the target group says.
#[test]
fn quic_preserves_the_clients_address() {
    let base = [TWO_SUBNETS, OPEN, HOSTS, NETWORK, "target tg-1 i-a"].join("\n");
    for protocol in ["UDP", "QUIC"] {
        let lines = base.replace("TCP", protocol).replace("tcp/", "udp/");
        let by_node = lines.replace("sg-srv in udp/8080 sg-lb", "sg-srv in udp/8080 10.0.1.30/32");
        check(&[&lines], &[("eni-c", "eni-a", "udp/8080", YES)]);
        check(&[&by_node], &[("eni-c", "eni-a", "udp/8080", NO)]);
    }
}

/// [21] UDP always preserves the client's address, an application load balancer never does.
#[test]
fn who_preserves_the_clients_address() {
    let base = [TWO_SUBNETS, OPEN, HOSTS, NETWORK, "target tg-1 i-a"].join("\n");
    let udp = base.replace("TCP", "UDP").replace("tcp/", "udp/");
    let by_node = udp.replace("sg-srv in udp/8080 sg-lb", "sg-srv in udp/8080 10.0.1.30/32");
    check(&[&udp], &[("eni-c", "eni-a", "udp/8080", YES)]);
    check(&[&by_node], &[("eni-c", "eni-a", "udp/8080", NO)]);
    let asked = |expected| [("eni-c", "eni-a", "tcp/8080", expected)];
    let node = base.replace("sg-srv in tcp/8080 sg-lb", "sg-srv in tcp/8080 10.0.1.30/32");
    check(&[&node], &asked(YES));
    check(&[&node.replace("masked", "kept")], &asked(NO));
    let application = node.replace("network", "application").replace("masked", "kept");
    check(&[&application], &asked(YES));
}

/// [21] Replies to a client whose address is preserved go to its own port on both connections; else the balancer's own
/// port counts on the second.
#[test]
fn replies_through_a_balancer() {
    let one = NETWORK.replace("subnet-a subnet-b", "subnet-a across").replace("node eni-m lb-1", "");
    let base = [TWO_SUBNETS, OPEN, HOSTS, &one, "target tg-1 i-b"].join("\n");
    let base = base.replace("subnet subnet-b vpc-1 b", "subnet subnet-b vpc-1 a");
    let acl = "
        acl acl-b vpc-1 subnet-b
        acl-b in 100 allow all 0.0.0.0/0
        acl-b out 100 allow tcp/32768-65535 0.0.0.0/0
    ";
    for kept in ["masked", "kept"] {
        let base = base.replace("masked", kept);
        check(&[&base, acl], &[("eni-c", "eni-b", "tcp/8080", PARTLY)]);
    }
}

/// Network load balancer guide, Client IP preservation: only straight, to the same VPC or one peered in the Region.
#[test]
fn a_preserved_client_is_carried_by_a_peering_and_not_by_a_transit_gateway() {
    // The client's own subnet has no route to the other VPC, the balancer's has.
    let base = "
        vpc vpc-1 10.0.0.0/16
        vpc vpc-2 10.1.0.0/16
        subnet subnet-a vpc-1 a 10.0.1.0/24
        subnet subnet-n vpc-1 a 10.0.2.0/24
        subnet subnet-b vpc-2 a 10.1.1.0/24
        eni eni-c subnet-a 10.0.1.10 sg-open
        eni eni-b subnet-b 10.1.1.20 sg-open
        lb lb-1 network subnet-n
        eni eni-n subnet-n 10.0.2.30 sg-open
        node eni-n lb-1
        tg tg-1 vpc-1 ip TCP 8080
        target tg-1 10.1.1.20 all
        listen lb-1 TCP 443 tg-1
        table rtb-a vpc-1 subnet-a
        table rtb-1 vpc-1 main
        table rtb-2 vpc-2 main
    ";
    let peering = "
        pcx pcx-1 vpc-1 vpc-2
        rtb-1 10.1.0.0/16 pcx-1
        rtb-2 10.0.0.0/16 pcx-1
    ";
    let transit = "
        tgw tgw-1
        tgwtable tgw-rtb-1 tgw-1
        attach tgw-attach-1 tgw-1 vpc-1 tgw-rtb-1 subnet-n
        attach tgw-attach-2 tgw-1 vpc-2 tgw-rtb-1 subnet-b
        tgw-rtb-1 10.0.0.0/16 tgw-attach-1
        tgw-rtb-1 10.1.0.0/16 tgw-attach-2
        rtb-1 10.1.0.0/16 tgw-1
        rtb-2 10.0.0.0/16 tgw-1
    ";
    let kept = base.replace("ip TCP 8080", "ip TCP 8080 kept");
    for (routes, preserved) in [(peering, YES), (transit, NO)] {
        check(&[OPEN, base, routes], &[("eni-c", "eni-b", "tcp/8080", YES)]);
        check(&[OPEN, &kept, routes], &[("eni-c", "eni-b", "tcp/8080", preserved)]);
    }
}

/// [21] Network load balancer guide, Application Load Balancers as targets.
#[test]
fn a_balancer_behind_a_balancer() {
    let inner = "
        lb lb-2 application subnet-b
        eni eni-i subnet-b 10.0.2.40 sg-inner
        node eni-i lb-2
        group sg-inner
        sg-inner in tcp/443 sg-lb
        sg-inner out all 0.0.0.0/0
        tg tg-2 vpc-1 alb TCP 443
        target tg-2 lb-2
        listen lb-2 HTTPS 443 tg-1
        target tg-1 i-a
        lb lb-1 network subnet-a subnet-b across
        eni eni-n subnet-a 10.0.1.30 sg-lb
        node eni-n lb-1
        listen lb-1 TCP 443 tg-2
    ";
    let base = [TWO_SUBNETS, OPEN, HOSTS, inner].join("\n");
    let base = base.replace("sg-srv in tcp/8080 sg-lb", "sg-srv in tcp/8080 sg-inner");
    let asked = |whole, last| {
        [
            ("eni-c", "eni-n", "tcp/443", YES),
            ("eni-c", "eni-i", "tcp/443", whole),
            ("eni-i", "eni-a", "tcp/8080", last),
            ("eni-c", "eni-a", "tcp/8080", if whole == YES { last } else { NO }),
        ]
    };
    // The zone of the last target is not enabled for the balancer before it.
    check(&[&base], &asked(YES, NO));
    let base = base.replace("application subnet-b", "application subnet-a subnet-b");
    check(&[&base], &asked(YES, YES));
    check(&[&base.replace("sg-inner in tcp/443 sg-lb", "")], &asked(NO, YES));
    check(
        &[&base.replace("listen lb-2 HTTPS 443", "listen lb-2 HTTPS 444")],
        &[("eni-c", "eni-a", "tcp/8080", NO), ("eni-c", "eni-i", "tcp/443", NO)],
    );
}

/// [21] What is being deregistered gets no new connection; a target that is unhealthy does while no other is healthy.
#[test]
fn states_of_targets() {
    let base = [TWO_SUBNETS, OPEN, HOSTS, NETWORK].join("\n");
    for (state, expected) in [("healthy", YES), ("unhealthy", YES), ("initial", YES), ("draining", NO)] {
        let target = format!("target tg-1 i-a {state}");
        check(&[&base, &target], &[("eni-c", "eni-a", "tcp/8080", expected)]);
    }
    check(&[&base], &[("eni-c", "eni-a", "tcp/8080", NO), ("eni-n", "eni-a", "tcp/8080", NO)]);
    check(
        &[&base.replace("lb lb-1 network", "lb lb-1 network failed"), "target tg-1 i-a"],
        &[("eni-c", "eni-n", "tcp/443", NO), ("eni-c", "eni-a", "tcp/8080", NO)],
    );
}

/// [21] A target has a port of its own, and an instance is its first address.
#[test]
fn addresses_and_ports_of_targets() {
    let base = [TWO_SUBNETS, OPEN, HOSTS, NETWORK].join("\n");
    let base = base.replace("sg-srv in tcp/8080 sg-lb", "sg-srv in all sg-lb");
    check(
        &[&base, "target tg-1 i-a 9000"],
        &[("eni-n", "eni-a", "tcp/9000", YES), ("eni-n", "eni-a", "tcp/8080", NO)],
    );
    let second = base.replace("10.0.1.20 sg-srv", "10.0.1.20 10.0.1.21 sg-srv");
    let by_address = second.replace("instance TCP 8080 masked", "ip TCP 8080");
    check(&[&second, "target tg-1 i-a"], &[("eni-n", "eni-a", "tcp/8080", YES)]);
    check(&[&by_address, "target tg-1 10.0.1.21"], &[("eni-n", "eni-a", "tcp/8080", YES)]);
    check(&[&by_address, "target tg-1 10.0.1.22"], &[("eni-n", "eni-a", "tcp/8080", NO)]);
    // A listener of both transports sends each to its own.
    let both =
        base.replace("listen lb-1 TCP 443", "listen lb-1 TCP_UDP 443").replace("TCP 8080", "TCP_UDP 8080");
    let asked = [("eni-c", "eni-a", "tcp/8080", YES), ("eni-c", "eni-a", "udp/8080", NO)];
    check(&[&both, "target tg-1 i-a"], &asked);
}

/// [21] An address as a target is that of the target group's own VPC, also where another VPC has the same one; one that this
/// VPC does not have may be of a VPC that is peered.
#[test]
fn an_address_as_a_target_is_of_the_target_groups_vpc() {
    let base = "
        vpc vpc-1 10.0.0.0/16
        vpc vpc-2 10.0.0.0/16
        vpc vpc-3 10.3.0.0/16
        subnet subnet-n vpc-1 a 10.0.1.0/24
        subnet subnet-x vpc-2 a 10.0.1.0/24
        subnet subnet-z vpc-3 a 10.3.1.0/24
        eni eni-n subnet-n 10.0.1.30 sg-open
        eni eni-a subnet-n 10.0.1.20 sg-open
        eni eni-x subnet-x 10.0.1.20 sg-open
        eni eni-z subnet-z 10.3.1.20 sg-open
        lb lb-1 network subnet-n
        node eni-n lb-1
        tg tg-1 vpc-1 ip TCP 8080 masked
        listen lb-1 TCP 443 tg-1
        pcx pcx-1 vpc-1 vpc-3
        table rtb-1 vpc-1 main
        rtb-1 10.3.0.0/16 pcx-1
        table rtb-3 vpc-3 main
        rtb-3 10.0.0.0/16 pcx-1
    ";
    check(
        &[OPEN, base, "target tg-1 10.0.1.20"],
        &[
            ("eni-n", "eni-a", "tcp/8080", YES),
            ("eni-n", "eni-x", "tcp/8080", NO),
            ("eni-n", "eni-z", "tcp/8080", NO),
        ],
    );
    check(
        &[OPEN, base, "target tg-1 10.3.1.20 all"],
        &[("eni-n", "eni-z", "tcp/8080", YES), ("eni-n", "eni-a", "tcp/8080", NO)],
    );
}

/// [21] A Gateway Load Balancer speaks GENEVE to its targets, and takes packets by its endpoints alone; a function is
/// invoked, and gets no packet.
#[test]
fn other_balancers_and_targets() {
    let base = [TWO_SUBNETS, OPEN, HOSTS, NETWORK].join("\n");
    let base = base.replace("sg-srv in tcp/8080 sg-lb", "sg-srv in all 0.0.0.0/0");
    let gateway =
        base.replace("network", "gateway").replace("instance TCP 8080 masked", "instance GENEVE 6081");
    let gateway = gateway.replace("listen lb-1 TCP 443", "listen lb-1 GENEVE 6081");
    check(
        &[&gateway, "target tg-1 i-a"],
        &[
            ("eni-n", "eni-a", "udp/6081", YES),
            ("eni-n", "eni-a", "tcp/6081", NO),
            ("eni-c", "eni-n", "udp/6081", NO),
        ],
    );
    let function = base.replace("instance TCP 8080 masked", "lambda TCP");
    check(
        &[&function, "target tg-1 arn:aws:lambda:eu-west-1:111111111111:function:f"],
        &[("eni-c", "eni-n", "tcp/443", YES), ("eni-n", "eni-a", "tcp/8080", NO)],
    );
}

/// [21] A classic load balancer has a port for all its instances, and meets the ACL on its way out also within a subnet
/// (Reachability Analyzer, ELB_ACL_RESTRICTION).
#[test]
fn a_classic_load_balancer() {
    let lines = "
        lb lb-1 classic subnet-a
        eni eni-n subnet-a 10.0.1.30 sg-lb
        node eni-n lb-1
        listen lb-1 HTTP 443 8080
        target lb-1 i-a
    ";
    let base = [TWO_SUBNETS, OPEN, HOSTS, lines].join("\n");
    let asked =
        |expected| [("eni-c", "eni-a", "tcp/8080", expected), ("eni-n", "eni-a", "tcp/8080", expected)];
    check(&[&base], &asked(YES));
    let acl = "
        acl acl-a vpc-1 subnet-a
        acl-a in 100 allow all 0.0.0.0/0
    ";
    check(&[&base, acl], &asked(NO));
    check(&[&base, acl, "acl-a out 100 allow tcp/8080 10.0.1.20/32"], &asked(YES));
}
