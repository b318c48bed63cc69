//! Values that give themselves away: keys, tokens, and addresses that let in whoever knows them.

use super::super::{clues, rules, sops};
use super::Trace;
use super::names;

/// A literal, as far as its field's name decides what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Literal {
    /// One word, long enough for a token.
    pub(super) is_long: bool,
    /// Could be the name of an object.
    pub(super) is_name: bool,
    /// Is such a name, and says what it names: `github-token`.
    pub(super) refers: bool,
}

/// Tokens are longer.
const SHORTEST_TOKEN: usize = 8;

/// What a text is when it stands for itself; `None`: it is empty, a placeholder, encrypted, a hash or a path.
pub(super) fn literal(text: &str) -> Option<Literal> {
    let text = text.trim();
    if is_hash(text) || is_path(text) {
        return None;
    }
    datum(text)
}

/// What the datum of a Secret is when it stands for itself: there, a hash or a path is as good as a password.
pub(super) fn datum(text: &str) -> Option<Literal> {
    let text = text.trim();
    if text.is_empty() || stands_for_another(text) || is_filled_in_later(text) || is_open(text) {
        return None;
    }
    let is_name = is_object_name(text);
    Some(Literal {
        is_long: text.len() >= SHORTEST_TOKEN && !text.contains(char::is_whitespace),
        is_name,
        refers: is_name && names::says_what_it_names(text),
    })
}

/// Whether something else is put in its place: a variable, an expression of a template, a reference to a vault.
fn stands_for_another(text: &str) -> bool {
    const OPENINGS: [&str; 7] = ["{{", "<<", "$(", "ref+", "vault:", "op://", "<path:"];
    if sops::is_value(text) {
        return true;
    }
    if let Some(variable) = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')) {
        let default = variable.split_once(":=").or_else(|| variable.split_once(":-"));
        return default.is_none_or(|(_, default)| literal(default).is_none());
    }
    let is_variable = text.strip_prefix('$').is_some_and(|name| {
        !name.is_empty()
            && name
                .bytes()
                .all(|it| it.is_ascii_uppercase() || it.is_ascii_digit() || it == b'_')
    });
    is_variable || OPENINGS.iter().any(|opening| text.starts_with(opening)) || text.contains("{{")
}

/// Whether it is a certificate, a public key, or ciphertext in a frame, and nothing else.
fn is_open(text: &str) -> bool {
    const OPEN: [&str; 6] = [
        "CERTIFICATE",
        "CERTIFICATE REQUEST",
        "PUBLIC KEY",
        "PGP PUBLIC KEY BLOCK",
        "PGP MESSAGE",
        "AGE ENCRYPTED FILE",
    ];
    let mut labels = text.split("-----BEGIN ").skip(1);
    let is_framed = text.starts_with("-----BEGIN ");
    is_framed && labels.all(|rest| OPEN.iter().any(|label| rest.split("-----").next() == Some(label)))
}

/// Whether it is what a password was hashed to.
fn is_hash(text: &str) -> bool {
    const SCHEMES: [&str; 13] = [
        "$1$", "$2a$", "$2b$", "$2y$", "$5$", "$6$", "$y$", "$apr1$", "$argon2", "$pbkdf2", "$scrypt$",
        "{SHA", "{SSHA",
    ];
    SCHEMES.iter().any(|scheme| text.starts_with(scheme)) || text.starts_with("pbkdf2_")
}

/// Whether it is where a file is. What else begins with a slash may be base64.
fn is_path(text: &str) -> bool {
    const ROOTS: [&str; 10] = [
        "/etc/",
        "/var/",
        "/run/",
        "/mnt/",
        "/opt/",
        "/tmp/",
        "/home/",
        "/secrets/",
        "/vault/",
        "./",
    ];
    text.starts_with("file:") || ROOTS.iter().any(|root| text.starts_with(root))
}

/// Whether it only says that something belongs here.
fn is_filled_in_later(text: &str) -> bool {
    const WORDS: [&str; 16] = [
        "changeme",
        "change-me",
        "change_me",
        "replaceme",
        "replace-me",
        "redacted",
        "placeholder",
        "example",
        "dummy",
        "todo",
        "none",
        "null",
        "nil",
        "true",
        "false",
        "unused",
    ];
    let mut characters = text.chars();
    let first = characters.next();
    let is_repeated = characters.all(|it| Some(it) == first);
    let is_marked = text.starts_with('<') && text.ends_with('>');
    let begins = |word: &str| {
        text.get(..word.len())
            .is_some_and(|it| it.eq_ignore_ascii_case(word))
    };
    is_marked
        || is_repeated && text.starts_with(['x', 'X', '*', '.', '-', '#'])
        || WORDS.iter().any(|word| text.eq_ignore_ascii_case(word))
        || begins("your-")
        || begins("your_")
}

