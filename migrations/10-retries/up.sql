-- Somebody cancelled a retry at LlamaCloud: its group rests, whatever the other items of the step came to.
ALTER TABLE breaker ADD COLUMN cancelled INTEGER NOT NULL DEFAULT 0;  -- 1: in the step under way, or in the one after which it rests

-- What was there before a POST, and since when nothing of it was found, whatever the clock was set to meanwhile.
ALTER TABLE intent ADD COLUMN batches_known INTEGER;  -- the newest batch of the ledger when it was posted; null: an older version posted it
ALTER TABLE intent ADD COLUMN clean_since INTEGER;    -- the first of the complete listings in a row that showed nothing
