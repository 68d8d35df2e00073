//! Diffs as reviewers meet them, and what holds for every diff.

use jiff::civil::date;
use proptest::prelude::*;

use super::*;
use crate::lang::check::{self, Input, sample_schema};
use crate::lang::eval::Program;
use crate::lang::schema::stats::{Collector, StageCounts};
use crate::lang::syntax;
use crate::lang::types::Base;
use crate::lang::value::{Record, Value};

pub(super) const SPEC: &str = r#"edition 2026
source bitrix24 "schema/bitrix24.yaml"
target nutshell "schema/nutshell.yaml"
zone "Europe/Moscow"

owners {
  match by email
  "sveta@acme.example"  => "svetlana@acme.example"
  dismissed             => "ops@acme.example"  flag "owner has left"
  otherwise             => "ops@acme.example"  flag "owner not found"
}

table industries : enum(INDUSTRY) -> Account.industry {
  "IT"       => "Technology"
  "BANKING"  => "Banking"
  _ unseen   => quarantine
}

table markets : enum(CURRENCY) -> Lead.market {
  "USD"     => "United States"
  "EUR"     => "Europe"
  _ unseen  => quarantine
}

table lead_source : enum(SOURCE) -> Lead.sources {
  "CALL" `Звонок`   => "Phone"
  "WEB", "WEBFORM"  => "Website"  merged because "one web source is kept"
  _ unseen          => quarantine
}

pipeline sales : deal category 0 `Продажи` -> "Sales" {
  "NEW" `Новая`               => stage "Qualify"
  "PREPARATION" `Подготовка`  => stage "Proposal"
  "UC_7F3K" `На паузе`        => quarantine
  "WON" `Успех`               => won "Signed"
  "LOSE" `Провал`             => lost "No budget"
  _ unseen                    => quarantine
}

pipeline service : deal category 1 `Сервис` -> "Service" {
  "NEW" `Заявка`  => stage "New request"
  "WON" `Готово`  => won "Signed"
  _ unseen        => quarantine
}

map deal -> Lead {
  key ID
  on existing keep
  where CATEGORY_ID == "0" else skip "service stays"

  description  <- TITLE.cut(100)                   else "Deal {ID}"  narrowed because "100 characters are kept"
  stage        <- pipeline by CATEGORY_ID, STAGE_ID
  market       <- markets[CURRENCY_ID]
  value        <- money(OPPORTUNITY, CURRENCY_ID)  on fail quarantine
  sources      <- lead_source[SOURCE_ID]           else unset
  owner        <- user(ASSIGNED_BY_ID)
  accounts     <- ref company(COMPANY_ID)          else unset  on unmigrated wait
  contacts     <- refs contact(CONTACT_IDS)        on unmigrated flag "person left out"
  dueTime      <- CLOSEDATE.at("18:00")

  custom "Closed on"  date               <- CLOSEDATE    when CLOSED
  custom "Why lost"   enum("A", "B")     <- "A"          when STAGE_ID == "LOSE"

  drop UF_CRM_1690000030, UF_CRM_1690000031 declined "kept in the archive"
}

map company -> Account {
  key ID
  match existing by name

  name         <- TITLE.trim()              else "Company {ID}"
  industry     <- industries[INDUSTRY]      else unset
  owner        <- user(ASSIGNED_BY_ID)
  description  <- COMMENTS.plain_text()     narrowed because "formatting is not kept"
  custom "Volume"  currency  <- UF_CRM_1690000003
  drop PHONE declined "numbers are old"
  drop UF_CRM_OLD_CODE empty
  drop UF_CRM_OLD_REGION declined "regions are old"
}

map contact -> Contact {
  key ID

  name         <- person_name(NAME, LAST_NAME)  else quarantine
  owner        <- user(ASSIGNED_BY_ID)
  email        <- EMAIL.each(email)             on fail flag "not an e-mail address"
  accounts     <- refs company(COMPANY_IDS)     labelled POST when IS_PRIMARY  on unmigrated flag "company left out"
}
"#;

/// A checked version.
pub(super) struct Version {
    text: SourceText,
    spec: ast::Spec,
    plan: Plan,
    source: Schema,
    target: Schema,
}

impl Version {
    pub(super) fn side(&self) -> Side<'_> {
        let Version { text, spec, plan, source, target } = self;
        Side { plan, source, target, spec, text }
    }
}

