//! Items as people meet them: splits, flattens, notes, order, budgets, acceptances, open decisions.

use super::sample_schema;
use super::tests::{WHOLE, all, applied, changed, check_with, checked, only};
use crate::lang::finding::{Count, Severity, registry as codes};
use crate::lang::plan::{Arm, Plan, SplitHow, SplitTo};
use crate::lang::schema::Object;
use crate::lang::types::{Base, Fidelity};

/// The whole spec with more items.
fn with(items: &str) -> String {
    format!("{WHOLE}\n{items}")
}

fn plan_of(text: &str) -> Plan {
    let checked = checked(text);
    assert!(checked.findings.is_empty(), "{}", all(text));
    checked.plan.expect("a spec without findings has a plan")
}

/// The codes of all findings, in order.
fn found(text: &str) -> Vec<&'static str> {
    checked(text).findings.iter().map(|finding| finding.code.as_str()).collect()
}

fn message(text: &str) -> String {
    let findings = checked(text).findings;
    assert_eq!(findings.len(), 1, "{}", all(text));
    findings[0].message.clone()
}

const BY_VALUE: &str = "split deal by CATEGORY_ID {\n  \"0\" `Продажи`  => deal\n  \"1\"            => listed \"service is looked at by hand\"\n  _ unseen       => quarantine\n}\n";
const BY_CONDITION: &str = "split company {\n  when ID == 1      => skip \"our own\"\n  when has INDUSTRY  => company\n  otherwise          => company\n}\n";

#[test]
fn a_split_by_a_field_becomes_rows() {
    let plan = plan_of(&with(BY_VALUE));
    assert_eq!(plan.maps[0].split, Some(0));
    assert_eq!(plan.maps[1].split, None);
    let SplitHow::Value { slot, rows, unseen } = &plan.splits[0].how else { panic!("by value") };
    assert_eq!(plan.maps[0].reads[slot], "CATEGORY_ID");
    assert_eq!(rows["0"].to, SplitTo::Maps(vec![0]));
    assert_eq!(rows["1"].to, SplitTo::Listed("service is looked at by hand".to_owned()));
    assert_eq!(unseen.to, SplitTo::Arm(Arm::Quarantine));
}

#[test]
fn a_split_by_conditions_ends_in_a_row_for_all() {
    let plan = plan_of(&with(BY_CONDITION));
    let SplitHow::When(rows) = &plan.splits[0].how else { panic!("by conditions") };
    assert_eq!(rows.len(), 3);
    assert!(rows[2].when.is_none() && rows[1].when.is_some());
    assert_eq!(rows[0].to, SplitTo::Arm(Arm::Skip("our own".to_owned())));
}

#[test]
fn what_a_split_reads_counts_as_read() {
    let text = changed("  custom \"Region\"         text      <- UF_CRM_OLD_REGION\n", "");
    assert_eq!(found(&text), ["B2N-E0401"]);
    let text = format!(
        "{text}\nsplit company {{\n  when UF_CRM_OLD_REGION == \"x\"  => skip \"closed\"\n  otherwise  => company\n}}\n"
    );
    plan_of(&text);
}

#[test]
fn splits_that_do_not_close_are_told() {
    let one = |from: &str, to: &str, text: &str| {
        assert_eq!(text.matches(from).count(), 1, "{from}");
        with(&text.replace(from, to))
    };
    let text = one("  \"1\"            => listed \"service is looked at by hand\"\n", "", BY_VALUE);
    let missing = only(&text, codes::SPLIT_NOT_TOTAL);
    assert_eq!(missing[0].message, "`split deal` misses 1 of 2 values of `CATEGORY_ID`");
    assert_eq!(missing[0].count, Count::Exact { records: 8210 });
    assert_eq!(
        missing[0].label.as_ref().map(|label| label.text.as_str()),
        Some("\"1\" `Сервис` is not listed; 8 210 deals have it")
    );
    plan_of(&applied(&text));
    let text = one("  _ unseen       => quarantine\n", "", BY_VALUE);
    assert_eq!(found(&text), ["B2N-E0307"]);
    plan_of(&applied(&text));
    let text = one("  otherwise          => company\n", "", BY_CONDITION);
    assert_eq!(message(&text), "`split company` says nothing of records that no condition fits");
    plan_of(&applied(&text));
    let both = one("  \"1\"            =>", "  \"0\", \"1\"  =>", BY_VALUE);
    assert_eq!(found(&both), ["B2N-E0304"]);
}

