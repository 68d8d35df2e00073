//! The further example customers: their specs use the standard profile, check without findings, and stand on
//! snapshots of generated portals.

mod portals;

use std::path::PathBuf;
use std::process::Command;

use b2n::lang::schema::{Schema, snapshot};
use b2n::lang::syntax;
use b2n::lang::text::SourceText;
use b2n::run::twin::bitrix24::Portal;
use b2n::run::twin::nutshell::Company;

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
            let lacks = ["the source has no value", "the destination has no value"];
            assert!(lacks.iter().any(|why| line.contains(why)), "{}: {line}", customer.name);
        }
        assert!(!idle.is_empty(), "the portals lack some of the vendor's values");
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
