//! Paging against a model of every server that the API's description allows: all is read exactly once, in bounded requests.

use proptest::prelude::*;

use crate::llamacloud::paging::end_of_list::{AfterPage, ListProgress, MOST_PAGES, NextPage};
use crate::llamacloud::paging::row_reader::{Page, key};

/// What a server says in `next_page_token`.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Tokens {
    None,
    /// A true cursor: absent on the last page.
    Cursor,
    /// The same useless word on every page.
    Constant,
}

/// What a server says in `total_size`.
#[derive(Clone, Copy, Debug)]
enum ServedTotal {
    None,
    True,
    PageOnly,
    TooLow,
    TooHigh,
}

#[derive(Clone, Debug)]
struct ListServer {
    rows: u64,
    cap: u64,
    tokens: Tokens,
    total: ServedTotal,
    /// Pages only by token: the offset is ignored.
    ignores_offset: bool,
    /// Rows put in front while the list is read, one before each of the first pages.
    growing: u64,
}

const LIMIT: u64 = 20;

impl ListServer {
    fn answer(&self, next: &NextPage, nth: u64) -> Page<u64> {
        let grown = self.growing.min(nth);
        let all: Vec<u64> = (0..grown).rev().map(|n| 1_000 + n).chain(0..self.rows).collect();
        let from = match next {
            NextPage::Offset(_) if self.ignores_offset => 0,
            NextPage::Offset(offset) => *offset,
            NextPage::Token(token) => token.parse().unwrap_or(0),
        };
        let size = LIMIT.min(self.cap);
        let rows: Vec<u64> = all.iter().copied().skip(from as usize).take(size as usize).collect();
        let (end, count) = (from + rows.len() as u64, all.len() as u64);
        Page {
            row_keys: rows.iter().map(|n| key(&n.to_string())).collect(),
            other_keys: Vec::new(),
            unreadable_keys: Vec::new(),
            why_unreadable: None,
            token: match self.tokens {
                Tokens::None => None,
                Tokens::Cursor => (end < count).then(|| end.to_string()),
                Tokens::Constant => Some("string".to_owned()),
            },
            total: match self.total {
                ServedTotal::None => None,
                ServedTotal::True => Some(count),
                ServedTotal::PageOnly => Some(rows.len() as u64),
                ServedTotal::TooLow => Some(count / 2),
                ServedTotal::TooHigh => Some(count * 2 + 1),
            },
            rows,
        }
    }
}

/// Reads the list to its end: rows, requests, and how it ended.
fn read(server: &ListServer, mut paging: ListProgress) -> (Vec<u64>, u64, AfterPage) {
    let mut rows = Vec::new();
    let mut requests = 0;
    loop {
        let page = server.answer(paging.asked(), requests);
        requests += 1;
        let (new, step) = paging.take(page);
        rows.extend(new);
        match step {
            AfterPage::Ask(_) => assert!(requests < MOST_PAGES),
            end => return (rows, requests, end),
        }
    }
}

