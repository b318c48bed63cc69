//! Names of fields that hold passwords, tokens and keys.

use super::shapes::Literal;

/// What a name says of its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::secrets) enum Meaning {
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

/// Bytes before the end of a name that its words are looked for in.
const NAME_AND_BEFORE: usize = 96;

/// Whether a word of a text, which begins and ends there, may belong to a name with a meaning. The text may be YAML, JSON
/// or anything in it: what stands before the name may be a part of it, and what is written out a letter of it.
pub(in crate::secrets) fn may_mean(text: &str, start: usize) -> bool {
    let bytes = text.as_bytes();
    let is_part = |it: &&u8| it.is_ascii_alphanumeric() || matches!(it, b'_' | b'-' | b'.');
    let before = bytes[..start].iter().rev().take(LONGEST);
    let first = start - before.take_while(is_part).count();
    let end = start + bytes[start..].iter().take(LONGEST).take_while(is_part).count();
    let name = text.get(first..end).unwrap_or_default();
    let is_written_out = bytes[..first].ends_with(b"\\");
    let rest = || name.get(1..).is_some_and(|rest| meaning(rest).is_some());
    let around = || &text[text.floor_char_boundary(end.saturating_sub(NAME_AND_BEFORE))..end];
    meaning(name).is_some() || is_written_out && rest() || meaning(around()).is_some()
}

/// Whether a name can have a meaning at all, by the last three letters of its last word. Most have none.
fn may_end_so(name: &str) -> bool {
    let letters = name
        .trim_end_matches(|it: char| !it.is_ascii_alphabetic())
        .as_bytes();
    let ends = |letters: &[u8]| {
        let [.., one, two, three] = letters else {
            return false;
        };
        let last = [one, two, three].map(u8::to_ascii_lowercase);
        matches!(
            &last,
            b"ord" | b"swd" | b"ase" | b"ode" | b"ass" | b"pwd" | b"ken" | b"key" | b"ret" | b"ial"
        )
    };
    ends(letters) || letters.split_last().is_some_and(|(_, letters)| ends(letters))
}

/// What a name says of its value; `None`: nothing about secrets.
///
/// The last word decides: `dbPassword` and `DB_PASSWORD` are passwords, `passwordFile` and `password-key` are not.
pub(in crate::secrets) fn meaning(name: &str) -> Option<Meaning> {
    if name.len() > LONGEST || !may_end_so(name) {
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
    use super::{may_mean, meaning, split_last};

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
    fn a_name_may_be_longer_than_it_looks() {
        let may = |text: &str, word: &str| may_mean(text, text.find(word).unwrap());
        for (text, word) in [
            ("dbPassword: x", "Pass"),
            ("{\"API_KEYS\": 1}", "KEY"),
            ("api key: x", "key"),
            ("api/key: x", "key"),
            ("kind:  Secret", "Secret"),
            (r"a\npassword: x", "pass"),
            ("- name: DB_PASS", "PASS"),
            ("- path: /spec/password", "pass"),
        ] {
            assert!(may(text, word), "{text}");
        }
        for (text, word) in [
            ("{secretKeyRef: {name: db, key: user}}", "secret"),
            ("secretName: tls", "secret"),
            ("key: user", "key"),
            ("passwordFile: x", "pass"),
        ] {
            assert!(!may(text, word), "{text}");
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
