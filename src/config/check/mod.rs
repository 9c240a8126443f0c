//! What a configuration must satisfy beyond the shape of its values.

pub(crate) mod job_configs;
pub(crate) mod oauth2;
pub(crate) mod times;
pub(crate) mod warnings;
pub(crate) mod webhook;

use std::collections::HashSet;

use crate::classify::rules::decide::Rules;
use crate::config::Config;
use crate::config::channel::{ChannelConfig, ChannelKind, SmtpTls};
use crate::config::project::ProjectConfig;
use crate::model::class::Class;
use crate::model::group_state::GroupState;
use crate::model::host::is_loopback;
use crate::model::item::Kind;
use crate::model::links::unknown_placeholder;
use crate::model::schedule::quiet::QuietHours;

/// A key and what is wrong with its value.
pub(crate) type Complaint = (String, String);

/// Every complaint about a configuration that parsed.
pub(crate) fn check(config: &Config) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    let mut say = |key: String, text: &str| complaints.push((key, text.to_owned()));
    if config.project.is_empty() {
        let text = "no [[project]] is configured: add at least one LlamaCloud project, \
                    for example with two more lines at the end: [[project]] and name = \"prod\"";
        say("project".to_owned(), text);
    }
    repeated(config.project.iter().map(|p| p.name.as_str()), "project", &mut say);
    repeated(config.channel.iter().map(|c| c.name.as_str()), "channel", &mut say);
    for (index, project) in config.project.iter().enumerate() {
        check_project(project, |key, text| say(format!("project[{index}].{key}"), text));
    }
    for (index, channel) in config.channel.iter().enumerate() {
        check_channel(channel, |key, text| say(format!("channel[{index}].{key}"), text));
        oauth2::check(channel, |key, text| say(format!("channel[{index}].{key}"), text));
        webhook::check(channel, |key, text| say(format!("channel[{index}].{key}"), text));
        check_only(channel, config, |key, text| say(format!("channel[{index}].only.{key}"), text));
    }
    times::check(config, &mut say);
    check_digest(config, &mut say);
    check_page(config, &mut say);
    check_service(config, &mut say);
    check_console(config, &mut say);
    check_reprocess(config, &mut say);
    job_configs::check(config, &mut say);
    for (name, template) in &config.links.templates.0 {
        if let Some(unknown) = unknown_placeholder(template) {
            say(
                format!("links.templates.{name}"),
                &format!(
                    "unknown placeholder `{{{unknown}}}`, allowed: {{{}}}",
                    crate::model::links::PLACEHOLDERS.join("} {")
                ),
            );
        }
    }
    complaints
}

fn repeated<'a>(names: impl Iterator<Item = &'a str>, table: &str, say: &mut impl FnMut(String, &str)) {
    let mut seen = HashSet::new();
    for (index, name) in names.enumerate() {
        let key = format!("{table}[{index}].name");
        if name.is_empty() || !name.chars().all(|c| c.is_alphanumeric() || "-_.".contains(c)) {
            say(key, "a name may contain letters, digits, `-`, `_` and `.`");
        } else if !seen.insert(name) {
            say(key, "duplicate name");
        }
    }
}

fn check_project(project: &ProjectConfig, mut say: impl FnMut(&str, &str)) {
    match reqwest::Url::parse(&project.base_url) {
        Ok(url) if url.scheme() == "https" || (url.scheme() == "http" && url.host().is_some()) => {
            if url.query().is_some() || url.fragment().is_some() {
                say("base-url", "the address must have no query and no fragment");
            }
        }
        Ok(_) => say("base-url", "the address must begin with https:// (or http:// for a server on this host)"),
        Err(error) => {
            say("base-url", &format!("not an address: {error}; for example https://api.cloud.eu.llamaindex.ai"))
        }
    }
    if project.page_size.get() > 1000 {
        say("page-size", "the API gives at most 1000 rows a page; allowed: 1 to 1000");
    }
    for (key, value) in [("project-id", &project.project_id), ("organization-id", &project.organization_id)] {
        if value.as_ref().is_some_and(|id| id.trim().is_empty()) {
            say(key, "must not be empty; leave it out to use the key's own");
        }
    }
}

