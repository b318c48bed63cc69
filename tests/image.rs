//! The image: what is in it, as whom it runs, that it is the same each time, and that the program needs nothing else.
//! buildah makes it from the Dockerfile, up to what has been compiled: that is handed in. Without buildah nothing is
//! tested, and the test says so.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

const AUTHORITIES: &str = "etc/ssl/certs/ca-certificates.crt";
/// A commit's time.
const EPOCH: &str = "1767225600";

/// A folder that an image was built in.
struct Built {
    folder: TempDir,
}

impl Built {
    /// The image of a binary; none where buildah cannot be had.
    fn of(binary: &str) -> Option<Self> {
        let built = Self {
            folder: TempDir::new().unwrap(),
        };
        let probe = built.buildah(&["from", "scratch"]);
        if !probe.is_ok_and(|it| it.status.success()) {
            eprintln!("skipped: buildah is not installed, or may not build here");
            return None;
        }
        let compiled = built.path("compiled");
        fs::create_dir_all(compiled.join(AUTHORITIES).parent().unwrap()).unwrap();
        fs::copy(binary, compiled.join("fluxsec")).unwrap();
        // Where a system has none, only what reads them misses them.
        let authorities = fs::read(Path::new("/").join(AUTHORITIES)).unwrap_or_default();
        fs::write(compiled.join(AUTHORITIES), authorities).unwrap();
        let output = built
            .buildah(&[
                "build",
                "--isolation=chroot",
                "--build-context",
                &format!("build={}", compiled.display()),
                "--timestamp",
                EPOCH,
                "--file",
                "Dockerfile",
                "--tag",
                &format!("oci:{}", built.path("image").display()),
                ".",
            ])
            .unwrap();
        assert!(output.status.success(), "{}", said(&output));
        Some(built)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// buildah, with a storage of its own.
    fn buildah(&self, arguments: &[&str]) -> std::io::Result<Output> {
        Command::new("buildah")
            .args(["--storage-driver", "vfs", "--root"])
            .arg(self.path("storage"))
            .arg("--runroot")
            .arg(self.path("running"))
            .args(arguments)
            .output()
    }

    /// Digest of the manifest, which names all that is in the image.
    fn digest(&self) -> String {
        let index = read_json(&self.path("image/index.json"));
        assert_eq!(index["manifests"].as_array().unwrap().len(), 1);
        index["manifests"][0]["digest"].as_str().unwrap().to_owned()
    }

    fn blob(&self, digest: &Value) -> PathBuf {
        let digest = digest.as_str().unwrap().replace(':', "/");
        self.path("image/blobs").join(digest)
    }

    fn manifest(&self) -> Value {
        read_json(&self.blob(&Value::from(self.digest())))
    }

    fn layers(&self) -> Vec<PathBuf> {
        let manifest = self.manifest();
        let layers = manifest["layers"].as_array().unwrap();
        layers.iter().map(|layer| self.blob(&layer["digest"])).collect()
    }

    /// Every file and folder of the image: mode, owner, name.
    fn listed(&self) -> Vec<String> {
        let mut listed = Vec::new();
        for layer in self.layers() {
            let output = Command::new("tar")
                .args(["--list", "--verbose", "--numeric-owner", "--file"])
                .arg(layer)
                .output()
                .unwrap();
            assert!(output.status.success(), "{}", said(&output));
            for line in String::from_utf8(output.stdout).unwrap().lines() {
                let words: Vec<&str> = line.split_whitespace().collect();
                listed.push(format!("{} {} {}", words[0], words[1], words[5..].join(" ")));
            }
        }
        listed.sort_unstable();
        listed.dedup();
        listed
    }

    /// The image as a folder, and what a runtime adds to it.
    fn unpacked(&self) -> PathBuf {
        let root = self.path("root");
        fs::create_dir_all(&root).unwrap();
        for layer in self.layers() {
            let unpacked = Command::new("tar")
                .args(["--extract", "--same-permissions", "--file"])
                .arg(layer)
                .arg("--directory")
                .arg(&root)
                .status();
            assert!(unpacked.unwrap().success());
        }
        fs::write(root.join("etc/hosts"), "127.0.0.1 api.example.com\n").unwrap();
        root
    }
}

fn read_json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn said(output: &Output) -> String {
    let bytes = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    String::from_utf8_lossy(&bytes).into_owned()
}

#[test]
fn the_image_has_the_program_and_runs_it_as_nobody() {
    let Some(image) = Built::of(env!("CARGO_BIN_EXE_fluxsec")) else {
        return;
    };
    assert_eq!(
        image.listed(),
        [
            "-rw-r--r-- 0/0 etc/ssl/certs/ca-certificates.crt",
            "-rw-r--r-- 0/0 licenses/LICENSE",
            "-rwxr-xr-x 0/0 usr/local/bin/fluxsec",
            "drwxr-xr-x 0/0 etc/",
            "drwxr-xr-x 0/0 etc/ssl/",
            "drwxr-xr-x 0/0 etc/ssl/certs/",
            "drwxr-xr-x 0/0 licenses/",
            "drwxr-xr-x 0/0 usr/",
            "drwxr-xr-x 0/0 usr/local/",
            "drwxr-xr-x 0/0 usr/local/bin/",
        ],
        "no shell, no package manager, nothing that somebody else may write"
    );
    let config = read_json(&image.blob(&image.manifest()["config"]["digest"]));
    assert_eq!(config["os"], "linux");
    let config = &config["config"];
    assert_eq!(config["User"], "65532:65532");
    assert_eq!(config["Entrypoint"], json!(["/usr/local/bin/fluxsec"]));
    assert!(config["Cmd"].is_null(), "manifests give the arguments: {config}");
    let labels = config["Labels"].as_object().unwrap();
    assert_eq!(labels["org.opencontainers.image.licenses"], "Apache-2.0");
    for label in ["title", "source"] {
        assert!(labels.contains_key(&format!("org.opencontainers.image.{label}")));
    }
}

#[test]
fn what_is_the_same_makes_the_same_image() {
    let Some(first) = Built::of(env!("CARGO_BIN_EXE_fluxsec")) else {
        return;
    };
    // A second later all that is handed in is newer.
    std::thread::sleep(Duration::from_millis(1100));
    let second = Built::of(env!("CARGO_BIN_EXE_fluxsec")).unwrap();
    assert_eq!(first.digest(), second.digest());
}

/// In the image and nothing else, as the user of the image, on a file system that nobody can write to.
fn inside(root: &Path, arguments: &[&str]) -> Command {
    let script = "mount --bind \"$0\" \"$0\" && mount -o remount,ro,bind \"$0\" \
        && exec chroot --userspec=65532:65532 \"$0\" /usr/local/bin/fluxsec \"$@\"";
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "sh", "-c", script])
        .arg(root)
        .args(arguments)
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    command
}

