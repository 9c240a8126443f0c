//! The time that a scan covers, and what of it cannot be read any more.

use jiff::{SignedDuration, Timestamp};

use crate::ledger::error::LedgerError;
use crate::ledger::time::{millis, timestamp};
use crate::ledger::{Connection, Ledger};
use crate::model::batch_api::{ApiState, ApiStates, BatchApi, Presence, twin_id};
use crate::model::text::count;
use crate::model::time::HOUR;
use crate::scan::source::BatchSource;
use crate::scan::store::project::{StartedScan, complete_before};
use crate::scan::store::unread::{self, VanishedBatch};
use crate::scan::summary::{ScanSummary, SetAside};
use crate::scan::unread::{display_id, lost_prefix};

/// A batch that LlamaCloud has not known for so long (milliseconds) is gone: a server failing says so of anything.
const SURELY_GONE: i64 = HOUR;

/// For so long (milliseconds) after that it is reported.
const REPORTED_FOR: i64 = 24 * HOUR;

/// The time of which a batch list is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ListWindow {
    /// Since when batches are looked at.
    pub(crate) since: Timestamp,
    /// Until when the list is known, in milliseconds; none if no scan was complete.
    pub(crate) known_until: Option<i64>,
}

impl ListWindow {
    /// `look_back` before the time until which the list is known, so that a scan after a pause, however long, reads what happened
    /// in it. Where no scan was complete, the pause began with the first one.
    fn new(known_until: Option<i64>, first_seen: i64, look_back: SignedDuration, now: Timestamp) -> ListWindow {
        let from = timestamp(known_until.unwrap_or(first_seen)).min(now);
        ListWindow { since: from.checked_sub(look_back).unwrap_or(Timestamp::MIN), known_until }
    }
}

/// The windows of the batch lists of both APIs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Windows {
    v2: ListWindow,
    v1_beta: ListWindow,
}

impl Windows {
    /// The window of one list.
    pub(crate) fn window(&self, api: BatchApi) -> &ListWindow {
        match api {
            BatchApi::V2 => &self.v2,
            BatchApi::V1Beta => &self.v1_beta,
        }
    }

    /// Works them out from what is known of the APIs.
    pub(crate) async fn new(
        ledger: &Ledger,
        begun: &StartedScan,
        apis: &ApiStates,
        look_back: SignedDuration,
        now: Timestamp,
    ) -> Result<Windows, LedgerError> {
        let (begun, apis) = (*begun, *apis);
        let read = move |connection: &Connection| {
            let of = |api| {
                let known_until = known_until(connection, &begun, apis.get(api))?;
                Ok::<_, LedgerError>(ListWindow::new(known_until, begun.baseline_until, look_back, now))
            };
            Ok(Windows { v2: of(BatchApi::V2)?, v1_beta: of(BatchApi::V1Beta)? })
        };
        ledger.read(read).await
    }
}

/// Until when an API's list is known: complete scans know nothing of a list that they did not read.
fn known_until(connection: &Connection, begun: &StartedScan, state: &ApiState) -> Result<Option<i64>, LedgerError> {
    let Some(scanned) = begun.known_until else { return Ok(None) };
    Ok(Some(match (state.presence, state.since, state.asked_at) {
        (Presence::Absent, Some(since), _) => {
            let before = complete_before(connection, begun.project_key, millis(since))?;
            before.unwrap_or(millis(since)).min(scanned)
        }
        (Presence::Present, _, Some(read_at)) if state.missed == 0 => millis(read_at).min(scanned),
        _ => scanned,
    }))
}

/// What a batch list that was read to its end showed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ShownTime {
    /// The API whose list it is.
    pub(crate) api: BatchApi,
    /// The time of which it was read.
    pub(crate) window: ListWindow,
    /// When the oldest batch that it showed was made; none if it showed none with a time.
    pub(crate) oldest: Option<Timestamp>,
}

/// Notes what cannot be read any more: batches that had not ended when they were last read and are gone, and the time for which
/// a batch list does not go back any more. Of an API that is not there, nothing is said: it may come back.
pub(crate) async fn find_lost_batches<S: BatchSource>(
    ledger: &Ledger,
    source: &S,
    begun: &StartedScan,
    shown: Vec<ShownTime>,
    counts: &mut ScanSummary,
) -> Result<(), LedgerError> {
    let (project_key, at) = (begun.project_key, begun.at);
    let gone_between = (at - SURELY_GONE - REPORTED_FOR, at - SURELY_GONE);
    let mut vanished = ledger.read(move |connection| unread::vanished(connection, project_key, gone_between)).await?;
    vanished.retain(|batch| source.serves(source.api_of(&batch.batch_id)));
    for of_one_scan in vanished.chunk_by(|one, other| one.gone_at == other.gone_at) {
        counts.lost.push(batches_lost(&counts.project, of_one_scan));
    }
    for shown in shown {
        find_lost_time(ledger, source, begun, shown, counts).await?;
    }
    Ok(())
}

