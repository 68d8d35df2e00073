//! What a failing test tells, over the example customers: notes, lines, folded records, arms with their lines.

use super::super::*;
use super::examples::{Customer, spec_of};

/// The messages of tests that stand below a customer's spec, with the place of every arm in the spec's own words.
fn told(name: &str, tests: &str) -> Vec<String> {
    let customer = Customer::with(name, &format!("{}\n{tests}", spec_of(name)));
    let found: Vec<String> = check(customer.input()).into_iter().map(|finding| finding.message).collect();
    assert!(found.is_empty(), "{found:?}");
    let own = |name: &str| tests.contains(&format!("\"{name}\"")) || tests.contains(name);
    let done = run(customer.input(), &|name| own(name.trim_start_matches("every row ")));
    assert!(!done.tests.is_empty(), "no test ran");
    let failures = done.tests.iter().flat_map(|test| &test.failures);
    failures
        .flat_map(|failure| {
            let diff = failure.diff.iter().map(ToString::to_string);
            std::iter::once(failure.message.clone()).chain(diff).chain(failure.notes.clone())
        })
        .map(|line| in_words(&customer, &line))
        .collect()
}

/// `acme.b2n:12` becomes what stands on that line.
fn in_words(customer: &Customer, text: &str) -> String {
    let mut out = text.to_owned();
    for file in &customer.plan.files {
        let mark = format!("{}:", file.name);
        while let Some(at) = out.find(&mark) {
            let digits: String = out[at + mark.len()..].chars().take_while(char::is_ascii_digit).collect();
            let line: u32 = digits.parse().expect("a line");
            let whole = customer.text.text().lines().nth((file.first_line + line - 2) as usize);
            let words = whole.unwrap_or_default().trim().split("  ").next().unwrap_or_default().to_owned();
            out.replace_range(at..at + mark.len() + digits.len(), &format!("‹{words}›"));
        }
    }
    out
}

const NONE: [&str; 0] = [];

#[test]
fn notes_are_records_of_their_own() {
    let given =
        "test \"note\" {\n  given deal { ID: 3, TITLE: \"Лифт\", COMMENTS: \"[B]Срочно[/B]\", ..default }\n";
    assert_eq!(
        told(
            "podyom",
            &format!(
                "{given}  expect Note {{ parent: ref deal(\"3\"), body: \"Comments\\n**Срочно**\" }}\n}}\n"
            )
        ),
        NONE
    );
    let wrong = told("podyom", &format!("{given}  expect Note {{ body: \"Comments\", .. }}\n}}\n"));
    assert_eq!(wrong[0], "no `Note` is like this");
    assert!(wrong[1].starts_with("`body`: expected \"Comments\", got \"Comments\\n"), "{wrong:?}");
    assert!(wrong[1].contains("‹note \"Comments\"›"), "{wrong:?}");
    let none = told("podyom", &format!("{given}  expect no Note\n}}\n"));
    assert_eq!(none[0], "a `Note` is written");
}

#[test]
fn folded_records_give_fields_and_notes() {
    let lift = |id: u32, rest: &str| {
        format!(
            "  given process 1036 {{ ID: {id}, TITLE: \"Лифт {id}\", UF_CRM_7_SERIAL: \"S{id}\", {rest}..default }}\n"
        )
    };
    let (a, b) = (lift(1, "PARENT_ID_4: ref company(\"7\"), "), lift(2, "PARENT_ID_4: \"7\", "));
    let company = "  given company { ID: 7, TITLE: \"Дом\", ..default }\n";
    assert_eq!(
        told(
            "podyom",
            &format!(
                "test \"lifts\" {{\n{company}{a}{b}  expect Account {{ Lifts: \"2\", .. }}\n  \
                 expect Note {{ parent: ref company(\"7\"), .. }}\n}}\n"
            )
        ),
        NONE
    );
    let own = "  given company { ID: 7, TITLE: \"Дом\", IS_MY_COMPANY: true, ..default }\n";
    let orphan = "  expect skip \"a lift without a building\"\n";
    assert_eq!(told("podyom", &format!("test \"orphan\" {{\n{own}{a}{orphan}}}\n")), NONE);
    let none = lift(3, "");
    assert_eq!(told("podyom", &format!("test \"nowhere\" {{\n{none}{orphan}}}\n")), NONE);
}

