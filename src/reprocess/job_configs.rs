//! With which job configuration an item is retried: the narrowest of the team's own, else one learnt from the API.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::config::reprocess::JobConfigRule;
use crate::llamacloud::error::CloudError;
use crate::model::batch_api::BatchApi;
use crate::reprocess::Reprocess;
use crate::reprocess::policy::item::{Item, jitter};
use crate::reprocess::protocol::job_config::{JobConfig, JobConfigRefused, NoConfig};
use crate::reprocess::store::learnt_config::{self, LearntConfig};
use crate::secrets;

/// Batches of a project whose configuration is asked for in one go, at most; the rest waits for the next one.
/// Of each project, because failed requests are not remembered: one failing project must not use up what the others need.
const MOST_ASKED: usize = 20;

/// What API v2 can parse a document with, and what the presets of batches are called after.
const TIERS: [&str; 4] = ["fast", "cost_effective", "agentic", "agentic_plus"];

/// What could not be learnt is asked for again after this.
const ASK_AGAIN: SignedDuration = SignedDuration::from_hours(24);

const NOT_TOLD: &str = "LlamaCloud does not tell the job config of its batch";

type Config = Result<Arc<JobConfig>, NoConfig>;

impl Reprocess<'_> {
    /// Gives each item its job configuration; asks the API for those that are not known yet.
    ///
    /// # Errors
    /// The ledger refuses, or a `[[reprocess.job-config]]` cannot be used.
    pub(crate) async fn find_configs(&self, items: &mut [Item]) -> anyhow::Result<()> {
        let mut given = Vec::with_capacity(self.config.job_config.len());
        for rule in &self.config.job_config {
            given.push((rule, Arc::new(JobConfig::given(serde_json::to_value(&rule.config)?)?)));
        }
        let mut learnt: HashMap<(String, String), Config> = HashMap::new();
        let mut asked: HashMap<String, usize> = HashMap::new();
        for at in in_turn(items, self.now) {
            let item = &mut items[at];
            let Some(api) = item.api else {
                item.config =
                    Err(NoConfig::Unasked(format!("its project {} is no longer in the configuration", item.project)));
                continue;
            };
            if let Some(config) = narrowest(&given, item, api) {
                item.config = Ok(Arc::clone(config));
                continue;
            }
            let place = (item.project.clone(), item.batch_id.clone());
            if !learnt.contains_key(&place) {
                let asked = asked.entry(item.project.clone()).or_default();
                learnt.insert(place.clone(), self.learnt(item, api, asked).await?);
            }
            item.config = learnt.get(&place).cloned().unwrap_or_else(|| Err(NoConfig::Unasked(NOT_TOLD.to_owned())));
        }
        Ok(())
    }

    /// What is known of the configuration of a batch, or what the API says; the answer is remembered, a failed request is not.
    async fn learnt(&self, item: &Item, api: BatchApi, asked: &mut usize) -> anyhow::Result<Config> {
        let (project, batch_id) = (item.project.clone(), item.batch_id.clone());
        let known = self.ledger.read(move |connection| learnt_config::get(connection, &project, &batch_id)).await?;
        if let Some(known) = known.filter(|known| known.config.is_ok() || self.now - known.learnt_at < ASK_AGAIN) {
            return Ok(read(&known, api, &item.job_type).map(Arc::new).map_err(NoConfig::Nothing));
        }
        if *asked == MOST_ASKED {
            let why = format!("{MOST_ASKED} batches are asked about in one go");
            return Ok(Err(NoConfig::later(&why)));
        }
        *asked += 1;
        let config = match self.ask_config(item).await {
            Ok(Some(answered)) => usable(&answered, api, &item.job_type),
            Ok(None) => Err(NOT_TOLD.to_owned()),
            // Its API is gone, and nothing else shows the configuration.
            Err(error) if error.is_gone() => return Ok(Err(NoConfig::Nothing(error.to_string()))),
            Err(error) => {
                return Ok(Err(NoConfig::later(&format!("the API could not be asked for its job config: {error}"))));
            }
        };
        let kept = LearntConfig {
            config: config.as_ref().map(|config| config.body(false, "").to_string()).map_err(Clone::clone),
            lost: config.as_ref().map(|config| config.lost().to_vec()).unwrap_or_default(),
            learnt_at: self.now,
        };
        let (project, batch_id) = (item.project.clone(), item.batch_id.clone());
        self.ledger.write(move |tx| learnt_config::keep(tx, &project, &batch_id, &kept)).await?;
        Ok(config.map(Arc::new).map_err(NoConfig::Nothing))
    }

    async fn ask_config(&self, item: &Item) -> Result<Option<Value>, CloudError> {
        let Some(watched) = self.project(&item.project) else { return Ok(None) };
        match watched.source.batch(&item.batch_id).await? {
            Some(batch) => watched.source.learn_job_config(&batch, &item.item_id, item.job_id.as_deref()).await,
            None => Ok(None),
        }
    }
}

