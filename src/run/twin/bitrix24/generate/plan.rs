//! What each field of a shape will be filled with, found out once per portal.
//!
//! Knows codes and types; makes no values but blanks.

use serde_json::{Value, json};

use super::rng::{Rng, salt};
use super::shape::{FieldShape, Shape};
use crate::run::twin::bitrix24::Entity;

/// The sort of value that a field gets.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum What {
    Id,
    /// Lists never give it, or nothing believable is known of it.
    Never,
    CompanyTitle,
    DealTitle,
    LeadTitle,
    Given,
    Middle,
    Family,
    Post,
    Comment,
    Street,
    City,
    Country,
    CountryCode,
    Postcode,
    Created,
    Changed,
    /// When a lead was closed.
    Closed,
    /// The times of an activity.
    Starts,
    Finishes,
    Deadline,
    Begins,
    Ends,
    Birth,
    Stage,
    /// The type of an activity, which decides its other fields.
    Kind,
    Subject,
    ActivityText,
    ContentType,
    Provider,
    Direction,
    /// Filled when everything else is there.
    Hangs,
    CommentText,
    /// What a product or piece of equipment is called.
    ItemTitle,
    ProductText,
    Sku,
    /// The id as text.
    Number,
    Deal,
    /// A link to an item of the type in the field's name.
    Parent(Entity),
    DiskFiles,
    AttachedFiles,
    Property,
    Category,
    StageSemantics,
    IsClosed,
    IsNew,
    /// `HAS_PHONE` and its like, by the multifield's code.
    Has(&'static str),
    Opportunity,
    Tax,
    Percent,
    Double,
    Integer,
    Choice,
    Choices,
    /// A custom boolean in any of its spellings.
    CustomFlag,
    Company,
    Contact,
    Lead,
    Bindings,
    Multifield,
    File,
    Money,
    Day,
    Moment,
    Url,
    Address,
    Words,
}

impl What {
    /// Whether the value follows from others, whatever the fill rate says.
    pub(super) fn derived(&self) -> bool {
        use What::*;
        matches!(
            self,
            Id | Category
                | StageSemantics
                | IsClosed
                | IsNew
                | Has(_)
                | Company
                | Closed
                | ContentType
                | Provider
                | Deadline
        )
    }
}

/// A field with its stream and its choices.
pub(super) struct FieldPlan<'a> {
    pub(super) shape: &'a FieldShape,
    pub(super) what: What,
    pub(super) salt: u64,
    /// Values with the sum of the weights up to and with them.
    choices: Vec<(String, f64)>,
}

impl FieldPlan<'_> {
    /// One of the values by weight, `None` when there are none.
    pub(super) fn choose(&self, rng: &mut Rng) -> Option<&str> {
        let total = self.choices.last()?.1;
        let at = rng.unit() * total;
        let place = self.choices.partition_point(|(_, sum)| *sum <= at);
        self.choices.get(place.min(self.choices.len() - 1)).map(|(id, _)| id.as_str())
    }

    /// A chosen value as it stands in an answer: option ids of multiple fields come as numbers now and then.
    pub(super) fn wire(&self, id: &str, odd: bool) -> Value {
        match id.parse::<i64>() {
            Ok(number) if odd && self.shape.multiple && self.shape.kind == "enumeration" => {
                json!(number)
            }
            _ => json!(id),
        }
    }

    /// A blank as the API spells it; `None` where a blank is always a missing key.
    pub(super) fn blank(&self, rng: &mut Rng) -> Option<Value> {
        let custom = self.shape.is_custom();
        let spellings = match self.shape.kind.as_str() {
            "crm_multifield" => return None,
            _ if self.shape.multiple && custom => vec![json!([]), json!(""), json!(false)],
            _ if self.shape.multiple => return None,
            // A custom boolean that nobody set looks like a "no"; an empty custom file has no key.
            "boolean" | "file" if custom => return None,
            "crm_company" | "crm_contact" | "crm_lead" | "crm_deal" | "crm_quote" | "crm_entity" | "user" => {
                vec![Value::Null, json!("0"), json!("")]
            }
            "integer" | "double" | "file" | "location" => vec![Value::Null],
            _ => vec![Value::Null, json!("")],
        };
        spellings.get(rng.index(spellings.len())).cloned()
    }
}

