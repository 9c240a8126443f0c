//! One file per command.

pub mod act;
pub mod digest;
pub mod dismiss;
pub mod group;
pub mod note;
pub mod notify;
pub mod report;
pub mod silence;

#[cfg(test)]
mod act_tests;
