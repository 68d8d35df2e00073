//! What the words at a line's beginning tell: which item it begins, whether it carries on the line before it, whether
//! it is surely a new row. Looks at few tokens, and at no more than one line.

use super::tokens::{Kind, Token};

/// What a block's lines are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Context {
    /// The file itself: items.
    Top,
    /// Rows of `owners`.
    Owners,
    /// Rows of a table.
    Table,
    /// Rows of a pipeline.
    Pipeline,
    /// Lines of a map.
    Map,
    /// Lines of a flatten.
    Flatten,
    /// Lines of an `each`.
    Each,
    /// Rows of a split.
    Split,
    /// Rows of `order`.
    Order,
    /// Lines of a test.
    Test,
    /// Rows of `budget`.
    Budget,
    /// A block that belongs to nothing.
    Other,
}

impl Context {
    /// Whether its lines are rules and what goes with them.
    pub(super) fn has_rules(self) -> bool {
        matches!(self, Context::Map | Context::Flatten | Context::Each)
    }
}

/// What the first words of an item say it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Head {
    /// `edition`
    Edition,
    /// `source` or `target`
    System,
    /// `zone`
    Zone,
    /// `use`
    Use,
    /// `fn`
    Function,
    /// `fixture`
    Fixture,
    /// `test every row`
    EveryRow,
    /// `golden`
    Golden,
    /// `accept`
    Accept,
    /// An item with a block.
    Block(Context),
    /// No item's word; the context is what its block looks like.
    Unknown(Context),
}

/// Tokens with their text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cues<'a> {
    pub(super) text: &'a str,
    pub(super) tokens: &'a [Token],
}

impl<'a> Cues<'a> {
    /// What the words from `first` to `last` say an item is.
    pub(super) fn head(&self, first: usize, last: usize) -> Head {
        let at = first + usize::from(last > first && self.mode(first));
        let second = if last > at { self.word(at + 1) } else { "" };
        match self.word(at) {
            // A rule that stands outside of a map is no item, whatever its field's name.
            _ if matches!(second, "<-" | "=>" | "," | "before") => Head::Unknown(Context::Other),
            "edition" => Head::Edition,
            "source" | "target" => Head::System,
            "zone" => Head::Zone,
            "use" => Head::Use,
            "fn" => Head::Function,
            "fixture" => Head::Fixture,
            "test" if second == "every" => Head::EveryRow,
            "golden" => Head::Golden,
            "accept" => Head::Accept,
            "owners" => Head::Block(Context::Owners),
            "table" => Head::Block(Context::Table),
            "pipeline" => Head::Block(Context::Pipeline),
            "map" => Head::Block(Context::Map),
            "flatten" => Head::Block(Context::Flatten),
            "split" => Head::Block(Context::Split),
            "order" => Head::Block(Context::Order),
            "test" => Head::Block(Context::Test),
            "budget" => Head::Block(Context::Budget),
            _ => Head::Unknown(self.guess(first, last)),
        }
    }

    /// Whether a token is `replace` or `refine`.
    pub(super) fn mode(&self, at: usize) -> bool {
        matches!(self.word(at), "replace" | "refine")
    }

    /// What the block of a head without an item's word seems to be, so that its rows are read too.
    pub(super) fn guess(&self, first: usize, last: usize) -> Context {
        let has = |what: &str| (first..=last).any(|at| self.is(at, what));
        match (has("->"), has(":")) {
            (true, false) => Context::Map,
            (true, true) if self.tokens[last].kind == Kind::Text => Context::Pipeline,
            (true, true) => Context::Table,
            _ => Context::Other,
        }
    }

    /// Whether an item begins at this token. Items' words may also name fields, maps and settings; at the beginning of
    /// a line that is not moved in, a broken item is taken for one too.
    pub(super) fn begins_item(&self, at: usize, in_bracket: bool) -> bool {
        if self.tokens[at].kind != Kind::Word || !self.begins_line(at) {
            return false;
        }
        let word = self.word(at);
        let next = self.tokens.get(at + 1);
        let punct = next.filter(|n| n.kind == Kind::Punct).map_or("", |n| &self.text[n.span.range()]);
        let kind = next.map_or(Kind::Newline, |n| n.kind);
        if !matches!(punct, "" | "{" | "->")
            || kind == Kind::Word
                && matches!(self.word(at + 1), "before" | "by" | "declined" | "empty" | "derived")
        {
            return false;
        }
        let fits = match word {
            "edition" => kind == Kind::Number,
            "source" | "target" | "fn" | "table" | "pipeline" | "map" | "split" | "flatten" | "replace"
            | "refine" | "fixture" | "golden" | "accept" => kind == Kind::Word,
            "zone" | "use" => kind == Kind::Text,
            "owners" | "order" | "budget" => punct == "{",
            "test" => matches!(kind, Kind::Text | Kind::Word),
            _ => return false,
        };
        let start = self.tokens[at].span.start as usize;
        fits || !in_bracket && (start == 0 || self.text.as_bytes()[start - 1] == b'\n')
    }

