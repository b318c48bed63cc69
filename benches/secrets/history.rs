//! How long the history of a repository takes that is as large as those of people who have lived with Flux for years: made
//! with git, scanned in a process of its own, beside git that reads every object and does nothing with it.
#![allow(clippy::cast_precision_loss, reason = "there is not that much")]

use std::fmt::Write as _;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, ensure};
use flux_security_operator::history::{self, Key, Place};
use k8s_openapi::jiff::Timestamp;

use super::estate;
use super::random::Random;
use super::speed::peak;

const REPETITIONS: usize = 3;
const MIB: f64 = 1024.0 * 1024.0;
/// What is aimed at, with two cores.
const SECONDS: f64 = 10.0;
/// Applications of the repository, each with two files.
const APPLICATIONS: usize = 600;
/// As many commits lie between two that add a Secret. The next one takes it away.
const CLEAN: usize = 2000;

/// Measures a history of so many contents.
pub(crate) fn measure(contents: usize) -> anyhow::Result<String> {
    let folder = tempfile::tempdir()?;
    let planted = make(folder.path(), contents)?;
    let mut floor = f64::MAX;
    let mut best: Option<Figures> = None;
    for _ in 0..REPETITIONS {
        floor = floor.min(read_all(folder.path())?);
        let figures = Figures::of(folder.path())?;
        best = best
            .filter(|best| best.seconds <= figures.seconds)
            .or(Some(figures));
    }
    let best = best.context("nothing was measured")?;
    ensure!(
        (best.findings - planted as f64).abs() < 0.5,
        "{} of {planted} Secrets were found",
        best.findings
    );
    let mut text = "## A history\n\n| Commits | Contents | Size | Pack | Leaks | Floor | Scan | of the floor | Processor time | Peak of memory |\n|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n".to_owned();
    writeln!(
        text,
        "| {} | {} | {:.0} MB | {:.0} MB | {} | {floor:.1} s | {:.1} s | {:.1} × | {:.1} s | {:.0} MiB |",
        best.commits,
        best.contents,
        best.bytes / 1e6,
        packed(folder.path())? / 1e6,
        best.findings,
        best.seconds,
        best.seconds / floor,
        best.processor,
        best.peak / MIB,
    )?;
    let is_met = if best.seconds <= SECONDS {
        "met"
    } else {
        "**missed**"
    };
    writeln!(text, "\nAim: ≤ {SECONDS:.0} s with two cores: {is_met}.")?;
    Ok(text)
}

/// What a process of its own measured.
struct Figures {
    seconds: f64,
    processor: f64,
    peak: f64,
    findings: f64,
    commits: f64,
    contents: f64,
    bytes: f64,
}

impl Figures {
    fn of(repository: &Path) -> anyhow::Result<Self> {
        let output = Command::new(std::env::current_exe()?)
            .args(["--apart", "history"])
            .arg(repository)
            .output()?;
        let told = String::from_utf8(output.stdout)?;
        let figures: Vec<f64> = told.split_whitespace().filter_map(|it| it.parse().ok()).collect();
        let [seconds, processor, peak, findings, commits, contents, bytes] = figures[..] else {
            anyhow::bail!("{}", String::from_utf8_lossy(&output.stderr));
        };
        Ok(Self {
            seconds,
            processor,
            peak,
            findings,
            commits,
            contents,
            bytes,
        })
    }
}

/// What the process of its own does.
pub(crate) fn apart(repository: &Path) -> anyhow::Result<()> {
    let started = Instant::now();
    let key = Key::random()?;
    let report = history::scan(Place::Repository(repository), None, &key, Timestamp::now())?;
    let seconds = started.elapsed().as_secs_f64();
    ensure!(report.complete, "{:?}", report.lacks);
    println!(
        "{seconds} {} {} {} {} {} {}",
        processor_time()?,
        peak()?,
        report.findings.len() as u64 + report.more_findings,
        report.range.commits,
        report.range.blobs,
        report.range.bytes
    );
    Ok(())
}

/// Seconds of all threads, those that have ended among them.
fn processor_time() -> anyhow::Result<f64> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let (_, fields) = stat.rsplit_once(')').context("an odd stat")?;
    let ticks: Vec<f64> = fields
        .split_whitespace()
        .filter_map(|it| it.parse().ok())
        .collect();
    // Behind the name and the state, which is no number: ten others, then those of the program and of the system.
    let [user, system] = ticks.get(10..12).context("a short stat")? else {
        anyhow::bail!("a short stat");
    };
    Ok((user + system) / 100.0)
}

