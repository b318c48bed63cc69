//! Whose certificates are believed where an artifact is served over https.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use http::Uri;
use kube::Config;
use kube::client::ConfigExt;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};

/// Who vouches for servers of artifacts: the authorities of a file and no others, or those of the platform.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    file: Option<PathBuf>,
}

impl Trust {
    /// The authorities of a file in PEM, if there is one.
    ///
    /// # Errors
    /// It cannot be read, or holds no certificate.
    pub fn of(file: Option<PathBuf>) -> Result<Self, pem::Error> {
        file.as_deref().map(authorities).transpose()?;
        Ok(Self { file })
    }

    /// TLS as a client, set up as to the API server. The file is read each time: authorities are renewed. `None`: nobody
    /// vouches for anybody.
    pub(super) fn connector(&self) -> Option<TlsConnector> {
        let mut config = Config::new(Uri::from_static("https://artifacts"));
        config.root_cert = self.file.as_deref().map(authorities).transpose().ok()?;
        let mut tls = config.rustls_client_config().ok()?;
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        Some(TlsConnector::from(Arc::new(tls)))
    }
}

fn authorities(file: &Path) -> Result<Vec<Vec<u8>>, pem::Error> {
    let certificates = CertificateDer::pem_file_iter(file)?;
    let authorities: Vec<_> = certificates
        .map(|certificate| Ok(certificate?.to_vec()))
        .collect::<Result<_, pem::Error>>()?;
    let is_any = !authorities.is_empty();
    is_any.then_some(authorities).ok_or(pem::Error::NoItemsFound)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs;

    use super::Trust;

    #[test]
    fn a_file_without_authorities_is_told_at_the_start() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.crt");
        assert!(Trust::of(Some(file.clone())).is_err(), "it is not there");
        fs::write(&file, "no certificate").unwrap();
        assert!(Trust::of(Some(file)).is_err());
        assert!(Trust::of(None).is_ok());
    }
}
