//! The errors that the believable account shows: wordings of our own for the faults that document processing has.

use crate::simulator::world::cause::{Failure, ScriptedCause};

/// What is behind an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Nature {
    /// Another attempt ends the same.
    Permanent,
    /// The second attempt completes.
    Passing,
    /// Promises to be passing and is not.
    Poison,
    /// Large batches run into a limit.
    Limited,
    /// The service repairs it after a while.
    Healing,
}

/// An error: its text, its code on the job record (or none), how common it is, and its nature.
type ErrorText = (&'static str, &'static str, u64, Nature);

use Nature::{Healing, Limited, Passing, Permanent, Poison};

/// Errors of single documents; the weights decide how often each is met.
pub(crate) const ITEM_ERRORS: &[ErrorText] = &[
    ("The file {name} is locked with a password and cannot be opened.", "PDF_IS_PROTECTED", 9, Permanent),
    (
        "Opening the document needs an owner password (encryption: AES-256, revision 6)",
        "PDF_IS_PROTECTED",
        3,
        Permanent,
    ),
    ("Das Dokument ist kennwortgeschützt; Verarbeitung nach {ms} ms abgebrochen", "PDF_IS_PROTECTED", 2, Permanent),
    ("Page count {pages} is above the ceiling of 500 for this tier", "TOO_MANY_PAGES", 7, Permanent),
    ("{pages} pages found, at most 500 can be taken in one go - split the document", "TOO_MANY_PAGES", 3, Permanent),
    ("xref entry {n} points outside of the file, giving up on repair", "PDF_IS_BROKEN", 5, Permanent),
    ("premature end of data: expected %%EOF near byte {n}", "PDF_IS_BROKEN", 4, Permanent),
    ("Le fichier « {name} » est illisible : en-tête PDF absent", "PDF_IS_BROKEN", 2, Permanent),
    ("Extension .pages has no reader; convert it first", "UNSUPPORTED_FILE_TYPE", 3, Permanent),
    ("cannot tell what kind of file this is (magic bytes {hex})", "UNSUPPORTED_FILE_TYPE", 3, Permanent),
    ("No text and no image was found on any of the pages", "NO_DATA_FOUND_IN_FILE", 4, Permanent),
    ("El archivo está vacío (0 bytes): {name}", "NO_DATA_FOUND_IN_FILE", 2, Permanent),
    (
        "soffice.bin: conversion to pdf ended with exit status 134 after {secs}s (log {path})",
        "DOCUMENT_CONVERSION_ERROR",
        5,
        Permanent,
    ),
    ("Spreadsheet has {n} rows on sheet 2; the converter stops at 50000", "DOCUMENT_CONVERSION_ERROR", 2, Permanent),
    (UNREADABLE, "", 4, Permanent),
    ("model declined to answer for page {page}: content policy", "llm_refusal", 2, Permanent),
    ("Worker {host} did not answer within 300 s while reading page {page}", "TIMEOUT", 9, Passing),
    ("deadline exceeded after {secs} seconds in stage 'layout' (task {uuid})", "TIMEOUT", 6, Passing),
    ("処理がタイムアウトしました（{secs}秒、タスクID {uuid}）", "TIMEOUT", 2, Passing),
    ("Internal error, please quote {uuid} when you write to us", "ERROR_DURING_PROCESSING", 8, Passing),
    ("500: unexpected condition in parse-gateway (trace {hex})", "ERROR_DURING_PROCESSING", 5, Passing),
    ("upstream connect error or disconnect before headers, host {host}, attempt 3 of 3", "", 5, Passing),
    ("download of {url} was interrupted after {n} bytes", "", 4, Passing),
    ("ocr-engine: connection to {host} reset while sending {path}", "OCR_ERROR", 4, Passing),
    ("Erro temporário ao montar a página {page}; tente mais tarde", "RECONSTRUCTION_ERROR", 2, Passing),
    ("{\"error\":{\"type\":\"overloaded\",\"request\":\"{uuid}\",\"retryable\":true}}", "engine_error", 4, Passing),
    (
        "Traceback (most recent call last):\n  File \"/srv/app/pipeline/run.py\", line {line}, in execute\n    page = renderer.draw(index)\n  File \"/srv/app/pipeline/render.py\", line {line}, in draw\n    raise RenderLost(index)\npipeline.errors.RenderLost: page {page} vanished from the cache",
        "ERROR_DURING_PROCESSING",
        5,
        Passing,
    ),
    (
        "<html><head><title>502 Bad Gateway</title></head><body><center><h1>502 Bad Gateway</h1></center><hr><center>edge {hex}</center></body></html>",
        "",
        3,
        Passing,
    ),
    ("HTTP 429 from the vision model: slow down, window resets in {ms} ms (key ending …{hex})", "", 6, Limited),
    ("Transient glitch while stitching page {page}; a new run normally helps", "RECONSTRUCTION_ERROR", 3, Poison),
    (
        "notification hook answered 401, sent header was 'Authorization: Bearer llx-{hex}{hex}' (document {uuid})",
        "",
        2,
        Permanent,
    ),
    ("result store briefly unavailable, shard {n}", "ERROR_DURING_PROCESSING", 3, Healing),
    ("", "ERROR_DURING_PROCESSING", 4, Permanent),
];

