//! The hash of what a plan does, whatever the text looks like that says so.
//!
//! Knows which parts of a plan tell where something stands; whoever adds such a part blanks it here.

use super::{
    Arm, Dropped, Expr, Filter, Label, Limit, Line, Note, Open, Pipeline, Plan, Rule, Split, SplitHow,
    SplitRow, SplitTo, StageTo, Table,
};

/// How much of a hash people see and type.
const SHORT: usize = 12;

/// The first digits of a hash, as messages show it.
pub fn short(hash: &str) -> String {
    hash.chars().take(SHORT).collect()
}

impl Plan {
    /// The hash that people approve, 64 hex digits: BLAKE3 over the serialised plan without statistics, lines and files.
    ///
    /// A comment or a blank line changes nothing of it, and neither does a snapshot taken anew of the same schema.
    pub fn hash(&self) -> String {
        // INVARIANT: a plan holds no map with keys other than texts and numbers, so it always serialises.
        let bytes = serde_json::to_vec(&self.clone().bare()).unwrap_or_default();
        blake3::hash(&bytes).to_hex().to_string()
    }

    /// The plan without what tells where it stands, and how many records there are today.
    fn bare(mut self) -> Plan {
        self.files.clear();
        for map in &mut self.maps {
            (map.line, map.records) = (0, None);
            filter(&mut map.filter);
            map.rules.iter_mut().for_each(rule);
            map.notes.iter_mut().for_each(note);
            map.dropped.iter_mut().for_each(dropped);
        }
        for function in &mut self.functions {
            function.line = 0;
            expr(&mut function.body);
        }
        for Table { name: _, rows, unseen, unseen_line, line } in &mut self.tables {
            (*line, *unseen_line) = (0, 0);
            arm(unseen);
            for row in rows.values_mut() {
                row.line = 0;
                arm(&mut row.arm);
            }
        }
        for Pipeline { name: _, object: _, category: _, rows, unseen, unseen_line, line } in
            &mut self.pipelines
        {
            (*line, *unseen_line) = (0, 0);
            arm(unseen);
            for row in rows.values_mut() {
                row.line = 0;
                if let StageTo::Arm(other) = &mut row.to {
                    arm(other);
                }
            }
        }
        for Split { source: _, how, line } in &mut self.splits {
            *line = 0;
            match how {
                SplitHow::When(rows) => rows.iter_mut().for_each(split_row),
                SplitHow::Value { slot: _, rows, unseen } => {
                    rows.values_mut().for_each(split_row);
                    split_row(unseen);
                }
            }
        }
        for flatten in &mut self.flattens {
            (flatten.line, flatten.orphan_line, flatten.records) = (0, 0, None);
            filter(&mut flatten.filter);
            flatten.rules.iter_mut().for_each(rule);
            flatten.notes.iter_mut().for_each(note);
            flatten.dropped.iter_mut().for_each(dropped);
            arm(&mut flatten.orphan);
        }
        for Limit { what: _, at_most: _, share: _, line } in &mut self.budget {
            *line = 0;
        }
        for Open { kind: _, what: _, line } in &mut self.open {
            *line = 0;
        }
        self
    }
}

fn filter(filter: &mut Option<Filter>) {
    if let Some(Filter { condition, otherwise, line }) = filter {
        *line = 0;
        expr(condition);
        arm(otherwise);
    }
}

fn rule(rule: &mut Rule) {
    let Rule {
        target: _,
        when,
        value,
        label,
        otherwise,
        on_fail,
        on_unmigrated,
        fidelity: _,
        because: _,
        second_pass: _,
        line,
    } = rule;
    *line = 0;
    when.iter_mut().for_each(expr);
    expr(value);
    if let Some(Label { value, when }) = label {
        expr(value);
        when.iter_mut().for_each(expr);
    }
    otherwise.iter_mut().chain(on_fail).chain(on_unmigrated).for_each(arm);
}

fn note(note: &mut Note) {
    expr(&mut note.title);
    rule(&mut note.rule);
}

fn dropped(Dropped { field: _, reason: _, gap: _, line }: &mut Dropped) {
    *line = 0;
}

fn split_row(SplitRow { when, to, line }: &mut SplitRow) {
    *line = 0;
    when.iter_mut().for_each(expr);
    if let SplitTo::Arm(other) = to {
        arm(other);
    }
}

fn arm(arm: &mut Arm) {
    match arm {
        Arm::Value { value, flag: _ } => expr(value),
        Arm::Flag(_) | Arm::Unset | Arm::Skip(_) | Arm::Wait | Arm::Quarantine | Arm::Stop => {}
    }
}

