//! Differences in words. Knows one schema's differences only, and no spec.

use std::fmt;

use super::{Difference, Kind, Place, Property};

/// As people read it: ``stage `UC_7F3K` `На паузе` of deal category `0` added``.
impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.subject(f)?;
        match &self.kind {
            Kind::Added => f.write_str(" added"),
            Kind::Removed => f.write_str(" removed"),
            Kind::Renamed { old, new } if old.is_empty() => write!(f, " now has the title `{new}`"),
            Kind::Renamed { old, new } if new.is_empty() => write!(f, " lost its title `{old}`"),
            Kind::Renamed { old, new } => write!(f, " renamed from `{old}` to `{new}`"),
            Kind::Retyped { old, new } => write!(f, " changed its type from `{old}` to `{new}`"),
            Kind::Changed { property, old, new } => changed(f, *property, old, new),
            Kind::Reordered => f.write_str(match self.place {
                Place::Domain { .. } => ": values stand in another order",
                Place::Pipeline { .. } => ": stages stand in another order",
                Place::Outcome { .. } => " stand in another order",
                _ => ": pipelines stand in another order",
            }),
        }
    }
}

impl Difference {
    fn subject(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::System => return f.write_str("the system"),
            Place::Object { object } => write!(f, "object `{object}`")?,
            Place::Field { object, field } => write!(f, "field `{object}.{field}`")?,
            Place::Domain { domain } => write!(f, "enumeration `{domain}`")?,
            Place::Choice { domain, code } => write!(f, "value `{code}` of `{domain}`")?,
            Place::Pipeline { object, pipeline } if pipeline.is_empty() => {
                write!(f, "pipeline of `{object}`")?;
            }
            Place::Pipeline { object, pipeline } => write!(f, "pipeline `{pipeline}` of `{object}`")?,
            Place::Stage { code, .. } => write!(f, "stage `{code}`")?,
            Place::Outcome { code, .. } if code.is_empty() => f.write_str("outcomes")?,
            Place::Outcome { code, .. } => write!(f, "outcome `{code}`")?,
            Place::User { user } => write!(f, "user `{user}`")?,
            Place::Answer { question } => write!(f, "answer to `{question}`")?,
        }
        // A renaming tells both titles itself.
        if let (Some(title), false) = (&self.title, matches!(self.kind, Kind::Renamed { .. }))
            && !matches!(&self.place, Place::Outcome { code, .. } if code.is_empty())
        {
            write!(f, " `{title}`")?;
        }
        match &self.place {
            Place::Stage { object, pipeline, .. } | Place::Outcome { object, pipeline, .. } => {
                if pipeline.is_empty() {
                    write!(f, " of `{object}`")
                } else {
                    write!(f, " of `{object}` pipeline `{pipeline}`")
                }
            }
            _ => Ok(()),
        }
    }
}

fn changed(f: &mut fmt::Formatter<'_>, property: Property, old: &str, new: &str) -> fmt::Result {
    match property {
        Property::Account => write!(f, " is another: {new}, and was {old}"),
        Property::CustomTypes => {
            write!(f, ": custom fields may be {}, and could be {}", or_none(new), or_none(old))
        }
        Property::Matchable => {
            write!(f, ": records can be found by {}, and could be by {}", or_none(new), or_none(old))
        }
        Property::Attributes => write!(f, ": elements carry {}, and carried {}", or_none(new), or_none(old)),
        Property::Email => write!(f, ": e-mail address changed from {old} to {new}"),
        Property::Answer => write!(f, " is `{new}`, and was `{old}`"),
        Property::Active if new == "dismissed" => f.write_str(" left"),
        Property::Active => f.write_str(" came back"),
        Property::Custom => write!(f, " is {new}, and was {old}"),
        Property::Ends => write!(f, " ends as {new}, and was {old}"),
        Property::Creatable | Property::Required | Property::Writable | Property::Open => {
            write!(f, " is now {new}, and was {old}")
        }
    }
}

fn or_none(list: &str) -> &str {
    if list.is_empty() { "nothing" } else { list }
}
