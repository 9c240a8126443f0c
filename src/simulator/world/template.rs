//! Fills placeholders in message templates, so that equal causes show texts that differ in ids, numbers and names.
//!
//! Known placeholders: `{uuid}` `{hex}` `{page}` `{pages}` `{n}` `{ms}` `{secs}` `{path}` `{url}` `{name}` `{time}` `{host}` `{line}`.
//! Anything else in braces stays as it is, so JSON in a message survives.

use jiff::Timestamp;

use crate::simulator::world::random::Random;

/// Fills the placeholders of a template; `name` is the file's name.
pub(crate) fn fill(template: &str, name: &str, now: Timestamp, random: &mut Random) -> String {
    let mut filled = String::with_capacity(template.len() + 40);
    let mut rest = template;
    while let Some(open) = rest.find('{') {
        filled.push_str(&rest[..open]);
        rest = &rest[open..];
        let close = rest.find('}').unwrap_or(0);
        match value(rest.get(1..close).unwrap_or(""), name, now, random) {
            Some(value) => {
                filled.push_str(&value);
                rest = &rest[close + 1..];
            }
            None => {
                filled.push('{');
                rest = &rest[1..];
            }
        }
    }
    filled.push_str(rest);
    filled
}

fn value(key: &str, name: &str, now: Timestamp, random: &mut Random) -> Option<String> {
    Some(match key {
        "uuid" => random.uuid(),
        "hex" => format!("{:012x}", random.draw() >> 16),
        "page" => random.between(1, 320).to_string(),
        "pages" => random.between(501, 2_900).to_string(),
        "n" => random.between(2, 99_999).to_string(),
        "ms" => random.between(120, 59_000).to_string(),
        "secs" => format!("{}.{}", random.between(3, 900), random.between(0, 9)),
        "path" => {
            format!("/var/spool/worker-{}/{}/p{}.png", random.between(1, 40), random.uuid(), random.between(1, 99))
        }
        "url" => format!(
            "https://files-{}.storage.example/{}?X-Signature={:x}",
            random.between(1, 9),
            random.uuid(),
            random.draw()
        ),
        "host" => format!(
            "10.{}.{}.{}:{}",
            random.between(0, 99),
            random.between(0, 255),
            random.between(1, 254),
            random.between(1_024, 65_000)
        ),
        "line" => random.between(12, 1_900).to_string(),
        "time" => now.to_string(),
        "name" => name.to_owned(),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_braces_are_left_alone() {
        let text = fill(r#"{"detail": {name}} {"#, "a.pdf", Timestamp::UNIX_EPOCH, &mut Random::new(1));
        assert_eq!(text, r#"{"detail": a.pdf} {"#);
    }

    #[test]
    fn two_fillings_differ() {
        let mut random = Random::new(1);
        let first = fill("page {page} of {uuid}", "", Timestamp::UNIX_EPOCH, &mut random);
        assert_ne!(first, fill("page {page} of {uuid}", "", Timestamp::UNIX_EPOCH, &mut random));
        assert!(first.starts_with("page "));
    }
}
