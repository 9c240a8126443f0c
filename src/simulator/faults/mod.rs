//! Faults that a test can plant: which request they hit, and what goes wrong with it.

pub(crate) mod corrupt;

use std::time::Duration;

use axum::body::Bytes;

use crate::simulator::http::endpoint::Endpoint;

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InjectedFault {
    /// This status with a plain `detail`; nothing is done. 422 carries its list.
    Status(u16),
    /// The same with a `Retry-After` header (seconds, a date, or nonsense).
    StatusRetryAfter(u16, String),
    /// This status with this body as `text/html`.
    StatusHtml(u16, String),
    /// The connection is reset before anything is answered; nothing is done.
    Reset,
    /// The call is done, and the connection is reset instead of an answer.
    AcceptedThenReset,
    /// The call is done twice; the answer reports the second.
    AcceptedTwice,
    /// The call is done, and the answer is this one instead (such as 500 or 504).
    AcceptedThenStatus(u16),
    /// The call is done at once and answered after this time.
    Late(Duration),
    /// The second half of the body comes after this time.
    SlowBody(Duration),
    /// The connection ends in the middle of the body.
    HalfBody,
    /// Status 200 with a web page.
    Html,
    /// The right body with `text/plain` as its type.
    WrongContentType,
    /// Status 200 with an empty body.
    EmptyBody,
    /// The right status with a body that is not valid UTF-8.
    InvalidUtf8,
    /// Every `status` is a word that no documentation knows.
    UnknownWords,
    /// Every object has fields that no documentation knows.
    ExtraFields,
    /// Every field that the documentation calls optional is missing.
    MissingOptional,
    /// The entry at this position of `items` has fields of the wrong type.
    Malformed(usize),
    /// Every message holds NUL and other control characters.
    ControlCharacters,
    /// Every message holds half of a surrogate pair, which is valid JSON and no valid text.
    LoneSurrogates,
    /// Every message is this many bytes long.
    LongMessages(usize),
    /// A field nested this deep is added.
    DeepJson(usize),
    /// Status 200 with exactly these headers and this body, whatever was asked.
    Verbatim(Vec<(&'static str, &'static str)>, Bytes),
    /// Every message comes twice under the same key; the second one is the right one.
    DuplicateKeys,
    /// The server's clock is ahead by this many seconds (behind, if negative): every time in the answer.
    Skewed(i64),
}

/// Which of the requests that a rule looks at are hit, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    Always,
    Nth(u64),
    First(u64),
    From(u64),
    Every(u64),
}

/// One planted fault. The first rule that hits a request decides.
#[derive(Debug, Clone)]
pub struct FaultRule {
    fault: InjectedFault,
    endpoint: Option<Endpoint>,
    parts: Vec<String>,
    strangers: Vec<String>,
    when: When,
    seen: u64,
    hits: u64,
}

impl FaultRule {
    /// Hits every request until narrowed.
    pub fn new(fault: InjectedFault) -> Self {
        Self { fault, endpoint: None, parts: Vec::new(), strangers: Vec::new(), when: When::Always, seen: 0, hits: 0 }
    }

    /// Looks only at this endpoint.
    pub fn on(mut self, endpoint: Endpoint) -> Self {
        self.endpoint = Some(endpoint);
        self
    }

    /// Looks only at requests whose path and query (as sent) contain this text, and those named before.
    pub fn containing(mut self, part: &str) -> Self {
        self.parts.push(part.to_owned());
        self
    }

    /// Looks only at requests whose path and query (as sent) do not contain this text.
    pub fn without(mut self, part: &str) -> Self {
        self.strangers.push(part.to_owned());
        self
    }

    /// Hits only the n-th of the requests it looks at, counted from 1.
    pub fn nth(mut self, n: u64) -> Self {
        self.when = When::Nth(n);
        self
    }

    /// Hits only the first n.
    pub fn first(mut self, n: u64) -> Self {
        self.when = When::First(n);
        self
    }

    /// Hits the n-th and all later ones.
    pub fn from(mut self, n: u64) -> Self {
        self.when = When::From(n);
        self
    }

    /// Hits each n-th one.
    pub fn every(mut self, n: u64) -> Self {
        self.when = When::Every(n.max(1));
        self
    }

    /// How many requests it has hit since it was planted.
    pub fn hits(&self) -> u64 {
        self.hits
    }

    fn matches_request(&self, endpoint: Endpoint, target: &str) -> bool {
        self.endpoint.is_none_or(|wanted| wanted == endpoint)
            && self.parts.iter().all(|part| target.contains(part.as_str()))
            && !self.strangers.iter().any(|part| target.contains(part.as_str()))
    }

    fn is_due(&self) -> bool {
        match self.when {
            When::Always => true,
            When::Nth(n) => self.seen == n,
            When::First(n) => self.seen <= n,
            When::From(n) => self.seen >= n,
            When::Every(n) => self.seen.is_multiple_of(n),
        }
    }
}

/// The fault that hits this request, if any. Every rule counts every request that it looks at.
pub(crate) fn apply(rules: &mut [FaultRule], endpoint: Endpoint, target: &str) -> Option<InjectedFault> {
    let mut struck = None;
    for rule in rules.iter_mut().filter(|rule| rule.matches_request(endpoint, target)) {
        rule.seen += 1;
        if struck.is_none() && rule.is_due() {
            rule.hits += 1;
            struck = Some(rule.fault.clone());
        }
    }
    struck
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_second_request_of_the_endpoint_is_hit() {
        let mut rules = [FaultRule::new(InjectedFault::Status(503)).on(Endpoint::ListItems).nth(2)];
        let mut hit = |endpoint| apply(&mut rules, endpoint, "/x").is_some();
        assert!(!hit(Endpoint::ListItems));
        assert!(!hit(Endpoint::ListBatches));
        assert!(hit(Endpoint::ListItems));
        assert!(!hit(Endpoint::ListItems));
        assert_eq!(rules[0].hits(), 1);
    }

    #[test]
    fn a_rule_can_look_at_part_of_the_address() {
        let mut rules = [FaultRule::new(InjectedFault::Reset).containing("status=skipped").without("offset=")];
        assert!(apply(&mut rules, Endpoint::ListItems, "/a?status=failed").is_none());
        assert!(apply(&mut rules, Endpoint::ListItems, "/a?status=skipped&offset=2").is_none());
        assert!(apply(&mut rules, Endpoint::ListItems, "/a?status=skipped&limit=1").is_some());
    }
}
