//! How long `b2n check`, `b2n fmt` and `b2n diff` take, whole process: a generated spec against schemas of 2,000 fields, with the
//! snapshots in the cache (warm) and without (cold), and how time grows with the spec.
//!
//! `cargo bench --bench check`; compare ratios within one run, since machines differ.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use b2n::lang::schema::{Choice, Domain, Field, Schema, Stats, Write, snapshot};
use b2n::lang::text::SourceText;
use b2n::lang::types::{Base, Type};

/// Fields of both schemas together.
const FIELDS: usize = 2_000;

/// The maps that get generated rules, with the source object.
const MAPS: [(&str, &str); 3] = [
    ("map company -> Account {", "company"),
    ("map contact -> Contact {", "contact"),
    ("map deal -> Lead {", "deal"),
];

fn field(name: String, ty: Type) -> Field {
    Field {
        title: Some(format!("Поле {name}")),
        name,
        ty,
        required: false,
        write: Write::Yes,
        custom: true,
        attributes: Vec::new(),
        stats: Some(Stats { filled: 17, ..Stats::default() }),
    }
}

/// The example's source schema with fields added until both sides have [`FIELDS`]; the names of the added ones.
fn grow(source: &mut Schema, target: &Schema) -> Vec<Vec<String>> {
    let count = |schema: &Schema| schema.objects.iter().map(|object| object.fields.len()).sum::<usize>();
    let missing = FIELDS - count(source) - count(target);
    let mut names = vec![Vec::new(); MAPS.len()];
    for n in 0..missing {
        let index = n % MAPS.len();
        let object = source.objects.iter_mut().find(|object| object.name == MAPS[index].1).unwrap();
        let name = format!("UF_CRM_9{n:09}");
        // Every eighth is an enumeration of ten values.
        let ty = if n % 8 == 0 {
            let domain = format!("{}.{name}", object.name);
            let choices = (0..10)
                .map(|c| Choice { code: format!("{c}"), title: Some(format!("Значение {c}")) });
            source.domains.insert(domain.clone(), Domain { choices: choices.collect(), ..Domain::default() });
            Type::maybe(Base::Enum(domain))
        } else {
            Type::maybe(Base::Text { max: None })
        };
        object.fields.push(field(name.clone(), ty));
        names[index].push(name);
    }
    for object in &mut source.objects {
        object.fields.sort_by(|a, b| a.name.cmp(&b.name));
    }
    names
}

/// Names in a line that drops fields.
const NAMES: usize = 60;

/// A spec without its tests, comments and blank lines.
fn bare(spec: &str) -> String {
    let end = ["\nfixture ", "\ntest ", "\ngolden "].iter().filter_map(|item| spec.find(item)).min();
    let lines = spec[..end.unwrap_or(spec.len())].lines();
    let lines = lines.filter(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#'));
    lines.map(|line| format!("{line}\n")).collect()
}

/// The example's spec with tables and rules added until it has about so many lines. Fields that no rule is left for
/// are dropped by name, many to a line; those that there are too few of are read again.
fn spec(example: &str, source: &Schema, names: &[Vec<String>], lines: usize) -> String {
    let mut tables = String::new();
    let mut rules = vec![String::new(); MAPS.len()];
    let mut unread: Vec<Vec<&str>> = vec![Vec::new(); MAPS.len()];
    let drops = names.iter().map(Vec::len).sum::<usize>() / NAMES;
    let mut left = lines.saturating_sub(example.lines().count() + drops);
    let fields = (0..).flat_map(|n| (0..MAPS.len()).map(move |index| (n, index)));
    for (n, index) in fields {
        let (round, at) = (n / names[index].len(), n % names[index].len());
        if round > 0 && left == 0 {
            break;
        }
        let name = &names[index][at];
        let object = source.object(MAPS[index].1).unwrap();
        match &object.field(name).unwrap().ty.base {
            Base::Enum(domain) if left >= 15 => {
                let _ = writeln!(tables, "table t_{index}_{n} : enum({domain}) -> text {{");
                for code in 0..10 {
                    let _ = writeln!(tables, "  \"{code}\" `Значение {code}`  => \"value {code}\"");
                }
                tables.push_str("  _ unseen  => quarantine\n}\n\n");
                let _ = writeln!(rules[index], "  custom \"Choice {n}\"  text  <- t_{index}_{n}[{name}]");
                left -= 15;
            }
            Base::Text { .. } if left > 0 => {
                let _ =
                    writeln!(rules[index], "  custom \"Field {n}\"  text  <- {name}.trim()  else \"none\"");
                left -= 1;
            }
            _ if round == 0 => unread[index].push(name),
            _ => {}
        }
        // What is left is too little for a table.
        if round > 0 && left < 15 {
            left = 0;
        }
    }
    for (rules, unread) in rules.iter_mut().zip(&unread) {
        for names in unread.chunks(NAMES) {
            let _ = writeln!(rules, "  drop {} declined \"not needed\"", names.join(", "));
        }
    }
    let mut text = example.to_owned();
    for ((head, _), rules) in MAPS.iter().zip(&rules) {
        let at = text.find(head).unwrap() + head.len() + 1;
        let end = at + text[at..].find("\n}\n").unwrap() + 1;
        text.insert_str(end, rules);
    }
    let at = text.find("pipeline sales").unwrap();
    text.insert_str(at, &tables);
    text
}

struct Bench<'a> {
    folder: &'a Path,
    cache: String,
}