#[test]
fn lines_are_compared_column_by_column() {
    let given = "test \"lines\" {\n  given deal {\n    ID: 3,\n    CURRENCY_ID: \"RUB\",\n    rows: [{ PRODUCT_ID: ref product(\"5\"), QUANTITY: 2, PRICE: 10.5 }, { QUANTITY: 1 }],\n    ..default\n  }\n";
    let expect =
        |lines: &str| told("podyom", &format!("{given}  expect Lead {{ products: {lines}, .. }}\n}}\n"));
    assert_eq!(expect("[{ product: ref product(\"5\"), quantity: 2, price: 10.5 RUB }]"), NONE);
    assert_eq!(expect("[{ quantity: 2, .. }]"), NONE);
    let wrong = expect("[{ quantity: 3, .. }]");
    assert_eq!(wrong[1], "`products[0].quantity`: expected 3, got 2 (the rule's value, ‹quantity›)");
    let missing = expect("[{ product: ref product(\"5\"), quantity: 2 }]");
    assert!(missing[1].starts_with("`products[0].price`: expected absent, got 10.5 RUB"), "{missing:?}");
}

#[test]
fn an_arm_is_told_with_its_own_line() {
    let name = |given: &str| {
        told(
            "acme",
            &format!("test \"arm\" {{\n  given {given}\n  expect Contact {{ name: \"?\", .. }}\n}}\n"),
        )
    };
    assert_eq!(
        name("contact { ID: 1, EMAIL: [\"a@b.example\"], ..default }")[1],
        "`name`: expected \"?\", got \"a@b.example\" (its `else`, ‹else first(EMAIL)›)"
    );
    assert_eq!(
        name("contact { ID: 1, PHONE: [\"+1 415 555 0132\"], ..default }")[1],
        "`name`: expected \"?\", got \"+1 415 555 0132\" (its `else` number 2, ‹else first(PHONE)›)"
    );
    let failed = told(
        "acme",
        "test \"arm\" {\n  given company { ID: 7, TITLE: \"Дом\", WEB: [\"no address\"], ..default }\n  \
         expect Account { url: \"https://x.example\", .. }\n}\n",
    );
    assert_eq!(
        failed[1], "`url`: expected [\"https://x.example\"], got absent (its `on fail`, ‹url›)",
        "{failed:?}"
    );
    let lost = told(
        "acme",
        "test \"arm\" {\n  given company { ID: 7, TITLE: \"Дом\", IS_MY_COMPANY: true, ..default }\n  \
         given deal { ID: 3, COMPANY_ID: \"7\", ..default }\n  \
         expect Lead { accounts: ref company(\"7\"), .. }\n}\n",
    );
    assert_eq!(
        lost[1],
        "`accounts`: expected [ref company(\"7\")], got absent (the rule's value, ‹accounts›; its `on unmigrated`, \
         ‹accounts›)"
    );
}

#[test]
fn a_lost_link_takes_the_line_or_the_record_as_the_spec_says() {
    let parent = "test \"lost\" {\n  given company { ID: 7, TITLE: \"Дом\", IS_MY_COMPANY: true, ..default }\n  \
                  given comment { ID: 1, COMMENT: \"x\", ENTITY_TYPE: \"company\", ENTITY_ID: 7, ..default }\n";
    let told = told("podyom", &format!("{parent}  expect quarantine\n  expect no Note\n}}\n"));
    assert_eq!(told, NONE);
}

#[test]
fn a_lost_link_that_skips_leaves_the_record_out() {
    let spec = spec_of("acme");
    let rule = "ref company(COMPANY_ID)  on unmigrated flag \"company left out\"";
    assert!(spec.contains(rule));
    let skips = spec.replace(rule, "ref company(COMPANY_ID)  on unmigrated skip \"its company stays\"");
    let (mapping, _) = skips.split_once("# ── What must stay true").expect("the tests of the example");
    let test = "test \"lost\" {\n  given company { ID: 7, TITLE: \"Дом\", IS_MY_COMPANY: true, ..default }\n  \
                given deal { ID: 3, COMPANY_ID: \"7\", ..default }\n  \
                expect no Lead\n  expect skip \"its company stays\"\n}\n";
    let customer = Customer::with("acme", &format!("{mapping}{test}"));
    let done = run(customer.input(), &|_| true);
    assert!(done.tests[0].passes(), "{:?}", done.tests[0].failures);
}

