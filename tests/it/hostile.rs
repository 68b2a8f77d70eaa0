//! Input made to hurt: each must end within seconds, without a panic.

use std::fs;
use std::time::{Duration, Instant};

use base64::Engine as _;

use keysweep::report::Redactor;
use keysweep::scan::{Limits, Options};

use crate::support::{Run, Tree, fake, found};

/// Runs a scan that must not take long; 60 s are for a debug build on a busy machine.
#[track_caller]
fn soon(tree: &Tree, arguments: &[&str]) -> Run {
    let started = Instant::now();
    let run = tree.scan(arguments);
    let took = started.elapsed();
    assert!(took < Duration::from_secs(60), "took {took:?}");
    assert!(
        (0..=2).contains(&run.code),
        "exit code {}: {}",
        run.code,
        run.err
    );
    assert!(!run.err.contains("panicked"), "{}", run.err);
    run
}

#[track_caller]
fn file(text: impl AsRef<[u8]>) -> Run {
    soon(&Tree::new().with("a.txt", text), &[])
}

const SIZE: usize = 5 << 20;

fn filled(unit: &str) -> String {
    unit.repeat(SIZE / unit.len())
}

#[test]
fn folders_nested_deeper_than_a_path_may_be_long() {
    let tree = Tree::new();
    let mut path = tree.path().to_path_buf();
    for _ in 0..600 {
        path.push("dir");
    }
    fs::create_dir_all(&path).unwrap();
    fs::write(path.join("a.txt"), fake::github_pat(1)).unwrap();
    let run = soon(&tree, &[]);
    assert_eq!(run.code, 2, "the depth limit is a gap");
    assert_eq!(run.records("gap").len(), 1, "{}", run.out);
}

#[test]
fn a_folder_of_20000_files() {
    let tree = Tree::new();
    for number in 0..20_000 {
        fs::write(tree.path().join(format!("f{number}")), "nothing\n").unwrap();
    }
    assert_eq!(soon(&tree, &[]).summary()["files"], 20_000);
}

#[test]
fn more_matches_than_the_limit_are_a_gap() {
    let text: String = (0..100_200u64)
        .map(|seed| fake::npm_token(seed) + "\n")
        .collect();
    let run = file(text);
    assert_eq!(run.code, 2);
    assert!(
        run.records("gap")[0]["reason"]
            .as_str()
            .unwrap()
            .contains("100000 matches"),
        "{}",
        run.err
    );
    assert!(run.findings().len() > 90_000);
}

#[test]
fn what_stands_beyond_the_limit_is_not_shown_beside_the_last_match() {
    let tokens: Vec<String> = (0..12).map(fake::npm_token).collect();
    let percent = |token: &String| token.replace('_', "%5f");
    let base64 = |token: &String| base64::engine::general_purpose::STANDARD.encode(token);
    let lines = [
        tokens.join(" "),
        tokens.iter().map(percent).collect::<Vec<_>>().join(" "),
        tokens.iter().map(base64).collect::<Vec<_>>().join(" "),
        // Where one token more stands in a line of escapes, in front of it and behind it.
        format!("{} %5f{} %5f", tokens[..6].join(" "), tokens[6..].join(" ")),
    ];
    for (line, matches) in lines
        .iter()
        .flat_map(|line| (1..12).map(move |n| (line, n)))
    {
        let options = Options {
            limits: Limits {
                matches,
                ..Limits::default()
            },
            ..Options::default()
        };
        let findings = found("a.txt", line.as_bytes(), &options);
        assert!(findings.len() <= matches);
        let redactor = Redactor::new(&findings, false);
        for finding in &findings {
            let shown = redactor.snippet(&finding.places[0], &finding.credential.secret);
            let shown = shown.to_string();
            for token in &tokens {
                // Four characters are the prefix, which is public, and one may be cut.
                assert!(!shown.contains(&token[4..12]), "{matches}: {shown}");
                assert!(!shown.contains(&base64(token)[6..16]), "{matches}: {shown}");
            }
        }
    }
    let all = found("a.txt", lines[0].as_bytes(), &Options::default());
    assert_eq!(all.len(), tokens.len());
}

