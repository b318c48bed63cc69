//! Secrets in plain text, in every disguise that they have in repositories of Flux.

use super::Shape;
use super::values::{Values, base64};

pub(crate) const SHAPES: &[Shape] = &[
    ("Secret, stringData", string_data),
    ("Secret, data", data),
    ("Secret, kind last", kind_last),
    ("Secret in JSON", in_json),
    ("Secret in a list", in_list),
    ("Secret in flow style", in_flow),
    ("Secret with anchors", with_anchors),
    ("Secret of a type", typed),
    ("Secret in an annotation", in_annotation),
    ("Secret in a ConfigMap", in_config_map),
    ("Secret in values", in_values),
    ("Secret in a patch", in_patch),
    ("Secret in a JSON patch", in_json_patch),
    ("Secret in a template", in_template),
    ("Secret of an operator", of_operator),
    ("secretGenerator, literals", generator_literals),
    ("secretGenerator, files", generator_files),
    ("configMapGenerator", config_map_generator),
    ("HelmRelease, values", release_values),
    ("HelmRelease, values", release_values),
    ("HelmRelease, environment", release_environment),
    ("Kustomization, substitute", substitute),
    ("address with a password", address),
    ("address that lets in", hook),
    ("SOPS, edited afterwards", sops_edited),
    ("SOPS, left in plain text", sops_left),
    ("SOPS, nobody can decrypt", sops_alone),
    ("SOPS, only looks encrypted", sops_alike),
    ("SOPS, settings edited", sops_settings),
    ("External Secrets, fake", fake_store),
    ("SealedSecret, template", sealed_template),
    ("private key, file", key_file),
    ("private key in YAML", key_in_yaml),
    ("private key in JSON", key_in_json),
    ("key of age", age_key),
    ("kubeconfig", kubeconfig),
    ("files of tools", tools),
    ("Terraform", terraform),
    ("settings", settings),
    ("ConfigMap, names", config_map),
    ("connection string", connection),
    ("script", script),
    ("script in a ConfigMap", script_in_config_map),
    ("argument", argument),
    ("header", header),
];

fn head(kind: &str, name: &str) -> String {
    format!("apiVersion: v1\nkind: {kind}\nmetadata:\n  name: {name}\n  namespace: apps\n")
}

fn one(name: &str, text: String) -> Vec<(String, String)> {
    vec![(format!("{name}.yaml"), text)]
}

/// A text as YAML may write it.
fn written(values: &mut Values, text: &str) -> String {
    match values.below(3) {
        0 => format!("\"{text}\""),
        1 => format!("'{text}'"),
        _ => text.to_owned(),
    }
}

fn key(values: &mut Values) -> &'static str {
    values.one_of(&[
        "password",
        "username",
        "api-key",
        "connection",
        "config",
        "DB_USER",
        "token",
        "x",
    ])
}

fn string_data(values: &mut Values) -> Vec<(String, String)> {
    let (name, key, other) = (values.name(), key(values), values.password());
    let value = values.password();
    let (value, other) = (written(values, &value), written(values, &other));
    let text = match values.below(3) {
        0 => format!(
            "{}type: Opaque\nstringData:\n  {key}: ⟦{value}⟧\n",
            head("Secret", &name)
        ),
        1 => format!(
            "{}stringData:\n  {key}: ⟦{value}⟧ # of the database\n  second: ⟦{other}⟧\n",
            head("Secret", &name)
        ),
        _ => format!(
            "{}stringData:\n  app.conf: |\n    level = info\n    ⟦user = {value}⟧\n",
            head("Secret", &name)
        )
        .replace("⟦user", "user")
        .replace("app.conf: |", "⟦app.conf: |"),
    };
    one(&name, text)
}

fn data(values: &mut Values) -> Vec<(String, String)> {
    let (name, key) = (values.name(), key(values));
    let length = 6 + values.below(30);
    let (value, other) = (values.base64_of(length), values.base64_of(9));
    let text = match values.below(2) {
        0 => format!(
            "{}data:\n  {key}: ⟦{value}⟧\ntype: Opaque\n",
            head("Secret", &name)
        ),
        _ => format!(
            "{}data:\n  \"{key}\": ⟦\"{value}\"⟧\n  ca.crt: {}\n  second: ⟦{other}⟧\n",
            head("Secret", &name),
            base64(b"-----BEGIN CERTIFICATE-----\nMIIE\n-----END CERTIFICATE-----\n")
        ),
    };
    one(&name, text)
}

