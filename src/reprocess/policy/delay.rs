//! When a document may be tried again.

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};

use crate::model::class::Class;
use crate::reprocess::policy::facts::ItemFacts;
use crate::reprocess::policy::limits::Limits;

/// No delay is longer: a longer one would hide a failure.
const LONGEST: SignedDuration = SignedDuration::from_hours(24);

/// A fraction in `0.0..1.0` that is always the same for the same item and attempt.
///
/// Eligibility is asked again in every cycle; a fresh random number each time would make the shortest delay win.
pub(crate) fn jitter(item_id: &str, attempt: u32) -> f64 {
    let mut hasher = Sha256::new();
    hasher.update(item_id.as_bytes());
    hasher.update(attempt.to_le_bytes());
    let digest = hasher.finalize();
    let number = digest.iter().take(4).fold(0u32, |sum, byte| (sum << 8) | u32::from(*byte));
    f64::from(number) / (f64::from(u32::MAX) + 1.0)
}

/// The first moment at which the next attempt may be made: its delay, less up to half of it by chance.
///
/// A throttled item waits 15 minutes, doubling with each further throttled answer.
pub(crate) fn not_before(item: &ItemFacts, limits: &Limits) -> Timestamp {
    if item.class == Class::Throttled {
        let wait = limits.throttled_wait.saturating_mul(1 << item.throttled_waits.saturating_sub(1).min(6));
        return later(item.failed_at, wait.min(LONGEST));
    }
    let at = usize::try_from(item.attempts).unwrap_or(usize::MAX);
    let delay = limits.delays.get(at).or(limits.delays.last()).copied().unwrap_or(SignedDuration::ZERO);
    later(item.failed_at, delay.mul_f64(0.5 + jitter(&item.item_id, item.attempts) / 2.0).min(LONGEST))
}

/// `from + by`, at most the end of time.
pub(crate) fn later(from: Timestamp, by: SignedDuration) -> Timestamp {
    from.checked_add(by).unwrap_or(Timestamp::MAX)
}
