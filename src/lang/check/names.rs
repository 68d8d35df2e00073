//! Names: codes and titles, what they stand for, and what was probably meant.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use super::meant::{offer, skeleton, word};
use super::{Checker, Side};
use crate::lang::finding::{Applicability, Code, Edit, Finding, Fix, registry as codes};
use crate::lang::schema::{Object, Schema};
use crate::lang::syntax::ast::{Coded, Name};
use crate::lang::text::Span;

/// Things that a code or a title names, indexed by both.
#[derive(Debug, Default)]
pub(super) struct Entries<'a> {
    /// Code and title, in the schema's order.
    pub all: Vec<(&'a str, Option<&'a str>)>,
    by_code: HashMap<&'a str, usize>,
    by_title: HashMap<&'a str, Vec<usize>>,
}

impl<'a> Entries<'a> {
    pub(super) fn new(all: impl Iterator<Item = (&'a str, Option<&'a str>)>) -> Self {
        let mut entries = Entries::default();
        for (index, (code, title)) in all.enumerate() {
            entries.all.push((code, title));
            entries.by_code.entry(code).or_insert(index);
            if let Some(title) = title {
                entries.by_title.entry(title).or_default().push(index);
            }
        }
        entries
    }

    pub(super) fn code(&self, code: &str) -> Option<usize> {
        self.by_code.get(code).copied()
    }
}

/// What kind of thing a name should be, for messages.
#[derive(Clone, Copy, Debug)]
pub(super) struct What<'w> {
    /// The code of the finding when there is none.
    pub code: Code,
    /// `field`, `stage`, `value`.
    pub kind: &'w str,
    /// Where it belongs, in backticks already.
    pub of: &'w str,
    /// Whether the names are written in quotes.
    pub quoted: bool,
}

impl What<'_> {
    fn meant(&self, (code, title): (&str, Option<&str>)) -> Meant {
        Meant { shown: self.show(code, title), code: code.to_owned(), title: title.map(str::to_owned) }
    }

    fn show(&self, code: &str, title: Option<&str>) -> String {
        let code = if self.quoted { format!("\"{code}\"") } else { format!("`{code}`") };
        match title {
            Some(title) => format!("{code} `{title}`"),
            None => code,
        }
    }
}

/// A name that was probably meant.
#[derive(Clone, Debug)]
pub(super) struct Meant {
    /// As messages show it, in backticks or quotes.
    pub shown: String,
    /// Its code.
    pub code: String,
    /// Its title, where the place of the name is that of a title alone.
    pub title: Option<String>,
}

/// How alike two names must be before one is proposed for the other.
const ALIKE: f64 = 0.6;

/// How alike two names are, from 0 to 1.
pub(super) fn likeness(a: &str, b: &str) -> f64 {
    // Letters that only look alike: nobody could see the difference.
    if !(a.is_ascii() && b.is_ascii()) && skeleton(a) == skeleton(b) {
        return 1.0;
    }
    strsim::normalized_damerau_levenshtein(&a.to_lowercase(), &b.to_lowercase())
}

/// The name that is most like the wanted one.
pub(super) fn nearest<'n>(wanted: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let mut best: Option<(f64, &str)> = None;
    for name in names {
        let score = likeness(wanted, name);
        if score >= ALIKE && best.is_none_or(|(found, _)| score > found) {
            best = Some((score, name));
        }
    }
    best.map(|(_, name)| name)
}

/// Code without the titles that stand after names, on one line.
fn without_titles(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut quoted = false;
    let mut rest = text;
    while let Some(sign) = rest.chars().next() {
        rest = &rest[sign.len_utf8()..];
        match sign {
            '`' if !quoted => {
                let (title, after) = rest.split_once('`').unwrap_or((rest, ""));
                rest = after;
                let named =
                    out.trim_end().ends_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '"' | '*'));
                if named {
                    out.truncate(out.trim_end().len());
                } else {
                    // A title alone is the name.
                    out.push_str(title);
                }
            }
            sign if sign.is_whitespace() && !quoted => {
                if !out.ends_with(' ') {
                    out.push(' ');
                }
            }
            sign => {
                quoted ^= sign == '"';
                out.push(sign);
            }
        }
    }
    out
}

impl<'a> Checker<'a> {
    /// The fields of a source object, by code and title.
    pub(super) fn fields_of(&mut self, object: &'a Object) -> Rc<Entries<'a>> {
        let make =
            || Rc::new(Entries::new(object.fields.iter().map(|f| (f.name.as_str(), f.title.as_deref()))));
        Rc::clone(self.fields.entry(object.name.as_str()).or_insert_with(make))
    }

    /// The choices of an enumeration.
    pub(super) fn choices_of(&mut self, side: Side, name: &str) -> Option<Rc<Entries<'a>>> {
        let schema: &'a Schema = if side == Side::Source { self.source } else { self.target };
        let (name, domain) = schema.domains.get_key_value(name)?;
        let make =
            || Rc::new(Entries::new(domain.choices.iter().map(|c| (c.code.as_str(), c.title.as_deref()))));
        Some(Rc::clone(self.choices.entry((side, name.as_str())).or_insert_with(make)))
    }

