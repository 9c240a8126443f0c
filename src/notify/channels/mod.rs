//! One file for each channel, and the two transports they share.

pub(crate) mod email;
pub(crate) mod file;
pub(crate) mod http;
pub(crate) mod oauth2;
pub(crate) mod pagerduty;
pub(crate) mod slack;
pub(crate) mod smtp;
pub(crate) mod teams;
pub(crate) mod webhook;
