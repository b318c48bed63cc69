//! Logs, on standard error.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

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
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(colours())
        .with_writer(std::io::stderr);
    // A second start, in tests, keeps the first one's settings.
    let _ = subscriber.try_init();
    if refused {
        tracing::warn!("the log filter cannot be read; logging at info");
    }
}

/// Colours are for people at a terminal who did not opt out: <https://no-color.org>.
pub(crate) fn colours() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
