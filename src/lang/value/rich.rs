//! Formatted text to plain text: BBCode and HTML, told apart by their tags. Knows no vendor.
//!
//! The BBCode renderer is one pass over the text with bounded stacks, so its time is linear and its depth bounded
//! whatever is nested in what. Brackets that are no known tag stay as they are.

use super::html;

/// How deep lists, quotes and links are tracked; what is nested deeper keeps its text and loses its layout.
const DEEPEST: usize = 16;

/// The longest text between `[` and `]` that may be a tag, in bytes.
const LONGEST_TAG: usize = 4096;

/// Plain text from BBCode, from HTML, from a mixture, or from text that is plain already.
///
/// Paragraphs, line breaks, list items, quotes and table cells keep their places; a link keeps its address behind
/// its text. Emphasis, colours and sizes go. `@[` gets a backslash, so that no text becomes a mention.
pub fn plain(text: &str) -> String {
    render(text, false)
}

/// Like [`plain`], but bold, italic and struck text keep marks as Markdown has them: `**`, `_` and `~~`.
pub fn marked(text: &str) -> String {
    render(text, true)
}

fn render(text: &str, emphasis: bool) -> String {
    let html = html::looks_like_html(text).then(|| html::to_text(text, emphasis));
    let renderer = |text: &str, entities| Renderer { emphasis, ..Renderer::new(text.len(), entities) };
    let rendered = match &html {
        Some(text) => renderer(text, false).run(text),
        None => renderer(text, true).run(text),
    };
    escape_mentions(&tidy(&rendered))
}

/// Puts a backslash before each `@[` that has none, or an even number of them, so that it cannot start a mention.
pub fn escape_mentions(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut backslashes = 0usize;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c == '@' && chars.peek() == Some(&'[') && backslashes.is_multiple_of(2) {
            out.push('\\');
        }
        backslashes = if c == '\\' { backslashes + 1 } else { 0 };
        out.push(c);
    }
    out
}

/// Line feeds only, no blanks at line ends, no more than one empty line in a row, nothing around the whole.
fn tidy(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut empty = 0;
    for line in text.lines() {
        let line = line.trim_end();
        if line.is_empty() {
            empty += 1;
            continue;
        }
        if !out.is_empty() {
            out.push('\n');
            if empty > 0 {
                out.push('\n');
            }
        }
        empty = 0;
        out.push_str(line);
    }
    // The first line may be an indented list item only if something stands above it.
    out.trim_start().to_owned()
}

/// One open list.
struct List {
    /// The number of its last item, where it is numbered.
    number: Option<u32>,
}

/// One open link or image with an address.
struct Link {
    start: usize,
    address: String,
}

/// One open mark of emphasis.
struct Mark {
    name: char,
    start: usize,
}

struct Renderer {
    out: String,
    entities: bool,
    /// Whether emphasis leaves marks.
    emphasis: bool,
    marks: Vec<Mark>,
    lists: Vec<List>,
    links: Vec<Link>,
    quotes: usize,
    /// Lists beyond [`DEEPEST`], so that their ends do not close others.
    lists_beyond: usize,
}

impl Renderer {
    fn new(size: usize, entities: bool) -> Self {
        let out = String::with_capacity(size);
        Renderer {
            out,
            entities,
            emphasis: false,
            marks: Vec::new(),
            lists: Vec::new(),
            links: Vec::new(),
            quotes: 0,
            lists_beyond: 0,
        }
    }

    fn run(mut self, text: &str) -> String {
        let mut rest = text;
        while let Some(at) = rest.find(['[', '&', '\n', '\r']) {
            self.out.push_str(&rest[..at]);
            rest = &rest[at..];
            rest = match rest.as_bytes()[0] {
                b'[' => self.bracket(rest),
                b'&' => self.entity(rest),
                _ => {
                    self.newline();
                    rest.strip_prefix("\r\n").unwrap_or(&rest[1..])
                }
            };
        }
        self.out.push_str(rest);
        while !self.links.is_empty() {
            self.close_link();
        }
        while let Some(mark) = self.marks.last() {
            self.close_mark(mark.name);
        }
        self.out
    }

