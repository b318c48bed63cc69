//! Servers and connections that fail.

use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::controlplane::scenario::{SHARED, installed_on, result, until};
use crate::controlplane::wire::Mode;
use crate::controlplane::{ControlPlane, Operator};
use crate::scene::{CONTROL, CONVERGENCE, Scene, operator_kubeconfig};

/// Row 2.
#[test]
fn a_killed_api_server_comes_back() {
    let mut scene = Scene::begin();
    scene.control_plane.apiserver().kill().unwrap();
    sleep(Duration::from_secs(5));
    scene.control_plane.revive_apiserver().unwrap();
    scene.control_plane.wait_until_ready().unwrap();
    scene.drift_and_conclude(2);
}
