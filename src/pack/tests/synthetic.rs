//! Histories made without git: of random shapes, and of one long chain.

use proptest::prelude::*;

use super::*;

/// One object: on which earlier one it is a delta (none: whole), and what it changes there.
#[derive(Debug, Clone)]
struct Step {
    base: Option<prop::sample::Index>,
    by_id: bool,
    from: prop::sample::Index,
    cut: usize,
    new: Vec<u8>,
}

fn step() -> impl Strategy<Value = Step> {
    (
        prop::option::weighted(0.9, any::<prop::sample::Index>()),
        any::<bool>(),
        any::<prop::sample::Index>(),
        0_usize..200,
        prop::collection::vec(any::<u8>(), 0..300),
    )
        .prop_map(|(base, by_id, from, cut, new)| Step {
            base,
            by_id,
            from,
            cut,
            new,
        })
}

fn build(steps: &[Step]) -> (Pack, BTreeMap<Oid, (Kind, u64)>) {
    let mut made = PackBuilder::new();
    let mut objects: Vec<(u64, Vec<u8>)> = Vec::new();
    let mut listed = BTreeMap::new();
    for (i, step) in steps.iter().enumerate() {
        // A number in front keeps all objects different.
        let number = (i as u32).to_be_bytes();
        let base = step.base.filter(|_| i > 0).map(|base| base.index(i));
        let (bytes, delta) = match base {
            None => ([&number[..], &step.new].concat(), Vec::new()),
            Some(base) => {
                let base = &objects[base].1;
                let from = 4 + step.from.index(base.len() - 3);
                let to = (from + step.cut).min(base.len());
                let rest = DeltaBuilder::splice(&base[4..], from - 4, to - 4, &step.new).1;
                let bytes = [&number[..], &rest].concat();
                let mut delta =
                    DeltaBuilder::new(base.len() as u64, bytes.len() as u64).insert(&number);
                if from > 4 {
                    delta = delta.copy(4, from - 4);
                }
                delta = delta.insert(&step.new);
                if to < base.len() {
                    delta = delta.copy(to, base.len() - to);
                }
                (bytes, delta.0)
            }
        };
        let id = id_of(Kind::Blob, &bytes);
        let offset = match base {
            None => made.whole(Kind::Blob, &bytes),
            Some(base) if step.by_id => made.on(id, id_of(Kind::Blob, &objects[base].1), &delta),
            Some(base) => made.behind(id, objects[base].0, &delta),
        };
        listed.insert(id, (Kind::Blob, bytes.len() as u64));
        objects.push((offset, bytes));
    }
    (made.pack(), listed)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn any_forest_of_deltas_is_decoded_whatever_the_threads_and_the_memory(
        steps in prop::collection::vec(step(), 1..120),
        threads in 1_usize..4,
        memory in prop::sample::select(vec![400_000_u64, 4 << 20]),
    ) {
        let (pack, listed) = build(&steps);
        let got = gather(&pack, threads, &Options { memory, ..Options::default() });
        prop_assert_eq!(got.gaps, []);
        prop_assert_eq!(got.objects, listed);
    }

    #[test]
    fn any_bytes_as_a_delta_give_an_error_or_the_size_they_say(
        bytes in prop::collection::vec(any::<u8>(), 0..60),
    ) {
        use super::super::delta::Delta;
        let base = [7; 100];
        if let Ok(delta) = Delta::new(&bytes) && delta.result_size() < 1 << 20 {
            let mut result = vec![0; delta.result_size() as usize];
            let mut edits = EditMap::default();
            let applied = delta.apply(&base, &mut result, &mut edits);
            let mut pieces = Vec::new();
            let cut = delta.pieces(&base, |piece| pieces.extend_from_slice(piece));
            prop_assert_eq!(applied, cut);
            if applied.is_ok() {
                prop_assert_eq!(&pieces, &result);
                check(&edits, &base, &result);
            }
        }
    }
}

/// One chain, with a side branch on every `side`th object.
fn chain(count: usize, side: usize, size: usize) -> (Pack, BTreeMap<Oid, (Kind, u64)>) {
    let mut random = Random(count as u64);
    let mut bytes = text(&mut random, size);
    let mut made = PackBuilder::new();
    let mut listed = BTreeMap::new();
    listed.insert(id_of(Kind::Blob, &bytes), (Kind::Blob, bytes.len() as u64));
    let mut at = made.whole(Kind::Blob, &bytes);
    for i in 1..count {
        let edit = |random: &mut Random, base: &[u8]| {
            let from = random.below(base.len() - 40);
            let len = 20 + random.below(41);
            let new = text(random, len);
            DeltaBuilder::splice(base, from, from + 40, &new)
        };
        if i % side == 0 {
            let (delta, other) = edit(&mut random, &bytes);
            let id = id_of(Kind::Blob, &other);
            listed.insert(id, (Kind::Blob, other.len() as u64));
            made.behind(id, at, &delta);
        }
        let (delta, next) = edit(&mut random, &bytes);
        let id = id_of(Kind::Blob, &next);
        listed.insert(id, (Kind::Blob, next.len() as u64));
        at = made.behind(id, at, &delta);
        bytes = next;
    }
    (made.pack(), listed)
}

