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

pub mod cli;
pub mod cloud;
pub mod commands;
pub mod config;
pub mod core;
pub mod credentials;
pub mod demo;
pub mod exit;
pub mod file_owner;
pub mod ledger;
pub mod notify;
pub mod report;
pub mod service;
pub mod telemetry;
