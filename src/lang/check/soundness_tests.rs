//! A checked plan never fails by type: random rules over random records, run by both interpreters.
//!
//! Most random rules do not check; those that do must please the judge of the fuzzer, which knows nothing of the checker,
//! and never hold a record back for another reason than a line of the spec.

use super::{check, sample_schema};
use crate::lang::eval::{Outcome, Program};
use crate::lang::functions;
use crate::lang::fuzz::{Fuzzer, unaccounted};
use crate::lang::syntax::parse;
use crate::lang::text::SourceText;

/// Splitmix64: the same seed gives the same spec for ever.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(super) fn below(&mut self, bound: usize) -> usize {
        (self.roll() % bound as u64) as usize
    }

    pub(super) fn pick<'t, T: ?Sized>(&mut self, all: &[&'t T]) -> &'t T {
        all[self.below(all.len())]
    }

    pub(super) fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
}

const FIELDS: &[&str] = &[
    "ID",
    "TITLE",
    "CATEGORY_ID",
    "STAGE_ID",
    "OPPORTUNITY",
    "CURRENCY_ID",
    "SOURCE_ID",
    "CLOSEDATE",
    "CLOSED",
    "COMPANY_ID",
    "CONTACT_IDS",
    "ASSIGNED_BY_ID",
    "UF_CRM_1690000030",
];

const LITERALS: &[&str] = &[
    "\"US\"",
    "\"Phone\"",
    "\"x@y.example\"",
    "\"ops@acme.example\"",
    "\"18:00\"",
    "3",
    "100",
    "1.5",
    "true",
    "2026-01-31",
    "1500.00 USD",
    "\"\"",
    "\"de\"",
    "\"+13333333555\"",
];

fn expression(dice: &mut Dice, depth: usize) -> String {
    let inner = |dice: &mut Dice| expression(dice, depth.saturating_sub(1));
    if depth == 0 {
        return if dice.one_in(4) { dice.pick(LITERALS) } else { dice.pick(FIELDS) }.to_owned();
    }
    match dice.below(14) {
        0..5 => {
            let function = functions::all()[dice.below(functions::all().len())].name;
            let mut args: Vec<String> = vec![inner(dice)];
            for _ in 0..dice.below(3) {
                args.push(if dice.one_in(3) { inner(dice) } else { dice.pick(LITERALS).to_owned() });
            }
            if dice.one_in(2) && !args[0].contains(' ') {
                format!("{}.{function}({})", args[0], args[1..].join(", "))
            } else {
                format!("{function}({})", args.join(", "))
            }
        }
        5 => format!("[{}, {}]", inner(dice), inner(dice)),
        6 => format!("\"{} {{{}}}\"", dice.pick(&["", "Deal", " "]), inner(dice).replace(['"', '{'], "")),
        7 => format!("{}[{}]", dice.pick(&["markets", "sources", "texts", "numbers"]), inner(dice)),
        8 => format!("user({})", inner(dice)),
        9 => dice.pick(&["ref company(COMPANY_ID)", "refs contact(CONTACT_IDS)", "ref deal(ID)"]).to_owned(),
        10 => "pipeline by CATEGORY_ID, STAGE_ID".to_owned(),
        11 => {
            let body = dice.pick(&[
                "trim",
                "phone(\"US\")",
                "email",
                "url",
                "text",
                "cut(3)",
                "texts",
                "number",
                "date",
            ]);
            format!(
                "{}.each({body})",
                dice.pick(&["CONTACT_IDS", "[TITLE, UF_CRM_1690000030]", "[ID, 3]", "[\"a\", TITLE]"])
            )
        }
        12 => format!("{} {} {}", inner(dice), dice.pick(&["==", "!=", "<", ">="]), inner(dice)),
        _ => inner(dice),
    }
}

