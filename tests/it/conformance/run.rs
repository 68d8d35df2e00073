//! A case through everything: profiles, checker, both evaluators, formatter.

use std::collections::BTreeSet;
use std::fmt::Write;

use b2n::lang::check::profile::{self, Part};
use b2n::lang::check::{self, Input};
use b2n::lang::eval::{Fold, Folded, Outcome, Program, Route, key_order, reference};
use b2n::lang::finding::{Finding, Severity, registry};
use b2n::lang::plan::{Map as PlanMap, Plan};
use b2n::lang::schema::Schema;
use b2n::lang::syntax::{self, ast, ast::Item};
use b2n::lang::text::SourceText;
use b2n::lang::value::Record;
use jiff::civil::{Date, date};
use serde_json::{Map, Value as Json, json};

use super::case::{Case, Got};
use super::{record, shown};

/// The day on which a case is checked that names none: two days after its snapshots were taken.
pub const TODAY: Date = date(2026, 11, 21);

/// A record of a case.
struct Given<'c> {
    object: &'c str,
    record: Record,
}

pub fn run(case: &Case, source: &Schema, target: &Schema) -> Result<Got, String> {
    let texts = case.texts();
    let files: Vec<SourceText> = texts.iter().map(|(name, text)| SourceText::new(*name, *text)).collect();
    let today = match case.head("today") {
        Some(day) => day.parse().map_err(|_| format!("`{day}` is no day"))?,
        None => TODAY,
    };
    let (plan, findings) = checked(&files, source, target, today);
    let mut got: Got = vec![("findings", findings)];
    let formatted = syntax::format(&files[0]);
    got.push(("formatted", formatted.clone().unwrap_or_default()));
    let records = case.records()?;
    let Some(plan) = plan else { return Ok(got) };
    let mut given = Vec::new();
    for (name, json) in &records {
        let object = source.object(name).ok_or(format!("no object `{name}`"))?;
        given.push(Given { object: name, record: record::read(object, json)? });
    }
    got.push(("output", output(&plan, &given)?));
    got.push(("phases", phases(&plan)));
    got.push(("fidelity", fidelity(&plan)));
    got.push(("provision", provision(&plan)));

    // Laid out anew it says the same.
    let anew: Vec<SourceText> = files
        .iter()
        .map(|file| Ok(SourceText::new(file.name(), syntax::format(file).map_err(|f| format!("{f:?}"))?)))
        .collect::<Result<_, String>>()?;
    let again = checked(&anew, source, target, today).0.ok_or("as formatted it does not check")?;
    if lineless(&output(&plan, &given)?) != lineless(&output(&again, &given)?) {
        return Err("as formatted it says something else".to_owned());
    }
    got.retain(|(_, text)| !text.is_empty());
    Ok(got)
}

/// The plan, and the findings as lines.
fn checked(files: &[SourceText], source: &Schema, target: &Schema, today: Date) -> (Option<Plan>, String) {
    let whole = check_files(files, source, target, today);
    (whole.plan, whole.findings.iter().map(|finding| told(&whole.text, finding)).collect())
}

/// Files that were checked as one.
pub struct Whole {
    /// All files, joined where there are several.
    pub text: SourceText,
    /// The effective spec.
    pub spec: ast::Spec,
    /// Only where no error was found, open decisions apart.
    pub plan: Option<Plan>,
    /// By place.
    pub findings: Vec<Finding>,
}

/// Checks a spec, the first of the files, with its profiles: the others, and those that are shipped.
pub fn check_files(files: &[SourceText], source: &Schema, target: &Schema, today: Date) -> Whole {
    let mut texts = files.to_vec();
    let mut uses: Vec<Vec<usize>> = Vec::new();
    while uses.len() < texts.len() {
        let (spec, _) = syntax::parse(&texts[uses.len()]);
        let mut used = Vec::new();
        for item in &spec.items {
            let Item::Use(profile) = item else { continue };
            let name = profile.profile.value.as_str();
            // A file that uses one before it would make a circle.
            if let Some(known) = texts.iter().position(|text| text.name() == name) {
                used.extend(Some(known).filter(|known| *known > uses.len()));
            } else if let Some(text) = profile::shipped(name) {
                used.push(texts.len());
                texts.push(SourceText::new(name, text));
            }
        }
        uses.push(used);
    }
    let alone = texts.len() == 1;
    let text = SourceText::join(texts);
    let mut findings = Vec::new();
    let mut parts = Vec::new();
    for (index, uses) in uses.into_iter().enumerate() {
        let (spec, found) = if alone { syntax::parse(&text) } else { syntax::parse_part(&text, index) };
        findings.extend(found);
        parts.push(Part { spec, uses });
    }
    let broken = check::broken(&findings);
    let resolved = profile::resolve(parts, &text);
    findings.extend(resolved.findings);
    let checked = check::check(&Input {
        spec: &resolved.spec,
        text: &text,
        source: Some(source),
        target: Some(target),
        source_hash: "source",
        target_hash: "target",
        source_name: "schema/source.yaml",
        target_name: "schema/target.yaml",
        today,
        broken: &broken,
    });
    findings.extend(checked.findings);
    findings.sort_by_key(|finding| {
        (finding.label.as_ref().map_or((u32::MAX, 0), |l| (l.span.start, l.span.end)), finding.code)
    });
    let wrong =
        |finding: &Finding| finding.severity == Severity::Error && finding.code != registry::TODO_OPEN;
    let plan = checked.plan.filter(|_| !findings.iter().any(wrong));
    Whole { text, spec: resolved.spec, plan, findings }
}

