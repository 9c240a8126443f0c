//! The README can be followed in a fresh folder: what it names is there, and its commands are commands.

use std::path::Path;
use std::process::{Command, Stdio};

use clap::Parser;
use llama_triage::internals::cli::Cli;

use crate::site::binary;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn readme() -> String {
    std::fs::read_to_string(root().join("README.md")).unwrap()
}

/// The code blocks of this language, without their indentation.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let mut blocks: Vec<String> = Vec::new();
    let mut open: Option<bool> = None;
    for line in text.lines() {
        match (line.trim().strip_prefix("```"), open) {
            (Some(name), None) => {
                open = Some(name == language);
                if name == language {
                    blocks.push(String::new());
                }
            }
            (Some(_), Some(_)) => open = None,
            (None, Some(true)) => {
                let block = blocks.last_mut().unwrap();
                block.push_str(line.trim_start());
                block.push('\n');
            }
            _ => {}
        }
    }
    blocks
}

#[test]
fn every_file_that_the_documents_link_to_is_there() {
    let docs = std::fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let pages: Vec<_> = docs.filter(|path| path.extension().is_some_and(|end| end == "md")).collect();
    let mut links = 0;
    for page in pages.into_iter().chain([root().join("README.md"), root().join("ARCHITECTURE.md")]) {
        let text = std::fs::read_to_string(&page).unwrap();
        for target in text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target) {
            let file = target.split('#').next().unwrap();
            if !file.is_empty() && !target.contains("://") {
                assert!(page.parent().unwrap().join(file).exists(), "{} links to {target}", page.display());
                links += 1;
            }
        }
    }
    assert!(links > 5, "{links}");
}

#[test]
fn every_command_of_the_readme_is_one() {
    let lines: Vec<String> = blocks(&readme(), "").iter().flat_map(|block| block.lines().map(str::to_owned)).collect();
    let commands: Vec<&str> =
        lines.iter().map(String::as_str).filter(|line| line.starts_with("llama-triage ")).collect();
    assert!(commands.len() > 8, "{commands:?}");
    for command in commands {
        // What stands behind two blanks says what it is for.
        let words = command.split("  ").next().unwrap().split(' ');
        if let Err(error) = Cli::try_parse_from(words) {
            assert!(!error.use_stderr(), "{command}: {error}");
        }
    }
}

#[test]
fn the_five_minutes_of_the_readme_lead_to_a_configuration_that_works() {
    let (text, dir) = (readme(), tempfile::tempdir().unwrap());
    std::fs::create_dir(dir.path().join("config")).unwrap();
    let [config] = &blocks(&text, "toml")[..] else { panic!("one configuration is shown") };
    std::fs::write(dir.path().join("config/llama-triage.toml"), config).unwrap();
    let secrets = blocks(&text, "").into_iter().find(|block| block.contains("mkdir")).unwrap();
    let mut shell = Command::new("sh")
        .args(["-euc", &secrets])
        .current_dir(dir.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    use std::io::Write;
    shell.stdin.take().unwrap().write_all(b"llx-typed\n").unwrap();
    assert!(shell.wait().unwrap().success());
    // One input serves both files here; the second would be typed as well.
    let password = dir.path().join("config/llama-triage.credentials/smtp-password-oncall");
    assert_eq!(std::fs::metadata(&password).unwrap().len(), 0, "it is there, and to be typed");
    std::fs::write(&password, "secret\n").unwrap();
    let checked = binary()
        .arg("check-config")
        .current_dir(dir.path())
        .env_remove("LLAMA_CLOUD_API_KEY")
        .env_remove("LLAMA_TRIAGE_CONFIG")
        .assert()
        .success();
    let said = String::from_utf8_lossy(&checked.get_output().stdout).into_owned();
    assert!(said.contains("1 project and 1 channel") && !said.contains("note:"), "{said}");
}
