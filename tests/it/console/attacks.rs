//! What must be refused: forged forms, foreign names, guessed tokens, borrowed headers, tricks in paths.

use reqwest::StatusCode;
use reqwest::header::{COOKIE, HOST, HeaderMap, HeaderName, HeaderValue};

use super::{BUSY, group_of, scanned, start, start_with_log};

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
async fn crafted_ids_are_not_found_and_expose_no_internals() {
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
    let log_in = async |token: &str, next: &str| console.log_in("Ann", token, next, HeaderMap::new()).await;
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
    site.configure(
        "[service]\nlisten = \"127.0.0.1:0\"\npublic-url = \"https://triage.example.com\"\n[console]\nenabled = true\n",
    );
    refused(&site, &["serve"]);
    refused(&site, &["check-config"]);
    // A proxy may ask by the name of this host, whoever asks it.
    site.configure("");
    let console = start(&site);
    for (name, value) in [("x-forwarded-for", "203.0.113.7"), ("via", "1.1 proxy"), ("forwarded", "for=203.0.113.7")] {
        let answer = console.client.get(console.url("/")).header(name, value).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{name}");
    }
}

/// A site whose console asks for the token.
async fn with_token(more: &str) -> crate::site::Site {
    let site = scanned("").await;
    std::fs::write(site.path("token"), TOKEN).unwrap();
    site.configure(&format!("[console]\ntoken-file = \"{{dir}}/token\"\n{more}"));
    site
}