/// An expression that probably has the wanted type, by a word of this test's own.
fn wanted(dice: &mut Dice, ty: &str, depth: usize) -> String {
    if dice.one_in(30) {
        return expression(dice, depth);
    }
    let deep = depth > 0;
    let mut of = |ty: &str| wanted(dice, ty, depth.saturating_sub(1));
    let choices: Vec<String> = match ty {
        "text" if deep => {
            let (text, other, number) = (of("text"), of("text"), of("number"));
            let (day, amount, flag, list) = (of("date"), of("money"), of("bool"), of("texts"));
            vec![
                format!("trim({text})"),
                format!("upper({text})"),
                format!("cut({text}, 100)"),
                format!("cut({text}, {number})"),
                format!("plain_text({text})"),
                format!("replace({text}, \"a\", {other})"),
                format!("join(\", \", {list})"),
                format!("first({list})"),
                format!("last({list})"),
                format!("digits({text})"),
                format!("capitalise({text})"),
                format!("text({number})"),
                format!("text({day})"),
                format!("text({amount})"),
                format!("text({flag})"),
                format!("texts[{text}]"),
                format!("\"Deal {{ID}} {{STAGE_ID}} {{OPPORTUNITY}}\""),
                "\"{CLOSED}{CLOSEDATE}\"".to_owned(),
            ]
        }
        "texts" if deep => {
            let (text, other) = (of("text"), of("text"));
            vec![
                format!("[{text}, {other}]"),
                format!("split({text}, \" \")"),
                format!("unique([{text}, {other}])"),
                format!("[{text}].each(trim)"),
                format!("[{text}, {other}].each(email)"),
                format!("[{text}, {other}].each(texts)"),
            ]
        }
        "number" if deep => {
            let (text, number, list) = (of("text"), of("number"), of("texts"));
            vec![
                format!("length({text})"),
                format!("count({list})"),
                format!("round({number}, 1)"),
                format!("number({text})"),
                format!("number({text}, \"de\")"),
                "numbers[SOURCE_ID]".to_owned(),
                "year(CLOSEDATE)".to_owned(),
            ]
        }
        "date" if deep => vec![format!("date({})", of("text")), format!("date({})", of("datetime"))],
        "money" if deep => vec![
            format!("money({}, CURRENCY_ID)", of("number")),
            format!("money({}, {})", of("number"), of("text")),
        ],
        "bool" if deep => vec![
            format!("contains({}, {})", of("text"), of("text")),
            format!("{} < {}", of("number"), of("number")),
            format!("not {} == {}", of("text"), of("text")),
            format!("({} or {})", of("bool"), of("bool")),
        ],
        "datetime" => vec![format!("{}.at(\"18:00\")", of("date"))],
        "email" | "url" => {
            vec![format!("{ty}({})", of("text")), format!("first([{}].each({ty}))", of("text"))]
        }
        "phone" => vec![format!("phone({}, \"US\")", of("text"))],
        "description" => vec![format!("cut({}, 100)", of("text")), "\"Deal {ID}\"".to_owned(), of("text")],
        "stage" => vec!["pipeline by CATEGORY_ID, STAGE_ID".to_owned()],
        "market" => vec![
            "markets[CURRENCY_ID]".to_owned(),
            "\"Europe\"".to_owned(),
            "first([markets[CURRENCY_ID]])".to_owned(),
        ],
        "sources" => vec![
            "sources[SOURCE_ID]".to_owned(),
            of("texts"),
            of("text"),
            "[SOURCE_ID].each(sources)".to_owned(),
        ],
        "owner" => vec!["user(ASSIGNED_BY_ID)".to_owned(), "\"ops@acme.example\"".to_owned()],
        "accounts" => vec!["ref company(COMPANY_ID)".to_owned()],
        "contacts" => {
            vec!["refs contact(CONTACT_IDS)".to_owned(), "unique(refs contact(CONTACT_IDS))".to_owned()]
        }
        "kind" => {
            vec!["texts[TITLE]".to_owned(), "\"Phone\"".to_owned(), "first([texts[TITLE], \"B\"])".to_owned()]
        }
        "texts" => vec!["[TITLE, UF_CRM_1690000030]".to_owned(), "[\"a\"]".to_owned()],
        "number" => vec!["ID".to_owned(), "OPPORTUNITY".to_owned(), "3".to_owned(), "1.5".to_owned()],
        "date" => vec!["CLOSEDATE".to_owned(), "2026-01-31".to_owned()],
        "money" => vec!["1500.00 USD".to_owned(), "money(OPPORTUNITY, CURRENCY_ID)".to_owned()],
        "bool" => vec![
            "CLOSED".to_owned(),
            "has TITLE".to_owned(),
            "STAGE_ID == \"WON\"".to_owned(),
            "OPPORTUNITY > 3".to_owned(),
        ],
        _ => vec!["TITLE".to_owned(), "UF_CRM_1690000030".to_owned(), "\"a\"".to_owned(), "\"\"".to_owned()],
    };
    choices[dice.below(choices.len())].clone()
}