/// Decides on a field.
pub(super) fn plan<'a>(shape: &Shape, entity: Entity, field: &'a FieldShape) -> FieldPlan<'a> {
    let mut what = what(entity, field);
    let weighted = if field.choices.is_empty() {
        domain(shape, entity, field, &what)
    } else {
        field.choices.iter().map(|choice| (choice.id.clone(), choice.weight)).collect()
    };
    if what == What::Words && !weighted.is_empty() {
        what = if field.multiple { What::Choices } else { What::Choice };
    }
    FieldPlan { shape: field, what, salt: salt(&field.code), choices: cumulate(weighted) }
}

/// Sums the weights up; without one weight above 0 all count alike.
fn cumulate(mut weighted: Vec<(String, f64)>) -> Vec<(String, f64)> {
    for (_, weight) in &mut weighted {
        if !weight.is_finite() || *weight < 0.0 {
            *weight = 0.0;
        }
    }
    let even = weighted.iter().all(|(_, weight)| *weight == 0.0);
    let mut sum = 0.0;
    for (_, weight) in &mut weighted {
        sum += if even { 1.0 } else { *weight };
        *weight = sum;
    }
    weighted
}

/// The values of a field whose shape lists none.
fn domain(shape: &Shape, entity: Entity, field: &FieldShape, what: &What) -> Vec<(String, f64)> {
    let fixed =
        |words: &[(&str, f64)]| words.iter().map(|&(word, weight)| (word.to_owned(), weight)).collect();
    match (what, entity) {
        (What::Stage, Entity::Deal) => return stages(shape),
        (What::Stage, Entity::Process(kind)) => {
            let of = |s: &&super::shape::StatusShape| s.process().is_some_and(|(own, _)| own == kind);
            return shape.statuses.iter().filter(of).map(|s| (s.code.clone(), 1.0)).collect();
        }
        _ => {}
    }
    match (field.kind.as_str(), field.code.as_str()) {
        ("crm_currency", _) | ("string", "CURRENCY_ID") => {
            shape.currencies.iter().map(|c| (c.code.clone(), c.weight)).collect()
        }
        ("user" | "employee", _) | ("integer", "CREATED_BY" | "MODIFIED_BY" | "AUTHOR_ID") => {
            shape.users.iter().map(|u| (u.id.to_string(), u.weight)).collect()
        }
        ("crm_status", _) => {
            let wanted = shape.statuses.iter().filter(|s| Some(&s.directory) == field.directory.as_ref());
            wanted.map(|s| (s.code.clone(), 1.0)).collect()
        }
        (_, "CATALOG_ID") => fixed(&[("23", 1.0)]),
        (_, "SECTION_ID") => fixed(&[("11", 3.0), ("13", 2.0), ("17", 1.0)]),
        (_, "VAT_ID") => fixed(&[("1", 1.0), ("3", 4.0)]),
        (_, "MEASURE") => fixed(&[("9", 8.0), ("1", 1.0), ("7", 1.0)]),
        (_, "SORT") => fixed(&[("500", 9.0), ("100", 1.0)]),
        (_, "DESCRIPTION_TYPE") if entity == Entity::Product => fixed(&[("text", 2.0), ("html", 3.0)]),
        (_, "ACTIVE") => fixed(&[("Y", 9.0), ("N", 1.0)]),
        (_, "VAT_INCLUDED") => fixed(&[("Y", 6.0), ("N", 4.0)]),
        (_, "COMPLETED") => fixed(&[("Y", 7.0), ("N", 3.0)]),
        ("crm_enum_activitytype", _) => fixed(&[("1", 1.0), ("2", 2.0), ("4", 2.0), ("6", 1.0)]),
        ("crm_enum_activitystatus", _) => fixed(&[("1", 3.0), ("2", 6.0), ("3", 1.0)]),
        ("crm_enum_activitypriority", _) => fixed(&[("1", 1.0), ("2", 7.0), ("3", 2.0)]),
        ("crm_enum_activitynotifytype", _) => fixed(&[("0", 1.0)]),
        (_, "OPENED") => fixed(&[("Y", 8.0), ("N", 2.0)]),
        (_, "EXPORT") => fixed(&[("Y", 9.0), ("N", 1.0)]),
        (_, "IS_MANUAL_OPPORTUNITY") => fixed(&[("Y", 7.0), ("N", 3.0)]),
        (_, "IS_RETURN_CUSTOMER") => fixed(&[("Y", 3.0), ("N", 7.0)]),
        ("char", _) => fixed(&[("N", 1.0)]),
        ("boolean", _) if !field.is_custom() => fixed(&[("Y", 1.0), ("N", 1.0)]),
        (_, "UTM_SOURCE") => fixed(&[("google", 3.0), ("yandex", 3.0), ("vk", 1.0), ("newsletter", 1.0)]),
        (_, "UTM_MEDIUM") => fixed(&[("cpc", 4.0), ("email", 1.0), ("organic", 2.0)]),
        (_, "UTM_CAMPAIGN") => fixed(&[("brand", 2.0), ("насосы_осень", 1.0), ("summer_sale", 1.0)]),
        (_, "ORIGINATOR_ID") => fixed(&[("1c", 3.0), ("import", 1.0)]),
        _ => Vec::new(),
    }
}

