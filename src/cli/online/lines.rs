//! Where secrets stand today: the lines of a report may be old, or edited, and what is put on record is what was seen.

use keysweep::model::{Finding, Origin, Place};
use keysweep::source::open_regular;

use super::reread::Roots;

/// Longest file that is looked into.
const LONGEST: u64 = 8 << 20;

/// A file, and where its lines begin.
#[derive(Default)]
struct Text {
    path: Vec<u8>,
    bytes: Vec<u8>,
    starts: Vec<usize>,
}

impl Text {
    fn read(path: &[u8], roots: &Roots) -> Self {
        let mut text = Self {
            path: path.to_owned(),
            ..Self::default()
        };
        for file in roots.files(path) {
            let Ok(content) = open_regular(&file, false) else {
                continue;
            };
            let mut bytes = Vec::new();
            let Ok(count) = content.read_whole(&mut bytes, LONGEST) else {
                continue;
            };
            bytes.truncate(count);
            text.starts = std::iter::once(0)
                .chain(memchr::memchr_iter(b'\n', &bytes).map(|at| at + 1))
                .collect();
            text.bytes = bytes;
            break;
        }
        text
    }

    /// Whether a secret begins on a line, from 1.
    fn holds(&self, line: u32, secret: &[u8]) -> bool {
        let line = line as usize;
        let Some(start) = line.checked_sub(1).and_then(|at| self.starts.get(at)) else {
            return false;
        };
        let end = self.starts.get(line).copied().unwrap_or(self.bytes.len());
        let end = (end + secret.len()).min(self.bytes.len());
        let text = self.bytes.get(*start..end).unwrap_or_default();
        memchr::memmem::find(text, secret).is_some()
    }

    /// The line, from 1, on which a secret stands that is the nearest to another.
    fn nearest(&self, line: u32, secret: &[u8]) -> Option<u32> {
        let lines = memchr::memmem::find_iter(&self.bytes, secret)
            .map(|at| self.starts.partition_point(|start| *start <= at));
        let lines = lines.filter_map(|line| u32::try_from(line).ok());
        lines.min_by_key(|other| other.abs_diff(line))
    }
}

/// Gives places in files the line on which the secret stands there now. What is encoded there, or stands in a history, stays as it is.
#[expect(
    clippy::disallowed_methods,
    reason = "the secret is looked for in the files that it was found in"
)]
pub(crate) fn settle(findings: &mut [Finding], roots: &Roots) {
    let mut text = Text::default();
    for finding in findings {
        let secret = finding.credential.secret.clone();
        let secret = secret.expose();
        if secret.is_empty() {
            continue;
        }
        let is_file = |place: &&mut Place| {
            place.origin == Origin::Content && place.commit.is_none() && place.blob.is_none()
        };
        for place in finding.places.iter_mut().filter(is_file) {
            if text.path != place.path {
                text = Text::read(&place.path, roots);
            }
            let line = place.start.line;
            if text.holds(line, secret) {
                continue;
            }
            if let Some(now) = text.nearest(line, secret) {
                let lines = place.end.line.saturating_sub(line);
                place.start.line = now;
                place.end.line = now.saturating_add(lines);
            }
        }
    }
}
