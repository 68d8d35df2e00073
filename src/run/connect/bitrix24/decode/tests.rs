use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::*;
use crate::lang::schema::{Attribute, Field, Write};
use crate::lang::types::{Base, Type};
use crate::lang::value::Item;
use crate::run::connect::bitrix24::testing::{documented_schema, reference};

fn field(name: &str, ty: Type) -> Field {
    Field {
        name: name.to_owned(),
        title: None,
        ty,
        required: false,
        write: Write::Yes,
        custom: name.starts_with("UF_"),
        attributes: Vec::new(),
        stats: None,
    }
}

fn many(base: Base) -> Type {
    Type { base, many: true, optional: true }
}

/// A small object that has every kind of field.
fn every_kind() -> (Schema, Object) {
    let text = || Type::text().or_absent();
    let mut phone = field("PHONE", many(Base::Text { max: None }));
    phone.attributes =
        vec![Attribute { name: "VALUE_TYPE".to_owned(), ty: Type::one(Base::Enum("PHONE_TYPE".to_owned())) }];
    let mut companies = field("COMPANY_IDS", many(Base::Link("company".to_owned())));
    companies.attributes = vec![
        Attribute { name: "IS_PRIMARY".to_owned(), ty: Type::one(Base::Bool) },
        Attribute { name: "SORT".to_owned(), ty: Type::one(Base::Integer) },
    ];
    let mut fields = vec![
        field("ID", Type::one(Base::Integer)),
        field("TITLE", text()),
        field("OPENED", Type::one(Base::Bool)),
        field("ASSIGNED_BY_ID", Type::maybe(Base::User)),
        field("OPPORTUNITY", Type::maybe(Base::Decimal)),
        field("DATE_CREATE", Type::one(Base::DateTime)),
        field("CLOSEDATE", Type::maybe(Base::Date)),
        field("STAGE_ID", Type::one(Base::Stage)),
        field("CATEGORY_ID", Type::one(Base::Enum("deal.CATEGORY_ID".to_owned()))),
        field("COMPANY_ID", Type::maybe(Base::Link("company".to_owned()))),
        phone,
        companies,
        field("PARENT_ID_1032", Type::maybe(Base::Link("process 1032".to_owned()))),
        field("UF_CRM_1", Type::maybe(Base::Bool)),
        field("UF_CRM_2", Type::maybe(Base::Money)),
        field("UF_CRM_3", many(Base::Enum("deal.UF_CRM_3".to_owned()))),
        field("UF_CRM_4", Type::maybe(Base::Link("company".to_owned()))),
        field("UF_CRM_5", many(Base::AnyLink)),
        field("UF_CRM_6", Type::maybe(Base::Address)),
        field("UF_CRM_7", Type::maybe(Base::File)),
        field("UF_CRM_8", many(Base::File)),
        field("UF_CRM_9", Type::maybe(Base::Opaque("location".to_owned()))),
        field("UF_CRM_10", Type::maybe(Base::Enum("deal.UF_CRM_10".to_owned()))),
    ];
    fields.sort_by(|a, b| a.name.cmp(&b.name));
    (Schema::default(), Object { name: "deal".to_owned(), fields, ..Object::default() })
}

/// Reads `{ID: 1, …}` and hands back one slot.
fn read(name: &str, value: Json) -> Result<Value, String> {
    let (schema, object) = every_kind();
    let json = json!({"ID": "1", name: value});
    let record = Decoder::new(&schema, &object).decode(json.to_string().as_bytes())?;
    Ok(record[object.slot(name).unwrap()].clone())
}

fn texts(values: &[&str]) -> Value {
    Value::List(values.iter().map(Value::text).collect())
}

fn decimal(text: &str) -> Value {
    Value::Decimal(text.parse().unwrap())
}

fn item(value: Value, attrs: Vec<Value>) -> Value {
    Value::Item(Box::new(Item { value, attrs }))
}

