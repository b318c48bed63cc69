//! Every dashboard of Grafana, in one table.
//!
//! Metrics are not called after a cluster; the policy's `clusterName` is a label of `flux_security_report_info`, and
//! queries take it from there. `cluster` is what a Prometheus of many clusters calls them, where it has a name for it.

/// A dashboard.
#[derive(Debug)]
pub struct Dashboard {
    /// Its name: that of its file, and its uid with `flux-security-` before it.
    pub name: &'static str,
    /// Its title.
    pub title: &'static str,
    /// What it shows.
    pub description: &'static str,
    /// What its reader chooses.
    pub variables: &'static [Variable],
    /// From left to right, and from top to bottom.
    pub panels: &'static [Panel],
}

/// What a reader chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variable {
    /// Clusters, by the `clusterName` of their policies.
    Cluster,
    /// Policies.
    Policy,
    /// Replicas, by the address that is scraped.
    Instance,
}

/// A panel.
#[derive(Debug)]
pub struct Panel {
    /// Its title.
    pub title: &'static str,
    /// How it looks.
    pub shape: Shape,
    /// Grafana's name of the unit.
    pub unit: &'static str,
    /// Columns of 24.
    pub width: u32,
    /// What it asks.
    pub queries: &'static [Query],
}

/// How a panel looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Numbers.
    Stat,
    /// Lines over time.
    Lines,
    /// Bars.
    Bars,
    /// Rows, one for each combination of labels.
    Table,
}

/// What a panel asks.
#[derive(Debug)]
pub struct Query {
    /// In PromQL.
    pub expr: &'static str,
    /// What is written beside a line, or over a column.
    pub legend: &'static str,
}

/// An expression whose series have the labels of a policy, for the chosen clusters and policies, with the cluster's name.
macro_rules! chosen {
    ($expr:literal) => {
        concat!(
            "(",
            $expr,
            ") * on (cluster, job, instance, policy) group_left (cluster_name) \
             flux_security_report_info{cluster_name=~\"$cluster\", policy=~\"$policy\"}"
        )
    };
    ($before:literal, $expr:literal, $after:literal) => {
        concat!(
            $before,
            "(",
            $expr,
            ") * on (cluster, job, instance, policy) group_left (cluster_name) \
             flux_security_report_info{cluster_name=~\"$cluster\", policy=~\"$policy\"}",
            $after
        )
    };
}

const fn panel(
    title: &'static str,
    shape: Shape,
    unit: &'static str,
    width: u32,
    queries: &'static [Query],
) -> Panel {
    Panel {
        title,
        shape,
        unit,
        width,
        queries,
    }
}

const fn query(expr: &'static str, legend: &'static str) -> Query {
    Query { expr, legend }
}

const OF_POSTURE: &[Variable] = &[Variable::Cluster, Variable::Policy];
const SCORE: &str = chosen!("flux_security_score_ratio");
const COVERAGE: &str = chosen!("flux_security_coverage_ratio");
const COMPLIANT: &str = chosen!("flux_security_compliant");
const AGE: &str = chosen!("time() - flux_security_last_success_timestamp_seconds");
const BY_SEVERITY: &str = chosen!(
    "sum by (severity) (",
    "flux_security_control_status{result=\"Fail\"}",
    ")"
);
const BY_POLICY: &str = chosen!(
    "sum by (cluster, cluster_name, policy) (",
    "flux_security_control_status{result=\"Fail\"}",
    ")"
);
const FINDINGS: &str = chosen!("sum(", "flux_security_findings", ") or vector(0)");

/// All of them.
pub const DASHBOARDS: &[&Dashboard] = &[&FLEET, &CLUSTER, &TENANTS, &WAIVERS, &OPERATOR];

const FLEET: Dashboard = Dashboard {
    name: "fleet",
    title: "Flux Security / Fleet",
    description: "Every cluster that is audited, by the clusterName of its policies.",
    variables: OF_POSTURE,
    panels: &[
        panel(
            "Policies",
            Shape::Stat,
            "short",
            4,
            &[query(chosen!("count(", "flux_security_score_ratio", ")"), "")],
        ),
        panel(
            "Compliant",
            Shape::Stat,
            "short",
            4,
            &[query(chosen!("sum(", "flux_security_compliant", ")"), "")],
        ),
        panel(
            "Lowest score",
            Shape::Stat,
            "percentunit",
            4,
            &[query(chosen!("min(", "flux_security_score_ratio", ")"), "")],
        ),
        panel(
            "Failing controls by severity",
            Shape::Bars,
            "short",
            12,
            &[query(BY_SEVERITY, "{{severity}}")],
        ),
        panel(
            "Policies by cluster",
            Shape::Table,
            "short",
            24,
            &[
                query(
                    chosen!(
                        "max by (cluster, cluster_name, policy) (",
                        "flux_security_compliant",
                        ")"
                    ),
                    "Compliant",
                ),
                query(
                    chosen!(
                        "max by (cluster, cluster_name, policy) (",
                        "flux_security_score_ratio",
                        ")"
                    ),
                    "Score",
                ),
                query(
                    chosen!(
                        "max by (cluster, cluster_name, policy) (",
                        "flux_security_coverage_ratio",
                        ")"
                    ),
                    "Coverage",
                ),
                query(BY_POLICY, "Failing"),
            ],
        ),
        panel(
            "Score",
            Shape::Lines,
            "percentunit",
            12,
            &[query(SCORE, "{{cluster_name}} {{policy}}")],
        ),
        panel(
            "Failing controls",
            Shape::Lines,
            "short",
            12,
            &[query(BY_POLICY, "{{cluster_name}} {{policy}}")],
        ),
        panel(
            "What fails most often",
            Shape::Table,
            "short",
            12,
            &[query(
                chosen!(
                    "topk(25, sum by (control, severity) (",
                    "flux_security_control_status{result=\"Fail\"}",
                    ") > 0)"
                ),
                "Policies",
            )],
        ),
        panel(
            "Controllers by version",
            Shape::Table,
            "short",
            12,
            &[query(
                "count by (controller, version, installer) (flux_security_controller_info)",
                "Controllers",
            )],
        ),
        panel(
            "Since the last audit that was published",
            Shape::Lines,
            "s",
            24,
            &[query(AGE, "{{cluster_name}} {{policy}}")],
        ),
    ],
};

