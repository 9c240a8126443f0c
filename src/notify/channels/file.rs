//! The file channel: each digest as `.eml`, `.html` and `.json` in a folder.

use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};
use tokio::io::AsyncWriteExt;

use crate::config::channel::ChannelConfig as Config;
use crate::file_owner::{hand_over, make_folder};
use crate::notify::channels::email::{mailbox, missing};
use crate::notify::delivery::{DeliveryFacts, Receipt};
use crate::notify::error::NotifyError;
use crate::notify::render::mail::{Letterhead, compose};
use crate::notify::render::{html, json};
use crate::private_file;
use crate::triage::digest::model::Digest;

/// Digests name customers' files: the folder's group may read them, and others not.
const DIGEST_MODE: u32 = 0o640;

/// A folder that is made.
const FOLDER_MODE: u32 = 0o750;

/// Files in a folder.
pub(crate) struct Folder {
    dir: PathBuf,
    head: Letterhead,
}

impl Folder {
    /// Checks the settings; `from` and `to` may be set and are then those of the `.eml`.
    pub(crate) fn new(config: &Config) -> Result<Folder, NotifyError> {
        let from = config.from.as_deref().unwrap_or("llama-triage@localhost");
        let to: Vec<&str> = match config.to.as_slice() {
            [] => vec!["oncall@localhost"],
            to => to.iter().map(String::as_str).collect(),
        };
        Ok(Folder {
            dir: config.dir.clone().ok_or_else(|| missing(config, "dir"))?,
            head: Letterhead {
                channel: config.name.clone(),
                from: mailbox(config, "from", from)?,
                to: to.into_iter().map(|address| mailbox(config, "to", address)).collect::<Result<_, _>>()?,
                thread: config.thread.unwrap_or(true),
            },
        })
    }

    /// The bytes of the `.eml`.
    pub(crate) fn preview(&self, digest: &Digest, facts: &DeliveryFacts) -> Result<Vec<u8>, NotifyError> {
        Ok(compose(digest, &self.head, facts.tier)?.bytes)
    }

    /// Writes the three files, each whole or not at all. Writing again replaces them with the same.
    pub(crate) async fn deliver(&self, digest: &Digest, facts: &DeliveryFacts) -> Result<Receipt, NotifyError> {
        let mail = compose(digest, &self.head, facts.tier)?;
        let (page, ..) = html::render(digest, facts.tier);
        let (body, _) = json::render(digest, facts.tier);
        let name = file_name(&digest.global_id());
        self.prepare().await?;
        for (ending, content) in [("json", body.as_bytes()), ("html", page.as_bytes()), ("eml", &mail.bytes)] {
            write_whole(&self.dir, &format!("{name}.{ending}"), content).await?;
        }
        let written = self.dir.join(name).with_extension("eml");
        let answer = format!("written to {}", written.display());
        Ok(Receipt::new(answer, mail.tier))
    }

    /// Writes and removes a small file. A folder that is not there is not made: it would belong to whoever checks.
    pub(crate) async fn check(&self) -> Result<String, NotifyError> {
        if !self.dir.exists() {
            let place = self.dir.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("."));
            access(place, Access::WRITE_OK | Access::EXEC_OK).map_err(|error| failed(&self.dir)(error.into()))?;
            return Ok(format!("{} does not exist yet; the first digest creates it", self.dir.display()));
        }
        let name = ".llama-triage-check";
        write_whole(&self.dir, name, b"").await?;
        let path = self.dir.join(name);
        tokio::fs::remove_file(&path).await.map_err(failed(&path))?;
        Ok(format!("{} is writable", self.dir.display()))
    }

    async fn prepare(&self) -> Result<(), NotifyError> {
        let dir = self.dir.clone();
        let made = tokio::task::spawn_blocking(move || make_folder(&dir, FOLDER_MODE)).await;
        made.unwrap_or_else(|error| Err(std::io::Error::other(error))).map_err(failed(&self.dir))
    }
}

/// Under another name first, so that no one ever reads half a digest.
async fn write_whole(dir: &Path, name: &str, content: &[u8]) -> Result<(), NotifyError> {
    let path = dir.join(name);
    let unfinished = dir.join(format!(".{name}.unfinished"));
    let write = async {
        let mut file = tokio::fs::File::from_std(private_file::make(&unfinished, DIGEST_MODE)?);
        file.write_all(content).await?;
        file.sync_all().await?;
        hand_over(&file.into_std().await, &unfinished)?;
        tokio::fs::rename(&unfinished, &path).await
    };
    write.await.map_err(failed(&path))
}

fn failed(path: &Path) -> impl FnOnce(std::io::Error) -> NotifyError + use<> {
    let path = path.to_owned();
    move |why| NotifyError::File { path, why }
}

/// A digest id has only such characters; a file name must not depend on that.
fn file_name(id: &str) -> String {
    id.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).take(100).collect()
}
