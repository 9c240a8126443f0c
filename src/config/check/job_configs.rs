//! Whether each `[[reprocess.job-config]]` can be posted: a wrong one is not refused by LlamaCloud but paid for.

use crate::config::Config;
use crate::config::reprocess::JobConfigRule;
use crate::model::batch_api::BatchApi;
use crate::model::id::is_uuid;
use strum::VariantArray as _;

/// Fields of v1 beta's job configurations that are typed uuid.
const UUIDS: [&str; 5] = ["id", "project_id", "session_id", "correlation_id", "parent_job_execution_id"];

/// Says what is wrong with the job configurations.
pub(crate) fn check(config: &Config, say: &mut impl FnMut(String, &str)) {
    let configs = &config.reprocess.job_config;
    for (index, one) in configs.iter().enumerate() {
        let key = format!("reprocess.job-config[{index}]");
        if !JobConfigRule::JOB_TYPES.contains(&one.job_type.as_str()) {
            let allowed = JobConfigRule::JOB_TYPES.join("`, `");
            say(format!("{key}.job-type"), &format!("unknown job type `{}`, allowed: `{allowed}`", one.job_type));
            continue;
        }
        let scope = |one: &JobConfigRule| (one.job_type.clone(), one.directory_id.clone(), one.batch_id.clone());
        // A project of both APIs needs one for each.
        let competes = |earlier: &JobConfigRule| {
            scope(earlier) == scope(one)
                && BatchApi::VARIANTS.iter().any(|api| earlier.is_taken_by(*api) && one.is_taken_by(*api))
        };
        if configs[..index].iter().any(competes) {
            say(key.clone(), "duplicate: an earlier entry has the same job type, directory and batch");
        }
        for name in UUIDS {
            let value = one.config.get(name);
            if value.is_some_and(|value| !value.as_str().is_some_and(is_uuid)) {
                say(format!("{key}.config.{name}"), "must be a bare uuid: LlamaCloud rejects anything else (422)");
            }
        }
        if !config.project.is_empty() && !used_apis(config).any(|api| one.is_taken_by(api)) {
            let text = "no project can use it, and jobs would run with the API's defaults: api = \"v1-beta\" needs \
                        parameters = { … } in it for parse jobs, and api = \"v2\" takes its fields without that table";
            say(format!("{key}.config"), text);
        }
    }
}

fn used_apis(config: &Config) -> impl Iterator<Item = BatchApi> {
    config.project.iter().flat_map(|project| project.api.batch_apis().iter().copied())
}

#[cfg(test)]
mod tests {
    use crate::config::load;

    fn complaints(api: &str, entries: &[&str]) -> String {
        let mut text = format!("[ledger]\npath = \"l.db\"\n[[project]]\nname = \"p\"\napi = \"{api}\"\n");
        for entry in entries {
            text.push_str(&format!("[[reprocess.job-config]]\n{entry}\n"));
        }
        let mistakes = load::parse(&text).err().unwrap_or_default();
        mistakes.iter().map(|mistake| format!("{}: {}\n", mistake.key, mistake.text)).collect()
    }

    #[test]
    fn a_config_that_would_run_with_defaults_is_refused() {
        for config in ["{ }", "{ tier = \"fast\" }", "{ parameters = { } }", "{ parameters = \"fast\" }"] {
            let said = complaints("v1-beta", &[&format!("job-type = \"parse\"\nconfig = {config}")]);
            assert!(said.contains("reprocess.job-config[0].config: no project can use it"), "{config}: {said}");
        }
        let nested = "job-type = \"parse\"\nconfig = { parameters = { tier = \"fast\" } }";
        assert_eq!(complaints("v1-beta", &[nested]), "");
        assert!(complaints("v2", &[nested]).contains("no project can use it"));
        assert_eq!(complaints("v2", &["job-type = \"parse\"\nconfig = { tier = \"fast\" }"]), "");
        assert_eq!(complaints("v1-beta", &["job-type = \"classify\"\nconfig = { rules = [] }"]), "");
        let flat = "job-type = \"parse\"\nconfig = { tier = \"fast\" }";
        assert_eq!(complaints("auto", &[nested, flat]), "", "one for each API");
        assert!(complaints("auto", &[flat, flat]).contains("an earlier entry has the same"));
        assert!(complaints("auto", &["job-type = \"parse\"\nconfig = { }"]).contains("no project can use it"));
    }

    #[test]
    fn an_id_that_is_typed_uuid_is_one() {
        let with = |id: &str| format!("job-type = \"classify\"\nconfig = {{ rules = [], id = {id} }}");
        assert_eq!(complaints("v1-beta", &[&with("\"7c9e6679-7425-40de-944b-e07fc1f90ae7\"")]), "");
        for id in ["\"clf-1\"", "5"] {
            let said = complaints("v1-beta", &[&with(id)]);
            assert!(said.contains("reprocess.job-config[0].config.id: must be a bare uuid"), "{said}");
        }
    }

    #[test]
    fn job_types_that_do_not_exist_and_scopes_given_twice_are_refused() {
        let config = "config = { parameters = { tier = \"fast\" } }";
        let said = complaints("v1-beta", &[&format!("job-type = \"pasre\"\n{config}")]);
        assert!(said.contains("unknown job type `pasre`, allowed: `parse`"), "{said}");
        let (wide, narrow) =
            (format!("job-type = \"parse\"\n{config}"), format!("job-type = \"parse\"\nbatch-id = \"b\"\n{config}"));
        assert_eq!(complaints("v1-beta", &[&wide, &narrow]), "");
        let said = complaints("v1-beta", &[&narrow, &wide, &narrow]);
        assert!(said.contains("reprocess.job-config[2]: duplicate"), "{said}");
    }
}
