//! Digests: what people are told. The frozen [`model`] is decided once and rendered by every channel.

pub mod build;
pub mod fit;
pub mod identity;
pub mod merge;
pub mod model;
pub mod only;
mod redate;
pub mod trial;
