//! Reading a list to its end: asks for pages as [`paging`](crate::llamacloud::paging::end_of_list) says and hands over new rows as they come.

use std::ops::ControlFlow;
use std::pin::Pin;

use crate::llamacloud::error::CloudError;
use crate::llamacloud::http::client::{Ask, Client, Make};
use crate::llamacloud::paging::end_of_list::{AfterPage, ListProgress, NextPage};
use crate::llamacloud::paging::page_size::{PageSize, Remedy};
use crate::llamacloud::paging::row_reader::RowReader;
use crate::llamacloud::paging::{page, row_reader};
use crate::model::batch::Counted;

/// What a listing came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListResult {
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
    /// Whether nothing can change but what became of jobs with a status that this version does not know.
    pub only_odd: bool,
    /// Jobs with such a status.
    pub odd: u64,
    /// Which one, for example.
    pub why_odd: Option<String>,
    /// The items of the batch, if it has no counts of its own and this listing found that none can change any more.
    pub counted: Option<Counted>,
}

/// The page size that is tried where a server refuses larger ones: the least bound found in the API's description.
const SMALL_PAGE: usize = 100;

/// How a list takes its page parameters.
#[derive(Clone, Copy)]
pub(crate) struct Style {
    pub(crate) make: Make,
    /// Rows asked for in one page.
    pub(crate) limit: usize,
    /// Whether smaller pages are asked for where the server refuses such large ones and says how large they may be.
    pub(crate) insists: bool,
}

impl Style {
    /// The usual way: with smaller pages if need be.
    pub(crate) fn of(make: Make, limit: usize) -> Style {
        Style { make, limit, insists: true }
    }
}

/// Whether a listing goes on, once its page was taken.
pub(crate) type Flow = Pin<Box<dyn Future<Output = ControlFlow<()>> + Send>>;

/// Reads the list that `ask` names. `page` may stop it.
pub(crate) async fn read<R: RowReader>(
    client: &Client,
    ask: &Ask<'_>,
    style: Style,
    rows: &R,
    paging: ListProgress,
    page: &mut (dyn FnMut(Vec<R::Row>) -> ControlFlow<()> + Send),
) -> Result<ListResult, CloudError> {
    let mut at_once = |new| -> Flow { Box::pin(std::future::ready(page(new))) };
    read_at_pace(client, ask, style, rows, paging, &mut at_once).await
}

/// The same for a taker that may be slower than the API: the next page is asked for once it has taken this one.
pub(crate) async fn read_at_pace<R: RowReader>(
    client: &Client,
    ask: &Ask<'_>,
    style: Style,
    rows: &R,
    mut paging: ListProgress,
    page: &mut (dyn FnMut(Vec<R::Row>) -> Flow + Send),
) -> Result<ListResult, CloudError> {
    let mut listed = ListResult::default();
    let path = format!("/{}", ask.path.join("/"));
    let mut refused = false;
    let mut size = PageSize::new(client.bounded(style.make, style.limit));
    loop {
        let request = request(ask, style.make, &size, paging.asked());
        let got = client.get(&request, |text| page::decode(rows, text, &path)).await;
        listed.requests += 1;
        let got = match got {
            Err(CloudError::Refused { status: 422, ref detail, .. }) if size.rows() > SMALL_PAGE => {
                let named = if refused { None } else { named_bound(detail, style.make.size()) };
                let named = named.filter(|bound| (1..size.rows()).contains(bound));
                if let Some(bound) = named.filter(|_| !style.insists) {
                    client.note_bound(style.make, bound);
                    return got.map(|_| listed);
                }
                size.bound(named.unwrap_or(SMALL_PAGE));
                refused = true;
                continue;
            }
            Err(error) => {
                match size.failed(&error, client.has_answered()) {
                    Remedy::Fewer => {}
                    Remedy::LeaveOut if paging.leave_out(&path) => {
                        let why = format!("a single row cannot be read: {error}");
                        listed.why_unreadable.get_or_insert(why);
                        listed.unreadable = paging.unreadable();
                    }
                    Remedy::LeaveOut | Remedy::GiveUp => return Err(error),
                }
                continue;
            }
            Ok(got) => got,
        };
        if std::mem::take(&mut refused) {
            // It was the size that was refused, and it would be every time.
            client.note_bound(style.make, size.rows());
        }
        size.page_arrived();
        let got = remember_unreadable(&mut listed, got);
        let (new, step) = paging.take(got);
        listed.rows += new.len() as u64;
        listed.unreadable = paging.unreadable();
        listed.fingerprint = paging.fingerprint();
        let stopped = !new.is_empty() && page(new).await.is_break();
        match step {
            AfterPage::End => {
                listed.complete = true;
                return Ok(listed);
            }
            _ if stopped => return Ok(listed),
            AfterPage::GiveUp(why) => {
                listed.why_incomplete = Some(why);
                return Ok(listed);
            }
            AfterPage::Ask(_) => {}
        }
    }
}

/// The largest page that the server's refusal names, as in "`query.page_size`: Input should be less than or equal to 100".
fn named_bound(detail: &str, size: &str) -> Option<usize> {
    let (_, after) = detail.split_once(size)?.1.split_once("less than or equal to ")?;
    let digits: String = after.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

fn remember_unreadable<T>(listed: &mut ListResult, mut page: row_reader::Page<T>) -> row_reader::Page<T> {
    if listed.why_unreadable.is_none() {
        listed.why_unreadable = page.why_unreadable.take();
    }
    page
}

fn request<'a>(ask: &Ask<'a>, make: Make, size: &PageSize, next: &NextPage) -> Ask<'a> {
    let mut request = ask.clone().with(make.size(), size.rows().to_string());
    request.once |= size.is_reduced();
    match next {
        NextPage::Offset(offset) => request.with("offset", offset.to_string()),
        NextPage::Token(token) if token.is_empty() => request,
        NextPage::Token(token) => request.with("page_token", token.as_str()),
    }
}

#[cfg(test)]
mod tests {
    use crate::llamacloud::paging::listing::named_bound;

    #[test]
    fn a_refusal_may_name_the_largest_page() {
        let said = ": query.page_size: Input should be less than or equal to 250";
        assert_eq!(named_bound(said, "page_size"), Some(250));
        assert_eq!(named_bound(said, "limit"), None);
        assert_eq!(named_bound(": query.page_size: too large", "page_size"), None);
        assert_eq!(named_bound(": query.page_size: less than or equal to x", "page_size"), None);
    }
}
