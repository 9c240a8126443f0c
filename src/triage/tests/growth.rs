//! No statement of triage costs more because there is more: on a ledger where one hour, one group, one directory and one
//! batch each hold everything, and on one that holds four times that.

use super::*;
use crate::ledger::tests::steps::{self, Steps};

/// More than any statement looks at.
const FEW: u64 = 2_500;

/// The steps of triage while an outage is open: a cycle without news, one with a batch that failed as a whole, a daily
/// digest, and one after all recovered. Beside it are so many items in the group, and so many batches that it was in.
fn days_after_outage(items: u64, batches: u64) -> Steps {
    let (mut seed, settings) = world();
    seed.fail("g", "b", 1, t(1));
    seed.set_class("g", "account");
    seed.crowd("g", "b", items, t(1));
    seed.older_batches(batches);
    assert_eq!(changes(&at(&mut seed, &settings, 2)), ["g new"]);
    steps::count(&mut seed.connection);
    let mut steps = Steps::new();
    let mut cycle = |seed: &mut Seed, minutes| {
        // What the seed takes is not measured.
        steps::take();
        let digest = at(seed, &settings, minutes);
        for (sql, more) in steps::take() {
            *steps.entry(sql).or_default() += more;
        }
        digest
    };
    assert_eq!(cycle(&mut seed, 180), None);
    seed.batch("later", "failed");
    seed.fail_item("later", "g", "later", t(190));
    assert_eq!(changes(&cycle(&mut seed, 191)), ["g escalated"]);
    assert!(cycle(&mut seed, 1380).unwrap().scheduled);
    steps
}

#[test]
fn no_statement_of_triage_grows_with_what_is_open() {
    let grown = steps::grown(&days_after_outage(FEW, 1), &days_after_outage(4 * FEW, 1));
    assert_eq!(grown, Vec::<String>::new(), "{grown:#?}");
}

/// What a digest says of a group is read for the groups that it names: in how many batches and projects they were.
const OF_A_DIGEST: [&str; 2] =
    ["SELECT count(*) FROM group_batch WHERE group_key", "SELECT DISTINCT b.job_type, p.name"];

#[test]
fn no_statement_of_a_cycle_without_news_grows_with_the_batches_of_a_group() {
    let mut grown = steps::grown(&days_after_outage(1, FEW), &days_after_outage(1, 4 * FEW));
    grown.retain(|found| !OF_A_DIGEST.iter().any(|sql| found.contains(sql)));
    assert_eq!(grown, Vec::<String>::new(), "{grown:#?}");
}
