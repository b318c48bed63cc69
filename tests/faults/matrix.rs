//! What can go wrong, what must hold then, and which test shows it. `docs/reliability.md` is made of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// One fault.
pub(crate) struct Row {
    /// Number of the row, for good. A test says `Row 12.` in the first line of its comment.
    pub(crate) number: u32,
    /// What goes wrong.
    pub(crate) fault: &'static str,
    /// What must hold.
    pub(crate) expected: &'static str,
}

const fn row(number: u32, fault: &'static str, expected: &'static str) -> Row {
    Row {
        number,
        fault,
        expected,
    }
}

/// Every fault that was thought of.
#[rustfmt::skip]
pub(crate) const MATRIX: &[Row] = &[
    row(1, "The API server is down when the operator starts", "It waits, is not ready, does not exit; works soon after the server is up"),
    row(2, "The API server is killed and comes back", "Reports stay; what changed after the return is reported"),
    row(3, "The API server is restarted again and again while objects change", "No finding is lost"),
    row(4, "etcd is frozen for 30 s", "Writes fail and are repeated; the lease is lost and taken again; no restart"),
    row(5, "etcd is killed and comes back", "As 2; no report is lost"),
    row(6, "etcd is out of space", "Evaluation and metrics go on; writes resume when there is space"),
    row(7, "Connections are reset in the middle of a watch", "Watches resume"),
    row(8, "Connections swallow everything, without an end (a load balancer's idle timeout)", "Noticed within 30 s"),
    row(9, "2 s of latency, 64 kB/s", "Slower, and right"),
    row(10, "A list is cut in the middle", "No half list is believed: nothing vanishes"),
    row(11, "A later page of a list fails or its token expires", "The list starts again; nothing vanishes"),
    row(12, "The watched version is compacted away", "One new list; what was deleted meanwhile vanishes"),
    row(13, "Every resumption answers 410", "A list per step of the backoff, no storm"),
    row(14, "One watch event is lost", "Healed by the next list"),
    row(15, "A stale API server serves older data", "No report goes back"),
    row(16, "Watch events come twice or in another order", "The same result"),
    row(17, "429 with Retry-After for minutes", "It is honoured; no storm"),
    row(18, "30 % of the requests fail with 500, 503, 504", "Progress"),
    row(19, "The token is rotated", "The new one is read; no restart"),
    row(20, "The CA and the server's certificate are rotated", "Read again; no restart"),
    row(21, "One kind is forbidden from the start", "Its controls are Unknown; the others are judged"),
    row(22, "A permission is taken away while it runs", "As 21 once the open watch ends; it comes back with the permission"),
    row(23, "Reports may not be written", "Evaluation and metrics go on; it recovers alone"),
    row(24, "A Flux CRD is absent", "No such objects: not an error"),
    row(25, "A Flux CRD is added later", "Watched within seconds"),
    row(26, "A Flux CRD is deleted and made again", "Its objects vanish and come back"),
    row(27, "The operator's own CRDs are missing", "No crash; says so; recovers when they are there"),
    row(28, "A CRD serves another version than before", "Another served version is watched; the same findings"),
    row(29, "A conversion webhook is dead", "That kind is Unknown, nothing else"),
    row(30, "An object cannot be decoded", "It alone is Unknown; its kind is not blind"),
    row(31, "JSON nested 5,000 deep", "The object is judged or Unknown; no crash"),
    row(32, "1.4 MiB objects, 20,000 inventory entries", "Bounded memory"),
    row(33, "Hostile strings in every field", "Escaped in logs, metrics, Events and reports"),
    row(34, "Findings in 10,000 namespaces", "The number of series is bounded, what is left out is counted"),
    row(35, "5,000 findings in one namespace", "The report is truncated and its totals are exact"),
    row(36, "A quota or an admission policy refuses a report", "Others are written; it is tried again with growing pauses"),
    row(37, "The namespace of a report is being deleted", "Nothing of ours holds it up"),
    row(38, "Somebody edits or deletes a report, or fights over it", "Restored; a fight is damped"),
    row(39, "Another manager owns a field of the report", "Taken back once, no loop"),
    row(40, "Killed after evaluation, before the write", "The next one writes it"),
    row(41, "Killed between report and Event", "The Event exists once"),
    row(42, "Killed in the middle of writing many reports", "Each is right by itself; the rest follows"),
    row(43, "The leading replica is killed", "The other one writes after the lease; no Event twice"),
    row(44, "The leading replica is frozen and wakes up", "It writes nothing"),
    row(45, "The leading replica is cut off", "It stops before its lease ends; the other one takes over"),
    row(46, "The replicas' clocks differ by an hour", "One writer: no remote time is believed"),
    row(47, "Replicas start at the same moment", "One leads"),
    row(48, "A memory limit of 32 MiB with 10,000 objects", "Works"),
    row(49, "A CPU limit of 50m with 500 changes a second", "Late, and right"),
    row(50, "A control panics", "It alone is an error for that object; the others are judged"),
    row(51, "Terminated in the middle of a storm of changes", "Ends within 5 s and gives the lease back"),
    row(52, "Upgrade and rollback with reports present", "Reports are read or replaced, never a crash"),
    row(53, "Scrapes while the posture changes", "Each is consistent"),
    row(54, "50,000 objects are deleted at once", "One write per report; memory returns"),
    row(55, "Offline input made to hurt: alias bombs, endless files, loops", "Bounded; an error per file"),
];

