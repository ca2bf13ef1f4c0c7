//! The log: one line per event on standard error, as text or as JSON.
//!
//! A line is a time, a level, a short message and fields (`person=jon target=orders-db`), so that it can be grepped.
//! Values may come from strangers: invisible characters are escaped, and no value starts a new line. No level prints a
//! secret, because no library logs below warnings.

mod faults;
mod own;

use std::fmt;

use doorward_core::text::{shown, shown_json};
use jiff::Timestamp;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;

/// How a line is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Form {
    /// Words: `2026-11-22T10:00:00.000Z  INFO grant opened person=jon target=orders-db`
    #[default]
    Text,
    /// A JSON object a line
    Json,
}

/// Which events are written, and how.
#[derive(Debug, Clone, Default)]
pub struct Log {
    /// How a line is written.
    pub form: Form,
    /// A level or directives, as [`level`] takes them; none: what the verb is for.
    pub level: Option<String>,
    /// Whether each event of the audit log is written: for a server.
    pub events: bool,
}

/// Reads a level (`error`, `warn`, `info`, `debug`, `trace`, `off`), or directives like `doorward=debug,doorward::web=trace`.
pub fn level(text: &str) -> Result<String, String> {
    let text = text.trim();
    let levels = ["error", "warn", "info", "debug", "trace", "off"];
    let known = |part: &str| {
        let level = part.rsplit('=').next().unwrap_or_default().trim().to_ascii_lowercase();
        levels.contains(&level.as_str())
    };
    if text.is_empty() || !text.split(',').all(known) || EnvFilter::try_new(text).is_err() {
        return Err("write `error`, `warn`, `info`, `debug`, `trace` or `off`, or directives like `doorward=debug,doorward::web=trace`".into());
    }
    Ok(text.to_owned())
}

impl Log {
    /// Begins to log, panics as well.
    pub fn start(&self) {
        self.to(std::io::stderr).init();
        faults::log_all();
    }

    fn to<W>(&self, writer: W) -> impl Subscriber + Send + Sync + use<W>
    where
        W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
    {
        tracing_subscriber::fmt()
            .with_env_filter(EnvFilter::new(self.directives()))
            .with_writer(writer)
            // It would panic when whoever reads standard error has gone, and grants would not be closed.
            .log_internal_errors(false)
            .event_format(self.form)
            .finish()
            .with(filter_fn(own::may_be_logged))
    }

    fn directives(&self) -> String {
        match &self.level {
            // A level alone is that of Doorward; what others have to say begins at a warning.
            Some(level) if !level.contains(['=', ',']) => match level.as_str() {
                "off" | "error" => level.clone(),
                level => format!("doorward={level},warn"),
            },
            Some(directives) => directives.clone(),
            None if self.events => "doorward=info,warn".into(),
            None => "doorward=info,doorward::events=off,warn".into(),
        }
    }
}

impl<S, N> FormatEvent<S, N> for Form
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'w> FormatFields<'w> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let level = event.metadata().level();
        let line = match self {
            Self::Text => fields.words(level, Timestamp::now()),
            Self::Json => fields.json(level, Timestamp::now()),
        };
        writeln!(writer, "{line}")
    }
}

/// What an event says.
#[derive(Debug, Default)]
struct Fields {
    message: String,
    fields: Vec<(&'static str, Value)>,
}

impl Fields {
    fn words(&self, level: &tracing::Level, at: Timestamp) -> String {
        let mut line =
            format!("{} {level:>5} {}", at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ"), shown(&self.message));
        for (name, value) in &self.fields {
            line.push(' ');
            line.push_str(name);
            line.push('=');
            match value {
                Value::String(text) => line.push_str(&word(text)),
                value => line.push_str(&value.to_string()),
            }
        }
        line
    }

    fn json(self, level: &tracing::Level, at: Timestamp) -> String {
        let mut object = Map::new();
        let time = at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string();
        object.insert("time".into(), time.into());
        object.insert("level".into(), level.to_string().to_lowercase().into());
        object.insert("message".into(), self.message.into());
        for (name, value) in self.fields {
            object.entry(name).or_insert(value);
        }
        shown_json(&Value::Object(object).to_string()).into_owned()
    }

    fn add(&mut self, field: &Field, value: Value) {
        match (field.name(), value) {
            ("message", Value::String(message)) => self.message = message,
            (name, value) => self.fields.push((name, value)),
        }
    }
}

/// A value that can be told from the next field: quoted where it has spaces, quotes or nothing in it.
fn word(text: &str) -> String {
    let plain = |letter: char| !letter.is_whitespace() && !matches!(letter, '"' | '=' | '\\');
    if !text.is_empty() && text.chars().all(plain) {
        return shown(text).into_owned();
    }
    let quoted = text.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{}\"", shown(&quoted))
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, value.into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, format!("{value:?}").into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(fields: &[(&'static str, Value)]) -> Fields {
        Fields { message: "grant opened".into(), fields: fields.to_vec() }
    }

    #[test]
    fn a_line_is_one_line_of_words() {
        let fields = [
            ("person", Value::from("jon")),
            ("reason", Value::from("ticket \"4711\"\n2026-01-01 INFO forged\u{202e}\u{1b}[2J")),
            ("cut", Value::from(2)),
        ];
        let at = Timestamp::UNIX_EPOCH;
        assert_eq!(
            line(&fields).words(&tracing::Level::INFO, at),
            "1970-01-01T00:00:00.000Z  INFO grant opened person=jon \
             reason=\"ticket \\\"4711\\\"\\n2026-01-01 INFO forged\\u{202e}\\u{1b}[2J\" cut=2"
        );
        let json = line(&fields).json(&tracing::Level::WARN, at);
        assert!(json.is_ascii() && !json.contains('\n'), "{json}");
        let read: Value = serde_json::from_str(&json).expect("JSON");
        assert_eq!(
            (&read["level"], &read["person"], &read["cut"]),
            (&"warn".into(), &"jon".into(), &2.into())
        );
        assert_eq!(read["reason"], fields[1].1);
    }

    #[test]
    fn a_level_is_read() {
        for good in ["info", "DEBUG", "off", "doorward=debug,hyper=info", "warn,doorward::web=trace"] {
            assert!(level(good).is_ok(), "{good}");
        }
        for bad in ["", "loud", "doorward=loud", "info,,"] {
            assert!(level(bad).is_err(), "{bad}");
        }
        let directives = |level: &str| Log { level: Some(level.into()), ..Log::default() }.directives();
        assert_eq!(directives("debug"), "doorward=debug,warn");
        assert_eq!(directives("off"), "off");
        assert_eq!(directives("doorward=debug"), "doorward=debug");
    }
}
