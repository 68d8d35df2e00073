//! What is known of the forms in which this account takes values, where the API's documentation leaves it open: from
//! the answers of a probe, and from what was taken or refused since.
//!
//! A form that an answer names is tried first. A record that is refused is sent again in the other forms of what it
//! holds, since a refusal is definite (sheet §3.1): nothing was written. What was taken once is not doubted any more.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use super::capability::Kind;
use super::client::id_json;
use super::directory::{self, Directory};
use crate::lang::schema::Probed;

/// The questions whose answers are used here, as [`super::probe`] names them.
pub(super) mod question {
    pub const NAME_OBJECT: &str = "contact_name_object";
    pub const DATE: &str = "custom_date";
    /// The same of leads, on which another form was seen (sheet §6).
    pub const LEAD_DATE: &str = "custom_date_leads";
    pub const CLOSING: &str = "closing";
    pub const CLOSED_EDITS: &str = "closed_lead_edits";
    pub const MONEY: &str = "custom_money";
    pub const CHOICES: &str = "custom_choices";
    pub const LEAD_VALUE: &str = "lead_value";
    pub const MANUAL_VALUE: &str = "rest_manual_value";
    pub const PRODUCT_DESCRIPTION: &str = "product_description";
    pub const REST: &str = "rest_access";
    pub const THROTTLED: &str = "throttled";
}

/// The form of each kind of value that has two, as bits: 0 is the first form.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Forms {
    /// A contact's name as one text, not an object.
    pub(super) name_text: bool,
    /// A day as text, not `{"timestamp"}`.
    pub(super) date_text: bool,
    /// A bare amount, not `{"currency", "amount"}`.
    pub(super) money_plain: bool,
    /// Several choices as an array, not one text.
    pub(super) choices_array: bool,
    /// What closes a lead by `outcomeId`, not as the object `outcome` (sheet §5.1 has both).
    pub(super) outcome_id: bool,
}

/// How many kinds of values have two forms.
const KINDS: u32 = 5;

impl Forms {
    fn bits(self) -> u32 {
        [self.name_text, self.date_text, self.money_plain, self.choices_array, self.outcome_id]
            .iter()
            .enumerate()
            .map(|(at, bit)| u32::from(*bit) << at)
            .sum()
    }

    fn from_bits(bits: u32) -> Forms {
        let bit = |at: u32| bits & (1 << at) != 0;
        Forms {
            name_text: bit(0),
            date_text: bit(1),
            money_plain: bit(2),
            choices_array: bit(3),
            outcome_id: bit(4),
        }
    }
}

/// What is known of one object: dates were seen in one form on contacts and in another on leads (sheet §6).
#[derive(Clone, Copy, Debug, Default)]
struct OfKind {
    /// The forms that are tried first.
    forms: Forms,
    /// The kinds of values whose form was taken once, as bits.
    proven: u32,
    /// Records that were refused in every form.
    futile: u32,
}

/// What is known of one account.
#[derive(Debug, Default)]
pub(super) struct Known {
    kinds: RefCell<BTreeMap<Kind, OfKind>>,
    /// Whether a closed lead can be edited without being reopened.
    closed_edits: Cell<Option<bool>>,
    /// Whether `findTasks` refuses `stubResponses`.
    plain_tasks: Cell<bool>,
    /// Whether `newLead` honours `value`, as a probe has it.
    lead_value: Cell<Option<bool>>,
    /// The same, as the last answer of a create showed it.
    seen_value: Cell<Option<bool>>,
    manual_value: Cell<Option<bool>>,
    product_description: Cell<Option<bool>>,
    rest: Cell<Option<bool>>,
    /// Whether a throttled answer is a 503, which could as well be a fault.
    busy_503: Cell<bool>,
    /// When the answers were found.
    day: RefCell<Option<String>>,
}

/// After so many records that no other form saved, a refusal is taken as it is unless it names a field.
const FUTILE: u32 = 2;

