//! An account's directory as a schema: the tables of what Nutshell has, joined with what this account has.

use jiff::civil::Date;

use super::capability::{Kind, OTHERS, custom_base};
use super::directory::{Directory, team_address, team_id};
use super::fields::{DIRECTIONS, PRODUCT_TYPES, PRODUCT_UNITS};
use crate::lang::schema::{
    Choice, Domain, Field, Object, Outcome, Pipeline, Schema, Stage, User, Write, email_hash,
};
use crate::lang::types::{Base, Type};
use crate::run::connect::Account;

/// The schema of an account on a day.
pub(super) fn schema(directory: &Directory, account: &Account, today: Option<Date>, salt: &str) -> Schema {
    let mut schema = Schema {
        connector: "nutshell".to_owned(),
        account: account.id.clone(),
        account_name: account.name.clone(),
        taken: today,
        salt: salt.to_owned(),
        ..Schema::default()
    };
    let mut domain = |name: &str, choices: Vec<Choice>, open: bool| {
        schema.domains.insert(name.to_owned(), Domain { title: None, choices, open });
    };
    let names = |rows: &[super::directory::Named]| rows.iter().map(|row| choice(&row.name)).collect();
    domain("Account.industry", names(&directory.industries), false);
    domain("Account.accountType", names(&directory.account_types), false);
    domain("Account.territory", names(&directory.territories), false);
    domain("Contact.territory", names(&directory.territories), false);
    domain("Activity.type", names(&directory.activity_types), false);
    domain("Product.type", PRODUCT_TYPES.iter().map(|(word, _)| choice(word)).collect(), false);
    domain("Product.unit", PRODUCT_UNITS.iter().map(|unit| choice(unit)).collect(), false);
    domain("Email.direction", DIRECTIONS.iter().map(|word| choice(word)).collect(), false);
    domain("Lead.sources", names(&directory.sources), true);
    let markets = directory.markets.iter();
    let markets =
        markets.map(|market| Choice { code: market.name.clone(), title: market.currency.clone() }).collect();
    domain("Lead.market", markets, false);
    for kind in Kind::CORE {
        let tags = directory.tags.get(&kind).map(Vec::as_slice).unwrap_or_default();
        domain(&format!("{}.tags", kind.object()), tags.iter().map(|tag| choice(tag)).collect(), true);
        for field in directory.fields.get(&kind).map(Vec::as_slice).unwrap_or_default() {
            if let Base::Enum(name) = custom_base(&field.word, kind.object(), &field.name) {
                domain(&name, field.choices.iter().map(|name| choice(name)).collect(), false);
            }
        }
    }
    schema.objects = Kind::ALL.into_iter().map(|kind| object(directory, kind)).collect();
    for (name, hint) in OTHERS {
        let (name, hint) = ((*name).to_owned(), Some((*hint).to_owned()));
        schema.objects.push(Object { name, hint, creatable: false, ..Object::default() });
    }
    schema.objects.sort_by(|a, b| a.name.cmp(&b.name));
    schema.pipelines = pipelines(directory);
    schema.users = directory
        .users
        .iter()
        .map(|user| User {
            id: user.id.clone(),
            email_hash: user.email.as_deref().map(|email| email_hash(salt, email)),
            active: user.active,
        })
        .collect();
    schema.users.extend(directory.teams.iter().map(|team| User {
        id: team_id(&team.id),
        email_hash: Some(email_hash(salt, &team_address(&team.name))),
        active: true,
    }));
    schema.users.sort_by(|a, b| a.id.cmp(&b.id));
    schema
}

fn choice(name: &str) -> Choice {
    Choice { code: name.to_owned(), title: None }
}

fn object(directory: &Directory, kind: Kind) -> Object {
    let mut fields: Vec<Field> = Vec::new();
    for writable in kind.writable() {
        fields.push(Field {
            required: writable.required,
            attributes: writable.attributes,
            ..field(writable.name, writable.ty, Write::Yes, false)
        });
    }
    for (name, hint) in kind.read_only() {
        let hint = Write::No { hint: (*hint).to_owned() };
        fields.push(field(name, Type::text().or_absent(), hint, false));
    }
    for row in directory.fields.get(&kind).map(Vec::as_slice).unwrap_or_default() {
        // A label that a field of the system bears cannot be named beside it.
        if fields.iter().any(|known| known.name == row.name) {
            continue;
        }
        let base = custom_base(&row.word, kind.object(), &row.name);
        let write = match &base {
            Base::Opaque(_) => Write::No { hint: "a custom field of a type that is not known".to_owned() },
            _ => Write::Yes,
        };
        let many = row.many && matches!(base, Base::Enum(_));
        fields.push(field(&row.name, Type { base, many, optional: true }, write, true));
    }
    fields.sort_by(|a, b| a.name.cmp(&b.name));
    Object {
        name: kind.object().to_owned(),
        creatable: true,
        custom_types: kind.custom_types().into_iter().map(str::to_owned).collect(),
        matchable: kind.matchable().iter().map(|field| (*field).to_owned()).collect(),
        fields,
        ..Object::default()
    }
}

fn field(name: &str, ty: Type, write: Write, custom: bool) -> Field {
    Field {
        name: name.to_owned(),
        title: None,
        ty,
        required: false,
        write,
        custom,
        attributes: Vec::new(),
        stats: None,
    }
}

/// Every outcome closes a lead of every pipeline (sheet §2).
fn pipelines(directory: &Directory) -> Vec<Pipeline> {
    let outcomes = directory.outcomes.iter();
    let outcomes: Vec<Outcome> = outcomes
        .map(|row| Outcome { code: row.id.clone(), name: row.name.clone(), kind: row.kind })
        .collect();
    let read = |set: &super::directory::Stageset| Pipeline {
        object: Kind::Lead.object().to_owned(),
        code: set.id.clone(),
        name: set.name.clone(),
        stages: set
            .stages
            .iter()
            .map(|stage| Stage { code: stage.id.clone(), name: stage.name.clone(), ends: None })
            .collect(),
        outcomes: outcomes.clone(),
        ..Pipeline::default()
    };
    directory.stagesets.iter().map(read).collect()
}
