//! One message as people and rules read it: what says what went wrong stays, what only names or counts is masked.

use crate::grouping::grouper::{Grouper, Subject};
use crate::model::item::Kind;

/// The message with names, ids, numbers, addresses and other data as `<file>`, `<id>`, `<n>`, …
///
/// Words, codes, HTTP statuses, exception names and quoted reasons stay, in their order and case. Stack frames and markup
/// are left out, and one blank stands for white space. The item's own name, where it is known, is `<file>` wherever it
/// stands. Empty for a message without words. The same message always gives the same text.
pub(crate) fn mask_for_reading(message: &str, item_name: Option<&str>) -> String {
    let subject = Subject { kind: Kind::Failed, job_type: "", skip_reason: None, message: Some(message), item_name };
    let reading = Grouper::reading_of(&subject);
    if reading.tokens.is_empty() { String::new() } else { reading.form.template() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_went_wrong_stays_and_data_is_masked() {
        for (message, name, read) in [
            ("page 3 of 'a.pdf': HTTP 429", None, "page <n> of <file>: HTTP 429"),
            ("password protected list.pdf: reset", Some("password protected list.pdf"), "<file>: reset"),
            ("", Some("a.pdf"), ""),
        ] {
            assert_eq!(mask_for_reading(message, name), read, "{message}");
        }
    }
}
