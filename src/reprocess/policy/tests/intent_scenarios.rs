//! Tables over the life of one intent: what answers mean, how it is found again, what became of its items.

use std::collections::BTreeSet;

use jiff::SignedDuration;

use crate::model::class::Class;
use crate::reprocess::policy::intents::intent::{Intent, IntentEvent, IntentState};
use crate::reprocess::policy::intents::outcome::{After, AfterStatus, Outcome, outcome};
use crate::reprocess::policy::intents::post::{AfterRefusal, PostAnswer, PostMeaning, Refusal, after_refusal};
use crate::reprocess::policy::intents::reconcile::{Candidate, Listing, Verdict, reconcile};
use crate::reprocess::policy::limits::Limits;
use crate::reprocess::policy::tests::scenarios::hours;

#[test]
fn answers_mean_what_the_protocol_says() {
    let meaning = |status| PostAnswer::Status { status, retry_after: None }.meaning();
    for status in [401, 402, 403] {
        assert_eq!(meaning(status), PostMeaning::Rejected(Refusal::Account));
    }
    for status in [400, 404, 413, 422] {
        assert_eq!(meaning(status), PostMeaning::Rejected(Refusal::Request));
    }
    for status in [200, 201, 302, 408, 409, 410, 500, 502, 503, 504] {
        assert_eq!(meaning(status), PostMeaning::Unknown);
    }
    assert_eq!(meaning(429), PostMeaning::Rejected(Refusal::Throttled { retry_after: None }));
    assert_eq!(PostAnswer::NotConnected.meaning(), PostMeaning::NotSent);
    assert_eq!(PostAnswer::Lost.meaning(), PostMeaning::Unknown);
}

#[test]
fn an_intent_is_posted_at_most_once() {
    let posting = Intent::default().after(IntentEvent::Post { at: hours(1) }).unwrap().0;
    assert!(posting.clone().after(IntentEvent::Post { at: hours(2) }).is_err());
    let unknown = posting.after(IntentEvent::Restarted).unwrap().0;
    assert_eq!(unknown.state, IntentState::Unknown);
    assert!(unknown.clone().after(IntentEvent::Post { at: hours(2) }).is_err());
    assert!(!unknown.state.releases(), "nobody else may post its items");
    let adopted = unknown.after(IntentEvent::Reconciled(Verdict::Adopt { batch_id: "b".into() })).unwrap().0;
    assert_eq!(adopted.state.batch_ids(), ["b"]);
}

#[test]
fn one_bad_id_is_found_by_halving() {
    let bad = "i-37";
    let all: Vec<String> = (0..100).map(|n| format!("i-{n:02}")).collect();
    let (mut queue, mut refused, mut accepted) = (vec![all], 0, 0);
    while let Some(ids) = queue.pop() {
        if !ids.iter().any(|id| id == bad) {
            accepted += ids.len();
            continue;
        }
        match after_refusal(Refusal::Request, &ids, refused) {
            AfterRefusal::Split(left, right) => queue.extend([left, right]),
            AfterRefusal::SuspectItem => assert_eq!(ids, [bad]),
            other => panic!("{other:?}"),
        }
        refused += 1;
    }
    assert_eq!(accepted, 99);
    assert!(refused <= 8, "{refused} refusals, one per halving");
    assert_eq!(after_refusal(Refusal::Request, &["one".into()], 0), AfterRefusal::SuspectItem);
}

#[test]
fn reconciliation_is_sure_before_it_lets_go() {
    let ids: BTreeSet<String> = ["a".to_owned(), "b".to_owned()].into();
    let batch = |id: &str, items: Option<&BTreeSet<String>>| Candidate {
        batch_id: id.to_owned(),
        created_at: Some(hours(10)),
        job_type: "parse".to_owned(),
        total_items: 2,
        ended: false,
        item_ids: items.cloned(),
    };
    let minute = |n| hours(10) + SignedDuration::from_mins(n);
    let listing = |n, complete, candidates| Listing { at: minute(n), complete, candidates };
    let judge = |now, listings: &[Listing]| reconcile("parse", &ids, hours(10), minute(now), listings);
    let others: BTreeSet<String> = ["a".to_owned(), "c".to_owned()].into();
    assert!(matches!(judge(1, &[]), Verdict::StillUnknown { .. }));
    assert_eq!(judge(1, &[listing(1, false, vec![batch("x", Some(&ids))])]), Verdict::Adopt { batch_id: "x".into() });
    assert_eq!(
        judge(1, &[listing(1, true, vec![batch("x", Some(&ids)), batch("y", Some(&ids)), batch("z", Some(&others))])]),
        Verdict::Duplicates { batch_ids: vec!["x".into(), "y".into()] }
    );
    let empty = |n| listing(n, true, vec![]);
    assert!(matches!(judge(29, &[empty(2), empty(28)]), Verdict::StillUnknown { .. }), "too early");
    assert!(matches!(judge(40, &[empty(39)]), Verdict::StillUnknown { .. }), "one listing");
    assert!(matches!(judge(40, &[empty(2), listing(39, false, vec![])]), Verdict::StillUnknown { .. }), "incomplete");
    assert!(
        matches!(judge(40, &[empty(2), listing(39, true, vec![batch("x", None)])]), Verdict::StillUnknown { .. }),
        "unread batch"
    );
    assert_eq!(judge(40, &[empty(2), empty(39)]), Verdict::NotSubmitted);
    assert_eq!(judge(40, &[empty(8), listing(39, true, vec![batch("z", Some(&others))])]), Verdict::NotSubmitted);
    let set_forward = judge(40, &[empty(38), empty(39)]);
    assert!(matches!(set_forward, Verdict::StillUnknown { .. }), "no half hour has passed while anybody looked");
}

