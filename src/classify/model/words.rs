//! What the model reads in a message: its words, neighbouring words and parts of words, without names, ids and amounts.

use std::borrow::Cow;

use crate::grouping::body;
use crate::grouping::item_name::mask_item_name;
use crate::grouping::tokens::neighbours::shape;
use crate::grouping::tokens::scanner::Scanner;
use crate::grouping::tokens::token::{Token, TokenKind, WordShape};

/// Bits of the hash that numbers features.
pub const BITS: u32 = 17;

/// Letters of a part of a word.
const PART_LENGTHS: std::ops::RangeInclusive<usize> = 3..=5;
/// In scripts without spaces every run of up to so many characters is a word.
const DENSE_LENGTH: usize = 4;
/// Letters of a longer word that are read.
const WORD_LENGTH: usize = 40;

/// A message as grouping reads it.
#[derive(Debug)]
pub struct MaskedText {
    text: String,
    tokens: Vec<Token>,
}

/// How much a feature counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum FeatureKind {
    /// A part of a word, or what stands in a masked place.
    Part = 1,
    /// A word, or two that are neighbours.
    Word = 2,
}

/// A feature of a message and the words that it comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Feature {
    /// Below `1 << BITS`.
    pub bucket: u32,
    /// How much it counts.
    pub kind: FeatureKind,
    /// Its first and last word, as positions among the words of the text.
    pub words: (u16, u16),
}

/// The features of a message.
#[derive(Debug, Default)]
pub(crate) struct Features {
    /// In no order; what is there twice counts twice, for sorting them would take as long as reading the message.
    pub found: Vec<Feature>,
    /// Where each word stands in the masked text, as byte ranges.
    words: Vec<(u32, u32)>,
}

impl MaskedText {
    /// Reads a message; `item_name` is masked wherever it stands.
    pub(crate) fn read(message: &str, item_name: Option<&str>) -> MaskedText {
        let message = message.trim();
        let unnamed = item_name.map_or(Cow::Borrowed(message), |name| mask_item_name(message, name));
        let (text, cut) = body::telling_part(&unnamed);
        let text = text.into_owned();
        let mut tokens = Vec::with_capacity(64);
        Scanner { text: text.as_bytes(), out: &mut tokens, space: false, cut }.run(0, text.len());
        shape(text.as_bytes(), &mut tokens);
        MaskedText { text, tokens }
    }

    /// The text with all that is masked.
    pub(crate) fn whole(&self) -> &str {
        &self.text
    }

