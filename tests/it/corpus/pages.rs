//! The examples on the pages of the codes: the bad one gives the code, the good one checks.
//!
//! Examples are parts of specs, so that a reader sees one thing. What a good one leaves out is added here by the
//! scaffold, and nothing else is:
//! - the head (`edition`, `source`, `target`) and `zone "UTC"` where an instant is made;
//! - for each source field that the example does not speak of, a `drop … declined` in its map, flatten or `each`;
//! - `key ID` for a map without a key;
//! - for each required destination field that the example does not write, a rule with a constant, and for stages a
//!   `pipeline by` with a pipeline for each category that has none;
//! - `owners`, where `user(…)` is called and the example has none.
//!
//! The page's own code is looked for before anything is added, so the scaffold cannot hide it. Examples are checked
//! against the sample schemas; a page whose finding is about files is run by the program, in a project of its own.

use std::collections::BTreeSet;
use std::fmt::Write;

use b2n::lang::check::profile::{self, Part};
use b2n::lang::check::{self, Input, sample_schema};
use b2n::lang::finding::{Code, registry};
use b2n::lang::schema::{Field, Object, Pipeline, Schema, Stage};
use b2n::lang::suite;
use b2n::lang::syntax::{self, ast};
use b2n::lang::text::SourceText;
use b2n::lang::types::{Base, Type};
use b2n::lang::value::OutcomeKind;

use super::{BY_PROGRAM, Found, program};

/// Bytes, sizes, hashes and days that no page can hold; the corpus shows these.
const NOT_ON_A_PAGE: &[Code] =
    &[registry::NOT_UTF8, registry::FILE_TOO_LARGE, registry::PROFILE_CHANGED, registry::SNAPSHOT_OLD];

/// The first lines of a scaffolded example.
const HEAD: &str =
    "edition 2026\nsource bitrix24 \"schema/bitrix24.yaml\"\ntarget nutshell \"schema/nutshell.yaml\"\n";

const OWNERS: &str = "owners {\n  match by email\n  otherwise => \"ops@acme.example\"\n}\n";

/// The sample's source, with stages for estimates, so that they can become leads.
fn source() -> Schema {
    let mut schema = sample_schema::source();
    let quote =
        schema.objects.iter_mut().find(|object| object.name == "quote").expect("the sample has quotes");
    let id = quote.field("ID").expect("an id").clone();
    quote.fields.push(Field { name: "STATUS_ID".to_owned(), ty: Type::one(Base::Stage), ..id });
    quote.fields.sort_by(|a, b| a.name.cmp(&b.name));
    let stage = |code: &str, ends| Stage { code: code.to_owned(), name: code.to_owned(), ends };
    schema.pipelines.push(Pipeline {
        object: "quote".to_owned(),
        name: "Estimates".to_owned(),
        stages: vec![stage("DRAFT", None), stage("APPROVED", Some(OutcomeKind::Won))],
        ..Pipeline::default()
    });
    schema
}

/// Checks an example against the sample schemas.
fn checked(example: &str) -> Found {
    let text = SourceText::new("example.b2n", example);
    let (spec, mut findings) = syntax::parse(&text);
    let broken = check::broken(&findings);
    let resolved = profile::resolve(vec![Part { spec, uses: Vec::new() }], &text);
    findings.extend(resolved.findings);
    let (source, target) = (source(), sample_schema::target());
    let checked = check::check(&Input {
        spec: &resolved.spec,
        text: &text,
        source: Some(&source),
        target: Some(&target),
        source_hash: "source",
        target_hash: "target",
        source_name: "schema/bitrix24.yaml",
        target_name: "schema/nutshell.yaml",
        today: super::TODAY,
        broken: &broken,
    });
    findings.extend(checked.findings);
    let plan = checked.plan.as_ref();
    let tests = suite::Input { spec: &resolved.spec, text: &text, plan, source: &source, target: &target };
    findings.extend(super::of_tests(tests, &findings));
    Found { text, findings, plan: checked.plan }
}

/// The first block of a page below a heading: its info string and its text.
fn block(page: &str, heading: &str) -> (String, String) {
    let (_, rest) = page.split_once(&format!("\n## {heading}\n")).expect("the heading");
    let section = rest.split("\n## ").next().unwrap_or_default();
    let (_, fenced) = section.split_once("```").expect("a block");
    let (info, body) = fenced.split_once('\n').expect("a block of several lines");
    let (body, _) = body.split_once("```").expect("the end of the block");
    (info.trim().to_owned(), body.to_owned())
}

/// Whether a name stands in a text as a word, or a glob of the text covers it.
fn mentions(text: &str, name: &str) -> bool {
    let words = text.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '*'));
    words.into_iter().any(|word| {
        word == name
            || word.strip_suffix('*').is_some_and(|start| !start.is_empty() && name.starts_with(start))
    })
}

