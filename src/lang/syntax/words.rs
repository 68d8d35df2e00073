//! The words of messages: what the grammar's rules are called to people, and what a line should look like. Knows the
//! rules by their names only.

use super::tokens::{Kind, tokens};

/// Tokens without which the line has no shape: where one is missing, nothing else is worth naming.
const ESSENTIAL: [&str; 14] = [
    "gives",
    "left_arrow",
    "arrow",
    "colon",
    "kw_before",
    "kw_existing",
    "kw_by",
    "close_paren",
    "close_bracket",
    "close_brace",
    "equals",
    "kw_into",
    "kw_via",
    "at_most",
];

/// The one essential token among those that were expected.
pub(super) fn essential(expected: &[String]) -> Option<&'static str> {
    let mut found = ESSENTIAL.into_iter().filter(|e| expected.iter().any(|x| x == e));
    let first = found.next()?;
    // `,` or an operator may always stand before a closing bracket: that is no reason to name them too.
    found.next().is_none().then_some(first)
}

/// A token's own characters.
pub(super) fn literal(rule: &str) -> Option<&str> {
    Some(match rule {
        "gives" => "=>",
        "left_arrow" => "<-",
        "arrow" => "->",
        "colon" => ":",
        "comma" => ",",
        "dot" => ".",
        "bar" => "|",
        "question" => "?",
        "underscore" => "_",
        "open_paren" => "(",
        "close_paren" => ")",
        "open_bracket" => "[",
        "close_bracket" => "]",
        "close_brace" => "}",
        "equals" => "=",
        "dash" => "-",
        "dots" => "..",
        "at_most" => "<=",
        "open_brace" => "{",
        "until" => "until",
        "accept_by" => "by",
        "for_each" => "for each",
        "hole" => "???",
        "listed" => "listed",
        "proposed" => "proposed",
        "mode" => "replace",
        "each_block" => "each",
        "expect_no" => "no",
        "on_fail" | "on_fail_clause" => "on fail",
        "on_unmigrated" | "on_unmigrated_clause" => "on unmigrated",
        "when_clause" => "when",
        "labelled_clause" => "labelled",
        "else_clause" => "else",
        "flag_clause" | "flag_arm" => "flag",
        "skip_arm" => "skip",
        "because" => "because",
        "second_pass" => "in a second pass",
        _ => return rule.strip_prefix("kw_"),
    })
}

/// What a group of rules is called together.
fn group(rule: &str) -> Option<&'static str> {
    Some(match rule {
        "reference" | "pipeline_by" | "presence" | "money" | "percent" | "date" | "number" | "boolean"
        | "list" | "group" | "call" | "lookup" | "field" | "expression" | "conjunction" | "negation"
        | "comparison" | "value" | "value_arm" | "kw_not" | "kw_true" | "kw_false" => "a value",
        "called" | "looked_up" => "a call such as `trim()`",
        "field_ref" | "qualifier" | "code" | "uncalled" | "pattern" | "patterns" | "plain_pattern"
        | "glob" => "a source field",
        "field_lit" | "field_key" => "a field such as `TITLE: \"Pumps\"`",
        "value_lit" => "a value",
        "record" => "`{`",
        "block" => "`{`",
        "rest" => "`..default`, `..FIXTURE` or `..`",
        "params" => "`(`",
        "param" => "a parameter such as `given: text?`",
        "object_ref" | "process" => "a source object",
        "map_name" => "the name of a map",
        "split_on" => "`when CONDITION`, a code in quotes, `otherwise` or `_ unseen`",
        "split_to" | "split_maps" => "the name of a map, `listed \"why\"`, `skip \"why\"` or `quarantine`",
        "unseen" => "`_ unseen`",
        "unit" => "a word such as `records`",
        "budget_what" => "what is limited, such as `quarantine`",
        "budget_limit" => "a limit such as `0.5%` or `2 tables`",
        "finding_code" => "a code such as `B2N-L204`",
        "accept_part" => "`.`",
        "expect_record" => {
            "a destination object, `no`, `quarantine`, `stop`, `skip \"why\"` or `flag \"why\"`"
        }
        "destination" | "rule_target" => "a destination field",
        "name" | "dotted" | "of_process" => "a name",
        "text" => "a text in quotes",
        "title" => "a title in backticks",
        "integer" => "a whole number",
        "currency" => "a currency",
        "type_ref" | "many_type" | "plain_type" => "a type",
        "type_args" => "`(`",
        "type_arg" => "a value of the type",
        "table_target" | "object_field" => "a destination field such as `Lead.market`, or a type",
        "codes" | "coded" => "a code in quotes",
        "arm" => "a value or an arm such as `quarantine`",
        "stage_target" | "stage_word" | "stage_name" => {
            "`stage`, `won`, `lost`, `cancelled` or an arm such as `quarantine`"
        }
        "owner_who" => "an e-mail address in quotes, `dismissed` or `otherwise`",
        "drop_reason" => "`empty`, `derived from …` or `declined \"why\"`",
        "derived" => "`derived from …`",
        "declined" => "`declined \"why\"`",
        "on_existing" => "`existing`",
        "on_delete" => "`delete`",
        "order_side" => "the name of a map",
        "fidelity" | "fidelity_clause" => "a fidelity word such as `narrowed`",
        "arguments" => "`(`",
        "ref_maps" => "the name of a map",
        "comparator" | "kw_and" | "kw_or" | "dot" | "method" => "an operator",
        "category" => "`category`",
        "EOI" => "the end of the line",
        _ => return None,
    })
}

