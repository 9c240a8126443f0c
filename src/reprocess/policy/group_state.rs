//! What retries have shown about a group: its ramp, its breaker, whether trying again is worth it.

use jiff::Timestamp;

use crate::reprocess::policy::holds::breaker::Breaker;
use crate::reprocess::policy::holds::outage_signal::Weather;
use crate::reprocess::policy::intents::outcome::Vote;
use crate::reprocess::policy::limits::Limits;
use crate::reprocess::policy::ramp::{Ramp, Step, StepResult};
use crate::reprocess::policy::record::Record;

/// How attempts went at items that had failed an attempt before, over the whole group.
///
/// An item that failed again while its siblings recovered is either unlucky or broken for good; a few of them tell which.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LaterTries {
    /// Recovered.
    pub recovered: u32,
    /// Failed, not counting storms.
    pub failed: u32,
    /// Under way.
    pub running: u32,
}

impl LaterTries {
    /// How many more may go now: `trial` of them may fail, and each that recovers pays for three more.
    pub fn room(&self, trial: u32) -> u32 {
        (trial + WORTH * self.recovered).saturating_sub(self.failed + self.running)
    }

    fn ended(&mut self, vote: Vote, weather: Weather) {
        self.running = self.running.saturating_sub(1);
        match vote {
            Vote::Recovered => self.recovered += 1,
            Vote::Failed if weather != Weather::Storm => self.failed += 1,
            Vote::Failed | Vote::Neutral | Vote::Cancelled => {}
        }
    }
}

/// Failures that one recovery is worth: below a quarter that recovers, later tries end.
const WORTH: u32 = 3;
/// Second tries that are risked before any has recovered.
const SECOND_TRIAL: u32 = 3;
/// Third tries that are risked before any has recovered: an item that failed twice is far more often broken than unlucky.
const THIRD_TRIAL: u32 = 1;

/// A group that is left to a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parked {
    /// Since when.
    pub since: Timestamp,
    /// Whether there was other work to compare with; if not, calm weather gives the group one more canary.
    pub compared: bool,
}

/// The persisted state of a group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GroupState {
    /// How many at once.
    pub ramp: Ramp,
    /// Whether at all.
    pub breaker: Breaker,
    /// How second attempts went.
    pub second_tries: LaterTries,
    /// How third and later attempts went.
    pub third_tries: LaterTries,
    /// Items that recovered by a retry, ever.
    pub recovered: u32,
    /// Canaries that failed since the last recovery or reset.
    pub lost_canaries: u32,
    /// The group was left to a person: its canary failed in a way that says that it is permanent.
    pub parked: Option<Parked>,
    /// Somebody cancelled a retry of the step under way, or of the one after which the group rests.
    pub cancelled: bool,
}

impl GroupState {
    /// Counts one item posted for the current step, with the attempts made at it before.
    pub fn posted(&mut self, attempts_before: u32) {
        self.cancelled &= self.ramp.is_waiting();
        self.ramp.posted += 1;
        if let Some(tries) = self.tries(attempts_before) {
            tries.running += 1;
        }
    }

    /// How many more items with so many attempts behind them may go now.
    pub fn room_for(&self, attempts_before: u32) -> u32 {
        match attempts_before {
            0 => u32::MAX,
            1 => self.second_tries.room(SECOND_TRIAL),
            _ => self.third_tries.room(THIRD_TRIAL),
        }
    }

    fn tries(&mut self, attempts_before: u32) -> Option<&mut LaterTries> {
        match attempts_before {
            0 => None,
            1 => Some(&mut self.second_tries),
            _ => Some(&mut self.third_tries),
        }
    }

    /// Counts one outcome and, when the step is complete, draws the conclusion.
    ///
    /// `attempts_before` is what [`GroupState::posted`] was given for the same item.
    pub fn ended(&mut self, vote: Vote, attempts_before: u32, ctx: &Ended<'_>) -> StepResult {
        if let Some(tries) = self.tries(attempts_before) {
            tries.ended(vote, ctx.weather);
        }
        self.recovered += u32::from(vote == Vote::Recovered);
        self.cancelled |= vote == Vote::Cancelled;
        match vote {
            Vote::Cancelled => self.ramp.neutral += 1,
            _ if self.tells_of_its_item(attempts_before) => self.ramp.posted = self.ramp.posted.saturating_sub(1),
            Vote::Recovered => self.ramp.recovered += 1,
            Vote::Failed => self.ramp.failed += 1,
            Vote::Neutral => self.ramp.neutral += 1,
        }
        self.conclude(ctx)
    }

