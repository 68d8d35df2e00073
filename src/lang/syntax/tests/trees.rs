//! What good lines become.

use crate::lang::syntax::ast::*;
use crate::lang::syntax::{parse, quote};
use crate::lang::value::OutcomeKind;

use super::source;

fn read(text: &str) -> Spec {
    let (spec, findings) = parse(&source(&format!("edition 2026\n{text}")));
    assert!(findings.is_empty(), "{text}: {findings:#?}");
    spec
}

/// An expression in few signs, with parentheses around everything that has operands.
fn show(expr: &Expr) -> String {
    let all = |exprs: &[Expr]| exprs.iter().map(show).collect::<Vec<_>>().join(" ");
    match &expr.kind {
        ExprKind::Hole => "???".to_owned(),
        ExprKind::EachBlock { list, body } => format!("(each {} {} lines)", show(list), body.len()),
        ExprKind::Field(field) => show_field(field),
        ExprKind::Text(parts) => {
            let parts = parts.iter().map(|part| match part {
                TextPart::Literal(text) => format!("{text:?}"),
                TextPart::Expr(expr) => show(expr),
            });
            format!("(text {})", parts.collect::<Vec<_>>().join(" "))
        }
        ExprKind::Number(n) => n.to_string(),
        ExprKind::Percent(n) => format!("(percent {n})"),
        ExprKind::Money(n, currency) => format!("(money {n} {})", currency.value),
        ExprKind::Date(date) => date.to_string(),
        ExprKind::Bool(b) => b.to_string(),
        ExprKind::List(items) => format!("(list {})", all(items)),
        ExprKind::Call { function, args, method } => {
            format!("({}{} {})", if *method { "." } else { "" }, function.value, all(args))
        }
        ExprKind::Lookup { table, key } => format!("(at {} {})", table.value, show(key)),
        ExprKind::Ref { many, maps, args, .. } => {
            let maps: Vec<&str> = maps.iter().map(|m| m.value.as_str()).collect();
            format!("({} {} {})", if *many { "refs" } else { "ref" }, maps.join("|"), all(args))
        }
        ExprKind::PipelineBy(args) => format!("(pipeline {})", all(args)),
        ExprKind::Has(field) => format!("(has {})", show_field(field)),
        ExprKind::Not(a) => format!("(not {})", show(a)),
        ExprKind::And(a, b) => format!("(and {} {})", show(a), show(b)),
        ExprKind::Or(a, b) => format!("(or {} {})", show(a), show(b)),
        ExprKind::Compare(op, a, b) => format!("({op:?} {} {})", show(a), show(b)),
    }
}

fn show_field(field: &FieldRef) -> String {
    let name = |name: &Option<Name>| name.as_ref().map_or(String::new(), |n| n.value.clone());
    let object = field.object.as_ref().map_or(String::new(), |o| format!("{}.", o.value));
    let title = field.field.title.as_ref().map_or(String::new(), |t| format!("`{}`", t.value));
    format!("{object}{}{title}", name(&field.field.code))
}

fn rule(line: &str) -> Rule {
    let spec = read(&format!("map a -> B {{\n{line}\n}}"));
    let Some(Item::Map(map)) = spec.items.into_iter().nth(1) else { panic!("no map") };
    assert_eq!(map.body.len(), 1, "{line}");
    match map.body.into_iter().next() {
        Some(MapLine::Rule(rule)) => *rule,
        other => panic!("{other:?}"),
    }
}

