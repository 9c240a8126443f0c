-- Whether newer batches may hold the result of what was cancelled lately.
CREATE INDEX group_cancelled ON error_group (last_seen) WHERE kind = 'cancelled';
