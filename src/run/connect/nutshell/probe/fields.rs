//! Experiments with custom fields. No API deletes one: fields that are there are used, on records of the probe's own;
//! others are made only where somebody asked for it, and every later probe uses them again.

use serde_json::{Value as Json, json};

use super::super::capability::Kind;
use super::super::directory::{Directory, FieldRow, decimal};
use super::questions::Wanted;
use super::run::{Run, Told, Took, flag, id_of, word};
use crate::lang::schema::Answer;
use crate::run::connect::Error;

/// Why a question about fields is not asked.
pub(super) const NONE: &str =
    "no custom field of this kind is there: make one, or allow it with `--make-fields`";

/// The fields that are made, on accounts.
const TEXT: &str = "b2n probe text";
const SECOND_TEXT: &str = "b2n probe second text";
const DATE: &str = "b2n probe date";
const MONEY: &str = "b2n probe amount";
const CHOICES: &str = "b2n probe choices";
pub(super) const NUMBER: &str = "b2n probe number";

/// What is made for questions about such fields.
pub(super) fn made_for(wanted: Wanted) -> String {
    let fields: &[&str] = match wanted {
        Wanted::Text => &[TEXT],
        Wanted::TwoTexts => &[TEXT, SECOND_TEXT],
        Wanted::Date | Wanted::LeadDate => &[DATE],
        Wanted::Money => &[MONEY],
        Wanted::Choices => &[CHOICES],
    };
    let object = if wanted == Wanted::LeadDate { Kind::Lead } else { Kind::Account }.object();
    let fields: Vec<String> =
        fields.iter().map(|name| format!("the custom field `{name}` of {object}")).collect();
    fields.join(" and ")
}

/// Where an experiment takes place.
pub(super) struct Place {
    kind: Kind,
    field: FieldRow,
    /// A second one of the same kind.
    second: Option<String>,
}

impl Place {
    pub(super) fn shown(&self) -> String {
        let second = self.second.as_ref().map_or_else(String::new, |second| format!(" and `{second}`"));
        format!("`{}`{second} of {}", self.field.name, self.kind.object())
    }
}