const CLUSTER: Dashboard = Dashboard {
    name: "cluster",
    title: "Flux Security / Cluster",
    description: "The posture of a cluster, control by control.",
    variables: OF_POSTURE,
    panels: &[
        panel(
            "Score",
            Shape::Stat,
            "percentunit",
            4,
            &[query(SCORE, "{{policy}}")],
        ),
        panel(
            "Coverage",
            Shape::Stat,
            "percentunit",
            4,
            &[query(COVERAGE, "{{policy}}")],
        ),
        panel(
            "Compliant",
            Shape::Stat,
            "bool_yes_no",
            4,
            &[query(COMPLIANT, "{{policy}}")],
        ),
        panel("Findings", Shape::Stat, "short", 4, &[query(FINDINGS, "")]),
        panel(
            "Controls by result",
            Shape::Bars,
            "short",
            8,
            &[query(
                chosen!("sum by (result) (", "flux_security_control_status", ")"),
                "{{result}}",
            )],
        ),
        panel(
            "Failing controls",
            Shape::Table,
            "short",
            12,
            &[query(
                chosen!(
                    "sum by (policy, severity, control, chapter) (",
                    "flux_security_control_status{result=\"Fail\"}",
                    ") > 0"
                ),
                "",
            )],
        ),
        panel(
            "Findings by control",
            Shape::Table,
            "short",
            12,
            &[query(
                chosen!(
                    "sum by (policy, severity, control) (",
                    "flux_security_findings",
                    ")"
                ),
                "Findings",
            )],
        ),
        panel(
            "Failing controls by severity",
            Shape::Lines,
            "short",
            12,
            &[query(BY_SEVERITY, "{{severity}}")],
        ),
        panel(
            "Score",
            Shape::Lines,
            "percentunit",
            12,
            &[query(SCORE, "{{policy}}")],
        ),
        panel(
            "Changes of results",
            Shape::Table,
            "short",
            12,
            &[query(
                "sum by (policy, control, to) (increase(flux_security_transitions_total{policy=~\"$policy\"}[$__range])) > 0 or sum by (policy, control, to) (flux_security_transitions_total{policy=~\"$policy\"}) > 0",
                "Changes",
            )],
        ),
        panel(
            "Flux's controllers",
            Shape::Table,
            "short",
            12,
            &[query(
                "max by (exported_namespace, controller, workload, version, installer) (flux_security_controller_info)",
                "",
            )],
        ),
    ],
};

const TENANTS: Dashboard = Dashboard {
    name: "tenants",
    title: "Flux Security / Tenants",
    description: "Findings by namespace. The worst have series of their own; the rest is the namespace _other.",
    variables: OF_POSTURE,
    panels: &[
        panel(
            "Namespaces with findings",
            Shape::Stat,
            "short",
            6,
            &[query(
                chosen!(
                    "count(sum by (cluster, exported_namespace) (",
                    "flux_security_namespace_findings",
                    "))"
                ),
                "",
            )],
        ),
        panel(
            "Findings by severity",
            Shape::Bars,
            "short",
            18,
            &[query(
                chosen!("sum by (severity) (", "flux_security_namespace_findings", ")"),
                "{{severity}}",
            )],
        ),
        panel(
            "Namespaces with most findings",
            Shape::Table,
            "short",
            24,
            &[query(
                chosen!(
                    "topk(50, sum by (cluster_name, exported_namespace, severity) (",
                    "flux_security_namespace_findings",
                    "))"
                ),
                "Findings",
            )],
        ),
        panel(
            "Findings over time",
            Shape::Lines,
            "short",
            24,
            &[query(
                chosen!(
                    "topk(10, sum by (exported_namespace) (",
                    "flux_security_namespace_findings",
                    "))"
                ),
                "{{exported_namespace}}",
            )],
        ),
    ],
};

