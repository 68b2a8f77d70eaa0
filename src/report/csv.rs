//! `csv`: a row for each place of each finding, and one for each gap, as RFC 4180 has it.
//!
//! Spreadsheets run what looks like a formula, so every text is quoted, and one that begins like a formula
//! gets an apostrophe before it.

use std::io::{self, BufWriter, Write};

use super::{
    Report, Reporter, by_severity, history, place_fingerprint, printable, remedy, verification,
    words,
};
use crate::model::{Finding, Origin, Place, Verification};

const HEADER: [&str; 39] = [
    "kind",
    "severity",
    "confidence",
    "rule",
    "name",
    "provider",
    "secret",
    "path",
    "line",
    "column",
    "end_line",
    "end_column",
    "origin",
    "decoded_from",
    "commit",
    "introduced_by",
    "author",
    "email",
    "date",
    "in_head",
    "exposed_days",
    "or_earlier",
    "entropy",
    "opens",
    "fingerprint",
    "place_fingerprint",
    "reason",
    "remedy",
    "console",
    "link",
    "verification",
    "verification_reason",
    "account",
    "owner",
    "level",
    "scopes",
    "expires",
    "key",
    "checked_at",
];

/// Comma-separated values.
#[derive(Debug, Clone, Copy)]
pub struct Csv;

impl Reporter for Csv {
    fn write(&self, report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
        let mut out = BufWriter::new(out);
        line(&mut out, &HEADER.map(str::to_owned))?;
        for finding in by_severity(report.findings) {
            for place in report.places(finding) {
                line(&mut out, &row(report, finding, place))?;
            }
        }
        for finding in by_severity(report.shown_dropped()) {
            for place in report.places(finding) {
                line(&mut out, &row(report, finding, place))?;
            }
        }
        for gap in &report.summary.gaps {
            let text = |text: &str| report.redactor.path(text.as_bytes());
            let mut cells: [String; HEADER.len()] = std::array::from_fn(|_| String::new());
            put(&mut cells, "kind", "gap");
            put(&mut cells, "path", &text(&gap.path));
            put(&mut cells, "reason", &text(&gap.reason));
            line(&mut out, &cells)?;
        }
        if report.summary.cancelled {
            let mut cells: [String; HEADER.len()] = std::array::from_fn(|_| String::new());
            put(&mut cells, "kind", "gap");
            put(&mut cells, "reason", super::sarif::STOPPED);
            line(&mut out, &cells)?;
        }
        out.flush()
    }
}

fn row(report: &Report<'_>, finding: &Finding, place: &Place) -> [String; HEADER.len()] {
    let redactor = report.redactor;
    let text = |text: &str| redactor.redact(text.as_bytes());
    let kind = if place.dropped.is_some() {
        "suppressed"
    } else {
        "finding"
    };
    let opens: Vec<String> = finding
        .opens
        .iter()
        .map(|(name, value)| format!("{name}={}", text(value)))
        .collect();
    let secret = redactor.secret(&finding.credential.secret);
    let mut cells: [String; HEADER.len()] = std::array::from_fn(|_| String::new());
    for (name, value) in [
        ("kind", kind),
        ("severity", finding.severity.word()),
        ("confidence", finding.confidence().word()),
        ("rule", &finding.rule),
        ("name", &finding.name),
        ("provider", &finding.provider),
        ("secret", &secret),
        ("path", &redactor.path(&place.path)),
        ("origin", place.origin.word()),
        ("decoded_from", &words::decodings(place)),
        ("entropy", &format!("{:.2}", finding.entropy)),
        ("opens", &opens.join("; ")),
        ("fingerprint", &finding.fingerprint.to_string()),
        (
            "place_fingerprint",
            &place_fingerprint(report, finding, &place.path),
        ),
        (
            "reason",
            &text(place.dropped.as_deref().unwrap_or_default()),
        ),
        ("remedy", remedy(finding)),
        ("console", &finding.console),
        ("link", &finding.link),
    ] {
        put(&mut cells, name, value);
    }
    if let Some(checked) = &finding.verification {
        put(&mut cells, "verification", checked.verification.word());
        put(&mut cells, "checked_at", &checked.at.to_string());
        let reason = match &checked.verification {
            Verification::Inactive(why) => text(why),
            Verification::Unknown(doubt) => text(&doubt.to_string()),
            Verification::Active(_) | Verification::Unsupported => String::new(),
        };
        put(&mut cells, "verification_reason", &reason);
        for (name, value) in verification::facts(report, finding) {
            put(&mut cells, name, &value);
        }
    }
    if place.origin == Origin::Content {
        for (name, number) in [
            ("line", place.start.line),
            ("column", place.start.column),
            ("end_line", place.end.line),
            ("end_column", place.end.column),
        ] {
            put(&mut cells, name, &number.to_string());
        }
    }
    if let Some(id) = place.commit {
        put(&mut cells, "commit", &id.to_string());
    }
    if let Some(all) = &finding.history {
        if let Some(first) = &all.first {
            put(&mut cells, "introduced_by", &first.id.to_string());
            if all.or_earlier {
                put(&mut cells, "or_earlier", "true");
            }
            put(&mut cells, "author", &text(&first.author));
            put(&mut cells, "email", &text(&first.email));
            let date = history::date(first.date).unwrap_or_default();
            put(&mut cells, "date", &date);
        }
        if !all.is_partial {
            put(&mut cells, "in_head", &all.in_head.to_string());
            put(&mut cells, "exposed_days", &all.exposed_days.to_string());
        }
    }
    cells
}

