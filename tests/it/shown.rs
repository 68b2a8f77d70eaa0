//! What of a scanned line is shown: nothing of a secret, of what is glued to it, or of another one beside it, in any format.

use crate::support::fake::{Rng, aws_key_id, aws_secret, fix_checksum, github_pat};
use crate::support::{Run, Tree};

const FORMATS: [&str; 9] = [
    "text", "json", "jsonl", "sarif", "html", "csv", "markdown", "gitlab", "github",
];
const HEX: &str = "0123456789abcdef";
const LETTERS: &str = "abcdefghjkmnpqrstuvwxyzABCDEFGHJKMNPQRSTUVWXYZ";
const WORD: &str = "abcdefghjkmnpqrstuvwxyzABCDEFGHJKMNPQRSTUVWXYZ23456789";

/// Runs the scan in each format, and gives the reports; some finding must be there.
fn reports(tree: &Tree) -> Vec<(&'static str, Run)> {
    let run = |format| {
        let arguments = ["scan", "--format", format, "--min-confidence", "low"];
        (format, tree.run(&arguments).ends_with(1))
    };
    FORMATS.into_iter().map(run).collect()
}

#[track_caller]
fn hides_all(tree: &Tree, secrets: &[String]) {
    for (format, run) in reports(tree) {
        for secret in secrets {
            let text = [&run.out, &run.err].map(String::as_str).concat();
            assert!(!text.contains(secret), "{format} shows {secret}:\n{text}");
        }
    }
}

#[test]
fn both_machine_keys_are_secrets_in_either_order() {
    let mut rng = Rng::new(61);
    let keys: Vec<String> = [128, 64, 48, 128]
        .map(|length| rng.text("0123456789ABCDEF", length))
        .to_vec();
    let tree = Tree::new().with(
        "web.config",
        format!(
            "<machineKey validationKey=\"{}\" decryptionKey=\"{}\" validation=\"SHA1\"/>\n\
             <machineKey decryptionKey=\"{}\" decryption=\"AES\" validationKey=\"{},IsolateApps\"/>\n",
            keys[0], keys[1], keys[2], keys[3]
        ),
    );
    let rules = tree.scan(&[]).ends_with(1).rules();
    assert_eq!(rules, ["aspnet-machine-key"; 4]);
    // No more of them than the digits that a public beginning would have.
    let pieces: Vec<String> = keys
        .iter()
        .map(|key| key[key.len() - 16..].to_owned())
        .collect();
    hides_all(&tree, &pieces);
    let pieces: Vec<String> = keys.iter().map(|key| key[..16].to_owned()).collect();
    hides_all(&tree, &pieces);
}

#[test]
fn the_rest_of_a_password_that_a_sign_cuts_is_not_shown() {
    let mut rng = Rng::new(62);
    let signs = [')', ']', '}', '{', '<', '>', '&', ';', ',', '|', '@'];
    let forms: [(&str, &str); 8] = [
        ("a.conf", "password={}\n"),
        ("b.conf", "db.password = {}\n"),
        ("a.yml", "password: {}\n"),
        ("a.xml", "<password>{}</password>\n"),
        ("a.sh", "curl -u 'bob:{}' https://h.acme.io\n"),
        ("b.sh", "mysql -u root -p'{}' orders\n"),
        (
            "a.properties",
            "url=jdbc:mysql://db.acme.io/x?user=app&password={}\n",
        ),
        ("a.txt", "https://app:{}@db.acme.io/x\n"),
    ];
    for (path, form) in forms {
        let (mut text, mut rests) = (String::new(), Vec::new());
        for sign in signs {
            // An element ends there, and so does a word that goes on in a pipe or a file of a shell; a URL has no blank signs.
            let ends = sign == '<' && path == "a.xml" || "<>".contains(sign) && path == "a.txt";
            let rest = rng.text(LETTERS, 8);
            let value = format!("{}7{sign}{rest}", rng.text(WORD, 8));
            if !ends {
                text.push_str(&form.replace("{}", &value));
                rests.push(rest);
            }
        }
        let tree = Tree::new().with(path, &text);
        let lines: Vec<u64> = tree
            .scan(&["--min-confidence", "low"])
            .findings()
            .iter()
            .flat_map(|finding| finding["places"].as_array().unwrap().clone())
            .map(|place| place["line"].as_u64().unwrap())
            .collect();
        assert!(lines.len() >= 5, "{path}: too few are found: {lines:?}");
        let found: Vec<String> = rests
            .iter()
            .enumerate()
            .filter(|(line, _)| lines.contains(&(*line as u64 + 1)))
            .map(|(_, rest)| rest.clone())
            .collect();
        hides_all(&tree, &found);
        for line in lines {
            let place = format!("{path}:{line}");
            let told = tree.run(&["scan", "--explain", &place]);
            let rest = &rests[usize::try_from(line).unwrap() - 1];
            assert!(!told.out.contains(rest), "{}", told.out);
        }
    }
}

