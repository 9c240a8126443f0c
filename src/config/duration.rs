//! Durations as people write them: "2m 30s", "36h", "7d". A day is 24 hours and a week seven days, whatever the clocks do.

use std::time::Duration;

use jiff::{SignedDuration, Span, SpanRelativeTo};
use serde::de::Error;
use serde::{Deserialize, Deserializer};

/// For `#[serde(with = "…")]` on a [`Duration`].
///
/// # Errors
/// The text is no duration, or a negative one.
pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
}

/// Writes a duration so that [`deserialize`] reads the same.
#[cfg(test)]
pub(crate) fn serialize<S: serde::Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&written(*duration))
}

/// For `#[serde(with = "…")]` on a list of [`SignedDuration`]s, none of which may be negative.
pub(crate) mod list {
    use crate::config::duration::{Deserialize, Deserializer, Error, SignedDuration, parse};

    /// # Errors
    /// One of the texts is no duration, or a negative one.
    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<SignedDuration>, D::Error> {
        let texts = Vec::<String>::deserialize(deserializer)?;
        let durations = texts
            .iter()
            .map(|text| SignedDuration::try_from(parse(text).map_err(D::Error::custom)?).map_err(D::Error::custom));
        durations.collect()
    }

    #[cfg(test)]
    pub(crate) fn serialize<S: serde::Serializer>(list: &[SignedDuration], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(list.iter().map(|duration| crate::config::duration::written(duration.unsigned_abs())))
    }
}

/// A duration as people write it.
///
/// # Errors
/// The text is no duration, or a negative one; the message quotes it and shows how to write one.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let example = "write it like \"2m 30s\", \"36h\" or \"7d\"";
    let span: Span = text.parse().map_err(|_| format!("`{text}` is not a duration: {example}"))?;
    let duration = span
        .to_duration(SpanRelativeTo::days_are_24_hours())
        .map_err(|_| format!("`{text}` has no fixed length: use days or hours instead of months and years"))?;
    Duration::try_from(duration).map_err(|_| format!("`{text}` is negative: {example}"))
}

#[cfg(test)]
fn written(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    let parts = [(days, "d"), (hours, "h"), (minutes, "m"), (seconds % 60, "s")];
    let parts = parts.into_iter().filter(|(n, _)| *n > 0).map(|(n, unit)| format!("{n}{unit}"));
    parts.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_weeks_have_a_fixed_length() {
        let table =
            [("2m 30s", 150), ("36h", 129_600), ("7d", 604_800), ("1w", 604_800), ("1d 12h", 129_600), ("0s", 0)];
        for (text, seconds) in table {
            assert_eq!(parse(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        assert_eq!(written(Duration::from_secs(129_600)), "1d 12h");
    }

    #[test]
    fn what_is_no_duration_is_reported_with_an_example() {
        for text in ["", "7", "7 dais", "1 month", "-5m", "5m ago"] {
            assert!(parse(text).unwrap_err().contains(text), "{text}");
        }
    }
}
