//! What holds retries: breakers, gates, delays.

pub(crate) mod breaker;
pub(crate) mod delay;
pub(crate) mod directory_stats;
pub(crate) mod gate;
pub(crate) mod outage_signal;
pub(crate) mod trial;
