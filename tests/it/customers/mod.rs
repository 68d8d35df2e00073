//! The further example customers: their specs use the standard profile, check without findings, and stand on
//! snapshots of generated portals.

pub mod portals;

use std::path::PathBuf;
use std::process::Command;

use b2n::lang::schema::{Schema, snapshot};
use b2n::lang::syntax;
use b2n::lang::text::SourceText;
use b2n::run::twin::bitrix24::Portal;
use b2n::run::twin::nutshell::Company;
use serde_json::Value as Json;

use crate::acme::{Line, account_snapshot, differences, portal_snapshot};
use crate::world::root;

/// An example: its folder, and what its snapshots were taken of.
struct Customer {
    name: &'static str,
    host: &'static str,
    admin: &'static str,
    portal: fn() -> Portal,
    account: fn() -> Company,
}

const CUSTOMERS: [Customer; 2] = [
    Customer {
        name: "podyom",
        host: "podyom.bitrix24.ru",
        admin: "galiev@podyom.example",
        portal: portals::podyom,
        account: portals::podyom_account,
    },
    Customer {
        name: "rebstock",
        host: "rebstock.bitrix24.de",
        admin: "greta@rebstock.example",
        portal: portals::rebstock,
        account: portals::rebstock_account,
    },
];

/// Set to write the snapshots instead of comparing them.
const TAKE: &str = "B2N_TAKE_SNAPSHOTS";

const SALT: &str = "91c64be0a3d2f785";

impl Customer {
    fn folder(&self) -> PathBuf {
        root().join("examples").join(self.name)
    }

    fn spec(&self) -> PathBuf {
        self.folder().join(format!("{}.b2n", self.name))
    }

    fn snapshot(&self, system: &str) -> PathBuf {
        self.folder().join(format!("schema/{system}.yaml"))
    }

    /// The program with these arguments and the spec; what it printed, both streams.
    fn run(&self, arguments: &[&str]) -> (bool, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_b2n"))
            .env_clear()
            .args(arguments)
            .arg(self.spec())
            .output()
            .expect("the binary runs");
        let text = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&text).into_owned())
    }
}

