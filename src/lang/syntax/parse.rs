//! Puts statements together into a spec: which line is read as what, and what stands twice. Sees neither the grammar's
//! rules nor characters.

use std::collections::HashMap;

use crate::lang::finding::{Applicability, Edit, Finding, Fix, registry};
use crate::lang::text::{Span, Spanned};

use super::ast::*;
use super::cues::{Context, Cues, Head};
use super::layout::{Block, Layout, Stmt, layout};
use super::tokens::Kind;
use super::tree::{HeadLine, Reader, Row, Shape};

/// The editions that this version reads.
const EDITIONS: [u32; 1] = [2026];

/// A spec with what the formatter needs.
pub(super) struct Parsed {
    pub(super) spec: Spec,
    /// Ordered by place.
    pub(super) findings: Vec<Finding>,
    pub(super) layout: Layout,
    pub(super) shapes: Option<LineShapes>,
}

/// The shape of each line that was read, by its first token; others are kept as they are.
#[derive(Default)]
pub(super) struct LineShapes(Vec<(usize, Shape)>);

impl LineShapes {
    pub(super) fn get(&self, first: usize) -> Option<&Shape> {
        let at = self.0.binary_search_by_key(&first, |(at, _)| *at).ok()?;
        self.0.get(at).map(|(_, shape)| shape)
    }
}

/// Reads a piece of a text: all of it, or one file of a joined one. Only the formatter asks for shapes.
pub(super) fn read(text: &str, piece: Span, with_shapes: bool) -> Parsed {
    let mut layout = layout(text, piece);
    let stmts = std::mem::take(&mut layout.stmts);
    let reader = Reader::new(text, &layout.tokens, std::mem::take(&mut layout.findings));
    let cues = Cues { text, tokens: &layout.tokens };
    let mut parser = Parser {
        cues,
        layout: &layout,
        reader,
        shapes: with_shapes.then(LineShapes::default),
        spec: Spec::default(),
        start: piece.start,
    };
    parser.items(&stmts);
    parser.edition(&stmts);
    parser.names();
    let Parser { reader, mut shapes, spec, .. } = parser;
    if let Some(LineShapes(shapes)) = &mut shapes {
        // The lines of an `each` are read before its head.
        shapes.sort_unstable_by_key(|(first, _)| *first);
    }
    let findings = reader.findings.sorted();
    layout.stmts = stmts;
    Parsed { spec, findings, layout, shapes }
}

struct Parser<'a> {
    cues: Cues<'a>,
    layout: &'a Layout,
    reader: Reader<'a>,
    shapes: Option<LineShapes>,
    spec: Spec,
    /// Where the file begins.
    start: u32,
}

impl<'a> Parser<'a> {
    fn items(&mut self, stmts: &[Stmt]) {
        let mut stray = false;
        for stmt in stmts {
            let head = self.cues.head(stmt.first, stmt.last);
            let unknown = matches!(head, Head::Unknown(_));
            // Of neighbouring lines that belong to nothing, the first says it all.
            if unknown && !stmt.bad && !(stray && stmt.block.is_none()) {
                self.unknown_item(stmt);
            }
            stray = unknown;
            self.item(stmt, head);
        }
    }

