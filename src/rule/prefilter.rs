//! The literal search: bytes → places where a rule may match.
//!
//! One pass over the bytes looks at every window of four, folded to lower case, in a bitmap that
//! fits the first-level cache; only windows that some literal owns go further. The cost does not
//! depend on the number of literals, which is why the encoded forms of each literal (base64 at its
//! three alignments, hex, and base64 of those) are searched for as literals of their own: nothing
//! has to be decoded to know whether decoding is worth it.

use std::collections::BTreeMap;

use super::set::Rule;
use crate::model::{Confidence, Severity};

/// A literal at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hit {
    /// Byte offset of its first byte.
    pub at: usize,
    /// Index into [`Prefilter::literals`].
    pub literal: u16,
}

/// How an encoded literal becomes the plain one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// Base64; the plain literal's first byte stands at this place (0 to 2) of its group of three.
    Base64(u8),
    /// Two hexadecimal digits a byte.
    Hex,
}

/// A literal that is searched for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Literal {
    /// The bytes; in lower case where `fold`.
    pub bytes: Vec<u8>,
    /// Whether any case matches.
    pub fold: bool,
    /// The rules behind it.
    pub rules: Vec<u16>,
    /// How to get at the plain text, outermost first; empty for a plain literal.
    pub steps: Vec<Step>,
    /// Marks a text with escapes (`%2F`, `\u0041`, `&#65;`) that is decoded and searched as a whole.
    pub escape: Option<Escape>,
    /// Most bytes of plain text before the literal that its rules look at.
    pub back: usize,
    /// Most bytes of plain text from the literal on that its rules look at.
    pub forward: usize,
    /// Whether some rule behind it is distinctive.
    pub distinctive: bool,
    /// Whether it is looked for in text that is encoded twice, too.
    nested: bool,
    /// What follows it, where it has three bytes; see [`super::RuleSpec::next`].
    next: u8,
}

/// Which escapes a mark belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Escape {
    /// `%41`
    Percent,
    /// `\u0041`, `\x41`, `\101`, `\/`
    Backslash,
    /// `&#65;`, `&quot;`
    Html,
    /// `=3D`
    Quoted,
    /// `ESC[31m`
    Terminal,
}

impl Escape {
    /// How many sorts there are.
    pub const COUNT: usize = 5;
}

/// A longer literal is searched for by its beginning, which says enough: what is new of a git object has to be searched
/// with this much of the old text on both sides.
const LONGEST: usize = 24;
const BITS: u32 = 18;
const BITMAP: usize = 1 << (BITS - 6);
const FOLD: u32 = 0x2020_2020;
const LANES: usize = 16;

/// The search over all literals of a rule set.
pub struct Prefilter {
    literals: Vec<Literal>,
    bitmap: Box<[u64; BITMAP]>,
    /// Open addressing: folded window → range of `owners`; a zero length is an empty slot.
    table: Vec<Slot>,
    owners: Vec<Owner>,
    complete: bool,
}

#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    window: u32,
    first: u16,
    len: u16,
}

/// A literal that has the window at this offset.
#[derive(Debug, Clone, Copy)]
struct Owner {
    literal: u16,
    offset: u8,
}

impl std::fmt::Debug for Prefilter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Prefilter")
            .field("literals", &self.literals.len())
            .field("windows", &self.owners.len())
            .finish_non_exhaustive()
    }
}

/// Any odd number is right. Of 600,000, this is the one with which, in 56 MB of source text in ten languages, the fewest other windows
/// share a bit with one of the built-in literals: 1.5 % of all places go further, with most numbers 2.3 %.
const MULTIPLIER: u32 = 0xE61D_F143;

fn hash(window: u32) -> u32 {
    window.wrapping_mul(MULTIPLIER) >> (32 - BITS)
}

/// An empty bitmap, made on the heap.
fn zeroed() -> Box<[u64; BITMAP]> {
    let words: Box<[u64]> = vec![0; BITMAP].into_boxed_slice();
    words
        .try_into()
        .unwrap_or_else(|_| unreachable!("the length is BITMAP"))
}

