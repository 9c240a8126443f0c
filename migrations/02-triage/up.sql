-- What we concluded and told: episodes, announcements, digests and their deliveries, what people said, who did what.

CREATE TABLE episode (
    episode_key INTEGER PRIMARY KEY,
    group_key   INTEGER NOT NULL REFERENCES error_group (group_key),
    ordinal     INTEGER NOT NULL,                 -- 1 is the group's first
    opened_at   INTEGER NOT NULL,                 -- event time of the failure that opened it
    noticed_at  INTEGER NOT NULL,                 -- when the worker saw it
    closed_at   INTEGER,                          -- event time; null while open
    closed_how  TEXT CHECK (closed_how IN ('recovered', 'dismissed', 'quiet', 'ignored', 'moved', 'merged')),
    closed_by   TEXT,                             -- a person, a retry, a batch
    UNIQUE (group_key, ordinal)
) STRICT;
CREATE INDEX episode_open ON episode (group_key) WHERE closed_at IS NULL;

-- What people were last told of a group; one row per group, moved in the digest's transaction.
CREATE TABLE announcement (
    group_key      INTEGER PRIMARY KEY REFERENCES error_group (group_key),
    digest_id      TEXT    NOT NULL REFERENCES digest (digest_id),
    episode        INTEGER NOT NULL,              -- ordinal
    state          TEXT    NOT NULL,
    reason         TEXT    NOT NULL,
    open_items     INTEGER NOT NULL,
    total_items    INTEGER NOT NULL,
    failures       INTEGER NOT NULL,              -- observations
    announced_at   INTEGER NOT NULL
) STRICT;

-- Hysteresis: an escalation rule that fired for a group fires again only at the double or after a calm day.
CREATE TABLE escalation (
    group_key INTEGER NOT NULL REFERENCES error_group (group_key),
    rule      TEXT    NOT NULL CHECK (rule IN ('hour', 'open', 'batch')),
    fired_at  INTEGER NOT NULL,
    value     REAL    NOT NULL,                   -- the value that fired it
    above_at  INTEGER NOT NULL,                   -- when the limit was last seen reached
    PRIMARY KEY (group_key, rule)
) STRICT, WITHOUT ROWID;

CREATE TABLE digest (
    digest_id  TEXT    NOT NULL PRIMARY KEY,      -- D-YYYYMMDD-NN
    created_at INTEGER NOT NULL,
    scheduled  INTEGER NOT NULL,                  -- 1: the daily one
    reasons    TEXT    NOT NULL,                  -- comma separated, for people and filters
    model      TEXT    NOT NULL                   -- the frozen digest, JSON
) STRICT;
CREATE INDEX digest_by_time ON digest (created_at);

-- Which digest named which group and item: the time line of an item needs it.
CREATE TABLE digest_item (
    digest_id TEXT NOT NULL REFERENCES digest (digest_id),
    group_key INTEGER NOT NULL REFERENCES error_group (group_key),
    item_id   TEXT,                               -- null: the group was named without this item as a sample
    reason    TEXT NOT NULL
) STRICT;
CREATE INDEX digest_item_by_group ON digest_item (group_key);
CREATE INDEX digest_item_by_item ON digest_item (item_id) WHERE item_id IS NOT NULL;

CREATE TABLE delivery (
    delivery_id  TEXT    NOT NULL PRIMARY KEY,    -- digest id and channel, "D-20260823-03.oncall": the same on every try
    digest_id    TEXT    NOT NULL REFERENCES digest (digest_id),
    channel      TEXT    NOT NULL,
    state        TEXT    NOT NULL CHECK (state IN ('pending', 'sending', 'sent', 'dead', 'superseded')),
    content      TEXT    NOT NULL,                -- the digest as this channel gets it, JSON, frozen
    attempts     INTEGER NOT NULL DEFAULT 0,
    not_before   INTEGER NOT NULL,
    lease_until  INTEGER,
    page         INTEGER NOT NULL DEFAULT 0,      -- 1: passes quiet hours
    uncertain    INTEGER NOT NULL DEFAULT 0,      -- 1: an earlier try may have arrived
    tier         INTEGER NOT NULL DEFAULT 0,      -- how much smaller it must be rendered
    done         TEXT    NOT NULL DEFAULT '[]',   -- recipients or events that an earlier try finished, JSON
    last_error   TEXT,
    provider_answer TEXT,
    superseded_by TEXT,
    created_at   INTEGER NOT NULL,
    sent_at      INTEGER,
    UNIQUE (digest_id, channel)
) STRICT;
CREATE INDEX delivery_by_state ON delivery (state, not_before);

CREATE TABLE silence (
    silence_id INTEGER PRIMARY KEY,
    matcher    TEXT    NOT NULL,                  -- JSON: group, match, job-type, project, directory, batch, item-name, skip-reason
    author     TEXT    NOT NULL,
    reason     TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    ended_at   INTEGER                            -- taken back early
) STRICT;

CREATE TABLE ack (
    ack_id     INTEGER PRIMARY KEY,
    group_key  INTEGER NOT NULL REFERENCES error_group (group_key),
    episode    INTEGER NOT NULL,
    author     TEXT    NOT NULL,
    open_items INTEGER NOT NULL,                  -- the level it was given at
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    ended_at   INTEGER,
    ended_how  TEXT                               -- unack, renewed, escalated, closed, merged
) STRICT;
CREATE INDEX ack_by_group ON ack (group_key);

CREATE TABLE note (
    note_id    INTEGER PRIMARY KEY,
    group_key  INTEGER NOT NULL REFERENCES error_group (group_key),
    author     TEXT    NOT NULL,
    text       TEXT    NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX note_by_group ON note (group_key);

CREATE TABLE audit (
    audit_id INTEGER PRIMARY KEY,
    at       INTEGER NOT NULL,
    actor    TEXT    NOT NULL,                    -- a user, or auto:…
    action   TEXT    NOT NULL,
    subject  TEXT    NOT NULL,                    -- a group, item, plan, silence id
    reason   TEXT,
    detail   TEXT                                 -- JSON
) STRICT;
CREATE INDEX audit_by_time ON audit (at);

-- Worker faults that people are told about; one open row per fault.
CREATE TABLE worker_fault (
    fault      TEXT    NOT NULL PRIMARY KEY,      -- e.g. scan:prod, delivery:oncall
    text       TEXT    NOT NULL,
    since      INTEGER NOT NULL,
    last_seen  INTEGER NOT NULL,
    count      INTEGER NOT NULL DEFAULT 1,
    announced  TEXT,                              -- the digest that told of it; null: not told yet
    ended_at   INTEGER                            -- null while it lasts; the row goes once people know of the end
) STRICT;

-- Scheduled work that was done: a due time is worked once.
CREATE TABLE run (
    name     TEXT    NOT NULL,
    due_at   INTEGER NOT NULL,                    -- the instant it was due
    ran_at   INTEGER NOT NULL,
    outcome  TEXT,
    PRIMARY KEY (name, due_at)
) STRICT, WITHOUT ROWID;

-- Incidents open at a paging provider: one per episode.
CREATE TABLE incident (
    channel     TEXT    NOT NULL,
    group_key   INTEGER NOT NULL REFERENCES error_group (group_key),
    episode     INTEGER NOT NULL,
    opened_at   INTEGER NOT NULL,
    resolved_at INTEGER,
    PRIMARY KEY (channel, group_key, episode)
) STRICT, WITHOUT ROWID;
