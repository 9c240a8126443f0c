//! Text without its escapes, and where each byte of it stood: what percent-encoding, JSON, Python and HTML make of a text.

use std::ops::Range;

/// A text whose escapes were undone, some number of times.
pub(crate) struct Unescaped {
    pub(crate) bytes: Vec<u8>,
    /// Where in the original each byte began; one more for the end.
    starts: Vec<usize>,
}

impl Unescaped {
    /// The text as it is.
    pub(crate) fn new(text: &str) -> Unescaped {
        match text.bytes().any(begins_escape) {
            true => Unescaped { bytes: text.as_bytes().to_vec(), starts: (0..=text.len()).collect() },
            // Nothing will be asked of it.
            false => Unescaped { bytes: Vec::new(), starts: vec![0] },
        }
    }

    /// The same with the escapes undone that it still has; none if it has none.
    pub(crate) fn once_more(&self) -> Option<Unescaped> {
        let mut undone = Unescaped { bytes: Vec::with_capacity(self.bytes.len()), starts: Vec::new() };
        let (mut at, mut is_other) = (0, false);
        while at < self.bytes.len() {
            let (decoded, length) = match escape(&self.bytes[at..]) {
                Some(escape) => {
                    is_other = true;
                    escape
                }
                None => (Decoded::Byte(self.bytes[at]), 1),
            };
            let mut buffer = [0; 4];
            let decoded = match decoded {
                Decoded::Byte(byte) => {
                    buffer[0] = byte;
                    &buffer[..1]
                }
                Decoded::Char(char) => char.encode_utf8(&mut buffer).as_bytes(),
            };
            undone.bytes.extend_from_slice(decoded);
            undone.starts.extend(decoded.iter().map(|_| self.starts[at]));
            at += length;
        }
        undone.starts.push(self.starts[self.bytes.len()]);
        is_other.then_some(undone)
    }

    /// Where these bytes stood in the original text.
    pub(crate) fn place_in_text(&self, place: Range<usize>) -> Range<usize> {
        self.starts[place.start]..self.starts[place.end]
    }
}

/// The text without percent-encoding; none where nothing is encoded, or what is decoded is no text.
pub(crate) fn percent_decoded(text: &str) -> Option<String> {
    let (mut bytes, mut at) = (Vec::new(), 0);
    while let Some(byte) = text.as_bytes().get(at) {
        let decoded = (*byte == b'%').then(|| hex_byte(text.as_bytes().get(at + 1..at + 3)?)).flatten();
        bytes.push(decoded.unwrap_or(*byte));
        at += if decoded.is_some() { 3 } else { 1 };
    }
    String::from_utf8(bytes).ok().filter(|decoded| decoded != text)
}

enum Decoded {
    Byte(u8),
    Char(char),
}

fn begins_escape(byte: u8) -> bool {
    matches!(byte, b'%' | b'\\' | b'&')
}

/// What the escape stands for that the text begins with, and how long it is; none if it begins with no escape.
fn escape(text: &[u8]) -> Option<(Decoded, usize)> {
    let byte = |digits: Range<usize>| hex_byte(text.get(digits)?).map(Decoded::Byte);
    match text {
        [b'%', ..] => Some((byte(1..3)?, 3)),
        [b'\\', b'x', ..] => Some((byte(2..4)?, 4)),
        [b'\\', b'u', ..] => unicode(text),
        [b'\\', escaped @ (b'/' | b'\\' | b'"' | b'\''), ..] => Some((Decoded::Byte(*escaped), 2)),
        [b'&', ..] => entity(text),
        _ => None,
    }
}

fn hex_byte(digits: &[u8]) -> Option<u8> {
    u8::try_from(number(digits, 16)?).ok()
}

/// A number without a sign.
fn number(digits: &[u8], base: u32) -> Option<u32> {
    let digits = std::str::from_utf8(digits).ok().filter(|digits| !digits.starts_with('+'))?;
    u32::from_str_radix(digits, base).ok()
}

/// `\u00e4`, also as a pair of surrogates.
fn unicode(text: &[u8]) -> Option<(Decoded, usize)> {
    let unit = |at: usize| number(text.get(at..at + 4)?, 16).filter(|_| text[at - 2..].starts_with(b"\\u"));
    let first = unit(2)?;
    if let Some(char) = char::from_u32(first) {
        return Some((Decoded::Char(char), 6));
    }
    let second = unit(8).filter(|second| (0xDC00..0xE000).contains(second) && first < 0xDC00)?;
    let char = char::from_u32(0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00))?;
    Some((Decoded::Char(char), 12))
}

/// The longest entity that is looked for, such as `&#x1F600;`.
const LONGEST_ENTITY: usize = 10;

fn entity(text: &[u8]) -> Option<(Decoded, usize)> {
    let end = text.iter().take(LONGEST_ENTITY).position(|byte| *byte == b';')?;
    let char = match &text[1..end] {
        b"amp" => '&',
        b"lt" => '<',
        b"gt" => '>',
        b"quot" => '"',
        b"apos" => '\'',
        [b'#', b'x' | b'X', digits @ ..] => char::from_u32(number(digits, 16)?)?,
        [b'#', digits @ ..] => char::from_u32(number(digits, 10)?)?,
        _ => return None,
    };
    Some((Decoded::Char(char), end + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn undone(text: &str) -> Option<String> {
        Unescaped::new(text).once_more().map(|undone| String::from_utf8_lossy(&undone.bytes).into_owned())
    }

    #[test]
    fn each_kind_of_escape_is_undone_once() {
        for (text, is) in [
            ("a%2Fb", Some("a/b")),
            ("%252F", Some("%2F")),
            (r"\u00e4\ud83d\ude00\x41", Some("ä😀A")),
            (r#"\"\/\\'"#, Some("\"/\\'")),
            ("&lt;&#39;&#x2f;&amp;amp;", Some("<'/&amp;")),
            ("nothing", None),
            (r"% %2 %zz %+1 \u12 \ud83d \q & &x; &#; &#x110000; &#+1;", None),
        ] {
            assert_eq!(undone(text).as_deref(), is, "{text}");
        }
        assert_eq!(percent_decoded("a%2fb%C3%A4").as_deref(), Some("a/bä"));
        assert_eq!((percent_decoded("a%2"), percent_decoded("%ff")), (None, None));
    }

    #[test]
    fn a_place_is_that_of_the_escapes_it_was_made_of() {
        let text = "ä \\u00e4%2Fz";
        let undone = Unescaped::new(text).once_more().unwrap();
        assert_eq!(undone.bytes, "ä ä/z".as_bytes());
        assert_eq!(&text[undone.place_in_text(3..6)], "\\u00e4%2F");
        assert_eq!(undone.place_in_text(0..7), 0..text.len());
    }

    proptest::proptest! {
        #[test]
        fn any_text_can_be_undone_and_its_places_are_in_order(text in "[%\\\\&#xu;a-f0-9äß]{0,40}") {
            let mut undone = Some(Unescaped::new(&text));
            for _ in 0..4 {
                let Some(deeper) = undone.as_ref().and_then(Unescaped::once_more) else { break };
                proptest::prop_assert_eq!(deeper.starts.len(), deeper.bytes.len() + 1);
                proptest::prop_assert!(deeper.starts.is_sorted() && deeper.starts.ends_with(&[text.len()]));
                undone = Some(deeper);
            }
        }
    }
}
