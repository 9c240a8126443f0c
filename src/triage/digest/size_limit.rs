//! Making a digest smaller without making it less true: fewer groups and samples, the totals untouched.
//!
//! What is dropped is counted in `left_out`, so that every rendering can say so. How large a rendering
//! may be is known to the renderers, which ask for one tier after the other.

use crate::triage::digest::model::{Digest, GroupEntry, LeftOut};
use strum::VariantArray as _;

/// How much of a digest is shown. Each is smaller than the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, strum::VariantArray)]
pub enum Tier {
    /// All that was frozen.
    Full,
    /// 20 groups, 3 samples each.
    Groups20Samples3,
    /// 20 groups, 1 sample each.
    Groups20Samples1,
    /// 10 groups, 1 sample each.
    Groups10Samples1,
    /// No group: headline, the first incident, totals, faults and the foot.
    TotalsOnly,
}

impl Tier {
    /// The number stored with a delivery: 0 is [`Tier::Full`].
    pub fn number(self) -> u8 {
        self as u8
    }

    /// Reads the number back; anything beyond the last tier is the last tier.
    pub fn from_number(number: u8) -> Tier {
        Tier::VARIANTS.get(usize::from(number)).copied().unwrap_or(Tier::TotalsOnly)
    }

    /// The next smaller tier; none after the last.
    pub fn smaller(self) -> Option<Tier> {
        Tier::VARIANTS.get(usize::from(self.number()) + 1).copied()
    }

    /// The most groups in each list, and the most samples of a group.
    fn limits(self) -> (usize, usize) {
        match self {
            Tier::Full => (usize::MAX, usize::MAX),
            Tier::Groups20Samples3 => (20, 3),
            Tier::Groups20Samples1 => (20, 1),
            Tier::Groups10Samples1 => (10, 1),
            Tier::TotalsOnly => (0, 0),
        }
    }
}

/// The tier to render after a peer refused one as too large; none if nothing smaller is left.
///
/// It is tried once only, so it is the first at most half as large; else the last, if that is smaller at all.
pub(crate) fn after_refusal(refused: Tier, size: impl Fn(Tier) -> usize) -> Option<Tier> {
    let before = size(refused);
    let smaller = || Tier::VARIANTS.iter().copied().filter(|tier| *tier > refused);
    let half = smaller().find(|tier| size(*tier) <= before / 2);
    half.or_else(|| smaller().next_back().filter(|last| size(*last) < before))
}

/// The digest cut down to a tier.
pub(crate) fn fit(digest: &Digest, tier: Tier) -> Digest {
    let (groups, samples) = tier.limits();
    keep(digest, groups, samples)
}

/// The digest with at most `groups` groups in each list and `samples` samples of each.
///
/// The first group of each reason is kept, so that "1 resolved" names one; then the first ones there are.
/// As many incidents are kept, and always the first, which the headline names.
/// Totals stay; dropped groups and their open items are added to `left_out`.
pub(crate) fn keep(digest: &Digest, groups: usize, samples: usize) -> Digest {
    let mut left_out = digest.left_out;
    let mut first = |entries: &[GroupEntry]| -> Vec<GroupEntry> {
        let kept = chosen(entries, groups);
        leave_out(&mut left_out, entries.iter().zip(&kept).filter(|(_, kept)| !**kept).map(|(entry, _)| entry));
        let kept = entries.iter().zip(&kept).filter(|(_, kept)| **kept);
        kept.map(|(entry, _)| fewer_samples(entry, samples)).collect()
    };
    let changes = first(&digest.changes);
    let still_open = first(&digest.still_open);
    let incidents = digest.incidents.iter().take(groups.max(1)).cloned().collect();
    Digest { incidents, changes, still_open, left_out, ..digest.clone() }
}

/// Which of the entries are kept: the first of each reason, then the first ones, at most `most`.
fn chosen(entries: &[GroupEntry], most: usize) -> Vec<bool> {
    let is_first = |at: usize| entries[..at].iter().all(|before| before.reason != entries[at].reason);
    let mut kept: Vec<bool> = (0..entries.len()).map(is_first).collect();
    let mut room = most;
    for kept in kept.iter_mut().filter(|kept| **kept) {
        *kept = room > 0;
        room = room.saturating_sub(1);
    }
    for kept in kept.iter_mut().filter(|kept| !**kept).take(room) {
        *kept = true;
    }
    kept
}

