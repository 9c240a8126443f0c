-- Whether the items of a running batch were held against those of the others that ran then.
ALTER TABLE batch ADD COLUMN compared INTEGER NOT NULL DEFAULT 0;