#[test]
fn every_row_reaches_rules_of_flattens_labels_and_functions() {
    for rows in ["buildings", "refusals", "causes", "contracts", "phone_label", "market_of", "sources"] {
        assert_eq!(told("podyom", &format!("test every row {rows}\n")), NONE, "{rows}");
    }
    let dead = told("podyom", "test every row enquiries\n");
    assert_eq!(dead.len(), 1, "{dead:?}");
    assert!(
        dead[0]
            .starts_with("row \"CONVERTED\" of `enquiries`: no record with it gets here: `split lead` lists"),
        "{dead:?}"
    );
}

#[test]
fn a_row_that_only_a_flatten_reads_is_reached() {
    let spec = spec_of("podyom");
    let dropped = "  drop SOURCE_ID declined \"where a lift came from is known of its deal\"\n";
    assert!(spec.contains(dropped));
    let rule = "  custom \"Came by\"  text  <- came_by[SOURCE_ID]\n";
    let choices = Customer::new("podyom").source.domains["SOURCE"].choices.clone();
    let rows: Vec<String> =
        choices.iter().map(|choice| format!("  \"{0}\"  => \"by {0}\"\n", choice.code)).collect();
    let table = format!(
        "\ntable came_by : enum(SOURCE) -> text {{\n{}  _ unseen  => unset\n}}\ntest every row came_by\n",
        rows.concat()
    );
    let customer = Customer::with("podyom", &format!("{}{table}", spec.replace(dropped, rule)));
    let done = run(customer.input(), &|name| name == "every row came_by");
    assert_eq!(done.tests[0].checks, choices.len() + 1);
    assert!(done.tests[0].passes(), "{:?}", done.tests[0].failures);
    let covered = coverage(customer.input(), &customer.plan, &done.exercised);
    let rule = covered.parts.iter().find(|part| part.what == "process 1036.Came by").expect("the rule");
    assert!(rule.covered);
}

#[test]
fn coverage_counts_blocks_arms_links_and_orphans() {
    let customer = Customer::new("podyom");
    let of = |tests: &str| {
        let customer = Customer::with("podyom", &format!("{}\n{tests}", spec_of("podyom")));
        let done = run(customer.input(), &|name| name == "covers");
        assert!(done.tests.iter().all(Tested::passes), "{:?}", done.tests);
        let all = coverage(customer.input(), &customer.plan, &done.exercised).parts;
        all.into_iter().filter(|part| part.covered).map(|part| part.what).collect::<Vec<_>>()
    };
    let none = coverage(customer.input(), &customer.plan, &Exercised::default());
    assert_eq!(none.count(None).0, 0);
    let all: Vec<&str> = none.parts.iter().map(|part| part.what.as_str()).collect();
    let covered = of(
        "test \"covers\" {\n  given company { ID: 7, TITLE: \"Дом\", IS_MY_COMPANY: true, ..default }\n  \
                      given process 1036 { ID: 1, TITLE: \"Л\", PARENT_ID_4: \"7\", ..default }\n  \
                      given deal {\n    ID: 3,\n    TITLE: \"Л\",\n    COMPANY_ID: \"7\",\n    CURRENCY_ID: \"RUB\",\n    \
                      rows: [{ PRODUCT_ID: \"5\", QUANTITY: 2, PRICE: 1 }, { QUANTITY: 1 }],\n    ..default\n  }\n  \
                      given lead { ID: 9, TITLE: \"Л\", STATUS_ID: \"CONVERTED\", ..default }\n  \
                      expect Lead { .. }\n}\n",
    );
    for part in [
        "company where, left out",
        "process 1036 orphan",
        "deal.products",
        "deal.products.product",
        "deal.products.product else",
        "deal.products.price",
        "deal.accounts on unmigrated",
        "market_of \"RUB\"",
        "split lead row 1",
    ] {
        assert!(all.contains(&part), "{part} is not counted: {all:?}");
        assert!(covered.iter().any(|other| other == part), "{part} is not covered: {covered:?}");
    }
    for part in
        ["deal.products.product on unmigrated", "deal.products.price on fail", "deal.description else"]
    {
        assert!(all.contains(&part), "{part} is not counted: {all:?}");
        assert!(!covered.iter().any(|other| other == part), "{part} is covered: {covered:?}");
    }
}
