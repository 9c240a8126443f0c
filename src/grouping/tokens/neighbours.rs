//! What only neighbours tell: key=value, lists, dates in words, amounts with a unit, repeated blocks.
//!
//! Works in place on the token list of one message and makes it shorter.

use crate::grouping::tokens::asides::drop_asides;
use crate::grouping::tokens::lexicon::{self, List};
use crate::grouping::tokens::spaced_names::join_names;
use crate::grouping::tokens::token::{Kinds, SLOT, Token, TokenKind, WordShape, hash_word};
use crate::grouping::tokens::word_shape::{self, Unit};

/// The hash of `=` together with whatever value follows it.
pub(crate) const EQUALS: u64 = 0x3d3d;

/// All passes, in order.
pub(crate) fn shape(text: &[u8], tokens: &mut Vec<Token>) {
    values(text, tokens);
    join_names(text, tokens);
    neighbours(text, tokens);
    drop_asides(text, tokens);
    lists(text, tokens);
    collapse(text, tokens);
    if tokens.len() > 24 {
        repeats(tokens);
    }
}

fn bytes_of<'t>(text: &'t [u8], token: &Token) -> &'t [u8] {
    &text[token.start as usize..token.end as usize]
}

/// `key=value` and `key = value`: the sign takes the value in, so that an empty value is like any other.
/// Values of keys that name the error itself stay.
fn values(text: &[u8], tokens: &mut Vec<Token>) {
    if !tokens.iter().any(|token| token.is_punct(b'=')) {
        return;
    }
    let mut write = 0;
    let mut read = 0;
    while read < tokens.len() {
        let token = tokens[read];
        let keyed = token.is_punct(b'=') && write > 0 && tokens[write - 1].is_word();
        let next = tokens.get(read + 1).copied();
        let doubled = next.is_some_and(|next| next.part == TokenKind::Punct && matches!(next.hash as u8, b'=' | b'>'));
        if !keyed || doubled {
            tokens[write] = token;
            write += 1;
            read += 1;
            continue;
        }
        let key = bytes_of(text, &tokens[write - 1]);
        read += 1;
        let kept = lexicon::is_telling_key(key) && next.is_some_and(|next| next.is_word());
        if kept || lexicon::explains(key) && next.is_some_and(|next| next.space || next.part == TokenKind::Punct) {
            tokens[write] = token;
            write += 1;
            continue;
        }
        let (kinds, after) = match sole_in_brackets(
            tokens,
            read,
            tokens.get(write.wrapping_sub(2)).is_some_and(|before| before.is_punct(b'(')),
        ) {
            Some(close) => (Kinds::TEXT, close),
            None => value(tokens, read),
        };
        let end = if after > read { tokens[after - 1].end } else { token.end };
        tokens[write] = Token { part: TokenKind::Slot, kinds, end, hash: EQUALS, ..token };
        write += 1;
        read = after;
    }
    tokens.truncate(write);
}

/// In `(key=some value)` the value reaches to the closing bracket.
fn sole_in_brackets(tokens: &[Token], from: usize, opened: bool) -> Option<usize> {
    let reach = tokens.len().min(from + 12);
    if !opened || from >= reach {
        return None;
    }
    let close = from
        + tokens[from..reach].iter().position(|token| {
            token.part == TokenKind::Punct && matches!(token.hash as u8, b')' | b'(' | b'=' | b',' | b';')
        })?;
    (tokens[close].is_punct(b')') && close > from + 1).then_some(close)
}

/// What one value spans: a slot or word and all that is attached to it without white space.
fn value(tokens: &[Token], from: usize) -> (Kinds, usize) {
    let Some(first) = tokens.get(from) else { return (Kinds::EMPTY, from) };
    let names_next = first.is_word() && tokens.get(from + 1).is_some_and(|next| next.is_punct(b'='));
    let ends = |token: &Token| {
        token.part == TokenKind::Punct && matches!(token.hash as u8, b',' | b';' | b')' | b']' | b'}' | b'|')
    };
    if names_next || ends(first) {
        return (Kinds::EMPTY, from);
    }
    let mut kinds = if first.is_slot() { first.kinds } else { Kinds::TEXT };
    let mut at = from + 1;
    let mut depth = i32::from(first.part == TokenKind::Punct && matches!(first.hash as u8, b'(' | b'[' | b'{'));
    while let Some(token) = tokens.get(at) {
        if depth <= 0 && (token.space || ends(token)) || token.is_punct(b'=') {
            break;
        }
        if token.is_word() && tokens.get(at + 1).is_some_and(|next| next.is_punct(b'=')) {
            break;
        }
        match token.hash as u8 {
            b'(' | b'[' | b'{' if token.part == TokenKind::Punct => depth += 1,
            b')' | b']' | b'}' if token.part == TokenKind::Punct => depth -= 1,
            _ => {}
        }
        kinds = if token.is_slot() { kinds.with(token.kinds) } else { Kinds::TEXT };
        at += 1;
    }
    (kinds, at)
}

