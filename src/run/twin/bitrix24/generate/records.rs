//! Records from a shape: which value each field gets.
//!
//! Owns the wire form of generated values, the links and what follows from other fields. The words come from `text`.
//!
//! INVARIANT: a record is a function of seed, entity, place and the ids, and each field has a stream of its own, so
//! that a field more in the shape changes no other value.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::activity;
use super::hang;
use super::plan::{FieldPlan, What, plan};
use super::rng::{Rng, salt};
use super::shape::{EntityShape, Semantics, Shape};
use super::text::{self, Culture, Person};
use super::time::Clock;
use crate::run::twin::bitrix24::{
    Entity, Portal,
    portal::{Link, Record},
};

/// A stage as records need it.
#[derive(Clone, Debug)]
pub(super) struct Stage {
    pub(super) category: i64,
    pub(super) semantics: Semantics,
    pub(super) first: bool,
}

/// The ids of an entity's records, with gaps where records were deleted.
#[derive(Default)]
struct Ids {
    live: Vec<i64>,
    set: BTreeSet<i64>,
}

impl Ids {
    fn draw(&self, rng: &mut Rng) -> Option<i64> {
        self.live.get(rng.index(self.live.len())).copied()
    }

    /// An id that no record has (any more).
    fn deleted(&self, rng: &mut Rng) -> i64 {
        let past = self.live.last().copied().unwrap_or(0) + 1;
        let near = self.draw(rng).unwrap_or(0) + 1;
        if self.set.contains(&near) { past } else { near }
    }
}

/// Fills a portal that has no records yet.
pub(super) fn fill(portal: &mut Portal, shape: &Shape, seed: u64) {
    let mut maker = Maker {
        shape,
        seed,
        clock: Clock::new(shape.offset_hours),
        ids: BTreeMap::new(),
        stages: stages(shape),
        converted: Vec::new(),
        next_multifield: 101,
    };
    for (&entity, part) in &shape.entities {
        maker.ids.insert(entity, maker.allot(entity, part.count));
    }
    // Contacts before deals: a deal's company is mostly that of its contact. Leads first: others point back to the
    // converted ones.
    let processes = shape.entities.keys().filter(|entity| matches!(entity, Entity::Process(_))).copied();
    let main = [Entity::Lead, Entity::Company, Entity::Contact, Entity::Deal];
    for entity in main.into_iter().chain(Entity::MORE).chain(processes) {
        if let Some(part) = shape.entities.get(&entity) {
            maker.entity(portal, entity, part);
        }
    }
    hang::fill(portal, &maker);
}

/// The place of an entity in the streams.
pub(super) fn place(entity: Entity) -> u64 {
    match entity {
        Entity::Lead => 0,
        Entity::Deal => 1,
        Entity::Contact => 2,
        Entity::Company => 3,
        Entity::Quote => 4,
        Entity::Product => 5,
        Entity::Activity => 6,
        Entity::Comment => 7,
        Entity::Process(kind) => 1000 + u64::from(kind),
    }
}

/// A decimal as a JSON number, digit by digit.
pub(super) fn number(decimal: rust_decimal::Decimal) -> Value {
    let text = decimal.normalize().to_string();
    serde_json::from_str::<serde_json::Number>(&text).map_or(Value::Null, Value::Number)
}

fn stages(shape: &Shape) -> BTreeMap<(Entity, String), Stage> {
    let mut out = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for status in &shape.statuses {
        let (entity, category) = match (status.directory.as_str(), status.category(), status.process()) {
            ("STATUS", ..) => (Entity::Lead, 0),
            ("QUOTE_STATUS", ..) => (Entity::Quote, 0),
            (_, Some(category), _) => (Entity::Deal, category),
            (_, _, Some((kind, category))) => (Entity::Process(kind), category),
            _ => continue,
        };
        let stage =
            Stage { category, semantics: status.semantics, first: seen.insert(status.directory.as_str()) };
        out.insert((entity, status.code.clone()), stage);
    }
    out
}

pub(super) struct Maker<'a> {
    pub(super) shape: &'a Shape,
    pub(super) seed: u64,
    clock: Clock,
    ids: BTreeMap<Entity, Ids>,
    stages: BTreeMap<(Entity, String), Stage>,
    converted: Vec<i64>,
    next_multifield: i64,
}