/// Every deal stage; a category's weight is shared out evenly among its stages.
fn stages(shape: &Shape) -> Vec<(String, f64)> {
    let part = shape.entities.get(&Entity::Deal);
    let categories = part.and_then(|part| part.fields.iter().find(|field| field.code == "CATEGORY_ID"));
    let weight_of = |id: i64| {
        let choices = categories.map_or(&[] as &[_], |field| &field.choices);
        if choices.is_empty() {
            return 1.0;
        }
        let own = choices.iter().find(|choice| choice.id == id.to_string());
        own.map_or(0.0, |choice| choice.weight)
    };
    let all: Vec<_> = shape.statuses.iter().filter_map(|status| Some((status.category()?, status))).collect();
    let share = |id: i64| all.iter().filter(|(category, _)| *category == id).count().max(1) as f64;
    all.iter()
        .map(|&(category, status)| (status.code.clone(), weight_of(category) / share(category)))
        .collect()
}

fn what(entity: Entity, field: &FieldShape) -> What {
    if !field.is_custom()
        && let Some(what) = known(entity, &field.code)
    {
        return what;
    }
    match field.kind.as_str() {
        "crm_status" | "crm_currency" | "user" | "employee" | "enumeration" if field.multiple => {
            What::Choices
        }
        "crm_status" | "crm_currency" | "user" | "employee" | "enumeration" | "char" => What::Choice,
        "boolean" if field.is_custom() => What::CustomFlag,
        "boolean" => What::Choice,
        "crm_enum_activitystatus" | "crm_enum_activitypriority" | "crm_enum_activitynotifytype" => {
            What::Choice
        }
        "product_property" => What::Property,
        "product_file" => What::File,
        "diskfile" => What::DiskFiles,
        "attached_diskfile" => What::AttachedFiles,
        "crm_multifield" => What::Multifield,
        "crm" => What::Bindings,
        "file" => What::File,
        "money" => What::Money,
        "date" => What::Day,
        "datetime" => What::Moment,
        "url" => What::Url,
        "address" => What::Address,
        "integer" | "int" => What::Integer,
        "double" => What::Double,
        "string" | "text" => What::Words,
        _ => What::Never,
    }
}

/// The same for entities beyond the main four.
fn more(entity: Entity, code: &str) -> Option<What> {
    use Entity::{Activity, Comment, Process, Product, Quote};
    Some(match (code, entity) {
        ("TITLE", Quote) => What::DealTitle,
        ("TITLE", Process(_)) | ("NAME", Product) => What::ItemTitle,
        ("DESCRIPTION", Product) => What::ProductText,
        ("XML_ID" | "CODE", Product) => What::Sku,
        (
            "CATALOG_ID" | "SECTION_ID" | "VAT_ID" | "MEASURE" | "SORT" | "CREATED_BY" | "MODIFIED_BY"
            | "CURRENCY_ID" | "DESCRIPTION_TYPE",
            Product,
        )
        | ("AUTHOR_ID", Comment) => What::Choice,
        ("QUOTE_NUMBER", Quote) => What::Number,
        ("STATUS_ID", Quote) | ("STAGE_ID", Process(_)) => What::Stage,
        ("CATEGORY_ID", Process(_)) => What::Category,
        ("CONTENT" | "TERMS", Quote) => What::Comment,
        ("CREATED", Activity | Comment) | ("CREATED_TIME", Process(_)) => What::Created,
        ("LAST_UPDATED", Activity) | ("UPDATED_TIME", Process(_)) | ("TIMESTAMP_X", Product) => What::Changed,
        ("START_TIME", Activity) => What::Starts,
        ("END_TIME", Activity) => What::Finishes,
        ("DEADLINE", Activity) => What::Deadline,
        ("TYPE_ID", Activity) => What::Kind,
        ("SUBJECT", Activity) => What::Subject,
        ("DESCRIPTION", Activity) => What::ActivityText,
        ("DESCRIPTION_TYPE", Activity) => What::ContentType,
        ("PROVIDER_ID", Activity) => What::Provider,
        ("PROVIDER_TYPE_ID" | "PROVIDER_GROUP_ID", Activity) => What::Never,
        ("DIRECTION", Activity) => What::Direction,
        ("OWNER_ID" | "OWNER_TYPE_ID" | "BINDINGS" | "COMMUNICATIONS" | "WEBDAV_ELEMENTS", Activity)
        | ("ENTITY_ID" | "ENTITY_TYPE", Comment) => What::Hangs,
        ("COMMENT", Comment) => What::CommentText,
        ("DEAL_ID", Quote) => What::Deal,
        (code, Process(_)) if code.starts_with("PARENT_ID_") => {
            let kind = code.strip_prefix("PARENT_ID_").and_then(|id| id.parse().ok());
            What::Parent(Entity::of_type_id(kind?)?)
        }
        _ => return None,
    })
}

