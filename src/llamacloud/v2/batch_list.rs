//! Reading the list of v2 batches, with unreadable rows skipped.
//!
//! By cursor, what follows a row is only named by the page that holds it. But the list can be asked for by creation time:
//! the latest moment before which it can be read again is searched for, and the list goes on from there.

use std::ops::ControlFlow;

use jiff::{SignedDuration, Timestamp};

use crate::llamacloud::PageOfBatches;
use crate::llamacloud::error::CloudError;
use crate::llamacloud::http::client::{Ask, Client, Make};
use crate::llamacloud::paging::end_of_list::{ListProgress, MOST_BATCHES};
use crate::llamacloud::paging::listing::{self, ListResult, Style};
use crate::llamacloud::paging::page_size::may_be_one_row;
use crate::llamacloud::v2::ROOT;
use crate::llamacloud::v2::batch::V2BatchRows;
use crate::model::batch::Batch;

/// Places of one list that are left out, at most: where there are more, the server is to blame.
const MOST_HOLES: usize = 10;

/// How exactly the place behind a bad row is searched for.
const PRECISION: SignedDuration = SignedDuration::from_secs(1);

/// How often one list is taken up again, at most.
const MOST_TRIES: usize = 2 * MOST_HOLES;

/// Reads the batches created since then. Unreadable rows are skipped and reported with their dates; `page` may stop it.
pub(crate) async fn read(
    client: &Client,
    limit: usize,
    since: Option<Timestamp>,
    page: &mut PageOfBatches<'_>,
) -> Result<ListResult, CloudError> {
    let mut seen = Seen { sorted: true, ..Seen::default() };
    let (mut holes, mut why_left_out, mut until, mut tries) = (Vec::new(), None, None, 0);
    loop {
        let mut each = |batches: Vec<Batch>| {
            seen.note(&batches);
            page(batches)
        };
        let paging = ListProgress::by_token().at_most(MOST_BATCHES);
        let style = Style::of(Make::V2, limit);
        // After a first failure, another is an answer.
        let asked = Ask { once: tries > 0, ..ask(since, until) };
        let error = match listing::read(client, &asked, style, &V2BatchRows, paging, &mut each).await {
            Ok(mut listed) => {
                listed.rows = seen.rows;
                listed.unreadable += holes.len() as u64;
                let why = why_left_out.map(|why| format!("what was made {} cannot be had: {why}", holes.join(" and ")));
                listed.why_unreadable = why.or(listed.why_unreadable);
                return Ok(listed);
            }
            Err(error) => error,
        };
        tries += 1;
        let may_go_on = may_be_one_row(&error) && seen.sorted && holes.len() < MOST_HOLES && tries < MOST_TRIES;
        let Some(since) = since.filter(|_| may_go_on) else { return Err(error) };
        if seen.oldest.is_some() && seen.oldest != until {
            // It came further than before: perhaps it goes on where it stopped.
            until = seen.oldest;
            continue;
        }
        if !client.has_answered() && reads(client, since, since).await == Some(true) {
            // Now that the server has answered, pages of a single row are asked for, too.
            continue;
        }
        let Some((from, to)) = hole(client, since, &seen).await else { return Err(error) };
        holes.push(format!("between {} and {}", day(from), day(to)));
        why_left_out.get_or_insert(error);
        until = Some(from);
        seen.oldest = until;
    }
}

/// What a list has shown.
#[derive(Debug, Default)]
struct Seen {
    rows: u64,
    newest: Option<Timestamp>,
    oldest: Option<Timestamp>,
    /// No batch was newer than one before it.
    sorted: bool,
}

impl Seen {
    fn note(&mut self, batches: &[Batch]) {
        self.rows += batches.len() as u64;
        for batch in batches {
            let created = batch.created_at;
            self.sorted &= created.is_some_and(|at| self.oldest.is_none_or(|oldest| at <= oldest));
            self.newest = self.newest.or(created);
            self.oldest = created.or(self.oldest);
        }
    }
}

