//! From tokens to statements and blocks: which physical lines make a logical one, where blocks open and close, and
//! where a bracket, brace or head that is broken ends. Knows nothing of the grammar but what `cues` tells.
//!
//! INVARIANT: statements are in the order of the text and each is handed out once, so a bad one hides no other.
//! INVARIANT: nesting is bounded by [`MAX_DEPTH`] and chains by [`MAX_CHAIN`] before anything recurses.

use crate::lang::finding::{Applicability, Edit, Finding, Fix, registry};
use crate::lang::text::Span;

use super::cues::{Context, Cues, Head};
use super::faults::Findings;
use super::tokens::{Kind, Token, tokens_in, weight};

/// How deep brackets, braces and interpolations may nest together.
pub(super) const MAX_DEPTH: usize = 32;
/// How many `and`, `or`, `not` and `.` one logical line may hold.
pub(super) const MAX_CHAIN: usize = 256;
/// How long a logical line may be, in bytes.
pub(super) const MAX_LINE: usize = 256 * 1024;

/// A logical line, with its block where it has one.
#[derive(Debug)]
pub(super) struct Stmt {
    /// Index of its first token.
    pub(super) first: usize,
    /// Index of its last token before the block.
    pub(super) last: usize,
    pub(super) block: Option<Block>,
    /// First and last token of what follows the block on the same line.
    pub(super) tail: Option<(usize, usize)>,
    /// Whether a finding has been made that says why this line cannot be read.
    pub(super) bad: bool,
}

/// What stands between braces.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) context: Context,
    pub(super) open: Option<usize>,
    pub(super) close: Option<usize>,
    pub(super) stmts: Vec<Stmt>,
}

/// A text cut into statements.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) tokens: Vec<Token>,
    pub(super) stmts: Vec<Stmt>,
    pub(super) findings: Findings,
}

impl Layout {
    /// The tokens with their text.
    pub(super) fn cues<'a>(&'a self, text: &'a str) -> Cues<'a> {
        Cues { text, tokens: &self.tokens }
    }

    /// The bytes of a statement before its block.
    pub(super) fn span(&self, stmt: &Stmt) -> Span {
        self.tokens[stmt.first].span.to(self.tokens[stmt.last].span)
    }

    /// The bytes of a statement with its block and tail.
    pub(super) fn whole(&self, stmt: &Stmt) -> Span {
        self.tokens[stmt.first].span.to(self.tokens[self.last_token(stmt)].span)
    }

    /// The last token of a statement, its block and tail included.
    pub(super) fn last_token(&self, stmt: &Stmt) -> usize {
        let mut last = stmt.last;
        if let Some(block) = &stmt.block {
            last = last.max(block.open.unwrap_or(0)).max(block.close.unwrap_or(0));
            if let (None, Some(inner)) = (block.close, block.stmts.last()) {
                last = last.max(self.last_token(inner));
            }
        }
        stmt.tail.map_or(last, |(_, end)| last.max(end))
    }
}

/// Cuts a piece of a text into statements.
pub(super) fn layout(text: &str, piece: Span) -> Layout {
    let (tokens, findings) = tokens_in(text, piece);
    let cues = Cues { text, tokens: &tokens };
    let mut builder =
        Builder { text, tokens: &tokens, cues, findings, roots: Vec::new(), frames: Vec::new() };
    builder.run();
    let Builder { roots: stmts, findings, .. } = builder;
    Layout { tokens, stmts, findings }
}

struct Builder<'a> {
    text: &'a str,
    tokens: &'a [Token],
    cues: Cues<'a>,
    findings: Findings,
    roots: Vec<Stmt>,
    /// Statements whose block is open, outermost first.
    frames: Vec<(Stmt, Block)>,
}

/// Where a statement ends.
struct Extent {
    last: usize,
    /// The token to go on with.
    next: usize,
    bad: bool,
}

