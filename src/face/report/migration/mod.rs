//! The report of a migration as one page: offline, without a script, for screens, paper, keyboards and readers.
//!
//! Says nothing that does not stand in the [`Dossier`].

mod below;
mod head;
mod markup;
mod sections;
mod style;
#[cfg(test)]
mod tests;

use crate::run::engine::dossier::Dossier;

use super::html;

/// The page.
pub fn page(dossier: &Dossier) -> String {
    let about = &dossier.about;
    let title = format!("Migration report: {} to {}", about.source, about.target);
    let body = format!("{}{}", head::head(dossier, &title), sections::sections(dossier));
    html::styled(&title, style::STYLE, &body)
}

/// The report in a few lines, for a terminal.
pub fn summary(dossier: &Dossier) -> Vec<String> {
    let mut lines = vec![dossier.verdict.text.clone()];
    lines.extend(dossier.verdict.notes.iter().cloned());
    lines.extend(dossier.rows.iter().map(head::equation_text));
    lines.extend(head::cards(dossier).into_iter().map(|card| format!("{}: {}", card.title, card.plain())));
    lines
}
