//! JSON objects and Python dictionaries inside messages: what they say is kept, the data they carry is not.
//!
//! An error body is read for the fields that name or explain the error; all other fields vanish, so that their order,
//! number and content make no difference. An object without such a field is one slot.

use crate::grouping::tokens::lexicon::{self, List, parts};
use crate::grouping::tokens::scanner::Scanner;
use crate::grouping::tokens::span::{has_words, is_reason};
use crate::grouping::tokens::token::{Kinds, TokenKind, WordShape, hash_code, hash_word};

/// Nesting followed.
const DEPTH: u8 = 6;

/// A code has letters and no blanks, and is no id.
fn is_short_code(content: &[u8]) -> bool {
    (1..=40).contains(&content.len())
        && content.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b':'))
        && content.iter().any(u8::is_ascii_alphabetic)
        && !List::Flags.has(content)
        && content.iter().filter(|byte| byte.is_ascii_digit()).count() <= 6
}

/// A word alone may be a value like any other: `severity: critical`.
fn is_sentence(content: &[u8]) -> bool {
    is_reason(content) && (content.contains(&b' ') || !content.is_ascii())
}

fn is_reason_or(tells: bool, content: &[u8]) -> bool {
    tells || is_reason(content)
}

impl Scanner<'_, '_> {
    /// At a brace or bracket that may begin an object.
    pub(crate) fn json_or_punct(&mut self, at: usize, to: usize) -> usize {
        if self.looks_like_object(at, to) {
            let mark = self.out.len();
            let space = self.space;
            let end = self.container(at, to, 0, true, false);
            if self.out.len() == mark {
                self.space = space;
                self.slot(Kinds::JSON, at, end);
            }
            return end;
        }
        match self.balanced(at, to) {
            Some(end) if !self.text[at..end].contains(&b'=') && !self.text[at..end].contains(&b' ') => {
                self.slot(Kinds::JSON, at, end);
                end
            }
            _ => {
                self.punct(self.text[at], at);
                at + 1
            }
        }
    }

    fn looks_like_object(&self, at: usize, to: usize) -> bool {
        let mut seen = 0;
        for &byte in self.text[at..to.min(at + 64)].iter() {
            match byte {
                b'{' => seen |= 1,
                b'[' if seen == 0 => {}
                b'"' | b'\'' if seen == 1 => return true,
                0..=32 => {}
                _ => return false,
            }
        }
        false
    }

    fn blank(&self, mut at: usize, to: usize) -> usize {
        while at < to && (self.text[at] <= b' ' || self.text[at] == b',' || self.text[at] == b'\\') {
            at += 1;
        }
        at
    }

    /// Walks an object or array; a list counts once, by its first element.
    fn container(&mut self, at: usize, to: usize, depth: u8, tells: bool, fails: bool) -> usize {
        if depth > DEPTH {
            return self.balanced(at, to).unwrap_or(to);
        }
        if self.text[at] == b'[' {
            let first = self.blank(at + 1, to);
            if first < to && matches!(self.text[first], b'{' | b'[') {
                self.container(first, to, depth + 1, tells, fails);
            } else if first < to && matches!(self.text[first], b'"' | b'\'') {
                self.string(first, to, is_reason_or(tells, &self.text[first + 1..self.balanced(at, to).unwrap_or(to)]));
            }
            return self.balanced(at, to).unwrap_or(to);
        }
        let mut i = self.blank(at + 1, to);
        while i < to && self.text[i] != b'}' {
            let (key, after) = match self.text[i] {
                mark @ (b'"' | b'\'') => match self.closing_quote(i + 1, to, mark) {
                    Some(close) => ((i + 1, close), close + 1),
                    None => return to,
                },
                _ => return self.balanced(at, to).unwrap_or(to).max(i),
            };
            let colon = self.blank(after, to);
            if colon >= to || self.text[colon] != b':' {
                return self.balanced(at, to).unwrap_or(to);
            }
            i = self.value(key, self.blank(colon + 1, to), to, depth, fails);
            i = self.blank(i, to);
        }
        (i + 1).min(to)
    }

    fn value(&mut self, key: (usize, usize), at: usize, to: usize, depth: u8, fails: bool) -> usize {
        if at >= to {
            return to;
        }
        let name = &self.text[key.0..key.1];
        let code = List::CodeKeys.knows(name);
        let tells = code || lexicon::explains(name) || name == b"title";
        // `"failed_pages": {"3": "…"}`
        let fails = fails || !tells && parts(name).any(lexicon::is_fault);
        match self.text[at] {
            b'{' | b'[' if !List::InputFields.knows(name) => self.container(at, to, depth + 1, tells, fails),
            b'{' | b'[' => self.balanced(at, to).unwrap_or(to),
            b'"' | b'\'' => {
                if tells {
                    self.field(key);
                }
                let close = self.closing_quote(at + 1, to, self.text[at]).unwrap_or(to);
                if code && lexicon::is_code_name(&name.to_ascii_lowercase()) && is_short_code(&self.text[at + 1..close])
                {
                    let hash = hash_code(&self.text[at + 1..close]);
                    self.push(TokenKind::Word(WordShape::Code), Kinds::default(), at + 1, close, hash);
                    return (close + 1).min(to);
                }
                self.space |= !tells;
                let content = &self.text[at + 1..close];
                let is_said = fails && has_words(content, 2) || is_sentence(content);
                self.string(at, to, tells || is_said && !List::InputFields.knows(name))
            }
            _ => {
                let end = at
                    + self.text[at..to].iter().take_while(|byte| !matches!(byte, b',' | b'}' | b']' | 0..=32)).count();
                if code && end - at <= 5 && self.text[at].is_ascii_digit() {
                    self.field(key);
                    let hash = hash_code(&self.text[at..end]);
                    self.push(TokenKind::Word(WordShape::Status), Kinds::default(), at, end, hash);
                }
                end.max(at + 1)
            }
        }
    }

    fn field(&mut self, key: (usize, usize)) {
        self.space = true;
        let hash = hash_word(&self.text[key.0..key.1]);
        self.push(TokenKind::Word(WordShape::Plain), Kinds::default(), key.0, key.1, hash);
        self.punct(b':', key.1);
        self.space = true;
    }

    fn string(&mut self, at: usize, to: usize, tells: bool) -> usize {
        match self.closing_quote(at + 1, to, self.text[at]) {
            Some(close) => {
                if tells {
                    self.run(at + 1, close);
                }
                close + 1
            }
            None => {
                if tells {
                    self.run(at + 1, to);
                }
                to
            }
        }
    }
}
