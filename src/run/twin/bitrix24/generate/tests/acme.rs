//! The default portal has every oddity that it promises, and its records agree with one another.

use super::*;

const SEEDS: [u64; 3] = [SEED, 0, u64::MAX];

/// True when some character is in one of the ranges.
fn script(text: &str, ranges: &[std::ops::RangeInclusive<u32>]) -> bool {
    text.chars().any(|c| ranges.iter().any(|range| range.contains(&u32::from(c))))
}

#[test]
fn every_flavour_occurs_at_scale_one() {
    for seed in SEEDS {
        let missing = missing_flavours(&Portal::acme(1.0, seed));
        assert!(missing.is_empty(), "seed {seed} misses {missing:?}");
    }
}

/// The promised oddities that a portal does not have.
fn missing_flavours(portal: &Portal) -> Vec<&'static str> {
    let (companies, contacts, deals) =
        (of(portal, Entity::Company), of(portal, Entity::Contact), of(portal, Entity::Deal));
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    let mut see = |what: &'static str, holds: bool| {
        if holds {
            seen.insert(what);
        }
    };

    for record in companies.values().chain(contacts.values()) {
        let name = format!("{}{}{}", text(record, "TITLE"), text(record, "NAME"), text(record, "LAST_NAME"));
        see("Cyrillic", script(&name, &[0x400..=0x4ff]));
        see("Latin", script(&name, &[0x41..=0x7a]));
        see("Chinese", script(&name, &[0x4e00..=0x9fff]));
        see("Hebrew", script(&name, &[0x590..=0x5ff]));
        see("Arabic", script(&name, &[0x600..=0x6ff]));
        see("emoji", script(&name, &[0x1f300..=0x1faff, 0x2600..=0x27bf]));
        let comment = text(record, "COMMENTS");
        see("BBCode", comment.contains("[B]"));
        see("HTML", comment.contains("<br>") || comment.contains("<p>"));
        let phones = values(record, "PHONE");
        see("Russian phone", phones.iter().any(|phone| phone.starts_with("8 (912) ")));
        see("US phone", phones.iter().any(|phone| phone.starts_with("+1 415 ")));
        see("no phone at all", phones.contains(&"нет"));
        see("extension", phones.iter().any(|phone| phone.contains("доб.") || phone.contains("ext.")));
        let digits = |phone: &&str| -> String { phone.chars().filter(char::is_ascii_digit).collect() };
        let numbers: BTreeSet<String> = phones.iter().map(digits).collect();
        see("phone twice", numbers.len() < phones.len());
        let emails = values(record, "EMAIL");
        see("bad e-mail", emails.iter().any(|email| email.contains("@@") || !email.contains('@')));
        see("mixed case", emails.iter().any(|email| *email != email.to_lowercase()));
    }

    for company in companies.values() {
        see("own company", text(company, "IS_MY_COMPANY") == "Y");
    }
    let mut titles: BTreeMap<&str, usize> = BTreeMap::new();
    for company in companies.values() {
        *titles.entry(text(company, "TITLE")).or_default() += 1;
    }
    see("same title", titles.values().any(|&count| count > 1));

    for (id, contact) in contacts {
        let links = portal.contact_companies.get(id).map_or(0, Vec::len);
        see("several companies with a post", links > 1 && !text(contact, "POST").is_empty());
        let has = |code: &str| contact.get(code).is_some_and(|value| !blank(value));
        let named = has("NAME") || has("LAST_NAME");
        see("phone only", has("PHONE") && !named && !has("EMAIL"));
        see("name only", has("NAME") && !has("LAST_NAME") && !has("PHONE") && !has("EMAIL") && links == 0);
        match contact.get("UF_CRM_1690000021") {
            Some(Value::Bool(true)) => see("VIP true", true),
            Some(Value::String(flag)) if flag == "1" => see("VIP \"1\"", true),
            Some(Value::String(flag)) if flag == "0" => see("VIP \"0\"", true),
            Some(flag) if flag == &json!(1) => see("VIP 1", true),
            Some(flag) if flag == &json!(0) => see("VIP 0", true),
            other => see("VIP odd", other.is_some()),
        }
    }

    let dismissed: BTreeSet<String> = portal
        .users
        .iter()
        .filter(|(_, user)| user["ACTIVE"] == false)
        .map(|(id, _)| id.to_string())
        .collect();
    let mut years = BTreeSet::new();
    for deal in deals.values() {
        see("title over 100", text(deal, "TITLE").chars().count() > 100);
        see("amount 0", text(deal, "OPPORTUNITY") == "0.00");
        see("sum by hand", text(deal, "IS_MANUAL_OPPORTUNITY") == "Y");
        see("sum by rows", text(deal, "IS_MANUAL_OPPORTUNITY") == "N");
        see("template", text(deal, "IS_RECURRING") == "Y");
        see("dismissed owner", dismissed.contains(text(deal, "ASSIGNED_BY_ID")));
        see("links", deal.get("UF_CRM_1690000033").is_some_and(Value::is_array));
        assert!(!text(deal, "OPPORTUNITY").starts_with('-'));
        assert!(text(deal, "DATE_CREATE").ends_with("+03:00"));
        years.insert(text(deal, "DATE_CREATE")[..4].to_owned());
        for currency in ["USD", "EUR", "RUB"] {
            see(currency, text(deal, "CURRENCY_ID") == currency);
        }
    }
    assert!(years.len() >= 9, "{years:?}");

    for record in companies.values().chain(contacts.values()).chain(deals.values()) {
        for (code, value) in record {
            see("null", value.is_null());
            see("\"\"", value == "");
            see("[]", value == &json!([]));
            see("false", value == &json!(false));
            see("\"0\" in a link", value == "0" && code == "COMPANY_ID");
        }
    }

    let all = [
        "Cyrillic",
        "Latin",
        "Chinese",
        "Hebrew",
        "Arabic",
        "emoji",
        "BBCode",
        "HTML",
        "Russian phone",
        "US phone",
        "no phone at all",
        "extension",
        "phone twice",
        "bad e-mail",
        "mixed case",
        "own company",
        "same title",
        "several companies with a post",
        "phone only",
        "name only",
        "VIP true",
        "VIP \"1\"",
        "VIP \"0\"",
        "VIP 1",
        "VIP 0",
        "title over 100",
        "amount 0",
        "sum by hand",
        "sum by rows",
        "template",
        "dismissed owner",
        "links",
        "USD",
        "EUR",
        "RUB",
        "null",
        "\"\"",
        "[]",
        "false",
        "\"0\" in a link",
    ];
    assert!(!seen.contains("VIP odd"));
    let own = companies.values().filter(|company| text(company, "IS_MY_COMPANY") == "Y");
    assert_eq!(own.count(), 1);
    all.into_iter().filter(|what| !seen.contains(what)).collect()
}

