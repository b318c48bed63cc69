//! Prometheus, over the operator's metrics.

use std::fmt::Write;
use std::fs;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use super::process::{Process, Sandbox, free_port};
use super::programs::PROMETHEUS;
use super::{plain, wait_for};

/// A running Prometheus that scrapes and evaluates once a second.
pub(crate) struct Prometheus {
    /// Its process.
    pub(crate) process: Process,
    port: u16,
}

impl Prometheus {
    /// Starts one over the ports of some operators, with rules.
    pub(crate) fn start(sandbox: &Sandbox, operators: &[u16], rules: &str) -> anyhow::Result<Self> {
        let program = PROMETHEUS.folder()?.join("prometheus");
        let folder = sandbox.folder().join("prometheus");
        fs::create_dir_all(&folder)?;
        fs::write(folder.join("rules.yaml"), rules)?;
        let targets: Vec<String> = operators.iter().map(|port| format!("127.0.0.1:{port}")).collect();
        let jobs = json!([{
            "job_name": "flux-security-system/flux-security-operator",
            "static_configs": [{"targets": targets, "labels": {"namespace": "flux-security-system"}}],
        }]);
        let config = json!({
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
            "rule_files": [folder.join("rules.yaml")],
            "scrape_configs": jobs,
        });
        // JSON is YAML.
        fs::write(folder.join("prometheus.yaml"), config.to_string())?;
        let port = free_port()?;
        let mut command = Command::new(program);
        command
            .arg(format!(
                "--config.file={}",
                folder.join("prometheus.yaml").display()
            ))
            .arg(format!("--storage.tsdb.path={}", folder.join("data").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .arg("--log.level=warn");
        let mut process = sandbox.spawn("prometheus", &command)?;
        wait_for("Prometheus", Duration::from_secs(30), || {
            process.check()?;
            let (status, text) = plain::get(port, "/-/ready")?;
            ensure!(status == 200, "{text}");
            Ok(())
        })?;
        Ok(Self { process, port })
    }

    /// What a query finds now.
    pub(crate) fn query(&self, query: &str) -> anyhow::Result<Vec<Value>> {
        let data = self.ask(&format!("/api/v1/query?query={}", encoded(query)))?;
        Ok(data["result"].as_array().context("no result")?.clone())
    }

    /// The alerts that fire.
    pub(crate) fn firing(&self) -> anyhow::Result<Vec<Value>> {
        let data = self.ask("/api/v1/alerts")?;
        let alerts = data["alerts"].as_array().context("no alerts")?;
        let firing = alerts.iter().filter(|alert| alert["state"] == "firing");
        Ok(firing.cloned().collect())
    }

    fn ask(&self, path: &str) -> anyhow::Result<Value> {
        let (status, text) = plain::get(self.port, path)?;
        ensure!(status == 200, "{path}: {status} {text}");
        let mut answer: Value = serde_json::from_str(&text)?;
        Ok(answer["data"].take())
    }
}

/// As a part of a URL.
fn encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() {
            encoded.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}
