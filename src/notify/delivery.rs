//! What a channel needs to send a delivery, and what it says of one that worked.

use jiff::Timestamp;
use secrecy::SecretString;

use crate::triage::digest::size_limit::Tier;

/// What a channel needs and the configuration file does not hold. None of it is ever printed.
#[derive(Clone, Debug, Default)]
pub struct ChannelSecrets {
    /// email: the password of `smtp-username`.
    pub smtp_password: Option<SecretString>,
    /// email: the client secret for access tokens.
    pub oauth2_secret: Option<SecretString>,
    /// email: the refresh token for access tokens.
    pub oauth2_refresh_token: Option<SecretString>,
    /// email: the key file of a service account.
    pub oauth2_key: Option<SecretString>,
    /// slack, teams, webhook: the address, if it comes from a file or credential.
    pub url: Option<SecretString>,
    /// webhook: the signing secret, `whsec_…` or raw.
    pub signing_secret: Option<SecretString>,
    /// webhook: the token that it is authorized with.
    pub bearer: Option<SecretString>,
    /// pagerduty: the routing key.
    pub routing_key: Option<SecretString>,
}

/// What is known of a delivery beside its digest.
#[derive(Clone, Debug)]
pub struct DeliveryFacts {
    /// The same on every try; webhooks send it as their message id.
    pub delivery_id: String,
    /// When this try is made: what a webhook's signature is bound to.
    pub now: Timestamp,
    /// An earlier try may have arrived; channels that cannot drop a second copy say so.
    pub uncertain: bool,
    /// The largest tier to render: [`Tier::Full`] at first, smaller after an answer that it was too large.
    pub tier: Tier,
    /// What an earlier try finished: recipients or events that are not sent again.
    pub done: Vec<String>,
}

/// A delivery that worked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// What the peer said, fit to be stored and shown.
    pub answer: String,
    /// Recipients that will never get it, with the reason; the others have it.
    pub refused: Vec<String>,
    /// Recipients or events that are done.
    pub done: Vec<String>,
    /// How much of the digest was sent.
    pub tier: Tier,
}

impl Receipt {
    pub(crate) fn new(answer: String, tier: Tier) -> Receipt {
        Receipt { answer, refused: Vec::new(), done: Vec::new(), tier }
    }
}
