//! With which job configuration an item is retried: the narrowest of the team's own, else one learnt from the API.

use std::collections::{BTreeSet, HashMap};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::config::reprocess;
use crate::llamacloud::Cloud;
use crate::model::batch_api::BatchApi;
use crate::reprocess::Reprocess;
use crate::reprocess::policy::chunk::Excluded;
use crate::reprocess::policy::delay::jitter;
use crate::reprocess::policy::exclusion::Exclusion;
use crate::reprocess::protocol::job_config::{JobConfig, JobConfigRefused, left_out};
use crate::reprocess::store::learnt_config::{self, LearntConfig};
use crate::reprocess::store::retriable::{Origin, Retriable};
use crate::secrets;

/// Batches of a project whose configuration is asked for in one go, at most; the rest waits for the next one.
/// Of each project, because failed requests are not remembered: one failing project must not use up what the others need.
const MOST_ASKED: usize = 20;

/// What API v2 can parse a document with, and what the presets of batches are called after.
const TIERS: [&str; 4] = ["fast", "cost_effective", "agentic", "agentic_plus"];

/// What could not be learnt is asked for again after this.
const ASK_AGAIN: SignedDuration = SignedDuration::from_hours(24);

/// The job configurations of a set of items.
#[derive(Debug, Default)]
pub(crate) struct JobConfigs {
    given: Vec<(reprocess::JobConfigRule, JobConfig)>,
    /// The API through which items of a batch are resubmitted, by project and batch; missing for projects that are not in
    /// the configuration.
    apis: HashMap<(String, String), BatchApi>,
    /// By project and batch.
    learnt: HashMap<(String, String), Learnt>,
}

/// What the API said of the job configuration of a batch.
#[derive(Debug)]
enum Learnt {
    /// One that may be sent again, and the parameters that it lost although they may decide the result.
    Usable(JobConfig, Vec<String>),
    /// There is none that may be sent again, and why.
    Nothing(String),
    /// It could not be asked, and why.
    Unasked(String),
}

impl Learnt {
    fn new(answered: Result<JobConfig, String>, lost: Vec<String>) -> Learnt {
        answered.map_or_else(Learnt::Nothing, |config| Learnt::Usable(config, lost))
    }
}

impl JobConfigs {
    /// The configuration for an item; none if it is not known, or its project is not watched any more.
    pub(crate) fn of(&self, item: &Retriable) -> Option<&JobConfig> {
        self.api(item)?;
        self.given(item).or_else(|| match self.learnt.get(&place(item)) {
            Some(Learnt::Usable(learnt, _)) => Some(learnt),
            _ => None,
        })
    }

    /// Why an item is left out, with what is to be done about it where its job configuration is not known.
    pub(crate) fn why(&self, left: &Excluded, rows: &[Retriable]) -> String {
        let row = rows.iter().find(|row| row.item_id == left.item_id);
        let Some(row) = row.filter(|_| left.exclusion == Exclusion::NoJobConfig) else {
            return left.exclusion.to_string();
        };
        if self.api(row).is_none() {
            return format!("its project {} is no longer in the configuration", row.project);
        }
        match self.learnt.get(&place(row)) {
            Some(Learnt::Nothing(why)) => format!("{} ({why})", left.exclusion),
            Some(Learnt::Unasked(why)) => format!("its job config is not known yet: {why}; plan again"),
            Some(Learnt::Usable(..)) | None => {
                format!("its job config is not known yet: {MOST_ASKED} batches are asked about in one go; plan again")
            }
        }
    }

    /// The API through which an item is resubmitted; none if its project is not watched any more.
    pub(crate) fn api(&self, item: &Retriable) -> Option<BatchApi> {
        self.apis.get(&place(item)).copied()
    }

    /// Why there will be no configuration for an item unless a person gives one; none if there is one, or may be.
    pub(crate) fn missing(&self, item: &Retriable) -> Option<&str> {
        match self.learnt.get(&place(item)) {
            Some(Learnt::Nothing(why)) if self.given(item).is_none() => Some(why),
            _ => None,
        }
    }

