//! Maps: heads, keys, filters, matches, drops; arms wherever they stand.

use std::collections::{BTreeMap, HashMap};

use super::fit::Place;
use super::items::Items;
use super::order::Edges;
use super::types::{Scope, Typed};
use super::{Checker, MapHead, counts};
use crate::lang::finding::{Edit, Finding, Fix, registry as codes};
use crate::lang::plan::{self, Arm, Dropped};
use crate::lang::schema::{Object, Write};
use crate::lang::syntax::ast::{self, ArmKind, DropReason, FieldPattern, FieldRef, MapLine};
use crate::lang::text::{Span, Spanned};
use crate::lang::types::Base;

/// Where an arm stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ArmPlace {
    /// After `else` of a rule.
    Else,
    /// After `on fail`.
    OnFail,
    /// After `on unmigrated`.
    OnUnmigrated,
    /// After `else` of `where`.
    Where,
    /// In a table.
    Row,
    /// In a pipeline.
    StageRow,
}

impl ArmPlace {
    fn words(self) -> &'static str {
        match self {
            ArmPlace::Else => "after `else`",
            ArmPlace::OnFail => "after `on fail`",
            ArmPlace::OnUnmigrated => "after `on unmigrated`",
            ArmPlace::Where => "after the `else` of a `where`",
            ArmPlace::Row => "in a table",
            ArmPlace::StageRow => "in a pipeline",
        }
    }

    fn takes(self, kind: &ArmKind) -> bool {
        match kind {
            ArmKind::Value { .. } => matches!(self, ArmPlace::Else | ArmPlace::OnFail | ArmPlace::Row),
            ArmKind::Flag(_) | ArmKind::Unset => self != ArmPlace::Where,
            ArmKind::Skip(_) => self != ArmPlace::OnUnmigrated,
            ArmKind::Wait => self == ArmPlace::OnUnmigrated,
            ArmKind::Quarantine | ArmKind::Stop => true,
        }
    }

    fn help(self) -> &'static str {
        match self {
            ArmPlace::Else | ArmPlace::OnFail => {
                "write a value, `unset`, `flag \"…\"`, `skip \"…\"`, `quarantine` or `stop`"
            }
            ArmPlace::OnUnmigrated => "write `flag \"…\"`, `unset`, `wait`, `quarantine` or `stop`",
            ArmPlace::Where => "write `skip \"…\"`, `quarantine` or `stop`",
            ArmPlace::Row => "write a value, `unset`, `flag \"…\"`, `skip \"…\"`, `quarantine` or `stop`",
            ArmPlace::StageRow => {
                "write `stage \"…\"`, `won \"…\"`, `lost \"…\"`, `cancelled \"…\"`, `flag \"…\"`, `skip \"…\"`, \
                 `quarantine` or `stop`"
            }
        }
    }
}

/// A checked arm.
#[derive(Clone, Debug)]
pub(super) struct CheckedArm<'a> {
    pub arm: Arm,
    /// Its value, where it has one.
    pub value: Option<Typed<'a>>,
}

/// What becomes of a map's source fields, for the coverage.
#[derive(Debug, Default)]
struct Accounts {
    /// Fields that are dropped, by slot, with the place and whether a glob did it.
    dropped: BTreeMap<usize, (Span, bool)>,
    /// Fields that wait for a decision.
    todo: Vec<usize>,
    plan: Vec<Dropped>,
}

