//! Every fault in every phase in which it can strike, one at a time: a table that says of each cell what happens, or
//! why it cannot.
//!
//! A cell passes when its fault struck, the run ended or stopped with a cause by name, went on after what was wrong
//! was mended, and the twins' books are those of a run without faults.

#![cfg(debug_assertions)]

use std::cell::Cell as StdCell;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use b2n::run::engine::{Interrupted, Points};
use b2n::run::twin::bitrix24::{Entity, Fault as Planned, FaultKind, Trigger};
use b2n::run::twin::nutshell::settings::ApiKey;
use b2n::run::twin::nutshell::{Actor, FieldType, Kind, Record};
use b2n::run::workspace::{DiskFault, Workspace};
use serde_json::Value as Json;

use super::oracle::{Picture, differences, ghosts, picture, wrong};
use super::wire::{Hub, Phase, Scene, Side, Strike, Trouble, What, When};
use super::yard::{Yard, is_locked};

const PHASES: [Phase; 6] =
    [Phase::Extract, Phase::Provision, Phase::Load, Phase::Links, Phase::Sweep, Phase::Rollback];

const BUSY: &str = "<html>Service Unavailable</html>";
const FULL_BUCKET: &str = r#"{"error":"QUERY_LIMIT_EXCEEDED","error_description":"Too many requests"}"#;
const OOPS: &str = r#"{"error":"INTERNAL_SERVER_ERROR","error_description":"Internal server error"}"#;
const PAGE: &str = "<html><body><h1>502 Bad Gateway</h1></body></html>";
const THEIRS: &str = "typed by a person meanwhile";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    FullBucket,
    FullBucketInABatch,
    OperatingLimit,
    FailsBeforeCommit,
    FailsAfterCommit,
    Reset,
    Timeout,
    CutBody,
    HtmlBody,
    LostAfterCommit,
    DeliveredTwice,
    LateCommit,
    SearchLag,
    PartialBatch,
    ShortPage,
    RepeatedPage,
    WrongTotal,
    RowsChange,
    PeopleEdit,
    ExpiredRights,
    ReducedRights,
    PlanLimit,
    SilentNormalisation,
    SchemaDrift,
    SecondB2n,
    ClockForward,
    ClockBack,
    TimeZone,
    Death,
    TornTail,
    DiskFull,
    DiskBroken,
}

const FAULTS: [Fault; 32] = [
    Fault::FullBucket,
    Fault::FullBucketInABatch,
    Fault::OperatingLimit,
    Fault::FailsBeforeCommit,
    Fault::FailsAfterCommit,
    Fault::Reset,
    Fault::Timeout,
    Fault::CutBody,
    Fault::HtmlBody,
    Fault::LostAfterCommit,
    Fault::DeliveredTwice,
    Fault::LateCommit,
    Fault::SearchLag,
    Fault::PartialBatch,
    Fault::ShortPage,
    Fault::RepeatedPage,
    Fault::WrongTotal,
    Fault::RowsChange,
    Fault::PeopleEdit,
    Fault::ExpiredRights,
    Fault::ReducedRights,
    Fault::PlanLimit,
    Fault::SilentNormalisation,
    Fault::SchemaDrift,
    Fault::SecondB2n,
    Fault::ClockForward,
    Fault::ClockBack,
    Fault::TimeZone,
    Fault::Death,
    Fault::TornTail,
    Fault::DiskFull,
    Fault::DiskBroken,
];

/// What is done in a cell.
struct Plan {
    strikes: Vec<Strike>,
    /// Contacts that are in no picture of a clean run.
    crowded: bool,
    /// Faults of the portal itself.
    portal: Vec<Planned>,
    /// What is set before the run.
    before: fn(&Yard),
    /// What strikes at the n-th point of the phase.
    at: Option<(u64, At)>,
    /// The first run stops, and says this.
    stops: Option<&'static str>,
    /// What a person does then.
    mend: fn(&Yard),
    /// It is run once more then, though it was through: what was refused is tried again.
    again: bool,
    /// What is compared at the end.
    end: End,
}

