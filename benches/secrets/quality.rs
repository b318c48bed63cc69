//! How much of what was planted is found, and how much of what is found was planted. Counted in the same way for all:
//!
//! A finding goes from a line to a line. A place is found when a finding touches its lines; a finding that touches no place
//! is a false one, and several in one line are one. Whoever says that a whole document is a secret has found all that is
//! in its lines.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::time::{Duration, Instant};

use flux_security_operator::secrets::Scan;

use super::corpus::{self, Document, File, Place};
use super::peers::{self, Finding, Outcome, PEERS};

/// What is aimed at.
pub(crate) const RECALL: f64 = 0.99;
pub(crate) const PRECISION: f64 = 0.98;

/// How well a scanner did.
#[derive(Clone, Copy, Default)]
pub(crate) struct Score {
    pub(crate) found: usize,
    pub(crate) missed: usize,
    pub(crate) false_ones: usize,
}

impl Score {
    pub(crate) fn recall(self) -> f64 {
        share(self.found, self.found + self.missed)
    }

    pub(crate) fn precision(self) -> f64 {
        share(self.found, self.found + self.false_ones)
    }
}

#[expect(clippy::cast_precision_loss, reason = "there are not that many")]
fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 {
        return 1.0;
    }
    part as f64 / whole as f64
}

/// What a scanner is called, with what it found; `None`: it is not installed.
struct Scanned {
    name: String,
    outcome: Option<Outcome>,
}

/// Makes the documents and lets all scanners look at them.
pub(crate) fn measure(count: usize, tells: bool) -> anyhow::Result<String> {
    let documents = corpus::documents(count);
    let folder = tempfile::tempdir()?;
    for file in files(&documents) {
        let path = folder.path().join(&file.path);
        fs::create_dir_all(path.parent().unwrap_or(folder.path()))?;
        fs::write(path, &file.bytes)?;
    }
    let mut all = vec![Scanned {
        name: "fluxsec".into(),
        outcome: Some(ours(&documents)),
    }];
    let programs = peers::programs();
    for peer in PEERS {
        let outcome = match &programs {
            Ok(programs) => peer.scan(programs, folder.path()),
            Err(error) => Err(anyhow::anyhow!("{error:#}")),
        };
        if let Err(error) = &outcome {
            eprintln!("{}: {error:#}", peer.name);
        }
        all.push(Scanned {
            name: peer.version().into(),
            outcome: outcome.ok(),
        });
    }
    if tells {
        tell(&documents, all[0].outcome.as_ref());
    }
    Ok(section(&documents, &all)?)
}

fn files(documents: &[Document]) -> impl Iterator<Item = &File> {
    documents.iter().flat_map(|document| &document.files)
}

/// What our scanner finds, a tree for each document.
pub(crate) fn ours(documents: &[Document]) -> Outcome {
    let started = Instant::now();
    let mut findings = BTreeSet::new();
    for document in documents {
        let mut scan = Scan::default();
        for file in &document.files {
            scan.file(&file.path, &file.bytes);
        }
        for leak in &scan.finish().leaks {
            let place = Place {
                first: leak.line,
                last: leak.line,
            };
            let path = leak.file.to_string();
            findings.insert(Finding { path, place });
        }
    }
    Outcome {
        findings,
        took: started.elapsed(),
    }
}

/// Scores by document.
pub(crate) fn score(documents: &[Document], outcome: &Outcome) -> Vec<Score> {
    let mut by_path: BTreeMap<&str, Vec<Place>> = BTreeMap::new();
    for finding in &outcome.findings {
        by_path.entry(&finding.path).or_default().push(finding.place);
    }
    let nothing = Vec::new();
    let of_file = |file: &File| {
        let findings = by_path.get(file.path.as_str()).unwrap_or(&nothing);
        let touches = |one: &Place, other: &Place| one.first <= other.last && other.first <= one.last;
        let is_found = |place: &&Place| findings.iter().any(|finding| touches(finding, place));
        let found = file.places.iter().filter(is_found).count();
        let false_ones = findings
            .iter()
            .filter(|finding| !file.places.iter().any(|place| touches(finding, place)));
        let false_ones: BTreeSet<u32> = false_ones.map(|finding| finding.first).collect();
        Score {
            found,
            missed: file.places.len() - found,
            false_ones: false_ones.len(),
        }
    };
    documents
        .iter()
        .map(|document| sum(document.files.iter().map(of_file)))
        .collect()
}

pub(crate) fn sum(scores: impl Iterator<Item = Score>) -> Score {
    scores.fold(Score::default(), |all, it| Score {
        found: all.found + it.found,
        missed: all.missed + it.missed,
        false_ones: all.false_ones + it.false_ones,
    })
}