fn expr(of: &mut Expr) {
    match of {
        Expr::Slot(_)
        | Expr::Element
        | Expr::Attribute(_)
        | Expr::Const(_)
        | Expr::Param(_)
        | Expr::Outer(_) => {}
        Expr::Concat(all) | Expr::List(all) => all.iter_mut().for_each(expr),
        Expr::Call { function: _, args } | Expr::Apply { function: _, args } => {
            args.iter_mut().for_each(expr);
        }
        Expr::Lookup { table: _, key: inner }
        | Expr::Title { of: inner, titles: _ }
        | Expr::Owner(inner)
        | Expr::Has(inner)
        | Expr::Not(inner) => expr(inner),
        Expr::Each { list, body } => {
            expr(list);
            expr(body);
        }
        Expr::Ref { maps: _, link, any: _, object, field: _ } => {
            expr(link);
            object.iter_mut().for_each(|object| expr(object));
        }
        Expr::EachLine { list, columns: _, rules } => {
            expr(list);
            rules.iter_mut().for_each(rule);
        }
        Expr::Aggregate { kind: _, of } => of.iter_mut().for_each(|of| expr(of)),
        Expr::Lines(lines) => lines.iter_mut().for_each(|Line { label: _, value, columns: _ }| expr(value)),
        Expr::Stage { category, stage, object: _ } => {
            category.iter_mut().for_each(|category| expr(category));
            expr(stage);
        }
        Expr::And(a, b) | Expr::Or(a, b) | Expr::Compare(_, a, b) => {
            expr(a);
            expr(b);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::*;

    /// A plan in which every line is this one.
    fn plan(line: u32) -> Plan {
        let arm = || Arm::Value { value: Box::new(lines(line)), flag: None };
        let row = |to| SplitRow { when: Some(lines(line)), to, line };
        Plan {
            files: vec![File { name: "acme.b2n".into(), first_line: line }],
            maps: vec![Map {
                filter: Some(Filter { condition: lines(line), otherwise: arm(), line }),
                rules: vec![rule(line)],
                notes: vec![Note {
                    name: "note".into(),
                    title: lines(line),
                    rule: rule(line),
                    for_each: false,
                    at_most: None,
                }],
                dropped: vec![Dropped { field: "A".into(), reason: "empty".into(), gap: false, line }],
                line,
                ..Map::default()
            }],
            functions: vec![Function { name: "f".into(), params: 0, body: lines(line), line }],
            tables: vec![Table {
                name: "t".into(),
                // A code that is called as a line is.
                rows: [("line".to_owned(), TableRow { arm: arm(), line })].into(),
                unseen: arm(),
                unseen_line: line,
                line,
            }],
            pipelines: vec![Pipeline {
                name: "p".into(),
                object: "deal".into(),
                category: String::new(),
                rows: [("NEW".to_owned(), StageRow { to: StageTo::Arm(arm()), line })].into(),
                unseen: arm(),
                unseen_line: line,
                line,
            }],
            splits: vec![
                Split { source: "a".into(), how: SplitHow::When(vec![row(SplitTo::Arm(arm()))]), line },
                Split {
                    source: "b".into(),
                    how: SplitHow::Value {
                        slot: 0,
                        rows: [("1".to_owned(), row(SplitTo::Maps(vec![0])))].into(),
                        unseen: row(SplitTo::Arm(arm())),
                    },
                    line,
                },
            ],
            flattens: vec![Flatten {
                source: "quote".into(),
                into: 0,
                via: 0,
                key: 0,
                filter: Some(Filter { condition: lines(line), otherwise: Arm::Quarantine, line }),
                pick: None,
                rules: vec![rule(line)],
                notes: Vec::new(),
                orphan: arm(),
                orphan_line: line,
                reads: BTreeMap::new(),
                dropped: vec![Dropped { field: "A".into(), reason: "empty".into(), gap: true, line }],
                records: None,
                line,
            }],
            budget: vec![Limit { what: "flag".into(), at_most: Decimal::ONE, share: false, line }],
            open: vec![Open { kind: "todo".into(), what: "A".into(), line }],
            ..Plan::default()
        }
    }

    /// An expression with rules of its own inside all others that hold some.
    fn lines(line: u32) -> Expr {
        let list = || Box::new(Expr::Slot(0));
        let rules = vec![Rule { line, ..Rule::default() }];
        let inner = || Box::new(Expr::EachLine { list: list(), columns: Vec::new(), rules: rules.clone() });
        Expr::Concat(vec![
            Expr::Call { function: "trim".into(), args: vec![*inner()] },
            Expr::Apply { function: 0, args: vec![*inner()] },
            Expr::Lookup { table: 0, key: inner() },
            Expr::Each { list: inner(), body: inner() },
            Expr::Ref { maps: vec![0], link: inner(), any: false, object: Some(inner()), field: None },
            Expr::EachLine { list: inner(), columns: Vec::new(), rules: rules.clone() },
            Expr::Aggregate { kind: Aggregate::Sum, of: Some(inner()) },
            Expr::Lines(vec![Line { label: "a".into(), value: *inner(), columns: Vec::new() }]),
            Expr::Title { of: inner(), titles: BTreeMap::new() },
            Expr::Owner(inner()),
            Expr::Stage { category: Some(inner()), stage: inner(), object: "deal".into() },
            Expr::List(vec![*inner()]),
            Expr::Has(inner()),
            Expr::Not(inner()),
            Expr::And(inner(), inner()),
            Expr::Or(inner(), inner()),
            Expr::Compare(Comparison::Equal, inner(), inner()),
        ])
    }

    fn rule(line: u32) -> Rule {
        let arm = || Arm::Value { value: Box::new(lines(line)), flag: None };
        Rule {
            when: Some(lines(line)),
            value: lines(line),
            label: Some(Label { value: lines(line), when: Some(lines(line)) }),
            otherwise: vec![arm()],
            on_fail: Some(arm()),
            on_unmigrated: Some(arm()),
            line,
            ..Rule::default()
        }
    }

    #[test]
    fn where_something_stands_is_no_part_of_it() {
        let text = |plan: &Plan| serde_json::to_string(plan).expect("a plan is JSON");
        let (one, other) = (plan(1), plan(77));
        assert!(text(&one) != text(&other) && text(&other).matches("\"line\":77").count() > 100);
        assert_eq!(text(&one.clone().bare()), text(&other.clone().bare()));
        assert_eq!(one.hash(), other.hash());
        // Every other number and word counts, such as the code `line` of the table.
        let mut other = plan(1);
        other.tables[0].rows = [("lines".to_owned(), other.tables[0].rows["line"].clone())].into();
        assert_ne!(one.hash(), other.hash());
        let mut other = plan(1);
        other.maps[0].dropped[0].reason = "declined".into();
        assert_ne!(one.hash(), other.hash());
    }
}
