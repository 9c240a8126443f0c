-- Retrying: what plans, intents and attempts keep beside what was agreed first, and what holds retries back.
-- Nothing was retried before this step, so the tables that change their shape are empty and made anew.

ALTER TABLE plan ADD COLUMN applied_by TEXT;                  -- who approved it, at `applied_at`
ALTER TABLE plan ADD COLUMN executed_at INTEGER;              -- when its POSTs began; it is executed at most once
ALTER TABLE plan ADD COLUMN result TEXT;                      -- what came of it, for people

ALTER TABLE intent ADD COLUMN items TEXT NOT NULL DEFAULT '[]';         -- JSON: the item ids with the attempts that each had behind it
ALTER TABLE intent ADD COLUMN probe INTEGER NOT NULL DEFAULT 0;         -- 1: it stands for all groups
ALTER TABLE intent ADD COLUMN weather TEXT NOT NULL DEFAULT 'still' CHECK (weather IN ('calm', 'storm', 'still'));  -- at the time of posting
ALTER TABLE intent ADD COLUMN checked_at INTEGER;                       -- when a second batch of the same items was last looked for
CREATE INDEX intent_by_posting ON intent (posting_at);

ALTER TABLE attempt ADD COLUMN before INTEGER NOT NULL DEFAULT 0;       -- counted attempts that the item had behind it
CREATE INDEX attempt_by_finish ON attempt (finished_at);

-- Items that the API refused by themselves; automatic retries leave them out.
CREATE TABLE refused_item (
    item_key  INTEGER PRIMARY KEY REFERENCES item (item_key),
    intent_id TEXT    NOT NULL REFERENCES intent (intent_id)
) STRICT;

-- What retries have shown of a group: its breaker, its ramp (counts are those of the present step), how later tries went.
DROP TABLE breaker;
CREATE TABLE breaker (
    scope      TEXT    NOT NULL PRIMARY KEY,      -- a group id
    state      TEXT    NOT NULL CHECK (state IN ('closed', 'open', 'half-open')),
    open_since INTEGER,
    open_until INTEGER,
    opened     INTEGER NOT NULL DEFAULT 0,        -- how often in a row: the open time doubles
    step       INTEGER NOT NULL DEFAULT 0,        -- of the ramp; 0 is the canary
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
    config_hash TEXT,                             -- the parameters that all this was seen with
    why        TEXT,
    changed_at INTEGER NOT NULL
) STRICT;

-- Whether anything of a project may be retried: incidents, failing attempts, an account that cannot go on.
CREATE TABLE gate (
    project_key   INTEGER PRIMARY KEY REFERENCES project (project_key),
    state         TEXT    NOT NULL CHECK (state IN ('open', 'held', 'probing', 'account-stop')),
    reason        TEXT    CHECK (reason IN ('incident', 'failing-attempts', 'storm', 'probe-failed')),
    since         INTEGER,                        -- of an account stop
    until         INTEGER,                        -- of a hold; then one item probes for all
    failed_probes INTEGER NOT NULL DEFAULT 0,
    wait_until    INTEGER,                        -- the API asked to wait before the next POST
    why           TEXT,
    changed_at    INTEGER NOT NULL                -- when the state last changed
) STRICT;

-- Job configurations learnt from the API, secrets stripped.
DROP TABLE learnt_config;
CREATE TABLE learnt_config (
    project_key INTEGER NOT NULL REFERENCES project (project_key),
    scope       TEXT    NOT NULL,                 -- a batch id
    job_config  TEXT,                             -- null: none can be had
    why         TEXT,                             -- why not
    learnt_at   INTEGER NOT NULL,
    PRIMARY KEY (project_key, scope)
) STRICT, WITHOUT ROWID;
