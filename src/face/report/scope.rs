//! What the discovery report says, whatever it is printed as.

use super::{Paper, counted, duration, number, told};
use crate::lang::doc::Document;
use crate::run::connect::survey::{About, Counted, Holds};
use crate::run::engine::discovery::{CodeCount, Discovery, FieldCount, Grade, How, ObjectCount};

/// How much of the fields is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Fields that the customer made: what a terminal has room for.
    Custom,
    /// Every field that is filled.
    All,
}

/// The report as a document.
pub fn document(discovery: &Discovery, detail: Detail) -> Document {
    let mut paper = Paper::new(format!("Discovery report of {}", discovery.account));
    head(&mut paper, discovery);
    warnings(&mut paper, discovery);
    grades(&mut paper, discovery);
    time(&mut paper, discovery);
    records(&mut paper, discovery);
    fields(&mut paper, discovery, detail);
    doubles(&mut paper, discovery);
    owners(&mut paper, discovery);
    volumes(&mut paper, discovery);
    own_objects(&mut paper, discovery);
    beside(&mut paper, discovery);
    paper.0
}

fn head(paper: &mut Paper, discovery: &Discovery) {
    let how = match discovery.how {
        How::Live => {
            format!("counted by the source in {} requests; no record was read", number(discovery.requests))
        }
        How::Workspace => {
            format!("every record staged in the workspace, {} requests", number(discovery.requests))
        }
    };
    let grade = |grade: &Grade, unit: &str| format!("{} ({:.1}{unit})", grade.grade, grade.value);
    let mut facts = vec![
        ("account", discovery.account.clone()),
        ("made on", discovery.taken.map_or_else(|| "unknown".to_owned(), |day| day.to_string())),
        ("numbers", how),
        ("compatibility", grade(&discovery.compatibility, " %")),
        ("complexity", grade(&discovery.complexity, " points")),
        (
            "time",
            format!(
                "at least {}, at most {}",
                duration(discovery.time.floor_s),
                duration(discovery.time.most_s)
            ),
        ),
    ];
    match &discovery.about {
        Some(about) => facts.extend(about_facts(about)),
        None => facts.push(("plan and limits", "the source was not asked".to_owned())),
    }
    paper.facts(facts);
}

fn about_facts(about: &About) -> Vec<(&'static str, String)> {
    let (burst, drain) = about.bucket.unwrap_or((50.0, 2.0));
    let listed = |names: &[String]| if names.is_empty() { "not told".to_owned() } else { names.join(", ") };
    vec![
        (
            "plan",
            match &about.plan {
                Some(code) => format!("{code}: {}", about.plan_note),
                None => about.plan_note.clone(),
            },
        ),
        (
            "limits",
            format!("{burst} requests at once, {drain} a second; 480 s of work per method in ten minutes"),
        ),
        (
            "administrator",
            match about.administrator {
                Some(true) => "yes".to_owned(),
                Some(false) => "no: records that this user may not see are missing without a word".to_owned(),
                None => "not told".to_owned(),
            },
        ),
        ("may ask for", listed(&about.scopes)),
        ("base currency", about.base_currency.clone().unwrap_or_else(|| "not told".to_owned())),
    ]
}

fn warnings(paper: &mut Paper, discovery: &Discovery) {
    paper.heading(2, "Warnings");
    let row = |caution: &crate::run::connect::survey::Caution| {
        let holds = match caution.holds {
            Some(true) => "yes",
            Some(false) => "no",
            None => "nobody can tell from outside",
        };
        vec![caution.name.to_owned(), holds.to_owned(), caution.what.clone(), caution.next.clone()]
    };
    let rows = discovery.cautions.iter().map(row).collect();
    paper.table(&["warning", "holds here", "what is so", "what to do"], rows, "none");
}

fn grades(paper: &mut Paper, discovery: &Discovery) {
    paper.heading(2, "Grades");
    for (name, unit, grade) in
        [("Compatibility", " %", &discovery.compatibility), ("Complexity", " points", &discovery.complexity)]
    {
        paper.heading(3, format!("{name}: {} ({:.1}{unit})", grade.grade, grade.value));
        paper.say(format!("{}. {}.", grade.formula, grade.scale));
        let rows = grade.terms.iter().map(|term| {
            let value =
                if name == "Complexity" { format!("{:.1}", term.value) } else { number(term.value as u64) };
            vec![term.name.clone(), term.how.clone(), value]
        });
        paper.table(&["term", "numbers", "value"], rows.collect(), "");
        if !grade.without.is_empty() {
            paper.say(format!("Left out: {}.", grade.without.join("; ")));
        }
    }
}

