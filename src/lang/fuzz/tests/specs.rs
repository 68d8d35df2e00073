//! Random whole specs: what checks loses no field, never fails by type, writes nothing that the destination refuses,
//! comes out alike in both interpreters, and means the same when it is formatted.

use super::plan;
use crate::lang::check::sample_schema;
use crate::lang::fuzz::{Dice, Fuzzer, unaccounted};
use crate::lang::schema::{Object, Schema};
use crate::lang::syntax;
use crate::lang::text::SourceText;

/// What begins every spec, and items that rules may use.
const HEAD: &str = r#"edition 2026
source bitrix24 "schema/bitrix24.yaml"
target nutshell "schema/nutshell.yaml"
zone "Europe/Moscow"
owners {
  match by email
  dismissed  => "ops@acme.example"  flag "owner has left"
  otherwise  => "ops@acme.example"  flag "owner not found"
}
fn both(a: text?, b: text?) -> text? = join(" ", [a, b])
fn short(a: text?) -> text(20)? = cut(trim(a), 20)
fn twice(a: text?, b: text?) -> text? = both(both(a, b), upper(b))
table markets : enum(CURRENCY) -> Lead.market {
  "USD"     => "United States"
  "EUR"     => "Europe"
  _ unseen  => unset
}
table industries : enum(INDUSTRY) -> Account.industry {
  "IT"       => "Technology"
  "BANKING"  => "Banking"
  _ unseen   => flag "a new industry"
}
table kinds : enum(PHONE_TYPE) -> text {
  "WORK"    => "work"
  "MOBILE"  => unset
  _ unseen  => "other"
}
table sources : enum(SOURCE) -> Lead.sources {
  "CALL"     => "Phone"
  "WEB"      => "Website"
  "WEBFORM"  => flag "a form"
  _ unseen   => quarantine
}
pipeline sales : deal category 0 -> "Sales" {
  "NEW"          => stage "Qualify"
  "PREPARATION"  => stage "Proposal"
  "UC_7F3K"      => stage "On hold"
  "WON"          => won "Signed"
  "LOSE"         => lost "No budget"
  _ unseen       => quarantine
}
pipeline service : deal category 1 -> "Service" {
  "NEW"     => stage "New request"
  "WON"     => won "Signed"
  _ unseen  => skip "a stage born later"
}
"#;

