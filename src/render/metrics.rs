//! Metrics of a posture. Families are made anew for every scrape out of one posture: one consistent state, and a
//! series vanishes with its policy or control by construction.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use prometheus::Registry;
use prometheus::proto::MetricFamily;

use super::report::{compliance, is_audited, summary};
use crate::api::report::Finding;
use crate::api::{ControlResult, Severity, WaiverState};
use crate::controls::VERSION;
use crate::engine::posture::bounded as harmless;
use crate::engine::{PolicyPosture, Posture};
use crate::inventory::CustomKind;
use crate::monitoring::metrics::{
    COMPLIANT, CONTROL_STATUS, CONTROLLER_INFO, COVERAGE, FINDINGS, KIND_SYNCED, LEADER,
    MAX_CONTROLLER_SERIES, MAX_CUSTOM_KIND_SERIES, MAX_NAMESPACE_SERIES, MAX_OBJECT_SERIES,
    NAMESPACE_FINDINGS, OBJECT_FINDINGS, OBJECTS, OTHER, REPORT_INFO, SCORE, UNDECODABLE, WAIVER_EXPIRY,
    WAIVERS,
};

/// The families of a posture.
///
/// # Errors
/// A family cannot be made: a mistake in this file that every test finds.
pub fn families(posture: &Posture, leads: bool) -> Result<Vec<MetricFamily>, prometheus::Error> {
    let registry = Registry::new();
    LEADER
        .gauges(&registry)?
        .with_label_values::<&str>(&[])
        .set(f64::from(u8::from(leads)));
    kinds(&registry, posture)?;
    if !leads {
        return Ok(registry.gather());
    }
    reports(&registry, posture)?;
    controls(&registry, posture)?;
    findings(&registry, posture)?;
    namespace_findings(&registry, posture)?;
    object_findings(&registry, posture)?;
    controllers(&registry, posture)?;
    waivers(&registry, posture)?;
    Ok(registry.gather())
}

/// An invalid or suspended policy has no posture of its own: its last report stays, its series do not.
fn audited(posture: &Posture) -> impl Iterator<Item = &PolicyPosture> {
    posture
        .policies
        .values()
        .map(AsRef::as_ref)
        .filter(|policy| is_audited(policy))
}

fn reports(registry: &Registry, posture: &Posture) -> Result<(), prometheus::Error> {
    let info = REPORT_INFO.gauges(registry)?;
    let score = SCORE.gauges(registry)?;
    let coverage = COVERAGE.gauges(registry)?;
    let compliant = COMPLIANT.gauges(registry)?;
    for policy in posture.policies.values() {
        let spec = &policy.policy.spec;
        let cluster_name = harmless(&spec.cluster_name);
        let labels = [
            policy.name.as_str(),
            spec.tenancy.as_str(),
            &cluster_name,
            VERSION,
        ];
        info.get_metric_with_label_values(&labels)?.set(1.0);
    }
    for policy in audited(posture) {
        let name = [policy.name.as_str()];
        let summary = summary(policy);
        score
            .get_metric_with_label_values(&name)?
            .set(f64::from(summary.score) / 100.0);
        coverage
            .get_metric_with_label_values(&name)?
            .set(f64::from(summary.coverage) / 100.0);
        compliant
            .get_metric_with_label_values(&name)?
            .set(flag(compliance(policy).status == "True"));
    }
    Ok(())
}

fn controls(registry: &Registry, posture: &Posture) -> Result<(), prometheus::Error> {
    let status = CONTROL_STATUS.gauges(registry)?;
    for policy in audited(posture) {
        for control in &policy.controls {
            for result in ControlResult::ALL {
                let severity = control.severity.as_str();
                let labels = [
                    &policy.name,
                    control.control.id,
                    severity,
                    control.control.chapter,
                    result.as_str(),
                ];
                status
                    .get_metric_with_label_values(&labels)?
                    .set(flag(control.result == result));
            }
        }
    }
    Ok(())
}

fn findings(registry: &Registry, posture: &Posture) -> Result<(), prometheus::Error> {
    let findings = FINDINGS.gauges(registry)?;
    for policy in audited(posture) {
        for it in policy.findings.iter().filter(|it| !it.finding.is_waived()) {
            let labels = [
                policy.name.as_str(),
                &it.finding.control,
                it.finding.severity.as_str(),
            ];
            findings.get_metric_with_label_values(&labels)?.inc();
        }
    }
    Ok(())
}

