//! How the simulated service behaves where the documentation of the real one leaves several behaviours open.

use jiff::SignedDuration;

/// Behaviours of one server; the default is the plainest reading of the documentation.
#[derive(Debug, Clone)]
pub struct Options {
    /// The loopback port; 0 takes any free one.
    pub port: u16,
    /// How lists are cut into pages.
    pub paging: PagingOptions,
    /// What moves simulated time.
    pub clock: ClockMode,
    /// What the `Date` of answers says.
    pub date: Date,
    /// What a create call does with item ids that do not exist (or whose file was deleted).
    pub unknown_items: UnknownItems,
    /// The most `item_ids` one create call may carry; more earn a 422.
    pub most_item_ids: usize,
    /// The status that every v1 batch call answers, for an account that has lost that API.
    pub v1_gone: Option<u16>,
    /// How long batches are kept: older ones are neither listed nor known. None keeps them for ever.
    pub keeps_batches_for: Option<SignedDuration>,
    /// The status that every call of v2 batches answers, for an account that does not have that API.
    pub v2_gone: Option<u16>,
    /// Whether each API shows only the batches that are its own: v1 those made from lists of items, v2 those made from
    /// directories. Else both show all, under the same uuid.
    pub apart: bool,
    /// Whether v1 shows job ids as bare uuids; else they carry `pjb-` or `ext-`.
    pub bare_job_ids: bool,
    /// Whether `processed_items` counts only completed items instead of all that ended.
    pub processed_means_completed: bool,
    /// Whether the list of v2 parse jobs shows their `user_metadata`; a job that is asked for by its id always does.
    pub notes_in_lists: bool,
    /// Whether `processing-results` gives vendor keys and webhook headers back that no one should store.
    pub secrets_in_results: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            port: 0,
            paging: PagingOptions::default(),
            clock: ClockMode::Stopped,
            date: Date::Host,
            unknown_items: UnknownItems::Refused(422),
            most_item_ids: 1_000,
            v1_gone: None,
            keeps_batches_for: None,
            v2_gone: None,
            apart: false,
            bare_job_ids: true,
            processed_means_completed: false,
            notes_in_lists: true,
            secrets_in_results: false,
        }
    }
}

/// What moves simulated time while the server runs; `World::advance_to` always works as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClockMode {
    /// Nothing.
    Stopped,
    /// Every request moves it on by this much.
    PerRequest(SignedDuration),
    /// It runs this many times as fast as real time, from the moment at which it was set to.
    Running(u32),
    /// It is the host's clock; where that is behind, time stands still until it has come up.
    Host,
}

/// What the `Date` of answers says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Date {
    /// The time of the host that the server runs on.
    Host,
    /// Simulated time.
    World,
    /// Nothing that anyone can read.
    Unreadable,
}

/// What a create call does with unknown item ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnknownItems {
    /// The whole call is refused with this status (422 or 404).
    Refused(u16),
    /// The batch is made, and these items fail in it.
    Fail,
}

/// How lists are cut into pages.
#[derive(Debug, Clone)]
pub struct PagingOptions {
    /// What `total_size` says.
    pub total: TotalStyle,
    /// What `next_page_token` says in lists that are paged by offset.
    pub token: TokenStyle,
    /// How the last page of a list that is paged by cursor says so.
    pub end: ListEndStyle,
    /// The most entries of a page, whatever was asked for.
    pub cap: Option<usize>,
    /// The largest `page_size` that is taken; a larger one earns a 422.
    pub most: usize,
    /// The order of lists.
    pub order: EntryOrder,
    /// What changes between two pages.
    pub shift: Shift,
    /// How many times it changes, so that a patient reader comes to an end.
    pub shifts_left: u32,
    /// Whether an empty page has no `items` key at all.
    pub empty_without_items: bool,
    /// Whether every page is the first one, whatever the offset or cursor.
    pub stuck: bool,
    /// Whether the list of items goes on for ever: after its end come items that no batch has.
    pub endless: bool,
}

impl Default for PagingOptions {
    fn default() -> Self {
        Self {
            total: TotalStyle::Null,
            token: TokenStyle::Null,
            end: ListEndStyle::Null,
            cap: None,
            most: 1_000,
            order: EntryOrder::NewestFirst,
            shift: Shift::Still,
            shifts_left: 5,
            empty_without_items: false,
            stuck: false,
            endless: false,
        }
    }
}

/// What `total_size` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TotalStyle {
    /// Nothing; the key is missing.
    Absent,
    /// Null.
    Null,
    /// The truth.
    Exact,
    /// Half of the truth.
    TooLow,
    /// Twice the truth and seven more.
    TooHigh,
    /// Always 0.
    Zero,
}

/// What `next_page_token` says where it is of no use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenStyle {
    /// Nothing; the key is missing.
    Absent,
    /// Null.
    Null,
    /// The empty text.
    Empty,
    /// This text on every page, the last one included.
    Always(String),
    /// This text while entries are left, then null.
    WhileMore(String),
}

/// How the last page of a cursor says that it is the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListEndStyle {
    /// Without the key.
    Absent,
    /// With null.
    Null,
    /// With the empty text.
    Empty,
}

/// The order of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryOrder {
    /// The latest change first.
    NewestFirst,
    /// The latest change last.
    OldestFirst,
    /// Some order, the same for every request.
    Shuffled,
    /// Another order for each request, so that pages overlap and leave gaps.
    ReshuffledEachTime,
}

/// What changes after each page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shift {
    /// Nothing.
    Still,
    /// A page of batches is followed by a new batch.
    NewBatch,
    /// A page of items is followed by the failure of one more item of that batch, if one has not ended.
    NewFailure,
}
