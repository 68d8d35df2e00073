//! `b2n report`

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::face::report::migration;
use crate::run::connect::http::SystemRandom;
use crate::run::connect::outside::Random;
use crate::run::engine::dossier::{self, Dossier, FORMAT, Input, Lists, Outcome, Veil};
use crate::run::workspace::Workspace;

use super::csv::Csv;
use super::failure::Failure;
use super::fresh::Fresh;
use super::project::Project;
use super::terminal::Terminal;
use super::{Format, PaceArgs, SpecArgs, WorkspaceArgs};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    spec: SpecArgs,
    #[command(flatten)]
    workspace: WorkspaceArgs,
    #[command(flatten)]
    pace: PaceArgs,
    /// The folder for the report; by default beside the spec, with the ending `.report`. An earlier report in it is
    /// replaced.
    #[arg(short, long, value_name = "FOLDER")]
    output: Option<PathBuf>,
    /// Show every value of a record, and every person's name, as a salted hash: the same value, the same hash.
    #[arg(long)]
    hash_values: bool,
    /// Begin each CSV file with a byte order mark, by which some spreadsheets tell UTF-8.
    #[arg(long)]
    bom: bool,
    /// Write into a folder that holds something else than a report; what is there and of another name stays.
    #[arg(long)]
    force: bool,
}

/// The data that every other file is made of.
const DATA: &str = "report.json";

/// The page.
const PAGE: &str = "report.html";

/// The note of the salt under which values are hashed: one workspace, one salt.
const SALT: &str = "report salt";

pub fn run(args: &Args, terminal: &Terminal) -> Result<ExitCode, Failure> {
    let ready = Project::load(&args.spec.spec)?.ready(terminal)?;
    let workspace = Workspace::open_existing(&args.workspace.path(&args.spec.spec))?;
    let folder = args.output.clone().unwrap_or_else(|| args.spec.spec.with_extension("report"));
    let earlier = earlier(&folder, args.force)?;
    let veil = if args.hash_values { Veil::hashed(&salt(&workspace)?, &ready.plan) } else { Veil::Open };
    let spec = args.spec.spec.file_name().map(|name| name.to_string_lossy().into_owned());
    let mut files = Files::create(&folder, args.bom)?;
    let dossier = dossier::dossier(
        &Input {
            spec: &spec.unwrap_or_default(),
            plan: &ready.plan,
            source: &ready.source,
            workspace: &workspace,
            pace: args.pace.pace(),
            veil: &veil,
        },
        &mut files,
    )?;
    let json = serde_json::to_string_pretty(&dossier)
        .map_err(|why| Failure::outside(format!("the report cannot be written as JSON: {why}")))?;
    files.text(DATA, &format!("{json}\n"))?;
    files.text(PAGE, &migration::page(&dossier))?;
    files.finish(&earlier)?;
    workspace.exported(&folder, jiff::Timestamp::now().as_millisecond())?;
    show(&dossier, &folder, terminal);
    let good = matches!(dossier.verdict.outcome, Outcome::Whole | Outcome::HeldBack);
    Ok(ExitCode::from(u8::from(!good)))
}

fn show(dossier: &Dossier, folder: &Path, terminal: &Terminal) {
    let page = folder.join(PAGE);
    match terminal.format {
        Format::Human => {
            for (at, line) in migration::summary(dossier).iter().enumerate() {
                println!("{}", if at == 0 { terminal.bold(line) } else { format!("  {line}") });
            }
            println!("wrote {} with {} files beside it", page.display(), dossier.lists.len() + 1);
        }
        Format::Json => println!(
            "{}",
            serde_json::json!({
                "format": FORMAT, "folder": folder.display().to_string(), "page": page.display().to_string(),
                "about": dossier.about, "verdict": dossier.verdict, "rows": dossier.rows,
            })
        ),
    }
}

/// The salt of a workspace, made when it is first asked for.
fn salt(workspace: &Workspace) -> Result<String, Failure> {
    if let Some(salt) = workspace.note(SALT)? {
        return Ok(salt);
    }
    let random = SystemRandom::default();
    let salt = format!("{:016x}{:016x}", random.next_u64(), random.next_u64());
    workspace.set_note(SALT, &salt)?;
    Ok(salt)
}

/// The files of the report that is in the folder; refused is a folder that holds something else.
fn earlier(folder: &Path, force: bool) -> Result<Vec<String>, Failure> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Failure::file(folder, &error)),
    };
    let data = std::fs::read(folder.join(DATA)).ok();
    let json: Option<serde_json::Value> = data.and_then(|data| serde_json::from_slice(&data).ok());
    let name =
        |format: &serde_json::Value| format.as_str().is_some_and(|name| name.starts_with("b2n-report/"));
    if let Some(json) = json.filter(|json| name(&json["format"])) {
        let lists = json["lists"].as_array().into_iter().flatten();
        let files = lists.filter_map(|list| list["file"].as_str());
        // Names of our own making have no folder in them; whatever else stands there is not followed.
        let ours = |file: &&str| file.ends_with(".csv") && !file.contains(['/', '\\']);
        return Ok(files.filter(ours).map(str::to_owned).collect());
    }
    if entries.count() > 0 && !force {
        return Err(Failure::usage(format!("`{}` holds something that is no report", folder.display()))
            .hint("name another folder with `-o FOLDER`, or write into this one with `--force`"));
    }
    Ok(Vec::new())
}

/// The files of a report under way. All get their names at the end, so that no page stands beside another one's lists.
struct Files<'f> {
    folder: &'f Path,
    bom: bool,
    done: Vec<(String, Pending)>,
}

/// A file that is whole and has no name yet.
enum Pending {
    Csv(Csv),
    Text(Fresh),
}

impl<'f> Files<'f> {
    fn create(folder: &'f Path, bom: bool) -> Result<Files<'f>, Failure> {
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::DirBuilderExt;
            builder.mode(0o700);
        }
        builder.create(folder).map_err(|error| Failure::file(folder, &error))?;
        Ok(Files { folder, bom, done: Vec::new() })
    }

    fn text(&mut self, name: &str, text: &str) -> Result<(), Failure> {
        let mut file = Fresh::create(&self.folder.join(name))?;
        file.write(text)?;
        file.close()?;
        self.done.push((name.to_owned(), Pending::Text(file)));
        Ok(())
    }

    /// Gives every file its name, the page last, and removes what an earlier report had and this one has not.
    fn finish(self, earlier: &[String]) -> Result<(), Failure> {
        let names: Vec<String> = self.done.iter().map(|(name, _)| name.clone()).collect();
        for (_, file) in self.done {
            match file {
                Pending::Csv(csv) => csv.finish()?,
                Pending::Text(file) => file.finish()?,
            }
        }
        for gone in earlier.iter().filter(|file| !names.contains(file)) {
            let path = self.folder.join(gone);
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(Failure::file(&path, &error));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

impl Lists for Files<'_> {
    type Error = Failure;

    fn begin(&mut self, file: &str, head: &[&str]) -> Result<(), Failure> {
        self.done
            .push((file.to_owned(), Pending::Csv(Csv::marked(&self.folder.join(file), head, self.bom)?)));
        Ok(())
    }

    fn row(&mut self, cells: &[&str]) -> Result<(), Failure> {
        match self.done.last_mut() {
            Some((_, Pending::Csv(csv))) => csv.row(cells),
            _ => Ok(()),
        }
    }

    fn end(&mut self) -> Result<(), Failure> {
        match self.done.last_mut() {
            Some((_, Pending::Csv(csv))) => csv.close(),
            _ => Ok(()),
        }
    }
}
