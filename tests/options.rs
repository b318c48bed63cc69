//! What is off until somebody asks for it, on a real API server and with a real notification-controller.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod controlplane;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::ensure;
use controlplane::flux::Controllers;
use controlplane::operator::USER;
use controlplane::process::free_port;
use controlplane::scenario::{SHARED, installed, result, set_args, settled, until, wait_for_audit};
use controlplane::secured::{self, Answer};
use controlplane::{ControlPlane, Operator, wait_for};
use serde_json::{Value, json};

/// Longer than anything should take on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);
/// How long the operator remembers whom it let in, and how old its certificate may be.
const MEMORY: Duration = Duration::from_secs(10);
const NAMESPACE: &str = "flux-security-system";

fn config(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config").join(path);
    path.display().to_string()
}

/// Two accounts, of which one may read metrics.
const SCRAPERS: &str = "
apiVersion: v1
kind: Namespace
metadata: {name: monitoring}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: prometheus, namespace: monitoring}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: stranger, namespace: monitoring}
";

const READS: &str = "
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: prometheus}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: flux-security-metrics-reader}
subjects: [{kind: ServiceAccount, name: prometheus, namespace: monitoring}]
";

/// A folder of certificates as a kubelet keeps it: a link leads to the files of now, and is replaced at once.
struct Certificates {
    folder: PathBuf,
    generation: u32,
}

impl Certificates {
    fn new(folder: PathBuf, certificate: &Path, key: &Path) -> Self {
        fs::create_dir(&folder).unwrap();
        for name in ["tls.crt", "tls.key"] {
            symlink(Path::new("..data").join(name), folder.join(name)).unwrap();
        }
        let mut it = Self {
            folder,
            generation: 0,
        };
        it.replace(certificate, key);
        it
    }

    fn replace(&mut self, certificate: &Path, key: &Path) {
        self.generation += 1;
        let name = format!("..{}", self.generation);
        let files = self.folder.join(&name);
        fs::create_dir(&files).unwrap();
        fs::copy(certificate, files.join("tls.crt")).unwrap();
        fs::copy(key, files.join("tls.key")).unwrap();
        let next = self.folder.join("..data_tmp");
        symlink(&name, &next).unwrap();
        fs::rename(next, self.folder.join("..data")).unwrap();
    }
}

/// An operator whose metrics are served over HTTPS.
struct Secured {
    operator: Operator,
    port: u16,
    trusted: Vec<PathBuf>,
}

impl Secured {
    fn ask(&self, path: &str, head: &str) -> anyhow::Result<Answer> {
        let trusted: Vec<&Path> = self.trusted.iter().map(PathBuf::as_path).collect();
        secured::get(self.port, &trusted, path, head)
    }

    fn scrape(&self, token: &str) -> Answer {
        self.ask("/metrics", &format!("Authorization: Bearer {token}\r\n"))
            .unwrap()
    }

