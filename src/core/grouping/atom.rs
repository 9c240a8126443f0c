//! One run of letters, digits and joiners between white space: word, number, id, path, host, or several of them.

use super::classify::{self, Unit, census};
use super::lexicon;
use super::scan::{ATOM, CLASS, Scanner, decode, find, is_dense};
use super::token::{Kinds, Look, Part, hash_code, hash_word};

impl Scanner<'_, '_> {
    /// Scans the atom at `at`; returns where it ends.
    pub fn atom(&mut self, at: usize, to: usize) -> usize {
        let mut end = at;
        let mut letters = true;
        while end < to {
            let byte = self.text[end];
            if byte.is_ascii_alphabetic() {
                end += 1;
            } else if CLASS[byte as usize] == ATOM {
                letters = false;
                end += 1;
            } else if byte >= 0x80 {
                let (char, width) = decode(&self.text[end..to]);
                if !char.is_alphanumeric() || is_dense(char) {
                    break;
                }
                letters &= char.is_alphabetic();
                end += width;
            } else if byte == b'\'' && self.is_apostrophe(at, end, to) {
                end += 1;
            } else {
                break;
            }
        }
        if letters {
            self.word(at, end);
            return end;
        }
        if self.text[at..end].contains(&b':')
            && let Some(colon) = find(&self.text[at..end], b"://")
            && colon > 0
        {
            return self.url(at, to);
        }
        self.joined(at, end, to)
    }

    fn is_apostrophe(&self, start: usize, at: usize, to: usize) -> bool {
        if at == start || !self.text[at - 1].is_ascii_alphabetic() {
            return false;
        }
        let rest = &self.text[at + 1..to.min(at + 5)];
        let tail = rest.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
        (1..=2).contains(&tail) && !matches!(rest.get(tail), Some(b'\''))
    }

    /// A URL reaches to white space, a quote or a closing bracket.
    fn url(&mut self, at: usize, to: usize) -> usize {
        let mut end = at;
        while end < to && !matches!(self.text[end], 0..=32 | b'"' | b'\'' | b'`' | b'<' | b'>' | b')' | b'}' | b'|') {
            end += 1;
        }
        while end > at && matches!(self.text[end - 1], b'.' | b',' | b':' | b';' | b']' | b'!' | b'?') {
            end -= 1;
        }
        let end = self.spaced_file(at, end, to);
        self.slot(Kinds::URL, at, end);
        end
    }

    /// A path with a query goes on to white space or a quote.
    fn query(&self, end: usize, to: usize) -> usize {
        if self.text[..to].get(end) != Some(&b'?') {
            return end;
        }
        end + self.text[end..to]
            .iter()
            .take_while(|byte| !matches!(byte, 0..=32 | b'"' | b'\'' | b'`' | b'<' | b'>' | b')' | b']'))
            .count()
    }

    /// A path whose file name has spaces goes on to the file ending, if one is near and no other text is between.
    fn spaced_file(&self, at: usize, end: usize, to: usize) -> usize {
        if self.text.get(end) != Some(&b' ')
            || classify::is_file(&self.text[at..end])
            || self.text[at..end].contains(&b'?')
            || self.text[end - 1] == b':'
        {
            return end;
        }
        let reach = to.min(end + 80);
        let stop = self.text[end..reach]
            .iter()
            .position(|byte| matches!(byte, b':' | b';' | b',' | b'\n' | b'"' | b'\'' | b'/' | b'='))
            .map_or(reach, |offset| end + offset);
        let mut i = end;
        while let Some(offset) = self.text[i..stop].iter().position(|&byte| byte == b'.') {
            let dot = i + offset;
            let tail = self.text[dot + 1..stop].iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
            if tail > 0 && classify::is_file(&self.text[dot - 1..dot + 1 + tail]) {
                return dot + 1 + tail;
            }
            i = dot + 1;
        }
        end
    }

