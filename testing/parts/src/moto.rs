//! moto's server as AWS.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

use doorward_core::inventory::AccountRegion;

use crate::need::find;
use crate::profiles::profile_with;

/// A moto server on a free port of this machine; it ends with the last test that uses it.
pub struct Moto {
    port: u16,
    child: Child,
}

/// A file of images in place of moto's own, of which it reads more than a thousand in each Region.
pub static IMAGES: OnceLock<&str> = OnceLock::new();

static SHARED: Mutex<Weak<Moto>> = Mutex::new(Weak::new());

impl Moto {
    /// The server that all tests of this run share: each makes groups of its own in it.
    pub fn shared() -> Arc<Self> {
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(moto) = shared.upgrade() {
            return moto;
        }
        let moto = Arc::new(Self::start());
        *shared = Arc::downgrade(&moto);
        moto
    }

    /// One that nobody shares.
    #[allow(dead_code, reason = "only where tests have a server each")]
    pub fn alone() -> Self {
        Self::start()
    }

    fn start() -> Self {
        let port = free_port();
        let server = find("moto_server").expect("moto_server");
        // The shell ends moto when its own input ends: also when the test is killed and drops nothing.
        let child = Command::new("sh")
            .arg("-c")
            .arg("\"$0\" -H 127.0.0.1 -p \"$1\" >/dev/null 2>&1 & server=$!; cat; kill $server; wait $server")
            .arg(server)
            .arg(port.to_string())
            // What our tests write there for our own program is not for moto.
            .env("AWS_CONFIG_FILE", "/dev/null")
            .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
            .envs(IMAGES.get().map(|path| ("MOTO_AMIS_PATH", path)))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("sh");
        let moto = Self { port, child };
        let begun = Instant::now();
        while ureq::get(format!("http://127.0.0.1:{port}/moto-api/")).call().is_err() {
            assert!(begun.elapsed() < Duration::from_secs(60), "moto_server does not answer");
            std::thread::sleep(Duration::from_millis(100));
        }
        // moto imports a service at its first call, and fails when two calls make it do so at once.
        for service in
            ["ec2", "ecs", "elasticache", "elasticloadbalancing", "lambda", "rds", "servicequotas", "sts"]
        {
            moto.call((service, "2016-11-15"), "us-east-1", "DescribeVpcs", &[]);
        }
        moto
    }

    /// Where it listens, on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// One call to EC2 in a Region, as fields of a form: moto reads the Region from the signature and believes it.
    pub fn ec2(&self, region: &str, action: &str, fields: &[(&str, &str)]) -> String {
        self.call(("ec2", "2016-11-15"), region, action, fields)
    }

    /// The same of a service by its version.
    pub fn call(
        &self,
        (service, version): (&str, &str),
        region: &str,
        action: &str,
        fields: &[(&str, &str)],
    ) -> String {
        let fields = [("Action", action), ("Version", version)].into_iter().chain(fields.iter().copied());
        let credential = format!("Credential=test/20261122/{region}/{service}/aws4_request");
        let mut answer = ureq::post(self.url())
            .config()
            .http_status_as_error(false)
            .build()
            .header(
                "authorization",
                format!("AWS4-HMAC-SHA256 {credential}, SignedHeaders=host, Signature=0"),
            )
            .send_form(fields)
            .expect("an answer of moto");
        answer.body_mut().read_to_string().expect("a text")
    }

    /// What it says of a new instance, which is tagged with a name.
    pub fn instance(&self, region: &str, name: &str) -> String {
        let image = between(&self.ec2(region, "DescribeImages", &[]), "<imageId>", "</imageId>");
        let fields = [
            ("ImageId", image.as_str()),
            ("MinCount", "1"),
            ("MaxCount", "1"),
            ("TagSpecification.1.ResourceType", "instance"),
            ("TagSpecification.1.Tag.1.Key", "Name"),
            ("TagSpecification.1.Tag.1.Value", name),
        ];
        self.ec2(region, "RunInstances", &fields)
    }

    /// A new VPC's id.
    pub fn vpc(&self, region: &str) -> String {
        let answer = self.ec2(region, "CreateVpc", &[("CidrBlock", "10.0.0.0/16")]);
        between(&answer, "<vpcId>", "</vpcId>")
    }

    /// A new group's id.
    pub fn group(&self, region: &str, vpc: &str, name: &str) -> String {
        let fields = [("GroupName", name), ("GroupDescription", "for a test"), ("VpcId", vpc)];
        let answer = self.ec2(region, "CreateSecurityGroup", &fields);
        between(&answer, "<groupId>", "</groupId>")
    }

    /// A rule that somebody made by hand: TCP to one port from one IPv4 prefix.
    pub fn rule_by_hand(&self, region: &str, group: &str, port: u16, from: &str, description: &str) {
        let port = port.to_string();
        let answer = self.ec2(
            region,
            "AuthorizeSecurityGroupIngress",
            &[
                ("GroupId", group),
                ("IpPermissions.1.IpProtocol", "tcp"),
                ("IpPermissions.1.FromPort", &port),
                ("IpPermissions.1.ToPort", &port),
                ("IpPermissions.1.IpRanges.1.CidrIp", from),
                ("IpPermissions.1.IpRanges.1.Description", description),
            ],
        );
        assert!(answer.contains("securityGroupRuleSet"), "{answer}");
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        // The shell ends when moto has.
        let _ = self.child.wait();
    }
}

/// What stands between two marks in a text, the first time.
pub fn between(text: &str, before: &str, after: &str) -> String {
    let rest = text.split_once(before).map(|(_, rest)| rest);
    let found = rest.and_then(|rest| rest.split_once(after)).map(|(found, _)| found.to_owned());
    found.unwrap_or_else(|| panic!("no {before} in {text}"))
}

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

/// Adds a profile to this run's configuration: keys that moto takes, a Region, and where EC2 answers.
pub fn profile(name: &str, region: &str, url: &str) -> AccountRegion {
    let keys = "aws_access_key_id = test\naws_secret_access_key = test";
    profile_with(name, &format!("region = {region}\nendpoint_url = {url}\n{keys}"))
}
