//! The rule alone, and worlds drawn at random whose causes are known: how many incidents are found, and how many are none.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use crate::triage::incident::rule::*;

fn t(minutes: i64) -> Timestamp {
    Timestamp::from_second(1_780_000_000 + minutes * 60).unwrap()
}

fn names(projects: &[&str]) -> BTreeSet<String> {
    projects.iter().map(|name| (*name).to_owned()).collect()
}

fn onset(group_key: i64, minutes: i64) -> Onset {
    Onset { group_key, at: t(minutes), projects: names(&["prod"]), incident: None, is_late: false }
}

fn of(incident: &str, onset: Onset) -> Onset {
    Onset { incident: Some(incident.to_owned()), ..onset }
}

fn open(incident_id: &str, from: i64, until: i64, group_keys: &[i64]) -> OpenIncident {
    OpenIncident {
        incident_id: incident_id.to_owned(),
        started_at: t(from),
        last_failure_at: t(until),
        group_keys: group_keys.iter().copied().collect(),
        projects: names(&["prod"]),
    }
}

#[test]
fn groups_that_begin_within_minutes_of_each_other_are_one_cluster() {
    let onsets: Vec<Onset> =
        [(1, 0), (2, 5), (3, 10), (4, 20), (5, 31), (6, 32)].map(|(key, at)| onset(key, at)).to_vec();
    let found = assign(&onsets, &[]);
    assert_eq!(found, Assignment { candidates: vec![vec![0, 1, 2, 3]], joins: Vec::new() });
    let twice = [onset(1, 0), onset(1, 1), onset(2, 2)];
    assert_eq!(
        assign(&twice, &[]),
        Assignment::default(),
        "two groups are no cluster, however often one of them begins"
    );
}

#[test]
fn groups_that_follow_each_other_all_day_are_no_cluster() {
    let onsets: Vec<Onset> = (0..60).map(|key| onset(key, 9 * key)).collect();
    assert_eq!(assign(&onsets, &[]), Assignment::default());
}

#[test]
fn the_order_in_which_onsets_are_read_does_not_matter() {
    let mut onsets: Vec<Onset> = (0..6).map(|key| onset(key, (key * 7) % 20)).collect();
    let times = |onsets: &[Onset]| {
        let found = assign(onsets, &[]).candidates;
        found
            .iter()
            .map(|cluster| cluster.iter().map(|place| onsets[*place].group_key).collect())
            .collect::<Vec<Vec<_>>>()
    };
    let before = times(&onsets);
    onsets.reverse();
    assert_eq!(times(&onsets), before);
}

#[test]
fn a_single_group_does_not_make_one_incident_of_two() {
    let minutes = [0, 2, 5, 13, 20, 22, 24];
    let onsets: Vec<Onset> = (0..).zip(minutes).map(|(key, at)| onset(key, at)).collect();
    assert_eq!(assign(&onsets, &[]).candidates, [vec![0, 1, 2], vec![3, 4, 5, 6]], "it stays with the nearer one");
    let two: Vec<Onset> = onsets.iter().filter(|onset| onset.group_key > 0).cloned().collect();
    assert_eq!(assign(&two, &[]).candidates.len(), 1, "the first part alone is no incident");
}

#[test]
fn onsets_join_the_incident_that_they_are_in_the_cluster_of() {
    let core = [(1, 0), (2, 1), (3, 2)].map(|(key, at)| of("n-1", onset(key, at)));
    let onsets: Vec<Onset> =
        core.into_iter().chain([(4, 8), (5, 9), (6, 10)].map(|(key, at)| onset(key, at))).collect();
    let found = assign(&onsets, &[open("n-1", 0, 3, &[1, 2, 3])]);
    assert!(found.candidates.is_empty());
    let joined: Vec<(i64, bool)> =
        found.joins.iter().map(|join| (onsets[join.place].group_key, join.is_late)).collect();
    assert_eq!(joined, [(4, false), (5, false), (6, false)]);
}

#[test]
fn a_late_group_joins_while_the_incident_fails_and_a_late_cluster_is_another_one() {
    let incident = open("n-1", 0, 35, &[1, 2, 3]);
    let joins = |onset: Onset| {
        let joins = assign(&[onset], std::slice::from_ref(&incident)).joins;
        joins.first().map(|join| (join.incident.clone(), join.is_late))
    };
    assert_eq!(joins(onset(4, 40)), Some(("n-1".to_owned(), true)));
    assert_eq!(joins(onset(4, 46)), None, "it fails no more");
    assert_eq!(joins(Onset { projects: names(&["other"]), ..onset(4, 20) }), None, "elsewhere");
    assert_eq!(joins(onset(2, 60)), Some(("n-1".to_owned(), false)), "its own group escalates");
    let cluster = [onset(4, 20), onset(5, 21), onset(6, 22)];
    assert_eq!(assign(&cluster, std::slice::from_ref(&incident)).candidates, [vec![0, 1, 2]]);
    // The first two were seen by an earlier scan, which took them for late ones.
    let taken = |onset: Onset| Onset { is_late: true, ..of("n-1", onset) };
    let cluster = [taken(onset(4, 20)), taken(onset(5, 21)), onset(6, 22)];
    assert_eq!(assign(&cluster, &[incident]).candidates, [vec![0, 1, 2]]);
}

