//! Behind nginx and haproxy, named in the policy and not, at the root and under a path.

mod tiers;

use std::fs;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use libtest_mimic::{Failed, Trial};
use serde_json::{Value, json};

use crate::browser::{Browser, DESK};
use crate::desk::{Desk, Wiki};
use crate::grants::eventually;
use crate::need::{Need, find, trial};
use crate::server::{House, PASSWORD, free_address};

pub fn trials() -> Vec<Trial> {
    vec![
        trial("proxied: hosts as they stand in a request", &[], hosts),
        trial("proxied: nginx that the policy names", &[Need::Nginx, Need::Curl], named),
        trial("proxied: nginx that the policy does not list", &[Need::Nginx, Need::Curl], not_named),
        trial("proxied: haproxy and its health check", &[Need::Haproxy, Need::Curl], haproxy),
        trial("proxied: haproxy that does not read HTTP", &[Need::Haproxy], tiers::unread),
        trial("proxied: a path in front of every path", &[Need::Nginx, Need::Curl], under_a_path),
        trial("proxied: the pages under a path", &[Need::Nginx, Need::Chromium], pages_under_a_path),
    ]
}

const GROUPS: [(&str, &[&str]); 2] = [("staff", &["jon", "maria"]), ("ops", &["maria"])];

/// A proxy that runs; it ends with the test.
struct Proxy {
    child: Child,
    folder: tempfile::TempDir,
    /// Where it listens, with TLS.
    at: SocketAddr,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A folder with a certificate for this machine.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let pair = rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()])
        .expect("a certificate");
    let (certificate, key) = (pair.cert.pem(), pair.signing_key.serialize_pem());
    fs::write(folder.path().join("server.pem"), &certificate).expect("a certificate");
    fs::write(folder.path().join("server.key"), &key).expect("a key");
    // haproxy wants both in one file.
    fs::write(folder.path().join("both.pem"), certificate + &key).expect("both");
    folder
}

impl Proxy {
    /// nginx with TLS on a free port; `locations` says what it hands on.
    fn nginx(locations: &str) -> Self {
        let (folder, at) = (folder(), free_address());
        let text = format!(
            "pid nginx.pid;\nerror_log stderr warn;\nevents {{}}\nhttp {{\n  access_log off;\n  \
             client_body_temp_path b; proxy_temp_path p; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;\n  \
             server {{\n    listen {at} ssl http2;\n    ssl_certificate server.pem;\n    ssl_certificate_key server.key;\n\
             {locations}\n  }}\n}}\n"
        );
        fs::write(folder.path().join("nginx.conf"), text).expect("a configuration");
        let path = folder.path().to_str().expect("UTF-8").to_owned();
        let mut command = Command::new(find("nginx").expect("nginx"));
        command.args([
            "-p",
            &path,
            "-c",
            "nginx.conf",
            "-g",
            "daemon off; master_process off;",
            "-e",
            "stderr",
        ]);
        Self::start(command, folder, at)
    }

    /// haproxy with TLS on a free port, in front of a server whose health it checks.
    fn haproxy(server: SocketAddr, rules: &str) -> Self {
        let (folder, at) = (folder(), free_address());
        let certificate = folder.path().join("both.pem");
        let text = format!(
            "global\n  log stderr format raw local0 err\ndefaults\n  mode http\n  timeout connect 5s\n  timeout client 30s\n  \
             timeout server 30s\nfrontend door\n  bind {at} ssl crt {} alpn h2,http/1.1\n{rules}  default_backend doorward\n\
             backend doorward\n  option httpchk GET /healthz\n  server one {server} check inter 200ms\n",
            certificate.display()
        );
        fs::write(folder.path().join("haproxy.cfg"), text).expect("a configuration");
        let mut command = Command::new(find("haproxy").expect("haproxy"));
        command.arg("-db").arg("-f").arg(folder.path().join("haproxy.cfg"));
        Self::start(command, folder, at)
    }

