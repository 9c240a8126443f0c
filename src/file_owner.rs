//! Whose files are: what root makes in another process's folder becomes the folder's owner's.
//!
//! A first `sudo llama-triage scan` would otherwise leave files that the service, which runs as another user, cannot open.

use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::Path;

/// Gives a file or folder that root has just made to the owner of the folder in which it lies; any other user keeps it.
///
/// # Errors
/// The file system refuses, or `path` is another file than the one that is open.
pub(crate) fn hand_over(file: &File, path: &Path) -> io::Result<()> {
    if !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    let owner = std::fs::metadata(folder_of(path))?;
    let (own, named) = (file.metadata()?, std::fs::symlink_metadata(path)?);
    if owner.uid() == own.uid() {
        return Ok(());
    }
    // The folder's owner may have planted a link to a file of root's.
    let is_same = (own.dev(), own.ino()) == (named.dev(), named.ino());
    if !is_same || (own.is_file() && own.nlink() != 1) {
        return Err(io::Error::other("it is a link to another file"));
    }
    std::os::unix::fs::fchown(file, Some(owner.uid()), Some(owner.gid()))
}

/// Makes a folder with this mode, and the folders around it, each handed over as it is made. One that is there stays as it is.
///
/// # Errors
/// The file system refuses.
pub(crate) fn make_folder(path: &Path, mode: u32) -> io::Result<()> {
    let missing = path.ancestors().take_while(|place| !place.as_os_str().is_empty() && !place.is_dir());
    let missing: Vec<&Path> = missing.collect();
    for place in missing.into_iter().rev() {
        match DirBuilder::new().mode(mode).create(place) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && place.is_dir() => {}
            made => {
                made?;
                hand_over(&File::open(place)?, place)?;
            }
        }
    }
    Ok(())
}

/// The folder that holds `path`.
pub(crate) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Advice for a user without permission for `path`: names the owner of the file or directory that denies access.
pub(crate) fn remedy(path: &Path) -> String {
    // Where a folder is closed, the file itself cannot be looked at: the folder is what stands in the way.
    let found = path.ancestors().find_map(|place| Some((place, std::fs::metadata(place).ok()?)));
    let (place, owner, mode) = found.map_or((path, 0, 0), |(place, found)| (place, found.uid(), found.mode() & 0o777));
    let (name, place) = (name_of(owner), place.display());
    if owner == rustix::process::geteuid().as_raw() {
        format!("the mode {mode:03o} of {place} forbids it to its owner: chmod u+rwX {place}")
    } else if owner == 0 {
        format!(
            "{place} belongs to root: run this as root (`sudo llama-triage …`), or give it to the user who should use it (`sudo chown USER: {place}`)"
        )
    } else {
        format!("{place} belongs to {name}: run this as {name} (`sudo -u {name} llama-triage …`)")
    }
}

/// The name of a user; the number where no name is known.
pub(crate) fn name_of(uid: u32) -> String {
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let named = passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    });
    named.unwrap_or_else(|| uid.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::chown;

    #[test]
    fn users_are_called_by_name_where_there_is_one() {
        assert_eq!((name_of(0).as_str(), name_of(4_000_000_000).as_str()), ("root", "4000000000"));
    }

    #[test]
    fn what_root_makes_becomes_the_folders_owners_and_a_planted_link_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let is_root = rustix::process::geteuid().is_root();
        // Only root can give files away; for anyone else all stays their own.
        let own = std::fs::metadata(dir.path()).unwrap().uid();
        let owner = if is_root { 4343 } else { own };
        if is_root {
            chown(dir.path(), Some(owner), Some(owner)).unwrap();
        }
        let inner = dir.path().join("a/b");
        make_folder(&inner, 0o700).unwrap();
        make_folder(&inner, 0o700).unwrap();
        let path = inner.join("file");
        hand_over(&File::create(&path).unwrap(), &path).unwrap();
        for place in [dir.path().join("a"), inner.clone(), path] {
            assert_eq!(std::fs::metadata(&place).unwrap().uid(), owner, "{}", place.display());
        }
        if is_root {
            let (precious, planted) = (tempfile::NamedTempFile::new().unwrap(), inner.join("planted"));
            std::os::unix::fs::symlink(precious.path(), &planted).unwrap();
            hand_over(&File::open(&planted).unwrap(), &planted).unwrap_err();
            assert_eq!(std::fs::metadata(precious.path()).unwrap().uid(), 0);
        }
    }
}