#[test]
fn rows_of_the_other_kind_of_split_are_told() {
    let text = with(&BY_VALUE.replace("_ unseen ", "otherwise "));
    assert!(found(&text).contains(&"B2N-E0112"), "{}", all(&text));
    let text = with(&BY_CONDITION.replace("otherwise ", "_ unseen "));
    assert_eq!(found(&text), ["B2N-E0112"], "{}", all(&text));
    let text = with(&BY_CONDITION.replace("when has INDUSTRY", "otherwise"));
    assert_eq!(found(&text), ["B2N-W101"], "{}", all(&text));
    let text = with(&BY_CONDITION.replace("has INDUSTRY", "ID == 1"));
    assert_eq!(found(&text), ["B2N-W101"], "{}", all(&text));
    let text = with(&BY_VALUE.replace("by CATEGORY_ID", "by TITLE"));
    assert!(found(&text).contains(&"B2N-E0501"), "{}", all(&text));
}

#[test]
fn a_split_leads_to_maps_of_its_source() {
    let text = with(&BY_VALUE.replace("=> deal", "=> company"));
    assert_eq!(found(&text), ["B2N-E0308", "B2N-E0702"], "{}", all(&text));
    let text = with(&BY_VALUE.replace("=> deal", "=> deals"));
    // One slip is one finding: that no row leads to `deal` follows from it.
    assert_eq!(found(&text), ["B2N-E0205"], "{}", all(&text));
    let text = with(&BY_VALUE.replace("=> deal", "=> deal, deal"));
    assert_eq!(found(&text), ["B2N-W101"], "{}", all(&text));
    let text = with(&format!("{BY_VALUE}{BY_VALUE}"));
    assert!(found(&text).contains(&"B2N-E0107"), "{}", all(&text));
}

#[test]
fn maps_that_share_a_source_need_a_split() {
    let second = "map company -> Account as branch {\n  key ID\n  name   <- TITLE\n  owner  <- user(ASSIGNED_BY_ID)\n}\n";
    let text = with(second);
    assert_eq!(found(&text), ["B2N-E0308"], "{}", all(&text));
    assert_eq!(message(&text), "`company` goes to 2 maps, and no `split` tells which");
    let split = "split company {\n  when ID == 1  => branch\n  otherwise     => company, branch\n}\n";
    let plan = plan_of(&with(&format!("{second}{split}")));
    assert_eq!(plan.maps[1].split, plan.maps[3].split);
    let text = with(&format!(
        "{second}{}",
        split.replace("branch", "company").replace("company, company", "company")
    ));
    assert_eq!(message(&text), "`split company` never leads to map `branch`");
}

const FLATTEN: &str = r#"flatten process 1032 `Equipment` into company via PARENT_ID_4 {
  pick latest by CREATED_TIME
  where has TITLE
  custom "Serial no"  text  <- UF_CRM_5_SERIAL
  note "Equipment {TITLE}"  <- UF_CRM_5_SERIAL  for each at most 20  summarised because "no custom objects"
  gap UF_CRM_5_PRICE "prices have no place in Nutshell"
  orphan => skip "equipment without a company"
}
"#;

#[test]
fn a_flatten_writes_into_its_map() {
    let text = with(FLATTEN);
    let plan = plan_of(&text);
    let flatten = &plan.flattens[0];
    let company = &plan.maps[1];
    assert_eq!((flatten.source.as_str(), flatten.into), ("process 1032", 1));
    let target = &company.targets[usize::from(flatten.rules[0].target)];
    assert_eq!(target.name, "Serial no");
    assert_eq!(company.rules.iter().filter(|rule| rule.target == flatten.rules[0].target).count(), 0);
    assert_eq!(flatten.reads[&flatten.via], "PARENT_ID_4");
    assert_eq!(flatten.reads[&flatten.key], "ID");
    assert_eq!(flatten.reads[&flatten.pick.expect("it picks").by], "CREATED_TIME");
    let gap = &flatten.dropped[0];
    assert!(gap.gap && gap.field == "UF_CRM_5_PRICE" && gap.reason.starts_with("prices"));
    assert_eq!(flatten.orphan, Arm::Skip("equipment without a company".to_owned()));
    let note = &flatten.notes[0];
    assert_eq!((note.name.as_str(), note.for_each, note.at_most), ("Equipment {TITLE}", true, Some(20)));
    assert!(plan.provision.iter().any(|field| field.object == "Account" && field.label == "Serial no"));
}

