-- Groups that began to fail together: one incident.
CREATE TABLE incident (
    incident_id     TEXT    NOT NULL PRIMARY KEY, -- n-…
    started_at      INTEGER NOT NULL,             -- event time of its first onset
    noticed_at      INTEGER NOT NULL,             -- when the worker saw it
    last_failure_at INTEGER NOT NULL,             -- event time of the newest failure of its groups
    ended_at        INTEGER,                      -- that of the last one, once it is over; null while it is open
    items           INTEGER NOT NULL,             -- failed in its groups since it started
    ended_items     INTEGER NOT NULL,             -- ended in its projects in that time, those that failed included
    announced       TEXT,                         -- the first digest that reported it; null: none did
    paged           INTEGER NOT NULL DEFAULT 0,   -- 1: it was reported as a page
    end_announced   INTEGER NOT NULL DEFAULT 0    -- 1: its end was reported, or needs no report
) STRICT;
CREATE INDEX incident_by_start ON incident (started_at);
CREATE INDEX incident_to_report ON incident (incident_id) WHERE end_announced = 0;

-- Groups that began to fail or escalated, and the incident that each was part of.
CREATE TABLE onset (
    onset_key   INTEGER PRIMARY KEY,
    group_key   INTEGER NOT NULL REFERENCES error_group (group_key),
    episode     INTEGER NOT NULL,                 -- ordinal
    at          INTEGER NOT NULL,                 -- event time
    noticed_at  INTEGER NOT NULL,                 -- when the worker saw it
    escalated   INTEGER NOT NULL,                 -- 0: its episode began; 1: it escalated
    items       INTEGER NOT NULL DEFAULT 0,       -- that failed in the group since, until the incident was over; of its first onset only
    late        INTEGER NOT NULL DEFAULT 0,       -- 1: it joined the incident late
    incident_id TEXT    REFERENCES incident (incident_id)  -- null: of none
) STRICT;
CREATE INDEX onset_by_group ON onset (group_key, episode);
CREATE INDEX onset_by_incident ON onset (incident_id) WHERE incident_id IS NOT NULL;
CREATE INDEX onset_of_none ON onset (noticed_at) WHERE incident_id IS NULL;

-- An alert is that of an episode of a group, or that of an incident.
CREATE TABLE alert (
    alert_key   INTEGER PRIMARY KEY,
    channel     TEXT    NOT NULL,
    group_key   INTEGER REFERENCES error_group (group_key),
    episode     INTEGER,
    incident_id TEXT    REFERENCES incident (incident_id),
    opened_at   INTEGER NOT NULL,
    resolved_at INTEGER,
    ack_id      INTEGER,                          -- the last ack that the channel was sent
    scope       TEXT    NOT NULL,                 -- the id of the ledger that opened it; before ledgers had one, the instance's name
    CHECK ((group_key IS NULL) = (episode IS NULL) AND (group_key IS NULL) <> (incident_id IS NULL))
) STRICT;
INSERT INTO alert (channel, group_key, episode, opened_at, resolved_at, ack_id, scope)
    SELECT channel, group_key, episode, opened_at, resolved_at, ack_id, scope FROM pager_alert
    ORDER BY opened_at, channel, group_key, episode;
DROP TABLE pager_alert;
ALTER TABLE alert RENAME TO pager_alert;
CREATE UNIQUE INDEX pager_alert_of_group ON pager_alert (group_key, episode, channel);
CREATE UNIQUE INDEX pager_alert_of_incident ON pager_alert (incident_id, channel);
CREATE INDEX pager_alert_open ON pager_alert (channel) WHERE resolved_at IS NULL;
