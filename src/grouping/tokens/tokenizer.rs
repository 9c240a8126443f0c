//! From text to tokens: one pass over the bytes, no regular expression, no allocation per message.
//!
//! Knows quotes, brackets and scripts without spaces; leaves single words and ids to [`crate::grouping::tokens::atom`], JSON and Python
//! dictionaries to [`crate::grouping::tokens::json`], and what only neighbours tell (lists, key=value, dates in words) to [`crate::grouping::tokens::neighbours`].

use crate::grouping::tokens::scanner::{ATOM, CLASS, HIGH, MAX_TOKENS, OPEN, QUOTE, REACH, SPACE, Scanner};
use crate::grouping::tokens::script::{closing_of, decode, find, is_dense, plain_punct};
use crate::grouping::tokens::span::is_reason;
use crate::grouping::tokens::token::{Kinds, MARK, Token, TokenKind, WordShape, hash_code};
use crate::grouping::tokens::word::holds_mark;
use crate::grouping::tokens::word_shape::{self, census};

impl Scanner<'_, '_> {
    /// Scans `from..to`, appending tokens.
    pub(crate) fn run(&mut self, from: usize, to: usize) {
        let mut at = from;
        while at < to {
            if self.out.len() >= MAX_TOKENS {
                self.cut = true;
                return;
            }
            let byte = self.text[at];
            at = match CLASS[byte as usize] {
                SPACE => {
                    self.space = true;
                    at + 1
                }
                ATOM => self.atom(at, to),
                QUOTE => self.quote(at, to, byte),
                OPEN => self.open(at, to, byte),
                HIGH => self.high(at, to),
                _ => self.mark(at, to, byte),
            };
        }
    }

    /// Punctuation; a doubled mark on its own is a word, padding after base64 belongs to it.
    fn mark(&mut self, at: usize, to: usize, byte: u8) -> usize {
        let next = self.text[..to].get(at + 1).copied().unwrap_or(b' ');
        if byte == b'='
            && !self.space
            && !next.is_ascii_alphanumeric()
            && self.out.last().is_some_and(|last| last.is_slot() && last.end as usize >= at)
            && (next != b' ' || at + 1 == to || self.out.last().is_some_and(|last| last.end - last.start >= 24))
        {
            if let Some(last) = self.out.last_mut() {
                last.end = at as u32 + 1;
            }
            return at + 1;
        }
        if next == byte
            && let Some(end) = self.doubled(at, to, byte)
        {
            return end;
        }
        self.push(TokenKind::Punct, Kinds::default(), at, at + 1, u64::from(byte));
        at + 1
    }

    /// `<<` or `***` between white space.
    fn doubled(&mut self, at: usize, to: usize, byte: u8) -> Option<usize> {
        let len = self.text[at..to].iter().take_while(|&&other| other == byte).count();
        let alone =
            (at == 0 || self.text[at - 1] <= b' ') && self.text[..to].get(at + len).is_none_or(|&after| after <= b' ');
        if !alone || len > 3 {
            return None;
        }
        self.push(
            TokenKind::Word(WordShape::Plain),
            Kinds::default(),
            at,
            at + len,
            hash_code(&self.text[at..at + len]),
        );
        Some(at + len)
    }

    /// A quoted text is a slot, unless it is a sentence of HTTP status and reason, or nothing closes the quote.
    fn quote(&mut self, at: usize, to: usize, mark: u8) -> usize {
        if self.text[..to].get(at + 1) == Some(&b'[')
            && let Some(len) = find(&self.text[at..to.min(at + REACH)], &[b']', mark])
        {
            // `'['soffice', '--headless']'`
            self.slot(Kinds::LIST, at, at + len + 2);
            return at + len + 2;
        }
        let close = self.closing_quote(at + 1, to, mark);
        let Some(close) = close else {
            // A lone quote means nothing.
            return at + 1;
        };
        self.quoted(at, at + 1, close, close + 1)
    }

    /// `start..end` with the content `from..to`.
    fn quoted(&mut self, start: usize, from: usize, to: usize, end: usize) -> usize {
        let content = &self.text[from..to];
        if says_something(content)
            || self.names_state(content)
            || content.contains(&b'.') && self.is_permission(content, &census(content))
            || self.is_reason_here(start..end, from..to, self.text.len())
        {
            self.space |= self.out.last().is_some_and(Token::is_word);
            self.run(from, to);
            return end;
        }
        let kinds = match content {
            [] => Kinds::EMPTY,
            _ if word_shape::is_file(content) || holds_mark(content) => Kinds::FILE,
            [b'/', ..] => Kinds::PATH,
            _ if content.len() < 400 && content.windows(3).any(|three| three == b"://") => Kinds::URL,
            _ => Kinds::QUOTED,
        };
        self.slot(kinds, start, end);
        end
    }

