//! What `--verbose` and `--stats` say of a run, on standard error and behind the report.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use indicatif::{HumanBytes, HumanCount};

use keysweep::model::Stage;
use keysweep::report::printable;
use keysweep::scan::{Collected, Counts, Engine, RuleCount};

/// The clock by which rules are measured.
pub(crate) fn nanos() -> u64 {
    static BEGUN: OnceLock<Instant> = OnceLock::new();
    let since = BEGUN.get_or_init(Instant::now).elapsed();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// Says how long each stage took.
pub(crate) fn times(times: &[(Stage, Duration)]) {
    let mut text = String::from("keysweep: time of each stage\n");
    for (stage, time) in times {
        let _ = writeln!(text, "  {:<24}  {:>10}", stage.words(), shown(*time));
    }
    let sum = times.iter().map(|(_, time)| *time).sum();
    let _ = writeln!(text, "  {:<24}  {:>10}", "together", shown(sum));
    let _ = io::stderr().write_all(text.as_bytes());
}

/// Says what each rule cost and came to, the dearest first.
pub(crate) fn stats(engine: &Engine, counts: &Counts, collected: &Collected) {
    let mut found: BTreeMap<&str, u64> = BTreeMap::new();
    for finding in &collected.findings {
        *found.entry(&finding.rule).or_default() += 1;
    }
    // What was dropped where it stands, not for what it is: by other rules, comments, lists.
    let mut places: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for finding in collected.findings.iter().chain(&collected.dropped) {
        let dropped = finding.places.iter().filter_map(|p| p.dropped.as_deref());
        for reason in dropped.filter_map(sort_of) {
            *places.entry((&finding.rule, reason)).or_default() += 1;
        }
    }
    let rules = engine.rules().rules().iter().zip(&counts.rules);
    let mut rows: Vec<(&str, &RuleCount)> = rules
        .map(|(rule, count)| (&*rule.spec().id, count))
        .filter(|(id, count)| count.tried > 0 || found.contains_key(id))
        .collect();
    rows.sort_by_key(|(id, count)| (std::cmp::Reverse(count.nanos), *id));
    let searched = shown(Duration::from_nanos(counts.search));
    let searched_in = format!("in {}", HumanBytes(counts.searched));
    let head = ["rule", "time", "tried", "matched", "kept", "findings"].map(str::to_owned);
    let mut table = vec![(head, "dropped".to_owned())];
    for (id, count) in &rows {
        let dropped = count.dropped.each().filter(|(_, n)| *n > 0);
        let here = SORTS.map(|(_, sort)| (sort, places.get(&(*id, sort)).copied().unwrap_or(0)));
        let dropped: Vec<String> = dropped
            .chain(here.into_iter().filter(|(_, n)| *n > 0))
            .map(|(why, n)| format!("{why} {}", HumanCount(n)))
            .collect();
        let cells = [
            printable(id).into_owned(),
            shown(Duration::from_nanos(count.nanos)),
            HumanCount(count.tried).to_string(),
            HumanCount(count.matched).to_string(),
            HumanCount(count.kept()).to_string(),
            HumanCount(found.get(id).copied().unwrap_or(0)).to_string(),
        ];
        table.push((cells, dropped.join(", ")));
    }
    // As narrow as it can be, so that it mostly fits into 80 columns.
    let mut widths = [LITERALS.len(), searched.len(), 0, 0, 0, 0];
    for (cells, _) in &table {
        for (width, cell) in widths.iter_mut().zip(cells) {
            *width = (*width).max(cell.len());
        }
    }
    let [name, time, tried, matched, kept, findings] = widths;
    let mut text = "keysweep: time and hits of each rule, all threads together\n".to_owned();
    for (number, (cells, dropped)) in table.iter().enumerate() {
        let [c0, c1, c2, c3, c4, c5] = cells;
        let line = format!(
            "  {c0:<name$}  {c1:>time$}  {c2:>tried$}  {c3:>matched$}  {c4:>kept$}  {c5:>findings$}  {dropped}"
        );
        text += line.trim_end();
        text.push('\n');
        if number == 0 {
            let _ = writeln!(
                text,
                "  {LITERALS:<name$}  {searched:>time$}  {searched_in}"
            );
        }
    }
    let rest = counts.rules.len() - rows.len();
    let _ = writeln!(text, "  {rest} other rules met none of their literals");
    let _ = io::stderr().write_all(text.as_bytes());
}

/// How reasons of places begin, and what the table calls them. Those of the content filters are counted apart.
const SORTS: [(&str, &str); 5] = [
    ("covered by ", "covered"),
    ("part of ", "part of another"),
    ("no ", "without companion"),
    ("suppressed by ", "suppressed"),
    ("rule disabled by ", "disabled"),
];

fn sort_of(reason: &str) -> Option<&'static str> {
    let mut sorts = SORTS.iter();
    let sort = sorts.find(|(start, _)| reason.starts_with(start));
    sort.map(|(_, sort)| *sort)
}

/// What stands for the search in the table.
const LITERALS: &str = "(search for literals)";

fn shown(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if seconds < 0.000_999_5 {
        format!("{:.0} us", seconds * 1e6)
    } else if seconds < 0.9995 {
        format!("{:.1} ms", seconds * 1000.0)
    } else {
        format!("{seconds:.2} s")
    }
}
