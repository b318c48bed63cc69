//! `make fuzz` without a fuzzer: the corpora, the manifests that other tests are about, and what becomes of them by chance.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../fuzz/histories.rs"]
mod histories;
#[path = "../fuzz/holds.rs"]
mod holds;
#[allow(dead_code, reason = "each test binary uses its own part")]
#[path = "support/random.rs"]
mod random;
#[path = "../fuzz/texts.rs"]
mod texts;

use std::fs;
use std::panic::catch_unwind;
use std::path::Path;

use random::Random;

const MANIFESTS: [&str; 3] = ["fuzz/corpus/audit", "tests/shapes", "tests/detect"];
const ARCHIVES: [&str; 1] = ["fuzz/corpus/archive"];
/// Panics when something does not hold for an input.
type Holds = fn(&[u8]);

/// How often a text is changed by chance.
const CHANGES: usize = 12;
const CHANGES_OF_ARCHIVES: usize = 60;
/// What a test of this size may have resident at most, in kilobytes: a bomb that goes off takes gigabytes.
const MOST_MEMORY: u64 = 512 * 1024;

/// What means something to somebody who reads manifests.
const WORDS: [&str; 38] = [
    "---\n",
    "...\n",
    "%YAML 1.2\n",
    "\n",
    "\r\n",
    "\r",
    "\t",
    " ",
    "  ",
    "- ",
    "? ",
    ": ",
    ", ",
    "# ",
    "{",
    "}",
    "[",
    "]",
    "{{",
    "}}",
    "\"",
    "'",
    "|\n",
    ">-\n",
    "&a ",
    "*a",
    "<<: *a\n",
    "!!binary ",
    "~",
    "0x1f",
    "1e999",
    "\u{feff}",
    "\u{0}",
    "\u{2028}",
    "apiVersion: v1\n",
    "kind: List\nitems:\n",
    "\n{\"kind\":\"List\",\"items\":[",
    "\n{",
];

#[test]
fn whatever_becomes_of_manifests_is_told_and_harmless() {
    let texts = files(&MANIFESTS);
    assert!(texts.len() >= 20, "{}", texts.len());
    hold_changed(&texts, CHANGES, holds::for_manifests);
    assert_memory();
}

#[test]
fn whatever_becomes_of_archives_is_told_and_harmless() {
    let archives = files(&ARCHIVES);
    assert!(archives.len() >= 6, "{}", archives.len());
    hold_changed(&archives, CHANGES_OF_ARCHIVES, holds::for_archives);
    assert_memory();
}

/// Waivers, reports, expressions, files and bundles: what somebody hands over beside manifests.
#[test]
fn whatever_becomes_of_what_is_handed_over_is_told_and_harmless() {
    let targets: [(&str, usize, Holds); 5] = [
        ("waivers", 60, texts::for_waivers),
        ("reports", 60, texts::for_reports),
        ("expressions", 200, texts::for_expressions),
        ("files", 30, texts::for_files),
        ("histories", 20, histories::for_histories),
    ];
    for (target, changes, holds) in targets {
        let inputs = files(&[&format!("fuzz/corpus/{target}")]);
        assert!(inputs.len() >= 3, "{target}: {}", inputs.len());
        hold_changed(&inputs, changes, holds);
    }
    assert_memory();
}

/// Holds with each input, and with what becomes of it by chance.
fn hold_changed(inputs: &[(String, Vec<u8>)], changes: usize, holds: Holds) {
    let mut random = Random(0xf1a5_5ec0);
    for (name, input) in inputs {
        hold(name, input, holds);
        for number in 0..changes {
            let mut other = input.clone();
            for _ in 0..=random.below(6) {
                change(&mut other, inputs, &mut random);
            }
            hold(&format!("{name}, changed {number}"), &other, holds);
        }
    }
}

fn assert_memory() {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    let peak: u64 = peak.split_whitespace().next().unwrap().parse().unwrap();
    assert!(peak < MOST_MEMORY, "{peak} kB");
}

/// Shows the input when something does not hold.
fn hold(name: &str, input: &[u8], holds: Holds) {
    let held = catch_unwind(|| holds(input));
    assert!(held.is_ok(), "{name}:\n{}", String::from_utf8_lossy(input));
}

fn files(folders: &[&str]) -> Vec<(String, Vec<u8>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut texts = Vec::new();
    for folder in folders {
        for entry in fs::read_dir(root.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "rs") {
                texts.push((path.display().to_string(), fs::read(&path).unwrap()));
            }
        }
    }
    texts.sort();
    texts
}

/// Changes a text in one place.
fn change(text: &mut Vec<u8>, others: &[(String, Vec<u8>)], random: &mut Random) {
    let at = random.below(text.len() + 1);
    let end = (at + random.below(80)).min(text.len());
    match random.below(7) {
        0 => drop(text.drain(at..end)),
        1 => text.truncate(at),
        2 => {
            let part = text[at..end].to_vec();
            text.splice(at..at, part);
        }
        3 if at < text.len() => text[at] = u8::try_from(random.below(256)).unwrap(),
        4 => {
            let (_, other) = random.pick(others);
            let from = random.below(other.len() + 1);
            let to = (from + random.below(400)).min(other.len());
            text.splice(at..end, other[from..to].iter().copied());
        }
        5 => {
            let word = random.pick(&WORDS).repeat(1 + random.below(200));
            text.splice(at..at, word.bytes());
        }
        _ => {
            text.splice(at..end, random.pick(&WORDS).bytes());
        }
    }
}
