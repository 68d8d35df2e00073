//! Records through one map, by the code of the command.

use serde_json::Value as Json;

use super::*;
use crate::lang::check::{self, sample_schema};
use crate::lang::plan::Certificate;
use crate::lang::syntax;
use crate::lang::text::SourceText;

const SPEC: &str = r#"edition 2026
source bitrix24 "schema/bitrix24.yaml"
target nutshell "schema/nutshell.yaml"
owners {
  match by email
  otherwise  => "ops@acme.example"
}
map company -> Account as left {
  key ID
  name   <- TITLE
  owner  <- user(ASSIGNED_BY_ID)
  note "Comment"  <- COMMENTS
  drop INDUSTRY, PHONE, UF_CRM_1690000003, UF_CRM_OLD_REGION, UF_CRM_OLD_CODE declined "not in this test"
}
map company -> Account as right {
  key ID
  name   <- TITLE
  owner  <- user(ASSIGNED_BY_ID)
  drop COMMENTS, INDUSTRY, PHONE, UF_CRM_1690000003, UF_CRM_OLD_REGION, UF_CRM_OLD_CODE declined "not in this test"
}
split company {
  when TITLE == "elsewhere"  => right
  when TITLE == "listed"     => listed "look at it"
  otherwise                  => left
}
flatten process 1032 into left via PARENT_ID_4 {
  custom "Equipment"  text  <- "{count()}"  summarised because "no custom objects"
  note "{TITLE}"  <- UF_CRM_5_SERIAL  for each  summarised because "no custom objects"
  drop UF_CRM_5_PRICE, CREATED_TIME declined "not in this test"
  orphan  => skip "equipment without a company"
}
"#;

fn job(with: &[String], provenance: bool) -> Job {
    let (source, target) = (sample_schema::source(), sample_schema::target());
    let text = SourceText::new("sample.b2n", SPEC);
    let (tree, found) = syntax::parse(&text);
    let checked =
        check::check(&sample_schema::input(&tree, &text, (&source, &target), &check::broken(&found)));
    let told: Vec<String> = checked.findings.iter().map(|f| format!("{} {}", f.code, f.message)).collect();
    let plan = checked.plan.unwrap_or_else(|| panic!("{}", told.join("\n")));
    let certificate = Certificate::new(&plan, &text);
    let args = Args {
        spec: SpecArgs { spec: PathBuf::from("sample.b2n") },
        map: "left".to_owned(),
        with: with.to_vec(),
        provenance,
    };
    Job::new(Ready { plan, certificate, source, target }, &args).unwrap_or_else(|_| panic!("no job"))
}

fn lines(out: &[u8]) -> Vec<Json> {
    let text = String::from_utf8(out.to_vec()).expect("UTF-8");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[test]
fn splits_children_and_notes_come_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("items.ndjson");
    let items = [
        r#"{"ID":"10","TITLE":"Saw","PARENT_ID_4":"7","UF_CRM_5_SERIAL":"S-10","CREATED_TIME":"2024-01-01T00:00:00+03:00"}"#,
        r#"{"ID":"9","TITLE":"Drill","PARENT_ID_4":"7","UF_CRM_5_SERIAL":"S-9","CREATED_TIME":"2024-01-01T00:00:00+03:00"}"#,
        r#"{"ID":"11","TITLE":"Lost","PARENT_ID_4":"99","CREATED_TIME":"2024-01-01T00:00:00+03:00"}"#,
        r#"{"ID":"12","TITLE":"Alone","CREATED_TIME":"2024-01-01T00:00:00+03:00"}"#,
    ];
    std::fs::write(&file, items.join("\n")).expect("a file");
    let job = job(&[format!("process 1032={}", file.display())], false);
    let input = concat!(
        r#"{"ID":"7","TITLE":"Pumps","COMMENTS":"big"}"#,
        "\n\n",
        r#"{"ID":"8","TITLE":"elsewhere"}"#,
        "\n",
        r#"{"ID":"9","TITLE":"listed"}"#,
        "\nnot json\n"
    );
    let done = job.batch(&Batch { first: 1, lines: input.as_bytes().to_vec() });
    let shown = lines(&done.out);
    assert_eq!(shown.len(), 4);
    assert_eq!(shown[0]["fields"]["Equipment"], "2");
    // By their keys, nine before ten.
    let notes: Vec<(&str, &Json)> = shown[0]["notes"]
        .as_array()
        .expect("notes")
        .iter()
        .map(|n| (n["title"].as_str().unwrap(), &n["of"]))
        .collect();
    assert_eq!(notes, [("Comment", &Json::Null), ("Drill", &json!("9")), ("Saw", &json!("10"))]);
    assert_eq!(shown[1], json!({"outcome": "elsewhere", "maps": ["right"]}));
    assert_eq!((&shown[2]["outcome"], &shown[2]["reason"]), (&json!("listed"), &json!("look at it")));
    assert_eq!((&shown[3]["outcome"], &shown[3]["line"]), (&json!("unreadable"), &json!(5)));
    assert_eq!((done.held_back, done.arrived.as_slice()), (1, &["7".to_owned()][..]));

    let mut rest = Vec::new();
    let held = job.left_behind(&done.arrived.into_iter().collect(), &mut rest);
    let mut keys: Vec<String> = lines(&rest).iter().map(|line| line["key"].to_string()).collect();
    keys.sort();
    assert_eq!((held, keys), (0, vec!["\"11\"".to_owned(), "\"12\"".to_owned()]));
}