#[test]
fn what_is_wrong_in_a_flatten_is_told() {
    let changed = |from: &str, to: &str| {
        assert_eq!(FLATTEN.matches(from).count(), 1, "{from}");
        with(&FLATTEN.replace(from, to))
    };
    let is = |from: &str, to: &str, codes: &[&str]| {
        let text = changed(from, to);
        let mut found = found(&text);
        found.sort_unstable();
        found.dedup();
        assert_eq!(found, codes, "{}", all(&text));
    };
    is("  orphan => skip \"equipment without a company\"\n", "", &["B2N-E0410"]);
    plan_of(&applied(&changed("  orphan => skip \"equipment without a company\"\n", "")));
    is("skip \"equipment without a company\"", "flag \"x\"", &["B2N-E0507"]);
    is("  gap UF_CRM_5_PRICE \"prices have no place in Nutshell\"\n", "", &["B2N-E0401"]);
    is("via PARENT_ID_4", "via TITLE", &["B2N-E0401", "B2N-E0702"]);
    is("into company", "into companies", &["B2N-E0205"]);
    is("into company", "into deal", &["B2N-E0702"]);
    is("`Equipment`", "`Equipments`", &["B2N-E0209"]);
    is("by CREATED_TIME", "by UF_CRM_5_PRICE", &["B2N-E0401", "B2N-E0404", "B2N-E0501"]);
    is("custom \"Serial no\"  text", "custom \"Region\"  text", &["B2N-E0407"]);
    is("summarised because \"no custom objects\"", "", &["B2N-L201"]);
    is("  pick latest", "  on existing fill\n  pick latest", &["B2N-E0112"]);
    is(
        "  pick latest by CREATED_TIME\n",
        "  pick latest by CREATED_TIME\n  pick latest by TITLE\n",
        &["B2N-E0107"],
    );
    is("gap UF_CRM_5_PRICE", "gap UF_CRM_5_PRICE, TITLE", &["B2N-E0404"]);
    is("at most 20", "at most 0", &["B2N-E0109"]);
    is("gap UF_CRM_5_PRICE", "gap UF_CRM_5_*", &["B2N-E0401", "B2N-E0409"]);
    let twice = with(&format!("{FLATTEN}{FLATTEN}"));
    assert!(found(&twice).contains(&"B2N-E0107"), "{}", all(&twice));
}

#[test]
fn notes_go_with_records_that_take_them() {
    let note = |line: &str| changed("  on existing keep\n", &format!("  on existing keep\n{line}\n"));
    let plan = plan_of(&note("  note \"Full title\"  <- TITLE  when TITLE.length() > 100"));
    let note_plan = &plan.maps[0].notes[0];
    assert_eq!(note_plan.name, "Full title");
    assert!(note_plan.rule.when.is_some() && !note_plan.for_each);
    let is = |line: &str, codes: &[&str]| {
        let text = note(line);
        assert_eq!(found(&text), codes, "{}", all(&text));
    };
    is("  note \"A\" <- TITLE\n  note \"A\" <- TITLE", &["B2N-E0107"]);
    is("  note \"A\" <- TITLE  for each at most 3", &["B2N-E0112"]);
    is("  note \"A\" <- CLOSEDATE", &["B2N-E0501"]);
    is("  note \"A\" <- TITLE.number(\"en\").text()", &["B2N-E0503"]);
    is("  pick latest by ID", &["B2N-E0112"]);
    is("  orphan => quarantine", &["B2N-E0112"]);
    let product =
        with("map product -> Product {\n  key ID\n  name <- NAME\n  note \"Price\" <- PRICE.text()\n}\n");
    assert_eq!(found(&product), ["B2N-E0609"], "{}", all(&product));
}

#[test]
fn a_gap_accounts_for_its_fields() {
    let text = changed(
        "drop UF_CRM_1690000030, UF_CRM_1690000031 declined \"kept in the archive\"",
        "drop UF_CRM_1690000030 declined \"kept in the archive\"\n  gap UF_CRM_1690000031 \"no place\"",
    );
    let dropped = &plan_of(&text).maps[0].dropped;
    assert_eq!(dropped.iter().map(|field| field.gap).collect::<Vec<_>>(), [false, true]);
    let twice = text.replace("gap UF_CRM_1690000031", "gap UF_CRM_1690000030, UF_CRM_1690000031");
    assert_eq!(found(&twice), ["B2N-E0107"], "{}", all(&twice));
}