/// The same by documents: one is found when anything of it is.
fn by_document(documents: &[Document], scores: &[Score]) -> Score {
    let of = |(document, score): (&Document, &Score)| {
        let has_secret = document.files.iter().any(|file| !file.places.is_empty());
        let is_told = score.found + score.false_ones > 0;
        Score {
            found: usize::from(has_secret && is_told),
            missed: usize::from(has_secret && !is_told),
            false_ones: usize::from(!has_secret && is_told),
        }
    };
    sum(documents.iter().zip(scores).map(of))
}

fn section(documents: &[Document], all: &[Scanned]) -> Result<String, std::fmt::Error> {
    let places: usize = files(documents).map(|file| file.places.len()).sum();
    let bytes: usize = files(documents).map(|file| file.bytes.len()).sum();
    let mut text = format!(
        "## What is found\n\n{} documents in {} files ({} KiB), {} places with a secret.\n\n",
        documents.len(),
        files(documents).count(),
        bytes / 1024,
        places
    );
    writeln!(
        text,
        "| Scanner | Recall | Precision | Recall, documents | Precision, documents | Missed | False | Time |"
    )?;
    writeln!(text, "|---|--:|--:|--:|--:|--:|--:|--:|")?;
    let mut scores = Vec::new();
    for scanned in all {
        let Some(outcome) = &scanned.outcome else {
            writeln!(text, "| {} | not installed | | | | | | |", scanned.name)?;
            continue;
        };
        let by_documents = score(documents, outcome);
        let places = sum(by_documents.iter().copied());
        let whole = by_document(documents, &by_documents);
        writeln!(
            text,
            "| {} | {:.4} | {:.4} | {:.4} | {:.4} | {} | {} | {} |",
            scanned.name,
            places.recall(),
            places.precision(),
            whole.recall(),
            whole.precision(),
            places.missed,
            places.false_ones,
            shown(outcome.took)
        )?;
        scores.push((scanned.name.as_str(), by_documents));
    }
    let ours = sum(scores[0].1.iter().copied());
    let is_met = |value: f64, aim: f64| if value >= aim { "met" } else { "**missed**" };
    writeln!(
        text,
        "\nAims of ours: recall ≥ {RECALL}: {}; precision ≥ {PRECISION}: {}.\n",
        is_met(ours.recall(), RECALL),
        is_met(ours.precision(), PRECISION)
    )?;
    text += &shapes(documents, &scores)?;
    Ok(text)
}

/// A table of shapes: of what has secrets the share that is found, of the rest how many lines were told.
fn shapes(documents: &[Document], scores: &[(&str, Vec<Score>)]) -> Result<String, std::fmt::Error> {
    let mut names: Vec<&str> = documents.iter().map(|document| document.shape).collect();
    let mut known = BTreeSet::new();
    names.retain(|name| known.insert(*name));
    let mut tables = [String::new(), String::new()];
    for name in names {
        let of_shape = |scores: &[Score]| {
            let pairs = documents.iter().zip(scores);
            sum(pairs
                .filter(|(document, _)| document.shape == name)
                .map(|(_, score)| *score))
        };
        let first = of_shape(&scores[0].1);
        let is_trap = first.found + first.missed == 0;
        let cell = |score: Score| match (is_trap, score.false_ones) {
            (true, false_ones) => false_ones.to_string(),
            (false, 0) => format!("{:.0} %", score.recall() * 100.0),
            (false, false_ones) => format!("{:.0} %, {false_ones} false", score.recall() * 100.0),
        };
        let cells: Vec<String> = scores.iter().map(|(_, scores)| cell(of_shape(scores))).collect();
        writeln!(tables[usize::from(is_trap)], "| {name} | {} |", cells.join(" | "))?;
    }
    let columns: Vec<&str> = scores.iter().map(|(name, _)| *name).collect();
    let head = |what: &str| {
        format!(
            "| {what} | {} |\n|---|{}\n",
            columns.join(" | "),
            "--:|".repeat(columns.len())
        )
    };
    let [secrets, traps] = tables;
    Ok(format!(
        "### Secrets: the share that is found\n\n{}{secrets}\n### No secrets: lines that are told\n\n{}{traps}",
        head("What"),
        head("What")
    ))
}

/// What was missed, and what is no secret.
fn tell(documents: &[Document], ours: Option<&Outcome>) {
    let Some(ours) = ours else { return };
    for (document, score) in documents.iter().zip(score(documents, ours)) {
        if score.missed + score.false_ones == 0 {
            continue;
        }
        println!(
            "{}: {} missed, {} false",
            document.shape, score.missed, score.false_ones
        );
        for file in &document.files {
            let told: Vec<u32> = ours
                .findings
                .iter()
                .filter(|finding| finding.path == file.path)
                .map(|finding| finding.place.first)
                .collect();
            println!("--- {}, told: {told:?}, planted: {:?}", file.path, file.places);
            println!("{}", String::from_utf8_lossy(&file.bytes));
        }
    }
}

fn shown(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}
