//! Puts statements together into a spec: which line is read as what, what stands twice, what is of a later version.
//! Sees neither the grammar's rules nor characters.

use std::collections::HashMap;

use crate::lang::finding::{Applicability, Edit, Finding, Fix, registry};
use crate::lang::text::{SourceText, Span, Spanned};

use super::ast::*;
use super::cues::{Context, Cues, Head};
use super::layout::{Block, Layout, Stmt, layout};
use super::tokens::Kind;
use super::tree::{HeadLine, Reader, Row, Shape};
use super::words::not_yet;

/// The editions that this version reads.
const EDITIONS: [u32; 1] = [2026];

/// A spec with what the formatter needs.
pub(super) struct Parsed {
    pub(super) spec: Spec,
    /// Ordered by place.
    pub(super) findings: Vec<Finding>,
    pub(super) layout: Layout,
    /// The shape of each line that was read, by its first token; others are kept as they are.
    pub(super) shapes: HashMap<usize, Shape>,
}

/// Reads a whole text.
pub(super) fn read(source: &SourceText) -> Parsed {
    let text = source.text();
    let mut layout = layout(text);
    let stmts = std::mem::take(&mut layout.stmts);
    let bare = without_comments(text, &layout);
    let reader = Reader::new(text, &bare, std::mem::take(&mut layout.findings));
    let cues = Cues { text, tokens: &layout.tokens };
    let mut parser = Parser { cues, layout: &layout, reader, shapes: HashMap::new(), spec: Spec::default() };
    parser.items(&stmts);
    parser.edition(&stmts);
    parser.names();
    let Parser { reader, shapes, spec, .. } = parser;
    let findings = reader.findings.sorted();
    layout.stmts = stmts;
    Parsed { spec, findings, layout, shapes }
}

struct Parser<'a> {
    cues: Cues<'a>,
    layout: &'a Layout,
    reader: Reader<'a>,
    shapes: HashMap<usize, Shape>,
    spec: Spec,
}

