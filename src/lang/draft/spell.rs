//! How names are spelt in a spec.

use std::collections::BTreeSet;

use super::words::plain;
use crate::lang::schema::{Field, Object};
use crate::lang::syntax::quote;

/// A title that can stand in backticks.
fn speakable(title: &str) -> bool {
    !title.trim().is_empty() && title.trim() == title && !title.chars().any(|c| c == '`' || c.is_control())
}

/// Whether a name can stand bare.
pub fn bare(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// A destination's name: bare, or in backticks.
pub fn name_of(name: &str) -> String {
    if bare(name) { name.to_owned() } else { format!("`{name}`") }
}

/// A code with its title.
pub fn coded(code: &str, title: Option<&str>) -> String {
    match title.filter(|title| speakable(title)) {
        Some(title) => format!("{} `{title}`", quote(code)),
        None => quote(code),
    }
}

/// A field with its title, for those whose name says nothing.
pub fn titled(name: &str, title: Option<&str>, custom: bool) -> String {
    match title.filter(|title| custom && speakable(title)) {
        Some(title) => format!("{name} `{title}`"),
        None => name.to_owned(),
    }
}

/// What people call a field: its title, else its name as words.
pub fn label(field: &Field) -> String {
    let title = field.title.as_deref().map(str::trim).filter(|title| !title.is_empty());
    if let Some(title) = title {
        return title.replace(|c: char| c.is_control(), " ");
    }
    let name = field.name.replace('_', " ").to_lowercase();
    let mut chars = name.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars).collect(),
        None => field.name.clone(),
    }
}

/// What an object's records are called, in people's words.
pub fn noun(object: &Object) -> String {
    let title = object.title.as_deref().map(str::trim).filter(|title| !title.is_empty());
    let noun: String = title.unwrap_or(&object.name).chars().filter(|c| !c.is_control()).take(40).collect();
    let mut chars = noun.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// The name of a table: what it gives, with the object where that says little.
pub fn table(object: &str, field: &str, taken: &mut BTreeSet<String>) -> String {
    let words = |text: &str| -> String {
        let mut out = String::new();
        for c in text.chars() {
            if c.is_uppercase() && out.ends_with(char::is_lowercase) {
                out.push(' ');
            }
            out.push(c);
        }
        out
    };
    let field = words(field);
    if field.len() < 5 || taken.contains(&plain(&field).replace(' ', "_")) {
        return fresh(&format!("{} {field}", words(object)), taken);
    }
    fresh(&field, taken)
}

/// A name for an item, made of what it is about and not yet taken.
pub fn fresh(about: &str, taken: &mut BTreeSet<String>) -> String {
    let mut base: String = plain(about)
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' })
        .collect();
    while base.contains("__") {
        base = base.replace("__", "_");
    }
    let base = base.trim_matches('_');
    let base = match base.chars().next() {
        Some(c) if c.is_ascii_alphabetic() => base.to_owned(),
        _ => format!("values_{base}").trim_end_matches('_').to_owned(),
    };
    let mut name = base.clone();
    let mut n = 2;
    while !taken.insert(name.clone()) {
        name = format!("{base}_{n}");
        n += 1;
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_fresh_and_bare() {
        let mut taken = BTreeSet::new();
        assert_eq!(fresh("Lead.sources", &mut taken), "lead_sources");
        assert_eq!(fresh("Lead.sources", &mut taken), "lead_sources_2");
        assert_eq!(fresh("Причина отказа", &mut taken), "prichina_otkaza");
        assert_eq!(fresh("電話", &mut taken), "values");
        assert!(bare("UF_CRM_1") && !bare("Contact type") && !bare("1x"));
    }
}
