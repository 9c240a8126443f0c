//! Files, directories and saved configurations of the simulated account.

pub(crate) mod configurations;
pub(crate) mod directories;
pub(crate) mod documents;
pub(crate) mod files;
pub(crate) mod stored;
pub(crate) mod uploads;