    /// Handles what begins with `[` and gives what is left to read.
    fn bracket<'t>(&mut self, text: &'t str) -> &'t str {
        let Some(tag) = Tag::read(text) else {
            self.out.push('[');
            return &text[1..];
        };
        let rest = &text[tag.length..];
        if tag.name == "code" && !tag.closes {
            // Nothing inside is markup; a missing end means that the rest is code.
            let end = find_ignoring_case(rest, "[/code]").unwrap_or(rest.len());
            self.fresh_line();
            for (index, line) in rest[..end].lines().enumerate() {
                if index > 0 {
                    self.newline();
                }
                self.out.push_str(line);
            }
            self.fresh_line();
            return rest.get(end + "[/code]".len()..).unwrap_or("");
        }
        self.tag(&tag);
        rest
    }

    fn tag(&mut self, tag: &Tag<'_>) {
        match (tag.name.as_str(), tag.closes) {
            ("br", false) => self.newline(),
            ("hr", false) => {
                self.fresh_line();
                self.out.push_str("---");
                self.newline();
            }
            ("p", false) => self.fresh_line(),
            ("p", true) => {
                self.fresh_line();
                self.newline();
            }
            ("left" | "right" | "center" | "justify" | "spoiler" | "table" | "tr", _) => self.fresh_line(),
            ("td" | "th", false) if !self.line_is_fresh() => self.out.push_str(" | "),
            ("quote", false) => {
                self.quotes += 1;
                self.fresh_line_of(self.quotes - 1);
                self.restart_line();
            }
            ("quote", true) if self.quotes > 0 => {
                let inside = self.line_is_fresh();
                self.quotes -= 1;
                if inside {
                    self.restart_line();
                } else {
                    self.newline();
                }
            }
            ("list", false) => {
                if self.lists.len() < DEEPEST {
                    self.lists.push(List { number: (!tag.value.is_empty()).then_some(0) });
                } else {
                    self.lists_beyond += 1;
                }
            }
            ("list", true) => {
                if self.lists_beyond > 0 {
                    self.lists_beyond -= 1;
                } else {
                    self.lists.pop();
                }
                self.fresh_line();
            }
            ("*", false) => {
                self.fresh_line();
                for _ in 1..self.lists.len() {
                    self.out.push_str("  ");
                }
                match self.lists.last_mut().and_then(|list| list.number.as_mut()) {
                    Some(number) => {
                        *number = number.saturating_add(1);
                        let label = format!("{number}. ");
                        self.out.push_str(&label);
                    }
                    None => self.out.push_str("- "),
                }
            }
            ("url" | "email" | "img" | "video", false) => {
                if self.links.len() < DEEPEST {
                    let address = if tag.name == "img" { "" } else { tag.value };
                    self.links.push(Link { start: self.out.len(), address: address.to_owned() });
                } else if !tag.value.is_empty() {
                    self.out.push_str(tag.value);
                    self.out.push(' ');
                }
            }
            ("url" | "email" | "img" | "video", true) => self.close_link(),
            (name @ ("b" | "i" | "s"), closes) if self.emphasis => {
                let name = name.chars().next().unwrap_or('b');
                let open = self.marks.iter().any(|mark| mark.name == name);
                match (closes, open) {
                    (true, true) => self.close_mark(name),
                    (false, false) => {
                        self.marks.push(Mark { name, start: self.out.len() });
                        self.out.push_str(sign(name));
                    }
                    // Bold within bold, and an end without a beginning, change nothing.
                    _ => {}
                }
            }
            ("disk", false) => {
                // `[DISK FILE ID=n123]` stands for an attached file.
                let id = tag.value.trim();
                self.out.push_str(&format!("(file {id})"));
            }
            _ => {}
        }
    }

    /// Ends this emphasis and those that were opened inside it. A mark around nothing goes.
    fn close_mark(&mut self, name: char) {
        while let Some(mark) = self.marks.pop() {
            let sign = sign(mark.name);
            let text = self.out.get(mark.start + sign.len()..).unwrap_or("");
            if text.trim().is_empty() {
                let text = text.to_owned();
                self.out.truncate(mark.start);
                self.out.push_str(&text);
            } else {
                // A mark closes only behind a letter, so blanks go after it.
                let blanks = text[text.trim_end().len()..].to_owned();
                self.out.truncate(self.out.len() - blanks.len());
                self.out.push_str(sign);
                self.out.push_str(&blanks);
            }
            if mark.name == name {
                return;
            }
        }
    }

    fn close_link(&mut self) {
        let Some(link) = self.links.pop() else { return };
        let text = self.out.get(link.start..).unwrap_or("").trim();
        let same = |text: &str| {
            text == link.address || text.trim_end_matches('/') == link.address.trim_end_matches('/')
        };
        if link.address.is_empty() || same(text) {
            return;
        }
        if text.is_empty() {
            self.out.push_str(&link.address);
        } else {
            self.out.push_str(&format!(" ({})", link.address));
        }
    }

    fn entity<'t>(&mut self, text: &'t str) -> &'t str {
        match self.entities.then(|| html::entity(text)).flatten() {
            Some((c, length)) => {
                self.out.push(if c == '\u{a0}' { ' ' } else { c });
                &text[length..]
            }
            None => {
                self.out.push('&');
                &text[1..]
            }
        }
    }

    fn prefix(&self, quotes: usize) -> String {
        "> ".repeat(quotes.min(DEEPEST))
    }

    fn newline(&mut self) {
        self.out.push('\n');
        let prefix = self.prefix(self.quotes);
        self.out.push_str(&prefix);
    }

    /// Whether nothing but the prefix of the quotes stands on the line.
    fn line_is_fresh(&self) -> bool {
        let start = self.out.rfind('\n').map_or(0, |at| at + 1);
        self.out[start..].bytes().all(|b| b == b'>' || b == b' ')
    }

    /// A new line, unless the line at hand is new.
    fn fresh_line(&mut self) {
        if !self.line_is_fresh() {
            self.newline();
        }
    }

    fn fresh_line_of(&mut self, quotes: usize) {
        if !self.line_is_fresh() {
            self.out.push('\n');
            let prefix = self.prefix(quotes);
            self.out.push_str(&prefix);
        }
    }

    /// Writes the prefix of a fresh line again, after the number of quotes has changed.
    fn restart_line(&mut self) {
        let start = self.out.rfind('\n').map_or(0, |at| at + 1);
        self.out.truncate(start);
        let prefix = self.prefix(self.quotes);
        self.out.push_str(&prefix);
    }
}