fn time(paper: &mut Paper, discovery: &Discovery) {
    let time = &discovery.time;
    paper.heading(2, "How long it takes");
    paper.say(format!(
        "At least {}, at most {}, by {}; searches in a destination that is not empty, and whatever goes wrong, come on \
         top. One more scan for a snapshot's statistics costs {}, and nothing with `b2n snapshot bitrix24 --from WORKSPACE -o FILE`.",
        duration(time.floor_s),
        duration(time.most_s),
        time.by,
        duration(time.scan_s)
    ));
    let rows =
        time.terms.iter().map(|term| vec![term.name.clone(), term.how.clone(), format!("{:.1}", term.value)]);
    paper.table(&["term", "numbers", "seconds"], rows.collect(), "");
    if !time.without.is_empty() {
        paper.say(format!("Not counted, and not reckoned in: {}.", time.without.join(", ")));
    }
}

fn name(object: &ObjectCount) -> String {
    match &object.title {
        Some(title) => format!("{} ({title})", object.name),
        None => object.name.clone(),
    }
}

fn records(paper: &mut Paper, discovery: &Discovery) {
    paper.heading(2, "Records");
    let row = |object: &ObjectCount| {
        let custom = object.fields.iter().filter(|field| field.custom).count();
        vec![name(object), counted(&object.records), object.fields.len().to_string(), custom.to_string()]
    };
    let readable = discovery.objects.iter().filter(|object| object.refused.is_none());
    paper.table(&["object", "records", "fields", "of them custom"], readable.map(row).collect(), "none");
    let unknown: Vec<String> = discovery
        .objects
        .iter()
        .filter_map(|object| match &object.records {
            Counted::Unknown(why) => Some(format!("{}: {why}", object.name)),
            Counted::Known(_) => None,
        })
        .collect();
    if !unknown.is_empty() {
        paper.say(format!("Not counted: {}.", unknown.join("; ")));
    }
    paper.heading(3, "By the year in which they were made");
    let rows = discovery.objects.iter().filter_map(|object| {
        let some = object.years.iter().filter(|year| year.records != Counted::Known(0));
        let years: Vec<String> =
            some.map(|year| format!("{}: {}", year.year, counted(&year.records))).collect();
        (!years.is_empty()).then(|| vec![object.name.clone(), years.join(" · ")])
    });
    paper.table(&["object", "records by year"], rows.collect(), "no object tells when its records were made");
}

fn share(field: &FieldCount, records: &Counted) -> String {
    match (&field.filled, records) {
        (Counted::Known(filled), Counted::Known(all)) if *all > 0 => {
            format!("{:.1} %", 100.0 * *filled as f64 / *all as f64)
        }
        _ => "-".to_owned(),
    }
}

fn fields(paper: &mut Paper, discovery: &Discovery, detail: Detail) {
    paper.heading(2, "Fill rates");
    for object in discovery.objects.iter().filter(|object| !object.fields.is_empty()) {
        // Nothing is filled where nothing is, and nothing is known where nothing was counted.
        if object.records.known().unwrap_or(0) == 0 {
            continue;
        }
        paper.heading(3, name(object));
        let never = object.fields.iter().filter(|field| field.filled == Counted::Known(0));
        let never: Vec<&str> = never.map(|field| field.name.as_str()).collect();
        let shown = object.fields.iter().filter(|field| match detail {
            Detail::Custom => field.custom,
            Detail::All => field.filled != Counted::Known(0),
        });
        let row = |field: &FieldCount| {
            let held = match field.held {
                Holds::Exact => "as it is".to_owned(),
                Holds::Changed => format!("changed: {}", field.because),
                Holds::Impossible => format!("not: {}", field.because),
            };
            let title = field.title.clone().unwrap_or_default();
            vec![
                field.name.clone(),
                title,
                field.ty.clone(),
                counted(&field.filled),
                share(field, &object.records),
                held,
            ]
        };
        let rows: Vec<Vec<String>> = shown.map(row).collect();
        paper.table(
            &["field", "title", "type", "filled", "share", "the destination holds it"],
            rows,
            "no custom fields",
        );
        paper.say(format!(
            "{} of {} fields are never filled{}.",
            never.len(),
            object.fields.len(),
            if never.is_empty() || detail == Detail::Custom {
                String::new()
            } else {
                format!(": {}", never.join(", "))
            }
        ));
    }
}

fn doubles(paper: &mut Paper, discovery: &Discovery) {
    paper.heading(2, "Records that occur twice");
    if let Some(why) = &discovery.doubles_note {
        paper.say(format!("Not looked for: {why}."));
        return;
    }
    let row = |line: &crate::run::engine::discovery::Doubles| {
        let largest: Vec<String> = line.largest.iter().take(3).map(|ids| ids.join(" ")).collect();
        vec![
            line.object.clone(),
            line.by.to_owned(),
            number(line.clusters),
            number(line.records),
            largest.join(" | "),
        ]
    };
    let rows = discovery.doubles.iter().map(row).collect();
    paper.table(&["object", "by", "clusters", "records in them", "ids in the largest"], rows, "none");
}

