//! Secrets in plain text: where they are in a tree of files, what gives them away, and who can decrypt the others. Pure:
//! whoever reads files, archives or repositories hands them over one by one. What a secret is is not kept.
//!
//! ```
//! use flux_security_operator::secrets::{Class, Scan};
//!
//! let mut scan = Scan::default();
//! scan.file("apps/db.yaml", b"
//! apiVersion: v1
//! kind: Secret
//! metadata: {name: db, namespace: apps}
//! stringData:
//!   user: admin
//! ");
//! let tree = scan.finish();
//! assert_eq!(tree.leaks[0].class, Class::Secret);
//! assert_eq!((&*tree.leaks[0].file, tree.leaks[0].line), ("apps/db.yaml", 6));
//! ```

mod clues;
mod document;
pub(crate) mod generator;
mod glance;
pub mod inline;
mod kustomization;
mod layout;
mod lines;
mod node;
pub mod rules;
mod scan;
mod sops;
mod tree;
mod triage;
mod words;

pub use scan::{LONGEST_FILE, Scan};
pub use tree::{Certainty, Class, Coverage, Encrypted, Format, Gap, Leak, Recipient, Tree};
