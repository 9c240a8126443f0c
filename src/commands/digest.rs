//! `digest`: decides and enqueues what is due, then delivers the outbox; or shows what it would do.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::ledger::error::LedgerError;
use crate::ledger::{Ledger, Transaction};
use crate::model::text::{count, local};
use crate::notify::deliver::{DeliverySummary, DigestSender, Round, deliver, recover};
use crate::notify::render::text;
use crate::notify::render::words::headline;
use crate::notify::store_delivery;
use crate::triage::digest::model::Digest;
use crate::triage::settings::{TriageRequest, TriageSettings};
use crate::triage::store::outbox;
use crate::triage::{send_times, triage, triage_in};

/// How long a command waits for its channels: longer than the longest try.
const PATIENCE: Duration = Duration::from_secs(15 * 60);

/// A digest that was decided, as its channels get it: filters, handovers and inventories of new channels make them differ.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Decision {
    /// All of it, as the ledger keeps it.
    pub whole: Digest,
    /// What is sent, each with the channels that get it; empty if no channel gets any of it.
    pub messages: Vec<(Vec<String>, Digest)>,
}

impl Decision {
    fn new(whole: Digest, contents: Vec<(String, Digest)>) -> Decision {
        let mut messages: Vec<(Vec<String>, Digest)> = Vec::new();
        for (channel, content) in contents {
            match messages.iter_mut().find(|(_, known)| *known == content) {
                Some((channels, _)) => channels.push(channel),
                None => messages.push((vec![channel], content)),
            }
        }
        Decision { whole, messages }
    }

    /// Whether it has news beyond groups that are still open.
    pub(crate) fn has_changes(&self) -> bool {
        let has_changes = |digest: &Digest| {
            digest.baseline || !digest.incidents.is_empty() || !digest.changes.is_empty() || !digest.faults.is_empty()
        };
        has_changes(&self.whole) || self.messages.iter().any(|(_, content)| has_changes(content))
    }

    /// Its headline; where channels get different ones, a line for each with those that get it.
    pub(crate) fn headlines(&self) -> String {
        match self.messages.as_slice() {
            [] => format!("{} (no channel gets it)", headline(&self.whole)),
            [(_, content)] => headline(content),
            several => {
                let line = |(channels, content): &(Vec<String>, Digest)| {
                    format!("\n  to {}: {}", channels.join(", "), headline(content))
                };
                several.iter().map(line).collect()
            }
        }
    }

    /// Everything that is sent, in full.
    pub(crate) fn render(&self) -> String {
        match self.messages.as_slice() {
            [] => text::render(&self.whole),
            [(_, content)] => text::render(content),
            several => {
                let part = |(channels, content): &(Vec<String>, Digest)| {
                    format!("To {}:\n\n{}", channels.join(", "), text::render(content))
                };
                several.iter().map(part).collect::<Vec<_>>().join("\n")
            }
        }
    }
}

/// What [`run`] would decide.
#[derive(Debug)]
pub(crate) struct Rehearsal {
    /// The digest that it would send now; none if nothing is due.
    pub due: Option<Decision>,
    /// Where nothing is due: what it would send if the schedule, quiet hours and limits did not count.
    pub waiting: Option<Decision>,
    /// When that will be sent, and what it waits for; none without news or without a schedule.
    pub next_send_time: Option<(Timestamp, String)>,
    /// Failed deliveries that are retried, whatever is due: their content is part of the pending news.
    pub retried: u32,
}

/// What [`run`] would decide now. Nothing changes.
///
/// Works with a ledger opened beside a running service.
///
/// # Errors
/// The ledger refuses.
pub(crate) async fn preview(
    ledger: &Ledger,
    settings: &TriageSettings,
    request: TriageRequest,
) -> anyhow::Result<Rehearsal> {
    let by_hand = TriageRequest { by_hand: true, ..request.clone() };
    let due = preview_once(ledger, settings, request.clone()).await?;
    let waiting = match due {
        Some(_) => None,
        None => preview_once(ledger, settings, by_hand).await?,
    };
    let next_send_time = match waiting.as_ref().filter(|waiting| waiting.has_changes()) {
        Some(_) => next_send_time(ledger, settings, request).await?,
        None => None,
    };
    let retried = ledger.read(store_delivery::count_waiting).await?;
    Ok(Rehearsal { due, waiting, next_send_time, retried })
}

