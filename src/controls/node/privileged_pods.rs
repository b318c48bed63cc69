//! FSP-NODE-002: Tenants cannot create privileged containers.

use super::super::admission::{self, Admission, ENFORCE, Relevance};
use super::super::control::{Control, Defect, Outcome, Parameter, Severities};
use super::super::judges::{Judges, NamespaceSubject};
use crate::api::Severity;
use crate::inventory::{Missing, ObjectKey, Owner, Reach, Read};
use crate::kinds::admission::{AdmissionPolicy, Conditions, Request};
use crate::kinds::crd::{CustomResourceDefinition, SECURITY_CONTEXT_CONSTRAINTS};

pub(crate) static CONTROL: Control = Control {
    id: "FSP-NODE-002",
    title: "Tenants cannot create privileged containers",
    chapter: "Shared Cluster Multi-tenancy: Node isolation",
    severity: Severities::shared(Severity::High),
    rationale: "A privileged container is root on its node: it can read the tokens of every pod there, including those of Flux's controllers.",
    audit: "The label pod-security.kubernetes.io/enforce of each tenant's namespace: baseline and restricted pass; warn and audit enforce nothing. Without the label, a ValidatingAdmissionPolicy passes when its expressions mention privileged in the securityContext and initContainers, when it has no conditions, no parameters and failurePolicy Fail, and when a binding with Deny puts it into force for every pod of the namespace; whether its expressions are right is not proven. Unknown when a policy misses only one of these, when a validating webhook is asked about new pods of the namespace (Kyverno, Gatekeeper, Kubewarden and others; what they answer is not known from here), and on OpenShift, whose security context constraints are not read. Fails when no policy or webhook is asked. Ephemeral containers are added by another request, which is not looked at. Exemptions and defaults in the API server's own configuration cannot be seen: the parameter says what the default is.",
    remediation: "Label each tenant's namespace with pod-security.kubernetes.io/enforce: baseline or restricted, and let no tenant change the labels of namespaces.",
    reference: "https://fluxcd.io/flux/security/best-practices/#node-isolation",
    reads: &[
        Read::Owners(Reach::Namespace),
        admission::POLICIES,
        admission::BINDINGS,
        admission::WEBHOOKS,
        Read::cluster::<CustomResourceDefinition>(),
    ],
    parameters: &[Parameter {
        name: DEFAULT_LEVEL,
        values: &["privileged", "baseline", "restricted"],
        about: "What the API server's own Pod Security configuration enforces where a namespace has no label",
    }],
    judges: Judges::Namespaces(judge),
};

const DEFAULT_LEVEL: &str = "default-level";

fn judge(subject: &NamespaceSubject<'_>) -> Result<Outcome, Missing> {
    if !matches!(subject.view.owner(subject.name)?, Owner::Tenant(_)) {
        return Ok(Outcome::not_applicable("the namespace belongs to no tenant"));
    }
    let label = subject.row.labels.get(ENFORCE);
    let level = label.unwrap_or_else(|| CONTROL.parameter(DEFAULT_LEVEL, subject.parameters));
    if matches!(level, "baseline" | "restricted") {
        return Ok(Outcome::Pass);
    }
    let new_pods = Request {
        operation: "CREATE",
        group: "",
        resource: "pods",
        namespace: Some(&subject.row.labels),
    };
    match admission::of(subject.view, &new_pods, is_about_privileged)? {
        Admission::Refused => return Ok(Outcome::Pass),
        Admission::Unclear(why) => return Err(Missing::new("AdmissionUnclear", why)),
        Admission::Taken => has_no_constraints(subject)?,
    }
    let observed = label.unwrap_or("not set");
    Ok(Outcome::fail(Defect {
        field: format!("metadata.labels[{ENFORCE}]"),
        observed: observed.to_owned(),
        expected: "baseline or restricted".to_owned(),
        message: format!(
            "nothing refuses privileged pods in namespace {}: its {ENFORCE} is {observed}, and no admission policy or webhook is asked",
            subject.name
        ),
        ..Defect::default()
    }))
}

/// One that does not name the field cannot tell privileged containers from others. One that does not name init
/// containers lets those pass, and of conditions nobody knows what they leave out.
fn is_about_privileged(policy: &AdmissionPolicy) -> Relevance {
    match (policy.topics.privileged, policy.topics.init_containers) {
        (false, _) => Relevance::None,
        (true, true) if policy.conditions == Conditions::None => Relevance::Certain,
        (true, _) => Relevance::Possible,
    }
}

/// Fails on OpenShift.
fn has_no_constraints(subject: &NamespaceSubject<'_>) -> Result<(), Missing> {
    let definitions = subject.view.table::<CustomResourceDefinition>()?;
    let constraints = ObjectKey::new("", SECURITY_CONTEXT_CONSTRAINTS);
    if definitions.get(&constraints).is_none() {
        return Ok(());
    }
    let message = format!("{SECURITY_CONTEXT_CONSTRAINTS} may refuse them, and are not read");
    Err(Missing::new("OtherPolicies", message))
}
