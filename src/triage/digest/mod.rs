//! Digests: what it is reported. The frozen [`model`] is decided once and rendered by every channel.

pub(crate) mod build;
pub(crate) mod fit;
pub(crate) mod identity;
pub(crate) mod merge;
pub(crate) mod model;
pub(crate) mod only;
pub(crate) mod redate;
pub(crate) mod trial;
