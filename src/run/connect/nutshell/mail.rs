//! The text of an e-mail (RFC 5322, 2045, 2047), and the marker in its `Message-ID`.
//!
//! `newEmail` takes a whole message and nothing else (sheet §4, §5). It is put together here and not by a library: the
//! libraries draw ids and boundaries from clock and chance, and the same record must give the same bytes in every run,
//! since the journal keeps their hash. What is written is small: a few headers, one text or two.
//!
//! Whoever calls gives values; nothing in them can begin a header of its own. Knows no records and sends nothing.

use super::client::base64;

/// Of a reserved top-level domain (RFC 2606): no mail server makes such ids.
const DOMAIN: &str = "b2n.invalid";
/// Of ids that are made of whatever text the source keeps threads by.
const THREADS: &str = "thread.b2n.invalid";
/// Header lines are folded at this length where they can be (RFC 5322 §2.1.1).
const LINE: usize = 76;
/// The longest line there may be, without its end.
const LONGEST: usize = 998;
/// Bytes of text in one encoded word: with its frame, and behind `Subject: `, it stays within a line.
const WORD: usize = 39;

/// What an e-mail says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Letter<'l> {
    /// As `Date:` has it.
    pub(super) date: String,
    pub(super) from: Vec<String>,
    pub(super) to: Vec<String>,
    pub(super) cc: Vec<String>,
    pub(super) subject: &'l str,
    pub(super) body: Option<String>,
    pub(super) html: Option<String>,
    /// The ids that the source knows: of this one, of the one that it answers, of those before.
    pub(super) former: Option<&'l str>,
    pub(super) answers: Option<&'l str>,
    pub(super) before: Vec<&'l str>,
}

impl Letter<'_> {
    /// The message with its marker in `Message-ID`.
    ///
    /// A message stands among its own references under its former id, so that those who answer it, and name that id,
    /// come into the same thread.
    pub(super) fn text(&self, marker: &str) -> String {
        let mut out = String::new();
        let mut header = |name: &str, values: &[String], between: &str| {
            if !values.is_empty() {
                out.push_str(name);
                out.push_str(": ");
                out.push_str(&values.join(between));
                out.push_str("\r\n");
            }
        };
        header("Date", std::slice::from_ref(&self.date), "");
        header("From", &self.from, ",\r\n ");
        header("To", &self.to, ",\r\n ");
        header("Cc", &self.cc, ",\r\n ");
        header("Subject", &subject(self.subject), "\r\n ");
        header("Message-ID", &[message_id(marker)], "");
        let answers: Vec<String> = self.answers.into_iter().flat_map(references).collect();
        header("In-Reply-To", &answers, "\r\n ");
        let former: Vec<String> = self.former.into_iter().flat_map(references).collect();
        let mut all: Vec<String> = Vec::new();
        let before = self.before.iter().flat_map(|text| references(text));
        for id in before.chain(answers).chain(former.clone()) {
            if !all.contains(&id) {
                all.push(id);
            }
        }
        header("References", &all, "\r\n ");
        header("X-Original-Message-ID", &former, "\r\n ");
        out.push_str("MIME-Version: 1.0\r\n");
        match (&self.body, &self.html) {
            (body, None) => out.push_str(&part("plain", body.as_deref().unwrap_or_default(), false)),
            (None, Some(html)) => out.push_str(&part("html", html, false)),
            (Some(body), Some(html)) => {
                // Encoded parts hold no line that begins as this one does.
                let boundary = format!("b2n-{}", &blake3::hash(marker.as_bytes()).to_hex()[..24]);
                out.push_str(&format!(
                    "Content-Type: multipart/alternative; boundary=\"{boundary}\"\r\n\r\n"
                ));
                for (kind, text) in [("plain", body), ("html", html)] {
                    out.push_str(&format!("--{boundary}\r\n{}\r\n", part(kind, text, true)));
                }
                out.push_str(&format!("--{boundary}--\r\n"));
            }
        }
        out
    }
}

