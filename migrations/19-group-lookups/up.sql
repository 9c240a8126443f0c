-- What reports and cycles ask of one group, whatever the number of intents, groups and hours.
CREATE INDEX intent_by_group ON intent (group_key, project_key);
CREATE INDEX group_by_survivor ON error_group (merged_into) WHERE merged_into IS NOT NULL;
CREATE INDEX item_hour_by_group ON item_hour (group_key, hour);
