//! What others and the system do to a ledger: changed rows, other versions, damage, a full disk, a wrong key.

use std::fs;

use super::*;

#[test]
fn every_change_by_somebody_else_is_noticed() {
    let model = Desk::new();
    let (ledger, _) = full(&model);
    drop(ledger);
    let mut tried = 0;
    for table in ["incident", "step", "health", "sealed", "audit"] {
        let columns: Vec<String> = model
            .raw()
            .prepare(&format!("SELECT name FROM pragma_table_info('{table}')"))
            .unwrap()
            .query_map([], |row| row.get(0))
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        let changes = columns.iter().map(|column| match (table, &**column) {
            (_, "number" | "id" | "seq") if table != "incident" || column == "number" => {
                format!("UPDATE {table} SET {column} = {column} + 1000 WHERE rowid = (SELECT max(rowid) FROM {table})")
            }
            ("incident", "state") => format!("UPDATE {table} SET state = 'open'"),
            ("step", "state") => format!("UPDATE {table} SET state = 'skipped' WHERE state = 'planned'"),
            ("health", "state") => format!("UPDATE {table} SET state = 'alive'"),
            (_, "attempts") => format!("UPDATE {table} SET attempts = 7"),
            (_, "key" | "body" | "mac") => format!("UPDATE {table} SET {column} = zeroblob(32)"),
            _ => format!("UPDATE {table} SET {column} = {column} || 'x' WHERE {column} IS NOT NULL"),
        });
        let more = [
            format!("DELETE FROM {table}"),
            match table {
                "incident" => "INSERT INTO incident SELECT 99, 'KS-20260131-9', fingerprint, state, why, opened, changed, leak FROM incident".to_owned(),
                "step" => "INSERT INTO step SELECT 99, incident, state, planned, started, finished, attempts, answer, plan FROM step LIMIT 1".to_owned(),
                "health" => "INSERT INTO health SELECT 99, incident, at, state, answer FROM health".to_owned(),
                "sealed" => "UPDATE sealed SET key = body, body = key".to_owned(),
                _ => "INSERT INTO audit SELECT seq + 10, at, action, incident, subject, row, note, mac FROM audit WHERE seq = 10".to_owned(),
            },
        ];
        for change in changes.chain(more) {
            let desk = Desk::new();
            desk.kek();
            for file in ["ledger.sqlite", "ledger.key"] {
                let from = model.path().with_file_name(file);
                fs::copy(from, desk.path().with_file_name(file)).unwrap();
            }
            let raw = desk.raw();
            raw.pragma_update(None, "foreign_keys", false).unwrap();
            let count = raw.execute(&change, []).unwrap();
            assert!(count > 0, "{change} changes nothing");
            drop(raw);
            let before = fs::read(desk.path()).unwrap();
            match desk.try_open() {
                Err(Error::Tampered { .. }) => {}
                other => panic!("{change}: {:?}", other.map(|_| ()).err()),
            }
            assert!(matches!(desk.look().verify(), Err(Error::Tampered { .. })));
            assert_eq!(fs::read(desk.path()).unwrap(), before, "nothing is written");
            tried += 1;
        }
    }
    assert!(tried > 35, "{tried}");
}

#[test]
fn a_tail_that_is_cut_off_shows_at_once_or_against_a_record() {
    let desk = Desk::new();
    let ledger = desk.open();
    let id = ledger.begin(&leak(1), at(1)).unwrap().incident;
    let early = ledger.head().unwrap();
    ledger.check(id, CheckState::Alive, "200", at(2)).unwrap();
    let late = ledger.head().unwrap();
    drop(ledger);
    let raw = desk.raw();
    raw.execute("DELETE FROM audit WHERE seq = 4", []).unwrap();
    raw.execute("DELETE FROM health", []).unwrap();
    match desk.try_open() {
        Err(Error::Tampered { row, what, .. }) => {
            assert_eq!(row, 3);
            assert!(what.contains("row 4"), "{what}");
        }
        other => panic!("{:?}", other.err()),
    }
    // With care: the note of the end too. Then a record alone knows.
    raw.execute("UPDATE meta SET value = ?1 WHERE name = 'head'", [&early])
        .unwrap();
    let ledger = desk.open();
    ledger.verify_head(&early).unwrap();
    assert!(matches!(
        ledger.verify_head(&late),
        Err(Error::Tampered { row: 4, .. })
    ));
    let other = format!("2:{}", "0".repeat(64));
    assert!(matches!(
        ledger.verify_head(&other),
        Err(Error::Tampered { row: 2, .. })
    ));
    for text in ["", "2", "2:", "x:00", "-1:00", &early[..20]] {
        assert!(matches!(ledger.verify_head(text), Err(Error::Order { .. })));
    }
}

#[test]
fn a_full_disk_leaves_nothing_half_written() {
    let desk = Desk::new();
    let ledger = desk.open();
    let id = ledger.begin(&leak(1), at(1)).unwrap().incident;
    ledger.claim(id, "run 1", at(2)).unwrap();
    let pages: i64 = ledger
        .conn
        .pragma_query_value(None, "page_count", |row| row.get(0))
        .unwrap();
    ledger
        .conn
        .query_row(
            &format!("PRAGMA max_page_count = {}", pages + 3),
            [],
            |_| Ok(()),
        )
        .unwrap();
    let mut big = revoke();
    big.request = "x".repeat(3_000);
    let mut planned = 0;
    let error = loop {
        match ledger.plan(id, &[big.clone(), big.clone()], at(3)) {
            Ok(_) => planned += 2,
            Err(error) => break error,
        }
        assert!(planned < 100, "there is no end to the disk");
    };
    assert!(matches!(error, Error::Full { .. }), "{error}");
    assert!(error.to_string().contains("no room left"), "{error}");
    assert_eq!(ledger.steps(id).unwrap().len(), planned);
    ledger.verify().unwrap();
    // With room again it goes on where it was.
    ledger
        .conn
        .query_row("PRAGMA max_page_count = 100000", [], |_| Ok(()))
        .unwrap();
    ledger.plan(id, &[big], at(4)).unwrap();
    assert_eq!(ledger.steps(id).unwrap().len(), planned + 1);
    ledger.verify().unwrap();
}

