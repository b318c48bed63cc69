//! One replica writes: leader election by a `coordination.k8s.io/v1` Lease.
//!
//! All replicas watch and evaluate; [`Elector`] tells which of them may write, and until when. A writer asks
//! [`Leadership::is_leader`] right before each write, and lets no write go on for longer than [`Leadership::until`].
//!
//! kube has no leader election. The algorithm is client-go's and lives in [`election`]; here are its requests.

mod election;

use std::hash::{BuildHasher, RandomState};
use std::pin::pin;
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::jiff::Timestamp;
use kube::api::PostParams;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, Config, ResourceExt};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tower::layer::layer_fn;

use crate::api::FIELD_MANAGER;
use crate::cluster::client::builder;
use crate::cluster::pace::Paced;
use crate::cluster::sentence;
use crate::engine::posture::bounded;
use crate::failpoint::failpoint;
use election::{Election, Step};

/// How the election is paced. `retry` < `renew_deadline` < `lease`, or there may be two leaders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// How long a lease that is not renewed keeps others out; whole seconds, rounded up, on the wire.
    pub lease: Duration,
    /// How long a leader leads without a renewal: it stops before another may start.
    pub renew_deadline: Duration,
    /// Pause between renewals, and between attempts. A graceful stop takes no longer than this.
    pub retry: Duration,
}

impl Timing {
    /// What client-go documents as the values of Kubernetes' own components (`LeaderElectionConfig`).
    pub const DEFAULT: Self = Self {
        lease: Duration::from_secs(15),
        renew_deadline: Duration::from_secs(10),
        retry: Duration::from_secs(2),
    };

    /// How long one request may take: one that hangs leaves time for another.
    fn request(&self) -> Duration {
        self.renew_deadline / 2
    }
}

impl Default for Timing {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Whether this replica leads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Leadership {
    /// It leads until then, on its own monotonic clock; not at all when absent. A renewal moves it, nothing else does.
    pub until: Option<Instant>,
}

impl Leadership {
    /// Whether this replica may write now. To be asked again right before each write: a process that was suspended
    /// finds its time run out.
    #[must_use]
    pub fn is_leader(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| now < until)
    }
}