fn kind_last(values: &mut Values) -> Vec<(String, String)> {
    let name = values.name();
    let data: Vec<String> = (0..6)
        .map(|number| format!("  key{number}: ⟦{}⟧\n", values.base64_of(20)))
        .collect();
    one(
        &name,
        format!(
            "data:\n{}metadata:\n  name: {name}\nkind: Secret\napiVersion: v1\n",
            data.concat()
        ),
    )
}

fn in_json(values: &mut Values) -> Vec<(String, String)> {
    let (name, value) = (values.name(), values.password());
    let encoded = base64(value.as_bytes());
    let text = match values.below(4) {
        0 => format!(
            "{{\n  \"apiVersion\": \"v1\",\n  \"kind\": \"Secret\",\n  \"metadata\": {{\"name\": \"{name}\"}},\n  \"stringData\": {{\n    \"user\": ⟦\"{value}\"⟧\n  }}\n}}\n"
        ),
        1 => format!(
            "{{\"kind\":\"Secret\",\"apiVersion\":\"v1\",\"metadata\":{{\"name\":\"{name}\"}},\"data\":{{\"user\":⟦\"{encoded}\"⟧}}}}\n"
        ),
        2 => format!(
            "{{\"kind\": \"\\u0053ecret\", \"apiVersion\": \"v1\", \"data\": {{\"user\": ⟦\"{encoded}\"⟧}}}}\n"
        ),
        _ => format!(
            "{{\n\t\"apiVersion\": \"v1\",\n\t\"kind\": \"List\",\n\t\"items\": [\n\t\t{{\"apiVersion\": \"v1\", \"kind\": \"Secret\", \"data\": {{\n\t\t\t\"user\": ⟦\"{encoded}\"⟧\n\t\t}}}}\n\t]\n}}\n"
        ),
    };
    vec![(format!("{name}.json"), text)]
}

fn in_list(values: &mut Values) -> Vec<(String, String)> {
    let (name, value) = (values.name(), values.password());
    one(
        &name,
        format!(
            "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: ConfigMap\n  metadata:\n    name: {name}\n  data:\n    level: info\n- apiVersion: v1\n  kind: Secret\n  metadata:\n    name: {name}\n  stringData:\n    user: ⟦{value}⟧\n"
        ),
    )
}

fn in_flow(values: &mut Values) -> Vec<(String, String)> {
    let (name, value) = (values.name(), values.base64_of(12));
    let text = match values.below(2) {
        0 => format!(
            "{{apiVersion: v1, kind: Secret, metadata: {{name: {name}}}, data: {{user: ⟦{value}⟧}}}}\n"
        ),
        _ => format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{name: {name}}}\ndata: {{\n  user: ⟦{value}⟧\n}}\n"
        ),
    };
    one(&name, text)
}

fn with_anchors(values: &mut Values) -> Vec<(String, String)> {
    let (name, value) = (values.name(), values.password());
    one(
        &name,
        format!(
            "{}stringData:\n  user: ⟦&user {value}⟧\n  again: ⟦*user⟧\n",
            head("Secret", &name)
        ),
    )
}

