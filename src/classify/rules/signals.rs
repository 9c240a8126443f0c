//! Exact signals: the vendor's sentences, error codes and HTTP statuses that say for certain what may be done.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use aho_corasick::AhoCorasick;
use rustc_hash::FxHashMap;
use serde::Deserialize;

use crate::classify::model::words::MaskedText;
use crate::classify::rules::http::{StatusSpan, statuses};
use crate::model::class::Class;

/// `config/rules.toml`.
pub(crate) const TABLE: &str = include_str!("../../../config/rules.toml");

/// The kinds of signals, by the word that reports show; an earlier one is stronger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub(crate) enum SignalKind {
    /// One of the vendor's sentences.
    Text,
    /// An error code, a gRPC code or the name of an exception.
    Code,
    /// An HTTP status.
    Status,
    /// A skip reason.
    SkipReason,
}

/// A signal that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Signal {
    /// What may be done.
    pub class: Class,
    /// What kind of signal it is.
    pub kind: SignalKind,
    /// What was found: the sentence as the table has it, else the words of the message.
    pub words: String,
}

/// In a message of more words a code or a status is one word of many: what the others say may be the reason for it.
const CODE_WORDS: usize = 6;
const STATUS_WORDS: usize = 4;

type ByClass<T> = BTreeMap<Class, Vec<T>>;

/// The table as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Table {
    texts: ByClass<String>,
    codes: ByClass<String>,
    statuses: ByClass<u16>,
    skip_reasons: ByClass<String>,
}

/// A sentence of the table.
#[derive(Debug)]
struct Sentence {
    class: Class,
    written: String,
    /// What must stand in the message one after the other, in lower case.
    parts: Vec<String>,
}

/// The table, ready to be looked into.
#[derive(Debug)]
pub(crate) struct Signals {
    sentences: Vec<Sentence>,
    /// Finds the first part of any sentence: few messages have one.
    beginnings: AhoCorasick,
    codes: FxHashMap<String, Class>,
    statuses: FxHashMap<u16, Class>,
    skip_reasons: FxHashMap<String, Class>,
}

static SHIPPED: LazyLock<Signals> =
    LazyLock::new(|| Signals::parse(TABLE).expect("a test reads the shipped table of signals"));

/// Why the table cannot be read.
#[derive(Debug, thiserror::Error)]
enum TableError {
    #[error(transparent)]
    Toml(#[from] toml::de::Error),
    #[error(transparent)]
    Sentences(#[from] aho_corasick::BuildError),
}

/// The signals that come with the program.
pub(crate) fn shipped() -> &'static Signals {
    &SHIPPED
}

impl Signals {
    fn parse(text: &str) -> Result<Signals, TableError> {
        let table: Table = toml::from_str(text)?;
        let sentence = |class, written: String| {
            let parts = written.to_lowercase().split('…').map(|part| part.trim().to_owned()).collect();
            Sentence { class, written, parts }
        };
        let sentences: Vec<Sentence> = entries(table.texts).map(|(class, written)| sentence(class, written)).collect();
        let beginnings = sentences.iter().filter_map(|sentence| sentence.parts.first());
        Ok(Signals {
            beginnings: AhoCorasick::builder().ascii_case_insensitive(true).build(beginnings)?,
            sentences,
            codes: entries(table.codes).map(|(class, code)| (code, class)).collect(),
            statuses: entries(table.statuses).map(|(class, status)| (status, class)).collect(),
            skip_reasons: entries(table.skip_reasons).map(|(class, reason)| (reason, class)).collect(),
        })
    }

    /// The signal in a message; none if there is none, or those of the strongest kind contradict each other. Of several sentences
    /// the longest counts.
    pub(crate) fn find(&self, text: &MaskedText) -> Option<Signal> {
        let codes = || {
            let found = text.words().filter_map(|word| self.code(word).map(|class| (class, word.to_owned())));
            found.take(if has_at_most(text, CODE_WORDS) { usize::MAX } else { 0 })
        };
        let sentence = self
            .sentence(text)
            .map(|found| Some(Signal { class: found.class, kind: SignalKind::Text, words: found.written.clone() }));
        sentence
            .or_else(|| agreed(SignalKind::Code, codes()))
            .or_else(|| agreed(SignalKind::Status, self.statuses(text).into_iter()))
            .unwrap_or_default()
    }

    fn sentence(&self, text: &MaskedText) -> Option<&Sentence> {
        if !self.beginnings.is_match(text.whole()) {
            return None;
        }
        let lower = text.unmasked_words().to_lowercase();
        let found = self.sentences.iter().filter(|sentence| sentence.stands_in(&lower));
        found.max_by_key(|sentence| sentence.written.len())
    }