/// Why the lease could not be read or written. Each message names what to do, or what happened.
#[derive(Debug, thiserror::Error)]
enum LeaseError {
    #[error(
        "may not {verb} leases.coordination.k8s.io in namespace {namespace}; \
         apply the Role and the RoleBinding of config/default/rbac.yaml"
    )]
    Forbidden { verb: &'static str, namespace: String },
    #[error("cannot {verb} the lease: the API server did not answer within {limit:?}")]
    Timeout { verb: &'static str, limit: Duration },
    #[error("the lease was written by somebody else")]
    Conflict,
    #[error("cannot {verb} the lease: {message}")]
    Refused { verb: &'static str, message: String },
    #[error("cannot {verb} the lease")]
    Failed {
        verb: &'static str,
        #[source]
        source: Box<kube::Error>,
    },
}

/// A client for an [`Elector`] alone: a connection of its own, so that nothing queues before a renewal, and no retries of
/// its own, so that a request that is given up stays given up.
///
/// # Errors
/// The configuration cannot be turned into a client.
pub fn client(config: &Config) -> Result<Client, kube::Error> {
    Ok(builder(config)?.with_layer(&layer_fn(Paced::new)).build())
}

/// A name that no other process has: the pod's, which the container runtime puts into `HOSTNAME`, and a random part,
/// because a container that is restarted in its pod is another candidate.
#[must_use]
pub fn identity() -> String {
    let pod = std::env::var("HOSTNAME").unwrap_or_default();
    let pod = if pod.is_empty() { FIELD_MANAGER } else { &pod };
    let random = RandomState::new().hash_one(std::process::id());
    format!("{pod}_{random:016x}")
}

/// A candidate for the lead.
pub struct Elector {
    leases: Api<Lease>,
    namespace: String,
    name: String,
    timing: Timing,
    election: Election,
    leadership: watch::Sender<Leadership>,
    standing: Said,
    look_problem: Said,
    write_problem: Said,
    watch_problem: Said,
}

impl Elector {
    /// A candidate that has not started yet. The client should come from [`client`], the identity from [`identity`].
    #[must_use]
    pub fn new(client: Client, namespace: &str, name: &str, identity: &str, timing: Timing) -> Self {
        Self {
            leases: Api::namespaced(client, namespace),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            timing,
            election: Election::new(name, identity, timing, Instant::now()),
            leadership: watch::Sender::default(),
            standing: Said::default(),
            look_problem: Said::default(),
            write_problem: Said::default(),
            watch_problem: Said::default(),
        }
    }

    /// Where it shows whether this replica leads. It outlives the elector: a lead that nobody renews runs out.
    #[must_use]
    pub fn leadership(&self) -> watch::Receiver<Leadership> {
        self.leadership.subscribe()
    }

    /// Competes until the token is cancelled, then gives the lead away. Whoever writes must have stopped by then:
    /// another replica leads a moment later.
    pub async fn run(mut self, stop: CancellationToken) {
        let patience = self.timing.retry;
        let late = async {
            stop.cancelled().await;
            tokio::time::sleep(patience).await;
        };
        tokio::select! {
            () = self.compete(&stop) => {}
            () = late => tracing::warn!("the lease was not released in {patience:?}; it runs out by itself"),
        }
        self.leadership.send_replace(Leadership::default());
    }

    /// A request in flight is finished: an abandoned one could still arrive after the release.
    async fn compete(&mut self, stop: &CancellationToken) {
        let changes = watcher::watch_object(self.leases.clone(), &self.name).default_backoff();
        let mut changes = pin!(changes);
        while !stop.is_cancelled() {
            match self.election.step(Instant::now(), Timestamp::now()) {
                Step::Look => self.look().await,
                Step::Write(lease) => self.write(&lease).await,
                Step::Wait(until) => tokio::select! {
                    () = stop.cancelled() => {}
                    () = tokio::time::sleep_until(until) => {}
                    Some(change) = changes.next() => self.notice(change),
                },
            }
            self.publish();
        }
        self.resign().await;
    }

    async fn look(&mut self) {
        let started = Instant::now();
        match self.bounded("get", self.leases.get_opt(&self.name)).await {
            Ok(found) => {
                self.election.observe(found, Instant::now());
                self.look_problem.settled();
            }
            Err(error) => {
                self.election.failed(started);
                self.look_problem.warn(&error);
            }
        }
    }

    async fn write(&mut self, lease: &Lease) {
        let started = Instant::now();
        match self.put(lease).await {
            Ok(lease) => {
                failpoint("renewed");
                self.election.wrote(lease, started, Instant::now());
                self.write_problem.settled();
            }
            Err(LeaseError::Conflict) => self.election.lost_race(started, Instant::now()),
            Err(error) => {
                self.election.failed(started);
                self.write_problem.warn(&error);
            }
        }
    }

    /// The watch only tells that a look is worth it: what it delivers may be older than what was written since.
    fn notice(&mut self, change: watcher::Result<Option<Lease>>) {
        let lease = match change {
            Ok(lease) => lease,
            Err(error) => return self.watch_failed(&error),
        };
        self.watch_problem.settled();
        let version = lease.and_then(|lease| lease.resource_version());
        self.election.notice(version.as_deref(), Instant::now());
    }

    /// No more than a slower hand-over: every look is a request of its own.
    fn watch_failed(&mut self, error: &watcher::Error) {
        let message = sentence(error);
        if self.watch_problem.is_new(&message) {
            tracing::debug!("leader election: the lease is not watched: {message}");
        }
    }

    /// Leads no more, then says so, so that another replica need not wait.
    async fn resign(&mut self) {
        // The second attempt is for a Lease that was changed, or renewed by a request that we had given up.
        for _ in 0..2 {
            let lease = self.election.resign(Timestamp::now());
            self.leadership.send_replace(Leadership::default());
            let Some(lease) = lease else { return };
            match self.put(&lease).await {
                Ok(_) => return tracing::info!("leader election: released the lease"),
                Err(LeaseError::Conflict) => self.look().await,
                Err(error) => {
                    return tracing::warn!(
                        "leader election: {}; the lease runs out by itself",
                        sentence(&error)
                    );
                }
            }
        }
    }

    fn publish(&mut self) {
        let next = self.election.leadership(Instant::now());
        let standing = match (next.until, self.election.holder()) {
            (Some(_), _) => "this replica leads".to_owned(),
            (None, _) if self.election.is_mine() => {
                let deadline = self.timing.renew_deadline;
                format!("this replica does not lead, its lease was not renewed in {deadline:?}")
            }
            (None, "") => "nobody leads".to_owned(),
            (None, holder) => format!("{:?} leads", bounded(holder)),
        };
        if self.standing.is_new(&standing) {
            tracing::info!("leader election: {standing}");
        }
        self.leadership
            .send_if_modified(|known| std::mem::replace(known, next) != next);
    }

    /// Creates a Lease that has no version, replaces one that has: the API server refuses every version but the
    /// current one.
    async fn put(&self, lease: &Lease) -> Result<Lease, LeaseError> {
        let params = PostParams {
            field_manager: Some(FIELD_MANAGER.to_owned()),
            ..PostParams::default()
        };
        if lease.metadata.resource_version.is_none() {
            return self.bounded("create", self.leases.create(&params, lease)).await;
        }
        self.bounded("update", self.leases.replace(&self.name, &params, lease))
            .await
    }

    async fn bounded<T>(
        &self,
        verb: &'static str,
        request: impl Future<Output = Result<T, kube::Error>>,
    ) -> Result<T, LeaseError> {
        let limit = self.timing.request();
        let source = match tokio::time::timeout(limit, request).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) => error,
            Err(_) => return Err(LeaseError::Timeout { verb, limit }),
        };
        let kube::Error::Api(status) = source else {
            let source = Box::new(source);
            return Err(LeaseError::Failed { verb, source });
        };
        Err(match (status.code, verb) {
            (409, _) | (404, "update") => LeaseError::Conflict,
            (403, _) => {
                let namespace = self.namespace.clone();
                LeaseError::Forbidden { verb, namespace }
            }
            _ => {
                let message = status.message.clone();
                LeaseError::Refused { verb, message }
            }
        })
    }
}

/// What was said last: a thing is said once until it changes.
#[derive(Default)]
struct Said(String);

impl Said {
    fn is_new(&mut self, message: &str) -> bool {
        let new = self.0 != message;
        if new {
            message.clone_into(&mut self.0);
        }
        new
    }

    fn warn(&mut self, error: &LeaseError) {
        let message = sentence(error);
        if self.is_new(&message) {
            tracing::warn!("leader election: {message}; trying again");
        }
    }

    fn settled(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests;