/// The narrowest of the team's own that the API takes: for the batch, else the directory, else the job type.
fn narrowest<'g>(
    given: &'g [(&JobConfigRule, Arc<JobConfig>)],
    item: &Item,
    api: BatchApi,
) -> Option<&'g Arc<JobConfig>> {
    let fits = |(rule, _): &&(&JobConfigRule, Arc<JobConfig>)| {
        rule.job_type == item.job_type
            && rule.is_taken_by(api)
            && rule.batch_id.as_ref().is_none_or(|batch| *batch == item.batch_id)
            && (rule.directory_id.is_none() || rule.directory_id == item.directory_id)
    };
    let found =
        given.iter().filter(fits).max_by_key(|(rule, _)| (rule.batch_id.is_some(), rule.directory_id.is_some()));
    found.map(|(_, config)| config)
}

/// The places of the items in an order of batches that is another one each time: batches that cannot be asked about must not keep
/// those behind them from being asked about for ever.
fn in_turn(items: &[Item], now: Timestamp) -> Vec<usize> {
    let salt = u32::try_from(now.as_second().rem_euclid(1 << 32)).unwrap_or(0);
    let mut of_batch: HashMap<&str, u64> = HashMap::new();
    let mut places: Vec<usize> = (0..items.len()).collect();
    places.sort_by_key(|at| {
        let batch_id = &items[*at].batch_id;
        *of_batch.entry(batch_id).or_insert_with(|| jitter(batch_id, salt).to_bits())
    });
    places
}

/// What v2 shows is the name of a saved configuration, which holds no secret; what v1 shows passes the allow-list.
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
    // The allow-list knows what secrets look like; only the registry knows those of this configuration.
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
    let text = known.config.as_ref().map_err(Clone::clone)?;
    let value: Value =
        serde_json::from_str(text).map_err(|error| format!("the stored job config is unreadable: {error}"))?;
    let is_of_v2 = ["configuration_id", "tier"].iter().any(|field| value.get(field).is_some());
    let of = if is_of_v2 { BatchApi::V2 } else { BatchApi::V1Beta };
    if of != api {
        return Err(format!("it was learnt from API {of}, and API {api} does not take it"));
    }
    Ok(usable(&value, api, job_type)?.having_lost(known.lost.clone()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::class::Class;

    fn item(n: u32) -> Item {
        let item = Item::new(format!("i-{n:03}"), "g".to_owned(), Class::Unknown, Timestamp::UNIX_EPOCH);
        Item { batch_id: format!("b-{:03}", n / 2), job_type: "parse".to_owned(), ..item }
    }

    fn kept(config: &Value) -> LearntConfig {
        LearntConfig { config: Ok(config.to_string()), lost: Vec::new(), learnt_at: Timestamp::UNIX_EPOCH }
    }

    #[test]
    fn a_config_for_another_api_is_no_config_of_this_project() {
        let given = |config: Value| {
            let rule = JobConfigRule {
                job_type: "parse".to_owned(),
                directory_id: None,
                batch_id: None,
                config: toml::Table::try_from(&config).unwrap(),
            };
            let given = [(&rule, Arc::new(JobConfig::given(config).unwrap()))];
            [BatchApi::V1Beta, BatchApi::V2].map(|api| narrowest(&given, &item(0), api).is_some())
        };
        assert_eq!(given(json!({"tier": "fast"})), [false, true]);
        assert_eq!(given(json!({"parameters": {"tier": "fast"}})), [true, false]);
    }

    #[test]
    fn batches_that_cannot_be_asked_about_do_not_keep_the_others_waiting() {
        let items: Vec<Item> = (0..100).map(item).collect();
        let mut asked = std::collections::BTreeSet::new();
        for cycle in 0..20 {
            let now = Timestamp::UNIX_EPOCH + SignedDuration::from_mins(cycle);
            let turns = in_turn(&items, now);
            assert_eq!(turns.len(), items.len());
            let first: std::collections::BTreeSet<&str> =
                turns.iter().take(2 * MOST_ASKED).map(|at| items[*at].batch_id.as_str()).collect();
            assert_eq!(first.len(), MOST_ASKED, "the items of a batch stay together");
            asked.extend(first);
        }
        assert_eq!(asked.len(), 50, "every batch has had its turn");
    }

    #[test]
    fn what_is_not_known_of_a_job_config_says_what_is_to_be_done() {
        let nothing = NoConfig::Nothing("not known".to_owned()).to_string();
        assert!(nothing.contains("add a [[reprocess.job-config]] (not known)"), "{nothing}");
        let later = NoConfig::later("no answer").to_string();
        assert!(later.contains("no answer; plan again"), "{later}");
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
            let known = kept(&answered);
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
        for known in [json!({"configuration_id": "cfg-PARSE_FAST"}), json!({"tier": "fast", "version": "latest"})] {
            let known = kept(&known);
            assert_eq!(read(&known, BatchApi::V2, "parse").unwrap().body(false, "")["tier"], "fast");
        }
    }

    #[test]
    fn what_was_learnt_from_one_api_is_not_sent_through_the_other() {
        let v1 = json!({"job_name": "parse_raw_file_job", "parameters": {"tier": "fast"}});
        for (answered, own) in [(v1, BatchApi::V1Beta), (json!({"configuration_id": "cfg-1"}), BatchApi::V2)] {
            let known = kept(&answered);
            assert!(read(&known, own, "parse").is_ok());
            assert!(read(&known, own.other(), "parse").unwrap_err().contains("does not take it"));
        }
    }
}
