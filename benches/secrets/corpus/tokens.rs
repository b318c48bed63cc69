//! Credentials whose shape their issuers publish, each in every sort of file.

use super::Shape;
use super::values::{Values, base64};

pub(crate) const SHAPES: &[Shape] = &[
    ("token in YAML", |values| vec![yaml(values)]),
    ("token in YAML", |values| vec![yaml(values)]),
    ("token in JSON", |values| vec![json(values)]),
    ("token in a file of variables", |values| vec![variables(values)]),
    ("token in settings", |values| vec![settings(values)]),
    ("token in a script", |values| vec![script(values)]),
    ("token in a script", |values| vec![script(values)]),
    ("token in a page", |values| vec![page(values)]),
    ("token in a comment", |values| vec![comment(values)]),
    ("token in the code of a program", |values| vec![program(values)]),
    ("token in Terraform", |values| vec![terraform(values)]),
];

/// As the issuers write them.
const PATTERNS: [&str; 90] = [
    "ghp_{A36}",
    "gho_{A36}",
    "ghu_{A36}",
    "ghs_{A36}",
    "ghr_{A36}",
    "github_pat_11{U20}_{A59}",
    "glpat-{W20}",
    "gldt-{W20}",
    "glrt-{W20}",
    "glptt-{H40}",
    "glagent-{W50}",
    "ATBB{A32}",
    "ATATT3{W186}",
    "npm_{A36}",
    "pypi-AgEIcHlwaS5vcmc{W70}",
    "rubygems_{H48}",
    "oy2{L43}",
    "dckr_pat_{W27}",
    "AKCp{A69}",
    "cmVmd{A59}",
    "AKIA{B16}",
    "ASIA{B16}",
    "ABSK{S112}",
    "AIzaSy{W33}",
    "GOCSPX-{W28}",
    "ya29.{W80}",
    "{A3}8Q~{W34}",
    "{A76}AZDO{A4}",
    "LTAI{A20}",
    "dop_v1_{H64}",
    "doo_v1_{H64}",
    "v1.0-{H24}-{H146}",
    "fo1_{W43}",
    "HRKU-AA{W58}",
    "nfp_{A36}",
    "sha256~{W43}",
    "tskey-auth-{A11}CNTRL-{A32}",
    "dapi{H32}",
    "4b1d{A38}",
    "pscale_tkn_{W43}",
    "pscale_pw_{W43}",
    "sbp_{H40}",
    "hvs.{W95}",
    "hvb.{W160}",
    "{A14}.atlasv1.{W67}",
    "dp.pt.{A43}",
    "ops_eyJ{A250}",
    "pul-{H40}",
    "pat.{W22}.{H24}.{A20}",
    "pnu_{L36}",
    "bkua_{H40}",
    "CCIPAT_{A22}_{H40}",
    "sqp_{H40}",
    "squ_{H40}",
    "glsa_{A32}_{H8}",
    "glc_{S60}",
    "dt0c01.{B24}.{B64}",
    "NRAK-{U27}",
    "sntryu_{H64}",
    "xoxb-{D12}-{D13}-{A24}",
    "xoxp-{D12}-{D12}-{D12}-{H32}",
    "xapp-1-A{U10}-{D13}-{H64}",
    "{D10}:AA{W33}",
    "SSWS 00{W40}",
    "SG.{W22}.{W43}",
    "key-{H32}",
    "{H32}-us{D2}",
    "sk_live_{A24}",
    "rk_live_{A24}",
    "whsec_{A32}",
    "sq0csp-{W43}",
    "shpat_{H32}",
    "shpss_{H32}",
    "sk-proj-{W58}T3BlbkFJ{W58}",
    "sk-ant-api03-{W93}AA",
    "hf_{M34}",
    "PMAK-{H24}-{H34}",
    "lin_api_{A40}",
    "SK{H32}",
    "{N19}.{A6}.{W38}",
    "xkeysib-{H64}-{A16}",
    "pplx-{A48}",
    "gsk_{A52}",
    "r8_{A37}",
    "ico-{A32}",
    "API-{U26}",
    "pat-na1-{H8}-{H4}-{H4}-{H4}-{H12}",
    "ntn_{D11}{A35}",
    "figd_{W40}",
    "xai-{A80}",
];

fn token(values: &mut Values) -> String {
    if values.below(PATTERNS.len() + 4) >= PATTERNS.len() {
        return signed(values);
    }
    let pattern = values.one_of(&PATTERNS);
    values.fill(pattern)
}

/// A signed token.
fn signed(values: &mut Values) -> String {
    let part = |text: &str| {
        base64(text.as_bytes())
            .trim_end_matches('=')
            .replace('+', "-")
            .replace('/', "_")
    };
    let payload = format!(
        "{{\"sub\":\"{}\",\"iat\":17{}}}",
        values.uuid(),
        values.fill("{D8}")
    );
    format!(
        "{}.{}.{}",
        part("{\"alg\":\"HS256\",\"typ\":\"JWT\"}"),
        part(&payload),
        values.fill("{W43}")
    )
}

