//! Which elements of `command` and `args` are the controller's own arguments.

use super::expand::{Environment, Text};
use crate::flux::Component;
use crate::flux::container::Container;

/// One element of `command` or `args` after expansion.
#[derive(Clone, Debug)]
pub(super) struct Word {
    /// What the process is started with.
    pub(super) text: Text,
    /// Where it stands.
    pub(super) place: Place,
}

/// Where an element stands in the pod template.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// Position within `args`, or within `command`.
    pub(super) index: usize,
    /// Whether the position counts in `command`.
    pub(super) in_command: bool,
    /// The element as written, before expansion.
    pub(super) raw: String,
}

/// Programs that start the program named after their own options.
const INIT_PROGRAMS: [&str; 4] = ["tini", "tini-static", "dumb-init", "catatonit"];

/// Options of init programs that take the next element as their value.
const INIT_OPTIONS_WITH_VALUE: [&str; 3] = ["-p", "-e", "-r"];

/// The controller's arguments, or why they cannot be told.
///
/// Without `command` the image's own entrypoint starts the controller, so all of `args` belong to it.
pub(super) fn arguments(
    component: Component,
    container: &Container,
    environment: &Environment<'_>,
) -> Result<Vec<Word>, String> {
    let mut words = Vec::new();
    for (in_command, elements) in [(true, &container.command), (false, &container.args)] {
        for (index, raw) in elements.iter().enumerate() {
            let place = Place {
                index,
                in_command,
                raw: raw.clone(),
            };
            words.push(Word {
                text: environment.expand(raw),
                place,
            });
        }
    }
    if container.command.is_empty() {
        return Ok(words);
    }
    let start = position_of_controller(component, &words)?;
    Ok(words.split_off(start + 1))
}

fn position_of_controller(component: Component, words: &[Word]) -> Result<usize, String> {
    let mut position = 0;
    if INIT_PROGRAMS.contains(&program_name(words, 0)?) {
        position = position_after_init(words)?;
    }
    let program = program_name(words, position)?;
    if program == component.name() {
        return Ok(position);
    }
    Err(format!("command starts {program:?} instead of {component}"))
}

/// Position of the program that an init program starts.
fn position_after_init(words: &[Word]) -> Result<usize, String> {
    let mut position = 1;
    loop {
        let word = program_word(words, position)?;
        if word == "--" {
            return Ok(position + 1);
        }
        if !word.starts_with('-') {
            return Ok(position);
        }
        position += if INIT_OPTIONS_WITH_VALUE.contains(&word) {
            2
        } else {
            1
        };
    }
}

/// The last part of a program's path.
fn program_name(words: &[Word], position: usize) -> Result<&str, String> {
    let path = program_word(words, position)?;
    Ok(path.rsplit('/').next().unwrap_or(path))
}

fn program_word(words: &[Word], position: usize) -> Result<&str, String> {
    let Some(word) = words.get(position) else {
        return Err("command starts no controller".to_owned());
    };
    word.text
        .read()
        .map_err(|why| format!("the program in command is not known: {why}"))
}
