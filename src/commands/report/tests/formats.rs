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
    assert!(on_terminal(&["groups"], 80).starts_with("groups, most urgent first · data as of 2026-11-23 11:41 UTC ("));
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
        "[[project]]\nname = \"prod\"\nbase-url = \"https://api.cloud.llamaindex.ai\"\n[links]\nconsole = \"https://c.example\"\n\
         templates = { job = \"{console}/j/{job_id}\", batch = \"\" }",
    )
    .unwrap();
    let ran = run_on(&ledger.path, &["item", "7d4", "--format", "json"], Terminal::default(), Some(&config));
    let links = &ran.rows()[0]["links"];
    assert_eq!(links["job"], "https://c.example/j/job-0006");
    assert_eq!(links["batch"], serde_json::Value::Null);
}

#[test]
fn links_lead_to_where_the_ledger_was_read_from() {
    let ledger = filled();
    let job = |words: &[&str], config: Option<&Config>| {
        let words = [words, &["--format", "json"]].concat();
        run_on(&ledger.path, &words, Terminal::default(), config).rows()[0]["links"].clone()
    };
    let eu = "https://api.cloud.eu.llamaindex.ai/api/v1/beta/batch-processing/bat-0001";
    assert_eq!(
        job(&["batch", "bat-0001"], None)["batch"],
        eu.replace("v1/beta/batch-processing", "v2/batches") + "?expand=results"
    );
    // A configuration for another ledger, whose project has the same name.
    let other: Config = toml::from_str("[[project]]\nname = \"staging\"\nbase-url = \"https://other\"").unwrap();
    let links = job(&["batch", "bat-0001"], Some(&other));
    assert!(links["batch"].as_str().unwrap().starts_with("https://api.cloud.eu.llamaindex.ai/"), "{links}");
    ledger.writer.execute("UPDATE project SET base_url = NULL", []).unwrap();
    assert_eq!(job(&["item", "a0730007"], None), serde_json::json!({}), "nothing says where it lives");
}

#[test]
fn the_list_of_items_shows_the_kind_that_the_row_is_of() {
    let ledger = filled();
    let items = |id: &str| json(&ledger, &["item", id])[0]["links"]["items"].as_str().unwrap().to_owned();
    assert!(items("a0730007").ends_with("/items?status=skipped"));
    assert!(items("7d400004").ends_with("/items?status=failed"));
}

