//! Value tables: rows, exhaustiveness, merges.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::rc::Rc;

use super::arm::ArmPlace;
use super::fit::Place;
use super::names::What;
use super::types::{Scope, characters};
use super::{Checker, Side, counts};
use crate::lang::finding::{Applicability, Count, Edit, Finding, Fix, registry as codes};
use crate::lang::plan::{self, Arm, Expr};
use crate::lang::syntax::ast::{self, TableTarget};
use crate::lang::text::Span;
use crate::lang::types::{Base, Fidelity, Type};
use crate::lang::value::Value;

/// What a table looks up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum From {
    /// Values of an enumeration of the source.
    Domain(String),
    /// Any text.
    Text,
}

impl fmt::Display for From {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            From::Domain(domain) => write!(f, "enum({domain})"),
            From::Text => f.write_str("text"),
        }
    }
}

/// What look-ups need to know of a table.
#[derive(Debug)]
pub(super) struct TableInfo {
    pub name: String,
    /// `None` where that was reported.
    pub from: Option<From>,
    /// What comes out; `None` where that was reported.
    pub ty: Option<Type>,
    pub made: bool,
    /// Whether a row gives no value.
    pub absent: bool,
    pub texts: Option<Rc<[String]>>,
    pub elsewhere: Option<(Fidelity, Rc<str>)>,
    pub used: bool,
    /// Fields that are looked up, by object and slot.
    pub uses: BTreeSet<(String, usize)>,
    /// Known values without a row.
    missing: Vec<usize>,
}

impl TableInfo {
    /// Whether it looks values of an enumeration of the source up.
    pub(super) fn looks_up(&self, domain: &str) -> bool {
        self.from.as_ref().is_some_and(|from| matches!(from, From::Domain(known) if known == domain))
    }
}

impl<'a> Checker<'a> {
    /// Checks a table's rows; whether they are all there is said by [`Self::tables_end`].
    pub(super) fn table(&mut self, table: &'a ast::Table) -> plan::Table {
        let from = self.table_from(table);
        let place = self.table_place(table);
        let domain = match &from {
            Some(From::Domain(domain)) => self.choices_of(Side::Source, domain),
            _ => None,
        };
        let mut rows: BTreeMap<String, plan::TableRow> = BTreeMap::new();
        let mut spans: HashMap<String, Span> = HashMap::new();
        let mut texts = Some(Vec::new());
        let mut absent = false;
        let mut longest = 0;
        let mut values: HashMap<Value, Vec<usize>> = HashMap::new();
        let of = from.as_ref().map(|from| format!("`{from}`")).unwrap_or_default();
        let what = What { code: codes::UNKNOWN_VALUE, kind: "value", of: &of, quoted: true };
        for (index, row) in table.rows.iter().enumerate() {
            let mut keys = Vec::new();
            let mut twice = false;
            for coded in &row.codes {
                self.guessed = None;
                let code = match (&domain, &from) {
                    (Some(entries), _) => {
                        self.resolve(entries, coded, what).map(|i| entries.all[i].0.to_owned())
                    }
                    (None, Some(From::Text)) => coded.code.as_ref().map(|code| code.value.clone()),
                    _ => None,
                };
                let Some(code) = code else {
                    // What the row probably means is not missing.
                    if let (Some(entries), Some(guessed)) = (&domain, self.guessed) {
                        spans.entry(entries.all[guessed].0.to_owned()).or_insert(coded.span);
                    }
                    continue;
                };
                if let Some(first) = spans.get(&code) {
                    self.duplicate(&code, coded.span, *first);
                    twice = true;
                    continue;
                }
                spans.insert(code.clone(), coded.span);
                keys.push(code);
            }
            let line = self.line(row.span);
            let Some(arm) = self.row_arm(&row.arm, place.as_ref(), &mut texts, &mut absent, &mut longest)
            else {
                continue;
            };
            // A row too many merges nothing.
            if let (Arm::Value { value, .. }, false) = (&arm, twice && keys.is_empty())
                && let Expr::Const(value) = value.as_ref()
            {
                values.entry(value.clone()).or_default().push(index);
            }
            for key in keys {
                rows.insert(key, plan::TableRow { arm: arm.clone(), line });
            }
        }
        let unseen = match &table.unseen {
            Some(row) => self
                .row_arm(&row.arm, place.as_ref(), &mut texts, &mut absent, &mut longest)
                .unwrap_or(Arm::Quarantine),
            None => {
                self.no_unseen("table", &table.name.value, table.name.span, table.span);
                Arm::Quarantine
            }
        };
        let reasons = self.merges(table, values);
        let missing = match &domain {
            Some(entries) => {
                (0..entries.all.len()).filter(|i| !spans.contains_key(entries.all[*i].0)).collect()
            }
            None => Vec::new(),
        };
        let ty = place.as_ref().map(|place| {
            let base = match &place.ty.base {
                Base::Text { max: None } if texts.is_some() && longest > 0 => {
                    Base::Text { max: Some(longest) }
                }
                base => base.clone(),
            };
            Type::one(base)
        });
        if self.tables.len() < usize::from(u16::MAX) {
            self.table_names.insert(&table.name.value, self.tables.len());
        }
        self.tables.push(TableInfo {
            name: table.name.value.clone(),
            from,
            ty,
            made: true,
            absent,
            texts: texts.filter(|texts| !texts.is_empty()).map(Rc::from),
            elsewhere: reasons.map(|reason| (Fidelity::Merged, Rc::from(reason))),
            used: false,
            uses: BTreeSet::new(),
            missing,
        });
        let unseen_line = self.line(table.unseen.as_ref().map_or(table.span, |row| row.span));
        plan::Table { name: table.name.value.clone(), rows, unseen, unseen_line, line: self.line(table.span) }
    }

