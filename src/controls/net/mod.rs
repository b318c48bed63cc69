//! Network isolation.

pub(super) mod closed;
pub(super) mod enforced;
pub(super) mod enforcement_attested;
pub(super) mod isolated;
pub(super) mod private_endpoints;
pub(super) mod tenants_deny;
