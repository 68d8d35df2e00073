//! `b2n doc`

use std::path::PathBuf;
use std::process::ExitCode;

use clap::ValueEnum;

use crate::lang::doc::{Input, build, html, markdown};

use super::failure::Failure;
use super::project::Project;
use super::terminal::Terminal;
use super::{Format, SpecArgs};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    spec: SpecArgs,
    /// Where the document goes; standard output without it.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// The document's format; by default what the ending of the file says, else Markdown.
    #[arg(long = "as", value_enum, value_name = "FORMAT")]
    form: Option<Form>,
    /// Leave out the comments that stand above the spec's lines.
    #[arg(long)]
    no_remarks: bool,
}

/// A document's format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    /// Markdown, for a repository.
    Md,
    /// One HTML page, for printing and signing.
    Html,
}

pub fn run(args: &Args, terminal: &Terminal) -> Result<ExitCode, Failure> {
    if terminal.format == Format::Json {
        return Err(Failure::usage("the mapping document is Markdown or HTML").hint(
            "leave `--format` away, or write `--as html`; `b2n check --format json` has what it tells as data",
        ));
    }
    let project = Project::load(&args.spec.spec)?;
    let text = project.text.clone();
    let agreed = super::profiles::agreed(&project.accepted, &text);
    let ready = project.ready(terminal)?;
    let document = build(&Input {
        plan: &ready.plan,
        certificate: &ready.certificate,
        source: &ready.source,
        target: &ready.target,
        text: (!args.no_remarks).then_some(&text),
        agreed: &agreed,
    });
    let ending = args.output.as_ref().and_then(|path| path.extension()).map(|e| e.to_ascii_lowercase());
    let form = args.form.unwrap_or(match ending.as_deref().and_then(|ending| ending.to_str()) {
        Some("html" | "htm") => Form::Html,
        _ => Form::Md,
    });
    let written = match form {
        Form::Md => markdown::render(&document),
        Form::Html => html::render(&document),
    };
    match &args.output {
        Some(path) => {
            std::fs::write(path, written).map_err(|error| Failure::file(path, &error))?;
            eprintln!("wrote {} under certificate {}", path.display(), &ready.certificate.certificate[..16]);
        }
        None => print!("{written}"),
    }
    Ok(ExitCode::SUCCESS)
}
