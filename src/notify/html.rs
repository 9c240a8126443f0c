//! A digest as HTML: one column of tables for mail clients, without images, scripts or web fonts.

use crate::core::digest::fit::{Tier, fit};
use crate::core::digest::model::Digest;
use crate::notify::templates;
use crate::notify::view::View;

/// The most bytes of HTML. Gmail hides what comes after about 102 KB, a thread's mails counted together.
pub(super) const MOST_BYTES: usize = 80_000;

/// The digest as a page, as it is, whatever its size.
pub(super) fn page(digest: &Digest) -> String {
    templates::render("digest.html", &View::new(digest))
}

/// The largest page that obeys [`MOST_BYTES`], beginning at a tier, with the tier it has and the digest it shows.
pub(super) fn render(digest: &Digest, largest: Tier) -> (String, Digest, Tier) {
    let mut tier = largest;
    loop {
        let fitted = fit(digest, tier);
        let page = page(&fitted);
        match tier.smaller() {
            Some(smaller) if page.len() > MOST_BYTES => tier = smaller,
            _ => return (page, fitted, tier),
        }
    }
}
