//! When a number or an upper-case code is part of the meaning: HTTP statuses, exit codes, error codes.

use crate::grouping::tokens::lexicon;
use crate::grouping::tokens::span::is_reason;
use crate::grouping::tokens::token::{Token, TokenKind};
use crate::grouping::tokens::tokenizer::Scanner;
use crate::grouping::tokens::word_shape::Census;

impl Scanner<'_, '_> {
    /// The word before, past joining punctuation and white space; lower-cased into `buffer`.
    fn word_before<'b>(&self, tokens: &[Token], buffer: &'b mut [u8; 24]) -> (&'b [u8], usize) {
        for (index, token) in tokens.iter().enumerate().rev().take(4) {
            match token.part {
                TokenKind::Punct
                    if matches!(token.hash as u8, b':' | b'=' | b'(' | b'[' | b'/' | b'#' | b'<' | b'-') => {}
                TokenKind::Word(_) => {
                    let word = &self.text[token.start as usize..token.end as usize];
                    let len = word.len().min(buffer.len());
                    // The end of a long name is what tells: `lastHttpStatusCode`.
                    buffer[..len].copy_from_slice(&word[word.len() - len..]);
                    buffer[..len].make_ascii_lowercase();
                    return (&buffer[..len], index);
                }
                _ => break,
            }
        }
        (&[], 0)
    }

    /// Whether the whole number `start..end` is a status or code rather than an amount.
    pub(crate) fn number_matters(&self, start: usize, end: usize, to: usize) -> bool {
        let bytes = &self.text[start..end];
        if bytes.len() > 5 {
            return false;
        }
        if self.out.last().is_some_and(|last| last.is_punct(b'(')) && self.text[..to].get(end) == Some(&b',') {
            // `OperationalError: (1045, "Access denied")`
            let rest = self.text[end + 1..to].trim_ascii_start();
            return matches!(rest, [b'"' | b'\'', ..]) && is_reason(&rest[..rest.len().min(200)]);
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
            b"status" => {
                status || bytes.len() <= 3 && (self.exits(index) || self.out.last().is_some_and(Token::is_word))
            }
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
            && (count.dot >= 2 && lexicon::is_permission_verb(last)
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
                matches!(&rest[..len], b"from" | b"for" | b"on" | b"when" | b"while" | b"during" | b"by" | b"after")
            }
            _ => false,
        }
    }

    /// Whether one of the two words before `index` is about a process that ended.
    fn exits(&self, index: usize) -> bool {
        let mut buffer = [0u8; 24];
        let (word, at) = self.word_before(&self.out[..index], &mut buffer);
        let word =
            if matches!(word, b"with" | b"code") { self.word_before(&self.out[..at], &mut buffer).0 } else { word };
        matches!(word, b"exit" | b"exited" | b"exits" | b"returned" | b"terminated" | b"ended")
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
        !matches!(
            word,
            b"for"
                | b"from"
                | b"after"
                | b"on"
                | b"at"
                | b"when"
                | b"while"
                | b"during"
                | b"in"
                | b"to"
                | b"and"
                | b"by"
                | b"error"
                | b"response"
                | b"status"
                | b"code"
                | b""
        ) && word[0].is_ascii_lowercase()
    }

    /// Whether a word shaped like a code stands where codes stand: first, alone in brackets, before a colon, after `error` or `code`.
    pub(crate) fn code_may_stand(&self, end: usize, to: usize) -> bool {
        let next = self.text[..to].get(end).copied().unwrap_or(b' ');
        let Some(last) = self.out.last() else { return true };
        if last.is_punct(b'[') && next == b']'
            || last.is_punct(b'(') && next == b')'
            || next == b':' && self.out.len() < 6
        {
            return true;
        }
        let mut buffer = [0u8; 24];
        let (word, _) = self.word_before(self.out, &mut buffer);
        matches!(word, b"error" | b"errno" | b"sqlstate" | b"exception" | b"errors") || lexicon::is_code_name(word)
    }
}
