//! One file's bytes: opened without following links or waiting on pipes, read at offsets.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;

/// A file that may be read.
#[derive(Debug)]
pub struct Content {
    /// The open file.
    pub file: File,
    /// Its length in bytes when it was opened.
    pub length: u64,
}

/// Why a file was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Neither a file nor a link to one any more.
    #[error("not a regular file")]
    Special,
    /// The system refused.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Opens a regular file. A link at the end of the path is refused unless `follow`; a pipe is never
/// waited on.
///
/// # Errors
/// [`OpenError::Special`] for anything but a file, [`OpenError::Io`] as the system says.
pub fn open_regular(path: &Path, follow: bool) -> Result<Content, OpenError> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        let no_follow = if follow { 0 } else { libc::O_NOFOLLOW };
        options.custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY | no_follow);
    }
    #[cfg(not(unix))]
    if !follow && std::fs::symlink_metadata(path)?.is_symlink() {
        return Err(OpenError::Special);
    }
    let file = options.open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(OpenError::Special);
    }
    Ok(Content {
        file,
        length: metadata.len(),
    })
}

/// Reads shorter than this are not tried again: the system gives at least that much at a time
/// where there is more.
const SHORT: usize = 1 << 30;

impl Content {
    /// Reads from an offset until the buffer is full or the file ends; gives the number of bytes.
    ///
    /// # Errors
    /// As the system says.
    pub fn read_window(&self, mut offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            match read_at(&self.file, &mut buffer[filled..], offset) {
                Ok(0) => break,
                Ok(n) => {
                    filled += n;
                    offset += n as u64;
                    // A regular file gives less than was asked for only at its end, so that the
                    // next read is saved; where the end comes too early, it is asked for.
                    if filled < buffer.len() && n < SHORT && offset >= self.length {
                        break;
                    }
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(filled)
    }

    /// Reads the file into the front of the buffer, which grows to one byte more than the file was
    /// long when it was opened but not beyond `limit`; gives the number of bytes. A result of more
    /// than that length says that the file has grown.
    ///
    /// # Errors
    /// As the system says.
    pub fn read_whole(&self, buffer: &mut Vec<u8>, limit: u64) -> io::Result<usize> {
        let wanted = self.length.saturating_add(1).min(limit);
        let wanted = usize::try_from(wanted).unwrap_or(usize::MAX);
        if buffer.len() < wanted {
            buffer.resize(wanted, 0);
        }
        self.read_window(0, &mut buffer[..wanted])
    }

    /// Whether a file that ended before its length has become shorter. Not so where the system still
    /// names the same length: that of the files in `/sys` is no count of their bytes.
    #[must_use]
    pub fn has_shrunk(&self) -> bool {
        self.file
            .metadata()
            .map_or(true, |now| now.len() != self.length)
    }
}

#[cfg(unix)]
fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, offset)
}

#[cfg(windows)]
fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buffer, offset)
}
