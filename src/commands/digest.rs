//! `digest`: decides and enqueues what is due, then delivers the outbox; or shows what it would do.

use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;

use crate::ledger::Ledger;
use crate::model::text::local;
use crate::notify::deliver::{DeliverySummary, Round, Sender, deliver, recover};
use crate::notify::render::words::headline;
use crate::triage::digest::model::Digest;
use crate::triage::settings::Settings;
use crate::triage::{Request, triage, triage_in};

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
///
/// # Errors
/// The ledger refuses.
pub(crate) async fn rehearse(ledger: &Ledger, settings: &Settings, request: Request) -> anyhow::Result<Rehearsal> {
    let by_hand = Request { by_hand: true, ..request.clone() };
    let due = rehearse_once(ledger, settings, request).await?;
    let waiting = match due {
        Some(_) => None,
        None => rehearse_once(ledger, settings, by_hand).await?,
    };
    Ok(Rehearsal { due, waiting })
}

async fn rehearse_once(ledger: &Ledger, settings: &Settings, request: Request) -> anyhow::Result<Option<Digest>> {
    let settings = settings.clone();
    Ok(ledger.rehearse(move |tx| triage_in(tx, &settings, &request)).await?)
}

/// Whether a digest says more than what is still open.
pub(crate) fn has_news(digest: &Digest) -> bool {
    !digest.changes.is_empty() || !digest.faults.is_empty()
}

/// Says that nothing is due, and what waits.
pub(crate) fn not_due(waiting: Option<&Digest>, zone: &TimeZone) -> String {
    let Some(waiting) = waiting else { return "Nothing to send.".to_owned() };
    let next = waiting
        .next_digest_at
        .map_or_else(String::new, |at| format!(" The next scheduled digest is due {}.", local(at, zone)));
    if !has_news(waiting) {
        return format!("Nothing new to send.{next}");
    }
    format!("No digest is due.{next} `llama-triage digest --now` sends what is pending: {}", headline(waiting))
}

/// Decides what is due, and delivers everything that waits. Needs the ledger's lock.
///
/// # Errors
/// The ledger refuses.
pub(crate) async fn run<S: Sender>(
    ledger: &Ledger,
    settings: &Settings,
    channels: &[Arc<S>],
    request: Request,
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
    use crate::triage::store::digest::freeze;

    #[tokio::test]
    async fn what_is_rehearsed_is_what_is_sent_to_the_byte() {
        let filled = filled();
        filled.writer.execute("DELETE FROM delivery", ()).unwrap();
        let ledger = Ledger::open(&filled.path).await.unwrap();
        let settings = Settings::new(&Config::default(), &Rules::parse("").unwrap(), BTreeMap::new()).unwrap();
        for (by_hand, hours) in [(true, 0), (false, 1), (true, 2)] {
            let now = now() + jiff::SignedDuration::from_hours(hours);
            let request = Request { by_hand, budget: Some("9 of 9 left".to_owned()), ..Request::at(now) };
            let rehearsal = rehearse(&ledger, &settings, request.clone()).await.unwrap();
            let channels: &[Arc<Channel>] = &[];
            let (sent, _) = run(&ledger, &settings, channels, request).await.unwrap();
            // Each decision draws its own.
            let frozen = |digest: &Digest| freeze(&Digest { nonce: String::new(), ..digest.clone() }).unwrap();
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
        let mut settings = Settings::new(&Config::default(), &Rules::parse("").unwrap(), BTreeMap::new()).unwrap();
        settings.quiet = Some(crate::model::schedule::quiet::QuietHours::parse("00:00-23:59").unwrap());
        let rehearsal = rehearse(&ledger, &settings, Request::at(now())).await.unwrap();
        assert_eq!(rehearsal.due, None);
        let by_hand = Request { by_hand: true, ..Request::at(now()) };
        let nameless = |digest: Option<Digest>| digest.map(|digest| Digest { nonce: String::new(), ..digest });
        let due = rehearse(&ledger, &settings, by_hand).await.unwrap().due;
        assert_eq!(nameless(rehearsal.waiting.clone()), nameless(due));
        let said = not_due(rehearsal.waiting.as_ref(), &settings.zone);
        assert!(said.contains("next scheduled digest is due 2026-11-24") && said.contains("digest --now"), "{said}");
        assert_eq!(not_due(None, &settings.zone), "Nothing to send.");
    }
}
