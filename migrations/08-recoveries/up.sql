-- Recovered items by the hour of their evidence, so that a window reads hours and not hundreds of thousands of items.
-- Triggers keep it, so that no statement can forget it: few items recover, and none is added recovered.
CREATE TABLE recovery_hour (
    hour        INTEGER NOT NULL,                 -- hours since 1970-01-01 UTC
    group_key   INTEGER NOT NULL REFERENCES error_group (group_key),
    project_key INTEGER NOT NULL REFERENCES project (project_key),
    items       INTEGER NOT NULL,
    PRIMARY KEY (hour, group_key, project_key)
) STRICT, WITHOUT ROWID;
INSERT INTO recovery_hour
    SELECT (recovered_at - ((recovered_at % 3600000) + 3600000) % 3600000) / 3600000, group_key, project_key, count(*)
    FROM item WHERE recovered_at IS NOT NULL GROUP BY 1, 2, 3;

CREATE TRIGGER recovery_begins AFTER UPDATE OF recovered_at, group_key, project_key ON item
WHEN new.recovered_at IS NOT NULL BEGIN
    INSERT INTO recovery_hour VALUES (
        (new.recovered_at - ((new.recovered_at % 3600000) + 3600000) % 3600000) / 3600000, new.group_key, new.project_key, 1)
    ON CONFLICT DO UPDATE SET items = items + 1;
END;

CREATE TRIGGER recovery_ends AFTER UPDATE OF recovered_at, group_key, project_key ON item
WHEN old.recovered_at IS NOT NULL BEGIN
    UPDATE recovery_hour SET items = items - 1
    WHERE hour = (old.recovered_at - ((old.recovered_at % 3600000) + 3600000) % 3600000) / 3600000
        AND group_key = old.group_key AND project_key = old.project_key;
    DELETE FROM recovery_hour
    WHERE hour = (old.recovered_at - ((old.recovered_at % 3600000) + 3600000) % 3600000) / 3600000
        AND group_key = old.group_key AND project_key = old.project_key AND items = 0;
END;

CREATE TRIGGER recovery_pruned AFTER DELETE ON item
WHEN old.recovered_at IS NOT NULL BEGIN
    UPDATE recovery_hour SET items = items - 1
    WHERE hour = (old.recovered_at - ((old.recovered_at % 3600000) + 3600000) % 3600000) / 3600000
        AND group_key = old.group_key AND project_key = old.project_key;
    DELETE FROM recovery_hour
    WHERE hour = (old.recovered_at - ((old.recovered_at % 3600000) + 3600000) % 3600000) / 3600000
        AND group_key = old.group_key AND project_key = old.project_key AND items = 0;
END;