/// Units, plural forms and names of days and months beside a number.
fn neighbours(text: &[u8], tokens: &mut Vec<Token>) {
    let mut write = 0;
    for read in 0..tokens.len() {
        let mut token = tokens[read];
        if let TokenKind::Word(WordShape::Plain | WordShape::Capitals | WordShape::Compound) = token.part {
            let word = bytes_of(text, &token);
            let after_slot = write > 0 && tokens[write - 1].is_slot();
            let counted = after_slot && tokens[write - 1].kinds.0 & (Kinds::NUMBER.0 | Kinds::TIME.0) != 0;
            if counted && let Some(unit) = word_shape::unit(word) {
                tokens[write - 1].kinds = match unit {
                    Unit::Duration => Kinds::DURATION,
                    Unit::Size => Kinds::SIZE,
                    Unit::Other => Kinds::NUMBER,
                };
                tokens[write - 1].end = token.end;
                continue;
            }
            if word.len() <= 9 && List::Calendar.has(word) {
                let before_slot =
                    tokens.get(read + 1).is_some_and(|next| next.is_slot() || List::Calendar.has(bytes_of(text, next)));
                if before_slot || after_slot && word.len() <= 4 {
                    token.part = TokenKind::Slot;
                    token.kinds = Kinds::TIME;
                    token.hash = SLOT;
                }
            }
            // One page or two pages, the message is the same.
            if token.is_word() && word.len() > 3 && word.ends_with(b"s") && !word.ends_with(b"ss") {
                token.hash = hash_word(&word[..word.len() - 1]);
            }
        }
        tokens[write] = token;
        write += 1;
    }
    tokens.truncate(write);
}

/// `fields: total, buyer, due_date`: single words between commas are one slot. After a noun in the plural and a colon
/// even one word is; elsewhere it takes three, or two that are no words of a sentence.
fn lists(text: &[u8], tokens: &mut Vec<Token>) {
    let mut at = 0;
    while at < tokens.len() {
        let comma = tokens.get(at + 1).is_some_and(|next| next.is_punct(b','));
        let colon = at >= 2 && tokens[at - 1].is_punct(b':') && tokens[at].is_word();
        if !comma && !colon {
            at += 1;
            continue;
        }
        let item = |at: usize| {
            tokens.get(at).is_some_and(|token| token.is_slot() && token.hash == SLOT || matches!(token.part, TokenKind::Word(look) if look != WordShape::Code && look != WordShape::Status && look != WordShape::Dense))
        };
        let mut end = at + 1;
        let mut items = usize::from(item(at));
        while items > 0
            && tokens.get(end).is_some_and(|token| token.is_punct(b',') && !tokens[end - 1].is_punct(b','))
            && item(end + 1)
            && !names_value(tokens, end + 1)
        {
            items += 1;
            end += 2;
        }
        let closes = |token: &Token| matches!(bytes_of(text, token), b"and" | b"or");
        if items >= 2 && tokens.get(end).is_some_and(closes) && item(end + 1) {
            items += 1;
            end += 2;
        }
        let after_colon = at >= 2 && tokens[at - 1].is_punct(b':') && tokens[at].space;
        let plural =
            after_colon && tokens[at - 2].is_word() && lexicon::is_plural_entity(bytes_of(text, &tokens[at - 2]));
        let ends = tokens.get(end).is_none_or(|token| token.part == TokenKind::Punct);
        let mut words = tokens[at..end].iter().filter(|token| token.is_word());
        let plain = |token: &Token| {
            !matches!(token.part, TokenKind::Word(WordShape::Plain)) || !lexicon::is_common(bytes_of(text, token))
        };
        let list = words.clone().next().is_some()
            && match items {
                0 => false,
                1 => plural && ends,
                2 => plural && ends || after_colon && ends && words.all(plain),
                _ => plural || after_colon && ends || words.all(plain),
            };
        if list {
            let first = tokens[at];
            let last = tokens[end - 1].end;
            tokens.drain(at + 1..end);
            tokens[at] = Token { part: TokenKind::Slot, kinds: Kinds::LIST, hash: SLOT, end: last, ..first };
        }
        at += 1;
    }
}

/// `model: x` behind a comma is a field, not one more of a list.
fn names_value(tokens: &[Token], at: usize) -> bool {
    tokens[at].is_word() && tokens.get(at + 1).is_some_and(|next| next.is_punct(b':') && !next.space)
}

