//! Profiles as people meet them: what is taken over, replaced, refined, and what does not apply.

use proptest::prelude::*;
use serde_json::Value;

use super::{How, LineHow, Part, Resolved, resolve};
use crate::lang::check::tests::WHOLE;
use crate::lang::check::{Checked, Input, check, sample_schema};
use crate::lang::finding::Finding;
use crate::lang::plan::Plan;
use crate::lang::schema::Schema;
use crate::lang::syntax::{ast, parse_part};
use crate::lang::text::SourceText;

/// Joins a spec with its profiles, which it uses as `"1"`, `"2"`, …, and resolves them.
fn resolved(files: &[&str]) -> (Resolved, SourceText, Vec<Finding>) {
    let names = |index: usize| if index == 0 { "spec.b2n".to_owned() } else { index.to_string() };
    let text = SourceText::join(
        files.iter().enumerate().map(|(index, text)| SourceText::new(names(index), *text)).collect(),
    );
    let mut parts = Vec::new();
    let mut findings = Vec::new();
    for index in 0..files.len() {
        let (spec, mut found) = parse_part(&text, index);
        findings.append(&mut found);
        let uses = spec.items.iter().filter_map(|item| match item {
            ast::Item::Use(used) => used.profile.value.parse().ok(),
            _ => None,
        });
        parts.push(Part { uses: uses.collect(), spec: spec.clone() });
    }
    (resolve(parts, &text), text, findings)
}

fn checked_with(files: &[&str], source: &Schema, target: &Schema) -> Checked {
    let (resolved, text, mut findings) = resolved(files);
    let checked = check(&Input {
        broken: &[],
        spec: &resolved.spec,
        text: &text,
        source: Some(source),
        target: Some(target),
        source_hash: "s",
        target_hash: "t",
        source_name: "schema/bitrix24.yaml",
        target_name: "schema/nutshell.yaml",
        today: jiff::civil::date(2026, 11, 21),
    });
    findings.extend(resolved.findings);
    findings.extend(checked.findings);
    Checked { findings, ..checked }
}

fn checked(files: &[&str]) -> Checked {
    checked_with(files, &sample_schema::source(), &sample_schema::target())
}

fn show(findings: &[Finding]) -> String {
    findings.iter().map(|f| format!("{} {} | {:?}\n", f.code, f.message, f.help)).collect()
}

/// The plan without places.
fn meaning(plan: &Plan) -> Value {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(map) => {
                for key in ["line", "orphan_line", "unseen_line", "files"] {
                    map.remove(key);
                }
                map.values_mut().for_each(strip);
            }
            Value::Array(all) => all.iter_mut().for_each(strip),
            _ => {}
        }
    }
    let mut value = serde_json::to_value(plan).expect("plans serialise");
    strip(&mut value);
    value
}

fn plan_of(files: &[&str]) -> Value {
    let checked = checked(files);
    assert!(checked.findings.is_empty(), "{}\n{}", show(&checked.findings), files[0]);
    meaning(&checked.plan.expect("a spec without findings has a plan"))
}

fn codes(files: &[&str]) -> Vec<&'static str> {
    checked(files).findings.iter().map(|finding| finding.code.as_str()).collect()
}

/// The lines that a customer writes, and the rest of the spec as a profile.
fn halves() -> (String, String) {
    let at = WHOLE.find("owners {").expect("it stands there");
    let (head, items) = WHOLE.split_at(at);
    (format!("{}use \"1\"\n", head), format!("edition 2026\n\n{items}"))
}

/// The items of the profile as texts, `order` apart.
fn items(profile: &str) -> Vec<String> {
    let body = profile.split_once("\n\n").expect("it has items").1;
    let items = body.split("\n}\n").map(|item| format!("{}\n}}\n", item.trim_start()));
    items.filter(|item| !item.starts_with("order") && item.len() > 3).collect()
}

#[test]
fn a_profile_without_overrides_is_as_if_its_items_stood_in_the_spec() {
    let (head, profile) = halves();
    assert_eq!(plan_of(&[&head, &profile]), plan_of(&[WHOLE]));
    // By way of another profile too.
    let between = "edition 2026\nuse \"2\"\n";
    assert_eq!(plan_of(&[&head, between, &profile]), plan_of(&[WHOLE]));
    // Two ways to one profile bring it once.
    let both = format!("{head}use \"2\"\n");
    assert_eq!(
        plan_of(&[&both, "edition 2026\nuse \"3\"\n", "edition 2026\nuse \"3\"\n", &profile]),
        plan_of(&[WHOLE])
    );
}