/// `metadata.name` of most kinds.
fn is_object_name(text: &str) -> bool {
    let is_allowed = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'-' || it == b'.';
    text.len() <= 253
        && text.bytes().all(is_allowed)
        && text.starts_with(|it: char| it.is_ascii_alphanumeric())
}

/// What gives a text away, whatever its field is called.
pub(super) fn trace(text: &str) -> Option<Trace> {
    if !clues::may_give_away(text) {
        return None;
    }
    if holds_private_key(text) {
        return Some(Trace::PrivateKey);
    }
    trace_of_line(text)
}

/// What the name of a variable says of its value.
pub(super) fn trace_of_name(name: &str, value: &str) -> Option<Trace> {
    let fits = names::meaning(name)?.fits(literal(value)?);
    fits.then_some(Trace::Name)
}

/// What gives an argument of a program away by its name: `--password=…`.
pub(super) fn trace_of_argument(text: &str) -> Option<Trace> {
    let argument = text.strip_prefix("--").or_else(|| text.strip_prefix('-'))?;
    let (name, value) = argument.split_once('=')?;
    let is_name = name
        .bytes()
        .all(|it| it.is_ascii_alphanumeric() || matches!(it, b'_' | b'-' | b'.'));
    trace_of_name(name, value).filter(|_| is_name)
}

/// What gives a line away, whatever its field is called.
fn trace_of_line(text: &str) -> Option<Trace> {
    if let Some(found) = rules::trace(text) {
        return Some(found);
    }
    if text.contains('=') && holds_connection_string(text) {
        return Some(Trace::ConnectionString);
    }
    addresses(text).find_map(|(before, after)| address(before, after))
}

/// What gives a line of a text away; it goes from `start` to `end`. A key begins in one line and goes on in others.
pub(super) fn trace_within(text: &str, start: usize, end: usize) -> Option<Trace> {
    let line = &text[start..end];
    let (has_address, has_more) = clues::of_value(line);
    if !has_more {
        return has_address.then(|| addresses(line).find_map(|(before, after)| address(before, after)))?;
    }
    if line.contains("PRIVATE KEY") || line.contains(AGE) {
        let end = text.ceil_char_boundary(text.len().min(end + LONGEST_FRAME));
        if holds_private_key(&text[start..end]) {
            return Some(Trace::PrivateKey);
        }
    }
    trace_of_line(line)
}

/// How the keys of age begin.
const AGE: &str = "AGE-";
/// Bytes between the frame of a key and what it frames.
const LONGEST_FRAME: usize = 512;
/// Characters of a key that are there at least: examples leave them out.
const SHORTEST_KEY: usize = 24;

fn holds_private_key(text: &str) -> bool {
    const KEYS: [&str; 3] = ["AGE-SECRET-KEY-1", "AGE-SECRET-KEY-PQ-1", "AGE-PLUGIN-"];
    let is_age = |opening: &str| {
        let mut keys = text.match_indices(opening);
        keys.any(|(at, _)| is_key_of_age(&text[at + opening.len()..]))
    };
    is_framed_key(text) || text.contains(AGE) && KEYS.into_iter().any(is_age)
}

fn is_key_of_age(rest: &str) -> bool {
    let is_part = |it: char| it.is_ascii_alphanumeric() || it == '-';
    let key = rest.split(|it| !is_part(it)).next().unwrap_or_default();
    key.len() >= 50 && is_varied(key)
}

/// Whether a frame is there, and something in it.
fn is_framed_key(text: &str) -> bool {
    let mut frames = text.match_indices("-----BEGIN ");
    frames.any(|(at, frame)| {
        let rest = &text[at + frame.len()..];
        let Some((label, body)) = rest.split_once("-----") else {
            return false;
        };
        let is_private = label.ends_with("PRIVATE KEY") || label.ends_with("PRIVATE KEY BLOCK");
        is_private && label.len() < 40 && has_body(body)
    })
}

