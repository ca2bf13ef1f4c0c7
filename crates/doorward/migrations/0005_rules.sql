-- Rules of security groups that are ours by their ids, whatever somebody writes on them.

CREATE TABLE rules (
    id       TEXT   PRIMARY KEY,
    group_id TEXT   NOT NULL,
    noted    BIGINT NOT NULL
);
