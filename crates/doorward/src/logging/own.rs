//! Which events may be written at all, whatever level is chosen.
//!
//! A library that is told to say all it does prints what it sends and reads: an SDK the credentials that STS vends, an HTTP
//! library cookies, a database driver its password. So what is chosen chooses among what Doorward's own modules say.

use tracing::{Level, Metadata};

/// The crates whose events hold no secret, since we write them.
const OWN: [&str; 4] = ["doorward", "doorward_aws", "doorward_core", "doorward_tunnel"];

/// What its crates of AWS warn of is Rust for those who write them, and whatever fails comes back to us as an error.
const AWS: &str = "aws_";
/// Whose warnings a stranger causes, one for each frame of 17 bytes.
const AT_A_STRANGERS_WILL: &str = "h2";

/// Whether something may be written: of our own everything, of others warnings and errors, of AWS's crates and `h2` errors.
///
/// What comes by the `log` crate has the name `log` here, and is of others.
pub(super) fn may_be_logged(metadata: &Metadata<'_>) -> bool {
    let of = metadata.target().split("::").next().unwrap_or_default();
    let errors_alone = of.starts_with(AWS) || of == AT_A_STRANGERS_WILL;
    let least = if errors_alone { Level::ERROR } else { Level::WARN };
    OWN.contains(&of) || *metadata.level() <= least
}

#[cfg(test)]
pub(super) mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use super::super::Log;

    /// What was logged.
    #[derive(Clone, Default)]
    pub(in crate::logging) struct Written(Arc<Mutex<Vec<u8>>>);

    impl Written {
        /// As text.
        pub(in crate::logging) fn text(&self) -> String {
            let bytes = self.0.lock().expect("nobody panicked").clone();
            String::from_utf8(bytes).expect("text")
        }
    }

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("nobody panicked").extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(level: Option<&str>) -> String {
        let written = Written::default();
        let writer = written.clone();
        let log = Log { level: level.map(str::to_owned), ..Log::default() };
        tracing::subscriber::with_default(log.to(move || writer.clone()), everybody_speaks);
        written.text()
    }

    fn everybody_speaks() {
        tracing::trace!("own-trace");
        tracing::debug!("own-debug");
        tracing::info!("own-info");
        let span = tracing::trace_span!(target: "aws_smithy_runtime", "call", token = "of-the-span");
        let _within = span.enter();
        tracing::trace!(target: "doorward_aws::sessions", "own-within");
        tracing::trace!(target: "aws_smithy_runtime::client", "others-secret");
        tracing::debug!(target: "hyper_util::client", "others-secret");
        tracing::info!(target: "sqlx::query", "others-secret");
        tracing::debug!(target: "russh::client", "others-secret");
        tracing::trace!(target: "log", "others-secret");
        tracing::trace!(target: "doorwardly", "others-secret");
        tracing::warn!(target: "rustls", "others-warning");
        tracing::warn!(target: "h2::proto::ping_pong", "of-a-stranger");
    }

    #[test]
    fn others_are_never_asked_for_more_than_warnings() {
        for level in [
            "trace",
            "doorward=trace,trace",
            "aws_smithy_runtime=trace,debug",
            "off,hyper_util=debug",
            "sqlx=info",
        ] {
            let text = logged(Some(level));
            assert!(
                !text.contains("others-secret")
                    && !text.contains("of-the-span")
                    && !text.contains("of-a-stranger"),
                "{level}: {text}"
            );
        }
    }

    #[test]
    fn what_is_chosen_of_our_own_is_said() {
        let check = |level: Option<&str>, said: &[&str], not: &[&str]| {
            let text = logged(level);
            for word in said {
                assert!(text.contains(word), "{level:?} lacks {word}: {text}");
            }
            for word in not {
                assert!(!text.contains(word), "{level:?} has {word}: {text}");
            }
        };
        check(Some("trace"), &["own-trace", "own-debug", "others-warning"], &[]);
        check(Some("doorward=trace,doorward_aws=trace"), &["own-trace", "own-within"], &["others-warning"]);
        check(Some("doorward=debug"), &["own-debug", "own-info"], &["own-trace", "others-warning"]);
        check(None, &["own-info", "others-warning"], &["own-debug"]);
    }

    /// Where there is no metadata service, the SDK says so in the words of its types.
    #[test]
    fn what_an_sdk_warns_of_is_not_written() {
        let written = Written::default();
        let writer = written.clone();
        tracing::subscriber::with_default(Log::default().to(move || writer.clone()), || {
            tracing::warn!(target: "aws_config::imds::region", "FailedToLoadToken(ServiceError)");
            tracing::warn!(target: "aws_smithy_runtime_api::client", "Unhandled(Unhandled)");
            tracing::warn!(target: "doorward_aws::account", "own-warning");
            tracing::warn!(target: "hyper_util", "others-warning");
        });
        let bytes = written.0.lock().expect("nobody panicked").clone();
        let text = String::from_utf8(bytes).expect("text");
        assert!(text.contains("own-warning") && text.contains("others-warning"), "{text}");
        assert!(!text.contains("FailedToLoadToken") && !text.contains("Unhandled"), "{text}");
    }
}
