//! Tenant-dedicated clusters: tenants cannot take the platform's access away.

pub(super) mod break_glass;
pub(super) mod protected_objects;
pub(super) mod remote_alerts;
pub(super) mod tenant_rights;
