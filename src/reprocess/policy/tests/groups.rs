use super::*;
use crate::config::reprocess::Unknown;
use crate::reprocess::policy::belief::{Belief, Prior, TryResult::*};
use crate::reprocess::policy::group::Turn;
use crate::reprocess::policy::hold::{Account, EndedTry, HOLD, HoldReason, hold, is_proven};

fn turn(group: &GroupFacts, minute: i64) -> Turn {
    group.outlook(&settings(), at(minute)).turn
}

#[test]
fn a_share_of_one_half_gives_steps_of_five_twenty_and_eighty() {
    let room = |recovered, lost| {
        let tries = [tries(recovered, 1, 0, 0, Recovered), tries(lost, 1, 0, 0, Lost)].concat();
        Belief::of(&tries, 1, Prior::Open, at(0)).room(0.25)
    };
    assert_eq!([room(0, 0), room(1, 0), room(6, 0), room(26, 0)], [2, 5, 20, 80]);
    assert_eq!([room(0, 2), room(0, 3)], [1, 0], "at what it must be worth one more goes, below it none");
    assert_eq!(room(1, 5), 1);
}

#[test]
fn what_first_tries_showed_counts_half_after_twelve_hours_and_later_ones_after_a_week() {
    let share = |number, hours: i64| {
        let tries = tries(2, number, 0, 0, Lost);
        Belief::of(&tries, number, Prior::Open, at(hours * 60)).share()
    };
    assert!((share(1, 0) - 0.25).abs() < 1e-9);
    assert!((share(1, 12) - 1.0 / 3.0).abs() < 1e-9);
    assert!((share(2, 7 * 24) - 1.0 / 3.0).abs() < 1e-9);
    let passing = Belief::of(&[], 1, Prior::Passing, at(0)).share();
    assert!((passing - 0.8).abs() < 1e-9);
}

