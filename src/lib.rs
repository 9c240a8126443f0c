//! llama-triage: watches LlamaCloud batch jobs, records what failed, reports each failure once, and retries with care.
//!
//! A room for each thing the product does; in each, its rules (pure), its SQL (`store…`) and the shell that joins them.
//! ARCHITECTURE.md has the map, the invariants and the decisions.
//!
//! ```text
//!  llamacloud ──observations──▶ scan ──▶ ledger ──▶ grouping, classify ──▶ triage ──▶ notify ──▶ people
//!       ▲                                  │                                  │
//!       └────────── reprocess ◀────────────┘                    report ◀──────┘
//! ```

mod actions;
mod classify;
mod cli;
mod commands;
mod config;
mod console;
mod credentials;
mod exit;
mod file_owner;
mod grouping;
mod ledger;
mod llamacloud;
mod measures;
mod model;
mod notify;
mod private_file;
mod progress;
mod rate_limit;
mod report;
mod reprocess;
mod scan;
mod secrets;
mod service;
mod simulator;
mod telemetry;
mod triage;

#[doc(hidden)]
pub mod internals;

pub use crate::commands::run_program;
