//! Texts, and which host they say a key is of.

use super::*;

fn all(text: &str, words: &[&str], home: &[&str]) -> Vec<String> {
    let own = |list: &[&str]| {
        list.iter()
            .map(|w| (*w).to_owned())
            .collect::<Vec<String>>()
    };
    let start = text.find("SECRET").unwrap();
    Beside::of(text.as_bytes()).hosts(&(start..start + 6), &own(words), &own(home))
}

fn found(text: &str, words: &[&str], home: &[&str]) -> Option<String> {
    let all = all(text, words, home);
    assert!(all.len() < 2, "{all:?}");
    all.into_iter().next()
}

fn gitlab(text: &str) -> Option<String> {
    found(text, &["gitlab", "/api/v4"], &["gitlab.com"])
}

#[test]
fn the_host_of_a_service_of_ones_own_is_found_beside_its_key() {
    for text in [
        "GITLAB_URL=https://git.acme.io\nGITLAB_TOKEN=SECRET\n",
        "https://oauth2:SECRET@git.acme.io/group/project.git",
        "curl -H 'PRIVATE-TOKEN: SECRET' https://git.acme.io/api/v4/projects",
        "token: SECRET\n# ours\nserver: gitlab\ngitlab_host: git.acme.io\n",
        "gitlab:\n  url: \"https://git.acme.io/\"\n  token: SECRET # gitlab_url above\nGITLAB: git.acme.io",
    ] {
        assert_eq!(gitlab(text).as_deref(), Some("git.acme.io"), "{text}");
    }
    let port = "VAULT_ADDR=https://vault.acme.io:8200\nVAULT_TOKEN=SECRET";
    assert_eq!(
        found(port, &["vault"], &[]).as_deref(),
        Some("vault.acme.io:8200")
    );
    let shop = "SHOP=acme.myshopify.com\nTOKEN=SECRET";
    assert_eq!(
        found(shop, &["shop"], &[]).as_deref(),
        Some("acme.myshopify.com")
    );
    let block = "credentials \"tfe.acme.io\" {\n  token = \"SECRET\"\n}";
    assert_eq!(
        found(block, &["credentials \""], &["terraform.io"]).as_deref(),
        Some("tfe.acme.io")
    );
}

#[test]
fn hosts_of_others_and_the_providers_own_are_not_taken_for_it() {
    for text in [
        "GITLAB_TOKEN=SECRET",
        "# https://docs.gitlab.com/user/profile\nGITLAB_TOKEN=SECRET",
        "https://oauth2:SECRET@gitlab.com/group/project.git",
        "DATABASE_URL=postgres://app@db.acme.io/x\nREDIS_HOST=cache.acme.io\nGITLAB_TOKEN=SECRET",
        "NPM_CONFIG_REGISTRY=https://npm.acme.io GITLAB_TOKEN=SECRET npm publish",
        "include .gitlab-ci.yml\nGITLAB_TOKEN=SECRET",
        "GITLAB_TOKEN=SECRET\nGITLAB_MAIL=jo@acme",
    ] {
        assert_eq!(gitlab(text), None, "{text}");
    }
}

