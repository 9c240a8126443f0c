//! One, five, twenty, a hundred, the rest: how many items of a group are risked at once.

/// The steps of a ramp.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// The canary.
    #[default]
    One,
    /// Five items.
    Five,
    /// Twenty items.
    Twenty,
    /// A hundred items.
    Hundred,
    /// What is left, so many at a time.
    Rest,
}

impl Step {
    /// Most items of this step; of the last one `last`.
    pub const fn size(self, last: u32) -> u32 {
        match self {
            Self::One => 1,
            Self::Five => 5,
            Self::Twenty => 20,
            Self::Hundred => 100,
            Self::Rest => last,
        }
    }

    const fn next(self) -> Self {
        match self {
            Self::One => Self::Five,
            Self::Five => Self::Twenty,
            Self::Twenty => Self::Hundred,
            Self::Hundred | Self::Rest => Self::Rest,
        }
    }

    const fn previous(self) -> Self {
        match self {
            Self::One | Self::Five => Self::One,
            Self::Twenty => Self::Five,
            Self::Hundred => Self::Twenty,
            Self::Rest => Self::Hundred,
        }
    }
}

/// What a finished step means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepResult {
    /// Some of its items have no outcome yet, or nothing was posted.
    Waiting,
    /// Enough recovered; the next step may go.
    Passed,
    /// Too few recovered; the breaker opens.
    Failed,
    /// Somebody cancelled items of it: the breaker opens, whatever the others came to.
    Stopped,
    /// Nothing was decided (throttled): fewer at once may go where these did not.
    Undecided,
    /// Fewer items than the step may have went, and too few of them recovered to pass, yet not so few that it must be the group's fault:
    /// the step goes on with further items.
    Unclear,
}

/// So many failures beyond the share that is allowed are still no proof against a group while its step is not full:
/// single documents are broken, and a step that gets one item at a time would fail with the first of them.
const SLACK: u32 = 2;

/// Where a group stands. Counts are those of the current step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ramp {
    /// The current step.
    pub step: Step,
    /// Items posted in it.
    pub posted: u32,
    /// Items of it that recovered.
    pub recovered: u32,
    /// Items of it that failed, the same or differently.
    pub failed: u32,
    /// Items of it that say nothing: throttled, cancelled, never submitted.
    pub neutral: u32,
}

impl Ramp {
    /// Items that may be posted now; 0 while the step is waiting for outcomes.
    pub fn room(&self, last: u32) -> u32 {
        if self.is_waiting() { 0 } else { self.step.size(last).saturating_sub(self.posted) }
    }

    /// Whether items are under way.
    pub fn is_waiting(&self) -> bool {
        self.recovered + self.failed + self.neutral < self.posted
    }

    /// What the step has come to; `last` is the size of the last step.
    pub fn result(&self, pass_share: f64, last: u32) -> StepResult {
        let decided = self.recovered + self.failed;
        let allowed = f64::from(SLACK) + (1.0 - pass_share) * f64::from(decided);
        if self.posted == 0 || self.is_waiting() {
            StepResult::Waiting
        } else if decided == 0 {
            StepResult::Undecided
        } else if f64::from(self.recovered) >= pass_share * f64::from(decided) {
            StepResult::Passed
        } else if self.step != Step::One && decided < self.step.size(last) && f64::from(self.failed) <= allowed {
            StepResult::Unclear
        } else {
            StepResult::Failed
        }
    }

    /// Starts the next step, the one before, or from the canary; or goes on with this one.
    pub fn advance(&mut self, result: StepResult) {
        let step = match result {
            StepResult::Waiting => return,
            StepResult::Passed => self.step.next(),
            StepResult::Failed | StepResult::Stopped => Step::One,
            StepResult::Undecided => self.step.previous(),
            StepResult::Unclear => {
                *self = Self { posted: self.recovered + self.failed, neutral: 0, ..*self };
                return;
            }
        };
        *self = Self { step, ..Self::default() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_passes_at_four_fifths() {
        let step = |recovered, failed, neutral| {
            Ramp { step: Step::Five, posted: 5, recovered, failed, neutral }.result(0.8, 100)
        };
        assert_eq!(step(4, 1, 0), StepResult::Passed);
        assert_eq!(step(3, 2, 0), StepResult::Failed);
        assert_eq!(step(3, 1, 0), StepResult::Waiting);
        assert_eq!(step(4, 0, 1), StepResult::Passed);
        assert_eq!(step(0, 0, 5), StepResult::Undecided);
        assert_eq!(Ramp::default().result(0.8, 100), StepResult::Waiting);
    }

    #[test]
    fn one_broken_document_does_not_stop_a_group_that_gets_one_item_at_a_time() {
        let mut ramp = Ramp { step: Step::Rest, ..Ramp::default() };
        let mut one = |recovers: bool| {
            ramp.posted += 1;
            *(if recovers { &mut ramp.recovered } else { &mut ramp.failed }) += 1;
            let result = ramp.result(0.8, 100);
            ramp.advance(result);
            (result, ramp.room(100))
        };
        assert_eq!(one(false), (StepResult::Unclear, 99));
        assert_eq!(one(true), (StepResult::Unclear, 98));
        for _ in 0..2 {
            assert_eq!(one(true).0, StepResult::Unclear);
        }
        assert_eq!(one(true), (StepResult::Passed, 100));
        assert_eq!(
            [one(false), one(false), one(false)].map(|one| one.0)[2],
            StepResult::Failed,
            "nothing else went well"
        );
    }

    #[test]
    fn a_throttled_item_leaves_its_place_in_a_step_that_goes_on() {
        let mut ramp = Ramp { step: Step::Five, posted: 5, recovered: 1, failed: 1, neutral: 3 };
        ramp.advance(ramp.result(0.8, 100));
        assert_eq!((ramp.step, ramp.room(100)), (Step::Five, 3));
    }

    #[test]
    fn the_ramp_goes_one_five_twenty_hundred_rest() {
        let mut ramp = Ramp::default();
        let mut sizes = vec![ramp.room(100)];
        for _ in 0..5 {
            ramp.posted = 1;
            assert_eq!(ramp.room(100), 0, "nothing is posted while a step waits");
            ramp.recovered = 1;
            ramp.advance(ramp.result(0.8, 100));
            sizes.push(ramp.room(100));
        }
        assert_eq!(sizes, [1, 5, 20, 100, 100, 100]);
    }

    #[test]
    fn a_step_that_was_throttled_as_a_whole_is_followed_by_a_smaller_one() {
        let mut ramp = Ramp { step: Step::Hundred, posted: 50, neutral: 50, ..Ramp::default() };
        ramp.advance(ramp.result(0.8, 100));
        assert_eq!((ramp.step, ramp.room(100)), (Step::Twenty, 20));
    }
}
