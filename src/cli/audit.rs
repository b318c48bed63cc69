//! `fluxsec audit`: the operator without its shells. Same watches, same engine, one answer.

use std::collections::BTreeSet;
use std::io::{BufWriter, ErrorKind, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use clap::{Args, ValueEnum};
use k8s_openapi::jiff::Timestamp;
use kube::Api;
use prometheus::Registry;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::gate::Gate;
use super::output::Output;
use super::{UNUSABLE, is_broken_pipe};
use crate::api::report::Change;
use crate::api::{FluxSecurityPolicy, FluxSecurityReport, ReportStatus, Tenancy, WaiverState};
use crate::app::Loop;
use crate::cluster::{self, Contact, client};
use crate::engine::posture::bounded;
use crate::engine::{Engine, PolicyPosture, Posture, WaiverPosture};
use crate::input;
use crate::inventory::Coverage;
use crate::kinds::id_of;
use crate::kinds::own::{PolicyRow, Waiver};
use crate::manifests::{self, Audited, Waived};
use crate::publish::Freshness;
use crate::render::baseline::Baseline;
use crate::render::{report, waivers};

/// How long an audit waits for the slowest kind.
const PATIENCE: Duration = Duration::from_mins(1);
/// How often a person is told what it waits for.
const PACE: Duration = Duration::from_secs(2);

/// Audits a cluster or manifests once and prints the result.
#[derive(Debug, Args)]
pub(super) struct Audit {
    #[command(flatten)]
    input: Input,
    /// More manifests, as a shell lists them for `-f *.yaml`.
    #[arg(value_name = "FILE|DIR", requires = "files")]
    more: Vec<PathBuf>,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    gate: Gate,
}

/// What is audited, and by which policy.
#[derive(Debug, Args)]
pub(super) struct Input {
    /// Who shares the cluster.
    #[arg(long, value_enum, ignore_case = true, value_name = "TENANCY")]
    tenancy: Option<TenancyArgument>,
    /// A FluxSecurityPolicy to audit by; an empty one when absent.
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Context of the kubeconfig; the current one when absent.
    #[arg(long, conflicts_with = "files")]
    context: Option<String>,
    /// Manifests to audit instead of a cluster: a file, a folder, or `-` for standard input; repeatable.
    #[arg(short, long = "filename", value_name = "FILE|DIR|-")]
    pub(super) files: Vec<PathBuf>,
    /// FluxSecurityWaivers that count in addition to those of the cluster or among the manifests; repeatable.
    #[arg(long, value_name = "FILE")]
    waivers: Vec<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum TenancyArgument {
    None,
    Shared,
    Dedicated,
}

impl Audit {
    pub(super) async fn run(mut self) -> anyhow::Result<u8> {
        self.input.files.append(&mut self.more);
        let policy = self.input.policy()?;
        let baseline = self.gate.baseline()?;
        let waived = self.input.waived(Timestamp::now())?;
        let (audited, is_whole, history) = self.posture(&policy, waived).await?;
        if let Some(reason) = &audited.invalid {
            anyhow::bail!("the policy is invalid: {reason}");
        }
        let mut whole = report::uncut(&audited, Timestamp::now());
        whole.history = history;
        let name = audited.name.clone();
        drop(audited);
        let verdict = self.conclude(&name, &whole, baseline.as_ref())?;
        Ok(if is_whole { verdict } else { UNUSABLE })
    }

    /// The posture of the cluster, or of manifests; whether all that was named could be read; and what a report of that
    /// policy remembers.
    async fn posture(
        &self,
        policy: &(String, PolicyRow),
        waived: Waived,
    ) -> anyhow::Result<(Arc<PolicyPosture>, bool, Vec<Change>)> {
        if !self.input.files.is_empty() {
            let audited = input::audit_with(&self.input.files, &policy.0, &policy.1, waived, |_| {})?;
            tell(&audited);
            tell_of_waivers(audited.waivers.iter());
            let is_whole = audited.troubles.is_empty();
            return Ok((Arc::new(audited.posture), is_whole, Vec::new()));
        }
        let client = self.input.client().await?;
        let (posture, _) = observe_once(&client, policy, waived).await?;
        tell_of_gaps(&posture);
        tell_of_waivers(posture.waivers.values());
        let audited = posture.policies.get(&policy.0).cloned();
        let audited = audited.context("the audit produced no result: please report this")?;
        Ok((audited, true, history(client, &policy.0).await))
    }

    /// Prints the report and tells the exit code.
    fn conclude(
        &self,
        policy: &str,
        whole: &ReportStatus,
        baseline: Option<&Baseline>,
    ) -> anyhow::Result<u8> {
        let news = baseline.map(|baseline| baseline.news(whole));
        let counted = news.as_ref().unwrap_or(whole);
        let mut out = BufWriter::new(std::io::stdout().lock());
        match self.output.write(policy, whole, counted, &mut out) {
            // Whoever stops reading, such as `head`, has no say in the exit code.
            Err(error) if is_broken_pipe(&error) => drop(out.into_parts()),
            written => written?,
        }
        if baseline.is_some() {
            let (new, all) = (counted.findings.len(), whole.findings.len());
            eprintln!("fluxsec: {new} of {all} findings are not in the baseline");
        }
        Ok(self.gate.verdict(counted))
    }
}

/// What the operator's report remembers, as far as there is one that may be read: the audit itself remembers nothing.
async fn history(client: kube::Client, policy: &str) -> Vec<Change> {
    let reports: Api<FluxSecurityReport> = Api::all(client);
    let report = reports.get_opt(policy).await.ok().flatten();
    let status = report.and_then(|report| report.status);
    status.map(|status| status.history).unwrap_or_default()
}

impl Input {
    pub(super) fn policy(&self) -> anyhow::Result<(String, PolicyRow)> {
        let mut policy = match &self.policy {
            None => FluxSecurityPolicy::new("audit", crate::api::FluxSecurityPolicySpec::default()),
            Some(path) => read_policy(path)?,
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

    /// The waivers of the command line, and how late it is.
    pub(super) fn waived(&self, now: Timestamp) -> anyhow::Result<Waived> {
        let mut waivers = Vec::new();
        for path in &self.waivers {
            let file = path.display().to_string();
            let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {file}"))?;
            waivers.extend(manifests::waivers::parse(&file, &text, now)?);
        }
        let mut names = BTreeSet::new();
        if let Some((twice, _)) = waivers.iter().find(|(name, _)| !names.insert(name.as_str())) {
            anyhow::bail!("--waivers: there are two waivers called {twice}");
        }
        Ok(Waived {
            now: Some(now),
            waivers,
        })
    }

    /// A client of the cluster, which answers.
    pub(super) async fn client(&self) -> anyhow::Result<kube::Client> {
        let (client, url) = client::connect(&client::configure(self.context.as_deref()).await?)?;
        client::probe(&client, &url).await?;
        Ok(client)
    }
}

/// The policy of a file.
pub(super) fn read_policy(path: &Path) -> anyhow::Result<FluxSecurityPolicy> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(manifests::policies::parse(&path.display().to_string(), &text)?)
}

/// Whoever stops reading, such as `head`, has no say in the exit code.
pub(super) fn print(text: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        printed => printed,
    }
}

/// Says what was read and what was not, beside the result.
pub(super) fn tell(audited: &Audited) {
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
        "objects: {}, of kinds that no control asks for: {}; left out: {} documents that are not Kubernetes objects, {} templates, {} patches",
        audited.objects, skipped.of_no_interest, skipped.others, skipped.templates, skipped.patches
    ));
}

