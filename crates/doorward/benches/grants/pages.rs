//! The signed-in page beside a bare handler that returns a constant page of the same size, in the same process.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::response::Html;
use axum::routing::get;
use doorward::requests::Requests;
use doorward::web::{Web, router};

use crate::cost;
use crate::load::{self, CONNECTIONS};
use crate::moto::between;
use crate::server::PASSWORD;
use crate::shop;
use crate::table::{self, median, thousands};

/// How often each of the two is asked in turn, and for how long.
const ROUNDS: usize = 5;
const LASTS: Duration = Duration::from_secs(3);

/// Measures both.
pub async fn measure(requests: &Arc<Requests>) {
    let web = Web::new(Arc::clone(requests)).expect("chance");
    let page = serve(router(web));
    let cookie = sign_in(page).await;
    let signed_in = format!("GET / HTTP/1.1\r\nhost: {page}\r\ncookie: {cookie}\r\n\r\n");
    let body = load::once(page, &signed_in).await.body;
    assert!(body.contains("Sign out") && body.contains("db-9"), "{body}");
    let size = body.len();
    let constant: &'static str = body.leak();
    let bare = serve(Router::new().route("/", get(move || async move { Html(constant) })));
    let plain = format!("GET / HTTP/1.1\r\nhost: {bare}\r\n\r\n");

    let mut measured = [(Vec::new(), Vec::new()), (Vec::new(), Vec::new())];
    for round in 0..=ROUNDS {
        for ((to, request), (rates, costs)) in [(page, &signed_in), (bare, &plain)].iter().zip(&mut measured)
        {
            let before = cost::busy(load::THREAD);
            let (answers, took) = load::run(*to, (*request).clone(), LASTS).await;
            let busy = cost::busy(load::THREAD).saturating_sub(before);
            // The first round only warms up.
            if round > 0 {
                rates.push(answers as f64 / took.as_secs_f64());
                costs.push(busy.as_secs_f64() * 1e6 / answers as f64);
            }
        }
    }
    let [page, bare] = measured.map(|(rates, costs)| (median(rates), median(costs)));
    println!(
        "The signed-in page of somebody with 10 targets and 10 open grants, among 10,000 grants of 1,000 people,\n\
         beside a bare axum handler that returns the same {} bytes:\n",
        thousands(size)
    );
    let row = |name: &str, (rate, cost): (f64, f64)| {
        vec![name.to_owned(), thousands(rate as usize), format!("{cost:.0}")]
    };
    let ratio =
        vec!["page / bare".to_owned(), format!("{:.3}", page.0 / bare.0), format!("{:.1}", page.1 / bare.1)];
    let rows = [row("page", page), row("bare handler", bare), ratio];
    table::print(&["", "requests/s", "server's CPU µs a request"], &rows);
    println!(
        "Medians of {ROUNDS} times {} seconds each in turn, over {CONNECTIONS} connections that stay open, asked by one thread\n\
         of the same process.\n",
        LASTS.as_secs()
    );
}

/// Answers on a free port, until the process ends.
fn serve(router: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.set_nonblocking(true).expect("a port");
    let address = listener.local_addr().expect("an address");
    let listener = tokio::net::TcpListener::from_std(listener).expect("a port");
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await });
    address
}

/// Signs the first person in, as a browser does: the cookie of the session.
async fn sign_in(to: SocketAddr) -> String {
    let form = load::once(to, &format!("GET /sign-in HTTP/1.1\r\nhost: {to}\r\n\r\n")).await;
    let before = between(&form.head, "set-cookie: ", ";");
    let token = between(&form.body, "name=\"token\" value=\"", "\"");
    let fields = format!("token={token}&name={}&password={PASSWORD}", shop::person(0));
    let request = format!(
        "POST /sign-in HTTP/1.1\r\nhost: {to}\r\norigin: http://{to}\r\ncookie: {before}\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{fields}",
        fields.len()
    );
    let answer = load::once(to, &request).await;
    assert!(answer.head.starts_with("HTTP/1.1 303 "), "{}", answer.head);
    between(&answer.head, "set-cookie: ", ";")
}
