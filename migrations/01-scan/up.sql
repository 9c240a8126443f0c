-- What the cloud showed us: projects, batches, groups, messages, items and their observations, scans.

CREATE TABLE project (
    project_key INTEGER PRIMARY KEY,
    name        TEXT    NOT NULL UNIQUE,          -- as in the configuration
    project_id  TEXT,                             -- as the API last named it
    first_seen  INTEGER NOT NULL,                 -- its first scan: what failed before is baseline
    list_read_at INTEGER                          -- when its job list was last read to the end
) STRICT;

CREATE TABLE scan (
    scan_key       INTEGER PRIMARY KEY,
    project_key    INTEGER NOT NULL REFERENCES project (project_key),
    started_at     INTEGER NOT NULL,
    finished_at    INTEGER,                       -- null while it runs, or after a crash
    complete       INTEGER NOT NULL DEFAULT 0,    -- 1: everything that could hold news was read
    batches_listed INTEGER NOT NULL DEFAULT 0,    -- batches seen in the job list
    batches_read   INTEGER NOT NULL DEFAULT 0,    -- batches whose items were listed
    items_listed   INTEGER NOT NULL DEFAULT 0,
    items_new      INTEGER NOT NULL DEFAULT 0,    -- observations that were not known before
    unreadable     INTEGER NOT NULL DEFAULT 0,    -- rows that could not be understood and were counted instead
    requests       INTEGER NOT NULL DEFAULT 0,
    error          TEXT                           -- the first thing that made it incomplete
) STRICT;
CREATE INDEX scan_by_project ON scan (project_key, started_at);

CREATE TABLE batch (
    batch_key       INTEGER PRIMARY KEY,
    project_key     INTEGER NOT NULL REFERENCES project (project_key),
    batch_id        TEXT    NOT NULL,
    job_type        TEXT    NOT NULL,
    directory_id    TEXT,
    status          TEXT    NOT NULL,
    total_items     INTEGER,                      -- null: the API did not say
    processed_items INTEGER,
    failed_items    INTEGER,
    skipped_items   INTEGER,
    error_message   TEXT,
    created_at      INTEGER,
    updated_at      INTEGER,
    started_at      INTEGER,
    completed_at    INTEGER,
    first_seen      INTEGER NOT NULL,
    last_seen       INTEGER NOT NULL,
    listed_at       INTEGER,                      -- when its items were last listed completely
    listed_as       TEXT,                         -- what it looked like then: an unchanged batch is recognised by it
    searched_as     TEXT,                         -- what it looked like when its completed items were last held against open ones
    gone_at         INTEGER,                      -- when the API said 404 for it
    UNIQUE (project_key, batch_id)
) STRICT;

CREATE TABLE error_group (
    group_key   INTEGER PRIMARY KEY,
    group_id    TEXT    NOT NULL UNIQUE,          -- g-…
    kind        TEXT    NOT NULL CHECK (kind IN ('failed', 'skipped')),
    template    TEXT    NOT NULL,
    title       TEXT    NOT NULL,
    renamed     TEXT,                             -- the title a person gave it
    class       TEXT    NOT NULL DEFAULT 'unknown',
    rule        TEXT,                             -- the rule that decided the class; null: none matched
    cause_code  TEXT,                             -- what the job record says beyond the item's message
    cause_text  TEXT,
    cause_asked INTEGER NOT NULL DEFAULT 0,       -- job records asked so far
    mining      BLOB    NOT NULL,                 -- the miner's own state
    grouping_version INTEGER NOT NULL,            -- of the miner that wrote it
    merged_into INTEGER REFERENCES error_group (group_key),  -- always the survivor itself, never a chain
    first_seen  INTEGER NOT NULL,                 -- event time of its first observation
    last_seen   INTEGER NOT NULL,                 -- event time of its newest observation
    open_items  INTEGER NOT NULL DEFAULT 0,
    total_items INTEGER NOT NULL DEFAULT 0,       -- items that were ever in it
    failures    INTEGER NOT NULL DEFAULT 0        -- observations
) STRICT;

CREATE TABLE message (
    message_key INTEGER PRIMARY KEY,
    hash        INTEGER NOT NULL,                 -- 64 bits of the text's hash; equal hashes are told apart by the text
    text        TEXT    NOT NULL
) STRICT;
CREATE INDEX message_by_hash ON message (hash);

