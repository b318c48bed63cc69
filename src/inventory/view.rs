//! What a control sees: the inventory, with every gap in the way instead of behind it.

use super::coverage::{Coverage, Missing};
use super::{Inventory, Table};
use crate::kinds::{self, Kind, KindId};

/// Read-only access for controls. In tests it writes down what was read, so that a control that reads what it did
/// not declare is found out.
pub struct View<'a> {
    inventory: &'a Inventory,
    read: std::cell::RefCell<Vec<KindId>>,
}

impl<'a> View<'a> {
    /// A view of the inventory.
    #[must_use]
    pub fn new(inventory: &'a Inventory) -> Self {
        Self {
            inventory,
            read: std::cell::RefCell::new(Vec::new()),
        }
    }

    /// The rows of a kind.
    ///
    /// # Errors
    /// The table is not complete: the kind is not watched, or one of its objects could not be read.
    pub fn table<K: Kind>(&self) -> Result<&'a Table<K::Row>, Missing> {
        let kind = kinds::id_of::<K>();
        self.require(kind)?;
        Ok(self.inventory.table::<K>())
    }

    /// Fails unless the table of a kind is complete.
    ///
    /// # Errors
    /// As [`View::table`].
    pub fn require(&self, kind: KindId) -> Result<(), Missing> {
        self.read.borrow_mut().push(kind);
        complete(self.inventory, kind)
    }

    /// The kinds that were asked for so far.
    #[must_use]
    pub fn reads(&self) -> Vec<KindId> {
        let mut read = self.read.borrow().clone();
        read.sort_unstable();
        read.dedup();
        read
    }
}

/// Fails unless the table of a kind is complete and every object of it could be read.
pub(crate) fn complete(inventory: &Inventory, kind: KindId) -> Result<(), Missing> {
    let descriptor = kind.entry().descriptor;
    let coverage = inventory.coverage(kind);
    if !coverage.is_complete() {
        let resource = descriptor.resource();
        let reason = coverage.reason();
        let message = match coverage {
            Coverage::Forbidden => format!("list and watch of {resource} are forbidden to the auditor"),
            other => format!("{resource}: {other}"),
        };
        return Err(Missing::new(reason, message));
    }
    if let Some((key, note)) = inventory.undecodable(kind).first_key_value() {
        let message = format!("{} {key} cannot be read: {note}", descriptor.kind);
        return Err(Missing::new("Undecodable", message));
    }
    Ok(())
}