    fn item(&mut self, stmt: &Stmt, head: Head) {
        let line = match head {
            _ if stmt.bad => None,
            Head::Unknown(_) => None,
            Head::Edition => self.line(stmt, |r| r.edition(stmt)),
            Head::System => self.line(stmt, |r| r.system(stmt)),
            Head::Zone => self.line(stmt, |r| r.zone(stmt)),
            Head::Use => self.line(stmt, |r| r.use_(stmt)),
            Head::Function => self.line(stmt, |r| r.function(stmt)),
            Head::Fixture => self.line(stmt, |r| r.fixture(stmt)),
            Head::EveryRow => self.line(stmt, |r| r.every_row(stmt)),
            Head::Golden => self.line(stmt, |r| r.golden(stmt)),
            Head::Accept => self.line(stmt, |r| r.accept(stmt)),
            Head::Block(context) => match context {
                Context::Owners => self.line(stmt, |r| r.owners(stmt)),
                Context::Order => self.line(stmt, |r| r.order(stmt)),
                Context::Budget => self.line(stmt, |r| r.budget(stmt)),
                Context::Test => self.line(stmt, |r| r.test(stmt)),
                Context::Table => self.line(stmt, |r| r.table(stmt)),
                Context::Pipeline => self.line(stmt, |r| r.pipeline(stmt)),
                Context::Map => self.line(stmt, |r| r.map(stmt)),
                Context::Split => self.line(stmt, |r| r.split(stmt)),
                Context::Flatten => self.line(stmt, |r| r.flatten(stmt)),
                Context::Top | Context::Each | Context::Other => None,
            },
        };
        match (line, &stmt.block) {
            (Some(HeadLine::Item(item)), block) => {
                self.single(*item);
                if let Some(block) = block {
                    self.tail(stmt);
                    self.needless_block(block);
                }
            }
            (line, Some(block)) => {
                self.tail(stmt);
                // The rows of a bad head are read all the same, for their findings.
                if let Some(item) = self.block(stmt, block, line)
                    && !stmt.bad
                {
                    self.single(item);
                }
                if !matches!(head, Head::Block(_) | Head::Unknown(_)) && !stmt.bad {
                    self.needless_block(block);
                }
            }
            (_, None) => {}
        }
    }

    /// Reads the rows of a block and joins them to its head.
    fn block(&mut self, stmt: &Stmt, block: &Block, line: Option<HeadLine>) -> Option<Item> {
        let head = self.layout.span(stmt);
        let span = self.layout.whole(stmt);
        Some(match block.context {
            Context::Owners => {
                let (match_by_email, rows) = self.owners(block);
                let Some(HeadLine::Owners { mode }) = line else { return None };
                Item::Owners(Owners { mode, match_by_email, rows, span })
            }
            Context::Table => {
                let (rows, unseen) = self.rows(block, Reader::table_row);
                let Some(HeadLine::Table { mode, name, from, to }) = line else { return None };
                Item::Table(Table { mode, name, from, to, rows, unseen, span })
            }
            Context::Pipeline => {
                let (rows, unseen) = self.rows(block, Reader::stage_row);
                let Some(HeadLine::Pipeline { mode, name, object, category, to }) = line else { return None };
                Item::Pipeline(Pipeline { mode, name, object, category, to, rows, unseen, span })
            }
            Context::Map => {
                let body = self.body(block);
                let Some(HeadLine::Map { mode, source, target, alias }) = line else { return None };
                Item::Map(Map { mode, source, target, alias, body, head, span })
            }
            Context::Flatten => {
                let body = self.body(block);
                let Some(HeadLine::Flatten { mode, source, into, via }) = line else { return None };
                Item::Flatten(Flatten { mode, source, into, via, body, head, span })
            }
            Context::Split => {
                let rows = self.plain_rows(block, Reader::split_row);
                let Some(HeadLine::Split { source, by }) = line else { return None };
                Item::Split(Split { source, by, rows, head, span })
            }
            Context::Order => {
                let rows = self.plain_rows(block, Reader::order_row);
                let Some(HeadLine::Order) = line else { return None };
                Item::Order(Order { rows, span })
            }
            Context::Budget => {
                let rows = self.plain_rows(block, Reader::budget_row);
                let Some(HeadLine::Budget) = line else { return None };
                Item::Budget(Budget { rows, span })
            }
            Context::Test => {
                let (given, expect) = self.steps(block);
                let Some(HeadLine::Test { name }) = line else { return None };
                Item::Test(Test { name, given, expect, span })
            }
            Context::Top | Context::Each | Context::Other => return None,
        })
    }

