use super::super::fake::{Fake, credential, trouble};
use super::*;

const NOTHING_KNOWN: AzureStorage<'static> = AzureStorage {
    known: &Known::new(),
};

fn key() -> Credential {
    credential(&STANDARD.encode([7; 64]), &[("account", "logs42")])
}

fn said(status: u16, body: &str) -> Verification {
    NOTHING_KNOWN.verify(&Fake::always(status, body), &key())
}

fn problem(code: &str, detail: &str) -> String {
    format!(
        "\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>{code}</Code><Message>Server failed.</Message><AuthenticationErrorDetail>{detail}</AuthenticationErrorDetail></Error>"
    )
}

#[test]
fn documented_answers() {
    let list = "\u{feff}<?xml version=\"1.0\"?><EnumerationResults ServiceEndpoint=\"https://logs42.blob.core.windows.net/\"><Containers/><NextMarker/></EnumerationResults>";
    let Verification::Active(identity) = said(200, list) else {
        panic!("active")
    };
    assert_eq!(identity.account.as_deref(), Some("logs42"));
    assert_eq!(identity.level, Some(Level::Admin));
    let detail = "The MAC signature found in the HTTP request 'x' is not the same as any computed signature.";
    assert_eq!(
        said(403, &problem("AuthenticationFailed", detail)).word(),
        "inactive"
    );
}

#[test]
fn clocks_firewalls_and_portals_prove_nothing() {
    for (status, code, detail) in [
        (
            403,
            "AuthenticationFailed",
            "Request date header too old: 'Sat, 31 Jan 2026 12:00:00 GMT'",
        ),
        (403, "AuthenticationFailed", ""),
        (403, "AuthorizationFailure", ""),
        (403, "KeyBasedAuthenticationNotPermitted", ""),
        (409, "AccountIsDisabled", ""),
        (404, "ResourceNotFound", ""),
        (503, "ServerBusy", ""),
        (401, "NoAuthenticationInformation", "MAC signature"),
    ] {
        assert_eq!(
            said(status, &problem(code, detail)).word(),
            "unknown",
            "{status} {code}"
        );
    }
    for (status, body) in trouble() {
        assert_eq!(said(status, &body).word(), "unknown", "{status} {body:.60}");
    }
}

#[test]
fn the_host_is_that_of_a_valid_account_alone() {
    let net = Fake::always(500, "");
    NOTHING_KNOWN.verify(&net, &key());
    assert_eq!(
        net.lines(),
        ["GET logs42.blob.core.windows.net/?comp=list&maxresults=1"]
    );
    for account in [
        "",
        "ab",
        "evil.example/",
        "a@evil.example",
        "UPPER",
        "a-b-c",
        "abc.evil",
    ] {
        let net = Fake::always(200, "");
        let key = credential("AAAA", &[("account", account)]);
        assert_eq!(NOTHING_KNOWN.verify(&net, &key).word(), "unknown");
        assert!(net.lines().is_empty(), "{account}");
    }
    assert_eq!(
        NOTHING_KNOWN.verify(&Fake::always(200, ""), &credential("AAAA", &[])),
        Verification::Unknown(Doubt::missing(
            "account name",
            &Registry::mend("azure", ACCOUNT)
        ))
    );
}

#[test]
fn a_preview_shows_no_secret() {
    let shown = NOTHING_KNOWN.preview(&key()).unwrap().join("\n");
    assert!(
        shown.contains("GET https://logs42.blob.core.windows.net/?comp=list"),
        "{shown}"
    );
    assert!(!shown.contains("BwcHBwcH"), "{shown}");
}

#[test]
fn an_account_that_the_caller_names_is_asked_and_its_refusal_proves_nothing() {
    let bare = credential(&STANDARD.encode([7; 64]), &[]);
    let known = Known::from([("account".to_owned(), "logs42".to_owned())]);
    let storage = AzureStorage::new(&known);
    let list = "<EnumerationResults/>";
    let net = Fake::always(200, list);
    let Verification::Active(identity) = storage.verify(&net, &bare) else {
        panic!("active")
    };
    assert_eq!(
        net.lines(),
        ["GET logs42.blob.core.windows.net/?comp=list&maxresults=1"]
    );
    let learned = storage.learned(&bare, &identity);
    assert_eq!(learned, [("account".to_owned(), "logs42".to_owned())]);
    let refused = problem(
        "AuthenticationFailed",
        "The MAC signature found is not the same.",
    );
    let said = |parts: &[(&str, &str)]| {
        let key = credential(&STANDARD.encode([7; 64]), parts);
        storage.verify(&Fake::always(403, &refused), &key)
    };
    assert_eq!(said(&[]).word(), "unknown");
    // What stands beside it counts, and it was active there.
    assert_eq!(said(&[("account", "logs42")]).word(), "inactive");
    assert!(storage.learned(&key(), &identity).is_empty());
    let net = Fake::always(200, list);
    let other = credential(&STANDARD.encode([7; 64]), &[("account", "other7")]);
    storage.verify(&net, &other);
    assert!(net.lines()[0].contains("other7."), "{:?}", net.lines());
}
