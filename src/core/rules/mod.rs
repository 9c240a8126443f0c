//! Ordered rules that say what may be done about a failure: its [`Class`].
//!
//! The shipped rules are text (`config/rules.toml`); a team's own rules go before them and the first match wins.
//! Rules read what a message *means*: file names, quoted values and URLs are somebody's data and are masked
//! before a shipped rule looks ([`mask`]), and an HTTP status is told from a page count ([`http`]).
//! What is done with a class is decided in `core::reprocess`.

#[cfg(test)]
mod cases;
mod class;
mod decide;
mod http;
mod mask;
mod name;
mod parse;
mod quote;
mod shipped;

pub use class::{Class, Kind};
pub use decide::{Decision, Facts, Rules, Source};
pub use http::statuses;
pub use mask::mask_data;
pub use parse::{Rule, RulesError};
pub use shipped::{SHIPPED, shipped_rules};
