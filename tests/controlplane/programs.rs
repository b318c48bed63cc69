//! Builds programs from Go modules, once, into a cache outside the tree.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, bail, ensure};
use serde::Deserialize;
use serde_json::Value;

/// Programs of one Go module in `tests/`.
pub(crate) struct Programs {
    /// Folder of the module.
    module: &'static str,
    /// What they are, for a person.
    what: &'static str,
    /// How long a first build takes on two cores.
    patience: &'static str,
    /// Packages; each program is called as the last element of its package, but for etcd.
    packages: &'static [&'static str],
    /// Files that the programs need at run time: modules and folders in them.
    files: &'static [(&'static str, &'static [&'static str])],
    /// Build tags.
    tags: &'static [&'static str],
}

/// etcd, kube-apiserver and kubectl. `KUBEBUILDER_ASSETS` names a folder that has them already.
pub(crate) const CORE: Programs = Programs {
    module: "controlplane/kubernetes",
    what: "etcd, kube-apiserver and kubectl",
    patience: "5 minutes",
    packages: &[
        "go.etcd.io/etcd/server/v3",
        "k8s.io/kubernetes/cmd/kube-apiserver",
        "k8s.io/kubernetes/cmd/kubectl",
    ],
    files: &[],
    tags: &[],
};

/// What makes pods out of Deployments and binds them to nodes.
pub(crate) const CONTROLLERS: Programs = Programs {
    module: "controlplane/kubernetes",
    what: "kube-controller-manager and kube-scheduler",
    patience: "1 minute",
    packages: &[
        "k8s.io/kubernetes/cmd/kube-controller-manager",
        "k8s.io/kubernetes/cmd/kube-scheduler",
    ],
    files: &[],
    tags: &[],
};

/// What plays kubelet.
pub(crate) const KWOK: Programs = Programs {
    module: "controlplane/kwok",
    what: "kwok",
    patience: "1 minute",
    packages: &["sigs.k8s.io/kwok/cmd/kwok"],
    files: &[(
        "sigs.k8s.io/kwok",
        &["kustomize/stage/node/fast", "kustomize/stage/pod/fast"],
    )],
    tags: &[],
};

/// Helm.
pub(crate) const HELM: Programs = Programs {
    module: "controlplane/helm",
    what: "helm",
    patience: "1 minute",
    packages: &["helm.sh/helm/v4/cmd/helm"],
    files: &[],
    tags: &[],
};

/// Flux's controllers, each a module of its own.
pub(crate) const FLUX: [Programs; 4] = [
    Programs {
        module: "controlplane/source-controller",
        what: "Flux's source-controller",
        patience: "2 minutes",
        packages: &["github.com/fluxcd/source-controller"],
        files: &[],
        tags: &[],
    },
    Programs {
        module: "controlplane/kustomize-controller",
        what: "Flux's kustomize-controller",
        patience: "2 minutes",
        packages: &["github.com/fluxcd/kustomize-controller"],
        files: &[],
        tags: &[],
    },
    Programs {
        module: "controlplane/helm-controller",
        what: "Flux's helm-controller",
        patience: "2 minutes",
        packages: &["github.com/fluxcd/helm-controller"],
        files: &[],
        tags: &[],
    },
    Programs {
        module: "controlplane/notification-controller",
        what: "Flux's notification-controller",
        patience: "2 minutes",
        packages: &["github.com/fluxcd/notification-controller"],
        files: &[],
        tags: &[],
    },
];

/// Go's flag parsers, as Flux's controllers use them, and Kubernetes' label selectors.
pub(crate) const ORACLE: Programs = Programs {
    module: "oracle",
    what: "the original parsers of flags and selectors",
    patience: "1 minute",
    packages: &["."],
    files: &[],
    tags: &[],
};

/// What encrypts Secrets, in the versions that kustomize-controller links.
pub(crate) const SOPS: Programs = Programs {
    module: "controlplane/sops",
    what: "sops and age-keygen",
    patience: "2 minutes",
    packages: &[
        "github.com/getsops/sops/v3/cmd/sops",
        "filippo.io/age/cmd/age-keygen",
    ],
    files: &[],
    tags: &[],
};

/// Those who read what an audit prints, with the schemas by which they judge it.
pub(crate) const CONSUMERS: Programs = Programs {
    module: "consumers",
    what: "parsers of what an audit prints",
    patience: "1 minute",
    packages: &["."],
    files: &[
        ("github.com/owenrumney/go-sarif/v3", &["pkg/report/v210/sarif"]),
        ("github.com/openreports/reports-api", &["config/crd"]),
    ],
    tags: &[],
};

/// Without what finds targets in clouds, which is most of it.
const PROMETHEUS_TAGS: &[&str] = &["remove_all_sd"];

