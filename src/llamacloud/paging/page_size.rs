//! The page size after a page of a list could not be read: fewer rows, down to the single row that causes the failure.
//!
//! An answer that is too large is halved. An answer that the server cannot make may be the fault of one row or of the whole
//! server: the next row alone tells, so a failing server is asked twice more and no longer.

use crate::llamacloud::error::CloudError;

/// What to do after a page could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Remedy {
    /// Ask for fewer rows from the same place.
    Fewer,
    /// The first row that was asked for is to blame: leave it out.
    LeaveOut,
    /// Nothing helps.
    GiveUp,
}

/// The rows asked for in a page.
#[derive(Debug)]
pub(crate) struct PageSize {
    /// As many as the list is asked for.
    whole: usize,
    /// As many as an answer can hold.
    most: usize,
    now: usize,
    /// A row was left out although the server may be to blame: the next page must come.
    in_doubt: bool,
    /// Rows left out since a page came.
    left_out: u32,
}

/// So many rows in a row that are each too large are no accident: the server answers everything like this.
const MOST_LEFT_OUT: u32 = 10;

impl PageSize {
    pub(crate) fn new(whole: usize) -> PageSize {
        PageSize { whole, most: whole, now: whole, in_doubt: false, left_out: 0 }
    }

    pub(crate) fn rows(&self) -> usize {
        self.now
    }

    /// Whether fewer rows are asked for than usual: such a request is tried once, for its failure is an answer, too.
    pub(crate) fn is_reduced(&self) -> bool {
        self.now < self.whole
    }

    /// The server takes no more than this.
    pub(crate) fn bound(&mut self, whole: usize) {
        *self = PageSize::new(whole);
    }

    /// A page came: more may be asked for.
    pub(crate) fn page_arrived(&mut self) {
        self.in_doubt = false;
        self.left_out = 0;
        self.now = (2 * self.now).min(self.most);
    }

    /// A page could not be had. `alive`: the server has answered another request of this scan well.
    pub(crate) fn failed(&mut self, error: &CloudError, alive: bool) -> Remedy {
        let too_large = matches!(error, CloudError::TooLarge { .. });
        if !too_large && (self.in_doubt || !alive || !may_be_one_row(error)) {
            return Remedy::GiveUp;
        }
        if self.now > 1 {
            self.now = if too_large { self.now / 2 } else { 1 };
            self.most = if too_large { self.now } else { self.most };
            return Remedy::Fewer;
        }
        if self.left_out == MOST_LEFT_OUT {
            return Remedy::GiveUp;
        }
        self.left_out += 1;
        self.in_doubt = !too_large;
        self.most = self.whole;
        Remedy::LeaveOut
    }
}

/// Whether one row may make a server answer like this: it is too large, fails to be written, or a proxy cuts the answer off.
pub(crate) fn may_be_one_row(error: &CloudError) -> bool {
    matches!(
        error,
        CloudError::Server { status: 500 | 502 | 504, .. } | CloudError::CutShort { .. } | CloudError::TooLarge { .. }
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn too_large() -> CloudError {
        CloudError::TooLarge { path: String::new(), limit_mib: 64 }
    }

    fn server(status: u16) -> CloudError {
        CloudError::Server { status, path: String::new(), retry_after: None, detail: String::new() }
    }

    /// Reads `rows` rows of which `bad` make the server fail with this; the rows read and left out, and the requests.
    fn read(rows: usize, bad: &[usize], error: &CloudError) -> (Vec<usize>, Vec<usize>, usize) {
        let (mut size, mut at, mut read, mut left_out, mut requests) = (PageSize::new(1_000), 0, vec![], vec![], 0);
        while at < rows {
            requests += 1;
            let page = at..(at + size.rows()).min(rows);
            if !bad.iter().any(|row| page.contains(row)) {
                size.page_arrived();
                at = page.end;
                read.extend(page);
                continue;
            }
            match size.failed(error, true) {
                Remedy::Fewer => {}
                Remedy::LeaveOut => {
                    left_out.push(at);
                    at += 1;
                }
                Remedy::GiveUp => return (read, left_out, requests),
            }
        }
        (read, left_out, requests)
    }

    #[test]
    fn one_bad_row_costs_no_other_and_few_requests() {
        for error in [too_large(), server(500)] {
            for bad in [0, 1, 123, 700, 999, 1_500] {
                let (read, left_out, requests) = read(3_000, &[bad], &error);
                assert_eq!((read.len(), left_out.as_slice()), (2_999, &[bad][..]), "{error}");
                assert!(requests < 70, "{requests} requests for row {bad}: {error}");
            }
        }
    }

    #[test]
    fn rows_that_are_too_large_are_left_out_however_many_there_are() {
        let (read, left_out, _) = read(40, &[3, 4, 5, 39], &too_large());
        assert_eq!((read.len(), left_out), (36, vec![3, 4, 5, 39]));
    }

    #[test]
    fn a_failing_server_is_asked_twice_more_and_one_that_only_makes_large_answers_not_for_ever() {
        let all: Vec<usize> = (0..3_000).collect();
        assert_eq!(read(3_000, &all, &too_large()).1.len(), 10);
        assert_eq!(PageSize::new(9).failed(&server(500), false), Remedy::GiveUp, "nothing of it answers");
        assert_eq!(read(3_000, &all, &server(500)).2, 3);
        assert_eq!(read(3_000, &all, &server(503)).2, 1, "it says that it is not there");
    }
}
