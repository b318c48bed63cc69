//! The whole report as an object: nothing is cut off, and a later audit may be compared with it.

use std::io::{self, Write};

use serde::Serialize;

use crate::api::{GROUP, ReportStatus, VERSION};

/// A FluxSecurityReport that borrows: a large one is not copied to be printed.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Record<'a> {
    api_version: String,
    kind: &'static str,
    metadata: Metadata<'a>,
    status: &'a ReportStatus,
}

#[derive(Serialize)]
struct Metadata<'a> {
    name: &'a str,
}

impl<'a> Record<'a> {
    fn new(policy: &'a str, report: &'a ReportStatus) -> Self {
        Self {
            api_version: format!("{GROUP}/{VERSION}"),
            kind: "FluxSecurityReport",
            metadata: Metadata { name: policy },
            status: report,
        }
    }
}

/// Indented JSON.
///
/// # Errors
/// None is known: every text can be written as JSON.
pub fn json(policy: &str, report: &ReportStatus) -> Result<String, serde_json::Error> {
    Ok(serde_json::to_string_pretty(&Record::new(policy, report))? + "\n")
}

/// The same, piece by piece.
///
/// # Errors
/// Nobody takes it.
pub fn write_json(policy: &str, report: &ReportStatus, out: &mut impl Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, &Record::new(policy, report))?;
    out.write_all(b"\n")
}

/// The same as YAML.
///
/// # Errors
/// None is known: every text can be written as YAML.
pub fn yaml(policy: &str, report: &ReportStatus) -> Result<String, serde_saphyr::ser::Error> {
    serde_saphyr::to_string(&Record::new(policy, report))
}