#[test]
fn a_newer_ledger_and_other_files_stay_as_they_are() {
    let desk = Desk::new();
    drop(full(&desk));
    let raw = desk.raw();
    raw.pragma_update(None, "user_version", 99).unwrap();
    drop(raw);
    let before = fs::read(desk.path()).unwrap();
    for result in [desk.try_open(), Ledger::look(&desk.path(), &desk.kek())] {
        assert!(matches!(
            result,
            Err(Error::Newer {
                found: 99,
                known: 2,
                ..
            })
        ));
    }
    assert_eq!(fs::read(desk.path()).unwrap(), before);
    // The same where the version is in the log of writes alone.
    let raw = desk.raw();
    raw.set_db_config(
        rusqlite::config::DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE,
        true,
    )
    .unwrap();
    raw.pragma_update(None, "user_version", 1).unwrap();
    raw.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
        .unwrap();
    raw.pragma_update(None, "user_version", 98).unwrap();
    drop(raw);
    let before = fs::read(desk.path()).unwrap();
    assert!(matches!(
        desk.try_open(),
        Err(Error::Newer { found: 98, .. })
    ));
    assert_eq!(fs::read(desk.path()).unwrap(), before);

    let other = Desk::new();
    other.kek();
    let raw = other.raw();
    raw.execute_batch(
        "PRAGMA application_id = 7; CREATE TABLE theirs (x); INSERT INTO theirs VALUES (1)",
    )
    .unwrap();
    drop(raw);
    let before = fs::read(other.path()).unwrap();
    assert!(matches!(other.try_open(), Err(Error::Foreign { .. })));
    assert_eq!(fs::read(other.path()).unwrap(), before);
    // One without an id of its own.
    let raw = other.raw();
    raw.execute_batch("PRAGMA application_id = 0").unwrap();
    drop(raw);
    assert!(matches!(other.try_open(), Err(Error::Foreign { .. })));
}

#[test]
fn damage_is_told_and_nothing_panics() {
    let desk = Desk::new();
    drop(full(&desk));
    let whole = fs::read(desk.path()).unwrap();
    fs::write(
        desk.path(),
        b"this is a text, and long enough that it could be a database",
    )
    .unwrap();
    assert!(matches!(desk.try_open(), Err(Error::Damaged { .. })));
    for length in [1, 50, 99, 100, 4096, whole.len() / 2] {
        fs::write(desk.path(), &whole[..length]).unwrap();
        assert!(desk.try_open().is_err(), "{length}");
        assert_eq!(fs::read(desk.path()).unwrap().len(), length);
    }
    // A byte of each piece.
    for at in (100..whole.len()).step_by(997) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x55;
        fs::write(desk.path(), &bytes).unwrap();
        match desk.try_open().and_then(|ledger| {
            ledger.incidents()?;
            Ok(ledger)
        }) {
            // Between the rows, where nothing is.
            Ok(ledger) => assert_eq!(ledger.incidents().unwrap().len(), 1),
            Err(Error::Damaged { .. } | Error::Tampered { .. } | Error::Key(_)) => {}
            Err(other) => panic!("{at}: {other}"),
        }
    }
}

#[test]
fn a_wrong_or_missing_key_is_told() {
    let desk = Desk::new();
    drop(full(&desk));
    let other = Kek::of_text(
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        "KEYSWEEP_LEDGER_KEY",
    )
    .unwrap();
    for result in [
        Ledger::open(&desk.path(), &other, at(1)),
        Ledger::look(&desk.path(), &other),
    ] {
        match result {
            Err(Error::Key(why)) => {
                assert!(
                    why.contains("another key than KEYSWEEP_LEDGER_KEY"),
                    "{why}"
                );
            }
            other => panic!("{:?}", other.err()),
        }
    }
}

#[test]
fn a_migration_is_whole_or_not_there() {
    let desk = Desk::new();
    drop(full(&desk));
    let conn = schema::open(&desk.path(), true).unwrap();
    let version = || -> i64 {
        conn.pragma_query_value(None, "user_version", |row| row.get(0))
            .unwrap()
    };
    let next = [
        schema::MIGRATIONS[0],
        schema::MIGRATIONS[1],
        "CREATE TABLE later (x TEXT) STRICT; INSERT INTO later VALUES ('a')",
        "CREATE TABLE last (x TEXT) STRICT; INSERT INTO nowhere VALUES (1)",
    ];
    let told = RefCell::new(Vec::new());
    let also = |_: &Transaction<'_>, version: i64| {
        told.borrow_mut().push(version);
        Ok(())
    };
    let failed = schema::migrate(&conn, &desk.path(), &next, also);
    assert!(failed.is_err());
    assert_eq!(version(), 3, "the third is there, the fourth is not");
    assert_eq!(*told.borrow(), [3]);
    let tables: i64 = conn
        .query_row(
            "SELECT count(*) FROM sqlite_schema WHERE name IN ('later', 'last')",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(tables, 1);
    schema::migrate(&conn, &desk.path(), &next[..3], also).unwrap();
    assert_eq!(version(), 3);
}
