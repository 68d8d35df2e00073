//! `b2n explain`

use std::process::ExitCode;

use serde_json::json;

use crate::lang::finding::{self, Code, registry};

use super::Format;
use super::failure::Failure;
use super::terminal::Terminal;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The code, such as B2N-E0301; `E0301` will do.
    #[arg(value_name = "CODE", required_unless_present = "list")]
    code: Option<String>,
    /// List every code.
    #[arg(long)]
    list: bool,
}

pub fn run(args: &Args, terminal: &Terminal) -> Result<ExitCode, Failure> {
    if args.list {
        for code in registry::ALL {
            match terminal.format {
                Format::Human => println!("{code}  {}", code.title()),
                Format::Json => println!("{}", json!({"code": code, "title": code.title()})),
            }
        }
        return Ok(ExitCode::SUCCESS);
    }
    let text = args.code.as_deref().unwrap_or_default();
    let Some(code) = Code::parse(text) else {
        return Err(Failure::usage(format!("there is no code `{text}`"))
            .hint("list every code with `b2n explain --list`"));
    };
    match terminal.format {
        Format::Human => print!("{}", finding::explain(code)),
        Format::Json => println!(
            "{}",
            json!({"format": "b2n-explain/1", "code": code, "title": code.title(), "page": code.page()})
        ),
    }
    Ok(ExitCode::SUCCESS)
}
