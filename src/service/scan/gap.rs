//! The time that a scan covers, and what of it cannot be read any more.

use jiff::{SignedDuration, Timestamp};

use super::Source;
use super::project::Counts;
use super::set_aside::{SetAside, lost_prefix, shown_id};
use crate::core::text::count;
use crate::ledger::project::Begun;
use crate::ledger::time::{HOUR, millis, timestamp};
use crate::ledger::unread::{self, Vanished};
use crate::ledger::{Ledger, LedgerError};

/// A batch that LlamaCloud has not known for so long (milliseconds) is gone: a server in trouble says so of anything.
const SURELY_GONE: i64 = HOUR;

/// For so long (milliseconds) after that it is told.
const TOLD_FOR: i64 = 24 * HOUR;

/// Since when batches are looked at: `look_back` before the last complete scan, so that a scan after a pause, however long, reads
/// what happened in it.
pub(super) fn since(begun: &Begun, look_back: SignedDuration, now: Timestamp) -> Timestamp {
    let from = begun.known_until.map_or(now, |known| timestamp(known).min(now));
    from.checked_sub(look_back).unwrap_or(Timestamp::MIN)
}

/// What the batch list showed of that time.
#[derive(Clone, Copy, Debug)]
pub(super) struct ShownTime {
    /// The look-back window's start.
    pub(super) since: Timestamp,
    /// When the oldest batch that it showed was made; none if it showed none with a time.
    pub(super) oldest: Option<Timestamp>,
    /// It was read to its end.
    pub(super) whole: bool,
}

/// Notes what cannot be read any more: batches that had not ended when they were last read and are gone, and the time for which
/// the batch list does not go back any more.
///
/// # Errors
/// Only the ledger's.
pub(super) async fn find_lost<S: Source>(
    ledger: &Ledger,
    source: &S,
    begun: &Begun,
    shown: ShownTime,
    counts: &mut Counts,
) -> Result<(), LedgerError> {
    let (project_key, at) = (begun.project_key, begun.at);
    let gone_between = (at - SURELY_GONE - TOLD_FOR, at - SURELY_GONE);
    let vanished = ledger.read(move |connection| unread::vanished(connection, project_key, gone_between)).await?;
    for vanished in vanished {
        let lost = batches_lost(&counts.project, &vanished);
        counts.lost.push(lost);
    }
    let Some(known_until) = begun.known_until.filter(|_| shown.whole) else { return Ok(()) };
    let goes_back_to = shown.oldest.map_or(at, millis).min(at);
    // One list that is empty by mistake between two scans is no proof.
    if goes_back_to - known_until < SURELY_GONE {
        return Ok(());
    }
    // Batches that the list showed before the pause tell whether it was cut off; one of them is asked for to be sure.
    let made = (millis(shown.since), known_until);
    let hidden = ledger.read(move |connection| unread::newest_hidden(connection, project_key, made, at)).await?;
    let Some(hidden) = hidden else { return Ok(()) };
    if matches!(source.batch(&hidden).await, Ok(None)) {
        counts.lost.push(time_lost(&counts.project, known_until, goes_back_to));
    }
    Ok(())
}

fn batches_lost(project: &str, vanished: &Vanished) -> SetAside {
    let some: Vec<String> = vanished.batch_ids.iter().take(3).map(|id| shown_id(id)).collect();
    let more = vanished.batch_ids.len().saturating_sub(some.len());
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let batches = count(vanished.batch_ids.len() as u64, "batch", "batches");
    let (from, until) = (day_and_minute(vanished.known_until), day_and_minute(vanished.gone_at));
    SetAside {
        fault: format!("{}{}", lost_prefix(project), vanished.gone_at),
        text: format!(
            "project {project}: {batches} had not ended when last read ({from}), and LlamaCloud has not known them since {until}: \
             {}{more}. What failed in them after {from} cannot be read any more.",
            some.join(", ")
        ),
    }
}

fn time_lost(project: &str, from: i64, until: i64) -> SetAside {
    let (from_text, until_text) = (day_and_minute(from), day_and_minute(until));
    SetAside {
        fault: format!("{}{from}", lost_prefix(project)),
        text: format!(
            "project {project}: batches made from {from_text} to {until_text} cannot be read any more: nothing was scanned then, and \
             LlamaCloud's batch list goes back to {until_text} only. Failures of that time are not in the ledger."
        ),
    }
}

fn day_and_minute(at: i64) -> String {
    timestamp(at).strftime("%Y-%m-%d %H:%M UTC").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_is_counted_from_the_last_complete_scan() {
        let now = Timestamp::from_second(1_790_000_000).unwrap();
        let day = SignedDuration::from_hours(24);
        let known = |ago: Option<SignedDuration>| {
            let known_until = ago.map(|ago| millis(now - ago));
            let begun = Begun {
                scan_key: 1,
                project_key: 1,
                at: millis(now),
                baseline_until: 0,
                list_read_at: None,
                known_until,
                continues: false,
            };
            now.duration_since(since(&begun, day * 7, now))
        };
        assert_eq!(known(None), day * 7);
        assert_eq!(known(Some(day * 30)), day * 37);
        assert_eq!(known(Some(-day)), day * 7, "the clock was ahead then");
    }
}
