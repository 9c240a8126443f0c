//! Small pieces of JSON read with tolerance: texts, counts, times, tokens.

use std::borrow::Cow;
use std::fmt;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::secrets::mask_and_bound;

/// A text that borrows from the page where it can. Null is not accepted; use `Option<Text>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WireText<'a>(pub(crate) Cow<'a, str>);

impl WireText<'_> {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The text as it is, for ids. NUL becomes U+FFFD: SQL functions end a text there.
    pub(crate) fn into_id(self) -> String {
        let text = self.0;
        match text {
            // Only an escape can bring a NUL in, and escapes are never borrowed.
            Cow::Owned(text) if text.contains('\0') => text.replace('\0', "\u{fffd}"),
            text => text.into_owned(),
        }
    }

    /// The text with secrets masked; of one of more than a MiB the ends.
    pub(crate) fn into_masked(self) -> String {
        let bound = match mask_and_bound(&self.0) {
            Cow::Borrowed(_) => None,
            Cow::Owned(bound) => Some(bound),
        };
        bound.map_or(self, |bound| WireText(Cow::Owned(bound))).into_id()
    }

    /// The text as [`WireText::into_masked`] gives it; none if it is blank.
    pub(crate) fn into_message(self) -> Option<String> {
        (!self.0.trim().is_empty()).then(|| self.into_masked())
    }

    /// The text; none if it is empty.
    pub(crate) fn into_some_id(self) -> Option<String> {
        (!self.0.is_empty()).then(|| self.into_id())
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for WireText<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;
        impl<'de> Visitor<'de> for TextVisitor {
            type Value = WireText<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<WireText<'de>, E> {
                Ok(WireText(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<WireText<'de>, E> {
                Ok(WireText(Cow::Owned(text.to_owned())))
            }
            fn visit_string<E>(self, text: String) -> Result<WireText<'de>, E> {
                Ok(WireText(Cow::Owned(text)))
            }
        }
        deserializer.deserialize_str(TextVisitor)
    }
}

/// Reads a time; a time without a zone is UTC (that is how Python prints naive ones), anything else is no time.
pub(crate) fn time(text: Option<WireText<'_>>) -> Option<Timestamp> {
    let text = text?;
    let text = text.as_str();
    plain_time(text.as_bytes()).or_else(|| {
        let text = text.trim();
        text.parse().ok().or_else(|| TimeZone::UTC.to_timestamp(text.parse().ok()?).ok())
    })
}

/// Reads `2026-11-23T10:00:00.123456Z`, the form in which nearly all times come, several times as fast as a general parser.
fn plain_time(text: &[u8]) -> Option<Timestamp> {
    let (seconds, fraction) = text.strip_suffix(b"Z")?.split_at_checked(19)?;
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, b'T', h1, h2, b':', n1, n2, b':', s1, s2] = *seconds else {
        return None;
    };
    let second = number(&[s1, s2]).filter(|second| *second < 60)?;
    let nanos = match fraction {
        [] => 0,
        [b'.', digits @ ..] if (1..=9).contains(&digits.len()) => number(digits)? * 10_i32.pow(9 - digits.len() as u32),
        _ => return None,
    };
    let small = |digits: [u8; 2]| i8::try_from(number(&digits)?).ok();
    let date = Date::new(number(&[y1, y2, y3, y4])?.try_into().ok()?, small([m1, m2])?, small([d1, d2])?).ok()?;
    let time = Time::new(small([h1, h2])?, small([n1, n2])?, second as i8, nanos).ok()?;
    TimeZone::UTC.to_timestamp(DateTime::from_parts(date, time)).ok()
}

/// At most nine digits.
fn number(digits: &[u8]) -> Option<i32> {
    digits.iter().try_fold(0, |number, digit| digit.is_ascii_digit().then(|| number * 10 + i32::from(digit - b'0')))
}

/// A count: absent, null, negative or no number at all is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct WireCount(pub(crate) Option<u64>);

/// A page token: absent, null and "" are none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct WireToken<'a>(pub(crate) Option<Cow<'a, str>>);

/// Takes any JSON value, and remembers what a count or a token can be made of.
struct Anything;

enum WireValue<'a> {
    Nothing,
    Number(u64),
    Text(Cow<'a, str>),
}

