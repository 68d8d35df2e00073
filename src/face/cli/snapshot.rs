//! `b2n snapshot`

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::json;

use crate::lang::schema::stats::Collector;
use crate::lang::schema::{Schema, snapshot, users};
use crate::lang::text::SourceText;
use crate::run::connect::{self, Source};
use crate::run::engine::{Progress, discovery};

use super::Format;
use super::account::{Process, runtime};
use super::failure::Failure;
use super::progress::Shown;
use super::terminal::{Terminal, count};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Which system.
    #[arg(value_enum)]
    system: System,
    /// The file to write.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Leave the statistics out: no record is read, and counts in findings stay unknown.
    #[arg(long)]
    no_statistics: bool,
    /// Take the statistics from the records that are staged in this workspace, in the place of a scan.
    #[arg(long, value_name = "WORKSPACE", conflicts_with = "no_statistics")]
    from: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum System {
    Bitrix24,
    Nutshell,
}

pub fn run(args: &Args, terminal: &Terminal) -> Result<ExitCode, Failure> {
    if args.from.is_some() && args.system == System::Nutshell {
        return Err(Failure::usage(
            "`--from` is for snapshots of the source: a workspace stages its records alone",
        )
        .hint("leave `--from` away; a snapshot of the destination reads no record"));
    }
    let process = Process::new()?;
    let progress = Shown::new(*terminal);
    let salt = salt(&args.output)?;
    let mut without = Vec::new();
    let mut taken = match (args.system, &args.from) {
        (System::Bitrix24, Some(workspace)) => {
            let mut taken = take_source(&process, "bitrix24", &salt, false, &progress)?;
            let workspace = super::scope::open(workspace, &taken.schema)?;
            without = discovery::statistics(&workspace, &mut taken.schema, &progress)?;
            if let Some(before) =
                earlier(&args.output).filter(|before| before.account == taken.schema.account)
            {
                for (object, why) in &mut without {
                    if keep_statistics(&mut taken.schema, &before, object) {
                        why.push_str("; its statistics are kept from the snapshot that was here");
                    }
                }
            }
            taken
        }
        (System::Bitrix24, None) => take_source(&process, "bitrix24", &salt, !args.no_statistics, &progress)?,
        (System::Nutshell, _) => take_target(&process, "nutshell", &salt)?,
    };
    if let Some(before) = earlier(&args.output) {
        taken.schema.keep_answers_of(&before);
    }
    let users_path = taken.write(&args.output)?;
    let schema = taken.schema;
    match terminal.format {
        Format::Human => {
            println!(
                "{} {}: {} ({})",
                terminal.green("took"),
                args.output.display(),
                schema.account_name,
                schema.account
            );
            for object in &schema.objects {
                let records = object
                    .records
                    .map_or_else(|| "not counted".to_owned(), |n| format!("{} records", count(n)));
                println!("  {}: {} fields, {records}", object.name, object.fields.len());
            }
            for (object, why) in &without {
                println!("  {}: {why}", terminal.cyan(object));
            }
            println!(
                "  {} holds the users' e-mail addresses: keep it out of version control",
                users_path.display()
            );
        }
        Format::Json => println!(
            "{}",
            json!({
                "format": "b2n-snapshot-taken/1", "file": args.output.display().to_string(), "account": schema.account,
                "schema": schema.hash(),
                "objects": schema.objects.iter().map(|o| json!({"name": o.name, "fields": o.fields.len(), "records": o.records})).collect::<Vec<_>>(),
                "without": without.iter().map(|(object, why)| json!({"object": object, "why": why})).collect::<Vec<_>>(),
            })
        ),
    }
    Ok(ExitCode::SUCCESS)
}

/// A snapshot as it was taken.
pub struct Taken {
    /// The schema, with statistics where they were wanted.
    pub schema: Schema,
    /// E-mail addresses of users; apart, since they never stand in a snapshot.
    emails: BTreeMap<String, String>,
}

impl Taken {
    /// Writes the snapshot, and the addresses beside it; returns where those are.
    pub fn write(&self, output: &Path) -> Result<PathBuf, Failure> {
        write_beside(output, &snapshot::write(&self.schema), false)?;
        let users_path = users_path(output);
        write_beside(&users_path, &users::write_users(&self.emails), true)?;
        Ok(users_path)
    }

    fn today(mut schema: Schema, emails: impl IntoIterator<Item = (String, String)>) -> Self {
        schema.taken = Some(jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date());
        let emails = emails.into_iter().filter(|(_, email)| !email.is_empty()).collect();
        Taken { schema, emails }
    }
}

/// Takes a snapshot of the system that records come from.
pub fn take_source(
    process: &Process,
    connector: &str,
    salt: &str,
    with_statistics: bool,
    progress: &dyn Progress,
) -> Result<Taken, Failure> {
    runtime()?.block_on(async {
        let source = process.source(connector)?;
        let mut schema = source.schema(salt).await?;
        if with_statistics {
            statistics(source.as_ref(), &mut schema, progress).await?;
        }
        Ok(Taken::today(schema, source.user_emails().await?))
    })
}

