//! The rules of `batch_api`, in tables.

use BatchApi::{V1Beta, V2};
use ListOutcome::{Failed, NotFound, Read};
use strum::VariantArray as _;

use super::*;

const WITH_BATCHES: ListOutcome = Read { active: true };
const EMPTY: ListOutcome = Read { active: false };

fn at(minute: i64) -> Timestamp {
    Timestamp::from_second(1_780_000_000 + 60 * minute).unwrap()
}

/// The states after these scans, five minutes apart, and what the last one found.
fn after(scans: &[&[(BatchApi, ListOutcome)]]) -> (ApiStates, Vec<ApiFinding>) {
    let (mut states, mut found) = (ApiStates::default(), Vec::new());
    for (n, asked) in scans.iter().enumerate() {
        let (next, findings) = conclude(&states, asked, at(5 * i64::try_from(n).unwrap()));
        states = next;
        found = findings.into_iter().map(|(_, finding)| finding).collect();
    }
    (states, found)
}

fn due(states: &ApiStates, minute: i64) -> Vec<BatchApi> {
    states.lists_due(BatchApi::VARIANTS, |_| false, false, at(minute))
}

#[test]
fn the_prefix_of_an_id_tells_its_api_and_its_twin() {
    let uuid = "7c9e6679-7425-40de-944b-e07fc1f90ae7";
    for (id, api) in [("bat-1", V2), ("pjb-1", V2), ("ext-1", V2), ("bjb-1", V1Beta), ("1", V1Beta), ("", V1Beta)] {
        assert_eq!(BatchApi::of_batch(id), api, "{id}");
    }
    assert_eq!(twin_id(&format!("bjb-{uuid}")), Some(format!("bat-{uuid}")));
    assert_eq!(twin_id(&format!("bat-{uuid}")), Some(format!("bjb-{uuid}")));
    for id in ["", "bat", "bat-1", "äää-1", &format!("pjb-{uuid}")] {
        assert_eq!(twin_id(id), None, "{id}");
    }
}

#[test]
fn both_lists_are_read_until_it_is_known_what_is_there() {
    assert_eq!(due(&ApiStates::default(), 0), [V2, V1Beta]);
    let (unreached, found) = after(&[&[(V2, Failed), (V1Beta, Failed)]]);
    assert_eq!((unreached, found), (ApiStates::default(), vec![ApiFinding::Failed, ApiFinding::Failed]));
}

#[test]
fn a_list_with_batches_is_read_in_each_scan_and_a_silent_one_about_hourly() {
    let (both, _) = after(&[&[(V2, WITH_BATCHES), (V1Beta, WITH_BATCHES)]]);
    assert_eq!(due(&both, 5), [V2, V1Beta]);
    for silent in [EMPTY, NotFound(404)] {
        let (states, found) = after(&[&[(V2, silent), (V1Beta, WITH_BATCHES)]]);
        assert!(matches!(found[0], ApiFinding::Read | ApiFinding::NotThere), "{silent:?}: {found:?}");
        assert_eq!(due(&states, 59), [V1Beta], "{silent:?}");
        assert_eq!(due(&states, 60), [V2, V1Beta], "{silent:?}");
        assert_eq!(due(&states, -5), [V2, V1Beta], "{silent:?}: the clock was set back");
    }
    let (neither, _) = after(&[&[(V2, EMPTY), (V1Beta, EMPTY)]]);
    assert_eq!(due(&neither, 5), [V2], "one list is always read");
    assert_eq!(neither.lists_due(BatchApi::VARIANTS, |api| api == V1Beta, false, at(5)), [V1Beta], "it is awaited");
    assert_eq!(neither.lists_due(BatchApi::VARIANTS, |_| false, true, at(5)), [V2, V1Beta], "the whole list is due");
    let (only_v2, _) = after(&[&[(V2, EMPTY), (V1Beta, NotFound(410))]]);
    assert_eq!(
        only_v2.lists_due(BatchApi::VARIANTS, |_| true, true, at(5)),
        [V2],
        "what does not exist is not followed"
    );
    assert_eq!(ApiStates::default().lists_due(&[V1Beta], |_| false, false, at(5)), [V1Beta]);
}