impl Builder<'_> {
    fn run(&mut self) {
        let mut at = self.cues.skip(0);
        while at < self.tokens.len() {
            if self.frames.len() >= MAX_DEPTH && self.cues.is(at, "{") {
                at = self.too_deep(at);
            } else if self.cues.is(at, "}") {
                at = self.close(at);
            } else {
                if !self.frames.is_empty() && self.cues.begins_item(at, false) {
                    let start = self.tokens[at].span.start as usize;
                    // An item that is moved in may stand inside of a block that goes on behind it.
                    let certain = start == 0 || self.text.as_bytes()[start - 1] == b'\n';
                    self.abandon(certain);
                }
                at = self.statement(at);
            }
            at = self.cues.skip(at);
        }
        self.abandon(true);
    }

    fn statement(&mut self, first: usize) -> usize {
        let context = self.frames.last().map_or(Context::Top, |(_, block)| block.context);
        if self.cues.is(first, "{") {
            self.findings.push(
                Finding::new(registry::UNEXPECTED_TOKEN, "a block opens that belongs to nothing")
                    .at(self.tokens[first].span, "expected an item or a row before this brace")
                    .help("write what the block is, such as `map company -> Account`, before `{`"),
            );
            let stmt = Stmt { first, last: first, block: None, tail: None, bad: true };
            self.frames.push((stmt, block(Context::Other, Some(first))));
            return first + 1;
        }
        let extent = self.extent(first, context);
        let stmt = Stmt { first, last: extent.last, block: None, tail: None, bad: extent.bad };
        let head = if context == Context::Top {
            self.cues.head(first, extent.last)
        } else {
            Head::Unknown(Context::Other)
        };
        let inner = match head {
            Head::Block(inner) => inner,
            Head::Unknown(_) if context.has_rules() && self.has_each(first, extent.last) => Context::Each,
            Head::Unknown(inner) => inner,
            _ => Context::Other,
        };
        let brace = self.cues.skip(extent.next);
        if brace < self.tokens.len() && self.cues.is(brace, "{") && self.frames.len() < MAX_DEPTH {
            self.frames.push((stmt, block(inner, Some(brace))));
            return brace + 1;
        }
        if matches!(head, Head::Block(_)) {
            if !stmt.bad {
                let end = self.tokens[stmt.last].span.end as usize;
                let fix = Fix {
                    title: "open the block".to_owned(),
                    edits: vec![Edit { span: Span::new(end, end), text: " {".to_owned() }],
                    applicability: Applicability::Safe,
                };
                self.findings.push(
                    Finding::new(registry::UNEXPECTED_TOKEN, "expected `{` at the end of the line")
                        .at(Span::new(end, end), "expected `{` here")
                        .help("open the item's block with `{`; its rows follow, one to a line")
                        .fix(fix),
                );
            }
            self.frames.push((stmt, block(inner, None)));
        } else {
            self.attach(stmt);
        }
        extent.next
    }

    /// Whether a rule takes a block.
    fn has_each(&self, first: usize, last: usize) -> bool {
        (first..last).any(|at| self.cues.is(at, "<-") && self.cues.word(at + 1) == "each")
    }

    /// Finds the end of the logical line that begins at `first`.
    fn extent(&mut self, first: usize, context: Context) -> Extent {
        let mut brackets: Vec<usize> = Vec::new();
        // The innermost of the open brackets that is a record's, by its place among them.
        let records = self.cues.has_records(first, context);
        let mut open_records: Vec<usize> = Vec::new();
        let mut unclosed: Option<usize> = None;
        let (mut at, mut last, mut bad) = (first, first, false);
        let (mut deepest, mut chain) = (0, 0);
        let mut arrow = false;
        while at < self.tokens.len() {
            let token = self.tokens[at];
            match token.kind {
                Kind::Comment => {
                    at += 1;
                    continue;
                }
                Kind::Newline => {
                    let next = self.cues.skip(at);
                    let goes_on = if next >= self.tokens.len() {
                        false
                    } else if brackets.is_empty() {
                        self.cues.continues(next, context)
                            || self.cues.is(last, ",")
                                && self.cues.follows_comma(next, context)
                                // Behind its value a row lists no more codes: the comma is one too many.
                                && !(arrow && self.tokens[next].kind == Kind::Text)
                    } else if !open_records.is_empty() {
                        !(self.cues.begins_item(next, true)
                            || context == Context::Test && self.cues.begins_step(next))
                    } else {
                        self.cues.joins(last, next)
                            && !self.cues.is(next, "}")
                            && !self.cues.begins_item(next, true)
                            && !self.cues.begins_row(next, context, true)
                    };
                    if !goes_on {
                        break;
                    }
                    at = next;
                    continue;
                }
                Kind::Open => bad = true,
                Kind::Text => {
                    let (depth, operators) = weight(&self.text[token.span.range()]);
                    deepest = deepest.max(brackets.len() + depth);
                    if operators > MAX_CHAIN {
                        chain = operators;
                    }
                }
                Kind::Word if matches!(self.cues.word(at), "and" | "or" | "not") => chain += 1,
                Kind::Punct => match self.cues.word(at) {
                    "{" if records && (brackets.is_empty() || !open_records.is_empty()) => {
                        open_records.push(brackets.len());
                        brackets.push(at);
                        deepest = deepest.max(brackets.len());
                    }
                    "}" if !open_records.is_empty() => {
                        // A bracket that is open inside of the record is not closed any more.
                        let record = open_records.pop().unwrap_or(0);
                        unclosed = unclosed.or(brackets.get(record + 1).copied());
                        brackets.truncate(record);
                    }
                    "{" | "}" => break,
                    "." => chain += 1,
                    "=>" => arrow = true,
                    "(" | "[" => {
                        brackets.push(at);
                        deepest = deepest.max(brackets.len());
                    }
                    close @ (")" | "]") => {
                        let opener = if close == ")" { "(" } else { "[" };
                        if brackets.last().is_some_and(|open| self.cues.is(*open, opener)) {
                            brackets.pop();
                        }
                    }
                    _ => {}
                },
                _ => {}
            }
            last = at;
            at += 1;
        }
        let whole = self.tokens[first].span.to(self.tokens[last].span);
        // An unclosed quote has its finding and may be what hides the bracket's end.
        if let Some(open) = unclosed.as_ref().or(brackets.last()).filter(|_| !bad) {
            let close = match self.cues.word(*open) {
                "(" => ")",
                "[" => "]",
                _ => "}",
            };
            let open = *open;
            bad = true;
            self.findings.push(
                Finding::new(registry::UNCLOSED, "a bracket is not closed")
                    .at(self.tokens[open].span, "this bracket opens it")
                    .help(format!("close it with `{close}` before the next rule or row begins")),
            );
        } else if !bad && whole.range().len() > MAX_LINE {
            bad = true;
            self.findings.push(
                Finding::new(registry::UNEXPECTED_TOKEN, format!("a line is longer than {MAX_LINE} bytes"))
                    .at(self.tokens[first].span, "the line begins here")
                    .help("split it over several rules, rows or tables"),
            );
        } else if !bad && (deepest > MAX_DEPTH || chain > MAX_CHAIN) {
            bad = true;
            let (what, limit) = if deepest > MAX_DEPTH { ("deep", MAX_DEPTH) } else { ("long", MAX_CHAIN) };
            self.findings.push(
                Finding::new(registry::NESTED_TOO_DEEP, "an expression is nested too deep")
                    .at(whole, format!("more than {limit} {what}"))
                    .help("split the expression over several rules or a table"),
            );
        }
        Extent { last, next: at, bad }
    }

    fn close(&mut self, at: usize) -> usize {
        let Some((mut stmt, mut block)) = self.frames.pop() else {
            self.findings.push(
                Finding::new(registry::UNEXPECTED_TOKEN, "`}` closes nothing")
                    .at(self.tokens[at].span, "no block is open here")
                    .help("remove it, or look above for a block that was closed too early"),
            );
            return at + 1;
        };
        block.close = Some(at);
        let mut next = at + 1;
        if block.context == Context::Each {
            // What follows the block belongs to the rule, on the same line or as a continuation.
            let context = self.frames.last().map_or(Context::Top, |(_, outer)| outer.context);
            let begin = self.cues.skip(next);
            let same_line = begin == next;
            if begin < self.tokens.len()
                && !self.cues.is(begin, "}")
                && !self.cues.is(begin, "{")
                && (same_line || self.cues.continues(begin, context))
            {
                let extent = self.extent(begin, context);
                stmt.tail = Some((begin, extent.last));
                stmt.bad |= extent.bad;
                next = extent.next;
            }
        } else {
            while next < self.tokens.len()
                && !matches!(self.tokens[next].kind, Kind::Newline | Kind::Comment)
                && !self.cues.is(next, "}")
                && !self.cues.is(next, "{")
            {
                next += 1;
            }
            if next > at + 1 {
                stmt.tail = Some((at + 1, next - 1));
            }
        }
        stmt.block = Some(block);
        self.attach(stmt);
        next
    }

    /// Closes all open blocks where the next item begins or the text ends.
    ///
    /// `certain` says that no line of theirs follows.
    fn abandon(&mut self, certain: bool) {
        while let Some((mut stmt, block)) = self.frames.pop() {
            if let Some(open) = block.open {
                let inner = block.stmts.last().map_or(open, |last| {
                    last.tail.map_or_else(
                        || last.block.as_ref().and_then(|b| b.close).unwrap_or(last.last),
                        |t| t.1,
                    )
                });
                let end = self.tokens[inner].span.end as usize;
                let fix = Fix {
                    title: "close the block".to_owned(),
                    edits: vec![Edit { span: Span::new(end, end), text: "\n}".to_owned() }],
                    applicability: Applicability::Likely,
                };
                self.findings.push(
                    Finding::new(registry::UNCLOSED, "a block is not closed")
                        .at(self.tokens[open].span, "this brace opens it")
                        .help(if certain {
                            "close the block with `}` on a line of its own, before the next item"
                        } else {
                            "an item stands inside of it: items stand side by side, so move it out, or close the block before it"
                        })
                        .fix_where(certain.then_some(fix)),
                );
            }
            stmt.block = Some(block);
            self.attach(stmt);
        }
    }

    /// Skips a block that is nested too deep, up to its end or the next item.
    fn too_deep(&mut self, open: usize) -> usize {
        self.findings.push(
            Finding::new(registry::NESTED_TOO_DEEP, "blocks are nested too deep")
                .at(self.tokens[open].span, format!("more than {MAX_DEPTH} deep"))
                .help("close the blocks before it; items stand side by side, not inside each other"),
        );
        let (mut depth, mut at) = (0usize, open);
        while at < self.tokens.len() {
            if self.cues.is(at, "{") {
                depth += 1;
            } else if self.cues.is(at, "}") {
                depth -= 1;
                if depth == 0 {
                    return at + 1;
                }
            } else if self.cues.begins_item(at, false) {
                break;
            }
            at += 1;
        }
        at
    }

    fn attach(&mut self, stmt: Stmt) {
        match self.frames.last_mut() {
            Some((_, block)) => block.stmts.push(stmt),
            None => self.roots.push(stmt),
        }
    }
}

fn block(context: Context, open: Option<usize>) -> Block {
    Block { context, open, close: None, stmts: Vec::new() }
}
