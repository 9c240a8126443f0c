//! A digest as a mail: headers, the text part, the HTML part. How it is sent is left to `smtp`.

use std::time::SystemTime;

use lettre::Message;
use lettre::address::Envelope;
use lettre::message::header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue};
use lettre::message::{Body, Mailbox, MultiPart, MultiPartKind, SinglePart};
use sha2::{Digest as _, Sha256};

use crate::notify::error::NotifyError;
use crate::notify::render::times::DisplayZone;
use crate::notify::render::{address_list, html, json, text, words};
use crate::triage::digest::model::Digest;
use crate::triage::digest::size_limit::Tier;

/// "=_" cannot come up in quoted-printable text, so the boundary is never found inside a part (RFC 2045 6.7).
const BOUNDARY: &str = "=_llama-triage-alternative";

/// Who writes to whom.
#[derive(Clone)]
pub(crate) struct Letterhead {
    /// Channel name; part of the Message-ID.
    pub(crate) channel: String,
    /// The sender; its domain is that of all ids.
    pub(crate) from: Mailbox,
    /// All recipients, shown in the mail.
    pub(crate) to: Vec<Mailbox>,
    /// Whether the digests of a day refer to one root.
    pub(crate) thread: bool,
}

/// A mail, ready to be sent.
pub(crate) struct Mail {
    /// The whole message, byte-equal for equal digests and tiers.
    pub(crate) bytes: Vec<u8>,
    /// How much of the digest it shows.
    pub(crate) tier: Tier,
}

/// Writes the mail of a digest, not larger than a tier.
pub(crate) fn compose(digest: &Digest, head: &Letterhead, largest: Tier) -> Result<Mail, NotifyError> {
    let (page, fitted, tier) = html::render(digest, largest);
    let parts = MultiPart::builder()
        .kind(MultiPartKind::Alternative)
        .boundary(BOUNDARY)
        .singlepart(part(ContentType::TEXT_PLAIN, text::render(&fitted)))
        .singlepart(part(ContentType::TEXT_HTML, page));
    let recipients = head.to.iter().map(|to| to.email.clone()).collect();
    let envelope = Envelope::new(Some(head.from.email.clone()), recipients).map_err(unwritable)?;
    let mut builder = Message::builder()
        .envelope(envelope)
        .raw_header(address_list::header("From", std::slice::from_ref(&head.from)))
        .date(date(digest))
        .subject(words::subject(digest))
        .message_id(Some(message_id(digest, head)))
        .raw_header(address_list::header("To", &head.to));
    if head.thread {
        let root = thread_root(digest, head);
        builder = builder.in_reply_to(root.clone()).references(root);
    }
    for (name, value) in labels(digest, head) {
        builder = builder.raw_header(HeaderValue::new(HeaderName::new_from_ascii_str(name), value));
    }
    let message = builder.multipart(parts).map_err(unwritable)?;
    Ok(Mail { bytes: message.formatted(), tier })
}

fn unwritable(error: impl std::fmt::Display) -> NotifyError {
    NotifyError::Settings(format!("cannot write the mail: {error}"))
}

/// lettre panics on times before 1970.
fn date(digest: &Digest) -> SystemTime {
    let at = digest.created_at.max(jiff::Timestamp::UNIX_EPOCH);
    SystemTime::try_from(at).unwrap_or(SystemTime::UNIX_EPOCH)
}

fn part(kind: ContentType, content: String) -> SinglePart {
    let encoding = ContentTransferEncoding::QuotedPrintable;
    let body = Body::new_with_encoding(content, encoding).unwrap_or_else(Body::new);
    SinglePart::builder().header(kind).body(body)
}

/// `<D-20260823-03.LEDGER-NONCE.HASH@example.com>`: the same on every try, so that stores can drop a second copy.
fn message_id(digest: &Digest, head: &Letterhead) -> String {
    format!("<{}.{}@{}>", id_token(digest), hash(&head.channel), domain(head))
}

/// The digest's id for programs, fit for a header.
fn id_token(digest: &Digest) -> String {
    match token(&digest.suffix()) {
        suffix if suffix.is_empty() => token(&digest.digest_id),
        suffix => format!("{}.{suffix}", token(&digest.digest_id)),
    }
}

/// A message that never existed, one a day: mail clients gather what refers to it.
fn thread_root(digest: &Digest, head: &Letterhead) -> String {
    let day = DisplayZone::new(&digest.zone).day(digest.created_at);
    let whose = match token(&digest.ledger_id) {
        ledger if ledger.is_empty() => hash(&digest.instance),
        ledger => ledger,
    };
    format!("<triage-root-{day}.{whose}@{}>", domain(head))
}

/// Headers for mail rules and auto-responders.
fn labels(digest: &Digest, head: &Letterhead) -> Vec<(&'static str, String)> {
    let totals = &digest.totals;
    let list = match token(&digest.instance).as_str() {
        "" => format!("<llama-triage.{}>", domain(head)),
        name => format!("<{}.llama-triage.{}>", name.to_ascii_lowercase(), domain(head)),
    };
    let counts = format!(
        "new={}, regressed={}, escalated={}, resolved={}, other={}, faults={}, open-items={}, open-groups={}",
        totals.new,
        totals.regressed,
        totals.escalated,
        totals.resolved,
        totals.other,
        totals.faults,
        totals.open_items,
        totals.open_groups,
    );
    vec![
        // RFC 3834: no vacation notice is sent back.
        ("Auto-Submitted", "auto-generated".to_owned()),
        ("X-Auto-Response-Suppress", "All".to_owned()),
        ("List-Id", list),
        ("X-Triage-Digest", id_token(digest)),
        ("X-Triage-Reason", json::reasons(digest).join(", ")),
        ("X-Triage-Counts", counts),
    ]
}

fn domain(head: &Letterhead) -> &str {
    head.from.email.domain()
}

/// The first 12 hexadecimal digits of a name's SHA-256.
fn hash(name: &str) -> String {
    hex::encode(&Sha256::digest(name.as_bytes())[..6])
}

/// Only letters, digits and dashes, at most 60: fit for an id.
fn token(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(60).collect()
}
