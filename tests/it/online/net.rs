//! The client: where a request may go, what is sent again, what is read of an answer.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use keysweep::net::{Client, Clock, Error, Net, Reply, Request, Settings, Text};

use crate::support::http::{Answer, Authority, Server};
use crate::support::{Tree, fake};

/// The host that requests name.
const HOST: &str = "api.example.test";

struct TestClock {
    begun: Instant,
    interrupted: AtomicBool,
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }

    fn interrupted(&self) -> bool {
        self.interrupted.load(Ordering::SeqCst)
    }
}

fn clock() -> Arc<TestClock> {
    Arc::new(TestClock {
        begun: Instant::now(),
        interrupted: AtomicBool::new(false),
    })
}

/// Settings with which no name is ever looked up outside.
fn settings() -> Settings {
    let mut settings = Settings::new(clock());
    settings.timeout = Duration::from_secs(5);
    settings.budget = Duration::from_secs(30);
    settings.lookup = Some(Arc::new(|host: &str, port: u16| {
        let host = if host == "localhost" {
            "127.0.0.1"
        } else {
            host
        };
        let ip = host.parse().map_err(io::Error::other)?;
        Ok(vec![SocketAddr::new(ip, port)])
    }));
    settings
}

/// Settings that send what is for [`HOST`] to a server.
fn to(server: &Server) -> Settings {
    let mut settings = settings();
    settings.endpoints = vec![(HOST.parse().unwrap(), server.url().parse().unwrap())];
    settings
}

fn client(settings: Settings) -> Client {
    Client::new(settings).unwrap()
}

fn request(method: &str, path: &str) -> Request {
    let url = Text::public(format!("https://{HOST}{path}"));
    let token = Text::secret(fake::github_pat(1));
    Request::new(method, url).with_header("X-Token", token)
}

fn status(outcome: Result<Reply, Error>) -> u16 {
    outcome.unwrap().status
}

