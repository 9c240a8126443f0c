//! Which differences matter and which do not.

use crate::grouping::grouper::{Grouper, Subject};
use crate::grouping::id::GroupId;
use crate::grouping::tests::{all_apart, failed, one_group, template};
use crate::model::item::Kind;

#[test]
fn values_become_slots_of_their_kind() {
    for (message, expected) in [
        ("Rendered 12 of 3,400 pages", "Rendered <n> of <n> pages"),
        ("Cannot fetch https://a.example.org/x?y=1: gone", "Cannot fetch <url>: gone"),
        ("Stored as /var/data/7/out.bin yesterday", "Stored as <path> yesterday"),
        ("Gave up after 5m17.2s", "Gave up after <duration>"),
        ("Gave up after 30 seconds", "Gave up after <duration>"),
        ("Object of 12.5 MB refused", "Object of <size> refused"),
        ("Job 0b9f6f0e-6d3c-4c53-9a51-0f4a8e3f2d11 vanished", "Job <id> vanished"),
        ("Job pjb-HwJREZ7QOeb0A6smKd vanished", "Job <id> vanished"),
        ("Owner jo.doe@example.org unknown", "Owner <email> unknown"),
        ("Node 10.0.3.7:8443 unreachable", "Node <host> unreachable"),
        ("Address 0x7f3a99c0 unmapped", "Address <hex> unmapped"),
        ("Expired on 2026-04-01T10:00:00Z already", "Expired on <time> already"),
        ("Expired on Tue Mar 03 10:11:12 UTC 2026 already", "Expired on <time> already"),
        ("Cannot read 'Plan B (2).docx' twice", "Cannot read <file> twice"),
        ("Unknown keys ['a', 'b', 'c'] given", "Unknown keys <list> given"),
        ("retries=3 verbose=true owner=", "retries=<n> verbose=<flag> owner="),
        ("Client version v2.10.3 too old", "Client version <version> too old"),
        ("文件“报告.pdf”第3页损坏", "文件<file>第<n>页损坏"),
    ] {
        assert_eq!(template(message), expected, "{message:?}");
    }
}

#[test]
fn keys_never_reach_a_template() {
    for message in
        ["refused llx-abcdefghijkl here", "refused header Bearer abcd-efgh-ijkl here", "refused sk-abcdefghijkl here"]
    {
        assert!(!template(message).contains("abcd"), "{}", template(message));
    }
}

#[test]
fn a_template_read_again_stays_the_same() {
    for message in
        ["Rendered 12 of 40 pages in 3s", "Cannot fetch https://a.example.org/x: gone", "retries=3 owner=root"]
    {
        let once = template(message);
        let again = template(&once);
        assert_eq!(again.replace("<text>", "<n>").matches('<').count(), once.matches('<').count(), "{once} / {again}");
    }
}

#[test]
fn statuses_codes_and_exceptions_keep_groups_apart() {
    all_apart(&["HTTP 429", "HTTP 500", "HTTP 503"]);
    all_apart(&["backend replied with status code 429", "backend replied with status code 529"]);
    all_apart(&[
        "Client error '404 Not Found' for url 'http://a.b/c'",
        "Client error '403 Forbidden' for url 'http://a.b/c'",
    ]);
    all_apart(&[
        "converter exited with status 1",
        "converter exited with status 2",
        "converter exited with status 127",
    ]);
    all_apart(&["E4101: bad range", "E4102: bad range"]);
    all_apart(&["[ZIP-2001] stage failed", "[ZIP-2002] stage failed"]);
    all_apart(&["ValueError: bad page", "KeyError: bad page"]);
    all_apart(&["[Errno 13] cannot open '/a/b'", "[Errno 28] cannot open '/a/b'"]);
    all_apart(&["reading the table failed", "writing the table failed", "sorting the table failed"]);
    all_apart(&["Job failed: FILE_TOO_LARGE", "Job failed: FILE_IS_LOCKED", "Job failed: FILE_IS_EMPTY"]);
}