#[derive(Clone, Copy, PartialEq)]
enum At {
    Die,
    PowerCut(usize),
    Disk(DiskFault),
    Lock,
}

#[derive(Clone, Copy, PartialEq)]
enum End {
    /// Everything is as without the fault, and nothing was made twice even for a moment.
    Same,
    /// The same, though something stood twice until the sweep.
    SameAtLast,
    /// People's work is there, and nothing else differs.
    Theirs,
    /// Records of the portal came and went: each is as it is there now.
    AsInThePortal,
    /// What was given up stays given up by name; nothing was made twice.
    Named,
}

impl Default for Plan {
    fn default() -> Self {
        Plan {
            strikes: Vec::new(),
            crowded: false,
            portal: Vec::new(),
            before: |_| {},
            at: None,
            stops: None,
            mend: |_| {},
            again: false,
            end: End::Same,
        }
    }
}

impl Plan {
    fn strike(trouble: Trouble, what: What, phase: Phase, first: u64, times: u64) -> Plan {
        let side = if phase == Phase::Extract { Side::Portal } else { Side::Account };
        let strikes =
            vec![Strike { side, phase: Some(phase), what, when: When::From(first, times), trouble }];
        Plan { strikes, ..Plan::default() }
    }

    fn portal(fault: Planned) -> Plan {
        Plan { portal: vec![fault], ..Plan::default() }
    }

    /// Something stands twice once its phase is closed, so that the sweep at the end has to delete.
    fn with_a_double(mut self) -> Plan {
        self.strikes.insert(
            0,
            Strike {
                side: Side::Account,
                phase: Some(Phase::Load),
                what: What::Method("new"),
                when: When::From(3, 1),
                trouble: Trouble::Late(152_000),
            },
        );
        self.end = End::SameAtLast;
        self
    }
}

type Cell = Result<Plan, &'static str>;

/// A rollback lists the destination as a sweep does.
const LISTING: Phase = Phase::Sweep;
const NO_WRITE: &str = "nothing is written in this phase";

/// What a fault does to writes, or why it cannot.
fn writes(phase: Phase, trouble: Trouble) -> Cell {
    match phase {
        Phase::Extract => Err(NO_WRITE),
        // The first request of a phase's writes and two that follow, so that a retry is struck too.
        Phase::Sweep => Ok(Plan::strike(trouble, What::Method("delete"), phase, 1, 2).with_a_double()),
        // There are few of them.
        Phase::Links => Ok(Plan::strike(trouble, What::Write, phase, 1, 2)),
        _ => Ok(Plan::strike(trouble, What::Write, phase, 2, 2)),
    }
}

/// What a fault does to whatever is asked in a phase.
fn anything(phase: Phase, trouble: Trouble) -> Cell {
    Ok(Plan::strike(trouble, What::Any, phase, 1, 2))
}