impl<'a> Checker<'a> {
    /// Takes in the maps' names and objects.
    pub(super) fn heads(&mut self, items: &Items<'a>) {
        for (index, map) in items.maps.iter().enumerate() {
            self.maps.push(map);
            self.map_names.insert(&map.name().value, index);
            let source = self.source_object(&map.source);
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
            source: map.source.value.clone(),
            target: map.target.value.clone(),
            key: 0,
            filter: None,
            match_existing: Vec::new(),
            on_existing: plan::OnExisting::default(),
            on_delete: plan::OnDelete::default(),
            targets: Vec::new(),
            rules: Vec::new(),
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
        self.dropped_and_read(source, &scope, &accounts);
        self.account(index, source, &scope, accounts.dropped.keys().chain(&accounts.todo));
        plan.reads = scope.reads;
        plan.dropped = accounts.plan;
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
                MapLine::Rule(_) | MapLine::Drop(_) | MapLine::Todo { .. } => continue,
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
                    certain: id != "FIELD",
                });
            }
            self.add(finding);
            return;
        };
        let Some(typed) = self.field(scope, &key.value) else { return };
        let sure = !typed.ty.optional && !typed.ty.many;
        if !sure || !matches!(typed.ty.base, Base::Integer | Base::Text { .. }) {
            self.add(
                Finding::new(
                    codes::KEY_MISSING,
                    format!("`{}` does not identify a record", self.quote(key.value.field.span)),
                )
                .at(key.span, format!("this is `{}`", typed.ty))
                .help("name a field that every record has and no two share, such as its id"),
            );
            return;
        }
        if let plan::Expr::Slot(slot) = typed.expr {
            plan.key = slot;
            scope.key = Some(usize::from(slot));
        }
    }

    fn filter(
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

    /// Checks an arm; a value must fit the place, where one is given.
    pub(super) fn arm(
        &mut self,
        scope: &mut Scope<'a>,
        arm: &ast::Arm,
        at: ArmPlace,
        place: Option<&Place>,
    ) -> Option<CheckedArm<'a>> {
        if !at.takes(&arm.kind) {
            let word = match &arm.kind {
                ArmKind::Value { .. } => "a value",
                ArmKind::Flag(_) => "`flag`",
                ArmKind::Unset => "`unset`",
                ArmKind::Skip(_) => "`skip`",
                ArmKind::Wait => "`wait`",
                ArmKind::Quarantine => "`quarantine`",
                ArmKind::Stop => "`stop`",
            };
            self.add(
                Finding::new(codes::ARM_NOT_ALLOWED, format!("{word} has no meaning {}", at.words()))
                    .at(arm.span, "not here")
                    .help(at.help()),
            );
            return None;
        }
        let plain = |arm| Some(CheckedArm { arm, value: None });
        match &arm.kind {
            ArmKind::Value { value, flag } => {
                let typed = self.expr(scope, value)?;
                let typed = match place {
                    Some(place) => self.fit(typed, place, value.span)?,
                    None => typed,
                };
                let arm = Arm::Value {
                    value: Box::new(typed.expr.clone()),
                    flag: flag.as_ref().map(|flag| flag.value.clone()),
                };
                Some(CheckedArm { arm, value: Some(typed) })
            }
            ArmKind::Flag(why) => plain(Arm::Flag(why.value.clone())),
            ArmKind::Unset => plain(Arm::Unset),
            ArmKind::Skip(why) => plain(Arm::Skip(why.value.clone())),
            ArmKind::Wait => plain(Arm::Wait),
            ArmKind::Quarantine => plain(Arm::Quarantine),
            ArmKind::Stop => plain(Arm::Stop),
        }
    }

    /// `match existing by …`
    fn matches(&mut self, by: &'a [ast::Name], target: &'a Object, map: &'a ast::Map, plan: &mut plan::Map) {
        for name in by {
            if !target.matchable.iter().any(|field| *field == name.value) {
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
            if !written {
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

    fn drop(&mut self, source: &'a Object, drop: &'a ast::Drop, accounts: &mut Accounts) {
        let reason = match &drop.reason {
            DropReason::Empty => "empty".to_owned(),
            DropReason::Declined(why) => why.value.clone(),
            DropReason::DerivedFrom(fields) => {
                let names: Vec<String> =
                    fields.iter().filter_map(|field| self.plain_field(source, field)).collect();
                format!("derived from {}", names.join(", "))
            }
        };
        for pattern in &drop.fields {
            let span = pattern.field.span;
            let slots = if pattern.glob {
                if drop.reason != DropReason::Empty {
                    self.add(
                        Finding::new(codes::GLOB_NEEDS_EMPTY, "a `*` may only drop fields that are empty")
                            .at(span, "drops fields that nobody has seen yet")
                            .help(
                                "name the fields, or write `empty`, which is checked against the statistics",
                            ),
                    );
                }
                self.globbed(source, pattern)
            } else {
                self.slot(source, &pattern.field).into_iter().collect()
            };
            for slot in slots {
                if drop.reason == DropReason::Empty {
                    self.empty(source, slot, span);
                }
                match accounts.dropped.get(&slot) {
                    // A name after a glob that covers it says more than the glob.
                    Some((_, true)) => {}
                    Some((first, false)) if !pattern.glob => {
                        let first = *first;
                        self.add(
                            Finding::new(
                                codes::DUPLICATE_ITEM,
                                format!("`{}` is dropped twice", source.fields[slot].name),
                            )
                            .at(span, "the second time")
                            .and_at(first, "the first time")
                            .help("keep one of them"),
                        );
                    }
                    Some(_) => {}
                    None => {
                        accounts.dropped.insert(slot, (span, pattern.glob));
                        accounts.plan.push(Dropped {
                            field: source.fields[slot].name.clone(),
                            reason: reason.clone(),
                            line: self.line(drop.span),
                        });
                    }
                }
            }
        }
    }

    fn plain_field(&mut self, source: &'a Object, field: &FieldRef) -> Option<String> {
        self.slot(source, &field.field).map(|slot| source.fields[slot].name.clone())
    }

    /// The fields that a glob stands for.
    fn globbed(&mut self, source: &'a Object, pattern: &FieldPattern) -> Vec<usize> {
        let Some(code) = &pattern.field.code else { return Vec::new() };
        let slots: Vec<usize> =
            (0..source.fields.len()).filter(|slot| glob(&code.value, &source.fields[*slot].name)).collect();
        if slots.is_empty() {
            self.add(
                Finding::new(
                    codes::DEAD_ROW,
                    format!("no field of `{}` is named like `{}`", source.name, code.value),
                )
                .at(code.span, "drops nothing")
                .note(self.source_note())
                .help("remove it"),
            );
        }
        slots
    }

    /// Checks a claim that a field is empty.
    fn empty(&mut self, source: &'a Object, slot: usize, span: Span) {
        let field = &source.fields[slot];
        let Some(filled) = field.stats.as_ref().map(|stats| stats.filled).filter(|filled| *filled > 0) else {
            return;
        };
        self.add(
            Finding::new(codes::DROP_NOT_EMPTY, format!("`{}` is dropped as empty, and is not", field.name))
                .at(span, filled_of(filled, source))
                .note(self.source_note())
                .count(counts::exact(Some(filled)))
                .help(format!("read it in a rule, or say why not: `drop {} declined \"…\"`", field.name)),
        );
    }

    fn todo(
        &mut self,
        source: &'a Object,
        fields: &'a [FieldPattern],
        why: &str,
        span: Span,
        accounts: &mut Accounts,
    ) {
        let mut filled = Some(0);
        let mut names = Vec::new();
        for pattern in fields {
            let slots = if pattern.glob {
                self.globbed(source, pattern)
            } else {
                self.slot(source, &pattern.field).into_iter().collect()
            };
            for slot in slots {
                let field = &source.fields[slot];
                names.push(format!("`{}`", field.name));
                filled = filled.zip(field.stats.as_ref()).map(|(sum, stats)| sum.max(stats.filled));
                accounts.todo.push(slot);
            }
        }
        let label = match (filled, names.len()) {
            (Some(filled), 1) => filled_of(filled, source),
            _ => "waits for a decision".to_owned(),
        };
        let count =
            if names.len() == 1 { counts::exact(filled) } else { crate::lang::finding::Count::Unknown };
        let message = match names.len() {
            0 => format!("a `todo` is open: {why}"),
            _ => format!(
                "{} {} to be settled: {why}",
                names.join(", "),
                if names.len() == 1 { "is" } else { "are" }
            ),
        };
        self.add(
            Finding::new(codes::TODO_OPEN, message)
                .at(span, label)
                .count(count)
                .help("write a rule that reads it, or `drop` it with a reason"),
        );
    }

    fn dropped_and_read(&mut self, source: &'a Object, scope: &Scope<'a>, accounts: &Accounts) {
        for (slot, (span, _)) in &accounts.dropped {
            let read = u16::try_from(*slot).is_ok_and(|slot| scope.reads.contains_key(&slot));
            let todo = accounts.todo.contains(slot);
            if read || todo {
                let word = if read { "read" } else { "left open by a `todo`" };
                self.add(
                    Finding::new(
                        codes::DROPPED_AND_READ,
                        format!("`{}` is dropped, and also {word} in this map", source.fields[*slot].name),
                    )
                    .at(*span, "dropped here")
                    .help("remove one of the two"),
                );
            }
        }
    }

    /// A destination field that does not exist.
    pub(super) fn unknown_target(&mut self, object: &'a Object, name: &ast::Name) {
        let meant = self.meant_name(&name.value, object.fields.iter().map(|f| f.name.as_str()));
        let help = match meant {
            Some(meant) => match object.field(meant).map(|field| &field.write) {
                Some(Write::No { hint }) => format!("did this mean `{meant}`? It cannot be written: {hint}"),
                _ => format!("did this mean `{meant}`?"),
            },
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
                .help(help),
        );
    }
}

/// `412 of 3 000 companies have a value`
pub(super) fn filled_of(filled: u64, object: &Object) -> String {
    let noun = counts::plural(&object.name);
    let have = if filled == 1 { "has" } else { "have" };
    match object.records {
        Some(records) => {
            format!("{} of {} {noun} {have} a value", counts::grouped(filled), counts::grouped(records))
        }
        None => format!("{} {noun} {have} a value", counts::grouped(filled)),
    }
}

/// Whether a name fits a pattern in which `*` stands for any characters.
fn glob(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| name.strip_prefix(first)) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
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

#[cfg(test)]
mod tests {
    use super::glob;

    #[test]
    fn globs_stand_for_any_characters() {
        assert!(glob("UF_CRM_OLD_*", "UF_CRM_OLD_CODE"));
        assert!(glob("UF_*_OLD", "UF_CRM_OLD"));
        assert!(glob("*", "X"));
        assert!(!glob("UF_CRM_OLD_*", "UF_CRM_NEW_CODE"));
        assert!(!glob("A*B*C", "ABD"));
        assert!(glob("A*B*C", "AxBxC"));
        assert!(!glob("AB*BA", "ABA"));
    }
}
