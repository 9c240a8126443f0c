//! What happened over time.

pub(crate) mod deliveries;
pub(crate) mod mttr;
pub(crate) mod recovered;
pub(crate) mod retries;
pub(crate) mod scans;
pub(crate) mod trend;
