//! FSP-DED-003: Admission protects what the platform's access rests on.

use std::collections::BTreeSet;

use super::super::admission::{self, Admission, Relevance};
use super::super::control::{Control, Defect, Outcome, Severities};
use super::super::judges::{ClusterSubject, Judges};
use crate::api::Severity;
use crate::flux::Component;
use crate::inventory::{Missing, ObjectKey, Read, View};
use crate::kinds::admission::{AdmissionPolicy, Conditions, Request};
use crate::kinds::namespace::{Namespace, NamespaceRow};

pub(crate) static CONTROL: Control = Control {
    id: "FSP-DED-003",
    title: "Admission protects what the platform's access rests on",
    chapter: "Dedicated Cluster Multi-tenancy",
    severity: Severities {
        none: None,
        shared: None,
        dedicated: Some(Severity::Medium),
    },
    rationale: "Rights that a tenant's administrators need for themselves are often enough to remove the platform's own. An admission rule refuses that, whatever RBAC grants.",
    audit: "The admission policies and webhooks that are asked before ClusterRoleBindings, Flux's namespaces or the ServiceAccounts there are changed or deleted. Passes when each of them is covered by a ValidatingAdmissionPolicy that looks at who is asking (request.userInfo or authorizer, in its expressions or its conditions), applies to every object, has failurePolicy Fail and no parameters, and is put into force by a binding with Deny; whether its expressions are right is not proven. Fails for each of them that no policy or webhook covers. Unknown when only other policies, or validating webhooks, are asked. Webhook configurations and the policies themselves are not looked at: the API server asks nobody about them, so only RBAC protects those.",
    remediation: "Add a ValidatingAdmissionPolicy on UPDATE and DELETE of clusterrolebindings, namespaces and serviceaccounts whose conditions exempt the platform's users and Kubernetes itself, and whose expression refuses everybody else changes to the platform's objects. Bind it with validationActions: [Deny].",
    reference: "https://fluxcd.io/flux/security/best-practices/#additional-best-practices-for-tenant-dedicated-cluster-multi-tenancy",
    reads: &[
        admission::POLICIES,
        admission::BINDINGS,
        admission::WEBHOOKS,
        Read::cluster::<Namespace>(),
        Read::Controllers(&Component::ALL),
    ],
    parameters: &[],
    judges: Judges::Cluster(judge),
};

/// What has to be protected: a kind, and the namespace that is meant.
struct Foundation<'a> {
    group: &'static str,
    resource: &'static str,
    namespace: Option<(&'a str, &'a NamespaceRow)>,
}

fn judge(subject: &ClusterSubject<'_>) -> Result<Outcome, Missing> {
    let mut defects = Vec::new();
    let mut unclear = None;
    for foundation in foundations(subject.view)? {
        for operation in ["UPDATE", "DELETE"] {
            let Foundation {
                group,
                resource,
                namespace,
            } = foundation;
            let request = Request {
                operation,
                group,
                resource,
                namespace: namespace.map(|(_, row)| &row.labels),
            };
            match admission::of(subject.view, &request, goes_by_requester)? {
                Admission::Refused => {}
                Admission::Unclear(why) => unclear = Some(format!("{operation} of {foundation}: {why}")),
                Admission::Taken => defects.push(defect(operation, &foundation)),
            }
        }
    }
    match unclear {
        Some(why) if defects.is_empty() => Err(Missing::new("AdmissionUnclear", why)),
        _ => Ok(Outcome::from_defects(defects)),
    }
}

fn foundations<'a>(view: &View<'a>) -> Result<Vec<Foundation<'a>>, Missing> {
    let mut foundations = vec![Foundation {
        group: "rbac.authorization.k8s.io",
        resource: "clusterrolebindings",
        namespace: None,
    }];
    let mut of_flux = BTreeSet::new();
    for component in Component::ALL {
        let controllers = view.accepted_controllers(component)?;
        of_flux.extend(controllers.map(|(key, _)| &*key.namespace));
    }
    let namespaces = view.table::<Namespace>()?;
    for name in of_flux {
        let Some(row) = namespaces.get(&ObjectKey::new("", name)) else {
            continue;
        };
        foundations.extend(["namespaces", "serviceaccounts"].map(|resource| Foundation {
            group: "",
            resource,
            namespace: Some((name, row)),
        }));
    }
    Ok(foundations)
}

impl std::fmt::Display for Foundation<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.resource, self.namespace) {
            ("namespaces", Some((name, _))) => write!(f, "namespace {name}"),
            (resource, Some((name, _))) => write!(f, "{resource} in namespace {name}"),
            (resource, None) => f.write_str(resource),
        }
    }
}

/// A policy that goes by something else may protect them as well.
fn goes_by_requester(policy: &AdmissionPolicy) -> Relevance {
    match policy.conditions {
        Conditions::Requester => Relevance::Certain,
        Conditions::None if policy.topics.requester => Relevance::Certain,
        Conditions::None | Conditions::Other => Relevance::Possible,
    }
}

fn defect(operation: &str, foundation: &Foundation<'_>) -> Defect {
    Defect {
        observed: format!("nobody is asked about {operation} of {foundation}"),
        expected: "a policy with Deny that goes by who asks".to_owned(),
        message: format!("no admission policy or webhook is asked about {operation} of {foundation}"),
        ..Defect::default()
    }
}
