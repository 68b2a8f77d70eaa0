//! Reading what may never end: standard input, and pipes that the user named.
//!
//! A read that waits for a pipe's other side does not hear of a signal. So another thread does the waiting; when the user
//! wants to stop, it is left behind and ends with the program.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use anyhow::Context;

use super::progress::{heed_signals, stopped};

/// The user stopped the command while it read its input.
#[derive(Debug, thiserror::Error)]
#[error("interrupted")]
pub(crate) struct Interrupted;

/// How often the wish to stop is looked for.
const LOOK: Duration = Duration::from_millis(50);
/// Bytes of one piece: what a pipe holds.
const PIECE: usize = 64 << 10;
/// Pieces that lie ready, and that are still taken when the user wants to stop.
const READY: usize = 8;

/// A reader that ends early when the user wants to stop.
pub(crate) struct Patient {
    pieces: Receiver<io::Result<Vec<u8>>>,
    piece: Vec<u8>,
    at: usize,
    /// Pieces that may still come after the wish to stop.
    late: usize,
}

impl Patient {
    /// Standard input.
    pub(crate) fn stdin() -> io::Result<Self> {
        Self::of(|| Ok(io::stdin()))
    }

    /// A pipe; it is opened only when somebody writes to it.
    pub(crate) fn pipe(path: &Path) -> io::Result<Self> {
        let path: PathBuf = path.to_owned();
        Self::of(move || File::open(path))
    }

    fn of<R: Read>(open: impl FnOnce() -> io::Result<R> + Send + 'static) -> io::Result<Self> {
        heed_signals();
        let (sender, pieces) = sync_channel(READY);
        std::thread::Builder::new()
            .name("input".to_owned())
            .spawn(move || match open() {
                Ok(reader) => pass_on(reader, &sender),
                Err(error) => drop(sender.send(Err(error))),
            })?;
        Ok(Self {
            pieces,
            piece: Vec::new(),
            at: 0,
            late: READY,
        })
    }
}

fn pass_on(mut reader: impl Read, sender: &SyncSender<io::Result<Vec<u8>>>) {
    let mut buffer = vec![0; PIECE];
    loop {
        let piece = match reader.read(&mut buffer) {
            Ok(0) => return,
            Ok(read) => Ok(buffer.get(..read).unwrap_or_default().to_vec()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => Err(error),
        };
        let failed = piece.is_err();
        if sender.send(piece).is_err() || failed {
            return;
        }
    }
}

impl Read for Patient {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            let rest = self.piece.get(self.at..).unwrap_or_default();
            if !rest.is_empty() {
                let count = rest.len().min(out.len());
                out[..count].copy_from_slice(&rest[..count]);
                self.at += count;
                return Ok(count);
            }
            let next = if stopped() {
                // What has come already is looked at.
                self.late = self.late.saturating_sub(1);
                let ready = self.pieces.try_recv();
                ready.ok().filter(|_| self.late > 0)
            } else {
                match self.pieces.recv_timeout(LOOK) {
                    Ok(piece) => Some(piece),
                    Err(RecvTimeoutError::Timeout) => continue,
                    Err(RecvTimeoutError::Disconnected) => None,
                }
            };
            match next {
                Some(piece) => (self.piece, self.at) = (piece?, 0),
                None => return Ok(0),
            }
        }
    }
}

/// Whether a path names a pipe.
#[cfg(unix)]
pub(crate) fn is_pipe(path: &Path) -> bool {
    use std::os::unix::fs::FileTypeExt;
    fs::metadata(path).is_ok_and(|kind| kind.file_type().is_fifo())
}

#[cfg(not(unix))]
pub(crate) fn is_pipe(_: &Path) -> bool {
    false
}

/// All that a file, a pipe or, for `-`, standard input holds.
pub(crate) fn all(path: &Path) -> anyhow::Result<Vec<u8>> {
    let name = path.display();
    let mut bytes = Vec::new();
    if path == Path::new("-") {
        Patient::stdin()
            .and_then(|mut input| input.read_to_end(&mut bytes))
            .context("standard input cannot be read")?;
    } else if is_pipe(path) {
        Patient::pipe(path)
            .and_then(|mut input| input.read_to_end(&mut bytes))
            .with_context(|| format!("{name}: the report cannot be read"))?;
    } else {
        bytes = fs::read(path).with_context(|| format!("{name}: the report cannot be read"))?;
    }
    if stopped() {
        return Err(Interrupted.into());
    }
    Ok(bytes)
}
