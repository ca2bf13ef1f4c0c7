//! A front of moto in a process of its own: it keeps moto's answers and hands them out in pages, as EC2 does.
//!
//! For each rule that it describes moto looks through the tags of all rules, so that the rules of 200 groups of 20
//! take it many seconds, longer than Doorward waits for AWS; and it knows no pages. Each rule is moto's own text
//! all the same, and every write goes through to moto.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{FromRequest as _, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use doorward_core::inventory::AccountRegion;
use tokio::sync::Mutex;

use crate::moto::{self, Moto};

const MARK: &str = "DOORWARD_BENCH_FRONT";

/// The front's process; it ends with this one.
pub struct Front {
    child: Child,
    account_region: AccountRegion,
}

impl Front {
    /// Starts it.
    pub fn before(moto: &Moto) -> Self {
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .env(MARK, moto.url())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program");
        let mut url = String::new();
        BufReader::new(child.stdout.take().expect("an output")).read_line(&mut url).expect("an address");
        let account_region = moto::profile("bench", REGION, url.trim());
        Self { child, account_region }
    }

    /// The profile of the AWS configuration that leads there.
    pub fn profile(&self) -> &str {
        self.account_region.profile.as_deref().expect("a profile")
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        // It ends with its input.
        let _ = self.child.wait();
    }
}

/// The one Region of a bench.
pub const REGION: &str = "us-east-1";

/// Serves until the input ends, when this process was started for that.
pub fn serve_if_asked() -> Option<ExitCode> {
    let moto = std::env::var(MARK).ok()?;
    tokio::runtime::Runtime::new().expect("a runtime").block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        println!("http://{}", listener.local_addr().expect("an address"));
        let kept = Arc::new(Kept { moto, answers: Mutex::default() });
        let router = Router::new().fallback(answer).with_state(kept);
        let router = router.layer(axum::extract::DefaultBodyLimit::disable());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let input_ends = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
        // However it ended, nobody is there any more.
        let _ = input_ends.await;
    });
    Some(ExitCode::SUCCESS)
}

struct Kept {
    moto: String,
    answers: Mutex<Answers>,
}

/// The `<item>`s of each group as moto told them, until somebody writes to it.
#[derive(Default)]
struct Answers {
    groups: BTreeMap<String, Vec<String>>,
    rules: BTreeMap<String, Vec<String>>,
}

impl Answers {
    fn of(&mut self, call: &str) -> &mut BTreeMap<String, Vec<String>> {
        if call == "DescribeSecurityGroups" { &mut self.groups } else { &mut self.rules }
    }
}

type Fields = Vec<(String, String)>;

async fn answer(State(kept): State<Arc<Kept>>, headers: HeaderMap, body: Bytes) -> Response {
    let fields = read_form(&body).await;
    let field = |name: &str| fields.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str());
    let Some(call) = field("Action") else { return kept.pass_on(headers, body).await.into_response() };
    let mut answers = kept.answers.lock().await;
    if let "DescribeSecurityGroups" | "DescribeSecurityGroupRules" = call {
        let asked: Vec<&str> = fields
            .iter()
            .filter(|(name, _)| name.starts_with("Filter.1.Value."))
            .map(|(_, value)| value.as_str())
            .collect();
        let missing: Vec<&str> =
            asked.iter().filter(|group| !answers.of(call).contains_key(**group)).copied().collect();
        for groups in missing.chunks(50) {
            let body = describe(call, groups);
            let (status, text) = kept.pass_on(headers.clone(), body.into()).await;
            if status != StatusCode::OK {
                return (status, text).into_response();
            }
            let known = answers.of(call);
            known.extend(groups.iter().map(|group| ((*group).to_owned(), Vec::new())));
            for item in items(&text) {
                let group = moto::between(item, "<groupId>", "</groupId>");
                known.get_mut(&group).expect("a group that was asked for").push(item.to_owned());
            }
        }
        let number = |name: &str| field(name).and_then(|text| text.parse::<usize>().ok());
        let (from, size) = (number("NextToken").unwrap_or(0), number("MaxResults").unwrap_or(1000));
        let known = answers.of(call);
        let all: Vec<&str> = asked.iter().flat_map(|group| &known[*group]).map(String::as_str).collect();
        return page(call, &all, from, size).into_response();
    }
    let group = field("GroupId").unwrap_or_default().to_owned();
    let call = call.to_owned();
    let (status, text) = kept.pass_on(headers, body).await;
    answers.groups.remove(&group);
    match (call.as_str(), answers.rules.get_mut(&group)) {
        // Its answer tells every new rule as it will be described.
        ("AuthorizeSecurityGroupIngress", Some(rules)) if status == StatusCode::OK => {
            rules.extend(items(&text).map(str::to_owned));
        }
        _ => {
            answers.rules.remove(&group);
        }
    }
    (status, text).into_response()
}

impl Kept {
    async fn pass_on(&self, headers: HeaderMap, body: Bytes) -> (StatusCode, String) {
        let url = self.moto.clone();
        let asked = tokio::task::spawn_blocking(move || {
            let mut request = ureq::http::Request::post(url);
            for name in ["authorization", "content-type", "x-amz-target", "x-amz-date"] {
                if let Some(value) = headers.get(name) {
                    request = request.header(name, value);
                }
            }
            let config = ureq::Agent::config_builder().http_status_as_error(false);
            let agent = config.build().new_agent();
            let mut answer =
                agent.run(request.body(body.as_ref()).expect("a request")).expect("moto's answer");
            let text = answer.body_mut().with_config().limit(1 << 30).read_to_string().expect("a text");
            (answer.status(), text)
        });
        asked.await.expect("an answer")
    }
}

async fn read_form(body: &Bytes) -> Fields {
    let request = axum::http::Request::post("/")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(axum::body::Body::from(body.clone()))
        .expect("a request");
    axum::Form::from_request(request, &()).await.map(|axum::Form(fields)| fields).unwrap_or_default()
}

fn describe(call: &str, groups: &[&str]) -> String {
    let values = groups.iter().enumerate();
    let values: String =
        values.map(|(number, group)| format!("&Filter.1.Value.{}={group}", number + 1)).collect();
    format!("Action={call}&Version=2016-11-15&Filter.1.Name=group-id{values}")
}

fn page(call: &str, items: &[&str], from: usize, size: usize) -> String {
    let until = items.len().min(from + size);
    let list = if call == "DescribeSecurityGroups" { "securityGroupInfo" } else { "securityGroupRuleSet" };
    let page = items.get(from..until).unwrap_or_default().concat();
    let next = if until < items.len() { format!("<nextToken>{until}</nextToken>") } else { String::new() };
    format!("<{call}Response><requestId>1</requestId><{list}>{page}</{list}>{next}</{call}Response>")
}

/// The outermost `<item>`s of an answer.
fn items(text: &str) -> impl Iterator<Item = &str> {
    let (mut depth, mut start, mut account_region) = (0, 0, 0);
    std::iter::from_fn(move || {
        loop {
            let rest = &text[account_region..];
            let open = rest.find("<item>").unwrap_or(usize::MAX);
            let close = rest.find("</item>")?;
            if open < close {
                if depth == 0 {
                    start = account_region + open;
                }
                depth += 1;
                account_region += open + "<item>".len();
            } else {
                depth -= 1;
                account_region += close + "</item>".len();
                if depth == 0 {
                    return Some(&text[start..account_region]);
                }
            }
        }
    })
}
