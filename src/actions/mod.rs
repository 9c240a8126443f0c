//! User actions on groups and retries, each with its audit row; used by commands and console.

pub(crate) mod ack;
pub(crate) mod act;
pub(crate) mod assign;
pub(crate) mod class;
pub(crate) mod dismiss;
pub(crate) mod intent;
pub(crate) mod name;
pub(crate) mod note;
pub(crate) mod plan;
pub(crate) mod record;
pub(crate) mod resume;
pub(crate) mod silence;
