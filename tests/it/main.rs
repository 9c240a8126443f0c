//! The built binary and the whole library against real peers on loopback.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod accuracy;
mod apis;
mod auto;
mod bad_input;
mod by_hand;
mod causes;
mod clock;
mod clock_jumps;
mod config_paths;
mod console;
mod copies;
mod crash;
mod demo;
mod disk;
mod faults;
mod gap;
mod heartbeat;
mod held;
mod hostile;
mod identity;
mod job_configs;
mod kill;
mod late_delivery;
mod ledger;
mod load;
mod logging;
mod outage;
mod plans;
mod plans_later;
mod readme;
mod reclassify;
mod reprocess;
mod requests;
mod rules;
mod scan;
mod secrecy;
mod serve;
mod shown;
mod site;
mod surfaces;
mod tidy;
mod unread;
mod v2;
mod whole_batch;
