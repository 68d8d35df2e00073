//! The book's pictures: each that a page names is there, says in words what it shows, and each that is there is named.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::world::root;

/// What a picture may weigh, in bytes: as the command that makes them holds it.
const HEAVIEST: u64 = 150_000;

fn pages(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            pages(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "md") {
            found.push(path);
        }
    }
}

#[test]
fn every_picture_is_there_is_named_and_says_what_it_shows() {
    let book = root().join("book/src");
    let folder = book.join("images");
    let kept: BTreeSet<PathBuf> = std::fs::read_dir(&folder)
        .expect("the pictures")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    let mut all = Vec::new();
    pages(&book, &mut all);
    let mut named = BTreeSet::new();
    for page in all {
        let text = std::fs::read_to_string(&page).expect("a page");
        for rest in text.split("![").skip(1) {
            let (words, rest) =
                rest.split_once("](").unwrap_or_else(|| panic!("{}: {rest:.60}", page.display()));
            let (file, _) = rest.split_once(')').unwrap_or_else(|| panic!("{}: {rest:.60}", page.display()));
            assert!(words.split_whitespace().count() >= 5, "{}: `{words}` says too little", page.display());
            let path = page.parent().expect("a folder").join(file);
            let path =
                path.canonicalize().unwrap_or_else(|why| panic!("{}: `{file}`: {why}", page.display()));
            let bytes = std::fs::read(&path).expect("reads");
            assert!(bytes.starts_with(b"\x89PNG\r\n\x1a\n"), "{} is no PNG", path.display());
            assert!(bytes.len() as u64 <= HEAVIEST, "{} has {} bytes", path.display(), bytes.len());
            named.insert(path);
        }
    }
    let kept: BTreeSet<PathBuf> =
        kept.into_iter().map(|path| path.canonicalize().expect("it is there")).collect();
    assert!(named.len() >= 6, "{named:?}");
    assert_eq!(named, kept, "pictures that a page names, and those that are there");
}
