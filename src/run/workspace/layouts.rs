//! The tables of a workspace, layout by layout.

/// The layouts, each as it stands in the file that it was made for: what a later one added is new tables and
/// columns only.
pub(super) const LAYOUTS: [&str; 5] = [LAYOUT, ADDED, ADDED_THIRD, ADDED_FOURTH, ADDED_FIFTH];

const LAYOUT: &str = "
CREATE TABLE note (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE name (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
-- One row per source object: how far its extraction is.
CREATE TABLE manifest (
    object INTEGER PRIMARY KEY, cursor TEXT NOT NULL, done INTEGER NOT NULL,
    counted INTEGER, fetched_ms INTEGER NOT NULL
);
-- `seq` is the order of arrival: pages over it are stable while more arrives.
CREATE TABLE staged (seq INTEGER PRIMARY KEY, object INTEGER NOT NULL, key TEXT NOT NULL, json BLOB NOT NULL);
CREATE UNIQUE INDEX staged_key ON staged (object, key);
CREATE INDEX staged_order ON staged (object, seq);
-- What became of each record of each map; `target` makes it the id map.
CREATE TABLE outcome (
    map INTEGER NOT NULL, key TEXT NOT NULL, status INTEGER NOT NULL, target TEXT, reason TEXT,
    PRIMARY KEY (map, key)
) WITHOUT ROWID;
CREATE TABLE flag (map INTEGER NOT NULL, key TEXT NOT NULL, rule TEXT NOT NULL, why TEXT NOT NULL,
    PRIMARY KEY (map, key, rule, why)) WITHOUT ROWID;
-- Links that are written once the other record is there.
CREATE TABLE waiting (map INTEGER NOT NULL, key TEXT NOT NULL, field INTEGER NOT NULL,
    PRIMARY KEY (map, key, field)) WITHOUT ROWID;
-- One row per write that was sent, made before it is sent.
CREATE TABLE journal (
    seq INTEGER PRIMARY KEY, map INTEGER NOT NULL, key TEXT NOT NULL, operation INTEGER NOT NULL,
    step INTEGER NOT NULL, payload TEXT NOT NULL, state INTEGER NOT NULL, target TEXT, before TEXT,
    sent_ms INTEGER NOT NULL, ended_ms INTEGER, unknown_ms INTEGER, note TEXT
);
CREATE INDEX journal_key ON journal (map, key);
CREATE INDEX journal_open ON journal (map, key) WHERE state IN (0, 3);
";

/// What the second layout added.
const ADDED: &str = "
-- Which maps a staged record of a shared object goes to.
CREATE TABLE routed (map INTEGER NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (map, seq)) WITHOUT ROWID;
-- Which record another one is folded into.
CREATE TABLE folded (flatten INTEGER NOT NULL, parent TEXT NOT NULL, seq INTEGER NOT NULL,
    PRIMARY KEY (flatten, parent, seq)) WITHOUT ROWID;
CREATE INDEX folded_order ON folded (flatten, seq);
";

/// What the third layout added: what a rollback needs.
const ADDED_THIRD: &str = "
-- What a record was when it was last read back: a hash per field, in `fields`.
CREATE TABLE readback (
    object TEXT NOT NULL, target TEXT NOT NULL, map INTEGER NOT NULL, key TEXT NOT NULL, adopted INTEGER NOT NULL,
    fields BLOB NOT NULL, PRIMARY KEY (object, target)
) WITHOUT ROWID;
CREATE INDEX readback_key ON readback (map, key);
-- Links that were written, from the side that they were written from.
CREATE TABLE made_link (
    object TEXT NOT NULL, target TEXT NOT NULL, to_object TEXT NOT NULL, to_target TEXT NOT NULL,
    PRIMARY KEY (object, target, to_object, to_target)
) WITHOUT ROWID;
CREATE INDEX made_link_to ON made_link (to_object, to_target);
-- What a rollback announced, in the order in which it is done, and how far it is.
CREATE TABLE rollback (
    seq INTEGER PRIMARY KEY, map INTEGER NOT NULL, key TEXT NOT NULL, object TEXT NOT NULL, target TEXT NOT NULL,
    fate INTEGER NOT NULL, turn INTEGER NOT NULL, why TEXT
);
CREATE INDEX rollback_record ON rollback (object, target);
CREATE INDEX rollback_key ON rollback (map, key);
";

/// What the fourth layout added: links that lack their record, and what people decided.
const ADDED_FOURTH: &str = "
-- Links whose other record did not arrive, of whatever became of the record that has them.
CREATE TABLE lack (
    map INTEGER NOT NULL, key TEXT NOT NULL, field INTEGER NOT NULL, to_map INTEGER NOT NULL, to_key TEXT NOT NULL,
    PRIMARY KEY (map, key, field, to_map, to_key)
) WITHOUT ROWID;
CREATE INDEX lack_to ON lack (to_map, to_key);
-- A person's word that a record is left out. Rows are never deleted.
CREATE TABLE decision (
    seq INTEGER PRIMARY KEY, map INTEGER NOT NULL, key TEXT NOT NULL, reason TEXT NOT NULL, decider TEXT NOT NULL,
    decided_ms INTEGER NOT NULL, before TEXT NOT NULL, lifted_ms INTEGER
);
CREATE INDEX decision_key ON decision (map, key);
-- A person's word that a plan may be carried out; `sample`: for samples of at most so many records. Never deleted.
CREATE TABLE approval (
    seq INTEGER PRIMARY KEY, plan TEXT NOT NULL, certificate TEXT NOT NULL, approver TEXT NOT NULL,
    note TEXT NOT NULL, approved_ms INTEGER NOT NULL, sample INTEGER, counts TEXT NOT NULL, withdrawn_ms INTEGER
);
-- What a written record was sent: the plan, and a hash per field, in `fields`.
CREATE TABLE sent (
    map INTEGER NOT NULL, key TEXT NOT NULL, plan INTEGER NOT NULL, fields BLOB NOT NULL, PRIMARY KEY (map, key)
) WITHOUT ROWID;
-- Staged records that the source holds no more.
CREATE TABLE gone (object INTEGER NOT NULL, key TEXT NOT NULL, gone_ms INTEGER NOT NULL,
    PRIMARY KEY (object, key)) WITHOUT ROWID;
-- What a record was when it was made, as one hash: another one is like it where the request arrived twice.
CREATE TABLE IF NOT EXISTS as_made (
    map INTEGER NOT NULL, key TEXT NOT NULL, target TEXT NOT NULL, imprint INTEGER NOT NULL, changed_ms INTEGER,
    PRIMARY KEY (map, key)
) WITHOUT ROWID;
-- Source records that were changed after the freeze.
CREATE TABLE IF NOT EXISTS later (
    object INTEGER NOT NULL, key TEXT NOT NULL, how TEXT NOT NULL, owner TEXT, changed_ms INTEGER,
    PRIMARY KEY (object, key)
) WITHOUT ROWID;
";

/// What the fifth layout added.
const ADDED_FIFTH: &str = "
-- What an edit sends, until its end is known.
CREATE TABLE IF NOT EXISTS under_way (seq INTEGER PRIMARY KEY, sent TEXT NOT NULL);
-- A hash of each staged record as it arrived; NULL where an older version staged it.
ALTER TABLE staged ADD COLUMN hash BLOB;
-- What an object's staged records were when its extraction ended, or when they last changed.
CREATE TABLE IF NOT EXISTS sealed (
    object INTEGER PRIMARY KEY, records INTEGER NOT NULL, lowest TEXT, highest TEXT, hash TEXT NOT NULL,
    sealed_ms INTEGER NOT NULL
);
-- Records that were deleted at the source while their object was extracted.
CREATE TABLE IF NOT EXISTS departed (object INTEGER NOT NULL, key TEXT NOT NULL, noticed_ms INTEGER NOT NULL,
    PRIMARY KEY (object, key)) WITHOUT ROWID;
-- Each person's last tick of a record that was looked at before anything was written.
CREATE TABLE IF NOT EXISTS review_mark (
    map TEXT NOT NULL, key TEXT NOT NULL, person TEXT NOT NULL, at_ms INTEGER NOT NULL, ticked INTEGER NOT NULL,
    digest TEXT NOT NULL, PRIMARY KEY (map, key, person)
) WITHOUT ROWID;
-- What people said of such records, and whether something is still to be done about it.
CREATE TABLE IF NOT EXISTS review_comment (
    id TEXT PRIMARY KEY, map TEXT NOT NULL, key TEXT NOT NULL, field TEXT NOT NULL, person TEXT NOT NULL,
    text TEXT NOT NULL, made_ms INTEGER NOT NULL, open INTEGER NOT NULL, turned_by TEXT NOT NULL,
    turned_ms INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS review_comment_of ON review_comment (map, key);
CREATE TABLE IF NOT EXISTS review_revision (map TEXT NOT NULL, key TEXT NOT NULL, revision INTEGER NOT NULL,
    PRIMARY KEY (map, key)) WITHOUT ROWID;
-- What of a review went with an approval.
CREATE TABLE IF NOT EXISTS approval_review (
    approval INTEGER PRIMARY KEY, review TEXT NOT NULL, despite TEXT NOT NULL
);
-- What the last comparison of a stream found: its numbers as JSON, and what the books were then, in `stamp`.
CREATE TABLE IF NOT EXISTS compared (
    map INTEGER PRIMARY KEY, compared_ms INTEGER NOT NULL, plan TEXT NOT NULL, stamp TEXT NOT NULL, json TEXT NOT NULL
);
-- Its lists: fields that differ, records that one side lacks.
CREATE TABLE IF NOT EXISTS compared_line (
    map INTEGER NOT NULL, kind INTEGER NOT NULL, seq INTEGER NOT NULL, key TEXT NOT NULL, target TEXT NOT NULL,
    field TEXT NOT NULL, how TEXT NOT NULL, planned TEXT NOT NULL, found TEXT NOT NULL, PRIMARY KEY (map, kind, seq)
) WITHOUT ROWID;
-- Runs that wrote, each noted as it begins; one without an end died, or was stopped.
CREATE TABLE IF NOT EXISTS run (
    seq INTEGER PRIMARY KEY, what TEXT NOT NULL, plan TEXT NOT NULL, began_ms INTEGER NOT NULL, ended_ms INTEGER,
    json TEXT
);
";
