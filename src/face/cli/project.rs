//! A spec with its snapshots, read and checked: what every command begins with.

use std::path::{Path, PathBuf};

use crate::lang::check::profile::{self, Inactive, Layer};
use crate::lang::check::{self, Accepted, Input, MapFidelity};
use crate::lang::finding::{Finding, Severity, registry};
use crate::lang::plan::{Certificate, Plan};
use crate::lang::schema::{Schema, packed, snapshot};
use crate::lang::suite;
use crate::lang::syntax::ast;
use crate::lang::text::{SourceText, TextError};

use super::cache::Cache;
use super::failure::{Failure, Kind};
use super::terminal::Terminal;
use super::{Format, profiles, report};

/// A checked spec.
pub struct Project {
    /// The spec's text, joined with those of its profiles where it has some.
    pub text: SourceText,
    /// The effective spec: what profiles hold is in it.
    pub spec: ast::Spec,
    pub source: Option<Schema>,
    pub target: Option<Schema>,
    pub plan: Option<Plan>,
    /// Each file with its findings, the spec (with its profiles) first.
    pub findings: Vec<(SourceText, Vec<Finding>)>,
    /// Findings that somebody has agreed to.
    pub accepted: Vec<Accepted>,
    /// What the plan keeps and loses, map by map.
    pub fidelity: Vec<MapFidelity>,
    /// Where every item comes from.
    pub layers: Vec<Layer>,
    /// What of profiles does not apply.
    pub inactive: Vec<Inactive>,
}

/// A project that may run.
pub struct Ready {
    pub plan: Plan,
    pub certificate: Certificate,
    pub source: Schema,
    pub target: Schema,
}

/// Reads a file as text; what is wrong with its bytes is a finding.
pub fn read_text(path: &Path) -> Result<Result<SourceText, Finding>, Failure> {
    let shown = path.display().to_string();
    let bytes = std::fs::read(path).map_err(|error| {
        Failure::file(path, &error)
            .hint("name a `.b2n` file that is there; `b2n init FOLDER` makes one to start with")
    })?;
    Ok(SourceText::from_bytes(shown.clone(), &bytes).map_err(|error| text_finding(&shown, &error)))
}

fn text_finding(shown: &str, error: &TextError) -> Finding {
    match error {
        TextError::NotUtf8 { at, line } => {
            Finding::new(registry::NOT_UTF8, format!("`{shown}` is not UTF-8: byte {at}, on line {line}"))
                .help("save the file as UTF-8 in the editor, then run the command again")
        }
        TextError::TooLarge { bytes } => Finding::new(
            registry::FILE_TOO_LARGE,
            format!("`{shown}` has {bytes} bytes; 4 MiB are read at most"),
        )
        .help("split what belongs to other customers off, or check that this is the right file"),
    }
}

impl Project {
    /// Reads a spec and its snapshots and checks them. What is wrong is a finding; only a spec that cannot be read
    /// at all is a failure.
    pub fn load(path: &Path) -> Result<Project, Failure> {
        Project::load_with(path, &Cache::from_environment())
    }

    /// The same with another cache of snapshots.
    pub fn load_with(path: &Path, cache: &Cache) -> Result<Project, Failure> {
        let text = match read_text(path)? {
            Ok(text) => text,
            Err(finding) => {
                let text = SourceText::new(path.display().to_string(), "");
                let findings = vec![(text.clone(), vec![finding])];
                return Ok(Project {
                    text,
                    spec: ast::Spec::default(),
                    source: None,
                    target: None,
                    plan: None,
                    findings,
                    accepted: Vec::new(),
                    fidelity: Vec::new(),
                    layers: Vec::new(),
                    inactive: Vec::new(),
                });
            }
        };
        Ok(Project::check(path, text, cache))
    }

    /// Checks a text as if it stood at `path`: snapshots are looked for beside it.
    pub fn check(path: &Path, text: SourceText, cache: &Cache) -> Project {
        let folder = path.parent().unwrap_or(Path::new(""));
        let mut loaded = profiles::load(text, folder);
        let mut findings = std::mem::take(&mut loaded.findings);
        let syntax_errors = findings.iter().any(|finding| finding.severity == Severity::Error);
        let broken = check::broken(&findings);
        let (locked, lock) = profiles::check_lock(&loaded, folder, &path.display().to_string());
        findings.extend(locked);
        let mut others: Vec<_> = lock.into_iter().collect();
        let text = loaded.text;
        let resolved = profile::resolve(loaded.parts, &text);
        findings.extend(resolved.findings);
        let spec = resolved.spec;
        let source = system(&spec, folder, true, cache, &mut findings, &mut others);
        let target = system(&spec, folder, false, cache, &mut findings, &mut others);
        let hash = |schema: &Option<Schema>| schema.as_ref().map(Schema::hash).unwrap_or_default();
        let checked = check::check(&Input {
            spec: &spec,
            text: &text,
            // Without its profiles nearly everything in a spec would be wrong.
            source: source.as_ref().filter(|_| !loaded.partial),
            target: target.as_ref().filter(|_| !loaded.partial),
            source_hash: &hash(&source),
            target_hash: &hash(&target),
            source_name: &snapshot_name(&spec, true),
            target_name: &snapshot_name(&spec, false),
            today: jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date(),
            broken: &broken,
        });
        findings.extend(checked.findings);
        if let (Some(source), Some(target), false) = (&source, &target, loaded.partial) {
            let plan = checked.plan.as_ref();
            findings.extend(suite::check(suite::Input { spec: &spec, text: &text, plan, source, target }));
        }
        findings.sort_by_key(|finding| {
            finding.label.as_ref().map_or((u32::MAX, 0), |label| (label.span.start, label.span.end))
        });
        let wrong = findings.iter().any(Finding::forbids_plan);
        let broken =
            syntax_errors || wrong || others.iter().any(|(_, findings): &(_, Vec<_>)| !findings.is_empty());
        let plan = checked.plan.filter(|_| !broken);
        let mut all = vec![(text.clone(), findings)];
        all.extend(others);
        let mut inactive = resolved.inactive;
        inactive.extend(checked.inactive);
        Project {
            text,
            spec,
            source,
            target,
            plan,
            findings: all,
            accepted: checked.accepted,
            fidelity: checked.fidelity,
            layers: resolved.layers,
            inactive,
        }
    }

