//! One word, with or without digits: what it looks like, or which kind of slot it is.

use crate::grouping::tokens::lexicon::{self, List};
use crate::grouping::tokens::scanner::Scanner;
use crate::grouping::tokens::script::find;
use crate::grouping::tokens::token::{Kinds, MARK, Token, TokenKind, WordShape, hash_code, hash_word};
use crate::grouping::tokens::word_shape::{self, Census, census};
use crate::model::redact::word::is_word;

impl Scanner<'_, '_> {
    /// An API key by its prefix, or what follows `Bearer`: never to be shown in a template.
    fn is_secret(&self, bytes: &[u8]) -> bool {
        let after = |token: &Token| &self.text[token.start as usize..token.end as usize] == b"Bearer";
        let is_key = || !std::str::from_utf8(bytes).is_ok_and(is_word);
        bytes.len() >= 8
            && (bytes.starts_with(b"llx-")
                || bytes.starts_with(b"sk-")
                || self.out.last().is_some_and(after) && is_key())
    }

    /// Whether a truth value stands where values stand.
    fn flag_stands(&self, bytes: &[u8]) -> bool {
        List::Flags.has(bytes)
            && self
                .out
                .last()
                .is_some_and(|last| matches!(last.hash, 58 | 61 | 124 | 63) || !self.space && last.hash == 44)
    }

    /// A constant names an error, unless it stands after a noun that a name follows: `label SALES_TOTAL`.
    fn is_code_constant(&self, bytes: &[u8], count: &Census) -> bool {
        word_shape::is_constant(bytes, count)
            && !self.out.last().filter(|last| last.is_word()).is_some_and(|last| {
                let noun = self.text[last.start as usize..last.end as usize].to_ascii_lowercase();
                List::Entities.knows(&noun)
            })
    }

    /// Letters only.
    pub(crate) fn word(&mut self, at: usize, end: usize) {
        let bytes = &self.text[at..end];
        if self.flag_stands(bytes) {
            self.slot(Kinds::FLAG, at, end);
            return;
        }
        let (mut upper, mut turns) = (0u32, 0u32);
        let mut was_lower = false;
        for &byte in bytes {
            let is_upper = byte.is_ascii_uppercase();
            upper += u32::from(is_upper);
            turns += u32::from(is_upper && was_lower);
            was_lower = !is_upper;
        }
        let look = if upper == 0 {
            WordShape::Plain
        } else if upper as usize == bytes.len() && bytes.len() > 1 {
            WordShape::Capitals
        } else if turns == 0 {
            WordShape::Plain
        } else if lexicon::is_exception(bytes) {
            WordShape::Code
        } else if bytes.len() >= 12 && word_shape::is_random(bytes, &census(bytes)) {
            self.slot(Kinds::ID, at, end);
            return;
        } else {
            WordShape::Compound
        };
        let look =
            if look == WordShape::Plain && upper > 0 && lexicon::is_exception(bytes) { WordShape::Code } else { look };
        self.push(TokenKind::Word(look), Kinds::default(), at, end, hash_word(bytes));
    }

