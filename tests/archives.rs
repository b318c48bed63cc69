//! Archives against the code that Flux takes them apart with.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod controlplane;
#[path = "artifacts/pack.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod pack;
#[path = "support/random.rs"]
mod random;

use controlplane::programs;
use flux_security_operator::artifacts::archive::{self, Files, Limits};
use flux_security_operator::secrets::Gap;
use pack::{Tar, gz};
use random::Random;
use serde_json::{Value, json};

const ARCHIVES: usize = 3_000;

/// What an archive has, in order.
#[derive(Default)]
struct Kept {
    files: Vec<(String, Vec<u8>)>,
    gaps: Vec<Gap>,
}

impl Files for Kept {
    fn file(&mut self, path: &str, content: &[u8]) {
        if !content.is_empty() {
            self.files.push((path.to_owned(), content.to_vec()));
        }
    }

    fn not_read(&mut self, _path: &str, gap: Gap) {
        self.gaps.push(gap);
    }
}

fn ours(archive: &[u8]) -> Kept {
    let mut kept = Kept::default();
    archive::read(archive, &Limits::default(), &mut kept);
    kept
}

/// What Go finds: files that have a content, and whether it comes to the end. Flux writes empty ones for hard links.
fn theirs(answer: &Value) -> (Vec<(String, Vec<u8>)>, bool) {
    let bytes = |value: &Value| from_base64(value.as_str().unwrap_or_default());
    let file = |file: &Value| {
        let name = String::from_utf8_lossy(&bytes(&file["name"])).into_owned();
        let name = name.strip_prefix("./").unwrap_or(&name).to_owned();
        (name, bytes(&file["content"]))
    };
    let files = answer["files"].as_array().unwrap().iter().map(file);
    let files = files.filter(|(_, content)| !content.is_empty()).collect();
    (files, answer["whole"].as_bool().unwrap())
}

#[test]
fn what_flux_would_unpack_is_looked_at_or_told_of() {
    let mut random = Random(0x0a2c_417e);
    let archives: Vec<Vec<u8>> = (0..ARCHIVES).map(|_| archive(&mut random)).collect();
    let line = |archive: &Vec<u8>| format!("{}\n", json!({"archive": to_base64(archive)}));
    let requests: String = archives.iter().map(line).collect();
    let answers = programs::ask_oracle(&requests).unwrap();
    let (mut whole, mut broken) = (0, 0);
    for (archive, answer) in archives.iter().zip(&answers) {
        let (wanted, is_whole) = theirs(answer);
        let kept = ours(archive);
        let goes_on = |gap: &Gap| matches!(gap, Gap::Special | Gap::Name | Gap::Trailing);
        let has_stopped = !kept.gaps.iter().all(goes_on);
        // What both have read is the same, in the same order; what Go alone has read is behind a gap.
        let both = wanted.len().min(kept.files.len());
        assert_eq!(wanted[..both], kept.files[..both], "{}", to_base64(archive));
        assert!(
            has_stopped || both == wanted.len(),
            "{:?} {}",
            kept.gaps,
            to_base64(archive)
        );
        whole += usize::from(!has_stopped);
        broken += usize::from(!is_whole);
    }
    assert!(
        whole > ARCHIVES / 5 && broken > ARCHIVES / 5,
        "{whole} whole, {broken} broken"
    );
}

/// An archive of a few entries of any type, with a few bytes changed.
fn archive(random: &mut Random) -> Vec<u8> {
    let mut tar = Tar::default();
    for number in 0..=random.below(4) {
        tar = entry(tar, number, random);
    }
    if random.one_in(2) {
        tar.0.extend_from_slice(&[0; 1024]);
    }
    for _ in 0..random.below(3) {
        change(&mut tar.0, random);
    }
    if random.one_in(8) {
        tar.0.truncate(random.below(tar.0.len()));
    }
    if random.one_in(3) {
        let (one, other) = tar.0.split_at(random.below(tar.0.len() + 1));
        return [gz(one), gz(other)].concat();
    }
    gz(&tar.0)
}

fn entry(tar: Tar, number: usize, random: &mut Random) -> Tar {
    const FLAGS: [u8; 17] = *b"00000\x00123456LKxg7";
    const SIZES: [&str; 6] = ["0", "1", "512", "600", "", "-1"];
    let name = *random.pick(&["a.yaml", "b/", "./c.yaml", "../d", "e/f.yaml"]);
    let content = vec![b'a' + u8::try_from(number).unwrap(); *random.pick(&[0, 1, 511, 512, 600])];
    match *random.pick(&FLAGS) {
        b'x' => {
            let size = *random.pick(&SIZES);
            let records = [("path", name), ("size", size)];
            tar.records(if random.one_in(2) { &records } else { &records[..1] })
        }
        b'L' => tar.entry(b"long", b'L', name.as_bytes()),
        flag if random.one_in(6) => tar.header(name.as_bytes(), flag, 512),
        flag => tar.entry(name.as_bytes(), flag, &content),
    }
}

/// Changes a byte, mostly of a header, whose checksum is made right again.
fn change(tar: &mut [u8], random: &mut Random) {
    let block = random.below(tar.len() / 512) * 512;
    let place = *random.pick(&[0, 100, 124, 130, 134, 135, 156, 156, 157, 257, 263, 345, 508]);
    let byte = *random.pick(b"\x00\x80\xff 01757LxSgKa/");
    let Some(header) = tar[block..].first_chunk_mut::<512>() else {
        return;
    };
    header[place] = byte;
    if header[257..262] == *b"ustar" && random.below(8) > 0 {
        pack::sum(header);
    }
}

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn to_base64(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let number = chunk
            .iter()
            .fold(0_u32, |number, byte| (number << 8) | u32::from(*byte))
            << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let digit = DIGITS[((number >> (18 - 6 * place)) & 63) as usize];
            text.push(if place <= chunk.len() { digit.into() } else { '=' });
        }
    }
    text
}

fn from_base64(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for chunk in text.as_bytes().chunks(4) {
        let digits = chunk
            .iter()
            .filter_map(|it| DIGITS.iter().position(|digit| digit == it));
        let number = digits.clone().fold(0, |number, digit| (number << 6) | digit);
        let missing = 4 - digits.count();
        let number = u32::try_from(number << (6 * missing)).unwrap();
        bytes.extend_from_slice(&number.to_be_bytes()[1..4 - missing]);
    }
    bytes
}
