//! Under a finding: when it came, who brought it, and which refs hold it still.

use std::fmt::Write as _;

use super::super::{counted, grouped, history, printable, width};
use super::{LABEL, Page};
use crate::model::{Commit, History};

/// Refs that are listed.
const REFS: usize = 3;

impl Page<'_> {
    /// When the secret came, whether it is still there, and for how long it was.
    pub(super) fn history(&mut self, history: &History) {
        let mut lines = Vec::new();
        let came = if history.or_earlier {
            "introduced here, where the shallow clone ends, or earlier:"
        } else {
            "introduced"
        };
        match &history.first {
            // A range says nothing of what came after it.
            Some(first) if history.is_partial => {
                lines.push(format!("{came} {}", self.commit(first)));
            }
            Some(first) => {
                lines.push(format!("{came} {}", self.commit(first)));
                let again = if history.introductions > 1 {
                    let times = grouped(u64::from(history.introductions));
                    format!(", introduced {times} times")
                } else {
                    String::new()
                };
                let days = match history.exposed_days {
                    0 => "less than a day".to_owned(),
                    days => counted(u64::from(days), "day", "days"),
                };
                let state = self.state(history);
                lines.push(format!("{state}, exposed {days}{again}"));
                if let Some(last) = history
                    .last
                    .as_ref()
                    .filter(|_| history::is_removed(history))
                {
                    lines.push(format!("last held by {}", self.commit(last)));
                }
            }
            None if history::is_removed(history) && history.refs.is_empty() => {
                lines.push("in no commit of a scanned ref".to_owned());
            }
            None => lines.push(self.state(history)),
        }
        if !history.refs.is_empty() {
            lines.push(format!(
                "held by {}",
                self.refs(&history.refs, history.more_refs)
            ));
        }
        let mut label = "history:";
        for line in lines {
            self.labelled(label, &line);
            label = "";
        }
    }

    /// Where the newest trees stand.
    fn state(&self, history: &History) -> String {
        match (history.in_head, history.tips.is_empty()) {
            (true, true) => "still in HEAD".to_owned(),
            (true, false) => {
                let all = history.tips.len() as u64 + history.more_tips;
                let count = counted(all, "ref", "refs");
                format!("still in HEAD and in the tip of {count}")
            }
            (false, true) if history.refs.is_empty() => "in no ref any more".to_owned(),
            (false, true) => "removed from HEAD and from the tip of every ref".to_owned(),
            (false, false) => format!(
                "not in HEAD, still in the tip of {}",
                self.refs(&history.tips, history.more_tips)
            ),
        }
    }

    /// `1a2b3c4d5e 2024-03-02 Jane Doe <jane@example.com> Add the app`, no part wider than a line.
    fn commit(&self, commit: &Commit) -> String {
        let room = self.width.saturating_sub(LABEL + 4);
        let text = |text: &str| width::head(&self.report.redactor.printable(text.as_bytes()), room);
        let mut out = history::short(commit.id);
        if let Some(date) = history::date(commit.date) {
            let _ = write!(out, " {}", date.get(..10).unwrap_or_default());
        }
        if !commit.author.is_empty() {
            let _ = write!(out, " {}", text(&commit.author));
        }
        if !commit.email.is_empty() {
            let _ = write!(out, " <{}>", text(&commit.email));
        }
        if !commit.subject.is_empty() {
            let _ = write!(out, " {}", text(&commit.subject));
        }
        out
    }

    /// `5 refs: main, tags/v1, remotes/origin/main and 2 more`, branches first.
    fn refs(&self, names: &[String], more: u64) -> String {
        let room = self.width.saturating_sub(LABEL + 4);
        let shown: Vec<String> = history::refs_in_order(names)
            .take(REFS)
            .map(|name| {
                let name = self.report.redactor.path(name.as_bytes());
                width::head(&printable(history::short_ref(&name)), room)
            })
            .collect();
        let all = names.len() as u64 + more;
        let more = match all - shown.len() as u64 {
            0 => String::new(),
            more => format!(" and {} more", grouped(more)),
        };
        let count = counted(all, "ref", "refs");
        format!("{count}: {}{more}", shown.join(", "))
    }
}
