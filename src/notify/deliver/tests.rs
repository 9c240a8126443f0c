use std::collections::VecDeque;
use std::sync::Mutex;

use jiff::SignedDuration;
use tokio::sync::Notify;

use crate::ledger::fault;
use crate::ledger::tests::seed::{self, t};
use crate::triage::digest::model::Reason;
use crate::triage::digest::test_digest::trial;
use crate::triage::store::digest;

use super::*;

/// A channel that gives prepared answers, then takes everything. It remembers what it got.
struct FakeChannel {
    name: &'static str,
    answers: Mutex<VecDeque<DeliveryResult>>,
    got: Mutex<Vec<(Digest, Try)>>,
    /// Waits for this before it answers.
    gate: Option<Notify>,
    /// Its hours begin then.
    opens: Option<Timestamp>,
    /// Its daily digest is due then.
    daily: Option<Timestamp>,
}

impl FakeChannel {
    fn new(name: &'static str, answers: impl IntoIterator<Item = DeliveryResult>) -> Arc<FakeChannel> {
        Arc::new(FakeChannel {
            name,
            answers: Mutex::new(answers.into_iter().collect()),
            got: Mutex::default(),
            gate: None,
            opens: None,
            daily: None,
        })
    }

    fn got(&self) -> Vec<(Digest, Try)> {
        self.got.lock().unwrap().clone()
    }
}

impl DigestSender for FakeChannel {
    fn name(&self) -> &str {
        self.name
    }

    fn is_open(&self, now: Timestamp) -> bool {
        self.opens.is_none_or(|opens| opens <= now)
    }

    fn waits_for_daily(&self, scheduled: bool, _: Timestamp, now: Timestamp) -> bool {
        !scheduled && self.daily.is_some_and(|daily| now < daily)
    }

    async fn send(&self, content: &Digest, this: Try) -> DeliveryResult {
        self.got.lock().unwrap().push((content.clone(), this));
        if let Some(gate) = &self.gate {
            gate.notified().await;
        }
        let taken = DeliveryResult::Arrived { answer: "250 ok".into(), refused: Vec::new() };
        self.answers.lock().unwrap().pop_front().unwrap_or(taken)
    }
}

fn later(may_have_arrived: bool) -> DeliveryResult {
    DeliveryResult::Later { error: "451 greylisted".into(), after: None, may_have_arrived, done: vec!["a@x".into()] }
}

fn down() -> DeliveryResult {
    DeliveryResult::Later { error: "connection refused".into(), after: None, may_have_arrived: false, done: Vec::new() }
}

struct DeliveryFixture {
    ledger: Ledger,
    _dir: tempfile::TempDir,
}

impl DeliveryFixture {
    async fn new() -> DeliveryFixture {
        let dir = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(&dir.path().join("ledger.db")).await.unwrap();
        DeliveryFixture { ledger, _dir: dir }
    }

    /// Freezes the `n`th digest for these channels.
    async fn enqueue(&self, n: u32, channels: &'static [&'static str], page: bool) {
        let now = t(i64::from(n));
        let mut content = trial("", "UTC", now);
        content.digest_id = format!("D-20260601-{n:02}");
        content.changes[0].group_id = format!("g-{n}");
        content.changes[0].reason = Reason::New;
        let work = move |tx: &crate::ledger::Transaction<'_>| {
            digest::insert(tx, &content, "new")?;
            let whom = crate::triage::store::outbox::For::Readers;
            channels
                .iter()
                .try_for_each(|channel| crate::triage::store::outbox::enqueue(tx, channel, &content, whom, page, now))
        };
        self.ledger.write(work).await.unwrap();
    }

    async fn deliver(&self, channels: &[Arc<FakeChannel>], minutes: i64) -> DeliverySummary {
        self.round(channels, t(minutes), false).await
    }

    async fn round(&self, channels: &[Arc<FakeChannel>], now: Timestamp, page_only: bool) -> DeliverySummary {
        let round = Round { now, page_only, by_hand: false, patience: Duration::from_secs(30) };
        deliver(&self.ledger, channels, round).await.unwrap()
    }

    /// "state attempts" of every delivery, in order.
    async fn states(&self) -> Vec<String> {
        self.ledger.read(seed::delivery_states).await.unwrap()
    }

    async fn faults(&self) -> Vec<String> {
        let faults = self.ledger.read(fault::all).await.unwrap();
        faults.into_iter().map(|known| known.fault.fault).collect()
    }
}