/// What a short outage looks like from five different corners of the service.
pub(crate) const OUTAGE: [&str; 5] = [
    "503 from inference-router: no healthy backend (pool {n})",
    "circuit 'vision-eu' is open, rejected without trying (request {uuid})",
    "lost lease on job {uuid} after {secs}s, another coordinator took over",
    "could not enqueue page {page}: broker {host} refused the connection",
    "Service momentarily unavailable. Reference: {hex}",
];

/// Appears, is fixed by a resubmission, stays away for two days, and recurs.
pub(crate) const RETURNING: &str = "fonts package mismatch: glyph table v{n} expected by renderer, page {page} skipped";

/// Appears in more items from batch to batch.
pub(crate) const GROWING: &str =
    "table model returned {n} cells for a grid of 4 columns on page {page}, aborting document";

/// Says little on the item and more on the job record.
pub(crate) const VAGUE: &str = "The document could not be processed.";

/// What the job records behind [`VAGUE`] say.
pub(crate) const BEHIND_VAGUE: &str =
    "image of page {page} has {n} million pixels, more than the renderer may allocate";

/// An answer of the model that does not fit the schema.
const UNREADABLE: &str = "Field lines[{line}].amount holds text where the schema wants a number";

/// What extraction ends with, with the code on the job record.
pub(crate) const UNEXTRACTED: [(&str, &str); 6] = [
    (UNREADABLE, ""),
    ("{pages} pages are more than extraction reads of one file (500)", "DOCUMENT_TOO_LARGE"),
    ("Nothing to extract: none of the pages has text", "NO_DATA_FOUND_IN_FILE"),
    ("Schema property lines.tax has the type 'decimal', which JSON Schema does not know", "schema_validation"),
    ("the extraction model declined page {page}: content policy", "llm_refusal"),
    ("Sheets of .numbers files are not supported here, save them as .xlsx", "UNSUPPORTED_FILE_TYPE"),
];

/// What sorting documents runs into, with the code on the job record.
pub(crate) const UNSORTED: [(&str, &str); 2] = [
    ("None of the {n} rules fits this document; add one for its kind", "schema_validation"),
    ("The first page holds no text to sort by", "NO_DATA_FOUND_IN_FILE"),
];

/// Skip reasons and how common each is.
pub(crate) const SKIPS: [(&str, u64); 5] = [
    ("size_limit_exceeded", 8),
    ("already_processed", 6),
    ("language_not_enabled", 3),
    ("superseded_by_newer_version", 2),
    ("", 1),
];

/// File names; `{n}` is a number.
pub(crate) const NAMES: [&str; 9] = [
    "invoice-{n}.pdf",
    "Rechnung {n}.pdf",
    "contract_{n}_signed.pdf",
    "scan{n}.tiff",
    "Q3 report {n} (final).docx",
    "見積書_{n}.pdf",
    "claims/2026/{n}.pdf",
    "price list {n}.xlsx",
    "déclaration-{n}.pdf",
];

/// The cause that an error of this text, code and nature hides behind.
pub(crate) fn cause(text: &str, code: &str, nature: Nature) -> ScriptedCause {
    let mut failure = if text.is_empty() { Failure::silent() } else { Failure::template(text) };
    if !code.is_empty() {
        failure = failure.with_code(code);
    }
    match nature {
        Nature::Permanent => ScriptedCause::Permanent(failure),
        Nature::Passing => ScriptedCause::Transient { succeeds_on: 2, failure },
        Nature::Poison => ScriptedCause::Poison(failure),
        Nature::Limited => ScriptedCause::RateLimited { most_at_once: 60, failure },
        Nature::Healing => ScriptedCause::RecoversInPlace { failure, after: jiff::SignedDuration::from_mins(50) },
    }
}
