//! The shape of the code: what may use what. These tests hold what reviews would otherwise repeat.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The rooms; each uses only those before it.
const ROOMS: [&str; 17] = [
    "model",
    "ledger",
    "grouping",
    "classify",
    "config",
    "credentials",
    "llamacloud",
    "scan",
    "triage",
    "notify",
    "reprocess",
    "report",
    "actions",
    "console",
    "service",
    "simulator",
    "commands",
];

/// The pure files: rules, and values that are rendered or compared.
const PURE: [&str; 37] = [
    "src/classify/model/",
    "src/classify/rules/",
    "src/config/duration.rs",
    "src/config/reprocess.rs",
    "src/console/access/",
    "src/console/acts/kind.rs",
    "src/console/words.rs",
    "src/grouping/",
    "src/model/",
    "src/notify/http_answer.rs",
    "src/notify/outbox.rs",
    "src/report/condition.rs",
    "src/report/detail.rs",
    "src/report/filter.rs",
    "src/report/history.rs",
    "src/report/question.rs",
    "src/report/rows.rs",
    "src/report/summary.rs",
    "src/report/when.rs",
    "src/reprocess/policy/",
    "src/reprocess/protocol/",
    "src/scan/batch_failure.rs",
    "src/scan/outstanding/missing.rs",
    "src/scan/outstanding/overdue.rs",
    "src/scan/rules.rs",
    "src/scan/unread.rs",
    "src/triage/ack.rs",
    "src/triage/decide.rs",
    "src/triage/digest/",
    "src/triage/episode.rs",
    "src/triage/escalation.rs",
    "src/triage/incident/news.rs",
    "src/triage/incident/rule.rs",
    "src/triage/page/policy.rs",
    "src/triage/group_state.rs",
    "src/triage/digest_rate.rs",
    "src/triage/silence.rs",
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// All Rust files below `folder`, with their text.
fn sources(folder: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut todo = vec![root().join(folder)];
    while let Some(dir) = todo.pop() {
        for entry in std::fs::read_dir(&dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display())) {
            let path = entry.unwrap().path();
            if path.is_dir() {
                todo.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let name = path.strip_prefix(root()).unwrap().display().to_string();
                found.push((name, std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    assert!(!found.is_empty(), "{folder} has no sources");
    found
}

/// What stands before the unit tests at the end of a file.
const TESTS: &str = "#[cfg(test)]\nmod tests {\n";

fn before_tests(text: &str) -> &str {
    text.split(TESTS).next().unwrap_or_default()
}

/// The text without comments and without the tests at its end.
fn code(text: &str) -> String {
    before_tests(text).lines().filter(|l| !l.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// Files that exist for tests alone may use anything.
fn is_test(name: &str) -> bool {
    name.contains("/tests/") || name.ends_with("/tests.rs")
}

/// Statements stand in folders called `store` and files called `store_…`.
fn is_store(name: &str) -> bool {
    name.split('/').any(|part| part == "store" || part.starts_with("store_"))
}

fn is_pure(name: &str) -> bool {
    PURE.iter().any(|pure| name.starts_with(pure)) && !is_store(name)
}

/// The files of the product whose code holds one of the words.
fn offenders(words: &[&str], allowed: impl Fn(&str) -> bool) -> Vec<String> {
    let hits =
        sources("src").into_iter().filter(|(name, _)| !is_test(name) && !allowed(name)).flat_map(|(name, text)| {
            let code = code(&text);
            words.iter().filter(|w| code.contains(**w)).map(|w| format!("{name}: {w}")).collect::<Vec<_>>()
        });
    hits.collect()
}

/// The modules of this crate that a text names, as paths from `crate`; not those that an attribute names for tests alone.
fn named_modules(text: &str) -> Vec<String> {
    let is_path = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    let paths = text
        .match_indices("crate::")
        .map(|(at, found)| text[at + found.len()..].chars().take_while(|c| is_path(*c)).collect::<String>());
    paths.filter(|path| !path.split("::").any(|part| part == "tests")).collect()
}

#[test]
fn rules_are_pure() {
    let words = [
        "tokio",
        "reqwest",
        "rusqlite",
        "lettre",
        "tracing::",
        "async fn",
        "std::fs",
        "TcpStream",
        "TcpListener",
        "UdpSocket",
        "ToSocketAddrs",
        "std::env",
        "SystemTime",
        "Instant",
        "::now(",
    ];
    assert_eq!(offenders(&words, |name| !is_pure(name)), Vec::<String>::new());
}

#[test]
fn rules_use_rules_alone() {
    let pure_modules: BTreeSet<String> = PURE
        .iter()
        .map(|path| path.trim_start_matches("src/").trim_end_matches(".rs").trim_end_matches('/').replace('/', "::"))
        .collect();
    let mut wrong = Vec::new();
    for (name, text) in sources("src").into_iter().filter(|(name, _)| is_pure(name) && !is_test(name)) {
        for module in named_modules(&code(&text)) {
            let known = pure_modules.iter().any(|pure| module == *pure || module.starts_with(&format!("{pure}::")));
            if !known || module.split("::").any(|part| part.starts_with("store")) {
                wrong.push(format!("{name}: {module}"));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn rooms_use_only_the_rooms_before_them() {
    let place = |room: &str| ROOMS.iter().position(|known| *known == room);
    let mut wrong = Vec::new();
    for (name, text) in sources("src").into_iter().filter(|(name, _)| !is_test(name)) {
        let Some(own) = name.split('/').nth(1).and_then(place) else { continue };
        for module in named_modules(&code(&text)) {
            let other = module.split("::").next().and_then(place);
            if other.is_some_and(|other| other > own) {
                wrong.push(format!("{name}: {module}"));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

/// The place in a room: shells use stores and rules, stores use rules, rules use rules.
fn layer(name: &str) -> usize {
    if is_store(name) { 1 } else { usize::from(!is_pure(name)) * 2 }
}

/// The file that a path of modules leads into; none for paths of other crates.
fn file_of<'f>(module: &str, files: &'f BTreeSet<String>) -> Option<&'f str> {
    let parts: Vec<&str> = module.split("::").filter(|part| !part.is_empty()).collect();
    let found = (1..=parts.len()).rev().find_map(|n| {
        let path = format!("src/{}", parts[..n].join("/"));
        files.get(&format!("{path}.rs")).or_else(|| files.get(&format!("{path}/mod.rs")))
    });
    found.map(String::as_str)
}

/// The paths from `crate` of all imports, one for each name in braces.
fn imports(text: &str) -> Vec<String> {
    let uses = text.split(';').filter_map(|item| item.split_once("use crate::").map(|(_, path)| path));
    uses.flat_map(|path| {
        let (before, names) = path.split_once('{').unwrap_or((path, ""));
        let one = |name: &str| format!("{before}{}", name.trim()).split(' ').next().unwrap_or_default().to_owned();
        names.trim_end_matches('}').split(',').map(one).collect::<Vec<_>>()
    })
    .collect()
}

/// Which files of the product each file uses.
fn used_files() -> BTreeMap<String, BTreeSet<String>> {
    let texts: Vec<(String, String)> = sources("src").into_iter().filter(|(name, _)| !is_test(name)).collect();
    let files: BTreeSet<String> = texts.iter().map(|(name, _)| name.clone()).collect();
    let used = texts.iter().map(|(name, text)| {
        let code = code(text);
        let named = named_modules(&code).into_iter().filter(|module| !module.ends_with("::"));
        let modules = imports(&code).into_iter().chain(named);
        let used = modules.filter_map(|module| file_of(&module, &files).map(str::to_owned));
        (name.clone(), used.filter(|other| other != name).collect())
    });
    used.collect()
}

#[test]
fn stores_use_no_shells() {
    let room = |name: &str| name.split('/').nth(1).map(str::to_owned);
    let wrong: Vec<String> = used_files()
        .iter()
        .flat_map(|(name, used)| used.iter().map(move |other| (name, other)))
        .filter(|(name, other)| room(name) == room(other) && layer(other) > layer(name))
        .map(|(name, other)| format!("{name}: {other}"))
        .collect();
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn files_use_each_other_in_no_circle() {
    let used = used_files();
    let reaches_itself = |start: &String| {
        let (mut seen, mut todo) = (BTreeSet::new(), vec![start]);
        while let Some(name) = todo.pop() {
            todo.extend(used.get(name).into_iter().flatten().filter(|other| seen.insert(*other)));
        }
        seen.contains(start)
    };
    let wrong: Vec<&String> = used.keys().filter(|name| reaches_itself(name)).collect();
    assert_eq!(wrong, Vec::<&String>::new());
}

#[test]
fn every_folder_is_a_room() {
    let folders: BTreeSet<String> = sources("src")
        .into_iter()
        .filter_map(|(name, _)| name.split('/').nth(1).filter(|f| !f.ends_with(".rs")).map(str::to_owned))
        .collect();
    assert_eq!(folders, ROOMS.iter().map(|room| (*room).to_owned()).collect());
}

#[test]
fn each_fact_has_one_owner() {
    type Owner = fn(&str) -> bool;
    let rules: [(&[&str], Owner); 5] = [
        (&["rusqlite::", "prepare_cached("], |name| {
            is_store(name) || name.starts_with("src/ledger/") || ["src/exit.rs", "src/internals.rs"].contains(&name)
        }),
        (&["tokio_cron_scheduler"], |name| ["src/service/scheduler.rs", "src/telemetry.rs"].contains(&name)),
        (&["Timestamp::now(", "Zoned::now(", "ZonedDateTime::now(", "SystemTime::now("], |name| {
            !is_store(name)
                && ["console", "service", "commands", "simulator"]
                    .iter()
                    .any(|room| name.starts_with(&format!("src/{room}/")))
        }),
        (&["lettre::"], |name| name.starts_with("src/notify/") || name.starts_with("src/config/")),
        // Doctor asks an address before it is known whether there is a key for it.
        (&["reqwest::Client"], |name| {
            ["src/notify/", "src/llamacloud/", "src/service/doctor/"].iter().any(|owner| name.starts_with(owner))
        }),
    ];
    for (words, owns) in rules {
        assert_eq!(offenders(words, owns), Vec::<String>::new());
    }
}

/// The rooms whose rows are still read by number; none may be added.
const NUMBERED_ROWS: [&str; 1] = ["src/grouping/"];

#[test]
fn rows_of_more_than_two_columns_are_read_by_name() {
    let numbers: Vec<String> = (2..16)
        .flat_map(|n| [format!("row.get({n})"), format!("row.get_ref({n})"), format!(">({n})?"), format!("(row, {n})")])
        .collect();
    let words: Vec<&str> = numbers.iter().map(String::as_str).collect();
    let is_free = |name: &str| NUMBERED_ROWS.iter().any(|room| name.starts_with(room));
    assert_eq!(offenders(&words, is_free), Vec::<String>::new());
}

#[test]
fn files_and_folders_stay_small() {
    let mut wrong: Vec<String> = ["src", "tests"]
        .iter()
        .flat_map(|folder| sources(folder))
        .map(|(name, text)| (name, text.lines().count(), before_tests(&text).lines().count()))
        .filter(|(_, all, code)| *all > 800 || *code > 500)
        .map(|(name, all, code)| format!("{name}: {all} lines, {code} without tests"))
        .collect();
    let mut folders = BTreeMap::new();
    for (name, _) in sources("src").into_iter().filter(|(name, _)| !name.ends_with("/mod.rs")) {
        let folder = Path::new(&name).parent().unwrap().display().to_string();
        *folders.entry(folder).or_insert(0) += 1;
    }
    wrong.extend(
        folders.into_iter().filter(|(_, files)| *files > 15).map(|(folder, files)| format!("{folder}: {files} files")),
    );
    assert_eq!(wrong, Vec::<String>::new());
}

/// A file's tests stand at its end; a folder has `tests.rs` or `tests/` if there are several files to test together.
#[test]
fn unit_tests_stand_at_the_end_or_in_tests() {
    let files: Vec<(String, String)> = sources("src").into_iter().filter(|(name, _)| !is_test(name)).collect();
    let mut wrong = Vec::new();
    for (name, text) in &files {
        let is_elsewhere = ["#[test]", "#[tokio::test"].iter().any(|test| before_tests(text).contains(test));
        let is_followed = text.split_once(TESTS).is_some_and(|(_, tests)| tests.find("\n}\n") != Some(tests.len() - 3));
        let has_others = text.split("#[cfg(test)]\n").skip(1).any(|test| {
            let item = test.trim_start_matches("pub(crate) ");
            item.starts_with("mod ") && !item.starts_with("mod tests")
        });
        let folder = name.trim_end_matches("mod.rs");
        let is_alone =
            text.contains("mod tests;\n") && files.iter().filter(|(file, _)| file.starts_with(folder)).count() < 2;
        if is_elsewhere || is_followed || has_others || is_alone {
            wrong.push(name);
        }
    }
    assert_eq!(wrong, Vec::<&String>::new());
}

/// Whether a folder of the module's name holds sources.
fn has_sources(name: &str) -> bool {
    let folder = std::fs::read_dir(root().join(name.trim_end_matches(".rs")));
    folder.is_ok_and(|found| found.flatten().any(|entry| entry.path().extension().is_some_and(|e| e == "rs")))
}

#[test]
fn modules_with_children_are_called_mod() {
    let beside: Vec<String> =
        sources("src").into_iter().map(|(name, _)| name).filter(|name| has_sources(name)).collect();
    assert_eq!(beside, Vec::<String>::new());
}

#[test]
fn every_module_says_what_it_is() {
    let silent: Vec<String> = sources("src")
        .into_iter()
        .filter(|(name, text)| !is_test(name) && !text.starts_with("//!"))
        .map(|(name, _)| name)
        .collect();
    assert_eq!(silent, Vec::<String>::new());
}

/// A chain of errors is printed with its sources: one that is in the text as well is said twice.
#[test]
fn no_error_says_its_source_twice() {
    let twice = sources("src").into_iter().filter(|(_, text)| {
        text.lines().any(|line| line.trim_start().starts_with("#[error(") && line.contains("{source}"))
    });
    assert_eq!(twice.map(|(name, _)| name).collect::<Vec<_>>(), Vec::<String>::new());
}

#[test]
fn nothing_is_named_after_nothing() {
    for (name, _) in sources("src") {
        let stem = Path::new(&name).file_stem().unwrap().to_string_lossy().into_owned();
        assert!(
            !["util", "utils", "helper", "helpers", "manager", "common", "misc"].contains(&stem.as_str()),
            "{name}"
        );
    }
}

#[test]
fn the_architecture_names_files_that_exist() {
    let text = std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let known: Vec<String> = ["src", "tests"].iter().flat_map(|folder| sources(folder)).map(|(name, _)| name).collect();
    let named: Vec<&str> = text.split('`').skip(1).step_by(2).filter(|name| name.ends_with(".rs")).collect();
    assert!(named.len() > 50, "{named:?}");
    let exists = |name: &str| known.iter().any(|file| format!("/{file}").ends_with(&format!("/{name}")));
    let gone: Vec<&&str> = named.iter().filter(|name| !exists(name)).collect();
    assert_eq!(gone, Vec::<&&str>::new());
}
