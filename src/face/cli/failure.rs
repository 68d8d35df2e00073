//! How a command ends when it cannot do what was asked.

use std::process::ExitCode;

use crate::run::{connect, engine, workspace};

use super::Format;
use super::terminal::Terminal;

/// What kind of failure it is; decides the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Findings were printed, or books do not close.
    Findings,
    /// The command was used wrongly: a file that is not there, a flag that does not fit.
    Usage,
    /// The outside world failed: network, credentials, disk. Run again later.
    Outside,
    /// Somebody stopped it. The same command goes on from there.
    Interrupted,
}

/// Why a file cannot be read, in words that are the same on every system where that is usual.
pub fn why(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
        std::io::ErrorKind::PermissionDenied => "it may not be opened".to_owned(),
        _ => {
            let text = error.to_string();
            text.split(" (os error").next().unwrap_or(&text).to_owned()
        }
    }
}

impl Kind {
    fn code(self) -> u8 {
        match self {
            Kind::Findings => 1,
            Kind::Usage => 2,
            Kind::Outside | Kind::Interrupted => 3,
        }
    }
}

/// A failure with what to do next.
#[derive(Debug)]
pub struct Failure {
    kind: Kind,
    message: String,
    hints: Vec<String>,
}

impl Failure {
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Failure { kind, message: message.into(), hints: Vec::new() }
    }

    pub fn usage(message: impl Into<String>) -> Self {
        Failure::new(Kind::Usage, message)
    }

    pub fn outside(message: impl Into<String>) -> Self {
        Failure::new(Kind::Outside, message)
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Whether somebody stopped it.
    pub fn is_interrupted(&self) -> bool {
        self.kind == Kind::Interrupted
    }

    /// The exit code that it ends with.
    pub fn code(&self) -> u8 {
        self.kind.code()
    }

    /// A file that could not be read or written.
    pub fn file(path: &std::path::Path, error: &std::io::Error) -> Self {
        let kind = match error.kind() {
            std::io::ErrorKind::NotFound
            | std::io::ErrorKind::PermissionDenied
            | std::io::ErrorKind::AlreadyExists => Kind::Usage,
            _ => Kind::Outside,
        };
        Failure::new(kind, format!("`{}`: {error}", path.display()))
    }

    /// Prints it and gives the exit code.
    pub fn show(&self, terminal: &Terminal) -> ExitCode {
        match terminal.format {
            Format::Json => {
                let json = serde_json::json!({
                    "format": "b2n-error/1", "error": self.message, "help": self.hints, "exit": self.kind.code(),
                });
                println!("{json}");
            }
            Format::Human => {
                eprintln!("{} {}", terminal.red("error:"), self.message);
                for hint in &self.hints {
                    eprintln!("  {} {hint}", terminal.cyan("help:"));
                }
            }
        }
        ExitCode::from(self.kind.code())
    }
}

impl From<workspace::Error> for Failure {
    fn from(error: workspace::Error) -> Self {
        let kind = match &error {
            workspace::Error::Storage { .. } | workspace::Error::File { .. } => Kind::Outside,
            _ => Kind::Usage,
        };
        let failure = Failure::new(kind, error.to_string());
        match error {
            workspace::Error::Storage { .. } => {
                failure.hint("free space and check the file's rights, then run the same command again: it goes on from there")
            }
            workspace::Error::Locked { holder, .. } => failure.hint(super::account::stop(holder)),
            workspace::Error::OtherAccount { pinned, what: "the source account", .. } => failure.hint(format!(
                "set the credentials of the account that the workspace is bound to; if it was renamed, run `b2n extract SPEC` once with \
                 its old address, `{pinned}`: where that redirects to is its name too from then on"
            )),
            _ => failure,
        }
    }
}

impl From<connect::Error> for Failure {
    fn from(error: connect::Error) -> Self {
        let failure = Failure::outside(error.to_string());
        match error {
            connect::Error::Unreachable { .. } => {
                failure.hint("check the address and the network, then run the same command again: it goes on from there")
            }
            connect::Error::Denied { .. } => {
                failure.hint("check B2N_BITRIX24_WEBHOOK, or B2N_NUTSHELL_USER and B2N_NUTSHELL_KEY, and what their owner may do")
            }
            connect::Error::WrongAccount { .. } => {
                failure.hint("set the credentials of the account that the workspace is bound to, or name another --workspace")
            }
            connect::Error::Malformed { .. } | connect::Error::Inconsistent { .. } | connect::Error::Refused { .. } => {
                failure.hint("run the same command again; when it fails in the same way, report it with this message")
            }
        }
    }
}

