-- What was read out of sentences has columns of its own.

ALTER TABLE plan ADD COLUMN unclear_items INTEGER NOT NULL DEFAULT 0;  -- items that may have been submitted when the plan ended
ALTER TABLE plan ADD COLUMN cancelled_by  TEXT;                        -- who ended it by hand
UPDATE plan SET unclear_items = CAST(substr(result, instr(result, ' submitted, ') + 12) AS INTEGER)
    WHERE result LIKE '% submitted, % of unclear outcome%';

ALTER TABLE learnt_config ADD COLUMN lost TEXT;                        -- JSON: parameters left out of job_config that may decide the result
UPDATE learnt_config SET lost = '[' || replace(json_quote(why), ', ', '", "') || ']', why = NULL
    WHERE job_config IS NOT NULL AND why IS NOT NULL;
