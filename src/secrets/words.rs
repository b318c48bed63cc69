//! Finds the words of a list in a text, all in one pass that looks at every second byte: three bytes of each word lead to
//! it, whether it begins at an even place or at an odd one.

use std::ops::ControlFlow;

/// Bits of a hash of three bytes.
const BITS: u32 = 16;
/// What of a hash tells where its ways are.
const UPPER: u32 = 12;

/// A list of words, none of which is shorter than three bytes.
pub(super) struct Words {
    /// A bit for each hash that leads to a word: what fits into the nearest cache.
    leads: Box<[u64; 1 << (BITS - 6)]>,
    /// What hashes lead to, by hash.
    ways: Box<[Way]>,
    /// Where the ways begin of hashes that begin alike.
    begins: Box<[u16]>,
    texts: Box<[Box<[u8]>]>,
}

/// What a hash leads to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Way {
    hash: u16,
    /// The number of a word.
    number: u16,
    /// Where in it the three bytes are.
    lead: u8,
    /// How it begins.
    first: u8,
}

/// Where a word was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// Its number in the list.
    pub(super) number: u16,
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Words {
    /// Words that are too short for a lead are not found: tests see to it that there are none.
    pub(super) fn new<'a>(words: impl Iterator<Item = &'a str>) -> Self {
        let words: Box<[Box<[u8]>]> = words.map(|word| word.as_bytes().into()).collect();
        let mut ways: Vec<Way> = (0..)
            .zip(&words)
            .flat_map(|(number, word)| ways(number, word))
            .collect();
        ways.sort_unstable();
        ways.dedup();
        let mut leads = Box::new([0_u64; 1 << (BITS - 6)]);
        for way in &ways {
            leads[usize::from(way.hash >> 6)] |= 1 << (way.hash & 63);
        }
        let before = |upper: u32| ways.partition_point(|way| u32::from(way.hash) >> (BITS - UPPER) < upper);
        let begins = (0..=1 << UPPER).map(|upper| u16::try_from(before(upper)).unwrap_or(u16::MAX));
        Self {
            leads,
            begins: begins.collect(),
            ways: ways.into(),
            texts: words,
        }
    }

    /// Hands over every word of a text, from the first line to the last, until somebody has seen enough.
    pub(super) fn each<B>(
        &self,
        text: &str,
        mut take: impl FnMut(Found) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        let bytes = text.as_bytes();
        let mut from = 0;
        // Eight bytes have three leads, each two bytes behind the one before.
        while let Some(eight) = bytes[from..].first_chunk::<8>() {
            let eight = u64::from_le_bytes(*eight);
            let (first, second, third) = (hash(eight), hash(eight >> 16), hash(eight >> 32));
            if self.leads_to(first) | self.leads_to(second) | self.leads_to(third) {
                self.words_at(bytes, from, first, &mut take)?;
                self.words_at(bytes, from + 2, second, &mut take)?;
                self.words_at(bytes, from + 4, third, &mut take)?;
            }
            from += 6;
        }
        let mut last = [0; 8];
        let rest = &bytes[from..];
        last[..rest.len()].copy_from_slice(rest);
        let last = u64::from_le_bytes(last);
        for step in (0..rest.len()).step_by(2) {
            self.words_at(bytes, from + step, hash(last >> (8 * step)), &mut take)?;
        }
        ControlFlow::Continue(())
    }

    #[inline]
    fn leads_to(&self, hash: u16) -> bool {
        self.leads[usize::from(hash >> 6)] >> (hash & 63) & 1 == 1
    }

    fn words_at<B>(
        &self,
        bytes: &[u8],
        at: usize,
        hash: u16,
        take: &mut impl FnMut(Found) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        if !self.leads_to(hash) {
            return ControlFlow::Continue(());
        }
        let upper = usize::from(hash >> (BITS - UPPER));
        let ways = usize::from(self.begins[upper])..usize::from(self.begins[upper + 1]);
        for way in self.ways[ways].iter().filter(|way| way.hash == hash) {
            let Some(start) = at.checked_sub(usize::from(way.lead)) else {
                continue;
            };
            if bytes[start] != way.first {
                continue;
            }
            let word = &self.texts[usize::from(way.number)];
            if bytes[start..].starts_with(word) {
                take(Found {
                    number: way.number,
                    start,
                    end: start + word.len(),
                })?;
            }
        }
        ControlFlow::Continue(())
    }
}

