//! Mail to a server that accepts only access tokens, which a token endpoint on loopback grants as real ones do.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use axum::extract::{Form, State};
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::config::channel::{ChannelConfig as Config, OauthConfig, OauthGrant, SmtpAuth};
use crate::notify::channels::email::Email;
use crate::notify::delivery::ChannelSecrets;
use crate::notify::error::NotifyError;
use crate::notify::tests::http_peer::{HttpPeer, Say};
use crate::notify::tests::mail::{email, facts};
use crate::notify::tests::sample::busy;
use crate::notify::tests::smtp::short;
use crate::notify::tests::smtp_peer::{Protect, SmtpPeer, Then};

const USER: &str = "triage@example.com";

/// What the endpoint knows, and what it was asked.
#[derive(Default)]
struct Known {
    /// The public key of the service account.
    key: Vec<u8>,
    /// The refresh token that is valid now.
    refresh_token: String,
    /// Whether a used refresh token is replaced.
    rotates: bool,
    /// `expires_in` of what it grants.
    life: u64,
    asked: Vec<HashMap<String, String>>,
    /// The tokens that the mail server accepts.
    valid: Vec<String>,
}

#[derive(Clone)]
struct Endpoint {
    url: String,
    known: Arc<Mutex<Known>>,
}

impl Endpoint {
    async fn start(known: Known) -> Endpoint {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/token", listener.local_addr().unwrap());
        let endpoint = Endpoint { url, known: Arc::new(Mutex::new(known)) };
        let app = Router::new().route("/token", post(grant)).with_state(endpoint.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        endpoint
    }

    fn asked(&self) -> usize {
        self.known.lock().unwrap().asked.len()
    }

    /// What the mail server does: it accepts the tokens that are valid, and mail of those who logged in.
    fn only_tokens(&self) -> impl Fn(&str) -> Option<Then> + Send + Sync + 'static {
        let (known, is_in) = (Arc::clone(&self.known), AtomicBool::new(false));
        move |line| match line.split(' ').collect::<Vec<_>>()[..] {
            ["connect"] => {
                is_in.store(false, Ordering::SeqCst);
                None
            }
            ["EHLO", name] if name.contains('.') => Some(Then::Say("250 AUTH XOAUTH2")),
            ["AUTH", "XOAUTH2", response] => {
                let response = String::from_utf8(STANDARD.decode(response).unwrap()).unwrap();
                let token = response.strip_prefix(&format!("user={USER}\x01auth=Bearer ")).unwrap_or_default();
                let token = token.strip_suffix("\x01\x01").unwrap_or_default();
                let accepted = known.lock().unwrap().valid.iter().any(|valid| valid == token);
                is_in.store(accepted, Ordering::SeqCst);
                Some(Then::Say(if accepted { "235 2.7.0 Accepted" } else { CHALLENGE }))
            }
            [""] => Some(Then::Say("535 5.7.8 Username and Password not accepted.")),
            ["AUTH", ..] => Some(Then::Say("504 5.7.4 Unrecognized authentication type")),
            ["MAIL", ..] if !is_in.load(Ordering::SeqCst) => Some(Then::Say("530 5.7.0 Authentication Required.")),
            _ => None,
        }
    }

    async fn mail_server(&self) -> SmtpPeer {
        SmtpPeer::start(Protect::Plain, self.only_tokens()).await
    }
}

/// `{"status":"400","schemes":"Bearer","scope":"https://mail.google.com/"}`, as Gmail refuses a token.
const CHALLENGE: &str =
    "334 eyJzdGF0dXMiOiI0MDAiLCJzY2hlbWVzIjoiQmVhcmVyIiwic2NvcGUiOiJodHRwczovL21haWwuZ29vZ2xlLmNvbS8ifQ==";

