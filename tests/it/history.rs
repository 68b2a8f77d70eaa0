//! `keysweep git` on real repositories: where a secret came in, where it still is, and what is added.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::everywhere;
use crate::support::repo::{DAY, FIRST_DAY, Repo, Said, days_since, packs, texts, write};
use crate::support::{Run, fake, program};

const PAT: &str = "github-pat-classic";
const MAIN: &str = "refs/heads/main";

/// A file with a key in its second line.
fn env(key: &str) -> String {
    format!("# settings\nTOKEN={key}\n")
}

/// The run found nothing and nothing was wrong.
#[track_caller]
fn is_clean(run: &Run) {
    assert_eq!(run.code, 0, "{}\n{}", run.out, run.err);
    assert_eq!(run.findings(), Vec::<Value>::new());
}

/// The run's one finding, of a key that is not shown.
#[track_caller]
fn only(run: &Run, key: &str) -> Value {
    assert_eq!(run.code, 1, "{}\n{}", run.out, run.err);
    run.hides(key);
    run.hides(&key[8..]);
    run.only_finding()
}

#[track_caller]
fn says(run: &Run, key: &str, expected: &Said) -> Value {
    let finding = only(run, key);
    assert_eq!(Said::of(&finding), *expected, "{}", run.out);
    finding
}

/// The places of a finding, as `path:line`, sorted.
fn places(finding: &Value) -> Vec<String> {
    let list = finding["places"].as_array().unwrap();
    let place = |p: &Value| format!("{}:{}", p["path"].as_str().unwrap_or("-"), p["line"]);
    let mut all: Vec<String> = list.iter().map(place).collect();
    all.sort();
    all
}

// ---------------------------------------------------------------------------------------------
// The whole history

#[test]
fn a_key_that_was_removed_is_found_at_the_commit_that_added_it() {
    let repo = Repo::new();
    let key = fake::github_pat(1);
    repo.commit_file("README", "hello\n");
    let added = repo.commit_file("app.env", env(&key));
    repo.wait(9);
    repo.commit_file("app.env", "# settings\n");
    repo.each_way(|repo| {
        let run = repo.keysweep(&[]);
        let expected = Said::is(PAT, &added, "app.env:2", false, &[MAIN]);
        let finding = says(&run, &key, &expected);
        assert_eq!(finding["exposed_days"], 10);
        assert_eq!(finding["introductions"], 1);
        assert_eq!(finding["last_commit"]["id"], added);
        assert_eq!(finding["commit"]["date"], "2024-01-02T00:00:00Z");
        assert_eq!(finding["commit"]["author"], "Ann");
        assert_eq!(finding["commit"]["email"], "ann@example.org");
        assert_eq!(finding["commit"]["subject"], "app.env");
        assert!(texts(&finding["tips"]).is_empty());
        assert_eq!(run.summary()["complete"], true);
        assert_eq!(run.summary()["branch"], MAIN);
    });
}

#[test]
fn a_key_that_is_still_there_is_exposed_until_now() {
    let repo = Repo::new();
    let key = fake::github_pat(2);
    let added = repo.commit_file("a/b/app.env", env(&key));
    repo.commit_file("a/b/app.env", format!("# more\n{}", env(&key)));
    repo.git(&["branch", "other"]);
    repo.each_way(|repo| {
        let run = repo.keysweep(&[]);
        let refs = [MAIN, "refs/heads/other"];
        let expected = Said::is(PAT, &added, "a/b/app.env:2", true, &refs);
        let finding = says(&run, &key, &expected);
        let days = finding["exposed_days"].as_u64().unwrap();
        assert!(days.abs_diff(days_since(FIRST_DAY)) <= 1, "{days}");
        assert_eq!(texts(&finding["tips"]), refs);
        // Where it came in, and where it is now.
        assert_eq!(places(&finding), ["a/b/app.env:2", "a/b/app.env:3"]);
    });
}

#[test]
fn no_format_shows_what_history_holds() {
    let repo = Repo::new();
    let key = fake::github_pat(3);
    repo.commit_file(&format!("{key}.txt"), env(&key));
    repo.git(&["branch", &format!("for-{key}")]);
    repo.write("x", "x");
    repo.commit(&format!("take {key}"));
    let author = format!("--author={key} <{key}@example.org>");
    repo.git(&["commit", "-q", "--allow-empty", "-m", "who", &author]);
    repo.git(&["tag", "-a", "v1", "-m", &format!("with {key}")]);
    for format in ["text", "json", "jsonl", "sarif"] {
        for more in [&[][..], &["--show-suppressed"], &["--all-objects"]] {
            let arguments = [&["git", "--format", format], more].concat();
            let run = Run::of(program().current_dir(repo.path()).args(&arguments));
            assert_eq!(run.code, 1, "{}", run.err);
            run.hides(&key);
            run.hides(&key[4..20]);
            run.hides(&key[20..]);
        }
    }
}

#[test]
fn a_deleted_branch_is_found_with_all_objects() {
    let repo = Repo::new();
    let key = fake::github_pat(4);
    repo.commit_file("README", "hello\n");
    repo.git(&["switch", "-qc", "topic"]);
    let added = repo.commit_file("app.env", env(&key));
    repo.git(&["switch", "-q", "main"]);
    repo.git(&["branch", "-qD", "topic"]);
    repo.each_way(|repo| {
        let run = repo.keysweep(&[]);
        is_clean(&run);
        assert_eq!(run.summary()["unreachable_hits"], 1);
        assert_eq!(run.summary()["commits"], 1);
        let run = repo.keysweep(&["--all-objects"]);
        says(&run, &key, &Said::is(PAT, &added, "app.env:2", false, &[]));
        assert_eq!(run.summary()["commits"], 2);
        let arguments = ["git", "--all-objects", "--format", "text"];
        let text = Run::of(program().current_dir(repo.path()).args(arguments)).out;
        assert!(text.contains("in no ref any more, exposed"), "{text}");
    });
}

#[test]
fn a_key_that_only_a_merge_brought() {
    let repo = Repo::new();
    let key = fake::github_pat(5);
    repo.commit_file("app.env", "a=0\n");
    let base = repo.id("HEAD");
    repo.git(&["switch", "-qc", "topic"]);
    repo.commit_file("app.env", "a=1\n");
    repo.git(&["switch", "-q", "main"]);
    repo.commit_file("app.env", "a=2\n");
    assert!(!repo.try_git(&["merge", "-q", "topic"]), "a conflict");
    repo.write("app.env", format!("a=3\nTOKEN={key}\n"));
    // Both sides' versions are staged, and the resolution.
    repo.git(&["add", "app.env"]);
    let run = repo.keysweep(&["--staged"]);
    assert_eq!(only(&run, &key)["path"], "app.env");
    let merge = repo.commit("merged");
    assert_eq!(repo.id("HEAD^2"), repo.id("topic"));
    repo.each_way(|repo| {
        let run = repo.keysweep(&[]);
        says(
            &run,
            &key,
            &Said::is(PAT, &merge, "app.env:2", true, &[MAIN]),
        );
        for range in [format!("{base}..main"), "topic..main".to_owned()] {
            let run = repo.keysweep(&["--range", &range]);
            let finding = only(&run, &key);
            assert_eq!(finding["commit"]["id"], merge, "{range}");
            assert_eq!(finding["line"], 2);
        }
        is_clean(&repo.keysweep(&["--range", "main..topic"]));
        is_clean(&repo.keysweep(&["--branch", "topic"]));
        is_clean(&repo.keysweep(&["--range", "HEAD^1^..HEAD^1"]));
    });
}

#[test]
fn a_key_of_both_parents_was_not_introduced_by_the_merge() {
    let repo = Repo::new();
    let key = fake::github_pat(6);
    repo.commit_file("README", "x\n");
    repo.git(&["switch", "-qc", "topic"]);
    let added = repo.commit_file("app.env", env(&key));
    repo.git(&["switch", "-q", "main"]);
    repo.commit_file("README", "y\n");
    repo.git(&["merge", "-q", "--no-edit", "topic"]);
    repo.each_way(|repo| {
        let run = repo.keysweep(&[]);
        let refs = [MAIN, "refs/heads/topic"];
        let finding = says(&run, &key, &Said::is(PAT, &added, "app.env:2", true, &refs));
        assert_eq!(finding["introductions"], 1);
        // The merge brings nothing that its second parent has not.
        is_clean(&repo.keysweep(&["--range", "main^2..main"]));
        let run = repo.keysweep(&["--range", "main^1..main"]);
        assert_eq!(only(&run, &key)["commit"]["id"], added);
    });
}

