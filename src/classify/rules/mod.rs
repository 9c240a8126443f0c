//! What may be done about a failure: its class.
//!
//! A team's own rules come first ([`patterns`]), then exact signals ([`signals`], `config/rules.toml`), then the learnt model.
//! Of the model's classes the one is taken that is expected to cost least ([`costs`]).
//! What is done with a class is decided in `reprocess::policy`.

pub(crate) mod costs;
pub(crate) mod decide;
pub(crate) mod http;
pub(crate) mod parse;
pub(crate) mod patterns;
pub(crate) mod signals;
#[cfg(test)]
pub(crate) mod tests;