#[tokio::test]
async fn a_delivery_is_sent_once() {
    let world = DeliveryFixture::new().await;
    let mail = FakeChannel::new("mail", []);
    world.enqueue(1, &["mail"], false).await;
    assert_eq!(world.deliver(std::slice::from_ref(&mail), 2).await.sent, 1);
    assert_eq!(world.deliver(std::slice::from_ref(&mail), 3).await, DeliverySummary::default());
    assert_eq!(world.states().await, ["D-20260601-01.mail sent 1"]);
    assert_eq!(mail.got().len(), 1);
}

#[tokio::test]
async fn what_comes_outside_the_hours_of_a_channel_waits_for_them_and_is_sent_as_one() {
    let world = DeliveryFixture::new().await;
    let closed = Arc::into_inner(FakeChannel::new("mail", [])).unwrap();
    let mail = Arc::new(FakeChannel { opens: Some(t(5)), ..closed });
    let chat = FakeChannel::new("chat", []);
    let both = [Arc::clone(&mail), Arc::clone(&chat)];
    for (n, page) in [(1, false), (2, true)] {
        world.enqueue(n, &["mail", "chat"], page).await;
        assert_eq!(world.deliver(&both, i64::from(n) + 1).await.sent, 1, "the other has no hours");
    }
    assert!(mail.got().is_empty());
    assert_eq!(world.deliver(&both, 5).await.sent, 1);
    let got = mail.got();
    let groups: Vec<&str> = got[0].0.changes.iter().map(|entry| entry.group_id.as_str()).collect();
    assert_eq!((got.len(), groups.len()), (1, 2), "{groups:?}");
    world.enqueue(6, &["mail"], false).await;
    let closed = Arc::into_inner(FakeChannel::new("mail", [])).unwrap();
    let closed = Arc::new(FakeChannel { opens: Some(t(99)), ..closed });
    let round = Round { now: t(6), page_only: false, by_hand: true, patience: Duration::from_secs(30) };
    assert_eq!(deliver(&world.ledger, &[closed], round).await.unwrap().sent, 1);
}

#[tokio::test]
async fn a_daily_channel_gets_its_news_with_the_daily_digest_or_by_hand() {
    let world = DeliveryFixture::new().await;
    let daily = |at| {
        let channel = Arc::into_inner(FakeChannel::new("mail", [])).unwrap();
        Arc::new(FakeChannel { daily: Some(at), opens: Some(t(0)), ..channel })
    };
    let mail = daily(t(9));
    world.enqueue(1, &["mail"], true).await;
    world.enqueue(2, &["mail"], false).await;
    assert_eq!(world.deliver(std::slice::from_ref(&mail), 8).await.sent, 0);
    assert_eq!(world.deliver(std::slice::from_ref(&mail), 9).await.sent, 1);
    assert_eq!(mail.got()[0].0.changes.len(), 2);
    world.enqueue(10, &["mail"], false).await;
    let round = Round { now: t(10), page_only: false, by_hand: true, patience: Duration::from_secs(30) };
    assert_eq!(deliver(&world.ledger, &[daily(t(99))], round).await.unwrap().sent, 1);
}

#[tokio::test]
async fn a_recipient_that_is_refused_is_reported_until_all_get_it() {
    let world = DeliveryFixture::new().await;
    let partly = DeliveryResult::Arrived { answer: "250 ok".into(), refused: vec!["b…@x: 550 no such user".into()] };
    let mail = FakeChannel::new("mail", [partly]);
    world.enqueue(1, &["mail"], false).await;
    assert_eq!(world.deliver(std::slice::from_ref(&mail), 2).await.sent, 1);
    assert_eq!(world.faults().await, ["recipients:mail"]);
    world.enqueue(2, &["mail"], false).await;
    world.deliver(std::slice::from_ref(&mail), 3).await;
    assert!(world.faults().await.is_empty());
}

