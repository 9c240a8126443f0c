-- A stop that only another key or a person ends, and waits that a clock set back does not make longer.
ALTER TABLE gate ADD COLUMN refused_access TEXT;  -- a digest of what the API was asked with when it refused the key, not the account
ALTER TABLE gate ADD COLUMN asked_at INTEGER;     -- when the API asked for `wait_until`
