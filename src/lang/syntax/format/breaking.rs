//! Where a piece of a line that is too long is broken: inside its brackets, before `and` and `or`, behind the commas of
//! a list. What the brackets hold stands two columns further in: on one line where it fits, else names behind each
//! other and anything longer on a line of its own.
//!
//! INVARIANT: where a piece is broken depends on its tokens and its place alone, so what was broken is broken the same
//! way again; and a line never begins with what `layout` would take for the next row or item.

use super::super::cues::Context;
use super::super::tokens::Kind;
use super::spacing::width;
use super::{Formatter, INDENT, WIDTH};

/// Where a piece stands.
#[derive(Clone, Copy)]
pub(super) struct Place {
    /// The columns before it on its first line.
    pub(super) used: usize,
    /// The columns before its closing brackets on lines of their own.
    pub(super) indent: usize,
    /// The columns that what follows takes on its last line.
    pub(super) after: usize,
    /// The brackets around it.
    pub(super) depth: usize,
    /// The block that its row is in.
    pub(super) context: Context,
    /// Whether commas outside of brackets separate what may take a line each.
    pub(super) listed: bool,
    /// The token, by its byte, that two blanks stand before.
    pub(super) wide: Option<usize>,
}

/// The columns by which the widest line of a piece is too long.
fn excess(text: &str, place: &Place) -> usize {
    let lines = text.split('\n').count();
    let over = text.split('\n').enumerate().map(|(number, line)| {
        let before = if number == 0 { place.used } else { 0 };
        let after = if number + 1 == lines { place.after } else { 0 };
        (before + width(line) + after).saturating_sub(WIDTH)
    });
    over.max().unwrap_or(0)
}