    /// The statuses of a message that says little else.
    fn statuses(&self, text: &MaskedText) -> Vec<(Class, String)> {
        if !has_at_most(text, STATUS_WORDS) || !has_status(text.whole()) {
            return Vec::new();
        }
        let left = text.unmasked_words();
        let known = |found: StatusSpan| Some((*self.statuses.get(&found.status)?, left[found.span].to_owned()));
        statuses(&left).into_iter().filter_map(known).collect()
    }

    fn code(&self, word: &str) -> Option<Class> {
        let last = word.rfind(['.', ':', '/']).map_or(word, |at| &word[at + 1..]);
        self.codes.get(last).copied()
    }

    /// The signal that a skip reason is; none if the table does not know it.
    pub(crate) fn skip_reason(&self, reason: &str) -> Option<Signal> {
        let class = *self.skip_reasons.get(&reason.to_lowercase())?;
        Some(Signal { class, kind: SignalKind::SkipReason, words: reason.to_owned() })
    }
}

impl Sentence {
    fn stands_in(&self, lower: &str) -> bool {
        let mut rest = lower;
        self.parts.iter().all(|part| match rest.find(part) {
            Some(at) => {
                rest = &rest[at + part.len()..];
                true
            }
            None => false,
        })
    }
}

fn entries<T>(table: ByClass<T>) -> impl Iterator<Item = (Class, T)> {
    table.into_iter().flat_map(|(class, all)| all.into_iter().map(move |one| (class, one)))
}

/// What signals of one kind say: none if there are none, `Some(None)` if they contradict each other.
fn agreed(kind: SignalKind, mut found: impl Iterator<Item = (Class, String)>) -> Option<Option<Signal>> {
    let (class, words) = found.next()?;
    let agree = found.all(|(other, _)| other == class);
    Some(agree.then_some(Signal { class, kind, words }))
}

fn has_at_most(text: &MaskedText, words: usize) -> bool {
    text.words().take(words + 1).count() <= words
}

/// Whether there is a number that may be a status of an error; most messages have none.
fn has_status(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.windows(3).any(|three| matches!(three, [b'4' | b'5', b'0'..=b'9', b'0'..=b'9']))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(message: &str) -> Option<(Class, SignalKind)> {
        shipped().find(&MaskedText::read(message, None)).map(|signal| (signal.class, signal.kind))
    }

    #[test]
    fn the_table_is_short_and_names_nothing_twice() {
        assert!(TABLE.lines().count() <= 150, "{} lines", TABLE.lines().count());
        let table: Table = toml::from_str(TABLE).unwrap();
        let mut names: Vec<String> = entries(table.texts).chain(entries(table.codes)).map(|(_, name)| name).collect();
        let all = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), all);
    }

    #[test]
    fn a_sentence_is_stronger_than_a_code_and_a_code_than_a_status() {
        let status = "HTTP 503 Service Unavailable";
        assert_eq!(found(status), Some((Class::Transient, SignalKind::Status)));
        assert_eq!(found("HTTP 503: PDF_IS_PROTECTED"), Some((Class::PermanentInput, SignalKind::Code)));
        let plan = "429: You've already reached the maximum number of projects (3)";
        assert_eq!(found(plan), Some((Class::Account, SignalKind::Text)));
        assert_eq!(
            found("Rate limit exceeded. Maximum 40 classify job creations per second."),
            Some((Class::Throttled, SignalKind::Text))
        );
    }

    #[test]
    fn signals_that_contradict_each_other_decide_nothing() {
        assert_eq!(found("PDF_IS_PROTECTED after ECONNRESET"), None);
        assert_eq!(found("HTTP 429 after HTTP 503"), None);
    }

    #[test]
    fn a_code_or_status_among_many_words_is_left_to_the_model() {
        assert_eq!(found("ConnectionResetError"), Some((Class::Transient, SignalKind::Code)));
        assert_eq!(found("ConnectionResetError came after the reader found that the file is encrypted"), None);
        assert_eq!(found("500: upstream said that the credits are used up"), None);
    }

    #[test]
    fn a_name_or_a_count_is_no_signal() {
        assert_eq!(found("cannot open 'PDF_IS_PROTECTED.pdf'"), None);
        assert_eq!(found("503 pages were read"), None);
        assert_eq!(found("pypdf.errors.FileNotDecryptedError: no"), Some((Class::PermanentInput, SignalKind::Code)));
    }
}
