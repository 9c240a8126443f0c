//! Pages: what is one, and what paging channels are sent beside digests.

pub(crate) mod alerts;
pub(crate) mod policy;
