//! HTML to text. The one file that knows the HTML library, which sees only the few tags that lay text out.
//!
//! A first pass drops what does not matter (attributes, spans, scripts, comments) and bounds the nesting, so that
//! hostile markup costs no more than its length.

use html2text::config;

/// How deep blocks may nest; deeper ones keep their text.
const DEEPEST: usize = 24;

/// Lines are not wrapped: this is wider than any line.
const WIDTH: usize = 1_000_000;

/// Tags that lay text out and are handed on.
const BLOCKS: &[&str] = &[
    "blockquote",
    "div",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "li",
    "ol",
    "p",
    "pre",
    "table",
    "tbody",
    "td",
    "th",
    "thead",
    "tr",
    "ul",
];

/// Tags that mark a text as HTML, besides [`BLOCKS`].
const INLINE: &[&str] = &[
    "a", "b", "body", "br", "center", "code", "em", "font", "head", "hr", "html", "i", "img", "s", "script",
    "small", "span", "strike", "strong", "style", "sub", "sup", "title", "u",
];

/// Tags whose content is not text.
const SILENT: &[&str] = &["script", "style", "title"];

/// Whether the text has an HTML tag in it.
pub fn looks_like_html(text: &str) -> bool {
    text.match_indices('<').any(|(at, _)| Tag::read(&text[at..]).is_some_and(|tag| tag.is_known()))
}

/// The text of an HTML fragment, with the address of each link behind its text. With `emphasis`, tags for bold,
/// italic and struck text become those of BBCode.
pub fn to_text(html: &str, emphasis: bool) -> String {
    let clean = Cleaner { emphasis, ..Cleaner::default() }.run(html);
    let width = WIDTH.max(clean.len());
    let settings = config::plain_no_decorate().link_footnotes(false).raw_mode(true).allow_width_overflow();
    match settings.string_from_read(clean.as_bytes(), width) {
        Ok(text) => text.replace('\u{a0}', " "),
        // The tags go, the text stays.
        Err(_) => strip_tags(&clean),
    }
}

/// Reads an entity at the start of the text: the character and how many bytes it took.
pub fn entity(text: &str) -> Option<(char, usize)> {
    let body = text.strip_prefix('&')?;
    let end = body.bytes().take(10).position(|b| b == b';')?;
    let name = body.get(..end)?;
    let c = match name {
        "nbsp" => '\u{a0}',
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        "laquo" => '«',
        "raquo" => '»',
        "ndash" => '–',
        "mdash" => '—',
        "hellip" => '…',
        "copy" => '©',
        "reg" => '®',
        "trade" => '™',
        "euro" => '€',
        "bull" => '•',
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code).filter(|c| !c.is_control() || *c == '\n' || *c == '\t')?
        }
    };
    Some((c, end + 2))
}

struct Tag<'t> {
    name: String,
    closes: bool,
    attributes: &'t str,
    length: usize,
}

impl<'t> Tag<'t> {
    /// Reads a tag at the start of the text. It ends at its `>` and holds no other `<`.
    fn read(text: &'t str) -> Option<Tag<'t>> {
        let body = text.strip_prefix('<')?;
        let (closes, body) = match body.strip_prefix('/') {
            Some(rest) => (true, rest),
            None => (false, body),
        };
        let name_end = body.bytes().position(|b| !b.is_ascii_alphanumeric() && b != b':')?;
        if name_end == 0
            || name_end > 16
            || !matches!(body.as_bytes()[name_end], b'>' | b'/' | b' ' | b'\t' | b'\n' | b'\r')
        {
            return None;
        }
        let end = body.find(['<', '>'])?;
        if body.as_bytes()[end] != b'>' {
            return None;
        }
        let length = text.len() - body.len() + end + 1;
        Some(Tag {
            name: body[..name_end].to_ascii_lowercase(),
            closes,
            attributes: body.get(name_end..end)?.trim_end_matches('/'),
            length,
        })
    }

    fn is_block(&self) -> bool {
        BLOCKS.binary_search(&self.name.as_str()).is_ok()
    }

    fn is_known(&self) -> bool {
        self.is_block() || INLINE.binary_search(&self.name.as_str()).is_ok()
    }

    /// The value of an attribute, quoted or not.
    fn attribute(&self, name: &str) -> Option<&'t str> {
        let mut rest = self.attributes.trim_start();
        while !rest.is_empty() {
            let end = rest.find(|c: char| c == '=' || c.is_whitespace()).unwrap_or(rest.len());
            let key = &rest[..end];
            rest = rest[end..].trim_start();
            let mut value = "";
            if let Some(after) = rest.strip_prefix('=') {
                let after = after.trim_start();
                let quote = after.chars().next().filter(|c| matches!(c, '"' | '\''));
                let (found, left) = match quote {
                    Some(quote) => after[1..].split_once(quote).unwrap_or((&after[1..], "")),
                    None => after.split_at(after.find(char::is_whitespace).unwrap_or(after.len())),
                };
                value = found;
                rest = left.trim_start();
            }
            if key.eq_ignore_ascii_case(name) {
                return Some(value);
            }
        }
        None
    }
}