/// The first time at which a digest would be sent if nothing else happened until then, and what it waits for.
async fn next_send_time(
    ledger: &Ledger,
    settings: &TriageSettings,
    request: TriageRequest,
) -> anyhow::Result<Option<(Timestamp, String)>> {
    let (own, now) = (settings.clone(), request.now);
    for (at, why) in ledger.dry_run(move |tx| send_times(tx, &own, now)).await? {
        let then = TriageRequest { by_hand: false, now: at, certain: at, ..request.clone() };
        if preview_once(ledger, settings, then).await?.is_some() {
            return Ok(Some((at, why)));
        }
    }
    Ok(None)
}

async fn preview_once(
    ledger: &Ledger,
    settings: &TriageSettings,
    request: TriageRequest,
) -> anyhow::Result<Option<Decision>> {
    let settings = settings.clone();
    let decide = move |tx: &Transaction<'_>| -> Result<Option<Decision>, LedgerError> {
        let Some(whole) = triage_in(tx, &settings, &request)? else { return Ok(None) };
        let contents = outbox::contents(tx, &whole.digest_id)?;
        Ok(Some(Decision::new(whole, contents)))
    };
    Ok(ledger.dry_run(decide).await?)
}

/// The text for "no digest is due": the pending news and when it will be sent.
pub(crate) fn not_due_message(rehearsal: &Rehearsal, settings: &TriageSettings) -> String {
    if settings.routes.is_empty() {
        return "No channel is configured: pending news is kept. Add a [[channel]] to send it.".to_owned();
    }
    let Some(waiting) = &rehearsal.waiting else { return "Nothing to send.".to_owned() };
    let time = |at| local(at, &settings.zone);
    if !waiting.has_changes() {
        let next = waiting.whole.next_digest_at.map(|at| format!(" The next scheduled digest is due {}.", time(at)));
        return format!("Nothing new to send.{}", next.unwrap_or_default());
    }
    let next = match &rehearsal.next_send_time {
        _ if rehearsal.retried > 0 => format!(
            "{} failed and will be retried (`llama-triage report deliveries`).",
            count(rehearsal.retried.into(), "delivery", "deliveries")
        ),
        Some((at, why)) => format!("Pending news will be sent at {} ({why}).", time(*at)),
        None => "Pending news will be sent with the next digest.".to_owned(),
    };
    format!("No digest is due. {next} `llama-triage digest --now` sends it at once: {}", waiting.headlines())
}

