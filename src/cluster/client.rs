//! The connection to a cluster.

use std::time::Duration;

use kube::config::{KubeConfigOptions, KubeconfigError};
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
    match context {
        Some(context) => {
            let options = KubeConfigOptions {
                context: Some(context.to_owned()),
                ..KubeConfigOptions::default()
            };
            Config::from_kubeconfig(&options)
                .await
                .map_err(ConnectError::NoConfig)
        }
        None => infer().await,
    }
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

async fn infer() -> Result<Config, ConnectError> {
    let error = match Config::from_kubeconfig(&KubeConfigOptions::default()).await {
        Ok(config) => return Ok(config),
        Err(error) => error,
    };
    Config::incluster().map_err(|_| ConnectError::NoConfig(error))
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
