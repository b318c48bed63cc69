//! `fluxsec waive`: a waiver that the API server accepts, on standard output.

use std::io::Write;

use clap::Args;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::civil::Date;
use k8s_openapi::jiff::tz::TimeZone;
use k8s_openapi::jiff::{SignedDuration, Timestamp};

use super::CLEAN;
use crate::api::digest::digest;
use crate::api::waiver::WaivedResource;
use crate::api::{FluxSecurityWaiver, FluxSecurityWaiverSpec};
use crate::controls::CATALOGUE;
use crate::custom::RESERVED;

/// Prints a waiver, for kubectl or a repository.
#[derive(Debug, Args)]
pub(super) struct Waive {
    /// Id of the control, for example FSP-KUST-003, or the beginning of ids with a star at its end, for example
    /// FSP-MT-*.
    #[arg(value_name = "ID")]
    control: String,
    /// An object, as KIND/NAMESPACE/NAME, or as KIND/NAME when it has no namespace; `*` stands for any text;
    /// repeatable.
    #[arg(long = "resource", value_name = "KIND/NAMESPACE/NAME", required = true)]
    resources: Vec<String>,
    /// Why the risk is accepted, in at least 10 characters.
    #[arg(long)]
    reason: String,
    /// Who answers for it.
    #[arg(long)]
    owner: String,
    /// When it ends, at most 365 days from now: a duration (30d, 12h, 1h30m), the beginning of a day in UTC
    /// (2030-01-31), or an instant (2030-01-31T12:00:00Z).
    #[arg(long, value_name = "DURATION|DATE")]
    expires: String,
    /// Where it was discussed.
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    ticket: String,
    /// Name of a policy that it applies to, repeatable; all when absent.
    #[arg(long = "policy", value_name = "NAME")]
    policies: Vec<String>,
    /// Name of the waiver; made from the control and its objects when absent.
    #[arg(long)]
    name: Option<String>,
}

impl Waive {
    pub(super) fn run(self) -> anyhow::Result<u8> {
        let waiver = self.waiver(Timestamp::now())?;
        let text = serde_saphyr::to_string(&serde_json::to_value(&waiver)?)?;
        std::io::stdout().lock().write_all(text.as_bytes())?;
        Ok(CLEAN)
    }

    fn waiver(self, now: Timestamp) -> anyhow::Result<FluxSecurityWaiver> {
        let control = self.control.to_ascii_uppercase();
        let resources: Vec<WaivedResource> = self
            .resources
            .iter()
            .map(|it| resource(it))
            .collect::<Result<_, _>>()?;
        let spec = FluxSecurityWaiverSpec {
            control,
            resources,
            policies: self.policies,
            reason: self.reason,
            owner: self.owner,
            ticket: self.ticket,
            expires: Time(expiry(&self.expires, now)?),
        };
        spec.check(now)?;
        let is_custom = !RESERVED.iter().any(|prefix| spec.control.starts_with(prefix));
        if !is_custom && !CATALOGUE.iter().any(|known| spec.is_for_control(known.id)) {
            anyhow::bail!(
                "there is no control {:?}; `fluxsec controls` lists them",
                spec.control
            );
        }
        if spec.expires.0 <= now {
            anyhow::bail!("spec.expires: {} is in the past", spec.expires.0);
        }
        let name = self.name.unwrap_or_else(|| name(&spec));
        if !is_name(&name) {
            anyhow::bail!(
                "--name: {name:?} is not a valid object name: it may have lowercase letters, digits, dashes and dots"
            );
        }
        Ok(FluxSecurityWaiver::new(&name, spec))
    }
}

fn resource(text: &str) -> anyhow::Result<WaivedResource> {
    let parts: Vec<&str> = text.split('/').collect();
    let (kind, namespace, name) = match parts[..] {
        [kind, name] => (kind, "", name),
        [kind, namespace, name] => (kind, namespace, name),
        _ => anyhow::bail!("--resource: {text:?} is neither KIND/NAMESPACE/NAME nor KIND/NAME"),
    };
    Ok(WaivedResource {
        kind: kind.to_owned(),
        namespace: namespace.to_owned(),
        name: name.to_owned(),
    })
}

/// The instant that is meant, in whole seconds, as Kubernetes keeps it.
pub(super) fn expiry(text: &str, now: Timestamp) -> anyhow::Result<Timestamp> {
    let instant = if let Ok(date) = text.parse::<Date>() {
        date.to_zoned(TimeZone::UTC)?.timestamp()
    } else if let Ok(instant) = text.parse::<Timestamp>() {
        instant
    } else if let Some(left) = duration(text) {
        now.checked_add(left)?
    } else {
        anyhow::bail!("--expires: {text:?} is neither a duration such as 30d nor a date such as 2030-01-31");
    };
    Ok(Timestamp::from_second(instant.as_second())?)
}

/// `30d`, `12h`, `1h30m`: longer ones than a policy's interval.
fn duration(text: &str) -> Option<SignedDuration> {
    let mut total: i64 = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|character: char| !character.is_ascii_digit())?;
        let amount: i64 = rest[..digits].parse().ok()?;
        let seconds = match rest.as_bytes().get(digits)? {
            b's' => 1,
            b'm' => 60,
            b'h' => 3600,
            b'd' => 86400,
            b'w' => 7 * 86400,
            _ => return None,
        };
        total = total.checked_add(amount.checked_mul(seconds)?)?;
        rest = &rest[digits + 1..];
    }
    (total > 0).then(|| SignedDuration::from_secs(total))
}

/// What the waiver is about, as far as a name can say it, and what tells it from others.
fn name(spec: &FluxSecurityWaiverSpec) -> String {
    const MOST: usize = 63;
    let first = spec
        .resources
        .first()
        .map(|it| format!("{}-{}", it.namespace, it.name));
    let about = format!("{}-{}", spec.control, first.unwrap_or_default()).to_ascii_lowercase();
    let is_plain = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit();
    let parts: Vec<&str> = about
        .split(|it| !is_plain(it))
        .filter(|part| !part.is_empty())
        .collect();
    let mut about = parts.join("-");
    let objects = spec.resources.iter();
    let objects: Vec<String> = objects
        .map(|it| format!("{}/{}/{}", it.kind, it.namespace, it.name))
        .collect();
    let objects: Vec<&str> = objects.iter().map(String::as_str).collect();
    let digest = &digest(&objects)[..6];
    about.truncate(MOST - digest.len() - 1);
    format!("{}-{digest}", about.trim_end_matches('-'))
}

/// Whether an object may be called so.
fn is_name(text: &str) -> bool {
    let is_plain = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit();
    let is_label = |label: &str| {
        label.starts_with(is_plain)
            && label.ends_with(is_plain)
            && label.chars().all(|it| is_plain(it) || it == '-')
    };
    !text.is_empty() && text.len() <= 253 && text.split('.').all(is_label)
}
