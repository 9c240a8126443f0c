//! Every page is there, says how old its data is, holds no script, and shows hostile texts as texts.

use super::{BUSY, HOSTILE, group_of, scanned, start};

#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_there_and_text_from_outside_is_text() {
    let site = scanned("[[channel]]\nname = \"folder\"\nkind = \"file\"\ndir = \"{dir}/out\"\n").await;
    // As a triage would store it, of every group of the world.
    rusqlite::Connection::open(site.path("ledger.db"))
        .unwrap()
        .execute_batch(
            "INSERT INTO incident (incident_id, started_at, noticed_at, last_failure_at, items, ended_items)
                 SELECT 'n-0a00000000', min(first_seen), max(last_seen), max(last_seen), 3, 9 FROM error_group;
             INSERT INTO onset (group_key, episode, at, noticed_at, escalated, items, incident_id)
                 SELECT group_key, 1, first_seen, last_seen, 0, 1, 'n-0a00000000' FROM error_group;",
        )
        .unwrap();
    let console = start(&site);
    let one = |sql: &str| site.texts(sql).remove(0);
    let hostile =
        group_of(&site, &one(&format!("SELECT text FROM message WHERE text <> '{BUSY}' AND text LIKE '%alert%'")));
    let item = one("SELECT item_id FROM item WHERE item_name LIKE '%alert%'");
    let (batch, digest) = (one("SELECT batch_id FROM batch"), one("SELECT digest_id FROM digest"));
    let paths = [
        "/".to_owned(),
        "/groups".to_owned(),
        "/groups?q=busy&state=all&class=transient&kind=failed&project=demo&since=7d&sort=open&page=1".to_owned(),
        format!("/g/{hostile}"),
        format!("/g/{}", &hostile[..6]),
        format!("/i/{item}"),
        format!("/b/{batch}"),
        "/incidents".to_owned(),
        "/n/n-0a00000000".to_owned(),
        "/n/0a".to_owned(),
        "/plans".to_owned(),
        format!("/d/{digest}"),
        "/audit?q=ann".to_owned(),
        "/search".to_owned(),
        "/search?q=alert".to_owned(),
        format!("/search?q={item}"),
        format!("/act?act=ack&id={hostile}"),
        format!("/act?act=silence&id={hostile}"),
        "/act?act=silence".to_owned(),
        format!("/act?act=silence&id={hostile}&ready=1&for=4h&reason=x"),
        format!("/act?act=rename&id={hostile}"),
    ];
    for path in paths.iter().filter(|path| !path.contains("project=demo")) {
        let answer = console.get(path).await;
        assert_eq!(answer.status(), 200, "{path}: {}", answer.text().await.unwrap());
        let headers = answer.headers().clone();
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(
            policy.contains("default-src 'none'") && !policy.contains("script") && !policy.contains("unsafe"),
            "{policy}"
        );
        assert_eq!(headers["cache-control"], "no-store", "{path}");
        assert_eq!(headers["x-content-type-options"], "nosniff");
        let page = answer.text().await.unwrap();
        assert!(!page.contains("<script") && !page.contains("<img") && !page.contains(" style="), "{path}: {page}");
        assert!(!page.contains('\u{202e}') && !page.contains(">49<"), "{path}");
        assert!(page.contains("Data as of"), "{path}");
        assert!(page.len() < 60_000, "{path}: {} bytes", page.len());
    }
    let (home, incident) = (console.page("/").await, console.page("/n/0a").await);
    assert!(home.contains("Open incidents") && home.contains("/n/n-0a00000000"), "{home}");
    assert!(incident.contains("&lt;text&gt;alert(") && incident.contains("/act?act=ack&amp;id="), "{incident}");
    assert!(console.page(&format!("/g/{hostile}")).await.contains("&lt;script&gt;"), "{HOSTILE}");
    let mail = console.get(&format!("/d/{digest}/mail")).await;
    assert!(mail.headers()["content-security-policy"].to_str().unwrap().contains("sandbox"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_alone_is_shown_and_nothing_can_be_done() {
    let site = scanned("").await;
    std::fs::rename(site.path("config.toml"), site.path("elsewhere.toml")).unwrap();
    let ledger = site.path("ledger.db");
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_llama-triage"))
        .env_clear()
        .current_dir(site.path(""))
        .args(["console", "--listen", "127.0.0.1:0", "--ledger"])
        .arg(&ledger)
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(child.stdout.take().unwrap()), &mut line).unwrap();
    let address = line.split_whitespace().find_map(|word| word.strip_prefix("http://")).expect(&line);
    let base = format!("http://{}", address.trim_end_matches('/'));
    let get = async |path: &str| reqwest::get(format!("{base}{path}")).await.unwrap();
    let home = get("/").await;
    assert_eq!(home.status(), 200);
    let group = group_of(&site, BUSY);
    let page = get(&format!("/g/{group}")).await.text().await.unwrap();
    assert!(page.contains(BUSY) && !page.contains("/act?"), "{page}");
    assert_eq!(get(&format!("/act?act=ack&id={group}")).await.status(), 403);
    assert_eq!(get("/i/none").await.status(), 404);
    assert_eq!(get("/nothing").await.status(), 404);
    child.kill().unwrap();
    child.wait().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_record_is_asked_for_ids_of_the_ledger_alone_and_never_stored() {
    let site = scanned("").await;
    let console = start(&site);
    let item = site.texts("SELECT item_id FROM item WHERE item_name LIKE '%locked%'").remove(0);
    let page = console.page(&format!("/i/{item}/record")).await;
    assert!(page.contains("PDF_IS_PROTECTED") && page.contains("it is not stored"), "{page}");
    assert_eq!(console.get("/i/00000000-0000-4000-8000-00000000ffff/record").await.status(), 404);
    let printed = site.command(&["report", "record", &item]).assert().success().get_output().stdout.clone();
    let record: serde_json::Value = serde_json::from_slice(&printed).unwrap();
    assert!(record.to_string().contains("PDF_IS_PROTECTED"), "{record}");
    site.command(&["report", "record", "00000000-0000-4000-8000-00000000ffff"]).assert().failure().code(3);
    site.command(&["report", "record", &item, "--state", "open"]).assert().failure().code(2);
    site.command(&["report", "record", &item, "--format", "csv"]).assert().failure().code(2);
    site.command(&["report", "record"]).assert().failure().code(2);
}