impl Formatter<'_> {
    /// Tokens on one line where they fit, else broken where that helps.
    pub(super) fn fit(&self, first: usize, last: usize, place: Place) -> String {
        let flat = self.join_in(first, last, place.wide, place.depth);
        let over = excess(&flat, &place);
        if over == 0 {
            return flat;
        }
        let broken = if let Some(cuts) = self.operators(first, last, place.depth, place.context) {
            self.before_each(first, last, &cuts, &place)
        } else {
            let groups = self.groups(first, last);
            if groups.is_empty() && place.listed {
                self.packed(&self.parts(first, last), &place)
            } else {
                self.in_brackets(first, last, &groups, &place)
            }
        };
        if excess(&broken, &place) < over { broken } else { flat }
    }

    /// Whether a piece of a row could be broken.
    pub(super) fn can_break(&self, first: usize, last: usize, context: Context) -> bool {
        !self.groups(first, last).is_empty() || self.operators(first, last, 0, context).is_some()
    }

    /// The outermost `and` and `or`; `None` where there is none, or where a line may not begin with them.
    fn operators(&self, first: usize, last: usize, around: usize, context: Context) -> Option<Vec<usize>> {
        let closed = matches!(context, Context::Other | Context::Order | Context::Test | Context::Budget);
        if around == 0 && closed {
            return None;
        }
        let mut depth = 0usize;
        let mut cuts = Vec::new();
        for at in first..=last {
            match (self.layout.tokens[at].kind, self.cues.word(at)) {
                (Kind::Punct, "(" | "[" | "{") => depth += 1,
                (Kind::Punct, ")" | "]" | "}") => depth = depth.saturating_sub(1),
                (Kind::Word, "and" | "or") if depth == 0 && at > first => cuts.push(at),
                _ => {}
            }
        }
        (!cuts.is_empty()).then_some(cuts)
    }

    fn before_each(&self, first: usize, last: usize, cuts: &[usize], place: &Place) -> String {
        let indent = place.indent + INDENT;
        let mut out = String::new();
        let mut from = first;
        for next in cuts.iter().copied().chain([last + 1]) {
            let begins = from == first;
            if !begins {
                out.push_str(&format!("\n{:indent$}", ""));
            }
            let used = if begins { place.used } else { indent };
            let after = if next > last { place.after } else { 0 };
            // The last token before the operator may be a line's end or a comment: `join` leaves them out.
            out.push_str(&self.groups_of(from, next - 1, Place { used, indent, after, ..*place }));
            from = next;
        }
        out
    }

    /// A piece without operators of its own.
    fn groups_of(&self, first: usize, last: usize, place: Place) -> String {
        let flat = self.join_in(first, last, place.wide, place.depth);
        if excess(&flat, &place) == 0 {
            return flat;
        }
        let broken = self.in_brackets(first, last, &self.groups(first, last), &place);
        if excess(&broken, &place) < excess(&flat, &place) { broken } else { flat }
    }

    /// The outermost brackets that hold more than one token and may be broken, by their tokens.
    fn groups(&self, first: usize, last: usize) -> Vec<(usize, usize)> {
        let mut open: Vec<usize> = Vec::new();
        let mut groups = Vec::new();
        for at in first..=last {
            if self.layout.tokens[at].kind != Kind::Punct {
                continue;
            }
            match self.cues.word(at) {
                "(" | "[" | "{" => open.push(at),
                ")" | "]" | "}" => {
                    let Some(begin) = open.pop().filter(|_| open.is_empty()) else { continue };
                    let many = self.significant(begin + 1, at).nth(1).is_some();
                    if many && self.cues.word(begin) != "{" && self.breakable(begin, at) {
                        groups.push((begin, at));
                    }
                }
                _ => {}
            }
        }
        groups
    }

    fn significant(&self, from: usize, to: usize) -> impl Iterator<Item = usize> + '_ {
        let tokens = &self.layout.tokens;
        (from..to).filter(move |at| !matches!(tokens[*at].kind, Kind::Newline | Kind::Comment))
    }

    /// Whether every part between these brackets may begin a line.
    fn breakable(&self, open: usize, close: usize) -> bool {
        self.parts(open + 1, close - 1).into_iter().all(|(first, _)| self.may_begin(first))
    }

    /// Whether a line may begin with a token without being taken for a row or an item: see `Cues`.
    fn may_begin(&self, at: usize) -> bool {
        let taken = matches!(
            self.cues.word(at),
            "edition"
                | "source"
                | "target"
                | "fn"
                | "table"
                | "pipeline"
                | "map"
                | "split"
                | "flatten"
                | "replace"
                | "refine"
                | "fixture"
                | "golden"
                | "accept"
                | "zone"
                | "use"
                | "owners"
                | "order"
                | "budget"
                | "test"
                | "key"
                | "match"
                | "where"
                | "drop"
                | "todo"
                | "on"
                | "gap"
                | "pick"
                | "given"
                | "expect"
        );
        let next = self.cues.skip(at + 1);
        let punct = self.layout.tokens.get(next).is_some_and(|token| token.kind == Kind::Punct);
        !taken || punct && !matches!(self.cues.word(next), "{" | "->" | "<-" | "=>")
    }

    /// What stands between the outermost commas, each part with its comma.
    fn parts(&self, first: usize, last: usize) -> Vec<(usize, usize)> {
        let mut parts = Vec::new();
        let (mut depth, mut from) = (0usize, None);
        let mut end = first;
        for at in self.significant(first, last + 1) {
            let begin = *from.get_or_insert(at);
            end = at;
            if self.layout.tokens[at].kind != Kind::Punct {
                continue;
            }
            match self.cues.word(at) {
                "(" | "[" | "{" => depth += 1,
                ")" | "]" | "}" => depth = depth.saturating_sub(1),
                "," if depth == 0 => {
                    parts.push((begin, at));
                    from = None;
                }
                _ => {}
            }
        }
        parts.extend(from.map(|begin| (begin, end)));
        parts
    }

    /// With the last brackets broken, and as many before them as it takes.
    fn in_brackets(&self, first: usize, last: usize, groups: &[(usize, usize)], place: &Place) -> String {
        let mut best: Option<(usize, String)> = None;
        let mut inner: Vec<Option<String>> = vec![None; groups.len()];
        for broken in (0..groups.len()).rev() {
            let (open, close) = groups[broken];
            inner[broken] = Some(self.held(open, close, place));
            let mut out = String::new();
            let mut from = first;
            for ((open, close), inner) in groups.iter().zip(&inner) {
                if let Some(inner) = inner {
                    out.push_str(&self.join_in(from, *open, place.wide, place.depth));
                    out.push_str(inner);
                    from = *close;
                }
            }
            out.push_str(&self.join_in(from, last, place.wide, place.depth));
            let over = excess(&out, place);
            if best.as_ref().is_none_or(|(least, _)| over < *least) {
                best = Some((over, out));
            }
            if over == 0 {
                break;
            }
        }
        best.map_or_else(|| self.join_in(first, last, place.wide, place.depth), |(_, out)| out)
    }

    /// What stands between brackets, from the line behind the first to the blanks before the last.
    fn held(&self, open: usize, close: usize, place: &Place) -> String {
        let indent = place.indent + INDENT;
        let inside = Place {
            used: indent,
            indent,
            after: 0,
            depth: place.depth + 1,
            context: place.context,
            listed: false,
            wide: None,
        };
        let parts = self.parts(open + 1, close - 1);
        let flat = self.join_in(open + 1, close - 1, None, inside.depth);
        let nested = parts.iter().any(|(first, last)| {
            (*first..=*last).any(|at| {
                self.layout.tokens[at].kind == Kind::Punct && matches!(self.cues.word(at), "(" | "[" | "{")
            })
        });
        let body = if indent + width(&flat) <= WIDTH {
            flat
        } else if nested || parts.len() == 1 {
            let lines: Vec<String> =
                parts.iter().map(|(first, last)| self.fit(*first, *last, inside)).collect();
            lines.join(&format!("\n{:indent$}", ""))
        } else {
            self.packed(&parts, &Place { indent: place.indent, ..inside })
        };
        format!("\n{:indent$}{body}\n{:2$}", "", "", place.indent)
    }

    /// As many parts on each line as it takes; later lines are moved in.
    fn packed(&self, parts: &[(usize, usize)], place: &Place) -> String {
        let indent = place.indent + INDENT;
        // What no line may begin with stays with what is before it.
        let begins = |first: usize| {
            let kind = self.layout.tokens[first].kind;
            self.may_begin(first)
                && (place.depth > 0 || matches!(kind, Kind::Word | Kind::Text | Kind::Title))
        };
        let mut pieces: Vec<(usize, usize)> = Vec::with_capacity(parts.len());
        for (first, last) in parts {
            match pieces.last_mut() {
                Some(piece) if !begins(*first) => piece.1 = *last,
                _ => pieces.push((*first, *last)),
            }
        }
        let mut out = String::new();
        let mut used = place.used;
        for (number, (first, last)) in pieces.iter().enumerate() {
            let text = self.join_in(*first, *last, place.wide, place.depth);
            let after = if number + 1 == pieces.len() { place.after } else { 0 };
            if number > 0 && used + 1 + width(&text) + after > WIDTH {
                out.push_str(&format!("\n{:indent$}", ""));
                used = indent;
            } else if number > 0 {
                out.push(' ');
                used += 1;
            }
            used += width(&text);
            out.push_str(&text);
        }
        out
    }
}