fn cell(fault: Fault, phase: Phase) -> Cell {
    match fault {
        Fault::FullBucket if phase == Phase::Extract => anything(phase, Trouble::Refused(503, FULL_BUCKET)),
        Fault::FullBucket => anything(phase, Trouble::Refused(503, BUSY)),
        Fault::FullBucketInABatch if phase == Phase::Extract => {
            let kind = FaultKind::Command(503, "QUERY_LIMIT_EXCEEDED".to_owned());
            Ok(Plan::portal(Planned::new(Trigger::Nth(2), kind).on("crm.contact.list")))
        }
        Fault::FullBucketInABatch | Fault::PartialBatch if phase != Phase::Extract => {
            Err("only the source has batches, and it is asked for records while extracting alone")
        }
        Fault::OperatingLimit if phase == Phase::Extract => {
            Ok(Plan::portal(Planned::new(Trigger::Nth(2), FaultKind::OperatingLimit).on("crm.contact.list")))
        }
        Fault::OperatingLimit => anything(phase, Trouble::Refused(429, "")),
        Fault::FailsBeforeCommit if phase == Phase::Extract => anything(phase, Trouble::Refused(500, OOPS)),
        Fault::FailsBeforeCommit => writes(phase, Trouble::Refused(500, OOPS)),
        Fault::FailsAfterCommit => writes(phase, Trouble::Failed(500, OOPS)),
        Fault::Reset if phase == Phase::Extract => anything(phase, Trouble::ResetBefore),
        Fault::Reset => writes(phase, Trouble::ResetAfter),
        Fault::Timeout if phase == Phase::Extract => anything(phase, Trouble::Timeout),
        Fault::Timeout => writes(phase, Trouble::Timeout),
        Fault::CutBody if phase == Phase::Extract => anything(phase, Trouble::Cut),
        Fault::CutBody => writes(phase, Trouble::Cut),
        Fault::HtmlBody if phase == Phase::Extract => anything(phase, Trouble::Failed(502, PAGE)),
        Fault::HtmlBody => writes(phase, Trouble::Failed(502, PAGE)),
        Fault::LostAfterCommit => writes(phase, Trouble::Lost),
        Fault::DeliveredTwice => match phase {
            Phase::Extract => anything(phase, Trouble::Twice),
            // Its one answer is as it should be; the sweep finds what the same request made beside it.
            Phase::Load => Ok(Plan {
                end: End::SameAtLast,
                ..Plan::strike(Trouble::Twice, What::Method("new"), phase, 2, 1)
            }),
            _ => writes(phase, Trouble::Twice),
        },
        Fault::LateCommit => writes(phase, Trouble::Late(100_000)),
        Fault::SearchLag => match phase {
            Phase::Extract => Err("the source is not searched"),
            Phase::Provision => Err("custom fields are read from the settings, which do not lag"),
            Phase::Load => {
                let plan = Plan::strike(Trouble::Lost, What::Method("new"), phase, 2, 2);
                Ok(Plan { before: lag, ..plan })
            }
            _ => {
                let plan = Plan::strike(Trouble::ResetAfter, What::Any, phase, 1, 1);
                Ok(Plan { before: lag, ..plan })
            }
        },
        Fault::FullBucketInABatch | Fault::PartialBatch => {
            let kind = FaultKind::Command(500, "INTERNAL_SERVER_ERROR".to_owned());
            Ok(Plan::portal(Planned::new(Trigger::Nth(2), kind).on("crm.deal.list")))
        }
        Fault::ShortPage => match phase {
            Phase::Extract => Ok(Plan {
                before: crowd,
                crowded: true,
                ..Plan::portal(Planned::new(Trigger::Nth(2), FaultKind::ShortPage).on("crm.contact.list"))
            }),
            Phase::Sweep => Ok(Plan::strike(Trouble::ShortPage, What::Method("findLeads"), phase, 1, 1)),
            Phase::Rollback => Ok(Plan::strike(Trouble::ShortPage, What::Method("findLeads"), LISTING, 1, 1)),
            _ => Err("no list is read in this phase whose end matters: searches are by marker"),
        },
        Fault::RepeatedPage => match phase {
            Phase::Extract => {
                Ok(Plan::portal(Planned::new(Trigger::Nth(3), FaultKind::RepeatPage).on("crm.contact.list")))
            }
            Phase::Sweep | Phase::Rollback => {
                Ok(Plan::strike(Trouble::RepeatPage, What::Method("findContacts"), LISTING, 2, 1))
            }
            _ => Err("no list is read in this phase whose end matters: searches are by marker"),
        },
        Fault::WrongTotal if phase == Phase::Extract => Ok(Plan {
            stops: Some("records arrived, the source counts"),
            mend: honest,
            ..Plan::portal(Planned::new(Trigger::From(1), FaultKind::WrongTotal(-1)).on("crm.contact.list"))
        }),
        Fault::WrongTotal => {
            Err("the destination's lists carry no totals, and the source is not listed here")
        }
        Fault::RowsChange => match phase {
            Phase::Extract => Ok(Plan {
                portal: vec![
                    Planned::new(Trigger::Nth(2), FaultKind::Insert(Entity::Company)).on("batch"),
                    Planned::new(Trigger::Nth(4), FaultKind::Delete(Entity::Deal)).on("batch"),
                    Planned::new(Trigger::Nth(3), FaultKind::Insert(Entity::Contact)).on("batch"),
                ],
                end: End::AsInThePortal,
                ..Plan::default()
            }),
            Phase::Sweep | Phase::Rollback => Ok(Plan {
                end: End::Theirs,
                ..Plan::strike(Trouble::Act(add_records), What::Method("find"), LISTING, 2, 1)
            }),
            _ => Err("no list is paged through in this phase"),
        },
        Fault::PeopleEdit => match phase {
            Phase::Extract => {
                Err("the destination is not asked in this phase, so an edit is one from before the run")
            }
            Phase::Provision => Err(
                "a person's record from before the first write is one that is there, as some are in each cell",
            ),
            _ => Ok(Plan {
                end: End::Theirs,
                ..Plan::strike(Trouble::Act(type_in), What::Any, phase, few(phase, 4), 1)
            }),
        },
        Fault::ExpiredRights => match phase {
            Phase::Extract => Ok(Plan {
                stops: Some("refuses the credentials"),
                mend: honest,
                ..Plan::portal(Planned::new(Trigger::From(6), FaultKind::ExpiredWebhook))
            }),
            _ => Ok(Plan {
                // A read tells of the credentials, a write that nothing is written any more.
                stops: Some(if phase == Phase::Load { "takes no more writes" } else { "refuse" }),
                mend: give_keys,
                ..Plan::strike(Trouble::Act(take_keys), What::Any, phase, few(phase, 3), 1)
            }),
        },
        Fault::ReducedRights => match phase {
            Phase::Extract => Ok(Plan {
                stops: Some("scope"),
                mend: give_scopes,
                ..Plan::strike(Trouble::Act(take_scopes), What::Any, phase, 6, 1)
            }),
            Phase::Sweep => {
                let act = Strike {
                    side: Side::Account,
                    phase: Some(phase),
                    what: What::Any,
                    when: When::From(1, 1),
                    trouble: Trouble::Act(forbid_deleting),
                };
                let plan = Plan {
                    strikes: vec![act],
                    stops: Some("permission to delete"),
                    mend: allow_deleting,
                    ..Plan::default()
                };
                Ok(plan.with_a_double())
            }
            Phase::Rollback => Ok(Plan {
                stops: Some("may not delete"),
                before: |yard| yard.account.configure(|settings| settings.may_delete = false),
                mend: allow_deleting,
                ..Plan::default()
            }),
            _ => Err("a user may always create and edit: the only right that can be taken is to delete"),
        },
        Fault::PlanLimit => match phase {
            Phase::Provision => Ok(Plan {
                stops: Some("plan"),
                mend: |yard| yard.account.configure(|settings| settings.limits.custom_fields = None),
                ..Plan::strike(Trouble::Act(limit_fields), What::Method("POST"), phase, 2, 1)
            }),
            Phase::Load => Ok(Plan {
                stops: Some("open leads"),
                mend: |yard| yard.account.configure(|settings| settings.limits.open_leads = None),
                ..Plan::strike(Trouble::Act(limit_leads), What::Method("newLead"), phase, 2, 1)
            }),
            _ => Err("no limit of a plan counts what is done in this phase"),
        },
        Fault::SilentNormalisation => match phase {
            Phase::Load | Phase::Links => Ok(Plan {
                before: |yard| {
                    yard.account.configure(|settings| {
                        settings.dialect.rpc_lead_value = false;
                        settings.dialect.rest_manual_value = false;
                    });
                },
                stops: Some("keeps the amount"),
                end: End::Named,
                ..Plan::strike(Trouble::ClockStep(0), What::Any, Phase::Load, 1, 1)
            }),
            Phase::Sweep => Err("what was altered on writing is seen here: that is the cell of the load"),
            _ => Err("no value of a record is written in this phase"),
        },
        Fault::SchemaDrift => match phase {
            Phase::Extract => Ok(Plan {
                end: End::AsInThePortal,
                ..Plan::strike(Trouble::Act(new_source), What::Any, phase, 1, 1)
            }),
            Phase::Provision => Ok(Plan {
                stops: Some("Birthday"),
                mend: |yard| drop_field(&yard.account),
                ..Plan::strike(Trouble::Act(add_field), What::Method("POST"), phase, 1, 1)
            }),
            Phase::Load => Ok(Plan {
                mend: |yard| name_field(&yard.account, "Day of birth", "Birthday"),
                again: true,
                ..Plan::strike(Trouble::Act(rename_field), What::Method("newContact"), phase, 1, 1)
            }),
            _ => Err(
                "no field is asked for by its name in this phase but the marker's, whose removal no API undoes",
            ),
        },
        Fault::SecondB2n => Ok(Plan { at: Some((1, At::Lock)), ..Plan::default() }),
        Fault::ClockForward | Fault::ClockBack => {
            let by = if fault == Fault::ClockForward { 3_600_000 } else { -3_600_000 };
            let mut plan = Plan::strike(Trouble::ClockStep(by), What::Any, phase, 2, 1);
            if phase == Phase::Load {
                // A wait for a dead request is under way, and must not become shorter.
                let (side, phase) = (Side::Account, Some(phase));
                let late = Trouble::Late(100_000);
                plan.strikes[0] =
                    Strike { side, phase, what: What::Method("new"), when: When::From(3, 1), trouble: late };
                let step = Trouble::ClockStep(by);
                plan.strikes.push(Strike {
                    side,
                    phase,
                    what: What::Read,
                    when: When::From(3, 1),
                    trouble: step,
                });
            }
            Ok(plan)
        }
        Fault::TimeZone => match phase {
            Phase::Extract => Ok(Plan {
                before: |yard| yard.portal.with_settings(|settings| settings.utc_offset_minutes = -480),
                ..Plan::strike(Trouble::ClockStep(0), What::Any, phase, 1, 1)
            }),
            _ => Err(
                "no time is read in this phase that has no offset; the machine's own zone is never asked for",
            ),
        },
        Fault::Death => Ok(Plan { at: Some((2, At::Die)), ..Plan::default() }),
        Fault::TornTail => Ok(Plan { at: Some((2, At::PowerCut(100))), ..Plan::default() }),
        Fault::DiskFull => {
            Ok(Plan { at: Some((1, At::Disk(DiskFault::Full))), stops: Some("workspace"), ..Plan::default() })
        }
        Fault::DiskBroken => Ok(Plan {
            at: Some((2, At::Disk(DiskFault::Broken))),
            stops: Some("workspace"),
            ..Plan::default()
        }),
    }
}

