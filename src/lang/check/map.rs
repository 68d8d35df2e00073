//! Maps: heads, keys, filters, matches.

use std::collections::{BTreeMap, HashMap};

use super::arm::ArmPlace;
use super::drops::Accounts;
use super::items::Items;
use super::meant::instead;
use super::notes::NotePlace;
use super::order::Edges;
use super::types::Scope;
use super::{Checker, MapHead};
use crate::lang::finding::{Applicability, Edit, Finding, Fix, registry as codes};
use crate::lang::plan::{self, Arm};
use crate::lang::schema::{Object, Write};
use crate::lang::syntax::ast::{self, MapLine};
use crate::lang::text::{Span, Spanned};
use crate::lang::types::Base;

impl<'a> Checker<'a> {
    /// Takes in the maps' names and objects.
    pub(super) fn heads(&mut self, items: &Items<'a>) {
        for (index, map) in items.maps.iter().enumerate() {
            self.maps.push(map);
            self.map_names.insert(&map.name().value, index);
            let source = self.source_object(&map.source.name);
            if let Some(object) = source {
                self.object_title(&map.source, object);
            }
            let target = self.target_object(&map.target);
            if let Some(object) = target
                && !object.creatable
            {
                self.add(
                    Finding::new(
                        codes::NOT_CREATABLE,
                        format!("the destination's API cannot create `{}`", object.name),
                    )
                    .at(map.target.span, "cannot be created")
                    .note(self.target_note())
                    .help(object.hint.clone().unwrap_or_else(|| "map to another object".to_owned())),
                );
            }
            self.heads.push(MapHead { source, target });
        }
    }

    pub(super) fn map(&mut self, index: usize, edges: &mut Edges) -> plan::Map {
        let map = self.maps[index];
        let head = self.heads[index];
        let mut plan = plan::Map {
            name: map.name().value.clone(),
            source: map.source.name.value.clone(),
            target: map.target.value.clone(),
            key: 0,
            filter: None,
            match_existing: Vec::new(),
            on_existing: plan::OnExisting::default(),
            on_delete: plan::OnDelete::default(),
            targets: Vec::new(),
            rules: Vec::new(),
            notes: Vec::new(),
            split: None,
            reads: BTreeMap::new(),
            dropped: Vec::new(),
            records: head.source.and_then(|object| object.records),
            line: self.line(map.head),
        };
        self.lines_twice(map);
        let Some(source) = head.source else { return plan };
        let mut scope = Scope { object: Some(source), map: index, ..Scope::default() };
        self.key(map, source, &mut scope, &mut plan);
        let mut accounts = Accounts::default();
        let mut matches = None;
        for line in &map.body {
            match line {
                MapLine::Key(_) => {}
                MapLine::MatchExisting { by, span } => matches = Some((by, *span)),
                MapLine::OnExisting(on) => plan.on_existing = on_existing(on),
                MapLine::OnDelete(on) => plan.on_delete = on_delete(on),
                MapLine::Note(note) => {
                    let item = format!("map `{}`", plan.name);
                    let place = NotePlace { object: head.target, item: &item, folded: false };
                    let made = self.note(&mut scope, note, &place, &plan.notes);
                    self.note_links(&mut scope, note, edges);
                    plan.notes.extend(made);
                }
                MapLine::Gap { fields, why, span } => self.gap(source, fields, why, *span, &mut accounts),
                MapLine::Pick { span, .. } => {
                    self.line_not_here(
                        *span,
                        "pick",
                        "map",
                        "it belongs to a `flatten`, which may meet several records",
                    );
                }
                MapLine::Orphan { span, .. } => {
                    self.line_not_here(
                        *span,
                        "orphan",
                        "map",
                        "it belongs to a `flatten`; a map leaves records out by `where … else skip \"…\"`",
                    );
                }
                MapLine::Where { condition, otherwise, span } => {
                    if let Some(filter) = self.filter(&mut scope, condition, otherwise.as_ref(), *span) {
                        plan.filter.get_or_insert(filter);
                    }
                }
                MapLine::Rule(rule) => self.rule(&mut scope, head.target, rule, &mut plan, edges),
                MapLine::Drop(drop) => self.drop(source, drop, &mut accounts),
                MapLine::Todo { fields, why, span } => {
                    self.todo(source, fields, &why.value, *span, &mut accounts)
                }
            }
        }
        self.required(map, head.target, &plan);
        if let (Some((by, _)), Some(target)) = (matches, head.target) {
            self.matches(by, target, map, &mut plan);
        }
        self.labels_lost(source, &scope, &mut plan.rules);
        self.dropped_and_read(source, &scope, &accounts);
        self.account(index, source, &scope, accounts.dropped.keys().chain(&accounts.todo));
        plan.reads = scope.reads;
        plan.dropped = accounts.plan;
        plan.dropped.append(&mut scope.line_dropped);
        plan
    }