    /// The stage codes of all pipelines of a source object.
    pub(super) fn stage_codes(&mut self, object: &'a Object) -> Rc<HashSet<&'a str>> {
        let source = self.source;
        let make = || {
            let pipelines = source.pipelines.iter().filter(|p| p.object == object.name);
            Rc::new(pipelines.flat_map(|p| p.stages.iter().map(|s| s.code.as_str())).collect())
        };
        Rc::clone(self.stages.entry(object.name.as_str()).or_insert_with(make))
    }

    /// What was probably meant, among codes and titles, as messages show it.
    pub(super) fn meant(&mut self, wanted: &str, entries: &Entries<'_>, what: What<'_>) -> Option<Meant> {
        self.searches = self.searches.checked_sub(1)?;
        let mut best: Option<(f64, usize)> = None;
        for (index, (code, title)) in entries.all.iter().enumerate() {
            let score = likeness(wanted, code).max(title.map_or(0.0, |title| likeness(wanted, title)));
            if score >= ALIKE && best.is_none_or(|(found, _)| score > found) {
                best = Some((score, index));
            }
        }
        let (_, index) = best?;
        self.guessed = Some(index);
        Some(what.meant(entries.all[index]))
    }

    /// What was probably meant, among plain names.
    pub(super) fn meant_name<'n>(
        &mut self,
        wanted: &str,
        names: impl Iterator<Item = &'n str>,
    ) -> Option<&'n str> {
        self.searches = self.searches.checked_sub(1)?;
        nearest(wanted, names)
    }

    /// The entry that a code, a title or both stand for.
    pub(super) fn resolve(&mut self, entries: &Entries<'a>, coded: &Coded, what: What<'_>) -> Option<usize> {
        match (&coded.code, &coded.title) {
            (Some(code), title) => self.resolve_code(entries, code, title.as_ref(), what),
            (None, Some(title)) => self.resolve_title(entries, title, what),
            (None, None) => None,
        }
    }

    fn resolve_code(
        &mut self,
        entries: &Entries<'a>,
        code: &Name,
        title: Option<&Name>,
        what: What<'_>,
    ) -> Option<usize> {
        let Some(index) = entries.code(&code.value) else {
            // Stages stand without their category's prefix: `NEW`, not `C1:NEW`.
            let bare = code.value.split_once(':').and_then(|(_, bare)| entries.code(bare));
            let by_title =
                title.and_then(|t| entries.by_title.get(t.value.as_str())).and_then(|all| all.first());
            let meant = match by_title.copied().or(bare) {
                Some(index) => {
                    self.guessed = Some(index);
                    Some(what.meant(entries.all[index]))
                }
                None => self.meant(&code.value, entries, what),
            };
            let meant = meant.map(|meant| Meant { title: None, ..meant });
            self.unknown(&code.value, code.span, meant, what);
            return None;
        };
        if let Some(title) = title {
            let real = entries.all[index].1;
            if real != Some(title.value.as_str()) {
                self.title_mismatch(code, title, real, what);
            }
        }
        Some(index)
    }

    fn title_mismatch(&mut self, code: &Name, title: &Name, real: Option<&str>, what: What<'_>) {
        let name = what.show(&code.value, None);
        let mut finding = Finding::new(
            codes::TITLE_MISMATCH,
            format!("{} {name} is not titled `{}`", what.kind, title.value),
        )
        .note(self.source_note());
        finding = match real {
            Some(real) => finding
                .at(title.span, format!("its title is `{real}`"))
                .help(format!("write {name} `{real}`, or the code that `{}` belongs to", title.value))
                .fix(Fix {
                    title: format!("write the title `{real}`"),
                    edits: vec![Edit { span: title.span, text: self.as_written(title.span, real) }],
                    applicability: Applicability::Likely,
                }),
            None => finding.at(title.span, "it has no title").help("leave the title out"),
        };
        self.add(finding);
    }

    /// The text of a place as messages quote it in backticks: on one line, without titles.
    pub(super) fn code(&self, span: Span) -> String {
        without_titles(self.quote(span))
    }

    /// Whether a place stands in a profile rather than in the spec itself.
    pub(super) fn of_profile(&self, span: Span) -> bool {
        self.input.text.parts().get(1).is_some_and(|part| span.start >= part.start)
    }

    /// The fix that removes a whole item, its comment apart.
    pub(super) fn without_item(&self, item: Span) -> Fix {
        let after = self.input.text.text().get(item.end as usize..).unwrap_or_default();
        // Blank lines after it go with it, so that none is doubled.
        let blank = after.len() - after.trim_start_matches([' ', '\t', '\r', '\n']).len();
        let rest = &after[blank..];
        let end = if rest.is_empty() || after[..blank].contains('\n') {
            let line = after[..blank].rfind('\n').map_or(0, |at| at + 1);
            item.end as usize + line
        } else {
            item.end as usize
        };
        Fix {
            title: "remove it".to_owned(),
            edits: vec![Edit { span: Span::new(item.start as usize, end), text: String::new() }],
            applicability: Applicability::Likely,
        }
    }

    /// A title with backticks where the place to be replaced has them.
    fn as_written(&self, span: Span, title: &str) -> String {
        if self.quote(span).starts_with('`') { format!("`{title}`") } else { title.to_owned() }
    }

    fn resolve_title(&mut self, entries: &Entries<'a>, title: &Name, what: What<'_>) -> Option<usize> {
        match entries.by_title.get(title.value.as_str()).map(Vec::as_slice) {
            Some([index]) => Some(*index),
            Some(several) => {
                let names: Vec<String> = several.iter().map(|i| what.show(entries.all[*i].0, None)).collect();
                self.add(
                    Finding::new(
                        codes::AMBIGUOUS_TITLE,
                        format!(
                            "{} {}s of {} are titled `{}`",
                            several.len(),
                            what.kind,
                            what.of,
                            title.value
                        ),
                    )
                    .at(title.span, "several bear this title")
                    .note(self.source_note())
                    .help(format!("write the code before the title, one of {}", names.join(", "))),
                );
                None
            }
            None => {
                let meant = self.meant(&title.value, entries, what);
                self.unknown(&title.value, title.span, meant, what);
                None
            }
        }
    }

    /// A name that nothing bears.
    pub(super) fn unknown(&mut self, name: &str, span: Span, meant: Option<Meant>, what: What<'_>) {
        let shown = if what.quoted { format!("\"{name}\"") } else { format!("`{name}`") };
        let finding = Finding::new(what.code, format!("{} has no {} {shown}", what.of, what.kind))
            .at(span, format!("no such {}", what.kind))
            .note(self.source_note());
        let field = what.kind == "field";
        let other = field && self.target.objects.iter().any(|object| object.field(name).is_some());
        let finding = match (meant, word(name).filter(|_| field)) {
            (None, None) if other => finding.help(format!(
                "`{name}` is a field of the destination: what is read stands right of `<-`, and is the source's"
            )),
            (_, Some(help)) => finding.help(help),
            (Some(meant), _) => {
                let mut written = self.as_quoted(span, &meant.code);
                if let Some(title) = meant.title.filter(|_| self.quote(span).starts_with('`')) {
                    written.push_str(&format!(" `{title}`"));
                }
                let finding = finding.help(format!("did this mean {}?", meant.shown));
                offer(finding, name, &meant.code, span, written)
            }
            (None, _) => {
                let kinds = super::counts::plural(what.kind);
                finding.help(format!("look the {kinds} of {} up in the snapshot", what.of))
            }
        };
        self.add(finding);
    }

    /// The source object of this name.
    pub(super) fn source_object(&mut self, name: &Name) -> Option<&'a Object> {
        self.object(name, Side::Source)
    }

    /// The destination object of this name.
    pub(super) fn target_object(&mut self, name: &Name) -> Option<&'a Object> {
        self.object(name, Side::Target)
    }

    fn object(&mut self, name: &Name, side: Side) -> Option<&'a Object> {
        let (schema, word) = match side {
            Side::Source => (self.source, "source"),
            Side::Target => (self.target, "destination"),
        };
        if let Some(object) = schema.object(&name.value) {
            return Some(object);
        }
        let meant = self.meant_name(&name.value, schema.objects.iter().map(|o| o.name.as_str()));
        let (other, other_word) = match side {
            Side::Source => (self.target, "destination"),
            Side::Target => (self.source, "source"),
        };
        // What a map of this name probably reads is not missing.
        match (side, meant) {
            (Side::Source, Some(meant)) => self.covered.meant(meant),
            (Side::Target, _) => self.covered.meant(&name.value),
            _ => {}
        }
        let help = match meant {
            _ if other.object(&name.value).is_some() => format!(
                "`{}` is an object of the {other_word}: a map leads from the source to the destination, `map SOURCE -> DESTINATION`",
                name.value
            ),
            Some(meant) => format!("did this mean `{meant}`?"),
            None => {
                let names: Vec<String> =
                    schema.objects.iter().take(12).map(|o| format!("`{}`", o.name)).collect();
                format!("the snapshot has {}", names.join(", "))
            }
        };
        let note = if side == Side::Source { self.source_note() } else { self.target_note() };
        let mut finding =
            Finding::new(codes::UNKNOWN_OBJECT, format!("the {word} has no object `{}`", name.value))
                .at(name.span, "no such object")
                .note(note)
                .help(help);
        if let Some(meant) = meant {
            finding = offer(finding, &name.value, meant, name.span, meant.to_owned());
        }
        self.add(finding);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::without_titles;

    #[test]
    fn quoted_code_has_no_titles() {
        assert_eq!(without_titles("UF_CRM_1 `Объём`.trim()"), "UF_CRM_1.trim()");
        assert_eq!(without_titles("first(`Объём`)"), "first(Объём)");
        assert_eq!(without_titles("join(\", `\",\n    [A `a`, B])"), "join(\", `\", [A, B])");
        assert_eq!(without_titles("\"WEB\" `Сайт`"), "\"WEB\"");
    }
}
