//! How well secrets are found, beside other scanners in the same run, and how fast, beside what it takes to unpack the same
//! archive. `docs/secrets-benchmark.md` is made of it.
//!
//! `make bench-secrets` makes every run; `make bench-secrets ARGS='--documents 400 --megabytes 8 --no-page'` a small one.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod corpus;
#[path = "../../tests/artifacts/pack.rs"]
#[allow(dead_code, reason = "the tests pack what no program makes")]
mod pack;
#[path = "../../tests/support/random.rs"]
#[allow(dead_code, reason = "tests use the rest")]
mod random;

mod estate;
mod history;
mod page;
mod peers;
mod quality;
mod speed;

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

#[derive(Parser)]
struct Arguments {
    /// How many documents are made, half of them with secrets.
    #[arg(long, default_value_t = 4800)]
    documents: usize,
    /// How much the archive inflates to.
    #[arg(long, default_value_t = 128)]
    megabytes: usize,
    /// How many contents the history has.
    #[arg(long, default_value_t = 60_000)]
    contents: usize,
    /// What is measured.
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_value = "quality,speed,history"
    )]
    runs: Vec<Run>,
    /// Print the figures, and leave the page as it is.
    #[arg(long)]
    no_page: bool,
    /// Name what was missed, and what was taken for a secret.
    #[arg(long)]
    tell: bool,
    /// What a process of its own measures: how, and which archive or repository.
    #[arg(long, num_args = 2, value_names = ["HOW", "ARCHIVE"], hide = true)]
    apart: Vec<PathBuf>,
    /// What cargo says to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Run {
    Quality,
    Speed,
    History,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    if let [how, archive] = &arguments.apart[..] {
        return match &*how.to_string_lossy() {
            "history" => history::apart(archive),
            how => speed::apart(how, archive),
        };
    }
    let mut sections = Vec::new();
    if arguments.runs.contains(&Run::Quality) {
        sections.push(quality::measure(arguments.documents, arguments.tell)?);
    }
    if arguments.runs.contains(&Run::Speed) {
        sections.push(speed::measure(arguments.megabytes)?);
    }
    if arguments.runs.contains(&Run::History) {
        sections.push(history::measure(arguments.contents)?);
    }
    for section in &sections {
        println!("{section}");
    }
    let is_whole = sections.len() == 3;
    if is_whole && !arguments.no_page {
        page::write(&sections)?;
    }
    Ok(())
}
