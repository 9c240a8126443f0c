//! Secrets: API keys, passwords, webhook addresses. Read once at start; never logged, stored or shown.
//!
//! Each is looked for in the file that the configuration names, then in systemd's credentials folder
//! (`LoadCredential=`), then, for API keys only, in the environment.

pub(crate) mod exposed;

use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};

use crate::config::channel::{ChannelConfig, ChannelKind};
use crate::config::load::ConfigError;
use crate::config::project::ProjectConfig;
use crate::secrets;

/// The environment variable of LlamaCloud's own SDKs.
const KEY_VARIABLE: &str = "LLAMA_CLOUD_API_KEY";

/// The credential of the console's log-in page.
const CONSOLE_TOKEN: &str = "console-token";

/// What systemd puts before the file's name, with `_`, when a unit loads a whole folder as credentials:
/// `LoadCredential=llama-triage:/etc/llama-triage/credentials/`.
const FOLDER_ID: &str = "llama-triage";

/// Where secrets come from in this process.
#[derive(Clone, Debug, Default)]
pub struct Credentials {
    folder: Option<PathBuf>,
    environment_key: Option<SecretString>,
}

impl Credentials {
    /// Reads what systemd and the environment offer.
    pub fn from_environment() -> Credentials {
        Credentials {
            folder: std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from),
            environment_key: std::env::var(KEY_VARIABLE)
                .ok()
                .map(|key| key.trim().to_owned())
                .filter(|key| !key.is_empty())
                .map(SecretString::from),
        }
    }

    /// The same for a command that a user runs by hand, outside of systemd: the folder is then the one that the unit
    /// loads, `credentials` beside `config.toml` or `NAME.credentials` beside `NAME.toml`, if we may read it.
    pub fn from_environment_or_beside(config: &Path) -> Credentials {
        let mut found = Credentials::from_environment();
        if found.folder.is_none() {
            let own = config
                .file_stem()
                .filter(|stem| *stem != "config")
                .map(|stem| format!("{}.credentials", stem.display()));
            let beside = config.with_file_name(own.as_deref().unwrap_or("credentials"));
            found.folder = Some(beside).filter(|folder| folder.is_dir());
        }
        found
    }

    /// The API key of a project.
    ///
    /// # Errors
    /// It is nowhere, or its file cannot be read; the text says where it was looked for.
    pub fn api_key(&self, project: &ProjectConfig) -> Result<SecretString, ConfigError> {
        let names = project_key_names(project);
        match self.look_up(project.api_key_file.as_deref(), &names) {
            Ok(Some(key)) => return Ok(key),
            Ok(None) => {}
            // A person's own key goes on where the service's folder is closed to them.
            Err(_) if project.api_key_file.is_none() && self.environment_key.is_some() => {}
            Err(error) => return Err(error),
        }
        self.environment_key.clone().inspect(|key| secrets::hold(key.expose_secret())).ok_or_else(|| {
            ConfigError::Credential(format!(
                "no API key: set api-key-file in its [[project]], the systemd credential `{}`, or {KEY_VARIABLE}",
                names[1],
            ))
        })
    }

    /// The secret that a channel needs: password, address, signing secret or routing key; none if it has none.
    ///
    /// # Errors
    /// A file that the configuration names cannot be read.
    pub fn channel_secret(
        &self,
        channel: &ChannelConfig,
        use_for: SecretUse,
    ) -> Result<Option<SecretString>, ConfigError> {
        let (file, name) = channel_secret_names(channel, use_for);
        if use_for == SecretUse::OauthKey {
            return self.locate(file, &[name]).map(|path| read_text(&path)).transpose();
        }
        let found = self.look_up(file, &[name])?;
        if let (SecretUse::SmtpPassword, Some(user), Some(password)) = (use_for, &channel.smtp_username, &found) {
            secrets::hold_login(user, password.expose_secret());
        }
        Ok(found)
    }

    /// The heartbeat address, which may hold a secret.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn heartbeat_url(&self, file: Option<&Path>) -> Result<Option<SecretString>, ConfigError> {
        self.look_up(file, &["heartbeat-url".to_owned()])
    }

    /// The secret that LlamaCloud signs its webhooks with; none switches them off.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn llamacloud_webhook_secret(&self, file: Option<&Path>) -> Result<Option<SecretString>, ConfigError> {
        self.look_up(file, &["llamacloud-webhook-secret".to_owned()])
    }

    /// The token of the console's log-in page; none switches it off.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn console_token(&self, file: Option<&Path>) -> Result<Option<SecretString>, ConfigError> {
        self.look_up(file, &[CONSOLE_TOKEN.to_owned()])
    }

    fn look_up(&self, file: Option<&Path>, names: &[String]) -> Result<Option<SecretString>, ConfigError> {
        self.locate(file, names).map(|path| read(&path)).transpose()
    }

    /// The file that the configuration names, else the first of these names in the folder.
    fn locate(&self, file: Option<&Path>, names: &[String]) -> Option<PathBuf> {
        if let Some(file) = file {
            return Some(file.to_owned());
        }
        self.folder
            .iter()
            .flat_map(|folder| {
                names.iter().flat_map(move |name| [folder.join(name), folder.join(format!("{FOLDER_ID}_{name}"))])
            })
            .find(|path| path.try_exists().unwrap_or(true))
    }
}