fn typed(values: &mut Values) -> Vec<(String, String)> {
    let name = values.name();
    let text = match values.below(5) {
        0 => {
            let login = base64(format!("robot:{}", values.password()).as_bytes());
            let config = base64(
                format!("{{\"auths\":{{\"registry.example.com\":{{\"auth\":\"{login}\"}}}}}}").as_bytes(),
            );
            format!(
                "{}type: kubernetes.io/dockerconfigjson\ndata:\n  .dockerconfigjson: ⟦{config}⟧\n",
                head("Secret", &name)
            )
        }
        1 => {
            let key = values.framed("PRIVATE KEY", "");
            format!(
                "{}type: kubernetes.io/tls\ndata:\n  tls.crt: {}\n  tls.key: ⟦{}⟧\n",
                head("Secret", &name),
                base64(b"-----BEGIN CERTIFICATE-----\nMIIE\n-----END CERTIFICATE-----\n"),
                base64(key.as_bytes())
            )
        }
        2 => {
            let key = values.framed("OPENSSH PRIVATE KEY", "    ");
            format!(
                "{}type: kubernetes.io/ssh-auth\nstringData:\n  ssh-privatekey: |\n    ⟦{key}⟧\n",
                head("Secret", &name)
            )
            .replace("ssh-privatekey: |\n    ⟦", "⟦ssh-privatekey: |\n    ")
        }
        3 => format!(
            "{}type: kubernetes.io/basic-auth\nstringData:\n  username: ⟦robot⟧\n  password: ⟦{}⟧\n",
            head("Secret", &name),
            values.password()
        ),
        _ => format!(
            "{}type: bootstrap.kubernetes.io/token\nstringData:\n  token-id: ⟦{}⟧\n  token-secret: ⟦{}⟧\n",
            head("Secret", &name),
            values.fill("{L6}"),
            values.fill("{L16}")
        ),
    };
    one(&name, text)
}

fn in_annotation(values: &mut Values) -> Vec<(String, String)> {
    let (name, value) = (values.name(), values.base64_of(15));
    let kind = values.one_of(&["Secret", "ConfigMap"]);
    one(
        &name,
        format!(
            "apiVersion: v1\nkind: {kind}\nmetadata:\n  name: {name}\n  annotations:\n    kubectl.kubernetes.io/last-applied-configuration: |\n      ⟦{{\"apiVersion\":\"v1\",\"data\":{{\"user\":\"{value}\"}},\"kind\":\"Secret\"}}⟧\n"
        ),
    )
}

fn manifest(values: &mut Values, indent: &str) -> String {
    let (name, value) = (values.name(), values.password());
    format!(
        "{indent}apiVersion: v1\n{indent}kind: Secret\n{indent}metadata:\n{indent}  name: {name}\n{indent}stringData:\n{indent}  user: ⟦{value}⟧\n"
    )
}

fn in_config_map(values: &mut Values) -> Vec<(String, String)> {
    let name = values.name();
    let manifest = manifest(values, "    ");
    one(
        &name,
        format!("{}data:\n  secret.yaml: |\n{manifest}", head("ConfigMap", &name)),
    )
}

fn release(name: &str) -> String {
    format!(
        "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata:\n  name: {name}\n  namespace: apps\nspec:\n  interval: 5m\n  chartRef:\n    kind: OCIRepository\n    name: {name}\n"
    )
}

fn in_values(values: &mut Values) -> Vec<(String, String)> {
    let name = values.name();
    let text = if values.below(2) == 0 {
        let manifest = manifest(values, "      ").replacen("      api", "    - api", 1);
        format!("{}  values:\n    extraObjects:\n{manifest}", release(&name))
    } else {
        let manifest = manifest(values, "        ");
        format!(
            "{}  values:\n    extraObjects:\n    - |\n{manifest}",
            release(&name)
        )
        .replace("    - |\n        ", "    - |\n        ")
    };
    one(&name, text)
}

fn in_patch(values: &mut Values) -> Vec<(String, String)> {
    let name = values.name();
    let manifest = manifest(values, "      ");
    one(
        &name,
        format!(
            "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata:\n  name: {name}\nspec:\n  interval: 10m\n  path: ./apps\n  prune: true\n  sourceRef:\n    kind: GitRepository\n    name: apps\n  patches:\n  - patch: |\n{manifest}"
        ),
    )
}

fn in_json_patch(values: &mut Values) -> Vec<(String, String)> {
    let (name, value) = (values.name(), values.password());
    one(
        &name,
        format!(
            "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata:\n  name: {name}\nspec:\n  interval: 10m\n  prune: true\n  sourceRef:\n    kind: GitRepository\n    name: apps\n  patches:\n  - target:\n      kind: Secret\n      name: db\n    patch: |\n      - op: add\n        path: /stringData/user\n        value: ⟦{value}⟧\n"
        ),
    )
}

