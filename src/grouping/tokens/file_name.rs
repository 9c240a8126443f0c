//! File names with spaces that no one quoted: `password required for final report.pdf` reads as words before a slot.
//!
//! One message cannot tell where such a name begins, so every beginning is tried: the place where many names were seen
//! is the one. What was seen there must begin in many ways; `could not open a.pdf` and `could not read a.pdf` differ in a
//! word, too, but no account has a dozen such verbs and never a bare name.

use std::ops::Range;

use crate::grouping::tokens::form::{Form, Piece};
use crate::grouping::tokens::token::{Kinds, SLOT, TokenKind, WordShape};

/// Words of a name before its last part, at most.
const WORDS: usize = 6;
/// Files of a form whose names are looked for.
const FILES: usize = 2;

/// The stretches of a form that may each be one file name, with their weight as evidence that there is a name.
pub(crate) fn file_names(form: &Form) -> Vec<(Range<usize>, u32)> {
    let is_file = |at: &usize| {
        let piece = &form.pieces[*at];
        piece.is_slot() && piece.hash == SLOT && piece.kinds.has(Kinds::FILE)
    };
    let files = (0..form.pieces.len()).filter(is_file).take(FILES);
    files
        .flat_map(|file| beginnings(form, file).map(move |from| from..file + 1))
        .filter(|range| form.constants(range.clone()) >= 2)
        .map(|range| (range.clone(), weight(&form.pieces[range.start])))
        .collect()
}

/// Where a name that ends in the file at `file` may begin, the latest first.
fn beginnings(form: &Form, file: usize) -> impl Iterator<Item = usize> {
    let reach = file.saturating_sub(WORDS);
    let part_of_name = |at: &usize| {
        let piece = &form.pieces[*at];
        let word = matches!(piece.look(), Some(look) if look != WordShape::Code && look != WordShape::Status);
        let slot = piece.is_slot() && piece.hash == SLOT;
        let mark = piece.is_punct(b'-') || piece.is_punct(b'&') || piece.is_punct(b'+');
        (word && !is_grammar(form.word(piece)) || slot || mark) && (form.pieces[at + 1].space || !slot)
    };
    let first = (reach..file).rev().take_while(part_of_name).last().unwrap_or(file);
    (first..=file).rev()
}

/// A bare name, a number or a name in a script without spaces stands where names stand; a word may be anything.
fn weight(first: &Piece) -> u32 {
    match first.part {
        TokenKind::Slot | TokenKind::Word(WordShape::Ident | WordShape::Dense) => 12,
        _ => 2,
    }
}

/// Words that hold a sentence together and seldom stand in a file name.
fn is_grammar(word: &str) -> bool {
    matches!(
        word.to_ascii_lowercase().as_str(),
        "a" | "an"
            | "the"
            | "not"
            | "no"
            | "to"
            | "of"
            | "for"
            | "from"
            | "in"
            | "on"
            | "at"
            | "by"
            | "with"
            | "is"
            | "are"
            | "was"
            | "were"
            | "be"
            | "been"
            | "has"
            | "have"
            | "had"
            | "and"
            | "or"
            | "but"
            | "could"
            | "can"
            | "cannot"
            | "while"
            | "when"
            | "because"
            | "that"
            | "this"
            | "it"
            | "its"
            | "as"
            | "than"
            | "into"
    )
}