fn check_channel(channel: &ChannelConfig, mut say: impl FnMut(&str, &str)) {
    use ChannelKind::{Email, File, Pagerduty, Slack, Teams, Webhook};
    let kind = channel.kind;
    let written = [
        ("from", channel.from.is_some(), &[Email][..]),
        ("to", !channel.to.is_empty(), &[Email]),
        ("smtp-host", channel.smtp_host.is_some(), &[Email]),
        ("smtp-port", channel.smtp_port.is_some(), &[Email]),
        ("smtp-tls", channel.smtp_tls.is_some(), &[Email]),
        ("smtp-allow-plaintext", channel.smtp_allow_plaintext, &[Email]),
        ("smtp-username", channel.smtp_username.is_some(), &[Email]),
        ("smtp-hello", channel.smtp_hello.is_some(), &[Email]),
        ("smtp-password-file", channel.smtp_password_file.is_some(), &[Email]),
        ("smtp-auth", channel.smtp_auth.is_some(), &[Email]),
        ("oauth2", channel.oauth2.is_some(), &[Email]),
        ("thread", channel.thread.is_some(), &[Email]),
        ("url", channel.url.is_some(), &[Slack, Teams, Webhook, Pagerduty]),
        ("url-file", channel.url_file.is_some(), &[Slack, Teams, Webhook]),
        ("secret-file", channel.secret_file.is_some(), &[Webhook]),
        ("method", channel.method.is_some(), &[Webhook]),
        ("headers", !channel.headers.is_empty(), &[Webhook]),
        ("bearer-file", channel.bearer_file.is_some(), &[Webhook]),
        ("recipe", channel.recipe.is_some(), &[Webhook]),
        ("body-template", channel.body_template.is_some(), &[Webhook]),
        ("template-values", !channel.template_values.is_empty(), &[Webhook]),
        ("routing-key-file", channel.routing_key_file.is_some(), &[Pagerduty]),
        ("dir", channel.dir.is_some(), &[File]),
    ];
    for (key, is_written, kinds) in written {
        if is_written && !kinds.contains(&kind) {
            say(key, &format!("this key does not apply to kind = \"{}\"", kind.as_str()));
        }
    }
    if kind == Email {
        for (key, is_written) in [
            ("from", channel.from.is_some()),
            ("to", !channel.to.is_empty()),
            ("smtp-host", channel.smtp_host.is_some()),
        ] {
            if !is_written {
                say(key, &format!("missing: kind = \"email\" needs `{key}`"));
            }
        }
        for address in channel.from.iter().chain(&channel.to) {
            if address.parse::<lettre::message::Mailbox>().is_err() {
                let key = if channel.from.as_ref() == Some(address) { "from" } else { "to" };
                say(key, &format!("`{address}` is not a mail address"));
            }
        }
        if channel.smtp_hello.as_deref().is_some_and(|name| !is_hello(name)) {
            say("smtp-hello", "a host name such as `triage.example.com`, or an address such as `[192.0.2.7]`");
        }
        let remote = channel.smtp_host.as_deref().is_some_and(|host| !is_loopback(host));
        if channel.smtp_tls == Some(SmtpTls::None) && remote && !channel.smtp_allow_plaintext {
            say(
                "smtp-tls",
                "\"none\" sends digests in plain text over the network; use \"required\" or \"implicit\", or set smtp-allow-plaintext = true",
            );
        }
    }
    if kind == File && channel.dir.as_ref().is_none_or(|dir| dir.as_os_str().is_empty()) {
        say("dir", "missing: kind = \"file\" needs `dir`, the folder to write to");
    }
    if let Some(url) = &channel.url
        && !reqwest::Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https"))
    {
        say("url", "not an http or https address");
    }
}

fn check_only(channel: &ChannelConfig, config: &Config, mut say: impl FnMut(&str, &str)) {
    let only = &channel.only;
    for word in &only.states {
        if GroupState::try_from(word.as_str()).is_err() {
            say(
                "states",
                &format!("unknown state `{word}`, allowed: `new`, `ongoing`, `regressed`, `escalating`, `resolved`"),
            );
        }
    }
    for word in &only.kinds {
        if Kind::try_from(word.as_str()).is_err() {
            say("kinds", &format!("unknown kind `{word}`, allowed: {}", Kind::words()));
        }
    }
    for name in &only.projects {
        if !config.project.iter().any(|project| project.name == *name) {
            say("projects", &format!("there is no [[project]] named `{name}`"));
        }
    }
    for class in &only.classes {
        check_class(class, |text| say("classes", text));
    }
}

fn check_service(config: &Config, say: &mut impl FnMut(String, &str)) {
    if let Some(error) = config.log.level.as_deref().and_then(unreadable_level) {
        say("log.level".to_owned(), &format!("{error}; for example \"info\" or \"llama_triage=debug,warn\""));
    }
    if let Some(url) = &config.service.heartbeat_url
        && !reqwest::Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https"))
    {
        say("service.heartbeat-url".to_owned(), "not an http or https address");
    }
}

