//! Tests of the renderings, and of the channels against real peers on loopback.

mod http_peer;
mod http_test;
mod limits_test;
mod looks_test;
mod mail_test;
mod sample;
mod smtp_peer;
mod smtp_test;

#[test]
fn dump() {
    let d = sample::busy();
    std::fs::write("/tmp/d.txt", super::text::render(&d)).unwrap();
    std::fs::write("/tmp/d.html", super::html::page(&d)).unwrap();
}
