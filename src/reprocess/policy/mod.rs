//! Decides what to retry and when, and what became of it.
//!
//! Everything here is a pure function over structs handed in, with `now` as an argument:
//! which items may be retried and why not ([`exclusion`]), how many at once ([`plan()`]), when to stop ([`Breaker`], [`Gate`], [`Budget`]),
//! what the one POST meant ([`Intent`], [`reconcile()`]), and the real outcome ([`outcome()`]).
//! Reading and writing state is the ledger's, the POST is the cloud's, the order of calls is the service's.
//! Numbers are the defaults of [`Limits`]; each says where it comes from.

pub(crate) mod budget;
pub(crate) mod choice;
pub(crate) mod chunk;
pub(crate) mod eligibility;
pub(crate) mod exclusion;
pub(crate) mod facts;
pub(crate) mod group_state;
pub(crate) mod holds;
pub(crate) mod intents;
pub(crate) mod limits;
pub(crate) mod plan;
pub(crate) mod ramp;
pub(crate) mod record;
#[cfg(test)]
pub(crate) mod tests;
