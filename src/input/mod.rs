//! Reads manifests from files, folders and standard input, by as many threads as there are cores. What cannot be read is
//! told by name, and the rest goes on.

mod walk;

use std::collections::BTreeMap;
use std::fmt::Display;
use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use walk::Entry;

use crate::api::{self, report::Location};
use crate::custom::{self, Demands};
use crate::engine::FindingPosture;
use crate::kinds::own::PolicyRow;
use crate::manifests::read::{File as Origin, Harvest};
use crate::manifests::split::{Cut, Piece, Splitter};
use crate::manifests::{self, Audited, Manifests, Waived, World, is_kustomization};
use crate::secrets::{Gap, LONGEST_FILE};

/// How much text goes to a reader at once.
const BATCH: usize = 128 * 1024;
/// Room for deep documents.
const STACK: usize = 16 * 1024 * 1024;
/// When work is so long that somebody wants to know of it.
const LONG: Duration = Duration::from_secs(1);
/// Standard input, as it is named on the command line.
const STDIN: &str = "-";

/// Audits the manifests of these files and folders; `-` is standard input.
///
/// # Errors
/// A thread cannot be started.
pub fn audit(paths: &[PathBuf], name: &str, policy: &PolicyRow) -> io::Result<Audited> {
    audit_with(paths, name, policy, Waived::default(), |_| {})
}