#[test]
fn ids_names_amounts_and_lengths_do_not_matter() {
    one_group(&["Lease of worker-3 on 10.1.2.3:80 lost", "Lease of worker-77 on db.example.com:5432 lost"]);
    one_group(&["Missing columns: total", "Missing columns: total, buyer", "Missing columns: a, b, c, d and e"]);
    one_group(&["Bad box [1, 2]", "Bad box [1, 2, 3, 4]", "Bad box []"]);
    one_group(&["1 error found in 'a.pdf'", "12 errors found in 'b c.pdf'"]);
    one_group(&["peer lost () at 10:11:12", "peer lost (mail.example.org) at 10:11:13"]);
    one_group(&["sent 12 bytes (1.2 KB) to a.example.org:80", "sent 12 bytes to b.example.org:80"]);
    one_group(&[
        "value='' refused by rule 3",
        "value='twelve' refused by rule 4",
        "value={'a': [1, 2]} refused by rule 5",
    ]);
    one_group(&["Datei „a.pdf“ hat 3 Seiten", "Datei „b c.pdf“ hat 30 Seiten"]);
    one_group(&["ファイル「請求書.pdf」は12ページです", "ファイル「a b.docx」は7ページです"]);
    one_group(&["파일 'a.pdf'의 3쪽이 비었습니다", "파일 '보고서 2.pdf'의 14쪽이 비었습니다"]);
    one_group(&[
        "bad payload: QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo0NTY3ODk=",
        "bad payload: eyJhIjoxLCJiIjpbMSwyLDMsNCw1XSwiYyI6ImhlbGxvIn0+Lw==",
    ]);
}

#[test]
fn names_without_quotes_are_learned_from_several_messages() {
    one_group(&[
        "quota of tenant orchid reached for today",
        "quota of tenant bramble reached for today",
        "quota of tenant Nimbus Works reached for today",
        "quota of tenant tundra reached for today",
    ]);
}

#[test]
fn the_more_words_two_messages_share_the_less_it_takes_to_join_them() {
    one_group(&[
        "lease of the north belt was not renewed before the shift ended in hall 3",
        "lease of the second belt was not renewed before the shift ended in hall 4",
    ]);
    one_group(&[
        "belt orchid in hall north could not be started by tundra because the tray was open",
        "belt bramble in hall south could not be started by lagoon because the tray was open",
    ]);
    all_apart(&["the north belt was open", "the second belt was open", "the orchid belt was open"]);
}

#[test]
fn what_may_be_the_reason_keeps_long_sentences_apart() {
    let sentence =
        |end: &str| format!("belt 3 was taken out of the hall by the night shift because it ran low on {end}");
    all_apart(&[&sentence("memory"), &sentence("space")]);
    let sentence = |state: &str| format!("belt 3 of the hall was found in state {state} by the night shift on its way");
    all_apart(&[&sentence("MOVING"), &sentence("WAITING")]);
    let sentence = |verb: &str| format!("belt 3 of the hall was {verb} by the night shift on its way to the gate");
    all_apart(&[&sentence("refused"), &sentence("locked"), &sentence("not seen")]);
}

#[test]
fn what_was_done_about_it_makes_no_difference() {
    one_group(&[
        "feeder lost the sheet",
        "feeder lost the sheet, ignoring",
        "feeder lost the sheet; retrying in 5 s",
        "feeder lost the sheet after 3.5 s",
        "2026-03-01T10:11:12Z WARN [feed-7] lab.feed.Tray - feeder lost the sheet",
        "2026-03-01 10:11:12,123 ERROR lab.feed: feeder lost the sheet",
    ]);
    all_apart(&["feeder lost the sheet", "feeder lost the sheet, tray missing", "feeder lost the sheet after a jam"]);
}

#[test]
fn file_names_with_spaces_and_no_quotes_are_names_from_their_first_word_on() {
    one_group(&[
        "Signature missing in minutes.docx, page 3",
        "Signature missing in Q3 board minutes.docx, page 1",
        "Signature missing in 議事録.docx, page 1",
        "Signature missing in letter minutes.docx, page 9",
        "Signature missing in annex letter.docx, page 9",
        "Signature missing in budget 2027 minutes.docx, page 9",
        "Signature missing in Übergabe final (2).docx, page 2",
        "Signature missing in old draft Übergabe.docx, page 2",
        "Signature missing in scan final minutes.docx, page 2",
        "Signature missing in final v2.docx, page 2",
    ]);
    all_apart(&[
        "could not open minutes.docx",
        "could not read minutes.docx",
        "could not convert minutes.docx",
        "could not upload minutes.docx",
        "could not render minutes.docx",
        "could not sign minutes.docx",
        "could not save minutes.docx",
    ]);
}

