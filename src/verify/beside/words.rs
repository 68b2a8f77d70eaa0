//! Words that tell a host from what is none.

/// Schemes of what is no service on the web.
pub(super) const OTHER: &[&str] = &[
    "amqp",
    "amqps",
    "file",
    "ftp",
    "jdbc",
    "kafka",
    "ldap",
    "ldaps",
    "mongodb",
    "mongodb+srv",
    "mysql",
    "postgres",
    "postgresql",
    "redis",
    "rediss",
    "s3",
    "smtp",
    "smtps",
    "sqlite",
];

/// In the name of a secret: it is of a server of one's own.
pub(super) const OWN: &[&str] = &[
    "enterprise",
    "ghe_",
    "ghes",
    "on_prem",
    "on-prem",
    "onprem",
    "self_hosted",
    "self-hosted",
    "selfhosted",
];

/// In a name: what is assigned to it is a host.
pub(super) const NOUNS: &[&str] = &[
    "addr", "api_base", "domain", "endpoint", "host", "instance", "server", "uri", "url",
];

/// Words that stand for no host.
pub(super) const NONE: &[&str] = &[
    "any",
    "false",
    "nil",
    "no",
    "none",
    "null",
    "off",
    "on",
    "str",
    "string",
    "true",
    "undefined",
    "yes",
];

/// Last labels that are endings of files or names in code more often than domains.
pub(super) const FILES: &[&str] = &[
    "actor",
    "auth",
    "conf",
    "css",
    "env",
    "event",
    "git",
    "go",
    "html",
    "ini",
    "java",
    "js",
    "json",
    "key",
    "lock",
    "log",
    "md",
    "password",
    "php",
    "private",
    "py",
    "rb",
    "ref",
    "repository",
    "rs",
    "secret",
    "sh",
    "sha",
    "tf",
    "token",
    "toml",
    "ts",
    "txt",
    "uri",
    "url",
    "user",
    "workflow",
    "xml",
    "yaml",
    "yml",
];
