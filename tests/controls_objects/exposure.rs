//! The ways from outside of the cluster: webhooks, and the web interface of flux-operator.

use super::*;
use crate::support::flux_operator;

pub(crate) fn cases() -> Vec<Case> {
    [webhooks(), gateways(), web(), entrances()].concat()
}

fn notification(args: &[&str]) -> Value {
    let mut it = deployment("notification-controller", "1.9.3", args);
    it["spec"]["template"]["spec"]["containers"][0]["ports"] =
        json!([{"name": "http", "containerPort": 9090}, {"name": "http-webhook", "containerPort": 9292}]);
    it
}

#[expect(clippy::needless_pass_by_value, reason = "the calls read better")]
fn service(name: &str, kind: &str, app: &str, target: Value) -> Value {
    let label = if app == "flux-operator" {
        "app.kubernetes.io/name"
    } else {
        "app"
    };
    json!({
        "kind": "Service", "metadata": {"name": name, "namespace": "flux-system"},
        "spec": {"type": kind, "selector": {label: app}, "ports": [{"name": "http", "port": 80, "targetPort": target}]},
    })
}

/// What `flux install` brings.
fn services() -> [Value; 2] {
    [
        service(
            "notification-controller",
            "ClusterIP",
            "notification-controller",
            json!("http"),
        ),
        service(
            "webhook-receiver",
            "ClusterIP",
            "notification-controller",
            json!("http-webhook"),
        ),
    ]
}

#[expect(clippy::needless_pass_by_value, reason = "the calls read better")]
fn ingress(service: &str, tls: Value) -> Value {
    json!({
        "kind": "Ingress", "metadata": {"name": "hook", "namespace": "flux-system"},
        "spec": {"tls": tls, "rules": [{"host": "flux.example.com", "http": {"paths": [{"path": "/", "backend": {"service": {"name": service, "port": {"number": 80}}}}]}}]},
    })
}

fn annotated(mut object: Value, name: &str) -> Value {
    object["metadata"]["annotations"] = json!({name: "x"});
    object
}

fn certificate() -> Value {
    json!([{"hosts": ["flux.example.com"], "secretName": "cert"}])
}

