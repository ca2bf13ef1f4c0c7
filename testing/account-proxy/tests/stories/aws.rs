//! moto, the proxy in front of it, and a client of a few lines.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use account_proxy::{Element, Proxy};
use tokio::runtime::Runtime;

const REGION: &str = "eu-west-1";

/// `moto_server`, in the virtual environment that `DOORWARD_VENV` names or on the `PATH`.
pub fn moto_server() -> Option<PathBuf> {
    let venv = std::env::var_os("DOORWARD_VENV").map(|venv| Path::new(&venv).join("bin"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = venv.into_iter().chain(std::env::split_paths(&path).filter(|dir| dir.is_absolute()));
    folders.map(|dir| dir.join("moto_server")).find(|file| file.is_file())
}

struct Moto {
    port: u16,
    child: Child,
}

static MOTO: Mutex<Option<Moto>> = Mutex::new(None);

/// Where moto listens; it is started by the first test.
fn moto() -> u16 {
    let mut moto = MOTO.lock().unwrap_or_else(PoisonError::into_inner);
    moto.get_or_insert_with(start).port
}

fn start() -> Moto {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    // The shell ends moto when its own input ends: also when the test is killed and drops nothing.
    let child = Command::new("sh")
        .arg("-c")
        .arg("\"$0\" -H 127.0.0.1 -p \"$1\" >/dev/null 2>&1 & server=$!; cat; kill $server; wait $server")
        .arg(moto_server().expect("moto_server"))
        .arg(port.to_string())
        // moto reads more than a thousand images after each reset otherwise.
        .env("MOTO_AMIS_PATH", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/stories/images.json"))
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("sh");
    let begun = Instant::now();
    while exchange(port, "GET", "/moto-api/", &[], b"").is_err() {
        assert!(begun.elapsed() < Duration::from_secs(120), "moto_server does not answer");
        std::thread::sleep(Duration::from_millis(100));
    }
    Moto { port, child }
}

/// moto's address.
pub fn moto_url() -> String {
    format!("http://127.0.0.1:{}", moto())
}

/// The state of a proxy that listens at a port.
pub fn state(port: u16) -> String {
    exchange(port, "GET", "/account-proxy/state", &[], b"").unwrap().1
}

/// Ends moto, after the last test.
pub fn end() {
    if let Some(mut moto) = MOTO.lock().unwrap_or_else(PoisonError::into_inner).take() {
        drop(moto.child.stdin.take());
        // The shell ends when moto has.
        let _ = moto.child.wait();
    }
}

/// A request and its answer: status and body.
fn exchange(
    port: u16,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> std::io::Result<(u16, String)> {
    let mut tcp = TcpStream::connect(("127.0.0.1", port))?;
    tcp.set_read_timeout(Some(Duration::from_secs(60)))?;
    let mut head = format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
    tcp.write_all(head.as_bytes())?;
    tcp.write_all(body)?;
    let mut answer = Vec::new();
    tcp.read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let lost = || std::io::Error::other("no answer");
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(lost)?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(lost)?;
    Ok((status, body.to_owned()))
}

/// The answer to a call.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub root: Element,
}

impl Reply {
    /// The answer of a call that succeeded.
    pub fn ok(self) -> Element {
        assert_eq!(self.status, 200, "{}", self.root.written());
        self.root
    }

    /// AWS's code of a call that failed.
    pub fn code(&self) -> String {
        assert!(self.status >= 400, "{}", self.root.written());
        let error = self.root.at("Errors/Error").or_else(|| self.root.at("Error")).expect("an error");
        error.text_at("Code").to_owned()
    }
}

/// A VPC with an internet gateway and a subnet in each of two zones, and a security group.
pub struct Network {
    pub vpc: String,
    pub gateway: String,
    pub subnets: [String; 2],
    pub group: String,
}

/// moto and a proxy of its own for one test.
pub struct Aws {
    runtime: Runtime,
    proxy: Option<Proxy>,
    port: u16,
}

impl Aws {
    pub fn new() -> Self {
        let moto = moto();
        exchange(moto, "POST", "/moto-api/reset", &[], b"").unwrap();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let proxy =
            runtime.block_on(Proxy::start("127.0.0.1:0", &format!("http://127.0.0.1:{moto}"))).unwrap();
        let port = proxy.url.rsplit(':').next().unwrap().parse().unwrap();
        Self { runtime, proxy: Some(proxy), port }
    }

    fn call(
        &self,
        (service, version): (&str, &str),
        action: &str,
        fields: &[(&str, &str)],
    ) -> std::io::Result<Reply> {
        let all = [("Action", action), ("Version", version)].into_iter().chain(fields.iter().copied());
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(all).finish();
        let scope = format!("Credential=test/20261129/{REGION}/{service}/aws4_request");
        let authorization = format!("AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0");
        let headers = [
            ("content-type", "application/x-www-form-urlencoded"),
            ("authorization", authorization.as_str()),
        ];
        let (status, body) = exchange(self.port, "POST", "/", &headers, body.as_bytes())?;
        let root = Element::read(&body).unwrap_or_else(|| panic!("{action}: {status} {body}"));
        Ok(Reply { status, root })
    }

    pub fn ec2(&self, action: &str, fields: &[(&str, &str)]) -> Reply {
        self.try_ec2(action, fields).unwrap()
    }

    /// The same when there may be no answer.
    pub fn try_ec2(&self, action: &str, fields: &[(&str, &str)]) -> std::io::Result<Reply> {
        self.call(("ec2", "2016-11-15"), action, fields)
    }

    pub fn rds(&self, action: &str, fields: &[(&str, &str)]) -> Reply {
        self.call(("rds", "2014-10-31"), action, fields).unwrap()
    }

    pub fn balancing(&self, action: &str, fields: &[(&str, &str)]) -> Reply {
        self.call(("elasticloadbalancing", "2015-12-01"), action, fields).unwrap()
    }

    pub fn scaling(&self, action: &str, fields: &[(&str, &str)]) -> Reply {
        self.call(("autoscaling", "2011-01-01"), action, fields).unwrap()
    }

    pub fn iam(&self, action: &str, fields: &[(&str, &str)]) -> Reply {
        self.call(("iam", "2010-05-08"), action, fields).unwrap()
    }

    /// A call of a service that speaks JSON: status and body.
    pub fn json(&self, service: &str, method: &str, path: &str, target: &str, body: &str) -> (u16, String) {
        let scope = format!("Credential=test/20261129/{REGION}/{service}/aws4_request");
        let authorization = format!("AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0");
        let headers = [
            (
                "content-type",
                if target.is_empty() { "application/json" } else { "application/x-amz-json-1.1" },
            ),
            ("authorization", authorization.as_str()),
            ("x-amz-target", target),
        ];
        let count = if target.is_empty() { 2 } else { 3 };
        exchange(self.port, method, path, &headers[..count], body.as_bytes()).unwrap()
    }

    /// Steers the proxy: status and body.
    pub fn steer(&self, method: &str, what: &str, body: &str) -> (u16, String) {
        exchange(self.port, method, &format!("/account-proxy/{what}"), &[], body.as_bytes()).unwrap()
    }

    /// The same when it must succeed.
    pub fn set(&self, what: &str, body: &str) {
        let (status, answer) = self.steer("POST", what, body);
        assert_eq!(status, 200, "{answer}");
    }

    /// Moves the time.
    pub fn advance(&self, seconds: i64) {
        self.set("clock", &format!("{{\"advance\": {seconds}}}"));
    }

    /// The text at a path of an answer.
    pub fn text(&self, action: &str, fields: &[(&str, &str)], path: &str) -> String {
        let root = self.ec2(action, fields).ok();
        let text = root.text_at(path).to_owned();
        assert!(!text.is_empty(), "no {path} in {}", root.written());
        text
    }

    pub fn vpc(&self, cidr: &str) -> String {
        self.text("CreateVpc", &[("CidrBlock", cidr)], "vpc/vpcId")
    }

    pub fn subnet(&self, vpc: &str, cidr: &str, zone: &str) -> String {
        let fields = [("VpcId", vpc), ("CidrBlock", cidr), ("AvailabilityZone", zone)];
        self.text("CreateSubnet", &fields, "subnet/subnetId")
    }

    pub fn group(&self, vpc: &str, name: &str) -> String {
        let fields = [("VpcId", vpc), ("GroupName", name), ("GroupDescription", "for a test")];
        self.text("CreateSecurityGroup", &fields, "groupId")
    }

    pub fn network(&self) -> Network {
        let vpc = self.vpc("10.0.0.0/16");
        let gateway = self.text("CreateInternetGateway", &[], "internetGateway/internetGatewayId");
        self.ec2("AttachInternetGateway", &[("InternetGatewayId", &gateway), ("VpcId", &vpc)]).ok();
        let subnets =
            [self.subnet(&vpc, "10.0.0.0/24", "eu-west-1a"), self.subnet(&vpc, "10.0.1.0/24", "eu-west-1b")];
        let group = self.group(&vpc, "web");
        Network { vpc, gateway, subnets, group }
    }

    /// The id of an image that exists.
    pub fn image(&self) -> String {
        self.text("DescribeImages", &[], "imagesSet/item/imageId")
    }

    /// A running instance's id.
    pub fn instance(&self, network: &Network) -> String {
        let image = self.image();
        let fields = [
            ("ImageId", image.as_str()),
            ("MinCount", "1"),
            ("MaxCount", "1"),
            ("SubnetId", &network.subnets[0]),
            ("SecurityGroupId.1", &network.group),
        ];
        let id = self.text("RunInstances", &fields, "instancesSet/item/instanceId");
        self.advance(30);
        id
    }

    /// The interfaces that meet a filter.
    pub fn interfaces(&self, filter: &str, value: &str) -> Vec<Element> {
        let fields = [("Filter.1.Name", filter), ("Filter.1.Value.1", value)];
        self.ec2("DescribeNetworkInterfaces", &fields).ok().list("networkInterfaceSet").to_vec()
    }

    /// A subnet group of a network's subnets.
    pub fn subnet_group(&self, network: &Network, name: &str) {
        let fields = [
            ("DBSubnetGroupName", name),
            ("DBSubnetGroupDescription", "for a test"),
            ("SubnetIds.SubnetIdentifier.1", &network.subnets[0]),
            ("SubnetIds.SubnetIdentifier.2", &network.subnets[1]),
        ];
        self.rds("CreateDBSubnetGroup", &fields).ok();
    }

    /// A new database in a subnet group.
    pub fn database(&self, name: &str, subnet_group: &str, more: &[(&str, &str)]) -> Element {
        let mut fields = vec![
            ("DBInstanceIdentifier", name),
            ("DBInstanceClass", "db.t4g.micro"),
            ("Engine", "postgres"),
            ("AllocatedStorage", "20"),
            ("MasterUsername", "master"),
            ("DBSubnetGroupName", subnet_group),
        ];
        if !more.iter().any(|(name, _)| *name == "ManageMasterUserPassword") {
            fields.push(("MasterUserPassword", "not-a-secret"));
        }
        fields.extend_from_slice(more);
        self.rds("CreateDBInstance", &fields).ok().at("CreateDBInstanceResult/DBInstance").unwrap().clone()
    }

    /// A database as it is shown.
    pub fn describe(&self, name: &str) -> Element {
        let found = self.rds("DescribeDBInstances", &[("DBInstanceIdentifier", name)]).ok();
        found.at("DescribeDBInstancesResult/DBInstances/DBInstance").unwrap().clone()
    }

    /// Its status.
    pub fn status(&self, name: &str) -> String {
        self.describe(name).text_at("DBInstanceStatus").to_owned()
    }
}

impl Drop for Aws {
    fn drop(&mut self) {
        // Due actions that moto refused, and parameters that AWS does not know.
        let (_, state) = self.steer("GET", "state", "");
        if !std::thread::panicking() && !state.contains("\"violations\":[]") {
            panic!("{state}");
        }
        if let Some(proxy) = self.proxy.take() {
            let _guard = self.runtime.enter();
            proxy.stop();
        }
    }
}
