//! The checker as people meet it: specs in, findings and plans out.

use jiff::civil::date;

use super::profile::{Part, resolve};
use super::{Checked, Input, check, sample_schema};
use crate::lang::finding::{Count, Finding, Severity, registry as codes};
use crate::lang::plan::{Arm, Expr, OwnerHow, Plan};
use crate::lang::schema::Schema;
use crate::lang::syntax::parse;
use crate::lang::text::SourceText;
use crate::lang::types::{Base, Fidelity};

/// Checks a text against two schemas; the findings of parsing stand with the others.
pub(super) fn check_with(text: &str, source: &Schema, target: &Schema) -> Checked {
    let text = SourceText::new("test.b2n", text);
    let (spec, mut findings) = parse(&text);
    let broken = super::broken(&findings);
    let resolved = resolve(vec![Part { spec, uses: Vec::new() }], &text);
    findings.extend(resolved.findings);
    let mut checked = check(&Input {
        spec: &resolved.spec,
        text: &text,
        source: Some(source),
        target: Some(target),
        source_hash: "s",
        target_hash: "t",
        source_name: "schema/bitrix24.yaml",
        target_name: "schema/nutshell.yaml",
        today: date(2026, 11, 21),
        broken: &broken,
    });
    findings.append(&mut checked.findings);
    Checked { findings, ..checked }
}

pub(super) fn checked(text: &str) -> Checked {
    check_with(text, &sample_schema::source(), &sample_schema::target())
}

pub(super) fn all(text: &str) -> String {
    let lines: Vec<String> =
        checked(text).findings.iter().map(|f| format!("{} {}", f.code, f.message)).collect();
    lines.join("\n")
}

/// The findings of one code.
pub(super) fn only(text: &str, code: codes::Code) -> Vec<Finding> {
    checked(text).findings.into_iter().filter(|finding| finding.code == code).collect()
}

/// The first code block below a heading of a page, if it is one of b2n.
fn block<'p>(page: &'p str, heading: &str) -> Option<&'p str> {
    let (_, rest) = page.split_once(&format!("\n## {heading}\n"))?;
    let (block, _) = rest.split("\n## ").next()?.split_once("```b2n\n")?.1.split_once("\n```")?;
    Some(block)
}