    fn open(&mut self, at: usize, to: usize, byte: u8) -> usize {
        let attached = !self.space && at > 0 && self.text[at - 1].is_ascii_alphanumeric();
        match byte {
            b'(' if self.text[..to].get(at + 1) == Some(&b')') => {
                self.punct(b'(', at);
                self.slot(Kinds::EMPTY, at + 1, at + 1);
                at + 1
            }
            b'[' => self.bracket(at, to),
            b'{' if attached || self.after_equals() => {
                self.punct(b'{', at);
                at + 1
            }
            b'{' => self.json_or_punct(at, to),
            b'<' => self.angle(at, to),
            _ => {
                self.punct(byte, at);
                at + 1
            }
        }
    }

    /// A list of values is one slot; `[word]` and `[key=value, …]` are scanned on.
    fn bracket(&mut self, at: usize, to: usize) -> usize {
        if let Some(end) = self.balanced(at, to) {
            let content = &self.text[at + 1..end - 1];
            let first = content.iter().copied().find(|byte| !byte.is_ascii_whitespace());
            let quoted = matches!(first, Some(b'\'' | b'"'));
            let list = content.contains(&b',') && !content.contains(&b'=') && !content.contains(&b'{');
            if first == Some(b'{') && !self.after_equals() {
                return self.json_or_punct(at, to);
            }
            if quoted && is_reason(content) {
                let open = at + 1 + content.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
                if let Some(close) = self.closing_quote(open + 1, end, self.text[open]) {
                    self.run(open + 1, close);
                    return end;
                }
            }
            if first.is_none() || quoted || !is_reason(content) && (list || self.after_equals()) {
                let dated = matches!(content, [b'0'..=b'9', b'0'..=b'9', b'0'..=b'9', b'0'..=b'9', b'-' | b'/', ..]);
                self.slot(if dated { Kinds::TIME } else { Kinds::LIST }, at, end);
                return end;
            }
        }
        self.punct(b'[', at);
        at + 1
    }

    /// `<PIL.Image object at 0x7f>` and tags are slots; comparisons before numbers vanish.
    fn angle(&mut self, at: usize, to: usize) -> usize {
        let next = self.text[..to].get(at + 1).copied().unwrap_or(b' ');
        if next == b'<'
            && let Some(end) = self.doubled(at, to, b'<')
        {
            return end;
        }
        let close = self.text[at + 1..to.min(at + 80)].iter().position(|byte| matches!(byte, b'>' | b' ' | b'\n'));
        let is_closed = close.is_some_and(|len| self.text[at + 1 + len] == b'>');
        if next.is_ascii_digit() && !is_closed {
            return at + 1;
        }
        if next.is_ascii_alphanumeric() || next == b'/' || next == b'_' {
            let reach = to.min(at + 200);
            if let Some(len) = self.text[at + 1..reach].iter().position(|byte| matches!(byte, b'>' | b'<' | b'\n'))
                && self.text[at + 1 + len] == b'>'
                && !(self.text[at + 1..at + 1 + len].contains(&b' ') && is_reason(&self.text[at + 1..at + 1 + len]))
            {
                self.slot(Kinds::TEXT, at, at + len + 2);
                return at + len + 2;
            }
        }
        self.punct(b'<', at);
        at + 1
    }

    /// A character beyond ASCII: quotes, full-width punctuation, scripts without spaces, or letters of a word.
    fn high(&mut self, at: usize, to: usize) -> usize {
        let (char, len) = decode(&self.text[at..to]);
        if let Some(closings) = closing_of(char) {
            let from = at + len;
            let reach = to.min(at + 600);
            let nearest = closings
                .iter()
                .filter_map(|closing| {
                    find(&self.text[from..reach], closing.as_bytes()).map(|offset| (offset, closing.len()))
                })
                .min();
            return match nearest {
                Some((offset, width)) => self.quoted(at, from, from + offset, from + offset + width),
                None => from,
            };
        }
        if is_dense(char) {
            return self.dense(at, to, char, len);
        }
        if char.is_alphanumeric() || char == MARK {
            return self.atom(at, to);
        }
        if char.is_whitespace() {
            self.space = true;
        } else if let Some(plain) = plain_punct(char).filter(|&plain| plain != b'.') {
            self.push(TokenKind::Punct, Kinds::default(), at, at + len, u64::from(plain));
        }
        at + len
    }
}

/// A quoted HTTP status with its reason.
fn says_something(content: &[u8]) -> bool {
    matches!(content, [b'4'..=b'5', b'0'..=b'9', b'0'..=b'9', b' ', b'A'..=b'Z', ..])
}
