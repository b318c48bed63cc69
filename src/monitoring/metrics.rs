//! Every metric of `/metrics`, in one table: whoever serves one takes its name, labels and help from here.

use prometheus::{
    GaugeVec, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, Opts, Registry, exponential_buckets,
};

use crate::api::{ControlResult, Severity, WaiverState};

/// Series of `flux_security_namespace_findings`.
pub const MAX_NAMESPACE_SERIES: usize = 1000;
/// Series of `flux_security_object_findings` for each policy.
pub const MAX_OBJECT_SERIES: usize = 2000;
/// Series of kinds that custom controls ask for: users choose them.
pub const MAX_CUSTOM_KIND_SERIES: usize = 100;
/// Series of `flux_security_controller_info`.
pub const MAX_CONTROLLER_SERIES: usize = 1000;
/// Stands in labels for what is too much for a series of its own. No object can be called so.
pub const OTHER: &str = "_other";

/// A family of `/metrics`.
#[derive(Debug)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub kind: Type,
    /// Labels of its series.
    pub labels: &'static [&'static str],
    /// What it means: the HELP text.
    pub help: &'static str,
    /// How many series it can have.
    pub bound: Bound,
    /// Which replicas have it.
    pub told_by: Replicas,
}

/// Type of a metric.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Type {
    /// Goes up and down.
    Gauge,
    /// Goes up.
    Counter,
    /// Counts observations up to so many bounds, each a multiple of the one before.
    Histogram {
        /// The least bound in seconds.
        least: f64,
        /// From one bound to the next.
        factor: f64,
        /// How many bounds.
        count: usize,
    },
}

/// Which replicas have a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replicas {
    /// Each for itself.
    Each,
    /// The one that writes the reports.
    Leader,
}

/// A number of series: so many for each combination.
#[derive(Clone, Copy, Debug)]
pub struct Bound {
    /// How many.
    pub series: usize,
    /// Of what.
    pub each: &'static [Each],
    /// So many more for kinds that custom controls ask for.
    pub custom_kinds: usize,
}

/// What there are many of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Each {
    /// Policies of the cluster.
    Policy,
    /// Controls of the catalogue.
    Control,
    /// Kinds of the catalogue.
    Kind,
    /// Waivers of the cluster.
    Waiver,
}

/// How many there are of what series are made for.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Policies of the cluster.
    pub policies: usize,
    /// Controls of the catalogue.
    pub controls: usize,
    /// Kinds that are watched.
    pub kinds: usize,
    /// Waivers of the cluster.
    pub waivers: usize,
}

impl Type {
    /// As the text format writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gauge => "gauge",
            Self::Counter => "counter",
            Self::Histogram { .. } => "histogram",
        }
    }
}

impl Bound {
    const fn series(series: usize) -> Self {
        Self::each(series, &[])
    }

    const fn each(series: usize, each: &'static [Each]) -> Self {
        Self {
            series,
            each,
            custom_kinds: 0,
        }
    }

    /// The bound of a histogram: its buckets, the infinite one, sum and count.
    const fn histogram(kind: Type) -> Self {
        let Type::Histogram { count, .. } = kind else {
            return Self::series(0);
        };
        Self::each(count + 3, &[Each::Policy])
    }

    /// The number of series in a cluster.
    #[must_use]
    pub fn at_most(self, size: Size) -> usize {
        let many = |each: &Each| match each {
            Each::Policy => size.policies,
            Each::Control => size.controls,
            Each::Kind => size.kinds,
            Each::Waiver => size.waivers,
        };
        self.each.iter().map(many).product::<usize>() * self.series + self.custom_kinds
    }
}

