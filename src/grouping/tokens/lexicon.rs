//! The vocabulary of error messages: lists of words, and what follows from a word's beginning or end.
//!
//! The lists are data, in `config/words.txt`, which says what each is for.

use std::str::FromStr;
use std::sync::LazyLock;

use rustc_hash::FxHashMap;

/// A list of `config/words.txt`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::EnumString)]
#[strum(serialize_all = "kebab-case")]
pub(crate) enum List {
    Grammar,
    Vocabulary,
    Faults,
    DenseFaults,
    Entities,
    FileNouns,
    TellingKeys,
    CodeKeys,
    InputFields,
    Answers,
    Saying,
    VerbsOfSubject,
    BeforeVerbs,
    Prepositions,
    PermissionVerbs,
    CodePrefixes,
    DigitNames,
    Flags,
    Calendar,
    Levels,
    AfterStatus,
    Durations,
    Sizes,
    Units,
    FileEndings,
    HostEndings,
}

/// Longest word that is looked up whatever its case, in bytes.
const LONGEST: usize = 40;

const TEXT: &str = include_str!("../../../config/words.txt");

/// Every word with the lists that it is on, one bit each.
static WORDS: LazyLock<FxHashMap<&[u8], u32>> = LazyLock::new(|| {
    let mut words = FxHashMap::default();
    for (list, word) in listed() {
        *words.entry(word.as_bytes()).or_default() |= list.bit();
    }
    words
});

/// The words of all lists; those under an unknown name are left out.
fn listed() -> impl Iterator<Item = (List, &'static str)> {
    TEXT.split("\n[").skip(1).flat_map(|section| {
        let (name, words) = section.split_once(']').unwrap_or((section, ""));
        let words = words.lines().filter(|line| !line.starts_with('#')).flat_map(str::split_ascii_whitespace);
        List::from_str(name).into_iter().flat_map(move |list| words.clone().map(move |word| (list, word)))
    })
}

impl List {
    const fn bit(self) -> u32 {
        1 << self as u32
    }

    /// Whether the word is on the list as it stands.
    pub(crate) fn has(self, word: &[u8]) -> bool {
        WORDS.get(word).is_some_and(|lists| lists & self.bit() != 0)
    }

    /// Whether the word in lower case is on the list.
    pub(crate) fn knows(self, word: &[u8]) -> bool {
        if word.len() > LONGEST {
            return false;
        }
        if word.is_ascii() {
            let mut lower = [0; LONGEST];
            let lower = &mut lower[..word.len()];
            lower.copy_from_slice(word);
            lower.make_ascii_lowercase();
            return self.has(lower);
        }
        std::str::from_utf8(word).is_ok_and(|word| self.has(word.to_lowercase().as_bytes()))
    }
}

/// Keys whose value names the error: `code=quota_exceeded`, `reason=timeout`.
pub(crate) fn is_telling_key(key: &[u8]) -> bool {
    let lower = key.to_ascii_lowercase();
    let ends = |ending: &&str| lower.ends_with(ending.as_bytes());
    List::TellingKeys.has(&lower) || is_code_name(&lower) || ["status", "reason", "_type"].iter().any(ends)
}

/// `code`, `errorCode`, `exit_code`, but not `keycode`; in lower case.
pub(crate) fn is_code_name(lower: &[u8]) -> bool {
    const STEMS: [&str; 14] = [
        "error", "err", "status", "exit", "return", "ret", "http", "response", "result", "reason", "fault", "sub",
        "sql", "failure",
    ];
    let Some(stem) = lower.strip_suffix(b"code") else { return lower.ends_with(b"errno") };
    let stem = stem.strip_suffix(b"_").or(stem.strip_suffix(b"-")).unwrap_or(stem);
    stem.is_empty() || STEMS.iter().any(|ending| stem.ends_with(ending.as_bytes()))
}

/// `ORA-00060`: what begins so is a code wherever it stands.
pub(crate) fn has_code_prefix(word: &[u8]) -> bool {
    List::CodePrefixes.has(word.split(|byte| !byte.is_ascii_uppercase()).next().unwrap_or_default())
}

/// `fields`, `columns`.
pub(crate) fn is_plural_entity(word: &[u8]) -> bool {
    let Some(stem) = word.strip_suffix(b"s") else { return false };
    List::Entities.knows(stem)
        || stem.strip_suffix(b"ie").is_some_and(|stem| List::Entities.knows(&[stem, b"y"].concat()))
}

/// Whether a word is of the common language of messages, which is seldom data.
pub(crate) fn is_common(word: &[u8]) -> bool {
    List::Vocabulary.knows(word) || List::Grammar.knows(word)
}

/// Whether a word is no part of the language of messages: a name, a noun of another trade, a value.
pub(crate) fn is_free(word: &[u8]) -> bool {
    word.len() > 24
        || !is_common(word) && !List::Entities.knows(word) && !parts(word).any(is_fault) && !has_verb_ending(word)
}

