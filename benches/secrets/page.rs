//! `docs/secrets-benchmark.md`.

use std::fs;
use std::path::Path;

/// What the page says before its tables.
const HEAD: &str = include_str!("head.md");

/// Writes the page.
pub(crate) fn write(sections: &[String]) -> anyhow::Result<()> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/secrets-benchmark.md");
    let cores = std::thread::available_parallelism()?;
    let load = fs::read_to_string("/proc/loadavg")?;
    let load = load.split(' ').next().unwrap_or_default();
    let surroundings = format!("Measured on {cores} cores with a load average of {load} at the end.");
    fs::write(path, format!("{HEAD}\n{surroundings}\n\n{}", sections.join("\n")))?;
    Ok(())
}