impl Metric {
    const fn gauge(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Self {
        Self {
            name,
            kind: Type::Gauge,
            labels,
            help,
            bound: Bound::series(1),
            told_by: Replicas::Each,
        }
    }

    const fn counter(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Self {
        Self {
            kind: Type::Counter,
            ..Self::gauge(name, labels, help)
        }
    }

    const fn histogram(
        name: &'static str,
        labels: &'static [&'static str],
        help: &'static str,
        kind: Type,
    ) -> Self {
        Self {
            kind,
            bound: Bound::histogram(kind),
            ..Self::gauge(name, labels, help)
        }
    }

    const fn of(self, series: usize, each: &'static [Each]) -> Self {
        Self {
            bound: Bound::each(series, each),
            ..self
        }
    }

    /// One for each kind that is watched, and some for those that custom controls ask for.
    const fn of_kinds(self) -> Self {
        let each = Bound::each(1, &[Each::Kind]);
        Self {
            bound: Bound {
                custom_kinds: MAX_CUSTOM_KIND_SERIES,
                ..each
            },
            ..self
        }
    }

    const fn of_leader(self) -> Self {
        Self {
            told_by: Replicas::Leader,
            ..self
        }
    }

    /// Name and help, as the metrics library wants them.
    #[must_use]
    pub fn opts(&self) -> Opts {
        Opts::new(self.name, self.help)
    }

    /// Its gauges, in a registry.
    ///
    /// # Errors
    /// A metric of that name is registered already.
    pub fn gauges(&self, registry: &Registry) -> Result<GaugeVec, prometheus::Error> {
        let gauges = GaugeVec::new(self.opts(), self.labels)?;
        registry.register(Box::new(gauges.clone()))?;
        Ok(gauges)
    }

    /// Its counters, in a registry.
    ///
    /// # Errors
    /// A metric of that name is registered already.
    pub fn counters(&self, registry: &Registry) -> Result<IntCounterVec, prometheus::Error> {
        let counters = IntCounterVec::new(self.opts(), self.labels)?;
        registry.register(Box::new(counters.clone()))?;
        Ok(counters)
    }

    /// Its counters, in a registry, one for each value of their only label: a counter that begins with 1 is no
    /// increase to Prometheus.
    ///
    /// # Errors
    /// A metric of that name is registered already.
    pub fn counters_of<const N: usize>(
        &self,
        registry: &Registry,
        values: [&str; N],
    ) -> Result<[IntCounter; N], prometheus::Error> {
        let counters = self.counters(registry)?;
        Ok(values.map(|value| counters.with_label_values(&[value])))
    }

    /// Its histograms, in a registry.
    ///
    /// # Errors
    /// A metric of that name is registered already, or is no histogram.
    pub fn histograms(&self, registry: &Registry) -> Result<HistogramVec, prometheus::Error> {
        let buckets = match self.kind {
            Type::Histogram { least, factor, count } => exponential_buckets(least, factor, count)?,
            Type::Gauge | Type::Counter => Vec::new(),
        };
        let opts = HistogramOpts::from(self.opts()).buckets(buckets);
        let histograms = HistogramVec::new(opts, self.labels)?;
        registry.register(Box::new(histograms.clone()))?;
        Ok(histograms)
    }
}

const RESULTS: usize = ControlResult::ALL.len();
const SEVERITIES: usize = Severity::ALL.len();

/// Of the policies.
pub const REPORT_INFO: Metric = Metric::gauge(
    "flux_security_report_info",
    &["policy", "tenancy", "cluster_name", "catalogue"],
    "A policy and what it is audited against, always 1.",
)
.of(1, &[Each::Policy])
.of_leader();

/// Of the controls.
pub const CONTROL_STATUS: Metric = Metric::gauge(
    "flux_security_control_status",
    &["policy", "control", "severity", "chapter", "result"],
    "1 for the result that a control has, 0 for all others.",
)
.of(RESULTS, &[Each::Policy, Each::Control])
.of_leader();

/// Of the findings by control.
pub const FINDINGS: Metric = Metric::gauge(
    "flux_security_findings",
    &["policy", "control", "severity"],
    "Failing objects of a control that no waiver covers; no series where there are none.",
)
.of(SEVERITIES, &[Each::Policy, Each::Control])
.of_leader();

/// Of the findings by namespace.
pub const NAMESPACE_FINDINGS: Metric = Metric::gauge(
    "flux_security_namespace_findings",
    &["policy", "exported_namespace", "severity"],
    "Failing objects in a namespace that no waiver covers. The worst have series of their own, the rest is counted under the namespace _other.",
)
.of(MAX_NAMESPACE_SERIES, &[])
.of_leader();

/// Of the findings by object.
pub const OBJECT_FINDINGS: Metric = Metric::gauge(
    "flux_security_object_findings",
    &[
        "policy",
        "control",
        "severity",
        "exported_namespace",
        "kind",
        "name",
    ],
    "Findings of a control in an object that no waiver covers; no series unless the policy asks for them by spec.outputs.objectMetrics. The worst have series of their own, the rest is counted by severity under the labels _other.",
)
.of(MAX_OBJECT_SERIES, &[Each::Policy])
.of_leader();

/// Of the score.
pub const SCORE: Metric = Metric::gauge(
    "flux_security_score_ratio",
    &["policy"],
    "Weight of the passing controls over the weight of the passing and the failing ones, from 0 to 1.",
)
.of(1, &[Each::Policy])
.of_leader();

/// Of the coverage.
pub const COVERAGE: Metric = Metric::gauge(
    "flux_security_coverage_ratio",
    &["policy"],
    "Share of the applicable controls that could be judged, from 0 to 1.",
)
.of(1, &[Each::Policy])
.of_leader();

/// Of compliance.
pub const COMPLIANT: Metric = Metric::gauge(
    "flux_security_compliant",
    &["policy"],
    "1 when no control at or above the policy's failOn fails or is unknown, otherwise 0.",
)
.of(1, &[Each::Policy])
.of_leader();

/// Of the age of what is published.
pub const LAST_SUCCESS: Metric = Metric::gauge(
    "flux_security_last_success_timestamp_seconds",
    &["policy"],
    "When everything known about a policy was last confirmed to be published. No series while the policy is suspended or invalid.",
)
.of(1, &[Each::Policy])
.of_leader();

/// Of the transitions.
pub const TRANSITIONS: Metric = Metric::counter(
    "flux_security_transitions_total",
    &["policy", "control", "to"],
    "Published changes of a control's result, by the new one.",
)
.of(RESULTS, &[Each::Policy, Each::Control])
.of_leader();

/// Of the waivers by state.
pub const WAIVERS: Metric = Metric::gauge(
    "flux_security_waivers",
    &["state"],
    "Waivers by their state: Active, ExpiringSoon, Expired or Unmatched.",
)
.of(WaiverState::ALL.len(), &[])
.of_leader();

/// Of the end of a waiver.
pub const WAIVER_EXPIRY: Metric = Metric::gauge(
    "flux_security_waiver_expiry_timestamp_seconds",
    &["waiver", "control"],
    "When a waiver ends, or ended.",
)
.of(1, &[Each::Waiver])
.of_leader();

/// Of the time of an evaluation.
pub const EVALUATION_DURATION: Metric = Metric::histogram(
    "flux_security_evaluation_duration_seconds",
    &["policy"],
    "Time to take in a batch of changes and to evaluate what they affect. Policies share their verdicts: a batch counts for each of them.",
    Type::Histogram {
        least: 0.000_05,
        factor: 4.0,
        count: 9,
    },
);

/// Of the time from a change to its report.
pub const CHANGE_TO_REPORT: Metric = Metric::histogram(
    "flux_security_change_to_report_seconds",
    &["policy"],
    "Time from seeing a change to having written the report that contains it.",
    Type::Histogram {
        least: 0.005,
        factor: 2.0,
        count: 12,
    },
)
.of_leader();

/// Of Flux's controllers.
pub const CONTROLLER_INFO: Metric = Metric::gauge(
    "flux_security_controller_info",
    &[
        "controller",
        "exported_namespace",
        "workload",
        "version",
        "installer",
    ],
    "A Flux controller that was found, always 1. Beyond the limit, the rest is one series with the labels _other.",
)
.of(MAX_CONTROLLER_SERIES, &[])
.of_leader();

/// Of the sight of kinds.
pub const KIND_SYNCED: Metric = Metric::gauge(
    "flux_security_kind_synced",
    &["kind"],
    "1 when every object of a kind is known, or none can exist; 0 when it is forbidden, not served in a known version, failing, or not listed yet. Kinds that custom controls ask for are called as in Widget.v1.example.com; those that are too many are one series called _other.",
)
.of_kinds();

/// Of the watches.
pub const WATCH_RESTARTS: Metric = Metric::counter(
    "flux_security_watch_restarts_total",
    &["kind"],
    "Watches that had to be started again.",
)
.of_kinds();

/// Of the objects.
pub const OBJECTS: Metric = Metric::gauge(
    "flux_security_objects",
    &["kind"],
    "Objects of a kind that the operator keeps something of.",
)
.of_kinds();

/// Of the objects that nobody can read.
pub const UNDECODABLE: Metric = Metric::gauge(
    "flux_security_undecodable_objects",
    &["kind"],
    "Objects of a kind that could not be read.",
)
.of_kinds();

/// Of the writes.
pub const REPORT_WRITES: Metric = Metric::counter(
    "flux_security_report_writes_total",
    &["outcome"],
    "Writes of reports, namespace reports and the statuses of policies and waivers: success or error.",
)
.of(2, &[]);

/// Of the Events.
pub const EVENTS: Metric = Metric::counter(
    "flux_security_events_total",
    &["outcome"],
    "Events that were sent (success) and those that were finally given up (error).",
)
.of(2, &[]);

/// Of the Events that nobody got.
pub const EVENTS_DROPPED: Metric = Metric::counter(
    "flux_security_events_dropped_total",
    &["outcome"],
    "Events that were given up: the API server refused them (refused) or failed for too long (error), or notification-controller did not accept them (notification).",
)
.of(3, &[]);

/// Of who leads.
pub const LEADER: Metric = Metric::gauge(
    "flux_security_leader",
    &[],
    "1 on the replica that writes, 0 on the others.",
);

/// Of the build.
pub const BUILD_INFO: Metric = Metric::gauge(
    "flux_security_build_info",
    &["version", "commit"],
    "The version and the commit that run, always 1.",
);

/// Of the processor.
pub const PROCESS_CPU: Metric = Metric::counter(
    "process_cpu_seconds_total",
    &[],
    "Total user and system CPU time spent in seconds.",
);

/// Of the start.
pub const PROCESS_START: Metric = Metric::gauge(
    "process_start_time_seconds",
    &[],
    "Start time of the process since unix epoch in seconds.",
);

/// Of the memory that is there.
pub const PROCESS_RESIDENT: Metric = Metric::gauge(
    "process_resident_memory_bytes",
    &[],
    "Resident memory size in bytes.",
);

/// Of the memory that is asked for.
pub const PROCESS_VIRTUAL: Metric = Metric::gauge(
    "process_virtual_memory_bytes",
    &[],
    "Virtual memory size in bytes.",
);

/// Of the threads.
pub const PROCESS_THREADS: Metric =
    Metric::gauge("process_threads", &[], "Number of OS threads in the process.");

/// Of the open files.
pub const PROCESS_OPEN_FDS: Metric =
    Metric::gauge("process_open_fds", &[], "Number of open file descriptors.");

/// Of the files that may be open.
pub const PROCESS_MAX_FDS: Metric =
    Metric::gauge("process_max_fds", &[], "Maximum number of open file descriptors.");

/// All of them.
pub const METRICS: &[&Metric] = &[
    &REPORT_INFO,
    &CONTROL_STATUS,
    &FINDINGS,
    &NAMESPACE_FINDINGS,
    &OBJECT_FINDINGS,
    &SCORE,
    &COVERAGE,
    &COMPLIANT,
    &LAST_SUCCESS,
    &TRANSITIONS,
    &WAIVERS,
    &WAIVER_EXPIRY,
    &EVALUATION_DURATION,
    &CHANGE_TO_REPORT,
    &CONTROLLER_INFO,
    &KIND_SYNCED,
    &WATCH_RESTARTS,
    &OBJECTS,
    &UNDECODABLE,
    &REPORT_WRITES,
    &EVENTS,
    &EVENTS_DROPPED,
    &LEADER,
    &BUILD_INFO,
    &PROCESS_CPU,
    &PROCESS_START,
    &PROCESS_RESIDENT,
    &PROCESS_VIRTUAL,
    &PROCESS_THREADS,
    &PROCESS_OPEN_FDS,
    &PROCESS_MAX_FDS,
];
