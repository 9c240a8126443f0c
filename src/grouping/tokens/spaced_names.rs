//! File names with blanks that nothing sets off: `Signature of final annex (2).pdf missing`.
//!
//! The ending shows where such a name ends. It begins behind the last word that a message needs: a preposition, a common
//! word, a noun of files, a colon. Where no such word stands before it, or one that a verb follows (`could not sign a.pdf`),
//! the words may be the sentence and stay; [`crate::grouping::open_slots`] learns from several messages.

use crate::grouping::tokens::lexicon::{self, List};
use crate::grouping::tokens::span::is_reason;
use crate::grouping::tokens::token::{Kinds, SLOT, Token, TokenKind, WordShape};
use crate::grouping::tokens::word_shape;

/// Tokens of a name before its last word, at most.
const LONGEST: usize = 12;
/// Marks and common words in a row that may stand between two words of a name.
const BETWEEN: usize = 2;

/// Makes each file name one slot.
pub(crate) fn join_names(text: &[u8], tokens: &mut Vec<Token>) {
    let mut at = 1;
    while at < tokens.len() {
        let token = tokens[at];
        if token.is_slot() && token.kinds.has(Kinds::FILE) && is_name(bytes_of(text, &token)) {
            let from = begin_in_bracket(text, tokens, at).unwrap_or_else(|| begin(text, tokens, at));
            tokens[from] =
                Token { part: TokenKind::Slot, kinds: Kinds::FILE, hash: SLOT, end: token.end, ..tokens[from] };
            tokens.drain(from + 1..=at);
            at = from;
        }
        at += 1;
    }
}

/// `report.pdf`, or only the ending where a bracket or another mark stands before it.
fn is_name(word: &[u8]) -> bool {
    word.strip_prefix(b".").map_or_else(|| word_shape::is_file(word), word_shape::is_file_ending)
}

fn bytes_of<'t>(text: &'t [u8], token: &Token) -> &'t [u8] {
    &text[token.start as usize..token.end as usize]
}

/// `(Plan Nord - Copy (4).pdf)`: all of a bracket that says nothing else.
fn begin_in_bracket(text: &[u8], tokens: &[Token], end: usize) -> Option<usize> {
    let open = opening(tokens, end + 1)?;
    let name = &text[tokens[open].end as usize..tokens[end].start as usize];
    let speaks = name.iter().any(|byte| matches!(byte, b':' | b'=' | b'\n')) || is_reason(name);
    (!speaks).then_some(open + 1)
}

/// Where the bracket that closes at `close` opens.
fn opening(tokens: &[Token], close: usize) -> Option<usize> {
    tokens.get(close).filter(|token| token.is_punct(b')'))?;
    let mut depth = 0;
    (close.saturating_sub(LONGEST)..=close).rev().find(|&at| {
        depth += i32::from(tokens[at].is_punct(b')')) - i32::from(tokens[at].is_punct(b'('));
        depth == 0
    })
}

/// The first token of the name whose last is at `end`.
fn begin(text: &[u8], tokens: &[Token], end: usize) -> usize {
    let least = if tokens[end].space { end } else { opening(tokens, end - 1).unwrap_or(end) };
    // The first word that is part of a name; the first behind the nearest preposition.
    let (mut first, mut object) = (least, least);
    let (mut between, mut closed) = (0, 0);
    let stop = (0..end).rev().take(LONGEST).find(|&at| {
        let gap = &text[tokens[at].end as usize..tokens[at + 1].start as usize];
        let part = if matches!(gap, b"" | b" ") { part_of_name(text, tokens, at) } else { Part::Sentence };
        match part {
            Part::Name => (first, between) = (at, 0),
            Part::Between => {
                between += 1;
                if object == least && List::Prepositions.knows(bytes_of(text, &tokens[at])) {
                    object = at + 1;
                }
            }
            Part::Closes => closed += 1,
            Part::Opens => closed -= 1,
            Part::Value | Part::Sentence => {}
        }
        part == Part::Sentence || between > BETWEEN || closed < 0
    });
    let is_colon = |at: usize| tokens.get(at).is_some_and(|token| token.is_punct(b':'));
    if is_colon(end + 1) && stop.map_or(end <= LONGEST, is_colon) {
        // All that stands between two colons, or before the first.
        return stop.map_or(0, |stop| stop + 1);
    }
    let before = first.checked_sub(1).map(|before| &tokens[before]);
    let is_held = before.is_some_and(|before| !before.is_word() || holds_name(bytes_of(text, before)));
    if is_held { first.min(object) } else { object }
}

/// What a token may be in a name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Name,
    Value,
    /// A mark or common word that stands between words of a name.
    Between,
    Opens,
    Closes,
    Sentence,
}

fn part_of_name(text: &[u8], tokens: &[Token], at: usize) -> Part {
    let word = bytes_of(text, &tokens[at]);
    match tokens[at].part {
        TokenKind::Slot if tokens[at].hash == SLOT && !word_shape::is_file(word) => Part::Value,
        TokenKind::Punct => match tokens[at].hash as u8 {
            b'(' | b'[' | b'{' => Part::Opens,
            b')' | b']' | b'}' => Part::Closes,
            b',' | b'&' | b'#' | b'!' | b'+' => Part::Between,
            _ => Part::Sentence,
        },
        TokenKind::Slot | TokenKind::Word(WordShape::Code | WordShape::Status | WordShape::Dense) => Part::Sentence,
        TokenKind::Word(_) if List::FileNouns.knows(word) => Part::Sentence,
        TokenKind::Word(_) if lexicon::is_free(word) => Part::Name,
        TokenKind::Word(_) if !may_stand_in_name(word) => Part::Sentence,
        TokenKind::Word(_) if at > 0 && word[0].is_ascii_uppercase() && !tokens[at - 1].is_punct(b':') => Part::Name,
        TokenKind::Word(_) => Part::Between,
    }
}

fn may_stand_in_name(word: &[u8]) -> bool {
    !lexicon::is_fault(word) && !List::BeforeVerbs.knows(word) && !lexicon::has_verb_ending(word)
}

/// Whether a name may follow the word.
fn holds_name(word: &[u8]) -> bool {
    !lexicon::is_fault(word) && !List::BeforeVerbs.knows(word) && !lexicon::is_free(word)
}
