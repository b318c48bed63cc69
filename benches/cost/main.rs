//! What the operator costs on a real API server: how long a change takes to the report, how long a start takes, memory,
//! and what Flux's chatter costs. Every figure is measured beside its floor: what the API server alone takes for it.
//!
//! `make bench` makes every run. One is repeated alone with `make bench ARGS='--runs latency --sizes 1000'`. The figures
//! go to `target/bench/cost.jsonl`, and the tables of `docs/performance.md` are made of them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../../tests/controlplane/mod.rs"]
mod controlplane;
#[path = "../../tests/support/counting.rs"]
mod counting;
#[path = "../../tests/support/mod.rs"]
mod support;

mod chatter;
mod cold_start;
mod custom;
mod evaluation;
mod growth;
mod latency;
mod ledger;
mod manifests;
mod observer;
mod page;
mod population;
mod stage;
mod usage;
mod waivers;

use clap::{Parser, ValueEnum};

use ledger::Ledger;
use stage::Stage;

#[derive(Parser)]
struct Arguments {
    /// How many Flux objects there are. Chatter is measured with the most, latency with a tenth of that too.
    #[arg(long, value_delimiter = ',', default_value = "0,100,1000,10000")]
    sizes: Vec<usize>,
    /// What is measured.
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_value = "evaluation,custom,waivers,manifests,cold-start,latency,chatter"
    )]
    runs: Vec<Run>,
    /// What cargo says to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Run {
    Evaluation,
    Custom,
    Waivers,
    Manifests,
    ColdStart,
    Latency,
    Chatter,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(measure(&arguments))
}

async fn measure(arguments: &Arguments) -> anyhow::Result<()> {
    let mut ledger = Ledger::open()?;
    if arguments.runs.contains(&Run::Evaluation) {
        evaluation::measure(&mut ledger)?;
    }
    if arguments.runs.contains(&Run::Custom) {
        custom::measure(&mut ledger)?;
    }
    if arguments.runs.contains(&Run::Waivers) {
        waivers::measure(&mut ledger)?;
    }
    if arguments.runs.contains(&Run::Manifests) {
        manifests::measure(&mut ledger)?;
    }
    let most = arguments.sizes.iter().copied().max().unwrap_or_default();
    for size in arguments.sizes.iter().copied() {
        let is_wanted = |run: &Run| match run {
            Run::Evaluation | Run::Custom | Run::Waivers | Run::Manifests => false,
            Run::ColdStart => true,
            // A tenth of the largest as well: what grows with the size is seen in the difference.
            Run::Latency => size * 10 >= most,
            Run::Chatter => size == most,
        };
        let runs: Vec<Run> = arguments.runs.iter().copied().filter(is_wanted).collect();
        if runs.is_empty() {
            continue;
        }
        let stage = Stage::start(size).await?;
        for run in runs {
            match run {
                Run::Evaluation | Run::Custom | Run::Waivers | Run::Manifests => {}
                Run::ColdStart => cold_start::measure(&stage, &mut ledger).await?,
                Run::Latency => latency::measure(&stage, &mut ledger).await?,
                Run::Chatter => chatter::measure(&stage, &mut ledger).await?,
            }
        }
    }
    growth::measure(&mut ledger)?;
    page::write(&ledger)
}
