//! The whole report as an object: nothing is cut off, and a later audit may be compared with it.

use crate::api::report::FluxSecurityReportBody;
use crate::api::{FluxSecurityReport, ReportStatus};

/// Indented JSON.
///
/// # Errors
/// None is known: every text can be written as JSON.
pub fn json(policy: &str, report: &ReportStatus) -> Result<String, serde_json::Error> {
    Ok(serde_json::to_string_pretty(&object(policy, report))? + "\n")
}

/// The same as YAML.
///
/// # Errors
/// None is known: every text can be written as YAML.
pub fn yaml(policy: &str, report: &ReportStatus) -> Result<String, serde_saphyr::ser::Error> {
    serde_saphyr::to_string(&object(policy, report))
}

fn object(policy: &str, report: &ReportStatus) -> FluxSecurityReport {
    let mut object = FluxSecurityReport::new(policy, FluxSecurityReportBody {});
    object.status = Some(report.clone());
    object
}
