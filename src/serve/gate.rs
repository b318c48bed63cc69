//! Who may read the metrics over HTTPS: whoever the API server knows by a token, and lets `get` the path `/metrics`.
//!
//! The question is the one that controllers of the field ask: a TokenReview, then a SubjectAccessReview. Only who was let
//! in is remembered, and not for long; who was not is asked about anew, so that a right that is granted counts at once.
//! Whatever is in the way of an answer keeps the door shut.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec, UserInfo};
use k8s_openapi::api::authorization::v1::{
    NonResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec,
};
use kube::api::PostParams;
use kube::{Api, Client};
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use crate::cluster::sentence;

/// How long somebody who was let in is let in again without a question: a token that is revoked counts no longer.
const REMEMBERED: Duration = Duration::from_secs(10);
/// Of how many that is known at once.
const MOST: usize = 64;
/// Questions that are asked at once: strangers cannot make the API server busier than that.
const AT_ONCE: usize = 4;
/// How long somebody waits for an answer.
const PATIENCE: Duration = Duration::from_secs(8);
/// A longer token is none.
const LONGEST: usize = 16 * 1024;
/// What is read, as roles name it.
const PATH: &str = "/metrics";

/// Asks the API server about whoever wants to read.
#[derive(Clone)]
pub struct Gate(Arc<Inner>);

struct Inner {
    client: Client,
    turns: Semaphore,
    /// Until when a token opens, by its digest.
    admitted: Mutex<HashMap<[u8; 32], Instant>>,
    /// The problem that was logged last.
    said: Mutex<String>,
}

/// Why somebody does not get in.
#[derive(Debug)]
pub(super) enum Refusal {
    /// There is no token, or none that the API server knows.
    Unauthenticated,
    /// The API server knows this user, who may not read.
    Forbidden(String),
    /// The API server could not be asked.
    Unanswered,
}

/// Why the API server gave no answer.
#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error("it may not create {0}: apply the ClusterRole and the binding of config/secure-metrics")]
    NotAllowed(&'static str),
    #[error("the API server did not answer within {PATIENCE:?}")]
    Late,
    #[error(transparent)]
    Request(#[from] kube::Error),
}

impl Gate {
    /// A gate in front of the metrics.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self(Arc::new(Inner {
            client,
            turns: Semaphore::new(AT_ONCE),
            admitted: Mutex::default(),
            said: Mutex::default(),
        }))
    }

    /// Lets in whoever may read.
    pub(super) async fn admit(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let token = bearer(headers).ok_or(Refusal::Unauthenticated)?;
        let digest: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        if self.0.remembers(&digest) {
            return Ok(());
        }
        let answer = timeout(PATIENCE, self.0.ask(token)).await;
        match answer.unwrap_or(Err(Problem::Late)) {
            Ok(Ok(())) => {
                self.0.remember(digest);
                self.0.complain(None);
                Ok(())
            }
            Ok(Err(refusal)) => {
                self.0.complain(None);
                Err(refusal)
            }
            Err(problem) => {
                self.0.complain(Some(&problem));
                Err(Refusal::Unanswered)
            }
        }
    }
}

impl Inner {
    async fn ask(&self, token: &str) -> Result<Result<(), Refusal>, Problem> {
        // It is never closed; if it were, the door would stay shut.
        let Ok(_turn) = self.turns.acquire().await else {
            return Err(Problem::Late);
        };
        let Some(user) = self.who_is(token).await? else {
            return Ok(Err(Refusal::Unauthenticated));
        };
        let name = user.username.clone().unwrap_or_default();
        let may = self.may_read(user).await?;
        Ok(if may {
            Ok(())
        } else {
            Err(Refusal::Forbidden(name))
        })
    }

    /// Whose token it is; `None` when it is nobody's.
    async fn who_is(&self, token: &str) -> Result<Option<UserInfo>, Problem> {
        let review = TokenReview {
            spec: TokenReviewSpec {
                token: token.to_owned(),
                ..TokenReviewSpec::default()
            },
            ..TokenReview::default()
        };
        let reviews: Api<TokenReview> = Api::all(self.client.clone());
        let answer = reviews.create(&PostParams::default(), &review).await;
        let answer = answer.map_err(|error| problem(error, "tokenreviews.authentication.k8s.io"))?;
        let status = answer.status.unwrap_or_default();
        let is_known = status.authenticated == Some(true);
        Ok(status.user.filter(|_| is_known))
    }

