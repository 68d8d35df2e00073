//! How findings leave the program: one type for every command that prints them.

use clap::ValueEnum;
use serde_json::Value;

use crate::lang::finding::{Finding, github, gitlab, json, junit, sarif};
use crate::lang::text::SourceText;

use super::Format;

/// How findings are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Shape {
    /// For people.
    Human,
    /// For programs: versioned, stable.
    Json,
    /// Findings as SARIF 2.1.0.
    Sarif,
    /// Findings as annotations of a GitHub workflow.
    Github,
    /// Findings as a GitLab code quality report.
    Gitlab,
    /// Findings as a JUnit report.
    Junit,
    /// `diff` and `drift` for a pull request, `provision` as a list to tick, a sample of `migrate` for a ticket, reports.
    Markdown,
    /// `scope`, `inventory` and `gaps` as one page that needs nothing else.
    Html,
    /// `audit` for spreadsheets.
    Csv,
    /// `status` as metrics, in Prometheus's text format.
    Prometheus,
}

impl Shape {
    /// How a command prints what is not a finding.
    pub fn format(self) -> Format {
        if self == Shape::Json { Format::Json } else { Format::Human }
    }

    /// Whether commands that print no findings have it too.
    pub fn is_for_all(self) -> bool {
        matches!(self, Shape::Human | Shape::Json)
    }

    /// Findings in one of the formats of other tools, as standard output gets them whole; `None` for `human` and
    /// `json`, which commands put into what else they print.
    pub fn report(self, files: &[(SourceText, Vec<Finding>)], deny_warnings: bool) -> Option<String> {
        let root = root();
        Some(match self {
            Shape::Human | Shape::Json | Shape::Markdown | Shape::Html | Shape::Csv => return None,
            Shape::Prometheus => return None,
            Shape::Sarif => sarif::render(files, &root, env!("CARGO_PKG_VERSION")),
            Shape::Github => github::render(files, &root),
            Shape::Gitlab => gitlab::render(files, &root),
            Shape::Junit => junit::render(files, &root, deny_warnings),
        })
    }
}

/// Findings of each file as `b2n-findings/1`.
pub fn json(files: &[(SourceText, Vec<Finding>)]) -> Vec<Value> {
    files
        .iter()
        .map(|(text, findings)| serde_json::from_str(&json::render(findings, text)).unwrap_or(Value::Null))
        .collect()
}

/// The folder that paths in reports are told below: CI runs in the repository's.
pub fn root() -> String {
    std::env::current_dir().map(|folder| folder.display().to_string()).unwrap_or_default()
}
