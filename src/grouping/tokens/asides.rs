//! What a message says beside the point: the time, level and process that a logger put first, and how often was tried.

use std::ops::Range;

use crate::grouping::tokens::lexicon::{self, List};
use crate::grouping::tokens::token::{Kinds, SLOT, Token, TokenKind, WordShape};

/// Tokens in one bracket, at most.
const BRACKET: usize = 12;
/// Tokens of what was done about it, at most.
const OUTCOME: usize = 5;
/// Words of a sentence that says enough without the class before it.
const SENTENCE: usize = 5;
/// Words that may name the data in a bracket, at most.
const NAMING: usize = 3;

/// Takes out what is beside the point.
pub(crate) fn drop_asides(text: &[u8], tokens: &mut Vec<Token>) {
    drop_data(text, tokens);
    drop_last_place(tokens);
    drop_wrapper(text, tokens);
    drop_outcome(text, tokens);
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

/// `(reached max retries: 6)`, `[file=a.pdf]`: a bracket of data with a few words that name it; at the end also data alone.
fn drop_data(text: &[u8], tokens: &mut Vec<Token>) {
    let mut at = 0;
    while at < tokens.len() {
        match close_of(tokens, at) {
            Some(close) if (at == 0 || tokens[at].space) && is_data(text, tokens, at..close) => {
                tokens.drain(at..=close);
            }
            _ => at += 1,
        }
    }
}

/// Whether a token says what went wrong.
fn speaks(text: &[u8], token: &Token) -> bool {
    match token.part {
        TokenKind::Word(WordShape::Code | WordShape::Status | WordShape::Dense) => true,
        TokenKind::Word(_) => lexicon::is_fault(word(text, token)),
        TokenKind::Slot | TokenKind::Punct => false,
    }
}

fn is_data(text: &[u8], tokens: &[Token], bracket: Range<usize>) -> bool {
    let inside = &tokens[bracket.start + 1..bracket.end];
    if inside.iter().any(|token| speaks(text, token)) {
        return false;
    }
    let words = inside.iter().filter(|token| token.is_word()).count();
    if inside.len() == 1 || words == 0 {
        let is_value = |token: &Token| token.is_slot() || token.part == TokenKind::Word(WordShape::Ident);
        let is_last = tokens[bracket.start].is_punct(b'(') && bracket.end + 1 == tokens.len();
        return is_last && inside.iter().all(|token| is_value(token) || token.is_punct(b':'));
    }
    let (from, to) = (tokens[bracket.start].end as usize, tokens[bracket.end].start as usize);
    let is_marked = words > 1 || text[from..to].iter().any(|byte| matches!(byte, b':' | b'=' | b'/'));
    is_marked && words <= NAMING && inside.iter().any(Token::is_slot)
}

/// `No space left on device: '/tmp/a.png'`: a place or name after a last colon, where a sentence stands before it.
fn drop_last_place(tokens: &mut Vec<Token>) {
    let places = Kinds::FILE.with(Kinds::PATH).with(Kinds::URL).with(Kinds::HOST).with(Kinds::QUOTED);
    let is_place = |token: &Token| token.is_slot() && token.hash == SLOT && token.kinds.0 & places.0 != 0;
    if let [before @ .., colon, value] = &tokens[..]
        && colon.is_punct(b':')
        && is_place(value)
        && before.iter().filter(|token| token.is_word()).count() >= 2
    {
        tokens.truncate(tokens.len() - 2);
    }
}

/// `BadRequestError: Error code: 400 …`, `worker-3: lab.TornPageError: …`: the name of a class, program or host before a code
/// or class, which says more.
fn drop_wrapper(text: &[u8], tokens: &mut Vec<Token>) {
    let is_code = |token: &Token| matches!(token.part, TokenKind::Word(WordShape::Code | WordShape::Status));
    let [name, colon, rest @ ..] = &tokens[..] else { return };
    let is_name = name.is_slot() || !is_code(name) && lexicon::is_free(word(text, name));
    let is_sentence = rest.iter().filter(|token| token.is_word()).count() >= SENTENCE;
    let is_wrapper = lexicon::is_exception(word(text, name)) && (is_sentence || rest.iter().any(is_code))
        || is_name && rest.first().is_some_and(|class| lexicon::is_exception(word(text, class)));
    if colon.is_punct(b':') && is_wrapper {
        tokens.drain(..2);
    }
}

/// `…, retrying in 5 s`, `… after 3 s`: what was done about it, or how long it took, behind a sentence.
fn drop_outcome(text: &[u8], tokens: &mut Vec<Token>) {
    let is_outcome = |at: usize| {
        let [mark, rest @ ..] = &tokens[at..] else { return false };
        let first = rest.first().map_or(b"" as &[u8], |first| word(text, first));
        let acts = mark.part == TokenKind::Punct
            && matches!(mark.hash as u8, b',' | b';' | b'-')
            && first.ends_with(b"ing")
            && !rest.iter().any(|token| speaks(text, token));
        let took = matches!(word(text, mark), b"after") && matches!(rest, [time] if time.kinds == Kinds::DURATION);
        acts || took
    };
    let reach = tokens.len().saturating_sub(OUTCOME);
    if let Some(at) = (reach.max(1)..tokens.len()).find(|&at| is_outcome(at))
        && tokens[..at].iter().filter(|token| token.is_word()).count() >= 3
    {
        tokens.truncate(at);
    }
}

/// How many tokens a logger put first.
fn log_prefix(text: &[u8], tokens: &[Token]) -> usize {
    let (mut at, mut timed) = (0, false);
    while let Some(token) = tokens.get(at) {
        let rest = &tokens[at..];
        let level = List::Levels.has(word(text, token));
        let length = if is_stamp(text, rest) {
            timed = true;
            1
        } else if let Some(close) = close_of(rest, 0).filter(|close| is_header(text, &rest[1..*close], timed)) {
            timed |= rest[1..close].iter().any(|token| is_time(token) || is_uptime(text, token));
            close + 1
        } else if level && (timed || at == 0 && rest.get(1).is_some_and(is_time))
            || timed && (is_joint(token) || is_part_of_stamp(text, tokens, at))
        {
            1
        } else if timed && let Some(place) = place_in_source(rest) {
            place
        } else if timed && is_logger(text, rest) {
            1
        } else {
            break;
        };
        at += length;
    }
    if timed { at } else { 0 }
}

/// `app.render -`, `worker-3:`: the name of a logger, thread or program behind the time.
fn is_logger(text: &[u8], tokens: &[Token]) -> bool {
    let [name, mark, ..] = tokens else { return false };
    let is_marked = mark.is_punct(b':') || mark.is_punct(b'-');
    match name.part {
        TokenKind::Slot => is_marked,
        TokenKind::Word(WordShape::Ident) => is_marked || word(text, name).contains(&b'.'),
        TokenKind::Word(WordShape::Code | WordShape::Status | WordShape::Dense) | TokenKind::Punct => false,
        TokenKind::Word(_) => is_marked && lexicon::is_free(word(text, name)),
    }
}

fn is_time(token: &Token) -> bool {
    token.is_slot() && token.kinds.has(Kinds::TIME)
}

fn bytes_of<'t>(text: &'t [u8], token: &Token) -> &'t [u8] {
    &text[token.start as usize..token.end as usize]
}

