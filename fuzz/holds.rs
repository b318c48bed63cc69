//! What holds for any input, found by a fuzzer (`fuzz_targets`) or made without one (`tests/fuzz.rs`).

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use flux_security_operator::api::report::Location;
use flux_security_operator::api::{ControlResult, FluxSecurityPolicySpec, Tenancy};
use flux_security_operator::artifacts::archive::{self, Files, Limits};
use flux_security_operator::controls::CATALOGUE;
use flux_security_operator::kinds::own::PolicyRow;
use flux_security_operator::manifests::split::{Cut, Splitter};
use flux_security_operator::manifests::{self, Audited, Manifests};
use flux_security_operator::secrets::{Gap, LONGEST_FILE, Scan, Tree};

const NAME: &str = "input";
/// A block of a tar archive, and where in a header its mark and its checksum are.
const BLOCK: usize = 512;
const MARK: std::ops::Range<usize> = 257..262;
const CHECKSUM: std::ops::Range<usize> = 148..156;

/// Audits bytes as if they were a file. Panics when something does not hold.
#[allow(dead_code, reason = "each fuzz target uses its own part")]
pub(crate) fn for_manifests(bytes: &[u8]) {
    let audited = audit(bytes);
    let ends = bytes.iter().filter(|byte| matches!(byte, b'\n' | b'\r')).count();
    let is_line = |line: usize| (1..=ends + 1).contains(&line);
    for trouble in &audited.troubles {
        assert!(says_where(trouble, is_line), "no line of the input: {trouble}");
    }
    for finding in &audited.posture.findings {
        let location = &finding.finding.location;
        let line = location.line.and_then(|line| usize::try_from(line).ok());
        let is_placed = location.file == NAME && line.is_some_and(is_line);
        assert!(is_placed || location.file.is_empty(), "{:?}", finding.finding);
    }
    assert_eq!(audited.posture.controls.len(), CATALOGUE.len());
    if audited.objects == 0 {
        let mut controls = audited.posture.controls.iter();
        let green = controls.find(|control| control.result == ControlResult::Pass);
        assert!(green.is_none(), "nothing is there, and yet passes: {green:?}");
    }
    let in_parts = audit(Trickle(bytes, 1 + bytes.len() % 61));
    assert_eq!(
        told(&in_parts),
        told(&audited),
        "it depends on how much is read at once"
    );
    fields_have_lines(bytes);
}

/// Looks up fields in every document. Panics when one is in a line that is none of it.
fn fields_have_lines(bytes: &[u8]) {
    let place = |field: &str, container: &str, argument: &str| Location {
        field: field.to_owned(),
        container: container.to_owned(),
        argument: argument.to_owned(),
        ..Location::default()
    };
    let places = [
        place("kind", "", ""),
        place("metadata.labels", "", ""),
        place("spec.url", "", ""),
        place("spec.template.spec.containers[0].args[1]", "", ""),
        place("rules[0].verbs", "", ""),
        place("", "manager", ""),
        place("", "manager", "--log-level=info"),
    ];
    let places: Vec<&Location> = places.iter().collect();
    let mut splitter = Splitter::new(bytes);
    while let Ok(Some(cut)) = splitter.next_cut() {
        let Cut::Piece(piece) = cut else { continue };
        let ends = piece.text.iter().filter(|byte| matches!(byte, b'\n' | b'\r'));
        let last = piece.line as usize + ends.count();
        for line in manifests::lines_within(&piece, &places).into_iter().flatten() {
            let is_line = (piece.line as usize..=last).contains(&(line as usize));
            assert!(is_line, "line {line} of {} to {last}", piece.line);
        }
    }
}

