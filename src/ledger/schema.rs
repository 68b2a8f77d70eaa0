//! The file: how it is made, opened and checked, and its migrations.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::path::Path;
use std::thread;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};

use super::Error;
use super::seal::{folder_of, make_folder, private, sync_folder};

/// What SQLite files of keysweep's ledger bear: `KSWP`.
const APPLICATION: i32 = 0x4b53_5750;

/// How long a write waits for another process's.
const WAIT: Duration = Duration::from_secs(10);

/// Each brings the file to the next version. One that was published is never changed: what came later is a new one. One that changes
/// columns of an audited table (`chain::TABLES`) must put each of its rows into the chain anew.
pub(super) const MIGRATIONS: &[&str] = &["
    CREATE TABLE meta (
        name TEXT PRIMARY KEY,
        value TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE incident (
        number INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        fingerprint TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('open', 'closed', 'not-proven', 'reopened')),
        why TEXT NOT NULL,
        opened TEXT NOT NULL,
        changed TEXT NOT NULL,
        leak TEXT NOT NULL
    ) STRICT;
    CREATE INDEX incident_fingerprint ON incident (fingerprint);
    CREATE TABLE step (
        id INTEGER PRIMARY KEY,
        incident TEXT NOT NULL REFERENCES incident (id),
        state TEXT NOT NULL CHECK (state IN ('planned', 'started', 'done', 'failed', 'unknown', 'skipped')),
        planned TEXT NOT NULL,
        started TEXT,
        finished TEXT,
        attempts INTEGER NOT NULL,
        answer TEXT NOT NULL,
        plan TEXT NOT NULL
    ) STRICT;
    CREATE INDEX step_incident ON step (incident);
    CREATE TABLE health (
        id INTEGER PRIMARY KEY,
        incident TEXT NOT NULL REFERENCES incident (id),
        at TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('refused', 'alive', 'unknown')),
        answer TEXT NOT NULL
    ) STRICT;
    CREATE INDEX health_incident ON health (incident);
    CREATE TABLE sealed (
        incident TEXT PRIMARY KEY REFERENCES incident (id),
        key BLOB NOT NULL,
        body BLOB NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE claim (
        incident TEXT PRIMARY KEY REFERENCES incident (id),
        owner TEXT NOT NULL,
        token TEXT NOT NULL,
        touched TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE audit (
        seq INTEGER PRIMARY KEY,
        at TEXT NOT NULL,
        action TEXT NOT NULL,
        incident TEXT NOT NULL,
        subject TEXT NOT NULL,
        row TEXT NOT NULL,
        note TEXT NOT NULL,
        mac BLOB NOT NULL
    ) STRICT;
    CREATE INDEX audit_incident ON audit (incident);
", "
    -- Of leaks: where their providers were asked; of steps: whether somebody agreed to them. Both stand in the JSON of their rows,
    -- and who does not know them would write the rows without them.
"];

/// Opens a ledger; one that is not there is made only where it will be written.
pub(super) fn open(path: &Path, writes: bool) -> Result<Connection, Error> {
    let known = MIGRATIONS.len() as i64;
    if writes {
        make(path)?;
    }
    glance(path, known)?;
    let db = |error: rusqlite::Error| Error::of(path, &error);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags).map_err(db)?;
    conn.busy_timeout(WAIT).map_err(db)?;
    let set = |config, on| conn.set_db_config(config, on).map(drop).map_err(db);
    // The file may be anybody's work: nothing in it runs, and it stays as it is until it is known to be ours.
    set(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    set(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    set(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
    set(DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false)?;
    set(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    conn.pragma_update(None, "cell_size_check", true)
        .map_err(db)?;
    ours(&conn, path, known)?;
    conn.pragma_update(None, "foreign_keys", true).map_err(db)?;
    if writes {
        set(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)?;
        write_ahead(&conn).map_err(db)?;
        conn.pragma_update(None, "synchronous", "FULL")
            .map_err(db)?;
        // What is removed is overwritten, and the log of writes stays short.
        conn.pragma_update(None, "secure_delete", true)
            .map_err(db)?;
        conn.pragma_update(None, "wal_autocheckpoint", 100)
            .map_err(db)?;
        conn.pragma_update(None, "journal_size_limit", 1 << 20)
            .map_err(db)?;
    } else {
        conn.pragma_update(None, "query_only", true).map_err(db)?;
    }
    let found: String = conn
        .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
        .map_err(db)?;
    if found == "ok" {
        Ok(conn)
    } else {
        Err(Error::Damaged {
            path: path.to_owned(),
            why: found.replace('\n', " "),
        })
    }
}

/// Makes an empty file for its owner alone, and its folder; narrows one that is there.
fn make(path: &Path) -> Result<(), Error> {
    let fail = |error: &io::Error| Error::io(path, "the ledger cannot be made", error);
    if let Some(folder) = folder_of(path) {
        make_folder(folder).map_err(|e| fail(&e))?;
    }
    match private(OpenOptions::new().write(true).create_new(true)).open(path) {
        Ok(_) => {
            sync_folder(path);
            Ok(())
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => narrow(path),
        Err(error) => Err(fail(&error)),
    }
}

#[cfg(unix)]
fn narrow(path: &Path) -> Result<(), Error> {
    use std::os::unix::fs::PermissionsExt as _;

    let fail = |error: &io::Error| Error::io(path, "the ledger cannot be opened", error);
    let mode = fs::metadata(path)
        .map_err(|e| fail(&e))?
        .permissions()
        .mode();
    // A newer one and somebody else's stay as they are.
    if mode & 0o077 != 0 && glance(path, MIGRATIONS.len() as i64).is_ok() {
        let narrow = fs::Permissions::from_mode(0o600);
        fs::set_permissions(path, narrow).map_err(|e| fail(&e))?;
    }
    Ok(())
}

#[cfg(not(unix))]
fn narrow(_: &Path) -> Result<(), Error> {
    Ok(())
}

/// Files that SQLite keeps beside a database, and would take into it.
const BESIDE: [&str; 4] = ["", "-wal", "-shm", "-journal"];

/// Complains of what can hold no ledger: a folder, a device, a pipe, a file of another user's. A mode would be set on a device, and a
/// pipe waited for.
pub(super) fn is_place(path: &Path) -> Result<(), Error> {
    for beside in BESIDE {
        let mut name = path.as_os_str().to_owned();
        name.push(beside);
        if let Some(why) = foreign(Path::new(&name)) {
            return Err(Error::Io {
                path: name.into(),
                why: format!("{why}; name another ledger with --ledger, in a folder of your own"),
            });
        }
    }
    match fs::metadata(path) {
        Err(error)
            if error.kind() == io::ErrorKind::NotFound && fs::symlink_metadata(path).is_ok() =>
        {
            Err(Error::Io {
                path: path.to_owned(),
                why: "this is a link to what is not there; remove it, or name another ledger with --ledger"
                    .to_owned(),
            })
        }
        Ok(found) if !found.is_file() => Err(Error::Io {
            path: path.to_owned(),
            why: "this is no file, and a ledger is one; name another with --ledger".to_owned(),
        }),
        _ => Ok(()),
    }
}

/// Why a file is not to be trusted: neither this user nor root owns it, and its owner may write it at any time.
#[cfg(unix)]
pub(super) fn foreign(path: &Path) -> Option<String> {
    use std::os::unix::fs::MetadataExt as _;

    let owner = fs::metadata(path).ok()?.uid();
    let is_foreign = owner != 0 && owner != rustix::process::geteuid().as_raw();
    is_foreign.then(|| format!("it belongs to another user (number {owner}), who can change it"))
}

/// The same where files have no such owners.
#[cfg(not(unix))]
pub(super) fn foreign(_: &Path) -> Option<String> {
    None
}

/// What a file of this version holds, by kind and name: nothing else may stand in it, for it would change what is written.
pub(super) fn is_as_made(conn: &Connection, path: &Path) -> Result<(), Error> {
    let db = |error: rusqlite::Error| Error::of(path, &error);
    let version: i64 = conn
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .map_err(db)?;
    let made = Connection::open_in_memory().map_err(db)?;
    let steps = usize::try_from(version).unwrap_or_default();
    for sql in MIGRATIONS.iter().take(steps) {
        made.execute_batch(sql).map_err(db)?;
    }
    let (mut found, wanted) = (objects(conn).map_err(db)?, objects(&made).map_err(db)?);
    let wrong = |what: String| Error::Tampered {
        path: path.to_owned(),
        row: 0,
        what,
    };
    for (name, sql) in wanted {
        match found.remove(&name) {
            Some(is) if is == sql => {}
            Some(_) => return Err(wrong(format!("the {name} is not as it was made"))),
            None => return Err(wrong(format!("the {name} is gone"))),
        }
    }
    match found.pop_first() {
        None => Ok(()),
        Some((name, _)) => Err(wrong(format!("the {name} does not belong there"))),
    }
}

/// Tables, indexes, triggers and views, `table step`, with what made them.
fn objects(conn: &Connection) -> rusqlite::Result<BTreeMap<String, Option<String>>> {
    let sql =
        "SELECT type || ' ' || name, coalesce(tbl_name, '') || ': ' || sql FROM sqlite_schema";
    conn.prepare(sql)?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect()
}

/// Looks at the file's head before SQLite does: <https://www.sqlite.org/fileformat.html#the_database_header>.
pub(super) fn glance(path: &Path, known: i64) -> Result<(), Error> {
    is_place(path)?;
    let fail = |error: &io::Error| match error.kind() {
        io::ErrorKind::NotFound => none(path),
        _ => Error::io(path, "the ledger cannot be opened", error),
    };
    let mut head = Vec::new();
    File::open(path)
        .and_then(|file| file.take(100).read_to_end(&mut head))
        .map_err(|e| fail(&e))?;
    let number = |at: usize| -> Option<i32> {
        let bytes = head.get(at..at + 4)?;
        Some(i32::from_be_bytes(bytes.try_into().ok()?))
    };
    match (number(60), number(68)) {
        // Empty: somebody has just made it.
        _ if head.is_empty() => Ok(()),
        _ if !head.starts_with(b"SQLite format 3\0") => Err(Error::Damaged {
            path: path.to_owned(),
            why: "it is not a database".to_owned(),
        }),
        // Until its first transaction is in it.
        (Some(0), Some(0)) => Ok(()),
        (Some(version), Some(application)) => judge(path, version.into(), application, known),
        _ => Err(Error::Damaged {
            path: path.to_owned(),
            why: "it is cut off".to_owned(),
        }),
    }
}

/// Whether nothing is in it yet.
pub(super) fn is_empty(conn: &Connection) -> rusqlite::Result<bool> {
    conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| {
        Ok(row.get::<_, i64>(0)? == 0)
    })
}

pub(super) fn none(path: &Path) -> Error {
    Error::Absent {
        path: path.to_owned(),
    }
}

fn judge(path: &Path, found: i64, application: i32, known: i64) -> Result<(), Error> {
    let path = path.to_owned();
    if application != APPLICATION {
        Err(Error::Foreign { path })
    } else if found > known {
        Err(Error::Newer { path, found, known })
    } else {
        Ok(())
    }
}

/// The same with what stands in the log of writes.
fn ours(conn: &Connection, path: &Path, known: i64) -> Result<(), Error> {
    let db = |error: rusqlite::Error| Error::of(path, &error);
    // All of one moment: another process may be making it.
    let moment = conn.unchecked_transaction().map_err(db)?;
    let number = |name: &str| moment.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let version = number("user_version").map_err(db)?;
    let application = number("application_id").map_err(db)?;
    let tables: i64 = moment
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(db)?;
    moment.finish().map_err(db)?;
    if (version, application, tables) == (0, 0, 0) {
        return Ok(());
    }
    judge(
        path,
        version,
        i32::try_from(application).unwrap_or_default(),
        known,
    )
}

/// Switches to the write-ahead log. For that SQLite does not wait when several open a new file at once.
fn write_ahead(conn: &Connection) -> rusqlite::Result<()> {
    let mut tries = 0;
    loop {
        let switched = conn.query_row("PRAGMA journal_mode = WAL", [], |row| {
            row.get::<_, String>(0)
        });
        match switched {
            Err(error) if tries < 100 && is_busy(&error) => {
                tries += 1;
                thread::sleep(Duration::from_millis(50));
            }
            // A file system without shared memory keeps a rollback journal, which is as safe.
            other => return other.map(drop),
        }
    }
}

fn is_busy(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy)
}

/// Brings the file to the newest version, each step in a transaction of its own with what `also` does in it; `also` is told the new version.
pub(super) fn migrate(
    conn: &Connection,
    path: &Path,
    migrations: &[&str],
    also: impl Fn(&Transaction<'_>, i64) -> Result<(), Error>,
) -> Result<(), Error> {
    let db = |error: rusqlite::Error| Error::of(path, &error);
    loop {
        let tx = Transaction::new_unchecked(conn, TransactionBehavior::Immediate).map_err(db)?;
        let version: i64 = tx
            .pragma_query_value(None, "user_version", |row| row.get(0))
            .map_err(db)?;
        let Some(sql) = usize::try_from(version)
            .ok()
            .and_then(|version| migrations.get(version))
        else {
            return Ok(());
        };
        tx.execute_batch(sql).map_err(db)?;
        tx.pragma_update(None, "application_id", APPLICATION)
            .map_err(db)?;
        tx.pragma_update(None, "user_version", version + 1)
            .map_err(db)?;
        also(&tx, version + 1)?;
        tx.commit().map_err(db)?;
    }
}