/// Headers and content of one text.
fn part(kind: &str, text: &str, encoded: bool) -> String {
    let text = text.replace("\r\n", "\n").replace('\r', "\n").replace('\n', "\r\n");
    let plain = |line: &str| {
        line.len() <= LONGEST && line.bytes().all(|byte| byte == b'\t' || matches!(byte, b' '..=b'~'))
    };
    let (encoding, content) = if !encoded && text.split("\r\n").all(plain) {
        ("7bit", text)
    } else {
        let code = base64(text.as_bytes());
        // INVARIANT: base64 is ASCII, so that every byte is a place to cut.
        let lines: Vec<&str> =
            (0..code.len()).step_by(LINE).map(|at| &code[at..code.len().min(at + LINE)]).collect();
        ("base64", lines.join("\r\n"))
    };
    format!(
        "Content-Type: text/{kind}; charset=utf-8\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n{content}\r\n"
    )
}

/// The pieces of a subject, each for a line of its own; none for an empty one. A subject is one line, so that control
/// characters become blanks.
fn subject(text: &str) -> Vec<String> {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let text = text.trim();
    let plain =
        |word: &str| word.len() <= LONGEST / 2 && word.bytes().all(|byte| matches!(byte, b'!'..=b'~'));
    // A reader may drop blanks where a line was cut.
    let one_word = text.contains("=?") || text.contains("    ");
    if !one_word && text.split(' ').all(|word| word.is_empty() || plain(word)) {
        return folded(text);
    }
    let mut words = Vec::new();
    let mut piece = String::new();
    for c in text.chars() {
        if piece.len() + c.len_utf8() > WORD {
            words.push(std::mem::take(&mut piece));
        }
        piece.push(c);
    }
    words.push(piece);
    words.iter().map(|word| format!("=?utf-8?B?{}?=", base64(word.as_bytes()))).collect()
}

/// Cuts at single blanks, so that joined by blanks the lines are the text again.
fn folded(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if word.is_empty() || line.len() + 1 + word.len() <= LINE - 10 => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines.retain(|line| !line.is_empty());
    lines
}

/// Whether a text can stand as an address in a header as it is.
pub(super) fn is_address(text: &str) -> bool {
    let fine = |c: char| c.is_ascii_graphic() && !"<>()[],;:\\\"".contains(c);
    let sides = text.split_once('@');
    text.len() <= 320
        && text.chars().all(fine)
        && sides.is_some_and(|(local, host)| !local.is_empty() && !host.is_empty() && !host.contains('@'))
}

/// The id that carries a marker.
pub(super) fn message_id(marker: &str) -> String {
    format!("<{}@{DOMAIN}>", coded(marker))
}

/// The marker in an id that [`message_id`] made.
pub(super) fn marker(id: &str) -> Option<String> {
    let id = id.trim();
    let id = id.strip_prefix('<').unwrap_or(id);
    let id = id.strip_suffix('>').unwrap_or(id);
    let (local, domain) = id.rsplit_once('@')?;
    if !domain.eq_ignore_ascii_case(DOMAIN) {
        return None;
    }
    let mut bytes = Vec::with_capacity(local.len());
    let mut rest = local;
    while let Some(at) = rest.find('=') {
        bytes.extend(&rest.as_bytes()[..at]);
        let digits = rest.get(at + 1..at + 3)?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        rest = &rest[at + 3..];
    }
    bytes.extend(rest.as_bytes());
    String::from_utf8(bytes).ok().filter(|marker| !marker.is_empty())
}

/// A text as the left side of an id (RFC 5322 §3.6.4): letters, digits, `-`, `_`, `/`, dots between letters or digits;
/// every other byte as `=` and two digits.
fn coded(text: &str) -> String {
    let bytes = text.as_bytes();
    let alnum = |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_alphanumeric);
    let mut out = String::with_capacity(text.len());
    for (at, byte) in bytes.iter().enumerate() {
        let kept = byte.is_ascii_alphanumeric()
            || matches!(byte, b'-' | b'_' | b'/')
            || (*byte == b'.' && alnum(at.checked_sub(1)) && alnum(Some(at + 1)));
        if kept {
            out.push(char::from(*byte));
        } else {
            out.push_str(&format!("={byte:02X}"));
        }
    }
    out
}

