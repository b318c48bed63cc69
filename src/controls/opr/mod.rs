//! Beyond the document: Flux operator.

use super::judges::Subject;
use crate::flux::command_line::Setting;

pub(super) mod default_account;
pub(super) mod input_providers;
pub(super) mod instance;
pub(super) mod resource_sets;
pub(super) mod web_interface;

/// Whether it is the web interface alone, which applies nothing.
pub(super) fn only_shows(subject: &Subject<'_>) -> bool {
    let mut launches = subject.instance.launches.iter();
    let is_told = |flag: Setting<bool>| matches!(flag, Setting::Known { value: true, .. });
    !subject.instance.launches.is_empty()
        && launches.all(|launch| is_told(launch.evaluation.bool("web-server-only")))
}
