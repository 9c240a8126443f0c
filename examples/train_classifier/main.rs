//! Learns the classifier's weights from `config/wordings/` and writes `config/model.bin`:
//! `cargo run --release --example train_classifier`.
//!
//! With `--check` nothing is written, and the program fails if the file is not what it would write.
//! With `--measure FILE…` it prints how the model judges labelled messages that training never sees.

#![expect(clippy::print_stdout, reason = "what it found is its answer")]

mod measure;
mod regression;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use llama_triage::internals::classify::{Model, Wording, fingerprint, read_wordings};

use crate::regression::{Example, train};

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let wordings = all_wordings(&root().join("config/wordings"))?;
    let (held_out, learnt): (Vec<Wording>, Vec<Wording>) = wordings.iter().cloned().partition(|one| one.held_out);
    let examples: Vec<Example> = learnt.iter().map(Example::of).collect();
    let trained = train(&examples, &held_out.iter().map(Example::of).collect::<Vec<_>>());
    let bytes = Model::write(fingerprint(&wordings), trained.step, &trained.weights);
    let model = Model::read(&bytes)?;
    println!("{} wordings, {} of them held out; {} bytes", wordings.len(), held_out.len(), bytes.len());
    println!("held out: {}", measure::score(&model, &held_out));
    match args.first().map(String::as_str) {
        Some("--check") => return Ok(check(&bytes)),
        Some("--measure") => measure::report(&model, &examples, &held_out, &args[1..])?,
        _ => std::fs::write(model_file(), &bytes)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn check(bytes: &[u8]) -> ExitCode {
    let is_equal = std::fs::read(model_file()).is_ok_and(|stored| stored == bytes);
    println!("config/model.bin {} what the wordings give", if is_equal { "is" } else { "is NOT" });
    if is_equal { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn model_file() -> PathBuf {
    root().join("config/model.bin")
}

/// The wordings of every file of the folder, in the order of the files' names.
fn all_wordings(folder: &Path) -> Result<Vec<Wording>, Box<dyn std::error::Error>> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)?.flatten().map(|entry| entry.path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "tsv"));
    files.sort();
    let mut all = Vec::new();
    for file in files {
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&file)?;
        all.extend(read_wordings(&name, &text).map_err(|error| format!("{}: {error}", file.display()))?);
    }
    Ok(all)
}
