//! Forms in which secrets stand in files of many languages: each is found with random values, none by its placeholders.

use keysweep::model::Confidence;
use keysweep::scan::Options;

use crate::support::fake::Rng;
use crate::support::found;

const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const HEX: &str = "0123456789abcdef";

/// A path, a text with `{}` in place of the secret, and how long that is.
const FORMS: [(&str, &str, usize); 40] = [
    ("a.rs", "const API_KEY: &str = \"{}\";", 24),
    ("a.rs", "static DB_PASSWORD: &'static str = \"{}\";", 14),
    ("a.ts", "const apiKey: string = '{}';", 24),
    ("a.ts", "  readonly apiToken?: string = '{}';", 24),
    ("a.py", "API_KEY: str = \"{}\"", 24),
    ("a.py", "def f(user: str, password: str = \"{}\"):", 14),
    ("a.py", "client_secret: Optional[str] = \"{}\"", 24),
    ("a.kt", "val apiKey: String = \"{}\"", 24),
    ("a.swift", "let password: String = \"{}\"", 14),
    ("a.go", "var apiKey string = \"{}\"", 24),
    ("a.go", "var jwtSecret = []byte(\"{}\")", 24),
    ("a.vb", "Dim dbPassword As String = \"{}\"", 14),
    ("a.bicep", "param adminPassword string = '{}'", 14),
    ("a.c", "char password[32] = \"{}\";", 14),
    ("a.c", "#define API_KEY \"{}\"", 24),
    ("a.h", "#define WIFI_PASSWORD \"{}\"", 14),
    ("a.sql", "CREATE USER app WITH ENCRYPTED PASSWORD '{}';", 14),
    ("a.sql", "CREATE USER 'app'@'%' IDENTIFIED BY '{}';", 14),
    ("a.gradle", "    storePassword \"{}\"\n", 14),
    (
        "a.ps1",
        "$p = ConvertTo-SecureString \"{}\" -AsPlainText",
        14,
    ),
    ("a.ps1", "Connect-Foo -ApiKey {} -Verbose", 24),
    ("a.r", "api_key <- \"{}\"", 24),
    ("a.el", "(setq api-key \"{}\")", 24),
    ("a.rb", "ENV['API_KEY'] ||= '{}'", 24),
    ("a.plist", "<key>APIKey</key>\n<string>{}</string>", 24),
    ("a.json", "{\"adminPassword\": {\"value\": \"{}\"}}", 14),
    ("a.py", "T = config(\"API_TOKEN\", default=\"{}\")", 24),
    ("a.java", "@Value(\"${api.key:{}}\")", 24),
    ("nginx.conf", "proxy_set_header X-Api-Key {};", 24),
    ("a.sh", "tool --api-key {} --verbose", 24),
    ("a.sh", "tool --password '{}'", 14),
    ("a.yaml", "args:\n  - --api-key\n  - {}\n", 24),
    (
        "a.yaml",
        "command: [\"redis-server\", \"--requirepass\", \"{}\"]",
        14,
    ),
    ("redis.conf", "requirepass {}\n", 14),
    ("a.py", "smtp.login(\"me@acme.io\", \"{}\")", 14),
    (
        "a.php",
        "$db = new PDO(\"mysql:host=db\", \"shop\", \"{}\");",
        14,
    ),
    ("a.js", "jwt.sign({ id: user.id }, '{}')", 14),
    ("a.sh", "git clone https://{}@git.acme.io/shop.git", 24),
    ("a.sh", "curl -u {}: https://api.acme.io/v1", 24),
    ("a.env", "APP_SECRET={}\n", 13),
];

/// How many of `count` texts give exactly their secret at medium or more.
fn hits(path: &str, form: &str, count: u64, secret: impl Fn(&mut Rng) -> String) -> u64 {
    let mut rng = Rng::new(
        form.bytes()
            .fold(11, |n, b| (n * 31 + u64::from(b)) & 0xffff),
    );
    (0..count)
        .filter(|_| {
            let secret = secret(&mut rng);
            let text = form.replace("{}", &secret);
            let at = form.find("{}").unwrap() as u64;
            let all = found(path, text.as_bytes(), &Options::default());
            all.iter().any(|f| {
                Confidence::of_score(f.score) >= Confidence::Medium
                    && f.places.iter().any(|p| p.span.start == at)
            })
        })
        .count() as u64
}

/// Random, with a digit, a capital and a small letter inside, as generators of passwords make them.
fn mixed(rng: &mut Rng, length: usize) -> String {
    loop {
        let text = rng.text(ALPHABET, length);
        let inner = &text.as_bytes()[1..length - 1];
        let has = |sort: fn(&u8) -> bool| inner.iter().any(sort);
        if has(u8::is_ascii_digit) && has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase) {
            return text;
        }
    }
}

#[test]
fn a_random_value_is_found_in_each_form() {
    let wrong: Vec<String> = FORMS
        .iter()
        .filter_map(|(path, form, length)| {
            let hits = hits(path, form, 60, |rng| mixed(rng, *length));
            (hits < 56).then(|| format!("{path}: {form}: {hits} of 60"))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_variable_or_a_word_is_found_in_no_form() {
    for (path, form, _) in FORMS {
        for value in [
            "password",
            "changeme",
            "${SECRET_2}",
            "{{ secret_2 }}",
            "YOUR_API_KEY_12345678901",
        ] {
            assert_eq!(
                hits(path, form, 1, |_| value.to_owned()),
                0,
                "{form}: {value}"
            );
        }
    }
}

#[test]
fn hexadecimal_keys_are_found_however_short() {
    for (form, length) in [
        ("api_key = \"{}\"", 16),
        ("token = \"{}\"", 20),
        ("client_secret = \"{}\"", 24),
        ("auth_token = \"{}\"", 30),
    ] {
        let hits = hits("a.py", form, 400, |rng| {
            loop {
                let text = rng.text(HEX, length);
                let digits = text.bytes().filter(u8::is_ascii_digit).count();
                if digits > 0 && digits < length {
                    return text;
                }
            }
        });
        assert!(hits >= 394, "{form}: {hits} of 400");
    }
}

#[test]
fn notebooks_are_program_text_and_minified_scripts_hold_keys() {
    for form in [
        "{\"source\": [\"password = '{}'\\n\"]}",
        "{\"source\": [\"password = \\\"{}\\\"\\n\"]}",
        "{\"source\": [\"os.environ[\\\"DB_PASSWORD\\\"] = \\\"{}\\\"\\n\"]}",
    ] {
        let hits = hits("a.ipynb", form, 40, |rng| mixed(rng, 14));
        assert!(hits >= 37, "{form}: {hits} of 40");
    }
    let form = "var a={apiKey:\"{}\",b:1};";
    let hits_of = |length| hits("a.min.js", form, 40, |rng| mixed(rng, length));
    assert!(hits_of(32) >= 37, "{}", hits_of(32));
    assert_eq!(hits_of(16), 0);
}

#[test]
fn the_name_of_a_typed_declaration_counts_not_its_type() {
    for form in [
        "const API_KEY_NAME: &str = \"{}\";",
        "const tokenUrl: string = '{}';",
        "var secretPath string = \"{}\"",
        "password_hash: Optional[str] = \"{}\"",
    ] {
        assert_eq!(hits("a.rs", form, 10, |rng| mixed(rng, 20)), 0, "{form}");
    }
}