#[inline]
fn probe(bitmap: &[u64; BITMAP], window: u32) -> u32 {
    let h = hash(window);
    (bitmap[(h >> 6) as usize] >> (h & 63) & 1) as u32
}

impl Prefilter {
    /// Builds the search for these rules.
    #[must_use]
    pub fn new(rules: &[Rule]) -> Self {
        let literals = collect(rules);
        let mut windows: BTreeMap<u32, Vec<Owner>> = BTreeMap::new();
        let mut complete = u16::try_from(rules.len()).is_ok();
        for (index, literal) in literals.iter().enumerate() {
            let Ok(index) = u16::try_from(index) else {
                complete = false;
                break;
            };
            for (window, offset) in windows_of(&literal.bytes, literal.next) {
                windows.entry(window).or_default().push(Owner {
                    literal: index,
                    offset,
                });
            }
        }
        let mut bitmap = zeroed();
        // At most half full, so that a search in it ends soon, and ends at all.
        let mut table = vec![Slot::default(); (windows.len() * 2).next_power_of_two().max(2)];
        let mask = table.len() - 1;
        let mut owners = Vec::new();
        for (window, list) in windows {
            let h = hash(window);
            if let Some(word) = bitmap.get_mut((h >> 6) as usize) {
                *word |= 1 << (h & 63);
            }
            let (Ok(first), Ok(len)) = (u16::try_from(owners.len()), u16::try_from(list.len()))
            else {
                complete = false;
                break;
            };
            owners.extend(list);
            let mut at = h as usize & mask;
            for _ in 0..=mask {
                match table.get_mut(at) {
                    Some(slot) if slot.len == 0 => {
                        *slot = Slot { window, first, len };
                        break;
                    }
                    _ => at = (at + 1) & mask,
                }
            }
        }
        Self {
            literals,
            bitmap,
            table,
            owners,
            complete,
        }
    }

    /// Whether there was room for all literals; else rules are lost.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// The literals, plain ones first.
    #[must_use]
    pub fn literals(&self) -> &[Literal] {
        &self.literals
    }

    /// Calls `on` for every literal in `bytes`, by ascending window.
    pub fn search(&self, bytes: &[u8], mut on: impl FnMut(Hit)) {
        let bitmap: &[u64; BITMAP] = &self.bitmap;
        let mut at = 0usize;
        while let Some(block) = bytes
            .get(at..)
            .and_then(|b| b.first_chunk::<{ LANES + 4 }>())
        {
            // Four windows begin in each half of eight bytes; the shifts by a constant keep the loop
            // free of all but two loads a window.
            let mut lanes = 0u32;
            for quarter in 0..LANES / 4 {
                let from = quarter * 4;
                let half = u64::from_le_bytes([
                    block[from],
                    block[from + 1],
                    block[from + 2],
                    block[from + 3],
                    block[from + 4],
                    block[from + 5],
                    block[from + 6],
                    block[from + 7],
                ]) | (FOLD as u64) << 32
                    | FOLD as u64;
                let found = probe(bitmap, half as u32)
                    | probe(bitmap, (half >> 8) as u32) << 1
                    | probe(bitmap, (half >> 16) as u32) << 2
                    | probe(bitmap, (half >> 24) as u32) << 3;
                lanes |= found << from;
            }
            while lanes != 0 {
                let lane = lanes.trailing_zeros() as usize;
                lanes &= lanes - 1;
                let window = u32::from_le_bytes([
                    block[lane],
                    block[lane + 1],
                    block[lane + 2],
                    block[lane + 3],
                ]);
                self.resolve(bytes, at + lane, window | FOLD, &mut on);
            }
            at += LANES;
        }
        // What is left is shorter than a block: windows are padded with NUL, which no literal holds.
        let rest = bytes.get(at..).unwrap_or_default();
        for lane in 0..rest.len() {
            let byte = |i: usize| rest.get(lane + i).copied().unwrap_or(0);
            let window = u32::from_le_bytes([byte(0), byte(1), byte(2), byte(3)]) | FOLD;
            if probe(bitmap, window) == 1 {
                self.resolve(bytes, at + lane, window, &mut on);
            }
        }
    }

