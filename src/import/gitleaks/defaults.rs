//! What gitleaks' default configuration leaves out for every rule: paths and values.
//!
//! A file that extends it has these for its own rules, too. Keysweep's built-in rules do not need them.

use crate::config::AllowEntry;

/// Pictures, fonts, documents, lock files, and code of others.
const PATHS: [&str; 12] = [
    r"(?i)\.(bmp|gif|jpe?g|png|svg|tiff?|eot|otf|ttf|woff2?)$",
    r"(?i)\.(docx?|xlsx?|pdf|bin|socket|vsidx|v2|w?suo|dll|exe|pdb|gltf)$",
    r"\.gem$|gitleaks\.toml|verification-metadata\.xml|Database.refactorlog",
    r"go\.(mod|sum|work|work\.sum)$",
    r"(^|/)((deno|yarn|Pipfile|poetry)\.lock|(npm-shrinkwrap|package-lock|javascript)\.json|pnpm-lock\.yaml)$",
    r"(^|/)(node_modules|bower_components)(/|$)",
    r"(^|/)vendor/(modules\.txt$|(bundle|ruby|github\.com|golang\.org/x|google\.golang\.org|gopkg\.in|istio\.io|(sigs\.)?k8s\.io)(/|$))",
    r"(^|/)(gradlew(\.bat)?|gradle\.lockfile|mvnw(\.cmd)?|\.mvn/wrapper/MavenWrapperDownloader\.java)$",
    r"(^|/)(angular|bootstrap|jquery(-?ui)?|plotly|swagger-?ui)[0-9A-Za-z.-]*\.js(\.map)?$",
    r"(?i)(^|/)(v?env|virtualenv)/lib(64)?(/|$)",
    r"(?i)(^|/)(lib(64)?/python[23](\.\d{1,2})+|python/[23](\.\d{1,2})+/lib(64)?)(/|$)",
    r"(?i)(^|/)[0-9a-z_.]+-[0-9.]+\.dist-info(/|$)",
];

/// What stands for a value.
const VALUES: [&str; 9] = [
    r"(?i)(^true|false|null$)",
    r"^\$(\d+|\{\d+\}|[A-Z_]+|\{[A-Z_]+\}|[a-z_]+|\{[a-z_]+\})$",
    r"^\{\{[\w ().|\t]+\}\}$",
    r#"^\$\{\{[ \t]*(env|github|secrets|vars)\.[\w "'&./=|\t]+\}\}$"#,
    r"^(%([A-Z_]+|[a-z_]+)%|%[-+# 0]?[A-Za-z])$",
    r"^\{\d{0,2}\}$",
    r"^@([A-Z_]+|[a-z_]+)@$",
    r"^/Users/[0-9A-Za-z]+/[\w ./-]+$",
    r"^/(bin|etc|home|opt|tmp|usr|var)/[\w ./-]+$",
];

/// Entries for these rules; `at` is the file that extends the default configuration, and a line of it.
pub(super) fn allows(rules: &[String], at: (&str, u32)) -> [AllowEntry; 3] {
    let entry = |what: &str| AllowEntry {
        rules: rules.to_vec(),
        reason: Some(format!("gitleaks' default configuration leaves out {what}")),
        file: at.0.to_owned(),
        line: at.1,
        ..AllowEntry::default()
    };
    let same: Vec<String> = ('a'..='z').map(|letter| format!("{letter}+")).collect();
    let same = format!(r"^(?i:{}|\*+|\.+)$", same.join("|"));
    let values = VALUES.into_iter().map(str::to_owned);
    [
        AllowEntry {
            path_regexes: PATHS.into_iter().map(str::to_owned).collect(),
            ..entry("these files")
        },
        AllowEntry {
            regexes: values.chain([same]).collect(),
            ..entry("what stands for a value")
        },
        AllowEntry {
            stopwords: vec![('a'..='z').collect()],
            ..entry("what stands for a value")
        },
    ]
}
