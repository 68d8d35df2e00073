//! The lists that are written beside a report once it stands.

use crate::run::workspace::{Found, Status};

use super::gather::{Input, PAGE, compared};
use super::lists::{Lists, Writing};
use super::model::{Dossier, Row, SharedLine};
use super::rows::Told;

/// What the last comparison listed.
pub(super) fn compared_lists<L: Lists>(
    input: &Input<'_>,
    told: &[Told],
    lists: &mut Writing<'_, L>,
) -> Result<(), L::Error> {
    let head = ["row", "key", "object", "id", "field", "kind", "planned", "there"];
    for (kind, file, title) in [
        (Found::Difference, "differences.csv", "Fields that are not as planned"),
        (Found::Missing, "missing.csv", "Records of the books that the destination did not list"),
        (Found::Strange, "strange.csv", "Records with a marker of this migration that the books do not know"),
    ] {
        lists.begin(file, title, if kind == Found::Difference { &head } else { &head[..4] });
        for (told, _) in compared(told) {
            let row = &told.row;
            let mut after = 0;
            loop {
                let page = input.workspace.compared_page(&row.map, kind, after, PAGE)?;
                if page.is_empty() {
                    break;
                }
                after += page.len() as u64;
                for line in &page {
                    let (planned, there) = (input.veil.value(&line.planned), input.veil.value(&line.found));
                    let cells = [
                        &row.map,
                        &line.key,
                        &row.target,
                        &line.target,
                        &line.field,
                        &line.kind,
                        &planned,
                        &there,
                    ]
                    .map(String::as_str);
                    lists.row(if kind == Found::Difference { &cells } else { &cells[..4] })?;
                }
            }
        }
        lists.end()?;
    }
    Ok(())
}

/// The id map, links that lack their record, and what is flagged.
pub(super) fn books_lists<L: Lists>(
    input: &Input<'_>,
    told: &[Told],
    lists: &mut Writing<'_, L>,
) -> Result<(), L::Error> {
    let Input { plan, workspace, veil, .. } = input;
    let head = ["row", "source object", "key", "destination object", "id", "end"];
    lists.begin("id-map.csv", "Every record of the source with its record in the destination", &head);
    lists.always()?;
    for Told { row, .. } in told.iter().filter(|told| told.map.is_some()) {
        for status in Status::ALL {
            let mut after = String::new();
            loop {
                let page = workspace.ends_of(&row.map, status, &after, PAGE)?;
                let Some((last, _)) = page.last() else { break };
                after.clone_from(last);
                for (key, outcome) in &page {
                    if let Some(id) = &outcome.target {
                        lists.row(&[&row.map, &row.object, key, &row.target, id, status.word()])?;
                    }
                }
            }
        }
    }
    lists.end()?;
    let head = ["row", "key", "field", "lacks row", "lacks key"];
    lists.begin("links-lacking.csv", "Links whose other record did not arrive", &head);
    for Told { row, map, .. } in told {
        let mut after = 0;
        loop {
            let page = workspace.lacks_page(&row.map, after, PAGE)?;
            if page.is_empty() {
                break;
            }
            after += page.len() as u64;
            for (key, lack) in &page {
                let field = map.and_then(|map| plan.maps[map].targets.get(usize::from(lack.field)));
                let field = field.map_or("", |field| field.name.as_str());
                lists.row(&[&row.map, key, field, &lack.map, &lack.key])?;
            }
        }
    }
    lists.end()?;
    lists.begin("flags.csv", "What a rule flagged for a person to look at", &["row", "key", "rule", "why"]);
    for Told { row, .. } in told {
        let mut after = 0;
        loop {
            let page = workspace.flags_page(&row.map, after, PAGE)?;
            if page.is_empty() {
                break;
            }
            after += page.len() as u64;
            for (key, flag) in &page {
                lists.row(&[&row.map, key, &flag.rule, &veil.reason(&flag.why)])?;
            }
        }
    }
    lists.end()?;
    Ok(())
}