fn refusal(outcome: Result<Reply, Error>) -> String {
    match outcome {
        Err(Error::Refused { why, .. }) => why,
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn a_request_arrives_as_it_was_written_at_the_callers_endpoint() {
    let server =
        Server::start(|_| Answer::json(&serde_json::json!({"a": 1})).with_header("X-Y", "z"));
    let mut settings = to(&server);
    settings.endpoints[0].1 = format!("{}/api/v3/", server.url()).parse().unwrap();
    let client = client(settings);
    let body = Text::secret("k=v");
    for method in ["POST", "PUT", "PATCH", "DELETE", "GET"] {
        let request = request(method, "/user?x=y").with_body("text/plain", body.clone());
        let reply = client.send(&request).unwrap();
        assert_eq!(reply.json().unwrap()["a"], 1);
        assert_eq!(reply.header("x-y"), Some("z"));
        let seen = server.seen().pop().unwrap();
        assert_eq!(
            (seen.method.as_str(), seen.target.as_str()),
            (method, "/api/v3/user?x=y")
        );
        assert_eq!(seen.text(), "k=v");
        assert_eq!(seen.header("X-Token"), Some(&*fake::github_pat(1)));
        let agent = seen.header("User-Agent").unwrap();
        assert!(agent.starts_with("keysweep/"), "{agent}");
    }
    assert_eq!(status(client.send(&request("DELETE", "/bare"))), 200);
    assert_eq!(status(client.send(&request("POST", "/bare"))), 200);
    assert_eq!(
        server.seen().pop().unwrap().header("Content-Length"),
        Some("0")
    );
}

#[test]
fn a_redirect_is_an_answer_and_the_credential_does_not_follow_it() {
    let other = Server::start(|_| Answer::status(200));
    let elsewhere = other.url();
    for code in [301, 302, 303, 307, 308] {
        let elsewhere = elsewhere.clone();
        let server = Server::start(move |_| {
            Answer::status(code).with_header("Location", &format!("{elsewhere}/login"))
        });
        let client = client(to(&server));
        for method in ["GET", "POST"] {
            let reply = client.send(&request(method, "/")).unwrap();
            assert_eq!(reply.status, code);
            assert!(reply.header("Location").unwrap().ends_with("/login"));
        }
        assert_eq!(server.seen().len(), 2);
    }
    assert_eq!(other.connections(), 0);
}

#[test]
fn a_user_in_the_address_and_a_port_of_its_own_are_refused() {
    let server = Server::start(|_| Answer::status(200));
    let client = client(to(&server));
    let port = server.address().port();
    for url in [
        format!("https://{HOST}@127.0.0.1:{port}/"),
        format!("https://user:word@{HOST}/"),
        format!("https://{HOST}:{port}/"),
        format!("http://127.0.0.1:{port}/x"),
        format!("https://127.0.0.1:{port}#@{HOST}/"),
        format!("https://{HOST}\\@127.0.0.1/"),
    ] {
        let outcome = client.send(&Request::new("GET", Text::secret(url.clone())));
        let error = outcome.unwrap_err();
        assert!(
            matches!(error, Error::Refused { .. } | Error::Malformed { .. }),
            "{url}: {error}"
        );
        assert!(!error.to_string().contains("word"), "{error}");
    }
    assert_eq!(server.connections(), 0);
}

#[test]
fn addresses_of_ones_own_networks_are_refused_however_they_are_written() {
    let client = client(settings());
    for host in [
        "127.0.0.1",
        "localhost",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:a00:1]",
        "169.254.169.254",
        "10.0.0.1",
        "[64:ff9b::a00:1]",
        "[fd00::1]",
    ] {
        let url = Text::public(format!("https://{host}/"));
        let why = refusal(client.send(&Request::new("POST", url)));
        assert!(why.contains("[network] private"), "{host}: {why}");
    }
    // And where a name is looked up as one.
    for address in [
        "127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "192.168.0.1",
        "fe80::1",
    ] {
        let mut settings = settings();
        settings.lookup = Some(Arc::new(move |_: &str, port: u16| {
            Ok(vec![SocketAddr::new(address.parse().unwrap(), port)])
        }));
        let client = self::client(settings);
        refusal(client.send(&request("POST", "/")));
    }
}

/// A name that is looked up as an allowed address first and as another one ever after.
#[cfg(target_os = "linux")]
#[test]
fn a_name_that_changes_between_looking_and_connecting_gains_nothing() {
    use std::sync::atomic::AtomicUsize;

    let authority = Authority::new();
    let good = Server::tls(&authority, |_| {
        Answer::status(200).with_header("Connection", "close")
    });
    let bad = TcpListener::bind(("127.0.0.2", 0)).unwrap();
    bad.set_nonblocking(true).unwrap();
    let (there, elsewhere) = (good.address(), bad.local_addr().unwrap());
    let looked = Arc::new(AtomicUsize::new(0));
    let make = |looked: &Arc<AtomicUsize>| {
        let mut settings = settings();
        settings.ca = authority.pem().into();
        settings.private = vec!["127.0.0.1/32".parse().unwrap()];
        settings.hosts = vec![HOST.parse().unwrap()];
        let looked = Arc::clone(looked);
        settings.lookup = Some(Arc::new(move |_: &str, _: u16| {
            Ok(match looked.fetch_add(1, Ordering::SeqCst) {
                0 => vec![elsewhere, there],
                _ => vec![elsewhere],
            })
        }));
        client(settings)
    };
    let client = make(&looked);
    assert_eq!(status(client.send(&request("POST", "/"))), 200);
    assert_eq!(
        looked.load(Ordering::SeqCst),
        1,
        "one look for a connection"
    );
    let why = refusal(client.send(&request("POST", "/")));
    assert!(why.contains("127.0.0.2 is loopback"), "{why}");
    refusal(client.send(&request("GET", "/")));
    // The same for connections to databases.
    looked.store(0, Ordering::SeqCst);
    let client = make(&looked);
    let stream = client.dial(HOST, there.port()).unwrap();
    assert_eq!(stream.peer_addr().unwrap(), there);
    let refused = client.dial(HOST, there.port()).unwrap_err();
    assert!(matches!(refused, Error::Refused { .. }), "{refused}");
    let knocked = bad.accept().unwrap_err();
    assert_eq!(knocked.kind(), io::ErrorKind::WouldBlock);
}

#[test]
fn a_host_of_scanned_text_is_asked_only_where_the_caller_lists_it() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut settings = settings();
    settings.hosts = vec![
        "db.example.test".parse().unwrap(),
        format!("127.0.0.1:{port}").parse().unwrap(),
    ];
    let client = client(settings);
    assert!(client.is_listed("DB.example.test") && client.is_listed("db.example.test:5432"));
    for host in [
        "evil.example",
        "db.example.test.evil.example",
        "db.example.test@evil.example",
        "db.example.test/x",
        "",
    ] {
        assert!(!client.is_listed(host), "{host}");
        let error = client.dial(host, 5432).unwrap_err();
        assert!(error.to_string().contains("--allow-host"), "{error}");
    }
    // Listed, but loopback is not.
    let error = client.dial("127.0.0.1", port).unwrap_err();
    assert!(error.to_string().contains("[network] private"), "{error}");
    listener.set_nonblocking(true).unwrap();
    assert!(listener.accept().is_err());
}

