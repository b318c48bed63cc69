//! An HTTP proxy between a client and the API server, that answers some requests itself and tampers with watches.
//!
//! It terminates TLS, and passes on everything else as it is, the bearer's token too. [`Requests`] says which requests
//! are treated how; every request is written down.

mod asked;
mod events;
mod rule;

use std::convert::Infallible;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::Context;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HOST, RETRY_AFTER};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use kube::{Client, Config};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

pub(crate) use asked::Asked;
pub(crate) use rule::{Requests, Rule};

use super::ControlPlane;
use asked::Pages;
use events::Rules;
use rule::Effect;

type Fault = Box<dyn std::error::Error + Send + Sync>;
type Answer = UnsyncBoxBody<Bytes, Fault>;

/// A port of the loopback behind which the API server seems to be.
pub(crate) struct Proxy {
    runtime: Runtime,
    address: SocketAddr,
    desk: Arc<Desk>,
}

/// A request, and how it was answered.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) at: Instant,
    pub(crate) asked: Asked,
    pub(crate) code: u16,
}

/// What all connections share.
struct Desk {
    server: Client,
    tls: Mutex<TlsAcceptor>,
    rules: watch::Sender<Rules>,
    cuts: watch::Sender<u64>,
    pages: Mutex<Pages>,
    book: Mutex<Vec<Entry>>,
}

impl Proxy {
    /// Stands before an API server, and shows its certificate.
    ///
    /// # Errors
    /// There is no free port.
    pub(crate) fn before(control_plane: &ControlPlane) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .context("no runtime for a proxy")?;
        let entered = runtime.enter();
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let desk = Arc::new(Desk {
            server: client(&control_plane.url(), &control_plane.certificate())?,
            tls: Mutex::new(acceptor(&control_plane.certificate(), &control_plane.key())?),
            rules: watch::Sender::default(),
            cuts: watch::Sender::default(),
            pages: Mutex::default(),
            book: Mutex::default(),
        });
        runtime.spawn(accept(TcpListener::from_std(listener)?, desk.clone()));
        drop(entered);
        Ok(Self {
            runtime,
            address,
            desk,
        })
    }

    /// Where it listens.
    pub(crate) fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// From now on this rule is in force, before the older ones.
    pub(crate) fn lay(&self, rule: Rule) -> Arc<Rule> {
        let rule = Arc::new(rule);
        self.desk.rules.send_modify(|rules| rules.insert(0, rule.clone()));
        rule
    }

    /// Leads requests to another API server of the same control plane.
    pub(crate) fn lead(&self, requests: Requests, control_plane: &ControlPlane, url: &str) -> Arc<Rule> {
        let entered = self.runtime.enter();
        let server = client(url, &control_plane.certificate()).unwrap();
        drop(entered);
        self.lay(requests.lead_to(server))
    }

    /// No rule is in force any more.
    pub(crate) fn lift(&self) {
        self.desk.rules.send_modify(Vec::clear);
    }

    /// Closes every connection: who watches has to ask again.
    pub(crate) fn cut(&self) {
        self.desk.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// From now on new connections see another certificate.
    pub(crate) fn show(&self, certificate: &Path, key: &Path) {
        *self.desk.tls.lock().unwrap() = acceptor(certificate, key).unwrap();
    }

    /// Every request since.
    pub(crate) fn since(&self, start: Instant) -> Vec<Entry> {
        let book = self.desk.book.lock().unwrap();
        book.iter().filter(|entry| entry.at >= start).cloned().collect()
    }
}

/// To a server that shows this certificate. Without a token of its own, and without a second attempt.
fn client(url: &str, certificate: &Path) -> anyhow::Result<Client> {
    let mut config = Config::new(url.parse()?);
    config.root_cert = Some(certificates(certificate)?.iter().map(|it| it.to_vec()).collect());
    config.default_retry = false;
    Ok(Client::try_from(config)?)
}