#[test]
fn a_host_stands_behind_the_last_sign_of_a_login() {
    let mut rng = Rng::new(63);
    let password = format!("{}4@{}", rng.text(WORD, 9), rng.text(LETTERS, 9));
    let tree = Tree::new().with("a.txt", format!("https://app:{password}@db.acme.io/x\n"));
    let finding = tree.scan(&["--show-secrets"]).only_finding();
    assert_eq!(finding["secret"], password);
    assert_eq!(finding["parts"]["host"], "db.acme.io");
}

#[test]
fn a_user_that_looks_generated_is_no_name() {
    let mut rng = Rng::new(64);
    let (user, password) = (rng.text(HEX, 32), format!("{}5", rng.text(WORD, 11)));
    let line = format!("remote = https://{user}:{password}@git.acme.io/x\n");
    let tree = Tree::new().with("a.conf", line);
    hides_all(&tree, &[user, password]);
    let tree = Tree::new().with(
        "a.conf",
        format!(
            "remote = https://deploy-bot:{}5@git.acme.io/x\n",
            rng.text(WORD, 11)
        ),
    );
    let shown = tree.run(&["scan"]).ends_with(1).out;
    assert!(shown.contains("https://deploy-bot:"), "{shown}");
}

#[test]
fn reports_hide_the_neighbours_that_explain_hides() {
    let mut rng = Rng::new(65);
    let hidden = [
        rng.text(HEX, 32),
        rng.text(HEX, 64),
        format!("{}3", rng.text(WORD, 24)),
        rng.text(WORD, 50),
    ];
    let [key, token, consumer, secret] = &hidden;
    let tree = Tree::new().with(
        "pairs.txt",
        format!("trello_key={key} trello_token={token}\nconsumer_key={consumer} consumer_secret={secret}\n"),
    );
    hides_all(&tree, &hidden);
    for line in ["pairs.txt:1", "pairs.txt:2"] {
        let told = tree.run(&["scan", "--explain", line]);
        for secret in &hidden {
            told.hides(secret);
        }
    }
    // Names with numbers are names.
    let line =
        format!("deploy_key_v2_eu_west_1_prod=x2024_backup_set_17_of_20 api_token={token}\n");
    let tree = Tree::new().with("a.env", line);
    let shown = tree.scan(&[]).ends_with(1).out;
    assert!(shown.contains("deploy_key_v2_eu_west_1_prod="), "{shown}");
}

#[test]
fn what_is_not_reported_is_not_shown_beside_a_finding() {
    let token = Rng::new(66).text(HEX, 64);
    let value = "MarmaladeSandwich";
    let text = format!("{{\"api_key\": \"{value}\", \"api_token\": \"{token}\"}}\n");
    let tree = Tree::new().with("notes.json", &text);
    tree.scan(&["--min-confidence", "low"]).only_finding();
    let told = tree.run(&["scan", "--explain", "notes.json:1"]);
    assert!(told.out.contains("dropped"), "{}", told.out);
    told.hides(value);
    hides_all(&tree, &[value.to_owned(), token]);
}

#[test]
fn rows_of_a_consoles_credentials_show_no_password() {
    let mut rng = Rng::new(67);
    let password = format!("{}9$aX!", rng.text(WORD, 8));
    let (id, secret) = (aws_key_id(67), aws_secret(67));
    let tree = Tree::new().with(
        "credentials.csv",
        format!(
            "User name,Password,Access key ID,Secret access key,Console login link\r\n\
             bob,{password},{id},{secret},https://123456789012.signin.aws.amazon.com/console\r\n"
        ),
    );
    hides_all(&tree, &[password, id, secret]);
    let shown = tree.run(&["scan"]).out;
    assert!(
        shown.contains("bob,") && shown.contains("signin.aws"),
        "{shown}"
    );
}

#[test]
fn a_word_in_a_token_whose_check_digits_fit_is_chance() {
    for word in ["fake", "xxxx", "test", "example"] {
        let mut token = github_pat(68).into_bytes();
        token[12..12 + word.len()].copy_from_slice(word.as_bytes());
        let broken = String::from_utf8(token.clone()).unwrap();
        fix_checksum("github-crc32", &mut token);
        let token = String::from_utf8(token).unwrap();
        let found = |text: &str| {
            let tree = Tree::new().with("a.env", format!("TOKEN={text}\n"));
            tree.scan(&[]).rules()
        };
        assert_eq!(found(&token), ["github-pat-classic"], "{word}");
        assert_ne!(found(&broken), ["github-pat-classic"], "{word}");
    }
}