#[test]
fn replacing_every_item_by_itself_changes_nothing() {
    let (head, profile) = halves();
    let replaced: String = items(&profile).iter().map(|item| format!("replace {item}\n")).collect();
    let spec = format!("{head}\n{replaced}");
    assert_eq!(items(&profile).len(), 10);
    assert_eq!(plan_of(&[&spec, &profile]), plan_of(&[WHOLE]));
    let (resolved, ..) = resolved(&[&spec, &profile]);
    assert!(resolved.layers.iter().all(|layer| layer.how == How::Replaced && layer.base.is_some()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn refining_by_the_same_lines_changes_nothing(item in 0usize..64, mask in any::<u32>()) {
        let (head, profile) = halves();
        let items: Vec<String> =
            items(&profile).into_iter().filter(|item| !item.starts_with("owners")).collect();
        let item = &items[item % items.len()];
        let mut lines: Vec<&str> = item.lines().collect();
        let (first, _) = (lines.remove(0), lines.pop());
        let kept: String = lines
            .iter()
            .enumerate()
            .filter(|(index, line)| mask >> (index % 32) & 1 == 1 && !line.trim().is_empty())
            .map(|(_, line)| format!("{line}\n"))
            .collect();
        let spec = format!("{head}\nrefine {first}\n{kept}}}\n");
        prop_assert_eq!(plan_of(&[&spec, &profile]), plan_of(&[WHOLE]), "{}", spec);
    }
}

#[test]
fn single_lines_are_refined() {
    let (head, profile) = halves();
    let spec = format!(
        "{head}
refine map company -> Account {{
  on existing overwrite
  name  <- TITLE
  drop COMMENTS declined \"not wanted\"
  custom \"Code\" text  <- UF_CRM_OLD_CODE
}}
refine table lead_source : enum(SOURCE) -> Lead.sources {{
  \"WEBFORM\"  => \"Form\"
  _ unseen   => unset
}}
refine pipeline sales : deal category 0 -> \"Sales\" {{
  \"LOSE\"  => lost \"No budget\"
}}
"
    );
    let checked = checked(&[&spec, &profile]);
    assert!(checked.findings.is_empty(), "{}", show(&checked.findings));
    let plan = checked.plan.expect("it has a plan");
    let company = &plan.maps[1];
    assert_eq!(company.on_existing, crate::lang::plan::OnExisting::Overwrite);
    let names: Vec<&str> = company.targets.iter().map(|target| target.name.as_str()).collect();
    assert_eq!(names, ["name", "phone", "industry", "owner", "Annual volume", "Region", "Code"]);
    assert!(company.rules[0].otherwise.is_empty());
    let dropped: Vec<&str> = company.dropped.iter().map(|field| field.field.as_str()).collect();
    assert_eq!(dropped, ["COMMENTS"]);
    let (resolved, text, _) = resolved(&[&spec, &profile]);
    let layer = resolved.layers.iter().find(|layer| layer.item == "map company").expect("it is there");
    assert_eq!(layer.how, How::Refined);
    let hows: Vec<(LineHow, &str)> =
        layer.lines.iter().map(|line| (line.how, line.what.split(' ').next().unwrap_or_default())).collect();
    assert!(hows.contains(&(LineHow::Removed, "description")), "{hows:?}");
    assert!(hows.contains(&(LineHow::Removed, "drop")), "{hows:?}");
    assert!(hows.contains(&(LineHow::Replaced, "name")), "{hows:?}");
    assert!(hows.contains(&(LineHow::Added, "on")), "{hows:?}");
    assert!(hows.contains(&(LineHow::Added, "custom")), "{hows:?}");
    assert!(hows.contains(&(LineHow::Profile, "phone")), "{hows:?}");
    // Lines of the plan lead to their files.
    let phone = company.rules.iter().find(|rule| company.targets[usize::from(rule.target)].name == "phone");
    assert_eq!(plan.place(phone.expect("it is there").line).0, "1");
    assert_eq!(plan.place(company.rules[0].line).0, "spec.b2n");
    let source = resolved.layers.iter().find(|layer| layer.item == "table lead_source").expect("it is there");
    assert_eq!(text.local(source.at).0.name(), "spec.b2n");
    let rows: Vec<LineHow> = source.lines.iter().map(|line| line.how).collect();
    assert_eq!(rows, [LineHow::Profile, LineHow::Replaced, LineHow::Profile, LineHow::Replaced]);
}

