//! FSP-SEC-004: Git sources hold no credentials, now and in their history.

use super::super::control::{Control, Defect, Outcome, Severities};
use super::super::judges::{ClusterSubject, Judges};
use super::files;
use crate::api::Severity;
use crate::api::history::repository;
use crate::inventory::delivered::{Delivery, OfSource, Place};
use crate::inventory::scanned::Scanned;
use crate::inventory::{Missing, ObjectKey, Read, SubjectKey, TreeKey, View};
use crate::kinds::flux_objects::{GitRepository, Publishes};
use crate::kinds::{Kind, id_of};
use crate::secrets::{Class, Leak};

type Row = <GitRepository as Kind>::Row;

pub(crate) static CONTROL: Control = Control {
    id: "FSP-SEC-004",
    title: "Git sources hold no credentials, now and in their history",
    chapter: "Secret Decryption",
    severity: Severities::always(Severity::High),
    rationale: "A credential that was committed once stays in the history of every clone, even after it was removed from the files.",
    audit: "The files of the sources in their latest revision, or those that are audited instead of a cluster; what the sources delivered before; and history scans recorded in the policy's attestations. Fails for tokens of known issuers, private keys, key stores, passwords in addresses, connection strings and settings, and literals under names that suggest passwords, tokens or keys, in files of any kind. Private keys that open what is encrypted weigh more, a chart's defaults less. Data of Secrets are reported by FSP-SEC-003, and here once a newer revision no longer has them: what was delivered once is exposed. Fails for what a history scan has found. The history cannot be seen from the cluster: a person has to scan it. Once the policy records scans, the control is unknown unless each repository has a scan that is complete, has not expired, and ends at the latest revision or at one after which the files were read. Not applicable without a GitRepository.",
    remediation: "Scan the history of each repository with fluxsec scan-history, GitLeaks, TruffleHog or Kingfisher, rotate what they find, and put the result of fluxsec attest-history into the policy. Removing a secret from the files does not take it back: rotate it, then accept the finding with a waiver.",
    reference: "https://fluxcd.io/flux/security/best-practices/#secret-decryption",
    reads: &[Read::cluster::<GitRepository>(), Read::Trees, Read::Scans],
    parameters: &[],
    judges: Judges::Cluster(judge),
};

fn judge(subject: &ClusterSubject<'_>) -> Result<Outcome, Missing> {
    let view = subject.view;
    let mut defects = Vec::new();
    if let Ok(trees) = view.trees() {
        let expected = "a reference to a Secret, and nothing in the source";
        defects.extend(files::leaks(trees, expected, is_told));
    }
    let sources = view.delivered();
    defects.extend(sources.flat_map(|(key, source)| exposed(key, source)));
    let repositories = view.table::<GitRepository>();
    if let Ok(repositories) = &repositories {
        let found = repositories.iter().flat_map(|(key, row)| found(view, key, row));
        defects.extend(found);
    }
    if !defects.is_empty() {
        return Ok(Outcome::from_defects(defects));
    }
    let repositories = repositories?;
    if repositories.is_empty() {
        return Ok(Outcome::not_applicable("there is no GitRepository"));
    }
    if view.scans().is_empty() {
        return Ok(to_be_scanned(view, repositories.len()));
    }
    for (key, row) in repositories.iter() {
        is_scanned(view, key, row)?;
    }
    let count = repositories.len();
    Ok(Outcome::Manual(
        format!("reports say that the histories of {count} GitRepositories hold no secrets").into(),
    ))
}

/// FSP-SEC-005 judges the objects of Flux themselves; what a source has of them may not be applied.
fn is_told(key: &TreeKey, leak: &Leak) -> bool {
    match leak.class {
        Class::Credential => true,
        Class::FluxObject => *key != TreeKey::Input,
        Class::Secret | Class::Sops => false,
    }
}

/// What a source delivered, and has no more.
fn exposed(key: &TreeKey, source: &OfSource) -> Vec<Defect> {
    let mut defects: Vec<Defect> = source
        .gone()
        .map(|(place, delivery)| rotate(key, place, delivery))
        .collect();
    if source.is_full && !defects.is_empty() {
        defects.push(Defect {
            observed: "more secrets than the report keeps".to_owned(),
            expected: EXPECTED.to_owned(),
            message: format!("{key} delivered more secrets than the report keeps: rotate all of them"),
            about: key.about(),
            ..Defect::default()
        });
    }
    defects
}

const EXPECTED: &str = "a rotated secret, and a waiver that says so";

fn rotate(key: &TreeKey, place: &Place, delivery: &Delivery) -> Defect {
    let Place {
        file,
        object,
        field,
        what,
    } = place;
    let what_of = match (&**field, &**object) {
        ("", "") => String::new(),
        ("", object) => format!(" ({object})"),
        (field, "") => format!(" ({field})"),
        (field, object) => format!(" ({field} of {object})"),
    };
    let until = match &*delivery.revision {
        "" => "an earlier revision".to_owned(),
        revision => format!("revision {revision}"),
    };
    Defect {
        field: field.to_string(),
        file: file.to_string(),
        line: Some(delivery.line),
        observed: format!("{what}, until {until}"),
        expected: EXPECTED.to_owned(),
        message: format!("{file}{what_of}: exposed, rotate: {what} was delivered until {until}"),
        severity: delivery.severity,
        about: key.about(),
        ..Defect::default()
    }
}

