//! What a message says beside the point: the time, level and process that a logger put first, and how often was tried.

use crate::grouping::tokens::token::{Kinds, Token, TokenKind, WordShape};

/// Tokens in one bracket, at most.
const BRACKET: usize = 9;

/// Levels that loggers write.
const LEVELS: [&[u8]; 9] =
    [b"DEBUG", b"INFO", b"NOTICE", b"WARN", b"WARNING", b"ERROR", b"FATAL", b"CRITICAL", b"TRACE"];

/// Words of counting tries, alone in a bracket with a number.
const COUNTING: [&[u8]; 20] = [
    b"reached",
    b"max",
    b"maximum",
    b"retries",
    b"retry",
    b"retried",
    b"attempt",
    b"attempts",
    b"after",
    b"of",
    b"try",
    b"tries",
    b"tried",
    b"times",
    b"total",
    b"in",
    b"elapsed",
    b"took",
    b"number",
    b"no",
];

/// Takes out what is beside the point.
pub(crate) fn drop_asides(text: &[u8], tokens: &mut Vec<Token>) {
    drop_counts(text, tokens);
    let prefix = log_prefix(text, tokens);
    if prefix > 0 && tokens[prefix..].iter().filter(|token| token.is_word()).count() >= 2 {
        tokens.drain(..prefix);
    }
}

fn word<'t>(text: &'t [u8], token: &Token) -> &'t [u8] {
    if token.is_word() { &text[token.start as usize..token.end as usize] } else { b"" }
}

/// Where the bracket opened at `at` closes, if that is near.
fn close_of(tokens: &[Token], at: usize) -> Option<usize> {
    let mark = match tokens.get(at)? {
        open if open.is_punct(b'(') => b')',
        open if open.is_punct(b'[') => b']',
        _ => return None,
    };
    let reach = tokens.len().min(at + BRACKET);
    tokens[at + 1..reach].iter().position(|token| token.is_punct(mark)).map(|offset| at + 1 + offset)
}

/// `(reached max retries: 6)`, `[attempt 2/3]`.
fn drop_counts(text: &[u8], tokens: &mut Vec<Token>) {
    let mut at = 0;
    while at < tokens.len() {
        if let Some(close) = close_of(tokens, at) {
            let inside = &tokens[at + 1..close];
            let counts = inside.iter().all(|token| match token.part {
                TokenKind::Word(WordShape::Code | WordShape::Status) => false,
                TokenKind::Word(_) => COUNTING.contains(&&*word(text, token).to_ascii_lowercase()),
                TokenKind::Slot => token.kinds.0 & !(Kinds::NUMBER.0 | Kinds::LIST.0 | Kinds::DURATION.0) == 0,
                TokenKind::Punct => true,
            });
            let has = |is: fn(&Token) -> bool| inside.iter().any(is);
            if counts && has(Token::is_word) && has(Token::is_slot) {
                tokens.drain(at..=close);
                continue;
            }
        }
        at += 1;
    }
}

/// How many tokens a logger put first.
fn log_prefix(text: &[u8], tokens: &[Token]) -> usize {
    let is_time = |token: &Token| token.is_slot() && token.kinds.has(Kinds::TIME);
    let mut at = 0;
    let mut timed = false;
    loop {
        let Some(token) = tokens.get(at) else { return 0 };
        let level = LEVELS.contains(&word(text, token));
        if is_time(token) {
            timed = true;
            at += 1;
        } else if let Some(close) = close_of(tokens, at)
            && tokens[at + 1..close]
                .iter()
                .any(|token| is_time(token) || timed && token.is_slot() || LEVELS.contains(&word(text, token)))
            && !tokens[at + 1..close]
                .iter()
                .any(|token| matches!(token.part, TokenKind::Word(WordShape::Code | WordShape::Status)))
        {
            timed |= tokens[at + 1..close].iter().any(is_time);
            at = close + 1;
        } else if level && (timed || at == 0 && tokens.get(at + 1).is_some_and(is_time)) {
            at += 1;
        } else if at > 0
            && timed
            && matches!(token.part, TokenKind::Punct)
            && matches!(token.hash as u8, b':' | b'-' | b'|' | b',' | b'>')
        {
            at += 1;
        } else {
            return if timed { at } else { 0 };
        }
    }
}