/// Lines of a body: of each group one is taken, or none where that is allowed.
struct Body {
    always: &'static [&'static [&'static str]],
    perhaps: &'static [&'static [&'static str]],
}

const COMPANY: Body = Body {
    always: &[
        &["key ID"],
        &[
            "name <- TITLE",
            "name <- TITLE.trim() else \"Company {ID}\"",
            "name <- both(TITLE, COMMENTS) else \"-\"",
            "name <- \"{TITLE.upper()} ({ID})\"",
            "name <- short(TITLE) else twice(COMMENTS, \"x\") else \"-\"",
        ],
        &["owner <- user(ASSIGNED_BY_ID)", "owner <- \"ops@acme.example\""],
    ],
    perhaps: &[
        &[
            "where has COMMENTS else skip \"nothing known\"",
            "where TITLE != \"0\" and not INDUSTRY == \"IT\"",
        ],
        &[
            "phone <- PHONE.each(phone(\"US\")) labelled kinds[VALUE_TYPE] on fail flag \"no phone\"",
            "phone <- PHONE.each(phone(\"US\")) on fail skip \"no phone\"",
        ],
        &["industry <- industries[INDUSTRY] else unset", "industry <- \"Other\" when has INDUSTRY"],
        &[
            "description <- COMMENTS.plain_text()",
            "description <- lines(TITLE, INDUSTRY, PHONE, UF_CRM_1690000003)",
            "description <- \"{COMMENTS}: {UF_CRM_1690000003}\" when COMMENTS.length() > 3 else COMMENTS",
        ],
        &["custom \"Volume\" currency <- UF_CRM_1690000003"],
        &["custom \"Size\" enum(\"big\", \"small\") <- \"big\" when has UF_CRM_1690000003 else \"small\""],
        &[
            "note \"Facts of {TITLE}\" <- COMMENTS when COMMENTS.length() > 3",
            "note \"Facts\" <- lines(COMMENTS, INDUSTRY)",
        ],
    ],
};

const EQUIPMENT: Body = Body {
    always: &[&["orphan => skip \"no company\"", "orphan => quarantine"]],
    perhaps: &[
        &["pick latest by CREATED_TIME", "pick earliest by CREATED_TIME"],
        &["where has TITLE else skip \"without a name\""],
        &[
            "custom \"Serial no\" text <- UF_CRM_5_SERIAL",
            "custom \"Serial no\" text <- both(UF_CRM_5_SERIAL, company.TITLE)",
        ],
        &[
            "custom \"Equipment count\" text <- \"{count()}\"",
            "custom \"Equipment count\" text <- \"{count(UF_CRM_5_SERIAL)}\"",
        ],
        &[
            "custom \"Equipment value\" currency <- sum(UF_CRM_5_PRICE) on fail flag \"several currencies\"",
            "custom \"Equipment value\" currency <- max(UF_CRM_5_PRICE) on fail unset",
        ],
        &["custom \"Last equipment\" date <- max(CREATED_TIME).date()"],
        &[
            "note \"Equipment {TITLE}\" <- lines(UF_CRM_5_SERIAL, UF_CRM_5_PRICE, CREATED_TIME) for each at most 2",
            "note \"Equipment of {company.TITLE}\" <- lines(TITLE, UF_CRM_5_SERIAL) for each",
            "note \"Equipment\" <- \"{count()} of it\"",
        ],
    ],
};

const CONTACT: Body = Body {
    always: &[
        &["key ID"],
        &[
            "name <- both(NAME, LAST_NAME) else \"Contact {ID}\"",
            "name <- person_name(NAME, LAST_NAME) else \"-\"",
            "name <- NAME else LAST_NAME else first(EMAIL) else \"-\"",
        ],
        &["owner <- user(ASSIGNED_BY_ID)"],
    ],
    perhaps: &[
        &[
            "email <- EMAIL.each(email) on fail flag \"no address\"",
            "email <- unique(EMAIL.each(email)) on fail unset",
        ],
        &[
            "accounts <- refs company(COMPANY_IDS) labelled POST when IS_PRIMARY on unmigrated flag \"gone\"",
            "accounts <- refs company(COMPANY_IDS) on unmigrated wait",
        ],
        &[
            "description <- \"{POST} {LAST_NAME}\"",
            "description <- ref company(first(COMPANY_IDS)).name on unmigrated unset summarised because \"a test\" in a second pass",
        ],
    ],
};

const DEAL: Body = Body {
    always: &[
        &["key ID"],
        &[
            "description <- TITLE.cut(100) else \"Deal {ID}\"",
            "description <- cut(\"Deal {ID} {TITLE}\", 100)",
            "description <- short(TITLE) else \"Deal {ID}\"",
        ],
        &["stage <- pipeline by CATEGORY_ID, STAGE_ID"],
        &["owner <- user(ASSIGNED_BY_ID)"],
        &["market <- markets[CURRENCY_ID] else unset"],
    ],
    perhaps: &[
        &["value <- money(OPPORTUNITY, CURRENCY_ID) when CLOSED on fail flag \"no currency\""],
        &["sources <- sources[SOURCE_ID]", "sources <- [sources[SOURCE_ID]]"],
        &["dueTime <- CLOSEDATE.at(\"18:00\") on fail unset"],
        &[
            "accounts <- ref company(COMPANY_ID) on unmigrated wait",
            "accounts <- ref company(COMPANY_ID) else unset on unmigrated flag \"gone\"",
        ],
        &["contacts <- refs contact(CONTACT_IDS) on unmigrated flag \"gone\""],
        &["custom \"Closed on\" date <- CLOSEDATE when CLOSED else 2026-01-31"],
        &["custom \"Reason\" text <- UF_CRM_1690000030 else twice(UF_CRM_1690000031, TITLE)"],
        &["note \"Full title\" <- TITLE when TITLE.length() > 100"],
        &[
            "products <- each rows {\n  product <- ref product(PRODUCT_ID) else skip \"free text\" on unmigrated skip \"gone\"\n  quantity <- QUANTITY\n  price <- money(PRICE, deal.CURRENCY_ID) on fail flag \"no currency\"\n}",
            "products <- each rows {\n  product <- ref product(PRODUCT_ID) else skip \"free text\" on unmigrated skip \"gone\"\n  drop PRICE, QUANTITY declined \"not wanted\"\n}",
        ],
    ],
};

const ESTIMATE: Body = Body {
    always: &[&["orphan => quarantine", "orphan => skip \"no deal\""]],
    perhaps: &[
        &["pick latest by OPPORTUNITY"],
        &["custom \"Estimates\" text <- \"{count()}\""],
        &["custom \"Estimate\" text <- QUOTE_NUMBER else TITLE"],
        &[
            "note \"Estimate {QUOTE_NUMBER}\" <- lines(TITLE, OPPORTUNITY, CURRENCY_ID, rows) for each at most 3",
        ],
    ],
};

const PRODUCT: Body = Body {
    always: &[&["key ID"], &["name <- NAME"]],
    perhaps: &[&["price <- money(PRICE, \"USD\")", "price <- 1500.00 USD when has PRICE"]],
};

/// What follows the fidelity of a rule.
const SECOND_PASS: &str = "in a second pass";

impl Body {
    /// A body with every field of the object in it, those that no line reads as dropped.
    fn write(&self, head: &str, object: &Object, dice: &mut Dice) -> String {
        let mut body = String::new();
        let mut line = |text: &str, dice: &mut Dice| {
            let text = if dice.one_in(25) { without_a_clause(text, dice) } else { text.to_owned() };
            body.push_str("  ");
            body.push_str(&text);
            // Too great a loss is a warning only, so that no rule is refused for its word.
            let rule = text.contains("<-") && !text.ends_with('}') && !text.ends_with(SECOND_PASS);
            body.push_str(if rule { "  summarised because \"a test\"\n" } else { "\n" });
        };
        for group in self.always {
            line(dice.pick(group).expect("a line"), dice);
        }
        for group in self.perhaps {
            if !dice.one_in(3) {
                line(dice.pick(group).expect("a line"), dice);
            }
        }
        let reads = |field: &str| {
            let boundary = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric() && c != '_');
            // The key of a flatten is the engine's.
            if head.starts_with("flatten") && (field == "ID" || head.ends_with(field)) {
                return true;
            }
            body.match_indices(field).any(|(at, _)| {
                boundary(body[..at].chars().next_back()) && boundary(body[at + field.len()..].chars().next())
            })
        };
        let gone: Vec<&str> =
            object.fields.iter().map(|field| field.name.as_str()).filter(|field| !reads(field)).collect();
        if !gone.is_empty() {
            body.push_str(&format!("  drop {} declined \"not in this test\"\n", gone.join(", ")));
        }
        body
    }
}

/// A line with one of its clauses gone: where that checks, nothing may depend on it.
fn without_a_clause(line: &str, dice: &mut Dice) -> String {
    const CLAUSES: [&str; 5] = [" when ", " labelled ", " else ", " on fail ", " on unmigrated "];
    let mut starts: Vec<usize> =
        CLAUSES.iter().flat_map(|word| line.match_indices(word)).map(|(at, _)| at).collect();
    starts.sort_unstable();
    if starts.is_empty() || line.contains('\n') {
        return line.to_owned();
    }
    let which = dice.below(starts.len());
    let end = starts.get(which + 1).copied().or_else(|| line.find(" summarised")).unwrap_or(line.len());
    format!("{}{}", &line[..starts[which]], &line[end..])
}

fn spec(source: &Schema, dice: &mut Dice) -> String {
    let object = |name: &str| source.object(name).expect("the sample has it");
    let mut text = HEAD.to_owned();
    let mut map = |head: &str, name: &str, body: &Body, dice: &mut Dice| {
        text.push_str(&format!("{head} {{\n{}}}\n", body.write(head, object(name), dice)));
    };
    map("map company -> Account", "company", &COMPANY, dice);
    map("map contact -> Contact", "contact", &CONTACT, dice);
    map("map product -> Product", "product", &PRODUCT, dice);
    let split = dice.one_in(2);
    if split {
        map("map deal -> Lead as sales_deals", "deal", &DEAL, dice);
        map("map deal -> Lead as service_deals", "deal", &DEAL, dice);
    } else {
        map("map deal -> Lead", "deal", &DEAL, dice);
    }
    if dice.one_in(2) {
        let head = "flatten process 1032 `Equipment` into company via PARENT_ID_4";
        map(head, "process 1032", &EQUIPMENT, dice);
    }
    if !split && dice.one_in(2) {
        map("flatten quote into deal via DEAL_ID", "quote", &ESTIMATE, dice);
    }
    if split {
        text.push_str(if dice.one_in(2) {
            "split deal by CATEGORY_ID {\n  \"0\" => sales_deals\n  \"1\" => service_deals\n  _ unseen => quarantine\n}\n"
        } else {
            "split deal {\n  when CLOSED and OPPORTUNITY == 0 => listed \"closed for nothing\"\n  when CATEGORY_ID == \"0\" => sales_deals\n  otherwise => sales_deals, service_deals\n}\n"
        });
    }
    text
}

/// The sample's source, with product rows on deals too.
fn source() -> Schema {
    let mut source = sample_schema::source();
    let rows =
        source.object("quote").and_then(|quote| quote.field("rows")).expect("quotes have rows").clone();
    let deal = source.objects.iter_mut().find(|object| object.name == "deal").expect("deals");
    deal.fields.push(rows);
    deal.fields.sort_by(|a, b| a.name.cmp(&b.name));
    source
}

/// The text with a comment, and here and there a blank line, above each of its lines.
fn remarked(text: &str, dice: &mut Dice) -> String {
    let mut out = String::new();
    for line in text.lines() {
        out.push_str(if dice.one_in(3) { "# a remark\n\n" } else { "# a remark\n" });
        out.push_str(line);
        out.push('\n');
    }
    out
}

#[test]
fn specs_that_check_keep_every_promise() {
    let (source, target) = (source(), sample_schema::target());
    let cases: u64 = std::env::var("B2N_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(60);
    let mut checked = 0;
    let mut refused = Vec::new();
    for seed in 0..cases {
        let mut dice = Dice::of(seed, 0);
        let text = spec(&source, &mut dice);
        let plan_ = match plan(&text, &source, &target) {
            Ok(plan) => plan,
            Err(told) => {
                refused.push(format!("seed {seed}: {told}"));
                continue;
            }
        };
        checked += 1;
        let lost = unaccounted(&plan_, &source);
        assert!(lost.is_empty(), "seed {seed}: the spec loses {lost:?}\n{text}");
        let formatted = syntax::format(&SourceText::new("sample.b2n", text.as_str()))
            .expect("what checks can be formatted");
        let again = plan(&formatted, &source, &target)
            .unwrap_or_else(|told| panic!("seed {seed}: formatted it does not check:\n{told}\n{formatted}"));
        assert_eq!(plan_.hash(), again.hash(), "seed {seed}\n{text}\n{formatted}");
        let remarked = remarked(&text, &mut dice);
        let again = plan(&remarked, &source, &target).unwrap_or_else(|told| {
            panic!("seed {seed}: with remarks it does not check:\n{told}\n{remarked}")
        });
        assert_eq!(plan_.hash(), again.hash(), "seed {seed}\n{text}\n{remarked}");
        let fuzzer = Fuzzer::new(&plan_, &source, &target, seed).expect("a checked plan compiles");
        for number in 0..40 {
            if let Some(broken) = fuzzer.case(number).first() {
                panic!("seed {seed}, case {number}: {broken:#?}\n{text}");
            }
        }
    }
    println!("seeds 0 to {cases}: {checked} specs checked and ran");
    println!("{}", refused.join("\n"));
    assert!(checked * 2 > cases, "{checked} of {cases} specs check:\n{}", refused.join("\n"));
}
