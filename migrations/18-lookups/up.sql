-- What scans ask of batches, whatever the number of batches: those whose completed items wait to be held against open
-- ones, and those that were held against them and are again when an older failure becomes known.
CREATE INDEX batch_to_search ON batch (project_key, created_at)
    WHERE gone_at IS NULL AND created_at IS NOT NULL AND listed_as IS NOT NULL AND searched_as IS NOT listed_as
        AND total_items > coalesce(failed_items, 0) + coalesce(skipped_items, 0);
CREATE INDEX batch_searched ON batch (project_key, created_at) WHERE searched_as IS NOT NULL;
CREATE INDEX group_open ON error_group (group_key) WHERE open_items > 0;
CREATE INDEX batch_gone ON batch (project_key, gone_at) WHERE gone_at IS NOT NULL;

-- What a cycle asks of batches: those that are under way, and those that ended in the last day.
CREATE INDEX batch_under_way ON batch (batch_key)
    WHERE gone_at IS NULL AND status NOT IN ('completed', 'failed', 'cancelled');
CREATE INDEX batch_by_end ON batch (coalesce(completed_at, updated_at, created_at, last_seen));

-- Batches that failed as a whole, which a cycle counts of each group with news.
CREATE INDEX item_whole_batch ON item (group_key, state) WHERE item_name = '(whole batch)';

-- No listing takes for ended what it did not see any more.
UPDATE batch SET listing_state = 'unsettled', relist_at = NULL WHERE listing_state = 'unproven';