fn check_console(config: &Config, say: &mut impl FnMut(String, &str)) {
    if config.console.enabled && config.service.listen.is_none() {
        let text = "needs service.listen, such as \"127.0.0.1:9180\": the console is served there";
        say("console.enabled".to_owned(), text);
    }
    if let Some(url) = &config.service.public_url {
        let is_plain = |url: &reqwest::Url| {
            matches!(url.scheme(), "http" | "https")
                && url.path() == "/"
                && url.query().is_none()
                && url.fragment().is_none()
                && url.username().is_empty()
        };
        if !reqwest::Url::parse(url).is_ok_and(|url| is_plain(&url)) {
            let text = "an address such as \"https://triage.example.com\", without a path";
            say("service.public-url".to_owned(), text);
        }
    }
}

/// A word that is no level would be the name of a module, and everything else would be silent.
fn unreadable_level(text: &str) -> Option<String> {
    let is_word = |part: &str| part.chars().all(|c| c.is_alphanumeric() || "_:".contains(c));
    let is_level = |part: &str| part.parse::<tracing_subscriber::filter::LevelFilter>().is_ok();
    match text.split(',').map(str::trim).find(|part| part.is_empty() || is_word(part) && !is_level(part)) {
        Some("") => Some("a level is missing".to_owned()),
        Some(word) => Some(format!("`{word}` is no level, allowed: `off`, `error`, `warn`, `info`, `debug`, `trace`")),
        None => tracing_subscriber::EnvFilter::try_new(text).err().map(|error| error.to_string()),
    }
}

fn check_digest(config: &Config, say: &mut impl FnMut(String, &str)) {
    if config.digest.groups == 0 {
        say("digest.groups".to_owned(), "must be at least 1");
    }
}

fn check_page(config: &Config, say: &mut impl FnMut(String, &str)) {
    let page = &config.page;
    for class in config.page_classes() {
        check_class(class, |text| say("page.classes".to_owned(), text));
    }
    if !(0.0..=1.0).contains(&page.incident_share) {
        say("page.incident-share".to_owned(), "a share between 0 and 1");
    }
    for name in &page.projects {
        if !config.project.iter().any(|project| project.name == *name) {
            say("page.projects".to_owned(), &format!("there is no [[project]] named `{name}`"));
        }
    }
    if page.hours.as_deref().is_some_and(|hours| QuietHours::parse(hours).is_err()) {
        say("page.hours".to_owned(), "write start and end, such as \"08:00-20:00\"; they must differ");
    }
}

fn check_reprocess(config: &Config, say: &mut impl FnMut(String, &str)) {
    let reprocess = &config.reprocess;
    if !(0.0..=1.0).contains(&reprocess.max_share) {
        say("reprocess.max-share".to_owned(), "must be a share between 0 and 1; 0 for no limit");
    }
    if reprocess.rests.is_empty() || reprocess.rests.iter().any(|rest| !rest.is_positive()) {
        say("reprocess.rests".to_owned(), "needs at least one pause, each longer than zero");
    }
    if !(reprocess.worth > 0.0 && reprocess.worth < 1.0) {
        say("reprocess.worth".to_owned(), "a share above 0 and below 1");
    }
    if reprocess.credits_per_item.is_some_and(|credits| !credits.is_finite() || credits < 0.0) {
        say("reprocess.credits-per-item".to_owned(), "a number of credits, 0 or more");
    }
    if reprocess.credits_per_day.is_some() && reprocess.credits_per_item.is_none() {
        say("reprocess.credits-per-day".to_owned(), "needs credits-per-item: without a price nothing can be counted");
    }
    if reprocess.delays.is_empty() || reprocess.delays.iter().any(|delay| !delay.is_positive()) {
        say("reprocess.delays".to_owned(), "needs at least one wait, each longer than zero");
    }
    for (index, rule) in config.rule.iter().enumerate() {
        // One rule at a time, so that each bad one is named.
        let alone = Rules::parse("").and_then(|none| none.with_user_rules(vec![rule.clone()]));
        if let Err(error) = alone {
            say(format!("rule[{index}]"), &error.to_string());
        }
    }
}

fn check_class(class: &str, say: impl FnOnce(&str)) {
    if Class::try_from(class).is_err() {
        let allowed = <Class as strum::VariantNames>::VARIANTS.join("`, `");
        say(&format!("unknown class `{class}`, allowed: `{allowed}`"));
    }
}

/// Whether a name may stand behind `EHLO`: labels of letters, digits and dashes, or an address in brackets.
fn is_hello(name: &str) -> bool {
    if let Some(address) = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return address.strip_prefix("IPv6:").unwrap_or(address).parse::<std::net::IpAddr>().is_ok();
    }
    let is_label = |label: &str| !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    name.len() <= 253 && name.split('.').all(is_label)
}