/// The same with waivers, and with a look at what is known of each cluster among the manifests.
///
/// # Errors
/// A thread cannot be started.
pub fn audit_with(
    paths: &[PathBuf],
    name: &str,
    policy: &PolicyRow,
    waived: Waived,
    look: impl FnMut(&World<'_>),
) -> io::Result<Audited> {
    let asked = Arc::new(custom::demands(&policy.spec.custom_controls));
    let mut manifests = read(paths, &asked)?;
    manifests.waive(waived);
    let mut audited = manifests.audit_with(name, policy, look);
    audited.posture.findings.edit(|found| find_lines(found));
    Ok(audited)
}

/// Text on its way to a reader: pieces of files, and whole files.
#[derive(Default)]
struct Load {
    text: Vec<u8>,
    parts: Vec<Part>,
}

/// A part of the text.
struct Part {
    path: Arc<str>,
    /// Where it ends in the text.
    end: usize,
    /// Of which file of manifests it is a piece, and the piece without its text; `None`: it is a whole file, and none of
    /// manifests.
    piece: Option<(Origin, Piece<'static>)>,
}

impl Load {
    fn push(&mut self, file: Origin, path: &Arc<str>, piece: &Piece<'_>) {
        self.text.extend_from_slice(piece.text);
        self.end(path, Some((file, Piece { text: &[], ..*piece })));
    }

    /// Ends a part whose text is there.
    fn end(&mut self, path: &Arc<str>, piece: Option<(Origin, Piece<'static>)>) {
        self.parts.push(Part {
            path: path.clone(),
            end: self.text.len(),
            piece,
        });
    }

    fn read(&self, harvest: &mut Harvest) {
        let mut from = 0;
        for Part { path, end, piece } in &self.parts {
            let text = &self.text[from..*end];
            from = *end;
            let Some((file, piece)) = piece else {
                harvest.scan.file(path, text);
                continue;
            };
            let piece = Piece { text, ..*piece };
            harvest.scan(path, &Cut::Piece(piece));
            harvest.read(*file, &piece);
        }
    }

    /// Room for others.
    fn empty(&mut self) {
        self.text.clear();
        self.text.shrink_to(2 * BATCH);
        self.parts.clear();
    }
}

fn read(paths: &[PathBuf], asked: &Arc<Demands>) -> io::Result<Manifests> {
    let readers = thread::available_parallelism().map_or(1, usize::from);
    let (send, receive) = sync_channel::<Load>(readers);
    let receive = Mutex::new(receive);
    let (give_back, spare) = channel();
    thread::scope(|scope| {
        let mut handles = Vec::new();
        for _ in 0..readers {
            let builder = thread::Builder::new().stack_size(STACK);
            let (loads, give_back) = (&receive, give_back.clone());
            handles.push(builder.spawn_scoped(scope, move || harvest(loads, &give_back, asked))?);
        }
        let mut cutter = Cutter::new(send, spare);
        for path in paths {
            cutter.path(path);
        }
        let (files, mut whole) = cutter.finish();
        for handle in handles {
            let part = handle
                .join()
                .map_err(|_| io::Error::other("a reader of manifests panicked"))?;
            whole.merge(part);
        }
        whole.asked = asked.clone();
        Ok(Manifests::new(files, whole))
    })
}

/// What one reader has read when there is no more. Room goes back to where it is filled.
fn harvest(loads: &Mutex<Receiver<Load>>, give_back: &Sender<Load>, asked: &Arc<Demands>) -> Harvest {
    let mut harvest = Harvest::asking(asked);
    loop {
        let next = match loads.lock() {
            Ok(loads) => loads.recv(),
            Err(_) => break,
        };
        let Ok(mut load) = next else { break };
        load.read(&mut harvest);
        load.empty();
        // Whoever fills it may have ended.
        let _ = give_back.send(load);
    }
    harvest
}

/// Cuts files into pieces and hands them out.
struct Cutter {
    send: SyncSender<Load>,
    spare: Receiver<Load>,
    load: Load,
    files: Vec<Arc<str>>,
    /// What is found out without reading.
    own: Harvest,
    room: Vec<u8>,
    progress: Progress,
}

impl Cutter {
    fn new(send: SyncSender<Load>, spare: Receiver<Load>) -> Self {
        Self {
            send,
            spare,
            load: Load::default(),
            files: Vec::new(),
            own: Harvest::default(),
            room: Vec::new(),
            progress: Progress::default(),
        }
    }

    fn path(&mut self, path: &Path) {
        if path.as_os_str() == STDIN {
            let name = "standard input".into();
            let file = self.name(&name, true);
            self.stream(file, &name, io::stdin().lock());
            return;
        }
        self.own.scan.root(&path.to_string_lossy());
        let mut files = walk::files(path);
        let mut is_empty = true;
        for found in &mut files {
            is_empty &= matches!(found, Ok(Entry::Other(_)));
            match found {
                Ok(Entry::Manifest(found)) => self.file(&found, found == path),
                Ok(Entry::Other(found)) => self.other(&found),
                Err((path, error)) => self.fail(&path, &error),
            }
        }
        self.own.skip_templates(files.templates);
        if is_empty {
            self.fail(
                path,
                &"has no file that is called like a manifest, such as *.yaml",
            );
        }
    }

    fn file(&mut self, path: &Path, is_named: bool) {
        let name = path.to_string_lossy().into();
        let file = self.name(&name, is_named);
        match File::open(path) {
            Ok(source) => self.stream(file, &name, source),
            Err(error) => {
                self.own.scan.not_read(&name, Gap::Unreadable);
                self.own.complain(file.at(0), error.to_string());
            }
        }
    }

    /// A file that has no objects, and may have secrets.
    fn other(&mut self, path: &Path) {
        let name: Arc<str> = path.to_string_lossy().into();
        let text = &mut self.load.text;
        let begin = text.len();
        let most = LONGEST_FILE as u64 + 1;
        let gap = match File::open(path).and_then(|source| source.take(most).read_to_end(text)) {
            Ok(length) if length <= LONGEST_FILE => {
                self.load.end(&name, None);
                return self.hand_out_when_full();
            }
            Ok(_) => Gap::TooLarge,
            Err(_) => Gap::Unreadable,
        };
        text.truncate(begin);
        self.own.scan.not_read(&name, gap);
    }

    fn fail(&mut self, path: &Path, why: &dyn Display) {
        let name = path.to_string_lossy().into();
        let file = self.name(&name, true);
        self.own.scan.not_read(&name, Gap::Unreadable);
        self.own.complain(file.at(0), why.to_string());
    }

    fn name(&mut self, name: &Arc<str>, is_named: bool) -> Origin {
        let number = u32::try_from(self.files.len()).unwrap_or(u32::MAX);
        self.files.push(name.clone());
        Origin {
            number,
            is_named,
            is_kustomization: is_kustomization(name),
        }
    }

    fn stream(&mut self, file: Origin, name: &Arc<str>, source: impl Read) {
        let mut splitter = Splitter::with_room(source, std::mem::take(&mut self.room));
        let mut is_empty = true;
        while let Some(cut) = splitter.next_cut().transpose() {
            is_empty = false;
            match cut {
                Ok(Cut::Piece(piece)) => {
                    self.load.push(file, name, &piece);
                    self.progress.saw_one();
                }
                Ok(cut) => {
                    self.own.scan(name, &cut);
                    self.own.take(file, &cut);
                }
                Err(error) => {
                    self.own.scan.not_read(name, Gap::Unreadable);
                    self.own.complain(file.at(0), error.to_string());
                    break;
                }
            }
            self.hand_out_when_full();
        }
        self.own.end(file, is_empty);
        self.room = splitter.into_room();
    }

    fn hand_out_when_full(&mut self) {
        if self.load.text.len() >= BATCH {
            self.hand_out();
        }
    }

    fn hand_out(&mut self) {
        let spare = self.spare.try_recv().unwrap_or_default();
        // Readers that are gone have panicked: that is told when they are waited for.
        let _ = self.send.send(std::mem::replace(&mut self.load, spare));
    }

    fn finish(mut self) -> (Vec<Arc<str>>, Harvest) {
        self.hand_out();
        self.progress.end();
        (self.files, self.own)
    }
}

/// Tells a person who waits how far it is.
struct Progress {
    is_told: bool,
    began: Instant,
    told: Option<Instant>,
    documents: usize,
}

impl Default for Progress {
    fn default() -> Self {
        Self {
            is_told: io::stderr().is_terminal(),
            began: Instant::now(),
            told: None,
            documents: 0,
        }
    }
}

impl Progress {
    fn saw_one(&mut self) {
        self.documents += 1;
        if !self.is_told || self.told.unwrap_or(self.began).elapsed() < LONG {
            return;
        }
        self.told = Some(Instant::now());
        let _ = write!(io::stderr(), "\r{} documents read", self.documents);
    }

    fn end(&self) {
        if self.told.is_some() {
            let _ = write!(io::stderr(), "\r\u{1b}[K");
        }
    }
}

/// Looks up the lines that findings are about. Only files with findings are read again.
fn find_lines(found: &mut [Arc<FindingPosture>]) {
    let mut by_file: BTreeMap<String, BTreeMap<u32, Vec<usize>>> = BTreeMap::new();
    for (at, finding) in found.iter().enumerate() {
        let location = &finding.finding.location;
        let Some(line) = location.line.and_then(|line| u32::try_from(line).ok()) else {
            continue;
        };
        let is_whole = location.part().is_empty();
        // What is about the input as a whole is about a line of a file already.
        let is_of_object = !finding.finding.resource.api_version.starts_with(api::GROUP);
        if location.file.is_empty() || is_whole || !is_of_object {
            continue;
        }
        let lines = by_file.entry(location.file.clone()).or_default();
        lines.entry(line).or_default().push(at);
    }
    let mut room = Vec::new();
    for (file, wanted) in by_file {
        // Pipes have been read, and what is gone meanwhile keeps the lines of its objects.
        if !Path::new(&file).is_file() {
            continue;
        }
        if let Ok(source) = File::open(&file) {
            let _ = find_lines_in(source, &mut room, &wanted, found);
        }
    }
    found.sort_by(|a, b| a.finding.cmp(&b.finding));
}

fn find_lines_in(
    source: impl Read,
    room: &mut Vec<u8>,
    wanted: &BTreeMap<u32, Vec<usize>>,
    found: &mut [Arc<FindingPosture>],
) -> io::Result<()> {
    let mut splitter = Splitter::with_room(source, std::mem::take(room));
    let mut left = wanted.len();
    while left > 0
        && let Some(cut) = splitter.next_cut()?
    {
        let Cut::Piece(piece) = cut else { continue };
        let Some(findings) = wanted.get(&piece.line) else {
            continue;
        };
        left -= 1;
        let place = |at: &usize| &found[*at].finding.location;
        let places: Vec<&Location> = findings.iter().map(place).collect();
        let Some(lines) = manifests::lines_within(&piece, &places) else {
            continue;
        };
        for (at, line) in findings.iter().zip(lines) {
            let finding = Arc::make_mut(&mut found[*at]);
            finding.finding.location.line = i32::try_from(line).ok();
        }
    }
    *room = splitter.into_room();
    Ok(())
}