    /// Whether a truth value stands where values stand.
    fn flag_stands(&self, bytes: &[u8]) -> bool {
        lexicon::is_flag(bytes)
            && self
                .out
                .last()
                .is_some_and(|last| matches!(last.hash, 58 | 61 | 124 | 63) || !self.space && last.hash == 44)
    }

    /// Letters only.
    fn word(&mut self, at: usize, end: usize) {
        let bytes = &self.text[at..end];
        if self.flag_stands(bytes) {
            self.slot(Kinds::FLAG, at, end);
            return;
        }
        let (mut upper, mut turns) = (0u32, 0u32);
        let mut was_lower = false;
        for &byte in bytes {
            let is_upper = byte.is_ascii_uppercase();
            upper += u32::from(is_upper);
            turns += u32::from(is_upper && was_lower);
            was_lower = !is_upper;
        }
        let look = if upper == 0 {
            Look::Plain
        } else if upper as usize == bytes.len() && bytes.len() > 1 {
            Look::Capitals
        } else if turns == 0 {
            Look::Plain
        } else if classify::is_exception(bytes) {
            Look::Code
        } else if bytes.len() >= 12 && classify::is_random(bytes, &census(bytes)) {
            self.slot(Kinds::ID, at, end);
            return;
        } else {
            Look::Compound
        };
        let look = if look == Look::Plain && upper > 0 && classify::is_exception(bytes) { Look::Code } else { look };
        self.push(Part::Word(look), Kinds::default(), at, end, hash_word(bytes));
    }

    /// An atom with joiners or digits: trims its ends, then splits it at colons unless they belong to a time or address.
    fn joined(&mut self, at: usize, stop: usize, to: usize) -> usize {
        if at > 0 && self.text[at] == b'.' && self.text[at - 1] == b')' {
            let ending = self.text[at + 1..stop].iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
            if classify::is_file(&self.text[at - 1..at + 1 + ending]) && self.copy_number(at + 1 + ending) {
                return at + 1 + ending;
            }
        }
        let mut start = at;
        while start < stop
            && matches!(self.text[start], b':' | b'.' | b'-' | b'+' | b'/' | b'@')
            && !self.begins_value(start, stop)
        {
            if matches!(self.text[start], b':' | b'/' | b'@') {
                self.punct(self.text[start], start);
            }
            start += 1;
        }
        let mut end = stop;
        while end > start && matches!(self.text[end - 1], b':' | b'.' | b'-' | b'+' | b'@' | b'\\') {
            end -= 1;
        }
        if start < end {
            let reached = self.segments(start, end, to);
            if reached > stop {
                return reached;
            }
        }
        for tail in end..stop {
            if self.text[tail] == b':' {
                self.punct(b':', tail);
            }
        }
        stop
    }

    /// `(2).pdf`: the bracket belongs to the file name.
    fn copy_number(&mut self, end: usize) -> bool {
        let Some(open) =
            self.out.iter().rposition(|token| token.is_punct(b'(')).filter(|open| self.out.len() - open <= 4)
        else {
            return false;
        };
        let (start, space) = (self.out[open].start as usize, self.out[open].space);
        self.out.truncate(open);
        self.space = space;
        self.slot(Kinds::FILE, start, end);
        true
    }

    fn begins_value(&self, at: usize, stop: usize) -> bool {
        let next = self.text[..stop].get(at + 1).copied().unwrap_or(0);
        match self.text[at] {
            b'-' | b'+' => next.is_ascii_digit(),
            b'/' => next.is_ascii_alphanumeric() || matches!(next, b'.' | b'_' | b'~') || next >= 0x80,
            b'.' => next == b'/' || next == b'.' && self.text[..stop].get(at + 2) == Some(&b'/'),
            _ => false,
        }
    }

