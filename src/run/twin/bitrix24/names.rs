//! Classic names and their universal counterparts (sheet 8).

use std::collections::BTreeMap;

use super::portal::Entity;
use super::records::MULTIFIELDS;

/// The two-way table of one entity's names.
pub(super) struct Names {
    to_universal: BTreeMap<String, String>,
    to_classic: BTreeMap<String, String>,
}

impl Names {
    /// Builds the table for these classic codes; `original` keeps custom names as they are.
    pub(super) fn new<'a>(entity: Entity, codes: impl Iterator<Item = &'a str>, original: bool) -> Self {
        let mut names = Names { to_universal: BTreeMap::new(), to_classic: BTreeMap::new() };
        for code in codes.filter(|c| !MULTIFIELDS.contains(c)) {
            let mut name = universal_name(entity, code, original);
            if names.to_classic.contains_key(&name) {
                // A converted name that is taken leaves the original in place.
                name = code.to_owned();
            }
            names.to_universal.insert(code.to_owned(), name.clone());
            names.to_classic.insert(name, code.to_owned());
        }
        names
    }

    /// The universal name of a classic code.
    pub(super) fn universal(&self, code: &str) -> Option<&str> {
        self.to_universal.get(code).map(String::as_str)
    }

    /// The classic code of a universal name.
    pub(super) fn classic(&self, name: &str) -> Option<&str> {
        self.to_classic.get(name).map(String::as_str)
    }
}

/// One name, whatever else exists.
pub(super) fn universal_name(entity: Entity, code: &str, original: bool) -> String {
    if let Some(rest) = code.strip_prefix("UF_") {
        return if original { code.to_owned() } else { custom_name(rest) };
    }
    let fixed = match (entity, code) {
        (_, "DATE_CREATE") => "createdTime",
        (_, "DATE_MODIFY") => "updatedTime",
        (_, "CREATED_BY_ID") => "createdBy",
        (_, "MODIFY_BY_ID") => "updatedBy",
        (_, "MOVED_BY_ID") => "movedBy",
        (Entity::Lead | Entity::Quote, "STATUS_ID") => "stageId",
        (Entity::Lead, "STATUS_SEMANTIC_ID") => "stageSemanticId",
        (Entity::Company, "COMPANY_TYPE") => "typeId",
        _ => return camel(code),
    };
    fixed.to_owned()
}

/// `A_BC_1` as `aBc1`.
fn camel(code: &str) -> String {
    let mut out = String::new();
    for (at, part) in code.split('_').enumerate() {
        let lower = part.to_lowercase();
        let mut chars = lower.chars();
        match chars.next() {
            Some(first) if at > 0 => {
                out.extend(first.to_uppercase());
                out.push_str(chars.as_str());
            }
            _ => out.push_str(&lower),
        }
    }
    out
}

/// The rest of a custom name behind `UF_`: letters only become camel case, anything with digits in it keeps its
/// spelling behind the prefix. A process's number comes first and is none of these digits.
fn custom_name(rest: &str) -> String {
    let rest = rest.strip_prefix("CRM_").unwrap_or(rest);
    if let Some((number, own)) = rest.split_once('_')
        && !number.is_empty()
        && number.bytes().all(|b| b.is_ascii_digit())
    {
        if own.bytes().all(|b| b.is_ascii_digit()) {
            return format!("ufCrm{number}_{own}");
        }
        if own.bytes().all(|b| b.is_ascii_uppercase() || b == b'_') {
            return format!("ufCrm{number}{}", camel(&format!("X_{own}")).trim_start_matches('x'));
        }
    }
    if rest.chars().all(|c| c.is_ascii_uppercase() || c == '_') {
        camel(&format!("UF_CRM_{rest}"))
    } else {
        format!("ufCrm_{rest}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sheet_8_names() {
        let name = |e, c| universal_name(e, c, false);
        assert_eq!(name(Entity::Deal, "DATE_CREATE"), "createdTime");
        assert_eq!(name(Entity::Deal, "STAGE_ID"), "stageId");
        assert_eq!(name(Entity::Lead, "STATUS_ID"), "stageId");
        assert_eq!(name(Entity::Company, "COMPANY_TYPE"), "typeId");
        assert_eq!(name(Entity::Contact, "PARENT_ID_128"), "parentId128");
        assert_eq!(name(Entity::Deal, "UF_CRM_1747309879"), "ufCrm_1747309879");
        assert_eq!(name(Entity::Deal, "BEGINDATE"), "begindate");
        assert_eq!(name(Entity::Process(1032), "UF_CRM_3_DIGIT"), "ufCrm3Digit");
        assert_eq!(name(Entity::Process(1032), "UF_CRM_3_1747309727"), "ufCrm3_1747309727");
        assert_eq!(name(Entity::Process(1032), "UF_CRM_3_DIGIT10"), "ufCrm_3_DIGIT10");
        assert_eq!(name(Entity::Quote, "STATUS_ID"), "stageId");
        assert_eq!(universal_name(Entity::Deal, "UF_CRM_1", true), "UF_CRM_1");
    }

    #[test]
    fn sheet_8_a_collision_keeps_the_original_name() {
        let codes = ["UF_CRM_A_B", "UF_CRM_A__B"];
        let names = Names::new(Entity::Deal, codes.into_iter(), false);
        assert_eq!(names.universal("UF_CRM_A_B"), Some("ufCrmAB"));
        assert_eq!(names.universal("UF_CRM_A__B"), Some("UF_CRM_A__B"));
    }
}
