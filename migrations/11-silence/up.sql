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
