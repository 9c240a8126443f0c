//! The dead-man's switch: every cycle reports its outcome, and an unreachable monitor has no effect on cycles.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use llama_triage::internals::simulator::{Endpoint, FaultRule, InjectedFault, Options, WorldBuilder};

use crate::serve::{Serving, command, terminate};
use crate::site::Site;

/// A monitor: answers every ping with 200 and hands on what came, as "PATH BODY".
fn monitor() -> (String, Receiver<String>) {
    monitor_answering("OK")
}

/// The same with these words for an answer.
fn monitor_answering(words: &'static str) -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/ping/1f", listener.local_addr().unwrap());
    let (sender, pings) = channel();
    std::thread::spawn(move || {
        for ping in listener.incoming().map_while(Result::ok).map(|stream| read_ping(stream, words)) {
            if sender.send(ping).is_err() {
                break;
            }
        }
    });
    (url, pings)
}

fn read_ping(mut stream: TcpStream, words: &str) -> String {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if line.trim().is_empty() {
            break;
        }
        head.push(line.to_lowercase());
    }
    let length = head.iter().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let length = words.len();
    let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{words}");
    stream.write_all(answer.as_bytes()).unwrap();
    let path = head[0].split(' ').nth(1).unwrap().to_owned();
    format!("{path} {}", String::from_utf8(body).unwrap())
}

fn next(pings: &Receiver<String>) -> String {
    pings.recv_timeout(Duration::from_secs(60)).expect("a ping")
}

async fn site(more: &str) -> Site {
    let world = WorldBuilder::at(jiff::Timestamp::now()).batch("b1").item("i1").fails("it broke").build();
    Site::new(world, Options::default(), more).await
}

#[tokio::test(flavor = "multi_thread")]
async fn each_cycle_reports_its_outcome() {
    let (url, pings) = monitor();
    let more = format!("[service]\nheartbeat-url = \"{url}\"\n[schedule]\nscan = \"1s\"\n");
    let site = site(&more).await;
    let mut child = Serving(command(&site, "serve").spawn().unwrap());
    assert!(next(&pings).starts_with("/ping/1f scanned 1 project, 1 new observation"));
    site.cloud.set_faults(vec![FaultRule::new(InjectedFault::Status(401)).on(Endpoint::ListBatches).every(1)]);
    let mut outcomes = std::iter::repeat_with(|| next(&pings));
    let failed = outcomes.find(|outcome| outcome.starts_with("/ping/1f/fail")).unwrap();
    assert!(failed.contains("1 scan incomplete"), "{failed}");
    assert!(terminate(&mut child).success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_monitor_that_is_down_makes_no_cycle_a_failed_one() {
    let site = site("[service]\nheartbeat-url = \"http://127.0.0.1:1/ping\"\n").await;
    let run = site.command(&["cycle"]).assert().success();
    let said = String::from_utf8(run.get_output().stderr.clone()).unwrap();
    assert!(said.contains("the heartbeat did not arrive") && !said.contains("/ping"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_monitor_that_knows_no_such_check_is_a_fault_until_it_does() {
    let site = site("").await;
    let faults = || site.texts("SELECT text FROM worker_fault WHERE fault = 'heartbeat' AND ended_at IS NULL");
    let cycle = |words| {
        let (url, _pings) = monitor_answering(words);
        site.configure(&format!("[service]\nheartbeat-url = \"{url}\"\n"));
        let run = site.command(&["cycle"]).assert().success();
        String::from_utf8(run.get_output().stderr.clone()).unwrap()
    };
    let said = cycle("OK (not found)");
    assert!(said.contains("the monitor refuses the heartbeat: HTTP 200: OK (not found)"), "{said}");
    assert!(!said.contains("/ping"), "{said}");
    assert!(faults()[0].starts_with("No monitoring: a stopped llama-triage goes unnoticed: "), "{:?}", faults());
    // Whether the check is there now is not known.
    assert!(cycle("OK (rate limited)").contains("the heartbeat did not arrive"));
    assert_eq!(faults().len(), 1);
    cycle("OK");
    assert_eq!(faults(), Vec::<String>::new());
}
