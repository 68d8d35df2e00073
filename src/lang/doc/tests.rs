use super::*;
use crate::lang::check::{self, Input as Check};
use crate::lang::plan::{
    Aggregate, Arm, Certificate, Expr, Flatten, Line, Map, Note, Pick, Plan, Rule, Split, SplitHow, SplitRow,
    SplitTo, Target,
};
use crate::lang::schema::{Choice, Domain, Field, Object, Schema, Stats, Write, snapshot};
use crate::lang::syntax;
use crate::lang::text::SourceText;
use crate::lang::types::{Base, Fidelity, Type};
use crate::lang::value::Value;

fn example() -> (SourceText, Schema, Schema, Plan) {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/acme");
    let text = |name: &str| SourceText::new(name, std::fs::read_to_string(folder.join(name)).unwrap());
    let schema = |name: &str| snapshot::read(&text(name)).unwrap();
    let (source, target) = (schema("schema/bitrix24.yaml"), schema("schema/nutshell.yaml"));
    let spec = text("acme.b2n");
    let (ast, _) = syntax::parse(&spec);
    let checked = check::check(&Check {
        spec: &ast,
        broken: &[],
        text: &spec,
        source: Some(&source),
        target: Some(&target),
        source_hash: &source.hash(),
        target_hash: &target.hash(),
        source_name: "s",
        target_name: "t",
        today: jiff::civil::date(2026, 11, 21),
    });
    let plan = checked.plan.expect("the example checks");
    (spec, source, target, plan)
}

fn tables<'a>(document: &'a Document, first: &str) -> Vec<&'a Vec<Vec<String>>> {
    document
        .blocks
        .iter()
        .filter_map(|block| match block {
            Block::Table { head, rows } if head.first() == Some(&first) => Some(rows),
            _ => None,
        })
        .collect()
}

#[test]
fn every_field_value_stage_and_user_of_the_example_stands_in_it() {
    let (spec, source, target, plan) = example();
    let certificate = Certificate::new(&plan, &spec);
    let input = || Input {
        plan: &plan,
        certificate: &certificate,
        source: &source,
        target: &target,
        text: Some(&spec),
        agreed: &[],
    };
    let document = build(&input());
    let fields: Vec<_> = tables(&document, "field").into_iter().filter(|rows| rows[0].len() == 7).collect();
    assert_eq!(fields.len(), plan.maps.len());
    for (map, rows) in plan.maps.iter().zip(fields) {
        for field in &source.object(&map.source).unwrap().fields {
            let row = rows.iter().find(|row| row[0].lines().last() == Some(&field.name));
            let row = row.unwrap_or_else(|| panic!("{}.{} is missing", map.name, field.name));
            assert_ne!(row[6], "nothing reads it", "{}.{}", map.name, field.name);
            assert!(!row[3].is_empty() || !row[5].is_empty(), "{row:?}");
        }
        // Every rule's destination and every reason are told.
        for rule in &map.rules {
            let name = &map.targets[usize::from(rule.target)].name;
            assert!(
                rows.iter().any(|row| row[3].contains(name))
                    || tables(&document, "field")
                        .iter()
                        .any(|rows| rows.iter().any(|row| row[0].contains(name))),
                "{name}"
            );
            if let Some(because) = &rule.because {
                assert!(rows.iter().any(|row| row[6].contains(because)), "{because}");
            }
        }
    }
    let text = markdown::render(&document);
    for table in &plan.tables {
        assert!(text.contains(&format!("### {}", table.name.replace('_', "\\_"))), "{}", table.name);
    }
    for part in [
        "Звонок",
        "Продажи",
        "the API cannot write a parent",
        &certificate.certificate,
        "acme.bitrix24.com",
        "2026-11-21",
    ] {
        let part = part.to_lowercase();
        assert!(text.to_lowercase().contains(&part), "{part}");
    }
    assert!(text.contains(&format!("| {} | ", plan.owners.users.keys().next().unwrap())));
    // The same inputs, the same bytes.
    assert_eq!(document, build(&input()));
    assert_eq!(html::render(&document), html::render(&build(&input())));
}