/// What judges metrics and rules.
pub(crate) const PROMTOOL: Programs = Programs {
    module: "controlplane/prometheus",
    what: "promtool",
    patience: "2 minutes",
    packages: &["github.com/prometheus/prometheus/cmd/promtool"],
    files: &[],
    tags: PROMETHEUS_TAGS,
};

/// What scrapes metrics and evaluates rules.
pub(crate) const PROMETHEUS: Programs = Programs {
    module: "controlplane/prometheus",
    what: "Prometheus",
    patience: "1 minute",
    packages: &["github.com/prometheus/prometheus/cmd/prometheus"],
    files: &[],
    tags: PROMETHEUS_TAGS,
};

/// What makes Prometheus scrape what PodMonitors and ServiceMonitors name, with its CustomResourceDefinitions.
pub(crate) const PROMETHEUS_OPERATOR: Programs = Programs {
    module: "controlplane/prometheus-operator",
    what: "the Prometheus Operator",
    patience: "3 minutes",
    packages: &["github.com/prometheus-operator/prometheus-operator/cmd/operator"],
    files: &[(
        "github.com/prometheus-operator/prometheus-operator",
        &["example/prometheus-operator-crd"],
    )],
    tags: &[],
};

/// What others audit manifests with, to measure beside.
pub(crate) const PEERS: Programs = Programs {
    module: "peers",
    what: "kube-score",
    patience: "1 minute",
    packages: &["github.com/zegl/kube-score/cmd/kube-score"],
    files: &[],
    tags: &[],
};

/// What judges manifests by constraints of Gatekeeper, to measure beside.
pub(crate) const GATOR: Programs = Programs {
    module: "gator",
    what: "gator",
    patience: "4 minutes",
    packages: &["github.com/open-policy-agent/gatekeeper/v3/cmd/gator"],
    files: &[],
    tags: &[],
};

impl Programs {
    /// The folder with the programs, which are built unless they have been.
    pub(crate) fn folder(&self) -> anyhow::Result<PathBuf> {
        let source = source(self.module);
        let folder = once(&self.key(&source)?, |target| self.build(&source, target))?;
        Ok(folder)
    }

    /// The version of the first package's module.
    pub(crate) fn version(&self) -> anyhow::Result<String> {
        pinned(&source(self.module), self.packages[0])
    }

    /// The module's name without its path, with what was asked for.
    fn key(&self, source: &Path) -> anyhow::Result<String> {
        let name = self.module.rsplit('/').next().unwrap_or(self.module);
        let digest = match self.tags {
            [] => digest(source, &self.packages)?,
            tags => digest(source, &(self.packages, tags))?,
        };
        Ok(format!("{name}-{digest:016x}"))
    }

    fn build(&self, source: &Path, target: &Path) -> anyhow::Result<()> {
        say(&format!(
            "building {} from Go modules: once, about {} on two cores",
            self.what, self.patience
        ));
        let started = Instant::now();
        // What `kubectl version` shows.
        let version = pinned(source, "k8s.io/kubernetes")?;
        let stamp = "k8s.io/component-base/version";
        let (major, minor) = version
            .trim_start_matches('v')
            .split_once('.')
            .unwrap_or(("1", ""));
        let minor = minor.split('.').next().unwrap_or_default();
        let flags = format!(
            "-s -w -X {stamp}.gitVersion={version} -X {stamp}.gitMajor={major} -X {stamp}.gitMinor={minor}"
        );
        let tags = self.tags.join(",");
        go(
            source,
            &["build", "-trimpath", "-tags", &tags, "-ldflags", &flags, "-o"],
        )
        .arg(target.join(""))
        .args(self.packages)
        .finish(&format!("{} cannot be built", self.what))?;
        let etcd = target.join("server");
        if etcd.exists() {
            fs::rename(etcd, target.join("etcd"))?;
        }
        for (module, folders) in self.files {
            go(source, &["mod", "download", module]).finish(module)?;
            let listed = go(source, &["list", "-m", "-f", "{{.Dir}}", module]).finish(module)?;
            for folder in *folders {
                copy(
                    &Path::new(listed.trim()).join(folder),
                    &target.join("files").join(folder),
                )?;
            }
        }
        say(&format!("built {} in {:.0?}", self.what, started.elapsed()));
        Ok(())
    }
}

/// What the oracle says to requests, one a line; requests that ask for nothing have no answer.
pub(crate) fn ask_oracle(requests: &str) -> anyhow::Result<Vec<Value>> {
    let folder = tempfile::tempdir()?;
    let input = folder.path().join("requests");
    fs::write(&input, requests)?;
    let answers = Command::new(ORACLE.folder()?.join("oracle"))
        .stdin(File::open(&input)?)
        .finish("the oracle fell silent")?;
    let answers = answers.lines().map(serde_json::from_str);
    Ok(answers.collect::<Result<_, _>>()?)
}