/// What stands in the report as tables, as lists too.
pub(super) fn tables<L: Lists>(dossier: &Dossier, lists: &mut Writing<'_, L>) -> Result<(), L::Error> {
    let word = |yes: bool| if yes { "yes" } else { "no" }.to_owned();
    let mut table =
        |file: &str, title: &str, head: &[&str], rows: Vec<Vec<String>>| -> Result<(), L::Error> {
            lists.begin(file, title, head);
            for row in rows {
                lists.row(&row.iter().map(String::as_str).collect::<Vec<_>>())?;
            }
            lists.end().map(|_| ())
        };
    let ends = |row: &Row| -> Vec<Vec<String>> {
        let end = |end: &super::End| {
            vec![
                row.map.clone(),
                row.source.to_string(),
                end.end.clone(),
                end.records.to_string(),
                end.list.clone().unwrap_or_default(),
            ]
        };
        row.ends.iter().map(end).collect()
    };
    let rows = dossier.rows.iter().flat_map(ends).collect();
    table("equations.csv", "Where records ended", &["row", "source", "end", "records", "list"], rows)?;
    let rows = dossier.sums.iter().map(|sum| {
        vec![
            sum.map.clone(),
            sum.field.clone(),
            sum.currency.clone(),
            sum.stage.clone(),
            sum.source.clone(),
            sum.source_records.to_string(),
            sum.arrived.clone(),
            sum.explained.clone(),
            sum.there.clone(),
            sum.there_records.to_string(),
            word(sum.closes),
        ]
    });
    let head = [
        "row",
        "field",
        "currency",
        "stage",
        "source",
        "source records",
        "arrived",
        "explained",
        "there",
        "records there",
        "closes",
    ];
    table("sums.csv", "Sums per field, currency and stage", &head, rows.collect())?;
    let rows = dossier.links.iter().map(|link| {
        vec![
            link.map.clone(),
            link.field.clone(),
            link.source.to_string(),
            link.both_ends.to_string(),
            link.there.to_string(),
            link.percent.clone().unwrap_or_default(),
        ]
    });
    let head = ["row", "field", "in the source", "both ends arrived", "there", "percent"];
    table("links.csv", "Links per field", &head, rows.collect())?;
    let rows = dossier.fields.iter().map(|field| {
        let differing: Vec<String> = field
            .differing
            .iter()
            .map(|differing| format!("{} {}", differing.records, differing.kind))
            .collect();
        let numbers = [field.records, field.planned, field.there].map(|number| number.to_string());
        let [records, planned, there] = numbers;
        let mut row = vec![field.map.clone(), field.field.clone(), field.fidelity.clone()];
        row.extend([records, planned, there, field.change.to_string()]);
        let numbers = [field.same, field.reformatted, field.more, field.waiting, field.untold];
        row.extend(numbers.map(|number| number.to_string()));
        row.push(differing.join("; "));
        row
    });
    let head = [
        "row",
        "field",
        "fidelity",
        "records",
        "planned",
        "there",
        "change",
        "same",
        "reformatted",
        "more",
        "waiting",
        "untold",
        "not as planned",
    ];
    table("fields.csv", "Fields, planned and found", &head, rows.collect())?;
    let rows = dossier.pipelines.was.iter().map(|line| {
        vec![line.object.clone(), line.pipeline.clone(), line.stage.clone(), line.records.to_string()]
    });
    let head = ["object", "pipeline", "stage", "records"];
    table("stages-source.csv", "Stages as they were", &head, rows.collect())?;
    let shared = |lines: &[SharedLine]| -> Vec<Vec<String>> {
        let row = |line: &SharedLine| {
            let numbers = [line.planned.to_string(), line.there.to_string()];
            [vec![line.map.clone(), line.field.clone(), line.value.clone()], numbers.to_vec()].concat()
        };
        lines.iter().map(row).collect()
    };
    let head = ["row", "field", "value", "planned", "there"];
    table("stages-destination.csv", "Stages as they are", &head, shared(&dossier.pipelines.is))?;
    table("owners.csv", "Records per user, planned and found", &head, shared(&dossier.owners))?;
    let rows = dossier.time.steps.iter();
    let rows = rows.map(|step| vec![step.from.clone(), step.writes.to_string(), step.percent.clone()]);
    let head = ["from", "writes", "percent of the allowed rate"];
    table("throughput.csv", "Writes over time", &head, rows.collect())?;
    let fields =
        dossier.sample.iter().flat_map(|record| record.fields.iter().map(move |field| (record, field)));
    let rows = fields.map(|(record, field)| {
        let source: Vec<String> =
            field.source.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        vec![
            record.map.clone(),
            record.key.clone(),
            record.object.clone(),
            record.id.clone(),
            field.field.clone(),
            source.join("; "),
            field.rules.join(", "),
            field.planned.clone(),
            field.there.clone(),
            field.agreement.clone(),
        ]
    });
    let head = ["row", "key", "object", "id", "field", "source", "rule", "planned", "there", "agreement"];
    table("sample.csv", "Records side by side", &head, rows.collect())?;
    let all = [
        ("field", &dossier.left.fields),
        ("object", &dossier.left.objects),
        ("by hand", &dossier.left.by_hand),
    ];
    let rows = all.into_iter().flat_map(|(kind, lines)| {
        lines.iter().map(move |line| {
            let records = line.records.map(|records| records.to_string()).unwrap_or_default();
            vec![
                kind.to_owned(),
                line.what.clone(),
                line.title.clone(),
                records,
                line.why.clone(),
                line.at.clone(),
            ]
        })
    });
    let head = ["kind", "what", "title", "records", "why", "where"];
    table("not-moved.csv", "What did not move, and why", &head, rows.collect())
}
