//! What only looks like a secret: nothing of it is one.

use super::Shape;
use super::values::{Values, base64};

pub(crate) const SHAPES: &[Shape] = &[
    ("SOPS: Secret", sops_secret),
    ("SOPS: values", sops_values),
    ("SOPS: settings", sops_settings),
    ("SOPS: envelope", sops_envelope),
    ("SealedSecret", sealed),
    ("ExternalSecret", external),
    ("store of secrets", store),
    ("reference to a vault", vault),
    ("placeholders in a Secret", placeholders),
    ("placeholders in base64", placeholders_in_base64),
    ("public parts of a Secret", public_parts),
    ("Secret without data", without_data),
    ("Secret of another group", other_group),
    ("certificate", certificate),
    ("public keys", public_keys),
    ("references", references),
    ("HelmRelease, references", release),
    ("variables from Secrets", environment),
    ("CustomResourceDefinition", schema),
    ("schema in JSON", json_schema),
    ("checksums", checksums),
    ("lock file", lock_file),
    ("digests of images", images),
    ("identifiers", identifiers),
    ("known examples", examples),
    ("page", page),
    ("template of a chart", template),
    ("defaults without values", defaults),
    ("hashed passwords", hashed),
    ("dashboard", dashboard),
    ("script that reads secrets", script),
    ("Terraform with references", terraform),
    ("code of a program", program),
    ("addresses without passwords", addresses),
    ("generator of encrypted files", generator),
    ("rules of SOPS", rules),
    ("workflow", workflow),
    ("arguments with references", arguments),
];

fn one(name: &str, text: String) -> Vec<(String, String)> {
    vec![(format!("{name}.yaml"), text)]
}

fn head(kind: &str, name: &str) -> String {
    format!("apiVersion: v1\nkind: {kind}\nmetadata:\n  name: {name}\n  namespace: apps\n")
}

fn sops_secret(values: &mut Values) -> Vec<(String, String)> {
    let name = values.name();
    let list = values.one_of(&["data", "stringData"]);
    let (user, password) = (values.encrypted(), values.encrypted());
    one(
        &name,
        format!(
            "{}type: Opaque\n{list}:\n  username: {user}\n  password: {password}\n{}",
            head("Secret", &name),
            values.sops("  encrypted_regex: ^(data|stringData)$\n")
        ),
    )
}

fn sops_values(values: &mut Values) -> Vec<(String, String)> {
    let name = values.name();
    let (host, password, key) = (values.encrypted(), values.encrypted(), values.encrypted());
    one(
        &name,
        format!(
            "db:\n  host: {host}\n  password: {password}\napi_key: {key}\n{}",
            values.sops("")
        ),
    )
}

fn sops_settings(values: &mut Values) -> Vec<(String, String)> {
    let (password, code, recipient) = (values.encrypted(), values.encrypted(), values.recipient());
    match values.below(2) {
        0 => vec![(
            "db.env".into(),
            format!(
                "DB_PASSWORD={password}\nsops_age__list_0__map_recipient={recipient}\nsops_lastmodified=2026-04-01T10:00:00Z\nsops_mac={code}\nsops_version=3.13.2\n"
            ),
        )],
        _ => vec![(
            "db.ini".into(),
            format!(
                "[db]\npassword = {password}\n\n[sops]\nage__list_0__map_recipient = {recipient}\nlastmodified = 2026-04-01T10:00:00Z\nmac = {code}\nversion = 3.13.2\n"
            ),
        )],
    }
}

fn sops_envelope(values: &mut Values) -> Vec<(String, String)> {
    let (data, code, recipient) = (values.encrypted(), values.encrypted(), values.recipient());
    let text = format!(
        "{{\n\t\"data\": \"{data}\",\n\t\"sops\": {{\n\t\t\"age\": [{{\"recipient\": \"{recipient}\", \"enc\": \"x\"}}],\n\t\t\"lastmodified\": \"2026-04-01T10:00:00Z\",\n\t\t\"mac\": \"{code}\",\n\t\t\"version\": \"3.13.2\"\n\t}}\n}}\n"
    );
    vec![(
        values.one_of(&["tls.key", "id_ed25519", "secret.json"]).into(),
        text,
    )]
}