async fn grant(
    State(endpoint): State<Endpoint>,
    Form(fields): Form<HashMap<String, String>>,
) -> (StatusCode, Json<Value>) {
    let mut known = endpoint.known.lock().unwrap();
    known.asked.push(fields.clone());
    let field = |name: &str| fields.get(name).map(String::as_str).unwrap_or_default();
    let refused = |status: StatusCode, error: &str, words: &str| {
        (status, Json(json!({ "error": error, "error_description": words })))
    };
    let by_client = field("client_id") == "app-1" && field("client_secret") == "client-s3cret-1";
    let may = match field("grant_type") {
        "client_credentials" if field("scope") != "https://outlook.office365.com/.default" => {
            return refused(StatusCode::BAD_REQUEST, "invalid_scope", "AADSTS70011: The provided value is not valid.");
        }
        "client_credentials" => by_client,
        "refresh_token" if field("refresh_token") != known.refresh_token => {
            return refused(StatusCode::BAD_REQUEST, "invalid_grant", "Token has been expired or revoked.");
        }
        "refresh_token" => by_client,
        "urn:ietf:params:oauth:grant-type:jwt-bearer" => is_assertion(&known.key, &endpoint.url, field("assertion")),
        _ => return refused(StatusCode::BAD_REQUEST, "unsupported_grant_type", "Invalid grant_type"),
    };
    if !may {
        return refused(StatusCode::UNAUTHORIZED, "invalid_client", "AADSTS7000215: Invalid client secret provided.");
    }
    let token = format!("tok-{}-{}", known.asked.len(), "x".repeat(1_500));
    known.valid.push(token.clone());
    let mut answer = json!({ "token_type": "Bearer", "expires_in": known.life, "access_token": token });
    if known.rotates && field("grant_type") == "refresh_token" {
        known.refresh_token = format!("refresh-{}", known.asked.len());
        answer["refresh_token"] = json!(known.refresh_token);
    }
    (StatusCode::OK, Json(answer))
}

/// Whether Google would take the assertion.
fn is_assertion(key: &[u8], audience: &str, assertion: &str) -> bool {
    let parts: Vec<&str> = assertion.split('.').collect();
    let [header, claims, signature] = parts[..] else { return false };
    let signed = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key)
        .verify(format!("{header}.{claims}").as_bytes(), &URL_SAFE_NO_PAD.decode(signature).unwrap());
    let read = |part: &str| serde_json::from_slice::<Value>(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap();
    let (header, claims) = (read(header), read(claims));
    let now = facts().now.as_second();
    let valid = |claim: &str| claims[claim].as_i64().unwrap();
    signed.is_ok()
        && header["alg"] == "RS256"
        && claims["iss"] == "triage@project.iam.gserviceaccount.com"
        && claims["sub"] == USER
        && claims["aud"] == audience
        && claims["scope"] == "https://mail.google.com/"
        && valid("iat") <= now
        && now < valid("exp")
        && valid("exp") - valid("iat") <= 3_600
}

fn secrets() -> ChannelSecrets {
    ChannelSecrets {
        oauth2_secret: Some(SecretString::from("client-s3cret-1")),
        oauth2_refresh_token: Some(SecretString::from("refresh-0")),
        ..ChannelSecrets::default()
    }
}

fn config(port: u16, token_url: &str, grant: OauthGrant) -> Config {
    let oauth2 = OauthConfig {
        grant,
        token_url: Some(token_url.to_owned()),
        client_id: Some("app-1".into()),
        scope: (grant == OauthGrant::ClientCredentials).then(|| "https://outlook.office365.com/.default".into()),
        ..OauthConfig::default()
    };
    Config { smtp_username: Some(USER.into()), smtp_auth: Some(SmtpAuth::Oauth2), oauth2: Some(oauth2), ..email(port) }
}

fn channel(port: u16, token_url: &str) -> Email {
    let config = config(port, token_url, OauthGrant::ClientCredentials);
    Email::new(&config, secrets(), short()).unwrap()
}

#[tokio::test]
async fn an_application_sends_mail_with_one_token_as_long_as_it_is_valid() {
    let endpoint = Endpoint::start(Known { life: 3_599, ..Known::default() }).await;
    let mut server = endpoint.mail_server().await;
    let channel = channel(server.port, &endpoint.url);
    for _ in 0..3 {
        channel.deliver(&busy(), &facts()).await.unwrap();
    }
    assert_eq!(endpoint.asked(), 1);
    let heard = server.heard();
    assert_eq!(heard.iter().filter(|line| line.starts_with("AUTH XOAUTH2 ")).count(), 3);
    assert_eq!(heard.iter().filter(|line| *line == "DATA").count(), 3);
    assert_eq!(channel.server.steps(), ["token", "connect", "log-in"]);
}

#[tokio::test]
async fn a_token_that_has_ended_is_not_sent() {
    let endpoint = Endpoint::start(Known { life: 0, ..Known::default() }).await;
    let server = endpoint.mail_server().await;
    let channel = channel(server.port, &endpoint.url);
    for _ in 0..2 {
        channel.deliver(&busy(), &facts()).await.unwrap();
    }
    assert_eq!(endpoint.asked(), 2);
}

#[tokio::test]
async fn a_token_that_was_revoked_is_replaced_at_once() {
    let endpoint = Endpoint::start(Known { life: 3_599, ..Known::default() }).await;
    let mut server = endpoint.mail_server().await;
    let channel = channel(server.port, &endpoint.url);
    channel.server.check(facts().now).await.unwrap();
    endpoint.known.lock().unwrap().valid.clear();
    channel.deliver(&busy(), &facts()).await.unwrap();
    assert_eq!(endpoint.asked(), 2);
    assert_eq!(server.heard().iter().filter(|line| line.starts_with("AUTH")).count(), 3);
}

