//! Rows of pipelines: which source stage goes to which stage of the destination.

use std::collections::BTreeSet;

use super::bounds::{Bounds, Population};
use super::compare::{Context, Draft, instead};
use super::show::{Scope, quoted, stage_words};
use super::values::{Place, action, titled};
use super::{Action, Loss, Pair, Subject, Touch, loss};
use crate::lang::plan::{Expr, Pipeline, StageTo, walk};

/// The source fields that a stage is taken from.
pub(super) struct Fields {
    category: Option<String>,
    stage: Option<String>,
}

impl<'a> Context<'a> {
    pub(super) fn pipelines(&mut self) {
        let old_places = self.places(self.old);
        let new_places = self.places(self.new);
        for pair in self.matched.pipelines.clone() {
            let old = pair.old.map(|at| &self.old.plan.pipelines[at]);
            let new = pair.new.map(|at| &self.new.plan.pipelines[at]);
            let Some(pipeline) = new.or(old) else { continue };
            let id = format!("pipeline {}", pipeline.name);
            let at = (old.and_then(|p| self.at_old(p.line)), new.and_then(|p| self.at_new(p.line)));
            match (old, new) {
                (Some(old), Some(new)) => {
                    if old.name != new.name {
                        let what = format!("pipeline `{}` is now called `{}`", old.name, new.name);
                        self.note(Subject::Pipeline, Action::Renamed, id, what, at);
                    }
                    let reaches = self.stage_reaches(&new_places, &new.object);
                    self.pipeline(old, new, &reaches);
                }
                _ => {
                    let added = new.is_some();
                    let reaches =
                        self.stage_reaches(if added { &new_places } else { &old_places }, &pipeline.object);
                    let of = if pipeline.category.is_empty() {
                        format!("`{}`", pipeline.object)
                    } else {
                        format!("`{}` category `{}`", pipeline.object, pipeline.category)
                    };
                    let what = if added {
                        format!("pipeline `{}` is new: it takes the stages of {of}", pipeline.name)
                    } else {
                        format!("pipeline `{}` is gone: it took the stages of {of}", pipeline.name)
                    };
                    let draft = Draft {
                        subject: Subject::Pipeline,
                        action: if added { Action::Added } else { Action::Removed },
                        id,
                        what,
                        loss: if added { Loss::Healed } else { Loss::Gained },
                        old: at.0,
                        new: at.1,
                        touches: Vec::new(),
                    };
                    let bounds = self.population(&pipeline.object).map(|p| {
                        let mut sum = Bounds::NONE;
                        for stage in pipeline.rows.keys() {
                            let one = p.in_stage(&pipeline.category, stage);
                            sum = Bounds { low: sum.low + one.low, high: (sum.high + one.high).min(p.all) };
                        }
                        within(p, sum, &reaches)
                    });
                    self.push(draft, &pipeline.object, bounds);
                }
            }
        }
    }