/// Runs of slots are one slot, whatever separates them; so are a slot and a slot in brackets after it.
fn collapse(text: &[u8], tokens: &mut Vec<Token>) {
    hosts(text, tokens);
    lists_of_one(tokens);
    let mut write = 0;
    let mut read = 0;
    while read < tokens.len() {
        let token = tokens[read];
        if token.is_slot() && token.hash == SLOT && write > 0 {
            // Step back over separators to a slot before.
            let mut back = write;
            while back > 0 && write - back < 3 && separates(text, &tokens[back - 1]) {
                back -= 1;
            }
            if back > 0
                && tokens[back - 1].is_slot()
                && (tokens[back - 1].hash == SLOT || back == write && !token.space)
            {
                let before = &mut tokens[back - 1];
                let list = if back < write || token.space { Kinds::LIST } else { Kinds::default() };
                before.kinds = merge_kinds(before.kinds, token.kinds, list);
                before.end = token.end;
                write = back;
                read += 1;
                continue;
            }
            if write >= 2
                && tokens[write - 1].is_punct(b'(')
                && tokens[write - 2].is_slot()
                && tokens[write - 2].hash == SLOT
                && tokens.get(read + 1).is_some_and(|next| next.is_punct(b')'))
            {
                tokens[write - 2].end = tokens[read + 1].end;
                tokens[write - 2].kinds = tokens[write - 2].kinds.with(Kinds::LIST);
                write -= 1;
                read += 2;
                continue;
            }
        }
        tokens[write] = token;
        write += 1;
        read += 1;
    }
    tokens.truncate(write);
}

/// `pages [29]` like `pages [29, 30]`.
fn lists_of_one(tokens: &mut Vec<Token>) {
    let is_list = |four: &[Token]| {
        four[0].is_word()
            && four[1].is_punct(b'[')
            && four[1].space
            && four[2].is_slot()
            && four[2].kinds == Kinds::NUMBER
            && four[3].is_punct(b']')
    };
    while let Some(at) = tokens.windows(4).position(is_list) {
        let end = tokens[at + 3].end;
        tokens[at + 1] = Token { part: TokenKind::Slot, kinds: Kinds::LIST, hash: SLOT, end, ..tokens[at + 1] };
        tokens.drain(at + 2..at + 4);
    }
}

/// `gatehost:80`: a name of no meaning with a port.
fn hosts(text: &[u8], tokens: &mut Vec<Token>) {
    let is_host = |three: &[Token]| {
        matches!(three[0].part, TokenKind::Word(WordShape::Plain | WordShape::Compound | WordShape::Ident))
            && three[1].is_punct(b':')
            && three[2].kinds == Kinds::NUMBER
            && three[1..].iter().all(|token| !token.space)
            && lexicon::is_free(bytes_of(text, &three[0]))
    };
    while let Some(at) = tokens.windows(3).position(is_host) {
        let end = tokens[at + 2].end;
        tokens[at] = Token { part: TokenKind::Slot, kinds: Kinds::HOST, hash: SLOT, end, ..tokens[at] };
        tokens.drain(at + 1..at + 3);
    }
}

fn merge_kinds(first: Kinds, second: Kinds, list: Kinds) -> Kinds {
    let first = Kinds(first.0 & !Kinds::EMPTY.0);
    if first.0 == 0 || first == second { second.with(first).with(list) } else { first.with(list) }
}

fn separates(text: &[u8], token: &Token) -> bool {
    match token.part {
        TokenKind::Punct => {
            matches!(token.hash as u8, b',' | b':' | b'/' | b';' | b'|' | b'#' | b'*' | b'&' | b'-' | b'^')
        }
        TokenKind::Word(_) => matches!(bytes_of(text, token), b"and" | b"x" | b"or" | b"to" | b"null"),
        TokenKind::Slot => false,
    }
}

/// The same block of tokens several times in a row counts once; a long block may differ in a word, which is then a slot.
fn repeats(tokens: &mut Vec<Token>) {
    let mut at = 0;
    while at < tokens.len() {
        let longest = (tokens.len() - at) / 2;
        let found = (2..=longest.min(48)).find(|&len| is_repeat(&tokens[at..at + 2 * len]));
        if let Some(len) = found {
            for i in 0..len {
                if tokens[at + i].hash != tokens[at + len + i].hash {
                    tokens[at + i] = Token { part: TokenKind::Slot, kinds: Kinds::LIST, hash: SLOT, ..tokens[at + i] };
                }
            }
            tokens.drain(at + len..at + 2 * len);
        } else {
            at += 1;
        }
    }
}

fn is_repeat(both: &[Token]) -> bool {
    let (one, two) = both.split_at(both.len() / 2);
    let spare = usize::from(one.len() >= 8);
    let mut differing = 0;
    for (one, two) in one.iter().zip(two) {
        if one.hash != two.hash {
            differing += 1;
            let loose = |token: &Token| {
                matches!(
                    token.part,
                    TokenKind::Slot | TokenKind::Word(WordShape::Plain | WordShape::Compound | WordShape::Ident)
                )
            };
            if differing > spare || !loose(one) || !loose(two) {
                return false;
            }
        }
    }
    true
}