impl Bench<'_> {
    /// Runs b2n, which must end with this exit code.
    fn run_to(&self, code: i32, args: &[&str], cache: &str) -> Duration {
        let began = Instant::now();
        let status = Command::new(env!("CARGO_BIN_EXE_b2n"))
            .env("B2N_CACHE_DIR", cache)
            .current_dir(self.folder)
            .args(args)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap();
        assert_eq!(status.code(), Some(code), "{args:?}");
        began.elapsed()
    }

    fn run(&self, args: &[&str], cache: &str) -> Duration {
        self.run_to(0, args, cache)
    }

    /// The median and the best of so many runs, in milliseconds.
    fn measure(&self, args: &[&str], cache: &str, runs: usize) -> (f64, f64) {
        self.measure_to(0, args, cache, runs)
    }

    fn measure_to(&self, code: i32, args: &[&str], cache: &str, runs: usize) -> (f64, f64) {
        let mut times: Vec<f64> =
            (0..runs).map(|_| self.run_to(code, args, cache).as_secs_f64() * 1000.0).collect();
        times.sort_by(f64::total_cmp);
        (times[times.len() / 2], times[0])
    }
}

fn main() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/acme");
    let read = |name: &str| std::fs::read_to_string(example.join(name)).unwrap();
    let schema = |name: &str| snapshot::read(&SourceText::new(name, read(name))).unwrap();
    let (mut source, target) = (schema("schema/bitrix24.yaml"), schema("schema/nutshell.yaml"));
    let names = grow(&mut source, &target);
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("schema")).unwrap();
    std::fs::write(folder.path().join("schema/bitrix24.yaml"), snapshot::write(&source)).unwrap();
    std::fs::write(folder.path().join("schema/nutshell.yaml"), snapshot::write(&target)).unwrap();
    let cache = folder.path().join("cache").display().to_string();
    let bench = Bench { folder: folder.path(), cache };

    println!(
        "a process that does nothing (`b2n explain E0301`): {:.1} ms",
        bench.measure(&["explain", "E0301"], "", 20).0
    );
    let sizes = [300, 1_000, 3_000, 10_000, 30_000];
    let mut points = Vec::new();
    for lines in sizes {
        let text = spec(&bare(&read("acme.b2n")), &source, &names, lines);
        let lines = text.lines().count();
        std::fs::write(folder.path().join("big.b2n"), &text).unwrap();
        let runs = if lines > 5_000 { 5 } else { 20 };
        let (cold, _) = bench.measure(&["check", "big.b2n"], "", runs.min(10));
        bench.run(&["check", "big.b2n"], &bench.cache);
        let (warm, best) = bench.measure(&["check", "big.b2n"], &bench.cache, runs);
        bench.run(&["fmt", "big.b2n"], "");
        let (fmt, _) = bench.measure(&["fmt", "--check", "big.b2n"], "", runs);
        let laid_out = std::fs::read_to_string(folder.path().join("big.b2n")).unwrap();
        std::fs::write(folder.path().join("big.b2n"), laid_out.replace("  <- ", " <- ")).unwrap();
        let (other, _) = bench.measure_to(1, &["fmt", "--check", "big.b2n"], "", runs);
        let changed = text.replace(".trim()  else \"none\"", ".upper()  else \"none\"");
        std::fs::write(folder.path().join("big.b2n"), &text).unwrap();
        std::fs::write(folder.path().join("new.b2n"), changed).unwrap();
        let (diff, _) =
            bench.measure(&["diff", "big.b2n", "new.b2n", "--fail-on", "never"], &bench.cache, runs.min(10));
        println!(
            "{lines} lines, {FIELDS} fields: check warm {warm:.1} ms (best {best:.1}), cold {cold:.1} ms; \
             fmt {fmt:.1} ms where nothing changes, {other:.1} ms where all rules move; \
             diff by statistics {diff:.1} ms"
        );
        points.push((lines as f64, warm));
    }
    for pair in points.windows(2) {
        let (from, to) = (pair[0], pair[1]);
        println!(
            "from {} to {} lines, warm: {:.2} us a line",
            from.0,
            to.0,
            (to.1 - from.1) * 1000.0 / (to.0 - from.0)
        );
    }
}
