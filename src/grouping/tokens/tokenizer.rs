//! From text to tokens: one pass over the bytes, no regular expression, no allocation per message.
//!
//! Knows quotes, brackets and scripts without spaces; leaves single words and ids to [`crate::grouping::tokens::atom`], JSON and Python
//! dictionaries to [`crate::grouping::tokens::json`], and what only neighbours tell (lists, key=value, dates in words) to [`crate::grouping::tokens::neighbours`].

use crate::grouping::item_name::MARK;
use crate::grouping::tokens::script::{closing_of, decode, find, is_dense, plain_punct};
use crate::grouping::tokens::span::is_reason;
use crate::grouping::tokens::token::{Kinds, SLOT, Token, TokenKind, WordShape, hash_code};
use crate::grouping::tokens::word::holds_mark;
use crate::grouping::tokens::word_shape;

/// Tokens considered per message; the rest is cut, and the template says so.
pub(crate) const MAX_TOKENS: usize = 160;

/// Bytes looked ahead for a closing quote or bracket.
const REACH: usize = 8192;

/// Scanning state over one text.
pub(crate) struct Scanner<'t, 'o> {
    pub(crate) text: &'t [u8],
    pub(crate) out: &'o mut Vec<Token>,
    /// White space was seen since the last token.
    pub(crate) space: bool,
    /// Not everything was considered.
    pub(crate) cut: bool,
}

const SPACE: u8 = 0;
pub(crate) const ATOM: u8 = 1;
const QUOTE: u8 = 2;
const OPEN: u8 = 3;
const PUNCT: u8 = 4;
const HIGH: u8 = 5;

/// What a byte may begin.
pub(crate) static CLASS: [u8; 256] = {
    let mut table = [PUNCT; 256];
    let mut byte = 0;
    while byte < 256 {
        let b = byte as u8;
        table[byte] = match b {
            0..=32 | 127 => SPACE,
            b'a'..=b'z'
            | b'A'..=b'Z'
            | b'0'..=b'9'
            | b'/'
            | b'.'
            | b'-'
            | b'_'
            | b'~'
            | b'$'
            | b'@'
            | b'%'
            | b'+'
            | b'\\'
            | b':' => ATOM,
            b'\'' | b'"' | b'`' => QUOTE,
            b'(' | b'[' | b'{' | b'<' => OPEN,
            0x80..=0xff => HIGH,
            _ => PUNCT,
        };
        byte += 1;
    }
    table
};

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
            && next != b'\''
            && next != b'"'
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

    pub(crate) fn push(&mut self, part: TokenKind, kinds: Kinds, start: usize, end: usize, hash: u64) {
        let space = std::mem::take(&mut self.space);
        self.out.push(Token { part, kinds, start: start as u32, end: end as u32, space, hash });
    }

    pub(crate) fn slot(&mut self, kinds: Kinds, start: usize, end: usize) {
        self.push(TokenKind::Slot, kinds, start, end, SLOT);
    }

    pub(crate) fn punct(&mut self, byte: u8, at: usize) {
        self.push(TokenKind::Punct, Kinds::default(), at, at + 1, u64::from(byte));
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

    /// Where the quote `mark` closes: the same mark, not escaped, not followed by a letter or digit.
    pub(crate) fn closing_quote(&self, from: usize, to: usize, mark: u8) -> Option<usize> {
        let reach = to.min(from + REACH);
        let mut at = from;
        while at < reach {
            let byte = self.text[at];
            if byte == b'\\' {
                at += 2;
                continue;
            }
            if byte == mark
                && (mark == b'"'
                    || !self
                        .text
                        .get(at + 1)
                        .is_some_and(|&next| next.is_ascii_alphanumeric() || matches!(next, 0xc3..=0xca)))
            {
                return Some(at);
            }
            if byte == b'\n' && mark != b'"' {
                return None;
            }
            at += 1;
        }
        None
    }

    fn open(&mut self, at: usize, to: usize, byte: u8) -> usize {
        let attached = !self.space && at > 0 && self.text[at - 1].is_ascii_alphanumeric();
        if matches!(byte, b'(' | b'[')
            && let Some(end) = self.file_in_brackets(at, to)
        {
            self.punct(byte, at);
            self.slot(Kinds::FILE, at + 1, end - 1);
            self.punct(self.text[end - 1], end - 1);
            return end;
        }
        match byte {
            b'(' if self.text[..to].get(at + 1) == Some(&b')') => {
                self.punct(b'(', at);
                self.slot(Kinds::EMPTY, at + 1, at + 1);
                at + 1
            }
            b'[' => self.bracket(at, to),
            b'{' if attached || self.after_equals() => match self.balanced(at, to) {
                Some(end) if !is_reason(&self.text[at + 1..end - 1]) => {
                    self.slot(Kinds::JSON, at, end);
                    end
                }
                _ => {
                    self.punct(b'{', at);
                    at + 1
                }
            },
            b'{' => self.json_or_punct(at, to),
            b'<' => self.angle(at, to),
            _ => {
                self.punct(byte, at);
                at + 1
            }
        }
    }

    /// `(Plan Nord - Copy (4).pdf)`: one name, whatever marks it has.
    fn file_in_brackets(&self, at: usize, to: usize) -> Option<usize> {
        let reach = &self.text[at..to.min(at + 200)];
        let dot = reach.iter().position(|&byte| byte == b'.')?;
        let mut from = dot;
        loop {
            let ending = reach[from + 1..].iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
            let end = from + 1 + ending;
            let closes =
                matches!(reach.get(end), Some(b')' | b']')) && reach[end] == if reach[0] == b'(' { b')' } else { b']' };
            if closes && word_shape::is_file(&reach[from - 1..end]) {
                let name = &reach[1..from];
                let is_name =
                    !name.contains(&b':') && !name.contains(&b'=') && !name.contains(&b'\n') && !is_reason(name);
                return is_name.then_some(at + end + 1);
            }
            from += 1 + reach[from + 1..].iter().position(|&byte| byte == b'.')?;
        }
    }

    pub(crate) fn after_equals(&self) -> bool {
        self.out.last().is_some_and(|last| last.is_punct(b'='))
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

    /// The end of the bracket opened at `at`, counting nested ones and skipping quoted text.
    pub(crate) fn balanced(&self, at: usize, to: usize) -> Option<usize> {
        let reach = to.min(at + REACH);
        let mut depth = 0usize;
        let mut i = at;
        while i < reach {
            match self.text[i] {
                b'(' | b'[' | b'{' => depth += 1,
                b')' | b']' | b'}' => {
                    depth = depth.saturating_sub(1);
                    if depth == 0 {
                        return Some(i + 1);
                    }
                }
                mark @ (b'"' | b'\'') if i > 0 && !self.text[i - 1].is_ascii_alphanumeric() => {
                    if let Some(close) = self.closing_quote(i + 1, reach, mark) {
                        i = close;
                    }
                }
                _ => {}
            }
            i += 1;
        }
        None
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

/// A quoted HTTP status with its reason, or an HTTP request line.
fn says_something(content: &[u8]) -> bool {
    match content {
        [b'4'..=b'5', b'0'..=b'9', b'0'..=b'9', b' ', b'A'..=b'Z', ..] => true,
        [b'A'..=b'Z', b'A'..=b'Z', b'A'..=b'Z', ..] => {
            let verb = content.iter().take_while(|byte| byte.is_ascii_uppercase()).count();
            verb <= 7 && matches!(content.get(verb..verb + 2), Some([b' ', b'/' | b'h']))
        }
        _ => false,
    }
}