#[test]
fn a_batch_that_is_not_filled_yet_is_no_proof_that_there_is_none() {
    let set = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<BTreeSet<_>>();
    let ours = set(&["a", "b", "c"]);
    let minute = |n| hours(10) + SignedDuration::from_mins(n);
    let judge = |kind: &str, total_items, ended, ids: &[&str]| {
        let one = Candidate {
            batch_id: "x".to_owned(),
            // The server's clock is two hours behind.
            created_at: Some(hours(8)),
            job_type: kind.to_owned(),
            total_items,
            ended,
            item_ids: Some(set(ids)),
        };
        let listings = [8, 39].map(|n| Listing { at: minute(n), complete: true, candidates: vec![one.clone()] });
        reconcile("parse", &ours, hours(10), minute(40), &listings)
    };
    let unknown = |verdict| matches!(verdict, Verdict::StillUnknown { .. });
    assert!(unknown(judge("parse", 0, false, &[])), "empty and pending");
    assert!(unknown(judge("parse", 3, true, &[])), "ended, and its items are not shown");
    assert!(unknown(judge("parse", 2, false, &["a", "b"])), "still growing");
    assert!(unknown(judge("parse", 1, true, &["a"])), "perhaps somebody's own");
    let adopted = Verdict::Adopt { batch_id: "x".into() };
    assert_eq!(judge("parse", 2, true, &["a", "b"]), adopted, "one id was dropped");
    assert_eq!(judge("", 3, false, &["a", "b", "c"]), adopted, "no job type");
    assert_eq!(judge("parse", 0, true, &["a", "b", "c"]), adopted, "no total");
    for (kind, total, ended, ids) in
        [("parse", 0, true, &[][..]), ("extract", 3, false, &["a", "b", "c"]), ("parse", 9, false, &["a"])]
    {
        assert_eq!(judge(kind, total, ended, ids), Verdict::NotSubmitted, "{kind} {total}");
    }
}

#[test]
fn outcomes_are_what_became_of_the_item() {
    let limits = Limits::default();
    let became = |status, group_id, class, after_hours| {
        outcome("g-1", &After { status, group_id, class }, hours(0), hours(after_hours), &limits)
    };
    assert_eq!(became(AfterStatus::Completed, "", Class::Unknown, 1), Outcome::Recovered);
    assert_eq!(became(AfterStatus::Failed, "g-1", Class::Transient, 1), Outcome::FailedSame);
    assert_eq!(became(AfterStatus::Failed, "g-2", Class::Transient, 1), Outcome::FailedDifferently);
    assert_eq!(became(AfterStatus::Skipped, "g-3", Class::Done, 1), Outcome::AlreadyProcessed);
    assert_eq!(became(AfterStatus::Cancelled, "", Class::Cancelled, 1), Outcome::Cancelled);
    assert_eq!(became(AfterStatus::Missing, "", Class::Unknown, 1), Outcome::Unknown);
    assert_eq!(became(AfterStatus::Gone, "", Class::Unknown, 1), Outcome::Expired);
    assert_eq!(became(AfterStatus::Running, "", Class::Unknown, 23), Outcome::Running);
    assert_eq!(became(AfterStatus::Running, "", Class::Unknown, 24), Outcome::Expired);
    assert!(!Outcome::FailedSame.uses_attempt(Class::Throttled) && Outcome::FailedSame.uses_attempt(Class::Transient));
    assert!(!Outcome::AlreadyProcessed.recovers(false) && Outcome::AlreadyProcessed.recovers(true));
}