    fn table_from(&mut self, table: &'a ast::Table) -> Option<From> {
        match table.from.name.value.as_str() {
            "enum" => self.source_domain(&table.from).map(From::Domain),
            "text" => Some(From::Text),
            other if super::types::word(other).is_some() => {
                self.add(
                    Finding::new(
                        codes::TYPE_MISMATCH,
                        format!("a table looks codes or texts up, not `{other}`"),
                    )
                    .at(table.from.span, format!("this is `{other}`"))
                    .help("write `enum(NAME)` or `text`"),
                );
                None
            }
            _ => {
                self.unknown_type(&table.from);
                None
            }
        }
    }

    /// What a table's rows must fit.
    fn table_place(&mut self, table: &'a ast::Table) -> Option<Place> {
        match &table.to {
            TableTarget::Type(ty) => {
                let (base, choices) = self.made_base(ty, &quoted(&super::types::choices(ty)))?;
                Some(Place {
                    name: format!("table `{}`", table.name.value),
                    ty: Type::one(base),
                    choices: (!choices.is_empty()).then_some(choices),
                })
            }
            TableTarget::Field { object, field } => {
                let object = self.target_object(object)?;
                let name = format!("`{}.{}`", object.name, field.value);
                if let Some(custom) = self.custom.get(&object.name, &field.value) {
                    return Some(Place {
                        name,
                        ty: Type::one(custom.base.clone()),
                        choices: custom.own_choices(),
                    });
                }
                let Some(slot) = object.field(&field.value) else {
                    self.unknown_target(object, field);
                    return None;
                };
                Some(Place { name, ty: Type::one(slot.ty.base.clone()), choices: None })
            }
        }
    }

    fn row_arm(
        &mut self,
        arm: &'a ast::Arm,
        place: Option<&Place>,
        texts: &mut Option<Vec<String>>,
        absent: &mut bool,
        longest: &mut u32,
    ) -> Option<Arm> {
        let mut scope = Scope::default();
        let checked = self.arm(&mut scope, arm, ArmPlace::Row, place)?;
        match &checked.arm {
            Arm::Value { .. } => match checked.value.as_ref().and_then(|value| value.texts.as_ref()) {
                Some(given) => {
                    for text in given.iter() {
                        *longest = (*longest).max(characters(text));
                        if let Some(texts) = texts {
                            texts.push(text.clone());
                        }
                    }
                }
                None => *texts = None,
            },
            Arm::Flag(_) | Arm::Unset => *absent = true,
            _ => {}
        }
        if checked.value.as_ref().is_some_and(|value| value.fails) {
            self.add(
                Finding::new(codes::FAILURE_UNHANDLED, "a table's row may not fail")
                    .at(arm.span, "may fail")
                    .help("write the value itself"),
            );
        }
        Some(checked.arm)
    }

    pub(super) fn duplicate(&mut self, code: &str, second: Span, first: Span) {
        self.add(
            Finding::new(codes::DUPLICATE_ROW, format!("\"{code}\" has two rows"))
                .at(second, "the second one")
                .and_at(first, "the first one")
                .help("keep one of them"),
        );
    }

    pub(super) fn no_unseen(&mut self, kind: &str, name: &str, at: Span, item: Span) {
        // A row that could not be read may be this one.
        if self.unread(item).has_odd_row(&["table", "pipeline", "replace", "refine"]) {
            return;
        }
        let finding = Finding::new(
            codes::NO_UNSEEN_ROW,
            format!("{kind} `{name}` says nothing of values that are born after the snapshot"),
        )
        .at(at, "no `_ unseen` row")
        .help("add a last row: `_ unseen  => quarantine`");
        let finding = match self.before_brace(item) {
            Some(at) => finding.fix(Fix {
                title: "hold records with such values back".to_owned(),
                edits: vec![Edit {
                    span: Span { start: at, end: at },
                    text: "  _ unseen  => quarantine\n".to_owned(),
                }],
                applicability: Applicability::Safe,
            }),
            None => finding,
        };
        self.add(finding);
    }