#[test]
fn an_api_that_answered_is_absent_once_its_list_is_missing_for_ten_minutes() {
    let there: &[_] = &[(V2, WITH_BATCHES), (V1Beta, WITH_BATCHES)];
    let gone: &[_] = &[(V2, WITH_BATCHES), (V1Beta, NotFound(404))];
    let (doubted, found) = after(&[there, gone]);
    assert_eq!(found, [ApiFinding::Read, ApiFinding::Unclear]);
    assert!(doubted.get(V1Beta).is_missing() && due(&doubted, 10) == [V2, V1Beta]);
    assert_eq!(after(&[there, gone, gone]).1, [ApiFinding::Read, ApiFinding::Unclear], "after five minutes");
    assert_eq!(after(&[there, gone, gone, gone]).1, [ApiFinding::Read, ApiFinding::WentAway]);
    let (absent, found) = after(&[there, gone, gone, gone, gone]);
    assert_eq!(found, [ApiFinding::Read, ApiFinding::NotThere], "it goes away once");
    assert_eq!((absent.get(V1Beta).since, absent.get(V1Beta).status), (Some(at(15)), Some(404)));
    let between = after(&[there, gone, gone, there, gone]);
    assert_eq!(between.1, [ApiFinding::Read, ApiFinding::Unclear], "it was there between");
    let (back, found) = after(&[there, gone, gone, gone, there]);
    assert_eq!((found[1], back.get(V1Beta).presence), (ApiFinding::Read, Presence::Present));
    assert_eq!(back.get(V1Beta).since, Some(at(20)));
}

#[test]
fn however_often_a_missing_list_is_asked_for_only_time_ends_its_api() {
    let gone = [(V2, WITH_BATCHES), (V1Beta, NotFound(404))];
    let (mut states, _) = after(&[&[(V2, WITH_BATCHES), (V1Beta, WITH_BATCHES)]]);
    for second in 0..600 {
        let (next, findings) = conclude(&states, &gone, at(1) + SignedDuration::from_secs(second));
        states = next;
        assert_eq!((states.get(V1Beta).presence, findings[1].1), (Presence::Present, ApiFinding::Unclear), "{second}");
        assert!(due(&states, 2).contains(&V1Beta), "it is asked in each scan");
    }
    // The time was written by a clock that was ahead: it begins anew.
    let set_back = conclude(&states, &gone, at(0)).0;
    assert_eq!((set_back.get(V1Beta).presence, set_back.get(V1Beta).asked_at), (Presence::Present, Some(at(0))));
    assert_eq!(conclude(&states, &gone, at(11)).1[1].1, ApiFinding::WentAway);
}

#[test]
fn nothing_is_concluded_where_no_list_can_be_read() {
    let there: &[_] = &[(V2, WITH_BATCHES), (V1Beta, WITH_BATCHES)];
    let before = after(&[there]).0;
    for asked in [[NotFound(404), NotFound(404)], [Failed, NotFound(404)]] {
        let (states, findings) = conclude(&before, &[(V2, asked[0]), (V1Beta, asked[1])], at(5));
        assert_eq!(states, before, "{asked:?}");
        let open = |(_, finding): &(BatchApi, ApiFinding)| matches!(finding, ApiFinding::Unclear | ApiFinding::Failed);
        assert!(findings.iter().all(open), "{asked:?}");
    }
}

#[test]
fn a_refusal_is_no_absence_and_a_failed_probe_no_loss() {
    let read_and_failed: &[_] = &[(V1Beta, WITH_BATCHES), (V2, Failed)];
    assert_eq!(after(&[read_and_failed]).1, [ApiFinding::Read, ApiFinding::Failed], "it was never known not to exist");
    let (states, found) = after(&[&[(V1Beta, WITH_BATCHES), (V2, NotFound(404))], read_and_failed]);
    assert_eq!(found, [ApiFinding::Read, ApiFinding::ProbeFailed]);
    assert_eq!(due(&states, 10), [V1Beta], "the next probe is an hour later");
}

#[test]
fn a_page_in_place_of_a_list_that_was_there_never_ends_its_api() {
    let maintenance = [(V2, NotFound(200)), (V1Beta, WITH_BATCHES)];
    let both = [(V2, WITH_BATCHES), (V1Beta, WITH_BATCHES)];
    let (states, found) = after(&[&both, &maintenance, &maintenance, &maintenance]);
    assert_eq!((states.get(V2).presence, found[0]), (Presence::Present, ApiFinding::Unclear));
    assert_eq!(due(&states, 16), [V2, V1Beta], "it is asked in each scan");
    let (states, _) = after(&[&maintenance]);
    assert_eq!(states.get(V2).presence, Presence::Absent, "where it never answered, it is the page of another service");
}