fn put(cells: &mut [String; HEADER.len()], column: &str, value: &str) {
    let at = HEADER.iter().position(|name| *name == column);
    if let Some(cell) = at.and_then(|at| cells.get_mut(at)) {
        *cell = printable(value).into_owned();
    }
}

fn line(out: &mut impl Write, cells: &[String; HEADER.len()]) -> io::Result<()> {
    for (index, cell) in cells.iter().enumerate() {
        if index > 0 {
            out.write_all(b",")?;
        }
        write!(out, "{}", quoted(cell))?;
    }
    out.write_all(b"\r\n")
}

/// A cell: numbers and nothing as they are, texts in quotes and harmless to a spreadsheet.
fn quoted(text: &str) -> String {
    if text.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return text.to_owned();
    }
    // The full-width forms count as the plain ones in some spreadsheets.
    let is_formula = text.trim_start().starts_with([
        '=', '+', '-', '@', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}', '|', '%',
    ]);
    let guard = if is_formula { "'" } else { "" };
    format!("\"{guard}{}\"", text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::super::{Options, sample};
    use super::*;

    /// The cells of a text by RFC 4180.
    fn table(text: &str) -> Vec<Vec<String>> {
        let (mut rows, mut row, mut cell) = (Vec::new(), Vec::new(), String::new());
        let (mut quoted, mut chars) = (false, text.chars().peekable());
        while let Some(c) = chars.next() {
            match c {
                '"' if quoted && chars.peek() == Some(&'"') => cell.extend(chars.next()),
                '"' => quoted = !quoted,
                ',' if !quoted => row.push(std::mem::take(&mut cell)),
                '\r' if !quoted => {
                    assert_eq!(chars.next(), Some('\n'));
                    row.push(std::mem::take(&mut cell));
                    rows.push(std::mem::take(&mut row));
                }
                c => cell.push(c),
            }
        }
        assert!(!quoted && row.is_empty() && cell.is_empty(), "{text}");
        rows
    }

    fn column(rows: &[Vec<String>], name: &str) -> Vec<String> {
        let at = rows[0].iter().position(|c| c == name).expect("a column");
        rows[1..].iter().map(|row| row[at].clone()).collect()
    }

    #[test]
    fn there_is_a_row_for_each_place_and_gap() {
        let token = sample::token();
        let place = sample::place(b"x,\"y\"", 1, &token, &token);
        let dropped = [sample::dropped(&token, place, "suppressed by a, \"b\"")];
        let options = Options {
            show_suppressed: true,
            ..Options::default()
        };
        let text = sample::written(
            &Csv,
            &sample::findings(),
            &dropped,
            &sample::summary(),
            options,
        );
        let rows = table(&text);
        assert!(rows.iter().all(|row| row.len() == HEADER.len()));
        assert_eq!(
            column(&rows, "kind"),
            ["finding", "finding", "finding", "suppressed", "gap"]
        );
        assert_eq!(column(&rows, "path")[0], "src/app.py");
        assert_eq!(column(&rows, "path")[3], "x,\"y\"");
        assert_eq!(column(&rows, "path")[4], "locked/ghp_… (40 bytes)");
        assert_eq!(column(&rows, "line")[0], "12");
        assert_eq!(column(&rows, "reason")[3], "suppressed by a, \"b\"");
        assert!(column(&rows, "remedy")[0].starts_with("Revoke the token"));
        assert!(!text.contains(&token) && !text.contains('\u{1b}') && !text.contains('\u{202e}'));
    }

    #[test]
    fn no_cell_is_a_formula() {
        let evil = [
            "=1+1",
            "+1",
            "-1",
            "@SUM(A1)",
            "\u{ff1d}1",
            " =1",
            "\t=1",
            "=cmd|' /C calc'!A0",
            "|x",
        ];
        let token = sample::token();
        let places = evil
            .map(|path| sample::place(path.as_bytes(), 1, &token, &token))
            .to_vec();
        let mut found = sample::finding(&token, places);
        found.name = "=HYPERLINK(\"//example.com\";\"x\")".into();
        let text = sample::written(
            &Csv,
            &[found],
            &[],
            &crate::model::Summary::default(),
            Options::default(),
        );
        for row in &table(&text)[1..] {
            for cell in row {
                assert!(
                    !cell
                        .trim_start()
                        .starts_with(['=', '+', '-', '@', '|', '\u{ff1d}', '\t']),
                    "{cell}"
                );
            }
        }
    }
}