#[test]
fn what_is_cut_names_a_command_that_shows_all_of_it() {
    let ledger = filled();
    for at in 20..77 {
        let group = if at < 40 { 1 } else { 100 + at };
        let (id, name) = (format!("new-{at}"), format!("n{at}"));
        ledger.writer.execute(
            "INSERT INTO error_group (group_key, group_id, kind, template, title, class, mining, first_seen, last_seen, open_items,
                 total_items, failures, grouping_version)
             SELECT ?1, 'g-many' || ?1, 'failed', 't', 't', 'transient', x'', ?2, ?2, 1, 1, 1, 1 WHERE ?1 > 100", (group, 0)).unwrap();
        ledger.writer.execute(
            "INSERT INTO item (item_id, item_key, item_name, project_key, kind, state, group_key, observation_key, first_seen, last_seen)
             VALUES (?1, ?2, ?3, 1, 'failed', 'open', ?4, 3, ?5, ?5)", (id, at, name, group, now().as_millisecond())).unwrap();
    }
    crate::ledger::tests::seed::recount(&ledger.writer);
    for (words, named) in
        [(&["summary"][..], 1), (&["group", "g-4f2a90c1"], 1), (&["--format", "html", "--since", "7d"], 1)]
    {
        let out = run_on(&ledger.path, words, Terminal { width: Some(400), ..TERMINAL }, None).out;
        let out = out.replace("&#39;", "'").replace("</p>", "");
        let cuts: Vec<(&str, &str)> =
            out.lines().filter_map(|line| line.split_once(" shown; all: llama-triage report ")).collect();
        assert!(cuts.len() >= named, "{words:?}: {out}");
        for (counts, command) in cuts {
            let (shown, all) = counts.rsplit('>').next().unwrap().split_once(" of ").unwrap();
            let command: Vec<&str> = command.split(' ').collect();
            let at = command.iter().position(|word| *word == "--ledger").unwrap();
            assert_eq!(command[at + 1], ledger.path.to_str().unwrap());
            let rest = [&command[..at], &command[at + 2..]].concat();
            let rows = json(&ledger, &rest).len();
            assert!(rows.to_string() == all && shown.parse::<usize>().unwrap() < rows, "{counts}: {rest:?}");
        }
    }
}

#[test]
fn every_list_that_is_cut_says_of_how_many() {
    let ledger = filled();
    for words in [
        &["groups"][..],
        &["items"],
        &["batches"],
        &["skipped"],
        &["retries"],
        &["mttr"],
        &["digests"],
        &["deliveries"],
        &["audit"],
        &["trend", "--by", "group"],
        &["item", "--name", "*"],
    ] {
        let words = [words, &["--limit", "1"]].concat();
        for format in ["table", "md", "html"] {
            let out = ask(&ledger, &[&words[..], &["--format", format]].concat()).out;
            assert!(out.contains("1 of ") && out.contains("limit 0 shows all"), "{words:?} {format}: {out}");
        }
        let answer: serde_json::Value =
            serde_json::from_str(&ask(&ledger, &[&words[..], &["--format", "json"]].concat()).out).unwrap();
        assert!(answer["matching"].as_u64().unwrap() > 1, "{words:?}");
    }
    let out = ask(&ledger, &["sql", "SELECT 1 UNION SELECT 2", "--limit", "1", "--format", "table"]).out;
    assert!(out.contains("1 shown, more exist"), "{out}");
}

#[test]
fn a_share_of_a_batch_is_never_above_one() {
    let ledger = filled();
    ledger.writer.execute("UPDATE batch SET failed_items = 3, total_items = 2 WHERE batch_key = 3", []).unwrap();
    let rows = json(&ledger, &["batches", "--sort", "share"]);
    assert_eq!((&rows[0]["batch_id"], &rows[0]["failed_share"]), (&"bjb-7001".into(), &0.02.into()));
    let of = rows.iter().find(|row| row["batch_id"] == "bat-0001").unwrap();
    assert_eq!((&of["failed_share"], &of["failed_items"]), (&serde_json::Value::Null, &3.into()));
    let said = run_on(&ledger.path, &["batch", "bat-0001"], TERMINAL, None).out;
    assert!(said.contains("2, failed 3, skipped 0 (LlamaCloud's counts contradict each other)"), "{said}");
}

#[test]
fn times_and_windows_are_named() {
    let ledger = filled();
    let said = on_terminal(&["groups", "--since", "7d", "--until", "24h"], 200);
    assert!(
        said.contains("since 2026-11-16 12:00 UTC, until 2026-11-22 12:00 UTC") && said.contains("in that time"),
        "{said}"
    );
    assert!(on_terminal(&["groups", "--since", "7d"], 200).contains("in 7 d"));
    assert!(on_terminal(&["groups"], 200).contains(" total "));
    ledger.writer.execute("DELETE FROM scan", []).unwrap();
    let said = run_on(&ledger.path, &["trend"], TERMINAL, None).out;
    assert!(said.contains("no complete scan yet (now 2026-11-23 12:00 UTC)"), "{said}");
    assert!(said.contains("times failed or skipped"), "{said}");
}

#[test]
fn a_page_needs_nothing_but_itself() {
    let ledger = filled();
    let page = ask(&ledger, &["--format", "html", "--since", "7d"]).out;
    assert!(!page.contains("<link") && !page.contains("src=") && !page.contains("@import") && !page.contains("url("));
    assert_eq!(page.matches("<figure>").count(), 3);
    assert!(page.contains("llama-triage problem"));
}
