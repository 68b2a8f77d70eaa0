//! `json` and `jsonl`: a record for each finding and each gap, and last the summary.
//!
//! Both formats hold the same records. They are written one by one; no more than one finding is
//! ever built as a record.

use std::io::{self, BufWriter, Write};

use serde::Serialize;

use super::escaped::Escaped;
use super::record::{finding_row, gap_row, idle_row, summary_row};
use super::{Report, Reporter};

/// The JSON Schema of a report in `json`, and under `$defs/record` of a line of `jsonl`.
pub const JSON_SCHEMA: &str = include_str!("schema.json");

/// One array of records.
#[derive(Debug, Clone, Copy)]
pub struct Json;

/// One record a line.
#[derive(Debug, Clone, Copy)]
pub struct Jsonl;

impl Reporter for Json {
    fn write(&self, report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
        let mut rows = Rows {
            out: Escaped(BufWriter::new(out)),
            between: ",\n",
            first: true,
        };
        rows.out.write_all(b"[\n")?;
        rows.all(report)?;
        rows.out.write_all(b"\n]\n")?;
        rows.out.flush()
    }
}

impl Reporter for Jsonl {
    fn write(&self, report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
        let mut rows = Rows {
            out: Escaped(BufWriter::new(out)),
            between: "\n",
            first: true,
        };
        rows.all(report)?;
        rows.out.write_all(b"\n")?;
        rows.out.flush()
    }
}

struct Rows<W: Write> {
    out: Escaped<W>,
    between: &'static str,
    first: bool,
}

impl<W: Write> Rows<W> {
    fn all(&mut self, report: &Report<'_>) -> io::Result<()> {
        for finding in report.findings.iter().chain(report.shown_dropped()) {
            self.one(&finding_row(report, finding))?;
        }
        for gap in &report.summary.gaps {
            self.one(&gap_row(report, gap))?;
        }
        for idle in &report.summary.idle {
            self.one(&idle_row(report, idle))?;
        }
        self.one(&summary_row(report))
    }

    fn one(&mut self, row: &impl Serialize) -> io::Result<()> {
        if !std::mem::take(&mut self.first) {
            self.out.write_all(self.between.as_bytes())?;
        }
        serde_json::to_writer(&mut self.out, row)?;
        Ok(())
    }
}

#[cfg(test)]
#[path = "json_tests.rs"]
mod tests;
