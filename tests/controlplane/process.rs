//! Processes that end with us, and a folder that goes with them.

use std::fs::{self, File};
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use rustix::process::{Pid, Signal, kill_process};

/// How long a process may take to stop by itself.
const GRACE: Duration = Duration::from_secs(8);

/// Outlives us: when our end of its standard input closes, for whatever reason, it ends the processes that are alive,
/// newest first, and removes the folder. From the renaming on, no process can start.
const GUARD: &str = r#"
trap '' INT TERM HUP
while read -r _; do :; done
cd "$1" && mv alive ended || exit
for pid in $(ls -t ended); do
  kill -CONT "$pid" 2>/dev/null; kill -TERM "$pid" 2>/dev/null
done
for pid in $(ls -t ended); do
  turn=0
  while kill -0 "$pid" 2>/dev/null && [ $turn -lt 30 ]; do sleep 0.1; turn=$((turn + 1)); done
  kill -KILL "$pid" 2>/dev/null
done
cd / && rm -rf -- "$1"
"#;

/// Becomes the program, once the guard knows its pid.
const LAUNCH: &str = r#"alive=$1; shift; : > "$alive/$$" && exec "$@""#;

/// A temporary folder and the processes that work in it.
pub(crate) struct Sandbox {
    folder: PathBuf,
    guard: Child,
}

impl Sandbox {
    /// An empty folder, and a guard.
    pub(crate) fn new() -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("fluxsec-").tempdir()?.keep();
        fs::create_dir(folder.join("alive"))?;
        let guard = Command::new("sh")
            .args(["-c", GUARD, "guard"])
            .arg(&folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .context("sh cannot be started")?;
        Ok(Self { folder, guard })
    }

    /// Where the processes may write.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Starts a process; what it prints goes to `<name>.log`.
    pub(crate) fn spawn(&self, name: &str, command: &Command) -> anyhow::Result<Process> {
        let log = self.folder.join(format!("{name}.log"));
        let output = File::options().create(true).append(true).open(&log)?;
        let alive = self.folder.join("alive");
        let mut launch = Command::new("sh");
        launch
            .args(["-c", LAUNCH, "launch"])
            .arg(&alive)
            .arg(command.get_program())
            .args(command.get_args())
            .current_dir(command.get_current_dir().unwrap_or(&self.folder))
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            // Ctrl-C in a terminal reaches us alone: the order in which they end is ours.
            .process_group(0);
        for (variable, value) in command.get_envs() {
            match value {
                Some(value) => launch.env(variable, value),
                None => launch.env_remove(variable),
            };
        }
        let child = launch.spawn().context("sh cannot be started")?;
        Ok(Process {
            name: name.to_owned(),
            alive: alive.join(child.id().to_string()),
            child,
            log,
        })
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        // `wait` closes its standard input first.
        let _ = self.guard.wait();
    }
}

/// A running process.
pub(crate) struct Process {
    name: String,
    child: Child,
    log: PathBuf,
    /// Says to the guard that it lives.
    alive: PathBuf,
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
                self.ended();
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
        self.ended();
        Ok(status)
    }

    fn last_words(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(12)..].join("\n")
    }

    /// Its pid may be another's from now on.
    fn ended(&self) {
        let _ = fs::remove_file(&self.alive);
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
