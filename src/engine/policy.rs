//! A policy, checked and turned into the work it asks for.

use std::sync::Arc;

use k8s_openapi::jiff::SignedDuration;

use crate::api::history::repository;
use crate::api::policy::{Attestation, ControlTuning};
use crate::api::{FluxSecurityPolicySpec, Severity};
use crate::controls::{self, Control, Parameters};
use crate::custom::{self, Check};
use crate::inventory::{Read, TenancyRules};
use crate::kinds::own::PolicyRow;

use super::{ByPlace, UnitId};

/// For so long a scan of a history counts.
const LONGEST_SCAN: SignedDuration = SignedDuration::from_hours(90 * 24);

/// What a policy asks for.
pub(crate) struct Plan {
    pub(crate) row: PolicyRow,
    pub(crate) items: Vec<Item>,
    /// What its custom controls ask.
    pub(super) checks: Vec<Arc<Check>>,
    /// How it tells platform from tenants.
    pub(super) owners: Arc<TenancyRules>,
    /// What is wrong with the spec: names the field and the value.
    pub(crate) invalid: Option<String>,
}

/// One control under a policy.
pub(crate) struct Item {
    pub(crate) control: &'static Control,
    /// `None`: it does not apply under the policy's tenancy.
    pub(crate) severity: Option<Severity>,
    /// The severity that the policy sets instead of the catalogue's.
    pub(crate) tuned: Option<Severity>,
    pub(crate) unit: UnitId,
    /// Where the unit is; `None`: there is none, because nothing is called for.
    pub(super) position: Option<usize>,
}

impl Plan {
    pub(crate) fn new(row: &PolicyRow, catalogue: &'static [&'static Control]) -> Self {
        let customs = check(&row.spec, catalogue).and_then(|()| customs(&row.spec));
        let (invalid, (checks, mut customs)) = match customs {
            Ok(customs) => (None, customs),
            Err(reason) => (Some(reason), (Vec::new(), Vec::new())),
        };
        let rules = Rules::new(&row.spec);
        let mut items: Vec<Item> = if invalid.is_some() {
            Vec::new()
        } else {
            let items = catalogue.iter();
            items
                .filter_map(|control| item(&row.spec, control, &rules))
                .collect()
        };
        items.append(&mut customs);
        Self {
            row: row.clone(),
            items,
            checks,
            owners: rules.of_owners,
            invalid,
        }
    }

    pub(crate) fn units(&self) -> impl Iterator<Item = &UnitId> {
        self.items
            .iter()
            .filter(|item| item.severity.is_some())
            .map(|item| &item.unit)
    }

    /// Whether the controllers of a namespace are audited.
    pub(crate) fn covers(&self, namespace: &str) -> bool {
        let limit = &self.row.spec.flux_namespaces;
        limit.is_empty() || limit.iter().any(|covered| covered == namespace)
    }
}

/// How a policy tunes a control. Only one that is invalid does so twice.
fn tuning<'a>(spec: &'a FluxSecurityPolicySpec, id: &str) -> Option<&'a ControlTuning> {
    spec.controls.iter().find(|tuning| tuning.id == id)
}

/// Whether a policy leaves a control out.
fn is_off(tuning: Option<&ControlTuning>) -> bool {
    tuning.and_then(|tuning| tuning.enabled) == Some(false)
}

fn item(spec: &FluxSecurityPolicySpec, control: &'static Control, rules: &Rules) -> Option<Item> {
    let tuning = tuning(spec, control.id);
    if is_off(tuning) {
        return None;
    }
    let default = control.severity.under(spec.tenancy);
    let tuned = tuning.and_then(|tuning| tuning.severity);
    let severity = default.map(|default| tuned.unwrap_or(default));
    let parameters: Parameters = tuning.map(|tuning| tuning.parameters.clone()).unwrap_or_default();
    Some(Item {
        control,
        severity,
        tuned,
        unit: UnitId {
            control: control.id,
            parameters,
            rules: rules.asked_for(control),
            custom: None,
        },
        position: None,
    })
}

/// The custom controls of a policy, ordered by their ids, and what they ask.
fn customs(spec: &FluxSecurityPolicySpec) -> Result<(Vec<Arc<Check>>, Vec<Item>), String> {
    let checks = custom::checks(&spec.custom_controls)?;
    let mut items = Vec::with_capacity(checks.len());
    let mut asked = Vec::with_capacity(checks.len());
    for (control, check) in spec.custom_controls.iter().zip(checks) {
        let tuning = tuning(spec, &control.id);
        if is_off(tuning) {
            continue;
        }
        let control = controls::custom::control(control, &check)?;
        let tuned = tuning.and_then(|tuning| tuning.severity);
        let severity = tuned.or_else(|| control.severity.under(spec.tenancy));
        asked.push(check);
        items.push(Item {
            control,
            severity,
            tuned,
            unit: UnitId {
                control: control.id,
                parameters: Parameters::default(),
                rules: Arc::default(),
                custom: Some(ByPlace(control)),
            },
            position: None,
        });
    }
    items.sort_by_key(|item| item.control.id);
    Ok((asked, items))
}

