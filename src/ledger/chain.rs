//! The audit chain: a row for each write, with an HMAC over the row and the HMAC before it.
//!
//! An audit row holds the whole text of the state row that was written, so that the tables can be compared with what the chain says
//! of them. The number and HMAC of the last row stand in `meta` too: a tail that is cut off shows, and one that is cut off with care
//! shows against a record, which prints them.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;
use ring::hmac;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde_json::Value;

use super::Error;
use super::schema::is_as_made;
use super::seal::{Keys, hex};

/// An audited table: its name, the column that its rows are named by, and all of its columns.
const TABLES: [(&str, &str, &str); 4] = [
    (
        "incident",
        "id",
        "number, id, fingerprint, state, why, opened, changed, leak",
    ),
    (
        "step",
        "id",
        "id, incident, state, planned, started, finished, attempts, answer, plan",
    ),
    ("health", "id", "id, incident, at, state, answer"),
    ("sealed", "incident", "incident, key, body"),
];

/// What an audit row says.
pub(super) struct Entry<'e> {
    /// When.
    pub(super) at: Timestamp,
    /// What was done, in a word.
    pub(super) action: &'e str,
    /// The incident, or empty.
    pub(super) incident: &'e str,
    /// The state row that was written, `step/3`; empty where none was.
    pub(super) subject: Option<(&'e str, &'e str)>,
    /// In words.
    pub(super) note: &'e str,
}

/// Number of the last row, and the HMAC that the next one begins with.
struct Head {
    seq: i64,
    mac: Vec<u8>,
}

impl Head {
    fn shown(&self) -> String {
        format!("{}:{}", self.seq, hex(&self.mac))
    }
}

/// What is signed beside the HMAC before: an array of JSON, in which nothing can be moved from one field to another.
fn message(seq: i64, fields: [&str; 6]) -> String {
    let mut all = vec![Value::from(seq)];
    all.extend(fields.map(Value::from));
    Value::from(all).to_string()
}

fn mac(keys: &Keys, before: &[u8], message: &str) -> Vec<u8> {
    let mut context = hmac::Context::with_key(&keys.chain);
    context.update(before);
    context.update(message.as_bytes());
    context.sign().as_ref().to_vec()
}

/// The whole of a state row as text. Sealed bytes are named by their hash alone: what is forgotten must be gone.
fn text_of(row: &Row<'_>, from: usize, columns: usize) -> rusqlite::Result<String> {
    let mut all = Vec::new();
    for at in from..from + columns {
        all.push(match row.get_ref(at)? {
            ValueRef::Null => Value::Null,
            ValueRef::Integer(number) => Value::from(number),
            ValueRef::Real(number) => Value::from(number),
            ValueRef::Text(text) => Value::from(String::from_utf8_lossy(text)),
            ValueRef::Blob(bytes) => Value::from(hash(bytes)),
        });
    }
    Ok(Value::from(all).to_string())
}

fn hash(bytes: &[u8]) -> String {
    hex(ring::digest::digest(&ring::digest::SHA256, bytes).as_ref())
}

fn table(name: &str) -> Option<&'static (&'static str, &'static str, &'static str)> {
    TABLES.iter().find(|(table, ..)| *table == name)
}

fn count(columns: &str) -> usize {
    columns.split(',').count()
}

/// The last row, as the chain has it.
fn end(conn: &Connection) -> rusqlite::Result<Head> {
    let head = conn
        .prepare_cached("SELECT seq, mac FROM audit ORDER BY seq DESC LIMIT 1")?
        .query_row([], |row| {
            Ok(Head {
                seq: row.get(0)?,
                mac: row.get(1)?,
            })
        })
        .optional()?;
    Ok(head.unwrap_or(Head {
        seq: 0,
        mac: vec![0; 32],
    }))
}

/// The same, where `meta` has it too; an error where they differ.
fn last(conn: &Connection, path: &Path) -> Result<Head, Error> {
    let db = |error: rusqlite::Error| Error::of(path, &error);
    let head = end(conn).map_err(db)?;
    let kept: Option<String> = conn
        .prepare_cached("SELECT value FROM meta WHERE name = 'head'")
        .and_then(|mut query| query.query_row([], |row| row.get(0)).optional())
        .map_err(db)?;
    match kept {
        None if head.seq == 0 => Ok(head),
        Some(kept) if kept == head.shown() => Ok(head),
        _ => Err(Error::Tampered {
            path: path.to_owned(),
            row: head.seq.unsigned_abs(),
            what: format!(
                "the chain ends here, and its end was noted as row {}",
                kept.as_deref()
                    .and_then(|kept| kept.split(':').next())
                    .unwrap_or("0")
            ),
        }),
    }
}

/// The last row, as records print it.
pub(super) fn head(conn: &Connection, path: &Path) -> Result<String, Error> {
    match end(conn) {
        Ok(head) => Ok(head.shown()),
        Err(error) => Err(Error::of(path, &error)),
    }
}