fn acceptor(certificate: &Path, key: &Path) -> anyhow::Result<TlsAcceptor> {
    let key = PrivateKeyDer::from_pem_slice(&fs::read(key)?)?;
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(certificates(certificate)?, key)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn certificates(path: &Path) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let pem = fs::read(path)?;
    Ok(CertificateDer::pem_slice_iter(&pem).collect::<Result<_, _>>()?)
}

async fn accept(listener: TcpListener, desk: Arc<Desk>) {
    while let Ok((stream, _)) = listener.accept().await {
        let desk = desk.clone();
        tokio::spawn(async move {
            let mut cuts = desk.cuts.subscribe();
            tokio::select! {
                () = serve(stream, desk) => {}
                _ = cuts.changed() => {}
            }
        });
    }
}

async fn serve(stream: TcpStream, desk: Arc<Desk>) {
    let _ = stream.set_nodelay(true);
    let tls = desk.tls.lock().unwrap().clone();
    // A client that does not like the certificate says so, and goes.
    let Ok(stream) = tls.accept(stream).await else {
        return;
    };
    let answer = service_fn(|request| desk.clone().answer(request));
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), answer)
        .await;
}

impl Desk {
    async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Result<Response<Answer>, Fault> {
        let at = Instant::now();
        let asked = Asked::of(&request, &mut self.pages.lock().unwrap());
        let rules = self.rules.subscribe();
        let rule = rules.borrow().iter().find(|rule| rule.is_about(&asked)).cloned();
        let answer = match rule.as_ref().map(|rule| (&rule.effect, rule)) {
            Some((Effect::Answer(codes, retry_after), rule)) => {
                let turn = usize::try_from(rule.apply())?;
                refuse(codes[turn % codes.len()], *retry_after)
            }
            Some((Effect::Expire, rule)) => {
                rule.apply();
                Response::new(whole(events::expired()))
            }
            Some((Effect::Lead(server), rule)) => {
                rule.apply();
                self.forward(server, request, &asked, rules).await?
            }
            _ => self.forward(&self.server, request, &asked, rules).await?,
        };
        let code = answer.status().as_u16();
        self.book.lock().unwrap().push(Entry { at, asked, code });
        Ok(answer)
    }

    /// Asks a server. A fault closes the connection.
    async fn forward(
        &self,
        server: &Client,
        request: Request<Incoming>,
        asked: &Asked,
        rules: watch::Receiver<Rules>,
    ) -> Result<Response<Answer>, Fault> {
        let (mut parts, body) = request.into_parts();
        parts.headers.remove(HOST);
        let body = body.collect().await?.to_bytes();
        let request = Request::from_parts(parts, body.into());
        let (parts, body) = server.send(request).await?.into_parts();
        let body = if asked.verb == "watch" && parts.status.is_success() {
            events::pass(asked.clone(), body, rules)
        } else {
            body.map_err(Fault::from).boxed_unsync()
        };
        Ok(Response::from_parts(parts, body))
    }
}

/// An answer of the API server's sort.
fn refuse(code: u16, retry_after: Option<Duration>) -> Response<Answer> {
    let mut answer = Response::builder()
        .status(code)
        .header(CONTENT_TYPE, "application/json");
    if let Some(wait) = retry_after {
        answer = answer.header(RETRY_AFTER, wait.as_secs());
    }
    answer.body(whole(status(code).to_string())).unwrap()
}

fn status(code: u16) -> Value {
    let reason = match code {
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "NotFound",
        409 => "Conflict",
        410 => "Expired",
        422 => "Invalid",
        429 => "TooManyRequests",
        500 => "InternalError",
        504 => "Timeout",
        _ => "ServiceUnavailable",
    };
    json!({
        "apiVersion": "v1", "kind": "Status", "metadata": {}, "status": "Failure",
        "code": code, "reason": reason, "message": "a test says so",
    })
}

fn whole(body: impl Into<Bytes>) -> Answer {
    Full::new(body.into())
        .map_err(|never: Infallible| match never {})
        .boxed_unsync()
}
