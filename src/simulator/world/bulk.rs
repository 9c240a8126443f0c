//! Accounts of millions of items for benchmarks: nothing is stored, every page is computed from the seed when it is asked for.
//! They answer the v1 listings; single jobs and reprocessing are left to worlds with real items.

use std::fmt::Write as _;

use jiff::{SignedDuration, Timestamp};

use crate::simulator::world::model::SimulatedItemStatus;
use crate::simulator::world::random::{Random, hash, mix, uuid};

/// Wordings of generated failures; the placeholders make most texts distinct.
const FAILURES: [(&str, &str); 12] = [
    ("gave up after ", " s while rendering page 12 (worker "),
    ("upstream answered 503 on request ", ", trace "),
    ("layout model returned no blocks for page ", ", run "),
    ("cannot open document: xref table damaged at byte ", ", checksum "),
    ("too many requests, next slot in ", " ms, ticket "),
    ("font subset ", " is not embedded, object "),
    ("stream closed by peer after ", " bytes, connection "),
    ("office converter exited with status 81 after ", " ms, sandbox "),
    ("quota ledger unavailable, shard ", ", request "),
    ("table on page ", " has no header row, region "),
    ("image decoder: bad marker at offset ", ", blob "),
    ("schema check refused field ", ", document "),
];

const SKIP_REASONS: [&str; 4] = ["already_processed", "size_limit_exceeded", "already_processed", "unsupported_locale"];

/// The shape of a generated account.
#[derive(Debug, Clone, Copy)]
pub struct Bulk {
    /// Number of batches, all terminal.
    pub batches: usize,
    /// Failed items in each.
    pub failed: usize,
    /// Skipped items in each.
    pub skipped: usize,
    /// Completed items in each.
    pub completed: usize,
    /// Decides every id and text.
    pub seed: u64,
    /// When the newest batch was made. One that lies ahead is not listed before.
    pub newest: Timestamp,
    /// How much earlier each older one was made.
    pub apart: SignedDuration,
}

impl Bulk {
    /// The bare uuid of the batch at this position, newest first.
    pub fn batch_id(&self, batch: usize) -> String {
        let high = mix(self.seed ^ ((batch as u64) << 20) ^ 0xb0);
        // The position is kept in the last digits, so that a request finds its batch without a table.
        uuid(high, (high << 32) | batch as u64)
    }

    /// The position of a batch given bare or after `bjb-`.
    pub fn find_batch(&self, id: &str) -> Option<usize> {
        let bare = id.strip_prefix("bjb-").unwrap_or(id);
        let last = bare.get(bare.len().checked_sub(8)?..)?;
        let batch = usize::from_str_radix(last, 16).ok()?;
        (batch < self.batches && self.batch_id(batch) == bare).then_some(batch)
    }

    /// All items of one batch.
    pub fn items_per_batch(&self) -> usize {
        self.failed + self.skipped + self.completed
    }

    /// How many items of one batch have this status; all of them without one.
    pub fn count(&self, status: Option<SimulatedItemStatus>) -> usize {
        match status {
            None => self.items_per_batch(),
            Some(SimulatedItemStatus::Failed) => self.failed,
            Some(SimulatedItemStatus::Skipped) => self.skipped,
            Some(SimulatedItemStatus::Completed) => self.completed,
            Some(_) => 0,
        }
    }

    /// When a batch was made.
    pub fn created_at(&self, batch: usize) -> Timestamp {
        self.newest - self.apart * (batch as i32 + 1)
    }

    /// The id of an item: `number` counts failed, then skipped, then completed items of the batch.
    pub fn item_id(&self, batch: usize, number: usize) -> String {
        let (high, low) = self.bits(batch, number);
        format!("dfl-{}", uuid(high, low))
    }

    /// The failed or skipped item's message; `None` for other items.
    pub fn message(&self, batch: usize, number: usize) -> Option<String> {
        let mut text = String::new();
        (number < self.failed).then(|| {
            self.write_message(batch, number, &mut text);
            text
        })
    }

