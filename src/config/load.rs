//! Reading a configuration file and naming every mistake in it at once.
//!
//! The TOML reader stops at the first value that does not fit. So each mistake is noted, the offending entry is taken
//! out of the parsed document, and the rest is read again, until nothing is left to complain about.

use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use crate::config::reprocess::ReprocessConfig;
use crate::config::{Config, DigestConfig, check, paths};
use crate::file_owner;

/// A file with more mistakes than this is not worth listing in full.
const MOST_MISTAKES: usize = 100;

/// One mistake in a configuration file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Line in the file, from 1; none if it concerns the file as a whole.
    pub line: Option<usize>,
    /// The key, such as `project[1].page-size`; empty for syntax errors.
    pub key: String,
    /// What is wrong and what is allowed.
    pub text: String,
}

/// What can go wrong with the configuration. All of it exits with 78.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// No file was named and none is where one is looked for.
    #[error("no configuration found at {0}; use --config FILE, or copy config/example.toml and add a [[project]]")]
    NotFound(String),
    /// The file cannot be read.
    #[error("cannot read the configuration {path}: {}", refusal(path, why))]
    Read {
        /// The file.
        path: PathBuf,
        /// The reason.
        why: std::io::Error,
    },
    /// The file has mistakes.
    #[error("{}", list(path, mistakes))]
    Mistakes {
        /// The file.
        path: PathBuf,
        /// All of them, by line.
        mistakes: Vec<Mistake>,
    },
    /// Earlier versions kept the ledger below the working directory, and there is one.
    #[error(
        "the ledger {} is not there, but {} is: relative paths now follow the folder of the configuration, not the working directory; move it there together with its -wal and -shm files while nothing uses it, or set ledger.path = \"{}\"",
        configured.display(), found.display(), found.display()
    )]
    LedgerAtOldPath {
        /// Where the configuration says that it is.
        configured: PathBuf,
        /// Where it is.
        found: PathBuf,
    },
    /// A secret is missing or unreadable.
    #[error("{0}")]
    Credential(String),
    /// The file that should hold a secret cannot be read.
    #[error("cannot read the secret in {path}: {}", refusal(path, why))]
    SecretFile {
        /// The file.
        path: PathBuf,
        /// The reason.
        why: std::io::Error,
    },
}

fn refusal(path: &Path, why: &std::io::Error) -> String {
    match why.kind() {
        std::io::ErrorKind::PermissionDenied => format!("permission denied: {}", file_owner::remedy(path)),
        _ => why.to_string(),
    }
}

/// Where a configuration is looked for when none is named.
pub(crate) const PLACES: [&str; 2] = ["config/llama-triage.toml", "/etc/llama-triage/config.toml"];

/// Finds the file to read: the named one, else the first of [`PLACES`] that exists.
///
/// # Errors
/// [`ConfigError::NotFound`] when there is none.
pub(crate) fn find(named: Option<&Path>) -> Result<PathBuf, ConfigError> {
    named
        .map(Path::to_owned)
        .or_else(|| PLACES.iter().map(PathBuf::from).find(|place| place.try_exists().unwrap_or(true)))
        .ok_or_else(|| ConfigError::NotFound(PLACES.join(" and ")))
}

/// Reads and checks the file at `path`. Relative paths in it follow its folder.
///
/// # Errors
/// The file cannot be read, or has mistakes: then all of them.
pub fn read(path: &Path) -> Result<Config, ConfigError> {
    let mut config = read_as_written(path)?;
    config.follow(&paths::folder_of(path));
    Ok(config)
}

/// Refuses a configuration whose ledger was left where earlier versions kept it: a second one would be made in silence,
/// and everything in it reported again.
///
/// # Errors
/// [`ConfigError::LedgerAtOldPath`], or the file at `path` cannot be read any more.
pub(crate) fn refuse_ledger_at_old_path(path: &Path, config: &Config) -> Result<(), ConfigError> {
    match paths::ledger_at_old_path(&read_as_written(path)?.ledger.path, &config.ledger.path) {
        Some(found) => Err(ConfigError::LedgerAtOldPath { configured: config.ledger.path.clone(), found }),
        None => Ok(()),
    }
}

