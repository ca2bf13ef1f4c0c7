//! TLS from two files: cookies that only TLS carries, a key that does not fit, a certificate renewed meanwhile.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use libtest_mimic::{Failed, Trial};
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use crate::browser::{Browser, DESK};
use crate::desk::{Desk, Started, Wiki, start};
use crate::grants::eventually;
use crate::need::{Need, trial};
use crate::proxied::{curl, sign_in};
use crate::server::{House, PASSWORD};

pub fn trials() -> Vec<Trial> {
    vec![
        trial("tls: cookies, headers and the command line", &[], served),
        trial("tls: a form by HTTP/1.1 and by HTTP/2", &[Need::Curl], by_either_version),
        trial("tls: the pages by HTTP/2", &[Need::Chromium], pages),
        trial("tls: a certificate renewed while it serves", &[], renewed),
        trial("tls: files that are missing, swapped or do not match", &[], wrong_files),
    ]
}

const GROUPS: [(&str, &[&str]); 1] = [("staff", &["jon"])];

/// A house with a certificate for this machine in two files beside the policy.
struct Tls {
    house: House,
    wiki: Wiki,
    url: String,
}

impl Tls {
    fn new() -> Self {
        let wiki = Wiki::new("lasts = { usually = \"10m\", at-most = \"1h\" }");
        let house = House::new(&GROUPS, &wiki.policy);
        let text = fs::read_to_string(house.policy()).expect("a policy");
        let tls = "tls = { certificate = \"server.pem\", key = \"server.key\" }\nstore = ";
        fs::write(house.policy(), text.replace("store = ", tls)).expect("a policy");
        let url = format!("https://{}", house.listen);
        let tls = Self { house, wiki, url };
        tls.renew();
        tls
    }

    fn path(&self, name: &str) -> PathBuf {
        self.house.folder().join(name)
    }

    /// Writes a new certificate and its key; the certificate, for who wants to trust it.
    fn renew(&self) -> String {
        let (certificate, key) = pair();
        fs::write(self.path("server.pem"), &certificate).expect("a certificate");
        fs::write(self.path("server.key"), key).expect("a key");
        certificate
    }

    fn serve(&self) -> Started {
        let server = start(&mut self.house.doorward(&["serve"]));
        let trusted = self.trusted();
        eventually("it answers", || agent(&trusted).get(format!("{}/healthz", self.url)).call().is_ok());
        server
    }

    fn trusted(&self) -> String {
        fs::read_to_string(self.path("server.pem")).expect("a certificate")
    }
}

fn pair() -> (String, String) {
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let pair = rcgen::generate_simple_self_signed(names).expect("a certificate");
    (pair.cert.pem(), pair.signing_key.serialize_pem())
}

/// A client that trusts one certificate.
fn agent(trusted: &str) -> ureq::Agent {
    let root = Certificate::from_pem(trusted.as_bytes()).expect("a certificate");
    let roots = RootCerts::new_with_certs(&[root.to_owned()]);
    let config = ureq::Agent::config_builder()
        .tls_config(TlsConfig::builder().root_certs(roots).build())
        .max_redirects(0)
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(10)));
    config.build().new_agent()
}

fn served() -> Result<(), Failed> {
    let tls = Tls::new();
    let _server = tls.serve();
    let agent = agent(&tls.trusted());
    let mut page = agent.get(format!("{}/sign-in", tls.url)).call()?;
    let header = |answer: &ureq::http::Response<ureq::Body>, name: &str| -> Vec<String> {
        let values = answer.headers().get_all(name).iter();
        values.filter_map(|value| value.to_str().ok().map(str::to_owned)).collect()
    };
    let hsts = header(&page, "strict-transport-security");
    assert!(hsts.len() == 1 && hsts[0].starts_with("max-age="), "{hsts:?}");
    let before = header(&page, "set-cookie");
    assert!(before.len() == 1 && before[0].starts_with("__Host-doorward-form="), "{before:?}");
    let text = page.body_mut().read_to_string()?;
    let token = text.split("name=\"token\" value=\"").nth(1).and_then(|rest| rest.split('"').next());
    let cookie = before[0].split(';').next().unwrap_or_default();
    let signed_in = agent
        .post(format!("{}/sign-in", tls.url))
        .header("cookie", cookie)
        .header("origin", &tls.url)
        .send_form([("token", token.ok_or("no token")?), ("name", "jon"), ("password", PASSWORD)])?;
    assert_eq!(signed_in.status(), 303);
    let set = header(&signed_in, "set-cookie");
    let session = set.iter().find(|cookie| cookie.starts_with("__Host-doorward=")).ok_or("no session")?;
    for word in ["; Secure", "; HttpOnly", "; SameSite=", "; Path=/"] {
        assert!(session.contains(word), "{session}");
    }
    assert!(!session.contains("Domain"), "{session}");
    let home = |cookie: &str| agent.get(format!("{}/", tls.url)).header("cookie", cookie).call();
    let cookie = session.split(';').next().unwrap_or_default();
    assert_eq!(home(cookie)?.status(), 200);
    assert_eq!(home(&cookie.replace("__Host-", ""))?.status(), 303, "the plain name is not taken");

    // The command line trusts what the system trusts, and says why it trusts nothing else.
    let jon = Desk::new(&tls.house, "jon");
    let stranger = jon.type_in(&["login", &tls.url, "--stdin"], PASSWORD);
    stranger.is(
        69,
        &[],
        &[
            &format!("error: cannot reach `{}`\ncaused by: ", tls.url),
            "hint: this machine does not trust the server's certificate",
        ],
    );
    let mut login = jon.command(&["login", &tls.url, "--stdin"]);
    let mut login =
        start(login.env("SSL_CERT_FILE", tls.path("server.pem")).stdin(std::process::Stdio::piped()));
    std::io::Write::write_all(
        &mut login.0.stdin.take().ok_or("no pipe")?,
        format!("{PASSWORD}\n").as_bytes(),
    )?;
    login.ends().is(0, &[&format!("You are signed in to {} as jon", tls.url)], &[]);
    let mut open = jon.command(&["open", "wiki"]);
    start(open.env("SSL_CERT_FILE", tls.path("server.pem"))).ends().is(0, &["wiki is open"], &[]);
    assert!(tls.wiki.lets_in());
    // Who speaks plain HTTP is not answered, and nobody else is disturbed.
    let plain = jon.type_in(&["login", &tls.url.replace("https", "http"), "--stdin"], PASSWORD);
    plain.is(69, &[], &["error: cannot reach `http://"]);
    assert_eq!(home(cookie)?.status(), 200);
    Ok(())
}

