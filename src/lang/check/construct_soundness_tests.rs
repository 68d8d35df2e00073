//! Functions, lines, flattens and links to several objects: what checks never breaks the destination's schema, by the
//! judgement of the fuzzer, which knows nothing of the checker.

use super::soundness_tests::Dice;
use super::{check, sample_schema};
use crate::lang::finding::Severity;
use crate::lang::fuzz::{Fuzzer, unaccounted};
use crate::lang::syntax::parse;
use crate::lang::text::SourceText;

/// Where an expression stands, and so what its bare names are.
#[derive(Clone, Copy)]
enum At {
    Row,
    Fold,
    Function,
    Record,
}

/// A random expression of a type, as a rule.
fn value(dice: &mut Dice, at: At, ty: &str, depth: usize) -> String {
    if dice.one_in(16) {
        // Now and then of another type, which mostly does not check.
        let other = ["text", "number", "money", "date", "bool"];
        let ty = other[dice.below(other.len())];
        return value(dice, at, ty, depth.min(1));
    }
    let mut of = |ty: &str| value(dice, at, ty, depth.saturating_sub(1));
    let deep = depth > 0;
    let all: Vec<String> = match (ty, at) {
        ("text", _) if deep => {
            let (text, other, number) = (of("text"), of("text"), of("number"));
            let (date, amount, flag) = (of("date"), of("money"), of("bool"));
            vec![
                format!("trim({text})"),
                format!("cut({text}, 9)"),
                format!("join(\", \", [{text}, {other}])"),
                format!("first([{text}, {other}])"),
                format!("text({number})"),
                format!("text({date})"),
                format!("text({amount})"),
                format!("text({flag})"),
                format!("clean({text})"),
                format!("both({text}, {other})"),
                format!("both({text}, {number})"),
                format!("either({text})"),
                format!("lines({text}, {number})"),
                format!("lines({date}, {amount}, {flag})"),
                format!("[{text}, {other}].each(clean)"),
                number,
            ]
        }
        ("number", _) if deep => {
            let (text, number) = (of("text"), of("number"));
            vec![
                format!("length({text})"),
                format!("number({text})"),
                format!("round({number})"),
                format!("size({text})"),
                format!("count([{text}])"),
            ]
        }
        ("date", _) if deep => vec![format!("date({})", of("text")), format!("day({})", of("text"))],
        ("money", _) if deep => {
            vec![format!("money({}, \"EUR\")", of("number")), format!("price({})", of("number"))]
        }
        ("bool", _) if deep => vec![
            format!("{} < {}", of("number"), of("number")),
            format!("contains({}, \"a\")", of("text")),
            format!("known({})", of("text")),
        ],
        ("text", At::Row) => {
            vec!["\"{PRICE}\"", "quote.TITLE", "quote.QUOTE_NUMBER", "\"a\"", "TITLE"].owned()
        }
        ("text", At::Fold) => {
            vec!["TITLE", "UF_CRM_5_SERIAL", "company.TITLE", "company.COMMENTS", "\"{count()}\"", "\"a\""]
                .owned()
        }
        ("text", At::Function) => vec!["x", "\"{x}\"", "\"a\"", "\"a {n}\""].owned(),
        ("text", At::Record) => {
            vec!["SUBJECT", "\"{CREATED}\"", "\"{COMPLETED}\"", "first(refs company(BINDINGS).name)"].owned()
        }
        ("number", At::Row) => vec!["PRICE", "QUANTITY", "quote.OPPORTUNITY", "quote.ID", "2"].owned(),
        ("number", At::Fold) => {
            vec!["count()", "count(TITLE)", "sum(ID)", "max(ID)", "min(length(TITLE))", "ID", "company.ID"]
                .owned()
        }
        ("number", At::Function) => vec!["n", "1.5", "length(x)"].owned(),
        ("number", At::Record) => vec!["ID", "3"].owned(),
        ("date", At::Fold) => {
            vec!["CREATED_TIME.date()", "max(CREATED_TIME).date()", "min(CREATED_TIME.date())"].owned()
        }
        ("date", At::Record) => vec!["CREATED.date()", "2026-01-31"].owned(),
        ("date", _) => vec!["2026-01-31".to_owned()],
        ("money", At::Row) => vec!["money(PRICE, quote.CURRENCY_ID)", "5 EUR"].owned(),
        ("money", At::Fold) => vec!["UF_CRM_5_PRICE", "sum(UF_CRM_5_PRICE)", "max(UF_CRM_5_PRICE)"].owned(),
        ("money", _) => vec!["5 EUR".to_owned()],
        ("bool", At::Row) => vec!["has PRICE", "QUANTITY > 1", "has PRODUCT_ID"].owned(),
        ("bool", At::Fold) => vec!["has TITLE", "count() > 1", "has company.COMMENTS"].owned(),
        ("bool", At::Function) => vec!["has x", "n > 1"].owned(),
        ("bool", _) => vec!["COMPLETED", "has SUBJECT"].owned(),
        ("people", _) => vec![
            "[refs contact|company(BINDINGS), user(RESPONSIBLE_ID)]",
            "refs contact(BINDINGS)",
            "user(RESPONSIBLE_ID)",
            "first(refs company|contact(BINDINGS))",
            "unique([user(RESPONSIBLE_ID), refs company(BINDINGS)])",
            "[RESPONSIBLE_ID]",
        ]
        .owned(),
        _ => vec!["\"a\"".to_owned()],
    };
    all[dice.below(all.len())].clone()
}

