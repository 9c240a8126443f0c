//! What must hold of digests: each was delivered, under one id, and nothing else was.

use super::sinks::Sinks;
use crate::site::Site;

/// Promise 3: at least once, under one id, byte-equal; and nothing that was not decided.
///
/// A digest whose sending had not begun may be taken along by a newer one instead, with all its groups.
///
/// Returns how many mails there were.
pub(crate) fn arrived_once_under_one_id(site: &Site, sinks: &Sinks) -> usize {
    let unsent = "SELECT delivery_id || ' is ' || state FROM delivery WHERE state NOT IN ('sent', 'superseded')
                  OR (state = 'superseded' AND (attempts > 0 OR superseded_by NOT IN (SELECT delivery_id FROM delivery)))";
    assert_eq!(site.texts(unsent), Vec::<String>::new());
    let nowhere = "SELECT digest_id || ' is not for ' || c.column1 FROM digest, (VALUES ('mail'), ('hook')) c
                   WHERE NOT EXISTS (SELECT 1 FROM delivery d WHERE d.digest_id = digest.digest_id AND d.channel = c.column1)";
    assert_eq!(site.texts(nowhere), Vec::<String>::new());
    every_digest_taken_along_is_in_the_one_that_took_it(site);
    for (channel, arrived) in [("mail", sinks.mails()), ("hook", sinks.hooks())] {
        let sent = format!("SELECT digest_id FROM delivery WHERE channel = '{channel}' AND state = 'sent' ORDER BY 1");
        let sent = site.texts(&sent);
        let mut ids: Vec<String> = arrived.keys().map(|id| digest_of(id)).collect();
        ids.sort();
        assert_eq!(ids, sent, "each digest arrived under one {channel} id, and no other arrived");
        for (id, copies) in &arrived {
            assert!(copies.iter().all(|copy| copy == &copies[0]), "{channel} {id} changed between tries");
        }
    }
    sinks.mails().len()
}

fn every_digest_taken_along_is_in_the_one_that_took_it(site: &Site) {
    let lost = site.texts(
        "SELECT o.delivery_id || ' told of ' || g.group_id || ', and ' || n.delivery_id || ' does not'
         FROM delivery o JOIN delivery n ON n.delivery_id = o.superseded_by
         JOIN json_each(o.content, '$.changes') c JOIN error_group g ON g.group_id = c.value ->> '$.group_id'
         WHERE instr(n.content, g.group_id) = 0 AND g.merged_into IS NULL",
    );
    assert_eq!(lost, Vec::<String>::new());
}

/// `D-20260823-03`, from `<D-20260823-03.HASH@example.com>` or `D-20260823-03_hook`.
fn digest_of(id: &str) -> String {
    let plain = |c: &char| c.is_ascii_alphanumeric() || *c == '-';
    id.trim_start_matches('<').chars().take_while(plain).collect()
}
