//! What a reconciliation found beside the equations, printed for people and programs: fields, links, sums, files.

use std::collections::BTreeMap;
use std::fmt::Write;

use rust_decimal::Decimal;
use serde_json::{Value, json};

use crate::run::engine::{FieldProof, FileField, MapReport, Proof, Sum};

use super::terminal::{Terminal, amount, count};

/// Everything that a person may want to look at; fields that are as planned are a number alone.
pub fn text(maps: &[MapReport], terminal: &Terminal) -> String {
    let mut out = String::new();
    let proven = || maps.iter().filter_map(|map| Some((map, map.proof.as_deref()?)));
    let compared: u64 = proven().map(|(_, proof)| proof.compared).sum();
    if proven().next().is_none() {
        return out;
    }
    let _ = writeln!(out, "{}", terminal.bold("field by field"));
    let _ = writeln!(out, "  {} records were read back and compared", count(compared));
    for (map, proof) in proven() {
        one(&mut out, map, proof);
    }
    out.push_str(&sums(maps, terminal));
    out
}

fn one(out: &mut String, map: &MapReport, proof: &Proof) {
    let name = &map.map;
    let mut say = |records: u64, what: &str| {
        if records > 0 {
            let _ = writeln!(out, "  {name}: {} {what}", count(records));
        }
    };
    say(proof.unsourced, "ends in the books without a source record");
    say(proof.disagreeing, "that the rules leave out or hold back, and the destination has");
    say(proof.not_compared, "not compared: refused, held back, or left as they were");
    say(proof.settled, "differed in a list and agreed when they were read again");
    if let Some(now) = proof.source_now.filter(|now| *now != proof.staged) {
        let staged = count(proof.staged);
        let _ =
            writeln!(out, "  {name}: the source counts {} records by now, {staged} are staged", count(now));
    }
    for field in &proof.fields {
        for (kind, records) in &field.differing {
            let _ = writeln!(out, "  {name}.{}: {} {}", field.field, count(*records), kind.word());
        }
        if field.reformatted > 0 {
            let _ = writeln!(
                out,
                "  {name}.{}: {} written otherwise, such as in capitals",
                field.field,
                count(field.reformatted)
            );
        }
        if field.null_change() != 0 {
            let _ = writeln!(
                out,
                "  {name}.{}: filled in {} records, planned in {}",
                field.field,
                count(field.found),
                count(field.expected)
            );
        }
        if let Some(links) = field.links.filter(|links| links.found != links.planned) {
            let _ = writeln!(
                out,
                "  {name}.{}: {} of {} links arrived, {} have both ends there",
                field.field,
                count(links.found),
                count(links.planned),
                count(links.resolved)
            );
        }
    }
}

/// One row for a field and a currency; its stages follow one by one where they do not close.
fn sums(maps: &[MapReport], terminal: &Terminal) -> String {
    let row = |name: &str, stage: String, currency: &str, [planned, arrived, found]: [Decimal; 3], closes| {
        let closes = if closes { "closes" } else { "open" };
        let amounts = [amount(planned), amount(arrived), amount(found)];
        let [planned, arrived, found] = amounts;
        vec![name.to_owned(), stage, currency.to_owned(), planned, arrived, found, closes.to_owned()]
    };
    let mut rows = Vec::new();
    for map in maps {
        let mut groups: BTreeMap<(&str, &str), Vec<(&str, &Sum)>> = BTreeMap::new();
        for (key, sum) in map.proof.iter().flat_map(|proof| &proof.sums) {
            groups.entry((&key.field, &key.currency)).or_default().push((&key.stage, sum));
        }
        for ((field, currency), sums) in groups {
            let name = format!("{}.{field}", map.map);
            let all = sums.iter().fold([Decimal::ZERO; 3], |[planned, arrived, found], (_, sum)| {
                [
                    planned.saturating_add(sum.planned),
                    arrived.saturating_add(sum.arrived),
                    found.saturating_add(sum.found),
                ]
            });
            let open: Vec<_> = sums.iter().filter(|(_, sum)| !sum.closes()).collect();
            let stages = sums.iter().filter(|(stage, _)| !stage.is_empty()).count();
            let stages = match stages {
                0 => String::new(),
                1 => sums[0].0.to_owned(),
                _ => format!("{stages} stages"),
            };
            rows.push(row(&name, stages, currency, all, open.is_empty()));
            if sums.len() > 1 {
                for (stage, sum) in open {
                    let numbers = [sum.planned, sum.arrived, sum.found];
                    rows.push(row("", (*stage).to_owned(), currency, numbers, false));
                }
            }
        }
    }
    if rows.is_empty() {
        return String::new();
    }
    let head = ["sum of", "stage", "in", "source", "arrived", "there", "sum"];
    format!("{}\n{}", terminal.bold("sums"), terminal.table(&head, &rows))
}

/// The ledger of files for people.
pub fn files(ledger: &[FileField], terminal: &Terminal) -> String {
    let rows: Vec<Vec<String>> = ledger
        .iter()
        .filter(|field| field.files > 0)
        .map(|field| {
            vec![
                format!("{}.{}", field.object, field.field),
                count(field.records),
                count(field.files),
                field.fate(),
            ]
        })
        .collect();
    if rows.is_empty() {
        return String::new();
    }
    let head = ["files in", "records", "files", "what becomes of them"];
    format!("{}\n{}", terminal.bold("files"), terminal.table(&head, &rows))
}

/// The ledger of files as JSON.
pub fn files_json(ledger: &[FileField]) -> Value {
    let row = |field: &FileField| {
        json!({
            "object": field.object, "field": field.field, "records": field.records, "files": field.files,
            "read_by": field.read_by, "dropped": field.dropped,
        })
    };
    ledger.iter().map(row).collect()
}

/// A map's proof as JSON; null where nothing was compared.
pub fn json(proof: Option<&Proof>) -> Value {
    let Some(proof) = proof else { return Value::Null };
    let sums: Vec<Value> = proof
        .sums
        .iter()
        .map(|(key, sum)| {
            json!({
                "field": key.field, "currency": key.currency, "stage": key.stage,
                "planned": sum.planned.normalize().to_string(), "planned_records": sum.planned_records,
                "arrived": sum.arrived.normalize().to_string(), "explained": sum.explained.normalize().to_string(),
                "found": sum.found.normalize().to_string(), "found_records": sum.found_records,
                "closes": sum.closes(),
            })
        })
        .collect();
    json!({
        "closes": proof.closes(), "compared": proof.compared, "not_compared": proof.not_compared,
        "settled": proof.settled, "unaccounted": proof.unaccounted, "unsourced": proof.unsourced,
        "disagreeing": proof.disagreeing, "source_now": proof.source_now, "staged": proof.staged,
        "fields": proof.fields.iter().map(field_json).collect::<Vec<_>>(), "sums": sums,
    })
}

fn field_json(field: &FieldProof) -> Value {
    let differing: Vec<Value> = field
        .differing
        .iter()
        .map(|(kind, records)| json!({"kind": kind.word(), "records": records, "keeps_open": kind.keeps_open()}))
        .collect();
    let links = field
        .links
        .map(|links| json!({"planned": links.planned, "resolved": links.resolved, "found": links.found}));
    json!({
        "field": field.field, "planned": field.planned, "expected": field.expected, "found": field.found,
        "same": field.same, "reformatted": field.reformatted, "more": field.more, "waiting": field.waiting,
        "untold": field.untold, "differing": differing, "links": links,
    })
}
