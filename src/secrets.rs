//! The secrets that this process has loaded, and the one way in which text from outside is masked.
//!
//! Whoever reads a secret ([`crate::credentials`]) holds it here; whoever takes in text that others wrote masks it here,
//! before it is cut, stored, logged or shown. A secret that a reload replaced stays: its peer may repeat it yet.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock};

use crate::model::redact::mask_secrets;
use crate::model::redact::secret_forms::SecretMasker;

struct Loaded {
    secrets: BTreeSet<String>,
    /// The two newest of each series of secrets that are replaced, the newest last.
    replaced: BTreeMap<String, Vec<String>>,
    /// Made when it is needed; none while there is no secret, or a new one.
    masker: Option<Arc<SecretMasker>>,
}

static LOADED: RwLock<Loaded> =
    RwLock::new(Loaded { secrets: BTreeSet::new(), replaced: BTreeMap::new(), masker: None });

/// From now on this secret is masked in all text from outside, in all its forms.
pub(crate) fn hold(secret: &str) {
    let mut loaded = LOADED.write().unwrap_or_else(PoisonError::into_inner);
    if !secret.is_empty() && loaded.secrets.insert(secret.to_owned()) {
        loaded.masker = None;
    }
}

/// The same for a secret that is replaced every hour, such as an access token: the newest two of its series are masked.
pub(crate) fn hold_newest(series: &str, secret: &str) {
    let mut loaded = LOADED.write().unwrap_or_else(PoisonError::into_inner);
    let held = loaded.replaced.entry(series.to_owned()).or_default();
    if held.iter().any(|one| one == secret) {
        return;
    }
    held.push(secret.to_owned());
    if held.len() > 2 {
        held.remove(0);
    }
    loaded.masker = None;
}

/// The same for a log-in: what SMTP's PLAIN sends is one text of both, and shows a password that is too short to be masked alone.
pub(crate) fn hold_login(user: &str, password: &str) {
    hold(password);
    hold(&format!("\0{user}\0{password}"));
    hold(&format!("{user}\0{user}\0{password}"));
}

/// The text without loaded secrets and without what looks like a secret of others; borrowed when there was none.
///
/// Mask before a text is cut: half of a secret is not recognised.
pub(crate) fn mask(text: &str) -> Cow<'_, str> {
    let Some(masker) = masker() else { return mask_secrets(text) };
    match masker.mask(text) {
        Cow::Borrowed(text) => mask_secrets(text),
        Cow::Owned(text) => Cow::Owned(mask_secrets(&text).into_owned()),
    }
}

/// Bytes kept of the beginning and of the end of a text that is longer than both.
const KEPT: (usize, usize) = (768 << 10, 256 << 10);

/// Bytes beside a cut that are masked and left out: a secret that the cut halves is not recognised.
const BESIDE: usize = 4 << 10;

/// The same for texts of any length: the middle of a text longer than 1 MiB is replaced by a marker.
/// What is done with a text later takes many times its memory.
pub(crate) fn mask_and_bound(text: &str) -> Cow<'_, str> {
    let (first, last) = KEPT;
    if text.len() <= first + last {
        return mask(text);
    }
    let head = mask(&text[..text.floor_char_boundary(first + BESIDE)]);
    let head = &head[..head.floor_char_boundary(head.len().saturating_sub(BESIDE))];
    let tail = mask(&text[text.ceil_char_boundary(text.len() - last - BESIDE)..]);
    let tail = &tail[tail.ceil_char_boundary(BESIDE.min(tail.len()))..];
    Cow::Owned(format!("{head} [… {} KiB left out …] {tail}", (text.len() - first - last).div_ceil(1 << 10)))
}

/// Whether the text holds a loaded secret, in any of its forms.
pub(crate) fn are_in(text: &str) -> bool {
    masker().is_some_and(|masker| matches!(masker.mask(text), Cow::Owned(_)))
}

fn masker() -> Option<Arc<SecretMasker>> {
    {
        let loaded = LOADED.read().unwrap_or_else(PoisonError::into_inner);
        if loaded.masker.is_some() || loaded.secrets.is_empty() && loaded.replaced.is_empty() {
            return loaded.masker.clone();
        }
    }
    let mut loaded = LOADED.write().unwrap_or_else(PoisonError::into_inner);
    let all = loaded.secrets.iter().chain(loaded.replaced.values().flatten());
    let made = Arc::new(SecretMasker::new(all.map(String::as_str)));
    Some(Arc::clone(loaded.masker.insert(made)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_is_masked_from_then_on_beside_what_looks_like_a_secret() {
        let text = "Zq7-first-held-Zq7 and Zq8-later-held-Zq8, Bearer abcdefgh12";
        hold("Zq7-first-held-Zq7");
        assert_eq!(mask(text), "*** and Zq8-later-held-Zq8, Bearer ***");
        hold_login("someone", "Zq8-later-held-Zq8");
        assert_eq!(mask(text), "*** and ***, Bearer ***");
    }

    #[test]
    fn of_secrets_that_are_replaced_the_newest_two_are_masked() {
        for token in ["9-am-token-Zq1", "10-am-token-Zq1", "11-am-token-Zq1"] {
            hold_newest("a series of a test", token);
        }
        assert_eq!(mask("10-am-token-Zq1, 11-am-token-Zq1"), "***, ***");
        assert_eq!(mask("9-am-token-Zq1"), "9-am-token-Zq1");
    }

    #[test]
    fn of_an_endless_text_the_ends_are_kept_and_no_half_of_a_secret() {
        hold("Zq9-cut-in-two-Zq9");
        for shift in 0..20 {
            let text = "Zq9-cut-in-two-Zq9 ".repeat(3 << 20 >> 4) + &"ä".repeat(shift);
            let bound = mask_and_bound(&text);
            assert!(bound.len() < 1 << 20 && bound.contains(" KiB left out …] "), "{}", bound.len());
            assert!(!bound.contains("Zq9") && !bound.contains("in-two"), "{shift}");
        }
        let plain = format!("begin{}end", "x".repeat(9 << 20));
        let bound = mask_and_bound(&plain);
        assert!(
            bound.starts_with("beginx") && bound.ends_with("xend") && bound.len() < (1 << 20) + 64,
            "{}",
            bound.len()
        );
        assert!(matches!(mask_and_bound(&plain[..1 << 20]), Cow::Borrowed(_)));
    }
}
