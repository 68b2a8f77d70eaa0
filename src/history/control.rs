//! Opening the small files that steer a repository: regular ones only, up to a length, never waiting.

use std::fs::{File, Metadata, OpenOptions};
use std::io::Read;
use std::path::{Path, PathBuf};

use super::Error;

/// Whether a link in a file's place is followed: only in repositories that the caller vouches for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Links {
    Refuse,
    Follow,
}

/// Opens a regular file without waiting for anything.
pub(super) fn open(path: &Path, links: Links) -> Result<(File, Metadata), Error> {
    let special = || Error::NotAFile {
        path: path.to_owned(),
    };
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        let no_follow = match links {
            Links::Refuse => libc::O_NOFOLLOW,
            Links::Follow => 0,
        };
        options.custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY | no_follow);
    }
    // Some devices act on being opened, so they are asked before; what changes in between meets the check after.
    let before = match links {
        Links::Refuse => std::fs::symlink_metadata(path),
        Links::Follow => std::fs::metadata(path),
    };
    if !before.map_err(|e| Error::io(path, e))?.is_file() {
        return Err(special());
    }
    let file = options.open(path).map_err(|e| Error::io(path, e))?;
    let meta = file.metadata().map_err(|e| Error::io(path, e))?;
    if meta.is_file() {
        Ok((file, meta))
    } else {
        Err(special())
    }
}

/// All bytes of a regular file of at most `most` bytes.
pub(super) fn read(path: &Path, most: u64, links: Links) -> Result<Vec<u8>, Error> {
    read_with(path, most, links).map(|(bytes, _)| bytes)
}

/// The same, and what the system says of the file.
pub(super) fn read_with(
    path: &Path,
    most: u64,
    links: Links,
) -> Result<(Vec<u8>, Metadata), Error> {
    let (file, meta) = open(path, links)?;
    let too_long = |length| Error::TooLong {
        path: path.to_owned(),
        length,
        most,
    };
    if meta.len() > most {
        return Err(too_long(meta.len()));
    }
    let mut bytes = Vec::with_capacity(meta.len() as usize + 1);
    file.take(most.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|e| Error::io(path, e))?;
    if bytes.len() as u64 > most {
        return Err(too_long(bytes.len() as u64));
    }
    Ok((bytes, meta))
}

/// The same, `None` where there is no such file.
pub(super) fn read_if_there(
    path: &Path,
    most: u64,
    links: Links,
) -> Result<Option<Vec<u8>>, Error> {
    match read(path, most, links) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.is_missing() => Ok(None),
        Err(error) => Err(error),
    }
}

/// A path as git writes it.
#[cfg(unix)]
pub(super) fn path_of(bytes: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    PathBuf::from(std::ffi::OsStr::from_bytes(bytes))
}

#[cfg(not(unix))]
pub(super) fn path_of(bytes: &[u8]) -> PathBuf {
    PathBuf::from(String::from_utf8_lossy(bytes).into_owned())
}

/// A file name's bytes, as git writes them.
#[cfg(unix)]
pub(super) fn bytes_of(name: &std::ffi::OsStr) -> Vec<u8> {
    use std::os::unix::ffi::OsStrExt;
    name.as_bytes().to_vec()
}

#[cfg(not(unix))]
pub(super) fn bytes_of(name: &std::ffi::OsStr) -> Vec<u8> {
    name.to_string_lossy().into_owned().into_bytes()
}

/// Without the white space at its end.
pub(super) fn trimmed(bytes: &[u8]) -> &[u8] {
    bytes.trim_ascii_end()
}

/// Text for a message, with what is not UTF-8 replaced.
pub(super) fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Whether the user whose file it is passes the test; nobody does where the system knows no such numbers.
#[cfg(unix)]
pub(super) fn is_owner(meta: &Metadata, test: impl Fn(u32) -> bool) -> bool {
    use std::os::unix::fs::MetadataExt;
    test(meta.uid())
}

#[cfg(not(unix))]
pub(super) fn is_owner(_: &Metadata, _: impl Fn(u32) -> bool) -> bool {
    false
}
