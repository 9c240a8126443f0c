-- What reports and cycles ask of the retries of a group, whatever the number of intents and groups.
CREATE INDEX intent_by_group ON intent (group_key, project_key);
CREATE INDEX group_by_survivor ON error_group (merged_into) WHERE merged_into IS NOT NULL;