#[tokio::test]
async fn every_try_has_the_same_id_and_content_and_what_was_done_is_handed_back() {
    let world = DeliveryFixture::new().await;
    let mail = FakeChannel::new("mail", [later(true)]);
    world.enqueue(1, &["mail"], false).await;
    assert_eq!(world.deliver(std::slice::from_ref(&mail), 2).await.waiting, 1);
    assert_eq!(world.round(std::slice::from_ref(&mail), t(2) + SignedDuration::from_secs(4), false).await.sent, 0);
    assert_eq!(world.deliver(std::slice::from_ref(&mail), 3).await.sent, 1);
    let got = mail.got();
    assert_eq!(got[0].0, got[1].0);
    assert_eq!(got[0].1.delivery_id, got[1].1.delivery_id);
    assert!(!got[0].1.uncertain && got[1].1.uncertain);
    assert_eq!(got[1].1.done, ["a@x"]);
}

#[tokio::test]
async fn a_crash_between_sending_and_recording_sends_the_same_again_as_uncertain() {
    let world = DeliveryFixture::new().await;
    let mail = FakeChannel::new("mail", []);
    world.enqueue(1, &["mail"], false).await;
    // The process dies after the claim was committed: no one records anything.
    let claimed =
        world.ledger.write(|tx| store_delivery::claim(tx, "mail", false, |_, _| false, t(2))).await.unwrap().unwrap();
    assert_eq!(world.deliver(std::slice::from_ref(&mail), 3).await, DeliverySummary::default());
    assert_eq!(recover(&world.ledger, t(4)).await.unwrap(), 1);
    assert_eq!(world.deliver(std::slice::from_ref(&mail), 4).await.sent, 1);
    let (content, this) = mail.got().remove(0);
    assert!(this.uncertain);
    assert_eq!((content, this.delivery_id), (claimed.content, claimed.delivery_id));
}

#[tokio::test]
async fn a_lease_that_ran_out_is_taken_over_even_without_a_restart() {
    let world = DeliveryFixture::new().await;
    let mail = FakeChannel::new("mail", []);
    world.enqueue(1, &["mail"], false).await;
    world.ledger.write(|tx| store_delivery::claim(tx, "mail", false, |_, _| false, t(2))).await.unwrap().unwrap();
    assert_eq!(world.deliver(std::slice::from_ref(&mail), 16).await.sent, 0);
    assert_eq!(world.deliver(std::slice::from_ref(&mail), 17).await.sent, 1);
    assert!(mail.got()[0].1.uncertain);
}

#[tokio::test]
async fn after_an_outage_one_message_comes() {
    let world = DeliveryFixture::new().await;
    let mail = FakeChannel::new("mail", [down()]);
    world.enqueue(1, &["mail"], false).await;
    world.deliver(std::slice::from_ref(&mail), 1).await;
    for n in 2..10 {
        world.enqueue(n, &["mail"], false).await;
    }
    assert_eq!(world.deliver(std::slice::from_ref(&mail), 30).await.sent, 1);
    let (content, _) = mail.got().pop().unwrap();
    assert_eq!(content.digest_id, "D-20260601-09");
    assert_eq!(content.changes.len(), 9);
    let states = world.states().await;
    assert_eq!(states[0], "D-20260601-01.mail superseded 1");
    // The retry schedule went on where it was.
    assert_eq!(states[8], "D-20260601-09.mail sent 2");
}

/// When the channel's next try is due.
async fn next_try(world: &DeliveryFixture, channel: &'static str) -> Timestamp {
    world.ledger.read(move |connection| seed::next_try(connection, channel)).await.unwrap()
}

#[tokio::test]
async fn a_page_is_never_delayed_by_the_retry_schedule_of_other_digests() {
    let world = DeliveryFixture::new().await;
    let pager = FakeChannel::new("pager", std::iter::repeat_n(down(), 60));
    world.enqueue(1, &["pager"], false).await;
    // News that failed for a day and is about to be given up.
    let mut now = t(2);
    for _ in 0..40 {
        world.round(std::slice::from_ref(&pager), now, false).await;
        now = next_try(&world, "pager").await;
    }
    let minutes = (now - t(0)).as_secs() / 60;
    world.enqueue(u32::try_from(minutes).unwrap(), &["pager"], true).await;
    for n in 0..5 {
        let summary = world.round(std::slice::from_ref(&pager), now, false).await;
        assert_eq!((summary.waiting, summary.dead), (1, 0), "{n}");
        let next = next_try(&world, "pager").await;
        assert!(next - now <= SignedDuration::from_secs(60), "{n}: {}", next - now);
        now = next;
    }
    // News that comes meanwhile neither holds it up nor takes the page out of it.
    world.enqueue(u32::try_from(minutes + 1).unwrap(), &["pager"], false).await;
    now = next_try(&world, "pager").await;
    world.round(std::slice::from_ref(&pager), now, false).await;
    let next = next_try(&world, "pager").await;
    assert!(next - now <= SignedDuration::from_secs(60), "{}", next - now);
}

