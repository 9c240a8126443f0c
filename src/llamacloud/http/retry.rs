//! Whether a request is tried again, and when: the vendor's own rules as one pure function, and one budget for a whole scan.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};

/// What to do after a try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RetryDecision {
    /// It succeeded, or trying again cannot help.
    Final,
    /// Try again, after the wait that the server wishes, if any.
    Again(Option<Duration>),
}

/// Decides over an answer (`status` and headers), or over the lack of one (`None`).
///
/// The rules are those of the official Python client (`_base_client.py`, `_should_retry` and `_parse_retry_after_header`):
/// `x-should-retry` overrides; else 408, 409, 429, 5xx and transport errors are tried again.
pub(crate) fn verdict(answer: Option<(u16, &HeaderMap)>) -> RetryDecision {
    let Some((status, headers)) = answer else {
        return RetryDecision::Again(None);
    };
    let should_retry = headers.get("x-should-retry").map(|v| v.as_bytes());
    let again = match should_retry {
        Some(b"true") => status >= 400,
        Some(b"false") => false,
        _ => matches!(status, 408 | 409 | 429 | 500..),
    };
    if again { RetryDecision::Again(requested_wait(headers)) } else { RetryDecision::Final }
}

/// The wait that the server wishes: `retry-after-ms`, else `Retry-After` in seconds, else as a date.
///
/// A date is measured from the answer's own `Date`, so that neither side's clock matters.
fn requested_wait(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    let number = |text: &str| text.parse::<f64>().ok().filter(|n| n.is_finite());
    let seconds = match text("retry-after-ms").and_then(number) {
        Some(ms) => ms / 1000.0,
        None => {
            let after = text(RETRY_AFTER.as_str())?;
            match number(after) {
                Some(seconds) => seconds,
                None => http_date(after)?.duration_since(http_date(text(DATE.as_str())?)?).as_secs_f64(),
            }
        }
    };
    (seconds > 0.0).then(|| Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))
}

fn http_date(text: &str) -> Option<Timestamp> {
    jiff::fmt::rfc2822::parse(text).ok().map(|t| t.timestamp())
}

/// Retries that one scan may spend in all, so that a dead API ends a scan soon, not after every batch's own retries.
#[derive(Debug)]
pub(crate) struct RetryBudget {
    requests: AtomicU64,
    retries: AtomicU64,
}

/// Retries that a scan has from the start.
const BASE: u64 = 20;
/// One more for each so many requests: 10 %, as Google's SRE book has it for clients.
const REQUESTS_PER_RETRY: u64 = 10;

impl RetryBudget {
    pub(crate) fn new() -> RetryBudget {
        RetryBudget { requests: AtomicU64::new(0), retries: AtomicU64::new(0) }
    }

    /// Fills it again.
    pub(crate) fn refill(&self) {
        self.requests.store(0, Ordering::Relaxed);
        self.retries.store(0, Ordering::Relaxed);
    }

    /// Counts a request.
    pub(crate) fn request(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    /// Takes one retry, if there is one left.
    pub(crate) fn take(&self) -> bool {
        let allowed = BASE + self.requests.load(Ordering::Relaxed) / REQUESTS_PER_RETRY;
        self.retries
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |spent| (spent < allowed).then_some(spent + 1))
            .is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (name.parse::<reqwest::header::HeaderName>().unwrap(), value.parse().unwrap()))
            .collect()
    }

    #[test]
    fn the_vendors_rules_hold_row_by_row() {
        let ms = |n| RetryDecision::Again(Some(Duration::from_millis(n)));
        let date = "Wed, 21 Oct 2026 07:28:00 GMT";
        for (status, pairs, wanted) in [
            (200, vec![], RetryDecision::Final),
            (302, vec![], RetryDecision::Final),
            (400, vec![], RetryDecision::Final),
            (401, vec![], RetryDecision::Final),
            (402, vec![], RetryDecision::Final),
            (403, vec![], RetryDecision::Final),
            (404, vec![], RetryDecision::Final),
            (413, vec![], RetryDecision::Final),
            (422, vec![], RetryDecision::Final),
            (408, vec![], RetryDecision::Again(None)),
            (409, vec![], RetryDecision::Again(None)),
            (429, vec![], RetryDecision::Again(None)),
            (500, vec![], RetryDecision::Again(None)),
            (529, vec![], RetryDecision::Again(None)),
            (503, vec![("x-should-retry", "false")], RetryDecision::Final),
            (404, vec![("x-should-retry", "true")], RetryDecision::Again(None)),
            (200, vec![("x-should-retry", "true")], RetryDecision::Final),
            (429, vec![("retry-after", "2")], ms(2000)),
            (429, vec![("retry-after", "0.25")], ms(250)),
            (429, vec![("retry-after-ms", "30"), ("retry-after", "9")], ms(30)),
            (429, vec![("retry-after-ms", "soon"), ("retry-after", "9")], ms(9000)),
            (429, vec![("retry-after", "-1")], RetryDecision::Again(None)),
            (429, vec![("retry-after", "0")], RetryDecision::Again(None)),
            (429, vec![("retry-after", "NaN")], RetryDecision::Again(None)),
            (429, vec![("retry-after", "tomorrow")], RetryDecision::Again(None)),
            (503, vec![("retry-after", "Wed, 21 Oct 2026 07:28:05 GMT"), ("date", date)], ms(5000)),
            (503, vec![("retry-after", date), ("date", date)], RetryDecision::Again(None)),
            (503, vec![("retry-after", date)], RetryDecision::Again(None)),
        ] {
            let headers = headers(&pairs);
            assert_eq!(verdict(Some((status, &headers))), wanted, "{status} {pairs:?}");
        }
        assert_eq!(verdict(None), RetryDecision::Again(None));
    }

    #[test]
    fn a_wish_for_ages_does_not_overflow() {
        let headers = headers(&[("retry-after", "1e300")]);
        assert_eq!(verdict(Some((429, &headers))), RetryDecision::Again(Some(Duration::MAX)));
    }

    #[test]
    fn a_budget_ends_and_grows_with_the_requests_made() {
        let budget = RetryBudget::new();
        let spend = |budget: &RetryBudget| std::iter::repeat_with(|| budget.take()).take_while(|t| *t).count();
        assert_eq!(spend(&budget), 20);
        for _ in 0..30 {
            budget.request();
        }
        assert_eq!(spend(&budget), 3);
        budget.refill();
        assert_eq!(spend(&budget), 20);
    }
}