    /// Scrapes until the answer has this status.
    fn until(&self, token: &str, status: u16) -> Answer {
        wait_for(&format!("a {status}"), PATIENCE, || {
            let answer = self.scrape(token);
            ensure!(answer.status == status, "{}", answer.text);
            Ok(answer)
        })
        .unwrap()
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a story")]
fn metrics_over_https_are_for_those_who_may_read_them() {
    let mut control_plane = installed();
    control_plane.apply(SHARED).unwrap();
    control_plane.apply(SCRAPERS).unwrap();
    let token = |name: &str| control_plane.service_account_token("monitoring", name);
    let (prometheus, stranger) = (token("prometheus").unwrap(), token("stranger").unwrap());
    let elsewhere = [
        "create",
        "token",
        "-n",
        "monitoring",
        "prometheus",
        "--audience=elsewhere",
    ];
    let elsewhere = control_plane.kubectl(&elsewhere).unwrap();
    let (certificate, key) = (control_plane.certificate(), control_plane.key());
    let other = control_plane.another_certificate().unwrap();
    let folder = control_plane.sandbox().folder().join("served-certificates");
    let mut certificates = Certificates::new(folder.clone(), &certificate, &key);
    let port = free_port().unwrap();
    let kubeconfig = control_plane
        .service_account(NAMESPACE, "flux-security-operator")
        .unwrap();
    let variables = [
        ("FLUXSEC_SECURE_METRICS_ADDRESS", format!("127.0.0.1:{port}")),
        ("FLUXSEC_CERTIFICATE_FOLDER", folder.display().to_string()),
    ];
    let variables = variables.each_ref().map(|(name, value)| (*name, value.as_str()));
    let mut operator = Operator::launch_with(&control_plane, &kubeconfig, &variables).unwrap();
    operator.wait_until_ready().unwrap();
    let it = Secured {
        operator,
        port,
        trusted: vec![certificate, other.0.clone()],
    };

    // Probes are where they were, for kubelets, who have no token; the metrics are not.
    for (path, status) in [("/livez", 200), ("/readyz", 200), ("/metrics", 404)] {
        let (seen, text) = it.operator.get(path).unwrap();
        assert_eq!(seen, status, "{path}: {text}");
        assert!(!text.contains("flux_security_"), "{text}");
    }
    assert_eq!(it.ask("/livez", "").unwrap().status, 404);

    // It may not ask yet, and says so.
    let answer = it.scrape(&prometheus);
    assert_eq!(answer.status, 503, "{}", answer.text);
    assert!(!answer.text.contains("flux_security_"), "{}", answer.text);
    let log = it.operator.process.log();
    assert!(
        log.contains("it may not create tokenreviews.authentication.k8s.io: apply the ClusterRole and the binding of config/secure-metrics"),
        "{log}"
    );
    control_plane
        .kubectl(&[
            "apply",
            "--server-side",
            "-f",
            &config("secure-metrics/rbac.yaml"),
        ])
        .unwrap();
    let refused = it.until(&prometheus, 403);
    assert!(
        refused
            .text
            .contains("system:serviceaccount:monitoring:prometheus may not get /metrics"),
        "{}",
        refused.text
    );
    control_plane.apply(READS).unwrap();
    let scraped = it.until(&prometheus, 200);
    assert!(
        scraped.text.contains("flux_security_build_info"),
        "{}",
        scraped.text
    );

    let strange = |head: &str, status: u16| {
        let answer = it.ask("/metrics", head).unwrap();
        assert_eq!(answer.status, status, "{head}: {}", answer.text);
        assert!(!answer.text.contains("flux_security_"), "{}", answer.text);
        answer.text.to_lowercase()
    };
    assert!(strange("", 401).contains("www-authenticate: bearer"));
    strange("Authorization: Bearer garbage\r\n", 401);
    strange(&format!("Authorization: Bearer {prometheus}x\r\n"), 401);
    strange(&format!("Authorization: Bearer {elsewhere}\r\n"), 401);
    strange(&format!("Authorization: Basic {prometheus}\r\n"), 401);
    strange(&format!("Authorization: Bearer {stranger}\r\n"), 403);
    let twice = format!("Authorization: Bearer {stranger}\r\nAuthorization: Bearer {prometheus}\r\n");
    strange(&twice, 401);

    // Whoever says nothing keeps nobody else out: one after the other, they would for 40 s.
    let silent: Vec<TcpStream> = (0..8)
        .map(|_| TcpStream::connect(("127.0.0.1", port)).unwrap())
        .collect();
    let started = Instant::now();
    assert_eq!(it.scrape(&prometheus).status, 200);
    assert!(
        started.elapsed() < Duration::from_secs(20),
        "{:?}",
        started.elapsed()
    );
    drop(silent);

    // A scraper that is known is asked about once in a while.
    let asked = || reviews(&control_plane);
    let (before, started) = (asked(), Instant::now());
    for _ in 0..30 {
        assert_eq!(it.scrape(&prometheus).status, 200);
    }
    let rounds = started.elapsed().as_secs() / MEMORY.as_secs() + 1;
    let more = asked() - before;
    assert!(
        u64::try_from(more).unwrap() <= 2 * rounds,
        "{more} reviews for 30 scrapes in {rounds} × {MEMORY:?}"
    );

    // A right that is taken away ends soon, one that is given counts.
    control_plane
        .kubectl(&["delete", "clusterrolebinding", "prometheus"])
        .unwrap();
    it.until(&prometheus, 403);
    control_plane.apply(READS).unwrap();
    it.until(&prometheus, 200);

    // Half a certificate changes nothing, a whole one does.
    let shown = it.scrape(&prometheus).certificate;
    certificates.replace(&other.0, &key);
    std::thread::sleep(MEMORY + Duration::from_secs(1));
    assert_eq!(it.scrape(&prometheus).certificate, shown);
    let log = it.operator.process.log();
    assert!(
        log.contains("the certificate of before is kept: tls.crt and tls.key of"),
        "{log}"
    );
    certificates.replace(&other.0, &other.1);
    wait_for("the new certificate", PATIENCE, || {
        ensure!(it.scrape(&prometheus).certificate != shown, "the old one");
        Ok(())
    })
    .unwrap();

    // Nobody can be asked: nobody gets in, whoever it is, once what is remembered has run out.
    control_plane.apiserver().kill().unwrap();
    std::thread::sleep(MEMORY + Duration::from_secs(1));
    for token in [&prometheus, &stranger, &"garbage".to_owned()] {
        let answer = it.scrape(token);
        assert_eq!(answer.status, 503, "{}", answer.text);
        assert!(!answer.text.contains("flux_security_"), "{}", answer.text);
    }
    assert_eq!(it.ask("/metrics", "").unwrap().status, 401);
    assert_eq!(it.operator.get("/livez").unwrap().0, 200);
    control_plane.revive_apiserver().unwrap();
    control_plane.wait_until_ready().unwrap();
    it.until(&prometheus, 200);
    it.until(&stranger, 403);
}

/// How often the operator asked about somebody.
fn reviews(control_plane: &ControlPlane) -> usize {
    let log = control_plane.audit_log().unwrap();
    let resources = ["tokenreviews", "subjectaccessreviews"];
    let is_review = |event: &&Value| {
        let resource = event["objectRef"]["resource"].as_str().unwrap_or_default();
        event["user"]["username"] == USER && resources.contains(&resource)
    };
    log.iter().filter(is_review).count()
}

/// The API server says in each answer by which FlowSchema it took the request.
#[test]
fn renewals_of_the_lease_are_as_urgent_as_those_of_kubernetes() {
    let control_plane = installed();
    control_plane
        .kubectl(&["apply", "--server-side", "-k", &config("flow-control")])
        .unwrap();
    let schema = ["flowschema", "flux-security-operator-lease"];
    let schema = control_plane.get(&schema).unwrap();
    let uid = schema["metadata"]["uid"].as_str().unwrap();
    let kubeconfig = control_plane
        .service_account(NAMESPACE, "flux-security-operator")
        .unwrap();
    let is_classified = |arguments: &[&str]| {
        let mut command = control_plane.kubectl_command();
        command.env("KUBECONFIG", &kubeconfig).args(arguments).arg("-v=8");
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            said.to_lowercase().contains("x-kubernetes-pf-flowschema-uid"),
            "{said}"
        );
        said.contains(uid)
    };
    let lease = ["get", "lease", "-n", NAMESPACE, "flux-security-operator"];
    wait_for("the flow schema", PATIENCE, || {
        ensure!(is_classified(&lease), "another one");
        Ok(())
    })
    .unwrap();
    assert!(!is_classified(&["get", "leases", "-A"]), "evidence is not urgent");
    assert!(!is_classified(&["get", "deployments", "-A"]));
    let schema = control_plane
        .get(&["flowschema", "flux-security-operator-lease"])
        .unwrap();
    let conditions = schema["status"]["conditions"].as_array().unwrap();
    let dangling = conditions.iter().find(|it| it["type"] == "Dangling").unwrap();
    assert_eq!(dangling["status"], "False", "{dangling}");
    // It does not hinder what it is for.
    control_plane.apply(SHARED).unwrap();
    let _operator = Operator::start(&control_plane).unwrap();
    until(&control_plane, "a report", |report| {
        result(report, "FSP-KUST-001") == "Pass"
    });
}

/// Takes what notification-controller sends to a webhook.
struct Webhook {
    port: u16,
    taken: Arc<Mutex<Vec<(String, Value)>>>,
}

impl Webhook {
    fn open() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let taken: Arc<Mutex<Vec<(String, Value)>>> = Arc::default();
        let book = taken.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(request) = stream.and_then(|it| read(&it)) else {
                    continue;
                };
                book.lock().unwrap().push(request);
            }
        });
        Self { port, taken }
    }

    /// What came to a path.
    fn at(&self, path: &str) -> Vec<Value> {
        let taken = self.taken.lock().unwrap();
        let here = taken.iter().filter(|(at, _)| at == path);
        here.map(|(_, event)| event.clone()).collect()
    }

    /// Waits for an event.
    fn wait_for(&self, path: &str, what: &str, is: impl Fn(&Value) -> bool) -> Value {
        wait_for(what, PATIENCE, || {
            let events = self.at(path);
            let found = events.iter().find(|it| is(it)).cloned();
            found.ok_or_else(|| anyhow::anyhow!("{events:#?}"))
        })
        .unwrap()
    }
}