    /// Lines that a map may have once.
    fn lines_twice(&mut self, map: &ast::Map) {
        let mut first: HashMap<&str, Span> = HashMap::new();
        for line in &map.body {
            let (word, span) = match line {
                MapLine::Key(key) => ("key", key.span),
                MapLine::MatchExisting { span, .. } => ("match existing", *span),
                MapLine::OnExisting(on) => ("on existing", on.span),
                MapLine::OnDelete(on) => ("on delete", on.span),
                MapLine::Where { span, .. } => ("where", *span),
                _ => continue,
            };
            match first.get(word) {
                None => {
                    first.insert(word, span);
                }
                Some(earlier) => {
                    let help = if word == "where" { "join them with `and`" } else { "keep one of them" };
                    self.add(
                        Finding::new(
                            codes::DUPLICATE_ITEM,
                            format!("`{word}` stands twice in map `{}`", map.name().value),
                        )
                        .at(span, "the second one")
                        .and_at(*earlier, "the first one")
                        .help(help),
                    );
                }
            }
        }
    }

    fn key(&mut self, map: &'a ast::Map, source: &'a Object, scope: &mut Scope<'a>, plan: &mut plan::Map) {
        let key = map.body.iter().find_map(|line| match line {
            MapLine::Key(key) => Some(key),
            _ => None,
        });
        let Some(key) = key else {
            let unread = self.unread(map.span);
            if ["key", "Key", "KEY"].iter().any(|word| unread.mentions(word)) {
                return;
            }
            let id =
                source.fields.iter().find(|f| f.name.eq_ignore_ascii_case("id")).map_or("FIELD", |f| &f.name);
            let open = map.head.end;
            let mut finding =
                Finding::new(codes::KEY_MISSING, format!("map `{}` has no key", map.name().value))
                    .at(map.head, "what tells its records apart?")
                    .help(format!("add a first line `key {id}`"));
            if let Some(brace) = self.quote(Span { start: open, end: map.span.end }).find("{\n") {
                let at = open + u32::try_from(brace + 2).unwrap_or(0);
                finding = finding.fix(Fix {
                    title: format!("add `key {id}`"),
                    edits: vec![Edit { span: Span { start: at, end: at }, text: format!("  key {id}\n") }],
                    applicability: if id == "FIELD" {
                        Applicability::Placeholder
                    } else {
                        Applicability::Safe
                    },
                });
            }
            self.add(finding);
            return;
        };
        let Some(typed) = self.field(scope, &key.value) else { return };
        let sure = !typed.ty.optional && !typed.ty.many;
        // Records are staged, marked and journalled by their id: no other field may stand here.
        if !sure || typed.ty.base != Base::Integer {
            self.add(
                Finding::new(
                    codes::KEY_MISSING,
                    format!("`{}` does not identify a record", self.quote(key.value.field.span)),
                )
                .at(key.span, format!("this is `{}`", typed.ty))
                .help("name the number by which the system knows its records, such as `ID`"),
            );
            return;
        }
        if let plan::Expr::Slot(slot) = typed.expr {
            plan.key = slot;
            scope.key = Some(usize::from(slot));
        }
    }

    pub(super) fn filter(
        &mut self,
        scope: &mut Scope<'a>,
        condition: &'a ast::Expr,
        otherwise: Option<&'a ast::Arm>,
        span: Span,
    ) -> Option<plan::Filter> {
        let condition = self.sure_condition(scope, condition, "where");
        let arm = match otherwise {
            Some(arm) => self.arm(scope, arm, ArmPlace::Where, None).map(|checked| checked.arm),
            None => {
                // Without words of its own the line is the reason; a comment after it is not.
                let line = self.quote(span).split('#').next().unwrap_or_default();
                Some(Arm::Skip(line.split_whitespace().collect::<Vec<_>>().join(" ")))
            }
        };
        Some(plan::Filter { condition: condition?, otherwise: arm?, line: self.line(span) })
    }