#[test]
fn every_blank_is_absent() {
    for name in
        ["TITLE", "ASSIGNED_BY_ID", "OPPORTUNITY", "CLOSEDATE", "COMPANY_ID", "PHONE", "UF_CRM_2", "UF_CRM_3"]
    {
        for blank in [json!(null), json!(""), json!([]), json!(false), json!({})] {
            assert_eq!(read(name, blank.clone()), Ok(Value::Absent), "{name} {blank}");
        }
    }
    for name in ["ASSIGNED_BY_ID", "COMPANY_ID", "PARENT_ID_1032", "UF_CRM_4", "UF_CRM_10"] {
        for blank in [json!("0"), json!(0)] {
            assert_eq!(read(name, blank.clone()), Ok(Value::Absent), "{name} {blank}");
        }
    }
    for blank in
        ["0000-00-00", "0000-00-00 00:00:00", "9999-12-31T00:00:00+03:00", "-0001-11-30T00:00:00+02:30"]
    {
        assert_eq!(read("CLOSEDATE", json!(blank)), Ok(Value::Absent));
        assert_eq!(read("DATE_CREATE", json!(blank)), Ok(Value::Absent));
    }
    for blank in ["|USD", "|", ""] {
        assert_eq!(read("UF_CRM_2", json!(blank)), Ok(Value::Absent));
    }
    assert_eq!(read("UF_CRM_6", json!("|;|")), Ok(Value::Absent));
}

#[test]
fn nought_is_a_value_where_it_means_one() {
    assert_eq!(read("CATEGORY_ID", json!("0")), Ok(Value::text("0")));
    assert_eq!(read("CATEGORY_ID", json!(0)), Ok(Value::text("0")));
    assert_eq!(read("OPPORTUNITY", json!("0.00")), Ok(decimal("0.00")));
    assert_eq!(read("UF_CRM_2", json!("0|USD")).map(|v| v.is_absent()), Ok(false));
    assert_eq!(read("TITLE", json!("0")), Ok(Value::text("0")));
}

#[test]
fn truth_has_five_spellings() {
    for yes in [json!("Y"), json!("1"), json!(1), json!(true)] {
        assert_eq!(read("UF_CRM_1", yes), Ok(Value::Bool(true)));
    }
    for no in [json!("N"), json!("0"), json!(0), json!(false)] {
        assert_eq!(read("UF_CRM_1", no), Ok(Value::Bool(false)));
    }
    assert_eq!(read("UF_CRM_1", json!("")), Ok(Value::Absent));
    assert_eq!(read("OPENED", json!(null)), Ok(Value::Bool(false)), "a system flag is set or not");
    assert!(read("OPENED", json!("perhaps")).unwrap_err().contains("`OPENED`"));
}

#[test]
fn numbers_do_not_go_through_floats() {
    assert_eq!(read("OPPORTUNITY", json!("19999.99")), Ok(decimal("19999.99")));
    let (schema, object) = every_kind();
    let json = br#"{"id":1,"opportunity":123456789012345.678}"#;
    let record = Decoder::new(&schema, &object).decode(json).unwrap();
    assert_eq!(record[object.slot("OPPORTUNITY").unwrap()], decimal("123456789012345.678"));
    assert_eq!(read("OPPORTUNITY", json!("-3e2")), Ok(decimal("-300")));
    assert!(read("OPPORTUNITY", json!("a lot")).unwrap_err().contains("`a lot` is not a number"));
    assert_eq!(read("ID", json!("1.00")), Ok(Value::Int(1)));
}

#[test]
fn dates_keep_the_day_that_is_printed() {
    let day = |text: &str| Value::Date(text.parse().unwrap());
    assert_eq!(read("CLOSEDATE", json!("2024-08-30T02:00:00+02:00")), Ok(day("2024-08-30")));
    assert_eq!(read("CLOSEDATE", json!("2024-08-30T23:30:00-11:00")), Ok(day("2024-08-30")));
    assert_eq!(read("CLOSEDATE", json!("2024-02-29")), Ok(day("2024-02-29")));
    assert!(read("CLOSEDATE", json!("2023-02-29")).is_err());
    assert!(read("CLOSEDATE", json!("30.08.2024")).unwrap_err().contains("`CLOSEDATE`"));
    let Ok(Value::Instant(instant)) = read("DATE_CREATE", json!("2024-08-30T14:29:00+02:00")) else {
        panic!("no instant")
    };
    assert_eq!(instant.at.to_string(), "2024-08-30T12:29:00Z");
    assert_eq!(instant.offset_seconds, 7200);
    assert!(read("DATE_CREATE", json!("2024-08-30T14:29:00")).is_err(), "an offset is due");
}

