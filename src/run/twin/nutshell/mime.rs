//! Reads an e-mail as a mail program does (RFC 5322, 2045 to 2047): folded headers, encoded words, encoded and
//! multipart content. Plain functions over text; knows nothing of the account.

use super::base64;

/// An e-mail, taken apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// Names in lower case, values unfolded and with their encoded words read.
    pub headers: Vec<(String, String)>,
    pub text: Option<String>,
    pub html: Option<String>,
}

impl Message {
    /// Reads a whole message.
    pub fn read(source: &str) -> Message {
        let (headers, content) = split(&source.replace("\r\n", "\n"));
        let mut message = Message::default();
        message.take(&headers, &content, 0);
        message.headers = headers;
        for (_, value) in &mut message.headers {
            *value = words(value);
        }
        message
    }

    /// The first header of a name, which is given in lower case.
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    fn take(&mut self, headers: &[(String, String)], content: &str, depth: usize) {
        let header = |name: &str| {
            headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value.as_str())
        };
        let kind = header("content-type");
        let media = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        if media.starts_with("multipart/") && depth < 8 {
            let boundary = kind.split(';').skip(1).find_map(|part| part.trim().strip_prefix("boundary="));
            let Some(boundary) = boundary.map(|text| text.trim_matches('"')) else { return };
            let mark = format!("--{boundary}");
            let mut parts: Vec<String> = Vec::new();
            for line in content.split('\n') {
                match line.trim_end().strip_prefix(mark.as_str()) {
                    Some("--") => break,
                    Some("") => parts.push(String::new()),
                    _ => {
                        if let Some(part) = parts.last_mut() {
                            part.push_str(line);
                            part.push('\n');
                        }
                    }
                }
            }
            for part in parts {
                let (headers, content) = split(&part);
                self.take(&headers, &content, depth + 1);
            }
            return;
        }
        let text = decoded(header("content-transfer-encoding"), content);
        let text = text.replace("\r\n", "\n").trim_end().to_owned();
        match media.as_str() {
            "text/html" => _ = self.html.get_or_insert(text),
            "" | "text/plain" => _ = self.text.get_or_insert(text),
            _ => {}
        }
    }
}

/// Headers, unfolded and raw, and what follows the empty line.
fn split(text: &str) -> (Vec<(String, String)>, String) {
    let (head, content) = match text.strip_prefix('\n') {
        Some(content) => ("", content),
        None => text.split_once("\n\n").unwrap_or((text, "")),
    };
    let mut headers: Vec<(String, String)> = Vec::new();
    for line in head.lines() {
        match headers.last_mut() {
            Some((_, value)) if line.starts_with([' ', '\t']) => value.push_str(line),
            _ => {
                if let Some((name, value)) = line.split_once(':') {
                    headers.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
                }
            }
        }
    }
    (headers, content.to_owned())
}

fn decoded(encoding: &str, content: &str) -> String {
    let bytes = match encoding.trim().to_ascii_lowercase().as_str() {
        "base64" => {
            let code: String = content.chars().filter(|c| !c.is_whitespace()).collect();
            base64(&code).unwrap_or_default()
        }
        "quoted-printable" => quoted(&content.replace("=\n", ""), false),
        _ => return content.to_owned(),
    };
    String::from_utf8_lossy(&bytes).into_owned()
}

/// `=` and two digits are a byte; in headers `_` is a blank.
fn quoted(text: &str, in_header: bool) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let digits = text.get(text.len() - rest.len()..text.len() - rest.len() + 2);
        match (byte, digits.and_then(|digits| u8::from_str_radix(digits, 16).ok())) {
            (b'=', Some(byte)) => {
                bytes.push(byte);
                rest.nth(1);
            }
            (b'_', _) if in_header => bytes.push(b' '),
            _ => bytes.push(byte),
        }
    }
    bytes
}

/// A header with its encoded words read; blanks between two of them are none (RFC 2047 §6.2).
fn words(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    let mut after_word = false;
    while let Some(at) = rest.find("=?") {
        let Some((word, length)) = word(&rest[at..]) else {
            out.push_str(&rest[..at + 2]);
            rest = &rest[at + 2..];
            after_word = false;
            continue;
        };
        if !(after_word && rest[..at].trim().is_empty()) {
            out.push_str(&rest[..at]);
        }
        out.push_str(&word);
        rest = &rest[at + length..];
        after_word = true;
    }
    out.push_str(rest);
    out
}

/// One encoded word at the beginning of a text, and how long it is.
fn word(text: &str) -> Option<(String, usize)> {
    let mut parts = text.strip_prefix("=?")?.splitn(4, '?');
    let (charset, encoding, code, tail) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    if !tail.starts_with('=') || !charset.eq_ignore_ascii_case("utf-8") {
        return None;
    }
    let bytes = match encoding {
        "B" | "b" => base64(code)?,
        "Q" | "q" => quoted(code, true),
        _ => return None,
    };
    Some((String::from_utf8_lossy(&bytes).into_owned(), text.len() - tail.len() + 1))
}

/// The addresses of a header, as they are written: `Ann <ann@x.example>`.
pub fn mailboxes(list: &str) -> Vec<String> {
    let (mut found, mut quoted) = (vec![String::new()], false);
    for c in list.chars() {
        match c {
            ',' if !quoted => found.push(String::new()),
            c => {
                quoted ^= c == '"';
                if let Some(last) = found.last_mut() {
                    last.push(c);
                }
            }
        }
    }
    found.into_iter().map(|text| text.trim().to_owned()).filter(|text| text.contains('@')).collect()
}

/// The bare address of a mailbox, in lower case.
pub fn address(mailbox: &str) -> String {
    let inner = mailbox.rsplit_once('<').map_or(mailbox, |(_, rest)| rest);
    inner.trim().trim_end_matches('>').trim().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_message_is_read() {
        let text = "Subject: =?utf-8?B?0KHRh9GR0YI=?=\r\n =?UTF-8?Q?_=E2=84=96_42?= =?x?\r\nFrom: \"Orlova, S.\" <S@x.example>,\r\n\
                    \tb@y.example\r\nContent-Type: multipart/alternative; boundary=\"b 1\"\r\n\r\npreamble\r\n--b 1\r\n\
                    Content-Type: text/plain\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nD=C3=BCse=\r\n 7\r\n\
                    --b 1\r\nContent-Type: text/html\r\nContent-Transfer-Encoding: base64\r\n\r\nPHA+\r\neDwvcD4=\r\n--b 1--\r\nend\r\n";
        let message = Message::read(text);
        assert_eq!(message.header("subject"), "Счёт № 42 =?x?");
        assert_eq!(mailboxes(message.header("from")), ["\"Orlova, S.\" <S@x.example>", "b@y.example"]);
        assert_eq!(address("\"Orlova, S.\" <S@x.example>"), "s@x.example");
        assert_eq!((message.text.as_deref(), message.html.as_deref()), (Some("Düse 7"), Some("<p>x</p>")));
        let plain = Message::read("To: a@x\n\nHi\n");
        assert_eq!((plain.text.as_deref(), plain.html), (Some("Hi"), None));
        assert_eq!(Message::read("no headers"), Message { text: Some(String::new()), ..Message::default() });
    }
}
