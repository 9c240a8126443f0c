//! Quoted, bracketed and field text: what went wrong, or data that it went wrong with.
//!
//! One decision for every wrapper: what the text is (a sentence with a word of failure, a code, the name of an exception),
//! and where it stands (the value of a field that explains, the argument of an exception, all that the message has).

use std::ops::Range;

use crate::grouping::tokens::lexicon::{self, List, parts};
use crate::grouping::tokens::scanner::Scanner;
use crate::grouping::tokens::token::{TokenKind, WordShape};
use crate::grouping::tokens::word_shape::{self, census};

/// Bytes of a text that are read for the decision.
const READ: usize = 400;

/// Where a text stands in its message.
enum Place {
    /// The value of a field that explains: `msg=…`, `reason: …`.
    Explains,
    /// After a noun that a name follows: `field …`.
    Named,
    /// The argument of an exception, or what stands behind `failed:`.
    Argument,
    /// What a program said: `upstream replied: …`.
    Said,
    /// In the middle of a sentence that speaks of it.
    Inside,
    /// Anywhere else.
    Other,
}

impl Scanner<'_, '_> {
    /// Whether the quoted text says what went wrong; the scanner stands before its quote.
    pub(crate) fn is_reason_here(&self, whole: Range<usize>, inner: Range<usize>, to: usize) -> bool {
        let content = &self.text[inner];
        if goes_on(&self.text[whole.end..to]) {
            return false;
        }
        match self.place() {
            Place::Explains => !content.is_empty(),
            Place::Named => false,
            Place::Argument => is_reason(content) || ends_argument(&self.text[whole.end..to]) && has_words(content, 3),
            Place::Said => is_reason(content) || has_words(content, 2),
            Place::Inside => false,
            Place::Other => {
                is_reason(content)
                    || self.out.is_empty() && self.text[whole.end..to].trim_ascii().is_empty() && has_words(content, 2)
            }
        }
    }

    fn place(&self) -> Place {
        let word = |at: usize| {
            self.out.get(at).filter(|token| token.is_word()).map(|token| {
                (&self.text[token.start as usize..token.end as usize], token.part == TokenKind::Word(WordShape::Code))
            })
        };
        let Some(last) = self.out.len().checked_sub(1) else { return Place::Other };
        let token = &self.out[last];
        if last > 0 && (token.is_punct(b':') || token.is_punct(b'=')) {
            return match word(last - 1) {
                Some((key, _)) if lexicon::explains(key) => Place::Explains,
                Some((key, _)) if is_saying(key) => Place::Said,
                Some((key, is_code)) if is_code || lexicon::is_fault(key) => Place::Argument,
                Some((key, _)) if token.is_punct(b'=') || List::Entities.knows(key) => Place::Named,
                _ => Place::Other,
            };
        }
        if last > 0 && token.is_punct(b'(') {
            return match word(last - 1) {
                Some((name, is_code)) if !self.space && (is_code || lexicon::is_exception_word(name)) => {
                    Place::Argument
                }
                _ => Place::Other,
            };
        }
        if last > 0 && token.is_punct(b',') && self.out[last - 1].part == TokenKind::Word(WordShape::Status) {
            return Place::Argument;
        }
        match word(last) {
            Some((noun, _)) if List::Entities.knows(noun) => Place::Named,
            Some((word, _)) if is_saying(word) => Place::Said,
            Some((word, is_code)) if !is_code && !lexicon::says(word) => Place::Inside,
            _ => Place::Other,
        }
    }
}

/// `said`, `replied`: a verb of saying, but not `got`, behind which stands what was found.
fn is_saying(word: &[u8]) -> bool {
    List::Saying.knows(word) && !List::Grammar.knows(word) && !word.eq_ignore_ascii_case(b"got")
}

/// Whether a text says that something went wrong, wherever it stands.
pub(crate) fn is_reason(content: &[u8]) -> bool {
    let content = content.trim_ascii();
    let content = &content[..content.len().min(READ)];
    if content.is_empty() || List::Flags.has(content) || word_shape::is_file(content) || content.starts_with(b"/") {
        return false;
    }
    if !content.is_ascii() && lexicon::has_dense_fault(content) {
        return true;
    }
    if !content.iter().any(u8::is_ascii_whitespace) {
        return is_code(content) || parts(content).any(lexicon::is_fault);
    }
    let words = content.split(|byte| !is_of_word(*byte)).filter(|word| !word.is_empty());
    words.into_iter().any(|word| {
        parts(word).any(lexicon::is_fault)
            || lexicon::is_exception(word)
            || word_shape::is_constant(word, &census(word))
    })
}

/// A quotation that a sentence goes on with is its subject.
fn ends_argument(rest: &[u8]) -> bool {
    matches!(rest.trim_ascii_start().first(), None | Some(b')' | b',' | b'.' | b']' | b'}')) || rest.starts_with(b"\n")
}

/// `"…" is not of type …`: a sentence whose subject the quotation is.
fn goes_on(rest: &[u8]) -> bool {
    let Some(rest) = rest.strip_prefix(b" ") else { return false };
    let len = rest.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
    List::VerbsOfSubject.has(&rest[..len])
}

fn is_code(word: &[u8]) -> bool {
    let count = census(word);
    lexicon::is_exception(word)
        || word_shape::is_constant(word, &count)
        || word_shape::is_code_shape(word, &count)
        || word.windows(2).any(|two| two == b"::")
}

pub(crate) fn has_words(content: &[u8], least: usize) -> bool {
    let is_word = |word: &&[u8]| word.len() > 1 && word.iter().all(|byte| byte.is_ascii_alphabetic() || *byte >= 0x80);
    content.split(u8::is_ascii_whitespace).filter(is_word).count() >= least
}

fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte >= 0x80 || matches!(byte, b'_' | b'.' | b'\'')
}
