//! The part of a message that says what went wrong: without stack frames, without the markup of an HTML page.
//!
//! Most messages are one line and come back untouched.

use memchr::{memchr, memmem};
use std::borrow::Cow;

/// Longest text considered; of a longer one the beginning and the end are kept.
pub(crate) const MAX_BYTES: usize = 8 * 1024;
const TAIL_BYTES: usize = 2 * 1024;
/// Stands where text was left out.
pub(crate) const CUT: &str = " … ";

/// The telling part of `message`, and whether anything was left out because of its length.
pub(crate) fn telling_part(message: &str) -> (Cow<'_, str>, bool) {
    if message.len() > MAX_BYTES {
        let bounded = cut_to_limit(message);
        return (Cow::Owned(condense(&bounded).unwrap_or(bounded)), true);
    }
    match condense(message) {
        Some(text) => (Cow::Owned(text), false),
        None => (Cow::Borrowed(message), false),
    }
}

fn cut_to_limit(message: &str) -> String {
    let head = floor_char_boundary(message, MAX_BYTES - TAIL_BYTES);
    let tail = floor_char_boundary(message, message.len() - TAIL_BYTES);
    format!("{}{CUT}{}", &message[..head], &message[tail..])
}

fn floor_char_boundary(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

fn condense(message: &str) -> Option<String> {
    let bytes = message.as_bytes();
    if memchr(b'<', bytes).is_some()
        && let Some(text) = without_markup(message)
    {
        return Some(text);
    }
    let undumped = without_dumps(message);
    let text = undumped.as_deref().unwrap_or(message);
    if memchr(b'\n', text.as_bytes()).is_none() {
        return undumped;
    }
    without_frames(text).or(undumped)
}

/// Of an HTML page the title, else the first heading; of an XML error the code and message.
fn without_markup(message: &str) -> Option<String> {
    let lower = message.to_ascii_lowercase();
    let start = ["<!doctype html", "<html", "<head", "<?xml", "<error>", "<title>"]
        .iter()
        .filter_map(|tag| memmem::find(lower.as_bytes(), tag.as_bytes()))
        .min()?;
    let inside = |tag: &str| -> Option<&str> {
        let open = start + memmem::find(&lower.as_bytes()[start..], format!("<{tag}").as_bytes())?;
        let from = open + memchr(b'>', &lower.as_bytes()[open..])? + 1;
        let to = from + memmem::find(&lower.as_bytes()[from..], format!("</{tag}").as_bytes())?;
        Some(message[from..to].trim()).filter(|text| !text.is_empty() && !text.contains('<'))
    };
    let html =
        !lower[start..].starts_with("<?xml") && !lower[start..].starts_with("<error>") || lower.contains("<html");
    let said: Vec<&str> = if html {
        inside("title").or_else(|| inside("h1")).or_else(|| inside("h2")).or_else(|| inside("p")).into_iter().collect()
    } else {
        ["code", "message", "detail", "details", "reason", "description"].into_iter().filter_map(inside).collect()
    };
    let after = ["</html>", "</error>"]
        .iter()
        .filter_map(|tag| memmem::rfind(lower.as_bytes(), tag.as_bytes()).map(|at| at + tag.len()))
        .max()
        .unwrap_or(message.len());
    let tag = if html { "(page)" } else { "(xml)" };
    Some(format!("{} {tag} {} {}", message[..start].trim_end(), said.join(": "), message[after.max(start)..].trim()))
}

/// Without the dumps of an interpreter's stacks: a heading that ends in `stack:`, and the lines under it that are indented.
fn without_dumps(message: &str) -> Option<String> {
    let is_heading = |line: &str| {
        let line = line.trim_end();
        line.len() < 40 && (line.ends_with(" stack:") || line.ends_with(" registers:") || line.ends_with(" dump:"))
    };
    memmem::find(message.as_bytes(), b"stack:").or_else(|| memmem::find(message.as_bytes(), b"dump:"))?;
    let mut kept = Vec::new();
    let mut in_dump = false;
    for line in message.lines() {
        in_dump = is_heading(line) || in_dump && (line.starts_with([' ', '\t', '-', '%']) || line.trim().is_empty());
        if !in_dump {
            kept.push(line);
        }
    }
    (!kept.is_empty() && kept.len() < message.lines().count()).then(|| kept.join("\n"))
}

#[derive(PartialEq)]
enum LineKind {
    Text,
    Frame,
    Cause,
    Header,
}

fn kind_of(line: &str) -> LineKind {
    let trimmed = line.trim_start();
    let indented = trimmed.len() < line.len();
    if indented
        && (trimmed.starts_with("at ")
            || trimmed.starts_with("File \"")
            || trimmed.starts_with("from ") && trimmed.contains(":in ")
            || trimmed.starts_with("... ") && trimmed.ends_with("more"))
    {
        return LineKind::Frame;
    }
    if trimmed.starts_with('#') && trimmed[1..].starts_with(|char: char| char.is_ascii_digit())
        || trimmed.starts_with("at async ")
        || trimmed.starts_with("note: run with `RUST_BACKTRACE")
    {
        return LineKind::Frame;
    }
    if trimmed.starts_with("Caused by: ") {
        return LineKind::Cause;
    }
    if trimmed.starts_with("Traceback (most recent call last)")
        || trimmed == "Stack trace:"
        || trimmed == "stack backtrace:"
    {
        return LineKind::Header;
    }
    LineKind::Text
}

/// Without frames: the first line, the exception line, and the last cause.
fn without_frames(message: &str) -> Option<String> {
    let lines: Vec<&str> = message.lines().collect();
    if !lines.iter().any(|line| kind_of(line) != LineKind::Text) {
        return None;
    }
    if let Some(header) = lines.iter().rposition(|line| line.trim_start().starts_with("Traceback (most recent")) {
        return Some(python(&lines, header));
    }
    let first_frame = lines.iter().position(|line| kind_of(line) == LineKind::Frame).unwrap_or(lines.len());
    let mut head = &lines[..first_frame];
    // Node prints the source line and a caret before the error itself.
    if let Some(caret) =
        head.iter().position(|line| line.trim().bytes().all(|byte| byte == b'^') && !line.trim().is_empty())
    {
        head = &head[caret + 1..];
    }
    let mut kept: Vec<&str> =
        head.iter().copied().filter(|line| !line.trim().is_empty() && kind_of(line) == LineKind::Text).collect();
    if let Some(cause) = lines.iter().rfind(|line| kind_of(line) == LineKind::Cause) {
        kept.push(cause.trim_start());
    }
    if kept.is_empty() {
        kept.push(lines[0]);
    }
    Some(kept.join("\n"))
}

/// The text before the first traceback and what follows the frames of the last one.
fn python(lines: &[&str], last_header: usize) -> String {
    let first_header = lines.iter().position(|line| kind_of(line) == LineKind::Header).unwrap_or(last_header);
    let mut kept: Vec<&str> =
        lines[..first_header].iter().copied().filter(|line| !line.trim().is_empty()).take(1).collect();
    let indent = lines[last_header].len() - lines[last_header].trim_start().len();
    let after = &lines[last_header + 1..];
    let end_of_frames = after
        .iter()
        .position(|line| !line.trim().is_empty() && line.len() - line.trim_start().len() <= indent)
        .unwrap_or(after.len());
    kept.extend(after[end_of_frames..].iter().copied().filter(|line| !line.trim().is_empty()).take(12));
    if kept.is_empty() {
        kept.push(lines[0]);
    }
    kept.join("\n")
}
