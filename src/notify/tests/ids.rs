//! The ids under which digests and alerts leave the house.

use crate::config::channel::ChannelKind;
use crate::notify::Channel;
use crate::notify::delivery::ChannelSecrets;
use crate::notify::tests::http_peer::{HttpPeer, Say};
use crate::notify::tests::mail::{email, facts};
use crate::notify::tests::sample::busy;
use crate::triage::digest::model::Digest;

/// Every id that others could take two digests for one by.
async fn ids(digest: &Digest) -> Vec<String> {
    let mail = Channel::new(&email(25), ChannelSecrets::default()).unwrap();
    let mail = String::from_utf8(mail.preview(digest, &facts()).unwrap()).unwrap();
    let header = |name: &str| mail.lines().find_map(|line| line.strip_prefix(name)).unwrap().to_owned();
    let mut ids: Vec<String> = ["Message-ID: ", "References: ", "In-Reply-To: ", "X-Triage-Digest: "]
        .iter()
        .map(|name| header(name))
        .collect();
    let receiver = HttpPeer::start(Say { status: 200, ..Say::default() }).await;
    receiver.channel(ChannelKind::Webhook).deliver(digest, &facts()).await.unwrap();
    ids.push(receiver.got()[0].0["webhook-id"].to_str().unwrap().to_owned());
    let receiver = HttpPeer::start(Say { status: 202, ..Say::default() }).await;
    receiver.channel(ChannelKind::Pagerduty).deliver(digest, &facts()).await.unwrap();
    for (_, body) in receiver.got() {
        let event: serde_json::Value = serde_json::from_str(&body).unwrap();
        ids.push(event["dedup_key"].as_str().unwrap().to_owned());
    }
    ids
}

#[tokio::test]
async fn two_ledgers_share_no_id() {
    let ours = busy();
    let theirs = Digest { ledger_id: "0123456789abcdef".into(), ..busy() };
    let (ours, theirs) = (ids(&ours).await, ids(&theirs).await);
    assert_eq!(ours.len(), 7);
    for (one, other) in ours.iter().zip(&theirs) {
        assert!(
            one != other && one.contains("3f9c2ab14d5e6f70") && other.contains("0123456789abcdef"),
            "{one} {other}"
        );
    }
}

#[tokio::test]
async fn a_ledger_that_was_set_back_gives_no_other_digest_an_id_that_was_delivered() {
    let before = ids(&busy()).await;
    let after = ids(&Digest { nonce: "ffffffff".into(), ..busy() }).await;
    let same: Vec<bool> = before.iter().zip(&after).map(|(one, other)| one == other).collect();
    // A day's thread and the alerts go on.
    assert_eq!(same, [false, true, true, false, false, true, true]);
}

#[tokio::test]
async fn what_an_earlier_version_decided_keeps_the_ids_that_it_was_sent_under() {
    let old = Digest { ledger_id: String::new(), nonce: String::new(), ..busy() };
    assert_eq!(
        ids(&old).await,
        [
            "<D-20260823-03.776b17088dc5@example.com>",
            "<triage-root-20260823.6754af9632a2@example.com>",
            "<triage-root-20260823.6754af9632a2@example.com>",
            "D-20260823-03",
            "D-20260823-03_oncall",
            "llama-triage/prod/g-1f4e9c20/1",
            "llama-triage/prod/fault/scan:archive",
        ]
    );
}
