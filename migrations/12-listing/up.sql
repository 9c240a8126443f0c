-- What the last complete listing of a batch came to: before, it stood as words after `listed_as`, which now is the appearance alone.
ALTER TABLE batch ADD COLUMN listing_state TEXT   -- null: never listed to the end
    CHECK (listing_state IN ('settled', 'unsettled', 'in_doubt', 'unreadable', 'odd', 'unproven'));
ALTER TABLE batch ADD COLUMN odd_since INTEGER;   -- odd: since when jobs of it have an unknown status
ALTER TABLE batch ADD COLUMN relist_at INTEGER;   -- odd, unproven: when it is listed again although it looks the same

UPDATE batch SET listing_state = CASE
        WHEN listed_as LIKE '% unsettled' THEN 'unsettled'
        WHEN listed_as LIKE '% in doubt' THEN 'in_doubt'
        WHEN listed_as LIKE '% unreadable' THEN 'unreadable'
        WHEN listed_as LIKE '% odd %' THEN 'odd'
        WHEN listed_as LIKE '% unproven %' THEN 'unproven'
        ELSE 'settled' END
    WHERE listed_as IS NOT NULL;
-- CAST reads the digits up to the next space.
UPDATE batch SET odd_since = CAST(substr(listed_as, instr(listed_as, ' odd ') + 5) AS INTEGER) WHERE listing_state = 'odd';
UPDATE batch SET relist_at = CAST(substr(listed_as, instr(listed_as, ' odd ') + 6 + length(odd_since)) AS INTEGER) WHERE listing_state = 'odd';
UPDATE batch SET relist_at = CAST(substr(listed_as, instr(listed_as, ' unproven ') + 10) AS INTEGER) WHERE listing_state = 'unproven';

-- What its completed items were searched as counts only if it is the same listing.
UPDATE batch SET searched_as = NULL WHERE searched_as IS NOT listed_as;
UPDATE batch SET listed_as = substr(listed_as, 1, instr(listed_as, ' ' || replace(listing_state, 'in_doubt', 'in doubt')) - 1)
    WHERE listing_state <> 'settled';
UPDATE batch SET searched_as = listed_as WHERE searched_as IS NOT NULL;
