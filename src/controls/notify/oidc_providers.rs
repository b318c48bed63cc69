//! FSX-NOT-005: Receivers accept only chosen callers of an OIDC issuer.

use super::super::address::{host, is_plain_http};
use super::super::control::{Control, Defect, Outcome, Severities};
use super::super::judges::{Each, Judges, ObjectSubject};
use crate::api::Severity;
use crate::kinds::flux_objects::Receiver;
use crate::kinds::flux_objects::notifications::OidcProvider;

pub(crate) static CONTROL: Control = Control {
    id: "FSX-NOT-005",
    title: "Receivers accept only chosen callers of an OIDC issuer",
    chapter: "Beyond the document: Notifications",
    severity: Severities::always(Severity::High),
    rationale: "A public issuer gives a token to every user of its platform. Without a condition on who is calling, any of them triggers the Receiver; without an audience of its own, a token issued for another cluster works as well.",
    audit: "spec.oidcProviders of each Receiver of type generic-oidc. Fails when an issuer is not https, when no validation of a public issuer looks at the caller's repository, project, owner or subject, and, with a lower severity, when audience is not set, so that the default shared by all Receivers applies. What a validation compares with is not judged.",
    remediation: "Add a validation such as claims.repository_owner == 'org', and set an audience of this cluster.",
    reference: "https://fluxcd.io/flux/components/notification/receivers/#generic-oidc",
    reads: &[],
    parameters: &[],
    judges: Judges::Objects(&[&Each::<Receiver>(|subject| Ok(judge(subject)))]),
};

/// Issuers that serve whoever has an account.
const PUBLIC: [&str; 6] = [
    "token.actions.githubusercontent.com",
    "gitlab.com",
    "api.bitbucket.org",
    "accounts.google.com",
    "agent.buildkite.com",
    "oidc.circleci.com",
];
/// Claims that tell one caller of a public issuer from the others.
const CALLERS: [&str; 8] = [
    "claims.repository",
    "claims.sub",
    "claims.project",
    "claims.namespace",
    "claims.workspace",
    "claims.organization",
    "claims.email",
    "claims[",
];

fn judge(subject: &ObjectSubject<'_, Receiver>) -> Outcome {
    let spec = &subject.row.spec;
    if spec.kind.as_str() != "generic-oidc" {
        return Outcome::not_applicable("the Receiver is not of type generic-oidc");
    }
    let providers = spec.oidc_providers.iter().enumerate();
    Outcome::from_defects(
        providers
            .flat_map(|(position, provider)| defects(position, provider))
            .collect(),
    )
}

fn defects(position: usize, provider: &OidcProvider) -> Vec<Defect> {
    let issuer = provider.issuer_url.as_str();
    let defect = |field: &str, observed: String, expected: &str, severity| Defect {
        field: format!("spec.oidcProviders[{position}].{field}"),
        message: observed.clone(),
        observed,
        expected: expected.to_owned(),
        severity,
        ..Defect::default()
    };
    let mut defects = Vec::new();
    if is_plain_http(issuer) {
        let observed = format!("the issuer {issuer} is asked for its keys over plain http");
        defects.push(defect("issuerURL", observed, "an issuer with https", None));
    }
    if PUBLIC.contains(&host(issuer)) && !names_the_caller(provider) {
        let observed = format!("no validation looks at who calls: {issuer} vouches for everybody");
        defects.push(defect(
            "validations",
            observed,
            "a validation of repository, owner or subject",
            None,
        ));
    }
    if provider.audience.is_empty() {
        let observed = "audience is not set: tokens for any notification-controller are accepted".to_owned();
        defects.push(defect(
            "audience",
            observed,
            "an audience of this cluster",
            Some(Severity::Low),
        ));
    }
    defects
}

fn names_the_caller(provider: &OidcProvider) -> bool {
    let expressions = provider.validations.iter().chain(&provider.variables);
    let mut texts = expressions.map(|it| it.expression.as_str());
    !provider.validations.is_empty() && texts.any(|text| CALLERS.iter().any(|claim| text.contains(claim)))
}
