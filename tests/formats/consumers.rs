//! Those who read what an audit prints: see `tests/consumers`.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

use crate::controlplane::programs::CONSUMERS;

/// A running program that reads one text after the other.
pub(crate) struct Consumers {
    process: Child,
    requests: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Consumers {
    pub(crate) fn start() -> Self {
        let folder = CONSUMERS.folder().unwrap();
        let mut process = Command::new(folder.join("consumers"))
            .arg(folder.join("files"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            requests: process.stdin.take(),
            answers: BufReader::new(process.stdout.take().unwrap()),
            process,
        }
    }

    /// What the consumer of a format sees in a text. Panics when it refuses it.
    pub(crate) fn read(&mut self, format: &str, text: &str) -> Value {
        let answer = self.ask(format, text);
        assert!(answer.get("error").is_none(), "{}\n{text}", answer["error"]);
        answer["seen"].clone()
    }

    /// Why the consumer of a format refuses a text. Panics when it does not.
    pub(crate) fn complaint(&mut self, format: &str, text: &str) -> String {
        let answer = self.ask(format, text);
        let complaint = answer["error"].as_str();
        complaint
            .unwrap_or_else(|| panic!("nobody objects to {text}"))
            .to_owned()
    }

    fn ask(&mut self, format: &str, text: &str) -> Value {
        let request = json!({"format": format, "text": text});
        writeln!(self.requests.as_mut().unwrap(), "{request}").unwrap();
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
        serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{error}: {answer:?}"))
    }
}

impl Drop for Consumers {
    fn drop(&mut self) {
        // The end of its input is the end of the program.
        drop(self.requests.take());
        let _ = self.process.wait();
    }
}
