//! How strongly forms that differ in one place speak for that place being variable.
//!
//! Evidence only ever grows, and merging follows from the set of forms seen, not from their order.

use crate::grouping::tokens::form::{Form, Piece};
use crate::grouping::tokens::lexicon::{self, List};
use crate::grouping::tokens::token::{SLOT, WordShape};
use std::ops::Range;

/// The sum of weights from which a place is variable.
pub(crate) const ENOUGH: u32 = 24;

/// The weight of one text behind a colon that may be someone else's.
pub(crate) const TAIL_WEIGHT: u32 = 6;

/// The weight of one filling of a gap that held other free words before.
pub(crate) fn value_weight(form: &Form, range: Range<usize>) -> u32 {
    let pieces = &form.pieces[range.clone()];
    let is_value = |piece: &Piece| {
        piece.is_slot() || piece.look() == Some(WordShape::Ident) || List::Flags.has(form.word(piece).as_bytes())
    };
    let first = form.word(&pieces[0]);
    let weight = match pieces {
        _ if pieces.iter().any(is_value) => 12,
        _ if pieces.iter().all(|piece| !lexicon::is_free(form.word(piece).as_bytes())) => 2,
        [piece] if piece.look() == Some(WordShape::Capitals) => 5,
        _ if first.starts_with(char::is_uppercase) => 8,
        _ => 6,
    };
    let is_first = !form.pieces[..range.start].iter().any(|piece| piece.look().is_some());
    match () {
        () if is_first => weight / 2,
        () if named(form, range.start) => (weight * 2).clamp(weight, 12),
        () => weight,
    }
}

/// `while it was parsing`: what something was busy with, not what failed.
pub(crate) fn is_activity(form: &Form, at: usize) -> bool {
    at > 0
        && form.word(&form.pieces[at]).ends_with("ing")
        && matches!(form.word(&form.pieces[at - 1]), "was" | "were" | "is" | "are" | "been")
}

/// Whether a noun that takes a name stands before.
pub(crate) fn named(form: &Form, at: usize) -> bool {
    let colon = at > 1 && form.pieces[at - 1].is_punct(b':');
    let Some(before) = at.checked_sub(1 + usize::from(colon)).map(|before| &form.pieces[before]) else { return false };
    before.look().is_some() && List::Entities.knows(form.word(before).as_bytes())
}

/// The rest of the form after its first colon, where it may be someone else's text: an answer that is repeated, or a
/// sentence behind a sentence, without a word of failure and without a code.
pub(crate) fn free_tail(form: &Form) -> Option<Range<usize>> {
    let words = |range: Range<usize>| form.pieces[range].iter().filter(|piece| piece.look().is_some()).count();
    let colon = form.pieces.iter().position(|piece| piece.is_punct(b':'))?;
    let tail = colon + 1..form.pieces.len();
    let is_answer = |piece: &Piece| List::Answers.knows(form.word(piece).as_bytes());
    let is_echo = words(0..colon) >= 2 && form.pieces[..colon].iter().any(is_answer);
    let speaks = |piece: &Piece| match (piece.look(), form.word(piece).as_bytes()) {
        (None, _) => piece.hash != SLOT && piece.is_slot(),
        (Some(WordShape::Code | WordShape::Status), _) => true,
        (_, b"no" | b"not" | b"none") => !is_echo,
        (_, word) => lexicon::is_fault(word),
    };
    let is_long = words(0..colon) >= 3 && words(tail.clone()) >= 4;
    let is_free = !tail.is_empty() && (is_echo || is_long) && !form.pieces[tail.clone()].iter().any(speaks);
    is_free.then_some(tail)
}
