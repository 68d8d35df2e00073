//! The page as one HTML text: for the server, which tells it the records, or whole, for a file that opens offline.
//!
//! Whatever a record says is JSON in a block that no browser runs, with every `<` written otherwise.

use serde_json::{Value, json};

use crate::run::workspace::Said;

use super::{CHUNK, Sheet, words};

const STYLE: &str = include_str!("assets/review.css");
const SCRIPT: [&str; 3] =
    [include_str!("assets/words.js"), include_str!("assets/store.js"), include_str!("assets/page.js")];
const BODY: &str = include_str!("assets/body.html");

/// What a browser may do with the page that the server sends.
pub fn policy(nonce: &str) -> String {
    format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; connect-src 'self'; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
    )
}

/// The page of the server.
pub fn served(nonce: &str) -> String {
    html(nonce, "", "")
}

/// The page as a file: it needs no server, keeps what is said in the browser and gives it out as a file.
pub fn offline(sheet: &Sheet, said: &Said, now_ms: i64) -> String {
    let mut data = block("b2n-head", sheet.head());
    let spec = sheet.head()["spec"].as_str().unwrap_or_default();
    let text = words::export(&sheet.plan, spec, said, now_ms);
    let said: Value = serde_json::from_str(&text).unwrap_or_else(|_| json!({}));
    data.push_str(&block("b2n-said", &said));
    for from in (0..sheet.len()).step_by(CHUNK) {
        data.push_str(&block("b2n-records", &sheet.chunk(from)));
    }
    // No server makes a new one for each reader; what it guards against cannot know the hash of what it is part of.
    let nonce = blake3::hash(data.as_bytes()).to_hex().to_string();
    let policy = format!(
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; script-src 'nonce-{nonce}'; style-src \
         'nonce-{nonce}'; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'\">\n"
    );
    html(&nonce, &policy, &data)
}

fn block(name: &str, data: &Value) -> String {
    let text = data
        .to_string()
        .replace('<', "\\u003c")
        .replace('\u{2028}', "\\u2028")
        .replace('\u{2029}', "\\u2029");
    format!("<script type=\"application/json\" class=\"{name}\">{text}</script>\n")
}

fn html(nonce: &str, policy: &str, data: &str) -> String {
    let script = SCRIPT.join("\n");
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n{policy}<meta name=\"viewport\" \
         content=\"width=device-width, initial-scale=1\">\n<meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>b2n review</title>\n<style nonce=\"{nonce}\">\n{STYLE}</style>\n</head>\n<body>\n{BODY}{data}\
         <script nonce=\"{nonce}\">\n'use strict';\n(() => {{\n{script}\n}})();\n</script>\n</body>\n</html>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_asks_for_nothing_and_marks_nothing_up() {
        let page = served("n0nce");
        for sign in [
            "http:",
            "https:",
            "//cdn",
            "url(",
            "@import",
            " src=",
            "innerHTML",
            "outerHTML",
            "eval(",
            "document.write",
        ] {
            assert!(!page.contains(sign), "{sign}");
        }
        assert_eq!(page.matches("<script").count(), 1, "no asset ends the script early");
        assert!(page.contains("prefers-color-scheme") && !page.contains(" style="));
    }

    #[test]
    fn what_a_record_says_ends_no_block() {
        let text = block("x", &json!({"a": "</script><script>alert(1)</script><!--\u{2028}"}));
        assert_eq!((text.matches('<').count(), text.matches("</script>").count()), (2, 1), "{text}");
        let inside = text.split_once('>').expect("opens").1.trim_end().trim_end_matches("</script>");
        let read: Value = serde_json::from_str(inside).expect("is JSON");
        assert_eq!(read["a"], "</script><script>alert(1)</script><!--\u{2028}");
    }
}
