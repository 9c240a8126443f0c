//! The state of one scan over a text, what may be asked of it and what it appends.

use crate::grouping::tokens::token::{Kinds, SLOT, Token, TokenKind};

/// Tokens considered per message; the rest is cut, and the template says so.
pub(crate) const MAX_TOKENS: usize = 160;

/// Bytes looked ahead for a closing quote or bracket.
pub(crate) const REACH: usize = 8192;

/// Scanning state over one text.
pub(crate) struct Scanner<'t, 'o> {
    pub(crate) text: &'t [u8],
    pub(crate) out: &'o mut Vec<Token>,
    /// White space was seen since the last token.
    pub(crate) space: bool,
    /// Not everything was considered.
    pub(crate) cut: bool,
}

pub(crate) const SPACE: u8 = 0;
pub(crate) const ATOM: u8 = 1;
pub(crate) const QUOTE: u8 = 2;
pub(crate) const OPEN: u8 = 3;
pub(crate) const PUNCT: u8 = 4;
pub(crate) const HIGH: u8 = 5;

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

    pub(crate) fn after_equals(&self) -> bool {
        self.out.last().is_some_and(|last| last.is_punct(b'='))
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

    /// The word before, past joining punctuation and white space; lower-cased into `buffer`.
    pub(crate) fn word_before<'b>(&self, tokens: &[Token], buffer: &'b mut [u8; 24]) -> (&'b [u8], usize) {
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
}
