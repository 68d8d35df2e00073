//! The file itself: locks, modes, foreign files, bindings.

use super::*;

#[test]
fn a_second_opener_is_told() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("acme.b2nw");
    let first = Workspace::open(&path).expect("opens");
    assert!(matches!(Workspace::open(&path), Err(Error::Locked { .. })));
    drop(first);
    assert!(Workspace::open(&path).is_ok());
}

#[cfg(unix)]
#[test]
fn the_file_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("acme.b2nw");
    let _workspace = Workspace::open(&path).expect("opens");
    for file in std::fs::read_dir(folder.path()).expect("lists") {
        let file = file.expect("an entry");
        let mode = file.metadata().expect("metadata").permissions().mode();
        assert_eq!(mode & 0o077, 0, "{:?} can be read by others", file.path());
    }
}

#[test]
fn foreign_and_newer_files_are_refused_and_left_alone() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let text = folder.path().join("notes.txt");
    std::fs::write(&text, "these are notes, long enough to be no database at all").expect("writes");
    assert!(matches!(Workspace::open(&text), Err(Error::Foreign { .. })));
    assert!(std::fs::read_to_string(&text).expect("reads").starts_with("these are notes"));
    let newer = folder.path().join("newer.b2nw");
    Connection::open(&newer).expect("opens").execute_batch("PRAGMA user_version = 99").expect("sets");
    let error = Workspace::open(&newer).expect_err("is refused").to_string();
    assert!(error.contains("newer b2n"), "{error}");
}

#[test]
fn an_account_is_pinned_at_first_contact() {
    let workspace = Workspace::in_memory().expect("opens");
    workspace.pin(Side::Target, "379104").expect("pins");
    workspace.pin(Side::Target, "379104").expect("the same again");
    let error = workspace.pin(Side::Target, "4").expect_err("another one").to_string();
    assert!(error.contains("379104") && error.contains("`4`"), "{error}");
}

#[test]
fn an_alias_is_the_account_and_nothing_else_is() {
    let workspace = Workspace::in_memory().expect("opens");
    workspace.pin(Side::Source, "acme.bitrix24.com").expect("pins");
    assert!(workspace.add_alias(Side::Source, "new.bitrix24.com", 1).expect("adds"));
    assert!(!workspace.add_alias(Side::Source, "new.bitrix24.com", 2).expect("knows it"));
    assert!(!workspace.add_alias(Side::Source, "acme.bitrix24.com", 2).expect("is the account itself"));
    workspace.pin(Side::Source, "new.bitrix24.com").expect("is an alias");
    assert_eq!(workspace.pinned(Side::Source).expect("reads").as_deref(), Some("acme.bitrix24.com"));
    assert_eq!(workspace.aliases(Side::Source).expect("reads"), ["new.bitrix24.com"]);
    assert!(workspace.pin(Side::Source, "new.bitrix24.de").is_err());
    workspace.pin(Side::Target, "379104").expect("pins");
    assert!(workspace.pin(Side::Target, "new.bitrix24.com").is_err(), "an alias of the other side");
}

#[cfg(unix)]
#[test]
fn one_file_has_one_lock_by_whatever_name_it_is_opened() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("acme.b2nw");
    let _first = Workspace::open(&path).expect("opens");
    let link = folder.path().join("link.b2nw");
    std::os::unix::fs::symlink(&path, &link).expect("links");
    let error = Workspace::open(&link).expect_err("is refused").to_string();
    assert!(error.contains(&format!("(process {})", std::process::id())), "{error}");
}

#[cfg(unix)]
#[test]
fn a_file_that_others_may_read_is_taken_from_them() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("acme.b2nw");
    drop(Workspace::open(&path).expect("opens"));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).expect("changes");
    let workspace = Workspace::open(&path).expect("opens");
    workspace.set_note("a", "b").expect("writes");
    for file in std::fs::read_dir(folder.path()).expect("lists") {
        let file = file.expect("an entry");
        let mode = file.metadata().expect("metadata").permissions().mode();
        assert_eq!(mode & 0o077, 0, "{:?} can be read by others", file.path());
    }
}