    fn start(mut command: Command, folder: tempfile::TempDir, at: SocketAddr) -> Self {
        let said = fs::File::create(folder.path().join("said")).expect("a file");
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(said).spawn().expect("a proxy");
        let mut proxy = Self { child, folder, at };
        eventually("the proxy listens", || std::net::TcpStream::connect(at).is_ok());
        assert!(proxy.child.try_wait().expect("a child").is_none(), "{}", proxy.said());
        proxy
    }

    fn said(&self) -> String {
        fs::read_to_string(self.folder.path().join("said")).unwrap_or_default()
    }

    fn certificate(&self) -> PathBuf {
        self.folder.path().join("server.pem")
    }

    fn url(&self) -> String {
        format!("https://localhost:{}", self.at.port())
    }

    /// Signs in by the form, under a path.
    fn sign_in(&self, path: &str, version: &str, name: &str) -> Answer {
        sign_in(&self.certificate(), &format!("{}{path}", self.url()), &self.url(), version, name)
    }
}

/// An answer as curl tells it.
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// The status line and the headers.
    pub head: String,
    /// The body.
    pub body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    fn cookies(&self) -> String {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        let cookies = lines.filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie"));
        cookies.filter_map(|(_, value)| value.split(';').next()).collect::<Vec<_>>().join("; ")
    }

    fn form_token(&self) -> String {
        let rest =
            self.body.split("name=\"token\" value=\"").nth(1).unwrap_or_else(|| panic!("{}", self.body));
        rest.split('"').next().unwrap_or_default().to_owned()
    }
}

/// Asks with curl, trusting one certificate.
pub fn curl(certificate: &Path, arguments: &[&str]) -> Answer {
    let certificate = certificate.to_str().expect("UTF-8");
    let common = [
        "--silent",
        "--show-error",
        "--include",
        "--max-time",
        "20",
        "--noproxy",
        "*",
        "--cacert",
        certificate,
    ];
    let output =
        Command::new(find("curl").expect("curl")).args(common).args(arguments).output().expect("curl runs");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout).replace("\r\n", "\n");
    let (head, body) = text.split_once("\n\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    Answer { status, head: head.to_owned(), body: body.to_owned() }
}

/// Signs in by the form of the page with an `Origin` and without `Sec-Fetch-Site`.
pub fn sign_in(certificate: &Path, base: &str, origin: &str, version: &str, name: &str) -> Answer {
    let at = format!("{base}/sign-in");
    let page = curl(certificate, &[version, &at]);
    assert_eq!(page.status, 200, "{}", page.body);
    let (cookies, origin) = (format!("Cookie: {}", page.cookies()), format!("Origin: {origin}"));
    let (token, name, password) =
        (format!("token={}", page.form_token()), format!("name={name}"), format!("password={PASSWORD}"));
    let fields = ["--data-urlencode", &token, "--data-urlencode", &name, "--data-urlencode", &password];
    let head = [version, "-H", &cookies, "-H", &origin, &at];
    curl(certificate, &[&head[..], &fields].concat())
}

/// Signs in to the API and asks for the wiki: the answer.
fn open(proxy: &Proxy, base: &str, more: &[&str]) -> Answer {
    let url = |path: &str| format!("{}{base}/api/v1{path}", proxy.url());
    let credentials = json!({ "name": "jon", "password": PASSWORD }).to_string();
    let kind = ["-H", "Content-Type: application/json"];
    let signed =
        curl(&proxy.certificate(), &[&kind[..], more, &["--data", &credentials, &url("/sessions")]].concat());
    assert_eq!(signed.status, 201, "{}", signed.body);
    let signed = signed.json();
    let token = format!("Authorization: Bearer {}", signed["token"].as_str().expect("a token"));
    let wanted = json!({ "target": "wiki" }).to_string();
    curl(
        &proxy.certificate(),
        &[&kind[..], more, &["-H", &token, "--data", &wanted, &url("/grants")]].concat(),
    )
}

