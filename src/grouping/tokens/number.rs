//! What begins with a digit: a number, an amount, a date, an address, an id; and when a number is part of the meaning, as
//! HTTP statuses, exit codes and error codes are.

use crate::grouping::tokens::lexicon::{self, List};
use crate::grouping::tokens::scanner::Scanner;
use crate::grouping::tokens::span::{has_words, is_reason};
use crate::grouping::tokens::token::{Kinds, Token, TokenKind, WordShape, hash_code, hash_word};
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

impl Scanner<'_, '_> {
    /// Whether the whole number `start..end` is a status or code rather than an amount.
    pub(crate) fn number_matters(&self, start: usize, end: usize, to: usize) -> bool {
        let bytes = &self.text[start..end];
        if bytes.len() > 5 {
            return false;
        }
        if self.out.last().is_some_and(|last| last.is_punct(b'(')) && self.text[..to].get(end) == Some(&b',') {
            // `OperationalError: (1045, "Access denied")`
            let rest = self.text[end + 1..to].trim_ascii_start();
            let said = &rest[..rest.len().min(200)];
            return matches!(said, [b'"' | b'\'', ..]) && (is_reason(said) || has_words(said, 3));
        }
        let http = bytes.len() == 3 && matches!(bytes[0], b'4' | b'5');
        let status = bytes.len() == 3 && matches!(bytes[0], b'1'..=b'5');
        let mut buffer = [0u8; 24];
        let (word, index) = self.word_before(self.out, &mut buffer);
        let follows_reason = http
            && matches!(
                self.text[..to].get(end..end + 4),
                Some([b' ', b'A'..=b'Z', b'a'..=b'z' | b'A'..=b'Z', b'a'..=b'z' | b'A'..=b'Z'])
            );
        if word.is_empty() {
            let begins = self.out.last().is_none_or(|last| last.part == TokenKind::Punct);
            return http && begins && (follows_reason || self.leads(end, to));
        }
        match word {
            b"http" | b"https" | b"httpstatus" | b"http_status" => status,
            b"code" | b"errno" | b"signal" | b"rc" | b"sqlstate" => true,
            b"status" => status || bytes.len() <= 3 && self.out.last().is_some_and(Token::is_word),
            b"failed" | b"failure" | b"fails" => self.is_marked(index, end, to),
            b"exit" => true,
            b"error" | b"err" | b"fault" => self.out.last().is_some_and(Token::is_word),
            b"returned" | b"responded" | b"respond" | b"response" | b"got" | b"with" | b"received" | b"answered"
            | b"replied" | b"error:" => http && (follows_reason || !self.amount_follows(end, to)),
            _ if lexicon::is_code_name(word) => true,
            _ if word.ends_with(b"status") => status,
            _ => follows_reason && self.out.last().is_some_and(|last| last.part == TokenKind::Punct),
        }
    }

    /// `failed (12)`, `failed #12`: a number that alone says why.
    fn is_marked(&self, index: usize, end: usize, to: usize) -> bool {
        let next = self.text[..to].get(end).copied();
        match &self.out[index + 1..] {
            [open] if open.is_punct(b'(') => next == Some(b')'),
            [open] if open.is_punct(b'[') => next == Some(b']'),
            [mark] => mark.is_punct(b'#'),
            _ => false,
        }
    }

    /// Whether a word with digits is a code because of the word before: `SQLSTATE 40P01`, `HRESULT 0x800A03EC`, `error 0xB7`.
    pub(crate) fn follows_code_name(&self, word: &[u8]) -> bool {
        let mut buffer = [0u8; 24];
        let is_hex = word.starts_with(b"0x") || word.starts_with(b"0X");
        match self.word_before(self.out, &mut buffer).0 {
            b"sqlstate" | b"hresult" | b"ntstatus" | b"errno" | b"winerror" => true,
            name => {
                is_hex
                    && (lexicon::is_code_name(name) || lexicon::is_fault(name) || matches!(name, b"status" | b"signal"))
            }
        }
    }

    /// `storage.objects.get`, and any dotted name after the word permission.
    pub(crate) fn is_permission(&self, word: &[u8], count: &Census) -> bool {
        let mut buffer = [0u8; 24];
        let last = word.rsplit(|&byte| byte == b'.').next().unwrap_or(word);
        count.other + count.digit == 0
            && (count.dot >= 2 && List::PermissionVerbs.has(last)
                || matches!(
                    self.word_before(self.out, &mut buffer).0,
                    b"permission" | b"permissions" | b"scope" | b"privilege" | b"role" | b"action"
                ))
    }

    /// Whether what follows a number at the beginning shows that it is a status and counts nothing: `503: …`, `[503] …`,
    /// `503 from …`.
    fn leads(&self, end: usize, to: usize) -> bool {
        match &self.text[end.min(to)..to] {
            [] | [b':' | b']' | b')', ..] | [b' ', b'-', b' ', ..] => true,
            [b' ', rest @ ..] => {
                let len = rest.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
                List::AfterStatus.has(&rest[..len])
            }
            _ => false,
        }
    }

    /// Whether a quoted single word is the value of a state or status.
    pub(crate) fn names_state(&self, content: &[u8]) -> bool {
        if content.is_empty()
            || content.len() > 40
            || !content.iter().all(|byte| byte.is_ascii_alphabetic() || *byte == b'_')
        {
            return false;
        }
        let mut buffer = [0u8; 24];
        let (word, _) = self.word_before(self.out, &mut buffer);
        matches!(word, b"state" | b"status" | b"error" | b"reason") || lexicon::is_code_name(word)
    }

    /// Whether a lower-case noun follows, so that the number counts something.
    fn amount_follows(&self, end: usize, to: usize) -> bool {
        let rest = &self.text[end.min(to)..to];
        let [b' ', rest @ ..] = rest else { return false };
        let len = rest.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
        let word = &rest[..len];
        word.first().is_some_and(u8::is_ascii_lowercase)
            && !List::AfterStatus.has(word)
            && !matches!(word, b"error" | b"response" | b"status" | b"code")
    }

    /// Whether a word shaped like a code stands where codes stand: first, alone in square brackets, before a colon, after `error` or `code`.
    pub(crate) fn code_may_stand(&self, end: usize, to: usize) -> bool {
        let next = self.text[..to].get(end).copied().unwrap_or(b' ');
        let Some(last) = self.out.last() else { return true };
        if last.is_punct(b'[') && next == b']' || next == b':' && self.out.len() < 6 {
            return true;
        }
        let mut buffer = [0u8; 24];
        let (word, _) = self.word_before(self.out, &mut buffer);
        matches!(word, b"error" | b"errno" | b"sqlstate" | b"exception" | b"errors") || lexicon::is_code_name(word)
    }
}
