//! Logging: where log lines go and how they look. Answers go to stdout, log lines to stderr or the journal.
//!
//! Identifiers stand in the message and as fields, units in field names, and a failure is logged once, where it is handled.

use std::io::{self, IsTerminal, Write};

use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry};

use crate::config::LogFormat;
use crate::{complain, secrets};

/// The role of the process, which sets the default log level: `info` for a service, `error` for a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// `serve`.
    Service,
    /// Everything else.
    Command,
}

/// Starts logging. `verbosity` counts `-v` less `-q`; `level` is the configuration's filter.
///
/// A filter that cannot be read is replaced by the usual one and said on stderr.
pub(crate) fn start(role: Role, format: LogFormat, level: Option<&str>, verbosity: i8) {
    let filter = level.filter(|_| verbosity == 0).map(EnvFilter::try_new);
    let filter = match filter {
        Some(Ok(filter)) => filter,
        Some(Err(error)) => {
            complain!("cannot read the log level: {error}; using the usual one");
            usual_filter(role, verbosity)
        }
        None => usual_filter(role, verbosity),
    };
    let started = tracing_subscriber::registry().with(layer(format).with_filter(filter)).try_init();
    if started.is_err() {
        // Only tests start logging twice in one process; the first one stays.
        tracing::debug!("logging was started before");
    }
}

fn usual_filter(role: Role, verbosity: i8) -> EnvFilter {
    // A command says itself, in one line, what went wrong; log lines would say it twice.
    let usual = if role == Role::Service { 2 } else { 0 };
    let own = match usual + verbosity {
        ..=-1 => "off",
        0 => "error",
        1 => "warn",
        2 => "info",
        3 => "debug",
        _ => "trace",
    };
    let others = if own == "trace" { "debug" } else { "warn" };
    // The scheduler library logs its own bookkeeping as news.
    EnvFilter::new(format!("{others},llama_triage={own},tokio_cron_scheduler=error"))
}

/// Standard error without secrets. Each event comes as one text.
struct Masked;

impl Write for Masked {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let event_text = String::from_utf8_lossy(event);
        io::stderr().lock().write_all(secrets::mask(&event_text).as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

fn layer(format: LogFormat) -> Box<dyn Layer<Registry> + Send + Sync> {
    let under_systemd = std::env::var_os("JOURNAL_STREAM").is_some();
    let wants_journal = format == LogFormat::Journald || (format == LogFormat::Auto && under_systemd);
    if wants_journal && let Ok(journal) = tracing_journald::layer() {
        return journal.with_field_prefix(None).boxed();
    }
    match format {
        LogFormat::Json => tracing_subscriber::fmt::layer().json().flatten_event(true).with_writer(|| Masked).boxed(),
        _ => tracing_subscriber::fmt::layer()
            .with_target(false)
            .with_ansi(std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none())
            .with_writer(|| Masked)
            .boxed(),
    }
}