#[test]
fn a_renamed_file_is_one_finding() {
    let repo = Repo::new();
    let key = fake::github_pat(7);
    let added = repo.commit_file("old.env", env(&key));
    repo.wait(4);
    repo.git(&["mv", "old.env", "new.env"]);
    let renamed = repo.commit("rename");
    repo.each_way(|repo| {
        let finding = says(
            &repo.keysweep(&[]),
            &key,
            &Said::is(PAT, &added, "old.env:2", true, &[MAIN]),
        );
        assert_eq!(places(&finding), ["new.env:2", "old.env:2"]);
        assert_eq!(finding["introductions"], 1, "a rename brings nothing");
        let new = finding["places"].as_array().unwrap().iter();
        let new = new.clone().find(|p| p["path"] == "new.env").unwrap();
        assert_eq!(new["commit"], renamed);
    });
}

#[test]
fn one_blob_at_two_paths_has_two_places() {
    let repo = Repo::new();
    let key = fake::github_pat(8);
    repo.write("a/app.env", env(&key));
    repo.write("b/app.env", env(&key));
    let added = repo.commit("both");
    repo.each_way(|repo| {
        let finding = says(
            &repo.keysweep(&[]),
            &key,
            &Said::is(PAT, &added, "a/app.env:2", true, &[MAIN]),
        );
        assert_eq!(places(&finding), ["a/app.env:2", "b/app.env:2"]);
    });
}

#[test]
fn a_key_in_a_stash() {
    let repo = Repo::new();
    let key = fake::github_pat(9);
    repo.commit_file("app.env", "# settings\n");
    repo.write("app.env", env(&key));
    repo.git(&["stash", "-q"]);
    let untracked = fake::npm_token(9);
    repo.write("new.env", env(&untracked));
    repo.git(&["stash", "-q", "--include-untracked"]);
    repo.each_way(|repo| {
        let run = repo.keysweep(&[]);
        run.hides(&key);
        run.hides(&untracked);
        let mut said: Vec<Said> = run.findings().iter().map(Said::of).collect();
        said.sort_by(|a, b| a.rule.cmp(&b.rule));
        let oldest = Said::is(
            PAT,
            &repo.id("stash@{1}"),
            "app.env:2",
            false,
            &["refs/stash@{1}"],
        );
        let newest = Said::is(
            "npm-access-token",
            &repo.id("stash@{0}^3"),
            "new.env:2",
            false,
            &["refs/stash"],
        );
        // The older stash lives in the reflog alone.
        assert_eq!(said, [oldest, newest]);
    });
    // A reflog that says nonsense is no stash, and no silence.
    let log = repo.dot_git().join("logs/refs/stash");
    let text = std::fs::read_to_string(&log).unwrap();
    let (_, last) = text.trim_end().split_once('\n').unwrap();
    std::fs::write(&log, format!("nonsense\n{last}\n")).unwrap();
    let run = repo.keysweep(&[]);
    assert_eq!(run.code, 2, "{}", run.out);
    assert!(run.out.contains("1 lines are not entries of a reflog"));
}

#[test]
fn a_later_version_stands_at_the_commit_that_brought_it() {
    let repo = Repo::new();
    let key = fake::github_pat(61);
    let line = format!("TOKEN={key}\n");
    let first = repo.commit_file("k", &line);
    repo.commit_file("other", "x\n");
    let second = repo.commit_file("k", format!("\n\n{line}"));
    repo.git(&["checkout", "-q", "-b", "side"]);
    repo.commit_file("aside", "x\n");
    repo.git(&["checkout", "-q", "main"]);
    repo.commit_file("other", format!("y\n{line}"));
    repo.git(&["merge", "-q", "--no-ff", "-m", "merge", "side"]);
    repo.each_way(|repo| {
        let finding = only(&repo.keysweep(&["--no-metadata"]), &key);
        let list = finding["places"].as_array().unwrap();
        let at = |line: u64| {
            let mut places = list.iter();
            let place = places.find(|p| p["path"] == "k" && p["line"] == line);
            place.unwrap()["commit"].clone()
        };
        assert_eq!(
            (at(1), at(3)),
            (first.clone().into(), second.clone().into())
        );
    });
}

#[test]
fn since_shows_new_places_and_tells_of_the_whole_secret() {
    let repo = Repo::new();
    let (key, other) = (fake::github_pat(62), fake::npm_token(62));
    let first = repo.commit_file("k1", env(&key)); // 2024-01-01
    repo.commit_file("k2", env(&other));
    repo.wait(30);
    repo.git(&["checkout", "-q", "-b", "side"]);
    let copy = repo.commit_file("copy", env(&key)); // 2024-02-02
    repo.git(&["checkout", "-q", "main"]);
    repo.each_way(|repo| {
        let run = repo.keysweep(&["--since", "2024-01-15"]);
        let finding = only(&run, &key);
        run.hides(&other);
        assert_eq!(places(&finding), ["copy:2"], "{}", run.out);
        assert_eq!(finding["places"][0]["commit"], copy);
        assert_eq!(finding["commit"]["id"], first);
        assert_eq!(finding["in_head"], true);
        let days = finding["exposed_days"].as_u64().unwrap();
        assert!(days.abs_diff(days_since(FIRST_DAY)) <= 1, "{days}");
    });
}

#[test]
fn what_all_objects_shows_is_not_counted_as_hidden() {
    let repo = Repo::new();
    let key = fake::github_pat(63);
    repo.commit_file("a", "x\n");
    repo.git_with(&["hash-object", "-w", "--stdin"], env(&key).as_bytes());
    assert_eq!(repo.keysweep(&[]).summary()["unreachable_hits"], 1);
    let run = repo.keysweep(&["--all-objects"]);
    only(&run, &key);
    assert_eq!(run.summary()["unreachable_hits"], 0, "{}", run.out);
}

#[cfg(unix)]
#[test]
fn an_edit_behind_an_old_time_is_unstaged() {
    let repo = Repo::new();
    let key = fake::github_pat(64);
    let old = env(&fake::github_pat(65));
    repo.write("k", &old);
    let set = |name: &str| {
        let mut open = std::fs::File::options();
        let file = open.write(true).open(repo.path().join(name)).unwrap();
        let day = std::time::UNIX_EPOCH + Duration::from_secs(FIRST_DAY);
        file.set_modified(day).unwrap();
    };
    set("k");
    repo.commit("k");
    is_clean(&repo.keysweep(&["--unstaged"]));
    // The same content in another file: another inode, nothing new.
    repo.write("copy", &old);
    std::fs::rename(repo.path().join("copy"), repo.path().join("k")).unwrap();
    set("k");
    is_clean(&repo.keysweep(&["--unstaged"]));
    repo.write("k", env(&key));
    set("k");
    assert_eq!(only(&repo.keysweep(&["--unstaged"]), &key)["path"], "k");
}

#[test]
fn a_key_in_a_note() {
    let repo = Repo::new();
    let key = fake::github_pat(10);
    let noted = repo.commit_file("README", "hello\n");
    repo.git(&["notes", "add", "-m", &format!("use {key}")]);
    let notes = repo.id("refs/notes/commits");
    repo.each_way(|repo| {
        let at = format!("{noted}:1");
        let expected = Said::is(PAT, &notes, &at, false, &["refs/notes/commits"]);
        says(&repo.keysweep(&[]), &key, &expected);
    });
}

#[test]
fn a_key_in_a_tags_message() {
    let repo = Repo::new();
    let key = fake::github_pat(11);
    repo.commit_file("README", "hello\n");
    repo.git(&["tag", "-a", "v1", "-m", &format!("made with\n{key}")]);
    let tag = repo.id("refs/tags/v1");
    repo.each_way(|repo| {
        let run = repo.keysweep(&[]);
        let finding = only(&run, &key);
        assert_eq!(finding["rule"], PAT);
        assert_eq!(texts(&finding["refs"]), ["refs/tags/v1"]);
        assert_eq!(finding["places"][0]["origin"], "tag");
        assert_eq!(finding["places"][0]["blob"], tag);
        assert_eq!(
            finding["line"], 7,
            "object, type, tag, tagger, nothing, text"
        );
        assert_eq!(finding["path"], Value::Null);
        is_clean(&repo.keysweep(&["--no-metadata"]));
    });
}

#[test]
fn a_key_in_a_commits_message() {
    let repo = Repo::new();
    let key = fake::github_pat(12);
    repo.commit_file("README", "hello\n");
    let commit = repo.commit(&format!("say it\n\n{key} opens it"));
    repo.commit("later");
    repo.each_way(|repo| {
        let finding = only(&repo.keysweep(&[]), &key);
        assert_eq!(finding["rule"], PAT);
        assert_eq!(finding["commit"]["id"], commit);
        assert_eq!(finding["places"][0]["origin"], "commit");
        assert_eq!(
            finding["line"], 8,
            "tree, parent, author, committer, nothing, text"
        );
        assert_eq!(finding["in_head"], true);
        assert_eq!(texts(&finding["refs"]), [MAIN]);
        is_clean(&repo.keysweep(&["--no-metadata"]));
        let run = repo.keysweep(&["--range", "HEAD~2..HEAD"]);
        assert_eq!(only(&run, &key)["commit"]["id"], commit);
        is_clean(&repo.keysweep(&["--range", "HEAD~1..HEAD"]));
    });
}

