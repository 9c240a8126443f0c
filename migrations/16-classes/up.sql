-- Why a group has its class, and how its open items divide among classes.
ALTER TABLE error_group ADD COLUMN class_percent INTEGER;   -- how likely the class is right; null: no learnt model decided
ALTER TABLE error_group ADD COLUMN class_words TEXT;        -- the words that decided; null: none
ALTER TABLE error_group ADD COLUMN classes TEXT;            -- JSON: class to number of its newest open items; null: not judged yet
ALTER TABLE error_group ADD COLUMN set_class TEXT;          -- a person's word, stronger than any rule; null: none
-- What the group had when its class was decided: other numbers mean that it is decided again.
ALTER TABLE error_group ADD COLUMN judged_failures INTEGER;
ALTER TABLE error_group ADD COLUMN judged_open INTEGER;
