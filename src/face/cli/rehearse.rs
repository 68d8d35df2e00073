//! `b2n rehearse`

use std::path::PathBuf;
use std::process::ExitCode;
use std::rc::Rc;

use serde_json::json;

use crate::lang::schema::Schema;
use crate::run::connect::outside::{Clock, Random, Transport};
use crate::run::connect::secret::Credentials;
use crate::run::connect::{self, Limits};
use crate::run::engine::{Engine, Floor, Interrupted, Outside, Points, RunReport, Settings, Volume, floor};
use crate::run::rehearsal::{self, SplitMix, VirtualClock, Wire};
use crate::run::twin::{bitrix24, nutshell};
use crate::run::workspace::Workspace;

use super::account::decoders;
use super::failure::Failure;
use super::lines::{say, tell};
use super::progress::Silent;
use super::project::{Project, Ready};
use super::terminal::{Terminal, count, duration};
use super::{Format, PaceArgs, SpecArgs, plan, portion, proof, report};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    spec: SpecArgs,
    #[command(flatten)]
    pace: PaceArgs,
    /// Rehearse with the records that this workspace has staged, instead of generated ones. It stays as it is.
    #[arg(long, value_name = "FILE")]
    workspace: Option<PathBuf>,
    /// What generated records are made from: the same seed, the same rehearsal.
    #[arg(long, value_name = "SEED", default_value_t = 1)]
    seed: u64,
    /// Generate this share of the snapshot's records: 0.1 is a tenth.
    #[arg(long, value_name = "SHARE", default_value_t = 1.0)]
    share: f64,
}

/// Noon of a fixed day: a rehearsal depends on nothing but its inputs.
const START_MS: i64 = 1_795_262_400_000;

/// Nothing ends a rehearsal early; its process may be killed at any time.
struct Always;

impl Points for Always {
    fn reach(&self, _: &'static str) -> Result<(), Interrupted> {
        Ok(())
    }
}

pub fn run(args: &Args, terminal: &Terminal) -> Result<ExitCode, Failure> {
    if !(args.share > 0.0 && args.share <= 100.0) {
        return Err(Failure::usage(format!("a share of {} makes no records", args.share))
            .hint("name one above 0, such as 0.1"));
    }
    let ready = Project::load(&args.spec.spec)?.ready(terminal)?;
    let limits = connect::limits(args.pace.pace());
    let part = match &args.workspace {
        Some(path) => {
            let staged = Workspace::open_existing(path)?;
            (portion::told(&staged, terminal)?, portion::printed(&staged)?)
        }
        None => (String::new(), serde_json::Value::Null),
    };
    let portal = portal(args, &ready)?;
    let volume = Volume::of(&ready.plan, |object| Some(portal_count(&portal, object)));
    let floor = floor(&ready.plan, &volume, &limits);
    if terminal.format == Format::Human {
        let origin = match &args.workspace {
            Some(path) => format!("the records staged in {}", path.display()),
            None => format!("records generated from the snapshot, seed {}", args.seed),
        };
        say!(terminal, "{} {}: {origin}", terminal.bold("rehearsal"), args.spec.spec.display());
        tell!(terminal, "{}{}", part.0, report::certificate_line(&ready.certificate));
        for (index, phase) in ready.plan.phases.iter().enumerate() {
            let names: Vec<String> = phase
                .iter()
                .map(|map| {
                    let map = &ready.plan.maps[usize::from(*map)];
                    let records = volume.objects.get(&map.source).copied().unwrap_or(0);
                    let most = if map.split.is_some() { "at most " } else { "" };
                    format!("{} ({most}{} records)", map.name, count(records))
                })
                .collect();
            say!(terminal, "  phase {}: {}", index + 1, names.join(", "));
        }
        println!();
    }
    let workspace = Workspace::in_memory()?;
    let rehearsed = rehearse(&ready, portal, &workspace, (args.seed, args.pace.pace()), terminal)?;
    show(&rehearsed, &floor, &limits, &ready, &workspace, &part.1, terminal)?;
    Ok(ExitCode::from(u8::from(!rehearsed.run.closes() || rehearsed.run.held_back() > 0)))
}

