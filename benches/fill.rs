//! Fills a ledger with 2,000,000 observations by SQL: 1,600,000 items in 500 groups, 2,000 batches, 30 days.

use std::path::Path;

use jiff::Timestamp;
use llama_triage::internals::ledger::open;
use rusqlite::{Connection, Transaction, params};

const OBSERVATIONS: i64 = 2_000_000;
const ITEMS: i64 = 1_600_000;
const GROUPS: i64 = 500;
const BATCHES: i64 = 2_000;
const DAYS: i64 = 30;
const DAY: i64 = 86_400_000;
const HOUR: i64 = 3_600_000;

/// Makes the ledger; `now` is its present.
pub(crate) fn fill(path: &Path, now: Timestamp) {
    std::fs::create_dir_all(path.parent().expect("a file in a folder")).expect("the folder can be made");
    let part = path.with_extension("part");
    drop(std::fs::remove_file(&part));
    let mut connection = open::writer(&part).expect("a new ledger");
    connection.pragma_update(None, "synchronous", "off").expect("a pragma");
    connection.pragma_update(None, "foreign_keys", false).expect("a pragma");
    connection.pragma_update(None, "cache_size", -400_000).expect("a pragma");
    let tx = connection.transaction().expect("a transaction");
    write(&tx, now.as_millisecond()).expect("rows go in");
    tx.commit().expect("a commit");
    finish(&connection);
    drop(connection);
    std::fs::rename(&part, path).expect("a new name");
}

fn finish(connection: &Connection) {
    connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").expect("a checkpoint");
}

/// A fixed sequence that looks random: two fills are the same.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: i64) -> i64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 1) as i64 % below
    }
}

fn write(tx: &Transaction<'_>, now: i64) -> rusqlite::Result<()> {
    let mut dice = Dice(0x9E37_79B9_7F4A_7C15);
    small_tables(tx, now)?;
    let mut observation = tx.prepare(
        "INSERT INTO observation (observation_key, item_key, batch_key, identity, kind, job_id, job_record_id, group_key,
             message_key, skip_reason, completed_at, content, event_at, first_seen, last_seen)
         VALUES (?1, ?2, ?3, ?1, ?4, ?5, ?6, ?7, ?8, ?9, ?10, 0, ?10, ?10, ?10)",
    )?;
    let mut item = tx.prepare(
        "INSERT INTO item (item_id, item_key, item_name, project_key, kind, state, group_key, observation_key,
             first_seen, last_seen, failures, recovered_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
    )?;
    let mut key = 0;
    for number in 0..ITEMS {
        let times = 1 + i64::from(number % (ITEMS / (OBSERVATIONS - ITEMS)) == 0);
        // Few groups have most of the items, as in life: the product of two rolls is small mostly.
        let group = dice.roll(GROUPS) * dice.roll(GROUPS) / GROUPS;
        let kind = if group % 10 == 9 { "skipped" } else { "failed" };
        let first = now - dice.roll(DAYS * DAY - HOUR) - HOUR;
        let mut last = first;
        for _ in 0..times {
            last += dice.roll((now - last).max(1));
            let batch = ((last - (now - DAYS * DAY)) * BATCHES / (DAYS * DAY)).clamp(0, BATCHES - 1);
            let (job, record) = (format!("pjb-{key:032x}"), format!("prc-{key:032x}"));
            let reason =
                (kind == "skipped").then_some(if group == 9 { "already_processed" } else { "size_limit_exceeded" });
            let message = (kind == "failed").then_some(group * 10 + dice.roll(10));
            observation.execute(params![key, number, batch, kind, job, record, group, message, reason, last])?;
            key += 1;
        }
        let state = match (group, dice.roll(100)) {
            (9, _) => "ignored",
            (_, 0..4) => "open",
            (_, 4) => "dismissed",
            (_, 5) if dice.roll(50) == 0 => "retrying",
            _ => "recovered",
        };
        // What recovers does so within a day.
        let recovered = (state == "recovered").then(|| last + dice.roll((now - last).clamp(1, DAY)));
        // Random-looking ids: the first half mixes the number, so that neighbours are far apart.
        let mixed = (number as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let id = format!("{:08x}-{:04x}-4000-8000-{number:012x}", mixed >> 32, mixed & 0xffff);
        item.execute(params![
            id,
            number,
            format!("document-{number}.pdf"),
            number % 3 + 1,
            kind,
            state,
            group,
            key - 1,
            first,
            last,
            times,
            recovered
        ])?;
    }
    counters(tx)
}