/// Clauses are named together, unless few are possible.
fn is_clause(rule: &str) -> bool {
    matches!(
        rule,
        "when_clause"
            | "labelled_clause"
            | "else_clause"
            | "on_fail_clause"
            | "on_unmigrated_clause"
            | "fidelity_clause"
            | "second_pass"
            | "on_fail"
            | "on_unmigrated"
            | "fidelity"
            | "kw_when"
            | "kw_labelled"
            | "kw_else"
            | "kw_in"
    )
}

/// Says what was expected, in users' words: “expected `=>` after the stage codes”.
pub(super) fn expected(line: &str, rules: &[String]) -> String {
    if let Some(rule) = essential(rules) {
        return format!("expected `{}`{}", literal(rule).unwrap_or(rule), after(line, rule));
    }
    // The grammar tries an operator or a clause only where one begins.
    let mut rules = rules.to_vec();
    if matches!(line, "rule_line" | "custom_line" | "note_line") && rules.iter().any(|r| r == "EOI") {
        rules.extend(["else_clause", "when_clause", "on_fail_clause", "kw_and"].map(str::to_owned));
    } else if line == "where_line" && rules.iter().any(|r| r == "EOI") {
        rules.push("kw_and".to_owned());
    }
    let rules = &rules;
    let clauses = rules.iter().filter(|r| is_clause(r)).count() > 2;
    let value = rules.iter().filter(|r| group(r) == Some("a value")).count() > 1;
    let mut names: Vec<String> = Vec::new();
    for rule in rules {
        let name = if clauses && is_clause(rule) {
            "a clause such as `else`".to_owned()
        } else if value
            && matches!(
                rule.as_str(),
                "text" | "title" | "code" | "qualifier" | "field_ref" | "called" | "looked_up"
            )
        {
            "a value".to_owned()
        } else if let Some(name) = group(rule) {
            name.to_owned()
        } else if let Some(word) = literal(rule) {
            format!("`{word}`")
        } else {
            continue;
        };
        if !names.contains(&name) {
            names.push(name);
        }
    }
    // What may always follow says nothing where something else must.
    let must = names.iter().any(|n| n != "`,`" && n != "a title in backticks" && n != "the end of the line");
    names.retain(|n| !must || n != "`,`" && n != "a title in backticks");
    // The end of the line is what people least think of: it goes last.
    names.sort_by_key(|name| name == "the end of the line");
    match names.as_slice() {
        [] => "this cannot be read".to_owned(),
        [one] => format!("expected {one}"),
        [some @ .., last] => format!("expected {} or {last}", some.join(", ")),
    }
}