    /// Parameters that the configurations of these hashes lost although they may decide the result, sorted.
    pub(crate) fn lost(&self, hashes: &BTreeSet<&str>) -> Vec<String> {
        let lost = self.learnt.values().filter_map(|learnt| match learnt {
            Learnt::Usable(config, lost) if hashes.contains(config.hash()) => Some(lost),
            _ => None,
        });
        let names: BTreeSet<&String> = lost.flatten().collect();
        names.into_iter().cloned().collect()
    }

    /// The narrowest of the team's own that the project's API takes: for the batch, else the directory, else the job type.
    fn given(&self, item: &Retriable) -> Option<&JobConfig> {
        let origin = &item.origin;
        let api = self.api(item)?;
        let fits = |entry: &&(reprocess::JobConfigRule, JobConfig)| {
            let config = &entry.0;
            config.job_type == origin.job_type
                && config.is_taken_by(api)
                && config.batch_id.as_ref().is_none_or(|batch| *batch == origin.batch_id)
                && (config.directory_id.is_none() || config.directory_id == origin.directory_id)
        };
        let narrowness = |entry: &&(reprocess::JobConfigRule, JobConfig)| {
            (entry.0.batch_id.is_some(), entry.0.directory_id.is_some())
        };
        self.given.iter().filter(fits).max_by_key(narrowness).map(|(_, config)| config)
    }
}

/// The items in an order of batches that is another one each time: batches that cannot be asked about must not keep those
/// behind them from being asked about for ever.
fn in_turn(items: &[Retriable], now: Timestamp) -> Vec<&Retriable> {
    let salt = u32::try_from(now.as_second().rem_euclid(1 << 32)).unwrap_or(0);
    let mut turns: Vec<(u32, &Retriable)> = Vec::with_capacity(items.len());
    let mut of_batch: HashMap<&str, u32> = HashMap::new();
    for item in items {
        let turn = of_batch.entry(&item.origin.batch_id).or_insert_with(|| turn(&item.origin.batch_id, salt));
        turns.push((*turn, item));
    }
    turns.sort_by_key(|(turn, _)| *turn);
    turns.into_iter().map(|(_, item)| item).collect()
}

fn turn(batch_id: &str, salt: u32) -> u32 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a fraction of 2^31")]
    let turn = (jitter(batch_id, salt) * f64::from(1u32 << 31)) as u32;
    turn
}

fn place(item: &Retriable) -> (String, String) {
    (item.project.clone(), item.origin.batch_id.clone())
}