/// Takes a snapshot of the system that they go to.
pub fn take_target(process: &Process, connector: &str, salt: &str) -> Result<Taken, Failure> {
    runtime()?.block_on(async {
        let target = process.target(connector, connect::Pace::default())?;
        let schema = target.schema(salt).await?;
        Ok(Taken::today(schema, target.user_emails().await?))
    })
}

/// Both snapshots of a project share one salt, so that their users can be matched: taken from a snapshot beside this
/// one, or made anew.
pub fn salt(output: &Path) -> Result<String, Failure> {
    let folder = output.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut found: Vec<(PathBuf, String)> = Vec::new();
    if let Ok(entries) = std::fs::read_dir(folder) {
        for entry in entries.flatten() {
            let path = entry.path();
            if path.extension().is_none_or(|e| e != "yaml") || path.to_string_lossy().ends_with("users.yaml")
            {
                continue;
            }
            let Ok(bytes) = std::fs::read(&path) else { continue };
            let Ok(text) = SourceText::from_bytes(path.display().to_string(), &bytes) else { continue };
            if let Ok(schema) = snapshot::read(&text)
                && !schema.salt.is_empty()
            {
                found.push((path, schema.salt));
            }
        }
    }
    found.sort();
    found.dedup_by(|a, b| a.1 == b.1);
    match found.as_slice() {
        [] => {
            let random = connect::http::SystemRandom::default();
            use connect::outside::Random;
            Ok(format!("{:016x}", random.next_u64()))
        }
        [(_, salt)] => Ok(salt.clone()),
        [(a, _), (b, _), ..] => Err(Failure::usage(format!(
            "`{}` and `{}` carry different salts, so their users cannot be matched",
            a.display(),
            b.display()
        ))
        .hint("delete the older one and take both snapshots again, into this folder")),
    }
}

/// The snapshot that stands there already, where it can be read.
fn earlier(path: &Path) -> Option<Schema> {
    let bytes = std::fs::read(path).ok()?;
    let text = SourceText::from_bytes(path.display().to_string(), &bytes).ok()?;
    snapshot::read(&text).ok()
}

fn users_path(output: &Path) -> PathBuf {
    output.with_extension("users.yaml")
}

/// Writes beside the file and renames: a crash leaves the old file or the new one. A private file holds personal data
/// and is its owner's alone.
pub fn write_beside(path: &Path, text: &str, private: bool) -> Result<(), Failure> {
    if let Some(parent) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
        std::fs::create_dir_all(parent).map_err(|error| Failure::file(parent, &error))?;
    }
    let beside = path.with_extension("yaml.tmp");
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    if private {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    #[cfg(not(unix))]
    let _ = private;
    options
        .open(&beside)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|error| Failure::file(&beside, &error))?;
    std::fs::rename(&beside, path).map_err(|error| Failure::file(path, &error))
}

/// One scan over every object: counts, fill rates, histograms of enumerated fields.
async fn statistics(
    source: &dyn Source,
    schema: &mut Schema,
    progress: &dyn Progress,
) -> Result<(), Failure> {
    for at in 0..schema.objects.len() {
        let object = schema.objects[at].clone();
        // The source keeps it back; its hint says why.
        if object.fields.is_empty() {
            continue;
        }
        let Ok(decoder) = connect::decoder(&schema.connector, schema, &object.name) else { continue };
        progress.begin(&format!("scan {}", object.name), Some(source.count(&object.name).await?));
        let mut collector = Collector::new(&object);
        let mut stages = discovery::stage_counts(&object);
        let mut cursor = String::new();
        let mut seen = 0;
        loop {
            let batch = source.extract(&object.name, &cursor).await?;
            for raw in &batch.records {
                let record = decoder.decode(&raw.json).map_err(|why| {
                    Failure::outside(format!("`{}` {} cannot be read: {why}", object.name, raw.id))
                        .hint("report it with this message; `--no-statistics` takes a snapshot without reading records")
                })?;
                collector.add(&record);
                if let Some(stages) = &mut stages {
                    stages.add(&record);
                }
            }
            seen += batch.records.len() as u64;
            progress.at(seen);
            cursor = batch.cursor;
            if batch.done {
                break;
            }
        }
        progress.end();
        collector.store(&mut schema.objects[at]);
        if let Some(stages) = stages {
            stages.store(&object.name, &mut schema.pipelines);
        }
    }
    Ok(())
}

/// Keeps what an earlier snapshot counted of an object that nothing new is known of; whether there was something.
fn keep_statistics(schema: &mut Schema, before: &Schema, object: &str) -> bool {
    let Some(was) = before.object(object).filter(|was| was.records.is_some()) else { return false };
    let Some(now) = schema.objects.iter_mut().find(|now| now.name == object && now.records.is_none()) else {
        return false;
    };
    now.records = was.records;
    for field in &mut now.fields {
        field.stats =
            was.field(&field.name).filter(|was| was.ty == field.ty).and_then(|was| was.stats.clone());
    }
    for pipeline in schema.pipelines.iter_mut().filter(|pipeline| pipeline.object == object) {
        let was = before.pipelines.iter().find(|was| was.object == object && was.code == pipeline.code);
        pipeline.records = was.map(|was| was.records.clone()).unwrap_or_default();
    }
    true
}