#[test]
fn what_a_scanned_tree_says_of_hosts_is_not_used_and_that_is_told() {
    let tree = Tree::new().with("a.txt", "nothing\n").with(
        "keysweep.toml",
        "[endpoints]\n\"api.github.com\" = \"https://evil.example\"\n[network]\nhosts = 1\n[authority.github]\ntoken = { env = \"X\" }\n",
    );
    tree.write(
        "deep/keysweep.toml",
        "[network]\nprivate = [\"127.0.0.0/8\"]\n",
    );
    tree.write("deep/b.txt", "nothing\n");
    let run = tree.scan(&[]);
    assert_eq!(run.code, 0, "{}{}", run.out, run.err);
    let notes = run.summary()["notes"].to_string();
    for said in [
        "keysweep.toml:1: [endpoints]",
        "keysweep.toml:3: [network]",
        "keysweep.toml:5: [authority]",
        "deep/keysweep.toml:1: [network]",
    ] {
        assert!(notes.contains(said), "{said}: {notes}");
    }
    let text = tree.run(&["scan"]);
    assert!(
        text.out.contains("counts only in your own"),
        "{}{}",
        text.out,
        text.err
    );
    // As the caller's own file it is read, and what is wrong with it told.
    let own = tree.scan(&["--config", "keysweep.toml"]);
    assert_eq!(own.code, 2);
    assert!(
        own.err.contains("keysweep.toml:4: `hosts` is"),
        "{}",
        own.err
    );
}

#[test]
fn a_read_is_sent_again_where_that_helps_and_a_change_never() {
    let answers = || [Answer::status(503), Answer::cut(), Answer::status(200)];
    let server = Server::of(answers());
    assert_eq!(status(client(to(&server)).send(&request("GET", "/"))), 200);
    assert_eq!(server.seen().len(), 3);
    let server = Server::of(answers());
    let client = client(to(&server));
    assert_eq!(status(client.send(&request("POST", "/"))), 503);
    let error = client.send(&request("POST", "/")).unwrap_err();
    assert!(
        matches!(error, Error::Unreachable { sent: true, .. }),
        "{error:?}"
    );
    assert_eq!(server.seen().len(), 2);
    // A POST that changes nothing is a read.
    let server = Server::of([Answer::status(502), Answer::status(200)]);
    let client = self::client(to(&server));
    assert_eq!(status(client.send(&request("POST", "/").reading())), 200);
    // Three times at the most, and other answers once.
    let server = Server::of([Answer::status(504)]);
    assert_eq!(
        status(self::client(to(&server)).send(&request("GET", "/"))),
        504
    );
    assert_eq!(server.seen().len(), 3);
    for code in [401, 403, 404, 500] {
        let server = Server::of([Answer::status(code)]);
        assert_eq!(
            status(self::client(to(&server)).send(&request("GET", "/"))),
            code
        );
        assert_eq!(server.seen().len(), 1, "{code}");
    }
}

