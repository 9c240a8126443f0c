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
    /// Nothing was decided (throttled, cancelled): fewer at once may go where these did not.
    Undecided,
}

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
        if self.posted == 0 { self.step.size(last) } else { 0 }
    }

    /// What the step has come to.
    pub fn result(&self, pass_share: f64) -> StepResult {
        let decided = self.recovered + self.failed;
        if self.posted == 0 || decided + self.neutral < self.posted {
            StepResult::Waiting
        } else if decided == 0 {
            StepResult::Undecided
        } else if f64::from(self.recovered) >= pass_share * f64::from(decided) {
            StepResult::Passed
        } else {
            StepResult::Failed
        }
    }

    /// Starts the next step, the one before, or from the canary.
    pub fn advance(&mut self, result: StepResult) {
        let step = match result {
            StepResult::Waiting => return,
            StepResult::Passed => self.step.next(),
            StepResult::Failed => Step::One,
            StepResult::Undecided => self.step.previous(),
        };
        *self = Self { step, ..Self::default() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_passes_at_four_fifths() {
        let step =
            |recovered, failed, neutral| Ramp { step: Step::Five, posted: 5, recovered, failed, neutral }.result(0.8);
        assert_eq!(step(4, 1, 0), StepResult::Passed);
        assert_eq!(step(3, 2, 0), StepResult::Failed);
        assert_eq!(step(3, 1, 0), StepResult::Waiting);
        assert_eq!(step(4, 0, 1), StepResult::Passed);
        assert_eq!(step(0, 0, 5), StepResult::Undecided);
        assert_eq!(Ramp::default().result(0.8), StepResult::Waiting);
    }

    #[test]
    fn the_ramp_goes_one_five_twenty_hundred_rest() {
        let mut ramp = Ramp::default();
        let mut sizes = vec![ramp.room(100)];
        for _ in 0..5 {
            ramp.posted = 1;
            ramp.recovered = 1;
            assert_eq!(ramp.room(100), 0, "nothing is posted while a step waits");
            ramp.advance(ramp.result(0.8));
            sizes.push(ramp.room(100));
        }
        assert_eq!(sizes, [1, 5, 20, 100, 100, 100]);
    }

    #[test]
    fn a_step_that_was_throttled_as_a_whole_is_followed_by_a_smaller_one() {
        let mut ramp = Ramp { step: Step::Hundred, posted: 50, neutral: 50, ..Ramp::default() };
        ramp.advance(ramp.result(0.8));
        assert_eq!((ramp.step, ramp.room(100)), (Step::Twenty, 20));
    }
}
