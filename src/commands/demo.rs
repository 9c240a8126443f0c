//! `demo`: the whole product against a simulated LlamaCloud, in simulated time, through the same code as production.
//!
//! It writes a real configuration file and real key files, so that every other command can be pointed at the folder.

use std::fs;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use jiff::{SignedDuration, Timestamp};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::cli::DemoArgs;
use crate::config::console::Actions;
use crate::config::load;
use crate::config::project::Api;
use crate::console::http::router;
use crate::console::{Access, Console};
use crate::credentials::Credentials;
use crate::exit::Exit;
use crate::ledger::Ledger;
use crate::service::http::listener::{self, ListenerState, Listening, Times};
use crate::service::setup::Setup;
use crate::service::worker::Worker;
use crate::simulator::http::server::SimulatedCloud;
use crate::simulator::options::{ClockMode, Options};
use crate::simulator::world::account::believable_account;
use crate::{private_file, say};

/// How much of the simulated account's two days is replayed.
const LONG: SignedDuration = SignedDuration::from_hours(46);
/// With `--fast`.
const FAST: SignedDuration = SignedDuration::from_hours(16);
/// Simulated time between two cycles.
const STEP: SignedDuration = SignedDuration::from_mins(60);
/// Settings for an account that runs in real time: waits of minutes instead of hours.
const LIVELY: &str = r#"
# The simulated account runs in real time, with a batch about once a minute; real ones need no such settings.
[schedule]
scan = "20s"

[reprocess]
mode = "auto"
delays = ["20s", "1m", "2m"]
max-share = 0.0
per-hour = 2000
per-day = 20000
"#;
/// The `[digest]` settings for it.
const LIVELY_DIGEST: &str = "group-wait = \"20s\"\nmin-gap = \"50s\"\nper-day = 2000\n";
/// Lines about digests that are printed while the account is played.
const MOST_NEWS: usize = 18;
/// Lines of the newest digest that are printed.
const MOST_LINES: usize = 24;
/// Only a folder with this file in it is overwritten by the next demo.
const MARK: &str = ".llama-triage-demo";

/// Runs the demo and prints what it did, the newest digest, and what to try next.
pub(crate) async fn run(args: DemoArgs) -> anyhow::Result<Exit> {
    let dir = prepare_folder(args.dir.as_deref().unwrap_or(Path::new("llama-triage-demo")))?;
    let began = Instant::now();
    let now = Timestamp::now();
    let played = if args.fast { FAST } else { LONG };
    // The simulation ends now, so that ages and "today" in reports are correct.
    let start = Timestamp::from_second((now - played).as_second() / 900 * 900).context("the host's clock is wrong")?;
    let cloud =
        SimulatedCloud::start(believable_account(args.seed, start), Options { port: args.port, ..Options::default() })
            .await
            .with_context(|| format!("cannot start the simulated LlamaCloud on port {}", args.port))?;
    let config_path = write_configuration(&dir, &cloud, args.api, "")?;
    let setup = Setup::new(load::read(&config_path)?, &Credentials::default())?;
    let mut worker = Worker::open(setup).await?;
    let console = match args.serve {
        true => Some(DemoConsole::start(&worker).await?),
        false => None,
    };
    if let Some(console) = &console {
        say!("Console: http://{}/ (open it in a browser)\n", console.address);
    }
    say!("Simulated LlamaCloud listening on {}; simulating {} hours.\n", cloud.url(), played.as_hours());
    let cycles = run_until(&mut worker, &cloud, start, start + played).await?;
    let digests = worker.ledger.read(crate::triage::store::digest::all).await?;
    worker.ledger.close().await?;
    print_result(&dir, &cloud, cycles, &digests, began);
    if args.serve {
        write_configuration(&dir, &cloud, args.api, LIVELY)?;
        if let Some(DemoConsole { console, .. }) = &console {
            console.reconfigure(Setup::new(load::read(&config_path)?, &Credentials::default())?.for_console());
        }
        keep_running(cloud, &config_path).await?;
    }
    Ok(Exit::Done)
}

