//! `b2n fmt`

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::lang::schema::Schema;
use crate::lang::syntax::{self, Bare, FormatError};
use crate::lang::text::SourceText;
use crate::lang::types::Base;

use super::cache::Cache;
use super::failure::{Failure, Kind};
use super::project::{Project, read_text};
use super::report;
use super::terminal::Terminal;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Specs to lay out.
    #[arg(value_name = "SPEC", required_unless_present = "stdin", conflicts_with = "stdin")]
    specs: Vec<PathBuf>,
    /// Change nothing; fail when a file is laid out otherwise.
    #[arg(long)]
    check: bool,
    /// Read a spec from standard input and print it laid out.
    #[arg(long)]
    stdin: bool,
    /// Add the titles of fields, values, stages and Smart Processes behind their codes, as the source snapshot has them.
    #[arg(long, conflicts_with = "stdin")]
    titles: bool,
}

pub fn run(args: &Args, terminal: &Terminal) -> Result<ExitCode, Failure> {
    if args.stdin {
        let mut bytes = Vec::new();
        std::io::stdin()
            .read_to_end(&mut bytes)
            .map_err(|error| Failure::outside(format!("standard input: {error}")))?;
        let text = SourceText::from_bytes("standard input", &bytes).map_err(|_| {
            Failure::usage("standard input is not UTF-8, or larger than 4 MiB").hint("pipe a `.b2n` spec in")
        })?;
        let formatted = format(&text, terminal)?;
        if args.check {
            return Ok(ExitCode::from(u8::from(formatted != text.text())));
        }
        print!("{formatted}");
        return Ok(ExitCode::SUCCESS);
    }
    let mut differ = false;
    for path in &args.specs {
        let text = match read_text(path)? {
            Ok(text) => text,
            Err(finding) => return Err(Failure::new(Kind::Findings, finding.message)),
        };
        let titled = if args.titles { with_titles(path, &text, terminal)? } else { text };
        let formatted = format(&titled, terminal)?;
        // A byte order mark or CRLF counts as laid out otherwise: the file's own bytes decide.
        let same = std::fs::read(path).is_ok_and(|bytes| bytes == formatted.as_bytes());
        if same {
            continue;
        }
        differ = true;
        if args.check {
            let path = path.display();
            if args.titles {
                println!(
                    "{path} lacks titles or is laid out otherwise; `b2n fmt --titles {path}` changes it"
                );
            } else {
                println!("{path} is laid out otherwise; `b2n fmt {path}` changes it");
            }
        } else {
            replace(path, &formatted)?;
        }
    }
    Ok(ExitCode::from(u8::from(args.check && differ)))
}

/// Writes beside the file and renames: a crash leaves the old file or the new one. Its rights stay, and a link stays
/// a link.
pub fn replace(path: &Path, text: &str) -> Result<(), Failure> {
    use std::io::Write;

    let real = std::fs::canonicalize(path).map_err(|error| Failure::file(path, &error))?;
    let beside = real.with_extension(format!("b2n.{}.tmp", std::process::id()));
    let written = std::fs::File::create(&beside).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.set_permissions(std::fs::metadata(&real)?.permissions())?;
        file.sync_all()
    });
    written.and_then(|()| std::fs::rename(&beside, &real)).map_err(|error| {
        let _ = std::fs::remove_file(&beside);
        Failure::file(path, &error)
    })
}

fn format(text: &SourceText, terminal: &Terminal) -> Result<String, Failure> {
    syntax::format(text).map_err(|error| refused(text, error, terminal))
}

fn refused(text: &SourceText, error: FormatError, terminal: &Terminal) -> Failure {
    match error {
        FormatError::Unreadable(findings) => {
            eprint!("{}", report::findings(&[(text.clone(), findings)], terminal));
            Failure::new(Kind::Findings, format!("`{}` has syntax errors and stays as it is", text.name()))
                .hint("mend what is listed above, then lay it out again")
        }
        FormatError::WouldChange => Failure::new(
            Kind::Findings,
            format!("`{}` would say something else when laid out, so it stays as it is", text.name()),
        )
        .hint(
            "this is a fault of b2n: report it with the spec, or with the smallest part of it that shows it",
        ),
    }
}

/// The spec with the titles of its source snapshot.
fn with_titles(path: &Path, text: &SourceText, terminal: &Terminal) -> Result<SourceText, Failure> {
    let project = Project::check(path, text.clone(), &Cache::from_environment());
    let Some(schema) = &project.source else {
        return Err(Failure::new(
            Kind::Findings,
            format!(
                "`{}` has no source snapshot that can be read, which is where titles come from",
                text.name()
            ),
        )
        .hint(format!("see why with `b2n check {}`, or leave `--titles` out", text.name())));
    };
    match syntax::add_titles(text, &|bare| title(schema, bare)) {
        Ok(titled) => Ok(SourceText::new(text.name(), titled)),
        Err(error) => Err(refused(text, error, terminal)),
    }
}

/// The title of a code, where a reader of the spec needs it: fields that the system itself named in words do without.
fn title(schema: &Schema, bare: Bare<'_>) -> Option<String> {
    let value = |domain: &str, code: &str| {
        let domain = schema.domains.get(domain)?;
        domain.choices.iter().find(|choice| choice.code == code)?.title.clone()
    };
    let stage = |object: &str, category: Option<&str>, code: &str| {
        let mut titles = schema
            .pipelines
            .iter()
            .filter(|pipeline| pipeline.object == object)
            .filter(|pipeline| category.is_none_or(|category| pipeline.code == category))
            .filter_map(|pipeline| pipeline.stages.iter().find(|stage| stage.code == code))
            .map(|stage| stage.name.clone());
        // Pipelines may name a stage differently; then none of the names is the stage's.
        let first = titles.next()?;
        titles.all(|title| title == first).then_some(first)
    };
    match bare {
        Bare::Object(object) if object.contains(' ') => schema.object(object)?.title.clone(),
        Bare::Object(_) => None,
        Bare::Field { object, field } => {
            let found = schema.object(object)?.field(field)?;
            found.title.clone().filter(|_| found.custom || field.contains(|c: char| c.is_ascii_digit()))
        }
        Bare::ValueOf { object, field, code } => match &schema.object(object)?.field(field)?.ty.base {
            Base::Enum(domain) => value(domain, code),
            Base::Stage => stage(object, None, code),
            _ => None,
        },
        Bare::Value { domain, code } => value(domain, code),
        Bare::Category { object, code } => {
            let found = schema.pipelines.iter().find(|p| p.object == object && p.code == code);
            found.map(|pipeline| pipeline.name.clone())
        }
        Bare::Stage { object, category, code } => stage(object, category, code),
    }
}
