//! `/search`: any id or the beginning of one, an item's name, words of a message.

use std::time::Duration;

use serde::Serialize;

use crate::console::desk::Desk;
use crate::console::error::PageError;
use crate::console::pages::{Pairs, value};
use crate::console::store_search::{self, Found};
use crate::console::words::encoded;
use crate::report::filter::Filter;
use crate::report::rows::{GroupRow, ItemRow};
use crate::report::store::{groups, items_by_id};

/// How long names and messages are looked through.
const LIMIT: Duration = Duration::from_secs(2);

/// Results of each kind.
const MOST: u64 = 20;

#[derive(Serialize)]
struct Page {
    q: String,
    groups: Vec<GroupRow>,
    items: Vec<ItemRow>,
    others: Vec<Other>,
    /// After how many seconds the search was stopped; none if it was not.
    stopped: Option<u64>,
}

/// A batch, a plan or a digest.
#[derive(Serialize)]
struct Other {
    id: String,
    what: &'static str,
    link: String,
}

/// Makes the page.
///
/// # Errors
/// The ledger cannot be read.
pub(crate) fn show(desk: &Desk<'_>, query: &Pairs) -> Result<String, PageError> {
    let q = value(query, "q");
    let whole = Filter::default();
    let view = desk.view(&whole)?;
    let found = match q.is_empty() {
        true => Found::default(),
        false => store_search::search(&desk.reading, q, MOST, LIMIT)?,
    };
    let mut rows = of_words(desk, q)?;
    if !found.group_ids.is_empty() {
        let ids = Filter { group: found.group_ids, limit: Some(MOST), ..Filter::default() };
        let known: Vec<String> = rows.iter().map(|row| row.group_id.clone()).collect();
        rows.extend(groups(&desk.view(&ids)?)?.rows.into_iter().filter(|row| !known.contains(&row.group_id)));
    }
    let page = Page {
        q: q.to_owned(),
        groups: rows,
        items: items_by_id(&view, &found.item_ids)?,
        others: others(&found.batch_ids, "batch", "b")
            .chain(others(&found.plan_ids, "plan", "p"))
            .chain(others(&found.digest_ids, "digest", "d"))
            .collect(),
        stopped: found.is_stopped.then_some(LIMIT.as_secs()),
    };
    desk.render("search.html", "Search", "", &page)
}

fn of_words(desk: &Desk<'_>, q: &str) -> Result<Vec<GroupRow>, PageError> {
    if q.is_empty() {
        return Ok(Vec::new());
    }
    let filter = Filter { words: Some(q.to_owned()), limit: Some(MOST), ..Filter::default() };
    Ok(groups(&desk.view(&filter)?)?.rows)
}

fn others<'a>(ids: &'a [String], what: &'static str, path: &'a str) -> impl Iterator<Item = Other> + 'a {
    ids.iter().map(move |id| Other { id: id.clone(), what, link: format!("/{path}/{}", encoded(id)) })
}
