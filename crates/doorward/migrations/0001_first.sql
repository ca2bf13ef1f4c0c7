-- What Doorward keeps. The same text for SQLite and PostgreSQL; instants are milliseconds since 1970 in UTC.

CREATE TABLE installation (
    id   BIGINT PRIMARY KEY,
    name TEXT   NOT NULL
);

CREATE TABLE grants (
    id      TEXT   PRIMARY KEY,
    person  TEXT   NOT NULL,
    target  TEXT   NOT NULL,
    state   TEXT   NOT NULL,
    changed BIGINT NOT NULL,
    settled BIGINT NOT NULL,
    body    TEXT   NOT NULL
);
CREATE INDEX grants_state ON grants (state, settled);
CREATE INDEX grants_person ON grants (person, changed);
-- Every pass asks for what is unfinished and every page for a person's part of it, however long the history is.
CREATE INDEX grants_settled ON grants (settled, person);

CREATE TABLE record (
    seq      BIGINT PRIMARY KEY,
    at       BIGINT NOT NULL,
    grant_id TEXT,
    line     TEXT   NOT NULL
);
CREATE INDEX record_grant ON record (grant_id);

CREATE TABLE head (
    id   BIGINT PRIMARY KEY,
    seq  BIGINT NOT NULL,
    hash TEXT   NOT NULL
);

CREATE TABLE sessions (
    token  TEXT   PRIMARY KEY,
    person TEXT   NOT NULL,
    kind   TEXT   NOT NULL,
    made   BIGINT NOT NULL,
    ends   BIGINT NOT NULL,
    origin TEXT   NOT NULL,
    bound  TEXT   NOT NULL
);
CREATE INDEX sessions_person ON sessions (person);

CREATE TABLE doors (
    place    TEXT PRIMARY KEY,
    firewall TEXT NOT NULL
);
