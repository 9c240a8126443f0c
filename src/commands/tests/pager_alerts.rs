use crate::actions::ack::{self, AckTerms};
use crate::commands::tests::acts::{DAILY, ServiceFixture, ann, route};
use crate::ledger::fault;
use crate::ledger::tests::seed::t;
use crate::model::schedule::quiet::QuietHours;
use crate::triage::store::digest;

#[tokio::test]
async fn a_pager_gets_one_alert_for_an_episode_and_its_end_at_once() {
    let mut world = ServiceFixture::new().await;
    world.settings.routes.push(route("pager", true));
    world.seed.fail("login", "b", 1, t(1));
    world.seed.set_class("login", "account");
    world.seed.fail("plain", "b", 1, t(1));
    world.triage(2);
    let content = |world: &ServiceFixture, digest: &str| {
        let sql = "SELECT content FROM delivery WHERE channel = 'pager' AND digest_id = ?1";
        digest::deserialize(&world.seed.text(sql, digest)).unwrap()
    };
    let opened = content(&world, "D-20260601-01");
    assert_eq!(opened.changes.iter().map(|e| e.group_id.as_str()).collect::<Vec<_>>(), ["login"]);
    world.seed.recover("login", t(5));
    // A resolve alone sends no mail, but the pager gets it at once.
    let ended = world.triage(6).unwrap();
    assert_eq!(world.seed.number("SELECT count(*) FROM delivery WHERE digest_id = ?1", &ended.digest_id), 1);
    let said = world.seed.text("SELECT channel FROM delivery WHERE digest_id = ?1", &ended.digest_id);
    assert_eq!(said, "pager");
    assert_eq!(world.triage(7), None);
    world.seed.fail("x", "b", 1, t(30));
    assert_eq!(world.news(31), ["x new", "login resolved"]);
    assert_eq!(world.seed.number("SELECT count(*) FROM delivery WHERE channel = ?1", "pager"), 2);
}

/// What a pager channel was sent, in order: what it opens or closes, `+` what was taken, `!` faults.
fn paged(world: &ServiceFixture) -> Vec<String> {
    let sql = "SELECT content FROM delivery WHERE channel = 'pager' ORDER BY created_at, delivery_id";
    let mut statement = world.seed.connection.prepare(sql).unwrap();
    let contents = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
    let said = contents.map(|content| {
        let digest = digest::deserialize(&content.unwrap()).unwrap();
        let changes = digest.changes.iter().map(|e| format!("{} {}/{}", e.state.as_str(), e.group_id, e.episode));
        let taken = digest.taken.iter().map(|e| format!("+{}/{}", e.group_id, e.episode));
        let faults = digest.faults.iter().map(|f| format!("!{}{}", f.fault, if f.ended { " over" } else { "" }));
        changes.chain(taken).chain(faults).collect::<Vec<_>>().join(", ")
    });
    said.collect()
}

/// The pager took everything, so that nothing is joined in the outbox.
fn all_sent(world: &mut ServiceFixture) {
    world.seed.run("UPDATE delivery SET state = 'sent'", []);
}

/// A pager that has taken the alert of `login`.
async fn with_alert() -> ServiceFixture {
    let mut world = ServiceFixture::new().await;
    world.settings.routes.push(route("pager", true));
    world.seed.fail("login", "b", 1, t(1));
    world.seed.set_class("login", "account");
    world.triage(2);
    all_sent(&mut world);
    world
}

#[tokio::test]
async fn an_ack_is_mirrored_to_the_pager_once_and_mailed_to_no_one() {
    let mut world = with_alert().await;
    ack::ack(&world.ledger, "login", AckTerms::default(), ann(3)).await.unwrap();
    let taken = world.triage(4).unwrap();
    assert_eq!(world.seed.number("SELECT count(*) FROM delivery WHERE digest_id = ?1", &taken.digest_id), 1);
    all_sent(&mut world);
    assert_eq!(world.triage(5), None);
    ack::unack(&world.ledger, "login", ann(6)).await.unwrap();
    assert_eq!(world.triage(7), None);
    ack::ack(&world.ledger, "login", AckTerms::default(), ann(8)).await.unwrap();
    world.triage(9).unwrap();
    all_sent(&mut world);
    assert_eq!(paged(&world), ["new login/1", "+login/1", "+login/1"]);
    // None of it used up the pause between two digests.
    world.seed.fail("x", "b", 1, t(18));
    assert_eq!(world.news(18), ["x new"]);
}

#[tokio::test]
async fn the_end_of_a_fault_reaches_the_pager_after_an_hour_and_the_others_with_the_next_digest() {
    let mut world = ServiceFixture::new().await;
    world.settings.routes.push(route("pager", true));
    let raise = |world: &mut ServiceFixture, m| {
        world.seed.write(|tx| fault::raise(tx, "scan:prod", "cannot be read", t(m))).unwrap();
        let digest = world.triage(m + 1);
        all_sent(world);
        digest
    };
    let clear = |world: &mut ServiceFixture, m| {
        world.seed.write(|tx| fault::clear(tx, "scan:prod", t(m))).unwrap();
        let digest = world.triage(m + 1);
        all_sent(world);
        digest
    };
    raise(&mut world, 20).unwrap();
    assert_eq!(clear(&mut world, 30), None);
    // It is back within an hour, again and again: it goes on, and nothing is sent.
    assert_eq!(raise(&mut world, 40), None);
    assert_eq!(clear(&mut world, 50), None);
    assert_eq!(raise(&mut world, 109), None);
    assert_eq!(clear(&mut world, 120), None);
    assert_eq!(world.triage(179), None);
    assert_eq!(paged(&world), ["!scan:prod"]);
    world.triage(180).unwrap();
    all_sent(&mut world);
    assert_eq!(world.triage(181), None);
    assert_eq!(paged(&world), ["!scan:prod", "!scan:prod over"]);
    assert_eq!(world.seed.number("SELECT count(*) FROM delivery WHERE channel = ?1", "oncall"), 1);
    assert!(world.triage(DAILY).unwrap().faults[0].ended);
    assert_eq!(world.seed.number("SELECT count(*) FROM delivery WHERE channel = ?1", "oncall"), 2);
    assert_eq!(paged(&world).len(), 2);
    assert_eq!(world.triage(DAILY + 5), None);
}

