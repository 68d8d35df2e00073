//! What is known of Nutshell before its account is asked: which types it holds, and what its plans limit. The source
//! of each fact is the section of the reference sheet.

use crate::lang::types::{Base, Type};
use crate::run::connect::survey::{Caution, Facts, Holds};

/// How well values of a source field's type are held (sheet §6).
pub(in crate::run::connect) fn holds(ty: &Type) -> (Holds, &'static str) {
    let one = match &ty.base {
        Base::File => (Holds::Impossible, "no API takes files"),
        Base::Opaque(_) => (Holds::Impossible, "the type is an application's own"),
        Base::Bool => (Holds::Changed, "there is no yes and no: a choice of two"),
        Base::DateTime => (Holds::Changed, "custom fields have no time of day: a date, or text"),
        Base::Integer | Base::Decimal => (Holds::Changed, "no numeric type is documented: text"),
        Base::AnyLink => (Holds::Changed, "no field links to records of several kinds: text, or a note"),
        Base::Record => (Holds::Changed, "rows become product lines or a note"),
        _ => (Holds::Exact, ""),
    };
    match (one, &ty.base, ty.many) {
        ((Holds::Exact, _), Base::Phone | Base::Email | Base::Url | Base::Link(_) | Base::Enum(_), true) => {
            one
        }
        ((Holds::Exact, _), Base::Text { .. }, true) => (Holds::Changed, "several values become one text"),
        ((Holds::Exact, _), _, true) => (Holds::Changed, "several values become one text"),
        _ => one,
    }
}

/// Open leads on the plan Foundation, and pipelines on Pro and Business (sheet §7).
const FOUNDATION_LEADS: u64 = 100;
const PRO_PIPELINES: u64 = 5;
const BUSINESS_PIPELINES: u64 = 10;

/// What the plans of Nutshell limit, and what Nutshell does by itself.
pub(in crate::run::connect) fn cautions(facts: &Facts<'_>) -> Vec<Caution> {
    let number = |n: Option<u64>| n.map_or_else(|| "an unknown number".to_owned(), |n| n.to_string());
    let enough = |n: u64| match n {
        0..=PRO_PIPELINES => "Pro (5)".to_owned(),
        n if n <= BUSINESS_PIPELINES => "Business (10)".to_owned(),
        _ => "Enterprise".to_owned(),
    };
    vec![
        Caution {
            name: "destination-open-leads",
            holds: facts.open_deals.map(|open| open > FOUNDATION_LEADS),
            what: format!(
                "Nutshell's plan Foundation holds {FOUNDATION_LEADS} open leads, {} open deals are here, and no API \
                 tells the plan",
                number(facts.open_deals)
            ),
            next: "look up the plan in Nutshell's settings under billing before the spec is written".to_owned(),
        },
        Caution {
            name: "destination-pipelines",
            holds: None,
            what: format!(
                "deals run through {} pipelines; the smallest plan of Nutshell that is published to hold as many is \
                 {}, and what Foundation and Growth hold is not published",
                facts.pipelines,
                enough(facts.pipelines)
            ),
            next: "compare it with the account's plan, or join pipelines in the spec".to_owned(),
        },
        Caution {
            name: "destination-custom-fields",
            holds: None,
            what: format!(
                "{} custom fields are here, and only Nutshell's plan Enterprise is published to have no limit",
                facts.custom_fields
            ),
            next: "look up how many the plan allows; fields that are made stay, since no API deletes them".to_owned(),
        },
        Caution {
            name: "destination-low-plans",
            holds: None,
            what: "on Nutshell's low plans features are off: assignment rules below Growth, automations below Pro, \
                   audit log and extra teams below Business; quotes and invoices are an add-on"
                .to_owned(),
            next: "compare the inventory of automation (`b2n inventory`) with what the plan has".to_owned(),
        },
        Caution {
            name: "sequences",
            holds: Some(true),
            what: "no API exports or creates sequences of e-mails: those that run here end, and those there are made by \
                   hand"
                .to_owned(),
            next: "write them down before the switch, and make them anew in Nutshell".to_owned(),
        },
        Caution {
            name: "destination-acts",
            holds: None,
            what: "Nutshell may act when records arrive: automations, assignment rules, webhooks, notifications, \
                   calendar and mail synchronisation; no API shows them"
                .to_owned(),
            next: "a person switches them off and confirms it with `b2n provision` before anything is loaded".to_owned(),
        },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_type_there_is_not_called_exact() {
        for base in
            [Base::File, Base::Bool, Base::DateTime, Base::Decimal, Base::AnyLink, Base::Opaque("x".into())]
        {
            assert_ne!(holds(&Type::one(base.clone())).0, Holds::Exact, "{base:?}");
            assert_ne!(holds(&Type::one(base)).1, "");
        }
        let many = |base| holds(&Type { base, many: true, optional: true }).0;
        assert_eq!(many(Base::Money), Holds::Changed);
        assert_eq!(many(Base::Phone), Holds::Exact);
        assert_eq!(holds(&Type::text()).0, Holds::Exact);
    }

    #[test]
    fn a_limit_is_only_said_to_hold_where_it_is_known() {
        let of = |open_deals| cautions(&Facts { open_deals, ..Facts::default() })[0].holds;
        assert_eq!([of(None), of(Some(100)), of(Some(101))], [None, Some(false), Some(true)]);
    }
}
