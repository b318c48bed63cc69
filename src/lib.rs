//! The Flux Security Operator: audits every Flux installation of a cluster.

pub mod flux;