// ── What people and portals do ─────────────────────────────────────────────────────────────────────────────────────

fn lag(yard: &Yard) {
    yard.account.configure(|settings| settings.index_lag_ms = 30_000);
}

/// As many contacts as fill a page.
fn crowd(yard: &Yard) {
    yard.portal.with_portal(|portal| {
        let contacts = portal.records.get_mut(&Entity::Contact).expect("contacts");
        let last = *contacts.keys().next_back().expect("a contact");
        for id in last + 1..=last + 50 {
            let mut contact = b2n::run::twin::bitrix24::Record::new();
            contact.insert("ID".to_owned(), Json::from(id.to_string()));
            contact.insert("LAST_NAME".to_owned(), Json::from(format!("Crowd {id}")));
            contacts.insert(id, contact);
        }
    });
}

fn honest(yard: &Yard) {
    yard.portal.with_settings(|settings| settings.faults.clear());
}

/// The number of a request, or 1 where a phase has few of them.
fn few(phase: Phase, number: u64) -> u64 {
    if phase == Phase::Links { 1 } else { number }
}

fn type_in(scene: &Scene<'_>) {
    scene.account.with(|company| {
        let ids: Vec<i64> =
            company.all(Kind::Accounts).filter(|r| r.deleted.is_none()).map(|r| r.id).collect();
        for id in ids {
            company.edit(Kind::Accounts, id, scene.now_ms, |account| {
                account.description = Some(THEIRS.to_owned())
            });
        }
    });
}

