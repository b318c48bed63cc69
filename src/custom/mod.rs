//! Custom controls: what policies ask of objects of any kind, in CEL. Pure: no clock, no I/O.
//!
//! An object is asked as soon as it arrives, and only what expressions said of it is kept. When a policy asks something
//! else, the kind is listed again.

mod budget;
mod check;
mod expression;
mod library;
mod pattern;
mod value;

pub use check::{Check, CustomRow, Demand, Demands, RESERVED, Said, Target, by_kind, checks, demands};
pub use expression::{Expression, Failure, Invalid, LONGEST, Object};
