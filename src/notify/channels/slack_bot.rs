//! Slack by bot token: one thread for each day, whose head message shows the newest state and is edited with each digest.
//!
//! <https://docs.slack.dev/reference/methods/chat.postMessage>, <https://docs.slack.dev/reference/methods/chat.update>

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tracing::debug;

use crate::notify::channels::http::{Http, HttpResponse, Plaintext};
use crate::notify::channels::slack;
use crate::notify::delivery::{DeliveryFacts, Receipt};
use crate::notify::error::NotifyError;
use crate::notify::http_answer::BodyFormat;
use crate::notify::render::times::DisplayZone;
use crate::notify::render::words::is_page;
use crate::triage::digest::model::Digest;

/// Where Slack's methods are, unless `url` says otherwise.
pub(crate) const ADDRESS: &str = "https://slack.com/api/";

/// What is called done once a day's head message is there; its timestamp follows.
const HEAD: &str = "head ";

/// A day's thread.
#[derive(Deserialize, Serialize)]
struct Thread {
    /// `20260823`
    day: String,
    /// The id of the Slack channel.
    room: String,
    /// The timestamp of the head message, by which Slack knows it.
    head: String,
}

/// A Slack app's bot in one Slack channel.
pub(crate) struct SlackBot {
    /// `chat.postMessage`.
    post: Http,
    /// `chat.update`.
    update: Http,
    /// `auth.test`.
    test: Http,
    token: SecretString,
    /// The id of the Slack channel.
    room: String,
}

impl SlackBot {
    /// Checks the address.
    pub(crate) fn new(
        channel: &str,
        base: &str,
        token: SecretString,
        room: String,
        limit: Duration,
    ) -> Result<SlackBot, NotifyError> {
        let method = |name: &str| {
            let address = SecretString::from(format!("{}/{name}", base.trim_end_matches('/')));
            Http::new(channel, &address, Plaintext::OnLoopback, limit)
        };
        Ok(SlackBot {
            post: method("chat.postMessage")?,
            update: method("chat.update")?,
            test: method("auth.test")?,
            token,
            room,
        })
    }

    /// Posts the digest into the thread of its day, which it begins if there is none, and edits the head of the thread.
    pub(crate) async fn deliver(&self, digest: &Digest, facts: &DeliveryFacts) -> Result<Receipt, NotifyError> {
        let day = DisplayZone::new(&digest.zone).day(digest.created_at);
        let known: Option<Thread> = facts.thread.as_deref().and_then(|thread| serde_json::from_str(thread).ok());
        let known = known.filter(|thread| thread.day == day && thread.room == self.room).map(|thread| thread.head);
        let begun = facts.done.iter().find_map(|done| done.strip_prefix(HEAD));
        let head = match known.or_else(|| begun.map(str::to_owned)) {
            Some(head) => head,
            None => self.begin(digest).await?,
        };
        let done = vec![format!("{HEAD}{head}")];
        let (message, tier) = slack::render_value(digest, facts);
        let reply = self
            .with_room(message, json!({ "thread_ts": head, "reply_broadcast": digest.changes.iter().any(is_page) }));
        let answer = self.call(&self.post, reply).await.map_err(|error| error.after(done.clone()))?;
        let size = |tier| slack::render(digest, &DeliveryFacts { tier, ..facts.clone() }).0.len();
        self.judge(&self.post, &answer).map_err(|error| error.shortened(facts, tier, size).after(done))?;
        // The news has arrived; a head that is a digest behind is mended by the next one.
        let edited = self.with_room(slack::head(digest), json!({ "ts": head }));
        if let Err(error) = self.call(&self.update, edited).await.and_then(|answer| self.judge(&self.update, &answer)) {
            debug!("the head of the day's thread was not edited: {error}");
        }
        let thread = serde_json::to_string(&Thread { day, room: self.room.clone(), head }).ok();
        Ok(Receipt { thread, ..Receipt::new("ok".to_owned(), tier) })
    }

    /// Posts the head message of a day; its timestamp.
    async fn begin(&self, digest: &Digest) -> Result<String, NotifyError> {
        let answer = self.call(&self.post, self.with_room(slack::head(digest), json!({}))).await?;
        self.judge(&self.post, &answer)?;
        let said: Value = serde_json::from_str(&answer.body).unwrap_or_default();
        said["ts"].as_str().map(str::to_owned).ok_or_else(|| NotifyError::Refused {
            peer: self.post.peer(),
            why: "the answer names no message (ts)".to_owned(),
            todo: "check that url is the address of Slack's API",
            of_content: false,
        })
    }

    /// Whether Slack knows the token, without sending.
    pub(crate) async fn check(&self) -> Result<String, NotifyError> {
        let answer = self.call(&self.test, json!({})).await?;
        self.judge(&self.test, &answer)?;
        Ok(format!("{}: token OK; send a test message to check the Slack channel {}", self.test.peer(), self.room))
    }

    fn with_room(&self, mut message: Value, more: Value) -> Value {
        message["channel"] = json!(self.room);
        for (key, value) in more.as_object().into_iter().flatten() {
            message[key] = value.clone();
        }
        message
    }

    async fn call(&self, method: &Http, body: Value) -> Result<HttpResponse, NotifyError> {
        let bearer = format!("Bearer {}", self.token.expose_secret().trim());
        method.post(body.to_string(), &[("authorization", bearer)]).await
    }

    /// What an answer means; Slack says `"ok": false` with the name of an error, at status 200.
    fn judge(&self, method: &Http, answer: &HttpResponse) -> Result<(), NotifyError> {
        let said: Value = serde_json::from_str(&answer.body).unwrap_or_default();
        let name = said["error"].as_str().unwrap_or_default();
        let todo = match name {
            "invalid_auth" | "not_authed" | "token_revoked" | "token_expired" | "account_inactive" => {
                "check the bot token (credential slack-token-NAME)"
            }
            "missing_scope" | "no_permission" => "give the app the scope chat:write, and install it again",
            "not_in_channel" | "channel_not_found" => "check slack-channel, and invite the app's bot to it",
            "is_archived" | "restricted_action" => "choose another Slack channel, or allow the bot to post there",
            _ => return method.judge(answer, BodyFormat::Read),
        };
        Err(NotifyError::Refused { peer: method.peer(), why: answer.peer_text(), todo, of_content: false })
    }
}
