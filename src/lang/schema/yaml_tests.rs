use proptest::prelude::*;

use super::*;

fn text(text: &str) -> SourceText {
    SourceText::new("schema/x.yaml", text)
}

fn message(yaml: &str) -> String {
    parse(&text(yaml)).map(|_| ()).map_err(|f| f[0].message.clone()).unwrap_err()
}

#[test]
fn a_billion_laughs_are_not_heard() {
    let mut bomb = "a: &a [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n".to_owned();
    for (name, last) in ('b'..='i').zip('a'..='h') {
        bomb.push_str(&format!("{name}: &{name} [{}]\n", vec![format!("*{last}"); 9].join(", ")));
    }
    assert_eq!(message(&bomb), "anchors and aliases are not read");
    for hidden in [
        "--- &a b\n",
        "? &a b\n",
        "- - *a\n",
        "{\"a\":*b}",
        "a: 'x''y' &b\n",
        "a: [b, *c]\n",
        "a:\r  *b\n",
        ":': *a: ",
        "{?*a : b}",
    ] {
        assert_eq!(message(hidden), "anchors and aliases are not read", "{hidden}");
    }
    for hidden in ["[a\n 'b, *x ,']\n", "a: 'b\n  c'\n"] {
        assert_eq!(message(hidden), "a text that does not end on its line is not read", "{hidden}");
    }
    // What the look-over does not see, the bound on nodes stops.
    let tree = Build::new(&text(&bomb), None).run(&text(&bomb));
    assert!(tree.is_err());
}

#[test]
fn nesting_is_bounded_however_it_is_written() {
    for deep in [
        "[".repeat(1_000_000),
        "{a: ".repeat(500_000),
        "- ".repeat(1_000_000),
        "? ".repeat(1_000_000),
        "[".repeat(1_000_000) + &"]".repeat(1_000_000),
        (0..2000).map(|n| format!("{}a:\n", " ".repeat(n))).collect(),
    ] {
        assert_eq!(message(&deep), "nested deeper than 32 levels", "{}", &deep[..20]);
    }
    assert!(parse(&text(&" ".repeat(MAX_BYTES + 1))).is_err());
}

#[test]
fn places_count_bytes_and_lines_as_files_do() {
    let source = text("a: Привет\r\nб: [x, {в: 1}]\r\n");
    let tree = parse(&source).unwrap();
    let Kind::Map(entries) = &tree.kind else { panic!("not a map") };
    assert_eq!(source.slice(locate(&source, entries[1].0.id)), "б");
    let Kind::List(items) = &entries[1].1.kind else { panic!("not a list") };
    let Kind::Map(inner) = &items[1].kind else { panic!("not a map") };
    assert_eq!(source.slice(locate(&source, inner[0].0.id)), "в");
    assert_eq!(source.slice(locate(&source, inner[0].1.id)), "1");
}

#[test]
fn doubled_keys_are_told_with_both_lines() {
    let findings = parse(&text("a: 1\nb:\n  c: 1\n  \"c\": 2\na: 2\n")).unwrap_err();
    let told: Vec<_> = findings.iter().map(|f| f.message.as_str()).collect();
    assert_eq!(told, ["key `c` stands twice: on lines 3 and 4", "key `a` stands twice: on lines 1 and 5"]);
}

#[test]
fn broken_yaml_is_told_with_its_place() {
    assert_eq!(
        message("a: 1\n b: 2\n"),
        "broken YAML on line 2, column 3: mapping values are not allowed in this context"
    );
    assert!(message("a: 1\n---\nb: 1\n").contains("more than one document"));
    assert_eq!(message("a: |\n  b\n"), "texts in block form are not read");
    assert_eq!(message("a: !x b\n"), "YAML tags are not read");
}

proptest! {
    #[test]
    fn any_text_is_quoted_so_that_it_is_read_back(values in proptest::collection::vec(any::<String>(), 1..4), key: String) {
        let mut writer = Writer::default();
        writer.open(0, &key);
        for value in &values {
            writer.item();
            writer.text(1, &key, value);
            writer.item();
            writer.element(1, value);
        }
        let source = text(&writer.finish());
        let tree = parse(&source).map_err(|f| TestCaseError::fail(format!("{f:?} in {}", source.text())))?;
        let Kind::Map(entries) = &tree.kind else { panic!("not a map") };
        prop_assert_eq!(&entries[0].0.text, &key);
        let Kind::List(items) = &entries[0].1.kind else { panic!("not a list") };
        for (pair, value) in items.chunks(2).zip(&values) {
            let Kind::Map(inner) = &pair[0].kind else { panic!("not a map") };
            prop_assert!(matches!(&inner[0].1.kind, Kind::Text(text) if text == value));
            prop_assert!(matches!(&pair[1].kind, Kind::Text(text) if text == value));
        }
    }

    #[test]
    fn no_text_breaks_the_reader(text_ in "[-?:,\\[\\]{}&*!|>'\"%@#a\\\\ \\n\\r\\t\u{85}\u{2028}1.]{0,60}") {
        let source = text(&text_);
        if let Err(findings) = parse(&source) {
            for finding in findings {
                let span = finding.label.map(|l| l.span).unwrap_or_default();
                prop_assert!(source.text().get(span.range()).is_some());
            }
        }
    }

    #[test]
    fn what_the_look_over_passes_holds_no_alias(text_ in "([-?:,\\[\\]{}'\"#a \\n]|\\*a|&a|: |- |, ){0,30}") {
        if scan(&text_).is_ok() {
            let anchors = serde_yaml::Deserializer::from_str(&text_);
            let error = NodeSeed(&mut Build::new(&text(&text_), None)).deserialize(anchors).err();
            prop_assert!(!error.is_some_and(|e| e.to_string().contains("unknown anchor")), "{text_:?}");
        }
    }
}

#[test]
fn long_keys_are_read_back() {
    let key = "ключ ".repeat(700);
    let mut writer = Writer::default();
    writer.item();
    writer.text(1, &key, "v");
    writer.item();
    writer.open(1, &key);
    writer.raw(2, "a", "1");
    let tree = parse(&text(&writer.finish())).unwrap();
    let Kind::List(items) = &tree.kind else { panic!("not a list") };
    for item in items {
        assert!(matches!(&item.kind, Kind::Map(entries) if entries[0].0.text == key));
    }
}

#[test]
fn bare_words_stay_bare() {
    for word in ["enum(SOURCE)?", "text(100)", "Продажи", "UF_CRM_1", "acme.bitrix24.com", "text?"] {
        assert_eq!(scalar(word), word);
    }
    for (word, quoted) in
        [("0", "\"0\""), ("Y", "\"Y\""), ("", "\"\""), ("[text]", "\"[text]\""), ("a: b", "\"a: b\"")]
    {
        assert_eq!(scalar(word), quoted);
    }
}
