use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use crate::actions::ack::{self, AckTerms};
use crate::actions::act::{ActError, Person, expand_incidents};
use crate::actions::{assign, dismiss, name, note, silence};
use crate::commands::notify::explain::explain;
use crate::config::Config;
use crate::ledger::tests::seed::{Seed, t};
use crate::ledger::{Ledger, fault, open};
use crate::triage::digest::channel_filter::Only;
use crate::triage::digest::model::{Digest, Reason};
use crate::triage::settings::{Route, TriageRequest, TriageSettings};
use crate::triage::silence::Matcher;
use crate::triage::triage_in;

/// A service that holds the lock and scans, and a user who acts beside it.
pub(crate) struct ServiceFixture {
    pub(crate) seed: Seed,
    pub(crate) ledger: Ledger,
    pub(crate) settings: TriageSettings,
    _lock: crate::ledger::lock::Lock,
    _dir: tempfile::TempDir,
}

impl ServiceFixture {
    pub(crate) async fn new() -> ServiceFixture {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger.db");
        let lock = crate::ledger::lock::Lock::take(&path).unwrap();
        let mut seed = Seed::over(open::writer(&path).unwrap());
        seed.scan(t(-60));
        seed.write(|tx| crate::ledger::meta::set_meta(tx, "baseline_digest", "none")).unwrap();
        seed.batch("b", "completed");
        let rules = crate::classify::rules::decide::Rules::parse("").unwrap();
        let mut settings = TriageSettings::new(&Config::default(), &rules, BTreeMap::new()).unwrap();
        settings.routes = vec![route("oncall", false)];
        ServiceFixture { seed, ledger: Ledger::open_shared(&path).await.unwrap(), settings, _lock: lock, _dir: dir }
    }

    pub(crate) fn triage(&mut self, minutes: i64) -> Option<Digest> {
        self.seed.scan(t(minutes));
        let settings = self.settings.clone();
        self.seed.write(|tx| triage_in(tx, &settings, &TriageRequest::at(t(minutes)))).unwrap()
    }

    pub(crate) fn news(&mut self, minutes: i64) -> Vec<String> {
        let digest = self.triage(minutes);
        let entries = digest.iter().flat_map(|digest| digest.changes.iter().chain(&digest.still_open));
        entries.map(|entry| format!("{} {}", entry.group_id, entry.reason.as_str())).collect()
    }

    fn audit(&self) -> Vec<String> {
        let mut statement = self
            .seed
            .connection
            .prepare("SELECT actor || ' ' || action || ' ' || subject FROM audit ORDER BY audit_id")
            .unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
    }
}

pub(crate) fn route(name: &str, pager: bool) -> Route {
    Route { name: name.into(), only: Only::default(), pager }
}

pub(crate) fn ann(minutes: i64) -> Person {
    Person { name: "ann".into(), now: t(minutes) }
}

fn on(group: &str) -> Matcher {
    Matcher { group: Some(group.into()), ..Matcher::default() }
}

pub(crate) const DAILY: i64 = 1380;

#[tokio::test]
async fn a_silence_holds_news_back_and_its_end_is_reported_once() {
    let mut world = ServiceFixture::new().await;
    world.seed.fail("g", "b", 3, t(1));
    world.seed.fail("other", "b", 1, t(1));
    assert_eq!(world.news(2), ["g new", "other new"]);
    let hour = Some(Duration::from_secs(3600));
    let said = silence::silence(&world.ledger, on("g"), hour, "known, fix is on its way", ann(3)).await.unwrap();
    assert!(said.said.starts_with("Silence 1 on group g until 2026-06-01T11:03:00Z."), "{said:?}");
    world.seed.fail("g", "b", 30, t(20));
    world.seed.fail("third", "b", 1, t(20));
    let digest = world.triage(21).unwrap();
    assert_eq!(digest.changes.len(), 1);
    assert_eq!((digest.silenced.groups, digest.silenced.items), (1, 33));
    assert_eq!(digest.silenced.next_expiry, Some(t(63)));
    // The silence is over: the escalation that it held back is reported rather than its mere end.
    assert_eq!(world.news(64), ["g escalated"]);
    assert!(world.news(90).is_empty());
    silence::silence(&world.ledger, on("g"), hour, "again", ann(91)).await.unwrap();
    assert!(world.news(92).is_empty());
    silence::unsilence(&world.ledger, 2, ann(95)).await.unwrap();
    assert_eq!(world.news(96), ["g silence_expired"]);
    assert!(world.news(120).is_empty());
    assert_eq!(world.audit(), ["ann silence 1", "ann silence 2", "ann unsilence 2"]);
}

