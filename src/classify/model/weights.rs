//! The learnt weights, and the probability of each class that they give a message.

use std::sync::LazyLock;

use crate::classify::model::words::{BITS, Features, MaskedText};
use crate::model::class::Class;

/// The classes in the order of the columns; the last one has no column, its weights are zero.
pub const CLASSES: [Class; 8] = [
    Class::Transient,
    Class::Throttled,
    Class::PermanentInput,
    Class::Config,
    Class::Account,
    Class::Cancelled,
    Class::Done,
    Class::Unknown,
];

/// Columns of the weights.
pub const COLUMNS: usize = CLASSES.len() - 1;

/// What a file of weights begins with, and its version.
const MAGIC: &[u8; 8] = b"ltmodel1";
/// Magic, hash of the wordings, step.
const HEADER: usize = MAGIC.len() + 32 + 4;

/// The probability of each class, in the order of [`CLASSES`].
pub type Probabilities = [f32; CLASSES.len()];

/// Weights for every feature and class but the last.
#[derive(Clone, Copy, Debug)]
pub struct Model<'m> {
    /// SHA-256 of the wordings that they were learnt from.
    pub trained_on: &'m [u8],
    /// What one unit of a weight adds to the logarithm of the odds.
    step: f32,
    weights: &'m [u8],
}

/// Why a file is no model.
#[derive(Debug, thiserror::Error)]
#[error("not a file of weights of this version")]
pub struct NoModel;

/// The model that comes with the program.
static SHIPPED: LazyLock<Model<'static>> =
    LazyLock::new(|| Model::read(include_bytes!("../../../config/model.bin")).expect("a test reads the shipped model"));

/// The model that comes with the program.
pub(crate) fn shipped() -> &'static Model<'static> {
    &SHIPPED
}

impl<'m> Model<'m> {
    /// Reads a file of weights.
    ///
    /// # Errors
    /// It is none, or of another version.
    pub fn read(bytes: &'m [u8]) -> Result<Model<'m>, NoModel> {
        let (header, weights) = bytes.split_at_checked(HEADER).ok_or(NoModel)?;
        let (magic, rest) = header.split_at_checked(MAGIC.len()).ok_or(NoModel)?;
        let (trained_on, step) = rest.split_at_checked(32).ok_or(NoModel)?;
        let step = f32::from_le_bytes(step.try_into().map_err(|_| NoModel)?);
        if magic != MAGIC || weights.len() != COLUMNS << BITS {
            return Err(NoModel);
        }
        Ok(Model { trained_on, step, weights })
    }

    /// A file of weights: `weights` has [`COLUMNS`] for each feature.
    pub fn write(trained_on: [u8; 32], step: f32, weights: &[i8]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER + weights.len());
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&trained_on);
        bytes.extend_from_slice(&step.to_le_bytes());
        bytes.extend(weights.iter().map(|weight| weight.cast_unsigned()));
        bytes
    }

    fn weight(&self, bucket: u32, column: usize) -> i32 {
        self.weights.get(bucket as usize * COLUMNS + column).map_or(0, |weight| i32::from(weight.cast_signed()))
    }

    /// The probability of each class for a message with these features.
    pub(crate) fn probabilities(&self, features: &Features) -> Probabilities {
        let mut sums = [0_i32; CLASSES.len()];
        for feature in &features.found {
            let from = feature.bucket as usize * COLUMNS;
            let row = self.weights.get(from..from + COLUMNS).unwrap_or_default();
            for (sum, weight) in sums.iter_mut().zip(row) {
                *sum += i32::from(weight.cast_signed()) * feature.kind as i32;
            }
        }
        let scale = self.step / length(features);
        softmax(sums.map(|sum| sum as f32 * scale))
    }

    /// The probability of each class for a message.
    pub fn judge(&self, message: &str, item_name: Option<&str>) -> Probabilities {
        self.probabilities(&MaskedText::read(message, item_name).features())
    }

    /// The words that speak most for `class` and against all others, at most `most`, strongest first.
    pub(crate) fn reasons<'t>(
        &self,
        text: &'t MaskedText,
        features: &Features,
        class: Class,
        most: usize,
    ) -> Vec<&'t str> {
        let own = CLASSES.iter().position(|one| *one == class).unwrap_or(COLUMNS);
        let mut by_words: std::collections::BTreeMap<(u16, u16), i32> = std::collections::BTreeMap::new();
        for feature in &features.found {
            let all: i32 = (0..COLUMNS).map(|column| self.weight(feature.bucket, column)).sum();
            let for_class = if own < COLUMNS { self.weight(feature.bucket, own) } else { 0 };
            let classes = CLASSES.len() as i32;
            *by_words.entry(feature.words).or_default() += (for_class * classes - all) * feature.kind as i32;
        }
        let mut ranked: Vec<((u16, u16), i32)> = by_words.into_iter().filter(|(_, sum)| *sum > 0).collect();
        ranked.sort_by_key(|(words, sum)| (std::cmp::Reverse(*sum), *words));
        let mut taken: Vec<(u16, u16)> = Vec::new();
        for (words, _) in ranked {
            let is_near = |other: &(u16, u16)| words.0 <= other.1 && other.0 <= words.1;
            let is_quotable = words.1 - words.0 <= 1 && !text.quote_words(features, words).is_empty();
            if is_quotable && taken.len() < most && !taken.iter().any(is_near) {
                taken.push(words);
            }
        }
        taken.into_iter().map(|words| text.quote_words(features, words)).collect()
    }
}

/// The length of the vector of these features: what a long message says counts no more than what a short one says.
pub(crate) fn length(features: &Features) -> f32 {
    let squares: u32 = features.found.iter().map(|feature| (feature.kind as u32).pow(2)).sum();
    libm::sqrtf(squares.max(1) as f32)
}

/// Probabilities from the logarithms of odds.
pub(crate) fn softmax<const N: usize>(logits: [f32; N]) -> [f32; N] {
    let most = logits.iter().copied().fold(f32::MIN, f32::max);
    let powers = logits.map(|logit| libm::expf(logit - most));
    let sum: f32 = powers.iter().sum();
    powers.map(|power| power / sum)
}