const WAIVERS: Dashboard = Dashboard {
    name: "waivers",
    title: "Flux Security / Waivers",
    description: "Accepted risks, and when they end.",
    variables: OF_POSTURE,
    panels: &[
        panel(
            "Waived controls",
            Shape::Stat,
            "short",
            6,
            &[query(
                chosen!("sum(", "flux_security_control_status{result=\"Waived\"}", ")"),
                "",
            )],
        ),
        panel(
            "Waivers by state",
            Shape::Bars,
            "short",
            18,
            &[query(
                "max by (cluster, state) (flux_security_waivers)",
                "{{state}}",
            )],
        ),
        panel(
            "Time that is left",
            Shape::Table,
            "s",
            24,
            &[query(
                "sort(min by (cluster, waiver, control) (flux_security_waiver_expiry_timestamp_seconds) - time())",
                "Left",
            )],
        ),
        panel(
            "Waived controls over time",
            Shape::Lines,
            "short",
            24,
            &[query(
                chosen!(
                    "sum by (cluster_name, policy) (",
                    "flux_security_control_status{result=\"Waived\"}",
                    ")"
                ),
                "{{cluster_name}} {{policy}}",
            )],
        ),
    ],
};

const OPERATOR: Dashboard = Dashboard {
    name: "operator",
    title: "Flux Security / Operator",
    description: "The health of the operator itself.",
    variables: &[Variable::Instance],
    panels: &[
        panel(
            "Version",
            Shape::Table,
            "short",
            8,
            &[query("flux_security_build_info{instance=~\"$instance\"}", "")],
        ),
        panel(
            "Leads",
            Shape::Stat,
            "bool_yes_no",
            6,
            &[query(
                "flux_security_leader{instance=~\"$instance\"}",
                "{{instance}}",
            )],
        ),
        panel(
            "Kinds that are not seen",
            Shape::Stat,
            "short",
            4,
            &[query(
                "count(flux_security_kind_synced{instance=~\"$instance\"} == 0) or vector(0)",
                "",
            )],
        ),
        panel(
            "Objects that cannot be read",
            Shape::Stat,
            "short",
            6,
            &[query(
                "sum(max by (kind) (flux_security_undecodable_objects{instance=~\"$instance\"}))",
                "",
            )],
        ),
        panel(
            "From change to report, nine of ten",
            Shape::Lines,
            "s",
            12,
            &[query(
                "histogram_quantile(0.9, sum by (policy, le) (rate(flux_security_change_to_report_seconds_bucket{instance=~\"$instance\"}[$__rate_interval])))",
                "{{policy}}",
            )],
        ),
        panel(
            "Evaluation, nine of ten",
            Shape::Lines,
            "s",
            12,
            &[query(
                "histogram_quantile(0.9, sum by (policy, le) (rate(flux_security_evaluation_duration_seconds_bucket{instance=~\"$instance\"}[$__rate_interval])))",
                "{{policy}}",
            )],
        ),
        panel(
            "Writes of reports",
            Shape::Lines,
            "short",
            8,
            &[query(
                "sum by (outcome) (rate(flux_security_report_writes_total{instance=~\"$instance\"}[$__rate_interval]))",
                "{{outcome}}",
            )],
        ),
        panel(
            "Events",
            Shape::Lines,
            "short",
            8,
            &[
                query(
                    "sum by (outcome) (rate(flux_security_events_total{instance=~\"$instance\"}[$__rate_interval]))",
                    "{{outcome}}",
                ),
                query(
                    "sum by (outcome) (rate(flux_security_events_dropped_total{instance=~\"$instance\"}[$__rate_interval]))",
                    "dropped: {{outcome}}",
                ),
            ],
        ),
        panel(
            "Watches that began anew",
            Shape::Lines,
            "short",
            8,
            &[query(
                "sum by (kind) (increase(flux_security_watch_restarts_total{instance=~\"$instance\"}[$__rate_interval]))",
                "{{kind}}",
            )],
        ),
        panel(
            "Memory",
            Shape::Lines,
            "bytes",
            8,
            &[query(
                "process_resident_memory_bytes{instance=~\"$instance\"} and on (instance, job) flux_security_build_info",
                "{{instance}}",
            )],
        ),
        panel(
            "Processor",
            Shape::Lines,
            "short",
            8,
            &[query(
                "rate(process_cpu_seconds_total{instance=~\"$instance\"}[$__rate_interval]) and on (instance, job) flux_security_build_info",
                "{{instance}}",
            )],
        ),
        panel(
            "Open files",
            Shape::Lines,
            "short",
            8,
            &[query(
                "process_open_fds{instance=~\"$instance\"} and on (instance, job) flux_security_build_info",
                "{{instance}}",
            )],
        ),
        panel(
            "Objects of which something is kept",
            Shape::Lines,
            "short",
            24,
            &[query(
                "max by (kind) (flux_security_objects{instance=~\"$instance\"}) > 0",
                "{{kind}}",
            )],
        ),
    ],
};
