//! Reading failures for `grouping try` and `rules test`: from a file or standard input, as lines of text or of JSON.

use std::io::Read;
use std::path::Path;

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use serde::Deserialize;
use serde_json::Value;

use crate::model::redact::mask_secrets;

/// Where messages come from and how answers look.
#[derive(Debug, Args)]
pub struct MessageArgs {
    /// Input file; `-` reads standard input
    #[arg(value_name = "FILE", default_value = "-")]
    pub file: std::path::PathBuf,
    /// Input format
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "text")]
    pub input_format: InputFormat,
    /// Output format
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "table")]
    pub format: OutputFormat,
}

/// How messages are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum InputFormat {
    /// One message a line.
    Text,
    /// A line is a JSON string, null for no message, or an object with `error_message`, `skip_reason`, `job_type`, `item_name`.
    Jsonl,
}

/// Output format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OutputFormat {
    /// For people.
    Table,
    /// One JSON object for each input line, in order.
    Jsonl,
}

/// What one line says of a failed or skipped item; secrets are masked.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct InputFailure {
    /// The item's message.
    pub error_message: Option<String>,
    /// Why it was skipped; an item with a reason is a skipped one.
    pub skip_reason: Option<String>,
    /// `parse`, `extract`, `classify`.
    pub job_type: Option<String>,
    /// What the item is called.
    pub item_name: Option<String>,
}

impl InputFailure {
    fn from_message(message: String) -> InputFailure {
        InputFailure { error_message: Some(message), ..InputFailure::default() }
    }

    fn masked(self) -> InputFailure {
        let mask = |text: Option<String>| text.map(|text| mask_secrets(&text).into_owned());
        InputFailure {
            error_message: mask(self.error_message),
            skip_reason: mask(self.skip_reason),
            item_name: mask(self.item_name),
            ..self
        }
    }
}

/// All failures, in order.
///
/// # Errors
/// The input cannot be read, or a line is neither a JSON string nor such an object; its number is named.
pub(crate) fn read_failures(args: &MessageArgs) -> anyhow::Result<Vec<InputFailure>> {
    let text = read_text(&args.file)?;
    text.lines()
        .enumerate()
        .map(|(index, line)| {
            let failure = match args.input_format {
                InputFormat::Text => InputFailure::from_message(line.to_owned()),
                InputFormat::Jsonl => read_json(line).with_context(|| {
                    format!("line {} is neither a JSON string nor an object with an error_message", index + 1)
                })?,
            };
            Ok(failure.masked())
        })
        .collect()
}

fn read_json(line: &str) -> anyhow::Result<InputFailure> {
    match serde_json::from_str(line)? {
        Value::Null => Ok(InputFailure::default()),
        Value::String(message) => Ok(InputFailure::from_message(message)),
        object @ Value::Object(_) => Ok(serde_json::from_value(object)?),
        other => bail!("{other}"),
    }
}

fn read_text(file: &Path) -> anyhow::Result<String> {
    let mut bytes = Vec::new();
    if file == Path::new("-") {
        std::io::stdin().lock().read_to_end(&mut bytes).context("cannot read standard input")?;
    } else {
        bytes = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    }
    Ok(match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_string_or_an_object() {
        let text = |text: &str| Some(text.to_owned());
        let whole = r#"{"error_message": "boom", "item_name": "a.pdf", "skip_reason": "empty", "job_type": "parse"}"#;
        for (line, wanted) in [
            (r#""boom""#, InputFailure::from_message("boom".to_owned())),
            ("null", InputFailure::default()),
            ("{}", InputFailure::default()),
            (r#"{"error_message": null}"#, InputFailure::default()),
            (
                whole,
                InputFailure {
                    error_message: text("boom"),
                    skip_reason: text("empty"),
                    job_type: text("parse"),
                    item_name: text("a.pdf"),
                },
            ),
        ] {
            assert_eq!(read_json(line).unwrap(), wanted, "{line}");
        }
        for line in ["", "12", "[\"boom\"]", r#"{"error_message": 1}"#, "boom"] {
            assert!(read_json(line).is_err(), "{line}");
        }
    }
}