#[test]
fn few_groups_few_items_and_a_small_share_are_no_incident() {
    let share = |items, ended| Share { items, ended };
    assert!(is_incident(5, share(147, 270)));
    assert!(is_incident(3, share(6, 40)));
    for (groups, items, ended) in [(2, 147, 270), (3, 5, 5), (3, 6, 41), (3, 149, 1_000), (3, 0, 0)] {
        assert!(!is_incident(groups, share(items, ended)), "{groups} {items} {ended}");
    }
    let said = arithmetic(5, SignedDuration::from_mins(12), share(147, 270));
    assert_eq!(
        said,
        "5 groups began within 12 min; 147 of 270 items that ended failed in them (54 %); limit 3 groups and 15 %"
    );
}

#[test]
fn broken_documents_count_for_no_incident() {
    for (class, expected) in [
        ("transient", true),
        ("account", true),
        ("config", true),
        ("unknown", true),
        ("a later version's", true),
        ("permanent-input", false),
        ("done", false),
        ("cancelled", false),
    ] {
        assert_eq!(counts(class), expected, "{class}");
    }
}

#[test]
fn an_incident_is_over_once_later_work_succeeds_and_not_because_nothing_runs() {
    let progress = |all_ended, completed_since| Progress { last_failure_at: t(0), all_ended, completed_since };
    assert!(is_over(&progress(false, true), t(30)));
    assert!(!is_over(&progress(false, true), t(29)));
    assert!(!is_over(&progress(false, false), t(9_999)));
    assert!(is_over(&progress(true, false), t(1)));
}

#[test]
fn completed_items_are_counted_by_the_time_that_their_batch_shares() {
    let batch = |from, until, completed| BatchWork { began_at: t(from), until: t(until), completed };
    let counted = |batch| completed_in(&[batch], t(10), t(20));
    assert_eq!(counted(batch(10, 20, 40)), 40);
    assert_eq!(counted(batch(0, 40, 40)), 10);
    assert_eq!(counted(batch(0, 15, 30)), 10);
    assert_eq!((counted(batch(0, 9, 30)), counted(batch(21, 30, 30))), (0, 0));
    assert_eq!((counted(batch(15, 15, 30)), counted(batch(25, 25, 30))), (30, 0));
    assert_eq!(window(t(0), t(0), t(60)), (t(0), t(10)), "what failed at once is held against some minutes");
    assert_eq!(window(t(0), t(25), t(60)), (t(0), t(25)));
}

/// Numbers drawn from a seed (splitmix64).
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, n: i64) -> i64 {
        i64::try_from(self.next() % u64::try_from(n).unwrap()).unwrap()
    }

    fn between(&mut self, from: i64, to: i64) -> i64 {
        from + self.below(to - from + 1)
    }

    fn chance(&mut self, percent: i64) -> bool {
        self.below(100) < percent
    }
}

/// Why items fail: for so long, in these projects, so many of a hundred, in these groups of unlike size.
struct Cause {
    from: i64,
    until: i64,
    projects: Vec<usize>,
    percent: i64,
    groups: Vec<i64>,
}

/// An account for eight hours: its batches, its causes, and each failure by second, project and group.
struct World {
    projects: usize,
    batches: Vec<(usize, i64, i64, u64)>,
    causes: Vec<Cause>,
    failures: Vec<(i64, usize, i64)>,
}

const HOURS: i64 = 8;

/// Draws up to three causes, half of the later ones within the hour of the one before; noise of one new group an hour.
fn world(seed: u64) -> World {
    let mut draw = Draw(seed);
    let projects = usize::try_from(draw.between(1, 4)).unwrap();
    let mut causes = Vec::new();
    let mut from = draw.between(30, 120);
    for n in 0..draw.between(0, 3) {
        let until = from + draw.between(8, 45);
        let all: Vec<usize> = (0..projects).collect();
        let projects = if draw.chance(50) { all } else { vec![usize::try_from(draw.below(all.len() as i64)).unwrap()] };
        let groups = (0..draw.between(3, 7)).map(|group| 100 * (n + 1) + group).collect();
        causes.push(Cause { from, until, projects, percent: draw.between(25, 100), groups });
        from = if draw.chance(50) { from + draw.between(25, 59) } else { until + draw.between(60, 150) };
    }
    let mut world = World { projects, batches: Vec::new(), causes, failures: Vec::new() };
    for project in 0..projects {
        fill(&mut world, project, &mut draw);
    }
    for minute in 0..HOURS * 60 {
        if draw.below(60) == 0 {
            let project = usize::try_from(draw.below(projects as i64)).unwrap();
            for n in 0..draw.between(1, 3) {
                world.failures.push((minute * 60 + n, project, 10_000 + minute));
            }
        }
    }
    world.failures.sort_unstable();
    world
}

