//! How strongly forms that differ in one place speak for that place being variable.
//!
//! Evidence only ever grows, and merging follows from the set of forms seen, not from their order.

use crate::grouping::tokens::form::{Form, Piece};
use crate::grouping::tokens::lexicon::{self, List};
use crate::grouping::tokens::token::{SLOT, WordShape};
use std::ops::Range;

/// The sum of weights from which a place is variable.
pub(crate) const ENOUGH: u32 = 24;

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
        // `z+`: a mark rather than a name.
        [_] if first.len() <= 2 => 3,
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

/// What stands after the first colon of a form, where it may be someone else's text.
pub(crate) struct Tail {
    pub(crate) range: Range<usize>,
    /// As one of several texts in that place.
    pub(crate) weight: u32,
}

/// The rest of the form after its first colon: an answer that is repeated, or anything long, but no code.
///
/// A text without a word of failure weighs much where the clause before speaks of an answer, and less elsewhere; a long one
/// with such a word weighs little, for it may say why.
pub(crate) fn free_tail(form: &Form) -> Option<Tail> {
    let words = |range: Range<usize>| form.pieces[range].iter().filter(|piece| piece.look().is_some()).count();
    let colon = form.pieces.iter().position(|piece| piece.is_punct(b':'))?;
    let range = colon + 1..form.pieces.len();
    let coded = form.pieces[range.clone()].iter().any(|piece| {
        matches!(piece.look(), Some(WordShape::Code | WordShape::Status)) || piece.hash != SLOT && piece.is_slot()
    });
    if coded || range.is_empty() {
        return None;
    }
    let is_echo = words(0..colon) >= 2
        && form.pieces[..colon]
            .iter()
            .any(|piece| piece.look().is_some() && List::Answers.knows(form.word(piece).as_bytes()));
    let faults = form.pieces[range.clone()].iter().filter(|piece| {
        let word = form.word(piece).as_bytes();
        piece.look().is_some() && lexicon::is_fault(word) && !(is_echo && matches!(word, b"no" | b"not" | b"none"))
    });
    let faults = faults.count();
    let length = words(range.clone());
    let weight = match () {
        () if faults == 0 && is_echo => 12,
        () if faults == 0 && words(0..colon) >= 3 && length >= 4 => 6,
        () => return None,
    };
    Some(Tail { range, weight })
}
