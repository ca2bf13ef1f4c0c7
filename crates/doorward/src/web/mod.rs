//! The pages and the API: each request of a browser or a program passes one authorisation.

mod account;
pub mod api;
mod arrival;
mod assets;
mod card;
mod device;
mod failure;
mod form;
mod forwarded;
mod guard;
mod headers;
mod history;
mod home;
mod host;
mod in_flight;
mod intents;
mod layout;
mod notes;
mod open;
mod operators;
mod origin;
mod overdue;
mod own_password;
mod prefix;
mod probe;
mod proving;
mod query;
mod reach;
mod record;
mod segment;
mod serve;
mod session;
mod sign_in;
mod store_poll;
mod tally;
mod targets;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod unnamed;
mod verifying;
mod words;

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{StatusCode, Uri};
use axum::middleware;
use axum::response::Response;
use axum::routing::{get, post};
use doorward_core::audit::{Event, What, Who};
use doorward_core::policy::Person;
use ring::hmac;
use tokio::sync::Notify;

use crate::account::Account;
use crate::app::App;
use crate::clock::random;
use crate::requests::Requests;
use crate::store::Store;
use failure::Failure;
use guard::{Guard, Saved};
use in_flight::InFlight;
use notes::Notes;
use proving::{Known, Lingering};
use store_poll::StorePoll;
use tally::Tally;
use unnamed::Unnamed;
use verifying::Verifying;

pub use serve::{Arrival, Error, Listener, usable_certificate};

/// The most bytes of a request's body.
const BODY: usize = 64 * 1024;
/// How long a request may take; opening waits up to ten seconds for a firewall.
const TAKES: Duration = Duration::from_secs(30);

/// What every request shares.
pub struct Web {
    requests: Arc<Requests>,
    verifying: Verifying,
    known: Known,
    lingering: Lingering,
    guard: Mutex<Guard>,
    /// Whether the file of saved attempts has any.
    has_saved: AtomicBool,
    in_flight: InFlight,
    tally: Mutex<Tally>,
    unnamed: Mutex<Unnamed>,
    notes: Mutex<Notes>,
    readers: Mutex<record::Readers>,
    account: Account,
    key: hmac::Key,
    reload: Notify,
    store_poll: StorePoll,
}

impl fmt::Debug for Web {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Web")
    }
}

impl Web {
    /// Over requests. Fails only when the system has no random bytes.
    pub fn new(requests: Arc<Requests>) -> Result<Arc<Self>, getrandom::Error> {
        // Passwords are slow on purpose: at most half of the processors look at them, the rest serves who is in.
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let (store, clock) = (requests.app().store(), requests.app().clock());
        let mut guard = Guard::keyed(&store.attempts_key());
        let saved = saved_attempts(store);
        if let Some(saved) = &saved {
            guard.restore(saved, clock.now(), clock.uptime());
        }
        Ok(Arc::new(Self {
            requests,
            verifying: Verifying::new(cores / 2),
            known: Known::default(),
            lingering: Lingering::default(),
            guard: Mutex::new(guard),
            has_saved: AtomicBool::new(saved.is_some()),
            in_flight: InFlight::default(),
            tally: Mutex::default(),
            unnamed: Mutex::default(),
            notes: Mutex::default(),
            readers: Mutex::default(),
            account: Account::default(),
            key: hmac::Key::new(hmac::HMAC_SHA256, &random::<32>()?),
            reload: Notify::new(),
            store_poll: StorePoll::default(),
        }))
    }

    /// The store, the policy and the clock.
    pub fn app(&self) -> &App {
        self.requests.app()
    }

    /// What people ask for.
    pub fn requests(&self) -> &Requests {
        &self.requests
    }

    /// Has the certificate read again now.
    pub fn reload(&self) {
        self.reload.notify_one();
    }

    /// Requests that are being answered.
    fn in_flight(&self) -> &InFlight {
        &self.in_flight
    }

    /// The account that the policy names.
    fn account(&self) -> &Account {
        &self.account
    }

    /// A key that lives as long as the program.
    fn key(&self) -> &hmac::Key {
        &self.key
    }

    /// Who looks at passwords.
    fn verifying(&self) -> &Verifying {
        &self.verifying
    }

    /// Who signed in before.
    fn known(&self) -> &Known {
        &self.known
    }

    fn lingering(&self) -> &Lingering {
        &self.lingering
    }

