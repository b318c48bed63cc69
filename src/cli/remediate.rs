//! `fluxsec remediate`: the patch that makes failing controls pass, and before it what that breaks.

use std::time::Duration;

use anyhow::Context;
use clap::Args;
use k8s_openapi::jiff::Timestamp;

use super::audit::{self, Input};
use super::{CLEAN, UNUSABLE};
use crate::controls;
use crate::input;
use crate::inventory::InstanceKey;
use crate::kinds::own::PolicyRow;
use crate::manifests::World;
use crate::remedy::{Choice, Remedy, remedy};

/// How long the watches may take to end.
const GRACE: Duration = Duration::from_secs(10);

/// Prints the patch that makes failing controls pass, after a list of what it breaks.
#[derive(Debug, Args)]
pub(super) struct Remediate {
    /// Ids of controls, for example FSP-KUST-003; when absent, every failing control that a patch can repair.
    #[arg(value_name = "ID")]
    ids: Vec<String>,
    /// Name of the default service account to set where no controller has one yet.
    #[arg(long, value_name = "NAME", default_value = "default", value_parser = account)]
    account: String,
    #[command(flatten)]
    input: Input,
}

impl Remediate {
    pub(super) async fn run(self) -> anyhow::Result<u8> {
        let policy = self.input.policy()?;
        let choice = self.choice(&policy.1)?;
        let (remedy, is_whole) = self.remedy(&policy, &choice).await?;
        let (breaks, may_break) = remedy.broken();
        if remedy.documents.is_empty() {
            eprintln!("fluxsec: there is nothing that a patch could repair");
        } else if (breaks, may_break) == (0, 0) {
            eprintln!("fluxsec: nothing that is seen here breaks with this change");
        } else {
            eprintln!(
                "fluxsec: objects that break with this change: {breaks}, that may break: {may_break}; the patch begins with their names"
            );
        }
        audit::print(&remedy.text())?;
        Ok(if is_whole { CLEAN } else { UNUSABLE })
    }

    fn choice(&self, policy: &PolicyRow) -> anyhow::Result<Choice> {
        let customs = controls::custom::all(&policy.spec.custom_controls);
        let customs = customs.map_err(|reason| anyhow::anyhow!("the policy is invalid: {reason}"))?;
        let control = |id: &String| {
            let id = id.to_ascii_uppercase();
            let custom = || customs.iter().copied().find(|control| control.id == id);
            controls::find(&id)
                .or_else(custom)
                .with_context(|| format!("there is no control {id:?}; `fluxsec controls` lists them"))
        };
        Ok(Choice {
            controls: self.ids.iter().map(control).collect::<anyhow::Result<_>>()?,
            account: self.account.clone(),
        })
    }

    /// The remedy for the cluster, or for manifests; and whether all that was named could be read.
    async fn remedy(
        &self,
        (name, policy): &(String, PolicyRow),
        choice: &Choice,
    ) -> anyhow::Result<(Remedy, bool)> {
        let mut found = Remedy::default();
        // What somebody accepts needs no repair.
        let waived = self.input.waived(Timestamp::now())?;
        if !self.input.files.is_empty() {
            let look = |world: &World<'_>| {
                let file = |key: &InstanceKey| {
                    world
                        .file(&key.kind, &key.namespace, &key.name)
                        .map(str::to_owned)
                };
                found.add(remedy(world.posture, world.engine.inventory(), choice, &file));
            };
            let audited = input::audit_with(&self.input.files, name, policy, waived, look)?;
            audit::tell(&audited);
            is_valid(audited.posture.invalid.as_deref())?;
            return Ok((found, audited.troubles.is_empty()));
        }
        let policy = (name.clone(), policy.clone());
        let (_, engine) = audit::observe_once(&self.input.client().await?, &policy, waived).await?;
        let engine = tokio::time::timeout(GRACE, engine)
            .await
            .context("the watches do not end")??;
        let posture = engine.posture().policies.get(name).cloned();
        let posture = posture.context("the audit produced no result: please report this")?;
        is_valid(posture.invalid.as_deref())?;
        found.add(remedy(&posture, engine.inventory(), choice, &|_| None));
        Ok((found, true))
    }
}

fn is_valid(invalid: Option<&str>) -> anyhow::Result<()> {
    match invalid {
        Some(reason) => anyhow::bail!("the policy is invalid: {reason}"),
        None => Ok(()),
    }
}

/// The name of a ServiceAccount.
fn account(name: &str) -> Result<String, String> {
    let is_alphanumeric = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit();
    let fits = name.len() <= 253
        && name.starts_with(is_alphanumeric)
        && name.ends_with(is_alphanumeric)
        && name
            .chars()
            .all(|it| is_alphanumeric(it) || matches!(it, '-' | '.'));
    if fits {
        return Ok(name.to_owned());
    }
    Err("the name of a ServiceAccount has lowercase letters, digits, `-` and `.`".to_owned())
}

#[cfg(test)]
mod tests {
    use super::account;

    #[test]
    fn accounts_have_names_that_kubernetes_takes() {
        for name in ["default", "flux-applier", "a.b", "0"] {
            assert_eq!(account(name), Ok(name.to_owned()));
        }
        for name in ["", "-a", "a-", "A", "a b", "a\nb", "a\"", &"a".repeat(254)] {
            assert!(account(name).is_err(), "{name}");
        }
    }
}