#[test]
fn stages_lose_their_pipeline() {
    for (code, stage) in
        [("C1:NEW", "NEW"), ("DT1032_5:SUCCESS", "SUCCESS"), ("WON", "WON"), ("UC:X", "UC:X"), ("C:X", "C:X")]
    {
        assert_eq!(read("STAGE_ID", json!(code)), Ok(Value::text(stage)));
    }
}

#[test]
fn links_and_bindings() {
    assert_eq!(read("UF_CRM_4", json!("CO_3")), Ok(Value::text("3")));
    assert_eq!(read("UF_CRM_4", json!("3")), Ok(Value::text("3")));
    assert_eq!(read("UF_CRM_4", json!(["CO_3"])), Ok(Value::text("3")), "a list of one in a single field");
    assert!(read("UF_CRM_4", json!(["CO_3", "CO_4"])).unwrap_err().contains("2 values"));
    assert_eq!(read("PARENT_ID_1032", json!("T408_7")), Ok(Value::text("7")));
    assert_eq!(read("UF_CRM_5", json!(["D_1", "C_2", "0"])), Ok(texts(&["deal/1", "contact/2"])));
    assert_eq!(
        read("UF_CRM_5", json!(["T80_6", "SI_7", "ZZ_1"])),
        Ok(texts(&["process 128/6", "invoice/7", "ZZ_1"]))
    );
    assert_eq!(read("UF_CRM_3", json!([79, "80", null])), Ok(texts(&["79", "80"])));
    assert_eq!(
        read("UF_CRM_3", json!({"0": "79", "2": "80"})),
        Ok(texts(&["79", "80"])),
        "a list with a gap"
    );
    assert_eq!(read("UF_CRM_3", json!("79")), Ok(texts(&["79"])));
}

#[test]
fn money_addresses_and_files() {
    let Ok(Value::Money(money)) = read("UF_CRM_2", json!("300.50|USD")) else { panic!("no money") };
    assert_eq!((money.amount.to_string().as_str(), money.currency.as_str()), ("300.50", "USD"));
    assert!(read("UF_CRM_2", json!("300")).is_err(), "an amount of what?");
    let Ok(Value::Address(address)) = read("UF_CRM_6", json!(", , Berlin|;|577")) else {
        panic!("no address")
    };
    assert_eq!(address.line1, "Berlin");
    let file = json!({"id": 37375, "showUrl": "/a", "downloadUrl": "/b?auth="});
    assert_eq!(read("UF_CRM_7", file.clone()), Ok(Value::text("37375")));
    assert_eq!(read("UF_CRM_8", json!([file])), Ok(texts(&["37375"])));
    assert_eq!(read("UF_CRM_9", json!({"x": 1})).map(|v| v.is_absent()), Ok(false));
}

#[test]
fn multifields_in_the_order_of_their_ids() {
    let wire = json!([
        {"ID": "10", "VALUE_TYPE": "HOME", "VALUE": "second", "TYPE_ID": "PHONE"},
        {"ID": "9", "VALUE_TYPE": "WORK", "VALUE": "first", "TYPE_ID": "PHONE"},
        {"ID": "11", "VALUE_TYPE": "WORK", "VALUE": "", "TYPE_ID": "PHONE"},
    ]);
    let expected = Value::List(vec![
        item(Value::text("first"), vec![Value::text("WORK")]),
        item(Value::text("second"), vec![Value::text("HOME")]),
    ]);
    assert_eq!(read("PHONE", wire), Ok(expected));
}