fn add_records(scene: &Scene<'_>) {
    scene.account.with(|company| {
        let mut record = Record::new(Kind::Accounts, Actor::User(1));
        record.name = THEIRS.to_owned();
        company.insert(record, scene.now_ms);
        let mut record = Record::new(Kind::Contacts, Actor::User(1));
        record.person = Record::split_name(THEIRS);
        company.insert(record, scene.now_ms);
    });
}

fn take_keys(scene: &Scene<'_>) {
    scene.account.configure(|settings| settings.keys.clear());
}

fn give_keys(yard: &Yard) {
    let (name, key) = ("Migration".to_owned(), "key".to_owned());
    yard.account.configure(|settings| {
        settings.keys = vec![ApiKey { name, key, impersonation: true, web_only: false }];
    });
}

fn take_scopes(scene: &Scene<'_>) {
    scene.portal.with_settings(|settings| settings.scopes = vec!["user".to_owned()]);
}

fn give_scopes(yard: &Yard) {
    yard.portal.with_settings(|settings| {
        settings.scopes = b2n::run::twin::bitrix24::Settings::default().scopes;
    });
}

fn forbid_deleting(scene: &Scene<'_>) {
    scene.account.configure(|settings| settings.may_delete = false);
}

fn allow_deleting(yard: &Yard) {
    yard.account.configure(|settings| settings.may_delete = true);
}