fn in_template(values: &mut Values) -> Vec<(String, String)> {
    let value = values.password();
    let text = format!(
        "{{{{- if .Values.enabled }}}}\napiVersion: v1\nkind: Secret\nmetadata:\n  name: {{{{ include \"app.fullname\" . }}}}\n  labels:\n    {{{{- include \"app.labels\" . | nindent 4 }}}}\nstringData:\n  user: ⟦{value}⟧\n  other: {{{{ .Values.other | quote }}}}\n{{{{- end }}}}\n"
    );
    vec![
        ("chart/templates/secret.yaml".into(), text),
        (
            "chart/Chart.yaml".into(),
            "apiVersion: v2\nname: app\nversion: 1.0.0\n".into(),
        ),
    ]
}

fn of_operator(values: &mut Values) -> Vec<(String, String)> {
    let (name, value) = (values.name(), values.password());
    one(
        &name,
        format!(
            "apiVersion: isindir.github.com/v1alpha3\nkind: SopsSecret\nmetadata:\n  name: {name}\nspec:\n  secretTemplates:\n  - name: db\n    stringData:\n      user: ⟦{value}⟧\n"
        ),
    )
}

fn generator_literals(values: &mut Values) -> Vec<(String, String)> {
    let (value, other) = (values.password(), values.password());
    vec![(
        "kustomization.yaml".into(),
        format!(
            "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n- app.yaml\nsecretGenerator:\n- name: db\n  literals:\n  - ⟦user={value}⟧\n  - ⟦\"password={other}\"⟧\n"
        ),
    )]
}

fn generator_files(values: &mut Values) -> Vec<(String, String)> {
    let value = values.password();
    let generator = |how: &str| {
        format!(
            "kind: Kustomization\napiVersion: kustomize.config.k8s.io/v1beta1\nsecretGenerator:\n- name: db\n  {how}\n"
        )
    };
    match values.below(2) {
        0 => vec![
            ("kustomization.yaml".into(), generator("envs: [db.env]")),
            ("db.env".into(), format!("⟦USER={value}⟧\n")),
        ],
        _ => vec![
            ("kustomization.yaml".into(), generator("files: [user=user.txt]")),
            ("user.txt".into(), format!("⟦{value}⟧\n")),
        ],
    }
}

fn config_map_generator(values: &mut Values) -> Vec<(String, String)> {
    let value = values.password();
    vec![(
        "kustomization.yaml".into(),
        format!(
            "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nconfigMapGenerator:\n- name: app\n  literals:\n  - LOG_LEVEL=info\n  - ⟦DB_PASSWORD={value}⟧\n"
        ),
    )]
}

fn release_values(values: &mut Values) -> Vec<(String, String)> {
    let (name, value, token) = (values.name(), values.password(), values.token());
    let written = written(values, &value);
    let fields = match values.below(6) {
        0 => format!("    auth:\n      username: app\n      password: ⟦{written}⟧\n"),
        1 => format!("    grafana:\n      adminPassword: ⟦{written}⟧\n      replicas: 2\n"),
        2 => format!("    api_key: ⟦{token}⟧\n"),
        3 => format!("    clientSecret: ⟦\"{token}\"⟧\n    existingSecret: oauth\n"),
        4 => format!(
            "    s3:\n      accessKeyId: {}\n      secretAccessKey: ⟦{}⟧\n",
            values.fill("{U20}"),
            values.fill("{S40}")
        ),
        _ => format!("    users:\n    - {{name: admin, password: ⟦{written}⟧}}\n"),
    };
    one(&name, format!("{}  values:\n{fields}", release(&name)))
}

fn release_environment(values: &mut Values) -> Vec<(String, String)> {
    let (name, value) = (values.name(), values.password());
    let variable = values.one_of(&["DB_PASSWORD", "SMTP_PASS", "REDIS_PASSWORD"]);
    let text = match values.below(2) {
        0 => format!(
            "{}  values:\n    env:\n    - name: LOG_LEVEL\n      value: info\n    - name: {variable}\n      value: ⟦{value}⟧\n",
            release(&name)
        ),
        _ => format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {name}\nspec:\n  template:\n    spec:\n      containers:\n      - name: app\n        image: example.com/app:1\n        env:\n        - value: ⟦\"{value}\"⟧\n          name: {variable}\n"
        ),
    };
    one(&name, text)
}