fn servers() -> impl Strategy<Value = ListServer> {
    (
        0_u64..90,
        1_u64..30,
        prop_oneof![Just(Tokens::None), Just(Tokens::Cursor), Just(Tokens::Constant)],
        prop_oneof![
            Just(ServedTotal::None),
            Just(ServedTotal::True),
            Just(ServedTotal::PageOnly),
            Just(ServedTotal::TooLow),
            Just(ServedTotal::TooHigh)
        ],
    )
        .prop_map(|(rows, cap, tokens, total)| ListServer {
            rows,
            cap,
            tokens,
            total,
            ignores_offset: false,
            growing: 0,
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn every_row_is_read_exactly_once_whatever_the_signals(
        server in servers(),
        promised in prop_oneof![Just(None), Just(Some(0_i64)), (-3_i64..4).prop_map(Some)],
        counts_lie in any::<bool>(),
    ) {
        // A count that lies: off by a few; never exactly what a capped page holds, which no one could tell from the truth.
        let expected = promised.map(|off| {
            let off = if counts_lie { off } else { 0 };
            server.rows.saturating_add_signed(off)
        });
        let page = LIMIT.min(server.cap);
        let expected = expected.filter(|n| *n == server.rows || n % page != 0 || *n == 0);
        let (mut rows, requests, end) = read(&server, ListProgress::by_offset(expected));
        prop_assert_eq!(end, AfterPage::End);
        rows.sort_unstable();
        prop_assert_eq!(rows, (0..server.rows).collect::<Vec<_>>());
        prop_assert!(requests <= server.rows / page + 3, "{} requests", requests);
    }

    #[test]
    fn a_server_that_only_knows_tokens_is_read_to_its_end(mut server in servers()) {
        server.ignores_offset = true;
        server.tokens = Tokens::Cursor;
        let page = LIMIT.min(server.cap);
        for paging in [ListProgress::by_token(), ListProgress::by_offset(None)] {
            let by_token = paging.asked() == &NextPage::Token(String::new());
            let (mut rows, requests, end) = read(&server, paging);
            rows.sort_unstable();
            prop_assert_eq!(&rows, &(0..server.rows).collect::<Vec<_>>());
            if by_token {
                prop_assert_eq!(end, AfterPage::End);
            }
            prop_assert!(requests <= server.rows / page + 5);
        }
    }

    #[test]
    fn a_server_that_repeats_itself_is_given_up_soon(mut server in servers()) {
        server.ignores_offset = true;
        server.rows += 1;
        if server.tokens == Tokens::Cursor {
            server.tokens = Tokens::None;
        }
        let (rows, requests, end) = read(&server, ListProgress::by_offset(None));
        prop_assert_eq!(rows.len() as u64, server.rows.min(LIMIT).min(server.cap));
        prop_assert!(requests <= 5);
        let complete = end == AfterPage::End;
        prop_assert!(!complete || matches!(server.total, ServedTotal::True | ServedTotal::PageOnly | ServedTotal::TooLow), "{:?}", end);
    }

    #[test]
    fn rows_put_in_front_meanwhile_cost_none_of_those_that_were_there(mut server in servers(), growing in 0_u64..5) {
        server.growing = growing;
        server.cap += 1;
        // A last page that is pushed back again and again may end the listing as incomplete; what was there is read even so.
        let (mut rows, _, _) = read(&server, ListProgress::by_offset(None));
        rows.retain(|n| *n < 1_000);
        rows.sort_unstable();
        prop_assert_eq!(rows, (0..server.rows).collect::<Vec<_>>());
    }
}

fn page(ids: &[u64], token: Option<&str>, total: Option<u64>) -> Page<u64> {
    Page {
        rows: ids.to_vec(),
        row_keys: ids.to_vec(),
        other_keys: Vec::new(),
        unreadable_keys: Vec::new(),
        why_unreadable: None,
        token: token.map(str::to_owned),
        total,
    }
}

#[test]
fn each_first_page_has_its_answer() {
    let more = AfterPage::Ask(NextPage::Offset(2));
    for (expected, token, total, wanted) in [
        // A short page alone proves nothing: the server may cap.
        (None, None, None, more.clone()),
        // A total alone may be the size of the page.
        (None, None, Some(2), more.clone()),
        (None, Some("string"), Some(2), more.clone()),
        (Some(2), None, None, AfterPage::End),
        (Some(2), None, Some(2), AfterPage::End),
        (Some(2), None, Some(3), more.clone()),
        (Some(2), Some("string"), None, more.clone()),
        (Some(3), None, None, more.clone()),
        (Some(1), None, None, more),
    ] {
        let mut paging = ListProgress::by_offset(expected);
        let (rows, step) = paging.take(page(&[1, 2], token, total));
        assert_eq!(rows, [1, 2]);
        assert_eq!(step, wanted, "{expected:?} {token:?} {total:?}");
    }
}

#[test]
fn an_empty_page_is_asked_for_again_only_if_a_count_promised_more() {
    let mut paging = ListProgress::by_offset(Some(5));
    assert_eq!(paging.take(page(&[], None, None)).1, AfterPage::Ask(NextPage::Offset(0)));
    assert_eq!(paging.take(page(&[1, 2], None, None)).1, AfterPage::Ask(NextPage::Offset(2)));
    assert_eq!(paging.take(page(&[], None, None)).1, AfterPage::End);
    assert_eq!(ListProgress::by_offset(Some(0)).take(page(&[], None, None)).1, AfterPage::End);
    assert_eq!(ListProgress::by_offset(None).take(page(&[], Some("x"), None)).1, AfterPage::End);
}

#[test]
fn the_fingerprint_is_of_the_set_not_of_the_order() {
    let print = |pages: &[&[u64]]| {
        let mut paging = ListProgress::by_offset(None);
        for ids in pages {
            paging.take(page(ids, None, None));
        }
        paging.fingerprint()
    };
    assert_eq!(print(&[&[1, 2], &[3]]), print(&[&[3, 2], &[2, 1]]));
    assert_ne!(print(&[&[1, 2]]), print(&[&[1, 3]]));
}
