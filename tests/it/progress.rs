//! Long work shows a bar on a terminal, and nothing where no one watches.

use std::fs::File;
use std::io::Read;
use std::process::{Command, Stdio};

use jiff::Timestamp;
use llama_triage::internals::simulator::{Options, WorldBuilder};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::site::Site;

/// What the command writes to standard error, which is a terminal, and to standard output, which is none.
fn on_terminal(site: &Site, args: &[&str]) -> (String, String) {
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let name = ptsname(&terminal, Vec::new()).unwrap();
    let end = File::options().read(true).write(true).open(name.to_str().unwrap()).unwrap();
    let child = Command::new(env!("CARGO_BIN_EXE_llama-triage"))
        .env("TERM", "xterm")
        .env_remove("NO_COLOR")
        .arg("--config")
        .arg(site.path("config.toml"))
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(end)
        .spawn()
        .unwrap();
    let (mut terminal, mut shown, mut buffer) = (File::from(terminal), String::new(), [0; 4096]);
    // The end of a terminal that everyone has closed is an error.
    while let Ok(read) = terminal.read(&mut buffer)
        && read > 0
    {
        shown.push_str(&String::from_utf8_lossy(&buffer[..read]));
    }
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{args:?}: {shown}");
    (shown, String::from_utf8(output.stdout).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn long_work_shows_a_bar_on_a_terminal_and_none_elsewhere() {
    let world = WorldBuilder::at(Timestamp::now()).batch("b1").item("i1").fails("it broke").build();
    let site = Site::new(world, Options::default(), "").await;
    let (bar, said) = on_terminal(&site, &["scan"]);
    assert!(bar.contains("reading batches") && bar.contains(" of 1"), "{bar:?}");
    assert!(said.contains("1 new") && !said.contains("reading batches"), "{said}");
    for (args, what) in [(["ledger", "check"], "checking"), (["ledger", "regroup"], "regrouping messages")] {
        let (bar, _) = on_terminal(&site, &args);
        assert!(bar.contains(what), "{bar:?}");
        let plain = site.command(&args).assert().success().get_output().clone();
        assert_eq!(String::from_utf8(plain.stderr).unwrap(), "", "no one watches");
    }
}
