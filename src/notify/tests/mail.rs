//! The mail as bytes.

use crate::config::channel::{ChannelConfig as Config, ChannelKind};
use crate::notify::Channel;
use crate::notify::delivery::{ChannelSecrets, DeliveryFacts};
use crate::notify::render::words::subject;
use crate::notify::tests::sample::{busy, hostile};
use crate::triage::digest::size_limit::Tier;

pub(crate) fn facts() -> DeliveryFacts {
    DeliveryFacts {
        delivery_id: "D-20260823-03.oncall".into(),
        now: crate::notify::tests::sample::at("2026-08-23T07:00:05Z"),
        uncertain: false,
        tier: Tier::Full,
        done: Vec::new(),
    }
}

pub(crate) fn email(port: u16) -> Config {
    Config {
        name: "oncall".into(),
        kind: ChannelKind::Email,
        from: Some("llama-triage <triage@example.com>".into()),
        to: vec!["ann@example.com".into(), "bob@example.com".into()],
        smtp_host: Some("127.0.0.1".into()),
        smtp_port: Some(port),
        smtp_tls: Some(crate::config::channel::SmtpTls::None),
        ..Config::default()
    }
}

fn mail() -> String {
    let channel = Channel::new(&email(25), ChannelSecrets::default()).unwrap();
    String::from_utf8(channel.preview(&busy(), &facts()).unwrap()).unwrap()
}

#[test]
fn the_mail_has_every_header_and_both_parts_in_order() {
    let mail = mail();
    let (head, body) = mail.split_once("\r\n\r\n").unwrap();
    insta::assert_snapshot!(head.replace("\r\n", "\n"));
    let text = body.find("Content-Type: text/plain").unwrap();
    let html = body.find("Content-Type: text/html").unwrap();
    assert!(text < html);
    assert_eq!(body.matches("quoted-printable").count(), 2);
}

#[test]
fn every_try_writes_the_same_bytes_and_says_when_it_was_decided() {
    let channel = Channel::new(&email(25), ChannelSecrets::default()).unwrap();
    let hours_later =
        DeliveryFacts { now: crate::notify::tests::sample::at("2026-08-23T13:00:00Z"), uncertain: true, ..facts() };
    let late = String::from_utf8(channel.preview(&busy(), &hours_later).unwrap()).unwrap();
    assert_eq!(mail(), late);
    assert!(late.contains("\r\nDate: Sun, 23 Aug 2026 07:00:00 +0000\r\n"), "{late}");
    for kind in ["Decided 2026-08-23 09:00 CEST", "decided 2026-08-23 09:00 CEST"] {
        assert!(late.replace("=\r\n", "").contains(kind), "{late}");
    }
}

#[test]
fn no_number_of_recipients_makes_a_line_that_servers_refuse() {
    for number in [1, 38, 200] {
        let to = (0..number).map(|n| format!("Bereitschaft Zürich {n} <oncall-{n}@operations.example.com>")).collect();
        let from = Some(format!("\"{}\" <triage@example.com>", "The team that watches over documents, ".repeat(40)));
        let channel = Channel::new(&Config { to, from, ..email(25) }, ChannelSecrets::default()).unwrap();
        let mail = String::from_utf8(channel.preview(&busy(), &facts()).unwrap()).unwrap();
        let longest = mail.split("\r\n").map(str::len).max();
        assert!(mail.is_ascii() && longest <= Some(100), "{number}: {longest:?}");
        assert_eq!(mail.matches("@operations.example.com>").count(), number);
    }
}

#[test]
fn outside_text_never_adds_a_header_or_a_part() {
    let evil =
        "x\r\nBcc: evil@example.com\r\n\r\n--=_llama-triage-alternative\r\nContent-Type: text/html\r\n\r\n<script>";
    let channel = Channel::new(&email(25), ChannelSecrets::default()).unwrap();
    let bytes = channel.preview(&hostile(3, evil), &facts()).unwrap();
    let mail = String::from_utf8(bytes).unwrap();
    let head = mail.split_once("\r\n\r\n").unwrap().0;
    assert!(!head.lines().any(|line| line.starts_with("Bcc")));
    assert_eq!(mail.matches("\r\n--=_llama-triage-alternative").count(), 3);
    let page = &mail[mail.rfind("\r\n--=_llama-triage-alternative\r\n").unwrap()..];
    assert!(!page.contains("<script"));
    assert!(mail.is_ascii() && mail.split("\r\n").all(|line| line.len() <= 998 && !line.contains(['\r', '\n'])));
}

#[test]
fn subjects_say_what_matters_and_fit() {
    let mut digest = busy();
    assert_eq!(subject(&digest), "[triage prod] PAGE: key, credits or quota rejected, 96 items - 212 items open");
    digest.changes.iter_mut().for_each(|entry| entry.page = false);
    assert_eq!(subject(&digest), "[triage prod] 1 new, 1 regressed, 1 escalating, 1 fault - 212 items open");
    digest.totals.faults = 0;
    digest.totals.regressed = 0;
    assert_eq!(subject(&digest), "[triage prod] 1 new, 1 escalating, 1 resolved - 212 items open (D-20260823-03)");
}