    /// Whether an attempt says more about its item than about the group: items that failed a retry before are mostly the broken ones,
    /// and a step that counted them would fail for the same documents again and again. A canary speaks for its group in any case.
    fn tells_of_its_item(&self, attempts_before: u32) -> bool {
        attempts_before > 0 && self.ramp.step != Step::One
    }

    /// Since when the group is left to a person, seen in this weather.
    pub fn parked_since(&self, weather: Weather) -> Option<Timestamp> {
        self.parked.filter(|parked| parked.compared || weather != Weather::Calm).map(|parked| parked.since)
    }

    /// Whether nothing is known yet about a group whose wording hides its cause.
    pub fn is_unproven(&self, generic: bool) -> bool {
        generic && self.recovered == 0
    }

    /// Starts anew: the config changed, a person reset it with a reason, or somebody else's item of this group completed.
    ///
    /// What is under way is still waited for: a canary beside it would be a second one.
    pub fn reset(&mut self) {
        let (ramp, second, third) = match self.ramp.is_waiting() {
            true => (self.ramp, self.second_tries.running, self.third_tries.running),
            false => (Ramp::default(), 0, 0),
        };
        let tries = |running| LaterTries { running, ..LaterTries::default() };
        let (second_tries, third_tries) = (tries(second), tries(third));
        *self = Self { recovered: self.recovered, ramp, second_tries, third_tries, ..Self::default() };
    }

    fn conclude(&mut self, ctx: &Ended<'_>) -> StepResult {
        let canary = self.ramp.step == Step::One;
        let share = ctx.record.pass_share(ctx.limits.pass_share);
        let result = match self.ramp.result(share, ctx.limits.last_step) {
            StepResult::Waiting => StepResult::Waiting,
            _ if self.cancelled => StepResult::Stopped,
            result => result,
        };
        match result {
            StepResult::Passed => {
                self.breaker = self.breaker.reset();
                self.lost_canaries = 0;
                // A person's own try showed that retries help.
                self.parked = None;
            }
            // A probe stood for all groups: the gate rests. It was a canary, too: a group in which nothing helps is not probed again and again.
            StepResult::Failed if ctx.probe => {
                self.lost_canaries += 1;
                self.park_if_permanent(ctx);
            }
            // Of a group that is known to be mixed, one document says little: the next one goes.
            StepResult::Failed if canary && !(self.lost_canaries + 1).is_multiple_of(ctx.record.canaries()) => {
                self.lost_canaries += 1;
                self.ramp = Ramp::default();
                return StepResult::Unclear;
            }
            StepResult::Failed if canary => {
                self.lost_canaries += 1;
                self.breaker = self.breaker.open(ctx.now, ctx.limits);
                self.park_if_permanent(ctx);
            }
            StepResult::Failed | StepResult::Stopped => {
                self.breaker = self.breaker.open(ctx.now, ctx.limits);
            }
            StepResult::Waiting | StepResult::Undecided | StepResult::Unclear => {}
        }
        self.ramp.advance(result);
        result
    }

    fn park_if_permanent(&mut self, ctx: &Ended<'_>) {
        if self.looks_permanent(ctx) {
            self.parked = Some(Parked { since: ctx.now, compared: ctx.weather == Weather::Calm });
        }
    }

    /// As many canaries as allowed of a group with a wording that hides its cause failed, nothing of the group ever recovered, and no storm explains it.
    fn looks_permanent(&self, ctx: &Ended<'_>) -> bool {
        ctx.generic && self.recovered == 0 && ctx.weather != Weather::Storm && self.lost_canaries >= ctx.limits.canaries
    }
}

/// What a group's conclusion depends on beside its counts.
#[derive(Clone, Copy, Debug)]
pub struct Ended<'a> {
    /// When.
    pub now: Timestamp,
    /// The numbers.
    pub limits: &'a Limits,
    /// Whether the wording hides the cause.
    pub generic: bool,
    /// The weather during the attempt.
    pub weather: Weather,
    /// Whether the chunk probed for all groups.
    pub probe: bool,
    /// What first retries of the group came to before this step.
    pub record: Record,
}
