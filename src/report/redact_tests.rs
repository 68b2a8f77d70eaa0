use super::super::sample;
use super::*;
use crate::model::Gap;
use crate::rule::RuleSet;

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
fn a_secret_in_base64_goes_with_the_word_around_it() {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    let token = sample::token();
    let found = sample::finding(&token, vec![sample::place(b"a", 1, &token, &token)]);
    let redactor = Redactor::new([&found], false);
    for front in ["", "a", "ab", "abc"] {
        let word = STANDARD.encode(format!("{front}{token}:x"));
        let text = redactor.redact(format!("by {word}, ok").as_bytes());
        assert!(
            text.starts_with("by … (") && text.ends_with("), ok"),
            "{text}"
        );
    }
    let escaped: Vec<String> = token.bytes().map(|b| format!("%{b:02x}")).collect();
    let escaped = escaped.concat();
    assert_eq!(redactor.redact(escaped.as_bytes()), "… (120 bytes)");
    // Of what nobody was asked for, a report need not know them.
    let engine = Engine::new(RuleSet::builtin().expect("built in")).expect("an engine");
    let quiet = Redactor::of_run(&engine, [&found], &Summary::default(), "", false);
    assert_eq!(quiet.redact(escaped.as_bytes()), escaped);
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
    let place = sample::encoded_place(b"a", 1, &format!("k: {encoded}"), encoded);
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
    assert_eq!(shown.after, " …");
}

#[test]
fn the_end_of_a_long_encoded_secret_is_known_though_its_own_line_is_cut_before() {
    let (token, other) = (sample::token(), "Xy12Xy34Xy56");
    let digits: Vec<String> = (0..300).map(|n| format!("{n:03}")).collect();
    let encoded = digits.concat();
    let mut long = sample::encoded_place(b"a", 1, &encoded, &encoded);
    long.snippet.text = Secret::new(&encoded.as_bytes()[..240], "");
    long.snippet.secret = (0, 240);
    let mut place = sample::place(b"a", 1, &format!("{} {other}", &encoded[830..]), other);
    place.start.column += 830;
    let known = sample::finding(&token, vec![long]);
    let found = sample::finding(other, vec![place]);
    let redactor = Redactor::new([&known, &found], false);
    let shown = redactor.snippet(&found.places[0], &found.credential.secret);
    assert_eq!(shown.before, "… ");
}

#[test]
fn secrets_that_stand_in_names_alone_are_known_to_the_redactor_of_a_run() {
    let engine = Engine::new(RuleSet::builtin().expect("built in")).expect("an engine");
    let token = sample::token();
    let encoded = token.replace('_', "%5f");
    let mut summary = Summary::default();
    for path in [format!("a/{token}.env"), format!("b/{encoded}/c")] {
        summary.gaps.push(Gap {
            path,
            reason: "permission denied".into(),
        });
    }
    let redactor = Redactor::of_run(&engine, [], &summary, "token=abc123/", false);
    let paths: Vec<_> = summary
        .gaps
        .iter()
        .map(|gap| redactor.path(gap.path.as_bytes()))
        .collect();
    assert_eq!(paths, ["a/ghp_… (40 bytes).env", "b/… (42 bytes)/c"]);
    assert_eq!(redactor.path(b"token=abc123/x"), "token=abc123/x");
    let shown = Redactor::of_run(&engine, [], &summary, "", true);
    assert!(shown.path(token.as_bytes()).contains(&token));
    let text = format!("{token}: no such file");
    assert_eq!(
        Redactor::of_text(&engine, &text).redact(text.as_bytes()),
        "ghp_… (40 bytes): no such file"
    );
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
