//! Plans by hand when the world has changed since: the clock, the classes, what LlamaCloud asked for, what was found out.

use jiff::{SignedDuration, Timestamp};
use llama_triage::internals::reprocess::{Request, intent, plan};
use llama_triage::internals::simulator::{Endpoint, FaultRule, InjectedFault, WorldBuilder, item_id};
use tokio_util::sync::CancellationToken;

use crate::plans::{approved, between, end, planned, posts, result, said, scanned};
use crate::site::Site;

const BUSY: &str = "the service is busy, try again later";

/// Makes these columns of the plan three days later.
async fn three_days_on(worker: &llama_triage::internals::service::Worker, plan_id: &str, columns: &[&str]) {
    let set: Vec<String> = columns.iter().map(|name| format!("{name} = {name} + 3 * 86400000")).collect();
    let sql = format!("UPDATE plan SET {} WHERE plan_id = '{plan_id}'", set.join(", "));
    worker.ledger.write(move |tx| Ok(tx.execute_batch(&sql)?)).await.unwrap();
}

/// Items that fail once, all of one group.
fn busy(items: usize) -> WorldBuilder {
    let builder = WorldBuilder::at(Timestamp::now()).batch("b1").item("fine").succeeds();
    (0..items).fold(builder, |builder, n| builder.item(&format!("i{n}")).fails_until(2, BUSY))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_was_approved_while_the_clock_was_ahead_ends_and_is_reported() {
    for begun in [false, true] {
        let (site, mut worker) = scanned(busy(1).build()).await;
        let plan_id = approved(&site, &worker, &["i0"]).await;
        if begun {
            let (id, now) = (plan_id.clone(), site.now());
            worker.ledger.write(move |tx| plan::take(tx, &id, now)).await.unwrap();
        }
        three_days_on(&worker, &plan_id, &["applied_at", "executed_at"]).await;
        worker.ledger.close().await.unwrap();
        // Any start sets right what lies ahead.
        worker = site.worker().await;
        between(&site, &mut worker, 1).await;
        let told = result(&site, &plan_id);
        assert!(
            told.starts_with("0 items submitted, 1 item left out (1: it was approved more than an hour before"),
            "{told}"
        );
        let faults =
            || site.texts("SELECT fault FROM worker_fault WHERE fault LIKE 'plan:%' AND ended_at IS NULL").len();
        assert_eq!(faults(), 1);
        between(&site, &mut worker, 60).await;
        assert_eq!(faults(), 1, "it is reported for a day");
        between(&site, &mut worker, 24 * 60).await;
        assert_eq!(faults(), 0, "not until that time has come");
        between(&site, &mut worker, 2 * 24 * 60).await;
        assert_eq!(posts(&site), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_a_minute_off_ends_no_plan() {
    let (site, mut worker) = scanned(busy(1).build()).await;
    let plan_id = planned(&site, &worker, &["i0"]).await;
    let (id, soon) = (plan_id.clone(), site.now() + SignedDuration::from_mins(2));
    worker.ledger.write(move |tx| plan::approve(tx, &id, "ann", "fixed", soon)).await.unwrap();
    between(&site, &mut worker, 0).await;
    assert_eq!(result(&site, &plan_id), "1 item submitted");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_was_made_while_the_clock_was_ahead_cannot_be_approved() {
    let (site, worker) = scanned(busy(1).build()).await;
    let plan_id = planned(&site, &worker, &["i0"]).await;
    three_days_on(&worker, &plan_id, &["created_at", "expires_at"]).await;
    worker.ledger.close().await.unwrap();
    let refused = said(&site, &["reprocess", "apply", &plan_id, "--reason", "x", "--yes"], 2);
    assert!(refused.contains("the clock was ahead then; create a new one"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn items_whose_class_has_changed_since_the_plan_are_left_out_but_for_one() {
    for (class, told) in [
        ("permanent-input", "1 item submitted, 2 items left out (2: its class has changed to permanent-input since"),
        ("cancelled", "0 items submitted, 3 items left out (3: its class has changed to cancelled since"),
        ("done", "0 items submitted, 3 items left out (3: its class is done: nothing failed"),
        ("unknown", "3 items submitted"),
    ] {
        let (site, worker) = scanned(busy(3).build()).await;
        let items = ["i0", "i1", "i2"].map(item_id).to_vec();
        let request = Request { items, permanent: true, ..Request::default() };
        let draft = worker.setup.reprocessing(&worker.ledger, site.now()).draft(request, "ann").await.unwrap();
        let (id, now) = (draft.plan_id.clone(), site.now());
        worker.ledger.write(move |tx| plan::approve(tx, &id, "ann", "fixed", now)).await.unwrap();
        worker.ledger.close().await.unwrap();

        site.configure(&format!("[[rule]]\nname = \"mine\"\nmatch = \"busy\"\nclass = \"{class}\"\n"));
        between(&site, &mut site.worker().await, 10).await;
        let result = result(&site, &draft.plan_id);
        assert!(result.starts_with(told), "{class}: {result}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_unclear_when_a_plan_ended_is_reported_as_it_is_by_now() {
    let (site, mut worker) = scanned(busy(2).build()).await;
    site.cloud.set_faults(vec![FaultRule::new(InjectedFault::AcceptedThenReset).on(Endpoint::CreateBatch).first(1)]);
    let plan_id = approved(&site, &worker, &["i0", "i1"]).await;
    between(&site, &mut worker, 1).await;
    let status = || said(&site, &["reprocess", "status"], 0);
    let then = format!("P-{}  0 items submitted, 2 items of unclear outcome\n", end(&plan_id));
    assert!(status().contains(&then), "{}", status());
    between(&site, &mut worker, 5).await;
    let then = then.trim_end();
    assert!(status().contains(&format!("{then}; by now 2 items submitted\n")), "{}", status());
    let again = said(&site, &["reprocess", "apply", &plan_id, "--reason", "x", "--yes"], 2);
    assert!(again.contains("by now 2 items submitted"), "{again}");
    assert_eq!(worker.ledger.read(intent::unsettled).await.unwrap().len(), 1);
}

/// A project that LlamaCloud asked to wait with for so long, and one that continues.
async fn one_of_two_waits(seconds: i64) -> (Site, String) {
    let one = |builder: WorldBuilder, name: &str| builder.batch(name).item(name).fails_until(2, BUSY);
    let builder = one(WorldBuilder::at(Timestamp::now()), "waits");
    let builder = one(builder.project("other", "llx-other-0000"), "goes");
    let (site, mut worker) = scanned(builder.build()).await;
    let asks = FaultRule::new(InjectedFault::StatusRetryAfter(429, seconds.to_string())).on(Endpoint::CreateBatch);
    site.cloud.set_faults(vec![asks]);
    let first = approved(&site, &worker, &["waits"]).await;
    between(&site, &mut worker, 1).await;
    let taken_back = llama_triage::internals::reprocess::cancel_plan(&worker.ledger, &first, "ann", site.now()).await;
    // A wait that outlasts the hour of the plan has ended it already.
    assert_eq!(taken_back.is_ok(), seconds < 3600, "{taken_back:?}");
    site.cloud.set_faults(Vec::new());
    let both = planned(&site, &worker, &["waits", "goes"]).await;
    worker.ledger.close().await.unwrap();
    (site, both)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_waits_with_the_project_that_has_to_and_not_with_the_others() {
    let (site, plan_id) = one_of_two_waits(7200).await;
    let done = said(&site, &["reprocess", "apply", &plan_id, "--reason", "x", "--yes"], 0);
    assert!(
        done.contains(
            "1 item submitted, 1 item left out (1: LlamaCloud answered 429 (too many requests), nothing is sent before"
        ),
        "{done}"
    );
    assert_eq!(posts(&site), 2);

    let (site, plan_id) = one_of_two_waits(1200).await;
    let waits = said(&site, &["reprocess", "apply", &plan_id, "--reason", "x", "--yes"], 0);
    assert!(
        waits.contains("is not finished: LlamaCloud answered 429 (too many requests), nothing is sent before"),
        "{waits}"
    );
    assert_eq!(posts(&site), 2, "the other went at once");
    let mut worker = site.worker().await;
    between(&site, &mut worker, 10).await;
    assert_eq!((posts(&site), result(&site, &plan_id).as_str()), (2, ""));
    between(&site, &mut worker, 12).await;
    worker.reprocess(site.now(), &CancellationToken::new()).await.unwrap();
    assert_eq!((posts(&site), result(&site, &plan_id).as_str()), (3, "2 items submitted"));
}
