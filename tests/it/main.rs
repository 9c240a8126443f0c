//! The built binary and the whole library against real peers on loopback.

mod scan;
mod site;
mod logging;
mod tidy;
