//! The learnt model: that it belongs to the wordings it was learnt from, and how well it judges those that training never saw.

use std::fs;
use std::path::PathBuf;

use llama_triage::internals::classify::{FailureFacts, Model, Rules, Wording, fingerprint, read_wordings};
use llama_triage::internals::model::Class;

/// What comes with the program.
const MODEL: &[u8] = include_bytes!("../../config/model.bin");

/// All labelled messages, in the order that training reads them.
fn wordings() -> Vec<Wording> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("config/wordings");
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "tsv"));
    files.sort();
    let read = |file: &PathBuf| {
        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
        let text = fs::read_to_string(file).unwrap();
        read_wordings(&name, &text).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
    };
    files.iter().flat_map(read).collect()
}

fn class_of(rules: &Rules, wording: &Wording) -> Class {
    let item_name = wording.item_name.as_deref();
    rules.classify(&FailureFacts { message: &wording.message, item_name, ..FailureFacts::default() }).class
}

#[test]
fn the_model_belongs_to_the_wordings() {
    let model = Model::read(MODEL).unwrap();
    assert!(MODEL.len() <= 1 << 20, "{} bytes", MODEL.len());
    assert!(
        model.trained_on == fingerprint(&wordings()),
        "config/wordings/ or how messages are read has changed: run `cargo run --release --example train_classifier`"
    );
}

#[test]
fn wordings_that_training_never_saw_are_judged_well() {
    let rules = Rules::shipped();
    let held_out: Vec<Wording> = wordings().into_iter().filter(|wording| wording.held_out).collect();
    let is_retried = |class| matches!(class, Class::Transient | Class::Throttled);
    let is_ended = |class| matches!(class, Class::PermanentInput | Class::Config);
    let (mut right, mut costly) = (0, 0);
    for wording in &held_out {
        let (truth, chosen) = (wording.class, class_of(&rules, wording));
        right += usize::from(truth == chosen);
        let money_or_document = is_retried(truth) && is_ended(chosen) || is_ended(truth) && is_retried(chosen);
        let false_stop = truth != Class::Account && chosen == Class::Account;
        costly += usize::from(money_or_document || false_stop);
    }
    let share = |count: usize| count as f64 / held_out.len() as f64;
    assert!(held_out.len() > 500, "{} are held out", held_out.len());
    assert!(share(right) > RIGHT && share(costly) < COSTLY, "{:.3} right, {:.3} costly", share(right), share(costly));
}

/// Of the held-out wordings so many are judged rightly at least, and so many at a high cost at most.
const RIGHT: f64 = 0.86;
const COSTLY: f64 = 0.03;

/// The vendor's own table: <https://developers.llamaindex.ai/llamaparse/general/troubleshooting/>.
#[test]
fn the_vendors_own_errors_have_their_class() {
    let rules = Rules::shipped();
    let mut wrong = Vec::new();
    for line in include_str!("vendor.tsv").lines().filter(|line| !line.starts_with('#')) {
        let (class, message) = line.split_once('\t').expect("a case is class and message");
        let decision = rules.classify(&FailureFacts { message, ..FailureFacts::default() });
        if decision.class.name() != class {
            wrong.push(format!(
                "{message:?}: {} by {:?} {:?}, not {class}",
                decision.class, decision.rule, decision.why
            ));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

/// Names say nothing about why a document failed, in whatever marks they stand.
#[test]
fn a_hostile_file_name_changes_no_class() {
    let rules = Rules::shipped();
    let messages = [
        ("NAME is password protected", Class::PermanentInput),
        ("Could not open NAME: unexpected end of file, the document is truncated", Class::PermanentInput),
        ("connection reset by peer while reading NAME", Class::Transient),
        ("Error while parsing NAME : 503 Service Unavailable", Class::Transient),
    ];
    let names = [
        "timeout report.pdf",
        "HTTP 503 Service Unavailable.pdf",
        "Rate limit exceeded - 429.docx",
        "invalid API key, 401 Unauthorized.xlsx",
        "insufficient credits.pdf",
        "PDF_IS_PROTECTED.pdf",
        "job cancelled by user.txt",
        "already processed.pdf",
        "it's \"encrypted\" (copy).pdf",
        "暗号化されています.pdf",
    ];
    let marks = [
        ("", ""),
        ("'", "'"),
        ("\"", "\""),
        ("`", "`"),
        ("“", "”"),
        ("«", "»"),
        ("「", "」"),
        ("(", ")"),
        ("<", ">"),
        ("[", "]"),
    ];
    let mut wrong = Vec::new();
    for (message, class) in messages {
        for name in names {
            for (open, close) in marks {
                let message = message.replace("NAME", &format!("{open}{name}{close}"));
                let found = rules.classify(&FailureFacts {
                    message: &message,
                    item_name: Some(name),
                    ..FailureFacts::default()
                });
                if found.class != class {
                    wrong.push(format!("{message}: {}", found.class));
                }
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}