#[test]
fn expressions_are_read_as_they_bind() {
    for (text, tree) in [
        ("A or B and not C == 1 or D", "(or (or A (and B (not (Equal C 1)))) D)"),
        ("(A or B) and C", "(and (or A B) C)"),
        ("not not has X", "(not (not (has X)))"),
        ("has `Имя` and has UF_1 `T`", "(and (has `Имя`) (has UF_1`T`))"),
        ("TITLE.trim().cut(100)", "(.cut (.trim TITLE) 100)"),
        ("deal.TITLE.trim()", "(.trim deal.TITLE)"),
        ("PHONE.each(phone(\"US\"))", "(.each PHONE (phone (text \"US\")))"),
        ("EMAIL.each(email)", "(.each EMAIL email)"),
        ("markets[CURRENCY_ID]", "(at markets CURRENCY_ID)"),
        ("[A, \"b\", ]", "(list A (text \"b\"))"),
        ("[]", "(list )"),
        ("ref deal|inbound(A, B)", "(ref deal|inbound A B)"),
        ("refs contact(IDS)", "(refs contact IDS)"),
        ("pipeline by CATEGORY_ID, STAGE_ID", "(pipeline CATEGORY_ID STAGE_ID)"),
        ("1500.00 USD", "(money 1500.00 USD)"),
        ("-2.50", "-2.50"),
        ("0.5%", "(percent 0.005)"),
        ("2027-01-31", "2027-01-31"),
        ("A >= 2027-01-31", "(AtLeast A 2027-01-31)"),
        ("A < -1", "(Less A -1)"),
        ("\"a {B.trim()} {{c}} \\\"{f(\"x\")}\"", "(text \"a \" (.trim B) \" {c}} \\\"\" (f (text \"x\")))"),
        ("\"\"", "(text )"),
        ("count()", "(count )"),
        ("true != false", "(NotEqual true false)"),
        ("note", "note"),
        ("key.order()", "(.order key)"),
        ("UF_CRM_1 `Объём (м³)`", "UF_CRM_1`Объём (м³)`"),
        ("andes", "andes"),
        // A field called `ref` before an operator, not a reference to a map called `or`.
        ("ref or (pipeline by ID)", "(or ref (pipeline ID))"),
    ] {
        assert_eq!(show(&rule(&format!("x <- {text}")).value), tree, "{text}");
    }
}

#[test]
fn clauses_are_read_in_any_layout() {
    let rule = rule(
        "custom \"Annual volume\" enum(\"A\", \"B\")? <- X  # what\n\n when A\n and B\n labelled L when M\n # why\n else C\n else skip \"s\" on fail \"v\" flag \"f\"\n on   unmigrated wait narrowed because \"r\"",
    );
    let RuleTarget::Custom { label, ty } = &rule.target else { panic!("{:?}", rule.target) };
    assert_eq!(
        (label.value.as_str(), ty.name.value.as_str(), ty.args.len(), ty.optional),
        ("Annual volume", "enum", 2, true)
    );
    let clauses = &rule.clauses;
    assert_eq!(clauses.when.as_ref().map(show).as_deref(), Some("(and A B)"));
    let labelled = clauses.labelled.as_ref().expect("a label");
    assert_eq!((show(&labelled.value), labelled.when.as_ref().map(show)), ("L".into(), Some("M".into())));
    assert_eq!(clauses.else_.len(), 2);
    assert!(matches!(&clauses.else_[1].kind, ArmKind::Skip(why) if why.value == "s"));
    assert!(
        matches!(&clauses.on_fail.as_ref().expect("fail").kind, ArmKind::Value { flag: Some(f), .. } if f.value == "f")
    );
    assert!(matches!(clauses.on_unmigrated.as_ref().expect("unmigrated").kind, ArmKind::Wait));
    assert_eq!(
        clauses.fidelity.as_ref().and_then(|f| f.because.as_ref()).map(|b| b.value.as_str()),
        Some("r")
    );
}

#[test]
fn words_of_the_language_may_name_fields() {
    for word in [
        "note",
        "key",
        "order",
        "map",
        "name",
        "stage",
        "source",
        "target",
        "zone",
        "table",
        "pipeline",
        "match",
        "on",
        "where",
        "drop",
        "todo",
        "custom",
        "gap",
        "when",
        "else",
        "flag",
        "use",
        "fn",
        "split",
        "test",
        "edition",
        "in",
        "merged",
        "for",
        "`Annual volume`",
    ] {
        let RuleTarget::Field(name) = rule(&format!("{word} <- A")).target else { panic!("{word}") };
        assert_eq!(name.value, word.trim_matches('`'));
    }
}

