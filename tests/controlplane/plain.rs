//! Requests over HTTP without TLS, to ports of the loopback: the operator's endpoints and etcd's gateway need no more.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::Value;

/// Status and body of an answer.
pub(crate) fn get(port: u16, path: &str) -> anyhow::Result<(u16, String)> {
    request(port, &format!("GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n"))
}

/// What a service that speaks JSON answers.
pub(crate) fn post(port: u16, path: &str, body: &Value) -> anyhow::Result<Value> {
    let body = body.to_string();
    let head = format!(
        "POST {path} HTTP/1.0\r\nHost: localhost\r\nContent-Length: {}",
        body.len()
    );
    let (status, answer) = request(port, &format!("{head}\r\n\r\n{body}"))?;
    ensure!(status == 200, "POST {path}: {status} {answer}");
    Ok(serde_json::from_str(&answer)?)
}

fn request(port: u16, request: &str) -> anyhow::Result<(u16, String)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").context("no answer")?;
    let status = head.split(' ').nth(1).context("no status")?.parse()?;
    Ok((status, body.to_owned()))
}