#[test]
fn a_key_in_an_authors_address() {
    let repo = Repo::new();
    let key = fake::github_pat(13);
    let author = format!("--author=Bob <{key}@example.org>");
    repo.write("README", "hello\n");
    repo.git(&["add", "-A"]);
    repo.git(&["commit", "-qm", "first", &author]);
    let commit = repo.id("HEAD");
    repo.each_way(|repo| {
        let finding = only(&repo.keysweep(&[]), &key);
        assert_eq!(finding["rule"], PAT);
        assert_eq!(finding["commit"]["id"], commit);
        assert_eq!(finding["places"][0]["origin"], "commit");
        assert_eq!(finding["line"], 2);
        assert_eq!(finding["in_head"], true);
    });
}

#[test]
fn a_key_in_a_branchs_name() {
    let repo = Repo::new();
    let key = fake::github_pat(14);
    repo.commit_file("README", "hello\n");
    repo.git(&["branch", &format!("fix/{key}")]);
    repo.each_way(|repo| {
        let finding = only(&repo.keysweep(&[]), &key);
        assert_eq!(finding["rule"], PAT);
        assert_eq!(finding["places"][0]["origin"], "ref");
        assert_eq!(texts(&finding["refs"]).len(), 1);
        is_clean(&repo.keysweep(&["--no-metadata"]));
    });
}

#[test]
fn a_key_in_a_files_name() {
    let repo = Repo::new();
    let key = fake::github_pat(15);
    repo.write(&format!("out/{key}/log.txt"), "hello\n");
    let added = repo.commit("logs");
    repo.wait(2);
    repo.git(&["rm", "-qr", "out"]);
    repo.commit("gone");
    repo.each_way(|repo| {
        let finding = only(&repo.keysweep(&[]), &key);
        assert_eq!(finding["rule"], PAT);
        assert_eq!(finding["commit"]["id"], added);
        assert_eq!(finding["places"][0]["origin"], "name");
        assert_eq!(finding["in_head"], false);
        assert_eq!(finding["exposed_days"], 3);
        assert_eq!(texts(&finding["refs"]), [MAIN]);
        is_clean(&repo.keysweep(&["--no-metadata"]));
    });
}

#[test]
fn objects_that_nothing_holds() {
    let repo = Repo::new();
    let (in_blob, in_commit) = (fake::github_pat(16), fake::npm_token(16));
    repo.commit_file("README", "hello\n");
    let blob = repo.git_with(&["hash-object", "-w", "--stdin"], env(&in_blob).as_bytes());
    let tree = repo.git_with(
        &["mktree"],
        format!(
            "100644 blob {}\tapp.env\n",
            repo.git_with(
                &["hash-object", "-w", "--stdin"],
                env(&in_commit).as_bytes()
            )
        )
        .as_bytes(),
    );
    let commit = repo.git(&["commit-tree", "-m", "dangling", &tree]);
    repo.each_way(|repo| {
        let run = repo.keysweep(&[]);
        is_clean(&run);
        assert_eq!(run.summary()["unreachable_hits"], 2);
        let run = repo.keysweep(&["--all-objects"]);
        assert_eq!(run.code, 1);
        run.hides(&in_blob);
        run.hides(&in_commit);
        let mut said: Vec<Said> = run.findings().iter().map(Said::of).collect();
        said.sort_by(|a, b| a.rule.cmp(&b.rule));
        let of_blob = Said::is(PAT, "-", &format!("object {blob}:2"), false, &[]);
        let of_commit = Said::is("npm-access-token", &commit, "app.env:2", false, &[]);
        assert_eq!(said, [of_blob, of_commit]);
    });
}

#[test]
fn a_key_that_came_twice() {
    let repo = Repo::new();
    let key = fake::github_pat(17);
    let first = repo.commit_file("app.env", env(&key));
    repo.commit_file("app.env", "none\n");
    repo.wait(3);
    let second = repo.commit_file("app.env", format!("x=1\n{}", env(&key)));
    repo.commit_file("app.env", "none\n");
    repo.each_way(|repo| {
        let expected = Said::is(PAT, &first, "app.env:2", false, &[MAIN]);
        let finding = says(&repo.keysweep(&[]), &key, &expected);
        assert_eq!(finding["introductions"], 2);
        assert_eq!(finding["last_commit"]["id"], second);
        // From the first day to the last removal: 1 + 1 + 3 + 1.
        assert_eq!(finding["exposed_days"], 6);
        assert_eq!(places(&finding), ["app.env:2", "app.env:3"]);
    });
}

#[test]
fn the_mailmap_of_head_is_respected() {
    let repo = Repo::new();
    let key = fake::github_pat(18);
    let added = repo.commit_file("app.env", env(&key));
    repo.commit_file(
        ".mailmap",
        "Ann Real <ann@real.example> <ann@example.org>\n",
    );
    repo.each_way(|repo| {
        let finding = only(&repo.keysweep(&[]), &key);
        assert_eq!(finding["commit"]["id"], added);
        assert_eq!(finding["commit"]["author"], "Ann Real");
        assert_eq!(finding["commit"]["email"], "ann@real.example");
    });
}

#[test]
fn two_secrets_on_a_line_and_two_rules_in_a_file() {
    let repo = Repo::new();
    let (a, b, c) = (
        fake::github_pat(19),
        fake::github_pat(20),
        fake::npm_token(19),
    );
    repo.commit_file("app.env", format!("x={a} y={b}\n\nz={c}\n"));
    repo.each_way(|repo| {
        let run = repo.keysweep(&[]);
        for key in [&a, &b, &c] {
            run.hides(key);
        }
        let lines: Vec<u64> = run
            .findings()
            .iter()
            .map(|f| f["line"].as_u64().unwrap())
            .collect();
        assert_eq!(lines, [1, 1, 3]);
    });
}

#[test]
fn a_ref_that_names_a_blob_or_a_tree() {
    let repo = Repo::new();
    let (in_blob, in_tree) = (fake::github_pat(28), fake::npm_token(28));
    repo.commit_file("README", "hello\n");
    let blob = repo.git_with(&["hash-object", "-w", "--stdin"], env(&in_blob).as_bytes());
    repo.git(&["tag", "blob", &blob]);
    let other = repo.git_with(&["hash-object", "-w", "--stdin"], env(&in_tree).as_bytes());
    let tree = repo.git_with(
        &["mktree"],
        format!("100644 blob {other}\tapp.env\n").as_bytes(),
    );
    repo.git(&["tag", "-a", "tree", "-m", "x", &tree]);
    repo.each_way(|repo| {
        let run = repo.keysweep(&[]);
        assert_eq!(run.code, 1, "{}", run.out);
        run.hides(&in_blob);
        run.hides(&in_tree);
        let all = run.findings();
        let of = |rule: &str| all.iter().find(|f| f["rule"] == rule).unwrap();
        assert_eq!(texts(&of(PAT)["refs"]), ["refs/tags/blob"]);
        assert_eq!(of(PAT)["places"][0]["blob"], blob);
        assert_eq!(texts(&of("npm-access-token")["refs"]), ["refs/tags/tree"]);
        assert_eq!(of("npm-access-token")["path"], "app.env");
    });
}

// ---------------------------------------------------------------------------------------------
// Repositories of other forms

#[test]
fn a_bare_repository() {
    let repo = Repo::new();
    let key = fake::github_pat(21);
    let added = repo.commit_file("app.env", env(&key));
    let run = repo.keysweep(&["--range", "HEAD~99..HEAD"]);
    assert_eq!(run.code, 2);
    assert!(
        run.err.contains("`HEAD~99`") && run.err.contains("no parent 1"),
        "{}",
        run.err
    );
    repo.git_in(".", &["clone", "-q", "--bare", "work", "bare.git"]);
    for (folder, arguments) in [
        ("bare.git", &[][..]),
        (".", &["bare.git"]),
        ("bare.git/objects", &[]),
    ] {
        let run = repo.keysweep_in(folder, arguments);
        says(
            &run,
            &key,
            &Said::is(PAT, &added, "app.env:2", true, &[MAIN]),
        );
    }
    let run = repo.keysweep_in("bare.git", &["--unstaged"]);
    assert_eq!(run.code, 2);
    assert!(run.err.contains("bare"), "{}", run.err);
}

