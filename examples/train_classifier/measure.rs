//! How well a model judges messages that training never saw.

use std::collections::BTreeMap;
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
    fn add(&mut self, wording: &Wording, chosen: Class) {
        let truth = wording.class;
        // In sets written for measuring, the second column names classes that are acceptable, too.
        let is_named = wording.cause.split(',').any(|named| named == chosen.name());
        self.all += 1;
        self.right += usize::from(truth == chosen);
        self.acceptable += usize::from(is_named || is_acceptable(truth, chosen));
        self.costly += usize::from(!is_named && is_costly(truth, chosen));
    }

    fn share(self, count: usize) -> f64 {
        count as f64 * 100.0 / self.all.max(1) as f64
    }
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Score { all, right, acceptable, costly } = *self;
        let share = |count| self.share(count);
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
        score.add(wording, class);
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
    println!("\nby the share of costly errors that is allowed (held-out wordings, the model alone)");
    by_costly_share(model, held_out);
    for file in files {
        let name = Path::new(file).file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let wordings = read_wordings(&name, &std::fs::read_to_string(file)?)?;
        println!("\n{name}: the model alone: {}", score(model, &wordings));
        let rules = Rules::shipped();
        let mut whole = Score::default();
        wordings.iter().for_each(|wording| whole.add(wording, decide(&rules, wording).class));
        println!("{name}: as built: {whole}");
        by_costly_share(model, &wordings);
        confusion(&wordings, &rules);
    }
    println!("\n{} features of {} classes", 1_u32 << BITS, CLASSES.len());
    Ok(())
}

/// What is right or acceptable at most, if a costly error may weigh anything against another one: what compares classifiers
/// whose costs differ.
fn by_costly_share(model: &Model<'_>, wordings: &[Wording]) {
    let judged: Vec<_> =
        wordings.iter().map(|one| (one, model.judge(&one.message, one.item_name.as_deref()))).collect();
    let at_weight = |weight: f32| {
        let mut score = Score::default();
        for (wording, probabilities) in &judged {
            let expected = |chosen: Class| -> f32 {
                let cost =
                    |truth| f32::from(u8::from(truth != chosen)) * if is_costly(truth, chosen) { weight } else { 1.0 };
                CLASSES.iter().zip(probabilities).map(|(truth, probability)| cost(*truth) * probability).sum()
            };
            let chosen = CLASSES.into_iter().min_by(|a, b| expected(*a).total_cmp(&expected(*b)));
            score.add(wording, chosen.unwrap_or(Class::Unknown));
        }
        (score.share(score.costly), score.share(score.acceptable))
    };
    let points: Vec<(f64, f64)> = (0..40).map(|step| at_weight(1.15_f32.powi(step))).collect();
    for allowed in [1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0, 10.0] {
        let best = points.iter().filter(|(costly, _)| *costly <= allowed).map(|(_, acceptable)| *acceptable);
        match best.max_by(f64::total_cmp) {
            Some(best) => println!("  at most {allowed:4.1} % costly: {best:5.1} % right or acceptable"),
            None => println!("  at most {allowed:4.1} % costly: not reached"),
        }
    }
}

/// Which classes are taken for which, most frequent first.
fn confusion(wordings: &[Wording], rules: &Rules) {
    let mut counts = BTreeMap::new();
    for wording in wordings {
        let chosen = decide(rules, wording).class;
        if chosen != wording.class {
            *counts.entry((wording.class, chosen)).or_insert(0) += 1;
        }
    }
    let mut counts: Vec<((Class, Class), usize)> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    for ((truth, chosen), count) in counts {
        println!("  {count:4} {truth} taken for {chosen}");
    }
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
