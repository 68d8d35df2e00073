//! Arms: where a clause or row ends, and which ends have a meaning where.

use super::Checker;
use super::fit::Place;
use super::types::{Scope, Typed};
use crate::lang::finding::{Finding, registry as codes};
use crate::lang::plan::Arm;
use crate::lang::syntax::ast::{self, ArmKind};

/// Where an arm stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ArmPlace {
    /// After `else` of a rule.
    Else,
    /// After `on fail`.
    OnFail,
    /// After `on unmigrated`.
    OnUnmigrated,
    /// After `on unmigrated` in a line of a list, which has no record of its own that could be patched.
    LineUnmigrated,
    /// After `on unmigrated` of what is written once the record is there.
    LaterUnmigrated,
    /// After `else` of `where`.
    Where,
    /// In a row of a `split`.
    Split,
    /// After `orphan`.
    Orphan,
    /// In a table.
    Row,
    /// In a pipeline.
    StageRow,
}

impl ArmPlace {
    fn words(self) -> &'static str {
        match self {
            ArmPlace::Else => "after `else`",
            ArmPlace::OnFail => "after `on fail`",
            ArmPlace::OnUnmigrated => "after `on unmigrated`",
            ArmPlace::LineUnmigrated => "after `on unmigrated` of a line",
            ArmPlace::LaterUnmigrated => "after `on unmigrated` of what is written in a second pass",
            ArmPlace::Where => "after the `else` of a `where`",
            ArmPlace::Split => "in a `split`",
            ArmPlace::Orphan => "after `orphan`",
            ArmPlace::Row => "in a table",
            ArmPlace::StageRow => "in a pipeline",
        }
    }

    fn takes(self, kind: &ArmKind) -> bool {
        match kind {
            ArmKind::Value { .. } => matches!(self, ArmPlace::Else | ArmPlace::OnFail | ArmPlace::Row),
            ArmKind::Flag(_) | ArmKind::Unset => {
                !matches!(self, ArmPlace::Where | ArmPlace::Split | ArmPlace::Orphan)
            }
            ArmKind::Skip(_) => self != ArmPlace::LaterUnmigrated,
            ArmKind::Wait => matches!(self, ArmPlace::OnUnmigrated | ArmPlace::LaterUnmigrated),
            ArmKind::Quarantine | ArmKind::Stop => true,
        }
    }

    fn help(self) -> &'static str {
        match self {
            ArmPlace::Else | ArmPlace::OnFail => {
                "write a value, `unset`, `flag \"…\"`, `skip \"…\"`, `quarantine` or `stop`"
            }
            ArmPlace::LineUnmigrated => {
                "write `skip \"…\"` (the line is left out), `flag \"…\"`, `unset`, `quarantine` or `stop`"
            }
            ArmPlace::OnUnmigrated => {
                "write `flag \"…\"`, `unset`, `wait`, `skip \"…\"` (the record is left out), `quarantine` or `stop`"
            }
            ArmPlace::LaterUnmigrated => "write `flag \"…\"`, `unset`, `wait`, `quarantine` or `stop`",
            ArmPlace::Split => "name maps, or write `listed \"…\"`, `skip \"…\"`, `quarantine` or `stop`",
            ArmPlace::Where | ArmPlace::Orphan => "write `skip \"…\"`, `quarantine` or `stop`",
            ArmPlace::Row => "write a value, `unset`, `flag \"…\"`, `skip \"…\"`, `quarantine` or `stop`",
            ArmPlace::StageRow => {
                "write `stage \"…\"`, `won \"…\"`, `lost \"…\"`, `cancelled \"…\"`, `flag \"…\"`, `skip \"…\"`, \
                 `quarantine` or `stop`"
            }
        }
    }
}

/// A checked arm.
#[derive(Clone, Debug)]
pub(super) struct CheckedArm<'a> {
    pub arm: Arm,
    /// Its value, where it has one.
    pub value: Option<Typed<'a>>,
}

impl<'a> Checker<'a> {
    /// Checks an arm; a value must fit the place, where one is given.
    pub(super) fn arm(
        &mut self,
        scope: &mut Scope<'a>,
        arm: &ast::Arm,
        at: ArmPlace,
        place: Option<&Place>,
    ) -> Option<CheckedArm<'a>> {
        if !at.takes(&arm.kind) {
            let word = match &arm.kind {
                ArmKind::Value { .. } => "a value",
                ArmKind::Flag(_) => "`flag`",
                ArmKind::Unset => "`unset`",
                ArmKind::Skip(_) => "`skip`",
                ArmKind::Wait => "`wait`",
                ArmKind::Quarantine => "`quarantine`",
                ArmKind::Stop => "`stop`",
            };
            let bare = self.quote(arm.span);
            let finding = match bare {
                // Read as a field's name, since its reason is lacking.
                "skip" | "flag" => {
                    Finding::new(codes::ARM_NOT_ALLOWED, format!("`{bare}` stands here without its reason"))
                        .at(arm.span, "why?")
                        .help(format!("say why: `{bare} \"…\"`"))
                }
                _ => Finding::new(codes::ARM_NOT_ALLOWED, format!("{word} has no meaning {}", at.words()))
                    .at(arm.span, "not here")
                    .help(at.help()),
            };
            self.add(finding);
            return None;
        }
        let plain = |arm| Some(CheckedArm { arm, value: None });
        match &arm.kind {
            ArmKind::Value { value, flag } => {
                let typed = self.expr_for(scope, value, place)?;
                let typed = match place {
                    Some(place) => self.fit(typed, place, value.span)?,
                    None => typed,
                };
                let arm = Arm::Value {
                    value: Box::new(typed.expr.clone()),
                    flag: flag.as_ref().map(|flag| flag.value.clone()),
                };
                Some(CheckedArm { arm, value: Some(typed) })
            }
            ArmKind::Flag(why) => plain(Arm::Flag(why.value.clone())),
            ArmKind::Unset => plain(Arm::Unset),
            ArmKind::Skip(why) => plain(Arm::Skip(why.value.clone())),
            ArmKind::Wait => plain(Arm::Wait),
            ArmKind::Quarantine => plain(Arm::Quarantine),
            ArmKind::Stop => plain(Arm::Stop),
        }
    }
}