/// The fields that are written, and what they take in the words of [`wanted`].
const TARGETS: &[(&str, &str)] = &[
    ("description", "description"),
    ("stage", "stage"),
    ("market", "market"),
    ("value", "money"),
    ("dueTime", "datetime"),
    ("sources", "sources"),
    ("owner", "owner"),
    ("accounts", "accounts"),
    ("contacts", "contacts"),
    ("custom \"A text\" text", "text"),
    ("custom \"A day\" date", "date"),
    ("custom \"An amount\" currency", "money"),
    ("custom \"A kind\" enum(\"Phone\", \"B\")", "kind"),
    ("custom \"An address\" email", "email"),
    ("custom \"A number\" phone", "phone"),
    ("custom \"A page\" url", "url"),
];

fn rule(dice: &mut Dice) -> String {
    let (target, ty) = TARGETS[dice.below(TARGETS.len())];
    let depth = dice.below(4);
    let mut rule = format!("  {target} <- {}", wanted(dice, ty, depth));
    if dice.one_in(4) {
        rule.push_str(&format!("  when {}", wanted(dice, "bool", 1)));
    }
    if dice.one_in(5) {
        rule.push_str(&format!(
            "  labelled {}",
            dice.pick(&["TITLE", "\"x\"", "SORT", "IS_PRIMARY", "TITLE when IS_PRIMARY"])
        ));
    }
    for _ in 0..dice.below(3) {
        let depth = dice.below(3);
        rule.push_str(&format!("  else {}", wanted(dice, ty, depth)));
    }
    if !dice.one_in(4) {
        let fallback = wanted(dice, ty, 0);
        let arm = dice.pick(&["flag \"f\"", "unset", "skip \"f\"", &fallback]);
        rule.push_str(&format!("  on fail {arm}"));
    }
    if rule.contains("ref") {
        rule.push_str("  on unmigrated flag \"gone\"");
    }
    rule.push_str("  summarised because \"whatever\"");
    rule
}