#[test]
fn link_lists_in_three_spellings() {
    let link = |id: &str, primary, sort| item(Value::text(id), vec![Value::Bool(primary), Value::Int(sort)]);
    let staged = json!([{"id": 5, "primary": true, "sort": 10}, {"id": 7, "primary": false, "sort": 20}]);
    assert_eq!(read("COMPANY_IDS", staged), Ok(Value::List(vec![link("5", true, 10), link("7", false, 20)])));
    let items = json!([{"COMPANY_ID": 5, "SORT": 15, "ROLE_ID": 0, "IS_PRIMARY": "Y"}]);
    assert_eq!(read("COMPANY_IDS", items), Ok(Value::List(vec![link("5", true, 15)])));
    assert_eq!(read("COMPANY_IDS", json!([])), Ok(Value::Absent));
    let (schema, object) = every_kind();
    let record =
        Decoder::new(&schema, &object).decode(br#"{"id":1,"companyIds":[5,7],"companyId":7}"#).unwrap();
    let expected = Value::List(vec![link("5", false, 10), link("7", true, 20)]);
    assert_eq!(record[object.slot("COMPANY_IDS").unwrap()], expected);
}

#[test]
fn a_record_without_an_id_is_an_error() {
    let (schema, object) = every_kind();
    let decoder = Decoder::new(&schema, &object);
    assert!(decoder.decode(b"{}").unwrap_err().contains("no id"));
    assert!(decoder.decode(b"[]").is_err());
    assert!(decoder.decode(br#"{"ID":"1"} x"#).is_err());
    assert!(decoder.decode(br#"{"ID":"1""#).is_err());
}

#[test]
fn the_order_of_names_does_not_matter() {
    let (schema, object) = every_kind();
    let decoder = Decoder::new(&schema, &object);
    let a = decoder.decode(br#"{"ID":"1","TITLE":"x","STAGE_ID":"C1:NEW","PHONE":[]}"#).unwrap();
    let b =
        decoder.decode(br#"{"STAGE_ID":"C1:NEW","PHONE":[],"X":{"Y":[1]},"TITLE":"x","ID":"1"}"#).unwrap();
    let c = decoder.decode(br#"{"TITL\u0045":"x","STAGE_ID":"C1:NEW","ID":1}"#).unwrap();
    assert_eq!(a, b);
    assert_eq!(a, c);
}

/// Decodes a documented sample and hands its slots to `check`.
fn sample(object: &str, path: &str, at: &str, check: impl Fn(&dyn Fn(&str) -> Value, &[String])) {
    let (Some(schema), Some(file)) = (documented_schema(), reference(path)) else { return };
    let json = file.pointer(at).unwrap().to_string();
    let object = schema.object(object).unwrap();
    let (record, unknown) = Decoder::new(&schema, object).decode_naming_unknown(json.as_bytes()).unwrap();
    check(&|name| record[object.slot(name).unwrap()].clone(), &unknown);
}

fn instant(text: &str) -> Value {
    Value::Instant(scalar::instant(text).unwrap())
}

#[test]
fn documented_company() {
    sample("company", "samples/crm.company.get.json", "/result", |slot, unknown| {
        assert_eq!(slot("ID"), Value::Int(2909));
        assert_eq!(slot("TITLE"), Value::text("GAZPROM"));
        assert_eq!(slot("COMPANY_TYPE"), Value::text("CUSTOMER"));
        assert_eq!(slot("REVENUE"), decimal("0"));
        assert_eq!(slot("IS_MY_COMPANY"), Value::Bool(false));
        assert_eq!(slot("ASSIGNED_BY_ID"), Value::text("139"));
        assert_eq!(slot("DATE_CREATE"), instant("2024-03-11T16:36:46+01:00"));
        assert_eq!(slot("LOGO"), Value::Absent);
        assert_eq!(slot("COMMENTS"), Value::Absent);
        assert_eq!(slot("UF_CRM_1687188367"), Value::Absent);
        assert_eq!(slot("PHONE"), Value::Absent);
        assert!(unknown.is_empty(), "{unknown:?}");
    });
    sample("company", "samples/crm.company.list.json", "/result/0", |slot, _| {
        let phone = item(Value::text("+19998887766"), vec![Value::text("WORK")]);
        assert_eq!(slot("PHONE"), Value::List(vec![phone]));
    });
}

#[test]
fn documented_contact() {
    sample("contact", "samples/crm.contact.get.json", "/result", |slot, unknown| {
        assert_eq!(slot("ID"), Value::Int(43));
        assert_eq!(slot("BIRTHDATE"), Value::Date("2001-11-11".parse().unwrap()));
        assert_eq!(slot("COMPANY_ID"), Value::text("12"));
        assert_eq!(slot("HONORIFIC"), Value::text("HNR_RU_1"));
        assert_eq!(slot("EXPORT"), Value::Bool(false));
        let phones = [("+13333333555", "WORK"), ("+15599888666", "HOME")];
        let phones = phones.map(|(number, kind)| item(Value::text(number), vec![Value::text(kind)]));
        assert_eq!(slot("PHONE"), Value::List(phones.into()));
        let Value::List(emails) = slot("EMAIL") else { panic!("no e-mail") };
        assert_eq!(emails[0], item(Value::text("johnsmith@example.mailing"), vec![Value::text("MAILING")]));
        assert_eq!(slot("WEB"), Value::Absent);
        assert_eq!(unknown, ["FACE_ID", "PARENT_ID_1224", "UF_CRM_1720697698689"]);
    });
    for at in 0..5 {
        sample("contact", "samples/crm.contact.list.json", &format!("/result/{at}"), |slot, unknown| {
            assert!(matches!(slot("EMAIL"), Value::List(emails) if emails.len() == 1));
            assert!(unknown.is_empty());
        });
    }
}

#[test]
fn documented_deal() {
    sample("deal", "samples/crm.deal.get.json", "/result", |slot, unknown| {
        assert_eq!(slot("ID"), Value::Int(410));
        assert_eq!(slot("STAGE_ID"), Value::text("PREPARATION"));
        assert_eq!(slot("CATEGORY_ID"), Value::text("0"));
        assert_eq!(slot("OPPORTUNITY"), decimal("1000000.00"));
        assert_eq!(slot("PROBABILITY"), Value::Int(99));
        assert_eq!(slot("CLOSEDATE"), Value::Date("2024-09-09".parse().unwrap()));
        assert_eq!(slot("IS_MANUAL_OPPORTUNITY"), Value::Bool(true));
        assert_eq!(slot("CONTACT_ID"), Value::text("84"));
        assert_eq!(slot("QUOTE_ID"), Value::Absent);
        assert_eq!(unknown, ["PARENT_ID_1220", "UF_CRM_1721244482250"]);
    });
    sample("deal", "samples/crm.deal.list.json", "/result/0", |slot, _| {
        assert_eq!(slot("STAGE_ID"), Value::text("NEW"));
        assert_eq!(slot("CATEGORY_ID"), Value::text("1"));
    });
}

#[test]
fn documented_universal_deal() {
    sample("deal", "samples/crm.item.add.deal.json", "/result/item", |slot, _| {
        assert_eq!(slot("ID"), Value::Int(342));
        assert_eq!(slot("DATE_CREATE"), instant("2024-07-18T14:00:14+02:00"));
        assert_eq!(slot("STAGE_ID"), Value::text("UC_KN8KFI"));
        assert_eq!(slot("CATEGORY_ID"), Value::text("9"));
        assert_eq!(slot("OPPORTUNITY"), decimal("999.99"));
        assert_eq!(slot("TAX_VALUE"), decimal("0"));
        assert_eq!(slot("BEGINDATE"), Value::Date("2024-06-18".parse().unwrap()));
        assert_eq!(slot("IS_REPEATED_APPROACH"), Value::Bool(true));
        assert_eq!(slot("CREATED_BY_ID"), Value::text("1"));
        assert_eq!(slot("COMPANY_ID"), Value::text("5"));
        let link =
            |id: &str, primary, sort| item(Value::text(id), vec![Value::Bool(primary), Value::Int(sort)]);
        assert_eq!(slot("CONTACT_IDS"), Value::List(vec![link("4", true, 10), link("5", false, 20)]));
    });
}

#[test]
fn documented_universal_lead() {
    sample("lead", "samples/crm.item.get.lead.json", "/result/item", |slot, _| {
        assert_eq!(slot("STATUS_ID"), Value::text("IN_PROCESS"));
        assert_eq!(slot("STATUS_SEMANTIC_ID"), Value::text("P"));
        assert_eq!(slot("COMPANY_ID"), Value::Absent, "0 is no link");
        let phone = item(Value::text("+6111111111"), vec![Value::text("WORK")]);
        assert_eq!(slot("PHONE"), Value::List(vec![phone]), "from `fm`, not from the flat `phone`");
        assert_eq!(slot("BIRTHDATE"), Value::Date("2000-01-01".parse().unwrap()));
        assert_eq!(slot("OPPORTUNITY"), decimal("999.9"));
    });
    sample("lead", "samples/crm.lead.get.json", "/result", |slot, unknown| {
        let im = item(Value::text("imol|livechat|1|67|21"), vec![Value::text("OPENLINE")]);
        assert_eq!(slot("IM"), Value::List(vec![im]));
        assert_eq!(slot("BIRTHDATE"), Value::Absent);
        assert!(unknown.is_empty(), "{unknown:?}");
    });
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let (schema, object) = every_kind();
        let _ = Decoder::new(&schema, &object).decode(&bytes);
    }

    #[test]
    fn no_value_makes_it_panic(
        slot in 0usize..23,
        value in any_json(),
        cut in 0usize..300,
    ) {
        let (schema, object) = every_kind();
        let name = &object.fields[slot].name;
        let decoder = Decoder::new(&schema, &object);
        let json = json!({"ID": 1, name.as_str(): value, "fm": value}).to_string();
        if let Ok(record) = decoder.decode(json.as_bytes()) {
            prop_assert_eq!(record.len(), object.fields.len());
            for value in record {
                prop_assert!(value != Value::List(Vec::new()), "an empty list is absent");
            }
        }
        let bytes = json.as_bytes();
        let _ = decoder.decode(&bytes[..cut.min(bytes.len())]);
    }
}

fn any_json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<f64>().prop_map(|x| json!(x)),
        "[ -~]{0,12}|20[0-9]{2}-[0-9]{2}-[0-9]{2}(T[0-9:]{8}[+-][0-9:]{5})?|[0-9.|]{1,30}(USD)?"
            .prop_map(Json::from),
        "\\PC{0,8}".prop_map(Json::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
            proptest::collection::btree_map("ID|id|VALUE|TYPE_ID|typeId|value|[0-9]|[a-z]{1,3}", inner, 0..4)
                .prop_map(|map| json!(map)),
        ]
    })
}

#[test]
fn documented_objects_beyond_the_four() {
    let Some(schema) = documented_schema() else { return };
    let ty = |object: &str, field: &str| {
        let found = schema.object(object).and_then(|o| o.field(field));
        found.unwrap_or_else(|| panic!("{object}.{field}")).ty.to_string()
    };
    for (object, field, expected) in [
        ("product", "DETAIL_TEXT", "text?"),
        ("product", "CURRENCY_ID", "enum(CURRENCY)?"),
        ("product", "PROPERTY_258", "text?"),
        ("product", "ACTIVE", "bool"),
        ("deal", "rows", "[record]?"),
        ("quote", "rows", "[record]?"),
        ("quote", "STATUS_ID", "enum(QUOTE_STATUS)?"),
        ("quote", "DEAL_ID", "link(deal)?"),
        ("quote", "CONTACT_IDS", "[link(contact)]?"),
        ("activity", "TYPE_ID", "enum(ACTIVITY_TYPE)"),
        ("activity", "BINDINGS", "[link]?"),
        ("activity", "COMMUNICATIONS", "[text]?"),
        ("activity", "COMPLETED", "bool"),
        ("activity", "OWNER_TYPE_ID", "enum(ENTITY_TYPE)?"),
        ("comment", "ENTITY_TYPE", "enum(ENTITY_TYPE)"),
        ("comment", "FILES", "[file]?"),
        ("comment", "AUTHOR_ID", "user?"),
        ("process 1268", "STAGE_ID", "stage"),
        ("process 1268", "PARENT_ID_2", "link(deal)?"),
        ("process 1268", "PARENT_ID_1248", "link(process 1248)?"),
        ("process 1268", "CONTACT_IDS", "[link(contact)]?"),
        ("process 1268", "UF_CRM_44_1721812915476", "money?"),
        ("process 1268", "OPENED", "bool"),
    ] {
        assert_eq!(ty(object, field), expected, "{object}.{field}");
    }
    assert!(schema.object("product").unwrap().field("DESCRIPTION").is_none());
    let types = &schema.domains["ACTIVITY_TYPE"].choices;
    assert_eq!((types[2].code.as_str(), types[2].title.as_deref()), ("2", Some("Call")));
    assert!(schema.domains["ENTITY_TYPE"].choices.iter().any(|c| c.code == "process 1268"));
    let text = crate::lang::schema::snapshot::write(&schema);
    let read =
        crate::lang::schema::snapshot::read(&crate::lang::text::SourceText::new("s.yaml", text.clone()));
    assert_eq!(crate::lang::schema::snapshot::write(&read.unwrap()), text);
}

#[test]
fn product_rows_of_either_method() {
    let Some(schema) = documented_schema() else { return };
    let deal = schema.object("deal").unwrap();
    let rows = deal.field("rows").unwrap();
    for (file, at) in [
        ("samples/crm.deal.productrows.get.json", "/result"),
        ("samples/crm.item.productrow.list.json", "/result/productRows"),
    ] {
        let Some(sample) = reference(file) else { return };
        let listed = sample.pointer(at).unwrap();
        let json = json!({"ID": "1", "rows": listed});
        let record = Decoder::new(&schema, deal).decode(json.to_string().as_bytes()).unwrap();
        let Value::List(found) = &record[deal.slot("rows").unwrap()] else { panic!("{file}") };
        assert_eq!(found.len(), listed.as_array().unwrap().len());
        let Value::Item(first) = &found[0] else { panic!() };
        let attr =
            |name: &str| first.attrs[rows.attributes.iter().position(|a| a.name == name).unwrap()].clone();
        let (id, product, price) =
            if file.contains("deal") { ("5", "450", "899.1") } else { ("17649", "9621", "90000") };
        assert_eq!(first.value, Value::text(id));
        assert_eq!(attr("PRODUCT_ID"), Value::text(product));
        assert_eq!(attr("PRICE"), decimal(price));
        assert_eq!(attr("TAX_INCLUDED"), Value::Bool(true));
        assert_eq!(attr("DISCOUNT_TYPE_ID"), Value::text("2"));
    }
    // A row of free text has product 0.
    let json = json!({"ID": "1", "rows": [{"id": 3, "productId": 0, "productName": "x"}]});
    let record = Decoder::new(&schema, deal).decode(json.to_string().as_bytes()).unwrap();
    let Value::List(found) = &record[deal.slot("rows").unwrap()] else { panic!() };
    let Value::Item(first) = &found[0] else { panic!() };
    assert_eq!(first.attrs[0], Value::Absent);
}

#[test]
fn links_of_activities_and_comments() {
    let Some(schema) = documented_schema() else { return };
    let decode = |object: &str, json: Json| {
        let found = schema.object(object).unwrap();
        let record = Decoder::new(&schema, found).decode(json.to_string().as_bytes()).unwrap();
        move |name: &str| record[found.slot(name).unwrap()].clone()
    };
    let call = decode(
        "activity",
        json!({
            "ID": "7", "OWNER_TYPE_ID": "2", "OWNER_ID": "17", "DEADLINE": "9999-12-31T00:00:00+03:00",
            "BINDINGS": [{"entityTypeId": 2, "entityId": 17}, {"entityTypeId": 1032, "entityId": 4}, {"entityTypeId": 2, "entityId": 17}],
            "COMMUNICATIONS": [{"ID": "1", "TYPE": "PHONE", "VALUE": "+1555", "ENTITY_ID": "5", "ENTITY_TYPE_ID": "3", "ENTITY_SETTINGS": {"NAME": "x"}}],
            "FILES": [{"id": 9, "url": "https://x"}], "SETTINGS": [],
        }),
    );
    assert_eq!(call("BINDINGS"), texts(&["deal/17", "process 1032/4"]));
    assert_eq!(call("OWNER_TYPE_ID"), Value::text("deal"));
    assert_eq!(call("DEADLINE"), Value::Absent);
    assert_eq!(call("FILES"), texts(&["9"]));
    let Value::List(found) = call("COMMUNICATIONS") else { panic!() };
    let expected =
        Item { value: Value::text("+1555"), attrs: vec![Value::text("PHONE"), Value::text("contact/5")] };
    assert_eq!(found, [Value::Item(Box::new(expected))]);
    let Some(sample) = reference("samples/crm.timeline.comment.list.json") else { return };
    let comment = decode("comment", sample["result"][0].clone());
    assert_eq!((comment("ENTITY_TYPE"), comment("ENTITY_ID")), (Value::text("deal"), Value::Int(2)));
    assert_eq!(comment("FILES"), texts(&["1", "2"]));
    let on_process =
        decode("comment", json!({"ID": "1", "ENTITY_ID": "4", "ENTITY_TYPE": "dynamic_1032", "FILES": []}));
    assert_eq!(on_process("ENTITY_TYPE"), Value::text("process 1032"));
    assert_eq!(on_process("FILES"), Value::Absent);
    let product = decode(
        "product",
        json!({"ID": "1", "DESCRIPTION": "d", "PROPERTY_258": {"value": "test", "valueId": "9735"}}),
    );
    assert_eq!(product("DETAIL_TEXT"), Value::text("d"));
    assert_eq!(product("PROPERTY_258"), Value::text("test"));
}
