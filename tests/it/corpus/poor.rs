//! What is said poorly today: `tests/poor_messages/WHAT.b2n` is a spec as a tired engineer breaks it, with a head that
//! says what would be better, and `WHAT.txt` what is said today. When a message gets better its drawing differs here:
//! the case then moves to the corpus.

use b2n::lang::text::SourceText;

use super::{check, compare};
use crate::world::root;

/// Specs and their heads' `# better: …` lines.
fn cases() -> Vec<(String, SourceText)> {
    let mut found: Vec<(String, SourceText)> = std::fs::read_dir(root().join("tests/poor_messages"))
        .expect("the folder of poor messages")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "b2n"))
        .map(|path| {
            let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
            let text = std::fs::read_to_string(&path).expect("a spec");
            (name.clone(), SourceText::new(format!("{name}.b2n"), text))
        })
        .collect();
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found
}

/// The specs of the folder, whose fixes are tried like those of the corpus.
pub(super) fn texts() -> Vec<SourceText> {
    cases().into_iter().map(|(_, text)| text).collect()
}

#[test]
fn what_is_said_poorly_is_kept_as_it_is_said_today() {
    let mut wrong = Vec::new();
    let folder = root().join("tests/poor_messages");
    for (name, text) in cases() {
        if !text
            .text()
            .lines()
            .take_while(|line| line.starts_with('#'))
            .any(|line| line.starts_with("# better: "))
        {
            wrong.push(format!("{name} does not say what would be better"));
        }
        wrong.extend(compare(&folder.join(format!("{name}.txt")), &check(&text).drawn()));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