/// Whatever the rule is about, the other lines check.
fn spec(rule: &str) -> String {
    let base = "edition 2026
source bitrix24 \"schema/bitrix24.yaml\"
target nutshell \"schema/nutshell.yaml\"
zone \"Europe/Moscow\"
owners {
  match by email
  otherwise => \"ops@acme.example\"
}
table markets : enum(CURRENCY) -> Lead.market {
  \"USD\" => \"United States\"
  \"EUR\" => \"Europe\"
  _ unseen => unset
}
table sources : enum(SOURCE) -> Lead.sources {
  \"CALL\" => \"Phone\"
  \"WEB\" => \"Website\"
  \"WEBFORM\" => flag \"a form\"
  _ unseen => skip \"new\"
}
table texts : text -> text {
  \"a\" => \"Phone\"
  _ unseen => \"B\"
}
table numbers : enum(SOURCE) -> integer {
  \"CALL\" => 1
  \"WEB\" => 2
  \"WEBFORM\" => 3
  _ unseen => 0
}
pipeline sales : deal category 0 -> \"Sales\" {
  \"NEW\" => stage \"Qualify\"
  \"PREPARATION\" => stage \"Proposal\"
  \"UC_7F3K\" => stage \"On hold\"
  \"WON\" => won \"Signed\"
  \"LOSE\" => lost \"No budget\"
  _ unseen => skip \"new\"
}
pipeline service : deal category 1 -> \"Service\" {
  \"NEW\" => stage \"New request\"
  \"WON\" => won \"Signed\"
  _ unseen => skip \"new\"
}
map deal -> Lead {
  key ID
";
    let mut text = base.to_owned();
    for (name, other) in [
        ("description", "description <- \"Deal {ID}\""),
        ("stage", "stage <- pipeline by CATEGORY_ID, STAGE_ID"),
        ("owner", "owner <- user(ASSIGNED_BY_ID)"),
        ("market", "market <- markets[CURRENCY_ID]"),
    ] {
        if !rule.trim_start().starts_with(&format!("{name} ")) {
            text.push_str(&format!("  {other}\n"));
        }
    }
    text.push_str(rule);
    text.push('\n');
    let gone: Vec<&str> = FIELDS
        .iter()
        .chain(&["UF_CRM_1690000031"])
        .filter(|field| !text.contains(**field))
        .copied()
        .collect();
    if !gone.is_empty() {
        text.push_str(&format!("  drop {} declined \"not in this test\"\n", gone.join(", ")));
    }
    text.push_str("}\nmap company -> Account {\n  key ID\n  name <- TITLE\n  owner <- user(ASSIGNED_BY_ID)\n  drop COMMENTS, INDUSTRY, PHONE, UF_CRM_1690000003, UF_CRM_OLD_REGION declined \"-\"\n  drop UF_CRM_OLD_CODE empty\n}\n");
    text.push_str("map contact -> Contact {\n  key ID\n  name <- NAME else \"-\"\n  owner <- user(ASSIGNED_BY_ID)\n  drop COMPANY_IDS, EMAIL, LAST_NAME, POST declined \"-\"\n}\n");
    text
}

#[test]
fn what_checks_runs_without_a_type_failure() {
    let (source, target) = (sample_schema::source(), sample_schema::target());
    let rounds: u64 = std::env::var("B2N_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(600);
    let mut ran = 0;
    for seed in 0..rounds {
        let mut dice = Dice(seed);
        let rule = rule(&mut dice);
        let text = SourceText::new("generated.b2n", spec(&rule));
        let (tree, syntax) = parse(&text);
        let checked = check(&sample_schema::input(&tree, &text, (&source, &target), &[]));
        let broken = syntax.iter().any(|finding| finding.severity == crate::lang::finding::Severity::Error);
        let (false, Some(plan)) = (broken, checked.plan) else { continue };
        ran += 1;
        let lost = unaccounted(&plan, &source);
        assert!(lost.is_empty(), "seed {seed}: {rule}\nloses {lost:?}");
        let program = Program::compile(&plan).expect("a checked plan compiles");
        let fuzzer = Fuzzer::new(&plan, &source, &target, seed).expect("a checked plan compiles");
        for number in (0..60).filter(|number| number % plan.maps.len() as u64 == 0) {
            let broken = fuzzer.case(number);
            assert!(broken.is_empty(), "seed {seed}, case {number}: {rule}\n{broken:#?}");
            let case = fuzzer.make(number).expect("no split stands in the way");
            match program.run(case.map, &case.record) {
                Outcome::Record(_) => {}
                Outcome::LeftOut { .. } => assert!(text.text().contains("skip"), "seed {seed}: {rule}"),
                // A category without a pipeline, which no line of the spec can know.
                Outcome::Quarantined { reason, .. } if reason.starts_with("no pipeline ") => {}
                other => panic!("seed {seed}: {rule}\n{other:?}\n{case:?}"),
            }
        }
    }
    println!("seeds 0 to {rounds}: {ran} random rules checked and ran");
    assert!(ran * 5 > rounds, "only {ran} of {rounds} random rules check: the test says too little");
}