/// Where a missing token belongs.
fn after(line: &str, rule: &str) -> &'static str {
    match (line, rule) {
        ("stage_row" | "stage_unseen", "gives") => " after the stage codes",
        ("table_row" | "table_unseen", "gives") => " after the codes",
        ("owner_row", "gives") => " after the user",
        ("rule_line", "left_arrow") => " after the destination field",
        ("custom_line", "left_arrow") => " after the type",
        ("table_head", "arrow") => " after the type of what is looked up",
        ("pipeline_head", "arrow") => " before the destination pipeline",
        ("map_head", "arrow") => " between the source and the destination object",
        ("table_head" | "pipeline_head", "colon") => " after the name",
        ("note_line", "left_arrow") => " after the note's title",
        ("orphan_line", "gives") => " after `orphan`",
        ("split_row", "gives") => " after what the row is for",
        ("golden_line", "gives") => " between the records and what comes out of them",
        ("fn_line", "arrow") => " after the parameters",
        ("fn_line", "equals") => " after the type",
        ("fixture_line", "equals") => " after the name",
        ("budget_row", "at_most") => " after what is limited",
        (_, "close_brace") => " or `,`",
        _ => "",
    }
}

/// What a line of this kind looks like.
pub(super) fn pattern(line: &str) -> &'static str {
    match line {
        "edition_line" => "the first line of a spec is `edition 2026`",
        "system_line" => "a system is written `source bitrix24 \"schema/bitrix24.yaml\"`",
        "zone_line" => "a zone is written `zone \"Europe/Moscow\"`",
        "owners_head" => "the item begins with `owners {`",
        "order_head" => "the item begins with `order {`",
        "table_head" => "a table begins with `table NAME : enum(FIELD) -> Object.field {`",
        "pipeline_head" => "a pipeline begins with `pipeline NAME : deal category 0 -> \"Pipeline\" {`",
        "map_head" => "a map begins with `map company -> Account {`",
        "use_line" => "a profile is taken over with `use \"standard\"`, or with its path",
        "budget_head" => "the item begins with `budget {`",
        "test_head" => "a test begins with `test \"what it shows\" {`",
        "every_row_line" => "the line is `test every row NAME`, with the name of a table or pipeline",
        "split_head" => "a split begins with `split lead {` or `split activity by TYPE_ID {`",
        "flatten_head" => "a flatten begins with `flatten process 1032 into company via PARENT_ID_4 {`",
        "fn_line" => {
            "a function is `fn full_name(given: text?, family: text?) -> text? = join(\" \", [given, family])`"
        }
        "fixture_line" => "a fixture is `fixture NAME = deal { ID: \"7\", ..default }`",
        "golden_line" => "the line is `golden deal \"records.ndjson\" => Lead \"expected.ndjson\"`",
        "accept_line" => {
            "the item is `accept B2N-L204 on company.\"Label\" until 2027-01-31 because \"why\" by \"who\"`"
        }
        "split_row" => {
            "a row is `when CONDITION => MAP`, `\"CODE\" => MAP, MAP`, `otherwise => skip \"why\"` or `_ unseen => …`"
        }
        "budget_row" => "a row is `quarantine <= 0.5%` or `merged <= 2 tables`",
        "given_line" => "the line is `given deal { ID: \"7\", ..default }` or `given FIXTURE`",
        "expect_line" => {
            "the line is `expect Lead { FIELD: VALUE, .. }`, `expect no Lead`, `expect quarantine` or `expect skip \"why\"`"
        }
        "pick_line" => "the line is `pick latest by FIELD` or `pick earliest by FIELD`",
        "orphan_line" => "the line is `orphan => skip \"why\"`",
        "gap_line" => "the line is `gap FIELD, FIELD \"why there is no place for it\"`",
        "note_line" => {
            "a note is `note \"Title\" <- VALUE`, then `for each at most 20`, `when`, a fidelity word"
        }
        "expression_line" => {
            "a value in a text stands in braces, as in `\"Company {ID}\"`; `{{` is a brace itself"
        }
        "match_email_line" => "the line is `match by email`",
        "owner_row" => {
            "a row is `\"from@example.com\" => \"to@example.com\"`, `dismissed => …` or `otherwise => …`"
        }
        "table_row" => "a row is `\"CODE\" => \"Value\"`, several codes with commas between them",
        "table_unseen" => "the row is `_ unseen => quarantine`",
        "stage_row" => {
            "a row is `\"CODE\" => stage \"Stage\"`; also `won`, `lost` and `cancelled` with an outcome"
        }
        "stage_unseen" => "the row is `_ unseen => quarantine`",
        "order_row" => "a row is `company, contact before deal`",
        "key_line" => "the line is `key FIELD`",
        "match_line" => "the line is `match existing by FIELD or FIELD`",
        "on_line" => "the line is `on existing fill`, `overwrite` or `keep`; or `on delete list` or `delete`",
        "where_line" => "the line is `where CONDITION else skip \"why\"`",
        "drop_line" => {
            "a drop is `drop FIELD, FIELD declined \"why\"`; also `empty` and `derived from FIELD`"
        }
        "todo_line" => "the line is `todo FIELD \"what is to be found out\"`",
        "custom_line" => "a custom field is `custom \"Label\" TYPE <- VALUE`",
        _ => {
            "a rule is `field <- VALUE`, then `when`, `labelled`, `else`, `on fail`, `on unmigrated`, a fidelity word"
        }
    }
}

