//! Multinomial logistic regression by stochastic gradient descent with a step for each weight (`AdaGrad`).
//!
//! One thread, one order, basic arithmetic and `libm`: the same weights on every machine.

use llama_triage::internals::classify::{BITS, CLASSES, COLUMNS, MaskedText, Wording};

/// Passes over all examples.
const PASSES: usize = 15;
/// How far a weight moves at first.
const RATE: f32 = 0.05;
/// Features of a message have the length 1; logits of this scale tell classes apart.
const SCALE: f32 = 4.0;
/// So much of each label is spread over the other classes: some labels are wrong, and none should outweigh many others.
const SMOOTHING: f32 = 0.07;
/// Classes, all of which are learnt; those of the last are taken from the others at the end.
const ALL: usize = CLASSES.len();

/// A message as numbers.
#[derive(Clone)]
pub(crate) struct Example {
    /// Features and their values, each feature once.
    pub features: Vec<(u32, f32)>,
    /// The class, as a position in [`CLASSES`].
    pub class: usize,
}

/// What training found.
pub(crate) struct Trained {
    /// What one unit of a weight stands for.
    pub step: f32,
    /// [`COLUMNS`] for each feature.
    pub weights: Vec<i8>,
}

impl Example {
    pub(crate) fn of(wording: &Wording) -> Example {
        let mut counted = MaskedText::numbered_features(&wording.message, wording.item_name.as_deref());
        counted.sort_unstable();
        let squares: u32 = counted.iter().map(|(_, count)| u32::from(*count).pow(2)).sum();
        let length = libm::sqrtf(squares.max(1) as f32);
        let of_one = |same: &[(u32, u8)]| {
            let sum: u32 = same.iter().map(|(_, count)| u32::from(*count)).sum();
            (same[0].0, sum as f32 / length)
        };
        let features = counted.chunk_by(|one, next| one.0 == next.0).map(of_one).collect();
        let class = CLASSES.iter().position(|class| *class == wording.class).unwrap_or(COLUMNS);
        Example { features, class }
    }
}

type Row = [f32; ALL];

/// Learns from `examples`; `held_out` says how much the probabilities must be flattened.
pub(crate) fn train(examples: &[Example], held_out: &[Example]) -> Trained {
    let mut weights = learn(examples);
    let flatness = calibrate(&weights, held_out);
    for row in &mut weights {
        let last = row[COLUMNS];
        row.iter_mut().for_each(|weight| *weight = (*weight - last) * SCALE / flatness);
    }
    let most = weights.iter().flatten().fold(0.0_f32, |most, weight| most.max(weight.abs()));
    let step = most.max(f32::MIN_POSITIVE) / f32::from(i8::MAX);
    let quantized = weights.iter().flat_map(|row| row[..COLUMNS].iter().map(|weight| (weight / step).round() as i8));
    Trained { step, weights: quantized.collect() }
}

fn learn(examples: &[Example]) -> Vec<Row> {
    let mut weights = vec![[0.0_f32; ALL]; 1 << BITS];
    let mut squares = vec![[1e-8_f32; ALL]; 1 << BITS];
    let mut order: Vec<usize> = (0..examples.len()).collect();
    let mut shuffle = Shuffle(12_345);
    for _ in 0..PASSES {
        shuffle.shuffle(&mut order);
        for example in order.iter().map(|at| &examples[*at]) {
            let mut error = probabilities(&weights, example, 1.0).map(|is| is - SMOOTHING / ALL as f32);
            error[example.class] -= 1.0 - SMOOTHING;
            for (bucket, value) in &example.features {
                let (row, past) = (&mut weights[*bucket as usize], &mut squares[*bucket as usize]);
                for class in 0..ALL {
                    let slope = error[class] * value * SCALE;
                    past[class] += slope * slope;
                    row[class] -= RATE * slope / libm::sqrtf(past[class]);
                }
            }
        }
    }
    weights
}

/// By what the logits are divided so that the held-out examples are least surprising.
fn calibrate(weights: &[Row], held_out: &[Example]) -> f32 {
    let surprise = |flatness: f32| -> f32 {
        let of_one = |one: &Example| -libm::logf(probabilities(weights, one, flatness)[one.class].max(1e-9));
        held_out.iter().map(of_one).sum()
    };
    let tried = (5..=40_u8).map(|tenths| f32::from(tenths) / 10.0);
    tried.min_by(|a, b| surprise(*a).total_cmp(&surprise(*b))).unwrap_or(1.0)
}

fn probabilities(weights: &[Row], example: &Example, flatness: f32) -> Row {
    let mut logits = [0.0_f32; ALL];
    for (bucket, value) in &example.features {
        for (logit, weight) in logits.iter_mut().zip(&weights[*bucket as usize]) {
            *logit += weight * value;
        }
    }
    let most = logits.iter().copied().fold(f32::MIN, f32::max);
    let powers = logits.map(|logit| libm::expf((logit - most) * SCALE / flatness));
    let sum: f32 = powers.iter().sum();
    powers.map(|power| power / sum)
}

/// A fixed sequence of orders.
struct Shuffle(u64);

impl Shuffle {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end
    }

    fn shuffle(&mut self, order: &mut [usize]) {
        for last in (1..order.len()).rev() {
            let other = self.below(last + 1);
            order.swap(last, other);
        }
    }
}
