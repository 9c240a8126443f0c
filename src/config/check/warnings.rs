//! Warnings about settings that are valid but probably unintended, for `check-config` and `doctor`.

use crate::config::Config;
use crate::config::channel::{ChannelConfig, ChannelKind, SendMode};
use crate::model::host::is_loopback;
use crate::model::id::bare_project_id;

/// A key and the doubt about its value.
pub(crate) fn warnings(config: &Config) -> Vec<(String, String)> {
    let mut doubts = Vec::new();
    let mut say = |key: &str, text: String| doubts.push((key.to_owned(), text));
    let paged: Vec<ChannelKind> =
        config.channel.iter().filter(|channel| gets_pages(channel, config)).map(|channel| channel.kind).collect();
    if config.channel.is_empty() {
        say("channel", "no [[channel]] is configured: digests stay in the ledger and are not sent".to_owned());
    } else if paged.iter().all(|kind| matches!(kind, ChannelKind::Teams | ChannelKind::File)) {
        say("channel", unheard_pages(&paged));
    } else if config.channel.iter().filter(|channel| gets_pages(channel, config)).all(has_hours) {
        let text = "pages (digest.page-classes) wait outside hours and days: every channel that gets them has some";
        say("channel", text.to_owned());
    }
    for (index, project) in config.project.iter().enumerate() {
        if let Some(text) = project.project_id.as_deref().and_then(prefixed_id_warning) {
            say(&format!("project[{index}].project-id"), text);
        }
        if is_unencrypted(&project.base_url) {
            let text = "the API key is sent in plain text; use https:// unless the network is private".to_owned();
            say(&format!("project[{index}].base-url"), text);
        }
    }
    if let Some(address) = config.service.listen.filter(|address| !address.ip().is_loopback()) {
        let text = format!("{address} is reachable from other hosts without a password");
        say("service.listen", text);
    }
    if config.service.webhook_secret_file.is_some() && config.service.listen.is_none() {
        let text = "nothing listens for webhooks: service.listen is not set".to_owned();
        say("service.webhook-secret-file", text);
    }
    if config.service.heartbeat_url.is_some() && config.service.heartbeat_url_file.is_some() {
        say("service.heartbeat-url", "heartbeat-url-file is also set and overrides it".to_owned());
    }
    for (key, text) in config.reprocess.removed_keys() {
        say(&format!("reprocess.{key}"), text.to_owned());
    }
    for (key, text) in config.digest.removed_keys() {
        say(&format!("digest.{key}"), text);
    }
    doubts
}

/// What is said where pages come only through channels of these kinds, if through any.
fn unheard_pages(kinds: &[ChannelKind]) -> String {
    let said = if kinds.contains(&ChannelKind::Teams) {
        "pages ([page]) may be lost: Microsoft Teams can accept a message and drop it; add a channel of another kind"
    } else if kinds.contains(&ChannelKind::File) {
        "pages ([page]) are only written to files, which alert no one; add a channel of another kind"
    } else {
        "pages ([page]) are not sent at once: every channel filters them out or waits for the daily digest"
    };
    said.to_owned()
}

/// The warning for a project id with the prefix that responses of the API have.
fn prefixed_id_warning(id: &str) -> Option<String> {
    let bare = bare_project_id(id);
    if bare != id {
        return Some(format!("the API expects the bare uuid: {bare} is sent"));
    }
    let said = "the API expects a bare uuid, and none follows the prefix: it is sent unchanged";
    (id.starts_with("proj-") || id.starts_with("prj-")).then(|| said.to_owned())
}

/// Whether what is sent to this address leaves the host unencrypted.
fn is_unencrypted(base_url: &str) -> bool {
    let Ok(url) = reqwest::Url::parse(base_url) else { return false };
    url.scheme() == "http" && !url.host_str().is_some_and(is_loopback)
}

/// Whether there are times at which nothing is sent to this channel.
fn has_hours(channel: &ChannelConfig) -> bool {
    channel.hours.is_some() || !channel.days.is_empty()
}