#[test]
fn heads_of_linked_work_trees_count() {
    let repo = Repo::new();
    let key = fake::github_pat(22);
    repo.commit_file("README", "hello\n");
    repo.git(&["worktree", "add", "-q", "--detach", "../linked"]);
    write(&repo.beside("linked/app.env"), env(&key));
    repo.git_in("linked", &["add", "-A"]);
    let run = repo.keysweep_in("linked", &["--staged"]);
    assert_eq!(only(&run, &key)["path"], "app.env");
    repo.git_in("linked", &["commit", "-qm", "key"]);
    let added = repo.git_in("linked", &["rev-parse", "HEAD"]);
    repo.each_way(|repo| {
        let from_main = Said::is(PAT, &added, "app.env:2", false, &["worktrees/linked/HEAD"]);
        says(&repo.keysweep(&[]), &key, &from_main);
        let finding = only(&repo.keysweep_in("linked", &[]), &key);
        assert_eq!(finding["in_head"], true);
        assert_eq!(finding["commit"]["id"], added);
    });
}

#[test]
fn submodules_on_request() {
    let repo = Repo::new();
    let key = fake::github_pat(23);
    repo.git_in(".", &["init", "-q", "-b", "main", "other"]);
    write(&repo.beside("other/app.env"), env(&key));
    repo.git_in("other", &["add", "-A"]);
    repo.git_in("other", &["commit", "-qm", "key"]);
    let added = repo.git_in("other", &["rev-parse", "HEAD"]);
    repo.commit_file("README", "hello\n");
    let url = format!("file://{}", repo.beside("other").display());
    repo.git(&["submodule", "--quiet", "add", &url, "libs/sub"]);
    repo.commit("submodule");
    repo.each_way(|repo| {
        is_clean(&repo.keysweep(&[]));
        let run = repo.keysweep(&["--recurse-submodules"]);
        let finding = only(&run, &key);
        assert_eq!(finding["commit"]["id"], added);
        assert_eq!(finding["path"], "libs/sub/app.env");
        assert_eq!(run.summary()["commits"], 3);
        let run = repo.keysweep(&["--staged", "--recurse-submodules"]);
        assert_eq!(run.code, 2);
        assert!(run.err.contains("cannot be used with"), "{}", run.err);
        // Inside of it, it is a repository as any.
        let run = repo.keysweep_in("work/libs/sub", &[]);
        assert_eq!(only(&run, &key)["path"], "app.env");
    });
}

#[test]
fn a_shallow_clone() {
    let repo = Repo::new();
    let (old, key) = (fake::npm_token(24), fake::github_pat(24));
    repo.commit_file("old.env", env(&old));
    repo.commit_file("old.env", "none\n");
    repo.commit_file("app.env", env(&key));
    let newest = repo.commit_file("README", "hello\n");
    let url = format!("file://{}", repo.path().display());
    repo.git_in(".", &["clone", "-q", "--depth=1", &url, "clone"]);
    let check = |repo: &Repo| {
        let run = repo.keysweep_in("clone", &[]);
        let refs = texts(&only(&run, &key)["refs"]);
        assert!(refs.contains(&MAIN.to_owned()), "{refs:?}");
        let finding = run.only_finding();
        assert_eq!(finding["commit"]["id"], newest, "as far as is known");
        assert_eq!(finding["or_earlier"], true);
        let text = Run::of(program().current_dir(repo.beside("clone")).arg("git"));
        assert!(text.out.contains("or earlier"), "{}", text.out);
        for (format, says) in [
            (
                "markdown",
                "introduced, where the shallow clone ends or earlier, by `",
            ),
            ("html", "\"or_earlier\":true"),
            ("csv", ",\"true\","),
        ] {
            let arguments = ["git", "--format", format];
            let run = Run::of(program().current_dir(repo.beside("clone")).args(arguments));
            assert!(run.out.contains(says), "{format}: {}", run.out);
        }
        assert_eq!(finding["path"], "app.env");
        assert_eq!(run.summary()["commits"], 1);
        assert_eq!(run.summary()["complete"], true);
        assert_eq!(run.summary()["skipped"]["shallow"], 1);
        let note = run.summary()["notes"].to_string();
        assert!(note.contains("shallow clone"), "{note}");
        let run = repo.keysweep_in("clone", &["--require-complete"]);
        assert_eq!(run.code, 2);
        let run = repo.keysweep_in("clone", &["--range", "HEAD"]);
        assert_eq!(only(&run, &key)["commit"]["id"], newest);
    };
    check(&repo);
    repo.git_in("clone", &["repack", "-qadf"]);
    check(&repo);
}

#[test]
fn promised_trees_of_a_partial_clone_are_skips() {
    let repo = Repo::new();
    repo.git(&["config", "uploadpack.allowFilter", "true"]);
    repo.commit_file("a/b", "x\n");
    let tree = ["clone", "-q", "--bare", "--filter=tree:0"];
    let url = format!("file://{}", repo.path().display());
    repo.git_in(".", &[&tree[..], &[&url, "trees.git"]].concat());
    let run = repo.keysweep_in("trees.git", &[]);
    is_clean(&run);
    assert_eq!(run.summary()["skipped"]["promised"], 1, "{}", run.out);
    let run = repo.keysweep_in("trees.git", &["--require-complete"]);
    assert_eq!(run.code, 2, "{}", run.out);
    let run = repo.keysweep_in("trees.git", &["--range", "HEAD"]);
    is_clean(&run);
    assert_eq!(run.summary()["skipped"]["promised"], 1, "{}", run.out);
    // What nobody promised is a gap.
    let config = repo.beside("trees.git/config");
    std::fs::write(
        config,
        "[core]\n\trepositoryformatversion = 0\n\tbare = true\n",
    )
    .unwrap();
    for file in std::fs::read_dir(repo.beside("trees.git/objects/pack")).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|end| end == "promisor") {
            std::fs::remove_file(path).unwrap();
        }
    }
    let run = repo.keysweep_in("trees.git", &["--range", "HEAD"]);
    assert_eq!(run.code, 2, "{}", run.out);
    assert!(run.out.contains("the tree is missing"), "{}", run.out);
}

#[test]
fn promised_blobs_of_a_partial_clone_are_skips() {
    let repo = Repo::new();
    let key = fake::github_pat(25);
    repo.git(&["config", "uploadpack.allowFilter", "true"]);
    repo.commit_file("app.env", env(&key));
    repo.commit_file("b/other", "x\n");
    repo.commit(&format!("with {}", fake::npm_token(25)));
    let blobs = ["clone", "-q", "--bare", "--filter=blob:none"];
    let url = format!("file://{}", repo.path().display());
    repo.git_in(".", &[&blobs[..], &[&url, "blobs.git"]].concat());
    let check = |repo: &Repo| {
        // What is there is scanned.
        let run = repo.keysweep_in("blobs.git", &[]);
        assert_eq!(run.code, 1, "{}", run.out);
        assert_eq!(run.rules(), ["npm-access-token"]);
        assert_eq!(run.summary()["skipped"]["promised"], 2, "{}", run.out);
        let run = repo.keysweep_in("blobs.git", &["--require-complete"]);
        assert_eq!(run.code, 2, "{}", run.out);
        let run = repo.keysweep_in("blobs.git", &["--range", "HEAD"]);
        assert_eq!(run.code, 1, "{}", run.out);
        assert_eq!(run.summary()["skipped"]["promised"], 2, "{}", run.out);
    };
    check(&repo);
}

#[test]
fn all_promised_blobs_are_counted_whatever_the_threads() {
    let repo = Repo::new();
    repo.git(&["config", "uploadpack.allowFilter", "true"]);
    for number in 0..2500 {
        repo.write(&format!("d{}/{number}", number % 50), format!("{number}\n"));
    }
    repo.commit("many");
    let url = format!("file://{}", repo.path().display());
    let blobs = [
        "clone",
        "-q",
        "--bare",
        "--filter=blob:none",
        &url,
        "blobs.git",
    ];
    repo.git_in(".", &blobs);
    for threads in ["1", "2", "4"] {
        let run = repo.keysweep_in("blobs.git", &["--threads", threads]);
        assert_eq!(run.code, 0, "{}", run.out);
        assert_eq!(run.summary()["skipped"]["promised"], 2500, "{threads}");
    }
}

