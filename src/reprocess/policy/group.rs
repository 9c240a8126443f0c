//! Whether a group is asked now, and for how much: two states, one schedule, nothing kept but the tries.
//!
//! Probing sends one document; each one lost makes the next wait longer, and after the last a person decides. A probe that recovers
//! lets more go, as many as the belief can bear to lose; when too few of those recover it is probing again.

use std::fmt;

use jiff::Timestamp;

use crate::config::reprocess::{Mode, ReprocessConfig};
use crate::model::class::Class;
use crate::reprocess::policy::belief::{Belief, LAST_NUMBER, Prior, Try, TryResult, is_automatic, prior};
use crate::reprocess::policy::exclusion::Exclusion;
use crate::reprocess::policy::item::later;

/// A group of one project with its retries since its episode began, a person resumed it, or its parameters changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupFacts {
    /// Its id.
    pub group_id: String,
    /// The class of most of its documents that may be retried automatically; of all if none may.
    pub class: Class,
    /// Its documents: those that are open, and those that its retries recovered.
    pub documents: u32,
    /// Those of them that are open and failed one retry, two, and three or more.
    pub failed: [u32; 3],
    /// Its retries, in the order in which they were sent.
    pub tries: Vec<Try>,
    /// When a document of it last completed without a retry by llama-triage, which proves that the cause is gone.
    pub others_recovered_at: Option<Timestamp>,
}

/// What may be sent of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Nothing while its last step is under way.
    Running,
    /// Nothing until then: its last probe was lost.
    Rests(Timestamp),
    /// Nothing: all its probes were lost, the last one then, so a person decides.
    PersonDecides(Timestamp),
    /// One document.
    Probe,
    /// So many documents with no, one, and more tries behind them.
    Step([u32; 3]),
}

impl Turn {
    /// Why nothing of the group goes now, if so.
    pub(crate) fn exclusion(self) -> Option<Exclusion> {
        match self {
            Turn::Running => Some(Exclusion::StepRunning),
            Turn::Rests(until) => Some(Exclusion::Rests(until)),
            Turn::PersonDecides(since) => Some(Exclusion::PersonDecides(since)),
            Turn::Probe | Turn::Step(_) => None,
        }
    }
}

/// A group's turn with the numbers behind it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outlook {
    /// What may be sent.
    pub turn: Turn,
    /// The expected share of first tries that recover.
    pub belief: f64,
    /// First tries that recovered.
    pub recovered: u32,
    /// First tries that recovered or were lost.
    pub ended: u32,
    /// Probes lost in a row.
    pub lost: u32,
    /// Probes that may be lost.
    pub most_lost: u32,
    /// Its open documents.
    pub open: u32,
    /// Those of them that had no first try.
    pub untried: u32,
    /// Those of them that failed as often as they may, or too few such recover: a person decides.
    pub given_up: u32,
    /// Why nothing of it is retried automatically, whatever its turn; none if it is.
    left_to_people: Option<LeftToPeople>,
}

/// Why a group is never retried automatically: the mode is not `auto`, or its class is not retried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LeftToPeople {
    Mode,
    Class(Class),
}

/// A group of a few documents may lose so many probes, because one document may be tried three times.
const FEWEST_PROBES: u32 = 3;
/// Most documents that go at once.
const LARGEST_STEP: u32 = 100;

impl GroupFacts {
    /// A group that was never retried.
    pub fn untried(group_id: &str, class: Class, documents: u32) -> GroupFacts {
        let (tries, others_recovered_at) = (Vec::new(), None);
        GroupFacts { group_id: group_id.to_owned(), class, documents, failed: [0; 3], tries, others_recovered_at }
    }

    /// Those of its documents that are open.
    fn open(&self) -> u32 {
        let recovered = self.tries.iter().filter(|one| one.result == TryResult::Recovered).count();
        self.documents.saturating_sub(u32::try_from(recovered).unwrap_or(u32::MAX))
    }

    /// Its turn at `now`.
    pub fn outlook(&self, config: &ReprocessConfig, now: Timestamp) -> Outlook {
        let phase = self.phase(config.worth);
        let most_lost = most_lost(self.documents, config);
        let count = |result| {
            let tries = self.tries.iter().filter(|one| one.number == 1 && one.result == result);
            u32::try_from(tries.count()).unwrap_or(u32::MAX)
        };
        let turn = match phase {
            _ if self.tries.iter().any(|one| one.result == TryResult::Running) => Turn::Running,
            Phase::Probing { lost, since: Some(since) } if lost >= most_lost => Turn::PersonDecides(since),
            Phase::Probing { lost, since: Some(since) } if now < rest_ends(lost, since, config) => {
                Turn::Rests(rest_ends(lost, since, config))
            }
            Phase::Probing { .. } => Turn::Probe,
            Phase::Ramping => Turn::Step(self.rooms(config.worth, now)),
        };
        let recovered = count(TryResult::Recovered);
        Outlook {
            turn,
            belief: self.belief(1, now).share(),
            recovered,
            ended: recovered + count(TryResult::Lost),
            lost: if let Phase::Probing { lost, .. } = phase { lost } else { 0 },
            most_lost,
            open: self.open(),
            untried: self.open().saturating_sub(self.failed.iter().sum()),
            given_up: self.given_up(turn, config),
            left_to_people: match is_automatic(self.class, config) {
                _ if config.mode != Mode::Auto => Some(LeftToPeople::Mode),
                true => None,
                false => Some(LeftToPeople::Class(self.class)),
            },
        }
    }

