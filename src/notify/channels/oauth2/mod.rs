//! Access tokens for mail servers that accept no password (OAuth 2, RFC 6749): requested when a mail is sent, kept in
//! memory, renewed before they end.
//!
//! A token is in no file, log or ledger; what a server repeats of it is masked.

pub(crate) mod answer;
pub(crate) mod assertion;
pub(crate) mod grant;

use std::time::{Duration, Instant};

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Mutex;
use tracing::debug;

use crate::notify::channels::http::{Http, Plaintext};
use crate::notify::channels::oauth2::answer::{Granted, read};
use crate::notify::channels::oauth2::grant::Grant;
use crate::notify::error::NotifyError;
use crate::secrets;

/// Before its end a token is renewed: a mail that begins now may wait minutes for the server.
const RENEWED_BEFORE: Duration = Duration::from_secs(300);

/// A token that ends sooner is renewed after half of its life.
const SHORT_LIFE: Duration = Duration::from_secs(600);

/// Where the access tokens of one channel come from.
pub(crate) struct TokenSource {
    grant: Grant,
    http: Http,
    /// Under which the channel's tokens are masked.
    series: String,
    state: Mutex<State>,
}

/// A token to log in with.
#[derive(Clone)]
pub(crate) struct AccessToken {
    pub(crate) secret: SecretString,
    /// It was requested for this log-in; an older one may have been revoked since.
    pub(crate) is_new: bool,
}

#[derive(Default)]
struct State {
    held: Option<Held>,
    /// The newest refresh token, where the endpoint replaces it; none for the configured one.
    refresh_token: Option<SecretString>,
}

struct Held {
    token: SecretString,
    renewed_at: Instant,
    ends_at: Instant,
}

impl TokenSource {
    /// Checks the address of the token endpoint. `limit` is the time for one request.
    pub(crate) fn new(channel: &str, grant: Grant, token_url: &str, limit: Duration) -> Result<Self, NotifyError> {
        let http = Http::new(channel, &SecretString::from(token_url), Plaintext::OnLoopback, limit)?;
        Ok(TokenSource { grant, http, series: format!("smtp-oauth2 {channel}"), state: Mutex::default() })
    }

    /// The token to log in with: the one that is held, or a new one shortly before that ends.
    pub(crate) async fn token(&self, now: Timestamp) -> Result<AccessToken, NotifyError> {
        let mut state = self.state.lock().await;
        let at = Instant::now();
        if let Some(held) = state.held.as_ref().filter(|held| at < held.renewed_at) {
            return Ok(AccessToken { secret: held.token.clone(), is_new: false });
        }
        match self.request(&mut state, now).await {
            Ok(secret) => Ok(AccessToken { secret, is_new: true }),
            Err(error) => match state.held.as_ref().filter(|held| error.is_transient() && at < held.ends_at) {
                Some(held) => {
                    debug!("cannot renew the access token yet: {error}");
                    Ok(AccessToken { secret: held.token.clone(), is_new: false })
                }
                None => Err(error),
            },
        }
    }

    /// A new token, whatever is held.
    pub(crate) async fn renewed(&self, now: Timestamp) -> Result<AccessToken, NotifyError> {
        let mut state = self.state.lock().await;
        state.held = None;
        Ok(AccessToken { secret: self.request(&mut state, now).await?, is_new: true })
    }

    async fn request(&self, state: &mut State, now: Timestamp) -> Result<SecretString, NotifyError> {
        let fields = self.grant.fields(state.refresh_token.as_ref(), now)?;
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.expose_secret())).collect();
        let peer = self.http.peer();
        let (response, raw) = self
            .http
            .post_form(&fields)
            .await
            .map_err(|why| NotifyError::Unreachable { peer: peer.clone(), why: format!("token: {why}") })?;
        let granted = read(&peer, &self.grant, &response, &raw)?;
        secrets::hold_newest(&self.series, granted.token.expose_secret());
        if let Some(refresh_token) = granted.refresh_token.clone() {
            secrets::hold_newest(&format!("{} refresh", self.series), refresh_token.expose_secret());
            state.refresh_token = Some(refresh_token);
        }
        debug!("{peer} granted an access token for {} s", granted.lifetime.as_secs());
        state.held = Some(Held::from_now(&granted));
        Ok(granted.token)
    }
}

impl Held {
    fn from_now(granted: &Granted) -> Held {
        let (now, life) = (Instant::now(), granted.lifetime);
        let used = if life < SHORT_LIFE { life / 2 } else { life - RENEWED_BEFORE };
        Held { token: granted.token.clone(), renewed_at: now + used, ends_at: now + life }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(token_url: &str) -> TokenSource {
        let grant = Grant::ClientCredentials { client_id: "c".into(), secret: "s".into(), scope: "s".into() };
        TokenSource::new("c", grant, token_url, Duration::from_secs(1)).unwrap()
    }

    #[test]
    fn a_token_is_renewed_five_minutes_before_its_end_or_after_half_of_a_short_life() {
        for (life, used) in [(3_599, 3_299), (600, 300), (598, 299), (60, 30), (0, 0)] {
            let lifetime = Duration::from_secs(life);
            let held = Held::from_now(&Granted { token: "t".into(), lifetime, refresh_token: None });
            assert_eq!((held.ends_at - held.renewed_at).as_secs(), life - used, "{life}");
        }
    }

    #[tokio::test]
    async fn a_token_that_cannot_be_renewed_yet_is_used_to_its_end() {
        let source = source("http://127.0.0.1:1/token");
        let hold = async |ends_in: u64| {
            let now = Instant::now();
            let held = Held { token: "old".into(), renewed_at: now, ends_at: now + Duration::from_secs(ends_in) };
            source.state.lock().await.held = Some(held);
            source.token(Timestamp::UNIX_EPOCH).await
        };
        assert_eq!(hold(200).await.unwrap().secret.expose_secret(), "old");
        assert!(hold(0).await.is_err());
    }

    #[test]
    fn a_secret_goes_to_no_endpoint_without_tls() {
        let grant = Grant::ClientCredentials { client_id: "c".into(), secret: "s".into(), scope: "s".into() };
        assert!(TokenSource::new("c", grant, "http://login.example.com/t", Duration::from_secs(1)).is_err());
    }
}