/// Path and body of a request, which is answered.
fn read(stream: &TcpStream) -> std::io::Result<(String, Value)> {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.parse().ok())?
    });
    let mut body = vec![0; length.unwrap_or_default()];
    reader.read_exact(&mut body)?;
    let mut writer = stream;
    writer.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")?;
    Ok((path, serde_json::from_slice(&body)?))
}

/// A tenant who wants to hear of what is the tenant's.
const TENANT: &str = "
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: notification.toolkit.fluxcd.io/v1beta3
kind: Provider
metadata: {name: webhook, namespace: shop}
spec: {type: generic, address: 'http://127.0.0.1:PORT/shop'}
---
apiVersion: notification.toolkit.fluxcd.io/v1beta3
kind: Alert
metadata: {name: security, namespace: shop}
spec:
  providerRef: {name: webhook}
  eventSeverity: info
  eventSources: [{kind: Kustomization, name: '*'}]
";

const CARELESS: &str = "
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: app, namespace: shop}
spec:
  interval: 1h
  prune: true
  suspend: true
  path: ./
  sourceRef: {kind: GitRepository, name: fleet, namespace: flux-system}
";

/// What the sample says of its channel.
const SLACK: &str = "type: slack\n  channel: security\n  secretRef:\n    name: security-channel\n";

