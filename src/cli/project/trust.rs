//! Whether the user's own configuration is the user's: it says where secrets go.

use std::path::Path;

/// Why a file is not to be trusted: somebody else than its reader and root can change it. That the reader's own group can is what a
/// umask of 002 leaves, and no reason.
#[cfg(unix)]
pub(crate) fn distrust(path: &Path) -> Option<String> {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

    let meta = std::fs::metadata(path)
        .ok()
        .filter(std::fs::Metadata::is_file)?;
    let (me, group) = (rustix::process::geteuid(), rustix::process::getegid());
    let name = path.display();
    let owner = meta.uid();
    if owner != 0 && owner != me.as_raw() {
        let me = me.as_raw();
        return Some(format!(
            "belongs to another user (number {owner}), who can change where secrets are sent; look at it, then `chown {me} '{name}'`"
        ));
    }
    let mode = meta.permissions().mode() & 0o777;
    let is_ours = meta.gid() == 0 || meta.gid() == group.as_raw();
    if mode & 0o002 != 0 || mode & 0o020 != 0 && !is_ours {
        return Some(format!(
            "can be written by others (mode {mode:o}), who can change where secrets are sent; look at it, then `chmod go-w '{name}'`"
        ));
    }
    None
}

/// The same where files have no such owners.
#[cfg(not(unix))]
pub(crate) fn distrust(_: &Path) -> Option<String> {
    None
}
