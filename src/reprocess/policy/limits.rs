//! Every number of reprocessing that a team may want otherwise, with its default.

use jiff::SignedDuration;

/// Limits and delays. The defaults are those of the configuration file.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// Items in one run.
    pub per_run: u32,
    /// Items in any 60 minutes, apart from those that recovered.
    pub per_hour: u32,
    /// Items in any 24 hours, apart from those that recovered.
    pub per_day: u32,
    /// Items of one group in any 24 hours, apart from those that recovered.
    pub per_group_per_day: u32,
    /// Credits in any 24 hours; `None` when no price is known or no limit wanted.
    pub credits_per_day: Option<f64>,
    /// Share of the items processed in the last 24 hours that retries may make up, apart from those that recovered; 0 means no such limit.
    pub max_share: f64,
    /// What `max_share` always leaves, so that a quiet account can still recover.
    pub share_floor: u32,
    /// Share of a day's items and credits kept for work by hand.
    pub manual_reserve: f64,
    /// Automatic attempts per item, parameters and episode.
    pub attempts: u32,
    /// Attempts in an item's life.
    pub attempts_in_life: u32,
    /// Delay before the first, second, third attempt; the last one repeats.
    pub delays: Vec<SignedDuration>,
    /// How long a group rests after each lost probe; after one more a person decides.
    pub rests: Vec<SignedDuration>,
    /// Wait after being throttled without a `Retry-After`.
    pub throttled_wait: SignedDuration,
    /// A group is retried beyond probes while at least this share of its tries is expected to recover.
    pub worth: f64,
    /// Whether items of class unknown are retried automatically.
    pub probe_unknown: bool,
    /// Whether anything is submitted automatically (mode `auto`); outlooks say so.
    pub automatic: bool,
    /// Most items in one POST.
    pub chunk: u32,
    /// After this an attempt without a terminal state has expired.
    pub expires_after: SignedDuration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            per_run: 50,
            per_hour: 200,
            per_day: 500,
            per_group_per_day: 100,
            credits_per_day: None,
            max_share: 0.10,
            share_floor: 50,
            manual_reserve: 0.20,
            attempts: 3,
            attempts_in_life: 6,
            delays: vec![SignedDuration::from_mins(15), SignedDuration::from_hours(2), SignedDuration::from_hours(12)],
            rests: [1, 3, 9, 27, 48].map(SignedDuration::from_hours).to_vec(),
            throttled_wait: SignedDuration::from_mins(15),
            worth: 0.25,
            probe_unknown: true,
            automatic: true,
            chunk: 100,
            expires_after: SignedDuration::from_hours(24),
        }
    }
}