fn written(body: &[ast::MapLine], field: &str) -> bool {
    body.iter().any(|line| {
        matches!(line, ast::MapLine::Rule(rule) if matches!(&rule.target, ast::RuleTarget::Field(name) if name.value == field))
    })
}

/// Rules for what the destination requires of a record of `object`, made of one of `source`.
fn required(object: &Object, source: &str, body: &[ast::MapLine]) -> String {
    let mut lines = String::new();
    for field in object.fields.iter().filter(|field| field.required && !written(body, &field.name)) {
        let value = match (&field.ty.base, source) {
            (Base::Stage, "deal") => "pipeline by CATEGORY_ID, STAGE_ID",
            (Base::Stage, _) => "pipeline by STATUS_ID",
            (Base::User, _) => "\"ops@acme.example\"",
            (Base::AnyRef(_), _) => {
                "ref company|contact|deal(ENTITY_TYPE, ENTITY_ID)  else quarantine  on unmigrated quarantine"
            }
            _ => "\"Example\"",
        };
        let _ = writeln!(lines, "  {} <- {value}", field.name);
    }
    lines
}

/// A pipeline that gives every stage a place.
fn pipeline(from: &Pipeline, number: usize) -> String {
    let category = if from.code.is_empty() { String::new() } else { format!(" category {}", from.code) };
    let mut text = format!("pipeline scaffold_{number} : {}{category} -> \"Sales\" {{\n", from.object);
    let mut open = ["Qualify", "Proposal", "On hold"].into_iter();
    for stage in &from.stages {
        let to = match stage.ends {
            Some(OutcomeKind::Won) => "won \"Signed\"".to_owned(),
            Some(_) => "lost \"No budget\"".to_owned(),
            None => format!("stage \"{}\"", open.next().unwrap_or("On hold")),
        };
        let _ = writeln!(text, "  \"{}\" => {to}", stage.code);
    }
    text + "  _ unseen => quarantine\n}\n"
}

/// Completes a good example, by the rules above.
fn completed(example: &str) -> String {
    let text = SourceText::new("example.b2n", example);
    let (spec, findings) = syntax::parse(&text);
    let (source, target) = (source(), sample_schema::target());
    // Edits by place, from the last to the first.
    let mut inserts: Vec<(usize, String)> = Vec::new();
    let slice = |span: b2n::lang::text::Span| text.slice(span);
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    for item in &spec.items {
        let (object, body, span) = match item {
            ast::Item::Map(map) => (map.source.name.value.as_str(), &map.body, map.span),
            ast::Item::Flatten(flatten) => (flatten.source.name.value.as_str(), &flatten.body, flatten.span),
            _ => continue,
        };
        let mut lines = String::new();
        if let ast::Item::Map(map) = item
            && let Some(to) = target.object(&map.target.value)
        {
            if !body.iter().any(|line| matches!(line, ast::MapLine::Key(_))) {
                lines += "  key ID\n";
            }
            lines += &required(to, object, body);
        }
        let end = span.end as usize - 1;
        let whole: String = spec
            .items
            .iter()
            .filter_map(|other| match other {
                ast::Item::Map(map) if map.source.name.value == object => Some(map.span),
                ast::Item::Flatten(flatten) if flatten.source.name.value == object => Some(flatten.span),
                ast::Item::Split(split) if split.source.name.value == object => Some(split.span),
                _ => None,
            })
            .map(slice)
            .collect();
        // The id of what is folded in is always read.
        let folded = matches!(item, ast::Item::Flatten(_));
        let from = source.object(object).unwrap_or_else(|| panic!("no `{object}` in the sample:\n{example}"));
        if seen.insert(object) {
            let spoken = format!("{whole}{lines}");
            let read = |field: &Field| mentions(&spoken, &field.name) || folded && field.name == "ID";
            for field in from.fields.iter().filter(|field| !read(field)) {
                let _ = writeln!(lines, "  drop {} declined \"left out of the example\"", field.name);
            }
        }
        // The columns of a list that its `each` does not speak of.
        for rule in body.iter().filter_map(|line| match line {
            ast::MapLine::Rule(rule) if slice(rule.value.span).trim_end().ends_with('}') => Some(rule),
            _ => None,
        }) {
            let each = slice(rule.value.span);
            let list =
                from.fields.iter().find(|field| !field.attributes.is_empty() && mentions(each, &field.name));
            let mut drops = String::new();
            for column in list.iter().flat_map(|list| &list.attributes).filter(|c| !mentions(each, &c.name)) {
                let _ = writeln!(drops, "  drop {} declined \"left out of the example\"", column.name);
            }
            inserts.push((rule.value.span.end as usize - 1, drops));
        }
        inserts.push((end, lines));
    }
    inserts.sort_by_key(|(at, _)| *at);
    let mut out = example.to_owned();
    for (at, lines) in inserts.iter().rev() {
        out.insert_str(*at, lines);
    }
    let has = |is: fn(&ast::Item) -> bool| spec.items.iter().any(is);
    if out.contains("user(") && !has(|item| matches!(item, ast::Item::Owners(_))) {
        out += OWNERS;
    }
    if out.contains(".at(") && !has(|item| matches!(item, ast::Item::Zone(_))) {
        out += "zone \"UTC\"\n";
    }
    for (number, from) in source.pipelines.iter().enumerate() {
        let used = spec
            .items
            .iter()
            .any(|item| matches!(item, ast::Item::Map(map) if map.source.name.value == from.object))
            && out.contains("pipeline by");
        let there = spec.items.iter().any(|item| {
            matches!(item, ast::Item::Pipeline(own) if own.object.name.value == from.object
                && own.category.as_ref().and_then(|category| category.code.as_ref()).map_or("", |code| code.value.as_str())
                    == from.code)
        });
        if used && !there {
            out += &pipeline(from, number);
        }
    }
    assert!(
        findings
            .iter()
            .all(|finding| finding.code == registry::EDITION || finding.code == registry::MISSING_ITEM),
        "the example does not parse:\n{example}"
    );
    let missing: String = HEAD
        .split_inclusive('\n')
        .filter(|line| {
            let word = line.split(' ').next().unwrap_or_default();
            !example.lines().any(|own| own.split(' ').next() == Some(word))
        })
        .collect();
    if example.starts_with("edition") {
        let (first, rest) = out.split_once('\n').unwrap_or((&out, ""));
        format!("{first}\n{missing}{rest}")
    } else {
        missing + &out
    }
}