/// Whether the first line in a frame that is no header is base64. In JSON and in quotes its end may be written out.
fn has_body(body: &str) -> bool {
    let end = body.floor_char_boundary(body.len().min(LONGEST_FRAME));
    let words =
        body[..end].split(|it: char| it.is_whitespace() || matches!(it, '\\' | '"' | '\'' | ',' | '|'));
    // The letters of `\n` and `\r` stay where their backslash was.
    let words = words.map(|word| word.trim_start_matches(['n', 'r']));
    let is_base64 = |word: &&str| {
        word.len() >= SHORTEST_KEY
            && word
                .bytes()
                .all(|it| it.is_ascii_alphanumeric() || matches!(it, b'+' | b'/' | b'='))
    };
    words.take(24).any(|word| is_base64(&word) && is_varied(word))
}

/// Examples repeat themselves, or say what they are.
fn is_varied(text: &str) -> bool {
    let mut seen = [false; 256];
    text.bytes().for_each(|it| seen[usize::from(it)] = true);
    let different = seen.iter().filter(|it| **it).count();
    different >= 8 && !text.contains("EXAMPLE")
}

/// Whether it names a password or a key among other settings: `Server=…;Password=…`.
fn holds_connection_string(text: &str) -> bool {
    const SETTINGS: [&str; 4] = ["password=", "pwd=", "sharedaccesskey=", "accountkey="];
    if !text.contains(';') {
        return false;
    }
    let mut settings = text.split(';').map(str::trim);
    settings.any(|setting| {
        let mut names = SETTINGS.iter();
        let value = names.find_map(|name| {
            let start = setting.get(..name.len())?;
            start.eq_ignore_ascii_case(name).then(|| &setting[name.len()..])
        });
        value.is_some_and(|value| literal(value).is_some())
    })
}

/// Addresses of one text that are looked at, and the bytes of each.
const MOST_ADDRESSES: usize = 50_000;
const LONGEST_ADDRESS: usize = 2048;

/// What is before and behind each `://`.
fn addresses(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.match_indices("://").take(MOST_ADDRESSES).map(|(at, found)| {
        let end = |it: char| it.is_whitespace() || matches!(it, '"' | '\'' | '<' | '>' | '`');
        let rest = &text[at + found.len()..];
        let rest = &rest[..rest.floor_char_boundary(LONGEST_ADDRESS)];
        (&text[..at], rest.split(end).next().unwrap_or_default())
    })
}

/// What gives an address away; `after` is what follows its `://`.
fn address(before: &str, after: &str) -> Option<Trace> {
    let scheme = before.rsplit(|it: char| !it.is_ascii_alphanumeric()).next();
    if scheme.is_none_or(str::is_empty) {
        return None;
    }
    let end = after.find(['/', '?', '#']).unwrap_or(after.len());
    let (authority, rest) = after.split_at(end);
    if let Some((user, _)) = authority.rsplit_once('@')
        && user
            .split_once(':')
            .is_some_and(|(_, password)| is_password(password))
    {
        return Some(Trace::UserInfo);
    }
    is_hook(host(authority), rest).then_some(Trace::Hook)
}

/// In examples the password is called password.
fn is_password(text: &str) -> bool {
    const WORDS: [&str; 6] = ["password", "passwd", "pass", "pw", "secret", "token"];
    literal(text).is_some() && !WORDS.contains(&text.to_ascii_lowercase().as_str())
}

fn host(authority: &str) -> &str {
    let host = authority.rsplit('@').next().unwrap_or_default();
    host.split(':').next().unwrap_or_default()
}

/// Whether whoever knows an address is let in: its path or its query is the credential.
fn is_hook(host: &str, rest: &str) -> bool {
    let host = host.to_ascii_lowercase();
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let follows = |opening: &str, parts: usize| {
        let parts_of = |rest: &str| rest.split('/').filter(|part| literal(part).is_some()).count();
        path.strip_prefix(opening)
            .is_some_and(|rest| parts_of(rest) >= parts)
    };
    match host.as_str() {
        "hooks.slack.com" | "hooks.slack-gov.com" => {
            return follows("/services/", 3) || follows("/workflows/", 3) || follows("/triggers/", 3);
        }
        "discord.com" | "discordapp.com" => return follows("/api/webhooks/", 2),
        "outlook.office.com" | "outlook.office365.com" => return follows("/webhook/", 1),
        "api.telegram.org" => return path.starts_with("/bot") && path.contains(':'),
        "open.feishu.cn" | "open.larksuite.com" => return follows("/open-apis/bot/v2/hook/", 1),
        _ if host.ends_with(".webhook.office.com") => return follows("/webhookb2/", 1),
        _ => {}
    }
    query
        .split('#')
        .next()
        .unwrap_or_default()
        .split('&')
        .any(is_credential)
}

