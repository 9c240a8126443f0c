//! Errors that no account has shown before, one after the other, so that a demo which goes on always has news.

/// What failed; the names of exceptions are what tells these errors apart.
const FAULTS: [&str; 13] = [
    "LayoutOverflow",
    "GlyphCollision",
    "TableDrift",
    "StampUnread",
    "RasterStall",
    "FontEvicted",
    "SchemaSkew",
    "ChunkOrphaned",
    "CursorLost",
    "ColumnSplit",
    "AnchorAbsent",
    "RotationUnknown",
    "FooterLoop",
];

/// Where it failed.
const STAGES: [&str; 11] = [
    "layout.boxes",
    "ocr.lines",
    "ocr.handwriting",
    "merge.tables",
    "merge.headers",
    "render.pages",
    "render.thumbnails",
    "split.chapters",
    "figures.captions",
    "forms.checkboxes",
    "signatures.finder",
];

/// How it is said: the document is to blame. Many new errors that pass would be an incident, and retries would be held.
const FORMS: [&str; 3] = [
    "{stage}.{fault}Error: page {page} is corrupt and cannot be repaired",
    "{stage}.{fault}Error: unsupported file format inside the document (object {n})",
    "{stage}.{fault}Error: invalid document, the PDF is broken on page {page}",
];

/// Errors that the account has shown before and that pass: what retries are for.
pub(crate) const PASSING: [&str; 2] = [
    "upstream connect error or disconnect before headers, host {host}, attempt 3 of 3",
    "deadline exceeded after {secs} seconds in stage 'layout' (task {uuid})",
];

/// The wording number `count`. Wordings repeat after 143.
pub(crate) fn fresh(count: u64) -> String {
    let pick = |words: &[&'static str]| words[(count % words.len() as u64) as usize];
    pick(&FORMS).replace("{stage}", pick(&STAGES)).replace("{fault}", pick(&FAULTS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wordings_are_new_for_a_hundred_batches() {
        let wordings: std::collections::HashSet<String> = (0..143).map(fresh).collect();
        assert_eq!(wordings.len(), 143);
    }
}