/// What a rehearsal came to.
struct Rehearsed {
    run: RunReport,
    source_log: bitrix24::LogSummary,
    target_log: nutshell::Log,
    wall_s: f64,
}

fn portal(args: &Args, ready: &Ready) -> Result<bitrix24::Portal, Failure> {
    let schema: &Schema = &ready.source;
    match &args.workspace {
        None => {
            let share = |object: &str| {
                let records = schema.object(object).and_then(|object| object.records)?;
                Some((records as f64 * args.share).ceil() as u64)
            };
            let mut portal = bitrix24::Portal::generate(&rehearsal::portal_shape(schema, share), args.seed);
            rehearsal::furnish(&mut portal, schema, args.seed);
            Ok(portal)
        }
        Some(path) => {
            let staged = Workspace::open_existing(path)?;
            let (mut records, mut rows) = (Vec::new(), Vec::new());
            for object in &schema.objects {
                let (entity, table) = (rehearsal::entity(&object.name), rehearsal::table(&object.name));
                if let Some(table) =
                    table.filter(|_| staged.manifest(&object.name).is_ok_and(|m| m.is_some()))
                {
                    rows.push((table, Vec::new()));
                } else if entity.is_none() {
                    continue;
                }
                let mut after = 0;
                loop {
                    let page = staged.staged_page(&object.name, after, 1_000)?;
                    let Some(last) = page.last() else { break };
                    after = last.seq;
                    for record in page {
                        let json = serde_json::from_slice(&record.json).map_err(|error| {
                            Failure::usage(format!(
                                "staged `{}` {} cannot be read: {error}",
                                object.name, record.key
                            ))
                            .hint("run `b2n extract` into a new workspace")
                        })?;
                        match (entity, rows.last_mut()) {
                            (Some(entity), _) => records.push((entity, json)),
                            (None, Some((_, rows))) => rows.push(json),
                            (None, None) => {}
                        }
                    }
                }
            }
            if records.is_empty() {
                return Err(Failure::usage(format!("`{}` has no staged records", path.display())).hint(
                    "run `b2n extract` first, or leave --workspace out to rehearse with generated records",
                ));
            }
            let shape = rehearsal::portal_shape(schema, |_| Some(0));
            let mut portal = bitrix24::Portal::from_records(&shape, records).map_err(|error| {
                Failure::usage(format!("a staged record cannot be served: {error}"))
                    .hint("run `b2n extract` into a new workspace")
            })?;
            for (table, rows) in rows {
                portal.restore(table, rows);
            }
            Ok(portal)
        }
    }
}

fn portal_count(portal: &bitrix24::Portal, object: &str) -> u64 {
    rehearsal::held(portal, object)
}

