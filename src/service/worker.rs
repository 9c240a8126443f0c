//! The worker: the settings, connections and ledger of one process.

use std::collections::{BTreeSet, HashMap};

use anyhow::{Context, bail};
use jiff::Timestamp;
use secrecy::ExposeSecret;

use crate::classify::classifier::{classify, reclassify_if_due};
use crate::config::project::Api;
use crate::grouping::grouper::{Grouper, Subject};
use crate::grouping::{store_group, store_regroup};
use crate::ledger::Ledger;
use crate::ledger::audit::{self, Act};
use crate::llamacloud::Cloud;
use crate::measures::MEASURES;
use crate::model::batch_api::BatchApi;
use crate::model::classified::Classified;
use crate::notify::deliver;
use crate::reprocess::store::intent;
use crate::scan::source::Watched;
use crate::scan::store::{batch, project};
use crate::scan::summary::ScanSummary;
use crate::scan::{self, causes};
use crate::service::clock::Clock;
use crate::service::http::webhook_queue;
use crate::service::setup::Setup;

/// Regroups after an upgrade, before anything else, so that known failures are not reported as new.
async fn regroup_if_due(ledger: &Ledger, now: Timestamp) -> anyhow::Result<()> {
    if !ledger.read(store_regroup::is_due).await? {
        return Ok(());
    }
    let regrouped = ledger.write(move |tx| {
        let act = Act { actor: "auto:upgrade", action: "regroup", subject: "ledger", ..Act::default() };
        audit::record(tx, &act, now)?;
        store_regroup::regroup(tx, now)
    });
    let (messages, joined) = regrouped.await.context("cannot regroup the messages of an earlier version")?;
    tracing::info!(messages, joined, "regrouped {messages} messages after an upgrade; {joined} groups were merged");
    Ok(())
}

/// A process that may write to the ledger.
pub struct Worker {
    /// Settings and connections; replaced as a whole by a reload.
    pub setup: Setup,
    /// The open ledger, with its lock.
    pub ledger: Ledger,
    /// The time that it works by.
    pub clock: Clock,
    /// The groups known so far.
    pub grouper: Grouper,
    /// Batches that events named since the last scan: they are asked for by id.
    pub(crate) named: Vec<String>,
    /// What was learnt by asking for causes.
    pub(crate) asked: causes::CauseMemory,
    /// Which changes by people the grouper knows of.
    generation: u64,
}

impl Worker {
    /// Opens the ledger and reads the groups it knows.
    ///
    /// # Errors
    /// The ledger cannot be opened, or its groups cannot be read back.
    pub async fn open(setup: Setup) -> anyhow::Result<Worker> {
        let ledger = Ledger::open(&setup.config.ledger.path).await?;
        let mut clock = Clock::load(&ledger).await?;
        let now = clock.now(&ledger, &setup).await?;
        crate::service::identity::settle(&ledger, now).await?;
        regroup_if_due(&ledger, now).await?;
        crate::scan::apis::restore_apis(&ledger, &setup.projects).await?;
        let grouper = scan::restore_grouper(&ledger).await?;
        let generation = ledger.read(store_group::generation).await?;
        deliver::recover(&ledger, now).await?;
        setup.reprocessing(&ledger, now).recover().await?;
        let asked = causes::CauseMemory::default();
        Ok(Worker { setup, ledger, clock, grouper, generation, named: Vec::new(), asked })
    }

    /// What time it is; stored times that lie ahead of it are set right first.
    pub async fn now(&mut self) -> anyhow::Result<Timestamp> {
        Ok(self.clock.now(&self.ledger, &self.setup).await?)
    }

    /// Scans all projects once. Trouble with a project is in its summary.
    ///
    /// # Errors
    /// The ledger cannot be written; what was committed before stays.
    pub async fn scan(&mut self, now: Timestamp) -> anyhow::Result<Vec<ScanSummary>> {
        let all = self.setup.projects.iter().map(|project| project.name.clone()).collect();
        self.scan_only(&all, now).await
    }

    /// The same for the projects of these names.
    ///
    /// # Errors
    /// The ledger cannot be written; what was committed before stays.
    pub(crate) async fn scan_only(
        &mut self,
        names: &BTreeSet<String>,
        now: Timestamp,
    ) -> anyhow::Result<Vec<ScanSummary>> {
        let projects = self.setup.projects.iter().filter(|project| names.contains(&project.name));
        let projects: Vec<Watched<Cloud>> = projects.cloned().collect();
        for project in &projects {
            project.source.begin_scan();
        }
        for intent in self.ledger.read(intent::unsettled).await? {
            let project = projects.iter().find(|project| project.name == intent.project);
            let is_of_v2 = intent.api == BatchApi::V2;
            if let (true, Some(project), [item]) = (is_of_v2, project, intent.items.as_slice()) {
                let job_type = &intent.job_type;
                intent.batch_ids.iter().for_each(|id| project.source.remember(id, job_type, &item.item_id));
            }
        }
        let generation = self.ledger.read(store_group::generation).await?;
        if generation != self.generation {
            self.grouper = scan::restore_grouper(&self.ledger).await?;
            self.generation = generation;
        }
        let named = self.named_by_project().await?;
        let rules = &self.setup.rules;
        let classify = |first: &Subject<'_>| classify(rules, first);
        let scans = scan::scan(&self.ledger, &projects, &named, &mut self.grouper, &classify, now).await?;
        scans.iter().for_each(|scan| MEASURES.add_scan(&scan.project, scan.took));
        let policy = &self.setup.triage.page;
        let pages = |one: &Classified| policy.class_pages(&one.class, one.rule.as_deref());
        reclassify_if_due(&self.ledger, rules, &pages, now).await?;
        let scanned = self.setup.config.project.iter().filter(|project| names.contains(&project.name));
        let addresses: Vec<_> = scanned.map(|project| (project.name.clone(), project.base_url.clone())).collect();
        self.ledger.write(move |tx| project::locate(tx, &addresses)).await?;
        Ok(scans)
    }

    /// The batches that events named, by the projects that are asked for them. Batches of v1 send no events.
    async fn named_by_project(&mut self) -> anyhow::Result<HashMap<String, Vec<String>>> {
        let named = std::mem::take(&mut self.named);
        if named.is_empty() {
            return Ok(HashMap::new());
        }
        let ids = named.clone();
        let known = self.ledger.read(move |connection| batch::projects_of(connection, &ids)).await?;
        let of_v2 = self.setup.config.project.iter().filter(|project| project.api != Api::V1Beta);
        let projects: Vec<&str> = of_v2.map(|project| project.name.as_str()).collect();
        Ok(webhook_queue::by_project(named, &known, &projects))
    }

    /// Goes on with new settings; the ledger stays the same.
    ///
    /// # Errors
    /// The new settings name another ledger: that needs a restart.
    pub fn reconfigure(&mut self, setup: Setup) -> anyhow::Result<()> {
        if setup.config.ledger.path != self.setup.config.ledger.path {
            bail!("ledger.path has changed: restart the service to use the new ledger");
        }
        if setup.config.service.listen != self.setup.config.service.listen {
            bail!("service.listen has changed: restart the service to use it");
        }
        let exposed = |setup: &Setup| setup.webhook_secret.as_ref().map(|secret| secret.expose_secret().to_owned());
        if exposed(&setup) != exposed(&self.setup) {
            bail!("the secret of LlamaCloud's webhooks has changed: restart the service to use it");
        }
        self.setup = setup;
        // A new key may be accepted.
        self.asked = causes::CauseMemory::default();
        Ok(())
    }
}