#[test]
fn a_host_that_is_not_there_was_sent_nothing() {
    let server = Server::start(|_| Answer::status(200));
    let settings = to(&server);
    drop(server);
    let error = client(settings).send(&request("POST", "/")).unwrap_err();
    assert!(
        matches!(error, Error::Unreachable { sent: false, .. }),
        "{error:?}"
    );
    let error = client(self::settings())
        .send(&request("GET", "/"))
        .unwrap_err();
    assert_eq!(error.to_string(), format!("{HOST}: no such host"));
}

#[test]
fn a_host_that_asks_to_wait_is_waited_for_within_bounds() {
    let busy = |wait: &str| Answer::status(429).with_header("Retry-After", wait);
    let server = Server::of([busy("1"), Answer::status(200)]);
    assert_eq!(status(client(to(&server)).send(&request("GET", "/"))), 200);
    let seen = server.seen();
    let apart = seen[1].at - seen[0].at;
    assert!(apart >= Duration::from_millis(950), "{apart:?}");
    // A date, in the past: at once.
    let server = Server::of([busy("Wed, 21 Oct 2015 07:28:00 GMT"), Answer::status(200)]);
    assert_eq!(status(client(to(&server)).send(&request("GET", "/"))), 200);
    // Longer than there is time: the answer is what it was, and the host is left alone.
    let server = Server::of([busy("3600"), Answer::status(200)]);
    let client = client(to(&server));
    assert_eq!(status(client.send(&request("GET", "/"))), 429);
    let error = client.send(&request("GET", "/")).unwrap_err();
    assert!(matches!(error, Error::Budget { .. }), "{error:?}");
    assert_eq!(server.seen().len(), 1);
    // Longer than the request may wait: for another try, and for its turn.
    let server = Server::of([busy("30"), Answer::status(200)]);
    let mut settings = to(&server);
    settings.budget = Duration::from_secs(600);
    let client = self::client(settings);
    let mut hurried = request("GET", "/");
    hurried.patience = Some(Duration::from_secs(2));
    let begun = Instant::now();
    assert_eq!(status(client.send(&hurried)), 429);
    let error = client.send(&hurried).unwrap_err();
    assert!(matches!(error, Error::Held { .. }), "{error:?}");
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(server.seen().len(), 1);
}

#[test]
fn silence_ends_with_the_time_for_an_answer_and_an_interrupt_ends_it_at_once() {
    let server = Server::start(|_| Answer::status(200).after(Duration::from_secs(20)));
    let mut settings = to(&server);
    settings.timeout = Duration::from_millis(400);
    let client = client(settings);
    let begun = Instant::now();
    let error = client.send(&request("POST", "/")).unwrap_err();
    assert_eq!(
        error,
        Error::Timeout {
            host: HOST.to_owned()
        }
    );
    assert!(
        begun.elapsed() < Duration::from_secs(3),
        "{:?}",
        begun.elapsed()
    );

    let clock = clock();
    let mut settings = to(&server);
    settings.clock = Arc::clone(&clock) as Arc<dyn Clock>;
    let client = self::client(settings);
    let begun = Instant::now();
    thread::scope(|scope| {
        let waiting = scope.spawn(|| client.send(&request("POST", "/")));
        thread::sleep(Duration::from_millis(300));
        clock.interrupted.store(true, Ordering::SeqCst);
        let error = waiting.join().unwrap().unwrap_err();
        assert!(
            matches!(error, Error::Unreachable { sent: true, .. }),
            "{error:?}"
        );
    });
    assert!(
        begun.elapsed() < Duration::from_secs(2),
        "{:?}",
        begun.elapsed()
    );
    let error = client.send(&request("GET", "/")).unwrap_err();
    assert!(matches!(error, Error::Interrupted { .. }), "{error:?}");
    assert!(!client.pause(Duration::from_secs(9)));
}

