//! Digests: what people are told. The frozen [`model`] is decided once and rendered by every channel.

pub mod model;