    fn owners(&mut self, block: &Block) -> (Option<Span>, Vec<OwnerRow>) {
        let (mut match_by_email, mut rows) = (None, Vec::new());
        for row in &block.stmts {
            if !self.plain_row(row) {
                continue;
            }
            if self.word(row) != "match" {
                rows.extend(self.line(row, |r| r.owner_row(row)));
            } else if let Some(found) = self.line(row, |r| r.match_by_email(row)) {
                match match_by_email {
                    Some(first) => self.twice("`match by email`", found, first),
                    None => match_by_email = Some(found),
                }
            }
        }
        (match_by_email, rows)
    }

    /// Rows of a table or pipeline, and the row for values born later.
    fn rows<T>(
        &mut self,
        block: &Block,
        read: impl Fn(&mut Reader<'a>, &Stmt, bool) -> Option<Row<T>>,
    ) -> (Vec<T>, Option<UnseenRow>) {
        let mut rows = Vec::new();
        let mut unseen: Option<UnseenRow> = None;
        for stmt in &block.stmts {
            if !self.plain_row(stmt) {
                continue;
            }
            let is_unseen = self.word(stmt) == "_";
            match self.line(stmt, |r| read(r, stmt, is_unseen)) {
                Some(Row::Listed(row)) => rows.push(row),
                Some(Row::Unseen(row)) => match &unseen {
                    Some(first) => self.twice("the row `_ unseen`", row.span, first.span),
                    None => unseen = Some(row),
                },
                None => {}
            }
        }
        (rows, unseen)
    }

    fn plain_rows<T>(&mut self, block: &Block, read: impl Fn(&mut Reader<'a>, &Stmt) -> Option<T>) -> Vec<T> {
        let mut rows = Vec::new();
        for stmt in &block.stmts {
            if self.plain_row(stmt) {
                rows.extend(self.line(stmt, |r| read(r, stmt)));
            }
        }
        rows
    }

    /// The lines of a test.
    fn steps(&mut self, block: &Block) -> (Vec<Given>, Vec<Expect>) {
        let (mut given, mut expect) = (Vec::new(), Vec::new());
        for stmt in &block.stmts {
            if !self.plain_row(stmt) {
                continue;
            }
            match self.word(stmt) {
                "given" => given.extend(self.line(stmt, |r| r.given(stmt))),
                "expect" => expect.extend(self.line(stmt, |r| r.expect(stmt))),
                word => {
                    let help = match near(word, &["given", "expect"]) {
                        Some(meant) => format!("was `{meant}` meant?"),
                        None => "a test has lines such as `given deal { ID: \"7\", ..default }` and `expect no Lead`"
                            .to_owned(),
                    };
                    self.push(
                        Finding::new(registry::UNEXPECTED_TOKEN, "expected `given` or `expect`")
                            .at(self.cues.tokens[stmt.first].span, super::words::found(word, &[]))
                            .help(help),
                    );
                }
            }
        }
        (given, expect)
    }

    /// The lines of a map, a flatten or an `each`.
    fn body(&mut self, block: &Block) -> Vec<MapLine> {
        let mut body = Vec::new();
        let mut single: HashMap<&'static str, Span> = HashMap::new();
        for stmt in &block.stmts {
            let Some(line) = self.body_line(stmt) else { continue };
            let span = self.layout.span(stmt);
            let what = match &line {
                MapLine::Key(_) => "`key`",
                MapLine::MatchExisting { .. } => "`match existing`",
                MapLine::OnExisting(_) => "`on existing`",
                MapLine::OnDelete(_) => "`on delete`",
                MapLine::Pick { .. } => "`pick`",
                MapLine::Orphan { .. } => "`orphan`",
                _ => {
                    body.push(line);
                    continue;
                }
            };
            match single.get(what) {
                Some(first) => self.twice(what, span, *first),
                None => {
                    single.insert(what, span);
                    body.push(line);
                }
            }
        }
        body
    }

    fn body_line(&mut self, stmt: &Stmt) -> Option<MapLine> {
        let next = |at: usize| self.cues.tokens.get(at + 1).filter(|_| at < stmt.last);
        // `proposed 0.62` stands before rules and notes.
        let proposed =
            self.word(stmt) == "proposed" && next(stmt.first).is_some_and(|t| t.kind == Kind::Number);
        let first = if proposed { (stmt.first + 2).min(stmt.last) } else { stmt.first };
        if let Some(block) = stmt.block.as_ref().filter(|block| block.context == Context::Each) {
            let body = self.body(block);
            if stmt.bad {
                return None;
            }
            let custom =
                self.cues.word(first) == "custom" && next(first).is_some_and(|t| t.kind == Kind::Text);
            return self.line(stmt, |r| r.rule(stmt, custom, Some(body)));
        }
        if !self.plain_row(stmt) {
            return None;
        }
        let second = next(first);
        if second.is_some_and(|token| &self.cues.text[token.span.range()] == "<-") {
            return self.line(stmt, |r| r.rule(stmt, false, None));
        }
        match self.cues.word(first) {
            "note" => self.line(stmt, |r| r.note(stmt)),
            "custom" => self.line(stmt, |r| r.rule(stmt, true, None)),
            _ if proposed => self.line(stmt, |r| r.rule(stmt, false, None)),
            "key" => self.line(stmt, |r| r.key(stmt)),
            "match" => self.line(stmt, |r| r.match_existing(stmt)),
            "on" => self.line(stmt, |r| r.on(stmt)),
            "where" => self.line(stmt, |r| r.where_(stmt)),
            "drop" => self.line(stmt, |r| r.drop(stmt)),
            "todo" => self.line(stmt, |r| r.todo(stmt)),
            "gap" => self.line(stmt, |r| r.gap(stmt)),
            "pick" => self.line(stmt, |r| r.pick(stmt)),
            "orphan" => self.line(stmt, |r| r.orphan(stmt)),
            word => {
                const WORDS: [&str; 10] =
                    ["key", "match", "where", "drop", "todo", "custom", "note", "gap", "pick", "orphan"];
                let before = self.reader.findings.len();
                let line = self.line(stmt, |r| r.rule(stmt, false, None));
                if line.is_none()
                    && let Some(meant) = near(word, &WORDS)
                    && let Some(finding) = self.reader.findings.get_mut(before)
                {
                    finding.help = Some(format!("was `{meant}` meant?"));
                }
                line
            }
        }
    }

    /// Whether a row is worth reading; a block that belongs to no row is a finding.
    fn plain_row(&mut self, stmt: &Stmt) -> bool {
        if let Some(block) = &stmt.block {
            if !stmt.bad {
                self.needless_block(block);
            }
            return false;
        }
        !stmt.bad
    }

    fn line<T>(&mut self, stmt: &Stmt, read: impl FnOnce(&mut Reader<'a>) -> Option<T>) -> Option<T> {
        if self.reader.findings.is_full() {
            self.reader.findings.suppress();
            return None;
        }
        let out = read(&mut self.reader)?;
        if let Some(LineShapes(shapes)) = &mut self.shapes {
            shapes.push((stmt.first, std::mem::take(&mut self.reader.shape)));
        }
        Some(out)
    }

    fn push(&mut self, finding: Finding) {
        self.reader.findings.push(finding);
    }

    fn tail(&mut self, stmt: &Stmt) {
        if let Some((first, last)) = stmt.tail {
            let span = self.cues.tokens[first].span.to(self.cues.tokens[last].span);
            self.push(
                Finding::new(registry::UNEXPECTED_TOKEN, "expected the end of the line after `}`")
                    .at(span, "something follows the block")
                    .help("begin what follows on a line of its own"),
            );
        }
    }

    fn needless_block(&mut self, block: &Block) {
        if let Some(open) = block.open {
            self.push(
                Finding::new(registry::UNEXPECTED_TOKEN, "expected the end of the line")
                    .at(self.cues.tokens[open].span, "found `{`")
                    .help("remove the block, or close the one above it before this line"),
            );
        }
    }

    fn unknown_item(&mut self, stmt: &Stmt) {
        const ITEMS: [&str; 20] = [
            "edition", "source", "target", "zone", "use", "owners", "fn", "table", "pipeline", "map",
            "split", "flatten", "order", "fixture", "test", "golden", "budget", "accept", "replace",
            "refine",
        ];
        let word = self.word(stmt);
        let help = match near(word, &ITEMS) {
            _ if matches!(word, "import" | "include" | "require" | "extends") => {
                "a profile is taken over with `use \"standard\"`".to_owned()
            }
            Some(meant) => format!("was `{meant}` meant?"),
            None if self.find(stmt, "<-").is_some() => {
                "a rule stands inside of `map … -> … { }`; a block above may be closed too early".to_owned()
            }
            None if word == "proposed" => {
                "`proposed` stands before rules, notes and rows, inside of a block".to_owned()
            }
            None => {
                match super::words::hint(&self.cues.text[self.cues.tokens[stmt.first].span.range().start..]) {
                    Some(hint) => hint.to_owned(),
                    None => format!("items begin with `{}`", ITEMS[..18].join("`, `")),
                }
            }
        };
        let first = self.cues.tokens[stmt.first].span;
        self.push(
            Finding::new(registry::UNEXPECTED_TOKEN, "expected an item")
                .at(first, super::words::found(&self.cues.text[first.range()], &[]))
                .help(help),
        );
    }

    fn twice(&mut self, what: &str, again: Span, first: Span) {
        self.push(
            Finding::new(registry::DUPLICATE_ITEM, format!("{what} stands twice"))
                .at(again, "it stands here again")
                .and_at(first, "it stands here first")
                .help("keep one of them"),
        );
    }

    /// Adds an item of which a spec has one.
    fn single(&mut self, item: Item) {
        let place = |item: &Item| match item {
            Item::Edition(year) => Some(("`edition`", year.span)),
            Item::Source(system) => Some(("`source`", system.span)),
            Item::Target(system) => Some(("`target`", system.span)),
            Item::Zone(zone) => Some(("`zone`", zone.span)),
            Item::Owners(owners) => Some(("`owners`", owners.span)),
            Item::Budget(budget) => Some(("`budget`", budget.span)),
            _ => None,
        };
        let kind = std::mem::discriminant(&item);
        let first =
            self.spec.items.iter().find(|other| std::mem::discriminant(*other) == kind).and_then(place);
        match (first, place(&item)) {
            (Some((what, first)), Some((_, again))) => self.twice(what, again, first),
            _ => self.spec.items.push(item),
        }
    }

    /// The edition stands first, and is one that this version knows.
    fn edition(&mut self, stmts: &[Stmt]) {
        let is_edition = |stmt: &Stmt| self.cues.head(stmt.first, stmt.last) == Head::Edition;
        let known = EDITIONS.map(|year| year.to_string()).join(", ");
        let found = self.spec.items.iter().find_map(|item| match item {
            Item::Edition(year) => Some(year.clone()),
            _ => None,
        });
        let finding = match (found, stmts.first()) {
            (Some(Spanned { value, span }), _) if !EDITIONS.contains(&value) => {
                Finding::new(registry::EDITION, format!("this version does not know edition {value}"))
                    .at(span, "unknown edition")
                    .help(format!("the editions that it knows: {known}"))
            }
            // What stands before it and cannot be read has its own finding.
            (Some(_), Some(first)) if is_edition(first) || first.bad => return,
            (Some(Spanned { span, .. }), _) => {
                let first = stmts.first().map_or(self.start, |s| self.cues.tokens[s.first].span.start);
                let line = self.cues.text.get(span.end as usize..).unwrap_or_default();
                let blank = line.len() - line.trim_start_matches([' ', '\t', '\r']).len();
                let end = span.end as usize + blank;
                let alone = line[blank..].starts_with('\n') || line[blank..].is_empty();
                let finding = Finding::new(registry::EDITION, "the edition does not stand first")
                    .at(span, "items stand before it")
                    .help("move this line to the top of the spec");
                let edits = vec![
                    Edit {
                        span: Span { start: first, end: first },
                        text: format!("{}\n", self.cues.text.get(span.range()).unwrap_or_default()),
                    },
                    Edit {
                        span: Span::new(
                            span.start as usize,
                            end + usize::from(line[blank..].starts_with('\n')),
                        ),
                        text: String::new(),
                    },
                ];
                finding.fix_where(alone.then(|| Fix {
                    title: "move it to the top".to_owned(),
                    edits,
                    applicability: Applicability::Safe,
                }))
            }
            (None, first) => {
                // A bad edition line has its own finding.
                if stmts.iter().any(is_edition) {
                    return;
                }
                let at = first
                    .map_or(self.start as usize, |stmt| self.cues.tokens[stmt.first].span.start as usize);
                let edit = Edit { span: Span::new(at, at), text: format!("edition {}\n", EDITIONS[0]) };
                Finding::new(registry::EDITION, "the spec does not say its edition")
                    .at(Span::new(at, at), "expected `edition` here")
                    .help(format!("begin the spec with `edition {}`", EDITIONS[0]))
                    .fix(Fix {
                        title: "say the edition".to_owned(),
                        edits: vec![edit],
                        applicability: Applicability::Safe,
                    })
            }
        };
        self.reader.findings.push(finding);
    }

    /// Items of a kind each have a name of their own.
    fn names(&mut self) {
        let mut seen: HashMap<(&'static str, &str), Span> = HashMap::new();
        let mut twice = Vec::new();
        for item in &self.spec.items {
            let (kind, name) = match item {
                Item::Table(table) => ("table", &table.name),
                Item::Pipeline(pipeline) => ("pipeline", &pipeline.name),
                Item::Map(map) => ("map", map.name()),
                Item::Function(function) => ("fn", &function.name),
                Item::Fixture(fixture) => ("fixture", &fixture.name),
                Item::Split(split) => ("split", &split.source.name),
                Item::Flatten(flatten) => ("flatten", &flatten.source.name),
                Item::Test(test) => ("test", &test.name),
                Item::Use(profile) => ("use", &profile.profile),
                _ => continue,
            };
            match seen.get(&(kind, name.value.as_str())) {
                Some(first) => twice.push((kind, name.clone(), *first)),
                None => {
                    seen.insert((kind, name.value.as_str()), name.span);
                }
            }
        }
        for (kind, name, first) in twice {
            let help = match kind {
                "map" => "give one of them another name with `as`",
                "split" => "put the rows of both into one",
                "flatten" => "put the lines of both into one",
                "use" => "keep one of them",
                _ => "rename one of them",
            };
            self.push(
                Finding::new(
                    registry::DUPLICATE_ITEM,
                    format!("two items are called {kind} `{}`", name.value),
                )
                .at(name.span, "it stands here again")
                .and_at(first, "it stands here first")
                .help(help),
            );
        }
    }

    fn word(&self, stmt: &Stmt) -> &'a str {
        self.cues.word(stmt.first)
    }

    /// The first token of a statement that reads so.
    fn find(&self, stmt: &Stmt, what: &str) -> Option<usize> {
        (stmt.first..=stmt.last).find(|at| {
            matches!(self.cues.tokens[*at].kind, Kind::Word | Kind::Punct) && self.cues.word(*at) == what
        })
    }
}

/// The word that was probably meant.
fn near(word: &str, known: &[&'static str]) -> Option<&'static str> {
    // Longer words are no misspelling of a keyword, and would cost time.
    let short = (2..=12).contains(&word.len());
    known.iter().copied().filter(|_| short).find(|k| strsim::damerau_levenshtein(word, k) <= k.len() / 3)
}
