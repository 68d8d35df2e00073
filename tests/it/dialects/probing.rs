//! The probe in every dialect: it tells each switch as it is and leaves nothing; and the loader with its answers.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use b2n::lang::schema::{Answer, Probed};
use b2n::run::connect::outside::{Clock, Random, Transport};
use b2n::run::connect::probe::{Asking, Cleaned, Found, Planned};
use b2n::run::connect::secret::Credentials;
use b2n::run::connect::{self, Pace};
use b2n::run::engine::Error;
use b2n::run::rehearsal::{self, SplitMix, VirtualClock, Wire};
use b2n::run::twin;
use b2n::run::twin::nutshell::settings::{
    DateInput, Envelope, ManyChoices, NotFound, OnBad, RpcStatus, Throttle,
};
use b2n::run::twin::nutshell::{Company, Dialect, FieldType, Kind, Settings, Twin};
use serde_json::Value as Json;

use super::{Turn, combination, held, plain, seeds, turns, world};
use crate::world::DieAt;

/// An account with some history and custom fields, and a prober of it.
struct Account {
    twin: Rc<Twin>,
    clock: Rc<VirtualClock>,
    dies: Rc<std::cell::Cell<Option<u64>>>,
}

impl Account {
    fn new(turned: &[Turn], fields: bool) -> Account {
        let mut settings = Settings::default();
        turned.iter().for_each(|turn| (turn.set)(&mut settings));
        let mut company = Company::acme_with_history();
        if fields {
            for (name, kind) in [("Remark", FieldType::Text), ("Motto", FieldType::Text)] {
                company.add_field(Kind::Contacts, name, kind, Vec::new(), false);
            }
            company.add_field(Kind::Leads, "Signed on", FieldType::Date, Vec::new(), false);
            company.add_field(Kind::Contacts, "Born on", FieldType::Date, Vec::new(), false);
            company.add_field(Kind::Accounts, "Volume", FieldType::Currency, Vec::new(), false);
            let choices = ["Pumps, big ones", "Pumps", "Service"].map(str::to_owned).to_vec();
            company.add_field(Kind::Accounts, "Interests", FieldType::Decision, choices, true);
        }
        let clock = Rc::new(VirtualClock::at(1_795_262_400_000));
        Account { twin: Rc::new(Twin::new(company, settings)), clock, dies: Rc::default() }
    }

    /// One process; `None` where it died after so many requests.
    fn process<T>(
        &self,
        dies: Option<u64>,
        work: impl AsyncFnOnce(&dyn connect::probe::Prober) -> Result<T, connect::Error>,
    ) -> Option<Result<T, connect::Error>> {
        self.dies.set(dies);
        let clock: Rc<dyn Clock> = self.clock.clone();
        let (twin, left) = (Rc::clone(&self.twin), Rc::clone(&self.dies));
        let serve = move |request: &twin::Request, now| {
            left.set(left.get().map(|left| left.saturating_sub(1)));
            twin.handle(request, now)
        };
        let wire: Rc<dyn Transport> = Rc::new(Wire::new(Rc::new(serve), Rc::clone(&clock)));
        let random: Rc<dyn Random> = Rc::new(SplitMix::new(self.twin.log().total() + 1));
        let credentials = Credentials::from_values(|name| {
            Some(match name {
                "B2N_NUTSHELL_USER" => "admin@acme.example".to_owned(),
                "B2N_NUTSHELL_KEY" => "key".to_owned(),
                _ => return None,
            })
        });
        let prober = connect::prober("nutshell", &credentials, &wire, &clock, &random, Pace::default());
        let prober = prober.expect("a prober");
        let watch = Rc::clone(&self.dies);
        let ended = self.clock.run(async {
            let work = work(prober.as_ref());
            let mut work = std::pin::pin!(work);
            // Death is a process that is never asked again.
            std::future::poll_fn(|cx| match work.as_mut().poll(cx) {
                std::task::Poll::Ready(ended) => std::task::Poll::Ready(Some(ended)),
                std::task::Poll::Pending if watch.get() == Some(0) => std::task::Poll::Ready(None),
                std::task::Poll::Pending => std::task::Poll::Pending,
            })
            .await
        });
        ended.expect("never idle for ever")
    }

    /// Plans, asks, cleans.
    fn probe(&self, asking: Asking) -> Result<(Vec<Planned>, Vec<Found>, Cleaned), connect::Error> {
        let ended = self.process(None, async |prober| {
            let planned = prober.plan(asking).await?;
            let found = prober.probe(asking, &|_| {}).await;
            let cleaned = prober.clean().await?;
            Ok((planned, found?, cleaned))
        });
        ended.expect("nobody died")
    }

