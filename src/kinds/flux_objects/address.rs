//! Addresses, without the credentials that their authors may have written into them.

use serde::{Deserialize, Deserializer};

use super::Text;
use crate::secrets::inline::{self, Trace};

/// An address without user, password, query and, where that is a credential, path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Address {
    shown: Text,
    has_user: bool,
    trace: Option<Trace>,
}

impl Address {
    /// What may be shown of it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.shown.as_str()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.shown.is_empty() && self.trace.is_none()
    }

    /// Whether it names a user.
    #[must_use]
    pub const fn has_user(&self) -> bool {
        self.has_user
    }

    /// What gives away the credential in it; `None`: there is none.
    #[must_use]
    pub const fn trace(&self) -> Option<Trace> {
        self.trace
    }
}

impl From<&str> for Address {
    fn from(text: &str) -> Self {
        let (scheme, rest) = match text.split_once("://") {
            Some((scheme, rest)) => (Some(scheme).filter(|it| is_scheme(it)), rest),
            None => (None, text),
        };
        let end = rest.find(['/', '?', '#', ';']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let (user, host) = match authority.rsplit_once('@') {
            Some((user, host)) => (user, host),
            None => ("", authority),
        };
        let at_host = |path: &str| match scheme {
            Some(scheme) => format!("{scheme}://{host}{path}"),
            None => format!("{host}{path}"),
        };
        let shown = match inline::trace(&at_host(path)) {
            None => at_host(path.split(['?', '#', ';']).next().unwrap_or_default()),
            // Of settings that are no address nothing may be shown.
            Some(_) if !text.contains("://") => String::new(),
            Some(_) => at_host(""),
        };
        Self {
            shown: Text::from(shown.as_str()),
            has_user: !user.is_empty(),
            trace: inline::trace(text),
        }
    }
}

fn is_scheme(text: &str) -> bool {
    text.bytes()
        .all(|it| it.is_ascii_alphanumeric() || matches!(it, b'+' | b'-' | b'.'))
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        Ok(text.as_deref().map(Self::from).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_may_be_a_credential_is_kept() {
        for (text, shown, has_user, trace) in [
            (
                "https://git.example.com/a",
                "https://git.example.com/a",
                false,
                None,
            ),
            (
                "ssh://git@git.example.com/a@b",
                "ssh://git.example.com/a@b",
                true,
                None,
            ),
            (
                "HTTP://me:hunter2@git.example.com:8080/a?b=c#d",
                "HTTP://git.example.com:8080/a",
                true,
                Some(Trace::UserInfo),
            ),
            (
                "https://hooks.slack.com/services/T0/B0/x1y2z3",
                "https://hooks.slack.com",
                false,
                Some(Trace::Hook),
            ),
            ("minio.storage.svc:9000", "minio.storage.svc:9000", false, None),
            (
                "Endpoint=sb://x.example.com/;SharedAccessKey=abc=",
                "x.example.com",
                false,
                Some(Trace::ConnectionString),
            ),
            (
                "SharedAccessKey=abc=;Endpoint=sb://x.example.com/",
                "x.example.com/",
                false,
                Some(Trace::ConnectionString),
            ),
            (
                "Password=hunter2;Server=db",
                "",
                false,
                Some(Trace::ConnectionString),
            ),
            ("", "", false, None),
        ] {
            let address = Address::from(text);
            assert_eq!(address.as_str(), shown);
            assert_eq!((address.has_user(), address.trace()), (has_user, trace), "{text}");
        }
        assert!(Address::from("").is_empty());
    }
}