/// Creates the digest that is due, and sends all pending deliveries. Needs the ledger's lock.
pub(crate) async fn run<S: DigestSender>(
    ledger: &Ledger,
    settings: &TriageSettings,
    channels: &[Arc<S>],
    request: TriageRequest,
) -> anyhow::Result<(Option<Decision>, DeliverySummary)> {
    let now = request.now;
    recover(ledger, now).await?;
    let by_hand = request.by_hand;
    let page_only = !by_hand && settings.is_quiet(now);
    let decided = match triage(ledger, settings, request).await? {
        Some(whole) => {
            let digest_id = whole.digest_id.clone();
            let contents = ledger.read(move |connection| outbox::contents(connection, &digest_id)).await?;
            Some(Decision::new(whole, contents))
        }
        None => None,
    };
    let summary = deliver(ledger, channels, Round { now, page_only, by_hand, patience: PATIENCE }).await?;
    Ok((decided, summary))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::classify::rules::decide::Rules;
    use crate::config::Config;
    use crate::notify::Channel;
    use crate::report::store::tests::fixture::{filled, now};
    use crate::triage::digest::channel_filter::Only;
    use crate::triage::settings::Route;
    use crate::triage::store::digest::serialize;

    #[tokio::test]
    async fn what_is_rehearsed_is_what_is_sent_to_the_byte() {
        let filled = filled();
        filled.writer.execute("DELETE FROM delivery", ()).unwrap();
        let ledger = Ledger::open(&filled.path).await.unwrap();
        let mut settings =
            TriageSettings::new(&Config::default(), &Rules::parse("").unwrap(), BTreeMap::new()).unwrap();
        settings.routes = vec![mail()];
        for (by_hand, hours) in [(true, 0), (false, 1), (true, 2), (true, 3)] {
            // What is open is an inventory for a channel that comes, and nothing new to the other.
            if hours == 3 {
                settings.routes.push(Route { name: "post".into(), ..mail() });
            }
            let now = now() + jiff::SignedDuration::from_hours(hours);
            let request = TriageRequest { by_hand, budget: Some("9 of 9 left".to_owned()), ..TriageRequest::at(now) };
            let rehearsal = preview(&ledger, &settings, request.clone()).await.unwrap();
            let channels: &[Arc<Channel>] = &[];
            let (sent, _) = run(&ledger, &settings, channels, request).await.unwrap();
            // Each decision draws its own.
            let frozen = |digest: &Digest| serialize(&Digest { nonce: String::new(), ..digest.clone() }).unwrap();
            let bytes = |decided: &Option<Decision>| {
                let messages = decided.iter().flat_map(|decided| &decided.messages);
                messages.map(|(names, content)| (names.clone(), frozen(content))).collect::<Vec<_>>()
            };
            assert_eq!(bytes(&rehearsal.due), bytes(&sent), "{by_hand} {hours}");
            assert_eq!(rehearsal.due.as_ref().map(Decision::render), sent.as_ref().map(Decision::render));
            assert_eq!(sent.is_some(), by_hand);
            assert_eq!(sent.map_or(0, |sent| sent.messages.len()), if hours == 3 { 2 } else { usize::from(by_hand) });
        }
    }

    fn mail() -> Route {
        Route { name: "mail".into(), only: Only::default(), pager: false }
    }

    #[tokio::test]
    async fn changes_wait_until_there_is_a_channel() {
        let filled = filled();
        filled.writer.execute_batch("DELETE FROM delivery; DELETE FROM announcement").unwrap();
        let ledger = Ledger::open(&filled.path).await.unwrap();
        let mut settings =
            TriageSettings::new(&Config::default(), &Rules::parse("").unwrap(), BTreeMap::new()).unwrap();
        let channels: &[Arc<Channel>] = &[];
        let by_hand = |hours| TriageRequest {
            by_hand: true,
            ..TriageRequest::at(now() + jiff::SignedDuration::from_hours(hours))
        };
        assert_eq!(run(&ledger, &settings, channels, by_hand(0)).await.unwrap().0, None, "no channel takes digests");
        settings.routes = vec![mail()];
        let digest = run(&ledger, &settings, channels, by_hand(1)).await.unwrap().0.unwrap().whole;
        assert!(!digest.changes.is_empty());
    }

    #[tokio::test]
    async fn what_waits_for_a_cap_is_announced_for_its_end() {
        let filled = filled();
        filled.writer.execute("DELETE FROM delivery", ()).unwrap();
        let ledger = Ledger::open(&filled.path).await.unwrap();
        let mut settings =
            TriageSettings::new(&Config::default(), &Rules::parse("").unwrap(), BTreeMap::new()).unwrap();
        settings.routes = vec![mail()];
        let minutes = |n| now() + jiff::SignedDuration::from_mins(n);
        let channels: &[Arc<Channel>] = &[];
        let raise = |name: &'static str| ledger.write(move |tx| crate::ledger::fault::raise(tx, name, "broke", now()));
        // The first inventory counts for no cap.
        for (name, at) in [("scan:a", 0), ("scan:b", 20)] {
            raise(name).await.unwrap();
            run(&ledger, &settings, channels, TriageRequest::at(minutes(at))).await.unwrap().0.unwrap();
        }
        raise("scan:c").await.unwrap();
        let rehearsal = preview(&ledger, &settings, TriageRequest::at(minutes(25))).await.unwrap();
        assert_eq!(rehearsal.due, None);
        let said = not_due_message(&rehearsal, &settings);
        let at = local(minutes(20) + settings.limits.min_gap, &settings.zone);
        assert!(said.contains(&format!("sent at {at} ")) && said.contains("digest.min-gap"), "{said}");
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
        let nameless = |decided: Option<Decision>| decided.map(|one| Digest { nonce: String::new(), ..one.whole });
        let due = preview(&ledger, &settings, by_hand).await.unwrap().due;
        assert_eq!(nameless(rehearsal.waiting.clone()), nameless(due));
        assert!(not_due_message(&rehearsal, &settings).contains("Add a [[channel]]"));
        settings.routes = vec![mail()];
        let said = not_due_message(&rehearsal, &settings);
        assert!(said.contains("after the quiet hours") && said.contains("digest --now"), "{said}");
        let said = not_due_message(&Rehearsal { retried: 2, ..rehearsal }, &settings);
        assert!(said.contains("2 deliveries failed and will be retried") && !said.contains("from"), "{said}");
        let nothing = Rehearsal { due: None, waiting: None, next_send_time: None, retried: 0 };
        assert_eq!(not_due_message(&nothing, &settings), "Nothing to send.");
    }
}