fn substitute(values: &mut Values) -> Vec<(String, String)> {
    let (name, value) = (values.name(), values.password());
    one(
        &name,
        format!(
            "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata:\n  name: {name}\nspec:\n  interval: 10m\n  path: ./apps\n  prune: true\n  sourceRef:\n    kind: GitRepository\n    name: apps\n  postBuild:\n    substitute:\n      cluster: prod\n      db_password: ⟦{value}⟧\n"
        ),
    )
}

fn address(values: &mut Values) -> Vec<(String, String)> {
    let (name, value) = (values.name(), values.fill("{A16}"));
    let text = match values.below(4) {
        0 => format!(
            "apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\nmetadata:\n  name: {name}\nspec:\n  interval: 5m\n  url: ⟦https://robot:{value}@git.example.com/team/app⟧\n"
        ),
        1 => format!(
            "{}data:\n  DATABASE_URL: ⟦postgres://app:{value}@db.apps:5432/app?sslmode=require⟧\n",
            head("ConfigMap", &name)
        ),
        2 => format!(
            "{}data:\n  app.conf: |\n    level = info\n    broker = ⟦amqp://app:{value}@mq:5672/⟧\n",
            head("ConfigMap", &name)
        ),
        _ => format!(
            "{}  values:\n    redis: ⟦redis://default:{value}@redis:6379/0⟧\n",
            release(&name)
        ),
    };
    one(&name, text)
}

fn hook(values: &mut Values) -> Vec<(String, String)> {
    let name = values.name();
    let address = match values.below(4) {
        0 => values.fill("https://hooks.slack.com/services/T{U10}/B{U10}/{A24}"),
        1 => values.fill("https://discord.com/api/webhooks/{D18}/{A68}"),
        2 => format!(
            "https://example.webhook.office.com/webhookb2/{}@{}/IncomingWebhook/{}/{}",
            values.uuid(),
            values.uuid(),
            values.hex(32),
            values.uuid()
        ),
        _ => values.fill("https://alerts.example.com/hook?token={A32}"),
    };
    one(
        &name,
        format!(
            "apiVersion: notification.toolkit.fluxcd.io/v1beta3\nkind: Provider\nmetadata:\n  name: {name}\nspec:\n  type: generic\n  address: ⟦{address}⟧\n"
        ),
    )
}

const SELECTOR: &str = "  encrypted_regex: ^(data|stringData)$\n";

fn sops_edited(values: &mut Values) -> Vec<(String, String)> {
    let (name, value) = (values.name(), values.password());
    let encrypted = values.encrypted();
    let text = if values.below(2) == 0 {
        format!(
            "{}stringData:\n  user: {encrypted}\n  second: ⟦{value}⟧\n{}",
            head("Secret", &name),
            values.sops(SELECTOR)
        )
    } else {
        format!("db:\n  user: {encrypted}\n  host: ⟦{value}⟧\n{}", values.sops(""))
    };
    one(&name, text)
}

fn sops_left(values: &mut Values) -> Vec<(String, String)> {
    let (name, value) = (values.name(), values.password());
    let encrypted = values.encrypted();
    one(
        &name,
        format!(
            "{}data:\n  user: {encrypted}\nstringData:\n  second: ⟦{value}⟧\n{}",
            head("Secret", &name),
            values.sops("  encrypted_regex: ^data$\n")
        ),
    )
}

fn sops_alone(values: &mut Values) -> Vec<(String, String)> {
    let name = values.name();
    let encrypted = values.encrypted();
    one(
        &name,
        format!(
            "{}stringData:\n  user: {encrypted}\n⟦sops:\n  lastmodified: \"2026-04-01T10:00:00Z\"\n  version: 3.13.2\n  encrypted_regex: ^(data|stringData)$⟧\n",
            head("Secret", &name)
        ),
    )
}

fn sops_alike(values: &mut Values) -> Vec<(String, String)> {
    let (name, value) = (values.name(), values.password());
    one(
        &name,
        format!(
            "{}stringData:\n  user: ⟦ENC[AES256_GCM,data:{value}]⟧\n{}",
            head("Secret", &name),
            values.sops(SELECTOR)
        ),
    )
}

