//! Digests: what people are told. The frozen [`model`] is decided once and rendered by every channel.
//!
//! The order is: build with every group, narrow for a channel ([`only`]), keep as many groups as configured ([`fit::keep`]),
//! store; a renderer may then go to a smaller [`fit::Tier`] to obey its channel's limit.

pub mod fit;
pub mod model;
pub mod only;
pub mod trial;
