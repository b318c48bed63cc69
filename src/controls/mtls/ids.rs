//! SPIFFE IDs on a command line: whom a controller accepts as its peer.

use super::super::control::Outcome;
use super::super::flag::{self, Objection};
use super::super::judges::Subject;
use crate::api::Severity;
use crate::flux::command_line::{Evaluation, Occurrence};
use crate::flux::flags;
use crate::inventory::Missing;

/// How many workloads an ID stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Breadth {
    /// One.
    Exact,
    /// All below a path.
    Prefix,
    /// Everything that the trust domain has.
    Domain,
    /// None: it is no SPIFFE ID, and the controller does not start.
    Invalid,
}

impl Breadth {
    pub(super) fn of(id: &str) -> Self {
        if id == "self" {
            return Self::Domain;
        }
        let Some(rest) = id.strip_prefix("spiffe://") else {
            return Self::Invalid;
        };
        match rest.split_once('/') {
            _ if rest.is_empty() || rest.starts_with('/') => Self::Invalid,
            None | Some((_, "")) => Self::Domain,
            Some(_) if rest.ends_with('/') => Self::Prefix,
            Some(_) => Self::Exact,
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Exact => "one workload",
            Self::Prefix => "which stands for everything below it",
            Self::Domain => "which stands for its whole trust domain",
            Self::Invalid => "which is not a SPIFFE ID: the controller does not start",
        }
    }
}

/// Whether a flag of this name says which peers of a controller are accepted.
pub(super) fn names_peers(flag: &str) -> bool {
    flag.starts_with("authorized-") && flag.ends_with("-spiffe-id")
}

/// Whether a flag of this name has SPIFFE IDs for values.
pub(super) fn has_ids(flag: &str) -> bool {
    names_peers(flag) || flag == "spiffe-broker-id"
}

/// Whether a flag of this name says who may call webhooks.
pub(super) fn names_callers_of_webhooks(flag: &str) -> bool {
    names_peers(flag) && flag.contains("receiver")
}

/// Whether a flag of this name is about SPIFFE.
pub(super) fn is_about_spiffe(flag: &str) -> bool {
    has_ids(flag) || flag == "spiffe-broker-endpoint"
}

/// Every appearance of flags whose name is wanted, whether the table has them or not.
pub(super) fn appearances(
    evaluation: &Evaluation,
    wanted: impl Fn(&str) -> bool,
) -> Vec<(&str, &Occurrence)> {
    let component = evaluation.component();
    let names = flags::flags(component).iter().map(|flag| flag.name);
    let listed = names.filter(|name| wanted(name)).flat_map(|name| {
        let occurrences = evaluation.occurrences(name).iter();
        occurrences.map(move |occurrence| (name, occurrence))
    });
    let presumed = evaluation.presumed().iter();
    let presumed = presumed.filter(|it| wanted(&it.name));
    listed
        .chain(presumed.map(|it| (it.name.as_str(), &it.occurrence)))
        .collect()
}

/// Judges the IDs of the flags that are wanted; `None`: none has one.
pub(super) fn judge(
    subject: &Subject<'_>,
    wanted: impl Fn(&str) -> bool + Copy,
) -> Result<Option<Outcome>, Missing> {
    let wide = flag::judge(subject, |evaluation| {
        first(evaluation, wanted, &[Breadth::Domain, Breadth::Invalid])
    })?;
    if wide != Outcome::Pass {
        return Ok(Some(wide));
    }
    let launches = subject.instance.launches.iter();
    if launches
        .map(|launch| appearances(&launch.evaluation, wanted))
        .all(|found| found.is_empty())
    {
        return Ok(None);
    }
    let prefixes = flag::judge(subject, |evaluation| {
        first(evaluation, wanted, &[Breadth::Prefix])
    })?;
    Ok(Some(as_note(prefixes)))
}

/// The first ID of such a breadth.
fn first(
    evaluation: &Evaluation,
    wanted: impl Fn(&str) -> bool,
    breadths: &[Breadth],
) -> Result<Option<Objection>, Missing> {
    let mut unread = None;
    for (flag, occurrence) in appearances(evaluation, wanted) {
        let Some(id) = &occurrence.value else {
            let message = format!("--{flag}: the value of {} is not known", occurrence.raw);
            unread = Some(Missing::new("ArgumentNotReadable", message));
            continue;
        };
        let breadth = Breadth::of(id);
        if breadths.contains(&breadth) {
            return Ok(Some(Objection {
                argument: occurrence.raw.clone(),
                observed: format!("--{flag} has {id:?}, {}", breadth.words()),
                expected: "the whole ID of each peer".to_owned(),
            }));
        }
    }
    unread.map_or(Ok(None), Err)
}

/// What is found weighs nothing.
fn as_note(outcome: Outcome) -> Outcome {
    let Outcome::Fail(mut defects) = outcome else {
        return outcome;
    };
    for defect in &mut defects {
        defect.severity = Some(Severity::Info);
    }
    Outcome::Fail(defects)
}

#[cfg(test)]
mod tests {
    use super::Breadth;

    #[test]
    fn an_id_without_a_path_is_a_whole_domain() {
        for (id, breadth) in [
            ("spiffe://cluster.example/ns/flux/sa/source", Breadth::Exact),
            ("spiffe://cluster.example/ns/flux/", Breadth::Prefix),
            ("spiffe://cluster.example", Breadth::Domain),
            ("spiffe://cluster.example/", Breadth::Domain),
            ("spiffe://self", Breadth::Domain),
            ("spiffe://self/flux/source", Breadth::Exact),
            ("self", Breadth::Domain),
            ("spiffe://", Breadth::Invalid),
            ("spiffe:///flux", Breadth::Invalid),
            ("https://cluster.example/flux", Breadth::Invalid),
            ("", Breadth::Invalid),
        ] {
            assert_eq!(Breadth::of(id), breadth, "{id}");
        }
    }
}
