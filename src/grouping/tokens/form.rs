//! A form: the tokens of messages that read the same once slots are blank. Groups are made of forms.

use crate::grouping::tokens::lexicon::class_name;
use crate::grouping::tokens::token::{Kinds, SLOT, Token, TokenKind, WordShape, finish, fold};

/// One token of a form, on its own text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) part: TokenKind,
    pub(crate) kinds: Kinds,
    pub(crate) space: bool,
    /// A slot that was found by comparing forms, not by its look.
    pub(crate) learned: bool,
    pub(crate) hash: u64,
    pub(crate) start: u16,
    pub(crate) end: u16,
}

impl Piece {
    pub(crate) fn is_slot(&self) -> bool {
        self.part == TokenKind::Slot
    }
    pub(crate) fn look(&self) -> Option<WordShape> {
        match self.part {
            TokenKind::Word(look) => Some(look),
            _ => None,
        }
    }
    pub(crate) fn is_punct(&self, byte: u8) -> bool {
        self.part == TokenKind::Punct && self.hash == u64::from(byte)
    }
}

/// A form and the text of its words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Form {
    pub(crate) pieces: Vec<Piece>,
    pub(crate) text: String,
    /// Hash of kind (and what else must not mix) from which the form's hash starts.
    pub(crate) seed: u64,
    /// The end was cut.
    pub(crate) cut: bool,
    /// Shown before the template: the reason a skipped item has beside its message.
    pub(crate) prefix: Option<Box<str>>,
}

/// Longest word kept as text; longer ones are shown shortened but compared in full.
const WORD_BYTES: usize = 60;

impl Form {
    /// Copies what is needed out of a scanned message.
    pub(crate) fn of(seed: u64, text: &str, tokens: &[Token], cut: bool) -> Self {
        let mut form = Self { pieces: Vec::with_capacity(tokens.len()), text: String::new(), seed, cut, prefix: None };
        for token in tokens {
            let start = form.text.len() as u16;
            if token.part == TokenKind::Punct && token.hash < 128 {
                // Full-width marks and those a JSON body implies are shown as their plain counterpart.
                form.text.push(char::from(token.hash as u8));
            } else if !token.is_slot() {
                let word = &text[token.start as usize..token.end as usize];
                let mut end = word.len().min(WORD_BYTES);
                while !word.is_char_boundary(end) {
                    end -= 1;
                }
                form.text.push_str(&word[..end]);
            }
            form.pieces.push(Piece {
                part: token.part,
                kinds: token.kinds,
                space: token.space,
                learned: false,
                hash: token.hash,
                start,
                end: form.text.len() as u16,
            });
        }
        form
    }

    pub(crate) fn word(&self, piece: &Piece) -> &str {
        &self.text[piece.start as usize..piece.end as usize]
    }

    /// The same form with a prefix for people.
    pub(crate) fn titled(mut self, prefix: &str) -> Self {
        self.prefix = Some(prefix.into());
        self
    }

    /// Whether any slot was found by comparison.
    pub(crate) fn is_learned(&self) -> bool {
        self.pieces.iter().any(|piece| piece.learned)
    }

    /// Notes what the slots of one more message held; says whether that was new.
    pub(crate) fn note_kinds(&mut self, tokens: &[Token]) -> bool {
        let mut new = false;
        for (piece, token) in self.pieces.iter_mut().zip(tokens) {
            let both = piece.kinds.with(token.kinds);
            new |= both != piece.kinds;
            piece.kinds = both;
        }
        new
    }

    /// The form without what its first message happened to hold: equal forms give equal text on every machine.
    pub(crate) fn canonical(&self) -> String {
        let mut out = self.prefix.as_ref().map_or_else(String::new, |prefix| prefix.to_string());
        for piece in &self.pieces {
            out.push('\u{1f}');
            match piece.part {
                TokenKind::Slot if piece.hash == SLOT => out.push_str("<*>"),
                TokenKind::Slot => out.push_str("=<*>"),
                TokenKind::Word(WordShape::Ident) => mask_digits(self.class_name(piece), &mut out),
                _ => out.push_str(self.class_name(piece)),
            }
        }
        out
    }