fn read(path: PathBuf) -> String {
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn the_snapshots_are_what_the_generated_portals_give() {
    for customer in &CUSTOMERS {
        let line = Line::of(customer.host, customer.admin);
        let today = [
            ("bitrix24", portal_snapshot(&line, (customer.portal)(), SALT)),
            ("nutshell", account_snapshot(&line, (customer.account)(), SALT)),
        ];
        for (system, today) in today {
            let path = customer.snapshot(system);
            let today = snapshot::write(&Schema { taken: Some(jiff::civil::date(2026, 11, 21)), ..today });
            if std::env::var_os(TAKE).is_some() {
                std::fs::create_dir_all(customer.folder().join("schema")).expect("a folder");
                std::fs::write(&path, &today).expect("the snapshot is written");
            }
            let committed = read(path.clone());
            assert!(
                committed == today,
                "{} is stale: run this test with {TAKE}=1\n{}",
                path.display(),
                differences(&committed, &today)
            );
        }
    }
}

#[test]
fn the_specs_check_without_a_finding() {
    for customer in &CUSTOMERS {
        let (fine, text) = customer.run(&["check", "--no-cache", "--deny-warnings"]);
        assert!(fine, "{}:\n{text}", customer.name);
    }
}

#[test]
fn the_specs_are_laid_out() {
    let specs = CUSTOMERS.iter().map(Customer::spec).chain([root().join("specs/standard.b2n")]);
    for path in specs {
        let text = SourceText::new(path.display().to_string(), read(path));
        let laid_out =
            syntax::format(&text).unwrap_or_else(|findings| panic!("{}: {findings:?}", text.name()));
        assert!(laid_out == text.text(), "{}: {}", text.name(), differences(text.text(), &laid_out));
    }
}

/// With the profile, a customer's own decisions fit on a page, comments and blank lines included.
#[test]
fn a_customer_of_the_profile_needs_less_than_sixty_lines() {
    let lines = read(CUSTOMERS[1].spec()).lines().count();
    assert!(lines < 60, "{lines} lines");
}

/// Every map of the profile counts somewhere, and no line of it is out of force for another reason than that this
/// portal or account lacks what the line names.
#[test]
fn no_line_of_the_profile_is_idle_without_a_reason() {
    for customer in &CUSTOMERS {
        let (fine, text) = customer.run(&["check", "--no-cache", "--explain-profile"]);
        assert!(fine, "{}:\n{text}", customer.name);
        let idle: Vec<&str> = text.lines().filter(|line| line.trim_start().starts_with("inactive")).collect();
        for line in &idle {
            let lacks =
                ["the source has no value", "the source has no object", "the destination has no value"];
            assert!(lacks.iter().any(|why| line.contains(why)), "{}: {line}", customer.name);
        }
        assert!(!idle.is_empty(), "the portals lack some of the vendor's values");
    }
}

/// A portal with everything in it and a spec that decides nothing but pipelines: what is not accounted for is what
/// people of that portal made.
#[test]
fn the_profile_accounts_for_every_standard_field() {
    let folder = tempfile::tempdir().expect("a folder");
    let acme = root().join("examples/acme");
    let own = read(acme.join("acme.b2n"));
    let pipelines: String = own
        .split_inclusive("\n}\n")
        .filter_map(|item| item.find("\npipeline ").map(|at| &item[at..]))
        .collect();
    std::fs::create_dir(folder.path().join("schema")).expect("a folder");
    for system in ["bitrix24", "nutshell"] {
        let name = format!("schema/{system}.yaml");
        std::fs::copy(acme.join(&name), folder.path().join(&name)).expect("a snapshot");
    }
    let spec = folder.path().join("bare.b2n");
    let head = "edition 2026\nsource bitrix24 \"schema/bitrix24.yaml\"\ntarget nutshell \"schema/nutshell.yaml\"\nzone \"Europe/Moscow\"\nuse \"standard\"\n\nowners {\n  match by email\n  otherwise  => \"ops@acme.example\"  flag \"owner not found\"\n}\n";
    std::fs::write(&spec, format!("{head}{pipelines}")).expect("a spec");
    let output = Command::new(env!("CARGO_BIN_EXE_b2n"))
        .env_clear()
        .args(["check", "--no-cache", "--format", "json"])
        .arg(&spec)
        .output()
        .expect("the binary runs");
    let report: Json = serde_json::from_slice(&output.stdout).expect("JSON");
    let files = report["files"].as_array().expect("files");
    let findings: Vec<&Json> =
        files.iter().filter_map(|file| file["findings"].as_array()).flatten().collect();
    let own = ["UF_", "PROPERTY_", "PARENT_ID_156", "process 1032"];
    let codes = [
        ("B2N-E0401", &own[..]),
        ("B2N-E0302", &["`market_of`", "`sources`", "`company_types`"]),
        ("B2N-E0306", &["`lead`"]),
        ("B2N-W104", &["`process 1032`"]),
        ("B2N-W302", &["standard"]),
    ];
    for finding in &findings {
        let (code, message) = (finding["code"].as_str(), finding["message"].as_str().unwrap_or_default());
        let known = codes
            .iter()
            .any(|(known, words)| code == Some(*known) && words.iter().any(|word| message.contains(word)));
        assert!(known, "{code:?} {message}");
    }
    assert!(findings.iter().any(|finding| finding["code"] == "B2N-E0401"), "the check went that far");
}

/// The vendor's own lists of fields, where they are at hand: each is read or dropped by name.
#[test]
fn the_profile_names_every_field_of_the_vendors_lists() {
    let Some(folder) = ["../shared/reference", "../../shared/reference"]
        .iter()
        .map(|path| root().join(path).join("bitrix24/fields"))
        .find(|path| path.is_dir())
    else {
        println!("skipped: the lists of fields are not here");
        return;
    };
    let profile = read(root().join("specs/standard.b2n"));
    // Items of the same source count together; where a portal's connector leaves a field out, it says why itself.
    for (object, left_out) in [
        // A Smart Process of the portal that the list was taken of.
        ("company", &["PARENT_ID_156"][..]),
        ("contact", &[]),
        ("deal", &[]),
        // Described, but returned by no list.
        ("lead", &["CONTACT_IDS"]),
        ("quote", &["ID"]),
        ("activity", &["WEBDAV_ELEMENTS"]),
        // The catalogue calls them DETAIL_TEXT and DETAIL_TEXT_TYPE.
        ("product", &["DESCRIPTION", "DESCRIPTION_TYPE"]),
        ("timeline.comment", &[]),
    ] {
        let list: Json =
            serde_json::from_str(&read(folder.join(format!("crm.{object}.fields.json")))).expect("JSON");
        let fields = list["result"].get("fields").unwrap_or(&list["result"]);
        let object = object.trim_start_matches("timeline.");
        let items: String = profile
            .split("\n}\n")
            .filter(|item| {
                ["map", "flatten", "split"].iter().any(|word| item.contains(&format!("\n{word} {object} ")))
            })
            .collect();
        let words: Vec<&str> = items.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').collect();
        let fields = fields.as_object().expect("an object of fields");
        assert!(fields.len() > 5, "{object}");
        for field in
            fields.keys().filter(|field| !field.starts_with("UF_") && !field.starts_with("PROPERTY_"))
        {
            assert!(
                words.contains(&field.as_str()) || left_out.contains(&field.as_str()),
                "{object}.{field} is not in the profile"
            );
        }
    }
}

/// What the checker lets pass, generated records do not break.
#[test]
fn generated_records_break_nothing() {
    for customer in &CUSTOMERS {
        let (fine, text) = customer.run(&["check", "--no-cache", "--fuzz", "200", "--seed", "7"]);
        assert!(fine && text.contains("found nothing"), "{}:\n{text}", customer.name);
    }
}

/// The whole move, on a fifth of the records.
#[test]
fn the_moves_can_be_rehearsed() {
    for customer in &CUSTOMERS {
        // Quarantined records, of which there are some, make it end with 1.
        let (_, text) = customer.run(&["rehearse", "--share", "0.2"]);
        assert!(text.contains("every record is accounted for"), "{}:\n{text}", customer.name);
    }
}

/// The document that the customer signs names every object and every pipeline.
#[test]
fn the_documents_can_be_made() {
    for (customer, words) in CUSTOMERS.iter().zip([
        &["process 1036", "process 1040", "Repairs", "Сдача инспекции"][..],
        &["Gastronomie", "Lieferhinweis", "Weinfest"],
    ]) {
        let (fine, text) = customer.run(&["doc"]);
        assert!(fine, "{}:\n{text}", customer.name);
        for word in words {
            assert!(text.contains(word), "{}: `{word}` is not in the document", customer.name);
        }
    }
}