fn rehearse(
    ready: &Ready,
    portal: bitrix24::Portal,
    workspace: &Workspace,
    (seed, pace): (u64, connect::Pace),
    terminal: &Terminal,
) -> Result<Rehearsed, Failure> {
    let started = std::time::Instant::now();
    let settings =
        bitrix24::Settings { host: ready.plan.source.account.clone(), ..bitrix24::Settings::default() };
    let source_twin = Rc::new(bitrix24::Twin::new(portal, settings));
    // What a probe found out of the account, its twin does too.
    let mut target_settings = rehearsal::settings(&ready.target.probed);
    target_settings.instance_id.clone_from(&ready.plan.target.account);
    let target_twin = Rc::new(nutshell::Twin::new(rehearsal::company(&ready.target), target_settings));
    let virtual_clock = Rc::new(VirtualClock::at(START_MS));
    let clock: Rc<dyn Clock> = virtual_clock.clone();
    let random: Rc<dyn Random> = Rc::new(SplitMix::new(seed));
    let wire =
        |serve: Rc<rehearsal::Serve>| -> Rc<dyn Transport> { Rc::new(Wire::new(serve, Rc::clone(&clock))) };
    let source_wire = wire({
        let twin = Rc::clone(&source_twin);
        Rc::new(move |request, now| twin.handle(request, now))
    });
    let target_wire = wire({
        let twin = Rc::clone(&target_twin);
        Rc::new(move |request, now| twin.handle(request, now))
    });
    let credentials = Credentials::from_values(|name| {
        Some(match name {
            "B2N_BITRIX24_WEBHOOK" => format!("https://{}/rest/1/secret/", ready.plan.source.account),
            "B2N_NUTSHELL_USER" => "admin@acme.example".to_owned(),
            "B2N_NUTSHELL_KEY" => "key".to_owned(),
            _ => return None,
        })
    });
    let usage = |why: connect::OpenError| Failure::usage(why.to_string());
    let source = connect::source(&ready.plan.source.connector, &credentials, &source_wire, &clock, &random)
        .map_err(usage)?;
    let target =
        connect::target(&ready.plan.target.connector, &credentials, &target_wire, &clock, &random, pace)
            .map_err(usage)?;
    target.learn(&ready.target.probed);
    let outside = Outside { clock: clock.as_ref(), points: &Always, progress: &Silent(*terminal) };
    let engine = Engine::new(
        &ready.plan,
        workspace,
        source.as_ref(),
        target.as_ref(),
        decoders(ready)?,
        outside,
        Settings {
            in_flight: pace.in_flight.unwrap_or(Settings::default().in_flight),
            // The twin does nothing by itself.
            confirmed_only: false,
            // No account is written.
            approved_only: false,
            ..Settings::default()
        },
    )?;
    let run = virtual_clock.run(engine.migrate()).map_err(|idle| Failure::outside(idle.to_string()))??;
    Ok(Rehearsed {
        run,
        source_log: source_twin.log(),
        target_log: target_twin.log(),
        wall_s: started.elapsed().as_secs_f64(),
    })
}

fn show(
    rehearsed: &Rehearsed,
    floor: &Floor,
    limits: &Limits,
    ready: &Ready,
    workspace: &Workspace,
    part: &serde_json::Value,
    terminal: &Terminal,
) -> Result<(), Failure> {
    let run = &rehearsed.run;
    let forecast_s = run.took_ms as f64 / 1000.0;
    match terminal.format {
        Format::Human => {
            tell!(terminal, "{}", report::books(&run.maps, terminal));
            println!();
            tell!(terminal, "{}", report::reasons(&run.maps, workspace, terminal)?);
            if !run.closes() {
                tell!(terminal, "{}", proof::text(&run.maps, terminal));
            }
            println!();
            plan::show_floor(floor, limits, terminal);
            say!(
                terminal,
                "{} {} for the real run, {:.2} of the floor ({} source requests, {} destination requests; {} refused for load)",
                terminal.bold("forecast"),
                duration(forecast_s),
                forecast_s / floor.total_s().max(0.001),
                count(rehearsed.source_log.requests),
                count(rehearsed.target_log.total()),
                count(rehearsed.source_log.refused_rate + rehearsed.source_log.refused_operating),
            );
            tell!(terminal, "{}", plan::ratio_line(run, limits));
            let verdict = if run.closes() {
                terminal.green("every record is accounted for")
            } else {
                terminal.red("the books do not close")
            };
            say!(
                terminal,
                "{verdict}; rehearsed in {}; neither account was touched",
                duration(rehearsed.wall_s)
            );
        }
        Format::Json => println!(
            "{}",
            json!({
                "format": "b2n-rehearsal/2", "plan": ready.certificate.plan, "certificate": ready.certificate, "closes": run.closes(),
                "part": part, "maps": report::books_json(&run.maps, workspace)?, "floor": plan::floor_json(floor),
                "forecast_s": forecast_s, "load": plan::ratio_json(run, limits), "source_requests": rehearsed.source_log.requests,
                "target_requests": rehearsed.target_log.total(),
                "refused_for_load": rehearsed.source_log.refused_rate + rehearsed.source_log.refused_operating,
            })
        ),
    }
    Ok(())
}