impl From<engine::Error> for Failure {
    fn from(error: engine::Error) -> Self {
        match error {
            engine::Error::Connect(error) => error.into(),
            engine::Error::Workspace(error) => error.into(),
            engine::Error::Preflight(problems) => {
                let mut failure = Failure::new(
                    Kind::Findings,
                    "the plan does not fit the accounts as they are now; no record was written by this run",
                );
                for problem in problems {
                    failure = failure.hint(format!("{}: {}", problem.what, problem.next));
                }
                failure
            }
            engine::Error::Unconfirmed(items) => {
                let mut failure = Failure::new(
                    Kind::Findings,
                    "nobody has confirmed what the destination may do by itself; no record was written by this run",
                );
                for item in &items {
                    failure =
                        failure.hint(format!("`{}`: {}: {}", item.work.item, item.work.what, item.work.next));
                }
                let items: Vec<&str> = items.iter().map(|item| item.work.item).collect();
                failure.hint(format!("then run `b2n provision SPEC --confirm {}`", items.join(",")))
            }
            engine::Error::Unapproved { plan, why } => {
                let failure = Failure::new(
                    Kind::Findings,
                    format!("plan {plan} is not approved: {why}; this run wrote nothing"),
                );
                failure.hint(match why {
                    engine::Unapproved::SampleOnly(most) => format!(
                        "draw no more with `b2n migrate SPEC --sample {most}`, or approve all of it with `b2n approve SPEC`"
                    ),
                    _ => "`b2n approve SPEC` shows what it does and keeps who approves it; with `--sample N`, for samples \
                          only"
                        .to_owned(),
                })
            }
            engine::Error::NotClosed { phase, lines } => {
                let mut failure =
                    Failure::new(Kind::Findings, format!("phase {phase} does not close; the run ends here"));
                for line in lines {
                    failure = failure.hint(line);
                }
                failure.hint(
                    "list what differs with `b2n reconcile SPEC --out FILE`, and what was held back with `b2n quarantine list SPEC`; then run the same command again",
                )
            }
            engine::Error::Budget { phase, lines } => {
                let mut failure = Failure::new(
                    Kind::Findings,
                    format!("the budget is exceeded after phase {phase}; the run ends here"),
                );
                for line in lines {
                    failure = failure.hint(line);
                }
                failure.hint(
                    "look at what is held back with `b2n quarantine list SPEC`, and at flags with `b2n status SPEC`; mend the spec or agree on another limit, then run again",
                )
            }
            engine::Error::Count { .. }
            | engine::Error::Lacking { .. }
            | engine::Error::Stopped { .. }
            | engine::Error::MarkerLost { .. }
            | engine::Error::Vanished { .. }
            | engine::Error::OtherWorkspace { .. } => Failure::new(Kind::Findings, error.to_string()),
            engine::Error::Needed { ref by, .. } => {
                let first = by.iter().map(|(map, _)| map.as_str()).find(|map| !map.starts_with("notes of "));
                let failure = Failure::usage(error.to_string());
                match first {
                    Some(map) => failure.hint(format!(
                        "roll these back first, such as with `--only {map}`, or everything, without `--only`"
                    )),
                    None => failure.hint("roll everything back, without `--only`"),
                }
            }
            engine::Error::MapMoved { .. }
            | engine::Error::Selection(_)
            | engine::Error::NotStaged { .. }
            | engine::Error::NoItem { .. }
            | engine::Error::Plan(_)
            | engine::Error::RollbackOpen
            | engine::Error::OtherRollback { .. }
            | engine::Error::NoRollback(_) => Failure::usage(error.to_string()),
            engine::Error::Interrupted => Failure::new(Kind::Interrupted, error.to_string()),
            engine::Error::Denied(_) | engine::Error::Restless { .. } => Failure::outside(error.to_string()),
        }
    }
}