#[test]
fn people_and_custom_fields_are_the_promised_ones() {
    let portal = Portal::acme(1.0, SEED);
    let emails: Vec<_> = portal.users.values().map(|user| text(user, "EMAIL")).collect();
    assert!(
        emails.contains(&"admin@acme.example")
            && emails.contains(&"sveta@acme.example")
            && emails.contains(&"")
    );
    let contact = of(&portal, Entity::Company);
    for code in ["UF_CRM_OLD_CODE", "UF_CRM_OLD_REGION"] {
        assert!(contact.values().all(|record| record.get(code).is_none_or(blank)), "{code}");
    }
    let ids: Vec<_> = portal.userfields.values().flatten().map(|row| text(row, "ID")).collect();
    assert_eq!(ids.len(), 16);
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), 16);
    for (id, company) in contact {
        let Some(parent) = company.get("UF_CRM_1690000004").filter(|value| !blank(value)) else {
            continue;
        };
        let parent = parent.as_str().unwrap().trim_start_matches("CO_").parse::<i64>().unwrap();
        assert!(parent < *id && contact.contains_key(&parent), "company {id}: parent {parent}");
    }
}

/// How many of the links point to no record, and how many there are.
fn dangling(links: &BTreeMap<i64, Vec<Link>>, others: &BTreeMap<i64, Record>) -> (usize, usize) {
    let all: Vec<_> = links.values().flatten().collect();
    let gone = all.iter().filter(|link| !others.contains_key(&link.id)).count();
    (gone, all.len())
}

