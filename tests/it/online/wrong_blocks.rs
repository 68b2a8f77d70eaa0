//! Blocks of rule files that would prove or end keys wrongly are refused, each with the mend.

use crate::support::Tree;

const RULE: &str = r#"provider = "Acme"
homepage = "https://acme.example.com"

[[rule]]
id = "acme-token"
name = "Acme token"
severity = "high"
confidence = "high"
link = "https://acme.example.com/docs"
remedy = "Revoke it."
literals = ["acme_"]
pattern = '(?:^|[^0-9A-Za-z])(?<secret>acme_[0-9A-Za-z]{24})(?:[^0-9A-Za-z]|$)'
examples = ['acme_{-}0Vt9Rw3Np7Yb1Kq2Lm5Zx8Cd']
counterexamples = ['acme_short']
verify = "user"
revoke = "token"

[verify.user]
source = "https://acme.example.com/docs"
request = { url = "https://api.acme.example.com/user", headers = { Authorization = "Bearer {secret}" } }
answer = [
  { status = [200], when = [{ at = "/login", present = true }], means = "active", example = '{"login":"jo"}' },
  { status = [401], when = [{ at = "/message", equals = ["Bad credentials"] }], means = "inactive", reason = "it was revoked", example = '{"message":"Bad credentials"}' },
]

[revoke.token]
source = "https://acme.example.com/docs/revoke"
authority = "owner"
needs = ["token"]
object = "the token {found}"
find = { request = { url = "https://api.acme.example.com/tokens", headers = { Authorization = "Bearer {owner.token}" } }, list = "/tokens", row = [{ at = "/value", equals = "{secret}" }], id = "/id" }
request = { method = "DELETE", url = "https://api.acme.example.com/tokens/{found}", headers = { Authorization = "Bearer {owner.token}" } }
answer = [
  { status = [204], means = "done" },
]
"#;

/// What is changed, into what, and what is said of it.
const WRONG: [(&str, &str, &str); 21] = [
    (
        "https://api.acme.example.com/user",
        "http://api.acme.example.com/user",
        "https://",
    ),
    (
        "https://api.acme.example.com/user",
        "https://{host}/user",
        "self_hosted",
    ),
    (
        "headers = { Authorization = \"Bearer {secret}\" } }\nanswer",
        "form = { a = \"{secret}\" }, json = '{}' }\nanswer",
        "exclude each other",
    ),
    (
        "{ status = [200], when",
        "{ status = [20], when",
        "100 to 599",
    ),
    (
        "when = [{ at = \"/login\", present = true }], ",
        "",
        "captive portal",
    ),
    (
        "when = [{ at = \"/message\", equals = [\"Bad credentials\"] }], ",
        "",
        "captive portal",
    ),
    ("status = [401]", "status = [429]", "never `inactive`"),
    ("status = [401]", "status = [302]", "never `inactive`"),
    ("status = [401]", "status = [503]", "never `inactive`"),
    (
        "  { status = [401], when",
        "  { status = [404], means = \"dead\" },\n  { status = [401], when",
        "`means` is one of",
    ),
    (
        "means = \"active\"",
        "means = \"unknown\", reason = \"who knows\"",
        "no answer means `active`",
    ),
    (
        "source = \"https://acme.example.com/docs\"\nrequest",
        "source = \"the docs\"\nrequest",
        "`source`",
    ),
    (
        "source = \"https://acme.example.com/docs\"\nrequest",
        "source = \"https://acme.example.com/docs\"\ntested = \"surely\"\nrequest",
        "`tested`",
    ),
    (
        "source = \"https://acme.example.com/docs\"\nrequest",
        "source = \"https://acme.example.com/docs\"\nelsewhere = [\"account\"]\nrequest",
        "does not use",
    ),
    (
        "source = \"https://acme.example.com/docs\"\nrequest",
        "source = \"https://acme.example.com/docs\"\nbeside = [\"acme\"]\nrequest",
        "go together",
    ),
    (
        "authority = \"owner\"",
        "authority = \"anybody\"",
        "`authority` is",
    ),
    ("needs = [\"token\"]\n", "", "`needs`"),
    ("object = ", "reversible = true\nobject = ", "`undo`"),
    ("method = \"DELETE\"", "method = \"GET\"", "no GET"),
    (
        ", row = [{ at = \"/value\", equals = \"{secret}\" }]",
        "",
        "innocent key",
    ),
    (
        "means = \"done\"",
        "means = \"gone\"",
        "no answer means `done`",
    ),
];

#[test]
fn what_would_prove_or_end_keys_wrongly_is_refused() {
    let tried = |text: &str| {
        let tree = Tree::new().with("acme.toml", text);
        tree.run(&["rules", "test", "acme.toml"])
    };
    tried(RULE).ends_with(0);
    for (from, to, said) in WRONG {
        assert!(RULE.contains(from), "{from}");
        let run = tried(&RULE.replacen(from, to, 1)).ends_with(2);
        for word in ["acme.toml", said] {
            assert!(run.err.contains(word), "{to}: {}", run.err);
        }
    }
}

#[test]
fn code_that_is_not_there_proves_and_ends_nothing() {
    for block in ["verify", "revoke"] {
        let start = RULE.find("[verify.user]").unwrap();
        let text = format!(
            "{}[{block}.own]\nsource = \"https://acme.example.com\"\nbuiltin = \"acme\"\n{}",
            RULE[..start].replace("verify = \"user\"\nrevoke = \"token\"\n", ""),
            if block == "revoke" {
                "authority = \"self\"\nobject = \"the token\"\n"
            } else {
                ""
            }
        );
        let run = Tree::new()
            .with("acme.toml", text)
            .run(&["rules", "test", "acme.toml"])
            .ends_with(2);
        assert!(run.err.contains("`builtin` is one of aws"), "{}", run.err);
    }
}
