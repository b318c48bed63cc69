//! How the result of an audit is printed.

use std::io::Write;

use clap::{Args, ValueEnum};

use crate::api::ReportStatus;
use crate::render::{html, junit, markdown, openreports, record, sarif, table};
use crate::telemetry::colours;

/// Which format, and how much of it.
#[derive(Debug, Args)]
pub(super) struct Output {
    /// How the result is printed.
    #[arg(short = 'o', long = "output", value_enum, default_value = "table")]
    format: Format,
    /// List passing and not applicable controls too, in tables.
    #[arg(long)]
    show_passing: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For a terminal: at most 120 columns.
    Table,
    /// For a terminal: nothing is cut off.
    Wide,
    /// One whole FluxSecurityReport.
    Json,
    /// The same as YAML.
    Yaml,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
    /// JUnit XML: a test case for each control.
    Junit,
    /// One page that needs no other file.
    Html,
    /// For the comment on a pull request.
    Markdown,
    /// ClusterReport and Reports of openreports.io/v1alpha1, as YAML.
    Openreports,
}

impl Output {
    /// The report as text. What lists findings for a person or a gate shows those that count; what keeps a record of the
    /// posture has all of them.
    pub(super) fn render(
        &self,
        policy: &str,
        whole: &ReportStatus,
        counted: &ReportStatus,
    ) -> anyhow::Result<String> {
        Ok(match self.format {
            Format::Table => table::table(counted, self.table(false)),
            Format::Wide => table::table(counted, self.table(true)),
            Format::Json => record::json(policy, whole)?,
            Format::Yaml => record::yaml(policy, whole)?,
            Format::Sarif => sarif::sarif(category(policy, whole), whole)?,
            Format::Junit => junit::junit(counted),
            Format::Html => html::html(counted),
            Format::Markdown => markdown::markdown(counted),
            Format::Openreports => openreports::openreports(policy, whole)?,
        })
    }

    /// Writes what [`Self::render`] makes, a large record piece by piece.
    pub(super) fn write(
        &self,
        policy: &str,
        whole: &ReportStatus,
        counted: &ReportStatus,
        out: &mut impl Write,
    ) -> anyhow::Result<()> {
        match self.format {
            Format::Json => record::write_json(policy, whole, out)?,
            _ => out.write_all(self.render(policy, whole, counted)?.as_bytes())?,
        }
        Ok(out.flush()?)
    }

    fn table(&self, wide: bool) -> table::Options {
        table::Options {
            colour: colours(&std::io::stdout()),
            show_passing: self.show_passing,
            wide,
        }
    }
}

/// What tells the runs of one repository apart.
fn category<'a>(policy: &'a str, whole: &'a ReportStatus) -> &'a str {
    match whole.cluster_name.as_str() {
        "" => policy,
        cluster => cluster,
    }
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;
    use serde_json::Value;

    use super::{Format, Output};
    use crate::api::ReportStatus;
    use crate::render::baseline::Baseline;
    use crate::render::fixture::{at, failing};
    use crate::render::{record, report};

    /// Formats that must not change with a baseline: the next baseline, or what closes an alert that is missing.
    const RECORDS: [Format; 4] = [Format::Json, Format::Yaml, Format::Sarif, Format::Openreports];

    #[test]
    fn records_stay_whole_and_lists_show_what_counts() {
        let whole = report::uncut(&failing(&["tenant-old", "tenant-new"]), at(1));
        let before = report::uncut(&failing(&["tenant-old"]), at(1));
        let baseline = Baseline::parse(&record::json("audit", &before).unwrap()).unwrap();
        let news = baseline.news(&whole);
        for format in Format::value_variants() {
            let output = Output {
                format: *format,
                show_passing: false,
            };
            let text = output.render("audit", &whole, &news).unwrap();
            let mut written = Vec::new();
            output.write("audit", &whole, &news, &mut written).unwrap();
            assert_eq!(text.as_bytes(), written, "{format:?}");
            assert!(text.contains("tenant-new"), "{format:?}: {text}");
            assert_eq!(
                text.contains("tenant-old"),
                RECORDS.contains(format),
                "{format:?}: {text}"
            );
        }
    }

    #[test]
    fn json_is_the_whole_report() {
        let whole = report::uncut(&failing(&["a"]), at(1));
        let output = Output {
            format: Format::Json,
            show_passing: false,
        };
        let text = output.render("audit", &whole, &whole).unwrap();
        let object: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(object["kind"], "FluxSecurityReport");
        let status: ReportStatus = serde_json::from_value(object["status"].clone()).unwrap();
        assert_eq!(status, whole);
    }
}
