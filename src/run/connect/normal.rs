//! Values in a form in which what means the same is the same text: how a reconciliation compares what the plan says
//! with what the destination holds.
//!
//! Made twice for each field, from the plan's value and from the stored record, by a connector's [`Normalise`], which
//! shares nothing with its encoder. Knows no vendor and decides nothing: what a difference means is the engine's.

use rust_decimal::Decimal;

use super::Stored;
use crate::lang::value::Value;

/// An element of a field.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Element {
    /// The value to the letter.
    pub exact: String,
    /// The value without what does not matter: case, blanks, the way in which a number is written.
    pub loose: String,
    /// Its label, such as the kind of a phone or the text on a link.
    pub label: Option<String>,
    /// For amounts: the currency and the amount.
    pub money: Option<(String, Decimal)>,
}

impl Element {
    /// A text: runs of blanks and case do not matter.
    pub fn text(text: &str) -> Element {
        let exact = text.replace("\r\n", "\n").trim().to_owned();
        let loose = exact.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
        Element { exact, loose, ..Element::default() }
    }

    /// A word in which everything matters: an id, a number, a day.
    pub fn word(word: impl Into<String>) -> Element {
        let exact = word.into();
        Element { loose: exact.clone(), exact, ..Element::default() }
    }

    /// An amount.
    pub fn money(currency: &str, amount: Decimal) -> Element {
        let amount = amount.normalize();
        Element {
            money: Some((currency.to_owned(), amount)),
            ..Element::word(format!("{amount} {currency}"))
        }
    }

    /// The same with a label; an empty one is none.
    #[must_use]
    pub fn labelled(mut self, label: Option<&str>) -> Element {
        self.label = label.map(str::trim).filter(|label| !label.is_empty()).map(str::to_owned);
        self
    }

    /// As people read it.
    pub fn shown(&self) -> String {
        match &self.label {
            Some(label) => format!("{} ({label})", self.exact),
            None => self.exact.clone(),
        }
    }
}

/// What a field holds; no elements where it holds nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Normal {
    /// Its elements; one for a field that holds a single value.
    pub elements: Vec<Element>,
    /// Equal elements count: two equal lines are two lines, and one too many is a fault.
    pub counted: bool,
    /// The first element is the primary one, and this system told which one that is.
    pub first_is_primary: bool,
    /// The system told how the only element begins, and not how it ends.
    pub only_begun: bool,
}

impl Normal {
    /// Nothing.
    pub fn nothing() -> Normal {
        Normal::default()
    }

    /// One value; an empty text is nothing.
    pub fn one(element: Element) -> Normal {
        Normal::list(vec![element])
    }

    /// Several; empty texts are nothing.
    pub fn list(elements: Vec<Element>) -> Normal {
        let elements = elements.into_iter().filter(|element| !element.exact.is_empty()).collect();
        Normal { elements, ..Normal::default() }
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.elements.is_empty()
    }

    /// As people read it.
    pub fn shown(&self) -> String {
        self.elements.iter().map(Element::shown).collect::<Vec<_>>().join("; ")
    }
}

/// Both sides of a comparison, for the fields that one map writes. Pure.
pub trait Normalise {
    /// What the plan wants in a field, by its index in [`crate::lang::plan::Map::targets`]; links hold destination
    /// ids, as for [`super::Encode`].
    fn planned(&self, target: usize, value: &Value) -> Normal;
    /// What a record holds in that field; `None` where the API does not tell.
    fn found(&self, target: usize, stored: &Stored) -> Option<Normal>;
    /// Whether the destination works the field out from others of that record, whatever is written into it.
    fn worked_out(&self, target: usize, stored: &Stored) -> bool;
    /// The names in an [`super::Imprint`] of what that field is kept in.
    fn imprinted(&self, target: usize) -> Vec<String>;
}