#[test]
fn several_packs_with_and_without_an_index_over_all() {
    let repo = Repo::new();
    let keys: Vec<String> = (0..4).map(|seed| fake::github_pat(30 + seed)).collect();
    let mut added = Vec::new();
    for (number, key) in keys.iter().enumerate() {
        added.push(repo.commit_file(&format!("{number}.env"), env(key)));
        if number < 3 {
            repo.git(&["repack", "-qd"]); // only what is loose
        }
    }
    assert_eq!(repo.packs().len(), 3);
    let check = |repo: &Repo| {
        let run = repo.keysweep(&[]);
        assert_eq!(run.code, 1, "{}", run.out);
        let mut said: Vec<(String, String)> = run
            .findings()
            .iter()
            .map(|f| {
                (
                    f["path"].as_str().unwrap().to_owned(),
                    f["commit"]["id"].as_str().unwrap().to_owned(),
                )
            })
            .collect();
        said.sort();
        let expected: Vec<(String, String)> = (0..4)
            .map(|n| (format!("{n}.env"), added[n].clone()))
            .collect();
        assert_eq!(said, expected);
        for key in &keys {
            run.hides(key);
        }
        run.out
    };
    check(&repo);
    repo.git(&["multi-pack-index", "write"]);
    check(&repo);
    // With the pack's own indexes gone, the one over all is enough.
    let index = repo.packs()[0].with_extension("idx");
    std::fs::remove_file(index).unwrap();
    check(&repo);
}

#[test]
fn an_object_in_two_packs_and_loose_counts_once() {
    let repo = Repo::new();
    let key = fake::github_pat(26);
    repo.commit_file("app.env", env(&key));
    repo.git(&["repack", "-q"]); // the loose ones stay
    let before = packs(&repo.dot_git());
    repo.commit_file("b", "x");
    repo.git(&["repack", "-qa"]);
    assert_eq!(before.len() + 1, packs(&repo.dot_git()).len());
    let run = repo.keysweep(&[]);
    assert_eq!(places(&only(&run, &key)), ["app.env:2"]);
    assert_eq!(run.summary()["commits"], 2);
    assert_eq!(run.summary()["objects"], 6, "two of each kind");
}

#[test]
fn alternates_of_the_users_own_repository_are_followed() {
    let repo = Repo::new();
    let key = fake::github_pat(27);
    let added = repo.commit_file("app.env", env(&key));
    repo.git_in(".", &["clone", "-q", "--shared", "work", "clone"]);
    write(&repo.beside("clone/b"), "x");
    repo.git_in("clone", &["add", "-A"]);
    repo.git_in("clone", &["commit", "-qm", "b"]);
    let run = repo.keysweep_in("clone", &[]);
    let finding = only(&run, &key);
    assert_eq!(finding["commit"]["id"], added);
    assert_eq!(run.summary()["complete"], true);
    assert_eq!(run.summary()["commits"], 2);
    // A bare one beside it, so that a thin pack's bases are elsewhere.
    repo.git_in("clone", &["repack", "-qadlf"]);
    let run = repo.keysweep_in("clone", &[]);
    assert_eq!(only(&run, &key)["commit"]["id"], added);
    let run = repo.keysweep_in("clone", &["--engine", "whole"]);
    assert_eq!(only(&run, &key)["commit"]["id"], added);
}

// ---------------------------------------------------------------------------------------------
// What is added

#[test]
fn only_what_is_staged_and_new_fails() {
    let repo = Repo::new();
    let (old, new, loose) = (
        fake::npm_token(40),
        fake::github_pat(40),
        fake::gitlab_pat(40),
    );
    repo.commit_file("app.env", env(&old));
    repo.repack();
    is_clean(&repo.keysweep(&["--staged"]));
    // Changed, with the old key where it was; and a key that is not staged.
    repo.write("app.env", format!("# more\n{}", env(&old)));
    repo.git(&["add", "-A"]);
    repo.write("app.env", format!("{}{}", env(&old), env(&loose)));
    let run = repo.keysweep(&["--staged"]);
    is_clean(&run);
    run.hides(&old);
    let text = Run::of(
        program()
            .current_dir(repo.path())
            .args(["git", "--staged", "--format", "text"]),
    );
    assert!(text.out.contains("1 secret was there"), "{}", text.out);
    repo.write("app.env", format!("{}{}", env(&old), env(&new)));
    repo.git(&["add", "-A"]);
    let run = repo.keysweep(&["--staged"]);
    let finding = only(&run, &new);
    assert_eq!(finding["line"], 4);
    assert_eq!(finding["path"], "app.env");
    assert_eq!(finding["commit"], Value::Null);
    run.hides(&old);
}

/// A key that was accepted where it stood, and is not where it stands now, is new: else two commits would bring in any.
#[test]
fn what_was_accepted_before_and_is_not_any_more_fails() {
    let key = fake::github_pat(45);
    let marked = format!("TOKEN={key} # keysweep:allow\n");
    let repo = Repo::new();
    repo.commit_file("x.env", "");
    let base = repo.id("HEAD");
    repo.commit_file("app.env", &marked);
    is_clean(&repo.keysweep(&["--range", &format!("{base}..HEAD")]));
    repo.write("app.env", env(&key));
    repo.git(&["add", "-A"]);
    only(&repo.keysweep(&["--staged"]), &key);
    repo.commit("without the mark");
    only(&repo.keysweep(&["--range", &format!("{base}..HEAD")]), &key);
    // In clear for long, and changed now: nothing new.
    repo.commit_file("app.env", format!("{}# more\n", env(&key)));
    is_clean(&repo.keysweep(&["--range", "HEAD~1..HEAD"]));

    // From where nobody looks, or where a list accepts it, to where it counts.
    for (file, text) in [
        ("keysweep.toml", "[scan]\nexclude = [\"vendor\"]\n"),
        (".keysweepignore", "vendor/**\n"),
        ("keysweep.toml", "[[allow]]\npath = \"vendor/**\"\n"),
    ] {
        let repo = Repo::new();
        repo.commit_file(file, text);
        let base = repo.id("HEAD");
        let key = fake::github_pat(46);
        repo.commit_file("vendor/deep/k.env", env(&key));
        is_clean(&repo.keysweep(&["--range", &format!("{base}..HEAD")]));
        repo.git(&["mv", "vendor", "lib"]);
        only(&repo.keysweep(&["--staged"]), &key);
        repo.commit("move");
        only(&repo.keysweep(&["--range", &format!("{base}..HEAD")]), &key);
        only(&repo.keysweep(&["--range", "HEAD~1..HEAD"]), &key);
    }
}

#[test]
fn a_file_renamed_in_the_index_adds_nothing() {
    let repo = Repo::new();
    let key = fake::github_pat(41);
    repo.commit_file("app.env", env(&key));
    repo.git(&["mv", "app.env", "new.env"]);
    is_clean(&repo.keysweep(&["--staged"]));
    repo.commit("rename");
    is_clean(&repo.keysweep(&["--range", "HEAD~1..HEAD"]));
}

#[test]
fn a_key_cut_from_one_file_and_pasted_into_another_is_nothing_new() {
    let repo = Repo::new();
    let key = fake::github_pat(42);
    repo.commit_file("app.env", format!("a=1\n{}b=2\n", env(&key)));
    repo.write("app.env", "a=1\nb=2\n");
    repo.write("other.env", env(&key));
    repo.git(&["add", "-A"]);
    is_clean(&repo.keysweep(&["--staged"]));
    repo.commit("move");
    is_clean(&repo.keysweep(&["--range", "HEAD~1..HEAD"]));
}

#[test]
fn a_copy_that_leaves_the_original_is_new() {
    let repo = Repo::new();
    let key = fake::github_pat(43);
    repo.commit_file("app.env", env(&key));
    repo.write("copy.env", env(&key));
    repo.git(&["add", "-A"]);
    let run = repo.keysweep(&["--staged"]);
    assert_eq!(only(&run, &key)["path"], "copy.env");
}

#[test]
fn nothing_staged_and_no_commit_yet() {
    let repo = Repo::new();
    let key = fake::github_pat(44);
    is_clean(&repo.keysweep(&["--staged"]));
    is_clean(&repo.keysweep(&[]));
    is_clean(&repo.keysweep(&["--unstaged"]));
    repo.write("app.env", env(&key));
    is_clean(&repo.keysweep(&["--staged"]));
    repo.git(&["add", "-A"]);
    let run = repo.keysweep(&["--staged"]);
    let finding = only(&run, &key);
    assert_eq!(
        (&finding["path"], &finding["line"]),
        (&"app.env".into(), &2.into())
    );
}

#[test]
fn an_ignored_file_that_was_forced_into_the_index() {
    let repo = Repo::new();
    let key = fake::github_pat(45);
    repo.commit_file(".gitignore", ".env\n");
    repo.write(".env", env(&key));
    is_clean(&repo.keysweep(&["--staged"]));
    repo.git(&["add", "-f", ".env"]);
    assert_eq!(only(&repo.keysweep(&["--staged"]), &key)["path"], ".env");
    let added = repo.commit("forced");
    let expected = Said::is(PAT, &added, ".env:2", true, &[MAIN]);
    says(&repo.keysweep(&[]), &key, &expected);
}

