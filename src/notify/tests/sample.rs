//! Digests for the tests: one as a busy morning makes it, one as hostile input makes it.

use crate::model::fault::Fault;
use crate::model::group_state::GroupState;
use crate::triage::digest::remark::Remark;
use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::model::item::Kind;
use crate::triage::digest::incident::{IncidentEntry, IncidentReason, IncidentState};
use crate::triage::digest::model::*;
use crate::triage::digest::test_digest::trial;

pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(crate) fn busy() -> Digest {
    Digest {
        digest_id: "D-20260823-03".into(),
        ledger_id: "3f9c2ab14d5e6f70".into(),
        nonce: "a1b2c3d4".into(),
        window: Window {
            from: at("2026-08-22T07:00:00Z"),
            to: at("2026-08-23T07:00:00Z"),
        },
        ledger_as_of: Some(at("2026-08-23T06:58:41Z")),
        next_digest_at: Some(at("2026-08-24T07:00:00Z")),
        scheduled: true,
        totals: Totals {
            open_items: 212,
            open_groups: 9,
            new_items: 143,
            recovered_items: 61,
            new: 1,
            regressed: 1,
            escalated: 1,
            resolved: 1,
            other: 0,
            faults: 1,
            ..Totals::default()
        },
        changes: changes(),
        still_open: vec![still_open("g-77aa01bc", "The file is protected by a password", 31)],
        faults: vec![Fault {
            fault: "scan:archive".into(),
            text: "project \"archive\" cannot be read: 401, the API key is refused. Put a new key into the credential llama-cloud-api-key-archive.".into(),
            since: at("2026-08-23T05:40:00Z"),
            ended: false,
            alert_scope: None,
        }],
        retries: Some(RetrySummary {
            attempts: 40,
            recovered: 37,
            failed_same: 2,
            running: 1,
            ..RetrySummary::default()
        }),
        silenced: Silenced {
            groups: 1,
            items: 12,
            next_expiry: Some(at("2026-08-23T16:00:00Z")),
        },
        budget: Some("412 of 500 retries left today".into()),
        remarks: vec![Remark::digest("Gap of 3 h in which the worker was not running.")],
        included: Vec::new(),
        left_out: LeftOut { groups: 4, items: 23 },
        ..trial("prod", "Europe/Berlin", at("2026-08-23T07:00:00Z"))
    }
}

fn changes() -> Vec<GroupEntry> {
    let escalated = GroupEntry {
        reason: Reason::Escalated,
        state: GroupState::Escalating,
        class: "account".into(),
        page: true,
        title: "Credit limit reached for this organization".into(),
        template: "Credit limit reached for organization <id>".into(),
        why: Some("47 in the last hour, normally up to 4/h; alert at 20/h".into()),
        cause: Some("INSUFFICIENT_CREDITS in all 3 job records looked at".into()),
        note: Some("Billing raises the limit on request: ask #finance-ops.".into()),
        runbook: Some("https://wiki.example.com/runbooks/llamacloud-credits".into()),
        open_items: 96,
        new_items: 83,
        total_items: 110,
        batches: 4,
        job_types: vec!["parse".into(), "extract".into()],
        hourly: vec![0, 0, 0, 0, 0, 1, 0, 0, 2, 1, 0, 4, 0, 0, 1, 0, 3, 2, 0, 0, 5, 11, 33, 47],
        samples: vec![
            sample(
                "invoice-2026-08-1207.pdf",
                "Credit limit reached for organization 5f0c1d2e-9a1b-4c7d-8e3f-000000000001. Upgrade your plan or wait until the next billing period.",
                1,
            ),
            sample(
                "invoice-2026-08-1208.pdf",
                "Credit limit reached for organization 5f0c1d2e-9a1b-4c7d-8e3f-000000000001. Upgrade your plan or wait until the next billing period.",
                2,
            ),
        ],
        ..group("g-1f4e9c20")
    };
    let new = GroupEntry {
        title: "Timeout while waiting for OCR".into(),
        template: "Timeout after <n> s while waiting for OCR of page <n>".into(),
        open_items: 38,
        new_items: 38,
        total_items: 38,
        batches: 1,
        hourly: [vec![0; 20], vec![2, 9, 14, 13]].concat(),
        samples: vec![sample("scan_köln_0042.tiff", "Timeout after 300 s while waiting for OCR of page 17", 3)],
        ..group("g-8d03b6aa")
    };
    let regressed = GroupEntry {
        reason: Reason::Regressed,
        state: GroupState::Regressed,
        class: "permanent-input".into(),
        title: "Unsupported file type".into(),
        template: "Unsupported file type".into(),
        why: Some("ended 2026-08-20 14:10 CEST when 9 retried items recovered; 22 items failed again since".into()),
        open_items: 22,
        new_items: 22,
        total_items: 57,
        batches: 2,
        episode: 2,
        hourly: [vec![1; 22], vec![0, 0]].concat(),
        samples: vec![sample("board-minutes.pages", "Unsupported file type: .pages", 4)],
        ..group("g-c2b7710f")
    };
    let resolved = GroupEntry {
        reason: Reason::Resolved,
        state: GroupState::Resolved,
        title: "502 Bad Gateway from the storage service".into(),
        template: "502 Bad Gateway from the storage service".into(),
        why: Some("all 61 items recovered, 37 of them by retries".into()),
        open_items: 0,
        new_items: 0,
        total_items: 61,
        batches: 3,
        hourly: Vec::new(),
        samples: Vec::new(),
        ..group("g-0b9d51e3")
    };
    vec![escalated, new, regressed, resolved]
}

