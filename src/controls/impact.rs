//! What a change of a controller's settings breaks: known before it is made, from what the controls know.

use std::collections::BTreeSet;
use std::fmt;

use super::flag;
use super::iua::review;
use super::mt::cross_namespace_notification::covers_receivers;
use super::power::Power;
use super::references::{self, Refers};
use super::res::served;
use crate::flux::Component;
use crate::flux::command_line::amend::Wanted;
use crate::inventory::{
    Instance, InstanceKey, Inventory, Missing, ObjectKey, Owner, SubjectKey, TenancyRules, View,
};
use crate::kinds::Kind;
use crate::kinds::flux_objects::{
    Alert, Applier, ArtifactGenerator, Bucket, CloudUser, GitRepository, HelmRelease, HelmRepository,
    ImagePolicy, ImageRepository, ImageUpdateAutomation, Kustomization, Labelled, OciRepository, Provider,
    Receiver, ResourceSet,
};
use crate::kinds::identity::ServiceAccount;

/// A setting that a controller is about to get.
#[derive(Clone, Copy, Debug)]
pub struct Change<'a> {
    /// Which controller.
    pub key: &'a InstanceKey,
    /// As it is.
    pub instance: &'a Instance,
    /// The setting.
    pub wanted: Wanted,
    /// The account, where the setting names one.
    pub account: &'a str,
}

/// What changes break.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Impact {
    /// Objects that stop working.
    pub breaks: BTreeSet<Broken>,
    /// Objects that may stop working: what decides is not seen.
    pub may_break: BTreeSet<Broken>,
    /// Rights that somebody gets by it.
    pub opens: BTreeSet<String>,
    /// What else may break, and nobody can see here.
    pub unseen: BTreeSet<String>,
}

/// An object, and why it stops working.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Broken {
    /// Kind.
    pub kind: &'static str,
    /// Which object.
    pub key: ObjectKey,
    /// Why.
    pub why: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.kind, self.key, self.why)
    }
}

