//! Flattens: objects with no counterpart, folded into records of a map.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::arm::ArmPlace;
use super::drops::Accounts;
use super::items::Items;
use super::notes::NotePlace;
use super::order::{Edge, Edges};
use super::types::{Outer, Scope};
use super::{Checker, counts};
use crate::lang::finding::{Applicability, Edit, Finding, Fix, registry as codes};
use crate::lang::plan::{self, Arm, Expr};
use crate::lang::schema::Object;
use crate::lang::syntax::ast::{self, MapLine, RuleTarget};
use crate::lang::text::Span;
use crate::lang::types::Base;

impl<'a> Checker<'a> {
    /// Takes in the custom fields of flattens, after those of maps.
    pub(super) fn declare_folded(&mut self, items: &Items<'a>) {
        for flatten in &items.flattens {
            let into = self.map_names.get(flatten.into.value.as_str()).copied();
            let Some(object) = into.and_then(|into| self.heads[into].target) else { continue };
            for line in &flatten.body {
                if let MapLine::Rule(rule) = line
                    && let RuleTarget::Custom { label, ty } = &rule.target
                {
                    self.declare(object, label, ty);
                }
            }
        }
    }

    /// Checks all flattens; their rules' targets join those of the maps that take the records in.
    pub(super) fn flattens(
        &mut self,
        items: &[&'a ast::Flatten],
        maps: &mut [plan::Map],
        edges: &mut Edges,
    ) -> Vec<plan::Flatten> {
        let mut plans = Vec::new();
        let mut first: HashMap<&str, Span> = HashMap::new();
        for flatten in items {
            let source = flatten.source.name.value.as_str();
            if let Some(earlier) = first.get(source) {
                let earlier = *earlier;
                self.add(
                    Finding::new(codes::DUPLICATE_ITEM, format!("`{source}` is folded twice"))
                        .at(flatten.head, "the second time")
                        .and_at(earlier, "the first time")
                        .help("keep one of them: every record has one place"),
                );
                continue;
            }
            first.insert(source, flatten.head);
            let object = self.source_object(&flatten.source.name);
            if let Some(object) = object {
                self.object_title(&flatten.source, object);
            }
            let into = self.map_index(&flatten.into);
            if object.is_some() {
                self.folded.insert(source.to_owned());
            }
            let (Some(object), Some(into)) = (object, into) else { continue };
            plans.extend(self.flatten(flatten, object, into, maps, edges));
        }
        plans
    }

    fn flatten(
        &mut self,
        flatten: &'a ast::Flatten,
        object: &'a Object,
        into: usize,
        maps: &mut [plan::Map],
        edges: &mut Edges,
    ) -> Option<plan::Flatten> {
        let target = self.heads[into].target;
        let outer = self.heads[into].source.map(|object| Outer { object, reads: BTreeMap::new() });
        let taker = &mut maps[into];
        let written: HashSet<String> = taker.targets.iter().map(|target| target.name.clone()).collect();
        let mut scope =
            Scope { object: Some(object), folded: true, map: into, outer, written, ..Scope::default() };
        scope.carried = self.carried_by_notes(flatten, object);
        // Rules go through the map's own check; what they write joins its targets.
        let mut shell = plan::Map {
            name: taker.name.clone(),
            targets: std::mem::take(&mut taker.targets),
            ..plan::Map::default()
        };
        let key = self.own_key(flatten, object, &mut scope);
        let via = self.via(flatten, into, &mut scope);
        let mut accounts = Accounts::default();
        let mut parts = Parts::default();
        let item = format!("flatten `{}`", object.name);
        for line in &flatten.body {
            match line {
                MapLine::Key(_) => {}
                MapLine::Where { condition, otherwise, span } => {
                    // Which records are folded in is decided one by one.
                    scope.folded = false;
                    let filter = self.filter(&mut scope, condition, otherwise.as_ref(), *span);
                    scope.folded = true;
                    if self.once(&mut parts.first, "where", *span) {
                        parts.filter = filter;
                    }
                }
                MapLine::Rule(rule) => self.rule(&mut scope, target, rule, &mut shell, edges),
                MapLine::Note(note) => {
                    let place = NotePlace { object: target, item: &item, folded: true };
                    let made = self.note(&mut scope, note, &place, &parts.notes);
                    self.note_links(&mut scope, note, edges);
                    parts.notes.extend(made);
                }
                MapLine::Gap { fields, why, span } => self.gap(object, fields, why, *span, &mut accounts),
                MapLine::Drop(drop) => self.drop(object, drop, &mut accounts),
                MapLine::Todo { fields, why, span } => {
                    self.todo(object, fields, &why.value, *span, &mut accounts);
                }
                MapLine::Pick { latest, by, span } => {
                    let pick = self.pick(&mut scope, *latest, by);
                    if self.once(&mut parts.first, "pick", *span) {
                        parts.pick = pick;
                    }
                }
                MapLine::Orphan { arm, span } => {
                    let line = self.line(*span);
                    let arm = self.arm(&mut Scope::default(), arm, ArmPlace::Orphan, None);
                    if self.once(&mut parts.first, "orphan", *span) {
                        parts.orphan = Some((arm.map(|checked| checked.arm), line));
                    }
                }
                MapLine::MatchExisting { span, .. } => self.of_the_map(*span, "match existing"),
                MapLine::OnExisting(on) => self.of_the_map(on.span, "on existing"),
                MapLine::OnDelete(on) => self.of_the_map(on.span, "on delete"),
            }
        }
        self.labels_lost(object, &scope, &mut shell.rules);
        self.dropped_and_read(object, &scope, &accounts);
        accounts.plan.append(&mut scope.line_dropped);
        self.account_folded(flatten, object, &scope, &accounts);
        let taker = &mut maps[into];
        taker.targets = shell.targets;
        if let Some(outer) = scope.outer.take() {
            self.account_slots(into, outer.object, outer.reads.keys().copied());
            taker.reads.extend(outer.reads);
        }
        let Some((orphan, orphan_line)) = parts.orphan else {
            if !self.unread(flatten.span).mentions("orphan") {
                self.orphan_missing(flatten, object);
            }
            return None;
        };
        Some(plan::Flatten {
            source: object.name.clone(),
            into: u16::try_from(into).ok()?,
            via: via?,
            key: key?,
            filter: parts.filter,
            pick: parts.pick,
            rules: shell.rules,
            notes: parts.notes,
            orphan: orphan?,
            orphan_line,
            reads: scope.reads,
            dropped: accounts.plan,
            records: object.records,
            line: self.line(flatten.head),
        })
    }

    /// Links in a note need their maps' records as links in rules do.
    pub(super) fn note_links(&mut self, scope: &mut Scope<'a>, note: &'a ast::Note, edges: &mut Edges) {
        let soft =
            matches!(note.clauses.on_unmigrated.as_ref().map(|arm| &arm.kind), Some(ast::ArmKind::Wait));
        for (map, at) in scope.links.drain(..) {
            edges.refs.push(Edge {
                before: map,
                after: scope.map,
                span: at,
                soft,
                second_pass: note.clauses.second_pass.is_some(),
                rule: note.span,
            });
        }
    }

    fn of_the_map(&mut self, span: Span, word: &str) {
        self.line_not_here(span, word, "`flatten`", "it belongs to the map that takes the records in");
    }

    /// Whether a line stands here for the first time.
    fn once(&mut self, first: &mut HashMap<&'static str, Span>, word: &'static str, span: Span) -> bool {
        let Some(earlier) = first.insert(word, span) else { return true };
        self.add(
            Finding::new(codes::DUPLICATE_ITEM, format!("`{word}` stands twice in this flatten"))
                .at(span, "the second one")
                .and_at(earlier, "the first one")
                .help(if word == "where" { "join them with `and`" } else { "keep one of them" }),
        );
        false
    }

    /// The key of the folded record: what a `key` line says, or the object's id.
    fn own_key(
        &mut self,
        flatten: &'a ast::Flatten,
        object: &'a Object,
        scope: &mut Scope<'a>,
    ) -> Option<u16> {
        let line = flatten.body.iter().find_map(|line| match line {
            MapLine::Key(key) => Some(key),
            _ => None,
        });
        let slot = match line {
            Some(key) => {
                let typed = self.field(scope, &key.value)?;
                let sure = typed.ty.base == Base::Integer && !typed.ty.optional && !typed.ty.many;
                match typed.expr {
                    Expr::Slot(slot) if sure => Some(slot),
                    _ => None,
                }
            }
            None => object
                .fields
                .iter()
                .position(|f| f.name.eq_ignore_ascii_case("id") && f.ty.base == Base::Integer)
                .and_then(|slot| u16::try_from(slot).ok()),
        };
        let Some(slot) = slot else {
            self.add(
                Finding::new(
                    codes::KEY_MISSING,
                    format!("nothing identifies the records of `{}`", object.name),
                )
                .at(line.map_or(flatten.head, |key| key.span), "what tells them apart?")
                .help("add a line `key FIELD` with the number by which the system knows them"),
            );
            return None;
        };
        scope.reads.entry(slot).or_insert_with(|| object.fields[usize::from(slot)].name.clone());
        scope.key = Some(usize::from(slot));
        Some(slot)
    }

    /// The link of the folded record to the one that takes it in.
    fn via(&mut self, flatten: &'a ast::Flatten, into: usize, scope: &mut Scope<'a>) -> Option<u16> {
        let at = flatten.via.field.span;
        let typed = self.field(scope, &flatten.via)?;
        let wanted = self.maps[into].source.name.value.as_str();
        let leads = match &typed.ty.base {
            Base::Link(object) => object == wanted,
            Base::AnyLink => true,
            _ => false,
        };
        match typed.expr {
            Expr::Slot(slot) if leads && !typed.ty.many => Some(slot),
            _ => {
                let object = scope.object.map_or("", |object| object.name.as_str());
                let fits: Vec<String> = scope
                    .object
                    .iter()
                    .flat_map(|object| &object.fields)
                    .filter(|field| !field.ty.many)
                    .filter(|field| matches!(&field.ty.base, Base::Link(object) if object == wanted))
                    .map(|field| format!("`{}`", field.name))
                    .collect();
                self.add(
                    Finding::new(
                        codes::REF_WRONG_OBJECT,
                        format!("`{}` is no link from `{object}` to `{wanted}`", self.quote(at)),
                    )
                    .at(at, format!("this is `{}`", typed.ty))
                    .note(self.source_note())
                    .help(if fits.is_empty() {
                        format!("`{object}` has no link to `{wanted}`: fold it into a map that it links to")
                    } else {
                        format!("links to `{wanted}` are {}", fits.join(", "))
                    }),
                );
                None
            }
        }
    }

    fn pick(&mut self, scope: &mut Scope<'a>, latest: bool, by: &'a ast::FieldRef) -> Option<plan::Pick> {
        let typed = self.field(scope, by)?;
        let ordered = matches!(
            typed.ty.base,
            Base::Integer | Base::Decimal | Base::Date | Base::DateTime | Base::Text { .. }
        ) && !typed.ty.many;
        match typed.expr {
            Expr::Slot(slot) if ordered => Some(plan::Pick { latest, by: slot }),
            _ => {
                self.add(
                    Finding::new(codes::TYPE_MISMATCH, format!("values of `{}` have no order", typed.ty))
                        .at(by.field.span, format!("this is `{}`", typed.ty))
                        .help("name a date, an instant, a number or a text of the folded record"),
                );
                None
            }
        }
    }

    fn orphan_missing(&mut self, flatten: &'a ast::Flatten, object: &Object) {
        let name = &flatten.into.value;
        let link = self.quote(flatten.via.field.span);
        let filled = flatten.via.field.code.as_ref().and_then(|code| object.field(&code.value));
        let filled = filled.and_then(|field| field.stats.as_ref()).map(|stats| stats.filled);
        let lacking = object.records.zip(filled).map(|(all, filled)| all.saturating_sub(filled));
        let label = match lacking {
            Some(lacking) => {
                format!(
                    "{} have no `{link}`",
                    counts::many(usize::try_from(lacking).unwrap_or(usize::MAX), "record")
                )
            }
            None => "no row `orphan`".to_owned(),
        };
        let mut finding = Finding::new(
            codes::ORPHAN_MISSING,
            format!("nothing says what becomes of a `{}` whose `{name}` is not there", object.name),
        )
        .at(flatten.head, label)
        .count(match lacking {
            // Links may also lead to records that take no part.
            Some(at_least) => {
                crate::lang::finding::Count::Between { at_least, at_most: object.records.unwrap_or(at_least) }
            }
            None => crate::lang::finding::Count::Unknown,
        })
        .help("add `orphan => quarantine`, or `orphan => skip \"…\"` with a reason");
        if let Some(at) = self.before_brace(flatten.span) {
            finding = finding.fix(Fix {
                title: "hold them back".to_owned(),
                edits: vec![Edit {
                    span: Span { start: at, end: at },
                    text: "  orphan => quarantine\n".to_owned(),
                }],
                applicability: Applicability::Likely,
            });
        }
        self.add(finding);
    }
}

/// What the lines of a flatten come to.
#[derive(Default)]
struct Parts {
    first: HashMap<&'static str, Span>,
    filter: Option<plan::Filter>,
    pick: Option<plan::Pick>,
    notes: Vec<plan::Note>,
    orphan: Option<(Option<Arm>, u32)>,
}
