//! Who owns what: source users whose records go to somebody else, grouped by what happens to them.

use std::collections::{BTreeMap, BTreeSet};

use super::bounds::{Bounds, Tally};
use super::compare::{Context, Draft, instead, scope_of, scope_of_flatten};
use super::show::quoted;
use super::{Action, At, Side, Subject, Touch, loss};
use crate::lang::plan::{Expr, Owner, OwnerHow, Rule, walk};
use crate::lang::schema::email_hash;
use crate::lang::syntax::ast;

impl<'a> Context<'a> {
    pub(super) fn owners(&mut self) {
        let (old, new) = (&self.old.plan.owners, &self.new.plan.owners);
        if old == new {
            return;
        }
        let ids: BTreeSet<&String> = old.users.keys().chain(new.users.keys()).collect();
        // Users for whom the same thing changes are one change.
        type Group<'g> = (Vec<&'g String>, &'g Owner, &'g Owner);
        let mut groups: BTreeMap<(String, String, bool), Group<'_>> = BTreeMap::new();
        for id in ids {
            let was = old.users.get(id).unwrap_or(&old.otherwise);
            let is = new.users.get(id).unwrap_or(&new.otherwise);
            if was == is {
                continue;
            }
            let named = was.how == OwnerHow::Named || is.how == OwnerHow::Named;
            let alone = if named { id.clone() } else { String::new() };
            let key = (format!("{}{alone}", owner_words(self.old, was)), owner_words(self.new, is), named);
            groups.entry(key).or_insert((Vec::new(), was, is)).0.push(id);
        }
        let mut told: Vec<Group<'_>> = groups.into_values().collect();
        if old.otherwise != new.otherwise {
            told.push((Vec::new(), &old.otherwise, &new.otherwise));
        }
        for (users, was, is) in told {
            let words = instead(&owner_words(self.new, is), &owner_words(self.old, was));
            let (id, what) = match users.as_slice() {
                [] => ("owners otherwise".to_owned(), format!("owners: users whom nobody knows: {words}")),
                [one] => {
                    (format!("owners user {one}"), format!("owners: records of user `{one}` go to {words}"))
                }
                many => {
                    let ids = many.iter().map(|id| id.as_str()).collect::<Vec<_>>().join(", ");
                    (
                        format!("owners users {ids}"),
                        format!("owners: records of {} users ({ids}) go to {words}", many.len()),
                    )
                }
            };
            let (tally, touches) = self.owned(&users);
            let draft = Draft {
                subject: Subject::Owner,
                action: Action::Changed,
                id,
                what,
                loss: loss::by(rank(was), rank(is)),
                old: self.owner_line(self.old, &users, was),
                new: self.owner_line(self.new, &users, is),
                touches,
            };
            self.push_counted(draft, tally);
        }
    }

    /// Records of these users; without any, records of nobody known.
    fn owned(&self, users: &[&String]) -> (Tally<'a>, Vec<Touch>) {
        let side = self.new;
        let mut tally = Tally::default();
        let mut touches = Vec::new();
        let maps = side.plan.maps.iter().enumerate().map(|(at, map)| {
            let rules: Vec<&Rule> = map.rules.iter().chain(map.notes.iter().map(|note| &note.rule)).collect();
            let taken = self.population(&map.source).map(|p| p.taken(side, map));
            (at, &map.source, scope_of(side, map), rules, taken)
        });
        let flattens = side.plan.flattens.iter().map(|flatten| {
            let rules: Vec<&Rule> =
                flatten.rules.iter().chain(flatten.notes.iter().map(|note| &note.rule)).collect();
            let taken = self.population(&flatten.source).map(|p| p.everything());
            (usize::from(flatten.into), &flatten.source, scope_of_flatten(side, flatten), rules, taken)
        });
        for (at, object, scope, rules, taken) in maps.chain(flattens) {
            let population = self.population(object);
            let targets = &side.plan.maps[at].targets;
            for rule in rules {
                let mut add = |user: &Expr, sure: bool| {
                    let field = match user {
                        Expr::Slot(slot) => Some(scope.slot(*slot)),
                        _ => None,
                    };
                    let bounds = population.map(|p| {
                        let held = match &field {
                            None => p.anything(),
                            Some(field) if users.is_empty() => {
                                let known = |code: &str| self.known(code);
                                let strangers = p.outside(field, &known);
                                let absent = p.not(p.presence(user, scope));
                                Bounds { low: strangers.low + absent.low, high: strangers.high + absent.high }
                            }
                            Some(field) => {
                                users.iter().map(|id| p.holding(field, id)).fold(Bounds::NONE, |a, b| {
                                    Bounds {
                                        low: (a.low + b.low).min(p.all),
                                        high: (a.high + b.high).min(p.all),
                                    }
                                })
                            }
                        };
                        let held = p.and(taken.unwrap_or(p.anything()), held);
                        if sure { held } else { Bounds::up_to(held.high) }
                    });
                    tally.add(object, population, bounds.unwrap_or(Bounds::NONE));
                    let target = targets.get(usize::from(rule.target)).map(|target| target.name.clone());
                    let map = self.pair_of_new(at);
                    match &field {
                        Some(field) if scope.outer.is_none() => touches.extend(users.iter().map(|id| {
                            Touch { map, target: target.clone(), only: vec![(field.clone(), (*id).clone())] }
                        })),
                        _ => touches.push(Touch { map, target, only: Vec::new() }),
                    }
                };
                walk::of_rule(rule, &mut |top| {
                    walk::deep(top, &mut |expr| {
                        if let Expr::Owner(user) = expr {
                            let sure = std::ptr::eq(expr, &raw const rule.value) && rule.when.is_none();
                            add(user, sure);
                        }
                    });
                });
            }
        }
        (tally, touches)
    }

    fn known(&self, user: &str) -> bool {
        self.new.plan.owners.users.contains_key(user) || self.old.plan.owners.users.contains_key(user)
    }

    /// The row of `owners` that decides.
    fn owner_line(&self, side: Side<'_>, users: &[&String], owner: &Owner) -> Option<At> {
        let item = side.spec.items.iter().find_map(|item| match item {
            ast::Item::Owners(owners) => Some(owners),
            _ => None,
        })?;
        let hashes: BTreeSet<&str> = side
            .source
            .users
            .iter()
            .filter(|user| users.iter().any(|id| **id == user.id))
            .filter_map(|user| user.email_hash.as_deref())
            .collect();
        let row = item.rows.iter().find(|row| match (&row.who.value, owner.how) {
            (ast::OwnerWho::Email(email), OwnerHow::Named) => {
                hashes.contains(email_hash(&side.source.salt, email).as_str())
            }
            (ast::OwnerWho::Dismissed, OwnerHow::Dismissed) => true,
            (ast::OwnerWho::Otherwise, OwnerHow::Otherwise) => true,
            _ => false,
        });
        let span = row.map(|row| row.span).or(item.match_by_email).unwrap_or(item.span);
        Some(super::reasons::place(side, span))
    }
}

