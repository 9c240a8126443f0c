//! Every format of a report over the whole corpus, by the built binary.

use std::sync::LazyLock;

use llama_triage::internals::model::is_steering;
use regex::Regex;

use crate::site::Site;

const QUESTIONS: [&str; 4] = ["summary", "groups", "items", "skipped"];

/// Asserts that no report of the ledger does anything but show text.
pub(crate) fn are_harmless(site: &Site, texts: usize) {
    for question in QUESTIONS {
        for (format, also) in
            [("table", ""), ("tsv", "\t"), ("csv", "\r"), ("json", ""), ("jsonl", ""), ("md", ""), ("html", "")]
        {
            let mut words = vec!["report", question, "--format", format];
            if question != "summary" {
                words.extend(["--limit", "5000"]);
            }
            let run = site.command(&words).assert().success();
            let text = String::from_utf8(run.get_output().stdout.clone()).unwrap();
            let steering = text.chars().find(|c| *c != '\n' && !also.contains(*c) && is_steering(*c));
            assert_eq!(steering, None, "{question} as {format}");
            assert!(!text.contains("llx-abcdefghijklmnop") && !text.contains("sk-abcdefghijklmnop"), "a key is shown");
            match format {
                "csv" => spreadsheet(question, &text, texts),
                "tsv" => {
                    let tabs: Vec<usize> = text.lines().map(|line| line.matches('\t').count()).collect();
                    assert!(tabs.iter().all(|count| *count == tabs[0]), "{question}");
                }
                "json" => drop(serde_json::from_str::<serde_json::Value>(&text).unwrap()),
                "jsonl" => {
                    text.lines().for_each(|line| drop(serde_json::from_str::<serde_json::Value>(line).unwrap()));
                }
                "md" => markdown(question, &text),
                "html" => {
                    super::keep(&format!("report-{question}.html"), &text);
                    assert_page_is_inert(question, &text);
                }
                _ => {}
            }
        }
    }
}

/// No tag, no link but ours, and no text that ends its cell.
fn markdown(question: &str, text: &str) {
    let own = Regex::new(r"\]\(<https?://[^<>|\s`]*>\)").unwrap();
    let escaped = Regex::new(r"\\.").unwrap();
    let mut bars = None;
    // Lines behind four blanks are code, in which nothing is markup.
    for line in text.lines().filter(|line| !line.starts_with("    ")) {
        let rest = own.replace_all(line, "]");
        let rest = escaped.replace_all(&rest, "");
        assert!(!rest.contains(['<', '`', '!']) && !rest.contains("]("), "{question}: {line}");
        let count = rest.starts_with('|').then(|| rest.matches('|').count());
        assert!(count.is_none() || bars.is_none() || count == bars, "{question}: {line}");
        bars = count;
    }
}

fn spreadsheet(question: &str, text: &str, texts: usize) {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert!(question == "summary" || rows.len() > texts / 2, "{question} has {} rows", rows.len());
    for field in rows.iter().flat_map(csv::StringRecord::iter) {
        let formula = field.starts_with(['=', '+', '@', '\t', '\r']);
        let minus = field.starts_with('-') && field.parse::<f64>().is_err();
        assert!(!formula && !minus, "{question}: {field}");
    }
}

static TAG: LazyLock<Regex> = LazyLock::new(|| Regex::new(r#"<[^>"]*("[^"]*"[^>"]*)*>"#).unwrap());

/// Asserts that a page has only tags of ours, no handler, and no address but of the web.
pub(crate) fn assert_page_is_inert(what: &str, page: &str) {
    let own = Regex::new("(?s)<script>.*?</script>|<style>.*?</style>").unwrap();
    assert!(page.matches("<script").count() <= 1, "{what}");
    let page = own.replace_all(page, "");
    let handler = Regex::new(r#"(?i)[\s"'/]on[a-z]+\s*="#).unwrap();
    let address = Regex::new(r#"(?i)\s(href|src|action|data|srcdoc|formaction)\s*=\s*"?([^"\s>]*)"#).unwrap();
    let quoted = Regex::new("\"[^\"]*\"").unwrap();
    let known = Regex::new(
        r"(?i)^</?(!doctype|html|head|meta|title|body|div|span|table|thead|tbody|tr|td|th|h1|h2|h3|p|b|i|a|br|button|code|pre|ul|li|ol|dl|dt|dd|svg|g|rect|text|line|path|main|section|header|footer|nav|small|details|summary|time|caption|em|strong|figure|figcaption|polyline|circle)\b",
    )
    .unwrap();
    for tag in TAG.find_iter(&page) {
        let outside_quotes = quoted.replace_all(tag.as_str(), "\"\"");
        assert!(known.is_match(tag.as_str()), "{what}: {}", tag.as_str());
        assert!(!handler.is_match(&outside_quotes), "{what}: {}", tag.as_str());
        for found in address.captures_iter(tag.as_str()) {
            let read = found[2].replace("&#x2f;", "/");
            assert!(read.starts_with("https://") || read.starts_with("http://"), "{what}: {read}");
        }
    }
    let open = TAG.replace_all(&page, "");
    assert!(
        !open.contains('<'),
        "{what}: a tag is not closed at {:?}",
        open.split('<').nth(1).map(|rest| rest.chars().take(80).collect::<String>())
    );
}
