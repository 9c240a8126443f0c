//! One row, page or batch that cannot be read stops nothing else, and it is reported once.

use jiff::Timestamp;
use llama_triage::internals::simulator::{
    Endpoint, FaultRule, InjectedFault, Options, World, WorldBuilder, batch_id, item_id,
};

use crate::site::Site;

const FILE: &str = "[[channel]]\nname = \"f\"\nkind = \"file\"\ndir = \"{dir}/mail\"\n[digest]\ngroup-wait = \"0s\"\nmin-gap = \"1s\"\n";

/// One cycle of the built binary, which has to succeed; the digest that it made, if it made one.
fn cycle(site: &Site) -> Option<String> {
    let run = site.command(&["cycle"]).assert().success();
    let said = String::from_utf8(run.get_output().stdout.clone()).unwrap();
    said.split_once("digest ").map(|(_, digest)| digest.trim().to_owned())
}

fn faults(site: &Site) -> Vec<String> {
    site.texts("SELECT text FROM worker_fault WHERE ended_at IS NULL")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_no_request_can_name_is_set_aside_and_reported_once() {
    let long = "x".repeat(2_000);
    let world = WorldBuilder::at(Timestamp::now()).batch("good").item("i1").fails("it broke");
    let world = world.batch("odd").with_batch_id(&long).item("i2").fails("out of reach").build();
    let site = Site::new(world, Options::default(), FILE).await;
    assert!(cycle(&site).is_some());
    assert_eq!(site.texts("SELECT item_id FROM item"), [item_id("i1")]);
    let said = faults(&site);
    assert!(said.len() == 1 && said[0].contains("It counts 1 failed item") && said[0].len() < 400, "{said:?}");
    assert_eq!(cycle(&site), None, "once is enough");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_item_larger_than_an_answer_may_be_is_left_out_and_the_others_are_read() {
    let world = WorldBuilder::at(Timestamp::now())
        .batch("b")
        .item("i1")
        .fails("it broke")
        .item("i2")
        .fails(&"x".repeat(65 << 20));
    let site =
        Site::new(world.item("i3").fails("it broke").build(), Options::default(), &format!("page-size = 4\n{FILE}"))
            .await;
    cycle(&site);
    let mut wanted = [item_id("i1"), item_id("i3")];
    wanted.sort();
    assert_eq!(site.texts("SELECT item_id FROM item ORDER BY 1"), wanted);
    assert!(cycle(&site).is_some(), "the second scan finds the same: it is told");
    let said = faults(&site);
    assert!(said.len() == 1 && said[0].contains("1 item of batch") && said[0].contains("64 MiB"), "{said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_cannot_be_listed_is_set_aside_after_three_scans_and_read_when_it_can() {
    let world = WorldBuilder::at(Timestamp::now()).batch("good").item("i1").fails("it broke");
    let site = Site::new(world.batch("bad").item("i2").fails("out of reach").build(), Options::default(), FILE).await;
    let refuse = FaultRule::new(InjectedFault::Status(400)).on(Endpoint::ListItems).containing(&batch_id("bad"));
    site.cloud.set_faults(vec![refuse]);
    for _ in 0..2 {
        site.command(&["cycle"]).assert().failure().code(1);
    }
    assert!(cycle(&site).is_some());
    let said = faults(&site);
    assert!(said.len() == 1 && said[0].contains("could not be read in 3 scans in a row"), "{said:?}");
    let asked = site.cloud.world().truth().requests_to(Endpoint::ListItems);
    assert_eq!(cycle(&site), None);
    assert_eq!(site.cloud.world().truth().requests_to(Endpoint::ListItems), asked, "it rests");
    site.cloud.set_faults(Vec::new());
    let mut worker = site.worker().await;
    let later = Timestamp::now() + jiff::SignedDuration::from_mins(61);
    let summary = worker.scan(later).await.unwrap().remove(0);
    assert_eq!((summary.complete, summary.items_new), (true, 1), "{summary:?}");
    assert_eq!(faults(&site), Vec::<String>::new());
}

fn one_bad_and_eight_good() -> World {
    let mut world = WorldBuilder::at(Timestamp::now()).batch("bad").item("i0").fails("out of reach");
    for number in 1..9 {
        world = world.batch(&format!("good-{number}")).item(&format!("i{number}")).fails("it broke");
    }
    world.build()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_the_key_may_not_read_stops_no_other() {
    let site = Site::new(one_bad_and_eight_good(), Options::default(), FILE).await;
    let refuse = FaultRule::new(InjectedFault::Status(403)).on(Endpoint::ListItems).containing(&batch_id("bad"));
    site.cloud.set_faults(vec![refuse]);
    for _ in 0..2 {
        site.command(&["cycle"]).assert().failure().code(1);
        assert_eq!(site.texts("SELECT item_id FROM item").len(), 8, "the others are read");
        assert_eq!(faults(&site), [""; 0]);
    }
    assert!(cycle(&site).is_some());
    let said = faults(&site);
    assert!(said.len() == 1 && said[0].contains("could not be read in 3 scans in a row"), "{said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_may_read_no_batch_is_reported_at_once() {
    let site = Site::new(one_bad_and_eight_good(), Options::default(), FILE).await;
    site.cloud.set_faults(vec![FaultRule::new(InjectedFault::Status(403)).on(Endpoint::ListItems)]);
    site.command(&["cycle"]).assert().failure().code(1);
    let said = faults(&site);
    assert!(said.len() == 1 && said[0].contains("cannot be read") && said[0].contains("(403)"), "{said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_no_batch_can_be_listed_no_batch_is_to_blame() {
    let mut world = WorldBuilder::at(Timestamp::now());
    for batch in ["a", "b", "c", "d"] {
        world = world.batch(batch).item(batch).fails("out of reach");
    }
    let site = Site::new(world.build(), Options::default(), FILE).await;
    site.cloud.set_faults(vec![FaultRule::new(InjectedFault::Status(400)).on(Endpoint::ListItems)]);
    for _ in 0..4 {
        site.command(&["cycle"]).assert().failure().code(1);
    }
    assert!(faults(&site)[0].starts_with("project default cannot be read"), "{:?}", faults(&site));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_of_the_batch_list_without_an_id_hides_nothing_else() {
    let world = WorldBuilder::at(Timestamp::now()).batch("good").item("i1").fails("it broke");
    let site = Site::new(world.batch("bad").item("i2").fails("out of reach").build(), Options::default(), FILE).await;
    site.cloud.set_faults(vec![FaultRule::new(InjectedFault::Malformed(0)).on(Endpoint::ListBatches)]);
    site.command(&["cycle"]).assert().failure().code(1);
    assert!(cycle(&site).is_some());
    assert!(faults(&site)[0].contains("1 batch of the batch list could not be read"), "{:?}", faults(&site));
    assert_eq!(cycle(&site), None);
    site.cloud.set_faults(Vec::new());
    cycle(&site);
    assert_eq!((faults(&site), site.texts("SELECT item_id FROM item").len()), (Vec::new(), 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn how_one_api_answers_says_nothing_about_the_batches_of_the_other_one() {
    let mut world = WorldBuilder::at(Timestamp::now()).batch("runs").from_directory();
    world = world.item("i1").takes(jiff::SignedDuration::from_hours(9)).fails("it broke");
    for batch in ["a", "b", "c", "d"] {
        world = world.batch(batch).item(batch).fails("out of reach");
    }
    let apart = Options { apart: true, ..Options::default() };
    let site = Site::with_api("auto", world.build(), apart, FILE).await;
    site.cloud.set_faults(vec![FaultRule::new(InjectedFault::Status(400)).on(Endpoint::ListItems)]);
    for _ in 0..4 {
        site.command(&["cycle"]).assert().failure().code(1);
    }
    assert!(faults(&site)[0].starts_with("project default cannot be read"), "{:?}", faults(&site));
}
