//! Answers the open questions of the API (sheet §11 and its other marks) by small experiments in an account.
//!
//! Every record that is made bears a name that begins with [`PREFIX`] and is deleted at the end; activities, notes and
//! tasks hang on such a record. So whatever ended a probe, the next one finds what it left: it searches the names and
//! looks at what hangs on them. A record whose name only resembles is no probe's; one on which something else hangs is
//! left alone and told. What no API deletes, custom fields and e-mails, is made only where somebody asked for it.

mod agenda;
mod clean;
mod fields;
mod leads;
mod questions;
mod reads;
mod records;
mod run;

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;

use self::clean::Made;
use self::questions::{ALL, Needs};
use self::run::Run;
use super::Nutshell;
use crate::lang::schema::Schema;
use crate::run::connect::probe::{Asking, Cleaned, Found, Leftover, Planned, Prober};
use crate::run::connect::{Account, Error, Local};

/// What the names of a probe's records begin with; eight hexadecimal digits and a word follow.
pub(super) const PREFIX: &str = "b2n probe ";

/// Whether a name is one of a probe's records.
fn is_ours(name: &str) -> bool {
    let Some((token, word)) = name.strip_prefix(PREFIX).and_then(|rest| rest.split_once(' ')) else {
        return false;
    };
    token.len() == 8 && token.bytes().all(|byte| byte.is_ascii_hexdigit()) && !word.is_empty()
}

/// A prober of a Nutshell account.
pub struct NutshellProber {
    target: Nutshell,
    /// What this process has made and not deleted yet.
    made: RefCell<Vec<Made>>,
    /// A create got no usable answer, so that something may be there that nobody knows the id of.
    unanswered: Cell<bool>,
}

impl NutshellProber {
    /// A prober over a client.
    pub fn new(target: Nutshell) -> NutshellProber {
        NutshellProber { target, made: RefCell::default(), unanswered: Cell::new(false) }
    }

    async fn planned(&self, asking: Asking) -> Result<Vec<Planned>, Error> {
        let run = Run::new(self, asking, &|_| {}).await?;
        Ok(ALL
            .iter()
            .map(|question| {
                let mut planned = Planned {
                    question: question.name,
                    asks: question.asks,
                    does: question.does.to_owned(),
                    stays: None,
                    skipped: None,
                };
                match question.needs {
                    _ if question.rest && run.without_rest => {
                        planned.skipped = Some("the account has no REST API".to_owned());
                    }
                    Needs::Reads | Needs::Records => {}
                    Needs::Burst if asking.burst == 0 => {
                        planned.skipped = Some("no burst is wanted".to_owned())
                    }
                    Needs::Burst => planned.does = format!("{} {}", asking.burst, question.does),
                    Needs::Email if !asking.make_email => {
                        planned.skipped =
                            Some("no API deletes an e-mail: allow one with `--make-email`".to_owned());
                    }
                    Needs::Email => planned.stays = Some("an e-mail".to_owned()),
                    Needs::NewField if run.has_number() => planned.does = "such a field is there".to_owned(),
                    Needs::NewField if !asking.make_fields => planned.skipped = Some(fields::NONE.to_owned()),
                    Needs::NewField => planned.stays = Some(format!("the custom field `{}`", fields::NUMBER)),
                    Needs::Field(wanted) => match run.field(wanted) {
                        Some(place) => planned.does = format!("{}, in {}", question.does, place.shown()),
                        None if asking.make_fields => planned.stays = Some(fields::made_for(wanted)),
                        None => planned.skipped = Some(fields::NONE.to_owned()),
                    },
                }
                planned
            })
            .collect())
    }

    async fn ask(&self, asking: Asking, tell: &dyn Fn(&Found)) -> Result<Vec<Found>, Error> {
        if self.target.right_to_delete().await.is_ok_and(|right| right == Some(false)) {
            return Err(Error::Denied {
                system: super::client::SYSTEM,
                why: "the key's user may not delete records, so what a probe makes would stay: give the user that right"
                    .to_owned(),
            });
        }
        let mut run = Run::new(self, asking, tell).await?;
        run.reads().await?;
        run.records().await?;
        run.leads().await?;
        run.agenda().await?;
        run.fields().await?;
        if asking.make_email {
            run.email().await?;
        } else {
            for question in ALL.iter().filter(|question| question.needs == Needs::Email) {
                run.say(question.name, None, "no API deletes an e-mail: allow one with `--make-email`");
            }
        }
        run.burst().await?;
        let found = run.into_found();
        debug_assert!(ALL.iter().all(|question| found.iter().any(|found| found.question == question.name)));
        Ok(found)
    }
}

impl Prober for NutshellProber {
    fn account(&self) -> Local<'_, Result<Account, Error>> {
        Box::pin(self.target.identify())
    }

    fn local_port(&self) -> Option<u16> {
        self.target.client.local_port()
    }

    fn schema<'a>(&'a self, salt: &'a str) -> Local<'a, Result<Schema, Error>> {
        Box::pin(self.target.look(salt))
    }

    fn plan(&self, asking: Asking) -> Local<'_, Result<Vec<Planned>, Error>> {
        Box::pin(self.planned(asking))
    }

    fn leftovers(&self) -> Local<'_, Result<Vec<Leftover>, Error>> {
        Box::pin(async move {
            let found = self.sweep(&mut BTreeSet::new()).await?;
            Ok(found.into_iter().map(|made| made.shown()).collect())
        })
    }

    fn probe<'a>(&'a self, asking: Asking, tell: &'a dyn Fn(&Found)) -> Local<'a, Result<Vec<Found>, Error>> {
        Box::pin(self.ask(asking, tell))
    }

    fn clean(&self) -> Local<'_, Result<Cleaned, Error>> {
        Box::pin(self.take_all_away())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_probe_gives_such_names() {
        assert!(is_ours("b2n probe 0123abcd lead") && is_ours("b2n probe ffffffff a long title"));
        for name in [
            "b2n probe",
            "b2n probe lead",
            "b2n probe 0123abcd",
            "b2n probe 0123abcg lead",
            "My b2n probe 0123abcd x",
        ] {
            assert!(!is_ours(name), "{name}");
        }
    }
}