    fn segments(&mut self, start: usize, end: usize, to: usize) -> usize {
        let bytes = &self.text[start..end];
        if !bytes.contains(&b':') {
            return self.segment(start, end, to);
        }
        if let Some(kinds) = clock_or_address(bytes) {
            self.slot(kinds, start, end);
            return end;
        }
        if bytes.len() > 2 && bytes[1] == b':' && matches!(bytes[2], b'\\' | b'/') && bytes[0].is_ascii_alphabetic() {
            let end = self.spaced_file(start, end, to);
            self.slot(Kinds::PATH, start, end);
            return end;
        }
        let mut from = start;
        let mut reached = end;
        for at in start..=end {
            if from > start
                && at == from
                && self.text[from..end].contains(&b':')
                && let Some(kinds) = clock_or_address(&self.text[from..end])
            {
                self.slot(kinds, from, end);
                return end;
            }
            if at == end || self.text[at] == b':' {
                if from < at {
                    reached = self.segment(from, at, if at == end { to } else { at });
                }
                if at < end {
                    self.punct(b':', at);
                }
                from = at + 1;
            }
        }
        reached.max(end)
    }

    /// No colon inside.
    fn segment(&mut self, start: usize, end: usize, to: usize) -> usize {
        let bytes = &self.text[start..end];
        if let Some(sign) = bytes.iter().position(|&byte| byte == b'@') {
            if sign > 0 && bytes[sign + 1..].contains(&b'.') {
                self.slot(Kinds::EMAIL, start, end);
            } else {
                if sign > 0 {
                    self.segment(start, start + sign, start + sign);
                }
                if sign + 1 < bytes.len() {
                    self.slot(Kinds::HEX, start + sign, end);
                }
            }
            return end;
        }
        let slashes = bytes.iter().filter(|&&byte| byte == b'/').count();
        let rooted = matches!(bytes[0], b'/' | b'~') || bytes.starts_with(b"./") || bytes.starts_with(b"../");
        if slashes > 0 || bytes.contains(&b'\\') {
            if bytes.starts_with(b"HTTP/") {
                self.push(Part::Word(Look::Capitals), Kinds::default(), start, start + 4, hash_word(b"HTTP"));
                return end;
            }
            if rooted || bytes.contains(&b'\\') {
                let end = self.spaced_file(start, self.query(end, to), to);
                self.slot(Kinds::PATH, start, end);
                return end;
            }
            let digits = bytes.iter().any(u8::is_ascii_digit);
            if slashes >= 2 || digits || classify::is_file(bytes) {
                let dated = slashes == 2 && bytes.iter().all(|byte| byte.is_ascii_digit() || *byte == b'/');
                self.slot(if dated { Kinds::TIME } else { Kinds::PATH }, start, end);
                return end;
            }
            let cut = start + bytes.iter().position(|&byte| byte == b'/').unwrap_or(0);
            self.plain(start, cut, to);
            self.punct(b'/', cut);
            if cut + 1 < end {
                self.plain(cut + 1, end, to);
            }
            return end;
        }
        self.plain(start, end, to)
    }

    /// Letters, digits, dots, dashes and underscores.
    fn plain(&mut self, start: usize, end: usize, to: usize) -> usize {
        if start >= end {
            return end;
        }
        let bytes = &self.text[start..end];
        if let Some(dots) = find(bytes, b"..") {
            let after = start + dots + bytes[dots..].iter().take_while(|&&byte| byte == b'.').count();
            self.plain(start, start + dots, to);
            self.space = true;
            return self.plain(after, end, to);
        }
        let count = census(bytes);
        if count.digit == 0 {
            self.undigited(start, end, &count);
            return end;
        }
        let first = if matches!(bytes[0], b'-' | b'+' | b'$' | b'~') && bytes.len() > 1 { bytes[1] } else { bytes[0] };
        if first.is_ascii_digit() {
            return self.number(start, end, to, &count);
        }
        let head = bytes.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
        if head >= 5
            && head + count.digit as usize == bytes.len()
            && count.digit >= 4
            && bytes[head..].iter().all(u8::is_ascii_digit)
            && !classify::is_code_shape(bytes, &count)
        {
            self.plain(start, start + head, to);
            self.slot(Kinds::NUMBER, start + head, end);
            return end;
        }
        let kinds = if classify::is_hex(bytes, &count) {
            if count.dash >= 4 { Kinds::ID } else { Kinds::HEX }
        } else if lexicon::is_named_with_digits(bytes) {
            self.push(Part::Word(Look::Plain), Kinds::default(), start, end, hash_code(bytes));
            return end;
        } else if classify::is_exception(bytes) {
            self.push(Part::Word(Look::Code), Kinds::default(), start, end, hash_code(bytes));
            return end;
        } else if classify::is_code_shape(bytes, &count) && self.code_may_stand(end, to) {
            self.push(Part::Word(Look::Code), Kinds::default(), start, end, hash_code(bytes));
            return end;
        } else if classify::is_file(bytes) {
            Kinds::FILE
        } else if count.dot >= 1 && classify::is_host(bytes, &count) {
            Kinds::HOST
        } else if classify::is_random(bytes, &count) {
            Kinds::ID
        } else if matches!(bytes[0], b'v' | b'V') && bytes[1].is_ascii_digit() {
            Kinds::VERSION
        } else if is_numbered(bytes) {
            Kinds::ID
        } else if count.lower + count.upper <= 1 + count.dash && count.other == 0 && count.dot == 0 {
            Kinds::ID
        } else {
            self.push(Part::Word(Look::Ident), Kinds::default(), start, end, hash_word(bytes));
            return end;
        };
        self.slot(kinds, start, end);
        end
    }

