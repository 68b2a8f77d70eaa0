//! The mailmap: which names and addresses mean the same person. Format: <https://git-scm.com/docs/gitmailmap>.

use std::collections::HashMap;

/// A `.mailmap`, read.
#[derive(Debug, Default, Clone)]
pub struct Mailmap {
    /// By the address in commits, in lower case.
    people: HashMap<Vec<u8>, Person>,
}

#[derive(Debug, Default, Clone)]
struct Person {
    /// For every name with this address.
    any: Proper,
    /// By the name in commits, in lower case.
    named: HashMap<Vec<u8>, Proper>,
}

/// What stands in for a name and an address, where it does.
#[derive(Debug, Default, Clone)]
struct Proper {
    name: Option<Vec<u8>>,
    email: Option<Vec<u8>>,
}

/// Most bytes that are read.
const MOST: usize = 1 << 20;

impl Mailmap {
    /// Reads a `.mailmap`, its first 1 MiB. Lines that are none are passed over, as by git.
    pub fn new(bytes: &[u8]) -> Self {
        let mut map = Self::default();
        for line in bytes[..bytes.len().min(MOST)].split(|byte| *byte == b'\n') {
            map.line(line);
        }
        map
    }

    fn line(&mut self, line: &[u8]) {
        if line.starts_with(b"#") {
            return;
        }
        let Some((name, email, rest)) = person(line) else {
            return;
        };
        if email.is_empty() {
            return;
        }
        let old = person(rest);
        let (old_name, old_email, new_email) = match old {
            Some((old_name, old_email, _)) => (old_name, old_email, Some(email)),
            None => (&[][..], email, None),
        };
        let person = self
            .people
            .entry(old_email.to_ascii_lowercase())
            .or_default();
        let name = Some(name)
            .filter(|name| !name.is_empty())
            .map(<[u8]>::to_vec);
        let email = new_email.map(<[u8]>::to_vec);
        if old_name.is_empty() {
            person.any.name = name.or(person.any.name.take());
            person.any.email = email.or(person.any.email.take());
        } else {
            let proper = Proper { name, email };
            person.named.insert(old_name.to_ascii_lowercase(), proper);
        }
    }

    /// The proper name and address of a person in a commit.
    pub fn person<'a>(&'a self, name: &'a [u8], email: &'a [u8]) -> (&'a [u8], &'a [u8]) {
        if self.people.is_empty() {
            return (name, email);
        }
        let Some(person) = self.people.get(&email.to_ascii_lowercase()) else {
            return (name, email);
        };
        let named = person.named.get(&name.to_ascii_lowercase());
        let proper = named.unwrap_or(&person.any);
        (
            proper.name.as_deref().unwrap_or(name),
            proper.email.as_deref().unwrap_or(email),
        )
    }
}

/// A name, which may be empty, an address in angle brackets, and what follows.
fn person(line: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let open = memchr::memchr(b'<', line)?;
    let rest = &line[open + 1..];
    let close = memchr::memchr(b'>', rest)?;
    Some((
        line[..open].trim_ascii(),
        &rest[..close],
        &rest[close + 1..],
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_four_forms() {
        let map = Mailmap::new(
            b"# comment <x@example.org>\n\
              Proper One <one@example.org>\r\n\
              <two@example.org> <Two@Old.example.org>\n\
              Three <three@example.org> <old3@example.org>\n\
              Four <four@example.org> laptop user <shared@example.org>\n\
              Five <five@example.org> Desktop <shared@example.org>\n\
              Other <shared@example.org>\n\
              broken <\n<>\n",
        );
        let person = |name: &'static str, email: &'static str| {
            let (name, email) = map.person(name.as_bytes(), email.as_bytes());
            String::from_utf8_lossy(&[name, b" ", email].concat()).into_owned()
        };
        assert_eq!(person("o", "ONE@example.org"), "Proper One ONE@example.org");
        assert_eq!(person("t", "two@old.EXAMPLE.org"), "t two@example.org");
        assert_eq!(person("x", "old3@example.org"), "Three three@example.org");
        assert_eq!(
            person("Laptop User", "shared@example.org"),
            "Four four@example.org"
        );
        assert_eq!(
            person("desktop", "shared@example.org"),
            "Five five@example.org"
        );
        assert_eq!(
            person("else", "shared@example.org"),
            "Other shared@example.org"
        );
        assert_eq!(person("n", "nobody@example.org"), "n nobody@example.org");
    }
}