/// The names of a project's key in the folder, the first that is there counts.
fn project_key_names(project: &ProjectConfig) -> [String; 2] {
    [format!("llama-cloud-api-key-{}", project.name), "llama-cloud-api-key".to_owned()]
}

/// The file that is named for a channel's secret, and the name of the secret in the folder.
fn channel_secret_names(channel: &ChannelConfig, use_for: SecretUse) -> (Option<&Path>, String) {
    let oauth2 = channel.oauth2.as_ref();
    let file = match use_for {
        SecretUse::SmtpPassword => &channel.smtp_password_file,
        SecretUse::OauthSecret => oauth2.map_or(&None, |oauth2| &oauth2.secret_file),
        SecretUse::OauthRefreshToken => oauth2.map_or(&None, |oauth2| &oauth2.refresh_token_file),
        SecretUse::OauthKey => oauth2.map_or(&None, |oauth2| &oauth2.key_file),
        SecretUse::Url => &channel.url_file,
        SecretUse::Signing => &channel.secret_file,
        SecretUse::Bearer => &channel.bearer_file,
        SecretUse::RoutingKey => &channel.routing_key_file,
    };
    (file.as_deref(), credential_name(channel, use_for))
}

/// The name of a channel's secret in the service's folder of credentials.
pub(crate) fn credential_name(channel: &ChannelConfig, use_for: SecretUse) -> String {
    let name = match use_for {
        SecretUse::SmtpPassword => "smtp-password",
        SecretUse::OauthSecret => "smtp-oauth2-secret",
        SecretUse::OauthRefreshToken => "smtp-oauth2-refresh-token",
        SecretUse::OauthKey => "smtp-oauth2-key",
        SecretUse::Url => "channel-url",
        SecretUse::Signing => "webhook-secret",
        SecretUse::Bearer => "webhook-bearer",
        SecretUse::RoutingKey => "routing-key",
    };
    format!("{name}-{}", channel.name)
}

/// What a channel's secret is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretUse {
    /// SMTP login.
    SmtpPassword,
    /// The client secret of an application that requests access tokens.
    OauthSecret,
    /// The refresh token that access tokens are requested with.
    OauthRefreshToken,
    /// The key file of a service account.
    OauthKey,
    /// The address itself.
    Url,
    /// Signing of webhooks.
    Signing,
    /// The token that a webhook is authorized with.
    Bearer,
    /// PagerDuty's routing key.
    RoutingKey,
}