/// Waivers that are told of one by one; the others are counted.
const MOST_WAIVERS: usize = 20;

/// Says which waivers do nothing, or will soon do nothing any more.
fn tell_of_waivers<'a>(waivers: impl Iterator<Item = &'a Arc<WaiverPosture>>) {
    let waivers: Vec<_> = waivers.filter(|it| it.state != WaiverState::Active).collect();
    let say = |text: &str| drop(writeln!(std::io::stderr(), "fluxsec: {text}"));
    for waiver in waivers.iter().take(MOST_WAIVERS) {
        let sentence = bounded(&waivers::sentence(waiver));
        say(&format!("waiver {} is {}: {sentence}", waiver.name, waiver.state));
    }
    let more = waivers.len().saturating_sub(MOST_WAIVERS);
    if more > 0 {
        say(&format!("{more} more waivers do nothing or end soon"));
    }
}

/// Says that the cluster's waivers do not count, when nobody can see them.
fn tell_of_gaps(posture: &Posture) {
    let waivers = id_of::<Waiver>();
    let mut kinds = posture.kinds.iter().filter(|it| it.kind == waivers);
    let unseen = kinds.find(|it| !it.coverage.is_complete() && it.coverage != Coverage::Absent);
    if let Some(unseen) = unseen {
        eprintln!(
            "fluxsec: the waivers of the cluster could not be read and do not count: {}",
            unseen.coverage
        );
    }
}