    /// Appends one page of items as a JSON array to `out` and returns how many there were.
    pub fn write_page(
        &self,
        batch: usize,
        status: Option<SimulatedItemStatus>,
        offset: usize,
        limit: usize,
        out: &mut String,
    ) -> usize {
        let first = match status {
            Some(SimulatedItemStatus::Skipped) => self.failed,
            Some(SimulatedItemStatus::Completed) => self.failed + self.skipped,
            _ => 0,
        };
        let count = self.count(status).saturating_sub(offset).min(limit);
        out.reserve(count * 460 + 2);
        out.push('[');
        for number in first + offset..first + offset + count {
            if number > first + offset {
                out.push(',');
            }
            self.write_item(batch, number, out);
        }
        out.push(']');
        count
    }

    fn write_item(&self, batch: usize, number: usize, out: &mut String) {
        let (high, low) = self.bits(batch, number);
        let (job_high, job_low) = (mix(high), mix(low));
        let ended = self.created_at(batch) + SignedDuration::from_millis(7 * number as i64);
        out.push_str(r#"{"item_id":"dfl-"#);
        out.push_str(&uuid(high, low));
        // Writing to a String cannot fail, so the results of write! are of no interest here.
        let _ = write!(out, r#"","item_name":"scan-{batch:05}-{number:06}.pdf","status":"#);
        if number < self.failed {
            out.push_str(r#""failed","error_message":""#);
            self.write_message(batch, number, out);
            out.push_str(r#"","skip_reason":null,"job_id":""#);
            out.push_str(&uuid(job_high, job_low));
            out.push('"');
        } else if number < self.failed + self.skipped {
            let reason = SKIP_REASONS[(high % SKIP_REASONS.len() as u64) as usize];
            let _ = write!(out, r#""skipped","error_message":null,"skip_reason":"{reason}","job_id":null"#);
        } else {
            out.push_str(r#""completed","error_message":null,"skip_reason":null,"job_id":""#);
            out.push_str(&uuid(job_high, job_low));
            out.push('"');
        }
        let _ = write!(
            out,
            r#","job_record_id":"{}","started_at":"{ended}","completed_at":"{ended}","effective_at":"{ended}"}}"#,
            uuid(job_low, job_high)
        );
    }

    fn write_message(&self, batch: usize, number: usize, out: &mut String) {
        let mut random = Random::new(self.bits(batch, number).1);
        let (head, tail) = FAILURES[(random.draw() % FAILURES.len() as u64) as usize];
        let _ = write!(out, "{head}{}{tail}{:016x}", random.draw() % 1_000_000, random.draw());
    }

    fn bits(&self, batch: usize, number: usize) -> (u64, u64) {
        let place = ((batch as u64) << 32) | number as u64;
        let high = mix(hash("item") ^ mix(self.seed) ^ place);
        (high, mix(high ^ place))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use crate::simulator::world::builder::large;

    #[test]
    fn pages_join_to_the_whole_list_without_repeats() {
        let world = large(3, 25, 5, 9);
        let bulk = world.bulk().unwrap();
        let mut ids = HashSet::new();
        for offset in [0, 10, 20, 30] {
            let mut page = String::new();
            let count = bulk.write_page(1, None, offset, 10, &mut page);
            let items: Vec<serde_json::Value> = serde_json::from_str(&page).unwrap();
            assert_eq!(items.len(), count);
            ids.extend(items.iter().map(|item| item["item_id"].as_str().unwrap().to_owned()));
        }
        assert_eq!(ids.len(), 30);
        assert!(ids.contains(&bulk.item_id(1, 29)));
    }

    #[test]
    fn a_batch_is_found_by_its_id() {
        let world = large(300, 1, 0, 4);
        let bulk = world.bulk().unwrap();
        for batch in [0, 1, 255, 299] {
            assert_eq!(bulk.find_batch(&format!("bjb-{}", bulk.batch_id(batch))), Some(batch));
        }
        assert_eq!(bulk.find_batch("bjb-unknown"), None);
        assert_eq!(bulk.find_batch("é"), None);
    }
}
