//! Cuts lists into pages, in all the ways that [`crate::simulator::options::PagingOptions`] knows.

use serde_json::{Map, Value};

use crate::simulator::http::query::Query;
use crate::simulator::http::reply::Reply;
use crate::simulator::options::{EntryOrder, ListEndStyle, PagingOptions, TokenStyle, TotalStyle};
use crate::simulator::world::random::mix;

/// Which entries of an ordered list a page shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PageWindow {
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) total: usize,
}

impl PageWindow {
    /// The window that `limit` and `offset` ask for.
    pub(crate) fn by_offset(
        query: &Query,
        default: usize,
        total: usize,
        paging: &PagingOptions,
    ) -> Result<Self, Reply> {
        let limit = query.number("limit", default, 1..=1000)?;
        let offset = query.number("offset", 0, 0..=usize::MAX)?;
        Ok(Self::cut(offset, limit, total, paging))
    }

    /// The window that `page_size` and `page_token` ask for.
    pub(crate) fn by_cursor(query: &Query, total: usize, paging: &PagingOptions) -> Result<Self, Reply> {
        let size = query.number("page_size", 50, 1..=paging.most)?;
        let offset = match query.get("page_token") {
            None | Some("") => 0,
            Some(token) => read_cursor(token)
                .ok_or_else(|| Reply::invalid(&["query", "page_token"], "not a token of this list"))?,
        };
        Ok(Self::cut(offset, size, total, paging))
    }

    fn cut(offset: usize, limit: usize, total: usize, paging: &PagingOptions) -> Self {
        let offset = if paging.stuck { 0 } else { offset };
        let from = offset.min(total);
        let length = limit.min(paging.cap.unwrap_or(usize::MAX));
        Self { from, to: from.saturating_add(length).min(total), total }
    }

    fn has_more(self) -> bool {
        self.to < self.total
    }

    /// The page around these entries, for lists that are paged by offset.
    pub(crate) fn page(self, items: Vec<Value>, paging: &PagingOptions) -> Value {
        let mut page = self.frame(items, paging);
        match &paging.token {
            TokenStyle::Absent => {}
            TokenStyle::Null => put(&mut page, "next_page_token", Value::Null),
            TokenStyle::Empty => put(&mut page, "next_page_token", "".into()),
            TokenStyle::Always(token) => put(&mut page, "next_page_token", token.as_str().into()),
            TokenStyle::WhileMore(token) => {
                let token = self.has_more().then_some(token.as_str());
                put(&mut page, "next_page_token", token.into());
            }
        }
        Value::Object(page)
    }

    /// The page around these entries, for lists that are paged by cursor.
    pub(crate) fn cursor_page(self, items: Vec<Value>, paging: &PagingOptions) -> Value {
        let mut page = self.frame(items, paging);
        if self.has_more() || paging.stuck {
            put(&mut page, "next_page_token", cursor(self.to).into());
        } else {
            match paging.end {
                ListEndStyle::Absent => {}
                ListEndStyle::Null => put(&mut page, "next_page_token", Value::Null),
                ListEndStyle::Empty => put(&mut page, "next_page_token", "".into()),
            }
        }
        Value::Object(page)
    }

    fn frame(self, items: Vec<Value>, paging: &PagingOptions) -> Map<String, Value> {
        let mut page = Map::new();
        if !(items.is_empty() && paging.empty_without_items) {
            put(&mut page, "items", items.into());
        }
        let total = match paging.total {
            TotalStyle::Absent => return page,
            TotalStyle::Null => Value::Null,
            TotalStyle::Exact => self.total.into(),
            TotalStyle::TooLow => (self.total / 2).into(),
            TotalStyle::TooHigh => (self.total * 2 + 7).into(),
            TotalStyle::Zero => 0.into(),
        };
        put(&mut page, "total_size", total);
        page
    }
}

