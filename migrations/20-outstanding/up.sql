-- Work without a result is recorded, too: groups of kind cancelled, overdue and missing beside failed and skipped.
-- The words are checked by `ledger check`, so that a new kind needs no new column.
ALTER TABLE error_group RENAME COLUMN kind TO kind_before;
ALTER TABLE error_group ADD COLUMN kind TEXT NOT NULL DEFAULT 'failed';
UPDATE error_group SET kind = kind_before WHERE kind_before <> 'failed';
ALTER TABLE error_group DROP COLUMN kind_before;

-- What a scan asks of batches that may be overdue: those under way, and those of v2 whose jobs have not all ended; and how
-- long the last ones like them took.
CREATE INDEX batch_outstanding ON batch (project_key, coalesce(created_at, first_seen))
    WHERE gone_at IS NULL AND (status NOT IN ('completed', 'failed', 'cancelled') OR status = 'completed' AND total_items IS NULL);
CREATE INDEX batch_by_type ON batch (project_key, job_type, completed_at)
    WHERE status = 'completed' AND completed_at > created_at;
