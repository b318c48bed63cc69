//! A Git repository, served over the loopback by Git's own `http-backend`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, Uri};
use axum::response::IntoResponse;
use tokio::io::AsyncWriteExt;

use super::process::Sandbox;
use super::programs::Finish;

/// A repository with one branch, `main`, and a work tree to change it.
pub(crate) struct Repository {
    work_tree: PathBuf,
    url: String,
    _server: tokio::runtime::Runtime,
}

impl Repository {
    /// An empty repository.
    ///
    /// # Errors
    /// Git is missing.
    pub(crate) fn start(sandbox: &Sandbox) -> anyhow::Result<Self> {
        let root = sandbox.folder().join("git");
        let (bare, work_tree) = (root.join("fleet.git"), sandbox.folder().join("fleet"));
        fs::create_dir_all(&bare)?;
        fs::create_dir_all(&work_tree)?;
        git(&bare, &["init", "--quiet", "--bare", "--initial-branch=main"])?;
        git(&work_tree, &["init", "--quiet", "--initial-branch=main"])?;
        git(
            &work_tree,
            &["remote", "add", "origin", &bare.display().to_string()],
        )?;
        let server = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()?;
        let listener = server.block_on(tokio::net::TcpListener::bind(("127.0.0.1", 0)))?;
        let url = format!("http://{}/fleet.git", listener.local_addr()?);
        let router = Router::new().fallback(serve).with_state(root);
        server.spawn(async move { axum::serve(listener, router).await });
        Ok(Self {
            work_tree,
            url,
            _server: server,
        })
    }

    /// Where Flux finds it.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Writes files, and pushes them as one commit.
    pub(crate) fn push(&self, message: &str, files: &[(&str, &str)]) -> anyhow::Result<()> {
        for (path, content) in files {
            let path = self.work_tree.join(path);
            fs::create_dir_all(path.parent().unwrap_or(Path::new("/")))?;
            fs::write(path, content)?;
        }
        git(&self.work_tree, &["add", "--all"])?;
        git(&self.work_tree, &["commit", "--quiet", "--message", message])?;
        git(&self.work_tree, &["push", "--quiet", "origin", "main"])
    }
}

fn git(folder: &Path, arguments: &[&str]) -> anyhow::Result<()> {
    Command::new("git")
        .args(arguments)
        .current_dir(folder)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .envs([
            ("GIT_AUTHOR_NAME", "Fleet"),
            ("GIT_AUTHOR_EMAIL", "fleet@example.com"),
        ])
        .envs([
            ("GIT_COMMITTER_NAME", "Fleet"),
            ("GIT_COMMITTER_EMAIL", "fleet@example.com"),
        ])
        .finish(&format!("git {}", arguments.join(" ")))?;
    Ok(())
}

async fn serve(
    State(root): State<PathBuf>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<axum::body::Body> {
    match backend(&root, &method, &uri, &headers, &body).await {
        Ok(response) => response,
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error:#}\n")).into_response(),
    }
}

/// One request, by the rules of CGI.
async fn backend(
    root: &Path,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    body: &[u8],
) -> anyhow::Result<Response<axum::body::Body>> {
    let header = |name: &str| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    };
    let mut child = tokio::process::Command::new("git")
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("REQUEST_METHOD", method.as_str())
        .env("PATH_INFO", uri.path())
        .env("QUERY_STRING", uri.query().unwrap_or_default())
        .env("CONTENT_TYPE", header("content-type"))
        .env("HTTP_CONTENT_ENCODING", header("content-encoding"))
        .env("GIT_PROTOCOL", header("git-protocol"))
        .env("CONTENT_LENGTH", body.len().to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    let mut input = child.stdin.take().context("no standard input")?;
    let (written, output) = tokio::join!(
        async move { input.write_all(body).await },
        child.wait_with_output()
    );
    // A backend that answers early does not read to the end.
    let _ = written;
    answer(&output?.stdout)
}

fn answer(output: &[u8]) -> anyhow::Result<Response<axum::body::Body>> {
    let blank = output.windows(4).position(|window| window == b"\r\n\r\n");
    let blank = blank.context("git http-backend sent no headers")?;
    let mut response = Response::new(output[blank + 4..].to_vec().into());
    for line in std::str::from_utf8(&output[..blank])?.lines() {
        let (name, value) = line.split_once(": ").context("a header without a value")?;
        if name == "Status" {
            *response.status_mut() = value.split(' ').next().unwrap_or("200").parse()?;
            continue;
        }
        response
            .headers_mut()
            .append(HeaderName::try_from(name)?, HeaderValue::from_str(value)?);
    }
    Ok(response)
}