fn version_with(text: &str, source: Schema) -> Result<Version, String> {
    let target = sample_schema::target();
    let text = SourceText::new("acme.b2n", text);
    let (spec, mut findings) = syntax::parse(&text);
    let checked = check::check(&Input {
        spec: &spec,
        text: &text,
        source: Some(&source),
        target: Some(&target),
        source_hash: "s",
        target_hash: "t",
        source_name: "s.yaml",
        target_name: "t.yaml",
        today: date(2026, 11, 21),
        broken: &[],
    });
    findings.extend(checked.findings);
    let told: Vec<String> = findings.iter().map(|f| format!("{} {}", f.code, f.message)).collect();
    match checked.plan {
        Some(plan) if !told.iter().any(|line| line.starts_with("B2N-E")) => {
            Ok(Version { text, spec, plan, source, target })
        }
        _ => Err(told.join("\n")),
    }
}

pub(super) fn version(text: &str) -> Version {
    version_with(text, sample_schema::source()).unwrap_or_else(|told| panic!("does not check:\n{told}"))
}

fn edited(from: &str, to: &str) -> Version {
    assert!(SPEC.contains(from), "`{from}` does not stand in the spec");
    version(&SPEC.replacen(from, to, 1))
}

fn changes(from: &str, to: &str) -> Vec<Change> {
    let (old, new) = (version(SPEC), edited(from, to));
    diff(old.side(), new.side()).changes
}

/// The one change of an edit.
fn only(from: &str, to: &str) -> Change {
    let all = changes(from, to);
    let told: Vec<&str> = all.iter().map(|change| change.what.as_str()).collect();
    assert_eq!(all.len(), 1, "{told:#?}");
    all.into_iter().next().expect("one change")
}

/// Records of the sample's deals in a stage of the sales pipeline.
fn in_stage(code: &str) -> u64 {
    sample_schema::source().pipelines[0].records[code]
}