/// The console of the demo: anyone on this host may look and act.
struct DemoConsole {
    address: SocketAddr,
    console: Arc<Console>,
    _stop: DropGuard,
}

impl DemoConsole {
    async fn start(worker: &Worker) -> anyhow::Result<DemoConsole> {
        let ledger = Ledger::open_shared(worker.ledger.path()).await?;
        let access = Access { actions: Actions::Retry, ..Access::read_only() };
        let path = worker.ledger.path().to_owned();
        let console = Console::new(path, String::new(), access, worker.setup.for_console(), Some(ledger))?;
        let console = Arc::new(console);
        let listener = TcpListener::bind("127.0.0.1:0").await.context("cannot listen for the console")?;
        let (address, stop) = (listener.local_addr()?, CancellationToken::new());
        let (router, stopped) = (router(Arc::clone(&console)), stop.clone());
        tokio::spawn(async move {
            let state = ListenerState::default();
            listener::run(Listening::Tcp(listener), router, Times::default(), &state, stopped).await;
        });
        Ok(DemoConsole { address, console, _stop: stop.drop_guard() })
    }
}

/// Runs the simulation: advances the account's time, then runs a cycle, until the end.
async fn run_until(
    worker: &mut Worker,
    cloud: &SimulatedCloud,
    start: Timestamp,
    end: Timestamp,
) -> anyhow::Result<u32> {
    let stop = CancellationToken::new();
    let (mut now, mut cycles, mut news) = (start, 0, 0);
    while now <= end {
        cloud.world().advance_to(now);
        let outcome = worker.cycle(now, Duration::from_secs(5), &stop).await?;
        if let Some(id) = &outcome.digest_id {
            news += 1;
            let headline = outcome.headline.as_deref().unwrap_or("a digest");
            if news <= MOST_NEWS {
                say!("{}  {id}: {headline}", now.strftime("%a %H:%M UTC"));
            }
        }
        if !outcome.is_complete() {
            bail!("the demo's cycle at {now} was not complete: {outcome}");
        }
        cycles += 1;
        now += STEP;
    }
    if news > MOST_NEWS {
        say!("… and {} more digests", news - MOST_NEWS);
    }
    Ok(cycles)
}

fn print_result(
    dir: &Path,
    cloud: &SimulatedCloud,
    cycles: u32,
    digests: &[crate::triage::digest::model::Digest],
    began: Instant,
) {
    let seen = cloud.world().truth().served_failures().count();
    say!(
        "\n{cycles} cycles in {:.1} s: {seen} failures and skips recorded, {} digests sent. The newest one:\n",
        began.elapsed().as_secs_f64(),
        digests.len(),
    );
    let shown = crate::commands::short(dir);
    if let Some(newest) = digests.last() {
        say!("{}", digest_summary(&crate::notify::render::text::render(newest)));
        say!("  (in full: {shown}/digests/{}.html)\n", newest.digest_id);
    }
    say!("Everything is in {shown}: ledger.db, config.toml, and the digests as .eml and .html in digests/.\n");
    say!("Try next:");
    say!("  llama-triage report --ledger {shown}/ledger.db");
    say!("  llama-triage report groups --ledger {shown}/ledger.db");
    say!("  llama-triage report group {} --ledger {shown}/ledger.db", first_group(digests));
    if std::env::var_os("CARGO").is_some() {
        say!("(from this folder: `cargo run -q -- report …` instead of `llama-triage report …`)");
    }
}

fn first_group(digests: &[crate::triage::digest::model::Digest]) -> &str {
    let entries = digests.iter().rev().flat_map(|digest| digest.changes.iter().chain(&digest.still_open));
    entries.map(|entry| entry.group_id.as_str()).next().unwrap_or("g-…")
}

