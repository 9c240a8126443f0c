//! What one `[[project]]` needs: its key, a name server, TLS, the API, a clock that is right.

use std::error::Error;
use std::io::ErrorKind;
use std::time::Duration;

use jiff::Timestamp;

use crate::config::load::ConfigError;
use crate::config::project::ProjectConfig;
use crate::credentials::Credentials;
use crate::llamacloud::error::CloudError;
use crate::llamacloud::http::client::Transport;
use crate::llamacloud::settings::CloudSettings;
use crate::llamacloud::{Cloud, Probe};
use crate::model::batch_api::BatchApi;
use crate::model::host::is_loopback;
use crate::service::doctor::CheckResult;

/// How long a check over the network may take.
const LIMIT: Duration = Duration::from_secs(15);

/// A clock that is off by more than this puts the order of events in doubt.
const SKEW: Duration = Duration::from_secs(60);

/// Receivers of signed webhooks refuse a difference of more than five minutes (Standard Webhooks).
const GREAT_SKEW: Duration = Duration::from_secs(300);

/// All checks of one project; those that need the key are left out without one.
pub(crate) async fn examine(project: &ProjectConfig, credentials: &Credentials) -> Vec<CheckResult> {
    let name = project.name.as_str();
    let mut findings = Vec::new();
    let cloud = match credentials.api_key(project) {
        Ok(key) => {
            findings.push(CheckResult::ok("api key", name, "found"));
            let settings = CloudSettings { project: project.clone(), key };
            Some(Transport::new().and_then(|transport| Cloud::connect(settings, &transport)))
        }
        Err(error) => {
            let advice = match &error {
                ConfigError::SecretFile { why, .. } if why.kind() != ErrorKind::NotFound => {
                    "make the file readable for the current user; under systemd only root needs to read it"
                }
                _ => "put the key there; under systemd: /etc/llama-triage/credentials/llama-cloud-api-key",
            };
            findings.push(CheckResult::fail("api key", name, error.to_string(), advice));
            None
        }
    };
    let reached = address(project, &mut findings).await;
    match cloud {
        Some(Ok(cloud)) if reached => findings.extend(api(name, &cloud).await),
        Some(Err(error)) => {
            let advice = "correct base-url; if it is about certificates: apt-get install ca-certificates";
            findings.push(CheckResult::fail("client", name, error.to_string(), advice));
        }
        _ => {}
    }
    findings
}

/// Name, connection, TLS, and the clock by the answer's `Date`. No key is sent. False if nothing answers.
async fn address(project: &ProjectConfig, findings: &mut Vec<CheckResult>) -> bool {
    let name = project.name.as_str();
    let Some((host, port)) = host_and_port(&project.base_url) else { return false };
    if host.parse::<std::net::IpAddr>().is_err() {
        match tokio::time::timeout(LIMIT, tokio::net::lookup_host((host.as_str(), port))).await {
            Ok(Ok(found)) => {
                let mut found: Vec<String> = found.map(|address| address.ip().to_string()).collect();
                found.dedup();
                findings.push(CheckResult::ok("dns", name, format!("{host} is {}", found.join(", "))));
            }
            failed => {
                let why = failed
                    .map_or_else(|_| "no answer".to_owned(), |r| r.map_or_else(|e| e.to_string(), |_| String::new()));
                let advice = "check base-url and /etc/resolv.conf; a proxy is taken from HTTPS_PROXY";
                findings.push(CheckResult::fail("dns", name, format!("{host}: {why}"), advice));
                return false;
            }
        }
    }
    match hello(&project.base_url).await {
        Ok(date) => {
            findings.push(CheckResult::ok("address", name, format!("{} answers", project.base_url)));
            findings.extend(date.and_then(|date| clock(name, &date, Timestamp::now())));
            true
        }
        Err(why) => {
            let advice =
                "check the firewall for outgoing connections, the proxy, and ca-certificates if it is about TLS";
            findings.push(CheckResult::fail("address", name, format!("{}: {why}", project.base_url), advice));
            false
        }
    }
}

fn host_and_port(base_url: &str) -> Option<(String, u16)> {
    let url = reqwest::Url::parse(base_url).ok()?;
    Some((url.host_str()?.trim_matches(['[', ']']).to_owned(), url.port_or_known_default()?))
}

/// Sends a request; any response proves that the address is reachable. Returns its `Date`.
async fn hello(base_url: &str) -> Result<Option<String>, String> {
    let builder = reqwest::Client::builder().timeout(LIMIT);
    let is_local = host_and_port(base_url).is_some_and(|(host, _)| is_loopback(&host));
    let builder = if is_local { builder.no_proxy() } else { builder };
    let client = builder.build().map_err(|error| causes(&error))?;
    let answer = client.head(base_url).send().await.map_err(|error| causes(&error.without_url()))?;
    let date = answer.headers().get(reqwest::header::DATE).and_then(|date| date.to_str().ok());
    Ok(date.map(str::to_owned))
}