/// An open block.
struct Open {
    name: String,
    /// How many items a list has so far.
    items: u32,
}

impl Open {
    fn is_list(&self) -> bool {
        matches!(self.name.as_str(), "ul" | "ol")
    }
}

/// The tag that is handed on. Lists and tables are laid out here, since the library leaves out text that stands
/// between their parts.
fn written(name: &str) -> &str {
    match name {
        "ul" | "ol" | "li" | "table" | "tr" => "div",
        other => other,
    }
}

#[derive(Default)]
struct Cleaner {
    out: String,
    open: Vec<Open>,
    /// Whether a cell stands in the row at hand.
    in_row: bool,
    /// The address of the open link, and where its text begins.
    link: Option<(String, usize)>,
    keep_lines: bool,
    emphasis: bool,
}

impl Cleaner {
    fn run(mut self, html: &str) -> String {
        // Without any block or break, line feeds are the only layout there is.
        self.keep_lines = !html.match_indices('<').any(|(at, _)| {
            Tag::read(&html[at..])
                .is_some_and(|tag| tag.is_block() || matches!(tag.name.as_str(), "br" | "hr"))
        });
        let mut rest = html;
        while let Some(at) = rest.find('<') {
            self.text(&rest[..at]);
            rest = &rest[at..];
            if let Some(comment) = rest.strip_prefix("<!--") {
                rest = comment.find("-->").map_or("", |end| &comment[end + 3..]);
            } else if let Some(declaration) = rest.strip_prefix("<!").or_else(|| rest.strip_prefix("<?")) {
                rest = declaration.find('>').map_or("", |end| &declaration[end + 1..]);
            } else if let Some(tag) = Tag::read(rest) {
                rest = &rest[tag.length..];
                if SILENT.contains(&tag.name.as_str()) && !tag.closes {
                    rest = skip_silent(rest, &tag.name);
                } else {
                    self.tag(&tag);
                }
            } else {
                self.out.push_str("&lt;");
                rest = &rest[1..];
            }
        }
        self.text(rest);
        self.close_link();
        self.out
    }

    fn text(&mut self, text: &str) {
        for c in text.chars() {
            match c {
                '\0' => {}
                '>' => self.out.push_str("&gt;"),
                '\n' if self.keep_lines => self.out.push_str("<br>"),
                _ => self.out.push(c),
            }
        }
    }

    fn tag(&mut self, tag: &Tag<'_>) {
        match (tag.name.as_str(), tag.closes) {
            ("br" | "hr", _) => self.out.push_str("<br>"),
            ("a", false) => {
                self.close_link();
                let address = tag.attribute("href").unwrap_or("").trim();
                if !address.is_empty() && !address.starts_with('#') && !address.starts_with("javascript:") {
                    self.link = Some((address.replace('>', "&gt;"), self.out.len()));
                }
            }
            ("a", true) => self.close_link(),
            ("b" | "strong" | "i" | "em" | "s" | "strike", closes) if self.emphasis => {
                let letter = match tag.name.as_str() {
                    "b" | "strong" => "b",
                    "i" | "em" => "i",
                    _ => "s",
                };
                let slash = if closes { "/" } else { "" };
                self.out.push_str(&format!("[{slash}{letter}]"));
            }
            ("img", false) => {
                let text =
                    tag.attribute("alt").filter(|alt| !alt.is_empty()).or_else(|| tag.attribute("src"));
                // Pictures inside the mail itself (`cid:`, `data:`) have no address that anyone could open.
                let text = text.filter(|text| !text.starts_with("data:") && !text.starts_with("cid:"));
                self.text(text.unwrap_or(""));
            }
            ("td" | "th", false) => {
                self.out.push_str(if self.in_row { " | " } else { "" });
                self.in_row = true;
            }
            ("td" | "th" | "tbody" | "thead", _) => {}
            (name, false) if tag.is_block() => {
                if name == "li" {
                    self.close_item();
                }
                self.in_row = false;
                if self.open.len() < DEEPEST {
                    self.out.push_str(&format!("<{}>", written(name)));
                    self.open.push(Open { name: name.to_owned(), items: 0 });
                } else {
                    self.out.push_str("<br>");
                }
                if name == "li" {
                    self.mark_item();
                }
            }
            (name, true) if tag.is_block() => {
                self.in_row = false;
                // An end without a beginning is no tag; ends that are missing come with the end of what is around.
                if let Some(at) = self.open.iter().rposition(|open| open.name == name) {
                    self.close_from(at);
                }
            }
            _ => {}
        }
    }

