//! `/d/ID`: a digest as it was sent, and its deliveries.

use jiff::Timestamp;
use serde::Serialize;

use crate::console::desk::Desk;
use crate::console::error::PageError;
use crate::model::text::cut_end;
use crate::notify::render::{html, text};
use crate::report::filter::Filter;
use crate::report::history::DeliveryRow;
use crate::report::store::deliveries_of;
use crate::triage::digest::model::Digest;
use crate::triage::store::digest;

/// Characters of the text that are shown; the page of a mail has all of it.
const MOST: usize = 30_000;

#[derive(Serialize)]
struct Page {
    digest_id: String,
    created_at: Timestamp,
    deliveries: Vec<DeliveryRow>,
    groups: Vec<GroupLink>,
    text: String,
}

#[derive(Serialize)]
struct GroupLink {
    group_id: String,
    title: String,
}

fn find(desk: &Desk<'_>, id: &str) -> Result<Digest, PageError> {
    let whole = Filter::default();
    let found = digest::get(desk.view(&whole)?.connection, id)?;
    found.ok_or_else(|| PageError::NotFound(format!("digest {id:?}")))
}

/// Makes the page.
///
/// # Errors
/// There is no such digest, or the ledger cannot be read.
pub(crate) fn show(desk: &Desk<'_>, id: &str) -> Result<String, PageError> {
    let (digest, whole) = (find(desk, id)?, Filter::default());
    let entries = digest.changes.iter().chain(&digest.still_open);
    let page = Page {
        created_at: digest.created_at,
        deliveries: deliveries_of(&desk.view(&whole)?, id)?,
        groups: entries
            .map(|entry| GroupLink { group_id: entry.group_id.clone(), title: entry.title.clone() })
            .collect(),
        text: cut_end(&text::render(&digest), MOST).into_owned(),
        digest_id: digest.digest_id,
    };
    desk.render("digest.html", &format!("Digest {id}"), "", &page)
}

/// The digest as mail clients show it, as a separate page.
///
/// # Errors
/// As [`show`].
pub(crate) fn mail(desk: &Desk<'_>, id: &str) -> Result<String, PageError> {
    Ok(html::page(&find(desk, id)?))
}
