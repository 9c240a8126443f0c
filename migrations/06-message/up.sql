-- Short texts are stored once for each transaction, and only long ones are looked for in the whole ledger:
-- an entry of this index costs more time than a short text takes space.
DROP INDEX message_by_hash;
CREATE INDEX long_message_by_hash ON message (hash) WHERE length(text) > 256;
