//! The connection to a cluster.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use http::header::RETRY_AFTER;
use http::{Request, Response};
use kube::client::{Body, ClientBuilder, ConfigExt};
use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};
use kube::{Client, Config};
use tower::layer::layer_fn;
use tower::util::{BoxService, ThenLayer};
use tower::{BoxError, ServiceBuilder, ServiceExt};

use super::connection::{Answer, Connections};
use super::pace::Paced;

/// The longest `Retry-After` that is honoured: what is known grows stale meanwhile, and nobody is told.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// What sends requests.
pub(crate) type Requests = BoxService<Request<Body>, Response<Answer>, BoxError>;

/// Why there is no connection. Each message names what to do.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Neither a kubeconfig nor a ServiceAccount was found, or it is broken.
    #[error("no usable kubeconfig; set KUBECONFIG to a file that `kubectl cluster-info` works with")]
    NoConfig(#[source] KubeconfigError),
    /// A file of the kubeconfig is broken.
    #[error("the kubeconfig {} is broken", path.display())]
    Broken {
        /// The file.
        path: PathBuf,
        /// Where, and why.
        #[source]
        source: KubeconfigError,
    },
    /// The kubeconfig lacks the context that is asked for, or that it calls the current one.
    #[error("the kubeconfig has no context {context:?}; `kubectl config get-contexts` lists them")]
    NoContext {
        /// Its name.
        context: String,
    },
    /// The configuration cannot be turned into a client.
    #[error("the kubeconfig cannot be used")]
    Client(#[source] kube::Error),
    /// A proxy stands between, by the environment or by the kubeconfig.
    #[error(
        "fluxsec asks the API server through no proxy, and {proxy} is set for {host}; where the server can be reached \
         directly, name its host in NO_PROXY"
    )]
    Proxy {
        /// Address of the proxy.
        proxy: String,
        /// Host of the API server.
        host: String,
    },
    /// The API server does not answer.
    #[error("the API server at {url} does not answer; check the address with `kubectl cluster-info`")]
    Unreachable {
        /// Address of the API server.
        url: String,
        /// What happened.
        #[source]
        source: Box<kube::Error>,
    },
    /// The API server does not know who is asking.
    #[error(
        "the API server at {url} does not accept the credentials of the kubeconfig; `kubectl auth whoami` must work"
    )]
    Unauthorized {
        /// Address of the API server.
        url: String,
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
        Ok(config) => return directly(config),
        Err(error) => error,
    };
    if context.is_some() {
        return Err(error);
    }
    Config::incluster().map_err(|_| error)
}

/// The configuration without the proxy that the environment names for others. kube would take it for every server.
fn directly(mut config: Config) -> Result<Config, ConnectError> {
    let Some(proxy) = config.proxy_url.take() else {
        return Ok(config);
    };
    let host = config.cluster_url.host().unwrap_or_default();
    let host = host.trim_matches(['[', ']']).to_owned();
    let exceptions = ["NO_PROXY", "no_proxy"]
        .iter()
        .find_map(|name| std::env::var(name).ok());
    if is_excepted(&host, &exceptions.unwrap_or_default()) {
        return Ok(config);
    }
    // Without the password that its address may hold.
    let proxy = format!(
        "{}://{}",
        proxy.scheme_str().unwrap_or("http"),
        proxy.host().unwrap_or_default()
    );
    Err(ConnectError::Proxy { proxy, host })
}

/// Whether a list such as NO_PROXY has a host: by its name, by a domain that it is in, by its address or a network of it.
fn is_excepted(host: &str, exceptions: &str) -> bool {
    let address: Option<IpAddr> = host.parse().ok();
    if host == "localhost" || address.is_some_and(|it| it.is_loopback()) {
        return true;
    }
    exceptions.split(',').map(str::trim).any(|exception| {
        let domain = exception.trim_start_matches("*.").trim_start_matches('.');
        match address {
            _ if exception == "*" => true,
            Some(address) => exception.parse() == Ok(address) || is_in(address, exception),
            None => {
                let before = host.strip_suffix(domain);
                !domain.is_empty() && before.is_some_and(|it| it.is_empty() || it.ends_with('.'))
            }
        }
    })
}

