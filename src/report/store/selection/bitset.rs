//! A set of the ledger's own small numbers.

/// Which numbers, from 0 on, are in it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bits(Vec<u64>);

impl Bits {
    /// Adds a number; negative ones are never given out.
    pub(crate) fn add(&mut self, number: i64) {
        let Some((word, bit)) = place(number) else { return };
        if word >= self.0.len() {
            self.0.resize(word + 1 + word / 4, 0);
        }
        self.0[word] |= bit;
    }

    /// Whether the number is in it.
    pub(crate) fn has(&self, number: i64) -> bool {
        place(number).and_then(|(word, bit)| Some(self.0.get(word)? & bit != 0)).unwrap_or_default()
    }

    /// How many numbers are in it.
    pub(crate) fn count(&self) -> u64 {
        self.0.iter().map(|word| u64::from(word.count_ones())).sum()
    }

    /// Those that are in both.
    pub(crate) fn and(&self, other: &Bits) -> Bits {
        Bits(self.0.iter().zip(&other.0).map(|(a, b)| a & b).collect())
    }

    /// Those that are in this one and not in the other.
    pub(crate) fn without(&self, other: &Bits) -> Bits {
        let others = other.0.iter().copied().chain(std::iter::repeat(0));
        Bits(self.0.iter().zip(others).map(|(a, b)| a & !b).collect())
    }

    /// Its numbers, the smallest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = i64> {
        let words = (0_i64..).zip(&self.0);
        words.flat_map(|(at, word)| (0..64).filter(move |bit| word >> bit & 1 != 0).map(move |bit| at * 64 + bit))
    }
}

fn place(number: i64) -> Option<(usize, u64)> {
    let number = usize::try_from(number).ok()?;
    Some((number / 64, 1 << (number % 64)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bits(numbers: &[i64]) -> Bits {
        let mut bits = Bits::default();
        numbers.iter().for_each(|number| bits.add(*number));
        bits
    }

    #[test]
    fn sets_hold_what_was_added() {
        let (one, other) = (bits(&[0, 63, 64, 1000, -1]), bits(&[63, 65, 64]));
        assert_eq!(one.iter().collect::<Vec<_>>(), [0, 63, 64, 1000]);
        assert_eq!(one.count(), 4);
        assert!(one.has(1000) && !one.has(1001) && !one.has(-1) && !one.has(1 << 40));
        assert_eq!(one.and(&other).iter().collect::<Vec<_>>(), [63, 64]);
        assert_eq!(one.without(&other).iter().collect::<Vec<_>>(), [0, 1000]);
        assert_eq!(other.without(&one).iter().collect::<Vec<_>>(), [65]);
    }
}