#[test]
fn a_group_rests_longer_after_each_lost_probe_until_a_person_decides() {
    let (mut group, mut minute, mut waited) = (group(Class::Unknown, 100, Vec::new()), 0, Vec::new());
    loop {
        match turn(&group, minute) {
            Turn::Probe => {
                group.tries.extend(tries(1, 1, minute, minute + 5, Lost));
                minute += 5;
            }
            Turn::Rests(until) => {
                waited.push((until - at(minute)).as_hours());
                assert_eq!(turn(&group, minute + 59), Turn::Rests(until));
                minute = until.as_second() / 60;
            }
            Turn::PersonDecides(since) => {
                assert_eq!((since, group.tries.len()), (at(minute), 6));
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(waited, [1, 3, 9, 27, 48]);
    let said = group.outlook(&settings(), at(minute)).to_string();
    assert!(
        said.starts_with("0 of 6 first tries recovered (belief 0.") && said.contains("6 of 6 probes lost"),
        "{said}"
    );
    group.others_recovered_at = Some(at(minute + 1));
    assert_eq!(turn(&group, minute + 2), Turn::Probe, "a document completed without a retry");
}

#[test]
fn never_more_than_half_of_a_group_is_lost_but_a_single_document_has_three_tries() {
    for (documents, most) in [(1, 3), (6, 3), (7, 4), (11, 6), (1_000, 6)] {
        let lost = (0..most).map(|n| tries(1, 1, n * 1_000, n * 1_000 + 5, Lost)).collect();
        let group = group(Class::Unknown, documents, lost);
        assert!(matches!(turn(&group, 100_000), Turn::PersonDecides(_)), "{documents}");
        let fewer = GroupFacts { tries: group.tries[1..].to_vec(), ..group };
        assert_eq!(turn(&fewer, 100_000), Turn::Probe, "{documents}");
    }
}

#[test]
fn a_recovered_probe_starts_the_ramp_and_too_few_recoveries_end_it() {
    let one = tries(1, 1, 0, 5, Recovered);
    assert_eq!(turn(&group(Class::Unknown, 100, vec![one.clone()]), 5), Turn::Step([5, 2, 2]));
    let under_way = tries(5, 1, 15, 0, Running);
    assert_eq!(turn(&group(Class::Unknown, 100, vec![one.clone(), under_way]), 20), Turn::Running);
    let lost = tries(4, 1, 15, 20, Lost);
    let group = group(Class::Unknown, 100, vec![one, lost]);
    assert!(matches!(turn(&group, 20), Turn::Step([1, ..])), "two of seven are worth it");
    let worse = GroupFacts { tries: [group.tries.clone(), tries(3, 1, 30, 35, Lost)].concat(), ..group };
    assert_eq!(turn(&worse, 35), Turn::Rests(at(95)));
    assert_eq!(turn(&worse, 95), Turn::Probe);
}

#[test]
fn later_tries_have_a_belief_of_their_own() {
    let first = tries(20, 1, 0, 5, Recovered);
    let lost_again = tries(4, 2, 10, 15, Lost);
    let Turn::Step([first_room, second, third]) =
        turn(&group(Class::Unknown, 100, vec![first.clone(), lost_again]), 20)
    else {
        panic!("the group is ramping");
    };
    assert!(first_room > 20);
    assert_eq!((second, third), (0, 2), "documents that failed again are left, the group is not");
    let recovered = tries(2, 2, 10, 15, Recovered);
    assert!(matches!(turn(&group(Class::Unknown, 100, vec![first, recovered]), 20), Turn::Step([_, 8, _])));
}

#[test]
fn what_is_said_of_a_group_names_only_documents_that_are_there() {
    let said = |documents, recovered: usize| {
        let all = vec![tries(1, 1, 0, 5, Recovered), tries(recovered, 1, 10, 15, Recovered), tries(3, 1, 10, 15, Lost)];
        let group = GroupFacts { failed: [3, 0, 0], ..group(Class::Unknown, documents, all) };
        group.outlook(&settings(), at(20)).to_string()
    };
    assert!(said(13, 7).ends_with(": next up to 2"), "{}", said(13, 7));
    assert!(said(11, 7).ends_with(": its 3 open documents failed again"), "{}", said(11, 7));
}

#[test]
fn documents_that_failed_all_tries_are_left_to_a_person_while_their_group_goes_on() {
    let recovered = tries(20, 1, 0, 5, Recovered);
    let facts =
        |later: Vec<Try>, failed| GroupFacts { failed, ..group(Class::Unknown, 60, vec![recovered.clone(), later]) };
    let outlook = |group: &GroupFacts| group.outlook(&settings(), at(20));
    let going_on = outlook(&facts(Vec::new(), [4, 2, 3]));
    assert_eq!((going_on.given_up, going_on.untried), (3, 31), "three tries are all that a document has");
    assert!(going_on.to_string().ends_with("; a person decides about 3 that failed all tries"), "{going_on}");
    let second_in_vain = outlook(&facts(tries(4, 2, 10, 15, Lost), [4, 2, 3]));
    assert_eq!(second_in_vain.given_up, 7, "too few second tries recover for the four");
    assert_eq!(second_in_vain.undecided(), 7);
}

#[test]
fn what_only_people_retry_is_said_to_be_so_whatever_was_lost() {
    let lost: Vec<Try> = (0..6).flat_map(|n| tries(1, 1, n * 10, n * 10 + 5, Lost)).collect();
    let facts = GroupFacts { failed: [6, 0, 0], ..group(Class::PermanentInput, 100, vec![lost]) };
    let outlook = facts.outlook(&settings(), at(100));
    assert!(outlook.to_string().ends_with("; class permanent-input is not retried automatically"), "{outlook}");
    assert_eq!((outlook.decision_since(), outlook.undecided()), (None, 0), "there is nothing to decide");
    let unknown = GroupFacts { class: Class::Unknown, ..facts.clone() };
    let with = |config: ReprocessConfig| unknown.outlook(&config, at(100)).to_string();
    assert!(with(settings()).contains("waits for a decision"));
    let asked = with(ReprocessConfig { unknown: Unknown::Plan, ..settings() });
    assert!(asked.ends_with("; class unknown is not retried automatically"), "{asked}");
    let by_hand = with(ReprocessConfig::default());
    assert!(by_hand.ends_with("; nothing is retried automatically, see `mode`"), "{by_hand}");
}

#[test]
fn throttled_and_cancelled_tries_count_neither_way_and_refused_parameters_as_a_lost_probe() {
    assert_eq!(turn(&group(Class::Unknown, 100, vec![tries(1, 1, 0, 5, Neutral)]), 5), Turn::Probe);
    let refused = tries(1, 1, 0, 0, Refused);
    assert_eq!(turn(&group(Class::Unknown, 100, vec![refused]), 5), Turn::Rests(at(60)));
}

#[test]
fn a_storm_of_lost_retries_holds_everything_for_half_an_hour() {
    let ended = |groups: usize, lost: usize| -> Vec<EndedTry> {
        let one = |n: usize| EndedTry { at: at(10), group_id: format!("g-{}", n % groups), lost: n < lost };
        (0..20).map(one).collect()
    };
    let until = at(10) + HOLD;
    assert_eq!(hold(at(11), &ended(3, 6), &[]), Some((HoldReason::Storm, until)));
    assert_eq!(hold(until, &ended(3, 6), &[]), None, "it is over, though the same hour still shows it");
    assert_eq!(hold(at(11), &ended(2, 6), &[]), None);
    assert_eq!(hold(at(11), &ended(3, 5), &[]), None);
    assert_eq!(hold(at(11), &ended(3, 6)[..19], &[]), None);
}

#[test]
fn an_incident_holds_everything_for_half_an_hour_after_it_was_noticed() {
    assert_eq!(hold(at(5), &[], &[at(4)]), Some((HoldReason::Incident, at(4) + HOLD)));
    assert_eq!(hold(at(34), &[], &[at(4)]), None, "then probing continues, although it is open");
    assert_eq!(hold(at(34), &[], &[at(4), at(20)]), Some((HoldReason::Incident, at(20) + HOLD)));
    assert_eq!(hold(at(3), &[], &[at(4)]), None, "what another clock saw is no incident of now");
}

#[test]
fn an_account_is_stopped_by_proof_and_resumes_later_after_each_time_in_vain() {
    assert!(is_proven(3, 2, false));
    assert!(!is_proven(2, 2, false) && !is_proven(3, 1, false) && !is_proven(30, 20, true));
    for (in_vain, margin) in [(0, 30), (1, 60), (2, 120)] {
        let stopped = Account { stopped_since: Some(at(0)), in_vain, ..Account::default() };
        assert!(!stopped.is_proven_by(at(margin)) && stopped.is_proven_by(at(margin + 1)), "{margin}");
    }
    assert!(!Account::default().is_proven_by(at(1_000)), "it works");
}
