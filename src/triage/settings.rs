//! What triage needs of the configuration, read and checked once.

use std::collections::BTreeMap;

use anyhow::Context;
use jiff::SignedDuration;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::classify::rules::decide::Rules;
use crate::config::Config;
use crate::config::channel::ChannelKind;
use crate::model::links::linker::Linker;
use crate::model::schedule::Schedule;
use crate::model::schedule::quiet::QuietHours;
use crate::triage::digest::channel_filter::Only;
use crate::triage::digest_rate::DigestLimits;
use crate::triage::page::policy::PagePolicy;

/// What one triage is asked for.
#[derive(Clone, Debug)]
pub struct TriageRequest {
    /// Now.
    pub now: Timestamp,
    /// What deadlines are judged by: earlier than `now` while the clock is in doubt, so that nothing ends by a wrong one.
    pub certain: Timestamp,
    /// A person asks: schedule, waiting times and caps do not count.
    pub by_hand: bool,
    /// The budget line of reprocessing, if it has one.
    pub budget: Option<String>,
    /// Items that a plan would retry now.
    pub would_retry: u64,
}

impl TriageRequest {
    /// What a cycle asks for.
    pub fn at(now: Timestamp) -> TriageRequest {
        TriageRequest { now, certain: now, by_hand: false, budget: None, would_retry: 0 }
    }
}

/// What triage needs to know beside the ledger.
#[derive(Clone, Debug)]
pub struct TriageSettings {
    /// The instance's name; empty when there is only one.
    pub instance: String,
    /// The zone people live in.
    pub zone: TimeZone,
    /// Its IANA name.
    pub zone_name: String,
    /// When the daily digest is due.
    pub digest: Schedule,
    /// When cycles run: a gap between scans that is much longer was downtime.
    pub scan: Schedule,
    /// When only paging news is sent.
    pub quiet: Option<QuietHours>,
    /// Groups shown in full.
    pub groups: usize,
    /// Samples of each.
    pub samples: usize,
    /// A new group is reported once its batches have ended, or this long after its first failure.
    pub group_wait: SignedDuration,
    /// A still open group is reported again after this.
    pub reminder: SignedDuration,
    /// A group without new items for this long is given up.
    pub quiet_after: SignedDuration,
    /// Limits for unscheduled digests.
    pub limits: DigestLimits,
    /// What pages.
    pub page: PagePolicy,
    /// Runbook links by rule.
    pub runbooks: BTreeMap<String, String>,
    /// Whether a Monday without news says so.
    pub all_quiet: bool,
    /// The channels.
    pub routes: Vec<Route>,
    /// Makes the links of samples.
    pub linker: Linker,
    /// Where people reach the console, without a trailing slash; none if it is not said.
    pub public_url: Option<String>,
}

/// A channel as triage sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Channel name.
    pub name: String,
    /// Which news it gets.
    pub only: Only,
    /// It opens alerts at a paging provider: it gets paging groups and the worker's faults only, and the end of groups at once.
    pub pager: bool,
}

impl TriageSettings {
    /// Reads the configuration. `rules` are all rules, the team's own and the shipped ones; `only` is each channel's filter
    /// as the notify edge read it, by channel name.
    ///
    /// # Errors
    /// A schedule, zone or quiet hours that cannot be read; `check-config` names these first.
    pub fn new(config: &Config, rules: &Rules, mut only: BTreeMap<String, Only>) -> anyhow::Result<TriageSettings> {
        let schedule = &config.schedule;
        let routes = config.channel.iter().map(|channel| Route {
            only: only.remove(&channel.name).unwrap_or_default(),
            pager: channel.kind == ChannelKind::Pagerduty,
            name: channel.name.clone(),
        });
        let runbooks = rules.iter().filter_map(|rule| Some((rule.name.clone(), rule.runbook.clone()?)));
        Ok(TriageSettings {
            instance: config.digest.instance.clone(),
            zone: TimeZone::get(&schedule.timezone).context("schedule.timezone")?,
            zone_name: schedule.timezone.clone(),
            digest: Schedule::parse(&schedule.digest).context("schedule.digest")?,
            scan: Schedule::parse(&schedule.scan).context("schedule.scan")?,
            quiet: schedule
                .quiet_hours
                .as_deref()
                .map(QuietHours::parse)
                .transpose()
                .context("schedule.quiet-hours")?,
            groups: config.digest.groups,
            samples: config.digest.samples,
            group_wait: signed(config.digest.group_wait),
            reminder: signed(config.digest.reminder),
            quiet_after: signed(config.digest.quiet_after),
            limits: DigestLimits {
                min_gap: signed(config.digest.min_gap),
                per_day: usize::try_from(config.digest.per_day).unwrap_or(usize::MAX),
            },
            page: page_policy(config, rules)?,
            runbooks: runbooks.collect(),
            all_quiet: config.digest.all_quiet,
            routes: routes.collect(),
            linker: config.linker_to_console(),
            public_url: config.public_url(),
        })
    }
}

impl TriageSettings {
    /// Whether only paging news is sent at this time.
    pub fn is_quiet(&self, now: jiff::Timestamp) -> bool {
        self.quiet.is_some_and(|quiet| quiet.contain(now, &self.zone))
    }
}

/// What pages by the configuration.
///
/// # Errors
/// The hours cannot be read; `check-config` names them first.
pub(crate) fn page_policy(config: &Config, rules: &Rules) -> anyhow::Result<PagePolicy> {
    let page = &config.page;
    Ok(PagePolicy {
        classes: config.page_classes().iter().cloned().collect(),
        rules: rules.iter().filter(|rule| rule.page).map(|rule| rule.name.clone()).collect(),
        escalation: page.escalation,
        incident_items: page.incident_items,
        incident_share: page.incident_share,
        projects: page.projects.clone(),
        hours: page.hours.as_deref().map(QuietHours::parse).transpose().context("page.hours")?,
    })
}

fn signed(length: std::time::Duration) -> SignedDuration {
    SignedDuration::try_from(length).unwrap_or(SignedDuration::MAX)
}