    async fn may_read(&self, user: UserInfo) -> Result<bool, Problem> {
        let review = SubjectAccessReview {
            spec: SubjectAccessReviewSpec {
                user: user.username,
                uid: user.uid,
                groups: user.groups,
                extra: user.extra,
                non_resource_attributes: Some(NonResourceAttributes {
                    path: Some(PATH.to_owned()),
                    verb: Some("get".to_owned()),
                }),
                ..SubjectAccessReviewSpec::default()
            },
            ..SubjectAccessReview::default()
        };
        let reviews: Api<SubjectAccessReview> = Api::all(self.client.clone());
        let answer = reviews.create(&PostParams::default(), &review).await;
        let answer = answer.map_err(|error| problem(error, "subjectaccessreviews.authorization.k8s.io"))?;
        Ok(answer.status.is_some_and(|status| status.allowed))
    }

    fn remembers(&self, digest: &[u8; 32]) -> bool {
        let admitted = self.admitted.lock().unwrap_or_else(PoisonError::into_inner);
        admitted.get(digest).is_some_and(|until| Instant::now() < *until)
    }

    fn remember(&self, digest: [u8; 32]) {
        let now = Instant::now();
        let mut admitted = self.admitted.lock().unwrap_or_else(PoisonError::into_inner);
        admitted.retain(|_, until| now < *until);
        if admitted.len() < MOST {
            admitted.insert(digest, now + REMEMBERED);
        }
    }

    /// Logs a problem when it is another one than before.
    fn complain(&self, problem: Option<&Problem>) {
        let now = problem.map(|it| sentence(it)).unwrap_or_default();
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if *said == now {
            return;
        }
        if now.is_empty() {
            tracing::info!("metrics: the API server tells again who may read them");
        } else {
            tracing::warn!("metrics are not served, as it is not known who may read them: {now}");
        }
        *said = now;
    }
}

fn problem(error: kube::Error, resource: &'static str) -> Problem {
    match &error {
        kube::Error::Api(status) if status.code == 403 => Problem::NotAllowed(resource),
        _ => Problem::Request(error),
    }
}

/// The token of `Authorization: Bearer …`, when there is exactly one such header.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut given = headers.get_all(AUTHORIZATION).iter();
    let (first, second) = (given.next()?, given.next());
    if second.is_some() {
        return None;
    }
    let (scheme, token) = first.to_str().ok()?.split_once(' ')?;
    let token = token.trim();
    let is_token = !token.is_empty() && token.len() <= LONGEST && !token.contains(' ');
    (scheme.eq_ignore_ascii_case("bearer") && is_token).then_some(token)
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::Unauthenticated => (
                StatusCode::UNAUTHORIZED,
                [(WWW_AUTHENTICATE, "Bearer")],
                "a token that the API server knows is needed: Authorization: Bearer …\n",
            )
                .into_response(),
            Self::Forbidden(user) => (
                StatusCode::FORBIDDEN,
                format!(
                    "{user} may not get {PATH}: bind it to the ClusterRole flux-security-metrics-reader\n"
                ),
            )
                .into_response(),
            Self::Unanswered => (
                StatusCode::SERVICE_UNAVAILABLE,
                "the API server does not tell who may read this; the log says why\n",
            )
                .into_response(),
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderValue};

    use super::{AUTHORIZATION, LONGEST, bearer};

    fn headers(values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    #[test]
    fn one_token_is_taken_from_one_header() {
        assert_eq!(bearer(&headers(&["Bearer abc"])), Some("abc"));
        assert_eq!(bearer(&headers(&["bearer  abc "])), Some("abc"));
    }

    #[test]
    fn whatever_else_is_no_token() {
        let long = format!("Bearer {}", "a".repeat(LONGEST + 1));
        for values in [
            &[][..],
            &[""],
            &["Bearer"],
            &["Bearer "],
            &["Basic abc"],
            &["Bearer a b"],
            &["Bearer a", "Bearer b"],
            &[&long],
        ] {
            assert_eq!(bearer(&headers(values)), None, "{values:?}");
        }
    }
}
