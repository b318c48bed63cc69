//! What Flux is: its controllers, their versions, command lines and traces in a cluster.
//!
//! Pure knowledge: nothing here talks to a cluster, and nothing here knows how rows are stored.

pub mod advisories;
pub mod command_line;
pub mod component;
pub mod container;
pub mod detect;
pub mod distribution;
pub mod flags;
pub mod gates;
pub mod image;
pub mod installer;
pub mod labels;
pub mod sealing;
pub mod selector;

pub use component::Component;
