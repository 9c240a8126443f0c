//! Webhook deliveries against receivers that answer as the real ones do, and as they do on bad days.

use std::time::Duration;

use base64::Engine;
use hmac::{Hmac, KeyInit, Mac};

use crate::config::channel::ChannelKind;
use crate::notify::delivery::{DeliveryFacts, Receipt};
use crate::notify::error::NotifyError;
use crate::notify::tests::http_peer::{HttpPeer, Say};
use crate::notify::tests::mail::facts;
use crate::notify::tests::sample::busy;
use crate::triage::digest::size_limit::Tier;

const KINDS: [ChannelKind; 4] = [ChannelKind::Slack, ChannelKind::Teams, ChannelKind::Pagerduty, ChannelKind::Webhook];

fn says(status: u16, body: &'static str) -> Say {
    Say { status, body, ..Say::default() }
}

async fn outcome(kind: ChannelKind, say: Say) -> Result<Receipt, NotifyError> {
    let receiver = HttpPeer::start(say).await;
    let outcome = receiver.channel(kind).deliver(&busy(), &facts()).await;
    if let Err(error) = &outcome {
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("s3cret") && !shown.contains("0123456789abcdef"), "{shown}");
    }
    outcome
}

#[tokio::test]
async fn the_receiver_can_verify_the_webhook_and_recognise_a_repeat() {
    let receiver = HttpPeer::start(says(204, "")).await;
    let channel = receiver.channel(ChannelKind::Webhook);
    let first = facts();
    let second = DeliveryFacts { now: crate::notify::tests::sample::at("2026-08-23T07:05:00Z"), ..facts() };
    channel.deliver(&busy(), &first).await.unwrap();
    channel.deliver(&busy(), &second).await.unwrap();
    let got = receiver.got();
    for (headers, body) in &got {
        let header = |name: &str| headers[name].to_str().unwrap();
        let mut mac = Hmac::<sha2::Sha256>::new_from_slice(b"signing secret").unwrap();
        let signed = format!("{}.{}.{body}", header("webhook-id"), header("webhook-timestamp"));
        mac.update(signed.as_bytes());
        let signature = header("webhook-signature").strip_prefix("v1,").unwrap();
        let signature = base64::engine::general_purpose::STANDARD.decode(signature).unwrap();
        mac.verify_slice(&signature).unwrap();
        assert_eq!(header("content-type"), "application/json");
    }
    assert_eq!(got[0].0["webhook-id"], got[1].0["webhook-id"]);
    assert_ne!(got[0].0["webhook-timestamp"], got[1].0["webhook-timestamp"]);
    assert_eq!(got[0].1, got[1].1);
}