    /// Everything that is not in the trash.
    fn live(&self) -> Json {
        let mut dump = self.twin.dump();
        for (_, list) in dump.as_object_mut().expect("lists") {
            let rows = list.as_array_mut().expect("a list");
            rows.retain(|row| row.get("deletedTime").is_none_or(Json::is_null));
        }
        dump
    }
}

fn flagged(yes: bool) -> Answer {
    Answer::Flag(yes)
}

fn on_bad(on: OnBad, kept: &str, dropped: &str) -> Answer {
    Answer::word(match on {
        OnBad::Reject => "rejected",
        OnBad::Drop => dropped,
        OnBad::Keep => kept,
    })
}

/// What a probe must answer, by the twin's switches; and which switch each answer is of.
fn truth(settings: &Settings) -> BTreeMap<&'static str, (Answer, &'static str)> {
    let d = &settings.dialect;
    let words = |any: &str, one: &str, other: &str, which: usize| Answer::word([any, one, other][which]);
    let throttled = match d.find_throttle {
        Throttle::Off => "not met",
        Throttle::TooMany { retry_after_seconds: Some(_), .. } => "429 retry-after",
        Throttle::TooMany { .. } => "429",
        Throttle::Unavailable { .. } => "503",
    };
    let not_found = match d.not_found {
        NotFound::Code404 => "404",
        NotFound::Code400 => "400",
        NotFound::Null => "null",
    };
    [
        (
            "envelope",
            Answer::word(if d.envelope == Envelope::Live { "live" } else { "documented" }),
            "envelope",
        ),
        (
            "rpc_status",
            Answer::word(if d.rpc_status == RpcStatus::Always200 { "always 200" } else { "follows" }),
            "rpc_status",
        ),
        ("not_found", Answer::word(not_found), "not_found"),
        ("rest_access", flagged(d.rest_access), "rest_access"),
        ("rest_bare_lists", flagged(d.rest_bare_lists), "rest_bare_lists"),
        ("rest_sort_by_id", flagged(d.rest_sort_by_id), "rest_sort_by_id"),
        ("attributes_tell_types", flagged(d.attributes_tell_types), "attributes_tell_types"),
        ("legacy_id_kept", flagged(d.legacy_id_kept), "legacy_id_kept"),
        ("created_time_kept", flagged(d.created_time_kept), "created_time_kept"),
        ("primary_everywhere", flagged(d.primary_everywhere), "primary_everywhere"),
        ("parent_account", flagged(d.parent_account), "parent_account"),
        ("contact_name_object", flagged(d.contact_name_object), "contact_name_object"),
        ("neighbour_bumps", flagged(d.neighbour_bumps), "neighbour_bumps"),
        ("undelete_drops_links", flagged(d.undelete_drops_links), "undelete_drops_links"),
        ("deleted_readable", flagged(d.deleted_readable), "deleted_readable"),
        ("lead_without_contact", flagged(d.lead_without_contact), "lead_without_contact"),
        ("long_description", on_bad(d.long_description, "kept", "cut"), "long_description"),
        ("rest_long_description", on_bad(d.rest_long_description, "kept", "cut"), "rest_long_description"),
        ("lead_value", flagged(d.rpc_lead_value), "rpc_lead_value"),
        ("rest_manual_value", flagged(d.rest_manual_value), "rest_manual_value"),
        ("lead_milestone", flagged(true), ""),
        ("lead_stageset", flagged(d.rpc_stageset), "rpc_stageset"),
        ("rest_stage_write", flagged(d.rest_stage_write), "rest_stage_write"),
        ("primary_account_listed", flagged(d.primary_account_listed), "primary_account_listed"),
        ("unknown_custom_field", on_bad(d.unknown_custom_field, "", "dropped"), "unknown_custom_field"),
        ("unknown_tag", on_bad(d.unknown_tag, "created", "dropped"), "unknown_tag"),
        ("bare_closing_status", flagged(d.bare_closing_status == OnBad::Keep), "bare_closing_status"),
        ("closed_time_kept", flagged(d.closed_time_kept), "closed_time_kept"),
        ("closed_lead_edits", flagged(d.closed_lead_edits), "closed_lead_edits"),
        ("product_description", flagged(d.product_description), "product_description"),
        (
            "new_cancelled_activity",
            flagged(d.new_cancelled_activity == OnBad::Keep),
            "new_cancelled_activity",
        ),
        ("rest_activity_leads", flagged(d.rest_activity_leads), "rest_activity_leads"),
        ("task_completion", flagged(d.task_completion), "task_completion"),
        ("impersonation", flagged(settings.keys[0].impersonation), "keys"),
        ("note_deletion_limited", flagged(d.note_deletion_limited), "note_deletion_limited"),
        ("custom_date", words("both", "timestamp", "text", d.custom_date as usize), "custom_date"),
        (
            "custom_date_leads",
            words("both", "timestamp", "text", d.custom_date_leads as usize),
            "custom_date_leads",
        ),
        ("closing", words("both", "object", "id", d.closing as usize), "closing"),
        ("outcome_shown", flagged(d.outcome_shown), "outcome_shown"),
        ("date_keeps_time", flagged(d.date_keeps_time), "date_keeps_time"),
        ("custom_money", words("both", "object", "plain", d.custom_money as usize), "custom_money"),
        ("custom_choices", words("both", "joined", "array", d.custom_choices as usize), "custom_choices"),
        (
            "choices_read",
            Answer::word(if d.many_choices == ManyChoices::Array { "array" } else { "joined" }),
            "many_choices",
        ),
        ("unknown_choice", on_bad(d.unknown_choice, "kept", "dropped"), "unknown_choice"),
        (
            "unsent_custom_fields_survive",
            flagged(d.unsent_custom_fields_survive),
            "unsent_custom_fields_survive",
        ),
        (
            "patch_paths",
            Answer::word(if d.patch_custom_field_paths { "name, object, nested" } else { "name" }),
            "patch_custom_field_paths",
        ),
        ("number_type", flagged(d.number_type), "number_type"),
        ("email_date", flagged(d.email_date), "email_date"),
        ("email_match", words("everybody", "people", "nobody", d.email_match as usize), "email_match"),
        ("email_message_id", flagged(d.email_message_id), "email_message_id"),
        ("email_html", flagged(d.email_html), "email_html"),
        ("throttled", Answer::word(throttled), "find_throttle"),
    ]
    .into_iter()
    .map(|(question, answer, switch)| (question, (answer, switch)))
    .collect()
}