impl Reprocess<'_> {
    /// The job configurations of these items; asks the API for those that are not known yet.
    ///
    /// # Errors
    /// The ledger refuses, or a `[[reprocess.job-config]]` cannot be used.
    pub(crate) async fn job_configs(&self, items: &[Retriable], now: Timestamp) -> anyhow::Result<JobConfigs> {
        let resubmitted_through = |item: &Retriable| {
            let source = &self.project(&item.project)?.source;
            Some((place(item), source.api_to_resubmit(&item.origin.batch_id)))
        };
        let apis = items.iter().filter_map(resubmitted_through).collect();
        let mut configs = JobConfigs { apis, ..JobConfigs::default() };
        for given in &self.config.job_config {
            let value = serde_json::to_value(&given.config)?;
            configs.given.push((given.clone(), JobConfig::given(value)?));
        }
        let mut asked: HashMap<&str, usize> = HashMap::new();
        for item in in_turn(items, now) {
            if configs.given(item).is_some() || configs.learnt.contains_key(&place(item)) {
                continue;
            }
            let Some(api) = configs.api(item) else { continue };
            let known = self.known(item, now).await?;
            let learnt = match known {
                Some(known) => Learnt::new(read(&known, api, &item.origin.job_type), known.lost),
                None => {
                    let asked = asked.entry(item.project.as_str()).or_default();
                    if *asked == MOST_ASKED {
                        continue;
                    }
                    *asked += 1;
                    self.learn(item, api, now).await?
                }
            };
            configs.learnt.insert(place(item), learnt);
        }
        Ok(configs)
    }

    async fn known(&self, item: &Retriable, now: Timestamp) -> anyhow::Result<Option<LearntConfig>> {
        let (project, batch_id) = place(item);
        let known = self.ledger.read(move |connection| learnt_config::get(connection, &project, &batch_id)).await?;
        Ok(known.filter(|known| known.job_config.is_some() || now - known.learnt_at < ASK_AGAIN))
    }

    /// Asks the API; what it said is kept, trouble with asking is not.
    async fn learn(&self, item: &Retriable, api: BatchApi, now: Timestamp) -> anyhow::Result<Learnt> {
        let Some(watched) = self.project(&item.project) else {
            return Ok(Learnt::Unasked("its project is no longer in the configuration".to_owned()));
        };
        let answered = match ask(&watched.source, &item.origin, &item.item_id).await {
            Ok(answered) => answered,
            // Its API is gone, and nothing else shows the configuration.
            Err(error) if error.is_gone() => return Ok(Learnt::Nothing(error.to_string())),
            Err(error) => {
                return Ok(Learnt::Unasked(format!("the API could not be asked for its job config: {error}")));
            }
        };
        let lost = answered.as_ref().map(left_out).unwrap_or_default();
        let learnt = match answered {
            Some(answered) => usable(&answered, api, &item.origin.job_type),
            None => Err("LlamaCloud does not tell the job config of its batch".to_owned()),
        };
        let kept = LearntConfig {
            job_config: learnt.as_ref().ok().map(|config| config.body(false, "").to_string()),
            why: learnt.as_ref().err().cloned(),
            lost: if learnt.is_ok() { lost.clone() } else { Vec::new() },
            learnt_at: now,
        };
        let (project, batch_id) = place(item);
        self.ledger.write(move |tx| learnt_config::keep(tx, &project, &batch_id, &kept)).await?;
        Ok(Learnt::new(learnt, lost))
    }
}

async fn ask(
    cloud: &Cloud,
    origin: &Origin,
    item_id: &str,
) -> Result<Option<Value>, crate::llamacloud::error::CloudError> {
    match cloud.batch(&origin.batch_id).await? {
        Some(batch) => cloud.learn_job_config(&batch, item_id, origin.job_id.as_deref()).await,
        None => Ok(None),
    }
}

/// What v2 tells is the name of a saved configuration, which holds no secret; what v1 tells goes through the allow-list.
///
/// The list knows parameters of parse jobs only: with them, work of another type would be paid for as a parse.
fn usable(answered: &Value, api: BatchApi, job_type: &str) -> Result<JobConfig, String> {
    let config = match api {
        BatchApi::V1Beta if job_type != "parse" => {
            return Err(format!("the job config of {job_type} is not replayed; add a [[reprocess.job-config]]"));
        }
        BatchApi::V1Beta => JobConfig::learnt(answered),
        BatchApi::V2 => JobConfig::given(of_v2(answered, job_type)?),
    };
    let config = config.map_err(|error| error.to_string())?;
    // The allow-list knows what secrets look like; only the registry knows ours.
    if secrets::are_in(&config.body(false, "").to_string()) {
        return Err(JobConfigRefused::HoldsSecret("a parameter".to_owned()).to_string());
    }
    Ok(config)
}

/// What a single job of v2 takes: the saved configuration of its batch, or the tier that a preset for parsing stands for,
/// for only batches are known to take the names of presets.
fn of_v2(answered: &Value, job_type: &str) -> Result<Value, String> {
    let text = |name: &str| answered.get(name).and_then(Value::as_str);
    let (id, tier) = (text("configuration_id"), text("tier"));
    let preset = id.filter(|_| job_type == "parse").and_then(|id| id.strip_prefix("cfg-PARSE_")).map(str::to_lowercase);
    match (tier.or(preset.as_deref()), id) {
        (Some(tier), _) if TIERS.contains(&tier) => Ok(serde_json::json!({ "tier": tier, "version": "latest" })),
        (Some(tier), _) => Err(format!(
            "it is not known what the preset {tier} stands for; give a job config in [[reprocess.job-config]]"
        )),
        (None, Some(id)) => Ok(serde_json::json!({ "configuration_id": id })),
        (None, None) => Err("LlamaCloud names no saved configuration for its batch".to_owned()),
    }
}