fn owners(paper: &mut Paper, discovery: &Discovery) {
    let owners = &discovery.owners;
    paper.heading(2, "Owners");
    if let Some(why) = &owners.not_compared {
        paper.say(format!("{} users; not compared with the destination: {why}.", owners.users.len()));
        return;
    }
    paper.say(format!(
        "{} users, {} found in the destination by the hash of their e-mail address, {} not.",
        owners.users.len(),
        owners.matched(),
        owners.unmatched().count()
    ));
    let row = |line: &crate::run::engine::discovery::OwnerLine| {
        let active = if line.active { "yes" } else { "no" };
        let records = line.records.as_ref().map_or_else(|| "unknown".to_owned(), counted);
        vec![line.user.clone(), active.to_owned(), records, line.why.unwrap_or_default().to_owned()]
    };
    paper.table(
        &["user", "active", "records", "why nobody was found"],
        owners.unmatched().map(row).collect(),
        "every user has a partner",
    );
}

fn volumes(paper: &mut Paper, discovery: &Discovery) {
    let rows = |of: fn(&ObjectCount) -> &Vec<CodeCount>| -> Vec<Vec<String>> {
        let lines =
            discovery.objects.iter().flat_map(|object| of(object).iter().map(move |line| (object, line)));
        let some = lines.filter(|(_, line)| line.records != Counted::Known(0));
        some.map(|(object, line)| {
            let title = line.title.clone().unwrap_or_default();
            vec![object.name.clone(), line.code.clone(), title, counted(&line.records)]
        })
        .collect()
    };
    paper.heading(2, "Currencies");
    paper.table(
        &["object", "currency", "name", "records"],
        rows(|object| &object.currencies),
        "no record has one",
    );
    paper.heading(2, "Volumes by kind of activity");
    paper.table(
        &["object", "kind", "name", "records"],
        rows(|object| &object.kinds),
        "nothing is counted by kind",
    );
    paper.heading(2, "Pipelines");
    let pipelines = discovery.pipelines.iter();
    let rows = pipelines.map(|line| vec![line.object.clone(), line.name.clone(), line.stages.to_string()]);
    paper.table(&["object", "pipeline", "stages"], rows.collect(), "none");
}

fn own_objects(paper: &mut Paper, discovery: &Discovery) {
    paper.heading(2, "Objects of the customer's own");
    let row = |verdict: &crate::run::engine::discovery::Verdict| {
        let title = verdict.title.clone().unwrap_or_default();
        let numbers = format!(
            "{} custom fields, {} of them lists, {} files; {} pipelines with {} stages; belongs to {}",
            verdict.custom_fields,
            verdict.lists,
            verdict.files,
            verdict.pipelines,
            verdict.stages,
            if verdict.parents.is_empty() { "nothing".to_owned() } else { verdict.parents.join(", ") }
        );
        let why = if verdict.simple { numbers } else { format!("{}; {numbers}", verdict.reasons.join("; ")) };
        let word = if verdict.simple { "simple" } else { "complex" };
        vec![verdict.object.clone(), title, counted(&verdict.records), word.to_owned(), why]
    };
    let rows = discovery.verdicts.iter().map(row).collect();
    paper.table(&["object", "title", "records", "verdict", "why"], rows, "none");
}

fn beside(paper: &mut Paper, discovery: &Discovery) {
    paper.heading(2, "Beside the objects");
    match &discovery.about {
        None => paper.say("The source was not asked."),
        Some(about) => {
            let rows = about.beside.iter();
            let rows = rows.map(|line| vec![line.name.to_owned(), told(&line.records), line.fate.to_owned()]);
            paper.table(
                &["what", "records, or why they cannot be read", "what becomes of it"],
                rows.collect(),
                "none",
            );
        }
    }
    paper.heading(2, "What cannot be read");
    let refused = discovery.objects.iter();
    let refused = refused.filter_map(|object| Some(vec![object.name.clone(), object.refused.clone()?]));
    let streams =
        discovery.about.iter().flat_map(|about| &about.beside).filter_map(|line| match &line.records {
            Counted::Unknown(why) => Some(vec![line.name.to_owned(), why.clone()]),
            Counted::Known(_) => None,
        });
    paper.table(
        &["what", "why, and what to do"],
        refused.chain(streams).collect(),
        "everything that was asked for can be read",
    );
}