#[rustfmt::skip]
fn webhooks() -> Vec<Case> {
    let with = |more: &[Value]| [&[notification(&[])], &services()[..], more].concat();
    let hook = |tls: Value| with(&[ingress("webhook-receiver", tls)]);
    let open = |kind: &str, target: u16| with(&[service("open", kind, "notification-controller", json!(target))]);
    let by_name = { let mut it = ingress("webhook-receiver", certificate()); it["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]["port"] = json!({"name": "http"}); it };
    let default = { let mut it = ingress("x", json!([])); it["spec"] = json!({"defaultBackend": {"service": {"name": "notification-controller", "port": {"number": 80}}}}); it };
    let addresses = { let mut it = service("open", "ClusterIP", "notification-controller", json!(9090)); it["spec"]["externalIPs"] = json!(["192.0.2.1"]); it };
    let untargeted = json!({"kind": "Service", "metadata": {"name": "open", "namespace": "flux-system"}, "spec": {"type": "LoadBalancer", "selector": {"app": "notification-controller"}, "ports": [{"port": 9090}]}});
    let elsewhere = in_namespace(ingress("notification-controller", certificate()), "tenant");
    let istio = json!({"kind": "CustomResourceDefinition", "metadata": {"name": "virtualservices.networking.istio.io"}});
    let secret_port = { let mut it = notification(&["--receiverAddr=$(ADDRESS)"]); it["spec"]["template"]["spec"]["containers"][0]["env"].as_array_mut().unwrap().push(json!({"name": "ADDRESS", "valueFrom": {"configMapKeyRef": {"name": "a", "key": "b"}}})); it };
    let unreadable = |kind: &str| json!({"kind": kind, "metadata": {"name": "odd", "namespace": "flux-system"}, "spec": 7});
    vec![
        ("FSX-NOT-006", "as upstream, nothing is exposed", with(&[]), Pass),
        ("FSX-NOT-006", "webhooks by TLS", hook(certificate()), Pass),
        ("FSX-NOT-006", "FSX-NOT-006 only webhook-receiver should be exposed", with(&[ingress("notification-controller", certificate())]), Fail),
        ("FSX-NOT-006", "without TLS", hook(json!([])), Fail),
        ("FSX-NOT-006", "TLS for another host", hook(json!([{"hosts": ["other.example.com"]}])), Fail),
        ("FSX-NOT-006", "TLS for every host of the domain", hook(json!([{"hosts": ["*.example.com"]}])), Pass),
        ("FSX-NOT-006", "a star is one label", hook(json!([{"hosts": ["*.com"]}])), Fail),
        ("FSX-NOT-006", "TLS for all hosts", hook(json!([{"secretName": "cert"}])), Pass),
        ("FSX-NOT-006", "the port by its name", with(&[by_name]), Pass),
        ("FSX-NOT-006", "the backend of everything else", with(&[default]), Fail),
        ("FSX-NOT-006", "another Service", with(&[ingress("other", json!([]))]), Pass),
        ("FSX-NOT-006", "an Ingress of another namespace leads elsewhere", with(&[elsewhere]), Pass),
        ("FSX-NOT-006", "an annotation may encrypt it", with(&[annotated(ingress("webhook-receiver", json!([])), "alb.ingress.kubernetes.io/certificate-arn")]), Unknown),
        ("FSX-NOT-006", "port 9090 by a load balancer", open("LoadBalancer", 9090), Fail),
        ("FSX-NOT-006", "port 9090 on each node", open("NodePort", 9090), Fail),
        ("FSX-NOT-006", "port 9090 at external addresses", with(&[addresses]), Fail),
        ("FSX-NOT-006", "port 9090 is the target when none is named", with(&[untargeted]), Fail),
        ("FSX-NOT-006", "metrics by a load balancer", open("LoadBalancer", 8080), Fail),
        ("FSX-NOT-006", "webhooks by a load balancer", open("LoadBalancer", 9292), Fail),
        ("FSX-NOT-006", "a load balancer with a certificate", with(&[annotated(service("open", "LoadBalancer", "notification-controller", json!(9292)), "service.beta.kubernetes.io/aws-load-balancer-ssl-cert")]), Unknown),
        ("FSX-NOT-006", "a load balancer of another workload", with(&[service("open", "LoadBalancer", "web", json!(9090))]), Pass),
        ("FSX-NOT-006", "another port for webhooks", [&[notification(&["--receiverAddr=:9191"])], &services()[..], &[ingress("webhook-receiver", certificate())]].concat(), Fail),
        ("FSX-NOT-006", "a port for webhooks that is not read", [&[secret_port], &services()[..], &[ingress("webhook-receiver", certificate())]].concat(), Unknown),
        ("FSX-NOT-006", "it may serve TLS itself", [&[notification(&["--authorized-receiver-client-spiffe-id=spiffe://a/edge"])], &services()[..], &[ingress("webhook-receiver", json!([]))]].concat(), Unknown),
        ("FSX-NOT-006", "other kinds of routes may lead there", with(std::slice::from_ref(&istio)), Unknown),
        ("FSX-NOT-006", "what is open is open", with(&[istio, ingress("webhook-receiver", json!([]))]), Fail),
        ("FSX-NOT-006", "a Service that cannot be read", with(&[unreadable("Service")]), Unknown),
        ("FSX-NOT-006", "an Ingress that cannot be read", with(&[unreadable("Ingress")]), Unknown),
        ("FSX-NOT-006", "no notification-controller", services().to_vec(), NotApplicable),
    ]
}

#[rustfmt::skip]
fn gateways() -> Vec<Case> {
    let gateway = |protocols: &[&str]| {
        let listeners: Vec<Value> = protocols.iter().map(|it| json!({"name": it.to_lowercase(), "port": if *it == "HTTP" {80} else {443}, "protocol": it})).collect();
        json!({"kind": "Gateway", "metadata": {"name": "edge", "namespace": "edge"}, "spec": {"listeners": listeners}})
    };
    let route = |namespace: &str, parent: Value, backend: Value| json!({"kind": "HTTPRoute", "metadata": {"name": "hook", "namespace": namespace}, "spec": {"parentRefs": [parent], "rules": [{"backendRefs": [backend]}]}});
    let edge = || json!({"name": "edge", "namespace": "edge"});
    let hook = || json!({"name": "webhook-receiver", "port": 80});
    let events = || json!({"name": "notification-controller", "port": 80});
    let there = || json!({"name": "webhook-receiver", "namespace": "flux-system", "port": 80});
    let with = |more: &[Value]| [&[notification(&[])], &services()[..], more].concat();
    let both = || gateway(&["HTTP", "HTTPS"]);
    let section = |name: &str| json!({"name": "edge", "namespace": "edge", "sectionName": name});
    vec![
        ("FSX-NOT-006", "a route by HTTPS", with(&[gateway(&["HTTPS"]), route("flux-system", edge(), hook())]), Pass),
        ("FSX-NOT-006", "a route by HTTP", with(&[gateway(&["HTTP"]), route("flux-system", edge(), hook())]), Fail),
        ("FSX-NOT-006", "a route by both", with(&[both(), route("flux-system", edge(), hook())]), Fail),
        ("FSX-NOT-006", "a route at one listener", with(&[both(), route("flux-system", section("https"), hook())]), Pass),
        ("FSX-NOT-006", "a route at the other listener", with(&[both(), route("flux-system", section("http"), hook())]), Fail),
        ("FSX-NOT-006", "a route to events", with(&[gateway(&["HTTPS"]), route("flux-system", edge(), events())]), Fail),
        ("FSX-NOT-006", "a route of another namespace", with(&[gateway(&["HTTP"]), route("edge", edge(), there())]), Fail),
        ("FSX-NOT-006", "a route to the Services of its own", with(&[gateway(&["HTTP"]), route("edge", edge(), hook())]), Pass),
        ("FSX-NOT-006", "a Gateway that does not exist", with(&[route("flux-system", edge(), hook())]), Pass),
        ("FSX-NOT-006", "a parent that is no Gateway", with(&[route("flux-system", json!({"kind": "ListenerSet", "name": "x"}), hook())]), Unknown),
        ("FSX-NOT-006", "a route of the mesh", with(&[route("flux-system", json!({"kind": "Service", "name": "x"}), hook())]), Pass),
        ("FSX-NOT-006", "a Gateway that cannot be read", with(&[json!({"kind": "Gateway", "metadata": {"name": "edge", "namespace": "edge"}, "spec": {"listeners": 7}}), route("flux-system", edge(), hook())]), Unknown),
        ("FSX-NOT-006", "a route that cannot be read", with(&[json!({"kind": "HTTPRoute", "metadata": {"name": "odd", "namespace": "tenant"}, "spec": {"rules": 7}})]), Unknown),
    ]
}

#[expect(clippy::needless_pass_by_value, reason = "the calls read better")]
fn policy(from: Value) -> Value {
    json!({
        "kind": "NetworkPolicy", "metadata": {"name": "web", "namespace": "flux-system"},
        "spec": {
            "podSelector": {"matchLabels": {"app.kubernetes.io/name": "flux-operator"}}, "policyTypes": ["Ingress"],
            "ingress": [{"from": from, "ports": [{"port": 9080}]}],
        },
    })
}

/// What the chart brings.
fn everybody() -> Value {
    policy(json!([{"namespaceSelector": {}}]))
}

fn chosen() -> Value {
    policy(json!([{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "edge"}}}]))
}