#[test]
fn file_names_with_blanks_are_found_in_a_single_message() {
    for (message, expected) in [
        ("Signature of letter from Anna (2).docx missing", "Signature of <file> missing"),
        ("no pages in Relatório final, v2_86.tiff", "no pages in <file>"),
        ("Q3 tundra (final).pdf: damaged", "<file>: damaged"),
        ("no owner (Plan Nord - Copy (4).pdf) set", "no owner (<file>) set"),
        ("layout lost: quota for annex Nord.docx, page 3", "layout lost: quota for <file>, page <n>"),
        ("could not sign minutes.docx", "could not sign <file>"),
        ("the validator flags minutes.docx", "the validator flags <file>"),
        ("No se pudo abrir contrato.pdf", "No se pudo abrir <file>"),
        ("reading failed in file minutes.docx", "reading failed in file <file>"),
    ] {
        assert_eq!(template(message), expected, "{message:?}");
    }
}

#[test]
fn a_class_is_the_same_with_and_without_its_package() {
    one_group(&["lab.io.errors.TornPageError: half", "TornPageError: half", "Lab.Io2.TornPageError: half"]);
    one_group(&["lab2.errors.TornPage: half read", "TornPage: half read"]);
    all_apart(&["lab.TornPageError: half", "lab.BlankPageError: half", "lab.torn: half", "lab.blank: half"]);
}

#[test]
fn data_in_brackets_or_at_the_end_makes_no_difference() {
    one_group(&[
        "belt torn while feeding",
        "belt torn while feeding (tries so far: 4)",
        "belt torn while feeding [sheet=a.pdf]",
        "belt torn while feeding (a.pdf)",
        "belt torn (speed: 12) while feeding",
        "belt torn while feeding: /var/lab/9/a.png",
    ]);
    all_apart(&[
        "belt torn while feeding",
        "belt torn while feeding (E_DRY)",
        "belt torn while feeding (exit 3)",
        "belt torn while feeding (jam refused 3)",
        "belt torn while feeding: dry",
    ]);
}

#[test]
fn a_class_around_a_code_makes_no_difference() {
    one_group(&[
        "LabRequestError: HTTP 429 from the belt",
        "HTTP 429 from the belt",
        "LabError: HTTP 429 from the belt",
    ]);
    one_group(&["LabError: TornBeltError: no paper", "TornBeltError: no paper"]);
    all_apart(&[
        "LabError: HTTP 429 from the belt",
        "LabError: HTTP 503 from the belt",
        "LabError: no paper",
        "no paper",
    ]);
}