const DOCUMENT: &str = "docs/reliability.md";
const HEAD: &str = "# What happens when something fails

Every fault is injected into a real API server and etcd, with the operator as its own process under the rights of its
ServiceAccount. Each test of `tests/faults` ends by asking whether

* no control passes whose kinds could not be read,
* the reports equal those of an audit from scratch, and no further write follows,
* no report was written more often than once a second,
* the process lives, has not panicked and holds at most half as much memory again,
* nothing but the operator's own kinds, Leases and Events was written, and no Secret was asked for,
* `/readyz` says so.

*Measured* is the time from the end of the fault to the right report, in the last run of `make test-faults` on a machine
with two cores. It is a measurement, not a promise.

";

/// Keeps how long it took until the report was right again.
pub(crate) fn recovered(number: u32, after: Duration) {
    eprintln!("row {number}: right again after {after:.1?}");
    let folder = measurements();
    fs::create_dir_all(&folder).unwrap();
    fs::write(
        folder.join(number.to_string()),
        format!("{:.1} s", after.as_secs_f64()),
    )
    .unwrap();
}

fn measurements() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("recovered")
}

/// The last column of the document on disk, by row.
fn documented(document: &str) -> BTreeMap<u32, String> {
    let cells = |line: &str| -> Option<(u32, String)> {
        let cells: Vec<_> = line
            .strip_prefix("| ")?
            .strip_suffix(" |")?
            .split(" | ")
            .collect();
        Some((cells.first()?.parse().ok()?, (*cells.last()?).to_owned()))
    };
    document.lines().filter_map(cells).collect()
}

/// The tests of each row, as they say themselves: `binary::function`.
fn tests() -> BTreeMap<u32, BTreeSet<String>> {
    let mut tests: BTreeMap<u32, BTreeSet<String>> = BTreeMap::new();
    for (binary, file) in files() {
        let source = fs::read_to_string(file).unwrap();
        let mut rows = Vec::new();
        for line in source.lines().map(str::trim_start) {
            if let Some(numbers) = line.strip_prefix("/// Row") {
                rows = numbers_of(numbers);
                continue;
            }
            let function = line.split("fn ").nth(1).and_then(|rest| rest.split('(').next());
            if line.starts_with("//") || function.is_none() {
                continue;
            }
            for row in std::mem::take(&mut rows) {
                let test = format!("{binary}::{}", function.unwrap());
                tests.entry(row).or_default().insert(test);
            }
        }
    }
    tests
}

/// `s 40, 41, 42.` or ` 2.`
fn numbers_of(text: &str) -> Vec<u32> {
    let numbers = text.trim_start_matches('s').split('.').next().unwrap();
    numbers
        .split(',')
        .map(|number| number.trim().parse().unwrap())
        .collect()
}

/// Every file with tests, with the name of its binary.
fn files() -> Vec<(String, PathBuf)> {
    let mut files = Vec::new();
    for entry in fs::read_dir("tests").unwrap() {
        let path = entry.unwrap().path();
        let binary = path.file_stem().unwrap().to_string_lossy().into_owned();
        if path.extension().is_some_and(|extension| extension == "rs") {
            files.push((binary, path));
        } else if path.join("main.rs").exists() {
            let inside = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
            let is_source = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "rs");
            files.extend(inside.filter(is_source).map(|path| (binary.clone(), path)));
        }
    }
    files
}

fn render(measured: &BTreeMap<u32, String>) -> String {
    let tests = tests();
    let mut text = HEAD.to_owned();
    text.push_str("| # | Fault | What must hold | Test | Measured |\n|--:|---|---|---|--:|\n");
    for row in MATRIX {
        let named = tests.get(&row.number).map(|names| {
            let names: Vec<_> = names.iter().map(|test| format!("`{test}`")).collect();
            names.join(", ")
        });
        let named = named.as_deref().unwrap_or("not tested yet");
        let measured = measured.get(&row.number).map_or("–", String::as_str);
        writeln!(
            text,
            "| {} | {} | {} | {named} | {measured} |",
            row.number, row.fault, row.expected
        )
        .unwrap();
    }
    writeln!(text, "\n{} of {} rows are tested.", tests.len(), MATRIX.len()).unwrap();
    text
}

/// `UPDATE=1` writes the document with what was measured last.
#[test]
fn the_document_says_what_the_tests_are() {
    let on_disk = fs::read_to_string(DOCUMENT).unwrap_or_default();
    let mut measured = documented(&on_disk);
    if std::env::var_os("UPDATE").is_some() {
        for row in MATRIX {
            if let Ok(time) = fs::read_to_string(measurements().join(row.number.to_string())) {
                measured.insert(row.number, time);
            }
        }
        fs::write(DOCUMENT, render(&measured)).unwrap();
        return;
    }
    assert!(
        on_disk == render(&measured),
        "{DOCUMENT} is out of date: UPDATE=1 cargo test --test faults the_document"
    );
}

#[test]
fn rows_are_numbered_in_order_and_tests_name_rows_that_are() {
    for (index, row) in MATRIX.iter().enumerate() {
        assert_eq!(row.number as usize, index + 1);
    }
    let last = u32::try_from(MATRIX.len()).unwrap();
    for row in tests().keys() {
        assert!((1..=last).contains(row), "there is no row {row}");
    }
}
