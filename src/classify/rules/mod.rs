//! Ordered rules that say what may be done about a failure: its class.
//!
//! The shipped rules are text (`config/rules.toml`); a team's own rules come first and the first match wins.
//! Rules read what a message *means*: file names, quoted values and URLs are data and are masked before a shipped rule
//! looks ([`mask`]), and an HTTP status is distinguished from a page count ([`http`]).
//! What is done with a class is decided in `reprocess::policy`.

pub(crate) mod decide;
pub(crate) mod http;
pub(crate) mod mask;
pub(crate) mod name;
pub(crate) mod parse;
pub(crate) mod quote;
pub(crate) mod shipped;
#[cfg(test)]
pub(crate) mod tests;
