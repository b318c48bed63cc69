//! The `fluxsec` command.
fn main() {}
