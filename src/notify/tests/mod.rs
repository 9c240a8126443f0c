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
mod recipes;
mod sample;
mod slack_bot;
mod smtp;
mod webhook_schema;