fn gives(found: &Found, code: Code) -> bool {
    found.findings.iter().any(|finding| finding.code == code)
}

#[test]
fn bad_examples_give_their_code_and_good_ones_check() {
    let mut wrong = Vec::new();
    for code in registry::ALL {
        let ((bad_info, bad), (good_info, good)) = (block(code.page(), "Bad"), block(code.page(), "Good"));
        if BY_PROGRAM.contains(code) || NOT_ON_A_PAGE.contains(code) {
            continue;
        }
        if bad_info != "b2n" || good_info != "b2n" {
            wrong.push(format!("{code}: the examples are no `b2n` blocks"));
            continue;
        }
        let found = checked(&bad);
        if !gives(&found, *code) {
            wrong.push(format!("{code}: the bad example gives\n{}", found.told()));
        }
        let found = checked(&good);
        if gives(&found, *code) {
            wrong.push(format!("{code}: the good example gives\n{}", found.told()));
        }
        let whole = completed(&good);
        let found = checked(&whole);
        // An example of one object says nothing of the others, and one of a table has no rule.
        let elsewhere = [registry::OBJECT_NOT_MAPPED, registry::UNUSED_ITEM];
        if found.findings.iter().any(|finding| !elsewhere.contains(&finding.code)) {
            wrong.push(format!("{code}: the good example, completed, gives\n{}\n{whole}", found.told()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// Pages of files: their examples are the one line of a spec, or the whole of it, that the program is run on.
#[test]
fn examples_of_files_are_run_by_the_program() {
    let mut wrong = Vec::new();
    for code in BY_PROGRAM {
        for (heading, expected) in [("Bad", true), ("Good", false)] {
            let (info, example) = block(code.page(), heading);
            if info != "b2n" {
                assert!(NOT_ON_A_PAGE.contains(code), "{code}: the examples are no `b2n` blocks");
                continue;
            }
            let found = program::example(&example, !expected);
            if found.iter().any(|line| line.starts_with(code.as_str())) != expected {
                wrong.push(format!("{code}, {heading}: found {found:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn every_page_says_what_it_means_why_it_matters_and_what_to_do() {
    let mut wrong = Vec::new();
    for code in registry::ALL {
        let page = code.page();
        let before = page.split("\n## Bad\n").next().unwrap_or_default();
        let paragraphs = before.split("\n\n").filter(|part| !part.starts_with('#')).count();
        if paragraphs < 2 {
            wrong.push(format!("{code}: what it means and why it matters are two paragraphs"));
        }
        let mild = [registry::CURRENCY_LOST, registry::UNMIGRATED_UNHANDLED];
        let word = if code.severity() == b2n::lang::finding::Severity::Warning || mild.contains(code) {
            "It is a warning"
        } else {
            "It is an error because"
        };
        if !before.contains(word) {
            wrong.push(format!("{code}: no sentence `{word} …`"));
        }
        let order = ["\n## Bad\n", "\n## Good\n", "\n## What to do\n"].map(|heading| page.find(heading));
        if order.iter().any(Option::is_none) || !order.is_sorted() {
            wrong.push(format!("{code}: its headings are `Bad`, `Good`, `What to do`"));
        }
        let todo = page.split("\n## What to do\n").nth(1).unwrap_or_default();
        if todo.trim().is_empty() {
            wrong.push(format!("{code}: nothing to do"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
