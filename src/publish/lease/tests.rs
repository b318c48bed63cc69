use std::net::TcpListener;

use super::*;

fn names(text: &str) -> (&str, &str) {
    text.rsplit_once('_').unwrap()
}

#[test]
fn two_processes_of_a_pod_are_two_candidates() {
    let (one, other) = (identity(), identity());
    assert_eq!(names(&one).0, names(&other).0);
    assert_ne!(one, other);
}

#[test]
fn requests_leave_time_for_another_before_the_deadline() {
    let timing = Timing::DEFAULT;
    assert!(timing.retry < timing.renew_deadline && timing.renew_deadline < timing.lease);
    assert!(timing.request() * 2 <= timing.renew_deadline);
}

#[test]
fn errors_say_what_to_do() {
    let forbidden = LeaseError::Forbidden {
        verb: "update",
        namespace: "flux-security-system".to_owned(),
    };
    let text = forbidden.to_string();
    for part in [
        "update",
        "leases.coordination.k8s.io",
        "flux-security-system",
        "rbac.yaml",
    ] {
        assert!(text.contains(part), "{text}");
    }
}

/// A server that accepts connections and never says a word.
#[tokio::test(start_paused = true)]
async fn a_server_that_hangs_makes_no_leader_and_delays_no_stop() {
    let silent = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let client = client(&Config::new(url.parse().unwrap())).unwrap();
    let elector = Elector::new(client, "namespace", "lease", "first", Timing::DEFAULT);
    let leadership = elector.leadership();
    let stop = CancellationToken::new();
    let running = tokio::spawn(elector.run(stop.clone()));
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert_eq!(*leadership.borrow(), Leadership::default());

    let stopped = Instant::now();
    stop.cancel();
    running.await.unwrap();
    assert!(stopped.elapsed() <= Timing::DEFAULT.retry + Duration::from_millis(1));
}
