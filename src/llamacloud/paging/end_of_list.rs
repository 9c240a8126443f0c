//! When a listing goes on, and when it has ended: a pure state machine that trusts no single signal.
//!
//! The API's lists take `limit` and `offset`, and may answer with a `next_page_token` and a `total_size` that are
//! absent, null, empty, useless, estimates or wrong; pages may be capped below the limit, and the list may move while it is read.
//! What surely ends a listing is an empty page.
//! One request is saved where two independent signals agree that all was read: no token, and the count that the batch itself names.

use std::collections::HashSet;

use rustc_hash::FxBuildHasher;

use crate::llamacloud::paging::row_reader::Page;

/// What to ask for next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NextPage {
    /// The rows from this offset on.
    Offset(u64),
    /// The page that this token stands for.
    Token(String),
}

/// What follows a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AfterPage {
    /// Ask for another page.
    Ask(NextPage),
    /// All was read.
    End,
    /// There may be more, but asking on is useless; why.
    GiveUp(String),
}

/// Pages of one listing, at most: a server that caps pages at 100 rows can still list 2,000,000.
pub(crate) const MOST_PAGES: u64 = 20_000;

/// Rows of one listing, at most: more take memory for their keys that no list is worth.
pub(crate) const MOST_ROWS: u64 = 2_000_000;

/// The same for lists whose rows the caller keeps until their end.
pub(crate) const MOST_BATCHES: u64 = 500_000;

/// Pages in a row without a new row before an offset listing is given up.
/// One can be honest: rows that were put in front push a whole page back.
const BARREN_OFFSETS: u32 = 2;
/// The same for a cursor, whose filtered pages may well be empty.
const BARREN_TOKENS: u32 = 10;

/// The state of one listing.
#[derive(Debug)]
pub(crate) struct ListProgress {
    asked: NextPage,
    expected: Option<u64>,
    most: u64,
    seen: HashSet<u64, FxBuildHasher>,
    matching: u64,
    unreadable: u64,
    fingerprint: u64,
    pages: u64,
    offset: u64,
    barren: u32,
    confirmed: bool,
}

impl ListProgress {
    /// A listing by offset. `expected` is the number of rows that the batch's own count promises, if it is known.
    pub(crate) fn by_offset(expected: Option<u64>) -> ListProgress {
        ListProgress::new(NextPage::Offset(0), expected)
    }

    /// A listing by cursor. The first page is asked for without a token.
    pub(crate) fn by_token() -> ListProgress {
        ListProgress::new(NextPage::Token(String::new()), None)
    }

    fn new(asked: NextPage, expected: Option<u64>) -> ListProgress {
        ListProgress {
            asked,
            expected,
            most: MOST_ROWS,
            seen: HashSet::default(),
            matching: 0,
            unreadable: 0,
            fingerprint: 0,
            pages: 0,
            offset: 0,
            barren: 0,
            confirmed: false,
        }
    }

    /// The same, given up after so many rows.
    pub(crate) fn at_most(self, rows: u64) -> ListProgress {
        ListProgress { most: rows, ..self }
    }

    /// Leaves out the next row, which cannot be had. False if this listing cannot: only by offset a place has a name.
    pub(crate) fn leave_out(&mut self, path: &str) -> bool {
        let NextPage::Offset(offset) = self.asked else { return false };
        if self.see(crate::llamacloud::paging::row_reader::key(&format!("row {offset} of {path}"))) {
            self.matching += 1;
            self.unreadable += 1;
        }
        self.pages += 1;
        self.offset = offset + 1;
        self.asked = NextPage::Offset(self.offset);
        self.pages < MOST_PAGES
    }

    /// What to ask for now. An empty token means the first page.
    pub(crate) fn asked(&self) -> &NextPage {
        &self.asked
    }

    /// Rows that could not be read so far.
    pub(crate) fn unreadable(&self) -> u64 {
        self.unreadable
    }

