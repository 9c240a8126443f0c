//! Channels as they are configured, and the one that needs no peer: files.

use secrecy::SecretString;

use crate::config::channel::{ChannelConfig as Config, ChannelKind, OnlyConfig};
use crate::notify::Channel;
use crate::notify::delivery::ChannelSecrets;
use crate::notify::error::NotifyError;
use crate::notify::tests::mail::{email, facts};
use crate::notify::tests::sample::busy;

fn folder(dir: &std::path::Path) -> Channel {
    let config =
        Config { name: "files".into(), kind: ChannelKind::File, dir: Some(dir.to_owned()), ..Config::default() };
    Channel::new(&config, ChannelSecrets::default()).unwrap()
}

fn names(dir: &std::path::Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn files_are_whole_and_writing_again_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let inside = dir.path().join("made/on/demand");
    let channel = folder(&inside);
    assert!(channel.check(facts().now).await.unwrap().contains("does not exist yet"));
    assert!(!dir.path().join("made").exists(), "a check as root would make a folder that the service cannot use");
    channel.deliver(&busy(), &facts()).await.unwrap();
    let all = ["eml", "html", "json"].map(|ending| format!("D-20260823-03_3f9c2ab14d5e6f70-a1b2c3d4.{ending}"));
    assert_eq!(names(&inside), all);
    let read = || all.each_ref().map(|name| std::fs::read(inside.join(name)).unwrap());
    let before = read();
    assert!(channel.check(facts().now).await.unwrap().contains("is writable"));
    channel.deliver(&busy(), &facts()).await.unwrap();
    assert_eq!((names(&inside), read()), (all.to_vec(), before));
    let eml = std::fs::read(inside.join(&all[0])).unwrap();
    assert_eq!(eml, channel.preview(&busy(), &facts()).unwrap());
}

#[tokio::test]
async fn a_digest_id_cannot_leave_the_folder() {
    let dir = tempfile::tempdir().unwrap();
    let inside = dir.path().join("inside");
    let mut digest = busy();
    digest.digest_id = "../../evil".into();
    folder(&inside).deliver(&digest, &facts()).await.unwrap();
    assert_eq!(names(dir.path()), ["inside"]);
    assert_eq!(names(&inside).len(), 3);
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_transient_and_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("taken");
    std::fs::write(&file, "").unwrap();
    let error = folder(&file).deliver(&busy(), &facts()).await.unwrap_err();
    assert!(error.is_transient() && error.to_string().contains("taken"), "{error}");
}

#[test]
fn unknown_words_in_only_are_named_with_what_is_allowed() {
    let refused = |only: OnlyConfig| {
        let config = Config { only, ..email(25) };
        Channel::new(&config, ChannelSecrets::default()).unwrap_err().to_string()
    };
    let states = refused(OnlyConfig { states: vec!["noo".into()], ..OnlyConfig::default() });
    assert!(states.contains("\"noo\"") && states.contains("escalating"), "{states}");
    let kinds = refused(OnlyConfig { kinds: vec!["fail".into()], ..OnlyConfig::default() });
    assert!(kinds.contains("failed, skipped"), "{kinds}");
}

#[test]
fn each_kind_names_the_setting_that_it_lacks() {
    for (kind, missing) in [
        (ChannelKind::Email, "from is missing"),
        (ChannelKind::Slack, "url or url-file is missing: set it, or provide the systemd credential `channel-url-c`"),
        (ChannelKind::Teams, "url or url-file is missing"),
        (ChannelKind::Webhook, "url or url-file is missing"),
        (ChannelKind::Pagerduty, "routing-key-file is missing"),
        (ChannelKind::File, "dir is missing"),
    ] {
        let config = Config { name: "c".into(), kind, ..Config::default() };
        let error = Channel::new(&config, ChannelSecrets::default()).unwrap_err();
        assert!(matches!(error, NotifyError::Settings(_)));
        assert!(error.to_string().contains(missing), "{error}");
    }
}

#[test]
fn secrets_are_in_no_debug_text_and_no_preview() {
    let secret = || Some(SecretString::from("https://hooks.example.com/s3cret"));
    for kind in [ChannelKind::Slack, ChannelKind::Teams, ChannelKind::Webhook, ChannelKind::Pagerduty] {
        let config = Config { name: "c".into(), kind, ..Config::default() };
        let key = "0123456789abcdef0123456789abcdef";
        let secrets = ChannelSecrets {
            url: secret(),
            signing_secret: secret(),
            routing_key: Some(SecretString::from(key)),
            ..ChannelSecrets::default()
        };
        let mut shown = format!("{secrets:?}");
        let channel = Channel::new(&config, secrets).unwrap();
        shown.push_str(&format!("{channel:?}"));
        let preview = channel.preview(&busy(), &facts()).unwrap();
        shown.push_str(&String::from_utf8(preview).unwrap());
        assert!(!shown.contains("s3cret") && !shown.contains(key));
    }
}