/// What leads to a word: two neighbours among its threes of bytes, of which one is at an even place.
fn ways(number: u16, word: &[u8]) -> Vec<Way> {
    let way = |lead: u8, three: [u8; 3]| Way {
        hash: hash(u64::from(u32::from_le_bytes([three[0], three[1], three[2], 0]))),
        number,
        lead,
        first: word.first().copied().unwrap_or_default(),
    };
    if let [one, two, three] = *word {
        // What follows it may be anything.
        let others = (0..=u8::MAX).map(|any| way(1, [two, three, any]));
        return others.chain([way(0, [one, two, three])]).collect();
    }
    // Both should be rare. Of several that are as rare, the last.
    let rarity = |(_, four): &(u8, &[u8])| {
        let rarity = |three: &[u8]| three.iter().map(|byte| rarity(*byte)).sum::<u32>();
        rarity(&four[..3]).min(rarity(&four[1..]))
    };
    let Some((lead, four)) = (0_u8..).zip(word.windows(4)).max_by_key(rarity) else {
        return Vec::new();
    };
    vec![
        way(lead, [four[0], four[1], four[2]]),
        way(lead + 1, [four[1], four[2], four[3]]),
    ]
}

/// The hash of the first three of some bytes: of two, and four bits of the third, of which any may follow a short word.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "sixteen bits")]
fn hash(bytes: u64) -> u16 {
    let two = (bytes & 0xffff) as u32;
    let upper = two.wrapping_mul(0x9e37_79b1) >> (32 - UPPER);
    (upper << 4 | (bytes >> 16 & 0xf) as u32) as u16
}

/// How seldom a letter is in manifests, roughly.
const fn rarity(byte: u8) -> u32 {
    match byte {
        b'e' => 0,
        b'a' | b'i' | b'n' | b'o' | b'r' | b's' | b't' => 1,
        b'c' | b'd' | b'l' | b'm' | b'p' | b'u' => 2,
        b'j' | b'q' | b'x' | b'z' => 5,
        b'a'..=b'z' | b' ' | b'-' | b'.' => 3,
        _ => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(words: &[&str], text: &str) -> Vec<(u16, usize, usize)> {
        let words = Words::new(words.iter().copied());
        let mut found = Vec::new();
        let end = words.each(text, |it| {
            found.push((it.number, it.start, it.end));
            ControlFlow::<()>::Continue(())
        });
        assert!(end.is_continue());
        found.sort_by_key(|it| (it.1, it.0));
        found
    }

    #[test]
    fn words_are_found_wherever_they_stand() {
        let words = ["key", "://", "keyword", "PRIVATE KEY"];
        assert_eq!(
            found(&words, "keyword http://a PRIVATE KEY key"),
            [(0, 0, 3), (2, 0, 7), (1, 12, 15), (3, 17, 28), (0, 29, 32)]
        );
        assert_eq!(found(&words, "ke"), []);
        assert_eq!(found(&words, ""), []);
        assert_eq!(found(&words, "éké key"), [(0, 6, 9)]);
        assert_eq!(found(&words, "eyword KEY"), []);
    }

    #[test]
    fn words_are_found_at_every_place_and_to_the_last_byte() {
        for word in ["key", "abcd", "PRIVATE KEY"] {
            for before in 0..20 {
                for behind in 0..10 {
                    let text = format!("{}{word}{}", ".".repeat(before), "y".repeat(behind));
                    assert_eq!(
                        found(&[word], &text),
                        [(0, before, before + word.len())],
                        "{text}"
                    );
                }
            }
        }
    }

    #[test]
    fn every_word_is_found_as_by_a_plain_search() {
        let words = ["abc", "bca", "cab", "aab", "abcabc", "caa"];
        let mut state = 1_u32;
        let text: String = (0..5000)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                char::from(b'a' + (state >> 24) as u8 % 3)
            })
            .collect();
        let mut wanted = Vec::new();
        for (number, word) in (0..).zip(words) {
            let all = (0..text.len()).filter(|at| text[*at..].starts_with(word));
            wanted.extend(all.map(|at| (number, at, at + word.len())));
        }
        wanted.sort_by_key(|it| (it.1, it.0));
        assert_eq!(found(&words, &text), wanted);
    }

    #[test]
    fn whoever_has_seen_enough_is_shown_no_more() {
        let words = Words::new(["key"].into_iter());
        let mut count = 0;
        let end = words.each("key key key", |_| {
            count += 1;
            if count == 2 {
                return ControlFlow::Break("enough");
            }
            ControlFlow::Continue(())
        });
        assert_eq!((end, count), (ControlFlow::Break("enough"), 2));
    }
}
