//! Reading messages for `grouping try` and `rules test`: from a file or standard input, as lines or JSON strings.

use std::io::Read;
use std::path::Path;

use anyhow::Context;
use clap::{Args, ValueEnum};

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
    /// One JSON string a line; null is no message.
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

/// All messages, in order. A line that is no JSON string is an error that names the line.
pub(crate) fn read_messages(args: &MessageArgs) -> anyhow::Result<Vec<Option<String>>> {
    let text = read_text(&args.file)?;
    let lines = text.lines();
    match args.input_format {
        InputFormat::Text => Ok(lines.map(|line| Some(line.to_owned())).collect()),
        InputFormat::Jsonl => lines
            .enumerate()
            .map(|(index, line)| {
                serde_json::from_str(line).with_context(|| format!("line {} is no JSON string", index + 1))
            })
            .collect(),
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
