//! The hash of a schema: what specs are checked against, and nothing that changes from day to day.

use super::{Attribute, Choice, Domain, Field, Object, Outcome, Pipeline, Schema, Stage, User, Write};

impl Schema {
    /// BLAKE3 over everything but statistics, record counts, the day it was taken, the salt, the e-mail hashes and
    /// answers of experiments.
    ///
    /// 64 hex digits. Line ends inside texts count as single line feeds. Every struct is taken apart by name, so that
    /// a new field cannot be forgotten here.
    pub fn hash(&self) -> String {
        let Schema {
            connector,
            account,
            account_name,
            taken: _,
            salt: _,
            objects,
            domains,
            pipelines,
            users,
            probed: _,
        } = self;
        let mut feed = Feed(Vec::with_capacity(1 << 16));
        feed.text("b2n-schema/1");
        feed.text(connector);
        feed.text(account);
        feed.text(account_name);
        feed.all(objects, Feed::object);
        feed.count(domains.len());
        for (name, domain) in domains {
            feed.text(name);
            feed.domain(domain);
        }
        feed.all(pipelines, Feed::pipeline);
        feed.all(users, Feed::user);
        blake3::hash(&feed.0).to_hex().to_string()
    }
}

/// Gathers values, to be hashed at once, so that different values never feed equal bytes: lengths before contents, a byte per option.
struct Feed(Vec<u8>);

impl Feed {
    fn count(&mut self, count: usize) {
        self.0.extend_from_slice(&(count as u64).to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        if text.contains('\r') {
            let text = text.replace("\r\n", "\n");
            self.count(text.len());
            self.0.extend_from_slice(text.as_bytes());
        } else {
            self.count(text.len());
            self.0.extend_from_slice(text.as_bytes());
        }
    }

    fn maybe(&mut self, text: Option<&str>) {
        self.flag(text.is_some());
        if let Some(text) = text {
            self.text(text);
        }
    }

    fn flag(&mut self, flag: bool) {
        self.0.push(u8::from(flag));
    }

    fn all<T>(&mut self, all: &[T], one: impl Fn(&mut Self, &T)) {
        self.count(all.len());
        for value in all {
            one(self, value);
        }
    }

    fn object(&mut self, object: &Object) {
        let Object { name, title, records: _, creatable, hint, custom_types, matchable, fields } = object;
        self.text(name);
        self.maybe(title.as_deref());
        self.flag(*creatable);
        self.maybe(hint.as_deref());
        self.all(custom_types, |feed, text| feed.text(text));
        self.all(matchable, |feed, text| feed.text(text));
        self.all(fields, Feed::field);
    }

    fn field(&mut self, field: &Field) {
        let Field { name, title, ty, required, write, custom, attributes, stats: _ } = field;
        self.text(name);
        self.maybe(title.as_deref());
        self.text(&ty.to_string());
        self.flag(*required);
        self.maybe(match write {
            Write::Yes => None,
            Write::No { hint } => Some(hint),
        });
        self.flag(*custom);
        self.all(attributes, |feed, Attribute { name, ty }| {
            feed.text(name);
            feed.text(&ty.to_string());
        });
    }

    fn domain(&mut self, Domain { title, choices, open }: &Domain) {
        self.maybe(title.as_deref());
        self.flag(*open);
        self.all(choices, |feed, Choice { code, title }| {
            feed.text(code);
            feed.maybe(title.as_deref());
        });
    }

    fn pipeline(&mut self, pipeline: &Pipeline) {
        let Pipeline { object, code, name, stages, records: _, outcomes } = pipeline;
        self.text(object);
        self.text(code);
        self.text(name);
        self.all(stages, |feed, Stage { code, name, ends }| {
            feed.text(code);
            feed.text(name);
            feed.maybe(ends.map(super::snapshot::outcome_word));
        });
        self.all(outcomes, |feed, Outcome { code, name, kind }| {
            feed.text(code);
            feed.text(name);
            feed.text(super::snapshot::outcome_word(*kind));
        });
    }

    fn user(&mut self, User { id, email_hash: _, active }: &User) {
        self.text(id);
        self.flag(*active);
    }
}
