//! The built binary and the whole library against real peers on loopback.

mod demo;
mod rules;
mod ledger;
mod scan;
mod serve;
mod site;
mod logging;
mod tidy;
mod trouble;
