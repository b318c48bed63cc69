//! Rules of Prometheus that speak of Flux: another way to be told of failures. No other rule is kept.

use super::{Descriptor, Kind, Meta, Origin};

/// A rule that speaks of Flux.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleRow {
    /// Where it comes from.
    pub origin: Origin,
}

/// `monitoring.coreos.com PrometheusRule`.
pub struct PrometheusRule;

/// What the names of Flux's metrics begin with.
const METRICS: &str = "gotk_";

impl Kind for PrometheusRule {
    type Row = RuleRow;
    const DESCRIPTOR: Descriptor = Descriptor {
        group: "monitoring.coreos.com",
        kind: "PrometheusRule",
        plural: "prometheusrules",
        versions: &["v1"],
        custom: true,
        page_size: 20,
        metadata_only: false,
    };

    fn project(meta: &Meta, object: &str) -> Result<Option<RuleRow>, serde_json::Error> {
        Ok(object.contains(METRICS).then(|| RuleRow {
            origin: meta.origin(&Self::DESCRIPTOR),
        }))
    }

    fn origin(row: &RuleRow) -> Option<&Origin> {
        Some(&row.origin)
    }
}
