//! `b2n provision`

use std::fmt::Write as _;
use std::process::ExitCode;

use serde_json::{Value, json};

use crate::run::connect::{Account, Presence, Provision, Provisioned};
use crate::run::engine::{Made, Making, Problem, Survey};
use crate::run::workspace::Workspace;

use super::account::{self, Live};
use super::failure::Failure;
use super::findings::Shape;
use super::migrate::{Asked, confirm, decided};
use super::project::Project;
use super::terminal::{Terminal, one_line};
use super::{PaceArgs, SpecArgs, WorkspaceArgs};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    spec: SpecArgs,
    #[command(flatten)]
    workspace: WorkspaceArgs,
    #[command(flatten)]
    pace: PaceArgs,
    /// Look and print, and write nothing.
    #[arg(long)]
    dry_run: bool,
    /// Remember in the workspace that this item was seen to; several with commas.
    #[arg(long, value_name = "ITEM", value_delimiter = ',', conflicts_with = "dry_run")]
    confirm: Vec<String>,
    /// Write into the account with this id without asking.
    #[arg(long, value_name = "ID")]
    yes_into: Option<String>,
}

const FIRST_WRITE: Asked = Asked {
    what: "the first write into",
    before: "custom fields will be made in",
    goal: "make custom fields in",
};

pub fn run(args: &Args, terminal: &Terminal) -> Result<ExitCode, Failure> {
    let ready = Project::load(&args.spec.spec)?.ready(terminal)?;
    if !args.dry_run {
        // What is still to be decided may become a field, and no API deletes one.
        decided(&ready.plan)?;
    }
    let live = Live::of_target(&ready, args.pace.pace())?;
    let path = args.workspace.path(&args.spec.spec);
    let workspace =
        if args.dry_run && !path.exists() { Workspace::in_memory()? } else { Workspace::open(&path)? };
    let (target, mut survey) = account::block_on(&live, &ready, &workspace, terminal, async |engine| {
        let target = engine.bind_destination().await?;
        let mut survey = engine.survey().await?;
        engine.confirm(&mut survey, &args.confirm)?;
        Ok((target, survey))
    })?;
    let mut made = Vec::new();
    let human = terminal.findings == Shape::Human;
    if human {
        print!("{}", lists(&survey, &target, terminal));
    }
    let fits = survey.conflicts().next().is_none();
    if !args.dry_run && fits && survey.missing() > 0 {
        account::block_on(&live, &ready, &workspace, terminal, async |engine| engine.may_write(Some(0)))?;
        if workspace.writes()? == 0 {
            confirm(args.yes_into.as_deref(), &target, terminal, &FIRST_WRITE)?;
        }
        let _destination = account::lock_destination(live.target.local_port(), &target)?;
        // What was made is looked at once more, together with everything else.
        (made, survey) = account::block_on(&live, &ready, &workspace, terminal, async |engine| {
            let made = engine.provision_ahead(&survey).await?;
            Ok((made, engine.survey().await?))
        })?;
    }
    let spec = args.spec.spec.display().to_string();
    match terminal.findings {
        Shape::Json => println!("{}", json(&survey, &made, &target, args.dry_run)),
        Shape::Markdown => print!("{}", markdown(&survey, &target, &spec)),
        _ => {
            for one in made.iter().filter(|one| one.became == Provisioned::Created) {
                println!("{} {}", terminal.green("made"), name(&one.provision));
            }
            print!("{}", verdict(&survey, args.dry_run, &spec, terminal));
        }
    }
    Ok(ExitCode::from(u8::from(!survey.is_ready())))
}

/// What the engine makes, as people call it.
fn name(provision: &Provision) -> String {
    match provision {
        Provision::Field(field) => {
            let kind = if field.many { format!("[{}]", field.kind) } else { field.kind.clone() };
            format!("{} field `{}` {kind}", field.object, field.label)
        }
        Provision::Choice { domain, name } => format!("`{name}` of {domain}"),
    }
}

/// A thing with its place: ``stage `Won` of `Sales` ``.
fn thing(kind: &str, of: &str, name: &str) -> String {
    let place = if of.is_empty() { String::new() } else { format!(" of `{of}`") };
    format!("{kind} `{name}`{place}")
}

fn reason(problem: &Problem) -> String {
    format!("{}: {}", problem.what, problem.next)
}

/// The word for whether something is there.
fn word(presence: &Presence) -> &'static str {
    match presence {
        Presence::Missing => "missing",
        Presence::There => "there",
        Presence::Differs(_) => "differs",
    }
}

