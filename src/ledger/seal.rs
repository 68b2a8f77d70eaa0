//! Keys: the key-encryption key, what is derived from it, and secrets sealed under it.
//!
//! Two keys are derived from the key-encryption key: one for the audit chain, one that wraps data keys. A secret with its parts is
//! sealed by AES-256-GCM under a data key of its incident's own, which is kept wrapped beside it; both are bound to the incident's id.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf::{self, HKDF_SHA256};
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

use super::{Error, IncidentId};
use crate::model::{Credential, Secret};

/// The key-encryption key: 32 bytes, kept apart from the ledger where somebody cares.
pub struct Kek {
    bytes: Zeroizing<[u8; KEY]>,
    /// Where it came from, for messages.
    from: String,
}

const KEY: usize = 32;
/// What a key file may hold at most.
const FILE: u64 = 4096;

impl Kek {
    /// Reads the key from a file of its owner's alone; with `create` a new one is made where there is none.
    ///
    /// # Errors
    /// [`Error::Key`] where it is missing, malformed, or may be read by others.
    pub fn from_file(path: &Path, create: bool) -> Result<Self, Error> {
        // A pipe would be waited for.
        if fs::metadata(path).is_ok_and(|found| !found.is_file()) {
            return Err(Error::Key(format!(
                "{}: this is no file, and a ledger's key stands in one; name another under [ledger] key",
                path.display()
            )));
        }
        match File::open(path) {
            Ok(file) => Self::read(path, &file),
            Err(error) if error.kind() == io::ErrorKind::NotFound && create => {
                make(path)?;
                let file = File::open(path).map_err(|e| unreadable(path, &e))?;
                Self::read(path, &file)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Error::Key(format!(
                "{}: the ledger's key is not there; put the file back, or give the key as KEYSWEEP_LEDGER_KEY: without it the ledger cannot be checked, and no secret in it can be opened",
                path.display()
            ))),
            Err(error) => Err(unreadable(path, &error)),
        }
    }

    /// The key from text that the caller has from somewhere: 32 bytes in base64. `from` says where, for messages.
    ///
    /// # Errors
    /// [`Error::Key`] where it is malformed.
    pub fn of_text(text: &str, from: &str) -> Result<Self, Error> {
        let malformed = || {
            Error::Key(format!(
                "{from}: a ledger's key is 32 bytes in base64, 44 characters; put the key of then back, for no other opens the ledger; for a new one, `head -c 32 /dev/urandom | base64` makes one"
            ))
        };
        let decoded = Zeroizing::new(BASE64.decode(text.trim()).map_err(|_| malformed())?);
        let bytes: [u8; KEY] = decoded.as_slice().try_into().map_err(|_| malformed())?;
        Ok(Self {
            bytes: Zeroizing::new(bytes),
            from: from.to_owned(),
        })
    }

    fn read(path: &Path, file: &File) -> Result<Self, Error> {
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;

            use super::schema::foreign;

            let status = file.metadata().map_err(|e| unreadable(path, &e))?;
            if let Some(why) = foreign(path) {
                return Err(Error::Key(format!(
                    "{}: {why}; name another ledger's key under [ledger] key, in a folder of your own",
                    path.display()
                )));
            }
            let mode = status.permissions().mode() & 0o777;
            if status.is_file() && mode & 0o077 != 0 {
                let path = path.display();
                return Err(Error::Key(format!(
                    "{path}: others may read the ledger's key (mode {mode:04o}); `chmod 600 {path}`, and make a new key if somebody did"
                )));
            }
        }
        let mut text = Zeroizing::new(String::new());
        file.take(FILE)
            .read_to_string(&mut text)
            .map_err(|e| unreadable(path, &e))?;
        Self::of_text(&text, &path.display().to_string())
    }

    /// Where it came from.
    pub(super) fn from(&self) -> &str {
        &self.from
    }
}

fn unreadable(path: &Path, error: &io::Error) -> Error {
    Error::Key(format!(
        "{}: the ledger's key cannot be read: {error}",
        path.display()
    ))
}