/// The ids in a text of the source: several in angle brackets, or one. What is no id becomes one, so that a thread may
/// be kept by any text.
fn references(text: &str) -> Vec<String> {
    let parts: Vec<&str> = if text.contains('<') {
        text.split(|c: char| c.is_whitespace() || c == '<' || c == '>').collect()
    } else {
        vec![text]
    };
    let id = |part: &str| {
        let part = part.trim();
        match part.split_once('@') {
            _ if part.is_empty() => None,
            Some((local, domain))
                if !local.is_empty()
                    && !domain.is_empty()
                    && part.len() < LONGEST / 2
                    && part.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'<' && byte != b'>') =>
            {
                Some(format!("<{part}>"))
            }
            _ => {
                let mut code = coded(part);
                if code.len() > LONGEST / 2 {
                    code = blake3::hash(part.as_bytes()).to_hex()[..32].to_owned();
                }
                Some(format!("<{code}@{THREADS}>"))
            }
        }
    };
    parts.into_iter().filter_map(id).collect()
}

/// HTML with a last paragraph.
pub(super) fn with_paragraph(html: &str, text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let at = html.to_ascii_lowercase().rfind("</body>").unwrap_or(html.len());
    format!("{}\n<p>{text}</p>\n{}", &html[..at], &html[at..])
}

