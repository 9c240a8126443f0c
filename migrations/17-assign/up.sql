-- Who takes care of a group's episode, and where.
ALTER TABLE episode ADD COLUMN assigned TEXT;   -- a person or a team; null: no one
ALTER TABLE episode ADD COLUMN ticket TEXT;     -- an http(s) address; null: none
