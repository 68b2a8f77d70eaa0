//! Redis: a real server, and servers that cheat.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, TcpStream, UdpSocket};
use std::time::Duration;

use keysweep::model::{ConfirmedLeak, Finding, Level, Verification};
use keysweep::provider::{Failure, Needed, Revocation, Revoke};

use super::database::{
    HOST, Heard, Played, Way, active, denied, dies, holds, leak, object, owner, proven, registry,
    strangers_are_told_why, tells_nothing, unknown, verify, word,
};
use super::server::Server;

struct Redis(Server);

impl Redis {
    fn start() -> Self {
        Self(Server::start("redis", &[]))
    }

    fn command(&self, words: &[&str]) -> String {
        self.0.script("command", words)
    }

    /// Makes or changes a user.
    fn user(&self, name: &str, rules: &[&str]) {
        let said = self.command(&[&["acl", "setuser", name], rules].concat());
        assert_eq!(said, "OK");
    }

    fn url(&self, user: &str, password: &str) -> String {
        format!(
            "rediss://{user}:{password}@{HOST}:{}/0",
            self.0.file("port")
        )
    }

    fn leak(&self, user: &str, password: &str) -> Finding {
        leak(&self.url(user, password))
    }

    /// A connection of a user that stays open.
    fn session(&self, user: &str, password: &str) -> TcpStream {
        let mut stream = TcpStream::connect(format!("127.0.0.1:{}", self.0.file("plain"))).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        write!(stream, "AUTH {user} {password}\r\n").unwrap();
        assert_eq!(line(&stream), "+OK\r\n");
        stream
    }
}

fn line(stream: &TcpStream) -> String {
    let mut text = String::new();
    BufReader::new(stream).read_line(&mut text).unwrap();
    text
}

fn revoker(run: impl FnOnce(&dyn Revoke)) {
    let registry = registry();
    run(&*registry.revoker("database-url-redis").unwrap());
}

#[track_caller]
fn inactive(said: &Verification) {
    assert!(
        matches!(said, Verification::Inactive(w) if w.contains("WRONGPASS")),
        "{said:?}"
    );
}

#[test]
#[ignore = "needs Redis; run by ./test.sh"]
fn a_login_that_works_is_active_with_whose_it_is() {
    let server = Redis::start();
    let password = word(31);
    let secret = format!(">{password}");
    for (user, rules, level) in [
        ("boss", &["+@all"][..], Level::Admin),
        ("worker", &["+@all", "-@admin", "-@dangerous"], Level::Write),
        (
            "reader",
            &["+@read", "+@connection", "+acl|whoami", "+acl|getuser"],
            Level::Custom,
        ),
    ] {
        server.user(user, &[&["on", &secret, "~*"], rules].concat());
        let said = verify(&server.0.net(), &server.leak(user, &password));
        let identity = active(&said);
        assert_eq!(identity.owner.as_deref(), Some(user));
        assert_eq!(
            identity.account,
            Some(format!("{HOST}:{}", server.0.file("port")))
        );
        // ACL GETUSER is among the dangerous commands.
        assert_eq!(
            identity.level,
            (user != "worker").then_some(level),
            "{user}"
        );
        assert_eq!(identity.scopes.is_empty(), user == "worker");
    }
    // Who may not even ask for a name has logged in all the same.
    server.user("mute", &["on", &secret, "+get"]);
    let said = verify(&server.0.net(), &server.leak("mute", &password));
    assert_eq!(active(&said).owner.as_deref(), Some("mute"));
    // Without a name it is the default user.
    server.user("default", &["resetpass", &secret]);
    for user in ["", "default"] {
        let said = verify(&server.0.net(), &server.leak(user, &password));
        assert_eq!(active(&said).owner.as_deref(), Some("default"));
        assert_eq!(active(&said).level, Some(Level::Admin));
    }
    // What a URL must escape.
    server.user("a@b", &["on", &format!(">x/{password}%"), "+@all"]);
    let said = verify(
        &server.0.net(),
        &server.leak("a%40b", &format!("x%2F{password}%25")),
    );
    assert_eq!(active(&said).owner.as_deref(), Some("a@b"));
}

#[test]
#[ignore = "needs Redis; run by ./test.sh"]
fn a_password_that_is_wrong_rotated_or_switched_off_is_inactive() {
    let server = Redis::start();
    let (old, new) = (word(32), word(33));
    server.user("app", &["on", &format!(">{old}"), "+@all"]);
    let net = server.0.net();
    active(&verify(&net, &server.leak("app", &old)));
    inactive(&verify(&net, &server.leak("app", &new)));
    inactive(&verify(&net, &server.leak("stranger", &old)));
    inactive(&verify(&net, &server.leak("", &old)));
    server.user("app", &["resetpass", &format!(">{new}")]);
    inactive(&verify(&net, &server.leak("app", &old)));
    active(&verify(&net, &server.leak("app", &new)));
    server.user("app", &["off"]);
    inactive(&verify(&net, &server.leak("app", &new)));
}