#[test]
fn the_authority_of_an_address_alone_is_its_host() {
    for (text, host) in [
        ("GITLAB_URL=http://10.0.0.5\nT=SECRET", "10.0.0.5"),
        ("GITLAB_URL=http://gitlab\nT=SECRET", "gitlab"),
        ("GITLAB_HOST=git:8443\nT=SECRET", "git:8443"),
        ("GITLAB_HOST: localhost:3000\nT: SECRET", "localhost:3000"),
        (
            "GITLAB_URL=https://[fd00::1]:8443/x\nT=SECRET",
            "[fd00::1]:8443",
        ),
        ("GITLAB_URL=https://git.xn--p1ai\nT=SECRET", "git.xn--p1ai"),
        (
            "GITLAB_URL=https://git.пример.рф\nT=SECRET",
            "git.пример.рф",
        ),
        ("GITLAB_HOST=git.пример.рф\nT=SECRET", "git.пример.рф"),
        ("GITLAB_URL=${GHE_URL}\nT=SECRET", "${GHE_URL}"),
        ("GITLAB_URL=https://$HOST/api\nT=SECRET", "$HOST"),
        ("git clone http://x:SECRET@10.0.0.5/a.git", "10.0.0.5"),
        ("git clone http://x:SECRET@gitlab/a.git", "gitlab"),
        (
            "git clone https://SECRET:x-oauth-basic@git.acme.io/a.git",
            "git.acme.io",
        ),
        (
            "curl https://git.acme.io/x?private_token=SECRET",
            "git.acme.io",
        ),
        ("//npm.acme.io/:_authToken=SECRET", "npm.acme.io"),
        (
            "GITLAB_URL=https://attacker.io/git.acme.io\nT=SECRET",
            "attacker.io",
        ),
        (
            "GITLAB_URL=https://attacker.io/x?u=git.acme.io\nT=SECRET",
            "attacker.io",
        ),
        ("GITLAB_URL=http://gitlab/git.acme.io\nT=SECRET", "gitlab"),
        (
            "GITLAB_URL=https://git.acme.io@attacker.io/\nT=SECRET",
            "attacker.io",
        ),
        (
            "GITLAB_URL=https://attacker.io%00.acme.io\nT=SECRET",
            "attacker.io%00.acme.io",
        ),
        (
            "GITLAB_URL=https://attacker.io\\@git.acme.io\nT=SECRET",
            UNREADABLE,
        ),
        ("GITLAB_URL=https://gіt.acme.io\nT=SECRET", "gіt.acme.io"),
        ("GITLAB_HOST=gіt.acme.io\nT=SECRET", "gіt.acme.io"),
        (
            "gitlab https://git.acme.io/infra/app.git\nT=SECRET",
            "git.acme.io",
        ),
        (
            "{\"gitlab\": \"https:\\/\\/git.acme.io\\/x\", \"t\": \"SECRET\"}",
            "git.acme.io",
        ),
        (
            "gitlab:\n  url: https://git.acme.io/\n  token: SECRET\n",
            "git.acme.io",
        ),
        (
            "[gitlab]\nurl = https://git.acme.io/\ntoken = SECRET\n",
            "git.acme.io",
        ),
    ] {
        assert_eq!(gitlab(text).as_deref(), Some(host), "{text}");
    }
    let two = "GITLAB_URL=https://a.acme.io\nGITLAB_MIRROR=http://10.0.0.1\nT=SECRET";
    assert_eq!(
        all(two, &["gitlab"], &["gitlab.com"]),
        ["a.acme.io", "10.0.0.1"]
    );
}

#[test]
fn the_whole_text_counts_where_the_lines_around_name_none() {
    let far = |head: &str, tail: &str| format!("{head}\n{}{tail}", "OTHER=1\n".repeat(40));
    let one = far("GITLAB_URL=https://git.acme.io", "T=SECRET");
    assert_eq!(gitlab(&one).as_deref(), Some("git.acme.io"));
    let ours = far(
        "GITLAB_URL=https://git.acme.io",
        "GITLAB_URL=https://gitlab.com\nT=SECRET",
    );
    assert_eq!(gitlab(&ours), None, "the near one decides");
    let link = far(
        "https://img.acme.io/gitlab/badge.svg",
        "GITLAB_TOKEN=SECRET",
    );
    assert_eq!(gitlab(&link), None, "far away, a path names nothing");
    let wide: Vec<u8> = one.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let at = 2 * one.find("SECRET").unwrap();
    let words = ["gitlab".to_owned()];
    assert_eq!(
        Beside::of(&wide).hosts(&(at..at + 12), &words, &[]),
        ["git.acme.io"]
    );
    for name in ["GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN"] {
        let text = format!("{name}=SECRET");
        assert_eq!(
            found(&text, &["github"], &["github.com"]).as_deref(),
            Some(name)
        );
    }
}