    /// Values that several rows or codes become need a reason on each such row; the reasons, run together.
    fn merges(&mut self, table: &'a ast::Table, values: HashMap<Value, Vec<usize>>) -> Option<String> {
        let mut merged: BTreeMap<usize, usize> = BTreeMap::new();
        let mut excused = Vec::new();
        for rows in values.values() {
            let codes: usize = rows.iter().map(|row| table.rows[*row].codes.len()).sum();
            if codes > 1 {
                merged.extend(rows.iter().map(|row| (*row, codes)));
                let group =
                    rows.iter().map(|at| (*at, table.rows[*at].span, table.rows[*at].fidelity.as_ref()));
                excused.extend(self.excused(group));
            }
        }
        let mut reasons: Vec<&str> = Vec::new();
        for (index, row) in table.rows.iter().enumerate() {
            let codes = merged.get(&index).copied().unwrap_or(1);
            let unreasoned = if excused.contains(&index) { 1 } else { codes };
            self.row_fidelity(unreasoned, row.fidelity.as_ref(), row.arm.span, row.span);
            if codes > 1 {
                let because = row.fidelity.as_ref().and_then(|clause| clause.because.as_ref());
                reasons
                    .extend(because.map(|because| because.value.as_str()).filter(|b| !reasons.contains(b)));
            }
        }
        (!merged.is_empty()).then(|| reasons.join("; "))
    }

