//! Files against a portal that serves them: what is downloaded is what it holds, or the reason is said without a link.

use std::collections::{BTreeMap, BTreeSet};

use b2n::lang::types::Base;
use b2n::lang::value::Value;
use b2n::run::connect::{self, FileAt, Got};
use b2n::run::twin::bitrix24::{Fault, FaultKind, Trigger, file_content};

use crate::cli::{Twins, example, run, shows};
use crate::extraction::Rig;
use crate::streams;
use crate::world::DieAt;

const LINKS: [&str; 4] = ["crm.controller.item.getfile", "download", "disk.uf", "catalog.product.download"];

/// Every file that staged records name.
fn named(rig: &Rig) -> Vec<FileAt> {
    let schema = rig.run(&DieAt::default(), async |source, _| Ok(source.schema("salt").await?));
    let schema = schema.expect("a schema");
    let objects = streams::all();
    rig.extract(&objects, &DieAt::default()).expect("extracts");
    let mut out = Vec::new();
    for object in &schema.objects {
        let slots = object.fields.iter().enumerate().filter(|(_, field)| field.ty.base == Base::File);
        let slots: Vec<(usize, &str)> = slots.map(|(slot, field)| (slot, field.name.as_str())).collect();
        let decode = connect::decoder("bitrix24", &schema, &object.name).expect("a decoder");
        for (key, json) in rig.staged(&object.name) {
            let record = decode.decode(json.to_string().as_bytes()).expect("decodes");
            for (slot, field) in &slots {
                let ids: Vec<String> = match &record[*slot] {
                    Value::Absent => Vec::new(),
                    Value::List(items) => items.iter().map(|item| item.to_text().into_owned()).collect(),
                    one => vec![one.to_text().into_owned()],
                };
                out.extend(ids.into_iter().map(|file| FileAt {
                    object: object.name.clone(),
                    key: key.to_string(),
                    field: (*field).to_owned(),
                    file,
                }));
            }
        }
    }
    out
}

/// Some of each object and field.
fn some(all: &[FileAt]) -> Vec<FileAt> {
    let mut seen: BTreeMap<(String, String), usize> = BTreeMap::new();
    let few = |at: &&FileAt| {
        let count = seen.entry((at.object.clone(), at.field.clone())).or_default();
        *count += 1;
        *count <= 6
    };
    all.iter().filter(few).cloned().collect()
}

fn ask(rig: &Rig, files: &[FileAt]) -> Vec<Got> {
    let asked = rig.run(&DieAt::default(), async |source, _| {
        let mut out = Vec::new();
        for at in files {
            out.push(source.file(at).await?);
        }
        Ok(out)
    });
    asked.unwrap_or_else(|error| panic!("{error}"))
}

fn holds(at: &FileAt, got: &Got) {
    match got {
        Got::Bytes { name, body } => {
            let id: i64 = at.file.parse().expect("an id");
            assert!(*body == file_content(id), "{at:?}: {} bytes", body.len());
            assert_eq!(name.as_deref(), Some(format!("file {id}.bin").as_str()));
        }
        Got::Broken(why) => panic!("{at:?}: {why}"),
    }
}

#[test]
fn a_file_is_downloaded_whole_or_the_reason_is_said() {
    let rig = Rig::new(streams::portal(0.12, 7), 1);
    let all = named(&rig);
    let files = some(&all);
    let kinds: BTreeSet<&str> = files.iter().map(|at| at.object.as_str()).collect();
    println!("{} files of {kinds:?}", all.len());
    for object in ["activity", "comment", "company", "contact", "product", "task"] {
        assert!(kinds.contains(object), "no file of `{object}`: {kinds:?}");
    }
    for (at, got) in files.iter().zip(ask(&rig, &files)) {
        holds(at, &got);
    }
    assert_eq!(rig.portal.log().refused_rate, 0);
    let on_links = |when: Trigger, kind: FaultKind| {
        rig.spoil(LINKS.map(|link| Fault::new(when, kind.clone()).on(link)).to_vec());
    };
    // What passes: an expired link, a page in its place, a cut body, a busy or broken server.
    for kind in [
        FaultKind::Html(403),
        FaultKind::Html(404),
        FaultKind::Html(200),
        FaultKind::Html(502),
        FaultKind::CutBody,
        FaultKind::ServerError,
        FaultKind::RateLimit,
    ] {
        on_links(Trigger::Every(3), kind);
        for (at, got) in files.iter().zip(ask(&rig, &files)) {
            holds(at, &got);
        }
    }
    // What stays is told, and tells no link.
    for (kind, word) in
        [(FaultKind::Html(403), "403"), (FaultKind::Html(404), "404"), (FaultKind::Html(200), "a page came")]
    {
        on_links(Trigger::From(1), kind);
        for (at, got) in files.iter().zip(ask(&rig, &files)) {
            let Got::Broken(why) = got else { panic!("{at:?} came") };
            assert!(why.contains(word), "{why}");
            assert!(!["token", "auth", "secret", "://"].iter().any(|part| why.contains(part)), "{why}");
        }
    }
    // A record that was deleted meanwhile, and a file that it never had.
    rig.spoil(Vec::new());
    for object in ["company", "comment", "task", "product", "call"] {
        let (key, file, field) = ("99999999".to_owned(), "77777777".to_owned(), "DETAIL_PICTURE".to_owned());
        let at = FileAt { object: object.to_owned(), key, field, file };
        assert!(matches!(&ask(&rig, std::slice::from_ref(&at))[..], [Got::Broken(_)]), "{object}");
    }
}

#[test]
fn a_folder_holds_every_file_once_and_goes_on() {
    let twins = Twins::start(&["--scale", "0.05", "--seed", "3", "--unthrottled"]);
    let (folder, spec) = example();
    let place = folder.path().join("files");
    let extract = |more: &[&str]| {
        let mut command = twins.b2n();
        command.arg("extract").arg(&spec).args(more);
        run(&mut command)
    };
    shows(&extract(&[]), 0, &["none of them downloaded", "--files FOLDER"]);
    let download = || extract(&["--files", place.to_str().expect("a path")]);
    let first = download();
    shows(&first, 0, &["files:", "asked for now"]);
    let ledger = std::fs::read_to_string(place.join("ledger.ndjson")).expect("a ledger");
    let mut contents = BTreeSet::new();
    for line in ledger.lines() {
        let line: serde_json::Value = serde_json::from_str(line).expect("json");
        assert_eq!(line["state"], "stored", "{line}");
        let path = line["path"].as_str().expect("a path");
        let held = std::fs::read(place.join(path)).expect("a content");
        let id: i64 = line["file"].as_str().expect("an id").parse().expect("a number");
        assert!(held == file_content(id) && line["bytes"] == held.len(), "{line}");
        if !held.is_empty() {
            contents.insert(path.to_owned());
        }
    }
    assert!(ledger.lines().count() > 2, "{ledger}");
    for text in [&ledger, &first.all()] {
        assert!(!text.contains("token") && !text.contains("secret"), "{text}");
    }
    shows(&download(), 0, &["0 asked for now"]);
    // What somebody cut or took away is asked for again, and nothing else.
    let lost = place.join(contents.first().expect("one"));
    std::fs::write(&lost, b"").or_else(|_| std::fs::remove_file(&lost)).expect("is cut");
    let again = download();
    shows(&again, 0, &["asked for now"]);
    assert!(!again.all().contains(" 0 asked for now"), "{}", again.all());
    assert_eq!(std::fs::read_to_string(place.join("ledger.ndjson")).expect("a ledger"), ledger);
}