#[tokio::test]
async fn a_delivery_that_waits_for_a_retry_counts_as_undelivered() {
    let world = DeliveryFixture::new().await;
    let mail = FakeChannel::new("mail", [down(), down()]);
    world.enqueue(1, &["mail"], false).await;
    for second in [120, 121, 130, 131] {
        let summary = world.round(std::slice::from_ref(&mail), t(0) + SignedDuration::from_secs(second), false).await;
        assert_eq!((summary.sent, summary.waiting), (0, 1), "{second}");
    }
    assert_eq!(mail.got().len(), 2);
    let summary = world.deliver(std::slice::from_ref(&mail), 60).await;
    assert_eq!((summary.sent, summary.waiting), (1, 0));
}

#[tokio::test]
async fn what_may_have_arrived_is_sent_again_under_its_own_id_although_there_is_newer_news() {
    let world = DeliveryFixture::new().await;
    let mail = FakeChannel::new("mail", []);
    world.enqueue(1, &["mail"], false).await;
    world.ledger.write(|tx| store_delivery::claim(tx, "mail", false, |_, _| false, t(2))).await.unwrap().unwrap();
    recover(&world.ledger, t(3)).await.unwrap();
    world.enqueue(2, &["mail"], false).await;
    assert_eq!(world.deliver(std::slice::from_ref(&mail), 4).await.sent, 2);
    let told: Vec<usize> = mail.got().iter().map(|(content, _)| content.changes.len()).collect();
    assert_eq!(told, [1, 1], "the second digest does not tell the first one's news again");
}

#[tokio::test]
async fn a_dead_delivery_is_reported_as_a_fault_that_ends_with_the_next_success() {
    let world = DeliveryFixture::new().await;
    let chat = FakeChannel::new("chat", [DeliveryResult::Never { error: "410 gone".into(), of_content: false }]);
    let mail = FakeChannel::new("mail", []);
    world.enqueue(1, &["mail", "chat"], false).await;
    let summary = world.deliver(&[chat.clone(), mail.clone()], 2).await;
    assert_eq!((summary.sent, summary.dead), (1, 1));
    assert_eq!(summary.errors, ["chat: 410 gone"]);
    assert_eq!(world.faults().await, ["delivery:chat"]);
    let text = world.ledger.read(fault::all).await.unwrap().remove(0).fault.text;
    let missed = "did not get D-20260601-01 (New: Test of this channel";
    assert!(text.contains(missed) && text.contains(" in 1 try: 410 gone. Fix the channel"), "{text}");
    world.enqueue(3, &["chat"], false).await;
    world.deliver(std::slice::from_ref(&chat), 4).await;
    assert!(world.faults().await.is_empty());
}

fn never(of_content: bool) -> DeliveryResult {
    DeliveryResult::Never { error: "no".into(), of_content }
}

#[tokio::test]
async fn a_repaired_channel_gets_dead_deliveries_with_its_next_digest() {
    let world = DeliveryFixture::new().await;
    let mail = FakeChannel::new("mail", [never(false), never(false)]);
    for n in 1..4 {
        world.enqueue(n, &["mail"], false).await;
        world.deliver(std::slice::from_ref(&mail), i64::from(n)).await;
    }
    let (content, this) = mail.got().pop().unwrap();
    assert_eq!((content.changes.len(), this.delivery_id.as_str()), (3, "D-20260601-03.mail"));
    assert!(content.included == ["D-20260601-01", "D-20260601-02"]);
    let states = ["D-20260601-01.mail superseded 1", "D-20260601-02.mail superseded 1", "D-20260601-03.mail sent 1"];
    assert_eq!(world.states().await, states);
}