#[test]
fn a_long_chain_is_the_same_from_any_number_of_threads() {
    let (pack, listed) = chain(6000, 50, 1500);
    for (threads, memory) in [(1, 64 << 20), (2, 64 << 20), (4, 64 << 20), (2, 40_000)] {
        let got = gather(
            &pack,
            threads,
            &Options {
                memory,
                ..Options::default()
            },
        );
        assert_eq!(got.gaps.len(), 0, "{}", got.gaps[0]);
        assert!(got.objects == listed);
        // Where a thread takes over, it begins with an object whose base it has not visited.
        let most = listed.len() - 1;
        assert!(got.edited <= most && got.edited + 50 > most);
        assert!(threads > 1 || got.edited == most);
    }
}

#[test]
fn a_chain_that_is_damaged_in_the_middle_is_decoded_up_to_there() {
    let (pack, listed) = chain(3000, 100, 1500);
    let pool = pool(2);
    let entries = Entries::read(&pack, &pool);
    let mut bytes = vec![0; pack.size() as usize];
    pack.source.read_exact_at(&mut bytes, 0).unwrap();
    let (offset, len) = entries.data(1500);
    bytes[offset as usize + len / 2] ^= 0x10;
    let index = Index::parse(pack.index().bytes().to_vec(), Path::new("made.idx")).unwrap();
    let pack = Pack::new(Box::new(bytes), index, Path::new("made.pack")).unwrap();
    for threads in [1, 2] {
        let got = gather(&pack, threads, &Options::default());
        assert_eq!(got.objects.len() + got.gaps.len(), listed.len());
        assert!(got.objects.len() >= 1500);
        assert!(got.gaps.iter().skip(1).all(|gap| gap.why == Why::Base));
    }
}

#[test]
fn one_base_with_many_deltas_is_shared_out() {
    let mut random = Random(77);
    let base = text(&mut random, 5000);
    let mut made = PackBuilder::new();
    let at = made.whole(Kind::Blob, &base);
    for i in 0..3000_usize {
        let (delta, next) = DeltaBuilder::splice(&base, i, i + 9, format!("<{i}>").as_bytes());
        made.behind(id_of(Kind::Blob, &next), at, &delta);
    }
    let got = gather(&made.pack(), 3, &Options::default());
    assert_eq!(got.gaps, []);
    assert_eq!(got.objects.len(), 3001);
    assert_eq!(got.edited, 3000);
}

#[test]
fn a_visitor_that_panics_ends_the_walk() {
    struct Panics(usize);
    impl Visitor for Panics {
        type State = ();
        fn object(&mut self, _: &Object<'_>, _: Option<&()>) {
            self.0 += 1;
            assert!(self.0 < 500, "on purpose");
        }
        fn window(&mut self, _: &Head<'_>, _: &Window<'_>) {}
    }
    let (pack, _) = chain(4000, 60, 800);
    let pool = pool(3);
    let entries = Entries::read(&pack, &pool);
    let tree = DeltaTree::new(&pack, &entries);
    let run = std::panic::AssertUnwindSafe(|| {
        walk(&pack, &entries, &tree, &Options::default(), &pool, || {
            Panics(0)
        });
    });
    assert!(std::panic::catch_unwind(run).is_err());
}

#[test]
fn a_walk_that_is_stopped_ends_early() {
    use std::sync::atomic::{AtomicBool, Ordering};
    struct Stops<'s>(&'s AtomicBool);
    impl Visitor for Stops<'_> {
        type State = ();
        fn object(&mut self, _: &Object<'_>, _: Option<&()>) {
            self.0.store(true, Ordering::Relaxed);
        }
        fn window(&mut self, _: &Head<'_>, _: &Window<'_>) {}
    }
    let (pack, listed) = chain(4000, 60, 800);
    let pool = pool(2);
    let entries = Entries::read(&pack, &pool);
    let tree = DeltaTree::new(&pack, &entries);
    let stop = AtomicBool::new(false);
    let options = Options {
        stop: Some(&stop),
        ..Options::default()
    };
    let walked = walk(&pack, &entries, &tree, &options, &pool, || Stops(&stop));
    assert!(walked.objects < listed.len() as u64 / 10);
}
