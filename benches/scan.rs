//! How fast the prefilter, the engine and a whole tree are, on generated program text.
//!
//! `cargo bench`; the comparison with other scanners is `benches/peers.sh`.

use std::fs;
use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use keysweep::rule::RuleSet;
use keysweep::scan::{Engine, Input, Limits, Options, Scratch, scan_tree};

/// Lines as they stand in program text and settings, without any key.
const LINES: [&str; 12] = [
    "    let value = compute(&input, options.depth)?; // the inner step\n",
    "fn parse(text: &str) -> Result<Config, Error> {\n",
    "    if token.is_empty() { return Err(Error::Empty); }\n",
    "export const fetchUser = async (id: string): Promise<User> => {\n",
    "  password: ${DB_PASSWORD}\n",
    "# The access key is read from the environment of the process.\n",
    "<div class=\"container\"><span title=\"key\">{{ user.name }}</span></div>\n",
    "index 3f9c2b1d..a8e07c55 100644\n",
    "\"integrity\": \"sha512-not-a-key-but-a-hash-as-it-stands-in-a-lock-file==\",\n",
    "}\n",
    "\n",
    "SELECT id, secret_name FROM vault_entries WHERE owner = ? ORDER BY created_at;\n",
];

fn text(bytes: usize) -> Vec<u8> {
    let mut state = 1u64;
    let mut text = Vec::with_capacity(bytes + 128);
    while text.len() < bytes {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        text.extend_from_slice(LINES[(state >> 33) as usize % LINES.len()].as_bytes());
    }
    text.truncate(bytes);
    text
}

fn engine() -> Engine {
    let rules = RuleSet::builtin().unwrap_or_else(|e| panic!("{e}"));
    Engine::new(rules).unwrap_or_else(|e| panic!("{e}"))
}

fn start(c: &mut Criterion) {
    c.bench_function("start", |b| b.iter(engine));
}

fn prefilter(c: &mut Criterion) {
    let (engine, text) = (engine(), text(1 << 20));
    let mut group = c.benchmark_group("prefilter");
    group.throughput(Throughput::Bytes(text.len() as u64));
    group.bench_function("program text", |b| {
        b.iter(|| {
            let mut hits = 0u64;
            engine
                .rules()
                .prefilter()
                .search(black_box(&text), |_| hits += 1);
            hits
        });
    });
    group.finish();
}

fn whole_engine(c: &mut Criterion) {
    let engine = engine();
    let mut scratch = Scratch::default();
    let plain = text(1 << 20);
    let noise: Vec<u8> = plain
        .iter()
        .zip(plain.iter().skip(1))
        .map(|(a, b)| a.wrapping_mul(31) ^ b)
        .collect();
    let mut group = c.benchmark_group("engine");
    group.throughput(Throughput::Bytes(plain.len() as u64));
    for (name, bytes) in [("program text", &plain), ("binary noise", &noise)] {
        group.bench_function(name, |b| {
            b.iter(|| {
                let mut found = 0u64;
                engine.scan(
                    black_box(bytes),
                    0..bytes.len(),
                    false,
                    Limits::default(),
                    &mut scratch,
                    |_| found += 1,
                );
                found
            });
        });
    }
    group.finish();
}

fn tree(c: &mut Criterion) {
    let engine = engine();
    let folder = tempfile::tempdir().unwrap_or_else(|e| panic!("{e}"));
    let content = text(16 << 10);
    for number in 0..1000 {
        let below = folder.path().join(format!("d{}", number % 20));
        fs::create_dir_all(&below)
            .and_then(|()| fs::write(below.join(format!("f{number}.rs")), &content))
            .unwrap_or_else(|e| panic!("{e}"));
    }
    let inputs = [Input {
        path: folder.path().to_path_buf(),
        prefix: String::new(),
    }];
    let mut group = c.benchmark_group("tree");
    group.sample_size(20);
    group.throughput(Throughput::Bytes(1000 * content.len() as u64));
    for threads in [1, 2] {
        let options = Options {
            threads,
            ..Options::default()
        };
        group.bench_function(format!("1000 files, {threads} threads"), |b| {
            b.iter(|| scan_tree(&engine, &inputs, &options, &()).summary.bytes);
        });
    }
    group.finish();
}

criterion_group!(benches, start, prefilter, whole_engine, tree);
criterion_main!(benches);
