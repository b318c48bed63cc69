//! A server of artifacts that does as it is told.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned};

/// What the server does when it is asked for a path.
#[derive(Clone)]
pub(crate) enum Answer {
    /// Sends this.
    Bytes(Vec<u8>),
    /// Sends this after a while.
    Late(Duration, Vec<u8>),
    /// Promises more than it sends.
    CutOff(Vec<u8>),
    /// Sends a byte now and then, and never comes to an end.
    Drips(Duration),
    /// Says nothing.
    Silence,
    /// Closes the connection.
    HangsUp,
    /// Answers with a status and a header.
    Status(u16, String),
    /// Sends zeros as long as somebody takes them.
    Endless,
    /// Sends headers without end.
    EndlessHeaders,
}

/// A server on a free port of the loopback.
pub(crate) struct Server {
    /// `127.0.0.1:port`.
    pub(crate) address: String,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    answers: Mutex<BTreeMap<String, Answer>>,
    asked: Mutex<Vec<String>>,
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::serving(Shared::serve)
    }

    /// One that speaks TLS, on all addresses of the loopback.
    pub(crate) fn start_secured(certificate: &Path, key: &Path) -> Self {
        let chain = CertificateDer::pem_file_iter(certificate).unwrap();
        let chain = chain.collect::<Result<_, _>>().unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, PrivateKeyDer::from_pem_file(key).unwrap())
            .unwrap();
        let config = Arc::new(config);
        Self::serving(move |server, stream| {
            let tls = ServerConnection::new(config.clone()).unwrap();
            server.serve(StreamOwned::new(tls, stream));
        })
    }

    fn serving(serve: impl Fn(&Shared, std::net::TcpStream) + Clone + Send + 'static) -> Self {
        let listener = TcpListener::bind(("0.0.0.0", 0)).unwrap();
        let address = format!("127.0.0.1:{}", listener.local_addr().unwrap().port());
        let shared = Arc::<Shared>::default();
        let server = shared.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (server, serve) = (server.clone(), serve.clone());
                thread::spawn(move || serve(&server, stream));
            }
        });
        Self { address, shared }
    }

    /// From now on this path is answered so.
    pub(crate) fn answer(&self, path: &str, answer: Answer) {
        self.shared
            .answers
            .lock()
            .unwrap()
            .insert(path.to_owned(), answer);
    }

    /// The heads of all requests so far.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.shared.asked.lock().unwrap().clone()
    }

    /// How often a path was asked for.
    pub(crate) fn times(&self, path: &str) -> usize {
        let line = format!("GET {path} HTTP/1.1\r\n");
        self.asked().iter().filter(|head| head.starts_with(&line)).count()
    }
}

impl Shared {
    fn serve(&self, stream: impl Read + Write) {
        let mut reader = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head).unwrap_or_default() == 0 {
                return;
            }
        }
        let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
        let answer = self.answers.lock().unwrap().get(&path).cloned();
        self.asked.lock().unwrap().push(head);
        // Whoever is slow is left before the end.
        let _ = send(
            reader.get_mut(),
            answer.unwrap_or(Answer::Status(404, String::new())),
        );
    }
}

fn send(stream: &mut impl Write, answer: Answer) -> std::io::Result<()> {
    match answer {
        Answer::Bytes(bytes) => {
            write!(
                stream,
                "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n",
                bytes.len()
            )?;
            stream.write_all(&bytes)?;
            stream.flush()
        }
        Answer::Late(pause, bytes) => {
            thread::sleep(pause);
            send(stream, Answer::Bytes(bytes))
        }
        Answer::CutOff(bytes) => {
            write!(
                stream,
                "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n",
                bytes.len() + 1
            )?;
            stream.write_all(&bytes)
        }
        Answer::Drips(pause) => {
            write!(stream, "HTTP/1.1 200 OK\r\n\r\n")?;
            loop {
                stream.write_all(b"a")?;
                thread::sleep(pause);
            }
        }
        Answer::Silence => {
            thread::sleep(Duration::from_mins(1));
            Ok(())
        }
        Answer::HangsUp => Ok(()),
        Answer::Status(status, header) => {
            write!(
                stream,
                "HTTP/1.1 {status} Other\r\n{header}content-length: 0\r\n\r\n"
            )
        }
        Answer::Endless => {
            write!(stream, "HTTP/1.1 200 OK\r\n\r\n")?;
            loop {
                stream.write_all(&vec![0; 65536])?;
            }
        }
        Answer::EndlessHeaders => {
            write!(stream, "HTTP/1.1 200 OK\r\n")?;
            loop {
                write!(stream, "a: {}\r\n", "b".repeat(1000))?;
            }
        }
    }
}