#[test]
fn a_merge_in_the_index_adds_what_neither_side_has() {
    let repo = Repo::new();
    let (theirs, key) = (fake::npm_token(46), fake::github_pat(46));
    repo.commit_file("app.env", "a=0\n");
    repo.git(&["switch", "-qc", "topic"]);
    repo.commit_file("their.env", env(&theirs));
    repo.commit_file("app.env", "a=1\n");
    repo.git(&["switch", "-q", "main"]);
    repo.commit_file("app.env", "a=2\n");
    assert!(!repo.try_git(&["merge", "-q", "topic"]), "a conflict");
    // What the other side brings was looked at when it was committed.
    is_clean(&repo.keysweep(&["--staged"]));
    repo.write("app.env", format!("a=3\nTOKEN={key}\n"));
    repo.git(&["add", "app.env"]);
    let run = repo.keysweep(&["--staged"]);
    assert_eq!(only(&run, &key)["path"], "app.env");
    run.hides(&theirs);
}

#[test]
fn removed_and_changed_modes_add_nothing() {
    let repo = Repo::new();
    let key = fake::github_pat(47);
    repo.commit_file("app.env", env(&key));
    repo.commit_file("other.env", env(&key));
    repo.git(&["rm", "-q", "other.env"]);
    repo.git(&["update-index", "--chmod=+x", "app.env"]);
    is_clean(&repo.keysweep(&["--staged"]));
}

#[test]
fn staged_with_another_index_file() {
    let repo = Repo::new();
    let key = fake::github_pat(48);
    repo.commit_file("README", "x\n");
    std::fs::copy(repo.dot_git().join("index"), repo.beside("index")).unwrap();
    repo.write("app.env", env(&key));
    repo.git(&["add", "-A"]);
    let mut other = program();
    other
        .current_dir(repo.path())
        .env("GIT_INDEX_FILE", repo.beside("index"))
        .args(["git", "--format", "jsonl", "--staged"]);
    is_clean(&Run::of(&mut other));
    only(&repo.keysweep(&["--staged"]), &key);
}

#[test]
fn unstaged_files() {
    let repo = Repo::new();
    let (staged, key, untracked) = (
        fake::npm_token(49),
        fake::github_pat(49),
        fake::gitlab_pat(49),
    );
    repo.commit_file("app.env", "none\n");
    repo.commit_file("b", "none\n");
    is_clean(&repo.keysweep(&["--unstaged"]));
    repo.write("b", env(&staged));
    // A file written just before the index counts as changed, since its time does not tell.
    let mut open = std::fs::File::options();
    let file = open.write(true).open(repo.path().join("b")).unwrap();
    let before = std::time::SystemTime::now() - Duration::from_secs(60);
    file.set_modified(before).unwrap();
    repo.git(&["add", "b"]);
    repo.write("app.env", env(&key));
    repo.write("untracked", env(&untracked));
    let run = repo.keysweep(&["--unstaged"]);
    assert_eq!(only(&run, &key)["path"], "app.env");
    run.hides(&staged);
    repo.remove("app.env");
    is_clean(&repo.keysweep(&["--unstaged"]));
}

#[test]
fn an_edit_that_git_is_told_to_overlook_is_unstaged() {
    let repo = Repo::new();
    let key = fake::github_pat(66);
    repo.commit_file("k", "none\n");
    repo.commit_file("gone", "none\n");
    repo.git(&["update-index", "--skip-worktree", "k", "gone"]);
    is_clean(&repo.keysweep(&["--unstaged"]));
    repo.remove("gone");
    repo.write("k", env(&key));
    assert_eq!(repo.git(&["status", "--porcelain"]), "");
    assert_eq!(only(&repo.keysweep(&["--unstaged"]), &key)["path"], "k");
}

/// Runs plain `keysweep` in the work tree.
fn plain(repo: &Repo) -> Run {
    Run::of(
        program()
            .current_dir(repo.path())
            .args(["--format", "jsonl"]),
    )
}

#[test]
fn a_staged_key_that_the_tree_shows_is_not_counted_as_hidden() {
    let repo = Repo::new();
    let (key, hidden) = (fake::github_pat(67), fake::npm_token(67));
    repo.commit_file("a", "none\n");
    repo.write("k", env(&key));
    repo.git(&["add", "k"]);
    let run = plain(&repo);
    only(&run, &key);
    assert_eq!(run.summary()["unreachable_hits"], 0, "{}", run.out);
    // What only the index holds is shown nowhere.
    repo.write("h", env(&hidden));
    repo.git(&["add", "h"]);
    repo.write("h", "none\n");
    let run = plain(&repo);
    only(&run, &key);
    assert_eq!(run.summary()["unreachable_hits"], 1, "{}", run.out);
}

#[test]
fn an_index_that_cannot_be_read_is_told_of() {
    let repo = Repo::new();
    let key = fake::github_pat(68);
    repo.write(".gitignore", "ignored\n");
    repo.commit("ignore");
    repo.write("ignored", env(&key));
    let run = plain(&repo);
    is_clean(&run);
    assert_eq!(run.summary()["notes"], Value::Null, "{}", run.out);
    repo.write(".git/index", "no index");
    let run = plain(&repo);
    // Nothing is left out where nobody knows what git tracks.
    only(&run, &key);
    let notes = &run.summary()["notes"];
    assert!(notes[0].to_string().contains("index"), "{notes}");
    assert_eq!(notes.as_array().map(Vec::len), Some(1), "{notes}");
}

#[test]
fn ranges_with_two_dots_and_three() {
    let repo = Repo::new();
    let (on_main, on_topic) = (fake::npm_token(50), fake::github_pat(50));
    repo.commit_file("README", "x\n");
    repo.git(&["switch", "-qc", "topic"]);
    let added = repo.commit_file("topic.env", env(&on_topic));
    repo.commit_file("topic.env", "none\n");
    repo.git(&["switch", "-q", "main"]);
    repo.commit_file("main.env", env(&on_main));
    repo.each_way(|repo| {
        for range in [
            "main..topic",
            "main...topic",
            "topic~2..topic",
            "topic~2..topic~1",
        ] {
            let run = repo.keysweep(&["--range", range]);
            let finding = only(&run, &on_topic);
            assert_eq!(finding["rule"], PAT, "{range}");
            assert_eq!(finding["commit"]["id"], added, "{range}");
            assert_eq!(finding["path"], "topic.env");
            assert_eq!(finding["line"], 2);
            run.hides(&on_main);
            let commits = if range == "topic~2..topic~1" { 1 } else { 2 };
            assert_eq!(run.summary()["commits"], commits, "{range}");
        }
        is_clean(&repo.keysweep(&["--range", "topic~1..topic"]));
        is_clean(&repo.keysweep(&["--range", "topic..topic"]));
        let run = repo.keysweep(&["--range", "topic..main"]);
        assert_eq!(only(&run, &on_main)["path"], "main.env");
        let run = repo.keysweep(&["--range", "topic.."]);
        assert_eq!(only(&run, &on_main)["path"], "main.env");
        for wrong in ["nowhere..main", "main..nowhere", "..", ""] {
            let run = repo.keysweep(&["--range", wrong]);
            assert_eq!(run.code, 2, "{wrong}: {}", run.out);
        }
    });
}

#[test]
fn a_range_tells_a_moved_key_from_a_new_one() {
    let repo = Repo::new();
    let key = fake::github_pat(51);
    repo.commit_file("app.env", env(&key));
    repo.commit_file("app.env", format!("# more\n{}", env(&key)));
    let run = repo.keysweep(&["--range", "HEAD~1..HEAD"]);
    is_clean(&run);
    run.hides(&key);
}

#[test]
fn since_a_date_or_a_commit() {
    let repo = Repo::new();
    let (old, new) = (fake::npm_token(52), fake::github_pat(52));
    let first = repo.commit_file("old.env", env(&old)); // 2024-01-01
    repo.wait(30);
    let second = repo.commit_file("new.env", env(&new)); // 2024-02-01
    repo.each_way(|repo| {
        for since in ["2024-01-15", "2024-02-01", "2024-01-02T00:00:00Z", &first] {
            let run = repo.keysweep(&["--since", since]);
            let expected = Said::is(PAT, &second, "new.env:2", true, &[MAIN]);
            says(&run, &new, &expected);
            run.hides(&old);
        }
        for since in ["2023-12-31", "2024-01-01", "100 years ago"] {
            assert_eq!(repo.keysweep(&["--since", since]).findings().len(), 2);
        }
        for since in ["2024-02-02", "1 second ago", "HEAD", "main"] {
            is_clean(&repo.keysweep(&["--since", since]));
        }
        for wrong in ["2024-02-30", "yesterday-ish"] {
            assert_eq!(repo.keysweep(&["--since", wrong]).code, 2, "{wrong}");
        }
    });
}