#[tokio::test]
async fn a_silence_covers_a_group_only_if_it_covers_all_its_open_items() {
    let mut world = ServiceFixture::new().await;
    world.seed.batch("c", "completed");
    world.seed.fail("g", "b", 2, t(1));
    let matcher = Matcher { batch: Some("b".into()), ..Matcher::default() };
    silence::silence(&world.ledger, matcher, None, "batch b is a drill", ann(1)).await.unwrap();
    assert!(world.news(2).is_empty());
    world.seed.fail("g", "c", 1, t(3));
    assert_eq!(world.news(4), ["g new"]);
}

#[tokio::test]
async fn the_daily_digest_counts_what_silences_keep_out_of_its_table() {
    let mut world = ServiceFixture::new().await;
    world.seed.fail("g", "b", 3, t(1));
    world.seed.fail("other", "b", 1, t(1));
    world.triage(2);
    let long = Some(Duration::from_secs(30 * 86_400));
    silence::silence(&world.ledger, on("g"), long, "vendor is at it", ann(3)).await.unwrap();
    let daily = world.triage(DAILY).unwrap();
    assert_eq!((daily.still_open.len(), daily.silenced.groups, daily.silenced.items), (1, 1, 3));
}

#[tokio::test]
async fn silences_that_make_no_sense_are_refused() {
    let world = ServiceFixture::new().await;
    let refused = |matcher: Matcher, length, reason: &'static str| {
        let ledger = world.ledger.clone();
        async move { silence::silence(&ledger, matcher, length, reason, ann(1)).await.unwrap_err() }
    };
    assert!(matches!(refused(Matcher::default(), None, "r").await, ActError::Refused(_)));
    assert!(matches!(refused(on("g"), None, " ").await, ActError::Refused(_)));
    assert!(matches!(refused(on("g"), Some(Duration::from_secs(31 * 86_400)), "r").await, ActError::Refused(_)));
    assert!(matches!(refused(on("g-unknown"), None, "r").await, ActError::NotFound(_)));
    let missing = silence::unsilence(&world.ledger, 7, ann(1)).await.unwrap_err();
    assert!(matches!(missing, ActError::NotFound(_)));
    assert!(world.audit().is_empty());
}

#[tokio::test]
async fn an_ack_stops_reminders_until_its_episode_ends() {
    let mut world = ServiceFixture::new().await;
    world.seed.fail("g", "b", 3, t(1));
    assert!(matches!(ack::ack(&world.ledger, "g", AckTerms::default(), ann(1)).await, Err(ActError::Refused(_))));
    world.triage(2);
    ack::ack(&world.ledger, "g", AckTerms::default(), ann(3)).await.unwrap();
    // It is listed as open, without being reported again.
    let daily = world.triage(DAILY).unwrap();
    assert_eq!((daily.changes.len(), daily.still_open.len()), (0, 1));
    assert_eq!(daily.still_open[0].why, None);
    world.seed.recover("g", t(DAILY + 10));
    world.triage(DAILY + 20);
    world.seed.fail("g", "b", 1, t(DAILY + 30));
    assert_eq!(world.news(DAILY + 31), ["g regressed"]);
    assert_eq!(world.seed.text("SELECT ended_how FROM ack WHERE author = ?1", "ann"), "closed");
}

#[tokio::test]
async fn escalation_to_the_double_breaks_an_ack() {
    let mut world = ServiceFixture::new().await;
    world.seed.fail("g", "b", 8, t(1));
    world.triage(2);
    ack::ack(&world.ledger, "g", AckTerms::default(), ann(3)).await.unwrap();
    world.seed.fail("g", "b", 7, t(20));
    assert!(world.news(21).is_empty());
    world.seed.fail("g", "b", 1, t(22));
    assert_eq!(world.news(23), ["g escalated"]);
    assert_eq!(world.seed.text("SELECT ended_how FROM ack WHERE author = ?1", "ann"), "escalated");
    assert!(matches!(ack::unack(&world.ledger, "g", ann(24)).await, Err(ActError::Refused(_))));
}

