-- Where a channel's messages of the day belong together.
ALTER TABLE channel ADD COLUMN thread TEXT;     -- JSON of the kind of channel: day, room and head message; null: none yet
