//! Processes that end with us, and a folder that goes with them.

use std::fs::{self, File};
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use rustix::process::{Pid, Signal, kill_process};

/// How long a process may take to stop by itself.
const GRACE: Duration = Duration::from_secs(8);

/// Outlives us: when our end of its standard input closes, for whatever reason, it ends the processes that it was
/// told of, newest first, and removes the folder.
const GUARD: &str = r#"
trap '' INT TERM HUP
pids=
while read -r sign pid; do
  case $sign in
    +) pids="$pid $pids" ;;
    -) left=; for other in $pids; do [ "$other" = "$pid" ] || left="$left $other"; done; pids=$left ;;
  esac
done
for pid in $pids; do
  kill -CONT "$pid" 2>/dev/null; kill -TERM "$pid" 2>/dev/null
done
for pid in $pids; do
  turn=0
  while kill -0 "$pid" 2>/dev/null && [ $turn -lt 30 ]; do sleep 0.1; turn=$((turn + 1)); done
  kill -KILL "$pid" 2>/dev/null
done
rm -rf -- "$1"
"#;

/// A temporary folder and the processes that work in it.
pub(crate) struct Sandbox {
    folder: PathBuf,
    guard: Child,
    words: Words,
}

/// The pipe to the guard.
type Words = Arc<Mutex<Option<ChildStdin>>>;

impl Sandbox {
    /// An empty folder, and a guard.
    pub(crate) fn new() -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("fluxsec-").tempdir()?.keep();
        let mut guard = Command::new("sh")
            .args(["-c", GUARD, "guard"])
            .arg(&folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .context("sh cannot be started")?;
        let words = Arc::new(Mutex::new(guard.stdin.take()));
        Ok(Self { folder, guard, words })
    }

    /// Where the processes may write.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Starts a process; what it prints goes to `<name>.log`.
    pub(crate) fn spawn(&self, name: &str, command: &mut Command) -> anyhow::Result<Process> {
        let log = self.folder.join(format!("{name}.log"));
        let output = File::options().create(true).append(true).open(&log)?;
        let child = command
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            // Ctrl-C in a terminal reaches us alone: the order in which they end is ours.
            .process_group(0)
            .spawn()
            .with_context(|| format!("{} cannot be started", command.get_program().display()))?;
        let process = Process {
            name: name.to_owned(),
            child,
            log,
            words: self.words.clone(),
        };
        process.tell_guard('+');
        Ok(process)
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        if let Ok(mut words) = self.words.lock() {
            words.take();
        }
        let _ = self.guard.wait();
    }
}

/// A running process.
pub(crate) struct Process {
    name: String,
    child: Child,
    log: PathBuf,
    words: Words,
}

impl Process {
    /// Its number.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Everything that it printed so far.
    pub(crate) fn log(&self) -> String {
        fs::read(&self.log)
            .map(|text| String::from_utf8_lossy(&text).into_owned())
            .unwrap_or_default()
    }

    /// Fails, with its last words, when it has ended.
    pub(crate) fn check(&mut self) -> anyhow::Result<()> {
        let ended = self.child.try_wait()?;
        ensure!(
            ended.is_none(),
            "{} ended by itself:\n{}",
            self.name,
            self.last_words()
        );
        Ok(())
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        let pid = i32::try_from(self.pid())
            .ok()
            .and_then(Pid::from_raw)
            .context("no pid")?;
        Ok(kill_process(pid, signal)?)
    }

    /// Waits for its end.
    pub(crate) fn wait(&mut self, patience: Duration) -> anyhow::Result<ExitStatus> {
        let started = Instant::now();
        while started.elapsed() < patience {
            if let Some(status) = self.child.try_wait()? {
                self.tell_guard('-');
                return Ok(status);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        anyhow::bail!("{} still runs after {patience:?}", self.name)
    }

    /// Asks it to stop, and tells how it ended.
    pub(crate) fn stop(&mut self) -> anyhow::Result<ExitStatus> {
        if let Some(status) = self.child.try_wait()? {
            return Ok(status);
        }
        self.signal(Signal::TERM)?;
        self.wait(GRACE)
    }

    /// Ends it without a warning.
    pub(crate) fn kill(&mut self) -> anyhow::Result<ExitStatus> {
        self.child.kill()?;
        let status = self.child.wait()?;
        self.tell_guard('-');
        Ok(status)
    }

    fn last_words(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(12)..].join("\n")
    }

    fn tell_guard(&self, sign: char) {
        let Ok(mut words) = self.words.lock() else { return };
        if let Some(words) = words.as_mut() {
            let _ = writeln!(words, "{sign} {}", self.pid());
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if std::thread::panicking() {
            super::programs::say(&format!("{} said last:\n{}", self.name, self.last_words()));
        }
        if self.stop().is_err() {
            let _ = self.kill();
        }
    }
}

/// A free port of the loopback.
pub(crate) fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}
