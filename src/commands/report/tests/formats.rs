//! What the formats look like.

use super::*;

const TERMINAL: Terminal = Terminal { is_terminal: true, width: Some(80), colour: false, links: false };

fn on_terminal(words: &[&str], width: u16) -> String {
    let ledger = filled();
    let terminal = Terminal { width: Some(width), ..TERMINAL };
    run_on(&ledger.path, &[words, &["--utc"]].concat(), terminal, None).out
}

#[test]
fn the_summary_reads_well() {
    insta::assert_snapshot!(on_terminal(&["summary"], 100));
}

#[test]
fn a_group_reads_well() {
    insta::assert_snapshot!(on_terminal(&["group", "4f2"], 120));
}

#[test]
fn an_item_reads_well() {
    insta::assert_snapshot!(on_terminal(&["item", "5b2e0001"], 100));
}

#[test]
fn markdown_reads_well() {
    insta::assert_snapshot!(on_terminal(&["groups", "--since", "24h", "--format", "md"], 80));
}

#[test]
fn json_is_as_documented() {
    insta::assert_snapshot!(on_terminal(&["groups", "--group", "4f2", "--format", "json"], 80));
}

#[test]
fn csv_is_as_documented() {
    insta::assert_snapshot!(on_terminal(&["groups", "--state", "regressed", "--format", "csv"], 80));
}

/// Half a screen: few columns with whole words rather than many with stumps.
#[test]
fn a_narrow_list_reads_well() {
    insta::assert_snapshot!(on_terminal(&["items"], 60));
}

#[test]
fn tables_fit_the_terminal() {
    let all = ["summary", "groups", "items", "batches", "skipped", "trend", "retries", "mttr", "digests", "deliveries"];
    for width in [60, 80, 100, 120, 200] {
        for question in all {
            let text = on_terminal(&[question], width);
            let table = text.lines().skip_while(|line| !line.is_empty());
            for line in table.filter(|line| !line.contains(": ")) {
                let columns = unicode_columns(line);
                assert!(columns <= usize::from(width), "{question} at {width}: {columns}\n{text}");
            }
        }
    }
}

/// Our own words, bars and ids are one column a character.
fn unicode_columns(line: &str) -> usize {
    line.chars().count()
}

#[test]
fn a_pipe_gets_tsv_and_a_terminal_a_table() {
    let ledger = filled();
    assert!(ask(&ledger, &["groups"]).out.starts_with("group_id\tstate\t"));
    assert!(on_terminal(&["groups"], 80).starts_with("groups · ledger as of 2026-11-23 11:41 UTC (scan 19 min ago)"));
}

#[test]
fn columns_are_chosen_and_ordered() {
    let ledger = filled();
    let ran = ask(&ledger, &["items", "--state", "retrying", "--columns", "item_name,item_id", "--no-header"]);
    assert_eq!(ran.out, "invoice-002.pdf\t5b2e0002-0000-4000-8000-000000000002\n");
}

#[test]
fn long_lists_are_cut_for_people_and_say_so() {
    let ledger = filled();
    let ran = run_on(&ledger.path, &["items", "--limit", "2"], TERMINAL, None);
    assert!(ran.out.contains("2 of 9 shown; --limit 0 shows all"), "{}", ran.out);
    assert_eq!(ask(&ledger, &["items"]).out.lines().count(), 10);
}

#[test]
fn colour_and_links_are_written_only_where_asked() {
    let ledger = filled();
    let terminal = Terminal { colour: true, links: true, width: Some(200), ..TERMINAL };
    let ran = run_on(&ledger.path, &["items"], terminal, None);
    let link = "\u{1b}]8;;https://api.cloud.llamaindex.ai/api/v1/parsing/job/job-0003/details\u{1b}\\5b2e0001";
    assert!(ran.out.contains(link) && ran.out.contains("\u{1b}[31mopen\u{1b}[0m"), "{}", ran.out);
    assert!(!run_on(&ledger.path, &["items"], TERMINAL, None).out.contains('\u{1b}'));
}

#[test]
fn links_come_from_the_configuration_where_there_is_one() {
    let ledger = filled();
    let config: Config = toml::from_str(
        "[[project]]\nname = \"prod\"\nbase-url = \"https://api.cloud.eu.llamaindex.ai\"\n[links]\nconsole = \"https://c.example\"\n\
         templates = { job = \"{console}/j/{job_id}\", batch = \"\" }",
    )
    .unwrap();
    let ran = run_on(&ledger.path, &["item", "7d4", "--format", "json"], Terminal::default(), Some(&config));
    let links = &ran.rows()[0]["links"];
    assert_eq!(links["job"], "https://c.example/j/job-0006");
    assert_eq!(links["batch"], serde_json::Value::Null);
}

#[test]
fn a_page_needs_nothing_but_itself() {
    let ledger = filled();
    let page = ask(&ledger, &["--format", "html", "--since", "7d"]).out;
    assert!(!page.contains("<link") && !page.contains("src=") && !page.contains("@import") && !page.contains("url("));
    assert_eq!(page.matches("<figure>").count(), 3);
    assert!(page.contains("Worker fault"));
}
