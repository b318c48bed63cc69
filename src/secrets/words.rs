//! Finds the words of a list in a text, all in one pass: three bytes of each word lead to it.

use std::ops::ControlFlow;

/// Bits of a hash of three bytes.
const BITS: u32 = 15;
/// Three of the four bytes that are loaded at once.
const THREE: u32 = 0x00ff_ffff;

/// A list of words, none of which is shorter than three bytes.
pub(super) struct Words {
    /// A bit for each hash that leads to a word: what fits into the nearest cache.
    leads: Box<[u64]>,
    /// Words by their hashes.
    words: Box<[Word]>,
}

struct Word {
    hash: u16,
    /// Where in the word the three bytes are.
    lead: u8,
    /// Its number in the list.
    number: u16,
    text: Box<[u8]>,
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
    /// Words that are too short for a lead are left out: tests see to it that there are none.
    pub(super) fn new<'a>(words: impl Iterator<Item = &'a str>) -> Self {
        let mut leads = vec![0_u64; 1 << (BITS - 6)].into_boxed_slice();
        let mut all: Vec<Word> = (0..)
            .zip(words)
            .filter_map(|(number, word)| Word::new(number, word.as_bytes()))
            .collect();
        all.sort_by_key(|word| word.hash);
        for word in &all {
            leads[usize::from(word.hash >> 6)] |= 1 << (word.hash & 63);
        }
        Self {
            leads,
            words: all.into(),
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
        while let Some(at) = self.lead(bytes, from) {
            self.words_at(bytes, at, &mut take)?;
            from = at + 1;
        }
        ControlFlow::Continue(())
    }

    /// Where the next three bytes are that may lead to a word.
    fn lead(&self, bytes: &[u8], from: usize) -> Option<usize> {
        let rest = bytes.get(from..)?;
        let mut fours = rest.windows(4);
        let leads = |four: &[u8]| {
            let four = u32::from_le_bytes([four[0], four[1], four[2], four[3]]);
            self.leads_to(hash(four & THREE))
        };
        if let Some(position) = fours.position(leads) {
            return Some(from + position);
        }
        let [.., one, two, three] = rest else { return None };
        let last = hash(u32::from_le_bytes([*one, *two, *three, 0]));
        self.leads_to(last).then(|| from + rest.len() - 3)
    }

    fn leads_to(&self, hash: u16) -> bool {
        self.leads[usize::from(hash >> 6)] >> (hash & 63) & 1 == 1
    }

    fn words_at<B>(
        &self,
        bytes: &[u8],
        at: usize,
        take: &mut impl FnMut(Found) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        let hash = hash(u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], 0]));
        let first = self.words.partition_point(|word| word.hash < hash);
        for word in self.words[first..].iter().take_while(|word| word.hash == hash) {
            let Some(start) = at.checked_sub(usize::from(word.lead)) else {
                continue;
            };
            if bytes[start..].starts_with(&word.text) {
                take(Found {
                    number: word.number,
                    start,
                    end: start + word.text.len(),
                })?;
            }
        }
        ControlFlow::Continue(())
    }
}

impl Word {
    fn new(number: u16, text: &[u8]) -> Option<Self> {
        let rarity = |(_, three): &(u8, &[u8])| three.iter().map(|byte| rarity(*byte)).sum::<u32>();
        // Of several that are as rare, the last.
        let leads = (0_u8..).zip(text.windows(3));
        let (lead, three) = leads.max_by_key(rarity)?;
        Some(Self {
            hash: hash(u32::from_le_bytes([three[0], three[1], three[2], 0])),
            lead,
            number,
            text: text.into(),
        })
    }
}

fn hash(three: u32) -> u16 {
    (three.wrapping_mul(0x9e37_79b1) >> (32 - BITS)) as u16
}

/// How seldom a letter is in manifests, roughly.
const fn rarity(byte: u8) -> u32 {
    match byte {
        b'e' => 0,
        b'a' | b'i' | b'n' | b'o' | b'r' | b's' | b't' => 1,
        b'c' | b'd' | b'l' | b'm' | b'p' | b'u' => 2,
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