async fn find_lost_time<S: BatchSource>(
    ledger: &Ledger,
    source: &S,
    begun: &StartedScan,
    shown: ShownTime,
    counts: &mut ScanSummary,
) -> Result<(), LedgerError> {
    let (project_key, at) = (begun.project_key, begun.at);
    let Some(known_until) = shown.window.known_until else { return Ok(()) };
    let goes_back_to = shown.oldest.map_or(at, millis).min(at);
    // One list that is empty by mistake between two scans is no proof.
    if goes_back_to - known_until < SURELY_GONE {
        return Ok(());
    }
    // Batches that the list showed before the pause tell whether it was cut off; one of them is asked for to be sure.
    let made = (millis(shown.window.since), known_until);
    let hidden = ledger.read(move |connection| unread::newest_hidden(connection, project_key, made, at)).await?;
    let Some(hidden) = hidden.iter().find(|id| source.api_of(id) == shown.api) else { return Ok(()) };
    if is_gone(source, hidden).await {
        counts.lost.push(time_lost(&counts.project, shown.api, known_until, goes_back_to));
    }
    Ok(())
}

/// Whether LlamaCloud knows the batch under no id that it may have.
async fn is_gone<S: BatchSource>(source: &S, batch_id: &str) -> bool {
    let is_spoken = |id: &String| {
        let api = BatchApi::of_batch(id);
        source.apis().contains(&api) && source.serves(api)
    };
    let twin = twin_id(batch_id).filter(is_spoken);
    for id in std::iter::once(batch_id).chain(twin.as_deref()) {
        if !matches!(source.batch(id).await, Ok(None)) {
            return false;
        }
    }
    true
}

/// Of batches that are gone since one scan.
fn batches_lost(project: &str, vanished: &[VanishedBatch]) -> SetAside {
    let some: Vec<String> = vanished.iter().take(3).map(|batch| display_id(&batch.batch_id)).collect();
    let more = vanished.len().saturating_sub(some.len());
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let batches = count(vanished.len() as u64, "batch", "batches");
    let gone_at = vanished.iter().map(|batch| batch.gone_at).min().unwrap_or_default();
    let known_until = vanished.iter().map(|batch| batch.last_seen).min().unwrap_or_default();
    let (from, until) = (day_and_minute(known_until), day_and_minute(gone_at));
    SetAside {
        fault: format!("{}{gone_at}", lost_prefix(project)),
        text: format!(
            "project {project}: {batches} had not ended when last read ({from}), and LlamaCloud no longer has them since {until}: \
             {}{more}. Failures in them after {from} can no longer be read.",
            some.join(", ")
        ),
    }
}

fn time_lost(project: &str, api: BatchApi, from: i64, until: i64) -> SetAside {
    let (from_text, until_text) = (day_and_minute(from), day_and_minute(until));
    SetAside {
        fault: format!("{}{api}:{from}", lost_prefix(project)),
        text: format!(
            "project {project}: batches created from {from_text} to {until_text} can no longer be read: no scan ran then, and \
             LlamaCloud's batch list (API {api}) reaches back to {until_text} only. Their failures are not in the ledger."
        ),
    }
}

fn day_and_minute(at: i64) -> String {
    timestamp(at).strftime("%Y-%m-%d %H:%M UTC").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::tests::seed::Seed;

    #[test]
    fn the_window_is_counted_from_the_last_complete_scan_or_else_from_the_first_one() {
        let now = Timestamp::from_second(1_790_000_000).unwrap();
        let day = SignedDuration::from_hours(24);
        let reaches = |known: Option<SignedDuration>, first: SignedDuration| {
            let window = ListWindow::new(known.map(|ago| millis(now - ago)), millis(now - first), day * 7, now);
            now.duration_since(window.since)
        };
        assert_eq!(reaches(None, SignedDuration::ZERO), day * 7);
        assert_eq!(reaches(None, day * 2), day * 9, "no scan of two days was complete");
        assert_eq!(reaches(Some(day * 30), day * 99), day * 37);
        assert_eq!(reaches(Some(-day), day), day * 7, "the clock was ahead then");
    }

    #[test]
    fn each_list_is_known_until_it_was_read() {
        let mut seed = Seed::new();
        for (at, complete) in [(1_000, 1), (2_000, 0), (3_000, 1), (9_000, 1)] {
            let sql = "INSERT INTO scan (project_key, started_at, complete) VALUES (1, ?1, ?2)";
            seed.write(|tx| tx.execute(sql, (at, complete)).unwrap());
        }
        let begun = StartedScan {
            scan_key: 1,
            project_key: 1,
            at: 10_000,
            baseline_until: 0,
            list_read_at: None,
            known_until: Some(9_000),
            continues: false,
        };
        let known = |presence, since: i64, asked: i64, missed| {
            let (since, asked_at) = (Some(timestamp(since)), Some(timestamp(asked)));
            let state = ApiState { presence, active: true, missed, status: None, since, asked_at };
            known_until(&seed.connection, &begun, &state).unwrap()
        };
        assert_eq!(known(Presence::Present, 1, 9_000, 0), Some(9_000));
        assert_eq!(known(Presence::Present, 1, 6_000, 0), Some(6_000), "it was not due in the last scan");
        assert_eq!(known(Presence::Present, 1, 9_500, 1), Some(9_000));
        assert_eq!(known(Presence::Absent, 3_000, 9_000, 0), Some(1_000), "scans without it were complete");
        assert_eq!(known(Presence::Absent, 500, 9_000, 0), Some(500), "it was never there");
        assert_eq!(known_until(&seed.connection, &begun, &ApiState::default()).unwrap(), Some(9_000));
    }
}
