//! Tests of the room as a whole.

use std::path::PathBuf;

use crate::lang::finding::{Finding, registry};
use crate::lang::text::SourceText;

use super::{ast, parse};

fn read(text: &str) -> (ast::Spec, Vec<Finding>) {
    parse(&SourceText::new("a.b2n", text))
}

/// The findings as `code line:column message`.
fn told(text: &str) -> Vec<String> {
    let source = SourceText::new("a.b2n", text);
    let (_, findings) = parse(&source);
    findings.iter().map(|f| tell(&source, f)).collect()
}

fn tell(source: &SourceText, finding: &Finding) -> String {
    let place = finding.label.as_ref().map(|l| source.position(l.span.start));
    let place = place.map_or(String::new(), |p| format!("{}:{}", p.line, p.column));
    format!("{} {place} {}", &finding.code.as_str()[4..], finding.message)
}

/// The sample of the language; `None` where it is not at hand.
fn sample() -> Option<String> {
    for up in ["../shared", "../../shared"] {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(up).join("design/sample.b2n");
        if let Ok(text) = std::fs::read_to_string(path) {
            return Some(text);
        }
    }
    println!("skipped: the sample spec is not at hand");
    None
}

/// The sample's maps as items of their own, so that their lines are read too.
fn core_sample() -> Option<String> {
    sample().map(|text| text.replace("replace map", "map"))
}

#[test]
fn the_sample_has_only_what_is_not_read_yet() {
    let Some(sample) = core_sample() else { return };
    let source = SourceText::new("sample.b2n", sample);
    let (spec, findings) = parse(&source);
    for finding in &findings {
        assert_eq!(finding.code, registry::NOT_YET, "{}", tell(&source, finding));
    }
    let told: Vec<String> = findings.iter().map(|f| tell(&source, f)).collect();
    println!("{}", told.join("\n"));
    assert_eq!(told.len(), 18, "{told:#?}");
    assert_eq!(spec.items.len(), 16, "{:#?}", spec.items);
    let ast::Item::Map(company) = &spec.items[8] else { panic!("{:#?}", spec.items[8]) };
    assert_eq!(company.body.len(), 17, "{:#?}", company.body);
}

#[test]
fn scratch() {
    let base = "edition 2026\n";
    for text in [
        "",
        "# only\n# comments",
        "edition 2027",
        "zone \"X\"\nedition 2026",
        "map company -> Account {\n name <- TITLE else\n  phone <- PHONE.each(phone(\"US\") else \"x\"\n url <- WEB\n}\n",
        "map company Account {\n name TITLE\n kye ID\n drop A, B\n drop UF_* empty\n}\n",
        "pipeline sales : deal category 0 -> \"Sales\"\n  \"NEW\" stage \"Q\"\n \"A\" => \"Q\"\n \"B\", => won \"x\"\n _ unseen quarantine\n}",
        "owners {\n match by mail\n \"a\" -> \"b\"\n dismissed => \"x\" flag\n\nmap a -> B {\n key ID\n",
        "map a -> B {\n x <- A on fail unset else \"b\" when C\n x <- A when B when C\n y <- \"lone {x\n z <- `t\n w <- (a\n v <- [a, b\n key ID\n}\n}\n",
        "table t : enum(S) -> Lead.x {\n \"A\" => \"b\" merged because\n \"A\\q\" => 2027-13-45\n \"x{y}\" => 1500.00 USD\n}",
        "source bitrix24\ntraget x \"y\"\nfoo\nbar\nowners\nmap x -> Y {\n}",
        "map a -> B {\n x <- ref company(X).name.trim()\n y <- a.b.c\n z <- X = Y\n w <- “a”\n v <- TITLE trim()\n}",
        "{\n}\n}",
    ] {
        println!(
            "=== {text}\n--- {}",
            told(&format!("{}{text}", if text.contains("edition") || text.len() < 30 { "" } else { base }))
                .join("\n--- ")
        );
    }
}