    fn given_up(&self, turn: Turn, config: &ReprocessConfig) -> u32 {
        let is_given_up = |(tries, _): &(usize, &u32)| {
            let had_all = u32::try_from(*tries).is_ok_and(|tries| tries >= config.attempts);
            had_all || matches!(turn, Turn::Step(rooms) if rooms[(*tries).min(rooms.len() - 1)] == 0)
        };
        (1..).zip(&self.failed).filter(is_given_up).map(|(_, documents)| documents).sum()
    }

    fn belief(&self, number: u32, now: Timestamp) -> Belief {
        Belief::of(&self.tries, number, prior(self.class).unwrap_or(Prior::Open), now)
    }

    /// How many documents may go by the tries behind them. A probe that recovered lets one more go, whatever was lost before.
    fn rooms(&self, worth: f64, now: Timestamp) -> [u32; 3] {
        let room = |number| self.belief(number, now).room(worth).min(LARGEST_STEP);
        [room(1).max(1), room(2), room(LAST_NUMBER)]
    }

    /// The state after all steps: what was sent before anything of it had ended is one step.
    fn phase(&self, worth: f64) -> Phase {
        let mut phase = Phase::Probing { lost: 0, since: None };
        for step in steps(&self.tries) {
            let Some(ended_at) = step.iter().filter_map(|one| one.ended_at).max() else { continue };
            let has = |result| step.iter().any(|one| one.result == result);
            let is_lost = has(TryResult::Lost) || (has(TryResult::Refused) && !has(TryResult::Neutral));
            phase = match phase {
                Phase::Probing { .. } if has(TryResult::Recovered) => Phase::Ramping,
                Phase::Probing { lost, .. } if is_lost => Phase::Probing { lost: lost + 1, since: Some(ended_at) },
                // What later tries lose says more about their documents than about the group.
                Phase::Ramping if has_first(step) && self.belief(1, ended_at).share() < worth => {
                    Phase::Probing { lost: 1, since: Some(ended_at) }
                }
                same => same,
            };
        }
        match phase {
            Phase::Probing { since: Some(since), .. } if self.others_recovered_at.is_some_and(|at| at > since) => {
                Phase::Probing { lost: 0, since: None }
            }
            same => same,
        }
    }
}

/// The two states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Probing { lost: u32, since: Option<Timestamp> },
    Ramping,
}

fn has_first(step: &[Try]) -> bool {
    step.iter().any(|one| one.number == 1 && matches!(one.result, TryResult::Recovered | TryResult::Lost))
}

/// One probe before each rest and one after the last, but never more than half of the documents.
fn most_lost(documents: u32, config: &ReprocessConfig) -> u32 {
    let most = u32::try_from(config.rests.len() + 1).unwrap_or(u32::MAX);
    documents.div_ceil(2).max(FEWEST_PROBES).min(most)
}

fn rest_ends(lost: u32, since: Timestamp, config: &ReprocessConfig) -> Timestamp {
    let rest = usize::try_from(lost).ok().and_then(|lost| config.rests.get(lost.checked_sub(1)?));
    later(since, rest.copied().unwrap_or_default())
}

/// The tries in runs, each sent before anything of it had ended.
fn steps(tries: &[Try]) -> Vec<&[Try]> {
    let mut steps = Vec::new();
    let (mut from, mut ends) = (0, Timestamp::MAX);
    for (at, one) in tries.iter().enumerate() {
        if at > from && one.started_at >= ends {
            steps.push(&tries[from..at]);
            (from, ends) = (at, Timestamp::MAX);
        }
        let end = one.ended_at.unwrap_or(Timestamp::MAX);
        ends = if at == from { end } else { ends.max(end) };
    }
    steps.extend((from < tries.len()).then(|| &tries[from..]));
    steps
}

impl Outlook {
    /// Since when a person has to decide, because all its probes were lost; none if none has to.
    pub fn decision_since(&self) -> Option<Timestamp> {
        match self.turn {
            Turn::PersonDecides(since) if self.left_to_people.is_none() => Some(since),
            _ => None,
        }
    }

    /// Whether nothing of it is retried automatically, whatever its turn.
    pub(crate) fn is_left_to_people(&self) -> bool {
        self.left_to_people.is_some()
    }

    /// Its open documents of which a person has to decide.
    pub(crate) fn undecided(&self) -> u32 {
        match self.left_to_people {
            Some(_) => 0,
            None if self.decision_since().is_some() => self.open,
            None => self.given_up,
        }
    }
}

impl fmt::Display for Outlook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.ended {
            0 => f.write_str("no first try has ended")?,
            ended => write!(f, "{} of {ended} first tries recovered (belief {:.2})", self.recovered, self.belief)?,
        }
        let probes = format!("{} of {} probes lost", self.lost, self.most_lost);
        match (self.turn, self.left_to_people) {
            (Turn::Running, _) => return f.write_str(": waiting for those under way"),
            (_, Some(LeftToPeople::Mode)) => return f.write_str("; nothing is retried automatically, see `mode`"),
            (_, Some(LeftToPeople::Class(class))) => return write!(f, "; class {class} is not retried automatically"),
            (Turn::Rests(until), _) => write!(f, ", {probes}: next probe at {until:.0}")?,
            (Turn::PersonDecides(since), _) => {
                return write!(f, ", {probes}: waits for a decision since {since:.0}");
            }
            (Turn::Probe, _) if self.lost > 0 => write!(f, ", {probes}: next 1")?,
            (Turn::Probe, _) => f.write_str(": next 1")?,
            (Turn::Step(_), _) if self.untried == 0 => write!(f, ": its {} open documents failed again", self.open)?,
            (Turn::Step([first, ..]), _) => write!(f, ": next up to {}", first.min(self.untried))?,
        }
        match self.given_up {
            0 => Ok(()),
            documents => write!(f, "; a person decides about {documents} that failed all tries"),
        }
    }
}
