//! The artifact of a source: the files of a revision, as its controller serves them.

use serde::Deserialize;

use super::super::meta::null_as_default;
use super::sources::Fetched;
use super::{FluxObject, Status, Text, flux, flux_kind};

/// What a source has last made of its files. When it was looked for again is not kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Artifact {
    /// Where it is served.
    pub url: Text,
    /// `algorithm:sum` of its bytes.
    pub digest: Text,
    /// What it was made of.
    pub revision: Text,
}

/// An object that may have an artifact.
pub trait Publishes {
    /// Its artifact; `None`: there is none yet.
    fn artifact(&self) -> Option<&Artifact>;
}

/// What is read of the status of a source that nothing else is read of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The artifact.
    pub artifact: Option<Box<Artifact>>,
}

/// The part of a status that tells of the artifact.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct ArtifactWire {
    #[serde(deserialize_with = "null_as_default")]
    pub(super) artifact: Option<Box<Artifact>>,
}

impl Status for Stored {
    type Wire = ArtifactWire;
    fn new(wire: ArtifactWire, _generation: i64) -> Self {
        Self {
            artifact: wire.artifact,
        }
    }
}

/// `spec` of an ExternalArtifact: nothing of it is read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ExternalArtifactSpec {}

flux_kind!(
    /// Artifacts that somebody else than source-controller makes.
    ExternalArtifact,
    ExternalArtifactSpec,
    Stored,
    flux("source.toolkit.fluxcd.io", "ExternalArtifact", "externalartifacts", &["v1"])
);

impl<S> Publishes for FluxObject<S, Stored> {
    fn artifact(&self) -> Option<&Artifact> {
        self.status.artifact.as_deref()
    }
}

impl<S> Publishes for FluxObject<S, Fetched> {
    fn artifact(&self) -> Option<&Artifact> {
        self.status.artifact.as_deref()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::kinds::flux_objects::{Bucket, GitRepository};
    use crate::kinds::{Kind, Meta};

    fn row<K: Kind>(artifact: &Value, at: &str) -> K::Row {
        let mut status = json!({"observedGeneration": 3, "artifact": artifact});
        if let Some(artifact) = status["artifact"].as_object_mut() {
            artifact.insert("lastUpdateTime".into(), json!(at));
        }
        let object = json!({"metadata": {"name": "fleet"}, "status": status}).to_string();
        K::project(&Meta::default(), &object).unwrap().unwrap()
    }

    #[test]
    fn a_new_revision_is_a_change_and_another_look_at_it_is_none() {
        let artifact = |revision: &str| json!({"url": "http://a/b", "digest": "sha256:1", "revision": revision, "path": "b", "size": 7});
        let one = row::<GitRepository>(&artifact("main@sha1:1"), "10:00");
        assert!(one == row::<GitRepository>(&artifact("main@sha1:1"), "11:00"));
        assert!(one != row::<GitRepository>(&artifact("main@sha1:2"), "10:00"));
        assert_eq!(one.artifact().unwrap().revision.as_str(), "main@sha1:1");
        let bucket = row::<Bucket>(&artifact("sha256:1"), "10:00");
        assert!(bucket == row::<Bucket>(&artifact("sha256:1"), "11:00"));
    }

    #[test]
    fn a_source_may_have_none() {
        assert!(row::<GitRepository>(&Value::Null, "").artifact().is_none());
        assert!(row::<ExternalArtifact>(&Value::Null, "").artifact().is_none());
    }
}
