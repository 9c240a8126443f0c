//! A made-up digest for `notify test`: it exercises every part of a channel and says that it is only a test.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::model::group_state::GroupState;
use crate::model::item::Kind;
use crate::triage::digest::model::{
    Digest, GroupEntry, LeftOut, Reason, SCHEMA_VERSION, Sample, Silenced, Totals, Window,
};
use crate::triage::digest::remark::Remark;

/// How the id of every made-up digest begins.
const TRIAL: &str = "D-TEST-";

/// Whether a digest is made up to try a channel.
pub(crate) fn is_trial(digest: &Digest) -> bool {
    digest.digest_id.starts_with(TRIAL)
}

/// The digest of a test message. Its id is `D-TEST-` and the time, so that two tests are two messages.
pub(crate) fn trial(instance: &str, zone: &str, now: Timestamp) -> Digest {
    Digest {
        schema_version: SCHEMA_VERSION,
        digest_id: format!("{TRIAL}{}", now.as_second()),
        ledger_id: String::new(),
        nonce: String::new(),
        public_url: None,
        instance: instance.to_owned(),
        created_at: now,
        zone: zone.to_owned(),
        window: Window { from: now - SignedDuration::from_mins(5), to: now },
        ledger_as_of: Some(now),
        next_digest_at: None,
        scheduled: false,
        baseline: false,
        totals: Totals { open_items: 1, open_groups: 1, new_items: 1, new: 1, ..Totals::default() },
        incidents: Vec::new(),
        changes: vec![entry(now)],
        still_open: Vec::new(),
        taken: Vec::new(),
        faults: Vec::new(),
        retries: None,
        silenced: Silenced::default(),
        budget: None,
        remarks: vec![Remark::digest("This is a test message: nothing has failed, and nothing needs to be done.")],
        included: Vec::new(),
        left_out: LeftOut::default(),
    }
}

fn entry(now: Timestamp) -> GroupEntry {
    GroupEntry {
        group_id: "g-test".to_owned(),
        kind: Kind::Failed,
        episode: 1,
        reason: Reason::New,
        state: GroupState::New,
        class: "transient".to_owned(),
        page: false,
        title: "Test of this channel".to_owned(),
        template: "Test of this channel".to_owned(),
        why: None,
        cause: None,
        note: None,
        runbook: None,
        acked: None,
        assigned: None,
        ticket: None,
        incident_id: None,
        alert_scope: None,
        open_items: 1,
        new_items: 1,
        total_items: 1,
        batches: 1,
        job_types: vec!["parse".to_owned()],
        projects: vec!["test".to_owned()],
        first_seen: now,
        last_seen: now,
        hourly: (0..24).map(|hour| u32::from(hour == 23)).collect(),
        retried: 0,
        recovered: 0,
        samples: vec![Sample {
            item_id: "item-test".to_owned(),
            item_name: "no such file.pdf".to_owned(),
            project: "test".to_owned(),
            batch_id: "batch-test".to_owned(),
            job_id: None,
            job_record_id: None,
            error_message: Some("Test of this channel".to_owned()),
            skip_reason: None,
            seen_at: now,
            links: BTreeMap::new(),
        }],
    }
}