#[tokio::test]
async fn every_kind_reads_the_same_statuses_alike() {
    for kind in KINDS {
        let busy_peer = Say { headers: vec![("retry-after", "17".to_owned())], ..says(429, "slow down") };
        let error = outcome(kind, busy_peer).await.unwrap_err();
        assert!(error.is_transient() && !error.may_have_arrived(), "{kind:?}");
        assert_eq!(error.retry_after(), Some(Duration::from_secs(17)));
        let error = outcome(kind, says(503, "")).await.unwrap_err();
        assert!(error.is_transient(), "{kind:?}");
        let error = outcome(kind, says(410, "")).await.unwrap_err();
        assert!(!error.is_transient() && error.to_string().contains("address no longer exists"), "{kind:?}");
        let error = outcome(kind, says(413, "")).await.unwrap_err();
        assert!(error.too_large() && !error.is_transient(), "{kind:?}");
        let error = outcome(kind, says(400, "bad")).await.unwrap_err();
        assert!(matches!(error, NotifyError::Refused { .. }), "{kind:?}");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = HttpPeer::start(says(200, "ok")).await;
    for kind in KINDS {
        let redirect = Say { headers: vec![("location", elsewhere.url.clone())], ..says(307, "") };
        let error = outcome(kind, redirect).await.unwrap_err();
        assert!(error.to_string().contains("redirects"), "{error}");
    }
    assert!(elsewhere.got().is_empty());
}

#[tokio::test]
async fn a_slow_body_never_blocks_and_only_matters_where_the_body_is_the_answer() {
    for kind in KINDS {
        let stalled = Say { stalls: true, ..says(200, "o") };
        let outcome = outcome(kind, stalled).await;
        match kind {
            ChannelKind::Slack | ChannelKind::Teams => {
                assert!(outcome.unwrap_err().may_have_arrived(), "{kind:?}");
            }
            // A second copy of an event changes nothing.
            ChannelKind::Pagerduty => {
                let error = outcome.unwrap_err();
                assert!(error.is_transient() && !error.may_have_arrived(), "{error}");
            }
            _ => assert!(outcome.is_ok(), "{kind:?}"),
        }
    }
}

#[tokio::test]
async fn no_one_listening_certainly_did_not_deliver() {
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/s3cret", closed.local_addr().unwrap());
    let mut receiver = HttpPeer::start(says(200, "")).await;
    drop(closed);
    receiver.url = url;
    for kind in KINDS {
        let error = receiver.channel(kind).deliver(&busy(), &facts()).await.unwrap_err();
        assert!(matches!(error, NotifyError::Unreachable { .. }), "{error}");
        assert!(!format!("{error} {error:?}").contains("s3cret"), "{error:?}");
    }
}

#[tokio::test]
async fn slack_says_in_the_body_whether_it_worked() {
    assert!(outcome(ChannelKind::Slack, says(200, "ok")).await.is_ok());
    let error = outcome(ChannelKind::Slack, says(400, "invalid_blocks")).await.unwrap_err();
    assert!(error.too_large());
    let error = outcome(ChannelKind::Slack, says(200, "no_service")).await.unwrap_err();
    assert!(matches!(error, NotifyError::Refused { .. }) && error.to_string().contains("no_service"));
}

#[tokio::test]
async fn a_receiver_that_is_busy_is_so_whatever_its_words_are() {
    for kind in KINDS {
        for body in ["too_many_requests", "{\"ok\":false,\"error\":\"msg_too_long\"}", "no_service", "<html>"] {
            for status in [429, 503] {
                let busy_peer = Say { headers: vec![("retry-after", "17".to_owned())], ..says(status, body) };
                let error = outcome(kind, busy_peer).await.unwrap_err();
                assert!(error.is_transient() && !error.too_large(), "{kind:?} {status} {body}: {error}");
                assert_eq!(error.retry_after(), Some(Duration::from_secs(17)));
            }
        }
    }
}

#[tokio::test]
async fn receivers_like_slack_say_in_their_own_ways_that_it_worked() {
    let rocket_chat = "{\"success\":true}";
    for body in ["ok", rocket_chat, "{\"ok\":true}", "", "1", "Message posted"] {
        let receipt = outcome(ChannelKind::Slack, says(200, body)).await;
        assert!(receipt.is_ok(), "{body}: {receipt:?}");
    }
    let refused = outcome(ChannelKind::Slack, says(200, "{\"success\":false,\"error\":\"Invalid integration\"}")).await;
    assert!(matches!(refused, Err(NotifyError::Refused { .. })));
}

#[tokio::test]
async fn a_web_page_is_no_answer_where_answers_have_words() {
    for kind in KINDS {
        let outcome = outcome(kind, says(200, "<!DOCTYPE html><html><h1>Log in</h1></html>")).await;
        match kind {
            ChannelKind::Webhook => assert!(outcome.is_ok()),
            _ => {
                let error = outcome.unwrap_err();
                assert!(error.is_transient() && error.to_string().contains("a web page"), "{kind:?}: {error}");
            }
        }
    }
}

#[tokio::test]
async fn an_event_that_pagerduty_dislikes_holds_up_no_other() {
    let dislikes = Say { once: true, ..says(400, "{\"status\":\"invalid event\",\"errors\":[\"'payload' is bad\"]}") };
    let receiver = HttpPeer::start(dislikes).await;
    let receipt = receiver.channel(ChannelKind::Pagerduty).deliver(&busy(), &facts()).await.unwrap();
    assert_eq!((receipt.done.len(), receipt.refused.len()), (1, 1), "{receipt:?}");
    assert!(receipt.refused[0].contains("'payload' is bad"), "{receipt:?}");
    let all = HttpPeer::start(says(400, "{\"status\":\"invalid event\"}")).await;
    let error = all.channel(ChannelKind::Pagerduty).deliver(&busy(), &facts()).await.unwrap_err();
    assert!(error.is_of_content(), "{error}");
}

#[tokio::test]
async fn teams_success_with_an_error_in_the_body_is_no_success() {
    let endpoint = |body| outcome(ChannelKind::Teams, says(200, body));
    assert!(endpoint("1").await.is_ok());
    let error = endpoint(
        "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 429 with ContextId x",
    )
    .await;
    assert!(matches!(error, Err(NotifyError::Deferred { .. })));
    let error = endpoint("Microsoft Teams endpoint returned HTTP error 413").await.unwrap_err();
    assert_eq!(error.next_tier(), Some(Tier::TotalsOnly.number()));
    let error = endpoint("{\"error\":{\"code\":\"WorkflowTriggerIsNotEnabled\"}}").await;
    assert!(matches!(error, Err(NotifyError::Refused { .. })));
}

#[tokio::test]
async fn a_repeated_pagerduty_delivery_sends_only_what_is_left() {
    let receiver = HttpPeer::start(Say { after: 1, ..says(429, "") }).await;
    let channel = receiver.channel(ChannelKind::Pagerduty);
    let error = channel.deliver(&busy(), &facts()).await.unwrap_err();
    assert!(error.is_transient());
    assert_eq!(error.done(), ["trigger llama-triage/3f9c2ab14d5e6f70/g-1f4e9c20/1"]);
    let fine = HttpPeer::start(says(202, "{}")).await;
    let again = DeliveryFacts { done: error.done().to_vec(), ..facts() };
    let receipt = fine.channel(ChannelKind::Pagerduty).deliver(&busy(), &again).await.unwrap();
    assert_eq!(receipt.done.len(), 2);
    let sent: Vec<String> = fine.got().into_iter().map(|(_, body)| body).collect();
    assert_eq!(sent.len(), 1);
    assert!(sent[0].contains("llama-triage/3f9c2ab14d5e6f70/fault/scan:archive"));
}

#[tokio::test]
async fn an_uncertain_repeat_says_so_only_where_a_second_copy_cannot_be_dropped() {
    let uncertain = DeliveryFacts { uncertain: true, ..facts() };
    for kind in KINDS {
        let receiver = HttpPeer::start(says(200, "ok")).await;
        let channel = receiver.channel(kind);
        channel.deliver(&busy(), &uncertain).await.unwrap();
        let says_so = receiver.got()[0].1.contains("Possible repeat of D-20260823-03");
        assert_eq!(says_so, matches!(kind, ChannelKind::Slack | ChannelKind::Teams), "{kind:?}");
    }
}

#[tokio::test]
async fn a_check_reaches_the_host_and_sends_nothing() {
    for kind in KINDS {
        let receiver = HttpPeer::start(says(404, "")).await;
        receiver.channel(kind).check(facts().now).await.unwrap();
        assert!(receiver.got().iter().all(|(_, body)| body.is_empty()));
    }
}
