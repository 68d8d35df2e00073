//! `b2n scope`

use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::rc::Rc;

use crate::face::report::scope::{Detail, document};
use crate::lang::schema::{Schema, User};
use crate::run::connect::outside::{HttpRequest, HttpResponse, Random, Transport, TransportError};
use crate::run::connect::{self, Local, Pace};
use crate::run::engine::discovery::{self, Discovery, How, Input};
use crate::run::engine::{Volume, floor, most};
use crate::run::workspace::{Side, Workspace};

use super::account::{Process, runtime};
use super::failure::Failure;
use super::findings::Shape;
use super::progress::Shown;
use super::project::{Project, Ready};
use super::terminal::Terminal;
use super::{PaceArgs, sheet};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The spec, where there is one already: its plan tells the time, and with a workspace its snapshots are read in the
    /// place of the accounts.
    #[arg(value_name = "SPEC")]
    spec: Option<PathBuf>,
    /// Count every record that is staged in this workspace, and look for doubles.
    #[arg(long, value_name = "FILE")]
    workspace: Option<PathBuf>,
    /// Where the report goes; standard output without it. The ending says the format where `--format` does not: `.html`,
    /// `.md`, `.json`.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    pace: PaceArgs,
}

/// A transport that counts what it carries.
struct Counting {
    inner: Rc<dyn Transport>,
    sent: Cell<u64>,
}

impl Transport for Counting {
    fn send<'a>(&'a self, request: &'a HttpRequest) -> Local<'a, Result<HttpResponse, TransportError>> {
        self.sent.set(self.sent.get() + 1);
        self.inner.send(request)
    }
}

pub fn run(args: &Args, terminal: &Terminal) -> Result<ExitCode, Failure> {
    let shape = sheet::shape(terminal.findings, args.output.as_deref());
    let ready = match &args.spec {
        Some(spec) => Some(Project::load(spec)?.ready(terminal)?),
        None => None,
    };
    let discovery = discover(args, ready.as_ref(), terminal)?;
    let detail = |shape| if shape == Shape::Human { Detail::Custom } else { Detail::All };
    sheet::write(
        shape,
        args.output.as_deref(),
        &discovery,
        |shape| document(&discovery, detail(shape)),
        terminal,
    )
}

/// Makes the report, from the accounts or from a workspace.
fn discover(args: &Args, ready: Option<&Ready>, terminal: &Terminal) -> Result<Discovery, Failure> {
    let progress = Shown::new(*terminal);
    let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
    let (source_name, target_name) = ready.map_or(("bitrix24", "nutshell"), |ready| {
        (ready.plan.source.connector.as_str(), ready.plan.target.connector.as_str())
    });
    let limits = connect::limits(args.pace.pace());
    let planned = |counts: &BTreeMap<String, u64>| {
        ready.map(|ready| {
            let volume = Volume::of(&ready.plan, |object| counts.get(object).copied());
            (floor(&ready.plan, &volume, &limits), most(&ready.plan, &volume, &limits))
        })
    };
    let counts = |objects: &[discovery::ObjectCount]| -> BTreeMap<String, u64> {
        objects.iter().filter_map(|object| Some((object.name.clone(), object.records.known()?))).collect()
    };
    // A spec with its workspace needs no account at all.
    if let (Some(ready), Some(path)) = (ready, &args.workspace) {
        let schema = &ready.source;
        let workspace = open(path, schema)?;
        let users = Ok(ready.target.users.as_slice());
        let unmatched = discovery::unmatched_users(schema, &ready.target.users);
        let (objects, doubles) =
            discovery::staged(&workspace, schema, target_name, &unmatched, today, &progress)?;
        return Ok(discovery::report(Input {
            schema,
            target: target_name,
            about: None,
            planned: planned(&counts(&objects)),
            objects,
            doubles: Ok(doubles),
            users,
            limits,
            workflows: None,
            today,
            how: How::Workspace,
            requests: 0,
        }));
    }
    let mut process = Process::new()?;
    let counting = Rc::new(Counting { inner: Rc::clone(&process.transport), sent: Cell::new(0) });
    process.transport = Rc::<Counting>::clone(&counting);
    let salt = format!("{:016x}", connect::http::SystemRandom::default().next_u64());
    runtime()?.block_on(async {
        let source = process.source(source_name)?;
        let schema = source.schema(&salt).await?;
        let users = target_users(&process, target_name, &salt).await;
        let about = source.about().await?;
        let workflows = source.automation().await?.workflows.map(|listed| listed.len() as u64);
        let unmatched = users.as_ref().map(|users| discovery::unmatched_users(&schema, users));
        let unmatched = unmatched.unwrap_or_default();
        let (objects, doubles, how) = match &args.workspace {
            Some(path) => {
                let workspace = open(path, &schema)?;
                let (objects, doubles) =
                    discovery::staged(&workspace, &schema, target_name, &unmatched, today, &progress)?;
                (objects, Ok(doubles), How::Workspace)
            }
            None => {
                let objects =
                    discovery::live(source.as_ref(), &schema, target_name, &unmatched, today, &progress)
                        .await?;
                let why = "records must be read for it: stage them with `b2n extract SPEC`, then run \
                           `b2n scope SPEC --workspace FILE`";
                (objects, Err(why.to_owned()), How::Live)
            }
        };
        Ok(discovery::report(Input {
            schema: &schema,
            target: target_name,
            about: Some(about),
            planned: planned(&counts(&objects)),
            objects,
            doubles,
            users: users.as_deref().map_err(Clone::clone),
            limits,
            workflows,
            today,
            how,
            requests: counting.sent.get(),
        }))
    })
}

/// Users of the destination, or why it was not asked: a report does not need it.
async fn target_users(process: &Process, connector: &str, salt: &str) -> Result<Vec<User>, String> {
    let target = match process.target(connector, Pace::default()) {
        Ok(target) => target,
        Err(_) => {
            return Err(
                "its credentials are not set: set `B2N_NUTSHELL_USER` and `B2N_NUTSHELL_KEY`, then run this \
                        again"
                    .to_owned(),
            );
        }
    };
    match target.schema(salt).await {
        Ok(schema) => Ok(schema.users),
        Err(why) => Err(why.to_string()),
    }
}

/// The workspace, where it is of this account.
pub fn open(path: &Path, schema: &Schema) -> Result<Workspace, Failure> {
    let workspace = Workspace::open_existing(path)?;
    super::portion::refuse(
        &workspace,
        "and its numbers would stand for all of it",
        "let the portal be asked instead, or extract all of it into another workspace",
    )?;
    match workspace.pinned(Side::Source)? {
        Some(account) if account != schema.account => Err(Failure::usage(format!(
            "`{}` holds records of `{account}`, and the schema is of `{}`",
            path.display(),
            schema.account
        ))
        .hint("name the workspace of this account, or set the credentials of the other one")),
        _ => Ok(workspace),
    }
}