#[test]
fn when_the_time_of_the_run_is_over_nothing_is_sent() {
    let server = Server::start(|_| Answer::status(200));
    let mut settings = to(&server);
    settings.budget = Duration::from_millis(200);
    let client = client(settings);
    assert!(client.pause(Duration::from_millis(250)));
    for method in ["GET", "POST"] {
        let error = client.send(&request(method, "/")).unwrap_err();
        assert!(matches!(error, Error::Budget { .. }), "{error:?}");
    }
    assert_eq!(server.connections(), 0);
    // What was planned has its time beside it.
    client.grant(Duration::from_secs(60));
    assert_eq!(client.send(&request("GET", "/")).unwrap().status, 200);
}

#[test]
fn answers_are_read_within_bounds_and_whole_or_not_at_all() {
    let body = |bytes: usize| Answer::status(200).with_body("text/plain", vec![b'a'; bytes]);
    let outcome = |answer: Answer| {
        let server = Server::of([answer]);
        client(to(&server)).send(&request("POST", "/"))
    };
    assert_eq!(outcome(body(1 << 20)).unwrap().body().len(), 1 << 20);
    let too_long =
        |outcome| matches!(outcome, Err(Error::TooLong { limit, .. }) if limit == 1 << 20);
    assert!(too_long(outcome(body((1 << 20) + 1))));
    assert!(too_long(outcome(body(10).endless())));
    assert!(matches!(
        outcome(body(1000).half()),
        Err(Error::Unreachable { sent: true, .. })
    ));
    assert!(outcome(body(0)).unwrap().body().is_empty());
    for raw in [
        "SSH-2.0-OpenSSH_9.2\r\n",
        "<html>captive</html>",
        "\0\u{1}\u{2}",
    ] {
        let error = outcome(Answer::raw(raw)).unwrap_err();
        assert!(
            matches!(error, Error::Unreachable { sent: true, .. }),
            "{error:?}"
        );
    }
    let wide = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "a".repeat(100_000));
    assert!(matches!(
        outcome(Answer::raw(wide)),
        Err(Error::TooLong { .. })
    ));
}

#[test]
fn a_host_is_asked_four_things_at_once_and_so_many_a_second() {
    let server = Server::start(|_| Answer::status(200).after(Duration::from_millis(60)));
    let client = client(to(&server));
    let mut quick = request("GET", "/");
    quick.per_second = Some(1000.0);
    thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| assert_eq!(status(client.send(&quick)), 200));
        }
    });
    assert_eq!(server.most_at_once(), 4);
    assert!(server.connections() <= 4, "{}", server.connections());

    let server = Server::start(|_| Answer::status(200));
    let client = self::client(to(&server));
    let mut slow = request("GET", "/");
    slow.per_second = Some(10.0);
    thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| assert_eq!(status(client.send(&slow)), 200));
        }
    });
    let seen = server.seen();
    let apart = seen[5].at - seen[0].at;
    assert!(apart >= Duration::from_millis(450), "{apart:?}");
}

#[test]
fn header_fields_cannot_smuggle_anything() {
    let server = Server::start(|_| Answer::status(200));
    let client = client(to(&server));
    let with = |name: &str, value: &str| {
        client.send(&request("POST", "/").with_header(name, Text::secret(value)))
    };
    for (name, value) in [
        ("X-A", "a\r\nX-B: word"),
        ("X-A", "a\nword"),
        ("X-A", "a\0word"),
        ("X A", "word"),
        ("Host", "evil.example"),
        ("Content-Length", "5"),
        ("Transfer-Encoding", "chunked"),
    ] {
        let error = with(name, value).unwrap_err();
        assert!(
            matches!(error, Error::Malformed { .. }),
            "{name}: {error:?}"
        );
        assert!(!error.to_string().contains("word"), "{error}");
    }
    assert_eq!(server.connections(), 0);
    // Signatures are made over the provider's own name.
    assert_eq!(status(with("Host", HOST)), 200);
    assert_eq!(server.seen()[0].header("Host"), Some(HOST));
}

