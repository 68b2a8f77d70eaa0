//! Several reports made one: one finding a fingerprint, its places united, the summaries added.
//!
//! Merging is associative, so that shards of a run can be merged in any grouping; one report alone stays as it is.

use std::collections::BTreeMap;

use super::Stored;
use crate::model::{Commit, Finding, Fingerprint, History, Place, Tally};

impl Stored {
    /// Adds another report.
    ///
    /// Where the two are of different roots, paths are put below the root that they belong to, and the result has none.
    pub fn merge(&mut self, mut other: Self) {
        if self.root != other.root {
            self.below_root();
            other.below_root();
        }
        let mut all: Vec<Finding> = std::mem::take(&mut self.findings);
        all.append(&mut self.dropped);
        let mut index: BTreeMap<(String, Fingerprint), usize> = all
            .iter()
            .enumerate()
            .map(|(at, f)| ((f.rule.clone(), f.fingerprint), at))
            .collect();
        for finding in other.findings.into_iter().chain(other.dropped) {
            let key = (finding.rule.clone(), finding.fingerprint);
            if let Some(there) = index.get(&key).and_then(|at| all.get_mut(*at)) {
                unite(there, finding);
            } else {
                index.insert(key, all.len());
                all.push(finding);
            }
        }
        all.sort_by_cached_key(|f| {
            let first = f.places.first();
            (
                first.map(|p| (p.path.clone(), p.span)),
                f.rule.clone(),
                f.fingerprint,
            )
        });
        (self.dropped, self.findings) = all
            .into_iter()
            .partition(|f| super::suppressed(f).is_some());
        self.summary.merge(other.summary);
        if let Some(tally) = &mut self.summary.verified
            && tally.hidden == 0
        {
            // One secret in several reports is counted once.
            *tally = Tally::of(&self.findings).unwrap_or_default();
        }
        self.summary.sort();
        self.elapsed = self.elapsed.saturating_add(other.elapsed);
        self.finished = self.finished.max(other.finished);
        self.hidden_low = self.hidden_low.saturating_add(other.hidden_low);
        // What is not the same in all of them is not known of the whole.
        if self.revision != other.revision {
            self.revision = None;
        }
        if self.branch != other.branch {
            self.branch = None;
        }
    }

    /// Puts the paths below the root that the report was made of.
    fn below_root(&mut self) {
        let root = std::mem::take(&mut self.root);
        let root = root.trim_end_matches('/');
        let root = root.strip_prefix("./").unwrap_or(root);
        if root.is_empty() || root == "." {
            return;
        }
        let is_below = |path: &[u8]| {
            let rest = path.strip_prefix(root.as_bytes());
            path.starts_with(b"/") || rest.is_some_and(|r| r.is_empty() || r.starts_with(b"/"))
        };
        let below = |path: &mut Vec<u8>| {
            if !path.is_empty() && !is_below(path) {
                *path = [root.as_bytes(), b"/", path].concat();
            }
        };
        for place in self
            .findings
            .iter_mut()
            .chain(&mut self.dropped)
            .flat_map(|f| &mut f.places)
        {
            if place.origin != crate::model::Origin::Ref {
                below(&mut place.path);
            }
        }
        let named = |path: &mut String| {
            if !path.is_empty() && !is_below(path.as_bytes()) {
                *path = format!("{root}/{path}");
            }
        };
        for gap in &mut self.summary.gaps {
            named(&mut gap.path);
        }
        for skip in &mut self.summary.notable {
            named(&mut skip.path);
        }
    }
}

/// What makes two places the same.
fn identity(place: &Place) -> impl Ord + use<> {
    (
        place.path.clone(),
        place.span,
        place.start,
        place.origin,
        place.blob,
        place.commit,
    )
}

fn unite(there: &mut Finding, other: Finding) {
    let mut index: BTreeMap<_, usize> = there
        .places
        .iter()
        .enumerate()
        .map(|(at, place)| (identity(place), at))
        .collect();
    for place in other.places {
        let key = identity(&place);
        if let Some(same) = index.get(&key).and_then(|at| there.places.get_mut(*at)) {
            // A place that counts in one report counts.
            same.dropped = match (same.dropped.take(), place.dropped) {
                (Some(a), Some(b)) => Some(a.min(b)),
                _ => None,
            };
            same.score = same.score.max(place.score);
            if same.snippet.text.is_empty() {
                same.snippet = place.snippet;
            }
        } else {
            index.insert(key, there.places.len());
            there.places.push(place);
        }
    }
    there.places.sort_by_key(|place| place.dropped.is_some());
    there.score = there.score.max(other.score);
    there.severity = there.severity.max(other.severity);
    there.history = match (there.history.take(), other.history) {
        (Some(a), Some(b)) => Some(joined(a, b)),
        (a, b) => a.or(b),
    };
    there.verification = match (there.verification.take(), other.verification) {
        // The later word counts.
        (Some(a), Some(b)) => Some(if a.at >= b.at { a } else { b }),
        (a, b) => a.or(b),
    };
    if !there.credential.secret.is_known() && other.credential.secret.is_known() {
        there.credential.secret = other.credential.secret;
    }
    if there.credential.parts.is_empty() {
        there.credential.parts = other.credential.parts;
    }
    if there.opens.is_empty() {
        there.opens = other.opens;
    }
}