    /// Errors and warnings over all files.
    pub fn counts(&self) -> (usize, usize) {
        let all = self.findings.iter().flat_map(|(_, findings)| findings);
        let errors = all.clone().filter(|finding| finding.severity == Severity::Error).count();
        (errors, all.count() - errors)
    }

    /// What the spec was checked with, where a plan was made.
    pub fn certificate(&self) -> Option<Certificate> {
        self.plan.as_ref().map(|plan| Certificate::new(plan, &self.text))
    }

    /// The plan, or every finding printed and the failure that says so.
    pub fn ready(self, terminal: &Terminal) -> Result<Ready, Failure> {
        match (self.plan, self.source, self.target) {
            (Some(plan), Some(source), Some(target)) => {
                let certificate = Certificate::new(&plan, &self.text);
                Ok(Ready { plan, source, target, certificate })
            }
            _ => {
                if terminal.format == Format::Human {
                    eprint!("{}", report::findings(&self.findings, terminal));
                }
                Err(Failure::new(Kind::Findings, format!("`{}` does not check", self.text.name()))
                    .hint(format!("see every finding with `b2n check {}`", self.text.name())))
            }
        }
    }
}

fn declared(spec: &ast::Spec, source: bool) -> Option<&ast::System> {
    spec.items.iter().find_map(|item| match item {
        ast::Item::Source(system) if source => Some(system),
        ast::Item::Target(system) if !source => Some(system),
        _ => None,
    })
}

fn snapshot_name(spec: &ast::Spec, source: bool) -> String {
    declared(spec, source).map(|system| system.snapshot.value.clone()).unwrap_or_default()
}

/// Reads one side's snapshot.
fn system(
    spec: &ast::Spec,
    folder: &Path,
    source: bool,
    cache: &Cache,
    findings: &mut Vec<Finding>,
    others: &mut Vec<(SourceText, Vec<Finding>)>,
) -> Option<Schema> {
    let system = declared(spec, source)?;
    let name = &system.snapshot.value;
    let path: PathBuf = folder.join(name);
    let missing = |why: String| {
        Finding::new(registry::SNAPSHOT_MISSING, format!("snapshot `{name}` cannot be read: {why}"))
            .at(system.snapshot.span, "looked for beside the spec")
            .help(format!("take one with `b2n snapshot {} -o {}`", system.connector.value, path.display()))
    };
    if Path::new(name).is_absolute()
        || Path::new(name).components().any(|c| c == std::path::Component::ParentDir)
    {
        findings.push(
            missing("it lies outside the spec's folder".to_owned())
                .help("keep snapshots in the spec's folder, so that CI finds them"),
        );
        return None;
    }
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) => {
            findings.push(missing(super::failure::why(&error)));
            return None;
        }
    };
    let key = packed::key(&bytes);
    let known = cache.get(&key).and_then(|packed| packed::unpack(&key, &packed));
    let shown = path.display().to_string();
    let text = match SourceText::from_bytes(shown.clone(), &bytes) {
        Ok(text) => text,
        Err(error) => {
            findings.push(text_finding(&shown, &error));
            return None;
        }
    };
    let read = match known {
        Some(schema) => Ok(schema),
        None => snapshot::read(&text).inspect(|schema| cache.put(&key, &packed::pack(&key, schema))),
    };
    match read {
        Ok(schema) if schema.connector != system.connector.value => {
            findings.push(
                Finding::new(
                    registry::SNAPSHOT_INVALID,
                    format!(
                        "`{name}` is a snapshot of `{}`, not of `{}`",
                        schema.connector, system.connector.value
                    ),
                )
                .at(system.snapshot.span, "this file")
                .help("name the snapshot of this system, or the connector that made it"),
            );
            None
        }
        Ok(schema) => Some(schema),
        Err(problems) => {
            others.push((text, problems));
            None
        }
    }
}
