//! `b2n fmt`

use std::io::Read;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::lang::syntax;
use crate::lang::text::SourceText;

use super::failure::{Failure, Kind};
use super::project::read_text;
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
        let formatted = format(&text, terminal)?;
        // A byte order mark or CRLF counts as laid out otherwise: the file's own bytes decide.
        let same = std::fs::read(path).is_ok_and(|bytes| bytes == formatted.as_bytes());
        if same {
            continue;
        }
        differ = true;
        if args.check {
            println!("{} is laid out otherwise; `b2n fmt {}` changes it", path.display(), path.display());
        } else {
            replace(path, &formatted)?;
        }
    }
    Ok(ExitCode::from(u8::from(args.check && differ)))
}

/// Writes beside the file and renames: a crash leaves the old file or the new one. Its rights stay, and a link stays
/// a link.
pub fn replace(path: &std::path::Path, text: &str) -> Result<(), Failure> {
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
    syntax::format(text).map_err(|findings| {
        eprint!("{}", report::findings(&[(text.clone(), findings)], terminal));
        Failure::new(Kind::Findings, format!("`{}` has syntax errors and stays as it is", text.name()))
            .hint("mend what is listed above, then lay it out again")
    })
}