#[test]
fn a_cycle_is_printed_with_its_lines() {
    let text = changed("  company before contact\n", "  contact before company\n");
    let found = only(&text, codes::ORDER_CONTRADICTION);
    assert!(
        found[0].notes.iter().any(|note| note.starts_with("`company` before `contact`: line ")),
        "{:?}",
        found[0].notes
    );
}

#[test]
fn records_of_one_map_link_to_each_other_in_a_second_pass() {
    let (mut source, mut target) = (sample_schema::source(), sample_schema::target());
    let link = |objects: &mut Vec<Object>, object: &str, like: &str, name: &str, base: Base| {
        let object = objects.iter_mut().find(|o| o.name == object).expect("it is there");
        let mut field = object.field(like).expect("it is there").clone();
        field.name = name.to_owned();
        field.ty.base = base;
        object.fields.push(field);
        object.fields.sort_by(|a, b| a.name.cmp(&b.name));
    };
    link(&mut source.objects, "contact", "COMPANY_IDS", "FRIENDS", Base::Link("contact".to_owned()));
    link(&mut target.objects, "Contact", "accounts", "friends", Base::Ref("Contact".to_owned()));
    let friends = |clause: &str| {
        let rule = format!(
            "  friends   <- refs contact(FRIENDS)  on unmigrated {clause}\n  owner     <- user(ASSIGNED_BY_ID)\n}}\n\norder"
        );
        changed("  owner     <- user(ASSIGNED_BY_ID)\n}\n\norder", &rule)
    };
    let checked = |text: &str| check_with(text, &source, &target);
    let found = checked(&friends("flag \"left out\"")).findings;
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].message, "records of `contact` link to each other, so none can be the first");
    let mut fixed = friends("flag \"left out\"");
    let edit = &found[0].fix.as_ref().expect("a fix").edits[0];
    fixed.replace_range(edit.span.range(), &edit.text);
    let settled = checked(&fixed);
    assert!(settled.findings.is_empty(), "{:?}", settled.findings);
    assert!(settled.plan.is_some());
    // A link that may be patched later is a wish, and its own map cannot stand before itself.
    assert!(checked(&friends("wait")).findings.is_empty());
}

#[test]
fn one_of_several_records_needs_a_reason_unless_a_note_has_them_all() {
    let plan = plan_of(&with(FLATTEN));
    let rule = &plan.flattens[0].rules[0];
    assert_eq!((rule.fidelity, rule.because.as_deref()), (Fidelity::Narrowed, Some("no custom objects")));
    let serial = "text  <- UF_CRM_5_SERIAL\n";
    let alone = FLATTEN
        .replace("note \"Equipment {TITLE}\"  <- UF_CRM_5_SERIAL", "note \"Equipment {TITLE}\"  <- TITLE");
    let text = with(&alone);
    assert_eq!(only(&text, codes::LOSS_WITHOUT_REASON).len(), 1, "{}", all(&text));
    assert!(message(&text).starts_with("this rule is `narrowed`"));
    assert_eq!(only(&text, codes::LOSS_WITHOUT_REASON)[0].severity, Severity::Warning);
    for said in ["narrowed because \"the newest is in use\"", "summarised because \"the newest is in use\""] {
        let text = with(&alone.replace(serial, &format!("text  <- UF_CRM_5_SERIAL  {said}\n")));
        let codes: &[&str] = if said.starts_with("narrowed") { &[] } else { &["B2N-W201"] };
        assert_eq!(found(&text), codes, "{}", all(&text));
    }
    // A note that does not always come carries nothing for sure.
    let at_times = FLATTEN
        .replace("<- UF_CRM_5_SERIAL  for each", "<- UF_CRM_5_SERIAL  when has UF_CRM_5_PRICE  for each");
    assert!(found(&with(&at_times)).contains(&"B2N-L201"));
    // Of one record there are no others.
    let mut source = sample_schema::source();
    for object in source.objects.iter_mut().filter(|object| object.name == "process 1032") {
        object.records = Some(1);
    }
    let checked = check_with(&text, &source, &sample_schema::target());
    assert!(!checked.findings.iter().any(|f| f.code == codes::LOSS_WITHOUT_REASON), "{:?}", checked.findings);
}

