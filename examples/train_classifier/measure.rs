//! How well a model judges messages that training never saw.

use std::fmt;
use std::path::Path;

use llama_triage::internals::classify::{
    BITS, CLASSES, Decision, FailureFacts, Model, Rules, Wording, cheapest, read_wordings,
};
use llama_triage::internals::model::Class;

use crate::regression::{Example, train};

/// Counts over labelled messages.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Score {
    all: usize,
    right: usize,
    acceptable: usize,
    costly: usize,
}

impl Score {
    fn add(&mut self, truth: Class, chosen: Class) {
        self.all += 1;
        self.right += usize::from(truth == chosen);
        self.acceptable += usize::from(is_acceptable(truth, chosen));
        self.costly += usize::from(is_costly(truth, chosen));
    }
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let share = |count: usize| count as f64 * 100.0 / self.all.max(1) as f64;
        let Score { all, right, acceptable, costly } = *self;
        write!(
            f,
            "{all} messages, {:.1} % right, {:.1} % right or acceptable, {:.1} % costly",
            share(right),
            share(acceptable),
            share(costly)
        )
    }
}

/// Right, or treated alike: one that may be retried for another, one that the customer must change for another.
fn is_acceptable(truth: Class, chosen: Class) -> bool {
    use Class::{Config, PermanentInput, Throttled, Transient};
    truth == chosen
        || matches!((truth, chosen), (Transient, Throttled) | (Throttled, Transient))
        || matches!((truth, chosen), (PermanentInput, Config) | (Config, PermanentInput))
}

/// Money, a lost document, a false stop, or a page that does not come.
fn is_costly(truth: Class, chosen: Class) -> bool {
    let is_retried = |class| matches!(class, Class::Transient | Class::Throttled);
    let is_ended = |class| matches!(class, Class::PermanentInput | Class::Config | Class::Cancelled | Class::Done);
    truth != chosen
        && (truth == Class::Account
            || chosen == Class::Account
            || is_retried(truth) && is_ended(chosen)
            || is_ended(truth) && is_retried(chosen))
}

/// The model alone.
pub(crate) fn score(model: &Model<'_>, wordings: &[Wording]) -> Score {
    let mut score = Score::default();
    for wording in wordings {
        let (class, _) = cheapest(&model.judge(&wording.message, wording.item_name.as_deref()));
        score.add(wording.class, class);
    }
    score
}

/// What the program decides with the model that is built in: exact signals first.
fn decide<'r>(rules: &'r Rules, wording: &Wording) -> Decision<'r> {
    rules.classify(&FailureFacts {
        message: &wording.message,
        item_name: wording.item_name.as_deref(),
        ..FailureFacts::default()
    })
}

/// Prints the learning curve, the calibration, and the score of each file.
pub(crate) fn report(
    model: &Model<'_>,
    examples: &[Example],
    held_out: &[Wording],
    files: &[String],
) -> Result<(), Box<dyn std::error::Error>> {
    println!("\nlearning curve (held-out wordings, the model alone)");
    let held: Vec<Example> = held_out.iter().map(Example::of).collect();
    for part in [16, 8, 4, 2, 1] {
        let some: Vec<Example> = examples.iter().step_by(part).cloned().collect();
        let trained = train(&some, &held);
        let bytes = Model::write([0; 32], trained.step, &trained.weights);
        println!("  {:6} wordings: {}", some.len(), score(&Model::read(&bytes)?, held_out));
    }
    calibration(model, held_out);
    for file in files {
        let name = Path::new(file).file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let wordings = read_wordings(&name, &std::fs::read_to_string(file)?)?;
        println!("\n{name}: the model alone: {}", score(model, &wordings));
        let rules = Rules::shipped();
        let mut whole = Score::default();
        wordings.iter().for_each(|wording| whole.add(wording.class, decide(&rules, wording).class));
        println!("{name}: as built: {whole}");
    }
    println!("\n{} features of {} classes", 1_u32 << BITS, CLASSES.len());
    Ok(())
}

/// How often the likeliest class is right, by how likely the model takes it to be.
fn calibration(model: &Model<'_>, held_out: &[Wording]) {
    println!("\ncalibration (held-out wordings): probability of the likeliest class, how often it is right");
    let mut bins = [(0_usize, 0_usize, 0.0_f32); 10];
    for wording in held_out {
        let probabilities = model.judge(&wording.message, wording.item_name.as_deref());
        let best = (0..CLASSES.len()).max_by(|a, b| probabilities[*a].total_cmp(&probabilities[*b])).unwrap_or(0);
        let bin = &mut bins[((probabilities[best] * 10.0) as usize).min(9)];
        bin.0 += 1;
        bin.1 += usize::from(CLASSES[best] == wording.class);
        bin.2 += probabilities[best];
    }
    for (at, (all, right, sum)) in bins.iter().enumerate().filter(|(_, bin)| bin.0 > 0) {
        let (said, is) = (sum * 100.0 / *all as f32, *right as f32 * 100.0 / *all as f32);
        println!("  {:3} to {:3} %: {all:5} messages, {said:5.1} % said, {is:5.1} % right", at * 10, at * 10 + 10);
    }
}