fn small_tables(tx: &Transaction<'_>, now: i64) -> rusqlite::Result<()> {
    for project in 1..=3 {
        tx.execute(
            "INSERT INTO project (project_key, name, project_id, first_seen) VALUES (?1, 'p' || ?1, 'id-' || ?1, ?2)",
            params![project, now - DAYS * DAY],
        )?;
        // A scan every five minutes for thirty days.
        tx.execute(
            "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 8640)
             INSERT INTO scan (project_key, started_at, finished_at, complete, batches_listed, items_listed)
             SELECT ?1, ?2 - n * 300000, ?2 - n * 300000 + 20000, 1, 2000, 100 FROM n",
            params![project, now],
        )?;
    }
    tx.execute_batch(&format!(
        "WITH RECURSIVE n(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n < {BATCHES} - 1)
         INSERT INTO batch (batch_key, project_key, batch_id, job_type, directory_id, status, total_items, processed_items,
             failed_items, skipped_items, created_at, completed_at, first_seen, last_seen, listed_at)
         SELECT n, n % 3 + 1, printf('bjb-%05d', n), iif(n % 2, 'parse', 'extract'), 'dir-' || (n % 20), 'completed', 5000, 5000,
             900, 100, at, at + 3600000, at, {now}, {now} FROM (SELECT n, {now} - {DAYS} * {DAY} + n * {DAYS} * {DAY} / {BATCHES} AS at FROM n);
         WITH RECURSIVE n(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n < {GROUPS} * 10 - 1)
         INSERT INTO message (message_key, hash, text)
         SELECT n, n, 'Worker ' || (n % 10) || ' gave up on the document with code ' || (n / 10) || ': the upstream service did not answer within the time that was set for it' FROM n;
         WITH RECURSIVE n(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n < {GROUPS} - 1)
         INSERT INTO error_group (group_key, group_id, kind, template, title, class, mining, grouping_version, first_seen, last_seen)
         SELECT n, printf('g-%08x', n), iif(n % 10 = 9, 'skipped', 'failed'), 'Worker <n> gave up with code ' || n, 'Worker gave up with code ' || n,
             iif(n % 3, 'transient', 'permanent-input'), zeroblob(2000), 1, 0, 0 FROM n;
         WITH RECURSIVE n(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n < 299)
         INSERT INTO digest (digest_id, created_at, scheduled, reasons, model) SELECT printf('D-%d', n), {now} - n * 8640000, 1, 'reminder', '{{}}' FROM n;"
    ))
}

/// What the counters of a ledger would say, and episodes and attempts that fit.
fn counters(tx: &Transaction<'_>) -> rusqlite::Result<()> {
    tx.execute_batch(&format!(
        "INSERT INTO group_hour SELECT group_key, event_at / {HOUR}, count(*) FROM observation GROUP BY 1, 2;
         INSERT INTO group_batch SELECT group_key, batch_key, count(*) FROM observation GROUP BY 1, 2;
         INSERT INTO item_count SELECT i.group_key, i.project_key, i.state, ifnull(o.skip_reason, ''), count(*)
             FROM item i JOIN observation o USING (observation_key) GROUP BY 1, 2, 3, 4;
         INSERT INTO item_hour SELECT last_seen / {HOUR}, group_key, project_key, state, count(*) FROM item GROUP BY 1, 2, 3, 4;
         INSERT INTO recovery_hour SELECT recovered_at / {HOUR}, group_key, project_key, count(*) FROM item WHERE recovered_at IS NOT NULL GROUP BY 1, 2, 3;
         UPDATE error_group AS g SET (open_items, total_items, first_seen, last_seen) =
             (SELECT coalesce(sum(state IN ('open', 'retrying')), 0), count(*), coalesce(min(first_seen), 0), coalesce(max(last_seen), 0) FROM item i WHERE i.group_key = g.group_key);
         INSERT INTO episode (group_key, ordinal, opened_at, noticed_at) SELECT group_key, 3, first_seen + {DAY}, first_seen FROM error_group;
         INSERT INTO episode (group_key, ordinal, opened_at, noticed_at, closed_at, closed_how)
             SELECT group_key, n, first_seen + n * {HOUR}, first_seen, first_seen + n * {HOUR} + (group_key + 1) * 97000, 'recovered'
             FROM error_group, (SELECT 1 AS n UNION SELECT 2);
         INSERT INTO announcement (group_key, digest_id, episode, state, reason, open_items, total_items, failures, announced_at)
             SELECT group_key, 'D-1', 3, iif(group_key % 7, 'ongoing', 'escalating'), 'reminder', 1, 1, 1, last_seen FROM error_group WHERE group_key % 11;
         INSERT INTO intent (intent_id, project_key, group_key, job_type, trigger, actor, state, job_config, parameters_hash, items_hash, item_count, created_at, posting_at)
             SELECT 'in-' || batch_key, project_key, 0, job_type, 'auto', 'auto:rule', 'finished', '{{}}', '', '', 10, created_at, created_at FROM batch;
         INSERT INTO attempt (attempt_id, intent_id, item_key, group_key, n, trigger, batch_id, outcome, credits, started_at, finished_at)
             SELECT 'at-' || item_key, 'in-' || (item_key % {BATCHES}), item_key, group_key, 1, 'auto', 'bjb-1',
                    CASE item_key % 10 WHEN 0 THEN 'failed_same' WHEN 1 THEN 'failed_differently' ELSE 'recovered' END, 3, last_seen, last_seen + 60000
             FROM item WHERE item_key % 80 = 0;"
    ))
}

/// Drops the file from the system's cache; `dd` needs no privileges for it.
pub(crate) fn forget(ledger: &Path) {
    let dropped = std::process::Command::new("dd")
        .arg(format!("if={}", ledger.display()))
        .args(["iflag=nocache", "count=0", "status=none"])
        .status();
    assert!(dropped.is_ok_and(|status| status.success()), "dd cannot drop the cache");
}