fn limit_leads(scene: &Scene<'_>) {
    scene.account.configure(|settings| settings.limits.open_leads = Some(1));
}

fn limit_fields(scene: &Scene<'_>) {
    scene.account.configure(|settings| settings.limits.custom_fields = Some(1));
}

/// A choice that nobody knew when the spec was written, and a deal with it.
fn new_source(scene: &Scene<'_>) {
    scene.portal.with_portal(|portal| {
        for deal in
            portal.records.get_mut(&Entity::Deal).into_iter().flat_map(|deals| deals.values_mut()).take(2)
        {
            deal.insert("SOURCE_ID".to_owned(), Json::from("UC_NEW_ONE"));
        }
    });
}

fn add_field(scene: &Scene<'_>) {
    scene.account.with(|company| {
        let id = company.fields.iter().map(|field| field.id).max().unwrap_or(0) + 1;
        company.fields.push(b2n::run::twin::nutshell::Field {
            id,
            kind: Kind::Contacts,
            name: "Birthday".to_owned(),
            field_type: FieldType::Text,
            choices: Vec::new(),
            multiple: false,
        });
    });
}

fn drop_field(account: &b2n::run::twin::nutshell::Twin) {
    account.with(|company| {
        company.fields.retain(|field| field.name != "Birthday" || field.field_type != FieldType::Text)
    });
}

fn rename_field(scene: &Scene<'_>) {
    name_field(scene.account, "Birthday", "Day of birth");
}

fn name_field(account: &b2n::run::twin::nutshell::Twin, from: &str, to: &str) {
    account.with(|company| {
        for field in company.fields.iter_mut().filter(|field| field.name == from) {
            field.name = to.to_owned();
        }
    });
}

// ── Carrying a cell out ────────────────────────────────────────────────────────────────────────────────────────────

/// Does something at the n-th point of a phase.
struct AtPoint<'a> {
    hub: &'a Hub,
    workspace: &'a Workspace,
    path: Option<std::path::PathBuf>,
    phase: Phase,
    nth: u64,
    at: At,
    seen: StdCell<u64>,
    done: StdCell<u64>,
}

