//! Words of the pages: whose fault a class is, what to do about it, what an event of a time line is called.

use serde_json::Value;

/// On whose side the cause of a class lies; none for a class of the user's own.
pub(crate) fn cause(class: &str) -> Option<&'static str> {
    Some(match class {
        "permanent-input" => "your files",
        "config" => "your settings",
        "account" => "your account",
        "throttled" | "transient" => "the vendor",
        "cancelled" => "cancelled by a person",
        "done" => "processed before",
        "unknown" => "unclear",
        _ => return None,
    })
}

/// What to do about a class, in one line; none where there is nothing to say.
pub(crate) fn advice(class: &str) -> Option<&'static str> {
    Some(match class {
        "permanent-input" => "A retry will not help: the files have to be replaced.",
        "config" => "Change the job's settings: a retry fails until then.",
        "account" => "LlamaCloud rejects the key, credits or quota: everything fails until that is fixed.",
        "throttled" => "LlamaCloud asked to slow down: a later retry usually works.",
        "transient" => "A retry usually works.",
        "cancelled" => "It is not retried.",
        "done" => "The same work was done before: nothing is wrong.",
        "unknown" => "Open a sample to find the cause.",
        _ => return None,
    })
}

/// What an event of an item's time line is called.
pub(crate) fn event(event: &str) -> &str {
    match event {
        "attempt" => "retried",
        "attempt_ended" => "retry ended",
        "refused" => "retry refused",
        "digest" => "in a digest",
        event => event,
    }
}

/// What the audit keeps of an action, in words: "from: unknown, to: config". What is no JSON object stays as it is.
pub(crate) fn detail(detail: &str) -> String {
    let Ok(Value::Object(fields)) = serde_json::from_str(detail) else { return detail.to_owned() };
    let known = fields.iter().filter(|(_, value)| !value.is_null());
    let words = known.map(|(name, value)| match value {
        Value::String(text) => format!("{}: {text}", name.replace(['_', '-'], " ")),
        value => format!("{}: {value}", name.replace(['_', '-'], " ")),
    });
    words.collect::<Vec<_>>().join(", ")
}

/// A share of one: "12 %", "<1 %".
pub(crate) fn share(share: f64) -> String {
    match share * 100.0 {
        percent if percent > 0.0 && percent < 1.0 => "<1 %".to_owned(),
        percent => format!("{percent:.0} %"),
    }
}

/// An id as one segment of a path, or the value of a query.
pub(crate) fn encoded(id: &str) -> String {
    let mut path = String::with_capacity(id.len());
    for byte in id.bytes() {
        match byte.is_ascii_alphanumeric() || b"-_~".contains(&byte) {
            true => path.push(char::from(byte)),
            // A segment of dots would lead elsewhere.
            false => path.push_str(&format!("%{byte:02X}")),
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use strum::VariantNames as _;

    use super::*;
    use crate::model::class::Class;

    #[test]
    fn every_class_has_a_cause_and_advice() {
        for class in Class::VARIANTS {
            assert!(cause(class).is_some() && advice(class).is_some(), "{class}");
        }
        assert_eq!((cause("ours"), advice("ours")), (None, None));
    }

    #[test]
    fn an_id_leads_nowhere_else() {
        assert_eq!(encoded("../a?b#c"), "%2E%2E%2Fa%3Fb%23c");
        assert_eq!(encoded("g-0a1b"), "g-0a1b");
    }

    #[test]
    fn the_audit_is_read_as_words() {
        assert_eq!(detail(r#"{"to":"Ann","ticket_before":null,"items":3}"#), "items: 3, to: Ann");
        assert_eq!(detail("not json"), "not json");
    }

    #[test]
    fn shares_are_whole_percents() {
        assert_eq!([0.0, 0.001, 0.256, 1.0].map(share), ["0 %", "<1 %", "26 %", "100 %"]);
    }
}