#[test]
fn a_stage_is_told_with_its_title_and_its_records() {
    let all = changes(r#"`На паузе`        => quarantine"#, r#"`На паузе`        => stage "On hold""#);
    assert_eq!(all[1].what, "stage `On hold` of `Sales` is needed in the destination");
    assert_eq!(all.len(), 2);
    let change = all[0].clone();
    assert_eq!(
        change.what,
        "pipeline `sales`: \"UC_7F3K\" `На паузе` goes to `stage \"On hold\"` instead of `quarantine`"
    );
    assert_eq!(change.loss, Loss::Healed);
    assert_eq!((change.object.as_str(), change.of), ("deal", Some(48_210)));
    // The filter may leave some of them out: no better than bounds can be promised.
    let Count::Between { at_most, .. } = change.count else { panic!("{:?}", change.count) };
    assert_eq!(at_most, in_stage("UC_7F3K"));
    assert_eq!(change.new.map(|at| at.line), Some(34));
}

#[test]
fn without_a_filter_counts_are_exact() {
    let bare = SPEC.replace("  where CATEGORY_ID == \"0\" else skip \"service stays\"\n", "");
    let (old, new) =
        (version(&bare), version(&bare.replace("`На паузе`        => quarantine", "`На паузе` => stop")));
    let all = diff(old.side(), new.side()).changes;
    assert_eq!(all[0].count, Count::Exact { records: in_stage("UC_7F3K") });
    let new = version(&bare.replace("=> \"Phone\"", "=> \"Telephone\""));
    let all = diff(old.side(), new.side()).changes;
    assert_eq!(
        all[0].what,
        "table `lead_source`: \"CALL\" `Звонок` gives `\"Telephone\"` instead of `\"Phone\"`"
    );
    assert_eq!((all[0].count, all[0].loss), (Count::Exact { records: 20_000 }, Loss::Same));
}

#[test]
fn rules_are_told_by_what_is_another() {
    let change = only("TITLE.cut(100) ", "TITLE.cut(80) ");
    assert_eq!(change.what, "`deal.description` takes `TITLE.cut(80)` instead of `TITLE.cut(100)`");
    assert_eq!(change.count, Count::Between { at_least: 0, at_most: 40_000 });
    let change = only("because \"100 characters are kept\"", "because \"one hundred are kept\"");
    assert_eq!(change.count, Count::Exact { records: 0 });
    assert_eq!(
        change.what,
        "`deal.description` has the reason \"one hundred are kept\" instead of \"100 characters are kept\""
    );
    let change = only(
        "ref company(COMPANY_ID)          else unset  on unmigrated wait",
        "ref company(COMPANY_ID)          else unset  on unmigrated flag \"gone\"",
    );
    assert_eq!(change.loss, Loss::Gained);
    let change = only("  where CATEGORY_ID == \"0\" else skip \"service stays\"\n", "");
    assert_eq!((change.subject, change.loss), (Subject::Filter, Loss::Healed));
    assert_eq!(change.count, Count::Exact { records: 8_210 });
}

#[test]
fn an_owner_is_told_with_the_row() {
    let all = changes(
        "otherwise             => \"ops@acme.example\"  flag \"owner not found\"",
        "otherwise             => \"svetlana@acme.example\"",
    );
    assert!(all.iter().all(|change| change.subject == Subject::Owner), "{all:#?}");
    assert!(all.iter().all(|change| change.new.as_ref().map(|at| at.line) == Some(10)), "{all:#?}");
    assert!(all[0].what.contains("`\"svetlana@acme.example\" (otherwise)` instead of"), "{}", all[0].what);
}

#[test]
fn names_are_no_change() {
    for (from, to) in
        [("lead_source", "origins"), ("industries", "branches"), ("pipeline sales", "pipeline selling")]
    {
        let (old, new) = (version(SPEC), version(&SPEC.replace(from, to)));
        let found = diff(old.side(), new.side());
        let actions: Vec<Action> = found.changes.iter().map(|change| change.action).collect();
        assert_eq!(actions, [Action::Renamed], "{from}: {:#?}", found.changes);
        assert!(!found.means());
    }
    let named = SPEC
        .replace("map company -> Account {", "map company -> Account as firm {")
        .replace("ref company(", "ref firm(")
        .replace("refs company(", "refs firm(");
    let (old, new) = (version(SPEC), version(&named));
    let found = diff(old.side(), new.side());
    assert_eq!(found.changes.len(), 1, "{:#?}", found.changes);
    assert_eq!(found.changes[0].what, "map `company` is now called `firm`");
}

#[test]
fn a_custom_field_under_another_label_is_one_change() {
    let all = changes("custom \"Volume\"  currency", "custom \"Annual volume\"  currency");
    let told: Vec<&str> = all.iter().map(|change| change.what.as_str()).collect();
    assert_eq!(
        told,
        [
            "custom field `Volume` of `Account` is created under the label `Annual volume`",
            "`company.Volume` is now called `Annual volume`"
        ]
    );
}

#[test]
fn a_map_that_goes_is_one_change_and_its_needs_go_with_it() {
    let without = SPEC
        .split("map contact")
        .next()
        .unwrap()
        .replace(
            "  contacts     <- refs contact(CONTACT_IDS)        on unmigrated flag \"person left out\"\n",
            "",
        )
        .replace("drop UF_CRM_1690000030,", "drop CONTACT_IDS, UF_CRM_1690000030,");
    let (old, new) = (version(SPEC), version(&without));
    let all = diff(old.side(), new.side()).changes;
    let gone: Vec<&Change> = all.iter().filter(|change| change.id == "map contact").collect();
    assert_eq!(gone.len(), 1);
    assert_eq!((gone[0].loss, gone[0].count), (Loss::Gained, Count::Exact { records: 15_000 }));
    assert!(all.iter().any(|change| change.id == "deal.drop CONTACT_IDS" && change.loss == Loss::Gained));
}

/// The spec's items in another order, rules too, with other blanks and comments.
fn shuffled(seed: u64) -> String {
    let mut state = seed;
    let mut roll = move |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below.max(1)
    };
    let (head, body) = SPEC.split_once("\n\n").expect("a head");
    let mut items: Vec<String> = body.split("\n\n").fold(Vec::<String>::new(), |mut items, part| {
        match items.last_mut() {
            Some(last) if !last.trim_end().ends_with("\n}") => *last = format!("{last}\n\n{part}"),
            _ => items.push(part.to_owned()),
        }
        items
    });
    for item in &mut items {
        if item.starts_with("map ") {
            let mut lines: Vec<&str> = item.lines().collect();
            let rules: Vec<usize> = (0..lines.len()).filter(|at| lines[*at].contains("<-")).collect();
            for (nth, at) in rules.iter().enumerate().rev() {
                lines.swap(*at, rules[roll(nth + 1)]);
            }
            *item = lines.iter().map(|line| format!("{line}{}\n", " ".repeat(roll(3)))).collect();
        }
    }
    for at in (1..items.len()).rev() {
        items.swap(at, roll(at + 1));
    }
    format!("{head}\n\n# moved\n{}\n", items.join("\n\n# a comment\n\n"))
}

