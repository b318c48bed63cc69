//! FSP-SEC-011: Tenants have decryption keys of their own.

use std::borrow::Cow;
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
    audit: "spec.decryption of the Kustomizations in tenants' namespaces. Fails when Kustomizations of two tenants name no key and kustomize-controller has one for all through --sops-age-secret. Where the files of sources are read, fails when files of two tenants are encrypted for the same recipient, or are copies of each other; a tenant's files are those that its Kustomizations apply, and encrypted objects of its namespaces. Where the policy lists a tenant's recipients in spec.secrets.decryption.tenantRecipients, fails when a file of that tenant is encrypted for another one. Versions and regions of one key count as one recipient; an AWS alias may stand for any key of its account, so whether another tenant has that key is unknown. Whether two Secrets hold the same key is not read, and an equal name proves nothing: unknown while two tenants decrypt with Secrets, unless all their files were read and share no recipient. Not applicable with one tenant that decrypts.",
    remediation: "Create a key for each tenant, name its Secret in spec.decryption.secretRef, and encrypt the tenant's Secrets again with it.",
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
        about: "Recipients that may appear in the files of several tenants, such as an emergency key, as SOPS writes them, separated by commas",
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
        let admitted = CONTROL.parameter(SHARED, subject.parameters);
        let mut defects = files.defects(admitted);
        defects.extend(files.of_others(view, admitted));
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
    /// By what is the same for all names of a recipient.
    recipients: BTreeMap<Cow<'a, str>, BTreeMap<String, (&'a Recipient, &'a Encrypted)>>,
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
                match view.owner(&it.namespace) {
                    Ok(Owner::Tenant(tenant)) => files.add(tenant, it),
                    Ok(Owner::Platform | Owner::Nobody) => {}
                    Err(missing) => files.lack = files.lack.or(Some(missing)),
                }
            }
        }
        let aliased = files.aliased();
        files.lack = files.lack.or(files::are_whole(trees).err()).or(aliased);
        Ok(files)
    }

    fn add(&mut self, tenant: &str, encrypted: &'a Encrypted) {
        self.tenants.insert(tenant.to_owned());
        for recipient in encrypted.recipients.iter() {
            let tenants = self.recipients.entry(comparable(recipient)).or_default();
            tenants.entry(tenant.to_owned()).or_insert((recipient, encrypted));
        }
        if encrypted.code != 0 {
            let tenants = self.codes.entry(encrypted.code).or_default();
            tenants.entry(tenant.to_owned()).or_insert(encrypted);
        }
    }

    /// What several tenants have in common.
    fn defects(&self, admitted: &str) -> Vec<Defect> {
        let shared = self.recipients.values().filter(|tenants| {
            let is_admitted = tenants
                .values()
                .all(|(recipient, _)| is_admitted(admitted, recipient));
            tenants.len() > 1 && !is_admitted
        });
        let shared = shared.filter_map(|tenants| {
            let (_, (recipient, _)) = tenants.first_key_value()?;
            let files = tenants.iter().map(|(tenant, (_, file))| (tenant.clone(), *file));
            Some(common(
                &files.collect(),
                &format!("are encrypted for {recipient}"),
            ))
        });
        let copies = self.codes.values().filter(|tenants| tenants.len() > 1);
        let copies = copies.map(|tenants| common(tenants, "are copies of each other"));
        shared.chain(copies).collect()
    }

    /// What is encrypted for somebody whom the policy does not list for the tenant.
    fn of_others(&self, view: &View<'_>, admitted: &str) -> Vec<Defect> {
        let all = self.recipients.values().flatten();
        let others = all.filter(|(tenant, (recipient, _))| {
            let is_listed = view.is_recipient_of(tenant, recipient.as_str());
            is_listed == Some(false) && !is_admitted(admitted, recipient)
        });
        others
            .map(|(tenant, (recipient, encrypted))| Defect {
                file: encrypted.file.to_string(),
                line: Some(encrypted.line),
                observed: format!(
                    "{} of the tenant {tenant} is encrypted for {recipient}",
                    encrypted.file
                ),
                expected: "a recipient that spec.secrets.decryption.tenantRecipients lists for the tenant"
                    .to_owned(),
                message: format!(
                    "{} of the tenant {tenant} is encrypted for {recipient}, which the policy does not list",
                    encrypted.file
                ),
                ..Defect::default()
            })
            .collect()
    }

    /// Whether an alias hides which key it is, while another tenant has a key of the same account.
    fn aliased(&self) -> Option<Missing> {
        let account = |text: &str| {
            text.strip_prefix("arn:")
                .and_then(|rest| rest.split(':').nth(3).map(str::to_owned))
        };
        let keys = self.recipients.iter();
        let of_accounts: Vec<_> = keys
            .filter_map(|(key, tenants)| Some((key, account(key)?, tenants)))
            .collect();
        let hides = of_accounts.iter().find(|(key, owner, tenants)| {
            let is_of_others = |(other, account, others): &&(_, String, &BTreeMap<String, _>)| {
                *other != *key
                    && account == owner
                    && others.keys().any(|tenant| !tenants.contains_key(tenant))
            };
            key.contains(":alias/") && of_accounts.iter().any(|it| is_of_others(&it))
        })?;
        let message = format!(
            "which key {} is cannot be seen, and another tenant has one of the same account",
            hides.0
        );
        Some(Missing::new("CannotCompare", message))
    }
}

fn is_admitted(admitted: &str, recipient: &Recipient) -> bool {
    admitted.split(',').any(|it| it.trim() == recipient.as_str())
}

/// What all names of a recipient have in common: a key of AWS for several regions, a version of a key, an address.
fn comparable(recipient: &Recipient) -> Cow<'_, str> {
    let text = recipient.as_str();
    match recipient {
        Recipient::Age(_) => text.into(),
        // Whoever names a key by less than its fingerprint names its end.
        Recipient::Pgp(_) => text[text.floor_char_boundary(text.len().saturating_sub(16))..].into(),
        Recipient::Managed(_) => {
            let parts: Vec<&str> = text.split(':').collect();
            if let ["arn", partition, "kms", _, account, key] = parts[..]
                && key.starts_with("key/mrk-")
            {
                return format!("arn:{partition}:kms:*:{account}:{key}").into();
            }
            let text = text.split("/cryptoKeyVersions/").next().unwrap_or(text);
            match text.split_once("://") {
                Some((scheme, rest)) => {
                    let parts: Vec<&str> = rest.split('/').filter(|part| !part.is_empty()).collect();
                    format!("{scheme}://{}", parts.join("/"))
                        .to_ascii_lowercase()
                        .into()
                }
                None => text.into(),
            }
        }
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
        if !row.spec.decryption.as_deref().is_some_and(&so) {
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
