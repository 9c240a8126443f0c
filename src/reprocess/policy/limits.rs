//! Every number of reprocessing that a team may want otherwise, with its default.

use jiff::SignedDuration;

/// Limits and delays. The defaults are those of the configuration file.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// Items in one run.
    pub per_run: u32,
    /// Items in any 60 minutes.
    pub per_hour: u32,
    /// Items in any 24 hours.
    pub per_day: u32,
    /// Items of one group in any 24 hours.
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
    /// Wait after being throttled without a `Retry-After`.
    pub throttled_wait: SignedDuration,
    /// No delay is longer: a longer one would hide a failure.
    pub longest_delay: SignedDuration,
    /// A step passes when this share of its decided items recovered.
    pub pass_share: f64,
    /// Canaries risked on a group whose wording hides its cause, before it is left to a person.
    pub canaries: u32,
    /// Items of the last step of a ramp, however few of them go in one POST.
    pub last_step: u32,
    /// Most items in one POST.
    pub chunk: u32,
    /// First open time of a group breaker; doubles.
    pub breaker_open: SignedDuration,
    /// Longest open time of a group breaker.
    pub breaker_longest: SignedDuration,
    /// How long everything is held by an incident or the global breaker.
    pub hold: SignedDuration,
    /// Longest hold, after probes that failed.
    pub longest_hold: SignedDuration,
    /// Whether items of class unknown may be retried automatically, through a canary.
    pub unknown_canary: bool,
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
            throttled_wait: SignedDuration::from_mins(15),
            longest_delay: SignedDuration::from_hours(24),
            pass_share: 0.80,
            canaries: 1,
            last_step: 100,
            chunk: 100,
            breaker_open: SignedDuration::from_hours(6),
            breaker_longest: SignedDuration::from_hours(7 * 24),
            hold: SignedDuration::from_mins(30),
            longest_hold: SignedDuration::from_hours(6),
            unknown_canary: false,
            expires_after: SignedDuration::from_hours(24),
        }
    }
}