/// A batch after the other: of 20 to 120 items within 10 to 60 minutes. What a cause does not fail completes.
fn fill(world: &mut World, project: usize, draw: &mut Draw) {
    let mut began = draw.below(10) * 60;
    while began < HOURS * 3600 {
        let (items, length) = (draw.between(20, 120), draw.between(10, 60) * 60);
        let mut completed = 0;
        for item in 0..items {
            let at = began + (item + 1) * length / items;
            let active =
                |cause: &&Cause| cause.projects.contains(&project) && (cause.from * 60..cause.until * 60).contains(&at);
            let hit = world.causes.iter().filter(active).find(|cause| draw.chance(cause.percent));
            match hit {
                // The first groups are the frequent ones.
                Some(cause) => {
                    let many = cause.groups.len() as i64;
                    let place = draw.below(many).min(draw.below(many));
                    world.failures.push((at, project, cause.groups[usize::try_from(place).unwrap()]));
                }
                None => completed += 1,
            }
        }
        world.batches.push((project, began, began + length, completed));
        began += length + draw.below(5) * 60;
    }
}

fn second(at: i64) -> Timestamp {
    Timestamp::from_second(1_780_000_000 + at).unwrap()
}

/// What was found in a world: the groups of each incident, and when it was noticed.
#[derive(Default)]
struct Found {
    groups: BTreeMap<String, BTreeSet<i64>>,
    noticed: BTreeMap<String, i64>,
}

/// Looks every five minutes, as a cycle does.
fn follow(world: &World) -> Found {
    let mut found = Found::default();
    let mut onsets: Vec<Onset> = Vec::new();
    let mut incidents: Vec<OpenIncident> = Vec::new();
    for now in (300..HOURS * 3600).step_by(300) {
        let seen: Vec<&(i64, usize, i64)> = world.failures.iter().filter(|failure| failure.0 <= now).collect();
        for (at, project, group) in &seen {
            match onsets.iter_mut().find(|onset| onset.group_key == *group) {
                Some(onset) => {
                    onset.projects.insert(project.to_string());
                }
                None => onsets.push(Onset {
                    group_key: *group,
                    at: second(*at),
                    projects: names(&[&project.to_string()]),
                    incident: None,
                    is_late: false,
                }),
            }
        }
        let last =
            |groups: &BTreeSet<i64>| seen.iter().filter(|f| groups.contains(&f.2)).map(|f| f.0).max().unwrap_or(0);
        incidents.retain_mut(|incident| {
            let newest = last(&incident.group_keys);
            incident.last_failure_at = second(newest);
            let completed_since = world.batches.iter().any(|b| b.1 > newest && b.1 + 300 < now && b.3 > 0);
            let progress = Progress { last_failure_at: second(newest), all_ended: false, completed_since };
            !is_over(&progress, second(now))
        });
        let is_fresh = |onset: &Onset| {
            let of_open = |id: &String| incidents.iter().any(|incident| incident.incident_id == *id);
            onset.incident.as_ref().map_or(second(now) - onset.at <= SignedDuration::from_hours(1), of_open)
        };
        let places: Vec<usize> = (0..onsets.len()).filter(|place| is_fresh(&onsets[*place])).collect();
        let looked: Vec<Onset> = places.iter().map(|place| onsets[*place].clone()).collect();
        let Assignment { joins, candidates } = assign(&looked, &incidents);
        for Join { place, incident, is_late } in joins {
            join(&mut onsets[places[place]], &incident, is_late, &mut incidents, &mut found);
        }
        for cluster in candidates {
            let groups: BTreeSet<i64> = cluster.iter().map(|place| looked[*place].group_key).collect();
            let from = looked[cluster[0]].at;
            let projects: BTreeSet<String> = cluster.iter().flat_map(|place| looked[*place].projects.clone()).collect();
            let items = seen.iter().filter(|failure| groups.contains(&failure.2)).count() as u64;
            let (from, until) = window(from, second(last(&groups)), second(now));
            let share = Share { items, ended: items + completed(world, &projects, from, until, now) };
            if is_incident(groups.len(), share) {
                let id = format!("n-{}", found.groups.len());
                found.noticed.insert(id.clone(), now);
                incidents.push(OpenIncident {
                    incident_id: id.clone(),
                    started_at: from,
                    last_failure_at: until,
                    group_keys: BTreeSet::new(),
                    projects: BTreeSet::new(),
                });
                for place in cluster {
                    join(&mut onsets[places[place]], &id, false, &mut incidents, &mut found);
                }
            } else {
                for place in cluster {
                    if let Some(id) = late(&looked[place], &incidents).filter(|_| looked[place].incident.is_none()) {
                        join(&mut onsets[places[place]], &id, true, &mut incidents, &mut found);
                    }
                }
            }
        }
    }
    found
}