fn read_as_written(path: &Path) -> Result<Config, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|why| ConfigError::Read { path: path.to_owned(), why })?;
    parse(&text).map_err(|mistakes| ConfigError::Mistakes { path: path.to_owned(), mistakes })
}

/// Parses and checks a configuration text.
///
/// # Errors
/// All mistakes, by line.
pub fn parse(text: &str) -> Result<Config, Vec<Mistake>> {
    let (document, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        return Err(errors.iter().map(|e| mistake_at(text, e.span(), String::new(), e.message())).collect());
    }
    let mut mistakes: Vec<Mistake> = Vec::new();
    let mut rest = document.clone();
    let config = loop {
        match Config::deserialize(toml::de::Deserializer::from(rest.clone())) {
            Ok(config) => break Some(config),
            Err(error) => {
                let place = error.span().and_then(|span| path_of(document.get_ref(), &span, ""));
                let taken = error.span().is_some_and(|span| take_out(rest.get_mut(), &span));
                let place = place.unwrap_or_default();
                if !is_consequence_in_table(&mistakes, &place, error.message()) {
                    let said = without_gone_keys(&place, &plain_message(error.message()));
                    mistakes.push(mistake_at(text, error.span(), place, &said));
                }
                if !taken || mistakes.len() == MOST_MISTAKES {
                    break None;
                }
            }
        }
    };
    for (key, complaint) in config.iter().flat_map(check::check) {
        let key = original(document.get_ref(), rest.get_ref(), &key);
        if !mistakes.iter().any(|mistake| is_consequence_of(&mistake.key, &key)) {
            mistakes.push(mistake_at(text, locate(document.get_ref(), &key), key, &complaint));
        }
    }
    mistakes.sort_by_key(|mistake| mistake.line);
    match config {
        Some(config) if mistakes.is_empty() => Ok(config),
        _ => Err(mistakes),
    }
}

/// Whether a missing key is only missing because its bad value was taken out before.
fn is_consequence_in_table(mistakes: &[Mistake], table: &str, message: &str) -> bool {
    let missing = message.strip_prefix("missing field `").and_then(|rest| rest.split('`').next());
    let is_its = |mistake: &Mistake, key: &str| {
        let within = mistake.key.strip_prefix(table).unwrap_or_default();
        // The reader names a table of a list by the list alone.
        let within = within.strip_prefix('[').and_then(|rest| Some(rest.split_once(']')?.1)).unwrap_or(within);
        within.strip_prefix('.') == Some(key)
    };
    missing.is_some_and(|key| mistakes.iter().any(|mistake| is_its(mistake, key)))
}

/// The key as numbered in the file: a list that lost bad entries while it was read counts differently.
fn original(document: &DeTable<'_>, rest: &DeTable<'_>, key: &str) -> String {
    let renumbered = || {
        let (name, behind) = key.split_once('[')?;
        let (index, behind) = behind.split_once(']')?;
        let span = list_of(rest, name)?.get(index.parse::<usize>().ok()?)?.span();
        let index = list_of(document, name)?.iter().position(|entry| entry.span() == span)?;
        Some(format!("{name}[{index}]{behind}"))
    };
    renumbered().unwrap_or_else(|| key.to_owned())
}

fn list_of<'t, 'i>(table: &'t DeTable<'i>, name: &str) -> Option<&'t DeArray<'i>> {
    table.iter().find(|(key, _)| key.get_ref() == name).and_then(|(_, value)| value.get_ref().as_array())
}

/// Whether a complaint about `later` may only be a consequence of the mistake already found at `earlier`.
fn is_consequence_of(earlier: &str, later: &str) -> bool {
    earlier == later || earlier.strip_prefix(later).is_some_and(|rest| rest.starts_with(['.', '[']))
}