    /// Whether the line that begins at this token carries on the logical line before it.
    pub(super) fn continues(&self, at: usize, context: Context) -> bool {
        let next = if at + 1 < self.tokens.len() { self.word(at + 1) } else { "" };
        match self.word(at) {
            _ if matches!(context, Context::Other | Context::Order | Context::Test | Context::Budget) => {
                false
            }
            "." => true,
            _ if matches!(next, "<-" | "=>" | ":") => false,
            "when" => !matches!(context, Context::Top | Context::Split),
            "else" => context != Context::Top,
            "until" | "because" | "by" => context == Context::Top,
            "labelled" | "flag" | "or" | "and" | "exact" | "reformatted" | "narrowed" | "merged"
            | "summarised" | "dropped" => true,
            "on" => matches!(next, "fail" | "unmigrated"),
            "in" => next == "a",
            "for" => next == "each",
            _ => false,
        }
    }

    /// Whether the line that begins at this token goes on with a list that a comma left open.
    pub(super) fn follows_comma(&self, at: usize, context: Context) -> bool {
        match self.tokens[at].kind {
            Kind::Text | Kind::Title => true,
            Kind::Word => {
                (context.has_rules() || matches!(context, Context::Order | Context::Split))
                    && !self.begins_row(at, context, false)
                    && !self.begins_item(at, false)
            }
            _ => false,
        }
    }

    /// Whether a line's end between these tokens may stand inside of an open bracket: one of them needs the other.
    pub(super) fn joins(&self, before: usize, at: usize) -> bool {
        let operator = |word: &str| {
            matches!(
                word,
                "and" | "or" | "==" | "!=" | "<" | "<=" | ">" | ">=" | "." | "," | "|" | "flag" | "when"
            )
        };
        operator(self.word(before))
            || operator(self.word(at))
            || matches!(self.word(before), "(" | "[" | "not" | "has" | "ref" | "refs" | "by" | "each")
            || matches!(self.word(at), ")" | "]" | "by")
            || self.tokens[at].kind == Kind::Title
    }

    /// Whether a new row begins at this token although a bracket or a list is open before it.
    pub(super) fn begins_row(&self, at: usize, context: Context, in_bracket: bool) -> bool {
        let kind = self.tokens.get(at + 1).map(|t| t.kind);
        // Two words never stand side by side inside a bracket, but a code and its title may.
        if context.has_rules()
            && matches!(self.word(at), "key" | "match" | "where" | "drop" | "todo" | "on" | "gap" | "pick")
            && (kind == Some(Kind::Word) || kind == Some(Kind::Title) && !in_bracket)
        {
            return true;
        }
        let mut depth = 0usize;
        for token in &self.tokens[at..] {
            match (token.kind, &self.text[token.span.range()]) {
                (Kind::Newline, _) => return false,
                (Kind::Punct, "(" | "[") => depth += 1,
                (Kind::Punct, ")" | "]") if depth == 0 => return false,
                (Kind::Punct, ")" | "]") => depth -= 1,
                (Kind::Punct, "<-" | "=>") => return true,
                _ => {}
            }
        }
        false
    }

    /// Whether a new line of a test begins at this token although a record is open before it.
    pub(super) fn begins_step(&self, at: usize) -> bool {
        matches!(self.word(at), "given" | "expect")
            && self.tokens.get(at + 1).is_some_and(|next| next.kind == Kind::Word)
    }

    /// Whether the braces in the line that begins at this token are those of records, not of blocks.
    pub(super) fn has_records(&self, first: usize, context: Context) -> bool {
        match context {
            Context::Top => self.word(first) == "fixture",
            Context::Test => matches!(self.word(first), "given" | "expect"),
            _ => false,
        }
    }

    /// The next token that is neither a comment nor a line's end.
    pub(super) fn skip(&self, mut at: usize) -> usize {
        while self.tokens.get(at).is_some_and(|t| matches!(t.kind, Kind::Comment | Kind::Newline)) {
            at += 1;
        }
        at
    }

    pub(super) fn begins_line(&self, at: usize) -> bool {
        at == 0 || self.tokens[at - 1].kind == Kind::Newline
    }

    pub(super) fn word(&self, at: usize) -> &'a str {
        &self.text[self.tokens[at].span.range()]
    }

    pub(super) fn is(&self, at: usize, punct: &str) -> bool {
        self.tokens[at].kind == Kind::Punct && self.word(at) == punct
    }
}
