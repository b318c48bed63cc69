//! TLS for the metrics, with a certificate from a folder that is read again when it changes.
//!
//! There is none of this process's own making: whoever scrapes would hand a token to a server that nobody vouches for.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::serve::Listener;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{self, ServerConfig};
use tokio_rustls::server::TlsStream;

use crate::cluster::sentence;

/// How old what is known of the folder may be when somebody connects.
const GLANCE: Duration = Duration::from_secs(10);
/// Handshakes that are under way at once, and how long each may take: whoever stalls keeps nobody else out for long.
const HANDSHAKES: usize = 32;
const HANDSHAKE: Duration = Duration::from_secs(5);
/// The files of a folder, as Secrets of the type kubernetes.io/tls name them.
const CERTIFICATE: &str = "tls.crt";
const KEY: &str = "tls.key";

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file is not there, or cannot be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file holds something else.
    #[error("{} holds no {what} in PEM", path.display())]
    NoPem {
        /// Which.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
        /// Why not.
        #[source]
        source: pem::Error,
    },
    /// Certificate and key cannot be used together.
    #[error("{CERTIFICATE} and {KEY} of {} do not fit each other", folder.display())]
    Mismatch {
        /// The folder.
        folder: PathBuf,
        /// What is wrong.
        #[source]
        source: rustls::Error,
    },
    /// The library refuses.
    #[error("TLS cannot be set up")]
    NoTls(#[from] rustls::Error),
}

/// The certificate that is shown to whoever connects.
#[derive(Debug)]
pub struct Certificate {
    folder: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    shown: Arc<CertifiedKey>,
    /// The files that it is of, and when they were looked at.
    files: Files,
    looked: Instant,
}

#[derive(Debug, PartialEq, Eq)]
struct Files {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl Certificate {
    /// The certificate of a folder with `tls.crt` and `tls.key`, which is read again when they change.
    ///
    /// # Errors
    /// There is none that can be used.
    pub fn in_folder(folder: &Path) -> Result<Self, CertificateError> {
        let files = Files::read(folder)?;
        Ok(Self {
            folder: folder.to_owned(),
            state: Mutex::new(State {
                shown: Arc::new(files.certified(folder)?),
                files,
                looked: Instant::now(),
            }),
        })
    }

    /// The certificate as it is now. A folder that holds none any more, or half a new one, changes nothing.
    fn current(&self) -> Arc<CertifiedKey> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.looked.elapsed() < GLANCE {
            return state.shown.clone();
        }
        state.looked = Instant::now();
        match state.renew(&self.folder) {
            Ok(false) => {}
            Ok(true) => tracing::info!("the certificate in {} was read again", self.folder.display()),
            Err(error) => tracing::warn!("the certificate of before is kept: {}", sentence(&error)),
        }
        state.shown.clone()
    }
}

impl State {
    /// Whether there is another certificate now.
    fn renew(&mut self, folder: &Path) -> Result<bool, CertificateError> {
        let files = Files::read(folder)?;
        if self.files == files {
            return Ok(false);
        }
        self.shown = Arc::new(files.certified(folder)?);
        self.files = files;
        Ok(true)
    }
}

impl Files {
    fn read(folder: &Path) -> Result<Self, CertificateError> {
        let read = |name| {
            let path = folder.join(name);
            fs::read(&path).map_err(|source| CertificateError::Unreadable { path, source })
        };
        Ok(Self {
            certificate: read(CERTIFICATE)?,
            key: read(KEY)?,
        })
    }

    fn certified(&self, folder: &Path) -> Result<CertifiedKey, CertificateError> {
        let no_pem = |name, what| {
            move |source| CertificateError::NoPem {
                path: folder.join(name),
                what,
                source,
            }
        };
        let chain = CertificateDer::pem_slice_iter(&self.certificate).collect::<Result<Vec<_>, _>>();
        let chain = chain.and_then(|chain| {
            let is_any = !chain.is_empty();
            is_any.then_some(chain).ok_or(pem::Error::NoItemsFound)
        });
        let chain = chain.map_err(no_pem(CERTIFICATE, "certificate"))?;
        let key = PrivateKeyDer::from_pem_slice(&self.key).map_err(no_pem(KEY, "private key"))?;
        let certified = CertifiedKey::from_der(chain, key, &ring::default_provider());
        certified.map_err(|source| CertificateError::Mismatch {
            folder: folder.to_owned(),
            source,
        })
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current())
    }
}

/// Accepts connections, and hands them on once they speak TLS.
pub struct Secured {
    listener: TcpListener,
    acceptor: TlsAcceptor,
    handshakes: JoinSet<Option<(TlsStream<TcpStream>, SocketAddr)>>,
}

impl Secured {
    /// TLS on what is listened to.
    ///
    /// # Errors
    /// TLS cannot be set up.
    pub fn new(listener: TcpListener, certificate: Certificate) -> Result<Self, CertificateError> {
        let provider: Arc<CryptoProvider> = Arc::new(ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(certificate));
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self {
            listener,
            acceptor: TlsAcceptor::from(Arc::new(config)),
            handshakes: JoinSet::new(),
        })
    }

    fn shake_hands(&mut self, stream: TcpStream, address: SocketAddr) {
        let handshake = tokio::time::timeout(HANDSHAKE, self.acceptor.accept(stream));
        self.handshakes
            .spawn(async move { Some((handshake.await.ok()?.ok()?, address)) });
    }
}

impl Listener for Secured {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let has_room = self.handshakes.len() < HANDSHAKES;
            tokio::select! {
                (stream, address) = Listener::accept(&mut self.listener), if has_room => {
                    self.shake_hands(stream, address);
                }
                Some(done) = self.handshakes.join_next() => {
                    if let Ok(Some(connection)) = done {
                        return connection;
                    }
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}