fn list(path: &Path, mistakes: &[Mistake]) -> String {
    let lines = mistakes.iter().map(|m| {
        let line = m.line.map_or_else(String::new, |line| format!("{line}:"));
        let key = if m.key.is_empty() { String::new() } else { format!("{}: ", m.key) };
        format!("{}:{line} {key}{}", path.display(), m.text)
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn mistake_at(text: &str, span: Option<Range<usize>>, key: String, complaint: &str) -> Mistake {
    let line =
        span.map(|span| text.as_bytes()[..span.start.min(text.len())].iter().filter(|b| **b == b'\n').count() + 1);
    Mistake { line, key, text: complaint.trim().to_owned() }
}

/// The reader's message in the words of this program.
fn plain_message(message: &str) -> String {
    let expected = [
        ("a nonzero usize", "a whole number above 0"),
        ("a nonzero u32", "a whole number above 0"),
        ("usize", "a whole number"),
        ("u16", "a whole number from 0 to 65535"),
        ("u32", "a whole number"),
        ("u64", "a whole number"),
        ("f64", "a number"),
        ("a sequence", "a list"),
        ("a boolean", "true or false"),
        ("a map", "a table"),
    ];
    for (theirs, ours) in expected {
        if let Some(front) = message.trim().strip_suffix(&format!(", expected {theirs}")) {
            return format!("{front}, allowed: {ours}");
        }
    }
    message
        .replace("unknown field", "unknown key")
        .replace("missing field", "missing key")
        .replace("unknown variant", "unknown value")
        .replace(", expected one of ", ", allowed: ")
        .replace(", expected ", ", allowed: ")
}

/// A list of allowed keys without those that are only known to say what to write instead.
fn without_gone_keys(place: &str, message: &str) -> String {
    let gone: &[&str] = match place.split('.').next() {
        Some("reprocess") => &ReprocessConfig::GONE,
        Some("digest") => &DigestConfig::GONE,
        _ => &[],
    };
    gone.iter().fold(message.to_owned(), |message, key| message.replace(&format!(", `{key}`"), ""))
}

/// The path of the entry that an error points at, such as `project[1].page-size`.
fn path_of(table: &DeTable<'_>, span: &Range<usize>, path: &str) -> Option<String> {
    let within = |key: &str| {
        if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
    };
    let hit = table.iter().find(|(key, value)| key.span() == *span || value.span() == *span);
    if let Some((key, _)) = hit {
        return Some(within(key.get_ref()));
    }
    table.iter().find_map(|(key, value)| path_in_value(value, span, &within(key.get_ref())))
}

fn path_in_value(value: &Spanned<DeValue<'_>>, span: &Range<usize>, path: &str) -> Option<String> {
    match value.get_ref() {
        DeValue::Table(table) => path_of(table, span, path),
        DeValue::Array(array) => array.iter().enumerate().find_map(|(index, element)| {
            let path = format!("{path}[{index}]");
            if element.span() == *span { Some(path) } else { path_in_value(element, span, &path) }
        }),
        _ => None,
    }
}

/// Takes the entry that an error points at out of a table; false if it is not there.
fn take_out(table: &mut DeTable<'_>, span: &Range<usize>) -> bool {
    let hit = table.iter().find(|(key, value)| key.span() == *span || value.span() == *span);
    if let Some(key) = hit.map(|(key, _)| key.get_ref().to_string()) {
        return table.remove(key.as_str()).is_some();
    }
    table.iter_mut().any(|(_, value)| match value.get_mut() {
        DeValue::Table(table) => take_out(table, span),
        DeValue::Array(array) => take_out_of_array(array, span),
        _ => false,
    })
}

fn take_out_of_array(array: &mut DeArray<'_>, span: &Range<usize>) -> bool {
    if array.iter().any(|element| element.span() == *span) {
        *array = array.iter().filter(|element| element.span() != *span).cloned().collect();
        return true;
    }
    array.iter_mut().any(|element| match element.get_mut() {
        DeValue::Table(table) => take_out(table, span),
        DeValue::Array(inner) => take_out_of_array(inner, span),
        _ => false,
    })
}

/// Where a key such as `project[1].page-size` stands; the nearest enclosing entry if it is not written.
fn locate(table: &DeTable<'_>, path: &str) -> Option<Range<usize>> {
    let mut found = None;
    let mut table = table;
    for part in path.split('.') {
        let (name, index) = match part.split_once('[') {
            Some((name, rest)) => (name, rest.trim_end_matches(']').parse::<usize>().ok()),
            None => (part, None),
        };
        let Some((key, value)) = table.iter().find(|(key, _)| key.get_ref() == name) else {
            return found;
        };
        found = Some(key.span());
        let value = match index {
            None => value,
            Some(index) => {
                let Some(element) = value.get_ref().as_array().and_then(|array| array.get(index)) else {
                    return found;
                };
                found = Some(element.span());
                element
            }
        };
        let Some(next) = value.get_ref().as_table() else {
            return found;
        };
        table = next;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistakes(text: &str) -> Vec<(usize, String, String)> {
        let found = parse(text).expect_err("the text has mistakes");
        found.into_iter().map(|m| (m.line.unwrap_or(0), m.key, m.text)).collect()
    }

    #[test]
    fn every_mistake_is_named_with_its_line_and_key() {
        let text = "[ledger]\npaht = \"x\"\n[[project]]\nname = \"a\"\npage-size = 0\nlook-back = \"7 dais\"\n[digest]\ngroups = \"many\"\n";
        let found = mistakes(text);
        let keys: Vec<_> = found.iter().map(|(line, key, _)| (*line, key.as_str())).collect();
        assert_eq!(
            keys,
            [(2, "ledger.paht"), (5, "project[0].page-size"), (6, "project[0].look-back"), (8, "digest.groups")]
        );
        assert!(found[0].2.contains("unknown key `paht`") && found[0].2.contains("`path`"), "{}", found[0].2);
    }

    #[test]
    fn a_missing_name_is_reported_and_the_rest_is_still_read() {
        let found = mistakes("[[project]]\napi = \"v3\"\n[log]\nformat = \"xml\"\n");
        assert!(found.iter().any(|(_, key, text)| key == "project[0].api" && text.contains("v1-beta")), "{found:?}");
        assert!(found.iter().any(|(_, key, _)| key == "log.format"), "{found:?}");
    }

    #[test]
    fn a_bad_value_is_not_reported_as_missing_too() {
        let rule = "[[rule]]\nname = \"r\"\nmatch = \"x\"\nclass = \"wobbly\"\n";
        let found = mistakes(&format!("[[project]]\nname = \"a\"\n{rule}"));
        let keys: Vec<_> = found.iter().map(|(line, key, _)| (*line, key.as_str())).collect();
        assert_eq!(keys, [(6, "rule[0].class")], "{found:?}");
    }

    #[test]
    fn values_without_use_are_mistakes() {
        let text = "[[project]]\nname = \"a\"\n[[channel]]\nname = \"f\"\nkind = \"file\"\ndir = \"\"\n[log]\nlevel = \"a=loud=x\"\n";
        let found = mistakes(text);
        let keys: Vec<_> = found.iter().map(|(line, key, _)| (*line, key.as_str())).collect();
        assert_eq!(keys, [(6, "channel[0].dir"), (8, "log.level")], "{found:?}");
    }

    #[test]
    fn a_log_level_that_would_silence_the_service_is_a_mistake() {
        let with = |level: &str| parse(&format!("[[project]]\nname = \"a\"\n[log]\nlevel = \"{level}\"\n"));
        for level in ["loud", "infoo", "", "info,,", "warn,llama_triage", "llama_triage=loud"] {
            assert!(with(level).is_err(), "{level}");
        }
        for level in
            ["info", "WARN", "off", "llama_triage=debug", "llama_triage=debug,warn", "warn,llama_triage::service=trace"]
        {
            assert_eq!(with(level).err(), None, "{level}");
        }
    }

    #[test]
    fn syntax_errors_come_with_a_line() {
        assert_eq!(mistakes("[ledger]\npath = \n")[0].0, 2);
    }
}