fn sops_settings(values: &mut Values) -> Vec<(String, String)> {
    let (value, encrypted, code, recipient) = (
        values.password(),
        values.encrypted(),
        values.encrypted(),
        values.recipient(),
    );
    match values.below(2) {
        0 => vec![(
            "db.env".into(),
            format!(
                "USER={encrypted}\nHOST=⟦{value}⟧\nsops_age__list_0__map_recipient={recipient}\nsops_lastmodified=2026-04-01T10:00:00Z\nsops_mac={code}\nsops_version=3.13.2\n"
            ),
        )],
        _ => vec![(
            "db.ini".into(),
            format!(
                "[db]\nuser = {encrypted}\nhost = ⟦{value}⟧\n\n[sops]\nage__list_0__map_recipient = {recipient}\nlastmodified = 2026-04-01T10:00:00Z\nmac = {code}\nversion = 3.13.2\n"
            ),
        )],
    }
}

fn fake_store(values: &mut Values) -> Vec<(String, String)> {
    let (name, value) = (values.name(), values.password());
    let text = match values.below(2) {
        0 => format!(
            "apiVersion: external-secrets.io/v1\nkind: ClusterSecretStore\nmetadata:\n  name: {name}\nspec:\n  provider:\n    fake:\n      data:\n      - key: /db\n        value: ⟦{value}⟧\n"
        ),
        _ => format!(
            "apiVersion: generators.external-secrets.io/v1alpha1\nkind: Fake\nmetadata:\n  name: {name}\nspec:\n  data:\n    user: ⟦{value}⟧\n"
        ),
    };
    one(&name, text)
}

fn sealed_template(values: &mut Values) -> Vec<(String, String)> {
    let (name, value) = (values.name(), values.password());
    one(
        &name,
        format!(
            "apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nmetadata:\n  name: {name}\nspec:\n  encryptedData:\n    user: Ag{}\n  template:\n    data:\n      password: ⟦{value}⟧\n",
            values.fill("{S300}")
        ),
    )
}

const LABELS: [&str; 5] = [
    "PRIVATE KEY",
    "RSA PRIVATE KEY",
    "EC PRIVATE KEY",
    "OPENSSH PRIVATE KEY",
    "ENCRYPTED PRIVATE KEY",
];

fn key_file(values: &mut Values) -> Vec<(String, String)> {
    let label = values.one_of(&LABELS);
    let path = values.one_of(&["id_ed25519", "tls.key", "deploy.pem"]);
    let key = values.framed(label, "");
    vec![(path.into(), format!("⟦{key}⟧\n"))]
}

fn key_in_yaml(values: &mut Values) -> Vec<(String, String)> {
    let name = values.name();
    let label = values.one_of(&LABELS);
    let key = values.framed(label, "    ");
    let text = match values.below(2) {
        0 => format!("{}data:\n  tls.key: |\n    ⟦{key}⟧\n", head("ConfigMap", &name)),
        _ => format!(
            "{}  values:\n    tls: ⟦\"{}\"⟧\n",
            release(&name),
            key.replace("\n    ", "\\n")
        ),
    };
    one(&name, text)
}

fn key_in_json(values: &mut Values) -> Vec<(String, String)> {
    let key = values.framed("PRIVATE KEY", "").replace('\n', "\\n");
    let id = values.hex(40);
    vec![(
        "account.json".into(),
        format!(
            "{{\n  \"type\": \"service_account\",\n  \"project_id\": \"apps\",\n  \"private_key_id\": \"{id}\",\n  \"private_key\": ⟦\"{key}\\n\"⟧,\n  \"client_email\": \"robot@apps.iam.gserviceaccount.com\"\n}}\n"
        ),
    )]
}

fn age_key(values: &mut Values) -> Vec<(String, String)> {
    let recipient = values.recipient();
    let key = match values.below(3) {
        0 => values.fill("AGE-SECRET-KEY-PQ-1{Q90}"),
        1 => values.fill("AGE-PLUGIN-YUBIKEY-1{Q58}"),
        _ => values.fill("AGE-SECRET-KEY-1{Q58}"),
    };
    vec![(
        "age.agekey".into(),
        format!("# created: 2026-04-01T10:00:00Z\n# public key: {recipient}\n⟦{key}⟧\n"),
    )]
}