    fn close_from(&mut self, at: usize) {
        for open in self.open.drain(at..).rev() {
            self.out.push_str(&format!("</{}>", written(&open.name)));
        }
    }

    /// Ends the item that a new item of the same list follows.
    fn close_item(&mut self) {
        let list = self.open.iter().rposition(Open::is_list).map_or(0, |at| at + 1);
        if let Some(at) = self.open[list..].iter().position(|open| open.name == "li") {
            self.close_from(list + at);
        }
    }

    /// Writes what stands before an item: blanks by its depth, and a dash or its number.
    fn mark_item(&mut self) {
        let depth = self.open.iter().filter(|open| open.is_list()).count();
        (1..depth).for_each(|_| self.out.push_str("&nbsp;&nbsp;"));
        match self.open.iter_mut().rfind(|open| open.is_list()) {
            Some(list) if list.name == "ol" => {
                list.items = list.items.saturating_add(1);
                self.out.push_str(&format!("{}. ", list.items));
            }
            _ => self.out.push_str("- "),
        }
    }

    fn close_link(&mut self) {
        let Some((address, start)) = self.link.take() else { return };
        let text = self.out.get(start..).unwrap_or("").trim();
        let bare =
            address.strip_prefix("mailto:").or_else(|| address.strip_prefix("tel:")).unwrap_or(&address);
        if text.is_empty() {
            self.out.push_str(bare);
        } else if text.trim_end_matches('/') != bare.trim_end_matches('/') {
            self.out.push_str(&format!(" ({bare})"));
        }
    }
}

/// What follows the end tag of an element whose content is not text.
fn skip_silent<'t>(text: &'t str, name: &str) -> &'t str {
    let mut from = 0;
    while let Some(at) = text[from..].find("</") {
        let at = from + at;
        match Tag::read(&text[at..]) {
            Some(tag) if tag.name == name => return &text[at + tag.length..],
            _ => from = at + 2,
        }
    }
    ""
}

fn strip_tags(clean: &str) -> String {
    let mut out = String::with_capacity(clean.len());
    let mut rest = clean;
    while let Some(at) = rest.find(['<', '&']) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        if let Some((c, length)) = entity(rest) {
            out.push(c);
            rest = &rest[length..];
        } else if let Some(tag) = Tag::read(rest) {
            out.push(if tag.name == "br" || tag.is_block() { '\n' } else { ' ' });
            rest = &rest[tag.length..];
        } else {
            out.push_str(&rest[..1]);
            rest = &rest[1..];
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_tags_are_sorted() {
        assert!(BLOCKS.is_sorted() && INLINE.is_sorted());
    }

    #[test]
    fn attributes_are_read_in_every_spelling() {
        let tag = Tag::read("<a class=x HREF = 'a b' disabled title=\"t\">").unwrap();
        assert_eq!(tag.attribute("href"), Some("a b"));
        assert_eq!(tag.attribute("class"), Some("x"));
        assert_eq!(tag.attribute("disabled"), Some(""));
        assert_eq!(tag.attribute("title"), Some("t"));
        assert_eq!(tag.attribute("src"), None);
        assert!(Tag::read("< b>").is_none() && Tag::read("<b").is_none() && Tag::read("<3>").is_some());
    }

    #[test]
    fn only_known_tags_make_html() {
        assert!(looks_like_html("a<br>b") && looks_like_html("</P >"));
        assert!(
            !looks_like_html("1 < 2 > 0")
                && !looks_like_html("Ann <ann@example.com>")
                && !looks_like_html("<x>")
        );
    }

    #[test]
    fn stripping_tags_keeps_the_text() {
        assert_eq!(strip_tags("<p>a &amp; b</p>c < d"), "\na & b\nc < d");
    }
}