/// `etcd`, `kube-apiserver` and `kubectl`, from `KUBEBUILDER_ASSETS` when that is set.
pub(crate) fn core() -> anyhow::Result<PathBuf> {
    let Some(folder) = std::env::var_os("KUBEBUILDER_ASSETS").map(PathBuf::from) else {
        return CORE.folder();
    };
    for program in ["etcd", "kube-apiserver", "kubectl"] {
        let path = folder.join(program);
        ensure!(path.exists(), "KUBEBUILDER_ASSETS has no {}", path.display());
    }
    Ok(folder)
}

/// A folder of the cache, made once: by one process at a time, and complete or not there.
pub(crate) fn once(key: &str, make: impl FnOnce(&Path) -> anyhow::Result<()>) -> anyhow::Result<PathBuf> {
    let cache = cache()?;
    let folder = cache.join(key);
    if folder.exists() {
        return Ok(folder);
    }
    fs::create_dir_all(&cache).with_context(|| format!("cannot make {}", cache.display()))?;
    let lock = File::create(cache.join(format!("{key}.lock")))?;
    lock.lock()?;
    if folder.exists() {
        return Ok(folder);
    }
    let unfinished = cache.join(format!("{key}.unfinished"));
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished)?;
    }
    fs::create_dir(&unfinished)?;
    make(&unfinished)?;
    fs::rename(&unfinished, &folder)?;
    Ok(folder)
}

/// A digest of a module's files and of what is asked of it.
pub(crate) fn digest(source: &Path, asked: &impl Hash) -> anyhow::Result<u64> {
    let mut hasher = DefaultHasher::new();
    asked.hash(&mut hasher);
    let mut files: Vec<_> = fs::read_dir(source)
        .with_context(|| format!("cannot read {}", source.display()))?
        .collect::<Result<_, _>>()?;
    files.sort_by_key(fs::DirEntry::file_name);
    for file in files {
        fs::read(file.path())?.hash(&mut hasher);
    }
    Ok(hasher.finish())
}

/// A folder under `tests/`.
pub(crate) fn source(module: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(module)
}

/// A `go` command in a module, deaf to the surroundings.
pub(crate) fn go(source: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("go");
    command
        .args(arguments)
        .current_dir(source)
        .env("CGO_ENABLED", "0")
        .env("GOFLAGS", "-mod=readonly -buildvcs=false")
        .env("GOWORK", "off");
    command
}

/// The folder of a module, `path@version`, whose checksums are in go.sum of this one.
pub(crate) fn download(source: &Path, module: &str) -> anyhow::Result<PathBuf> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Module {
        dir: PathBuf,
    }
    let answer = go(source, &["mod", "download", "-json", module])
        .finish(&format!("{module} cannot be downloaded"))?;
    let module: Module = serde_json::from_str(&answer)?;
    Ok(module.dir)
}

/// Runs a command to its end.
pub(crate) trait Finish {
    /// What it printed.
    fn finish(&mut self, complaint: &str) -> anyhow::Result<String>;
}

impl Finish for Command {
    fn finish(&mut self, complaint: &str) -> anyhow::Result<String> {
        let program = self.get_program().to_string_lossy().into_owned();
        let output = self
            .output()
            .with_context(|| format!("{complaint}: {program} cannot be started; is it on the PATH?"))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            bail!(
                "{complaint}: {program} ended with {}\n{}",
                output.status,
                said.trim()
            );
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

/// One line for whoever waits, past the test runner's capture.
pub(crate) fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

fn cache() -> anyhow::Result<PathBuf> {
    if let Some(folder) = std::env::var_os("FLUXSEC_CACHE") {
        return Ok(folder.into());
    }
    let home = || std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache"));
    let base = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(home);
    let base = base.context("neither FLUXSEC_CACHE nor XDG_CACHE_HOME nor HOME is set")?;
    Ok(base.join("flux-security-operator"))
}

/// The version of a module that go.mod pins.
fn pinned(source: &Path, module: &str) -> anyhow::Result<String> {
    let pins = fs::read_to_string(source.join("go.mod"))?;
    let version = pins
        .lines()
        .find_map(|line| {
            line.trim()
                .trim_start_matches("require ")
                .strip_prefix(module)?
                .strip_prefix(' ')
        })
        .and_then(|rest| rest.split_whitespace().next());
    Ok(version.unwrap_or("v0.0.0").to_owned())
}

/// Copies the files of a folder, and of the folders in it. Files of the module cache are read-only: the copies are not.
pub(crate) fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::write(&target, fs::read(entry.path())?)?;
        }
    }
    Ok(())
}
