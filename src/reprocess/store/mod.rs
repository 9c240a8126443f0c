//! The SQL of reprocessing: plans, intents, attempts, and what holds them.

pub(crate) mod account;
pub(crate) mod attempt;
pub(crate) mod budget_usage;
pub(crate) mod history;
pub(crate) mod intent;
pub(crate) mod items;
pub(crate) mod learnt_config;
pub(crate) mod named;
pub(crate) mod plan;
pub(crate) mod project_health;