#[test]
fn items_are_read() {
    let spec = read(
        "source bitrix24 \"a{{.yaml\"\nzone \"UTC\"\nowners { dismissed => \"x\" flag \"y\" }\n\
         table t : [enum(deal.S)]? -> `x`.y {\n}\n\
         pipeline p : deal category \"0\" `P` -> \"Sales\" {\n \"A\" `a`,\n `b`,\n \"C\" => cancelled \"no\" merged because \"m\"\n _ unseen => flag \"new\"\n}\n\
         map lead -> Lead as inbound {\n key ID\n match existing by url or name\n on existing keep\n on delete delete\n \
         where A else skip \"s\"\n drop UF_* , *_X empty\n drop A `a`, `b` derived from deal.C, D\n drop\n declined <- E\n todo A, B \"ask\"\n}\n\
         order {\n a, b before\n c\n d before e, f\n}\n"
            .replace("`x`.y", "Lead.`My field`")
            .replace("drop\n declined <- E\n", "")
            .replace("before\n c", "before c")
            .as_str(),
    );
    assert_eq!(spec.items.len(), 8);
    let Item::Source(system) = &spec.items[1] else { panic!("{:?}", spec.items[1]) };
    assert_eq!(system.snapshot.value, "a{.yaml");
    let Item::Table(table) = &spec.items[4] else { panic!("{:?}", spec.items[4]) };
    assert!(table.from.many && table.from.optional);
    assert!(matches!(&table.from.args[0], TypeArg::Name(name) if name.value == "deal.S"));
    assert!(matches!(&table.to, TableTarget::Field { field, .. } if field.value == "My field"));
    let Item::Pipeline(pipeline) = &spec.items[5] else { panic!("{:?}", spec.items[5]) };
    let category = pipeline.category.as_ref().expect("a category");
    assert_eq!(category.code.as_ref().map(|c| c.value.as_str()), Some("0"));
    assert_eq!(pipeline.rows[0].codes.len(), 3);
    assert!(pipeline.rows[0].codes[1].code.is_none());
    assert!(
        matches!(&pipeline.rows[0].to, StageTarget::Outcome(OutcomeKind::Cancelled, name) if name.value == "no")
    );
    assert!(matches!(pipeline.unseen.as_ref().map(|u| &u.arm.kind), Some(ArmKind::Flag(_))));
    let Item::Map(map) = &spec.items[6] else { panic!("{:?}", spec.items[6]) };
    assert_eq!((map.name().value.as_str(), map.body.len()), ("inbound", 8));
    let MapLine::Drop(drop) = &map.body[5] else { panic!("{:?}", map.body[5]) };
    assert!(drop.fields.iter().all(|f| f.glob) && drop.reason == DropReason::Empty);
    let MapLine::Drop(drop) = &map.body[6] else { panic!("{:?}", map.body[6]) };
    assert!(matches!(&drop.reason, DropReason::DerivedFrom(fields) if fields.len() == 2));
    let Item::Order(order) = &spec.items[7] else { panic!("{:?}", spec.items[7]) };
    assert_eq!((order.rows[0].before.len(), order.rows[1].after.len()), (2, 2));
}

#[test]
fn spans_are_those_of_what_was_written() {
    let text = "edition 2026\nmap a -> B {\n  x <- A.trim()  # c\n    else \"y\"   # d\n}\n";
    let (spec, _) = parse(&source(text));
    let Item::Map(map) = &spec.items[1] else { panic!("{spec:?}") };
    let MapLine::Rule(rule) = &map.body[0] else { panic!("{map:?}") };
    let at = |span: crate::lang::text::Span| &text[span.range()];
    assert_eq!(at(map.head), "map a -> B");
    assert!(at(map.span).starts_with("map a") && at(map.span).ends_with('}'));
    assert_eq!(at(rule.value.span), "A.trim()");
    assert_eq!(at(rule.clauses.else_[0].span), "\"y\"");
    assert!(at(rule.span).starts_with("x <-") && at(rule.span).ends_with("\"y\""));
}

#[test]
fn quoted_texts_are_read_back() {
    for text in ["a", "", "{x} {{", "say \"hi\" \\ there", "line\nand\ttab", "Звонок #1"] {
        let spec = read(&format!("zone {}", quote(text)));
        let Item::Zone(zone) = &spec.items[1] else { panic!("{spec:?}") };
        assert_eq!(zone.value, text);
    }
}
