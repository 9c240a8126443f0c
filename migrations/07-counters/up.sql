-- Counters of items, so that reports never read all items to count them. Kind is the group's: kinds never mix in one.

-- Items by present group, project and state, and by the skip reason of their newest observation.
CREATE TABLE item_count (
    group_key   INTEGER NOT NULL REFERENCES error_group (group_key),
    project_key INTEGER NOT NULL REFERENCES project (project_key),
    state       TEXT    NOT NULL,
    skip_reason TEXT    NOT NULL,                 -- '' for failed items, and where the API gave none
    items       INTEGER NOT NULL,
    PRIMARY KEY (group_key, project_key, state, skip_reason)
) STRICT, WITHOUT ROWID;
INSERT INTO item_count
    SELECT i.group_key, i.project_key, i.state, CASE WHEN i.kind = 'skipped' THEN
        ifnull((SELECT o.skip_reason FROM observation o WHERE o.observation_key = i.observation_key), '') ELSE '' END,
        count(*)
    FROM item i GROUP BY 1, 2, 3, 4;

-- The same items by the hour of their `last_seen`: windows count whole hours here, and only the hour they begin in by
-- items. Every hour of a group in here is one of its hours in group_hour.
CREATE TABLE item_hour (
    hour        INTEGER NOT NULL,                 -- hours since 1970-01-01 UTC
    group_key   INTEGER NOT NULL REFERENCES error_group (group_key),
    project_key INTEGER NOT NULL REFERENCES project (project_key),
    state       TEXT    NOT NULL,
    items       INTEGER NOT NULL,
    PRIMARY KEY (hour, group_key, project_key, state)
) STRICT, WITHOUT ROWID;
INSERT INTO item_hour
    SELECT (last_seen - ((last_seen % 3600000) + 3600000) % 3600000) / 3600000, group_key, project_key, state, count(*)
    FROM item GROUP BY 1, 2, 3, 4;

-- The last hours of all groups together.
CREATE INDEX group_hour_by_hour ON group_hour (hour, group_key, failures);

-- What recovered in a window. Items that never recovered are not in it: a first scan writes nothing here.
CREATE INDEX item_by_recovery ON item (recovered_at, group_key, project_key) WHERE recovered_at IS NOT NULL;

-- The items of batches, without a look at each observation.
DROP INDEX observation_by_batch;
CREATE INDEX observation_by_batch ON observation (batch_key, item_key);

-- The groups of each batch.
CREATE INDEX group_batch_by_batch ON group_batch (batch_key, group_key, failures);
