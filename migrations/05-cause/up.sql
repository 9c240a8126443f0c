-- Causes: what the record of a failed job says beyond its item's message, asked once for a few samples of a group.

CREATE TABLE cause (
    observation_key INTEGER PRIMARY KEY REFERENCES observation (observation_key) ON DELETE CASCADE,
    code     TEXT,                                -- such as PDF_IS_PROTECTED; null: the record has none
    text     TEXT,                                -- null: the record says nothing but the item's message
    asked_at INTEGER NOT NULL
) STRICT;