/// Whether a time begins here, in one of the ways of loggers.
fn is_stamp(text: &[u8], tokens: &[Token]) -> bool {
    let next_is_time = || tokens[1..].iter().take(4).any(is_time);
    let digits = |bytes: &[u8]| bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let bytes = bytes_of(text, &tokens[0]);
    let count = digits(bytes);
    is_time(&tokens[0])
        // Seconds or milliseconds since 1970; 20260301T102233Z
        || tokens[0].is_slot() && is_epoch(count, bytes) && (bytes.len() > count || ends_prefix(text, tokens.get(1)))
        || tokens[0].is_slot() && count == 8 && bytes.get(8) == Some(&b'T') && digits(&bytes[9..]) >= 4
        // 03/Mar/2026 and Sun, 01 Mar before a time; I0315 of klog
        || tokens[0].is_slot() && (1..=2).contains(&count) && bytes.get(count) == Some(&b'/') && next_is_time()
        || List::Calendar.has(bytes) && next_is_time()
        || matches!(bytes, [b'D' | b'I' | b'W' | b'E' | b'F', rest @ ..] if rest.len() == 4 && digits(rest) == 4) && next_is_time()
}

/// Whether a mark or a level stands behind a number, as behind a time.
fn ends_prefix(text: &[u8], next: Option<&Token>) -> bool {
    next.is_some_and(|next| is_joint(next) || next.is_punct(b'[') || List::Levels.has(word(text, next)))
}

/// Seconds since 1970, or thousandths of them, between 2014 and 2036; a count may be as large, but hardly there.
fn is_epoch(count: usize, bytes: &[u8]) -> bool {
    matches!(count, 10 | 13)
        && matches!(bytes.get(count), None | Some(b'.'))
        && matches!(bytes, [b'1', b'4'..=b'9', ..] | [b'2', b'0', ..])
}

/// A number that belongs to the time before it: milliseconds, the day of the month, the zone.
fn is_part_of_stamp(text: &[u8], tokens: &[Token], at: usize) -> bool {
    let token = &tokens[at];
    let is_attached = !token.space && tokens[at - 1].part == TokenKind::Punct;
    let is_zone = matches!(bytes_of(text, token).first(), Some(b'+' | b'-'));
    let before_time = tokens.get(at + 1).is_some_and(is_time);
    token.is_slot() && token.hash == SLOT && (is_attached || is_zone || before_time)
        || List::Calendar.has(word(text, token)) && tokens[at - 1].is_slot()
}

fn is_joint(token: &Token) -> bool {
    token.part == TokenKind::Punct && matches!(token.hash as u8, b':' | b'-' | b'|' | b',' | b'>')
}

/// `[  12.345678]`: seconds since the start.
fn is_uptime(text: &[u8], token: &Token) -> bool {
    token.kinds == Kinds::NUMBER && bytes_of(text, token).contains(&b'.')
}

/// What a bracket in front of a message holds: a time, a level, or, behind a time, a process or thread.
fn is_header(text: &[u8], inside: &[Token], timed: bool) -> bool {
    let is_coded = |token: &Token| matches!(token.part, TokenKind::Word(WordShape::Code | WordShape::Status));
    let is_name = |token: &Token| token.is_slot() || token.part == TokenKind::Word(WordShape::Ident);
    let speaks = |token: &Token| is_time(token) || timed && is_name(token) || List::Levels.has(word(text, token));
    !inside.iter().any(is_coded) && (inside.iter().any(speaks) || inside.len() == 1 && is_uptime(text, &inside[0]))
}

/// `1234 page.cc:55]`: process and source line of klog.
fn place_in_source(tokens: &[Token]) -> Option<usize> {
    let close = tokens.iter().take(6).position(|token| token.is_punct(b']'))?;
    let only_data = tokens[..close].iter().all(|token| token.is_slot() || token.is_punct(b':'));
    (close > 0 && only_data).then_some(close + 1)
}