fn group(id: &str) -> GroupEntry {
    GroupEntry {
        group_id: id.into(),
        projects: vec!["prod".into()],
        first_seen: at("2026-08-22T03:12:00Z"),
        last_seen: at("2026-08-23T06:57:00Z"),
        ..trial("", "UTC", at("2026-08-23T07:00:00Z")).changes.remove(0)
    }
}

pub(crate) fn still_open(id: &str, title: &str, open: u64) -> GroupEntry {
    GroupEntry {
        reason: Reason::Reminder,
        state: GroupState::Ongoing,
        class: "permanent-input".into(),
        title: title.into(),
        template: title.into(),
        open_items: open,
        new_items: 0,
        total_items: open,
        samples: Vec::new(),
        ..group(id)
    }
}

fn sample(name: &str, message: &str, n: u32) -> Sample {
    let id = |kind: u32| format!("{kind:08x}-5b1d-4f6a-9c3e-{n:012x}");
    let link = |path: String| format!("https://api.cloud.llamaindex.ai/api/v1/{path}");
    Sample {
        item_id: id(0xa1),
        item_name: name.into(),
        project: "prod".into(),
        batch_id: id(0xb2),
        job_id: Some(id(0xc3)),
        job_record_id: Some(id(0xd4)),
        error_message: Some(message.into()),
        skip_reason: None,
        seen_at: at("2026-08-23T06:57:00Z"),
        links: BTreeMap::from([
            ("batch".to_owned(), link(format!("beta/batch-processing/{}", id(0xb2)))),
            ("job".to_owned(), link(format!("parsing/job/{}/details", id(0xc3)))),
        ]),
    }
}

/// Everything from outside tries to break out, and there is a lot of it.
pub(crate) fn hostile(groups: usize, text: &str) -> Digest {
    let mut entry = group("g-<b>\r\nX: y");
    let mut evil = sample(text, text, 9);
    evil.item_id = text.into();
    evil.batch_id = text.into();
    evil.skip_reason = Some(text.into());
    evil.links.insert("evil".into(), "javascript:alert(1)".into());
    evil.links.insert(text.into(), format!("https://evil.example/{text}"));
    entry.title = text.into();
    entry.template = format!("{text}{text}");
    entry.class = text.into();
    (entry.why, entry.cause) = (Some(text.into()), Some(text.into()));
    (entry.note, entry.runbook) = (Some(text.into()), Some("javascript:alert(2)".into()));
    entry.acked = Some(text.into());
    entry.open_items = 3;
    entry.hourly = vec![u32::MAX; 24];
    entry.page = true;
    entry.samples = vec![evil; 5];
    entry.projects = vec![text.into(); 9];
    let fault =
        Fault { fault: text.into(), text: text.into(), since: entry.last_seen, ended: false, alert_scope: None };
    let incident = IncidentEntry {
        incident_id: text.into(),
        reason: IncidentReason::Known,
        state: IncidentState::Open,
        page: true,
        started_at: entry.last_seen,
        ended_at: None,
        projects: vec![text.into(); 9],
        groups: vec![text.into(); 9],
        items: u64::MAX,
        ended_items: 1,
        share: 1.0,
        open_items: u64::MAX,
        classes: BTreeMap::from([(text.to_owned(), u64::MAX)]),
        why: text.into(),
        acked: false,
        assigned: Some(text.into()),
        alert_scope: Some(text.into()),
    };
    let made = trial(text, "UTC", entry.last_seen + SignedDuration::from_mins(1));
    Digest {
        // No trial: those are shown in their own way.
        digest_id: "D-20260823-04".into(),
        totals: Totals { open_items: u64::MAX, new: groups as u64, ..Totals::default() },
        incidents: vec![incident; groups.min(3)],
        changes: vec![entry.clone(); groups],
        still_open: vec![entry; groups],
        faults: vec![fault; groups.min(40)],
        remarks: vec![Remark::digest(text); groups.min(40)],
        budget: Some(text.into()),
        ..made
    }
}

#[test]
fn the_busy_digest_has_both_kinds_of_numbers() {
    let digest = busy();
    assert_eq!(digest.changes.len(), 4);
    assert!(digest.changes.iter().all(|e| e.kind == Kind::Failed));
}
