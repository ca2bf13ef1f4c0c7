-- Sessions that end when they are not used, what is known of those who signed in before, and whose password is which.

ALTER TABLE sessions ADD COLUMN used BIGINT NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN used_from TEXT NOT NULL DEFAULT '';
UPDATE sessions SET used = made, used_from = origin;

-- `mark` is a digest of a person and a network, or of a person and a device's secret.
CREATE TABLE known (
    mark   TEXT   PRIMARY KEY,
    person TEXT   NOT NULL,
    kind   TEXT   NOT NULL,
    at     BIGINT NOT NULL
);
CREATE INDEX known_person ON known (person, kind, at);

-- A digest of the password that each person had when it was last looked at, and of the one that they are just setting
-- themselves: any other was set by an operator.
CREATE TABLE passwords (
    person TEXT PRIMARY KEY,
    seen   TEXT NOT NULL,
    own    TEXT NOT NULL
);
