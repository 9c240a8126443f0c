//! `[schedule]`: when scans and digests happen.

use serde::Deserialize;

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
}

impl Default for ScheduleConfig {
    fn default() -> Self {
        ScheduleConfig {
            scan: "5m".to_owned(),
            digest: "09:00".to_owned(),
            timezone: "UTC".to_owned(),
            quiet_hours: None,
        }
    }
}
