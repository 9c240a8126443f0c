//! What begins with a digit: a number, an amount, a date, an address, an id.

use crate::grouping::tokens::token::{Kinds, TokenKind, WordShape, hash_code, hash_word};
use crate::grouping::tokens::tokenizer::Scanner;
use crate::grouping::tokens::word_shape::{self, Census, Unit};

impl Scanner<'_, '_> {
    /// Begins with a digit: a number, an amount, a date, an address, an id.
    pub(crate) fn number(&mut self, start: usize, end: usize, to: usize, count: &Census) -> usize {
        let bytes = &self.text[start..end];
        let letters = count.lower + count.upper;
        if letters == 0 && count.dot == 0 && count.dash == u32::from(bytes[0] == b'-') && count.other == 0 {
            let end = self.grouped_digits(start, end, to);
            if self.number_matters(start, end, to) {
                let hash = hash_code(&self.text[start..end]);
                self.push(TokenKind::Word(WordShape::Status), Kinds::default(), start, end, hash);
            } else {
                self.slot(Kinds::NUMBER, start, end);
            }
            return end;
        }
        let kinds = if letters == 0 {
            if word_shape::is_ipv4(bytes, count) {
                Kinds::HOST
            } else if count.dash >= 2 && count.digit >= 6 {
                Kinds::TIME
            } else if count.dot >= 2 {
                Kinds::VERSION
            } else {
                Kinds::NUMBER
            }
        } else if word_shape::is_file(bytes) {
            Kinds::FILE
        } else if count.digit >= 8 && bytes.len() > 10 && bytes[4] == b'-' && bytes[7] == b'-' {
            Kinds::TIME
        } else {
            let head =
                bytes.iter().take_while(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'+')).count();
            let tail = &bytes[head..];
            match word_shape::unit(tail) {
                Some(Unit::Duration) => Kinds::DURATION,
                Some(Unit::Size) => Kinds::SIZE,
                Some(Unit::Other) => Kinds::NUMBER,
                None if is_duration(bytes) => Kinds::DURATION,
                None if word_shape::is_host(bytes, count) => Kinds::HOST,
                None if tail.len() >= 4
                    && tail.iter().all(u8::is_ascii_alphabetic)
                    && !word_shape::is_hex(bytes, count)
                    && count.turns <= 2 =>
                {
                    self.slot(Kinds::NUMBER, start, start + head);
                    self.push(TokenKind::Word(WordShape::Plain), Kinds::default(), start + head, end, hash_word(tail));
                    return end;
                }
                None if word_shape::is_hex(bytes, count) => {
                    if count.dash >= 4 {
                        Kinds::ID
                    } else {
                        Kinds::HEX
                    }
                }
                None => Kinds::ID,
            }
        };
        self.slot(kinds, start, end);
        end
    }

    /// `58,767`: goes on over groups of three digits.
    fn grouped_digits(&self, start: usize, end: usize, to: usize) -> usize {
        let mut end = end;
        if end - start > 3 {
            return end;
        }
        while let Some([b',', a, b, c]) = self.text[..to].get(end..end + 4)
            && a.is_ascii_digit()
            && b.is_ascii_digit()
            && c.is_ascii_digit()
            && !self.text[..to].get(end + 4).is_some_and(u8::is_ascii_digit)
        {
            end += 4;
        }
        if end - start > 3 && self.text[..to].get(end) == Some(&b'.') {
            let decimals = self.text[end + 1..to].iter().take_while(|byte| byte.is_ascii_digit()).count();
            if decimals > 0 {
                end += 1 + decimals;
            }
        }
        end
    }
}

/// `5m17.153s`, `1h2m`.
fn is_duration(bytes: &[u8]) -> bool {
    let mut units = 0;
    let mut rest = bytes;
    while !rest.is_empty() {
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit() || **byte == b'.').count();
        let letters = rest[digits..].iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
        if digits == 0 || word_shape::unit(&rest[digits..digits + letters]) != Some(Unit::Duration) {
            return false;
        }
        units += 1;
        rest = &rest[digits + letters..];
    }
    units > 0
}