fn sealed(values: &mut Values) -> Vec<(String, String)> {
    let name = values.name();
    let (user, password) = (values.fill("Ag{S400}"), values.fill("Ag{S400}"));
    one(
        &name,
        format!(
            "apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nmetadata:\n  name: {name}\nspec:\n  encryptedData:\n    username: {user}\n    password: {password}\n  template:\n    metadata:\n      name: {name}\n    type: Opaque\n"
        ),
    )
}

fn external(values: &mut Values) -> Vec<(String, String)> {
    let name = values.name();
    one(
        &name,
        format!(
            "apiVersion: external-secrets.io/v1\nkind: ExternalSecret\nmetadata:\n  name: {name}\nspec:\n  refreshInterval: 1h\n  secretStoreRef:\n    kind: ClusterSecretStore\n    name: vault\n  target:\n    name: {name}-secret\n    template:\n      data:\n        DATABASE_URL: \"postgres://app:{{{{ .password }}}}@db/app\"\n        ADMIN_TOKEN: \"{{{{ .token }}}}\"\n  data:\n  - secretKey: password\n    remoteRef:\n      key: apps/{name}\n      property: DB_PASSWORD\n  - secretKey: token\n    remoteRef:\n      key: apps/{name}\n      property: API_TOKEN\n"
        ),
    )
}

fn store(values: &mut Values) -> Vec<(String, String)> {
    let name = values.name();
    let text = match values.below(3) {
        0 => format!(
            "apiVersion: external-secrets.io/v1\nkind: ClusterSecretStore\nmetadata:\n  name: {name}\nspec:\n  provider:\n    vault:\n      server: https://vault.example.com\n      path: secret\n      auth:\n        kubernetes:\n          mountPath: kubernetes\n          role: {name}\n"
        ),
        1 => format!(
            "apiVersion: secrets-store.csi.x-k8s.io/v1\nkind: SecretProviderClass\nmetadata:\n  name: {name}\nspec:\n  provider: azure\n  secretObjects:\n  - secretName: {name}-secret\n    type: Opaque\n    data:\n    - key: password\n      objectName: db-password\n  parameters:\n    keyvaultName: apps\n    tenantId: {}\n",
            values.uuid()
        ),
        _ => format!(
            "apiVersion: onepassword.com/v1\nkind: OnePasswordItem\nmetadata:\n  name: {name}\nspec:\n  itemPath: vaults/apps/items/{name}\n"
        ),
    };
    one(&name, text)
}

fn vault(values: &mut Values) -> Vec<(String, String)> {
    let name = values.name();
    let value = values.one_of(&[
        "<path:secret/data/apps/db#password>",
        "ref+vault://apps/db#/password",
        "vault:secret/data/apps/db#password",
        "op://apps/db/password",
    ]);
    one(
        &name,
        format!("{}stringData:\n  password: {value}\n", head("Secret", &name)),
    )
}

fn placeholders(values: &mut Values) -> Vec<(String, String)> {
    let name = values.name();
    let value = values.one_of(&[
        "${DB_PASSWORD}",
        "\"${DB_PASSWORD:=}\"",
        "CHANGEME",
        "changeme",
        "\"<password>\"",
        "\"\"",
        "REDACTED",
        "\"{{ .Values.password }}\"",
        "$(DB_PASSWORD)",
        "xxxxxxxx",
        "\"********\"",
        "your-password-here",
    ]);
    one(
        &name,
        format!("{}stringData:\n  password: {value}\n", head("Secret", &name)),
    )
}

fn placeholders_in_base64(values: &mut Values) -> Vec<(String, String)> {
    let name = values.name();
    let value = values.one_of(&[
        "${DB_PASSWORD}",
        "changeme",
        "<your password>",
        "xxxxxxxx",
        "placeholder",
    ]);
    one(
        &name,
        format!(
            "{}data:\n  password: {}\n",
            head("Secret", &name),
            base64(value.as_bytes())
        ),
    )
}

fn public_parts(values: &mut Values) -> Vec<(String, String)> {
    let name = values.name();
    let certificate = base64(values.framed("CERTIFICATE", "").as_bytes());
    let hosts = base64(
        format!(
            "git.example.com ssh-ed25519 {}",
            values.fill("AAAAC3NzaC1lZDI1NTE5AAAAI{S43}")
        )
        .as_bytes(),
    );
    one(
        &name,
        format!(
            "{}data:\n  ca.crt: {certificate}\n  known_hosts: {hosts}\n",
            head("Secret", &name)
        ),
    )
}

