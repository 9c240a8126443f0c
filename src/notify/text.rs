//! A digest as plain text: the first part of a mail, and what `digest --dry-run` prints.

use crate::core::digest::model::Digest;
use crate::notify::templates;
use crate::notify::view::View;

/// The whole digest as text, ending in a line break.
///
/// Outside text cannot steer a terminal: it is on one line and without control or invisible characters.
pub fn render(digest: &Digest) -> String {
    templates::render("digest.txt", &View::new(digest)) + "\n"
}
