-- From here on the record tells of each row of sessions, known, passwords, doors and rules. The start that brings a store to
-- this form has it tell of the last three as they stand; whoever had a session signs in again, and nobody is known until then.

DELETE FROM sessions;
DELETE FROM known;