/// Single edits of a line that keep a spec checking: what stands there, what stands there afterwards.
const EDITS: &[(&str, &str)] = &[
    ("=> quarantine", "=> unset"),
    ("=> quarantine", "=> stop"),
    ("=> \"Technology\"", "=> \"Other\""),
    ("=> \"Banking\"", "=> \"Other\""),
    ("=> \"Phone\"", "=> \"Telephone\""),
    ("=> \"Website\"", "=> \"Web\""),
    ("=> \"Europe\"", "=> \"United States\"  merged because \"one market\""),
    ("stage \"Qualify\"", "stage \"Proposal\""),
    ("stage \"Proposal\"", "stage \"On hold\""),
    ("stage \"New request\"", "stage \"Repair\""),
    ("lost \"No budget\"", "cancelled \"Duplicate\""),
    ("won \"Signed\"", "lost \"No budget\""),
    ("flag \"", "flag \"really "),
    ("because \"", "because \"really "),
    ("declined \"", "declined \"really "),
    ("skip \"", "skip \"really "),
    ("else \"", "else \"The "),
    ("else unset", "else quarantine"),
    ("on fail quarantine", "on fail flag \"amount\""),
    ("on unmigrated wait", "on unmigrated unset"),
    ("on existing keep", "on existing overwrite"),
    ("match existing by name", "match existing by email"),
    (".cut(100)", ".cut(99)"),
    ("18:00", "17:00"),
    ("TITLE.trim()", "TITLE.trim().upper()"),
    ("when CLOSED", "when not CLOSED"),
    ("STAGE_ID == \"LOSE\"", "STAGE_ID == \"WON\""),
    ("enum(\"A\", \"B\")", "enum(\"A\", \"C\")"),
    ("== \"0\"", "!= \"1\""),
    ("labelled POST when IS_PRIMARY", "labelled POST"),
    ("<- \"A\"", "<- \"B\""),
];

/// Every edit that applies to a line, with the line's number.
fn edits() -> Vec<(u32, String)> {
    let mut all = Vec::new();
    for (number, line) in (1..).zip(SPEC.lines()) {
        for (from, to) in EDITS {
            if line.contains(from) {
                let lines: Vec<String> = SPEC
                    .lines()
                    .enumerate()
                    .map(
                        |(at, l)| {
                            if at + 1 == number as usize { l.replacen(from, to, 1) } else { l.to_owned() }
                        },
                    )
                    .collect();
                all.push((number, format!("{}\n", lines.join("\n"))));
            }
        }
    }
    all
}

#[test]
fn every_single_edit_is_reported_with_its_line_and_reverses() {
    let old = version(SPEC);
    let mut tried = 0;
    for (line, text) in edits() {
        let Ok(new) = version_with(&text, sample_schema::source()) else { continue };
        tried += 1;
        let edited = text.lines().nth(line as usize - 1).unwrap_or_default();
        let there = diff(old.side(), new.side());
        assert!(there.means(), "line {line} is not reported: {edited}");
        let named = there.changes.iter().any(|change| {
            change.new.as_ref().is_some_and(|at| at.line == line) || change.subject == Subject::CustomField
        });
        assert!(named, "line {line} is not named: {edited}\n{:#?}", there.changes);
        let back = diff(new.side(), old.side());
        let losses = |found: &Diff, reverse: bool| {
            let mut all: Vec<(String, Loss)> = found
                .changes
                .iter()
                .map(|c| (c.id.clone(), if reverse { c.loss.reversed() } else { c.loss }))
                .collect();
            all.sort();
            all
        };
        assert_eq!(losses(&there, false), losses(&back, true), "line {line}: {edited}");
    }
    assert!(tried >= 40, "only {tried} edits check");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn order_blanks_and_comments_are_no_change(seed in any::<u64>()) {
        let (old, new) = (version(SPEC), version(&shuffled(seed)));
        let found = diff(old.side(), new.side());
        prop_assert_eq!(&found.changes, &vec![], "{}", shuffled(seed));
    }

    /// Statistics never promise what records do not keep: for each edit, the records that come out otherwise are no
    /// more than the upper bound, nor, where nothing else holds records back, fewer than the lower one.
    #[test]
    fn records_keep_what_statistics_promise(pick in any::<prop::sample::Index>(), seed in any::<u64>()) {
        let edits = edits();
        let (_, text) = pick.get(&edits);
        let mut source = sample_schema::source();
        let records = records(&mut source, seed);
        // What may hold a record back for another reason would hide differences.
        let calm = |text: &str| text.replace("on fail quarantine", "on fail unset");
        let Ok(old) = version_with(&calm(SPEC), source.clone()) else { return Err(TestCaseError::reject("spec")) };
        let Ok(new) = version_with(&calm(text), source.clone()) else { return Ok(()) };
        let found = diff(old.side(), new.side());
        let mut exact = Exact::new(old.side(), new.side(), &found);
        let (was, is) = (Program::compile(&old.plan).unwrap(), Program::compile(&new.plan).unwrap());
        for pair in &found.maps {
            let map = &new.plan.maps[pair.new.unwrap()];
            for (key, record) in records.iter().filter(|(object, _)| *object == map.source).map(|(_, r)| r).enumerate() {
                let (a, b) = (was.run(pair.old.unwrap(), record), is.run(pair.new.unwrap(), record));
                exact.record(*pair, &key.to_string(), Some((record, &a)), Some((record, &b)));
            }
        }
        let (seen, moved) = exact.finish();
        for (change, seen) in found.changes.iter().zip(&seen) {
            if change.touches.is_empty() {
                continue;
            }
            let (low, high) = match change.count {
                Count::Exact { records } => (records, records),
                Count::Between { at_least, at_most } => (at_least, at_most),
                Count::Unknown | Count::None => (0, u64::MAX),
            };
            prop_assert!(seen.records <= high, "{change:#?}\n{seen:?}\n{moved:#?}");
            // What an unseen row gives matters for values that no row names, and those are no part of the domain.
            if found.changes.len() == 1 && matches!(change.subject, Subject::Table | Subject::Filter) && change.action == Action::Changed {
                let quarantined = change.what.contains("quarantine");
                prop_assert!(seen.records >= low || quarantined, "{change:#?}\n{seen:?}\n{moved:#?}");
            }
            prop_assert_eq!(seen.records > 0, seen.witness.is_some());
        }
    }
}

