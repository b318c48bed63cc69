//! `fluxsec audit`: the operator without its shells. Same watches, same engine, one answer.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use clap::{Args, ValueEnum};
use k8s_openapi::jiff::Timestamp;
use prometheus::Registry;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{CLEAN, FINDINGS, UNUSABLE};
use crate::api::{ControlResult, FluxSecurityPolicy, FluxSecurityReport, Severity, Tenancy};
use crate::app::Loop;
use crate::cluster::{self, Contact, client};
use crate::engine::{Engine, PolicyPosture, Posture};
use crate::input;
use crate::kinds::own::PolicyRow;
use crate::manifests::Audited;
use crate::publish::Freshness;
use crate::render;

/// How long an audit waits for the slowest kind.
const PATIENCE: Duration = Duration::from_mins(1);

/// One audit of the cluster in the kubeconfig, printed.
#[derive(Debug, Args)]
pub(super) struct Audit {
    /// Who shares the cluster.
    #[arg(long, value_enum)]
    tenancy: Option<TenancyArgument>,
    /// A FluxSecurityPolicy to audit with; an empty one when absent.
    #[arg(long)]
    policy: Option<PathBuf>,
    /// How the result is printed.
    #[arg(short, long, value_enum, default_value = "table")]
    output: Output,
    /// Exit with 1 when a control of this severity or above fails.
    #[arg(long, value_enum, default_value = "high")]
    fail_on: Threshold,
    /// Print passing and not applicable controls too.
    #[arg(long)]
    show_passing: bool,
    /// Context of the kubeconfig; the current one when absent.
    #[arg(long, conflicts_with = "files")]
    context: Option<String>,
    /// Manifests to audit instead of a cluster: a file, a folder, or `-` for standard input.
    #[arg(short, long = "filename", value_name = "FILE|DIR|-")]
    files: Vec<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum TenancyArgument {
    None,
    Shared,
    Dedicated,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Output {
    Table,
    Json,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Threshold {
    Critical,
    High,
    Medium,
    Low,
    Info,
    None,
}

impl Audit {
    pub(super) async fn run(self) -> anyhow::Result<u8> {
        let policy = self.policy()?;
        let (audited, is_whole) = self.posture(&policy).await?;
        let audited = &audited;
        if let Some(reason) = &audited.invalid {
            anyhow::bail!("the policy is invalid: {reason}");
        }
        self.print(audited)?;
        Ok(match self.fails(audited) {
            _ if !is_whole => UNUSABLE,
            true => FINDINGS,
            false => CLEAN,
        })
    }

    /// The posture of the cluster, or of manifests; and whether all that was named could be read.
    async fn posture(&self, policy: &(String, PolicyRow)) -> anyhow::Result<(Arc<PolicyPosture>, bool)> {
        if !self.files.is_empty() {
            let audited = input::audit(&self.files, &policy.0, &policy.1)?;
            tell(&audited);
            return Ok((Arc::new(audited.posture), audited.troubles.is_empty()));
        }
        let (client, url) = client::connect(client::configure(self.context.as_deref()).await?)?;
        client::probe(&client, &url).await?;
        let posture = observe_once(&client, policy).await?;
        let audited = posture.policies.get(&policy.0).cloned();
        Ok((audited.context("the audit came to no result")?, true))
    }

    fn policy(&self) -> anyhow::Result<(String, PolicyRow)> {
        let mut policy = match &self.policy {
            None => FluxSecurityPolicy::new("audit", crate::api::FluxSecurityPolicySpec::default()),
            Some(path) => {
                let text = std::fs::read_to_string(path)
                    .with_context(|| format!("cannot read {}", path.display()))?;
                serde_saphyr::from_str(&text)
                    .with_context(|| format!("{} is no FluxSecurityPolicy", path.display()))?
            }
        };
        if let Some(tenancy) = self.tenancy {
            policy.spec.tenancy = tenancy.into();
        }
        let name = policy.metadata.name.unwrap_or_else(|| "audit".to_owned());
        let row = PolicyRow {
            uid: String::new(),
            generation: 1,
            requested_at: String::new(),
            spec: policy.spec,
        };
        Ok((name, row))
    }

    fn print(&self, audited: &PolicyPosture) -> anyhow::Result<()> {
        let mut out = std::io::stdout().lock();
        let now = Timestamp::now();
        match self.output {
            Output::Json => {
                let status = render::report::uncut(audited, now);
                let mut report =
                    FluxSecurityReport::new(&audited.name, crate::api::report::FluxSecurityReportBody {});
                report.status = Some(status);
                serde_json::to_writer_pretty(&mut out, &report)?;
                writeln!(out)?;
            }
            Output::Table => {
                let colour = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
                let options = render::table::Options {
                    colour,
                    show_passing: self.show_passing,
                };
                let status = render::report::uncut(audited, now);
                out.write_all(render::table::table(&status, options).as_bytes())?;
            }
        }
        Ok(())
    }

    fn fails(&self, audited: &PolicyPosture) -> bool {
        let Some(threshold) = self.fail_on.severity() else {
            return false;
        };
        audited
            .controls
            .iter()
            .any(|control| control.result == ControlResult::Fail && control.severity <= threshold)
    }
}

/// Says what was read and what was not, beside the result.
fn tell(audited: &Audited) {
    // Nobody may listen.
    let say = |text: &str| drop(writeln!(std::io::stderr(), "fluxsec: {text}"));
    for trouble in &audited.troubles {
        say(trouble);
    }
    if audited.more_troubles > 0 {
        say(&format!("{} more could not be read", audited.more_troubles));
    }
    let skipped = audited.skipped;
    say(&format!(
        "objects: {}, of kinds that no control asks for: {}; left out: {} documents that are no objects of Kubernetes, {} templates, {} patches",
        audited.objects, skipped.of_no_interest, skipped.others, skipped.templates, skipped.patches
    ));
}

/// Starts the operator's own watches, waits until every kind is listed, and stops.
async fn observe_once(client: &kube::Client, policy: &(String, PolicyRow)) -> anyhow::Result<Arc<Posture>> {
    let registry = Registry::new();
    let stop = CancellationToken::new();
    let (_watches, observations) = cluster::observe(client, &registry, &Contact::default(), &stop)?;
    let mut engine = Engine::default();
    engine.pin(&policy.0, policy.1.clone());
    let (engine, postures) = Loop::new(engine, observations, Freshness::default(), &registry)?;
    tokio::spawn(engine.run());
    let posture = settled(postures).await;
    stop.cancel();
    Ok(posture)
}

async fn settled(mut postures: watch::Receiver<Arc<Posture>>) -> Arc<Posture> {
    // What has not been listed by then is Unknown in the result, never Pass.
    let _ = tokio::time::timeout(PATIENCE, postures.wait_for(|posture| posture.settled)).await;
    postures.borrow().clone()
}

impl From<TenancyArgument> for Tenancy {
    fn from(argument: TenancyArgument) -> Self {
        match argument {
            TenancyArgument::None => Self::None,
            TenancyArgument::Shared => Self::Shared,
            TenancyArgument::Dedicated => Self::Dedicated,
        }
    }
}

impl Threshold {
    const fn severity(self) -> Option<Severity> {
        match self {
            Self::Critical => Some(Severity::Critical),
            Self::High => Some(Severity::High),
            Self::Medium => Some(Severity::Medium),
            Self::Low => Some(Severity::Low),
            Self::Info => Some(Severity::Info),
            Self::None => None,
        }
    }
}
