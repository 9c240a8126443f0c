//! Text from outside stays text in every format.

use super::*;
use crate::report::question::Question;
use crate::report::store::tests::fixture::HOSTILE;

/// The ledger with hostile text wherever text from outside can be.
fn poisoned() -> Filled {
    let ledger = filled();
    let tables = [
        ("message", "text"),
        ("item", "item_name"),
        ("error_group", "title"),
        ("error_group", "renamed"),
        ("error_group", "template"),
        ("error_group", "cause_text"),
        ("observation", "skip_reason"),
        ("observation", "job_id"),
        ("observation", "job_record_id"),
        ("batch", "error_message"),
        ("batch", "job_type"),
        ("batch", "directory_id"),
        ("batch", "status"),
        ("scan", "error"),
        ("worker_fault", "text"),
        ("delivery", "last_error"),
        ("note", "text"),
        ("audit", "reason"),
        ("intent", "reason"),
        ("account", "why"),
        ("project", "name"),
    ];
    for (table, column) in tables {
        // What must stay unique does.
        let value = if column == "name" { "?1 || project_key" } else { "?1" };
        ledger.writer.execute(&format!("UPDATE {table} SET {column} = {value}"), [HOSTILE]).unwrap();
    }
    ledger.writer.execute("UPDATE batch SET batch_id = ?1 || batch_key", [HOSTILE]).unwrap();
    ledger
}

fn every_question() -> Vec<Vec<&'static str>> {
    let batch: &'static str = HOSTILE;
    <Question as strum::VariantArray>::VARIANTS
        .iter()
        // A job record is LlamaCloud's JSON.
        .filter(|question| **question != Question::Record)
        .map(|question| match question {
            Question::Group => vec!["group", "4f2"],
            Question::Incident => vec!["incident", "n-5d"],
            Question::Item => vec!["item", "5b2e0001"],
            Question::Batch => vec!["batch", Box::leak(format!("{batch}1").into_boxed_str())],
            Question::Sql => vec!["sql", "SELECT text FROM message"],
            question => vec![question.as_str()],
        })
        .collect()
}

fn in_format(ledger: &Filled, words: &[&str], format: &str, terminal: Terminal) -> String {
    let ran = run_on(&ledger.path, &[words, &["--format", format]].concat(), terminal, None);
    assert_eq!(ran.code, 0, "{words:?}: {}", ran.err);
    ran.out
}

/// No control but line breaks and what `also` allows, no bidi mark.
fn assert_inert(text: &str, also: &[char], words: &[&str]) {
    let steering = text.chars().find(|c| *c != '\n' && !also.contains(c) && crate::model::text::is_steering(*c));
    assert_eq!(steering, None, "{words:?}");
}

#[test]
fn nothing_steers_a_terminal() {
    let ledger = poisoned();
    let terminal = Terminal { is_terminal: true, width: Some(100), colour: true, links: true };
    let codes = regex::Regex::new("\u{1b}\\[[0-9;]*m|\u{1b}\\]8;;(https?://[!-~]*)?\u{1b}\\\\").unwrap();
    for words in every_question() {
        for (format, also) in
            [("tsv", &['\t'][..]), ("json", &[]), ("jsonl", &[]), ("csv", &['\r']), ("md", &[]), ("html", &[])]
        {
            assert_inert(&in_format(&ledger, &words, format, Terminal::default()), also, &words);
        }
        assert_inert(&in_format(&ledger, &words, "table", Terminal::default()), &[], &words);
        // With colour and links only our own codes are there.
        let table = in_format(&ledger, &words, "table", terminal);
        assert_inert(&codes.replace_all(&table, ""), &[], &words);
    }
}

#[test]
fn nothing_runs_in_a_page() {
    let ledger = poisoned();
    for words in every_question() {
        let page = in_format(&ledger, &words, "html", Terminal::default());
        assert_eq!(page.matches("<script>").count(), 1, "{words:?}: only our own script");
        assert!(!page.contains("alert(1)</script>") && !page.contains("href=\"javascript:"), "{words:?}");
        assert!(page.contains("default-src 'none'"));
    }
}

#[test]
fn nothing_runs_in_a_spreadsheet() {
    let ledger = poisoned();
    for words in every_question() {
        let text = in_format(&ledger, &words, "csv", Terminal::default());
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let fields: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
        assert!(!fields.is_empty(), "{words:?}");
        for field in fields.iter().flat_map(csv::StringRecord::iter) {
            let formula = field.starts_with(['=', '+', '@']) || field.starts_with('-') && field.parse::<f64>().is_err();
            assert!(!formula, "{words:?}: {field}");
        }
    }
}

#[test]
fn nothing_ends_a_cell_of_a_markdown_table() {
    let ledger = poisoned();
    for words in every_question() {
        let text = in_format(&ledger, &words, "md", Terminal::default());
        let mut columns = None;
        for line in text.lines() {
            let bars = line.replace("\\|", "").matches('|').count();
            match (line.starts_with('|'), columns) {
                (false, _) => columns = None,
                (true, None) => columns = Some(bars),
                (true, Some(expected)) => assert_eq!(bars, expected, "{words:?}: {line}"),
            }
            assert!(!line.contains("<script") || line.starts_with("    "), "{words:?}: {line}");
        }
    }
}

#[test]
fn a_row_of_tsv_is_one_line_with_as_many_tabs_as_its_head() {
    let ledger = poisoned();
    for words in every_question() {
        let text = in_format(&ledger, &words, "tsv", Terminal::default());
        let tabs: Vec<usize> = text.lines().map(|line| line.matches('\t').count()).collect();
        assert!(tabs.iter().all(|count| *count == tabs[0]), "{words:?}");
    }
}
