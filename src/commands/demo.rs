//! `demo`: the whole product against a simulated LlamaCloud, in simulated time, through the same code as production.
//!
//! It writes a real configuration file and real key files, so that every other command can be pointed at the folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use crate::cli::DemoArgs;
use crate::config::load;
use crate::config::project::Api;
use crate::credentials::Credentials;
use crate::demo::{Clock, Options, SimulatedCloud, believable_account};
use crate::exit::Exit;
use crate::notify;
use crate::say;
use crate::service::worker::{Setup, Worker};

/// How much of the simulated account's two days is played.
const LONG: SignedDuration = SignedDuration::from_hours(46);
/// With `--fast`.
const FAST: SignedDuration = SignedDuration::from_hours(16);
/// Simulated time between two cycles.
const STEP: SignedDuration = SignedDuration::from_mins(60);
/// Only a folder with this file in it is overwritten by the next demo.
const MARK: &str = ".llama-triage-demo";

/// Runs the demo and prints what it did, the newest digest, and what to try next.
pub(super) async fn run(args: DemoArgs) -> anyhow::Result<Exit> {
    let dir = prepare_folder(args.dir.as_deref().unwrap_or(Path::new("llama-triage-demo")))?;
    let began = Instant::now();
    let now = Timestamp::now();
    let played = if args.fast { FAST } else { LONG };
    // The story ends now, so that ages and "today" in reports read naturally.
    let start = Timestamp::from_second((now - played).as_second() / 900 * 900).context("the clock is far off")?;
    let cloud =
        SimulatedCloud::start(believable_account(args.seed, start), Options { port: args.port, ..Options::default() })
            .await
            .with_context(|| format!("cannot start the simulated LlamaCloud on port {}", args.port))?;
    let config_path = write_configuration(&dir, &cloud, args.api)?;
    let setup = Setup::new(load::read(&config_path)?, &Credentials::default())?;
    let mut worker = Worker::open(setup).await?;
    say!("A simulated LlamaCloud answers on {}: {} simulated hours follow.\n", cloud.url(), played.as_hours());
    let cycles = play(&mut worker, &cloud, start, start + played).await?;
    let digests = worker.ledger.read(crate::ledger::digest::all).await?;
    worker.ledger.close().await?;
    conclude(&dir, &cloud, cycles, &digests, began);
    if args.serve {
        stay(cloud, &config_path).await?;
    }
    Ok(Exit::Done)
}

/// Plays the story: time moves on in the account, then the worker does a cycle.
async fn play(worker: &mut Worker, cloud: &SimulatedCloud, start: Timestamp, end: Timestamp) -> anyhow::Result<u32> {
    let stop = CancellationToken::new();
    let (mut now, mut cycles) = (start, 0);
    while now <= end {
        cloud.world().advance_to(now);
        let outcome = worker.cycle(now, Duration::from_secs(5), &stop).await?;
        if let Some(id) = &outcome.digest_id {
            say!("{}  {id}: {}", now.strftime("%a %H:%M UTC"), outcome.headline.as_deref().unwrap_or("a digest"));
        }
        if !outcome.is_complete() {
            bail!("the demo's cycle at {now} was not complete: {outcome}");
        }
        cycles += 1;
        now += STEP;
    }
    Ok(cycles)
}

fn conclude(
    dir: &Path,
    cloud: &SimulatedCloud,
    cycles: u32,
    digests: &[crate::core::digest::model::Digest],
    began: Instant,
) {
    let seen = cloud.world().truth().served_failures().count();
    say!(
        "\n{cycles} cycles in {:.1} s: {seen} failed and skipped states seen, {} digests sent. The newest one:\n",
        began.elapsed().as_secs_f64(),
        digests.len(),
    );
    if let Some(newest) = digests.last() {
        say!("{}", indent(&notify::text::render(newest)));
    }
    let shown = super::short(dir);
    say!("Everything is in {shown}: ledger.db, config.toml, and the digests as .eml and .html in digests/.\n");
    say!("Try next:");
    say!("  llama-triage report --ledger {shown}/ledger.db");
    say!("  llama-triage report groups --ledger {shown}/ledger.db");
    say!("  llama-triage report group {} --ledger {shown}/ledger.db", first_group(digests));
    if std::env::var_os("CARGO").is_some() {
        say!("(from this folder: `cargo run -q -- report …` instead of `llama-triage report …`)");
    }
}

fn first_group(digests: &[crate::core::digest::model::Digest]) -> &str {
    let entries = digests.iter().rev().flat_map(|digest| digest.changes.iter().chain(&digest.still_open));
    entries.map(|entry| entry.group_id.as_str()).next().unwrap_or("g-…")
}

/// Lets the account go on in real time until Ctrl-C.
async fn stay(cloud: SimulatedCloud, config: &Path) -> anyhow::Result<()> {
    let shown = super::short(config);
    cloud.world().advance_to(Timestamp::now());
    cloud.change_options(|options| options.clock = Clock::Running(1));
    say!("\nThe simulated LlamaCloud stays on {} until Ctrl-C. In another terminal:", cloud.url());
    for command in ["scan", "cycle", "digest --now", "serve"] {
        say!("  llama-triage {command} --config {shown}");
    }
    tokio::signal::ctrl_c().await.context("cannot listen for Ctrl-C")?;
    cloud.shutdown().await;
    Ok(())
}

/// An empty folder of the demo's own; what is not the demo's is never touched.
fn prepare_folder(dir: &Path) -> anyhow::Result<PathBuf> {
    let exists = dir.exists();
    if exists
        && !dir.join(MARK).exists()
        && fs::read_dir(dir).with_context(|| dir.display().to_string())?.next().is_some()
    {
        bail!("{} is not empty and not from an earlier demo: name another folder with --dir", dir.display());
    }
    if exists {
        fs::remove_dir_all(dir).with_context(|| format!("cannot empty {}", dir.display()))?;
    }
    fs::create_dir_all(dir.join("credentials")).with_context(|| format!("cannot make {}", dir.display()))?;
    fs::write(dir.join(MARK), "made by `llama-triage demo`; the next demo empties this folder\n")?;
    Ok(fs::canonicalize(dir)?)
}

/// A configuration such as a user would write, for the simulated account.
fn write_configuration(dir: &Path, cloud: &SimulatedCloud, api: Api) -> anyhow::Result<PathBuf> {
    let quoted = |path: &Path| toml::Value::from(path.display().to_string()).to_string();
    let mut text = format!(
        "# The configuration of the demo: two projects of a simulated LlamaCloud, digests to a folder.\n\n\
         [ledger]\npath = {}\n\n[digest]\ninstance = \"demo\"\n",
        quoted(&dir.join("ledger.db")),
    );
    for project in cloud.world().projects() {
        let key = dir.join("credentials").join(&project.name);
        fs::write(&key, &project.api_key)?;
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

fn indent(text: &str) -> String {
    text.lines().map(|line| if line.is_empty() { "\n".to_owned() } else { format!("  {line}\n") }).collect()
}
