//! The labelled messages that the model learns from: `config/wordings/*.tsv`.
//!
//! A line is `class<TAB>cause<TAB>message`, or with the item's name as a fourth column; `\n`, `\t` and `\\` stand for a line
//! break, a tab and a backslash, and a line that begins with `#` is a remark.

use sha2::{Digest, Sha256};

use crate::classify::model::words::MaskedText;
use crate::model::class::Class;

/// One labelled message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wording {
    /// What may be done about it.
    pub class: Class,
    /// What it is about, such as `pg-deadlock`: wordings of one cause are alike.
    pub cause: String,
    /// The message.
    pub message: String,
    /// The item's name, if the message has it.
    pub item_name: Option<String>,
    /// Whether it is one of those that training never sees.
    pub held_out: bool,
}

/// Why a line is no wording.
#[derive(Debug, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct WordingError {
    /// From 1.
    pub line: usize,
    /// What is wrong.
    pub problem: String,
}

/// One in so many parts is held out.
const PARTS: u8 = 10;

/// The wordings of one file. `file` is its name: a cause is held out together with those lines of the file that have it.
///
/// # Errors
/// The first line that is none.
pub fn read_wordings(file: &str, text: &str) -> Result<Vec<Wording>, WordingError> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|(index, line)| read_line(file, line).map_err(|problem| WordingError { line: index + 1, problem }))
        .collect()
}

fn read_line(file: &str, line: &str) -> Result<Wording, String> {
    let columns: Vec<&str> = line.split('\t').collect();
    let (&[class, cause, message], name) = columns.split_first_chunk().ok_or("it needs class, cause and message")?;
    if message.is_empty() || name.len() > 1 {
        return Err("it needs a message, and at most an item's name after it".to_owned());
    }
    let class = Class::try_from(class).map_err(|_| format!("{class:?} is no class"))?;
    let item_name = name.first().filter(|name| !name.is_empty()).map(|name| unescape(name));
    let held_out = part(file, cause) == 0;
    Ok(Wording { class, cause: cause.to_owned(), message: unescape(message), item_name, held_out })
}

/// The part that the lines of a file about one cause are in.
fn part(file: &str, cause: &str) -> u8 {
    let [first, ..]: [u8; 32] = Sha256::digest(format!("{file}\t{cause}")).into();
    first % PARTS
}

/// A fingerprint of these wordings and of their features; features are hashed for every 16th wording only.
pub fn fingerprint(wordings: &[Wording]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for (at, Wording { class, cause, message, item_name, held_out }) in wordings.iter().enumerate() {
        hash.update(format!("{class}\t{cause}\t{message}\t{item_name:?}\t{held_out}\n"));
        if at % 16 == 0 {
            for (bucket, count) in MaskedText::numbered_features(message, item_name.as_deref()) {
                hash.update(bucket.to_le_bytes());
                hash.update([count]);
            }
        }
    }
    hash.finalize().into()
}

fn unescape(text: &str) -> String {
    let mut written = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        match (char, chars.clone().next()) {
            ('\\', Some(escaped @ ('n' | 't' | '\\'))) => {
                chars.next();
                written.push(match escaped {
                    'n' => '\n',
                    't' => '\t',
                    other => other,
                });
            }
            _ => written.push(char),
        }
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_class_cause_message_and_perhaps_a_name() {
        let text = "# remark\n\ntransient\tdns\tno such host\\nC:\\\\x\\y\nconfig\tbad-mode\tmode\ta.pdf\n";
        let read = read_wordings("go-1", text).unwrap();
        assert_eq!(read[0].message, "no such host\nC:\\x\\y");
        assert_eq!((read[1].class, read[1].item_name.as_deref()), (Class::Config, Some("a.pdf")));
        for (wrong, problem) in
            [("retry\tx\ty", "is no class"), ("config\tx", "needs class"), ("config\tx\t", "needs a message")]
        {
            let said = read_wordings("go-1", wrong).unwrap_err().to_string();
            assert!(said.contains(problem) && said.starts_with("line 1"), "{said}");
        }
    }

    #[test]
    fn a_cause_is_held_out_whole_and_about_one_in_ten() {
        let held = |file: &str, cause: usize| part(file, &format!("cause-{cause}")) == 0;
        let count = (0..1000).filter(|cause| held("go-1", *cause)).count();
        assert!((60..150).contains(&count), "{count}");
        assert!((0..1000).any(|cause| held("go-1", cause) && !held("go-2", cause)));
    }
}