#[test]
fn who_overrides_whom_must_be_said() {
    let (head, profile) = halves();
    let is = |items: &str, wanted: &[&str]| {
        let spec = format!("{head}\n{items}\n");
        let found = codes(&[&spec, &profile]);
        assert_eq!(found, wanted, "{items}: {}", show(&checked(&[&spec, &profile]).findings));
    };
    let all = items(&profile);
    for item in &all {
        is(item, &["B2N-E0217"]);
    }
    is("replace map companies -> Account {\n  key ID\n}", &["B2N-E0217", "B2N-E0202"]);
    is("refine map companies -> Account {\n  key ID\n}", &["B2N-E0217"]);
    is("refine map company -> Contact {\n  key ID\n}", &["B2N-E0217"]);
    is("refine table markets : enum(SOURCE) -> Lead.market {\n}", &["B2N-E0217"]);
    is("refine pipeline sales : deal category 1 -> \"Sales\" {\n}", &["B2N-E0217"]);
    let spec = format!("{head}\nrefine map compani -> Account {{\n  key ID\n}}\n");
    let found = checked(&[&spec, &profile]).findings;
    assert_eq!(found[0].message, "no profile has `map compani`");
    assert!(found[0].help.as_ref().is_some_and(|help| help.contains("refine map company")), "{found:?}");
    // Without any profile.
    let alone = WHOLE.replace("map company", "replace map company");
    assert_eq!(codes(&[&alone]), ["B2N-E0217"]);
    // The offered words settle it.
    let spec = format!("{head}\n{}", all[6]);
    let found = checked(&[&spec, &profile]).findings;
    let edit = &found[0].fix.as_ref().expect("a fix").edits[0];
    let mut fixed = spec.clone();
    fixed.replace_range(edit.span.range(), &edit.text);
    assert_eq!(plan_of(&[&fixed, &profile]), plan_of(&[WHOLE]));
}

#[test]
fn two_profiles_with_one_item_contradict_each_other() {
    let (head, profile) = halves();
    let other = "edition 2026\n\nmap contact -> Contact {\n  key ID\n}\n";
    let both = format!("{head}use \"2\"\n");
    assert_eq!(codes(&[&both, &profile, other]), ["B2N-E0217"]);
    let contact = items(&profile).into_iter().find(|item| item.starts_with("map contact")).expect("there");
    let settled = format!("{both}\nreplace {contact}");
    assert_eq!(plan_of(&[&settled, &profile, other]), plan_of(&[WHOLE]));
}

#[test]
fn a_profile_holds_nothing_of_one_customer() {
    let (head, profile) = halves();
    let with = |item: &str| format!("{profile}\n{item}\n");
    for item in [
        "zone \"Europe/Berlin\"",
        "source bitrix24 \"schema/bitrix24.yaml\"",
        "budget {\n  quarantine <= 1%\n}",
        "accept B2N-W104 on deal until 2027-01-31 because \"x\" by \"y\"",
    ] {
        assert_eq!(codes(&[&head, &with(item)]), ["B2N-E0112"], "{item}");
    }
}

#[test]
fn a_split_takes_its_source_over() {
    let (head, profile) = halves();
    let profile = profile.replace(
        "order {",
        "map activity -> Activity {\n  key ID\n  name   <- SUBJECT  else \"?\"\n  leads  <- refs deal(BINDINGS)  on unmigrated flag \"left out\"\n  drop COMPLETED, CREATED, RESPONSIBLE_ID, TYPE_ID declined \"no place\"\n}\n\norder {\n  deal before activity\n",
    );
    let calls = "map activity -> Activity as calls {\n  key ID\n  name  <- SUBJECT  else \"?\"\n  drop BINDINGS, COMPLETED, CREATED, RESPONSIBLE_ID declined \"no place\"\n}\nsplit activity by TYPE_ID {\n  \"1\"  => skip \"no meetings\"\n  \"2\"  => calls\n  _ unseen  => quarantine\n}\n";
    let spec = format!("{head}\n{calls}");
    let checked = checked(&[&spec, &profile]);
    assert!(checked.findings.is_empty(), "{}", show(&checked.findings));
    let maps: Vec<String> = checked.plan.expect("a plan").maps.into_iter().map(|map| map.name).collect();
    assert_eq!(maps, ["deal", "company", "contact", "calls"]);
    let (resolved, ..) = resolved(&[&spec, &profile]);
    let activity = resolved.layers.iter().find(|layer| layer.item == "map activity").expect("it is there");
    assert_eq!(activity.how, How::TakenOver);
}

/// A source without something.
fn source_without(change: impl Fn(&mut Schema)) -> Schema {
    let mut source = sample_schema::source();
    change(&mut source);
    source
}

