//! How fast archives are looked into, and what memory that takes: in a process of its own each, on one core, beside one that
//! does no more than unpack the same archive and see that it is text.

use std::fmt::Write;
use std::fs::{self, File};
use std::hint::black_box;
use std::io::{BufReader, Read};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Context;
use flate2::bufread::MultiGzDecoder;
use flux_security_operator::artifacts::archive::{self, Limits};
use flux_security_operator::secrets::Scan;

use super::estate;

const REPETITIONS: usize = 5;
const MIB: f64 = 1024.0 * 1024.0;
/// What is aimed at: bytes a second on one core, times of the floor, bytes of memory.
const FASTEST: f64 = 150.0e6;
const TIMES: f64 = 4.0;
const MEMORY: f64 = 16.0 * MIB;

/// What a process of its own measured.
#[derive(Clone, Copy)]
struct Figures {
    seconds: f64,
    peak: f64,
    findings: u64,
}

/// Measures an archive of so many megabytes, and those that are hardest on memory.
pub(crate) fn measure(megabytes: usize) -> anyhow::Result<String> {
    let folder = tempfile::tempdir()?;
    let mut text = "## How fast\n\n| Archive | Inflated | Documents | Floor | Scan | of the floor | MB/s | Memory above the floor's |\n|---|--:|--:|--:|--:|--:|--:|--:|\n".to_owned();
    let whole = estate::files(megabytes * 1_000_000);
    let mut verdicts = String::new();
    let archives = [
        ("a repository of Flux", whole),
        ("one Secret of 5 MB", secret()),
        ("one list of 5 MB", list()),
        ("one file of addresses, 5 MB", addresses()),
        ("one file of JSON, 5 MB", json()),
    ];
    for (number, (name, files)) in archives.into_iter().enumerate() {
        let size: usize = files.iter().map(|(_, content)| content.len()).sum();
        let path = folder.path().join(format!("{number}.tar.gz"));
        fs::write(&path, estate::archive(&files))?;
        let count = files.len();
        drop(files);
        let (floor, scan) = (best("floor", &path)?, best("scan", &path)?);
        #[expect(clippy::cast_precision_loss, reason = "there is not that much")]
        let size = size as f64;
        let (speed, times, memory) = (
            size / scan.seconds,
            scan.seconds / floor.seconds,
            scan.peak - floor.peak,
        );
        writeln!(
            text,
            "| {name} | {:.1} MB | {count} files, {} leaks | {:.1} ms | {:.1} ms | {times:.1} × | {:.0} | {:.1} MiB |",
            size / 1e6,
            scan.findings,
            floor.seconds * 1e3,
            scan.seconds * 1e3,
            speed / 1e6,
            memory / MIB
        )?;
        let is_met = |is_met: bool| if is_met { "met" } else { "**missed**" };
        if number == 0 {
            verdicts = format!(
                "≥ {:.0} MB/s: {}; ≤ {TIMES:.0} × the floor: {}",
                FASTEST / 1e6,
                is_met(speed >= FASTEST),
                is_met(times <= TIMES)
            );
        }
        write!(
            verdicts,
            "; ≤ {:.0} MiB for {name}: {}",
            MEMORY / MIB,
            is_met(memory <= MEMORY)
        )?;
    }
    writeln!(text, "\nAims: {verdicts}.")?;
    Ok(text)
}

/// A Secret with very many data: there is no way around its tree.
fn secret() -> Vec<estate::File> {
    let data = (0..90_000).fold(String::new(), |mut text, at| {
        let _ = writeln!(
            text,
            "  setting-number-{at}: dGhlIHZhbHVlIG9mIGEgc2V0dGluZyBvZiBhbiBhcHA{at:06}"
        );
        text
    });
    vec![(
        "secret.yaml".into(),
        format!(
            "apiVersion: v1\nkind: Secret\ndata:\n{}",
            &data[..data.len().min(4_900_000)]
        )
        .into_bytes(),
    )]
}

