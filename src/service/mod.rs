//! The process: worker, cycle, scheduler, clock, health, metrics, webhooks, doctor. The host's clock is read here.

pub(crate) mod clock;
pub(crate) mod cycle;
pub(crate) mod disk_space;
pub(crate) mod doctor;
pub(crate) mod http;
pub(crate) mod identity;
pub(crate) mod liveness;
pub(crate) mod reprocessing;
pub(crate) mod scheduler;
pub(crate) mod serve;
pub(crate) mod setup;
pub(crate) mod shutdown;
pub(crate) mod startup;
pub(crate) mod store_clock_skew;
pub(crate) mod store_health;
pub(crate) mod vendor_status;
pub(crate) mod worker;