    fn resolve(&self, bytes: &[u8], at: usize, window: u32, on: &mut impl FnMut(Hit)) {
        let mask = self.table.len() - 1;
        let mut slot_at = hash(window) as usize & mask;
        loop {
            let slot = self.table[slot_at];
            if slot.len == 0 {
                return;
            }
            if slot.window == window {
                let first = usize::from(slot.first);
                let owners = self
                    .owners
                    .get(first..first + usize::from(slot.len))
                    .unwrap_or_default();
                for owner in owners {
                    let Some(start) = at.checked_sub(usize::from(owner.offset)) else {
                        continue;
                    };
                    let Some(literal) = self.literals.get(usize::from(owner.literal)) else {
                        continue;
                    };
                    let Some(text) = bytes.get(start..start + literal.bytes.len()) else {
                        continue;
                    };
                    let same = if literal.fold {
                        text.eq_ignore_ascii_case(&literal.bytes)
                    } else {
                        text == literal.bytes.as_slice()
                    };
                    if same {
                        on(Hit {
                            at: start,
                            literal: owner.literal,
                        });
                    }
                }
                return;
            }
            slot_at = (slot_at + 1) & mask;
        }
    }
}

/// The windows under which a literal is filed, with their offset in it: its rarest four bytes, or,
/// for one of three bytes, those with every byte that may follow.
fn windows_of(bytes: &[u8], next: u8) -> Vec<(u32, u8)> {
    if let [a, b, c] = bytes {
        let follows = |d: &u8| match next {
            SEQUENCE => matches!(d, b'0'..=b'9' | b';' | b':') || d.is_ascii_lowercase(),
            DIGITS => matches!(d, b'0'..=b'9' | b';'),
            HEX => matches!(d, b'0'..=b'9' | b'a'..=b'f'),
            WORD => d.is_ascii_alphanumeric() || matches!(d, b'_' | b'-'),
            _ => true,
        };
        let mut all: Vec<u32> = (0..128u8)
            .filter(follows)
            .map(|d| u32::from_le_bytes([*a, *b, *c, d]) | FOLD)
            .collect();
        all.sort_unstable();
        all.dedup();
        return all.into_iter().map(|w| (w, 0)).collect();
    }
    bytes
        .windows(4)
        .zip(0u8..)
        .max_by_key(|(w, _)| rarity(w))
        .and_then(|(w, offset)| match w {
            [a, b, c, d] => Some((u32::from_le_bytes([*a, *b, *c, *d]) | FOLD, offset)),
            _ => None,
        })
        .into_iter()
        .collect()
}

