//! One stage measured: a healthy cycle, a cycle in which every project has its own fault, and a healthy one again.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use llama_triage::internals::simulator::{Options, SimulatedItemStatus, project_id};

use super::api_faults::{self, ApiFault};
use super::stage::Stage;
use crate::site::Site;

/// What became of one project's cycle under its fault.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cell {
    /// The scan says that it read everything that could hold news.
    pub(crate) complete: bool,
    /// It was reported at once, before three scans were incomplete.
    pub(crate) told: bool,
    /// Failures that were new, and how many of them are in the ledger.
    pub(crate) new: usize,
    pub(crate) kept: usize,
    /// The batch is taken to be gone.
    pub(crate) gone: bool,
    /// Rows counted as unreadable.
    pub(crate) unreadable: i64,
    /// Requests that met the fault.
    pub(crate) asks: u64,
    /// What standard error said of the project.
    pub(crate) said: Option<String>,
}

/// The cells of a stage by fault, and every broken promise.
#[derive(Default)]
pub(crate) struct Measured {
    pub(crate) cells: BTreeMap<String, Cell>,
    pub(crate) broken: Vec<String>,
}

/// Observations (`item batch status`) by project.
type Shown = BTreeMap<String, BTreeSet<String>>;

/// Measures one stage.
pub(crate) async fn measure(stage: Stage) -> Measured {
    let api_faults = api_faults::all();
    let now = Timestamp::now();
    let world = stage.world(&api_faults, now - SignedDuration::from_hours(2));
    let site = Site::new(world, Options::default(), "").await;
    let mut measured = Measured::default();

    write(&site, stage, "ledger.db", "7d", &api_faults, false);
    let (code, said) = cycle(&site).await;
    measured.demand(code == 0, || format!("the first cycle ended with {code}: {said}"));
    std::fs::copy(site.path("ledger.db"), site.path("before.db")).unwrap();
    let before = recorded(&site);

    site.cloud.world().advance_to(now - SignedDuration::from_hours(1));
    site.cloud.set_faults(api_faults.iter().map(|trouble| stage.plant(trouble)).collect());
    write(&site, stage, "ledger.db", stage.look_back(), &api_faults, true);
    let (code, said) = cycle(&site).await;
    let hits = site.cloud.fault_hits();
    let (truth, after) = (truth(&site), recorded(&site));
    for (trouble, asks) in api_faults.iter().zip(hits) {
        let project = trouble.project();
        let cell = look(&site, &project, asks, &said, (&truth[&project], &after[&project], &before[&project]));
        measured.demand(asks > 0, || format!("{project}: the trouble hit nothing"));
        measured.judge(&project, &cell, &after[&project], &before[&project]);
        measured.cells.insert(trouble.name.clone(), cell);
    }
    measured.demand(!said.contains("llx-"), || format!("a key was shown: {said}"));
    let harmless = api_faults.iter().filter(|trouble| measured.cells[&trouble.name].complete).count();
    measured.demand((code == 0) == (harmless == api_faults.len()), || format!("exit {code}"));
    measured.no_false_recovery(&site);
    measured.harmless_alone(stage, &site, &api_faults).await;
    measured.heals(stage, &site, &api_faults).await;
    measured
}

impl Measured {
    fn demand(&mut self, holds: bool, otherwise: impl FnOnce() -> String) {
        if !holds {
            self.broken.push(otherwise());
        }
    }

    fn judge(&mut self, project: &str, cell: &Cell, after: &BTreeSet<String>, before: &BTreeSet<String>) {
        self.demand(before.is_subset(after), || format!("{project}: something recorded is gone"));
        let honest = !cell.complete || cell.kept == cell.new || cell.unreadable > 0 || cell.gone;
        self.demand(honest, || format!("{project}: called complete with {} of {}", cell.kept, cell.new));
        self.demand(cell.complete == cell.said.is_none(), || format!("{project}: said {:?}", cell.said));
    }

    /// An item that LlamaCloud shows as failed is open, whatever could not be read.
    fn no_false_recovery(&mut self, site: &Site) {
        let failed: BTreeSet<String> = site.cloud.world().open_failures().into_iter().map(str::to_owned).collect();
        let recovered = site.texts("SELECT item_id FROM item WHERE state = 'recovered'");
        let wrong: Vec<_> = recovered.into_iter().filter(|id| failed.contains(id)).collect();
        self.demand(wrong.is_empty(), || format!("called recovered: {wrong:?}"));
    }

    /// Projects whose faults do no harm end with exit code 0 when nothing else is wrong.
    async fn harmless_alone(&mut self, stage: Stage, site: &Site, api_faults: &[ApiFault]) {
        let harmless = api_faults.iter().filter(|trouble| self.cells[&trouble.name].complete);
        write(site, stage, "before.db", stage.look_back(), harmless, true);
        let (code, said) = cycle(site).await;
        self.demand(code == 0, || format!("harmless troubles ended with {code}: {said}"));
    }