#[test]
#[ignore = "needs the release build: make release-check"]
fn the_program_needs_nothing_else() {
    let binary = std::env::var("FLUXSEC").expect("FLUXSEC names the release binary");
    let Some(image) = Built::of(&binary) else { return };
    let root = image.unpacked();
    if fs::metadata("/proc/self").unwrap().uid() != 0 {
        eprintln!("skipped: only root can take the root of the image for its own");
        return;
    }

    let version = inside(&root, &["--version"]).output().unwrap();
    let expected = format!("fluxsec {}", env!("CARGO_PKG_VERSION"));
    assert!(said(&version).starts_with(&expected), "{}", said(&version));

    let mut audit = inside(&root, &["audit", "-f", "-", "-o", "json"]);
    audit.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut audit = audit.spawn().unwrap();
    let manifest = fs::read("config/samples/waiver.yaml").unwrap();
    audit.stdin.take().unwrap().write_all(&manifest).unwrap();
    let report: Value = serde_json::from_slice(&audit.wait_with_output().unwrap().stdout).unwrap();
    assert!(
        report["status"]["controls"].as_array().unwrap().len() > 50,
        "{report}"
    );

    names_are_resolved(&root);
    it_lives(&root);
}

#[test]
#[ignore = "needs the release build: make release-check"]
fn the_program_knows_no_path_of_where_it_was_compiled() {
    let binary = fs::read(std::env::var("FLUXSEC").expect("FLUXSEC names the release binary")).unwrap();
    let text = String::from_utf8_lossy(&binary);
    for place in [env!("CARGO_MANIFEST_DIR"), "/.cargo/registry"] {
        assert!(!text.contains(place), "{place}");
    }
}

/// By the C library that is linked in, which finds no file of the system. The authorities are read before.
fn names_are_resolved(root: &Path) {
    let port = free_port();
    let cluster = json!({"name": "it", "cluster": {"server": format!("https://api.example.com:{port}")}});
    let context = json!({"name": "it", "context": {"cluster": "it", "user": "it"}});
    let kubeconfig = json!({
        "clusters": [cluster], "contexts": [context], "users": [{"name": "it", "user": {}}], "current-context": "it",
    });
    fs::write(root.join("etc/kubeconfig"), kubeconfig.to_string()).unwrap();
    let output = inside(root, &["audit"])
        .env("KUBECONFIG", "/etc/kubeconfig")
        .output()
        .unwrap();
    let said = said(&output);
    assert!(
        said.contains("Connection refused"),
        "the name leads to the host: {said}"
    );
    fs::remove_file(root.join("etc/kubeconfig")).unwrap();
}

fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.local_addr().unwrap().port()
}

/// Ends what it holds.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

fn it_lives(root: &Path) {
    let port = free_port();
    let arguments = ["run", "--metrics-address", &format!("127.0.0.1:{port}")];
    let running = inside(root, &arguments)
        .env("KUBECONFIG", "/etc/nowhere")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let _running = Running(running.unwrap());
    let begun = Instant::now();
    while !lives(port).is_ok_and(|it| it) {
        assert!(begun.elapsed() < Duration::from_secs(10), "it never lived");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn lives(port: u16) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    stream.write_all(b"GET /livez HTTP/1.0\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer.starts_with("HTTP/1.0 200"))
}