/// Looks for secrets in bytes as if they were an archive that somebody has fetched. Panics when something does not hold.
#[allow(dead_code, reason = "each fuzz target uses its own part")]
pub(crate) fn for_archives(bytes: &[u8]) {
    let archive = packed(bytes);
    let (tree, files) = scan(&archive[..]);
    for leak in &tree.leaks {
        let ends = files.get(without_dot(&leak.file));
        let is_there = ends.is_some_and(|ends| (1..=ends + 1).contains(&(leak.line as usize)));
        assert!(is_there, "no line of a file: {leak:?}");
    }
    let looked_at = usize::try_from(tree.coverage.files).unwrap_or(usize::MAX);
    assert!(
        looked_at >= files.len() || tree.lack().is_some(),
        "{:?}",
        tree.coverage
    );
    let (in_parts, _) = scan(BufReader::with_capacity(1 + bytes.len() % 61, &archive[..]));
    // Of what is broken more or less may be seen, and that it is broken is seen in any case.
    if tree.lack().is_none() || in_parts.lack().is_none() {
        assert_eq!(in_parts, tree, "it depends on how much is read at once");
    }
}

/// What is no gzip is a tar, whose checksums are put right: a fuzzer does not get past them otherwise.
fn packed(bytes: &[u8]) -> Vec<u8> {
    if bytes.starts_with(&[0x1f, 0x8b]) {
        return bytes.to_vec();
    }
    let mut tar = bytes.to_vec();
    for header in tar
        .chunks_exact_mut(BLOCK)
        .filter(|block| block[MARK] == *b"ustar")
    {
        header[CHECKSUM].fill(b' ');
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[CHECKSUM].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    }
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(&tar).expect("memory takes what is written");
    gzip.finish().expect("memory takes what is written")
}

/// What an archive has: what is in it, and how many lines end in each of its files.
fn scan(archive: impl BufRead) -> (Tree, BTreeMap<String, usize>) {
    let limits = Limits {
        inflated: 4 * 1024 * 1024,
        entries: 1000,
        ..Limits::default()
    };
    let mut taken = Taken::default();
    archive::read(archive, &limits, &mut taken);
    (taken.scan.finish(), taken.ends)
}

fn without_dot(path: &str) -> &str {
    path.strip_prefix("./").unwrap_or(path)
}

#[derive(Default)]
struct Taken {
    scan: Scan,
    ends: BTreeMap<String, usize>,
}

impl Files for Taken {
    fn file(&mut self, path: &str, content: &[u8]) {
        assert!(content.len() <= LONGEST_FILE, "{}", content.len());
        let ends = content
            .iter()
            .filter(|byte| matches!(byte, b'\n' | b'\r'))
            .count();
        let known = self.ends.entry(without_dot(path).to_owned()).or_default();
        *known = ends.max(*known);
        self.scan.file(path, content);
    }

    fn not_read(&mut self, path: &str, gap: Gap) {
        self.scan.not_read(path, gap);
    }
}

fn audit(source: impl Read) -> Audited {
    let mut manifests = Manifests::default();
    manifests.add(NAME, source);
    let policy = PolicyRow {
        uid: String::new(),
        generation: 1,
        requested_at: String::new(),
        spec: FluxSecurityPolicySpec {
            tenancy: Tenancy::Shared,
            ..FluxSecurityPolicySpec::default()
        },
    };
    manifests.audit("fuzz", &policy)
}

/// `input:LINE: why`. What is about the whole has no line.
fn says_where(trouble: &str, is_line: impl Fn(usize) -> bool) -> bool {
    let Some(rest) = trouble.strip_prefix(NAME) else {
        return trouble.contains("audit the manifests of fewer clusters at once");
    };
    if rest == ": is empty" {
        return true;
    }
    let line = rest.strip_prefix(':').and_then(|rest| rest.split_once(": "));
    line.is_some_and(|(line, why)| line.parse().is_ok_and(is_line) && !why.is_empty())
}

/// What somebody who reads the result would notice.
fn told(audited: &Audited) -> String {
    let controls = audited.posture.controls.iter();
    let controls: Vec<_> = controls
        .map(|it| (it.control.id, it.result, &it.reason, it.findings))
        .collect();
    let Audited {
        objects,
        skipped,
        troubles,
        more_troubles,
        ..
    } = audited;
    format!("{objects} {skipped:?} {troubles:?} {more_troubles} {controls:?}")
}

/// Gives so many bytes at a time.
struct Trickle<'a>(&'a [u8], usize);

impl Read for Trickle<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let length = self.1.min(self.0.len()).min(buffer.len());
        buffer[..length].copy_from_slice(&self.0[..length]);
        self.0 = &self.0[length..];
        Ok(length)
    }
}