/// Makes a key file whole or not at all; one that somebody else made meanwhile stays.
fn make(path: &Path) -> Result<(), Error> {
    let fail =
        |error: &io::Error| match Error::io(path, "the ledger's key cannot be written", error) {
            Error::Io { path, why } => Error::Key(format!("{}: {why}", path.display())),
            other => other,
        };
    if let Some(folder) = folder_of(path) {
        make_folder(folder).map_err(|e| fail(&e))?;
    }
    let mut bytes = Zeroizing::new([0; KEY]);
    random(&mut *bytes)?;
    let text = Zeroizing::new(format!("{}\n", &*Zeroizing::new(BASE64.encode(*bytes))));
    let mut draft = path.as_os_str().to_owned();
    draft.push(format!(".{}", token()?));
    let draft = PathBuf::from(draft);
    let write = |to: &Path| -> io::Result<()> {
        let mut file = private(OpenOptions::new().write(true).create_new(true)).open(to)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    let made = write(&draft).and_then(|()| match fs::hard_link(&draft, path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        // A file system without links.
        Err(_) => match write(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            written => written,
        },
    });
    // It is in the way of nobody.
    let _ = fs::remove_file(&draft);
    made.map_err(|e| fail(&e))?;
    sync_folder(path);
    Ok(())
}

/// Options of opening, with the mode of a file for its owner alone.
pub(super) fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options
}

/// The folder that holds a file; none for the current one.
pub(super) fn folder_of(path: &Path) -> Option<&Path> {
    path.parent()
        .filter(|folder| !folder.as_os_str().is_empty())
}

/// Makes a folder for its owner alone, and those above it, where they are not there.
pub(super) fn make_folder(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    builder.create(folder)
}

/// Brings a new name to the disk, where the system can.
pub(super) fn sync_folder(path: &Path) {
    let folder = folder_of(path).unwrap_or(Path::new("."));
    if let Ok(folder) = File::open(folder) {
        // Not every file system has it for folders.
        let _ = folder.sync_all();
    }
}

/// 32 random hexadecimal digits.
pub(super) fn token() -> Result<String, Error> {
    let mut bytes = [0; 16];
    random(&mut bytes)?;
    Ok(hex(&bytes))
}

/// Bytes in hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;

    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn random(bytes: &mut [u8]) -> Result<(), Error> {
    SystemRandom::new()
        .fill(bytes)
        .map_err(|_| Error::Key("the system gives no random bytes for a key".to_owned()))
}

/// What is derived from the key-encryption key.
pub(super) struct Keys {
    /// Of the audit chain.
    pub(super) chain: hmac::Key,
    /// That wraps data keys.
    wrap: LessSafeKey,
    /// Where the key-encryption key came from.
    pub(super) from: String,
}

/// A secret as the ledger holds it.
pub(super) struct Sealed {
    /// The data key, wrapped.
    pub(super) key: Vec<u8>,
    /// The secret with its parts, under the data key.
    pub(super) body: Vec<u8>,
}

/// A key that does not do what it cannot fail to do; for messages alone.
fn no_key() -> Error {
    Error::Key("the ledger's key cannot be used".to_owned())
}

impl Keys {
    pub(super) fn of(kek: &Kek) -> Result<Self, Error> {
        let derive = |info: &[u8]| -> Result<Zeroizing<[u8; KEY]>, Error> {
            let mut key = Zeroizing::new([0; KEY]);
            hkdf::Salt::new(HKDF_SHA256, b"keysweep ledger")
                .extract(&*kek.bytes)
                .expand(&[info], HKDF_SHA256)
                .and_then(|okm| okm.fill(&mut *key))
                .map_err(|_| no_key())?;
            Ok(key)
        };
        Ok(Self {
            chain: hmac::Key::new(hmac::HMAC_SHA256, &*derive(b"audit chain")?),
            wrap: gcm(&*derive(b"wrapping of data keys")?)?,
            from: kek.from().to_owned(),
        })
    }

    /// What a ledger keeps to know its key again.
    pub(super) fn check(&self) -> String {
        hex(hmac::sign(&self.chain, b"keysweep ledger: this is its key").as_ref())
    }

    /// Seals a secret with its parts for an incident.
    pub(super) fn seal(&self, id: IncidentId, credential: &Credential) -> Result<Sealed, Error> {
        let mut key = Zeroizing::new([0; KEY]);
        random(&mut *key)?;
        let plain = packed(credential);
        Ok(Sealed {
            key: lock(&self.wrap, &bound(id, "key"), &*key)?,
            body: lock(&gcm(&*key)?, &bound(id, "secret"), &plain)?,
        })
    }