/// Switches that no probe can or may ask about: they are an accident, the account's own, or would fill its plan.
const UNASKED: &[&str] = &[
    "error_500_per_mille",
    "error_500",
    "limit_code",
    "url_in_capitals",
    "strict_finds",
    "id_step",
    "latency_ms",
    "index_lag_ms",
    "limits",
    "may_delete",
];

const ALL: Asking = Asking { make_fields: true, make_email: true, burst: 30 };
const NOTHING_LASTING: Asking = Asking { make_fields: false, make_email: false, burst: 30 };

/// Compares every answer with the switches; gives the questions that were not answered.
fn compared(found: &[Found], settings: &Settings, what: &str) -> BTreeMap<&'static str, String> {
    let truth = truth(settings);
    let mut open = BTreeMap::new();
    for found in found {
        match (&found.answer, truth.get(found.question)) {
            (Some(answer), Some((expected, _))) => {
                assert_eq!(answer, expected, "{what}: `{}`: {}", found.question, found.evidence);
            }
            (Some(_), None) => {}
            (None, _) => drop(open.insert(found.question, found.evidence.clone())),
        }
        assert!(!found.evidence.is_empty(), "{what}: `{}` has no evidence", found.question);
    }
    open
}

#[test]
fn a_probe_tells_the_truth_in_every_dialect_and_leaves_nothing() {
    for turn in turns() {
        let what = &turn.shown;
        let account = Account::new(std::slice::from_ref(&turn), true);
        let mut settings = Settings::default();
        (turn.set)(&mut settings);
        let before = account.live();
        let (_, found, cleaned) = match account.probe(NOTHING_LASTING) {
            Ok(ended) => ended,
            Err(error) if turn.name == "may_delete" => {
                assert!(error.to_string().contains("may not delete"), "{error}");
                assert!(before == account.live(), "{what}: it wrote");
                continue;
            }
            Err(error) => panic!("{what}: {error}"),
        };
        let open = compared(&found, &settings, what);
        assert!(cleaned.left.is_empty(), "{what}: {:?}", cleaned.left);
        assert!(!cleaned.deleted.is_empty(), "{what}: nothing was made");
        assert_eq!(account.live(), before, "{what}");
        // A twin that is set up from the answers is this one, but for what was not asked.
        let answers =
            found.iter().filter_map(|found| Some((found.question.to_owned(), found.answer.clone()?)));
        let probed = Probed { day: None, answers: answers.collect() };
        assert_eq!(rehearsal::dialect(&probed), asked_of(settings.dialect.clone()), "{what}");
        // The switch's own question is answered.
        for (question, (_, switch)) in truth(&settings) {
            let lasting = question == "number_type" || question.starts_with("email_");
            if switch == turn.name && !lasting {
                assert!(!open.contains_key(question), "{what}: `{question}`: {}", open[question]);
            }
        }
    }
}

