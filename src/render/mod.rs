//! What is shown, as a function of the posture: nothing here reads a clock or a cluster.

pub mod rbac;
pub mod report;
pub mod table;
