-- Where a project was read from: links lead there, also where a report has no configuration or that of another ledger.
ALTER TABLE project ADD COLUMN base_url TEXT;         -- the API's address; null before its first scan since this step

-- The ledger's own id: a part of every id that leaves the house.
INSERT INTO meta (name, value) VALUES ('ledger_id', lower(hex(randomblob(8))));

-- Under which scope a paging provider knows an incident: the id of the ledger that opened it; before ledgers had one, the instance's name.
ALTER TABLE incident ADD COLUMN scope TEXT NOT NULL DEFAULT '';
UPDATE incident SET scope = coalesce(
    (SELECT CASE WHEN json_valid(d.content) THEN json_extract(d.content, '$.instance') END FROM delivery d
     WHERE d.channel = incident.channel AND d.created_at = incident.opened_at LIMIT 1),
    (SELECT CASE WHEN json_valid(model) THEN json_extract(model, '$.instance') END FROM digest
     ORDER BY created_at DESC, digest_id DESC LIMIT 1), '');
ALTER TABLE worker_fault ADD COLUMN scope TEXT;   -- null until people are told of it
UPDATE worker_fault SET scope = coalesce(
    (SELECT CASE WHEN json_valid(model) THEN json_extract(model, '$.instance') END FROM digest WHERE digest_id = announced),
    (SELECT CASE WHEN json_valid(model) THEN json_extract(model, '$.instance') END FROM digest
     ORDER BY created_at DESC, digest_id DESC LIMIT 1), '') WHERE announced IS NOT NULL;

-- The channels that digests go to, as the configuration had them when triage last looked.
CREATE TABLE channel (
    name      TEXT    NOT NULL PRIMARY KEY,
    incidents INTEGER NOT NULL,                   -- 1: it opens incidents (pagerduty)
    since     INTEGER NOT NULL,                   -- when it was first seen in the configuration; 0: before this was noted
    greeted   INTEGER NOT NULL,                   -- 1: it knows what was open when it came
    gone_at   INTEGER,                            -- when it was no longer in the configuration; the row goes once that was said
    said      INTEGER NOT NULL                    -- 1: people were told that it came
) STRICT, WITHOUT ROWID;
INSERT INTO channel (name, incidents, since, greeted, said)
    SELECT channel, channel IN (SELECT channel FROM incident), 0, 1, 1 FROM delivery GROUP BY channel;

-- Whether all that people were told of a group is that it failed before llama-triage was started.
ALTER TABLE announcement ADD COLUMN baseline INTEGER NOT NULL DEFAULT 0;
UPDATE announcement SET baseline = 1 WHERE reason = 'baseline'
    OR NOT EXISTS (SELECT 1 FROM item WHERE item.group_key = announcement.group_key AND item.baseline = 0);

-- Which batch APIs of LlamaCloud a project was found to have.
CREATE TABLE project_api (
    project_key INTEGER NOT NULL REFERENCES project (project_key),
    api         TEXT    NOT NULL CHECK (api IN ('v1-beta', 'v2')),
    present     INTEGER NOT NULL,             -- 1: its batch list answers; 0: it does not exist
    active      INTEGER NOT NULL,             -- 1: the list showed batches of the look-back window when it was last read
    missed      INTEGER NOT NULL,             -- lists in a row that did not exist although it is present
    status      INTEGER,                      -- HTTP status of the last list that did not exist; null after one that was read
    since       INTEGER NOT NULL,             -- since when it is present, or not
    asked_at    INTEGER NOT NULL,             -- when its list was last read, or last found not to exist
    PRIMARY KEY (project_key, api)
) STRICT, WITHOUT ROWID;

-- The API that an intent was posted through. Before, a project had one, which the ids and the configuration tell.
ALTER TABLE intent ADD COLUMN api TEXT NOT NULL DEFAULT 'v1-beta';
UPDATE intent SET api = 'v2' WHERE substr(coalesce(batch_id, ''), 1, 4) IN ('pjb-', 'ext-')
    OR (coalesce(batch_id, '') NOT LIKE 'bjb-%'
        AND EXISTS (SELECT 1 FROM batch b WHERE b.project_key = intent.project_key AND b.batch_id LIKE 'bat-%'));

-- What scans could not read of a project: counted from scan to scan, until it is set aside so that it stops nothing else.
CREATE TABLE unread (
    project_key INTEGER NOT NULL REFERENCES project (project_key),
    batch_id    TEXT    NOT NULL,                 -- ' v2', ' v1-beta': a batch list itself
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