/// Whether an address is in a network such as `10.0.0.0/8`.
fn is_in(address: IpAddr, network: &str) -> bool {
    let parts = network.split_once('/');
    let parts = parts.and_then(|(first, bits)| Some((first.parse().ok()?, bits.parse::<u32>().ok()?)));
    let (first, second, bits) = match (address, parts) {
        (IpAddr::V4(a), Some((IpAddr::V4(b), bits))) if bits <= 32 => {
            (u32::from(a).into(), u32::from(b).into(), bits + 96)
        }
        (IpAddr::V6(a), Some((IpAddr::V6(b), bits))) if bits <= 128 => (u128::from(a), u128::from(b), bits),
        _ => return false,
    };
    // What is left after the network's own bits; none of them when it is the whole space.
    let rest = 128 - bits;
    first.checked_shr(rest).unwrap_or(0) == second.checked_shr(rest).unwrap_or(0)
}

async fn from_kubeconfig(context: Option<&str>) -> Result<Config, ConnectError> {
    let kubeconfig = read(&listed())?;
    let chosen = context.or(kubeconfig.current_context.as_deref());
    if let Some(context) = chosen.filter(|it| !it.is_empty())
        && !kubeconfig.contexts.iter().any(|it| it.name == context)
    {
        let context = context.to_owned();
        return Err(ConnectError::NoContext { context });
    }
    let authority = authority(&kubeconfig, context);
    let options = KubeConfigOptions {
        context: context.map(str::to_owned),
        ..KubeConfigOptions::default()
    };
    let config = Config::from_custom_kubeconfig(kubeconfig, &options).await;
    let mut config = config.map_err(ConnectError::NoConfig)?;
    // Read again every minute, as kube does by itself in a pod only: a CA that is rotated needs no restart.
    config.root_cert_file = authority;
    Ok(config)
}

/// The files that KUBECONFIG names.
fn listed() -> Vec<PathBuf> {
    let files = std::env::var_os("KUBECONFIG").unwrap_or_default();
    let files = std::env::split_paths(&files);
    files.filter(|file| !file.as_os_str().is_empty()).collect()
}