    /// What can be said of tables once all uses are known.
    pub(super) fn tables_end(&mut self, tables: &[&'a ast::Table]) {
        for (index, table) in tables.iter().enumerate() {
            if !self.tables[index].used
                && !self.of_profile(table.span)
                && !self.perhaps_used(&table.name.value, table.span)
            {
                self.add(
                    Finding::new(codes::UNUSED_ITEM, format!("table `{}` is used nowhere", table.name.value))
                        .at(table.name.span, "no rule looks anything up in it")
                        .help(format!("write `{}[FIELD]` in a rule, or remove the table", table.name.value))
                        .fix(self.without_item(table.span)),
                );
            }
            self.missing_values(index, table);
        }
    }

    fn missing_values(&mut self, index: usize, table: &'a ast::Table) {
        let mut missing = std::mem::take(&mut self.tables[index].missing);
        let Some(From::Domain(domain)) = self.tables[index].from.clone() else { return };
        let Some(entries) = self.choices_of(Side::Source, &domain) else { return };
        let unread = self.unread(table.span);
        missing.retain(|value| !unread.mentions(entries.all[*value].0));
        if missing.is_empty() {
            return;
        }
        let shown = |i: usize| match entries.all[i].1 {
            Some(title) => format!("\"{}\" `{title}`", entries.all[i].0),
            None => format!("\"{}\"", entries.all[i].0),
        };
        let codes_missing: Vec<&str> = missing.iter().map(|i| entries.all[*i].0).collect();
        let (count, label) = self.records_with(&self.tables[index].uses, &codes_missing);
        let mut names: Vec<String> = missing.iter().take(3).map(|i| shown(*i)).collect();
        if missing.len() > 3 {
            names.push(format!("{} more", missing.len() - 3));
        }
        let unused = self.unused_choices(index, table);
        let rows: Vec<String> =
            missing.iter().map(|i| row_to_paste(&shown(*i), entries.all[*i].1, &unused)).collect();
        let mut help = if rows.len() == 1 { "add a row".to_owned() } else { "add rows".to_owned() };
        if !unused.is_empty() {
            let some: Vec<String> = unused.iter().take(8).map(|name| format!("\"{name}\"")).collect();
            help.push_str(&format!("; values of {} that no row uses yet: {}", to(table), some.join(", ")));
        }
        for row in &rows {
            help.push('\n');
            help.push_str(row);
        }
        let message = format!(
            "table `{}` misses {} of {} of `enum({domain})`",
            table.name.value,
            missing.len(),
            counts::many(entries.all.len(), "value")
        );
        let finding = Finding::new(codes::TABLE_MISSES_VALUE, message)
            .at(
                table.name.span,
                format!("{} {} not listed{label}", names.join(", "), counts::is_are(missing.len())),
            )
            .note(self.source_note())
            .count(count)
            .help(help);
        let finding = self.with_rows(finding, table.unseen.as_ref().map(|row| row.span), table.span, &rows);
        self.add(finding);
    }

    /// Adds a fix that puts rows before the `_ unseen` row, or last.
    pub(super) fn with_rows(
        &self,
        finding: Finding,
        unseen: Option<Span>,
        item: Span,
        rows: &[String],
    ) -> Finding {
        let at = match unseen {
            Some(span) => {
                let before = &self.input.text.text()[..span.range().start.min(self.input.text.text().len())];
                let blank = before.len() - before.trim_end_matches([' ', '\t']).len();
                before
                    .trim_end_matches([' ', '\t'])
                    .ends_with('\n')
                    .then(|| span.start.saturating_sub(u32::try_from(blank).unwrap_or(0)))
            }
            None => self.before_brace(item),
        };
        let Some(at) = at else { return finding };
        let text: String = rows.iter().map(|row| format!("  {row}\n")).collect();
        finding.fix(Fix {
            title: if rows.len() == 1 { "add the row".to_owned() } else { "add the rows".to_owned() },
            edits: vec![Edit { span: Span { start: at, end: at }, text }],
            applicability: Applicability::Likely,
        })
    }

    /// Destination values that no row of a table gives.
    fn unused_choices(&mut self, index: usize, table: &'a ast::Table) -> Vec<String> {
        let Some(Base::Enum(domain)) = self.tables[index].ty.as_ref().map(|ty| ty.base.clone()) else {
            return Vec::new();
        };
        let used = self.tables[index].texts.clone();
        let used: Vec<&str> = used.iter().flat_map(|texts| texts.iter().map(String::as_str)).collect();
        let own = match &table.to {
            TableTarget::Field { object, field } => {
                self.custom.get(&object.value, &field.value).and_then(|custom| custom.own_choices())
            }
            TableTarget::Type(ty) => Some(super::types::choices(ty)),
        };
        match own {
            Some(choices) => choices.into_iter().filter(|choice| !used.contains(&choice.as_str())).collect(),
            None => {
                let Some(entries) = self.choices_of(Side::Target, &domain) else { return Vec::new() };
                let free = entries.all.iter().map(|(code, _)| *code).filter(|code| !used.contains(code));
                free.map(str::to_owned).collect()
            }
        }
    }

    /// How many records hold one of these codes in one of these fields, and how to say that.
    fn records_with(&self, uses: &BTreeSet<(String, usize)>, codes: &[&str]) -> (Count, String) {
        let mut sum = 0;
        let mut most = 0;
        let mut objects: BTreeSet<&str> = BTreeSet::new();
        let mut total = Some(0);
        let mut exact = true;
        for (name, slot) in uses {
            let Some(object) = self.source.object(name) else { return (Count::Unknown, String::new()) };
            let field = &object.fields[*slot];
            let Some(stats) = &field.stats else { return (Count::Unknown, String::new()) };
            if stats.values.is_empty() && stats.filled > 0 {
                return (Count::Unknown, String::new());
            }
            let records: u64 = codes.iter().filter_map(|code| stats.values.get(*code)).sum();
            // Records that hold several values, or the same object twice: only bounds are sure.
            exact &= objects.insert(name) && (!field.ty.many || codes.len() == 1);
            sum += records;
            most =
                most.max(codes.iter().filter_map(|code| stats.values.get(*code)).max().copied().unwrap_or(0));
            total = total.zip(object.records).map(|(a, b)| a + b);
        }
        if uses.is_empty() {
            return (Count::Unknown, String::new());
        }
        let noun = match objects.len() {
            1 => objects.first().map(|name| counts::plural(name)).unwrap_or_default(),
            _ => "records".to_owned(),
        };
        let of = total.map(|total| format!(" of {}", counts::grouped(total))).unwrap_or_default();
        let have = if codes.len() == 1 { "have it" } else { "have one of them" };
        if exact {
            (Count::Exact { records: sum }, format!("; {}{of} {noun} {have}", counts::grouped(sum)))
        } else {
            (
                Count::Between { at_least: most, at_most: sum },
                format!("; between {} and {}{of} {noun} {have}", counts::grouped(most), counts::grouped(sum)),
            )
        }
    }
}

/// A row that takes the destination value of the most similar name, or holds records back.
fn row_to_paste(shown: &str, title: Option<&str>, unused: &[String]) -> String {
    let best = title.and_then(|title| super::names::nearest(title, unused.iter().map(String::as_str)));
    match best {
        Some(name) => format!("{shown}  => \"{name}\""),
        None => format!("{shown}  => quarantine"),
    }
}

fn to(table: &ast::Table) -> String {
    match &table.to {
        TableTarget::Field { object, field } => format!("`{}.{}`", object.value, field.value),
        TableTarget::Type(_) => "its type".to_owned(),
    }
}

/// `"A", "B"`
fn quoted(choices: &[String]) -> String {
    let quoted: Vec<String> = choices.iter().map(|choice| format!("\"{choice}\"")).collect();
    quoted.join(", ")
}
