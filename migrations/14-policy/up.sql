-- Whether a group is retried now follows from its attempts alone; nothing of that is kept any more.

DROP TABLE breaker;
ALTER TABLE error_group ADD COLUMN resumed_at INTEGER;        -- a person let its retries begin anew: what came before does not count

ALTER TABLE intent ADD COLUMN parameters_refused INTEGER NOT NULL DEFAULT 0;  -- 1: the API refused it and all others of its run
ALTER TABLE intent DROP COLUMN step;
ALTER TABLE intent DROP COLUMN probe;
ALTER TABLE intent DROP COLUMN weather;

-- A hold follows from attempts and groups, too; what stays is an account that cannot go on and a time that the API asked for.
CREATE TABLE account (
    project_key    INTEGER PRIMARY KEY REFERENCES project (project_key),
    stopped_since  INTEGER,                       -- null: it works
    why            TEXT,                          -- what the API said, or what was seen
    refused_access TEXT,                          -- the API refused the key: what it was asked with
    in_vain        INTEGER NOT NULL DEFAULT 0,    -- how often it was taken for working since it last took a request
    moved_at       INTEGER,                       -- when it last stopped or went on
    wait_until     INTEGER,                       -- the API asked to wait before the next POST
    asked_at       INTEGER
) STRICT;
INSERT INTO account (project_key, stopped_since, why, refused_access, in_vain, moved_at, wait_until, asked_at)
    SELECT project_key, CASE WHEN state = 'account-stop' THEN coalesce(since, changed_at) END,
        CASE WHEN state = 'account-stop' THEN why END, CASE WHEN state = 'account-stop' THEN refused_access END,
        CASE WHEN state = 'account-stop' THEN failed_probes ELSE 0 END, changed_at, wait_until, asked_at
    FROM gate;
DROP TABLE gate;

CREATE INDEX intent_by_batch ON intent (batch_id) WHERE batch_id IS NOT NULL;
