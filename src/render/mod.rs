//! Turns a posture into what is published: reports, Events and metrics. Pure: no clock, no I/O.

pub mod control_page;
pub mod events;
pub mod metrics;
pub mod rbac;
pub mod report;
pub mod table;

#[cfg(test)]
pub(crate) mod fixture;