#[test]
fn one_key_100000_times_is_one_finding() {
    let token = fake::github_pat(2);
    let run = file(format!("{token} ").repeat(90_000));
    assert_eq!(
        run.only_finding()["places"].as_array().unwrap().len(),
        90_000
    );
}

#[test]
fn lines_of_nothing_but_escapes() {
    for unit in [
        "%3d",
        "%25",
        "%67%68%70",
        "&quot;",
        "&#103;",
        "\\u0067",
        "\\x67\\x68\\x70_",
        "\\u{67}",
        "%253d",
        "%2525",
        "\x1b[31m",
        "\x1b[1;1;1;1;1;1;",
        "\x1b]8;;",
        "=3D",
        concat!("%3Dgh", "p_"),
        concat!("\x1b[31mgh", "p_"),
        concat!("%22ey", "J"),
        "%22https://a:",
        "[1m://",
        "%",
        "\\u",
        "&#",
    ] {
        file(filled(unit));
    }
    // Each sort inside each other one.
    for unit in [
        "%3d%253d\\u003d\\x25&#37;&quot;=3D=25\x1b[31m%5cu0022%26#34;",
        "\\u0025\\u0026\\u005c\\u001b[0m&#37;3d&#92;x25%22",
    ] {
        file(unit.repeat(SIZE / 8 / unit.len()));
    }
}

#[test]
fn lines_of_nothing_but_beginnings() {
    let units = [
        "-----BEGIN RSA PRIVATE KEY-----\n",
        "-----BEGIN ",
        "-----BEGIN PGP PRIVATE KEY BLOCK-----",
        "password=password=",
        "password: \"",
        "secret=\n",
        "token",
        "postgres://a:",
        "://",
        "Authorization: Bearer ",
        concat!("gh", "p_"),
        concat!("AK", "IA"),
        "eyJhbGciOi",
        "eyJhbGciOiJIUzI1NiJ9.",
        "api_key=(",
        "=\"'=\"'",
        "key\\\"\\\"\\\"",
        "PuTTY-User-Key-File-3: ssh-rsa\n",
    ];
    for unit in units {
        file(filled(unit));
    }
}

#[test]
fn encodings_inside_encodings() {
    let base64 = |bytes: &[u8]| base64::engine::general_purpose::STANDARD.encode(bytes);
    let noise = fake::Rng::new(3).bytes(SIZE);
    file(base64(&noise));
    file(noise.iter().map(|b| format!("{b:02x}")).collect::<String>());
    let tokens: String = (0..20_000)
        .map(|seed| fake::github_pat(seed % 50) + " ")
        .collect();
    file(base64(tokens.as_bytes()));
    file(base64(base64(tokens.as_bytes()).as_bytes()));
    let mut nested = fake::github_pat(4);
    for _ in 0..12 {
        nested = nested
            .bytes()
            .map(|b| format!("%{b:02x}"))
            .collect::<String>();
        if nested.len() > SIZE {
            break;
        }
    }
    file(nested);
    let sequence = format!("\x1b[{}m", "1;".repeat(SIZE / 2));
    file(sequence);
    file(vec![0u8; SIZE]);
    file(noise);
}

#[test]
fn broken_repositories_do_not_stop_a_scan() {
    let secret = fake::github_pat(5);
    for index in [
        &b""[..],
        b"DIRC",
        b"DIRC\0\0\0\x02\xff\xff\xff\xff",
        b"not an index at all",
    ] {
        let tree = Tree::new()
            .with("a.txt", &secret)
            .with(".gitignore", "ignored\n");
        tree.write(".git/HEAD", "ref: refs/heads/main\n");
        tree.write(".git/index", index);
        let run = soon(&tree, &[]);
        assert!(!run.findings().is_empty(), "{}{}", run.out, run.err);
    }
    let tree = Tree::new()
        .with("a.txt", &secret)
        .with(".git", "gitdir: /nowhere/at/all\n");
    assert_eq!(soon(&tree, &[]).findings().len(), 1);
}

#[test]
fn a_file_that_has_no_length_is_read_to_its_end() {
    if std::path::Path::new("/proc/self/status").exists() {
        assert_eq!(
            soon(&Tree::new(), &["/proc/self/status"]).summary()["files"],
            1
        );
    }
}
