//! What a run of bytes without white space or quotes looks like: an id, a file name, a host, a number with a unit …
//!
//! Pure functions over bytes, no state. They know structure, not words, apart from endings and units.

use crate::grouping::tokens::lexicon::List;

/// Counts of what is in a run of bytes, gathered in one pass by the scanner.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Census {
    pub(crate) lower: u32,
    pub(crate) upper: u32,
    pub(crate) digit: u32,
    pub(crate) dot: u32,
    pub(crate) dash: u32,
    pub(crate) under: u32,
    pub(crate) other: u32,
    /// Bytes that could not be a hexadecimal digit or a dash.
    pub(crate) unhex: u32,
    /// Changes between letters and digits and from lower to upper case.
    pub(crate) turns: u32,
}

/// Counts the bytes.
pub(crate) fn census(bytes: &[u8]) -> Census {
    let mut count = Census::default();
    let mut before = 0u8;
    for &byte in bytes {
        let now = match byte {
            b'a'..=b'z' => {
                count.lower += 1;
                count.unhex += u32::from(byte > b'f');
                1
            }
            b'A'..=b'Z' => {
                count.upper += 1;
                count.unhex += u32::from(byte > b'F');
                2
            }
            b'0'..=b'9' => {
                count.digit += 1;
                3
            }
            b'.' => {
                count.dot += 1;
                count.unhex += 1;
                0
            }
            b'-' => {
                count.dash += 1;
                0
            }
            b'_' => {
                count.under += 1;
                count.unhex += 1;
                0
            }
            _ => {
                count.other += 1;
                count.unhex += 1;
                0
            }
        };
        if before != 0 && now != 0 && now != before && !(before == 2 && now == 1) {
            count.turns += 1;
        }
        before = now;
    }
    count
}

fn last_label(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let dot = bytes.iter().rposition(|&byte| byte == b'.')?;
    Some((&bytes[..dot], &bytes[dot + 1..]))
}

/// `pdf`, also with capitals.
pub(crate) fn is_file_ending(ending: &[u8]) -> bool {
    List::FileEndings.knows(ending)
}

/// `report.pdf`, also with capitals.
pub(crate) fn is_file(bytes: &[u8]) -> bool {
    last_label(bytes).is_some_and(|(stem, ending)| !stem.is_empty() && List::FileEndings.knows(ending))
}

/// `files.example.com`: dotted, and the last label is a well-known one.
pub(crate) fn is_host(bytes: &[u8], count: &Census) -> bool {
    count.under == 0 && count.other == 0 && last_label(bytes).is_some_and(|(_, ending)| List::HostEndings.has(ending))
}

/// Four numbers with dots.
pub(crate) fn is_ipv4(bytes: &[u8], count: &Census) -> bool {
    count.dot == 3 && count.digit as usize + 3 == bytes.len() && count.digit >= 4
}

/// A uuid or another run of hexadecimal digits that no word spells: has both letters and digits, or is very long.
pub(crate) fn is_hex(bytes: &[u8], count: &Census) -> bool {
    let bare = if bytes.starts_with(b"0x") || bytes.starts_with(b"0X") {
        return bytes.len() > 2 && bytes[2..].iter().all(u8::is_ascii_hexdigit);
    } else {
        bytes.len() as u32 - count.dash
    };
    count.unhex == 0
        && bare >= 6
        && ((count.digit >= 2 - u32::from(bare == 8)
            && count.lower + count.upper > 0
            && (count.lower == 0 || count.upper == 0))
            || (bare >= 16 && count.digit > 0))
}

/// An id no person chose: `job_HwJREZ7QOeb0A6sm`, `blk_-1608999687919862906`, ULIDs, object keys, long base64.
pub(crate) fn is_random(bytes: &[u8], count: &Census) -> bool {
    let letters = count.lower + count.upper;
    let len = bytes.len() as u32;
    if count.digit >= 6 && count.digit * 2 >= letters || count.digit >= 10 {
        return true;
    }
    let tail = bytes.iter().rposition(|byte| matches!(byte, b'_' | b'-')).map_or(bytes, |cut| &bytes[cut + 1..]);
    let tail_count = if tail.len() == bytes.len() { *count } else { census(tail) };
    if tail.len() >= 8 && tail_count.other == 0 && is_scrambled(tail, &tail_count) {
        return true;
    }
    len >= 40 && count.turns >= 8 && count.upper > 0 && count.lower > 0
}

/// Letters and digits mixed as no word mixes them.
fn is_scrambled(bytes: &[u8], count: &Census) -> bool {
    let len = bytes.len() as u32;
    if count.dot > 0 {
        return false;
    }
    if count.digit > 0 {
        return count.turns * 4 >= len && count.turns >= 3 || count.turns >= 4 && count.digit >= 3;
    }
    unspeakable(bytes, count)
}

fn vowels(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| matches!(byte.to_ascii_lowercase(), b'a' | b'e' | b'i' | b'o' | b'u')).count()
}

/// Letters of both cases in an order no camelCase word has: case changes too often, or vowels are too few.
fn unspeakable(bytes: &[u8], count: &Census) -> bool {
    let len = bytes.len();
    if len < 12 || count.lower == 0 || count.upper == 0 {
        return false;
    }
    let vowels = vowels(bytes);
    let changes = bytes.windows(2).filter(|two| two[0].is_ascii_lowercase() != two[1].is_ascii_lowercase()).count();
    changes * 5 >= len * 2 && vowels * 10 <= len * 3 || len >= 16 && count.turns >= 3 && vowels * 5 < len
}

/// Letters after a number that make it an amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Duration,
    Size,
    Other,
}

/// The unit a word names, if any. Long forms are given without a plural `s`.
pub(crate) fn unit(word: &[u8]) -> Option<Unit> {
    let word = match word {
        [stem @ .., b's'] if stem.len() > 2 => stem,
        whole => whole,
    };
    let lists = [(List::Durations, Unit::Duration), (List::Sizes, Unit::Size), (List::Units, Unit::Other)];
    lists.into_iter().find(|(list, _)| list.has(word)).map(|(_, unit)| unit)
}

/// `E101`, `ORA-00942`, `PARSE-4012`: capitals, perhaps a dash, then digits.
pub(crate) fn is_code_shape(bytes: &[u8], count: &Census) -> bool {
    let head = bytes.iter().take_while(|byte| byte.is_ascii_uppercase()).count();
    let rest = &bytes[head..];
    let rest = rest.strip_prefix(b"-").or(rest.strip_prefix(b"_")).unwrap_or(rest);
    (1..=12).contains(&head)
        && rest.len() >= 2
        && rest.len() <= 6
        && count.digit as usize == rest.len()
        && (head >= 2 || rest.len() >= 3)
}

/// `ERR_FONT_17`, `FILE_TOO_LARGE`, `_MSG_TIMED_OUT`: a constant of some program.
pub(crate) fn is_constant(bytes: &[u8], count: &Census) -> bool {
    let mut parts = bytes.split(|&byte| byte == b'_').filter(|part| !part.is_empty());
    count.lower + count.dot + count.dash + count.other == 0
        && count.under > 0
        && count.upper >= 3
        && parts.next().is_some_and(|first| first[0].is_ascii_uppercase())
        && parts.all(|part| !part.iter().all(u8::is_ascii_digit) || part.len() <= 5)
}
