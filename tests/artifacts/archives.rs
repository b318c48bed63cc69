//! Archives as they come, and as somebody may make them. Whatever is not looked at is a gap.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use flux_security_operator::artifacts::archive::{self, Files, Limits};
use flux_security_operator::secrets::{Gap, LONGEST_FILE};
use proptest::prelude::*;

use super::pack::{Tar, bomb, gz, header, sum};

/// How much an archive has.
#[derive(Default)]
struct Count {
    files: u64,
    bytes: usize,
    gaps: BTreeSet<Gap>,
}

impl Files for Count {
    fn file(&mut self, _path: &str, content: &[u8]) {
        self.files += 1;
        self.bytes += content.len();
    }

    fn not_read(&mut self, _path: &str, gap: Gap) {
        self.gaps.insert(gap);
    }
}

fn read_with(archive: &[u8], limits: &Limits) -> Count {
    let mut count = Count::default();
    archive::read(archive, limits, &mut count);
    count
}

fn read(archive: &[u8]) -> Count {
    read_with(archive, &Limits::default())
}

/// How many files were looked at, and what was not.
fn seen(archive: &[u8]) -> (u64, Vec<Gap>) {
    let count = read(archive);
    (count.files, count.gaps.into_iter().collect())
}

const CONTENT: &str = "kind: ConfigMap\n";

#[test]
fn files_are_read_wherever_they_are() {
    let long = format!("{}/{}.yaml", "d".repeat(120), "f".repeat(120));
    let archive = Tar::default()
        .entry(b"apps/", b'5', b"")
        .file("apps/a.yaml", CONTENT)
        .entry(b"old/", 0, b"")
        .entry(b"old/b.yaml", 0, CONTENT.as_bytes())
        .records(&[("mtime", "1.5"), ("path", &long)])
        .file("short", CONTENT)
        .entry(b"././@LongLink", b'L', long.as_bytes())
        .file("short", CONTENT)
        .entry(b"global", b'g', b"18 comment=0123456\n")
        .file("./empty.yaml", "")
        // An unknown type is a file to Flux.
        .entry(b"c.yaml", b'7', CONTENT.as_bytes());
    assert_eq!(seen(&archive.gz()), (6, vec![]));
    assert_eq!(read(&archive.gz()).bytes, 5 * CONTENT.len());
}

#[test]
fn members_that_follow_each_other_are_one_archive() {
    let archive = [
        &Tar::default().file("a", CONTENT).file("b", CONTENT).0[..],
        &[0; 1024],
    ]
    .concat();
    let (one, other) = archive.split_at(700);
    let members = [gz(one), gz(b""), gz(other)].concat();
    assert_eq!(
        seen(&members),
        (2, vec![]),
        "Go reads on, a decoder of one member would not"
    );
}

#[test]
fn what_a_header_hides_from_others_is_read() {
    let inner = Tar::default().file("hidden.yaml", CONTENT);
    // Links and folders have no content: what their size says follows is the next entry.
    for flag in [b'1', b'2', b'3', b'5', b'6'] {
        let archive = Tar::default().header(b"a", flag, 1024).raw(&inner.0);
        assert_eq!(seen(&archive.gz()).0, 1, "{}", char::from(flag));
    }
    let folder = Tar::default().header(b"a/", 0, 1024).raw(&inner.0);
    assert_eq!(seen(&folder.gz()).0, 1);
    // The size of the records counts, not that of the header.
    let archive = Tar::default()
        .records(&[("size", "0")])
        .header(b"a", b'0', 1024)
        .raw(&inner.0);
    assert_eq!(seen(&archive.gz()), (2, vec![]));
    let archive = Tar::default()
        .records(&[("size", "1024")])
        .header(b"a", b'0', 0)
        .raw(&inner.0);
    assert_eq!(seen(&archive.gz()), (1, vec![]));
}

#[test]
fn names_lead_nowhere() {
    for name in ["../../etc/a.yaml", "/etc/a.yaml", "a/../../b", "a\\b", ".."] {
        let archive = Tar::default().file(name, CONTENT).file("b", CONTENT);
        assert_eq!(seen(&archive.gz()), (2, vec![Gap::Name]), "{name}");
    }
    let longest = "n".repeat(Limits::default().path);
    for (name, gaps) in [
        (longest.clone(), vec![]),
        (format!("{longest}n"), vec![Gap::Name]),
    ] {
        let archive = Tar::default().records(&[("path", &name)]).file("a", CONTENT);
        assert_eq!(seen(&archive.gz()), (1, gaps));
    }
    let latin = Tar::default().entry(b"caf\xe9.yaml", b'0', CONTENT.as_bytes());
    assert_eq!(seen(&latin.gz()), (1, vec![]));
}