fn namespace_findings(registry: &Registry, posture: &Posture) -> Result<(), prometheus::Error> {
    let family = NAMESPACE_FINDINGS.gauges(registry)?;
    for (series, findings) in bounded(count_by_namespace(posture)) {
        let labels = [
            series.policy,
            &harmless(series.namespace),
            series.severity.as_str(),
        ];
        family
            .get_metric_with_label_values(&labels)?
            .add(f64::from(findings));
    }
    Ok(())
}

/// Ordered by what matters most: the first are kept.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Series<'a> {
    severity: Severity,
    policy: &'a str,
    namespace: &'a str,
}

fn count_by_namespace(posture: &Posture) -> BTreeMap<Series<'_>, u32> {
    let mut counts = BTreeMap::new();
    for policy in audited(posture) {
        for it in policy
            .findings
            .iter()
            .filter(|it| !it.finding.resource.home().is_empty() && !it.finding.is_waived())
        {
            let namespace = it.finding.resource.home();
            let series = Series {
                severity: it.finding.severity,
                policy: &policy.name,
                namespace,
            };
            *counts.entry(series).or_insert(0) += 1;
        }
    }
    counts
}

/// Folds what is too much into one series for each policy and severity, and where there are too many policies even for
/// that, into one for each severity.
fn bounded(counts: BTreeMap<Series<'_>, u32>) -> Vec<(Series<'_>, u32)> {
    if counts.len() <= MAX_NAMESPACE_SERIES {
        return counts.into_iter().collect();
    }
    let folded: BTreeSet<(Severity, &str)> = counts
        .keys()
        .map(|series| (series.severity, series.policy))
        .collect();
    let too_many = folded.len() > MAX_NAMESPACE_SERIES;
    let kept = MAX_NAMESPACE_SERIES.saturating_sub(if too_many {
        Severity::ALL.len()
    } else {
        folded.len()
    });
    let mut series: Vec<(Series<'_>, u32)> = counts.into_iter().collect();
    for (series, _) in series.iter_mut().skip(kept) {
        series.namespace = OTHER;
        if too_many {
            series.policy = OTHER;
        }
    }
    series
}

/// Nobody who did not ask for them has such series, or waits for them.
fn object_findings(registry: &Registry, posture: &Posture) -> Result<(), prometheus::Error> {
    let mut asking = audited(posture)
        .filter(|policy| policy.policy.spec.outputs.object_metrics)
        .peekable();
    if asking.peek().is_none() {
        return Ok(());
    }
    let family = OBJECT_FINDINGS.gauges(registry)?;
    for policy in asking {
        let objects = Objects::of(policy);
        for (object, findings) in &objects.worst {
            let [control, namespace, kind, name] = object.labels.map(harmless);
            let severity = object.severity.as_str();
            let labels = [&policy.name, &control, severity, &namespace, &kind, &name];
            family
                .get_metric_with_label_values(&labels)?
                .add(f64::from(*findings));
        }
        for (severity, findings) in &objects.rest {
            let labels = [&policy.name, OTHER, severity.as_str(), OTHER, OTHER, OTHER];
            family
                .get_metric_with_label_values(&labels)?
                .set(f64::from(*findings));
        }
    }
    Ok(())
}

/// An object and a control that it fails.
#[derive(Clone, Copy, PartialEq)]
struct ObjectSeries<'a> {
    severity: Severity,
    /// Control, namespace, kind and name.
    labels: [&'a str; 4],
}

impl<'a> ObjectSeries<'a> {
    fn of(finding: &'a Finding) -> Self {
        let resource = &finding.resource;
        Self {
            severity: finding.severity,
            labels: [&finding.control, resource.home(), &resource.kind, &resource.name],
        }
    }
}

/// How many findings there are in the objects that come first in a report, and in all others by severity.
#[derive(Default)]
struct Objects<'a> {
    worst: Vec<(ObjectSeries<'a>, u32)>,
    rest: BTreeMap<Severity, u32>,
}

impl<'a> Objects<'a> {
    fn of(policy: &'a PolicyPosture) -> Self {
        let mut objects = Self::default();
        for it in policy.findings.iter().filter(|it| !it.finding.is_waived()) {
            objects.count(ObjectSeries::of(&it.finding));
        }
        objects.make_room();
        objects
    }

    /// What one object has of one control stands together.
    fn count(&mut self, object: ObjectSeries<'a>) {
        let is_full = self.worst.len() == MAX_OBJECT_SERIES;
        match self.worst.last_mut() {
            Some((last, findings)) if *last == object => *findings += 1,
            _ if is_full => *self.rest.entry(object.severity).or_default() += 1,
            _ => self.worst.push((object, 1)),
        }
    }

    /// The rest has series as well, one for each severity.
    fn make_room(&mut self) {
        while self.worst.len() + self.rest.len() > MAX_OBJECT_SERIES {
            let Some((last, findings)) = self.worst.pop() else {
                return;
            };
            *self.rest.entry(last.severity).or_default() += findings;
        }
    }
}

fn controllers(registry: &Registry, posture: &Posture) -> Result<(), prometheus::Error> {
    let info = CONTROLLER_INFO.gauges(registry)?;
    let installations = posture.policies.values().flat_map(|policy| &policy.installations);
    // Policies share what they audit: the same controller is one series.
    let found: BTreeSet<[&str; 5]> = installations
        .flat_map(|installation| {
            installation.controllers.iter().map(|it| {
                [
                    it.name.as_str(),
                    &installation.namespace,
                    &it.workload,
                    &it.version,
                    &installation.installer,
                ]
            })
        })
        .collect();
    let is_too_much = found.len() > MAX_CONTROLLER_SERIES;
    let kept = MAX_CONTROLLER_SERIES - usize::from(is_too_much);
    for labels in found.into_iter().take(kept) {
        info.get_metric_with_label_values(&labels.map(harmless))?.set(1.0);
    }
    if is_too_much {
        info.get_metric_with_label_values(&[OTHER; 5])?.set(1.0);
    }
    Ok(())
}

fn waivers(registry: &Registry, posture: &Posture) -> Result<(), prometheus::Error> {
    let states = WAIVERS.gauges(registry)?;
    for state in WaiverState::ALL {
        states.get_metric_with_label_values(&[state.as_str()])?.set(0.0);
    }
    let expiry = WAIVER_EXPIRY.gauges(registry)?;
    for waiver in posture.waivers.values() {
        states
            .get_metric_with_label_values(&[waiver.state.as_str()])?
            .inc();
        let spec = &waiver.row.spec;
        let end = Duration::from_secs(u64::try_from(spec.expires.0.as_second()).unwrap_or_default());
        let labels = [&*waiver.name, &harmless(&spec.control)];
        expiry
            .get_metric_with_label_values(&labels)?
            .set(end.as_secs_f64());
    }
    Ok(())
}

fn kinds(registry: &Registry, posture: &Posture) -> Result<(), prometheus::Error> {
    let synced = KIND_SYNCED.gauges(registry)?;
    let objects = OBJECTS.gauges(registry)?;
    let undecodable = UNDECODABLE.gauges(registry)?;
    let tell = |name: &str, sight: KindSight| {
        let name = [name];
        synced
            .get_metric_with_label_values(&name)?
            .set(flag(sight.is_complete));
        objects
            .get_metric_with_label_values(&name)?
            .set(number(sight.rows));
        undecodable
            .get_metric_with_label_values(&name)?
            .set(number(sight.undecodable));
        Ok::<_, prometheus::Error>(())
    };
    for kind in &posture.kinds {
        let is_complete = kind.coverage.is_complete();
        tell(
            kind.kind.name(),
            KindSight {
                is_complete,
                rows: kind.rows,
                undecodable: kind.undecodable,
            },
        )?;
    }
    let is_too_much = posture.custom_kinds.len() > MAX_CUSTOM_KIND_SERIES;
    let kept = MAX_CUSTOM_KIND_SERIES - usize::from(is_too_much);
    let custom = |kind: &CustomKind| KindSight {
        is_complete: kind.coverage.is_complete(),
        rows: kind.rows,
        undecodable: kind.undecodable,
    };
    for kind in posture.custom_kinds.iter().take(kept) {
        tell(&harmless(&kind.target.full_name()), custom(kind))?;
    }
    if is_too_much {
        let rest = posture.custom_kinds.iter().skip(kept).map(custom);
        let all = rest.reduce(KindSight::and);
        all.map_or(Ok(()), |all| tell(OTHER, all))?;
    }
    Ok(())
}

/// How well a kind is seen, or several together.
#[derive(Clone, Copy)]
struct KindSight {
    is_complete: bool,
    rows: usize,
    undecodable: usize,
}

impl KindSight {
    fn and(self, other: Self) -> Self {
        Self {
            is_complete: self.is_complete && other.is_complete,
            rows: self.rows + other.rows,
            undecodable: self.undecodable + other.undecodable,
        }
    }
}

fn flag(yes: bool) -> f64 {
    if yes { 1.0 } else { 0.0 }
}

fn number(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::engine::FindingPosture;
    use crate::render::fixture::failing;

    fn posture(policy: PolicyPosture) -> Posture {
        Posture {
            policies: BTreeMap::from([(policy.name.clone(), Arc::new(policy))]),
            kinds: Vec::new(),
            custom_kinds: Vec::new(),
            published: BTreeMap::new(),
            policies_known: true,
            settled: true,
            pending: Vec::new(),
            sight: crate::engine::posture::Sight::Whole,
            waivers: Arc::default(),
        }
    }

    fn series(posture: &Posture, family: &str) -> Vec<(String, f64)> {
        let families = families(posture, true).unwrap();
        let family = families.into_iter().find(|it| it.name() == family).unwrap();
        let label = |metric: &prometheus::proto::Metric| {
            metric
                .get_label()
                .iter()
                .map(|label| label.value().to_owned())
                .collect::<Vec<_>>()
                .join(",")
        };
        family
            .get_metric()
            .iter()
            .map(|metric| (label(metric), metric.get_gauge().get_value()))
            .collect()
    }

    #[test]
    fn namespace_series_are_bounded_and_lose_nothing() {
        let names: Vec<String> = (0..3000).map(|number| format!("n{number:04}")).collect();
        let posture = posture(failing(&names.iter().map(String::as_str).collect::<Vec<_>>()));
        let series = series(&posture, "flux_security_namespace_findings");
        assert_eq!(series.len(), MAX_NAMESPACE_SERIES);
        assert!((series.iter().map(|(_, value)| value).sum::<f64>() - 3000.0).abs() < f64::EPSILON);
    }

    #[test]
    fn series_of_objects_are_those_that_come_first_and_lose_nothing() {
        let names: Vec<String> = (0..5_000).map(|number| format!("n{number:04}")).collect();
        let mut policy = failing(&names.iter().map(String::as_str).collect::<Vec<_>>());
        policy.policy.spec.outputs.object_metrics = true;
        // Two in one object are one series; what is waived is none.
        policy.findings.edit(|all| {
            let mut again = FindingPosture::clone(&all[7]);
            again.finding.observed = "something else".to_owned();
            all.insert(8, Arc::new(again));
            let mut waived = FindingPosture::clone(&all[0]);
            waived.finding.waiver = "accepted".to_owned();
            all[0] = Arc::new(waived);
        });
        let series = series(&posture(policy), "flux_security_object_findings");
        assert_eq!(series.len(), MAX_OBJECT_SERIES);
        let value = |namespace: &str| {
            let mut found = series.iter().filter(|(labels, _)| labels.contains(namespace));
            found.next().map(|(_, value)| *value)
        };
        assert_eq!(
            ["n0000", "n0001", "n0007", "n1999", "n2000", OTHER].map(value),
            [None, Some(1.0), Some(2.0), Some(1.0), None, Some(3_000.0)]
        );
    }

    #[test]
    fn the_rest_of_each_severity_has_room_among_the_series_of_objects() {
        let names: Vec<String> = (0..2_003).map(|number| format!("n{number:04}")).collect();
        let mut policy = failing(&names.iter().map(String::as_str).collect::<Vec<_>>());
        policy.policy.spec.outputs.object_metrics = true;
        policy.findings.edit(|all| {
            for (it, severity) in all.iter_mut().skip(2_000).zip(Severity::ALL.into_iter().skip(2)) {
                let mut lesser = FindingPosture::clone(it);
                lesser.finding.severity = severity;
                *it = Arc::new(lesser);
            }
        });
        let series = series(&posture(policy), "flux_security_object_findings");
        assert_eq!(series.len(), MAX_OBJECT_SERIES);
        let rest = series.iter().filter(|(labels, _)| labels.contains(OTHER));
        let rest: Vec<f64> = rest.map(|(_, value)| *value).collect();
        // Four of them were High.
        assert!((rest.iter().sum::<f64>() - 7.0).abs() < f64::EPSILON);
        assert_eq!(rest.len(), 4);
    }

    #[test]
    fn one_result_of_a_control_is_set() {
        let posture = posture(failing(&["a"]));
        let series = series(&posture, "flux_security_control_status");
        assert_eq!(series.len(), ControlResult::ALL.len());
        assert_eq!(series.iter().filter(|(_, value)| *value > 0.5).count(), 1);
    }

    #[test]
    fn an_invalid_policy_has_no_score() {
        let mut policy = failing(&["a"]);
        policy.invalid = Some("bad".to_owned());
        let families = families(&posture(policy), true).unwrap();
        let names: Vec<&str> = families.iter().map(MetricFamily::name).collect();
        assert_eq!(
            names,
            [
                "flux_security_leader",
                "flux_security_report_info",
                "flux_security_waivers"
            ]
        );
    }
}
