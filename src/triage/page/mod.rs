//! Pages: what paging channels are sent beside digests.

pub(crate) mod alerts;