/// A server, `proxy` in front of it, and what its policy says of that.
fn house() -> (House, Wiki) {
    let wiki = Wiki::new("lasts = { usually = \"10m\", at-most = \"1h\" }");
    (House::new(&GROUPS, &wiki.policy), wiki)
}

/// The status of what is sent byte for byte.
fn raw(at: SocketAddr, request: &str) -> u16 {
    let mut stream = std::net::TcpStream::connect(at).expect("a connection");
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut answer = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(stream), &mut answer).expect("an answer");
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("{answer:?}"))
}

fn hosts() -> Result<(), Failed> {
    let (house, _wiki) = house();
    house.set_server("url = \"https://door.example\"");
    let _server = house.serve();
    for (expected, head) in [
        (200, "GET /sign-in HTTP/1.1\r\nHost: door.example\r\n"),
        (200, "GET /sign-in HTTP/1.1\r\nhOsT:  DOOR.example.:443 \r\n"),
        (200, "GET https://door.example/sign-in HTTP/1.1\r\nHost: door.example\r\n"),
        (400, "GET https://door.example/sign-in HTTP/1.1\r\nHost: evil.test\r\n"),
        (200, "GET /sign-in HTTP/1.0\r\nHost: door.example\r\n"),
        (400, "GET https://evil.test/sign-in HTTP/1.1\r\nHost: door.example\r\n"),
        (421, "GET https://evil.test/sign-in HTTP/1.1\r\nHost: evil.test\r\n"),
        (421, "GET /sign-in HTTP/1.1\r\nHost: evil.test\r\n"),
        (421, "GET /api/v1/openapi.json HTTP/1.1\r\nHost: 127.0.0.1\r\n"),
        (421, "POST /healthz HTTP/1.1\r\nHost: evil.test\r\nContent-Length: 0\r\n"),
        (400, "GET /sign-in HTTP/1.1\r\n"),
        (400, "GET /sign-in HTTP/1.1\r\nHost:\r\n"),
        (400, "GET /sign-in HTTP/1.1\r\nHost: door.example, evil.test\r\n"),
        (400, "GET /sign-in HTTP/1.1\r\nHost: door.example\r\nHost: door.example\r\n"),
        (400, "GET /sign-in HTTP/1.0\r\n"),
        (200, "GET /healthz HTTP/1.1\r\nHost: 10.0.0.5\r\n"),
        (200, "GET /healthz HTTP/1.0\r\n"),
    ] {
        assert_eq!(raw(house.listen, &format!("{head}Connection: close\r\n\r\n")), expected, "{head}");
    }
    Ok(())
}

fn named() -> Result<(), Failed> {
    let (house, _wiki) = house();
    let location = format!(
        "location / {{ proxy_pass http://{}; proxy_set_header Host $http_host; \
         proxy_set_header X-Forwarded-For 203.0.113.7; proxy_set_header X-Forwarded-Proto $scheme; }}\n\
         location /nohost/ {{ proxy_pass http://{}/; }}",
        house.listen, house.listen
    );
    let proxy = Proxy::nginx(&location);
    house.set_server(&format!("url = \"{}\"\nproxies = [\"127.0.0.1\"]", proxy.url()));
    let server = house.serve();
    for version in ["--http1.1", "--http2"] {
        let signed = proxy.sign_in("", version, "jon");
        assert_eq!(signed.status, 303, "{version}: {}", signed.body);
        let cookies = signed.cookies();
        assert!(cookies.starts_with("__Host-doorward="), "{cookies}");
        assert!(
            signed.head.to_lowercase().contains("strict-transport-security: max-age="),
            "{}",
            signed.head
        );
        let home = curl(&proxy.certificate(), &[version, "-H", &format!("Cookie: {cookies}"), &proxy.url()]);
        assert!(home.status == 200 && home.body.contains("203.0.113.7"), "{}", home.body);
    }
    let opened = open(&proxy, "", &[]);
    assert_eq!((opened.status, opened.json()["grant"]["source"].clone()), (201, json!("203.0.113.7/32")));
    // What a client says of itself in the other header contradicts the proxy, so nobody is believed.
    let spoofed = open(&proxy, "", &["-H", "Forwarded: for=198.51.100.1"]);
    assert_eq!(spoofed.status, 422, "{}", spoofed.body);
    // nginx puts its own idea of the host unless it is told otherwise.
    let lost = curl(&proxy.certificate(), &[&format!("{}/nohost/sign-in", proxy.url())]);
    assert_eq!(lost.status, 421);
    assert!(lost.body.contains("has to forward the <code>Host</code> header"), "{}", lost.body);
    assert!(!server.log().contains("not listed"), "{}", server.log());
    Ok(())
}