/// The lines of HTML as far as a marker's line needs them: each tag ends a line.
pub(super) fn lines_of(html: &str) -> String {
    let mut out = String::with_capacity(html.len());
    let mut inside = false;
    for c in html.chars() {
        match c {
            '<' => {
                inside = true;
                out.push('\n');
            }
            '>' if inside => inside = false,
            _ if inside => {}
            c => out.push(c),
        }
    }
    out.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MARKER: &str = "acme.bitrix24.com/activity/17";

    fn letter<'l>(subject: &'l str, body: &str) -> Letter<'l> {
        Letter {
            date: "Tue, 05 Mar 2024 07:00:00 +0000".to_owned(),
            from: vec!["ann@acme.example".to_owned()],
            to: vec!["hank@globex.example".to_owned(), "bill@initech.example".to_owned()],
            subject,
            body: Some(body.to_owned()),
            ..Letter::default()
        }
    }

    #[test]
    fn a_plain_message_to_the_letter() {
        let letter = Letter {
            former: Some("<orig-2@mail.example>"),
            answers: Some("<orig-1@mail.example>"),
            before: vec!["deal 7"],
            ..letter("Your lair", "Dear Hank,\nthe moat is ready")
        };
        let expected = "Date: Tue, 05 Mar 2024 07:00:00 +0000\r\nFrom: ann@acme.example\r\n\
                        To: hank@globex.example,\r\n bill@initech.example\r\nSubject: Your lair\r\n\
                        Message-ID: <acme.bitrix24.com/activity/17@b2n.invalid>\r\n\
                        In-Reply-To: <orig-1@mail.example>\r\n\
                        References: <deal=207@thread.b2n.invalid>\r\n <orig-1@mail.example>\r\n <orig-2@mail.example>\r\n\
                        X-Original-Message-ID: <orig-2@mail.example>\r\nMIME-Version: 1.0\r\n\
                        Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 7bit\r\n\r\n\
                        Dear Hank,\r\nthe moat is ready\r\n";
        assert_eq!(letter.text(MARKER), expected);
        assert_eq!(letter.text(MARKER), expected, "the same bytes each time");
    }

    #[test]
    fn other_alphabets_are_encoded_within_lines() {
        let text = letter("Счёт №42 на насосы и компрессоры, срочно", "Добрый день").text(MARKER);
        assert!(text.is_ascii());
        assert!(text.contains("Subject: =?utf-8?B?") && text.contains("?=\r\n =?utf-8?B?"), "{text}");
        assert!(text.contains("Content-Transfer-Encoding: base64"));
        assert!(text.lines().all(|line| line.len() <= 78), "{text}");
    }

    #[test]
    fn two_texts_are_alternatives() {
        let both = Letter { html: Some("<p>x</p>".to_owned()), ..letter("s", "x") };
        let text = both.text(MARKER);
        assert_eq!(text.matches("Content-Type: text/").count(), 2);
        let boundary = text.split("boundary=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("one");
        assert_eq!(text.matches(&format!("--{boundary}")).count(), 3);
    }

    #[test]
    fn addresses_that_break_headers_are_none() {
        assert!(is_address("o'hara+sales@x.example"));
        for text in ["", "ann", "@x", "ann@", "a b@x", "a@x\r\nBcc: b@y", "a@x,b@y", "<a@x>", "a@b@c", "ж@x"]
        {
            assert!(!is_address(text), "{text:?}");
        }
    }

    #[test]
    fn a_footer_in_html_is_read_back() {
        let html = with_paragraph("<html><body><p>Hi</p></body></html>", "[Bitrix24 a/b/1]");
        assert_eq!(html, "<html><body><p>Hi</p>\n<p>[Bitrix24 a/b/1]</p>\n</body></html>");
        assert!(lines_of(&html).lines().any(|line| line == "[Bitrix24 a/b/1]"));
    }

    /// Headers and content as a reader splits them.
    fn read(text: &str) -> (Vec<(String, String)>, String) {
        let (head, content) = text.split_once("\r\n\r\n").expect("an empty line");
        let mut headers: Vec<(String, String)> = Vec::new();
        for line in head.split("\r\n") {
            if line.starts_with(' ') {
                let (_, value) = headers.last_mut().expect("a header before");
                value.push_str(line);
            } else {
                let (name, value) = line.split_once(": ").expect("a header");
                headers.push((name.to_owned(), value.to_owned()));
            }
        }
        (headers, content.to_owned())
    }

    proptest! {
        #[test]
        fn every_marker_is_read_back(marker in "[a-zA-Zж0-9./# =@<>-]{1,40}") {
            let id = message_id(&marker);
            prop_assert!(id.is_ascii() && !id.contains(' '), "{id}");
            let back = super::marker(&id);
            prop_assert_eq!(back.as_deref(), Some(marker.as_str()));
        }

        #[test]
        fn nothing_begins_a_header_of_its_own(
            subject in "([a-zж:=? ]|\r\n|\n|\r|\t|Bcc: x){0,60}",
            ids in "([a-z<>@ж ]|\r\n|\n){0,30}",
            body in "([a-zж.]|\r\n|\n|\r|\0| ){0,80}",
        ) {
            let letter = Letter { answers: Some(&ids), former: Some(&ids), before: vec![&ids], ..letter(&subject, &body) };
            let text = letter.text(MARKER);
            let (headers, _) = read(&text);
            let known = ["Date", "From", "To", "Subject", "Message-ID", "In-Reply-To", "References",
                "X-Original-Message-ID", "MIME-Version", "Content-Type", "Content-Transfer-Encoding"];
            prop_assert!(headers.iter().all(|(name, _)| known.contains(&name.as_str())), "{text}");
            prop_assert!(text.is_ascii() && text.split("\r\n").all(|line| line.len() <= LONGEST), "{text}");
            prop_assert!(!text.replace("\r\n", "").contains(['\r', '\n']), "{text:?}");
        }

        #[test]
        fn a_plain_subject_unfolds_to_itself(subject in "[a-zA-Z.:-]{1,90}(  ?[a-z0-9.,:-]{1,20}){0,40}") {
            let text = letter(&subject, "x").text(MARKER);
            let (headers, _) = read(&text);
            let found = headers.iter().find(|(name, _)| name == "Subject").map(|(_, value)| value.as_str());
            prop_assert_eq!(found, Some(subject.as_str()));
        }
    }
}
