//! Decides what to retry and when, and what became of it.
//!
//! Everything here is a pure function over structs handed in, with `now` as an argument:
//! which items may be retried and why not ([`exclusion`]), how many at once ([`plan()`]), when to stop ([`Breaker`], [`Gate`], [`Budget`]),
//! what the one POST meant ([`Intent`], [`reconcile()`]), and the real outcome ([`outcome()`]).
//! Reading and writing state is the ledger's, the POST is the cloud's, the order of calls is the service's.
//! Numbers are the defaults of [`Limits`]; each says where it comes from.

mod breaker;
mod budget;
mod choice;
mod chunk;
mod delay;
mod eligibility;
mod exclusion;
mod facts;
mod gate;
mod group_state;
mod intent;
#[cfg(test)]
mod intent_scenarios;
mod job_config;
mod limits;
mod outcome;
mod parameters;
mod plan;
mod post;
#[cfg(test)]
mod probe_scenarios;
mod ramp;
mod reconcile;
mod record;
#[cfg(test)]
mod scenarios;
mod sender;
#[cfg(test)]
mod stop_scenarios;
mod trial;
mod weather;

pub use breaker::Breaker;
pub use budget::{Budget, Spent};
pub use choice::{canary, spread};
pub use chunk::{Chunk, Excluded, set_hash};
pub use delay::{jitter, not_before};
pub use eligibility::{Circumstances, exclusion};
pub use exclusion::Exclusion;
pub use facts::{GroupFacts, ItemFacts, ItemState};
pub use gate::{AttemptResult, Gate, HoldReason, global_breaker_trips, incident};
pub use group_state::{Ended, GroupState, LaterTries, Parked};
pub use intent::{BadTransition, Before, Intent, IntentEvent, IntentState};
pub use job_config::{JobConfig, JobConfigRefused, left_out};
pub use limits::Limits;
pub use outcome::{After, AfterStatus, Outcome, Vote, outcome};
pub use parameters::REPLAYED_PARAMETERS;
pub use plan::{Plan, PlanInput, Selection, another_canary, plan, shrink, total};
pub use post::{AfterRefusal, PostAnswer, PostMeaning, Refusal, after_refusal};
pub use ramp::{Ramp, Step, StepResult};
pub use reconcile::{Candidate, Listing, Verdict, reconcile};
pub use record::Record;
pub use sender::{Sender, Senders, held_until};
pub use trial::{Blame, Trial};
pub use weather::{Weather, Work, done_within, weather};