/// What a policy says of tenants, and of scans. It is part of a verdict only where the control asks for it: all other
/// verdicts are shared by policies that say something else.
struct Rules {
    of_owners: Arc<TenancyRules>,
    of_scans: Arc<TenancyRules>,
}

impl Rules {
    fn new(spec: &FluxSecurityPolicySpec) -> Self {
        Self {
            of_owners: Arc::new(TenancyRules::new(spec)),
            of_scans: Arc::new(TenancyRules::of_scans(spec)),
        }
    }

    fn asked_for(&self, control: &Control) -> Arc<TenancyRules> {
        let reads = || control.reads.iter();
        if reads().any(Read::asks_for_owners) {
            return self.of_owners.clone();
        }
        if reads().any(|read| matches!(read, Read::Scans)) {
            return self.of_scans.clone();
        }
        Arc::default()
    }
}

/// Checks what the API server cannot.
fn check(spec: &FluxSecurityPolicySpec, catalogue: &[&Control]) -> Result<(), String> {
    for (position, tuning) in spec.controls.iter().enumerate() {
        check_tuning(tuning, spec, catalogue)
            .map_err(|reason| format!("spec.controls[{position}]{reason}"))?;
        let twice = spec.controls[..position]
            .iter()
            .any(|earlier| earlier.id == tuning.id);
        if twice {
            return Err(format!(
                "spec.controls[{position}].id: {} is listed twice",
                tuning.id
            ));
        }
    }
    for (position, attestation) in spec.attestations.iter().enumerate() {
        let id = &attestation.control;
        if !catalogue.iter().any(|control| control.id == id) {
            let reason = if is_custom(spec, id) {
                format!(
                    "{id} is a custom control, and an expression judges those: there is nothing to attest"
                )
            } else {
                no_control(id)
            };
            return Err(format!("spec.attestations[{position}].control: {reason}"));
        }
        check_scans(attestation).map_err(|reason| format!("spec.attestations[{position}]{reason}"))?;
    }
    Ok(())
}

/// A history goes on after it was scanned.
fn check_scans(attestation: &Attestation) -> Result<(), String> {
    for (position, scan) in attestation.scans.iter().enumerate() {
        if repository(&scan.repository).is_none() {
            return Err(format!(
                ".scans[{position}].repository: {:?} is not the address of a repository",
                scan.repository
            ));
        }
        let counts_for = attestation.expires.0.duration_since(scan.scanned_at.0);
        if counts_for > LONGEST_SCAN {
            return Err(format!(
                ".expires: a scan counts for at most {} days, and that of {} is of {}",
                LONGEST_SCAN.as_hours() / 24,
                scan.repository,
                scan.scanned_at.0
            ));
        }
    }
    Ok(())
}

fn no_control(id: &str) -> String {
    format!(
        "there is no control {id:?}, neither in the catalogue, which `fluxsec controls` lists, nor in spec.customControls"
    )
}

fn is_custom(spec: &FluxSecurityPolicySpec, id: &str) -> bool {
    spec.custom_controls.iter().any(|control| control.id == id)
}

fn check_tuning(
    tuning: &ControlTuning,
    spec: &FluxSecurityPolicySpec,
    catalogue: &[&Control],
) -> Result<(), String> {
    let Some(control) = catalogue.iter().find(|control| control.id == tuning.id) else {
        return match tuning.parameters.keys().next() {
            _ if !is_custom(spec, &tuning.id) => Err(format!(".id: {}", no_control(&tuning.id))),
            None => Ok(()),
            Some(name) => Err(format!(
                ".parameters: {} has no parameter {name:?}: a custom control has none, change its expression instead",
                tuning.id
            )),
        };
    };
    for (name, value) in &tuning.parameters {
        let Some(parameter) = control.parameters.iter().find(|parameter| parameter.name == name) else {
            return Err(format!(".parameters: {} has no parameter {name:?}", control.id));
        };
        let takes_any_text = parameter.values.is_empty();
        if !takes_any_text && !parameter.values.contains(&value.as_str()) {
            let allowed = parameter.values.join(", ");
            return Err(format!(".parameters.{name}: {value:?} is not one of {allowed}"));
        }
    }
    Ok(())
}
