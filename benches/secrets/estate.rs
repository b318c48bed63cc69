//! An archive as source-controller packs it: what a repository of Flux mostly has.
#![allow(clippy::format_push_string)]

use super::corpus;
use super::pack::Tar;
use super::random::Random;

/// A file of the archive.
pub(crate) type File = (String, Vec<u8>);

/// Files of so many bytes: nine of ten are manifests without any secret, the others are the documents of the corpus.
pub(crate) fn files(bytes: usize) -> Vec<File> {
    let mut random = Random(0x000f_1ee7);
    let corpus = corpus::documents(2000);
    let mut rest = corpus
        .into_iter()
        .filter(|document| document.files.iter().all(|file| file.places.is_empty()));
    let mut files: Vec<File> = Vec::new();
    let mut size = 0;
    let mut number = 0;
    while size < bytes {
        number += 1;
        let folder = format!("apps/team-{}/app-{number}", number % 40);
        let made = [
            ("release.yaml", release(&mut random, number)),
            ("deployment.yaml", deployment(&mut random, number)),
            ("kustomization.yaml", "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n- release.yaml\n- deployment.yaml\n".into()),
            ("config.yaml", config(&mut random, number)),
        ];
        let mut add = |path: String, content: Vec<u8>| {
            size += content.len();
            files.push((path, content));
        };
        for (name, text) in made {
            add(format!("{folder}/{name}"), text.into_bytes());
        }
        if number % 40 == 0 {
            add(
                format!("{folder}/crd.yaml"),
                schema(&mut random, number).into_bytes(),
            );
            add(
                format!("{folder}/dashboard.json"),
                dashboard(&mut random, number).into_bytes(),
            );
        }
        if let Some(document) = rest.next() {
            for file in document.files {
                add(format!("{folder}/{}", file.path), file.bytes);
            }
        }
    }
    files
}

/// The archive.
pub(crate) fn archive(files: &[File]) -> Vec<u8> {
    let tar = files
        .iter()
        .fold(Tar::default(), |tar, (path, content)| tar.file(path, content));
    tar.packed(flate2::Compression::default())
}

fn word(random: &mut Random) -> &'static str {
    const WORDS: &str = "enabled replicas service ingress resources limits requests annotations labels persistence \
                         storage metrics monitor affinity tolerations controller worker queue cache timeout";
    let words: Vec<&'static str> = WORDS.split(' ').collect();
    words[random.below(words.len())]
}

pub(crate) fn release(random: &mut Random, number: usize) -> String {
    let mut values = String::new();
    for _ in 0..24 {
        let (one, other, third) = (word(random), word(random), word(random));
        values += &format!(
            "    {one}:\n      {other}: {}\n      {third}Class: \"{}-{}\"\n",
            random.below(1000),
            word(random),
            random.below(100)
        );
    }
    format!(
        "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata:\n  name: &app app-{number}\n  namespace: team-{}\nspec:\n  interval: 30m\n  chartRef:\n    kind: OCIRepository\n    name: app-{number}\n  install:\n    remediation:\n      retries: -1\n  valuesFrom:\n  - kind: Secret\n    name: app-{number}-values\n  values:\n    fullnameOverride: *app\n    auth:\n      existingSecret: app-{number}-auth\n      secretKeys:\n        adminPasswordKey: admin-password\n    image:\n      repository: registry.example.com/team/app-{number}\n      tag: v1.{}.{}@sha256:{}\n    ingress:\n      hosts:\n      - host: \"app-{number}.${{SECRET_DOMAIN}}\"\n        url: https://app-{number}.example.com/path\n{values}",
        number % 40,
        random.below(30),
        random.below(30),
        hex(random, 64),
    )
}

pub(crate) fn deployment(random: &mut Random, number: usize) -> String {
    let mut environment = String::new();
    for at in 0..12 {
        environment += &format!(
            "        - name: SETTING_{at}_{}\n          value: \"{}\"\n",
            word(random).to_uppercase(),
            random.below(10_000)
        );
    }
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: app-{number}\n  labels:\n    app.kubernetes.io/name: app-{number}\nspec:\n  replicas: 3\n  selector:\n    matchLabels:\n      app.kubernetes.io/name: app-{number}\n  template:\n    metadata:\n      labels:\n        app.kubernetes.io/name: app-{number}\n    spec:\n      automountServiceAccountToken: false\n      imagePullSecrets:\n      - name: registry\n      securityContext:\n        runAsNonRoot: true\n        seccompProfile:\n          type: RuntimeDefault\n      containers:\n      - name: app\n        image: registry.example.com/team/app-{number}:1.{}\n        args: [\"--config\", \"/etc/app/config.yaml\"]\n        env:\n        - name: DB_PASSWORD\n          valueFrom:\n            secretKeyRef:\n              name: app-{number}-db\n              key: password\n{environment}        ports:\n        - containerPort: 8080\n          name: http\n        resources:\n          requests:\n            cpu: 100m\n            memory: 128Mi\n          limits:\n            memory: 256Mi\n---\napiVersion: v1\nkind: Service\nmetadata:\n  name: app-{number}\nspec:\n  selector:\n    app.kubernetes.io/name: app-{number}\n  ports:\n  - port: 80\n    targetPort: http\n",
        random.below(50),
    )
}

pub(crate) fn config(random: &mut Random, number: usize) -> String {
    let mut lines = String::new();
    for _ in 0..30 {
        lines += &format!("    {}.{} = {}\n", word(random), word(random), random.below(5000));
    }
    format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: app-{number}\ndata:\n  LOG_LEVEL: info\n  app.conf: |\n    # passwords come from the environment\n{lines}    upstream = https://upstream.example.com/v1\n"
    )
}

fn schema(random: &mut Random, number: usize) -> String {
    let mut fields = String::new();
    for at in 0..400 {
        fields += &format!(
            "              {}{at}:\n                description: The {} of the {}, or the name of a Secret with a key for its token.\n                type: string\n",
            word(random),
            word(random),
            word(random)
        );
    }
    format!(
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata:\n  name: things{number}.example.com\nspec:\n  group: example.com\n  versions:\n  - name: v1\n    schema:\n      openAPIV3Schema:\n        properties:\n          spec:\n            properties:\n{fields}"
    )
}

fn dashboard(random: &mut Random, number: usize) -> String {
    let mut panels = Vec::new();
    for at in 0..60 {
        panels.push(format!(
            "    {{\n      \"id\": {at},\n      \"title\": \"{} of {}\",\n      \"targets\": [{{\"expr\": \"sum(rate({}_total{{job=\\\"app-{number}\\\"}}[5m])) by (le, key)\", \"legendFormat\": \"{{{{key}}}}\"}}],\n      \"gridPos\": {{\"h\": 8, \"w\": 12, \"x\": 0, \"y\": {at}}}\n    }}",
            word(random),
            word(random),
            word(random)
        ));
    }
    format!(
        "{{\n  \"title\": \"app-{number}\",\n  \"uid\": \"{}\",\n  \"panels\": [\n{}\n  ]\n}}\n",
        hex(random, 9),
        panels.join(",\n")
    )
}

fn hex(random: &mut Random, count: usize) -> String {
    (0..count)
        .map(|_| char::from(*random.pick(b"0123456789abcdef")))
        .collect()
}