    /// Opens what was sealed for the incident; `None` where it is something else.
    pub(super) fn open(&self, id: IncidentId, sealed: &Sealed) -> Option<Credential> {
        let key = unlock(&self.wrap, &bound(id, "key"), &sealed.key)?;
        let plain = unlock(&gcm(&key).ok()?, &bound(id, "secret"), &sealed.body)?;
        unpacked(&plain)
    }
}

fn bound(id: IncidentId, what: &str) -> String {
    format!("{id}/{what}")
}

fn gcm(key: &[u8]) -> Result<LessSafeKey, Error> {
    let key = UnboundKey::new(&AES_256_GCM, key).map_err(|_| no_key())?;
    Ok(LessSafeKey::new(key))
}

/// Nonce, then the ciphertext with its tag.
fn lock(key: &LessSafeKey, bound: &str, plain: &[u8]) -> Result<Vec<u8>, Error> {
    let mut nonce = [0; NONCE_LEN];
    random(&mut nonce)?;
    // With room for the tag: a buffer that grows would leave the plain text behind.
    let mut text = Zeroizing::new(Vec::with_capacity(plain.len() + AES_256_GCM.tag_len()));
    text.extend_from_slice(plain);
    key.seal_in_place_append_tag(
        Nonce::assume_unique_for_key(nonce),
        Aad::from(bound.as_bytes()),
        &mut *text,
    )
    .map_err(|_| no_key())?;
    Ok([&nonce[..], &text].concat())
}

fn unlock(key: &LessSafeKey, bound: &str, locked: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (nonce, text) = locked.split_first_chunk::<NONCE_LEN>()?;
    let mut text = Zeroizing::new(text.to_vec());
    let nonce = Nonce::assume_unique_for_key(*nonce);
    let length = key
        .open_in_place(nonce, Aad::from(bound.as_bytes()), &mut text)
        .ok()?
        .len();
    text.truncate(length);
    Some(text)
}

/// Secret, redacted form, then names and values of the parts, each behind its length.
#[expect(
    clippy::disallowed_methods,
    reason = "it is sealed, because the user wants to check the key again"
)]
fn packed(credential: &Credential) -> Zeroizing<Vec<u8>> {
    let secret = &credential.secret;
    let form = secret.redacted();
    let parts = credential.parts.iter();
    let fields: Vec<&[u8]> = [secret.expose(), form.as_bytes()]
        .into_iter()
        .chain(parts.flat_map(|(name, value)| [name.as_bytes(), value.as_bytes()]))
        .collect();
    let length = fields.iter().map(|field| 8 + field.len()).sum();
    let mut plain = Zeroizing::new(Vec::with_capacity(length));
    for field in fields {
        plain.extend_from_slice(&(field.len() as u64).to_be_bytes());
        plain.extend_from_slice(field);
    }
    plain
}

fn unpacked(mut plain: &[u8]) -> Option<Credential> {
    let mut fields = Vec::new();
    while let Some((length, rest)) = plain.split_first_chunk::<8>() {
        let length = usize::try_from(u64::from_be_bytes(*length)).ok()?;
        let (field, rest) = rest.split_at_checked(length)?;
        fields.push(field);
        plain = rest;
    }
    let (&[secret, form], parts) = fields.split_first_chunk::<2>()?;
    let text = |bytes: &[u8]| std::str::from_utf8(bytes).ok().map(str::to_owned);
    if !plain.is_empty() || parts.len() % 2 != 0 {
        return None;
    }
    Some(Credential::new(
        Secret::reported(secret, &text(form)?),
        parts
            .chunks_exact(2)
            .map(|pair| Some((text(pair.first()?)?, text(pair.get(1)?)?)))
            .collect::<Option<_>>()?,
    ))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#[expect(
    clippy::disallowed_methods,
    reason = "what was sealed is compared with what comes out"
)]
mod tests {
    use super::*;

    fn keys(byte: u8) -> Keys {
        Keys::of(&Kek::of_text(&BASE64.encode([byte; KEY]), "a test").unwrap()).unwrap()
    }