    fn undigited(&mut self, start: usize, end: usize, count: &classify::Census) {
        let bytes = &self.text[start..end];
        if count.lower + count.upper == 0 && count.other == 0 {
            return;
        }
        let look = if self.flag_stands(bytes) {
            return self.slot(Kinds::FLAG, start, end);
        } else if classify::is_exception(bytes) {
            Look::Code
        } else if count.dot > 0 {
            if classify::is_file(bytes) {
                return self.slot(Kinds::FILE, start, end);
            }
            let port = count.upper == 0
                && self.text.get(end) == Some(&b':')
                && self.text.get(end + 1).is_some_and(u8::is_ascii_digit);
            if port || count.dot >= 2 && classify::is_host(bytes, count) {
                return self.slot(Kinds::HOST, start, end);
            }
            if ends_in_constant(bytes) { Look::Capitals } else { Look::Ident }
        } else if bytes.len() >= 16 && classify::is_random(bytes, count) {
            return self.slot(Kinds::ID, start, end);
        } else if count.lower == 0 && count.other == 0 {
            Look::Capitals
        } else if has_id_tail(bytes) {
            Look::Ident
        } else if count.under > 0 || count.turns > count.dash && count.upper > 1 {
            Look::Compound
        } else {
            Look::Plain
        };
        self.push(Part::Word(look), Kinds::default(), start, end, hash_word(bytes));
    }

