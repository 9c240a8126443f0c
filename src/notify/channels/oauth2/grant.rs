//! The requests for a token: what each grant sends (RFC 6749, 4.4 and 6; RFC 7523, 2.1).

use jiff::Timestamp;
use secrecy::SecretString;

use crate::notify::channels::oauth2::assertion::ServiceAccount;
use crate::notify::error::NotifyError;

/// What a token is requested with.
pub(crate) enum Grant {
    /// The application's id and secret.
    ClientCredentials {
        /// Application (client) id.
        client_id: String,
        /// Client secret.
        secret: SecretString,
        /// What the token is for.
        scope: String,
    },
    /// A refresh token that a user granted.
    RefreshToken {
        /// Application (client) id.
        client_id: String,
        /// Client secret; none of an application that cannot keep one.
        secret: Option<SecretString>,
        /// What the token is for; none for all that was granted.
        scope: Option<String>,
        /// The configured refresh token.
        refresh_token: SecretString,
    },
    /// The signed assertion of a service account.
    ServiceAccount {
        /// Who signs.
        account: Box<ServiceAccount>,
        /// The mailbox that it acts for.
        user: String,
        /// What the token is for.
        scope: String,
    },
}

impl Grant {
    /// The fields of the request; `newest` is the refresh token that replaced the configured one.
    pub(crate) fn fields(
        &self,
        newest: Option<&SecretString>,
        now: Timestamp,
    ) -> Result<Vec<(&'static str, SecretString)>, NotifyError> {
        let plain = |text: &str| SecretString::from(text);
        Ok(match self {
            Grant::ClientCredentials { client_id, secret, scope } => vec![
                ("grant_type", plain("client_credentials")),
                ("client_id", plain(client_id)),
                ("client_secret", secret.clone()),
                ("scope", plain(scope)),
            ],
            Grant::RefreshToken { client_id, secret, scope, refresh_token } => {
                let refresh_token = newest.unwrap_or(refresh_token).clone();
                let mut fields = vec![
                    ("grant_type", plain("refresh_token")),
                    ("client_id", plain(client_id)),
                    ("refresh_token", refresh_token),
                ];
                fields.extend(secret.clone().map(|secret| ("client_secret", secret)));
                fields.extend(scope.as_deref().map(|scope| ("scope", plain(scope))));
                fields
            }
            Grant::ServiceAccount { account, user, scope } => vec![
                ("grant_type", plain("urn:ietf:params:oauth:grant-type:jwt-bearer")),
                ("assertion", account.assertion(user, scope, now)?),
            ],
        })
    }
}
