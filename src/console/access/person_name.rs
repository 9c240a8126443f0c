//! The name that the audit keeps of a person who acts in a browser.

/// Characters of a name.
const LONGEST: usize = 64;

/// A name without characters that steer, in one line; none if nothing is left, or if it would look like the program's own.
pub(crate) fn person_name(typed: &str) -> Option<String> {
    let name = crate::model::text::one_line(typed);
    let name = name.split_whitespace().collect::<Vec<_>>().join(" ");
    let name: String = name.chars().filter(|c| !c.is_control()).take(LONGEST).collect();
    let is_reserved = name == "auto" || name.starts_with("auto:");
    (!name.is_empty() && !is_reserved).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_plain_line() {
        assert_eq!(person_name("  Ann   Example ").as_deref(), Some("Ann Example"));
        let forged = person_name("ann\n2026-11-30 INFO auto: dismissed all\u{202e}").unwrap();
        assert!(!forged.contains(['\n', '\u{202e}']), "{forged:?}");
        assert_eq!(person_name(&"x".repeat(1000)).unwrap().len(), LONGEST);
        for none in ["", " \t", "auto", "auto:triage", " auto:x"] {
            assert_eq!(person_name(none), None, "{none:?}");
        }
    }
}
