//! The ids by which others know a digest and its alerts: they name the ledger, so that two never use the same.

use crate::triage::digest::model::Digest;

impl Digest {
    /// The id for programs: the short name, the ledger's id and a random part, such as `D-20260823-03.3f9c…-a1b2c3d4`.
    ///
    /// The same on every try, and never that of another digest: not of another ledger's, nor of this one's after it was
    /// set back to an earlier state. Digests of versions without such parts keep the id that they went out under.
    pub fn global_id(&self) -> String {
        match self.suffix() {
            suffix if suffix.is_empty() => self.digest_id.clone(),
            suffix => format!("{}.{suffix}", self.digest_id),
        }
    }

    /// The part of [`Digest::global_id`] that is not for people; empty in digests of earlier versions.
    pub fn suffix(&self) -> String {
        let parts = [self.ledger_id.as_str(), self.nonce.as_str()];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-")
    }

    /// What the alerts of this digest are known under at a paging provider, where an entry does not say otherwise.
    ///
    /// Versions whose ledgers had no id used the instance's name.
    pub fn alert_scope(&self) -> &str {
        if self.ledger_id.is_empty() { &self.instance } else { &self.ledger_id }
    }
}

/// The digest with the scope of each alert written down, so that it stays when the entry becomes part of another digest.
pub(crate) fn with_scopes(digest: &Digest) -> Digest {
    let mut digest = digest.clone();
    let own = digest.alert_scope().to_owned();
    let entries = digest.changes.iter_mut().chain(&mut digest.taken).map(|entry| &mut entry.alert_scope);
    let incidents = digest.incidents.iter_mut().map(|incident| &mut incident.alert_scope);
    let faults = digest.faults.iter_mut().map(|fault| &mut fault.alert_scope);
    entries.chain(incidents).chain(faults).for_each(|scope| {
        scope.get_or_insert_with(|| own.clone());
    });
    digest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::triage::digest::test_digest::trial;

    #[test]
    fn an_id_outside_holds_the_ledgers_and_that_of_an_earlier_version_stays() {
        let mut digest = trial("prod", "UTC", jiff::Timestamp::UNIX_EPOCH);
        digest.digest_id = "D-20260823-03".into();
        assert_eq!((digest.global_id().as_str(), digest.alert_scope()), ("D-20260823-03", "prod"));
        digest.ledger_id = "3f9c".into();
        digest.nonce = "a1".into();
        assert_eq!((digest.global_id().as_str(), digest.alert_scope()), ("D-20260823-03.3f9c-a1", "3f9c"));
    }

    #[test]
    fn scopes_that_are_known_stay() {
        let mut digest = trial("prod", "UTC", jiff::Timestamp::UNIX_EPOCH);
        digest.changes.push(digest.changes[0].clone());
        digest.changes[1].alert_scope = Some("older".into());
        let scopes: Vec<_> = with_scopes(&digest).changes.into_iter().map(|entry| entry.alert_scope).collect();
        assert_eq!(scopes, [Some("prod".to_owned()), Some("older".to_owned())]);
    }
}