#[test]
fn what_is_no_file_is_no_file() {
    for flag in [b'1', b'2', b'3', b'4', b'6'] {
        let archive = Tar::default().header(b"a", flag, 0).file("b", CONTENT);
        assert_eq!(
            seen(&archive.gz()),
            (1, vec![Gap::Special]),
            "{}",
            char::from(flag)
        );
    }
    let holes = Tar::default()
        .entry(b"a", b'S', CONTENT.as_bytes())
        .file("b", CONTENT);
    assert_eq!(seen(&holes.gz()), (0, vec![Gap::Sparse]));
    let holes = Tar::default()
        .records(&[("GNU.sparse.major", "1")])
        .file("a", CONTENT);
    assert_eq!(seen(&holes.gz()), (0, vec![Gap::Sparse]));
}

#[test]
fn what_is_too_much_is_a_gap_and_no_more() {
    let large = vec![b'a'; LONGEST_FILE + 1];
    let archive = Tar::default().file("a", &large).file("b", CONTENT);
    assert_eq!(seen(&archive.gz()), (1, vec![Gap::TooLarge]));
    let archive = Tar::default().file("a", &large[1..]);
    assert_eq!(seen(&archive.gz()), (1, vec![]));

    let few = Limits {
        entries: 3,
        ..Limits::default()
    };
    let archive = |count: u8| {
        let entries = (0..count).fold(Tar::default(), |archive, _| archive.file("a", ""));
        read_with(&entries.gz(), &few).gaps
    };
    assert!(archive(3).is_empty());
    assert_eq!(archive(4), [Gap::TooMany].into());
}

#[test]
fn a_hundred_thousand_entries_are_read_and_no_more() {
    let mut archive = Tar::default();
    for number in 0..100_001_u32 {
        archive = archive.header(format!("f{number}").as_bytes(), b'0', 0);
    }
    assert_eq!(seen(&archive.gz()), (100_000, vec![Gap::TooMany]));
}

#[test]
fn bombs_are_put_out() {
    let zeros = vec![0; 24 * 1024 * 1024];
    // A thousand bytes for each byte, in a file, in a name, in records, and behind the end.
    let file = bomb(&Tar::default().entry(b"a", b'0', &zeros).0);
    assert_eq!(seen(&file), (0, vec![Gap::TooLarge, Gap::Bomb]));
    for flag in [b'L', b'K', b'x', b'g'] {
        let archive = Tar::default()
            .entry(b"a", flag, &zeros[..2 << 20])
            .file("b", CONTENT);
        assert_eq!(
            seen(&archive.gz()),
            (0, vec![Gap::Broken]),
            "{}",
            char::from(flag)
        );
    }
    let behind = bomb(&[&Tar::default().file("a", CONTENT).0[..], &zeros].concat());
    assert_eq!(seen(&behind), (1, vec![Gap::Bomb]));
    // A name of a member of gzip that never ends.
    let mut member = vec![0x1f, 0x8b, 8, 8, 0, 0, 0, 0, 0, 3];
    member.resize(1024 * 1024, b'a');
    assert_eq!(seen(&member), (0, vec![Gap::Broken]));
    let small = Limits {
        inflated: 1024 * 1024,
        ..Limits::default()
    };
    let noise: Vec<u8> = (0..3_u32 << 20)
        .map(|number| number.wrapping_mul(2_654_435_761).to_be_bytes()[0])
        .collect();
    let count = read_with(&Tar::default().file("a", noise).gz(), &small);
    assert_eq!(count.gaps, [Gap::Bomb].into());
}

#[test]
fn a_claim_costs_nothing() {
    for size in [1 << 30, (1 << 33) - 1] {
        let archive = Tar::default().header(b"a", b'0', size);
        let (files, gaps) = seen(&archive.gz());
        assert_eq!(files, 0);
        assert_eq!(gaps, [Gap::TooLarge, Gap::Truncated]);
    }
    let mut binary = header(b"a", b'0', 0);
    for first in [0x80_u8, 0xc0, 0xff] {
        binary[124..136].fill(0xff);
        binary[124] = first;
        sum(&mut binary);
        assert_eq!(
            seen(&Tar::default().raw(&binary).gz()),
            (0, vec![Gap::Broken]),
            "{first:x}"
        );
    }
    let records = Tar::default()
        .records(&[("size", "9223372036854775807")])
        .file("a", CONTENT);
    assert!(!seen(&records.gz()).1.is_empty());
}