/// Named by a person, or the same person: nobody loses a record.
fn rank(owner: &Owner) -> u8 {
    match owner.how {
        OwnerHow::Email | OwnerHow::Named => 0,
        OwnerHow::Dismissed => 1,
        OwnerHow::Otherwise => 2,
    }
}

/// A destination user, by the address where the spec itself writes it, and how it was found.
fn owner_words(side: Side<'_>, owner: &Owner) -> String {
    let hash = side
        .target
        .users
        .iter()
        .find(|user| user.id == owner.user)
        .and_then(|user| user.email_hash.as_deref());
    let written = side.spec.items.iter().find_map(|item| match item {
        ast::Item::Owners(owners) => owners
            .rows
            .iter()
            .map(|row| &row.to.value)
            .find(|email| hash == Some(email_hash(&side.target.salt, email).as_str())),
        _ => None,
    });
    let who = written.map_or_else(|| format!("user {}", owner.user), |email| quoted(email));
    let how = match owner.how {
        OwnerHow::Email => " (same address)",
        OwnerHow::Named => " (named)",
        OwnerHow::Dismissed => " (dismissed)",
        OwnerHow::Otherwise => " (otherwise)",
    };
    let flag = owner.flag.as_ref().map(|why| format!("  flag {}", quoted(why))).unwrap_or_default();
    format!("{who}{how}{flag}")
}
