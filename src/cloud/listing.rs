//! Reading a list to its end: asks for pages as [`paging`](super::paging) says and hands over new rows as they come.

use std::ops::ControlFlow;
use std::pin::Pin;

use super::CloudError;
use super::client::{Ask, Client};
use super::page::{self, Rows};
use super::paging::{Next, Paging, Step};
use crate::core::batch::Counted;

/// What a listing came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listed {
    /// Rows handed over, without repetitions.
    pub rows: u64,
    /// Rows that could not be read.
    pub unreadable: u64,
    /// Why the first of them could not.
    pub why_unreadable: Option<String>,
    /// Rows whose outcome should be known to LlamaCloud and is not (yet).
    pub missing: u64,
    /// Whether the list was read to its end (or, for batches, to the end of the time asked for).
    pub complete: bool,
    /// Why not; none if the caller stopped it.
    pub why_incomplete: Option<String>,
    /// Pages asked for. Retries are not counted here but in `Cloud::requests`.
    pub requests: u64,
    /// The same for two listings that read the same set of rows: how a caller sees that a list did not move meanwhile.
    pub fingerprint: u64,
    /// The items of the batch, if it has no counts of its own and this listing found that none can change any more.
    pub counted: Option<Counted>,
}

/// The page size that is tried where a server refuses larger ones: the least bound found in the API's description.
const SMALL_PAGE: usize = 100;

/// How a list takes its page parameters.
#[derive(Clone, Copy)]
pub(super) struct Style {
    /// The name of the page size parameter.
    pub(super) size: &'static str,
    /// Rows asked for in one page.
    pub(super) limit: usize,
}

impl Style {
    /// `limit` and `offset`.
    pub(super) fn limit(limit: usize) -> Style {
        Style { size: "limit", limit }
    }

    /// `page_size` and `page_token`.
    pub(super) fn page_size(limit: usize) -> Style {
        Style { size: "page_size", limit }
    }
}

/// Whether a listing goes on, once its page was taken.
pub(super) type Flow = Pin<Box<dyn Future<Output = ControlFlow<()>> + Send>>;

/// Reads the list that `ask` names. `page` may stop it.
pub(super) async fn read<R: Rows>(
    client: &Client,
    ask: &Ask<'_>,
    style: Style,
    rows: &R,
    paging: Paging,
    page: &mut (dyn FnMut(Vec<R::Row>) -> ControlFlow<()> + Send),
) -> Result<Listed, CloudError> {
    let mut at_once = |new| -> Flow { Box::pin(std::future::ready(page(new))) };
    read_at_pace(client, ask, style, rows, paging, &mut at_once).await
}

/// The same for a taker that may be slower than the API: the next page is asked for once it has taken this one.
pub(super) async fn read_at_pace<R: Rows>(
    client: &Client,
    ask: &Ask<'_>,
    mut style: Style,
    rows: &R,
    mut paging: Paging,
    page: &mut (dyn FnMut(Vec<R::Row>) -> Flow + Send),
) -> Result<Listed, CloudError> {
    let mut listed = Listed::default();
    let path = format!("/{}", ask.path.join("/"));
    let mut refused = false;
    if client.has_small_pages(ask) {
        style.limit = style.limit.min(SMALL_PAGE);
    }
    loop {
        let request = request(ask, style, paging.asked());
        let got = client.get(&request, |text| page::decode(rows, text, &path)).await;
        listed.requests += 1;
        let got = match got {
            Err(CloudError::Refused { status: 422, .. }) if style.limit > SMALL_PAGE => {
                style.limit = SMALL_PAGE;
                refused = true;
                continue;
            }
            got => got?,
        };
        if std::mem::take(&mut refused) {
            // It was the size that was refused, and it would be every time.
            client.note_small_pages(ask);
        }
        let got = remember_unreadable(&mut listed, got);
        let (new, step) = paging.take(got);
        listed.rows += new.len() as u64;
        listed.unreadable = paging.unreadable();
        listed.fingerprint = paging.fingerprint();
        let stopped = !new.is_empty() && page(new).await.is_break();
        match step {
            Step::End => {
                listed.complete = true;
                return Ok(listed);
            }
            _ if stopped => return Ok(listed),
            Step::GiveUp(why) => {
                listed.why_incomplete = Some(why);
                return Ok(listed);
            }
            Step::Ask(_) => {}
        }
    }
}

fn remember_unreadable<T>(listed: &mut Listed, mut page: page::Page<T>) -> page::Page<T> {
    if listed.why_unreadable.is_none() {
        listed.why_unreadable = page.why_unreadable.take();
    }
    page
}

fn request<'a>(ask: &Ask<'a>, style: Style, next: &Next) -> Ask<'a> {
    let request = ask.clone().with(style.size, style.limit.to_string());
    match next {
        Next::Offset(offset) => request.with("offset", offset.to_string()),
        Next::Token(token) if token.is_empty() => request,
        Next::Token(token) => request.with("page_token", token.as_str()),
    }
}