    /// The next healthy cycle is complete, and the ledger is what happened.
    async fn heals(&mut self, stage: Stage, site: &Site, api_faults: &[ApiFault]) {
        site.cloud.set_faults(Vec::new());
        write(site, stage, "ledger.db", stage.look_back(), api_faults, false);
        let (code, said) = cycle(site).await;
        self.demand(code == 0, || format!("the last cycle ended with {code}: {said}"));
        let (truth, recorded) = (truth(site), recorded(site));
        for trouble in api_faults {
            let project = trouble.project();
            let missing: Vec<_> = truth[&project].symmetric_difference(&recorded[&project]).collect();
            self.demand(missing.is_empty(), || format!("{project}: truth and ledger differ in {missing:?}"));
        }
        let states =
            site.texts("SELECT item_id FROM item WHERE kind = 'failed' AND state = 'open'").into_iter().collect();
        let world = site.cloud.world();
        let open: BTreeSet<String> = world.open_failures().into_iter().map(str::to_owned).collect();
        let named = |id: &String| world.item(id).map(|item| item.name.clone());
        let differ: Vec<_> = open.symmetric_difference(&states).map(named).collect();
        self.demand(differ.is_empty(), || format!("open failures differ in {differ:?}"));
        drop(world);
        let faults = site.texts("SELECT fault FROM worker_fault WHERE ended_at IS NULL");
        self.demand(faults.is_empty(), || format!("troubles that do not end: {faults:?}"));
    }
}

fn look(
    site: &Site,
    project: &str,
    asks: u64,
    said: &str,
    (truth, after, before): (&BTreeSet<String>, &BTreeSet<String>, &BTreeSet<String>),
) -> Cell {
    let last = "FROM scan JOIN project USING (project_key) WHERE name = ?1 ORDER BY scan_key DESC LIMIT 1";
    let (complete, unreadable) = site
        .ledger()
        .query_row(&format!("SELECT complete, unreadable {last}"), [project], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap();
    let gone = "SELECT count(gone_at) FROM batch JOIN project USING (project_key) WHERE name = ?1";
    let told = "SELECT count(*) FROM worker_fault WHERE announced IS NOT NULL AND fault LIKE '%:' || ?1";
    let start = format!("llama-triage: {project}: ");
    let new: BTreeSet<&String> = truth.difference(before).collect();
    Cell {
        complete,
        told: site.ledger().query_row(told, [project], |row| row.get(0)).unwrap(),
        gone: site.ledger().query_row(gone, [project], |row| row.get(0)).unwrap(),
        new: new.len(),
        kept: new.into_iter().filter(|shown| after.contains(*shown)).count(),
        unreadable,
        asks,
        said: said.lines().find_map(|line| line.strip_prefix(&start)).map(str::to_owned),
    }
}

/// Writes the configuration for these faults' projects. `hurried`: those that answer late meet a short time limit.
fn write<'a>(
    site: &Site,
    stage: Stage,
    ledger: &str,
    look_back: &str,
    of: impl IntoIterator<Item = &'a ApiFault>,
    hurried: bool,
) {
    let page_size = stage.page_size();
    let dir = site.path("");
    let mut text = format!("[ledger]\npath = {:?}\n", site.path(ledger));
    text +=
        &format!("[[channel]]\nname = \"folder\"\nkind = \"file\"\ndir = {:?}\n", dir.join(format!("{ledger}.out")));
    for trouble in of {
        let project = trouble.project();
        let timeout = if hurried && trouble.is_slow() { "3s" } else { "60s" };
        text += &format!(
            "[[project]]\nname = {project:?}\nbase-url = {:?}\nproject-id = {:?}\napi-key-file = {:?}\n\
             api = \"v1-beta\"\nrequest-timeout = {timeout:?}\nlook-back = {look_back:?}\n\
             page-size = {page_size}\nconcurrency = 1\nrequests-per-second = 1000\n",
            site.cloud.url(),
            project_id(&project),
            dir.join(format!("key-{project}")),
        );
    }
    std::fs::write(site.path("config.toml"), text).unwrap();
}

/// One cycle of the built binary: its exit code and what it said on standard error.
async fn cycle(site: &Site) -> (i32, String) {
    let mut command = site.command(&["-q", "cycle"]);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    (output.status.code().unwrap_or(-1), String::from_utf8(output.stderr).unwrap())
}

fn truth(site: &Site) -> Shown {
    let world = site.cloud.world();
    let mut shown = empty(&world);
    for failure in &world.truth().failures {
        let project = world.projects()[world.item(&failure.item_id).unwrap().project].name.clone();
        let status = if failure.status == SimulatedItemStatus::Failed { "failed" } else { "skipped" };
        let text = format!("{} {} {status}", failure.item_id, failure.batch_id);
        shown.get_mut(&project).unwrap().insert(text);
    }
    shown
}

fn recorded(site: &Site) -> Shown {
    let ledger = site.ledger();
    let mut statement = ledger
        .prepare(
            "SELECT p.name, i.item_id || ' ' || b.batch_id || ' ' || o.kind FROM observation o
             JOIN item i USING (item_key) JOIN batch b USING (batch_key) JOIN project p ON p.project_key = b.project_key
             WHERE o.kind IN ('failed', 'skipped')",
        )
        .unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    let mut shown = empty(&site.cloud.world());
    for row in rows {
        let (project, text): (String, String) = row.unwrap();
        shown.get_mut(&project).unwrap().insert(text);
    }
    shown
}

fn empty(world: &llama_triage::internals::simulator::World) -> Shown {
    world.projects().iter().map(|project| (project.name.clone(), BTreeSet::new())).collect()
}