fn ask(since: Option<Timestamp>, until: Option<Timestamp>) -> Ask<'static> {
    let bounds = [("created_at_on_or_after", since), ("created_at_on_or_before", until)];
    let bounds = bounds.into_iter().filter_map(|(name, bound)| Some((name, bound?)));
    bounds.fold(Ask::path(&ROOT), |ask, (name, bound)| ask.with(name, bound.to_string()))
}

/// A time to the second, for people.
fn day(time: Timestamp) -> jiff::fmt::strtime::Display<'static> {
    time.strftime("%Y-%m-%d %H:%M:%S UTC")
}

/// The dates of what cannot be had: the first is a moment up to which the list can be read. None if it is the server that is
/// to blame, or if the list does not come newest first: then what lies before those dates is not all that is left.
async fn hole(client: &Client, since: Timestamp, seen: &Seen) -> Option<(Timestamp, Timestamp)> {
    if !reads(client, since, since).await? {
        return None;
    }
    let (mut readable, mut unreadable) = match seen.oldest {
        Some(oldest) => below(client, since, oldest).await?,
        None => above(client, since).await?,
    };
    while unreadable.duration_since(readable) > PRECISION {
        let middle = readable + unreadable.duration_since(readable) / 2;
        match reads(client, since, middle).await? {
            true => readable = middle,
            false => unreadable = middle,
        }
    }
    let newest = seen.newest.unwrap_or(unreadable);
    let is_proved = seen.oldest < seen.newest || is_empty_after(client, newest).await;
    is_proved.then_some((readable, seen.oldest.unwrap_or(unreadable)))
}

/// Whether no batch is newer than this one.
async fn is_empty_after(client: &Client, newest: Timestamp) -> bool {
    let Ok(after) = newest.checked_add(PRECISION) else { return false };
    let asked = ask(Some(after), None).once();
    let mut first = |_| ControlFlow::Break(());
    let read =
        listing::read(client, &asked, Style::of(Make::V2, 1), &V2BatchRows, ListProgress::by_token(), &mut first).await;
    read.is_ok_and(|listed| listed.rows == 0)
}

/// A moment before `oldest` up to which the list can be read, and one shortly after it up to which it cannot.
async fn below(client: &Client, since: Timestamp, oldest: Timestamp) -> Option<(Timestamp, Timestamp)> {
    let (mut unreadable, mut step) = (oldest, PRECISION);
    while unreadable > since {
        let earlier = oldest.checked_sub(step).unwrap_or(since).max(since);
        if reads(client, since, earlier).await? {
            return Some((earlier, unreadable));
        }
        unreadable = earlier;
        step = step.checked_mul(2)?;
    }
    None
}

/// The same after `since`, for a list whose very first row cannot be had.
async fn above(client: &Client, since: Timestamp) -> Option<(Timestamp, Timestamp)> {
    let (mut readable, mut step) = (since, PRECISION);
    loop {
        let later = since.checked_add(step).ok()?;
        if !reads(client, since, later).await? {
            return Some((readable, later));
        }
        readable = later;
        step = step.checked_mul(2)?;
    }
}

/// Whether the newest batch of the time up to `until` can be had; none if the answer shows that this cannot be asked.
async fn reads(client: &Client, since: Timestamp, until: Timestamp) -> Option<bool> {
    let mut is_older = true;
    let mut first = |batches: Vec<Batch>| {
        is_older = batches.iter().filter_map(|batch| batch.created_at).all(|at| at <= until);
        ControlFlow::Break(())
    };
    let asked = ask(Some(since), Some(until)).once();
    let read =
        listing::read(client, &asked, Style::of(Make::V2, 1), &V2BatchRows, ListProgress::by_token(), &mut first).await;
    match read {
        Ok(_) => is_older.then_some(true),
        Err(error) if may_be_one_row(&error) => Some(false),
        Err(_) => None,
    }
}