#[test]
fn an_archive_that_is_cut_off_is_never_whole() {
    let tar = Tar::default()
        .file("a", "b".repeat(700))
        .records(&[("path", "c")])
        .file("d", "e".repeat(700));
    let whole = tar.gz();
    for length in 0..whole.len() {
        let (_, gaps) = seen(&whole[..length]);
        assert_eq!(gaps.len(), 1, "{length} of {} bytes: {gaps:?}", whole.len());
    }
    assert_eq!(seen(&whole), (2, vec![]));
    // Go takes an archive without an end for whole, when it ends between two entries.
    let (end, middle) = (tar.0.len(), 512 + 1024);
    for (length, gap) in [
        (end, None),
        (middle, None),
        (end - 1, Some(Gap::Truncated)),
        (512 + 100, Some(Gap::Truncated)),
    ] {
        assert_eq!(seen(&gz(&tar.0[..length])).1, Vec::from_iter(gap), "{length}");
    }
}

#[test]
fn nothing_hides_behind_the_end() {
    let archive = Tar::default().file("a", CONTENT);
    let whole = [&archive.0[..], &[0; 1024]].concat();
    let padded = [&whole[..], &[0; 8192]].concat();
    assert_eq!(seen(&gz(&padded)), (1, vec![]), "programs fill up");
    let second = [&whole[..], &archive.0[..]].concat();
    assert_eq!(seen(&gz(&second)), (1, vec![Gap::Trailing]));
    let member = [gz(&whole), gz(&archive.0)].concat();
    assert_eq!(seen(&member), (1, vec![Gap::Trailing]));
    let text = [gz(&whole), b"password: a".to_vec()].concat();
    assert_eq!(seen(&text), (1, vec![Gap::Trailing]));
}

#[test]
fn what_is_no_archive_is_told_so() {
    let mut wrong_sum = header(b"a", b'0', 0);
    wrong_sum[0] = b'b';
    let others = [
        Vec::new(),
        b"apiVersion: v1".to_vec(),
        b"PK\x03\x04".to_vec(),
        gz(CONTENT.repeat(100).as_bytes()),
        gz(&wrong_sum),
        gz(&[&[0; 512][..], &header(b"a", b'0', 0)].concat()),
        Tar::default().entry(b"a", b'x', b"7 a=b\n").gz(),
        Tar::default().entry(b"a", b'x', b"99 path=b\n").gz(),
        Tar::default().entry(b"a", b'x', b"+8 pat=b\n").gz(),
        Tar::default().records(&[("size", "-1")]).file("a", "").gz(),
    ];
    for other in others {
        let (files, gaps) = seen(&other);
        assert_eq!(files, 0, "{other:?}");
        assert!(
            matches!(gaps[..], [Gap::Broken | Gap::Truncated]),
            "{gaps:?} {other:?}"
        );
    }
    // An archive of nothing is one.
    assert_eq!(seen(&Tar::default().gz()), (0, vec![]));
}

#[test]
fn an_archive_that_takes_too_long_is_left() {
    let limits = Limits {
        time: Duration::ZERO,
        ..Limits::default()
    };
    let count = read_with(&Tar::default().file("a", CONTENT).gz(), &limits);
    assert_eq!(count.gaps, [Gap::Time].into());
    // Members without content cost time as well.
    let members = gz(b"").repeat(100_000);
    let limits = Limits {
        time: Duration::from_millis(1),
        ..Limits::default()
    };
    let started = Instant::now();
    assert!(!read_with(&members, &limits).gaps.is_empty());
    assert!(
        started.elapsed() < Duration::from_secs(5),
        "{:?}",
        started.elapsed()
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Whatever bytes change: it ends, and it does not panic.
    #[test]
    fn no_archive_is_the_end(edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8), is_inside: bool) {
        let mut tar = Tar::default()
            .file("a", CONTENT)
            .records(&[("path", "b"), ("size", "16")])
            .file("c", CONTENT)
            .entry(b"d", b'L', b"e")
            .header(b"f", b'2', 0);
        let mut packed = tar.gz();
        for (place, byte) in edits {
            if is_inside {
                let place = place.index(tar.0.len());
                tar.0[place] = byte;
            } else {
                let place = place.index(packed.len());
                packed[place] = byte;
            }
        }
        let archive = if is_inside { tar.gz() } else { packed };
        let (files, _) = seen(&archive);
        prop_assert!(files <= 8);
    }
}