fn without_data(values: &mut Values) -> Vec<(String, String)> {
    let name = values.name();
    let rest = values.one_of(&[
        "type: kubernetes.io/service-account-token\n",
        "$patch: delete\n",
        "data: {}\n",
        "stringData:\n  password:\n",
    ]);
    one(&name, format!("{}{rest}", head("Secret", &name)))
}

fn other_group(values: &mut Values) -> Vec<(String, String)> {
    let name = values.name();
    one(
        &name,
        format!(
            "apiVersion: secretsmanager.aws.crossplane.io/v1beta1\nkind: Secret\nmetadata:\n  name: {name}\nspec:\n  forProvider:\n    region: eu-west-1\n    stringSecretRef:\n      name: {name}\n      namespace: apps\n      key: password\n"
        ),
    )
}

fn certificate(values: &mut Values) -> Vec<(String, String)> {
    let name = values.name();
    let certificate = values.framed("CERTIFICATE", "    ");
    match values.below(2) {
        0 => one(
            &name,
            format!(
                "{}data:\n  ca.crt: |\n    {certificate}\n",
                head("ConfigMap", &name)
            ),
        ),
        _ => vec![("ca.pem".into(), format!("{}\n", certificate.replace("    ", "")))],
    }
}

fn public_keys(values: &mut Values) -> Vec<(String, String)> {
    let name = values.name();
    match values.below(4) {
        0 => one(
            &name,
            format!(
                "recipients:\n- {}\n- {}\n",
                values.recipient(),
                values.recipient()
            ),
        ),
        1 => vec![(
            "id_ed25519.pub".into(),
            format!(
                "ssh-ed25519 {} robot@example.com\n",
                values.fill("AAAAC3NzaC1lZDI1NTE5AAAAI{S43}")
            ),
        )],
        2 => vec![(
            "cosign.pub".into(),
            format!("{}\n", values.framed("PUBLIC KEY", "")),
        )],
        _ => one(
            &name,
            format!(
                "{}data:\n  publicKey: |\n    {}\n",
                head("ConfigMap", &name),
                values.framed("PUBLIC KEY", "    ")
            ),
        ),
    }
}

fn references(values: &mut Values) -> Vec<(String, String)> {
    let name = values.name();
    one(
        &name,
        format!(
            "apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: {name}\nimagePullSecrets:\n- name: registry-credentials\nsecrets:\n- name: {name}-token\nautomountServiceAccountToken: false\n---\napiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\nmetadata:\n  name: {name}\nspec:\n  interval: 5m\n  url: ssh://git@git.example.com/team/{name}\n  secretRef:\n    name: {name}-deploy-key\n"
        ),
    )
}

fn release(values: &mut Values) -> Vec<(String, String)> {
    let name = values.name();
    one(
        &name,
        format!(
            "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata:\n  name: {name}\nspec:\n  interval: 5m\n  chartRef:\n    kind: OCIRepository\n    name: {name}\n  valuesFrom:\n  - kind: Secret\n    name: {name}-values\n    valuesKey: adminPassword\n  values:\n    auth:\n      existingSecret: {name}-auth\n      secretKeys:\n        adminPasswordKey: postgres-password\n        userPasswordKey: password\n    tls:\n      secretName: {name}-tls\n    tokenExpiration: 3600\n    passwordFile: /etc/secrets/password\n    clusterSecret: ${{CLUSTER_SECRET}}\n    admin:\n      passwordKey: admin-password\n"
        ),
    )
}

fn environment(values: &mut Values) -> Vec<(String, String)> {
    let name = values.name();
    one(
        &name,
        format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {name}\nspec:\n  template:\n    spec:\n      containers:\n      - name: app\n        image: example.com/{name}:1.2.3\n        env:\n        - name: LOG_LEVEL\n          value: info\n        - name: DB_PASSWORD\n          valueFrom:\n            secretKeyRef:\n              name: {name}-db\n              key: password\n        - name: TOKEN_FILE\n          value: /var/run/secrets/token\n        - name: API_KEY\n          value: $(UPSTREAM_API_KEY)\n        envFrom:\n        - secretRef:\n            name: {name}-env\n      volumes:\n      - name: secrets\n        secret:\n          secretName: {name}-files\n"
        ),
    )
}

