//! What makes an object a whole one: a patch has the same kind and name, and only what it changes.

use super::read::Keys;
use crate::kinds::Descriptor;

/// Kinds whose objects are in no namespace.
const CLUSTER_SCOPED: [&str; 12] = [
    "Namespace",
    "CustomResourceDefinition",
    "ClusterRole",
    "ClusterRoleBinding",
    "Node",
    "RuntimeClass",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
    "ValidatingWebhookConfiguration",
    "FluxSecurityPolicy",
    "FluxSecurityReport",
    "FluxSecurityWaiver",
];

/// What the schema of a kind asks for in `spec`: one field of each group.
const REQUIRED: [(&str, &[&[&str]]); 22] = [
    ("Deployment", &[&["selector"], &["template"]]),
    ("StatefulSet", &[&["selector"], &["template"]]),
    ("DaemonSet", &[&["selector"], &["template"]]),
    ("Pod", &[&["containers"]]),
    ("GitRepository", &[&["url"], &["interval"]]),
    ("OCIRepository", &[&["url"], &["interval"]]),
    ("HelmRepository", &[&["url"]]),
    ("HelmChart", &[&["chart"], &["sourceRef"], &["interval"]]),
    ("Bucket", &[&["bucketName"], &["endpoint"], &["interval"]]),
    ("ImageRepository", &[&["image"]]),
    ("ImagePolicy", &[&["imageRepositoryRef"], &["policy"]]),
    ("ImageUpdateAutomation", &[&["sourceRef"], &["interval"]]),
    ("Kustomization", &[&["sourceRef"], &["interval"], &["prune"]]),
    ("HelmRelease", &[&["chart", "chartRef"], &["interval"]]),
    ("Alert", &[&["eventSources"], &["providerRef"]]),
    ("Provider", &[&["type"]]),
    ("Receiver", &[&["type"], &["resources"]]),
    ("ArtifactGenerator", &[&["sources"], &["artifacts"]]),
    ("FluxInstance", &[&["distribution"]]),
    ("SealedSecret", &[&["encryptedData"]]),
    ("FluxSecurityWaiver", &[&["control"]]),
    ("Gateway", &[&["gatewayClassName"], &["listeners"]]),
];

/// What an object may lack.
pub(super) struct Lack<'a> {
    pub(super) name: bool,
    pub(super) spec: &'a Keys<'a>,
    pub(super) role_ref: bool,
}

impl Lack<'_> {
    /// Whether the object is a part of one.
    pub(super) fn makes_partial(&self, descriptor: &Descriptor) -> bool {
        let has = |field: &&str| self.spec.0.iter().any(|key| key == field);
        let required = REQUIRED.iter().find(|(kind, _)| *kind == descriptor.kind);
        let groups = required.map_or(&[][..], |(_, groups)| groups);
        let lacks_field = groups.iter().any(|group| !group.iter().any(has));
        let lacks_role = self.role_ref && matches!(descriptor.kind, "RoleBinding" | "ClusterRoleBinding");
        self.name || lacks_field || lacks_role
    }
}

/// Whether objects of a kind are in no namespace.
pub(super) fn is_cluster_scoped(descriptor: &Descriptor) -> bool {
    CLUSTER_SCOPED.contains(&descriptor.kind)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::KindId;

    #[test]
    fn every_named_kind_is_watched() {
        let kinds: Vec<&str> = KindId::all().map(KindId::name).collect();
        let named = REQUIRED.iter().map(|(kind, _)| *kind).chain(CLUSTER_SCOPED);
        for kind in named {
            assert!(kinds.contains(&kind), "{kind}");
        }
    }
}