#[test]
fn labels_that_have_nowhere_to_go_want_a_reason() {
    let rule = |rule: &str| {
        let industry = "  industry     <- industries";
        changed(
            industry,
            &format!(
                "  custom \"Typed\"  text  <- {rule}
{industry}"
            ),
        )
    };
    // The rule that writes the numbers carries their kinds.
    assert_eq!(found(&rule("join(\", \", PHONE)")), [""; 0]);
    let unlabelled =
        |text: &str| text.replace("labelled kinds[VALUE_TYPE]", "").replace("table kinds", "table unused");
    let text = unlabelled(&rule("join(\", \", PHONE)"));
    let told = only(&text, codes::LOSS_WITHOUT_REASON);
    assert_eq!(told.len(), 1, "{}", all(&text));
    assert_eq!(told[0].severity, Severity::Warning);
    assert!(told[0].message.ends_with("what each of `PHONE` is labelled with"), "{}", told[0].message);
    let plan = checked(&text).plan.expect("a plan");
    let of = |label: &str| {
        let map = plan.maps.iter().find(|map| map.name == "company").expect("companies");
        let at = map.targets.iter().position(|target| target.name == label).expect("a target");
        map.rules.iter().find(|rule| usize::from(rule.target) == at).expect("a rule").fidelity
    };
    // What takes labels loses none by where the values go.
    assert_eq!((of("Typed"), of("phone")), (Fidelity::Narrowed, Fidelity::Reformatted));
    let reasoned = unlabelled(&rule("join(\", \", PHONE)  narrowed because \"all are the switchboard's\""));
    assert!(only(&reasoned, codes::LOSS_WITHOUT_REASON).is_empty(), "{}", all(&reasoned));
    assert!(only(&reasoned, codes::LOSS_OVERSTATED).is_empty(), "{}", all(&reasoned));
    // How many there are is no value of them.
    let counted = unlabelled(&rule("\"{count(PHONE)}\"  summarised because \"a test\""));
    assert!(only(&counted, codes::LOSS_WITHOUT_REASON).is_empty(), "{}", all(&counted));
}

#[test]
fn the_only_element_is_all_of_a_list() {
    let mut source = sample_schema::source();
    let company = source.objects.iter_mut().find(|object| object.name == "company").expect("companies");
    let at = company.slot("INDUSTRY").expect("a field");
    company.fields[at].ty.many = true;
    let text = changed("industries[INDUSTRY]", "industries[first(INDUSTRY)]");
    let wants = |source: &crate::lang::schema::Schema| {
        let checked = check_with(&text, source, &sample_schema::target());
        checked.findings.iter().filter(|f| f.code == codes::LOSS_WITHOUT_REASON).count()
    };
    // 1 000 values in 1 000 records.
    assert_eq!(wants(&source), 0);
    let mut more = source.clone();
    let company = more.objects.iter_mut().find(|object| object.name == "company").expect("companies");
    company.fields[at].stats.as_mut().expect("statistics").filled -= 1;
    assert_eq!(wants(&more), 1);
    let mut unknown = source;
    let company = unknown.objects.iter_mut().find(|object| object.name == "company").expect("companies");
    company.fields[at].stats = None;
    assert_eq!(wants(&unknown), 1);
}

#[test]
fn an_order_of_what_is_no_map_says_so() {
    let text = with(&format!("{FLATTEN}order {{\n  contact before company_x\n}}\n"));
    assert_eq!(found(&text), ["B2N-E0205"]);
}

#[test]
fn open_decisions_stand_in_the_plan() {
    let text = changed("  drop UF_CRM_OLD_CODE empty\n", "  todo UF_CRM_OLD_CODE \"ask\"\n");
    let asked = checked(&text);
    assert_eq!(asked.findings.iter().map(|f| f.code.as_str()).collect::<Vec<_>>(), ["B2N-E0405"]);
    let open = asked.plan.expect("there is a plan all the same").open;
    assert_eq!((open[0].kind.as_str(), open[0].what.as_str()), ("todo", "company.UF_CRM_OLD_CODE"));
    // By their own names, however they are called.
    let text = changed("  drop UF_CRM_OLD_CODE empty\n", "  todo UF_CRM_OLD_C* \"ask\"\n");
    let open = checked(&text).plan.expect("a plan").open;
    assert_eq!(open.iter().map(|open| open.what.as_str()).collect::<Vec<_>>(), ["company.UF_CRM_OLD_CODE"]);
    let text = changed("  sources      <- lead", "  proposed 0.62 sources      <- lead")
        .replace("  \"IT\"       => \"Technology\"", "  proposed 0.5 \"IT\"  => \"Technology\"");
    let proposed = checked(&text);
    assert!(proposed.findings.iter().all(|f| f.code == codes::PROPOSED && f.severity == Severity::Warning));
    let open: Vec<String> = proposed.plan.expect("a plan").open.into_iter().map(|open| open.what).collect();
    assert_eq!(open, ["industries.IT", "deal.sources"]);
    // Anything else that is wrong leaves no plan.
    let text = changed("  drop UF_CRM_OLD_CODE empty\n", "  todo UF_CRM_OLD_CODE \"ask\"\n")
        .replace("TITLE.trim", "TITEL.trim");
    assert!(checked(&text).plan.is_none());
}