fn schema(values: &mut Values) -> Vec<(String, String)> {
    let name = values.name();
    one(
        &name,
        format!(
            "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata:\n  name: {name}.example.com\nspec:\n  group: example.com\n  versions:\n  - name: v1\n    schema:\n      openAPIV3Schema:\n        properties:\n          password:\n            description: 'The password of the account, such as Pa55w0rd-1234'\n            type: string\n            default: s3cr3t-default\n          token:\n            description: A token.\n            type: string\n"
        ),
    )
}

fn json_schema(values: &mut Values) -> Vec<(String, String)> {
    let name = values.name();
    vec![(
        "values.schema.json".into(),
        format!(
            "{{\n  \"$schema\": \"http://json-schema.org/draft-07/schema#\",\n  \"title\": \"{name}\",\n  \"properties\": {{\n    \"password\": {{\"type\": \"string\", \"description\": \"The password \\\"of\\\" the account\"}},\n    \"apiKey\": {{\"type\": \"string\", \"minLength\": 12}},\n    \"token\": {{\"$ref\": \"#/definitions/token\"}}\n  }}\n}}\n"
        ),
    )]
}

fn checksums(values: &mut Values) -> Vec<(String, String)> {
    let name = values.name();
    let (one_of, other, third) = (values.hex(64), values.hex(64), values.hex(40));
    match values.below(2) {
        0 => one(
            &name,
            format!(
                "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {name}\n  annotations:\n    checksum/config: {one_of}\n    checksum/secret: {other}\n    commit: {third}\nspec:\n  replicas: 2\n"
            ),
        ),
        _ => vec![(
            "SHA256SUMS".into(),
            format!("{one_of}  app-linux-amd64\n{other}  app-linux-arm64\n"),
        )],
    }
}

fn lock_file(values: &mut Values) -> Vec<(String, String)> {
    match values.below(3) {
        0 => vec![(
            "package-lock.json".into(),
            format!(
                "{{\n  \"packages\": {{\n    \"node_modules/tokenizer\": {{\n      \"version\": \"1.2.3\",\n      \"resolved\": \"https://registry.example.com/tokenizer/-/tokenizer-1.2.3.tgz\",\n      \"integrity\": \"sha512-{}==\"\n    }}\n  }}\n}}\n",
                values.fill("{S86}")
            ),
        )],
        1 => vec![(
            "go.sum".into(),
            format!(
                "github.com/example/secrets v1.2.3 h1:{}=\ngithub.com/example/secrets v1.2.3/go.mod h1:{}=\n",
                values.fill("{S43}"),
                values.fill("{S43}")
            ),
        )],
        _ => vec![(
            "Chart.lock".into(),
            format!(
                "dependencies:\n- name: postgresql\n  repository: oci://registry.example.com/charts\n  version: 15.2.5\ndigest: sha256:{}\ngenerated: \"2026-04-01T10:00:00Z\"\n",
                values.hex(64)
            ),
        )],
    }
}

fn images(values: &mut Values) -> Vec<(String, String)> {
    let name = values.name();
    let (image, other) = (values.hex(64), values.hex(64));
    one(
        &name,
        format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {name}\nspec:\n  template:\n    spec:\n      initContainers:\n      - name: token-init\n        image: example.com/token-init@sha256:{image}\n      containers:\n      - name: app\n        image: example.com/{name}:1.2.3@sha256:{other}\n"
        ),
    )
}

fn identifiers(values: &mut Values) -> Vec<(String, String)> {
    let name = values.name();
    let (tenant, client, id) = (values.uuid(), values.uuid(), values.uuid());
    one(
        &name,
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n  uid: {id}\ndata:\n  AZURE_TENANT_ID: {tenant}\n  AZURE_CLIENT_ID: {client}\n  KEY_ID: {}\n  ROLE_ARN: arn:aws:iam::{}:role/{name}\n",
            values.uuid(),
            values.fill("{D12}")
        ),
    )
}

fn examples(values: &mut Values) -> Vec<(String, String)> {
    let name = values.name();
    let text = match values.below(5) {
        0 => ["AKIA", "IOSFODNN7EXAMPLE"].concat(),
        1 => ["ghp_", &"x".repeat(36)].concat(),
        2 => ["sk_test_", &"x".repeat(24)].concat(),
        3 => "postgres://user:password@localhost:5432/db".to_owned(),
        _ => ["AGE-SECRET-KEY-1", "..."].concat(),
    };
    match values.below(2) {
        0 => one(
            &name,
            format!("{}data:\n  upstream: {text}\n", head("ConfigMap", &name)),
        ),
        _ => vec![(
            "README.md".into(),
            format!("# How to deploy\n\nUse it like `{text}`.\n"),
        )],
    }
}