#[test]
fn one_branch_alone() {
    let repo = Repo::new();
    let (on_main, on_topic) = (fake::npm_token(53), fake::github_pat(53));
    repo.commit_file("README", "x\n");
    repo.git(&["switch", "-qc", "topic"]);
    let added = repo.commit_file("topic.env", env(&on_topic));
    repo.git(&["switch", "-q", "main"]);
    repo.commit_file("main.env", env(&on_main));
    repo.each_way(|repo| {
        let run = repo.keysweep(&["--branch", "topic"]);
        let expected = Said::is(PAT, &added, "topic.env:2", false, &["refs/heads/topic"]);
        says(&run, &on_topic, &expected);
        assert_eq!(run.summary()["commits"], 2);
        let run = repo.keysweep(&["--branch", "topic", "--branch", "main"]);
        assert_eq!(run.findings().len(), 2);
        assert_eq!(run.summary()["commits"], 3);
        is_clean(&repo.keysweep(&["--branch", "topic~1"]));
        let run = repo.keysweep(&["--branch", "nowhere"]);
        assert_eq!(run.code, 2);
        assert!(run.err.contains("nowhere"), "{}", run.err);
    });
}

// ---------------------------------------------------------------------------------------------
// Numbers, and the two engines

#[test]
fn the_summary_counts_as_git_does() {
    let repo = Repo::new();
    for number in 0..12 {
        repo.commit_file(&format!("d{}/f", number % 3), format!("{number}\n"));
    }
    repo.git(&["switch", "-qc", "topic", "HEAD~4"]);
    repo.commit_file("t", "t\n");
    repo.git(&["merge", "-q", "--no-edit", "main"]);
    repo.git(&["tag", "-a", "v1", "-m", "one"]);
    repo.git(&["notes", "add", "-m", "note"]);
    repo.write("t", "stashed");
    repo.git(&["stash", "-q"]);
    repo.each_way(|repo| {
        let run = repo.keysweep(&[]);
        is_clean(&run);
        let commits: u64 = repo.git(&["rev-list", "--all", "--count"]).parse().unwrap();
        let listed = repo.git(&["cat-file", "--batch-all-objects", "--batch-check"]);
        assert_eq!(run.summary()["commits"], commits);
        assert_eq!(run.summary()["objects"], listed.lines().count());
    });
}

/// How many histories the two engines are compared on; each takes about a second in a debug build.
const HISTORIES: u64 = 6;

/// A text file's content after one more edit of the kind that is hard along deltas.
fn edited(text: &str, random: &mut fake::Rng) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let at = random.below(lines.len() + 1);
    let seed = random.number() >> 8;
    match random.below(13) {
        // A copied prefix is completed, or cut again.
        0 => {
            let key = fake::github_pat(seed % 4);
            let cut = 4 + random.below(36);
            let known = lines.iter().position(|line| line.starts_with("half="));
            let line = format!("half={}", &key[..cut]);
            match known {
                Some(at) => {
                    let whole = if random.below(2) == 0 { key } else { line };
                    lines[at] = format!("half={}", whole.trim_start_matches("half="));
                }
                None => lines.insert(at, line),
            }
        }
        // A body comes under a header that stood there alone.
        1 => {
            let pem = fake::rsa_pem(seed % 3);
            let header = pem.lines().next().unwrap();
            match lines.iter().position(|line| line == header) {
                Some(at) if lines.get(at + 1).is_none_or(|l| l.len() != 64) => {
                    let body: Vec<String> = pem.lines().skip(1).map(str::to_owned).collect();
                    let rest = lines.split_off(at + 1);
                    lines.extend(body.into_iter().chain(rest));
                }
                Some(at) => drop(lines.drain(at + 1..(at + 9).min(lines.len()))),
                None => lines.insert(at, header.to_owned()),
            }
        }
        // One long line in which keys come and go.
        2 => {
            let mut line = String::new();
            for number in 0..400 {
                let _ = write!(line, "var a{number}={};", random.below(1000));
                if random.below(150) == 0 {
                    let _ = write!(line, "k=\"{}\";", fake::npm_token(seed % 5));
                }
            }
            match lines.iter().position(|line| line.starts_with("var ")) {
                Some(at) => {
                    let middle = lines[at].len() / 2;
                    let middle = lines[at][..middle].rfind(';').map_or(0, |at| at + 1);
                    let key = format!("t='{}';", fake::slack_bot(seed % 5));
                    lines[at].insert_str(middle, &key);
                }
                None => lines.insert(at, line),
            }
        }
        3 => {
            use base64::Engine as _;
            let inner = format!(
                "pad{} token={}\n",
                "x".repeat(random.below(3)),
                fake::github_pat(seed % 6)
            );
            let coded = base64::engine::general_purpose::STANDARD.encode(inner);
            lines.insert(at, format!("data: {coded}"));
        }
        4 => {
            let coded: String = fake::npm_token(seed % 6)
                .bytes()
                .map(|b| format!("{b:02x}"))
                .collect();
            lines.insert(at, format!("hex={coded}"));
        }
        // Lines move.
        5 if lines.len() > 2 => {
            let from = random.below(lines.len());
            let line = lines.remove(from);
            lines.insert(random.below(lines.len() + 1), line);
        }
        // A part of the file is gone.
        6 if lines.len() > 4 => {
            let from = random.below(lines.len() - 2);
            lines.drain(from..from + 2);
        }
        // An edit inside a line, at any place.
        7 if !lines.is_empty() => {
            let at = at.min(lines.len() - 1);
            let place = random.below(lines[at].len() + 1);
            let length = 1 + random.below(4);
            let text = random.text("abc =\"'", length);
            lines[at].insert_str(place, &text);
        }
        8 => {
            let id = fake::aws_key_id(seed % 3);
            lines.insert(at, format!("aws_access_key_id = {id}"));
            let at = (at + random.below(6)).min(lines.len());
            let secret = fake::aws_secret(seed % 3);
            lines.insert(at, format!("aws_secret_access_key = {secret}"));
        }
        // Escapes right before a key, or between a name and its value; the edits above cut them, too.
        9 => {
            let key = fake::github_pat(seed % 6);
            let before = [
                "%22",
                "token%3D",
                "\\u003d",
                "\x1b[31m",
                "\\033[1;31m",
                "=3D",
                "x",
            ];
            let before = before[random.below(before.len())];
            let after = ["%26a", "\\u0026", "\x1b[0m", "=", ""][random.below(5)];
            lines.insert(at, format!("{before}{key}{after}"));
        }
        10 => {
            let key = fake::password(seed % 4);
            let lists = [
                ["\\u0022password\\u0022:\\u0022", "\\u0022"],
                ["password%3D", "%26x=1"],
                ["\x1b[34mpassword\x1b[0m: \x1b[32m\"", "\"\x1b[0m"],
                ["&quot;password&quot;:&quot;", "&quot;"],
                ["password=3D", "=20a=3D1"],
            ];
            let [before, after] = lists[random.below(lists.len())];
            lines.insert(at, format!("{before}{key}{after}"));
        }
        _ => {
            let words = random.text("abcdefgh  ", 60);
            lines.insert(at, words);
        }
    }
    lines.join("\n") + "\n"
}

#[test]
fn the_pack_walk_finds_what_scanning_each_object_whole_finds() {
    for seed in 0..HISTORIES {
        let mut random = fake::Rng::new(seed);
        let repo = Repo::new();
        // Of some length, so that git makes deltas.
        let mut files: Vec<String> = (0..2)
            .map(|_| {
                let lines = (0..60).map(|_| random.text("abcdefghijk    ", 50) + "\n");
                lines.collect()
            })
            .collect();
        let mut stream = String::new();
        for commit in 0..60_u64 {
            let which = random.below(files.len());
            for _ in 0..=random.below(3) {
                files[which] = edited(&files[which], &mut random);
            }
            let file = &files[which];
            let time = FIRST_DAY + commit * DAY;
            let _ = write!(
                stream,
                "commit refs/heads/main\nmark :{}\ncommitter A <a@example.org> {time} +0000\ndata 1\nm\n",
                commit + 1
            );
            if commit > 0 {
                let _ = writeln!(stream, "from :{commit}");
            }
            let length = file.len();
            let _ = write!(
                stream,
                "M 100644 inline dir/file{which}.js\ndata {length}\n{file}\n"
            );
        }
        repo.git_with(&["fast-import", "--quiet", "--force"], stream.as_bytes());
        repo.repack();
        // Rules without literals are along for the way, and one whose keyword comes and goes.
        let rules = repo.beside("everywhere.toml");
        std::fs::write(&rules, everywhere::RULES).unwrap();
        let rules = rules.to_str().unwrap();
        let common = ["--show-suppressed", "--rules", rules];
        let (code, delta) = repo.report(&common);
        assert_eq!(code, 1, "history {seed} holds keys");
        for rule in ["far-apart", "far-gated", "far-run"] {
            assert!(delta.contains(rule), "history {seed}: {rule}");
        }
        for other in [
            &["--engine", "whole", "--threads", "1"][..],
            &["--threads", "1"],
            &["--threads", "4"],
        ] {
            let (other_code, report) = repo.report(&[&common[..], other].concat());
            assert_eq!(code, other_code);
            for (a, b) in delta.lines().zip(report.lines()) {
                assert_eq!(a, b, "history {seed}, {other:?}");
            }
            assert_eq!(delta.len(), report.len(), "history {seed}, {other:?}");
        }
    }
}

