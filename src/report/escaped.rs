//! JSON that may be shown: what a terminal or a page would obey is escaped.

use std::io::{self, BufWriter, Write};

use serde::Serialize;

use super::redact::is_printable;

/// JSON on its way out: characters that a terminal or a page would obey, or that do not show, leave as `\u`
/// escapes. Beyond ASCII they stand in strings alone.
pub(super) struct Escaped<W: Write>(pub(super) W);

impl<W: Write> Write for Escaped<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // The serializer hands over whole strings.
        let Ok(text) = std::str::from_utf8(bytes) else {
            self.0.write_all(bytes)?;
            return Ok(bytes.len());
        };
        let mut plain = 0;
        for (at, c) in text.char_indices() {
            // Below the space, only white space between values is left.
            if is_printable(c) || c < ' ' {
                continue;
            }
            self.0
                .write_all(text.get(plain..at).unwrap_or_default().as_bytes())?;
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(self.0, "\\u{unit:04x}")?;
            }
            plain = at + c.len_utf8();
        }
        self.0
            .write_all(text.get(plain..).unwrap_or_default().as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Writes a record in a line.
///
/// # Errors
/// Those of the writer.
pub fn write_record(record: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    let mut out = Escaped(out);
    serde_json::to_writer(&mut out, record)?;
    out.write_all(b"\n")
}

/// Writes a whole document, indented.
pub(crate) fn write_document(document: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    let mut out = Escaped(BufWriter::new(out));
    serde_json::to_writer_pretty(&mut out, document)?;
    out.write_all(b"\n")?;
    out.flush()
}
