//! One run of letters, digits and joiners between white space: URL, path, address, or several parts.
//!
//! Takes it apart; a part without joiners is left to [`crate::grouping::tokens::word`], one that begins with a digit to [`crate::grouping::tokens::number`].

use crate::grouping::tokens::scanner::{ATOM, CLASS, Scanner};
use crate::grouping::tokens::script::{decode, find, is_combining, is_dense};
use crate::grouping::tokens::span::is_reason;
use crate::grouping::tokens::token::{Kinds, MARK, TokenKind, WordShape, hash_word};
use crate::grouping::tokens::word_shape;

impl Scanner<'_, '_> {
    /// Scans the atom at `at`; returns where it ends.
    pub(crate) fn atom(&mut self, at: usize, to: usize) -> usize {
        if at > 0
            && self.text[at - 1] == b'\n'
            && let Some(end) = self.line_of_name(at, to)
        {
            self.slot(Kinds::TEXT, at, end);
            return end;
        }
        let mut end = at + self.text[at..to].iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
        if end > at
            && self.text[..to].get(end).is_none_or(|&next| CLASS[next as usize] != ATOM && next < 0x80 && next != b'\'')
        {
            self.word(at, end);
            return end;
        }
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
                let joins = char == '’' && end > at && next_is_letter(&self.text[end + width..to]);
                if !char.is_alphanumeric() && char != MARK && !is_combining(char) && !joins || is_dense(char) {
                    break;
                }
                letters &= char.is_alphabetic() || is_combining(char) || joins;
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

    /// A line that is one name with more lines behind it, as validators write the place of each error.
    fn line_of_name(&self, at: usize, to: usize) -> Option<usize> {
        let len = self.text[at..to].iter().position(|&byte| byte == b'\n')?;
        let name = &self.text[at..at + len];
        let is_of_name = |byte: &u8| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-' | b'[' | b']' | b'>') || *byte >= 0x80
        };
        (len > 0 && name.iter().all(is_of_name) && !is_reason(name)).then_some(at + len)
    }

    fn is_apostrophe(&self, start: usize, at: usize, to: usize) -> bool {
        if at == start || !self.text[at - 1].is_ascii_alphabetic() {
            return false;
        }
        let rest = &self.text[at + 1..to.min(at + 5)];
        let tail = rest.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
        let is_elision = at - start <= 2 && next_is_letter(&self.text[at + 1..to]);
        is_elision || (1..=2).contains(&tail) && !matches!(rest.get(tail), Some(b'\''))
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
        let end = self.spaced_file(end, to);
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
    fn spaced_file(&self, end: usize, to: usize) -> usize {
        if self.text.get(end) != Some(&b' ') {
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
            if tail > 0 && word_shape::is_file(&self.text[dot - 1..dot + 1 + tail]) {
                return dot + 1 + tail;
            }
            i = dot + 1;
        }
        end
    }

    /// An atom with joiners or digits: trims its ends, then splits it at colons unless they belong to a time or address.
    fn joined(&mut self, at: usize, stop: usize, to: usize) -> usize {
        if self.text[at] == b'.' && !self.space && self.out.last().is_some_and(|last| last.end as usize == at) {
            // `契約書.pdf`, `(2).pdf`: an ending behind what no atom holds.
            let ending = self.text[at + 1..stop].iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
            let end = at + 1 + ending;
            if word_shape::is_file_ending(&self.text[at + 1..end]) {
                self.slot(Kinds::FILE, at, end);
                return end;
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
        if bytes.len() > 2 && bytes[1] == b':' && matches!(bytes[2], b'\\' | b'/') && bytes[0].is_ascii_alphabetic() {
            let end = self.spaced_file(end, to);
            self.slot(Kinds::PATH, start, end);
            return end;
        }
        let mut from = start;
        let mut reached = end;
        for at in start..=end {
            if at == from
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

    /// `Error: /undefined`, as PostScript calls its errors.
    fn is_error_name(&self, name: &[u8]) -> bool {
        let [.., word, colon] = self.out.as_slice() else { return false };
        colon.is_punct(b':')
            && word.is_word()
            && self.text[word.start as usize..word.end as usize].eq_ignore_ascii_case(b"error")
            && name.len() >= 4
            && name.iter().all(u8::is_ascii_lowercase)
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
                self.push(TokenKind::Word(WordShape::Capitals), Kinds::default(), start, start + 4, hash_word(b"HTTP"));
                return end;
            }
            if slashes == 1 && bytes[0] == b'/' && self.is_error_name(&bytes[1..]) {
                self.push(TokenKind::Word(WordShape::Code), Kinds::default(), start, end, hash_word(bytes));
                return end;
            }
            if slashes == 1 && bytes[0] == b'/' && is_pdf_name(&bytes[1..]) {
                self.push(TokenKind::Word(WordShape::Plain), Kinds::default(), start, end, hash_word(bytes));
                return end;
            }
            if rooted || bytes.contains(&b'\\') {
                let end = self.spaced_file(self.query(end, to), to);
                self.slot(Kinds::PATH, start, end);
                return end;
            }
            let digits = bytes.iter().any(u8::is_ascii_digit);
            if slashes >= 2 || digits || word_shape::is_file(bytes) {
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
}

/// `/Root`, `/Font`: a name inside a PDF file.
fn is_pdf_name(name: &[u8]) -> bool {
    name.len() >= 2 && name[0].is_ascii_uppercase() && name[1..].iter().all(u8::is_ascii_alphabetic)
}

/// Whether a letter begins the text: what stands before may be an apostrophe inside a word.
fn next_is_letter(text: &[u8]) -> bool {
    !text.is_empty() && decode(text).0.is_alphabetic()
}

/// `23:30:22.884`, `FF:F2:9F`, `::1`, `2025-12-04T23:30:22Z`.
fn clock_or_address(bytes: &[u8]) -> Option<Kinds> {
    if bytes.len() > 64 {
        return None;
    }
    if let Some((address, port)) = bytes.split_at_checked(bytes.iter().rposition(|&byte| byte == b':').unwrap_or(0))
        && word_shape::is_ipv4(address, &word_shape::census(address))
        && port[1..].iter().all(u8::is_ascii_digit)
    {
        return Some(Kinds::HOST);
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