#[tokio::test]
async fn a_recurring_fault_does_not_page_in_quiet_hours() {
    let mut world = ServiceFixture::new().await;
    world.settings.routes.push(route("pager", true));
    world.seed.write(|tx| fault::raise(tx, "scan:prod", "cannot be read", t(1))).unwrap();
    world.triage(2).unwrap();
    all_sent(&mut world);
    world.settings.quiet = Some(QuietHours::parse("10:00-22:00").unwrap());
    for (over, back) in [(3, 5), (8, 15)] {
        world.seed.write(|tx| fault::clear(tx, "scan:prod", t(over))).unwrap();
        assert_eq!(world.triage(over + 1), None);
        world.seed.write(|tx| fault::raise(tx, "scan:prod", "cannot be read", t(back))).unwrap();
        assert_eq!(world.triage(back + 1), None);
    }
    world.seed.write(|tx| fault::clear(tx, "scan:prod", t(20))).unwrap();
    world.triage(80).unwrap();
    all_sent(&mut world);
    for m in (90..600).step_by(100) {
        world.seed.write(|tx| fault::raise(tx, "scan:prod", "cannot be read", t(m))).unwrap();
        assert_eq!(world.triage(m + 1), None);
        world.seed.write(|tx| fault::clear(tx, "scan:prod", t(m + 10))).unwrap();
        world.triage(m + 80);
        all_sent(&mut world);
    }
    let triggers = |world: &ServiceFixture| paged(world).iter().filter(|said| *said == "!scan:prod").count();
    assert_eq!(triggers(&world), 1);
    world.seed.write(|tx| fault::raise(tx, "scan:prod", "cannot be read", t(700))).unwrap();
    assert_eq!(world.triage(701), None);
    world.settings.quiet = None;
    assert!(!world.triage(720).unwrap().faults[0].ended);
    assert_eq!(triggers(&world), 2);
}

#[tokio::test]
async fn the_end_of_a_fault_is_reported_although_it_recurred_unseen_in_between() {
    let mut world = ServiceFixture::new().await;
    world.settings.routes.push(route("pager", true));
    world.seed.write(|tx| fault::raise(tx, "scan:prod", "cannot be read", t(1))).unwrap();
    world.triage(2).unwrap();
    all_sent(&mut world);
    // No one looks for two hours; then it is back, too late to go on, and over again before that may be reported.
    world.seed.write(|tx| fault::clear(tx, "scan:prod", t(20))).unwrap();
    world.settings.quiet = Some(QuietHours::parse("10:00-22:00").unwrap());
    world.seed.write(|tx| fault::raise(tx, "scan:prod", "cannot be read", t(140))).unwrap();
    assert_eq!(world.triage(141), None);
    world.seed.write(|tx| fault::clear(tx, "scan:prod", t(150))).unwrap();
    world.triage(211).unwrap();
    assert_eq!(paged(&world), ["!scan:prod", "!scan:prod over"]);
}

#[tokio::test]
async fn an_alert_is_resolved_although_the_next_episode_began_before_the_next_check() {
    let mut world = with_alert().await;
    world.seed.recover("login", t(5));
    // The episode closes and opens in one look after the other, before a digest may be sent to anyone.
    world.settings.routes.remove(1);
    world.triage(6);
    world.settings.routes.push(route("pager", true));
    world.seed.fail("login", "b", 1, t(20));
    world.triage(21);
    assert_eq!(paged(&world).last().unwrap(), "regressed login/2, resolved login/1");
}

#[tokio::test]
async fn the_end_of_an_alert_never_overtakes_its_beginning() {
    let mut world = ServiceFixture::new().await;
    world.settings.routes.push(route("pager", true));
    world.seed.fail("login", "b", 1, t(1));
    world.seed.fail("quota", "b", 1, t(1));
    world.seed.set_class("login", "account");
    world.seed.set_class("quota", "account");
    world.triage(2);
    // The pager took one event, did not answer the second, and is tried again in half an hour.
    world.seed.run(
        "UPDATE delivery SET uncertain = 1, done = '[\"trigger x\"]', not_before = not_before + 1800000 WHERE channel = 'pager'",
        [],
    );
    world.seed.recover("login", t(5));
    world.triage(6);
    assert_eq!(paged(&world).last().unwrap(), "new quota/1, resolved login/1");
    let waiting = "SELECT count(*) FROM delivery WHERE channel = ?1 AND state = 'pending'";
    assert_eq!(world.seed.number(waiting, "pager"), 1);
}
