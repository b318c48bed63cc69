//! Fetches one artifact, and hands it on as it comes in. One request over a connection of its own: no redirect is
//! followed, no proxy asked, nothing repeated, nothing kept on disk.

use std::fmt;
use std::io::{self, BufRead, Read};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use http::header::{ACCEPT_ENCODING, CONNECTION, HOST, USER_AGENT};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{self, CertificateError};
use tokio_util::either::Either;
use tokio_util::task::AbortOnDropHandle;

use super::address::Target;
use super::archive::{self, Limits};
use super::digest::{Expected, Sum};
use super::trust::Trust;
use crate::api::FIELD_MANAGER;
use crate::secrets::{Gap, Scan, Tree};

/// What is read of the network at once.
const CHUNK: usize = 64 * 1024;
/// Chunks that wait to be read: a scan that is slower than the network slows it down.
const QUEUE: usize = 4;

/// How long things may take.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// Until there is a connection.
    pub connect: Duration,
    /// Until the answer begins, and between its parts.
    pub silence: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            silence: Duration::from_secs(15),
        }
    }
}

/// Why there is no scan of an artifact. Nothing that the server says is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// There is no connection, or it broke.
    Unreachable,
    /// The server is too slow.
    Slow,
    /// It does not speak TLS.
    NoTls,
    /// It does not prove that it is the host.
    Doubtful(Doubt),
    /// Nobody could vouch for it.
    NoAuthorities,
    /// It sends the caller somewhere else.
    Redirects,
    /// It does not have the artifact any more.
    NotFound,
    /// It answers in another way.
    Refuses(u16),
    /// There is more of it than is read.
    TooLarge,
    /// The bytes are not those that the source tells of.
    WrongDigest,
    /// The scan broke off.
    Internal,
}

/// What is wrong with a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// Nobody who is trusted vouches for it.
    Issuer,
    /// It is of another host.
    Host,
    /// It is not valid any more, or not yet.
    Time,
    /// Something else.
    Other,
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Issuer => {
                "the certificate of its server is of no authority that is trusted; --artifact-authorities names some"
            }
            Self::Host => "the certificate of its server is of another host",
            Self::Time => "the certificate of its server has expired, or is not valid yet",
            Self::Other => "the certificate of its server is not accepted",
        })
    }
}

impl Failure {
    /// One CamelCase word.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Unreachable | Self::Slow | Self::NoTls => "SourceUnreachable",
            Self::Doubtful(_) | Self::NoAuthorities => "CertificateNotTrusted",
            Self::Redirects => "AddressRefused",
            Self::NotFound => "ArtifactNotFound",
            Self::Refuses(_) => "FetchFailed",
            Self::TooLarge => "ArtifactTooLarge",
            Self::WrongDigest => "WrongDigest",
            Self::Internal => "Internal",
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unreachable => {
                "its server cannot be reached; a NetworkPolicy may stand in the way, config/artifact-scan has the one that is needed"
            }
            Self::Slow => {
                "its server does not answer in time; a NetworkPolicy may stand in the way, config/artifact-scan has the one that is needed"
            }
            Self::NoTls => "its server does not speak TLS",
            Self::Doubtful(doubt) => return doubt.fmt(f),
            Self::NoAuthorities => {
                "there is no authority that could vouch for its server: the file of --artifact-authorities or the platform should have some"
            }
            Self::Redirects => "its server redirects, which is not followed",
            Self::NotFound => "its server does not have it",
            Self::Refuses(code) => return write!(f, "its server answers {code}"),
            Self::TooLarge => "it is larger than spec.secrets.artifacts.maxBytes",
            Self::WrongDigest => "what is served does not have the digest that the source tells",
            Self::Internal => "its scan broke off",
        })
    }
}

/// How an artifact is fetched and read.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Bytes as they are served.
    pub bytes: u64,
    /// How long the network may take.
    pub timing: Timing,
    /// How far the archive is read.
    pub limits: Limits,
}

/// Fetches an artifact and scans it. What was found in bytes that turn out to be others is forgotten.
pub(super) async fn fetch(
    target: &Target,
    digest: &str,
    bounds: Bounds,
    trust: &Trust,
) -> Result<Tree, Failure> {
    let until = Instant::now() + bounds.limits.time;
    let expected = Expected::parse(digest);
    let stream = timeout(bounds.timing.connect, reach(target, trust))
        .await
        .map_err(|_| Failure::Slow)??;
    let response = ask(target, stream, bounds.timing).await?;
    let (send, receive) = mpsc::channel(QUEUE);
    let limits = bounds.limits;
    let scan = tokio::task::spawn_blocking(move || scan(receive, expected, &limits));
    let received = receive_all(response, &send, bounds, until).await;
    drop(send);
    let scanned = scan.await.map_err(|_| Failure::Internal)?;
    received?;
    scanned
}

/// A connection that lives as long as its answer.
struct Answer {
    response: Response<Incoming>,
    _connection: AbortOnDropHandle<()>,
}

/// A connection, over which the host has proved that it is the host where that is asked for.
async fn reach(target: &Target, trust: &Trust) -> Result<Either<TcpStream, TlsStream<TcpStream>>, Failure> {
    if !target.is_https {
        return connect(target).await.map(Either::Left);
    }
    let tls = trust.connector().ok_or(Failure::NoAuthorities)?;
    let host = target.host.strip_suffix('.').unwrap_or(&target.host);
    let host = ServerName::try_from(host.to_owned()).map_err(|_| Failure::Doubtful(Doubt::Host))?;
    let stream = tls.connect(host, connect(target).await?).await;
    stream.map(Either::Right).map_err(|error| doubt(&error))
}

