use super::super::sample;
use super::*;
use crate::model::Decoding;

#[test]
fn known_secrets_are_replaced_wherever_they_stand() {
    let token = sample::token();
    let found = sample::finding(&token, vec![sample::place(b"a", 1, &token, &token)]);
    let redactor = Redactor::new([&found], false);
    let text = redactor.redact(format!("a {token}{token} b").as_bytes());
    assert_eq!(text, "a ghp_… (40 bytes)ghp_… (40 bytes) b");
    assert_eq!(
        redactor.path(format!("{token}/x").as_bytes()),
        "ghp_… (40 bytes)/x"
    );
    assert_eq!(redactor.redact(b"a\xFFb"), "a\u{fffd}b");
    assert!(!format!("{redactor:?}").contains(&token));
    assert!(
        Redactor::new([&found], true)
            .redact(token.as_bytes())
            .contains(&token)
    );
}

#[test]
fn overlapping_secrets_leave_nothing_behind() {
    let of = |s: &str| sample::finding(s, vec![sample::place(b"a", 1, s, s)]);
    let (a, b) = (of("abcdefgh12"), of("efgh12345678"));
    let redactor = Redactor::new([&a, &b], false);
    assert_eq!(redactor.redact(b"<abcdefgh12345678>"), "<… (12 bytes)>");
}

#[test]
fn weak_words_stay_in_paths_and_go_from_texts() {
    let found = sample::finding("admin", vec![sample::place(b"a", 1, "admin", "admin")]);
    let redactor = Redactor::new([&found], false);
    assert_eq!(redactor.path(b"src/admin/a.py"), "src/admin/a.py");
    assert_eq!(redactor.redact(b"src/admin/a.py"), "src/… (5 bytes)/a.py");
}

#[test]
fn dropped_placeholders_do_not_hide_words() {
    let place = || sample::place(b"a", 1, "password=password", "password");
    let word = sample::dropped("password", place(), "placeholder: a word");
    assert_eq!(
        Redactor::new([&word], false).redact(b"password = 1"),
        "password = 1"
    );
    let accepted = sample::dropped("password", place(), "suppressed by `keysweep:allow`");
    assert_eq!(
        Redactor::new([&accepted], false).redact(b"password = 1"),
        "… (8 bytes) = 1"
    );
}

#[test]
fn encoded_texts_are_known_too() {
    let token = sample::token();
    let encoded = concat!("Z2hwXzRmUThyVDJ3", "WHpCNmRK");
    let mut place = sample::place(b"a", 1, &format!("k: {encoded}"), encoded);
    place.decoded_from = vec![Decoding::Base64];
    let found = sample::finding(&token, vec![place]);
    let redactor = Redactor::new([&found], false);
    assert_eq!(redactor.redact(encoded.as_bytes()), "… (24 bytes)");
    let shown = redactor.snippet(&found.places[0], &found.credential.secret);
    assert_eq!(shown.to_string(), "k: … (24 bytes)");
}

#[test]
fn a_snippet_hides_its_secret_even_where_it_is_short() {
    let found = sample::finding("abc", vec![sample::place(b"a", 1, "p=abc;", "abc")]);
    let redactor = Redactor::new([&found], false);
    assert_eq!(
        redactor
            .snippet(&found.places[0], &found.credential.secret)
            .to_string(),
        "p=… (3 bytes);"
    );
}

#[test]
fn a_snippet_does_not_show_the_rest_of_a_secret_that_it_cuts() {
    let (token, other) = (sample::token(), "Xy12Xy34Xy56");
    let line = format!(
        "{} {other} {}{}",
        &token[10..],
        "-".repeat(200),
        &token[..30]
    );
    let mut place = sample::place(b"a", 1, &line, other);
    place.start.column += 10;
    let known = sample::finding(&token, vec![sample::place(b"b", 1, &token, &token)]);
    let found = sample::finding(other, vec![place]);
    let redactor = Redactor::new([&known, &found], false);
    let shown = redactor.snippet(&found.places[0], &found.credential.secret);
    assert_eq!(shown.before, "… ");
    assert!(shown.after.ends_with("-…"), "{}", shown.after);
}

#[test]
fn a_key_block_shows_its_first_line_alone() {
    let header = concat!("-----BEGIN RSA PRIV", "ATE KEY-----");
    let body = "MIIEowIBAAKCAQEAn9f3KqZx0000";
    for break_ in ["\n", "\\n", "\r\n"] {
        let block = format!("{header}{break_}{body}{break_}-----END");
        let line = block.lines().next().unwrap_or_default().to_owned();
        let mut place = sample::place(b"k.pem", 1, &line, &line);
        place.end.line = 3;
        let found = sample::finding(&block, vec![place]);
        let redactor = Redactor::new([&found], false);
        let shown = redactor
            .snippet(&found.places[0], &found.credential.secret)
            .to_string();
        assert_eq!(shown, format!("{header}… ({} bytes)", block.len()));
        assert_eq!(redactor.redact(body.as_bytes()), "… (28 bytes)");
    }
}

#[test]
fn what_a_terminal_would_obey_is_spelled_out() {
    assert_eq!(printable("plain é 鍵"), "plain é 鍵");
    assert_eq!(
        printable("\u{1b}[31m\u{202e}\0\n\u{9b}"),
        "\\u{1b}[31m\\u{202e}\\u{0}\\n\\u{9b}"
    );
    for hidden in [
        '\u{2066}', '\u{2069}', '\u{200e}', '\u{200f}', '\u{61c}', '\u{7f}', '\u{feff}',
    ] {
        assert!(printable(&hidden.to_string()).is_ascii());
    }
}
