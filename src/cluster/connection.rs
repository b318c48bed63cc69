//! The way to an API server. Where HTTP/2 is spoken, and every API server speaks it, one connection carries everything:
//! a watch is a stream of it, and costs little. What speaks HTTP/1.1 only gets a connection for every request under way.
//!
//! kube's own client speaks HTTP/1.1 alone. That of hyper-util, which it is made of, can speak HTTP/2, but lets a request
//! beyond the streams that a server allows wait for ever, and that is a watch, makes a handshake for each of the watches
//! that begin together, and adds to a connection on which requests have just been given up; here another one is opened.

use std::error::Error;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, Shared, poll_fn};
use http::header::HOST;
use http::uri::Scheme;
use http::{HeaderValue, Request, Response, Uri};
use hyper::body::{Bytes, Frame, Incoming, SizeHint};
use hyper::client::conn::{TrySendError, http1, http2};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use kube::Config;
use kube::client::{Body, ConfigExt, RustlsTlsError};
use tokio::net::TcpStream;
use tokio::time::{Sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::ServerName;
use tower::{BoxError, Service, ServiceExt};

/// What is spoken, the best first.
const PROTOCOLS: [&[u8]; 2] = [HTTP2, b"http/1.1"];
const HTTP2: &[u8] = b"h2";
/// How long it may take to connect. What was lost on the way is found out soon, and tried anew.
const CONNECT: Duration = Duration::from_secs(10);
/// A connection of streams on which nothing came for so long is asked whether it lives, and is dead when it does not
/// answer in that time again. All its streams end then.
const QUIET: Duration = Duration::from_secs(15);
/// An answer that does not begin, or does not go on, in this time never will. Longer than a watch may be silent.
const SILENCE: Duration = Duration::from_secs(200);
/// What may come in on a stream before it is read.
const STREAM_WINDOW: u32 = 256 * 1024;
/// The same of a connection: of as many streams as there are kinds, and more. A watch that is read late holds nothing
/// else up.
const CONNECTION_WINDOW: u32 = 64 * STREAM_WINDOW;
/// How often a request is sent that was not, because its connection had just ended.
const ATTEMPTS: usize = 3;

/// Why there is no connection.
#[derive(Clone, Debug, thiserror::Error)]
enum Failure {
    #[error("cannot connect")]
    Refused(#[source] Arc<dyn Error + Send + Sync>),
    #[error("no connection within {0:?}")]
    Late(Duration),
}

impl From<BoxError> for Failure {
    fn from(error: BoxError) -> Self {
        Self::Refused(error.into())
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the API server has said nothing for {SILENCE:?}")]
struct Silent;

/// Sends requests, over as few connections as can be.
#[derive(Clone)]
pub(super) struct Connections {
    way: Arc<Way>,
    known: Arc<Mutex<Known>>,
}

/// How to get there.
struct Way {
    origin: Uri,
    tcp: HttpConnector,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    patience: Duration,
}

/// The connections that there are.
#[derive(Default)]
struct Known {
    /// Those of HTTP/1.1 that carry no request, or whose answer is still read.
    alone: Vec<http1::SendRequest<Body>>,
    shared: Vec<Multiplexed>,
    /// The one that is being made: whoever needs one at the same time waits for it.
    making: Option<Shared<BoxFuture<'static, Result<(), Failure>>>>,
    /// Whether the last one that was made carries one request at a time.
    is_http1: bool,
}

/// A connection to send a request over.
enum Connection {
    Alone(http1::SendRequest<Body>),
    Shared(Multiplexed, Stream),
}

/// A connection of streams.
#[derive(Clone)]
struct Multiplexed {
    sender: http2::SendRequest<Body>,
    load: Arc<Load>,
}

/// What a connection of streams carries.
struct Load {
    streams: AtomicUsize,
    /// How many the server allows.
    most: AtomicUsize,
    /// Whether a request was given up: the connection may be dead. What it carries goes on, nothing is added.
    is_doubted: AtomicBool,
}

/// A stream, from the request to the end of the answer.
struct Stream {
    load: Arc<Load>,
    is_answered: bool,
}

impl Connections {
    /// The way to the API server of a configuration. Nothing is connected yet.
    ///
    /// # Errors
    /// Its certificates, or the name of the server, cannot be used.
    pub(super) fn new(config: &Config) -> Result<Self, kube::Error> {
        let origin = config.cluster_url.clone();
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        // Small frames of many streams do not wait for each other.
        tcp.set_nodelay(true);
        let tls = if origin.scheme() == Some(&Scheme::HTTP) {
            None
        } else {
            let mut tls = config.rustls_client_config()?;
            tls.alpn_protocols = PROTOCOLS.map(Vec::from).to_vec();
            Some((TlsConnector::from(Arc::new(tls)), server_name(config)?))
        };
        Ok(Self {
            way: Arc::new(Way {
                origin,
                tcp,
                tls,
                patience: config.connect_timeout.unwrap_or(CONNECT).min(CONNECT),
            }),
            known: Arc::default(),
        })
    }

    async fn send(self, mut request: Request<Body>) -> Result<Response<Answer>, BoxError> {
        let uri = request.uri().clone();
        let mut attempts = 1..;
        loop {
            let connection = self.connection().await?;
            *request.uri_mut() = uri.clone();
            let sending = self.send_over(connection, request);
            let mut error = match timeout(SILENCE, sending).await.map_err(|_| Silent)? {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            request = match error.take_message() {
                Some(unsent) if attempts.next() < Some(ATTEMPTS) => unsent,
                _ => return Err(error.into_error().into()),
            };
        }
    }

    async fn send_over(
        &self,
        connection: Connection,
        request: Request<Body>,
    ) -> Result<Response<Answer>, TrySendError<Request<Body>>> {
        match connection {
            Connection::Alone(mut sender) => {
                let answer = sender.try_send_request(in_origin_form(request)).await?;
                self.known().alone.push(sender);
                Ok(answer.map(|body| Answer::new(body, None)))
            }
            Connection::Shared(mut connection, mut stream) => {
                let answer = connection.sender.try_send_request(request).await;
                stream.is_answered = true;
                Ok(answer?.map(|body| Answer::new(body, Some(stream))))
            }
        }
    }

    /// A connection that can take a request.
    async fn connection(&self) -> Result<Connection, Failure> {
        loop {
            let making = {
                let mut known = self.known();
                if let Some(free) = known.free() {
                    return Ok(free);
                }
                (!known.is_http1).then(|| {
                    known
                        .making
                        .get_or_insert_with(|| self.make().boxed().shared())
                        .clone()
                })
            };
            let Some(making) = making else {
                match self.way.connect().await? {
                    Made::Alone(sender) => return Ok(Connection::Alone(sender)),
                    Made::Shared(connection) => self.known().keep(Made::Shared(connection)),
                }
                continue;
            };
            making.await?;
        }
    }

    /// Makes a connection that whoever waits may have, also when nobody does any more.
    fn make(&self) -> impl Future<Output = Result<(), Failure>> + Send + use<> {
        let (way, known) = (self.way.clone(), self.known.clone());
        let making = tokio::spawn(async move {
            let made = way.connect().await;
            let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
            known.making = None;
            known.keep(made?);
            Ok(())
        });
        making.map(|made| made.unwrap_or_else(|error| Err(BoxError::from(error).into())))
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Service<Request<Body>> for Connections {
    type Response = Response<Answer>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Response<Answer>, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        self.clone().send(request).boxed()
    }
}

impl Known {
    fn keep(&mut self, made: Made) {
        self.is_http1 = matches!(made, Made::Alone(_));
        match made {
            Made::Alone(sender) => self.alone.push(sender),
            Made::Shared(connection) => self.shared.push(connection),
        }
    }

    /// A connection that can take a request at once.
    fn free(&mut self) -> Option<Connection> {
        // What they carry goes on to its end.
        self.shared.retain(Multiplexed::is_trusted);
        let mut shared = self.shared.iter();
        if let Some((connection, stream)) = shared.find_map(|it| Some((it, it.begin()?))) {
            return Some(Connection::Shared(connection.clone(), stream));
        }
        self.alone.retain(|it| !it.is_closed());
        let position = self.alone.iter().rposition(http1::SendRequest::is_ready)?;
        Some(Connection::Alone(self.alone.swap_remove(position)))
    }
}

impl Multiplexed {
    fn is_trusted(&self) -> bool {
        self.sender.is_ready() && !self.load.is_doubted.load(Ordering::Relaxed)
    }

    /// Another stream, if the server allows one.
    fn begin(&self) -> Option<Stream> {
        // A server that allows none is asked all the same: it would allow none on the next connection either.
        let most = self.load.most.load(Ordering::Relaxed).max(1);
        let begun = self
            .load
            .streams
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |streams| {
                (streams < most).then_some(streams + 1)
            });
        begun.is_ok().then(|| Stream {
            load: self.load.clone(),
            is_answered: false,
        })
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.load.streams.fetch_sub(1, Ordering::Relaxed);
        if !self.is_answered {
            self.load.is_doubted.store(true, Ordering::Relaxed);
        }
    }
}

/// A connection that was made just now.
enum Made {
    Alone(http1::SendRequest<Body>),
    Shared(Multiplexed),
}

impl Way {
    async fn connect(&self) -> Result<Made, Failure> {
        let made = timeout(self.patience, self.made()).await;
        Ok(made.map_err(|_| Failure::Late(self.patience))??)
    }

    async fn made(&self) -> Result<Made, BoxError> {
        let tcp = self.tcp.clone().oneshot(self.origin.clone()).await?.into_inner();
        let Some((tls, name)) = &self.tls else {
            return Ok(Made::Alone(alone(TokioIo::new(tcp)).await?));
        };
        let stream = tls.connect(name.clone(), tcp).await?;
        let is_http2 = stream.get_ref().1.alpn_protocol() == Some(HTTP2);
        let stream = TokioIo::new(stream);
        Ok(if is_http2 {
            Made::Shared(shared(stream).await?)
        } else {
            Made::Alone(alone(stream).await?)
        })
    }
}

async fn alone<T>(stream: T) -> hyper::Result<http1::SendRequest<Body>>
where
    T: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
{
    let (sender, connection) = http1::handshake(stream).await?;
    tokio::spawn(connection.map(drop));
    Ok(sender)
}

async fn shared(stream: TokioIo<TlsStream<TcpStream>>) -> hyper::Result<Multiplexed> {
    let (sender, mut connection) = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .keep_alive_interval(QUIET)
        .keep_alive_timeout(QUIET)
        .keep_alive_while_idle(true)
        .handshake(stream)
        .await?;
    let load = Arc::new(Load {
        streams: AtomicUsize::new(0),
        most: AtomicUsize::new(connection.current_max_send_streams()),
        is_doubted: AtomicBool::new(false),
    });
    let seen = load.clone();
    tokio::spawn(poll_fn(move |context| {
        let ended = connection.poll_unpin(context);
        seen.most
            .store(connection.current_max_send_streams(), Ordering::Relaxed);
        ended.map(drop)
    }));
    Ok(Multiplexed { sender, load })
}

/// What its certificate has to name.
fn server_name(config: &Config) -> Result<ServerName<'static>, kube::Error> {
    let host = config.cluster_url.host().unwrap_or_default();
    let name = config.tls_server_name.as_deref().unwrap_or(host);
    let name = name.trim_matches(['[', ']']).to_owned();
    name.try_into()
        .map_err(|error| kube::Error::RustlsTls(RustlsTlsError::InvalidServerName(error)))
}

/// A request as HTTP/1.1 has it: where it goes to is said in a header.
fn in_origin_form(mut request: Request<Body>) -> Request<Body> {
    let uri = std::mem::take(request.uri_mut());
    let authority = uri.authority().map(|it| HeaderValue::from_str(it.as_str()));
    if let Some(Ok(authority)) = authority {
        request.headers_mut().entry(HOST).or_insert(authority);
    }
    if let Some(path) = uri.into_parts().path_and_query {
        *request.uri_mut() = path.into();
    }
    request
}

/// An answer, as it comes in.
pub(crate) struct Answer {
    body: Incoming,
    silence: Option<Pin<Box<Sleep>>>,
    /// Ends with it.
    _stream: Option<Stream>,
}

impl Answer {
    const fn new(body: Incoming, stream: Option<Stream>) -> Self {
        Self {
            body,
            silence: None,
            _stream: stream,
        }
    }
}

impl hyper::body::Body for Answer {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            self.silence = None;
            return Poll::Ready(frame.map(|frame| frame.map_err(BoxError::from)));
        }
        let silence = self
            .silence
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(SILENCE)));
        ready!(silence.as_mut().poll(context));
        Poll::Ready(Some(Err(Silent.into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
