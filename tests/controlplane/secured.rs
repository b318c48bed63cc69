//! Requests over HTTPS to ports of the loopback, as a scraper makes them.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// What a server says.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Head and body.
    pub(crate) text: String,
    /// The certificate that it showed.
    pub(crate) certificate: Vec<u8>,
}

/// Asks for a path, with more lines in the head; trusts whoever one of these certificates vouches for.
pub(crate) fn get(port: u16, trusted: &[&Path], path: &str, head: &str) -> anyhow::Result<Answer> {
    let mut roots = RootCertStore::empty();
    for file in trusted {
        for certificate in CertificateDer::pem_file_iter(file)? {
            roots.add(certificate?)?;
        }
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    let connection = ClientConnection::new(Arc::new(config), ServerName::try_from("127.0.0.1")?)?;
    let mut stream = StreamOwned::new(connection, stream);
    write!(stream, "GET {path} HTTP/1.0\r\nHost: localhost\r\n{head}\r\n")?;
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        // It need not say goodbye.
        Err(error) if error.kind() == ErrorKind::UnexpectedEof && !answer.is_empty() => {}
        read => drop(read?),
    }
    let text = String::from_utf8(answer)?;
    let status = text.split(' ').nth(1).context("no status")?.parse()?;
    let shown = stream.conn.peer_certificates().and_then(<[_]>::first);
    Ok(Answer {
        status,
        certificate: shown.context("no certificate")?.to_vec(),
        text,
    })
}
