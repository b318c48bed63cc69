//! What holds for any text that somebody hands over: a file to look for secrets in, a waiver, a report of others, an
//! expression in CEL.

use flux_security_operator::api::ReportStatus;
use flux_security_operator::custom::{Expression, Failure, LONGEST, Object};
use flux_security_operator::history::import::{self, Imported, MOST_PLACES};
use flux_security_operator::manifests::waivers::{self, WaiversError};
use flux_security_operator::render::baseline::Baseline;
use flux_security_operator::secrets::{Gap, Scan, Tree};
use k8s_openapi::jiff::Timestamp;

const NAME: &str = "input";
/// Names that say in which format a file is, one for each reader.
const FORMATS: [&str; 6] = ["a.yaml", "a.jsonl", "a.env", "a.ini", "a.tf", "README.md"];
/// What expressions look at: something of each type.
const OBJECT: &str = r#"{"metadata": {"name": "demo", "labels": {"app": "web"}}, "spec": {"replicas": 3, "ratio": 1.5,
    "neg": -7, "on": true, "empty": "", "number": "42", "path": "/a/b/c", "text": "Hello, Wörld 😀", "line": "a\nb",
    "list": [3, 1, 2], "mixed": [1, "a", true, 1.5, null], "none": [], "nothing": {}, "map": {"a": 1, "b": "x"},
    "nested": {"deep": {"er": [[1], [2, 3]]}}, "big": 9223372036854775807}}"#;

/// Looks for secrets in bytes as if they were a file, in each format. Panics when something does not hold.
#[allow(dead_code, reason = "each fuzz target uses its own part")]
pub(crate) fn for_files(bytes: &[u8]) {
    let ends = bytes.iter().filter(|byte| matches!(byte, b'\n' | b'\r')).count();
    for name in FORMATS {
        let tree = scan(Scan::default(), name, bytes);
        for leak in &tree.leaks {
            // What is in UTF-16 has other line ends.
            let is_line = (1..=bytes.len().max(ends + 1)).contains(&(leak.line as usize));
            assert!(is_line && *leak.file == *name, "{leak:?}");
        }
        for encrypted in &tree.encrypted {
            assert!(encrypted.line as usize <= ends + 1, "{encrypted:?}");
        }
        // What is too complex for a tree of it is seen by whoever builds one.
        let thorough = scan(Scan::thorough(), name, bytes);
        if !thorough.coverage.gaps.contains_key(&Gap::TooComplex) {
            assert_eq!(tree, thorough, "{name}: less is found without a tree");
        }
    }
}

fn scan(mut scan: Scan, name: &str, bytes: &[u8]) -> Tree {
    scan.file(name, bytes);
    scan.finish()
}

/// Reads bytes as waivers that count for an audit. Panics when something does not hold.
#[allow(dead_code, reason = "each fuzz target uses its own part")]
pub(crate) fn for_waivers(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    match waivers::parse(NAME, &text, Timestamp::UNIX_EPOCH) {
        Ok(waivers) => {
            assert!(!waivers.is_empty());
            for (name, row) in &waivers {
                assert!(!name.is_empty(), "{row:?}");
                assert!(
                    row.spec
                        .check(row.created.unwrap_or(Timestamp::UNIX_EPOCH))
                        .is_ok()
                );
            }
        }
        Err(WaiversError::Unreadable(why)) => assert!(why.starts_with(NAME), "{why}"),
        Err(WaiversError::Other(file) | WaiversError::Invalid { file, .. }) => assert_eq!(file, NAME),
    }
}

/// Reads bytes as a report that others have made, and as a baseline. Panics when something does not hold.
#[allow(dead_code, reason = "each fuzz target uses its own part")]
pub(crate) fn for_reports(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(imported) = import::read(&text, None) {
        is_told(&imported);
        let named = import::read(&text, Some("scanner")).expect("it is a report, whoever made it");
        let expected = Imported {
            scanner: "scanner".to_owned(),
            ..imported
        };
        assert_eq!(named, expected);
    } else if let Ok(imported) = import::read(&text, Some("scanner")) {
        is_told(&imported);
    }
    if let Ok(baseline) = Baseline::parse(&text) {
        assert!(baseline.news(&ReportStatus::default()).findings.is_empty());
    }
}

fn is_told(imported: &Imported) {
    let Imported {
        scanner,
        head,
        findings,
        places,
        ..
    } = imported;
    let is_named = !scanner.trim().is_empty() && scanner.len() <= 63;
    assert!(is_named, "nobody made it: {imported:?}");
    let is_commit = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit()) && text.len() <= 64;
    assert!(head.as_deref().is_none_or(is_commit), "{imported:?}");
    assert!(places.len() <= MOST_PLACES.min(*findings), "{imported:?}");
    for place in places {
        let is_place = is_commit(&place.commit) && place.line.is_none_or(|line| line > 0);
        assert!(is_place, "{place:?}");
        assert!(place.file.len() <= 1024 && place.rule.len() <= 128, "{place:?}");
    }
}

/// Compiles bytes as an expression, and asks an object. Panics when something does not hold.
#[allow(dead_code, reason = "each fuzz target uses its own part")]
pub(crate) fn for_expressions(bytes: &[u8]) {
    let source = String::from_utf8_lossy(bytes);
    let expression = match Expression::compile(&source) {
        Ok(expression) => expression,
        Err(invalid) => {
            let is_there = (1..=source.lines().count().max(1)).contains(&invalid.line);
            assert!(is_there && invalid.column > 0, "{invalid:?}");
            assert!(!invalid.reason.is_empty());
            return;
        }
    };
    assert!(source.len() <= LONGEST);
    let object = Object::parse(OBJECT).expect("it is JSON");
    let told = object.evaluate(&expression);
    if let Err(Failure::Failed(why)) = &told {
        assert!(!why.is_empty());
        assert_ne!(why, "the interpreter gave up", "it panics");
    }
    assert_eq!(
        object.evaluate(&expression),
        told,
        "another time it is another result"
    );
}
