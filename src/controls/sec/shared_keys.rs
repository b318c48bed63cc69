//! FSP-SEC-011: Tenants have decryption keys of their own.

use std::collections::{BTreeMap, BTreeSet};

use super::super::control::{Control, Defect, Outcome, Parameter, Severities};
use super::super::judges::{ClusterSubject, Judges};
use super::super::lockdown;
use super::files;
use crate::api::Severity;
use crate::flux::Component;
use crate::inventory::{Missing, Owner, Reach, Read, View};
use crate::kinds::Mark;
use crate::kinds::flux_objects::Kustomization;
use crate::kinds::flux_objects::appliers::Decryption;
use crate::secrets::{Encrypted, Recipient};

pub(crate) static CONTROL: Control = Control {
    id: "FSP-SEC-011",
    title: "Tenants have decryption keys of their own",
    chapter: "Secret Decryption",
    severity: Severities {
        none: Some(Severity::Info),
        shared: Some(Severity::High),
        dedicated: Some(Severity::Info),
    },
    rationale: "Two tenants with the same key can decrypt each other's Secrets, wherever they find them.",
    audit: "spec.decryption of the Kustomizations in tenants' namespaces. Fails when Kustomizations of two tenants name no key and kustomize-controller has one for all, by --sops-age-secret. Where the files of sources are read, fails when files of two tenants are encrypted for one recipient, or are copies of each other; a tenant's files are those that its Kustomizations apply, and encrypted objects of its namespaces. Whether two Secrets hold the same key is not read, and the same name proves nothing: unknown as long as two tenants decrypt with Secrets, unless all their files were read and have no recipient in common. Not applicable with one tenant that decrypts.",
    remediation: "Make a key for each tenant, name its Secret in spec.decryption.secretRef, and encrypt the tenant's Secrets again with it.",
    reference: "https://fluxcd.io/flux/security/best-practices/#secret-decryption",
    reads: &[
        Read::cluster::<Kustomization>(),
        Read::Controllers(&[Component::Kustomize]),
        Read::Owners(Reach::Cluster),
        Read::Trees,
    ],
    parameters: &[Parameter {
        name: SHARED,
        values: &[],
        about: "Recipients that may be in the files of several tenants, such as a key for emergencies, as SOPS writes them, with commas between them",
    }],
    judges: Judges::Cluster(judge),
};

fn judge(subject: &ClusterSubject<'_>) -> Result<Outcome, Missing> {
    let view = subject.view;
    let without_key = tenants(view, |decryption| {
        decryption.secret_ref.is_none() && decryption.service_account_name.is_empty()
    })?;
    let with_secret = tenants(view, |decryption| decryption.secret_ref.is_some())?;
    if without_key.len() > 1 && lockdown::has_age_key_for_all(view)? == Some(true) {
        return Ok(Outcome::fail(shared(&without_key)));
    }
    let files = Files::of(view);
    if let Ok(files) = &files {
        let defects = files.defects(CONTROL.parameter(SHARED, subject.parameters));
        if !defects.is_empty() {
            return Ok(Outcome::from_defects(defects));
        }
    }
    if with_secret.len() > 1 {
        if let Ok(files) = files
            && files.lack.is_none()
            && with_secret.is_subset(&files.tenants)
        {
            return Ok(Outcome::Pass);
        }
        let message = format!(
            "whether the Secrets of {} tenants hold the same key is not read",
            with_secret.len()
        );
        return Err(Missing::new("SecretNotRead", message));
    }
    Ok(Outcome::not_applicable("no two tenants decrypt with keys"))
}

/// The parameter that admits recipients.
const SHARED: &str = "sharedRecipients";

/// The files of tenants: who can decrypt them, and whose they are.
#[derive(Default)]
struct Files<'a> {
    recipients: BTreeMap<&'a Recipient, BTreeMap<String, &'a Encrypted>>,
    codes: BTreeMap<u64, BTreeMap<String, &'a Encrypted>>,
    tenants: BTreeSet<String>,
    /// What could not be looked into.
    lack: Option<Missing>,
}