/// Continues the account in real time until Ctrl-C.
async fn keep_running(cloud: SimulatedCloud, config: &Path) -> anyhow::Result<()> {
    let shown = crate::commands::short(config);
    {
        let mut world = cloud.world();
        world.advance_to(Timestamp::now());
        world.create_forever();
    }
    cloud.change_options(|options| options.clock = ClockMode::Host);
    say!(
        "\nThe simulated LlamaCloud keeps running on {} until Ctrl-C, with a new batch about once a minute.",
        cloud.url()
    );
    say!("In another terminal, run `serve`, or single steps with the other commands:");
    for command in ["serve", "scan", "cycle", "digest --now", "report retries"] {
        say!("  llama-triage {command} --config {shown}");
    }
    tokio::signal::ctrl_c().await.context("cannot listen for Ctrl-C")?;
    cloud.shutdown().await;
    Ok(())
}

/// Creates or empties the demo's directory; refuses a directory with other files.
fn prepare_folder(dir: &Path) -> anyhow::Result<PathBuf> {
    let exists = dir.exists();
    if exists
        && !dir.join(MARK).exists()
        && fs::read_dir(dir).with_context(|| dir.display().to_string())?.next().is_some()
    {
        bail!("{} is neither empty nor from an earlier demo: choose another directory with --dir", dir.display());
    }
    if exists {
        fs::remove_dir_all(dir).with_context(|| format!("cannot empty {}", dir.display()))?;
    }
    fs::create_dir_all(dir.join("credentials")).with_context(|| format!("cannot create {}", dir.display()))?;
    fs::write(dir.join(MARK), "created by `llama-triage demo`; the next demo empties this directory\n")?;
    Ok(fs::canonicalize(dir)?)
}

/// A configuration such as a user would write, for the simulated account.
fn write_configuration(dir: &Path, cloud: &SimulatedCloud, api: Api, lively: &str) -> anyhow::Result<PathBuf> {
    let quoted = |path: &Path| toml::Value::from(path.display().to_string()).to_string();
    let mut text = format!(
        "# The configuration of the demo: two projects of a simulated LlamaCloud, digests written to a directory.\n\n\
         [ledger]\npath = {}\n\n[digest]\ninstance = \"demo\"\n{}{lively}",
        quoted(&dir.join("ledger.db")),
        if lively.is_empty() { "" } else { LIVELY_DIGEST },
    );
    for project in cloud.world().projects() {
        let key = dir.join("credentials").join(&project.name);
        private_file::make(&key, 0o600)?.write_all(project.api_key.as_bytes())?;
        text.push_str(&format!(
            "\n[[project]]\nname = \"{}\"\nbase-url = \"{}\"\napi-key-file = {}\nproject-id = \"{}\"\napi = \"{}\"\nrequests-per-second = 1000\n",
            project.name,
            cloud.url(),
            quoted(&key),
            project.id,
            api.word(),
        ));
    }
    text.push_str(&format!(
        "\n[[channel]]\nname = \"folder\"\nkind = \"file\"\ndir = {}\n",
        quoted(&dir.join("digests"))
    ));
    let path = dir.join("config.toml");
    fs::write(&path, text)?;
    Ok(path)
}

/// What a digest says first, indented: its summary, without the groups in full.
fn digest_summary(text: &str) -> String {
    let is_rule = |line: &&str| line.len() > 20 && line.chars().all(|character| character == '-');
    let summary = text.trim_end().lines().take_while(|line| !is_rule(line));
    summary.take(MOST_LINES).map(|line| if line.is_empty() { "\n".to_owned() } else { format!("  {line}\n") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_long_digest_only_the_beginning_is_printed() {
        let rule = "-".repeat(72);
        assert_eq!(digest_summary(&format!("News\n\n1. A\n{rule}\n1. A in full\n")), "  News\n\n  1. A\n");
        assert_eq!(digest_summary(&"line\n".repeat(500)).lines().count(), MOST_LINES);
    }
}