/// Something of everything that the example has none of, with names that try to be markup.
fn nasty() -> (Plan, Schema) {
    let field = |name: &str, title: &str, ty: Type| Field {
        name: name.into(),
        title: Some(title.into()),
        ty,
        required: false,
        write: Write::Yes,
        custom: true,
        attributes: Vec::new(),
        stats: Some(Stats { filled: 3, ..Stats::default() }),
    };
    let object = |name: &str, title: &str| Object {
        name: name.into(),
        title: Some(title.into()),
        records: Some(9),
        fields: vec![
            field("A", "Объём | <b>жирный</b>", Type::text()),
            field("B", "line\nbreak `x` *y*", Type::maybe(Base::Enum("D".into()))),
        ],
        ..Object::default()
    };
    let choice = |code: &str, title: &str| Choice { code: code.into(), title: Some(title.into()) };
    let source = Schema {
        account: "a|b".into(),
        objects: vec![object("company", "Компания"), object("process 1", "Оборудование")],
        domains: [(
            "D".to_owned(),
            Domain { choices: vec![choice("1", "Да | \"нет\"")], ..Domain::default() },
        )]
        .into(),
        ..Schema::default()
    };
    let rule = |value: Expr| Rule {
        value,
        fidelity: Fidelity::Summarised,
        because: Some("a | b".into()),
        line: 1,
        ..Rule::default()
    };
    let note = |for_each| Note {
        name: "N".into(),
        title: Expr::Concat(vec![Expr::Const(Value::text("T ")), Expr::Slot(0)]),
        rule: rule(Expr::Lines(vec![Line { label: "L".into(), value: Expr::Slot(1), columns: Vec::new() }])),
        for_each,
        at_most: for_each.then_some(20),
    };
    let row = |to: SplitTo| SplitRow { when: None, to, line: 1 };
    let map = |name: &str| Map {
        name: name.into(),
        source: "company".into(),
        target: "Account".into(),
        targets: vec![Target { name: "x".into(), custom: true, ty: Type::text() }],
        split: Some(0),
        rules: vec![rule(Expr::EachLine {
            list: Box::new(Expr::Slot(0)),
            columns: vec![Target { name: "product".into(), custom: false, ty: Type::text() }],
            rules: vec![Rule { otherwise: vec![Arm::Skip("free".into())], ..rule(Expr::Element) }],
        })],
        notes: vec![note(false)],
        ..Map::default()
    };
    let plan = Plan {
        maps: vec![map("company"), map("firm")],
        splits: vec![Split {
            source: "company".into(),
            how: SplitHow::Value {
                slot: 1,
                rows: [("1".to_owned(), row(SplitTo::Maps(vec![0, 1])))].into(),
                unseen: row(SplitTo::Listed("why | not".into())),
            },
            line: 1,
        }],
        flattens: vec![Flatten {
            source: "process 1".into(),
            into: 0,
            via: 0,
            key: 0,
            filter: None,
            pick: Some(Pick { latest: true, by: 1 }),
            rules: vec![
                rule(Expr::Aggregate { kind: Aggregate::Sum, of: Some(Box::new(Expr::Slot(1))) }),
                rule(Expr::Outer(0)),
            ],
            notes: vec![note(true)],
            orphan: Arm::Skip("alone".into()),
            orphan_line: 1,
            reads: Default::default(),
            dropped: Vec::new(),
            records: Some(9),
            line: 1,
        }],
        ..Plan::default()
    };
    (plan, source)
}

fn nasty_document() -> Document {
    let (plan, source) = nasty();
    let certificate = Certificate::new(&plan, &SourceText::new("a", ""));
    let target = Schema::default();
    let agreed = [Agreed {
        what: "an amount | loses <b>its</b> currency".into(),
        code: "B2N-L204".into(),
        place: "acme.b2n, line 7".into(),
        because: "agreed in MIG-31 | really".into(),
        by: "ops@acme.example".into(),
        until: "2027-01-31".into(),
    }];
    build(&Input {
        plan: &plan,
        certificate: &certificate,
        source: &source,
        target: &target,
        text: None,
        agreed: &agreed,
    })
}

#[test]
fn markup_in_names_breaks_no_table() {
    let document = nasty_document();
    let text = markdown::render(&document);
    // A row of a table has as many bars that are not escaped as its head.
    let bars = |line: &str| line.replace("\\|", "").matches('|').count();
    let mut expected = None;
    let mut rows = 0;
    for line in text.lines() {
        match (line.starts_with('|'), expected) {
            (false, _) => expected = None,
            (true, None) => expected = Some(bars(line)),
            (true, Some(count)) => {
                rows += 1;
                assert_eq!(bars(line), count, "{line}");
            }
        }
    }
    assert!(rows > 20);
    assert!(text.contains("Объём \\| &lt;b&gt;жирный&lt;/b&gt;") && !text.contains("<b>"), "{text}");
    let page = html::render(&document);
    assert!(page.contains("Объём | &lt;b&gt;жирный&lt;/b&gt;") && !page.contains("<b>"));
    for tag in ["table", "tr", "td", "th", "dl", "h2", "thead", "tbody"] {
        let (open, close) = (
            page.matches(&format!("<{tag}>")).count() + page.matches(&format!("<{tag} ")).count(),
            page.matches(&format!("</{tag}>")).count(),
        );
        assert_eq!(open, close, "{tag}");
    }
    assert!(!page.contains("http") && !page.contains("<script"), "nothing is loaded from elsewhere");
}

#[test]
fn folds_splits_lines_and_notes_are_told() {
    let text = markdown::render(&nasty_document());
    for part in [
        "folded into Account",
        "the sum of line<br>break \\`x\\` \\*y\\* (B)",
        "one for each record, at most 20, then a count",
        "left out: alone",
        "a line for each of Объём \\| &lt;b&gt;жирный&lt;/b&gt; (A): product = the value, without a value: left out: free",
        "Account (company), Account (firm)",
        "listed for a person: why \\| not",
        "| 1 | Да \\| \"нет\" |",
        "tells which of several is read",
        "tells where the record goes",
        "a text with a line each for L: ",
        "## Exceptions that were agreed to",
        "| an amount \\| loses &lt;b&gt;its&lt;/b&gt; currency (B2N-L204; acme.b2n, line 7) | agreed in MIG-31 \\| really \
         | ops@acme.example | 2027-01-31 |",
    ] {
        assert!(text.contains(part), "`{part}` is not in\n{text}");
    }
}