/// Random records of every object, and their statistics in the schema.
fn records(schema: &mut Schema, seed: u64) -> Vec<(String, Record)> {
    let mut state = seed;
    let mut roll = move |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below.max(1)
    };
    let mut all = Vec::new();
    let domains = schema.domains.clone();
    for at in 0..schema.objects.len() {
        let object = schema.objects[at].clone();
        let mut collector = Collector::new(&object);
        let stage = object.fields.iter().position(|field| field.ty.base == Base::Stage);
        let category = object.fields.iter().position(|field| field.name == "CATEGORY_ID");
        let mut stages = stage.map(|stage| StageCounts::new(category, stage));
        for id in 1..=30 {
            let record: Record = object
                .fields
                .iter()
                .map(|field| {
                    let empty = field.name == "UF_CRM_OLD_CODE";
                    if empty || (field.ty.optional || field.ty.many) && roll(3) == 0 {
                        return Value::Absent;
                    }
                    let one = match &field.ty.base {
                        Base::Integer => Value::Int(id),
                        Base::Decimal => Value::Decimal(rust_decimal::Decimal::from(roll(900))),
                        Base::Bool => Value::Bool(roll(2) == 0),
                        Base::Date => Value::Date(date(2026, 1, 1)),
                        Base::Enum(name) => match domains.get(name).map(|domain| domain.choices.as_slice()) {
                            Some(choices) if !choices.is_empty() => {
                                Value::text(&choices[roll(choices.len())].code)
                            }
                            _ => return Value::Absent,
                        },
                        Base::Stage => Value::text(["NEW", "PREPARATION", "UC_7F3K", "WON", "LOSE"][roll(5)]),
                        Base::User => Value::text(["1", "12", "7", "99"][roll(4)]),
                        Base::Text { .. } => Value::text("слово ".repeat(1 + roll(30)).trim_end()),
                        Base::Link(_) => Value::text(roll(30).to_string()),
                        _ => return Value::Absent,
                    };
                    if field.ty.many {
                        let attrs = field.attributes.iter().map(|a| match &a.ty.base {
                            Base::Bool => Value::Bool(roll(2) == 0),
                            Base::Integer => Value::Int(10),
                            _ => Value::text("WORK"),
                        });
                        Value::List(vec![Value::Item(Box::new(crate::lang::value::Item {
                            value: one,
                            attrs: attrs.collect(),
                        }))])
                    } else {
                        one
                    }
                })
                .collect();
            collector.add(&record);
            if let Some(stages) = &mut stages {
                stages.add(&record);
            }
            all.push((object.name.clone(), record));
        }
        collector.store(&mut schema.objects[at]);
        if let Some(stages) = stages {
            stages.store(&object.name, &mut schema.pipelines);
        }
    }
    all
}