fn session_of(answer: &reqwest::Response) -> String {
    answer.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_was_planted_before_the_log_in_is_worth_nothing() {
    let site = with_token("").await;
    let console = start(&site);
    let planted = "llama-triage=RXZl.9999999999.00";
    let welcome = console.log_in("Ann", TOKEN, "/", headers([("cookie", planted)])).await;
    let session = session_of(&welcome);
    assert_ne!(session, planted);
    let with = async |cookie: &str| {
        let asked = console.client.get(console.url("/")).header(COOKIE, cookie).send().await.unwrap();
        asked.status()
    };
    assert_eq!(with(planted).await, StatusCode::SEE_OTHER);
    assert_eq!(with(&session).await, StatusCode::OK);
    assert_eq!(with(&format!("{planted}; {session}")).await, StatusCode::SEE_OTHER, "the first of two counts");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_from_elsewhere_is_opened_again_from_the_console_and_shows_nothing_before() {
    let site = with_token("").await;
    let console = start(&site);
    let follow = async |path: &str, from: &str| {
        console.client.get(console.url(path)).header("sec-fetch-site", from).send().await.unwrap()
    };
    let group = group_of(&site, BUSY);
    let opened = follow(&format!("/g/{group}?page=1"), "cross-site").await;
    assert_eq!(opened.status(), StatusCode::OK);
    let page = opened.text().await.unwrap();
    assert!(page.contains(&format!("content=\"0; url=/g/{group}?page=1\"")) && !page.contains(BUSY), "{page}");
    let again = follow(&format!("/g/{group}?page=1"), "same-origin").await;
    assert_eq!(again.status(), StatusCode::SEE_OTHER, "without a session it is the log-in");
    for path in ["//evil.example/", "/%22%3E%3Cscript%3E", "/?a=\"><script>alert(1)</script>"] {
        let page = follow(path, "cross-site").await.text().await.unwrap();
        assert!(!page.contains("<script") && !page.contains("url=//"), "{path}: {page}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_log_out_no_page_is_in_a_cache_and_the_browser_has_no_session() {
    let site = with_token("").await;
    let console = start(&site);
    let session = session_of(&console.log_in("Ann", TOKEN, "/", HeaderMap::new()).await);
    let get =
        async |path: &str| console.client.get(console.url(path)).header(COOKIE, session.as_str()).send().await.unwrap();
    for path in ["/", "/groups", "/log-out", "/nothing", "/i/none"] {
        assert_eq!(get(path).await.headers()["cache-control"], "no-store", "{path}");
    }
    let form = super::token(&get("/log-out").await.text().await.unwrap());
    assert_eq!(get("/").await.status(), StatusCode::OK, "a GET ends no session");
    let gone = console.post("/log-out", &[("form", form.as_str())], headers([("cookie", &session)])).await;
    let cookie = gone.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert!(cookie.starts_with("llama-triage=;") && cookie.contains("Max-Age=0"), "{cookie}");
    assert_eq!(gone.headers()["location"], "/log-in");
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_https_the_cookie_stays_off_http_and_off_other_names() {
    let site = with_token("[service]\npublic-url = \"https://triage.example.com\"\n").await;
    let console = start(&site);
    let outside =
        [("host", "triage.example.com"), ("origin", "https://triage.example.com"), ("sec-fetch-site", "same-origin")];
    let page = console.client.get(console.url("/log-in")).header(HOST, "triage.example.com").send().await.unwrap();
    let form = super::token(&page.text().await.unwrap());
    let body = [("form", form.as_str()), ("name", "Ann"), ("token", TOKEN)];
    let post = console.client.post(console.url("/log-in")).headers(headers(outside)).form(&body).send().await.unwrap();
    let cookie = post.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert!(
        cookie.starts_with("__Host-llama-triage=") && cookie.contains("; Secure") && cookie.contains("Path=/"),
        "{cookie}"
    );
    let forwarded = console.client.get(console.url("/log-in")).header(HOST, "evil.example");
    let forwarded = forwarded.header("x-forwarded-host", "triage.example.com").send().await.unwrap();
    assert_eq!(forwarded.status(), StatusCode::FORBIDDEN, "another header does not name the host");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_other_page_may_show_ask_or_read_the_console() {
    let site = with_token("").await;
    let console = start(&site);
    for path in ["/", "/log-in", "/nothing", "/style.css"] {
        let answer =
            console.client.get(console.url(path)).header("origin", "https://evil.example").send().await.unwrap();
        let said = answer.headers().clone();
        if path != "/nothing" {
            assert!(said["content-security-policy"].to_str().unwrap().contains("frame-ancestors 'none'"), "{path}");
            assert_eq!(said["x-frame-options"], "DENY", "{path}");
            assert_eq!(said["cross-origin-resource-policy"], "same-origin", "{path}");
        }
        assert!(said.keys().all(|name| !name.as_str().starts_with("access-control")), "{path}: {said:?}");
    }
    for method in ["OPTIONS", "PUT", "DELETE", "PATCH", "TRACE"] {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let asked =
            console.client.request(method.clone(), console.url("/act")).header("origin", "https://evil.example");
        let answer = asked.send().await.unwrap();
        assert!(answer.status().is_client_error(), "{method}: {}", answer.status());
        assert!(answer.headers().keys().all(|name| !name.as_str().starts_with("access-control")), "{method}");
    }
    let own = headers([("origin", &format!("http://{}", console.address)), ("sec-fetch-site", "same-origin")]);
    let session = session_of(&console.log_in("Ann", TOKEN, "/", HeaderMap::new()).await);
    for kind in ["text/plain", "multipart/form-data; boundary=x", "application/json"] {
        let post = console.client.post(console.url("/act")).headers(own.clone()).header(COOKIE, &session);
        let answer = post.header("content-type", kind).body("act=ack&id=g-1").send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE, "{kind}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_is_smuggled_in_by_no_trick_with_the_request_itself() {
    let site = scanned("[console]\ntrusted-header = \"X-Forwarded-User\"\ntrusted-proxies = [\"127.0.0.1\"]\n").await;
    let console = start(&site);
    let end = "Connection: close\r\n\r\n";
    let good = format!("GET / HTTP/1.1\r\nHost: ADDRESS\r\nX-Forwarded-User: ann\r\n{end}");
    assert!(console.raw(&good).await.starts_with("HTTP/1.1 200"), "the proxy itself is believed");
    let inner = "GET / HTTP/1.1\r\nHost: ADDRESS\r\nX-Forwarded-User: root\r\n";
    for trick in [
        format!("GET / HTTP/1.1\r\nHost: ADDRESS\r\nX_Forwarded_User: root\r\n{end}"),
        format!("GET / HTTP/1.1\r\nHost: ADDRESS\r\nX-Forwarded-User : root\r\n{end}"),
        format!("GET / HTTP/1.1\r\nHost: ADDRESS\r\nX-Forwarded-User:\r\n root\r\n{end}"),
        format!("GET / HTTP/1.1\r\nHost: ADDRESS\r\nX-Forwarded-User: ann, root\r\n{end}"),
        format!("GET / HTTP/1.1\r\nHost: ADDRESS\r\nX-Forwarded-User: ann\r\nx-forwarded-user: root\r\n{end}"),
        format!("GET / HTTP/1.1\r\nHost: ADDRESS\r\nCookie: X-Forwarded-User=root\r\n{end}"),
        format!("GET /?X-Forwarded-User=root HTTP/1.1\r\nHost: ADDRESS\r\n{end}"),
        format!("GET / HTTP/1.1\r\nHost: evil.example\r\nX-Forwarded-User: ann\r\n{end}"),
        format!("GET / HTTP/1.1\r\nHost: ADDRESS\r\nHost: evil.example\r\nX-Forwarded-User: ann\r\n{end}"),
        format!("GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\nX-Forwarded-User: ann\r\n{end}"),
        format!("GET / HTTP/1.0\r\nX-Forwarded-User: ann\r\n{end}"),
        format!("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n{inner}\r\n"),
        format!(
            "POST /act HTTP/1.1\r\nHost: ADDRESS\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{inner}\r\n"
        ),
        format!(
            "POST /act HTTP/1.1\r\nHost: ADDRESS\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n{inner}\r\n"
        ),
        format!("POST /act HTTP/1.1\r\nHost: ADDRESS\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n{inner}\r\n"),
        format!("POST /act HTTP/1.1\r\nHost: ADDRESS\r\nContent-Length: 0\r\nContent-Length: 4\r\n\r\n{inner}\r\n"),
    ] {
        let answer = console.raw(&trick).await;
        assert!(!answer.contains("HTTP/1.1 200") && !answer.contains("root"), "{trick}: {answer}");
        assert!(answer.matches("HTTP/1.1 ").count() <= 1, "{trick}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_and_many_clients_keep_no_one_waiting() {
    let site = scanned("").await;
    let console = start(&site);
    let mut slow = Vec::new();
    for _ in 0..200 {
        let mut stream = tokio::net::TcpStream::connect(&console.address).await.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut stream, b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ").await.unwrap();
        slow.push(stream);
    }
    console.page("/").await;
    let pages: tokio::task::JoinSet<_> = (0..40).map(|_| console.client.get(console.url("/groups")).send()).collect();
    for answer in pages.join_all().await {
        assert_eq!(answer.unwrap().status(), StatusCode::OK);
    }
    drop(slow);
    let long = format!("GET / HTTP/1.1\r\nHost: ADDRESS\r\nX: {}\r\n\r\n", "y".repeat(1 << 20));
    assert!(!console.raw(&long).await.contains("200 OK"), "a head without end");
    console.page("/").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_the_log_nor_the_audit_is_forged_by_a_name() {
    let site = with_token("").await;
    let log = site.path("log");
    let console = start_with_log(&site, std::fs::File::create(&log).unwrap().into());
    let name = "Eve\r\n2026-11-30T00:00:00Z  INFO logged in to the console person=root\u{202e}\u{1b}[2J";
    assert_eq!(console.log_in(name, "a guess at the token", "/", HeaderMap::new()).await.status(), 401);
    let session = session_of(&console.log_in(name, TOKEN, "/", HeaderMap::new()).await);
    let group = group_of(&site, BUSY);
    let with_session = headers([("cookie", &session)]);
    let question = console.client.get(console.url(&format!("/act?act=note&id={group}"))).headers(with_session.clone());
    let form = super::token(&question.send().await.unwrap().text().await.unwrap());
    let text = "seen\n2026-11-30T00:00:00Z  INFO an action in the console person=root";
    let body = [("form", form.as_str()), ("act", "note"), ("id", &group), ("text", text)];
    assert_eq!(console.post("/act", &body, with_session).await.status(), StatusCode::SEE_OTHER);
    let logged = std::fs::read_to_string(&log).unwrap();
    assert!(logged.contains("logged in to the console") && logged.contains("Eve"), "{logged}");
    for line in logged.lines() {
        let is_forged = line.starts_with("2026-11-30T00:00:00Z") || line.contains(['\u{202e}', '\u{1b}']);
        assert!(!is_forged && line.matches(" INFO ").count() <= 2, "{line:?}");
    }
    assert!(!logged.contains(TOKEN) && !logged.contains("a guess at the token"), "no token is logged: {logged}");
    let actor = site.texts("SELECT actor FROM audit WHERE action = 'note'").remove(0);
    assert!(!actor.contains(['\n', '\r', '\u{202e}', '\u{1b}']), "{actor:?}");
}