/// What the fields of one record share.
struct Context<'a> {
    entity: Entity,
    id: i64,
    person: Person,
    created: i64,
    changed: i64,
    stage: Option<Stage>,
    /// The code of its stage, or of its type where that decides the other fields.
    code: Option<&'a str>,
    links: &'a [Link],
    company: Option<i64>,
    /// Whether this record spells its blanks out.
    explicit: bool,
}

impl Maker<'_> {
    fn allot(&self, entity: Entity, count: usize) -> Ids {
        let mut rng = Rng::at(self.seed, &[salt("ids"), place(entity)]);
        let mut id = 0;
        let mut ids = Ids::default();
        for _ in 0..count {
            id += 1 + i64::from(rng.chance(0.1)) + i64::from(rng.chance(0.02)) * 5;
            ids.live.push(id);
            ids.set.insert(id);
        }
        ids
    }

    fn entity(&mut self, portal: &mut Portal, entity: Entity, part: &EntityShape) {
        let plans: Vec<FieldPlan> = part.fields.iter().map(|field| plan(self.shape, entity, field)).collect();
        let stage_plan = plans.iter().find(|plan| matches!(plan.what, What::Stage | What::Kind));
        let link_plan = match entity {
            Entity::Contact => plans.iter().find(|plan| matches!(plan.what, What::Company)),
            Entity::Deal | Entity::Quote => plans.iter().find(|plan| matches!(plan.what, What::Contact)),
            _ => None,
        };
        let company_plan = plans.iter().find(|plan| matches!(plan.what, What::Company));
        let live = self.ids.get(&entity).map(|ids| ids.live.clone()).unwrap_or_default();
        for (nth, &id) in live.iter().enumerate() {
            let mut rng = Rng::at(self.seed, &[salt("record"), place(entity), id as u64]);
            let (created, changed) = self.moments(&mut rng, nth, live.len());
            let stage_code = stage_plan.and_then(|plan| self.stage(plan, entity, id));
            let links = link_plan.map_or_else(Vec::new, |plan| self.links(plan, entity, id, part.more_links));
            let company = match entity {
                Entity::Contact => links.first().map(|link| link.id),
                _ => company_plan.and_then(|plan| self.company(plan, portal, entity, id, &links)),
            };
            let context = Context {
                entity,
                id,
                person: text::person(&mut rng, self.shape.mess),
                created,
                changed,
                stage: stage_code.as_ref().and_then(|code| self.stages.get(&(entity, code.clone())).cloned()),
                code: stage_code.as_deref(),
                links: &links,
                company,
                explicit: rng.chance(0.1),
            };
            let mut record = Record::new();
            for plan in &plans {
                let mut rng = Rng::at(self.seed, &[plan.salt, place(entity), id as u64]);
                let value = match (&plan.what, &stage_code) {
                    (What::Stage | What::Kind, Some(code)) => Some(json!(code)),
                    (What::Stage | What::Kind, None) => None,
                    _ if plan.what.derived() || rng.chance(plan.shape.fill) => {
                        self.value(plan, &context, &mut rng)
                    }
                    _ => None,
                };
                let value = match value {
                    None if context.explicit => {
                        // Not the stream above: it is known to have said "blank".
                        let place = [salt("blank"), plan.salt, place(entity), id as u64];
                        plan.blank(&mut Rng::at(self.seed, &place))
                    }
                    value => value,
                };
                if let Some(value) = value {
                    record.insert(plan.shape.code.clone(), value);
                }
            }
            for plan in &plans {
                if let What::Has(multifield) = &plan.what {
                    record.insert(plan.shape.code.clone(), json!(flag(has(&record, multifield))));
                }
            }
            if matches!(&context.stage, Some(stage) if entity == Entity::Lead && stage.semantics == Semantics::Success)
            {
                self.converted.push(id);
            }
            if !links.is_empty() {
                let table = match entity {
                    Entity::Deal => &mut portal.deal_contacts,
                    Entity::Quote => &mut portal.quote_contacts,
                    _ => &mut portal.contact_companies,
                };
                table.insert(id, links);
            }
            portal.records.entry(entity).or_default().insert(id, record);
        }
    }

    /// When a record was made and last changed: ids rise with time, but for a few that were imported later.
    fn moments(&self, rng: &mut Rng, place: usize, count: usize) -> (i64, i64) {
        // Within what can be printed, whatever the shape says.
        let (since, until) = (self.shape.since.clamp(-FAR, FAR), self.shape.until.clamp(-FAR, FAR));
        let span = (until - since).max(1);
        let step = span / (count.max(1) as i64);
        let at = if rng.chance(0.02) {
            rng.below(span as u64) as i64
        } else {
            step * place as i64 + rng.below(step.max(1) as u64) as i64
        };
        let created = since + at;
        let left = (until - created).clamp(1, 400 * DAY);
        (created, created + rng.below(left as u64) as i64)
    }

    fn stage(&self, plan: &FieldPlan, entity: Entity, id: i64) -> Option<String> {
        let mut rng = Rng::at(self.seed, &[plan.salt, place(entity), id as u64]);
        if !rng.chance(plan.shape.fill) {
            return None;
        }
        plan.choose(&mut rng).map(str::to_owned)
    }

    /// The companies of a contact or the contacts of a deal; the first one is the primary one.
    fn links(&self, plan: &FieldPlan, entity: Entity, id: i64, more: f64) -> Vec<Link> {
        let mut rng = Rng::at(self.seed, &[plan.salt, place(entity), id as u64]);
        let other = if entity == Entity::Contact { Entity::Company } else { Entity::Contact };
        let mut out: Vec<Link> = Vec::new();
        if !rng.chance(plan.shape.fill) {
            return out;
        }
        // At most five tries: a small portal may not have five others, and chances may be 1.
        for _ in 0..5 {
            let Some(id) = self.other(other, &mut rng) else {
                break;
            };
            if out.iter().all(|link| link.id != id) {
                out.push(Link { id, sort: (out.len() as i64 + 1) * 100, primary: out.is_empty() });
            }
            if !rng.chance(more) {
                break;
            }
        }
        out
    }

    /// Some record of an entity, at times a deleted one.
    pub(super) fn other(&self, entity: Entity, rng: &mut Rng) -> Option<i64> {
        let ids = self.ids.get(&entity).filter(|ids| !ids.live.is_empty())?;
        if rng.chance(self.shape.dangling) { Some(ids.deleted(rng)) } else { ids.draw(rng) }
    }

    /// Some record of an entity that is there.
    pub(super) fn alive(&self, entity: Entity, rng: &mut Rng) -> Option<i64> {
        self.ids.get(&entity)?.draw(rng)
    }

    fn company(
        &self,
        plan: &FieldPlan,
        portal: &Portal,
        entity: Entity,
        id: i64,
        links: &[Link],
    ) -> Option<i64> {
        let mut rng = Rng::at(self.seed, &[plan.salt, place(entity), id as u64]);
        if !rng.chance(plan.shape.fill) {
            return None;
        }
        let of_contact = links
            .first()
            .and_then(|link| portal.contact_companies.get(&link.id)?.first())
            .map(|link| link.id);
        match of_contact {
            Some(company) if rng.chance(0.7) => Some(company),
            _ => self.other(Entity::Company, &mut rng),
        }
    }

    fn value(&mut self, plan: &FieldPlan, context: &Context<'_>, rng: &mut Rng) -> Option<Value> {
        let mess = self.shape.mess;
        let person = &context.person;
        let text = |text: String| Some(Value::String(text));
        match &plan.what {
            What::Id => text(context.id.to_string()),
            What::Never | What::Stage | What::Kind | What::Has(_) | What::Hangs => None,
            What::Number => text(context.id.to_string()),
            What::Starts => text(self.clock.moment(starts(context))),
            What::Finishes => text(self.clock.moment(finishes(context))),
            What::Deadline => match context.code {
                Some("1" | "2") => text(self.clock.moment(starts(context))),
                Some("3") => text(self.clock.moment(finishes(context))),
                _ => text(format!("9999-12-31T00:00:00{}", self.clock.zone())),
            },
            What::Subject => text(activity::subject(context.code, context.id, rng)),
            What::ActivityText => text(activity::text(context.code, rng)),
            What::ContentType => Some(json!(activity::content_type(context.code))),
            What::Provider => Some(json!(activity::provider(context.code))),
            What::Direction => Some(json!(match context.code {
                Some("2" | "4") => ["1", "2"][rng.index(2)],
                _ => "0",
            })),
            What::CommentText => text(activity::comment(rng)),
            What::ItemTitle => text(activity::item(rng, mess)),
            What::ProductText => text(activity::product_text(rng)),
            What::Sku => text(activity::sku(rng)),
            What::Deal => self.other(Entity::Deal, rng).map(|id| json!(id.to_string())),
            What::Parent(entity) => self.other(*entity, rng).map(|id| json!(id.to_string())),
            What::DiskFiles => {
                let id = 1000 + rng.below(100_000);
                Some(
                    json!([{"id": id, "url": format!("https://{}/disk/downloadFile/{id}/?auth=", self.shape.host)}]),
                )
            }
            What::AttachedFiles => {
                let id = 1000 + rng.below(100_000);
                Some(
                    json!({ id.to_string(): {"id": id, "type": "image", "name": format!("{id}.gif"), "size": 43} }),
                )
            }
            What::Property => {
                Some(json!({"value": activity::sku(rng), "valueId": (9000 + context.id).to_string()}))
            }
            What::CompanyTitle => text(text::company(rng, mess)),
            What::DealTitle => text(text::deal(rng, mess)),
            What::LeadTitle if rng.chance(0.5) => text(format!("Лид №{}", context.id)),
            What::LeadTitle => text(text::deal(rng, mess)),
            What::Given => text(person.given.clone()),
            What::Middle => Some(json!(person.middle)).filter(|_| !person.middle.is_empty()),
            What::Family => Some(json!(person.family)),
            What::Post => Some(json!(text::post(rng))),
            What::Comment => text(text::comment(rng)),
            What::Street => text(text::street(rng, person.culture)),
            What::City => Some(json!(person.culture.place(rng).0)),
            What::Country => Some(json!(person.culture.place(rng).1)),
            What::CountryCode => Some(json!(person.culture.place(rng).2)),
            What::Postcode => text(format!("{:06}", rng.below(1_000_000))),
            What::Created => text(self.clock.moment(context.created)),
            What::Changed => text(self.clock.moment(context.changed)),
            What::Closed if closed(context) => text(self.clock.moment(context.changed)),
            What::Closed => None,
            What::Begins => text(self.clock.day(context.created)),
            What::Ends => text(self.clock.day(context.created + (7 + rng.below(120) as i64) * DAY)),
            What::Birth => text(self.clock.day(-20 * 365 * DAY + rng.below(50 * 365) as i64 * DAY)),
            What::Category => text(context.stage.as_ref().map_or(0, |stage| stage.category).to_string()),
            What::StageSemantics => context.stage.as_ref().map(|stage| json!(stage.semantics.letter())),
            What::IsClosed => Some(json!(flag(closed(context)))),
            What::IsNew => Some(json!(flag(context.stage.as_ref().is_some_and(|stage| stage.first)))),
            What::Opportunity if rng.chance(0.08) => Some(json!("0.00")),
            What::Opportunity => text(amount(rng)),
            // The documented company has a revenue of "0", without decimals.
            What::Double if plan.shape.code == "REVENUE" && rng.chance(0.1) => Some(json!("0")),
            What::Double => several(plan, rng, |rng| json!(amount(rng))),
            What::Tax => Some(json!("0.00")),
            What::Percent => text((rng.below(21) * 5).to_string()),
            What::Integer => several(plan, rng, |rng| json!(rng.below(10_000).to_string())),
            What::Choice => Some(plan.wire(plan.choose(rng)?, context.explicit)),
            What::Choices => {
                let mut picked: Vec<&str> = Vec::new();
                for _ in 0..=rng.below(3) {
                    picked.extend(plan.choose(rng).filter(|id| !picked.contains(id)));
                }
                let ids: Vec<_> = picked.iter().map(|id| plan.wire(id, context.explicit)).collect();
                (!ids.is_empty()).then(|| json!(ids))
            }
            What::CustomFlag => {
                let yes = plan
                    .choose(rng)
                    .map_or_else(|| rng.chance(0.5), |choice| matches!(choice, "1" | "Y" | "true"));
                Some(match (yes, rng.below(3)) {
                    (true, 0) => json!(true),
                    (true, 1) => json!("1"),
                    (true, _) => json!(1),
                    (false, 0) => json!("0"),
                    (false, _) => json!(0),
                })
            }
            What::Company => context.company.map(|id| json!(id.to_string())),
            What::Contact if matches!(context.entity, Entity::Deal | Entity::Quote) => {
                context.links.first().map(|link| json!(link.id.to_string()))
            }
            What::Contact => self.other(Entity::Contact, rng).map(|id| json!(id.to_string())),
            What::Lead => {
                let id = self.converted.get(rng.index(self.converted.len()))?;
                text(id.to_string())
            }
            What::Bindings => {
                let count = if plan.shape.multiple { 1 + rng.below(3) } else { 1 };
                let mut picked = Vec::new();
                for _ in 0..count {
                    let value = self.binding(plan, context, rng);
                    picked.extend(value.filter(|value| !picked.contains(value)));
                }
                if plan.shape.multiple { (!picked.is_empty()).then(|| json!(picked)) } else { picked.pop() }
            }
            What::Multifield => self.multifield(plan, context, rng),
            What::File => {
                let made = |rng: &mut Rng| file(plan, context, rng);
                several(plan, rng, made)
            }
            What::Money => {
                let currencies = &self.shape.currencies;
                several(plan, rng, |rng| {
                    let currency =
                        currencies.get(rng.index(currencies.len())).map_or("USD", |c| c.code.as_str());
                    let whole = amount(rng);
                    // Whole amounts lose their decimals in this type.
                    let short = whole.strip_suffix(".00").unwrap_or(&whole);
                    json!(format!("{short}|{currency}"))
                })
            }
            What::Day => {
                let (clock, from) = (self.clock, context.created);
                several(plan, rng, move |rng| json!(clock.day(from + rng.below(900) as i64 * DAY)))
            }
            What::Moment => {
                let (clock, from) = (self.clock, context.created);
                several(plan, rng, move |rng| json!(clock.moment(from + rng.below(900 * DAY as u64) as i64)))
            }
            What::Url => several(plan, rng, |rng| json!(text::web(rng, mess))),
            What::Address => several(plan, rng, |rng| {
                let (city, country, _) = person.culture.place(rng);
                let street = text::street(rng, person.culture);
                let place = if rng.chance(0.5) { "55.761234;37.591234" } else { ";" };
                json!(format!("{street}, {city}, {country}|{place}|{}", 500 + rng.below(500)))
            }),
            What::Words => several(plan, rng, |rng| json!(text::words(rng))),
        }
    }

    /// A value of a `crm` field: `CO_12`, and mostly the bare id where only one type is allowed. Older records only,
    /// so that parents make no cycle.
    fn binding(&self, plan: &FieldPlan, context: &Context<'_>, rng: &mut Rng) -> Option<Value> {
        let targets = &plan.shape.targets;
        let target = *targets.get(rng.index(targets.len()))?;
        let ids = self.ids.get(&target)?;
        let id = if target == context.entity {
            let older = ids.live.partition_point(|&id| id < context.id);
            *ids.live.get(rng.index(older)).filter(|_| older > 0)?
        } else {
            self.other(target, rng)?
        };
        let prefix = target.short_code();
        Some(if targets.len() == 1 && rng.chance(0.8) {
            json!(id.to_string())
        } else {
            json!(format!("{prefix}_{id}"))
        })
    }

    /// Rows of `PHONE`, `EMAIL`, `WEB`, `IM`; row ids rise through the whole portal.
    fn multifield(&mut self, plan: &FieldPlan, context: &Context<'_>, rng: &mut Rng) -> Option<Value> {
        let mess = self.shape.mess;
        let code = plan.shape.code.as_str();
        let culture = match context.entity {
            Entity::Company => Culture::draw(rng),
            _ => context.person.culture,
        };
        let (kinds, more): (&[&'static str], f64) = match code {
            "PHONE" => (&["WORK", "MOBILE", "WORK", "HOME", "FAX", "OTHER"], 0.25),
            "EMAIL" => (&["WORK", "WORK", "HOME", "MAILING", "OTHER"], 0.15),
            "WEB" => (&["WORK", "OTHER", "VK"], 0.05),
            "IM" => (&["TELEGRAM", "SKYPE", "VIBER", "OPENLINE"], 0.1),
            _ => (&["OTHER"], 0.0),
        };
        let mut rows: Vec<Value> = Vec::new();
        let mut last = String::new();
        loop {
            let kind = rng.pick(kinds);
            let value = match code {
                "PHONE" if !last.is_empty() && rng.chance(0.2 * mess) => text::respell(&last, rng),
                "PHONE" => text::phone(rng, culture, mess),
                "EMAIL" => text::email(rng, &context.person.handle, mess),
                "WEB" => text::web(rng, mess),
                "IM" if kind == "OPENLINE" => {
                    format!("imol|livechat|1|{}|{}", 1 + rng.below(90), 1 + rng.below(90))
                }
                _ => format!("{}{}", context.person.handle, rng.below(1000)),
            };
            rows.push(json!({
                "ID": self.next_multifield.to_string(),
                "VALUE_TYPE": kind,
                "VALUE": value,
                "TYPE_ID": code,
            }));
            last = value;
            self.next_multifield += 2;
            if rows.len() >= 4 || !rng.chance(more) {
                return Some(Value::Array(rows));
            }
        }
    }
}

