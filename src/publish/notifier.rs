//! Hands Events on to Flux's notification-controller, which sends them where its Alerts say.
//!
//! What has become an Event is handed on, and nothing else: a restart repeats nothing, and whoever turns Events off hears
//! nothing here either. Nobody waits for it. What the controller does not take for more than a minute is given up, counted
//! and logged; Events and reports have it.

use std::str::FromStr;
use std::time::Duration;

use http::header::{CONNECTION, CONTENT_TYPE, HOST, USER_AGENT};
use http::{Request, StatusCode, Uri};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use k8s_openapi::jiff::Timestamp;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::Counters;
use crate::api::{FIELD_MANAGER, ResourceRef};
use crate::cluster::sentence;
use crate::render::events::Notice;
use crate::render::notification::notification;

/// What waits to be handed on at most.
const QUEUE: usize = 256;
/// Pauses between attempts: a controller that is rolled out is back before the last one.
const PAUSES: [Duration; 4] = [
    Duration::from_secs(1),
    Duration::from_secs(4),
    Duration::from_secs(15),
    Duration::from_mins(1),
];
/// How long one attempt may take. The controller takes up to 15 s to find the Alerts of an event.
const ATTEMPT: Duration = Duration::from_secs(20);

/// Where notification-controller takes events: `http://host[:port][/path]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventsAddress {
    host: String,
    port: u16,
    authority: String,
    path: String,
}

/// An address that cannot be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it must have the form http://notification-controller.flux-system.svc.cluster.local./")]
pub struct NoEventsAddress;

impl FromStr for EventsAddress {
    type Err = NoEventsAddress;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let uri: Uri = text.parse().map_err(|_| NoEventsAddress)?;
        let authority = uri.authority().ok_or(NoEventsAddress)?.as_str();
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
        if uri.scheme_str() != Some("http") || authority.contains('@') || host.is_empty() {
            return Err(NoEventsAddress);
        }
        Ok(Self {
            host: host.to_owned(),
            port: uri.port_u16().unwrap_or(80),
            authority: authority.to_owned(),
            path: uri.path().to_owned(),
        })
    }
}

/// Where Events are put to be handed on.
#[derive(Clone)]
pub struct Notifier {
    queue: mpsc::Sender<Bytes>,
    stand_in: ResourceRef,
    counters: Counters,
}

/// Who carries them.
pub struct Courier {
    queue: mpsc::Receiver<Bytes>,
    address: EventsAddress,
    counters: Counters,
    pauses: [Duration; 4],
}

