use serde_json::{Value, json};

use super::super::{Options, sample};
use super::*;
use crate::model::Summary;

/// The text between two marks that stand once.
fn between<'t>(text: &'t str, from: &str, to: &str) -> &'t str {
    let (_, rest) = text.split_once(from).expect(from);
    rest.split_once(to).expect(to).0
}

fn page(findings: &[Finding], dropped: &[Finding], summary: &Summary, options: Options) -> String {
    sample::written(&Html, findings, dropped, summary, options)
}

fn sampled() -> String {
    page(
        &sample::findings(),
        &[],
        &sample::summary(),
        Options::default(),
    )
}

fn embedded(page: &str) -> Value {
    let text = between(
        page,
        "<script id=\"data\" type=\"application/json\">",
        "</script>",
    );
    assert!(!text.contains(['<', '>', '&']), "{text}");
    serde_json::from_str(text).expect("the data is JSON")
}

#[test]
fn the_policy_allows_the_one_style_and_the_one_script_alone() {
    let page = sampled();
    let policy = between(
        &page,
        "<meta http-equiv=\"Content-Security-Policy\" content=\"",
        "\">",
    );
    let hash = |text: &str| format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text)));
    let style = between(&page, "<style>", "</style>");
    let (_, rest) = page.split_once("</script>\n<script>").expect("two scripts");
    let script = rest.split_once("</script>").expect("its end").0;
    assert!(policy.starts_with("default-src 'none'; "));
    assert!(policy.contains(&format!("style-src {};", hash(style))));
    assert!(policy.contains(&format!("script-src {};", hash(script))));
    assert!(!policy.contains("unsafe"));
    assert_eq!(page.matches("<script").count(), 2);
    assert_eq!(page.matches("<style").count(), 1);
}

#[test]
fn nothing_is_asked_of_the_network() {
    for asset in [PAGE, STYLE, SCRIPT] {
        for word in [
            "src=",
            "@import",
            "url(",
            "fetch(",
            "XMLHttp",
            "import(",
            "innerHTML",
            "outerHTML",
            "insertAdjacent",
            "document.write",
            "eval(",
            "style=",
            "onclick=",
        ] {
            assert!(!asset.contains(word), "{word}");
        }
    }
    // Names of namespaces are no addresses.
    let page = page(&[], &[], &Summary::default(), Options::default());
    let addresses = page.match_indices("://").count();
    assert_eq!(
        addresses,
        page.matches("http://www.w3.org/2000/svg").count()
    );
}

#[test]
fn assets_cannot_end_their_own_elements() {
    assert!(!STYLE.contains("</") && !SCRIPT.contains("</script") && !SCRIPT.contains("<!--"));
    let slots: Vec<_> = std::iter::successors(next_slot(PAGE), |(_, _, rest)| next_slot(rest))
        .map(|(_, name, _)| name)
        .collect();
    assert_eq!(
        slots,
        ["policy", "title", "style", "table", "data", "script"]
    );
    assert_eq!(newlines("a\r\nb\n"), "a\nb\n");
}

#[test]
fn hostile_text_stays_text() {
    let token = sample::token();
    let path = b"</script><script>alert(1)</script><!--<img src=x onerror=alert(1)>\xE2\x80\xAE'\"&amp;{{data}}";
    let line = format!("</script></noscript><svg onload=alert(1)> {token} <!-- \u{2028}\u{1b}[31m");
    let mut found = sample::finding(&token, vec![sample::place(path, 1, &line, &token)]);
    found.remedy = "</td><script>alert(2)</script>".into();
    let page = page(&[found], &[], &sample::summary(), Options::default());
    assert_eq!(page.matches("<script").count(), 2);
    assert_eq!(page.matches("</script>").count(), 2);
    assert_eq!(page.matches("</noscript>").count(), 1);
    assert_eq!(
        page.matches("<svg onload").count() + page.matches("<img").count(),
        0
    );
    assert!(!page.contains(['\u{1b}', '\u{202e}', '\u{2028}']));
    let data = embedded(&page);
    let place = &data["findings"][0]["places"][0];
    let shown = "</script><script>alert(1)</script><!--<img src=x onerror=alert(1)>\\u{202e}'\"&amp;{{data}}";
    assert_eq!(place["path"], shown);
    assert_eq!(
        place["snippet"],
        json!([
            "</script></noscript><svg onload=alert(1)> ",
            "ghp_… (40 bytes)",
            " <!-- \\u{2028}\\u{1b}[31m"
        ])
    );
    let table = between(&page, "<noscript>", "</noscript>");
    assert!(table.contains("&#60;/script&#62;&#60;script&#62;alert(1)"));
    assert!(table.contains("&#60;/td&#62;&#60;script&#62;alert(2)"));
}