    /// `match existing by …`
    fn matches(&mut self, by: &'a [ast::Name], target: &'a Object, map: &'a ast::Map, plan: &mut plan::Map) {
        let unread = self.unread(map.span);
        for name in by {
            if !target.matchable.contains(&name.value) {
                if target.field(&name.value).is_none() {
                    self.unknown_target(target, name);
                    continue;
                }
                let help = if target.matchable.is_empty() {
                    format!("records of `{}` cannot be searched by any field: remove the line", target.name)
                } else {
                    format!("they can be found by `{}`", target.matchable.join("`, `"))
                };
                self.add(
                    Finding::new(
                        codes::NOT_MATCHABLE,
                        format!("existing records of `{}` cannot be found by `{}`", target.name, name.value),
                    )
                    .at(name.span, "cannot be searched")
                    .note(self.target_note())
                    .help(help),
                );
                continue;
            }
            let written = map.body.iter().any(|line| match line {
                MapLine::Rule(rule) => {
                    matches!(&rule.target, ast::RuleTarget::Field(field) if field.value == name.value)
                }
                _ => false,
            });
            if !written && !unread.mentions(&name.value) {
                self.add(
                    Finding::new(
                        codes::NOT_MATCHABLE,
                        format!(
                            "map `{}` writes no `{}`, so there is nothing to look for",
                            plan.name, name.value
                        ),
                    )
                    .at(name.span, "not written by this map")
                    .help(format!("write a rule `{} <- …`, or match by another field", name.value)),
                );
                continue;
            }
            if plan.match_existing.contains(&name.value) {
                self.add(
                    Finding::new(codes::DEAD_ROW, format!("`{}` stands twice", name.value))
                        .at(name.span, "the second time changes nothing")
                        .help("remove it"),
                );
                continue;
            }
            plan.match_existing.push(name.value.clone());
        }
    }

    /// A destination field that does not exist.
    pub(super) fn unknown_target(&mut self, object: &'a Object, name: &ast::Name) {
        let meant = self.meant_name(&name.value, object.fields.iter().map(|f| f.name.as_str()));
        if meant.is_none() {
            self.guess_everywhere(&name.value);
        }
        let help = match meant {
            Some(meant) => match object.field(meant).map(|field| &field.write) {
                Some(Write::No { hint }) => format!("did this mean `{meant}`? It cannot be written: {hint}"),
                _ => format!("did this mean `{meant}`?"),
            },
            // `TITLE <- name`: the two sides were swapped.
            None if self.source.objects.iter().any(|source| source.field(&name.value).is_some()) => format!(
                "`{}` is a field of the source: the destination's field stands left of `<-`, what is read right",
                name.value
            ),
            None if object.custom_types.is_empty() => "look its fields up in the snapshot".to_owned(),
            None => format!(
                "look its fields up in the snapshot, or make one: `custom \"{}\" text <- …`",
                name.value
            ),
        };
        self.add(
            Finding::new(codes::UNKNOWN_FIELD, format!("`{}` has no field `{}`", object.name, name.value))
                .at(name.span, "no such field")
                .note(self.target_note())
                .help(help)
                .fix_where(meant.map(|meant| instead(name.span, meant.to_owned()))),
        );
    }
}

fn on_existing(on: &Spanned<ast::OnExisting>) -> plan::OnExisting {
    match on.value {
        ast::OnExisting::Fill => plan::OnExisting::Fill,
        ast::OnExisting::Overwrite => plan::OnExisting::Overwrite,
        ast::OnExisting::Keep => plan::OnExisting::Keep,
    }
}

fn on_delete(on: &Spanned<ast::OnDelete>) -> plan::OnDelete {
    match on.value {
        ast::OnDelete::List => plan::OnDelete::List,
        ast::OnDelete::Delete => plan::OnDelete::Delete,
    }
}
