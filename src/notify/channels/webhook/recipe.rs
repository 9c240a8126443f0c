//! The shipped body templates of services that take no other JSON than their own.

use crate::config::channel::Recipe;

/// What a recipe needs beside its template.
pub(crate) struct ShippedRecipe {
    /// The template.
    pub(crate) source: &'static str,
    /// How the secret of `bearer-file` is sent; `{bearer}` stands for it.
    pub(crate) authorization: &'static str,
}

/// The recipe of a service.
pub(crate) fn shipped(recipe: Recipe) -> ShippedRecipe {
    let source = match recipe {
        Recipe::Discord => include_str!("../../../../config/webhooks/discord.json.j2"),
        Recipe::GoogleChat => include_str!("../../../../config/webhooks/google-chat.json.j2"),
        Recipe::Incident => include_str!("../../../../config/webhooks/incident.json.j2"),
        Recipe::JiraServiceManagement => include_str!("../../../../config/webhooks/jira-service-management.json.j2"),
        Recipe::Mattermost => include_str!("../../../../config/webhooks/mattermost.json.j2"),
        Recipe::Ntfy => include_str!("../../../../config/webhooks/ntfy.json.j2"),
        Recipe::Telegram => include_str!("../../../../config/webhooks/telegram.json.j2"),
    };
    let authorization = match recipe {
        Recipe::JiraServiceManagement => "GenieKey {bearer}",
        _ => "Bearer {bearer}",
    };
    ShippedRecipe { source, authorization }
}