#[test]
fn machine_output_names_no_values_unless_wanted() {
    let (old, new) = (version(SPEC), edited("TITLE.trim()", "TITLE.trim().upper()"));
    let found = diff(old.side(), new.side());
    let mut exact = Exact::new(old.side(), new.side(), &found);
    let pair = *found.maps.iter().find(|pair| new.plan.maps[pair.new.unwrap()].name == "company").unwrap();
    let object = old.source.object("company").unwrap();
    let mut record = vec![Value::Absent; object.fields.len()];
    record[object.slot("ID").unwrap()] = Value::Int(7);
    record[object.slot("TITLE").unwrap()] = Value::text("Secret Ltd");
    let (was, is) = (Program::compile(&old.plan).unwrap(), Program::compile(&new.plan).unwrap());
    let (a, b) = (was.run(pair.old.unwrap(), &record), is.run(pair.new.unwrap(), &record));
    exact.record(pair, "7", Some((&record, &a)), Some((&record, &b)));
    let counted = exact.finish();
    assert_eq!(counted.0.iter().map(|seen| seen.records).sum::<u64>(), 1);
    assert_eq!((counted.1[0].map.as_str(), counted.1[0].field.as_str()), ("company", "name"));
    for (show, there) in [(false, false), (true, true)] {
        let json = json::render(&found, Some(&counted), show).to_string();
        let page = markdown::render(&found, "old", "new", Some(&counted), show);
        assert_eq!(json.contains("SECRET LTD"), there);
        assert_eq!(page.contains("SECRET LTD"), there);
        assert!(json.contains("\"key\":\"7\"") && page.contains("`7`"));
    }
}

#[test]
fn markdown_survives_what_stands_in_data() {
    assert_eq!(markdown::text("a|b `c|d` <e> @f"), "a\\|b `c\\|d` &lt;e&gt; &#64;f");
    assert_eq!(markdown::code("a`b"), "`` a`b ``");
    let (old, new) = (version(SPEC), edited("flag \"owner has left\"", "flag \"a|b <script>\""));
    let page = markdown::render(&diff(old.side(), new.side()), "old", "new", None, false);
    for row in page.lines().filter(|line| line.starts_with('|')) {
        let cells = row.replace("\\|", "").matches('|').count();
        assert_eq!(cells, 5, "{row}");
    }
}

#[test]
fn a_record_that_a_filter_takes_away_is_no_matter_of_a_row() {
    let both = SPEC
        .replace("where CATEGORY_ID == \"0\"", "where CATEGORY_ID == \"0\" and not CLOSED")
        .replace("=> \"Phone\"", "=> \"Telephone\"");
    let mut totals = (0, 0);
    for seed in 0..12 {
        let mut source = sample_schema::source();
        let records = records(&mut source, seed);
        let checked = |text: &str| version_with(text, source.clone()).unwrap_or_else(|told| panic!("{told}"));
        let (old, new) = (checked(SPEC), checked(&both));
        let found = diff(old.side(), new.side());
        let mut exact = Exact::new(old.side(), new.side(), &found);
        let (was, is) = (Program::compile(&old.plan).unwrap(), Program::compile(&new.plan).unwrap());
        for pair in &found.maps {
            let map = &new.plan.maps[pair.new.unwrap()];
            let mine = records.iter().filter(|(object, _)| *object == map.source);
            for (key, (_, record)) in mine.enumerate() {
                let (a, b) = (was.run(pair.old.unwrap(), record), is.run(pair.new.unwrap(), record));
                exact.record(*pair, &key.to_string(), Some((record, &a)), Some((record, &b)));
            }
        }
        let (seen, moved) = exact.finish();
        let of = |id: &str| {
            seen[found.changes.iter().position(|change| change.id == id).expect("a change")].records
        };
        let field = |name: &str| {
            let one = moved.iter().find(|moved| moved.map == "deal" && moved.field == name);
            one.map_or(0, |moved| moved.seen.records)
        };
        assert_eq!(
            (of("deal.where"), of("table lead_source \"CALL\"")),
            (field(""), field("sources")),
            "seed {seed}"
        );
        totals = (totals.0 + field(""), totals.1 + field("sources"));
    }
    assert!(totals.0 > 0 && totals.1 > 0, "{totals:?}");
}
