//! What could not be scanned, in words.

use std::path::Path;

use super::super::objects::Found;
use crate::history::{Missed, Repo};
use crate::model::{Gap, Skip, SkipKind, Summary};

/// Puts into the summary what was scanned and what could not be.
pub(super) fn note(found: &mut Found, repo: &Repo, summary: &mut Summary) {
    let gaps = std::mem::take(&mut found.gaps);
    let relative = |path: &Path| {
        let inside = path.strip_prefix(&repo.common_dir).unwrap_or(path);
        inside.display().to_string()
    };
    summary.gaps.extend(gaps.into_iter().map(|gap| {
        let object = gap
            .id
            .map_or_else(|| "an object".to_owned(), |id| format!("object {id}"));
        let place = match gap.offset {
            0 => String::new(),
            offset => format!(" at offset {offset}"),
        };
        Gap {
            path: relative(&gap.place),
            reason: format!("{object}{place}: {}", gap.why),
        }
    }));
    let notes = std::mem::take(&mut found.notes);
    let notes = notes.into_iter().map(|(path, reason)| Gap { path, reason });
    summary.gaps.extend(notes);
}

pub(super) fn missing(missed: &Missed, promisor: bool, summary: &mut Summary) {
    let reason = missed.to_string();
    match missed {
        Missed::Tree(id) | Missed::Blob(id) | Missed::Commit(id) | Missed::Target(id)
            if promisor =>
        {
            summary.skip(Skip {
                kind: SkipKind::Promised,
                path: id.to_string(),
                notable: false,
            });
        }
        _ => summary.gaps.push(Gap {
            path: String::new(),
            reason,
        }),
    }
}
