//! Tests of the whole edge against small servers on loopback.

mod fake;
mod model;
mod reading;
mod trouble;
