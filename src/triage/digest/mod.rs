//! Digests: what is reported. The frozen [`model`] is decided once and rendered by every channel.

pub(crate) mod build;
pub(crate) mod channel_filter;
pub(crate) mod identity;
pub(crate) mod incident;
pub(crate) mod merge;
pub(crate) mod model;
pub(crate) mod redate;
pub(crate) mod remark;
pub(crate) mod size_limit;
pub(crate) mod test_digest;