/// A configuration that was learnt from one API is none for the other, which would process with its defaults.
fn read(known: &LearntConfig, api: BatchApi, job_type: &str) -> Result<JobConfig, String> {
    let Some(text) = &known.job_config else {
        return Err(known
            .why
            .clone()
            .unwrap_or_else(|| "LlamaCloud does not tell the job config of its batch".to_owned()));
    };
    let value: Value =
        serde_json::from_str(text).map_err(|error| format!("the stored job config is unreadable: {error}"))?;
    let is_of_v2 = ["configuration_id", "tier"].iter().any(|field| value.get(field).is_some());
    let of = if is_of_v2 { BatchApi::V2 } else { BatchApi::V1Beta };
    if of != api {
        return Err(format!("it was learnt from API {of}, and API {api} does not take it"));
    }
    usable(&value, api, job_type)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::reprocess::store::retriable::Said;

    fn item(n: u32) -> Retriable {
        Retriable {
            item_id: format!("i-{n:03}"),
            item_name: String::new(),
            project: "p".to_owned(),
            state: crate::model::item::ItemState::Open,
            group_id: "g".to_owned(),
            said: Said::default(),
            failed_at: Timestamp::UNIX_EPOCH,
            baseline: false,
            claimed_by: None,
            running_in: None,
            refused: None,
            refusals: 0,
            origin: Origin { batch_id: format!("b-{:03}", n / 2), job_type: "parse".to_owned(), ..Origin::default() },
            attempts: Vec::new(),
        }
    }

    #[test]
    fn a_config_for_another_api_is_no_config_of_this_project() {
        let given = |config: Value| {
            let entry = reprocess::JobConfigRule {
                job_type: "parse".to_owned(),
                directory_id: None,
                batch_id: None,
                config: toml::Table::try_from(&config).unwrap(),
            };
            let other = Retriable { project: "q".to_owned(), ..item(0) };
            let apis = HashMap::from([(place(&item(0)), BatchApi::V1Beta), (place(&other), BatchApi::V2)]);
            let given = vec![(entry, JobConfig::given(config).unwrap())];
            let configs = JobConfigs { given, apis, ..JobConfigs::default() };
            (configs.of(&item(0)).is_some(), configs.of(&other).is_some())
        };
        assert_eq!(given(json!({"tier": "fast"})), (false, true));
        assert_eq!(given(json!({"parameters": {"tier": "fast"}})), (true, false));
    }

    #[test]
    fn batches_that_cannot_be_asked_about_do_not_keep_the_others_waiting() {
        let items: Vec<Retriable> = (0..100).map(item).collect();
        let mut asked = std::collections::BTreeSet::new();
        for cycle in 0..20 {
            let now = Timestamp::UNIX_EPOCH + SignedDuration::from_mins(cycle);
            let turns = in_turn(&items, now);
            assert_eq!(turns.len(), items.len());
            let first: std::collections::BTreeSet<&str> =
                turns.iter().take(2 * MOST_ASKED).map(|item| item.origin.batch_id.as_str()).collect();
            assert_eq!(first.len(), MOST_ASKED, "the items of a batch stay together");
            asked.extend(first);
        }
        assert_eq!(asked.len(), 50, "every batch has had its turn");
    }

    #[test]
    fn what_is_not_known_of_a_job_config_says_what_is_to_be_done() {
        let rows = [item(0), item(2), item(4), Retriable { project: "gone".to_owned(), ..item(6) }];
        let learnt = [
            (place(&rows[0]), Learnt::Nothing("not told".to_owned())),
            (place(&rows[1]), Learnt::Unasked("no answer".to_owned())),
        ];
        let apis = rows[..3].iter().map(|row| (place(row), BatchApi::V1Beta)).collect();
        let configs = JobConfigs { learnt: HashMap::from(learnt), apis, ..JobConfigs::default() };
        let why = |row: &Retriable| {
            assert_eq!(configs.of(row), None);
            configs.why(&Excluded { item_id: row.item_id.clone(), exclusion: Exclusion::NoJobConfig }, &rows)
        };
        let answered = rows.iter().map(why).collect::<Vec<_>>();
        assert!(answered[0].contains("add a [[reprocess.job-config]] (not told)"), "{answered:?}");
        assert!(answered[1].contains("no answer; plan again"), "{answered:?}");
        assert!(answered[2].contains("20 batches are asked about in one go; plan again"), "{answered:?}");
        assert_eq!(answered[3], "its project gone is no longer in the configuration");
    }

    #[test]
    fn a_config_that_holds_a_secret_of_ours_is_not_learnt() {
        secrets::hold("Vk3-held-in-a-config-Vk3");
        let answered = |text: &str| json!({"parameters": {"tier": "fast", "user_prompt": text}});
        assert!(usable(&answered("as usual"), BatchApi::V1Beta, "parse").is_ok());
        let refused = usable(&answered("log in with Vk3-held-in-a-config-Vk3"), BatchApi::V1Beta, "parse").unwrap_err();
        assert!(refused.contains("holds a secret"), "{refused}");
    }

    #[test]
    fn only_parse_work_is_retried_with_a_config_learnt_from_v1() {
        let answered = json!({"job_name": "parse_raw_file_job", "parameters": {"tier": "fast"}});
        assert!(usable(&answered, BatchApi::V1Beta, "parse").is_ok());
        for job_type in ["classify", "extract"] {
            assert!(usable(&answered, BatchApi::V1Beta, job_type).unwrap_err().contains(job_type));
            let known = LearntConfig {
                job_config: Some(answered.to_string()),
                why: None,
                lost: Vec::new(),
                learnt_at: Timestamp::UNIX_EPOCH,
            };
            let earlier = read(&known, BatchApi::V1Beta, job_type);
            assert!(earlier.is_err(), "what was kept for {job_type} earlier is not used either");
        }
        assert!(usable(&json!({"configuration_id": "cfg-1"}), BatchApi::V2, "extract").is_ok());
    }

    #[test]
    fn a_preset_of_a_batch_is_sent_as_its_tier_and_a_saved_configuration_as_it_is() {
        let sent = |id: &str, job_type: &str| {
            let config = usable(&json!({ "configuration_id": id }), BatchApi::V2, job_type);
            config.map(|config| config.body(false, ""))
        };
        assert_eq!(sent("cfg-PARSE_AGENTIC_PLUS", "parse"), Ok(json!({"tier": "agentic_plus", "version": "latest"})));
        assert!(sent("cfg-PARSE_SHINY", "parse").unwrap_err().contains("give a job config"));
        for (id, job_type) in
            [("cfg-7c9e6679-7425-40de-944b-e07fc1f90ae7", "parse"), ("cfg-EXTRACT_AGENTIC", "extract")]
        {
            assert_eq!(sent(id, job_type), Ok(json!({ "configuration_id": id })));
        }
        // What was kept by either version is understood.
        for kept in [json!({"configuration_id": "cfg-PARSE_FAST"}), json!({"tier": "fast", "version": "latest"})] {
            let known = LearntConfig {
                job_config: Some(kept.to_string()),
                why: None,
                lost: Vec::new(),
                learnt_at: Timestamp::UNIX_EPOCH,
            };
            assert_eq!(read(&known, BatchApi::V2, "parse").unwrap().body(false, "")["tier"], "fast");
        }
    }

    #[test]
    fn what_was_learnt_from_one_api_is_not_sent_through_the_other() {
        let v1 = json!({"job_name": "parse_raw_file_job", "parameters": {"tier": "fast"}});
        for (answered, own) in [(v1, BatchApi::V1Beta), (json!({"configuration_id": "cfg-1"}), BatchApi::V2)] {
            let known = LearntConfig {
                job_config: Some(answered.to_string()),
                why: None,
                lost: Vec::new(),
                learnt_at: Timestamp::UNIX_EPOCH,
            };
            assert!(read(&known, own, "parse").is_ok());
            assert!(read(&known, own.other(), "parse").unwrap_err().contains("does not take it"));
        }
    }
}