fn not_named() -> Result<(), Failed> {
    let (house, wiki) = house();
    let location = format!(
        "location / {{ proxy_pass http://{}; proxy_set_header Host $http_host; \
         proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; }}",
        house.listen
    );
    let proxy = Proxy::nginx(&location);
    house.set_server(&format!("url = \"{}\"", proxy.url()));
    let server = house.serve();
    for _ in 0..3 {
        let refused = open(&proxy, "", &[]);
        assert_eq!(refused.status, 422, "{}", refused.body);
        let said = refused.json();
        assert!(
            said["error"].as_str().ok_or("no error")?.contains("a proxy (127.0.0.1 sent `X-Forwarded-For`)")
        );
        assert!(said["hint"].as_str().ok_or("no hint")?.contains("`proxies = [\"127.0.0.1\"]`"));
    }
    assert!(!wiki.lets_in());
    let log = server.log();
    assert_eq!(log.matches("proxy is not listed in `proxies`").count(), 1, "{log}");
    let maria = proxy.sign_in("", "--http2", "maria").cookies();
    let page = |path: &str| {
        let cookies = format!("Cookie: {maria}");
        curl(&proxy.certificate(), &["-H", &cookies, &format!("{}{path}", proxy.url())]).body
    };
    assert!(page("/operators").contains("<code>127.0.0.1</code> sent <code>X-Forwarded-For</code>"));
    assert!(page("/").contains("that the policy does not list"));
    // Once it is named, it is believed, and nothing is shown.
    house.set_server("proxies = [\"127.0.0.0/8\"]");
    eventually("the policy is read", || !page("/operators").contains("sent <code>X-Forwarded-For</code>"));
    Ok(())
}

fn haproxy() -> Result<(), Failed> {
    let (house, _wiki) = house();
    let rules = "  http-request set-header Forwarded \"for=\\\"[2001:470::7]:4711\\\";proto=https\"\n";
    let proxy = Proxy::haproxy(house.listen, rules);
    // It asks for the health by HTTP/1.0 and no host at all; only then it hands anything on.
    house.set_server(&format!("url = \"{}\"\nproxies = [\"127.0.0.1\"]", proxy.url()));
    let server = house.serve();
    let up = || curl(&proxy.certificate(), &[&format!("{}/sign-in", proxy.url())]).status == 200;
    eventually("haproxy finds the server well", up);
    for version in ["--http1.1", "--http2"] {
        let signed = proxy.sign_in("", version, "jon");
        assert_eq!(signed.status, 303, "{version}: {}", signed.body);
    }
    let opened = open(&proxy, "", &[]);
    assert_eq!((opened.status, opened.json()["grant"]["source"].clone()), (201, json!("2001:470::7/128")));
    let other = curl(&proxy.certificate(), &["-H", "Host: evil.test", &format!("{}/sign-in", proxy.url())]);
    assert_eq!(other.status, 421, "{}", other.body);
    drop(server);
    Ok(())
}