#[test]
fn budgets_are_judged_or_handed_on() {
    let budget = |rows: &str| with(&format!("budget {{\n  {rows}\n}}\n"));
    let plan = plan_of(&budget(
        "quarantine  <= 0.5%\n  flag  <= 100 records\n  owners.otherwise  <= 5%\n  merged <= 1 tables",
    ));
    let limits: Vec<_> = plan.budget.iter().map(|limit| (limit.what.as_str(), limit.share)).collect();
    assert_eq!(limits, [("quarantine", true), ("flag", false), ("owners.otherwise", true)]);
    assert_eq!(plan.budget[0].at_most.to_string(), "0.005");
    let is = |row: &str, code: &str| {
        let text = budget(row);
        assert_eq!(found(&text), [code], "{}", all(&text));
    };
    is("merged <= 0 tables", "B2N-E0804");
    is("merged <= 0 rules", "B2N-E0804");
    is("narrowed <= 1 rules", "B2N-E0804");
    is("dropped <= 2 fields", "B2N-E0804");
    is("quarantined <= 1%", "B2N-E0808");
    is("quarantine <= 1 tables", "B2N-E0808");
    is("merged <= 1%", "B2N-E0808");
    is("flag <= 1%\n  flag <= 2%", "B2N-E0107");
    plan_of(&budget("dropped <= 3 fields\n  narrowed <= 3 rules\n  gap <= 0 fields\n  todo <= 0 fields"));
    assert_eq!(message(&budget("merged <= 0 tables")), "`merged` comes to 1 table, and the budget allows 0");
}

#[test]
fn acceptances_cover_what_they_name_for_a_time() {
    let lossy = changed("  narrowed because \"formatting is not kept\"\n", "\n");
    assert_eq!(found(&lossy), ["B2N-L201"]);
    let accept = |code: &str, place: &str, until: &str| {
        format!(
            "{lossy}\naccept {code} on {place} until {until} because \"agreed\" by \"ops@acme.example\"\n"
        )
    };
    for place in ["company.description", "company"] {
        let accepted = checked(&accept("B2N-L201", place, "2027-01-31"));
        assert!(accepted.findings.is_empty(), "{place}: {:?}", accepted.findings);
        assert!(accepted.plan.is_some());
        assert_eq!((accepted.accepted.len(), accepted.accepted[0].by.as_str()), (1, "ops@acme.example"));
    }
    let is = |text: String, codes: &[&str]| assert_eq!(found(&text), codes, "{}", all(&text));
    // The last day counts still.
    is(accept("B2N-L201", "company.description", "2026-11-21"), &[]);
    is(accept("B2N-L201", "company.description", "2026-11-20"), &["B2N-L201", "B2N-E0805"]);
    is(accept("B2N-L201", "company.name", "2027-01-31"), &["B2N-L201", "B2N-E0806"]);
    is(accept("B2N-L201", "company.nothing", "2027-01-31"), &["B2N-L201", "B2N-E0806"]);
    is(accept("B2N-L201", "deal", "2027-01-31"), &["B2N-L201", "B2N-E0806"]);
    is(accept("B2N-L202", "company", "2027-01-31"), &["B2N-L201", "B2N-E0806"]);
    is(accept("B2N-E0401", "company", "2027-01-31"), &["B2N-L201", "B2N-E0806"]);
    is(accept("B2N-L999", "company", "2027-01-31"), &["B2N-L201", "B2N-E0806"]);
    let budget = with(
        "budget {\n  merged  <= 0 tables\n}\naccept B2N-E0804 on budget.merged until 2027-01-31 because \"x\" by \"y\"\n",
    );
    is(budget, &[]);
}