/// What signs of other languages mean here.
pub(super) fn hint(rest: &str) -> Option<&'static str> {
    let word = |w: &str| rest.strip_prefix(w).is_some_and(|after| !after.starts_with(super::tokens::is_word));
    Some(match rest.as_bytes() {
        [b'/', b'/' | b'*', ..] => "a comment begins with `#`",
        [b'\'', ..] => "texts stand in `\"`",
        [b'&', b'&', ..] => "conditions are joined with `and`",
        [b'|', b'|', ..] => "conditions are joined with `or`; for a value that may be absent there is `else`",
        [b'?', b'?', ..] if !rest.starts_with("???") => {
            "for a value that may be absent there is the clause `else`"
        }
        [b'!', next, ..] if *next != b'=' => "the opposite of a condition is `not …`",
        [b';', ..] => "a line ends by itself, without `;`",
        [b'$', ..] => "a value in a text stands in braces: `\"Company {ID}\"`",
        [b'+', ..] => "texts are joined by `\"{A} {B}\"` or `join`",
        _ if word("if") || word("unless") => {
            "a condition is written behind the value: `VALUE when CONDITION else VALUE`"
        }
        _ if word("null") || word("nil") || word("None") => {
            "a field without a value is `unset`; whether there is one asks `has FIELD`"
        }
        _ if word("is") => "presence is `has FIELD`, equality `==`",
        _ => return None,
    })
}

/// What stands at the beginning of a text, to be shown to people; `expected` are the rules that would fit there.
pub(super) fn found(rest: &str, expected: &[String]) -> String {
    let rest = rest.trim_start();
    let Some(first) = rest.chars().next() else { return "the line ends here".to_owned() };
    if first.is_control()
        || matches!(first, '\u{a0}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202f}' | '\u{feff}')
    {
        return format!("found the invisible character U+{:04X}", u32::from(first));
    }
    if matches!(first, '“' | '”' | '„' | '«' | '»') {
        return "found a typographic quote; texts stand in `\"`".to_owned();
    }
    let cut = rest.char_indices().nth(40).map_or(rest, |(at, _)| &rest[..at]);
    let comparison = expected.iter().any(|rule| rule == "comparator" || rule == "kw_and");
    if comparison && rest.starts_with('=') && !rest.starts_with("==") && !rest.starts_with("=>") {
        return "found `=`; equality is `==`".to_owned();
    }
    match tokens(cut).0.first() {
        Some(token) if token.kind != Kind::Newline && token.span.end <= 32 => {
            let token = &cut[token.span.range()];
            if token.starts_with('`') { format!("found {token}") } else { format!("found `{token}`") }
        }
        _ => format!("found `{first}…`"),
    }
}
