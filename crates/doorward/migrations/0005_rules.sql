-- Rules of security groups that are ours by their ids, whatever somebody writes on them. The seal is a MAC with the key
-- that is not in the store: nobody without it makes a rule ours, which would be revoked then.

CREATE TABLE rules (
    id       TEXT   PRIMARY KEY,
    group_id TEXT   NOT NULL,
    noted    BIGINT NOT NULL,
    seal     TEXT   NOT NULL
);
