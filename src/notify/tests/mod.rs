//! Tests of the renderings, and of the channels against real peers on loopback.

pub(crate) mod channel;
pub(crate) mod cut;
pub(crate) mod http;
pub(crate) mod http_peer;
pub(crate) mod ids;
pub(crate) mod limits;
pub(crate) mod looks;
pub(crate) mod mail;
pub(crate) mod sample;
pub(crate) mod smtp;
pub(crate) mod smtp_peer;