CREATE TABLE item (
    item_id     TEXT    NOT NULL PRIMARY KEY,
    item_key    INTEGER NOT NULL UNIQUE,          -- a small number to point at it with
    item_name   TEXT    NOT NULL,
    project_key INTEGER NOT NULL REFERENCES project (project_key),  -- where it was last seen
    kind        TEXT    NOT NULL,                 -- failed, skipped (no CHECK here: it costs a tenth of a scan; `ledger check` looks)
    state       TEXT    NOT NULL,                 -- open, retrying, recovered, dismissed, ignored
    group_key   INTEGER NOT NULL REFERENCES error_group (group_key),
    observation_key INTEGER NOT NULL,             -- its newest observation by event time, harmless skips only if there is nothing else
    first_seen  INTEGER NOT NULL,                 -- event time of its first observation
    last_seen   INTEGER NOT NULL,                 -- event time of that observation
    failures    INTEGER NOT NULL DEFAULT 0,       -- failed observations
    attempts    INTEGER NOT NULL DEFAULT 0,       -- our reprocessing attempts
    baseline    INTEGER NOT NULL DEFAULT 0,       -- 1: it failed before the first start
    recovered_at INTEGER,                         -- when the evidence was seen
    recovered_by TEXT,                            -- the evidence: a batch id, an attempt id
    answered_until INTEGER NOT NULL DEFAULT 0     -- failures not after this event time are answered by a later success
) STRICT;
CREATE INDEX item_by_group ON item (group_key, state, last_seen);

CREATE TABLE observation (
    observation_key INTEGER PRIMARY KEY,
    item_key      INTEGER NOT NULL REFERENCES item (item_key),
    batch_key     INTEGER NOT NULL REFERENCES batch (batch_key),
    identity      INTEGER NOT NULL,               -- 64-bit hash of batch, job, job record and status: unique within the item
    kind          TEXT    NOT NULL,               -- failed, skipped
    job_id        TEXT,
    job_record_id TEXT,
    group_key     INTEGER NOT NULL REFERENCES error_group (group_key),  -- as grouped then; resolve by merged_into
    message_key   INTEGER REFERENCES message (message_key),
    skip_reason   TEXT,
    started_at    INTEGER,
    completed_at  INTEGER,
    effective_at  INTEGER,
    content       INTEGER NOT NULL,               -- 64-bit hash of all that the API said: equal means nothing new
    event_at      INTEGER NOT NULL,               -- completed_at, else effective_at, else first_seen
    first_seen    INTEGER NOT NULL,
    last_seen     INTEGER NOT NULL,
    UNIQUE (item_key, identity)
) STRICT;
CREATE INDEX observation_by_batch ON observation (batch_key);

-- Groups that an item has observations in besides its present one: `total_items` counts both.
CREATE TABLE item_group (
    group_key INTEGER NOT NULL REFERENCES error_group (group_key),
    item_key  INTEGER NOT NULL REFERENCES item (item_key),
    PRIMARY KEY (group_key, item_key)
) STRICT, WITHOUT ROWID;
CREATE INDEX item_group_by_item ON item_group (item_key);

-- Observations by the hour of their event time, so that trends and top lists never read observations.
CREATE TABLE group_hour (
    group_key INTEGER NOT NULL REFERENCES error_group (group_key),
    hour      INTEGER NOT NULL,                   -- hours since 1970-01-01 UTC
    failures  INTEGER NOT NULL,
    PRIMARY KEY (group_key, hour)
) STRICT, WITHOUT ROWID;

-- How many observations of a group each batch gave: escalation by share of a batch, "batches hit".
CREATE TABLE group_batch (
    group_key INTEGER NOT NULL REFERENCES error_group (group_key),
    batch_key INTEGER NOT NULL REFERENCES batch (batch_key),
    failures  INTEGER NOT NULL,
    PRIMARY KEY (group_key, batch_key)
) STRICT, WITHOUT ROWID;

CREATE TABLE meta (
    name  TEXT NOT NULL PRIMARY KEY,              -- 'first_start', 'grouping_version', …
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