#[test]
#[ignore = "needs Redis; run by ./test.sh"]
fn what_says_nothing_of_the_password_is_unknown() {
    let server = Redis::start();
    let password = word(34);
    server.user("app", &["on", &format!(">{password}"), "+@all"]);
    let net = server.0.net();
    let key = server.leak("app", &password);
    // A user, and a server, that take any password.
    server.user("open", &["on", "nopass", "+@all"]);
    unknown(
        &verify(&net, &server.leak("open", &password)),
        "any password",
    );
    server.user("default", &["nopass"]);
    unknown(
        &verify(&net, &server.leak("", &password)),
        "asks for no password",
    );
    unknown(
        &verify(&net, &server.leak("default", &password)),
        "asks for no password",
    );
    // Its certificate is of a CA that is not trusted, or for another name.
    unknown(&verify(&Way::new(), &key), "ca = ");
    let elsewhere = server
        .url("app", &password)
        .replace(HOST, "cache.example.net");
    let other = server
        .0
        .net()
        .naming("cache.example.net", [127, 0, 0, 1].into());
    unknown(&verify(&other, &leak(&elsewhere)), "another name");
    unknown(
        &verify(&net, &leak(&elsewhere)),
        "--allow-host cache.example.net",
    );

    active(&verify(&net, &key));
    server.0.script("stop", &[]);
    unknown(&verify(&net, &key), "refused");
}

/// The machine's address off loopback; nothing is sent to find it.
fn own_address() -> IpAddr {
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    socket.connect("192.0.2.1:9").unwrap();
    socket.local_addr().unwrap().ip()
}

#[test]
#[ignore = "needs Redis; run by ./test.sh"]
fn without_tls_a_password_goes_to_this_machine_alone() {
    let server = Redis::start();
    let password = word(35);
    server.user("app", &["on", &format!(">{password}"), "+@all"]);
    let plain = server.0.file("plain");
    let net = server.0.net().naming("cache.example.net", own_address());
    let at =
        |scheme: &str, host: &str| leak(&format!("{scheme}://app:{password}@{host}:{plain}/0"));
    active(&verify(&net, &at("redis", "127.0.0.1")));
    active(&verify(&net, &at("valkey", "localhost")));
    assert!(!own_address().is_loopback());
    unknown(
        &verify(&net, &at("redis", "cache.example.net")),
        "rediss://",
    );
    // The server is there, and has had no login from that address.
    let answers = TcpStream::connect((own_address(), plain.parse().unwrap()));
    assert!(answers.is_ok(), "it does not listen there");
    drop(answers);
    assert_eq!(server.command(&["acl", "log"]), "");
    unknown(
        &verify(&net, &at("redis+sentinel", "localhost")),
        "no one server",
    );
}

#[test]
#[ignore = "needs Redis; run by ./test.sh"]
fn a_revocation_ends_login_and_connections_of_this_user_alone() {
    let server = Redis::start();
    let (password, other) = (word(36), word(37));
    server.user("app", &["on", &format!(">{password}"), "+@all"]);
    server.user("app2", &["on", &format!(">{other}"), "+@all"]);
    let net = server.0.net();
    let key = proven(&net, server.leak("app", &password));
    let leak = ConfirmedLeak::new(&key).unwrap();
    let keeper = owner("keeper", &server.0.file("keeper"));
    let mut gone = server.session("app", &password);
    let mut stays = server.session("app2", &other);

    revoker(|it| {
        let terms = it.terms(leak.credential());
        assert_eq!(terms.stages.len(), 1);
        assert!(terms.stages[0].reversible && terms.stages[0].kills);
        let shown = it.preview(leak.credential(), &keeper, 0).unwrap();
        assert!(
            shown.contains("SETUSER app off") && !shown.contains(&password),
            "{shown}"
        );

        let of = Revocation {
            net: &net,
            leak: &leak,
            authority: &keeper,
        };
        dies(it, &of, "app", "1 connections");
    });

    inactive(&verify(&net, &key));
    let mut rest = Vec::new();
    // A connection that was cut ends in an error or at once.
    let _ = gone.read_to_end(&mut rest);
    assert!(rest.is_empty());
    active(&verify(&net, &server.leak("app2", &other)));
    stays.write_all(b"PING\r\n").unwrap();
    assert_eq!(line(&stays), "+PONG\r\n");
}

