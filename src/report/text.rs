//! `text`: the report for a person at a terminal.
//!
//! Nothing from scanned material is printed before the redactor and [`printable`] have seen it, so
//! that a hostile file name cannot move the cursor, hide a line or forge one.

mod finding;
mod history;
mod totals;

use std::io::{self, BufWriter, Write};

use anstyle::Style;

use super::{Report, Reporter, by_severity, printable, width};

/// Columns of the labels under a finding.
const LABEL: usize = 9;

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const PLAIN: Style = Style::new();

/// Findings with their lines, then what was scanned and what was not.
#[derive(Debug, Clone, Copy)]
pub struct Text;

impl Reporter for Text {
    fn write(&self, report: &Report<'_>, out: &mut dyn Write) -> io::Result<()> {
        let mut out = BufWriter::new(out);
        let mut page = Page {
            report,
            width: report.options.width.max(24),
            text: String::new(),
        };
        for finding in by_severity(report.findings) {
            page.finding(finding);
            page.turn(&mut out)?;
        }
        for finding in by_severity(report.shown_dropped()) {
            page.finding(finding);
            page.turn(&mut out)?;
        }
        page.totals();
        page.left_out();
        page.idle();
        page.gaps();
        page.turn(&mut out)?;
        out.flush()
    }
}

/// What is written next.
struct Page<'r> {
    report: &'r Report<'r>,
    width: usize,
    text: String,
}

impl Page<'_> {
    fn turn(&mut self, out: &mut impl Write) -> io::Result<()> {
        out.write_all(self.text.as_bytes())?;
        self.text.clear();
        Ok(())
    }

    fn line(&mut self, text: &str) {
        self.text.push_str(text);
        self.text.push('\n');
    }

    fn paint(&self, style: Style, text: &str) -> String {
        if self.report.options.color && style != PLAIN {
            format!("{style}{text}{style:#}")
        } else {
            text.to_owned()
        }
    }

    fn link(&self, url: &str, text: &str) -> String {
        if self.report.options.hyperlinks && !url.is_empty() {
            format!("\x1b]8;;{}\x1b\\{text}\x1b]8;;\x1b\\", printable(url))
        } else {
            text.to_owned()
        }
    }

    /// A label and wrapped text beside it; nothing for an empty text.
    fn labelled(&mut self, label: &str, text: &str) {
        let mut label = label;
        for line in width::wrap(text, self.width.saturating_sub(LABEL + 2)) {
            self.line(&format!("  {label:<LABEL$}{line}"));
            label = "";
        }
    }

    /// Wrapped text whose further lines are indented.
    fn wrapped(&mut self, style: Style, text: &str) {
        let mut indent = "";
        for line in width::wrap(text, self.width.saturating_sub(2)) {
            let line = self.paint(style, &line);
            self.line(&format!("{indent}{line}"));
            indent = "  ";
        }
    }
}

#[cfg(test)]
#[path = "text_tests.rs"]
mod tests;