#[test]
fn a_path_inside_a_repository_and_one_that_is_in_none() {
    let repo = Repo::new();
    let key = fake::github_pat(54);
    let added = repo.commit_file("a/b/app.env", env(&key));
    let run = repo.keysweep_in("work/a/b", &[]);
    says(
        &run,
        &key,
        &Said::is(PAT, &added, "a/b/app.env:2", true, &[MAIN]),
    );
    let run = repo.keysweep_in(".", &["work/a"]);
    assert_eq!(only(&run, &key)["path"], "a/b/app.env");
    let none = tempfile::tempdir().unwrap();
    let mut command = program();
    let run = Run::of(command.current_dir(none.path()).arg("git"));
    assert_eq!(run.code, 2);
    assert!(run.err.contains("not in a git repository"), "{}", run.err);
    let mut command = program();
    let run = Run::of(command.arg("git").arg(Path::new("/nowhere/at/all")));
    assert_eq!(run.code, 2);
}

#[test]
fn a_long_history_ends_soon() {
    let repo = Repo::new();
    let key = fake::github_pat(55);
    let mut stream = String::new();
    for commit in 1..=3000_u64 {
        let time = FIRST_DAY + commit;
        let _ = write!(
            stream,
            "commit refs/heads/main\nmark :{commit}\ncommitter A <a@example.org> {time} +0000\ndata 1\nm\n"
        );
        if commit > 1 {
            let _ = writeln!(stream, "from :{}", commit - 1);
        }
        let text = format!(
            "{commit}\n{}",
            if commit < 2000 {
                env(&key)
            } else {
                String::new()
            }
        );
        let _ = write!(
            stream,
            "M 100644 inline a/b/c/file\ndata {}\n{text}\n",
            text.len()
        );
    }
    repo.git_with(&["fast-import", "--quiet", "--force"], stream.as_bytes());
    let started = std::time::Instant::now();
    let run = repo.keysweep(&[]);
    assert!(started.elapsed() < Duration::from_secs(60));
    let finding = only(&run, &key);
    assert_eq!(finding["introductions"], 1);
    assert_eq!(finding["line"], 3);
    assert_eq!(finding["commit"]["id"], repo.id("main~2999"));
    assert_eq!(finding["last_commit"]["id"], repo.id("main~1001"));
    assert_eq!(run.summary()["commits"], 3000);
}

#[test]
fn names_of_files_that_are_added_are_scanned() {
    let repo = Repo::new();
    repo.commit_file("README", "x\n");
    let (key, other) = (fake::github_pat(90), fake::github_pat(91));
    let (file, folder) = (format!("{key}.txt"), format!("{other}/deep/a.txt"));
    repo.write(&file, "hi\n");
    repo.write(&folder, "hi\n");
    repo.git(&["add", "-A"]);
    let check = |run: Run, commit: Option<&str>| {
        let run = run.ends_with(1);
        let found = run.findings();
        assert_eq!(found.len(), 2, "{}", run.out);
        for finding in &found {
            let place = &finding["places"][0];
            assert_eq!(place["origin"], "name", "{}", run.out);
            assert_eq!(place["commit"].as_str(), commit);
        }
        assert!(!run.out.contains(&key) && !run.out.contains(&other));
    };
    check(repo.keysweep(&["--staged"]), None);
    repo.keysweep(&["--staged", "--no-metadata"]).ends_with(0);
    let commit = repo.commit("names");
    check(repo.keysweep(&["--range", "HEAD~1..HEAD"]), Some(&commit));
    repo.keysweep(&["--range", "HEAD~1..HEAD", "--no-metadata"])
        .ends_with(0);
    // The name was there before: another content adds nothing.
    repo.write(&file, "other\n");
    repo.git(&["add", "-A"]);
    repo.keysweep(&["--staged"]).ends_with(0);
    repo.commit("content");
    repo.keysweep(&["--range", "HEAD~1..HEAD"]).ends_with(0);
    // A new name for an old content.
    let third = fake::github_pat(92);
    repo.git(&["mv", "README", &format!("{third}.md")]);
    let run = repo.keysweep(&["--staged"]).ends_with(1);
    assert_eq!(run.only_finding()["places"][0]["origin"], "name");
}

#[test]
fn a_mark_in_a_file_does_not_cover_its_name() {
    let repo = Repo::new();
    repo.commit_file("README", "x\n");
    let key = fake::github_pat(93);
    repo.commit_file(
        &format!("{key}.env"),
        format!("TOKEN={key}  # keysweep:allow\n"),
    );
    let run = repo.keysweep(&["--range", "HEAD~1..HEAD"]).ends_with(1);
    assert_eq!(run.only_finding()["places"][0]["origin"], "name");
}

#[test]
fn a_named_repository_counts_more_than_gits_environment() {
    let repo = Repo::new();
    let key = fake::github_pat(61);
    let added = repo.commit_file("app.env", env(&key));
    repo.commit_file("app.env", "none\n");
    repo.git_in(".", &["init", "-q", "-b", "main", "clean"]);
    write(&repo.beside("clean/README"), "hello\n");
    repo.git_in("clean", &["add", "-A"]);
    repo.git_in("clean", &["commit", "-qm", "clean"]);
    let run = |git_dir: &Path, arguments: &[&str]| {
        let mut program = program();
        let arguments = [arguments, &["--format", "jsonl"]].concat();
        program.current_dir(repo.beside("clean")).args(arguments);
        Run::of(
            program
                .env("GIT_DIR", git_dir)
                .env("GIT_INDEX_FILE", "/nowhere")
                .env("GIT_OBJECT_DIRECTORY", repo.beside("clean/.git/objects")),
        )
    };
    let named = repo.path().display().to_string();
    for git_dir in ["clean/.git", "nowhere"] {
        for arguments in [&["git", &*named][..], &["scan", "--history", &named]] {
            let run = run(&repo.beside(git_dir), arguments);
            assert_eq!(only(&run, &key)["commit"]["id"], added);
        }
    }
    // Without a name, the environment says which repository is meant, as in a hook.
    let mut program = program();
    program
        .current_dir(repo.beside("clean"))
        .args(["git", "--format", "jsonl"]);
    let run = Run::of(program.env("GIT_DIR", repo.dot_git()));
    assert_eq!(only(&run, &key)["commit"]["id"], added);
}

#[test]
fn globs_of_a_scan_hold_for_the_history_too() {
    let repo = Repo::new();
    let (key, other) = (fake::github_pat(62), fake::npm_token(62));
    repo.commit_file("top", env(&key));
    repo.commit_file("sub/app.env", env(&other));
    repo.commit_file("top", "none\n");
    repo.commit_file("sub/app.env", "none\n");
    let scan = |arguments: &[&str]| {
        let arguments = [&["scan", "--history", "--format", "jsonl"], arguments].concat();
        let run = Run::of(program().current_dir(repo.path()).args(arguments));
        let mut paths: Vec<String> = run
            .findings()
            .iter()
            .map(|f| f["path"].as_str().unwrap().to_owned())
            .collect();
        paths.sort();
        paths
    };
    assert_eq!(scan(&[]), ["sub/app.env", "top"]);
    assert_eq!(scan(&["--exclude", "top"]), ["sub/app.env"]);
    assert_eq!(scan(&["--include", "top"]), ["top"]);
    assert_eq!(scan(&["--include", "top", "--exclude", "top"]), [""; 0]);
}

#[test]
fn what_since_does_not_understand_is_told_with_what_it_does() {
    let repo = Repo::new();
    repo.commit_file("README", "hello\n");
    for text in ["yesterday", "last week", "2026-01", "1y"] {
        let run = repo.keysweep(&["--since", text]);
        assert_eq!(run.code, 2);
        assert!(run.err.contains(text), "{}", run.err);
        assert!(run.err.contains("2026-01-31"), "{}", run.err);
        assert!(run.err.contains("2 weeks ago"), "{}", run.err);
    }
    repo.git_in(".", &["clone", "-q", "--bare", "work", "bare.git"]);
    let run = repo.keysweep_in("bare.git", &["--staged"]);
    assert_eq!(run.code, 2);
    assert!(run.err.contains("bare"), "{}", run.err);
}
