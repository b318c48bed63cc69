//! Logs, on standard error.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::fmt;
use std::io::IsTerminal;
use std::panic::PanicHookInfo;

use tracing::Subscriber;
use tracing::field::Field;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::{self, Writer};
use tracing_subscriber::util::SubscriberInitExt;

use crate::engine::posture::escaped;

/// Starts logging. An unreadable filter falls back to `info` and says so.
///
/// kube's client prints whole response bodies when it cannot decode them, and Flux objects may hold credentials:
/// its targets are capped whatever the filter says. Failing watches show as coverage, in reports and metrics.
pub fn start(filter: &str) {
    let parsed = EnvFilter::try_new(filter);
    let refused = parsed.is_err();
    let mut filter = parsed.unwrap_or_else(|_| EnvFilter::new("info"));
    for cap in [
        "kube_client::client=error",
        "kube_client::client::builder=off",
        "kube_runtime::watcher=off",
    ] {
        if let Ok(directive) = cap.parse() {
            filter = filter.add_directive(directive);
        }
    }
    std::panic::set_hook(Box::new(|info| {
        eprintln!("{}", panicked(info));
        let trace = Backtrace::capture();
        if trace.status() == BacktraceStatus::Captured {
            eprintln!("{trace}");
        }
    }));
    // A second start, in tests, keeps the first one's settings.
    let _ = subscriber(filter, colours(&std::io::stderr()), std::io::stderr).try_init();
    if refused {
        tracing::warn!("the log filter cannot be read; logging at info");
    }
}

/// What is told of a panic: where it was, and what the program itself has to say. Words that are put together when it
/// happens quote what was at hand: a part of a file, maybe, and of a secret in it.
#[must_use]
pub fn panicked(info: &PanicHookInfo<'_>) -> String {
    let place = info.location().map_or_else(String::new, ToString::to_string);
    match info.payload().downcast_ref::<&'static str>() {
        Some(words) => format!("panicked at {place}: {words}"),
        None => format!("panicked at {place}"),
    }
}

fn subscriber(
    filter: EnvFilter,
    colours: bool,
    writer: impl for<'a> MakeWriter<'a> + Send + Sync + 'static,
) -> impl Subscriber + Send + Sync {
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(colours)
        .with_writer(writer)
        .fmt_fields(format::debug_fn(show).delimited(" "))
        .finish()
}

/// Texts of the API server and of what it holds stay on the line of their event.
fn show(writer: &mut Writer<'_>, field: &Field, value: &dyn fmt::Debug) -> fmt::Result {
    let value = escaped(&format!("{value:?}"));
    match field.name() {
        "message" => writer.write_str(&value),
        name => write!(writer, "{name}={value}"),
    }
}

/// Colours are for people at a terminal who did not opt out: <https://no-color.org>.
pub(crate) fn colours(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl Write for Log {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn an_event_is_one_line_whatever_its_texts_are() {
        let log = Log::default();
        let writer = log.clone();
        let subscriber = subscriber(EnvFilter::new("info"), false, move || writer.clone());
        let text = "a\nb\u{1b}[31m\u{202e}c";
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(plain = text, shown = %text, number = 7, "refused: {text}");
        });
        let written = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        let (_, event) = written.split_once("telemetry::tests: ").unwrap();
        let escaped = r"a\nb\u{1b}[31m\u{202e}c";
        let expected = format!("refused: {escaped} plain=\"{escaped}\" shown={escaped} number=7\n");
        assert_eq!(event, expected);
    }
}