/// Starts the operator's own watches, waits until every kind is listed, and stops. The engine comes when the last watch has
/// ended.
pub(super) async fn observe_once(
    client: &kube::Client,
    policy: &(String, PolicyRow),
    waived: Waived,
) -> anyhow::Result<(Arc<Posture>, JoinHandle<Engine>)> {
    let registry = Registry::new();
    let stop = CancellationToken::new();
    let (send, observations) = cluster::channel();
    let mut engine = Engine::default();
    engine.pin(&policy.0, policy.1.clone());
    engine.waive(waived.waivers);
    let (engine, postures) = Loop::new(engine, observations, Freshness::default(), &registry)?;
    let asked = engine.asked();
    let _watches = cluster::observe(client, &registry, &Contact::default(), &send, asked, &stop)?;
    let engine = tokio::spawn(engine.run());
    let posture = settled(postures).await;
    stop.cancel();
    Ok((posture, engine))
}

async fn settled(mut postures: watch::Receiver<Arc<Posture>>) -> Arc<Posture> {
    let told = tokio::spawn(tell_of(postures.clone()));
    // What has not been listed by then is Unknown in the result, never Pass.
    let _ = tokio::time::timeout(PATIENCE, postures.wait_for(|posture| posture.settled)).await;
    told.abort();
    postures.borrow().clone()
}

/// Says to a person at a terminal what a long audit waits for, whenever that changes.
async fn tell_of(postures: watch::Receiver<Arc<Posture>>) {
    if !std::io::stderr().is_terminal() {
        return;
    }
    let mut said = String::new();
    loop {
        tokio::time::sleep(PACE).await;
        let waits = waiting_for(&postures.borrow());
        if waits != said && !waits.is_empty() {
            eprintln!("fluxsec: {waits}");
        }
        said = waits;
    }
}

/// Which kinds have not been listed; empty when all have.
fn waiting_for(posture: &Posture) -> String {
    let kinds = posture.kinds.iter().filter(|kind| !kind.coverage.is_settled());
    let kinds = kinds.map(|kind| kind.kind.name());
    let kinds: Vec<&str> = kinds.chain(posture.pending.iter().map(String::as_str)).collect();
    match kinds.as_slice() {
        [] => String::new(),
        [first, second, third, rest @ ..] if !rest.is_empty() => {
            format!(
                "waiting for {first}, {second}, {third} and {} more kinds",
                rest.len()
            )
        }
        kinds => format!("waiting for {}", kinds.join(", ")),
    }
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

#[cfg(test)]
mod tests {
    use super::waiting_for;
    use crate::engine::Engine;
    use crate::inventory::{Coverage, Delta};
    use crate::kinds::KindId;

    #[test]
    fn progress_names_the_kinds_that_are_missing() {
        let mut engine = Engine::default();
        let all = KindId::all().count();
        let rest = format!(" and {} more kinds", all - 3);
        assert!(
            waiting_for(&engine.posture()).ends_with(&rest),
            "{}",
            waiting_for(&engine.posture())
        );
        let last = KindId::all().last().unwrap();
        let listed = KindId::all().filter(|kind| *kind != last);
        engine.ingest(listed.map(|kind| Delta::Coverage(kind, Coverage::Synced)));
        assert_eq!(
            waiting_for(&engine.posture()),
            format!("waiting for {}", last.name())
        );
        engine.ingest([Delta::Coverage(last, Coverage::Synced)]);
        assert_eq!(waiting_for(&engine.posture()), "");
    }
}