fn page(values: &mut Values) -> Vec<(String, String)> {
    let name = values.name();
    vec![(
        "README.md".into(),
        format!(
            "# {name}\n\nSet the password:\n\n```sh\nexport DB_PASSWORD=<your-password>\nexport API_TOKEN=$(pass show api)\nflux create secret git {name} --username=git --password=$GITHUB_TOKEN\nkubectl create secret generic db --from-literal=password=\"$DB_PASSWORD\"\n```\n\n| key | what |\n|---|---|\n| `password` | the password of the database |\n| `token` | a token, `${{TOKEN}}` when it is empty |\n"
        ),
    )]
}

fn template(values: &mut Values) -> Vec<(String, String)> {
    let name = values.name();
    let text = format!(
        "{{{{- if not .Values.existingSecret }}}}\napiVersion: v1\nkind: Secret\nmetadata:\n  name: {{{{ include \"{name}.fullname\" . }}}}\ntype: Opaque\ndata:\n  password: {{{{ .Values.password | b64enc | quote }}}}\n  {{{{- range $key, $value := .Values.extra }}}}\n  {{{{ $key }}}}: {{{{ $value | b64enc }}}}\n  {{{{- end }}}}\n{{{{- end }}}}\n"
    );
    vec![
        ("chart/templates/secret.yaml".into(), text),
        (
            "chart/Chart.yaml".into(),
            format!("apiVersion: v2\nname: {name}\nversion: 1.0.0\n"),
        ),
    ]
}

fn defaults(values: &mut Values) -> Vec<(String, String)> {
    let name = values.name();
    vec![(
        "values.yaml".into(),
        format!(
            "# Values of {name}.\nauth:\n  # The password; a random one when it is empty.\n  password: \"\"\n  existingSecret: \"\"\n  secretKeys:\n    password: \n  token: null\n  enabled: true\nimagePullSecrets: []\nserviceAccount:\n  automountServiceAccountToken: false\n"
        ),
    )]
}

fn hashed(values: &mut Values) -> Vec<(String, String)> {
    let name = values.name();
    let hash = match values.below(2) {
        0 => values.fill("$2y$10${A53}"),
        _ => values.fill("$argon2id$v=19$m=65536,t=3,p=4${S22}${S43}"),
    };
    one(
        &name,
        format!(
            "{}data:\n  users.yaml: |\n    admin:\n      password: \"{hash}\"\n",
            head("ConfigMap", &name)
        ),
    )
}

fn dashboard(values: &mut Values) -> Vec<(String, String)> {
    let (name, uid, other) = (values.name(), values.alphanumeric(9), values.alphanumeric(9));
    let json = format!(
        "{{\n  \"title\": \"{name}\",\n  \"uid\": \"{uid}\",\n  \"panels\": [\n    {{\"id\": 1, \"datasource\": {{\"uid\": \"{other}\"}}, \"targets\": [{{\"expr\": \"sum(rate(token_requests_total{{job=\\\"{name}\\\"}}[5m])) by (key)\", \"legendFormat\": \"{{{{key}}}}\"}}]}}\n  ]\n}}"
    );
    match values.below(2) {
        0 => vec![("dashboard.json".into(), json + "\n")],
        _ => one(
            &name,
            format!(
                "{}data:\n  dashboard.json: |\n    {}\n",
                head("ConfigMap", &name),
                json.replace('\n', "\n    ")
            ),
        ),
    }
}

fn script(values: &mut Values) -> Vec<(String, String)> {
    let name = values.name();
    let text = format!(
        "#!/bin/sh\nset -eu\nDB_PASSWORD=\"$(kubectl get secret {name} -o jsonpath='{{.data.password}}' | base64 -d)\"\nexport API_TOKEN=\"${{API_TOKEN:?is missing}}\"\nread -rs PASSWORD\nTOKEN=$(cat /var/run/secrets/token)\nPASSWORD_FILE=/etc/secrets/password\ncurl -u \"robot:$DB_PASSWORD\" -H \"Authorization: Bearer $API_TOKEN\" https://example.com\n"
    );
    match values.below(2) {
        0 => vec![("deploy.sh".into(), text)],
        _ => one(
            &name,
            format!(
                "{}data:\n  deploy.sh: |\n    {}",
                head("ConfigMap", &name),
                text.trim_end().replace('\n', "\n    ") + "\n"
            ),
        ),
    }
}

