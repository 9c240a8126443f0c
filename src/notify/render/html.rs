//! A digest as HTML: one column of tables for mail clients, without images, scripts or web fonts.

use crate::notify::render::templates;
use crate::notify::render::view::DigestView;
use crate::triage::digest::model::Digest;
use crate::triage::digest::size_limit::{Tier, fit};

/// The most bytes of HTML. Gmail hides what comes after about 102 KB, a thread's mails counted together.
pub(crate) const MOST_BYTES: usize = 80_000;

/// How many groups are reported in full when all of them are too many, one number after the other.
const DETAILS: [usize; 3] = [15, 10, 5];

/// The digest as a page, as it is, whatever its size.
pub(crate) fn page(digest: &Digest) -> String {
    detailed(digest, usize::MAX)
}

/// The page with this many groups in full; the others are in its table only.
fn detailed(digest: &Digest, details: usize) -> String {
    let mut view = DigestView::new(digest);
    view.details = details.min(view.groups.len());
    templates::render("digest.html", &view)
}

/// The largest page that obeys [`MOST_BYTES`], beginning at a tier, with the tier it has and the digest it shows.
pub(crate) fn render(digest: &Digest, largest: Tier) -> (String, Digest, Tier) {
    let mut tier = largest;
    loop {
        let fitted = fit(digest, tier);
        let page = page(&fitted);
        if page.len() <= MOST_BYTES {
            return (page, fitted, tier);
        }
        // Before any group is dropped that a larger page would list, the least urgent lose their details.
        let short = (tier >= Tier::Groups20Samples1).then(|| shorter(&fitted)).flatten();
        match (short, tier.smaller()) {
            (Some(page), _) => return (page, fitted, tier),
            (None, Some(smaller)) => tier = smaller,
            (None, None) => return (page, fitted, tier),
        }
    }
}

fn shorter(digest: &Digest) -> Option<String> {
    let fewer = DETAILS.into_iter().filter(|details| *details < digest.changes.len());
    fewer.map(|details| detailed(digest, details)).find(|page| page.len() <= MOST_BYTES)
}
