//! What a scan says of files that the real `sops` and `age-keygen` have made, and of what was done to them afterwards.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod controlplane;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use controlplane::programs::{Finish, SOPS};
use flux_security_operator::secrets::inline::Trace;
use flux_security_operator::secrets::{Class, Format, Leak, Recipient, Scan, Tree};

/// A folder with a key of its own, made for one test.
struct Vault {
    folder: tempfile::TempDir,
    programs: PathBuf,
    recipient: String,
}

impl Vault {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let programs = SOPS.folder().unwrap();
        let key = folder.path().join("key.txt");
        Command::new(programs.join("age-keygen"))
            .args(["-o".as_ref(), key.as_os_str()])
            .finish("no key")
            .unwrap();
        let text = fs::read_to_string(&key).unwrap();
        let recipient = text
            .lines()
            .find_map(|line| line.strip_prefix("# public key: "))
            .unwrap()
            .to_owned();
        Self {
            folder,
            programs,
            recipient,
        }
    }

    /// What sops makes of a file.
    fn encrypt(&self, name: &str, text: &str, arguments: &[&str]) -> String {
        let path = self.folder.path().join(name);
        fs::write(&path, text).unwrap();
        self.sops(
            &path,
            &[&["encrypt", "--age", &self.recipient], arguments].concat(),
        )
    }

    fn decrypt(&self, name: &str, text: &str) -> anyhow::Result<String> {
        let path = self.folder.path().join(name);
        fs::write(&path, text)?;
        let mut command = self.command(&path, &["decrypt"]);
        command.finish("sops refuses")
    }

    fn sops(&self, path: &Path, arguments: &[&str]) -> String {
        self.command(path, arguments).finish("sops refuses").unwrap()
    }

    fn command(&self, path: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.programs.join("sops"));
        command
            .args(arguments)
            .arg(path)
            .current_dir(self.folder.path())
            .env("SOPS_DISABLE_VERSION_CHECK", "1")
            .env("SOPS_AGE_KEY_FILE", self.folder.path().join("key.txt"));
        command
    }
}

fn scan(name: &str, text: &str) -> Tree {
    let mut scan = Scan::default();
    scan.file(name, text.as_bytes());
    scan.finish()
}

const SECRET: &str = "\
apiVersion: v1
kind: Secret
metadata:
    name: db
    namespace: apps
type: Opaque
stringData:
    user: admin
    password: hunter2-hunter3
    lines: |
        one
        two
    empty: \"\"
data:
    token: aHVudGVyMi1odW50ZXIz
";

/// Files as people encrypt them: name, text, how, and what sops makes of them.
fn samples() -> Vec<(&'static str, &'static str, &'static [&'static str], Format)> {
    let by_regex: &[&str] = &["--encrypted-regex", "^(data|stringData)$"];
    vec![
        ("secret.yaml", SECRET, by_regex, Format::Yaml),
        (
            "values.yaml",
            "db:\n    password: hunter2\n    port: 5432\n    tls: true\n    ratio: 1.5\n    list: [a, b]\n    nothing: null\n",
            &[],
            Format::Yaml,
        ),
        ("suffix.yaml", "a_unencrypted: x\nb: hunter2\n", &[], Format::Yaml),
        (
            "suffixed.yaml",
            "a: x\nb_secret: hunter2\n",
            &["--encrypted-suffix", "_secret"],
            Format::Yaml,
        ),
        (
            "regex.yaml",
            "a: x\nb: hunter2\n",
            &["--unencrypted-regex", "^a$"],
            Format::Yaml,
        ),
        (
            "comments.yaml",
            "# a password\nb: hunter2 # of the database\n",
            &[],
            Format::Yaml,
        ),
        ("many.yaml", "a: hunter2\n---\nb: hunter3\n", &[], Format::Yaml),
        (
            "secret.json",
            r#"{"apiVersion": "v1", "kind": "Secret", "stringData": {"password": "hunter2", "umlaut": "\ud83d\ude00"}}"#,
            by_regex,
            Format::Json,
        ),
        (
            "db.env",
            "# the database\nPASSWORD=hunter2\nUSER=admin\n",
            &[],
            Format::Dotenv,
        ),
        (
            "db.ini",
            "[db]\npassword = hunter2\nuser = admin\n",
            &[],
            Format::Ini,
        ),
        ("db.txt", "hunter2\n", &[], Format::Binary),
    ]
}

#[test]
fn what_sops_has_encrypted_is_no_leak() {
    let vault = Vault::new();
    for (name, text, how, format) in samples() {
        let encrypted = vault.encrypt(name, text, how);
        let tree = scan(name, &encrypted);
        assert_eq!(&*tree.leaks, &[], "{name}\n{encrypted}");
        assert_eq!(tree.lack(), None, "{name}");
        assert!(!tree.encrypted.is_empty(), "{name}\n{encrypted}");
        for it in &tree.encrypted {
            assert_eq!(it.format, format, "{name}");
            assert_eq!(
                &*it.recipients,
                [Recipient::Age(vault.recipient.as_str().into())],
                "{name}"
            );
            assert_ne!(it.code, 0, "{name}");
        }
        assert!(vault.decrypt(name, &encrypted).is_ok(), "{name}");
    }
}

