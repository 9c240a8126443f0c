//! `[schedule]`: when scans and digests happen, and when work is overdue.

use jiff::SignedDuration;
use serde::Deserialize;

use crate::config::duration;
use crate::model::schedule::overdue::{OverdueLimit, SHORTEST_LIMIT};

/// When things happen. Times of day are read in `timezone`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize, schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct ScheduleConfig {
    /// When a cycle runs: an interval "5m", times of day "09:00, 17:30", or a cron line.
    pub scan: String,
    /// When the digest of everything still open is sent, in the same forms; "off" for never.
    pub digest: String,
    /// The IANA name of the zone people live in.
    pub timezone: String,
    /// From when to when nothing is sent but paging news and, to PagerDuty, ends and acks, as "22:00-07:00"; none for never.
    pub quiet_hours: Option<String>,
    /// A batch that has not ended is reported after so many times what such batches usually take, "10x", or after a time, "12h"; six
    /// hours at least, and a day where fewer than five such batches have ended.
    pub overdue: String,
}

impl ScheduleConfig {
    /// When a batch that has not ended is overdue.
    ///
    /// # Errors
    /// The text is neither a number of times nor a time, or is too short.
    pub(crate) fn overdue_limit(&self) -> Result<OverdueLimit, String> {
        let text = self.overdue.trim();
        if let Some(factor) = text.strip_suffix('x').and_then(|number| number.trim().parse::<f64>().ok()) {
            let is_usable = factor.is_finite() && factor > 1.0;
            return is_usable
                .then_some(OverdueLimit::Times(factor))
                .ok_or_else(|| format!("`{text}` must be more than 1x"));
        }
        let time = duration::parse(text).map_err(|error| format!("{error}; or \"10x\": ten times what is usual"))?;
        let limit = SignedDuration::try_from(time).unwrap_or(SignedDuration::MAX);
        if limit < SHORTEST_LIMIT {
            Err(format!("`{text}` is too short: at least 6h"))
        } else {
            Ok(OverdueLimit::After(limit))
        }
    }
}

impl Default for ScheduleConfig {
    fn default() -> Self {
        ScheduleConfig {
            scan: "5m".to_owned(),
            digest: "09:00".to_owned(),
            timezone: "UTC".to_owned(),
            quiet_hours: None,
            overdue: "10x".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overdue_is_a_number_of_times_or_a_time() {
        let read =
            |text: &str| ScheduleConfig { overdue: text.to_owned(), ..ScheduleConfig::default() }.overdue_limit();
        assert_eq!(read("10x"), Ok(OverdueLimit::Times(10.0)));
        assert_eq!(read("2.5x"), Ok(OverdueLimit::Times(2.5)));
        assert_eq!(read("12h"), Ok(OverdueLimit::After(SignedDuration::from_hours(12))));
        for (text, said) in
            [("1x", "more than 1x"), ("-3x", "more than 1x"), ("5h", "at least 6h"), ("x", "`x` is not"), ("10", "10x")]
        {
            assert!(read(text).unwrap_err().contains(said), "{text}");
        }
    }
}
