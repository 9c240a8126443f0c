//! What a wrong class costs, and the class that is expected to cost least.

use crate::classify::model::weights::{CLASSES, Probabilities};
use crate::model::class::Class;

/// What it costs to take a failure of the class of the row for one of the class of the column.
///
/// - 5: money, for retries that cannot succeed; or a lost document, for a retry that would have helped is not made.
/// - 8: a false stop: the item is given up and a person is woken, although the account is fine.
/// - 6: a page that does not come, and retries against an account that refuses them.
/// - 1.5: asking a person although the text is clear.
/// - 1: the other way round, an answer where a person should have been asked; or a wrong name for what is treated alike.
#[rustfmt::skip]
const COSTS: [[f32; CLASSES.len()]; CLASSES.len()] = [
    // transient, throttled, permanent, config, account, cancelled, done, unknown
    [0.0, 0.5, 5.0, 5.0, 8.0, 5.0, 5.0, 1.5], // transient
    [0.5, 0.0, 5.0, 5.0, 8.0, 5.0, 5.0, 1.5], // throttled
    [5.0, 5.0, 0.0, 1.0, 8.0, 2.0, 2.0, 1.5], // permanent-input
    [5.0, 5.0, 1.0, 0.0, 8.0, 2.0, 2.0, 1.5], // config
    [6.0, 6.0, 6.0, 6.0, 0.0, 6.0, 6.0, 6.0], // account
    [5.0, 5.0, 2.0, 2.0, 8.0, 0.0, 1.0, 1.5], // cancelled
    [5.0, 5.0, 2.0, 2.0, 8.0, 1.0, 0.0, 1.5], // done
    [1.0, 1.0, 1.5, 1.5, 8.0, 2.0, 2.0, 0.0], // unknown
];

/// The class with the least expected cost, and its probability.
pub fn cheapest(probabilities: &Probabilities) -> (Class, f32) {
    let expected = |chosen: usize| -> f32 {
        COSTS.iter().zip(probabilities).map(|(row, probability)| row[chosen] * probability).sum()
    };
    let best = (0..CLASSES.len()).min_by(|a, b| expected(*a).total_cmp(&expected(*b))).unwrap_or(CLASSES.len() - 1);
    (CLASSES[best], probabilities[best])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Probabilities of the named classes.
    fn split(parts: &[(Class, f32)]) -> Probabilities {
        CLASSES.map(|class| parts.iter().find(|(named, _)| *named == class).map_or(0.0, |(_, part)| *part))
    }

    #[test]
    fn what_would_cost_much_is_asked_unless_it_is_nearly_certain() {
        let class = |parts: &[(Class, f32)]| cheapest(&split(parts)).0;
        assert_eq!(class(&[(Class::Transient, 1.0)]), Class::Transient);
        assert_eq!(class(&[(Class::Transient, 0.6), (Class::PermanentInput, 0.4)]), Class::Unknown);
        assert_eq!(class(&[(Class::Transient, 0.9), (Class::PermanentInput, 0.1)]), Class::Transient);
        assert_eq!(class(&[(Class::PermanentInput, 0.6), (Class::Config, 0.4)]), Class::PermanentInput);
        assert_eq!(class(&[(Class::Account, 0.5), (Class::Unknown, 0.5)]), Class::Unknown);
    }

    #[test]
    fn the_right_class_costs_nothing_and_every_other_something() {
        for (truth, row) in COSTS.iter().enumerate() {
            for (chosen, cost) in row.iter().enumerate() {
                assert_eq!(*cost == 0.0, truth == chosen, "{} taken for {}", CLASSES[truth], CLASSES[chosen]);
            }
        }
    }
}