impl SecretUse {
    /// The secrets that a kind of channel may have.
    pub fn of(kind: ChannelKind) -> &'static [SecretUse] {
        match kind {
            ChannelKind::Email => {
                &[SecretUse::SmtpPassword, SecretUse::OauthSecret, SecretUse::OauthRefreshToken, SecretUse::OauthKey]
            }
            ChannelKind::Slack | ChannelKind::Teams => &[SecretUse::Url],
            ChannelKind::Webhook => &[SecretUse::Url, SecretUse::Signing, SecretUse::Bearer],
            ChannelKind::Pagerduty => &[SecretUse::RoutingKey],
            ChannelKind::File => &[],
        }
    }
}

/// A secret of one line, which is masked from now on.
fn read(path: &Path) -> Result<SecretString, ConfigError> {
    let secret = read_text(path)?;
    if secret.expose_secret().chars().any(char::is_control) {
        return Err(ConfigError::Credential(format!("the secret in {} has more than one line", path.display())));
    }
    secrets::hold(secret.expose_secret());
    Ok(secret)
}

/// A secret of any number of lines, such as a key file. It is never sent to a peer, so no peer can repeat it.
fn read_text(path: &Path) -> Result<SecretString, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|why| ConfigError::SecretFile { path: path.to_owned(), why })?;
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return Err(ConfigError::Credential(format!("the secret in {} is empty", path.display())));
    }
    Ok(SecretString::from(trimmed.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_precedes_the_credentials_folder_and_that_the_environment() {
        let dir = tempfile::tempdir().unwrap();
        let mut credentials =
            Credentials { folder: Some(dir.path().to_owned()), environment_key: Some("env-4f1c9".to_owned().into()) };
        let mut project = ProjectConfig { name: "prod".to_owned(), ..ProjectConfig::default() };
        let key = |c: &Credentials, p: &ProjectConfig| c.api_key(p).unwrap().expose_secret().to_owned();
        assert_eq!(key(&credentials, &project), "env-4f1c9");
        std::fs::write(dir.path().join("llama-cloud-api-key"), "shared-4f1c9\n").unwrap();
        assert_eq!(key(&credentials, &project), "shared-4f1c9");
        std::fs::write(dir.path().join("llama-cloud-api-key-prod"), "own-4f1c9\n").unwrap();
        assert_eq!(key(&credentials, &project), "own-4f1c9");
        std::fs::write(dir.path().join("llama-triage_smtp-password-oncall"), "loaded with the folder 4f1c9\n").unwrap();
        let channel = ChannelConfig { name: "oncall".to_owned(), ..ChannelConfig::default() };
        let password = credentials.channel_secret(&channel, SecretUse::SmtpPassword).unwrap().unwrap();
        assert_eq!(password.expose_secret(), "loaded with the folder 4f1c9");
        let file = dir.path().join("file");
        std::fs::write(&file, " from file 4f1c9 \n").unwrap();
        project.api_key_file = Some(file);
        assert_eq!(key(&credentials, &project), "from file 4f1c9");
        project.api_key_file = None;
        credentials = Credentials::default();
        assert!(credentials.api_key(&project).unwrap_err().to_string().contains("no API key"));
    }

    #[test]
    fn a_file_that_cannot_be_read_is_said_once() {
        let dir = tempfile::tempdir().unwrap();
        let project = ProjectConfig { api_key_file: Some(dir.path().to_owned()), ..ProjectConfig::default() };
        let error = anyhow::Error::new(Credentials::default().api_key(&project).unwrap_err());
        let said = format!("{error:#}");
        assert_eq!(said.matches("os error").count(), 1, "{said}");
        let denied =
            ConfigError::SecretFile { path: dir.path().to_owned(), why: std::io::ErrorKind::PermissionDenied.into() };
        assert!(denied.to_string().contains("chmod u+rwX"), "{denied}");
    }

    #[test]
    fn secrets_do_not_show_in_debug() {
        let credentials = Credentials { folder: None, environment_key: Some("llx-very-secret".to_owned().into()) };
        assert!(!format!("{credentials:?}").contains("very-secret"));
    }
}
