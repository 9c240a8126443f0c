//! Tests of the renderings, and of the channels against real peers on loopback.

mod channel_test;
mod cut_test;
mod http_peer;
mod http_test;
mod id_test;
mod limits_test;
mod looks_test;
mod mail_test;
mod sample;
mod smtp_peer;
mod smtp_test;