    /// The text with blanks where names, ids and amounts stood.
    pub(crate) fn unmasked_words(&self) -> String {
        let mut bytes = self.text.clone().into_bytes();
        for token in self.tokens.iter().filter(|token| token.is_slot()) {
            bytes[token.start as usize..token.end as usize].fill(b' ');
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The words that are left, each as it was written.
    pub(crate) fn words(&self) -> impl Iterator<Item = &str> {
        self.tokens.iter().filter(|token| token.is_word()).map(|token| self.at((token.start, token.end)))
    }

    fn at(&self, (start, end): (u32, u32)) -> &str {
        self.text.get(start as usize..end as usize).unwrap_or_default()
    }

    /// The features of the text; of a text without any word only what every text has.
    pub(crate) fn features(&self) -> Features {
        let mut reader = Reader::default();
        let mut tokens = self.tokens.iter().peekable();
        while let Some(token) = tokens.next() {
            match token.part {
                TokenKind::Word(WordShape::Dense) => {
                    let mut end = token.end;
                    while let Some(next) =
                        tokens.next_if(|next| next.part == TokenKind::Word(WordShape::Dense) && next.start == end)
                    {
                        end = next.end;
                    }
                    reader.dense(self.at((token.start, end)), token.start);
                }
                TokenKind::Word(_) => reader.word(self.at((token.start, token.end)), token.start),
                TokenKind::Slot => reader.slot(token),
                TokenKind::Punct if b":;.".iter().any(|mark| token.is_punct(*mark)) => reader.end_clause(),
                TokenKind::Punct => {}
            }
        }
        reader.finish()
    }

    /// The numbers of the features of a message and what each counts, for training.
    pub fn numbered_features(message: &str, item_name: Option<&str>) -> Vec<(u32, u8)> {
        let features = MaskedText::read(message, item_name).features();
        features.found.iter().map(|feature| (feature.bucket, feature.kind as u8)).collect()
    }

    /// What was written from the first to the last of these words; empty for a masked place.
    pub(crate) fn quote_words(&self, features: &Features, words: (u16, u16)) -> &str {
        let range = |at: u16| features.words.get(usize::from(at)).copied().unwrap_or_default();
        self.at((range(words.0).0, range(words.1).1)).trim()
    }
}

/// The hash of what a feature is; the seed keeps kinds of features apart.
fn mix(hash: u64, next: u64) -> u64 {
    (hash.rotate_left(23) ^ next).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

const WORD: u64 = 1;
const PART: u64 = 2;
const SLOT: u64 = 3;
const PAIR: u64 = 4;
const IN_FIRST_CLAUSE: u64 = 5;
const IN_LAST_CLAUSE: u64 = 6;
const FIRST: u64 = 7;
const LAST: u64 = 8;
const LENGTH: u64 = 9;
const ALWAYS: u64 = 10;

/// Collects the features of one text.
#[derive(Debug, Default)]
struct Reader {
    features: Features,
    /// The hash of each word and slot so far.
    hashes: Vec<u64>,
    /// How many words and slots stand before the end of the first clause and of the last one but one.
    first_clause: usize,
    before_last_clause: usize,
    /// The letters of the word that is read, with a mark before and after.
    letters: Vec<char>,
}

impl Reader {
    fn add(&mut self, hash: u64, kind: FeatureKind, words: (u16, u16)) {
        let hash = (hash ^ (hash >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
        let bucket = (hash >> 40) as u32 & ((1 << BITS) - 1);
        self.features.found.push(Feature { bucket, kind, words });
    }

    /// Notes where a unit of the sentence stands, and pairs it with those before it.
    fn place(&mut self, hash: u64, start: u32, end: u32) -> u16 {
        let at = u16::try_from(self.features.words.len()).unwrap_or(u16::MAX);
        self.features.words.push((start, end));
        if let Some(before) = self.hashes.last() {
            self.add(mix(mix(PAIR, *before), hash), FeatureKind::Word, (at.saturating_sub(1), at));
        }
        self.hashes.push(hash);
        at
    }

    /// A word as written; names made of several words (`RATE_LIMIT`, `RateLimitError`) count as these.
    fn word(&mut self, word: &str, start: u32) {
        let mut from = 0;
        let mut before: Option<char> = None;
        let mut chars = word.char_indices().peekable();
        while let Some((at, char)) = chars.next() {
            let next = chars.peek().map(|(_, next)| *next);
            let begins = before.is_some_and(|before| is_turn(before, char, next));
            if begins || !char.is_alphanumeric() {
                self.plain_word(&word[from..at], start + from as u32);
                from = if begins { at } else { at + char.len_utf8() };
            }
            before = Some(char);
        }
        self.plain_word(&word[from..], start + from as u32);
    }

    fn plain_word(&mut self, word: &str, start: u32) {
        if word.is_empty() {
            return;
        }
        self.letters.clear();
        self.letters.push('^');
        self.letters.extend(word.chars().flat_map(char::to_lowercase).take(WORD_LENGTH));
        self.letters.push('$');
        let hash = self.letters.iter().fold(WORD, |hash, letter| mix(hash, u64::from(*letter)));
        let at = self.place(hash, start, start + word.len() as u32);
        self.add(hash, FeatureKind::Word, (at, at));
        let letters = std::mem::take(&mut self.letters);
        for begin in 0..letters.len() {
            let mut hash = PART;
            for (read, letter) in letters[begin..].iter().take(*PART_LENGTHS.end()).enumerate() {
                hash = mix(hash, u64::from(*letter));
                if read + 1 >= *PART_LENGTHS.start() && read + 1 < letters.len() {
                    self.add(mix(hash, read as u64), FeatureKind::Part, (at, at));
                }
            }
        }
        self.letters = letters;
    }

    /// A run of a script without spaces.
    fn dense(&mut self, run: &str, start: u32) {
        let hash = run.chars().fold(WORD, |hash, char| mix(hash, u64::from(char)));
        let at = self.place(hash, start, start + run.len() as u32);
        for (begin, _) in run.char_indices() {
            let mut hash = PART;
            for (read, char) in run[begin..].chars().take(DENSE_LENGTH).enumerate() {
                hash = mix(hash, u64::from(char));
                let kind = if read == 0 { FeatureKind::Part } else { FeatureKind::Word };
                self.add(mix(hash, read as u64), kind, (at, at));
            }
        }
    }

    /// A masked place: what kind of data stood there.
    fn slot(&mut self, token: &Token) {
        let hash = token.kinds.name().bytes().fold(SLOT, |hash, byte| mix(hash, u64::from(byte)));
        // It has no length, so that what is masked is never quoted.
        let at = self.place(hash, token.start, token.start);
        self.add(hash, FeatureKind::Part, (at, at));
    }

    /// What stands before the first and after the last mark often says what failed, and why.
    fn end_clause(&mut self) {
        self.before_last_clause = self.hashes.len();
        if self.first_clause == 0 {
            self.first_clause = self.hashes.len();
        }
    }

    fn add_clauses(&mut self) {
        let hashes = std::mem::take(&mut self.hashes);
        let whole = self.first_clause == 0;
        let first = if whole { hashes.len() } else { self.first_clause };
        let last = if self.before_last_clause == hashes.len() { 0 } else { self.before_last_clause };
        for (at, hash) in hashes.iter().enumerate() {
            let words = (u16::try_from(at).unwrap_or(u16::MAX), u16::try_from(at).unwrap_or(u16::MAX));
            if at < first {
                self.add(mix(IN_FIRST_CLAUSE, *hash), FeatureKind::Word, words);
            }
            if at >= last {
                self.add(mix(IN_LAST_CLAUSE, *hash), FeatureKind::Word, words);
            }
        }
        self.hashes = hashes;
    }

    fn finish(mut self) -> Features {
        self.add_clauses();
        let last = u16::try_from(self.hashes.len().saturating_sub(1)).unwrap_or(u16::MAX);
        if let (Some(first), Some(end)) = (self.hashes.first().copied(), self.hashes.last().copied()) {
            self.add(mix(FIRST, first), FeatureKind::Word, (0, 0));
            self.add(mix(LAST, end), FeatureKind::Word, (last, last));
        }
        self.add(mix(LENGTH, u64::from((self.hashes.len() + 1).ilog2())), FeatureKind::Word, (0, last));
        self.add(ALWAYS, FeatureKind::Word, (0, last));
        self.features
    }
}

/// Whether a word begins between `before` and `char`: `rateLimit`, `HTTPError`, `error503`.
fn is_turn(before: char, char: char, next: Option<char>) -> bool {
    let starts_upper =
        char.is_uppercase() && (before.is_lowercase() || before.is_uppercase() && next.is_some_and(char::is_lowercase));
    let digits = before.is_alphabetic() && char.is_ascii_digit() || before.is_ascii_digit() && char.is_alphabetic();
    starts_upper || digits
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The words that a message is read as.
    fn words(message: &str, item_name: Option<&str>) -> Vec<String> {
        let text = MaskedText::read(message, item_name);
        let features = text.features();
        features.words.iter().map(|range| text.at(*range).to_owned()).collect()
    }

    fn buckets(message: &str, item_name: Option<&str>) -> Vec<u32> {
        MaskedText::read(message, item_name).features().found.iter().map(|feature| feature.bucket).collect()
    }

    #[test]
    fn names_of_several_words_are_read_as_these() {
        assert_eq!(words("RATE_LIMIT", None), ["RATE", "LIMIT"]);
        assert_eq!(words("openai.RateLimitError", None), ["openai", "Rate", "Limit", "Error"]);
        assert_eq!(words("HTTPError", None), ["HTTP", "Error"]);
        assert_eq!(buckets("rate limit", None), buckets("RATE_LIMIT", None));
    }

    #[test]
    fn the_item_s_own_name_changes_nothing() {
        for name in ["timeout 503.pdf", "rate limit \"exceeded\".docx", "Invalid API key 401.xlsx"] {
            for message in ["cannot open {}: no such page", "'{}' cannot be opened", "{} - \"broken\""] {
                let other = buckets(&message.replace("{}", "report 1.pdf"), Some("report 1.pdf"));
                assert_eq!(buckets(&message.replace("{}", name), Some(name)), other, "{name} in {message}");
            }
        }
    }

    #[test]
    fn scripts_without_spaces_are_read_by_their_characters() {
        let shared = |a: &str, b: &str| {
            let (a, b) = (buckets(a, None), buckets(b, None));
            a.iter().filter(|bucket| b.contains(bucket)).count()
        };
        assert!(shared("処理がタイムアウトしました", "接続がタイムアウトしました") > 20);
        assert!(shared("หมดเวลาการเชื่อมต่อ", "หมดเวลา") > 10);
    }

    #[test]
    fn each_feature_quotes_what_it_was_read_in() {
        let text = MaskedText::read("the the the connection", None);
        let features = text.features();
        assert!(features.found.iter().any(|feature| text.quote_words(&features, feature.words) == "the connection"));
    }
}
