-- Somebody cancelled a retry at LlamaCloud: its group rests, whatever the other items of the step came to.
ALTER TABLE breaker ADD COLUMN cancelled INTEGER NOT NULL DEFAULT 0;  -- 1: in the step under way, or in the one after which it rests
