//! A small account in memory, for the tests of every room.

pub(crate) mod seed;
pub(crate) mod steps;