/// Equipment of two companies, and the companies.
fn folded_case(folder: &Path) -> (Vec<String>, Vec<u8>) {
    let file = folder.join("items.ndjson");
    let items = [
        r#"{"ID":"9","TITLE":"Drill","PARENT_ID_4":"7","UF_CRM_5_SERIAL":"S-9","CREATED_TIME":"2024-01-01T00:00:00+03:00"}"#,
        r#"{"ID":"10","TITLE":"Saw","PARENT_ID_4":"7","UF_CRM_5_SERIAL":"S-10","CREATED_TIME":"2024-01-01T00:00:00+03:00"}"#,
    ];
    std::fs::write(&file, items.join("\n")).expect("a file");
    let input = br#"{"ID":"7","TITLE":"Pumps","COMMENTS":"big"}"#.to_vec();
    (vec![format!("process 1032={}", file.display())], input)
}

#[test]
fn notes_and_folded_fields_tell_where_they_come_from() {
    let folder = tempfile::tempdir().expect("a folder");
    let (with, input) = folded_case(folder.path());
    let on = job(&with, true).batch(&Batch { first: 1, lines: input.clone() });
    let off = job(&with, false).batch(&Batch { first: 1, lines: input });
    let (mut on, off) = (lines(&on.out), lines(&off.out));
    let from = on[0].as_object_mut().expect("an object").shift_remove("from").expect("it tells");
    assert_eq!(on, off, "nothing else changes");
    let at = |text: &str| {
        let line = SPEC.lines().position(|line| line.contains(text)).expect("it is in the spec") + 1;
        json!([{"part": "rule", "at": format!("sample.b2n:{line}")}])
    };
    let expected = json!({
        "name": at("name   <- TITLE"),
        "owner": at("owner  <- user"),
        "Equipment": at("custom \"Equipment\""),
        "note \"Comment\"": at("note \"Comment\""),
        "note \"{TITLE}\"": at("note \"{TITLE}\""),
    });
    assert_eq!(from, expected);
}

/// What the plain interpreter takes, in the words of the command.
fn by_reference(job: &Job, record: &Record) -> Json {
    use crate::lang::eval::reference::{self, Taken};
    let plan = &job.plan;
    let mut from = serde_json::Map::new();
    for hit in reference::watched(plan, job.at, record, &[]).hits {
        let Some(id) = hit.rule else { continue };
        let rule = id.find(plan, job.at).expect("a rule");
        let mut told = json!({});
        if let (Some(inner), Expr::EachLine { columns, rules, .. }) = (hit.inner, &rule.value) {
            told["column"] = json!(columns[usize::from(rules[usize::from(inner)].target)].name);
        }
        let (part, row) = match hit.taken {
            Taken::Value => ("rule".to_owned(), None),
            Taken::Else(number) => (format!("else {}", number + 1), None),
            Taken::OnFail => ("on fail".to_owned(), None),
            Taken::Row(at, code) => ("row".to_owned(), Some((&plan.tables[usize::from(at)].name, code))),
            Taken::StageRow(at, code) => {
                ("stage".to_owned(), Some((&plan.pipelines[usize::from(at)].name, code)))
            }
        };
        told["part"] = json!(part);
        if let Some((of, code)) = row {
            (told["of"], told["code"]) = (json!(of), json!(code));
        }
        let (file, line) = plan.place(hit.line);
        told["at"] = json!(format!("{file}:{line}"));
        let field = id.target(plan, job.at).expect("a field");
        let list = from.entry(field).or_insert_with(|| json!([])).as_array_mut().expect("a list");
        if !list.contains(&told) {
            list.push(told);
        }
    }
    Json::Object(from)
}

#[test]
fn the_example_tells_what_the_plain_interpreter_takes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/acme");
    let mut parts = std::collections::BTreeSet::new();
    for map in ["company", "contact", "deal"] {
        let terminal = Terminal::detect(super::super::findings::Shape::Human, super::super::Colour::Auto);
        let spec = folder.join("acme.b2n");
        let Ok(project) = Project::load(&spec) else { panic!("the example loads") };
        let Ok(ready) = project.ready(&terminal) else { panic!("the example checks") };
        let args = Args { spec: SpecArgs { spec }, map: map.to_owned(), with: Vec::new(), provenance: true };
        let Ok(job) = Job::new(ready, &args) else { panic!("no job") };
        let input = std::fs::read(folder.join(format!("golden/{map}.in.ndjson"))).expect("golden records");
        let shown = lines(&job.batch(&Batch { first: 1, lines: input.clone() }).out);
        let records = input.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let mut told = 0;
        for (record, shown) in records.zip(&shown) {
            if shown["outcome"] != "record" {
                assert_eq!(shown["from"], Json::Null, "{map}");
                continue;
            }
            let record = job.decoder.decode(record).expect("a record");
            assert_eq!(shown["from"], by_reference(&job, &record), "{map}: {shown}");
            let from = shown["from"].as_object().expect("an object");
            for field in shown["fields"].as_object().expect("fields").keys() {
                assert!(from.contains_key(field), "{map}: nothing tells where `{field}` comes from");
            }
            let steps = from.values().filter_map(Json::as_array).flatten();
            parts.extend(steps.filter_map(|step| step["part"].as_str().map(str::to_owned)));
            told += 1;
        }
        assert!(told > 0, "{map}: no record is written");
    }
    for part in ["rule", "else 1", "row", "stage"] {
        assert!(parts.contains(part), "the example never tells of `{part}`: {parts:?}");
    }
}