impl Known {
    /// Takes over what a probe found out.
    pub(super) fn learn(&self, probed: &Probed) {
        use question as q;
        for kind in Kind::CORE {
            let date = match kind {
                Kind::Lead => probed.word(q::LEAD_DATE).or(probed.word(q::DATE)),
                _ => probed.word(q::DATE),
            };
            self.of(kind, |of| {
                if let Some(object) = probed.flag(q::NAME_OBJECT) {
                    of.forms.name_text = !object;
                }
                of.forms.date_text |= date == Some("text");
                of.forms.money_plain |= probed.word(q::MONEY) == Some("plain");
                of.forms.choices_array |= probed.word(q::CHOICES) == Some("array");
                of.forms.outcome_id |= probed.word(q::CLOSING) == Some("id");
            });
        }
        self.closed_edits.set(probed.flag(q::CLOSED_EDITS));
        self.lead_value.set(probed.flag(q::LEAD_VALUE));
        self.manual_value.set(probed.flag(q::MANUAL_VALUE));
        self.product_description.set(probed.flag(q::PRODUCT_DESCRIPTION));
        self.rest.set(probed.flag(q::REST));
        self.busy_503.set(probed.word(q::THROTTLED).is_some_and(|word| word.starts_with("503")));
        *self.day.borrow_mut() = probed.day.map(|day| day.to_string());
    }

    fn of<T>(&self, kind: Kind, look: impl FnOnce(&mut OfKind) -> T) -> T {
        look(self.kinds.borrow_mut().entry(kind).or_default())
    }

    pub(super) fn forms(&self, kind: Kind) -> Forms {
        self.of(kind, |of| of.forms)
    }

    /// Whether a closed lead can be edited, as a probe or a refusal has shown it.
    pub(super) fn closed_edits(&self) -> Option<bool> {
        self.closed_edits.get()
    }

    pub(super) fn see_closed_edits(&self, taken: Option<bool>) {
        self.closed_edits.set(taken);
    }

    /// Whether `newLead` honours `value`, as a probe has it.
    pub(super) fn lead_value(&self) -> Option<bool> {
        self.lead_value.get()
    }

    /// The same, as this process has seen it: an answer may be out of date, and looking costs nothing.
    pub(super) fn seen_value(&self) -> Option<bool> {
        self.seen_value.get()
    }

    pub(super) fn see_value(&self, honoured: bool) {
        self.seen_value.set(Some(honoured));
    }

    pub(super) fn manual_value(&self) -> Option<bool> {
        self.manual_value.get()
    }

    pub(super) fn product_description(&self) -> Option<bool> {
        self.product_description.get()
    }

    pub(super) fn rest(&self) -> Option<bool> {
        self.rest.get()
    }

    pub(super) fn busy_503(&self) -> bool {
        self.busy_503.get()
    }

    /// The words that say since when something is known.
    pub(super) fn since(&self) -> String {
        self.day.borrow().as_ref().map_or_else(String::new, |day| format!(" (probed on {day})"))
    }

    /// Whether `findTasks` has refused `stubResponses`.
    pub(super) fn plain_tasks(&self) -> bool {
        self.plain_tasks.get()
    }

    pub(super) fn tasks_are_plain(&self) {
        self.plain_tasks.set(true);
    }

    /// A record was taken in these forms.
    pub(super) fn taken(&self, kind: Kind, forms: Forms, held: u32) {
        self.of(kind, |of| {
            of.forms = Forms::from_bits((of.forms.bits() & !held) | (forms.bits() & held));
            of.proven |= held;
        });
    }

