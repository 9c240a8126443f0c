//! A sample as the templates see it, and its links.

use serde::Serialize;

use crate::model::links::PAGE;
use crate::notify::render::links::{needs_key, page, safe_link};
use crate::notify::render::times::DisplayZone;
use crate::notify::render::words::short;
use crate::triage::digest::model::{GroupEntry, Sample};

/// The longest raw message, cut in its middle.
pub(crate) const MESSAGE: usize = 300;
/// The longest id; real ones have at most 40 characters.
pub(crate) const ID: usize = 100;
/// Links of a sample.
const LINKS: usize = 6;

/// A sample, ready for a template.
#[derive(Serialize)]
pub(crate) struct SampleView {
    pub(crate) item_name: String,
    pub(crate) message: Option<String>,
    pub(crate) seen_at: String,
    /// Label and id; those that the item has.
    pub(crate) ids: Vec<(&'static str, String)>,
    /// Its page of the console; none where people reach none.
    pub(crate) open_link: Option<String>,
    /// Name and address of what opens in a browser.
    pub(crate) links: Vec<NamedLink>,
    /// Name and address of what LlamaCloud's API answers only with the key; empty where a page of the console shows it.
    pub(crate) api_links: Vec<NamedLink>,
}

/// Prepares a sample of a group.
pub(crate) fn sample(sample: &Sample, entry: &GroupEntry, public_url: Option<&str>, clock: &DisplayZone) -> SampleView {
    let message =
        sample.error_message.as_deref().or(sample.skip_reason.as_deref()).filter(|message| *message != entry.title);
    let ids = [
        ("item", Some(&sample.item_id)),
        ("batch", Some(&sample.batch_id)),
        ("job", sample.job_id.as_ref()),
        ("job record", sample.job_record_id.as_ref()),
    ];
    let (links, api_links) = sample_links(sample, public_url);
    SampleView {
        item_name: short(&sample.item_name, 120),
        message: message.map(|text| short(text, MESSAGE)).filter(|text| !text.is_empty()),
        seen_at: clock.full(sample.seen_at),
        ids: ids.into_iter().filter_map(|(label, id)| Some((label, short(id?, ID)))).collect(),
        open_link: page(public_url, "i", &sample.item_id),
        links,
        api_links,
    }
}

/// A link's name and its address.
pub(crate) type NamedLink = (String, String);

/// The links of a sample beside its page: those that a browser opens, and those that LlamaCloud's API answers only with
/// the key. Where people reach the console, its page shows what the latter do.
pub(crate) fn sample_links(sample: &Sample, public_url: Option<&str>) -> (Vec<NamedLink>, Vec<NamedLink>) {
    let safe = |(name, link): (&String, &String)| Some((short(name, 30), safe_link(link)?.to_owned()));
    let has_page = public_url.is_some();
    let links = sample.links.iter().filter(|(name, _)| !has_page || name.as_str() != PAGE).filter_map(safe).take(LINKS);
    let (api_links, links) = links.partition(|(_, link)| needs_key(link));
    (links, if has_page { Vec::new() } else { api_links })
}