/// Of two histories the earliest beginning, the latest end and all refs.
fn joined(a: History, b: History) -> History {
    let key = |c: &Commit| (c.date, c.id);
    History {
        first: a.first.into_iter().chain(b.first).min_by_key(key),
        last: a.last.into_iter().chain(b.last).max_by_key(key),
        introductions: a.introductions.max(b.introductions),
        in_head: a.in_head || b.in_head,
        tips: both(a.tips, b.tips),
        more_tips: a.more_tips.max(b.more_tips),
        refs: both(a.refs, b.refs),
        more_refs: a.more_refs.max(b.more_refs),
        exposed_days: a.exposed_days.max(b.exposed_days),
        is_partial: a.is_partial && b.is_partial,
        or_earlier: a.or_earlier || b.or_earlier,
    }
}

fn both(mut a: Vec<String>, b: Vec<String>) -> Vec<String> {
    for name in b {
        if !a.contains(&name) {
            a.push(name);
        }
    }
    a
}

#[cfg(test)]
mod tests {
    use super::super::read::tests::stored;
    use super::super::{Json, Options, sample};
    use super::*;
    use crate::model::Summary;

    /// A report of one finding at these places.
    fn one(root: &str, print: u8, paths: &[&str], dropped: Option<&str>) -> Stored {
        let token = sample::token();
        let places = paths
            .iter()
            .map(|path| Place {
                dropped: dropped.map(str::to_owned),
                ..sample::place(path.as_bytes(), 1, &token, &token)
            })
            .collect();
        let mut found = sample::finding(&token, places);
        found.fingerprint = Fingerprint([print; 16]);
        let (findings, dropped) = if dropped.is_some() {
            (vec![], vec![found])
        } else {
            (vec![found], vec![])
        };
        let mut summary = sample::summary();
        summary.gaps[0].path = format!("gap{print}");
        let text = {
            let options = Options {
                show_suppressed: true,
                ..Options::default()
            };
            sample::written(&Json, &findings, &dropped, &summary, options)
        };
        Stored {
            root: root.to_owned(),
            ..Stored::read("r", text.as_bytes()).expect("a report")
        }
    }

    fn merged(all: &[&Stored]) -> Stored {
        let mut all = all.iter().map(|s| (*s).clone());
        let mut first = all.next().expect("one");
        for other in all {
            first.merge(other);
        }
        first
    }

    fn json(stored: &Stored) -> String {
        super::super::read::tests::written(stored, &Json, false)
    }

    #[test]
    fn one_finding_a_fingerprint_with_all_places() {
        let all = merged(&[
            &one(".", 1, &["a", "b"], None),
            &one(".", 1, &["b", "c"], None),
            &one(".", 2, &["a"], Some("suppressed by x")),
        ]);
        let paths: Vec<&[u8]> = all.findings[0].places.iter().map(|p| &*p.path).collect();
        assert_eq!(paths, [b"a", b"b", b"c"]);
        assert_eq!((all.findings.len(), all.dropped.len()), (1, 1));
        assert_eq!(
            (all.summary.files, all.summary.gaps.len(), all.hidden_low),
            (3 * 1234, 2, 12)
        );
        assert_eq!(all.elapsed.as_millis(), 3 * 412);
    }

    #[test]
    fn a_place_that_counts_in_one_report_counts() {
        let all = merged(&[
            &one(".", 1, &["a"], Some("suppressed by x")),
            &one(".", 1, &["a"], None),
        ]);
        assert_eq!((all.findings.len(), all.dropped.len()), (1, 0));
        assert_eq!(all.findings[0].places[0].dropped, None);
    }

    #[test]
    fn reports_of_different_roots_keep_their_paths_apart() {
        let all = merged(&[
            &one("./x/", 1, &["a"], None),
            &one("y", 1, &["a", "y/b", "/c"], None),
        ]);
        let paths: Vec<&[u8]> = all.findings[0].places.iter().map(|p| &*p.path).collect();
        assert_eq!(paths, [&b"x/a"[..], b"y/a", b"y/b", b"/c"]);
        assert_eq!(all.summary.gaps[0].path, "x/gap1");
        assert_eq!(all.root, "");
    }

    #[test]
    fn merging_is_associative_and_one_report_stays_as_it_is() {
        let mut history = stored(&sample::historical(), &[], &sample::history_summary());
        history.findings[0].fingerprint = Fingerprint([1; 16]);
        history.findings[1].fingerprint = Fingerprint([2; 16]);
        let reports = [
            one("x", 1, &["a", "b"], None),
            history,
            one("x", 2, &["b", "c"], Some("suppressed by x")),
            one("y", 1, &["a"], None),
            Stored {
                summary: Summary {
                    cancelled: true,
                    ..Summary::default()
                },
                ..Stored::default()
            },
        ];
        for a in &reports {
            for b in &reports {
                for c in &reports {
                    let left = merged(&[&merged(&[a, b]), c]);
                    let right = merged(&[a, &merged(&[b, c])]);
                    assert_eq!(json(&left), json(&right));
                }
            }
        }
        let text = json(&reports[0]);
        assert_eq!(
            json(&Stored::read("r", text.as_bytes()).expect("a report")),
            text
        );
    }
}