/// Lets git read every object; how long that takes.
fn read_all(repository: &Path) -> anyhow::Result<f64> {
    let started = Instant::now();
    let status = git(repository)
        .args(["cat-file", "--batch-all-objects", "--unordered", "--batch"])
        .stdout(Stdio::null())
        .status()?;
    ensure!(status.success(), "git cat-file: {status}");
    Ok(started.elapsed().as_secs_f64())
}

fn git(repository: &Path) -> Command {
    let mut git = Command::new("git");
    git.current_dir(repository)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1");
    git
}

/// Bytes of all packs.
fn packed(repository: &Path) -> anyhow::Result<f64> {
    let mut bytes = 0;
    for entry in fs::read_dir(repository.join("objects/pack"))? {
        bytes += entry?.metadata()?.len();
    }
    Ok(bytes as f64)
}

/// Makes a bare repository, packed as a clone is; tells how many Secrets were in it.
fn make(repository: &Path, contents: usize) -> anyhow::Result<usize> {
    let status = git(repository)
        .args(["init", "--quiet", "--bare", "--initial-branch=main"])
        .status()?;
    ensure!(status.success(), "git init: {status}");
    let mut import = git(repository)
        .args(["fast-import", "--quiet", "--depth=50"])
        .stdin(Stdio::piped())
        .spawn()?;
    let mut stream = std::io::BufWriter::new(import.stdin.take().context("no pipe")?);
    let planted = commits(&mut stream, contents)?;
    stream.flush()?;
    drop(stream);
    let status = import.wait()?;
    ensure!(status.success(), "git fast-import: {status}");
    let status = git(repository).args(["repack", "-adq"]).status()?;
    ensure!(status.success(), "git repack: {status}");
    Ok(planted)
}

/// Writes the commits: everything at once, then a line of a file each.
fn commits(stream: &mut impl Write, contents: usize) -> anyhow::Result<usize> {
    let mut random = Random(0x0061_7c0e);
    let mut files: Vec<(String, String)> = Vec::new();
    for number in 0..APPLICATIONS.min(contents / 2) {
        let folder = format!("apps/team-{}/app-{number}", number % 40);
        files.push((
            format!("{folder}/release.yaml"),
            estate::release(&mut random, number),
        ));
        let deployment = estate::deployment(&mut random, number);
        let config = estate::config(&mut random, number);
        files.push((format!("{folder}/app.yaml"), format!("{deployment}---\n{config}")));
    }
    begin(stream, 0)?;
    for (path, text) in &files {
        modify(stream, path, text)?;
    }
    let mut planted = 0;
    for commit in 1..contents.saturating_sub(files.len()) {
        begin(stream, commit)?;
        match commit % CLEAN {
            1 => {
                planted += 1;
                let text = format!(
                    "apiVersion: v1\nkind: Secret\nmetadata:\n  name: db\nstringData:\n  password: hunter{commit}\n"
                );
                modify(stream, &format!("apps/secret-{commit}.yaml"), &text)?;
            }
            2 => writeln!(stream, "D apps/secret-{}.yaml", commit - 1)?,
            _ => {
                let at = random.below(files.len());
                let (path, text) = &mut files[at];
                *text = edited(&mut random, text, commit);
                modify(stream, path, text)?;
            }
        }
    }
    Ok(planted)
}

fn begin(stream: &mut impl Write, number: usize) -> anyhow::Result<()> {
    let seconds = 1_600_000_000 + 600 * number;
    writeln!(
        stream,
        "commit refs/heads/main\ncommitter a <a@example.com> {seconds} +0000\ndata 0\n"
    )?;
    Ok(())
}

fn modify(stream: &mut impl Write, path: &str, text: &str) -> anyhow::Result<()> {
    writeln!(stream, "M 100644 inline {path}\ndata {}\n{text}", text.len())?;
    Ok(())
}

/// The text with another number at the end of one of its lines; each is another one.
fn edited(random: &mut Random, text: &str, number: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let ends: Vec<usize> = (0..lines.len())
        .filter(|at| lines[*at].ends_with(|it: char| it.is_ascii_digit()))
        .collect();
    let at = ends[random.below(ends.len())];
    let mut edited = String::with_capacity(text.len() + 8);
    for (line, text) in lines.iter().enumerate() {
        if line == at {
            edited += text.trim_end_matches(|it: char| it.is_ascii_digit());
            edited += &number.to_string();
        } else {
            edited += text;
        }
        edited.push('\n');
    }
    edited
}