impl Points for AtPoint<'_> {
    fn reach(&self, _: &'static str) -> Result<(), Interrupted> {
        if self.hub.phase.get() != self.phase {
            return Ok(());
        }
        self.seen.set(self.seen.get() + 1);
        if self.seen.get() != self.nth {
            return Ok(());
        }
        self.done.set(self.done.get() + 1);
        match self.at {
            At::Die | At::PowerCut(_) => return Err(Interrupted),
            At::Disk(fault) => self.workspace.fail_after(Some((1, fault))),
            At::Lock => {
                let second = Workspace::open(self.path.as_ref().expect("a path"));
                assert!(is_locked(&second), "another process could open the workspace");
            }
        }
        Ok(())
    }
}

struct Quiet;

impl Points for Quiet {
    fn reach(&self, _: &'static str) -> Result<(), Interrupted> {
        Ok(())
    }
}

/// One run of the phase's command: a migration, or its rollback.
fn live(yard: &Yard, phase: Phase, points: &dyn Points) -> Result<(), String> {
    if phase == Phase::Rollback {
        match yard.roll_back(points) {
            Ok(_) => Ok(()),
            Err(error) if error.to_string().contains("nothing to roll back") => Ok(()),
            Err(error) => Err(told(&error)),
        }
    } else {
        match yard.migrate(points) {
            Ok(report) if report.closes() => Ok(()),
            Ok(report) => Err(format!("the books are open: {:#?}", report.maps)),
            Err(error) => Err(told(&error)),
        }
    }
}

fn told(error: &b2n::run::engine::Error) -> String {
    match error {
        b2n::run::engine::Error::Preflight(problems) => format!("{error}: {problems:?}"),
        other => other.to_string(),
    }
}

fn carry_out(phase: Phase, plan: &Plan, clean: &Picture) -> Vec<String> {
    let mut yard = Yard::new(1, 7);
    yard.settings.sends = 12;
    if plan.at.is_some() {
        yard = yard.on_disk();
    }
    let before = picture(&yard);
    if phase == Phase::Rollback
        && let Err(error) = live(&yard, Phase::Load, &Quiet)
    {
        return vec![format!("before the rollback: {error}")];
    }
    (plan.before)(&yard);
    yard.portal.with_settings(|settings| settings.faults.clone_from(&plan.portal));
    yard.hub.strike(&plan.strikes);
    let mut problems = Vec::new();
    let first = match plan.at {
        None => live(&yard, phase, &Quiet),
        Some((nth, at)) => {
            let path = Some(yard.path());
            let (seen, done) = (StdCell::new(0), StdCell::new(0));
            let points =
                AtPoint { hub: &yard.hub, workspace: &yard.workspace, path, phase, nth, at, seen, done };
            let first = live(&yard, phase, &points);
            if points.done.get() == 0 {
                problems.push(format!("only {} points were reached in this phase", points.seen.get()));
            }
            yard.workspace.fail_after(None);
            first
        }
    };
    if let Some((_, At::PowerCut(torn))) = plan.at {
        yard.power_cut(torn);
    }
    match (&first, plan.stops) {
        (Err(said), Some(why)) if !said.contains(why) => {
            problems.push(format!("it stopped without naming `{why}`: {said}"));
        }
        (Ok(()), Some(why)) => problems.push(format!("it went on, where it had to stop and name `{why}`")),
        _ => {}
    }
    (plan.mend)(&yard);
    // What stopped it, or was not through, is started again, as a person would.
    let mut last = if plan.again { live(&yard, phase, &Quiet) } else { first };
    for _ in 0..12 {
        if last.is_ok() || plan.end == End::Named {
            break;
        }
        last = live(&yard, phase, &Quiet);
    }
    if let Err(error) = &last
        && plan.end != End::Named
    {
        problems.push(format!("it did not come to an end: {error}"));
    }
    let struck = yard.hub.struck() + yard.portal.log().faults;
    if struck < (plan.strikes.len() + plan.portal.len()) as u64 {
        problems.push(format!("{struck} of {} faults struck", plan.strikes.len() + plan.portal.len()));
    }
    problems.extend(judge(&yard, phase, plan, &before, clean));
    problems
}