    /// The forms in which a record that was refused as it was sent is worth another try; nearest first.
    pub(super) fn others(
        &self,
        kind: Kind,
        sent: Forms,
        held: u32,
        why: &str,
        named: impl Iterator<Item = String>,
    ) -> Vec<Forms> {
        let of = self.of(kind, |of| *of);
        let differs = |forms: Forms| (forms.bits() ^ sent.bits()) & held != 0;
        // While this record was on its way, another one may have shown the form.
        let mut others: Vec<Forms> = Some(of.forms).filter(|shown| differs(*shown)).into_iter().collect();
        let open = held & !of.proven;
        if open == 0 {
            return others;
        }
        // A refusal that names a field of the record is about its value.
        let why = why.to_lowercase();
        let about = named.into_iter().any(|name| why.contains(&name.to_lowercase()));
        if !about && of.futile >= FUTILE {
            return others;
        }
        let first = of.forms.bits();
        let mut flips: Vec<u32> = (1..1 << KINDS).filter(|flip| flip & !open == 0).collect();
        flips.sort_by_key(|flip| flip.count_ones());
        others.extend(
            flips.into_iter().map(|flip| Forms::from_bits(first ^ flip)).filter(|form| differs(*form)),
        );
        others
    }

    /// No form saved a record.
    pub(super) fn futile(&self, kind: Kind) {
        self.of(kind, |of| of.futile = of.futile.saturating_add(1));
    }
}

/// Which kinds of values with two forms a record holds, as bits in the order of [`Forms`].
pub(super) fn held(kind: Kind, fields: &Map<String, Json>, directory: Option<&Directory>) -> u32 {
    if !kind.is_core() {
        return 0;
    }
    let mut held = 0;
    if kind == Kind::Contact && fields.get("name").is_some_and(Json::is_object) {
        held |= 1;
    }
    if fields.get("outcome").is_some_and(Json::is_object) {
        held |= 16;
    }
    for (name, value) in fields.get("customFields").and_then(Json::as_object).into_iter().flatten() {
        if value.get("timestamp").is_some() {
            held |= 2;
        } else if value.get("amount").is_some() {
            held |= 4;
        } else if value.is_array() || (!value.is_null() && has_many(kind, name, directory)) {
            held |= 8;
        }
    }
    held
}

fn has_many(kind: Kind, name: &str, directory: Option<&Directory>) -> bool {
    directory.and_then(|directory| directory.field(kind, name)).is_some_and(|row| row.many)
}

/// The names of a record's custom fields and of what else has two forms.
pub(super) fn names(fields: &Map<String, Json>) -> impl Iterator<Item = String> {
    let customs = fields.get("customFields").and_then(Json::as_object);
    let customs: Vec<String> = customs.into_iter().flatten().map(|(name, _)| name.clone()).collect();
    let objects = ["name", "outcome"].into_iter().filter(|key| fields.get(*key).is_some_and(Json::is_object));
    let objects: Vec<String> = objects.map(str::to_owned).collect();
    customs.into_iter().chain(objects)
}

/// A record with its values in these forms.
///
/// # Errors
/// A value that cannot be said in its form.
pub(super) fn shaped(
    kind: Kind,
    mut fields: Map<String, Json>,
    forms: Forms,
    directory: Option<&Directory>,
) -> Result<Map<String, Json>, String> {
    if kind == Kind::Contact
        && forms.name_text
        && let Some(name @ Json::Object(_)) = fields.get("name")
    {
        let parts = ["givenName", "familyName"].iter().filter_map(|part| name.get(*part)?.as_str());
        let name = parts.collect::<Vec<_>>().join(" ");
        fields.insert("name".to_owned(), json!(name));
    }
    if forms.outcome_id
        && let Some(id) = fields.get("outcome").filter(|outcome| outcome.is_object()).and_then(directory::id)
    {
        fields.shift_remove("outcome");
        fields.insert("outcomeId".to_owned(), id_json(&id));
    }
    let Some(customs) = fields.get_mut("customFields").and_then(Json::as_object_mut) else {
        return Ok(fields);
    };
    for (name, value) in customs.iter_mut() {
        if let Some(seconds) = value.get("timestamp") {
            let seconds = seconds.as_i64().or_else(|| seconds.as_str()?.parse().ok());
            if forms.date_text
                && let Some(at) = seconds.and_then(|seconds| jiff::Timestamp::from_second(seconds).ok())
            {
                *value = json!(at.to_zoned(jiff::tz::TimeZone::UTC).date().to_string());
            }
        } else if let (Some(amount), true) = (value.get("amount"), forms.money_plain) {
            let currency = value.get("currency").and_then(Json::as_str).unwrap_or_default();
            let own = directory.and_then(|directory| {
                let market = directory.markets.iter().find(|market| market.default);
                market.or(directory.markets.first())?.currency.clone()
            });
            if own.as_deref().is_some_and(|own| own != currency) {
                return Err(format!(
                    "the account takes amounts of its own currency into `{name}` only, and this one is in {currency}: \
                     convert it in the spec, or keep it in a text"
                ));
            }
            *value = json!(amount.as_str().map_or_else(|| amount.to_string(), str::to_owned));
        } else if value.is_array() || has_many(kind, name, directory) {
            let choices = directory.and_then(|d| d.field(kind, name)).map(|row| row.choices.as_slice());
            match (&*value, forms.choices_array) {
                (Json::String(text), true) => *value = json!(split(text, choices.unwrap_or_default())),
                (Json::Array(list), false) => {
                    let texts: Vec<&str> = list.iter().filter_map(Json::as_str).collect();
                    if let Some(comma) = texts.iter().find(|text| texts.len() > 1 && text.contains(',')) {
                        return Err(format!(
                            "`{name}`: `{comma}` holds a comma and cannot be sent beside others in one text, and an \
                             array is not taken: name the choice without a comma in the settings and in the spec"
                        ));
                    }
                    *value = json!(texts.join(", "));
                }
                _ => {}
            }
        }
    }
    Ok(fields)
}

