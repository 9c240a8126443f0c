//! The simulated service: requests to answers.

pub(crate) mod endpoint;
pub(crate) mod exchange;
pub(crate) mod multipart;
pub(crate) mod paging;
pub(crate) mod query;
pub(crate) mod reply;
pub(crate) mod routes;
pub(crate) mod server;
pub(crate) mod service;
#[cfg(test)]
pub(crate) mod tests;
pub(crate) mod unused_products;
pub(crate) mod wire;