/// nginx under a path that it hands on, and under the same path on another port that it takes away.
fn prefixed(house: &House) -> (Proxy, Proxy) {
    let headers = "proxy_set_header Host $http_host; proxy_set_header X-Forwarded-For 203.0.113.7; \
                   proxy_set_header X-Forwarded-Proto $scheme;";
    let listen = house.listen;
    let on = Proxy::nginx(&format!("location /door {{ proxy_pass http://{listen}; {headers} }}"));
    let away = Proxy::nginx(&format!("location /door/ {{ proxy_pass http://{listen}/; {headers} }}"));
    (on, away)
}

fn under_a_path() -> Result<(), Failed> {
    let (house, _wiki) = house();
    let (on, away) = prefixed(&house);
    house.set_server(&format!("url = \"{}/door\"\nproxies = [\"127.0.0.1\"]", on.url()));
    let _server = house.serve();
    for proxy in [&on, &away] {
        let signed = proxy.sign_in("/door", "--http2", "jon");
        assert_eq!(signed.status, 303, "{}", signed.body);
        assert!(signed.head.contains("location: /door/\n"), "{}", signed.head);
        assert!(signed.head.contains("; Path=/door; HttpOnly; Secure"), "{}", signed.head);
        assert!(signed.cookies().starts_with("__Secure-doorward="), "{}", signed.head);
        let document =
            curl(&proxy.certificate(), &[&format!("{}/door/api/v1/openapi.json", proxy.url())]).json();
        assert_eq!(document["servers"], json!([{ "url": "/door/api/v1" }]));
        let opened = open(proxy, "/door", &[]);
        assert!(matches!(opened.status, 200 | 201), "{}", opened.body);
        // The command line is told the address with its path.
        let jon = Desk::new(&house, "jon");
        let url = format!("{}/door", proxy.url());
        let mut login = jon.command(&["login", &url, "--stdin"]);
        login.env("SSL_CERT_FILE", proxy.certificate()).stdin(Stdio::piped());
        let mut login = crate::desk::start(&mut login);
        std::io::Write::write_all(
            &mut login.0.stdin.take().ok_or("no pipe")?,
            format!("{PASSWORD}\n").as_bytes(),
        )?;
        login.ends().is(0, &[&format!("You are signed in to {url} as jon")], &[]);
        let mut list = jon.command(&["list"]);
        crate::desk::start(list.env("SSL_CERT_FILE", proxy.certificate())).ends().is(0, &["wiki"], &[]);
    }
    Ok(())
}

fn pages_under_a_path() -> Result<(), Failed> {
    let (house, _wiki) = house();
    let (on, away) = prefixed(&house);
    house.set_server(&format!("url = \"{}/door\"\nproxies = [\"127.0.0.1\"]", on.url()));
    let _server = house.serve();
    for proxy in [&on, &away] {
        let browser = Browser::with(DESK, &["--ignore-certificate-errors".to_owned()]);
        browser.go(&format!("{}/door/sign-in", proxy.url()));
        let protocol = browser.script("return performance.getEntriesByType('navigation')[0].nextHopProtocol");
        assert_eq!(protocol, "h2");
        browser.find("#name").type_in("maria");
        browser.find("#password").type_in(PASSWORD);
        browser.find("main button").click();
        browser.says("Your address");
        browser.find("#target-wiki button.main").click();
        browser.says("wiki is open for 203.0.113.7");
        for (link, title) in
            [("Open grants", "Open grants"), ("Audit log", "Audit log"), ("Targets", "Your targets")]
        {
            browser.script(&format!(
                "[...document.querySelectorAll('nav a')].find(a => a.textContent === '{link}').click()"
            ));
            browser.says(title);
            assert!(browser.url().starts_with(&format!("{}/door/", proxy.url())), "{}", browser.url());
        }
        browser.find(".grant button.danger").click();
        browser.says("wiki is revoked");
        browser.find(".who button").click();
        browser.says("You are signed out.");
        assert_eq!(browser.complaints(), Vec::<String>::new());
    }
    Ok(())
}