#[tokio::test]
async fn an_ack_until_so_many_more_items_hides_growth_until_they_are_there() {
    let mut world = ServiceFixture::new().await;
    world.seed.fail("g", "b", 3, t(1));
    world.triage(2);
    let until = |text: &str| AckTerms { ends: None, until: Some(text.parse().unwrap()) };
    let said = ack::ack(&world.ledger, "g", until("20x"), ann(3)).await.unwrap();
    assert_eq!(said.said, "g acknowledged at 3 open items: no reminders until it is resolved or has 20 more items.");
    // Far beyond the double, and an escalation; but 20 more is what was asked for.
    world.seed.fail("g", "b", 19, t(20));
    assert!(world.news(21).is_empty());
    let daily = world.triage(DAILY).unwrap();
    assert_eq!((daily.changes.len(), daily.still_open.len()), (0, 1));
    assert_eq!(daily.still_open[0].acked.as_deref(), Some("acknowledged by ann until 20 more items"));
    world.seed.fail("g", "b", 1, t(DAILY + 20));
    let broken = world.triage(DAILY + 21).unwrap();
    let why = "20 more items, limit 20; acknowledged at 3 open items";
    assert_eq!((broken.changes[0].reason, broken.changes[0].why.as_deref()), (Reason::Escalated, Some(why)));
    assert_eq!(broken.changes[0].acked, None);
    assert!(world.news(DAILY + 40).is_empty());
    let detail = world.seed.text("SELECT detail FROM audit WHERE actor = ?1", "ann");
    assert_eq!(detail, r#"{"until":"20x"}"#);
}

#[tokio::test]
async fn an_ack_until_a_rate_counts_only_what_failed_since() {
    let mut world = ServiceFixture::new().await;
    world.seed.fail("g", "b", 8, t(1));
    world.triage(2);
    let terms = AckTerms { ends: None, until: Some("5x/1h".parse().unwrap()) };
    ack::ack(&world.ledger, "g", terms, ann(3)).await.unwrap();
    for n in 1..9 {
        world.seed.fail("g", "b", 1, t(n * 20));
        assert!(world.news(n * 20 + 1).is_empty(), "three an hour are too few");
    }
    world.seed.fail("g", "b", 3, t(170));
    assert_eq!(world.news(171), ["g escalated"]);
}

#[tokio::test]
async fn an_ack_for_a_time_is_over_after_it() {
    let mut world = ServiceFixture::new().await;
    world.seed.fail("g", "b", 3, t(1));
    world.triage(2);
    let terms = AckTerms { ends: t(3).checked_add(Duration::from_secs(86_400)).ok(), until: None };
    ack::ack(&world.ledger, "g", terms, ann(3)).await.unwrap();
    assert_eq!(world.triage(DAILY).unwrap().still_open[0].why, None);
    let reminded = world.triage(DAILY + 1440).unwrap();
    assert!(reminded.still_open[0].why.as_deref().is_some_and(|why| why.starts_with("still open")));
    assert_eq!(reminded.still_open[0].acked, None);
}

#[tokio::test]
async fn dismissing_ends_a_group_by_name_and_can_be_taken_back() {
    let mut world = ServiceFixture::new().await;
    world.seed.fail("g", "b", 3, t(1));
    world.seed.fail("other", "b", 1, t(1));
    world.triage(2);
    assert!(matches!(dismiss::dismiss(&world.ledger, "g", "", ann(3)).await, Err(ActError::Refused(_))));
    dismiss::dismiss(&world.ledger, "g", "test files", ann(3)).await.unwrap();
    let digest = world.triage(DAILY).unwrap();
    assert_eq!(digest.changes[0].why.as_deref(), Some("dismissed 2026-06-01 10:03 UTC (by ann)"));
    assert_eq!(digest.totals.open_items, 1);
    dismiss::undismiss(&world.ledger, "g", "they do matter", ann(DAILY + 1)).await.unwrap();
    let back = world.triage(DAILY + 20).unwrap();
    assert_eq!((back.totals.open_items, back.changes[0].episode), (4, 1));
    assert_eq!(world.audit(), ["ann dismiss g", "ann undismiss g"]);
}

#[tokio::test]
async fn a_group_of_which_all_is_being_retried_is_not_called_empty() {
    let world = ServiceFixture::new().await;
    world.seed.fail("g", "b", 2, t(1));
    world.seed.run("UPDATE item SET state = 'retrying'", []);
    let refused = dismiss::dismiss(&world.ledger, "g", "test files", ann(3)).await.unwrap_err().to_string();
    assert!(refused.contains("every open item of g is being retried"), "{refused}");
}

#[tokio::test]
async fn a_newer_failure_brings_a_dismissed_group_back() {
    let mut world = ServiceFixture::new().await;
    world.seed.fail("g", "b", 1, t(1));
    world.triage(2);
    dismiss::dismiss(&world.ledger, "g", "test files", ann(3)).await.unwrap();
    world.seed.fail("x", "b", 1, t(20));
    assert_eq!(world.news(21), ["x new", "g resolved"]);
    world.seed.fail("g", "b", 1, t(40));
    let digest = world.triage(41).unwrap();
    assert_eq!(digest.changes[0].why.as_deref(), Some("regressed; last time: dismissed 2026-06-01 10:03 UTC (by ann)"));
}

#[tokio::test]
async fn a_note_and_a_name_stay_with_the_group() {
    let mut world = ServiceFixture::new().await;
    world.seed.fail("g", "b", 1, t(1));
    note::add_note(&world.ledger, "g", "ask the vendor, ticket 4711", ann(1)).await.unwrap();
    name::rename(&world.ledger, "g", "Vendor outage", ann(1)).await.unwrap();
    let entry = world.triage(2).unwrap().changes.remove(0);
    assert_eq!(entry.note.as_deref(), Some("ask the vendor, ticket 4711 (ann)"));
    assert_eq!(entry.title, "Vendor outage");
    assert_eq!(world.audit(), ["ann note g", "ann rename g"]);
}

#[tokio::test]
async fn a_fault_is_reported_when_it_begins_and_when_it_ends() {
    let mut world = ServiceFixture::new().await;
    let raise = |world: &mut ServiceFixture, m| {
        world.seed.write(|tx| fault::raise(tx, "scan:prod", "401: renew the key", t(m))).unwrap()
    };
    raise(&mut world, 1);
    let told = world.triage(2).unwrap();
    assert_eq!((told.faults.len(), told.faults[0].ended, told.totals.faults), (1, false, 1));
    raise(&mut world, 20);
    assert_eq!(world.triage(21), None);
    // It ended and recurred before it was reported: it counts as one fault.
    world.seed.write(|tx| fault::clear(tx, "scan:prod", t(22))).unwrap();
    raise(&mut world, 23);
    assert_eq!(world.triage(24), None);
    // Over for an hour, although that was never reported: when it recurs, it is news.
    world.seed.write(|tx| fault::clear(tx, "scan:prod", t(24))).unwrap();
    raise(&mut world, 85);
    let again = world.triage(86).unwrap();
    assert_eq!((again.faults.len(), again.faults[0].since), (1, t(85)));
    world.seed.write(|tx| fault::clear(tx, "scan:prod", t(90))).unwrap();
    world.seed.fail("g", "b", 1, t(91));
    let ended = world.triage(102).unwrap();
    assert!(ended.faults[0].ended);
    assert_eq!(world.triage(DAILY).unwrap().faults, []);
}

#[tokio::test]
async fn merging_groups_is_no_news() {
    let mut world = ServiceFixture::new().await;
    world.seed.fail("old", "b", 3, t(1));
    world.seed.fail("young", "b", 40, t(1));
    world.triage(2);
    ack::ack(&world.ledger, "young", AckTerms::default(), ann(3)).await.unwrap();
    note::add_note(&world.ledger, "young", "see runbook", ann(3)).await.unwrap();
    world.seed.write(|tx| {
        let key = |id: &str| crate::grouping::store_group::key(tx, id).unwrap().unwrap();
        crate::grouping::store_group::merge(tx, key("young"), key("old")).unwrap();
    });
    assert_eq!(world.triage(30), None);
    let daily = world.triage(DAILY).unwrap();
    assert_eq!(daily.changes, []);
    assert_eq!((daily.still_open.len(), daily.still_open[0].open_items), (1, 43));
    assert_eq!(daily.still_open[0].note.as_deref(), Some("see runbook (ann)"));
    let found = name::rename(&world.ledger, "young", "One cause", ann(DAILY)).await.unwrap();
    assert_eq!(found.said, "old renamed.");
}

#[tokio::test]
async fn a_merge_breaks_no_ack_but_unreported_items_count() {
    let mut world = ServiceFixture::new().await;
    world.seed.fail("old", "b", 3, t(1));
    world.seed.fail("young", "b", 40, t(1));
    world.triage(2);
    let terms = AckTerms { ends: None, until: Some("20x".parse().unwrap()) };
    ack::ack(&world.ledger, "old", terms, ann(3)).await.unwrap();
    world.seed.fail("young", "b", 5, t(20));
    world.seed.write(|tx| {
        let key = |id: &str| crate::grouping::store_group::key(tx, id).unwrap().unwrap();
        crate::grouping::store_group::merge(tx, key("young"), key("old")).unwrap();
    });
    assert_eq!(world.triage(30), None);
    world.seed.fail("old", "b", 14, t(40));
    assert!(world.news(41).is_empty());
    world.seed.fail("old", "b", 1, t(60));
    let broken = world.triage(61).unwrap();
    let why = "20 more items, limit 20; acknowledged at 3 open items";
    assert_eq!(broken.changes[0].why.as_deref(), Some(why));
}

#[tokio::test]
async fn downtime_is_reported_in_the_next_digest() {
    let mut world = ServiceFixture::new().await;
    world.seed.fail("g", "b", 1, t(1));
    for minutes in (-55..3).step_by(5) {
        world.triage(minutes);
    }
    world.seed.fail("late", "b", 1, t(180));
    let digest = world.triage(185).unwrap();
    let gap = digest.remarks.iter().find(|remark| remark.text.starts_with("No scans for")).unwrap();
    let gap = &gap.text;
    assert!(gap.starts_with("No scans for 3 h 5 min, from 2026-06-01 10:00 UTC to"), "{gap}");
    let now: Timestamp = t(210);
    world.seed.fail("later", "b", 1, now);
    assert!(world.triage(211).unwrap().remarks.is_empty());
}

#[tokio::test]
async fn an_assignment_is_shown_while_its_episode_lasts_and_is_kept_with_it() {
    let mut world = ServiceFixture::new().await;
    world.seed.fail("g", "b", 3, t(1));
    world.seed.fail("other", "b", 1, t(1));
    world.triage(2).unwrap();
    let ticket = Some("https://tickets.example/4711");
    assert!(matches!(
        assign::assign(&world.ledger, "g", "Ann", Some("javascript:alert(1)"), ann(3)).await,
        Err(ActError::Refused(_))
    ));
    let said = assign::assign(&world.ledger, "g", "Ann Example", ticket, ann(3)).await.unwrap().said;
    assert!(said.contains("Ann Example (https://tickets.example/4711)"), "{said}");
    assign::assign(&world.ledger, "other", "Bo", None, ann(3)).await.unwrap();
    let daily = world.triage(DAILY).unwrap();
    let entry = daily.still_open.iter().find(|entry| entry.group_id == "g").unwrap();
    assert_eq!((entry.assigned.as_deref(), entry.ticket.as_deref()), (Some("Ann Example"), ticket));
    world.seed.recover("g", t(DAILY + 20));
    world.triage(DAILY + 21);
    world.seed.fail("g", "b", 1, t(DAILY + 60));
    let again = world.triage(DAILY + 100).unwrap();
    let entry = again.changes.iter().find(|entry| entry.group_id == "g").unwrap();
    assert_eq!((entry.episode, entry.assigned.as_deref()), (2, None), "the next episode begins with no one");
    let kept: String = world
        .seed
        .connection
        .query_row(
            "SELECT assigned FROM episode e JOIN error_group USING (group_key) WHERE group_id = 'g' AND ordinal = 1",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(kept, "Ann Example");
    assign::unassign(&world.ledger, "other", ann(DAILY + 101)).await.unwrap();
    assert!(matches!(assign::unassign(&world.ledger, "other", ann(DAILY + 102)).await, Err(ActError::Refused(_))));
}

#[tokio::test]
async fn an_act_on_an_incident_is_done_to_its_open_groups_and_explained() {
    let mut world = ServiceFixture::new().await;
    (0..4).for_each(|n| world.seed.fail(&format!("g{n}"), "b", 8, t(10 + n)));
    let incident = world.triage(15).unwrap().incidents.remove(0).incident_id;
    world.seed.recover("g3", t(16));
    world.triage(17);
    let ids = expand_incidents(&world.ledger, &[incident[..6].to_owned(), "other".into()]).await.unwrap();
    assert_eq!(ids, ["g0", "g1", "g2", "other"]);
    let unknown = expand_incidents(&world.ledger, &["n-none".into()]).await.unwrap_err();
    assert!(matches!(unknown, ActError::NotFound(_)), "{unknown}");
    let request = || TriageRequest::at(t(18));
    let explained = explain(&world.ledger, &world.settings, request(), &incident).await.unwrap().join("\n");
    for part in ["Page: yes: 32 items and 100 %", "It was reported, as a page", "News: none", "Channel oncall: gets it"]
    {
        assert!(explained.contains(part), "{explained}");
    }
    let of_group = explain(&world.ledger, &world.settings, request(), "g0").await.unwrap().join("\n");
    assert!(of_group.contains(&format!("part of {incident}, which pages for all its groups")), "{of_group}");
    let nothing_changed = world.seed.number("SELECT count(*) FROM digest WHERE digest_id <> ?1", "");
    assert_eq!(nothing_changed, 1);
}