    /// Begins with a digit: a number, an amount, a date, an address, an id.
    fn number(&mut self, start: usize, end: usize, to: usize, count: &classify::Census) -> usize {
        let bytes = &self.text[start..end];
        let letters = count.lower + count.upper;
        if letters == 0 && count.dot == 0 && count.dash == u32::from(bytes[0] == b'-') && count.other == 0 {
            let end = self.grouped_digits(start, end, to);
            if self.number_matters(start, end, to) {
                let hash = hash_code(&self.text[start..end]);
                self.push(Part::Word(Look::Status), Kinds::default(), start, end, hash);
            } else {
                self.slot(Kinds::NUMBER, start, end);
            }
            return end;
        }
        let kinds = if letters == 0 {
            if classify::is_ipv4(bytes, count) {
                Kinds::HOST
            } else if count.dash >= 2 && count.digit >= 6 {
                Kinds::TIME
            } else if count.dot >= 2 {
                Kinds::VERSION
            } else {
                Kinds::NUMBER
            }
        } else if classify::is_file(bytes) {
            Kinds::FILE
        } else if count.digit >= 8 && bytes.len() > 10 && bytes[4] == b'-' && bytes[7] == b'-' {
            Kinds::TIME
        } else {
            let head =
                bytes.iter().take_while(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'+')).count();
            let tail = &bytes[head..];
            match classify::unit(tail) {
                Some(Unit::Duration) => Kinds::DURATION,
                Some(Unit::Size) => Kinds::SIZE,
                Some(Unit::Other) => Kinds::NUMBER,
                None if is_duration(bytes) => Kinds::DURATION,
                None if classify::is_host(bytes, count) => Kinds::HOST,
                None if tail.len() >= 4
                    && tail.iter().all(u8::is_ascii_alphabetic)
                    && !classify::is_hex(bytes, count)
                    && count.turns <= 2 =>
                {
                    self.slot(Kinds::NUMBER, start, start + head);
                    self.push(Part::Word(Look::Plain), Kinds::default(), start + head, end, hash_word(tail));
                    return end;
                }
                None if classify::is_hex(bytes, count) => {
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

/// `23:30:22.884`, `FF:F2:9F`, `::1`, `2025-12-04T23:30:22Z`.
fn clock_or_address(bytes: &[u8]) -> Option<Kinds> {
    if bytes.len() > 12
        && bytes[4] == b'-'
        && bytes[7] == b'-'
        && bytes[..4].iter().all(u8::is_ascii_digit)
        && bytes[10] == b'T'
    {
        return Some(Kinds::TIME);
    }
    if bytes.len() > 64 {
        return None;
    }
    let (mut groups, mut width, mut digits_only, mut longest) = (1usize, 0usize, true, 0usize);
    for &byte in bytes {
        match byte {
            b':' => {
                groups += 1;
                width = 0;
            }
            b'0'..=b'9' => width += 1,
            b'a'..=b'f' | b'A'..=b'F' => {
                width += 1;
                digits_only = false;
            }
            b'.' | b'+' | b'-' if digits_only => {}
            b'%' | b'/' => {}
            b'Z' if digits_only && groups == 3 => {}
            _ => return None,
        }
        longest = longest.max(width);
    }
    match groups {
        2 if digits_only && longest <= 6 && !bytes.contains(&b'/') => {
            Some(if longest <= 2 { Kinds::TIME } else { Kinds::HOST })
        }
        3.. if digits_only && groups <= 4 => Some(Kinds::TIME),
        3.. if longest <= 4 => Some(Kinds::HOST),
        _ => None,
    }
}

/// `dfl-kthnsJkxdaSjexpd`: a short prefix, then a long tail with capitals inside.
fn has_id_tail(bytes: &[u8]) -> bool {
    let Some(cut) = bytes.iter().position(|byte| matches!(byte, b'-' | b'_')) else { return false };
    let tail = &bytes[cut + 1..];
    (2..=6).contains(&cut)
        && tail.len() >= 10
        && tail.iter().all(u8::is_ascii_alphabetic)
        && tail[1..].iter().any(u8::is_ascii_uppercase)
        && tail.iter().any(u8::is_ascii_lowercase)
}

/// `worker-44`, `node_7`.
fn is_numbered(bytes: &[u8]) -> bool {
    let digits = bytes.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let head = &bytes[..bytes.len() - digits];
    digits > 0
        && matches!(head.last(), Some(b'-' | b'_'))
        && head.iter().all(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'-' | b'_'))
}

/// `android.intent.action.SCREEN_ON`: the last label is in capitals, a constant of some program.
fn ends_in_constant(bytes: &[u8]) -> bool {
    let last = bytes.rsplit(|&byte| byte == b'.').next().unwrap_or(bytes);
    last.len() > 2 && last.iter().all(|byte| byte.is_ascii_uppercase() || *byte == b'_')
}

/// `5m17.153s`, `1h2m`.
fn is_duration(bytes: &[u8]) -> bool {
    let mut units = 0;
    let mut rest = bytes;
    while !rest.is_empty() {
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit() || **byte == b'.').count();
        let letters = rest[digits..].iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
        if digits == 0 || classify::unit(&rest[digits..digits + letters]) != Some(Unit::Duration) {
            return false;
        }
        units += 1;
        rest = &rest[digits + letters..];
    }
    units > 0
}