#[test]
fn tls_needs_a_certificate_that_is_trusted_and_for_that_host() {
    let authority = Authority::new();
    let server = Server::tls(&authority, |_| Answer::status(200));
    let error = client(to(&server)).send(&request("GET", "/")).unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("TLS: ") && text.contains("[network] ca"),
        "{text}"
    );
    assert!(matches!(error, Error::Unreachable { sent: false, .. }));
    assert_eq!(server.connections(), 1, "not asked again");

    let mut settings = to(&server);
    settings.ca = authority.pem().into();
    let trusting = client(settings);
    for method in ["GET", "POST", "GET"] {
        assert_eq!(status(trusting.send(&request(method, "/"))), 200);
    }
    assert_eq!(
        server.connections(),
        3,
        "reads share a connection, a change has its own"
    );

    let mut settings = to(&server);
    settings.ca = authority.pem().into();
    let port = server.address().port();
    settings.endpoints[0].1 = format!("https://other.localhost:{port}").parse().unwrap();
    settings.lookup = Some(Arc::new(|_: &str, port: u16| {
        Ok(vec![SocketAddr::from(([127, 0, 0, 1], port))])
    }));
    let error = client(settings).send(&request("GET", "/")).unwrap_err();
    assert!(error.to_string().contains("TLS: "), "{error}");
    assert_eq!(server.seen().len(), 3);

    let mut settings = to(&server);
    settings.ca = b"no certificate".to_vec();
    assert!(
        Client::new(settings)
            .unwrap_err()
            .contains("BEGIN CERTIFICATE")
    );
}

/// A proxy for one connection, which leads to a server whatever it is asked for; what it was asked comes back.
fn proxy_to(server: &Server, answer: &'static str) -> (SocketAddr, Arc<Mutex<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let asked = Arc::new(Mutex::new(String::new()));
    let (told, target) = (Arc::clone(&asked), server.address());
    thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") && client.read(&mut byte).unwrap() == 1 {
            head.push(byte[0]);
        }
        told.lock()
            .unwrap()
            .push_str(&String::from_utf8(head).unwrap());
        client.write_all(answer.as_bytes()).unwrap();
        let mut server = TcpStream::connect(target).unwrap();
        let (mut back, mut forth) = (client.try_clone().unwrap(), server.try_clone().unwrap());
        thread::spawn(move || io::copy(&mut back, &mut forth));
        let _ = io::copy(&mut server, &mut client);
    });
    (address, asked)
}

#[test]
fn a_proxy_is_given_the_name_and_sees_no_credential() {
    let authority = Authority::new();
    let server = Server::tls(&authority, |_| Answer::status(200));
    let through = |proxy: SocketAddr, no_proxy: &str| {
        let mut settings = settings();
        settings.ca = authority.pem().into();
        settings.proxy = Some(format!("http://me:word@{proxy}"));
        settings.no_proxy = no_proxy.to_owned();
        client(settings).send(&request("POST", "/"))
    };
    let (proxy, asked) = proxy_to(&server, "HTTP/1.1 200 OK\r\n\r\n");
    assert_eq!(status(through(proxy, "other.example")), 200);
    let asked = asked.lock().unwrap();
    assert!(
        asked.starts_with(&format!("CONNECT {HOST}:443 ")),
        "{asked}"
    );
    assert!(asked.contains("Proxy-Authorization: Basic "), "{asked}");
    assert!(!asked.contains(&*fake::github_pat(1)));
    assert_eq!(
        server.seen()[0].header("X-Token"),
        Some(&*fake::github_pat(1))
    );

    let (proxy, _) = proxy_to(&server, "HTTP/1.1 407 No\r\n\r\n");
    let error = through(proxy, "").unwrap_err();
    assert!(
        matches!(error, Error::Unreachable { sent: false, .. }),
        "{error:?}"
    );
    assert!(error.to_string().contains("407"), "{error}");
    // Without the proxy the name is looked up here, where it is unknown.
    let error = through(proxy, "*.example.test").unwrap_err();
    assert!(error.to_string().contains("no such host"), "{error}");

    let mut settings = settings();
    settings.proxy = Some("socks5://me:word@127.0.0.1:9".to_owned());
    let error = Client::new(settings).unwrap_err();
    assert!(
        error.contains("http://host:port") && !error.contains("word"),
        "{error}"
    );
}