/// The values of a file that sops has encrypted: where each begins and ends.
fn values(text: &str) -> Vec<(usize, usize)> {
    let all = text.match_indices("ENC[AES256_GCM,");
    let whole = all.map(|(start, _)| (start, start + text[start..].find(']').unwrap() + 1));
    whole
        .filter(|(_, end)| !text[..*end].ends_with("type:comment]"))
        .collect()
}

#[test]
fn a_value_that_somebody_has_put_in_is_one_leak() {
    let vault = Vault::new();
    for (name, text, how, _) in samples() {
        let encrypted = vault.encrypt(name, text, how);
        for (start, end) in values(&encrypted) {
            let line = encrypted[..start].rsplit('\n').next().unwrap();
            let key = line.trim_start_matches([' ', '\t', '"']);
            let is_code = ["mac", "sops_mac"].iter().any(|code| key.starts_with(code));
            let edited = format!("{}plain-text{}", &encrypted[..start], &encrypted[end..]);
            let tree = scan(name, &edited);
            let line = u32::try_from(encrypted[..start].matches('\n').count() + 1).unwrap();
            if is_code {
                // Several documents have the same code, each of its own.
                assert!(
                    tree.leaks.iter().all(|leak| leak.trace == Trace::NoRecipient),
                    "{name}:{line}"
                );
                assert!(!tree.leaks.is_empty(), "{name}:{line}");
                continue;
            }
            let [leak] = &*tree.leaks else {
                panic!("{name}:{line} {:?}\n{edited}", tree.leaks)
            };
            assert_eq!(
                (leak.line, leak.class, leak.trace),
                (line, Class::Sops, Trace::Unencrypted),
                "{name}"
            );
            assert!(
                vault.decrypt(name, &edited).is_err(),
                "sops takes it, and we do not: {name}:{line}"
            );
        }
    }
}

#[test]
fn a_selector_that_leaves_data_of_a_secret_out_is_a_leak() {
    let vault = Vault::new();
    let encrypted = vault.encrypt("a.yaml", SECRET, &["--encrypted-regex", "^data$"]);
    assert!(vault.decrypt("a.yaml", &encrypted).is_ok(), "and Flux applies it");
    let leaks = scan("a.yaml", &encrypted).leaks;
    let left: Vec<&str> = leaks.iter().map(|leak| &*leak.field).collect();
    assert_eq!(
        left,
        ["stringData.user", "stringData.password", "stringData.lines"]
    );
    assert!(
        leaks
            .iter()
            .all(|leak| leak.trace == Trace::LeftPlain && leak.class == Class::Sops)
    );
    let unencrypted = SECRET.replace("    user:", "    user_unencrypted:");
    let encrypted = vault.encrypt("b.yaml", &unencrypted, &[]);
    let leaks: Vec<Leak> = scan("b.yaml", &encrypted).leaks.into();
    assert_eq!(leaks.len(), 1, "{leaks:?}");
    assert_eq!(
        (&*leaks[0].field, leaks[0].trace),
        ("stringData.user_unencrypted", Trace::LeftPlain)
    );
}

#[test]
fn all_recipients_of_a_file_are_told() {
    let (one, other) = (Vault::new(), Vault::new());
    let both = format!("{},{}", one.recipient, other.recipient);
    let path = one.folder.path().join("a.yaml");
    fs::write(&path, "a: b\n").unwrap();
    let encrypted = one.sops(&path, &["encrypt", "--age", &both]);
    let mut wanted = vec![one.recipient.clone(), other.recipient];
    wanted.sort();
    let tree = scan("a.yaml", &encrypted);
    let found: Vec<&str> = tree.encrypted[0]
        .recipients
        .iter()
        .map(Recipient::as_str)
        .collect();
    assert_eq!(found, wanted);
    let copy = scan("b.yaml", &encrypted);
    assert_eq!(tree.encrypted[0].code, copy.encrypted[0].code, "a copy is known");
    let again = one.encrypt("a.yaml", "a: b\n", &[]);
    assert_ne!(tree.encrypted[0].code, scan("a.yaml", &again).encrypted[0].code);
}

#[test]
fn the_keys_that_open_it_are_a_leak() {
    let vault = Vault::new();
    let key = fs::read_to_string(vault.folder.path().join("key.txt")).unwrap();
    let leaks = scan("age.agekey", &key).leaks;
    assert_eq!(
        (leaks.len(), leaks[0].trace, leaks[0].line),
        (1, Trace::PrivateKey, 3)
    );
    let generator = "secretGenerator:\n- name: sops-age\n  files: [age.agekey]\n";
    let mut whole = Scan::default();
    whole.file("kustomization.yaml", generator.as_bytes());
    whole.file("age.agekey", key.as_bytes());
    assert_eq!(
        whole.finish().leaks.len(),
        2,
        "it is a key, and a Secret in plain text"
    );
}
