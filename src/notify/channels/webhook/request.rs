//! The headers of a webhook beside those of its signature.

use secrecy::{ExposeSecret, SecretString};

use crate::config::channel::ChannelConfig as Config;
use crate::notify::error::NotifyError;

/// What stands for the secret of `bearer-file` in a header.
const PLACEHOLDER: &str = "{bearer}";

/// The configured headers with the secret in its place; `authorization` is how it is sent if none of them names it.
///
/// # Errors
/// A header needs the secret and there is none.
pub(crate) fn headers(
    config: &Config,
    bearer: Option<&SecretString>,
    authorization: &str,
) -> Result<Vec<(String, SecretString)>, NotifyError> {
    let mut headers: Vec<(String, String)> =
        config.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone())).collect();
    let is_placed = headers.iter().any(|(_, value)| value.contains(PLACEHOLDER));
    if bearer.is_some() && !is_placed {
        headers.push(("authorization".to_owned(), authorization.to_owned()));
    }
    let filled = headers.into_iter().map(|(name, value)| match (value.contains(PLACEHOLDER), bearer) {
        (false, _) => Ok((name, SecretString::from(value))),
        (true, Some(secret)) => {
            Ok((name, SecretString::from(value.replace(PLACEHOLDER, secret.expose_secret().trim()))))
        }
        (true, None) => Err(NotifyError::Settings(format!(
            "channel \"{}\": its header {name} needs bearer-file, or the systemd credential `webhook-bearer-{}`",
            config.name, config.name
        ))),
    });
    filled.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(table: &str, bearer: Option<&str>) -> Result<Vec<(String, String)>, String> {
        let config: Config =
            toml::from_str(&format!("name = \"c\"\nkind = \"webhook\"\nheaders = {{ {table} }}")).unwrap();
        let bearer = bearer.map(SecretString::from);
        let headers = headers(&config, bearer.as_ref(), "Bearer {bearer}").map_err(|error| error.to_string())?;
        Ok(headers.into_iter().map(|(name, value)| (name, value.expose_secret().to_owned())).collect())
    }

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn the_secret_is_sent_where_a_header_names_it_else_as_a_bearer_token() {
        assert_eq!(sent("", None).unwrap(), []);
        assert_eq!(sent("X-Team = \"docs\"", None).unwrap(), [pair("x-team", "docs")]);
        assert_eq!(sent("", Some("s3\n")).unwrap(), [pair("authorization", "Bearer s3")]);
        assert_eq!(sent("X-Api-Key = \"{bearer}\"", Some("s3")).unwrap(), [pair("x-api-key", "s3")]);
        assert_eq!(
            sent("Authorization = \"GenieKey {bearer}\"", Some("s3")).unwrap(),
            [pair("authorization", "GenieKey s3")]
        );
        assert!(sent("X-Api-Key = \"{bearer}\"", None).unwrap_err().contains("webhook-bearer-c"));
    }
}
