-- MACs of rows, with the key that is not in the store. A row of before has none and is not believed: an ended grant's
-- rules are looked for once more, and whoever had a session signs in again.

ALTER TABLE grants ADD COLUMN seal TEXT NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN seal TEXT NOT NULL DEFAULT '';
DELETE FROM sessions;
