//! llama-triage: what failed in LlamaCloud batches, told once, retried with care.
//!
//! Data flows one way:
//!
//! ```text
//!  cloud ──observations──▶ ledger ──histories──▶ core (pure) ──▶ ledger (outbox) ──▶ notify ──▶ people
//!    ▲                        │                    │
//!    └────── reprocess ◀──────┴──── plans ◀────────┘             ledger ──▶ report ──▶ people
//! ```
//!
//! - [`core`] owns every rule and does no I/O.
//! - [`cloud`] is the only HTTP to LlamaCloud; `ledger` the only SQL; `notify` the only mail and webhooks;
//!   `report` turns rows into tables, JSON and pages. These edges never use each other.
//! - `service` is the imperative shell that moves data between them; `commands` holds one file per command.
//! - `demo` is a simulated LlamaCloud for `llama-triage demo` and the tests.

mod classify;
mod cli;
mod commands;
mod config;
mod credentials;
mod exit;
mod file_owner;
mod grouping;
mod ledger;
mod llamacloud;
mod model;
mod notify;
mod private_file;
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
