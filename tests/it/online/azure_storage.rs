//! Azure Storage keys on Azurite, which checks their signatures.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use keysweep::model::Verification;
use keysweep::provider::{Known, Registry};
use keysweep::scan::Options;

use super::database::{registry, verify};
use super::server::Server;
use crate::support::{fake, found};

#[test]
#[ignore = "needs azurite; run by ./test.sh"]
fn both_keys_of_an_account_are_active_and_another_is_not() {
    let azurite = Server::start("azurite", &[]);
    let client = azurite.client(&["logs42.blob.core.windows.net"]);
    let said = |key: &str| {
        let text = format!(
            "DefaultEndpointsProtocol=https;AccountName=logs42;AccountKey={key};EndpointSuffix=core.windows.net"
        );
        let findings = found("app.env", text.as_bytes(), &Options::default());
        let finding = findings
            .iter()
            .find(|f| f.rule == "azure-storage-connection-string")
            .unwrap();
        verify(&client, finding)
    };
    assert_eq!(said(&azurite.fact("KEY1")).word(), "active");
    assert_eq!(said(&azurite.fact("KEY2")).word(), "active");
    // Azurite answers as Azure does behind a firewall, which proves nothing.
    let other = STANDARD.encode(fake::Rng::new(1).bytes(64));
    let verification = said(&other);
    assert_eq!(verification.word(), "unknown", "{verification:?}");
    let Verification::Unknown(doubt) = verification else {
        unreachable!()
    };
    assert!(
        doubt.to_string().contains("AuthorizationFailure"),
        "{doubt}"
    );
}

#[test]
#[ignore = "needs azurite; run by ./test.sh"]
fn a_key_that_stands_alone_is_asked_of_the_account_that_the_caller_names() {
    let azurite = Server::start("azurite", &[]);
    let client = azurite.client(&["logs42.blob.core.windows.net"]);
    let text = format!("STORAGE_ACCOUNT_KEY={}\n", azurite.fact("KEY1"));
    let findings = found("app.env", text.as_bytes(), &Options::default());
    let [finding] = findings.as_slice() else {
        panic!("{findings:?}")
    };
    let said = |registry: Registry| {
        let verifier = registry.verifier(&finding.rule).unwrap();
        verifier.verify(&client, &finding.credential)
    };
    let Verification::Unknown(doubt) = said(registry()) else {
        panic!("it is asked of an account")
    };
    assert_eq!(doubt.part(), Some("account name"));
    assert!(doubt.to_string().contains("[known.azure]"), "{doubt}");
    let account = Known::from([("account".to_owned(), "logs42".to_owned())]);
    let known = [("azure".to_owned(), account)].into();
    assert_eq!(said(registry().knowing(known)).word(), "active");
}