fn leave_out<'e>(left_out: &mut LeftOut, dropped: impl Iterator<Item = &'e GroupEntry>) {
    for entry in dropped {
        left_out.groups = left_out.groups.saturating_add(1);
        left_out.items = left_out.items.saturating_add(entry.open_failures());
    }
}

fn fewer_samples(entry: &GroupEntry, samples: usize) -> GroupEntry {
    let mut entry = entry.clone();
    entry.samples.truncate(samples);
    entry
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::triage::digest::model::Reason;
    use crate::triage::digest::test_digest::trial;

    fn of(changes: usize, still_open: usize) -> Digest {
        let mut digest = trial("", "UTC", "2026-08-23T07:00:00Z".parse().unwrap());
        let mut entry = digest.changes[0].clone();
        entry.open_items = 7;
        entry.samples = vec![entry.samples[0].clone(); 5];
        digest.changes = vec![entry.clone(); changes];
        digest.still_open = vec![entry; still_open];
        digest
    }

    #[test]
    fn each_tier_shows_less_and_counts_what_it_drops() {
        let digest = of(30, 25);
        for (tier, changes, still_open, samples) in [
            (Tier::Full, 30, 25, 5),
            (Tier::Groups20Samples3, 20, 20, 3),
            (Tier::Groups20Samples1, 20, 20, 1),
            (Tier::Groups10Samples1, 10, 10, 1),
            (Tier::TotalsOnly, 0, 0, 0),
        ] {
            let fitted = fit(&digest, tier);
            assert_eq!((fitted.changes.len(), fitted.still_open.len()), (changes, still_open));
            assert!(fitted.changes.iter().all(|e| e.samples.len() == samples));
            assert_eq!(fitted.totals, digest.totals);
            let dropped = 55 - (changes + still_open) as u64;
            assert_eq!(fitted.left_out, LeftOut { groups: dropped, items: dropped * 7 });
        }
    }

    #[test]
    fn what_was_refused_is_halved_or_reported_as_totals() {
        use Tier::*;
        let after = |refused: Tier, sizes: [usize; 5]| after_refusal(refused, |tier| sizes[usize::from(tier.number())]);
        assert_eq!(after(Full, [70, 60, 40, 20, 5]), Some(Groups10Samples1));
        assert_eq!(after(Groups20Samples1, [70, 60, 40, 20, 5]), Some(Groups10Samples1));
        // A small digest: every tier but the last shows all of it.
        assert_eq!(after(Full, [9, 9, 9, 9, 6]), Some(TotalsOnly));
        assert_eq!(after(Full, [6; 5]), None);
        assert_eq!(after(TotalsOnly, [70, 60, 40, 20, 5]), None);
    }

    #[test]
    fn every_reason_that_is_counted_names_a_group() {
        let mut digest = of(30, 0);
        for (at, reason) in [(25, Reason::MoreItems), (26, Reason::MoreItems), (29, Reason::Resolved)] {
            digest.changes[at].reason = reason;
        }
        let places = |most| {
            let kept = chosen(&digest.changes, most);
            (0..30).filter(|at| kept[*at]).collect::<Vec<usize>>()
        };
        assert_eq!(places(5), [0, 1, 2, 25, 29]);
        assert_eq!(places(2), [0, 25]);
        assert_eq!(places(0), [0; 0]);
        assert_eq!(places(99).len(), 30);
        let fitted = fit(&digest, Tier::Groups10Samples1);
        assert_eq!(fitted.changes.last().unwrap().reason, Reason::Resolved);
        assert_eq!(fitted.left_out, LeftOut { groups: 20, items: 140 });
    }

    #[test]
    fn fitting_in_steps_leaves_out_the_same_as_fitting_at_once() {
        let mut digest = of(30, 25);
        digest.changes[29].reason = Reason::Resolved;
        let steps = fit(&fit(&digest, Tier::Groups20Samples3), Tier::Groups10Samples1);
        assert_eq!(steps, fit(&digest, Tier::Groups10Samples1));
    }

    #[test]
    fn tier_numbers_read_back_and_stop_at_the_last() {
        for tier in Tier::VARIANTS.iter().copied() {
            assert_eq!(Tier::from_number(tier.number()), tier);
        }
        assert_eq!(Tier::from_number(99), Tier::TotalsOnly);
        assert_eq!(Tier::TotalsOnly.smaller(), None);
    }
}