/// As browsers send it that say `Origin` and no `Sec-Fetch-Site`; the policy names no `url`.
fn by_either_version() -> Result<(), Failed> {
    let tls = Tls::new();
    let _server = tls.serve();
    let certificate = tls.path("server.pem");
    for base in [tls.url.clone(), tls.url.replace("127.0.0.1", "localhost")] {
        for version in ["--http1.1", "--http2"] {
            let signed = sign_in(&certificate, &base, &base, version, "jon");
            assert_eq!(signed.status, 303, "{base} {version}: {}", signed.body);
            let forged = sign_in(&certificate, &base, "https://evil.test", version, "jon");
            assert_eq!(forged.status, 403, "{base} {version}: {}", forged.body);
        }
    }
    let nowhere = curl(&certificate, &["--http1.1", "-H", "Host:", &format!("{}/sign-in", tls.url)]);
    assert_eq!(nowhere.status, 400);
    Ok(())
}

fn pages() -> Result<(), Failed> {
    let tls = Tls::new();
    let _server = tls.serve();
    let browser = Browser::with(DESK, &["--ignore-certificate-errors".to_owned()]);
    browser.go(&format!("{}/sign-in", tls.url));
    assert_eq!(browser.script("return performance.getEntriesByType('navigation')[0].nextHopProtocol"), "h2");
    browser.find("#name").type_in("jon");
    browser.find("#password").type_in(PASSWORD);
    browser.find("main button").click();
    browser.says("Your targets");
    browser.find(".who button").click();
    browser.says("You are signed out.");
    Ok(())
}

fn renewed() -> Result<(), Failed> {
    let tls = Tls::new();
    let server = tls.serve();
    let answers = |trusted: &str| agent(trusted).get(format!("{}/healthz", tls.url)).call().is_ok();
    let (first, key) = (tls.trusted(), fs::read(tls.path("server.key"))?);
    // The certificate comes before its key, and for a moment they do not match.
    let (second, second_key) = pair();
    fs::write(tls.path("server.pem"), &second)?;
    std::thread::sleep(Duration::from_secs(6));
    assert!(answers(&first) && !answers(&second), "keeping the current one");
    fs::write(tls.path("server.key"), second_key)?;
    eventually("the new one is taken", || answers(&second));
    assert!(!answers(&first));
    drop(key);
    server.signal("TERM");
    let said = server.ends();
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(
        said.err.matches("cannot use the new certificate, keeping the current one").count(),
        1,
        "{said:?}"
    );
    assert_eq!(said.err.matches("certificate reloaded").count(), 1, "{said:?}");
    Ok(())
}

fn wrong_files() -> Result<(), Failed> {
    let refused = |spoil: &dyn Fn(&Tls), code: i32, words: &dyn Fn(&Path) -> String| {
        let tls = Tls::new();
        spoil(&tls);
        let (found, out, err) = tls.house.run(&["serve"]);
        let words = words(tls.house.folder());
        assert_eq!((found, out.as_str()), (code, ""), "{err}");
        assert!(err.contains(&format!("error: {words}")), "should say {words}, and says {err}");
        assert!(!tls.path("doorward.db").exists(), "nothing was begun");
        assert!(!tls.wiki.lets_in());
    };
    let at = |folder: &Path, name: &str| folder.join(name).display().to_string();
    let put = |tls: &Tls, name: &str, text: &[u8]| fs::write(tls.path(name), text).expect("a file");
    refused(&|tls| fs::remove_file(tls.path("server.pem")).expect("a file"), 66, &|folder| {
        format!("`{}` cannot be read\ncaused by: ", at(folder, "server.pem"))
    });
    refused(&|tls| put(tls, "server.pem", b"nonsense"), 65, &|folder| {
        format!("`{}` has no certificate in PEM form\nhint: ", at(folder, "server.pem"))
    });
    refused(&|tls| put(tls, "server.key", b""), 65, &|folder| {
        format!("`{}` has no private key in PEM form\nhint: ", at(folder, "server.key"))
    });
    refused(&|tls| put(tls, "server.key", pair().1.as_bytes()), 65, &|folder| {
        let (certificate, key) = (at(folder, "server.pem"), at(folder, "server.key"));
        format!("the certificate in `{certificate}` and the key in `{key}` do not match\n")
    });
    Ok(())
}