/// A dialect as far as a probe that makes nothing lasting can tell it.
fn asked_of(dialect: Dialect) -> Dialect {
    let plain = Dialect::default();
    Dialect {
        number_type: plain.number_type,
        email_date: plain.email_date,
        email_match: plain.email_match,
        email_message_id: plain.email_message_id,
        email_html: plain.email_html,
        limit_code: plain.limit_code,
        url_in_capitals: plain.url_in_capitals,
        strict_finds: plain.strict_finds,
        find_throttle: plain.find_throttle,
        error_500_per_mille: plain.error_500_per_mille,
        error_500: plain.error_500,
        ..dialect
    }
}

#[test]
fn every_switch_is_asked_about_or_named_here() {
    let asked: BTreeSet<&str> = truth(&Settings::default()).into_values().map(|(_, switch)| switch).collect();
    for turn in turns() {
        assert!(asked.contains(turn.name) != UNASKED.contains(&turn.name), "{}", turn.name);
    }
}

#[test]
fn a_probe_that_may_make_what_stays_answers_everything_and_leaves_only_what_it_announced() {
    for seed in seeds(4) {
        let mut turned = combination(seed);
        turned.retain(|turn| !["limits", "may_delete", "error_500_per_mille"].contains(&turn.name));
        let shown: Vec<&str> = turned.iter().map(|turn| turn.shown.as_str()).collect();
        let what = format!("B2N_SEED={seed}: {}", shown.join(", "));
        let account = Account::new(&turned, false);
        let mut settings = Settings::default();
        turned.iter().for_each(|turn| (turn.set)(&mut settings));
        let before = account.live();
        let (planned, found, cleaned) = account.probe(ALL).unwrap_or_else(|error| panic!("{what}: {error}"));
        let open = compared(&found, &settings, &what);
        let excused = |question: &str| match question {
            // There is nothing to tell of before the first field is made.
            "attributes_tell_types" | "custom_field_keys" => true,
            "note_deletion_limited" => !settings.keys[0].impersonation,
            "date_keeps_time" => {
                settings.dialect.custom_date == DateInput::Text
                    && settings.dialect.custom_date_leads == DateInput::Text
            }
            _ => false,
        };
        let open: BTreeMap<_, _> = open.into_iter().filter(|(question, _)| !excused(question)).collect();
        assert!(open.is_empty(), "{what}: {open:#?}");
        assert!(cleaned.left.is_empty(), "{what}: {:?}", cleaned.left);
        // What stays is what was announced.
        let stays: String = planned.iter().filter_map(|planned| planned.stays.clone()).collect();
        let after = account.live();
        for (list, rows) in after.as_object().expect("lists") {
            let (old, new) = (before[list].as_array().expect("rows"), rows.as_array().expect("rows"));
            match list.as_str() {
                "customFields" => {
                    for row in new.iter().filter(|row| !old.contains(row)) {
                        let name = row["name"].as_str().expect("a name");
                        assert!(
                            stays.contains(&format!("`{name}`")),
                            "{what}: {name} was not announced: {stays}"
                        );
                    }
                }
                "emails" => assert_eq!(new.len(), old.len() + 1, "{what}"),
                _ => assert_eq!(new, old, "{what}: {list}"),
            }
        }
        assert!(stays.contains("an e-mail"), "{stays}");
    }
}

/// What a probe has left that died at any request, the next one finds and takes away.
#[test]
fn what_a_probe_left_that_died_the_next_one_takes_away() {
    for dies in [25, 40, 55, 75, 90, 110, 130] {
        let account = Account::new(&[], true);
        let before = account.live();
        let ended = account.process(Some(dies), async |prober| prober.probe(NOTHING_LASTING, &|_| {}).await);
        assert!(ended.is_none(), "it did not die at {dies}");
        let next = account.process(None, async |prober| {
            let found = prober.leftovers().await?;
            let cleaned = prober.clean().await?;
            Ok((found, cleaned))
        });
        let (found, cleaned) = next.expect("alive").unwrap_or_else(|error| panic!("{dies}: {error}"));
        assert!(dies < 40 || !found.is_empty(), "nothing was left at {dies}");
        assert_eq!(found.len(), cleaned.deleted.len(), "{dies}: {found:?} {cleaned:?}");
        assert!(cleaned.left.is_empty(), "{dies}: {:?}", cleaned.left);
        assert_eq!(account.live(), before, "{dies}");
    }
}