#[rustfmt::skip]
fn web() -> Vec<Case> {
    let plain = |version: &str| flux_operator(version, &[], &[]);
    let with = |args: &[&str], env: &[(&str, &str)], network: Value| vec![flux_operator("0.58.1", args, env), network];
    let secret = "--web-config-secret-name=web";
    let cilium = json!({"kind": "CustomResourceDefinition", "metadata": {"name": "ciliumnetworkpolicies.cilium.io"}});
    let image = |image: &str| { let mut it = plain("1"); it["spec"]["template"]["spec"]["containers"][0]["image"] = json!(image); it };
    let digest = || image("ghcr.io/controlplaneio-fluxcd/flux-operator@sha256:2f5bb8e0c1c2c9c0b6e3e0e1d6b8f0f7a1b2c3d4e5f60718293a4b5c6d7e8f90");
    let on_host = { let mut it = plain("0.58.1"); it["spec"]["template"]["spec"]["hostNetwork"] = json!(true); it };
    let secret_port = { let mut it = plain("0.58.1"); it["spec"]["template"]["spec"]["containers"][0]["env"].as_array_mut().unwrap().push(json!({"name": "WEB_SERVER_PORT", "valueFrom": {"configMapKeyRef": {"name": "a", "key": "b"}}})); it };
    let other = { let mut it = plain("0.58.1"); it["spec"]["template"]["spec"]["containers"][0]["image"] = json!("x.example/flux-operator:1.0"); it["spec"]["template"]["spec"]["containers"][0]["env"] = json!([]); it };
    vec![
        ("FSX-OPR-003", "FSX-OPR-003 the chart's policy admits every namespace", with(&[], &[], everybody()), Fail),
        ("FSX-OPR-003", "no policy", vec![plain("0.58.1")], Fail),
        ("FSX-OPR-003", "chosen peers", with(&[], &[], chosen()), Pass),
        ("FSX-OPR-003", "the configuration is in a Secret", with(&[secret], &[], everybody()), Unknown),
        ("FSX-OPR-003", "a configuration and chosen peers", with(&[secret], &[], chosen()), Pass),
        ("FSX-OPR-003", "the configuration is in a file", with(&["--web-config=/etc/flux-operator/web/config.yaml"], &[], everybody()), Unknown),
        ("FSX-OPR-003", "the Secret by a variable", with(&[], &[("WEB_CONFIG_SECRET_NAME", "web")], everybody()), Unknown),
        ("FSX-OPR-003", "turned off by the chart", with(&[], &[("WEB_SERVER_PORT", "0")], everybody()), NotApplicable),
        ("FSX-OPR-003", "the variable wins over the argument", with(&["--web-server-port=0"], &[("WEB_SERVER_PORT", "9080")], everybody()), Fail),
        ("FSX-OPR-003", "a port that is not read", vec![secret_port, everybody()], Unknown),
        ("FSX-OPR-003", "another port that the policy does not admit", with(&["--web-server-port=9999"], &[], everybody()), Pass),
        ("FSX-OPR-003", "before there was one", vec![plain("0.36.0"), everybody()], NotApplicable),
        ("FSX-OPR-003", "a version that takes users for the operator", vec![flux_operator("0.38.1", &["--web-config=/c.yaml"], &[]), chosen()], Fail),
        ("FSX-OPR-003", "the first fixed version", vec![flux_operator("0.40.0", &["--web-config=/c.yaml"], &[]), chosen()], Pass),
        ("FSX-OPR-003", "a digest tells no version", vec![digest(), chosen()], Unknown),
        ("FSX-OPR-003", "a digest, and open", vec![digest(), everybody()], Fail),
        ("FSX-OPR-003", "no NetworkPolicy applies on the host's network", vec![on_host, chosen()], Fail),
        ("FSX-OPR-003", "Cilium's own policies may close it", vec![plain("0.58.1"), cilium.clone()], Unknown),
        ("FSX-OPR-003", "Cilium's own policies may open it", vec![plain("0.58.1"), chosen(), cilium], Unknown),
        ("FSX-OPR-003", "what may be another program", vec![other, everybody()], Unknown),
        ("FSX-OPR-003", "no flux-operator", vec![everybody()], NotApplicable),
    ]
}

