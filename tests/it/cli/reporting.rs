//! `b2n report` as people run it: a folder that opens offline, made of a workspace alone.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::*;

/// Every file of a folder.
fn files(folder: &Path) -> BTreeMap<String, String> {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry"));
    let read = |path: &Path| std::fs::read_to_string(path).expect("UTF-8");
    entries.map(|entry| (entry.file_name().to_string_lossy().into_owned(), read(&entry.path()))).collect()
}

fn report(spec: &Path, args: &[&str]) -> Ran {
    // Nothing in the environment tells of any account.
    run(b2n().arg("report").arg(spec).args(args))
}

#[test]
fn a_report_is_made_of_the_workspace_alone_and_is_the_same_bytes_again() {
    let twins = Twins::start(&["--scale", "0.02", "--seed", "11", "--unthrottled"]);
    let (folder, spec) = example();
    provisioned(&twins, &spec);
    shows(&run(twins.b2n().arg("migrate").arg(&spec).args(FAST)), 0, &["every record is accounted for"]);
    drop(twins);

    let out = folder.path().join("acme.report");
    let ran = report(&spec, &[]);
    shows(&ran, 0, &["is accounted for", "report.html", "company: ", " created + "]);
    let first = files(&out);
    assert!(first.contains_key("report.json") && first.contains_key("id-map.csv"), "{:?}", first.keys());
    shows(&report(&spec, &[]), 0, &["report.html"]);
    assert_eq!(files(&out), first, "the same workspace, another report");

    // Every number of an equation is the length of the file that it names.
    let data: Json = serde_json::from_str(&first["report.json"]).expect("json");
    assert_eq!((&data["format"], &data["version"]), (&"b2n-report/1".into(), &1.into()));
    let mut lists = 0;
    for row in data["rows"].as_array().expect("rows") {
        let ends = row["ends"].as_array().expect("ends");
        let sum: u64 = ends.iter().map(|end| end["records"].as_u64().expect("a number")).sum();
        assert_eq!(row["source"].as_u64(), Some(sum), "{row}");
        for end in ends {
            let Some(file) = end["list"].as_str() else { continue };
            let mut reader = csv::ReaderBuilder::new().from_reader(first[file].as_bytes());
            assert_eq!(Some(reader.records().count() as u64), end["records"].as_u64(), "{file}");
            lists += 1;
        }
    }
    assert!(lists >= 3, "{data}");
    let page = &first["report.html"];
    // Addresses that records hold are text.
    for asks in ["href=\"http", "href=\"//", "src=", "<script", "<link", "@import", "url("] {
        assert!(!page.contains(asks), "{asks}");
    }

    // Another folder, hashed, with marks: not a word of a person's is in it.
    let hidden = folder.path().join("hidden");
    let hidden_arg = hidden.display().to_string();
    shows(&report(&spec, &["--hash-values", "--bom", "-o", &hidden_arg]), 0, &["hidden"]);
    let hashed = files(&hidden);
    assert!(hashed.iter().all(|(name, text)| !name.ends_with(".csv") || text.starts_with('\u{feff}')));
    let sample: Json = data["sample"].clone();
    let values: Vec<&str> = sample
        .as_array()
        .expect("a sample")
        .iter()
        .flat_map(|record| record["fields"].as_array().expect("fields"))
        .filter_map(|field| field["there"].as_str())
        // What is long enough to be somebody's, and no number.
        .filter(|value| value.chars().filter(|c| c.is_alphabetic()).count() > 12)
        .collect();
    assert!(values.len() > 10, "{sample}");
    for (name, text) in &hashed {
        for value in values.iter().filter(|value| !value.contains(" / ")) {
            assert!(!text.contains(*value), "`{value}` stands in {name}");
        }
    }

    // What is no report stays as it is.
    let mine = folder.path().join("mine");
    std::fs::create_dir(&mine).expect("a folder");
    std::fs::write(mine.join("notes.txt"), "mine").expect("writes");
    let mine_arg = mine.display().to_string();
    shows(&report(&spec, &["-o", &mine_arg]), 2, &["holds something that is no report", "--force"]);
    assert_eq!(files(&mine).len(), 1);
    shows(&report(&spec, &["-o", &mine_arg, "--force"]), 0, &[]);
    assert_eq!(files(&mine)["notes.txt"], "mine");
    // And stays once it lies in a report, while lists that are empty by now go.
    std::fs::write(out.join("signed.txt"), "signed").expect("writes");
    let stale = first["report.json"].replacen("\"lists\": [", "\"lists\": [{\"file\": \"99-old.csv\"},", 1);
    std::fs::write(out.join("report.json"), stale).expect("writes");
    std::fs::write(out.join("99-old.csv"), "old").expect("writes");
    shows(&report(&spec, &[]), 0, &[]);
    let again = files(&out);
    assert!(again.contains_key("signed.txt") && !again.contains_key("99-old.csv"), "{:?}", again.keys());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: &Path| std::fs::metadata(path).expect("is there").permissions().mode() & 0o077;
        assert_eq!((mode(&hidden), mode(&hidden.join("report.html"))), (0, 0));
    }
}

#[test]
fn a_report_before_anything_was_done_says_so() {
    let (_folder, spec) = example();
    shows(&report(&spec, &[]), 2, &["does not exist", "b2n extract"]);
    let twins = Twins::start(&["--scale", "0.01", "--seed", "3", "--unthrottled"]);
    shows(&run(twins.b2n().arg("extract").arg(&spec)), 0, &[]);
    shows(&report(&spec, &[]), 1, &["Nothing stands in the destination", "b2n migrate"]);
    let ran = report(&spec, &["--format", "json"]);
    assert_eq!(ran.code, 1);
    let told: Json = serde_json::from_str(&ran.out).expect("json");
    assert_eq!(told["verdict"]["outcome"], "nothing");
}