/// What somebody else has put on a probe's record stays, and so does the record.
#[test]
fn what_hangs_on_a_leftover_and_is_no_probes_is_left_alone() {
    let account = Account::new(&[], true);
    account.process(Some(60), async |prober| prober.probe(NOTHING_LASTING, &|_| {}).await);
    let lead = account.twin.with(|company| {
        let ours = |record: &&b2n::run::twin::nutshell::Record| {
            record.deleted.is_none()
                && record.description.as_deref().is_some_and(|d| d.starts_with("b2n probe "))
        };
        let lead = company.all(Kind::Leads).find(ours).expect("a lead of the probe").id;
        let author = company.all(Kind::Leads).next().expect("a lead").creator;
        company
            .add_note(Kind::Leads, lead, "mine".to_owned(), author, account.clock.now_ms())
            .expect("a note");
        lead
    });
    let cleaned =
        account.process(None, async |prober| prober.clean().await).expect("alive").expect("cleaned");
    assert_eq!(cleaned.left.len(), 1, "{cleaned:?}");
    assert_eq!(
        (cleaned.left[0].0.object.as_str(), cleaned.left[0].0.id.as_str()),
        ("Lead", lead.to_string().as_str())
    );
    assert!(account.twin.with(|company| company.live(Kind::Leads, lead).is_some()));
}

/// Answers spare the loader its tries, and wrong ones do no harm.
#[test]
fn answers_save_requests_and_wrong_ones_do_no_harm() {
    let plain = plain();
    let pick = |name: &str| turns().into_iter().filter(|turn| turn.shown == name).collect::<Vec<_>>();
    let turned: Vec<Turn> = [
        "contact_name_object = false",
        "custom_date = Text",
        "custom_date_leads = Text",
        "custom_choices = Array",
        "rpc_lead_value = false",
    ]
    .into_iter()
    .flat_map(pick)
    .collect();
    assert_eq!(turned.len(), 5);
    let answers = |name: bool, date: &str, choices: &str, value: bool| {
        let answers = [
            ("contact_name_object", Answer::Flag(name)),
            ("custom_date", Answer::word(date)),
            ("custom_date_leads", Answer::word(date)),
            ("custom_choices", Answer::word(choices)),
            ("lead_value", Answer::Flag(value)),
        ];
        Probed { day: None, answers: answers.into_iter().map(|(q, a)| (q.to_owned(), a)).collect() }
    };
    let refused = |probed: Probed, turned: &[Turn]| {
        let mut world = world(3, turned);
        world.probed = probed;
        let run = world.live(&DieAt::default()).unwrap_or_else(|error| panic!("{error}"));
        let errors = world.account.log().errors.get("400").copied().unwrap_or_default();
        assert!(run.closes() && held(&world) == plain.held, "{:#?}", run.maps);
        errors
    };
    let unknown = refused(Probed::default(), &turned);
    assert_eq!(refused(answers(false, "text", "array", false), &turned), 0, "what is known is not tried");
    assert!(unknown > 0, "nothing was refused without answers");
    assert!(refused(answers(false, "text", "array", false), &[]) == 0, "both forms are taken there");
    assert!(
        refused(answers(true, "timestamp", "joined", true), &turned) >= unknown,
        "wrong answers cost tries"
    );
}

/// What makes a migration impossible is said before anything is written, where a probe has found it out.
#[test]
fn what_a_probe_found_impossible_is_said_before_anything_is_written() {
    let turned: Vec<Turn> =
        turns().into_iter().filter(|turn| turn.shown == "product_description = false").collect();
    let account = Account::new(&turned, true);
    let (_, found, _) = account.probe(NOTHING_LASTING).unwrap_or_else(|error| panic!("{error}"));
    let answers = found.into_iter().filter_map(|found| Some((found.question.to_owned(), found.answer?)));
    let mut world = world(4, &turned);
    world.probed = Probed { day: Some(jiff::civil::date(2026, 11, 20)), answers: answers.collect() };
    match world.live(&DieAt::default()) {
        Err(Error::Preflight(problems)) => {
            let told = problems
                .iter()
                .any(|p| p.what.contains("products keep no description (probed on 2026-11-20)"));
            assert!(told, "{problems:?}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(world.account.live_count("Products") + world.account.live_count("Accounts"), 0);
}