trait Owned {
    fn owned(self) -> Vec<String>;
}

impl Owned for Vec<&str> {
    fn owned(self) -> Vec<String> {
        self.into_iter().map(str::to_owned).collect()
    }
}

/// The clauses after a value, most of them enough.
fn clauses(dice: &mut Dice, at: At, ty: &str) -> String {
    let mut text = String::new();
    if dice.one_in(4) {
        text.push_str(&format!("  when {}", value(dice, at, "bool", 1)));
    }
    if dice.one_in(3) {
        text.push_str(&format!("  else {}", value(dice, at, ty, 1)));
    }
    if !dice.one_in(5) {
        text.push_str(dice.pick(&["  else unset", "  else skip \"s\"", "  else flag \"f\""]));
    }
    if !dice.one_in(5) {
        text.push_str(dice.pick(&["  on fail flag \"f\"", "  on fail unset", "  on fail skip \"s\""]));
    }
    text
}

/// A spec in which one thing is random; whatever that is, the rest checks.
fn spec(dice: &mut Dice) -> String {
    let depth = dice.below(3);
    let kind = dice.below(6);
    let mut column = "quantity <- QUANTITY".to_owned();
    let mut fold = "custom \"Items\" text <- count()".to_owned();
    let mut function = "text? = trim(x)".to_owned();
    let mut people = "participants <- user(RESPONSIBLE_ID)".to_owned();
    let mut note = "lines(TITLE, UF_CRM_5_SERIAL, UF_CRM_5_PRICE)  for each at most 2".to_owned();
    let mut parent = "ref contact|company(ENTITY_TYPE, ENTITY_ID)  else quarantine".to_owned();
    match kind {
        0 => {
            let (name, ty) = [("quantity", "number"), ("price", "money")][dice.below(2)];
            column = format!(
                "{name} <- {}{}  summarised because \"-\"",
                value(dice, At::Row, ty, depth),
                clauses(dice, At::Row, ty)
            );
        }
        1 => {
            let (word, ty) = [("text", "text"), ("currency", "money"), ("date", "date")][dice.below(3)];
            fold = format!(
                "custom \"Items\" {word} <- {}{}  summarised because \"-\"",
                value(dice, At::Fold, ty, depth),
                clauses(dice, At::Fold, ty)
            );
        }
        2 => {
            let (word, ty) =
                [("text", "text"), ("text?", "text"), ("text(20)?", "text"), ("date", "date")][dice.below(4)];
            function = format!("{word} = {}", value(dice, At::Function, ty, depth));
        }
        3 => {
            people = format!(
                "participants <- {}{}  on unmigrated flag \"gone\"",
                value(dice, At::Record, "people", depth),
                clauses(dice, At::Record, "people")
            );
        }
        4 => {
            let each = dice.pick(&["", "  for each", "  for each at most 1"]).to_owned();
            note = format!("{}{each}", value(dice, At::Fold, "text", depth));
        }
        _ => {
            parent = format!(
                "{}{}",
                dice.pick(&[
                    "ref contact|company(ENTITY_TYPE, ENTITY_ID)",
                    "ref quote|company(ENTITY_TYPE, ENTITY_ID)",
                    "ref contact(ENTITY_TYPE, ENTITY_ID)",
                    "ref contact(ENTITY_ID)",
                ]),
                dice.pick(&["  else quarantine", "  else skip \"s\"", "  else unset", ""]),
            );
        }
    }
    // Fields that the random part alone would read are read elsewhere too.
    format!(
        "edition 2026
source bitrix24 \"schema/bitrix24.yaml\"
target nutshell \"schema/nutshell.yaml\"
zone \"Europe/Moscow\"
owners {{
  match by email
  otherwise => \"ops@acme.example\"
}}
fn clean(x: text?) -> text? = trim(x)
fn both(a: text?, b: text?) -> text? = join(\" \", [clean(a), b])
fn either(x: text?) -> text = \"-{{x}}\"
fn size(x: text?) -> integer? = length(x)
fn day(x: text?) -> date? = date(x)
fn price(n: decimal?) -> money? = money(n, \"EUR\")
fn known(x: text?) -> bool = has x
fn random(x: text?, n: decimal?) -> {function}
map company -> Account {{
  key ID
  name <- both(either(TITLE), TITLE)  when size(TITLE) > 0  else \"-\"
  owner <- user(ASSIGNED_BY_ID)
  drop COMMENTS, INDUSTRY, PHONE, UF_CRM_1690000003, UF_CRM_OLD_REGION, UF_CRM_OLD_CODE declined \"-\"
}}
map contact -> Contact {{
  key ID
  name <- NAME  when known(NAME)  else \"-\"
  description <- \"{{price(ID)}} {{day(POST)}} {{random(NAME, ID)}}\"  on fail unset
  owner <- user(ASSIGNED_BY_ID)
  drop COMPANY_IDS, EMAIL, LAST_NAME declined \"-\"
}}
map product -> Product {{
  key ID
  name <- NAME
  drop PRICE declined \"-\"
}}
map quote -> Lead {{
  key ID
  description <- cut(\"{{ID}} {{QUOTE_NUMBER}} {{TITLE}} {{OPPORTUNITY}} {{CURRENCY_ID}} {{DEAL_ID}}\", 100)  narrowed because \"-\"
  owner <- user(ASSIGNED_BY_ID)
  products <- each rows {{
    product <- ref product(PRODUCT_ID)  else skip \"free\"  on unmigrated skip \"gone\"
    {column}
  }}
}}
map activity -> Activity {{
  key ID
  name <- SUBJECT  else \"-\"
  startTime <- CREATED
  leads <- refs quote(BINDINGS)  on unmigrated flag \"gone\"
  {people}
  drop COMPLETED, TYPE_ID declined \"-\"
}}
map comment -> Note {{
  key ID
  parent <- {parent}  on unmigrated quarantine
  body <- \"{{CREATED}} {{COMMENT}}\"
}}
flatten process 1032 into company via PARENT_ID_4 {{
  pick latest by CREATED_TIME
  {fold}
  custom \"Read\" text <- \"{{UF_CRM_5_PRICE}}{{UF_CRM_5_SERIAL}}{{TITLE}}\"  narrowed because \"-\"
  note \"Item {{TITLE}}\" <- {note}  summarised because \"-\"
  orphan => skip \"no company\"
}}
"
    )
}

/// The spec without its `drop` of what it reads, since that is random.
fn settled(text: &str, findings: &[crate::lang::finding::Finding]) -> Option<String> {
    let mut text = text.to_owned();
    let mut changed = false;
    for finding in findings {
        let name = finding.message.split('`').nth(1)?;
        match finding.code.as_str() {
            // What the random part reads is dropped in vain, and what it reads no more is not dropped yet.
            "B2N-E0404" => {
                for from in [format!("{name}, "), format!(", {name}"), format!("drop {name} declined \"-\"")]
                {
                    if let Some(at) = text.find("  drop ").and_then(|_| text.rfind(&from)) {
                        text.replace_range(at..at + from.len(), "");
                        changed = true;
                        break;
                    }
                }
            }
            "B2N-E0401" => {
                let names: Vec<&str> =
                    finding.message.split(" of ").next()?.split('`').skip(1).step_by(2).collect();
                let (list, at) = match finding.message.contains("of `rows`") {
                    true => ("    product <-", text.find("    product <-")?),
                    false => return None,
                };
                let _ = list;
                text.insert_str(at, &format!("    drop {} declined \"-\"\n", names.join(", ")));
                changed = true;
            }
            _ => {}
        }
    }
    changed.then_some(text)
}

#[test]
fn constructs_that_check_break_nothing() {
    let source = sample_schema::source();
    let mut target = sample_schema::target();
    // Estimates have no stages, and are leads here only for their lines.
    let lead = target.objects.iter_mut().find(|object| object.name == "Lead").expect("leads are there");
    for field in lead.fields.iter_mut().filter(|field| field.name == "stage") {
        field.required = false;
        field.ty.optional = true;
    }
    let rounds: u64 = std::env::var("B2N_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(400);
    let mut ran = 0;
    let mut refused: std::collections::BTreeMap<String, u64> = std::collections::BTreeMap::new();
    for seed in 0..rounds {
        let mut dice = Dice(seed);
        let mut text = spec(&mut dice);
        for _ in 0..3 {
            let file = SourceText::new("generated.b2n", text.clone());
            let (tree, syntax) = parse(&file);
            let broken: Vec<_> = syntax.iter().filter(|f| f.severity == Severity::Error).collect();
            if !broken.is_empty() {
                // Such as two comparisons in a row.
                break;
            }
            let checked = check(&sample_schema::input(&tree, &file, (&source, &target), &[]));
            let Some(plan) = checked.plan else {
                let errors: Vec<_> =
                    checked.findings.into_iter().filter(|f| f.severity == Severity::Error).collect();
                match settled(&text, &errors) {
                    Some(other) => {
                        text = other;
                        continue;
                    }
                    None => {
                        for finding in errors {
                            *refused.entry(format!("{} {}", finding.code, finding.message)).or_default() += 1;
                        }
                        break;
                    }
                }
            };
            ran += 1;
            let lost = unaccounted(&plan, &source);
            assert!(lost.is_empty(), "seed {seed} loses {lost:?}\n{text}");
            let fuzzer = Fuzzer::new(&plan, &source, &target, seed).expect("a checked plan compiles");
            for case in 0..60 {
                let broken = fuzzer.case(case);
                assert!(broken.is_empty(), "seed {seed}, case {case}: {broken:#?}\n{text}");
            }
            break;
        }
    }
    println!("seeds 0 to {rounds}: {ran} random constructs checked and ran");
    assert!(ran * 3 > rounds, "only {ran} of {rounds} check: the test says too little\n{refused:#?}");
}
