//! What of a PodSpec the Pod Security Standard "restricted" speaks of, judged where it is read: only what is weak is kept.

use std::collections::BTreeMap;

use super::pod_template::{PodWire, WorkloadWire};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::meta::null_as_default;
use crate::flux::container::{Surroundings, Weakness};

/// Kinds of volumes that "restricted" allows.
const VOLUMES: [&str; 9] = [
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "image",
    "persistentVolumeClaim",
    "projected",
    "secret",
];
/// Sysctls that are the pod's own.
const SYSCTLS: [&str; 11] = [
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ping_group_range",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_syncookies",
];
const SELINUX_TYPES: [&str; 5] = [
    "",
    "container_t",
    "container_init_t",
    "container_kvm_t",
    "container_engine_t",
];
/// A pod has as long as this to end when it does not say.
const GRACE_SECONDS: i64 = 30;
/// Longest text kept of a field.
const LONGEST: usize = 128;

/// The surroundings of a pod's containers.
pub(super) fn of_pod(object: &str) -> Result<Surroundings, serde_json::Error> {
    let pod: PodWire<SpecWire> = serde_json::from_str(object)?;
    Ok(pod.spec.surroundings())
}

/// The surroundings in a workload's template.
pub(super) fn of_template(object: &str) -> Result<Surroundings, serde_json::Error> {
    let workload: WorkloadWire<SpecWire> = serde_json::from_str(object)?;
    Ok(workload.spec.template.spec.surroundings())
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct SpecWire {
    #[serde(rename = "hostNetwork")]
    network: Option<bool>,
    #[serde(rename = "hostPID")]
    pid: Option<bool>,
    #[serde(rename = "hostIPC")]
    ipc: Option<bool>,
    #[serde(deserialize_with = "null_as_default")]
    containers: Vec<ContainerWire>,
    #[serde(deserialize_with = "null_as_default")]
    init_containers: Vec<ContainerWire>,
    #[serde(deserialize_with = "null_as_default")]
    ephemeral_containers: Vec<ContainerWire>,
    #[serde(deserialize_with = "null_as_default")]
    volumes: Vec<VolumeWire>,
    #[serde(deserialize_with = "null_as_default")]
    security_context: ContextWire,
    #[serde(deserialize_with = "null_as_default")]
    priority_class_name: String,
    termination_grace_period_seconds: Option<i64>,
}

/// The part of a container that "restricted" speaks of.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ContainerWire {
    name: String,
    #[serde(deserialize_with = "null_as_default")]
    security_context: ContextWire,
    #[serde(deserialize_with = "null_as_default")]
    ports: Vec<PortWire>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PortWire {
    host_port: Option<i64>,
}

/// The security context of a pod or of a container.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ContextWire {
    privileged: Option<bool>,
    allow_privilege_escalation: Option<bool>,
    read_only_root_filesystem: Option<bool>,
    run_as_non_root: Option<bool>,
    run_as_user: Option<i64>,
    proc_mount: Option<String>,
    #[serde(deserialize_with = "null_as_default")]
    capabilities: CapabilitiesWire,
    seccomp_profile: Option<ProfileWire>,
    app_armor_profile: Option<ProfileWire>,
    #[serde(deserialize_with = "null_as_default")]
    se_linux_options: SeLinuxWire,
    #[serde(deserialize_with = "null_as_default")]
    windows_options: WindowsWire,
    #[serde(deserialize_with = "null_as_default")]
    sysctls: Vec<SysctlWire>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct CapabilitiesWire {
    #[serde(deserialize_with = "null_as_default")]
    add: Vec<String>,
    #[serde(deserialize_with = "null_as_default")]
    drop: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ProfileWire {
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct SeLinuxWire {
    #[serde(rename = "type", deserialize_with = "null_as_default")]
    kind: String,
    #[serde(deserialize_with = "null_as_default")]
    user: String,
    #[serde(deserialize_with = "null_as_default")]
    role: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct WindowsWire {
    host_process: Option<bool>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct SysctlWire {
    name: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct VolumeWire {
    name: String,
    host_path: Option<HostPathWire>,
    secret: Option<SecretWire>,
    projected: Option<ProjectedWire>,
    /// The other kinds, by their field.
    #[serde(flatten)]
    #[expect(clippy::zero_sized_map_values, reason = "serde flattens into maps only")]
    other: BTreeMap<String, IgnoredAny>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct HostPathWire {
    path: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct SecretWire {
    #[serde(alias = "name", deserialize_with = "null_as_default")]
    secret_name: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ProjectedWire {
    #[serde(deserialize_with = "null_as_default")]
    sources: Vec<ProjectionWire>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ProjectionWire {
    secret: Option<SecretWire>,
}

impl SpecWire {
    fn surroundings(&self) -> Surroundings {
        let containers = self.containers.iter().chain(&self.init_containers);
        let mut weaknesses = self.of_pod();
        for container in containers.chain(&self.ephemeral_containers) {
            weaknesses.extend(container.weaknesses(&self.security_context));
        }
        Surroundings {
            init_containers: self.init_containers.iter().map(|it| it.name.clone()).collect(),
            foreign_volumes: self.volumes.iter().flat_map(VolumeWire::foreign).collect(),
            priority_class: self.priority_class_name.clone(),
            grace_seconds: self.termination_grace_period_seconds.unwrap_or(GRACE_SECONDS),
            weaknesses,
        }
    }

    fn of_pod(&self) -> Vec<Weakness> {
        let mut weak = Weaknesses::of("");
        weak.when(self.network == Some(true), "hostNetwork", "true");
        weak.when(self.pid == Some(true), "hostPID", "true");
        weak.when(self.ipc == Some(true), "hostIPC", "true");
        for volume in &self.volumes {
            if let Some(kind) = volume.forbidden() {
                weak.when(true, "volumes", &format!("{} is a {kind}", volume.name));
            }
        }
        for sysctl in &self.security_context.sysctls {
            let is_unsafe = !SYSCTLS.contains(&sysctl.name.as_str());
            weak.when(is_unsafe, "securityContext.sysctls", &sysctl.name);
        }
        weak.list
    }
}

impl ContainerWire {
    /// What is weak in a container; what it leaves out is the pod's.
    fn weaknesses(&self, pod: &ContextWire) -> Vec<Weakness> {
        let own = &self.security_context;
        let mut weak = Weaknesses::of(&self.name);
        weak.when(own.privileged == Some(true), "securityContext.privileged", "true");
        weak.when(
            own.allow_privilege_escalation != Some(false),
            "securityContext.allowPrivilegeEscalation",
            if own.allow_privilege_escalation.is_some() {
                "true"
            } else {
                NOT_SET
            },
        );
        let drops_all = own.capabilities.drop.iter().any(|it| it == "ALL");
        weak.when(!drops_all, "securityContext.capabilities.drop", "not ALL");
        for added in &own.capabilities.add {
            let is_foreign = added != "NET_BIND_SERVICE";
            weak.when(is_foreign, "securityContext.capabilities.add", added);
        }
        let seccomp = own.seccomp_profile.as_ref().or(pod.seccomp_profile.as_ref());
        let seccomp = seccomp.map_or(NOT_SET, |profile| &profile.kind);
        let is_confined = matches!(seccomp, "RuntimeDefault" | "Localhost");
        weak.when(!is_confined, "securityContext.seccompProfile", seccomp);
        let armor = own.app_armor_profile.as_ref().or(pod.app_armor_profile.as_ref());
        let is_unconfined = armor.is_some_and(|profile| profile.kind == "Unconfined");
        weak.when(is_unconfined, "securityContext.appArmorProfile", "Unconfined");
        let non_root = own.run_as_non_root.or(pod.run_as_non_root);
        let observed = if non_root.is_some() { "false" } else { NOT_SET };
        weak.when(non_root != Some(true), "securityContext.runAsNonRoot", observed);
        let user = own.run_as_user.or(pod.run_as_user);
        weak.when(user == Some(0), "securityContext.runAsUser", "0");
        let mount = own.proc_mount.as_deref().unwrap_or("Default");
        weak.when(mount != "Default", "securityContext.procMount", mount);
        for options in [&own.se_linux_options, &pod.se_linux_options] {
            let is_own = options.user.is_empty() && options.role.is_empty();
            let is_weak = !is_own || !SELINUX_TYPES.contains(&options.kind.as_str());
            weak.when(is_weak, "securityContext.seLinuxOptions", "another domain");
        }
        let windows = own
            .windows_options
            .host_process
            .or(pod.windows_options.host_process);
        weak.when(
            windows == Some(true),
            "securityContext.windowsOptions.hostProcess",
            "true",
        );
        let binds = self
            .ports
            .iter()
            .any(|port| port.host_port.is_some_and(|port| port != 0));
        weak.when(binds, "ports", "a hostPort");
        let writable = own.read_only_root_filesystem != Some(true);
        weak.when(writable, Weakness::WRITABLE_ROOT, "not true");
        weak.list
    }
}

const NOT_SET: &str = "not set";

struct Weaknesses<'a> {
    container: &'a str,
    list: Vec<Weakness>,
}

impl<'a> Weaknesses<'a> {
    const fn of(container: &'a str) -> Self {
        let list = Vec::new();
        Self { container, list }
    }

    fn when(&mut self, is_weak: bool, field: &'static str, observed: &str) {
        if is_weak {
            self.list.push(Weakness {
                container: self.container.to_owned(),
                field,
                observed: observed.chars().take(LONGEST).collect(),
            });
        }
    }
}

impl VolumeWire {
    /// What it brings into the pod from outside.
    fn foreign(&self) -> Vec<String> {
        let host = self
            .host_path
            .iter()
            .map(|host| format!("hostPath {}", host.path));
        let projected = self.projected.iter().flat_map(|it| &it.sources);
        let secrets = self
            .secret
            .iter()
            .chain(projected.filter_map(|it| it.secret.as_ref()));
        let secrets = secrets.map(|it| format!("Secret {}", it.secret_name));
        let bounded = |text: String| text.chars().take(LONGEST).collect();
        host.chain(secrets).map(bounded).collect()
    }

    /// Its kind, when "restricted" does not allow it.
    fn forbidden(&self) -> Option<&str> {
        if self.host_path.is_some() {
            return Some("hostPath");
        }
        let mut others = self.other.keys().map(String::as_str);
        others.find(|kind| !VOLUMES.contains(kind))
    }
}
