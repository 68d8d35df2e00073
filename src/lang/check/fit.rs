//! Whether a value fits where it goes, and what to write where it does not.

use super::meant::instead;
use super::types::Typed;
use super::{Checker, Side};
use crate::lang::finding::{Finding, registry as codes};
use crate::lang::plan::Expr;
use crate::lang::schema::email_hash;
use crate::lang::text::Span;
use crate::lang::types::{Base, Fidelity, Type};
use crate::lang::value::Value;

/// What stands for users among the objects that a field may link to.
pub(super) const USER: &str = "user";

/// A sign and the digits of the longest whole number.
const WHOLE_DIGITS: u32 = 20;

/// Where a value goes.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// As messages name it, in backticks: `` `name` ``.
    pub name: String,
    /// What it takes.
    pub ty: Type,
    /// The choices of an enumeration that a spec itself makes.
    pub choices: Option<Vec<String>>,
}

impl<'a> Checker<'a> {
    /// Checks that a value fits its place, absence apart, and gives it as the plan keeps it.
    pub(super) fn fit(&mut self, mut value: Typed<'a>, place: &Place, span: Span) -> Option<Typed<'a>> {
        if value.ty.many && !place.ty.many {
            let one = Typed { ty: Type { many: false, ..value.ty.clone() }, ..value.clone() };
            let text = self.code(span);
            // What one of them would need next is told at once.
            let help = match (self.fits(&one, place, span), &value.ty.base, &place.ty.base) {
                (Ok(_), ..) => format!("take one of them: `first({text})`"),
                (_, Base::Enum(_), Base::Enum(_)) => {
                    format!("take one of them, and look it up in a table: `TABLE[first({text})]`")
                }
                (_, Base::Text { .. }, Base::Text { .. }) if value.texts.is_some() => {
                    format!("take one of them: `first({text})`")
                }
                (Err(next), ..) => next,
            };
            self.misfit(&value, place, span, help);
            return None;
        }
        match (&value.ty.base, &place.ty.base) {
            (Base::Integer, Base::Text { max }) if max.is_none_or(|max| max >= WHOLE_DIGITS) => {
                // A whole number has one spelling: its digits.
                let call = |arg| Expr::Call { function: "text".to_owned(), args: vec![arg] };
                value.expr = match value.ty.many {
                    true => Expr::Each { list: Box::new(value.expr), body: Box::new(call(Expr::Element)) },
                    false => call(value.expr),
                };
                value.fidelity = value.fidelity.max(Fidelity::Reformatted);
                value.texts = None;
            }
            (Base::Text { .. }, Base::User) => return self.fit_user(value, place, span),
            (Base::Text { .. } | Base::Enum(_), Base::Enum(_)) if self.same_choices(&value, place) => {}
            (_, Base::Enum(_)) if value.texts.is_some() => return self.fit_choices(value, place, span),
            _ => match self.fits(&value, place, span) {
                Ok(fidelity) => value.fidelity = value.fidelity.max(fidelity),
                Err(help) => {
                    self.misfit(&value, place, span, help);
                    return None;
                }
            },
        }
        value.ty.base = place.ty.base.clone();
        value.made = true;
        Some(value)
    }

    fn same_choices(&self, value: &Typed<'_>, place: &Place) -> bool {
        value.made && value.ty.base == place.ty.base && matches!(place.ty.base, Base::Enum(_))
    }

    fn misfit(&mut self, value: &Typed<'_>, place: &Place, span: Span, help: String) {
        let wanted = Type { optional: false, ..place.ty.clone() };
        let got = Type { optional: false, ..value.ty.clone() };
        let (message, label) = if wanted == got {
            (
                format!("{} takes a `{wanted}` of the destination, not one of the source", place.name),
                "of the source".to_owned(),
            )
        } else {
            (format!("{} takes `{wanted}`, not `{got}`", place.name), format!("this is `{got}`"))
        };
        let mut finding = Finding::new(codes::TYPE_MISMATCH, message).at(span, label).help(help);
        let text = self.code(span);
        if value.ty.base == Base::User && place.ty.base == Base::User {
            finding = finding.fix(instead(span, format!("user({})", self.quote(span))));
        } else if let Some(Value::Text(name)) = value.value() {
            let field = self.source.objects.iter().any(|object| object.field(name).is_some());
            if field && text == format!("\"{name}\"") {
                let name = name.to_string();
                finding = finding
                    .help(format!("a field stands without quotes: `{name}`"))
                    .fix(instead(span, name.clone()));
                self.guess_everywhere(&name);
            }
        }
        self.add(finding);
    }

    /// The loss of putting it there, or what to write instead.
    fn fits(&self, value: &Typed<'_>, place: &Place, span: Span) -> Result<Fidelity, String> {
        let from = &value.ty.base;
        let text = self.code(span);
        let lists = value.ty.many;
        let apply = |function: &str, more: &str| match (lists, more) {
            (true, "") => format!("`{text}.each({function})`"),
            (true, more) => format!("`{text}.each({function}({more}))`"),
            (false, _) => format!("`{text}.{function}({more})`"),
        };
        match (from, &place.ty.base) {
            (Base::Text { max: Some(had) }, Base::Text { max: Some(bound) }) if had <= bound => {
                Ok(Fidelity::Exact)
            }
            (Base::Text { .. }, Base::Text { max: Some(bound) }) => Err(format!(
                "cut it, and say what that loses: {} narrowed because \"…\"",
                apply("cut", &bound.to_string())
            )),
            (Base::Text { .. } | Base::Phone | Base::Email | Base::Url, Base::Text { max: None }) => {
                Ok(Fidelity::Exact)
            }
            (Base::Text { .. }, Base::Enum(domain)) if place.choices.is_none() && self.is_open(domain) => {
                Ok(Fidelity::Exact)
            }
            (Base::Text { .. }, Base::PersonName) => Ok(Fidelity::Reformatted),
            (Base::Integer, Base::Integer | Base::Decimal) | (Base::Decimal, Base::Decimal) => {
                Ok(Fidelity::Exact)
            }
            (Base::User, Base::User) if value.made => Ok(Fidelity::Exact),
            (Base::Record, Base::Record) if value.made => Ok(Fidelity::Exact),
            (Base::Stage, Base::Stage) if value.made => Ok(Fidelity::Exact),
            (Base::Ref(a), Base::Ref(b)) if a == b => Ok(Fidelity::Exact),
            (Base::Ref(object), Base::AnyRef(all)) if all.contains(object) => Ok(Fidelity::Exact),
            (Base::AnyRef(some), Base::AnyRef(all)) if some.iter().all(|one| all.contains(one)) => {
                Ok(Fidelity::Exact)
            }
            (Base::User, Base::AnyRef(all)) if value.made && all.iter().any(|one| one == USER) => {
                Ok(Fidelity::Exact)
            }
            (a, b)
                if a == b
                    && matches!(
                        a,
                        Base::Money
                            | Base::Bool
                            | Base::Date
                            | Base::DateTime
                            | Base::Address
                            | Base::PersonName
                            | Base::Phone
                            | Base::Email
                            | Base::Url
                    ) =>
            {
                Ok(Fidelity::Exact)
            }
            (Base::Record, Base::Record) if lists => {
                Err(format!("write what its lines hold: `each {text} {{ … }}`"))
            }
            (Base::Opaque(_) | Base::File | Base::Record, _) => {
                Err("no function reads this; leave it out: `drop FIELD declined \"…\"`".to_owned())
            }
            (Base::User, Base::User) => Err(format!("write `user({text})`, which uses the `owners`")),
            (_, Base::User) => Err("write `user(FIELD)` with a field of type `user`".to_owned()),
            (_, Base::Stage) => Err("write `pipeline by FIELD`, with a `pipeline` for its stages".to_owned()),
            (Base::Link(_) | Base::AnyLink, Base::Ref(_)) => {
                let word = if lists { "refs" } else { "ref" };
                Err(format!("write `{word} MAP({text})  on unmigrated …`"))
            }
            (Base::Ref(other), Base::Ref(wanted)) => {
                Err(format!("name a map to `{wanted}`; this one leads to `{other}`"))
            }
            (Base::AnyRef(objects), Base::Ref(wanted)) => {
                Err(format!("name maps to `{wanted}` alone; these lead to `{}`", objects.join("`, `")))
            }
            (Base::Link(_) | Base::AnyLink, Base::AnyRef(_)) => {
                let word = if lists { "refs" } else { "ref" };
                Err(format!("write `{word} MAP|MAP({text})  on unmigrated …`"))
            }
            (Base::User, Base::AnyRef(all)) if all.iter().any(|one| one == USER) => {
                Err(format!("write `user({text})`, which uses the `owners`"))
            }
            (_, Base::AnyRef(all)) => {
                Err(format!("write `ref MAP(FIELD)` with a map to one of `{}`", all.join("`, `")))
            }
            (_, Base::Ref(object)) => Err(format!("write `ref MAP(FIELD)` with a map to `{object}`")),
            (_, Base::Enum(_)) => Err(format!(
                "write a `table` whose rows give values of {}, and look it up: `TABLE[{text}]`",
                place.name
            )),
            (Base::Text { .. } | Base::Email | Base::Url | Base::Phone, Base::Phone) => {
                Err(format!("write {}  on fail …", apply("phone", "\"US\"")))
            }
            (Base::Text { .. } | Base::Phone, Base::Email) => {
                Err(format!("write {}  on fail …", apply("email", "")))
            }
            (Base::Text { .. } | Base::Email, Base::Url) => {
                Err(format!("write {}  on fail …", apply("url", "")))
            }
            (Base::Text { .. } | Base::DateTime, Base::Date) => Err(format!("write {}", apply("date", ""))),
            (Base::Date, Base::DateTime) => {
                Err(format!("say at what time of day: {}, in the zone of the spec", apply("at", "\"18:00\"")))
            }
            (Base::Text { .. }, Base::Integer) => Err(format!("write `{text}.number().round()`  on fail …")),
            (Base::Text { .. }, Base::Decimal) => Err(format!("write {}  on fail …", apply("number", ""))),
            (Base::Decimal, Base::Integer) => Err(format!("write {}", apply("round", ""))),
            (Base::Integer | Base::Decimal, Base::Money) => Err(format!("write `money({text}, CURRENCY)`")),
            (Base::Enum(_), Base::Text { .. }) if !value.made => Err(format!(
                "a code is no text for people: write a `table` and look it up, `TABLE[{text}]`; `{text}.text()` writes \
                 the code itself"
            )),
            (Base::Enum(_), Base::Text { max: None }) => Ok(Fidelity::Exact),
            (
                Base::Link(_) | Base::AnyLink | Base::User | Base::Stage | Base::Ref(_) | Base::Enum(_),
                Base::Text { .. },
            ) => {
                Err("a link, user or stage is no text for people: write `\"{FIELD}\"` for its id".to_owned())
            }
            (_, Base::Text { .. }) => Err(format!("write {}", apply("text", ""))),
            (from, wanted) => {
                Err(format!("write an expression of type `{wanted}`; there is none for `{from}`"))
            }
        }
    }

    /// Constants, and what tables give, into an enumeration.
    fn fit_choices(&mut self, mut value: Typed<'a>, place: &Place, span: Span) -> Option<Typed<'a>> {
        let texts = value.texts.clone()?;
        let Base::Enum(domain) = place.ty.base.clone() else { return None };
        let mut fits = true;
        for text in texts.iter() {
            fits &= self.choice(&domain, text, place, span);
        }
        value.ty.base = place.ty.base.clone();
        value.made = true;
        fits.then_some(value)
    }

    /// Whether an enumeration of the destination has, or can be given, a value.
    fn choice(&mut self, domain: &str, text: &str, place: &Place, span: Span) -> bool {
        if let Some(choices) = &place.choices {
            if choices.iter().any(|choice| choice == text) {
                return true;
            }
            let names = choices.clone();
            let help = match self.meant_name(text, names.iter().map(String::as_str)) {
                Some(meant) => format!("did this mean \"{meant}\"? Or add \"{text}\" to the field's values"),
                None => format!(
                    "its values are \"{}\"; add \"{text}\" to them, or write another",
                    names.join("\", \"")
                ),
            };
            self.add(
                Finding::new(codes::UNKNOWN_VALUE, format!("{} has no value \"{text}\"", place.name))
                    .at(span, "no such value")
                    .help(help),
            );
            return false;
        }
        let Some(entries) = self.choices_of(Side::Target, domain) else {
            self.add(
                Finding::new(codes::UNKNOWN_VALUE, format!("the snapshot lists no values of `{domain}`"))
                    .at(span, "no such value")
                    .note(self.target_note())
                    .help("take the snapshot again"),
            );
            return false;
        };
        let open = self.is_open(domain);
        let there = entries.code(text).is_some();
        if there || open {
            self.require(if open { "open choice" } else { "choice" }, domain, text);
            return true;
        }
        let meant = self.meant_name(text, entries.all.iter().map(|(code, _)| *code)).map(str::to_owned);
        let by_hand = format!("or make \"{text}\" in the destination by hand and take the snapshot again");
        let help = match &meant {
            Some(meant) => format!("did this mean \"{meant}\"? {}", capital(&by_hand)),
            None => {
                let some: Vec<String> =
                    entries.all.iter().take(8).map(|(code, _)| format!("\"{code}\"")).collect();
                format!("its values are {}; {by_hand}", some.join(", "))
            }
        };
        let named = self.quote(span) == format!("\"{text}\"");
        self.add(
            Finding::new(codes::UNKNOWN_VALUE, format!("{} has no value \"{text}\"", place.name))
                .fix_where(
                    meant.filter(|_| named).map(|meant| instead(span, crate::lang::syntax::quote(&meant))),
                )
                .at(span, "no such value")
                .note(self.target_note())
                .help(help),
        );
        false
    }

    /// Whether values that an enumeration of the destination lacks are made as they are met.
    fn is_open(&self, domain: &str) -> bool {
        self.target.domains.get(domain).is_some_and(|domain| domain.open)
    }

    /// The e-mail address of a destination user, as a constant.
    fn fit_user(&mut self, value: Typed<'a>, place: &Place, span: Span) -> Option<Typed<'a>> {
        let Some(Value::Text(email)) = value.value() else {
            self.misfit(&value, place, span, "write `user(FIELD)` with a field of type `user`".to_owned());
            return None;
        };
        let id = self.target_user(&email.clone(), span)?;
        self.require("user", "", &id);
        let mut user = Typed::new(Expr::Const(Value::text(id)), Type::one(Base::User));
        user.made = true;
        Some(user)
    }

    /// The id of the active destination user with this e-mail address.
    pub(super) fn target_user(&mut self, email: &str, span: Span) -> Option<String> {
        let hash = email_hash(&self.target.salt, email);
        let user = self.target.users.iter().find(|user| user.email_hash.as_deref() == Some(hash.as_str()));
        match user {
            Some(user) if user.active => Some(user.id.clone()),
            Some(_) => {
                self.add(
                    Finding::new(
                        codes::UNKNOWN_USER,
                        format!("\"{email}\" no longer works in the destination"),
                    )
                    .at(span, "a disabled user can own nothing")
                    .note(self.target_note())
                    .help("name an active user, or enable this one and take the snapshot again"),
                );
                None
            }
            None => {
                let users = self.target.users.len();
                self.add(
                    Finding::new(codes::UNKNOWN_USER, format!("the destination has no user \"{email}\""))
                        .at(span, "no such user")
                        .note(self.target_note())
                        .help(format!(
                            "compare the spelling with the destination's {}, or invite the user and take the \
                             snapshot again",
                            super::counts::many(users, "user")
                        )),
                );
                None
            }
        }
    }
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}
