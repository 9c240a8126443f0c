//! Groups items by what their error messages mean: pure, incremental, deterministic.
//!
//! [`Grouper`] is the door. A message is read into tokens ([`scan`], [`atom`], [`json`], [`shape`]), its words and
//! slots make a [`form`], and the [`book`] of forms decides by [`evidence`] which forms are one group.
//! Storing the result, and telling anybody, is left to others.

mod atom;
mod body;
mod book;
mod cache;
mod classify;
mod evidence;
mod examples;
mod explain;
mod family;
mod file_name;
mod form;
mod grouper;
mod id;
mod json;
mod lexicon;
mod matters;
mod number;
mod plain;
mod scan;
mod script;
mod shape;
mod state;
mod title;
mod token;

#[cfg(test)]
mod tests;

pub use examples::pick_examples;
pub use explain::Explanation;
pub use grouper::{Grouper, Subject};
pub use id::{GroupHandle, GroupId, ParseGroupIdError};
pub use state::{RestoreError, StoredGroup};

/// Rises whenever the same messages may give other groups than before, so that a regroup can be offered.
pub const VERSION: u32 = 3;
