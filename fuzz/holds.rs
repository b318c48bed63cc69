//! What holds for any input, found by a fuzzer (`fuzz_targets`) or made without one (`tests/fuzz.rs`).

use std::io::Read;

use flux_security_operator::api::{ControlResult, FluxSecurityPolicySpec, Tenancy};
use flux_security_operator::controls::CATALOGUE;
use flux_security_operator::kinds::own::PolicyRow;
use flux_security_operator::manifests::{Audited, Manifests};

const NAME: &str = "input";

/// Audits bytes as if they were a file. Panics when something does not hold.
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