fn join(onset: &mut Onset, id: &str, is_late: bool, incidents: &mut [OpenIncident], found: &mut Found) {
    if let Some(before) = onset.incident.replace(id.to_owned()) {
        found.groups.entry(before.clone()).or_default().remove(&onset.group_key);
        incidents.iter_mut().filter(|incident| incident.incident_id == before).for_each(|incident| {
            incident.group_keys.remove(&onset.group_key);
        });
    }
    onset.is_late = is_late;
    found.groups.entry(id.to_owned()).or_default().insert(onset.group_key);
    for incident in incidents.iter_mut().filter(|incident| incident.incident_id == id) {
        incident.group_keys.insert(onset.group_key);
        incident.projects.extend(onset.projects.clone());
    }
}

/// As a scan sees batches: of one under way, the part that has completed.
fn completed(world: &World, projects: &BTreeSet<String>, from: Timestamp, until: Timestamp, now: i64) -> u64 {
    let seen = world.batches.iter().filter(|batch| batch.1 < now && projects.contains(&batch.0.to_string()));
    let work: Vec<BatchWork> = seen
        .map(|(_, began, ends, completed)| BatchWork {
            began_at: second(*began),
            until: second((*ends).min(now)),
            completed: (completed * u64::try_from((*ends).min(now) - began).unwrap())
                / u64::try_from(ends - began).unwrap(),
        })
        .collect();
    completed_in(&work, from, until)
}

/// The second of the first failure of a cause, and its groups.
type Expected = (i64, BTreeSet<i64>);

/// The groups of each cause that should be found: three or more of them failed, twice each in the mean, and the share in its time
/// was large. Causes that miss this are neither expected nor wrong.
fn truth(world: &World) -> (Vec<Expected>, Vec<BTreeSet<i64>>) {
    let (mut expected, mut others) = (Vec::new(), Vec::new());
    for cause in &world.causes {
        let failed: Vec<i64> = world
            .failures
            .iter()
            .filter(|failure| cause.groups.contains(&failure.2))
            .map(|failure| failure.2)
            .collect();
        let first =
            world.failures.iter().find(|failure| cause.groups.contains(&failure.2)).map_or(0, |failure| failure.0);
        let groups: BTreeSet<i64> = failed.iter().copied().collect();
        let is_large = groups.len() >= LEAST_GROUPS && failed.len() >= 2 * groups.len();
        if is_large && cause.percent >= 20 { expected.push((first, groups)) } else { others.push(groups) }
    }
    (expected, others)
}

fn is_match(found: &BTreeSet<i64>, cause: &BTreeSet<i64>) -> bool {
    let common = found.intersection(cause).count();
    2 * common > found.len() && 2 * common > cause.len()
}

#[test]
fn incidents_of_drawn_worlds_are_found() {
    let (mut found_right, mut all_found, mut right, mut all, mut pure, mut placed) = (0, 0, 0, 0, 0, 0);
    let mut delays: Vec<i64> = Vec::new();
    for seed in 0..400 {
        let world = world(seed);
        assert!(world.projects > 0);
        let found = follow(&world);
        let (expected, others) = truth(&world);
        for (id, groups) in &found.groups {
            let cause = expected.iter().find(|(_, cause)| is_match(groups, cause));
            if cause.is_none() && others.iter().any(|cause| is_match(groups, cause)) {
                continue;
            }
            all_found += 1;
            if let Some((first, cause)) = cause {
                found_right += 1;
                placed += groups.len();
                pure += groups.intersection(cause).count();
                delays.push(found.noticed[id] - first);
            }
        }
        all += expected.len();
        right +=
            expected.iter().filter(|(_, cause)| found.groups.values().any(|groups| is_match(groups, cause))).count();
    }
    delays.sort_unstable();
    let (precision, recall) = (found_right as f64 / all_found as f64, right as f64 / all as f64);
    let purity = pure as f64 / placed as f64;
    println!(
        "{all} causes, {all_found} incidents: precision {precision:.3}, recall {recall:.3}, groups placed right {purity:.3}, \
         noticed after {} min in the median, {} min at most",
        delays[delays.len() / 2] / 60,
        delays[delays.len() - 1] / 60,
    );
    assert!(precision >= 0.95 && recall >= 0.95 && purity >= 0.85, "{precision} {recall} {purity}");
}
