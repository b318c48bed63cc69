//! Custom controls: what policies ask of objects of any kind, in CEL. Pure: no clock, no I/O.
//!
//! An object is asked as soon as it arrives, and only what expressions said of it is kept. When a policy asks something
//! else, the kind is listed again.

/// Makes a type a value of CEL that expressions can hand on, and not look into.
macro_rules! opaque {
    ($value:ty, $type:expr) => {
        impl cel::common::value::Val for $value {
            fn get_type(&self) -> &cel::common::types::Type {
                &$type
            }

            fn cel_type() -> &'static cel::common::types::Type {
                &$type
            }

            fn clone_as_boxed<'v>(&self) -> Box<dyn cel::common::value::Val + 'v>
            where
                Self: 'v,
            {
                Box::new(self.clone())
            }

            fn as_any(&self) -> Option<&dyn std::any::Any> {
                Some(self)
            }
        }

        impl cel::common::value::StaticVal for $value {}
    };
}

mod budget;
mod check;
mod expression;
mod library;
mod pattern;
mod value;

pub use check::{Check, CustomRow, Demand, Demands, RESERVED, Said, Target, by_kind, checks, demands};
pub use expression::{Expression, Failure, Invalid, LONGEST, Object};