fn reasons(making: &Making) -> Vec<String> {
    match &making.presence {
        Presence::Differs(lacks) => lacks.iter().map(|lack| reason(&lack.clone().into())).collect(),
        Presence::Missing | Presence::There => Vec::new(),
    }
}

/// The three lists, for people.
fn lists(survey: &Survey, target: &Account, terminal: &Terminal) -> String {
    let mut text =
        format!("{} {} ({})\n", terminal.bold("settings of"), one_line(&target.name), one_line(&target.id));
    let head = |text: &mut String, title: &str| {
        let _ = writeln!(text, "\n{}", terminal.bold(title));
    };
    let mark = |good: bool, word: &str| {
        let word = format!("{word:<9}");
        if good { terminal.green(&word) } else { terminal.red(&word) }
    };
    head(&mut text, "b2n makes");
    for making in &survey.makes {
        let word = match word(&making.presence) {
            // Nothing is wrong with it: it is made.
            "missing" => "missing  ".to_owned(),
            word => mark(word == "there", word),
        };
        let _ = writeln!(text, "  {word} {}", one_line(&name(&making.provision)));
        for reason in reasons(making) {
            let _ = writeln!(text, "            {}", one_line(&reason));
        }
    }
    head(&mut text, "only a person can make");
    for check in &survey.checks {
        let thing = one_line(&thing(&check.kind, &check.of, &check.name));
        let word = if check.lack.is_none() { "there" } else { "missing" };
        let _ = writeln!(text, "  {} {thing}", mark(check.lack.is_none(), word));
        if let Some(lack) = &check.lack {
            let _ = writeln!(text, "            {}", one_line(&reason(lack)));
        }
    }
    head(&mut text, "a person confirms");
    for item in &survey.items {
        let confirmed = item.confirmed_ms.is_some();
        let word = if confirmed { "confirmed" } else { "open" };
        let _ = writeln!(text, "  {} {}: {}", mark(confirmed, word), item.work.item, item.work.what);
        if !confirmed {
            let _ = writeln!(text, "            {}", item.work.next);
        }
    }
    text.push('\n');
    text
}

/// How it stands, and the next step.
fn verdict(survey: &Survey, dry_run: bool, spec: &str, terminal: &Terminal) -> String {
    let (missing, lacking) = (survey.missing(), survey.lacking().count());
    let (conflicts, open) = (survey.conflicts().count(), survey.open().count());
    let mut text = String::new();
    if conflicts > 0 {
        let _ = writeln!(text, "nothing is made while something that is there does not fit");
    } else if missing > 0 && dry_run {
        let _ =
            writeln!(text, "nothing was made; `b2n provision {spec}` makes the {missing} that are missing");
    }
    if survey.is_ready() {
        let _ = writeln!(text, "{}", terminal.green("nothing is left for a person to do"));
        return text;
    }
    let left = [(lacking, "to make"), (conflicts, "to mend"), (open, "to confirm")];
    let left: Vec<String> =
        left.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
    let _ = writeln!(text, "{} {}", terminal.red("left for a person:"), left.join(", "));
    if open > 0 {
        let items: Vec<&str> = survey.open().map(|item| item.work.item).collect();
        let _ = writeln!(
            text,
            "once each is seen to: `b2n provision {spec} --confirm {}`; `b2n migrate` refuses until then",
            items.join(",")
        );
    }
    text
}

/// The three lists, for programs.
fn json(survey: &Survey, made: &[Made], target: &Account, dry_run: bool) -> Value {
    let is_made = |provision: &Provision| {
        made.iter().any(|one| one.provision == *provision && one.became == Provisioned::Created)
    };
    let making = |making: &Making| {
        let state = if is_made(&making.provision) { "made" } else { word(&making.presence) };
        let mut row = match &making.provision {
            Provision::Field(field) => json!({
                "object": field.object, "field": field.label, "type": field.kind, "choices": field.choices,
                "many": field.many,
            }),
            Provision::Choice { domain, name } => json!({"domain": domain, "choice": name}),
        };
        row["state"] = json!(state);
        row["problems"] = json!(reasons(making));
        row
    };
    let checks: Vec<Value> = survey
        .checks
        .iter()
        .map(|check| {
            json!({
                "kind": check.kind, "of": check.of, "name": check.name, "there": check.lack.is_none(),
                "problem": check.lack.as_ref().map(reason),
            })
        })
        .collect();
    let items: Vec<Value> = survey
        .items
        .iter()
        .map(|item| {
            json!({
                "item": item.work.item, "what": item.work.what, "next": item.work.next,
                "confirmed_ms": item.confirmed_ms,
            })
        })
        .collect();
    json!({
        "format": "b2n-provision/1", "dry_run": dry_run, "account": {"id": target.id, "name": target.name},
        "makes": survey.makes.iter().map(making).collect::<Vec<_>>(), "by_hand": checks, "confirm": items,
        "ready": survey.is_ready(),
    })
}

