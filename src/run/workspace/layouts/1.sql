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