/// Why notification-controller did not take an event.
#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error(
        "notification-controller cannot be reached: a NetworkPolicy may block the way, and config/notifications has the one that is needed"
    )]
    Unreachable(#[from] std::io::Error),
    #[error("notification-controller did not answer within {ATTEMPT:?}")]
    Late,
    #[error("notification-controller closed the connection")]
    Broken(#[from] hyper::Error),
    #[error("notification-controller answered {0}")]
    Refused(StatusCode),
    #[error("no request can be made")]
    NoRequest(#[from] http::Error),
}

impl Notifier {
    /// Somebody to hand Events to, and who carries them. The object stands in for what no Alert can name.
    #[must_use]
    pub fn new(address: EventsAddress, stand_in: ResourceRef, counters: Counters) -> (Self, Courier) {
        let (send, receive) = mpsc::channel(QUEUE);
        let courier = Courier {
            queue: receive,
            address,
            counters: counters.clone(),
            pauses: PAUSES,
        };
        let notifier = Self {
            queue: send,
            stand_in,
            counters,
        };
        (notifier, courier)
    }

    /// Takes an Event, unless there are too many already.
    pub(super) fn hand_over(&self, notice: &Notice) {
        let event = notification(notice, &self.stand_in, Timestamp::now());
        if self.queue.try_send(event.to_string().into()).is_err() {
            self.counters.not_notified();
            tracing::warn!(
                reason = notice.reason,
                "not handed to notification-controller: {QUEUE} are waiting"
            );
        }
    }
}

impl Courier {
    /// Carries what is there until nobody hands anything over any more.
    pub async fn run(mut self, stop: CancellationToken) {
        while let Some(event) = self.queue.recv().await {
            if let Err(problem) = self.deliver(&event, &stop).await {
                self.counters.not_notified();
                tracing::warn!("an Event was not delivered: {}", sentence(&problem));
            }
        }
    }

    async fn deliver(&self, event: &Bytes, stop: &CancellationToken) -> Result<(), Problem> {
        let mut pauses = self.pauses.iter();
        loop {
            let attempt = timeout(ATTEMPT, self.post(event)).await;
            let Err(problem) = attempt.unwrap_or(Err(Problem::Late)) else {
                return Ok(());
            };
            let is_final = matches!(problem, Problem::Refused(status) if status.is_client_error());
            let pause = pauses.next().filter(|_| !is_final);
            let Some(pause) = pause else {
                return Err(problem);
            };
            if stop
                .run_until_cancelled(tokio::time::sleep(*pause))
                .await
                .is_none()
            {
                return Err(problem);
            }
        }
    }

    async fn post(&self, event: &Bytes) -> Result<(), Problem> {
        let address = &self.address;
        let stream = TcpStream::connect((address.host.as_str(), address.port)).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let _connection = AbortOnDropHandle::new(tokio::spawn(async move {
            // How it ends is seen by whoever waits for the answer.
            let _ = connection.await;
        }));
        let request = Request::post(address.path.as_str())
            .header(HOST, address.authority.as_str())
            .header(USER_AGENT, FIELD_MANAGER)
            .header(CONTENT_TYPE, "application/json")
            .header(CONNECTION, "close")
            .body(Full::new(event.clone()))?;
        let status = sender.send_request(request).await?.status();
        // It has taken the same event before.
        if status.is_success() || status == StatusCode::TOO_MANY_REQUESTS {
            return Ok(());
        }
        Err(Problem::Refused(status))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use prometheus::Registry;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio_util::sync::CancellationToken;

    use super::{EventsAddress, NoEventsAddress, Notifier, QUEUE};
    use crate::api::ResourceRef;
    use crate::publish::Counters;
    use crate::render::events::{Notice, NoticeType, Subject};

    fn notice() -> Notice {
        Notice {
            name: "fluxsec-1".to_owned(),
            r#type: NoticeType::Warning,
            reason: "ControlFailed",
            regarding: Subject::default(),
            related: None,
            severity: None,
            note: "a sentence".to_owned(),
            action: "Audit",
        }
    }

    /// How many events were given up, of those that were handed over.
    fn lost(registry: &Registry) -> usize {
        let families = registry.gather();
        let family = families
            .iter()
            .find(|it| it.name() == "flux_security_events_dropped_total")
            .unwrap();
        let is_ours = |it: &&prometheus::proto::Metric| it.get_label()[0].value() == "notification";
        let metric = family.get_metric().iter().find(is_ours).unwrap();
        let value = metric.get_counter().get_value();
        value.to_string().parse().unwrap()
    }

    /// Attempts that a server sees that answers like this, the last answer for ever, and what is lost.
    async fn attempts(answers: &[&str]) -> (usize, usize) {
        let registry = Registry::new();
        let counters = Counters::new(&registry).unwrap();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let (notifier, mut courier) =
            Notifier::new(address.parse().unwrap(), ResourceRef::default(), counters);
        courier.pauses = [Duration::ZERO; 4];
        notifier.hand_over(&notice());
        drop(notifier);
        let answers: Vec<String> = answers
            .iter()
            .map(|status| format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n"))
            .collect();
        let seen = AtomicUsize::new(0);
        let server = async {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let turn = seen.fetch_add(1, Ordering::Relaxed);
                let mut request = Vec::new();
                while !request.ends_with(b"}") {
                    assert_ne!(stream.read_buf(&mut request).await.unwrap(), 0);
                }
                let answer = answers.get(turn).or(answers.last()).unwrap();
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        };
        tokio::select! {
            () = courier.run(CancellationToken::new()) => {}
            () = server => {}
        }
        (seen.into_inner(), lost(&registry))
    }

    #[tokio::test]
    async fn what_is_not_taken_is_tried_again_and_given_up_in_the_end() {
        assert_eq!(attempts(&["202 Accepted"]).await, (1, 0));
        assert_eq!(attempts(&["500 Oh", "503 Oh", "202 Accepted"]).await, (3, 0));
        assert_eq!(attempts(&["500 Oh"]).await, (5, 1));
        // It was taken before, or never will be.
        assert_eq!(attempts(&["429 Too Many Requests"]).await, (1, 0));
        assert_eq!(attempts(&["400 Bad Request"]).await, (1, 1));
    }

    #[tokio::test]
    async fn what_is_too_much_is_counted() {
        let registry = Registry::new();
        let counters = Counters::new(&registry).unwrap();
        let address: EventsAddress = "http://127.0.0.1:1".parse().unwrap();
        let (notifier, _courier) = Notifier::new(address, ResourceRef::default(), counters);
        for _ in 0..QUEUE + 3 {
            notifier.hand_over(&notice());
        }
        assert_eq!(lost(&registry), 3);
    }

    #[test]
    fn an_address_is_http_and_a_host() {
        let usual: EventsAddress = "http://notification-controller.flux-system.svc.cluster.local./"
            .parse()
            .unwrap();
        assert_eq!(
            usual.host,
            "notification-controller.flux-system.svc.cluster.local."
        );
        assert_eq!((usual.port, usual.path.as_str()), (80, "/"));
        let other: EventsAddress = "http://[::1]:9090".parse().unwrap();
        assert_eq!(
            (other.host.as_str(), other.port, other.path.as_str()),
            ("::1", 9090, "/")
        );
    }

    #[test]
    fn whatever_else_is_none() {
        for text in [
            "",
            "notification-controller",
            "notification-controller:80",
            "https://notification-controller.flux-system.svc/",
            "http://",
            "http://me:secret@host/",
            "ftp://host/",
        ] {
            assert_eq!(text.parse::<EventsAddress>(), Err(NoEventsAddress), "{text}");
        }
    }
}