/// `B2N-E0301 12:1`, in a profile `B2N-E0301 12:1 agency.b2n`.
fn told(text: &SourceText, finding: &Finding) -> String {
    let Some(label) = &finding.label else { return format!("{}\n", finding.code) };
    let (file, span) = text.local(label.span);
    let at = file.position(span.start);
    let place = if file.name() == "case.b2n" { String::new() } else { format!(" {}", file.name()) };
    format!("{} {}:{}{place}\n", finding.code, at.line, at.column)
}

/// What becomes of the records, in their order.
fn output(plan: &Plan, given: &[Given<'_>]) -> Result<String, String> {
    let program = Program::compile(plan)?;
    let mut outcomes: Vec<(usize, usize, Outcome)> = Vec::new();
    let mut rows: Vec<(usize, Map<String, Json>)> = Vec::new();
    for (from, one) in given.iter().enumerate() {
        let mut maps: Vec<usize> =
            (0..plan.maps.len()).filter(|map| plan.maps[*map].source == one.object).collect();
        if let Some(split) = maps.first().and_then(|map| plan.maps[*map].split) {
            let route = program.route(usize::from(split), &one.record);
            let plain = reference::route(plan, usize::from(split), &one.record);
            same(&route, &plain)?;
            if let Some(ended) = shown::of_route(&route) {
                let mut row = named(plan, one);
                ended.add_to(&mut row);
                rows.push((from, row));
            }
            maps = match route {
                Route::Maps(to) => to.iter().map(|map| usize::from(*map)).collect(),
                _ => Vec::new(),
            };
        }
        for map in maps {
            let children = folded(plan, &program, map, &key_of(&one.record, plan.maps[map].key), given)?;
            let folded: Vec<Folded<'_>> =
                children.iter().map(|(flatten, records)| Folded { flatten: *flatten, records }).collect();
            let fast = program.run_with(map, &one.record, &folded);
            same(&fast, &reference::run_with(plan, map, &one.record, &folded))?;
            outcomes.push((from, map, fast));
        }
    }
    let arrived: BTreeSet<(usize, String)> = outcomes
        .iter()
        .filter(|(_, _, outcome)| matches!(outcome, Outcome::Record(_)))
        .map(|(from, map, _)| (*map, key_of(&given[*from].record, plan.maps[*map].key)))
        .collect();
    let is_there = |map: u16, key: &str| arrived.contains(&(usize::from(map), key.to_owned()));
    for (from, map, outcome) in &outcomes {
        let mut row = named(plan, &given[*from]);
        row.insert("map".into(), json!(plan.maps[*map].name));
        if let Some((ended, rule)) = shown::of_outcome(outcome) {
            ended.add_to(&mut row);
            if let Some(field) = rule.and_then(|rule| rule.target(plan, *map)) {
                row.insert("field".into(), json!(field));
            }
        } else if let Outcome::Record(output) = outcome {
            shown::written(plan, *map, output, &is_there, &mut row);
        }
        rows.push((*from, row));
    }
    for (from, one) in given.iter().enumerate() {
        for (index, flatten) in plan.flattens.iter().enumerate() {
            if flatten.source != one.object {
                continue;
            }
            let mut fold = program.fold(index, &one.record);
            same(&fold, &reference::fold(plan, index, &one.record))?;
            let mut row = named(plan, one);
            if let Fold::Into { map, key } = &fold {
                if is_there(*map, key) {
                    row.insert("outcome".into(), json!("folded"));
                    row.insert("into".into(), json!(format!("{}/{key}", plan.maps[usize::from(*map)].name)));
                } else {
                    fold = program.orphan(index);
                    same(&fold, &reference::orphan(plan, index))?;
                }
            }
            if let Some(ended) = shown::of_fold(&fold) {
                ended.add_to(&mut row);
            }
            rows.push((from, row));
        }
    }
    rows.sort_by_key(|(from, _)| *from);
    let mut text = String::new();
    for (_, row) in rows {
        let _ = writeln!(text, "{}", Json::Object(row));
    }
    Ok(text)
}

fn same<T: PartialEq + std::fmt::Debug>(fast: &T, plain: &T) -> Result<(), String> {
    if fast == plain {
        return Ok(());
    }
    Err(format!("the two evaluators differ:\n  fast  {fast:?}\n  plain {plain:?}"))
}

fn key_of(record: &Record, slot: u16) -> String {
    record.get(usize::from(slot)).map(|value| value.to_text().into_owned()).unwrap_or_default()
}

/// A row that names its record by the key of the item that reads it.
fn named(plan: &Plan, one: &Given<'_>) -> Map<String, Json> {
    let of_map = plan.maps.iter().find(|map| map.source == one.object).map(|map: &PlanMap| map.key);
    let of_flatten = plan.flattens.iter().find(|flatten| flatten.source == one.object).map(|f| f.key);
    let key = of_map.or(of_flatten).map(|slot| key_of(&one.record, slot)).unwrap_or_default();
    Map::from_iter([("of".to_owned(), json!(format!("{}/{key}", one.object)))])
}

/// Per flatten into a map: the records that go with this key, sorted by their own.
fn folded(
    plan: &Plan,
    program: &Program,
    map: usize,
    key: &str,
    given: &[Given<'_>],
) -> Result<Vec<(usize, Vec<Record>)>, String> {
    let mut found = Vec::new();
    for (index, flatten) in plan.flattens.iter().enumerate() {
        if usize::from(flatten.into) != map {
            continue;
        }
        let mut records = Vec::new();
        for one in given.iter().filter(|one| one.object == flatten.source) {
            if matches!(program.fold(index, &one.record), Fold::Into { key: to, .. } if to == key) {
                records.push(one.record.clone());
            }
        }
        records.sort_by(|a, b| key_order(&key_of(a, flatten.key), &key_of(b, flatten.key)));
        if !records.is_empty() {
            found.push((index, records));
        }
    }
    Ok(found)
}

fn phases(plan: &Plan) -> String {
    let row = |phase: &Vec<u16>| {
        let names: Vec<&str> = phase.iter().map(|map| plan.maps[usize::from(*map)].name.as_str()).collect();
        format!("{}\n", names.join(", "))
    };
    plan.phases.iter().map(row).collect()
}

/// Every rule and note that does not keep its value as it is.
fn fidelity(plan: &Plan) -> String {
    let mut text = String::new();
    let mut add = |item: &str, name: &str, rule: &b2n::lang::plan::Rule| {
        if rule.fidelity != b2n::lang::types::Fidelity::Exact {
            let _ = writeln!(text, "{item}.{name} {}", rule.fidelity.word());
        }
    };
    for map in &plan.maps {
        for rule in &map.rules {
            add(&map.name, &map.targets[usize::from(rule.target)].name, rule);
        }
        map.notes.iter().for_each(|note| add(&map.name, &format!("note \"{}\"", note.name), &note.rule));
    }
    for flatten in &plan.flattens {
        let targets = &plan.maps[usize::from(flatten.into)].targets;
        for rule in &flatten.rules {
            add(&flatten.source, &targets[usize::from(rule.target)].name, rule);
        }
        for note in &flatten.notes {
            add(&flatten.source, &format!("note \"{}\"", note.name), &note.rule);
        }
    }
    text
}

fn provision(plan: &Plan) -> String {
    let row = |field: &b2n::lang::plan::CustomField| {
        let choices: Vec<String> = field.choices.iter().map(|choice| format!("{choice:?}")).collect();
        let kind = match choices.is_empty() {
            true => field.kind.clone(),
            false => format!("{}({})", field.kind, choices.join(", ")),
        };
        let kind = if field.many { format!("[{kind}]") } else { kind };
        format!("{}.{:?} {kind}\n", field.object, field.label)
    };
    plan.provision.iter().map(row).collect()
}

/// Output without the lines of the spec, which a new layout moves.
fn lineless(output: &str) -> Vec<Json> {
    let row = |line: &str| {
        let mut json: Json = serde_json::from_str(line).unwrap_or_default();
        if let Some(row) = json.as_object_mut() {
            row.remove("line");
        }
        json
    };
    output.lines().map(row).collect()
}