impl<'de> Visitor<'de> for Anything {
    type Value = WireValue<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_unit<E>(self) -> Result<WireValue<'de>, E> {
        Ok(WireValue::Nothing)
    }

    fn visit_bool<E>(self, _: bool) -> Result<WireValue<'de>, E> {
        Ok(WireValue::Nothing)
    }

    fn visit_u64<E>(self, number: u64) -> Result<WireValue<'de>, E> {
        Ok(WireValue::Number(number))
    }

    fn visit_i64<E>(self, number: i64) -> Result<WireValue<'de>, E> {
        Ok(u64::try_from(number).map_or(WireValue::Nothing, WireValue::Number))
    }

    fn visit_f64<E>(self, number: f64) -> Result<WireValue<'de>, E> {
        // 2^53: whole numbers up to there are exact, and no list is longer.
        let whole = number.fract() == 0.0 && (0.0..9_007_199_254_740_992.0).contains(&number);
        Ok(if whole { WireValue::Number(number as u64) } else { WireValue::Nothing })
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<WireValue<'de>, E> {
        Ok(WireValue::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<WireValue<'de>, E> {
        Ok(WireValue::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<WireValue<'de>, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(WireValue::Nothing)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<WireValue<'de>, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(WireValue::Nothing)
    }
}

impl<'de> Deserialize<'de> for WireCount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(WireCount(match deserializer.deserialize_any(Anything)? {
            WireValue::Nothing => None,
            WireValue::Number(number) => Some(number),
            WireValue::Text(text) => text.trim().parse().ok(),
        }))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for WireToken<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(WireToken(match deserializer.deserialize_any(Anything)? {
            WireValue::Nothing => None,
            WireValue::Number(number) => Some(Cow::Owned(number.to_string())),
            WireValue::Text(text) => Some(text).filter(|t| !t.is_empty()),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_tokens_survive_every_type() {
        for (json, count, token) in [
            ("null", None, None),
            ("3", Some(3), Some("3")),
            ("-3", None, None),
            ("3.0", Some(3), Some("3")),
            ("3.5", None, None),
            ("1e300", None, None),
            (r#""12""#, Some(12), Some("12")),
            (r#""""#, None, None),
            (r#""a\u0062""#, None, Some("ab")),
            (r#"[1,{"a":2}]"#, None, None),
            (r#"{"a":[1]}"#, None, None),
            ("true", None, None),
        ] {
            assert_eq!(serde_json::from_str::<WireCount>(json).unwrap().0, count, "{json}");
            let read: WireToken<'_> = serde_json::from_str(json).unwrap();
            assert_eq!(read.0.as_deref(), token, "{json}");
        }
    }

    #[test]
    fn a_time_may_lack_its_zone() {
        let read = |text: &'static str| time(Some(WireText(Cow::Borrowed(text))));
        let wanted: Timestamp = "2026-11-23T10:00:00.5Z".parse().unwrap();
        assert_eq!(read("2026-11-23T10:00:00.500Z"), Some(wanted));
        assert_eq!(read("2026-11-23T11:00:00.5+01:00"), Some(wanted));
        assert_eq!(read("2026-11-23T10:00:00.500000"), Some(wanted));
        assert_eq!(read("2026-11-23 10:00:00.5"), Some(wanted));
        assert_eq!(read("yesterday"), None);
        assert_eq!(time(None), None);
    }

    proptest::proptest! {
        #[test]
        fn the_plain_form_is_read_as_the_general_parser_reads_it(text in "[12][09][0-9]{2}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-6][0-9]:[0-6][0-9](\\.[0-9]{0,10})?Z") {
            if let Some(plain) = plain_time(text.as_bytes()) {
                proptest::prop_assert_eq!(text.parse().ok(), Some(plain));
            }
        }
    }

    #[test]
    fn the_plain_form_is_recognised() {
        for text in ["2026-11-23T10:00:00Z", "2026-11-23T10:00:00.5Z", "1969-02-28T23:59:59.123456789Z"] {
            assert!(plain_time(text.as_bytes()).is_some(), "{text}");
        }
        for text in ["2026-02-30T10:00:00Z", "2026-11-23T10:00:60Z", "2026-11-23T10:00:00.Z", "Z", ""] {
            assert!(plain_time(text.as_bytes()).is_none(), "{text}");
        }
    }

    #[test]
    fn a_nul_becomes_the_replacement_character() {
        let text: WireText<'_> = serde_json::from_str(r#""a\u0000b""#).unwrap();
        assert_eq!(text.into_id(), "a\u{fffd}b");
    }
}
