//! Names of fields that hold passwords, tokens and keys.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind};

use super::shapes::Literal;

/// What a name says of its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// It is a password: any literal is one.
    Password,
    /// It is a token or a key, which is long.
    Token,
    /// It is a secret, or the name of a Secret.
    Unclear,
}

impl Meaning {
    /// Whether a literal is what the name says.
    pub(super) const fn fits(self, literal: Literal) -> bool {
        match self {
            Self::Password => true,
            Self::Token => literal.is_long && !literal.refers,
            Self::Unclear => literal.is_long && !literal.is_name,
        }
    }
}

/// Names are shorter.
const LONGEST: usize = 128;
const PASSWORDS: [&str; 6] = ["password", "passwd", "passphrase", "passcode", "pass", "pwd"];
/// What makes `…_pass` the address that a web server hands requests on to.
const SERVERS: [&str; 4] = ["proxy", "fastcgi", "uwsgi", "grpc"];
const TOKENS: [&str; 7] = [
    "token",
    "accesstoken",
    "authtoken",
    "apitoken",
    "apikey",
    "privatekey",
    "clientsecret",
];
/// What makes a key a secret one.
const KEYS: [&str; 9] = [
    "account",
    "api",
    "auth",
    "encryption",
    "license",
    "master",
    "private",
    "shared",
    "signing",
];
/// What makes a secret a value, and not an object.
const SECRETS: [&str; 8] = [
    "client", "consumer", "cookie", "hmac", "jwt", "session", "shared", "signing",
];

/// What every name that means something has in it, whatever its case; and behind those what makes an object a Secret, or a
/// Secret of it.
const HINTS: [&str; 10] = [
    "pass",
    "pwd",
    "token",
    "key",
    "secret",
    "credential",
    "stringData",
    "secretGenerator",
    "sops",
    "fake",
];
/// So many of them are parts of names.
const OF_NAMES: usize = 6;

static WORDS: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    let mut builder = AhoCorasick::builder();
    builder
        .ascii_case_insensitive(true)
        .kind(Some(AhoCorasickKind::DFA));
    builder.build(HINTS).ok()
});

/// Whether a text may have a name with a meaning, or an object with data of a Secret.
pub(super) fn may_have_meaning(text: &str) -> bool {
    let Some(words) = &*WORDS else { return true };
    // A name may be written with escapes.
    text.contains('\\')
        || words.find_overlapping_iter(text).any(|found| {
            found.pattern().as_usize() >= OF_NAMES || meaning(name_around(text, found.start())).is_some()
        })
}

/// The name that a byte of a text is in.
fn name_around(text: &str, at: usize) -> &str {
    let is_part = |it: &u8| it.is_ascii_alphanumeric() || matches!(it, b'_' | b'-' | b'.');
    let bytes = text.as_bytes();
    let start = at
        - bytes[..at]
            .iter()
            .rev()
            .take(LONGEST)
            .take_while(|it| is_part(it))
            .count();
    let end = at
        + bytes[at..]
            .iter()
            .take(LONGEST)
            .take_while(|it| is_part(it))
            .count();
    text.get(start..end).unwrap_or_default()
}

/// What a name says of its value; `None`: nothing about secrets.
///
/// The last word decides: `dbPassword` and `DB_PASSWORD` are passwords, `passwordFile` and `password-key` are not.
pub(super) fn meaning(name: &str) -> Option<Meaning> {
    if name.len() > LONGEST {
        return None;
    }
    let (rest, last) = split_last(name);
    let before = || split_last(rest).1;
    let last = singular(last);
    if is_in(&PASSWORDS, last) {
        return (!is_in(&SERVERS, before())).then_some(Meaning::Password);
    }
    if is_in(&TOKENS, last) {
        return Some(Meaning::Token);
    }
    match last.to_ascii_lowercase().as_str() {
        "key" if is_in(&KEYS, before()) => Some(Meaning::Token),
        "key" if is_in(&["access"], before()) && says_secret(split_last(rest).0) => Some(Meaning::Token),
        "key" if is_in(&["secret"], before()) => Some(Meaning::Unclear),
        "secret" if is_in(&SECRETS, before()) => Some(Meaning::Token),
        "secret" | "secretkey" | "credential" => Some(Meaning::Unclear),
        _ => None,
    }
}

fn says_secret(name: &str) -> bool {
    split_last(name).1.eq_ignore_ascii_case("secret")
}

