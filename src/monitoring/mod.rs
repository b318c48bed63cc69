//! What monitoring systems get: the metrics, and the alerts and dashboards over them. Tables, and nothing else; what
//! is written from them is in [`crate::render`].

pub mod alerts;
pub mod dashboards;
pub mod metrics;