fn terraform(_: &mut Values) -> Vec<(String, String)> {
    vec![("main.tf".into(), "resource \"random_password\" \"db\" {\n  length = 24\n}\n\nresource \"db\" \"main\" {\n  username = \"app\"\n  password = random_password.db.result\n  token    = var.token\n  api_key  = data.vault_secret.api.data[\"key\"]\n}\n\nvariable \"db_password\" {\n  type      = string\n  sensitive = true\n}\n".into())]
}

fn program(values: &mut Values) -> Vec<(String, String)> {
    match values.below(2) {
        0 => vec![("app.py".into(), "import os\n\npassword = os.environ[\"DB_PASSWORD\"]\ntoken = get_token(client_id, timeout=30)\napi_key = settings.api_key\nif not password:\n    raise ValueError(\"password is required\")\n".into())],
        _ => vec![("main.go".into(), "package main\n\nfunc main() {\n\tpassword := os.Getenv(\"DB_PASSWORD\")\n\ttoken, err := readToken(ctx, secretKeyRef)\n\tuse(password, token, err)\n}\n".into())],
    }
}

fn addresses(values: &mut Values) -> Vec<(String, String)> {
    let name = values.name();
    one(
        &name,
        format!(
            "{}data:\n  DATABASE_URL: postgres://app@db.apps:5432/app\n  UPSTREAM: https://${{USER}}:${{PASSWORD}}@git.example.com/team/{name}\n  HOOK: https://hooks.slack.com/services/${{SLACK_PATH}}\n  DOCS: https://example.com/tokens?key=&page=2\n  IMAGE: registry.example.com:5000/team/{name}@sha256:{}\n",
            head("ConfigMap", &name),
            values.hex(64)
        ),
    )
}

fn generator(values: &mut Values) -> Vec<(String, String)> {
    let (password, code, recipient) = (values.encrypted(), values.encrypted(), values.recipient());
    vec![
        ("kustomization.yaml".into(), "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nsecretGenerator:\n- name: db\n  envs: [db.env]\n- name: ca\n  files: [ca.crt]\nconfigMapGenerator:\n- name: app\n  literals: [LOG_LEVEL=info, TOKEN_TTL=3600]\n".into()),
        ("db.env".into(), format!("DB_PASSWORD={password}\nsops_age__list_0__map_recipient={recipient}\nsops_lastmodified=2026-04-01T10:00:00Z\nsops_mac={code}\nsops_version=3.13.2\n")),
        ("ca.crt".into(), format!("{}\n", values.framed("CERTIFICATE", ""))),
    ]
}

fn rules(values: &mut Values) -> Vec<(String, String)> {
    let recipient = values.recipient();
    vec![(
        ".sops.yaml".into(),
        format!(
            "creation_rules:\n- path_regex: .*secret.*\\.yaml\n  encrypted_regex: ^(data|stringData|password|token)$\n  age: {recipient}\n"
        ),
    )]
}

fn workflow(values: &mut Values) -> Vec<(String, String)> {
    let commit = values.hex(40);
    vec![(
        ".github/workflows/ci.yaml".into(),
        format!(
            "on: push\njobs:\n  deploy:\n    steps:\n    - uses: actions/checkout@{commit}\n      with:\n        token: ${{{{ secrets.GITHUB_TOKEN }}}}\n        persist-credentials: false\n    - name: Generate Token\n      env:\n        API_TOKEN: ${{{{ secrets.API_TOKEN }}}}\n        PASSWORD: ${{{{ steps.password.outputs.password }}}}\n      run: deploy --token \"$API_TOKEN\"\n"
        ),
    )]
}

fn arguments(values: &mut Values) -> Vec<(String, String)> {
    let name = values.name();
    one(
        &name,
        format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {name}\nspec:\n  template:\n    spec:\n      containers:\n      - name: app\n        image: example.com/app:1\n        args:\n        - --db-password=$(DB_PASSWORD)\n        - --token-ttl=3600\n        - --password-file=/etc/secrets/password\n        - --api-token=${{API_TOKEN}}\n        - --tls-secret={name}-tls\n"
        ),
    )
}