/// How rare a pair of neighbours is in source text: bits, by a count over 15 MB of it. One row a
/// first byte, one letter (`a` = 0 bits) a second one; [`class`] gives the places.
const PAIRS: [&[u8; 36]; 36] = [
    b"mkjjnmkpkpmijiqjpiihklnmlopkmnnonqno",
    b"komokppqllqknqlprlmokqqrlqpknpmnprno",
    b"jolmjmpjlrjjmphnpkmijppqnrpklnnpmqoo",
    b"jnnlinnojqqmonkoqmlnlopnmrpikmlnlnmm",
    b"jmiikjlomoojkhmkkhhinkljlpphjlknkmll",
    b"kpomkknqjrplnmjopllllrqqmrpjmnmqnoon",
    b"mpoojpnljrqmnlloqllmloproprjlomnnpnn",
    b"jpooipqpkqppnpkormmkmqqroppklnnpmpmo",
    b"lljjkjkqopnjkhilokiipkqmqkqmnpoppqoo",
    b"orqqlrqrpppqrrnqqrnrorqrqrrprropssrp",
    b"npqokooplrpoqnnpqqmnnpqrqrrlmonpnpoo",
    b"jnnkilopirojnojmrokkknonkqqjknmnmonn",
    b"jmomiopqkrpmknkkopkmlpqpmqqkmonmnqoo",
    b"jojiikiokqmlnljmqniikloqmqqiknlnlnlm",
    b"mljjnklolmlkjhkjqikjjlkmoprjlmnnnpno",
    b"jqnmjpnmlrojpojkpjljkoopmrqllnnnmqoo",
    b"prqrqrprqrqorqqrppppkrqrrrqopqprqsrp",
    b"imkkhmkpjqmjkkimqjjjklnqkqqikmlnlomm",
    b"kolohnljjqmlnnkknnjhjnnqlpqikmklknlm",
    b"iokmhmohirolmmikqikjjommkophilkmlnmm",
    b"ljkmklmqlrqjkjnkrijjopqoqqomprqrqrqp",
    b"kqoqjppqlrqpoomqrqpqppppqrpnnooppqoo",
    b"lqpolqqlkrrpqmlqrlmoqqopqqrmnooqpqoo",
    b"mqnpmoqqnqqpoqqlrpplqqrnnrpmmnnpopoo",
    b"noopnpoqnrpnnmlkqnlmqqorpprjlnmonpnn",
    b"orqqkrqrorrqprorrrprpqrrqprpqqqrqsop",
    b"pppppprqrrrqrrrrqrrprqrqrqnmppnqpsoo",
    b"ijhjiikkinmjjjjjniihjkjnlnmeljmkkiik",
    b"klklkkmlkomlkllkokjkllmppppnlsrqrsro",
    b"mnlmnmnnmqpmnnnmpmlmnonprpolsjqqsqqn",
    b"lnkmmmmmmoonmmnmqmllnonqprolprlorqnn",
    b"mnlmonnnnqpnnnnmrmmmonoqqrqkrqojrrpn",
    b"nnlnnnppnqronnonrnnmopprrrpiprrmjmon",
    b"qqqqpprqpssqqpppsqqpqrrrrsqisrrqsllo",
    b"lnmnnmmmnqpnnnomqmmmnoopprpkroonmqml",
    b"nomnnnnonpponnonpnmmoooopppjoonmoonl",
];

/// Four bytes that are more common than their pairs, by a count over 56 MB of source text in ten languages.
const COMMON: [&[u8]; 25] = [
    b" use", b"ault", b"node", b"s://", b"ps:/", b"tial", b"thub", b"hub.", b" key", b"_key",
    b"ocke", b"t_id", b"e_id", b"iabl", b"p://", b"tp:/", b"ion(", b"elm ", b"djan", b" = (",
    b"disc", b"mark", b"abil", b"keys", b"elas",
];

/// A byte's place in [`PAIRS`]: letters, any digit, then signs that are common in code.
fn class(byte: u8) -> usize {
    match byte.to_ascii_lowercase() {
        letter @ b'a'..=b'z' => usize::from(letter - b'a'),
        b'0'..=b'9' => 26,
        other => b" _-./:=\""
            .iter()
            .position(|b| *b == other)
            .map_or(35, |at| 27 + at),
    }
}

/// How rare four bytes are: the more, the better they tell a literal from other text.
fn rarity(window: &[u8]) -> u32 {
    let pairs = window
        .windows(2)
        .map(|p| u32::from(PAIRS[class(p[0])][class(p[1])] - b'a'))
        .sum();
    let is_common = || {
        COMMON
            .iter()
            .any(|common| window.eq_ignore_ascii_case(common))
    };
    // A ruler of one sign runs over whole lines.
    if window.iter().all(|b| Some(b) == window.first()) || is_common() {
        0
    } else {
        pairs
    }
}

// What may stand behind a literal of three bytes; see [`super::RuleSpec::next`]. The fewer bytes, the fewer windows it has.
const ANY: u8 = 0;
const WORD: u8 = 1;
const HEX: u8 = 2;
const DIGITS: u8 = 3;
const SEQUENCE: u8 = 4;