#[test]
fn the_data_is_that_of_the_run() {
    let data = embedded(&sampled());
    assert_eq!(
        (&data["complete"], &data["clear"]),
        (&json!(false), &json!(false))
    );
    assert_eq!(data["skipped"], json!([[3, "ignored by git"]]));
    assert_eq!(data["gaps"][0]["path"], "locked/ghp_… (40 bytes)");
    assert_eq!(
        data["notes"][0],
        "4 findings are below --min-confidence and not shown"
    );
    let findings = data["findings"].as_array().expect("a list");
    let severities: Vec<_> = findings.iter().map(|f| &f["severity"]).collect();
    assert_eq!(severities, ["critical", "low"]);
    let first = &findings[0];
    assert_eq!(first["secret"], "ghp_… (40 bytes)");
    let kind = &data["kinds"][first["kind"].as_u64().expect("an index") as usize];
    assert_eq!(kind["rule"], "github-pat-classic");
    assert_eq!(first["places"][0]["at"], "src/app.py:12:11");
    assert_eq!(
        first["places"][0]["snippet"],
        json!(["    TOKEN = \"", "ghp_… (40 bytes)", "\"  # 鍵"])
    );
    assert_eq!(first["places"][1]["decoded_from"], json!(["base64"]));
    assert_eq!(first.get("history").or(first.get("more_places")), None);
}

#[test]
fn history_names_its_commits_once() {
    let page = page(
        &sample::historical(),
        &[],
        &sample::history_summary(),
        Options::default(),
    );
    let data = embedded(&page);
    let history = &data["findings"][0]["history"];
    let commit = |key: &str| &data["commits"][history[key].as_u64().expect("an index") as usize];
    assert_eq!(commit("first")["date"], "2024-03-02T09:30:00Z");
    assert_eq!(
        commit("first")["subject"],
        "Add ghp_… (40 bytes)\\u{1b}[2J\\u{202e}"
    );
    assert_eq!(commit("last")["subject"], "Rename");
    assert_eq!(
        (&history["in_head"], &history["days"]),
        (&json!(true), &json!(1214))
    );
    assert_eq!(history["tips"], json!(["main", "tags/v1"]));
    assert_eq!(data["commits"].as_array().map(Vec::len), Some(4));
    let places = data["findings"][0]["places"].as_array().expect("a list");
    let at: Vec<_> = places.iter().filter_map(|p| p["at"].as_str()).collect();
    assert_eq!(
        at,
        [
            "message, author or committer of commit 1a1a1a1a1a",
            "message of tag 3c3c3c3c3c",
            "name of ref refs/heads/ghp_… (40 bytes)",
            "name of d/ghp_… (40 bytes).txt",
            "src/app.py:3:5"
        ]
    );
    // The same line as before is not written again.
    assert!(places[0].get("snippet").is_some() && places[4].get("snippet").is_none());
}

#[test]
fn what_is_left_out_of_the_file_is_counted() {
    let token = sample::token();
    let places = (0..PLACES + 7)
        .map(|n| sample::place(format!("f{n}").as_bytes(), 1, &token, &token))
        .collect();
    let found: Vec<Finding> = std::iter::once(sample::finding(&token, places))
        .chain(
            (0..ROWS)
                .map(|_| sample::finding(&token, vec![sample::place(b"x", 1, &token, &token)])),
        )
        .collect();
    let page = page(&found, &[], &Summary::default(), Options::default());
    let data = embedded(&page);
    assert_eq!(data["findings"][0]["more_places"], 7);
    assert_eq!(data["findings"].as_array().map(Vec::len), Some(ROWS + 1));
    assert_eq!(page.matches("<tr><td>").count(), ROWS);
    assert!(page.contains("The first 200 of 201 are listed here; with JavaScript, all."));
}

#[test]
fn dropped_findings_come_last_on_request() {
    let token = sample::token();
    let dropped = [sample::dropped(
        "AAAAAAAAAAAAAAAA",
        sample::place(b"x", 1, "AAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAA"),
        "suppressed by a comment",
    )];
    let found = [sample::finding(
        &token,
        vec![sample::place(b"y", 1, &token, &token)],
    )];
    let write = |show_suppressed| {
        let options = Options {
            show_suppressed,
            ..Options::default()
        };
        embedded(&page(&found, &dropped, &Summary::default(), options))
    };
    let (hidden, shown) = (write(false), write(true));
    assert_eq!(hidden["findings"].as_array().map(Vec::len), Some(1));
    assert!(
        hidden["notes"][1]
            .as_str()
            .is_some_and(|n| n.contains("--show-suppressed"))
    );
    assert_eq!(
        shown["findings"][1]["suppressed"],
        "suppressed by a comment"
    );
}

#[test]
fn an_empty_run_is_a_page_too() {
    let page = page(&[], &[], &Summary::default(), Options::default());
    assert_eq!(embedded(&page)["findings"], json!([]));
    assert!(page.contains("<title>0 secrets in .</title>"));
    assert!(!page.contains("<table>"));
}