fn is_in(words: &[&str], word: &str) -> bool {
    words.iter().any(|it| it.eq_ignore_ascii_case(word))
}

/// `passwords` is many a password, `pass` is not many.
fn singular(word: &str) -> &str {
    let stem = word.strip_suffix(['s', 'S']).unwrap_or(word);
    if stem.len() < 3 || stem.ends_with(['s', 'S']) {
        return word;
    }
    stem
}

/// The last word of a name without the number behind it, and what is before it. Words begin with a capital, or after
/// something that is no letter.
fn split_last(name: &str) -> (&str, &str) {
    let name = name.trim_end_matches(|it: char| !it.is_ascii_alphabetic());
    let bytes = name.as_bytes();
    let mut start = bytes.len();
    while start > 0 && bytes[start - 1].is_ascii_alphabetic() {
        let begins_small = bytes.get(start).is_some_and(u8::is_ascii_lowercase);
        let ends_a_word = bytes.get(start).is_some_and(u8::is_ascii_uppercase);
        let letter = bytes[start - 1];
        if letter.is_ascii_lowercase() && ends_a_word {
            break;
        }
        start -= 1;
        if letter.is_ascii_uppercase() && begins_small {
            break;
        }
    }
    name.split_at(start)
}

/// Whether one of several words of a text is what names of Secrets are made of.
pub(super) fn says_what_it_names(text: &str) -> bool {
    const WORDS: [&str; 6] = ["secret", "token", "key", "credential", "password", "auth"];
    let mut words = text.split(['-', '.', '_']);
    text.contains(['-', '.', '_']) && words.any(|word| is_in(&WORDS, singular(word)))
}

#[cfg(test)]
mod tests {
    use super::Meaning::{Password, Token, Unclear};
    use super::{may_have_meaning, meaning, split_last};

    #[test]
    fn names_are_made_of_words() {
        for (name, last) in [
            ("dbPassword", "Password"),
            ("DB_PASSWORD", "PASSWORD"),
            ("APIKey", "Key"),
            ("password2", "password"),
            ("s3Key", "Key"),
            ("tls.key", "key"),
            ("grafana-admin_pass", "pass"),
            ("", ""),
            ("42", ""),
            ("ключ", ""),
        ] {
            assert_eq!(split_last(name).1, last, "{name}");
        }
    }

    #[test]
    fn most_documents_have_no_such_name() {
        for text in [
            "env:\n- name: A\n  valueFrom: {secretKeyRef: {name: db, key: user}}\n",
            "secretName: tls\nautomount: true\n",
            "a: b\n",
        ] {
            assert!(!may_have_meaning(text), "{text}");
        }
        for text in [
            "dbPassword: x",
            "{\"API_KEYS\": 1}",
            "kind:  Secret",
            "{\"kind\":\"Secret\"}",
            "\"\\u0070assword\": x",
            "sops:",
            "- name: DB_PASS",
        ] {
            assert!(may_have_meaning(text), "{text}");
        }
    }

    #[test]
    fn the_last_word_decides() {
        for (name, says) in [
            ("password", Some(Password)),
            ("adminPassword", Some(Password)),
            ("SMTP_PASS", Some(Password)),
            ("passwords", Some(Password)),
            ("postgresql-password", Some(Password)),
            ("passwordFile", None),
            ("passwordKey", None),
            ("existingSecretPasswordKey", None),
            ("proxy_pass", None),
            ("compass", None),
            ("token", Some(Token)),
            ("githubToken", Some(Token)),
            ("tokenExpiration", None),
            ("automountServiceAccountToken", Some(Token)),
            ("apiKey", Some(Token)),
            ("APIKey", Some(Token)),
            ("apikey", Some(Token)),
            ("api_keys", Some(Token)),
            ("secretAccessKey", Some(Token)),
            ("AWS_SECRET_ACCESS_KEY", Some(Token)),
            ("accessKey", None),
            ("accessKeyId", None),
            ("publicKey", None),
            ("secretKey", Some(Unclear)),
            ("clientSecret", Some(Token)),
            ("existingSecret", Some(Unclear)),
            ("imagePullSecrets", Some(Unclear)),
            ("secretName", None),
            ("credentials", Some(Unclear)),
            ("replicas", None),
        ] {
            assert_eq!(meaning(name), says, "{name}");
        }
    }
}