/// What marks a line for [`Escape`]: the escapes that stand between a name and its value, or inside a value. One that only
/// stands in front of a key needs no mark (see `scan/engine.rs`).
const MARKS: [(Escape, u8, &[&[u8]]); 9] = [
    (
        Escape::Backslash,
        ANY,
        &[b":\\/\\/", b"\\033[", b"\\042", b"\\075"],
    ),
    (
        Escape::Backslash,
        HEX,
        &[
            b"\\u00", b"\\x1b", b"\\x2", b"\\x3", b"\\x4", b"\\x5", b"\\x6", b"\\x7",
        ],
    ),
    (
        Escape::Percent,
        ANY,
        &[
            b"%3a",
            b"%40",
            b"%3d",
            b"%22",
            b"%5f",
            b"bearer%20",
            b"-begin%20",
            b"%2522",
            b"%253a",
            b"%253d",
        ],
    ),
    (Escape::Html, ANY, &[b"&quot;"]),
    (Escape::Html, HEX, &[b"&#x"]),
    (
        Escape::Html,
        DIGITS,
        &[
            b"&#1", b"&#3", b"&#4", b"&#5", b"&#6", b"&#7", b"&#8", b"&#9",
        ],
    ),
    (Escape::Quoted, ANY, &[b"=3d"]),
    (Escape::Terminal, ANY, &[b"\x1b[m", b"\x1b[k"]),
    (
        Escape::Terminal,
        SEQUENCE,
        &[
            b"\x1b[0", b"\x1b[1", b"\x1b[2", b"\x1b[3", b"\x1b[4", b"\x1b[7", b"\x1b[9",
        ],
    ),
];

/// All literals of the rules with their encoded forms; equal ones joined.
fn collect(rules: &[Rule]) -> Vec<Literal> {
    let mut plain: BTreeMap<(Vec<u8>, bool), Literal> = BTreeMap::new();
    for (index, rule) in rules.iter().enumerate() {
        let Ok(index) = u16::try_from(index) else {
            break;
        };
        let spec = rule.spec();
        for text in spec.literals.iter() {
            let mut bytes = if spec.ignore_case {
                text.to_ascii_lowercase()
            } else {
                text.to_string()
            }
            .into_bytes();
            bytes.truncate(LONGEST);
            let literal = plain
                .entry((bytes.clone(), spec.ignore_case))
                .or_insert_with(|| Literal {
                    bytes,
                    fold: spec.ignore_case,
                    rules: Vec::new(),
                    steps: Vec::new(),
                    escape: None,
                    back: 0,
                    forward: 0,
                    distinctive: false,
                    nested: false,
                    next: HEX,
                });
            literal.rules.push(index);
            literal.back = literal.back.max(spec.back);
            literal.forward = literal.forward.max(spec.forward);
            literal.distinctive |= rule.is_distinctive();
            literal.nested |= rule.is_distinctive()
                && spec.severity == Severity::Critical
                && spec.confidence == Confidence::High;
            literal.next = literal.next.min(spec.next);
        }
    }
    let mut encoded: BTreeMap<Vec<u8>, Literal> = BTreeMap::new();
    for literal in plain.values() {
        // A keyword of a provider is no reason to decode; a distinctive prefix and the generic words are.
        let decoding: Vec<u16> = literal
            .rules
            .iter()
            .copied()
            .filter(|r| {
                rules.get(usize::from(*r)).is_some_and(|r| {
                    let spec = r.spec();
                    spec.decode && (r.is_distinctive() || spec.generic) && literal.bytes.len() >= 4
                })
            })
            .collect();
        if decoding.is_empty() {
            continue;
        }
        let template = Literal {
            rules: decoding,
            fold: false,
            ..literal.clone()
        };
        for cased in cases(literal) {
            for first in encodings(&cased) {
                if literal.nested && first.1 != Step::Hex {
                    for second in encodings(&first.0).into_iter().filter(|s| s.1 != Step::Hex) {
                        add(&mut encoded, &template, second.0, vec![second.1, first.1]);
                    }
                }
                add(&mut encoded, &template, first.0, vec![first.1]);
            }
        }
    }
    // A prefix whose first letter is written as an escape of a URL.
    let hidden: Vec<Vec<u8>> = plain
        .values()
        .filter(|l| l.distinctive && !l.fold && l.bytes.len() >= 4)
        .filter_map(|l| {
            let (first, rest) = l.bytes.split_first()?;
            let mut bytes = format!("%{first:02x}").into_bytes();
            bytes.extend(rest.to_ascii_lowercase());
            bytes.truncate(LONGEST);
            first.is_ascii_alphanumeric().then_some(bytes)
        })
        .collect();
    let mut literals: Vec<Literal> = plain.into_values().collect();
    literals.extend(encoded.into_values());
    let marks = MARKS
        .iter()
        .flat_map(|(escape, next, all)| all.iter().map(|bytes| (*escape, *next, bytes.to_vec())))
        .chain(
            hidden
                .into_iter()
                .map(|bytes| (Escape::Percent, ANY, bytes)),
        );
    literals.extend(marks.map(|(escape, next, bytes)| Literal {
        bytes,
        fold: true,
        rules: Vec::new(),
        steps: Vec::new(),
        escape: Some(escape),
        back: 0,
        forward: 0,
        distinctive: false,
        nested: false,
        next,
    }));
    literals
}

