//! Peers that echo a secret: it never appears in stored, sent or shown text.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use llama_triage::internals::simulator::{Options, WorldBuilder};

use crate::site::{Site, binary, files};

const KEY: &str = "quiteplainkey-Zx81-Qw77";
const HOOK: &str = "/services/T0AAAA11/B0BBBB22/c3Cc4Dd5Ee6Ff7Gg8Hh9";
const PASSWORD: &str = "Correct/Horse+9";

/// Answers every connection with what `answer` makes of it.
fn peer(answer: fn(TcpStream)) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || answer(stream));
        }
    });
    address
}

/// The request's first line and its headers; the body is read, too.
fn head(stream: &TcpStream) -> Vec<String> {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).is_err() || line.trim().is_empty() {
            break;
        }
        head.push(line.trim().to_owned());
    }
    let length = |line: &String| line.to_lowercase().strip_prefix("content-length:")?.trim().parse().ok();
    let mut body = vec![0; head.iter().find_map(length).unwrap_or(0)];
    let _cut = reader.read_exact(&mut body);
    head
}

fn reply(mut stream: TcpStream, status: &str, body: &str) {
    let length = body.len();
    let text = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
    let _gone = stream.write_all(text.as_bytes());
}

fn cloud(stream: TcpStream) {
    let head = head(&stream);
    let key = head.iter().find_map(|line| line.to_lowercase().starts_with("authorization").then(|| line.clone()));
    let key = key.unwrap_or_default();
    let key = key.rsplit(' ').next().unwrap_or_default();
    reply(stream, "401 Unauthorized", &format!(r#"{{"detail":"there is no key {key}"}}"#));
}

fn chat(stream: TcpStream) {
    let head = head(&stream);
    let path = head.first().and_then(|line| line.split(' ').nth(1)).unwrap_or_default().to_owned();
    // So much before it that what is shown of the answer ends within the secret.
    let page = format!("<html>{} no page at {path}", "x".repeat(150));
    reply(stream, "404 Not Found", &page);
}

fn mail(mut stream: TcpStream) {
    let reader = BufReader::new(stream.try_clone().unwrap());
    let mut say = |line: &str| drop(stream.write_all(format!("{line}\r\n").as_bytes()));
    say("220 ready");
    for line in reader.lines().map_while(Result::ok) {
        match line.split(' ').next().unwrap_or_default() {
            "EHLO" => say("250-here\r\n250 AUTH PLAIN LOGIN"),
            "AUTH" => say(&format!("535 5.7.8 unknown: {}", line.to_uppercase())),
            _ => say("221 bye"),
        }
    }
}

/// What of each secret must not be found anywhere, in small letters.
fn pieces() -> Vec<String> {
    let login = STANDARD.encode(format!("\0triage\0{PASSWORD}"));
    let pieces = ["plainkey", "zx81", "c3cc4dd5", "gg8hh9", "horse"].map(str::to_owned);
    pieces.into_iter().chain([login[14..24].to_lowercase()]).collect()
}

fn assert_clean(what: &str, bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes).to_lowercase();
    for piece in pieces() {
        let at = text.find(&piece);
        assert!(at.is_none(), "{what} holds {piece}: {}", at.map_or("", |at| &text[at.saturating_sub(60)..]));
    }
}

fn configure(dir: &Path) {
    let secret = |name: &str, text: &str| {
        std::fs::write(dir.join(name), text).unwrap();
        dir.join(name)
    };
    let (cloud, chat, mail) = (peer(cloud), peer(chat), peer(mail));
    let text = format!(
        "[ledger]\npath = {:?}\n[[project]]\nname = \"prod\"\nbase-url = \"http://{cloud}\"\napi-key-file = {:?}\n\
         [[channel]]\nname = \"chat\"\nkind = \"slack\"\nurl-file = {:?}\n\
         [[channel]]\nname = \"mail\"\nkind = \"email\"\nfrom = \"a@example.com\"\nto = [\"b@example.com\"]\nsmtp-host = \"127.0.0.1\"\n\
         smtp-port = {}\nsmtp-tls = \"none\"\nsmtp-username = \"triage\"\nsmtp-password-file = {:?}\n\
         [[channel]]\nname = \"folder\"\nkind = \"file\"\ndir = {:?}\n",
        dir.join("ledger.db"),
        secret("key", KEY),
        secret("hook", &format!("http://{chat}{HOOK}\n")),
        mail.port(),
        secret("password", PASSWORD),
        dir.join("out"),
    );
    std::fs::write(dir.join("config.toml"), text).unwrap();
}

#[test]
fn a_secret_that_a_peer_repeats_is_neither_kept_nor_sent_nor_shown() {
    let dir = tempfile::tempdir().unwrap();
    configure(dir.path());
    let run = |args: &[&str]| {
        let output = binary().arg("--config").arg(dir.path().join("config.toml")).args(args).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        assert_clean(&args.join(" "), &said);
        String::from_utf8(said).unwrap()
    };
    let cycle = run(&["cycle"]);
    for answer in ["there is no key ***", "no page at ***", "535"] {
        assert!(cycle.contains(answer), "{answer} was not shown: {cycle}");
    }
    for args in [
        &["doctor"][..],
        &["-vvv", "--log-format", "json", "cycle"],
        &["-vvv", "--log-format", "text", "notify", "test", "mail"],
        &["notify", "test", "chat"],
        &["report", "summary"],
        &["report", "deliveries", "--format", "json"],
        &["report", "digests", "--format", "json"],
        &["report", "audit"],
    ] {
        run(args);
    }
    let digests = files(&dir.path().join("out"), "");
    assert!(digests.len() >= 3, "the refused key was told: {digests:?}");
    for file in digests.into_iter().chain(files(dir.path(), "ledger.db")).chain(files(dir.path(), "-wal")) {
        assert_clean(&file.display().to_string(), &std::fs::read(&file).unwrap());
    }
}

/// What LlamaCloud says about an item, as about a webhook that it could not call.
#[tokio::test(flavor = "multi_thread")]
async fn a_message_of_an_item_that_holds_a_loaded_secret_is_masked_before_it_is_kept() {
    let escaped = HOOK.replace('/', "\\/");
    let world = WorldBuilder::at(jiff::Timestamp::now())
        .batch("b1")
        .item("i1")
        .fails(&format!("POST {escaped} said 404"))
        .item("i2")
        .fails(&format!("login {} refused", STANDARD.encode(format!("\0triage\0{PASSWORD}"))));
    let more = "[[channel]]\nname = \"chat\"\nkind = \"slack\"\nurl-file = \"{dir}/hook\"\n\
                [[channel]]\nname = \"mail\"\nkind = \"email\"\nfrom = \"a@example.com\"\nto = [\"b@example.com\"]\n\
                smtp-host = \"127.0.0.1\"\nsmtp-port = 1\nsmtp-tls = \"none\"\nsmtp-username = \"triage\"\nsmtp-password-file = \"{dir}/password\"\n";
    let site = Site::new(world.build(), Options::default(), more).await;
    std::fs::write(site.path("hook"), format!("https://hooks.example.com{HOOK}")).unwrap();
    std::fs::write(site.path("password"), PASSWORD).unwrap();
    site.command(&["scan"]).assert().success();
    let messages = site.texts("SELECT text FROM message ORDER BY text");
    assert_eq!(messages, ["POST *** said 404", "login ***= refused"].map(str::to_owned).to_vec());
    assert_clean("the ledger", &std::fs::read(site.path("ledger.db")).unwrap());
}
