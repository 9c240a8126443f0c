//! What must be refused: forged forms, foreign names, guessed tokens, borrowed headers, tricks in paths.

use reqwest::StatusCode;
use reqwest::header::{COOKIE, HOST, HeaderMap, HeaderName, HeaderValue};

use super::{BUSY, group_of, scanned, start};

fn headers<const N: usize>(all: [(&str, &str); N]) -> HeaderMap {
    let pair =
        |(name, value): (&str, &str)| (HeaderName::try_from(name).unwrap(), HeaderValue::try_from(value).unwrap());
    all.map(pair).into_iter().collect()
}

const TOKEN: &str = "a-token-that-is-long-enough";

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_form_and_a_foreign_name_do_nothing() {
    let site = scanned("").await;
    let console = start(&site);
    let group = group_of(&site, BUSY);
    let form = console.token(&format!("/act?act=ack&id={group}")).await;
    let body = [("form", form.as_str()), ("act", "ack"), ("id", &group), ("until", "2x"), ("person", "Eve")];
    for forged in [
        headers([]),
        headers([("origin", "https://evil.example")]),
        headers([("origin", "null")]),
        headers([("sec-fetch-site", "cross-site")]),
        headers([("origin", "https://evil.example"), ("sec-fetch-site", "same-origin")]),
    ] {
        let post = console.client.post(console.url("/act")).headers(forged.clone()).form(&body);
        assert_eq!(post.send().await.unwrap().status(), StatusCode::FORBIDDEN, "{forged:?}");
    }
    for host in ["evil.example", "evil.example:80", "127.0.0.1.evil.example", ""] {
        let get = console.client.get(console.url("/")).header(HOST, host);
        assert_ne!(get.send().await.unwrap().status(), StatusCode::OK, "{host}");
    }
    let own = headers([("origin", &format!("http://{}", console.address)), ("sec-fetch-site", "same-origin")]);
    for token in ["", "x", &form.replacen('.', "0.", 1)] {
        let body = [("form", token), ("act", "ack"), ("id", &group), ("until", "2x"), ("person", "Eve")];
        let post = console.client.post(console.url("/act")).headers(own.clone()).form(&body);
        assert_eq!(post.send().await.unwrap().status(), StatusCode::FORBIDDEN, "{token}");
    }
    let huge = [("form", form.as_str()), ("act", "note"), ("id", &group), ("text", &"x".repeat(100_000))];
    let post = console.client.post(console.url("/act")).headers(own).form(&huge);
    assert_eq!(post.send().await.unwrap().status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert!(site.texts("SELECT action FROM audit WHERE actor = 'Eve'").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_lead_nowhere_else_and_nothing_is_said_of_the_inside() {
    let site = scanned("").await;
    let console = start(&site);
    for path in [
        "/g/..%2F..%2Fetc%2Fpasswd",
        "/i/%00",
        "/i/%27%20OR%201=1--",
        "/b/%25",
        "/d/..%2F..",
        "/p/%F0%9F%92%A9",
        "/d/x%2Fmail",
        "/done?id=999999",
        "/done?id=-1&id=x",
        "/act?act=nothing&id=g-1",
        "/act?act=ack&id=g-nothing",
        "/groups?since=whenever",
        "/groups?kind=odd",
        "/groups?page=18446744073709551616",
        "/i/%ff",
    ] {
        let answer = console.get(path).await;
        let status = answer.status();
        assert!(status.is_client_error() || path.contains("page="), "{path}: {status}");
        let text = answer.text().await.unwrap();
        for inside in ["src/", "panicked", "SELECT", ".rs:", "root:"] {
            assert!(!text.contains(inside), "{path}: {text}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_asked_for_checked_limited_and_ends_old_sessions() {
    let site = scanned("").await;
    std::fs::write(site.path("token"), TOKEN).unwrap();
    site.configure("[console]\ntoken-file = \"{dir}/token\"\n");
    let console = start(&site);
    let turned_away = console.get("/groups?q=a").await;
    assert_eq!(turned_away.status(), StatusCode::SEE_OTHER);
    assert_eq!(turned_away.headers()["location"], "/log-in?next=%2Fgroups%3Fq%3Da");
    assert_eq!(console.get("/style.css").await.status(), StatusCode::OK);
    let log_in = async |token: &str, next: &str| {
        let form = console.token("/log-in").await;
        let body = [("form", form.as_str()), ("name", "Ann"), ("token", token), ("next", next)];
        console.post("/log-in", &body, HeaderMap::new()).await
    };
    let welcome = log_in(TOKEN, "//evil.example/").await;
    assert_eq!(welcome.status(), StatusCode::SEE_OTHER);
    assert_eq!(welcome.headers()["location"], "/", "a log-in leads nowhere else");
    let cookie = welcome.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert!(
        cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict") && cookie.contains("Max-Age=2592000"),
        "{cookie}"
    );
    let session = cookie.split(';').next().unwrap().to_owned();
    let with = |cookie: &str| console.client.get(console.url("/groups")).header(COOKIE, cookie.to_owned()).send();
    assert_eq!(with(&session).await.unwrap().status(), StatusCode::OK);
    for changed in [session.replacen('=', "=x", 1), format!("{session}0"), "llama-triage=".to_owned()] {
        assert_eq!(with(&changed).await.unwrap().status(), StatusCode::SEE_OTHER, "{changed}");
    }
    let mut answers = Vec::new();
    for _ in 0..12 {
        answers.push(log_in("a guess at the token", "/").await.status().as_u16());
    }
    assert_eq!(answers[..10], [401; 10]);
    assert_eq!(answers[10..], [429; 2]);
    assert_eq!(log_in(TOKEN, "/").await.status(), StatusCode::TOO_MANY_REQUESTS, "also the right one, for a while");
    drop(console);
    std::fs::write(site.path("token"), "another-token-for-everyone").unwrap();
    let console = start(&site);
    let old = console.client.get(console.url("/groups")).header(COOKIE, session).send().await.unwrap();
    assert_eq!(old.status(), StatusCode::SEE_OTHER, "a session ends with its token");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_on_is_believed_from_its_proxy_once_and_from_no_one_else() {
    let more = "[console]\ntrusted-header = \"X-Forwarded-User\"\ntrusted-proxies = [\"127.0.0.1\"]\n";
    let site = scanned(more).await;
    let console = start(&site);
    let get = async |named: &[&str]| {
        let mut request = console.client.get(console.url("/"));
        for name in named {
            request = request.header("x-forwarded-user", *name);
        }
        request.send().await.unwrap()
    };
    assert_eq!(get(&[]).await.status(), StatusCode::FORBIDDEN);
    assert_eq!(get(&["ann", "root"]).await.status(), StatusCode::FORBIDDEN, "a header that is there twice");
    assert_eq!(get(&["auto:triage"]).await.status(), StatusCode::FORBIDDEN, "a name of the program's own");
    assert!(get(&["ann@example.com"]).await.text().await.unwrap().contains("ann@example.com"));
    drop(console);
    site.configure(&more.replace("127.0.0.1", "10.9.8.7"));
    let console = start(&site);
    let answer = console.client.get(console.url("/")).header("x-forwarded-user", "ann").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::FORBIDDEN, "the peer is no trusted proxy");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_others_reach_is_refused_without_a_log_in() {
    let site = scanned("").await;
    let refused = |site: &crate::site::Site, args: &[&str]| {
        let refused = site.command(args).assert().failure().code(78);
        let said = String::from_utf8_lossy(&refused.get_output().stderr).into_owned();
        assert!(said.contains("console.token-file"), "{said}");
    };
    refused(&site, &["console", "--listen", "0.0.0.0:0"]);
    site.configure("[service]\nlisten = \"0.0.0.0:0\"\n[console]\nenabled = true\n");
    refused(&site, &["serve"]);
    refused(&site, &["check-config"]);
}
