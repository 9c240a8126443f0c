//! What may be spent: items and credits, per run, hour, day, group and share.
//!
//! Budgets of items bound what may be lost: a retry that recovered its document costs what that document would have cost anyway,
//! and gives its place back. The budget of credits counts everything.

use std::collections::BTreeMap;

use crate::reprocess::policy::limits::Limits;

/// A budget that can be used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::Display)]
#[strum(serialize_all = "kebab-case")]
pub enum Budget {
    /// `per-run`.
    PerRun,
    /// `per-hour`.
    PerHour,
    /// `per-day`, of which a part is kept for work by hand.
    PerDay,
    /// `per-group-per-day`.
    PerGroupPerDay,
    /// `credits-per-day`.
    CreditsPerDay,
    /// `max-share` of the items processed in the last 24 hours.
    MaxShare,
}

/// What was spent, from the ledger, so that a restart does not reset it. Rejected and unsent intents are not in it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Spent {
    /// Items in this run so far.
    pub run: u32,
    /// Items in the last 60 minutes that have not recovered.
    pub hour: u32,
    /// Items in the last 24 hours that have not recovered.
    pub day: u32,
    /// The same by group.
    pub group_day: BTreeMap<String, u32>,
    /// Credits in the last 24 hours, estimated where not billed yet.
    pub credits_day: f64,
    /// Items processed in the last 24 hours, whoever sent them.
    pub processed_day: u64,
}

impl Spent {
    /// The first budget that has no room for one more item of `group` costing `credits`; `None` when all have.
    pub fn exhausted(&self, group: &str, credits: f64, manual: bool, limits: &Limits) -> Option<Budget> {
        let usable = if manual { 1.0 } else { 1.0 - limits.manual_reserve };
        let group_day = self.group_day.get(group).copied().unwrap_or(0);
        if self.run >= limits.per_run {
            Some(Budget::PerRun)
        } else if self.hour >= limits.per_hour {
            Some(Budget::PerHour)
        } else if f64::from(self.day) + 1.0 > f64::from(limits.per_day) * usable {
            Some(Budget::PerDay)
        } else if group_day >= limits.per_group_per_day {
            Some(Budget::PerGroupPerDay)
        } else if limits.credits_per_day.is_some_and(|limit| self.credits_day + credits > limit * usable) {
            Some(Budget::CreditsPerDay)
        } else if !manual && self.day >= share_limit(self.processed_day, limits) {
            Some(Budget::MaxShare)
        } else {
            None
        }
    }

    /// Debits one item.
    pub fn debit(&mut self, group: &str, credits: f64) {
        self.run += 1;
        self.hour += 1;
        self.day += 1;
        *self.group_day.entry(group.to_owned()).or_insert(0) += 1;
        self.credits_day += credits;
    }
}

fn share_limit(processed: u64, limits: &Limits) -> u32 {
    if limits.max_share <= 0.0 {
        return u32::MAX;
    }
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a count of a day's items; the cast saturates"
    )]
    let share = (processed as f64 * limits.max_share) as u32;
    share.max(limits.share_floor)
}