/// Orders entries by their time key (and their place, where times are equal).
/// `request` is the number of this request, which changes the order that is new each time.
pub(crate) fn order<T>(
    entries: &mut [T],
    order: EntryOrder,
    request: u64,
    key: impl Fn(&T) -> (jiff::Timestamp, usize),
) {
    match order {
        EntryOrder::NewestFirst => entries.sort_by_key(|entry| std::cmp::Reverse(key(entry))),
        EntryOrder::OldestFirst => entries.sort_by_key(key),
        EntryOrder::Shuffled => entries.sort_by_key(|entry| mix(key(entry).1 as u64)),
        EntryOrder::ReshuffledEachTime => {
            entries.sort_by_key(|entry| mix(key(entry).1 as u64 ^ mix(request)));
        }
    }
}

fn put(page: &mut Map<String, Value>, key: &str, value: Value) {
    page.insert(key.to_owned(), value);
}

/// An opaque-looking token for a place in a list.
fn cursor(place: usize) -> String {
    format!("c{:x}.{place:x}", mix(place as u64) & 0xffff)
}

fn read_cursor(token: &str) -> Option<usize> {
    let (_, place) = token.split_once('.')?;
    let place = usize::from_str_radix(place, 16).ok()?;
    (cursor(place) == token).then_some(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(query: &str, total: usize, paging: &PagingOptions) -> PageWindow {
        PageWindow::by_offset(&Query::parse(query), 50, total, paging).unwrap_or_else(|_| panic!("refused"))
    }

    #[test]
    fn a_page_holds_what_was_asked_for() {
        let paging = PagingOptions::default();
        assert_eq!(window("", 120, &paging), PageWindow { from: 0, to: 50, total: 120 });
        assert_eq!(window("limit=100&offset=100", 120, &paging), PageWindow { from: 100, to: 120, total: 120 });
        assert_eq!(window("offset=999", 120, &paging), PageWindow { from: 120, to: 120, total: 120 });
    }

    #[test]
    fn a_capped_page_is_short_and_a_stuck_one_repeats() {
        let capped = PagingOptions { cap: Some(10), ..PagingOptions::default() };
        assert_eq!(window("limit=100&offset=5", 120, &capped).to, 15);
        let stuck = PagingOptions { stuck: true, ..PagingOptions::default() };
        assert_eq!(window("limit=10&offset=90", 120, &stuck).from, 0);
    }

    #[test]
    fn cursors_lead_to_the_end_and_unknown_ones_are_refused() {
        let paging = PagingOptions { end: ListEndStyle::Empty, ..PagingOptions::default() };
        let first = PageWindow::by_cursor(&Query::parse("page_size=2"), 3, &paging).unwrap_or_else(|_| panic!());
        let token = first.cursor_page(vec![1.into(), 2.into()], &paging)["next_page_token"].clone();
        let query = format!("page_size=2&page_token={}", token.as_str().unwrap());
        let second = PageWindow::by_cursor(&Query::parse(&query), 3, &paging).unwrap_or_else(|_| panic!());
        assert_eq!((second.from, second.to), (2, 3));
        assert_eq!(second.cursor_page(vec![3.into()], &paging)["next_page_token"], "");
        assert!(PageWindow::by_cursor(&Query::parse("page_token=2"), 3, &paging).is_err());
    }

    #[test]
    fn a_stuck_cursor_never_ends() {
        let stuck = PagingOptions { stuck: true, ..PagingOptions::default() };
        let window = PageWindow::by_cursor(&Query::parse("page_size=9"), 3, &stuck).unwrap_or_else(|_| panic!());
        assert!(window.cursor_page(Vec::new(), &stuck)["next_page_token"].is_string());
    }

    #[test]
    fn totals_lie_when_set_to() {
        let window = PageWindow { from: 0, to: 3, total: 10 };
        let total = |total| window.page(Vec::new(), &PagingOptions { total, ..PagingOptions::default() });
        assert_eq!(total(TotalStyle::TooLow)["total_size"], 5);
        assert!(total(TotalStyle::Absent).get("total_size").is_none());
        let bare = PagingOptions { empty_without_items: true, ..PagingOptions::default() };
        assert!(window.page(Vec::new(), &bare).get("items").is_none());
    }
}