    fn credential(secret: &[u8]) -> Credential {
        Credential::new(
            Secret::new(secret, "pub_"),
            vec![
                ("host".to_owned(), String::new()),
                ("user".to_owned(), "Zoë".to_owned()),
            ],
        )
    }

    const ID: IncidentId = IncidentId {
        day: 20_260_131,
        number: 1,
    };

    #[test]
    fn what_is_sealed_comes_out_whole_and_redacted_as_before() {
        let keys = keys(7);
        for secret in [&b""[..], b"x", &[0xff, 0, 10], &vec![b'k'; 100_000]] {
            let sealed = keys.seal(ID, &credential(secret)).unwrap();
            let opened = keys.open(ID, &sealed).unwrap();
            assert_eq!(opened.secret.expose(), secret);
            assert_eq!(opened.parts, credential(secret).parts);
            assert_eq!(
                opened.secret.redacted(),
                credential(secret).secret.redacted()
            );
        }
    }

    #[test]
    fn a_seal_opens_only_whole_for_its_incident_and_under_its_key() {
        let sealed = keys(7).seal(ID, &credential(b"abcdefgh")).unwrap();
        assert!(keys(8).open(ID, &sealed).is_none());
        let other = IncidentId { number: 2, ..ID };
        assert!(keys(7).open(other, &sealed).is_none());
        for at in 0..sealed.key.len() {
            let mut key = sealed.key.clone();
            key[at] ^= 1;
            let body = sealed.body.clone();
            assert!(keys(7).open(ID, &Sealed { key, body }).is_none());
        }
        for at in 0..sealed.body.len() {
            let mut body = sealed.body.clone();
            body[at] ^= 1;
            let key = sealed.key.clone();
            assert!(keys(7).open(ID, &Sealed { key, body }).is_none());
            let cut = Sealed {
                key: sealed.key.clone(),
                body: sealed.body[..at].to_vec(),
            };
            assert!(keys(7).open(ID, &cut).is_none());
        }
    }

    #[test]
    fn two_seals_of_one_secret_have_nothing_in_common() {
        let keys = keys(7);
        let [a, b] = [(); 2].map(|()| keys.seal(ID, &credential(b"abcdefgh")).unwrap());
        assert_ne!(a.key, b.key);
        assert_ne!(a.body, b.body);
        assert!(!a.body.windows(8).any(|w| w == b"abcdefgh"));
    }

    #[cfg(unix)]
    #[test]
    fn a_key_file_is_made_once_for_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt as _;

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b/ledger.key");
        assert!(matches!(
            Kek::from_file(&path, false),
            Err(Error::Key(why)) if why.contains("is not there")
        ));
        // Several at once end with one key.
        let keys: Vec<_> = std::thread::scope(|scope| {
            let made: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| Kek::from_file(&path, true).unwrap().bytes.to_vec()))
                .collect();
            made.into_iter().map(|made| made.join().unwrap()).collect()
        });
        assert!(keys.iter().all(|key| *key == keys[0]));
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o600);
        assert_eq!(mode(path.parent().unwrap()), 0o700);
        assert_eq!(mode(path.parent().unwrap().parent().unwrap()), 0o700);
        let left = fs::read_dir(path.parent().unwrap()).unwrap().count();
        assert_eq!(left, 1, "no draft stays");
        let again = Kek::from_file(&path, true).unwrap();
        assert_eq!(again.bytes.to_vec(), keys[0]);
        for wide in [0o640, 0o604, 0o666] {
            fs::set_permissions(&path, fs::Permissions::from_mode(wide)).unwrap();
            assert!(matches!(
                Kek::from_file(&path, true),
                Err(Error::Key(why)) if why.contains("chmod 600")
            ));
        }
    }

    #[test]
    fn a_malformed_key_is_refused_and_not_shown() {
        for text in [
            "",
            "short",
            &BASE64.encode([1; 31]),
            &BASE64.encode([1; 33]),
        ] {
            match Kek::of_text(text, "KEYSWEEP_LEDGER_KEY") {
                Err(Error::Key(why)) => {
                    assert!(why.starts_with("KEYSWEEP_LEDGER_KEY: "), "{why}");
                    assert!(text.is_empty() || !why.contains(text), "{why}");
                }
                _ => panic!("{text} was taken"),
            }
        }
    }
}