const DAY: i64 = 86_400;

/// Some 6,000 years in seconds.
const FAR: i64 = 200_000_000_000;

fn flag(yes: bool) -> &'static str {
    if yes { "Y" } else { "N" }
}

/// When an activity begins: up to three days after it was planned.
fn starts(context: &Context<'_>) -> i64 {
    context.created + context.id.rem_euclid(72) * 3600
}

/// A quarter of an hour to two hours later.
fn finishes(context: &Context<'_>) -> i64 {
    starts(context) + (context.id.rem_euclid(8) + 1) * 900
}

fn closed(context: &Context<'_>) -> bool {
    matches!(&context.stage, Some(stage) if stage.semantics != Semantics::Process)
}

/// Whether a record has rows of a multifield, `IM` meaning its open lines only.
pub(super) fn has(record: &Record, multifield: &str) -> bool {
    let rows = record.get(multifield).and_then(Value::as_array);
    let mut rows = rows.into_iter().flatten();
    match multifield {
        "IM" => rows.any(|row| row.get("VALUE_TYPE").is_some_and(|kind| kind == "OPENLINE")),
        _ => rows.next().is_some(),
    }
}

/// From a cent to ten million, small sums as likely as great ones, a third of them round.
fn amount(rng: &mut Rng) -> String {
    let most = [1_000u64, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000][rng.index(7)];
    let mut cents = 1 + rng.below(most);
    if rng.chance(0.33) {
        cents = (cents / 10_000 + 1) * 10_000;
    }
    format!("{}.{:02}", cents / 100, cents % 100)
}

fn file(plan: &FieldPlan, context: &Context<'_>, rng: &mut Rng) -> Value {
    let (code, owner) = (&plan.shape.code, context.id);
    let name = context.entity.word();
    let id = 1000 + rng.below(100_000);
    let dynamic = flag(plan.shape.is_custom());
    let path = format!("/bitrix/components/bitrix/crm.{name}.show/show_file.php");
    let query = format!("ownerId={owner}&fieldName={code}&dynamic={dynamic}&fileId={id}");
    json!({
        "id": id,
        "showUrl": format!("{path}?{query}"),
        "downloadUrl": format!("{path}?auth=&{query}"),
    })
}

/// One value, or one to three in an array where the field is multiple.
fn several(plan: &FieldPlan, rng: &mut Rng, mut make: impl FnMut(&mut Rng) -> Value) -> Option<Value> {
    if !plan.shape.multiple {
        return Some(make(rng));
    }
    let values: Vec<Value> = (0..=rng.below(3)).map(|_| make(rng)).collect();
    Some(Value::Array(values))
}