#[test]
fn a_quoted_reason_counts_without_a_word_of_failure_in_it() {
    all_apart(&["Feeding failed: \"out of paper\"", "Feeding failed: \"belt in motion\"", "Fehler: „Band im Lauf“"]);
    all_apart(&["LabError: (1045, \"belt in motion\")", "LabError: (1045, \"tray not in place\")"]);
    all_apart(&["feeder said: \"come later\"", "feeder said: \"tray open\"", "feeder said: \"belt in motion\""]);
    all_apart(&["feeder replied 'tray open' and left", "feeder replied 'belt in motion' and left"]);
    one_group(&["The model said: \"Sure, here is a tray\"", "The model said: \"Paper of March\""]);
    all_apart(&[r#"{"failed_trays":{"3":"belt in motion"}}"#, r#"{"failed_trays":{"3":"tray not in place"}}"#]);
    one_group(&["Feeding failed: 'tray 7'", "Feeding failed: 'Plan B'", "Feeding failed: 'x.pdf'"]);
}

#[test]
fn a_permission_is_kept_in_quotes_too() {
    all_apart(&["Permission 'lab.sheets.get' denied", "Permission 'lab.sheets.print' denied"]);
}

#[test]
fn a_body_is_read_for_what_it_says() {
    one_group(&[
        r#"{"detail":"Signature expired","request_id":"0b9f6f0e-6d3c-4c53-9a51-0f4a8e3f2d11"}"#,
        r#"{"request_id": "77", "detail": "Signature expired", "at": "2026-01-01"}"#,
    ]);
    all_apart(&[r#"{"detail":"Signature expired"}"#, r#"{"detail":"Signature missing"}"#]);
    all_apart(&[
        "{'error': {'message': 'Slow down', 'code': 429}}",
        "{'error': {'message': 'Slow down', 'code': 529}}",
    ]);
    one_group(&[
        "Proxy said <html><head><title>502 Bad Gateway</title></head><body><hr>x/1.2</body></html>",
        "Proxy said <HTML>\n<HEAD><TITLE>502 Bad Gateway</TITLE></HEAD>\n<BODY>request 8a7b6c5d</BODY></HTML>",
    ]);
    all_apart(&["<html><title>502 Bad Gateway</title></html>", "<html><title>504 Gateway Timeout</title></html>"]);
}

#[test]
fn a_status_at_the_beginning_is_kept_and_a_count_is_not() {
    all_apart(&["503 from layout service", "404 from layout service", "[503] layout service", "[429] layout service"]);
    all_apart(&["403: no access to a.pdf", "404: no access to a.pdf", "502 - layout service", "504 - layout service"]);
    one_group(&["404 pages lost", "412 pages lost"]);
    one_group(&["500 / 600 pages done", "501 / 600 pages done"]);
    one_group(&["[103] layout service", "[77] layout service"]);
}

#[test]
fn silent_items_group_by_job_type_or_skip_reason() {
    let mut grouper = Grouper::new();
    let mut group = |kind, job_type, skip_reason, message| {
        let handle = grouper.assign(&Subject { kind, job_type, skip_reason, message, item_name: None });
        grouper.id(handle).clone()
    };
    let parse = group(Kind::Failed, "parse", None, None);
    assert_eq!(parse, group(Kind::Failed, "parse", None, Some("  ")));
    assert_ne!(parse, group(Kind::Failed, "extract", None, None));
    let done = group(Kind::Skipped, "parse", Some("already_done"), None);
    assert_eq!(done, group(Kind::Skipped, "extract", Some("already_done"), None));
    assert_ne!(done, group(Kind::Skipped, "parse", Some("too_big"), None));
    assert_ne!(
        group(Kind::Skipped, "parse", Some("a"), Some("Page 1")),
        group(Kind::Skipped, "parse", Some("b"), Some("Page 1"))
    );
    assert_ne!(group(Kind::Failed, "parse", None, Some("Page 1")), group(Kind::Skipped, "parse", None, Some("Page 1")));
}

#[test]
fn ids_do_not_depend_on_what_the_first_message_held() {
    let id = |message: &str| {
        let mut grouper = Grouper::new();
        let handle = grouper.assign(&failed(message));
        grouper.id(handle).to_string()
    };
    assert_eq!(id("Page 3 of job 17 failed"), id("Page 44 of job 0b9f6f0e-6d3c-4c53-9a51-0f4a8e3f2d11 failed"));
    assert_eq!(id("Page 3 of job 17 failed"), "g-ca8537053f", "ids must never change");
    assert_eq!("g-0123456789".parse::<GroupId>().map(|id| id.to_string()), Ok("g-0123456789".to_owned()));
    assert!("g-012345678".parse::<GroupId>().is_err());
    assert!("g-01234567xy".parse::<GroupId>().is_err());
}

#[test]
fn titles_are_short_and_name_their_slots() {
    let title = |message: &str| {
        let mut grouper = Grouper::new();
        let handle = grouper.assign(&failed(message));
        grouper.title(handle)
    };
    assert_eq!(title("Page 3 of 7 failed"), "Page <page> of <n> failed");
    assert_eq!(title("[2026-01-02 03:04:05,678] cache of user 'x' lost"), "cache of user <user> lost");
    let long = title(
        "while moving a rather long sentence about nothing in particular through the machine it broke into several unequal parts",
    );
    assert!(long.chars().count() <= 100 && long.contains(" … "), "{long}");
}

#[test]
fn a_pin_holds_and_both_ids_keep_resolving() {
    let mut grouper = Grouper::new();
    let old = grouper.assign(&failed("the scanner is on fire"));
    let young = grouper.assign(&failed("smoke seen near the scanner"));
    let old_id = grouper.id(old).clone();
    grouper.merge(old, young);
    assert_eq!(grouper.resolve(old), young);
    let again = Grouper::restore(grouper.take_changes()).expect("what was stored can be read");
    let handle = again.handle_of(&old_id).expect("the old id is known");
    assert_eq!(again.id(handle), grouper.id(young));
}

#[test]
fn an_explanation_names_masks_group_and_neighbour_and_changes_nothing() {
    let mut grouper = Grouper::new();
    let handle = grouper.assign(&failed("Page 3 of 'a.pdf' failed"));
    grouper.assign(&failed("Page 3 of 'a.pdf' skipped"));
    grouper.take_changes();
    let told = grouper.explain(&failed("Page 12 of 'b.pdf' failed"));
    assert_eq!(told.group, Some(grouper.id(handle).to_string()));
    assert_eq!(told.masks, [("n".to_owned(), "12".to_owned()), ("file".to_owned(), "'b.pdf'".to_owned())]);
    assert_eq!(told.nearest.map(|nearest| nearest.1), Some("Page <n> of <file> skipped".to_owned()));
    assert_eq!(grouper.explain(&failed("an unheard of message")).group, None);
    assert!(grouper.take_changes().is_empty());
}
