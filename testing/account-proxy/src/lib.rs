//! A proxy in front of moto's server for the tests, which adds what AWS does and moto does not: states that take time, delayed
//! visibility, dependencies, quotas, client tokens, network interfaces of services, instance refreshes, and failures.
//!
//! Each behaviour is a file below `behaviour/` and cites the page of AWS's documentation that it is written from. Calls are
//! answered one at a time. Time does not pass until the test moves it. A test steers it below `/account-proxy/`; `control.rs`
//! lists how.
//!
//! ```no_run
//! # async fn story() -> std::io::Result<()> {
//! let proxy = account_proxy::Proxy::start("127.0.0.1:0", "http://127.0.0.1:5000").await?;
//! // A client uses `proxy.url` as the address of all of AWS …
//! proxy.stop();
//! # Ok(())
//! # }
//! ```

mod account;
mod answer;
mod behaviour;
mod call;
mod clock;
mod control;
mod faults;
mod form;
mod life;
mod moto;
mod proxy;
mod settings;
mod xml;

pub use proxy::Proxy;
pub use xml::Element;
