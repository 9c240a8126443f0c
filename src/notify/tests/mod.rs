//! Tests of the renderings, and of the channels against real peers on loopback.

mod channel;
mod cut;
mod http;
mod http_peer;
mod ids;
mod incidents;
mod limits;
mod looks;
mod mail;
mod oauth2;
mod recipes;
mod sample;
mod smtp;
mod smtp_peer;
mod webhook_schema;
