//! How many requests a second are made, at most.

use std::num::NonZeroU32;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

/// Spreads requests evenly; after a pause as many at once as a second may have (the generic cell rate algorithm).
pub(crate) struct RateLimit {
    /// Between two requests.
    gap: Duration,
    /// How far ahead of their even spread requests may be.
    ahead: Duration,
    /// When the next request is due if all are evenly spread.
    due: Mutex<Instant>,
}

impl RateLimit {
    /// A limit that nothing was taken of yet.
    pub(crate) fn new(per_second: NonZeroU32) -> RateLimit {
        let gap = Duration::from_secs(1) / per_second.get();
        RateLimit { gap, ahead: gap * (per_second.get() - 1), due: Mutex::new(Instant::now()) }
    }

    /// Returns when a request may be made, in the order of the calls. A call that is dropped while it waits uses nothing.
    pub(crate) async fn wait(&self) {
        let mut due = self.due.lock().await;
        // The clock of a machine that has just started may not reach back that far.
        tokio::time::sleep_until(due.checked_sub(self.ahead).unwrap_or(*due)).await;
        *due = (*due).max(Instant::now()) + self.gap;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_second_has_as_many_requests_as_it_may_and_a_pause_saves_no_more_than_that() {
        let limit = RateLimit::new(NonZeroU32::new(10).unwrap());
        tokio::time::advance(Duration::from_secs(60)).await;
        for burst in 0..2 {
            let begun = Instant::now();
            for _ in 0..10 {
                limit.wait().await;
            }
            assert_eq!(begun.elapsed(), Duration::ZERO, "burst {burst}");
            limit.wait().await;
            assert!((100..=101).contains(&begun.elapsed().as_millis()), "{:?}", begun.elapsed());
            for _ in 0..10 {
                limit.wait().await;
            }
            assert!((1_100..=1_101).contains(&begun.elapsed().as_millis()), "{:?}", begun.elapsed());
            tokio::time::advance(Duration::from_secs(60)).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_gives_up_takes_no_turn() {
        let limit = RateLimit::new(NonZeroU32::MIN);
        limit.wait().await;
        for _ in 0..10 {
            let patience = Duration::from_millis(10);
            tokio::time::timeout(patience, limit.wait()).await.unwrap_err();
        }
        let begun = Instant::now();
        limit.wait().await;
        assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    }
}
