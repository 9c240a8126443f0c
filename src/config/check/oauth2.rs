//! Whether the log-in of a mail channel with access tokens is complete.

use crate::config::channel::{ChannelConfig, ChannelKind, OauthConfig, OauthGrant, SmtpAuth};
use crate::model::host::is_loopback;

/// Says what is missing or does not fit.
pub(crate) fn check(channel: &ChannelConfig, mut say: impl FnMut(&str, &str)) {
    if channel.kind != ChannelKind::Email {
        return;
    }
    let uses_tokens = channel.smtp_auth == Some(SmtpAuth::Oauth2);
    match (&channel.oauth2, uses_tokens) {
        (None, false) => {}
        (Some(_), false) => say("smtp-auth", "missing: set it to \"oauth2\", or leave `oauth2` out"),
        (None, true) => {
            let text = "missing: smtp-auth = \"oauth2\" needs `oauth2 = { token-url = …, client-id = …, scope = … }`";
            say("oauth2", text);
        }
        (Some(oauth2), true) => check_tokens(oauth2, &mut say),
    }
    if uses_tokens && channel.smtp_username.is_none() {
        say("smtp-username", "missing: smtp-auth = \"oauth2\" needs the mailbox that logs in");
    }
    if uses_tokens && channel.smtp_password_file.is_some() {
        say("smtp-password-file", "no password is used with smtp-auth = \"oauth2\": leave it out");
    }
}

fn check_tokens(oauth2: &OauthConfig, say: &mut impl FnMut(&str, &str)) {
    use OauthGrant::{ClientCredentials, RefreshToken, ServiceAccount};
    let grant = oauth2.grant;
    let name: &str = grant.into();
    for (key, is_written, needed, allowed) in [
        ("token-url", oauth2.token_url.is_some(), &[ClientCredentials, RefreshToken][..], &[ServiceAccount][..]),
        ("client-id", oauth2.client_id.is_some(), &[ClientCredentials, RefreshToken], &[]),
        ("scope", oauth2.scope.is_some(), &[ClientCredentials], &[RefreshToken, ServiceAccount]),
        ("secret-file", oauth2.secret_file.is_some(), &[], &[ClientCredentials, RefreshToken]),
        ("refresh-token-file", oauth2.refresh_token_file.is_some(), &[], &[RefreshToken]),
        ("key-file", oauth2.key_file.is_some(), &[], &[ServiceAccount]),
    ] {
        if needed.contains(&grant) && !is_written {
            say(&format!("oauth2.{key}"), &format!("missing: grant = \"{name}\" needs `{key}`"));
        } else if is_written && !needed.contains(&grant) && !allowed.contains(&grant) {
            say(&format!("oauth2.{key}"), &format!("this key does not apply to grant = \"{name}\""));
        }
    }
    if let Some(url) = &oauth2.token_url {
        let is_safe = |url: &reqwest::Url| {
            url.scheme() == "https" || url.scheme() == "http" && url.host_str().is_some_and(is_loopback)
        };
        if !reqwest::Url::parse(url).is_ok_and(|url| is_safe(&url)) {
            say("oauth2.token-url", "an address that begins with https://: secrets are sent to it");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The complaints about a mail channel with these lines.
    fn keys(lines: &str) -> Vec<String> {
        let channel: ChannelConfig = toml::from_str(&format!("kind = \"email\"\n{lines}")).unwrap();
        let mut keys = Vec::new();
        check(&channel, |key, _| keys.push(key.to_owned()));
        keys
    }

    #[test]
    fn each_grant_is_complete_or_says_what_it_lacks() {
        let with =
            |table: &str| keys(&format!("smtp-auth = \"oauth2\"\nsmtp-username = \"u\"\noauth2 = {{ {table} }}"));
        let fine = "token-url = \"https://x\", client-id = \"c\"";
        assert!(with(&format!("{fine}, scope = \"s\"")).is_empty());
        assert!(with(&format!("{fine}, grant = \"refresh-token\", refresh-token-file = \"r\"")).is_empty());
        assert!(with("grant = \"service-account\", key-file = \"k\"").is_empty());
        assert_eq!(with(""), ["oauth2.token-url", "oauth2.client-id", "oauth2.scope"]);
        assert_eq!(with(&format!("{fine}, scope = \"s\", key-file = \"k\"")), ["oauth2.key-file"]);
        assert_eq!(with("grant = \"service-account\", client-id = \"c\""), ["oauth2.client-id"]);
        for url in ["http://login.example.com/token", "login.example.com", "file:///x"] {
            let table = format!("token-url = \"{url}\", client-id = \"c\", scope = \"s\"");
            assert_eq!(with(&table), ["oauth2.token-url"], "{url}");
        }
        assert!(with("token-url = \"http://127.0.0.1:1/t\", client-id = \"c\", scope = \"s\"").is_empty());
    }

    #[test]
    fn the_switch_and_its_table_need_each_other() {
        assert!(keys("").is_empty());
        assert_eq!(keys("smtp-auth = \"oauth2\""), ["oauth2", "smtp-username"]);
        assert_eq!(keys("oauth2 = { grant = \"service-account\" }"), ["smtp-auth"]);
        let both = "smtp-auth = \"oauth2\"\nsmtp-username = \"u\"\nsmtp-password-file = \"p\"\noauth2 = { grant = \"service-account\" }";
        assert_eq!(keys(both), ["smtp-password-file"]);
    }
}
