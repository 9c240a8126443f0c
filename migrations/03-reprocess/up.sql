-- Reprocessing: plans, intents (on disk before the one POST), attempts, breakers.

CREATE TABLE plan (
    plan_id    TEXT    NOT NULL PRIMARY KEY,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    actor      TEXT    NOT NULL,
    request    TEXT    NOT NULL,                  -- what was asked, JSON
    model      TEXT    NOT NULL,                  -- the frozen plan, JSON
    applied_at INTEGER,
    reason     TEXT
) STRICT;

CREATE TABLE intent (
    intent_id    TEXT    NOT NULL PRIMARY KEY,    -- ULID
    plan_id      TEXT    REFERENCES plan (plan_id),
    project_key  INTEGER NOT NULL REFERENCES project (project_key),
    group_key    INTEGER REFERENCES error_group (group_key),
    job_type     TEXT    NOT NULL,
    trigger      TEXT    NOT NULL CHECK (trigger IN ('auto', 'canary', 'manual')),
    actor        TEXT    NOT NULL,
    reason       TEXT,
    state        TEXT    NOT NULL CHECK (state IN ('planned', 'posting', 'submitted', 'rejected', 'not_sent', 'unknown', 'not_submitted', 'cancelled', 'finished')),
    job_config   TEXT    NOT NULL,                -- JSON, without secrets
    parameters_hash TEXT NOT NULL,
    items_hash   TEXT    NOT NULL,
    item_count   INTEGER NOT NULL,
    step         INTEGER NOT NULL DEFAULT 0,      -- of the ramp; 0 is the canary
    estimated_credits REAL,
    created_at   INTEGER NOT NULL,
    posting_at   INTEGER,
    settled_at   INTEGER,
    batch_id     TEXT,
    duplicate_batch_ids TEXT,
    clean_listings INTEGER NOT NULL DEFAULT 0,
    error        TEXT
) STRICT;
CREATE INDEX intent_by_state ON intent (state);

CREATE TABLE attempt (
    attempt_id   TEXT    NOT NULL PRIMARY KEY,
    intent_id    TEXT    NOT NULL REFERENCES intent (intent_id),
    item_key     INTEGER NOT NULL REFERENCES item (item_key),
    group_key    INTEGER NOT NULL REFERENCES error_group (group_key),
    n            INTEGER NOT NULL,
    trigger      TEXT    NOT NULL,
    batch_id     TEXT,
    job_id       TEXT,
    outcome      TEXT    NOT NULL CHECK (outcome IN ('running', 'recovered', 'failed_same', 'failed_differently', 'already_processed', 'cancelled', 'expired', 'unknown')),
    group_after  INTEGER REFERENCES error_group (group_key),
    counts       INTEGER NOT NULL DEFAULT 1,      -- 0: throttled, the attempt was not used up
    credits      REAL,
    started_at   INTEGER NOT NULL,
    finished_at  INTEGER
) STRICT;
CREATE INDEX attempt_by_item ON attempt (item_key);
CREATE INDEX attempt_by_intent ON attempt (intent_id);
CREATE INDEX attempt_by_group ON attempt (group_key, started_at);

-- An item belongs to at most one unsettled intent.
CREATE TABLE claim (
    item_key  INTEGER PRIMARY KEY REFERENCES item (item_key),
    intent_id TEXT    NOT NULL REFERENCES intent (intent_id)
) STRICT;

CREATE TABLE breaker (
    scope      TEXT    NOT NULL PRIMARY KEY,      -- 'global', 'account:PROJECT', or a group id
    state      TEXT    NOT NULL CHECK (state IN ('closed', 'open', 'half-open')),
    open_until INTEGER,
    opened     INTEGER NOT NULL DEFAULT 0,        -- how often in a row: the open time doubles
    step       INTEGER NOT NULL DEFAULT 0,        -- of the ramp
    config_hash TEXT,
    why        TEXT,
    changed_at INTEGER NOT NULL
) STRICT;

-- Job configurations learnt from the API, secrets stripped.
CREATE TABLE learnt_config (
    project_key INTEGER NOT NULL REFERENCES project (project_key),
    scope       TEXT    NOT NULL,                 -- a batch id, or a job type
    job_config  TEXT    NOT NULL,
    source      TEXT    NOT NULL,
    learnt_at   INTEGER NOT NULL,
    PRIMARY KEY (project_key, scope)
) STRICT, WITHOUT ROWID;