impl Run<'_> {
    pub(super) fn has_number(&self) -> bool {
        let mut rows = self.directory.fields.values().flatten();
        rows.any(|row| row.word.eq_ignore_ascii_case("number"))
    }

    /// A field of this kind that is there; one of a probe first.
    pub(super) fn field(&self, wanted: Wanted) -> Option<Place> {
        let (word, own) = match wanted {
            Wanted::Text | Wanted::TwoTexts => ("text", TEXT),
            Wanted::Date | Wanted::LeadDate => ("date", DATE),
            Wanted::Money => ("currency", MONEY),
            Wanted::Choices => ("decision", CHOICES),
        };
        let plain = |choice: &&String| !choice.contains(',');
        // Leads are asked for their own form of dates.
        let kinds: &[Kind] = match wanted {
            Wanted::Date => &[Kind::Account, Kind::Contact],
            Wanted::LeadDate => &[Kind::Lead],
            _ => &Kind::CORE,
        };
        for kind in kinds.iter().copied() {
            let rows = self.directory.fields.get(&kind).map(Vec::as_slice).unwrap_or_default();
            let mut fits: Vec<&FieldRow> = rows
                .iter()
                // A field whose type is not told is known by the name that a probe gave it.
                .filter(|row| row.word.eq_ignore_ascii_case(word) || (row.word.is_empty() && row.name == own))
                .filter(|row| {
                    let choices = row.choices.iter().filter(plain).count();
                    wanted != Wanted::Choices || row.word.is_empty() || (row.many && choices >= 2)
                })
                .collect();
            fits.sort_by_key(|row| row.name != own);
            let Some(first) = fits.first() else { continue };
            let second = match wanted {
                Wanted::TwoTexts => {
                    let untold = rows.iter().find(|row| row.word.is_empty() && row.name == SECOND_TEXT);
                    match fits.get(1).copied().or(untold) {
                        Some(second) => Some(second.name.clone()),
                        None => continue,
                    }
                }
                _ => None,
            };
            return Some(Place { kind, field: (*first).clone(), second });
        }
        None
    }

    pub(super) async fn fields(&mut self) -> Result<(), Error> {
        if self.asking.make_fields && self.has_rest() {
            self.make_fields().await?;
        }
        self.on_dates().await;
        self.conclude("custom_money", self.money().await);
        self.on_choices().await;
        self.conclude("unsent_custom_fields_survive", self.unsent().await);
        self.conclude("patch_paths", self.patch_paths().await);
        self.conclude("number_type", self.number_type().await);
        Ok(())
    }

    /// Makes the fields that are missing.
    async fn make_fields(&mut self) -> Result<(), Error> {
        let mut made = false;
        for (wanted, name, body) in [
            (Wanted::Text, TEXT, json!({"name": TEXT, "type": "Text"})),
            (Wanted::TwoTexts, SECOND_TEXT, json!({"name": SECOND_TEXT, "type": "Text"})),
            (Wanted::Date, DATE, json!({"name": DATE, "type": "Date"})),
            (Wanted::LeadDate, DATE, json!({"name": DATE, "type": "Date"})),
            (Wanted::Money, MONEY, json!({"name": MONEY, "type": "Currency"})),
            (
                Wanted::Choices,
                CHOICES,
                json!({"name": CHOICES, "type": "Decision", "choices": ["One", "Two"], "isMultiple": true}),
            ),
        ] {
            let kind = if wanted == Wanted::LeadDate { Kind::Lead } else { Kind::Account };
            if self.field(wanted).is_some() || self.directory.field(kind, name).is_some() {
                continue;
            }
            // What is refused shows as a question without an answer.
            let path = format!("/{}/customfield", kind.rest());
            made |= matches!(self.post(&path, &body).await, Ok(Took::Taken(_)));
        }
        if made {
            let directory = std::rc::Rc::new(Directory::fetch(self.client()).await?);
            *self.prober.target.directory.borrow_mut() = Some(std::rc::Rc::clone(&directory));
            self.directory = directory;
        }
        Ok(())
    }

    fn place(&self, wanted: Wanted) -> Told<Place> {
        self.field(wanted).ok_or_else(|| NONE.to_owned())
    }

    /// A record to try fields on.
    async fn holder(&self, kind: Kind, word: &str) -> Told<String> {
        match kind {
            Kind::Lead => id_of(&self.a_lead(word, json!({})).await?),
            kind => id_of(&self.must(kind, json!({"name": self.named(word)})).await?),
        }
    }

    /// Writes a custom field; what it holds then, or why it was refused.
    async fn write(&self, place: &Place, id: &str, value: Json) -> Told<Result<Json, String>> {
        let name = &place.field.name;
        match self.edit(place.kind, id, json!({"customFields": {name: value}})).await? {
            Took::Refused(why) => Ok(Err(why)),
            Took::Taken(_) => Ok(Ok(self.custom(place.kind, id, name).await?)),
        }
    }

    async fn custom(&self, kind: Kind, id: &str, name: &str) -> Told<Json> {
        let body = self.read(kind, id).await?;
        Ok(body.get("customFields").and_then(|fields| fields.get(name)).cloned().unwrap_or_default())
    }

    async fn on_dates(&self) {
        let mut told = Vec::new();
        for (wanted, question) in [(Wanted::Date, "custom_date"), (Wanted::LeadDate, "custom_date_leads")] {
            match self.dates(wanted).await {
                Ok((form, keeps)) => {
                    self.conclude(question, Ok(form));
                    told.push(keeps);
                }
                Err(why) => {
                    self.say(question, None, why.clone());
                    told.push(Err(why));
                }
            }
        }
        let (known, unknown): (Vec<_>, Vec<_>) = told.into_iter().partition(Result::is_ok);
        if let Some(keeps) = known.into_iter().chain(unknown).next() {
            self.conclude("date_keeps_time", keeps);
        }
    }

    async fn dates(&self, wanted: Wanted) -> Told<((Answer, String), Told<(Answer, String)>)> {
        /// 2020-01-02, in the afternoon.
        const AFTERNOON: i64 = 1_577_976_245;
        let place = self.place(wanted)?;
        let id = self.holder(place.kind, "date").await?;
        let shown = |written: &Result<Json, String>| match written {
            Ok(there) => format!("comes back as `{there}`"),
            Err(why) => format!("refused: {why}"),
        };
        let stamped = self.write(&place, &id, json!({"timestamp": AFTERNOON})).await?;
        let seconds = |there: &Json| {
            let there = there.get("timestamp").unwrap_or(there);
            there.as_i64().or_else(|| there.as_str()?.parse().ok())
        };
        let by_stamp = stamped
            .as_ref()
            .is_ok_and(|there| seconds(there).is_some_and(|s| s / 86_400 == AFTERNOON / 86_400));
        let written = self.write(&place, &id, json!("2021-05-06")).await?;
        let by_text = written.as_ref().is_ok_and(|there| {
            seconds(there).is_some_and(|s| s / 86_400 == 18_753)
                || there.as_str().is_some_and(|t| t.starts_with("2021-05-06"))
        });
        let form = form(by_stamp, by_text, "timestamp", "text");
        let evidence = format!("`{{\"timestamp\"}}`: {}; `2021-05-06`: {}", shown(&stamped), shown(&written));
        let keeps = match (&stamped, by_stamp) {
            (Ok(there), true) => {
                let kept = seconds(there).is_some_and(|s| s % 86_400 != 0);
                flag(kept, format!("{AFTERNOON} comes back as `{there}`"))
            }
            _ => Err("no form with a time of day is taken".to_owned()),
        };
        Ok(((Answer::word(form), evidence), keeps))
    }

    async fn money(&self) -> Told<(Answer, String)> {
        let place = self.place(Wanted::Money)?;
        let id = self.holder(place.kind, "amount").await?;
        let market = self.directory.markets.iter().find(|market| market.default);
        let currency = market.and_then(|market| market.currency.clone()).unwrap_or_else(|| "USD".to_owned());
        let amount = |there: &Json| decimal(there.get("amount").unwrap_or(there));
        let object = self.write(&place, &id, json!({"currency": currency, "amount": "12.5"})).await?;
        let plain = self.write(&place, &id, json!("7.25")).await?;
        let is = |written: &Result<Json, String>, wanted: &str| {
            written.as_ref().is_ok_and(|there| amount(there) == decimal(&json!(wanted)))
        };
        let form = form(is(&object, "12.5"), is(&plain, "7.25"), "object", "plain");
        word(form, format!("as an object: {}; as a text: {}", seen(&object), seen(&plain)))
    }

    async fn on_choices(&self) {
        match self.choices().await {
            Ok((taken, read, unknown)) => {
                self.conclude("custom_choices", taken);
                self.conclude("choices_read", read);
                self.conclude("unknown_choice", unknown);
            }
            Err(why) => {
                for question in ["custom_choices", "choices_read", "unknown_choice"] {
                    self.say(question, None, why.clone());
                }
            }
        }
    }

    async fn choices(
        &self,
    ) -> Told<(Told<(Answer, String)>, Told<(Answer, String)>, Told<(Answer, String)>)> {
        const UNKNOWN: &str = "b2n probe no such choice";
        let place = self.place(Wanted::Choices)?;
        let id = self.holder(place.kind, "choices").await?;
        let mut two: Vec<String> =
            place.field.choices.iter().filter(|choice| !choice.contains(',')).take(2).cloned().collect();
        if two.is_empty() {
            two = vec!["One".to_owned(), "Two".to_owned()];
        }
        let there = |there: &Json| -> Vec<String> {
            match there {
                Json::Array(list) => list.iter().filter_map(|one| one.as_str().map(str::to_owned)).collect(),
                Json::String(text) => text.split(", ").map(str::to_owned).collect(),
                _ => Vec::new(),
            }
        };
        let fits = |written: &Result<Json, String>| written.as_ref().is_ok_and(|json| there(json) == two);
        let joined = self.write(&place, &id, json!(two.join(", "))).await?;
        // In another order, so that what was there cannot be taken for it.
        self.write(&place, &id, Json::Null).await?.ok();
        let array = self.write(&place, &id, json!(two)).await?;
        let taken = word(
            form(fits(&joined), fits(&array), "joined", "array"),
            format!("as a joined text: {}; as an array: {}", seen(&joined), seen(&array)),
        );
        let last = [&array, &joined]
            .into_iter()
            .filter(|written| fits(written))
            .find_map(|written| written.as_ref().ok());
        let read = match last {
            Some(json) => {
                word(if json.is_array() { "array" } else { "joined" }, format!("both come back as `{json}`"))
            }
            None => Err("no form of several choices is taken".to_owned()),
        };
        let value = if fits(&joined) { json!(UNKNOWN) } else { json!([UNKNOWN]) };
        self.write(&place, &id, Json::Null).await?.ok();
        let unknown = match self.write(&place, &id, value).await? {
            Err(why) => word("rejected", why),
            Ok(json) if there(&json).iter().any(|one| one == UNKNOWN) => {
                word("kept", format!("comes back as `{json}`"))
            }
            Ok(json) => word("dropped", format!("comes back as `{json}`")),
        };
        Ok((taken, read, unknown))
    }

    async fn unsent(&self) -> Told<(Answer, String)> {
        let place = self.place(Wanted::TwoTexts)?;
        let (first, second) = (place.field.name.clone(), place.second.clone().unwrap_or_default());
        let id = self.holder(place.kind, "two fields").await?;
        for customs in [json!({&first: "a", &second: "b"}), json!({&second: "c"})] {
            if let Took::Refused(why) = self.edit(place.kind, &id, json!({"customFields": customs})).await? {
                return Err(format!("`edit{}`: {why}", place.kind.object()));
            }
        }
        let there = self.custom(place.kind, &id, &first).await?;
        flag(
            there.as_str() == Some("a"),
            format!("`{first}` was not sent with the second edit, and holds `{there}`"),
        )
    }

    async fn patch_paths(&self) -> Told<(Answer, String)> {
        self.needs_rest()?;
        let place = self.place(Wanted::Text)?;
        let name = &place.field.name;
        let id = self.holder(place.kind, "paths").await?;
        let escaped = name.replace('~', "~0").replace('/', "~1");
        let resource = place.kind.rest();
        let mut works: Vec<&str> = Vec::new();
        let mut said: Vec<String> = Vec::new();
        for (form, path, value, wanted) in [
            ("name", format!("/{resource}/0/{escaped}"), json!("by name"), "by name"),
            ("object", format!("/{resource}/0/customFields"), json!({name: "as an object"}), "as an object"),
            ("nested", format!("/{resource}/0/customFields/{escaped}"), json!("nested"), "nested"),
        ] {
            match self.patch(place.kind, &id, &path, value).await? {
                Took::Refused(why) => said.push(format!("{form}: {why}")),
                Took::Taken(_) => {
                    let there = self.custom(place.kind, &id, name).await?;
                    if there.as_str() == Some(wanted) {
                        works.push(form);
                        said.push(format!("{form}: taken"));
                    } else {
                        said.push(format!("{form}: ignored"));
                    }
                }
            }
        }
        let answer = if works.is_empty() { "none".to_owned() } else { works.join(", ") };
        word(&answer, said.join("; "))
    }

    async fn number_type(&self) -> Told<(Answer, String)> {
        if self.has_number() {
            return flag(true, "a field of type `Number` is there");
        }
        self.needs_rest()?;
        if !self.asking.make_fields {
            return Err(NONE.to_owned());
        }
        match self.post("/accounts/customfield", &json!({"name": NUMBER, "type": "Number"})).await? {
            Took::Taken(_) => flag(true, "`POST /accounts/customfield` with `Number` is taken"),
            Took::Refused(why) => flag(false, format!("`POST /accounts/customfield` with `Number`: {why}")),
        }
    }
}

fn form(one: bool, other: bool, first: &'static str, second: &'static str) -> &'static str {
    match (one, other) {
        (true, true) => "both",
        (true, false) => first,
        (false, true) => second,
        (false, false) => "neither",
    }
}

fn seen(written: &Result<Json, String>) -> String {
    match written {
        Ok(there) => format!("comes back as `{there}`"),
        Err(why) => format!("refused: {why}"),
    }
}