/// What these changes break. What cannot be read is told, never left out.
#[must_use]
pub fn of(inventory: &Inventory, rules: &TenancyRules, changes: &[Change<'_>]) -> Impact {
    let subject = SubjectKey::Cluster;
    let view = View::new(inventory, &subject, rules);
    let mut impact = Impact::default();
    for change in changes {
        let looked = Look {
            view: &view,
            change,
            impact: &mut impact,
        }
        .at_change();
        if let Err(missing) = looked {
            let (component, wanted) = (change.key.component, change.wanted);
            let unseen = format!("{wanted} on {component}: {}", missing.message);
            impact.unseen.insert(unseen);
        }
    }
    if let Some(missing) = view.lacks() {
        impact.unseen.insert(missing.message);
    }
    if !changes.is_empty() && inventory.is_of_input() {
        let unseen = "objects that are not among these manifests";
        impact.unseen.insert(unseen.to_owned());
    }
    impact
}

/// Looks for what one change breaks.
struct Look<'a, 'v> {
    view: &'a View<'v>,
    change: &'a Change<'a>,
    impact: &'a mut Impact,
}

impl Look<'_, '_> {
    fn at_change(&mut self) -> Result<(), Missing> {
        let component = self.change.key.component;
        match self.change.wanted {
            Wanted::On("no-cross-namespace-refs") => self.references(component),
            Wanted::On("no-remote-bases") => self.unseen(
                "--no-remote-bases: whether a kustomization.yaml in a source has a base at another address; \
                 `grep -rE 'https?://|github.com' --include=kustomization.yaml` in each source tells",
            ),
            Wanted::Off("insecure-kubeconfig-exec") => {
                self.kubeconfigs("its kubeconfig is a Secret, which is not read: it breaks if that runs a command")
            }
            Wanted::Off("insecure-kubeconfig-tls") => self.kubeconfigs(
                "its kubeconfig is a Secret, which is not read: it breaks if that skips the check of the certificate",
            ),
            Wanted::Off("export-http-path-metrics") => {
                self.unseen("--export-http-path-metrics: dashboards and alerts that read the label path")
            }
            Wanted::Named("default-service-account") => match component {
                Component::Kustomize => self.appliers::<Kustomization>(),
                Component::Helm => self.appliers::<HelmRelease>(),
                Component::FluxOperator => self.resource_sets(),
                _ => self.identities(component),
            },
            Wanted::Named("default-decryption-service-account") => self.decryption(),
            Wanted::Named("default-kubeconfig-service-account") => match component {
                Component::Helm => self.remote_logins::<HelmRelease>(),
                _ => self.remote_logins::<Kustomization>(),
            },
            Wanted::GateOff("AllowDNSLookups") => {
                self.unseen("AllowDNSLookups: whether a chart asks for the address of a name (getHostByName)")
            }
            Wanted::GateOff("GitForcePushBranch") => self.pushes(),
            Wanted::GateOn("StrictPostBuildSubstitutions") => self.substitutions(),
            Wanted::Absent(flag) => self.unseen(&format!("--{flag}: whether objects still depend on the exception")),
            _ => Ok(()),
        }
    }

    /// Nobody can see whether something breaks by it.
    #[expect(
        clippy::unnecessary_wraps,
        reason = "an answer among others that may be missing"
    )]
    fn unseen(&mut self, what: &str) -> Result<(), Missing> {
        self.impact.unseen.insert(what.to_owned());
        Ok(())
    }

    /// Each object that the controller serves, or may serve.
    fn each<K: Kind<Row: Labelled>>(
        &mut self,
        mut look: impl FnMut(&mut Self, &ObjectKey, &K::Row) -> Result<(), Missing>,
    ) -> Result<(), Missing> {
        let Change { key, instance, .. } = *self.change;
        for (object, row) in self.view.table::<K>()?.iter() {
            if served::selects(key, instance, &object.namespace, row.labels()) != Ok(false) {
                look(self, object, row)?;
            }
        }
        Ok(())
    }

    fn breaks<K: Kind>(&mut self, key: &ObjectKey, why: String) {
        self.impact.breaks.insert(broken::<K>(key, why));
    }

    fn may_break<K: Kind>(&mut self, key: &ObjectKey, why: impl Into<String>) {
        self.impact.may_break.insert(broken::<K>(key, why.into()));
    }

    fn references(&mut self, component: Component) -> Result<(), Missing> {
        match component {
            Component::Kustomize => self.references_of::<Kustomization>(),
            Component::Helm => self.references_of::<HelmRelease>(),
            Component::ImageReflector => self.references_of::<ImagePolicy>(),
            Component::ImageAutomation => self.references_of::<ImageUpdateAutomation>(),
            Component::SourceWatcher => self.references_of::<ArtifactGenerator>(),
            Component::Notification => {
                self.references_of::<Alert>()?;
                if covers_receivers(self.change.instance) {
                    return self.references_of::<Receiver>();
                }
                Ok(())
            }
            Component::Source | Component::FluxOperator => Ok(()),
        }
    }

    fn references_of<K: Refers<Row: Labelled>>(&mut self) -> Result<(), Missing> {
        self.each::<K>(|look, key, row| {
            for (field, namespace) in references::foreign::<K>(&key.namespace, row) {
                look.breaks::<K>(key, format!("{field} is {namespace}"));
            }
            Ok(())
        })
    }

    /// Appliers without an account get the default one.
    fn appliers<K: Kind<Row: Applier + Labelled>>(&mut self) -> Result<(), Missing> {
        let account = self.change.account;
        let mut namespaces = BTreeSet::new();
        self.each::<K>(|look, key, row| {
            namespaces.insert(key.namespace.clone());
            if row.account().is_empty() && row.is_remote() {
                let why = format!(
                    "it names no account: {account} of namespace {} is impersonated in the remote cluster, \
                     whose rights are not seen",
                    key.namespace
                );
                look.may_break::<K>(key, why);
            } else if row.account().is_empty() {
                look.default_account_of::<K>(key)?;
            }
            Ok(())
        })?;
        namespaces
            .iter()
            .try_for_each(|namespace| self.rights_in(namespace))
    }

    fn resource_sets(&mut self) -> Result<(), Missing> {
        self.each::<ResourceSet>(|look, key, row| {
            if row.spec.service_account_name.is_empty() {
                return look.default_account_of::<ResourceSet>(key);
            }
            Ok(())
        })
    }

    fn default_account_of<K: Kind>(&mut self, key: &ObjectKey) -> Result<(), Missing> {
        let (account, namespace) = (self.change.account, &key.namespace);
        let grants = self.view.access()?.of_account(namespace, account);
        match grants.filter_map(|grant| Power::of(&grant)).min() {
            None => {
                let why =
                    format!("it names no account: as {account} of namespace {namespace} it may do nothing");
                self.breaks::<K>(key, why);
            }
            Some(Power::Everything) => {}
            Some(power) => {
                let why = format!(
                    "it names no account: {account} of namespace {namespace} {power}, which may not suffice"
                );
                self.may_break::<K>(key, why);
            }
        }
        Ok(())
    }

    /// What the default account may do in a tenant's namespace, so may whoever names none (FSP-MT-009).
    fn rights_in(&mut self, namespace: &str) -> Result<(), Missing> {
        let account = self.change.account;
        if !matches!(self.view.owner(namespace)?, Owner::Tenant(_)) {
            return Ok(());
        }
        for grant in self.view.access()?.of_account(namespace, account) {
            if let Some(power) = Power::of(&grant) {
                let opens = format!(
                    "whoever names no account in namespace {namespace} {power} there, as {account}, by {grant}"
                );
                self.impact.opens.insert(opens);
            }
        }
        Ok(())
    }

    /// Objects that use an identity of a cloud and name no account get the default one's.
    fn identities(&mut self, component: Component) -> Result<(), Missing> {
        match component {
            Component::Source => {
                self.identities_of::<GitRepository>()?;
                self.identities_of::<OciRepository>()?;
                self.identities_of::<HelmRepository>()?;
                self.identities_of::<Bucket>()
            }
            Component::Notification => self.identities_of::<Provider>(),
            Component::ImageReflector => self.identities_of::<ImageRepository>(),
            Component::ImageAutomation => self.identities_of::<GitRepository>(),
            Component::SourceWatcher => self.unseen(
                "--default-service-account on source-watcher: whether the account may create artifacts in the namespaces that ArtifactGenerators name",
            ),
            Component::Kustomize | Component::Helm | Component::FluxOperator => Ok(()),
        }
    }

    fn identities_of<K: Kind<Row: CloudUser + Labelled>>(&mut self) -> Result<(), Missing> {
        let (account, instance) = (self.change.account, self.change.instance);
        let needs_it_always =
            self.change.key.component == Component::Source && is_exactly(instance, (1, 10, 0));
        self.each::<K>(|look, key, row| {
            let Some(provider) = row.cloud().filter(|_| row.cloud_account().is_empty()) else {
                return Ok(());
            };
            let account_key = ObjectKey::new(&key.namespace, account);
            let why = match look.view.object::<ServiceAccount>(&account_key) {
                Ok(Some(row)) if row.cloud.is_some() => return Ok(()),
                Ok(Some(_)) => "which has no annotation of a cloud",
                Ok(None) => "which does not exist",
                Err(_) => "which is not seen",
            };
            let why = format!(
                "it authenticates at {provider} as {account} of namespace {} then, {why}",
                key.namespace
            );
            look.may_break::<K>(key, why);
            Ok(())
        })?;
        if needs_it_always {
            let what = format!(
                "source-controller 1.10.0: a namespace with sources and without the account {account}, whatever they authenticate with"
            );
            return self.unseen(&what);
        }
        Ok(())
    }

    fn decryption(&mut self) -> Result<(), Missing> {
        let account = self.change.account;
        self.each::<Kustomization>(|look, key, row| {
            let Some(decryption) = &row.spec.decryption else {
                return Ok(());
            };
            if decryption.service_account_name.is_empty() && decryption.secret_ref.is_none() {
                let why = format!("it decrypts as {account} of namespace {} then", key.namespace);
                look.may_break::<Kustomization>(key, why);
            }
            Ok(())
        })
    }

    fn remote_logins<K: Kind<Row: Applier + Labelled>>(&mut self) -> Result<(), Missing> {
        let account = self.change.account;
        self.each::<K>(|look, key, row| {
            if row.logs_in_by_config_map() {
                let why = format!(
                    "its ConfigMap is not read: unless that names an account, it logs in as {account} of namespace {}",
                    key.namespace
                );
                look.may_break::<K>(key, why);
            }
            Ok(())
        })
    }

    fn kubeconfigs(&mut self, why: &str) -> Result<(), Missing> {
        if self.change.key.component == Component::Helm {
            return self.each::<HelmRelease>(|look, key, row| {
                let remote = row.spec.kube_config.as_ref();
                if remote.is_some_and(|remote| remote.secret_ref.is_some()) {
                    look.may_break::<HelmRelease>(key, why);
                }
                Ok(())
            });
        }
        self.each::<Kustomization>(|look, key, row| {
            let remote = row.spec.kube_config.as_ref();
            if remote.is_some_and(|remote| remote.secret_ref.is_some()) {
                look.may_break::<Kustomization>(key, why);
            }
            Ok(())
        })
    }

    fn pushes(&mut self) -> Result<(), Missing> {
        self.each::<ImageUpdateAutomation>(|look, key, row| {
            if let Some(branch) = review::branch_of_its_own(&row.spec.git) {
                let why = format!("a push to {branch} fails when that has commits of others");
                look.may_break::<ImageUpdateAutomation>(key, why);
            }
            Ok(())
        })
    }

    fn substitutions(&mut self) -> Result<(), Missing> {
        self.each::<Kustomization>(|look, key, row| {
            if !row.spec.post_build.substitute_from.is_empty() {
                let why = "it fails when a variable of its manifests is missing and has no default";
                look.may_break::<Kustomization>(key, why);
            }
            Ok(())
        })
    }
}

fn broken<K: Kind>(key: &ObjectKey, why: String) -> Broken {
    Broken {
        kind: K::DESCRIPTOR.kind,
        key: key.clone(),
        why,
    }
}

fn is_exactly(instance: &Instance, release: (u64, u64, u64)) -> bool {
    instance.version.is_some()
        && flag::reaches(instance.version.as_ref(), release)
        && !flag::reaches(instance.version.as_ref(), (release.0, release.1, release.2 + 1))
}
