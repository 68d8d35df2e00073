//! What performance.md asks for now: check of the example, transform of 100,000 contacts and deals, extraction and
//! load against twins that neither wait nor refuse.
//!
//! `cargo bench`; compare ratios within one run, since machines differ.

#![allow(clippy::unwrap_used)]

use std::hint::black_box;
use std::path::Path;
use std::rc::Rc;

use b2n::lang::check::{self, Input};
use b2n::lang::diff;
use b2n::lang::eval::Program;
use b2n::lang::plan::Plan;
use b2n::lang::schema::{Schema, snapshot};
use b2n::lang::syntax;
use b2n::lang::text::SourceText;
use b2n::run::connect;
use b2n::run::connect::outside::{Clock, Random, Transport};
use b2n::run::connect::secret::Credentials;
use b2n::run::engine::{Engine, Interrupted, Outside, Points, Progress, Settings};
use b2n::run::rehearsal::{SplitMix, VirtualClock, Wire};
use b2n::run::twin::Request;
use b2n::run::twin::bitrix24::generate::Counts;
use b2n::run::twin::bitrix24::{self, Latency, Portal};
use b2n::run::twin::nutshell::{self, Company};
use b2n::run::workspace::Workspace;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};

/// As the program has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

struct Example {
    spec: SourceText,
    source_text: SourceText,
    target_text: SourceText,
    source: Schema,
    target: Schema,
    plan: Plan,
}

fn text(path: &Path) -> SourceText {
    SourceText::from_bytes(path.display().to_string(), &std::fs::read(path).unwrap()).unwrap()
}

fn checked(spec: &SourceText, source: &Schema, target: &Schema) -> Plan {
    let (ast, _) = syntax::parse(spec);
    let (source_hash, target_hash) = (source.hash(), target.hash());
    let input = Input {
        spec: &ast,
        text: spec,
        source: Some(source),
        target: Some(target),
        source_hash: &source_hash,
        target_hash: &target_hash,
        source_name: "schema/bitrix24.yaml",
        target_name: "schema/nutshell.yaml",
        today: jiff::civil::date(2026, 11, 21),
        broken: &[],
    };
    check::check(&input).plan.unwrap()
}

fn example() -> Example {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/acme");
    let spec = text(&folder.join("acme.b2n"));
    let source_text = text(&folder.join("schema/bitrix24.yaml"));
    let target_text = text(&folder.join("schema/nutshell.yaml"));
    let source = snapshot::read(&source_text).unwrap();
    let target = snapshot::read(&target_text).unwrap();
    let plan = checked(&spec, &source, &target);
    Example { spec, source_text, target_text, source, target, plan }
}

fn check_bench(c: &mut Criterion) {
    let example = example();
    let mut group = c.benchmark_group("check");
    group.bench_function("example, snapshots read too", |b| {
        b.iter(|| {
            let source = snapshot::read(&example.source_text).unwrap();
            let target = snapshot::read(&example.target_text).unwrap();
            black_box(checked(&example.spec, &source, &target))
        })
    });
    group.bench_function("example, snapshots at hand", |b| {
        b.iter(|| black_box(checked(&example.spec, &example.source, &example.target)))
    });
    group.bench_function("parse", |b| b.iter(|| black_box(syntax::parse(&example.spec))));
    group.bench_function("format", |b| b.iter(|| black_box(syntax::format(&example.spec).unwrap())));
    group.finish();
}

/// `n` maps' worth of tables and rules over the example, so that the spec has thousands of lines.
fn long(spec: &SourceText, copies: usize) -> SourceText {
    let text = spec.text();
    let begin = text.find("table sources").unwrap();
    let end = text[begin..].find("\n}\n").unwrap() + begin + 3;
    let mut out = text.to_owned();
    for copy in 0..copies {
        out.push('\n');
        out.push_str(&text[begin..end].replacen("table sources", &format!("table sources_{copy}"), 1));
    }
    SourceText::new("long.b2n", out)
}

fn diff_bench(c: &mut Criterion) {
    let example = example();
    let old = long(&example.spec, 190);
    let new = SourceText::new(
        "new.b2n",
        old.text().replace("\"Phone\"", "\"Telephone\"").replace(".cut(100)", ".cut(90)"),
    );
    let (old_tree, new_tree) = (syntax::parse(&old).0, syntax::parse(&new).0);
    let (old_plan, new_plan) =
        (checked(&old, &example.source, &example.target), checked(&new, &example.source, &example.target));
    assert!(old.text().lines().count() >= 3_000);
    let Example { source, target, .. } = &example;
    let old = diff::Side { plan: &old_plan, source, target, spec: &old_tree, text: &old };
    let new = diff::Side { plan: &new_plan, source, target, spec: &new_tree, text: &new };
    assert!(diff::diff(old, new).changes.len() > 150);
    let mut group = c.benchmark_group("diff");
    group.bench_function("two plans of 3,000 lines, by statistics", |b| {
        b.iter(|| black_box(diff::diff(old, new)))
    });
    group.finish();
}

/// Staged records of a portal, as the client would have delivered them.
fn staged(counts: Counts) -> Workspace {
    let workspace = Workspace::in_memory().unwrap();
    let example = example();
    with_engine(&example, counts, &workspace, |clock, engine| clock.run(engine.extract()).unwrap().unwrap());
    workspace
}