#[test]
#[ignore = "needs Redis; run by ./test.sh"]
fn who_may_not_end_a_user_ends_nothing() {
    let server = Redis::start();
    let password = word(38);
    server.user("app", &["on", &format!(">{password}"), "+@all"]);
    server.user("weak", &["on", &format!(">{password}"), "+@all", "-@admin"]);
    let net = server.0.net();
    let key = proven(&net, server.leak("app", &password));
    let leak = ConfirmedLeak::new(&key).unwrap();
    let user = object("app");
    let right = owner("keeper", &server.0.file("keeper"));
    revoker(|it| {
        let of = Revocation {
            net: &net,
            leak: &leak,
            authority: &right,
        };
        let whys = ["WRONGPASS", "NOPERM", "KEYSWEEP_REDIS_USER"];
        strangers_are_told_why(it, &of, &password, whys);
        let weak = owner("weak", &password);
        let of_weak = Revocation {
            authority: &weak,
            ..of
        };
        denied("NOPERM", it.run(&of_weak, &user, 0));
        // A user that is not there is not made.
        assert!(matches!(it.run(&of, &object("missing"), 0), Ok(d) if d.was_gone));
        assert!(!server.command(&["acl", "list"]).contains("missing"));

        active(&verify(&net, &key));
        server.command(&["acl", "deluser", "app"]);
        assert!(matches!(it.find(&of), Err(Failure::Object(_))));
        server.0.script("stop", &[]);
        tells_nothing(it, &of, &user);
    });
}

#[test]
fn the_default_user_is_left_to_a_person() {
    let key = leak(&format!("rediss://:{}@{HOST}:6380/0", word(40)));
    revoker(|it| {
        let terms = it.terms(&key.credential);
        assert_eq!(terms.needed, Needed::Person);
        assert!(terms.stages.is_empty());
        assert!(
            terms.steps.iter().any(|s| s.contains("requirepass")),
            "{terms:?}"
        );
    });
}

/// What is said of a plain server on loopback that plays this.
fn played(part: impl FnOnce(&mut Heard) + Send + 'static) -> (Verification, Vec<u8>) {
    let server = Played::new(part);
    let key = leak(&format!(
        "redis://app:{}@localhost:{}/0",
        word(41),
        server.port
    ));
    let said = verify(&Way::new().patient(Duration::from_millis(400)), &key);
    (said, server.heard())
}

#[test]
fn an_answer_that_is_not_documented_is_unknown() {
    for (answer, why) in [
        (
            "-LOADING Redis is loading the dataset in memory\r\n",
            "LOADING",
        ),
        ("-NOAUTH Authentication required.\r\n", "NOAUTH"),
        ("-NOPERM no\r\n", "NOPERM"),
        ("-DENIED Redis is running in protected mode\r\n", "DENIED"),
        ("-MASTERDOWN Link with MASTER is down\r\n", "MASTERDOWN"),
        (
            "-ERR max number of clients reached\r\n",
            "too many connections",
        ),
        ("-ERR something else\r\n", "proves nothing"),
        ("HTTP/1.1 401 Unauthorized\r\n\r\n", "protocol"),
        ("SSH-2.0-OpenSSH_9.2\r\n", "protocol"),
        (":1\r\n", "protocol"),
        ("+QUEUED\r\n", "protocol"),
        ("$-1\r\n", "protocol"),
        ("$99999999999\r\n", "too long"),
        ("$-7\r\n", "protocol"),
        ("*99999999\r\n", "protocol"),
        (
            "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n",
            "protocol",
        ),
        ("-WRONGPASS no end of the line", "closed"),
        ("", "closed"),
    ] {
        let (said, heard) = played(move |heard| {
            heard.some();
            heard.stream.write_all(answer.as_bytes()).unwrap();
        });
        unknown(&said, why);
        assert!(holds(&heard, "AUTH"), "it did not get that far");
    }
    let (said, _) = played(|heard| heard.wait(Duration::from_secs(5)));
    unknown(&said, "no answer in time");
    let (said, _) = played(|heard| {
        heard.some();
        while heard.stream.write_all(&[b'+'; 4096]).is_ok() {}
    });
    unknown(&said, "protocol");
}

#[test]
fn what_an_error_repeats_is_not_shown() {
    let password = word(42);
    let said = format!("-ERR unknown password {password} of app\r\n");
    let server = Played::new(move |heard| {
        heard.some();
        heard.stream.write_all(said.as_bytes()).unwrap();
    });
    let key = leak(&format!(
        "redis://app:{password}@localhost:{}/0",
        server.port
    ));
    // `verify` looks at every word.
    unknown(&verify(&Way::new(), &key), "proves nothing");
    server.heard();
}

#[test]
fn a_server_that_cannot_prove_its_name_gets_no_password() {
    let password = word(43);
    let server = Played::new(|heard| {
        heard.some();
        heard.stream.write_all(b"-ERR no TLS here\r\n").unwrap();
    });
    let key = leak(&format!(
        "rediss://app:{password}@localhost:{}/0",
        server.port
    ));
    unknown(&verify(&Way::new(), &key), "TLS");
    assert!(!holds(&server.heard(), &password));
}
