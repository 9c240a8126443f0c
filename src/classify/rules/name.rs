//! Finds file names that stand in a message without quotes, also those with blanks in them.
//!
//! Where such a name begins cannot be known for certain; the words before it decide:
//! after a word like `file` or `parsing`, or at the start of a line that goes on with `:` or `is`, the words belong to the name.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use crate::classify::rules::mask::EXTENSIONS;

/// More words than this before the extension are taken for a sentence.
const MOST_WORDS: usize = 7;

static TOKEN: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(&format!(r"(?i)[\w\-.()+%@&#~\[\]]*[\w)\]]\.(?:{EXTENSIONS})\b")).expect("a constant pattern compiles")
});

/// After these a name begins.
const LEADS: &[&str] = &[
    "file",
    "files",
    "document",
    "attachment",
    "parsing",
    "parse",
    "processing",
    "process",
    "opening",
    "open",
    "reading",
    "read",
    "converting",
    "convert",
    "uploading",
    "upload",
    "downloading",
    "download",
    "loading",
    "load",
    "item",
    "named",
    "called",
    "page",
    "datei",
    "dokument",
    "fichier",
    "archivo",
    "documento",
    "arquivo",
    "extracting",
    "extract",
    "classifying",
    "input",
];

/// These join parts of a sentence; a name seldom holds them.
const JOINTS: &[&str] = &[
    "while", "when", "in", "on", "of", "for", "from", "to", "at", "by", "with", "during", "because", "due", "after",
    "before", "and", "or", "as", "that", "is", "was", "error", "failed", "could", "cannot", "not", "the", "unable",
    "beim", "bei", "der", "die", "das", "le", "la", "el", "de", "do", "da",
];

/// Byte ranges of the unquoted file names in `message`.
pub(crate) fn file_names(message: &str) -> Vec<Range<usize>> {
    TOKEN.find_iter(message).map(|token| start_of_name(message, token.start(), token.end())..token.end()).collect()
}

fn start_of_name(message: &str, token: usize, end: usize) -> usize {
    let clause =
        message[..token].rfind(['\n', ':', ';', ',', '"', '\'', '`', '(', '[', '=', '/']).map_or(0, |at| at + 1);
    let words: Vec<(usize, &str)> = words_of(message, clause, token);
    if words.is_empty() || words.len() > MOST_WORDS {
        return token;
    }
    let cut = words.iter().rposition(|(_, word)| is_one_of(word, LEADS) || is_one_of(word, JOINTS));
    match cut {
        Some(at) if is_one_of(words[at].1, LEADS) => words.get(at + 1).map_or(token, |w| w.0),
        Some(_) => token,
        None if begins_line(message, clause) && is_subject(&message[end..]) => words[0].0,
        None => token,
    }
}

fn words_of(message: &str, from: usize, to: usize) -> Vec<(usize, &str)> {
    let mut at = from;
    message[from..to]
        .split(' ')
        .filter_map(|word| {
            let start = at;
            at += word.len() + 1;
            (!word.is_empty()).then_some((start, word))
        })
        .collect()
}

fn is_one_of(word: &str, list: &[&str]) -> bool {
    let lower = word.to_lowercase();
    list.contains(&lower.as_str())
}

fn begins_line(message: &str, clause: usize) -> bool {
    clause == 0 || message[..clause].ends_with('\n')
}

/// Whether the text after a name shows that the name was the subject: `report.pdf is …`, `report.pdf: …`.
fn is_subject(rest: &str) -> bool {
    const VERBS: &[&str] = &[
        "is", "was", "has", "could", "cannot", "can", "failed", "did", "does", "had", "exceeds", "contains", "appears",
        "seems", "ist", "konnte", "est", "está", "è", "requires", "needs", "must",
    ];
    rest.starts_with(':')
        || rest.starts_with(" -")
        || rest.starts_with(" –")
        || rest.starts_with("  ")
        || rest.split_whitespace().next().is_some_and(|word| rest.starts_with(' ') && is_one_of(word, VERBS))
}
