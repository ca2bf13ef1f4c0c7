//! The declarations of these stories.

/// A network with all that one can have: gateways in two zones, endpoints of both kinds, and roles that reference each other.
pub const MADE: &str = r#"
[network.main]
zones = 2
nat = "gateway-per-zone"
endpoints = ["s3", "dynamodb", "ssm"]
[role.web]
admits = { internet = ["tcp/443"] }
reaches = { internet = ["tcp/443"] }
[role.db_connect]
admits = { db = ["tcp/1"] }
[role.db]
admits = { db_connect = ["tcp/5432"] }
"#;

/// The same with one NAT gateway for both zones, without the interface endpoint, and with one role less.
pub const CHANGED: &str = r#"
[network.main]
zones = 2
nat = "gateway"
endpoints = ["s3"]
[role.web]
admits = { internet = ["tcp/443", "tcp/80"] }
reaches = { internet = ["tcp/443"] }
[role.db]
admits = { web = ["tcp/5432"] }
"#;

/// The same with a NAT gateway for all zones, and nothing else.
pub const REGIONAL: &str = "[network.main]\nzones = 2\nnat = \"regional\"\nendpoints = []\n";

/// A small network.
pub const SMALL: &str = "[network.main]\nzones = 2\nendpoints = [\"s3\"]\n";

/// A network with an environment, whose parts have roles.
pub const DEV: &str = r#"
[network.main]
nat = "none"
endpoints = []
[role.web]
on = ["environment:dev/instance"]
[role.db]
admits = { web = ["tcp/5432"] }
on = ["environment:dev/database"]
[environment.dev]
kind = "dev"
image = "IMAGE"
"#;

/// A network with an environment behind a load balancer, whose parts have roles.
pub const PROD: &str = r#"
[network.main]
nat = "none"
endpoints = []
[role.balancer]
admits = { internet = ["tcp/80"] }
on = ["environment:prod/balancer"]
[role.web]
admits = { balancer = ["tcp/8080"] }
on = ["environment:prod/instance"]
[role.db]
admits = { web = ["tcp/5432"] }
on = ["environment:prod/database"]
[environment.prod]
kind = "prod"
listen = "http"
port = 8080
health = "/up"
image = "IMAGE"
"#;

/// Roles of resources that exist already in the default VPC, which is split around what stands in it.
pub fn in_default_vpc(instance: &str) -> String {
    format!(
        "[network.old]\nvpc = \"default\"\nzones = 2\nendpoints = []\n\
         [role.db]\nadmits = {{ db_connect = [\"tcp/5432\"] }}\non = [\"rds:orders\"]\n\
         [role.db_connect]\non = [\"instance:{instance}\"]\n"
    )
}