fn add(
    all: &mut BTreeMap<Vec<u8>, Literal>,
    template: &Literal,
    mut bytes: Vec<u8>,
    steps: Vec<Step>,
) {
    if bytes.len() < 4 {
        return;
    }
    bytes.truncate(LONGEST);
    match all.entry(bytes) {
        std::collections::btree_map::Entry::Vacant(free) => {
            let bytes = free.key().clone();
            free.insert(Literal {
                bytes,
                steps,
                ..template.clone()
            });
        }
        std::collections::btree_map::Entry::Occupied(mut taken) => {
            let literal = taken.get_mut();
            if literal.steps == steps {
                literal.rules.extend(&template.rules);
                literal.rules.sort_unstable();
                literal.rules.dedup();
                literal.back = literal.back.max(template.back);
                literal.forward = literal.forward.max(template.forward);
                literal.distinctive |= template.distinctive;
            }
        }
    }
}

/// The spellings of a literal that are looked for in encoded text.
fn cases(literal: &Literal) -> Vec<Vec<u8>> {
    let mut all = vec![literal.bytes.clone()];
    if literal.fold {
        all.push(literal.bytes.to_ascii_uppercase());
        let mut capital = literal.bytes.clone();
        if let Some(first) = capital.first_mut() {
            first.make_ascii_uppercase();
        }
        all.push(capital);
        all.sort();
        all.dedup();
    }
    all
}

/// What is certain of an encoded text that holds the bytes, for each encoding and alignment.
fn encodings(bytes: &[u8]) -> Vec<(Vec<u8>, Step)> {
    use base64::Engine as _;
    let mut all = Vec::new();
    for shift in 0..3u8 {
        let mut padded = vec![0u8; usize::from(shift)];
        padded.extend_from_slice(bytes);
        let text = base64::engine::general_purpose::STANDARD_NO_PAD.encode(&padded);
        // Characters that also hold bits of the bytes before or after are not certain.
        let first = [0, 2, 3].get(usize::from(shift)).copied().unwrap_or(0);
        let last = padded.len() * 8 / 6;
        if let Some(certain) = text.as_bytes().get(first..last) {
            all.push((certain.to_vec(), Step::Base64(shift)));
        }
    }
    let hex: String = bytes.iter().fold(String::new(), |mut text, b| {
        use std::fmt::Write as _;
        let _ = write!(text, "{b:02x}");
        text
    });
    all.push((hex.clone().into_bytes(), Step::Hex));
    if hex.bytes().any(|b| b.is_ascii_lowercase()) {
        all.push((hex.to_ascii_uppercase().into_bytes(), Step::Hex));
    }
    all
}