fn kubeconfig(values: &mut Values) -> Vec<(String, String)> {
    let (token, key) = (values.token(), values.framed("RSA PRIVATE KEY", ""));
    let user = match values.below(2) {
        0 => format!("    token: ⟦{token}⟧\n"),
        _ => format!("    client-key-data: ⟦{}⟧\n", base64(key.as_bytes())),
    };
    one(
        "kubeconfig",
        format!(
            "apiVersion: v1\nkind: Config\nclusters:\n- name: prod\n  cluster:\n    server: https://10.0.0.1:6443\nusers:\n- name: admin\n  user:\n{user}"
        ),
    )
}

fn tools(values: &mut Values) -> Vec<(String, String)> {
    let (value, token) = (values.fill("{A16}"), values.token());
    match values.below(5) {
        0 => vec![(
            ".npmrc".into(),
            format!("registry=https://npm.example.com/\n⟦//npm.example.com/:_authToken={token}⟧\n"),
        )],
        1 => vec![(
            ".netrc".into(),
            format!("⟦machine git.example.com login robot password {value}⟧\n"),
        )],
        2 => vec![(
            ".git-credentials".into(),
            format!("⟦https://robot:{value}@git.example.com⟧\n"),
        )],
        3 => {
            let login = base64(format!("robot:{value}").as_bytes());
            vec![(
                "config.json".into(),
                format!(
                    "{{\n  \"auths\": {{\n    \"registry.example.com\": {{\n      \"auth\": ⟦\"{login}\"⟧\n    }}\n  }}\n}}\n"
                ),
            )]
        }
        _ => vec![(
            "credentials".into(),
            format!(
                "[default]\naws_access_key_id = ⟦{}⟧\naws_secret_access_key = ⟦{}⟧\n",
                values.fill("AKIA{B16}"),
                values.fill("{S40}")
            ),
        )],
    }
}

fn terraform(values: &mut Values) -> Vec<(String, String)> {
    let value = values.password();
    match values.below(3) {
        0 => vec![(
            "terraform.tfstate".into(),
            format!(
                "{{\n  \"version\": 4,\n  \"resources\": [{{\"type\": \"db\", \"instances\": [{{\"attributes\": {{\n    \"username\": \"app\",\n    \"password\": ⟦\"{value}\"⟧\n  }}}}]}}]\n}}\n"
            ),
        )],
        1 => vec![(
            "prod.tfvars".into(),
            format!("region = \"eu\"\ndb_password = ⟦\"{value}\"⟧\n"),
        )],
        _ => vec![(
            "main.tf".into(),
            format!("resource \"db\" \"main\" {{\n  username = \"app\"\n  password = ⟦\"{value}\"⟧\n}}\n"),
        )],
    }
}

fn settings(values: &mut Values) -> Vec<(String, String)> {
    let (value, token) = (values.password(), values.token());
    match values.below(5) {
        0 => vec![(
            ".env".into(),
            format!("LOG_LEVEL=info\nDB_PASSWORD=⟦{value}⟧\nAPI_TOKEN=⟦\"{token}\"⟧\n"),
        )],
        1 => vec![(
            "app.ini".into(),
            format!("[db]\nuser = app\npassword = ⟦{value}⟧\n"),
        )],
        2 => vec![(
            "application.properties".into(),
            format!("spring.datasource.username=app\nspring.datasource.password=⟦{value}⟧\n"),
        )],
        3 => vec![(
            "config.toml".into(),
            format!("[auth]\nclient_secret = ⟦\"{token}\"⟧\n"),
        )],
        _ => vec![(
            "application.yaml".into(),
            format!("spring:\n  datasource:\n    username: app\n    password: ⟦{value}⟧\n"),
        )],
    }
}

fn config_map(values: &mut Values) -> Vec<(String, String)> {
    let (name, value, token) = (values.name(), values.password(), values.token());
    let text = match values.below(3) {
        0 => format!("{}data:\n  LOG_LEVEL: info\n  DB_PASSWORD: ⟦{value}⟧\n", head("ConfigMap", &name)),
        1 => format!("{}data:\n  app.yaml: |\n    server:\n      port: 8080\n    auth:\n      token: ⟦{token}⟧\n", head("ConfigMap", &name)),
        _ => format!("{}data:\n  app.json: |\n    {{\n      \"auth\": {{\"user\": \"app\", \"password\": ⟦\"{value}\"⟧}}\n    }}\n", head("ConfigMap", &name)).replace("app.json: |", "⟦app.json: |").replace("\"password\": ⟦", "\"password\": "),
    };
    one(&name, text)
}

