//! The built binary and the whole library against real peers on loopback.

mod ledger;
mod scan;
mod site;
mod tidy;
