//! Functions, lines, links to several objects, holes, claims and stages, as specs write them.

use super::tests::{WHOLE, all, applied, changed, checked, codes_of, finding, only};
use crate::lang::finding::{Finding, registry as codes};
use crate::lang::plan::{Expr, Plan};
use crate::lang::types::{Base, Fidelity, Type};

/// The whole spec with more items.
fn with(items: &str) -> String {
    format!("{WHOLE}\n{items}\n")
}

/// The plan of a spec without findings.
fn plan_of(text: &str) -> Plan {
    let checked = checked(text);
    assert!(checked.findings.is_empty(), "{}\n{text}", all(text));
    checked.plan.expect("a spec without findings has a plan")
}

fn codes_in(text: &str) -> Vec<&'static str> {
    checked(text).findings.iter().map(|finding| finding.code.as_str()).collect()
}

fn the_only(text: &str) -> Finding {
    let mut findings = checked(text).findings;
    assert_eq!(findings.len(), 1, "{}\n{text}", all(text));
    findings.remove(0)
}

/// Products and estimates, whose lines are rows.
const ESTIMATES: &str = r#"
map product -> Product {
  key ID
  name   <- NAME
  price  <- money(PRICE, "EUR")
}
map quote -> Lead {
  key ID
  description  <- "{QUOTE_NUMBER} {TITLE}".cut(100)  else quarantine  narrowed because "a test"
  stage        <- pipeline by "0", "NEW"
  owner        <- user(ASSIGNED_BY_ID)
  products     <- each rows {
    product   <- ref product(PRODUCT_ID)            else skip "a free-text row"  on unmigrated skip "gone"
    quantity  <- QUANTITY
    price     <- money(PRICE, quote.CURRENCY_ID)    on fail quarantine
  }
  drop DEAL_ID, OPPORTUNITY declined "a test"
}
"#;

fn estimates() -> String {
    // Stages of estimates are of no interest here: deals carry them.
    with(ESTIMATES).replace("  stage        <- pipeline by \"0\", \"NEW\"\n", "")
}

/// The findings of [`ESTIMATES`] with one change, the missing stage apart.
fn of_estimates(from: &str, to: &str) -> Vec<Finding> {
    let text = estimates();
    assert_eq!(text.matches(from).count(), 1, "`{from}` stands once");
    let mut findings = checked(&text.replace(from, to)).findings;
    findings.retain(|finding| !finding.message.contains("writes no `stage`"));
    findings
}