impl<'a> Files<'a> {
    fn of(view: &View<'a>) -> Result<Self, Missing> {
        let trees = view.trees()?;
        let mut files = Self::default();
        let mut reached = BTreeSet::new();
        for (key, row) in view.table::<Kustomization>()?.iter() {
            let Owner::Tenant(tenant) = view.owner(&key.namespace)? else {
                continue;
            };
            let spec = &row.spec;
            match files::encrypted_of(trees, key, spec.path.as_str(), &spec.source_ref) {
                Ok(encrypted) => {
                    for it in encrypted {
                        reached.insert((it.file.clone(), it.line));
                        files.add(tenant, it);
                    }
                }
                Err(missing) if spec.decryption.is_some() => files.lack = files.lack.or(Some(missing)),
                Err(_) => {}
            }
        }
        for (_, tree) in trees.scanned() {
            let others = tree.encrypted.iter().filter(|it| !it.namespace.is_empty());
            for it in others.filter(|it| !reached.contains(&(it.file.clone(), it.line))) {
                if let Ok(Owner::Tenant(tenant)) = view.owner(&it.namespace) {
                    files.add(tenant, it);
                }
            }
        }
        files.lack = files.lack.or(files::are_whole(trees).err());
        Ok(files)
    }

    fn add(&mut self, tenant: &str, encrypted: &'a Encrypted) {
        self.tenants.insert(tenant.to_owned());
        for recipient in encrypted.recipients.iter() {
            let tenants = self.recipients.entry(recipient).or_default();
            tenants.entry(tenant.to_owned()).or_insert(encrypted);
        }
        if encrypted.code != 0 {
            let tenants = self.codes.entry(encrypted.code).or_default();
            tenants.entry(tenant.to_owned()).or_insert(encrypted);
        }
    }

    /// What several tenants have in common.
    fn defects(&self, admitted: &str) -> Vec<Defect> {
        let is_admitted =
            |recipient: &Recipient| admitted.split(',').any(|it| it.trim() == recipient.as_str());
        let shared = self
            .recipients
            .iter()
            .filter(|(recipient, tenants)| tenants.len() > 1 && !is_admitted(recipient));
        let shared =
            shared.map(|(recipient, tenants)| common(tenants, &format!("are encrypted for {recipient}")));
        let copies = self.codes.values().filter(|tenants| tenants.len() > 1);
        let copies = copies.map(|tenants| common(tenants, "are copies of each other"));
        shared.chain(copies).collect()
    }
}

/// A finding about files of several tenants.
fn common(files: &BTreeMap<String, &Encrypted>, how: &str) -> Defect {
    let tenants: Vec<&str> = files.keys().map(String::as_str).take(MOST_TENANTS).collect();
    let paths: Vec<&str> = files.values().map(|it| &*it.file).take(MOST_TENANTS).collect();
    let (tenants, paths) = (tenants.join(", "), paths.join(", "));
    Defect {
        observed: format!("{paths} of the tenants {tenants} {how}"),
        expected: "a key for each tenant".to_owned(),
        message: format!("files of the tenants {tenants} {how}: {paths}"),
        ..Defect::default()
    }
}

/// Tenants that one finding names.
const MOST_TENANTS: usize = 5;

/// The tenants of whose Kustomizations one decrypts so.
fn tenants(view: &View<'_>, so: impl Fn(&Decryption) -> bool) -> Result<BTreeSet<String>, Missing> {
    let mut tenants = BTreeSet::new();
    for (key, row) in view.marked::<Kustomization>(&Mark::DECRYPTS)? {
        if !row.spec.decryption.as_ref().is_some_and(&so) {
            continue;
        }
        if let Owner::Tenant(tenant) = view.owner(&key.namespace)? {
            tenants.insert(tenant.to_owned());
        }
    }
    Ok(tenants)
}

fn shared(tenants: &BTreeSet<String>) -> Defect {
    let tenants: Vec<&str> = tenants.iter().map(String::as_str).collect();
    let tenants = tenants.join(", ");
    Defect {
        argument: "--sops-age-secret".to_owned(),
        observed: format!("the tenants {tenants} decrypt with the key of kustomize-controller"),
        expected: "spec.decryption.secretRef with a key of the tenant".to_owned(),
        message: format!(
            "the tenants {tenants} decrypt with one key, which kustomize-controller has for all"
        ),
        ..Defect::default()
    }
}
