//! The imperative shell: moves data between the edges, reads the clock, decides nothing that `core` could.

pub mod scan;
