//! PostgreSQL: a real server, and servers that cheat.

use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use keysweep::model::{ConfirmedLeak, Doubt, Finding, Level, Verification};
use keysweep::provider::{Failure, Needed, Revocation, Revoke};

use super::database::{
    HOST, Heard, Played, Way, active, denied, dies, holds, leak, object, owner, proven, registry,
    strangers_are_told_why, tells_nothing, unknown, verify, word,
};
use super::server::Server;

/// A real server with a superuser for the tests.
struct Postgres(Server);

impl Postgres {
    fn start() -> Self {
        let it = Self(Server::start("postgres", &[]));
        it.sql(&format!(
            "CREATE ROLE keeper LOGIN SUPERUSER PASSWORD '{}'",
            keeper()
        ));
        it
    }

    fn sql(&self, text: &str) -> String {
        self.0.script("sql", &[text])
    }

    fn port(&self) -> String {
        self.0.file("port")
    }

    fn url(&self, user: &str, password: &str) -> String {
        format!(
            "postgresql://{user}:{password}@{HOST}:{}/postgres",
            self.port()
        )
    }

    fn leak(&self, user: &str, password: &str) -> Finding {
        leak(&self.url(user, password))
    }

    /// A session of a role that stays open, by PostgreSQL's own client.
    fn session(&self, user: &str, password: &str) -> Child {
        let child = Command::new("psql")
            .env("PGPASSWORD", password)
            .args(["--no-psqlrc", "--host", "127.0.0.1", "--port", &self.port()])
            .args(["--username", user, "--dbname", "postgres"])
            .args(["--command", "SELECT pg_sleep(300)"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let count = format!("SELECT count(*) FROM pg_stat_activity WHERE usename = '{user}'");
        for _ in 0..100 {
            if self.sql(&count) == "1" {
                return child;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("no session of {user}")
    }
}

fn keeper() -> String {
    word(900)
}

fn revoker(run: impl FnOnce(&dyn Revoke)) {
    let registry = registry();
    run(&*registry.revoker("database-url-postgres").unwrap());
}

#[test]
#[ignore = "needs PostgreSQL; run by ./test.sh"]
fn a_login_that_works_is_active_with_whose_it_is() {
    let server = Postgres::start();
    let (plain, mighty) = (word(1), word(2));
    server.sql(&format!(
        "CREATE ROLE app LOGIN CREATEDB PASSWORD '{plain}' VALID UNTIL '2999-01-01 00:00:00+00'"
    ));
    server.sql(&format!(
        "CREATE ROLE boss LOGIN CREATEROLE PASSWORD '{mighty}'"
    ));
    let net = server.0.net();

    let said = verify(&net, &server.leak("app", &plain));
    let identity = active(&said);
    assert_eq!(identity.owner.as_deref(), Some("app"));
    assert_eq!(identity.account, Some(format!("{HOST}:{}", server.port())));
    assert_eq!(identity.level, Some(Level::Custom));
    assert_eq!(identity.scopes, ["CREATEDB"]);
    assert!(
        identity
            .expires
            .as_deref()
            .is_some_and(|e| e.starts_with("2999-01-01")),
        "{identity:?}"
    );

    let said = verify(&net, &server.leak("boss", &mighty));
    assert_eq!(active(&said).level, Some(Level::Admin));
    let said = verify(&net, &server.leak("keeper", &keeper()));
    assert_eq!(active(&said).level, Some(Level::Admin));
    assert!(active(&said).scopes.contains(&"SUPERUSER".to_owned()));

    // A role that acts as another one is still the one that logs in.
    server.sql("CREATE ROLE shared");
    server.sql("GRANT shared TO app");
    server.sql("ALTER ROLE app SET role TO shared");
    let said = verify(&net, &server.leak("app", &plain));
    assert_eq!(active(&said).owner.as_deref(), Some("app"));
}

#[test]
#[ignore = "needs PostgreSQL; run by ./test.sh"]
fn a_password_that_is_wrong_rotated_or_switched_off_is_inactive() {
    let server = Postgres::start();
    let (old, new) = (word(3), word(4));
    server.sql(&format!("CREATE ROLE app LOGIN PASSWORD '{old}'"));
    let net = server.0.net();
    let key = server.leak("app", &old);
    active(&verify(&net, &key));
    let inactive = |key: &Finding, why: &str| {
        let said = verify(&net, key);
        assert!(
            matches!(&said, Verification::Inactive(w) if w.contains(why)),
            "{said:?}"
        );
    };

    inactive(&server.leak("app", &new), "28P01");
    inactive(&server.leak("stranger", &old), "28P01");
    server.sql(&format!("ALTER ROLE app PASSWORD '{new}'"));
    inactive(&key, "28P01");
    active(&verify(&net, &server.leak("app", &new)));
    server.sql("ALTER ROLE app NOLOGIN");
    inactive(&server.leak("app", &new), "28000");
    server.sql("ALTER ROLE app LOGIN VALID UNTIL '2001-01-01'");
    inactive(&server.leak("app", &new), "28P01");
}

#[test]
#[ignore = "needs PostgreSQL; run by ./test.sh"]
fn what_says_nothing_of_the_password_is_unknown() {
    let server = Postgres::start();
    let password = word(5);
    for role in ["app", "everybody", "nobody", "crowded"] {
        server.sql(&format!("CREATE ROLE {role} LOGIN PASSWORD '{password}'"));
    }
    server.sql("ALTER ROLE crowded CONNECTION LIMIT 0");
    let net = server.0.net();
    unknown(&verify(&net, &server.leak("crowded", &password)), "53300");
    // pg_hba.conf refuses the one, and lets the other in with any password.
    unknown(&verify(&net, &server.leak("nobody", &password)), "28000");
    unknown(
        &verify(&net, &server.leak("everybody", &password)),
        "asked for no password",
    );
    // Its certificate is of a CA that is not trusted, or for another name.
    unknown(
        &verify(&Way::new(), &server.leak("app", &password)),
        "ca = ",
    );
    let elsewhere = server.url("app", &password).replace(HOST, "pg.example.net");
    let other = server
        .0
        .net()
        .naming("pg.example.net", [127, 0, 0, 1].into());
    unknown(&verify(&other, &leak(&elsewhere)), "another name");
    // Not on the caller's list: nothing is even looked up.
    unknown(
        &verify(&net, &leak(&elsewhere)),
        "--allow-host pg.example.net",
    );

    let key = server.leak("app", &password);
    active(&verify(&net, &key));
    server.0.script("stop", &[]);
    unknown(&verify(&net, &key), "refused");
    server.0.script("start", &[]);
    active(&verify(&net, &server.leak("app", &password)));
}

#[test]
#[ignore = "needs PostgreSQL; run by ./test.sh"]
fn a_database_that_is_not_there_does_not_hide_that_the_login_works() {
    let server = Postgres::start();
    let password = word(6);
    server.sql(&format!("CREATE ROLE app LOGIN PASSWORD '{password}'"));
    server.sql("CREATE DATABASE closed");
    server.sql("REVOKE CONNECT ON DATABASE closed FROM PUBLIC");
    let net = server.0.net();
    let url = server.url("app", &password);
    for database in ["/missing", "/closed", ""] {
        let key = leak(
            &url.replace("/postgres", database)
                .replace("postgresql:", "postgres:"),
        );
        assert_eq!(
            active(&verify(&net, &key)).owner.as_deref(),
            Some("app"),
            "{database}"
        );
    }
    // With a wrong password the server does not get as far as the database.
    let key = leak(&server.url("app", &word(7)).replace("/postgres", "/missing"));
    assert!(matches!(verify(&net, &key), Verification::Inactive(_)));
}

#[test]
#[ignore = "needs PostgreSQL; run by ./test.sh"]
fn the_older_ways_to_log_in_are_gone_along_with_in_tls() {
    let server = Postgres::start();
    let password = word(8);
    server.sql(&format!(
        "CREATE ROLE clear_text LOGIN PASSWORD '{password}'"
    ));
    server.sql(&format!(
        "SET password_encryption = 'md5'; CREATE ROLE old_hash LOGIN PASSWORD '{password}'"
    ));
    // A name and a password that a URL must escape.
    server.sql(&format!(
        "CREATE ROLE \"a@b/c\" LOGIN PASSWORD 'x/{password}@%'"
    ));
    let net = server.0.net();
    for role in ["clear_text", "old_hash"] {
        assert_eq!(
            active(&verify(&net, &server.leak(role, &password)))
                .owner
                .as_deref(),
            Some(role)
        );
        let said = verify(&net, &server.leak(role, &word(9)));
        assert!(
            matches!(said, Verification::Inactive(_)),
            "{role}: {said:?}"
        );
    }
    let escaped = server.leak("a%40b%2Fc", &format!("x%2F{password}%40%25"));
    assert_eq!(
        active(&verify(&net, &escaped)).owner.as_deref(),
        Some("a@b/c")
    );
}

#[test]
#[ignore = "needs PostgreSQL; run by ./test.sh"]
fn without_tls_scram_alone_is_done() {
    let server = Postgres(Server::start("postgres", &["plain"]));
    let password = word(10);
    server.sql(&format!("CREATE ROLE app LOGIN PASSWORD '{password}'"));
    server.sql(&format!(
        "CREATE ROLE clear_text LOGIN PASSWORD '{password}'"
    ));
    server.sql(&format!(
        "SET password_encryption = 'md5'; CREATE ROLE old_hash LOGIN PASSWORD '{password}'"
    ));
    let net = server.0.net();
    active(&verify(&net, &server.leak("app", &password)));
    let wrong = verify(&net, &server.leak("app", &word(11)));
    assert!(matches!(wrong, Verification::Inactive(_)), "{wrong:?}");
    unknown(
        &verify(&net, &server.leak("clear_text", &password)),
        "clear text",
    );
    unknown(&verify(&net, &server.leak("old_hash", &password)), "MD5");
}

#[test]
#[ignore = "needs PostgreSQL; run by ./test.sh"]
fn a_revocation_ends_login_and_sessions_of_this_role_alone() {
    let server = Postgres::start();
    let (password, other) = (word(12), word(13));
    // Names that would do harm if they were not quoted.
    let role = "app\"; DROP ROLE neighbour; --";
    server.sql(&format!(
        "CREATE ROLE \"{}\" LOGIN PASSWORD '{password}'",
        role.replace('"', "\"\"")
    ));
    server.sql(&format!("CREATE ROLE neighbour LOGIN PASSWORD '{other}'"));
    server.sql(&format!("CREATE ROLE app LOGIN PASSWORD '{other}'"));
    let net = server.0.net();
    let written = "app%22%3B%20DROP%20ROLE%20neighbour%3B%20--";
    let key = proven(&net, server.leak(written, &password));
    let neighbour = server.leak("neighbour", &other);
    let mut sessions = [
        server.session(role, &password),
        server.session("neighbour", &other),
    ];
    let leak = ConfirmedLeak::new(&key).unwrap();
    let keeper = owner("keeper", &keeper());

    revoker(|it| {
        let terms = it.terms(leak.credential());
        assert_eq!(terms.stages.len(), 1);
        assert!(terms.stages[0].reversible && terms.stages[0].kills);
        assert!(matches!(&terms.needed, Needed::Owner { name, .. } if name == "postgres"));
        let shown = it.preview(leak.credential(), &keeper, 0).unwrap();
        assert!(
            shown.contains("NOLOGIN") && !shown.contains(&password),
            "{shown}"
        );

        let of = Revocation {
            net: &net,
            leak: &leak,
            authority: &keeper,
        };
        dies(it, &of, role, "1 sessions");
    });

    // The key is dead, and so is the session that it had opened.
    let said = verify(&net, &key);
    assert!(
        matches!(&said, Verification::Inactive(w) if w.contains("28000")),
        "{said:?}"
    );
    assert!(!sessions[0].wait().unwrap().success());
    // The neighbours live.
    active(&verify(&net, &neighbour));
    active(&verify(&net, &server.leak("app", &other)));
    assert!(
        sessions[1].try_wait().unwrap().is_none(),
        "a neighbour's session ended"
    );
    sessions[1].kill().unwrap();
    sessions[1].wait().unwrap();
}

#[test]
#[ignore = "needs PostgreSQL; run by ./test.sh"]
fn who_may_not_end_a_role_ends_nothing() {
    let server = Postgres::start();
    let password = word(14);
    for role in ["app", "weak"] {
        server.sql(&format!("CREATE ROLE {role} LOGIN PASSWORD '{password}'"));
    }
    server.sql(&format!(
        "CREATE ROLE signaller LOGIN PASSWORD '{password}' IN ROLE pg_signal_backend"
    ));
    let net = server.0.net();
    let key = proven(&net, server.leak("app", &password));
    let leak = ConfirmedLeak::new(&key).unwrap();
    let role = object("app");
    let right = owner("keeper", &keeper());
    revoker(|it| {
        let of = Revocation {
            net: &net,
            leak: &leak,
            authority: &right,
        };
        let whys = ["28P01", "pg_signal_backend", "KEYSWEEP_POSTGRES_USER"];
        strangers_are_told_why(it, &of, &password, whys);
        // It may end sessions, but not change the role.
        let signaller = owner("signaller", &password);
        let of_signaller = Revocation {
            authority: &signaller,
            ..of
        };
        it.find(&of_signaller).unwrap();
        denied("42501", it.run(&of_signaller, &role, 0));
        assert!(matches!(it.run(&of, &object("missing"), 0), Ok(d) if d.was_gone));

        active(&verify(&net, &key));
        server.sql("DROP ROLE app");
        assert!(matches!(it.find(&of), Err(Failure::Object(_))));
        server.0.script("stop", &[]);
        tells_nothing(it, &of, &role);
    });
}

/// A message of the server.
fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = (body.len() as u32 + 4).to_be_bytes();
    [&[tag][..], &length, body].concat()
}

/// An authentication message.
fn wants(code: u32, rest: &[u8]) -> Vec<u8> {
    message(b'R', &[&code.to_be_bytes(), rest].concat())
}

fn error(code: &str, routine: &str) -> Vec<u8> {
    message(
        b'E',
        format!("SFATAL\0C{code}\0Msaid\0R{routine}\0\0").as_bytes(),
    )
}

/// Reads SSLRequest, says no, and reads the start.
fn begin(heard: &mut Heard) {
    assert_eq!(heard.take(8)[4..], 80_877_103_u32.to_be_bytes());
    heard.stream.write_all(b"N").unwrap();
    let length = heard.take(4);
    let length = u32::from_be_bytes(length.try_into().unwrap()) as usize;
    heard.take(length - 4);
}

/// What is said of a server that plays this, and what it heard.
fn played(part: impl FnOnce(&mut Heard) + Send + 'static) -> (Verification, Vec<u8>, String) {
    let password = word(20);
    let server = Played::new(part);
    let key = leak(&format!(
        "postgres://app:{password}@{HOST}:{}/orders",
        server.port
    ));
    let said = verify(&Way::new().patient(Duration::from_millis(400)), &key);
    (said, server.heard(), password)
}

#[test]
fn no_password_goes_out_without_tls_whatever_the_server_wants() {
    for (code, rest, why) in [
        (3_u32, &b""[..], "clear text"),
        (5, b"salt", "MD5"),
        (10, b"PLAIN\0\0", "no SCRAM-SHA-256"),
        (7, b"", "another proof"),
    ] {
        let (said, heard, password) = played(move |heard| {
            begin(heard);
            heard.stream.write_all(&wants(code, rest)).unwrap();
        });
        unknown(&said, why);
        assert!(!holds(&heard, &password), "{why}: the password was sent");
        assert!(!holds(&heard, "md5"), "{why}: a hash was sent");
        assert!(holds(&heard, "keysweep"), "it did not get that far");
    }
}

#[test]
fn a_certificate_that_nobody_trusts_gets_no_password() {
    let (said, heard, password) = played(|heard| {
        let made = rcgen::generate_simple_self_signed([HOST.to_owned()]).unwrap();
        let key =
            rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let config = rustls::ServerConfig::builder_with_provider(std::sync::Arc::new(
            rustls::crypto::ring::default_provider(),
        ))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
        heard.take(8);
        heard.stream.write_all(b"S").unwrap();
        let mut tls = rustls::ServerConnection::new(std::sync::Arc::new(config)).unwrap();
        while tls.is_handshaking() && tls.complete_io(&mut heard.stream).is_ok() {}
        assert!(tls.is_handshaking(), "the certificate was taken");
    });
    unknown(&said, "not trusted");
    assert!(!holds(&heard, &password));
}

#[test]
fn a_server_that_does_not_prove_itself_proves_nothing() {
    // Lets in without a question.
    let (said, ..) = played(|heard| {
        begin(heard);
        heard.stream.write_all(&wants(0, b"")).unwrap();
        heard.stream.write_all(&message(b'Z', b"I")).unwrap();
    });
    unknown(&said, "asked for no password");
    // Takes any proof, without having one of its own.
    for ending in [
        wants(12, b"v=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),
        Vec::new(),
    ] {
        let (said, heard, password) = played(move |heard| {
            begin(heard);
            heard
                .stream
                .write_all(&wants(10, b"SCRAM-SHA-256\0\0"))
                .unwrap();
            let first = String::from_utf8_lossy(&heard.some()).into_owned();
            let nonce = first.split("r=").nth(1).unwrap();
            let said = format!("r={nonce}abc,s=c2FsdHNhbHQ=,i=4096");
            heard.stream.write_all(&wants(11, said.as_bytes())).unwrap();
            heard.some();
            let end = [ending, wants(0, b""), message(b'Z', b"I")].concat();
            heard.stream.write_all(&end).unwrap();
        });
        assert!(
            matches!(said, Verification::Unknown(Doubt::Answer(_))),
            "{said:?}"
        );
        assert!(holds(&heard, "p="), "it did not get that far");
        assert!(!holds(&heard, &password));
    }
    // Refuses what it has not asked for.
    for (code, routine) in [
        ("28P01", "auth_failed"),
        ("28000", "InitializeSessionUserId"),
        ("3D000", "InitPostgres"),
        ("42501", "CheckMyDatabase"),
        ("53300", "ProcArrayAdd"),
        ("57P03", "ProcessStartupPacket"),
        ("", ""),
    ] {
        let (said, ..) = played(move |heard| {
            begin(heard);
            heard.stream.write_all(&error(code, routine)).unwrap();
        });
        unknown(&said, code);
    }
}

#[test]
fn what_is_no_postgresql_is_unknown_and_takes_neither_time_nor_memory() {
    type Part = fn(&mut Heard);
    let parts: [(&str, Part); 9] = [
        ("closed", |_| {}),
        ("closed", begin),
        ("does not speak", |heard| {
            heard
                .stream
                .write_all(b"HTTP/1.1 302 Found\r\n\r\n")
                .unwrap();
        }),
        ("no answer in time", |heard| {
            heard.wait(Duration::from_secs(5));
        }),
        ("no answer in time", |heard| {
            begin(heard);
            heard.wait(Duration::from_secs(5));
        }),
        ("too long", |heard| {
            begin(heard);
            heard
                .stream
                .write_all(&[b'R', 0x7f, 0xff, 0xff, 0xff])
                .unwrap();
        }),
        ("no message", |heard| {
            begin(heard);
            heard.stream.write_all(&[b'R', 0, 0, 0, 0]).unwrap();
        }),
        ("no message", |heard| {
            begin(heard);
            heard
                .stream
                .write_all(&message(b'D', b"\0\x01\0\0\0\x01x"))
                .unwrap();
        }),
        // Notices without end.
        ("", |heard| {
            begin(heard);
            let notice = message(b'N', &[&b"M"[..], &vec![b'x'; 60_000], b"\0\0"].concat());
            while heard.stream.write_all(&notice).is_ok() {}
        }),
    ];
    for (index, (why, part)) in parts.into_iter().enumerate() {
        let (said, heard, password) = played(part);
        unknown(&said, why);
        assert!(!holds(&heard, &password), "{index}");
    }
}

#[test]
fn a_url_that_names_no_one_server_is_not_asked() {
    let password = word(21);
    for (place, why) in [
        ("pg1.example.org,pg2.example.org:5433/app", "several hosts"),
        ("/app?host=/var/run/postgresql", "its host was not found"),
        ("${PGHOST}/app", "its host was not found"),
    ] {
        let key = leak(&format!("postgresql://app:{password}@{place}"));
        unknown(&verify(&Way::new(), &key), why);
    }
    let key = leak(&format!(
        "postgresql://app:{password}@[::ffff:10.0.0.1]:5433/app"
    ));
    unknown(&verify(&Way::new(), &key), "--allow-host ::ffff:10.0.0.1");
}