    /// The word without a package before it.
    fn class_name(&self, piece: &Piece) -> &str {
        let word = self.word(piece);
        &word[word.len() - class_name(word.as_bytes()).len()..]
    }

    pub(crate) fn hash(&self) -> u64 {
        hash_of(self.seed, self.pieces.iter().map(|piece| piece.hash))
    }

    /// Words outside `except`.
    pub(crate) fn constants(&self, except: std::ops::Range<usize>) -> usize {
        self.pieces.iter().enumerate().filter(|(at, piece)| !except.contains(at) && piece.look().is_some()).count()
    }

    /// The same form with a slot in place of `from..to`; neighbouring slots become one.
    pub(crate) fn with_slot(&self, from: usize, to: usize) -> Self {
        let mut pieces: Vec<Piece> = Vec::with_capacity(self.pieces.len());
        let kinds = self.pieces[from..to]
            .iter()
            .filter(|piece| piece.is_slot())
            .fold(Kinds::default(), |all, piece| all.with(piece.kinds));
        let kinds = if self.pieces[from..to].iter().all(Piece::is_slot) { kinds } else { kinds.with(Kinds::TEXT) };
        for (at, piece) in self.pieces.iter().enumerate() {
            if at > from && at < to {
                continue;
            }
            let piece = if at == from {
                Piece { part: TokenKind::Slot, kinds, learned: true, hash: SLOT, ..*piece }
            } else {
                *piece
            };
            match pieces.last_mut() {
                Some(last) if last.hash == SLOT && piece.hash == SLOT => {
                    last.kinds = last.kinds.with(piece.kinds);
                    last.learned |= piece.learned;
                }
                _ => pieces.push(piece),
            }
        }
        Self { pieces, text: self.text.clone(), seed: self.seed, cut: self.cut, prefix: self.prefix.clone() }
    }

    /// One piece as people read it.
    pub(crate) fn shown(&self, piece: &Piece) -> String {
        match piece.part {
            TokenKind::Slot if piece.hash == SLOT => format!("<{}>", piece.kinds.name()),
            TokenKind::Slot if piece.kinds == Kinds::EMPTY => "=".to_owned(),
            TokenKind::Slot => format!("=<{}>", piece.kinds.name()),
            TokenKind::Word(WordShape::Ident) => blank_indices(self.word(piece)),
            _ => self.word(piece).to_owned(),
        }
    }

    /// As people read it, slots in angle brackets.
    pub(crate) fn template(&self) -> String {
        let mut out = self.prefix.as_ref().map_or_else(String::new, |prefix| format!("{prefix}: "));
        for (at, piece) in self.pieces.iter().enumerate() {
            if piece.space && at > 0 {
                out.push(' ');
            }
            out.push_str(&self.shown(piece));
        }
        if self.cut {
            out.push_str(" …");
        }
        out
    }
}

/// `lines.7.amount` as `lines.<n>.amount`; other digits are shown as the first message had them.
fn blank_indices(word: &str) -> String {
    let labels = word.split('.').collect::<Vec<_>>();
    let last = labels.len() - 1;
    let index = |(at, label): (usize, &&str)| {
        (at > 0 && at < last && !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_digit())).then_some("<n>")
    };
    labels.iter().enumerate().map(|(at, label)| index((at, label)).unwrap_or(label)).collect::<Vec<_>>().join(".")
}

fn mask_digits(word: &str, out: &mut String) {
    let mut in_digits = false;
    for char in word.chars() {
        let digit = char.is_ascii_digit();
        if !(digit && in_digits) {
            out.push(if digit { '0' } else { char });
        }
        in_digits = digit;
    }
}

/// Hash of a sequence of token hashes.
pub(crate) fn hash_of(seed: u64, hashes: impl Iterator<Item = u64>) -> u64 {
    finish(hashes.fold(seed, fold))
}
