//! What is true of every match of a pattern: that it holds a literal, how far before it the match may begin, what stands in it.
//!
//! build.rs includes this file by path, as it does `file.rs`.

use std::collections::{BTreeMap, VecDeque};

use regex_syntax::hir::{Class, Hir, HirKind};

/// Proves that every match holds one of the literals, and gives the most bytes that a match may
/// have before it. `None` where the proof fails.
pub(crate) fn locate(hir: &Hir, literals: &[String], fold: bool) -> Option<usize> {
    let search = Search::new(literals, fold);
    let start = Ways {
        open: [(ROOT, 0)].into(),
        before: 0,
    };
    let end = search.walk(start, hir)?;
    end.open.is_empty().then_some(end.before)
}

/// Bytes of which keys and tokens are made.
#[must_use]
pub fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'+' | b'/' | b'=' | b'.' | b'~')
}

/// Longest unbroken run of token bytes that every match of the pattern holds.
pub(super) fn longest_run(hir: &Hir) -> usize {
    let whole = |hir: &Hir| match hir.kind() {
        HirKind::Class(Class::Bytes(c)) => {
            c.iter().all(|r| (r.start()..=r.end()).all(is_token_byte))
        }
        HirKind::Literal(l) => l.0.iter().all(|b| is_token_byte(*b)),
        _ => false,
    };
    match hir.kind() {
        HirKind::Capture(c) => longest_run(&c.sub),
        HirKind::Concat(subs) => subs.iter().map(longest_run).max().unwrap_or(0),
        HirKind::Alternation(subs) => subs.iter().map(longest_run).min().unwrap_or(0),
        HirKind::Repetition(r) if whole(&r.sub) => {
            r.min as usize * r.sub.properties().minimum_len().unwrap_or(0)
        }
        HirKind::Repetition(r) if r.min > 0 => longest_run(&r.sub),
        HirKind::Literal(l) if whole(hir) => l.0.len(),
        _ => 0,
    }
}

/// What stands behind the literals of three bytes, as far as it can be proven.
pub(super) fn next_byte(hir: &Hir, literals: &[String], fold: bool) -> u8 {
    let longer = |set: &str| -> Vec<String> {
        literals
            .iter()
            .flat_map(|l| {
                if l.len() == 3 {
                    set.chars().map(|c| format!("{l}{c}")).collect()
                } else {
                    vec![l.clone()]
                }
            })
            .collect()
    };
    let token = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-";
    if !literals.iter().any(|l| l.len() == 3) {
        0
    } else if locate(hir, &longer("0123456789abcdef"), fold).is_some() {
        2
    } else {
        u8::from(locate(hir, &longer(token), fold).is_some())
    }
}

type State = usize;

/// The state of a way that ends with no beginning of a literal.
const ROOT: State = 0;

/// All ways through a pattern that have not met a literal yet: for each state the most bytes that a way passed to it.
///
/// What can still be met depends on the state alone, so ways in the same state are one, and there are no more of them than
/// the literals have bytes.
#[derive(Clone)]
struct Ways {
    open: BTreeMap<State, usize>,
    /// Most bytes in front of the literal on the ways that met one.
    before: usize,
}

impl Ways {
    fn add(&mut self, state: State, passed: usize) {
        let most = self.open.entry(state).or_insert(0);
        *most = passed.max(*most);
    }

    fn join(&mut self, other: Self) {
        self.before = self.before.max(other.before);
        for (state, passed) in other.open {
            self.add(state, passed);
        }
    }

    /// The ways pass so many bytes of which nothing is known.
    fn forget(mut self, bytes: usize) -> Self {
        let furthest = self.open.values().max().copied();
        self.open = furthest.map(|f| (ROOT, f + bytes)).into_iter().collect();
        self
    }
}

/// The search for literals of Aho and Corasick: a state is the longest beginning of a literal that a text ends with.
struct Search {
    nodes: Vec<Node>,
    /// Bytes that no literal holds lead to [`ROOT`] from everywhere.
    used: [bool; 256],
    fold: bool,
}

#[derive(Clone, Default)]
struct Node {
    next: Vec<(u8, State)>,
    /// The state of the next shorter beginning.
    shorter: State,
    /// The first literal in the list that ends here, and its length.
    met: Option<(usize, usize)>,
}

impl Search {
    fn new(literals: &[String], fold: bool) -> Self {
        let mut search = Self {
            nodes: vec![Node::default()],
            used: [false; 256],
            fold,
        };
        for (index, literal) in literals.iter().enumerate() {
            let mut at = ROOT;
            for byte in literal.bytes() {
                at = search.grown(at, folded(byte, fold));
            }
            search.nodes[at].met.get_or_insert((index, literal.len()));
        }
        // Shorter ones first, as the longer ones build on them.
        let mut queue: VecDeque<State> = [ROOT].into();
        while let Some(at) = queue.pop_front() {
            for (byte, child) in search.nodes[at].next.clone() {
                let shorter = match at {
                    ROOT => ROOT,
                    _ => search.step(search.nodes[at].shorter, byte),
                };
                let met = [search.nodes[child].met, search.nodes[shorter].met];
                let node = &mut search.nodes[child];
                node.shorter = shorter;
                node.met = met.into_iter().flatten().min();
                queue.push_back(child);
            }
        }
        search
    }

    /// The child behind a byte, made where there is none.
    fn grown(&mut self, at: State, byte: u8) -> State {
        self.used[usize::from(byte)] = true;
        self.child(at, byte).unwrap_or_else(|| {
            let new = self.nodes.len();
            self.nodes.push(Node::default());
            self.nodes[at].next.push((byte, new));
            new
        })
    }

