//! Reading a file that a stranger may have put there.

use std::fs::{self, OpenOptions};
use std::io::{self, Read as _};
use std::path::Path;

/// Most bytes of a configuration file, or of a rule file that one names.
pub const MOST_BYTES: u64 = 1 << 20;

/// The text of a regular file of at most [`MOST_BYTES`]; `None` where there is none. A link in its place is refused
/// unless `follow`, and nothing is waited for.
///
/// # Errors
/// Why it cannot be used, and the mend, without anything out of it.
pub fn read(path: &Path, follow: bool) -> Result<Option<String>, String> {
    let answer = |error: &io::Error| format!("cannot be read: {error}");
    let special = || {
        Err(format!(
            "is {}; put a regular file there, or leave it out with --no-repo-config",
            if path.is_symlink() && !follow {
                "a symbolic link"
            } else {
                "no regular file"
            }
        ))
    };
    let before = if follow {
        fs::metadata(path)
    } else {
        fs::symlink_metadata(path)
    };
    // Some devices act on being opened, so they are asked before; what changes in between meets the check after.
    match before {
        Ok(meta) if meta.is_file() => {}
        Ok(_) => return special(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        // The folder may not be searched: whoever scans it tells of that, and another user's home is nobody's business.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Ok(None),
        Err(error) => return Err(answer(&error)),
    }
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        let no_follow = if follow { 0 } else { libc::O_NOFOLLOW };
        options.custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY | no_follow);
    }
    let file = options.open(path).map_err(|e| answer(&e))?;
    if !file.metadata().map_err(|e| answer(&e))?.is_file() {
        return special();
    }
    let mut bytes = Vec::new();
    let read = file.take(MOST_BYTES + 1).read_to_end(&mut bytes);
    if read.map_err(|e| answer(&e))? as u64 > MOST_BYTES {
        return Err(format!(
            "is longer than {} KiB; split it, or move rules into files that [rules] files names",
            MOST_BYTES >> 10
        ));
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Some(text)),
        Err(error) => Err(format!(
            "is not UTF-8 from byte {} on; save it as UTF-8",
            error.utf8_error().valid_up_to()
        )),
    }
}