    /// Rules that write a stage of an object's records.
    fn stage_reaches(
        &self,
        places: &[Place<'a>],
        object: &str,
    ) -> Vec<(Pair, String, bool, Option<Bounds>, Fields)> {
        let mut all = Vec::new();
        // A folded object has no stage of its own in the destination.
        for place in places.iter().filter(|place| place.object == object && place.scope.outer.is_none()) {
            walk::of_rule(place.rule, &mut |top| {
                walk::deep(top, &mut |expr| {
                    let Expr::Stage { category, stage, .. } = expr else { return };
                    let field = |expr: &Expr| match expr {
                        Expr::Slot(slot) => Some(place.scope.slot(*slot)),
                        _ => None,
                    };
                    let sure = std::ptr::eq(expr, &raw const place.rule.value) && place.rule.when.is_none();
                    let fields =
                        Fields { category: category.as_ref().and_then(|c| field(c)), stage: field(stage) };
                    // Both plans know the map under the same pair, whichever side it was found on.
                    let pair = self
                        .matched
                        .maps
                        .iter()
                        .find(|pair| {
                            pair.new == Some(place.map) || (pair.new.is_none() && pair.old == Some(place.map))
                        })
                        .copied()
                        .unwrap_or_default();
                    all.push((pair, place.target.clone(), sure, place.taken, fields));
                });
            });
        }
        all
    }

    fn pipeline(
        &mut self,
        old: &'a Pipeline,
        new: &'a Pipeline,
        reaches: &[(Pair, String, bool, Option<Bounds>, Fields)],
    ) {
        let (old_into, new_into) = (destination(old), destination(new));
        let moved = old_into.is_some() && new_into.is_some() && old_into != new_into;
        let population = self.population(&new.object);
        if moved {
            let words = instead(new_into.unwrap_or_default(), old_into.unwrap_or_default());
            let draft = Draft {
                subject: Subject::Pipeline,
                action: Action::Changed,
                id: format!("pipeline {}", new.name),
                what: format!("pipeline `{}` leads to {words}", new.name),
                loss: Loss::Same,
                old: self.at_old(old.line),
                new: self.at_new(new.line),
                touches: Vec::new(),
            };
            let bounds = population.map(|p| {
                let sum = new.rows.keys().map(|stage| p.in_stage(&new.category, stage)).fold(
                    Bounds::NONE,
                    |a, b| Bounds { low: a.low + b.low, high: (a.high + b.high).min(p.all) },
                );
                within(p, sum, reaches)
            });
            self.push(draft, &new.object, bounds);
        }
        let scope = Scope::of(None, None);
        let unseen = |pipeline: &Pipeline| StageTo::Arm(pipeline.unseen.clone());
        let (old_unseen, new_unseen) = (unseen(old), unseen(new));
        let mut rows: Vec<(Option<&String>, &StageTo, &StageTo, u32, u32)> = Vec::new();
        let codes: BTreeSet<&String> = old.rows.keys().chain(new.rows.keys()).collect();
        for code in codes {
            let (a, b) = (old.rows.get(code), new.rows.get(code));
            rows.push((
                Some(code),
                a.map_or(&old_unseen, |row| &row.to),
                b.map_or(&new_unseen, |row| &row.to),
                a.map_or(0, |row| row.line),
                b.map_or(0, |row| row.line),
            ));
        }
        rows.push((None, &old_unseen, &new_unseen, old.line, new.line));
        self.row_reasons(Subject::Pipeline, &old.name, &new.name);
        let unseen_at = self.unseen_places(&old.name, &new.name);
        let merged = |pipeline: &Pipeline, to: &StageTo| {
            matches!(to, StageTo::Stage(_)) && pipeline.rows.values().filter(|row| row.to == *to).count() > 1
        };
        for (code, a, b, old_line, new_line) in rows {
            let (was, is) = (self.matched.old.stage_to(a, scope), self.matched.new.stage_to(b, scope));
            let elsewhere = match (a, b) {
                (StageTo::Stage(a), StageTo::Stage(b)) => !moved && a.pipeline != b.pipeline,
                _ => false,
            };
            let same = was == is && !elsewhere;
            if same && (old_line > 0) == (new_line > 0) {
                continue;
            }
            let title = code.and_then(|code| {
                [self.new.source, self.old.source].into_iter().find_map(|schema| {
                    let pipeline =
                        schema.pipelines.iter().find(|p| p.object == new.object && p.code == new.category)?;
                    Some(pipeline.stages.iter().find(|stage| stage.code == *code)?.name.clone())
                })
            });
            let words = code.map_or("`_ unseen`".to_owned(), |code| titled(code, title.as_deref()));
            let full = |to: &StageTo, short: &str| match to {
                StageTo::Stage(stage) if elsewhere => {
                    format!("{} of {}", stage_words(stage), quoted(&stage.pipeline))
                }
                _ => short.to_owned(),
            };
            let what = match (old_line > 0, new_line > 0) {
                (false, true) if same => format!("pipeline `{}` has a row for {words} now", new.name),
                (true, false) if same => format!("pipeline `{}` has no row for {words} now", new.name),
                _ => format!(
                    "pipeline `{}`: {words} goes to {}",
                    new.name,
                    instead(&full(b, &is), &full(a, &was))
                ),
            };
            let loss = loss::by(loss::stage(a), loss::stage(b)).and(loss::by(merged(old, a), merged(new, b)));
            let bounds = population.map(|p| {
                let held = match code {
                    _ if same => Bounds::NONE,
                    Some(code) => p.in_stage(&new.category, code),
                    None => {
                        let listed = |code: &str| old.rows.contains_key(code) || new.rows.contains_key(code);
                        unlisted(p, &new.category, &listed)
                    }
                };
                within(p, held, reaches)
            });
            let only = |fields: &Fields, code: &String| {
                let mut only = vec![];
                if let Some(stage) = &fields.stage {
                    only.push((stage.clone(), code.clone()));
                }
                if let Some(category) = &fields.category {
                    only.push((category.clone(), new.category.clone()));
                }
                only
            };
            let touches = code.map_or(Vec::new(), |code| {
                reaches
                    .iter()
                    .map(|(map, target, _, _, fields)| Touch {
                        map: *map,
                        target: Some(target.clone()),
                        only: only(fields, code),
                    })
                    .collect()
            });
            let draft = Draft {
                subject: Subject::Pipeline,
                action: action(old_line > 0, new_line > 0),
                id: format!(
                    "pipeline {} {}",
                    new.name,
                    code.map_or("_ unseen".to_owned(), |code| quoted(code))
                ),
                what,
                loss,
                old: unseen_at.0.clone().filter(|_| code.is_none()).or(self.at_old(old_line)),
                new: unseen_at.1.clone().filter(|_| code.is_none()).or(self.at_new(new_line)),
                touches,
            };
            self.push(draft, &new.object, bounds);
        }
    }
}

/// Records in stages, as far as rules take them over.
fn within(
    p: Population<'_>,
    held: Bounds,
    reaches: &[(Pair, String, bool, Option<Bounds>, Fields)],
) -> Bounds {
    let mut all = Bounds::NONE;
    for (_, _, sure, taken, _) in reaches {
        let one = p.and(taken.unwrap_or(p.anything()), held);
        all = p.or(all, if *sure { one } else { Bounds::up_to(one.high) });
    }
    all
}

fn unlisted(p: Population<'_>, category: &str, listed: &dyn Fn(&str) -> bool) -> Bounds {
    let pipeline = p.pipelines.iter().find(|one| one.object == p.object.name && one.code == category);
    match pipeline {
        Some(pipeline) if !pipeline.records.is_empty() => {
            let others = pipeline.records.iter().filter(|(code, _)| !listed(code));
            Bounds::exactly(others.map(|(_, n)| *n).sum())
        }
        _ => p.anything(),
    }
}

/// The one destination pipeline of every row.
fn destination(pipeline: &Pipeline) -> Option<&str> {
    let mut names = pipeline.rows.values().filter_map(|row| match &row.to {
        StageTo::Stage(stage) => Some(stage.pipeline.as_str()),
        StageTo::Arm(_) => None,
    });
    let first = names.next()?;
    names.all(|name| name == first).then_some(first)
}