    fn child(&self, at: State, byte: u8) -> Option<State> {
        let next = &self.nodes[at].next;
        next.iter().find(|(b, _)| *b == byte).map(|(_, to)| *to)
    }

    /// The state behind one more byte.
    fn step(&self, mut at: State, byte: u8) -> State {
        loop {
            match self.child(at, byte) {
                Some(to) => return to,
                None if at == ROOT => return ROOT,
                None => at = self.nodes[at].shorter,
            }
        }
    }

    fn walk(&self, ways: Ways, hir: &Hir) -> Option<Ways> {
        match hir.kind() {
            HirKind::Empty | HirKind::Look(_) => Some(ways),
            HirKind::Literal(l) => {
                let bytes = l.0.iter().map(|b| folded(*b, self.fold));
                Some(bytes.fold(ways, |ways, byte| self.append(&ways, &[byte])))
            }
            HirKind::Class(Class::Bytes(c)) => {
                let mut held = [false; 256];
                for byte in c.iter().flat_map(|r| r.start()..=r.end()) {
                    held[usize::from(folded(byte, self.fold))] = true;
                }
                let bytes: Vec<u8> = (0..=255).filter(|b| held[usize::from(*b)]).collect();
                Some(if bytes.len() > 40 {
                    ways.forget(1)
                } else {
                    self.append(&ways, &bytes)
                })
            }
            HirKind::Class(_) => Some(ways.forget(hir.properties().maximum_len()?)),
            HirKind::Capture(c) => self.walk(ways, &c.sub),
            HirKind::Concat(subs) => subs.iter().try_fold(ways, |w, s| self.walk(w, s)),
            HirKind::Alternation(subs) => {
                let mut joined = Ways {
                    open: BTreeMap::new(),
                    before: ways.before,
                };
                for sub in subs {
                    joined.join(self.walk(ways.clone(), sub)?);
                }
                Some(joined)
            }
            HirKind::Repetition(r) => {
                let longest = hir.properties().maximum_len()?;
                if r.min == 0 && r.max == Some(1) {
                    let mut joined = self.walk(ways.clone(), &r.sub)?;
                    joined.join(ways);
                    return Some(joined);
                }
                // A literal that so many rounds do not complete is not looked for in more of them.
                let rounds = r.min.min(8);
                let mut ways = ways;
                for _ in 0..rounds {
                    ways = self.walk(ways, &r.sub)?;
                }
                if r.max == Some(rounds) {
                    return Some(ways);
                }
                let each = r.sub.properties().maximum_len()?;
                Some(ways.forget(longest.saturating_sub(each * rounds as usize)))
            }
        }
    }

    /// Each open way goes on with each of the bytes.
    fn append(&self, ways: &Ways, bytes: &[u8]) -> Ways {
        let is_used = |byte: &&u8| self.used[usize::from(**byte)];
        let has_other = !bytes.iter().all(|byte| is_used(&byte));
        let mut next = Ways {
            open: BTreeMap::new(),
            before: ways.before,
        };
        for (state, passed) in &ways.open {
            let passed = passed + 1;
            if has_other {
                next.add(ROOT, passed);
            }
            for byte in bytes.iter().filter(is_used) {
                let to = self.step(*state, *byte);
                match self.nodes[to].met {
                    Some((_, length)) => next.before = next.before.max(passed - length),
                    None => next.add(to, passed),
                }
            }
        }
        next
    }
}

fn folded(byte: u8, fold: bool) -> u8 {
    if fold {
        byte.to_ascii_lowercase()
    } else {
        byte
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that panics has failed")]
mod tests {
    use super::*;

    fn before(pattern: &str, literals: &[&str], fold: bool) -> Option<usize> {
        let literals: Vec<String> = literals.iter().map(|l| (*l).to_owned()).collect();
        let mut parser = regex_syntax::ParserBuilder::new();
        let hir = parser.unicode(false).utf8(false).build().parse(pattern);
        locate(&hir.unwrap(), &literals, fold)
    }

    #[test]
    fn every_way_meets_a_literal() {
        assert_eq!(before("x{2,5}key=", &["key"], false), Some(5));
        assert_eq!(
            before("(?:a{3}key|bpin)z?", &["key", "pin"], false),
            Some(3)
        );
        assert_eq!(before("(?:a{3}key|bpin)z?", &["key"], false), None);
        assert_eq!(before("(?:key)?=", &["key"], false), None);
        // A beginning that fails is the beginning of another.
        assert_eq!(before("aab", &["ab"], false), Some(1));
        assert_eq!(before("abacab", &["acx", "cab"], false), Some(3));
        assert_eq!(before("[kK][eE][yY]", &["key"], true), Some(0));
        assert_eq!(before("[kK][eE][yY]", &["key"], false), None);
        // Of literals that end at one place the first in the list counts.
        assert_eq!(before("xapikey", &["apikey", "key"], false), Some(1));
        assert_eq!(before("xapikey", &["key", "apikey"], false), Some(4));
        assert_eq!(before("[^a]{9}..key", &["key"], false), Some(11));
    }

    #[test]
    fn ways_do_not_multiply() {
        // Told apart by their last bytes, these would be more than any memory holds.
        let pattern = "[a-z]{8}(?:[a-z]?[a-z]?){8}apikey[0-9]{20}";
        let literals = ["apikey", "passphrase", "authorization", "abcdefghijklmnop"];
        assert_eq!(before(pattern, &literals, true), Some(24));
    }
}
