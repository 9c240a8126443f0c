//! What is done in a browser is what the command does, with the person in the audit log, and can be undone.

use reqwest::StatusCode;
use reqwest::header::HeaderMap;

use super::{BUSY, group_of, scanned, start, token};
use crate::serve::{Serving, command, terminate, wait_for};

#[tokio::test(flavor = "multi_thread")]
async fn a_group_is_acknowledged_and_the_undo_withdraws_it() {
    let site = scanned("[console]\nactions = \"triage\"\n").await;
    let console = start(&site);
    let group = group_of(&site, BUSY);
    let question = format!("/act?act=ack&id={group}");
    let audited = || site.texts("SELECT actor || ' ' || action || ' ' || subject FROM audit ORDER BY audit_id DESC");
    let before = audited().len();
    console.page(&question).await;
    assert_eq!(audited().len(), before, "a GET does nothing");
    let done = console.act(&question, &[("act", "ack"), ("id", &group), ("until", "tomorrow")]).await;
    assert_eq!(audited()[0], format!("Ann Example ack {group}"));
    let page = console.page(&done).await;
    assert!(page.contains("Ann Example") && page.contains("acknowledged"), "{page}");
    assert!(console.page(&format!("/g/{group}")).await.contains("acknowledged"));
    let undo = token(&page);
    let form = [("form", undo.as_str()), ("act", "unack"), ("id", &group), ("person", "Ann Example")];
    let answer = console.post("/act", &form, HeaderMap::new()).await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    assert_eq!(audited()[0], format!("Ann Example unack {group}"));
    let again = console.post("/act", &form, HeaderMap::new()).await;
    assert_eq!(again.status(), StatusCode::FORBIDDEN, "a form is taken once");
    assert!(again.text().await.unwrap().contains("already submitted"));
    assert_eq!(audited().len(), before + 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_action_has_a_question_and_the_audit_row_of_its_command() {
    let site = scanned("").await;
    let console = start(&site);
    let (busy, locked) = (group_of(&site, BUSY), group_of(&site, "PDF_IS_PROTECTED"));
    let last = || site.texts("SELECT actor || ' ' || action FROM audit ORDER BY audit_id DESC").remove(0);
    let act = async |kind: &str, query: &str, form: &[(&str, &str)]| {
        let mut all = vec![("act", kind), ("id", busy.as_str())];
        all.extend_from_slice(form);
        console.act(&format!("/act?act={kind}&id={busy}{query}"), &all).await
    };
    let preview = console.page(&format!("/act?act=silence&id={busy}&for=4h&reason=known&ready=1")).await;
    assert!(preview.contains("2 of 2 open items"), "{preview}");
    act("silence", "&for=4h&reason=known&ready=1", &[("for", "4h"), ("reason", "known")]).await;
    assert_eq!(last(), "Ann Example silence");
    act("unsilence", "", &[]).await;
    assert_eq!(last(), "Ann Example unsilence");
    let done = act("assign", "", &[("to", "Bo"), ("ticket", "https://tickets.example/1")]).await;
    assert_eq!(last(), "Ann Example assign");
    assert!(console.page(&done).await.contains("assign it to no one"));
    let page = console.page(&format!("/g/{busy}")).await;
    assert!(page.contains("<a href=\"https://tickets.example/1\" rel=\"noopener noreferrer\">Bo</a>"), "{page}");
    let again = act("assign", "", &[("to", "Cy")]).await;
    assert!(console.page(&again).await.contains("name=\"to\" value=\"Bo\""), "the undo assigns it as before");
    act("unassign", "", &[]).await;
    assert_eq!(last(), "Ann Example unassign");
    act("note", "", &[("text", "ask the vendor")]).await;
    assert_eq!(last(), "Ann Example note");
    act("dismiss", "", &[("reason", "a test")]).await;
    assert_eq!(last(), "Ann Example dismiss");
    act("undismiss", "", &[("reason", "it was none")]).await;
    assert_eq!(last(), "Ann Example undismiss");
    let question = console.page(&format!("/act?act=class&id={busy}")).await;
    assert!(question.contains("<option>config</option>"), "{question}");
    let done = act("class", "", &[("class", "config"), ("reason", "a setting is wrong")]).await;
    assert_eq!(last(), "Ann Example class");
    let page = console.page(&done).await;
    assert!(page.contains("classify it automatically again"), "{page}");
    assert!(page.contains("[[rule]]") && page.contains("class = &quot;config&quot;"), "{page}");
    assert!(console.page(&format!("/g/{busy}")).await.contains("your settings"));
    act("rename", "", &[("title", "Vendor outage")]).await;
    assert!(console.page(&format!("/g/{busy}")).await.contains("<h1>Vendor outage</h1>"));
    let preview = console.page(&format!("/act?act=merge&id={locked}&into={busy}&ready=1")).await;
    assert!(preview.contains("Vendor outage") && preview.contains("permanent"), "{preview}");
    let merge = format!("/act?act=merge&id={locked}&into={busy}&ready=1");
    console.act(&merge, &[("act", "merge"), ("id", &locked), ("into", &busy)]).await;
    assert_eq!(last(), "Ann Example merge");
    let refused = console.get(&format!("/act?act=retry&id={busy}")).await;
    assert_eq!(refused.status(), StatusCode::FORBIDDEN, "retries are not allowed by default");
}

#[tokio::test(flavor = "multi_thread")]
async fn several_groups_are_acted_on_at_once_and_what_is_refused_is_said() {
    let site = scanned("").await;
    let console = start(&site);
    let (busy, locked) = (group_of(&site, BUSY), group_of(&site, "PDF_IS_PROTECTED"));
    console.act(&format!("/act?act=ack&id={busy}"), &[("act", "ack"), ("id", &busy), ("until", "2x")]).await;
    let form = console.token(&format!("/act?act=unack&id={busy}&id={locked}")).await;
    let form = [("form", form.as_str()), ("act", "unack"), ("id", &busy), ("id", &locked), ("person", "Ann")];
    let answer = console.post("/act", &form, HeaderMap::new()).await;
    assert_eq!(answer.status(), StatusCode::OK);
    let page = answer.text().await.unwrap();
    assert!(page.contains("withdrew") && page.contains(&format!("{locked} is not acknowledged")), "{page}");
    let none = console.token(&format!("/act?act=unack&id={locked}")).await;
    let none = [("form", none.as_str()), ("act", "unack"), ("id", &locked), ("person", "Ann")];
    assert_eq!(console.post("/act", &none, HeaderMap::new()).await.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let nameless = console.token(&format!("/act?act=ack&id={busy}")).await;
    let nameless = [("form", nameless.as_str()), ("act", "ack"), ("id", &busy), ("until", "2x"), ("person", " ")];
    assert_eq!(console.post("/act", &nameless, HeaderMap::new()).await.status(), StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_is_planned_confirmed_with_its_number_and_executed_by_the_service() {
    let site = scanned("[console]\nactions = \"retry\"\n[schedule]\nscan = \"2s\"\n").await;
    let console = start(&site);
    let busy = group_of(&site, BUSY);
    let question = format!("/act?act=retry&id={busy}");
    let plan = console.act(&question, &[("act", "retry"), ("id", &busy), ("limit", "1")]).await;
    let page = console.page(&plan).await;
    assert!(page.contains("to approve") && page.contains("budget left") && page.contains("Submit 1 item"), "{page}");
    let id = plan.trim_start_matches("/p/");
    let apply = format!("/act?act=apply&plan={id}");
    let form = console.token(&apply).await;
    let wrong =
        [("form", form.as_str()), ("act", "apply"), ("plan", id), ("items", "2"), ("reason", "r"), ("person", "Ann")];
    let answer = console.post("/act", &wrong, HeaderMap::new()).await;
    assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY, "another number than that of the plan");
    let approved = "SELECT plan_id FROM plan WHERE applied_at IS NOT NULL";
    assert!(site.texts(approved).is_empty());
    let done = console.act(&apply, &[("act", "apply"), ("plan", id), ("items", "1"), ("reason", "it is over")]).await;
    assert!(console.page(&done).await.contains("approved plan"));
    assert_eq!(site.texts("SELECT applied_by FROM plan WHERE applied_at IS NOT NULL"), ["Ann Example"]);
    let mut serving = Serving(command(&site, "serve").spawn().unwrap());
    wait_for("the retry", || !site.texts("SELECT outcome FROM attempt").is_empty());
    assert!(terminate(&mut serving).success());
    assert!(console.page(&plan).await.contains("What became of it"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_that_was_not_sent_is_cancelled_and_one_without_an_outcome_abandoned() {
    let site = scanned("[console]\nactions = \"retry\"\n").await;
    let console = start(&site);
    let sent = "INSERT INTO intent (intent_id, project_key, group_key, job_type, trigger, actor, state, job_config,
             parameters_hash, items_hash, items, item_count, created_at, posting_at, api)
         SELECT printf('01ARZ3NDEKTSV4RRFFQ69G5F%02d', n.value), 1, group_key, 'parse', 'auto', 'auto',
             iif(n.value = 1, 'planned', 'unknown'), '{}', '', '', '[]', 1, ?1, iif(n.value = 1, NULL, ?1 - n.value * 3600000), 'v1-beta'
         FROM json_each('[0, 1, 3]') n, (SELECT group_key FROM error_group LIMIT 1)";
    let now = jiff::Timestamp::now().as_millisecond();
    rusqlite::Connection::open(site.path("ledger.db")).unwrap().execute(sent, [now]).unwrap();
    let [young, planned, old] = [0, 1, 3].map(|n| format!("01ARZ3NDEKTSV4RRFFQ69G5F{n:02}"));
    let page = console.page("/plans").await;
    assert!(page.contains(&format!("act=cancel&amp;intent={planned}")), "{page}");
    assert!(page.contains(&format!("act=abandon&amp;intent={old}")), "{page}");
    assert!(!page.contains(&format!("intent={young}")), "its batch is still being looked for: {page}");
    let act = async |kind: &str, id: &str| {
        let question = format!("/act?act={kind}&intent={id}");
        let done = console.act(&question, &[("act", kind), ("intent", id), ("reason", "gone")]).await;
        console.page(&done).await
    };
    assert!(act("cancel", &planned).await.contains("cancelled"));
    assert!(act("abandon", &old).await.contains("abandoned the retry"));
    assert_eq!(site.texts("SELECT state FROM intent ORDER BY intent_id"), ["unknown", "cancelled", "finished"]);
    let audit = "SELECT actor || ' ' || action FROM audit WHERE action LIKE 'reprocess%' ORDER BY audit_id";
    assert_eq!(site.texts(audit), ["Ann Example reprocess cancel", "Ann Example reprocess give-up"]);
    let question = format!("/act?act=abandon&intent={young}");
    let form = console.token(&question).await;
    let refused = [("form", form.as_str()), ("act", "abandon"), ("intent", &young), ("reason", "r"), ("person", "Ann")];
    let answer = console.post("/act", &refused, HeaderMap::new()).await;
    assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY);
    assert!(answer.text().await.unwrap().contains("still being looked for"));
}
