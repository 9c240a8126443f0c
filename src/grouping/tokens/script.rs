//! Characters beyond ASCII: quotation marks, full-width punctuation, scripts without spaces between words.

use crate::grouping::tokens::scanner::Scanner;
use crate::grouping::tokens::token::{Kinds, TokenKind, WordShape, fold, hash_code};

impl Scanner<'_, '_> {
    /// One Han character, or a run of kana or of another script without spaces.
    pub(crate) fn dense(&mut self, at: usize, to: usize, char: char, len: usize) -> usize {
        let mut end = at + len;
        let script = script(char);
        if script != Script::Han {
            while end < to && self.text[end] >= 0x80 {
                let (next, width) = decode(&self.text[end..to]);
                if script_or_mark(next) != Some(script) {
                    break;
                }
                end += width;
            }
        }
        let hash = fold(1, hash_code(&self.text[at..end])) | 1 << 63;
        self.push(TokenKind::Word(WordShape::Dense), Kinds::default(), at, end, hash);
        end
    }
}

/// Decodes the character that begins `bytes`; a broken one counts as one unknown byte.
pub(crate) fn decode(bytes: &[u8]) -> (char, usize) {
    let width = match bytes[0] {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => 1,
    };
    match bytes.get(..width).and_then(|head| std::str::from_utf8(head).ok()).and_then(|text| text.chars().next()) {
        Some(char) => (char, width),
        None => ('\u{fffd}', 1),
    }
}

pub(crate) fn find(text: &[u8], needle: &[u8]) -> Option<usize> {
    text.windows(needle.len()).position(|window| window == needle)
}

pub(crate) fn closing_of(char: char) -> Option<&'static [&'static str]> {
    Some(match char {
        '“' => &["”"],
        '„' => &["“", "”"],
        '‘' => &["’"],
        '«' => &["»"],
        '‹' => &["›"],
        '「' => &["」"],
        '『' => &["』"],
        '《' => &["》"],
        '〈' => &["〉"],
        '＂' => &["＂"],
        _ => return None,
    })
}

pub(crate) fn plain_punct(char: char) -> Option<u8> {
    Some(match char {
        '：' => b':',
        '，' | '、' | '،' => b',',
        '；' => b';',
        '（' => b'(',
        '）' => b')',
        '【' | '［' => b'[',
        '】' | '］' => b']',
        '。' | '！' | '？' | '．' | '…' => b'.',
        '–' | '—' | '－' | '→' => b'-',
        '|' | '｜' => b'|',
        '＝' => b'=',
        _ => return None,
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Script {
    Han,
    Hiragana,
    Katakana,
    Other,
}

fn script(char: char) -> Script {
    match char as u32 {
        0x3041..=0x309f => Script::Hiragana,
        0x30a0..=0x30ff | 0x31f0..=0x31ff => Script::Katakana,
        0x3400..=0x9fff | 0xf900..=0xfaff | 0x2_0000..=0x3_ffff | 0x3005..=0x3007 => Script::Han,
        _ => Script::Other,
    }
}

fn script_or_mark(char: char) -> Option<Script> {
    is_dense(char).then(|| script(char))
}

/// Marks that belong to the letter before: accents, the vowel signs of Indian scripts, joiners.
pub(crate) fn is_combining(char: char) -> bool {
    matches!(char as u32, 0x300..=0x36f | 0x483..=0x489 | 0x591..=0x5c7 | 0x610..=0x61a | 0x64b..=0x65f | 0x900..=0x903
        | 0x93a..=0x94f | 0x951..=0x957 | 0x962..=0x963 | 0x981..=0xd83 | 0x1ab0..=0x1aff | 0x200c | 0x200d | 0x20d0..=0x20ff)
}

/// Whether the script is written without spaces between words: Han, kana, Thai, Lao, Burmese, Khmer.
pub(crate) fn is_dense(char: char) -> bool {
    matches!(char as u32, 0x0e01..=0x0e4f | 0x0e81..=0x0ecf | 0x1000..=0x103f | 0x1780..=0x17df | 0x3005..=0x3007 | 0x3041..=0x30ff
        | 0x31f0..=0x31ff | 0x3400..=0x4dbf | 0x4e00..=0x9fff | 0xf900..=0xfaff | 0x2_0000..=0x3_ffff)
}
