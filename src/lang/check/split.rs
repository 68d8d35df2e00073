//! Splits: which maps a record of a shared source goes to, and whether every record has a place.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::arm::ArmPlace;
use super::names::What;
use super::types::Scope;
use super::{Checker, Side, counts};
use crate::lang::finding::{Applicability, Count, Edit, Finding, Fix, registry as codes};
use crate::lang::plan::{self, Arm, Expr, SplitHow};
use crate::lang::schema::Object;
use crate::lang::syntax::ast::{self, SplitOn, SplitTo};
use crate::lang::text::Span;
use crate::lang::types::{Base, Type};

/// What the rows of a split lead to.
#[derive(Default)]
struct Named {
    maps: BTreeSet<usize>,
    /// Whether a row names a map that does not exist.
    unknown: bool,
}

impl<'a> Checker<'a> {
    /// Checks all splits, ties maps to theirs, and finds maps that share a source without one.
    pub(super) fn splits(&mut self, items: &[&'a ast::Split], maps: &mut [plan::Map]) -> Vec<plan::Split> {
        let mut plans: Vec<plan::Split> = Vec::new();
        let mut first: HashMap<&str, Span> = HashMap::new();
        for split in items {
            let source = split.source.name.value.as_str();
            if let Some(earlier) = first.get(source) {
                let earlier = *earlier;
                self.add(
                    Finding::new(codes::DUPLICATE_ITEM, format!("`{source}` is split twice"))
                        .at(split.head, "the second time")
                        .and_at(earlier, "the first time")
                        .help("join their rows: every record has one place"),
                );
                continue;
            }
            first.insert(source, split.head);
            let Some(object) = self.source_object(&split.source.name) else { continue };
            self.object_title(&split.source, object);
            self.folded.insert(object.name.clone());
            let index = plans.len();
            plans.extend(self.split(split, object, index, maps));
        }
        self.shared(&first);
        plans
    }

    fn split(
        &mut self,
        split: &'a ast::Split,
        object: &'a Object,
        index: usize,
        maps: &mut [plan::Map],
    ) -> Option<plan::Split> {
        let mut scope = Scope { object: Some(object), ..Scope::default() };
        let mut named = Named::default();
        let how = match &split.by {
            None => Some(SplitHow::When(self.conditions(split, &mut scope, object, &mut named))),
            Some(by) => self.by_value(split, by, &mut scope, object, &mut named),
        };
        let own: Vec<usize> =
            (0..self.maps.len()).filter(|map| self.maps[*map].source.name.value == object.name).collect();
        for map in &own {
            maps[*map].split = u16::try_from(index).ok();
            maps[*map].reads.extend(scope.reads.iter().map(|(slot, name)| (*slot, name.clone())));
            // A row that is wrong may be the one that leads there.
            let doubt = named.unknown || self.unread(split.span).mentions(&maps[*map].name);
            if !named.maps.contains(map) && !doubt {
                self.add(
                    Finding::new(
                        codes::SHARED_SOURCE,
                        format!("`split {}` never leads to map `{}`", object.name, maps[*map].name),
                    )
                    .at(self.maps[*map].head, "no record comes here")
                    .and_at(split.head, "the split")
                    .help(format!("name `{}` in a row of the split, or remove the map", maps[*map].name)),
                );
            }
        }
        if let Some(map) = own.first() {
            self.account(*map, object, &scope, std::iter::empty());
        }
        Some(plan::Split { source: object.name.clone(), how: how?, line: self.line(split.head) })
    }

    /// `when CONDITION => …`, the first that fits; the last row takes all others.
    fn conditions(
        &mut self,
        split: &'a ast::Split,
        scope: &mut Scope<'a>,
        object: &'a Object,
        named: &mut Named,
    ) -> Vec<plan::SplitRow> {
        let mut rows: Vec<plan::SplitRow> = Vec::new();
        let mut closed: Option<Span> = None;
        // By their words: expressions have no order and no hash.
        let mut seen: HashMap<String, Span> = HashMap::new();
        for row in &split.rows {
            let to = self.split_to(row, object, named);
            if let Some(closed) = closed {
                self.add(
                    Finding::new(codes::DEAD_ROW, "a row after `otherwise` can never apply")
                        .at(row.span, "no record is left for it")
                        .and_at(closed, "takes every other record")
                        .help("put it before `otherwise`, or remove it"),
                );
                continue;
            }
            let when = match &row.on {
                SplitOn::When(condition) => {
                    let Some(when) = self.sure_condition(scope, condition, "when") else { continue };
                    let words = format!("{when:?}");
                    if let Some(earlier) = seen.get(&words).copied() {
                        self.add(
                            Finding::new(codes::DEAD_ROW, "this condition stands twice")
                                .at(condition.span, "no record is left for it")
                                .and_at(earlier, "the first one decides")
                                .help("remove the row, or correct its condition"),
                        );
                    }
                    seen.entry(words).or_insert(condition.span);
                    Some(when)
                }
                SplitOn::Otherwise(span) => {
                    closed = Some(*span);
                    None
                }
                SplitOn::Codes(codes) => {
                    let at = codes.first().map_or(row.span, |code| code.span);
                    self.row_not_here(at, "a value", "write `when FIELD == \"…\"`, or `split … by FIELD`");
                    continue;
                }
                SplitOn::Unseen(span) => {
                    self.row_not_here(
                        *span,
                        "`_ unseen`",
                        "write `otherwise`, which takes every other record",
                    );
                    // It was meant to close the rows.
                    closed = Some(*span);
                    continue;
                }
            };
            if let Some(to) = to {
                rows.push(plan::SplitRow { when, to, line: self.line(row.span) });
            }
        }
        if closed.is_none() {
            let at = self.before_brace(split.span);
            let mut finding = Finding::new(
                codes::SPLIT_NOT_TOTAL,
                format!("`split {}` says nothing of records that no condition fits", object.name),
            )
            .at(split.head, "does not end in `otherwise`")
            .count(Count::Unknown)
            .help("add a last row: `otherwise  => quarantine`, or the map that takes them");
            if let Some(at) = at {
                finding = finding.fix(Fix {
                    title: "hold the others back".to_owned(),
                    edits: vec![Edit {
                        span: Span { start: at, end: at },
                        text: "  otherwise  => quarantine\n".to_owned(),
                    }],
                    applicability: Applicability::Likely,
                });
            }
            self.add(finding);
        }
        rows
    }

    /// `split OBJECT by FIELD { "CODE" => … }`
    fn by_value(
        &mut self,
        split: &'a ast::Split,
        by: &'a ast::FieldRef,
        scope: &mut Scope<'a>,
        object: &'a Object,
        named: &mut Named,
    ) -> Option<SplitHow> {
        let typed = self.field(scope, by);
        let known = match typed.as_ref().map(|typed| (&typed.ty, &typed.expr)) {
            Some((Type { base: Base::Enum(domain), many: false, .. }, Expr::Slot(slot))) => {
                Some((self.choices_of(Side::Source, domain), domain.clone(), *slot))
            }
            Some((ty, _)) => {
                let ty = ty.to_string();
                self.add(
                    Finding::new(
                        codes::TYPE_MISMATCH,
                        format!("a split goes by an enumerated field with one value, not `{ty}`"),
                    )
                    .at(by.field.span, format!("this is `{ty}`"))
                    .help("name a field such as a type, a status or a source, or write rows `when …`"),
                );
                None
            }
            None => None,
        };
        let entries = known.as_ref().and_then(|(entries, ..)| entries.clone());
        let mut rows: BTreeMap<String, plan::SplitRow> = BTreeMap::new();
        let mut spans: HashMap<String, Span> = HashMap::new();
        let mut unseen: Option<(Option<plan::SplitRow>, Span)> = None;
        let of = known.as_ref().map_or_else(String::new, |(_, domain, _)| format!("`enum({domain})`"));
        let what = What { code: codes::UNKNOWN_VALUE, kind: "value", of: &of, quoted: true };
        for row in &split.rows {
            let to = self.split_to(row, object, named);
            let plan = to.map(|to| plan::SplitRow { when: None, to, line: self.line(row.span) });
            match &row.on {
                SplitOn::Codes(all) => {
                    for coded in all {
                        let Some(entries) = &entries else { continue };
                        let Some(code) = self.resolve(entries, coded, what) else { continue };
                        let code = entries.all[code].0.to_owned();
                        if let Some(first) = spans.get(&code) {
                            let first = *first;
                            self.duplicate(&code, coded.span, first);
                            continue;
                        }
                        spans.insert(code.clone(), coded.span);
                        if let Some(plan) = &plan {
                            rows.insert(code, plan.clone());
                        }
                    }
                }
                SplitOn::Unseen(span) => match unseen {
                    Some((_, first)) => self.add(
                        Finding::new(codes::DUPLICATE_ROW, "`_ unseen` has two rows")
                            .at(*span, "the second one")
                            .and_at(first, "the first one")
                            .help("keep one of them"),
                    ),
                    None => unseen = Some((plan, *span)),
                },
                SplitOn::When(condition) => {
                    self.row_not_here(
                        condition.span,
                        "a condition",
                        "list values, or leave `by …` out and write every row as `when …`",
                    );
                }
                SplitOn::Otherwise(span) => self.row_not_here(
                    *span,
                    "`otherwise`",
                    "list the known values; `_ unseen` covers those that are born later",
                ),
            }
        }
        // A row that could not be read may be this one.
        if unseen.is_none() && self.unread(split.span).has_odd_row(&["split"]) {
            return None;
        }
        let Some((unseen, _)) = unseen else {
            let mut finding = Finding::new(
                codes::SPLIT_NOT_TOTAL,
                format!("`split {}` says nothing of values born later", object.name),
            )
            .at(split.head, "has no row `_ unseen`")
            .help("add a last row: `_ unseen  => quarantine`");
            if let Some(at) = self.before_brace(split.span) {
                finding = finding.fix(Fix {
                    title: "hold them back".to_owned(),
                    edits: vec![Edit {
                        span: Span { start: at, end: at },
                        text: "  _ unseen  => quarantine\n".to_owned(),
                    }],
                    applicability: Applicability::Safe,
                });
            }
            self.add(finding);
            if let Some((Some(entries), _, slot)) = &known {
                self.values_missing(split, object, *slot, &entries.all, &spans);
            }
            return None;
        };
        let (entries, _, slot) = known?;
        if let Some(entries) = entries {
            self.values_missing(split, object, slot, &entries.all, &spans);
        }
        Some(SplitHow::Value { slot, rows, unseen: unseen? })
    }

    /// Known values without a row.
    fn values_missing(
        &mut self,
        split: &'a ast::Split,
        object: &'a Object,
        slot: u16,
        all: &[(&'a str, Option<&'a str>)],
        listed: &HashMap<String, Span>,
    ) {
        let unread = self.unread(split.span);
        let missing: Vec<_> =
            all.iter().filter(|(code, _)| !listed.contains_key(*code) && !unread.mentions(code)).collect();
        if missing.is_empty() {
            return;
        }
        let field = &object.fields[usize::from(slot)];
        let stats = field.stats.as_ref().filter(|stats| stats.filled == 0 || !stats.values.is_empty());
        let records =
            stats.map(|stats| missing.iter().filter_map(|(code, _)| stats.values.get(*code)).sum::<u64>());
        let show = |(code, title): &(&str, Option<&str>)| match title {
            Some(title) => format!("\"{code}\" `{title}`"),
            None => format!("\"{code}\""),
        };
        let mut names: Vec<String> = missing.iter().take(3).map(|entry| show(entry)).collect();
        if missing.len() > 3 {
            names.push(format!("{} more", missing.len() - 3));
        }
        let mut label = format!("{} {} not listed", names.join(", "), counts::is_are(missing.len()));
        if let Some(records) = records {
            label.push_str(&format!(
                "; {} {} have {}",
                counts::grouped(records),
                counts::plural(&object.name),
                if missing.len() == 1 { "it" } else { "one of them" }
            ));
        }
        let rows: Vec<String> =
            missing.iter().map(|entry| format!("{}  => quarantine", show(entry))).collect();
        let mut finding = Finding::new(
            codes::SPLIT_NOT_TOTAL,
            format!(
                "`split {}` misses {} of {} values of `{}`",
                object.name,
                missing.len(),
                all.len(),
                field.name
            ),
        )
        .at(split.head, label)
        .note(self.source_note())
        .count(counts::exact(records))
        .help(format!(
            "add {}:\n{}",
            if rows.len() == 1 { "a row" } else { "rows" },
            rows.join("\n")
        ));
        if let Some(at) = self.before_brace(split.span) {
            let text: String = rows.iter().map(|row| format!("  {row}\n")).collect();
            finding = finding.fix(Fix {
                title: "hold them back".to_owned(),
                edits: vec![Edit { span: Span { start: at, end: at }, text }],
                applicability: Applicability::Likely,
            });
        }
        self.add(finding);
    }

    fn row_not_here(&mut self, at: Span, what: &str, help: &str) {
        self.add(
            Finding::new(codes::LINE_NOT_HERE, format!("{what} has no meaning in this kind of split"))
                .at(at, "not here")
                .help(help),
        );
    }

    /// Where a row sends its records.
    fn split_to(
        &mut self,
        row: &'a ast::SplitRow,
        object: &Object,
        named: &mut Named,
    ) -> Option<plan::SplitTo> {
        match &row.to {
            SplitTo::Listed(why) => Some(plan::SplitTo::Listed(why.value.clone())),
            SplitTo::Arm(arm) => {
                let checked = self.arm(&mut Scope::default(), arm, ArmPlace::Split, None)?;
                match checked.arm {
                    arm @ (Arm::Skip(_) | Arm::Quarantine | Arm::Stop) => Some(plan::SplitTo::Arm(arm)),
                    _ => None,
                }
            }
            SplitTo::Maps(names) => {
                let mut maps = Vec::new();
                let mut ok = true;
                for name in names {
                    let Some(index) = self.map_index(name) else {
                        ok = false;
                        named.unknown = true;
                        continue;
                    };
                    let source = self.maps[index].source.name.value.as_str();
                    if source != object.name {
                        ok = false;
                        self.add(
                            Finding::new(
                                codes::REF_WRONG_OBJECT,
                                format!("map `{}` reads `{source}`, not `{}`", name.value, object.name),
                            )
                            .at(name.span, format!("reads `{source}`"))
                            .help(format!("name maps of `{}`", object.name)),
                        );
                        continue;
                    }
                    named.maps.insert(index);
                    match u16::try_from(index) {
                        Ok(index) if !maps.contains(&index) => maps.push(index),
                        _ => self.add(
                            Finding::new(codes::DEAD_ROW, format!("`{}` stands twice", name.value))
                                .at(name.span, "the second time changes nothing")
                                .help("remove it"),
                        ),
                    }
                }
                ok.then_some(plan::SplitTo::Maps(maps))
            }
        }
    }

    /// Maps that share a source object which nothing splits.
    fn shared(&mut self, split: &HashMap<&str, Span>) {
        let mut by_source: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (index, map) in self.maps.iter().enumerate() {
            by_source.entry(map.source.name.value.as_str()).or_default().push(index);
        }
        for (source, maps) in by_source {
            if maps.len() < 2 || split.contains_key(source) || self.unread_head("split", source) {
                continue;
            }
            let names: Vec<&str> = maps.iter().map(|map| self.maps[*map].name().value.as_str()).collect();
            let records = self.source.object(source).and_then(|object| object.records);
            let mut finding = Finding::new(
                codes::SHARED_SOURCE,
                format!("`{source}` goes to {} maps, and no `split` tells which", maps.len()),
            )
            .at(self.maps[maps[1]].head, "reads the same records")
            .count(counts::exact(records))
            .help(format!(
                "say which record goes where:\nsplit {source} {{\n  when …     => {}\n  otherwise  => {}\n}}",
                names[0],
                names[1..].join(", ")
            ));
            for map in maps.iter().filter(|map| **map != maps[1]) {
                finding = finding.and_at(self.maps[*map].head, "and this one");
            }
            self.add(finding);
        }
    }
}