#[tokio::test]
async fn a_token_that_the_server_refuses_twice_is_an_error_with_its_words() {
    let endpoint = Endpoint::start(Known { life: 3_599, ..Known::default() }).await;
    let server = endpoint.mail_server().await;
    let wrong = Config {
        smtp_username: Some("other@example.com".into()),
        ..config(server.port, &endpoint.url, OauthGrant::ClientCredentials)
    };
    let error = Email::new(&wrong, secrets(), short()).unwrap().deliver(&busy(), &facts()).await.unwrap_err();
    let text = error.to_string();
    assert!(!error.is_transient());
    for part in
        ["log-in: ", "(535)", "status 400", "scope https://mail.google.com/", "check smtp-username (the mailbox)"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert_eq!(endpoint.asked(), 1, "it was new");
}

#[tokio::test]
async fn a_refresh_token_is_used_and_replaced_where_the_endpoint_does_so() {
    for rotates in [false, true] {
        let known = Known { refresh_token: "refresh-0".into(), rotates, ..Known::default() };
        let endpoint = Endpoint::start(known).await;
        let server = endpoint.mail_server().await;
        let config = config(server.port, &endpoint.url, OauthGrant::RefreshToken);
        let channel = Email::new(&config, secrets(), short()).unwrap();
        for _ in 0..2 {
            channel.server.check(facts().now).await.unwrap();
        }
        let asked = endpoint.known.lock().unwrap().asked.clone();
        let sent: Vec<&str> = asked.iter().map(|fields| fields["refresh_token"].as_str()).collect();
        assert_eq!(sent, ["refresh-0", if rotates { "refresh-1" } else { "refresh-0" }]);
        assert!(asked.iter().all(|fields| !fields.contains_key("scope")));
    }
}

/// The key file of a service account, and its public key.
fn service_account(token_url: &str) -> (String, Vec<u8>) {
    let key = KeyPair::generate(KeySize::Rsa2048).unwrap();
    let der: Pkcs8V1Der<'_> = key.as_der().unwrap();
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(der.as_ref()));
    let file = json!({
        "type": "service_account", "private_key_id": "k1", "private_key": pem,
        "client_email": "triage@project.iam.gserviceaccount.com", "token_uri": token_url,
    });
    (format!("{file:#}"), key.public_key().as_ref().to_vec())
}

#[tokio::test]
async fn a_service_account_signs_for_the_mailbox() {
    let endpoint = Endpoint::start(Known::default()).await;
    let (file, key) = service_account(&endpoint.url);
    endpoint.known.lock().unwrap().key = key;
    let server = endpoint.mail_server().await;
    let mut config = config(server.port, &endpoint.url, OauthGrant::ServiceAccount);
    config.oauth2 = Some(OauthConfig { grant: OauthGrant::ServiceAccount, ..OauthConfig::default() });
    let open = |file: &str| {
        let secrets = ChannelSecrets { oauth2_key: Some(SecretString::from(file)), ..ChannelSecrets::default() };
        Email::new(&config, secrets, short())
    };
    open(&file).unwrap().deliver(&busy(), &facts()).await.unwrap();

    let other = service_account(&endpoint.url).0;
    let refused = open(&other).unwrap().server.check(facts().now).await.unwrap_err().to_string();
    assert!(
        refused.contains("token: HTTP 401 invalid_client") && refused.contains("smtp-oauth2-key-NAME"),
        "{refused}"
    );
    for broken in ["", "{}", "{\"client_email\":\"a\",\"private_key\":\"s3cret\"}", &file.replace("MII", "AAA")] {
        let error = open(broken).map(|_| ()).unwrap_err().to_string();
        assert!(error.contains("the key of its service account") && !error.contains("s3cret"), "{error}");
    }
}

/// What is said where the token endpoint gives this answer.
async fn without_token(status: u16, body: &'static str) -> NotifyError {
    let endpoint = HttpPeer::start(Say { status, body, ..Say::default() }).await;
    channel(1, &endpoint.url).server.check(facts().now).await.unwrap_err()
}