/// Several choices out of one text: those that are there, commas of their own included, and what is between two commas
/// where none of them fits.
fn split(text: &str, choices: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let fits = choices.iter().filter_map(|choice| {
            let behind = rest.strip_prefix(choice.as_str()).filter(|_| !choice.is_empty())?;
            (behind.is_empty() || behind.starts_with(", ")).then_some(choice.len())
        });
        let end = fits.max().unwrap_or_else(|| rest.find(", ").unwrap_or(rest.len()));
        let (one, behind) = rest.split_at(end);
        found.push(one.to_owned());
        rest = behind.strip_prefix(", ").unwrap_or_default();
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::directory::{FieldRow, Market};
    use super::*;
    use crate::lang::schema::Answer;

    fn directory() -> Directory {
        let row = FieldRow {
            name: "Interests".into(),
            word: "Decision".into(),
            choices: vec!["A, big".into(), "B".into(), "C".into()],
            many: true,
        };
        let market =
            Market { id: "1".into(), name: "US".into(), currency: Some("USD".into()), default: true };
        Directory {
            fields: [(Kind::Contact, vec![row])].into(),
            markets: vec![market],
            ..Directory::default()
        }
    }

    fn fields() -> Map<String, Json> {
        let json = json!({
            "name": {"salutation": "Mr", "givenName": "Jan", "familyName": "van Eyck"},
            "customFields": {
                "Born": {"timestamp": 86_400}, "Worth": {"currency": "USD", "amount": "5.50"}, "Interests": "B, C",
                "Else": "x, y",
            },
        });
        json.as_object().expect("an object").clone()
    }

    #[test]
    fn each_kind_of_value_takes_its_other_form() {
        let directory = directory();
        assert_eq!(held(Kind::Contact, &fields(), Some(&directory)), 15);
        assert_eq!(held(Kind::Contact, &fields(), None), 7);
        let same = shaped(Kind::Contact, fields(), Forms::default(), Some(&directory)).expect("shaped");
        assert_eq!(same, fields());
        let other = shaped(Kind::Contact, fields(), Forms::from_bits(15), Some(&directory)).expect("shaped");
        let expected = json!({
            "name": "Jan van Eyck",
            "customFields": {"Born": "1970-01-02", "Worth": "5.50", "Interests": ["B", "C"], "Else": "x, y"},
        });
        assert_eq!(Json::Object(other.clone()), expected);
        let mut whole = fields();
        for (text, list) in [("A, big", json!(["A, big"])), ("C, A, big, B", json!(["C", "A, big", "B"]))] {
            whole["customFields"]["Interests"] = json!(text);
            let shown = shaped(Kind::Contact, whole.clone(), Forms::from_bits(8), Some(&directory));
            assert_eq!(shown.expect("shaped")["customFields"]["Interests"], list);
        }
        whole["customFields"]["Interests"] = json!(["A, big", "B"]);
        let why = shaped(Kind::Contact, whole, Forms::default(), Some(&directory)).expect_err("a comma");
        assert!(why.contains("`A, big`") && why.contains("an array is not taken"), "{why}");
        // A list is several choices also where the account does not tell it.
        let mut untold = fields();
        untold["customFields"]["Interests"] = json!(["B", "C"]);
        assert_eq!(held(Kind::Contact, &untold, None), 15);
        let untold = shaped(Kind::Contact, untold, Forms::default(), None).expect("shaped");
        assert_eq!(untold["customFields"]["Interests"], "B, C");
        let close = |forms: Forms| {
            let fields = json!({"outcome": {"id": 7, "entityType": "Lead_Outcomes", "type": 10}});
            let fields = fields.as_object().expect("an object").clone();
            assert_eq!(held(Kind::Lead, &fields, None), 16);
            Json::Object(shaped(Kind::Lead, fields, forms, None).expect("shaped"))
        };
        assert_eq!(close(Forms::from_bits(16)), json!({"outcomeId": 7}));
        assert!(close(Forms::default())["outcome"].is_object());
        let mut foreign = fields();
        foreign["customFields"]["Worth"]["currency"] = json!("EUR");
        let why = shaped(Kind::Contact, foreign, Forms::from_bits(4), Some(&directory)).expect_err("foreign");
        assert!(why.contains("EUR") && why.contains("`Worth`"), "{why}");
    }

    #[test]
    fn what_was_taken_is_not_doubted_and_what_never_helped_is_not_tried() {
        let known = Known::default();
        let answers = [(question::DATE.to_owned(), Answer::word("text"))].into();
        known.learn(&Probed { day: None, answers });
        let (contact, lead) = (Kind::Contact, Kind::Lead);
        assert!(known.forms(contact).date_text && !known.forms(contact).money_plain);
        let others = |kind, held, why: &str, named: &[&str]| {
            let named: Vec<String> = named.iter().map(|name| (*name).to_owned()).collect();
            known.others(kind, known.forms(kind), held, why, named.into_iter())
        };
        let tries = others(contact, 0b110, "no", &[]);
        assert_eq!(tries.len(), 3);
        assert!(tries.contains(&Forms::default()), "an answer may be out of date: {tries:?}");
        known.taken(contact, known.forms(contact), 0b010);
        assert_eq!(others(contact, 0b110, "no", &[]).len(), 1);
        assert!(others(contact, 0b010, "no", &[]).is_empty());
        (0..FUTILE).for_each(|_| known.futile(contact));
        assert!(others(contact, 0b110, "no", &[]).is_empty());
        assert_eq!(others(contact, 0b110, "Invalid value for field worth", &["Worth"]).len(), 1);
        // What contacts take says nothing of leads.
        assert_eq!(others(lead, 0b110, "no", &[]).len(), 3);
        let answers = [(question::LEAD_DATE.to_owned(), Answer::word("timestamp"))];
        let answers =
            answers.into_iter().chain([(question::DATE.to_owned(), Answer::word("text"))]).collect();
        let known = Known::default();
        known.learn(&Probed { day: None, answers });
        assert!(known.forms(contact).date_text && !known.forms(lead).date_text);
    }

    #[test]
    fn a_form_that_another_record_showed_meanwhile_is_tried() {
        let known = Known::default();
        let sent = known.forms(Kind::Contact);
        let text = Forms { name_text: true, ..sent };
        let others = |sent| known.others(Kind::Contact, sent, 1, "refused", std::iter::empty());
        assert_eq!(others(sent), [text]);
        known.taken(Kind::Contact, text, 1);
        assert_eq!(others(sent), [text], "this one was on its way when the form was shown");
        assert_eq!(others(known.forms(Kind::Contact)), []);
    }
}