#[rustfmt::skip]
fn entrances() -> Vec<Case> {
    let web = || service("web", "ClusterIP", "flux-operator", json!("http-web"));
    let with = |args: &[&str], more: &[Value]| [&[flux_operator("0.58.1", args, &[]), chosen(), web()], more].concat();
    let lead = || ingress("web", certificate());
    let secret = "--web-config-secret-name=web";
    let metrics = service("metrics", "LoadBalancer", "flux-operator", json!("http-metrics"));
    let istio = json!({"kind": "CustomResourceDefinition", "metadata": {"name": "virtualservices.networking.istio.io"}});
    vec![
        ("FSX-OPR-003", "an Ingress without authentication", with(&[], &[lead()]), Fail),
        ("FSX-OPR-003", "an Ingress may ask", with(&[], &[annotated(lead(), "nginx.ingress.kubernetes.io/auth-url")]), Unknown),
        ("FSX-OPR-003", "an Ingress, and a configuration", with(&[secret], &[lead()]), Unknown),
        ("FSX-OPR-003", "a load balancer", with(&[], &[service("open", "LoadBalancer", "flux-operator", json!(9080))]), Fail),
        ("FSX-OPR-003", "a load balancer for metrics", with(&[], &[metrics]), Pass),
        ("FSX-OPR-003", "other kinds of routes may lead there", with(&[], &[istio]), Unknown),
    ]
}

#[test]
fn flux_operator_is_no_controller_of_an_installation() {
    let mut engine = engine(Tenancy::Shared);
    let operator = in_namespace(flux_operator("0.58.1", &[], &[]), "operator");
    engine.ingest([upsert(&kustomize(&[])), upsert(&operator)]);
    let installations = posture(&engine).installations;
    let namespaces: Vec<&str> = installations.iter().map(|it| it.namespace.as_str()).collect();
    assert_eq!(namespaces, ["flux-system"]);
    assert_eq!(control(&posture(&engine), "FSX-OPR-003").result, Fail);
}