/// Whether paging news comes through this channel.
fn gets_pages(channel: &ChannelConfig, config: &Config) -> bool {
    let only = &channel.only;
    if channel.send == Some(SendMode::Daily) {
        return false;
    }
    only.classes.is_empty() || config.page_classes().iter().any(|class| only.classes.contains(class))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(change: impl FnOnce(&mut Config)) -> Vec<String> {
        let mut config = Config {
            channel: vec![ChannelConfig { kind: ChannelKind::Email, ..ChannelConfig::default() }],
            ..Config::default()
        };
        change(&mut config);
        warnings(&config).into_iter().map(|(key, _)| key).collect()
    }

    #[test]
    fn a_configuration_in_which_paging_news_may_be_lost_is_doubted() {
        assert!(keys(|_| {}).is_empty());
        assert_eq!(keys(|c| c.channel.clear()), ["channel"]);
        assert_eq!(keys(|c| c.channel[0].kind = ChannelKind::Teams), ["channel"]);
        assert_eq!(keys(|c| c.channel[0].only.classes = vec!["transient".to_owned()]), ["channel"]);
        assert!(keys(|c| c.channel[0].only.classes = vec!["account".to_owned()]).is_empty());
        assert_eq!(keys(|c| c.channel[0].send = Some(SendMode::Daily)), ["channel"]);
        assert_eq!(keys(|c| c.channel[0].hours = Some("08:00-18:00".to_owned())), ["channel"]);
        assert!(
            keys(|c| {
                c.channel[0].hours = Some("08:00-18:00".to_owned());
                c.channel.push(ChannelConfig { kind: ChannelKind::Pagerduty, ..ChannelConfig::default() });
            })
            .is_empty()
        );
    }

    #[test]
    fn what_is_said_of_pages_names_the_kinds_that_are_there() {
        let said = |kinds: &[ChannelKind]| {
            let channel = kinds.iter().map(|kind| ChannelConfig { kind: *kind, ..ChannelConfig::default() }).collect();
            warnings(&Config { channel, ..Config::default() }).pop().unwrap_or_default().1
        };
        assert!(said(&[ChannelKind::File]).contains("files") && !said(&[ChannelKind::File]).contains("Teams"));
        let both = said(&[ChannelKind::File, ChannelKind::Teams]);
        assert!(both.contains("Teams") && !both.contains("files"), "{both}");
        assert_eq!(said(&[ChannelKind::File, ChannelKind::Slack]), "");
    }

    #[test]
    fn an_api_key_sent_in_plain_text_to_another_host_is_doubted() {
        let with = |url: &str| {
            let project = crate::config::project::ProjectConfig { base_url: url.to_owned(), ..Default::default() };
            keys(|c| c.project.push(project))
        };
        for url in ["https://example.com", "http://127.0.0.1:8600", "http://[::1]:8600", "http://localhost"] {
            assert!(with(url).is_empty(), "{url}");
        }
        assert_eq!(with("http://example.com"), ["project[0].base-url"]);
    }

    #[test]
    fn a_project_id_with_the_prefix_of_the_answers_is_doubted() {
        let with = |id: &str| {
            let project =
                crate::config::project::ProjectConfig { project_id: Some(id.to_owned()), ..Default::default() };
            keys(|c| c.project.push(project))
        };
        assert_eq!(with("proj-0b1f"), ["project[0].project-id"]);
        assert!(prefixed_id_warning("proj-0b1f").unwrap().ends_with("unchanged"));
        let uuid = "7c9e6679-7425-40de-944b-e07fc1f90ae7";
        assert!(prefixed_id_warning(&format!("prj-{uuid}")).unwrap().ends_with(&format!("{uuid} is sent")));
        assert!(with("0b1f").is_empty());
    }

    #[test]
    fn an_address_open_to_other_hosts_is_doubted() {
        assert_eq!(keys(|c| c.service.listen = Some("0.0.0.0:9180".parse().unwrap())), ["service.listen"]);
        assert!(keys(|c| c.service.listen = Some("[::1]:9180".parse().unwrap())).is_empty());
    }
}
