//! `digest`: decides and enqueues what is due, then delivers the outbox; or shows what it would do.

use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;

use crate::ledger::Ledger;
use crate::model::text::local;
use crate::notify::deliver::{DeliverySummary, DigestSender, Round, deliver, recover};
use crate::notify::render::words::headline;
use crate::triage::digest::model::Digest;
use crate::triage::settings::TriageSettings;
use crate::triage::{TriageRequest, triage, triage_in};

/// How long a command waits for its channels: longer than the longest try.
const PATIENCE: Duration = Duration::from_secs(15 * 60);

/// What [`run`] would decide.
#[derive(Debug)]
pub(crate) struct Rehearsal {
    /// The digest that it would send now; none if nothing is due.
    pub due: Option<Digest>,
    /// Where nothing is due: what it would send if the schedule, quiet hours and limits did not count.
    pub waiting: Option<Digest>,
}

/// What [`run`] would decide now. Nothing changes.
///
/// A ledger opened beside a running service will do.
pub(crate) async fn preview(
    ledger: &Ledger,
    settings: &TriageSettings,
    request: TriageRequest,
) -> anyhow::Result<Rehearsal> {
    let by_hand = TriageRequest { by_hand: true, ..request.clone() };
    let due = preview_once(ledger, settings, request).await?;
    let waiting = match due {
        Some(_) => None,
        None => preview_once(ledger, settings, by_hand).await?,
    };
    Ok(Rehearsal { due, waiting })
}

async fn preview_once(
    ledger: &Ledger,
    settings: &TriageSettings,
    request: TriageRequest,
) -> anyhow::Result<Option<Digest>> {
    let settings = settings.clone();
    Ok(ledger.dry_run(move |tx| triage_in(tx, &settings, &request)).await?)
}

/// Whether a digest says more than what is still open.
pub(crate) fn has_news(digest: &Digest) -> bool {
    !digest.changes.is_empty() || !digest.faults.is_empty()
}

/// Says that nothing is due, and what waits.
pub(crate) fn not_due_message(waiting: Option<&Digest>, zone: &TimeZone) -> String {
    let Some(waiting) = waiting else { return "There is nothing to tell now.".to_owned() };
    let next = waiting
        .next_digest_at
        .map_or_else(String::new, |at| format!(" The next scheduled digest is due {}.", local(at, zone)));
    if !has_news(waiting) {
        return format!("There is nothing new to tell now.{next}");
    }
    format!("Nothing is due now.{next} `llama-triage digest --now` sends what waits: {}", headline(waiting))
}

/// Decides what is due, and delivers everything that waits. Needs the ledger's lock.
pub(crate) async fn run<S: DigestSender>(
    ledger: &Ledger,
    settings: &TriageSettings,
    channels: &[Arc<S>],
    request: TriageRequest,
) -> anyhow::Result<(Option<Digest>, DeliverySummary)> {
    let now = request.now;
    recover(ledger, now).await?;
    let page_only = !request.by_hand && settings.is_quiet(now);
    let digest = triage(ledger, settings, request).await?;
    let summary = deliver(ledger, channels, Round { now, page_only, patience: PATIENCE }).await?;
    Ok((digest, summary))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::classify::rules::decide::Rules;
    use crate::config::Config;
    use crate::notify::Channel;
    use crate::notify::render::text;
    use crate::report::store::tests::fixture::{filled, now};
    use crate::triage::store::digest::serialize;

    #[tokio::test]
    async fn what_is_rehearsed_is_what_is_sent_to_the_byte() {
        let filled = filled();
        filled.writer.execute("DELETE FROM delivery", ()).unwrap();
        let ledger = Ledger::open(&filled.path).await.unwrap();
        let settings = TriageSettings::new(&Config::default(), &Rules::parse("").unwrap(), BTreeMap::new()).unwrap();
        for (by_hand, hours) in [(true, 0), (false, 1), (true, 2)] {
            let now = now() + jiff::SignedDuration::from_hours(hours);
            let request = TriageRequest { by_hand, budget: Some("9 of 9 left".to_owned()), ..TriageRequest::at(now) };
            let rehearsal = preview(&ledger, &settings, request.clone()).await.unwrap();
            let channels: &[Arc<Channel>] = &[];
            let (sent, _) = run(&ledger, &settings, channels, request).await.unwrap();
            // Each decision draws its own.
            let frozen = |digest: &Digest| serialize(&Digest { nonce: String::new(), ..digest.clone() }).unwrap();
            let bytes = |digest: &Option<Digest>| digest.as_ref().map(frozen);
            assert_eq!(bytes(&rehearsal.due), bytes(&sent), "{by_hand} {hours}");
            assert_eq!(rehearsal.due.as_ref().map(text::render), sent.as_ref().map(text::render));
            assert_eq!(sent.is_some(), by_hand);
        }
    }

    #[tokio::test]
    async fn what_is_not_due_is_said_and_shown() {
        let filled = filled();
        filled.writer.execute("DELETE FROM delivery", ()).unwrap();
        let ledger = Ledger::open(&filled.path).await.unwrap();
        let mut settings =
            TriageSettings::new(&Config::default(), &Rules::parse("").unwrap(), BTreeMap::new()).unwrap();
        settings.quiet = Some(crate::model::schedule::quiet::QuietHours::parse("00:00-23:59").unwrap());
        let rehearsal = preview(&ledger, &settings, TriageRequest::at(now())).await.unwrap();
        assert_eq!(rehearsal.due, None);
        let by_hand = TriageRequest { by_hand: true, ..TriageRequest::at(now()) };
        let nameless = |digest: Option<Digest>| digest.map(|digest| Digest { nonce: String::new(), ..digest });
        let due = preview(&ledger, &settings, by_hand).await.unwrap().due;
        assert_eq!(nameless(rehearsal.waiting.clone()), nameless(due));
        let said = not_due_message(rehearsal.waiting.as_ref(), &settings.zone);
        assert!(said.contains("next scheduled digest is due 2026-11-24") && said.contains("digest --now"), "{said}");
        assert_eq!(not_due_message(None, &settings.zone), "There is nothing to tell now.");
    }
}