#[test]
fn records_agree_with_one_another() {
    for seed in SEEDS {
        println!("seed {seed}");
        agree(&Portal::acme(1.0, seed));
    }
}

fn agree(portal: &Portal) {
    let stages: BTreeMap<&str, (&str, Option<&str>)> = portal
        .statuses
        .iter()
        .filter(|row| text(row, "ENTITY_ID").starts_with("DEAL_STAGE"))
        .map(|row| (text(row, "STATUS_ID"), (text(row, "ENTITY_ID"), row["SEMANTICS"].as_str())))
        .collect();
    assert_eq!(stages.len(), 12);
    let mut used = BTreeSet::new();
    for (id, deal) in of(portal, Entity::Deal) {
        let stage = text(deal, "STAGE_ID");
        let (directory, semantics) = stages[stage];
        used.insert(stage);
        let category = if text(deal, "CATEGORY_ID") == "0" { "DEAL_STAGE" } else { "DEAL_STAGE_1" };
        assert_eq!(directory, category, "deal {id}");
        assert_eq!(text(deal, "STAGE_SEMANTIC_ID"), semantics.unwrap_or("P"), "deal {id}");
        assert_eq!(text(deal, "CLOSED") == "Y", semantics.is_some(), "deal {id}");
        let first = portal.deal_contacts.get(id).map(|links| links[0].id.to_string());
        let primary = deal.get("CONTACT_ID").and_then(Value::as_str).filter(|id| !["", "0"].contains(id));
        assert_eq!(first.as_deref(), primary, "deal {id}");
        assert_eq!(text(deal, "ID"), id.to_string());
    }
    assert_eq!(used.len(), 12, "{used:?}");
    for (id, contact) in of(portal, Entity::Contact) {
        let first = portal.contact_companies.get(id).map(|links| links[0].id.to_string());
        let primary = contact.get("COMPANY_ID").and_then(Value::as_str).filter(|id| !["", "0"].contains(id));
        assert_eq!(first.as_deref(), primary, "contact {id}");
        assert_eq!(text(contact, "HAS_PHONE") == "Y", !values(contact, "PHONE").is_empty(), "contact {id}");
        assert_eq!(text(contact, "HAS_EMAIL") == "Y", !values(contact, "EMAIL").is_empty(), "contact {id}");
        assert!(text(contact, "DATE_CREATE") <= text(contact, "DATE_MODIFY"), "contact {id}");
    }
    for links in portal.contact_companies.values().chain(portal.deal_contacts.values()) {
        assert_eq!(links.iter().filter(|link| link.primary).count(), 1);
        assert_eq!(links.iter().map(|link| link.id).collect::<BTreeSet<_>>().len(), links.len());
        assert!(links.is_sorted_by_key(|link| link.sort));
    }
    for (links, other) in
        [(&portal.contact_companies, Entity::Company), (&portal.deal_contacts, Entity::Contact)]
    {
        let (gone, all) = dangling(links, of(portal, other));
        assert!(gone > 0 && gone * 50 < all, "{gone} of {all} links to {other:?} dangle");
    }
    let mut rows = BTreeSet::new();
    for record in Entity::ALL.iter().flat_map(|entity| of(portal, *entity).values()) {
        assert!(portal.users.contains_key(&text(record, "ASSIGNED_BY_ID").parse().unwrap()));
        for code in ["PHONE", "EMAIL", "WEB", "IM"] {
            for row in record.get(code).and_then(Value::as_array).into_iter().flatten() {
                assert!(rows.insert(row["ID"].as_str().unwrap().to_owned()), "row id twice: {row}");
            }
        }
    }
    for (entity, records) in &portal.records {
        for code in records.values().flat_map(|record| record.keys()) {
            assert!(portal.fields[entity].contains_key(code), "{entity:?} has no field {code}");
        }
    }
}
