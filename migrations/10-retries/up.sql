-- Somebody cancelled a retry at LlamaCloud: its group rests, whatever the other items of the step came to.
ALTER TABLE breaker ADD COLUMN cancelled INTEGER NOT NULL DEFAULT 0;  -- 1: in the step under way, or in the one after which it rests

-- What was there before a POST, and since when nothing of it was found, whatever the clock was set to meanwhile.
ALTER TABLE intent ADD COLUMN batches_known INTEGER;  -- the newest batch of the ledger when it was posted; null: an older version posted it
ALTER TABLE intent ADD COLUMN clean_since INTEGER;    -- the first of the complete listings in a row that showed nothing

-- A stop that only another key or a person ends, and waits that a clock set back does not make longer.
ALTER TABLE gate ADD COLUMN refused_access TEXT;  -- a digest of what the API was asked with when it refused the key, not the account
ALTER TABLE gate ADD COLUMN asked_at INTEGER;     -- when the API asked for `wait_until`