#[test]
fn every_page_shows_its_finding_and_how_to_settle_it() {
    let mut wrong = Vec::new();
    // What is wrong with files is found before a text is checked, what is wrong with tests after it.
    let others = [
        codes::SNAPSHOT_MISSING,
        codes::PROFILE_UNREADABLE,
        codes::PROFILE_NOT_PINNED,
        codes::UNKNOWN_FIXTURE,
        codes::FIXTURE_VALUE,
        codes::FIXTURE_INCOMPLETE,
        codes::TEST_FAILS,
        codes::GOLDEN_UNREADABLE,
    ];
    for code in codes::ALL.iter().filter(|code| !others.contains(code)) {
        let (Some(bad), Some(good)) = (block(code.page(), "Bad"), block(code.page(), "Good")) else {
            assert!(code.page().contains("```text"), "{code}: no examples");
            continue;
        };
        if only(bad, *code).is_empty() {
            wrong.push(format!("{code}: the bad example gives\n{}\n", all(bad)));
        }
        if !only(good, *code).is_empty() {
            wrong.push(format!("{code}: the good example gives\n{}\n", all(good)));
        }
        assert!(code.page().contains("\n## What to do\n"), "{code}: nothing to do");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A whole spec that checks, for tests to change.
pub(super) const WHOLE: &str = r#"edition 2026
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

table kinds : enum(PHONE_TYPE) -> text {
  "WORK"    => "work"
  "MOBILE"  => "mobile"
  _ unseen  => unset
}

pipeline sales : deal category 0 `Продажи` -> "Sales" {
  "NEW" `Новая`               => stage "Qualify"
  "PREPARATION" `Подготовка`  => stage "Proposal"
  "UC_7F3K" `На паузе`        => stage "On hold"
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
  where ID > 0 else skip "no company"

  name         <- TITLE.trim()              else "Company {ID}"
  phone        <- PHONE.each(phone("US"))   labelled kinds[VALUE_TYPE]  on fail flag "not a phone number"
  industry     <- industries[INDUSTRY]      else unset
  owner        <- user(ASSIGNED_BY_ID)
  description  <- COMMENTS.plain_text()     narrowed because "formatting is not kept"

  custom "Annual volume"  currency  <- UF_CRM_1690000003 `Объём`  narrowed because "all amounts are in euro"
  custom "Region"         text      <- UF_CRM_OLD_REGION

  drop UF_CRM_OLD_CODE empty
}

map contact -> Contact {
  key ID
  where has EMAIL or has NAME

  name      <- join(" ", [NAME, LAST_NAME])  else first(EMAIL)  else quarantine
  email     <- EMAIL.each(email)             on fail flag "not an e-mail address"
  accounts  <- refs company(COMPANY_IDS)     labelled POST when IS_PRIMARY  on unmigrated flag "company left out"
  owner     <- user(ASSIGNED_BY_ID)
}

order {
  company before contact
}
"#;

pub(super) fn plan() -> Plan {
    let checked = checked(WHOLE);
    assert!(checked.findings.is_empty(), "{}", all(WHOLE));
    checked.plan.expect("a spec without findings has a plan")
}

/// A spec in which one thing is different.
pub(super) fn changed(from: &str, to: &str) -> String {
    assert_eq!(WHOLE.matches(from).count(), 1, "`{from}` stands once in the spec");
    WHOLE.replace(from, to)
}

/// All findings of the spec with one change, as codes.
pub(super) fn codes_of(from: &str, to: &str) -> Vec<&'static str> {
    checked(&changed(from, to)).findings.iter().map(|finding| finding.code.as_str()).collect()
}

/// The only finding of the spec with one change.
pub(super) fn finding(from: &str, to: &str) -> Finding {
    let text = changed(from, to);
    let mut findings = checked(&text).findings;
    assert_eq!(findings.len(), 1, "{}", all(&text));
    findings.remove(0)
}

#[test]
fn a_whole_spec_becomes_a_plan() {
    let plan = plan();
    assert_eq!(plan.source.connector, "bitrix24");
    assert_eq!(plan.target.account, "379104");
    assert_eq!(plan.zone.as_deref(), Some("Europe/Moscow"));
    // `deal` stands first, needs both others, and `order` puts companies before people, as the link does.
    assert_eq!(plan.phases, [vec![1], vec![2], vec![0]]);
    let deal = &plan.maps[0];
    assert_eq!(deal.line, 52);
    assert_eq!(deal.records, Some(48210));
    assert_eq!(deal.reads.len(), 12);
    assert_eq!(deal.dropped.len(), 2);
    assert_eq!(deal.targets[1].ty.base, Base::Stage);
    assert_eq!(plan.rule_id(0, 9), "deal.Closed on");
    let sources = deal.rules.iter().find(|rule| deal.targets[rule.target as usize].name == "sources");
    let sources = sources.expect("the rule is there");
    assert_eq!(sources.fidelity, Fidelity::Merged);
    assert_eq!(sources.because.as_deref(), Some("one web source is kept"));
    let company = &plan.maps[1];
    assert_eq!(company.match_existing, ["name"]);
    assert_eq!(company.filter.as_ref().map(|f| &f.otherwise), Some(&Arm::Skip("no company".to_owned())));
    let contact = &plan.maps[2];
    assert_eq!(
        contact.filter.as_ref().map(|f| &f.otherwise),
        Some(&Arm::Skip("where has EMAIL or has NAME".to_owned()))
    );
    let label = contact.rules[2].label.as_ref().expect("the label is there");
    assert_eq!(label.when, Some(Expr::Attribute(0)));
    let labels: Vec<&str> = plan.provision.iter().map(|field| field.label.as_str()).collect();
    assert_eq!(labels, ["Closed on", "Why lost", "Annual volume", "Region"]);
    assert_eq!(plan.provision[1].choices, ["A", "B"]);
    let requires: Vec<String> =
        plan.requires.iter().map(|r| format!("{}/{}/{}", r.kind, r.of, r.name)).collect();
    assert!(requires.contains(&"stage/Sales/On hold".to_owned()), "{requires:?}");
    assert!(requires.contains(&"outcome/Service/Signed".to_owned()), "{requires:?}");
    assert!(requires.contains(&"choice/Lead.market/Europe".to_owned()), "{requires:?}");
    assert!(requires.contains(&"user//102".to_owned()), "{requires:?}");
    assert!(requires.contains(&"open choice/Lead.sources/Website".to_owned()), "{requires:?}");
}

#[test]
fn owners_are_resolved_in_the_order_of_their_rows() {
    let owners = plan().owners;
    let owner = |id: &str| (owners.users[id].user.as_str(), owners.users[id].how);
    assert_eq!(owner("12"), ("101", OwnerHow::Named));
    assert_eq!(owner("1"), ("100", OwnerHow::Email));
    assert_eq!(owner("7"), ("102", OwnerHow::Dismissed));
    assert_eq!(owners.otherwise.user, "102");
    assert_eq!(owners.otherwise.flag.as_deref(), Some("owner not found"));
}

#[test]
fn plans_run() {
    let plan = plan();
    let json = serde_json::to_string(&plan).expect("plans serialise");
    assert_eq!(serde_json::from_str::<Plan>(&json).expect("plans are read back"), plan);
}

#[test]
fn a_missing_stage_is_told_as_the_language_page_shows_it() {
    let finding = finding("  \"UC_7F3K\" `На паузе`        => stage \"On hold\"\n", "");
    assert_eq!(finding.code, codes::PIPELINE_MISSES_STAGE);
    assert_eq!(finding.message, "pipeline `sales` misses 1 of 5 stages of deal category 0");
    let label = finding.label.expect("it has a place");
    assert_eq!(label.text, "\"UC_7F3K\" `На паузе` is not listed; 412 of 48 210 deals are in it");
    assert_eq!(finding.count, Count::Exact { records: 412 });
    assert_eq!(finding.notes, ["schema/bitrix24.yaml, taken 2026-11-19"]);
    assert_eq!(
        finding.help.as_deref(),
        Some(
            "add a row; stages of \"Sales\" that no row uses yet: \"On hold\"\n\
             \"UC_7F3K\" `На паузе`  => stage \"On hold\""
        )
    );
}

#[test]
fn the_offered_rows_settle_the_finding() {
    let text = changed("  \"UC_7F3K\" `На паузе`        => stage \"On hold\"\n", "");
    assert!(checked(&applied(&text)).findings.is_empty());
    let text = changed("  \"EUR\"     => \"Europe\"\n", "");
    let found = only(&text, codes::TABLE_MISSES_VALUE);
    assert_eq!(found[0].count, Count::Exact { records: 7210 });
    assert_eq!(
        found[0].label.as_ref().map(|label| label.text.as_str()),
        Some("\"EUR\" `Euro` is not listed; 7 210 of 48 210 deals have it")
    );
    assert!(checked(&applied(&text)).findings.is_empty(), "{}", all(&applied(&text)));
}

/// The text with the fix of its only finding applied.
pub(super) fn applied(text: &str) -> String {
    let findings = checked(text).findings;
    assert_eq!(findings.len(), 1, "{}", all(text));
    let fix = findings[0].fix.as_ref().expect("it has a fix");
    let mut fixed = text.to_owned();
    for edit in fix.edits.iter().rev() {
        fixed.replace_range(edit.span.range(), &edit.text);
    }
    fixed
}

#[test]
fn certain_fixes_settle_their_findings() {
    for (from, to) in [
        ("  drop UF_CRM_OLD_CODE empty\n", ""),
        ("  _ unseen  => unset\n}\n\npipeline sales", "}\n\npipeline sales"),
        ("else \"Company {ID}\"", "else \"Company {ID}\"  on fail quarantine"),
        (
            "owner        <- user(ASSIGNED_BY_ID)\n  description",
            "owner        <- user(ASSIGNED_BY_ID)  else quarantine\n  description",
        ),
        ("<- UF_CRM_OLD_REGION", "<- UF_CRM_OLD_REGION  narrowed because \"x\""),
        ("  key ID\n  on existing keep", "  on existing keep"),
        ("<- CLOSEDATE    when CLOSED", "<- CLOSEDATE    when CLOSED  on unmigrated wait"),
    ] {
        let text = changed(from, to);
        let findings = checked(&text).findings;
        assert_eq!(findings.len(), 1, "{to}:\n{}", all(&text));
        assert!(
            findings[0]
                .fix
                .as_ref()
                .is_some_and(|fix| fix.applicability == crate::lang::finding::Applicability::Safe),
            "{}: {:?}",
            findings[0].message,
            findings[0].fix
        );
        assert!(checked(&applied(&text)).findings.is_empty(), "{}", applied(&text));
    }
}

#[test]
fn one_slip_gives_one_finding() {
    let mut wrong = Vec::new();
    for (from, to, code) in [
        ("<- TITLE.trim()", "<- TITEL.trim()", "B2N-E0201"),
        ("map company -> Account", "map company -> Acount", "B2N-E0202"),
        ("<- markets[CURRENCY_ID]", "<- market[CURRENCY_ID]", "B2N-E0203"),
        ("TITLE.trim()", "TITLE.strip()", "B2N-E0204"),
        ("ref company(COMPANY_ID)", "ref companies(COMPANY_ID)", "B2N-E0205"),
        ("=> \"Europe\"", "=> \"Eurpe\"", "B2N-E0206"),
        ("STAGE_ID == \"LOSE\"", "STAGE_ID == \"LOST\"", "B2N-E0207"),
        ("=> lost \"No budget\"", "=> won \"No budget\"", "B2N-E0207"),
        ("-> \"Service\"", "-> \"Servis\"", "B2N-E0207"),
        ("category 1 `Сервис`", "category 2 `Сервис`", "B2N-E0207 B2N-E0306"),
        ("\"sveta@acme.example\"", "\"sweta@acme.example\"", "B2N-E0208"),
        ("\"svetlana@acme.example\"", "\"left@acme.example\"", "B2N-E0208"),
        ("`Объём`", "`Обьём`", "B2N-E0209"),
        (
            "drop UF_CRM_1690000030, UF_CRM_1690000031",
            "drop UF_CRM_1690000030, `Причина`",
            "B2N-E0401 B2N-E0210",
        ),
        ("\"Europe/Moscow\"", "\"Europe/Moskow\"", "B2N-E0213"),
        ("enum(PHONE_TYPE)", "enum(FON_TYPE)", "B2N-E0214"),
        ("  otherwise             => \"ops@acme.example\"  flag \"owner not found\"\n", "", "B2N-E0305"),
        ("  owner     <- user", "  # owner     <- user", "B2N-E0401 B2N-E0402"),
        ("else first(EMAIL)  else quarantine", "else first(EMAIL)", "B2N-E0502"),
        ("else first(EMAIL)  else quarantine", "else unset", "B2N-E0402"),
        ("else first(EMAIL)  else quarantine", "else quarantine  else unset", "B2N-W106"),
        ("TITLE.trim()              else", "TITLE.trim().cut(9)       else", "B2N-L201"),
        ("where ID > 0", "where ID == \"0\"", "B2N-E0501"),
        ("where has EMAIL or has NAME", "where has EMAIL or NAME", "B2N-E0505"),
        ("where has EMAIL or has NAME", "where has EMAIL else wait", "B2N-E0507"),
        ("CLOSEDATE.at(\"18:00\")", "CLOSEDATE", "B2N-E0501"),
        ("<- CLOSEDATE    when", "<- CLOSEDATE.at(\"9:00\")    when", "B2N-E0501"),
        ("labelled kinds[VALUE_TYPE]", "labelled VALUE_TYPE", "B2N-W103 B2N-E0501"),
        ("match existing by name", "match existing by url", "B2N-E0607"),
        ("match existing by name", "match existing by phone", "B2N-E0607"),
        ("custom \"Region\"         text", "custom \"Region\"         date", "B2N-E0605"),
        ("custom \"Region\"         text", "custom \"description\"    text", "B2N-E0407 B2N-E0605"),
        ("custom \"Closed on\"  date", "custom \"Closed on\"  bool", "B2N-E0604"),
        ("company before contact", "contact before company", "B2N-E0703"),
        ("on unmigrated flag \"company left out\"", "", "B2N-W109"),
        ("else unset  on unmigrated wait", "else unset  on unmigrated skip \"x\"", ""),
        (
            "else unset  on unmigrated wait",
            "else unset  on unmigrated skip \"x\"  in a second pass",
            "B2N-E0507",
        ),
        ("refs contact(CONTACT_IDS)", "refs contact(COMPANY_ID)", "B2N-E0401 B2N-E0702"),
        ("refs contact(CONTACT_IDS)", "ref contact(CONTACT_IDS)", "B2N-E0501"),
        ("  drop UF_CRM_OLD_CODE empty", "  drop UF_CRM_OLD_* empty", "B2N-E0403 B2N-E0404"),
        ("  drop UF_CRM_OLD_CODE empty", "  drop UF_CRM_OLD_CODE, UF_NO_* empty", "B2N-W101"),
        (
            "  drop UF_CRM_OLD_CODE empty",
            "  drop UF_CRM_OLD_CODE empty\n  drop UF_CRM_OLD_CODE empty",
            "B2N-E0107",
        ),
        ("zone \"Europe/Moscow\"", "", "B2N-E0506"),
        ("on existing keep", "on existing keep\n  on existing fill", "B2N-E0107"),
    ] {
        let found = codes_of(from, to).join(" ");
        if found != code {
            wrong.push(format!("{to}: expected {code}\n{}", all(&changed(from, to))));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn suggestions_look_at_codes_and_titles() {
    let help = |from, to, code| {
        let text = changed(from, to);
        only(&text, code)[0].help.clone().unwrap_or_default()
    };
    assert_eq!(help("<- TITLE.trim()", "<- TITEL.trim()", codes::UNKNOWN_FIELD), "did this mean `TITLE`?");
    assert_eq!(
        help("UF_CRM_1690000003 `Объём`", "`Обьём`", codes::UNKNOWN_FIELD),
        "did this mean `UF_CRM_1690000003` `Объём`?"
    );
    assert_eq!(help("TITLE.trim()", "TITLE.trimm()", codes::UNKNOWN_FUNCTION), "did this mean `trim`?");
    assert!(
        help("=> \"Europe\"", "=> \"Eurpe\"", codes::UNKNOWN_VALUE).starts_with("did this mean \"Europe\"?")
    );
}

#[test]
fn constants_must_be_values_of_the_destination() {
    let with = |rules: &str| {
        changed("  drop UF_CRM_OLD_CODE empty\n", &format!("  drop UF_CRM_OLD_CODE empty\n{rules}\n"))
    };
    let ok = |rules: &str| {
        let text = with(rules);
        assert!(checked(&text).findings.is_empty(), "{}", all(&text));
    };
    ok("  tags <- \"Migrated\"");
    ok("  tags <- [\"Migrated\", \"Partner\"]");
    ok("  tags <- UF_CRM_OLD_REGION");
    ok(
        "  custom \"Kind\" enum(\"A\", \"B\") <- kinds2[INDUSTRY]\n}\ntable kinds2 : enum(INDUSTRY) -> Account.`Kind` {\n  \"IT\" => \"A\"\n  \"BANKING\" => \"B\"\n  _ unseen => unset",
    );
    ok(
        "  custom \"Kind\" enum(\"A\", \"B\") <- kinds2[INDUSTRY]\n}\ntable kinds2 : enum(INDUSTRY) -> text {\n  \"IT\" => \"A\"\n  \"BANKING\" => \"B\"\n  _ unseen => unset",
    );
    let wrong = |rules: &str, code| {
        let text = with(rules);
        let found: Vec<_> = checked(&text).findings.iter().map(|finding| finding.code).collect();
        assert_eq!(found, [code], "{}", all(&text));
    };
    wrong("  custom \"Kind\" enum(\"A\", \"B\") <- \"C\"", codes::UNKNOWN_VALUE);
    wrong("  custom \"Kind\" enum(\"A\", \"B\") <- INDUSTRY", codes::TYPE_MISMATCH);
    wrong("  custom \"Kind\" enum(\"A\", \"B\") <- UF_CRM_OLD_REGION", codes::TYPE_MISMATCH);
    wrong("  custom \"Kind\" enum(\"A\") <- kinds[PHONE]", codes::TYPE_MISMATCH);
    wrong("  custom \"Kind\" text <- INDUSTRY", codes::TYPE_MISMATCH);
    wrong("  custom \"Kind\" text <- PHONE", codes::TYPE_MISMATCH);
    wrong(
        "  custom \"Kind\" enum(\"A\", \"B\") <- kinds2[INDUSTRY]\n}\ntable kinds2 : enum(INDUSTRY) -> text {\n  \"IT\" => \"A\"\n  \"BANKING\" => \"C\"\n  _ unseen => unset",
        codes::UNKNOWN_VALUE,
    );
}

#[test]
fn a_constant_owner_is_a_user_of_the_destination() {
    let text = changed(
        "  owner     <- user(ASSIGNED_BY_ID)\n}\n\norder",
        "  owner     <- \"ops@acme.example\"\n  drop ASSIGNED_BY_ID declined \"one owner for all people\"\n}\n\norder",
    );
    let checked = checked(&text);
    let plan = checked.plan.unwrap_or_else(|| panic!("{}", all(&text)));
    let rule = plan.maps[2].rules.last().expect("the rule is there");
    assert_eq!(rule.value, Expr::Const(crate::lang::value::Value::text("102")));
    assert_eq!(
        codes_of(
            "on fail flag \"not an e-mail address\"",
            "on fail quarantine\n  owner <- \"nobody@acme.example\""
        ),
        ["B2N-E0208", "B2N-E0407"]
    );
}

#[test]
fn a_title_alone_names_a_field() {
    assert!(checked(&changed("UF_CRM_1690000003 `Объём`", "`Объём`")).plan.is_some());
}

#[test]
fn a_plan_is_made_only_without_errors() {
    assert!(checked(&changed("TITLE.trim()", "TITLE.strip()")).plan.is_none());
    let warned = checked(&changed("else \"Company {ID}\"", "else \"Company {ID}\"  on fail quarantine"));
    assert!(warned.findings.iter().all(|finding| finding.severity == Severity::Warning));
    assert!(warned.plan.is_some());
    let later = checked(&changed("<- UF_CRM_OLD_REGION", "<- UF_CRM_OLD_REGION  in a second pass"));
    assert_eq!(later.findings.iter().map(|f| f.code).collect::<Vec<_>>(), [codes::NEEDLESS_HANDLING]);
    assert!(later.plan.is_some());
}

#[test]
fn without_schemas_only_what_needs_none_is_checked() {
    let text = SourceText::new("test.b2n", changed("\"Europe/Moscow\"", "\"Europe/Moskow\""));
    let (spec, _) = parse(&text);
    let checked = check(&Input {
        spec: &spec,
        text: &text,
        source: None,
        target: None,
        source_hash: "",
        target_hash: "",
        source_name: "",
        target_name: "",
        today: date(2026, 11, 21),
        broken: &[],
    });
    assert!(checked.plan.is_none());
    assert_eq!(checked.findings.iter().map(|f| f.code).collect::<Vec<_>>(), [codes::UNKNOWN_ZONE]);
}

#[test]
fn an_old_snapshot_is_a_warning() {
    let mut source = sample_schema::source();
    source.taken = Some(date(2026, 10, 1));
    let checked = check_with(WHOLE, &source, &sample_schema::target());
    assert_eq!(
        checked.findings.iter().map(|f| f.message.as_str()).collect::<Vec<_>>(),
        ["the snapshot `schema/bitrix24.yaml` is 51 days old"]
    );
    assert!(checked.plan.is_some());
}

#[test]
fn cycles_are_printed_and_broken_by_wait() {
    let cycle = |arm: &str| {
        changed("on unmigrated wait\n  contacts", &format!("on unmigrated {arm}\n  contacts"))
            .replace("company before contact", "deal before company")
    };
    let found = only(&cycle("quarantine"), codes::ORDER_CONTRADICTION);
    assert_eq!(found[0].message, "this order contradicts what a reference needs: deal -> company -> deal");
    // With `wait` the link from deals to companies is a wish, but the one by way of people is not.
    let found = only(&cycle("wait"), codes::ORDER_CONTRADICTION);
    assert_eq!(
        found[0].message,
        "this order contradicts what a reference needs: deal -> company -> contact -> deal"
    );
}

#[test]
fn findings_stand_in_the_order_of_the_file() {
    let text = WHOLE.replace("TITLE", "TITEL").replace("\"Europe\"", "\"Eurpe\"");
    let starts: Vec<_> =
        checked(&text).findings.iter().filter_map(|f| f.label.as_ref().map(|l| l.span.start)).collect();
    assert!(starts.len() > 2 && starts.is_sorted());
}

#[test]
fn messages_are_worded_alike() {
    let pages = codes::ALL.iter().filter_map(|code| block(code.page(), "Bad")).map(str::to_owned);
    for text in pages {
        for finding in checked(&text).findings {
            let message = &finding.message;
            assert!(!message.ends_with('.'), "{message}");
            assert!(!message.contains("you "), "{message}");
            assert!(message.starts_with(|c: char| !c.is_uppercase()), "{message}");
            assert!(finding.help.is_some(), "{}: no next step: {message}", finding.code);
        }
    }
}

/// The spec without one word or sign: never a panic, and never the same plan without a finding.
#[test]
fn every_lost_word_is_noticed() {
    let whole = plan();
    let mut words: Vec<(usize, usize)> = Vec::new();
    let mut start = None;
    for (at, c) in WHOLE.char_indices().chain([(WHOLE.len(), ' ')]) {
        let word = !c.is_whitespace();
        match (start, word) {
            (None, true) => start = Some(at),
            (Some(from), false) => {
                words.push((from, at));
                start = None;
            }
            _ => {}
        }
    }
    let mut silent = Vec::new();
    for (from, to) in &words {
        let text = format!("{}{}", &WHOLE[..*from], &WHOLE[*to..]);
        let checked = checked(&text);
        if let Some(plan) = checked.plan.filter(|_| checked.findings.is_empty()) {
            crate::lang::eval::Program::compile(&plan).expect("a checked plan compiles");
            if plan == whole {
                // A title may be left out, and stands for its code alone.
                let titled = WHOLE[*from..].starts_with('`') || WHOLE[*to..].trim_start().starts_with('`');
                if !titled {
                    silent.push(&WHOLE[*from..*to]);
                }
            }
        }
    }
    assert!(silent.is_empty(), "of {} words: {silent:?}", words.len());
}