fn transform_bench(c: &mut Criterion) {
    let example = example();
    let program = Program::compile(&example.plan).unwrap();
    let workspace = staged(Counts { companies: 200, contacts: 10_000, deals: 10_000, leads: 0 });
    let mut group = c.benchmark_group("transform");
    group.sample_size(10);
    for object in ["contact", "deal"] {
        let map = example.plan.maps.iter().position(|map| map.name == object).unwrap();
        let decoder = connect::decoder("bitrix24", &example.source, object).unwrap();
        let records = workspace.staged_page(object, 0, 10_000).unwrap();
        // Ten times the same ten thousand: 100,000 records.
        group.throughput(Throughput::Elements(100_000));
        group.bench_function(format!("100,000 {object}s, decoded and evaluated"), |b| {
            b.iter(|| {
                for _ in 0..10 {
                    for record in &records {
                        let slots = decoder.decode(&record.json).unwrap();
                        black_box(program.run(map, &slots));
                    }
                }
            })
        });
        group.bench_function(format!("100,000 {object}s, evaluated only"), |b| {
            let slots: Vec<_> = records.iter().map(|record| decoder.decode(&record.json).unwrap()).collect();
            b.iter(|| {
                for _ in 0..10 {
                    for slots in &slots {
                        black_box(program.run(map, slots));
                    }
                }
            })
        });
    }
    group.finish();
}

struct Never;

impl Points for Never {
    fn reach(&self, _: &'static str) -> Result<(), Interrupted> {
        Ok(())
    }
}

impl Progress for Never {
    fn begin(&self, _: &str, _: Option<u64>) {}
    fn at(&self, _: u64) {}
    fn end(&self) {}
    fn notice(&self, _: &str) {}
}

fn with_engine<T>(
    example: &Example,
    counts: Counts,
    workspace: &Workspace,
    work: impl FnOnce(&VirtualClock, &Engine<'_>) -> T,
) -> T {
    let settings = bitrix24::Settings {
        latency: Latency { request_ms: 0.0, base_ms: 0.0, row_ms: 0.0, count_us: 0.0 },
        rate_limited: false,
        ..bitrix24::Settings::default()
    };
    let portal = bitrix24::Twin::new(Portal::acme_with(counts, 1), settings);
    let account = nutshell::Twin::new(
        Company::acme(),
        nutshell::Settings { latency_ms: 0, ..nutshell::Settings::default() },
    );
    let virtual_clock = Rc::new(VirtualClock::at(1_795_262_400_000));
    let clock: Rc<dyn Clock> = virtual_clock.clone();
    let random: Rc<dyn Random> = Rc::new(SplitMix::new(1));
    let source_wire: Rc<dyn Transport> =
        Rc::new(Wire::new(Rc::new(move |r: &Request, now| portal.handle(r, now)), Rc::clone(&clock)));
    let target_wire: Rc<dyn Transport> =
        Rc::new(Wire::new(Rc::new(move |r: &Request, now| account.handle(r, now)), Rc::clone(&clock)));
    let credentials = Credentials::from_values(|name| {
        Some(match name {
            "B2N_BITRIX24_WEBHOOK" => "https://acme.bitrix24.com/rest/1/secret/".to_owned(),
            "B2N_NUTSHELL_USER" => "admin@acme.example".to_owned(),
            "B2N_NUTSHELL_KEY" => "key".to_owned(),
            _ => return None,
        })
    });
    let source = connect::source("bitrix24", &credentials, &source_wire, &clock, &random).unwrap();
    let target =
        connect::target("nutshell", &credentials, &target_wire, &clock, &random, connect::Pace::default())
            .unwrap();
    let decoders = b2n::run::engine::decoders(&example.plan, &example.source).unwrap();
    let outside = Outside { clock: clock.as_ref(), points: &Never, progress: &Never };
    let engine = Engine::new(
        &example.plan,
        workspace,
        source.as_ref(),
        target.as_ref(),
        decoders,
        outside,
        Settings { confirmed_only: false, approved_only: false, ..Settings::default() },
    )
    .unwrap();
    work(&virtual_clock, &engine)
}

fn run_bench(c: &mut Criterion) {
    let example = example();
    let counts = Counts { companies: 250, contacts: 750, deals: 500, leads: 0 };
    let mut group = c.benchmark_group("run");
    group.sample_size(10);
    group.throughput(Throughput::Elements(1_500));
    group.bench_function("extract 1,500 records", |b| {
        b.iter_batched(
            || Workspace::in_memory().unwrap(),
            |workspace| {
                with_engine(&example, counts, &workspace, |clock, engine| {
                    clock.run(engine.extract()).unwrap().unwrap();
                })
            },
            BatchSize::PerIteration,
        )
    });
    group.bench_function("extract, load and reconcile 1,500 records", |b| {
        b.iter_batched(
            || Workspace::in_memory().unwrap(),
            |workspace| {
                with_engine(&example, counts, &workspace, |clock, engine| {
                    assert!(clock.run(engine.migrate()).unwrap().unwrap().closes());
                })
            },
            BatchSize::PerIteration,
        )
    });
    group.finish();
}

criterion_group!(benches, check_bench, diff_bench, transform_bench, run_bench);
criterion_main!(benches);