/// The three lists as boxes to tick: what is ticked was found or confirmed by this call.
fn markdown(survey: &Survey, target: &Account, spec: &str) -> String {
    let mut text =
        format!("# Before records move into {} ({})\n", one_line(&target.name), one_line(&target.id));
    let mut list = |title: &str, rows: Vec<(bool, String)>| {
        let _ = writeln!(text, "\n## {title}\n");
        if rows.is_empty() {
            let _ = writeln!(text, "Nothing.");
        }
        for (done, row) in rows {
            let _ = writeln!(text, "- [{}] {}", if done { 'x' } else { ' ' }, one_line(&row));
        }
    };
    let making = |making: &Making| {
        let why = reasons(making);
        let why = if why.is_empty() { String::new() } else { format!(": {}", why.join("; ")) };
        (making.presence == Presence::There, format!("{}{why}", name(&making.provision)))
    };
    list("b2n makes", survey.makes.iter().map(making).collect());
    let checks = survey.checks.iter().map(|check| {
        let why = check.lack.as_ref().map(|lack| format!(": {}", reason(lack))).unwrap_or_default();
        (check.lack.is_none(), format!("{}{why}", thing(&check.kind, &check.of, &check.name)))
    });
    list("Only a person can make", checks.collect());
    let items = survey.items.iter().map(|item| {
        let work = &item.work;
        let how = format!("`b2n provision {spec} --confirm {}`", work.item);
        (item.confirmed_ms.is_some(), format!("**{}**: {}; {} ({how})", work.item, work.what, work.next))
    });
    list("A person confirms", items.collect());
    text
}

#[cfg(test)]
mod tests {
    use crate::lang::plan::CustomField;
    use crate::run::connect::{ByHand, HandWork};
    use crate::run::engine::{Check, Item};

    use super::*;

    fn survey() -> Survey {
        let field = |label: &str, presence| Making {
            provision: Provision::Field(CustomField {
                object: "Lead".to_owned(),
                label: label.to_owned(),
                kind: "text".to_owned(),
                choices: Vec::new(),
                many: false,
            }),
            presence,
        };
        let lack = ByHand { what: "`Region` is a date".to_owned(), next: "rename it".to_owned() };
        let check = |name: &str, lack: Option<ByHand>| Check {
            kind: "pipeline".to_owned(),
            of: String::new(),
            name: name.to_owned(),
            lack: lack.map(Problem::from),
        };
        let item = |item, confirmed_ms| Item {
            work: HandWork { item, what: "it acts".to_owned(), next: "switch it off".to_owned(), extent: 0 },
            confirmed_ms,
        };
        Survey {
            makes: vec![
                field("Key", Presence::There),
                field("Note", Presence::Missing),
                field("Region", Presence::Differs(vec![lack.clone()])),
            ],
            checks: vec![check("Sales", None), check("Two\nlines", Some(lack))],
            items: vec![item("webhooks", Some(7)), item("automations", None)],
        }
    }

    fn target() -> Account {
        Account { id: "379104".to_owned(), name: "Acme".to_owned() }
    }

    #[test]
    fn what_is_found_is_ticked_and_a_name_stays_on_its_line() {
        let text = markdown(&survey(), &target(), "acme.b2n");
        let ticked = |box_: &str| text.lines().filter(|line| line.starts_with(box_)).count();
        assert_eq!((ticked("- [x]"), ticked("- [ ]")), (3, 4), "{text}");
        assert!(text.contains("- [ ] pipeline `Two lines`: "), "{text}");
        assert!(text.contains("--confirm automations"), "{text}");
    }

    #[test]
    fn programs_see_what_was_made_and_what_is_open() {
        let mut survey = survey();
        let made = Made { provision: survey.makes[0].provision.clone(), became: Provisioned::Created };
        let found = json(&survey, &[made], &target(), false);
        let states: Vec<&str> = found["makes"]
            .as_array()
            .expect("a list")
            .iter()
            .filter_map(|row| row["state"].as_str())
            .collect();
        assert_eq!(states, ["made", "missing", "differs"]);
        assert_eq!(found["ready"], false);
        survey.makes.pop();
        survey.checks.pop();
        survey.items.pop();
        assert_eq!(json(&survey, &[], &target(), true)["ready"], true, "what b2n makes is nobody's work");
    }
}