/// Standard fields that mean something to the generator.
fn known(entity: Entity, code: &str) -> Option<What> {
    if let Some(what) = more(entity, code) {
        return Some(what);
    }
    Some(match (code, entity) {
        ("ID", _) => What::Id,
        ("TITLE", Entity::Company) | ("COMPANY_TITLE", _) => What::CompanyTitle,
        ("TITLE", Entity::Deal) => What::DealTitle,
        ("TITLE", _) => What::LeadTitle,
        ("NAME", _) => What::Given,
        ("SECOND_NAME", _) => What::Middle,
        ("LAST_NAME", _) => What::Family,
        ("POST", _) => What::Post,
        ("COMMENTS", _) => What::Comment,
        ("ADDRESS" | "REG_ADDRESS" | "ADDRESS_LEGAL", _) => What::Street,
        ("ADDRESS_CITY" | "REG_ADDRESS_CITY", _) => What::City,
        ("ADDRESS_COUNTRY" | "REG_ADDRESS_COUNTRY", _) => What::Country,
        ("ADDRESS_COUNTRY_CODE" | "REG_ADDRESS_COUNTRY_CODE", _) => What::CountryCode,
        ("ADDRESS_POSTAL_CODE" | "REG_ADDRESS_POSTAL_CODE", _) => What::Postcode,
        ("DATE_CREATE", _) => What::Created,
        ("DATE_MODIFY" | "MOVED_TIME" | "LAST_ACTIVITY_TIME", _) => What::Changed,
        ("DATE_CLOSED", _) => What::Closed,
        ("BEGINDATE", _) => What::Begins,
        ("CLOSEDATE", _) => What::Ends,
        ("BIRTHDATE", _) => What::Birth,
        ("STAGE_ID", Entity::Deal) | ("STATUS_ID", Entity::Lead) => What::Stage,
        ("CATEGORY_ID", Entity::Deal) => What::Category,
        ("STAGE_SEMANTIC_ID" | "STATUS_SEMANTIC_ID", _) => What::StageSemantics,
        ("CLOSED", _) => What::IsClosed,
        ("IS_NEW", _) => What::IsNew,
        ("HAS_PHONE", _) => What::Has("PHONE"),
        ("HAS_EMAIL", _) => What::Has("EMAIL"),
        ("HAS_IMOL", _) => What::Has("IM"),
        ("OPPORTUNITY", _) => What::Opportunity,
        ("TAX_VALUE", _) => What::Tax,
        ("PROBABILITY", _) => What::Percent,
        ("CONTACT_ID", Entity::Company) | ("COMPANY_IDS" | "CONTACT_IDS", _) => What::Never,
        ("COMPANY_ID", _) => What::Company,
        ("CONTACT_ID", _) => What::Contact,
        ("LEAD_ID", _) => What::Lead,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_that_are_no_weights_do_no_harm() {
        let sums = |weights: &[f64]| -> Vec<f64> {
            let weighted = weights.iter().map(|&weight| (String::new(), weight)).collect();
            cumulate(weighted).into_iter().map(|(_, sum)| sum).collect()
        };
        assert_eq!(sums(&[1.0, f64::NAN, -3.0, 2.0]), [1.0, 1.0, 1.0, 3.0]);
        assert_eq!(sums(&[0.0, f64::INFINITY]), [1.0, 2.0]);
        assert!(sums(&[]).is_empty());
    }

    #[test]
    fn a_choice_without_weight_is_never_drawn() {
        let field = FieldShape::custom("UF_X", "enumeration", "X").choose(&[
            ("1", "", 0.0),
            ("2", "", 1.0),
            ("3", "", 0.0),
        ]);
        let plan = plan(&Shape::new("x"), Entity::Deal, &field);
        let mut rng = Rng::at(5, &[]);
        assert!((0..2000).all(|_| plan.choose(&mut rng) == Some("2")));
    }
}