/// Whether a parameter of a query is a credential.
fn is_credential(parameter: &str) -> bool {
    const NAMES: [&str; 8] = [
        "token",
        "access_token",
        "auth_token",
        "api_key",
        "apikey",
        "key",
        "sig",
        "secret",
    ];
    let Some((name, value)) = parameter.split_once('=') else {
        return false;
    };
    let is_named = NAMES.iter().any(|it| it.eq_ignore_ascii_case(name));
    is_named && literal(value).is_some_and(|it| it.is_long && !it.refers)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keys are put together here: a scanner of this file would take them for real ones.
    fn made_up(opening: &str, length: usize) -> String {
        let letters = "aB3dE5fG7hJ9kL2mN4pQ6rS8tU".chars().cycle();
        opening.chars().chain(letters.take(length)).collect()
    }

    #[test]
    fn placeholders_are_no_literals() {
        for text in [
            "",
            "  ",
            "${PASSWORD}",
            "${PASSWORD:=}",
            "$(PASSWORD)",
            "$PASSWORD",
            "{{ .Values.password }}",
            "prefix-{{ .x }}",
            "<< inputs.password >>",
            "<path:secret/data/db#password>",
            "ref+vault://db#/password",
            "vault:secret/data/db#password",
            "op://vault/item/field",
            sops::tests::VALUE,
            "CHANGEME",
            "<password>",
            "xxxxxxxx",
            "****",
            "your-password-here",
            "$2y$10$abcdefghijklmnopqrstuv",
            "{SSHA}abc",
            "/etc/secrets/password",
            "file:/run/token",
            "-----BEGIN CERTIFICATE-----\nMIIE\n-----END CERTIFICATE-----\n",
        ] {
            assert_eq!(literal(text), None, "{text}");
        }
        for text in [
            "hunter2",
            "${PASSWORD:=hunter2}",
            "$ecret",
            "a b",
            "/x9+Zq==",
            "pa{}ss",
        ] {
            assert!(literal(text).is_some(), "{text}");
        }
    }

    #[test]
    fn a_literal_may_be_the_name_of_an_object() {
        let told = |text| literal(text).map(|it| (it.is_long, it.is_name, it.refers));
        assert_eq!(told("db"), Some((false, true, false)));
        assert_eq!(told("github-token"), Some((true, true, true)));
        assert_eq!(told("abcdefgh1234"), Some((true, true, false)));
        assert_eq!(told("S3cr3t-Token"), Some((true, false, false)));
    }

    #[test]
    fn tokens_tell_their_issuer() {
        let token = made_up("ghp_", 36);
        assert_eq!(trace(&token), Some(Trace::Token("GitHub")));
        assert_eq!(
            trace(&format!("curl -H 'Authorization: {token}' x")),
            Some(Trace::Token("GitHub"))
        );
        assert_eq!(trace(&format!("x{token}")), None, "within a word");
        assert_eq!(trace("registry.example.com/some-image.with.dots:v1.2.3"), None);
    }

    #[test]
    fn private_keys_are_known_by_their_frame() {
        let framed = |label: &str, body: &str| {
            [
                "-----BEGIN ",
                label,
                "-----\n",
                body,
                "\n-----END ",
                label,
                "-----",
            ]
            .concat()
        };
        let body = made_up("MIIE", 60);
        for label in [
            "PRIVATE KEY",
            "RSA PRIVATE KEY",
            "OPENSSH PRIVATE KEY",
            "PGP PRIVATE KEY BLOCK",
        ] {
            assert_eq!(trace(&framed(label, &body)), Some(Trace::PrivateKey), "{label}");
        }
        let headed = format!("Proc-Type: 4,ENCRYPTED\n\n{body}");
        assert_eq!(
            trace(&framed("RSA PRIVATE KEY", &headed)),
            Some(Trace::PrivateKey)
        );
        let escaped = framed("PRIVATE KEY", &body).replace('\n', "\\n");
        assert_eq!(trace(&escaped), Some(Trace::PrivateKey));
        for example in [
            "...",
            "<your key>",
            "MIIE...",
            "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        ] {
            assert_eq!(trace(&framed("PRIVATE KEY", example)), None, "{example}");
        }
        assert_eq!(trace(&framed("CERTIFICATE", &body)), None);
        assert_eq!(trace(&framed("PUBLIC KEY", &body)), None);
        assert_eq!(trace(&made_up("AGE-SECRET-KEY-1", 58)), Some(Trace::PrivateKey));
        assert_eq!(
            trace(&made_up("AGE-SECRET-KEY-PQ-1", 58)),
            Some(Trace::PrivateKey)
        );
        assert_eq!(
            trace(&made_up("AGE-PLUGIN-YUBIKEY-1", 58)),
            Some(Trace::PrivateKey)
        );
        assert_eq!(trace("AGE-SECRET-KEY-1..."), None);
    }

    #[test]
    fn a_key_begins_in_a_line_and_goes_on_in_others() {
        let text = [
            "a: b\nkey: |\n  -----BEGIN PRIVATE",
            " KEY-----\n  ",
            &made_up("MIIE", 60),
            "\n",
        ]
        .concat();
        let start = text.find("  --").unwrap();
        let end = start + text[start..].find('\n').unwrap();
        assert_eq!(trace_within(&text, start, end), Some(Trace::PrivateKey));
        assert_eq!(trace_within(&text, 0, 4), None);
        assert_eq!(trace_within(&text[..end], start, end), None, "nothing is framed");
    }

    #[test]
    fn addresses_may_be_credentials() {
        for (text, found) in [
            ("https://me:hunter2@git.example.com/a", Some(Trace::UserInfo)),
            (
                "postgres://app:hunter2@db:5432/app?sslmode=require",
                Some(Trace::UserInfo),
            ),
            ("dsn is 'amqp://a:b@c' here", Some(Trace::UserInfo)),
            ("https://me:${PASSWORD}@git.example.com/a", None),
            ("postgres://user:password@localhost/db", None),
            ("ssh://git@git.example.com/a", None),
            ("https://git.example.com/a@b:c", None),
            ("https://hooks.slack.com/services/T0/B0/x1y2z3", Some(Trace::Hook)),
            ("https://hooks.slack.com/services/", None),
            ("https://discord.com/api/webhooks/12345/abcdef", Some(Trace::Hook)),
            ("https://discord.com/api/webhooks/12345", None),
            (
                "https://x.webhook.office.com/webhookb2/a@b/IncomingWebhook/c/d",
                Some(Trace::Hook),
            ),
            (
                "https://prod-1.westeurope.logic.azure.com/workflows/a?sig=abcdefgh12",
                Some(Trace::Hook),
            ),
            (
                "https://api.telegram.org/bot123:abc/sendMessage",
                Some(Trace::Hook),
            ),
            (
                "https://alerts.example.com/hook?token=abcdefgh12",
                Some(Trace::Hook),
            ),
            ("https://alerts.example.com/hook?tokens=abcdefgh12", None),
            ("https://alerts.example.com/hook?token=${TOKEN}", None),
            ("://", None),
            ("not an address", None),
        ] {
            assert_eq!(trace(text), found, "{text}");
        }
    }

    #[test]
    fn arguments_have_names() {
        assert_eq!(trace_of_argument("--db-password=hunter2"), Some(Trace::Name));
        for text in [
            "--db-password=$(DB_PASSWORD)",
            "--db-password-file=/etc/password",
            "--token=short",
            "password=hunter2",
            "--set x password=hunter2",
        ] {
            assert_eq!(trace_of_argument(text), None, "{text}");
        }
    }

    #[test]
    fn settings_in_one_line_may_hold_a_password() {
        assert_eq!(
            trace("Server=db;User Id=app;Password=hunter2;"),
            Some(Trace::ConnectionString)
        );
        assert_eq!(trace("Server=db;Password=${PASSWORD}"), None);
        assert_eq!(trace("password=hunter2"), None);
        assert_eq!(
            trace("Endpoint=sb://x.servicebus.windows.net/;SharedAccessKeyName=a;SharedAccessKey=abc="),
            Some(Trace::ConnectionString)
        );
    }
}
