//! Files for this user and no one else: made and opened without following a symbolic link, with the same mode whatever
//! the umask.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{Error, ErrorKind, Result};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Mode, OFlags};

/// Opens a file for reading and writing, and makes it if it is missing.
///
/// # Errors
/// It is a symbolic link, or the system refuses.
pub(crate) fn open(path: &Path, mode: u32) -> Result<File> {
    let no_follow = i32::try_from(OFlags::NOFOLLOW.bits()).expect("a flag of open(2) is an int");
    let opened = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(mode)
        .custom_flags(no_follow)
        .open(path);
    let file = opened.map_err(|error| match error.raw_os_error() {
        Some(code) if code == rustix::io::Errno::LOOP.raw_os_error() => {
            Error::new(ErrorKind::InvalidInput, "it is a symbolic link, and links are not followed here: remove it")
        }
        _ => error,
    })?;
    close_to_others(&file, mode)?;
    Ok(file)
}

/// Makes a file; what has its name already is removed, a symbolic link and not what it points to.
///
/// # Errors
/// The system refuses.
pub(crate) fn make(path: &Path, mode: u32) -> Result<File> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    // `create_new` follows no link either.
    let file = OpenOptions::new().read(true).write(true).create_new(true).mode(mode).open(path)?;
    close_to_others(&file, mode)?;
    Ok(file)
}

/// Makes a file without a name in a folder: it vanishes with the process that has it open, however that ends.
///
/// # Errors
/// The system refuses, or the file system knows of no such files.
pub(crate) fn make_unnamed(folder: &Path, mode: u32) -> Result<File> {
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::open(folder, flags, Mode::from_raw_mode(mode))?);
    close_to_others(&file, mode)?;
    Ok(file)
}

/// Gives a file without a name one that is free.
///
/// # Errors
/// The name is taken, or the system refuses.
pub(crate) fn give_name(file: &File, path: &Path) -> Result<()> {
    // The way of open(2) that needs no privilege.
    let own = format!("/proc/self/fd/{}", file.as_raw_fd());
    Ok(rustix::fs::linkat(CWD, own, CWD, path, AtFlags::SYMLINK_FOLLOW)?)
}

fn close_to_others(file: &File, mode: u32) -> Result<()> {
    if file.metadata()?.mode() & 0o777 == mode {
        return Ok(());
    }
    match file.set_permissions(Permissions::from_mode(mode)) {
        // The file is another's, or its file system has no modes.
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Ok(()),
        done => done,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().mode() & 0o777
    }

    #[test]
    fn a_link_is_never_followed_and_its_target_never_changed() {
        let dir = tempfile::tempdir().unwrap();
        let (target, link) = (dir.path().join("target"), dir.path().join("link"));
        std::fs::write(&target, "precious").unwrap();
        std::os::unix::fs::symlink(&target, &link).unwrap();
        assert!(open(&link, 0o600).unwrap_err().to_string().contains("symbolic link"));
        make(&link, 0o640).unwrap().write_all(b"own").unwrap();
        assert_eq!(std::fs::read_to_string(&target).unwrap(), "precious");
        assert_eq!((std::fs::read_to_string(&link).unwrap().as_str(), mode(&link)), ("own", 0o640));
        assert!(!link.is_symlink());
    }

    #[test]
    fn a_file_that_others_could_read_is_closed_to_them() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        std::fs::write(&path, "x").unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o666)).unwrap();
        open(&path, 0o600).unwrap();
        assert_eq!((mode(&path), std::fs::read_to_string(&path).unwrap().as_str()), (0o600, "x"));
        std::fs::remove_file(&path).unwrap();
        open(&path, 0o600).unwrap();
        assert_eq!(mode(&path), 0o600);
    }
}