/// Why there is no TLS.
fn doubt(error: &io::Error) -> Failure {
    let error = error.get_ref().and_then(|it| it.downcast_ref::<rustls::Error>());
    let problem = match error {
        Some(rustls::Error::InvalidCertificate(problem)) => problem,
        Some(_) => return Failure::NoTls,
        None => return Failure::Unreachable,
    };
    Failure::Doubtful(match problem {
        CertificateError::UnknownIssuer => Doubt::Issuer,
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => Doubt::Host,
        CertificateError::Expired
        | CertificateError::ExpiredContext { .. }
        | CertificateError::NotValidYet
        | CertificateError::NotValidYetContext { .. } => Doubt::Time,
        _ => Doubt::Other,
    })
}

async fn connect(target: &Target) -> Result<TcpStream, Failure> {
    let addresses = lookup_host((target.host.as_str(), target.port)).await;
    for address in addresses.map_err(|_| Failure::Unreachable)? {
        if !target.is_named && leads_elsewhere(&address) {
            continue;
        }
        if let Ok(stream) = TcpStream::connect(address).await {
            return Ok(stream);
        }
    }
    Err(Failure::Unreachable)
}

/// Whether the name of a Service leads to this very host, or to what a cloud tells its machines.
fn leads_elsewhere(address: &SocketAddr) -> bool {
    let ip = address.ip().to_canonical();
    let is_link_local = match ip {
        IpAddr::V4(ip) => ip.is_link_local() || ip.is_broadcast(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    };
    ip.is_loopback() || ip.is_unspecified() || ip.is_multicast() || is_link_local
}

async fn ask(
    target: &Target,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    timing: Timing,
) -> Result<Answer, Failure> {
    let handshake = http1::Builder::new()
        .max_buf_size(CHUNK)
        .handshake(TokioIo::new(stream));
    let (mut sender, connection) = timeout(timing.connect, handshake)
        .await
        .map_err(|_| Failure::Slow)?
        .map_err(|_| Failure::Unreachable)?;
    let connection = AbortOnDropHandle::new(tokio::spawn(async move {
        // How it ends is seen by whoever reads the answer.
        let _ = connection.await;
    }));
    let request = Request::get(target.path.as_str())
        .header(HOST, target.authority.as_str())
        .header(USER_AGENT, FIELD_MANAGER)
        .header(ACCEPT_ENCODING, "identity")
        .header(CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .map_err(|_| Failure::Internal)?;
    let response = timeout(timing.silence, sender.send_request(request))
        .await
        .map_err(|_| Failure::Slow)?
        .map_err(|_| Failure::Unreachable)?;
    match response.status() {
        StatusCode::OK => Ok(Answer {
            response,
            _connection: connection,
        }),
        StatusCode::NOT_FOUND | StatusCode::GONE => Err(Failure::NotFound),
        status if status.is_redirection() => Err(Failure::Redirects),
        status => Err(Failure::Refuses(status.as_u16())),
    }
}

/// Hands the bytes on. Whoever reads them tells nothing before they have all come.
async fn receive_all(
    mut answer: Answer,
    send: &mpsc::Sender<Bytes>,
    bounds: Bounds,
    until: Instant,
) -> Result<(), Failure> {
    let mut received = 0;
    loop {
        let silence = until.min(Instant::now() + bounds.timing.silence);
        let frame = timeout_at(silence, answer.response.frame()).await;
        let Some(frame) = frame.map_err(|_| Failure::Slow)? else {
            return Ok(());
        };
        let Ok(bytes) = frame.map_err(|_| Failure::Unreachable)?.into_data() else {
            continue;
        };
        received += bytes.len() as u64;
        if received > bounds.bytes {
            return Err(Failure::TooLarge);
        }
        let taken = timeout_at(until, send.send(bytes)).await;
        taken.map_err(|_| Failure::Slow)?.map_err(|_| Failure::Internal)?;
    }
}

/// Scans the bytes as they come, and adds them up.
fn scan(chunks: mpsc::Receiver<Bytes>, expected: Option<Expected>, limits: &Limits) -> Result<Tree, Failure> {
    let mut received = Received {
        chunks,
        chunk: Bytes::new(),
        sum: expected.as_ref().map(Expected::sum),
    };
    let mut scan = Scan::default();
    archive::read(&mut received, limits, &mut scan);
    received.drain();
    match (expected, received.sum) {
        (Some(expected), Some(sum)) => {
            if !expected.is(sum) {
                return Err(Failure::WrongDigest);
            }
        }
        _ => scan.not_read(archive::ARCHIVE, Gap::Unverified),
    }
    Ok(scan.finish())
}

/// The bytes of an artifact, for a thread that may wait for them.
struct Received {
    chunks: mpsc::Receiver<Bytes>,
    chunk: Bytes,
    sum: Option<Sum>,
}

impl Received {
    /// Adds up what nobody has read.
    fn drain(&mut self) {
        while !self.rest().is_empty() {
            self.chunk.clear();
        }
    }

    /// What is left of a chunk, or the next one; nothing at the end.
    fn rest(&mut self) -> &[u8] {
        while self.chunk.is_empty() {
            let Some(chunk) = self.chunks.blocking_recv() else {
                break;
            };
            if let Some(sum) = &mut self.sum {
                sum.add(&chunk);
            }
            self.chunk = chunk;
        }
        &self.chunk
    }
}

impl Read for Received {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.rest().read(buffer)?;
        self.consume(read);
        Ok(read)
    }
}

impl BufRead for Received {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        Ok(self.rest())
    }

    fn consume(&mut self, amount: usize) {
        self.chunk = self.chunk.split_off(amount);
    }
}
