//! Whether the headers and the body template of a webhook fit together.

use crate::config::channel::ChannelConfig;

/// Headers that the channel or HTTP itself writes.
const RESERVED: [&str; 7] = [
    "content-length",
    "host",
    "connection",
    "transfer-encoding",
    "webhook-id",
    "webhook-timestamp",
    "webhook-signature",
];

/// Headers whose value is a secret.
const SECRET: [&str; 3] = ["authorization", "proxy-authorization", "cookie"];

/// Says what is wrong.
pub(crate) fn check(channel: &ChannelConfig, mut say: impl FnMut(&str, &str)) {
    for (name, value) in &channel.headers {
        let key = format!("headers.{name}");
        let lower = name.to_ascii_lowercase();
        if reqwest::header::HeaderName::try_from(name.as_str()).is_err() {
            say(&key, "not a header name: it may contain letters, digits and `-`");
        } else if reqwest::header::HeaderValue::try_from(value.as_str()).is_err() {
            say(&key, "not a header value: it may contain visible ASCII characters and blanks");
        } else if RESERVED.contains(&lower.as_str()) {
            say(&key, "this header is written by llama-triage: leave it out");
        } else if SECRET.contains(&lower.as_str()) && !value.contains("{bearer}") {
            say(
                &key,
                "a secret: put it into `bearer-file` or the credential `webhook-bearer-NAME`, and write `{bearer}` here",
            );
        }
    }
    let is_template = channel.recipe.is_some() || channel.body_template.is_some();
    if channel.recipe.is_some() && channel.body_template.is_some() {
        say("body-template", "either `recipe` or `body-template`: leave one out");
    }
    if !is_template && !channel.template_values.is_empty() {
        say("template-values", "needs `recipe` or `body-template`");
    }
    for value in channel.recipe.into_iter().flat_map(|recipe| recipe.needed_values()) {
        if !channel.template_values.contains_key(*value) {
            let name: &str = channel.recipe.map_or("", Into::into);
            let text = format!("missing: recipe = \"{name}\" needs `template-values = {{ {value} = \"…\" }}`");
            say("template-values", &text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(lines: &str) -> Vec<String> {
        let channel: ChannelConfig = toml::from_str(&format!("kind = \"webhook\"\n{lines}")).unwrap();
        let mut keys = Vec::new();
        check(&channel, |key, _| keys.push(key.to_owned()));
        keys
    }

    #[test]
    fn headers_are_checked_by_name_and_value() {
        assert!(keys("headers = { X-Team = \"docs\", Authorization = \"GenieKey {bearer}\" }").is_empty());
        for (header, key) in [
            ("\"X Team\" = \"a\"", "headers.X Team"),
            ("X-Team = \"a\\nb\"", "headers.X-Team"),
            ("Host = \"a\"", "headers.Host"),
            ("Webhook-Id = \"a\"", "headers.Webhook-Id"),
            ("Authorization = \"Bearer 1f\"", "headers.Authorization"),
        ] {
            assert_eq!(keys(&format!("headers = {{ {header} }}")), [key], "{header}");
        }
    }

    #[test]
    fn a_recipe_has_its_values_and_no_second_template() {
        assert!(keys("recipe = \"discord\"").is_empty());
        assert!(keys("recipe = \"ntfy\"\ntemplate-values = { topic = \"t\" }").is_empty());
        assert_eq!(keys("recipe = \"telegram\""), ["template-values"]);
        assert_eq!(keys("template-values = { topic = \"t\" }"), ["template-values"]);
        assert_eq!(keys("recipe = \"discord\"\nbody-template = \"x\""), ["body-template"]);
    }
}
