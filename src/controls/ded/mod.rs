//! Tenant-dedicated clusters: tenants cannot take the platform's access away.

pub(super) mod tenant_rights;
