//! What is still to be done, for all workers.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::super::windows::WindowResult;
use crate::source::{Content, DirTask, FileTask, RulesHandle};

pub(super) enum Task {
    Folder(usize, Box<DirTask>, RulesHandle),
    Files(Vec<FileTask>),
    Window(Arc<BigFile>, usize),
}

/// A file that is scanned window by window.
pub(super) struct BigFile {
    pub(super) content: Content,
    pub(super) shown: Vec<u8>,
    pub(super) binary: bool,
    pub(super) windows: usize,
    pub(super) done: Mutex<Vec<WindowResult>>,
}

pub(super) struct Queue {
    pub(super) state: Mutex<State>,
    pub(super) wake: Condvar,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) tasks: Vec<Task>,
    pub(super) working: usize,
    /// Folders that are queued or being listed.
    pub(super) folders: usize,
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