fn list() -> Vec<estate::File> {
    let items = (0..).map(|at| format!("- apiVersion: v1\n  kind: ConfigMap\n  metadata:\n    name: a{at}\n  data:\n    password: hunter{at}\n"));
    let mut text = "apiVersion: v1\nkind: List\nitems:\n".to_owned();
    for item in items {
        if text.len() + item.len() > 5_000_000 {
            break;
        }
        text += &item;
    }
    vec![("list.yaml".into(), text.into_bytes())]
}

fn addresses() -> Vec<estate::File> {
    vec![(
        "addresses.yaml".into(),
        "- https://example.com/a\n".repeat(200_000).into_bytes(),
    )]
}

fn json() -> Vec<estate::File> {
    let items = vec!["{\"id\": 1, \"title\": \"say \\\"hello\\\"\", \"key\": \"api\"}"; 95_000];
    vec![(
        "data.json".into(),
        format!("[{}]\n", items.join(",\n")).into_bytes(),
    )]
}

/// The best of several processes.
fn best(how: &str, archive: &Path) -> anyhow::Result<Figures> {
    let mut best: Option<Figures> = None;
    for _ in 0..REPETITIONS {
        let output = Command::new(std::env::current_exe()?)
            .arg("--apart")
            .arg(how)
            .arg(archive)
            .output()?;
        let told = String::from_utf8(output.stdout)?;
        let figures: Vec<f64> = told.split_whitespace().filter_map(|it| it.parse().ok()).collect();
        let [seconds, peak, findings] = figures[..] else {
            anyhow::bail!("{}", String::from_utf8_lossy(&output.stderr));
        };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
        let figures = Figures {
            seconds,
            peak,
            findings: findings as u64,
        };
        best = best
            .filter(|best| best.seconds <= figures.seconds)
            .or(Some(figures));
    }
    best.context("nothing was measured")
}

/// What the process of its own does: prints seconds of its processor time, the most memory it had, and how much it found.
pub(crate) fn apart(how: &str, archive: &Path) -> anyhow::Result<()> {
    // Rules are read once in the life of a process.
    Scan::default().file("warm.yaml", b"password: https://example.com\n");
    let before = processor_time()?;
    let started = Instant::now();
    let findings = match how {
        "floor" => floor(archive)?,
        _ => scan(archive)?,
    };
    let took = processor_time()?.saturating_sub(before).min(started.elapsed());
    println!("{} {} {findings}", took.as_secs_f64(), peak()?);
    Ok(())
}

fn scan(path: &Path) -> anyhow::Result<u64> {
    let mut scan = Scan::default();
    archive::read(BufReader::new(File::open(path)?), &Limits::default(), &mut scan);
    let tree = scan.finish();
    Ok(tree.leaks.len() as u64 + tree.more_leaks)
}

/// Inflates, goes from header to header, and sees that it is text.
fn floor(path: &Path) -> anyhow::Result<u64> {
    let mut archive =
        BufReader::with_capacity(64 * 1024, MultiGzDecoder::new(BufReader::new(File::open(path)?)));
    let mut header = [0; 512];
    let mut content = Vec::new();
    let mut texts = 0;
    loop {
        archive.read_exact(&mut header)?;
        let size = str::from_utf8(&header[124..135])?.trim_end_matches('\0');
        if size.is_empty() {
            return Ok(texts);
        }
        let size = usize::from_str_radix(size, 8)?;
        content.resize(size.next_multiple_of(512), 0);
        archive.read_exact(&mut content)?;
        texts += u64::from(black_box(str::from_utf8(&content[..size])).is_ok());
    }
}

fn processor_time() -> anyhow::Result<Duration> {
    let schedule = fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds = schedule.split(' ').next().context("an empty schedstat")?;
    Ok(Duration::from_nanos(nanoseconds.parse()?))
}

pub(crate) fn peak() -> anyhow::Result<f64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes: f64 = line
        .and_then(|line| line.split_whitespace().next())
        .context("no VmHWM")?
        .parse()?;
    Ok(kilobytes * 1024.0)
}