#[test]
#[expect(clippy::too_many_lines, reason = "a story")]
fn events_reach_a_webhook_through_notification_controller() {
    let control_plane = installed();
    let webhook = Webhook::open();
    let sample = fs::read_to_string(config("samples/alert.yaml")).unwrap();
    // As it is, Flux's own schema takes it.
    control_plane
        .kubectl_with(
            &["apply", "--server-side", "--dry-run=server", "-f", "-"],
            &sample,
        )
        .unwrap();
    assert!(sample.contains(SLACK), "{sample}");
    let generic = format!(
        "type: generic\n  address: http://127.0.0.1:{}/platform\n",
        webhook.port
    );
    control_plane.apply(&sample.replace(SLACK, &generic)).unwrap();
    control_plane
        .apply(&TENANT.replace("PORT", &webhook.port.to_string()))
        .unwrap();
    // What the schema of Flux does not let anybody do, and why something stands in.
    let direct = sample.replace("kind: Kustomization", "kind: FluxSecurityReport");
    let dry = ["apply", "--server-side", "--dry-run=server", "-f", "-"];
    let refusal = control_plane.kubectl_with(&dry, &direct).unwrap_err().to_string();
    assert!(
        refusal.contains("Unsupported value: \"FluxSecurityReport\""),
        "{refusal}"
    );

    let mut controllers = Controllers::start(&control_plane).unwrap();
    control_plane.apply(SHARED).unwrap();
    let kubeconfig = control_plane
        .service_account(NAMESPACE, "flux-security-operator")
        .unwrap();
    wait_for("notification-controller", PATIENCE, || {
        controllers.check()?;
        let address = controllers.events_url().replace("http://", "").replace('/', "");
        Ok(TcpStream::connect(address)?)
    })
    .unwrap();
    let url = controllers.events_url();
    let variables = [("FLUXSEC_EVENTS_ADDRESS", url.as_str())];
    let mut operator = Operator::launch_with(&control_plane, &kubeconfig, &variables).unwrap();
    operator.wait_until_ready().unwrap();

    let drifted = webhook.wait_for("/platform", "the posture", |it| it["reason"] == "PostureDrifted");
    assert_eq!(drifted["involvedObject"]["kind"], "Kustomization");
    assert_eq!(drifted["involvedObject"]["name"], "flux-security-policy");
    assert_eq!(drifted["severity"], "error");
    assert_eq!(drifted["reportingController"], "flux-security-operator");
    assert_eq!(
        drifted["metadata"]["object"], "FluxSecurityReport default",
        "{drifted}"
    );
    // Whoever hears of it is told what shows more, and that does.
    let shows_more = |event: &Value, words: &str| {
        let command = event["metadata"]["command"].as_str().unwrap();
        let arguments: Vec<&str> = command.strip_prefix("kubectl ").unwrap().split(' ').collect();
        // Events come before the report that they tell of.
        wait_for(command, PATIENCE, || {
            let shown = control_plane.kubectl(&arguments)?;
            ensure!(shown.contains(words), "{shown}");
            Ok(())
        })
        .unwrap();
    };
    assert_eq!(
        drifted["metadata"]["command"], "kubectl describe fluxsecurityreport default",
        "{drifted}"
    );
    shows_more(&drifted, "Compliant");

    // Fail, recover and fail again: the same words are told twice.
    let insecure = "--insecure-kubeconfig-exec=true";
    let told = || {
        let events = webhook.at("/platform");
        let is_told = |it: &&Value| {
            it["reason"] == "ControlFailed" && it["message"].as_str().unwrap().starts_with("FSP-KUST-001 ")
        };
        events.iter().filter(is_told).cloned().collect::<Vec<_>>()
    };
    for times in 1..=2 {
        set_args(&control_plane, "kustomize-controller", insecure);
        let events = wait_for("the drift", PATIENCE, || {
            let events = told();
            ensure!(events.len() == times, "{} of {times}", events.len());
            Ok(events)
        })
        .unwrap();
        let failed = events.last().unwrap();
        assert_eq!(failed["metadata"]["severity"], "Critical", "{failed}");
        assert_eq!(
            failed["metadata"]["related"], "Deployment flux-system/kustomize-controller",
            "{failed}"
        );
        assert_eq!(failed["message"], events[0]["message"]);
        let last = control_plane
            .get(&["deployment", "-n", "flux-system", "kustomize-controller"])
            .unwrap();
        let args = last["spec"]["template"]["spec"]["containers"][0]["args"]
            .as_array()
            .unwrap();
        let path = format!("/spec/template/spec/containers/0/args/{}", args.len() - 1);
        let repair = json!([{"op": "remove", "path": path}]).to_string();
        control_plane
            .kubectl(&[
                "patch",
                "deployment",
                "-n",
                "flux-system",
                "kustomize-controller",
                "--type=json",
                "-p",
                &repair,
            ])
            .unwrap();
        until(&control_plane, "the repair", |report| {
            result(report, "FSP-KUST-001") == "Pass"
        });
    }

    // A finding on an object of Flux is told as that, to whoever listens in its namespace, and to nobody else.
    control_plane.apply(CARELESS).unwrap();
    let found = webhook.wait_for("/shop", "the tenant's finding", |it| {
        it["reason"] == "FindingDetected"
    });
    assert_eq!(found["involvedObject"]["name"], "app", "{found}");
    assert_eq!(found["involvedObject"]["namespace"], "shop");
    wait_for("the tenant's report", PATIENCE, || {
        control_plane.get(&["fluxsecuritynamespacereport", "-n", "shop", "default"])
    })
    .unwrap();
    shows_more(&found, "Kustomization");
    let strange = |it: &Value| it["involvedObject"]["namespace"] != "shop";
    assert!(!webhook.at("/shop").iter().any(strange));
    // Those who asked for errors get nothing else.
    assert!(webhook.at("/platform").iter().all(|it| it["severity"] == "error"));

    // A restart repeats nothing.
    let taken = || webhook.taken.lock().unwrap().len();
    let before = settled("the last of what was told", taken);
    assert!(operator.process.stop().unwrap().success());
    let mut operator = Operator::launch_with(&control_plane, &kubeconfig, &variables).unwrap();
    operator.wait_until_ready().unwrap();
    wait_for_audit(&operator);
    assert_eq!(taken(), before);
    let dropped = "flux_security_events_dropped_total{outcome=\"notification\"}";
    assert_eq!(operator.metric(dropped).unwrap(), Some(0.0));
}