    /// The same for the same set of rows, in whatever order they came.
    pub(crate) fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    /// Takes a page: its rows without those seen before, and what follows.
    pub(crate) fn take<T>(&mut self, page: Page<T>) -> (Vec<T>, AfterPage) {
        let before = self.seen.len();
        let size = page.size();
        let rows = self.admit(page.rows, &page.row_keys);
        for key in page.unreadable_keys {
            if self.see(key) {
                self.matching += 1;
                self.unreadable += 1;
            }
        }
        for key in page.other_keys {
            self.see(key);
        }
        self.pages += 1;
        self.offset += size;
        self.barren = if self.seen.len() > before { 0 } else { self.barren + 1 };
        let step = self.step(size, page.token, page.total);
        if let AfterPage::Ask(next) = &step {
            self.asked = next.clone();
        }
        (rows, step)
    }

    fn admit<T>(&mut self, rows: Vec<T>, keys: &[u64]) -> Vec<T> {
        let new: Vec<bool> = keys.iter().map(|key| self.see(*key)).collect();
        self.matching += new.iter().filter(|n| **n).count() as u64;
        if new.iter().all(|n| *n) {
            return rows;
        }
        let pairs = rows.into_iter().zip(new);
        pairs.filter_map(|(row, new)| new.then_some(row)).collect()
    }

    fn see(&mut self, key: u64) -> bool {
        let new = self.seen.insert(key);
        if new {
            self.fingerprint = self.fingerprint.wrapping_add(key);
        }
        new
    }

    fn step(&mut self, size: u64, token: Option<String>, total: Option<u64>) -> AfterPage {
        let step = match &self.asked {
            NextPage::Offset(_) => self.step_by_offset(size, token, total),
            NextPage::Token(current) => {
                let repeats = self.barren > 0 && token.as_deref() == Some(current.as_str());
                self.step_by_token(token, repeats, total)
            }
        };
        match step {
            AfterPage::Ask(_) if self.pages >= MOST_PAGES => {
                AfterPage::GiveUp(format!("the list did not end after {MOST_PAGES} pages"))
            }
            AfterPage::Ask(_) if self.seen.len() as u64 >= self.most => {
                AfterPage::GiveUp(format!("the list had not ended after {} rows", self.seen.len()))
            }
            step => step,
        }
    }

    fn step_by_offset(&mut self, size: u64, token: Option<String>, total: Option<u64>) -> AfterPage {
        if size == 0 {
            return self.empty_page(total);
        }
        if self.counts_agree(token.as_deref(), total) {
            return AfterPage::End;
        }
        if self.barren < BARREN_OFFSETS {
            return AfterPage::Ask(NextPage::Offset(self.offset));
        }
        // The offset is ignored. A token is the other way on, although the API declares no parameter for it.
        match token {
            Some(token) => AfterPage::Ask(NextPage::Token(token)),
            None => self.stalled(total),
        }
    }

    fn step_by_token(&self, token: Option<String>, repeats: bool, total: Option<u64>) -> AfterPage {
        match token {
            None => AfterPage::End,
            Some(_) if repeats || self.barren >= BARREN_TOKENS => self.stalled(total),
            Some(token) => AfterPage::Ask(NextPage::Token(token)),
        }
    }

    /// An empty page ends a listing; if counts promised more, it is asked for once more first.
    fn empty_page(&mut self, total: Option<u64>) -> AfterPage {
        let missing =
            self.expected.is_some_and(|n| n > self.matching) || total.is_some_and(|n| n > self.seen.len() as u64);
        if missing && !self.confirmed {
            self.confirmed = true;
            return AfterPage::Ask(NextPage::Offset(self.offset));
        }
        AfterPage::End
    }

    /// No token, the batch's own count reached exactly, and no total that says otherwise.
    fn counts_agree(&self, token: Option<&str>, total: Option<u64>) -> bool {
        token.is_none() && self.expected == Some(self.matching) && total.is_none_or(|n| n == self.seen.len() as u64)
    }

    /// The server repeats itself: complete only if a count says that this was all.
    fn stalled(&self, total: Option<u64>) -> AfterPage {
        let all = self.expected == Some(self.matching) || total == Some(self.seen.len() as u64);
        if all {
            return AfterPage::End;
        }
        AfterPage::GiveUp(format!("the server repeats the same page after {} rows", self.seen.len()))
    }
}
