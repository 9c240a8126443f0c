//! Mending JSON that a strict parser refuses although its meaning is plain: lone surrogates and raw control characters in strings.

/// The text with lone surrogate escapes and raw NULs turned into U+FFFD and other raw control characters in strings escaped.
///
/// Text that is no JSON comes out as some other text that is no JSON.
pub(crate) fn repair(text: &str) -> String {
    let mut mended = String::with_capacity(text.len() + 16);
    let mut rest = text;
    let mut in_string = false;
    while let Some(at) = rest.find(|c: char| c == '"' || c == '\\' || c < ' ') {
        mended.push_str(&rest[..at]);
        rest = &rest[at..];
        let taken = match rest.as_bytes()[0] {
            b'"' => {
                in_string = !in_string;
                mended.push('"');
                1
            }
            b'\\' => push_escape(&mut mended, rest),
            control if in_string => {
                push_control(&mut mended, control);
                1
            }
            control => {
                mended.push(char::from(control));
                1
            }
        };
        rest = &rest[taken..];
    }
    mended.push_str(rest);
    mended
}

fn push_control(mended: &mut String, control: u8) {
    if control == 0 {
        mended.push('\u{fffd}');
    } else {
        mended.push_str(&format!("\\u{control:04x}"));
    }
}

/// Copies the escape that `rest` begins with; returns its length in bytes.
fn push_escape(mended: &mut String, rest: &str) -> usize {
    let (taken, lone) = match unit(rest) {
        Some(0xD800..=0xDBFF) => match rest.get(6..).and_then(unit) {
            Some(0xDC00..=0xDFFF) => (12, false),
            _ => (6, true),
        },
        Some(0xDC00..=0xDFFF) => (6, true),
        Some(_) => (6, false),
        // The backslash and the character after it, which may be of several bytes.
        None => (1 + rest[1..].chars().next().map_or(0, char::len_utf8), false),
    };
    mended.push_str(if lone { "\\ufffd" } else { &rest[..taken] });
    taken
}

/// The UTF-16 unit of the `\uXXXX` that the text begins with.
fn unit(text: &str) -> Option<u16> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    let all_hex = digits.bytes().all(|b| b.is_ascii_hexdigit());
    all_hex.then(|| u16::from_str_radix(digits, 16).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_parser_refuses_is_changed() {
        for (text, mended) in [
            (r#"{"a":"\ud800"}"#, r#"{"a":"\ufffd"}"#),
            (r#""\udc00x""#, r#""\ufffdx""#),
            (r#""\ud83d\ude00""#, r#""\ud83d\ude00""#),
            (r#""\ud83d\ud83d\ude00""#, r#""\ufffd\ud83d\ude00""#),
            (r#""\\ud800""#, r#""\\ud800""#),
            (r#""\"\ud800\\""#, r#""\"\ufffd\\""#),
            ("{\n\"a\":\"x\ty\0\"}", "{\n\"a\":\"x\\u0009y\u{fffd}\"}"),
            (r#""\ud8"#, r#""\ud8"#),
            ("\"\\", "\"\\"),
            ("\"\\ä\"", "\"\\ä\""),
        ] {
            assert_eq!(repair(text), mended, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn good_json_keeps_its_meaning(value in proptest::collection::vec(".*", 0..4)) {
            let text = serde_json::to_string(&value).unwrap();
            let mended: Vec<String> = serde_json::from_str(&repair(&text)).unwrap();
            proptest::prop_assert_eq!(mended, value);
        }

        #[test]
        fn any_text_is_survived(text in ".*\\PC*") {
            repair(&text);
        }
    }
}
