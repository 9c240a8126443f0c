//! What a simulated account shows: how first retries went, and what holds the rest back.

use std::collections::BTreeMap;

use llama_triage::internals::reprocess::{Circumstances, Record, Selection, Spent, Weather, exclusion, weather};

use super::super::facts::at;
use super::{Driver, retried_class};

impl Driver<'_> {
    /// What holds back the documents that could have been recovered, by group and reason.
    pub(super) fn left(&self, minute: i64) -> BTreeMap<String, usize> {
        let mut left = BTreeMap::new();
        let weather = self.weather(minute);
        for (index, item) in self.items[..self.seen].iter().enumerate().filter(|(at, _)| self.world.is_lost(*at)) {
            let Some(group) = self.groups.iter().find(|group| group.group_id == item.group_id) else { continue };
            let (now, limits) = (at(minute), &self.limits);
            let ctx = Circumstances {
                now,
                selection: Selection::Auto,
                group: &group.state,
                gate: self.gate,
                weather,
                limits,
            };
            let word = match exclusion(item, &ctx) {
                None if group.state.room_for(item.attempts) == 0 => "later tries fail".to_owned(),
                None => "could go".to_owned(),
                Some(exclusion) => serde_json::to_value(&exclusion)
                    .ok()
                    .and_then(|value| Some(value.get("reason")?.as_str()?.to_owned()))
                    .unwrap_or_default(),
            };
            let message = self.world.account.groups[self.world.documents[index].group].message;
            *left
                .entry(format!("{} tried {}: {word}", message.chars().take(22).collect::<String>(), item.attempts))
                .or_insert(0) += 1;
        }
        left
    }

    /// What first retries of a group came to before its present step, as the ledger counts them.
    pub(super) fn record(&self, group_id: &str) -> Record {
        let Some(group) = self.groups.iter().find(|group| group.group_id == group_id) else { return Record::default() };
        let known = self.first_retries.get(group_id).into_iter().flatten().rev();
        let newest = known.skip(Record::leaves_out(&group.state.ramp) as usize).take(Record::NEWEST as usize);
        newest.fold(Record::default(), |record, recovered| Record {
            recovered: record.recovered + u32::from(*recovered),
            failed: record.failed + u32::from(!*recovered),
        })
    }

    pub(super) fn weather(&self, minute: i64) -> Weather {
        let failed = self.items[..self.seen]
            .iter()
            .rev()
            .take_while(|item| item.failed_at > at(minute - 30) || item.attempts > 0)
            .filter(|item| item.failed_at > at(minute - 30) && retried_class(item.class))
            .count() as u64;
        let traffic =
            if self.world.in_outage(minute) { self.world.account.traffic / 10 } else { self.world.account.traffic };
        let new_groups = self.turned.iter().filter(|(time, _)| *time > at(minute - 30) && *time <= at(minute)).count();
        weather(traffic + failed, failed, new_groups)
    }

    pub(super) fn spent(&self, minute: i64) -> Spent {
        let mut spent = Spent { processed_day: self.world.account.traffic * 48, ..Spent::default() };
        for debit in
            self.debits.iter().rev().take_while(|debit| debit.at > minute - 24 * 60).filter(|debit| !debit.released)
        {
            spent.day += 1;
            spent.recovered_day += u32::from(debit.recovered);
            spent.credits_day += debit.credits;
            *spent.group_day.entry(debit.group.clone()).or_insert(0) += 1;
            spent.hour += u32::from(debit.at > minute - 60);
        }
        spent
    }
}