/// The mark of bold, italic and struck text.
fn sign(name: char) -> &'static str {
    match name {
        'b' => "**",
        'i' => "_",
        _ => "~~",
    }
}

/// A tag that is known.
struct Tag<'t> {
    name: String,
    closes: bool,
    value: &'t str,
    length: usize,
}

/// Tags that are known; what else stands in brackets is text.
const TAGS: &[&str] = &[
    "*", "b", "br", "center", "code", "color", "disk", "email", "font", "hr", "i", "img", "justify", "left",
    "list", "p", "quote", "right", "s", "size", "spoiler", "sub", "sup", "table", "td", "th", "tr", "u",
    "url", "user", "video",
];

impl<'t> Tag<'t> {
    /// Reads `[name]`, `[/name]`, `[name=value]` or `[name attributes]` at the start of the text.
    fn read(text: &'t str) -> Option<Tag<'t>> {
        let body = text.strip_prefix('[')?;
        let end = body.find(['[', ']', '\n'])?;
        if end > LONGEST_TAG || body.as_bytes()[end] != b']' {
            return None;
        }
        let inside = &body[..end];
        let (closes, inside) = match inside.strip_prefix('/') {
            Some(rest) => (true, rest),
            None => (false, inside),
        };
        let split = inside.find(['=', ' ']).unwrap_or(inside.len());
        let name = inside[..split].to_ascii_lowercase();
        TAGS.binary_search(&name.as_str()).ok()?;
        let value = match name.as_str() {
            "disk" => inside[split..].split_once('=').map_or("", |(_, id)| id),
            _ => inside[split..].strip_prefix('=').unwrap_or(""),
        };
        let value = value.trim().trim_matches(['"', '\'']);
        Some(Tag { name, closes, value, length: end + 2 })
    }
}

fn find_ignoring_case(text: &str, what: &str) -> Option<usize> {
    text.as_bytes().windows(what.len()).position(|window| window.eq_ignore_ascii_case(what.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn bbcode_becomes_text() {
        let cases = [
            ("[B]Bold[/B] and [i]more[/i]", "Bold and more"),
            ("[URL=https://a.example/x]the page[/URL]!", "the page (https://a.example/x)!"),
            ("[url]https://a.example[/url]", "https://a.example"),
            ("[url=https://a.example/]https://a.example[/url]", "https://a.example"),
            ("[url=https://a.example]open", "open (https://a.example)"),
            ("a[LIST][*]one[*]two[/LIST]b", "a\n- one\n- two\nb"),
            ("[list=1]\n[*]one\n[*]two\n[/list]", "1. one\n2. two"),
            ("[list][*]a[list][*]b[/list][/list]", "- a\n  - b"),
            ("[QUOTE]said\nthis[/QUOTE]answer", "> said\n> this\nanswer"),
            ("x[quote][quote]in[/quote]out[/quote]y", "x\n> > in\n> out\ny"),
            ("[code][b]x[/b][/code]", "[b]x[/b]"),
            ("[p]one[/p][p]two[/p]", "one\n\ntwo"),
            ("[USER=5]Ann Lee[/USER], see [DISK FILE ID=n12]", "Ann Lee, see (file n12)"),
            ("[urgent] call [back", "[urgent] call [back"),
            ("AT&amp;T&nbsp;Inc &foo; &", "AT&T Inc &foo; &"),
            ("a\r\nb\rc", "a\nb\nc"),
            ("[table][tr][td]a[/td][td]b[/td][/tr][/table]", "a | b"),
            ("1 < 2 and 3 > 2", "1 < 2 and 3 > 2"),
        ];
        for (from, to) in cases {
            assert_eq!(plain(from), to, "{from}");
        }
    }

    #[test]
    fn emphasis_leaves_marks() {
        let cases = [
            ("[B]Call[/B] him", "**Call** him"),
            ("<p>One <strong>two </strong>three</p>", "One **two** three"),
            ("[b][i]x[/b]y", "**_x_**y"),
            ("[b][b]x[/b]", "**x**"),
            ("[b] [/b]x[/i]", "x"),
            ("[s]gone[/s] [u]kept[/u]", "~~gone~~ kept"),
            ("[i]open", "_open_"),
            ("[quote][b]in[/b][/quote]", "> **in**"),
        ];
        for (from, to) in cases {
            assert_eq!(marked(from), to, "{from}");
        }
    }

    #[test]
    fn html_becomes_text() {
        let cases = [
            ("<p>One <b>two</b></p><p>three</p>", "One two\n\nthree"),
            ("a<br>b<br/>c", "a\nb\nc"),
            ("<a href=\"https://a.example\">page</a>", "page (https://a.example)"),
            ("<a href='https://a.example'>https://a.example</a>", "https://a.example"),
            ("<ul><li>x</li><li>y &amp; z</li></ul>", "- x\n- y & z"),
            ("<script>alert(1)</script>text<style>p{}</style>", "text"),
            ("<b>x</b>\ny", "x\ny"),
            ("<div>[b]mixed[/b] <i>kinds</i></div>", "mixed kinds"),
            ("<ol><li>x<ul><li>y</ul><li>z</ol>", "1. x\n  - y\n2. z"),
            ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</table>", "a | b\nc"),
            ("<img src=\"a.png\" alt=\"a chart\">", "a chart"),
            ("<p>a <!-- hidden --> b</p>", "a b"),
        ];
        for (from, to) in cases {
            assert_eq!(plain(from), to, "{from}");
        }
    }

    #[test]
    fn no_text_becomes_a_mention() {
        assert_eq!(plain("see @[Users:1]"), "see \\@[Users:1]");
        assert_eq!(plain("see @[b][Users:1][/b]"), "see \\@[Users:1]");
        assert_eq!(plain("see @<b>[Users:1]</b>"), "see \\@[Users:1]");
        assert_eq!(plain("see @&#91;Users:1]"), "see \\@[Users:1]");
        assert_eq!(escape_mentions("\\@[x"), "\\@[x");
        assert_eq!(escape_mentions("\\\\@[x"), "\\\\\\@[x");
    }

    #[test]
    fn deep_nesting_is_bounded() {
        for tag in
            ["[quote]", "[list][*]", "[url=x]", "<div>", "<ul><li>", "<blockquote>", "<table><tr><td>", "["]
        {
            let text = tag.repeat(20_000) + "end";
            assert!(plain(&text).ends_with("end") || plain(&text).contains("end"), "{tag}");
        }
    }

    fn soup() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            proptest::sample::select(vec![
                "[b]",
                "[/b]",
                "[url=",
                "[url=a]",
                "[/url]",
                "[list]",
                "[list=1]",
                "[*]",
                "[/list]",
                "[quote]",
                "[/quote]",
                "[code]",
                "[/code]",
                "]",
                "[",
                "@[",
                "\\",
                "\n",
                "\r\n",
                "&nbsp;",
                "&#91;",
                "&#x110000;",
                "<",
                ">",
                "<p>",
                "</p>",
                "<br>",
                "<a href=\"x\">",
                "</a>",
                "<ul>",
                "<li>",
                "</ul>",
                "<table>",
                "<tr>",
                "<td colspan=99999999>",
                "<pre>",
                "</pre>",
                "<!--",
                "-->",
                "<script>",
                "<hr>",
                "<img src=x>",
                "<blockquote>",
                "<h1>",
                "\t",
                "\u{200d}",
                "\u{301}",
                "👩‍👩‍👧",
                "ё",
                "\0",
            ])
            .prop_map(str::to_owned),
            "\\PC{0,6}",
        ];
        proptest::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn nothing_panics_and_no_mention_is_left(text in soup()) {
            let result = plain(&text);
            for (at, _) in result.match_indices("@[") {
                let before = result[..at].bytes().rev().take_while(|b| *b == b'\\').count();
                prop_assert!(before % 2 == 1, "{result:?}");
            }
            prop_assert_eq!(result.trim(), result.as_str());
        }

        /// Markup comes and goes, words stay, in their order.
        #[test]
        fn no_word_is_lost(html in any::<bool>(), picks in proptest::collection::vec(0usize..64, 0..24)) {
            const BBCODE: &[&str] = &[
                "[b]", "[/b]", "[list]", "[list=1]", "[*]", "[/list]", "[quote]", "[/quote]", "[code]", "[/code]",
                "[url=http://a.example]", "[url]", "[/url]", "[table]", "[td]", "[/td]", "[p]", "[/p]", "[br]", "\n",
            ];
            const HTML: &[&str] = &[
                "<b>", "</b>", "<p>", "</p>", "<ul>", "<li>", "</ul>", "<ol>", "<table>", "<tr>", "<td>", "</td>",
                "</table>", "<a href='http://a.example'>", "</a>", "<blockquote>", "</blockquote>", "<pre>", "<br>", "\n",
            ];
            let tags = if html { HTML } else { BBCODE };
            let word = |index: usize| format!("word{index}.");
            let text: String =
                picks.iter().enumerate().map(|(i, pick)| format!("{}{}", tags[pick % tags.len()], word(i))).collect();
            let result = plain(&text);
            let mut from = 0;
            for index in 0..picks.len() {
                let at = result[from..].find(&word(index));
                prop_assert!(at.is_some(), "{} is lost from {text:?}: {result:?}", word(index));
                from += at.unwrap_or(0) + 1;
            }
        }
    }
}
