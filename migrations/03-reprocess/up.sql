-- Reprocessing: plans, intents (on disk before the one POST), attempts, breakers.

CREATE TABLE plan (
    plan_id    TEXT    NOT NULL PRIMARY KEY,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    actor      TEXT    NOT NULL,
    request    TEXT    NOT NULL,                  -- what was asked, JSON
    model      TEXT    NOT NULL,                  -- the frozen plan, JSON
    applied_at INTEGER,                           -- when a person approved it
    applied_by TEXT,
    reason     TEXT,
    executed_at INTEGER,                          -- when its POSTs began; it is executed at most once
    result     TEXT                               -- what came of it, for people
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
    items        TEXT    NOT NULL DEFAULT '[]',   -- JSON: the item ids with the attempts that each had behind it
    item_count   INTEGER NOT NULL,
    step         INTEGER NOT NULL DEFAULT 0,      -- of the ramp; 0 is the canary
    probe        INTEGER NOT NULL DEFAULT 0,      -- 1: it stands for all groups
    weather      TEXT    NOT NULL DEFAULT 'still' CHECK (weather IN ('calm', 'storm', 'still')),  -- at the time of posting
    estimated_credits REAL,
    created_at   INTEGER NOT NULL,
    posting_at   INTEGER,
    settled_at   INTEGER,
    batch_id     TEXT,
    duplicate_batch_ids TEXT,
    clean_listings INTEGER NOT NULL DEFAULT 0,    -- complete listings in a row that showed no such batch
    checked_at   INTEGER,                         -- when a second batch of the same items was last looked for
    refused_item INTEGER NOT NULL DEFAULT 0,      -- 1: the API refused its one item by itself
    error        TEXT
) STRICT;
CREATE INDEX intent_by_state ON intent (state);

CREATE TABLE attempt (
    attempt_id   TEXT    NOT NULL PRIMARY KEY,
    intent_id    TEXT    NOT NULL REFERENCES intent (intent_id),
    item_key     INTEGER NOT NULL REFERENCES item (item_key),
    group_key    INTEGER NOT NULL REFERENCES error_group (group_key),
    n            INTEGER NOT NULL,
    before       INTEGER NOT NULL DEFAULT 0,      -- counted attempts that the item had behind it
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

-- What holds retries back. A group's row also keeps its ramp and how later tries went; counts are those of the present step.
CREATE TABLE breaker (
    scope      TEXT    NOT NULL PRIMARY KEY,      -- 'global', 'account:PROJECT', or a group id
    state      TEXT    NOT NULL CHECK (state IN ('closed', 'open', 'half-open')),
    open_since INTEGER,
    open_until INTEGER,
    opened     INTEGER NOT NULL DEFAULT 0,        -- how often in a row: the open time doubles
    step       INTEGER NOT NULL DEFAULT 0,        -- of the ramp
    posted     INTEGER NOT NULL DEFAULT 0,
    recovered  INTEGER NOT NULL DEFAULT 0,
    failed     INTEGER NOT NULL DEFAULT 0,
    neutral    INTEGER NOT NULL DEFAULT 0,
    second_tries TEXT  NOT NULL DEFAULT '[0,0,0]',  -- JSON: recovered, failed, running
    third_tries  TEXT  NOT NULL DEFAULT '[0,0,0]',
    ever_recovered INTEGER NOT NULL DEFAULT 0,
    lost_canaries  INTEGER NOT NULL DEFAULT 0,
    parked_since   INTEGER,
    parked_compared INTEGER NOT NULL DEFAULT 0,
    config_hash TEXT,
    why        TEXT,
    changed_at INTEGER NOT NULL
) STRICT;

-- Job configurations learnt from the API, secrets stripped.
CREATE TABLE learnt_config (
    project_key INTEGER NOT NULL REFERENCES project (project_key),
    scope       TEXT    NOT NULL,                 -- a batch id
    job_config  TEXT,                             -- null: none can be had
    why         TEXT,                             -- why not
    learnt_at   INTEGER NOT NULL,
    PRIMARY KEY (project_key, scope)
) STRICT, WITHOUT ROWID;
