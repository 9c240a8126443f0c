//! The SQL of triage: episodes, what was reported, what users said of groups.

pub(crate) mod ack;
pub(crate) mod announcement;
pub(crate) mod assignment;
pub(crate) mod channel;
pub(crate) mod digest;
pub(crate) mod dismissal;
pub(crate) mod episode;
pub(crate) mod group_row;
pub(crate) mod handover;
pub(crate) mod incident;
pub(crate) mod misdated;
pub(crate) mod note;
pub(crate) mod outbox;
pub(crate) mod pager_alert;
pub(crate) mod silence;
