//! Writes trees as text, in one of many layouts.

use crate::lang::syntax::ast::*;
use crate::lang::syntax::quote;
use crate::lang::value::OutcomeKind;

/// Writes a spec; the seed chooses blanks, line ends and comments.
pub(super) fn print(spec: &Spec, seed: u64) -> String {
    let mut printer = Printer { out: String::new(), seed };
    for item in &spec.items {
        printer.item(item);
        printer.end();
    }
    printer.out
}

struct Printer {
    out: String,
    seed: u64,
}

/// How tightly an expression's operator binds.
fn strength(expr: &Expr) -> u8 {
    match expr.kind {
        ExprKind::PipelineBy(_) => 0,
        ExprKind::Or(..) => 1,
        ExprKind::And(..) => 2,
        ExprKind::Not(_) => 3,
        ExprKind::Compare(..) => 4,
        _ => 5,
    }
}

impl Printer {
    fn choose(&mut self, of: u64) -> u64 {
        self.seed = self.seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.seed >> 33) % of
    }

    fn put(&mut self, text: &str) {
        self.out.push_str(text);
    }

    /// Blanks that must be there.
    fn gap(&mut self) {
        let gap = [" ", " ", " ", "  ", "\t"][self.choose(5) as usize];
        self.put(gap);
    }

    /// Blanks that need not be there.
    fn may(&mut self) {
        if self.choose(4) == 0 {
            self.gap();
        }
    }

    fn word(&mut self, text: &str) {
        self.put(text);
        self.gap();
    }

    /// Before a clause.
    fn turn(&mut self) {
        let turn = [" ", "  ", " ", "\n      ", "  # why\n  ", "\n # above\n "][self.choose(6) as usize];
        self.put(turn);
    }

    fn end(&mut self) {
        let end = ["\n", "\n", "\n\n\n", "  # c\n", "\r\n", "\n# own\n"][self.choose(6) as usize];
        self.put(end);
    }

    fn list<T>(&mut self, items: &[T], mut each: impl FnMut(&mut Self, &T)) {
        for (n, item) in items.iter().enumerate() {
            if n > 0 {
                self.may();
                self.put(",");
                self.gap();
            }
            each(self, item);
        }
    }

    fn block<T>(&mut self, rows: &[T], mut each: impl FnMut(&mut Self, &T)) {
        self.may();
        self.put("{");
        self.end();
        for row in rows {
            self.may();
            each(self, row);
            self.end();
        }
        self.may();
        self.put("}");
    }

    fn title(&mut self, title: &Name) {
        self.put(&format!("`{}`", title.value));
    }

    fn coded(&mut self, coded: &Coded, code: impl Fn(&str) -> String) {
        if let Some(name) = &coded.code {
            self.put(&code(&name.value));
            if coded.title.is_some() {
                self.gap();
            }
        }
        if let Some(title) = &coded.title {
            self.title(title);
        }
    }

    fn field(&mut self, field: &FieldRef) {
        if let Some(object) = &field.object {
            self.put(&object.value);
            self.put(".");
        }
        self.coded(&field.field, str::to_owned);
    }

    fn object(&mut self, object: &ObjectRef) {
        self.put(&object.name.value);
        if let Some(title) = &object.title {
            self.gap();
            self.title(title);
        }
    }

    fn mode(&mut self, mode: Mode) {
        match mode {
            Mode::Own => {}
            Mode::Replace(_) => self.word("replace"),
            Mode::Refine(_) => self.word("refine"),
        }
    }

    fn type_ref(&mut self, ty: &TypeRef) {
        self.put(if ty.many { "[" } else { "" });
        self.put(&ty.name.value);
        if !ty.args.is_empty() {
            self.put("(");
            self.list(&ty.args, |p, arg| match arg {
                TypeArg::Name(name) => p.put(&name.value),
                TypeArg::Text(text) => p.put(&quote(&text.value)),
                TypeArg::Number(number) => p.put(&number.value.to_string()),
            });
            self.put(")");
        }
        self.put(if ty.many { "]" } else { "" });
        self.put(if ty.optional { "?" } else { "" });
    }

    /// An expression whose operator binds at least so tightly, or in parentheses.
    fn expr(&mut self, expr: &Expr, least: u8) {
        if strength(expr) < least || self.choose(20) == 0 {
            self.put("(");
            self.may();
            self.bare(expr);
            self.put(")");
        } else {
            self.bare(expr);
        }
    }

    fn args(&mut self, args: &[Expr]) {
        self.put("(");
        self.list(args, |p, arg| p.expr(arg, 1));
        self.may();
        self.put(")");
    }

    fn binary(&mut self, left: (&Expr, u8), operator: &str, right: (&Expr, u8)) {
        self.expr(left.0, left.1);
        self.gap();
        self.word(operator);
        self.expr(right.0, right.1);
    }

    fn bare(&mut self, expr: &Expr) {
        match &expr.kind {
            ExprKind::Field(field) => self.field(field),
            ExprKind::Text(parts) => self.text(parts),
            ExprKind::Number(number) => self.put(&number.to_string()),
            ExprKind::Percent(share) => {
                let hundred = rust_decimal::Decimal::ONE_HUNDRED;
                self.put(&format!("{}%", (share * hundred).normalize()));
            }
            ExprKind::Money(amount, currency) => self.put(&format!("{amount} {}", currency.value)),
            ExprKind::Date(date) => self.put(&date.to_string()),
            ExprKind::Bool(yes) => self.put(&yes.to_string()),
            ExprKind::List(items) => {
                self.put("[");
                self.list(items, |p, item| p.expr(item, 1));
                self.put("]");
            }
            ExprKind::Call { function, args, method: true } => {
                let receiver = matches!(
                    args[0].kind,
                    ExprKind::Field(_) | ExprKind::Call { .. } | ExprKind::Text(_) | ExprKind::List(_)
                );
                self.expr(&args[0], if receiver { 5 } else { 6 });
                self.put(".");
                self.put(&function.value);
                self.args(&args[1..]);
            }
            ExprKind::Call { function, args, .. } => {
                self.put(&function.value);
                self.args(args);
            }
            ExprKind::Lookup { table, key } => {
                self.put(&table.value);
                self.put("[");
                self.expr(key, 0);
                self.put("]");
            }
            ExprKind::Hole => self.put("???"),
            ExprKind::EachBlock { list, body } => {
                self.word("each");
                self.expr(list, 0);
                self.body(body);
            }
            ExprKind::Ref { many, maps, args, field } => {
                self.word(if *many { "refs" } else { "ref" });
                let maps: Vec<&str> = maps.iter().map(|map| map.value.as_str()).collect();
                self.put(&maps.join("|"));
                self.args(args);
                if let Some(field) = field {
                    self.put(".");
                    self.put(&field.value);
                }
            }
            ExprKind::PipelineBy(args) => {
                self.word("pipeline");
                self.word("by");
                self.list(args, |p, arg| p.expr(arg, 1));
            }
            ExprKind::Has(field) => {
                self.word("has");
                self.field(field);
            }
            ExprKind::Not(a) => {
                self.word("not");
                self.expr(a, 3);
            }
            ExprKind::And(a, b) => self.binary((a, 2), "and", (b, 3)),
            ExprKind::Or(a, b) => self.binary((a, 1), "or", (b, 2)),
            ExprKind::Compare(comparison, a, b) => {
                let operator = match comparison {
                    Comparison::Equal => "==",
                    Comparison::NotEqual => "!=",
                    Comparison::Less => "<",
                    Comparison::AtMost => "<=",
                    Comparison::Greater => ">",
                    Comparison::AtLeast => ">=",
                };
                self.binary((a, 5), operator, (b, 5));
            }
        }
    }

    fn text(&mut self, parts: &[TextPart]) {
        self.put("\"");
        for part in parts {
            match part {
                TextPart::Literal(literal) => {
                    let quoted = quote(literal);
                    self.put(&quoted[1..quoted.len() - 1]);
                }
                TextPart::Expr(expr) => {
                    self.put("{");
                    self.may();
                    self.expr(expr, 0);
                    self.put("}");
                }
            }
        }
        self.put("\"");
    }

    fn arm(&mut self, arm: &Arm) {
        match &arm.kind {
            ArmKind::Value { value, flag } => {
                self.expr(value, 0);
                if let Some(flag) = flag {
                    self.gap();
                    self.word("flag");
                    self.put(&quote(&flag.value));
                }
            }
            ArmKind::Flag(why) => self.put(&format!("flag {}", quote(&why.value))),
            ArmKind::Skip(why) => self.put(&format!("skip {}", quote(&why.value))),
            ArmKind::Unset => self.put("unset"),
            ArmKind::Wait => self.put("wait"),
            ArmKind::Quarantine => self.put("quarantine"),
            ArmKind::Stop => self.put("stop"),
        }
    }

    fn fidelity(&mut self, clause: &FidelityClause) {
        self.put(&format!("{:?}", clause.fidelity.value).to_lowercase());
        if let Some(because) = &clause.because {
            self.gap();
            self.word("because");
            self.put(&quote(&because.value));
        }
    }

    fn clauses(&mut self, clauses: &Clauses) {
        if let Some(when) = &clauses.when {
            self.turn();
            self.word("when");
            self.expr(when, 0);
        }
        if let Some(labelled) = &clauses.labelled {
            self.turn();
            self.word("labelled");
            self.expr(&labelled.value, 0);
            if let Some(when) = &labelled.when {
                self.gap();
                self.word("when");
                self.expr(when, 0);
            }
        }
        let arms = clauses.else_.iter().map(|arm| ("else", arm));
        let arms = arms.chain(clauses.on_fail.iter().map(|arm| ("on fail", arm)));
        for (word, arm) in arms.chain(clauses.on_unmigrated.iter().map(|arm| ("on unmigrated", arm))) {
            self.turn();
            self.word(word);
            self.arm(arm);
        }
        if let Some(fidelity) = &clauses.fidelity {
            self.turn();
            self.fidelity(fidelity);
        }
        if clauses.second_pass.is_some() {
            self.turn();
            self.put("in a second pass");
        }
    }

    fn proposed(&mut self, score: &Option<crate::lang::text::Spanned<rust_decimal::Decimal>>) {
        if let Some(score) = score {
            self.word("proposed");
            self.word(&score.value.to_string());
        }
    }

    fn patterns(&mut self, fields: &[FieldPattern]) {
        self.list(fields, |p, pattern| p.coded(&pattern.field, str::to_owned));
        self.gap();
    }

    fn body(&mut self, body: &[MapLine]) {
        self.block(body, |p, line| p.line(line));
    }

    fn line(&mut self, line: &MapLine) {
        match line {
            MapLine::Key(field) => {
                self.word("key");
                self.field(&field.value);
            }
            MapLine::MatchExisting { by, .. } => {
                self.word("match existing by");
                let by: Vec<&str> = by.iter().map(|name| name.value.as_str()).collect();
                self.put(&by.join(" or "));
            }
            MapLine::OnExisting(what) => self.put(&format!("on existing {:?}", what.value).to_lowercase()),
            MapLine::OnDelete(what) => self.put(&format!("on delete {:?}", what.value).to_lowercase()),
            MapLine::Where { condition, otherwise, .. } => {
                self.word("where");
                self.expr(condition, 0);
                if let Some(arm) = otherwise {
                    self.turn();
                    self.word("else");
                    self.arm(arm);
                }
            }
            MapLine::Rule(rule) => {
                self.proposed(&rule.proposed);
                match &rule.target {
                    RuleTarget::Field(name) => self.put(&name.value),
                    RuleTarget::Custom { label, ty } => {
                        self.word("custom");
                        self.word(&quote(&label.value));
                        self.type_ref(ty);
                    }
                }
                self.may();
                self.put("<-");
                self.gap();
                self.expr_or_each(&rule.value);
                self.clauses(&rule.clauses);
            }
            MapLine::Note(note) => {
                self.proposed(&note.proposed);
                self.word("note");
                self.bare(&note.title);
                self.word(" <-");
                self.expr(&note.value, 0);
                if let Some(for_each) = &note.for_each {
                    self.turn();
                    self.put("for each");
                    if let Some(most) = &for_each.at_most {
                        self.put(&format!(" at most {}", most.value));
                    }
                }
                self.clauses(&note.clauses);
            }
            MapLine::Gap { fields, why, .. } | MapLine::Todo { fields, why, .. } => {
                self.word(if matches!(line, MapLine::Gap { .. }) { "gap" } else { "todo" });
                self.patterns(fields);
                self.put(&quote(&why.value));
            }
            MapLine::Pick { latest, by, .. } => {
                self.word(if *latest { "pick latest by" } else { "pick earliest by" });
                self.field(by);
            }
            MapLine::Orphan { arm, .. } => {
                self.word("orphan =>");
                self.arm(arm);
            }
            MapLine::Drop(drop) => {
                self.word("drop");
                self.patterns(&drop.fields);
                match &drop.reason {
                    DropReason::Empty => self.put("empty"),
                    DropReason::Declined(why) => self.put(&format!("declined {}", quote(&why.value))),
                    DropReason::DerivedFrom(fields) => {
                        self.word("derived from");
                        self.list(fields, |p, field| p.field(field));
                    }
                }
            }
        }
    }

    fn expr_or_each(&mut self, value: &Expr) {
        if matches!(value.kind, ExprKind::EachBlock { .. }) { self.bare(value) } else { self.expr(value, 0) }
    }

    fn codes(&mut self, codes: &[Coded]) {
        self.list(codes, |p, coded| p.coded(coded, quote));
    }

    fn stage(&mut self, to: &StageTarget) {
        let (word, name) = match to {
            StageTarget::Stage(name) => ("stage", name),
            StageTarget::Outcome(OutcomeKind::Won, name) => ("won", name),
            StageTarget::Outcome(OutcomeKind::Lost, name) => ("lost", name),
            StageTarget::Outcome(OutcomeKind::Cancelled, name) => ("cancelled", name),
            StageTarget::Arm(arm) => return self.arm(arm),
        };
        self.word(word);
        self.put(&quote(&name.value));
    }

    fn owner(&mut self, who: &OwnerWho) {
        match who {
            OwnerWho::Email(address) => self.put(&quote(address)),
            OwnerWho::Dismissed => self.put("dismissed"),
            OwnerWho::Otherwise => self.put("otherwise"),
        }
    }

    fn record(&mut self, record: &RecordLit) {
        self.put("{");
        self.may();
        self.list(&record.fields, |p, field| {
            let bare = |code: &str| {
                let mut chars = code.chars();
                chars.next().is_some_and(char::is_alphabetic)
                    && chars.all(|c| c == '_' || c.is_alphanumeric())
            };
            p.coded(&field.field, |code| if bare(code) { code.to_owned() } else { quote(code) });
            p.may();
            p.put(":");
            p.gap();
            p.value(&field.value);
        });
        if record.rest != Rest::None && !record.fields.is_empty() {
            self.word(",");
        }
        match &record.rest {
            Rest::None => {}
            Rest::Any(_) => self.put(".."),
            Rest::Of(name) => self.put(&format!("..{}", name.value)),
        }
        let close = [" }", "}", "\n  }"][self.choose(3) as usize];
        self.put(close);
    }

    fn value(&mut self, value: &ValueLit) {
        match value {
            ValueLit::Expr(expr) => self.bare(expr),
            ValueLit::Absent(_) => self.put("absent"),
            ValueLit::User(who) => {
                self.word("user");
                self.owner(&who.value);
            }
            ValueLit::Stage(to) => self.stage(&to.value),
            ValueLit::List(values, _) => {
                self.put("[");
                self.list(values, Self::value);
                self.put("]");
            }
            ValueLit::Record(record) => self.record(record),
        }
    }

    fn item(&mut self, item: &Item) {
        match item {
            Item::Edition(year) => self.put(&format!("edition {}", year.value)),
            Item::Source(system) | Item::Target(system) => {
                self.word(if matches!(item, Item::Source(_)) { "source" } else { "target" });
                self.word(&system.connector.value);
                self.put(&quote(&system.snapshot.value));
            }
            Item::Zone(zone) => self.put(&format!("zone {}", quote(&zone.value))),
            Item::Use(profile) => self.put(&format!("use {}", quote(&profile.profile.value))),
            Item::Owners(owners) => {
                self.mode(owners.mode);
                self.put("owners");
                self.put(" {\n");
                if owners.match_by_email.is_some() {
                    self.put(" match by email\n");
                }
                for row in &owners.rows {
                    self.owner(&row.who.value);
                    self.word(" =>");
                    self.put(&quote(&row.to.value));
                    if let Some(flag) = &row.flag {
                        self.turn();
                        self.put(&format!("flag {}", quote(&flag.value)));
                    }
                    self.end();
                }
                self.put("}");
            }
            Item::Function(function) => {
                self.mode(function.mode);
                self.word("fn");
                self.put(&function.name.value);
                self.put("(");
                self.list(&function.params, |p, param| {
                    p.put(&param.name.value);
                    p.put(": ");
                    p.type_ref(&param.ty);
                });
                self.put(") -> ");
                self.type_ref(&function.result);
                self.put(" = ");
                self.expr(&function.body, 0);
            }
            Item::Table(table) => {
                self.mode(table.mode);
                self.word("table");
                self.put(&table.name.value);
                self.word(" :");
                self.type_ref(&table.from);
                self.word(" ->");
                match &table.to {
                    TableTarget::Field { object, field } => {
                        self.put(&format!("{}.{}", object.value, field.value));
                    }
                    TableTarget::Type(ty) => self.type_ref(ty),
                }
                self.put(" {\n");
                for row in &table.rows {
                    self.proposed(&row.proposed);
                    self.codes(&row.codes);
                    self.word(" =>");
                    self.arm(&row.arm);
                    self.row_end(&row.fidelity);
                }
                self.unseen(&table.unseen);
            }
            Item::Pipeline(pipeline) => {
                self.mode(pipeline.mode);
                self.word("pipeline");
                self.put(&pipeline.name.value);
                self.word(" :");
                self.object(&pipeline.object);
                if let Some(category) = &pipeline.category {
                    self.word(" category");
                    self.coded(category, |code| if code == "0" { code.to_owned() } else { quote(code) });
                }
                self.word(" ->");
                self.put(&quote(&pipeline.to.value));
                self.put(" {\n");
                for row in &pipeline.rows {
                    self.proposed(&row.proposed);
                    self.codes(&row.codes);
                    self.word(" =>");
                    self.stage(&row.to);
                    self.row_end(&row.fidelity);
                }
                self.unseen(&pipeline.unseen);
            }
            Item::Map(map) => {
                self.mode(map.mode);
                self.word("map");
                self.object(&map.source);
                self.word(" ->");
                self.put(&map.target.value);
                if let Some(alias) = &map.alias {
                    self.word(" as");
                    self.put(&alias.value);
                }
                self.body(&map.body);
            }
            Item::Flatten(flatten) => {
                self.mode(flatten.mode);
                self.word("flatten");
                self.object(&flatten.source);
                self.word(" into");
                self.put(&flatten.into.value);
                self.word(" via");
                self.field(&flatten.via);
                self.body(&flatten.body);
            }
            Item::Split(split) => {
                self.word("split");
                self.object(&split.source);
                if let Some(by) = &split.by {
                    self.word(" by");
                    self.field(by);
                }
                self.block(&split.rows, |p, row| {
                    match &row.on {
                        SplitOn::When(condition) => {
                            p.word("when");
                            p.expr(condition, 0);
                        }
                        SplitOn::Codes(codes) => p.codes(codes),
                        SplitOn::Otherwise(_) => p.put("otherwise"),
                        SplitOn::Unseen(_) => p.put("_ unseen"),
                    }
                    p.word(" =>");
                    match &row.to {
                        SplitTo::Maps(maps) => p.list(maps, |p, map| p.put(&map.value)),
                        SplitTo::Listed(why) => p.put(&format!("listed {}", quote(&why.value))),
                        SplitTo::Arm(arm) => p.arm(arm),
                    }
                });
            }
            Item::Order(order) => {
                self.put("order");
                self.block(&order.rows, |p, row| {
                    p.list(&row.before, |p, map| p.put(&map.value));
                    p.word(" before");
                    p.list(&row.after, |p, map| p.put(&map.value));
                });
            }
            Item::Fixture(fixture) => {
                self.word("fixture");
                self.put(&fixture.name.value);
                self.word(" =");
                self.object(&fixture.object);
                self.gap();
                self.record(&fixture.record);
            }
            Item::Test(test) => {
                self.word("test");
                self.word(&quote(&test.name.value));
                self.put("{\n");
                for given in &test.given {
                    self.word("given");
                    self.object(&given.object);
                    if let Some(record) = &given.record {
                        self.gap();
                        self.record(record);
                    }
                    self.end();
                }
                for expect in &test.expect {
                    self.word("expect");
                    match &expect.kind {
                        ExpectKind::Record(object, record) => {
                            self.word(&object.value);
                            self.record(record);
                        }
                        ExpectKind::No(object) => self.put(&format!("no {}", object.value)),
                        ExpectKind::Quarantine => self.put("quarantine"),
                        ExpectKind::Stop => self.put("stop"),
                        ExpectKind::Skip(why) => self.put(&format!("skip {}", quote(&why.value))),
                        ExpectKind::Flag(why) => self.put(&format!("flag {}", quote(&why.value))),
                    }
                    self.end();
                }
                self.put("}");
            }
            Item::TestEveryRow(test) => self.put(&format!("test every row {}", test.name.value)),
            Item::Golden(golden) => {
                self.word("golden");
                self.object(&golden.source);
                self.gap();
                self.put(&quote(&golden.input.value));
                self.word(" =>");
                self.word(&golden.target.value);
                self.put(&quote(&golden.output.value));
            }
            Item::Budget(budget) => {
                self.put("budget");
                self.block(&budget.rows, |p, row| {
                    p.put(&row.what.value);
                    p.word(" <=");
                    match &row.unit {
                        BudgetUnit::Percent => {
                            let hundred = rust_decimal::Decimal::ONE_HUNDRED;
                            p.put(&format!("{}%", (row.limit.value * hundred).normalize()));
                        }
                        BudgetUnit::Counted(unit) => {
                            p.put(&row.limit.value.to_string());
                            if let Some(unit) = unit {
                                p.put(&format!(" {}", unit.value));
                            }
                        }
                    }
                });
            }
            Item::Accept(accept) => {
                self.put(&format!("accept {} on {}", accept.code.value, accept.item.value));
                if let Some(part) = &accept.part {
                    self.put(&format!(".{}", quote(&part.value)));
                }
                self.turn();
                self.put(&format!("until {}", accept.until.value));
                self.turn();
                self.put(&format!("because {}", quote(&accept.because.value)));
                self.turn();
                self.put(&format!("by {}", quote(&accept.by.value)));
            }
        }
    }

    fn row_end(&mut self, fidelity: &Option<FidelityClause>) {
        if let Some(fidelity) = fidelity {
            self.turn();
            self.fidelity(fidelity);
        }
        self.end();
    }

    fn unseen(&mut self, row: &Option<UnseenRow>) {
        if let Some(row) = row {
            self.word("_ unseen =>");
            self.arm(&row.arm);
            self.end();
        }
        self.put("}");
    }
}