fn yaml(values: &mut Values) -> (String, String) {
    let (name, token) = (values.name(), token(values));
    let text = match values.below(5) {
        0 => format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\ndata:\n  LOG_LEVEL: info\n  UPSTREAM: ⟦{token}⟧\n"
        ),
        1 => format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {name}\nspec:\n  template:\n    spec:\n      containers:\n      - name: app\n        image: example.com/{name}:1.2.3\n        args:\n        - --verbose\n        - ⟦--upstream={token}⟧\n"
        ),
        2 => format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\ndata:\n  app.conf: |\n    level = info\n    upstream = ⟦{token}⟧\n    retries = 3\n"
        ),
        3 => format!("services:\n  {name}: {{image: \"example.com/{name}\", upstream: ⟦'{token}'⟧}}\n"),
        _ => format!(
            "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata:\n  name: {name}\nspec:\n  interval: 5m\n  chartRef:\n    kind: OCIRepository\n    name: {name}\n  values:\n    config:\n      upstream: ⟦\"{token}\"⟧\n"
        ),
    };
    (format!("{name}.yaml"), text)
}

fn json(values: &mut Values) -> (String, String) {
    let (name, token) = (values.name(), token(values));
    let text = match values.below(3) {
        0 => format!("{{\n  \"name\": \"{name}\",\n  \"upstream\": ⟦\"{token}\"⟧,\n  \"retries\": 3\n}}\n"),
        1 => format!("{{\"name\":\"{name}\",\"upstream\":⟦\"{token}\"⟧}}\n"),
        _ => format!(
            "[\n  {{\"id\": 1, \"text\": \"say \\\"hello\\\"\"}},\n  {{\"id\": 2, \"text\": ⟦\"use {token}\"⟧}}\n]\n"
        ),
    };
    (format!("{name}.json"), text)
}

fn variables(values: &mut Values) -> (String, String) {
    let token = token(values);
    let path = values.one_of(&[".env", "prod.env", ".env.production"]);
    (
        path.into(),
        format!("LOG_LEVEL=info\nUPSTREAM=⟦{token}⟧\nREPLICAS=3\n"),
    )
}

fn settings(values: &mut Values) -> (String, String) {
    let token = token(values);
    match values.below(3) {
        0 => (
            "app.ini".into(),
            format!("[main]\nlevel = info\nupstream = ⟦{token}⟧\n"),
        ),
        1 => (
            "app.properties".into(),
            format!("level=info\nupstream=⟦{token}⟧\n"),
        ),
        _ => (
            "app.toml".into(),
            format!("[main]\nlevel = \"info\"\nupstream = ⟦\"{token}\"⟧\n"),
        ),
    }
}

fn script(values: &mut Values) -> (String, String) {
    let token = token(values);
    match values.below(4) {
        0 => (
            "deploy.sh".into(),
            format!("#!/bin/sh\nset -eu\nexport UPSTREAM=⟦{token}⟧\nexec deploy --all\n"),
        ),
        1 => (
            "ci.sh".into(),
            format!("set -e\nhelm upgrade app . --set ⟦upstream={token}⟧\n"),
        ),
        2 => (
            "Dockerfile".into(),
            format!("FROM example.com/base:1\nENV UPSTREAM=⟦{token}⟧\nCMD [\"app\"]\n"),
        ),
        _ => (
            "Makefile".into(),
            format!("deploy:\n\t@call --with ⟦'{token}'⟧ https://example.com/api\n"),
        ),
    }
}

fn page(values: &mut Values) -> (String, String) {
    let token = token(values);
    (
        "README.md".into(),
        format!("# How to deploy\n\nCall it with `⟦{token}⟧`, and wait.\n\n* one\n* two\n"),
    )
}

fn comment(values: &mut Values) -> (String, String) {
    let (name, token) = (values.name(), token(values));
    (
        format!("{name}.yaml"),
        format!(
            "apiVersion: v1\nkind: Service\nmetadata:\n  name: {name}\n  # was ⟦{token}⟧ before\nspec:\n  ports:\n  - port: 80\n"
        ),
    )
}

fn program(values: &mut Values) -> (String, String) {
    let token = token(values);
    match values.below(3) {
        0 => (
            "app.py".into(),
            format!(
                "import client\n\n\ndef call():\n    return client.get(\"https://example.com\", ⟦\"{token}\"⟧)\n"
            ),
        ),
        1 => (
            "app.js".into(),
            format!("const client = require('client');\n\nclient.use(⟦'{token}'⟧);\n"),
        ),
        _ => (
            "main.go".into(),
            format!("package main\n\nfunc main() {{\n\tcall(⟦\"{token}\"⟧)\n}}\n"),
        ),
    }
}

fn terraform(values: &mut Values) -> (String, String) {
    let token = token(values);
    (
        "main.tf".into(),
        format!("provider \"example\" {{\n  region   = \"eu\"\n  upstream = ⟦\"{token}\"⟧\n}}\n"),
    )
}
