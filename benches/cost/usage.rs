//! What a process costs, by `/proc`.

use std::fs;
use std::time::Duration;

use anyhow::Context;

use super::controlplane::ControlPlane;

/// The operator's ServiceAccount, as the API server knows it.
const USER: &str = "system:serviceaccount:flux-security-system:flux-security-operator";

/// Most memory that a process ever had resident, in bytes.
pub(crate) fn peak(pid: u32) -> anyhow::Result<f64> {
    status(pid, "VmHWM:")
}

/// Memory that a process has resident, in bytes.
pub(crate) fn resident(pid: u32) -> anyhow::Result<f64> {
    status(pid, "VmRSS:")
}

fn status(pid: u32, line: &str) -> anyhow::Result<f64> {
    let text = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let value = text.lines().find_map(|it| it.strip_prefix(line));
    let kilobytes = value.and_then(|value| value.split_whitespace().next());
    let kilobytes: f64 = kilobytes.context("no such line in /proc/pid/status")?.parse()?;
    Ok(kilobytes * 1024.0)
}

/// How long the threads of a process have run so far.
pub(crate) fn processor_time(pid: u32) -> anyhow::Result<Duration> {
    let mut sum = Duration::ZERO;
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        sum += ran(&fs::read_to_string(task?.path().join("schedstat"))?)?;
    }
    Ok(sum)
}

/// How long this thread has run so far.
pub(crate) fn own_processor_time() -> anyhow::Result<Duration> {
    ran(&fs::read_to_string("/proc/thread-self/schedstat")?)
}

fn ran(schedstat: &str) -> anyhow::Result<Duration> {
    let nanoseconds = schedstat
        .split_whitespace()
        .next()
        .context("an empty schedstat")?;
    Ok(Duration::from_nanos(nanoseconds.parse()?))
}

/// How many requests of each verb the operator has made so far, writes by what they wrote.
pub(crate) struct Requests(Vec<(String, String)>);

impl Requests {
    /// Those in the API server's audit log.
    pub(crate) fn so_far(control_plane: &ControlPlane) -> anyhow::Result<Self> {
        let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        let log = control_plane.audit_log()?;
        let requests = log.iter().filter(|entry| entry["user"]["username"] == USER);
        // A watch is logged when it begins and again when it ends.
        let begun = requests.filter(|entry| entry["verb"] != "watch" || entry["stage"] == "ResponseStarted");
        let request =
            |entry: &serde_json::Value| (text(&entry["verb"]), text(&entry["objectRef"]["resource"]));
        Ok(Self(begun.map(request).collect()))
    }

    /// How many there were since then, by verb, in the order of the alphabet.
    pub(crate) fn by_verb_since(&self, before: &Self) -> Vec<(String, usize)> {
        let mut counts = std::collections::BTreeMap::new();
        for (verb, resource) in &self.0[before.0.len()..] {
            let is_lease = resource == "leases" && verb != "list" && verb != "watch";
            let name = if is_lease {
                "lease renewals".to_owned()
            } else {
                verb.clone()
            };
            *counts.entry(name).or_default() += 1;
        }
        counts.into_iter().collect()
    }

    /// How many writes of these resources there were since then.
    pub(crate) fn writes_since(&self, before: &Self, resources: &[&str]) -> usize {
        let writes = ["create", "update", "patch", "delete"];
        let since = self.0[before.0.len()..].iter();
        since
            .filter(|(verb, resource)| {
                writes.contains(&verb.as_str()) && resources.contains(&resource.as_str())
            })
            .count()
    }
}
