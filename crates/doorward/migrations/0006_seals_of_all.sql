-- MACs also of the rows that say who signed in from where, whose password was seen, and where rules of ours may be. Those
-- of sessions cover all columns by now, so whoever had a session signs in again; and nobody is known until then.

DELETE FROM sessions;
ALTER TABLE known ADD COLUMN seal TEXT NOT NULL DEFAULT '';
DELETE FROM known;
-- The start that adds these two seals what is there: somebody without the key who has it added again gains no more by
-- that than by deleting the rows.
ALTER TABLE passwords ADD COLUMN seal TEXT NOT NULL DEFAULT '';
ALTER TABLE doors ADD COLUMN seal TEXT NOT NULL DEFAULT '';
