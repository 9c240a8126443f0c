//! The token in a form: it was made for this person, a while ago at most, and is taken once.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

use crate::console::access::{is_sealed, seal};

/// How long a form may stay open.
const LIFE: SignedDuration = SignedDuration::from_hours(12);

/// Tokens that are remembered as taken; a form that was sent is one.
const MOST_TAKEN: usize = 20_000;

/// Makes tokens and takes them.
#[derive(Debug)]
pub(crate) struct Forms {
    key: [u8; 32],
    /// When each token that was taken ends.
    taken: Mutex<BTreeMap<String, i64>>,
}

/// Why a form is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FormError {
    /// It is not ours, was made for another person, or is too old.
    #[error("this form is no longer valid: open the page again")]
    Invalid,
    /// It was sent before.
    #[error("this form was already submitted: nothing was done again")]
    Taken,
}

impl Forms {
    /// With a key that only this process knows.
    pub(crate) fn new(key: [u8; 32]) -> Forms {
        Forms { key, taken: Mutex::default() }
    }

    /// A token for a form that this person sees now. `nonce` is random.
    pub(crate) fn make(&self, person: &str, nonce: &str, now: Timestamp) -> String {
        let ends = now.checked_add(LIFE).unwrap_or(now).as_second().to_string();
        format!("{nonce}.{ends}.{}", seal(&self.key, &[person, nonce, &ends]))
    }

    /// Takes the token of a form that this person sends.
    ///
    /// # Errors
    /// It is not valid, or was taken before.
    pub(crate) fn take(&self, person: &str, token: &str, now: Timestamp) -> Result<(), FormError> {
        let parts: Vec<&str> = token.split('.').collect();
        let [nonce, ends, seal] = parts[..] else { return Err(FormError::Invalid) };
        if !is_sealed(&self.key, &[person, nonce, ends], seal) {
            return Err(FormError::Invalid);
        }
        let ends: i64 = ends.parse().map_err(|_| FormError::Invalid)?;
        let now = now.as_second();
        if ends <= now {
            return Err(FormError::Invalid);
        }
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.retain(|_, ends| *ends > now);
        if taken.len() >= MOST_TAKEN {
            return Err(FormError::Invalid);
        }
        match taken.insert(nonce.to_owned(), ends) {
            None => Ok(()),
            Some(_) => Err(FormError::Taken),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_taken_once_from_the_person_who_saw_it() {
        let now: Timestamp = "2026-11-30T18:00:00Z".parse().unwrap();
        let forms = Forms::new([7; 32]);
        let token = forms.make("ann", "n1", now);
        assert_eq!(forms.take("bob", &token, now), Err(FormError::Invalid));
        assert_eq!(Forms::new([8; 32]).take("ann", &token, now), Err(FormError::Invalid));
        assert_eq!(forms.take("ann", &token, now + LIFE), Err(FormError::Invalid));
        assert_eq!(forms.take("ann", &token.replacen("n1", "n2", 1), now), Err(FormError::Invalid));
        assert_eq!(forms.take("ann", &token, now), Ok(()));
        assert_eq!(forms.take("ann", &token, now), Err(FormError::Taken));
        for token in ["", "..", "a.b", "a.b.c.d"] {
            assert_eq!(forms.take("ann", token, now), Err(FormError::Invalid), "{token}");
        }
    }
}