/// The text with blanks for comments, so that the grammar need not look for them between any two tokens.
fn without_comments(text: &str, layout: &Layout) -> String {
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    for token in layout.tokens.iter().filter(|t| t.kind == Kind::Comment) {
        out.push_str(&text[from..token.span.start as usize]);
        out.extend(token.span.range().map(|_| ' '));
        from = token.span.end as usize;
    }
    out.push_str(&text[from..]);
    out
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
        let span = self.layout.span(stmt);
        let whole = self.layout.whole(stmt);
        if let Head::Later { word, .. } = head {
            self.push(not_yet(word, self.cues.tokens[stmt.first].span));
            return;
        }
        if let Some(process) = self.process(stmt) {
            self.push(not_yet("process", process));
            return;
        }
        let line = match head {
            _ if stmt.bad => None,
            Head::Edition => self.line(stmt, |r| r.edition(span)),
            Head::System => self.line(stmt, |r| r.system(span)),
            Head::Zone => self.line(stmt, |r| r.zone(span)),
            Head::Block(Context::Owners) => self.line(stmt, |r| r.owners(span)),
            Head::Block(Context::Order) => self.line(stmt, |r| r.order(span)),
            Head::Block(Context::Table) => self.line(stmt, |r| r.table(span)),
            Head::Block(Context::Pipeline) => self.line(stmt, |r| r.pipeline(span)),
            Head::Block(Context::Map) => self.line(stmt, |r| r.map(span)),
            _ => None,
        };
        let Some(block) = &stmt.block else {
            match line {
                Some(HeadLine::Edition(year)) => self.single(Item::Edition(year)),
                Some(HeadLine::Source(system)) => self.single(Item::Source(system)),
                Some(HeadLine::Target(system)) => self.single(Item::Target(system)),
                Some(HeadLine::Zone(zone)) => self.single(Item::Zone(zone)),
                _ => {}
            }
            return;
        };
        self.tail(stmt);
        // The rows of a bad head are read all the same, for their findings.
        match block.context {
            Context::Owners => {
                let owners = self.owners(block, whole);
                if line.is_some() {
                    self.single(Item::Owners(owners));
                }
            }
            Context::Table => {
                let (rows, unseen) = self.rows(block, |r, span, unseen| r.table_row(span, unseen));
                if let Some(HeadLine::Table { name, from, to }) = line {
                    self.spec.items.push(Item::Table(Table {
                        mode: Mode::Own,
                        name,
                        from,
                        to,
                        rows,
                        unseen,
                        span: whole,
                    }));
                }
            }
            Context::Pipeline => {
                let (rows, unseen) = self.rows(block, |r, span, unseen| r.stage_row(span, unseen));
                if let Some(HeadLine::Pipeline { name, object, category, to }) = line {
                    let object = ObjectRef { name: object, title: None };
                    let pipeline =
                        Pipeline { mode: Mode::Own, name, object, category, to, rows, unseen, span: whole };
                    self.spec.items.push(Item::Pipeline(pipeline));
                }
            }
            Context::Map => {
                let body = self.map_body(block);
                if let Some(HeadLine::Map { source, target, alias }) = line {
                    self.spec.items.push(Item::Map(Map {
                        mode: Mode::Own,
                        source: ObjectRef { name: source, title: None },
                        target,
                        alias,
                        body,
                        head: span,
                        span: whole,
                    }));
                }
            }
            Context::Order => {
                let mut rows = Vec::new();
                for row in &block.stmts {
                    if let Some(at) = self.words(row, "in", "a") {
                        self.push(not_yet("in a second pass", at));
                    } else if let Some(span) = self.plain_row(row) {
                        rows.extend(self.line(row, |r| r.order_row(span)));
                    }
                }
                if line.is_some() {
                    self.spec.items.push(Item::Order(Order { rows, span: whole }));
                }
            }
            Context::Top | Context::Other => {
                if matches!(head, Head::Edition | Head::System | Head::Zone) {
                    self.needless_block(block);
                }
            }
        }
    }

    fn owners(&mut self, block: &Block, span: Span) -> Owners {
        let mut owners = Owners { mode: Mode::Own, match_by_email: None, rows: Vec::new(), span };
        for row in &block.stmts {
            let Some(place) = self.plain_row(row) else { continue };
            if self.word(row) != "match" {
                owners.rows.extend(self.line(row, |r| r.owner_row(place)));
            } else if let Some(found) = self.line(row, |r| r.match_by_email(place)) {
                match owners.match_by_email {
                    Some(first) => self.twice("`match by email`", found, first),
                    None => owners.match_by_email = Some(found),
                }
            }
        }
        owners
    }

    /// Rows of a table or pipeline, and the row for values born later.
    fn rows<T>(
        &mut self,
        block: &Block,
        read: impl Fn(&mut Reader<'a>, Span, bool) -> Option<Row<T>>,
    ) -> (Vec<T>, Option<UnseenRow>) {
        let mut rows = Vec::new();
        let mut unseen: Option<UnseenRow> = None;
        for stmt in &block.stmts {
            let Some(span) = self.plain_row(stmt) else { continue };
            let is_unseen = self.word(stmt) == "_";
            match self.line(stmt, |r| read(r, span, is_unseen)) {
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

    fn map_body(&mut self, block: &Block) -> Vec<MapLine> {
        let mut body = Vec::new();
        let mut single: HashMap<&'static str, Span> = HashMap::new();
        for stmt in &block.stmts {
            let Some(line) = self.map_line(stmt) else { continue };
            let span = self.layout.span(stmt);
            let what = match &line {
                MapLine::Key(_) => "`key`",
                MapLine::MatchExisting { .. } => "`match existing`",
                MapLine::OnExisting(_) => "`on existing`",
                MapLine::OnDelete(_) => "`on delete`",
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

    fn map_line(&mut self, stmt: &Stmt) -> Option<MapLine> {
        if let Some((word, span)) = self.later_line(stmt) {
            self.push(not_yet(word, span));
            return None;
        }
        let span = self.plain_row(stmt)?;
        let second = self.second(stmt);
        if matches!(second, "<-") {
            return self.line(stmt, |r| r.rule(span, false));
        }
        match self.word(stmt) {
            "key" => self.line(stmt, |r| r.key(span)),
            "match" => self.line(stmt, |r| r.match_existing(span)),
            "on" => self.line(stmt, |r| r.on(span)),
            "where" => self.line(stmt, |r| r.where_(span)),
            "drop" => self.line(stmt, |r| r.drop(span)),
            "todo" => self.line(stmt, |r| r.todo(span)),
            "custom" => self.line(stmt, |r| r.rule(span, true)),
            word => {
                let before = self.reader.findings.len();
                let line = self.line(stmt, |r| r.rule(span, false));
                if line.is_none()
                    && let Some(meant) = near(word, &["key", "match", "where", "drop", "todo", "custom"])
                    && let Some(finding) = self.reader.findings.get_mut(before)
                {
                    finding.help = Some(format!("was `{meant}` meant?"));
                }
                line
            }
        }
    }

    /// The construct of a later version that makes a line of a map unreadable for this one.
    fn later_line(&self, stmt: &Stmt) -> Option<(&'static str, Span)> {
        let first = self.cues.tokens[stmt.first].span;
        let next = self.cues.tokens.get(stmt.first + 1).filter(|_| stmt.last > stmt.first).map(|t| t.kind);
        match (self.word(stmt), next) {
            ("note", Some(Kind::Text)) => return Some(("note", first)),
            ("gap", Some(Kind::Word | Kind::Title)) => return Some(("gap", first)),
            ("proposed", Some(Kind::Number)) => return Some(("proposed", first)),
            _ => {}
        }
        if let Some(at) = self.find(stmt, "???") {
            return Some(("???", self.cues.tokens[at].span));
        }
        if let Some(span) = self.words(stmt, "for", "each") {
            return Some(("for each", span));
        }
        if stmt.block.is_some()
            && let Some(at) = self.find(stmt, "each")
        {
            return Some(("each", self.cues.tokens[at].span));
        }
        None
    }

    /// `process 1032` in the head of an item.
    fn process(&self, stmt: &Stmt) -> Option<Span> {
        let at = self.find(stmt, "process").filter(|at| *at < stmt.last)?;
        let next = self.cues.tokens[at + 1];
        (next.kind == Kind::Number).then(|| self.cues.tokens[at].span.to(next.span))
    }

    /// The span of a row that is worth reading; a block that belongs to no row is a finding.
    fn plain_row(&mut self, stmt: &Stmt) -> Option<Span> {
        if let Some(block) = &stmt.block {
            if !stmt.bad {
                self.needless_block(block);
            }
            return None;
        }
        (!stmt.bad).then(|| self.layout.span(stmt))
    }

    fn line<T>(&mut self, stmt: &Stmt, read: impl FnOnce(&mut Reader<'a>) -> Option<T>) -> Option<T> {
        if self.reader.findings.is_full() {
            self.reader.findings.suppress();
            return None;
        }
        let out = read(&mut self.reader)?;
        self.shapes.insert(stmt.first, std::mem::take(&mut self.reader.shape));
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
        const ITEMS: [&str; 9] =
            ["edition", "source", "target", "zone", "owners", "table", "pipeline", "map", "order"];
        let word = self.word(stmt);
        let help = match near(word, &ITEMS) {
            Some(meant) => format!("was `{meant}` meant?"),
            None if self.find(stmt, "<-").is_some() => {
                "a rule stands inside of `map … -> … { }`; a block above may be closed too early".to_owned()
            }
            None => format!("items begin with `{}` or `order`", ITEMS[..8].join("`, `")),
        };
        let first = self.cues.tokens[stmt.first].span;
        self.push(
            Finding::new(registry::UNEXPECTED_TOKEN, "expected an item")
                .at(first, super::words::found(&self.cues.text[first.range()]))
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
            (Some(_), Some(first)) if is_edition(first) => return,
            (Some(Spanned { span, .. }), _) => {
                Finding::new(registry::EDITION, "the edition does not stand first")
                    .at(span, "items stand before it")
                    .help("move this line to the top of the spec")
            }
            (None, first) => {
                // A bad edition line has its own finding.
                if stmts.iter().any(is_edition) {
                    return;
                }
                let at = first.map_or(0, |stmt| self.cues.tokens[stmt.first].span.start as usize);
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

    /// Tables, pipelines and maps each have names of their own.
    fn names(&mut self) {
        let mut seen: HashMap<(&'static str, String), Span> = HashMap::new();
        let mut twice = Vec::new();
        for item in &self.spec.items {
            let (kind, name) = match item {
                Item::Table(table) => ("table", &table.name),
                Item::Pipeline(pipeline) => ("pipeline", &pipeline.name),
                Item::Map(map) => ("map", map.name()),
                _ => continue,
            };
            match seen.get(&(kind, name.value.clone())) {
                Some(first) => twice.push((kind, name.clone(), *first)),
                None => {
                    seen.insert((kind, name.value.clone()), name.span);
                }
            }
        }
        for (kind, name, first) in twice {
            let help =
                if kind == "map" { "give one of them another name with `as`" } else { "rename one of them" };
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

    fn second(&self, stmt: &Stmt) -> &'a str {
        if stmt.last > stmt.first { self.cues.word(stmt.first + 1) } else { "" }
    }

    /// The first token of a statement that reads so.
    fn find(&self, stmt: &Stmt, what: &str) -> Option<usize> {
        (stmt.first..=stmt.last).find(|at| {
            matches!(self.cues.tokens[*at].kind, Kind::Word | Kind::Punct) && self.cues.word(*at) == what
        })
    }

    /// Two words that follow each other.
    fn words(&self, stmt: &Stmt, first: &str, second: &str) -> Option<Span> {
        let at = (stmt.first..stmt.last)
            .find(|at| self.cues.word(*at) == first && self.cues.word(*at + 1) == second)?;
        Some(self.cues.tokens[at].span.to(self.cues.tokens[at + 1].span))
    }
}

/// The word that was probably meant.
fn near(word: &str, known: &[&'static str]) -> Option<&'static str> {
    // Longer words are no misspelling of a keyword, and would cost time.
    let short = (2..=12).contains(&word.len());
    known.iter().copied().filter(|_| short).find(|k| strsim::damerau_levenshtein(word, k) <= k.len() / 3)
}
