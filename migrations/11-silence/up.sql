-- What scans could not read of a project: counted from scan to scan, until it is set aside so that it stops nothing else.
CREATE TABLE unread (
    project_key INTEGER NOT NULL REFERENCES project (project_key),
    batch_id    TEXT    NOT NULL,                 -- '' is the batch list itself
    scans       INTEGER NOT NULL,                 -- scans in a row
    since       INTEGER NOT NULL,                 -- the first of them
    at          INTEGER NOT NULL,                 -- the last of them
    until       INTEGER,                          -- set aside: not asked for again before
    PRIMARY KEY (project_key, batch_id)
) STRICT, WITHOUT ROWID;

-- Batches that failed as a whole were listed before failures that stand on a batch were recorded: those of the last week are listed again.
UPDATE batch SET listed_as = NULL
    WHERE (status = 'failed' OR (status IN ('cancelled', 'completed') AND error_message IS NOT NULL) OR (status = 'completed' AND total_items > processed_items))
        AND coalesce(completed_at, updated_at, created_at, last_seen) > (SELECT coalesce(max(started_at), 0) - 604800000 FROM scan);