    /// Letters, digits, dots, dashes and underscores.
    pub(crate) fn plain(&mut self, start: usize, end: usize, to: usize) -> usize {
        if start >= end {
            return end;
        }
        let bytes = &self.text[start..end];
        if let Some(dots) = find(bytes, b"..") {
            let after = start + dots + bytes[dots..].iter().take_while(|&&byte| byte == b'.').count();
            self.plain(start, start + dots, to);
            self.space = true;
            return self.plain(after, end, to);
        }
        let count = census(bytes);
        if holds_mark(bytes) {
            self.slot(Kinds::FILE, start, end);
            return end;
        }
        if self.is_secret(bytes) {
            self.slot(Kinds::ID, start, end);
            return end;
        }
        if count.digit == 0 {
            self.undigited(start, end, &count);
            return end;
        }
        if self.is_code_constant(bytes, &count) || bytes.len() <= 12 && self.follows_code_name(bytes) {
            self.push(TokenKind::Word(WordShape::Code), Kinds::default(), start, end, hash_code(bytes));
            return end;
        }
        let first = if matches!(bytes[0], b'-' | b'+' | b'$' | b'~') && bytes.len() > 1 { bytes[1] } else { bytes[0] };
        if first.is_ascii_digit() {
            return self.number(start, end, to, &count);
        }
        let head = bytes.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
        if head >= 5
            && count.digit >= 4
            && bytes[head..].iter().all(u8::is_ascii_digit)
            && !word_shape::is_code_shape(bytes, &count)
        {
            self.plain(start, start + head, to);
            self.slot(Kinds::NUMBER, start + head, end);
            return end;
        }
        let kinds = if word_shape::is_hex(bytes, &count) {
            if count.dash >= 4 { Kinds::ID } else { Kinds::HEX }
        } else if List::DigitNames.knows(bytes) {
            self.push(TokenKind::Word(WordShape::Plain), Kinds::default(), start, end, hash_code(bytes));
            return end;
        } else if lexicon::is_exception(bytes)
            || word_shape::is_code_shape(bytes, &count)
                && (lexicon::has_code_prefix(bytes) || self.code_may_stand(end, to))
        {
            self.push(
                TokenKind::Word(WordShape::Code),
                Kinds::default(),
                start,
                end,
                hash_code(lexicon::class_name(bytes)),
            );
            return end;
        } else if word_shape::is_file(bytes) {
            Kinds::FILE
        } else if count.dot >= 1 && word_shape::is_host(bytes, &count) {
            Kinds::HOST
        } else if word_shape::is_random(bytes, &count) || is_numbered(bytes) {
            Kinds::ID
        } else if matches!(bytes[0], b'v' | b'V') && bytes[1].is_ascii_digit() {
            Kinds::VERSION
        } else if count.lower + count.upper <= 1 + count.dash && count.other == 0 && count.dot == 0 {
            Kinds::ID
        } else {
            self.push(
                TokenKind::Word(WordShape::Ident),
                Kinds::default(),
                start,
                end,
                hash_word(lexicon::class_name(bytes)),
            );
            return end;
        };
        self.slot(kinds, start, end);
        end
    }

    fn undigited(&mut self, start: usize, end: usize, count: &Census) {
        let bytes = &self.text[start..end];
        if count.lower + count.upper == 0 && count.other == 0 {
            // `server: _`: a value that is not set.
            if bytes == b"_" {
                self.slot(Kinds::EMPTY, start, end);
            }
            return;
        }
        let look = if self.flag_stands(bytes) {
            return self.slot(Kinds::FLAG, start, end);
        } else if lexicon::is_exception(bytes) {
            WordShape::Code
        } else if count.dot > 0 {
            if word_shape::is_file(bytes) {
                return self.slot(Kinds::FILE, start, end);
            }
            let port = count.upper == 0
                && self.text.get(end) == Some(&b':')
                && self.text.get(end + 1).is_some_and(u8::is_ascii_digit);
            if port || count.dot >= 2 && word_shape::is_host(bytes, count) {
                return self.slot(Kinds::HOST, start, end);
            }
            match () {
                () if self.is_permission(bytes, count) => WordShape::Code,
                () => WordShape::Ident,
            }
        } else if bytes.len() >= 16 && word_shape::is_random(bytes, count) {
            return self.slot(Kinds::ID, start, end);
        } else if self.is_code_constant(bytes, count) {
            WordShape::Code
        } else if count.lower == 0 && count.other == 0 {
            WordShape::Capitals
        } else if count.under > 0 || count.turns > count.dash && count.upper > 1 {
            WordShape::Compound
        } else {
            WordShape::Plain
        };
        self.push(TokenKind::Word(look), Kinds::default(), start, end, hash_word(lexicon::class_name(bytes)));
    }
}

/// Whether the item's own name is part of it.
pub(crate) fn holds_mark(bytes: &[u8]) -> bool {
    let mut buffer = [0; 4];
    find(bytes, MARK.encode_utf8(&mut buffer).as_bytes()).is_some()
}

/// `worker-44`, `node_7`.
fn is_numbered(bytes: &[u8]) -> bool {
    let digits = bytes.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let head = &bytes[..bytes.len() - digits];
    digits > 0
        && matches!(head.last(), Some(b'-' | b'_'))
        && head.iter().all(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'-' | b'_'))
}
