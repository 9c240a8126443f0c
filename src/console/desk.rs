//! What one page reads with: the ledger as it is at one moment, the time, the zone, who asks.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;

use crate::console::error::PageError;
use crate::console::templates;
use crate::console::{Console, Visitor};
use crate::model::links::linker::Linker;
use crate::report::filter::Filter;
use crate::report::format::layout::{AnswerLayout, ago};
use crate::report::store::{Freshness, ReadTransaction, ReportView, addresses, freshness};

/// Rows of a page of a list.
pub(crate) const ROWS: u64 = 30;

/// Pages of a list that can be asked for: what lies further back is found by filters.
const MOST_PAGES: u64 = 1000;

/// What one page reads with.
pub(crate) struct Desk<'a> {
    /// What the console is set up with.
    pub(crate) console: &'a Console,
    /// Who asks.
    pub(crate) visitor: &'a Visitor,
    /// The ledger at one moment.
    pub(crate) reading: ReadTransaction,
    /// Now.
    pub(crate) now: Timestamp,
    linker: Linker,
    freshness: Freshness,
}

/// What every page says around its content.
#[derive(Serialize)]
struct Frame<'a> {
    title: &'a str,
    place: &'a str,
    base: &'a str,
    style: &'a str,
    clock: String,
    instance: String,
    as_of: Option<String>,
    as_of_at: Option<Timestamp>,
    never: &'a [String],
    person: Option<&'a str>,
    has_session: bool,
    may_triage: bool,
    may_retry: bool,
    has_records: bool,
}

#[derive(Serialize)]
struct Whole<'a, T> {
    #[serde(flatten)]
    frame: Frame<'a>,
    page: &'a T,
}

impl<'a> Desk<'a> {
    /// Opens the ledger for one page.
    ///
    /// # Errors
    /// The ledger is missing, of another version, or unreadable.
    pub(crate) fn open(console: &'a Console, visitor: &'a Visitor, now: Timestamp) -> Result<Desk<'a>, PageError> {
        let reading = ReadTransaction::open(&console.ledger)?;
        let linker = console.setup().linker.clone().located(addresses(&reading)?);
        let freshness = freshness(&reading)?;
        Ok(Desk { console, visitor, reading, now, linker, freshness })
    }

    /// Sees the ledger through a filter.
    ///
    /// # Errors
    /// The filter names what is not there.
    pub(crate) fn view<'b>(&'b self, filter: &'b Filter) -> Result<ReportView<'b>, PageError> {
        let mut view = ReportView::new(&self.reading, filter, self.now, &self.linker)?;
        view.retry_settings = self.console.setup().retry_settings.clone().unwrap_or(view.retry_settings);
        Ok(view)
    }

    /// The zone that people read times in.
    pub(crate) fn zone(&self) -> TimeZone {
        self.console.setup().zone.clone()
    }

    /// How times are written beside charts.
    pub(crate) fn look(&self) -> AnswerLayout {
        AnswerLayout { zone: self.zone(), now: self.now, ..AnswerLayout::default() }
    }

    /// Fills a template.
    ///
    /// # Errors
    /// The template asks for what the page does not have.
    pub(crate) fn render<T: Serialize>(
        &self,
        template: &str,
        title: &str,
        place: &str,
        page: &T,
    ) -> Result<String, PageError> {
        let whole = Whole { frame: frame(self.console, self.visitor, (title, place), self.now, &self.freshness), page };
        Ok(templates::render(template, &whole)?)
    }
}

/// Fills a template of a page that shows nothing of the ledger.
///
/// # Errors
/// The template asks for what the page does not have.
pub(crate) fn render_alone<T: Serialize>(
    console: &Console,
    visitor: &Visitor,
    template: &str,
    title: &str,
    page: &T,
) -> Result<String, PageError> {
    let unknown = Freshness { as_of: None, never_complete: Vec::new() };
    let frame = frame(console, visitor, (title, ""), console.now(), &unknown);
    Ok(templates::render(template, &Whole { frame, page })?)
}

fn frame<'f>(
    console: &'f Console,
    visitor: &'f Visitor,
    (title, place): (&'f str, &'f str),
    now: Timestamp,
    freshness: &'f Freshness,
) -> Frame<'f> {
    let setup = console.setup();
    Frame {
        title,
        place,
        base: &console.base,
        style: &console.style_version,
        clock: templates::clock(now, &setup.zone),
        instance: setup.instance.clone(),
        as_of: freshness.as_of.map(|at| ago(at, now)),
        as_of_at: freshness.as_of,
        never: &freshness.never_complete,
        person: visitor.person.as_deref(),
        has_session: visitor.has_session,
        may_triage: visitor.may_triage(),
        may_retry: visitor.may_retry(),
        has_records: !setup.projects.is_empty(),
    }
}

/// Where a list stands: which rows are shown, and the addresses of the pages beside it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Paging {
    /// Of the first row, from 1; 0 if there is none.
    pub(crate) first: u64,
    /// Of the last row.
    pub(crate) last: u64,
    /// All rows; none if that is not counted.
    pub(crate) all: Option<u64>,
    /// The query of the page before; none on the first.
    pub(crate) before: Option<String>,
    /// The query of the page after; none on the last.
    pub(crate) after: Option<String>,
}

impl Paging {
    /// The page of a list that has `shown` rows on it, of `all` where that is known. `query` has everything but the page.
    pub(crate) fn new(page: u64, shown: u64, all: Option<u64>, query: &[(String, String)]) -> Paging {
        let offset = offset(page);
        let address = |page: u64| {
            let page = ("page".to_owned(), page.to_string());
            let pairs = query.iter().chain([&page]).map(|(key, value)| {
                format!("{}={}", crate::console::words::encoded(key), crate::console::words::encoded(value))
            });
            format!("?{}", pairs.collect::<Vec<_>>().join("&"))
        };
        let more = all.map_or(shown == ROWS, |all| offset + shown < all);
        Paging {
            first: if shown == 0 { 0 } else { offset + 1 },
            last: offset + shown,
            all,
            before: (page > 1).then(|| address(page - 1)),
            after: (more && page < MOST_PAGES).then(|| address(page + 1)),
        }
    }
}

/// The page that a query asks for, from 1.
pub(crate) fn page_of(query: &[(String, String)]) -> u64 {
    let asked = query.iter().find(|(key, _)| key == "page").and_then(|(_, page)| page.parse().ok());
    asked.unwrap_or(1).clamp(1, MOST_PAGES)
}

/// Rows before a page.
pub(crate) fn offset(page: u64) -> u64 {
    (page - 1) * ROWS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_leads_to_the_pages_beside_it() {
        let query = [("q".to_owned(), "a b&c".to_owned())];
        let paging = Paging::new(2, 30, Some(61), &query);
        assert_eq!((paging.first, paging.last), (31, 60));
        assert_eq!(paging.before.as_deref(), Some("?q=a%20b%26c&page=1"));
        assert_eq!(paging.after.as_deref(), Some("?q=a%20b%26c&page=3"));
        assert_eq!(Paging::new(3, 1, Some(61), &query).after, None);
        assert_eq!(Paging::new(1, 0, Some(0), &[]).first, 0);
        assert_eq!(page_of(&[("page".to_owned(), "18446744073709551615".to_owned())]), MOST_PAGES);
        assert_eq!(page_of(&[("page".to_owned(), "-1".to_owned())]), 1);
    }
}