/// Whether another word may stand in the place of this one: it says nothing of what is wrong, and no sentence is built on it.
pub(crate) fn may_vary(word: &[u8]) -> bool {
    word.len() > 24 || !List::Grammar.knows(word) && !parts(word).any(is_fault)
}

/// Whether the word says that something is wrong, in one of the languages of messages.
pub(crate) fn is_fault(word: &[u8]) -> bool {
    List::Faults.knows(word)
}

/// Whether a text in a script without spaces says that something is wrong.
pub(crate) fn has_dense_fault(text: &[u8]) -> bool {
    static FAULTS: LazyLock<Vec<&str>> =
        LazyLock::new(|| listed().filter(|(list, _)| *list == List::DenseFaults).map(|(_, word)| word).collect());
    std::str::from_utf8(text).is_ok_and(|text| FAULTS.iter().any(|fault| text.contains(fault)))
}

/// After these comes what a program said: `failed with "…"`, `the server answered "…"`.
pub(crate) fn says(word: &[u8]) -> bool {
    List::Saying.knows(word) || explains(word) || is_fault(word)
}

/// Keys whose value explains what went wrong: `error`, `msg`, `errorMessage`, `failure_reason`.
pub(crate) fn explains(key: &[u8]) -> bool {
    const ENDINGS: [&str; 13] = [
        "error",
        "err",
        "message",
        "msg",
        "reason",
        "cause",
        "detail",
        "details",
        "desc",
        "description",
        "exception",
        "stderr",
        "failure",
    ];
    if key.len() > 24 || is_exception(key) {
        return false;
    }
    let key = key.to_ascii_lowercase();
    key == b"str"
        || key == b"errors"
        || ENDINGS.iter().any(|known| key == known.as_bytes() || known.len() > 3 && key.ends_with(known.as_bytes()))
}

/// `decrypted`, `rendering`, `unreadable`: what was done, or can or cannot be.
pub(crate) fn has_verb_ending(word: &[u8]) -> bool {
    const ENDINGS: [&str; 9] = ["ed", "ing", "able", "ible", "tion", "sion", "ment", "ly", "ness"];
    word.len() >= 6
        && word.iter().all(u8::is_ascii_alphabetic)
        && ENDINGS.iter().any(|ending| word.ends_with(ending.as_bytes()))
}

/// `Exception`, `Error` and names that end so.
pub(crate) fn is_exception_word(bytes: &[u8]) -> bool {
    matches!(bytes, b"Exception" | b"Error") || is_exception(bytes)
}

/// `NullPointerException`, `ValueError`, `urllib3.exceptions.MaxRetryError`.
pub(crate) fn is_exception(bytes: &[u8]) -> bool {
    let name = bytes.rsplit(|&byte| byte == b'.').next().unwrap_or(bytes);
    let name = name.rsplit(|&byte| byte == b'$').next().unwrap_or(name);
    [&b"Error"[..], b"Exception", b"Warning", b"Fault", b"Interrupt", b"Timeout"]
        .iter()
        .any(|ending| name.ends_with(ending) && name.len() > ending.len() && name[0].is_ascii_uppercase())
}

/// `ReadTimeout` of `requests.exceptions.ReadTimeout`: a class without its package; any other word as it is.
pub(crate) fn class_name(word: &[u8]) -> &[u8] {
    let Some(dot) = word.iter().rposition(|&byte| byte == b'.') else { return word };
    let (package, name) = (&word[..dot], &word[dot + 1..]);
    let is_package = package.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_'));
    let is_class = name.first().is_some_and(u8::is_ascii_uppercase) && name.iter().any(u8::is_ascii_lowercase);
    if is_package && is_class { name } else { word }
}

/// `rate_limit_exceeded`, `AccessDenied`: the words that a name is made of.
pub(crate) fn parts(word: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut from = 0;
    let mut ends: Vec<(usize, usize)> = Vec::new();
    for at in 1..=word.len() {
        let is_turn = at < word.len() && word[at].is_ascii_uppercase() && word[at - 1].is_ascii_lowercase();
        let is_joint = at < word.len() && matches!(word[at], b'_' | b'-' | b'.');
        if at == word.len() || is_turn || is_joint {
            ends.push((from, at));
            from = if is_joint { at + 1 } else { at };
        }
    }
    ends.into_iter().filter(|(from, to)| from < to).map(|(from, to)| &word[from..to])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_list_is_there_and_has_the_case_it_is_read_in() {
        let names: Vec<&str> = TEXT.lines().filter_map(|line| line.strip_prefix('[')?.strip_suffix(']')).collect();
        let known: Vec<List> = names.iter().map(|name| List::from_str(name).unwrap()).collect();
        assert_eq!(known.len(), List::HostEndings as usize + 1, "{names:?}");
        let exact = [
            List::CodePrefixes,
            List::PermissionVerbs,
            List::Flags,
            List::Calendar,
            List::Levels,
            List::Durations,
            List::Sizes,
            List::Units,
        ];
        let wrong: Vec<_> =
            listed().filter(|(list, word)| !exact.contains(list) && *word != word.to_lowercase()).collect();
        assert_eq!(wrong, Vec::new());
    }
}