    fn guard(&self) -> MutexGuard<'_, Guard> {
        self.guard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Proxies that the policy does not name.
    fn unnamed(&self) -> MutexGuard<'_, Unnamed> {
        self.unnamed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn readers(&self) -> MutexGuard<'_, record::Readers> {
        self.readers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A signed-in person asks for a change; refused when it is one of very many. Closing, denying and ending sessions are
    /// none: others who share the budget could use it up, and a revocation waits for nobody.
    fn change(&self, person: &Person) -> Result<(), Failure> {
        let now = self.requests.app().clock().uptime();
        self.guard().change(person.as_str(), now).map_err(Failure::too_many)
    }

    /// Saves the budgets of accounts for the next process, where any of them has something to regain.
    async fn save_attempts(&self) {
        let clock = self.requests.app().clock();
        let saved = self.guard().saved(clock.now(), clock.uptime());
        if saved.is_empty() && !self.has_saved.load(Ordering::Relaxed) {
            return;
        }
        let (store, has_any) = (self.requests.app().store().clone(), !saved.is_empty());
        let kept = tokio::task::spawn_blocking(move || {
            let text = serde_json::to_string(&saved).map_err(std::io::Error::from)?;
            store.keep_attempts(&text)
        });
        match kept.await {
            Ok(Ok(())) => self.has_saved.store(has_any, Ordering::Relaxed),
            Ok(Err(error)) => tracing::warn!(%error, "could not save the counters of failed sign-ins"),
            // The runtime is ending.
            Err(_) => {}
        }
    }

    /// Writes what is due by time: called every minute, and with `ending` once more at the end.
    pub async fn keep_house(&self, ending: bool) {
        self.save_attempts().await;
        let clock = self.requests.app().clock();
        let summary = self.tally().summary(clock.uptime(), ending);
        let Some(why) = summary else { return };
        let event = Event::new(clock.now(), Who::Doorward, What::SignInRefused { why });
        if let Err(error) = self.requests.record(vec![event]).await {
            tracing::error!(%error, "recording refused sign-ins failed");
        }
    }
}

/// What an earlier process saved of failed sign-ins. Without it everybody has all of their attempts.
fn saved_attempts(store: &Store) -> Option<Saved> {
    let read = store.kept_attempts().and_then(|text| {
        text.map(|text| serde_json::from_str(&text)).transpose().map_err(std::io::Error::from)
    });
    read.unwrap_or_else(|error| {
        tracing::warn!(%error, "could not read the counters of failed sign-ins, they start again at zero");
        None
    })
}

/// Every page and every call of the API.
pub fn router(web: Arc<Web>) -> Router {
    let inside = Router::new()
        .route("/", get(home::page))
        .route("/live", get(home::live))
        .route("/sign-in", get(sign_in::page).post(sign_in::submit))
        .route("/sign-out", post(sign_in::sign_out))
        .route("/account", get(account::page))
        .route("/account/password", post(account::password))
        .route("/account/sessions/end", post(account::end))
        .route("/account/sessions/end-others", post(account::end_others))
        .route("/grants", post(open::open))
        .route("/grants/{id}/extend", post(open::extend))
        .route("/grants/{id}/close", post(open::close))
        .route("/grants/{id}/move", post(open::relocate))
        .route("/grants/{id}/answer", post(open::answer))
        .route("/history", get(history::page))
        .route("/operators", get(operators::page))
        .route("/operators/live", get(operators::live))
        .route("/reach", get(reach::page))
        .route("/record", get(record::page))
        .route("/address", get(probe::seen))
        .route("/assets/{name}", get(assets::asset))
        .route("/healthz", get(api::health::health))
        .route("/readyz", get(api::health::ready))
        .fallback(nothing)
        .method_not_allowed_fallback(not_that_way)
        .nest("/api/v1", api::router())
        .layer(DefaultBodyLimit::max(BODY))
        .layer(middleware::from_fn(headers::in_time))
        .layer(middleware::from_fn_with_state(Arc::clone(&web), in_flight::bounded))
        .with_state(Arc::clone(&web));
    // Around the routes, because what is settled here changes the path.
    Router::new()
        .fallback_service(inside)
        .layer(middleware::from_fn_with_state(Arc::clone(&web), arrival::arrive))
        .layer(middleware::from_fn_with_state(web, headers::on_every_answer))
}

async fn nothing(uri: Uri) -> Response {
    arrival::refused(uri.path(), Failure::new(StatusCode::NOT_FOUND, "there is no such page"))
}

async fn not_that_way() -> Failure {
    Failure::new(StatusCode::METHOD_NOT_ALLOWED, "this page does not support that method")
}

/// The pages to which somebody may be sent back after signing in; no other place can be named.
fn own_page(path: &str) -> Option<&'static str> {
    ["/", "/history", "/operators", "/reach", "/record", "/account"].into_iter().find(|page| *page == path)
}
