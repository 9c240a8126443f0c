//! No statement of retries costs more because there is more: on a ledger where one hour, one group, one directory and one
//! batch each hold everything, and on one that holds four times that.

use jiff::Timestamp;

use crate::ledger::tests::seed::{Seed, t};
use crate::ledger::tests::steps::{self, Steps};
use crate::reprocess::store::history::Asked;
use crate::reprocess::store::items::Which;
use crate::reprocess::store::{account, budget_usage, history, intent, items, plan, project_health};

/// More than any statement looks at.
const FEW: u64 = 2_500;

/// What a cycle reads to decide on retries, two days after an outage, with one item tried.
fn retries_after_outage(items: u64, batches: u64, baseline: bool) -> Steps {
    let mut seed = Seed::new();
    seed.batch("b", "completed");
    seed.fail("g", "b", 3, t(1));
    seed.crowd("g", "b", items, t(1));
    if baseline {
        let first_seen = t(2).as_millisecond();
        seed.run("UPDATE item SET baseline = 1", []);
        seed.run("UPDATE project SET first_seen = ?1", [first_seen]);
    }
    seed.older_batches(batches);
    seed.retried("g", 60, "failed_same", "h", 0);
    steps::count(&mut seed.connection);
    read_all(&seed, t(2 * 24 * 60), t(24 * 60), baseline);
    steps::take()
}

fn read_all(seed: &Seed, now: Timestamp, since: Timestamp, baseline: bool) {
    let connection = &seed.connection;
    let found = items::items(connection, &Which::Automatic { baseline: false }).unwrap();
    assert_eq!(found.is_empty(), baseline);
    let asked = Asked { group_id: "g", project: "prod", parameters: None };
    assert!(history::of_group(connection, asked).unwrap().is_some());
    history::retried(connection).unwrap();
    project_health::fresh_incidents(connection, "prod").unwrap();
    project_health::ended(connection, "prod", since).unwrap();
    project_health::recent_failures(connection, "prod", since).unwrap();
    budget_usage::until(connection, now).unwrap();
    intent::unsettled(connection).unwrap();
    intent::after_given_up(connection, since).unwrap();
    intent::unheard(connection, since).unwrap();
    account::stopped(connection).unwrap();
    plan::unapplied(connection, now).unwrap();
    plan::unfinished(connection).unwrap();
}

#[test]
fn no_statement_of_retries_grows_with_what_is_open() {
    for baseline in [false, true] {
        let [few, many] = [FEW, 4 * FEW].map(|items| retries_after_outage(items, 1, baseline));
        assert_eq!(steps::grown(&few, &many), Vec::<String>::new(), "baseline: {baseline}");
    }
}

#[test]
fn no_statement_of_retries_grows_with_the_batches_of_a_group() {
    let [few, many] = [FEW, 4 * FEW].map(|batches| retries_after_outage(1, batches, false));
    assert_eq!(steps::grown(&few, &many), Vec::<String>::new());
}
