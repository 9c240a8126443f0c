//! What may be spent: items and credits, per run, hour, day, group and share.
//!
//! Budgets of items bound what may be lost: a retry that recovered its document costs what that document would have cost anyway,
//! and gives its place back. The budget of credits counts everything.

use std::collections::BTreeMap;

use crate::config::reprocess::ReprocessConfig;

/// A budget that can be used up, called as its key in the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::Display)]
#[strum(serialize_all = "kebab-case")]
pub enum Budget {
    PerRun,
    PerHour,
    PerDay,
    PerGroupPerDay,
    CreditsPerDay,
    MaxShare,
}

/// Share of a day's items and credits kept for work by hand.
const MANUAL_RESERVE: f64 = 0.20;

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
    /// The first budget that has no room for one more item of `group`; `None` when all have.
    pub(crate) fn exhausted(&self, group: &str, manual: bool, config: &ReprocessConfig) -> Option<Budget> {
        let usable = if manual { 1.0 } else { 1.0 - MANUAL_RESERVE };
        let credits = self.credits_day + config.credits_per_item.unwrap_or(0.0);
        let has_room = [
            (Budget::PerRun, self.run < config.per_run),
            (Budget::PerHour, self.hour < config.per_hour),
            (Budget::PerDay, f64::from(self.day) + 1.0 <= f64::from(config.per_day) * usable),
            (Budget::PerGroupPerDay, self.of_group(group) < config.per_group_per_day),
            (Budget::CreditsPerDay, config.credits_per_day.is_none_or(|limit| credits <= limit * usable)),
            (Budget::MaxShare, manual || self.day < share_limit(self.processed_day, config)),
        ];
        has_room.into_iter().find(|(_, has_room)| !has_room).map(|(budget, _)| budget)
    }

    /// Debits one item.
    pub(crate) fn debit(&mut self, group: &str, config: &ReprocessConfig) {
        self.run += 1;
        self.hour += 1;
        self.day += 1;
        *self.group_day.entry(group.to_owned()).or_insert(0) += 1;
        self.credits_day += config.credits_per_item.unwrap_or(0.0);
    }

    /// Items of a group in the last 24 hours that have not recovered.
    pub(crate) fn of_group(&self, group: &str) -> u32 {
        self.group_day.get(group).copied().unwrap_or(0)
    }
}

fn share_limit(processed: u64, config: &ReprocessConfig) -> u32 {
    if config.max_share <= 0.0 {
        return u32::MAX;
    }
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a count of a day's items; the cast saturates"
    )]
    let share = (processed as f64 * config.max_share) as u32;
    share.max(config.share_floor)
}
