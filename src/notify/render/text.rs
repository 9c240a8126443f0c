//! A digest as plain text: the first part of a mail, and what `digest --dry-run` prints.

use crate::notify::render::templates;
use crate::notify::render::view::DigestView;
use crate::triage::digest::model::Digest;

/// The whole digest as text, ending in a line break.
///
/// Outside text cannot steer a terminal: it is on one line and without control or invisible characters.
pub fn render(digest: &Digest) -> String {
    templates::render("digest.txt", &DigestView::new(digest)) + "\n"
}
