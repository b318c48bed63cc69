//! Turns a posture into what is published, reports, Events and metrics, and a report into what an audit prints. Pure: no
//! clock, no I/O.

pub mod baseline;
pub mod chart;
pub mod control_page;
pub mod dashboards;
pub mod events;
pub mod fingerprint;
pub mod history;
pub mod html;
pub mod junit;
pub mod markdown;
pub mod markup;
pub mod metrics;
pub mod metrics_page;
pub mod notification;
pub mod openreports;
pub mod rbac;
pub mod record;
pub mod report;
pub mod rules;
pub mod runbook;
pub mod sarif;
pub mod table;
pub mod waivers;

#[cfg(test)]
pub(crate) mod fixture;
