//! Dashboards, as Grafana reads them.

use serde_json::{Value, json};

use crate::monitoring::dashboards::{Dashboard, Panel, Query, Shape, Variable};

/// Version of the model that is written: what is read is upgraded by Grafana itself.
const SCHEMA: u32 = 39;
/// Columns of a dashboard.
const COLUMNS: u32 = 24;

/// A dashboard as JSON.
#[must_use]
pub fn json(dashboard: &Dashboard) -> String {
    let mut variables = vec![json!({
        "name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus",
    })];
    variables.extend(dashboard.variables.iter().map(|it| variable(*it)));
    let model = json!({
        "uid": format!("flux-security-{}", dashboard.name),
        "title": dashboard.title,
        "description": dashboard.description,
        "tags": ["flux", "flux-security"],
        "schemaVersion": SCHEMA,
        "editable": true,
        "graphTooltip": 1,
        "refresh": "1m",
        "time": {"from": "now-24h", "to": "now"},
        "templating": {"list": variables},
        "panels": panels(dashboard.panels),
        "annotations": {"list": []},
    });
    format!("{model:#}\n")
}

fn source() -> Value {
    json!({"type": "prometheus", "uid": "${datasource}"})
}

fn variable(variable: Variable) -> Value {
    let (name, label, query) = match variable {
        Variable::Cluster => (
            "cluster",
            "Cluster",
            "label_values(flux_security_report_info, cluster_name)",
        ),
        Variable::Policy => (
            "policy",
            "Policy",
            "label_values(flux_security_report_info{cluster_name=~\"$cluster\"}, policy)",
        ),
        Variable::Instance => (
            "instance",
            "Replica",
            "label_values(flux_security_build_info, instance)",
        ),
    };
    json!({
        "name": name, "label": label, "type": "query", "datasource": source(),
        "query": {"query": query, "refId": name}, "definition": query,
        // With the time range: clusters come and go. A cluster without a name is among all of them.
        "refresh": 2, "sort": 1, "multi": true, "includeAll": true, "allValue": ".*",
        "current": {"text": "All", "value": "$__all"},
    })
}

/// Row by row: a panel that does not fit begins the next one.
fn panels(panels: &[Panel]) -> Vec<Value> {
    let (mut x, mut y, mut tallest) = (0, 0, 0);
    let mut placed = Vec::with_capacity(panels.len());
    for (position, panel) in panels.iter().enumerate() {
        if x + panel.width > COLUMNS {
            (x, y, tallest) = (0, y + tallest, 0);
        }
        let height = height(panel.shape);
        let place = json!({"x": x, "y": y, "w": panel.width, "h": height});
        placed.push(whole(panel, position + 1, &place));
        x += panel.width;
        tallest = tallest.max(height);
    }
    placed
}

const fn height(shape: Shape) -> u32 {
    match shape {
        Shape::Stat | Shape::Bars => 5,
        Shape::Lines => 8,
        Shape::Table => 10,
    }
}

fn whole(panel: &Panel, id: usize, place: &Value) -> Value {
    let targets: Vec<Value> = ('A'..)
        .zip(panel.queries)
        .map(|(name, query)| target(panel.shape, name, query))
        .collect();
    let (kind, options) = looks(panel.shape);
    json!({
        "id": id, "type": kind, "title": panel.title, "datasource": source(), "gridPos": place,
        "fieldConfig": {"defaults": {"unit": panel.unit}, "overrides": []},
        "options": options, "targets": targets, "transformations": transformations(panel),
    })
}

/// The panel of Grafana that shows a shape, with every option that its schema asks for.
fn looks(shape: Shape) -> (&'static str, Value) {
    let last = json!({"calcs": ["lastNotNull"], "fields": "", "values": false});
    let legend = json!({
        "showLegend": shape == Shape::Lines, "displayMode": "list", "placement": "bottom", "calcs": [],
    });
    match shape {
        Shape::Stat => (
            "stat",
            json!({
                "reduceOptions": last, "colorMode": "none", "graphMode": "none", "orientation": "auto",
                "textMode": "auto", "justifyMode": "auto", "wideLayout": true,
                "showPercentChange": false, "percentChangeColorMode": "standard",
            }),
        ),
        Shape::Bars => (
            "bargauge",
            json!({
                "reduceOptions": last, "orientation": "horizontal", "displayMode": "basic", "legend": legend,
                "valueMode": "color", "namePlacement": "auto", "showUnfilled": true,
                "sizing": "auto", "minVizWidth": 8, "minVizHeight": 16, "maxVizHeight": 300,
            }),
        ),
        Shape::Lines => (
            "timeseries",
            json!({"legend": legend, "tooltip": {"mode": "multi", "sort": "none"}}),
        ),
        Shape::Table => ("table", json!({"showHeader": true, "frameIndex": 0})),
    }
}

fn target(shape: Shape, name: char, query: &Query) -> Value {
    let instant = shape != Shape::Lines;
    json!({
        "refId": name.to_string(), "datasource": source(), "expr": query.expr, "legendFormat": query.legend,
        "instant": instant, "range": !instant,
        "format": if shape == Shape::Table { "table" } else { "time_series" },
    })
}

/// A table has a row for each combination of labels, and its queries side by side.
fn transformations(panel: &Panel) -> Value {
    if panel.shape != Shape::Table {
        return json!([]);
    }
    let mut names = serde_json::Map::new();
    for (name, query) in ('A'..).zip(panel.queries) {
        // Grafana calls the only value of a table otherwise than the values of several.
        let value = if panel.queries.len() == 1 {
            "Value".to_owned()
        } else {
            format!("Value #{name}")
        };
        names.insert(value, json!(query.legend));
    }
    let hidden = match panel.queries {
        [only] if only.legend.is_empty() => json!({"Time": true, "Value": true, "__name__": true}),
        _ => json!({"Time": true}),
    };
    json!([
        {"id": "merge", "options": {}},
        {"id": "organize", "options": {"excludeByName": hidden, "renameByName": names}},
    ])
}
