//! Values that give themselves away: keys, tokens, and addresses that let in whoever knows them.

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
    if text.is_empty()
        || stands_for_another(text)
        || is_hash(text)
        || is_path(text)
        || is_filled_in_later(text)
    {
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
    const OPENINGS: [&str; 8] = [
        "{{",
        "<<",
        "$(",
        "ref+",
        "vault:",
        "op://",
        "<path:",
        "ENC[AES256_GCM,",
    ];
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
    if holds_private_key(text) {
        return Some(Trace::PrivateKey);
    }
    if let Some(token) = runs(text).find_map(token) {
        return Some(token);
    }
    if text.contains('=') && holds_connection_string(text) {
        return Some(Trace::ConnectionString);
    }
    addresses(text).find_map(|(before, after)| address(before, after))
}

fn holds_private_key(text: &str) -> bool {
    const AGE: [&str; 2] = ["AGE-SECRET-KEY-1", "AGE-SECRET-KEY-PQ-1"];
    let is_age = |opening: &str| {
        text.split_once(opening)
            .is_some_and(|(_, key)| key.bytes().take_while(u8::is_ascii_alphanumeric).count() >= 50)
    };
    text.contains("-----BEGIN") && text.contains("PRIVATE KEY") || AGE.into_iter().any(is_age)
}

/// The parts of a text that may be tokens.
fn runs(text: &str) -> impl Iterator<Item = &str> {
    let runs = text.split(|it: char| !(it.is_ascii_alphanumeric() || matches!(it, '_' | '-' | '.')));
    runs.filter(|run| run.len() >= 20)
}

/// How a token begins, how many characters follow at least, and who issues it.
const TOKENS: [(&str, usize, &str); 32] = [
    ("ghp_", 36, "GitHub"),
    ("gho_", 36, "GitHub"),
    ("ghu_", 36, "GitHub"),
    ("ghs_", 36, "GitHub"),
    ("ghr_", 36, "GitHub"),
    ("github_pat_", 60, "GitHub"),
    ("glpat-", 20, "GitLab"),
    ("gldt-", 20, "GitLab"),
    ("glrt-", 20, "GitLab"),
    ("glptt-", 40, "GitLab"),
    ("glagent-", 50, "GitLab"),
    ("ATATT3", 100, "Atlassian"),
    ("xoxb-", 20, "Slack"),
    ("xoxp-", 20, "Slack"),
    ("xapp-", 20, "Slack"),
    ("AKIA", 16, "AWS"),
    ("ASIA", 16, "AWS"),
    ("AIza", 35, "Google"),
    ("hvs.", 24, "Vault"),
    ("hvb.", 24, "Vault"),
    ("npm_", 36, "npm"),
    ("pypi-", 50, "PyPI"),
    ("dckr_pat_", 20, "Docker"),
    ("dop_v1_", 64, "DigitalOcean"),
    ("glsa_", 32, "Grafana"),
    ("glc_", 32, "Grafana"),
    ("dt0c01.", 24, "Dynatrace"),
    ("NRAK-", 20, "New Relic"),
    ("SG.", 40, "SendGrid"),
    ("sk_live_", 20, "Stripe"),
    ("rk_live_", 20, "Stripe"),
    ("hf_", 30, "Hugging Face"),
];

/// The token that a run is.
fn token(run: &str) -> Option<Trace> {
    if is_signed_token(run) {
        return Some(Trace::SignedToken);
    }
    let mut tokens = TOKENS.iter();
    let found = tokens.find(|(opening, least, _)| {
        run.strip_prefix(opening)
            .is_some_and(|rest| rest.len() >= *least && is_random(rest))
    });
    found.map(|(.., issuer)| Trace::Token(issuer))
}

/// Examples repeat themselves, or say what they are.
fn is_random(text: &str) -> bool {
    let mut seen = [false; 256];
    text.bytes().for_each(|it| seen[usize::from(it)] = true);
    let different = seen.iter().filter(|it| **it).count();
    different >= 8 && !text.contains("EXAMPLE")
}

/// Whether it is a JSON Web Token.
fn is_signed_token(run: &str) -> bool {
    let mut parts = run.split('.');
    let mut is_part = |opening: &str| {
        parts
            .next()
            .is_some_and(|part| part.starts_with(opening) && part.len() >= 10)
    };
    is_part("eyJ") && is_part("eyJ") && is_part("") && is_random(run)
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

/// What is before and behind each `://`.
fn addresses(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.match_indices("://").map(|(at, found)| {
        let end = |it: char| it.is_whitespace() || matches!(it, '"' | '\'' | '<' | '>' | '`');
        let rest = &text[at + found.len()..];
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

    /// Tokens are put together here: a scanner of this file would take them for real ones.
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
            "ENC[AES256_GCM,data:a,iv:b,tag:c,type:str]",
            "CHANGEME",
            "<password>",
            "xxxxxxxx",
            "****",
            "your-password-here",
            "$2y$10$abcdefghijklmnopqrstuv",
            "{SSHA}abc",
            "/etc/secrets/password",
            "file:/run/token",
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
        for (opening, least, issuer) in TOKENS {
            let token = made_up(opening, least.max(20));
            assert_eq!(trace(&token), Some(Trace::Token(issuer)), "{opening}");
            assert_eq!(
                trace(&format!("curl -H 'Authorization: {token}' x")),
                Some(Trace::Token(issuer))
            );
            assert_eq!(trace(&format!("x{token}")), None, "{opening} within a word");
            assert_eq!(
                trace(&format!("{opening}{}", "x".repeat(least))),
                None,
                "an example"
            );
        }
        assert_eq!(trace("AKIAIOSFODNN7EXAMPLE"), None);
        let signed = [
            "eyJhbGciOiJIUzI1NiJ9",
            "eyJzdWIiOiIxMjM0NSJ9",
            "dGhpcyBpcyBub3QgYSBzaWc",
        ]
        .join(".");
        assert_eq!(trace(&signed), Some(Trace::SignedToken));
        assert_eq!(trace("registry.example.com/some-image.with.dots:v1.2.3"), None);
    }

    #[test]
    fn private_keys_are_known_by_their_frame() {
        let pem = [
            "-----BEGIN RSA ",
            "PRIVATE KEY-----\nMIIE\n-----END RSA ",
            "PRIVATE KEY-----",
        ]
        .concat();
        assert_eq!(trace(&pem), Some(Trace::PrivateKey));
        assert_eq!(trace("-----BEGIN CERTIFICATE-----\nMIIE"), None);
        assert_eq!(trace(&made_up("AGE-SECRET-KEY-1", 58)), Some(Trace::PrivateKey));
        assert_eq!(
            trace(&made_up("AGE-SECRET-KEY-PQ-1", 58)),
            Some(Trace::PrivateKey)
        );
        assert_eq!(trace("AGE-SECRET-KEY-1..."), None);
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
