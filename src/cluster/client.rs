//! The connection to a cluster.

use std::path::PathBuf;
use std::time::Duration;

use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};
use kube::{Client, Config};

/// Why there is no connection. Each message names what to do.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Neither a kubeconfig nor a ServiceAccount was found, or it is broken.
    #[error("no usable kubeconfig; set KUBECONFIG to a file that `kubectl cluster-info` works with")]
    NoConfig(#[source] KubeconfigError),
    /// The configuration cannot be turned into a client.
    #[error("the kubeconfig cannot be used")]
    Client(#[source] kube::Error),
    /// The API server does not answer.
    #[error("the API server at {url} does not answer; check the address with `kubectl cluster-info`")]
    Unreachable {
        /// Address of the API server.
        url: String,
        /// What happened.
        #[source]
        source: Box<kube::Error>,
    },
    /// The API server did not answer in time.
    #[error(
        "the API server at {url} did not answer within 10 s; check the address with `kubectl cluster-info`"
    )]
    Timeout {
        /// Address of the API server.
        url: String,
    },
}

/// The configuration of the kubeconfig, or of the cluster that this process runs in.
///
/// # Errors
/// There is none that can be used.
pub async fn configure(context: Option<&str>) -> Result<Config, ConnectError> {
    let error = match from_kubeconfig(context).await {
        Ok(config) => return Ok(config),
        Err(error) => ConnectError::NoConfig(error),
    };
    if context.is_some() {
        return Err(error);
    }
    Config::incluster().map_err(|_| error)
}

async fn from_kubeconfig(context: Option<&str>) -> Result<Config, KubeconfigError> {
    let kubeconfig = Kubeconfig::read()?;
    let authority = authority(&kubeconfig, context);
    let options = KubeConfigOptions {
        context: context.map(str::to_owned),
        ..KubeConfigOptions::default()
    };
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &options).await?;
    // Read again every minute, as kube does by itself in a pod only: a CA that is rotated needs no restart.
    config.root_cert_file = authority;
    Ok(config)
}

/// The file that holds the CA of the cluster, when the kubeconfig names one.
fn authority(kubeconfig: &Kubeconfig, context: Option<&str>) -> Option<PathBuf> {
    let context = context.or(kubeconfig.current_context.as_deref())?;
    let context = kubeconfig.contexts.iter().find(|it| it.name == context)?;
    let cluster = &context.context.as_ref()?.cluster;
    let cluster = kubeconfig.clusters.iter().find(|it| it.name == *cluster)?;
    let cluster = cluster.cluster.as_ref()?;
    if cluster.certificate_authority_data.is_some() {
        return None;
    }
    cluster.certificate_authority.as_ref().map(PathBuf::from)
}

/// A client, and the address of its API server.
///
/// # Errors
/// The configuration cannot be turned into a client.
pub fn connect(config: Config) -> Result<(Client, String), ConnectError> {
    let url = config.cluster_url.to_string();
    let client = Client::try_from(config).map_err(ConnectError::Client)?;
    Ok((client, url))
}

/// Asks the API server for its version: one request that needs no permission.
///
/// # Errors
/// It does not answer.
pub async fn probe(client: &Client, url: &str) -> Result<String, ConnectError> {
    let answer = tokio::time::timeout(Duration::from_secs(10), client.apiserver_version()).await;
    match answer {
        Err(_) => Err(ConnectError::Timeout { url: url.to_owned() }),
        Ok(Err(source)) => Err(ConnectError::Unreachable {
            url: url.to_owned(),
            source: Box::new(source),
        }),
        Ok(Ok(info)) => Ok(info.git_version),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_ca_is_a_file_where_the_kubeconfig_names_one() {
        let kubeconfig = Kubeconfig::from_yaml(
            "
            current-context: file
            clusters:
            - {name: file, cluster: {server: 'https://file', certificate-authority: /ca.crt}}
            - {name: data, cluster: {server: 'https://data', certificate-authority: /ca.crt, certificate-authority-data: YQ==}}
            contexts:
            - {name: file, context: {cluster: file, user: me}}
            - {name: data, context: {cluster: data, user: me}}
            - {name: gone, context: {cluster: gone, user: me}}
            ",
        );
        let kubeconfig = kubeconfig.unwrap();
        assert_eq!(authority(&kubeconfig, None), Some("/ca.crt".into()));
        assert_eq!(authority(&kubeconfig, Some("data")), None, "data comes first");
        assert_eq!(authority(&kubeconfig, Some("gone")), None);
    }
}