#[test]
fn functions_are_typed_by_what_they_declare() {
    let function = "fn full(given: text?, family: text?) -> text? = join(\" \", [given, family])";
    let text = with(function).replace("join(\" \", [NAME, LAST_NAME])", "full(NAME, LAST_NAME)");
    let plan = plan_of(&text);
    assert_eq!(plan.functions.len(), 1);
    assert_eq!(plan.functions[0].params, 2);
    let call = plan.maps[2].rules.iter().find_map(|rule| match &rule.value {
        Expr::Apply { function, args } => Some((*function, args.len())),
        _ => None,
    });
    assert_eq!(call, Some((0, 2)));

    let mut wrong = Vec::new();
    for (function, call, code) in [
        ("fn full(given: text?) -> text? = given", "full(NAME, LAST_NAME)", "B2N-E0504"),
        ("fn full(given: text?, n: integer?) -> text? = given", "full(NAME, LAST_NAME)", "B2N-E0501"),
        ("fn full(given: text, family: text?) -> text? = given", "full(NAME, LAST_NAME)", "B2N-E0502"),
        ("fn full(given: text?, family: text?) -> text = given", "full(NAME, LAST_NAME)", "B2N-E0502"),
        ("fn full(given: text?, family: text?) -> date? = given", "full(NAME, LAST_NAME)", "B2N-E0501"),
        ("fn full(given: text?, family: text?) -> text? = givn", "full(NAME, LAST_NAME)", "B2N-E0201"),
        ("fn full(given: text?, family: txet?) -> text? = given", "full(NAME, LAST_NAME)", "B2N-E0214"),
        ("fn full(given: text?, given: text?) -> text? = given", "full(NAME, LAST_NAME)", "B2N-E0107"),
        ("fn join(given: text?, family: text?) -> text? = given", "trim(NAME)", "B2N-E0401 B2N-E0107"),
        (
            "fn full(given: text?, family: text?) -> text? = given.full(family)",
            "full(NAME, LAST_NAME)",
            "B2N-E0511",
        ),
        ("fn full(given: text?, family: text?) -> text? = given", "fulll(NAME, LAST_NAME)", "B2N-E0204"),
        (
            "fn full(given: text?, family: text?) -> text? = contact.NAME",
            "full(NAME, LAST_NAME)",
            "B2N-E0201",
        ),
        ("fn full(given: text?, family: text?) -> text? = given.cut(3)", "full(NAME, LAST_NAME)", "B2N-L201"),
        (
            "fn full(given: text?, family: text?) -> phone? = given.phone(\"US\")",
            "\"{full(NAME, LAST_NAME)}\"",
            "B2N-E0503",
        ),
        (
            "fn full(given: text?, family: text?) -> text? = ref company(given)",
            "full(NAME, LAST_NAME)",
            "B2N-E0507",
        ),
        ("fn full(given: text?, family: text?) -> text? = ???", "full(NAME, LAST_NAME)", "B2N-E0510"),
    ] {
        let text = with(function).replace("join(\" \", [NAME, LAST_NAME])", call);
        let found = codes_in(&text).join(" ");
        if found != code {
            wrong.push(format!("{function}: expected {code}\n{}", all(&text)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn functions_call_each_other_and_stand_after_what_they_call() {
    let text = with(
        "fn a(x: text?) -> text? = b(x).trim()\nfn b(x: text?) -> text? = c(x)\nfn c(x: text?) -> text? = x.trim()",
    )
    .replace("join(\" \", [NAME, LAST_NAME])", "join(\" \", [a(NAME), [LAST_NAME].each(b)])");
    let text = text.replace("[a(NAME), [LAST_NAME].each(b)]", "[a(NAME), b(LAST_NAME)]");
    let plan = plan_of(&text);
    assert_eq!(plan.functions.iter().map(|f| f.name.as_str()).collect::<Vec<_>>(), ["c", "b", "a"]);
    let each = changed("EMAIL.each(email)", "EMAIL.each(mail)");
    let each = format!("{each}\nfn mail(x: text) -> email = email(x)\n");
    let plan = plan_of(&each);
    assert!(plan.functions[0].name == "mail");

    let circle = with(
        "fn a(x: text?) -> text? = b(x)\nfn b(x: text?) -> text? = c(x)\nfn c(x: text?) -> text? = a(x)",
    )
    .replace("join(\" \", [NAME, LAST_NAME])", "join(\" \", [a(NAME), LAST_NAME])");
    let found = the_only(&circle);
    assert_eq!(found.code, codes::RECURSION);
    assert_eq!(found.message, "a function calls itself: a -> b -> c -> a");
}

#[test]
fn a_long_chain_of_functions_is_no_trouble() {
    let mut text = with("fn f0(x: text?) -> text? = x.trim()");
    for n in 1..3000 {
        text.push_str(&format!("fn f{n}(x: text?) -> text? = f{}(x)\n", n - 1));
    }
    let text = text.replace("join(\" \", [NAME, LAST_NAME])", "join(\" \", [f2999(NAME), LAST_NAME])");
    assert_eq!(plan_of(&text).functions.len(), 3000);
}

#[test]
fn lines_write_columns_from_rows() {
    let findings =
        of_estimates("  key ID\n  description  <- \"{QUOTE", "  key ID\n  description  <- \"{QUOTE");
    assert!(findings.is_empty(), "{findings:#?}");
    let mut wrong = Vec::new();
    for (from, to, code) in [
        ("skip \"gone\"", "flag \"gone\"", "B2N-E0402"),
        ("skip \"gone\"", "wait", "B2N-E0507"),
        ("QUANTITY\n", "QUANTTY\n", "B2N-E0401 B2N-E0201"),
        ("quantity  <- QUANTITY\n", "drop QUANTITY declined \"one each\"\n", ""),
        ("quantity  <- QUANTITY\n", "gap QUANTITY \"one each\"\n", ""),
        ("quantity  <- QUANTITY\n", "quantity  <- QUANTITY\n    drop QUANTITY declined \"x\"\n", "B2N-E0404"),
        ("quantity  <- QUANTITY\n", "", "B2N-E0401"),
        ("quantity  <- QUANTITY\n", "todo QUANTITY \"ask\"\n", "B2N-E0405"),
        ("quantity  <- QUANTITY\n", "quantity  <- QUANTITY\n    key PRICE\n", "B2N-E0112"),
        ("quantity  <- QUANTITY\n", "quantity  <- QUANTITY\n    quantity <- 1\n", "B2N-E0407"),
        (
            "quantity  <- QUANTITY\n",
            "quantity  <- PRICE.text()\n    drop QUANTITY declined \"x\"\n",
            "B2N-E0501",
        ),
        ("quantity  <- QUANTITY\n", "quanttity  <- QUANTITY\n", "B2N-E0201"),
        ("money(PRICE, quote.CURRENCY_ID)", "money(PRICE, CURRENCY_ID)", "B2N-E0201"),
        ("quote.CURRENCY_ID", "deal.CURRENCY_ID", "B2N-E0202"),
        // Nothing of this map is known to stay behind.
        ("else skip \"a free-text row\"  on unmigrated skip \"gone\"", "else skip \"a\"", ""),
        ("else skip \"a free-text row\"  on", "on", "B2N-E0502"),
        ("each rows {", "each TITLE {", "B2N-E0401 B2N-E0501"),
        ("products     <- each", "value     <- each", "B2N-E0603 B2N-E0501"),
        (
            "    on fail quarantine\n  }\n",
            "    on fail quarantine\n    custom \"A\" text <- \"x\"\n  }\n",
            "B2N-E0112",
        ),
        ("    on fail quarantine\n  }\n", "    on fail quarantine  in a second pass\n  }\n", "B2N-E0704"),
        (
            "  drop DEAL_ID, OPPORTUNITY",
            "  value <- money(OPPORTUNITY, \"EUR\")\n  market <- markets[CURRENCY_ID]\n  drop DEAL_ID",
            "B2N-E0608",
        ),
        (
            "  drop DEAL_ID, OPPORTUNITY",
            "  value <- money(OPPORTUNITY, \"EUR\")  when not has rows\n  market <- markets[CURRENCY_ID]\n  drop DEAL_ID",
            "",
        ),
    ] {
        let findings = of_estimates(from, to);
        let found: Vec<&str> = findings.iter().map(|finding| finding.code.as_str()).collect();
        if found.join(" ") != code {
            let told: Vec<String> = findings.iter().map(|f| format!("{} {}", f.code, f.message)).collect();
            wrong.push(format!("{to}: expected {code}\n{}", told.join("\n")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    let told = of_estimates("money(PRICE, quote.CURRENCY_ID)", "money(PRICE, CURRENCY_ID)");
    assert_eq!(told[0].help.as_deref(), Some("write `quote.CURRENCY_ID` for the record's own"));
}

/// Activities and comments, which link to records of several objects.
const ACTIVITIES: &str = r#"
map activity -> Activity {
  key ID
  name          <- SUBJECT                 else "Activity {ID}"
  startTime     <- CREATED
  leads         <- refs deal(BINDINGS)     on unmigrated flag "gone"
  participants  <- [refs contact|company(BINDINGS), user(RESPONSIBLE_ID)]  on unmigrated flag "gone"
  drop COMPLETED, TYPE_ID declined "a test"
}
map comment -> Note {
  key ID
  parent  <- ref deal|contact|company(ENTITY_TYPE, ENTITY_ID)  else quarantine  on unmigrated quarantine
  body    <- "{CREATED.date()}: {COMMENT.plain_text()}"  narrowed because "a test"
}
"#;

#[test]
fn links_lead_to_several_objects() {
    let plan = plan_of(&with(ACTIVITIES));
    let rule = |map: usize, name: &str| {
        let map = &plan.maps[map];
        let at = map.targets.iter().position(|target| target.name == name).expect("the target is there");
        map.rules.iter().find(|rule| usize::from(rule.target) == at).expect("the rule is there").value.clone()
    };
    assert!(matches!(rule(3, "leads"), Expr::Ref { any: true, object: None, .. }));
    let Expr::List(parts) = rule(3, "participants") else { panic!("a list") };
    assert!(matches!(&parts[0], Expr::Ref { maps, any: true, .. } if maps.len() == 2));
    assert!(matches!(&parts[1], Expr::Owner(_)));
    assert!(matches!(rule(4, "parent"), Expr::Ref { any: true, object: Some(_), .. }));

    let mut wrong = Vec::new();
    for (from, to, code) in [
        ("refs contact|company(BINDINGS)", "refs contact|deal(BINDINGS)", "B2N-E0501"),
        ("refs deal(BINDINGS)", "refs contact(BINDINGS)", "B2N-E0501"),
        ("refs deal(BINDINGS)", "ref deal(BINDINGS)", "B2N-E0501"),
        ("user(RESPONSIBLE_ID)", "RESPONSIBLE_ID", "B2N-E0501"),
        ("refs deal(BINDINGS)", "refs deal|deal(BINDINGS)", "B2N-W101"),
        ("(ENTITY_TYPE, ENTITY_ID)", "(ENTITY_TYPE, CREATED)", "B2N-E0401 B2N-E0702"),
        ("(ENTITY_TYPE, ENTITY_ID)", "(ENTITY_ID, ENTITY_TYPE)", "B2N-E0702"),
        ("deal|contact|company(ENTITY_TYPE", "deal|contact|activity(ENTITY_TYPE", "B2N-E0501"),
        ("else quarantine  on unmigrated quarantine", "on unmigrated quarantine", "B2N-E0502"),
    ] {
        let text = with(&ACTIVITIES.replace(from, to));
        let found = codes_in(&text).join(" ");
        if found != code {
            wrong.push(format!("{to}: expected {code}\n{}", all(&text)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn a_field_of_a_linked_record_has_the_type_of_that_field() {
    let rule = |rule: &str| changed("  custom \"Closed on\"", &format!("  {rule}\n  custom \"Closed on\""));
    let ok = |value: &str| {
        let text = rule(value);
        plan_of(&text)
    };
    let plan = ok(
        "custom \"Company\" text <- ref company(COMPANY_ID).name  else unset  on unmigrated flag \"gone\"",
    );
    let value = &plan.maps[0].rules.iter().find(|rule| rule.line == 66).expect("the rule is there").value;
    assert!(matches!(value, Expr::Ref { field: Some(places), .. } if places == &[0]), "{value:?}");
    let plan = ok(
        "custom \"Region\" text <- ref company(COMPANY_ID).`Region`  on unmigrated wait  in a second pass",
    );
    assert!(plan.maps[0].rules.iter().any(|rule| rule.second_pass));
    let told = |value: &str| only(&rule(value), codes::UNKNOWN_FIELD);
    let found = told("custom \"Company\" text <- ref company(COMPANY_ID).nam  on unmigrated wait");
    assert_eq!(found[0].help.as_deref(), Some("did this mean `name`?"));
    let text = rule("custom \"Company\" date <- ref company(COMPANY_ID).name  on unmigrated wait");
    assert_eq!(codes_in(&text), ["B2N-E0501"], "{}", all(&text));
}

#[test]
fn holes_are_answered_with_what_fits() {
    let found = finding("<- TITLE.trim()              else \"Company {ID}\"", "<- ???");
    assert_eq!(found.code, codes::HOLE);
    assert_eq!(found.message, "`name` waits for a value of type `text`");
    let help = found.help.unwrap_or_default();
    assert!(help.starts_with("these fit:\nTITLE  # text, 3 000 of 3 000 companies\n"), "{help}");
    assert!(help.contains("\nUF_CRM_OLD_REGION `Old region`  # text?, 7 of 3 000 companies"), "{help}");
    for (from, to, fits) in [
        ("<- user(ASSIGNED_BY_ID)\n  accounts", "<- ???\n  accounts", "user(ASSIGNED_BY_ID)"),
        ("<- markets[CURRENCY_ID]", "<- ???", "markets[CURRENCY_ID]"),
        ("<- CLOSEDATE    when", "<- ???    when", "CLOSEDATE"),
        ("<- CLOSEDATE.at(\"18:00\")", "<- ???", "CLOSEDATE.at(\"18:00\")"),
        ("<- EMAIL.each(email)", "<- ???", "EMAIL.each(email)"),
        ("<- refs contact(CONTACT_IDS)", "<- ???", "refs contact(CONTACT_IDS)"),
        ("else quarantine\n  email", "else ???\n  email", "NAME"),
    ] {
        let found = only(&changed(from, to), codes::HOLE);
        let help = found[0].help.clone().unwrap_or_default();
        let first = help.lines().nth(1).unwrap_or_default();
        assert!(first.starts_with(fits), "{to}: {help}");
    }
    assert!(checked(&changed("<- markets[CURRENCY_ID]", "<- ???")).plan.is_none());
}

#[test]
fn claims_in_numbers_are_held_against_the_statistics() {
    let mut source = super::sample_schema::source();
    let deal = source.objects.iter_mut().find(|object| object.name == "deal").expect("deals are there");
    let title = deal.fields.iter_mut().find(|field| field.name == "TITLE").expect("titles are there");
    let stats = title.stats.as_mut().expect("they are counted");
    stats.longest = Some(87);
    let check = |reason: &str| {
        let text = changed("100 characters are kept", reason);
        super::tests::check_with(&text, &source, &super::sample_schema::target())
    };
    let proven = check("0 of 48 210 have more than 100 characters");
    assert!(proven.findings.is_empty(), "{:#?}", proven.findings);
    let rule = proven.plan.expect("a plan").maps[0].rules[0].clone();
    assert_eq!(rule.fidelity, Fidelity::Exact);
    for reason in [
        "0 of 1 200 have more than 100 characters",
        "3 of 48 210 have more than 100 characters",
        "0 of 48 210 have more than 80 characters",
    ] {
        let codes: Vec<_> = check(reason).findings.iter().map(|finding| finding.code).collect();
        assert_eq!(codes, [codes::CLAIM_CONTRADICTED], "{reason}");
    }
    // A reason that claims nothing stays what it is.
    let plain = check("a note has the rest");
    assert_eq!(plain.plan.expect("a plan").maps[0].rules[0].fidelity, Fidelity::Narrowed);
    // Without a reason the statistics give one.
    let text = changed("  narrowed because \"100 characters are kept\"", "");
    let found = super::tests::check_with(&text, &source, &super::sample_schema::target()).findings;
    assert_eq!(found.len(), 1);
    let fix = found[0].fix.as_ref().expect("it has a fix");
    assert_eq!(fix.edits[0].text, "  narrowed because \"0 of 48 210 have more than 100 characters\"");
}

#[test]
fn derived_fields_arrive_by_way_of_what_they_are_derived_from() {
    let drop = |line: &str| codes_of("  drop UF_CRM_OLD_CODE empty", &format!("  {line}"));
    assert_eq!(drop("drop UF_CRM_OLD_CODE derived from COMMENTS"), [""; 0]);
    assert_eq!(drop("drop UF_CRM_OLD_CODE derived from UF_CRM_OLD_CODE"), ["B2N-E0412"]);
    let text = changed("  custom \"Region\"         text      <- UF_CRM_OLD_REGION\n", "").replace(
        "  drop UF_CRM_OLD_CODE empty",
        "  drop UF_CRM_OLD_CODE derived from UF_CRM_OLD_REGION\n  drop UF_CRM_OLD_REGION derived from COMMENTS",
    );
    assert_eq!(codes_in(&text), [""; 0], "{}", all(&text));
    let lost = text.replace("derived from COMMENTS", "declined \"not wanted\"");
    assert_eq!(codes_in(&lost), ["B2N-E0412"], "{}", all(&lost));
    let more = changed("  custom \"Region\"         text      <- UF_CRM_OLD_REGION\n", "").replace(
        "  drop UF_CRM_OLD_CODE empty",
        "  drop UF_CRM_OLD_CODE empty\n  drop UF_CRM_OLD_REGION derived from UF_CRM_OLD_CODE",
    );
    assert_eq!(codes_in(&more), ["B2N-E0412", "B2N-L205"], "{}", all(&more));
    assert_eq!(drop("drop UF_CRM_OLD_CODE declined \"0 of 3 000 have a value\""), [""; 0]);
    assert_eq!(drop("drop UF_CRM_OLD_CODE declined \"2 of 3 000 have a value\""), ["B2N-L205"]);
}

#[test]
fn stages_keep_their_order_and_their_ends() {
    let swapped = changed("stage \"Qualify\"", "stage \"On hold\"").replace(
        "\"UC_7F3K\" `На паузе`        => stage \"On hold\"",
        "\"UC_7F3K\" `На паузе`        => stage \"Qualify\"",
    );
    let found = checked(&swapped).findings;
    assert_eq!(found.iter().map(|f| f.code).collect::<Vec<_>>(), [codes::STAGE_ORDER, codes::STAGE_ORDER]);
    for (from, to) in [
        (
            "\"WON\" `Успех`               => won \"Signed\"",
            "\"WON\" `Успех`               => cancelled \"Duplicate\"",
        ),
        ("=> lost \"No budget\"", "=> stage \"On hold\"  merged because \"a test\""),
        (
            "`Новая`               => stage \"Qualify\"",
            "`Новая`               => won \"Signed\"  merged because \"a test\"",
        ),
    ] {
        let found = only(&changed(from, to), codes::STAGE_KIND);
        assert_eq!(found.len(), 1, "{to}");
    }
}

#[test]
fn a_line_that_cannot_be_read_is_one_finding() {
    let mut wrong = Vec::new();
    for (from, to) in [
        ("  \"EUR\"     => \"Europe\"", "  \"EUR\"     \"Europe\""),
        ("  \"NEW\" `Заявка`  => stage", "  \"NEW\" `Заявка`  stage"),
        ("  owner     <- user(ASSIGNED_BY_ID)\n}\n\norder", "  owner     user(ASSIGNED_BY_ID)\n}\n\norder"),
        ("  name         <- TITLE.trim()", "  name         <- TITLE.trim("),
        ("else \"Company {ID}\"", "else \"Company {ID}"),
        ("  key ID\n  on existing keep", "  key\n  on existing keep"),
        ("  otherwise             =>", "  otherwise"),
    ] {
        let text = changed(from, to);
        let found: Vec<_> = checked(&text).findings.iter().map(|finding| finding.code.as_str()).collect();
        if found.len() != 1 || !found[0].starts_with("B2N-E01") {
            wrong.push(format!("{to}:\n{}", all(&text)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn whole_numbers_are_text_where_text_is_wanted() {
    let plan =
        plan_of(&changed("  custom \"Closed on\"", "  custom \"Number\" text <- ID\n  custom \"Closed on\""));
    let target = plan.maps[0].targets.iter().find(|target| target.name == "Number").expect("it is there");
    assert_eq!(target.ty, Type::maybe(Base::Text { max: None }));
}

#[test]
fn amounts_say_what_becomes_of_their_currency() {
    let text = changed("  narrowed because \"all amounts are in euro\"", "");
    let found = the_only(&text);
    assert_eq!((found.code, found.severity), (codes::CURRENCY_LOST, crate::lang::finding::Severity::Warning));
    assert_eq!(
        codes_of(
            "<- UF_CRM_1690000003 `Объём`  narrowed because \"all amounts are in euro\"",
            "<- 5 EUR\n  drop UF_CRM_1690000003 declined \"-\""
        ),
        [""; 0]
    );
}

#[test]
fn what_an_arm_loses_must_be_carried_elsewhere() {
    // E-mail addresses have a rule of their own, so that taking the first one loses nothing.
    assert_eq!(codes_of("else first(EMAIL)", "else first(EMAIL).cut(9)"), [""; 0]);
    let text = changed("labelled POST when IS_PRIMARY", "").replace("else first(EMAIL)", "else POST.cut(9)");
    let found = the_only(&text);
    assert_eq!(found.code, codes::LOSS_WITHOUT_REASON);
    assert_eq!(found.message, "this arm is `narrowed`, and nothing else carries `POST`");
    let reasoned =
        text.replace("else quarantine\n  email", "else quarantine  narrowed because \"a test\"\n  email");
    assert_eq!(codes_in(&reasoned), [""; 0], "{}", all(&reasoned));
    let elsewhere = text.replace("  owner     <- user", "  description <- POST\n  owner     <- user");
    assert_eq!(codes_in(&elsewhere), [""; 0], "{}", all(&elsewhere));
}

#[test]
fn a_field_that_bears_an_objects_name_is_told() {
    let mut source = super::sample_schema::source();
    let deal = source.objects.iter_mut().find(|object| object.name == "deal").expect("deals are there");
    let mut field = deal.fields[0].clone();
    field.name = "contact".to_owned();
    deal.fields.push(field);
    let checked = super::tests::check_with(WHOLE, &source, &super::sample_schema::target());
    assert!(checked.findings.iter().any(|finding| finding.message.contains("bears the name of an object")));
}

#[test]
fn a_summary_tells_what_is_kept() {
    let checked = checked(WHOLE);
    let wide = super::fidelity_text(&checked.fidelity, 200);
    assert_eq!(
        wide,
        "  deal -> Lead, 48 210 records: 8 exact, 1 reformatted, 1 narrowed (of 48 210), 1 merged (of 29 120), \
         2 fields dropped (of 6 to 11)\n  \
         company -> Account, 3 000 records: 3 exact, 2 reformatted, 2 narrowed (of 900 to 1 312), \
         1 field dropped (of 0)\n  \
         contact -> Contact, 15 000 records: 2 exact, 2 reformatted\n"
    );
    for width in [40, 60, 100] {
        let narrow = super::fidelity_text(&checked.fidelity, width);
        assert!(narrow.lines().all(|line| line.len() <= width), "{narrow}");
        assert!(narrow.lines().count() > 3, "{narrow}");
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(words(&narrow), words(&wide));
    }
}

#[test]
fn the_fixes_of_unused_items_settle_them() {
    for item in [
        "fn unused(x: text?) -> text? = x.trim()",
        "table unused : text -> text {\n  \"a\" => \"b\"\n  _ unseen => unset\n}",
    ] {
        let text = with(item);
        assert_eq!(the_only(&text).code, codes::UNUSED_ITEM);
        assert!(checked(&applied(&text)).findings.is_empty(), "{}", applied(&text));
    }
}