fn judge(yard: &Yard, phase: Phase, plan: &Plan, before: &Picture, clean: &Picture) -> Vec<String> {
    let expected = if phase == Phase::Rollback { before } else { clean };
    let found = picture(yard);
    let mut problems = Vec::new();
    // The crowd is in no picture without it.
    let crowd = |line: &String| plan.crowded && line.contains("/contact/") && line.ends_with("is too many");
    match plan.end {
        End::Same | End::SameAtLast => {
            problems.extend(differences(expected, &found).into_iter().filter(|line| !crowd(line)))
        }
        End::Theirs => {
            let text = |value: &Json| value.to_string().contains(THEIRS);
            let kept = found.values().filter(|value| text(value)).count();
            if kept == 0 {
                problems.push("what people did is gone".to_owned());
            }
            let lost = differences(expected, &found);
            let lost =
                lost.into_iter().filter(|line| !line.contains(THEIRS) && !line.contains(".description:"));
            // A rollback keeps what people touched, and what that links to.
            let kept = |line: &String| {
                phase == Phase::Rollback
                    && (line.ends_with("is too many")
                        || line.contains(".accounts")
                        || line.contains(".contacts")
                        || line.contains(".customFields")
                        || line.contains(".industry")
                        || line.contains(".owner")
                        || line.contains(".url"))
            };
            problems.extend(
                lost.filter(|line| !line.contains('#') || line.contains("missing"))
                    .filter(|line| !kept(line)),
            );
        }
        End::AsInThePortal | End::Named => {}
    }
    if phase != Phase::Rollback && plan.end != End::Named {
        problems.extend(
            wrong(yard)
                .into_iter()
                .filter(|line| !(plan.end == End::Theirs && line.contains("carries no marker"))),
        );
    }
    if !matches!(plan.end, End::SameAtLast) && phase != Phase::Rollback {
        problems.extend(ghosts(yard));
    }
    problems
}

#[test]
fn every_fault_in_every_phase() {
    let clean = {
        let yard = Yard::new(1, 0);
        yard.through(&[]).expect("a clean run");
        picture(&yard)
    };
    let cells: Vec<(Fault, Phase)> =
        FAULTS.iter().flat_map(|fault| PHASES.iter().map(move |phase| (*fault, *phase))).collect();
    let wanted = std::env::var("B2N_CELL").ok();
    let (next, failed) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let (run, cannot) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || {
        loop {
            let Some((fault, phase)) = cells.get(next.fetch_add(1, Ordering::Relaxed)).copied() else {
                return;
            };
            let name = format!("{fault:?} in {phase:?}");
            if wanted.as_ref().is_some_and(|wanted| !name.contains(wanted.as_str())) {
                continue;
            }
            match cell(fault, phase) {
                Err(why) => cannot.lock().expect("a lock").push(format!("{name} cannot occur: {why}")),
                Ok(plan) => {
                    run.fetch_add(1, Ordering::Relaxed);
                    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                        carry_out(phase, &plan, &clean)
                    }));
                    let problems = caught.unwrap_or_else(|_| vec!["a panic; see above".to_owned()]);
                    if !problems.is_empty() {
                        failed.lock().expect("a lock").push((name, problems));
                    }
                }
            }
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    let (mut cannot, failed) = (cannot.into_inner().expect("a lock"), failed.into_inner().expect("a lock"));
    cannot.sort();
    println!("{} cells run, {} cannot occur:\n{}", run.into_inner(), cannot.len(), cannot.join("\n"));
    for (name, problems) in &failed {
        println!("FAILED {name}: {:#?}", &problems[..problems.len().min(4)]);
    }
    let names: Vec<&String> = failed.iter().map(|(name, _)| name).collect();
    assert!(failed.is_empty(), "{} cells fail: {names:?}; one alone: B2N_CELL='{}'", failed.len(), names[0]);
}