#[tokio::test]
async fn what_a_channel_rejects_or_is_no_news_any_more_is_not_repeated() {
    let world = DeliveryFixture::new().await;
    let mail = FakeChannel::new("mail", [never(true), never(false)]);
    for n in [1, 2, 3 + 8 * 24 * 60] {
        world.enqueue(n, &["mail"], false).await;
        world.deliver(std::slice::from_ref(&mail), i64::from(n)).await;
    }
    let told: Vec<usize> = mail.got().iter().map(|(content, _)| content.changes.len()).collect();
    assert_eq!(told, [1, 1, 1]);
}

#[tokio::test]
async fn what_is_too_large_is_sent_smaller_at_once() {
    let world = DeliveryFixture::new().await;
    let large = DeliveryResult::TooLarge { error: "413".into(), next_tier: Some(1), done: Vec::new() };
    let chat = FakeChannel::new("chat", [large]);
    world.enqueue(1, &["chat"], false).await;
    assert_eq!(world.deliver(std::slice::from_ref(&chat), 2).await.sent, 1);
    let tiers: Vec<u8> = chat.got().iter().map(|(_, this)| this.tier).collect();
    assert_eq!(tiers, [0, 1]);
}

#[tokio::test]
async fn quiet_hours_hold_retries_but_not_pages() {
    let world = DeliveryFixture::new().await;
    let (mail, pager) = (FakeChannel::new("mail", []), FakeChannel::new("pager", []));
    world.enqueue(1, &["mail"], false).await;
    world.enqueue(2, &["pager"], true).await;
    let channels = [mail.clone(), pager.clone()];
    assert_eq!(world.round(&channels, t(5), true).await.sent, 1);
    assert_eq!((mail.got().len(), pager.got().len()), (0, 1));
    assert_eq!(world.round(&channels, t(6), false).await.sent, 1);
}

#[tokio::test]
async fn a_silent_channel_blocks_neither_the_others_nor_the_cycle() {
    let world = DeliveryFixture::new().await;
    let silent = Arc::new(FakeChannel {
        name: "silent",
        answers: Mutex::default(),
        got: Mutex::default(),
        gate: Some(Notify::new()),
        opens: None,
        daily: None,
    });
    let mail = FakeChannel::new("mail", []);
    world.enqueue(1, &["mail", "silent"], false).await;
    let round = Round { now: t(2), page_only: false, by_hand: false, patience: Duration::from_millis(300) };
    let summary = deliver(&world.ledger, &[silent.clone(), mail.clone()], round).await.unwrap();
    assert_eq!((summary.sent, summary.busy), (1, 1));
    // It goes on in the background, and no one else takes its delivery meanwhile.
    assert_eq!(world.deliver(std::slice::from_ref(&silent), 3).await, DeliverySummary::default());
    silent.gate.as_ref().unwrap().notify_one();
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    while world.states().await != ["D-20260601-01.mail sent 1", "D-20260601-01.silent sent 1"] {
        assert!(tokio::time::Instant::now() < deadline, "{:?}", world.states().await);
        tokio::task::yield_now().await;
    }
}

/// Takes its time, by the clock that the process measures with.
struct Slow;

const LONG: Duration = Duration::from_millis(20);

impl DigestSender for Slow {
    fn name(&self) -> &str {
        "mail"
    }

    async fn send(&self, _: &Digest, _: Try) -> DeliveryResult {
        let began = Instant::now();
        while began.elapsed() < LONG {
            tokio::task::yield_now().await;
        }
        DeliveryResult::Arrived { answer: "250 ok".into(), refused: Vec::new() }
    }
}

#[tokio::test]
async fn what_was_sent_is_dated_by_its_sending_and_not_by_the_begin_of_the_round() {
    let world = DeliveryFixture::new().await;
    world.enqueue(1, &["mail"], false).await;
    world.enqueue(2, &["chat"], false).await;
    let round = Round { now: t(3), page_only: false, by_hand: false, patience: Duration::from_secs(30) };
    deliver(&world.ledger, &[Arc::new(Slow)], round).await.unwrap();
    let sent = "SELECT CAST(sent_at AS TEXT) FROM delivery WHERE channel = 'mail'";
    let sent = world.ledger.read(move |ledger| seed::text(ledger, sent)).await.unwrap();
    assert!(sent.parse::<i64>().unwrap() >= (t(3) + LONG).as_millisecond(), "{sent}");
}