/// The newest scan of a repository.
fn scan<'a>(view: &View<'a>, row: &Row) -> Option<&'a Scanned> {
    let repository = repository(row.spec.url.as_str())?;
    view.scans().iter().find(|scan| scan.repository == repository)
}

/// What scans of the history of a repository found.
fn found(view: &View<'_>, key: &ObjectKey, row: &Row) -> Vec<Defect> {
    let (chain, _) = scan(view, row)
        .map(|newest| chain(view, newest))
        .unwrap_or_default();
    let about = SubjectKey::Object(id_of::<GitRepository>(), key.clone());
    chain
        .into_iter()
        .flat_map(|scan| found_by(scan, &about))
        .collect()
}

fn found_by(scan: &Scanned, about: &SubjectKey) -> Vec<Defect> {
    let by = format!("{} of {}", scan.scanner, scan.day);
    let places = scan.places.iter().map(|place| Defect {
        file: place.file.clone(),
        line: place.line.and_then(|line| u32::try_from(line).ok()),
        observed: place.rule.clone(),
        expected: EXPECTED.to_owned(),
        message: match place.commit.as_str() {
            "" => format!("{}: {} in the history, by {by}", place.file, place.rule),
            commit => format!("{}: {} in commit {commit}, by {by}", place.file, place.rule),
        },
        about: Some(about.clone()),
        ..Defect::default()
    });
    let mut defects: Vec<Defect> = places.collect();
    let more = scan.findings - scan.places.len();
    if more > 0 {
        defects.push(Defect {
            observed: format!("secrets: {more}"),
            expected: EXPECTED.to_owned(),
            message: format!("{more} more secrets in the history, by {by}"),
            about: Some(about.clone()),
            ..Defect::default()
        });
    }
    defects
}

fn to_be_scanned(view: &View<'_>, count: usize) -> Outcome {
    let trees = view.trees();
    let is_scanned =
        trees.is_ok_and(|trees| trees.scanned().next().is_some() && files::are_whole(trees).is_ok());
    let objects = if count == 1 {
        "GitRepository"
    } else {
        "GitRepositories"
    };
    let what = if is_scanned {
        "the history, for the files that were read hold none,"
    } else {
        "the last state and the history,"
    };
    Outcome::Manual(
        format!("scan the repositories of {count} {objects}, {what} and revoke what is found").into(),
    )
}

/// Fails unless all of the history of a repository was scanned, and its last state was, or was read.
fn is_scanned(view: &View<'_>, key: &ObjectKey, row: &Row) -> Result<(), Missing> {
    let Some(newest) = scan(view, row) else {
        let message = format!("no scan report covers the history of GitRepository {key}");
        return Err(Missing::new("HistoryNotScanned", message));
    };
    if let (_, Some(what)) = chain(view, newest) {
        let message = format!(
            "the report of {} on the history of GitRepository {key} {what}",
            newest.day
        );
        return Err(Missing::new("HistoryNotWhole", message));
    }
    let revision = row
        .artifact()
        .map(|artifact| artifact.revision.as_str())
        .unwrap_or_default();
    let commit = revision.rsplit(':').next().unwrap_or_default();
    if newest.ends_at(commit) {
        return Ok(());
    }
    let trees = view.trees()?;
    let source = TreeKey::Source(id_of::<GitRepository>(), key.clone());
    let tree = trees
        .tree(&source)
        .or_else(|missing| trees.tree(&TreeKey::Input).map_err(|_| missing))?;
    match tree.lack() {
        Some(lack) => Err(Missing::new("NotLookedInto", format!("{source}: {lack}"))),
        None => Ok(()),
    }
}

/// A scan and those that it goes on from; and why that does not go back to the first commit, if it does not.
fn chain<'a>(view: &View<'a>, newest: &'a Scanned) -> (Vec<&'a Scanned>, Option<&'static str>) {
    let mut chain = vec![newest];
    let mut scan = newest;
    loop {
        if !scan.is_complete {
            return (chain, Some("is not complete"));
        }
        if scan.since.is_empty() {
            return (chain, None);
        }
        let is_before = |it: &&&Scanned| {
            it.repository == scan.repository && it.ends_at(&scan.since) && !chain.contains(*it)
        };
        let before = view
            .scans()
            .iter()
            .filter(|it| it.at <= scan.at)
            .collect::<Vec<_>>();
        let Some(before) = before.iter().find(is_before).copied() else {
            return (chain, Some("starts after a commit that no report ends at"));
        };
        chain.push(before);
        scan = before;
    }
}