/// RFC 4180 as a reader of its own, which shares nothing with the writer: rows of cells, and whether a cell was quoted.
#[track_caller]
fn cells(text: &str) -> Vec<Vec<String>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (mut rows, mut row, mut cell) = (Vec::new(), Vec::new(), String::new());
    let mut chars = text.chars().peekable();
    let mut quoted = false;
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                cell.push('"');
            }
            '"' if quoted => quoted = false,
            '"' => {
                assert!(cell.is_empty(), "a quote within a cell that has none around it: {cell}");
                quoted = true;
            }
            ',' if !quoted => row.push(std::mem::take(&mut cell)),
            '\r' if !quoted => {
                assert_eq!(chars.next(), Some('\n'), "a lone CR outside of quotes");
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
            }
            '\n' if !quoted => panic!("a lone LF outside of quotes"),
            c => cell.push(c),
        }
    }
    assert!(!quoted && cell.is_empty() && row.is_empty(), "it ends in the middle of a row");
    rows
}

#[test]
fn what_people_typed_comes_back_out_of_every_list_and_is_no_formula() {
    let hostile = [
        "=cmd|' /C calc'!A0",
        "+1",
        "-1+1",
        "@SUM(A1:A9)",
        "\t=1+1 after a tab",
        "\r=1+1 after a return",
        "two\r\nlines\n=1",
        "\"quoted\", and; \"\"more\"",
        "report\u{202e}gnp.exe",
        "\u{202e}=1+1",
        "\u{feff}=1+1",
        "  =1+1",
        "Насосы «Север», 株式会社 👩‍👩‍👧‍👦",
        "',=',",
    ];
    let twins = Twins::start(&["--scale", "0.003", "--seed", "31", "--unthrottled"]);
    let mut kept = Vec::new();
    for text in hostile {
        for (kind, field) in [("company", "TITLE"), ("deal", "TITLE")] {
            let fields = serde_json::json!({field: text, "COMMENTS": text});
            let made = super::delta::portal(
                &twins,
                &format!("crm.{kind}.add"),
                &serde_json::json!({"fields": fields}),
            );
            assert!(made["result"].as_i64().is_some(), "{made}");
            let get = serde_json::json!({"id": made["result"]});
            let got = super::delta::portal(&twins, &format!("crm.{kind}.get"), &get);
            // The portal may trim what it takes; what it holds is what has to arrive in the lists.
            kept.push(got["result"][field].as_str().expect("a title").to_owned());
        }
    }
    let (folder, spec) = example();
    provisioned(&twins, &spec);
    let ran = run(twins.b2n().arg("migrate").arg(&spec).args(FAST));
    assert!(matches!(ran.code, 0 | 1), "{}", ran.all());
    let ran = run(twins.b2n().arg("reconcile").arg(&spec).args(["--rate", "5000"]));
    assert!(matches!(ran.code, 0 | 1), "{}", ran.all());

    for (name, args) in [("plain", &[][..]), ("marked", &["--bom"])] {
        let out = folder.path().join(name);
        let shown = out.display().to_string();
        let ran = report(&spec, &[&["-o", shown.as_str()], args].concat());
        assert!(matches!(ran.code, 0 | 1), "{}", ran.all());
        let files = files(&out);
        let data: Json = serde_json::from_str(&files["report.json"]).expect("json");
        let (mut held, mut guarded) = (std::collections::BTreeSet::new(), 0u32);
        for list in data["lists"].as_array().expect("lists") {
            let file = list["file"].as_str().expect("a file");
            let text = &files[file];
            assert_eq!(text.starts_with('\u{feff}'), name == "marked", "{file}");
            let rows = cells(text);
            // Another reader reads the same.
            let body = text.strip_prefix('\u{feff}').unwrap_or(text);
            let mut other = csv::ReaderBuilder::new().has_headers(false).from_reader(body.as_bytes());
            let other: Vec<Vec<String>> =
                other.records().map(|row| row.expect("a row").iter().map(str::to_owned).collect()).collect();
            assert_eq!(rows, other, "{file}");
            assert_eq!(rows.len() as u64 - 1, list["rows"].as_u64().expect("a number"), "{file}");
            for (at, row) in rows.iter().enumerate().skip(1) {
                let first = &list["first"][at - 1];
                for (cell, value) in row.iter().enumerate().map(|(index, cell)| (cell, &first[index])) {
                    let seen = cell.trim_start_matches(|c: char| {
                        c.is_whitespace() || c.is_control() || matches!(c, '\u{feff}' | '\u{202e}')
                    });
                    let number = cell.parse::<f64>().is_ok() && !cell.starts_with('+');
                    assert!(!seen.starts_with(['=', '+', '-', '@']) || number, "{file}: {cell:?}");
                    assert!(!cell.starts_with(['\t', '\r', '\n']), "{file}: {cell:?}");
                    held.insert(cell.clone());
                    guarded += u32::from(cell.starts_with('\'') && seen.len() > 1);
                    // The report's own JSON says what the value is; the guard is one apostrophe, or nothing.
                    let Some(value) = value.as_str() else { continue };
                    let bare = cell.strip_prefix('\'').filter(|bare| *bare == value).unwrap_or(cell);
                    assert_eq!(bare, value, "{file}");
                }
            }
        }
        // Records are drawn, so that not every title stands somewhere; enough do that the above says something.
        let stands = |text: &&String| held.iter().any(|cell| cell.contains(text.trim()));
        let found: std::collections::BTreeSet<&String> = kept.iter().filter(stands).collect();
        assert!(found.len() >= 8 && guarded >= 3, "{guarded} guarded cells, and of the titles {found:?}");
    }
}
