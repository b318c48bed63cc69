//! FSP-SEC-010: kustomize-controller has no decryption key for everybody.

use super::super::control::{Control, Defect, Outcome, Severities};
use super::super::flag::{self, Objection};
use super::super::judges::{Judges, Subject};
use super::super::wi::identity;
use crate::api::Severity;
use crate::flux::Component;
use crate::flux::command_line::{Evaluation, Setting};
use crate::inventory::{Missing, Read};
use crate::kinds::identity::ServiceAccount;

pub(crate) static CONTROL: Control = Control {
    id: "FSP-SEC-010",
    title: "kustomize-controller has no decryption key for everybody",
    chapter: "Secret Decryption",
    severity: Severities {
        none: Some(Severity::Info),
        shared: Some(Severity::High),
        dedicated: Some(Severity::Info),
    },
    rationale: "A key, a token or an identity of the controller itself decrypts for every Kustomization of every namespace that names none: whoever gets hold of another tenant's encrypted file can have it decrypted.",
    audit: "The command lines, the environment and the ServiceAccount of kustomize-controller. Fails when --sops-age-secret or --sops-vault-configmap is set, when a variable such as VAULT_TOKEN or SOPS_AGE_KEY carries a key, and when the controller has a cloud identity without --default-decryption-service-account. Unknown when its environment comes from a Secret or a ConfigMap as a whole. EKS Pod Identity, direct federation and mounted key rings leave no trace that is read. Since kustomize-controller 1.9 SOPS_HC_VAULT_ALLOWLIST limits where a Vault token is sent, but the token still serves every tenant.",
    remediation: "Give each tenant a key in spec.decryption.secretRef or an account in spec.decryption.serviceAccountName, set --default-decryption-service-account, and take the key from the controller.",
    reference: "https://fluxcd.io/flux/security/best-practices/#secret-decryption",
    reads: &[Read::cluster::<ServiceAccount>()],
    parameters: &[],
    judges: Judges::Controllers {
        components: &[Component::Kustomize],
        judge,
    },
};

fn judge(subject: &Subject<'_>) -> Result<Outcome, Missing> {
    let instance = subject.instance;
    if let Some(variable) = &instance.decryption_key {
        return Ok(fail(subject, &format!("the variable {variable} carries a key")));
    }
    let judged = flag::judge(subject, key_for_all)?;
    if judged != Outcome::Pass {
        return Ok(judged);
    }
    if flag::must_be_set(subject, "default-decryption-service-account")? != Outcome::Pass
        && identity::controller_has_identity(subject)?
    {
        let observed = "the controller decrypts with its own cloud identity";
        return Ok(fail(subject, observed));
    }
    if instance.has_unread_environment {
        let message = format!(
            "{} takes its environment from objects that are not read",
            subject.key
        );
        return Err(Missing::new("EnvironmentNotReadable", message));
    }
    Ok(Outcome::Pass)
}

fn key_for_all(evaluation: &Evaluation) -> Result<Option<Objection>, Missing> {
    for flag in ["sops-age-secret", "sops-vault-configmap"] {
        match evaluation.text(flag) {
            Setting::Known { value, origin } if !value.is_empty() => {
                return Ok(Some(Objection {
                    argument: flag::argument(&origin),
                    observed: format!("--{flag} names {value}, for all Kustomizations"),
                    expected: format!("no --{flag}"),
                }));
            }
            Setting::Known { .. } | Setting::Unsupported => {}
            Setting::Unknown(reason) => {
                let message = format!("--{flag}: {reason}");
                return Err(Missing::new("ArgumentNotReadable", message));
            }
        }
    }
    Ok(None)
}

fn fail(subject: &Subject<'_>, observed: &str) -> Outcome {
    Outcome::fail(Defect {
        observed: observed.to_owned(),
        expected: "keys and accounts of the tenants".to_owned(),
        message: format!(
            "{} in namespace {}: {observed}",
            subject.key.component, subject.key.namespace
        ),
        severity: flag::weight(subject),
        ..Defect::default()
    })
}