/// Adds a row; called in the transaction that wrote what it says.
pub(super) fn add(
    conn: &Connection,
    path: &Path,
    keys: &Keys,
    entry: &Entry<'_>,
) -> Result<(), Error> {
    let db = |error: rusqlite::Error| Error::of(path, &error);
    let head = last(conn, path)?;
    let seq = head.seq + 1;
    let (subject, row) = match entry.subject {
        None => (String::new(), String::new()),
        Some((name, key)) => {
            let text = match table(name) {
                Some((_, by, columns)) => conn
                    .prepare_cached(&format!("SELECT {columns} FROM {name} WHERE {by} = ?1"))
                    .and_then(|mut query| {
                        query
                            .query_row([key], |row| text_of(row, 0, count(columns)))
                            .optional()
                    })
                    .map_err(db)?,
                None => None,
            };
            // No row: it was removed.
            (format!("{name}/{key}"), text.unwrap_or_default())
        }
    };
    let at = entry.at.to_string();
    let fields = [
        &at,
        entry.action,
        entry.incident,
        &subject,
        &row,
        entry.note,
    ];
    let mac = mac(keys, &head.mac, &message(seq, fields));
    conn.prepare_cached("INSERT INTO audit VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")
        .and_then(|mut insert| {
            insert.execute(params![
                seq,
                at,
                entry.action,
                entry.incident,
                subject,
                row,
                entry.note,
                mac
            ])
        })
        .map_err(db)?;
    conn.prepare_cached("INSERT OR REPLACE INTO meta VALUES ('head', ?1)")
        .and_then(|mut set| set.execute([Head { seq, mac }.shown()]))
        .map_err(db)?;
    Ok(())
}

/// Computes the chain anew and compares the tables with it; the number of rows.
pub(super) fn verify(conn: &Connection, path: &Path, keys: &Keys) -> Result<u64, Error> {
    let db = |error: rusqlite::Error| Error::of(path, &error);
    let wrong = |row: u64, what: String| Error::Tampered {
        path: path.to_owned(),
        row,
        what,
    };
    // One state of the file, whoever writes meanwhile.
    let tx = conn.unchecked_transaction().map_err(db)?;
    is_as_made(&tx, path)?;
    let mut before = vec![0; 32];
    let mut rows: u64 = 0;
    // What each state row should be, and the audit row that says so.
    let mut expected: BTreeMap<String, (u64, String)> = BTreeMap::new();
    {
        let mut query = tx
            .prepare(
                "SELECT seq, at, action, incident, subject, row, note, mac FROM audit ORDER BY seq",
            )
            .map_err(db)?;
        let mut found = query.query([]).map_err(db)?;
        while let Some(row) = found.next().map_err(db)? {
            rows += 1;
            let text = |at: usize| row.get::<_, String>(at);
            let read = (|| -> rusqlite::Result<_> {
                let fields = [text(1)?, text(2)?, text(3)?, text(4)?, text(5)?, text(6)?];
                Ok((row.get::<_, i64>(0)?, fields, row.get::<_, Vec<u8>>(7)?))
            })();
            let Ok((seq, fields, mac)) = read else {
                return Err(wrong(rows, "the row cannot be read".to_owned()));
            };
            if u64::try_from(seq) != Ok(rows) {
                return Err(wrong(
                    rows,
                    format!("the row is missing, the next one is {seq}"),
                ));
            }
            let message = message(seq, fields.each_ref().map(String::as_str));
            let signed = [&before[..], message.as_bytes()].concat();
            if hmac::verify(&keys.chain, &signed, &mac).is_err() {
                return Err(wrong(
                    rows,
                    "the row, or the one before it, is not what was written".to_owned(),
                ));
            }
            before = mac;
            let [.., subject, row, _] = fields;
            if row.is_empty() {
                expected.remove(&subject);
            } else {
                expected.insert(subject, (rows, row));
            }
        }
    }
    last(&tx, path)?;
    for (name, by, columns) in TABLES {
        let mut query = tx
            .prepare(&format!("SELECT CAST({by} AS TEXT), {columns} FROM {name}"))
            .map_err(db)?;
        let mut found = query.query([]).map_err(db)?;
        while let Some(row) = found.next().map_err(db)? {
            let key: String = row.get(0).map_err(db)?;
            let text = text_of(row, 1, count(columns)).map_err(db)?;
            match expected.remove(&format!("{name}/{key}")) {
                Some((_, says)) if says == text => {}
                Some((at, _)) => {
                    return Err(wrong(
                        0,
                        format!(
                            "{} {key} is not what audit row {at} says of it",
                            words(name)
                        ),
                    ));
                }
                None => {
                    return Err(wrong(
                        0,
                        format!("no audit row says anything of {} {key}", words(name)),
                    ));
                }
            }
        }
    }
    if let Some((subject, (at, _))) = expected.pop_first() {
        let (name, key) = subject.split_once('/').unwrap_or((&subject, ""));
        return Err(wrong(
            0,
            format!(
                "{} {key} is gone, which audit row {at} put there",
                words(name)
            ),
        ));
    }
    Ok(rows)
}

fn words(table: &str) -> &str {
    match table {
        "health" => "check",
        "sealed" => "the sealed secret of",
        other => other,
    }
}

/// Whether the chain holds a head that a record printed.
pub(super) fn verify_head(conn: &Connection, path: &Path, text: &str) -> Result<(), Error> {
    let db = |error: rusqlite::Error| Error::of(path, &error);
    let parsed = text
        .trim()
        .split_once(':')
        .and_then(|(seq, mac)| Some((seq.parse::<i64>().ok()?, mac)))
        .filter(|(seq, mac)| {
            *seq > 0 && mac.len() == 64 && mac.bytes().all(|b| b.is_ascii_hexdigit())
        });
    let Some((seq, mac)) = parsed else {
        return Err(Error::Order {
            path: path.to_owned(),
            why: "the head of a ledger is a number, a colon and 64 hexadecimal digits, as each record prints it"
                .to_owned(),
        });
    };
    let held: Option<Vec<u8>> = conn
        .query_row("SELECT mac FROM audit WHERE seq = ?1", [seq], |row| {
            row.get(0)
        })
        .optional()
        .map_err(db)?;
    let what = match held {
        Some(held) if hex(&held) == mac.to_ascii_lowercase() => return Ok(()),
        Some(_) => "the record was printed of another row",
        None => "the row is gone, or the record is of another ledger",
    };
    Err(Error::Tampered {
        path: path.to_owned(),
        row: seq.unsigned_abs(),
        what: what.to_owned(),
    })
}
