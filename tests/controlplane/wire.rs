//! A way to a server that can be slowed, cut and swallowed. TLS passes through untouched.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::Context;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until};

/// How much is read at once.
const CHUNK: usize = 16 * 1024;
/// Chunks on their way in one direction: more would be a longer wire than any.
const ON_THE_WAY: usize = 256;

/// What the wire does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Everything passes.
    Through,
    /// Everything is swallowed and connections stay open, those that exist for ever: a load balancer forgot them.
    BlackHole,
    /// Connections are reset, new ones too.
    Refuse,
    /// Everything passes late, and so many bytes a second.
    Slow {
        /// On top, each way.
        latency: Duration,
        /// Each way, for each connection.
        bytes_per_second: u32,
    },
    /// A connection is reset after so many bytes of answers.
    CutAfter(u64),
}

/// A port of the loopback that leads to another one.
pub(crate) struct Wire {
    address: SocketAddr,
    mode: watch::Sender<Mode>,
    resets: watch::Sender<u64>,
    traffic: Arc<Traffic>,
    // Its end ends the thread.
    _end: watch::Sender<()>,
}

/// What passed, in bytes.
#[derive(Default)]
struct Traffic {
    asked: AtomicU64,
    answered: AtomicU64,
    connections: AtomicU64,
}

/// What all connections share.
#[derive(Clone)]
struct Line {
    server: String,
    mode: watch::Receiver<Mode>,
    resets: watch::Receiver<u64>,
    traffic: Arc<Traffic>,
}

impl Wire {
    /// Lays a wire to `host:port`; a scheme before it is passed over.
    ///
    /// # Errors
    /// There is no free port.
    pub(crate) fn lay(server: &str) -> anyhow::Result<Self> {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let (mode, resets, end) = (
            watch::Sender::new(Mode::Through),
            watch::Sender::new(0),
            watch::Sender::new(()),
        );
        let traffic = Arc::<Traffic>::default();
        let line = Line {
            server: server.rsplit('/').next().unwrap_or(server).to_owned(),
            mode: mode.subscribe(),
            resets: resets.subscribe(),
            traffic: traffic.clone(),
        };
        let mut ended = end.subscribe();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("no runtime for a wire")?;
        thread::spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = accept(listener, line) => {}
                    // Fails when the wire is gone.
                    _ = ended.changed() => {}
                }
            });
        });
        Ok(Self {
            address,
            mode,
            resets,
            traffic,
            _end: end,
        })
    }

    /// Where it begins, as an `https` URL.
    pub(crate) fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// Where it begins, as an `http` URL.
    pub(crate) fn plain_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on.
    pub(crate) fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }

    /// Resets every connection that is open.
    pub(crate) fn reset(&self) {
        self.resets.send_modify(|count| *count += 1);
    }

    /// Bytes towards the server so far, bytes from it, and connections.
    pub(crate) fn traffic(&self) -> [u64; 3] {
        let Traffic {
            asked,
            answered,
            connections,
        } = &*self.traffic;
        [asked, answered, connections].map(|count| count.load(Ordering::Relaxed))
    }
}

async fn accept(listener: std::net::TcpListener, line: Line) {
    let listener = TcpListener::from_std(listener).unwrap();
    while let Ok((near, _)) = listener.accept().await {
        line.traffic.connections.fetch_add(1, Ordering::Relaxed);
        tokio::spawn(line.clone().connect(near));
    }
}

impl Line {
    async fn connect(mut self, mut near: TcpStream) {
        self.resets.mark_unchanged();
        if *self.mode.borrow() == Mode::Refuse {
            return near.set_zero_linger().unwrap();
        }
        let Ok(mut far) = TcpStream::connect(&self.server).await else {
            return near.set_zero_linger().unwrap();
        };
        let (_, _) = (near.set_nodelay(true), far.set_nodelay(true));
        let (mut refuses, mut forgets) = (self.mode.clone(), self.mode.clone());
        let forgotten = AtomicBool::new(false);
        let forget = async {
            let _ = forgets.wait_for(|mode| *mode == Mode::BlackHole).await;
            forgotten.store(true, Ordering::Relaxed);
            std::future::pending::<()>().await;
        };
        let ended_well = {
            let (near_read, near_write) = near.split();
            let (far_read, far_write) = far.split();
            let (asked, answered) = (&self.traffic.asked, &self.traffic.answered);
            tokio::select! {
                ended_well = pump(near_read, far_write, &self.mode, &forgotten, asked, false) => ended_well,
                ended_well = pump(far_read, near_write, &self.mode, &forgotten, answered, true) => ended_well,
                _ = self.resets.changed() => false,
                _ = refuses.wait_for(|mode| *mode == Mode::Refuse) => false,
                () = forget => false,
            }
        };
        if !ended_well {
            near.set_zero_linger().unwrap();
        }
    }
}

/// Carries bytes one way, until there are none; false when the connection is to be reset.
async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mode: &watch::Receiver<Mode>,
    forgotten: &AtomicBool,
    count: &AtomicU64,
    is_answer: bool,
) -> bool {
    let (send, mut receive) = mpsc::channel::<(Instant, Vec<u8>)>(ON_THE_WAY);
    let read = async move {
        let mut buffer = vec![0; CHUNK];
        let mut passed = 0;
        loop {
            let length = match from.read(&mut buffer).await {
                Ok(0) => return true,
                Err(_) => return false,
                Ok(length) => length,
            };
            if forgotten.load(Ordering::Relaxed) {
                continue;
            }
            passed += length as u64;
            let now = *mode.borrow();
            let latency = match now {
                Mode::CutAfter(most) if is_answer && passed > most => return false,
                Mode::Slow { latency, .. } => latency,
                _ => Duration::ZERO,
            };
            let chunk = buffer[..length].to_vec();
            if send.send((Instant::now() + latency, chunk)).await.is_err() {
                return false;
            }
        }
    };
    let write = async move {
        while let Some((due, chunk)) = receive.recv().await {
            sleep_until(due).await;
            let now = *mode.borrow();
            if let Mode::Slow { bytes_per_second, .. } = now {
                let length = u32::try_from(chunk.len()).unwrap();
                sleep(Duration::from_secs(1) * length / bytes_per_second).await;
            }
            // What is on its way when the wire goes dead does not arrive.
            if forgotten.load(Ordering::Relaxed) {
                continue;
            }
            if to.write_all(&chunk).await.is_err() {
                return false;
            }
            count.fetch_add(chunk.len() as u64, Ordering::Relaxed);
        }
        true
    };
    let (read, write) = tokio::join!(read, write);
    read && write
}
