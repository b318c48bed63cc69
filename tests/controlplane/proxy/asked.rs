//! What a request asks for, in Kubernetes' words.

use std::collections::HashMap;

use hyper::header::AUTHORIZATION;
use hyper::{Method, Request};

/// A request.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// As in RBAC: `list`, `watch`, ...
    pub(crate) verb: &'static str,
    /// Plural; the path itself where there is no resource, as in discovery.
    pub(crate) resource: String,
    /// Which page of a list it is, from 1; 0 for everything else.
    pub(crate) page: usize,
    /// The bearer's.
    pub(crate) token: String,
}

/// How far each list has come: a token for the next page does not tell.
#[derive(Default)]
pub(super) struct Pages(HashMap<String, usize>);

impl Asked {
    pub(super) fn of<B>(request: &Request<B>, pages: &mut Pages) -> Self {
        let target = Target::of(request.uri().path());
        let query = request.uri().query().unwrap_or_default();
        let verb = verb(request.method(), query, &target);
        let page = match verb {
            "list" => pages.next(&target.resource, query),
            _ => 0,
        };
        let token = request.headers().get(AUTHORIZATION);
        let token = token.and_then(|value| value.to_str().ok()).unwrap_or_default();
        Self {
            verb,
            resource: target.resource,
            page,
            token: token.trim_start_matches("Bearer ").to_owned(),
        }
    }
}

impl Pages {
    fn next(&mut self, resource: &str, query: &str) -> usize {
        let page = self.0.entry(resource.to_owned()).or_default();
        let goes_on = parameter(query, "continue").is_some_and(|token| !token.is_empty());
        *page = if goes_on { *page + 1 } else { 1 };
        *page
    }
}

/// What a path leads to.
struct Target {
    resource: String,
    is_named: bool,
}

impl Target {
    fn of(path: &str) -> Self {
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        let inside = match parts.as_slice() {
            ["api", _, inside @ ..] | ["apis", _, _, inside @ ..] => inside,
            _ => &[],
        };
        match inside {
            [] => Self {
                resource: path.to_owned(),
                is_named: true,
            },
            ["namespaces", _, resource, rest @ ..] | [resource, rest @ ..] => Self {
                resource: (*resource).to_owned(),
                is_named: !rest.is_empty(),
            },
        }
    }
}

fn verb(method: &Method, query: &str, target: &Target) -> &'static str {
    match *method {
        Method::POST => "create",
        Method::PUT => "update",
        Method::PATCH => "patch",
        Method::DELETE => "delete",
        _ if parameter(query, "watch").is_some_and(|watch| matches!(watch, "1" | "true" | "")) => "watch",
        _ if target.is_named => "get",
        _ => "list",
    }
}

fn parameter<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query.split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (key == name).then_some(value)
    })
}
