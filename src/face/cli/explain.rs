//! `b2n explain`

use std::process::ExitCode;

use serde_json::json;

use crate::lang::finding::{self, Code, registry};
use crate::lang::functions::{self, Function};

use super::Format;
use super::failure::Failure;
use super::terminal::Terminal;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The code, such as B2N-E0301 (`E0301` will do), a function's name, or `functions` for all of them.
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
    if text == "functions" {
        for function in functions::all() {
            show_function(function, false, terminal);
        }
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(function) = functions::find(text) {
        show_function(function, true, terminal);
        return Ok(ExitCode::SUCCESS);
    }
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

/// A built-in function: its signature and first sentence, or with `whole` its doc and examples.
fn show_function(function: &Function, whole: bool, terminal: &Terminal) {
    if terminal.format == Format::Json {
        let examples: Vec<_> = function
            .examples
            .iter()
            .map(|example| json!({"call": example.call, "gives": example.gives}))
            .collect();
        println!(
            "{}",
            json!({
                "format": "b2n-function/1", "name": function.name, "signature": function.signature,
                "doc": function.doc, "examples": examples,
            })
        );
        return;
    }
    println!("{}", terminal.bold(function.signature));
    if !whole {
        println!("  {}", function.doc.split(". ").next().unwrap_or_default().trim_end_matches('.'));
        return;
    }
    println!("\n{}\n", function.doc);
    for example in function.examples {
        println!("  {}  gives  {}", example.call, example.gives);
    }
}