#[test]
fn any_bytes_are_looked_at_without_a_panic() {
    let hostile = [
        b"\xff.\xfe:99999@".as_slice(),
        b"SECRET",
        b"@\x00:..-.a.b:1",
    ]
    .concat();
    let at = hostile.windows(6).position(|w| w == b"SECRET").unwrap();
    let words = ["a".to_owned()];
    let _ = Beside::of(&hostile).hosts(&(at..at + 6), &words, &[]);
    assert!(Beside::of(b"").hosts(&(0..0), &words, &[]).is_empty());
    assert!(Beside::of(b"x").hosts(&(5..9), &words, &[]).is_empty());
}

#[test]
fn a_host_further_away_may_be_its_as_well() {
    let far =
        |near: &str, tail: &str| format!("{near}\nT=SECRET\n{}{tail}\n", "OTHER=1\n".repeat(20));
    let shops = far("SHOP=a.myshopify.com", "SHOP_LIVE=b.myshopify.com");
    let elsewhere = |text: &str, words: &[&str], home: &[&str]| {
        let own = |list: &[&str]| {
            list.iter()
                .map(|w| (*w).to_owned())
                .collect::<Vec<String>>()
        };
        let start = text.find("SECRET").unwrap();
        let (at, text) = (start..start + 6, Beside::of(text.as_bytes()));
        let (words, home) = (own(words), own(home));
        let hosts = text.hosts(&at, &words, &home);
        text.elsewhere(&at, &words, &home, &hosts)
    };
    assert_eq!(
        elsewhere(&shops, &["shop"], &[]).as_deref(),
        Some("b.myshopify.com")
    );
    let one = far("SHOP=a.myshopify.com", "SHOP_AGAIN=a.myshopify.com");
    assert_eq!(elsewhere(&one, &["shop"], &[]), None);
    let gitlab = |text: &str| elsewhere(text, &["gitlab"], &["gitlab.com"]);
    let own = "GITLAB_URL=https://git.acme.io";
    let theirs = "GITLAB_URL=https://gitlab.com";
    assert_eq!(gitlab(&far(own, theirs)).as_deref(), Some("gitlab.com"));
    assert_eq!(gitlab(&far(theirs, own)).as_deref(), Some("git.acme.io"));
    assert_eq!(gitlab(&far(own, "# see https://docs.gitlab.com/x")), None);
    assert_eq!(gitlab(&far("A=1", own)), None, "it is asked there");
    assert_eq!(gitlab(&far("A=1", theirs)), None);
    let inside = format!("git clone https://x:SECRET@git.acme.io/a.git\n{theirs}\n");
    assert_eq!(gitlab(&inside), None, "its address decides");
}

#[test]
fn a_function_of_a_module_is_no_host() {
    let wandb = |text: &str| found(text, &["wandb"], &["wandb.ai"]);
    for text in [
        "import wandb\nwandb.login(key=\"SECRET\")\nwandb.init(project=\"x\")\n",
        "os.environ[\"WANDB_API_KEY\"] = \"SECRET\"\nrun = wandb.init(\n",
        "wandb.sdk.login(\n  key=\"SECRET\")\n",
    ] {
        assert_eq!(wandb(text), None, "{text}");
    }
    for text in [
        "wandb.login(host=\"https://wandb.acme.io\", key=\"SECRET\")\n",
        "WANDB_BASE_URL=https://wandb.acme.io\nwandb.login(key=\"SECRET\")\n",
        "WANDB_HOST=wandb.acme.io(eu)\nT=SECRET\n",
    ] {
        assert_eq!(wandb(text).as_deref(), Some("wandb.acme.io"), "{text}");
    }
}