/// The whole error chain: a certificate error is at its end.
fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}

/// Compares this host's clock with the server's; none if the server's cannot be read.
pub(crate) fn clock(name: &str, date: &str, now: Timestamp) -> Option<CheckResult> {
    let theirs = jiff::fmt::rfc2822::parse(date).ok()?.timestamp();
    let skew = now.duration_since(theirs).unsigned_abs();
    let says = format!("{} s off the server's clock", skew.as_secs());
    let advice = "switch on time synchronisation: timedatectl set-ntp true";
    Some(match skew {
        _ if skew > GREAT_SKEW => CheckResult::fail("clock", name, says, advice),
        _ if skew > SKEW => CheckResult::warn("clock", name, says, advice),
        _ => CheckResult::ok("clock", name, says),
    })
}

/// Which API answers this key, and whether that is what is configured.
async fn api(name: &str, cloud: &Cloud) -> Vec<CheckResult> {
    let probe = cloud.probe().await;
    let (used, other, other_name) = match probe.api {
        "auto" => return vec![either(name, &probe)],
        "v2" => (&probe.v2, &probe.v1_beta, "v1-beta"),
        _ => (&probe.v1_beta, &probe.v2, "v2"),
    };
    let finding = match (used, other) {
        (Ok(project), other) => {
            let whose = project.as_ref().map_or("it has no batches yet".to_owned(), |id| format!("project {id}"));
            let also = match other {
                Ok(_) => format!("{other_name} answers too"),
                Err(error) if error.is_gone() => format!("{other_name} no longer exists"),
                Err(_) => format!("{other_name} does not answer"),
            };
            CheckResult::ok("api", name, format!("{} answers; {whose}; {also}", probe.api))
        }
        (Err(error), Err(other)) if error.is_gone() && other.is_gone() => neither(name, &probe),
        (Err(error), Ok(_)) if error.is_gone() => {
            let advice = format!("set api = \"{other_name}\" in its [[project]]: that one answers");
            CheckResult::fail("api", name, error.to_string(), advice)
        }
        (Err(error), _) => failed(name, error),
    };
    vec![finding]
}

/// What to do about an API that answers neither well nor with a refusal.
fn patience(error: &CloudError) -> &'static str {
    match error {
        CloudError::Unreachable { .. } => "check what the error names, then run doctor again",
        error if error.is_transient() => "wait and run doctor again; see LlamaCloud's status page",
        CloudError::NotJson { .. } => "check base-url and the proxy: the answer does not come from LlamaCloud",
        _ => "please report this line",
    }
}

/// With `auto`, one API that answers is enough, as long as the other one is known not to exist.
fn either(name: &str, probe: &Probe) -> CheckResult {
    let answers = [(BatchApi::V2, &probe.v2), (BatchApi::V1Beta, &probe.v1_beta)];
    let said: Vec<String> = answers
        .iter()
        .map(|(api, answer)| match answer {
            Ok(Some(project)) => format!("{api} answers, has batches (project {project})"),
            Ok(None) => format!("{api} answers, has no batches yet"),
            Err(error) => match error.list_not_found() {
                Some(status) => format!("{api} does not exist ({status})"),
                None => format!("{api}: {error}"),
            },
        })
        .collect();
    let says = format!("auto: {}", said.join("; "));
    let advice = |used: BatchApi| {
        format!("fix that problem; or, if the project has no other batches, set api = \"{used}\" in its [[project]]")
    };
    match (&probe.v2, &probe.v1_beta) {
        (Ok(_), Ok(_)) => CheckResult::ok("api", name, says),
        (Ok(_), Err(error)) | (Err(error), Ok(_)) if error.list_not_found().is_some() => {
            CheckResult::ok("api", name, says)
        }
        (Ok(_), Err(_)) => CheckResult::warn("api", name, says, advice(BatchApi::V2)),
        (Err(_), Ok(_)) => CheckResult::warn("api", name, says, advice(BatchApi::V1Beta)),
        (Err(v2), Err(v1)) if v2.list_not_found().is_some() && v1.list_not_found().is_some() => neither(name, probe),
        (Err(v2), Err(v1)) => failed(name, if v2.list_not_found().is_none() { v2 } else { v1 }),
    }
}

fn neither(name: &str, probe: &Probe) -> CheckResult {
    let status = |answer: &Result<_, CloudError>| {
        answer.as_ref().err().and_then(CloudError::list_not_found).map_or_else(String::new, |s| s.to_string())
    };
    let says = format!("neither API exists: v2 answers {}, v1-beta {}", status(&probe.v2), status(&probe.v1_beta));
    CheckResult::fail("api", name, says, "correct base-url: it is the address alone, without a path")
}

fn failed(name: &str, error: &CloudError) -> CheckResult {
    let advice = match error.stops_scan() {
        true => "fix the reported problem, in [[project]] or at LlamaCloud, then run doctor again",
        false => patience(error),
    };
    CheckResult::fail("api", name, error.to_string(), advice)
}