fn connection(values: &mut Values) -> Vec<(String, String)> {
    let (name, value) = (values.name(), values.fill("{A18}"));
    let text = match values.below(4) {
        0 => format!("Server=db.example.com;Database=app;User Id=app;Password={value};"),
        1 => format!("Password={value};Server=db.example.com;Database=app;User Id=app"),
        2 => values.fill("DefaultEndpointsProtocol=https;AccountName=apps;AccountKey={S86}==;EndpointSuffix=core.windows.net"),
        _ => values.fill("Endpoint=sb://apps.servicebus.windows.net/;SharedAccessKeyName=root;SharedAccessKey={S43}="),
    };
    one(
        &name,
        format!("{}data:\n  connection: ⟦{text}⟧\n", head("ConfigMap", &name)),
    )
}

fn script(values: &mut Values) -> Vec<(String, String)> {
    let (value, token) = (values.password(), values.token());
    match values.below(5) {
        0 => vec![(
            "deploy.sh".into(),
            format!("#!/bin/sh\nset -eu\nexport DB_PASSWORD=⟦'{value}'⟧\nexec app\n"),
        )],
        1 => vec![(
            "deploy.sh".into(),
            format!(
                "#!/bin/sh\nAPI_TOKEN=⟦\"{token}\"⟧\ncurl -H \"X-Token: $API_TOKEN\" https://example.com\n"
            ),
        )],
        2 => vec![(
            "Dockerfile".into(),
            format!("FROM example.com/base:1\nENV ⟦DB_PASSWORD={value}⟧\n"),
        )],
        3 => vec![(
            "README.md".into(),
            format!(
                "Call `curl -u ⟦robot:{}⟧ https://example.com/api`.\n",
                values.fill("{A14}")
            ),
        )],
        _ => vec![(
            "ci.yaml".into(),
            format!(
                "jobs:\n  deploy:\n    steps:\n    - run: |\n        curl --user ⟦robot:{}⟧ https://example.com/api\n",
                values.fill("{A14}")
            ),
        )],
    }
}

fn script_in_config_map(values: &mut Values) -> Vec<(String, String)> {
    let (name, value) = (values.name(), values.password());
    let line = match values.below(2) {
        0 => format!("export DB_PASSWORD=⟦'{value}'⟧"),
        _ => format!("DB_PASSWORD=⟦{value}⟧"),
    };
    one(
        &name,
        format!(
            "{}data:\n  deploy.sh: |\n    #!/bin/sh\n    set -eu\n    {line}\n    exec app\n",
            head("ConfigMap", &name)
        ),
    )
}

fn argument(values: &mut Values) -> Vec<(String, String)> {
    let (name, value) = (values.name(), values.password());
    one(
        &name,
        format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {name}\nspec:\n  template:\n    spec:\n      containers:\n      - name: app\n        image: example.com/app:1\n        args:\n        - --user=app\n        - ⟦--db-password={value}⟧\n"
        ),
    )
}

fn header(values: &mut Values) -> Vec<(String, String)> {
    let (name, token) = (values.name(), values.token());
    match values.below(3) {
        0 => vec![(
            "call.sh".into(),
            format!("curl -H \"⟦Authorization: Bearer {token}⟧\" https://example.com/api\n"),
        )],
        1 => one(
            &name,
            format!(
                "{}data:\n  nginx.conf: |\n    proxy_set_header ⟦Authorization \"Bearer {token}\"⟧;\n",
                head("ConfigMap", &name)
            ),
        ),
        _ => one(
            &name,
            format!(
                "apiVersion: notification.toolkit.fluxcd.io/v1beta3\nkind: Provider\nmetadata:\n  name: {name}\nspec:\n  type: generic\n  headers:\n    ⟦Authorization: \"Bearer {token}\"⟧\n"
            ),
        ),
    }
}
