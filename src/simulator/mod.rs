//! A simulated LlamaCloud on a loopback port for `demo` and the tests: a world with hidden causes behind the HTTP calls of
//! API v1 beta and v2.
//!
//! It keeps its own record of what is true and uses nothing else of the product.

pub(crate) mod faults;
pub(crate) mod http;
pub(crate) mod options;
pub(crate) mod status_page;
pub(crate) mod storage;
#[cfg(test)]
mod tests;
pub(crate) mod v1;
pub(crate) mod v2;
pub(crate) mod world;