#[test]
fn what_a_portal_lacks_counts_no_more() {
    let (head, profile) = halves();
    let target = sample_schema::target();
    // A field that only a profile names.
    let source = source_without(|source| {
        for object in &mut source.objects {
            object
                .fields
                .retain(|field| !["COMMENTS", "UF_CRM_OLD_CODE", "POST"].contains(&field.name.as_str()));
        }
    });
    let checked = checked_with(&[&head, &profile], &source, &target);
    assert!(checked.findings.is_empty(), "{}", show(&checked.findings));
    let whys: Vec<&str> = checked.inactive.iter().map(|gone| gone.why.as_str()).collect();
    assert!(whys.contains(&"`company` has no field `COMMENTS`"), "{whys:?}");
    assert!(whys.contains(&"`company` has no field `UF_CRM_OLD_CODE`"), "{whys:?}");
    // The same lines in the spec itself are wrong.
    let own = checked_with(&[WHOLE], &source, &target);
    assert!(own.findings.len() >= 3 && own.findings.iter().all(|f| f.code.as_str() == "B2N-E0201"));
    // A whole object.
    let source = source_without(|source| source.objects.retain(|object| object.name != "company"));
    let checked = checked_with(&[&head, &profile], &source, &target);
    let maps: Vec<String> = checked
        .inactive
        .iter()
        .filter(|gone| gone.what.starts_with("map"))
        .map(|gone| gone.why.clone())
        .collect();
    assert_eq!(maps, ["the source has no object `company`"]);
    assert!(
        !checked.findings.iter().any(|f| matches!(f.code.as_str(), "B2N-E0202" | "B2N-E0205")),
        "{}",
        show(&checked.findings)
    );
    // A value: the row is gone, and a value that only this customer has wants a row.
    let source = source_without(|source| {
        let choices = &mut source.domains.get_mut("CURRENCY").expect("there").choices;
        choices[1].code = "CHF".to_owned();
    });
    let checked = checked_with(&[&head, &profile], &source, &target);
    assert_eq!(checked.findings.iter().map(|f| f.code.as_str()).collect::<Vec<_>>(), ["B2N-E0302"]);
    let refined = format!(
        "{head}refine table markets : enum(CURRENCY) -> Lead.market {{\n  \"CHF\"  => \"Europe\"  merged because \"one market\"\n}}\n"
    );
    let checked = checked_with(&[&refined, &profile], &source, &target);
    assert!(checked.plan.is_some(), "{}", show(&checked.findings));
    // An optional destination field.
    let mut target = sample_schema::target();
    for object in &mut target.objects {
        object.fields.retain(|field| field.name != "industry");
    }
    let source = sample_schema::source();
    let checked = checked_with(&[&head, &profile], &source, &target);
    let found: Vec<&str> = checked.findings.iter().map(|f| f.code.as_str()).collect();
    assert_eq!(found, ["B2N-E0401"], "{}", show(&checked.findings));
}

#[test]
fn a_row_that_merges_with_a_profiles_row_gives_the_reason_for_both() {
    let (head, profile) = halves();
    let with = |row: &str| {
        let head = format!("{head}refine table markets : enum(CURRENCY) -> Lead.market {{\n  {row}\n}}\n");
        codes(&[&head, &profile.replace("  \"USD\"     => \"United States\"\n", "")])
    };
    // The profile's row for EUR cannot know that this customer's dollars become the same.
    assert_eq!(with("\"USD\"  => \"Europe\"  merged because \"one market\""), [""; 0]);
    assert_eq!(with("\"USD\"  => \"Europe\""), ["B2N-L203", "B2N-L203"]);
}

#[test]
fn a_glob_of_a_profile_leaves_what_the_spec_settles() {
    let (head, profile) = halves();
    let profile = profile
        .replace("  custom \"Region\"         text      <- UF_CRM_OLD_REGION\n", "")
        .replace("drop UF_CRM_OLD_CODE empty", "drop UF_CRM_OLD_* empty");
    assert_eq!(codes(&[&head, &profile]), ["B2N-E0403"]);
    let spec = format!(
        "{head}\nrefine map company -> Account {{\n  custom \"Region\" text <- UF_CRM_OLD_REGION\n}}\n"
    );
    assert!(
        checked(&[&spec, &profile]).findings.is_empty(),
        "{}",
        show(&checked(&[&spec, &profile]).findings)
    );
}

#[test]
fn findings_in_a_profile_stand_in_its_file() {
    let (head, profile) = halves();
    let (_, text, _) = resolved(&[&head, &profile.replace("TITLE.trim()", "TITEL.trim()")]);
    let found = checked(&[&head, &profile.replace("TITLE.trim()", "TITLE.strip()")]).findings;
    let finding = found.iter().find(|f| f.code.as_str() == "B2N-E0204").expect("it is told");
    let (file, at) = text.local(finding.label.as_ref().expect("it has a place").span);
    assert_eq!(file.name(), "1");
    assert!(at.start > 0);
}