/// The kubeconfig of some files, of which all but one may be missing, as for kubectl; without any, the usual one.
fn read(files: &[PathBuf]) -> Result<Kubeconfig, ConnectError> {
    let there: Vec<&PathBuf> = files.iter().filter(|file| file.exists()).collect();
    if there.is_empty() {
        return Kubeconfig::read().map_err(ConnectError::NoConfig);
    }
    let mut merged = Kubeconfig::default();
    for path in there {
        let read = Kubeconfig::read_from(path).map_err(|source| ConnectError::Broken {
            path: path.clone(),
            source,
        })?;
        merged = merged.merge(read).map_err(ConnectError::NoConfig)?;
    }
    Ok(merged)
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
/// It repeats nothing by itself. kube's own repetitions would hide for minutes that the server fails: what depends on
/// the answer would not be known to be stale, and the pauses between them would outlast the fault.
///
/// # Errors
/// The configuration cannot be turned into a client.
pub fn connect(config: &Config) -> Result<(Client, String), ConnectError> {
    let client = builder(config)
        .map_err(ConnectError::Client)?
        .with_layer(&ThenLayer::new(in_its_time))
        .with_layer(&layer_fn(Paced::new))
        .build();
    Ok((client, config.cluster_url.to_string()))
}

/// What any client begins with: connections of its own, and what every request says.
pub(crate) fn builder(config: &Config) -> Result<ClientBuilder<Requests>, kube::Error> {
    let requests = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .option_layer(config.auth_layer()?)
        .layer(config.extra_headers_layer()?)
        .service(Connections::new(config)?);
    Ok(ClientBuilder::new(
        requests.boxed(),
        config.default_namespace.as_str(),
    ))
}

/// An answer that says when to come again is handed over then: whoever asks again does so no earlier.
async fn in_its_time(answer: Result<Response<Answer>, BoxError>) -> Result<Response<Answer>, BoxError> {
    if let Some(wait) = answer.as_ref().ok().and_then(wait) {
        tokio::time::sleep(wait.min(LONGEST_WAIT)).await;
    }
    answer
}

/// The time after which to come again. A date, which the header may hold too, is no time that an API server gives.
fn wait<B>(answer: &Response<B>) -> Option<Duration> {
    if answer.status().is_success() {
        return None;
    }
    let seconds = answer.headers().get(RETRY_AFTER)?.to_str().ok()?;
    seconds.parse().ok().map(Duration::from_secs)
}

/// Asks the API server for its version: one request that needs no permission.
///
/// # Errors
/// It does not answer.
pub async fn probe(client: &Client, url: &str) -> Result<String, ConnectError> {
    let answer = tokio::time::timeout(Duration::from_secs(10), client.apiserver_version()).await;
    match answer {
        Err(_) => Err(ConnectError::Timeout { url: url.to_owned() }),
        Ok(Err(kube::Error::Api(status))) if status.code == 401 => {
            Err(ConnectError::Unauthorized { url: url.to_owned() })
        }
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
    fn hosts_are_excepted_from_proxies_by_name_domain_address_and_network() {
        for (host, exceptions) in [
            ("localhost", ""),
            ("127.0.0.1", ""),
            ("::1", ""),
            ("api.example.com", "other, api.example.com"),
            ("api.example.com", "example.com"),
            ("api.example.com", ".example.com"),
            ("api.example.com", "*.example.com"),
            ("api.example.com", "*"),
            ("10.1.2.3", "10.1.2.3"),
            ("10.1.2.3", "192.168.0.0/16,10.0.0.0/8"),
            ("10.1.2.3", "0.0.0.0/0"),
            ("fd00::1", "fd00::/8"),
            ("fd00::1", "::/0"),
        ] {
            assert!(is_excepted(host, exceptions), "{host}: {exceptions}");
        }
        for (host, exceptions) in [
            ("api.example.com", ""),
            ("api.example.com", ","),
            ("api.example.com", "ample.com"),
            ("example.com", "api.example.com"),
            ("10.1.2.3", "11.0.0.0/8"),
            ("10.1.2.3", "10.0.0.0/33"),
            ("10.1.2.3", "::/0"),
            ("10.1.2.3", "1.2.3"),
            ("fd00::1", "fe00::/8"),
        ] {
            assert!(!is_excepted(host, exceptions), "{host}: {exceptions}");
        }
    }

    #[test]
    fn of_several_kubeconfigs_some_may_be_missing_and_a_broken_one_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let good = file("good", "current-context: a");
        let missing = folder.path().join("missing");
        let merged = read(&[missing, good.clone()]).unwrap();
        assert_eq!(merged.current_context.as_deref(), Some("a"));
        let broken = file("broken", "users: [{user: {token: hunter2}, {");
        let error = read(&[good, broken.clone()]).unwrap_err();
        let said = crate::cluster::sentence(&error);
        assert!(said.contains(&broken.display().to_string()), "{said}");
        assert!(!said.contains("hunter2"), "{said}");
    }

    #[test]
    fn a_proxy_is_named_and_its_password_is_not() {
        let mut config = Config::new("https://api.example.com:6443".parse().unwrap());
        config.proxy_url = Some("http://me:secret@proxy.example.com:3128".parse().unwrap());
        let error = directly(config).unwrap_err().to_string();
        assert!(
            error.contains("http://proxy.example.com is set for api.example.com"),
            "{error}"
        );
        assert!(!error.contains("secret"), "{error}");
    }

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

    #[test]
    fn an_answer_says_when_to_come_again_unless_it_is_the_answer() {
        let answer = |status: u16, after: &str| {
            let answer = Response::builder().status(status).header(RETRY_AFTER, after);
            wait(&answer.body(()).unwrap())
        };
        assert_eq!(answer(429, "5"), Some(Duration::from_secs(5)));
        assert_eq!(answer(503, "1"), Some(Duration::from_secs(1)));
        assert_eq!(answer(429, "soon"), None);
        assert_eq!(answer(200, "5"), None);
    }
}