#[tokio::test]
async fn each_way_in_which_there_is_no_token_says_the_step_and_what_to_do() {
    let expired = r#"{"error":"invalid_client","error_description":"AADSTS7000222: The provided client secret keys for app 'a' are expired."}"#;
    for (status, body, is_transient, parts) in [
        (401, expired, false, ["HTTP 401 invalid_client: AADSTS7000222", "create a new one"]),
        (400, r#"{"error":"invalid_grant"}"#, false, ["HTTP 400 invalid_grant; ", "check oauth2.grant"]),
        (400, r#"{"error":"unauthorized_client"}"#, false, ["unauthorized_client", "the tenant in oauth2.token-url"]),
        (400, r#"{"error":"invalid_scope"}"#, false, ["invalid_scope", "check oauth2.scope"]),
        (400, "{}", false, ["HTTP 400", "check oauth2.token-url"]),
        (404, "<html>not here</html>", false, ["HTTP 404", "check oauth2.token-url"]),
        (302, "", false, ["HTTP 302", "set oauth2.token-url to the address it leads to"]),
        (200, "<html>log in</html>", true, ["is not JSON", "login page is in between"]),
        (200, "[]", true, ["is not JSON", "check oauth2.token-url"]),
        (200, "{}", false, ["no access_token", "check oauth2.token-url"]),
        (200, r#"{"access_token":"a b"}"#, false, ["characters", "check oauth2.token-url"]),
        (200, r#"{"access_token":"ab","token_type":"mac"}"#, false, ["not Bearer", "check oauth2.token-url"]),
        (400, r#"{"error":"temporarily_unavailable"}"#, true, ["temporarily_unavailable", "deferred by"]),
        (503, "busy", true, ["HTTP 503: busy", "deferred by"]),
        (429, "", true, ["HTTP 429", "deferred by"]),
    ] {
        let error = without_token(status, body).await;
        let text = error.to_string();
        assert!(text.contains(": token: "), "{text}");
        assert_eq!(error.is_transient(), is_transient, "{text}");
        for part in parts {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}

#[tokio::test]
async fn an_endpoint_that_is_away_slow_or_breaks_off_is_tried_again() {
    let away = channel(1, "http://127.0.0.1:1/token").server.check(facts().now).await.unwrap_err();
    let slow = HttpPeer::start(Say { status: 200, stalls: true, ..Say::default() }).await;
    let slow = channel(1, &slow.url).server.check(facts().now).await.unwrap_err();
    for error in [away, slow] {
        assert!(matches!(&error, NotifyError::Unreachable { why, .. } if why.starts_with("token: ")), "{error}");
        assert!(error.is_transient() && !error.may_have_arrived(), "{error}");
    }
}

#[tokio::test]
async fn a_server_without_xoauth2_and_one_that_is_busy_say_so() {
    let endpoint = Endpoint::start(Known { life: 3_599, ..Known::default() }).await;
    let server = SmtpPeer::start(Protect::Plain, |_| None).await;
    let text = channel(server.port, &endpoint.url).server.check(facts().now).await.unwrap_err().to_string();
    assert!(text.contains("log-in: the server does not offer XOAUTH2") && text.contains("smtp-auth"), "{text}");

    for (answer, is_transient, part) in [
        ("535 5.7.3 Authentication unsuccessful", false, "service principal"),
        ("535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled", false, "must enable it"),
        ("454 4.7.0 Temporary authentication failure", true, "deferred by"),
    ] {
        let server = SmtpPeer::start(Protect::Plain, move |line| match line {
            _ if line.starts_with("EHLO") => Some(Then::Say("250 AUTH LOGIN XOAUTH2")),
            _ if line.starts_with("AUTH") => Some(Then::Say(answer)),
            _ => None,
        });
        let error = channel(server.await.port, &endpoint.url).server.check(facts().now).await.unwrap_err();
        let text = error.to_string();
        assert!(text.contains("log-in: ") && text.contains(part) && error.is_transient() == is_transient, "{text}");
    }
}

#[tokio::test]
async fn secrets_and_tokens_are_masked_in_what_servers_repeat() {
    let endpoint = Endpoint::start(Known { life: 3_599, ..Known::default() }).await;
    let server = SmtpPeer::start(Protect::Plain, |line| match line {
        _ if line.starts_with("EHLO") => Some(Then::Say("250 AUTH XOAUTH2")),
        // It repeats as much of the command as an answer can hold.
        _ if line.starts_with("AUTH") => Some(Then::Say(format!("535 wrong: {}", &line[..400]).leak())),
        _ => None,
    });
    let channel = channel(server.await.port, &endpoint.url);
    let text = channel.deliver(&busy(), &facts()).await.unwrap_err().to_string();
    let token = endpoint.known.lock().unwrap().valid[0].clone();
    let sent = STANDARD.encode(format!("user={USER}\x01auth=Bearer {token}\x01\x01"));
    assert!(text.contains("535") && text.contains("***"), "{text}");
    for shown in [&token[..40], &sent[60..100]] {
        assert!(!text.contains(shown), "{text}");
    }
}
